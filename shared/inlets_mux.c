#include <string.h>

#include "inlets_mux_impl.h"


#define HASH_MULTIPLIER  2654435769u    /* 2^32 / the golden ratio */


static inline struct inlets_mux_stream *
stream_of_ready(struct mux_link *l)
{
    return (struct inlets_mux_stream *)
               (void *) ((uint8_t *) l
                         - offsetof(struct inlets_mux_stream, ready));
}


void
mux_link_init(struct mux_link *l)
{
    l->prev = l;
    l->next = l;
}


bool
mux_link_empty(const struct mux_link *l)
{
    return l->next == l;
}


void
mux_link_append(struct mux_link *queue, struct mux_link *l)
{
    l->prev = queue->prev;
    l->next = queue;
    queue->prev->next = l;
    queue->prev = l;
}


void
mux_link_remove(struct mux_link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    mux_link_init(l);
}


struct mux_block *
mux_block_new(struct inlets_mux *m, unsigned kind)
{
    struct mux_block  *b;

    b = m->conf.alloc(m->conf.ctx, INLETS_MUX_BLOCK);
    if (b == NULL) {
        return NULL;
    }

    b->next = NULL;
    b->start = 0;
    b->end = 0;
    b->frame = MUX_NO_FRAME;
    b->kind = (uint16_t) kind;
    b->stream = 0;

    return b;
}


void
mux_block_free(struct inlets_mux *m, struct mux_block *b)
{
    m->conf.free(m->conf.ctx, b, INLETS_MUX_BLOCK);
}


void
mux_blocks_append(struct mux_blocks *list, struct mux_block *b)
{
    b->next = NULL;

    if (list->head == NULL) {
        list->head = b;

    } else {
        list->tail->next = b;
    }

    list->tail = b;
}


struct mux_block *
mux_blocks_shift(struct mux_blocks *list)
{
    struct mux_block  *b = list->head;

    if (b != NULL) {
        list->head = b->next;

        if (list->head == NULL) {
            list->tail = NULL;
        }
    }

    return b;
}


void
mux_blocks_free(struct inlets_mux *m, struct mux_blocks *list)
{
    struct mux_block  *b;

    while ((b = mux_blocks_shift(list)) != NULL) {
        mux_block_free(m, b);
    }
}


static bool
conf_is_valid(const struct inlets_mux_conf *conf)
{
    return conf->alloc != NULL && conf->free != NULL
           && conf->max_streams > 0
           && conf->window_max >= INLETS_MUX_WINDOW
           && conf->tx_max >= 2 * INLETS_MUX_BLOCK
           && (conf->carrier == INLETS_MUX_RAW
               || conf->carrier == INLETS_MUX_WS_SERVER
               || (conf->carrier == INLETS_MUX_WS_CLIENT
                   && conf->random != NULL));
}


static size_t
session_size(const struct inlets_mux_conf *conf)
{
    return sizeof(struct inlets_mux)
           + (conf->carrier == INLETS_MUX_WS_CLIENT ? MUX_RANDOM : 0);
}


static void
table_set(struct inlets_mux *m, struct inlets_mux_stream **buckets,
    uint32_t n)
{
    m->buckets = buckets;
    m->nbuckets = n;
    m->hash_shift = 32;

    while (n > 1) {
        m->hash_shift--;
        n >>= 1;
    }
}


struct inlets_mux *
inlets_mux_create(const struct inlets_mux_conf *conf)
{
    struct inlets_mux  *m;

    if (!conf_is_valid(conf)) {
        return NULL;
    }

    m = conf->alloc(conf->ctx, session_size(conf));
    if (m == NULL) {
        return NULL;
    }

    memset(m, 0, sizeof(*m));

    m->conf = *conf;
    m->next_id = conf->client ? 1 : 2;
    m->base = conf->carrier == INLETS_MUX_RAW ? 0 : INLETS_WS_HEADER_MAX;
    m->control_max = 65536 + 48 * (uint64_t) conf->max_streams;
    m->turn = 1;
    m->hash_mul = HASH_MULTIPLIER;

    /* ids are the peer's choice: it shall not know which ones collide */

    if (conf->random != NULL) {
        conf->random(conf->ctx, &m->hash_mul, sizeof(m->hash_mul));
        m->hash_mul |= 1;
    }

    table_set(m, m->small_table, MUX_BUCKETS);

    mux_link_init(&m->ready);
    mux_link_init(&m->returned);
    mux_link_init(&m->writers);

    return m;
}


