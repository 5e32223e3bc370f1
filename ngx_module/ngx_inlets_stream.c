
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_stream.h"
#include "ngx_inlets_session.h"


#define NGX_INLETS_STREAM_POOL_SIZE  512


static ngx_connection_t *ngx_inlets_stream_connection(ngx_log_t *log);
static ngx_socket_t ngx_inlets_stream_fd(ngx_log_t *log);
static void ngx_inlets_stream_join(ngx_inlets_stream_t *st,
    ngx_inlets_session_t *session, struct inlets_mux_stream *stream);
static void ngx_inlets_stream_cleanup(void *data);
static void ngx_inlets_stream_empty_handler(ngx_event_t *ev);
static ssize_t ngx_inlets_stream_recv_chain(ngx_connection_t *c,
    ngx_chain_t *cl, off_t limit);
static ssize_t ngx_inlets_stream_send(ngx_connection_t *c, u_char *buf,
    size_t size);
static ngx_chain_t *ngx_inlets_stream_send_chain(ngx_connection_t *c,
    ngx_chain_t *in, off_t limit);
static ssize_t ngx_inlets_stream_write(ngx_inlets_stream_t *st, u_char *buf,
    size_t size);
static ssize_t ngx_inlets_stream_write_paced(ngx_inlets_stream_t *st,
    u_char *buf, size_t size);
static ngx_int_t ngx_inlets_stream_send_head(ngx_inlets_stream_t *st);
static ssize_t ngx_inlets_stream_recv_answer(ngx_inlets_stream_t *st,
    u_char *buf, size_t size);
static ssize_t ngx_inlets_stream_reset(ngx_inlets_stream_t *st,
    ngx_event_t *ev, char *text);


/*
 * The descriptor that all stream connections of the worker show: getsockopt()
 * works on it, and nothing is ever written to it.
 */

static ngx_socket_t  ngx_inlets_stream_sockets[2] = { -1, -1 };


ngx_connection_t *
ngx_inlets_stream_create(ngx_log_t *log)
{
    return ngx_inlets_stream_connection(log);
}


static ngx_connection_t *
ngx_inlets_stream_connection(ngx_log_t *log)
{
    ngx_pool_t           *pool;
    ngx_socket_t          fd;
    ngx_connection_t     *c;
    ngx_pool_cleanup_t   *cln;
    ngx_inlets_stream_t  *st;

    fd = ngx_inlets_stream_fd(log);
    if (fd == (ngx_socket_t) -1) {
        return NULL;
    }

    pool = ngx_create_pool(NGX_INLETS_STREAM_POOL_SIZE, log);
    if (pool == NULL) {
        return NULL;
    }

    st = ngx_pcalloc(pool, sizeof(ngx_inlets_stream_t));
    if (st == NULL) {
        goto failed;
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        goto failed;
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        goto failed;
    }

    cln->handler = ngx_inlets_stream_cleanup;
    cln->data = st;

    st->sockaddr.sa_family = AF_UNIX;
    st->connection = c;

    c->shared = 1;
    c->type = SOCK_STREAM;
    c->pool = pool;
    c->sockaddr = &st->sockaddr;
    c->socklen = sizeof(sa_family_t);
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->recv = ngx_inlets_stream_recv;
    c->send = ngx_inlets_stream_send;
    c->recv_chain = ngx_inlets_stream_recv_chain;
    c->send_chain = ngx_inlets_stream_send_chain;

    c->read->handler = ngx_inlets_stream_empty_handler;
    c->write->handler = ngx_inlets_stream_empty_handler;
    c->read->log = log;
    c->write->log = log;

    /* never given to epoll */

    c->read->active = 1;
    c->write->active = 1;

    return c;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static ngx_socket_t
ngx_inlets_stream_fd(ngx_log_t *log)
{
    ngx_socket_t  *s;

    s = ngx_inlets_stream_sockets;

    if (s[0] != (ngx_socket_t) -1) {
        return s[0];
    }

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      "socketpair() for inlets streams failed");
        s[0] = (ngx_socket_t) -1;
        return s[0];
    }

    (void) ngx_nonblocking(s[0]);
    (void) ngx_nonblocking(s[1]);

    return s[0];
}


