
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_registry_impl.h"


/* Client ids without tunnels: how many are remembered, how long, seconds. */

#define NGX_INLETS_IDLE_CLIENTS  1024
#define NGX_INLETS_IDLE_LONG     86400

/* the same for ids of one session; a stream may be about to count in it */
#define NGX_INLETS_IDLE_SHORT    10


static ngx_uint_t ngx_inlets_client_forget(ngx_inlets_registry_t *reg,
    ngx_uint_t passing, time_t age);
static ngx_uint_t ngx_inlets_client_used(ngx_inlets_client_node_t *client);
static void ngx_inlets_client_delete(ngx_inlets_registry_t *reg,
    ngx_inlets_client_node_t *client);
static ngx_rbtree_node_t *ngx_inlets_registry_first(ngx_rbtree_t *tree,
    ngx_str_t *last);
static ngx_rbtree_node_t *ngx_inlets_registry_upper(ngx_rbtree_t *tree,
    ngx_str_t *last);
static void ngx_inlets_tunnel_row(ngx_inlets_tunnel_node_t *tunnel,
    ngx_inlets_tunnel_row_t *row);
static void ngx_inlets_client_row(ngx_inlets_client_node_t *client,
    ngx_inlets_client_row_t *row);
static void ngx_inlets_worker_row(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker, ngx_inlets_worker_row_t *row);
static void ngx_inlets_row_limit(ngx_inlets_bucket_t *buckets,
    ngx_inlets_limit_t *limit);


ngx_inlets_client_node_t *
ngx_inlets_client_lookup(ngx_inlets_registry_t *reg, ngx_str_t *id)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2(id->data, id->len);

    return (ngx_inlets_client_node_t *)
               ngx_str_rbtree_lookup(&reg->sh->clients, id, hash);
}


ngx_inlets_client_node_t *
ngx_inlets_client_claim(ngx_inlets_registry_t *reg, ngx_str_t *id,
    ngx_uint_t passing)
{
    ngx_inlets_client_node_t  *client;

    client = ngx_inlets_client_lookup(reg, id);

    if (client) {

        if (client->tunnels++ == 0) {
            ngx_queue_remove(&client->queue);
            reg->sh->nidle--;
        }

        return client;
    }

    client = ngx_inlets_registry_alloc(reg, sizeof(ngx_inlets_client_node_t));
    if (client == NULL) {
        return NULL;
    }

    ngx_memcpy(client->data, id->data, id->len);

    client->sn.str.data = client->data;
    client->sn.str.len = id->len;
    client->sn.node.key = ngx_murmur_hash2(id->data, id->len);
    client->tunnels = 1;
    client->passing = passing;

    ngx_inlets_row_init(&client->row);

    ngx_rbtree_insert(&reg->sh->clients, &client->sn.node);
    reg->sh->nclients++;

    return client;
}


void
ngx_inlets_client_release(ngx_inlets_registry_t *reg,
    ngx_inlets_client_node_t *client)
{
    if (--client->tunnels) {
        return;
    }

    client->used = ngx_time();
    reg->sh->nidle++;

    ngx_queue_insert_head(&reg->sh->idle[client->passing], &client->queue);

    if (client->passing && ngx_queue_empty(&client->row.shares)) {
        ngx_inlets_client_delete(reg, client);
    }
}


void
ngx_inlets_client_expire(ngx_inlets_registry_t *reg)
{
    ngx_uint_t  n;

    for (n = 0; n < 2; n++) {
        (void) ngx_inlets_client_forget(reg, 1, NGX_INLETS_IDLE_SHORT);
        (void) ngx_inlets_client_forget(reg, 0, NGX_INLETS_IDLE_LONG);
    }

    if (reg->sh->nidle > NGX_INLETS_IDLE_CLIENTS) {
        (void) ngx_inlets_client_evict(reg);
    }
}


ngx_uint_t
ngx_inlets_client_evict(ngx_inlets_registry_t *reg)
{
    return ngx_inlets_client_forget(reg, 1, 0)
           || ngx_inlets_client_forget(reg, 0, 0);
}


/* The one that has been idle for longest, if for that long; 0: none. */

static ngx_uint_t
ngx_inlets_client_forget(ngx_inlets_registry_t *reg, ngx_uint_t passing,
    time_t age)
{
    ngx_queue_t               *q, *idle;
    ngx_inlets_client_node_t  *client;

    idle = &reg->sh->idle[passing];

    for (q = ngx_queue_last(idle);
         q != ngx_queue_sentinel(idle);
         q = ngx_queue_prev(q))
    {
        client = ngx_queue_data(q, ngx_inlets_client_node_t, queue);

        if (ngx_time() - client->used < age) {
            return 0;
        }

        if (!ngx_inlets_client_used(client)) {
            ngx_inlets_client_delete(reg, client);
            return 1;
        }
    }

    return 0;
}


