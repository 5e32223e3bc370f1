/*
 * The registry: which tunnel serves which host name or port, and in which
 * worker processes its links are.  It lives in a shared memory zone and is
 * kept over a reload.  All functions lock the zone's slab mutex for their own
 * time only, copy values out, and may be called from any worker.
 *
 * A row is owned by a worker, named by process slot and pid; rows of a worker
 * that died without cleaning up are purged by the worker that takes its slot,
 * or by one that finds it dead on its way.
 */

#ifndef _NGX_INLETS_REGISTRY_H_INCLUDED_
#define _NGX_INLETS_REGISTRY_H_INCLUDED_


#include "ngx_inlets_meter.h"
#include "ngx_inlets_rules.h"


#define NGX_INLETS_WORKER_KEY  16
#define NGX_INLETS_LABEL       63


typedef enum {
    NGX_INLETS_HTTP = 1,
    NGX_INLETS_TCP
} ngx_inlets_type_e;


/* Who a client is. */

typedef enum {
    NGX_INLETS_AUTH_TOKEN = 1,
    NGX_INLETS_AUTH_CREDENTIALS,
    NGX_INLETS_AUTH_PUBLIC
} ngx_inlets_auth_e;


typedef struct {
    ngx_pid_t                 pid;
    ngx_int_t                 slot;         /* ngx_process_slot */
    ngx_uint_t                links;
} ngx_inlets_place_t;


/* What a lookup copies out. */

typedef struct {
    ngx_inlets_id_t           id;
    ngx_inlets_type_e         type;
    in_port_t                 port;         /* TCP, host byte order */
    ngx_uint_t                replaced;     /* another has its route now */
    ngx_uint_t                newer;        /* by find_id(): its worker has a
                                               later configuration than this */
    ngx_inlets_auth_e         auth;
    ngx_uint_t                keyed;        /* its links show a key */
    ngx_uint_t                max_streams;  /* of its identity, 0: no limit */
    ngx_uint_t                no_reuse;     /* a stream for each request */
    uint64_t                  rules;        /* their tag, 0: none; also set
                                               with NGX_AGAIN */
    size_t                    client_id_len;
    u_char                    client_id[NGX_INLETS_CLIENT_ID];
    size_t                    label_len;    /* by find_id(): of its host, */
    u_char                    label[NGX_INLETS_LABEL];  /* before the dot */
    ngx_uint_t                nplaces;
    ngx_inlets_place_t        places[NGX_INLETS_MAX_LINKS];
    ngx_inlets_meter_t        meter;        /* zeroed by find_id() */
} ngx_inlets_found_t;


/* Rows as a walk copies them. */

typedef struct {
    ngx_inlets_found_t        found;
    ngx_pid_t                 pid;          /* of the monitor's worker */
    size_t                    host_len;
    u_char                    host[NGX_INLETS_MAX_HOST];
    ngx_inlets_counters_t     counters;
} ngx_inlets_tunnel_row_t;

typedef struct {
    size_t                    id_len;
    u_char                    id[NGX_INLETS_CLIENT_ID];
    ngx_uint_t                tunnels;
    ngx_inlets_limit_t        limit;
    ngx_inlets_counters_t     counters;
} ngx_inlets_client_row_t;

typedef struct {
    ngx_pid_t                 pid;
    ngx_uint_t                links;
    ngx_inlets_counters_t     counters;     /* since: 0 */
} ngx_inlets_worker_row_t;

typedef struct {
    ngx_uint_t                tunnels;
    ngx_uint_t                clients;      /* that have tunnels */
    ngx_inlets_limit_t        limit;
    ngx_inlets_counters_t     counters;
} ngx_inlets_zone_row_t;


/* What a client asks for at registration. */

typedef struct {
    ngx_inlets_type_e         type;
    ngx_inlets_id_t           id;           /* of the new tunnel */
    ngx_str_t                 host;         /* HTTP: full name, lower case;
                                               empty: that of the session that
                                               is resumed, put into data */
    in_port_t                 port;         /* TCP: 0 picks a free one */
    ngx_str_t                 client_id;
    ngx_str_t                 identity;     /* "token", "public" or
                                               "credentials:<client id>": who
                                               may resume; at most 80 bytes */
    ngx_inlets_id_t          *resume;       /* NULL, or the id of the session
                                               this one continues */
    ngx_inlets_auth_e         auth;
    ngx_uint_t                max_links;    /* at most NGX_INLETS_MAX_LINKS */
    ngx_uint_t                keyed;        /* links show a key */
    ngx_inlets_limit_t        limit;        /* of this client id */
    ngx_uint_t                max_tunnels;  /* of this client id, 0: any */
    ngx_uint_t                max_streams;  /* of this client id, 0: any */
    ngx_array_t              *ports;        /* of ngx_inlets_ports_t: of which
                                               port 0 picks; NULL: of all */
    ngx_inlets_rules_t       *rules;        /* or NULL */
    ngx_uint_t                no_reuse;     /* a stream for each request */
    time_t                    since;        /* set: when the first session
                                               began that this one continues */
} ngx_inlets_claim_t;


