#include "conf_file_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "access.h"
#include "inlets_cidr.h"
#include "inlets_error.h"


#define AUTH_FILE_MAX  8192


static void
wrong(struct inlets_conf_reader *r, enum inlets_conf_key key, const char *name,
    const char *text)
{
    if (r->line[key] != 0) {
        inlets_config_error(r->config, r->line[key], name, "%s", text);
    }
}


static void
check_type(struct inlets_conf_reader *r)
{
    static const struct {
        enum inlets_conf_key  key;
        const char           *name;
    } http_keys[] = {
        { INLETS_KEY_SUB_DOMAIN, "subDomain" },
        { INLETS_KEY_BASIC_AUTH, "basicAuth" },
        { INLETS_KEY_BASIC_AUTH_FILE, "basicAuthFile" },
        { INLETS_KEY_PASS_AUTH, "passAuth" },
        { INLETS_KEY_HOST_HEADER, "hostHeader" },
        { INLETS_KEY_UPSTREAM_AUTH, "upstreamAuth" },
        { INLETS_KEY_UPSTREAM_AUTH_FILE, "upstreamAuthFile" }
    };

    if (r->line[INLETS_KEY_TYPE] == 0) {
        return;
    }

    if (!r->tunnel->tcp) {
        wrong(r, INLETS_KEY_PORT, "port", "is only for tcp tunnels");
        return;
    }

    for (size_t i = 0; i < sizeof(http_keys) / sizeof(http_keys[0]); i++) {
        wrong(r, http_keys[i].key, http_keys[i].name,
              "is only for http tunnels");
    }
}


static void
check_local(struct inlets_conf_reader *r)
{
    static const char  text[] = "needs an upstream that starts with https://";

    const struct inlets_url  *url = &r->tunnel->local.url;

    if (r->line[INLETS_KEY_UPSTREAM_AUTH] != 0) {
        wrong(r, INLETS_KEY_UPSTREAM_AUTH_FILE, "upstreamAuthFile",
              "is given in two ways");
    }

    if (url->tls || (*url->host == '\0' && *url->path == '\0')) {
        return;
    }

    wrong(r, INLETS_KEY_UPSTREAM_CA_FILE, "upstreamCaFile", text);

    if (r->tunnel->local.insecure) {
        wrong(r, INLETS_KEY_UPSTREAM_INSECURE, "upstreamInsecure", text);
    }
}


static void
check_access(struct inlets_conf_reader *r, unsigned line)
{
    const struct inlets_access_conf  *access = &r->tunnel->access;
    char                              why[INLETS_WHY_MAX];

    if (access->basic == NULL) {
        wrong(r, INLETS_KEY_BASIC_AUTH, "basicAuth", "names no user: all "
              "visitors would be let in");
    }

    if (access->allow == NULL) {
        wrong(r, INLETS_KEY_ALLOW_IP, "allowIp", "is empty");
    }

    if (access->deny == NULL) {
        wrong(r, INLETS_KEY_DENY_IP, "denyIp", "is empty");
    }

    if (inlets_access_check(access, false, why) != INLETS_OK) {
        inlets_config_error(r->config, line, NULL, "%s", why);
    }
}


static void
tell_twice(struct inlets_conf_reader *r, unsigned line, size_t of,
    const char *name)
{
    inlets_config_error(r->config, line, name,
                        "is also that of tunnels[%zu], line %u", of,
                        r->places[of].line);
}


static void
check_twice(struct inlets_conf_reader *r)
{
    const struct inlets_tunnel_conf  *t, *present = r->tunnel;
    const struct inlets_conf_place   *place;
    size_t                            n = r->conf->ntunnels - 1;

    place = &r->places[n];

    for (size_t i = 0; i < n; i++) {
        t = &r->conf->tunnels[i];

        if (present->name != NULL && t->name != NULL
            && strcmp(t->name, present->name) == 0)
        {
            tell_twice(r, place->name, i, "name");
        }

        if (t->tcp != present->tcp) {
            continue;
        }

        if (!t->tcp && t->sub_domain != NULL && present->sub_domain != NULL
            && strcmp(t->sub_domain, present->sub_domain) == 0)
        {
            tell_twice(r, place->sub_domain, i, "subDomain");
        }

        if (t->tcp && t->port != 0 && t->port == present->port) {
            tell_twice(r, place->port, i, "port");
        }
    }
}


static void
enter(struct inlets_conf_reader *r, unsigned line)
{
    struct inlets_conf  *conf = r->conf;

    for (int i = INLETS_KEY_NAME; i < INLETS_KEY_ONE_TYPE; i++) {
        r->line[i] = 0;
    }

    if (conf->ntunnels == INLETS_TUNNELS_MAX) {
        if (r->tunnel != NULL) {
            inlets_config_error(r->config, line, NULL, "more than %d tunnels",
                                INLETS_TUNNELS_MAX);
        }

        r->tunnel = NULL;
        return;
    }

    r->tunnel = inlets_conf_add(conf);

    if (r->tunnel != NULL) {
        r->places[conf->ntunnels - 1].line = line;
    }
}


