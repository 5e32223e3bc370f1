
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * The upstream peer of inlets_tunnel: a stream to the client that serves the
 * visitor's host.  An idle stream is used again where that is safe; where there
 * is no tunnel, the edge answers on a stream that leads nowhere.
 *
 * All of this happens in the peer, and not in a phase before, so that the cache
 * can answer for a client that is away.
 */


#include "ngx_http_inlets.h"
#include "inlets_name.h"
#include "inlets_proxy2.h"


static ngx_int_t ngx_http_inlets_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_inlets_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_inlets_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);
static ngx_int_t ngx_http_inlets_reuse(ngx_peer_connection_t *pc,
    ngx_http_inlets_ctx_t *ctx);
static ngx_int_t ngx_http_inlets_dial(ngx_http_inlets_ctx_t *ctx);
static ngx_int_t ngx_http_inlets_no_stream(ngx_peer_connection_t *pc,
    ngx_http_inlets_ctx_t *ctx, ngx_int_t why);
static ngx_int_t ngx_http_inlets_permit(ngx_inlets_dial_t *d);
static ngx_uint_t ngx_http_inlets_may_reuse(ngx_peer_connection_t *pc,
    ngx_http_request_t *r);
static void ngx_http_inlets_send_again(ngx_peer_connection_t *pc,
    ngx_http_inlets_ctx_t *ctx);
static ngx_uint_t ngx_http_inlets_failed(ngx_peer_connection_t *pc,
    ngx_uint_t state);
static ngx_int_t ngx_http_inlets_head(ngx_http_inlets_ctx_t *ctx, u_char *buf,
    size_t size);
static ngx_int_t ngx_http_inlets_addr(struct sockaddr *sa, uint8_t addr[16],
    uint16_t *port);
static void ngx_http_inlets_expired(ngx_inlets_dial_t *d);
static ngx_int_t ngx_http_inlets_answer(ngx_http_inlets_ctx_t *ctx,
    ngx_uint_t status);