ngx_int_t
ngx_inlets_stream_attach(ngx_connection_t *c, ngx_inlets_session_t *session)
{
    ngx_inlets_stream_t       *st;
    struct inlets_mux_stream  *stream;

    if (session->closing || inlets_mux_closing(session->mux)) {
        return NGX_DECLINED;
    }

    stream = inlets_mux_open(session->mux);
    if (stream == NULL) {
        return NGX_DECLINED;
    }

    st = ngx_inlets_stream(c);

    ngx_inlets_stream_join(st, session, stream);

    c->write->ready = 1;
    ngx_post_event(c->write, &ngx_posted_events);

    return NGX_OK;
}


ngx_connection_t *
ngx_inlets_stream_accept(ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream, ngx_log_t *log)
{
    ngx_connection_t  *c;

    c = ngx_inlets_stream_connection(log);
    if (c == NULL) {
        return NULL;
    }

    ngx_inlets_stream_join(ngx_inlets_stream(c), session, stream);

    c->read->ready = 1;
    c->write->ready = 1;

    return c;
}


static void
ngx_inlets_stream_join(ngx_inlets_stream_t *st, ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream)
{
    st->session = session;
    st->stream = stream;
    st->attached = 1;

    inlets_mux_set_data(stream, st);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, st->connection->log, 0,
                   "inlets stream %uD", inlets_mux_id(stream));
}


void
ngx_inlets_stream_answer(ngx_connection_t *c, ngx_str_t *answer)
{
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    st->answer = *answer;
    st->answering = 1;

    c->read->ready = 1;
    c->write->ready = 1;

    ngx_post_event(c->write, &ngx_posted_events);
    ngx_post_event(c->read, &ngx_posted_events);
}


ngx_int_t
ngx_inlets_stream_shutdown(ngx_connection_t *c)
{
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    if (st->stream == NULL) {
        return st->attached ? NGX_ERROR : NGX_AGAIN;
    }

    if (st->head.len && ngx_inlets_stream_send_head(st) != NGX_OK) {
        return inlets_mux_is_reset(st->stream) ? NGX_ERROR : NGX_AGAIN;
    }

    inlets_mux_shutdown(st->stream);
    ngx_inlets_session_post(st->session);

    return NGX_OK;
}


void
ngx_inlets_stream_close(ngx_connection_t *c, ngx_uint_t reset)
{
    ngx_pool_t           *pool;
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    if (reset && st->stream) {
        inlets_mux_reset(st->stream);
    }

    pool = c->pool;

    ngx_close_connection(c);
    ngx_destroy_pool(pool);
}


static void
ngx_inlets_stream_cleanup(void *data)
{
    ngx_inlets_stream_t  *st = data;

    ngx_inlets_meter_detach(st);

    if (st->stream == NULL) {
        return;
    }

    inlets_mux_release(st->stream);
    st->stream = NULL;

    ngx_inlets_session_released(st->session);
}


void
ngx_inlets_stream_ready(struct inlets_mux_stream *stream, ngx_uint_t events)
{
    ngx_connection_t     *c;
    ngx_inlets_stream_t  *st;

    st = inlets_mux_data(stream);

    if (st == NULL) {

        /* just opened by the peer and refused */

        return;
    }

    c = st->connection;

    if (inlets_mux_is_reset(stream)) {

        /* the session may be gone before the stream is closed */

        st->refused = inlets_mux_is_refused(stream);
        inlets_mux_release(stream);

        st->stream = NULL;
        st->session = NULL;

        events = INLETS_MUX_EV_READ|INLETS_MUX_EV_WRITE;
    }

    if (events & INLETS_MUX_EV_READ) {
        c->read->ready = 1;
        ngx_post_event(c->read, &ngx_posted_events);
    }

    if (events & INLETS_MUX_EV_WRITE) {
        c->write->ready = 1;
        ngx_post_event(c->write, &ngx_posted_events);
    }
}


static void
ngx_inlets_stream_empty_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "inlets stream empty handler");
}


