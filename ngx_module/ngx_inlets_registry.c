
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_registry_impl.h"
#include "ngx_inlets_zones.h"

#include <openssl/rand.h>


#define NGX_INLETS_ZONE_MIN  (8 * ngx_pagesize)


static ngx_int_t ngx_inlets_registry_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_inlets_registry_check_zone(ngx_inlets_registry_t *reg,
    void *data);

static ngx_int_t ngx_inlets_registry_claim_locked(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim);
static ngx_int_t ngx_inlets_registry_claim_route(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_inlets_tunnel_node_t *old,
    ngx_inlets_route_node_t **route);
static ngx_uint_t ngx_inlets_registry_too_many(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_inlets_route_node_t *route);
static ngx_inlets_tunnel_node_t *ngx_inlets_registry_resumed(
    ngx_inlets_registry_t *reg, ngx_inlets_claim_t *claim);
static ngx_int_t ngx_inlets_registry_pick_port(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, in_port_t *port);
static ngx_uint_t ngx_inlets_registry_offers(ngx_inlets_registry_t *reg,
    in_port_t port);
static ngx_uint_t ngx_inlets_registry_may_port(ngx_inlets_claim_t *claim,
    in_port_t port);
static ngx_inlets_tunnel_node_t *ngx_inlets_registry_create_tunnel(
    ngx_inlets_registry_t *reg, ngx_inlets_claim_t *claim);
static void ngx_inlets_registry_free_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel);
static void ngx_inlets_registry_forget_last(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route);
static ngx_inlets_route_node_t *ngx_inlets_registry_create_route(
    ngx_inlets_registry_t *reg, ngx_inlets_claim_t *claim);
static void ngx_inlets_registry_delete_route(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route);
static void ngx_inlets_registry_expire(ngx_inlets_registry_t *reg);


extern ngx_module_t  ngx_http_module;
extern ngx_module_t  ngx_http_inlets_module;


ngx_inlets_registry_t *
ngx_inlets_registry_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t         *shm_zone;
    ngx_inlets_registry_t  *reg;

    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the name of an inlets zone is empty");
        return NULL;
    }

    if (size && size < NGX_INLETS_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "inlets zone \"%V\" is too small, it needs "
                           "at least %uz bytes", name, NGX_INLETS_ZONE_MIN);
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, name, size, &ngx_http_inlets_module);
    if (shm_zone == NULL) {
        return NULL;
    }

    reg = shm_zone->data;

    if (reg == NULL) {
        reg = ngx_pcalloc(cf->pool, sizeof(ngx_inlets_registry_t));
        if (reg == NULL) {
            return NULL;
        }

        if (ngx_array_init(&reg->ports, cf->pool, 16, sizeof(in_port_t))
            != NGX_OK)
        {
            return NULL;
        }

        reg->shm_zone = shm_zone;

        shm_zone->init = ngx_inlets_registry_init_zone;
        shm_zone->data = reg;
    }

    if (size) {
        if (reg->declared) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "inlets zone \"%V\" is declared twice", name);
            return NULL;
        }

        reg->declared = 1;
    }

    return reg;
}


ngx_str_t *
ngx_inlets_registry_name(ngx_inlets_registry_t *reg)
{
    return &reg->shm_zone->shm.name;
}


ngx_int_t
ngx_inlets_registry_add_port(ngx_conf_t *cf, ngx_inlets_registry_t *reg,
    in_port_t port)
{
    in_port_t  *p;

    if (reg->offered == NULL) {
        reg->offered = ngx_pcalloc(cf->pool, 65536 / 8);
        if (reg->offered == NULL) {
            return NGX_ERROR;
        }
    }

    if (reg->offered[port / 8] & (1 << (port % 8))) {
        return NGX_OK;
    }

    p = ngx_array_push(&reg->ports);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = port;
    reg->offered[port / 8] |= 1 << (port % 8);

    return NGX_OK;
}


