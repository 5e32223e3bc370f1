/*
 * Inside of the registry: what lies in the zone.  For ngx_inlets_registry*.c
 * and ngx_inlets_meter.c only.
 */

#ifndef _NGX_INLETS_REGISTRY_IMPL_H_INCLUDED_
#define _NGX_INLETS_REGISTRY_IMPL_H_INCLUDED_


#include "ngx_inlets_registry.h"


#define NGX_INLETS_ZONE_KEY  32


typedef struct {
    ngx_queue_t                  queue;
    ngx_pid_t                    pid;
    ngx_int_t                    slot;
    u_char                       key[NGX_INLETS_WORKER_KEY];
    ngx_uint_t                   links;
    ngx_queue_t                  shares;
    ngx_queue_t                  ended;       /* shares without a row */
} ngx_inlets_worker_node_t;


/*
 * The counters are written by the process of the worker only, unlocked, and
 * are not in the cache line of what others read to find their own share.
 */

struct ngx_inlets_share_s {
    ngx_inlets_worker_node_t    *worker;
    ngx_inlets_row_t            *row;         /* NULL: it has ended */
    ngx_queue_t                  row_queue;
    ngx_queue_t                  worker_queue;
    u_char                       pad[64 - 6 * sizeof(void *)];

    volatile uint64_t            up;
    volatile uint64_t            down;
    volatile uint64_t            requests;
    volatile uint64_t            streams;
    volatile uint64_t            errors;
    volatile uint64_t            streams_now;
};


/* Of a client id; kept for a while without tunnels. */

typedef struct {
    ngx_str_node_t               sn;
    ngx_queue_t                  queue;       /* in "idle" without tunnels */
    ngx_inlets_row_t             row;
    ngx_inlets_bucket_t          buckets[2];
    ngx_uint_t                   tunnels;
    ngx_uint_t                   routes;      /* tunnels not taken over */
    time_t                       used;
    ngx_uint_t                   passing;     /* an id of one session */
    u_char                       data[NGX_INLETS_CLIENT_ID];
} ngx_inlets_client_node_t;


typedef struct {
    int32_t                      pid;
    int32_t                      slot;
    uint32_t                     links;
    uint32_t                     leaving;     /* of these */
} ngx_inlets_place_node_t;


typedef struct ngx_inlets_route_node_s  ngx_inlets_route_node_t;


typedef struct {
    ngx_str_node_t               sn;          /* by id */
    ngx_inlets_id_t              id;
    ngx_inlets_route_node_t     *route;       /* NULL: taken over */
    ngx_uint_t                   generation;
    ngx_inlets_client_node_t    *client;
    ngx_inlets_row_t             row;
    ngx_inlets_id_t              next;        /* without a route: by whom */
    ngx_inlets_rules_t          *rules;       /* or NULL */
    time_t                       since;       /* of the first one resumed */

    int32_t                      pid;         /* of the monitor's worker */
    int32_t                      slot;

    uint16_t                     type;
    uint16_t                     port;
    uint16_t                     max_links;
    uint16_t                     nlinks;
    uint16_t                     nplaces;
    uint16_t                     client_id_len;
    uint16_t                     identity_len;
    uint16_t                     auth;
    uint16_t                     keyed;
    uint16_t                     no_reuse;
    uint32_t                     max_streams;
    ngx_inlets_place_node_t      places[NGX_INLETS_MAX_LINKS];
    u_char                       data[1];     /* client id, identity */
} ngx_inlets_tunnel_node_t;


struct ngx_inlets_route_node_s {
    ngx_str_node_t               sn;          /* by host, or sn.node by port */
    ngx_queue_t                  queue;       /* in "away" without a tunnel */
    ngx_inlets_tunnel_node_t    *tunnel;      /* NULL: away */
    ngx_inlets_tunnel_node_t    *last;        /* away: what there was */
    time_t                       expires;
    ngx_uint_t                   type;
    u_char                       data[1];     /* host */
};


typedef struct {
    ngx_rbtree_t                 hosts;
    ngx_rbtree_node_t            hosts_sentinel;
    ngx_rbtree_t                 ports;
    ngx_rbtree_node_t            ports_sentinel;
    ngx_rbtree_t                 tunnels;
    ngx_rbtree_node_t            tunnels_sentinel;
    ngx_rbtree_t                 ended;       /* tunnels of routes away */
    ngx_rbtree_node_t            ended_sentinel;
    ngx_queue_t                  away;        /* the latest first */
    ngx_queue_t                  workers;
    ngx_uint_t                   next;        /* where to look for a port */
    ngx_uint_t                   generation;  /* configurations so far */
    ngx_atomic_t                 arrivals;    /* links so far */

    ngx_uint_t                   nrules;      /* tunnels that have some */
    u_char                       key[NGX_INLETS_ZONE_KEY];

    ngx_rbtree_t                 attempts;
    ngx_rbtree_node_t            attempts_sentinel;
    ngx_queue_t                  attempts_queue;    /* the latest first */
    ngx_uint_t                   nattempts;

    ngx_rbtree_t                 clients;
    ngx_rbtree_node_t            clients_sentinel;
    ngx_queue_t                  idle[2];     /* clients, the latest first,
                                                 of one session: [1] */
    ngx_uint_t                   nclients;
    ngx_uint_t                   nidle;
    ngx_uint_t                   ntunnels;

    ngx_inlets_row_t             row;
    ngx_inlets_bucket_t          buckets[2];
} ngx_inlets_registry_shctx_t;


