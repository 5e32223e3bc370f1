
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor.h"
#include "ngx_http_inlets_ws.h"
#include "inlets_name.h"
#include "inlets_protocol.h"

#include <cjson/cJSON.h>
#include <openssl/rand.h>


#define NGX_HTTP_INLETS_LIMIT_BEFORE  16384    /* of a message, before login */
#define NGX_HTTP_INLETS_LIMIT_AFTER   65536
#define NGX_HTTP_INLETS_TRIES         16       /* random names */
#define NGX_HTTP_INLETS_ANONYMOUS     "anonymous-"
#define NGX_HTTP_INLETS_MAX_NUMBER    9007199254740991.0    /* 2^53 - 1 */


typedef struct {
    u_char                       data[1024];
    size_t                       len;
} ngx_http_inlets_text_t;


struct ngx_http_inlets_monitor_s {
    ngx_http_inlets_ws_t         ws;
    ngx_http_inlets_loc_conf_t  *conf;
    ngx_http_inlets_peer_t      *peer;

    /* of the request that became this monitor */

    ngx_str_t                    domain;
    ngx_str_t                    url;        /* inlets_url, evaluated */
    in_port_t                    port;
    ngx_uint_t                   secure;     /* unsigned  secure:1; */

    ngx_inlets_id_t              id;
    ngx_inlets_type_e            type;
    ngx_str_t                    host;
    ngx_str_t                    client_id;
    in_port_t                    tunnel_port;

    ngx_event_t                  deadline;   /* of draining */

    unsigned                     attempted:1;
    unsigned                     registered:1;
    unsigned                     draining:1;
};


/* What "authenticate" says; strings are those of the JSON tree. */

typedef struct {
    ngx_http_inlets_auth_t       auth;
    ngx_str_t                    type;
    ngx_str_t                    name;       /* subDomain */
    ngx_str_t                    version;
    ngx_uint_t                   port;       /* tunnelPort */
    ngx_inlets_id_t              resume;
    ngx_uint_t                   resumes;
    ngx_uint_t                   mux;        /* the capability is offered */
    double                       links;
    double                       window;
    u_char                       timestamp[NGX_INT64_LEN];
} ngx_http_inlets_login_t;


static void ngx_http_inlets_monitor_message(ngx_http_inlets_ws_t *ws,
    u_char *text, size_t len);
