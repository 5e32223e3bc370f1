/*
 * Link keys: what a link has to show beside the ids in its URL, which come into
 * access logs.  A key follows from the tunnel's id and the secret of the zone,
 * so every worker knows it, also after a reload.
 */

#ifndef _NGX_INLETS_KEY_H_INCLUDED_
#define _NGX_INLETS_KEY_H_INCLUDED_


#include "ngx_inlets.h"
#include "ngx_inlets_registry.h"


#define NGX_INLETS_LINK_KEY  64         /* hexadecimal digits */


/* NGX_ERROR: OpenSSL failed. */
ngx_int_t ngx_inlets_link_key(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    u_char key[NGX_INLETS_LINK_KEY]);

/* NGX_OK or NGX_DECLINED, in a time that tells nothing of the key. */
ngx_int_t ngx_inlets_link_key_check(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_str_t *key);


#endif /* _NGX_INLETS_KEY_H_INCLUDED_ */
