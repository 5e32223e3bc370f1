/*
 * What all parts of the edge have in common.  The words tunnel, monitor, link,
 * stream, route, registry and trunk are explained in README.md.
 */

#ifndef _NGX_INLETS_H_INCLUDED_
#define _NGX_INLETS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "inlets_error.h"
#include "inlets_mux.h"


#define NGX_INLETS_ID_LEN      16   /* a container id, binary */
#define NGX_INLETS_ID_TEXT     36   /* 8-4-4-4-12, lower case */
#define NGX_INLETS_MAX_HOST    253
#define NGX_INLETS_MAX_LINKS   16   /* links of a tunnel, all workers */
#define NGX_INLETS_CLIENT_ID   64   /* longest client id */


typedef struct ngx_inlets_registry_s  ngx_inlets_registry_t;
typedef struct ngx_inlets_session_s   ngx_inlets_session_t;
typedef struct ngx_inlets_stream_s    ngx_inlets_stream_t;
typedef struct ngx_inlets_tunnel_s    ngx_inlets_tunnel_t;
typedef struct ngx_inlets_pace_s      ngx_inlets_pace_t;


typedef struct {
    u_char                    data[NGX_INLETS_ID_LEN];
} ngx_inlets_id_t;


#endif /* _NGX_INLETS_H_INCLUDED_ */
