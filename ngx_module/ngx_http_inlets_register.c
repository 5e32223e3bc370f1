
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor_impl.h"
#include "ngx_inlets_key.h"


#define NGX_HTTP_INLETS_TRIES         16       /* random names */
#define NGX_HTTP_INLETS_ANONYMOUS     "anonymous-"

#define NGX_HTTP_INLETS_WARN_GUARDED                                          \
    "Visitors log in as the server's settings say, not with the client's own "\
    "user names and passwords."


static ngx_int_t ngx_http_inlets_register_identity(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_register_claim_host(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_register_resume(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim);
static ngx_int_t ngx_http_inlets_register_allowed(
    ngx_http_inlets_monitor_t *monitor, ngx_inlets_claim_t *claim,
    u_char *label, size_t len, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_register_label(
    ngx_http_inlets_login_t *login, ngx_inlets_identity_t *identity,
    ngx_uint_t tries, char *label, ngx_http_inlets_text_t *fault);
static void ngx_http_inlets_register_fault(ngx_inlets_claim_t *claim,
    ngx_int_t rc, ngx_http_inlets_text_t *fault);
static void ngx_http_inlets_register_limits(
    ngx_http_inlets_monitor_t *monitor, ngx_inlets_claim_t *claim);
static ngx_int_t ngx_http_inlets_register_claim_port(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_register_keep(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim);
static ngx_int_t ngx_http_inlets_register_keep_rules(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static void ngx_http_inlets_register_log(ngx_http_inlets_monitor_t *monitor);

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
    ngx_inlets_claim_t      claim;
    ngx_http_inlets_text_t  fault;

    ngx_memzero(&claim, sizeof(ngx_inlets_claim_t));

    claim.type = monitor->type;
    claim.id = monitor->id;
    claim.resume = login->resumes ? &login->resume : NULL;
    claim.max_links = monitor->conf->max_links;
    claim.keyed = login->keyed;
    claim.rules = &login->rules;
    claim.no_reuse = login->no_reuse;

    rc = ngx_http_inlets_register_identity(monitor, login, &claim, pool);

    if (rc == NGX_DECLINED) {
        ngx_http_inlets_monitor_refuse(monitor, "invalid clientId");
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    ngx_http_inlets_register_limits(monitor, &claim);

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

    if (monitor->coordinator) {
        rc = NGX_OK;

    } else if (monitor->type == NGX_INLETS_HTTP) {
        rc = ngx_http_inlets_register_claim_host(monitor, login, &claim,
                                                 &fault);
    } else {
        rc = ngx_http_inlets_register_claim_port(monitor, login, &claim,
                                                 &fault);
    }

    if (rc != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault.data);
        return;
    }

    if (ngx_http_inlets_register_keep(monitor, login, &claim) != NGX_OK) {
        ngx_inlets_registry_end(monitor->conf->connect, &monitor->id, 0);
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    ngx_http_inlets_register_log(monitor);

    if (!monitor->coordinator) {
        ngx_http_inlets_tell_online(monitor, login);
    }

    ngx_http_inlets_register_accept(monitor, login);
}


static void
ngx_http_inlets_register_log(ngx_http_inlets_monitor_t *monitor)
{
    ngx_log_t  *log;

    log = monitor->ws.connection->log;

    if (monitor->coordinator) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "inlets: coordinator %s client %V serves nothing itself",
                      monitor->peer->id, &monitor->client_id);

    } else if (monitor->type == NGX_INLETS_HTTP) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "inlets: tunnel %s client %V serves %V",
                      monitor->peer->id, &monitor->client_id, &monitor->host);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "inlets: tunnel %s client %V serves port %ui",
                      monitor->peer->id, &monitor->client_id,
                      (ngx_uint_t) monitor->tunnel_port);
    }
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
        claim->auth = (ngx_strcmp(login->auth.type.data, INLETS_AUTH_PUBLIC)
                       == 0)
                      ? NGX_INLETS_AUTH_PUBLIC : NGX_INLETS_AUTH_TOKEN;

        return NGX_OK;
    }

    client_id = &login->auth.client_id;

    if (client_id->len == 0) {
        return NGX_DECLINED;
    }

    claim->client_id = *client_id;
    claim->auth = NGX_INLETS_AUTH_CREDENTIALS;

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


/* What the entry in "clients" grants; valid until the claim is made. */

static void
ngx_http_inlets_register_limits(ngx_http_inlets_monitor_t *monitor,
    ngx_inlets_claim_t *claim)
{
    ngx_inlets_identity_t  *identity;

    monitor->auth = claim->auth;

    identity = ngx_http_inlets_policy_identity(monitor->conf, claim->auth,
                                               &claim->client_id);
    if (identity == NULL) {
        return;
    }

    monitor->listed = 1;

    claim->max_tunnels = identity->max_tunnels;
    claim->max_streams = identity->max_streams;
    claim->ports = identity->restricted_ports ? identity->ports : NULL;
}