static void ngx_http_inlets_monitor_timeout(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_monitor_drain(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_monitor_deadline(ngx_event_t *ev);
static void ngx_http_inlets_monitor_closed(ngx_http_inlets_ws_t *ws,
    const char *reason);

static void ngx_http_inlets_monitor_authenticate(
    ngx_http_inlets_monitor_t *monitor, cJSON *json);
static ngx_int_t ngx_http_inlets_login_parse(cJSON *json,
    ngx_http_inlets_login_t *login, const char **fault);
static ngx_int_t ngx_http_inlets_login_string(cJSON *json, const char *name,
    size_t max, ngx_str_t *value);
static double ngx_http_inlets_login_number(cJSON *json, const char *name);
static void ngx_http_inlets_login_capabilities(cJSON *json,
    ngx_http_inlets_login_t *login);
static void ngx_http_inlets_login_check(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_monitor_type(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);

static void ngx_http_inlets_monitor_register(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_monitor_identity(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_monitor_claim_host(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_monitor_claim_port(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login,
    ngx_inlets_claim_t *claim, ngx_http_inlets_text_t *fault);
static ngx_int_t ngx_http_inlets_monitor_keep(
    ngx_http_inlets_monitor_t *monitor, ngx_inlets_claim_t *claim);

static void ngx_http_inlets_monitor_accept(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login);
static cJSON *ngx_http_inlets_monitor_config(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static ngx_uint_t ngx_http_inlets_monitor_links(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_login_t *login);
static ngx_int_t ngx_http_inlets_monitor_url(
    ngx_http_inlets_monitor_t *monitor, ngx_http_inlets_text_t *url);

static void ngx_http_inlets_monitor_refuse(ngx_http_inlets_monitor_t *monitor,
    const char *fmt, ...);
static void ngx_http_inlets_monitor_event(ngx_http_inlets_monitor_t *monitor,
    const char *name, cJSON *payload);
static ngx_int_t ngx_http_inlets_text(ngx_http_inlets_text_t *text,
    const char *fmt, ...);


ngx_http_inlets_monitor_t *
ngx_http_inlets_monitor_create(ngx_http_request_t *r,
    ngx_http_inlets_peer_t *peer)
{
    ngx_str_t                    url;
    ngx_connection_t            *c;
    ngx_http_inlets_monitor_t   *monitor;
    ngx_http_inlets_loc_conf_t  *ilcf;

    c = r->connection;
    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    monitor = ngx_pcalloc(c->pool, sizeof(ngx_http_inlets_monitor_t));
    if (monitor == NULL) {
        return NULL;
    }

    monitor->conf = ilcf;
    monitor->peer = peer;

    if (ilcf->domain.len) {
        monitor->domain = ilcf->domain;

    } else if (r->headers_in.server.len) {
        monitor->domain.len = r->headers_in.server.len;
        monitor->domain.data = ngx_pstrdup(c->pool, &r->headers_in.server);

        if (monitor->domain.data == NULL) {
            return NULL;
        }
    }

    if (ilcf->url) {
        if (ngx_http_complex_value(r, ilcf->url, &url) != NGX_OK) {
            return NULL;
        }

        monitor->url.len = url.len;
        monitor->url.data = ngx_pstrdup(c->pool, &url);

        if (monitor->url.data == NULL) {
            return NULL;
        }
    }

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NULL;
    }

    monitor->port = ngx_inet_get_port(c->local_sockaddr);

#if (NGX_HTTP_SSL)
    monitor->secure = (c->ssl != NULL);
#endif

    return monitor;
}


void
ngx_http_inlets_monitor_start(ngx_connection_t *c, void *data, u_char *early,
    size_t len)
{
    ngx_http_inlets_monitor_t *monitor = data;

    u_char                 random[INLETS_UUID_LEN];
    char                   text[INLETS_UUID_TEXT + 1];
    ngx_http_inlets_ws_t  *ws;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "RAND_bytes() failed");
        ngx_http_close_connection(c);
        return;
    }

    inlets_uuid_make(random, monitor->id.data);
    inlets_uuid_format(monitor->id.data, text);

    monitor->deadline.handler = ngx_http_inlets_monitor_deadline;
    monitor->deadline.data = monitor;
    monitor->deadline.log = c->log;

    ws = &monitor->ws;

    ws->data = monitor;
    ws->limit = NGX_HTTP_INLETS_LIMIT_BEFORE;
    ws->message = ngx_http_inlets_monitor_message;
    ws->timeout = ngx_http_inlets_monitor_timeout;
    ws->drain = ngx_http_inlets_monitor_drain;
    ws->closed = ngx_http_inlets_monitor_closed;

    ngx_add_timer(c->read, monitor->conf->auth_timeout);

    ngx_http_inlets_ws_init(ws, c);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_ID,
                                  cJSON_CreateString(text));

    ngx_http_inlets_ws_start(ws, early, len);
}


static void
ngx_http_inlets_monitor_message(ngx_http_inlets_ws_t *ws, u_char *text,
    size_t len)
{
    cJSON                      *json, *name, *payload;
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ws->data;

    json = cJSON_ParseWithLength((char *) text, len);
    name = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, 0) : NULL;

    if (!cJSON_IsString(name)) {
        cJSON_Delete(json);

        ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                      "client sent a message that is not a JSON event");
        ngx_http_inlets_ws_finish(ws, INLETS_WS_CLOSE_BAD_DATA,
                                  "message is not a JSON event");
        return;
    }

    payload = cJSON_GetArrayItem(json, 1);

    if (ngx_strcmp(name->valuestring, INLETS_EVENT_PING) == 0) {
        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_PONG,
                                      cJSON_CreateNull());

    } else if (ngx_strcmp(name->valuestring, INLETS_EVENT_AUTHENTICATE) == 0) {
        ngx_http_inlets_monitor_authenticate(monitor, payload);

    } else {

        /* events of plain version 2 and version 1 branch off here */

        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, ws->connection->log, 0,
                       "inlets monitor event ignored");
    }

    cJSON_Delete(json);
}


/*
 * Before login the timer is a deadline; after it, it is set again only when it
 * fires, for the time that is left of the silence.
 */

static void
ngx_http_inlets_monitor_timeout(ngx_http_inlets_ws_t *ws)
{
    ngx_msec_t                  silent, timeout;
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ws->data;

    if (!monitor->registered) {
        ngx_http_inlets_ws_close(ws, "client did not log in in time");
        return;
    }

    timeout = monitor->conf->heartbeat_timeout;
    silent = ngx_current_msec - ws->received;

    if (silent >= timeout) {
        ngx_http_inlets_ws_close(ws, "client is silent");
        return;
    }

    ngx_add_timer(ws->connection->read, timeout - silent);
}


/*
 * This worker is leaving: the tunnel is served until the client has moved on,
 * or the time is up.
 */

