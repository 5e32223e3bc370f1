
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_registry_impl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>


static ngx_int_t ngx_inlets_rules_hash(ngx_inlets_registry_t *reg,
    u_char *data, size_t len, u_char *hash);
static ngx_int_t ngx_inlets_rules_range(ngx_str_t *text, u_char *p);
static ngx_int_t ngx_inlets_rules_set_locked(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, ngx_inlets_rules_t *rules);
static ngx_int_t ngx_inlets_rules_check(ngx_inlets_registry_t *reg,
    u_char *hashes, ngx_uint_t n, ngx_str_t *secret);
static ngx_uint_t ngx_inlets_rules_match(u_char *p, ngx_uint_t n,
    u_char *addr);


#define ngx_inlets_rules_hashes(rules)                                        \
    (((rules)->nbasic + (rules)->nbearer) * NGX_INLETS_RULES_HASH)

#define ngx_inlets_rules_first_range(rules)                                   \
    ((rules)->data + ngx_inlets_rules_hashes(rules))


size_t
ngx_inlets_rules_size(ngx_inlets_rules_t *rules)
{
    return offsetof(ngx_inlets_rules_t, data)
           + ngx_inlets_rules_hashes(rules)
           + (rules->nallow + rules->ndeny) * sizeof(struct inlets_cidr);
}


