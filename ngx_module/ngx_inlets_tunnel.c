
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_tunnel.h"
#include "ngx_inlets_trunk.h"


#define NGX_INLETS_DIAL_INTERVAL  50
#define NGX_INLETS_DIAL_LOOKS     4       /* after a link has come */
#define NGX_INLETS_DIAL_TICKS     20      /* without one, between two looks */


static ngx_inlets_tunnel_t *ngx_inlets_tunnel_get(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id);
static void ngx_inlets_tunnel_release(ngx_inlets_tunnel_t *tunnel);
static ngx_rbtree_key_t ngx_inlets_tunnel_key(ngx_inlets_id_t *id);
static void ngx_inlets_tunnel_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_inlets_tunnel_t *ngx_inlets_tunnel_of(ngx_inlets_stream_t *st);
static void ngx_inlets_tunnel_idle_handler(ngx_event_t *rev);
static void ngx_inlets_tunnel_idle_timer(ngx_event_t *ev);
static void ngx_inlets_tunnel_end_idle(ngx_inlets_tunnel_t *tunnel,
    ngx_uint_t all);
static void ngx_inlets_tunnel_unkeep(ngx_inlets_tunnel_t *tunnel,
    ngx_inlets_stream_t *st);

static ngx_int_t ngx_inlets_dial_permit(ngx_inlets_dial_t *d);
static ngx_int_t ngx_inlets_dial_attach(ngx_inlets_dial_t *d);
static ngx_int_t ngx_inlets_dial_trunk(ngx_inlets_dial_t *d,
    ngx_uint_t full);
static ngx_int_t ngx_inlets_dial_wait(ngx_inlets_dial_t *d);
static ngx_uint_t ngx_inlets_dial_is_due(ngx_inlets_dial_t *d);
static void ngx_inlets_dial_timer(ngx_event_t *ev);
static void ngx_inlets_dial_cleanup(void *data);
static ngx_int_t ngx_inlets_dial_head(ngx_inlets_dial_t *d,
    ngx_inlets_id_t *id);


static ngx_rbtree_t       ngx_inlets_tunnels;
static ngx_rbtree_node_t  ngx_inlets_tunnels_sentinel;


