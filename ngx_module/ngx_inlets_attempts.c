
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_registry_impl.h"
#include "ngx_inlets_attempts.h"


typedef struct {
    ngx_str_node_t               sn;          /* by address */
    ngx_queue_t                  queue;
    ngx_uint_t                   failed;
    time_t                       expires;     /* of counting, or of refusal */
    ngx_uint_t                   refused;     /* unsigned  refused:1; */
    u_char                       addr[16];
} ngx_inlets_attempts_node_t;


static ngx_int_t ngx_inlets_attempts_addr(struct sockaddr *sa, u_char *addr);
static ngx_inlets_attempts_node_t *ngx_inlets_attempts_lookup(
    ngx_inlets_registry_t *reg, u_char *addr);
static ngx_inlets_attempts_node_t *ngx_inlets_attempts_create(
    ngx_inlets_registry_t *reg, u_char *addr);


ngx_int_t
ngx_inlets_attempts_check(ngx_inlets_registry_t *reg, struct sockaddr *sa)
{
    u_char                       addr[16];
    ngx_int_t                    rc;
    ngx_inlets_attempts_node_t  *node;

    if (ngx_inlets_attempts_addr(sa, addr) != NGX_OK) {
        return NGX_OK;
    }

    ngx_shmtx_lock(&reg->shpool->mutex);

    node = ngx_inlets_attempts_lookup(reg, addr);

    rc = (node && node->refused && node->expires > ngx_time()) ? NGX_DECLINED
                                                               : NGX_OK;

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


ngx_int_t
ngx_inlets_attempts_failed(ngx_inlets_registry_t *reg, struct sockaddr *sa,
    ngx_uint_t max)
{
    u_char                       addr[16];
    time_t                       now;
    ngx_int_t                    rc;
    ngx_inlets_attempts_node_t  *node;

    if (ngx_inlets_attempts_addr(sa, addr) != NGX_OK) {
        return NGX_OK;
    }

    rc = NGX_OK;
    now = ngx_time();

    ngx_shmtx_lock(&reg->shpool->mutex);

    node = ngx_inlets_attempts_lookup(reg, addr);

    if (node == NULL) {
        node = ngx_inlets_attempts_create(reg, addr);
        if (node == NULL) {
            goto done;
        }

    } else {
        ngx_queue_remove(&node->queue);
    }

    ngx_queue_insert_head(&reg->sh->attempts_queue, &node->queue);

    if (node->expires <= now) {
        node->failed = 0;
        node->refused = 0;
        node->expires = now + NGX_INLETS_ATTEMPTS_TIME;
    }

    if (++node->failed >= max && !node->refused) {
        node->refused = 1;
        node->expires = now + NGX_INLETS_ATTEMPTS_TIME;
        rc = NGX_DECLINED;
    }

done:

    ngx_shmtx_unlock(&reg->shpool->mutex);

    return rc;
}


static ngx_int_t
ngx_inlets_attempts_addr(struct sockaddr *sa, u_char *addr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        inlets_cidr_map((uint8_t *) &sin->sin_addr, addr);
        return NGX_OK;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memcpy(addr, &sin6->sin6_addr, 16);

        if (!IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memzero(addr + 8, 8);
        }

        return NGX_OK;
#endif

    default:
        return NGX_DECLINED;
    }
}


static ngx_inlets_attempts_node_t *
ngx_inlets_attempts_lookup(ngx_inlets_registry_t *reg, u_char *addr)
{
    ngx_str_t  str;

    str.data = addr;
    str.len = 16;

    return (ngx_inlets_attempts_node_t *)
               ngx_str_rbtree_lookup(&reg->sh->attempts, &str,
                                     ngx_murmur_hash2(addr, 16));
}


/* The one that was quiet for the longest time makes room. */

static ngx_inlets_attempts_node_t *
ngx_inlets_attempts_create(ngx_inlets_registry_t *reg, u_char *addr)
{
    ngx_queue_t                  *q;
    ngx_inlets_attempts_node_t   *node;
    ngx_inlets_registry_shctx_t  *sh;

    sh = reg->sh;
    node = NULL;

    if (sh->nattempts < NGX_INLETS_ATTEMPTS_MAX) {
        node = ngx_slab_alloc_locked(reg->shpool,
                                     sizeof(ngx_inlets_attempts_node_t));
    }

    if (node) {
        sh->nattempts++;

    } else {
        if (ngx_queue_empty(&sh->attempts_queue)) {
            return NULL;
        }

        q = ngx_queue_last(&sh->attempts_queue);
        node = ngx_queue_data(q, ngx_inlets_attempts_node_t, queue);

        ngx_queue_remove(q);
        ngx_rbtree_delete(&sh->attempts, &node->sn.node);
    }

    ngx_memzero(node, sizeof(ngx_inlets_attempts_node_t));

    ngx_memcpy(node->addr, addr, 16);
    node->sn.str.data = node->addr;
    node->sn.str.len = 16;
    node->sn.node.key = ngx_murmur_hash2(addr, 16);

    ngx_rbtree_insert(&sh->attempts, &node->sn.node);

    return node;
}
