
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_relay.h"
#include "ngx_inlets_session.h"
#include "ngx_inlets_stream.h"


/* of one direction in one turn of the event loop */
#define NGX_INLETS_RELAY_TURN      (256 * 1024)

#define NGX_INLETS_RELAY_PIECES    16     /* in one write */

/* without a timeout, only to be a timer that an exiting worker waits for */
#define NGX_INLETS_RELAY_INTERVAL  600000


static void ngx_inlets_relay_handler(ngx_event_t *ev);
static void ngx_inlets_relay_timer(ngx_event_t *ev);
static ngx_inlets_relay_end_e ngx_inlets_relay_process(
    ngx_inlets_relay_t *relay);
static ngx_uint_t ngx_inlets_relay_lost(ngx_connection_t *c);
static ngx_int_t ngx_inlets_relay_from_socket(ngx_inlets_relay_t *relay);
static ssize_t ngx_inlets_relay_room(ngx_connection_t *b, u_char **buf);
static ngx_int_t ngx_inlets_relay_early(ngx_inlets_relay_t *relay);
static ngx_int_t ngx_inlets_relay_from_stream(ngx_inlets_relay_t *relay,
    ngx_connection_t *src, ngx_connection_t *dst, off_t *sent);
static size_t ngx_inlets_relay_paced(ngx_inlets_stream_t *st,
    struct iovec *iov, size_t n, size_t *pieces);
static ssize_t ngx_inlets_relay_write(ngx_connection_t *c, struct iovec *iov,
    size_t n);
static ngx_int_t ngx_inlets_relay_shutdown(ngx_connection_t *c);
static ngx_int_t ngx_inlets_relay_socket_error(ngx_connection_t *c);
static ngx_int_t ngx_inlets_relay_events(ngx_inlets_relay_t *relay);
static void ngx_inlets_relay_end(ngx_inlets_relay_t *relay,
    ngx_inlets_relay_end_e end);
static void ngx_inlets_relay_linger(ngx_connection_t *c);


/* The relay goes on. */
#define NGX_INLETS_RELAY_RUNNING  ((ngx_inlets_relay_end_e) -1)


void
ngx_inlets_relay_start(ngx_inlets_relay_t *relay)
{
    ngx_connection_t  *a, *b;

    ngx_memzero((u_char *) relay + offsetof(ngx_inlets_relay_t, sent),
                sizeof(ngx_inlets_relay_t)
                - offsetof(ngx_inlets_relay_t, sent));

    a = relay->a;
    b = relay->b;

    relay->a_data = a->data;
    relay->b_data = b->data;

    a->data = relay;
    b->data = relay;

    a->read->handler = ngx_inlets_relay_handler;
    a->write->handler = ngx_inlets_relay_handler;
    b->read->handler = ngx_inlets_relay_handler;
    b->write->handler = ngx_inlets_relay_handler;

    relay->moved = ngx_current_msec;

    relay->timer.handler = ngx_inlets_relay_timer;
    relay->timer.data = a;
    relay->timer.log = a->log;

    ngx_add_timer(&relay->timer, relay->timeout ? relay->timeout
                                                : NGX_INLETS_RELAY_INTERVAL);

    if (!ngx_inlets_is_stream(a)
        && !a->read->active
        && (ngx_event_flags & NGX_USE_CLEAR_EVENT)
        && ngx_add_event(a->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK)
    {
        /* a visitor that leaves is to be noticed while nothing is read */

        ngx_inlets_relay_end(relay, NGX_INLETS_RELAY_ERROR);
        return;
    }

    ngx_inlets_relay_handler(b->read);
}


static void
ngx_inlets_relay_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_inlets_relay_t      *relay;
    ngx_inlets_relay_end_e   end;

    c = ev->data;
    relay = c->data;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "inlets relay %s %s", (c == relay->a) ? "a" : "b",
                   ev->write ? "write" : "read");

    if (c->close) {
        ngx_inlets_relay_end(relay, NGX_INLETS_RELAY_CLOSED);
        return;
    }

    end = ngx_inlets_relay_process(relay);

    if (end != NGX_INLETS_RELAY_RUNNING) {
        ngx_inlets_relay_end(relay, end);
    }
}


