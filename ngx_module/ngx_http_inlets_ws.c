
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_ws.h"


#define NGX_HTTP_INLETS_WS_READ       16384
#define NGX_HTTP_INLETS_WS_TURNS      4        /* reads in a row */
#define NGX_HTTP_INLETS_WS_OUT        512
#define NGX_HTTP_INLETS_WS_OUT_MAX    65536
#define NGX_HTTP_INLETS_WS_RATE       20       /* messages a second */
#define NGX_HTTP_INLETS_WS_BURST      40
#define NGX_HTTP_INLETS_WS_SEND       30000    /* ms without progress */
#define NGX_HTTP_INLETS_WS_LINGER     5000


static void ngx_http_inlets_ws_read_handler(ngx_event_t *rev);
static void ngx_http_inlets_ws_write_handler(ngx_event_t *wev);
static void ngx_http_inlets_ws_read(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_input(ngx_http_inlets_ws_t *ws, u_char *buf,
    size_t len);
static ngx_int_t ngx_http_inlets_ws_reserve(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_release(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_item(ngx_http_inlets_ws_t *ws,
    struct inlets_ws_item *item);
static ngx_int_t ngx_http_inlets_ws_flood(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_peer_close(ngx_http_inlets_ws_t *ws,
    struct inlets_ws_item *item);
static ngx_int_t ngx_http_inlets_ws_queue(ngx_http_inlets_ws_t *ws,
    ngx_uint_t opcode, const void *data, size_t len);
static ngx_int_t ngx_http_inlets_ws_room(ngx_http_inlets_ws_t *ws,
    size_t size);
static void ngx_http_inlets_ws_flush(ngx_http_inlets_ws_t *ws);
static ngx_int_t ngx_http_inlets_ws_write(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_shutdown(ngx_http_inlets_ws_t *ws);
#if (NGX_HTTP_SSL)
static void ngx_http_inlets_ws_ssl_shutdown_handler(ngx_connection_t *c);
#endif
static void ngx_http_inlets_ws_end(ngx_http_inlets_ws_t *ws,
    ngx_uint_t code, const char *told, const char *reason);
static void ngx_http_inlets_ws_settle(ngx_http_inlets_ws_t *ws);
static void ngx_http_inlets_ws_destroy(ngx_http_inlets_ws_t *ws);


static u_char  ngx_http_inlets_ws_buffer[NGX_HTTP_INLETS_WS_READ];


void
ngx_http_inlets_ws_init(ngx_http_inlets_ws_t *ws, ngx_connection_t *c)
{
    inlets_ws_reader_init(&ws->reader, NULL, 0, true);

    ws->out_max = NGX_HTTP_INLETS_WS_OUT_MAX;
    ws->connection = c;
    ws->received = ngx_current_msec;
    ws->counted = ngx_current_msec;
    ws->busy = 1;

    c->data = ws;
    c->read->handler = ngx_http_inlets_ws_read_handler;
    c->write->handler = ngx_http_inlets_ws_write_handler;
    c->idle = 1;
}


void
ngx_http_inlets_ws_start(ngx_http_inlets_ws_t *ws, u_char *early, size_t len)
{
    if (len) {
        ngx_http_inlets_ws_input(ws, early, len);
    }

    if (!ws->done) {
        ngx_http_inlets_ws_read(ws);
    }

    ngx_http_inlets_ws_settle(ws);
}


static void
ngx_http_inlets_ws_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_http_inlets_ws_t  *ws;

    c = rev->data;
    ws = c->data;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "inlets ws read handler");

    ws->busy = 1;

    if (c->close) {
        c->close = 0;

        /* c->error: worker_shutdown_timeout has passed */

        if (c->error || ws->done) {
            ws->broken = 1;
            ngx_http_inlets_ws_close(ws, "worker is shutting down");

        } else {
            ws->drain(ws);
        }

        ngx_http_inlets_ws_settle(ws);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        if (ws->done) {
            ws->broken = 1;

        } else {
            ws->timeout(ws);
        }

        ngx_http_inlets_ws_settle(ws);
        return;
    }

    ngx_http_inlets_ws_read(ws);
    ngx_http_inlets_ws_settle(ws);
}


static void
ngx_http_inlets_ws_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_http_inlets_ws_t  *ws;

    c = wev->data;
    ws = c->data;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "inlets ws write handler");

    ws->busy = 1;

    if (wev->timedout) {
        wev->timedout = 0;
        c->timedout = 1;
        ngx_http_inlets_ws_close(ws, "client does not read");
    }

    ngx_http_inlets_ws_settle(ws);
}


static void
ngx_http_inlets_ws_read(ngx_http_inlets_ws_t *ws)
{
    ssize_t            n;
    ngx_uint_t         turns;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ws->connection;
    rev = c->read;

    for (turns = 0; rev->ready && !ws->broken; turns++) {

        if (turns == NGX_HTTP_INLETS_WS_TURNS) {
            ngx_post_event(rev, &ngx_posted_next_events);
            return;
        }

        n = c->recv(c, ngx_http_inlets_ws_buffer, NGX_HTTP_INLETS_WS_READ);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ws->broken = 1;
            ngx_http_inlets_ws_close(ws, n ? "connection broke"
                                           : "client closed connection");
            return;
        }

        if (ws->done) {
            continue;
        }

        ws->received = ngx_current_msec;
        ngx_http_inlets_ws_input(ws, ngx_http_inlets_ws_buffer, n);
    }

    if (!ws->broken && ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_inlets_ws_close(ws, "read event failed");
    }
}


