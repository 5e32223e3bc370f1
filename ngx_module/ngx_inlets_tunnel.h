/*
 * The tunnels whose links, or streams by trunk, this worker has; and dialling:
 * from a route to a stream connection.
 */

#ifndef _NGX_INLETS_TUNNEL_H_INCLUDED_
#define _NGX_INLETS_TUNNEL_H_INCLUDED_


#include "ngx_inlets_registry.h"
#include "ngx_inlets_session.h"
#include "ngx_inlets_stream.h"


struct ngx_inlets_tunnel_s {
    ngx_rbtree_node_t            node;        /* by the id's first bytes */
    ngx_inlets_id_t              id;
    ngx_inlets_registry_t       *registry;
    ngx_queue_t                  links;       /* of ngx_inlets_session_t */
    ngx_queue_t                  idle;        /* of ngx_inlets_stream_t, the
                                                 last used first */
    ngx_uint_t                   nidle;
    ngx_event_t                  timer;       /* closes idle streams */
};


/*
 * Links of this worker.  add_link(): registers the session as a link of the
 * tunnel, here and in the registry; results as
 * ngx_inlets_registry_add_link(), and NGX_ERROR without memory.
 * leave_link(): its client wants no more streams on it: it is no place for them
 * any more, in any worker, and idle ones end.  delete_link(): undoes add; for
 * the session's closed() handler.
 */
ngx_int_t ngx_inlets_tunnel_add_link(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_inlets_session_t *session);
void ngx_inlets_tunnel_leave_link(ngx_inlets_id_t *id,
    ngx_inlets_session_t *session);
void ngx_inlets_tunnel_delete_link(ngx_inlets_id_t *id,
    ngx_inlets_session_t *session);

/* Of this worker, or NULL. */
ngx_inlets_tunnel_t *ngx_inlets_tunnel_find(ngx_inlets_id_t *id);

/* The link with the fewest streams that takes one more, or NULL. */
ngx_inlets_session_t *ngx_inlets_tunnel_link(ngx_inlets_tunnel_t *tunnel);

/* Closes this worker's links of a tunnel that has ended. */
void ngx_inlets_tunnel_close(ngx_inlets_id_t *id, const char *reason);


/*
 * Streams between two requests.  keep(): takes an attached stream connection
 * with nothing unread; NGX_DECLINED: it stays the caller's.  It is closed
 * after NGX_INLETS_IDLE_TIME, when the peer sends anything, when the tunnel
 * was replaced or its client is leaving, or when more than NGX_INLETS_IDLE_MAX
 * are kept.  idle(): the last one kept, or NULL.
 */
#define NGX_INLETS_IDLE_MAX   128
#define NGX_INLETS_IDLE_TIME  30000
#define NGX_INLETS_IDLE_TICK  500

ngx_int_t ngx_inlets_tunnel_keep(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_connection_t *c);
ngx_connection_t *ngx_inlets_tunnel_idle(ngx_inlets_id_t *id);


/*
 * Dialling.  Gives a stream connection to the tunnel of host (if its length is
 * not 0) or port, through a link of this worker or else through a trunk.
 *
 * lookup(): only asks the registry, with its results, and fills d->found;
 * dial() after it does not ask again.
 *
 * NGX_OK: d->connection is attached.  NGX_AGAIN: it is not yet, since the
 * client is away or has no link yet; within d->wait it is attached and its
 * write event posted, or d->expired() is called, once.  NGX_DECLINED: unknown
 * route.  NGX_BUSY: known and no stream to be had.  NGX_ABORT: d->permit() did
 * not return NGX_OK for what was found; it may be NULL.  NGX_ERROR: no memory.
 * Closing the connection ends the wait.
 *
 * Each connection gets its own copy of d->head, in its pool.  d has to live as
 * long as the connection is not attached.
 */
typedef struct ngx_inlets_dial_s  ngx_inlets_dial_t;

struct ngx_inlets_dial_s {
    ngx_inlets_registry_t       *registry;
    ngx_str_t                    host;
    in_port_t                    port;
    ngx_str_t                    head;
    ngx_msec_t                   wait;
    ngx_log_t                   *log;
    ngx_int_t                  (*permit)(ngx_inlets_dial_t *d);
    void                       (*expired)(ngx_inlets_dial_t *d);
    void                        *data;

    ngx_connection_t            *connection;
    ngx_inlets_found_t           found;
    ngx_event_t                  timer;
    ngx_msec_t                   deadline;
    ngx_uint_t                   arrivals;    /* when it last looked */
    ngx_uint_t                   looks;       /* still to be made */
    ngx_uint_t                   ticks;       /* since it looked */
    ngx_pool_cleanup_t          *cleanup;     /* of the wait */
    ngx_int_t                    looked_up;   /* NGX_CONF_UNSET: not yet */
};

#define ngx_inlets_dial_init(d)                                               \
    ngx_memzero(d, sizeof(ngx_inlets_dial_t));                                \
    (d)->looked_up = NGX_CONF_UNSET

ngx_int_t ngx_inlets_dial_lookup(ngx_inlets_dial_t *d);
ngx_int_t ngx_inlets_dial(ngx_inlets_dial_t *d);


#endif /* _NGX_INLETS_TUNNEL_H_INCLUDED_ */