static void
stream_free(struct inlets_mux_stream *s)
{
    struct inlets_mux  *m = s->mux;

    mux_blocks_free(m, &s->rx);
    m->conf.free(m->conf.ctx, s, sizeof(*s));
}


static void
table_free(struct inlets_mux *m)
{
    if (m->buckets != m->small_table) {
        m->conf.free(m->conf.ctx, m->buckets,
                     m->nbuckets * sizeof(m->buckets[0]));
    }
}


void
inlets_mux_destroy(struct inlets_mux *m)
{
    struct inlets_mux_conf     conf;
    struct inlets_mux_stream  *s, *next;

    if (m == NULL) {
        return;
    }

    inlets_mux_commit(m->reserved_for, 0);

    for (uint32_t i = 0; i < m->nbuckets; i++) {
        for (s = m->buckets[i]; s != NULL; s = next) {
            next = s->hash_next;
            stream_free(s);
        }
    }

    table_free(m);

    mux_blocks_free(m, &m->out);
    mux_blocks_free(m, &m->control);
    mux_blocks_free(m, &m->queue);

    conf = m->conf;
    conf.free(conf.ctx, m, session_size(&conf));
}


static inline uint32_t
bucket_of(const struct inlets_mux *m, uint32_t id)
{
    return (id * m->hash_mul) >> m->hash_shift;
}


struct inlets_mux_stream *
mux_find(const struct inlets_mux *m, uint32_t id)
{
    struct inlets_mux_stream  *s = m->buckets[bucket_of(m, id)];

    while (s != NULL && s->id != id) {
        s = s->hash_next;
    }

    return s;
}


/* A table that could not grow still works. */
static void
table_grow(struct inlets_mux *m)
{
    uint32_t                    n = m->nbuckets * 4, oldn = m->nbuckets;
    struct inlets_mux_stream   *s, *next, **old = m->buckets, **buckets;

    if (n > 1u << 24) {
        return;
    }

    buckets = m->conf.alloc(m->conf.ctx, n * sizeof(buckets[0]));
    if (buckets == NULL) {
        return;
    }

    memset(buckets, 0, n * sizeof(buckets[0]));
    table_set(m, buckets, n);

    for (uint32_t i = 0; i < oldn; i++) {
        for (s = old[i]; s != NULL; s = next) {
            next = s->hash_next;
            s->hash_next = buckets[bucket_of(m, s->id)];
            buckets[bucket_of(m, s->id)] = s;
        }
    }

    if (old != m->small_table) {
        m->conf.free(m->conf.ctx, old, oldn * sizeof(old[0]));
    }
}


static void
table_remove(struct inlets_mux *m, struct inlets_mux_stream *s)
{
    struct inlets_mux_stream  **p = &m->buckets[bucket_of(m, s->id)];

    while (*p != s) {
        p = &(*p)->hash_next;
    }

    *p = s->hash_next;

    if (--m->nstreams == 0 && m->buckets != m->small_table) {
        table_free(m);
        memset(m->small_table, 0, sizeof(m->small_table));
        table_set(m, m->small_table, MUX_BUCKETS);
    }
}


/*
 * NULL: too many, or no memory.  Only streams that go on count, since the peer
 * may open the next as soon as one is over, before its owner here knows; those
 * not released yet are bounded as well.
 */
