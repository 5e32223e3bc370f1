
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * inlets_tunnel is proxy_pass to an implicit upstream with a peer of our own,
 * and other defaults.  The proxy module's settings are private to it; they are
 * reached by its own directives: setters, offsets and value tables.
 */


#include "ngx_http_inlets.h"


#define NGX_HTTP_INLETS_BUFFER  (32 * 1024)


static ngx_command_t *ngx_http_inlets_proxy_command(char *name);
static char *ngx_http_inlets_proxy_set(ngx_conf_t *cf, char *name,
    char *value);
static void *ngx_http_inlets_proxy_field(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf, char *name);
static ngx_uint_t ngx_http_inlets_proxy_is_set(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf, char *name, size_t size);
static char *ngx_http_inlets_proxy_default(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf, char *name, char *value, size_t size);
static char *ngx_http_inlets_proxy_buffers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);
static char *ngx_http_inlets_proxy_headers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);
static char *ngx_http_inlets_proxy_pass_headers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);
static char *ngx_http_inlets_proxy_ignore_headers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);


/* An empty value is not sent to the local service. */

static ngx_keyval_t  ngx_http_inlets_proxy_default_headers[] = {
    { ngx_string("Host"), ngx_string("$inlets_http_host") },
    { ngx_string("Connection"), ngx_string("$inlets_connection") },
    { ngx_string("Upgrade"), ngx_string("$http_upgrade") },
    { ngx_string("Authorization"), ngx_string("$inlets_authorization") },
    { ngx_string("X-Real-IP"), ngx_string("$remote_addr") },
    { ngx_string("X-Forwarded-For"), ngx_string("$proxy_add_x_forwarded_for") },
    { ngx_string("X-Forwarded-Proto"), ngx_string("$scheme") },
    { ngx_string("X-Forwarded-Host"), ngx_string("$inlets_http_host") },
    { ngx_string("X-Forwarded-Port"), ngx_string("$server_port") },
    { ngx_null_string, ngx_null_string }
};


/* The local service speaks for itself, as without a tunnel. */

static ngx_str_t  ngx_http_inlets_proxy_passed_headers[] = {
    ngx_string("Date"),
    ngx_string("Server"),
    ngx_null_string
};


/* Whoever holds a tunnel must not steer the edge. */

static char  *ngx_http_inlets_proxy_ignored_headers[] = {
    "X-Accel-Redirect",
    "X-Accel-Limit-Rate",
    "X-Accel-Charset",
    NULL
};


char *
ngx_http_inlets_proxy_pass(ngx_conf_t *cf, ngx_inlets_registry_t *reg,
    ngx_str_t *name)
{
    char                          *rv;
    u_char                        *url, *p;
    ngx_url_t                      u;
    ngx_http_upstream_srv_conf_t  *uscf;

    /* no address has this name: the last label has an underscore */

    url = ngx_pnalloc(cf->pool, sizeof("http://.inlets_tunnel") + name->len);
    if (url == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(url, "http://%V.inlets_tunnel%Z", name);

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = url + 7;
    u.url.len = p - 1 - u.url.data;
    u.default_port = 80;
    u.uri_part = 1;
    u.no_resolve = 1;

    uscf = ngx_http_upstream_add(cf, &u, 0);
    if (uscf == NULL) {
        return NGX_CONF_ERROR;
    }

    uscf->peer.init_upstream = ngx_http_inlets_init_upstream;
    uscf->peer.data = reg;

    rv = ngx_http_inlets_proxy_set(cf, "proxy_pass", (char *) url);

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"inlets_tunnel\" and \"proxy_pass\" can't be in "
                       "one location, remove one of them");

    return NGX_CONF_ERROR;
}


char *
ngx_http_inlets_proxy_cache_key(ngx_conf_t *cf)
{
    char  *rv;

    if (ngx_http_inlets_proxy_command("proxy_cache_key") == NULL) {
        return NGX_CONF_OK;
    }

    /*
     * At the outermost level, so that a key set by the user anywhere wins by
     * inheritance; elsewhere than in tunnels it is the proxy module's own.
     */

    rv = ngx_http_inlets_proxy_set(cf, "proxy_cache_key",
                      "$scheme$proxy_host$inlets_cache_host$request_uri");

    return (rv == NGX_CONF_ERROR) ? rv : NGX_CONF_OK;
}