ngx_int_t
ngx_inlets_rules_basic(ngx_inlets_rules_t *rules, ngx_inlets_registry_t *reg,
    ngx_str_t *user, ngx_str_t *password)
{
    u_char     *p, buf[NGX_INLETS_RULES_TEXT];
    size_t      len;
    ngx_int_t   rc;

    len = user->len + 1 + password->len;

    if (user->len == 0
        || len > NGX_INLETS_RULES_TEXT
        || ngx_strlchr(user->data, user->data + user->len, ':')
        || rules->nbearer
        || rules->nbasic == NGX_INLETS_RULES_BASIC)
    {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(buf, user->data, user->len);
    *p++ = ':';
    ngx_memcpy(p, password->data, password->len);

    rc = ngx_inlets_rules_hash(reg, buf, len,
                       rules->data + rules->nbasic * NGX_INLETS_RULES_HASH);

    ngx_explicit_memzero(buf, len);

    if (rc == NGX_OK) {
        rules->nbasic++;
    }

    return rc;
}


ngx_int_t
ngx_inlets_rules_bearer(ngx_inlets_rules_t *rules, ngx_inlets_registry_t *reg,
    ngx_str_t *token)
{
    ngx_int_t  rc;

    if (token->len == 0
        || token->len > NGX_INLETS_RULES_TEXT
        || rules->nbasic + rules->nbearer >= NGX_INLETS_RULES_BASIC)
    {
        return NGX_DECLINED;
    }

    rc = ngx_inlets_rules_hash(reg, token->data, token->len,
                               ngx_inlets_rules_first_range(rules));

    if (rc == NGX_OK) {
        rules->nbearer++;
    }

    return rc;
}


static ngx_int_t
ngx_inlets_rules_hash(ngx_inlets_registry_t *reg, u_char *data, size_t len,
    u_char *hash)
{
    unsigned int  n;

    n = NGX_INLETS_RULES_HASH;

    if (HMAC(EVP_sha256(), reg->sh->key, NGX_INLETS_ZONE_KEY, data, len, hash,
             &n)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_inlets_rules_ranges(ngx_inlets_rules_t *rules, ngx_inlets_rules_t *others)
{
    rules->nallow = others->nallow;
    rules->ndeny = others->ndeny;

    ngx_memcpy(ngx_inlets_rules_first_range(rules),
               ngx_inlets_rules_first_range(others),
               (others->nallow + others->ndeny) * sizeof(struct inlets_cidr));
}


ngx_int_t
ngx_inlets_rules_allow(ngx_inlets_rules_t *rules, ngx_str_t *text)
{
    u_char  *p;

    if (rules->nallow == NGX_INLETS_RULES_ALLOW) {
        return NGX_DECLINED;
    }

    p = ngx_inlets_rules_first_range(rules)
        + rules->nallow * sizeof(struct inlets_cidr);

    if (ngx_inlets_rules_range(text, p) != NGX_OK) {
        return NGX_DECLINED;
    }

    rules->nallow++;

    return NGX_OK;
}


ngx_int_t
ngx_inlets_rules_deny(ngx_inlets_rules_t *rules, ngx_str_t *text)
{
    u_char  *p;

    if (rules->ndeny == NGX_INLETS_RULES_DENY) {
        return NGX_DECLINED;
    }

    p = ngx_inlets_rules_first_range(rules)
        + (rules->nallow + rules->ndeny) * sizeof(struct inlets_cidr);

    if (ngx_inlets_rules_range(text, p) != NGX_OK) {
        return NGX_DECLINED;
    }

    rules->ndeny++;

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_rules_range(ngx_str_t *text, u_char *p)
{
    struct inlets_cidr  cidr;

    if (inlets_cidr_parse((char *) text->data, text->len, &cidr) != INLETS_OK) {
        return NGX_DECLINED;
    }

    ngx_memcpy(p, &cidr, sizeof(struct inlets_cidr));

    return NGX_OK;
}


ngx_int_t
ngx_inlets_rules_seal(ngx_inlets_rules_t *rules, ngx_inlets_registry_t *reg)
{
    u_char  hash[NGX_INLETS_RULES_HASH];

    rules->tag = 0;

    if (rules->nbasic == 0 && rules->nbearer == 0
        && rules->nallow == 0 && rules->ndeny == 0)
    {
        return NGX_OK;
    }

    if (ngx_inlets_rules_hash(reg, (u_char *) rules,
                              ngx_inlets_rules_size(rules), hash)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(&rules->tag, hash, sizeof(uint64_t));

    if (rules->tag == 0) {
        rules->tag = 1;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_inlets_rules_any(ngx_inlets_registry_t *reg)
{
    return reg->sh->nrules;
}


ngx_int_t
ngx_inlets_rules_set(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_inlets_rules_t *rules, ngx_log_t *log)
{
    ngx_int_t                  rc;
    ngx_inlets_tunnel_node_t  *tunnel;

    ngx_shmtx_lock(&reg->shpool->mutex);

    tunnel = ngx_inlets_registry_lookup_id(reg, id);
    rc = tunnel ? ngx_inlets_rules_set_locked(reg, tunnel, rules) : NGX_OK;

    ngx_shmtx_unlock(&reg->shpool->mutex);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "inlets zone \"%V\" is full, no room for rules for "
                      "visitors", &reg->shm_zone->shm.name);
    }

    return rc;
}


static ngx_int_t
ngx_inlets_rules_set_locked(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, ngx_inlets_rules_t *rules)
{
    size_t               len;
    ngx_inlets_rules_t  *stored;

    if (rules->tag == (tunnel->rules ? tunnel->rules->tag : 0)) {
        return NGX_OK;
    }

    stored = NULL;

    if (rules->tag) {
        len = ngx_inlets_rules_size(rules);

        stored = ngx_inlets_registry_alloc(reg, len);
        if (stored == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(stored, rules, len);
        reg->sh->nrules++;
    }

    if (tunnel->rules) {
        ngx_slab_free_locked(reg->shpool, tunnel->rules);
        reg->sh->nrules--;
    }

    tunnel->rules = stored;

    return NGX_OK;
}


void
ngx_inlets_rules_get(ngx_inlets_registry_t *reg, ngx_str_t *host,
    in_port_t port, ngx_inlets_rules_t *rules)
{
    ngx_inlets_rules_t        *stored;
    ngx_inlets_route_node_t   *route;
    ngx_inlets_tunnel_node_t  *tunnel;

    rules->tag = 0;

    ngx_shmtx_lock(&reg->shpool->mutex);

    route = host ? ngx_inlets_registry_lookup_host(reg, host)
                 : ngx_inlets_registry_lookup_port(reg, port);

    tunnel = (route && route->tunnel == NULL) ? route->last
                                              : route ? route->tunnel : NULL;
    stored = tunnel ? tunnel->rules : NULL;

    if (stored) {
        ngx_memcpy(rules, stored, ngx_inlets_rules_size(stored));
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


ngx_int_t
ngx_inlets_rules_check_addr(ngx_inlets_rules_t *rules, struct sockaddr *sa)
{
    u_char                addr[16], *ranges;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (rules->nallow == 0 && rules->ndeny == 0) {
        return NGX_OK;
    }

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        inlets_cidr_map((uint8_t *) &sin->sin_addr, addr);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memcpy(addr, &sin6->sin6_addr, 16);
        break;
#endif

    default:
        return rules->nallow ? NGX_DECLINED : NGX_OK;
    }

    ranges = ngx_inlets_rules_first_range(rules);

    if (ngx_inlets_rules_match(ranges
                               + rules->nallow * sizeof(struct inlets_cidr),
                               rules->ndeny, addr))
    {
        return NGX_DECLINED;
    }

    if (rules->nallow == 0
        || ngx_inlets_rules_match(ranges, rules->nallow, addr))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_inlets_rules_match(u_char *p, ngx_uint_t n, u_char *addr)
{
    struct inlets_cidr  cidr;

    while (n--) {
        ngx_memcpy(&cidr, p, sizeof(struct inlets_cidr));

        if (inlets_cidr_match(&cidr, addr)) {
            return 1;
        }

        p += sizeof(struct inlets_cidr);
    }

    return 0;
}


ngx_int_t
ngx_inlets_rules_check_basic(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *credentials)
{
    return ngx_inlets_rules_check(reg, rules->data, rules->nbasic,
                                  credentials);
}


ngx_int_t
ngx_inlets_rules_check_bearer(ngx_inlets_rules_t *rules,
    ngx_inlets_registry_t *reg, ngx_str_t *token)
{
    return ngx_inlets_rules_check(reg, rules->data + rules->nbasic
                                                     * NGX_INLETS_RULES_HASH,
                                  rules->nbearer, token);
}


/* All are compared, whichever matches. */

static ngx_int_t
ngx_inlets_rules_check(ngx_inlets_registry_t *reg, u_char *hashes,
    ngx_uint_t n, ngx_str_t *secret)
{
    u_char      hash[NGX_INLETS_RULES_HASH];
    ngx_uint_t  i, found;

    if (ngx_inlets_rules_hash(reg, secret->data, secret->len, hash) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    found = 0;

    for (i = 0; i < n; i++) {
        found |= (CRYPTO_memcmp(hash, hashes + i * NGX_INLETS_RULES_HASH,
                                NGX_INLETS_RULES_HASH)
                  == 0);
    }

    return found ? NGX_OK : NGX_DECLINED;
}
