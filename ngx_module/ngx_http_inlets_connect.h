/*
 * From a request for a WebSocket to a connection without a request: what the
 * parts of the edge that own such connections share.
 */

#ifndef _NGX_HTTP_INLETS_CONNECT_H_INCLUDED_
#define _NGX_HTTP_INLETS_CONNECT_H_INCLUDED_


#include "ngx_http_inlets.h"


/* c->log->data of a monitor or a link, which log as ", client: ..." */

typedef struct {
    ngx_str_t                    client;      /* address */
    u_char                       id[NGX_INLETS_ID_TEXT + 1];
                                              /* of the tunnel; empty: none */
} ngx_http_inlets_peer_t;


ngx_http_inlets_peer_t *ngx_http_inlets_peer_create(ngx_http_request_t *r);
u_char *ngx_http_inlets_peer_log(ngx_log_t *log, u_char *buf, size_t len);

/*
 * Answers 101 with Sec-WebSocket-Accept for key, then frees the request and
 * calls start() with the connection, which is start's to close, by
 * ngx_http_close_connection() or a handler that does so.  early: what came
 * together with the request, valid during the call.  data and peer are
 * allocated from the connection's pool.
 */
typedef void (*ngx_http_inlets_start_pt)(ngx_connection_t *c, void *data,
    u_char *early, size_t len);

ngx_int_t ngx_http_inlets_upgrade(ngx_http_request_t *r, ngx_str_t *key,
    ngx_http_inlets_peer_t *peer, ngx_http_inlets_start_pt start, void *data);

/* NGX_OK with key set, or an HTTP status with the text for it. */
ngx_int_t ngx_http_inlets_handshake(ngx_http_request_t *r, ngx_str_t *key,
    const char **text);


#endif /* _NGX_HTTP_INLETS_CONNECT_H_INCLUDED_ */
