
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_file.h"
#include "ngx_inlets.h"
#include "inlets_error.h"
#include "inlets_name.h"


#define NGX_INLETS_SETTINGS_JSON      (64 * 1024)
#define NGX_INLETS_SETTINGS_LINE      1024
#define NGX_INLETS_SETTINGS_MIN_RATE  1024


typedef struct {
    ngx_str_t                    text;
    ngx_str_t                    file;
    ngx_uint_t                   line;        /* 0: neither is given */
} ngx_inlets_settings_secret_t;


typedef struct {
    ngx_inlets_settings_load_t  *load;
    ngx_inlets_settings_t       *settings;
    ngx_inlets_settings_overrides_t  *overrides;    /* being parsed, or NULL */
    ngx_log_t                   *log;
    struct inlets_config         config;
    ngx_uint_t                   no_memory;

    ngx_array_t                  limits;      /* of ngx_inlets_identity_t *,
                                                 with no more than a limit */
    ngx_inlets_identity_t       *client;      /* the one at hand */
    ngx_inlets_settings_secret_t client_secret;

    ngx_inlets_settings_secret_t token;
    ngx_inlets_settings_secret_t notify;
    ngx_uint_t                   notify_line;
    ngx_uint_t                   heartbeat_line;
} ngx_inlets_settings_ctx_t;


static ngx_int_t ngx_inlets_settings_parse(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides, u_char *buf, size_t len);
static int ngx_inlets_settings_override(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_overrides_t *overrides);
static ngx_int_t ngx_inlets_settings_init(ngx_inlets_settings_ctx_t *ctx);
static void ngx_inlets_settings_cleanup(void *data);