static void
ngx_inlets_relay_timer(ngx_event_t *ev)
{
    ngx_msec_t           idle, interval;
    ngx_connection_t    *c;
    ngx_inlets_relay_t  *relay;

    c = ev->data;
    relay = c->data;

    interval = relay->timeout ? relay->timeout : NGX_INLETS_RELAY_INTERVAL;
    idle = ngx_current_msec - relay->moved;

    if (relay->timeout == 0
        || ngx_inlets_meter_waits(ngx_inlets_stream(relay->b)))
    {
        idle = 0;
    }

    if (idle >= interval) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "inlets stream is idle for %M ms", idle);

        ngx_inlets_relay_end(relay, NGX_INLETS_RELAY_TIMEOUT);
        return;
    }

    /* armed once, however often bytes move */

    ngx_add_timer(ev, interval - idle);
}


static ngx_inlets_relay_end_e
ngx_inlets_relay_process(ngx_inlets_relay_t *relay)
{
    off_t              before;
    ngx_int_t          rc;
    ngx_connection_t  *a, *b;

    a = relay->a;
    b = relay->b;
    before = relay->sent[0] + relay->sent[1];

    if (ngx_inlets_relay_lost(b)
        || (ngx_inlets_is_stream(a) && ngx_inlets_relay_lost(a)))
    {
        return NGX_INLETS_RELAY_RESET;
    }

    if (!relay->b_eof) {
        rc = ngx_inlets_relay_from_stream(relay, b, a, &relay->sent[0]);

        if (rc == NGX_ERROR) {
            return NGX_INLETS_RELAY_RESET;
        }

        relay->b_eof = (rc == NGX_DONE);
    }

    if (!relay->a_eof) {
        rc = ngx_inlets_is_stream(a)
             ? ngx_inlets_relay_from_stream(relay, a, b, &relay->sent[1])
             : ngx_inlets_relay_from_socket(relay);

        if (rc == NGX_ERROR) {
            return NGX_INLETS_RELAY_RESET;
        }

        relay->a_eof = (rc == NGX_DONE);
    }

    if (relay->sent[0] + relay->sent[1] != before) {
        relay->moved = ngx_current_msec;
    }

    if (relay->b_eof && !relay->a_shutdown) {
        rc = ngx_inlets_relay_shutdown(a);

        if (rc == NGX_ERROR) {
            return NGX_INLETS_RELAY_RESET;
        }

        relay->a_shutdown = (rc == NGX_OK);
    }

    if (relay->a_eof && !relay->b_shutdown) {
        rc = ngx_inlets_relay_shutdown(b);

        if (rc == NGX_ERROR) {
            return NGX_INLETS_RELAY_RESET;
        }

        relay->b_shutdown = (rc == NGX_OK);
    }

    if (relay->a_shutdown && relay->b_shutdown) {
        return NGX_INLETS_RELAY_DONE;
    }

    return (ngx_inlets_relay_events(relay) == NGX_OK)
           ? NGX_INLETS_RELAY_RUNNING : NGX_INLETS_RELAY_ERROR;
}


static ngx_uint_t
ngx_inlets_relay_lost(ngx_connection_t *c)
{
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    return st->attached && st->stream == NULL;
}


/* From here on NGX_OK: go on later, NGX_DONE: EOF, NGX_ERROR: reset. */

static ngx_int_t
ngx_inlets_relay_from_socket(ngx_inlets_relay_t *relay)
{
    size_t             total;
    u_char            *buf;
    ssize_t            n, room;
    ngx_int_t          rc;
    ngx_connection_t  *a, *b;

    a = relay->a;
    b = relay->b;

    if (relay->early.len || ngx_inlets_stream(b)->head.len) {
        rc = ngx_inlets_relay_early(relay);

        if (rc != NGX_OK) {
            return (rc == NGX_AGAIN) ? NGX_OK : NGX_ERROR;
        }
    }

    for (total = 0; total < NGX_INLETS_RELAY_TURN; total += n) {

        if (!a->read->ready) {
            return NGX_OK;
        }

        room = ngx_inlets_relay_room(b, &buf);

        if (room < 0) {
            return NGX_ERROR;
        }

        if (room == 0) {
            return ngx_inlets_relay_socket_error(a);
        }

        n = a->recv(a, buf, room);

        ngx_inlets_stream_commit(b, ngx_max(n, 0));

        if (n < room) {
            ngx_inlets_meter_drained(ngx_inlets_stream(b), NGX_INLETS_UP);
        }

        if (n == NGX_AGAIN) {
            return NGX_OK;
        }

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == 0) {
            return NGX_DONE;
        }

        relay->sent[1] += n;
    }

    ngx_post_event(a->read, &ngx_posted_next_events);

    return NGX_OK;
}


