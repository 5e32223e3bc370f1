
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor_impl.h"


#define NGX_HTTP_INLETS_TRIES         16       /* random names */
#define NGX_HTTP_INLETS_ANONYMOUS     "anonymous-"


static ngx_int_t ngx_http_inlets_register_identity(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_register_claim_host(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_register_claim_port(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_register_keep(
    ngx_http_inlets_monitor_t *monitor, ngx_inlets_claim_t *claim);

static void ngx_http_inlets_register_accept(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login);
static void ngx_http_inlets_register_notification(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    cJSON *config);
static cJSON *ngx_http_inlets_register_config(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static ngx_uint_t ngx_http_inlets_register_links(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static ngx_int_t ngx_http_inlets_register_url(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_text_t *url);


void
ngx_http_inlets_register(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool)
{
    ngx_int_t               rc;
    ngx_log_t              *log;
    ngx_inlets_claim_t      claim;
    ngx_http_inlets_text_t  fault;

    log = monitor->ws.connection->log;

    ngx_memzero(&claim, sizeof(ngx_inlets_claim_t));

    claim.type = monitor->type;
    claim.id = monitor->id;
    claim.resume = login->resumes ? &login->resume : NULL;
    claim.max_links = monitor->conf->max_links;

    rc = ngx_http_inlets_register_identity(monitor, login, &claim, pool);

    if (rc == NGX_DECLINED) {
        ngx_http_inlets_monitor_refuse(monitor, "invalid clientId");
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    if (monitor->conf->settings) {
        claim.limit = ngx_inlets_settings_limit(
                          ngx_inlets_settings_get(monitor->conf->settings),
                          &claim.client_id);
    }

    claim.host.data = ngx_pnalloc(pool, NGX_INLETS_MAX_HOST + 1);
    if (claim.host.data == NULL) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    rc = (monitor->type == NGX_INLETS_HTTP)
         ? ngx_http_inlets_register_claim_host(monitor, login, &claim, &fault)
         : ngx_http_inlets_register_claim_port(monitor, login, &claim, &fault);

    if (rc != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault.data);
        return;
    }

    if (ngx_http_inlets_register_keep(monitor, &claim) != NGX_OK) {
        ngx_inlets_registry_end(monitor->conf->connect, &monitor->id, 0);
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    if (monitor->type == NGX_INLETS_HTTP) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "inlets: tunnel %s client %V serves %V",
                      monitor->peer->id, &monitor->client_id, &monitor->host);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "inlets: tunnel %s client %V serves port %ui",
                      monitor->peer->id, &monitor->client_id,
                      (ngx_uint_t) monitor->tunnel_port);
    }

    ngx_http_inlets_register_accept(monitor, login);
}


static ngx_int_t
ngx_http_inlets_register_identity(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim,
    ngx_pool_t *pool)
{
    u_char     *p, random[4];
    ngx_str_t  *client_id;

    if (ngx_strcmp(login->auth.type.data, INLETS_AUTH_CREDENTIALS) != 0) {

        if (RAND_bytes(random, sizeof(random)) != 1) {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(pool, sizeof(NGX_HTTP_INLETS_ANONYMOUS) - 1
                              + 2 * sizeof(random));
        if (p == NULL) {
            return NGX_ERROR;
        }

        claim->client_id.data = p;
        p = ngx_cpymem(p, NGX_HTTP_INLETS_ANONYMOUS,
                       sizeof(NGX_HTTP_INLETS_ANONYMOUS) - 1);
        p = ngx_hex_dump(p, random, sizeof(random));
        claim->client_id.len = p - claim->client_id.data;

        claim->identity = login->auth.type;

        return NGX_OK;
    }

    client_id = &login->auth.client_id;

    if (client_id->len == 0) {
        return NGX_DECLINED;
    }

    claim->client_id = *client_id;

    claim->identity.len = sizeof(INLETS_AUTH_CREDENTIALS ":") - 1
                          + client_id->len;
    claim->identity.data = ngx_pnalloc(pool, claim->identity.len);
    if (claim->identity.data == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(claim->identity.data, INLETS_AUTH_CREDENTIALS ":%V",
                client_id);

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_register_claim_host(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim,
    ngx_http_inlets_text_t *fault)
{
    int          rc;
    char         label[INLETS_LABEL_MAX + 1];
    u_char       random[INLETS_LABEL_RANDOM];
    ngx_int_t    claimed;
    ngx_uint_t   tries;

    if (monitor->domain.len == 0 || monitor->domain.data[0] == '[') {
        ngx_http_inlets_text(fault, "this edge has no domain to name tunnels "
                             "in, set inlets_domain");
        return NGX_DECLINED;
    }

    if (login->name.len) {
        rc = inlets_label_normalize((char *) login->name.data,
                                    login->name.len, label);
        if (rc != INLETS_OK) {
            ngx_http_inlets_text(fault, "invalid subDomain: %s",
                                 inlets_strerror(rc));
            return NGX_DECLINED;
        }
    }

    if (login->name.len == 0 && claim->resume
        && ngx_inlets_registry_claim(monitor->conf->connect, claim,
                                     monitor->ws.connection->log)
           == NGX_OK)
    {
        return NGX_OK;
    }

    for (tries = 0; tries < NGX_HTTP_INLETS_TRIES; tries++) {

        if (login->name.len == 0) {

            if (RAND_bytes(random, sizeof(random)) != 1) {
                ngx_http_inlets_text(fault, "internal error");
                return NGX_DECLINED;
            }

            inlets_label_random(random, label);
        }

        claim->host.len = ngx_snprintf(claim->host.data,
                                       NGX_INLETS_MAX_HOST + 1, "%s.%V",
                                       label, &monitor->domain)
                          - claim->host.data;

        if (claim->host.len > NGX_INLETS_MAX_HOST) {
            ngx_http_inlets_text(fault, "invalid subDomain: host name is "
                                 "longer than %d", NGX_INLETS_MAX_HOST);
            return NGX_DECLINED;
        }

        claimed = ngx_inlets_registry_claim(monitor->conf->connect, claim,
                                            monitor->ws.connection->log);

        if (claimed == NGX_OK) {
            return NGX_OK;
        }

        if (claimed != NGX_BUSY) {
            ngx_http_inlets_text(fault, "this edge is full, try again later");
            return NGX_DECLINED;
        }

        if (login->name.len) {
            break;
        }
    }

    ngx_http_inlets_text(fault, INLETS_FAIL_NAME_USED);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_inlets_register_claim_port(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim,
    ngx_http_inlets_text_t *fault)
{
    claim->port = (in_port_t) login->port;

    switch (ngx_inlets_registry_claim(monitor->conf->connect, claim,
                                      monitor->ws.connection->log))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_BUSY:
        ngx_http_inlets_text(fault,
                             "port %ui is in use, please use another",
                             login->port);
        break;

    case NGX_DECLINED:
        if (login->port) {
            ngx_http_inlets_text(fault,
                                 "port %ui is not offered by this server",
                                 login->port);

        } else {
            ngx_http_inlets_text(fault, "no free port");
        }

        break;

    default:
        ngx_http_inlets_text(fault, "this edge is full, try again later");
        break;
    }

    return NGX_DECLINED;
}


/* From now on the end of the monitor is the end of the tunnel. */

static ngx_int_t
ngx_http_inlets_register_keep(ngx_http_inlets_monitor_t *monitor,
    ngx_inlets_claim_t *claim)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = monitor->ws.connection;
    pool = c->pool;

    monitor->client_id.len = claim->client_id.len;
    monitor->client_id.data = ngx_pstrdup(pool, &claim->client_id);

    if (monitor->client_id.data == NULL) {
        return NGX_ERROR;
    }

    if (monitor->type == NGX_INLETS_HTTP) {
        monitor->host.len = claim->host.len;
        monitor->host.data = ngx_pstrdup(pool, &claim->host);

        if (monitor->host.data == NULL) {
            return NGX_ERROR;
        }
    }

    monitor->tunnel_port = claim->port;
    monitor->registered = 1;
    monitor->ws.limit = NGX_HTTP_INLETS_LIMIT_AFTER;

    inlets_uuid_format(monitor->id.data, (char *) monitor->peer->id);

    ngx_add_timer(c->read, monitor->conf->heartbeat_timeout);

    return NGX_OK;
}


/* Keys are sorted, as the reference does. */

static void
ngx_http_inlets_register_accept(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    cJSON                   *json;
    ngx_http_inlets_text_t   text;

    json = cJSON_CreateObject();

    (void) ngx_http_inlets_text(&text, "%V", &monitor->client_id);

    cJSON_AddStringToObject(json, "clientId", (char *) text.data);
    cJSON_AddItemToObject(json, "config",
                          ngx_http_inlets_register_config(monitor, login));
    cJSON_AddStringToObject(json, "containerId", (char *) monitor->peer->id);
    cJSON_AddBoolToObject(json, "ok", 1);

    if (monitor->type == NGX_INLETS_HTTP
        && ngx_http_inlets_register_url(monitor, &text) == NGX_OK)
    {
        cJSON_AddStringToObject(json, "url", (char *) text.data);
    }

    cJSON_AddStringToObject(json, "version", INLETS_PROTOCOL_V2);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_AUTHENTICATE, json);

    json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "pingInterval",
                            monitor->conf->heartbeat_interval);
    cJSON_AddNumberToObject(json, "pingTimeout", INLETS_PING_TIMEOUT);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_CONFIG, json);

    if (monitor->type == NGX_INLETS_TCP) {
        json = cJSON_CreateObject();

        (void) ngx_http_inlets_text(&text, "%V", &monitor->domain);

        cJSON_AddStringToObject(json, "host", (char *) text.data);
        cJSON_AddNumberToObject(json, "port", monitor->tunnel_port);

        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_TCP_READY, json);
    }
}


static cJSON *
ngx_http_inlets_register_config(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    cJSON   *config, *negotiated, *features, *mux;
    double   window;

    window = monitor->conf->window;

    if (login->window > 0 && login->window < window) {
        window = ngx_max(login->window, INLETS_MUX_WINDOW);
    }

    config = cJSON_CreateObject();

    cJSON_AddStringToObject(config, "version", INLETS_PROTOCOL_V2);
    ngx_http_inlets_register_notification(monitor, login, config);
    negotiated = cJSON_AddObjectToObject(config, "negotiatedCapabilities");

    cJSON_AddNumberToObject(negotiated, "flags", INLETS_CAP_MUX);
    cJSON_AddStringToObject(negotiated, "version", INLETS_PROTOCOL_V2);
    features = cJSON_AddObjectToObject(negotiated, "features");

    mux = cJSON_AddObjectToObject(features, "mux");

    cJSON_AddNumberToObject(mux, "version", INLETS_MUX_VERSION);
    cJSON_AddNumberToObject(mux, "links",
                            ngx_http_inlets_register_links(monitor, login));
    cJSON_AddNumberToObject(mux, "window", (double) (int64_t) window);

    return config;
}


/* Of the client's entry in the settings file, for its own use. */

static void
ngx_http_inlets_register_notification(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, cJSON *config)
{
    cJSON                  *json;
    ngx_inlets_settings_t  *settings;
    ngx_inlets_identity_t  *identity;

    if (monitor->conf->settings == NULL
        || ngx_strcmp(login->auth.type.data, INLETS_AUTH_CREDENTIALS) != 0)
    {
        return;
    }

    settings = ngx_inlets_settings_get(monitor->conf->settings);
    identity = ngx_inlets_settings_identity(settings, &login->auth.client_id);

    if (identity == NULL || identity->config.len == 0) {
        return;
    }

    json = cJSON_Parse((char *) identity->config.data);

    cJSON_AddItemToObject(config, "notification",
                          cJSON_DetachItemFromObjectCaseSensitive(json,
                                                        "notification"));
    cJSON_Delete(json);
}


/*
 * With several workers two links let two of them share the work, and the
 * tunnel outlives the loss of either; one worker gathers more into each
 * write when there is one link.
 */

static ngx_uint_t
ngx_http_inlets_register_links(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    ngx_uint_t        links;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    links = ccf->worker_processes > 1 ? 2 : 1;

    if (login->links >= 1) {
        links = (ngx_uint_t) ngx_min(login->links, NGX_INLETS_MAX_LINKS);
    }

    return ngx_min(links, monitor->conf->max_links);
}


/* In inlets_url the first "*" stands for the tunnel's host name. */

static ngx_int_t
ngx_http_inlets_register_url(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_text_t *url)
{
    u_char      *p;
    ngx_str_t    head, tail;
    ngx_uint_t   port;

    if (monitor->url.len) {
        head = monitor->url;

        p = ngx_strlchr(head.data, head.data + head.len, '*');
        if (p == NULL) {
            return ngx_http_inlets_text(url, "%V", &head);
        }

        tail.data = p + 1;
        tail.len = head.data + head.len - tail.data;
        head.len = p - head.data;

        return ngx_http_inlets_text(url, "%V%V%V", &head, &monitor->host,
                                    &tail);
    }

    port = monitor->port;

    if (port == 0 || port == (monitor->secure ? 443 : 80)) {
        return ngx_http_inlets_text(url, "http%s://%V",
                                    monitor->secure ? "s" : "",
                                    &monitor->host);
    }

    return ngx_http_inlets_text(url, "http%s://%V:%ui",
                                monitor->secure ? "s" : "",
                                &monitor->host, port);
}
