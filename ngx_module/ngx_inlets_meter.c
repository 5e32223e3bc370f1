
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_registry_impl.h"
#include "ngx_inlets_stream.h"

#include "inlets_rate.h"


#define NGX_INLETS_METER_REAP  64

/* a reservation is looked at again at least that often */
#define NGX_INLETS_METER_WAIT  1000


/* What a stream has reserved, in one direction. */

struct ngx_inlets_pace_s {
    size_t                       grant;       /* bytes, not moved yet */
    uint64_t                     slot;        /* when they may */
    ngx_event_t                  timer;
    ngx_event_t                 *event;       /* to be posted then */
    ngx_queue_t                  queue;       /* waiting, with the timer */
    ngx_uint_t                   waiting;     /* or about to be asked again */
};


static ngx_inlets_share_t *ngx_inlets_share_get(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker, ngx_inlets_row_t *row);
static void ngx_inlets_meter_reap(void);
static void ngx_inlets_meter_reap_handler(ngx_event_t *ev);
static void ngx_inlets_meter_reap_zone(ngx_inlets_registry_t *reg,
    void *data);
static void ngx_inlets_share_open(ngx_inlets_share_t *share,
    ngx_uint_t fresh);
static void ngx_inlets_share_close(ngx_inlets_share_t *share);
static void ngx_inlets_meter_add(ngx_inlets_meter_t *meter, size_t offset,
    uint64_t n);

static ngx_inlets_pace_t *ngx_inlets_pace_get(ngx_inlets_stream_t *st,
    ngx_inlets_way_e way);
static void ngx_inlets_pace_reserve(ngx_inlets_pace_t *pace,
    ngx_inlets_meter_t *meter, ngx_inlets_way_e way, size_t want);
static void ngx_inlets_pace_refund(ngx_inlets_pace_t *pace,
    ngx_inlets_meter_t *meter, ngx_inlets_way_e way);
static void ngx_inlets_pace_wait(ngx_inlets_pace_t *pace, ngx_msec_t ms);
static void ngx_inlets_pace_handler(ngx_event_t *ev);
static void ngx_inlets_pace_done(ngx_inlets_pace_t *pace);

static uint64_t ngx_inlets_bucket_reserve(ngx_inlets_bucket_t *b,
    uint64_t rate, uint64_t now, size_t bytes);
static void ngx_inlets_bucket_refund(ngx_inlets_bucket_t *b, size_t bytes);
static void ngx_inlets_bucket_set(ngx_inlets_bucket_t *b, size_t rate);
static uint64_t ngx_inlets_meter_clock(void);


static ngx_event_t  ngx_inlets_meter_reaper;
static ngx_uint_t   ngx_inlets_meter_exited;

/* of ngx_inlets_pace_t, those of this worker that wait */
static ngx_queue_t  ngx_inlets_meter_waiting;


void
ngx_inlets_row_init(ngx_inlets_row_t *row)
{
    ngx_memzero(row, sizeof(ngx_inlets_row_t));

    row->base.since = ngx_time();
    ngx_queue_init(&row->shares);
}


void
ngx_inlets_row_end(ngx_inlets_row_t *row)
{
    ngx_queue_t         *q;
    ngx_inlets_share_t  *share;

    while (!ngx_queue_empty(&row->shares)) {
        q = ngx_queue_head(&row->shares);
        share = ngx_queue_data(q, ngx_inlets_share_t, row_queue);

        share->row = NULL;
        ngx_queue_remove(&share->row_queue);
        ngx_queue_remove(&share->worker_queue);
        ngx_queue_insert_tail(&share->worker->ended, &share->worker_queue);

        if (share->worker->pid == ngx_pid) {
            ngx_inlets_meter_reap();
        }
    }
}


void
ngx_inlets_row_sum(ngx_inlets_row_t *row, ngx_inlets_counters_t *counters)
{
    ngx_queue_t         *q;
    ngx_inlets_share_t  *share;

    *counters = row->base;

    for (q = ngx_queue_head(&row->shares);
         q != ngx_queue_sentinel(&row->shares);
         q = ngx_queue_next(q))
    {
        share = ngx_queue_data(q, ngx_inlets_share_t, row_queue);

        ngx_inlets_share_add(share, counters);
        counters->streams_now += share->streams_now;
    }
}


void
ngx_inlets_share_add(ngx_inlets_share_t *share,
    ngx_inlets_counters_t *counters)
{
    counters->up += share->up;
    counters->down += share->down;
    counters->requests += share->requests;
    counters->streams += share->streams;
    counters->errors += share->errors;
}