ngx_int_t
ngx_http_inlets_init_upstream(ngx_conf_t *cf, ngx_http_upstream_srv_conf_t *us)
{
    us->peer.init = ngx_http_inlets_init_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_inlets_ctx_t       *ctx;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_inlets_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_inlets_dial_init(&ctx->dial);

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    ctx->request = r;
    ctx->local = 0;
    ctx->again = 0;

    ctx->dial.registry = us->peer.data;
    ctx->dial.wait = ilcf->wait;
    ctx->dial.log = r->connection->log;
    ctx->dial.permit = ngx_http_inlets_permit;
    ctx->dial.expired = ngx_http_inlets_expired;
    ctx->dial.data = ctx;

    (void) ngx_http_inlets_request_host(r, ctx->host, &ctx->dial.host);

    r->upstream->peer.data = ctx;
    r->upstream->peer.get = ngx_http_inlets_get_peer;
    r->upstream->peer.free = ngx_http_inlets_free_peer;
    r->upstream->peer.tries = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_inlets_request_host(ngx_http_request_t *r, u_char *buf,
    ngx_str_t *host)
{
    size_t      len;
    ngx_str_t  *server;

    /* and not another header */

    server = &r->headers_in.server;

    if (inlets_host_normalize((char *) server->data, server->len,
                              (char *) buf, NGX_INLETS_MAX_HOST + 1, &len)
        != INLETS_OK)
    {
        ngx_str_null(host);
        return NGX_DECLINED;
    }

    host->data = buf;
    host->len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_permit(ngx_inlets_dial_t *d)
{
    ngx_http_inlets_ctx_t *ctx = d->data;

    return ngx_http_inlets_access_permit(ctx->request, d->registry,
                                         d->found.rules);
}


ngx_http_inlets_ctx_t *
ngx_http_inlets_get_ctx(ngx_http_request_t *r)
{
    /* contexts of modules are gone after an internal redirect, this is not */

    if (r->upstream == NULL
        || r->upstream->peer.get != ngx_http_inlets_get_peer)
    {
        return NULL;
    }

    return r->upstream->peer.data;
}


static ngx_int_t
ngx_http_inlets_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_inlets_ctx_t *ctx = data;

    ngx_int_t            rc;
    ngx_inlets_dial_t   *d;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    d = &ctx->dial;
    r = ctx->request;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, pc->log, 0,
                   "get inlets peer for \"%V\"", &d->host);

    pc->name = d->host.len ? &d->host : &r->headers_in.server;

    rc = d->host.len ? ngx_inlets_dial_lookup(d) : NGX_DECLINED;

    if (!pc->cached && (rc == NGX_OK || rc == NGX_AGAIN)) {
        ngx_inlets_meter_request(&d->found.meter);
    }

    if (rc == NGX_OK && ngx_http_inlets_reuse(pc, ctx) == NGX_OK) {
        pc->cached = 1;

    } else {
        pc->cached = 0;

        if (rc == NGX_OK || rc == NGX_AGAIN) {
            rc = ngx_http_inlets_dial(ctx);
        }

        if (rc == NGX_DECLINED || rc == NGX_BUSY || rc == NGX_ABORT) {
            rc = ngx_http_inlets_no_stream(pc, ctx, rc);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    c = d->connection;

    pc->connection = c;
    pc->sockaddr = c->sockaddr;
    pc->socklen = c->socklen;

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    c->log = pc->log;
    c->pool->log = pc->log;
    c->read->log = pc->log;
    c->write->log = pc->log;
    c->write->ready = 1;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_inlets_reuse(ngx_peer_connection_t *pc, ngx_http_inlets_ctx_t *ctx)
{
    ngx_connection_t   *c;
    ngx_inlets_dial_t  *d;

    if (!ngx_http_inlets_may_reuse(pc, ctx->request)) {
        return NGX_DECLINED;
    }

    d = &ctx->dial;

    if (d->found.nplaces == 0) {

        /* the client is leaving, and waits for its streams to end */

        return NGX_DECLINED;
    }

    c = ngx_inlets_tunnel_idle(&d->found.id);
    if (c == NULL) {
        return NGX_DECLINED;
    }

    ngx_inlets_meter_attach(ngx_inlets_stream(c), &d->found.meter, 0);

    d->connection = c;

    return NGX_OK;
}


/* Results as ngx_inlets_dial(). */

static ngx_int_t
ngx_http_inlets_dial(ngx_http_inlets_ctx_t *ctx)
{
    u_char              head[INLETS_PROXY2_MAX];
    ngx_int_t           rc, size;
    ngx_inlets_dial_t  *d;

    d = &ctx->dial;

    size = ngx_http_inlets_head(ctx, head, sizeof(head));
    if (size == NGX_ERROR) {
        return NGX_ERROR;
    }

    d->head.data = head;
    d->head.len = size;

    rc = ngx_inlets_dial(d);

    if (rc != NGX_AGAIN) {
        ngx_str_null(&d->head);
        return rc;
    }

    /* the head is needed again when the client, or a link, is back */

    d->head.data = ngx_pnalloc(ctx->request->pool, size);

    if (d->head.data == NULL) {
        ngx_inlets_stream_close(d->connection, 0);
        return NGX_ERROR;
    }

    ngx_memcpy(d->head.data, head, size);

    return NGX_AGAIN;
}


/* A stream that leads nowhere, on which the edge answers; why: as dialled. */

static ngx_int_t
ngx_http_inlets_no_stream(ngx_peer_connection_t *pc,
    ngx_http_inlets_ctx_t *ctx, ngx_int_t why)
{
    ngx_inlets_dial_t  *d;

    d = &ctx->dial;

    if (why == NGX_BUSY) {
        ngx_inlets_meter_error(&d->found.meter);
    }

    d->connection = ngx_inlets_stream_create(pc->log);
    if (d->connection == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_inlets_answer(ctx, (why == NGX_DECLINED)
                                    ? NGX_HTTP_NOT_FOUND
                                    : NGX_HTTP_SERVICE_UNAVAILABLE)
        != NGX_OK)
    {
        ngx_inlets_stream_close(d->connection, 0);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * An idle stream may turn out to be closed just when the request is sent.
 * nginx then sends it again by itself, unless that could do harm.
 */

static ngx_uint_t
ngx_http_inlets_may_reuse(ngx_peer_connection_t *pc, ngx_http_request_t *r)
{
    if (pc->cached) {

        /* the second try: the other idle ones are as stale as the first */

        return 0;
    }

    if (r->request_body_no_buffering
        || (r->method & (NGX_HTTP_POST|NGX_HTTP_LOCK|NGX_HTTP_PATCH)))
    {
        return 0;
    }

    return r->headers_in.upgrade == NULL;
}


static void
ngx_http_inlets_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_inlets_ctx_t *ctx = data;

    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, pc->log, 0, "free inlets peer");

    if (pc->tries) {
        pc->tries--;
    }

    u = ctx->request->upstream;
    c = pc->connection;

    if (c && (state & NGX_PEER_FAILED) && ngx_inlets_stream(c)->refused) {
        ngx_http_inlets_send_again(pc, ctx);
    }

    if (c && ngx_http_inlets_failed(pc, state)) {
        ngx_inlets_meter_error(&ngx_inlets_stream(c)->meter);
    }

    if ((state & NGX_PEER_FAILED)
        || c == NULL
        || ctx->local
        || ctx->dial.found.no_reuse
        || c->read->eof
        || c->read->error
        || c->read->timedout
        || c->write->error
        || c->write->timedout
        || !u->keepalive
        || !u->request_body_sent)
    {
        return;
    }

    if (ngx_inlets_tunnel_keep(ctx->dial.registry, &ctx->dial.found.id, c)
        == NGX_OK)
    {
        pc->connection = NULL;
    }
}


/*
 * A client has left while the request was on its way, and never had it: so it
 * can do no harm to send it again, once, to whoever has come in its place.
 */

static void
ngx_http_inlets_send_again(ngx_peer_connection_t *pc,
    ngx_http_inlets_ctx_t *ctx)
{
    ngx_http_upstream_t       *u;
    ngx_http_upstream_conf_t  *conf;

    if (ctx->again) {
        return;
    }

    conf = ngx_palloc(ctx->request->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return;
    }

    u = ctx->request->upstream;

    *conf = *u->conf;
    conf->next_upstream |= NGX_HTTP_UPSTREAM_FT_ERROR
                           |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;

    u->conf = conf;
    ctx->again = 1;

    /* as if it had been a reused stream, which nginx does not count */

    pc->cached = 1;
}


/* What nginx tries again, since the stream was a reused one, is no error. */

static ngx_uint_t
ngx_http_inlets_failed(ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_connection_t  *c;

    c = pc->connection;

    if (c->read->timedout || c->write->timedout) {
        return 1;
    }

    return (state & NGX_PEER_FAILED) ? !pc->cached : c->read->error;
}


/* The PROXY protocol header in front of the stream; its length. */

static ngx_int_t
ngx_http_inlets_head(ngx_http_inlets_ctx_t *ctx, u_char *buf, size_t size)
{
    int                         rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    struct inlets_proxy2        h;
    ngx_http_variable_value_t  *v;

    static ngx_str_t   name = ngx_string("request_id");
    static ngx_uint_t  key;

    r = ctx->request;
    c = r->connection;

    ngx_memzero(&h, sizeof(struct inlets_proxy2));

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    h.family = ngx_http_inlets_addr(c->sockaddr, h.src, &h.src_port);

    if (h.family != INLETS_PROXY2_UNSPEC
        && (int) h.family
           != ngx_http_inlets_addr(c->local_sockaddr, h.dst, &h.dst_port))
    {
        /* one of them was set by the realip module */

        ngx_memzero(h.dst, sizeof(h.dst));
    }

    h.authority = ctx->dial.host.data;
    h.authority_len = ctx->dial.host.len;

    if (key == 0) {
        key = ngx_hash_key(name.data, name.len);
    }

    v = ngx_http_get_variable(r, &name, key);

    if (v && !v->not_found && v->len <= INLETS_PROXY2_UNIQUE_ID) {
        h.unique_id = v->data;
        h.unique_id_len = v->len;
    }

    rc = inlets_proxy2_write(buf, size, &h);

    if (rc < 0) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "PROXY protocol header can't be made: %s",
                      inlets_strerror(rc));
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_http_inlets_addr(struct sockaddr *sa, uint8_t addr[16], uint16_t *port)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memcpy(addr, &sin->sin_addr, 4);
        *port = ntohs(sin->sin_port);
        return INLETS_PROXY2_INET;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memcpy(addr, &sin6->sin6_addr, 16);
        *port = ntohs(sin6->sin6_port);
        return INLETS_PROXY2_INET6;
#endif

    default:
        return INLETS_PROXY2_UNSPEC;
    }
}


static void
ngx_http_inlets_expired(ngx_inlets_dial_t *d)
{
    ngx_http_inlets_ctx_t *ctx = d->data;

    ngx_inlets_meter_error(&d->found.meter);

    /* without memory the request runs into proxy_connect_timeout */

    (void) ngx_http_inlets_answer(ctx, NGX_HTTP_SERVICE_UNAVAILABLE);
}


/*
 * The edge answers in the place of the local service: so error_page and
 * proxy_cache_use_stale see the status, as they would see the service's own.
 */

static ngx_int_t
ngx_http_inlets_answer(ngx_http_inlets_ctx_t *ctx, ngx_uint_t status)
{
    u_char                    *p;
    size_t                     len;
    ngx_str_t                  type, text, answer;
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *u;
    ngx_http_upstream_conf_t  *conf;

    r = ctx->request;
    u = r->upstream;

    if (ngx_http_inlets_page(r, status, &type, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    *conf = *u->conf;

    conf->intercept_errors = 1;
    conf->intercept_404 = 1;

#if (NGX_HTTP_CACHE)

    conf->cache_valid = NULL;

    if (conf->cache_use_stale & NGX_HTTP_UPSTREAM_FT_ERROR) {
        conf->cache_use_stale |= NGX_HTTP_UPSTREAM_FT_HTTP_503;
    }

#endif

    len = sizeof("HTTP/1.1 503 Service Unavailable" CRLF
                 "Content-Type: " CRLF
                 "Content-Length: " CRLF
                 "Cache-Control: no-store" CRLF
                 "Retry-After: 5" CRLF
                 "Connection: close" CRLF CRLF)
          + type.len + NGX_SIZE_T_LEN + text.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    answer.data = p;

    p = ngx_sprintf(p, "HTTP/1.1 %s" CRLF
                    "Content-Type: %V" CRLF
                    "Content-Length: %uz" CRLF
                    "Cache-Control: no-store" CRLF
                    "%s"
                    "Connection: close" CRLF CRLF,
                    (status == NGX_HTTP_NOT_FOUND) ? "404 Not Found"
                                                : "503 Service Unavailable",
                    &type, text.len,
                    (status == NGX_HTTP_NOT_FOUND) ? ""
                                                : "Retry-After: 5" CRLF);

    if (r->method != NGX_HTTP_HEAD) {
        p = ngx_cpymem(p, text.data, text.len);
    }

    answer.len = p - answer.data;

    u->conf = conf;
    ctx->local = 1;

    ngx_inlets_stream_answer(ctx->dial.connection, &answer);

    return NGX_OK;
}
