
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_session.h"
#include "ngx_inlets_stream.h"

#include "inlets_ws.h"

#include <ngx_http.h>
#include <openssl/rand.h>
#include <time.h>


#define NGX_INLETS_READ_SIZE     (128 * 1024)
#define NGX_INLETS_IOVS          64
#define NGX_INLETS_FREE_BLOCKS   256      /* kept by a worker: 4 MiB */
#define NGX_INLETS_CLOSE_TIME    2000


typedef struct ngx_inlets_block_s  ngx_inlets_block_t;

struct ngx_inlets_block_s {
    ngx_inlets_block_t          *next;
};


static void ngx_inlets_session_read_handler(ngx_event_t *rev);
static void ngx_inlets_session_write_handler(ngx_event_t *wev);
static void ngx_inlets_session_flush_handler(ngx_event_t *ev);
static ngx_int_t ngx_inlets_session_input(ngx_inlets_session_t *session,
    u_char *buf, size_t len);
static void ngx_inlets_session_dispatch(ngx_inlets_session_t *session);
static ngx_int_t ngx_inlets_session_flush(ngx_inlets_session_t *session);
static ngx_int_t ngx_inlets_session_timer(ngx_inlets_session_t *session);
static void ngx_inlets_session_finish(ngx_inlets_session_t *session);
static uint64_t ngx_inlets_session_now(void);
static void *ngx_inlets_session_alloc(void *ctx, size_t size);
static void ngx_inlets_session_free(void *ctx, void *p, size_t size);
static void ngx_inlets_session_random(void *ctx, void *buf, size_t size);


static u_char              *ngx_inlets_session_buffer;
static ngx_inlets_block_t  *ngx_inlets_free_blocks;
static ngx_uint_t           ngx_inlets_nfree_blocks;


ngx_inlets_session_t *
ngx_inlets_session_create(ngx_connection_t *c, struct inlets_mux_conf *conf)
{
    ngx_inlets_session_t  *session;

    if (ngx_inlets_session_buffer == NULL) {
        ngx_inlets_session_buffer = ngx_alloc(NGX_INLETS_READ_SIZE, c->log);
        if (ngx_inlets_session_buffer == NULL) {
            return NULL;
        }
    }

    session = ngx_calloc(sizeof(ngx_inlets_session_t), c->log);
    if (session == NULL) {
        return NULL;
    }

    conf->alloc = ngx_inlets_session_alloc;
    conf->free = ngx_inlets_session_free;
    conf->random = ngx_inlets_session_random;
    conf->ctx = NULL;

    session->mux = inlets_mux_create(conf);
    if (session->mux == NULL) {
        ngx_free(session);
        return NULL;
    }

    session->connection = c;
    session->received = ngx_current_msec;

    session->flush.data = session;
    session->flush.handler = ngx_inlets_session_flush_handler;
    session->flush.log = c->log;

    c->data = session;
    c->read->handler = ngx_inlets_session_read_handler;
    c->write->handler = ngx_inlets_session_write_handler;

    return session;
}


ngx_int_t
ngx_inlets_session_start(ngx_inlets_session_t *session, u_char *early,
    size_t len)
{
    ngx_event_t  *rev;

    rev = session->connection->read;

    if (session->timeout) {
        ngx_add_timer(rev, session->timeout);
    }

    if (len && ngx_inlets_session_input(session, early, len) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return NGX_OK;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_inlets_session_finish(session);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_inlets_session_read_handler(ngx_event_t *rev)
{
    ssize_t                n;
    ngx_connection_t      *c;
    ngx_inlets_session_t  *session;

    c = rev->data;
    session = c->data;

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, c->log, 0, "inlets session read");

    if (c->close) {
        c->close = 0;

        if (c->error) {
            ngx_inlets_session_finish(session);
            return;
        }

        if (session->drain) {
            session->drain(session);
        }

        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        if (ngx_inlets_session_timer(session) != NGX_OK) {
            return;
        }
    }

    if (!rev->ready) {
        return;
    }

    /* one read a turn, so that the streams are served in between */

    n = c->recv(c, ngx_inlets_session_buffer, NGX_INLETS_READ_SIZE);

    if (n == NGX_AGAIN) {
        goto done;
    }

    if (n == NGX_ERROR || n == 0) {
        ngx_inlets_session_finish(session);
        return;
    }

    if (ngx_inlets_session_input(session, ngx_inlets_session_buffer, n)
        != NGX_OK)
    {
        return;
    }

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_next_events);
        return;
    }