static int
enter_or_leave(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    struct inlets_conf_place  *place;

    if (!v->item) {
        r->in_list = true;
        return 0;
    }

    if (v->event == INLETS_CONFIG_ENTER) {
        enter(r, v->line);

        return r->tunnel == NULL && r->conf->ntunnels < INLETS_TUNNELS_MAX
               ? -1 : 0;
    }

    if (r->tunnel == NULL) {
        return 0;
    }

    place = &r->places[r->conf->ntunnels - 1];
    place->name = r->line[INLETS_KEY_NAME];
    place->sub_domain = r->line[INLETS_KEY_SUB_DOMAIN];
    place->port = r->line[INLETS_KEY_PORT];

    check_type(r);
    check_local(r);
    check_access(r, v->line);
    check_twice(r);

    return 0;
}


/* An item with a fault has another in its place: the list is not empty. */

static int
set_access(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_access_conf  *access = &r->tunnel->access;
    struct inlets_cidr          cidr;
    char                        secret[AUTH_FILE_MAX];
    const char                 *why, *text = v->text;
    int                         rc;

    switch (v->key->id) {

    case INLETS_KEY_BASIC_AUTH:
        r->secrets = true;
        why = inlets_value_pair_fault(v->text, v->len);

        if (why != NULL) {
            inlets_config_error(r->config, v->line, NULL, "%s", why);
        }

        return inlets_value_append(&access->basic, why == NULL ? text : "x:x");

    case INLETS_KEY_BASIC_AUTH_FILE:
        if (!inlets_conf_secret(r, v, "basic auth file", true, secret,
                                sizeof(secret)))
        {
            return 0;
        }

        rc = inlets_value_append(&access->basic, secret);
        OPENSSL_cleanse(secret, sizeof(secret));

        return rc;

    case INLETS_KEY_PASS_AUTH:
        access->pass_auth = v->number != 0;
        return 0;
    }

    if (inlets_cidr_parse(v->text, v->len, &cidr) != INLETS_OK) {
        inlets_config_error(r->config, v->line, NULL, "expected an address or "
                            "a range such as 10.0.0.0/8, found \"%s\"",
                            v->text);
        text = "::";
    }

    return inlets_value_append(v->key->id == INLETS_KEY_ALLOW_IP
                               ? &access->allow : &access->deny, text);
}


static int
set_auth_file(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    char  secret[INLETS_PAIR_MAX + 3];      /* with "\r\n" and its end */
    char  why[INLETS_WHY_MAX];
    int   rc;

    if (!inlets_conf_secret(r, v, "upstream auth file", false, secret,
                            sizeof(secret)))
    {
        return 0;
    }

    rc = inlets_value_pair(&r->tunnel->local.auth, secret, why);
    OPENSSL_cleanse(secret, sizeof(secret));

    return inlets_conf_told(r, v, rc, why);
}


static int
set_local(struct inlets_conf_reader *r, const struct inlets_config_value *v)
{
    struct inlets_local_conf  *local = &r->tunnel->local;
    char                       why[INLETS_WHY_MAX] = "";
    int                        rc = INLETS_OK;

    switch (v->key->id) {

    case INLETS_KEY_UPSTREAM_INSECURE:
        local->insecure = v->number != 0;
        break;

    case INLETS_KEY_UPSTREAM_CA_FILE:
        return inlets_conf_ca(r, &local->ca_file, v);

    case INLETS_KEY_HOST_HEADER:
        rc = inlets_value_host(&local->host_header, v->text, why);
        break;

    case INLETS_KEY_UPSTREAM_AUTH:
        r->secrets = true;
        rc = inlets_value_pair(&local->auth, v->text, why);
        break;

    case INLETS_KEY_UPSTREAM_AUTH_FILE:
        return set_auth_file(r, v);

    case INLETS_KEY_PROXY_PROTOCOL:
        local->proxy_protocol = (enum inlets_proxy_protocol) v->number;
        break;

    case INLETS_KEY_CONNECT_TIMEOUT:
        rc = inlets_value_time(&local->connect_timeout, v->text, 1, why);
        break;

    case INLETS_KEY_IDLE_TIMEOUT:
        rc = inlets_value_time(&local->idle_timeout, v->text, 0, why);
        break;
    }

    return inlets_conf_told(r, v, rc, why);
}


int
inlets_conf_tunnel_set(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    struct inlets_tunnel_conf  *tunnel = r->tunnel;
    char                        why[INLETS_WHY_MAX] = "";
    int                         rc = INLETS_OK;

    if (v->key->id == INLETS_KEY_TUNNELS) {
        return enter_or_leave(r, v);
    }

    if (tunnel == NULL || v->event != INLETS_CONFIG_VALUE) {
        return 0;
    }

    switch (v->key->id) {

    case INLETS_KEY_NAME:
        if (*v->text == '-') {
            inlets_config_error(r->config, v->line, NULL, "can't start with "
                                "'-', as flags do");
        }

        rc = inlets_value_name(&tunnel->name, v->text, why);
        break;

    case INLETS_KEY_TYPE:
        tunnel->tcp = v->number != 0;
        break;

    case INLETS_KEY_UPSTREAM:
        rc = inlets_value_upstream(&tunnel->local.url, v->text, why);
        break;

    case INLETS_KEY_SUB_DOMAIN:
        rc = inlets_value_label(&tunnel->sub_domain, v->text, why);
        break;

    case INLETS_KEY_PORT:
        tunnel->port = (uint32_t) v->number;
        break;

    default:
        return v->key->id <= INLETS_KEY_PASS_AUTH ? set_access(r, v)
                                                  : set_local(r, v);
    }

    return inlets_conf_told(r, v, rc, why);
}