static int ngx_inlets_settings_set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_set_client(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_set_limit(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_enter(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_client_id(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_domain(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_pattern(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_ports(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static void ngx_inlets_settings_rate(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, size_t *rate);
static ngx_int_t ngx_inlets_settings_url(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static void ngx_inlets_settings_unused(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_given(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v,
    ngx_inlets_settings_secret_t *secret, ngx_uint_t file);
static ngx_int_t ngx_inlets_settings_file_path(ngx_inlets_settings_ctx_t *ctx,
    ngx_str_t *path);
static ngx_int_t ngx_inlets_settings_secret(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_secret_t *secret, const char *name, ngx_str_t *ret);

static ngx_int_t ngx_inlets_settings_finish(ngx_inlets_settings_ctx_t *ctx);
static void ngx_inlets_settings_check(ngx_inlets_settings_ctx_t *ctx);
static ngx_int_t ngx_inlets_settings_index(ngx_inlets_settings_ctx_t *ctx);
static ngx_inlets_identity_t *ngx_inlets_settings_insert(
    ngx_inlets_settings_t *s, ngx_inlets_identity_t *identity);
static void ngx_inlets_settings_merge(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_identity_t *limit);

static void ngx_inlets_settings_fault(void *data,
    const struct inlets_config_fault *fault);
static void ngx_inlets_settings_say(ngx_inlets_settings_ctx_t *ctx,
    ngx_array_t *list, u_char *text, size_t len);
static ngx_int_t ngx_inlets_settings_copy(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, ngx_str_t *ret);


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
    }
}


static int
ngx_inlets_settings_set(void *data, struct inlets_config *config,
    const struct inlets_config_value *v)
{
    ngx_inlets_settings_ctx_t *ctx = data;

    ngx_int_t               rc;
    ngx_inlets_settings_t  *s;

    s = ctx->settings;
    rc = NGX_OK;

    if (v->event != INLETS_CONFIG_VALUE) {
        return ngx_inlets_settings_enter(ctx, v) == NGX_ERROR;
    }

    switch (v->key->id) {

    case NGX_INLETS_KEY_DOMAIN:
        rc = ngx_inlets_settings_domain(ctx, v);
        break;

    case NGX_INLETS_KEY_PORT:
        s->port = v->number;
        break;

    case NGX_INLETS_KEY_TCP_PORT:
        s->tcp_port = v->number;
        break;

    case NGX_INLETS_KEY_SECURE:
        s->secure = v->number;
        break;

    case NGX_INLETS_KEY_TOKEN:
        rc = ngx_inlets_settings_given(ctx, v, &ctx->token, 0);
        break;

    case NGX_INLETS_KEY_TOKEN_FILE:
        rc = ngx_inlets_settings_given(ctx, v, &ctx->token, 1);
        break;

    case NGX_INLETS_KEY_GLOBAL_UPLOAD:
        ngx_inlets_settings_rate(ctx, v, &s->global.upload);
        break;

    case NGX_INLETS_KEY_GLOBAL_DOWNLOAD:
        ngx_inlets_settings_rate(ctx, v, &s->global.download);
        break;

    case NGX_INLETS_KEY_PROVIDER:
        s->notification.provider = v->number;
        break;

    case NGX_INLETS_KEY_URL:
        rc = ngx_inlets_settings_url(ctx, v);
        break;

    case NGX_INLETS_KEY_NOTIFY_SECRET:
        rc = ngx_inlets_settings_given(ctx, v, &ctx->notify, 0);
        break;

    case NGX_INLETS_KEY_NOTIFY_SECRET_FILE:
        rc = ngx_inlets_settings_given(ctx, v, &ctx->notify, 1);
        break;

    case NGX_INLETS_KEY_NOTIFY_CA_FILE:
        rc = ngx_inlets_settings_copy(ctx, v, &s->notification.ca_file);

        if (rc == NGX_OK) {
            rc = ngx_inlets_settings_file_path(ctx, &s->notification.ca_file);
        }

        break;

    case NGX_INLETS_KEY_LANGUAGE:
        s->notification.chinese = v->number;
        break;

    case NGX_INLETS_KEY_NOTIFY_INTERVAL:
    case NGX_INLETS_KEY_NOTIFY_ALERT:
        ngx_inlets_settings_unused(ctx, v);
        break;

    case NGX_INLETS_KEY_PUBLIC_ENABLED:
        s->public_http.enabled = v->number;
        break;

    case NGX_INLETS_KEY_PUBLIC_TIMEOUT:
        s->public_http.timeout = v->number;
        break;

    case NGX_INLETS_KEY_PUBLIC_WARN_LEAD:
        s->public_http.warn_lead = v->number;
        break;

    case NGX_INLETS_KEY_MAX_DRIFT:
        s->max_drift = v->number;
        break;

    case NGX_INLETS_KEY_HEARTBEAT_INTERVAL:
        s->heartbeat_interval = v->number;
        break;

    case NGX_INLETS_KEY_HEARTBEAT_TIMEOUT:
        s->heartbeat_timeout = v->number;
        break;

    default:
        rc = ngx_inlets_settings_set_client(ctx, v);
    }

    return rc == NGX_ERROR;
}


static ngx_int_t
ngx_inlets_settings_set_client(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_inlets_identity_t  *identity;

    identity = ctx->client;

    switch (v->key->id) {

    case NGX_INLETS_KEY_CLIENT_ID:
        return ngx_inlets_settings_client_id(ctx, v);

    case NGX_INLETS_KEY_CLIENT_SECRET:
        return ngx_inlets_settings_given(ctx, v, &ctx->client_secret, 0);

    case NGX_INLETS_KEY_CLIENT_SECRET_FILE:
        return ngx_inlets_settings_given(ctx, v, &ctx->client_secret, 1);

    case NGX_INLETS_KEY_CLIENT_CONFIG:
        return ngx_inlets_settings_copy(ctx, v, &identity->config);

    case NGX_INLETS_KEY_CLIENT_NAMES:
        return ngx_inlets_settings_pattern(ctx, v);

    case NGX_INLETS_KEY_CLIENT_PORTS:
        return ngx_inlets_settings_ports(ctx, v);

    case NGX_INLETS_KEY_CLIENT_TUNNELS:
        identity->max_tunnels = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_CLIENT_STREAMS:
        identity->max_streams = v->number;
        return NGX_OK;

    case NGX_INLETS_KEY_CLIENT_DISABLED:
        identity->disabled = v->number;
        return NGX_OK;

    default:
        return ngx_inlets_settings_set_limit(ctx, v);
    }
}


static ngx_int_t
ngx_inlets_settings_set_limit(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    switch (v->key->id) {

    case NGX_INLETS_KEY_CLIENT_UPLOAD:
    case NGX_INLETS_KEY_LIMIT_UPLOAD:
        ctx->client->upload = 1;
        ngx_inlets_settings_rate(ctx, v, &ctx->client->limit.upload);
        break;

    case NGX_INLETS_KEY_CLIENT_DOWNLOAD:
    case NGX_INLETS_KEY_LIMIT_DOWNLOAD:
        ctx->client->download = 1;
        ngx_inlets_settings_rate(ctx, v, &ctx->client->limit.download);
        break;
    }

    return NGX_OK;
}


/* Lists, and entries of lists. */

static ngx_int_t
ngx_inlets_settings_enter(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    ngx_pool_t             *pool;
    ngx_array_t            *list;
    ngx_uint_t              enter;
    ngx_inlets_identity_t  *identity, **slot;

    pool = ctx->load->pool;
    enter = (v->event == INLETS_CONFIG_ENTER);

    switch (v->key->id) {

    case NGX_INLETS_KEY_NOTIFICATION:
        ctx->notify_line = v->line;

        if (ctx->overrides && enter) {

            /* as a whole: another provider has another secret */

            ngx_memzero(&ctx->notify, sizeof(ngx_inlets_settings_secret_t));
            ngx_memzero(&ctx->settings->notification,
                        sizeof(ngx_inlets_notification_t));
        }

        return NGX_OK;

    case NGX_INLETS_KEY_HEARTBEAT:
        ctx->heartbeat_line = v->line;
        return NGX_OK;

    case NGX_INLETS_KEY_CLIENT_NAMES:
    case NGX_INLETS_KEY_CLIENT_PORTS:

        if (!enter) {
            return NGX_OK;
        }

        identity = ctx->client;

        if (v->key->id == NGX_INLETS_KEY_CLIENT_NAMES) {
            list = ngx_array_create(pool, 4, sizeof(ngx_str_t));
            identity->names = list;
            identity->restricted_names = 1;

        } else {
            list = ngx_array_create(pool, 4, sizeof(ngx_inlets_ports_t));
            identity->ports = list;
            identity->restricted_ports = 1;
        }

        return list ? NGX_OK : NGX_ERROR;

    case NGX_INLETS_KEY_CLIENTS:
        list = ctx->settings->clients;
        break;

    case NGX_INLETS_KEY_LIMIT_CLIENTS:
        list = &ctx->limits;
        break;

    default:
        return NGX_OK;
    }

    if (!v->item) {
        return NGX_OK;
    }

    if (enter) {
        slot = ngx_array_push(list);
        identity = ngx_pcalloc(pool, sizeof(ngx_inlets_identity_t));

        if (slot == NULL || identity == NULL) {
            return NGX_ERROR;
        }

        *slot = identity;
        ctx->client = identity;

        identity->line = v->line;
        identity->listed = (list != &ctx->limits);

        ngx_memzero(&ctx->client_secret, sizeof(ngx_inlets_settings_secret_t));

        return identity->listed ? NGX_OK
                                : ngx_inlets_settings_client_id(ctx, v);
    }

    if (list == &ctx->limits) {
        return NGX_OK;
    }

    identity = ctx->client;

    if (ctx->client_secret.line == 0) {
        inlets_config_error(&ctx->config, v->line, "clientSecret",
                            "is missing, expected a secret, or a file with it "
                            "as \"clientSecretFile\"");
        return NGX_OK;
    }

    return ngx_inlets_settings_secret(ctx, &ctx->client_secret,
                                      "clientSecretFile", &identity->secret);
}


static ngx_int_t
ngx_inlets_settings_client_id(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    if (v->len == 0 || v->len > NGX_INLETS_CLIENT_ID
        || memchr(v->text, ':', v->len))
    {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a client id of 1 to %d bytes without a "
                            "colon", NGX_INLETS_CLIENT_ID);
    }

    return ngx_inlets_settings_copy(ctx, v, &ctx->client->id);
}


static ngx_int_t
ngx_inlets_settings_domain(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    char    shown[64];
    size_t  len;

    if (ngx_inlets_settings_copy(ctx, v, &ctx->settings->domain) != NGX_OK) {
        return NGX_ERROR;
    }

    if (memchr(v->text, ':', v->len)
        || inlets_host_normalize(v->text, v->len,
                                 (char *) ctx->settings->domain.data,
                                 v->len + 1, &len) < 0)
    {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a domain such as example.com, without "
                            "scheme, port or wildcard, found \"%s\"",
                            inlets_config_show(v->text, v->len, shown,
                                               sizeof(shown)));
        return NGX_OK;
    }

    ctx->settings->domain.len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_settings_pattern(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    char        label[INLETS_LABEL_MAX + 1];
    u_char      ch;
    size_t      i;
    ngx_str_t  *name;
    ngx_uint_t  good;

    name = ngx_array_push(ctx->client->names);

    if (name == NULL || ngx_inlets_settings_copy(ctx, v, name) != NGX_OK) {
        return NGX_ERROR;
    }

    good = 1;

    for (i = 0; i < name->len; i++) {
        ch = ngx_tolower(name->data[i]);
        name->data[i] = ch;

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '*'))
        {
            good = 0;
        }
    }

    if (ngx_strlchr(name->data, name->data + name->len, '*') == NULL
        && inlets_label_normalize(v->text, v->len, label) < 0)
    {
        good = 0;
    }

    if (!good) {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected a name such as app or dev-*, found "
                            "\"%s\"", inlets_config_show(v->text, v->len,
                                                         label,
                                                         sizeof(label)));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_settings_ports(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    char                 shown[32];
    size_t               n;
    int64_t              first, last;
    const char          *dash;
    ngx_inlets_ports_t  *ports;

    ports = ngx_array_push(ctx->client->ports);
    if (ports == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(ports, sizeof(ngx_inlets_ports_t));

    dash = memchr(v->text, '-', v->len);
    n = dash ? (size_t) (dash - v->text) : v->len;

    if (inlets_config_integer(v->text, n, &first) == 0) {
        last = first;

        if ((dash == NULL
             || inlets_config_integer(dash + 1, v->len - n - 1, &last) == 0)
            && first >= 1 && first <= last && last <= 65535)
        {
            ports->first = first;
            ports->last = last;

            return NGX_OK;
        }
    }

    inlets_config_error(&ctx->config, v->line, NULL,
                        "expected a port or range such as 20022 or "
                        "20000-20099, from 1 to 65535, found \"%s\"",
                        inlets_config_show(v->text, v->len, shown,
                                           sizeof(shown)));

    return NGX_OK;
}


static void
ngx_inlets_settings_rate(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, size_t *rate)
{
    if (v->number && v->number < NGX_INLETS_SETTINGS_MIN_RATE) {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected at least %d bytes per second, or 0 for "
                            "no limit, found %lld",
                            NGX_INLETS_SETTINGS_MIN_RATE,
                            (long long) v->number);
    }

    *rate = (size_t) ngx_min((uint64_t) v->number, NGX_MAX_SIZE_T_VALUE);
}


static ngx_int_t
ngx_inlets_settings_url(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    size_t  n;

    n = ngx_strncasecmp((u_char *) v->text, (u_char *) "https://", 8) == 0 ? 8
        : ngx_strncasecmp((u_char *) v->text, (u_char *) "http://", 7) == 0 ? 7
        : 0;

    if (n == 0 || v->len == n || v->text[n] == '/' || v->text[n] == ':'
        || memchr(v->text, ' ', v->len))
    {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "expected an http:// or https:// URL");
    }

    return ngx_inlets_settings_copy(ctx, v, &ctx->settings->notification.url);
}


/* Files that were written for another server hold it. */

static void
ngx_inlets_settings_unused(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v)
{
    u_char  *p, text[NGX_INLETS_SETTINGS_LINE];

    p = ngx_slprintf(text, text + NGX_INLETS_SETTINGS_LINE,
                     "%V:%ui: %s: has no effect",
                     ctx->overrides ? &ctx->overrides->path
                                    : &ctx->load->path,
                     (ngx_uint_t) v->line, v->key->path);

    ngx_inlets_settings_say(ctx, &ctx->load->warnings, text, p - text);
}


/* A secret or the name of its file: one of them. */

static ngx_int_t
ngx_inlets_settings_given(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v,
    ngx_inlets_settings_secret_t *secret, ngx_uint_t file)
{
    if (secret->line) {
        inlets_config_error(&ctx->config, v->line, NULL,
                            "is given as well as its %s in line %lu, expected "
                            "one of them", file ? "text" : "file",
                            (unsigned long) secret->line);
        return NGX_OK;
    }

    secret->line = v->line;

    return ngx_inlets_settings_copy(ctx, v,
                                    file ? &secret->file : &secret->text);
}


/* A relative one is in the folder of the settings file. */

static ngx_int_t
ngx_inlets_settings_file_path(ngx_inlets_settings_ctx_t *ctx, ngx_str_t *path)
{
    u_char     *p;
    ngx_str_t   full, folder;

    if (path->data[0] == '/') {
        return NGX_OK;
    }

    folder = ctx->load->path;

    while (folder.len && folder.data[folder.len - 1] != '/') {
        folder.len--;
    }

    full.len = folder.len + path->len;
    full.data = ngx_pnalloc(ctx->load->pool, full.len + 1);
    if (full.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(full.data, folder.data, folder.len);
    ngx_memcpy(p, path->data, path->len + 1);

    *path = full;

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_settings_secret(ngx_inlets_settings_ctx_t *ctx,
    ngx_inlets_settings_secret_t *secret, const char *name, ngx_str_t *ret)
{
    char         reason[NGX_INLETS_SETTINGS_REASON];
    size_t       len;
    u_char      *buf;
    ngx_str_t    path, *source;
    ngx_int_t    rc;
    ngx_uint_t   i;

    if (secret->file.len == 0) {
        *ret = secret->text;
        return NGX_OK;
    }

    path = secret->file;

    if (ngx_inlets_settings_file_path(ctx, &path) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->load->sources.nelts < NGX_INLETS_SETTINGS_SOURCES) {
        source = ngx_array_push(&ctx->load->sources);
        if (source == NULL) {
            return NGX_ERROR;
        }

        *source = path;
        ngx_inlets_settings_look(&path, &ctx->load->state);
    }

    rc = ngx_inlets_settings_read(ctx->load, &path,
                                  NGX_INLETS_SETTINGS_SECRET + 2, &buf, &len,
                                  reason);

    if (rc == NGX_DECLINED) {
        inlets_config_error(&ctx->config, secret->line, name, "\"%s\" %s",
                            path.data, reason);
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ret->data = ngx_pnalloc(ctx->load->pool, len + 1);

    if (ret->data) {
        ngx_memcpy(ret->data, buf, len);
    }

    ngx_explicit_memzero(buf, len);
    ngx_free(buf);

    if (ret->data == NULL) {
        return NGX_ERROR;
    }

    if (len && ret->data[len - 1] == LF) {
        len--;
    }

    if (len && ret->data[len - 1] == CR) {
        len--;
    }

    ret->data[len] = '\0';
    ret->len = len;

    for (i = 0; i < len && ret->data[i] >= 0x20 && ret->data[i] != 0x7f; i++) {
        /* void */
    }

    if (len == 0 || len > NGX_INLETS_SETTINGS_SECRET || i < len) {
        inlets_config_error(&ctx->config, secret->line, name,
                            "expected one line of 1 to %d bytes in \"%s\"",
                            NGX_INLETS_SETTINGS_SECRET, path.data);
    }

    return NGX_OK;
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


static void
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
        return;
    }

    ngx_memcpy(s->data, text, len);
}


static ngx_int_t
ngx_inlets_settings_copy(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, ngx_str_t *ret)
{
    ret->data = ngx_pnalloc(ctx->load->pool, v->len + 1);
    if (ret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ret->data, v->text, v->len);
    ret->data[v->len] = '\0';
    ret->len = v->len;

    return NGX_OK;
}