struct inlets_mux_stream *
mux_stream_create(struct inlets_mux *m, uint32_t id)
{
    uint32_t                   i;
    struct inlets_mux_stream  *s;

    if (m->nlive >= m->conf.max_streams
        || m->nstreams / 2 >= m->conf.max_streams)
    {
        return NULL;
    }

    s = m->conf.alloc(m->conf.ctx, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }

    if (m->nstreams >= m->nbuckets) {
        table_grow(m);
    }

    memset(s, 0, sizeof(*s));

    s->mux = m;
    s->id = id;
    s->window = INLETS_MUX_WINDOW;
    s->rx_limit = INLETS_MUX_WINDOW;
    s->tx_limit = INLETS_MUX_WINDOW;
    s->epoch_us = m->now_us;

    mux_link_init(&s->ready);
    mux_link_init(&s->waiting);

    i = bucket_of(m, id);
    s->hash_next = m->buckets[i];
    m->buckets[i] = s;
    m->nstreams++;

    s->live = 1;
    m->nlive++;

    return s;
}


void
mux_stream_over(struct inlets_mux_stream *s)
{
    if (s->live) {
        s->live = 0;
        s->mux->nlive--;
    }
}


void
mux_event(struct inlets_mux_stream *s, unsigned event)
{
    if (s->events == 0) {
        mux_link_append(&s->mux->ready, &s->ready);
    }

    s->events |= (uint8_t) event;
}


struct inlets_mux_stream *
inlets_mux_next(struct inlets_mux *m, unsigned *ret_events)
{
    struct inlets_mux_stream  *s;

    if (mux_link_empty(&m->ready) && !mux_wake_late(m)) {
        return NULL;
    }

    s = stream_of_ready(m->ready.next);
    mux_link_remove(&s->ready);

    *ret_events = s->events;
    s->events = 0;

    return s;
}


bool
inlets_mux_ready(const struct inlets_mux *m)
{
    return !mux_link_empty(&m->ready);
}


/* Nothing goes either way any more; the owner is not told here. */
static void
stream_stop(struct inlets_mux_stream *s)
{
    struct inlets_mux  *m = s->mux;

    s->reset = 1;
    s->want_credit = 0;
    mux_stream_over(s);

    if (m->rx_stream == s) {
        m->rx_stream = NULL;
    }

    mux_leave_turns(s);
    mux_blocks_free(m, &s->rx);
    s->rx_read = s->rx_off;
}


void
mux_stream_dead(struct inlets_mux_stream *s)
{
    bool  writer = s->want_credit || !mux_link_empty(&s->waiting);

    if (s->reset) {
        return;
    }

    stream_stop(s);
    mux_event(s, INLETS_MUX_EV_READ | (writer ? INLETS_MUX_EV_WRITE : 0));
}


/* Streams that ended both ways may still have data to be read. */
static void
kill_streams(struct inlets_mux *m)
{
    struct inlets_mux_stream  *s;

    for (uint32_t i = 0; i < m->nbuckets; i++) {
        for (s = m->buckets[i]; s != NULL; s = s->hash_next) {
            if (!s->fin_sent || !s->fin_received) {
                mux_stream_dead(s);
            }
        }
    }
}


int
mux_fail(struct inlets_mux *m, int error, uint32_t stream)
{
    uint32_t  reason = INLETS_YAMUX_PROTOCOL_ERROR;

    if (m->error != 0) {
        return m->error;
    }

    m->error = error;
    m->error_stream = stream;

    kill_streams(m);
    mux_drop_output(m);

    if (error == INLETS_E_NO_MEMORY || error == INLETS_E_MUX_FLOOD) {
        reason = INLETS_YAMUX_INTERNAL_ERROR;
    }

    if (error != INLETS_E_YAMUX_GO_AWAY) {
        mux_control(m, INLETS_YAMUX_GO_AWAY, 0, 0, reason);
    }

    return error;
}


void
inlets_mux_abort(struct inlets_mux *m)
{
    if (m->error == 0) {
        m->error = INLETS_E_INVALID;
    }

    m->aborted = 1;
    m->pong_due = 0;

    kill_streams(m);
    mux_drop_output(m);
}


uint32_t
inlets_mux_error_stream(const struct inlets_mux *m)
{
    return m->error_stream;
}