struct ngx_inlets_registry_s {
    ngx_uint_t                    generation;
    ngx_inlets_registry_shctx_t  *sh;
    ngx_slab_pool_t              *shpool;
    ngx_shm_zone_t               *shm_zone;

    ngx_array_t                   ports;      /* of in_port_t */
    u_char                       *offered;    /* a bit per port */

    ngx_uint_t                    declared;   /* unsigned  declared:1; */
};


typedef void (*ngx_inlets_registry_pt)(ngx_inlets_registry_t *reg, void *data);


void ngx_inlets_registry_each(ngx_cycle_t *cycle,
    ngx_inlets_registry_pt handler, void *data);

/*
 * With the mutex of the zone locked, as all that follow.  add_worker(): the row
 * of this process, if it has none.  purge(): all that was of a worker.  dead():
 * it was killed.
 */

ngx_inlets_worker_node_t *ngx_inlets_registry_worker(
    ngx_inlets_registry_t *reg, ngx_pid_t pid);
ngx_int_t ngx_inlets_registry_add_worker(ngx_inlets_registry_t *reg);
void ngx_inlets_registry_purge(ngx_inlets_registry_t *reg, ngx_pid_t pid);
ngx_uint_t ngx_inlets_registry_dead(ngx_pid_t pid);

/* remember: for how long its route is away, seconds, or 0. */
void ngx_inlets_registry_delete_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, time_t remember);
void ngx_inlets_registry_delete_place(ngx_inlets_tunnel_node_t *tunnel,
    ngx_uint_t n);
ngx_inlets_tunnel_node_t *ngx_inlets_registry_lookup_id(
    ngx_inlets_registry_t *reg, ngx_inlets_id_t *id);
void ngx_inlets_registry_copy(ngx_inlets_tunnel_node_t *tunnel,
    ngx_inlets_found_t *found);
ngx_inlets_route_node_t *ngx_inlets_registry_lookup_host(
    ngx_inlets_registry_t *reg, ngx_str_t *host);
ngx_inlets_route_node_t *ngx_inlets_registry_lookup_port(
    ngx_inlets_registry_t *reg, in_port_t port);
void *ngx_inlets_registry_alloc(ngx_inlets_registry_t *reg, size_t size);

/*
 * Rows.  end(): the shares that workers still count in are freed by them.
 * move(): what "from" has counted until now counts as that of "to".
 */
void ngx_inlets_row_init(ngx_inlets_row_t *row);
void ngx_inlets_row_end(ngx_inlets_row_t *row);
void ngx_inlets_row_move(ngx_inlets_row_t *from, ngx_inlets_row_t *to);
void ngx_inlets_row_sum(ngx_inlets_row_t *row,
    ngx_inlets_counters_t *counters);

/* Adds all but the open streams. */
void ngx_inlets_share_add(ngx_inlets_share_t *share,
    ngx_inlets_counters_t *counters);

/*
 * What this worker counts a tunnel's streams in; tunnel NULL: only what is of
 * the zone.  purge(): the shares of a worker that is gone.
 */
void ngx_inlets_meter_get(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, ngx_inlets_meter_t *meter);
void ngx_inlets_meter_purge(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker);

void ngx_inlets_meter_set(ngx_inlets_bucket_t *buckets,
    ngx_inlets_limit_t *limit);

/* Unlocked: this worker exits, nothing is counted from now on. */
void ngx_inlets_meter_exit(void);

/*
 * Rows of clients.  claim(): found or created, with one tunnel more; NULL: no
 * memory; passing: it needn't be remembered.  release(): one tunnel less.
 * expire(): forgets a few that have been idle for long, or the longest idle one
 * of too many.  evict(): forgets one to make room; 0: there is none.
 */
ngx_inlets_client_node_t *ngx_inlets_client_claim(ngx_inlets_registry_t *reg,
    ngx_str_t *id, ngx_uint_t passing);
void ngx_inlets_client_release(ngx_inlets_registry_t *reg,
    ngx_inlets_client_node_t *client);
void ngx_inlets_client_expire(ngx_inlets_registry_t *reg);
ngx_uint_t ngx_inlets_client_evict(ngx_inlets_registry_t *reg);
ngx_inlets_client_node_t *ngx_inlets_client_lookup(ngx_inlets_registry_t *reg,
    ngx_str_t *id);


#endif /* _NGX_INLETS_REGISTRY_IMPL_H_INCLUDED_ */