/*
 * Configuration time.  add(): declares the zone (size > 0), or refers to one
 * that is or will be declared (size 0), from http{} or stream{}; NULL: an error
 * was logged.  add_port(): a port that a stream server listens on for this
 * zone, host byte order.  get_port_count() for checks.
 */
ngx_inlets_registry_t *ngx_inlets_registry_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);
ngx_str_t *ngx_inlets_registry_name(ngx_inlets_registry_t *reg);
ngx_int_t ngx_inlets_registry_add_port(ngx_conf_t *cf,
    ngx_inlets_registry_t *reg, in_port_t port);

/* After all blocks were read: EMERG and NGX_ERROR if it was never declared. */
ngx_int_t ngx_inlets_registry_check(ngx_cycle_t *cycle);

/* In each worker, at start and at exit, for all zones of the cycle. */
ngx_int_t ngx_inlets_registry_init_worker(ngx_cycle_t *cycle);
void ngx_inlets_registry_exit_worker(ngx_cycle_t *cycle);

/*
 * For trunks.  worker_alive(): that worker has a row in some zone.
 * worker_key(): copies the random value of its row, NGX_INLETS_WORKER_KEY
 * bytes, or NGX_DECLINED.  reap(): purges its rows if it is dead.
 */
ngx_uint_t ngx_inlets_registry_worker_alive(ngx_pid_t pid);
ngx_int_t ngx_inlets_registry_worker_key(ngx_pid_t pid, u_char *key);
void ngx_inlets_registry_reap(ngx_pid_t pid);


/*
 * claim(): NGX_OK, claim->port is set for TCP; NGX_BUSY: name or port is held
 * by another; NGX_DECLINED: the port is not one of this edge, or (port 0) none
 * is free, or (empty host) nothing is resumed; NGX_ABORT: the client has
 * max_tunnels; NGX_ERROR: the zone is full, an ALERT was logged.  A resume that
 * matches id and identity takes the route over, the older tunnel keeps its
 * links until it ends; or the route that is away since that tunnel ended.  A
 * resume that matches nothing is an ordinary claim.
 *
 * end(): the tunnel is over.  Its route, if still its own, is free at once, and
 * remembered as away for "remember" seconds (0: forgotten at once).
 */
ngx_int_t ngx_inlets_registry_claim(ngx_inlets_registry_t *reg,
    ngx_inlets_claim_t *claim, ngx_log_t *log);
void ngx_inlets_registry_end(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    time_t remember);

/* Changed settings: what the identity of a tunnel may take from now on. */
void ngx_inlets_registry_set_max_streams(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_uint_t max_streams);

/*
 * A link of this worker.  NGX_OK; NGX_DECLINED: no such tunnel; NGX_BUSY: it
 * has max_links.  leave_link(): no lookup finds it from now on, but it counts;
 * delete_link() is then told.
 */
ngx_int_t ngx_inlets_registry_add_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id);
void ngx_inlets_registry_leave_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id);
void ngx_inlets_registry_delete_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_uint_t left);

/*
 * Lookups.  NGX_OK: found is filled (nplaces may be 0: no link yet);
 * NGX_AGAIN: the route is known and its client away; NGX_DECLINED: unknown.
 * host is compared as given: lower case, no port, no final dot.
 */
ngx_int_t ngx_inlets_registry_find_host(ngx_inlets_registry_t *reg,
    ngx_str_t *host, ngx_inlets_found_t *found);
ngx_int_t ngx_inlets_registry_find_port(ngx_inlets_registry_t *reg,
    in_port_t port, ngx_inlets_found_t *found);
ngx_int_t ngx_inlets_registry_find_id(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_inlets_found_t *found);

/*
 * Changes with each link that is added, in any worker: while it doesn't, who
 * waits for one need not look.  Read without the mutex.
 */
ngx_uint_t ngx_inlets_registry_arrivals(ngx_inlets_registry_t *reg);

/*
 * Walks, in pieces of at most n rows, for which alone the mutex is held: those
 * behind the last row of the piece before, or the first ones (last NULL).
 * Returns how many there were; 0: no more.
 */
ngx_uint_t ngx_inlets_registry_walk_tunnels(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_row_t *last, ngx_inlets_tunnel_row_t *rows,
    ngx_uint_t n);
ngx_uint_t ngx_inlets_registry_walk_clients(ngx_inlets_registry_t *reg,
    ngx_inlets_client_row_t *last, ngx_inlets_client_row_t *rows,
    ngx_uint_t n);
ngx_uint_t ngx_inlets_registry_walk_workers(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_row_t *last, ngx_inlets_worker_row_t *rows,
    ngx_uint_t n);
void ngx_inlets_registry_zone_row(ngx_inlets_registry_t *reg,
    ngx_inlets_zone_row_t *row);


#endif /* _NGX_INLETS_REGISTRY_H_INCLUDED_ */
