
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * Workers: their rows in each zone, and what is left of those that were killed.
 */


#include "ngx_inlets_registry_impl.h"

#include <signal.h>
#include <openssl/rand.h>


/* how long the routes of a worker that was killed are remembered, seconds */
#define NGX_INLETS_REMEMBER  60


typedef struct {
    ngx_pid_t                    pid;
    u_char                      *key;
    ngx_int_t                    rc;
} ngx_inlets_registry_key_t;


static void ngx_inlets_registry_enter(ngx_inlets_registry_t *reg, void *data);
static void ngx_inlets_registry_leave(ngx_inlets_registry_t *reg, void *data);
static void ngx_inlets_registry_reap_zone(ngx_inlets_registry_t *reg,
    void *data);
static void ngx_inlets_registry_key_zone(ngx_inlets_registry_t *reg,
    void *data);


/* of this process, in its row of each zone */
static u_char  ngx_inlets_registry_own_key[NGX_INLETS_WORKER_KEY];


ngx_int_t
ngx_inlets_registry_init_worker(ngx_cycle_t *cycle)
{
    ngx_int_t  rc;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (RAND_bytes(ngx_inlets_registry_own_key, NGX_INLETS_WORKER_KEY) != 1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    rc = NGX_OK;

    ngx_inlets_registry_each(cycle, ngx_inlets_registry_enter, &rc);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "inlets zone is full, no room for a worker");
    }

    /* a worker without its row can take no tunnels but serves all else */

    return NGX_OK;
}


void
ngx_inlets_registry_exit_worker(ngx_cycle_t *cycle)
{
    ngx_inlets_meter_exit();

    ngx_inlets_registry_each(cycle, ngx_inlets_registry_leave, NULL);
}


static void
ngx_inlets_registry_enter(ngx_inlets_registry_t *reg, void *data)
{
    ngx_int_t *rc = data;

    ngx_queue_t               *q, *next;
    ngx_inlets_worker_node_t  *worker;

    ngx_shmtx_lock(&reg->shpool->mutex);

    for (q = ngx_queue_head(&reg->sh->workers);
         q != ngx_queue_sentinel(&reg->sh->workers);
         q = next)
    {
        next = ngx_queue_next(q);
        worker = ngx_queue_data(q, ngx_inlets_worker_node_t, queue);

        if (worker->slot == ngx_process_slot || worker->pid == ngx_pid
            || ngx_inlets_registry_dead(worker->pid))
        {
            ngx_inlets_registry_purge(reg, worker->pid);
        }
    }

    if (ngx_inlets_registry_add_worker(reg) != NGX_OK) {
        *rc = NGX_ERROR;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


static void
ngx_inlets_registry_leave(ngx_inlets_registry_t *reg, void *data)
{
    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_registry_purge(reg, ngx_pid);

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_registry_reap(ngx_pid_t pid)
{
    if (ngx_inlets_registry_dead(pid)) {
        ngx_inlets_registry_each((ngx_cycle_t *) ngx_cycle,
                                 ngx_inlets_registry_reap_zone, &pid);
    }
}


static void
ngx_inlets_registry_reap_zone(ngx_inlets_registry_t *reg, void *data)
{
    ngx_pid_t *pid = data;

    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_registry_purge(reg, *pid);

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


ngx_uint_t
ngx_inlets_registry_worker_alive(ngx_pid_t pid)
{
    u_char  key[NGX_INLETS_WORKER_KEY];

    return ngx_inlets_registry_worker_key(pid, key) == NGX_OK;
}


ngx_int_t
ngx_inlets_registry_worker_key(ngx_pid_t pid, u_char *key)
{
    ngx_inlets_registry_key_t  ctx;

    if (pid == ngx_pid) {
        ngx_memcpy(key, ngx_inlets_registry_own_key, NGX_INLETS_WORKER_KEY);
        return NGX_OK;
    }

    ctx.pid = pid;
    ctx.key = key;
    ctx.rc = NGX_DECLINED;

    ngx_inlets_registry_each((ngx_cycle_t *) ngx_cycle,
                             ngx_inlets_registry_key_zone, &ctx);

    return ctx.rc;
}


static void
ngx_inlets_registry_key_zone(ngx_inlets_registry_t *reg, void *data)
{
    ngx_inlets_registry_key_t *ctx = data;

    ngx_inlets_worker_node_t  *worker;

    if (ctx->rc == NGX_OK) {
        return;
    }

    ngx_shmtx_lock(&reg->shpool->mutex);

    worker = ngx_inlets_registry_worker(reg, ctx->pid);

    if (worker) {
        ngx_memcpy(ctx->key, worker->key, NGX_INLETS_WORKER_KEY);
        ctx->rc = NGX_OK;
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


ngx_inlets_worker_node_t *
ngx_inlets_registry_worker(ngx_inlets_registry_t *reg, ngx_pid_t pid)
{
    ngx_queue_t               *q;
    ngx_inlets_worker_node_t  *worker;

    for (q = ngx_queue_head(&reg->sh->workers);
         q != ngx_queue_sentinel(&reg->sh->workers);
         q = ngx_queue_next(q))
    {
        worker = ngx_queue_data(q, ngx_inlets_worker_node_t, queue);

        if (worker->pid == pid) {
            return worker;
        }
    }

    return NULL;
}


ngx_int_t
ngx_inlets_registry_add_worker(ngx_inlets_registry_t *reg)
{
    ngx_inlets_worker_node_t  *worker;

    if (ngx_inlets_registry_worker(reg, ngx_pid)) {
        return NGX_OK;
    }

    worker = ngx_inlets_registry_alloc(reg, sizeof(ngx_inlets_worker_node_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->pid = ngx_pid;
    worker->slot = ngx_process_slot;
    ngx_memcpy(worker->key, ngx_inlets_registry_own_key,
               NGX_INLETS_WORKER_KEY);

    ngx_queue_init(&worker->shares);
    ngx_queue_init(&worker->ended);

    ngx_queue_insert_tail(&reg->sh->workers, &worker->queue);

    return NGX_OK;
}


void
ngx_inlets_registry_purge(ngx_inlets_registry_t *reg, ngx_pid_t pid)
{
    ngx_uint_t                    i;
    ngx_rbtree_node_t            *node, *next;
    ngx_inlets_worker_node_t     *worker;
    ngx_inlets_tunnel_node_t     *tunnel;
    ngx_inlets_registry_shctx_t  *sh;

    sh = reg->sh;

    node = (sh->tunnels.root == &sh->tunnels_sentinel)
           ? NULL : ngx_rbtree_min(sh->tunnels.root, &sh->tunnels_sentinel);

    while (node) {
        next = ngx_rbtree_next(&sh->tunnels, node);

        tunnel = (ngx_inlets_tunnel_node_t *) node;

        for (i = 0; i < tunnel->nplaces; i++) {
            if (tunnel->places[i].pid == pid) {
                tunnel->nlinks -= tunnel->places[i].links;
                ngx_inlets_registry_delete_place(tunnel, i);
                break;
            }
        }

        if (tunnel->pid == pid) {
            ngx_inlets_registry_delete_tunnel(reg, tunnel,
                                              NGX_INLETS_REMEMBER);
        }

        node = next;
    }

    worker = ngx_inlets_registry_worker(reg, pid);

    if (worker) {
        ngx_inlets_meter_purge(reg, worker);
        ngx_queue_remove(&worker->queue);
        ngx_slab_free_locked(reg->shpool, worker);
    }
}


ngx_uint_t
ngx_inlets_registry_dead(ngx_pid_t pid)
{
    return pid != ngx_pid && kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH;
}
