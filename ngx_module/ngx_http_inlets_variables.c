
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets.h"
#include "inlets_name.h"


static ngx_int_t ngx_http_inlets_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_client_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_http_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_cache_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_connection_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_authorization_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_counter_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_inlets_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, u_char *data, size_t len);


static ngx_http_variable_t  ngx_http_inlets_vars[] = {

    { ngx_string("inlets_tunnel_id"), NULL,
      ngx_http_inlets_id_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_client_id"), NULL,
      ngx_http_inlets_client_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_host"), NULL,
      ngx_http_inlets_host_variable, 0, 0, 0 },

    { ngx_string("inlets_http_host"), NULL,
      ngx_http_inlets_http_host_variable, 0, 0, 0 },

    { ngx_string("inlets_cache_host"), NULL,
      ngx_http_inlets_cache_host_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_connection"), NULL,
      ngx_http_inlets_connection_variable, 0, 0, 0 },

    { ngx_string("inlets_tunnel_bytes_up"), NULL,
      ngx_http_inlets_counter_variable, offsetof(ngx_inlets_counters_t, up),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_bytes_down"), NULL,
      ngx_http_inlets_counter_variable, offsetof(ngx_inlets_counters_t, down),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_requests"), NULL,
      ngx_http_inlets_counter_variable,
      offsetof(ngx_inlets_counters_t, requests), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_streams"), NULL,
      ngx_http_inlets_counter_variable,
      offsetof(ngx_inlets_counters_t, streams_now), NGX_HTTP_VAR_NOCACHEABLE,
      0 },

    { ngx_string("inlets_tunnel_errors"), NULL,
      ngx_http_inlets_counter_variable,
      offsetof(ngx_inlets_counters_t, errors), NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_authorization"), NULL,
      ngx_http_inlets_authorization_variable, 0, NGX_HTTP_VAR_NOCACHEABLE,
      0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_inlets_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_inlets_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_http_inlets_ctx_t  *ctx;

    ctx = ngx_http_inlets_get_ctx(r);

    if (ctx == NULL || ctx->dial.found.type == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INLETS_ID_TEXT + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    inlets_uuid_format(ctx->dial.found.id.data, (char *) p);

    return ngx_http_inlets_variable(r, v, p, NGX_INLETS_ID_TEXT);
}


static ngx_int_t
ngx_http_inlets_client_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_inlets_ctx_t  *ctx;

    ctx = ngx_http_inlets_get_ctx(r);

    if (ctx == NULL || ctx->dial.found.type == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_inlets_variable(r, v, ctx->dial.found.client_id,
                                    ctx->dial.found.client_id_len);
}


static ngx_int_t
ngx_http_inlets_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t      len;
    u_char     *p;
    ngx_str_t  *host;

    host = &r->headers_in.server;

    p = ngx_pnalloc(r->pool, NGX_INLETS_MAX_HOST + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (inlets_host_normalize((char *) host->data, host->len, (char *) p,
                              NGX_INLETS_MAX_HOST + 1, &len)
        < 0)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_inlets_variable(r, v, p, len);
}


/*
 * The Host to forward: the visitor's own, unless nginx went by another one:
 * of an absolute URI, or of HTTP/3, where there may be no Host header.
 */

static ngx_int_t
ngx_http_inlets_http_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t      len;
    u_char      buf[NGX_INLETS_MAX_HOST + 1];
    ngx_str_t  *host, *server;

    server = &r->headers_in.server;

    if (r->headers_in.host) {
        host = &r->headers_in.host->value;

        if (r->host_start == NULL
            || (inlets_host_normalize((char *) host->data, host->len,
                                      (char *) buf, sizeof(buf), &len)
                == INLETS_OK
                && len == server->len
                && ngx_strncmp(buf, server->data, len) == 0))
        {
            return ngx_http_inlets_variable(r, v, host->data, host->len);
        }
    }

    if (r->http_version >= NGX_HTTP_VERSION_20 && r->host_start) {
        return ngx_http_inlets_variable(r, v, r->host_start,
                                        r->host_end - r->host_start);
    }

    return ngx_http_inlets_variable(r, v, server->data, server->len);
}


/*
 * All tunnels share one $proxy_host: the default cache key has to tell them
 * apart.  Empty in locations without inlets_tunnel, where it changes nothing.
 */

static ngx_int_t
ngx_http_inlets_cache_host_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    if (ilcf->tunnel == NULL) {
        return ngx_http_inlets_variable(r, v, (u_char *) "", 0);
    }

    return ngx_http_inlets_host_variable(r, v, data);
}


static ngx_int_t
ngx_http_inlets_connection_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    /* an empty Connection header is not sent, so the stream is kept alive */

    if (r->headers_in.upgrade == NULL
        || r->headers_in.upgrade->value.len == 0)
    {
        return ngx_http_inlets_variable(r, v, (u_char *) "", 0);
    }

    return ngx_http_inlets_variable(r, v, (u_char *) "upgrade",
                                    sizeof("upgrade") - 1);
}


static ngx_int_t
ngx_http_inlets_authorization_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL || ngx_http_inlets_access_consumed(r)) {
        return ngx_http_inlets_variable(r, v, (u_char *) "", 0);
    }

    return ngx_http_inlets_variable(r, v, h->value.data, h->value.len);
}


/* data: offset of a 64-bit field of ngx_inlets_counters_t. */

static ngx_int_t
ngx_http_inlets_counter_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_http_inlets_ctx_t  *ctx;
    ngx_inlets_counters_t   counters;

    ctx = ngx_http_inlets_get_ctx(r);

    if (ctx == NULL
        || ctx->dial.found.type == 0
        || ngx_inlets_meter_tunnel(ctx->dial.registry, &ctx->dial.found.id,
                                   &counters)
           != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_inlets_variable(r, v, p,
                   ngx_sprintf(p, "%uL",
                               *(uint64_t *) ((u_char *) &counters + data))
                   - p);
}


static ngx_int_t
ngx_http_inlets_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    u_char *data, size_t len)
{
    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
