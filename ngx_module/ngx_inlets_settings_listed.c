
/*
 * Copyright (C) inlets for nginx contributors
 */


/* The tunnels that the settings list for a client. */


#include "ngx_inlets_settings_values.h"
#include "inlets_error.h"
#include "inlets_name.h"
#include "inlets_url.h"

#include <cjson/cJSON.h>


#define NGX_INLETS_LISTED_MAX   1000
#define NGX_INLETS_LISTED_LIST  (192 * 1024)    /* of a client, as JSON */


typedef int (*ngx_inlets_listed_cmp_pt)(const void *one, const void *two);


/* The entries found that fit a tunnel. */

typedef struct {
    ngx_inlets_listed_t         *label;       /* by its label */
    ngx_inlets_listed_t         *port;        /* by the service's port */
    ngx_inlets_listed_t         *guarded;     /* by having users */
    ngx_uint_t                   nguarded;
} ngx_inlets_fit_t;


static ngx_int_t ngx_inlets_settings_listed_enter(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_listed_item(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_listed_upstream(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_listed_label(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_listed_host(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static void ngx_inlets_settings_listed_entry_check(
    ngx_inlets_settings_ctx_t *ctx);
static void ngx_inlets_settings_listed_allowed(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity);
static void ngx_inlets_settings_listed_twice(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity, ngx_inlets_listed_t **sorted,
    ngx_inlets_listed_cmp_pt cmp, const char *key);
static void ngx_inlets_settings_listed_fault(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity, ngx_inlets_listed_t *tunnel,
    const char *key, const char *text, ngx_uint_t line);
static int ngx_inlets_listed_cmp_name(const void *one, const void *two);
static int ngx_inlets_listed_cmp_label(const void *one, const void *two);
static int ngx_inlets_listed_cmp_port(const void *one, const void *two);
static int ngx_inlets_listed_cmp(ngx_str_t *a, ngx_str_t *b);

static ngx_int_t ngx_inlets_settings_listed_json(
    ngx_inlets_settings_ctx_t *ctx, ngx_inlets_identity_t *identity);
static ngx_uint_t ngx_inlets_settings_listed_tell(cJSON *list,
    ngx_inlets_listed_t *tunnel);

static void ngx_inlets_settings_listed_fit(ngx_inlets_identity_t *identity,
    ngx_str_t *label, ngx_uint_t port, ngx_inlets_fit_t *fit);


ngx_int_t
ngx_inlets_settings_listed_set(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_inlets_listed_t  *tunnel;

    if (v->event != INLETS_CONFIG_VALUE) {
        return ngx_inlets_settings_listed_enter(ctx, v);
    }

    tunnel = ctx->listed.tunnel;

    switch (v->key->id) {

    case NGX_INLETS_KEY_LISTED_NAME:

        if (v->text[0] == '-') {
            inlets_config_error(&ctx->config, v->line, NULL,
                                "expected a name that does not start with "
                                "'-', as flags do");
        }

        return ngx_inlets_settings_copy(ctx, v, &tunnel->name);

    case NGX_INLETS_KEY_LISTED_TYPE:
        ctx->listed.typed = 1;
        tunnel->tcp = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_UPSTREAM:
        return ngx_inlets_settings_listed_upstream(ctx, v);

    case NGX_INLETS_KEY_LISTED_SUB_DOMAIN:
        return ngx_inlets_settings_listed_label(ctx, v);

    case NGX_INLETS_KEY_LISTED_PORT:
        ctx->listed.port = v->line;
        tunnel->port = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_ENABLE:
        ctx->listed.disabled = !v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_HOST_HEADER:
        return ngx_inlets_settings_listed_host(ctx, v);

    case NGX_INLETS_KEY_LISTED_PROXY_PROTOCOL:
        tunnel->proxy_protocol = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_CONNECT_TIMEOUT:
        tunnel->connect_timeout = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_IDLE_TIMEOUT:
        tunnel->idle_timeout = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_INSECURE:
        tunnel->insecure = v->number;
        return NGX_OK;

    default:
        return ngx_inlets_settings_user(ctx, v);
    }
}


static ngx_int_t
ngx_inlets_settings_listed_enter(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_uint_t  enter;

    enter = (v->event == INLETS_CONFIG_ENTER);

    switch (v->key->id) {

    case NGX_INLETS_KEY_LISTED:

        if (v->item) {
            return ngx_inlets_settings_listed_item(ctx, v);
        }

        if (enter) {
            ctx->client->tunnels = ngx_array_create(ctx->load->pool, 4,
                                                 sizeof(ngx_inlets_listed_t));

            return ctx->client->tunnels ? NGX_OK : NGX_ERROR;
        }

        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_AUTH:
        ctx->listed.auth = v->line;
        return NGX_OK;

    case NGX_INLETS_KEY_LISTED_AUTHS:

        if (enter && !v->item) {
            ctx->listed.auths = v->line;
            ngx_inlets_settings_warn(ctx, v, "is an older name of auth.users");
        }

        return ngx_inlets_settings_users(ctx, v);

    case NGX_INLETS_KEY_LISTED_USERS:
        return ngx_inlets_settings_users(ctx, v);

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_inlets_settings_listed_item(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_inlets_listed_t  *tunnel;

    if (v->event == INLETS_CONFIG_LEAVE) {
        ngx_inlets_settings_listed_entry_check(ctx);
        return NGX_OK;
    }

    tunnel = ngx_array_push(ctx->client->tunnels);
    if (tunnel == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(tunnel, sizeof(ngx_inlets_listed_t));
    ngx_memzero(&ctx->listed, sizeof(ngx_inlets_settings_listed_t));

    tunnel->line = v->line;
    tunnel->connect_timeout = NGX_CONF_UNSET_MSEC;
    tunnel->idle_timeout = NGX_CONF_UNSET_MSEC;

    ctx->listed.tunnel = tunnel;

    return NGX_OK;
}


/* What it is the address of is the client's affair. */

static ngx_int_t
ngx_inlets_settings_listed_upstream(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    int                   rc;
    char                  shown[64];
    struct inlets_url     url;
    ngx_inlets_listed_t  *tunnel;

    tunnel = ctx->listed.tunnel;

    rc = inlets_url_upstream(v->text, &url);

    if (rc != INLETS_OK) {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a port, host:port or URL, found \"%s\": "
                            "%s", inlets_config_show(v->text, v->len, shown,
                                                     sizeof(shown)),
                            inlets_strerror(rc));
        return NGX_OK;
    }

    tunnel->upstream_port = url.port;

    return ngx_inlets_settings_copy(ctx, v, &tunnel->upstream);
}


static ngx_int_t
ngx_inlets_settings_listed_label(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    int                   rc;
    char                  label[INLETS_LABEL_MAX + 1], shown[64];
    ngx_inlets_listed_t  *tunnel;

    if (v->len == 0) {
        return NGX_OK;
    }

    tunnel = ctx->listed.tunnel;
    ctx->listed.label = v->line;

    rc = inlets_label_normalize(v->text, v->len, label);

    if (rc != INLETS_OK) {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a name such as app, found \"%s\": %s",
                            inlets_config_show(v->text, v->len, shown,
                                               sizeof(shown)),
                            inlets_strerror(rc));
        return NGX_OK;
    }

    if (ngx_inlets_settings_copy(ctx, v, &tunnel->label) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(tunnel->label.data, label, v->len);

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_settings_listed_host(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    char    host[INLETS_URL_AUTHORITY], shown[64];
    size_t  len;

    ctx->listed.host_header = v->line;

    if (inlets_host_normalize(v->text, v->len, host, sizeof(host), &len)
        != INLETS_OK)
    {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a host such as localhost:3000, found "
                            "\"%s\"", inlets_config_show(v->text, v->len,
                                                         shown,
                                                         sizeof(shown)));
        return NGX_OK;
    }

    return ngx_inlets_settings_copy(ctx, v,
                                    &ctx->listed.tunnel->host_header);
}


/* What concerns more than one key of an entry. */

static void
ngx_inlets_settings_listed_entry_check(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_inlets_listed_t           *tunnel;
    struct inlets_config          *config;
    ngx_inlets_settings_listed_t  *listed;

    config = &ctx->config;
    listed = &ctx->listed;
    tunnel = listed->tunnel;

    ngx_inlets_settings_users_check(ctx);

    if (!listed->typed) {
        return;
    }

    if (!tunnel->tcp) {

        if (tunnel->port) {
            inlets_config_error(config, listed->port, "remotePort",
                                "is only for tcp tunnels");
        }

        return;
    }

    if (listed->label) {
        inlets_config_error(config, listed->label, "subDomain",
                            "is only for http tunnels");
    }

    if (listed->host_header) {
        inlets_config_error(config, listed->host_header, "hostHeader",
                            "is only for http tunnels");
    }

    if (tunnel->users) {
        inlets_config_error(config, listed->auth ? listed->auth : listed->auths,
                            listed->auth ? "auth" : "auths",
                            "is only for http tunnels");
    }
}


ngx_int_t
ngx_inlets_settings_listed_check(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity)
{
    ngx_uint_t             i;
    ngx_array_t           *tunnels;
    ngx_inlets_listed_t   *tunnel, **sorted;

    tunnels = identity->tunnels;

    if (tunnels == NULL || tunnels->nelts == 0) {
        return NGX_OK;
    }

    if (tunnels->nelts > NGX_INLETS_LISTED_MAX) {
        inlets_config_error(&ctx->config, identity->line, "tunnels",
                            "expected at most %d tunnels, found %lu",
                            NGX_INLETS_LISTED_MAX,
                            (unsigned long) tunnels->nelts);
        return NGX_OK;
    }

    sorted = ngx_palloc(ctx->load->pool,
                        tunnels->nelts * sizeof(ngx_inlets_listed_t *));
    if (sorted == NULL) {
        return NGX_ERROR;
    }

    tunnel = tunnels->elts;

    for (i = 0; i < tunnels->nelts; i++) {
        sorted[i] = &tunnel[i];

        if (!tunnel[i].tcp && tunnel[i].users) {
            ctx->settings->nguarded++;
        }
    }

    ngx_inlets_settings_listed_twice(ctx, identity, sorted,
                                     ngx_inlets_listed_cmp_name, "name");
    ngx_inlets_settings_listed_twice(ctx, identity, sorted,
                                     ngx_inlets_listed_cmp_label,
                                     "subDomain");
    ngx_inlets_settings_listed_twice(ctx, identity, sorted,
                                     ngx_inlets_listed_cmp_port,
                                     "remotePort");

    ngx_inlets_settings_listed_allowed(ctx, identity);

    return ngx_inlets_settings_listed_json(ctx, identity);
}


static void
ngx_inlets_settings_listed_allowed(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity)
{
    ngx_uint_t            i;
    ngx_inlets_listed_t  *tunnel;

    tunnel = identity->tunnels->elts;

    for (i = 0; i < identity->tunnels->nelts; i++) {

        if (tunnel[i].label.len
            && !ngx_inlets_settings_name(identity, &tunnel[i].label))
        {
            ngx_inlets_settings_listed_fault(ctx, identity, &tunnel[i],
                                             "subDomain",
                                             "is not one of allow.subDomains",
                                             0);
        }

        if (tunnel[i].port
            && !ngx_inlets_settings_port(identity, tunnel[i].port))
        {
            ngx_inlets_settings_listed_fault(ctx, identity, &tunnel[i],
                                             "remotePort",
                                             "is not one of allow.ports", 0);
        }
    }
}


/* Of equal ones all but the first, which differ in their lines. */

static void
ngx_inlets_settings_listed_twice(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity, ngx_inlets_listed_t **sorted,
    ngx_inlets_listed_cmp_pt cmp, const char *key)
{
    ngx_uint_t  i, n;

    n = identity->tunnels->nelts;

    ngx_qsort(sorted, n, sizeof(ngx_inlets_listed_t *), cmp);

    for (i = 1; i < n; i++) {
        if (cmp(&sorted[i - 1], &sorted[i]) == 0) {
            ngx_inlets_settings_listed_fault(ctx, identity,
                ngx_max(sorted[i - 1], sorted[i]), key,
                "is duplicate, the other is in line",
                ngx_min(sorted[i - 1], sorted[i])->line);
        }
    }
}


static void
ngx_inlets_settings_listed_fault(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity, ngx_inlets_listed_t *tunnel,
    const char *key, const char *text, ngx_uint_t line)
{
    char  path[64];

    (void) snprintf(path, sizeof(path), "tunnels[%u].%s",
                    (unsigned) (tunnel - (ngx_inlets_listed_t *)
                                         identity->tunnels->elts),
                    key);

    if (line) {
        inlets_config_error(&ctx->config, tunnel->line, path, "%s %lu", text,
                            (unsigned long) line);

    } else {
        inlets_config_error(&ctx->config, tunnel->line, path, "%s", text);
    }
}


/* Those without the key are all different. */

static int
ngx_inlets_listed_cmp_name(const void *one, const void *two)
{
    ngx_inlets_listed_t *const *a = one;
    ngx_inlets_listed_t *const *b = two;

    return ngx_inlets_listed_cmp(&(*a)->name, &(*b)->name);
}


static int
ngx_inlets_listed_cmp_label(const void *one, const void *two)
{
    ngx_inlets_listed_t *const *a = one;
    ngx_inlets_listed_t *const *b = two;

    return ngx_inlets_listed_cmp(&(*a)->label, &(*b)->label);
}


static int
ngx_inlets_listed_cmp_port(const void *one, const void *two)
{
    ngx_inlets_listed_t *const *a = one;
    ngx_inlets_listed_t *const *b = two;

    if ((*a)->port != (*b)->port) {
        return (*a)->port < (*b)->port ? -1 : 1;
    }

    return ((*a)->port || *a == *b) ? 0 : (*a < *b) ? -1 : 1;
}


static int
ngx_inlets_listed_cmp(ngx_str_t *a, ngx_str_t *b)
{
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    if (a->len == 0) {
        return (a == b) ? 0 : (a < b) ? -1 : 1;
    }

    return ngx_memcmp(a->data, b->data, a->len);
}


/* What the client is told: nothing of who gets in. */

static ngx_int_t
ngx_inlets_settings_listed_json(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *identity)
{
    char                 *text;
    cJSON                *list;
    ngx_str_t             copy;
    ngx_uint_t            i;
    ngx_inlets_listed_t  *tunnel;

    text = NULL;
    list = cJSON_CreateArray();

    tunnel = identity->tunnels->elts;

    for (i = 0; i < identity->tunnels->nelts; i++) {
        if (!ngx_inlets_settings_listed_tell(list, &tunnel[i])) {
            goto failed;
        }
    }

    text = cJSON_PrintUnformatted(list);
    if (text == NULL) {
        goto failed;
    }

    cJSON_Delete(list);

    copy.len = ngx_strlen(text);
    copy.data = (u_char *) text;

    if (copy.len > NGX_INLETS_LISTED_LIST) {
        inlets_config_error(&ctx->config, identity->line, "tunnels",
                            "is too long, expected at most %d bytes of JSON "
                            "to send, found %lu", NGX_INLETS_LISTED_LIST,
                            (unsigned long) copy.len);
        cJSON_free(text);

        return NGX_OK;
    }

    identity->list.data = ngx_pnalloc(ctx->load->pool, copy.len + 1);

    if (identity->list.data) {
        ngx_memcpy(identity->list.data, copy.data, copy.len + 1);
        identity->list.len = copy.len;
    }

    cJSON_free(text);

    return identity->list.data ? NGX_OK : NGX_ERROR;

failed:

    cJSON_Delete(list);

    return NGX_ERROR;
}


/* 0: no memory. */

static ngx_uint_t
ngx_inlets_settings_listed_tell(cJSON *list, ngx_inlets_listed_t *tunnel)
{
    cJSON       *json;
    ngx_uint_t   ok;

    json = cJSON_CreateObject();

    if (!cJSON_AddItemToArray(list, json)) {
        cJSON_Delete(json);
        return 0;
    }

    ok = cJSON_AddStringToObject(json, "name", tunnel->name.len
                                 ? (char *) tunnel->name.data : "")
         && cJSON_AddStringToObject(json, "type", tunnel->tcp ? "tcp" : "http")
         && cJSON_AddStringToObject(json, "upstream", tunnel->upstream.len
                                    ? (char *) tunnel->upstream.data : "");

    if (tunnel->label.len) {
        ok = ok && cJSON_AddStringToObject(json, "subDomain",
                                           (char *) tunnel->label.data);
    }

    if (tunnel->port) {
        ok = ok && cJSON_AddNumberToObject(json, "remotePort", tunnel->port);
    }

    if (tunnel->host_header.len) {
        ok = ok && cJSON_AddStringToObject(json, "hostHeader",
                                           (char *) tunnel->host_header.data);
    }

    if (tunnel->proxy_protocol) {
        ok = ok && cJSON_AddStringToObject(json, "proxyProtocol",
                                    tunnel->proxy_protocol == 1 ? "v1" : "v2");
    }

    if (tunnel->connect_timeout != NGX_CONF_UNSET_MSEC) {
        ok = ok && cJSON_AddNumberToObject(json, "connectTimeout",
                                           tunnel->connect_timeout);
    }

    if (tunnel->idle_timeout != NGX_CONF_UNSET_MSEC) {
        ok = ok && cJSON_AddNumberToObject(json, "idleTimeout",
                                           tunnel->idle_timeout);
    }

    if (tunnel->insecure) {
        ok = ok && cJSON_AddBoolToObject(json, "upstreamInsecure", 1);
    }

    return ok;
}


/* Of several entries that fit equally well one with users. */

ngx_inlets_listed_t *
ngx_inlets_settings_listed(ngx_inlets_settings_t *s,
    ngx_inlets_identity_t *identity, ngx_str_t *label, ngx_uint_t port)
{
    ngx_uint_t               i, n;
    ngx_inlets_fit_t         fit;
    ngx_inlets_identity_t  **client;

    ngx_memzero(&fit, sizeof(ngx_inlets_fit_t));

    client = identity ? &identity : s->clients->elts;
    n = identity ? 1 : s->clients->nelts;

    for (i = 0; i < n; i++) {
        ngx_inlets_settings_listed_fit(client[i], label, port, &fit);
    }

    if (fit.label) {
        return fit.label;
    }

    if (fit.port) {
        return fit.port;
    }

    return (fit.nguarded == 1) ? fit.guarded : NULL;
}


static void
ngx_inlets_settings_listed_fit(ngx_inlets_identity_t *identity,
    ngx_str_t *label, ngx_uint_t port, ngx_inlets_fit_t *fit)
{
    ngx_uint_t             i;
    ngx_inlets_listed_t   *tunnel, **place;

    if (identity->tunnels == NULL || identity->disabled) {
        return;
    }

    tunnel = identity->tunnels->elts;

    for (i = 0; i < identity->tunnels->nelts; i++, tunnel++) {

        if (tunnel->tcp) {
            continue;
        }

        if (tunnel->users) {
            fit->guarded = tunnel;
            fit->nguarded++;
        }

        if (tunnel->label.len) {
            place = (ngx_inlets_listed_cmp(&tunnel->label, label) == 0)
                    ? &fit->label : NULL;

        } else {
            place = (port && tunnel->upstream_port == port) ? &fit->port
                                                            : NULL;
        }

        if (place && (*place == NULL || (*place)->users == NULL)) {
            *place = tunnel;
        }
    }
}