int
inlets_mux_ping(struct inlets_mux *m, uint64_t now_us)
{
    if (m->error != 0) {
        return m->error;
    }

    if (m->ping_out) {
        return INLETS_OK;
    }

    if (now_us > m->now_us) {
        m->now_us = now_us;
    }

    m->ping_out = 1;
    m->ping_known = 1;
    m->ping_us = m->now_us;

    mux_control(m, INLETS_YAMUX_PING, INLETS_YAMUX_SYN, 0, ++m->ping_id);

    return m->error;
}


uint64_t
inlets_mux_rtt(const struct inlets_mux *m)
{
    return m->rtt_us;
}


bool
inlets_mux_ping_outstanding(const struct inlets_mux *m)
{
    return m->ping_out;
}


static bool
go_away(struct inlets_mux *m)
{
    if (m->go_away_sent || m->error != 0) {
        return false;
    }

    m->go_away_sent = 1;
    mux_control(m, INLETS_YAMUX_GO_AWAY, 0, 0, INLETS_YAMUX_NORMAL);

    return true;
}


/* The answer to the ping comes behind the last stream that the peer opens. */
void
inlets_mux_go_away(struct inlets_mux *m)
{
    if (go_away(m)) {
        mux_control(m, INLETS_YAMUX_PING, INLETS_YAMUX_SYN, 0, MUX_PING_AWAY);
    }
}


bool
inlets_mux_go_away_seen(const struct inlets_mux *m)
{
    return m->go_away_seen;
}


void
inlets_mux_close(struct inlets_mux *m, uint16_t code, const char *reason)
{
    if (m->close_sent || m->aborted) {
        return;
    }

    (void) go_away(m);
    kill_streams(m);

    m->pong_due = 0;
    mux_queue_close(m, code, reason);
}


/* The peer sends nothing more, so what is not complete never will be. */
void
mux_close_received(struct inlets_mux *m)
{
    uint16_t     code;
    size_t       len;
    const char  *reason;

    m->close_received = 1;
    m->pong_due = 0;

    kill_streams(m);

    if (!m->close_sent
        && inlets_ws_close_parse(m->ws_control, m->ws_control_len, &code,
                                 &reason, &len) == INLETS_OK)
    {
        mux_queue_close(m, code, NULL);
    }
}


bool
inlets_mux_closing(const struct inlets_mux *m)
{
    return m->go_away_received || m->close_received || m->close_sent
           || m->error != 0 || m->next_id > UINT32_MAX - 2;
}


bool
inlets_mux_close_received(const struct inlets_mux *m)
{
    return m->close_received;
}


uint32_t
inlets_mux_streams(const struct inlets_mux *m)
{
    return m->nstreams;
}


uint64_t
inlets_mux_queued(const struct inlets_mux *m)
{
    return m->queue_bytes + m->control_bytes;
}


struct inlets_mux_stream *
inlets_mux_open(struct inlets_mux *m)
{
    struct inlets_mux_stream  *s;

    if (inlets_mux_closing(m)) {
        return NULL;
    }

    s = mux_stream_create(m, m->next_id);

    if (s != NULL) {
        m->next_id += 2;
    }

    return s;
}


void
inlets_mux_accept(struct inlets_mux_stream *s)
{
    if (!s->acked) {
        s->acked = 1;
        mux_control(s->mux, INLETS_YAMUX_WINDOW, INLETS_YAMUX_ACK, s->id, 0);
    }
}


bool
inlets_mux_is_refused(const struct inlets_mux_stream *s)
{
    return s->refused;
}


void
inlets_mux_set_data(struct inlets_mux_stream *s, void *data)
{
    s->data = data;
}


void *
inlets_mux_data(const struct inlets_mux_stream *s)
{
    return s->data;
}


uint32_t
inlets_mux_id(const struct inlets_mux_stream *s)
{
    return s->id;
}


struct inlets_mux *
inlets_mux_session(const struct inlets_mux_stream *s)
{
    return s->mux;
}