static void
ngx_http_inlets_monitor_drain(ngx_http_inlets_ws_t *ws)
{
    cJSON                      *json;
    ngx_msec_t                  timeout;
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ws->data;

    if (!monitor->registered) {
        ngx_http_inlets_ws_close(ws, "worker is shutting down");
        return;
    }

    if (monitor->draining) {
        return;
    }

    monitor->draining = 1;

    timeout = monitor->conf->drain_timeout;

    if (timeout) {
        ngx_add_timer(&monitor->deadline, timeout);
    }

    json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "deadline", timeout);

    ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                  "worker is shutting down, told the client");

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_DRAIN, json);
}


static void
ngx_http_inlets_monitor_deadline(ngx_event_t *ev)
{
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ev->data;

    ngx_http_inlets_ws_finish(&monitor->ws, INLETS_WS_CLOSE_GOING_AWAY,
                              "worker is shutting down");
}


static void
ngx_http_inlets_monitor_closed(ngx_http_inlets_ws_t *ws, const char *reason)
{
    ngx_log_t                  *log;
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ws->data;
    log = ws->connection->log;

    if (monitor->deadline.timer_set) {
        ngx_del_timer(&monitor->deadline);
    }

    if (!monitor->registered) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "monitor closed before login: %s", reason);
        return;
    }

    monitor->registered = 0;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "inlets: tunnel %s client %V ended: %s",
                  monitor->peer->id, &monitor->client_id, reason);

    ngx_inlets_registry_end(monitor->conf->connect, &monitor->id,
                            monitor->conf->remember);

    ngx_inlets_tunnel_close(&monitor->id, reason);
}


static void
ngx_http_inlets_monitor_authenticate(ngx_http_inlets_monitor_t *monitor,
    cJSON *json)
{
    cJSON                    *error;
    ngx_log_t                *log;
    ngx_pool_t               *pool;
    const char               *fault;
    ngx_http_inlets_login_t   login;

    log = monitor->ws.connection->log;

    if (monitor->attempted) {
        error = cJSON_CreateObject();
        cJSON_AddStringToObject(error, "message",
                                "authenticate was sent twice");

        ngx_log_error(NGX_LOG_INFO, log, 0, "client sent authenticate twice");

        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_ERROR, error);
        ngx_http_inlets_ws_finish(&monitor->ws, 0,
                                  "client sent authenticate twice");
        return;
    }

    monitor->attempted = 1;

    if (ngx_http_inlets_login_parse(json, &login, &fault) != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault);
        return;
    }

    pool = ngx_create_pool(NGX_MIN_POOL_SIZE * 8, log);
    if (pool == NULL) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    ngx_http_inlets_login_check(monitor, &login, pool);

    ngx_destroy_pool(pool);
}


static ngx_int_t
ngx_http_inlets_login_parse(cJSON *json, ngx_http_inlets_login_t *login,
    const char **fault)
{
    double     number;
    cJSON     *item;
    ngx_str_t  resume;

    ngx_memzero(login, sizeof(ngx_http_inlets_login_t));

    *fault = "invalid authenticate message";

    if (!cJSON_IsObject(json)
        || ngx_http_inlets_login_string(json, "type", 64, &login->type)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "version", 32, &login->version)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "subDomain",
                                        NGX_INLETS_MAX_HOST, &login->name)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "authType", 64,
                                        &login->auth.type)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "clientId",
                                        NGX_INLETS_CLIENT_ID,
                                        &login->auth.client_id)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "signature", 256,
                                        &login->auth.signature)
           != NGX_OK
        || ngx_http_inlets_login_string(json, "resume", 64, &resume)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* signed as decimal digits, which a larger number does not give back */

    item = cJSON_GetObjectItemCaseSensitive(json, "timestamp");

    if (!cJSON_IsNumber(item)
        || item->valuedouble < 0
        || item->valuedouble > NGX_HTTP_INLETS_MAX_NUMBER
        || item->valuedouble != (double) (int64_t) item->valuedouble)
    {
        *fault = "invalid timestamp";
        return NGX_ERROR;
    }

    login->auth.timestamp.data = login->timestamp;
    login->auth.timestamp.len = ngx_snprintf(login->timestamp,
                                             NGX_INT64_LEN, "%L",
                                             (int64_t) item->valuedouble)
                                - login->timestamp;

    number = ngx_http_inlets_login_number(json, "tunnelPort");

    if (number < 0 || number > 65535
        || number != (double) (ngx_uint_t) number)
    {
        *fault = "invalid tunnelPort";
        return NGX_ERROR;
    }

    login->port = (ngx_uint_t) number;

    /* a session that can't be named can't be resumed, and that is no fault */

    login->resumes = (inlets_uuid_parse((char *) resume.data, resume.len,
                                        login->resume.data)
                      == INLETS_OK);

    ngx_http_inlets_login_capabilities(json, login);

    return NGX_OK;
}


