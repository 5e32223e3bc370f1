
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_key.h"
#include "ngx_inlets_registry_impl.h"
#include "inlets_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define NGX_INLETS_LINK_KEY_USE  "link"     /* not for passwords */


ngx_int_t
ngx_inlets_link_key(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    u_char key[NGX_INLETS_LINK_KEY])
{
    u_char        text[sizeof(NGX_INLETS_LINK_KEY_USE) + NGX_INLETS_ID_LEN];
    u_char        hash[NGX_INLETS_LINK_KEY / 2];
    unsigned int  n;

    ngx_memcpy(text, NGX_INLETS_LINK_KEY_USE, sizeof(NGX_INLETS_LINK_KEY_USE));
    ngx_memcpy(text + sizeof(NGX_INLETS_LINK_KEY_USE), id->data,
               NGX_INLETS_ID_LEN);

    n = sizeof(hash);

    if (HMAC(EVP_sha256(), reg->sh->key, NGX_INLETS_ZONE_KEY, text,
             sizeof(text), hash, &n)
        == NULL)
    {
        return NGX_ERROR;
    }

    ngx_hex_dump(key, hash, n);

    return NGX_OK;
}


ngx_int_t
ngx_inlets_link_key_check(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_str_t *key)
{
    u_char  good[NGX_INLETS_LINK_KEY];

    if (ngx_inlets_link_key(reg, id, good) != NGX_OK
        || !inlets_sign_equal(key->data, key->len, good, NGX_INLETS_LINK_KEY))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