bool
inlets_mux_is_reset(const struct inlets_mux_stream *s)
{
    return s->reset;
}


size_t
inlets_mux_unread(const struct inlets_mux_stream *s)
{
    uint64_t                  n = s->rx_off - s->rx_read;
    const struct inlets_mux  *m = s->mux;

    return (size_t) (m->rx_stream == s ? n - m->rx_left : n);
}


ssize_t
inlets_mux_peek(struct inlets_mux_stream *s, const uint8_t **ret_buf)
{
    struct mux_block  *b = s->rx.head;

    if (s->reset) {
        return INLETS_MUX_RESET;
    }

    if (b == NULL) {
        return s->fin_received ? INLETS_MUX_EOF : INLETS_MUX_AGAIN;
    }

    *ret_buf = b->data + b->start;

    return b->end - b->start;
}


ssize_t
inlets_mux_peekv(struct inlets_mux_stream *s, struct iovec *iov, size_t n,
    size_t *ret_n)
{
    size_t             i;
    ssize_t            total;
    const uint8_t     *p;
    struct mux_block  *b;

    total = inlets_mux_peek(s, &p);

    if (total <= 0) {
        return total;
    }

    total = 0;

    for (i = 0, b = s->rx.head; i < n && b != NULL; i++, b = b->next) {
        iov[i].iov_base = b->data + b->start;
        iov[i].iov_len = (size_t) (b->end - b->start);
        total += b->end - b->start;
    }

    *ret_n = i;

    return total;
}


static void
take(struct inlets_mux_stream *s, struct mux_block *b, size_t n)
{
    b->start += (uint16_t) n;
    s->rx_read += n;

    if (b->start == b->end) {
        (void) mux_blocks_shift(&s->rx);
        mux_block_free(s->mux, b);
    }
}


void
inlets_mux_consume(struct inlets_mux_stream *s, size_t bytes)
{
    size_t             n;
    struct mux_block  *b;

    while (bytes > 0 && (b = s->rx.head) != NULL) {
        n = (size_t) (b->end - b->start);
        n = n < bytes ? n : bytes;
        take(s, b, n);
        bytes -= n;
    }

    mux_give_credit(s);
}


ssize_t
inlets_mux_read(struct inlets_mux_stream *s, void *buf, size_t size)
{
    size_t             n, done = 0;
    ssize_t            rc;
    const uint8_t     *p;

    rc = inlets_mux_peek(s, &p);

    if (rc <= 0) {
        return rc;
    }

    while (done < size && s->rx.head != NULL) {
        n = (size_t) inlets_mux_peek(s, &p);
        n = n < size - done ? n : size - done;
        memcpy((uint8_t *) buf + done, p, n);
        take(s, s->rx.head, n);
        done += n;
    }

    mux_give_credit(s);

    return (ssize_t) done;
}


void
inlets_mux_shutdown(struct inlets_mux_stream *s)
{
    if (s->reset || s->fin_sent) {
        return;
    }

    s->fin_sent = 1;
    s->want_credit = 0;

    if (s->fin_received) {
        mux_stream_over(s);
    }

    mux_leave_turns(s);
    mux_flags(s, INLETS_YAMUX_FIN);
    mux_wake(s->mux);
}


void
inlets_mux_reset(struct inlets_mux_stream *s)
{
    if (s->reset) {
        return;
    }

    stream_stop(s);

    if (s->syn_sent && (!s->fin_sent || !s->fin_received)) {
        mux_flags(s, INLETS_YAMUX_RST);
    }

    mux_wake(s->mux);
}


void
inlets_mux_release(struct inlets_mux_stream *s)
{
    struct inlets_mux  *m = s->mux;

    if (s->syn_sent && s->fin_received && s->rx.head == NULL) {
        inlets_mux_shutdown(s);
    }

    inlets_mux_reset(s);

    if (s->events != 0) {
        mux_link_remove(&s->ready);
    }

    mux_stream_over(s);
    m->window_grown -= s->window - INLETS_MUX_WINDOW;

    table_remove(m, s);
    stream_free(s);
}
