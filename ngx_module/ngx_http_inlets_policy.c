
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_policy.h"


#define NGX_HTTP_INLETS_LINKS_DELAY  1000


/* The watches of one settings file. */

typedef struct {
    ngx_queue_t                  queue;
    ngx_inlets_settings_file_t  *file;
    ngx_queue_t                  monitors;
    ngx_queue_t                  links;
    ngx_event_t                  timer;
} ngx_http_inlets_watched_t;


static ngx_uint_t ngx_http_inlets_policy_tokens(
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_settings_t *settings);
static const char *ngx_http_inlets_policy_client(
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_settings_t *settings,
    ngx_http_inlets_holding_t *holding);

static ngx_int_t ngx_http_inlets_watch(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch, size_t queue);
static ngx_http_inlets_watched_t *ngx_http_inlets_watched(
    ngx_inlets_settings_file_t *file);
static void ngx_http_inlets_watch_handler(void *data,
    ngx_inlets_settings_file_t *file);
static void ngx_http_inlets_watch_timer(ngx_event_t *ev);
static void ngx_http_inlets_watch_tell(ngx_queue_t *queue);


/* of this worker */
static ngx_queue_t  ngx_http_inlets_watched_files;


ngx_int_t
ngx_http_inlets_policy(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_holding_t *holding, u_char *text, size_t size)
{
    const char             *fault;
    ngx_str_t              *id;
    ngx_inlets_settings_t  *settings;
    ngx_inlets_identity_t  *identity;

    id = &holding->client_id;
    settings = ilcf->settings ? ngx_inlets_settings_get(ilcf->settings) : NULL;

    switch (holding->auth) {

    case NGX_INLETS_AUTH_PUBLIC:

        if (!ngx_http_inlets_policy_is_public(ilcf)) {
            ngx_snprintf(text, size, "public tunnels are no longer allowed%Z");
            return NGX_DECLINED;
        }

        return NGX_OK;

    case NGX_INLETS_AUTH_TOKEN:

        if (!ngx_http_inlets_policy_tokens(ilcf, settings)) {
            ngx_snprintf(text, size, "the token is no longer accepted%Z");
            return NGX_DECLINED;
        }

        return NGX_OK;

    default: /* NGX_INLETS_AUTH_CREDENTIALS */
        break;
    }

    fault = ngx_http_inlets_policy_client(ilcf, settings, holding);

    if (fault) {
        ngx_snprintf(text, size, "client \"%V\" %s%Z", id, fault);
        return NGX_DECLINED;
    }

    identity = ngx_http_inlets_policy_identity(ilcf, holding->auth, id);

    if (identity == NULL) {
        return NGX_OK;
    }

    if (holding->type == NGX_INLETS_HTTP
        && holding->label.len
        && !ngx_inlets_settings_name(identity, &holding->label))
    {
        ngx_snprintf(text, size,
                     "subDomain \"%V\" is not allowed for client \"%V\"%Z",
                     &holding->label, id);
        return NGX_DECLINED;
    }

    if (holding->type == NGX_INLETS_TCP
        && holding->port
        && !ngx_inlets_settings_port(identity, holding->port))
    {
        ngx_snprintf(text, size,
                     "port %ui is not allowed for client \"%V\"%Z",
                     (ngx_uint_t) holding->port, id);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_inlets_policy_tokens(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_settings_t *settings)
{
    return (ilcf->tokens && ilcf->tokens->nelts)
           || (settings && settings->token.len);
}


static const char *
ngx_http_inlets_policy_client(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_settings_t *settings, ngx_http_inlets_holding_t *holding)
{
    ngx_inlets_identity_t  *identity;

    if (settings == NULL || (settings->nclients == 0 && !holding->listed)) {

        /* the token is the secret of any id */

        return ngx_http_inlets_policy_tokens(ilcf, settings)
               ? NULL : "is no longer accepted";
    }

    identity = ngx_inlets_settings_identity(settings, &holding->client_id);

    if (identity == NULL) {
        return "was removed from the settings of this server";
    }

    return identity->disabled ? "is disabled on this server" : NULL;
}


ngx_inlets_identity_t *
ngx_http_inlets_policy_identity(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_auth_e auth, ngx_str_t *client_id)
{
    ngx_inlets_settings_t  *settings;

    if (ilcf->settings == NULL || auth != NGX_INLETS_AUTH_CREDENTIALS) {
        return NULL;
    }

    settings = ngx_inlets_settings_get(ilcf->settings);

    return ngx_inlets_settings_identity(settings, client_id);
}


void
ngx_http_inlets_policy_heartbeat(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_msec_t *interval, ngx_msec_t *timeout)
{
    *interval = ilcf->heartbeat_interval;
    *timeout = ilcf->heartbeat_timeout;

    if (ilcf->settings) {
        ngx_inlets_settings_heartbeat(ngx_inlets_settings_get(ilcf->settings),
                                      interval, timeout);
    }
}


ngx_uint_t
ngx_http_inlets_policy_is_public(ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_inlets_settings_t  *settings;

    if (ilcf->settings) {
        settings = ngx_inlets_settings_get(ilcf->settings);

        if (settings->public_http.enabled != NGX_CONF_UNSET) {
            return settings->public_http.enabled;
        }
    }

    return ilcf->public;
}


void
ngx_http_inlets_policy_public(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_msec_t *lifetime, ngx_msec_t *lead)
{
    ngx_inlets_settings_t  *settings;

    *lifetime = ilcf->public_timeout;
    *lead = ilcf->public_warn;

    if (ilcf->settings) {
        settings = ngx_inlets_settings_get(ilcf->settings);

        if (settings->public_http.timeout != NGX_CONF_UNSET_MSEC) {
            *lifetime = settings->public_http.timeout;
        }

        if (settings->public_http.warn_lead != NGX_CONF_UNSET_MSEC) {
            *lead = settings->public_http.warn_lead;
        }
    }

    if (*lead >= *lifetime) {
        *lead = *lifetime / 2;
    }

    if (*lead == 0) {
        *lead = 1000;
    }
}


ngx_msec_t
ngx_http_inlets_policy_drift(ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_msec_t  max;

    if (ilcf->settings) {
        max = ngx_inlets_settings_get(ilcf->settings)->max_drift;

        if (max != NGX_CONF_UNSET_MSEC) {
            return max;
        }
    }

    return ilcf->max_drift;
}


u_char *
ngx_http_inlets_duration(u_char *p, ngx_msec_t msec)
{
    ngx_msec_t  rest;

    if (msec < 1000) {
        return msec ? ngx_sprintf(p, "%Mms", msec) : ngx_sprintf(p, "0s");
    }

    if (msec >= 3600000) {
        p = ngx_sprintf(p, "%Mh", msec / 3600000);
    }

    if (msec >= 60000) {
        p = ngx_sprintf(p, "%Mm", msec / 60000 % 60);
    }

    p = ngx_sprintf(p, "%M", msec / 1000 % 60);
    rest = msec % 1000;

    if (rest) {
        p = ngx_sprintf(p, ".%03M", rest);

        while (p[-1] == '0') {
            p--;
        }
    }

    *p++ = 's';

    return p;
}


ngx_int_t
ngx_http_inlets_watch_monitor(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch)
{
    return ngx_http_inlets_watch(ilcf, watch,
                               offsetof(ngx_http_inlets_watched_t, monitors));
}


ngx_int_t
ngx_http_inlets_watch_link(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch)
{
    return ngx_http_inlets_watch(ilcf, watch,
                               offsetof(ngx_http_inlets_watched_t, links));
}


/* queue: the offset of the one to be in. */

static ngx_int_t
ngx_http_inlets_watch(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch, size_t queue)
{
    ngx_http_inlets_watched_t  *watched;

    if (ilcf->settings == NULL) {
        return NGX_OK;
    }

    watched = ngx_http_inlets_watched(ilcf->settings);
    if (watched == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail((ngx_queue_t *) ((u_char *) watched + queue),
                          &watch->queue);
    watch->watching = 1;

    return NGX_OK;
}


void
ngx_http_inlets_watch_end(ngx_http_inlets_watch_t *watch)
{
    if (watch->watching) {
        ngx_queue_remove(&watch->queue);
        watch->watching = 0;
    }
}


static ngx_http_inlets_watched_t *
ngx_http_inlets_watched(ngx_inlets_settings_file_t *file)
{
    ngx_queue_t                *q;
    ngx_http_inlets_watched_t  *watched;

    if (ngx_http_inlets_watched_files.next == NULL) {
        ngx_queue_init(&ngx_http_inlets_watched_files);
    }

    for (q = ngx_queue_head(&ngx_http_inlets_watched_files);
         q != ngx_queue_sentinel(&ngx_http_inlets_watched_files);
         q = ngx_queue_next(q))
    {
        watched = ngx_queue_data(q, ngx_http_inlets_watched_t, queue);

        if (watched->file == file) {
            return watched;
        }
    }

    /* few, and as long as the worker lives */

    watched = ngx_calloc(sizeof(ngx_http_inlets_watched_t), ngx_cycle->log);
    if (watched == NULL) {
        return NULL;
    }

    if (ngx_inlets_settings_subscribe(file, ngx_http_inlets_watch_handler,
                                      watched)
        != NGX_OK)
    {
        ngx_free(watched);
        return NULL;
    }

    watched->file = file;
    ngx_queue_init(&watched->monitors);
    ngx_queue_init(&watched->links);

    watched->timer.handler = ngx_http_inlets_watch_timer;
    watched->timer.data = watched;
    watched->timer.log = ngx_cycle->log;
    watched->timer.cancelable = 1;

    ngx_queue_insert_tail(&ngx_http_inlets_watched_files, &watched->queue);

    return watched;
}


static void
ngx_http_inlets_watch_handler(void *data, ngx_inlets_settings_file_t *file)
{
    ngx_http_inlets_watched_t *watched = data;

    ngx_http_inlets_watch_tell(&watched->monitors);

    if (!watched->timer.timer_set) {
        ngx_add_timer(&watched->timer, NGX_HTTP_INLETS_LINKS_DELAY);
    }
}


static void
ngx_http_inlets_watch_timer(ngx_event_t *ev)
{
    ngx_http_inlets_watched_t  *watched;

    watched = ev->data;

    ngx_http_inlets_watch_tell(&watched->links);
}


/* Whoever is told may end its own watch, or any other. */

static void
ngx_http_inlets_watch_tell(ngx_queue_t *queue)
{
    ngx_queue_t               told, *q;
    ngx_http_inlets_watch_t  *watch;

    if (ngx_queue_empty(queue)) {
        return;
    }

    ngx_queue_init(&told);
    ngx_queue_add(&told, queue);
    ngx_queue_init(queue);

    while (!ngx_queue_empty(&told)) {
        q = ngx_queue_head(&told);
        watch = ngx_queue_data(q, ngx_http_inlets_watch_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(queue, q);

        watch->changed(watch->data);
    }
}
