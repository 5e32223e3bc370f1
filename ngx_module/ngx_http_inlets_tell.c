
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_monitor_impl.h"
#include "ngx_inlets_notify.h"


static void ngx_http_inlets_tell_client(ngx_http_inlets_monitor_t *monitor,
    struct inlets_notice *notice);
static ngx_uint_t ngx_http_inlets_tell_replaced(
    ngx_http_inlets_monitor_t *monitor, ngx_inlets_id_t *id);


/* A session that took over from another one is the same client, still there. */

void
ngx_http_inlets_tell_online(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    ngx_pool_t            *pool;
    struct inlets_notice   notice;

    if (monitor->conf->settings == NULL) {
        return;
    }

    pool = monitor->ws.connection->pool;

    monitor->version.data = ngx_pstrdup(pool, &login->version);
    if (monitor->version.data) {
        monitor->version.len = login->version.len;
    }

    if (login->resumes
        && ngx_http_inlets_tell_replaced(monitor, &login->resume))
    {
        return;
    }

    ngx_http_inlets_tell_client(monitor, &notice);

    notice.event = INLETS_NOTICE_CLIENT_ONLINE;

    ngx_inlets_notify(monitor->conf->settings, &notice);
}


void
ngx_http_inlets_tell_offline(ngx_http_inlets_monitor_t *monitor,
    const char *reason)
{
    struct inlets_notice   notice;
    ngx_inlets_counters_t  counters;

    if (monitor->conf->settings == NULL
        || ngx_http_inlets_tell_replaced(monitor, &monitor->id))
    {
        return;
    }

    ngx_http_inlets_tell_client(monitor, &notice);

    notice.event = INLETS_NOTICE_CLIENT_OFFLINE;
    notice.reason.data = reason;
    notice.reason.len = ngx_strlen(reason);

    if (ngx_inlets_meter_tunnel(monitor->conf->connect, &monitor->id,
                                &counters)
        == NGX_OK)
    {
        notice.up = counters.up;
        notice.down = counters.down;
        notice.requests = counters.requests;
        notice.streams = counters.streams;
        notice.seconds = ngx_max(ngx_time() - counters.since, 0);
    }

    ngx_inlets_notify(monitor->conf->settings, &notice);
}


void
ngx_http_inlets_tell_refused(ngx_http_inlets_monitor_t *monitor, u_char *text,
    size_t len)
{
    ngx_str_t  reason;

    reason.data = text;
    reason.len = len;

    ngx_inlets_notify_refused(monitor->conf->settings,
                              &monitor->peer->client, &monitor->asked,
                              &reason);
}


static void
ngx_http_inlets_tell_client(ngx_http_inlets_monitor_t *monitor,
    struct inlets_notice *notice)
{
    const char  *auth, *type;

    ngx_memzero(notice, sizeof(struct inlets_notice));

    ngx_inlets_notify_text(&notice->client, &monitor->client_id);
    ngx_inlets_notify_text(&notice->version, &monitor->version);
    ngx_inlets_notify_text(&notice->host, &monitor->host);

    type = (monitor->type == NGX_INLETS_TCP) ? INLETS_TYPE_TCP
                                             : INLETS_TYPE_HTTP;

    auth = (monitor->auth == NGX_INLETS_AUTH_CREDENTIALS)
           ? INLETS_AUTH_CREDENTIALS
           : (monitor->auth == NGX_INLETS_AUTH_PUBLIC) ? INLETS_AUTH_PUBLIC
                                                       : INLETS_AUTH_TOKEN;

    notice->type.data = type;
    notice->type.len = ngx_strlen(type);
    notice->auth.data = auth;
    notice->auth.len = ngx_strlen(auth);
    notice->tunnel.data = (const char *) monitor->peer->id;
    notice->tunnel.len = ngx_strlen(monitor->peer->id);
    notice->port = monitor->tunnel_port;
}


/* By a session that goes on with its name or port. */

static ngx_uint_t
ngx_http_inlets_tell_replaced(ngx_http_inlets_monitor_t *monitor,
    ngx_inlets_id_t *id)
{
    ngx_inlets_found_t  found;

    return ngx_inlets_registry_find_id(monitor->conf->connect, id, &found)
           == NGX_OK
           && found.replaced;
}