/* The only tunnel, made with the first of its keys. */

static int
begin_one(struct inlets_conf_reader *r, unsigned line)
{
    if (r->one) {
        return 0;
    }

    r->one = true;

    if (r->conf->ntunnels == 0) {
        enter(r, line);

        return r->tunnel == NULL ? -1 : 0;
    }

    return 0;
}


int
inlets_conf_one_set(struct inlets_conf_reader *r,
    const struct inlets_config_value *v)
{
    struct inlets_tunnel_conf  *tunnel;
    char                        why[INLETS_WHY_MAX] = "";
    int                         rc = INLETS_OK;

    if (begin_one(r, v->line) != 0) {
        return -1;
    }

    if (v->event != INLETS_CONFIG_VALUE) {
        return 0;
    }

    tunnel = &r->conf->tunnels[0];

    switch (v->key->id) {

    case INLETS_KEY_ONE_TYPE:
        tunnel->tcp = v->number != 0;
        break;

    case INLETS_KEY_ONE_UPSTREAM:
        rc = inlets_value_upstream(&tunnel->local.url, v->text, why);
        break;

    case INLETS_KEY_ONE_PORT:
    case INLETS_KEY_ONE_TCP_PORT:
        tunnel->port = (uint32_t) v->number;
        break;

    case INLETS_KEY_ONE_SUB_DOMAIN:
        rc = inlets_value_label(&tunnel->sub_domain, v->text, why);
        break;

    case INLETS_KEY_ONE_USERNAME:
        if (strchr(v->text, ':') != NULL) {
            inlets_config_error(r->config, v->line, NULL, "can't have a "
                                "colon");
            break;
        }

        return inlets_conf_set(&r->username, v->text);

    case INLETS_KEY_ONE_PASSWORD:
        return inlets_conf_set(&r->password, v->text);
    }

    return inlets_conf_told(r, v, rc, why);
}


static int
make_auth(struct inlets_conf_reader *r)
{
    char  pair[2 * INLETS_PAIR_MAX];
    char  why[INLETS_WHY_MAX];
    int   rc;

    if (r->username == NULL && r->password == NULL) {
        return 0;
    }

    if (r->username == NULL || r->password == NULL) {
        inlets_config_error(r->config, r->line[INLETS_KEY_ONE_AUTH],
                            "http.auth", "username and password belong "
                            "together");
        return 0;
    }

    snprintf(pair, sizeof(pair), "%s:%s", r->username, r->password);
    rc = inlets_value_pair(&r->conf->tunnels[0].local.auth, pair, why);
    OPENSSL_cleanse(pair, sizeof(pair));

    if (rc == INLETS_E_INVALID) {
        inlets_config_error(r->config, r->line[INLETS_KEY_ONE_AUTH],
                            "http.auth", "%s", why);
        return 0;
    }

    return rc;
}


/* A file may have the settings of both types, one of which is chosen. */

int
inlets_conf_one_check(struct inlets_conf_reader *r)
{
    struct inlets_tunnel_conf  *tunnel;
    const unsigned             *line = r->line;

    if (!r->one) {
        return 0;
    }

    if (r->in_list) {
        inlets_config_error(r->config, line[INLETS_KEY_TUNNELS], "tunnels",
                            "does not go with type, upstream, port, http and "
                            "tcp outside of it, the form with one tunnel");
        return 0;
    }

    if (line[INLETS_KEY_ONE_TYPE] == 0) {
        inlets_config_error(r->config, 0, "type", "is missing, expected http "
                            "or tcp");
    }

    if (line[INLETS_KEY_ONE_UPSTREAM] == 0) {
        inlets_config_error(r->config, 0, "upstream", "is missing, expected a "
                            "port, host:port or a URL");
    }

    tunnel = &r->conf->tunnels[0];

    if (tunnel->tcp && line[INLETS_KEY_ONE_PORT] != 0
        && line[INLETS_KEY_ONE_TCP_PORT] != 0)
    {
        inlets_config_error(r->config, line[INLETS_KEY_ONE_TCP_PORT],
                            "tcp.port", "is given in two ways");
    }

    if (make_auth(r) != 0) {
        return -1;
    }

    if (tunnel->tcp) {
        (void) inlets_conf_set(&tunnel->sub_domain, NULL);
        (void) inlets_conf_set(&tunnel->local.auth, NULL);

    } else {
        tunnel->port = 0;
    }

    return 0;
}
