
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_policy.h"
#include "inlets_protocol.h"
#include "inlets_sign.h"


#define NGX_HTTP_INLETS_DATE   48
#define NGX_HTTP_INLETS_DRIFT  320


static ngx_int_t ngx_http_inlets_auth_lookup(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_auth_public(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_auth_client(ngx_inlets_settings_t *settings,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_auth_secret(ngx_array_t **secrets,
    ngx_str_t *secret, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_auth_tokens(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_settings_t *settings, ngx_array_t **tokens, ngx_pool_t *pool);
static ngx_int_t ngx_http_inlets_auth_signature(ngx_array_t *secrets,
    ngx_http_inlets_auth_t *auth);
static ngx_int_t ngx_http_inlets_auth_drift(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_str_t *message, ngx_pool_t *pool);
static void ngx_http_inlets_auth_date(u_char *buf, uint64_t msec);
static ngx_int_t ngx_http_inlets_auth_fail(ngx_str_t *message,
    ngx_pool_t *pool, const char *fmt, ngx_str_t *value);


static ngx_str_t  ngx_http_inlets_token = ngx_string(INLETS_AUTH_TOKEN);
static ngx_str_t  ngx_http_inlets_credentials =
    ngx_string(INLETS_AUTH_CREDENTIALS);
static ngx_str_t  ngx_http_inlets_public = ngx_string(INLETS_AUTH_PUBLIC);

static ngx_str_t  ngx_http_inlets_public_secret =
    ngx_string(INLETS_PUBLIC_SECRET);

/* Signed with when there is no secret, so that it takes as long. */
static ngx_str_t  ngx_http_inlets_no_secret = ngx_string("-");


static ngx_inline ngx_uint_t
ngx_http_inlets_auth_is(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


ngx_int_t
ngx_http_inlets_authenticate(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_str_t *message, ngx_pool_t *pool)
{
    ngx_int_t     rc, signature;
    ngx_array_t  *secrets;

    secrets = NULL;

    if (auth->type.len == 0) {
        auth->type = ngx_http_inlets_token;
    }

    rc = ngx_http_inlets_auth_lookup(ilcf, auth, &secrets, message, pool);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    signature = ngx_http_inlets_auth_signature(secrets, auth);

    if (rc != NGX_OK) {
        return rc;
    }

    if (signature != NGX_OK) {
        ngx_str_set(message, INLETS_FAIL_SIGNATURE);
        return NGX_DECLINED;
    }

    return ngx_http_inlets_auth_drift(ilcf, auth, message, pool);
}


/*
 * A login that was recorded is of no use later.  Both clocks are named, since
 * the one that is wrong may be either.
 */

static ngx_int_t
ngx_http_inlets_auth_drift(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_str_t *message, ngx_pool_t *pool)
{
    u_char       theirs[NGX_HTTP_INLETS_DATE], ours[NGX_HTTP_INLETS_DATE];
    u_char       apart[NGX_HTTP_INLETS_DURATION];
    u_char       most[NGX_HTTP_INLETS_DURATION];
    uint64_t     now, then, drift;
    ngx_msec_t   max;
    ngx_uint_t   i;
    ngx_time_t  *tp;

    max = ngx_http_inlets_policy_drift(ilcf);

    if (max == 0) {
        return NGX_OK;
    }

    then = 0;

    for (i = 0; i < auth->timestamp.len; i++) {
        then = then * 10 + (auth->timestamp.data[i] - '0');
    }

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    drift = (then > now) ? then - now : now - then;

    if (drift <= max) {
        return NGX_OK;
    }

    auth->drifted = 1;

    ngx_http_inlets_auth_date(theirs, then);
    ngx_http_inlets_auth_date(ours, now);
    *ngx_http_inlets_duration(apart, drift) = '\0';
    *ngx_http_inlets_duration(most, max) = '\0';

    message->data = ngx_pnalloc(pool, NGX_HTTP_INLETS_DRIFT);
    if (message->data == NULL) {
        return NGX_ERROR;
    }

    message->len = ngx_slprintf(message->data,
                                message->data + NGX_HTTP_INLETS_DRIFT,
                                "clocks differ too much: %s at the client, "
                                "%s at this server, %s apart, at most %s is "
                                "allowed", theirs, ours, apart, most)
                   - message->data;

    return NGX_DECLINED;
}


/* RFC 3339; years of more than four digits are what was sent. */

static void
ngx_http_inlets_auth_date(u_char *buf, uint64_t msec)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (msec / 1000), &tm);

    *ngx_snprintf(buf, NGX_HTTP_INLETS_DATE - 1,
                  "%4d-%02d-%02dT%02d:%02d:%02d.%03uiZ", tm.ngx_tm_year,
                  tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                  tm.ngx_tm_min, tm.ngx_tm_sec, (ngx_uint_t) (msec % 1000))
        = '\0';
}


/*
 * The secrets, one of which must have signed.  NGX_DECLINED: none applies, and
 * message says why.
 */

static ngx_int_t
ngx_http_inlets_auth_lookup(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool)
{
    ngx_array_t            *tokens;
    ngx_inlets_settings_t  *settings;

    settings = ilcf->settings ? ngx_inlets_settings_get(ilcf->settings) : NULL;

    if (ngx_http_inlets_auth_tokens(ilcf, settings, &tokens, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_inlets_auth_is(&auth->type, &ngx_http_inlets_public)) {
        return ngx_http_inlets_auth_public(ilcf, auth, secrets, message, pool);
    }

    if (ngx_http_inlets_auth_is(&auth->type, &ngx_http_inlets_credentials)) {

        if (settings && settings->nclients) {
            return ngx_http_inlets_auth_client(settings, auth, secrets,
                                               message, pool);
        }

        if (tokens->nelts == 0) {
            return ngx_http_inlets_auth_fail(message, pool,
                          INLETS_FAIL_CLIENT INLETS_FAIL_NO_CREDENTIALS, NULL);
        }

        /* with no clients configured, the token is the secret of any id */

        *secrets = tokens;

        return NGX_OK;
    }

    if (ngx_http_inlets_auth_is(&auth->type, &ngx_http_inlets_token)) {

        if (tokens->nelts == 0) {
            return ngx_http_inlets_auth_fail(message, pool,
                          INLETS_FAIL_CLIENT INLETS_FAIL_NO_TOKEN, NULL);
        }

        *secrets = tokens;

        return NGX_OK;
    }

    return ngx_http_inlets_auth_fail(message, pool,
                                     INLETS_FAIL_CLIENT
                                     "unknown authType \"%V\"", &auth->type);
}


static ngx_int_t
ngx_http_inlets_auth_public(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool)
{
    if (!auth->http) {
        return ngx_http_inlets_auth_fail(message, pool,
                          INLETS_FAIL_CLIENT INLETS_FAIL_PUBLIC_TCP, NULL);
    }

    if (!ngx_http_inlets_policy_is_public(ilcf)) {
        return ngx_http_inlets_auth_fail(message, pool,
                          INLETS_FAIL_CLIENT
                          "public auth is not enabled on this server", NULL);
    }

    if (auth->has_name) {
        return ngx_http_inlets_auth_fail(message, pool,
                                         INLETS_FAIL_PUBLIC_NAME, NULL);
    }

    return ngx_http_inlets_auth_secret(secrets, &ngx_http_inlets_public_secret,
                                       pool);
}


static ngx_int_t
ngx_http_inlets_auth_client(ngx_inlets_settings_t *settings,
    ngx_http_inlets_auth_t *auth, ngx_array_t **secrets, ngx_str_t *message,
    ngx_pool_t *pool)
{
    ngx_inlets_identity_t  *identity;

    identity = ngx_inlets_settings_identity(settings, &auth->client_id);

    if (identity == NULL || identity->disabled) {

        /* as with a wrong secret: no answer tells which ids exist */

        ngx_str_set(message, INLETS_FAIL_SIGNATURE);
        return NGX_DECLINED;
    }

    return ngx_http_inlets_auth_secret(secrets, &identity->secret, pool);
}


static ngx_int_t
ngx_http_inlets_auth_secret(ngx_array_t **secrets, ngx_str_t *secret,
    ngx_pool_t *pool)
{
    ngx_str_t  *s;

    *secrets = ngx_array_create(pool, 1, sizeof(ngx_str_t));
    if (*secrets == NULL) {
        return NGX_ERROR;
    }

    s = ngx_array_push(*secrets);
    *s = *secret;

    return NGX_OK;
}


/* Of the directives and of the settings file. */

static ngx_int_t
ngx_http_inlets_auth_tokens(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_settings_t *settings, ngx_array_t **tokens, ngx_pool_t *pool)
{
    ngx_str_t   *token;
    ngx_uint_t   i;

    *tokens = ngx_array_create(pool, 2, sizeof(ngx_str_t));
    if (*tokens == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; ilcf->tokens && i < ilcf->tokens->nelts; i++) {
        token = ngx_array_push(*tokens);
        if (token == NULL) {
            return NGX_ERROR;
        }

        *token = ((ngx_str_t *) ilcf->tokens->elts)[i];
    }

    if (settings && settings->token.len) {
        token = ngx_array_push(*tokens);
        if (token == NULL) {
            return NGX_ERROR;
        }

        *token = settings->token;
    }

    return NGX_OK;
}


/* All secrets are tried, whichever matches, and at least one. */

static ngx_int_t
ngx_http_inlets_auth_signature(ngx_array_t *secrets,
    ngx_http_inlets_auth_t *auth)
{
    ngx_int_t    rc;
    ngx_str_t   *secret;
    ngx_uint_t   i, n;

    if (secrets) {
        secret = secrets->elts;
        n = secrets->nelts;

    } else {
        secret = &ngx_http_inlets_no_secret;
        n = 1;
    }

    rc = NGX_DECLINED;

    for (i = 0; i < n; i++) {

        if (inlets_sign_check(secret[i].data, secret[i].len,
                              auth->timestamp.data, auth->timestamp.len,
                              (char *) auth->signature.data,
                              auth->signature.len)
            == INLETS_OK)
        {
            rc = NGX_OK;
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_inlets_auth_fail(ngx_str_t *message, ngx_pool_t *pool,
    const char *fmt, ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(fmt) + (value ? value->len : 0);

    message->data = ngx_pnalloc(pool, len);
    if (message->data == NULL) {
        return NGX_ERROR;
    }

    message->len = ngx_slprintf(message->data, message->data + len, fmt,
                                value)
                   - message->data;

    return NGX_DECLINED;
}