void
ngx_inlets_row_move(ngx_inlets_row_t *from, ngx_inlets_row_t *to)
{
    ngx_inlets_counters_t  sum;

    ngx_inlets_row_sum(from, &sum);

    to->base.up += sum.up;
    to->base.down += sum.down;
    to->base.requests += sum.requests;
    to->base.streams += sum.streams;
    to->base.errors += sum.errors;

    if (from->base.since < to->base.since) {
        to->base.since = from->base.since;
    }

    /* shares are written by others: the sum is nothing again */

    from->base.up -= sum.up;
    from->base.down -= sum.down;
    from->base.requests -= sum.requests;
    from->base.streams -= sum.streams;
    from->base.errors -= sum.errors;
}


void
ngx_inlets_meter_get(ngx_inlets_registry_t *reg,
    ngx_inlets_tunnel_node_t *tunnel, ngx_inlets_meter_t *meter)
{
    ngx_inlets_worker_node_t  *worker;

    meter->global_buckets = reg->sh->buckets;
    meter->client_buckets = tunnel ? tunnel->client->buckets
                                   : reg->sh->buckets;

    worker = ngx_inlets_registry_worker(reg, ngx_pid);
    if (worker == NULL) {
        meter->client_buckets = reg->sh->buckets;
        return;
    }

    meter->global = ngx_inlets_share_get(reg, worker, &reg->sh->row);

    if (tunnel) {
        meter->tunnel = ngx_inlets_share_get(reg, worker, &tunnel->row);
        meter->client = ngx_inlets_share_get(reg, worker,
                                             &tunnel->client->row);

        if (meter->client == NULL) {

            /* without a share nothing keeps the row of the client */

            meter->client_buckets = reg->sh->buckets;
        }
    }

    if (!ngx_queue_empty(&worker->ended)) {
        ngx_inlets_meter_reap();
    }
}


static ngx_inlets_share_t *
ngx_inlets_share_get(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker, ngx_inlets_row_t *row)
{
    ngx_queue_t         *q;
    ngx_inlets_share_t  *share;

    for (q = ngx_queue_head(&row->shares);
         q != ngx_queue_sentinel(&row->shares);
         q = ngx_queue_next(q))
    {
        share = ngx_queue_data(q, ngx_inlets_share_t, row_queue);

        if (share->worker == worker) {
            return share;
        }
    }

    share = ngx_slab_calloc_locked(reg->shpool, sizeof(ngx_inlets_share_t));
    if (share == NULL) {
        return NULL;
    }

    share->worker = worker;
    share->row = row;

    ngx_queue_insert_head(&row->shares, &share->row_queue);
    ngx_queue_insert_head(&worker->shares, &share->worker_queue);

    return share;
}


void
ngx_inlets_meter_purge(ngx_inlets_registry_t *reg,
    ngx_inlets_worker_node_t *worker)
{
    ngx_queue_t         *q;
    ngx_inlets_share_t  *share;

    while (!ngx_queue_empty(&worker->shares)) {
        q = ngx_queue_head(&worker->shares);
        share = ngx_queue_data(q, ngx_inlets_share_t, worker_queue);

        ngx_inlets_share_add(share, &share->row->base);

        ngx_queue_remove(&share->row_queue);
        ngx_queue_remove(&share->worker_queue);
        ngx_slab_free_locked(reg->shpool, share);
    }

    while (!ngx_queue_empty(&worker->ended)) {
        q = ngx_queue_head(&worker->ended);
        share = ngx_queue_data(q, ngx_inlets_share_t, worker_queue);

        ngx_queue_remove(&share->worker_queue);
        ngx_slab_free_locked(reg->shpool, share);
    }
}


void
ngx_inlets_meter_exit(void)
{
    ngx_inlets_meter_exited = 1;
}


/* Later, since a lookup may just have given them out. */

static void
ngx_inlets_meter_reap(void)
{
    if (ngx_inlets_meter_exited) {
        return;
    }

    ngx_inlets_meter_reaper.handler = ngx_inlets_meter_reap_handler;
    ngx_inlets_meter_reaper.log = ngx_cycle->log;

    ngx_post_event(&ngx_inlets_meter_reaper, &ngx_posted_events);
}


static void
ngx_inlets_meter_reap_handler(ngx_event_t *ev)
{
    ngx_inlets_registry_each((ngx_cycle_t *) ngx_cycle,
                             ngx_inlets_meter_reap_zone, NULL);
}


