
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_values.h"
#include "inlets_error.h"


#define NGX_INLETS_SETTINGS_JSON  (64 * 1024)


static ngx_int_t ngx_inlets_settings_parse(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides, u_char *buf, size_t len);
static int ngx_inlets_settings_override(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides);
static ngx_int_t ngx_inlets_settings_init(ngx_inlets_settings_ctx_t *ctx);
static void ngx_inlets_settings_cleanup(void *data);

static ngx_int_t ngx_inlets_settings_finish(ngx_inlets_settings_ctx_t *ctx);
static void ngx_inlets_settings_check(ngx_inlets_settings_ctx_t *ctx);
static ngx_int_t ngx_inlets_settings_index(ngx_inlets_settings_ctx_t *ctx);
static ngx_inlets_identity_t *ngx_inlets_settings_insert(
    ngx_inlets_settings_t *s, ngx_inlets_identity_t *identity);
static void ngx_inlets_settings_merge(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *limit);

static void ngx_inlets_settings_fault(void *data,
    const struct inlets_config_fault *fault);


ngx_int_t
ngx_inlets_settings_load(ngx_str_t *path,
    ngx_inlets_settings_overrides_t *overrides, ngx_log_t *log,
    ngx_inlets_settings_load_t *load)
{
    char                       reason[NGX_INLETS_SETTINGS_REASON];
    size_t                     len;
    u_char                    *buf, hash[EVP_MAX_MD_SIZE];
    ngx_int_t                  rc;
    ngx_file_info_t            fi;
    ngx_inlets_settings_ctx_t  ctx;

    ngx_memzero(&ctx, sizeof(ngx_inlets_settings_ctx_t));
    ngx_memzero(load, sizeof(ngx_inlets_settings_load_t));

    load->path = *path;
    load->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);
    if (load->pool == NULL) {
        return NGX_ERROR;
    }

    ctx.load = load;
    ctx.log = log;
    load->digest = EVP_MD_CTX_new();

    if (load->digest == NULL
        || EVP_DigestInit_ex(load->digest, EVP_sha256(), NULL) != 1
        || ngx_inlets_settings_init(&ctx) != NGX_OK)
    {
        goto failed;
    }

    ngx_inlets_settings_look(path, &load->state);

    rc = ngx_inlets_settings_read(load, path, NGX_INLETS_SETTINGS_SIZE, &buf,
                                  &len, reason);

    if (rc == NGX_DECLINED) {
        load->missing = (ngx_file_info(path->data, &fi) == NGX_FILE_ERROR);
        inlets_config_error(&ctx.config, 0, NULL, "the file %s", reason);
    }

    if (rc == NGX_OK) {
        rc = ngx_inlets_settings_parse(&ctx, overrides, buf, len);

        ngx_explicit_memzero(buf, len);
        ngx_free(buf);
    }

    if (rc == NGX_ERROR || ctx.no_memory
        || EVP_DigestFinal_ex(load->digest, hash, NULL) != 1)
    {
        goto failed;
    }

    ngx_memcpy(&load->hash, hash, sizeof(uint64_t));

    ctx.settings->version = load->hash;

    if (load->faults.nelts == 0) {
        load->settings = ctx.settings;
    }

    EVP_MD_CTX_free(load->digest);

    return NGX_OK;

failed:

    EVP_MD_CTX_free(load->digest);
    ngx_destroy_pool(load->pool);

    return NGX_ERROR;
}


static ngx_int_t
ngx_inlets_settings_parse(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides, u_char *buf, size_t len)
{
    int        rc;
    char      *scratch;
    ngx_int_t  rv;

    scratch = ngx_alloc(NGX_INLETS_SETTINGS_JSON, ctx->log);
    if (scratch == NULL) {
        return NGX_ERROR;
    }

    ctx->config.scratch = scratch;
    ctx->config.scratch_size = NGX_INLETS_SETTINGS_JSON;

    rc = inlets_config_parse(&ctx->config, (char *) buf, len);

    if (rc != INLETS_E_NO_MEMORY && overrides->text.len) {
        rc = ngx_inlets_settings_override(ctx, overrides);
    }

    rv = (rc == INLETS_E_NO_MEMORY) ? NGX_ERROR
                                    : ngx_inlets_settings_finish(ctx);
    ngx_free(scratch);

    return rv;
}


/* A token takes the place of the file's, not of it only as text. */

