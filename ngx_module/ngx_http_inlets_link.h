/*
 * Links: the data connections of a tunnel, mux sessions inside WebSockets.
 */

#ifndef _NGX_HTTP_INLETS_LINK_H_INCLUDED_
#define _NGX_HTTP_INLETS_LINK_H_INCLUDED_


#include "ngx_http_inlets_connect.h"


typedef struct ngx_http_inlets_link_s  ngx_http_inlets_link_t;


/*
 * create(): NGX_OK, NGX_ERROR, or an HTTP status with the text for it: the
 * arguments are wrong, or the tunnel takes no more links.  start() takes the
 * connection over.
 */
ngx_int_t ngx_http_inlets_link_create(ngx_http_request_t *r,
    ngx_http_inlets_peer_t *peer, ngx_http_inlets_link_t **ret,
    const char **text);
void ngx_http_inlets_link_start(ngx_connection_t *c, void *data,
    u_char *early, size_t len);


#endif /* _NGX_HTTP_INLETS_LINK_H_INCLUDED_ */