static void
ngx_http_inlets_ws_input(ngx_http_inlets_ws_t *ws, u_char *buf, size_t len)
{
    u_char                 *p, *last;
    ptrdiff_t               n;
    struct inlets_ws_item   item;

    p = buf;
    last = buf + len;

    while (p < last && !ws->done) {

        if (ngx_http_inlets_ws_reserve(ws) != NGX_OK) {
            ngx_http_inlets_ws_close(ws, "no memory");
            return;
        }

        n = inlets_ws_read(&ws->reader, p, last - p, &item);

        if (n < 0) {
            ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                          "client sent a bad WebSocket frame: %s",
                          inlets_strerror(n));
            ngx_http_inlets_ws_finish(ws, inlets_ws_close_code(n),
                                      inlets_strerror(n));
            return;
        }

        p += n;

        if (item.opcode != INLETS_WS_NONE) {
            ngx_http_inlets_ws_item(ws, &item);
        }

        ngx_http_inlets_ws_release(ws);
    }
}


/* The buffer of a message exists only while one is under way. */

static ngx_int_t
ngx_http_inlets_ws_reserve(ngx_http_inlets_ws_t *ws)
{
    if (ws->reader.buf) {
        return NGX_OK;
    }

    ws->reader.buf = ngx_alloc(ws->limit, ws->connection->log);
    if (ws->reader.buf == NULL) {
        return NGX_ERROR;
    }

    ws->reader.size = ws->limit;

    return NGX_OK;
}


static void
ngx_http_inlets_ws_release(ngx_http_inlets_ws_t *ws)
{
    if (ws->reader.opcode != INLETS_WS_NONE || ws->reader.buf == NULL) {
        return;
    }

    ngx_free(ws->reader.buf);

    ws->reader.buf = NULL;
    ws->reader.size = 0;
}


static void
ngx_http_inlets_ws_item(ngx_http_inlets_ws_t *ws, struct inlets_ws_item *item)
{
    if (item->opcode == INLETS_WS_CLOSE) {
        ngx_http_inlets_ws_peer_close(ws, item);
        return;
    }

    if (ngx_http_inlets_ws_flood(ws) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                      "client sent more than %d messages a second",
                      NGX_HTTP_INLETS_WS_RATE);
        ngx_http_inlets_ws_finish(ws, INLETS_WS_CLOSE_POLICY,
                                  "too many messages");
        return;
    }

    switch (item->opcode) {

    case INLETS_WS_TEXT:
        ws->message(ws, (u_char *) item->data, item->len);
        break;

    case INLETS_WS_PING:
        if (ngx_http_inlets_ws_queue(ws, INLETS_WS_PONG, item->data, item->len)
            != NGX_OK)
        {
            ngx_http_inlets_ws_close(ws, "client does not read");
        }

        break;

    case INLETS_WS_BINARY:
        ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                      "client sent a binary message on a monitor");
        ngx_http_inlets_ws_finish(ws, INLETS_WS_CLOSE_UNSUPPORTED,
                                  "binary message");
        break;

    default: /* INLETS_WS_PONG */
        break;
    }
}


