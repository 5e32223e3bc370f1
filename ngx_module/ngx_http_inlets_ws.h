/*
 * A WebSocket of text messages on a connection that was detached from its
 * HTTP request: input is reassembled and checked, output queued and bounded.
 *
 * The struct is zeroed and lives in the connection's pool; the owner sets the
 * fields of the first group.  closed() is called once, whatever ends it;
 * struct and pool live on until the output is flushed and the peer has had
 * its chance to read it.
 */

#ifndef _NGX_HTTP_INLETS_WS_H_INCLUDED_
#define _NGX_HTTP_INLETS_WS_H_INCLUDED_


#include "ngx_http_inlets.h"
#include "inlets_ws.h"


typedef struct ngx_http_inlets_ws_s  ngx_http_inlets_ws_t;

typedef void (*ngx_http_inlets_ws_pt)(ngx_http_inlets_ws_t *ws);
typedef void (*ngx_http_inlets_ws_message_pt)(ngx_http_inlets_ws_t *ws,
    u_char *text, size_t len);
typedef void (*ngx_http_inlets_ws_closed_pt)(ngx_http_inlets_ws_t *ws,
    const char *reason);


struct ngx_http_inlets_ws_s {
    void                           *data;
    size_t                          limit;      /* longest message */
    size_t                          out_max;    /* of queued output; a default
                                                   is set by init() */
    ngx_http_inlets_ws_message_pt   message;
    ngx_http_inlets_ws_pt           timeout;    /* of connection->read */
    ngx_http_inlets_ws_pt           drain;      /* graceful exit of worker */
    ngx_http_inlets_ws_closed_pt    closed;

    ngx_connection_t               *connection;
    ngx_msec_t                      received;   /* ngx_current_msec */

    u_char                         *out;
    size_t                          out_pos;
    size_t                          out_last;
    size_t                          out_size;

    ngx_msec_t                      counted;
    ngx_uint_t                      excess;     /* thousandths of a message */

    unsigned                        busy:1;
    unsigned                        done:1;     /* closed() was called */
    unsigned                        lingering:1;
    unsigned                        shut:1;
    unsigned                        broken:1;

    struct inlets_ws_reader         reader;
};


/*
 * init() takes the connection over; messages may be sent from then on.  start()
 * sends and receives; early: what was read together with the handshake, the
 * caller's.  After start() the struct may be gone.
 */
void ngx_http_inlets_ws_init(ngx_http_inlets_ws_t *ws, ngx_connection_t *c);
void ngx_http_inlets_ws_start(ngx_http_inlets_ws_t *ws, u_char *early,
    size_t len);

/*
 * Around several messages from outside of a handler of ws: the struct lives at
 * least until uncork(), which sends them.
 */
void ngx_http_inlets_ws_cork(ngx_http_inlets_ws_t *ws);
void ngx_http_inlets_ws_uncork(ngx_http_inlets_ws_t *ws);

/* A text message; the peer that doesn't read is closed. */
void ngx_http_inlets_ws_send(ngx_http_inlets_ws_t *ws, void *text,
    size_t len);

/*
 * finish(): flushes what was sent before, then closes TCP; with a Close frame
 * of code and reason unless code is 0.  close(): at once.  Both call closed().
 */
void ngx_http_inlets_ws_finish(ngx_http_inlets_ws_t *ws, ngx_uint_t code,
    const char *reason);
void ngx_http_inlets_ws_close(ngx_http_inlets_ws_t *ws, const char *reason);


#endif /* _NGX_HTTP_INLETS_WS_H_INCLUDED_ */