/* Absent is empty.  Control characters would get into the log. */

static ngx_int_t
ngx_http_inlets_login_string(cJSON *json, const char *name, size_t max,
    ngx_str_t *value)
{
    u_char  *p;
    cJSON   *item;

    ngx_str_set(value, "");

    item = cJSON_GetObjectItemCaseSensitive(json, name);

    if (item == NULL || cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (!cJSON_IsString(item)) {
        return NGX_ERROR;
    }

    value->data = (u_char *) item->valuestring;
    value->len = ngx_strlen(item->valuestring);

    if (value->len > max) {
        return NGX_ERROR;
    }

    for (p = value->data; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static double
ngx_http_inlets_login_number(cJSON *json, const char *name)
{
    cJSON  *item;

    item = cJSON_GetObjectItemCaseSensitive(json, name);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}


static void
ngx_http_inlets_login_capabilities(cJSON *json, ngx_http_inlets_login_t *login)
{
    cJSON   *capabilities, *features, *mux;
    double   flags;

    capabilities = cJSON_GetObjectItemCaseSensitive(json, "capabilities");
    if (!cJSON_IsObject(capabilities)) {
        return;
    }

    flags = ngx_http_inlets_login_number(capabilities, "flags");

    if (flags < 0 || flags > NGX_HTTP_INLETS_MAX_NUMBER) {
        return;
    }

    login->mux = ((uint64_t) flags & INLETS_CAP_MUX) != 0;

    features = cJSON_GetObjectItemCaseSensitive(capabilities, "features");
    mux = cJSON_GetObjectItemCaseSensitive(features, "mux");

    login->links = ngx_http_inlets_login_number(mux, "links");
    login->window = ngx_http_inlets_login_number(mux, "window");
}


/* The checks, in the order in which a client may rely on their texts. */

static void
ngx_http_inlets_login_check(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool)
{
    ngx_int_t               rc;
    ngx_str_t               message;
    ngx_http_inlets_text_t  warning;

    if (ngx_strcmp(login->version.data, INLETS_PROTOCOL_V2) < 0
        && ngx_http_inlets_text(&warning, INLETS_WARN_VERSION,
                                login->version.data)
           == NGX_OK)
    {
        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_WARN,
                                 cJSON_CreateString((char *) warning.data));
    }

    login->auth.http = login->type.len == sizeof(INLETS_TYPE_HTTP) - 1
                       && ngx_strcmp(login->type.data, INLETS_TYPE_HTTP) == 0;
    login->auth.has_name = (login->name.len != 0);

    rc = ngx_http_inlets_authenticate(monitor->conf, &login->auth, &message,
                                      pool);

    if (rc == NGX_ERROR) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%V", &message);
        return;
    }

    if (ngx_http_inlets_monitor_type(monitor, login) != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, INLETS_FAIL_TYPE,
                                       login->type.data);
        return;
    }

    /* plain version 2 and version 1 branch off here */

    if (!login->mux) {
        ngx_http_inlets_monitor_refuse(monitor,
                                       "this edge needs the MUX capability, "
                                       "which the client does not offer");
        return;
    }

    ngx_http_inlets_monitor_register(monitor, login, pool);
}


