
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * The lifetime of tunnels without credentials.  A session that is resumed goes
 * on with what is left of it.
 */


#include "ngx_http_inlets_monitor_impl.h"


static void ngx_http_inlets_public_handler(ngx_event_t *ev);
static void ngx_http_inlets_public_warn(ngx_http_inlets_monitor_t *monitor,
    const char *fmt, ngx_msec_t msec);


void
ngx_http_inlets_public_start(ngx_http_inlets_monitor_t *monitor)
{
    ngx_msec_t  lead, used;

    if (monitor->auth != NGX_INLETS_AUTH_PUBLIC || monitor->ws.done) {
        return;
    }

    ngx_http_inlets_policy_public(monitor->conf, &monitor->lifetime, &lead);

    used = (ngx_time() > monitor->since)
           ? (ngx_msec_t) (ngx_time() - monitor->since) * 1000 : 0;

    monitor->left = monitor->lifetime - ngx_min(used, monitor->lifetime);

    ngx_http_inlets_public_warn(monitor, INLETS_WARN_PUBLIC,
                                monitor->lifetime);

    monitor->public.handler = ngx_http_inlets_public_handler;
    monitor->public.data = monitor;
    monitor->public.log = monitor->ws.connection->log;

    lead = ngx_min(lead, monitor->left);

    ngx_add_timer(&monitor->public, monitor->left - lead);

    monitor->left = lead;
}


static void
ngx_http_inlets_public_handler(ngx_event_t *ev)
{
    ngx_msec_t                  left;
    ngx_http_inlets_monitor_t  *monitor;

    monitor = ev->data;
    left = monitor->left;

    if (left) {
        monitor->left = 0;
        ngx_add_timer(ev, left);

        ngx_http_inlets_public_warn(monitor, INLETS_WARN_PUBLIC_SOON, left);
        return;
    }

    monitor->forget = 1;

    ngx_http_inlets_ws_cork(&monitor->ws);

    ngx_http_inlets_public_warn(monitor, INLETS_WARN_PUBLIC_OVER,
                                monitor->lifetime);

    ngx_http_inlets_ws_finish(&monitor->ws, INLETS_WS_CLOSE_NORMAL,
                              INLETS_CLOSE_PUBLIC);

    ngx_http_inlets_ws_uncork(&monitor->ws);
}


void
ngx_http_inlets_public_end(ngx_http_inlets_monitor_t *monitor)
{
    if (monitor->public.timer_set) {
        ngx_del_timer(&monitor->public);
    }
}


static void
ngx_http_inlets_public_warn(ngx_http_inlets_monitor_t *monitor,
    const char *fmt, ngx_msec_t msec)
{
    u_char                  duration[NGX_HTTP_INLETS_DURATION];
    ngx_http_inlets_text_t  text;

    *ngx_http_inlets_duration(duration, msec) = '\0';

    (void) ngx_http_inlets_text(&text, fmt, duration);

    ngx_http_inlets_monitor_event(monitor, INLETS_EVENT_WARN,
                                  cJSON_CreateString((char *) text.data));
}