done:

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_inlets_session_finish(session);
    }
}


static ngx_int_t
ngx_inlets_session_input(ngx_inlets_session_t *session, u_char *buf,
    size_t len)
{
    int                 rc;
    ngx_connection_t   *c;

    c = session->connection;

    session->received = ngx_current_msec;

    if (session->closing) {

        /* the Close frame is out, what still comes is of no use */

        return NGX_OK;
    }

    rc = inlets_mux_input(session->mux, buf, len, ngx_inlets_session_now());

    if (rc < 0) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "inlets peer sent invalid data: %s, stream %uD",
                      inlets_strerror(rc),
                      inlets_mux_error_stream(session->mux));

        inlets_mux_close(session->mux, inlets_ws_close_code(rc),
                         inlets_strerror(rc));
        (void) ngx_inlets_session_flush(session);

        ngx_inlets_session_finish(session);
        return NGX_ERROR;
    }

    ngx_inlets_session_dispatch(session);

    if (inlets_mux_close_received(session->mux)) {
        (void) ngx_inlets_session_flush(session);

        ngx_inlets_session_finish(session);
        return NGX_ERROR;
    }

    if (!session->away && inlets_mux_closing(session->mux)) {
        session->away = 1;

        if (session->leaving) {
            session->leaving(session);
        }
    }

    ngx_inlets_session_post(session);

    return NGX_OK;
}


static void
ngx_inlets_session_dispatch(ngx_inlets_session_t *session)
{
    unsigned                   events;
    struct inlets_mux_stream  *stream;

    for ( ;; ) {
        stream = inlets_mux_next(session->mux, &events);

        if (stream == NULL) {
            return;
        }

        if (events & INLETS_MUX_EV_OPEN) {

            if (session->opened == NULL) {
                inlets_mux_release(stream);
                continue;
            }

            /* EV_READ that came along is seen by the first read */

            session->opened(session, stream);
            continue;
        }

        ngx_inlets_stream_ready(stream, events);
    }
}


void
ngx_inlets_session_post(ngx_inlets_session_t *session)
{
    if (session->done
        || session->flush.posted
        || !session->connection->write->ready
        || (!inlets_mux_pending(session->mux)
            && !inlets_mux_ready(session->mux)))
    {
        return;
    }

    ngx_post_event(&session->flush, &ngx_posted_events);
}


static void
ngx_inlets_session_flush_handler(ngx_event_t *ev)
{
    ngx_inlets_session_t  *session;

    session = ev->data;

    if (ngx_inlets_session_flush(session) == NGX_ERROR) {
        ngx_inlets_session_finish(session);
    }
}


static void
ngx_inlets_session_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_inlets_session_t  *session;

    c = wev->data;
    session = c->data;

    if (wev->timedout) {

        /* the peer did not take the Close frame in time */

        ngx_inlets_session_finish(session);
        return;
    }

    if (ngx_inlets_session_flush(session) == NGX_ERROR) {
        ngx_inlets_session_finish(session);
    }
}


/* Writes until all is out or the socket is full; wakes waiting streams. */

static ngx_int_t
ngx_inlets_session_flush(ngx_inlets_session_t *session)
{
    size_t             i, n, sent;
    ngx_buf_t          bufs[NGX_INLETS_IOVS];
    ngx_chain_t        chain[NGX_INLETS_IOVS], *cl;
    struct iovec       iov[NGX_INLETS_IOVS];
    ngx_connection_t  *c;

    c = session->connection;

    for ( ;; ) {
        n = inlets_mux_output(session->mux, iov, NGX_INLETS_IOVS);

        if (n == 0 && !c->buffered) {
            break;
        }

        for (i = 0; i < n; i++) {
            ngx_memzero(&bufs[i], sizeof(ngx_buf_t));

            bufs[i].pos = iov[i].iov_base;
            bufs[i].last = bufs[i].pos + iov[i].iov_len;
            bufs[i].memory = 1;

            chain[i].buf = &bufs[i];
            chain[i].next = &chain[i + 1];
        }

        if (n) {
            bufs[n - 1].flush = 1;
            chain[n - 1].next = NULL;
        }

        cl = c->send_chain(c, n ? chain : NULL, 0);

        if (cl == NGX_CHAIN_ERROR) {
            return NGX_ERROR;
        }

        for (i = 0, sent = 0; i < n; i++) {
            sent += iov[i].iov_len - (bufs[i].last - bufs[i].pos);
        }

        inlets_mux_sent(session->mux, sent);

        if (!c->write->ready || c->buffered) {
            break;
        }
    }

    ngx_inlets_session_dispatch(session);

    return ngx_handle_write_event(c->write, 0);
}