char *
ngx_http_inlets_proxy_defaults(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf)
{
    if (ngx_http_inlets_proxy_default(cf, ilcf, "proxy_buffering", "off",
                                      sizeof(ngx_flag_t))
        != NGX_CONF_OK
        || ngx_http_inlets_proxy_default(cf, ilcf, "proxy_request_buffering",
                                         "off", sizeof(ngx_flag_t))
           != NGX_CONF_OK
        || ngx_http_inlets_proxy_default(cf, ilcf, "proxy_http_version",
                                         "1.1", sizeof(ngx_uint_t))
           != NGX_CONF_OK
        || ngx_http_inlets_proxy_buffers(cf, ilcf) != NGX_CONF_OK
        || ngx_http_inlets_proxy_headers(cf, ilcf) != NGX_CONF_OK
        || ngx_http_inlets_proxy_pass_headers(cf, ilcf) != NGX_CONF_OK
        || ngx_http_inlets_proxy_ignore_headers(cf, ilcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_command_t *
ngx_http_inlets_proxy_command(char *name)
{
    size_t          len;
    ngx_command_t  *cmd;

    len = ngx_strlen(name);

    for (cmd = ngx_http_proxy_module.commands; cmd->name.len; cmd++) {

        if (cmd->name.len == len
            && ngx_strncmp(cmd->name.data, name, len) == 0)
        {
            return cmd;
        }
    }

    return NULL;
}


/* Calls the directive's setter at the level that cf->ctx is at. */

static char *
ngx_http_inlets_proxy_set(ngx_conf_t *cf, char *name, char *value)
{
    char           *rv;
    ngx_str_t      *args;
    ngx_array_t    *saved, array;
    ngx_command_t  *cmd;

    cmd = ngx_http_inlets_proxy_command(name);

    if (cmd == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "this nginx has no \"%s\" directive, which "
                           "\"inlets_tunnel\" needs", name);
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&array, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    args = ngx_array_push_n(&array, 2);

    args[0] = cmd->name;
    args[1].data = (u_char *) value;
    args[1].len = ngx_strlen(value);

    saved = cf->args;
    cf->args = &array;

    rv = cmd->set(cf, cmd,
                  ngx_http_conf_get_module_loc_conf(cf, ngx_http_proxy_module));

    cf->args = saved;

    return rv;
}


static void *
ngx_http_inlets_proxy_field(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf,
    char *name)
{
    u_char               *conf;
    ngx_command_t        *cmd;
    ngx_http_conf_ctx_t  *ctx;

    cmd = ngx_http_inlets_proxy_command(name);

    if (cmd == NULL) {
        return NULL;
    }

    conf = ilcf->proxy;

    if (conf == NULL) {

        /* http{} itself */

        ctx = (ngx_http_conf_ctx_t *)
                  ngx_get_conf(cf->cycle->conf_ctx, ngx_http_module);
        conf = ctx->loc_conf[ngx_http_proxy_module.ctx_index];
    }

    return conf + cmd->offset;
}


/* Unset fields of the types used here have all bits on. */

static ngx_uint_t
ngx_http_inlets_proxy_is_set(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf,
    char *name, size_t size)
{
    void      *field;
    intptr_t   unset;

    unset = -1;

    for ( /* void */ ; ilcf; ilcf = ilcf->parent) {
        field = ngx_http_inlets_proxy_field(cf, ilcf, name);

        if (field && ngx_memcmp(field, &unset, size) != 0) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_inlets_proxy_default(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf, char *name, char *value, size_t size)
{
    if (ngx_http_inlets_proxy_is_set(cf, ilcf, name, size)) {
        return NGX_CONF_OK;
    }

    return ngx_http_inlets_proxy_set(cf, name, value);
}


static char *
ngx_http_inlets_proxy_buffers(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf)
{
    size_t                       *size;
    ngx_bufs_t                   *bufs;
    ngx_http_inlets_loc_conf_t   *level;

    /* their sizes depend on each other: all are chosen by one side */

    if (ngx_http_inlets_proxy_is_set(cf, ilcf, "proxy_buffer_size",
                                     sizeof(size_t))
        || ngx_http_inlets_proxy_is_set(cf, ilcf, "proxy_busy_buffers_size",
                                        sizeof(size_t)))
    {
        return NGX_CONF_OK;
    }

    for (level = ilcf; level; level = level->parent) {
        bufs = ngx_http_inlets_proxy_field(cf, level, "proxy_buffers");

        if (bufs->num) {
            return NGX_CONF_OK;
        }
    }

    size = ngx_http_inlets_proxy_field(cf, ilcf, "proxy_buffer_size");
    *size = NGX_HTTP_INLETS_BUFFER;

    bufs = ngx_http_inlets_proxy_field(cf, ilcf, "proxy_buffers");
    bufs->num = 8;
    bufs->size = NGX_HTTP_INLETS_BUFFER;

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_proxy_headers(ngx_conf_t *cf, ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_uint_t                    i;
    ngx_array_t                 **field, *headers;
    ngx_keyval_t                 *kv, *user, *def;
    ngx_http_inlets_loc_conf_t   *level;

    headers = NULL;

    for (level = ilcf; level; level = level->parent) {
        field = ngx_http_inlets_proxy_field(cf, level, "proxy_set_header");

        if (*field != NGX_CONF_UNSET_PTR) {
            headers = *field;
            break;
        }
    }

    user = headers ? headers->elts : NULL;

    field = ngx_http_inlets_proxy_field(cf, ilcf, "proxy_set_header");

    *field = ngx_array_create(cf->pool, 16, sizeof(ngx_keyval_t));
    if (*field == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; headers && i < headers->nelts; i++) {
        kv = ngx_array_push(*field);
        if (kv == NULL) {
            return NGX_CONF_ERROR;
        }

        *kv = user[i];
    }

    for (def = ngx_http_inlets_proxy_default_headers; def->key.len; def++) {

        for (i = 0; headers && i < headers->nelts; i++) {
            if (user[i].key.len == def->key.len
                && ngx_strncasecmp(user[i].key.data, def->key.data,
                                   def->key.len)
                   == 0)
            {
                goto next;
            }
        }

        kv = ngx_array_push(*field);
        if (kv == NULL) {
            return NGX_CONF_ERROR;
        }

        *kv = *def;

    next:

        continue;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_proxy_pass_headers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf)
{
    ngx_str_t                    *name, *header;
    ngx_array_t                 **field;
    ngx_http_inlets_loc_conf_t   *level;

    for (level = ilcf; level; level = level->parent) {
        field = ngx_http_inlets_proxy_field(cf, level, "proxy_pass_header");

        if (*field != NGX_CONF_UNSET_PTR) {
            return NGX_CONF_OK;
        }
    }

    field = ngx_http_inlets_proxy_field(cf, ilcf, "proxy_pass_header");

    *field = ngx_array_create(cf->pool, 2, sizeof(ngx_str_t));
    if (*field == NULL) {
        return NGX_CONF_ERROR;
    }

    for (name = ngx_http_inlets_proxy_passed_headers; name->len; name++) {
        header = ngx_array_push(*field);
        if (header == NULL) {
            return NGX_CONF_ERROR;
        }

        *header = *name;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_inlets_proxy_ignore_headers(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf)
{
    char                        **name;
    ngx_uint_t                   *field, *inherited, i;
    ngx_command_t                *cmd;
    ngx_conf_bitmask_t           *mask;
    ngx_http_inlets_loc_conf_t   *level;

    cmd = ngx_http_inlets_proxy_command("proxy_ignore_headers");
    mask = cmd->post;

    field = ngx_http_inlets_proxy_field(cf, ilcf, "proxy_ignore_headers");

    for (level = ilcf; level; level = level->parent) {
        inherited = ngx_http_inlets_proxy_field(cf, level,
                                                "proxy_ignore_headers");
        if (*inherited) {
            *field = *inherited;
            break;
        }
    }

    for (name = ngx_http_inlets_proxy_ignored_headers; *name; name++) {
        for (i = 0; mask[i].name.len; i++) {

            if (ngx_strcmp(mask[i].name.data, *name) == 0) {
                *field |= mask[i].mask;
            }
        }
    }

    return NGX_CONF_OK;
}
