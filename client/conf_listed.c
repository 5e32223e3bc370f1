#include "conf_listed.h"

#include <stdio.h>
#include <string.h>

#include "conf_value.h"
#include "inlets_error.h"


#define TYPE_MAX  16


static int
copy_edge(struct inlets_edge_conf *to, const struct inlets_edge_conf *from)
{
    to->remote = from->remote;
    to->insecure = from->insecure;
    to->links = from->links;
    to->max_streams = from->max_streams;
    to->login_timeout = from->login_timeout;

    if (inlets_conf_set(&to->token, from->token) != INLETS_OK
        || inlets_conf_set(&to->client_id, from->client_id) != INLETS_OK
        || inlets_conf_set(&to->client_secret, from->client_secret)
           != INLETS_OK)
    {
        return INLETS_E_NO_MEMORY;
    }

    return inlets_conf_set(&to->ca_file, from->ca_file);
}


static const cJSON *
member(const cJSON *item, const char *name)
{
    const cJSON  *found = cJSON_GetObjectItemCaseSensitive(item, name);

    return cJSON_IsNull(found) ? NULL : found;
}


/* *ret NULL: it is not there, or empty. */

static int
get_text(const cJSON *item, const char *name, const char **ret, char *why)
{
    const cJSON  *found = member(item, name);

    *ret = NULL;

    if (found == NULL) {
        return INLETS_OK;
    }

    if (!cJSON_IsString(found) || found->valuestring == NULL) {
        snprintf(why, INLETS_WHY_MAX, "must be text");
        return INLETS_E_INVALID;
    }

    if (*found->valuestring != '\0') {
        *ret = found->valuestring;
    }

    return INLETS_OK;
}


static int
get_number(const cJSON *item, const char *name, uint32_t max, uint32_t *ret,
    char *why)
{
    const cJSON  *found = member(item, name);

    if (found == NULL) {
        return INLETS_OK;
    }

    if (!cJSON_IsNumber(found) || !(found->valuedouble >= 0)
        || found->valuedouble > max
        || found->valuedouble != (double) (uint32_t) found->valuedouble)
    {
        snprintf(why, INLETS_WHY_MAX, "must be a number from 0 to %u", max);
        return INLETS_E_INVALID;
    }

    *ret = (uint32_t) found->valuedouble;

    return INLETS_OK;
}


static int
get_type(const cJSON *item, bool *ret, char *why)
{
    const char  *text;
    int          rc = get_text(item, "type", &text, why);

    if (rc == INLETS_OK && text != NULL && strcmp(text, "tcp") == 0) {
        *ret = true;

    } else if (rc == INLETS_OK
               && (text == NULL || strcmp(text, "http") != 0))
    {
        snprintf(why, INLETS_WHY_MAX, "must be http or tcp, not \"%.*s\"",
                 TYPE_MAX, text != NULL ? text : "");
        rc = INLETS_E_INVALID;
    }

    return rc;
}


/* A port may be a number, too. */

static int
get_upstream(const cJSON *item, struct inlets_url *ret, char *why)
{
    const cJSON  *found = member(item, "upstream");
    const char   *text;
    char          port[16];
    uint32_t      number = 0;
    int           rc;

    if (cJSON_IsNumber(found)) {
        rc = get_number(item, "upstream", 65535, &number, why);
        snprintf(port, sizeof(port), "%u", number);
        text = port;

    } else {
        rc = get_text(item, "upstream", &text, why);
    }

    if (rc != INLETS_OK) {
        return rc;
    }

    return inlets_value_upstream(ret, text != NULL ? text : "", why);
}


static int
get_proxy_protocol(const cJSON *item, enum inlets_proxy_protocol *ret,
    char *why)
{
    const char  *text;
    int          rc = get_text(item, "proxyProtocol", &text, why);

    if (rc != INLETS_OK || text == NULL || strcmp(text, "off") == 0) {
        return rc;
    }

    if (strcmp(text, "v1") == 0) {
        *ret = INLETS_PROXY_V1;

    } else if (strcmp(text, "v2") == 0) {
        *ret = INLETS_PROXY_V2;

    } else {
        snprintf(why, INLETS_WHY_MAX, "must be off, v1 or v2");
        rc = INLETS_E_INVALID;
    }

    return rc;
}


