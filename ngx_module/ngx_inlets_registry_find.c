
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * The registry as a worker with links or visitors sees it: places of links,
 * look-ups.
 */


#include "ngx_inlets_registry_impl.h"


static ngx_inlets_place_node_t *ngx_inlets_registry_place(
    ngx_inlets_tunnel_node_t *tunnel);
static void ngx_inlets_registry_label(ngx_inlets_route_node_t *route,
    ngx_inlets_found_t *found);
static ngx_int_t ngx_inlets_registry_found(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route, ngx_inlets_found_t *found);


ngx_uint_t
ngx_inlets_registry_arrivals(ngx_inlets_registry_t *reg)
{
    return reg->sh->arrivals;
}


ngx_int_t
ngx_inlets_registry_add_link(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id)
{
    ngx_int_t                  rc;
    ngx_inlets_place_node_t   *place;
    ngx_inlets_tunnel_node_t  *tunnel;
    ngx_inlets_worker_node_t  *worker;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);

    if (tunnel == NULL || ngx_inlets_registry_add_worker(reg) != NGX_OK) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (tunnel->nlinks >= tunnel->max_links) {
        rc = NGX_BUSY;
        goto done;
    }

    place = ngx_inlets_registry_place(tunnel);

    if (place == NULL) {
        place = &tunnel->places[tunnel->nplaces++];

        place->pid = ngx_pid;
        place->slot = ngx_process_slot;
        place->links = 0;
        place->leaving = 0;
    }

    place->links++;
    tunnel->nlinks++;
    reg->sh->arrivals++;

    worker = ngx_inlets_registry_worker(reg, ngx_pid);
    worker->links++;

    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


