
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * What a visitor of a tunnel sees instead of nginx's own page: plain text, or
 * a short page for a browser.  A page of "error_page" is left alone.
 */


#include "ngx_http_inlets.h"


typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    title;
    ngx_str_t                    text;
} ngx_http_inlets_page_t;


typedef struct {
    ngx_buf_t                    buf;
} ngx_http_inlets_page_ctx_t;


static ngx_http_inlets_page_t *ngx_http_inlets_page_find(ngx_uint_t status);
static ngx_uint_t ngx_http_inlets_page_browser(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_page_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_page_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_inlets_page_init(ngx_conf_t *cf);


static ngx_http_inlets_page_t  ngx_http_inlets_pages[] = {

    { NGX_HTTP_UNAUTHORIZED,
      ngx_string("401 Unauthorized"),
      ngx_string("This tunnel asks for a user name and a password.") },

    { NGX_HTTP_FORBIDDEN,
      ngx_string("403 Forbidden"),
      ngx_string("You may not visit this tunnel.") },

    { NGX_HTTP_NOT_FOUND,
      ngx_string("404 Not Found"),
      ngx_string("There is no tunnel of this name.") },

    { NGX_HTTP_BAD_GATEWAY,
      ngx_string("502 Bad Gateway"),
      ngx_string("The service behind this tunnel can't be reached.") },

    { NGX_HTTP_SERVICE_UNAVAILABLE,
      ngx_string("503 Service Unavailable"),
      ngx_string("The client of this tunnel is away or busy.") },

    { NGX_HTTP_GATEWAY_TIME_OUT,
      ngx_string("504 Gateway Time-out"),
      ngx_string("The service behind this tunnel did not answer in time.") },

    { 0, ngx_null_string, ngx_null_string }
};


static ngx_http_module_t  ngx_http_inlets_page_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_inlets_page_init,             /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_inlets_page_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_inlets_page_filter_module_ctx,
                                           /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


ngx_int_t
ngx_http_inlets_page(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *text)
{
    u_char                  *p;
    size_t                   len;
    ngx_http_inlets_page_t  *page;

    page = ngx_http_inlets_page_find(status);

    if (page == NULL) {
        return NGX_DECLINED;
    }

    len = sizeof("<!doctype html><meta charset=utf-8><title></title>"
                 "<h1></h1><p></p>" CRLF)
          + 2 * page->title.len + page->text.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    if (ngx_http_inlets_page_browser(r)) {
        ngx_str_set(type, "text/html; charset=utf-8");

        p = ngx_sprintf(p, "<!doctype html><meta charset=utf-8>"
                        "<title>%V</title><h1>%V</h1><p>%V</p>" CRLF,
                        &page->title, &page->title, &page->text);

    } else {
        ngx_str_set(type, "text/plain; charset=utf-8");

        p = ngx_sprintf(p, "%V: %V" CRLF, &page->title, &page->text);
    }

    text->len = p - text->data;

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_inlets_add_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return h;
}


static ngx_http_inlets_page_t *
ngx_http_inlets_page_find(ngx_uint_t status)
{
    ngx_http_inlets_page_t  *page;

    for (page = ngx_http_inlets_pages; page->status; page++) {
        if (page->status == status) {
            return page;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_inlets_page_browser(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == sizeof("Accept") - 1
            && ngx_strcasecmp(h[i].key.data, (u_char *) "Accept") == 0
            && ngx_strlcasestrn(h[i].value.data,
                                h[i].value.data + h[i].value.len,
                                (u_char *) "text/html",
                                sizeof("text/html") - 1 - 1))
        {
            return 1;
        }
    }
}


static ngx_int_t
ngx_http_inlets_page_header_filter(ngx_http_request_t *r)
{
    ngx_str_t                    type, text;
    ngx_http_inlets_loc_conf_t  *ilcf;
    ngx_http_inlets_page_ctx_t  *ctx;

    /* err_status without error_page: the page is one of nginx's own */

    if (r->err_status == 0 || r->error_page || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    if (ilcf->tunnel == NULL
        || (r->upstream == NULL && !ngx_http_inlets_access_refused(r)))
    {
        return ngx_http_next_header_filter(r);
    }

    switch (ngx_http_inlets_page(r, r->err_status, &type, &text)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_next_header_filter(r);

    default:
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_inlets_page_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->buf.pos = text.data;
    ctx->buf.last = text.data + text.len;
    ctx->buf.memory = 1;
    ctx->buf.last_buf = 1;
    ctx->buf.last_in_chain = 1;

    ngx_http_set_ctx(r, ctx, ngx_http_inlets_page_filter_module);

    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = text.len;

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_inlets_page_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t                 *cl, out;
    ngx_http_inlets_page_ctx_t  *ctx;

    if (in == NULL || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_inlets_page_filter_module);

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
    }

    ngx_http_set_ctx(r, NULL, ngx_http_inlets_page_filter_module);

    out.buf = &ctx->buf;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


static ngx_int_t
ngx_http_inlets_page_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_inlets_page_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_inlets_page_body_filter;

    return NGX_OK;
}
