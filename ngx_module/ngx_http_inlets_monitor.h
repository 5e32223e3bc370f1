/*
 * Monitors: login, registration, heartbeat and drain of a tunnel.
 */

#ifndef _NGX_HTTP_INLETS_MONITOR_H_INCLUDED_
#define _NGX_HTTP_INLETS_MONITOR_H_INCLUDED_


#include "ngx_http_inlets_connect.h"


/*
 * create() copies out of the request what is needed when it is gone; NULL: no
 * memory.  start() takes the connection over.
 */
ngx_http_inlets_monitor_t *ngx_http_inlets_monitor_create(
    ngx_http_request_t *r, ngx_http_inlets_peer_t *peer);
void ngx_http_inlets_monitor_start(ngx_connection_t *c, void *data,
    u_char *early, size_t len);


#endif /* _NGX_HTTP_INLETS_MONITOR_H_INCLUDED_ */
