/*
 * Copies bytes between two connections, each a socket (plain or TLS) or a
 * stream: a TCP visitor and a stream, or a trunk's stream and a link's.  EOF of
 * one side is passed on as a half-close and the other direction goes on; a
 * reset or an error ends both, and is passed on as a reset.
 *
 * Where one side is a stream, bytes are read straight into the output of its
 * session (inlets_mux_reserve()) and written straight out of its receive
 * buffers (inlets_mux_peek()), so a relay has no buffer of its own.
 */

#ifndef _NGX_INLETS_RELAY_H_INCLUDED_
#define _NGX_INLETS_RELAY_H_INCLUDED_


#include "ngx_inlets.h"


typedef struct ngx_inlets_relay_s  ngx_inlets_relay_t;

typedef enum {
    NGX_INLETS_RELAY_DONE = 0,    /* EOF both ways, all was passed on */
    NGX_INLETS_RELAY_RESET,       /* by one side */
    NGX_INLETS_RELAY_ERROR,
    NGX_INLETS_RELAY_TIMEOUT,     /* nothing moved for that long */
    NGX_INLETS_RELAY_CLOSED       /* the worker is shutting down */
} ngx_inlets_relay_end_e;

typedef void (*ngx_inlets_relay_done_pt)(ngx_inlets_relay_t *relay,
    ngx_inlets_relay_end_e end);


struct ngx_inlets_relay_s {
    ngx_connection_t            *a;
    ngx_connection_t            *b;           /* always a stream */
    ngx_msec_t                   timeout;     /* idle, 0: none */
    ngx_inlets_relay_done_pt     done;        /* closes a and b */
    void                        *data;
    ngx_str_t                    early;       /* read from a before, not
                                                 copied */

    off_t                        sent[2];     /* bytes to a, to b */

    void                        *a_data;      /* c->data, given back at end */
    void                        *b_data;
    ngx_event_t                  timer;
    ngx_msec_t                   moved;       /* when anything did */
    unsigned                     a_eof:1;
    unsigned                     b_eof:1;
    unsigned                     a_shutdown:1;
    unsigned                     b_shutdown:1;
    unsigned                     b_lost:1;    /* it was b that was reset */
    unsigned                     ended:1;
};


/*
 * Takes the handlers and c->data of a and b until done() is called, once,
 * possibly before start() returns.  The struct is the caller's; fields from
 * "sent" on are zeroed.  b may be attached later.  A running relay keeps an
 * exiting worker alive, with a timeout or without.
 *
 * On NGX_INLETS_RELAY_RESET of b a socket a is set to be closed with a reset.
 */
void ngx_inlets_relay_start(ngx_inlets_relay_t *relay);

/* Gives a and b back without done(). */
void ngx_inlets_relay_stop(ngx_inlets_relay_t *relay);


#endif /* _NGX_INLETS_RELAY_H_INCLUDED_ */
