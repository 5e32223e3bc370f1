
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * The tunnels that the settings list for a client: what it is told of them, and
 * who gets in to the one that a monitor serves.
 */


#include "ngx_http_inlets_monitor_impl.h"


#define NGX_HTTP_INLETS_LISTED_OUT  (512 * 1024)


static ngx_str_t *ngx_http_inlets_listed_list(
    ngx_http_inlets_monitor_t *monitor);
static uint64_t ngx_http_inlets_listed_hash(ngx_str_t *list);
static ngx_array_t *ngx_http_inlets_listed_users(
    ngx_http_inlets_monitor_t *monitor);
static ngx_int_t ngx_http_inlets_listed_make(
    ngx_http_inlets_monitor_t *monitor, ngx_array_t *users,
    ngx_inlets_rules_t *rules);


static ngx_str_t  ngx_http_inlets_listed_none = ngx_string("[]");


/*
 * Sessions that a client opens for a tunnel of the list say so, and get none;
 * any other than a coordinator only if there is something in it.
 */

void
ngx_http_inlets_listed_start(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login)
{
    ngx_str_t  *list;

    list = ngx_http_inlets_listed_list(monitor);

    monitor->follows = list && !login->opaque
                       && (monitor->coordinator || list->len > 2);

    if (monitor->follows) {
        monitor->ws.out_max = NGX_HTTP_INLETS_LISTED_OUT;
    }
}


void
ngx_http_inlets_listed_add(ngx_http_inlets_monitor_t *monitor, cJSON *json)
{
    cJSON      *raw;
    ngx_str_t  *list;

    if (!monitor->follows) {
        return;
    }

    list = ngx_http_inlets_listed_list(monitor);

    if (list == NULL) {
        list = &ngx_http_inlets_listed_none;
    }

    raw = cJSON_CreateRaw((char *) list->data);

    if (raw == NULL || !cJSON_AddItemToObject(json, "tunnels", raw)) {
        cJSON_Delete(raw);
        ngx_http_inlets_ws_close(&monitor->ws, "no memory");
        return;
    }

    monitor->list = ngx_http_inlets_listed_hash(list);
}


ngx_uint_t
ngx_http_inlets_listed_changed(ngx_http_inlets_monitor_t *monitor)
{
    ngx_str_t  *list;

    if (!monitor->follows) {
        return 0;
    }

    list = ngx_http_inlets_listed_list(monitor);

    return list && ngx_http_inlets_listed_hash(list) != monitor->list;
}


/* NULL: there is no entry of the client that could have one. */

static ngx_str_t *
ngx_http_inlets_listed_list(ngx_http_inlets_monitor_t *monitor)
{
    ngx_inlets_identity_t  *identity;

    identity = ngx_http_inlets_policy_identity(monitor->conf, monitor->auth,
                                               &monitor->client_id);
    if (identity == NULL) {
        return NULL;
    }

    return identity->list.len ? &identity->list : &ngx_http_inlets_listed_none;
}


static uint64_t
ngx_http_inlets_listed_hash(ngx_str_t *list)
{
    return (uint64_t) ngx_crc32_long(list->data, list->len) << 32
           | ngx_murmur_hash2(list->data, list->len);
}


/*
 * The client's own rules are in force since it claimed its name.  Users of the
 * settings take the place of its passwords, its addresses stay.
 */

ngx_int_t
ngx_http_inlets_listed_rules(ngx_http_inlets_monitor_t *monitor)
{
    ngx_array_t         *users;
    ngx_inlets_rules_t   rules;

    users = ngx_http_inlets_listed_users(monitor);

    if (users == NULL && !monitor->guarded) {
        return NGX_OK;
    }

    if (ngx_http_inlets_listed_make(monitor, users, &rules) != NGX_OK
        || ngx_inlets_rules_set(monitor->conf->connect, &monitor->id, &rules,
                                monitor->ws.connection->log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    monitor->guarded = (users != NULL);

    return NGX_OK;
}


static ngx_array_t *
ngx_http_inlets_listed_users(ngx_http_inlets_monitor_t *monitor)
{
    ngx_inlets_listed_t        *tunnel;
    ngx_inlets_settings_t      *settings;
    ngx_inlets_identity_t      *identity;
    ngx_http_inlets_holding_t   holding;

    if (monitor->conf->settings == NULL
        || monitor->type != NGX_INLETS_HTTP
        || monitor->auth == NGX_INLETS_AUTH_PUBLIC)
    {
        return NULL;
    }

    settings = ngx_inlets_settings_get(monitor->conf->settings);

    if (settings->nguarded == 0) {
        return NULL;
    }

    identity = ngx_http_inlets_policy_identity(monitor->conf, monitor->auth,
                                               &monitor->client_id);

    if (identity == NULL && monitor->auth == NGX_INLETS_AUTH_CREDENTIALS) {
        return NULL;
    }

    ngx_http_inlets_monitor_holding(monitor, &holding);

    /* who has the token may stand for any client */

    tunnel = ngx_inlets_settings_listed(settings, identity, &holding.label,
                                        monitor->upstream_port);

    return tunnel ? tunnel->users : NULL;
}


static ngx_int_t
ngx_http_inlets_listed_make(ngx_http_inlets_monitor_t *monitor,
    ngx_array_t *users, ngx_inlets_rules_t *rules)
{
    ngx_uint_t              i, bearer;
    ngx_inlets_user_t      *user;
    ngx_inlets_rules_t     *own;
    ngx_inlets_registry_t  *reg;

    reg = monitor->conf->connect;
    own = monitor->rules;

    if (users == NULL && own) {
        ngx_memcpy(rules, own, ngx_inlets_rules_size(own));
        return NGX_OK;
    }

    ngx_memzero(rules, sizeof(ngx_inlets_rules_t));

    if (users == NULL) {
        return NGX_OK;
    }

    rules->pass_auth = 1;

    user = users->elts;

    for (bearer = 0; bearer < 2; bearer++) {

        for (i = 0; i < users->nelts; i++) {

            if (bearer == (user[i].username.len != 0)) {
                continue;
            }

            if ((bearer ? ngx_inlets_rules_bearer(rules, reg, &user[i].secret)
                        : ngx_inlets_rules_basic(rules, reg,
                                                 &user[i].username,
                                                 &user[i].secret))
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (own) {
        ngx_inlets_rules_ranges(rules, own);
    }

    return ngx_inlets_rules_seal(rules, reg);
}
