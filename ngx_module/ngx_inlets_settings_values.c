
/*
 * Copyright (C) inlets for nginx contributors
 */


/* From the values of the settings file to the settings. */


#include "ngx_inlets_settings_values.h"
#include "ngx_inlets.h"
#include "inlets_name.h"


#define NGX_INLETS_SETTINGS_MIN_RATE  1024


static ngx_int_t ngx_inlets_settings_set_client(
    ngx_inlets_settings_ctx_t *ctx, const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_set_limit(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_enter(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v);
static ngx_int_t ngx_inlets_settings_entry(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, ngx_array_t *list);
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
static ngx_int_t ngx_inlets_settings_given(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v,
    ngx_inlets_settings_secret_t *secret, ngx_uint_t file);
static ngx_int_t ngx_inlets_settings_file_path(ngx_inlets_settings_ctx_t *ctx,
    ngx_str_t *path);


int
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
        ngx_inlets_settings_warn(ctx, v, "has no effect");
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

    default:
        return ngx_inlets_settings_listed_set(ctx, v);
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
    ngx_inlets_identity_t  *identity;

    pool = ctx->load->pool;
    enter = (v->event == INLETS_CONFIG_ENTER);

    switch (v->key->id) {

    case NGX_INLETS_KEY_NOTIFICATION:

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
        return ngx_inlets_settings_listed_set(ctx, v);
    }

    return v->item ? ngx_inlets_settings_entry(ctx, v, list) : NGX_OK;
}


/* An entry of "clients", or of the list of limits. */

static ngx_int_t
ngx_inlets_settings_entry(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, ngx_array_t *list)
{
    ngx_inlets_identity_t  *identity, **slot;

    if (v->event == INLETS_CONFIG_ENTER) {
        identity = ngx_pcalloc(ctx->load->pool, sizeof(ngx_inlets_identity_t));
        if (identity == NULL) {
            return NGX_ERROR;
        }

        slot = ngx_array_push(list);
        if (slot == NULL) {
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

    if (ngx_inlets_settings_listed_check(ctx, ctx->client) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->client_secret.line == 0) {
        inlets_config_error(&ctx->config, v->line, "clientSecret",
                            "is missing, expected a secret, or a file with it "
                            "as \"clientSecretFile\"");
        return NGX_OK;
    }

    return ngx_inlets_settings_secret(ctx, &ctx->client_secret,
                                      "clientSecretFile",
                                      &ctx->client->secret);
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


/* Files that were written for other servers hold such keys. */

void
ngx_inlets_settings_warn(ngx_inlets_settings_ctx_t *ctx,
    const struct inlets_config_value *v, const char *say)
{
    u_char  *p, text[NGX_INLETS_SETTINGS_LINE];

    p = ngx_slprintf(text, text + NGX_INLETS_SETTINGS_LINE,
                     "%V:%ui: %s: %s",
                     ctx->overrides ? &ctx->overrides->path
                                    : &ctx->load->path,
                     (ngx_uint_t) v->line, v->key->path, say);

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


ngx_int_t
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


ngx_int_t
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