ngx_int_t
ngx_inlets_tunnel_add_link(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_inlets_session_t *session)
{
    ngx_int_t             rc;
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ngx_inlets_tunnel_get(reg, id);
    if (tunnel == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_inlets_registry_add_link(reg, id);

    if (rc != NGX_OK) {
        ngx_inlets_tunnel_release(tunnel);
        return rc;
    }

    ngx_queue_insert_tail(&tunnel->links, &session->queue);

    return NGX_OK;
}


void
ngx_inlets_tunnel_leave_link(ngx_inlets_id_t *id,
    ngx_inlets_session_t *session)
{
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ngx_inlets_tunnel_find(id);
    if (tunnel == NULL) {
        return;
    }

    /* the other workers find it gone within a tick of their idle streams */

    ngx_inlets_registry_leave_link(tunnel->registry, id);

    ngx_inlets_tunnel_end_idle(tunnel, 0);
}


void
ngx_inlets_tunnel_delete_link(ngx_inlets_id_t *id,
    ngx_inlets_session_t *session)
{
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ngx_inlets_tunnel_find(id);
    if (tunnel == NULL) {
        return;
    }

    ngx_inlets_registry_delete_link(tunnel->registry, id, session->away);

    ngx_queue_remove(&session->queue);

    ngx_inlets_tunnel_release(tunnel);
}


ngx_inlets_tunnel_t *
ngx_inlets_tunnel_find(ngx_inlets_id_t *id)
{
    ngx_int_t             rc;
    ngx_rbtree_key_t      key;
    ngx_rbtree_node_t    *node, *sentinel;
    ngx_inlets_tunnel_t  *tunnel;

    node = ngx_inlets_tunnels.root;
    sentinel = &ngx_inlets_tunnels_sentinel;

    if (node == NULL) {
        return NULL;
    }

    key = ngx_inlets_tunnel_key(id);

    while (node != sentinel) {

        if (key != node->key) {
            node = (key < node->key) ? node->left : node->right;
            continue;
        }

        tunnel = (ngx_inlets_tunnel_t *) node;

        rc = ngx_memcmp(id, &tunnel->id, sizeof(ngx_inlets_id_t));

        if (rc == 0) {
            return tunnel;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_inlets_tunnel_t *
ngx_inlets_tunnel_get(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id)
{
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ngx_inlets_tunnel_find(id);
    if (tunnel) {
        return tunnel;
    }

    if (ngx_inlets_tunnels.root == NULL) {
        ngx_rbtree_init(&ngx_inlets_tunnels, &ngx_inlets_tunnels_sentinel,
                        ngx_inlets_tunnel_insert);
    }

    tunnel = ngx_calloc(sizeof(ngx_inlets_tunnel_t), ngx_cycle->log);
    if (tunnel == NULL) {
        return NULL;
    }

    tunnel->id = *id;
    tunnel->registry = reg;
    tunnel->node.key = ngx_inlets_tunnel_key(id);

    ngx_queue_init(&tunnel->links);
    ngx_queue_init(&tunnel->idle);

    tunnel->timer.handler = ngx_inlets_tunnel_idle_timer;
    tunnel->timer.data = tunnel;
    tunnel->timer.log = ngx_cycle->log;
    tunnel->timer.cancelable = 1;

    ngx_rbtree_insert(&ngx_inlets_tunnels, &tunnel->node);

    return tunnel;
}


static void
ngx_inlets_tunnel_release(ngx_inlets_tunnel_t *tunnel)
{
    if (!ngx_queue_empty(&tunnel->links) || !ngx_queue_empty(&tunnel->idle)) {
        return;
    }

    if (tunnel->timer.timer_set) {
        ngx_del_timer(&tunnel->timer);
    }

    ngx_rbtree_delete(&ngx_inlets_tunnels, &tunnel->node);

    ngx_free(tunnel);
}


static ngx_rbtree_key_t
ngx_inlets_tunnel_key(ngx_inlets_id_t *id)
{
    ngx_rbtree_key_t  key;

    /* ids are random, any bytes of them will do */

    ngx_memcpy(&key, id->data, sizeof(ngx_rbtree_key_t));

    return key;
}


static void
ngx_inlets_tunnel_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t    **p;
    ngx_inlets_tunnel_t   *a, *b;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            a = (ngx_inlets_tunnel_t *) node;
            b = (ngx_inlets_tunnel_t *) temp;

            p = (ngx_memcmp(&a->id, &b->id, sizeof(ngx_inlets_id_t)) < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_inlets_session_t *
ngx_inlets_tunnel_link(ngx_inlets_tunnel_t *tunnel)
{
    uint32_t               n, min;
    ngx_queue_t           *q;
    ngx_inlets_session_t  *session, *best;

    best = NULL;
    min = (uint32_t) -1;

    for (q = ngx_queue_head(&tunnel->links);
         q != ngx_queue_sentinel(&tunnel->links);
         q = ngx_queue_next(q))
    {
        session = ngx_queue_data(q, ngx_inlets_session_t, queue);

        if (session->closing || inlets_mux_closing(session->mux)) {
            continue;
        }

        n = inlets_mux_streams(session->mux);

        if (n < min) {
            min = n;
            best = session;
        }
    }

    return best;
}


void
ngx_inlets_tunnel_close(ngx_inlets_id_t *id, const char *reason)
{
    ngx_queue_t           *q;
    ngx_inlets_tunnel_t   *tunnel;
    ngx_inlets_session_t  *session;

    for ( ;; ) {

        /* closing a session may end the session, the tunnel, or neither */

        tunnel = ngx_inlets_tunnel_find(id);
        if (tunnel == NULL) {
            return;
        }

        session = NULL;

        for (q = ngx_queue_head(&tunnel->links);
             q != ngx_queue_sentinel(&tunnel->links);
             q = ngx_queue_next(q))
        {
            session = ngx_queue_data(q, ngx_inlets_session_t, queue);

            if (!session->closing) {
                break;
            }

            session = NULL;
        }

        if (session == NULL) {
            return;
        }

        ngx_inlets_session_close(session, 1000, reason);
    }
}


ngx_int_t
ngx_inlets_tunnel_keep(ngx_inlets_registry_t *reg, ngx_inlets_id_t *id,
    ngx_connection_t *c)
{
    ngx_queue_t          *q;
    const uint8_t        *p;
    ngx_inlets_stream_t  *st;
    ngx_inlets_tunnel_t  *tunnel;

    st = ngx_inlets_stream(c);

    if (st->stream == NULL
        || st->head.len
        || inlets_mux_closing(st->session->mux)
        || ngx_terminate
        || ngx_exiting
        || inlets_mux_peek(st->stream, &p) != INLETS_MUX_AGAIN)
    {
        return NGX_DECLINED;
    }

    tunnel = ngx_inlets_tunnel_get(reg, id);
    if (tunnel == NULL) {
        return NGX_DECLINED;
    }

    ngx_inlets_meter_detach(st);

    if (tunnel->nidle == NGX_INLETS_IDLE_MAX) {
        q = ngx_queue_last(&tunnel->idle);
        ngx_inlets_tunnel_unkeep(tunnel,
                                 ngx_queue_data(q, ngx_inlets_stream_t, queue));
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->idle = 1;
    c->data = st;
    c->log = ngx_cycle->log;
    c->pool->log = c->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_inlets_tunnel_idle_handler;
    c->write->handler = ngx_inlets_tunnel_idle_handler;

    st->data = tunnel;
    st->used = ngx_current_msec;

    ngx_queue_insert_head(&tunnel->idle, &st->queue);
    tunnel->nidle++;

    if (!tunnel->timer.timer_set) {
        ngx_add_timer(&tunnel->timer, NGX_INLETS_IDLE_TICK);
    }

    return NGX_OK;
}


ngx_connection_t *
ngx_inlets_tunnel_idle(ngx_inlets_id_t *id)
{
    ngx_queue_t          *q;
    ngx_connection_t     *c;
    ngx_inlets_stream_t  *st;
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ngx_inlets_tunnel_find(id);

    if (tunnel == NULL || tunnel->nidle == 0) {
        return NULL;
    }

    q = ngx_queue_head(&tunnel->idle);
    st = ngx_queue_data(q, ngx_inlets_stream_t, queue);

    ngx_queue_remove(q);
    tunnel->nidle--;

    c = st->connection;
    c->idle = 0;

    /* an empty tunnel is released by its timer, which may be needed again */

    return c;
}


static ngx_inlets_tunnel_t *
ngx_inlets_tunnel_of(ngx_inlets_stream_t *st)
{
    return st->data;
}


static void
ngx_inlets_tunnel_idle_handler(ngx_event_t *rev)
{
    ngx_connection_t     *c;
    ngx_inlets_stream_t  *st;
    ngx_inlets_tunnel_t  *tunnel;

    /*
     * The peer has closed the stream, or sent what nobody asked for, or the
     * worker exits.  A write event is only the end of a wait for room.
     */

    c = rev->data;
    st = ngx_inlets_stream(c);

    if (rev->write && st->stream) {
        return;
    }

    tunnel = ngx_inlets_tunnel_of(st);

    ngx_inlets_tunnel_unkeep(tunnel, st);
    ngx_inlets_tunnel_release(tunnel);
}


static void
ngx_inlets_tunnel_unkeep(ngx_inlets_tunnel_t *tunnel, ngx_inlets_stream_t *st)
{
    ngx_queue_remove(&st->queue);
    tunnel->nidle--;

    ngx_inlets_stream_close(st->connection, 0);
}


/*
 * A client that was told to drain, or leaves, waits for its streams to end:
 * those that no request will come on must not hold it up.
 */

static void
ngx_inlets_tunnel_idle_timer(ngx_event_t *ev)
{
    ngx_uint_t            over;
    ngx_inlets_found_t    found;
    ngx_inlets_tunnel_t  *tunnel;

    tunnel = ev->data;

    over = tunnel->nidle
           && (ngx_inlets_registry_find_id(tunnel->registry, &tunnel->id,
                                           &found)
               != NGX_OK
               || found.replaced
               || found.nplaces == 0);

    ngx_inlets_tunnel_end_idle(tunnel, over);

    if (tunnel->nidle) {
        ngx_add_timer(ev, NGX_INLETS_IDLE_TICK);
        return;
    }

    ngx_inlets_tunnel_release(tunnel);
}


/* All of them, or those that are old, or whose link is leaving. */

static void
ngx_inlets_tunnel_end_idle(ngx_inlets_tunnel_t *tunnel, ngx_uint_t all)
{
    ngx_msec_t            age;
    ngx_queue_t          *q, *prev;
    ngx_inlets_stream_t  *st;

    for (q = ngx_queue_last(&tunnel->idle);
         q != ngx_queue_sentinel(&tunnel->idle);
         q = prev)
    {
        prev = ngx_queue_prev(q);

        st = ngx_queue_data(q, ngx_inlets_stream_t, queue);
        age = ngx_current_msec - st->used;

        if (all
            || age >= NGX_INLETS_IDLE_TIME
            || (st->session && inlets_mux_closing(st->session->mux)))
        {
            ngx_inlets_tunnel_unkeep(tunnel, st);
        }
    }
}


ngx_int_t
ngx_inlets_dial_lookup(ngx_inlets_dial_t *d)
{
    if (d->host.len) {
        d->looked_up = ngx_inlets_registry_find_host(d->registry, &d->host,
                                                     &d->found);
    } else {
        d->looked_up = ngx_inlets_registry_find_port(d->registry, d->port,
                                                     &d->found);
    }

    if (d->looked_up == NGX_OK) {
        d->looked_up = ngx_inlets_dial_permit(d);
    }

    return d->looked_up;
}


/* What the identity of the tunnel and its rules say to one stream more. */

static ngx_int_t
ngx_inlets_dial_permit(ngx_inlets_dial_t *d)
{
    ngx_str_t              client_id;
    ngx_uint_t             tunnels;
    ngx_inlets_counters_t  counters;

    if (d->permit && d->permit(d) != NGX_OK) {
        return NGX_ABORT;
    }

    if (d->found.max_streams == 0) {
        return NGX_OK;
    }

    client_id.data = d->found.client_id;
    client_id.len = d->found.client_id_len;

    if (ngx_inlets_meter_client(d->registry, &client_id, &counters, &tunnels)
        != NGX_OK
        || counters.streams_now < d->found.max_streams)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, d->log, 0,
                  "inlets client \"%V\" has as many streams as it may have: "
                  "%ui", &client_id, d->found.max_streams);

    return NGX_BUSY;
}


ngx_int_t
ngx_inlets_dial(ngx_inlets_dial_t *d)
{
    ngx_int_t  rc;

    rc = d->looked_up;

    if (rc == NGX_CONF_UNSET) {
        rc = ngx_inlets_dial_lookup(d);
    }

    d->looked_up = NGX_CONF_UNSET;

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return rc;
    }

    d->connection = ngx_inlets_stream_create(d->log);
    if (d->connection == NULL) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        rc = ngx_inlets_dial_attach(d);
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_inlets_dial_wait(d);
    }

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_inlets_stream_close(d->connection, 0);
        d->connection = NULL;
    }

    return rc;
}


/* NGX_AGAIN: the tunnel has no links, maybe not yet. */

static ngx_int_t
ngx_inlets_dial_attach(ngx_inlets_dial_t *d)
{
    ngx_int_t              rc;
    ngx_uint_t             full;
    ngx_inlets_tunnel_t   *tunnel;
    ngx_inlets_session_t  *session;

    if (d->found.nplaces == 0) {
        return NGX_AGAIN;
    }

    full = 0;
    tunnel = ngx_inlets_tunnel_find(&d->found.id);

    if (tunnel) {
        session = ngx_inlets_tunnel_link(tunnel);

        if (session) {
            rc = ngx_inlets_dial_head(d, NULL);
            if (rc != NGX_OK) {
                return rc;
            }

            rc = ngx_inlets_stream_attach(d->connection, session);
            if (rc == NGX_OK) {
                ngx_inlets_meter_attach(ngx_inlets_stream(d->connection),
                                        &d->found.meter, 1);
                return NGX_OK;
            }

            full = 1;
        }
    }

    return ngx_inlets_dial_trunk(d, full);
}


static ngx_int_t
ngx_inlets_dial_trunk(ngx_inlets_dial_t *d, ngx_uint_t full)
{
    ngx_int_t              rc;
    ngx_uint_t             i, n, start;
    ngx_inlets_place_t    *place;
    ngx_inlets_session_t  *session;

    n = d->found.nplaces;
    start = ngx_random() % n;

    for (i = 0; i < n; i++) {
        place = &d->found.places[(start + i) % n];

        if (place->pid == ngx_pid) {
            continue;
        }

        session = ngx_inlets_trunk_get(place, d->log);
        if (session == NULL) {
            continue;
        }

        full = 1;

        rc = ngx_inlets_dial_head(d, &d->found.id);
        if (rc != NGX_OK) {
            return rc;
        }

        if (ngx_inlets_stream_attach(d->connection, session) == NGX_OK) {
            ngx_inlets_meter_attach(ngx_inlets_stream(d->connection),
                                    &d->found.meter, 1);
            return NGX_OK;
        }
    }

    if (!full) {

        /* links that close, or workers that were killed: wait for new ones */

        return NGX_AGAIN;
    }

    ngx_log_error(NGX_LOG_ERR, d->log, 0,
                  "inlets tunnel has no room for a stream");

    return NGX_BUSY;
}


static ngx_int_t
ngx_inlets_dial_head(ngx_inlets_dial_t *d, ngx_inlets_id_t *id)
{
    u_char               *p;
    size_t                len;
    ngx_inlets_stream_t  *st;

    st = ngx_inlets_stream(d->connection);

    len = d->head.len + (id ? sizeof(ngx_inlets_id_t) : 0);

    p = ngx_pnalloc(d->connection->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    st->head.data = p;
    st->head.len = len;

    if (id) {
        p = ngx_cpymem(p, id, sizeof(ngx_inlets_id_t));
    }

    ngx_memcpy(p, d->head.data, d->head.len);

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_dial_wait(ngx_inlets_dial_t *d)
{
    ngx_pool_cleanup_t  *cln;

    if (d->wait == 0) {
        return NGX_BUSY;
    }

    cln = ngx_pool_cleanup_add(d->connection->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_inlets_dial_cleanup;
    cln->data = d;

    d->cleanup = cln;

    ngx_memzero(&d->timer, sizeof(ngx_event_t));

    d->timer.handler = ngx_inlets_dial_timer;
    d->timer.data = d;
    d->timer.log = d->log;
    d->deadline = ngx_current_msec + d->wait;
    d->looks = NGX_INLETS_DIAL_LOOKS;

    ngx_add_timer(&d->timer, ngx_min(d->wait, NGX_INLETS_DIAL_INTERVAL));

    return NGX_AGAIN;
}


/*
 * The mutex of the zone is not for thousands of visitors that look into it all
 * the time: they do so when a link has come, a few times, and now and then.
 */

static ngx_uint_t
ngx_inlets_dial_is_due(ngx_inlets_dial_t *d)
{
    ngx_uint_t  arrivals;

    arrivals = ngx_inlets_registry_arrivals(d->registry);

    if (arrivals != d->arrivals) {
        d->arrivals = arrivals;
        d->looks = NGX_INLETS_DIAL_LOOKS;
    }

    if (d->looks) {
        d->looks--;
        d->ticks = 0;
        return 1;
    }

    if (++d->ticks < NGX_INLETS_DIAL_TICKS) {
        return 0;
    }

    d->ticks = 0;

    return 1;
}


static void
ngx_inlets_dial_timer(ngx_event_t *ev)
{
    ngx_int_t           rc;
    ngx_msec_int_t      left;
    ngx_inlets_dial_t  *d;

    d = ev->data;

    left = (ngx_msec_int_t) (d->deadline - ngx_current_msec);

    if (left > 0 && !ngx_inlets_dial_is_due(d)) {
        ngx_add_timer(ev, ngx_min(left, NGX_INLETS_DIAL_INTERVAL));
        return;
    }

    rc = ngx_inlets_dial_lookup(d);
    d->looked_up = NGX_CONF_UNSET;

    if (rc == NGX_OK) {
        rc = ngx_inlets_dial_attach(d);
    }

    if (rc == NGX_OK) {

        /* the connection may outlive d from now on */

        d->cleanup->handler = NULL;
        return;
    }

    if (rc != NGX_AGAIN || left <= 0) {
        d->cleanup->handler = NULL;
        d->expired(d);
        return;
    }

    ngx_add_timer(ev, ngx_min(left, NGX_INLETS_DIAL_INTERVAL));
}


static void
ngx_inlets_dial_cleanup(void *data)
{
    ngx_inlets_dial_t  *d = data;

    if (d->timer.timer_set) {
        ngx_del_timer(&d->timer);
    }
}
