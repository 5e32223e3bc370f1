
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_connect.h"
#include "ngx_http_inlets_link.h"
#include "ngx_http_inlets_monitor.h"
#include "inlets_protocol.h"
#include "inlets_sign.h"

#include <nginx.h>


#define NGX_HTTP_INLETS_UPGRADE_REQUIRED  426


typedef struct {
    ngx_http_request_t          *request;
    ngx_event_t                  event;
    ngx_http_inlets_peer_t      *peer;
    ngx_http_inlets_start_pt     start;
    void                        *data;
} ngx_http_inlets_upgrade_t;


static ngx_int_t ngx_http_inlets_monitor_endpoint(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_data_endpoint(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_v1_endpoint(ngx_http_request_t *r);

static ngx_uint_t ngx_http_inlets_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_http_inlets_header_token(ngx_http_request_t *r,
    const char *name, const char *token);
static ngx_uint_t ngx_http_inlets_has_token(ngx_str_t *value,
    const char *token, size_t len);
static ngx_int_t ngx_http_inlets_answer(ngx_http_request_t *r,
    ngx_uint_t status, const char *text);

static ngx_int_t ngx_http_inlets_switch_protocols(ngx_http_request_t *r,
    ngx_str_t *key);
static void ngx_http_inlets_upgrade_cleanup(void *data);
static void ngx_http_inlets_upgrade_write_handler(ngx_http_request_t *r);
static void ngx_http_inlets_upgrade_wait(ngx_http_request_t *r);
static void ngx_http_inlets_upgrade_event_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_inlets_detach(ngx_http_request_t *r,
    ngx_http_inlets_peer_t *peer, ngx_str_t *early);
static void ngx_http_inlets_free_buffers(ngx_connection_t *c,
    ngx_http_connection_t *hc);


typedef struct {
    ngx_str_t                    path;
    ngx_http_handler_pt          handler;
} ngx_http_inlets_endpoint_t;


static ngx_http_inlets_endpoint_t  ngx_http_inlets_endpoints[] = {

    { ngx_string(INLETS_PATH_MONITOR), ngx_http_inlets_monitor_endpoint },
    { ngx_string(INLETS_PATH_DATA), ngx_http_inlets_data_endpoint },
    { ngx_string(INLETS_PATH_V1), ngx_http_inlets_v1_endpoint },

    { ngx_null_string, NULL }
};


ngx_int_t
ngx_http_inlets_connect_handler(ngx_http_request_t *r)
{
    size_t                       len;
    ngx_http_inlets_endpoint_t  *endpoint;

    if (r != r->main) {
        return NGX_HTTP_NOT_FOUND;
    }

    for (endpoint = ngx_http_inlets_endpoints; endpoint->handler; endpoint++) {

        len = endpoint->path.len;

        if (r->uri.len >= len
            && ngx_memcmp(r->uri.data + r->uri.len - len, endpoint->path.data,
                          len)
               == 0)
        {
            return endpoint->handler(r);
        }
    }

    return NGX_HTTP_NOT_FOUND;
}


static ngx_int_t
ngx_http_inlets_monitor_endpoint(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   key;
    const char                 *text;
    ngx_http_inlets_peer_t     *peer;
    ngx_http_inlets_monitor_t  *monitor;

    rc = ngx_http_inlets_handshake(r, &key, &text);
    if (rc != NGX_OK) {
        return ngx_http_inlets_answer(r, rc, text);
    }

    peer = ngx_http_inlets_peer_create(r);
    if (peer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    monitor = ngx_http_inlets_monitor_create(r, peer);
    if (monitor == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_inlets_upgrade(r, &key, peer,
                                   ngx_http_inlets_monitor_start, monitor);
}


static ngx_int_t
ngx_http_inlets_data_endpoint(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                key;
    const char              *text;
    ngx_http_inlets_link_t  *link;
    ngx_http_inlets_peer_t  *peer;

    peer = ngx_http_inlets_peer_create(r);
    if (peer == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_inlets_link_create(r, peer, &link, &text);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_inlets_handshake(r, &key, &text);
    }

    if (rc != NGX_OK) {
        return ngx_http_inlets_answer(r, rc, text);
    }

    return ngx_http_inlets_upgrade(r, &key, peer, ngx_http_inlets_link_start,
                                   link);
}


static ngx_int_t
ngx_http_inlets_v1_endpoint(ngx_http_request_t *r)
{
    return ngx_http_inlets_answer(r, NGX_HTTP_NOT_IMPLEMENTED,
                        "inlets protocol version 1 is not supported");
}


/* RFC 6455, 4.2.1 */

ngx_int_t
ngx_http_inlets_handshake(ngx_http_request_t *r, ngx_str_t *key,
    const char **text)
{
    char        accept[INLETS_WS_ACCEPT_LEN + 1];
    ngx_str_t   value;

    if (ngx_exiting) {
        *text = "worker is shutting down, try again";
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (r->http_version != NGX_HTTP_VERSION_11) {
        *text = "WebSocket handshake needs HTTP/1.1";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->method != NGX_HTTP_GET) {
        *text = "WebSocket handshake needs GET";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        *text = "WebSocket handshake can't have a body";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!ngx_http_inlets_header_token(r, "Upgrade", "websocket")) {
        *text = "WebSocket handshake needs \"Upgrade: websocket\"";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!ngx_http_inlets_header_token(r, "Connection", "upgrade")) {
        *text = "WebSocket handshake needs \"Connection: Upgrade\"";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_inlets_header(r, "Sec-WebSocket-Version", &value) != 1
        || value.len != 2 || ngx_memcmp(value.data, "13", 2) != 0)
    {
        *text = "WebSocket handshake needs \"Sec-WebSocket-Version: 13\"";
        return NGX_HTTP_INLETS_UPGRADE_REQUIRED;
    }

    if (ngx_http_inlets_header(r, "Sec-WebSocket-Key", key) != 1
        || inlets_ws_accept((char *) key->data, key->len, accept) != INLETS_OK)
    {
        *text = "WebSocket handshake needs one valid Sec-WebSocket-Key";
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


/* How many there are; value is that of the first. */

static ngx_uint_t
ngx_http_inlets_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    size_t            len;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != len
                || ngx_strncasecmp(h[i].key.data, (u_char *) name, len) != 0)
            {
                continue;
            }

            if (n++ == 0) {
                *value = h[i].value;
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_http_inlets_header_token(ngx_http_request_t *r, const char *name,
    const char *token)
{
    size_t            len, token_len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    token_len = ngx_strlen(token);

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0
                && ngx_http_inlets_has_token(&h[i].value, token, token_len))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_inlets_has_token(ngx_str_t *value, const char *token, size_t len)
{
    u_char  *p, *last, *start, *end;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        end = p;

        while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if ((size_t) (end - start) == len
            && ngx_strncasecmp(start, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_inlets_answer(ngx_http_request_t *r, ngx_uint_t status,
    const char *text)
{
    size_t        len;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "inlets: refused with %ui: %s", status, text);

    len = ngx_strlen(text);

    r->headers_out.status = status;
    r->headers_out.content_length_n = len + 1;
    ngx_str_set(&r->headers_out.content_type, "text/plain; charset=utf-8");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (status == NGX_HTTP_INLETS_UPGRADE_REQUIRED) {
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");

        if (ngx_http_inlets_add_header(r, "Upgrade", "websocket") == NULL
            || ngx_http_inlets_add_header(r, "Sec-WebSocket-Version", "13")
               == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, len + 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, text, len);
    *b->last++ = LF;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_inlets_upgrade(ngx_http_request_t *r, ngx_str_t *key,
    ngx_http_inlets_peer_t *peer, ngx_http_inlets_start_pt start, void *data)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_cleanup_t         *cln;
    ngx_http_inlets_upgrade_t  *upgrade;

    c = r->connection;

    if (r->main->count != 1 || r->main->blocked) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "inlets_connect can't work with subrequests under way");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    upgrade = ngx_pcalloc(r->pool, sizeof(ngx_http_inlets_upgrade_t));
    if (upgrade == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_inlets_upgrade_cleanup;
    cln->data = upgrade;

    upgrade->request = r;
    upgrade->peer = peer;
    upgrade->start = start;
    upgrade->data = data;

    upgrade->event.handler = ngx_http_inlets_upgrade_event_handler;
    upgrade->event.data = upgrade;
    upgrade->event.log = c->log;

    rc = ngx_http_inlets_switch_protocols(r, key);
    if (rc != NGX_OK) {
        return rc;
    }

    /* the count is taken back by NGX_DONE, the request is freed later */

    r->main->count++;

    ngx_http_inlets_upgrade_wait(r);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_inlets_switch_protocols(ngx_http_request_t *r, ngx_str_t *key)
{
    char       *accept;
    ngx_int_t   rc;

    accept = ngx_pnalloc(r->pool, INLETS_WS_ACCEPT_LEN + 1);
    if (accept == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (inlets_ws_accept((char *) key->data, key->len, accept) != INLETS_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    if (ngx_http_inlets_add_header(r, "Upgrade", "websocket") == NULL
        || ngx_http_inlets_add_header(r, "Sec-WebSocket-Accept", accept)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->keepalive = 0;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_inlets_upgrade_cleanup(void *data)
{
    ngx_http_inlets_upgrade_t *upgrade = data;

    if (upgrade->event.posted) {
        ngx_delete_posted_event(&upgrade->event);
    }
}


static void
ngx_http_inlets_upgrade_write_handler(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (wev->timedout && !wev->delayed) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    wev->timedout = 0;
    wev->delayed = 0;

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_inlets_upgrade_wait(r);
}


/* Waits until the answer is sent, then leaves the request's own handlers. */

static void
ngx_http_inlets_upgrade_wait(ngx_http_request_t *r)
{
    ngx_event_t                *wev;
    ngx_connection_t           *c;
    ngx_http_cleanup_t         *cln;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_inlets_upgrade_t  *upgrade;

    c = r->connection;
    wev = c->write;

    if (r->buffered || c->buffered) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        r->write_event_handler = ngx_http_inlets_upgrade_write_handler;

        if (!wev->delayed) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            c->error = 1;
            ngx_post_event(wev, &ngx_posted_events);
        }

        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    for (cln = r->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_inlets_upgrade_cleanup) {
            upgrade = cln->data;

            ngx_post_event(&upgrade->event, &ngx_posted_events);
            return;
        }
    }
}


static void
ngx_http_inlets_upgrade_event_handler(ngx_event_t *ev)
{
    void                       *data;
    ngx_str_t                   early;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_inlets_start_pt    start;
    ngx_http_inlets_upgrade_t  *upgrade;

    upgrade = ev->data;

    r = upgrade->request;
    c = r->connection;
    start = upgrade->start;
    data = upgrade->data;

    if (r->main->count != 1 || r->main->blocked) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "inlets_connect can't work with subrequests under way");
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (ngx_http_inlets_detach(r, upgrade->peer, &early) != NGX_OK) {
        ngx_http_close_connection(c);
        return;
    }

    start(c, data, early.data, early.len);

    if (early.len) {
        ngx_free(early.data);
    }
}


/*
 * Frees the request, as keepalive does, and leaves the connection with nothing
 * that points into it.  upgrade was in the request's pool, too.
 */

static ngx_int_t
ngx_http_inlets_detach(ngx_http_request_t *r, ngx_http_inlets_peer_t *peer,
    ngx_str_t *early)
{
    ngx_buf_t              *b;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = r->connection;
    hc = r->http_connection;
    b = r->header_in;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "inlets detach");

    ngx_http_free_request(r, 0);

    c->data = NULL;
    c->destroyed = 0;

    c->log->handler = ngx_http_inlets_peer_log;
    c->log->data = peer;
    c->log->action = NULL;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->read->timedout = 0;
    c->write->timedout = 0;
    c->write->delayed = 0;

    early->len = b->last - b->pos;

    if (early->len) {
        early->data = ngx_alloc(early->len, c->log);
        if (early->data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(early->data, b->pos, early->len);

    } else {
        early->data = NULL;
    }

    ngx_http_inlets_free_buffers(c, hc);

    if (c->tcp_nopush == NGX_TCP_NOPUSH_SET) {
        if (ngx_tcp_push(c->fd) == -1) {
            ngx_connection_error(c, ngx_socket_errno, ngx_tcp_push_n " failed");
            goto failed;
        }

        c->tcp_nopush = NGX_TCP_NOPUSH_UNSET;
    }

    if (c->sockaddr->sa_family != AF_UNIX && ngx_tcp_nodelay(c) != NGX_OK) {
        goto failed;
    }

    /* too late for "drain" */

    if (ngx_exiting) {
        goto failed;
    }

    return NGX_OK;

failed:

    if (early->len) {
        ngx_free(early->data);
    }

    return NGX_ERROR;
}


static void
ngx_http_inlets_free_buffers(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    ngx_chain_t  *cl;

    if (c->buffer) {
        (void) ngx_pfree(c->pool, c->buffer->start);
        c->buffer = NULL;
    }

    for (cl = hc->free; cl; cl = cl->next) {
        (void) ngx_pfree(c->pool, cl->buf->start);
    }

    for (cl = hc->busy; cl; cl = cl->next) {
        (void) ngx_pfree(c->pool, cl->buf->start);
    }

    hc->free = NULL;
    hc->busy = NULL;
    hc->nbusy = 0;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
        c->ssl->no_wait_shutdown = 1;
    }
#endif
}


ngx_http_inlets_peer_t *
ngx_http_inlets_peer_create(ngx_http_request_t *r)
{
    ngx_connection_t        *c;
    ngx_http_inlets_peer_t  *peer;

    c = r->connection;

    peer = ngx_pcalloc(c->pool, sizeof(ngx_http_inlets_peer_t)
                                + c->addr_text.len);
    if (peer == NULL) {
        return NULL;
    }

    /* a copy, since the realip module changes it for the request only */

    peer->client.len = c->addr_text.len;
    peer->client.data = (u_char *) peer + sizeof(ngx_http_inlets_peer_t);
    ngx_memcpy(peer->client.data, c->addr_text.data, c->addr_text.len);

    return peer;
}


u_char *
ngx_http_inlets_peer_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                  *p;
    ngx_http_inlets_peer_t  *peer;

    p = buf;
    peer = log->data;

    if (log->action) {
        p = ngx_snprintf(p, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(p, len, ", client: %V", &peer->client);
    len -= p - buf;

    if (peer->id[0]) {
        p = ngx_snprintf(p, len, ", tunnel: %s", peer->id);
    }

    return p;
}
