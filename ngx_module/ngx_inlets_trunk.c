
/*
 * Copyright (C) inlets for nginx contributors
 */


#ifndef _GNU_SOURCE
#define _GNU_SOURCE                  /* struct ucred */
#endif

#include "ngx_inlets_trunk.h"
#include "ngx_inlets_tunnel.h"
#include "ngx_inlets_stream.h"
#include "ngx_inlets_relay.h"

#include <stddef.h>


#if !(NGX_LINUX)
#error trunks need abstract Unix sockets and SO_PEERCRED, which Linux has
#endif


#define NGX_INLETS_TRUNK_POOL      1024
#define NGX_INLETS_TRUNK_BACKLOG   511
#define NGX_INLETS_TRUNK_ACCEPTS   64       /* in one turn */
#define NGX_INLETS_TRUNK_PAUSE     500      /* without descriptors */
#define NGX_INLETS_TRUNK_TIMEOUT   10000    /* for the id of the tunnel */

#define NGX_INLETS_TRUNK_STREAMS   65536
#define NGX_INLETS_TRUNK_WINDOW    (2 * 1024 * 1024)
#define NGX_INLETS_TRUNK_GROWTH    (64 * 1024 * 1024)
#define NGX_INLETS_TRUNK_TX        (512 * 1024)


/* At the end that connected. */

typedef struct {
    ngx_queue_t                  queue;
    ngx_pid_t                    pid;
    ngx_inlets_session_t        *session;
} ngx_inlets_trunk_t;


/* At the other end, in the pool of the stream's connection. */

typedef struct {
    ngx_inlets_id_t              id;
    size_t                       len;         /* of the id so far */
    ngx_inlets_relay_t           relay;
} ngx_inlets_trunk_stream_t;


static void ngx_inlets_trunk_accept_handler(ngx_event_t *rev);
static void ngx_inlets_trunk_accept(ngx_socket_t s, ngx_log_t *log);
static ngx_inlets_session_t *ngx_inlets_trunk_session(ngx_socket_t s,
    ngx_uint_t client, ngx_log_t *log);
static ngx_pid_t ngx_inlets_trunk_peer(ngx_socket_t s, ngx_log_t *log);
static socklen_t ngx_inlets_trunk_address(struct sockaddr_un *sun,
    ngx_pid_t pid);
static ngx_socket_t ngx_inlets_trunk_socket(ngx_log_t *log);

static ngx_inlets_session_t *ngx_inlets_trunk_connect(ngx_pid_t pid,
    ngx_log_t *log);
static void ngx_inlets_trunk_closed(ngx_inlets_session_t *session);
static void ngx_inlets_trunk_accepted_closed(ngx_inlets_session_t *session);

static void ngx_inlets_trunk_opened(ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream);
static void ngx_inlets_trunk_id_handler(ngx_event_t *rev);
static void ngx_inlets_trunk_empty_handler(ngx_event_t *ev);
static ngx_int_t ngx_inlets_trunk_relay(ngx_connection_t *c);
static void ngx_inlets_trunk_done(ngx_inlets_relay_t *relay,
    ngx_inlets_relay_end_e end);


static ngx_connection_t  *ngx_inlets_trunk_listener;
static ngx_queue_t        ngx_inlets_trunks;           /* connected by us */
static ngx_queue_t        ngx_inlets_trunk_accepted;   /* and by others */


ngx_int_t
ngx_inlets_trunk_init_worker(ngx_cycle_t *cycle)
{
    socklen_t            len;
    ngx_socket_t         s;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    ngx_queue_init(&ngx_inlets_trunks);
    ngx_queue_init(&ngx_inlets_trunk_accepted);

    /* after a reload a single worker may still need the former ones */

    if (ngx_process != NGX_PROCESS_WORKER) {
        return NGX_OK;
    }

    s = ngx_inlets_trunk_socket(cycle->log);
    if (s == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    len = ngx_inlets_trunk_address(&sun, ngx_pid);

    if (len == 0 || bind(s, (struct sockaddr *) &sun, len) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "bind() of the inlets trunk listener failed");
        goto failed;
    }

    if (listen(s, NGX_INLETS_TRUNK_BACKLOG) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_socket_errno,
                      "listen() of the inlets trunk listener failed");
        goto failed;
    }

    c = ngx_get_connection(s, cycle->log);
    if (c == NULL) {
        goto failed;
    }

    c->type = SOCK_STREAM;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_inlets_trunk_accept_handler;

    /*
     * Not one of cycle->listening, which an exiting worker closes while its
     * links still have streams.  accept: nor to be closed as a connection.
     */

    c->read->accept = 1;
    c->read->cancelable = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    ngx_inlets_trunk_listener = c;

    return NGX_OK;