ngx_int_t
ngx_inlets_registry_check(ngx_cycle_t *cycle)
{
    ngx_inlets_registry_t  *missing;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {

        /* http{} is yet to come, or nginx finds the zone's size missing */

        return NGX_OK;
    }

    missing = NULL;

    ngx_inlets_registry_each(cycle, ngx_inlets_registry_check_zone, &missing);

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "inlets zone \"%V\" is not declared, "
                      "add \"inlets_zone %V 8m;\" to http{}",
                      &missing->shm_zone->shm.name,
                      &missing->shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_inlets_registry_check_zone(ngx_inlets_registry_t *reg, void *data)
{
    ngx_inlets_registry_t  **missing = data;

    if (!reg->declared && *missing == NULL) {
        *missing = reg;
    }
}


void
ngx_inlets_registry_each(ngx_cycle_t *cycle, ngx_inlets_registry_pt handler,
    void *data)
{
    ngx_inlets_zones_t      zones;
    ngx_inlets_registry_t  *reg;

    ngx_inlets_zones_init(&zones, cycle, &ngx_http_inlets_module);

    for ( ;; ) {
        reg = ngx_inlets_zones_next(&zones);

        if (reg == NULL) {
            return;
        }

        handler(reg, data);
    }
}


static ngx_int_t
ngx_inlets_registry_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_inlets_registry_t  *oreg = data;

    size_t                        len;
    ngx_inlets_registry_t        *reg;
    ngx_inlets_registry_shctx_t  *sh;

    reg = shm_zone->data;

    if (oreg) {
        reg->sh = oreg->sh;
        reg->shpool = oreg->shpool;
        reg->generation = ++reg->sh->generation;

        return NGX_OK;
    }

    reg->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        reg->sh = reg->shpool->data;
        reg->generation = ++reg->sh->generation;

        return NGX_OK;
    }

    sh = ngx_slab_calloc(reg->shpool, sizeof(ngx_inlets_registry_shctx_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&sh->hosts, &sh->hosts_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&sh->ports, &sh->ports_sentinel, ngx_rbtree_insert_value);
    ngx_rbtree_init(&sh->tunnels, &sh->tunnels_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&sh->ended, &sh->ended_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&sh->attempts, &sh->attempts_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->attempts_queue);
    ngx_queue_init(&sh->away);
    ngx_queue_init(&sh->workers);

    if (RAND_bytes(sh->key, NGX_INLETS_ZONE_KEY) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed");
        return NGX_ERROR;
    }

    ngx_rbtree_init(&sh->clients, &sh->clients_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&sh->idle[0]);
    ngx_queue_init(&sh->idle[1]);
    ngx_inlets_row_init(&sh->row);

    reg->sh = sh;
    reg->shpool->data = sh;

    len = sizeof(" in inlets zone \"\"") + shm_zone->shm.name.len;

    reg->shpool->log_ctx = ngx_slab_alloc(reg->shpool, len);
    if (reg->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(reg->shpool->log_ctx, " in inlets zone \"%V\"%Z",
                &shm_zone->shm.name);

    reg->shpool->log_nomem = 0;

    return NGX_OK;
}


ngx_int_t
ngx_inlets_registry_claim(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_log_t *log)
{
    ngx_int_t  rc;

    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_registry_expire(reg);
    ngx_inlets_client_expire(reg);

    rc = ngx_inlets_registry_claim_locked(reg, claim);

    ngx_shmtx_unlock(&reg->shpool->mutex);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "inlets zone \"%V\" is full, no room for a tunnel",
                      &reg->shm_zone->shm.name);
    }

    return rc;
}


static ngx_int_t
ngx_inlets_registry_claim_locked(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim)
{
    ngx_int_t                  rc;
    ngx_uint_t                 created;
    ngx_inlets_route_node_t   *route;
    ngx_inlets_tunnel_node_t  *tunnel, *old;

    if (ngx_inlets_registry_lookup_id(reg, &claim->id)) {
        return NGX_BUSY;
    }

    if (ngx_inlets_registry_add_worker(reg) != NGX_OK) {
        return NGX_ERROR;
    }

    old = ngx_inlets_registry_resumed(reg, claim);

    rc = ngx_inlets_registry_claim_route(reg, claim, old, &route);
    if (rc != NGX_OK) {
        return rc;
    }

    claim->since = old ? old->since : ngx_time();

    if (route && route->tunnel && route->tunnel != old
        && ngx_inlets_registry_dead(route->tunnel->pid))
    {
        ngx_inlets_registry_purge(reg, route->tunnel->pid);
        old = NULL;
    }

    if (route && route->tunnel && route->tunnel != old) {
        return NGX_BUSY;
    }

    if (ngx_inlets_registry_too_many(reg, claim, route)) {
        return NGX_ABORT;
    }

    created = 0;

    if (route == NULL) {
        route = ngx_inlets_registry_create_route(reg, claim);
        if (route == NULL) {
            return NGX_ERROR;
        }

        created = 1;

    } else if (route->tunnel == NULL) {

        /* not to be evicted by the allocation below */

        ngx_queue_remove(&route->queue);
    }

    tunnel = ngx_inlets_registry_create_tunnel(reg, claim);

    if (tunnel == NULL) {
        if (created) {
            ngx_inlets_registry_delete_route(reg, route);

        } else if (route->tunnel == NULL) {
            ngx_queue_insert_head(&reg->sh->away, &route->queue);
        }

        return NGX_ERROR;
    }

    if (route->tunnel) {
        ngx_inlets_row_move(&route->tunnel->row, &tunnel->row);

        route->tunnel->next = tunnel->id;
        route->tunnel->route = NULL;
        route->tunnel->client->routes--;
    }

    ngx_inlets_registry_forget_last(reg, route);

    tunnel->client->routes++;

    route->tunnel = tunnel;
    tunnel->route = route;

    return NGX_OK;
}


