/*
 * A stream as nginx sees it: an ngx_connection_t with its own recv, send,
 * recv_chain and send_chain, whose readiness comes from the mux.  Pool and
 * log are the connection's; destroying the pool ends the stream (FIN where both
 * sides are done, RST otherwise), ngx_close_connection() returns the
 * connection.  Events are edge-triggered: active, and ready as told.
 */

#ifndef _NGX_INLETS_STREAM_H_INCLUDED_
#define _NGX_INLETS_STREAM_H_INCLUDED_


#include "ngx_inlets_meter.h"


struct ngx_inlets_stream_s {
    struct sockaddr              sockaddr;    /* first: c->sockaddr is it */

    ngx_connection_t            *connection;
    struct inlets_mux_stream    *stream;      /* NULL: not attached, or over */
    ngx_inlets_session_t        *session;

    ngx_str_t                    head;        /* to be sent before all else */

    /* bytes that are read as if they had come from the peer, then EOF */
    ngx_str_t                    answer;

    ngx_queue_t                  queue;       /* the owner's: idle */
    void                        *data;        /* the owner's */
    ngx_msec_t                   used;        /* the owner's: idle since */

    ngx_inlets_meter_t           meter;       /* where the visitor is */
    ngx_inlets_pace_t           *pace[2];     /* [NGX_INLETS_UP], ... */

    unsigned                     attached:1;  /* at some time */
    unsigned                     metered:1;
    unsigned                     answering:1;
    unsigned                     refused:1;   /* the peer had nothing of it */
};


/* The stream of such a connection; is_stream() tells sockets from them. */
#define ngx_inlets_stream(c)  ((ngx_inlets_stream_t *) (c)->sockaddr)
#define ngx_inlets_is_stream(c)  ((c)->recv == ngx_inlets_stream_recv)


/*
 * create(): a connection that is not attached yet: reads and writes are AGAIN.
 * attach(): opens a stream in the session for it; the write event is posted.
 * NGX_DECLINED: the session takes no more.  accept(): a connection for a
 * stream that the peer opened.  NULL: no memory or connections, logged.
 *
 * head is not copied; it has to live as long as the connection's pool.
 */
ngx_connection_t *ngx_inlets_stream_create(ngx_log_t *log);
ngx_int_t ngx_inlets_stream_attach(ngx_connection_t *c,
    ngx_inlets_session_t *session);
ngx_connection_t *ngx_inlets_stream_accept(ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream, ngx_log_t *log);

/*
 * From now on what is written is discarded, and answer, which is not copied,
 * is what is read.
 */
void ngx_inlets_stream_answer(ngx_connection_t *c, ngx_str_t *answer);

/*
 * The peer reads EOF after what was sent; reading goes on.  NGX_AGAIN: the
 * head still waits for room, call again when writable.  NGX_ERROR: it is reset.
 */
ngx_int_t ngx_inlets_stream_shutdown(ngx_connection_t *c);

/* Ends stream, pool and connection; reset: RST where FIN would do. */
void ngx_inlets_stream_close(ngx_connection_t *c, ngx_uint_t reset);

/* Bytes straight into the output; results as inlets_mux_reserve(). */
ssize_t ngx_inlets_stream_reserve(ngx_connection_t *c, u_char **ret_buf);
void ngx_inlets_stream_commit(ngx_connection_t *c, size_t bytes);

ssize_t ngx_inlets_stream_recv(ngx_connection_t *c, u_char *buf, size_t size);

/* Called by the session: posts events. */
void ngx_inlets_stream_ready(struct inlets_mux_stream *stream,
    ngx_uint_t events);


#endif /* _NGX_INLETS_STREAM_H_INCLUDED_ */