ssize_t
ngx_inlets_stream_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t                unread;
    ssize_t               n;
    const uint8_t        *p;
    ngx_event_t          *rev;
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);
    rev = c->read;

    if (st->answering) {
        return ngx_inlets_stream_recv_answer(st, buf, size);
    }

    if (c->error) {
        return NGX_ERROR;
    }

    if (st->stream == NULL) {

        if (st->attached) {
            return ngx_inlets_stream_reset(st, rev, "recv() failed");
        }

        rev->ready = 0;
        return NGX_AGAIN;
    }

    if (ngx_inlets_meter_limited(&st->meter, NGX_INLETS_DOWN)) {
        unread = inlets_mux_unread(st->stream);

        if (unread) {
            size = ngx_inlets_meter_allowed(st, NGX_INLETS_DOWN,
                                            ngx_min(size, unread));
            if (size == 0) {
                rev->ready = 0;
                return NGX_AGAIN;
            }
        }
    }

    n = inlets_mux_read(st->stream, buf, size);

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "inlets stream %uD recv: %z of %uz",
                   inlets_mux_id(st->stream), n, size);

    if (n > 0) {
        ngx_inlets_meter_moved(st, NGX_INLETS_DOWN, n);
        ngx_inlets_session_post(st->session);

        if (inlets_mux_peek(st->stream, &p) == INLETS_MUX_AGAIN) {
            rev->ready = 0;
        }

        return n;
    }

    switch (n) {

    case INLETS_MUX_AGAIN:
        rev->ready = 0;
        return NGX_AGAIN;

    case INLETS_MUX_EOF:
        rev->ready = 0;
        rev->eof = 1;
        return 0;

    default: /* INLETS_MUX_RESET */
        return ngx_inlets_stream_reset(st, rev, "recv() failed");
    }
}


static ssize_t
ngx_inlets_stream_recv_answer(ngx_inlets_stream_t *st, u_char *buf,
    size_t size)
{
    ngx_event_t  *rev;

    rev = st->connection->read;

    if (st->answer.len == 0) {
        rev->ready = 0;
        rev->eof = 1;
        return 0;
    }

    size = ngx_min(size, st->answer.len);

    ngx_memcpy(buf, st->answer.data, size);

    st->answer.data += size;
    st->answer.len -= size;

    return size;
}


static ssize_t
ngx_inlets_stream_reset(ngx_inlets_stream_t *st, ngx_event_t *ev, char *text)
{
    ev->ready = 0;
    ev->error = 1;

    (void) ngx_connection_error(st->connection, NGX_ECONNRESET, text);

    return NGX_ERROR;
}


static ssize_t
ngx_inlets_stream_recv_chain(ngx_connection_t *c, ngx_chain_t *cl,
    off_t limit)
{
    size_t      size;
    u_char     *last;
    ssize_t     n, bytes;
    ngx_buf_t  *b;

    bytes = 0;
    last = cl->buf->last;

    while (cl) {
        b = cl->buf;
        size = b->end - last;

        if (limit) {
            if (bytes >= limit) {
                return bytes;
            }

            if (bytes + (off_t) size > limit) {
                size = (size_t) (limit - bytes);
            }
        }

        n = ngx_inlets_stream_recv(c, last, size);

        if (n <= 0) {

            if (bytes == 0) {
                return n;
            }

            /* EOF or error is met again by the next call */

            c->read->ready = (n != NGX_AGAIN);
            return bytes;
        }

        bytes += n;
        last += n;

        if (!c->read->ready) {
            return bytes;
        }

        if (last == b->end) {
            cl = cl->next;

            if (cl == NULL) {
                return bytes;
            }

            last = cl->buf->last;
        }
    }

    return bytes;
}


static ssize_t
ngx_inlets_stream_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    ssize_t               n;
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    n = ngx_inlets_stream_write(st, buf, size);

    if (n < 0) {
        return n;
    }

    c->sent += n;

    if ((size_t) n < size) {
        c->write->ready = 0;
    }

    return n ? n : NGX_AGAIN;
}