/* old: the tunnel that is resumed, or the last one of a route that is away. */

static ngx_int_t
ngx_inlets_registry_claim_route(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_inlets_tunnel_node_t *old,
    ngx_inlets_route_node_t **route)
{
    in_port_t  port;

    if (claim->type == NGX_INLETS_HTTP) {

        if (claim->host.len == 0) {
            if (old == NULL) {
                return NGX_DECLINED;
            }

            claim->host.len = old->route->sn.str.len;
            ngx_memcpy(claim->host.data, old->route->sn.str.data,
                       claim->host.len);
        }

        *route = ngx_inlets_registry_lookup_host(reg, &claim->host);

        return NGX_OK;
    }

    port = claim->port;

    if (port == 0
        && old
        && ngx_inlets_registry_offers(reg, old->port)
        && ngx_inlets_registry_may_port(claim, old->port))
    {
        port = old->port;
    }

    if (port == 0) {
        if (ngx_inlets_registry_pick_port(reg, claim, &port) != NGX_OK) {
            return NGX_DECLINED;
        }

    } else if (!ngx_inlets_registry_offers(reg, port)) {
        return NGX_DECLINED;
    }

    claim->port = port;
    *route = ngx_inlets_registry_lookup_port(reg, port);

    return NGX_OK;
}


/* route: that of the claim, if there is one; a tunnel of it is replaced. */

static ngx_uint_t
ngx_inlets_registry_too_many(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_inlets_route_node_t *route)
{
    ngx_uint_t                 n;
    ngx_inlets_client_node_t  *client;

    if (claim->max_tunnels == 0) {
        return 0;
    }

    client = ngx_inlets_client_lookup(reg, &claim->client_id);

    if (client == NULL) {
        return 0;
    }

    n = client->routes;

    if (route && route->tunnel && route->tunnel->client == client) {
        n--;
    }

    return n >= claim->max_tunnels;
}


static ngx_inlets_tunnel_node_t *
ngx_inlets_registry_resumed(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim)
{
    ngx_str_t                  id;
    ngx_inlets_tunnel_node_t  *tunnel;

    if (claim->resume == NULL) {
        return NULL;
    }

    tunnel = ngx_inlets_registry_lookup_id(reg, claim->resume);

    if (tunnel == NULL) {
        id.data = claim->resume->data;
        id.len = NGX_INLETS_ID_LEN;

        tunnel = (ngx_inlets_tunnel_node_t *)
                     ngx_str_rbtree_lookup(&reg->sh->ended, &id,
                                           ngx_murmur_hash2(id.data, id.len));
    }

    if (tunnel == NULL
        || tunnel->route == NULL
        || tunnel->type != claim->type
        || tunnel->identity_len != claim->identity.len
        || ngx_memcmp(tunnel->data + tunnel->client_id_len,
                      claim->identity.data, claim->identity.len)
           != 0)
    {
        return NULL;
    }

    return tunnel;
}


/* A port that is away is taken only when no other is left. */

static ngx_int_t
ngx_inlets_registry_pick_port(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, in_port_t *port)
{
    in_port_t                *ports, away;
    ngx_uint_t                i, n, next;
    ngx_inlets_route_node_t  *route;

    ports = reg->ports.elts;
    n = reg->ports.nelts;
    away = 0;

    for (i = 0; i < n; i++) {
        next = (reg->sh->next + i) % n;

        if (!ngx_inlets_registry_may_port(claim, ports[next])) {
            continue;
        }

        route = ngx_inlets_registry_lookup_port(reg, ports[next]);

        if (route == NULL) {
            reg->sh->next = next + 1;
            *port = ports[next];
            return NGX_OK;
        }

        if (route->tunnel == NULL && away == 0) {
            away = ports[next];
        }
    }

    if (away == 0) {
        return NGX_DECLINED;
    }

    *port = away;

    return NGX_OK;
}


static ngx_uint_t
ngx_inlets_registry_offers(ngx_inlets_registry_t *reg, in_port_t port)
{
    return reg->offered && (reg->offered[port / 8] & (1 << (port % 8)));
}


