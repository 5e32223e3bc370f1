/*
 * A mux session on an ngx_connection_t: a link (WebSocket, plain or TLS) or a
 * trunk (Unix socket).  It reads into one buffer of the worker, gives the bytes
 * to the mux, posts the events of the streams, and writes once per turn of the
 * event loop what all streams have queued.
 */

#ifndef _NGX_INLETS_SESSION_H_INCLUDED_
#define _NGX_INLETS_SESSION_H_INCLUDED_


#include "ngx_inlets.h"


typedef void (*ngx_inlets_session_pt)(ngx_inlets_session_t *session);
typedef void (*ngx_inlets_session_open_pt)(ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream);


struct ngx_inlets_session_s {
    ngx_connection_t            *connection;
    struct inlets_mux           *mux;

    /*
     * Set by the owner.  closed(): the session has ended, for whatever
     * reason; called once, after the streams were told; frees what the owner
     * holds, and the connection is closed right after it.  drain(): graceful
     * exit of this worker.  opened(): the peer opened a stream (trunks).
     * check(): called each time the timer fires, at most every "timeout";
     * it may close the session.  leaving(): the peer wants no new streams;
     * called once.  All but closed() may be NULL.
     */
    void                        *data;
    ngx_inlets_session_pt        closed;
    ngx_inlets_session_pt        drain;
    ngx_inlets_session_pt        check;
    ngx_inlets_session_pt        leaving;
    ngx_inlets_session_open_pt   opened;

    ngx_msec_t                   timeout;     /* silence, then ping; silence
                                                 again, then closed; 0: no
                                                 timer */
    ngx_queue_t                  queue;       /* the owner's */

    ngx_event_t                  flush;
    ngx_msec_t                   received;    /* ngx_current_msec */
    unsigned                     closing:1;
    unsigned                     away:1;      /* the peer is leaving */
    unsigned                     done:1;
    unsigned                     left:1;      /* to its streams: the last
                                                 one frees it */
};


/*
 * Takes the connection over: its handlers, its c->data, and its pool.  conf:
 * carrier, client, accept and limits; allocator and ctx are filled in.  NULL:
 * no memory, the connection is still the caller's.  The caller then sets the
 * handlers and calls start(), with bytes that were read too early, or NULL and
 * 0.  NGX_ERROR: the session has ended in it, and is gone.
 */
ngx_inlets_session_t *ngx_inlets_session_create(ngx_connection_t *c,
    struct inlets_mux_conf *conf);
ngx_int_t ngx_inlets_session_start(ngx_inlets_session_t *session, u_char *early,
    size_t len);

/*
 * Says go away (on links Close with code and reason), flushes, closes.  abort()
 * closes at once.  Both may be called from any handler; after them the session
 * may be gone.
 */
void ngx_inlets_session_close(ngx_inlets_session_t *session, ngx_uint_t code,
    const char *reason);
void ngx_inlets_session_abort(ngx_inlets_session_t *session);

/* Something was queued in the mux: have it written in this turn. */
void ngx_inlets_session_post(ngx_inlets_session_t *session);

/* A stream was released; the session may be gone after it. */
void ngx_inlets_session_released(ngx_inlets_session_t *session);

/* Closes a connection with its pool, as whoever made it does. */
void ngx_inlets_close_connection(ngx_connection_t *c);


#endif /* _NGX_INLETS_SESSION_H_INCLUDED_ */