/*
 * Streams may last longer than their tunnel.  A row without shares was never
 * looked up.
 */

static ngx_uint_t
ngx_inlets_client_used(ngx_inlets_client_node_t *client)
{
    ngx_inlets_counters_t  counters;

    if (ngx_queue_empty(&client->row.shares)) {
        return 0;
    }

    if (ngx_time() - client->used < NGX_INLETS_IDLE_SHORT) {
        return 1;
    }

    ngx_inlets_row_sum(&client->row, &counters);

    return counters.streams_now != 0;
}


static void
ngx_inlets_client_delete(ngx_inlets_registry_t *reg,
    ngx_inlets_client_node_t *client)
{
    ngx_inlets_row_end(&client->row);

    ngx_queue_remove(&client->queue);
    reg->sh->nidle--;

    ngx_rbtree_delete(&reg->sh->clients, &client->sn.node);
    reg->sh->nclients--;

    ngx_slab_free_locked(reg->shpool, client);
}


/* The node behind "last", which may be gone, in the tree's order. */

static ngx_rbtree_node_t *
ngx_inlets_registry_first(ngx_rbtree_t *tree, ngx_str_t *last)
{
    if (tree->root == tree->sentinel) {
        return NULL;
    }

    if (last == NULL) {
        return ngx_rbtree_min(tree->root, tree->sentinel);
    }

    return ngx_inlets_registry_upper(tree, last);
}