static ngx_uint_t
ngx_inlets_registry_may_port(ngx_inlets_claim_t *claim, in_port_t port)
{
    ngx_uint_t           i;
    ngx_inlets_ports_t  *ports;

    if (claim->ports == NULL) {
        return 1;
    }

    ports = claim->ports->elts;

    for (i = 0; i < claim->ports->nelts; i++) {
        if (port >= ports[i].first && port <= ports[i].last) {
            return 1;
        }
    }

    return 0;
}


static ngx_inlets_tunnel_node_t *
ngx_inlets_registry_create_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim)
{
    u_char                    *p;
    size_t                     len;
    ngx_str_t                  client_id;
    ngx_inlets_client_node_t  *client;
    ngx_inlets_tunnel_node_t  *tunnel;

    len = ngx_min(claim->client_id.len, NGX_INLETS_CLIENT_ID);

    client_id.data = claim->client_id.data;
    client_id.len = len;

    /* others than those of credentials are made up at each login */

    client = ngx_inlets_client_claim(reg, &client_id,
                                     ngx_strlchr(claim->identity.data,
                                                 claim->identity.data
                                                 + claim->identity.len, ':')
                                     == NULL);
    if (client == NULL) {
        return NULL;
    }

    tunnel = ngx_inlets_registry_alloc(reg,
                                   offsetof(ngx_inlets_tunnel_node_t, data)
                                   + len + claim->identity.len + 1);
    if (tunnel == NULL) {
        ngx_inlets_client_release(reg, client);
        return NULL;
    }

    if (claim->rules && claim->rules->tag) {
        len = ngx_inlets_rules_size(claim->rules);

        tunnel->rules = ngx_inlets_registry_alloc(reg, len);
        if (tunnel->rules == NULL) {
            ngx_slab_free_locked(reg->shpool, tunnel);
            ngx_inlets_client_release(reg, client);
            return NULL;
        }

        ngx_memcpy(tunnel->rules, claim->rules, len);
        reg->sh->nrules++;
    }

    ngx_inlets_meter_set(client->buckets, &claim->limit);

    tunnel->client = client;
    tunnel->since = claim->since;
    tunnel->auth = claim->auth;
    tunnel->keyed = (uint16_t) claim->keyed;
    tunnel->max_streams = claim->max_streams;
    tunnel->no_reuse = claim->no_reuse;
    ngx_inlets_row_init(&tunnel->row);

    tunnel->id = claim->id;
    tunnel->sn.str.data = tunnel->id.data;
    tunnel->sn.str.len = NGX_INLETS_ID_LEN;
    tunnel->sn.node.key = ngx_murmur_hash2(tunnel->id.data, NGX_INLETS_ID_LEN);

    tunnel->generation = reg->generation;
    tunnel->pid = ngx_pid;
    tunnel->slot = ngx_process_slot;
    tunnel->type = claim->type;
    tunnel->port = claim->port;
    tunnel->max_links = ngx_min(claim->max_links, NGX_INLETS_MAX_LINKS);
    tunnel->client_id_len = client_id.len;
    tunnel->identity_len = claim->identity.len;

    p = ngx_cpymem(tunnel->data, client_id.data, client_id.len);
    ngx_memcpy(p, claim->identity.data, claim->identity.len);

    ngx_rbtree_insert(&reg->sh->tunnels, &tunnel->sn.node);
    reg->sh->ntunnels++;

    return tunnel;
}


void
ngx_inlets_registry_delete_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, time_t remember)
{
    ngx_inlets_route_node_t   *route;
    ngx_inlets_tunnel_node_t  *next;

    route = tunnel->route;

    if (route == NULL) {
        next = ngx_inlets_registry_lookup_id(reg, &tunnel->next);

        if (next) {
            ngx_inlets_row_move(&tunnel->row, &next->row);
        }
    }

    ngx_inlets_row_end(&tunnel->row);

    if (route) {
        tunnel->client->routes--;
    }

    ngx_inlets_client_release(reg, tunnel->client);
    tunnel->client = NULL;

    ngx_rbtree_delete(&reg->sh->tunnels, &tunnel->sn.node);
    reg->sh->ntunnels--;

    if (route && remember) {

        /* to be resumed, and its rules stay in force */

        tunnel->nplaces = 0;
        tunnel->nlinks = 0;
        tunnel->sn.node.key = ngx_murmur_hash2(tunnel->id.data,
                                               NGX_INLETS_ID_LEN);
        ngx_rbtree_insert(&reg->sh->ended, &tunnel->sn.node);

        route->tunnel = NULL;
        route->last = tunnel;
        route->expires = ngx_time() + remember;
        ngx_queue_insert_head(&reg->sh->away, &route->queue);
        return;
    }

    if (route) {
        ngx_inlets_registry_delete_route(reg, route);
    }

    ngx_inlets_registry_free_tunnel(reg, tunnel);
}