static ngx_int_t
ngx_inlets_session_timer(ngx_inlets_session_t *session)
{
    ngx_msec_t         silent;
    ngx_connection_t  *c;

    c = session->connection;

    if (session->closing) {
        ngx_inlets_session_finish(session);
        return NGX_ERROR;
    }

    silent = ngx_current_msec - session->received;

    if (silent >= 2 * session->timeout) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "inlets peer is silent for %M ms", silent);
        ngx_inlets_session_finish(session);
        return NGX_ERROR;
    }

    ngx_add_timer(c->read, session->timeout);

    if (silent >= session->timeout / 2) {
        (void) inlets_mux_ping(session->mux, ngx_inlets_session_now());
        ngx_inlets_session_post(session);
    }

    if (session->check) {
        session->check(session);
        return NGX_DONE;
    }

    return NGX_OK;
}


void
ngx_inlets_session_close(ngx_inlets_session_t *session, ngx_uint_t code,
    const char *reason)
{
    ngx_connection_t  *c;

    if (session->closing) {
        return;
    }

    c = session->connection;

    inlets_mux_close(session->mux, code, reason);

    if (ngx_inlets_session_flush(session) == NGX_ERROR) {
        ngx_inlets_session_finish(session);
        return;
    }

    /*
     * Closing a socket that has unread input would reset the connection, and
     * the peer might never see the Close frame: wait for the peer to close.
     */

    session->closing = 1;

    ngx_add_timer(c->read, NGX_INLETS_CLOSE_TIME);
}


void
ngx_inlets_session_abort(ngx_inlets_session_t *session)
{
    ngx_inlets_session_finish(session);
}


static void
ngx_inlets_session_finish(ngx_inlets_session_t *session)
{
    ngx_connection_t  *c;

    if (session->done) {
        return;
    }

    session->done = 1;

    c = session->connection;

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, c->log, 0, "inlets session finish");

    inlets_mux_abort(session->mux);
    ngx_inlets_session_dispatch(session);

    if (session->closed) {
        session->closed(session);
    }

    if (session->flush.posted) {
        ngx_delete_posted_event(&session->flush);
    }

    /* streams that have ended may still have data that is to be read */

    session->connection = NULL;
    session->left = 1;

    ngx_inlets_session_released(session);

    ngx_inlets_close_connection(c);
}


void
ngx_inlets_session_released(ngx_inlets_session_t *session)
{
    if (!session->left) {
        ngx_inlets_session_post(session);
        return;
    }

    if (inlets_mux_streams(session->mux) == 0) {
        inlets_mux_destroy(session->mux);
        ngx_free(session);
    }
}


void
ngx_inlets_close_connection(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    if (c->listening) {

        /* accepted by the HTTP core: it counts it, and shuts TLS down */

        ngx_http_close_connection(c);
        return;
    }

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


static uint64_t
ngx_inlets_session_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void *
ngx_inlets_session_alloc(void *ctx, size_t size)
{
    ngx_inlets_block_t  *block;

    if (size == INLETS_MUX_BLOCK && ngx_inlets_free_blocks) {
        block = ngx_inlets_free_blocks;
        ngx_inlets_free_blocks = block->next;
        ngx_inlets_nfree_blocks--;

        return block;
    }

    return ngx_alloc(size, ngx_cycle->log);
}


static void
ngx_inlets_session_free(void *ctx, void *p, size_t size)
{
    ngx_inlets_block_t  *block;

    if (size == INLETS_MUX_BLOCK
        && ngx_inlets_nfree_blocks < NGX_INLETS_FREE_BLOCKS)
    {
        block = p;
        block->next = ngx_inlets_free_blocks;
        ngx_inlets_free_blocks = block;
        ngx_inlets_nfree_blocks++;

        return;
    }

    ngx_free(p);
}


static void
ngx_inlets_session_random(void *ctx, void *buf, size_t size)
{
    size_t   n;
    u_char  *p;
    long     r;

    if (RAND_bytes(buf, size) == 1) {
        return;
    }

    for (p = buf; size; p += n, size -= n) {
        r = ngx_random();
        n = ngx_min(size, 2);
        ngx_memcpy(p, &r, n);
    }
}