failed:

    ngx_close_socket(s);

    return NGX_ERROR;
}


void
ngx_inlets_trunk_exit_worker(ngx_cycle_t *cycle)
{
    ngx_uint_t             i;
    ngx_queue_t           *q, *queues[2];
    ngx_inlets_trunk_t    *trunk;
    ngx_inlets_session_t  *session;

    if (ngx_inlets_trunk_listener) {
        ngx_close_connection(ngx_inlets_trunk_listener);
        ngx_inlets_trunk_listener = NULL;
    }

    queues[0] = &ngx_inlets_trunks;
    queues[1] = &ngx_inlets_trunk_accepted;

    for (i = 0; i < 2; i++) {

        if (queues[i]->next == NULL) {

            /* not a worker */

            return;
        }

        while (!ngx_queue_empty(queues[i])) {
            q = ngx_queue_head(queues[i]);

            if (i == 0) {
                trunk = ngx_queue_data(q, ngx_inlets_trunk_t, queue);
                session = trunk->session;

            } else {
                session = ngx_queue_data(q, ngx_inlets_session_t, queue);
            }

            ngx_inlets_session_abort(session);
        }
    }
}


static void
ngx_inlets_trunk_accept_handler(ngx_event_t *rev)
{
    ngx_err_t          err;
    ngx_uint_t         n;
    ngx_socket_t       s;
    ngx_connection_t  *c;

    c = rev->data;

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, rev->log, 0, "inlets trunk accept");

    if (rev->timedout) {
        rev->timedout = 0;

        if (ngx_add_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
            ngx_add_timer(rev, NGX_INLETS_TRUNK_PAUSE);
        }

        return;
    }

    for (n = 0; n < NGX_INLETS_TRUNK_ACCEPTS; n++) {
        s = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

        if (s != (ngx_socket_t) -1) {
            ngx_inlets_trunk_accept(s, rev->log);
            continue;
        }

        err = ngx_socket_errno;

        if (err == NGX_EAGAIN) {
            return;
        }

        if (err == NGX_ECONNABORTED || err == NGX_EINTR) {
            continue;
        }

        ngx_log_error(NGX_LOG_CRIT, rev->log, err,
                      "accept4() of an inlets trunk failed");

        /* the listener stays readable: look again later */

        (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
        ngx_add_timer(rev, NGX_INLETS_TRUNK_PAUSE);

        return;
    }
}


static void
ngx_inlets_trunk_accept(ngx_socket_t s, ngx_log_t *log)
{
    ngx_pid_t              pid;
    ngx_inlets_session_t  *session;

    pid = ngx_inlets_trunk_peer(s, log);

    if (pid == NGX_INVALID_PID || !ngx_inlets_registry_worker_alive(pid)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "inlets trunk connection from process %P, "
                      "which is no worker, is refused", pid);
        ngx_close_socket(s);
        return;
    }

    session = ngx_inlets_trunk_session(s, 0, log);
    if (session == NULL) {
        return;
    }

    session->opened = ngx_inlets_trunk_opened;
    session->closed = ngx_inlets_trunk_accepted_closed;

    ngx_queue_insert_tail(&ngx_inlets_trunk_accepted, &session->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, log, 0,
                   "inlets trunk from worker %P", pid);

    (void) ngx_inlets_session_start(session, NULL, 0);
}


/* Owns the socket, also when it fails. */