static ngx_int_t
ngx_http_inlets_ws_flood(ngx_http_inlets_ws_t *ws)
{
    ngx_msec_t  elapsed;
    ngx_uint_t  drained;

    elapsed = ngx_current_msec - ws->counted;
    ws->counted = ngx_current_msec;

    /* an hour drains any excess and can't overflow */

    drained = ngx_min(elapsed, 3600000) * NGX_HTTP_INLETS_WS_RATE;

    ws->excess = ws->excess > drained ? ws->excess - drained : 0;
    ws->excess += 1000;

    return ws->excess > NGX_HTTP_INLETS_WS_BURST * 1000 ? NGX_BUSY : NGX_OK;
}


static void
ngx_http_inlets_ws_peer_close(ngx_http_inlets_ws_t *ws,
    struct inlets_ws_item *item)
{
    size_t       len;
    uint16_t     code;
    const char  *reason;

    if (inlets_ws_close_parse(item->data, item->len, &code, &reason, &len)
        != INLETS_OK)
    {
        code = INLETS_WS_CLOSE_PROTOCOL;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ws->connection->log, 0,
                   "inlets ws close frame: %ui", (ngx_uint_t) code);

    if (code == INLETS_WS_CLOSE_NO_STATUS) {
        code = INLETS_WS_CLOSE_NORMAL;
    }

    ngx_http_inlets_ws_end(ws, code, NULL, "client closed WebSocket");
}


void
ngx_http_inlets_ws_send(ngx_http_inlets_ws_t *ws, void *text, size_t len)
{
    if (ws->done) {
        return;
    }

    if (ngx_http_inlets_ws_queue(ws, INLETS_WS_TEXT, text, len) != NGX_OK) {
        ngx_http_inlets_ws_close(ws, "client does not read");
        return;
    }

    if (!ws->busy) {
        ws->busy = 1;
        ngx_http_inlets_ws_settle(ws);
    }
}