static ngx_chain_t *
ngx_inlets_stream_send_chain(ngx_connection_t *c, ngx_chain_t *in,
    off_t limit)
{
    off_t                 sent;
    size_t                size;
    ssize_t               n;
    ngx_buf_t            *b;
    ngx_chain_t          *cl;
    ngx_inlets_stream_t  *st;

    if (!c->write->ready) {
        return in;
    }

    st = ngx_inlets_stream(c);
    sent = 0;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_special(b)) {
            continue;
        }

        if (!ngx_buf_in_memory(b)) {
            ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                          "buf in an inlets stream is not in memory");
            return NGX_CHAIN_ERROR;
        }

        size = b->last - b->pos;

        if (limit && (off_t) size > limit - sent) {
            size = (size_t) (limit - sent);
        }

        if (size == 0) {

            if (limit && sent >= limit) {
                break;
            }

            continue;
        }

        n = ngx_inlets_stream_write(st, b->pos, size);

        if (n < 0) {
            return NGX_CHAIN_ERROR;
        }

        sent += n;

        if ((size_t) n < size) {
            c->write->ready = 0;
            break;
        }
    }

    c->sent += sent;

    return ngx_chain_update_sent(in, sent);
}


/* Returns bytes taken, 0 for none now, or NGX_ERROR. */

static ssize_t
ngx_inlets_stream_write(ngx_inlets_stream_t *st, u_char *buf, size_t size)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = st->connection;

    if (st->answering) {
        return size;
    }

    if (c->error) {
        return NGX_ERROR;
    }

    if (st->stream == NULL) {
        return !st->attached ? 0
               : ngx_inlets_stream_reset(st, c->write, "send() failed");
    }

    if (st->head.len) {
        switch (ngx_inlets_stream_send_head(st)) {

        case NGX_OK:
            break;

        case NGX_AGAIN:
            return 0;

        default:
            return ngx_inlets_stream_reset(st, c->write, "send() failed");
        }
    }

    if (ngx_inlets_meter_limited(&st->meter, NGX_INLETS_UP)) {
        n = ngx_inlets_stream_write_paced(st, buf, size);

    } else {
        n = inlets_mux_write(st->stream, buf, size);
        ngx_inlets_meter_moved(st, NGX_INLETS_UP, ngx_max(n, 0));
    }

    ngx_log_debug3(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "inlets stream %uD send: %z of %uz",
                   inlets_mux_id(st->stream), n, size);

    if (n < 0) {
        return ngx_inlets_stream_reset(st, c->write, "send() failed");
    }

    ngx_inlets_session_post(st->session);

    return n;
}


/* Results as inlets_mux_write(), less than size: a write event follows. */

static ssize_t
ngx_inlets_stream_write_paced(ngx_inlets_stream_t *st, u_char *buf,
    size_t size)
{
    size_t    sent, allowed;
    u_char   *p;
    ssize_t   n;

    sent = 0;

    while (sent < size) {
        allowed = ngx_inlets_meter_allowed(st, NGX_INLETS_UP, size - sent);

        if (allowed == 0) {

            /* a turn that isn't used is one that the others wait for */

            if (inlets_mux_reserve(st->stream, &p) > 0) {
                inlets_mux_commit(st->stream, 0);
            }

            break;
        }

        n = inlets_mux_write(st->stream, buf + sent, allowed);

        if (n < 0) {
            return n;
        }

        ngx_inlets_meter_moved(st, NGX_INLETS_UP, n);
        sent += n;

        if ((size_t) n < allowed) {
            break;
        }
    }

    return sent;
}


static ngx_int_t
ngx_inlets_stream_send_head(ngx_inlets_stream_t *st)
{
    ssize_t  n;

    n = inlets_mux_write(st->stream, st->head.data, st->head.len);

    if (n < 0) {
        return NGX_ERROR;
    }

    st->head.data += n;
    st->head.len -= n;

    ngx_inlets_session_post(st->session);

    return st->head.len ? NGX_AGAIN : NGX_OK;
}


ssize_t
ngx_inlets_stream_reserve(ngx_connection_t *c, u_char **ret_buf)
{
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    if (st->stream == NULL) {
        return st->attached ? INLETS_MUX_RESET : 0;
    }

    if (st->head.len) {
        switch (ngx_inlets_stream_send_head(st)) {

        case NGX_OK:
            break;

        case NGX_AGAIN:
            return 0;

        default:
            return INLETS_MUX_RESET;
        }
    }

    return inlets_mux_reserve(st->stream, ret_buf);
}


void
ngx_inlets_stream_commit(ngx_connection_t *c, size_t bytes)
{
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(c);

    inlets_mux_commit(st->stream, bytes);

    if (bytes) {
        ngx_inlets_meter_moved(st, NGX_INLETS_UP, bytes);
    }

    ngx_inlets_session_post(st->session);
}