static ngx_inlets_session_t *
ngx_inlets_trunk_session(ngx_socket_t s, ngx_uint_t client, ngx_log_t *log)
{
    ngx_pool_t              *pool;
    ngx_connection_t        *c;
    ngx_inlets_session_t    *session;
    struct inlets_mux_conf   conf;

    c = ngx_get_connection(s, log);
    if (c == NULL) {
        ngx_close_socket(s);
        return NULL;
    }

    pool = ngx_create_pool(NGX_INLETS_TRUNK_POOL, log);
    if (pool == NULL) {
        ngx_close_connection(c);
        return NULL;
    }

    c->pool = pool;
    c->type = SOCK_STREAM;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->write->ready = 1;
    c->read->cancelable = 1;

    ngx_memzero(&conf, sizeof(struct inlets_mux_conf));

    conf.carrier = INLETS_MUX_RAW;
    conf.client = client;
    conf.accept = !client;
    conf.late_ack = 1;
    conf.max_streams = NGX_INLETS_TRUNK_STREAMS;
    conf.window_max = NGX_INLETS_TRUNK_WINDOW;
    conf.window_total = NGX_INLETS_TRUNK_GROWTH;
    conf.tx_max = NGX_INLETS_TRUNK_TX;

    session = ngx_inlets_session_create(c, &conf);

    if (session == NULL) {
        ngx_close_connection(c);
        ngx_destroy_pool(pool);
        return NULL;
    }

    return session;
}


static ngx_pid_t
ngx_inlets_trunk_peer(ngx_socket_t s, ngx_log_t *log)
{
    socklen_t     len;
    struct ucred  cred;

    len = sizeof(struct ucred);

    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      "getsockopt(SO_PEERCRED) failed");
        return NGX_INVALID_PID;
    }

    return (cred.uid == geteuid()) ? cred.pid : NGX_INVALID_PID;
}


static ngx_socket_t
ngx_inlets_trunk_socket(ngx_log_t *log)
{
    ngx_socket_t  s;

    s = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      "socket() of an inlets trunk failed");
    }

    return s;
}


/* "\0inlets.", the worker's random key in hex, ".", its pid; 0: no worker. */

static socklen_t
ngx_inlets_trunk_address(struct sockaddr_un *sun, ngx_pid_t pid)
{
    u_char  *p, *last, key[NGX_INLETS_WORKER_KEY];

    if (ngx_inlets_registry_worker_key(pid, key) != NGX_OK) {
        return 0;
    }

    ngx_memzero(sun, sizeof(struct sockaddr_un));

    sun->sun_family = AF_UNIX;

    p = (u_char *) sun->sun_path;
    last = p + sizeof(sun->sun_path);

    *p++ = '\0';
    p = ngx_cpymem(p, "inlets.", sizeof("inlets.") - 1);
    p = ngx_hex_dump(p, key, NGX_INLETS_WORKER_KEY);
    p = ngx_slprintf(p, last, ".%P", pid);

    return p - (u_char *) sun;
}


ngx_inlets_session_t *
ngx_inlets_trunk_get(ngx_inlets_place_t *place, ngx_log_t *log)
{
    ngx_queue_t         *q;
    ngx_inlets_trunk_t  *trunk;

    for (q = ngx_queue_head(&ngx_inlets_trunks);
         q != ngx_queue_sentinel(&ngx_inlets_trunks);
         q = ngx_queue_next(q))
    {
        trunk = ngx_queue_data(q, ngx_inlets_trunk_t, queue);

        if (trunk->pid == place->pid
            && !trunk->session->closing
            && !inlets_mux_closing(trunk->session->mux))
        {
            return trunk->session;
        }
    }

    return ngx_inlets_trunk_connect(place->pid, log);
}


static ngx_inlets_session_t *
ngx_inlets_trunk_connect(ngx_pid_t pid, ngx_log_t *log)
{
    ngx_pid_t              peer;
    socklen_t              len;
    ngx_socket_t           s;
    ngx_inlets_trunk_t    *trunk;
    struct sockaddr_un     sun;
    ngx_inlets_session_t  *session;

    len = ngx_inlets_trunk_address(&sun, pid);

    if (len == 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "inlets trunk: worker %P is gone", pid);
        return NULL;
    }

    s = ngx_inlets_trunk_socket(log);
    if (s == (ngx_socket_t) -1) {
        return NULL;
    }

    if (connect(s, (struct sockaddr *) &sun, len) == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_socket_errno,
                      "connect() of an inlets trunk to worker %P failed", pid);
        ngx_close_socket(s);

        /* it may have been killed, with no other in its place since */

        ngx_inlets_registry_reap(pid);

        return NULL;
    }

    peer = ngx_inlets_trunk_peer(s, log);

    if (peer != pid) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "inlets trunk to worker %P leads to process %P",
                      pid, peer);
        ngx_close_socket(s);
        return NULL;
    }

    session = ngx_inlets_trunk_session(s, 1, ngx_cycle->log);
    if (session == NULL) {
        return NULL;
    }

    trunk = ngx_palloc(session->connection->pool, sizeof(ngx_inlets_trunk_t));
    if (trunk == NULL) {
        ngx_inlets_session_abort(session);
        return NULL;
    }

    trunk->pid = pid;
    trunk->session = session;

    session->data = trunk;
    session->closed = ngx_inlets_trunk_closed;

    ngx_queue_insert_head(&ngx_inlets_trunks, &trunk->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, log, 0,
                   "inlets trunk to worker %P", pid);

    if (ngx_inlets_session_start(session, NULL, 0) != NGX_OK) {
        return NULL;
    }

    return session;
}