static int
get_local(const cJSON *item, struct inlets_tunnel_conf *tunnel,
    const char **ret_key, char *why)
{
    struct inlets_local_conf  *local = &tunnel->local;
    const cJSON               *found;
    const char                *text;
    int                        rc;

    *ret_key = "hostHeader";
    rc = get_text(item, *ret_key, &text, why);

    if (rc == INLETS_OK && text != NULL && !tunnel->tcp) {
        rc = inlets_value_host(&local->host_header, text, why);
    }

    if (rc == INLETS_OK) {
        *ret_key = "proxyProtocol";
        rc = get_proxy_protocol(item, &local->proxy_protocol, why);
    }

    if (rc == INLETS_OK) {
        *ret_key = "connectTimeout";
        rc = get_number(item, *ret_key, INLETS_TIME_MAX,
                        &local->connect_timeout, why);
    }

    if (rc == INLETS_OK && local->connect_timeout == 0) {
        snprintf(why, INLETS_WHY_MAX, "must not be 0");
        rc = INLETS_E_INVALID;
    }

    if (rc == INLETS_OK) {
        *ret_key = "idleTimeout";
        rc = get_number(item, *ret_key, INLETS_TIME_MAX, &local->idle_timeout,
                        why);
    }

    if (rc != INLETS_OK) {
        return rc;
    }

    *ret_key = "upstreamInsecure";
    found = member(item, *ret_key);

    if (found != NULL && !cJSON_IsBool(found)) {
        snprintf(why, INLETS_WHY_MAX, "must be true or false");
        return INLETS_E_INVALID;
    }

    local->insecure = cJSON_IsTrue(found);

    return INLETS_OK;
}


static int
get_name(const cJSON *item, const struct inlets_conf *conf,
    struct inlets_tunnel_conf *tunnel, char *why)
{
    const char  *text;
    int          rc = get_text(item, "name", &text, why);

    if (rc == INLETS_OK) {
        rc = inlets_value_name(&tunnel->name, text != NULL ? text : "", why);
    }

    for (size_t i = 0; rc == INLETS_OK && i + 1 < conf->ntunnels; i++) {
        if (strcmp(conf->tunnels[i].name, tunnel->name) == 0) {
            snprintf(why, INLETS_WHY_MAX, "is given twice");
            rc = INLETS_E_INVALID;
        }
    }

    return rc;
}


/* *ret_key: of the fault. */

static int
add_tunnel(struct inlets_conf *conf, const cJSON *item, const char **ret_key,
    char *why)
{
    struct inlets_tunnel_conf  *tunnel = inlets_conf_add(conf);
    const char                 *text;
    int                         rc;

    *ret_key = "name";

    if (tunnel == NULL) {
        snprintf(why, INLETS_WHY_MAX, "no memory");
        return INLETS_E_NO_MEMORY;
    }

    if (!cJSON_IsObject(item)) {
        snprintf(why, INLETS_WHY_MAX, "is missing");
        return INLETS_E_INVALID;
    }

    rc = get_name(item, conf, tunnel, why);

    if (rc == INLETS_OK) {
        *ret_key = "type";
        rc = get_type(item, &tunnel->tcp, why);
    }

    if (rc == INLETS_OK) {
        *ret_key = "upstream";
        rc = get_upstream(item, &tunnel->local.url, why);
    }

    if (rc == INLETS_OK) {
        *ret_key = "subDomain";
        rc = get_text(item, *ret_key, &text, why);
    }

    if (rc == INLETS_OK && text != NULL && !tunnel->tcp) {
        rc = inlets_value_label(&tunnel->sub_domain, text, why);
    }

    if (rc == INLETS_OK) {
        *ret_key = "remotePort";
        rc = get_number(item, *ret_key, 65535, &tunnel->port, why);
    }

    if (!tunnel->tcp) {
        tunnel->port = 0;
    }

    return rc == INLETS_OK ? get_local(item, tunnel, ret_key, why) : rc;
}


static int
add_all(struct inlets_conf *conf, const cJSON *tunnels, char *why, size_t size)
{
    const cJSON  *item;
    const char   *key;
    char          fault[INLETS_WHY_MAX] = "";
    size_t        n = 0;

    if (tunnels == NULL || cJSON_IsNull(tunnels)) {
        return INLETS_OK;
    }

    if (!cJSON_IsArray(tunnels)) {
        snprintf(why, size, "it is no list");
        return INLETS_E_INVALID;
    }

    cJSON_ArrayForEach(item, tunnels) {
        if (n == INLETS_TUNNELS_MAX) {
            snprintf(why, size, "it has more than %d tunnels",
                     INLETS_TUNNELS_MAX);
            return INLETS_E_INVALID;
        }

        if (add_tunnel(conf, item, &key, fault) != INLETS_OK) {
            snprintf(why, size, "[%zu].%s: %s", n, key, fault);
            return INLETS_E_INVALID;
        }

        n++;
    }

    return INLETS_OK;
}


struct inlets_conf *
inlets_conf_with_listed(const struct inlets_conf *base, const cJSON *tunnels,
    char *why, size_t size)
{
    struct inlets_conf  *conf = inlets_conf_create();

    if (conf == NULL || copy_edge(&conf->edge, &base->edge) != INLETS_OK
        || inlets_conf_set(&conf->report_url, base->report_url) != INLETS_OK)
    {
        snprintf(why, size, "no memory");
        inlets_conf_unref(conf);
        return NULL;
    }

    conf->listed = true;
    conf->grace = base->grace;

    if (add_all(conf, tunnels, why, size) != INLETS_OK) {
        inlets_conf_unref(conf);
        return NULL;
    }

    return conf;
}