static void
ngx_inlets_registry_free_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel)
{
    if (tunnel->rules) {
        ngx_slab_free_locked(reg->shpool, tunnel->rules);
        reg->sh->nrules--;
    }

    ngx_slab_free_locked(reg->shpool, tunnel);
}


static void
ngx_inlets_registry_forget_last(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route)
{
    if (route->last) {
        ngx_rbtree_delete(&reg->sh->ended, &route->last->sn.node);
        ngx_inlets_registry_free_tunnel(reg, route->last);
        route->last = NULL;
    }
}


void
ngx_inlets_registry_delete_place(ngx_inlets_tunnel_node_t *tunnel,
    ngx_uint_t n)
{
    tunnel->nplaces--;

    ngx_memmove(&tunnel->places[n], &tunnel->places[n + 1],
                (tunnel->nplaces - n) * sizeof(ngx_inlets_place_node_t));
}


static ngx_inlets_route_node_t *
ngx_inlets_registry_create_route(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim)
{
    size_t                    len;
    ngx_inlets_route_node_t  *route;

    len = (claim->type == NGX_INLETS_HTTP) ? claim->host.len : 0;

    route = ngx_inlets_registry_alloc(reg,
                                      offsetof(ngx_inlets_route_node_t, data)
                                      + len + 1);
    if (route == NULL) {
        return NULL;
    }

    route->type = claim->type;

    if (claim->type == NGX_INLETS_TCP) {
        route->sn.node.key = claim->port;
        ngx_rbtree_insert(&reg->sh->ports, &route->sn.node);

        return route;
    }

    ngx_memcpy(route->data, claim->host.data, len);

    route->sn.str.data = route->data;
    route->sn.str.len = len;
    route->sn.node.key = ngx_murmur_hash2(route->data, len);

    ngx_rbtree_insert(&reg->sh->hosts, &route->sn.node);

    return route;
}


/* The route is not in the queue of those away. */

static void
ngx_inlets_registry_delete_route(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route)
{
    ngx_inlets_registry_forget_last(reg, route);

    ngx_rbtree_delete((route->type == NGX_INLETS_HTTP) ? &reg->sh->hosts
                                                       : &reg->sh->ports,
                      &route->sn.node);

    ngx_slab_free_locked(reg->shpool, route);
}


/* Two at each claim: more than are added. */

static void
ngx_inlets_registry_expire(ngx_inlets_registry_t *reg)
{
    ngx_uint_t                n;
    ngx_queue_t              *q;
    ngx_inlets_route_node_t  *route;

    for (n = 0; n < 2 && !ngx_queue_empty(&reg->sh->away); n++) {
        q = ngx_queue_last(&reg->sh->away);
        route = ngx_queue_data(q, ngx_inlets_route_node_t, queue);

        if (route->expires > ngx_time()) {
            return;
        }

        ngx_queue_remove(q);
        ngx_inlets_registry_delete_route(reg, route);
    }
}


/*
 * Makes room by forgetting the routes that are away, the oldest first, then the
 * clients without tunnels.
 */

void *
ngx_inlets_registry_alloc(ngx_inlets_registry_t *reg, size_t size)
{
    void                     *p;
    ngx_queue_t              *q;
    ngx_inlets_route_node_t  *route;

    for ( ;; ) {
        p = ngx_slab_calloc_locked(reg->shpool, size);

        if (p) {
            return p;
        }

        if (ngx_queue_empty(&reg->sh->away)) {

            if (ngx_inlets_client_evict(reg)) {
                continue;
            }

            return NULL;
        }

        q = ngx_queue_last(&reg->sh->away);
        route = ngx_queue_data(q, ngx_inlets_route_node_t, queue);

        ngx_queue_remove(q);
        ngx_inlets_registry_delete_route(reg, route);
    }
}


void
ngx_inlets_registry_end(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    time_t remember)
{
    ngx_inlets_tunnel_node_t  *tunnel;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);

    if (tunnel) {
        ngx_inlets_registry_delete_tunnel(reg, tunnel, remember);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_registry_set_max_streams(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_uint_t max_streams)
{
    ngx_inlets_tunnel_node_t  *tunnel;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);

    if (tunnel) {
        tunnel->max_streams = max_streams;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}
