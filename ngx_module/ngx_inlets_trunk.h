/*
 * Trunks: one mux session on a Unix socket between two workers, made when the
 * first stream needs it.  A stream on a trunk begins with the 16 bytes of the
 * tunnel's id; the worker at the other end opens a stream on one of its links
 * and relays all that follows, both ways.
 *
 * Each worker listens on an abstract socket address made of the random value
 * in its row of the registry and its pid; a connection is taken only from a
 * process of the same user whose pid has a row in the registry (SO_PEERCRED).
 */

#ifndef _NGX_INLETS_TRUNK_H_INCLUDED_
#define _NGX_INLETS_TRUNK_H_INCLUDED_


#include "ngx_inlets_registry.h"
#include "ngx_inlets_session.h"


/* The listener, in each worker process.  exit: closes listener and trunks. */
ngx_int_t ngx_inlets_trunk_init_worker(ngx_cycle_t *cycle);
void ngx_inlets_trunk_exit_worker(ngx_cycle_t *cycle);

/*
 * The session to that worker, connecting it if there is none.  NULL: it can't
 * be reached (logged).  Streams may be attached to it at once.
 */
ngx_inlets_session_t *ngx_inlets_trunk_get(ngx_inlets_place_t *place,
    ngx_log_t *log);


#endif /* _NGX_INLETS_TRUNK_H_INCLUDED_ */