static ngx_int_t
ngx_http_inlets_register_claim_host(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim,
    ngx_http_inlets_text_t *fault)
{
    char                    label[INLETS_LABEL_MAX + 1];
    ngx_int_t               rc, claimed;
    ngx_uint_t              tries, max;
    ngx_inlets_identity_t  *identity;

    if (monitor->domain.len == 0 || monitor->domain.data[0] == '[') {
        ngx_http_inlets_text(fault, "this edge has no domain to name tunnels "
                             "in, set inlets_domain");
        return NGX_DECLINED;
    }

    if (ngx_http_inlets_register_resume(monitor, login, claim) == NGX_OK) {
        return NGX_OK;
    }

    identity = ngx_http_inlets_policy_identity(monitor->conf, claim->auth,
                                               &claim->client_id);

    max = login->name.len ? 1 : NGX_HTTP_INLETS_TRIES;

    if (identity && identity->restricted_names && max > 1) {
        max += identity->names->nelts;
    }

    ngx_http_inlets_text(fault, INLETS_FAIL_NAME_USED);

    for (tries = 0; tries < max; tries++) {

        rc = ngx_http_inlets_register_label(login, identity, tries, label,
                                            fault);
        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }

        if (ngx_http_inlets_register_allowed(monitor, claim,
                                             (u_char *) label,
                                             ngx_strlen(label), fault)
            != NGX_OK)
        {
            return NGX_DECLINED;
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
            ngx_http_inlets_register_fault(claim, claimed, fault);
            return NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


/* Without a name: that of the session that is resumed, if it is one. */

static ngx_int_t
ngx_http_inlets_register_resume(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim)
{
    u_char                  *dot;
    ngx_http_inlets_text_t   fault;

    if (login->name.len
        || claim->resume == NULL
        || ngx_inlets_registry_claim(monitor->conf->connect, claim,
                                     monitor->ws.connection->log)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    dot = ngx_strlchr(claim->host.data, claim->host.data + claim->host.len,
                      '.');

    if (dot
        && ngx_http_inlets_register_allowed(monitor, claim, claim->host.data,
                                            dot - claim->host.data, &fault)
           == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_inlets_registry_end(monitor->conf->connect, &monitor->id, 0);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_inlets_register_allowed(ngx_http_inlets_monitor_t *monitor,
    ngx_inlets_claim_t *claim, u_char *label, size_t len,
    ngx_http_inlets_text_t *fault)
{
    ngx_http_inlets_holding_t  holding;

    ngx_memzero(&holding, sizeof(ngx_http_inlets_holding_t));

    holding.auth = claim->auth;
    holding.listed = monitor->listed;
    holding.type = claim->type;
    holding.client_id = claim->client_id;
    holding.label.data = label;
    holding.label.len = len;
    holding.port = claim->port;

    return ngx_http_inlets_policy(monitor->conf, &holding, fault->data,
                                  sizeof(fault->data));
}


/*
 * The name to try: the one asked for, or those that the client may have in
 * turn, with '*' made random, or a random one.  NGX_AGAIN: none this time.
 */

static ngx_int_t
ngx_http_inlets_register_label(ngx_http_inlets_login_t *login,
    ngx_inlets_identity_t *identity, ngx_uint_t tries, char *label,
    ngx_http_inlets_text_t *fault)
{
    int         rc;
    u_char      random[INLETS_LABEL_RANDOM], *p, *last, *star, *dst;
    char        name[INLETS_LABEL_MAX + 1], text[2 * INLETS_LABEL_MAX + 1];
    ngx_str_t  *pattern;

    if (login->name.len) {
        rc = inlets_label_normalize((char *) login->name.data,
                                    login->name.len, label);
        if (rc != INLETS_OK) {
            ngx_http_inlets_text(fault, "invalid subDomain: %s",
                                 inlets_strerror(rc));
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_http_inlets_text(fault, "internal error");
        return NGX_DECLINED;
    }

    inlets_label_random(random, name);

    if (identity == NULL || !identity->restricted_names) {
        ngx_memcpy(label, name, sizeof(name));
        return NGX_OK;
    }

    if (identity->names->nelts == 0) {
        ngx_http_inlets_text(fault, "client \"%V\" may have no subDomain",
                             &identity->id);
        return NGX_DECLINED;
    }

    pattern = identity->names->elts;
    pattern += tries % identity->names->nelts;

    last = pattern->data + pattern->len;
    star = ngx_strlchr(pattern->data, last, '*');

    if ((star == NULL && tries >= identity->names->nelts)
        || pattern->len > INLETS_LABEL_MAX)
    {
        return NGX_AGAIN;
    }

    dst = (u_char *) text;

    for (p = pattern->data; p < last; p++) {

        if (p == star) {
            dst = ngx_cpymem(dst, name, ngx_strlen(name));

        } else if (*p != '*') {
            *dst++ = *p;
        }
    }

    rc = inlets_label_normalize(text, dst - (u_char *) text, label);

    return (rc == INLETS_OK) ? NGX_OK : NGX_AGAIN;
}


static void
ngx_http_inlets_register_fault(ngx_inlets_claim_t *claim, ngx_int_t rc,
    ngx_http_inlets_text_t *fault)
{
    if (rc == NGX_ABORT) {
        ngx_http_inlets_text(fault, "client \"%V\" has as many tunnels as it "
                             "may have: %ui", &claim->client_id,
                             claim->max_tunnels);
        return;
    }

    ngx_http_inlets_text(fault, "this edge is full, try again later");
}


static ngx_int_t
ngx_http_inlets_register_claim_port(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim,
    ngx_http_inlets_text_t *fault)
{
    claim->port = (in_port_t) login->port;

    if (ngx_http_inlets_register_allowed(monitor, claim, (u_char *) "", 0,
                                         fault)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    switch (ngx_inlets_registry_claim(monitor->conf->connect, claim,
                                      monitor->ws.connection->log))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_BUSY:
        ngx_http_inlets_text(fault,
                             "port %ui " INLETS_FAIL_PORT_USED,
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

    case NGX_ABORT:
        ngx_http_inlets_register_fault(claim, NGX_ABORT, fault);
        break;

    default:
        ngx_http_inlets_register_fault(claim, NGX_ERROR, fault);
        break;
    }

    return NGX_DECLINED;
}


/* From now on the end of the monitor is the end of the tunnel. */

static ngx_int_t
ngx_http_inlets_register_keep(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_inlets_claim_t *claim)
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

    if (ngx_http_inlets_register_keep_rules(monitor, login) != NGX_OK
        || ngx_http_inlets_watch_monitor(monitor->conf, &monitor->watch)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_inlets_listed_start(monitor, login);

    monitor->tunnel_port = claim->port;
    monitor->since = claim->since;
    monitor->registered = 1;
    monitor->ws.limit = NGX_HTTP_INLETS_LIMIT_AFTER;

    inlets_uuid_format(monitor->id.data, (char *) monitor->peer->id);

    ngx_http_inlets_policy_heartbeat(monitor->conf, &monitor->interval,
                                     &monitor->timeout);

    ngx_add_timer(c->read, monitor->timeout);

    return NGX_OK;
}


/* Before the tunnel has its first link, so before it has visitors. */

static ngx_int_t
ngx_http_inlets_register_keep_rules(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    size_t  len;

    monitor->upstream_port = (in_port_t) login->upstream;

    if (login->rules.tag) {
        len = ngx_inlets_rules_size(&login->rules);

        monitor->rules = ngx_palloc(monitor->ws.connection->pool, len);
        if (monitor->rules == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(monitor->rules, &login->rules, len);
    }

    return ngx_http_inlets_listed_rules(monitor);
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

    ngx_http_inlets_monitor_config(monitor, 0);

    if (monitor->guarded && login->rules.nbasic) {
        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_WARN,
                            cJSON_CreateString(NGX_HTTP_INLETS_WARN_GUARDED));
    }

    if (monitor->type == NGX_INLETS_TCP) {
        json = cJSON_CreateObject();

        (void) ngx_http_inlets_text(&text, "%V", &monitor->domain);

        cJSON_AddStringToObject(json, "host", (char *) text.data);
        cJSON_AddNumberToObject(json, "port", monitor->tunnel_port);

        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_TCP_READY, json);
    }

    ngx_http_inlets_public_start(monitor);
}


static cJSON *
ngx_http_inlets_register_config(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    cJSON   *config, *negotiated, *features, *mux;
    double   window;
    u_char   key[NGX_INLETS_LINK_KEY + 1];

    window = monitor->conf->window;

    if (login->window > 0 && login->window < window) {
        window = ngx_max(login->window, INLETS_MUX_WINDOW);
    }

    config = cJSON_CreateObject();

    cJSON_AddStringToObject(config, "version", INLETS_PROTOCOL_V2);
    ngx_http_inlets_register_notification(monitor, login, config);
    negotiated = cJSON_AddObjectToObject(config, "negotiatedCapabilities");

    if (login->rules.tag) {
        cJSON_AddBoolToObject(config, "access", 1);
    }

    cJSON_AddNumberToObject(negotiated, "flags", INLETS_CAP_MUX);
    cJSON_AddStringToObject(negotiated, "version", INLETS_PROTOCOL_V2);
    features = cJSON_AddObjectToObject(negotiated, "features");

    mux = cJSON_AddObjectToObject(features, "mux");

    cJSON_AddNumberToObject(mux, "version", INLETS_MUX_VERSION);
    cJSON_AddNumberToObject(mux, "links",
                            ngx_http_inlets_register_links(monitor, login));
    cJSON_AddNumberToObject(mux, "window", (double) (int64_t) window);

    if (login->keyed
        && ngx_inlets_link_key(monitor->conf->connect, &monitor->id, key)
           == NGX_OK)
    {
        key[NGX_INLETS_LINK_KEY] = '\0';
        cJSON_AddStringToObject(mux, INLETS_MUX_KEY, (char *) key);
    }

    if (login->no_reuse) {
        cJSON_AddBoolToObject(mux, INLETS_MUX_REUSE, 0);
    }

    ngx_http_inlets_listed_add(monitor, config);

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