static ngx_rbtree_node_t *
ngx_inlets_registry_upper(ngx_rbtree_t *tree, ngx_str_t *last)
{
    uint32_t            hash;
    ngx_int_t           rc;
    ngx_str_node_t     *sn;
    ngx_rbtree_node_t  *node, *upper;

    hash = ngx_murmur_hash2(last->data, last->len);

    node = tree->root;
    upper = NULL;

    while (node != tree->sentinel) {
        sn = (ngx_str_node_t *) node;

        if (hash != node->key) {
            rc = (hash < node->key) ? -1 : 1;

        } else if (last->len != sn->str.len) {
            rc = (last->len < sn->str.len) ? -1 : 1;

        } else {
            rc = ngx_memcmp(last->data, sn->str.data, last->len);
        }

        if (rc < 0) {
            upper = node;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return upper;
}


ngx_uint_t
ngx_inlets_registry_walk_tunnels(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_row_t *last, ngx_inlets_tunnel_row_t *rows, ngx_uint_t n)
{
    ngx_str_t           id;
    ngx_uint_t          i;
    ngx_rbtree_node_t  *node;

    if (last) {
        id.data = last->found.id.data;
        id.len = NGX_INLETS_ID_LEN;
    }

    ngx_shmtx_lock(&reg->shpool->mutex);

    node = ngx_inlets_registry_first(&reg->sh->tunnels, last ? &id : NULL);

    for (i = 0; node && i < n; i++) {
        ngx_inlets_tunnel_row((ngx_inlets_tunnel_node_t *) node, &rows[i]);
        node = ngx_rbtree_next(&reg->sh->tunnels, node);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return i;
}


static void
ngx_inlets_tunnel_row(ngx_inlets_tunnel_node_t *tunnel,
    ngx_inlets_tunnel_row_t *row)
{
    ngx_inlets_registry_copy(tunnel, &row->found);
    ngx_memzero(&row->found.meter, sizeof(ngx_inlets_meter_t));

    row->pid = tunnel->pid;
    row->host_len = 0;

    if (tunnel->route && tunnel->type == NGX_INLETS_HTTP) {
        row->host_len = ngx_min(tunnel->route->sn.str.len, NGX_INLETS_MAX_HOST);
        ngx_memcpy(row->host, tunnel->route->data, row->host_len);
    }

    ngx_inlets_row_sum(&tunnel->row, &row->counters);
}


ngx_uint_t
ngx_inlets_registry_walk_clients(ngx_inlets_registry_t *reg,
    ngx_inlets_client_row_t *last, ngx_inlets_client_row_t *rows, ngx_uint_t n)
{
    ngx_str_t           id;
    ngx_uint_t          i;
    ngx_rbtree_node_t  *node;

    if (last) {
        id.data = last->id;
        id.len = last->id_len;
    }

    ngx_shmtx_lock(&reg->shpool->mutex);

    node = ngx_inlets_registry_first(&reg->sh->clients, last ? &id : NULL);

    for (i = 0; node && i < n; i++) {
        ngx_inlets_client_row((ngx_inlets_client_node_t *) node, &rows[i]);
        node = ngx_rbtree_next(&reg->sh->clients, node);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return i;
}


static void
ngx_inlets_client_row(ngx_inlets_client_node_t *client,
    ngx_inlets_client_row_t *row)
{
    row->id_len = client->sn.str.len;
    ngx_memcpy(row->id, client->data, row->id_len);

    row->tunnels = client->tunnels;

    ngx_inlets_row_limit(client->buckets, &row->limit);
    ngx_inlets_row_sum(&client->row, &row->counters);
}


/* There are few workers: those behind "last" are found by counting pids. */

ngx_uint_t
ngx_inlets_registry_walk_workers(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_row_t *last, ngx_inlets_worker_row_t *rows, ngx_uint_t n)
{
    ngx_pid_t                  pid;
    ngx_uint_t                 i;
    ngx_queue_t               *q;
    ngx_inlets_worker_node_t  *worker, *next;

    pid = last ? last->pid : 0;

    ngx_shmtx_lock(&reg->shpool->mutex);

    for (i = 0; i < n; i++) {
        next = NULL;

        for (q = ngx_queue_head(&reg->sh->workers);
             q != ngx_queue_sentinel(&reg->sh->workers);
             q = ngx_queue_next(q))
        {
            worker = ngx_queue_data(q, ngx_inlets_worker_node_t, queue);

            if (worker->pid > pid && (next == NULL || worker->pid < next->pid))
            {
                next = worker;
            }
        }

        if (next == NULL) {
            break;
        }

        ngx_inlets_worker_row(reg, next, &rows[i]);
        pid = next->pid;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return i;
}


static void
ngx_inlets_worker_row(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker, ngx_inlets_worker_row_t *row)
{
    ngx_queue_t         *q;
    ngx_inlets_share_t  *share;

    ngx_memzero(row, sizeof(ngx_inlets_worker_row_t));

    row->pid = worker->pid;
    row->links = worker->links;

    for (q = ngx_queue_head(&reg->sh->row.shares);
         q != ngx_queue_sentinel(&reg->sh->row.shares);
         q = ngx_queue_next(q))
    {
        share = ngx_queue_data(q, ngx_inlets_share_t, row_queue);

        if (share->worker == worker) {
            ngx_inlets_share_add(share, &row->counters);
            row->counters.streams_now = share->streams_now;
        }
    }
}


void
ngx_inlets_registry_zone_row(ngx_inlets_registry_t *reg,
    ngx_inlets_zone_row_t *row)
{
    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_client_expire(reg);

    row->tunnels = reg->sh->ntunnels;
    row->clients = reg->sh->nclients - reg->sh->nidle;

    ngx_inlets_row_limit(reg->sh->buckets, &row->limit);
    ngx_inlets_row_sum(&reg->sh->row, &row->counters);

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


static void
ngx_inlets_row_limit(ngx_inlets_bucket_t *buckets, ngx_inlets_limit_t *limit)
{
    limit->upload = buckets[NGX_INLETS_UP].rate;
    limit->download = buckets[NGX_INLETS_DOWN].rate;
}


ngx_int_t
ngx_inlets_meter_tunnel(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_inlets_counters_t *counters)
{
    ngx_int_t                  rc;
    ngx_inlets_tunnel_node_t  *tunnel;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);

    if (tunnel) {
        ngx_inlets_row_sum(&tunnel->row, counters);
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_inlets_meter_client(ngx_inlets_registry_t *reg, ngx_str_t *client_id,
    ngx_inlets_counters_t *counters, ngx_uint_t *tunnels)
{
    ngx_int_t                  rc;
    ngx_inlets_client_node_t  *client;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&reg->shpool->mutex);

    client = ngx_inlets_client_lookup(reg, client_id);

    if (client) {
        ngx_inlets_row_sum(&client->row, counters);
        *tunnels = client->tunnels;
        rc = NGX_OK;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


void
ngx_inlets_meter_global(ngx_inlets_registry_t *reg,
    ngx_inlets_counters_t *counters)
{
    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_row_sum(&reg->sh->row, counters);

    ngx_shmtx_unlock(&reg->shpool->mutex);
}