static ngx_int_t
ngx_http_inlets_monitor_type(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    if (login->auth.http) {
        monitor->type = NGX_INLETS_HTTP;
        return NGX_OK;
    }

    if (ngx_strcmp(login->type.data, INLETS_TYPE_TCP) == 0) {
        monitor->type = NGX_INLETS_TCP;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static void
ngx_http_inlets_monitor_register(ngx_http_inlets_monitor_t *monitor,
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

    rc = ngx_http_inlets_monitor_identity(monitor, login, &claim, pool);

    if (rc == NGX_DECLINED) {
        ngx_http_inlets_monitor_refuse(monitor, "invalid clientId");
        return;
    }

    if (rc != NGX_OK) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    claim.host.data = ngx_pnalloc(pool, NGX_INLETS_MAX_HOST + 1);
    if (claim.host.data == NULL) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    rc = (monitor->type == NGX_INLETS_HTTP)
         ? ngx_http_inlets_monitor_claim_host(monitor, login, &claim, &fault)
         : ngx_http_inlets_monitor_claim_port(monitor, login, &claim, &fault);

    if (rc != NGX_OK) {
        ngx_http_inlets_monitor_refuse(monitor, "%s", fault.data);
        return;
    }

    if (ngx_http_inlets_monitor_keep(monitor, &claim) != NGX_OK) {
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

    ngx_http_inlets_monitor_accept(monitor, login);
}


static ngx_int_t
ngx_http_inlets_monitor_identity(ngx_http_inlets_monitor_t *monitor,
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
ngx_http_inlets_monitor_claim_host(ngx_http_inlets_monitor_t *monitor,
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
ngx_http_inlets_monitor_claim_port(ngx_http_inlets_monitor_t *monitor,
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
ngx_http_inlets_monitor_keep(ngx_http_inlets_monitor_t *monitor,
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
ngx_http_inlets_monitor_accept(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    cJSON                   *json;
    ngx_http_inlets_text_t   text;

    json = cJSON_CreateObject();

    (void) ngx_http_inlets_text(&text, "%V", &monitor->client_id);

    cJSON_AddStringToObject(json, "clientId", (char *) text.data);
    cJSON_AddItemToObject(json, "config",
                          ngx_http_inlets_monitor_config(monitor, login));
    cJSON_AddStringToObject(json, "containerId", (char *) monitor->peer->id);
    cJSON_AddBoolToObject(json, "ok", 1);

    if (monitor->type == NGX_INLETS_HTTP
        && ngx_http_inlets_monitor_url(monitor, &text) == NGX_OK)
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
ngx_http_inlets_monitor_config(ngx_http_inlets_monitor_t *monitor,
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
    negotiated = cJSON_AddObjectToObject(config, "negotiatedCapabilities");

    cJSON_AddNumberToObject(negotiated, "flags", INLETS_CAP_MUX);
    cJSON_AddStringToObject(negotiated, "version", INLETS_PROTOCOL_V2);
    features = cJSON_AddObjectToObject(negotiated, "features");

    mux = cJSON_AddObjectToObject(features, "mux");

    cJSON_AddNumberToObject(mux, "version", INLETS_MUX_VERSION);
    cJSON_AddNumberToObject(mux, "links",
                            ngx_http_inlets_monitor_links(monitor, login));
    cJSON_AddNumberToObject(mux, "window", (double) (int64_t) window);

    return config;
}


/*
 * With several workers two links let two of them share the work, and the
 * tunnel outlives the loss of either; one worker gathers more into each
 * write when there is one link.
 */

static ngx_uint_t
ngx_http_inlets_monitor_links(ngx_http_inlets_monitor_t *monitor,
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
ngx_http_inlets_monitor_url(ngx_http_inlets_monitor_t *monitor,
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


/* The reply, then the end, without a Close frame. */

static void
ngx_http_inlets_monitor_refuse(ngx_http_inlets_monitor_t *monitor,
    const char *fmt, ...)
{
    cJSON                   *json;
    va_list                  args;
    ngx_http_inlets_text_t   text;

    va_start(args, fmt);
    text.len = ngx_vslprintf(text.data, text.data + sizeof(text.data) - 1,
                             fmt, args)
               - text.data;
    va_end(args);

    text.data[text.len] = '\0';

    json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "message", (char *) text.data);
    cJSON_AddBoolToObject(json, "ok", 0);

    ngx_log_error(NGX_LOG_INFO, monitor->ws.connection->log, 0,
                  "inlets: client refused: %s", text.data);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_AUTHENTICATE, json);
    ngx_http_inlets_ws_finish(&monitor->ws, 0, "client refused");
}


/* Sends [name,payload] and frees payload; NULL: there was no memory for it. */

static void
ngx_http_inlets_monitor_event(ngx_http_inlets_monitor_t *monitor,
    const char *name, cJSON *payload)
{
    char   *text;
    cJSON  *json;

    json = cJSON_CreateArray();

    if (json == NULL || payload == NULL) {
        cJSON_Delete(json);
        cJSON_Delete(payload);
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    cJSON_AddItemToArray(json, cJSON_CreateString(name));
    cJSON_AddItemToArray(json, payload);

    text = cJSON_PrintUnformatted(json);

    cJSON_Delete(json);

    if (text == NULL) {
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    ngx_http_inlets_ws_send(&monitor->ws, text, ngx_strlen(text));

    cJSON_free(text);
}


/* Zero-terminated; NGX_ERROR: it was cut. */

static ngx_int_t
ngx_http_inlets_text(ngx_http_inlets_text_t *text, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    text->len = ngx_vslprintf(text->data, text->data + sizeof(text->data) - 1,
                              fmt, args)
                - text->data;
    va_end(args);

    text->data[text->len] = '\0';

    return text->len < sizeof(text->data) - 1 ? NGX_OK : NGX_ERROR;
}
