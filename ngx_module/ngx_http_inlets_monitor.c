
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor_impl.h"


static void ngx_http_inlets_monitor_message(ngx_http_inlets_ws_t *ws,
    u_char *text, size_t len);
static void ngx_http_inlets_monitor_timeout(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_monitor_drain(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_monitor_deadline(ngx_event_t *ev);
static void ngx_http_inlets_monitor_changed(void *data);
static ngx_int_t ngx_http_inlets_monitor_grant(
    ngx_http_inlets_monitor_t *monitor);
static void ngx_http_inlets_monitor_closed(ngx_http_inlets_ws_t *ws,
    const char *reason);
static const char *ngx_http_inlets_monitor_kind(
    ngx_http_inlets_monitor_t *monitor);


ngx_http_inlets_monitor_t *
ngx_http_inlets_monitor_create(ngx_http_request_t *r,
    ngx_http_inlets_peer_t *peer)
{
    ngx_str_t                    url;
    ngx_connection_t            *c;
    ngx_http_inlets_monitor_t   *monitor;
    ngx_inlets_settings_t       *settings;
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

    monitor->sockaddr = ngx_palloc(c->pool, c->socklen);
    if (monitor->sockaddr == NULL) {
        return NULL;
    }

    ngx_memcpy(monitor->sockaddr, c->sockaddr, c->socklen);

#if (NGX_HTTP_SSL)
    monitor->secure = (c->ssl != NULL);
#endif

    if (ilcf->settings) {
        settings = ngx_inlets_settings_get(ilcf->settings);

        if (settings->secure != NGX_CONF_UNSET
            && (ngx_uint_t) settings->secure != monitor->secure)
        {
            /* another port, in front of this one, has or ends TLS */

            monitor->secure = settings->secure;
            monitor->port = 0;
        }
    }

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

    monitor->watch.changed = ngx_http_inlets_monitor_changed;
    monitor->watch.data = monitor;

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
        ngx_http_inlets_login(monitor, payload);

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

    timeout = monitor->timeout;
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


/* The settings file has changed: what was granted may be no longer. */

static void
ngx_http_inlets_monitor_changed(void *data)
{
    ngx_http_inlets_monitor_t *monitor = data;

    cJSON                      *json;
    ngx_msec_t                  interval, timeout;
    ngx_http_inlets_text_t      text;
    ngx_http_inlets_holding_t   holding;

    ngx_http_inlets_ws_cork(&monitor->ws);

    ngx_http_inlets_monitor_holding(monitor, &holding);

    if (ngx_http_inlets_policy(monitor->conf, &holding, text.data,
                               sizeof(text.data))
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_NOTICE, monitor->ws.connection->log, 0,
                      "inlets: %s %s ended by changed settings: %s",
                      ngx_http_inlets_monitor_kind(monitor),
                      monitor->peer->id, text.data);

        json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "message", (char *) text.data);
        cJSON_AddBoolToObject(json, "fatal", 1);

        monitor->forget = 1;

        ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_ERROR, json);
        ngx_http_inlets_ws_finish(&monitor->ws, INLETS_WS_CLOSE_POLICY,
                                  "no longer allowed by the settings");
        goto done;
    }

    if (ngx_http_inlets_monitor_grant(monitor) != NGX_OK) {
        ngx_http_inlets_ws_finish(&monitor->ws, INLETS_WS_CLOSE_INTERNAL,
                                  "this edge is full, try again later");
        goto done;
    }

    ngx_http_inlets_policy_heartbeat(monitor->conf, &interval, &timeout);

    if (interval != monitor->interval || timeout != monitor->timeout) {
        ngx_http_inlets_monitor_config(monitor, 1);
        ngx_add_timer(monitor->ws.connection->read, monitor->timeout);

    } else if (ngx_http_inlets_listed_changed(monitor)) {
        ngx_http_inlets_monitor_config(monitor, 1);
    }

done:

    ngx_http_inlets_ws_uncork(&monitor->ws);
}


/* What the tunnel may have from now on, and who gets in to it. */

static ngx_int_t
ngx_http_inlets_monitor_grant(ngx_http_inlets_monitor_t *monitor)
{
    ngx_inlets_identity_t  *identity;

    if (monitor->coordinator) {
        return NGX_OK;
    }

    identity = ngx_http_inlets_policy_identity(monitor->conf, monitor->auth,
                                               &monitor->client_id);

    ngx_inlets_registry_set_max_streams(monitor->conf->connect, &monitor->id,
                                        identity ? identity->max_streams : 0);

    return ngx_http_inlets_listed_rules(monitor);
}


void
ngx_http_inlets_monitor_holding(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_holding_t *holding)
{
    u_char  *dot;

    ngx_memzero(holding, sizeof(ngx_http_inlets_holding_t));

    holding->auth = monitor->auth;
    holding->listed = monitor->listed;
    holding->type = monitor->type;
    holding->client_id = monitor->client_id;
    holding->port = monitor->tunnel_port;

    dot = ngx_strlchr(monitor->host.data,
                      monitor->host.data + monitor->host.len, '.');

    if (dot) {
        holding->label.data = monitor->host.data;
        holding->label.len = dot - monitor->host.data;
    }
}


void
ngx_http_inlets_monitor_config(ngx_http_inlets_monitor_t *monitor,
    ngx_uint_t list)
{
    cJSON  *json;

    ngx_http_inlets_policy_heartbeat(monitor->conf, &monitor->interval,
                                     &monitor->timeout);

    json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "pingInterval", monitor->interval);
    cJSON_AddNumberToObject(json, "pingTimeout", INLETS_PING_TIMEOUT);

    if (list) {
        ngx_http_inlets_listed_add(monitor, json);
    }

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_CONFIG, json);
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

    ngx_http_inlets_public_end(monitor);
    ngx_http_inlets_watch_end(&monitor->watch);

    if (!monitor->registered) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "monitor closed before login: %s", reason);
        return;
    }

    monitor->registered = 0;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "inlets: %s %s client %V ended: %s",
                  ngx_http_inlets_monitor_kind(monitor), monitor->peer->id,
                  &monitor->client_id, reason);

    if (monitor->coordinator) {
        return;
    }

    ngx_http_inlets_tell_offline(monitor, reason);

    ngx_inlets_registry_end(monitor->conf->connect, &monitor->id,
                            monitor->forget ? 0 : monitor->conf->remember);

    ngx_inlets_tunnel_close(&monitor->id, reason);
}


static const char *
ngx_http_inlets_monitor_kind(ngx_http_inlets_monitor_t *monitor)
{
    return monitor->coordinator ? "coordinator" : "tunnel";
}


void
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

    ngx_http_inlets_tell_refused(monitor, text.data, text.len);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_AUTHENTICATE, json);
    ngx_http_inlets_ws_finish(&monitor->ws, 0, "client refused");
}


void
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


ngx_int_t
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