void
ngx_inlets_registry_leave_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id)
{
    ngx_inlets_place_node_t   *place;
    ngx_inlets_tunnel_node_t  *tunnel;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);
    place = tunnel ? ngx_inlets_registry_place(tunnel) : NULL;

    if (place && place->leaving < place->links) {
        place->leaving++;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_registry_delete_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_uint_t left)
{
    ngx_inlets_place_node_t   *place;
    ngx_inlets_tunnel_node_t  *tunnel;
    ngx_inlets_worker_node_t  *worker;

    ngx_shmtx_lock(&reg->shpool->mutex);

    worker = ngx_inlets_registry_worker(reg, ngx_pid);

    if (worker && worker->links) {
        worker->links--;
    }

    tunnel = ngx_inlets_registry_lookup_id(reg, id);
    place = tunnel ? ngx_inlets_registry_place(tunnel) : NULL;

    if (place) {
        tunnel->nlinks--;

        if (left && place->leaving) {
            place->leaving--;
        }

        if (--place->links == 0) {
            ngx_inlets_registry_delete_place(tunnel, place - tunnel->places);
        }
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


/* Of this worker, or NULL. */

static ngx_inlets_place_node_t *
ngx_inlets_registry_place(ngx_inlets_tunnel_node_t *tunnel)
{
    ngx_uint_t  i;

    for (i = 0; i < tunnel->nplaces; i++) {
        if (tunnel->places[i].pid == ngx_pid) {
            return &tunnel->places[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_inlets_registry_find_host(ngx_inlets_registry_t *reg, ngx_str_t *host,
    ngx_inlets_found_t *found)
{
    ngx_int_t  rc;

    ngx_shmtx_lock(&reg->shpool->mutex);

    rc = ngx_inlets_registry_found(reg,
                                   ngx_inlets_registry_lookup_host(reg, host),
                                   found);

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_inlets_registry_find_port(ngx_inlets_registry_t *reg, in_port_t port,
    ngx_inlets_found_t *found)
{
    ngx_int_t  rc;

    ngx_shmtx_lock(&reg->shpool->mutex);

    rc = ngx_inlets_registry_found(reg,
                                   ngx_inlets_registry_lookup_port(reg, port),
                                   found);

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_inlets_registry_find_id(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_inlets_found_t *found)
{
    ngx_int_t                  rc;
    ngx_inlets_tunnel_node_t  *tunnel;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);

    if (tunnel) {
        ngx_inlets_registry_copy(tunnel, found);
        ngx_inlets_registry_label(tunnel->route, found);
        ngx_memzero(&found->meter, sizeof(ngx_inlets_meter_t));
        found->newer = (tunnel->generation > reg->generation);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


static void
ngx_inlets_registry_label(ngx_inlets_route_node_t *route,
    ngx_inlets_found_t *found)
{
    u_char  *dot;
    size_t   len;

    found->label_len = 0;

    if (route == NULL || route->type != NGX_INLETS_HTTP) {
        return;
    }

    dot = ngx_strlchr(route->data, route->data + route->sn.str.len, '.');
    len = dot ? (size_t) (dot - route->data) : route->sn.str.len;

    found->label_len = ngx_min(len, NGX_INLETS_LABEL);
    ngx_memcpy(found->label, route->data, found->label_len);
}


ngx_inlets_route_node_t *
ngx_inlets_registry_lookup_host(ngx_inlets_registry_t *reg, ngx_str_t *host)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2(host->data, host->len);

    return (ngx_inlets_route_node_t *)
               ngx_str_rbtree_lookup(&reg->sh->hosts, host, hash);
}


ngx_inlets_route_node_t *
ngx_inlets_registry_lookup_port(ngx_inlets_registry_t *reg, in_port_t port)
{
    ngx_rbtree_node_t  *node, *sentinel;

    node = reg->sh->ports.root;
    sentinel = reg->sh->ports.sentinel;

    while (node != sentinel) {

        if (port == node->key) {
            return (ngx_inlets_route_node_t *) node;
        }

        node = (port < node->key) ? node->left : node->right;
    }

    return NULL;
}


ngx_inlets_tunnel_node_t *
ngx_inlets_registry_lookup_id(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id)
{
    uint32_t   hash;
    ngx_str_t  str;

    str.data = id->data;
    str.len = NGX_INLETS_ID_LEN;
    hash = ngx_murmur_hash2(str.data, str.len);

    return (ngx_inlets_tunnel_node_t *)
               ngx_str_rbtree_lookup(&reg->sh->tunnels, &str, hash);
}


static ngx_int_t
ngx_inlets_registry_found(ngx_inlets_registry_t *reg,
    ngx_inlets_route_node_t *route, ngx_inlets_found_t *found)
{
    ngx_memzero(&found->meter, sizeof(ngx_inlets_meter_t));

    if (route == NULL) {
        return NGX_DECLINED;
    }

    if (route->tunnel == NULL) {

        if (route->expires <= ngx_time()) {
            return NGX_DECLINED;
        }

        found->rules = (route->last && route->last->rules)
                       ? route->last->rules->tag : 0;

        ngx_inlets_meter_get(reg, NULL, &found->meter);

        return NGX_AGAIN;
    }

    ngx_inlets_registry_copy(route->tunnel, found);
    ngx_inlets_meter_get(reg, route->tunnel, &found->meter);

    return NGX_OK;
}


void
ngx_inlets_registry_copy(ngx_inlets_tunnel_node_t *tunnel,
    ngx_inlets_found_t *found)
{
    ngx_uint_t                i;
    ngx_inlets_place_t       *place;
    ngx_inlets_place_node_t  *from;

    found->id = tunnel->id;
    found->type = tunnel->type;
    found->port = tunnel->port;
    found->replaced = (tunnel->route == NULL);
    found->auth = tunnel->auth;
    found->keyed = tunnel->keyed;
    found->max_streams = tunnel->max_streams;
    found->no_reuse = tunnel->no_reuse;
    found->rules = tunnel->rules ? tunnel->rules->tag : 0;

    found->client_id_len = tunnel->client_id_len;
    ngx_memcpy(found->client_id, tunnel->data, tunnel->client_id_len);

    found->nplaces = 0;

    for (i = 0; i < tunnel->nplaces; i++) {
        from = &tunnel->places[i];

        if (from->links == from->leaving) {
            continue;
        }

        place = &found->places[found->nplaces++];

        place->pid = from->pid;
        place->slot = from->slot;
        place->links = from->links - from->leaving;
    }
}