static int
ngx_inlets_settings_override(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides)
{
    int                           rc;
    ngx_inlets_settings_secret_t  token;

    token = ctx->token;
    ngx_memzero(&ctx->token, sizeof(ngx_inlets_settings_secret_t));

    ctx->overrides = overrides;

    rc = inlets_config_parse(&ctx->config, (char *) overrides->text.data,
                             overrides->text.len);

    if (rc != INLETS_E_NO_MEMORY
        && EVP_DigestUpdate(ctx->load->digest, overrides->text.data,
                            overrides->text.len)
           != 1)
    {
        rc = INLETS_E_NO_MEMORY;
    }

    ctx->overrides = NULL;

    if (ctx->token.line == 0) {
        ctx->token = token;
    }

    return rc;
}


static ngx_int_t
ngx_inlets_settings_init(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_pool_t                  *pool;
    ngx_pool_cleanup_t          *cln;
    ngx_inlets_settings_t       *s;
    ngx_inlets_settings_load_t  *load;

    load = ctx->load;
    pool = load->pool;

    s = ngx_pcalloc(pool, sizeof(ngx_inlets_settings_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (s == NULL || cln == NULL
        || ngx_array_init(&load->faults, pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&load->warnings, pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&load->sources, pool, 4, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&ctx->limits, pool, 4,
                          sizeof(ngx_inlets_identity_t *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    s->clients = ngx_array_create(pool, 16, sizeof(ngx_inlets_identity_t *));
    if (s->clients == NULL) {
        return NGX_ERROR;
    }

    ctx->config.keys = ngx_inlets_settings_keys;
    ctx->config.nkeys = ngx_inlets_settings_nkeys;
    ctx->config.set = ngx_inlets_settings_set;
    ctx->config.fault = ngx_inlets_settings_fault;
    ctx->config.data = ctx;
    ctx->config.max_faults = NGX_INLETS_SETTINGS_FAULTS;

    s->pool = pool;
    s->secure = NGX_CONF_UNSET;
    s->public_http.enabled = NGX_CONF_UNSET;
    s->public_http.timeout = NGX_CONF_UNSET_MSEC;
    s->public_http.warn_lead = NGX_CONF_UNSET_MSEC;
    s->max_drift = NGX_CONF_UNSET_MSEC;
    s->heartbeat_interval = NGX_CONF_UNSET_MSEC;
    s->heartbeat_timeout = NGX_CONF_UNSET_MSEC;

    cln->handler = ngx_inlets_settings_cleanup;
    cln->data = s;

    ctx->settings = s;

    return NGX_OK;
}


/* Secrets don't stay in freed memory. */

static void
ngx_inlets_settings_cleanup(void *data)
{
    ngx_inlets_settings_t *s = data;

    ngx_uint_t               i;
    ngx_inlets_identity_t  **identity;

    ngx_explicit_memzero(s->token.data, s->token.len);
    ngx_explicit_memzero(s->notification.secret.data,
                         s->notification.secret.len);

    identity = s->clients->elts;

    for (i = 0; i < s->clients->nelts; i++) {
        ngx_explicit_memzero(identity[i]->secret.data,
                             identity[i]->secret.len);

        ngx_inlets_settings_users_wipe(identity[i]);
    }
}


static ngx_int_t
ngx_inlets_settings_finish(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_inlets_settings_t  *s;

    s = ctx->settings;

    if (ngx_inlets_settings_secret(ctx, &ctx->token, "tokenFile", &s->token)
        != NGX_OK
        || ngx_inlets_settings_secret(ctx, &ctx->notify,
                                      "notification.secretFile",
                                      &s->notification.secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_inlets_settings_check(ctx);

    return ngx_inlets_settings_index(ctx);
}


/* What concerns more than one key. */

static void
ngx_inlets_settings_check(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_inlets_settings_t  *s;

    s = ctx->settings;

    if (s->heartbeat_interval != NGX_CONF_UNSET_MSEC
        && s->heartbeat_timeout != NGX_CONF_UNSET_MSEC
        && s->heartbeat_timeout <= s->heartbeat_interval)
    {
        inlets_config_error(&ctx->config, ctx->heartbeat_line,
                            "heartbeat.timeout",
                            "expected more than heartbeat.interval, %lums",
                            (unsigned long) s->heartbeat_interval);
    }

    if (s->notification.secret.len
        && (s->notification.provider == NGX_INLETS_PROVIDER_WECOM
            || s->notification.provider == NGX_INLETS_PROVIDER_SLACK))
    {
        inlets_config_error(&ctx->config, ctx->notify.line,
                            "notification.secret",
                            "this provider has no signed messages, expected "
                            "no secret");
    }
}


static ngx_int_t
ngx_inlets_settings_index(ngx_inlets_settings_ctx_t *ctx)
{
    ngx_uint_t               i, size;
    ngx_inlets_settings_t   *s;
    ngx_inlets_identity_t   *other, **identity;

    s = ctx->settings;

    size = 16;

    while (size < 2 * (s->clients->nelts + ctx->limits.nelts)) {
        size *= 2;
    }

    s->nclients = s->clients->nelts;
    s->mask = size - 1;
    s->table = ngx_pcalloc(s->pool, size * sizeof(ngx_inlets_identity_t *));
    if (s->table == NULL) {
        return NGX_ERROR;
    }

    identity = s->clients->elts;

    for (i = 0; i < s->clients->nelts; i++) {
        other = ngx_inlets_settings_insert(s, identity[i]);

        if (other && other->id.len) {
            inlets_config_error(&ctx->config, identity[i]->line,
                                "clients[].clientId",
                                "\"%s\" is duplicate, the other is in line "
                                "%lu", other->id.data,
                                (unsigned long) other->line);
        }
    }

    identity = ctx->limits.elts;

    for (i = 0; i < ctx->limits.nelts; i++) {
        ngx_inlets_settings_merge(ctx, identity[i]);
    }

    return NGX_OK;
}


/* NULL, or the one that has the same id. */

static ngx_inlets_identity_t *
ngx_inlets_settings_insert(ngx_inlets_settings_t *s,
    ngx_inlets_identity_t *identity)
{
    ngx_inlets_identity_t  *other, **bucket;

    identity->hash = ngx_murmur_hash2(identity->id.data, identity->id.len);
    bucket = &s->table[identity->hash & s->mask];

    for (other = *bucket; other; other = other->next) {
        if (other->hash == identity->hash
            && other->id.len == identity->id.len
            && ngx_memcmp(other->id.data, identity->id.data, other->id.len)
               == 0)
        {
            return other;
        }
    }

    identity->next = *bucket;
    *bucket = identity;

    return NULL;
}


/* "bandwidthLimits.clients": what the client's own limit leaves open. */

static void
ngx_inlets_settings_merge(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *limit)
{
    u_char                 *p, text[NGX_INLETS_SETTINGS_LINE];
    ngx_inlets_identity_t  *client;

    client = ngx_inlets_settings_insert(ctx->settings, limit);

    if (client == NULL) {

        if (ctx->settings->nclients) {
            p = ngx_slprintf(text, text + NGX_INLETS_SETTINGS_LINE,
                             "%V:%ui: bandwidthLimits.clients: there is no "
                             "client \"%V\"",
                             &ctx->load->path, limit->line, &limit->id);
            ngx_inlets_settings_say(ctx, &ctx->load->warnings, text, p - text);
        }

        return;
    }

    if (!client->listed || client->merged) {
        inlets_config_error(&ctx->config, limit->line,
                            "bandwidthLimits.clients",
                            "\"%s\" is duplicate", limit->id.data);
        return;
    }

    client->merged = 1;

    if (!client->upload) {
        client->limit.upload = limit->limit.upload;
    }

    if (!client->download) {
        client->limit.download = limit->limit.download;
    }
}


static void
ngx_inlets_settings_fault(void *data, const struct inlets_config_fault *fault)
{
    ngx_inlets_settings_ctx_t *ctx = data;

    u_char  *p, *last, text[NGX_INLETS_SETTINGS_LINE];

    last = text + NGX_INLETS_SETTINGS_LINE;

    p = ngx_slprintf(text, last, "%V:", ctx->overrides ? &ctx->overrides->path
                                                       : &ctx->load->path);

    if (fault->line) {
        p = ngx_slprintf(p, last, "%ui:", (ngx_uint_t) fault->line);
    }

    if (fault->column) {
        p = ngx_slprintf(p, last, "%ui:", (ngx_uint_t) fault->column);
    }

    if (fault->path[0]) {
        p = ngx_slprintf(p, last, " %s:", fault->path);
    }

    p = ngx_slprintf(p, last, " %s", fault->message);

    ngx_inlets_settings_say(ctx, &ctx->load->faults, text, p - text);
}


void
ngx_inlets_settings_say(ngx_inlets_settings_ctx_t *ctx, ngx_array_t *list,
    u_char *text, size_t len)
{
    ngx_str_t  *s;

    s = ngx_array_push(list);
    if (s == NULL) {
        ctx->no_memory = 1;
        return;
    }

    s->len = len;
    s->data = ngx_pnalloc(ctx->load->pool, len);

    if (s->data == NULL) {
        s->len = 0;
        ctx->no_memory = 1;
        return;
    }

    ngx_memcpy(s->data, text, len);
}