static void
ngx_inlets_trunk_closed(ngx_inlets_session_t *session)
{
    ngx_inlets_trunk_t  *trunk;

    trunk = session->data;

    ngx_queue_remove(&trunk->queue);
}


static void
ngx_inlets_trunk_accepted_closed(ngx_inlets_session_t *session)
{
    ngx_queue_remove(&session->queue);
}


static void
ngx_inlets_trunk_opened(ngx_inlets_session_t *session,
    struct inlets_mux_stream *stream)
{
    ngx_connection_t           *c;
    ngx_inlets_trunk_stream_t  *ts;

    /* the stream may outlive the session, and its log with it */

    c = ngx_inlets_stream_accept(session, stream, ngx_cycle->log);

    if (c == NULL) {
        inlets_mux_release(stream);
        ngx_inlets_session_post(session);
        return;
    }

    ts = ngx_pcalloc(c->pool, sizeof(ngx_inlets_trunk_stream_t));

    if (ts == NULL) {
        ngx_inlets_stream_close(c, 1);
        return;
    }

    c->data = ts;
    c->log_error = NGX_ERROR_INFO;
    c->read->handler = ngx_inlets_trunk_id_handler;
    c->write->handler = ngx_inlets_trunk_empty_handler;

    ngx_add_timer(c->read, NGX_INLETS_TRUNK_TIMEOUT);
    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_inlets_trunk_empty_handler(ngx_event_t *ev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "inlets trunk empty handler");
}


static void
ngx_inlets_trunk_id_handler(ngx_event_t *rev)
{
    ssize_t                     n;
    ngx_connection_t           *c;
    ngx_inlets_trunk_stream_t  *ts;

    c = rev->data;
    ts = c->data;

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, c->log, 0, "inlets trunk id");

    if (rev->timedout || c->close) {
        goto failed;
    }

    while (ts->len < NGX_INLETS_ID_LEN) {
        n = c->recv(c, ts->id.data + ts->len, NGX_INLETS_ID_LEN - ts->len);

        if (n == NGX_AGAIN) {
            return;
        }

        if (n <= 0) {
            goto failed;
        }

        ts->len += n;
    }

    ngx_del_timer(rev);

    if (ngx_inlets_trunk_relay(c) == NGX_OK) {
        return;
    }

failed:

    ngx_inlets_stream_close(c, 1);
}


static ngx_int_t
ngx_inlets_trunk_relay(ngx_connection_t *c)
{
    ngx_connection_t           *b;
    ngx_inlets_tunnel_t        *tunnel;
    ngx_inlets_session_t       *link;
    ngx_inlets_trunk_stream_t  *ts;

    ts = c->data;

    tunnel = ngx_inlets_tunnel_find(&ts->id);
    link = tunnel ? ngx_inlets_tunnel_link(tunnel) : NULL;

    if (link == NULL) {

        /* it was lost, or has left, in the meantime */

        return NGX_DECLINED;
    }

    b = ngx_inlets_stream_create(ngx_cycle->log);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->log_error = NGX_ERROR_INFO;

    if (ngx_inlets_stream_attach(b, link) != NGX_OK) {
        ngx_inlets_stream_close(b, 0);
        return NGX_DECLINED;
    }

    inlets_mux_accept(ngx_inlets_stream(c)->stream);

    ts->relay.a = c;
    ts->relay.b = b;
    ts->relay.done = ngx_inlets_trunk_done;

    ngx_inlets_relay_start(&ts->relay);

    return NGX_OK;
}


static void
ngx_inlets_trunk_done(ngx_inlets_relay_t *relay, ngx_inlets_relay_end_e end)
{
    ngx_uint_t  reset;

    reset = (end != NGX_INLETS_RELAY_DONE);

    ngx_inlets_stream_close(relay->b, reset);
    ngx_inlets_stream_close(relay->a, reset);
}