/* Where to put what b may take now; results as inlets_mux_reserve(). */

static ssize_t
ngx_inlets_relay_room(ngx_connection_t *b, u_char **buf)
{
    size_t                allowed;
    ssize_t               room;
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(b);
    room = ngx_inlets_stream_reserve(b, buf);

    if (room <= 0 || !ngx_inlets_meter_limited(&st->meter, NGX_INLETS_UP)) {
        return room;
    }

    allowed = ngx_inlets_meter_allowed(st, NGX_INLETS_UP, room);

    if (allowed == 0) {
        ngx_inlets_stream_commit(b, 0);
    }

    return allowed;
}


/* The head of the stream, and what had been read before the relay. */

static ngx_int_t
ngx_inlets_relay_early(ngx_inlets_relay_t *relay)
{
    u_char   *buf;
    ssize_t   room;

    do {
        room = ngx_inlets_stream_reserve(relay->b, &buf);

        if (room <= 0) {
            return room ? NGX_ERROR : NGX_AGAIN;
        }

        room = ngx_min((size_t) room, relay->early.len);

        if (room) {
            ngx_memcpy(buf, relay->early.data, room);
        }

        ngx_inlets_stream_commit(relay->b, room);

        relay->early.data += room;
        relay->early.len -= room;
        relay->sent[1] += room;

    } while (relay->early.len);

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_relay_from_stream(ngx_inlets_relay_t *relay, ngx_connection_t *src,
    ngx_connection_t *dst, off_t *sent)
{
    size_t                total, pieces;
    ssize_t               n, w;
    struct iovec          iov[NGX_INLETS_RELAY_PIECES];
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(src);

    for (total = 0; total < NGX_INLETS_RELAY_TURN; total += w) {

        if (st->stream == NULL) {

            /* not attached yet */

            return NGX_OK;
        }

        n = inlets_mux_peekv(st->stream, iov, NGX_INLETS_RELAY_PIECES,
                             &pieces);

        if (n == INLETS_MUX_AGAIN) {
            src->read->ready = 0;
            return NGX_OK;
        }

        if (n == INLETS_MUX_EOF) {
            return NGX_DONE;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        if (ngx_inlets_meter_limited(&st->meter, NGX_INLETS_DOWN)
            && ngx_inlets_relay_paced(st, iov, n, &pieces) == 0)
        {
            return NGX_OK;
        }

        w = ngx_inlets_relay_write(dst, iov, pieces);

        if (w == NGX_AGAIN || w == 0) {
            return NGX_OK;
        }

        if (w < 0) {
            return NGX_ERROR;
        }

        inlets_mux_consume(st->stream, w);
        ngx_inlets_meter_moved(st, NGX_INLETS_DOWN, w);
        ngx_inlets_session_post(st->session);

        *sent += w;
    }

    ngx_post_event(src->read, &ngx_posted_next_events);

    return NGX_OK;
}


/* Leaves of the pieces, n bytes together, what may be written now. */

static size_t
ngx_inlets_relay_paced(ngx_inlets_stream_t *st, struct iovec *iov, size_t n,
    size_t *pieces)
{
    size_t  i, left, allowed;

    allowed = ngx_inlets_meter_allowed(st, NGX_INLETS_DOWN, n);
    left = allowed;

    for (i = 0; i < *pieces && left; i++) {
        iov[i].iov_len = ngx_min(iov[i].iov_len, left);
        left -= iov[i].iov_len;
    }

    *pieces = i;

    return allowed;
}


/* A plain socket gets all pieces at once; TLS and streams copy anyway. */

static ssize_t
ngx_inlets_relay_write(ngx_connection_t *c, struct iovec *iov, size_t n)
{
    off_t         sent;
    size_t        i;
    ngx_buf_t     bufs[NGX_INLETS_RELAY_PIECES];
    ngx_chain_t   chain[NGX_INLETS_RELAY_PIECES];

    if (ngx_inlets_is_stream(c)) {
        return c->send(c, iov[0].iov_base, iov[0].iov_len);
    }

    if (!c->write->ready) {
        return NGX_AGAIN;
    }

    if (n == 1
#if (NGX_SSL)
        || c->ssl
#endif
       )
    {
        return c->send(c, iov[0].iov_base, iov[0].iov_len);
    }

    for (i = 0; i < n; i++) {
        ngx_memzero(&bufs[i], sizeof(ngx_buf_t));

        bufs[i].pos = iov[i].iov_base;
        bufs[i].last = bufs[i].pos + iov[i].iov_len;
        bufs[i].memory = 1;

        chain[i].buf = &bufs[i];
        chain[i].next = (i + 1 < n) ? &chain[i + 1] : NULL;
    }

    sent = c->sent;

    if (c->send_chain(c, chain, 0) == NGX_CHAIN_ERROR) {
        return NGX_ERROR;
    }

    return c->sent - sent;
}


static ngx_int_t
ngx_inlets_relay_shutdown(ngx_connection_t *c)
{
#if (NGX_SSL)
    int  n, err;
#endif

    if (ngx_inlets_is_stream(c)) {
        return ngx_inlets_stream_shutdown(c);
    }

#if (NGX_SSL)

    if (c->ssl) {

        /* close_notify; what the visitor sends is still read */

        ERR_clear_error();

        n = SSL_shutdown(c->ssl->connection);

        if (n >= 0) {
            return NGX_OK;
        }

        err = SSL_get_error(c->ssl->connection, n);

        if (err == SSL_ERROR_WANT_WRITE) {
            c->write->ready = 0;
            return NGX_AGAIN;
        }

        return (err == SSL_ERROR_WANT_READ) ? NGX_OK : NGX_ERROR;
    }

#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* A visitor's reset is met by no read or write while both are held up. */

static ngx_int_t
ngx_inlets_relay_socket_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    if (!c->read->pending_eof) {
        return NGX_OK;
    }

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_connection_error(c, err, "visitor's connection failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_relay_events(ngx_inlets_relay_t *relay)
{
    ngx_connection_t  *a;

    a = relay->a;

    if (ngx_inlets_is_stream(a)) {
        return NGX_OK;
    }

    if (relay->a_eof && ngx_inlets_relay_socket_error(a) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_handle_read_event(a->read, relay->a_eof ? NGX_CLOSE_EVENT : 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_handle_write_event(a->write, 0);
}


static void
ngx_inlets_relay_end(ngx_inlets_relay_t *relay, ngx_inlets_relay_end_e end)
{
    if (relay->ended) {
        return;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, relay->a->log, 0,
                   "inlets relay end: %d, %O and %O bytes",
                   (int) end, relay->sent[0], relay->sent[1]);

    ngx_inlets_relay_stop(relay);

    if (end == NGX_INLETS_RELAY_RESET) {
        relay->b_lost = ngx_inlets_relay_lost(relay->b);

        if (relay->b_lost
            && !relay->b_eof
            && !ngx_inlets_is_stream(relay->a))
        {
            ngx_inlets_relay_linger(relay->a);
        }
    }

    relay->done(relay, end);
}


void
ngx_inlets_relay_stop(ngx_inlets_relay_t *relay)
{
    relay->ended = 1;

    if (relay->timer.timer_set) {
        ngx_del_timer(&relay->timer);
    }

    relay->a->data = relay->a_data;
    relay->b->data = relay->b_data;
}


static void
ngx_inlets_relay_linger(ngx_connection_t *c)
{
    struct linger  linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;

    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER,
                   (const void *) &linger, sizeof(struct linger)) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                      "setsockopt(SO_LINGER) failed");
    }

#if (NGX_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
    }

#endif
}