static void
ngx_inlets_meter_reap_zone(ngx_inlets_registry_t *reg, void *data)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_inlets_share_t        *share;
    ngx_inlets_worker_node_t  *worker;

    ngx_shmtx_lock(&reg->shpool->mutex);

    worker = ngx_inlets_registry_worker(reg, ngx_pid);

    for (n = 0;
         n < NGX_INLETS_METER_REAP && worker
         && !ngx_queue_empty(&worker->ended);
         n++)
    {
        q = ngx_queue_head(&worker->ended);
        share = ngx_queue_data(q, ngx_inlets_share_t, worker_queue);

        ngx_queue_remove(q);

        if (share->streams_now) {
            ngx_queue_insert_tail(&worker->ended, q);
            continue;
        }

        ngx_slab_free_locked(reg->shpool, share);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_meter_attach(ngx_inlets_stream_t *st, ngx_inlets_meter_t *meter,
    ngx_uint_t fresh)
{
    if (ngx_inlets_meter_exited || st->metered) {
        return;
    }

    st->meter = *meter;
    st->metered = 1;

    ngx_inlets_share_open(meter->tunnel, fresh);
    ngx_inlets_share_open(meter->client, fresh);
    ngx_inlets_share_open(meter->global, fresh);
}


static void
ngx_inlets_share_open(ngx_inlets_share_t *share, ngx_uint_t fresh)
{
    if (share) {
        share->streams_now++;
        share->streams += fresh;
    }
}


void
ngx_inlets_meter_detach(ngx_inlets_stream_t *st)
{
    ngx_uint_t          way;
    ngx_inlets_pace_t  *pace;

    if (!st->metered) {
        return;
    }

    st->metered = 0;

    for (way = NGX_INLETS_UP; way <= NGX_INLETS_DOWN; way++) {
        pace = st->pace[way];

        if (pace == NULL) {
            continue;
        }

        ngx_inlets_pace_done(pace);

        if (!ngx_inlets_meter_exited) {
            ngx_inlets_pace_refund(pace, &st->meter, way);
        }
    }

    if (!ngx_inlets_meter_exited) {
        ngx_inlets_share_close(st->meter.tunnel);
        ngx_inlets_share_close(st->meter.client);
        ngx_inlets_share_close(st->meter.global);
    }

    ngx_memzero(&st->meter, sizeof(ngx_inlets_meter_t));
}


static void
ngx_inlets_share_close(ngx_inlets_share_t *share)
{
    if (share == NULL) {
        return;
    }

    if (--share->streams_now == 0 && share->row == NULL) {
        ngx_inlets_meter_reap();
    }
}


void
ngx_inlets_meter_request(ngx_inlets_meter_t *meter)
{
    ngx_inlets_meter_add(meter, offsetof(ngx_inlets_share_t, requests), 1);
}


void
ngx_inlets_meter_error(ngx_inlets_meter_t *meter)
{
    ngx_inlets_meter_add(meter, offsetof(ngx_inlets_share_t, errors), 1);
}


void
ngx_inlets_meter_moved(ngx_inlets_stream_t *st, ngx_inlets_way_e way,
    size_t bytes)
{
    ngx_inlets_pace_t  *pace;

    if (!st->metered) {
        return;
    }

    ngx_inlets_meter_add(&st->meter, (way == NGX_INLETS_UP)
                                     ? offsetof(ngx_inlets_share_t, up)
                                     : offsetof(ngx_inlets_share_t, down),
                         bytes);

    pace = st->pace[way];

    if (pace) {
        pace->grant -= ngx_min(pace->grant, bytes);
    }
}


/* offset: of the counter in a share. */

static void
ngx_inlets_meter_add(ngx_inlets_meter_t *meter, size_t offset, uint64_t n)
{
    ngx_uint_t           i;
    volatile uint64_t   *counter;
    ngx_inlets_share_t  *shares[3];

    if (ngx_inlets_meter_exited) {
        return;
    }

    shares[0] = meter->tunnel;
    shares[1] = meter->client;
    shares[2] = meter->global;

    for (i = 0; i < 3; i++) {

        if (shares[i]) {
            counter = (volatile uint64_t *) ((u_char *) shares[i] + offset);
            *counter += n;
        }
    }
}


size_t
ngx_inlets_meter_allowed(ngx_inlets_stream_t *st, ngx_inlets_way_e way,
    size_t want)
{
    uint64_t            wait;
    ngx_inlets_pace_t  *pace;

    if (want == 0
        || ngx_inlets_meter_exited
        || !ngx_inlets_meter_limited(&st->meter, way))
    {
        return want;
    }

    pace = ngx_inlets_pace_get(st, way);
    if (pace == NULL) {
        return want;
    }

    if (pace->grant == 0) {
        ngx_inlets_pace_reserve(pace, &st->meter, way, want);
    }

    wait = inlets_rate_wait(pace->slot, ngx_inlets_meter_clock());

    if (wait == 0) {
        ngx_inlets_pace_done(pace);
        return ngx_min(pace->grant, want);
    }

    if (!pace->timer.timer_set) {
        ngx_inlets_pace_wait(pace, ngx_min(wait, NGX_INLETS_METER_WAIT));
    }

    return 0;
}


void
ngx_inlets_meter_drained(ngx_inlets_stream_t *st, ngx_inlets_way_e way)
{
    ngx_inlets_pace_t  *pace;

    pace = st->pace[way];

    if (st->metered && pace && !ngx_inlets_meter_exited) {
        ngx_inlets_pace_refund(pace, &st->meter, way);
    }
}


ngx_uint_t
ngx_inlets_meter_waits(ngx_inlets_stream_t *st)
{
    ngx_inlets_pace_t  *up, *down;

    up = st->pace[NGX_INLETS_UP];
    down = st->pace[NGX_INLETS_DOWN];

    return (up && up->waiting) || (down && down->waiting);
}


static ngx_inlets_pace_t *
ngx_inlets_pace_get(ngx_inlets_stream_t *st, ngx_inlets_way_e way)
{
    ngx_connection_t   *c;
    ngx_inlets_pace_t  *pace;

    if (st->pace[way]) {
        return st->pace[way];
    }

    c = st->connection;

    pace = ngx_pcalloc(c->pool, sizeof(ngx_inlets_pace_t));
    if (pace == NULL) {
        return NULL;
    }

    pace->event = (way == NGX_INLETS_UP) ? c->write : c->read;
    pace->timer.handler = ngx_inlets_pace_handler;
    pace->timer.data = pace;

    st->pace[way] = pace;

    return pace;
}


/* The later of the two slots, of the client's bucket and the zone's. */

static void
ngx_inlets_pace_reserve(ngx_inlets_pace_t *pace, ngx_inlets_meter_t *meter,
    ngx_inlets_way_e way, size_t want)
{
    size_t                n;
    uint64_t              now, slot, rates[2];
    ngx_uint_t            i;
    ngx_inlets_bucket_t  *buckets[2];

    buckets[0] = &meter->client_buckets[way];
    buckets[1] = &meter->global_buckets[way];

    now = ngx_inlets_meter_clock();
    n = want;

    for (i = 0; i < 2; i++) {
        rates[i] = (i && buckets[0] == buckets[1]) ? 0 : buckets[i]->rate;

        if (rates[i]) {
            n = ngx_min(n, inlets_rate_quantum(rates[i],
                                   __atomic_load_n(&buckets[i]->tat,
                                                   __ATOMIC_RELAXED), now));
        }
    }

    pace->grant = n;
    pace->slot = 0;

    for (i = 0; i < 2; i++) {
        if (rates[i]) {
            slot = ngx_inlets_bucket_reserve(buckets[i], rates[i], now, n);
            pace->slot = ngx_max(pace->slot, slot);
        }
    }
}


static void
ngx_inlets_pace_refund(ngx_inlets_pace_t *pace, ngx_inlets_meter_t *meter,
    ngx_inlets_way_e way)
{
    if (pace->grant) {
        ngx_inlets_bucket_refund(&meter->global_buckets[way], pace->grant);

        if (meter->client_buckets != meter->global_buckets) {
            ngx_inlets_bucket_refund(&meter->client_buckets[way],
                                     pace->grant);
        }

        pace->grant = 0;
    }
}


static void
ngx_inlets_pace_wait(ngx_inlets_pace_t *pace, ngx_msec_t ms)
{
    if (ngx_inlets_meter_waiting.next == NULL) {
        ngx_queue_init(&ngx_inlets_meter_waiting);
    }

    pace->waiting = 1;
    pace->timer.log = ngx_cycle->log;

    ngx_add_timer(&pace->timer, ms);
    ngx_queue_insert_tail(&ngx_inlets_meter_waiting, &pace->queue);
}


static void
ngx_inlets_pace_handler(ngx_event_t *ev)
{
    ngx_inlets_pace_t  *pace = ev->data;

    ngx_queue_remove(&pace->queue);
    pace->queue.next = NULL;

    pace->event->ready = 1;

    ngx_post_event(pace->event, &ngx_posted_events);
}


static void
ngx_inlets_pace_done(ngx_inlets_pace_t *pace)
{
    pace->waiting = 0;

    if (pace->timer.timer_set) {
        ngx_del_timer(&pace->timer);
    }

    if (pace->queue.next) {
        ngx_queue_remove(&pace->queue);
        pace->queue.next = NULL;
    }
}


/* What they had reserved was at the old rate, and is forgotten. */

void
ngx_inlets_meter_wake(void)
{
    ngx_queue_t        *q;
    ngx_inlets_pace_t  *pace;

    if (ngx_inlets_meter_waiting.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_inlets_meter_waiting)) {
        q = ngx_queue_head(&ngx_inlets_meter_waiting);
        pace = ngx_queue_data(q, ngx_inlets_pace_t, queue);

        ngx_inlets_pace_done(pace);

        pace->grant = 0;
        pace->event->ready = 1;

        ngx_post_event(pace->event, &ngx_posted_events);
    }
}