static ngx_int_t
ngx_http_inlets_ws_queue(ngx_http_inlets_ws_t *ws, ngx_uint_t opcode,
    const void *data, size_t len)
{
    int  n;

    if (ngx_http_inlets_ws_room(ws, len + INLETS_WS_HEADER_MAX) != NGX_OK) {
        return NGX_ERROR;
    }

    n = inlets_ws_message_write(ws->out + ws->out_last,
                                ws->out_size - ws->out_last,
                                (uint8_t) opcode, data, len, NULL);
    if (n < 0) {
        return NGX_ERROR;
    }

    ws->out_last += n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_ws_room(ngx_http_inlets_ws_t *ws, size_t size)
{
    size_t   need, total;
    u_char  *p;

    need = ws->out_last - ws->out_pos + size;

    if (need > ws->out_max) {
        return NGX_ERROR;
    }

    if (ws->out_size - ws->out_last >= size) {
        return NGX_OK;
    }

    total = ngx_max(NGX_HTTP_INLETS_WS_OUT, ws->out_size);

    while (total < need) {
        total *= 2;
    }

    p = ngx_alloc(total, ws->connection->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (ws->out) {
        ngx_memcpy(p, ws->out + ws->out_pos, ws->out_last - ws->out_pos);
        ngx_free(ws->out);
    }

    ws->out = p;
    ws->out_size = total;
    ws->out_last -= ws->out_pos;
    ws->out_pos = 0;

    return NGX_OK;
}


void
ngx_http_inlets_ws_cork(ngx_http_inlets_ws_t *ws)
{
    ws->busy = 1;
}


void
ngx_http_inlets_ws_uncork(ngx_http_inlets_ws_t *ws)
{
    ngx_http_inlets_ws_settle(ws);
}


void
ngx_http_inlets_ws_finish(ngx_http_inlets_ws_t *ws, ngx_uint_t code,
    const char *reason)
{
    ngx_http_inlets_ws_end(ws, code, reason, reason);
}


/* told: in the Close frame, or NULL. */

static void
ngx_http_inlets_ws_end(ngx_http_inlets_ws_t *ws, ngx_uint_t code,
    const char *told, const char *reason)
{
    int     n;
    u_char  payload[INLETS_WS_CONTROL_MAX];

    if (ws->done) {
        return;
    }

    ws->done = 1;
    ws->lingering = 1;

    if (code) {
        n = inlets_ws_close_write(payload, sizeof(payload), (uint16_t) code,
                                  told);
        if (n < 0) {
            n = inlets_ws_close_write(payload, sizeof(payload),
                                      (uint16_t) code, NULL);
        }

        if (n >= 0) {
            (void) ngx_http_inlets_ws_queue(ws, INLETS_WS_CLOSE, payload, n);
        }
    }

    ngx_add_timer(ws->connection->read, NGX_HTTP_INLETS_WS_LINGER);

    ws->closed(ws, reason);

    if (!ws->busy) {
        ws->busy = 1;
        ngx_http_inlets_ws_settle(ws);
    }
}


void
ngx_http_inlets_ws_close(ngx_http_inlets_ws_t *ws, const char *reason)
{
    ws->broken = 1;

    if (!ws->done) {
        ws->done = 1;
        ws->closed(ws, reason);
    }

    if (!ws->busy) {
        ngx_http_inlets_ws_destroy(ws);
    }
}


/*
 * Each way into this file ends here: output goes out once, and the memory is
 * freed only when nobody works on it any more.
 */

static void
ngx_http_inlets_ws_settle(ngx_http_inlets_ws_t *ws)
{
    if (!ws->broken) {
        ngx_http_inlets_ws_flush(ws);
    }

    ws->busy = 0;

    if (ws->broken) {
        ngx_http_inlets_ws_destroy(ws);
    }
}


static void
ngx_http_inlets_ws_flush(ngx_http_inlets_ws_t *ws)
{
    ngx_event_t  *wev;

    wev = ws->connection->write;

    if (ws->shut) {
        return;
    }

    switch (ngx_http_inlets_ws_write(ws)) {

    case NGX_OK:
        if (wev->timer_set) {
            ngx_del_timer(wev);
        }

        break;

    case NGX_AGAIN:
        if (!wev->timer_set) {
            ngx_add_timer(wev, NGX_HTTP_INLETS_WS_SEND);
        }

        break;

    default:
        ngx_http_inlets_ws_close(ws, "connection broke");
        return;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_inlets_ws_close(ws, "write event failed");
        return;
    }

    if (ws->lingering && ws->out == NULL) {
        ngx_http_inlets_ws_shutdown(ws);
    }
}


static ngx_int_t
ngx_http_inlets_ws_write(ngx_http_inlets_ws_t *ws)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = ws->connection;

    while (ws->out_pos < ws->out_last) {

        n = c->send(c, ws->out + ws->out_pos, ws->out_last - ws->out_pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        ws->out_pos += n;

        if (c->write->timer_set) {
            ngx_del_timer(c->write);
        }
    }

    if (ws->out) {
        ngx_free(ws->out);
        ws->out = NULL;
        ws->out_pos = 0;
        ws->out_last = 0;
        ws->out_size = 0;
    }

    return NGX_OK;
}


/*
 * A plain close() with unread input would reset the connection, and the last
 * message with it: send FIN, then read on until the peer has closed too.
 */

static void
ngx_http_inlets_ws_shutdown(ngx_http_inlets_ws_t *ws)
{
    ngx_connection_t  *c;

    c = ws->connection;

    ws->shut = 1;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_int_t  rc;

        c->ssl->shutdown_without_free = 1;

        rc = ngx_ssl_shutdown(c);

        if (rc == NGX_ERROR) {
            ngx_http_inlets_ws_close(ws, "TLS shutdown failed");
            return;
        }

        if (rc == NGX_AGAIN) {
            c->ssl->handler = ngx_http_inlets_ws_ssl_shutdown_handler;
            return;
        }

        c->read->handler = ngx_http_inlets_ws_read_handler;
        c->write->handler = ngx_http_inlets_ws_write_handler;
    }
#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
        ngx_http_inlets_ws_close(ws, "connection broke");
        return;
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


#if (NGX_HTTP_SSL)

static void
ngx_http_inlets_ws_ssl_shutdown_handler(ngx_connection_t *c)
{
    ngx_http_inlets_ws_t  *ws;

    ws = c->data;

    ws->broken = 1;

    ngx_http_inlets_ws_destroy(ws);
}

#endif


static void
ngx_http_inlets_ws_destroy(ngx_http_inlets_ws_t *ws)
{
    if (ws->out) {
        ngx_free(ws->out);
        ws->out = NULL;
    }

    if (ws->reader.buf) {
        ngx_free(ws->reader.buf);
        ws->reader.buf = NULL;
    }

    ngx_http_close_connection(ws->connection);
}