static uint64_t
ngx_inlets_bucket_reserve(ngx_inlets_bucket_t *b, uint64_t rate, uint64_t now,
    size_t bytes)
{
    uint64_t  old, tat, cost;

    cost = inlets_rate_cost(rate, bytes);
    old = __atomic_load_n(&b->tat, __ATOMIC_RELAXED);

    do {
        tat = inlets_rate_reserve(old, now, cost);

    } while (!__atomic_compare_exchange_n(&b->tat, &old, tat, 0,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return tat;
}


static void
ngx_inlets_bucket_refund(ngx_inlets_bucket_t *b, size_t bytes)
{
    uint64_t  old, tat, rate, cost;

    rate = b->rate;

    if (rate == 0) {
        return;
    }

    cost = inlets_rate_cost(rate, bytes);
    old = __atomic_load_n(&b->tat, __ATOMIC_RELAXED);

    do {
        tat = inlets_rate_refund(old, cost);

    } while (!__atomic_compare_exchange_n(&b->tat, &old, tat, 0,
                                          __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
}


/* Every worker sets it, the first one that finds another rate changes it. */

static void
ngx_inlets_bucket_set(ngx_inlets_bucket_t *b, size_t rate)
{
    uint64_t  now;

    if (b->rate == rate) {
        return;
    }

    now = ngx_inlets_meter_clock();

    if (__atomic_load_n(&b->tat, __ATOMIC_RELAXED) > now) {
        __atomic_store_n(&b->tat, now, __ATOMIC_RELAXED);
    }

    b->rate = rate;
}


static uint64_t
ngx_inlets_meter_clock(void)
{
    struct timespec  ts;

    /* ngx_current_msec is too coarse, and each worker has its own */

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


void
ngx_inlets_meter_set(ngx_inlets_bucket_t *buckets, ngx_inlets_limit_t *limit)
{
    ngx_inlets_bucket_set(&buckets[NGX_INLETS_UP], limit->upload);
    ngx_inlets_bucket_set(&buckets[NGX_INLETS_DOWN], limit->download);
}


void
ngx_inlets_meter_limits(ngx_inlets_registry_t *reg, ngx_str_t *client_id,
    ngx_inlets_limit_t *limit)
{
    ngx_inlets_client_node_t  *client;

    ngx_shmtx_lock(&reg->shpool->mutex);

    client = ngx_inlets_client_lookup(reg, client_id);

    if (client) {
        ngx_inlets_meter_set(client->buckets, limit);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_meter_limits_global(ngx_inlets_registry_t *reg,
    ngx_inlets_limit_t *limit)
{
    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_meter_set(reg->sh->buckets, limit);

    ngx_shmtx_unlock(&reg->shpool->mutex);
}


void
ngx_inlets_meter_settings(ngx_inlets_registry_t *reg,
    ngx_inlets_settings_t *settings)
{
    ngx_rbtree_t              *tree;
    ngx_rbtree_node_t         *node;
    ngx_inlets_limit_t         limit;
    ngx_inlets_client_node_t  *client;

    ngx_memzero(&limit, sizeof(ngx_inlets_limit_t));

    ngx_shmtx_lock(&reg->shpool->mutex);

    ngx_inlets_meter_set(reg->sh->buckets,
                         settings ? &settings->global : &limit);

    tree = &reg->sh->clients;
    node = (tree->root == tree->sentinel)
           ? NULL : ngx_rbtree_min(tree->root, tree->sentinel);

    while (node) {
        client = (ngx_inlets_client_node_t *) node;

        if (settings) {
            limit = ngx_inlets_settings_limit(settings, &client->sn.str);
        }

        ngx_inlets_meter_set(client->buckets, &limit);

        node = ngx_rbtree_next(tree, node);
    }

    ngx_shmtx_unlock(&reg->shpool->mutex);

    ngx_inlets_meter_wake();
}
