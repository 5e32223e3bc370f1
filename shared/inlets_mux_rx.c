#include <string.h>

#include "inlets_mux_impl.h"


#define PING_INTERVAL   10000       /* 100 a second */
#define PING_BURST      500
#define EMPTY_INTERVAL  500         /* 2,000 a second */
#define EMPTY_BURST     4000
#define CHURN_INTERVAL  5           /* 200,000 a second */
#define CHURN_BURST     100000

#define PIECE           16384       /* unmasked at once: stays in the cache */


static bool
flooded(struct inlets_mux *m, struct mux_rate *rate, uint64_t interval,
    uint64_t burst)
{
    if (rate->next_us < m->now_us) {
        rate->next_us = m->now_us;
    }

    rate->next_us += interval;

    return rate->next_us - m->now_us > interval * burst;
}


/* Opens, resets and frames for streams that are gone. */
static int
churn(struct inlets_mux *m)
{
    return flooded(m, &m->rate_churn, CHURN_INTERVAL, CHURN_BURST)
           ? INLETS_E_MUX_FLOOD : INLETS_OK;
}


/* Frames that do nothing. */
static int
empty(struct inlets_mux *m)
{
    return flooded(m, &m->rate_empty, EMPTY_INTERVAL, EMPTY_BURST)
           ? INLETS_E_MUX_FLOOD : INLETS_OK;
}


static int
ping_received(struct inlets_mux *m)
{
    return flooded(m, &m->rate_ping, PING_INTERVAL, PING_BURST)
           ? INLETS_E_MUX_FLOOD : INLETS_OK;
}


/* A peer that leaves takes it as the end of our new streams. */
static void
answer_ping(struct inlets_mux *m, uint32_t id)
{
    if (m->go_away_received) {
        mux_in_order(m, INLETS_YAMUX_PING, INLETS_YAMUX_ACK, 0, id);

    } else {
        mux_control(m, INLETS_YAMUX_PING, INLETS_YAMUX_ACK, 0, id);
    }
}


static int
on_ping(struct inlets_mux *m, const struct inlets_yamux_frame *f)
{
    int       rc;
    uint64_t  rtt;

    if (f->flags & INLETS_YAMUX_SYN) {
        rc = ping_received(m);

        if (rc == INLETS_OK) {
            answer_ping(m, f->length);
        }

        return rc;
    }

    if (m->go_away_sent && !m->go_away_seen && f->length == MUX_PING_AWAY) {
        m->go_away_seen = 1;
        return INLETS_OK;
    }

    if (!m->ping_out || f->length != m->ping_id) {
        return ping_received(m);
    }

    m->ping_out = 0;
    rtt = m->now_us - m->ping_us;
    rtt = rtt != 0 ? rtt : 1;

    /* pings that waited behind payload count for little */

    if (m->rtt_us == 0 || rtt < m->rtt_us) {
        m->rtt_us = rtt;

    } else {
        m->rtt_us += (rtt - m->rtt_us) / 8;
    }

    return INLETS_OK;
}


/* Those that have been opened, and not written to. */
static void
announce_streams(struct inlets_mux *m)
{
    struct inlets_mux_stream  *s;

    for (uint32_t i = 0; i < m->nbuckets; i++) {
        for (s = m->buckets[i]; s != NULL; s = s->hash_next) {
            if (!s->syn_sent && !s->reset) {
                mux_flags(s, 0);
            }
        }
    }
}


static int
on_go_away(struct inlets_mux *m, const struct inlets_yamux_frame *f)
{
    if (f->length != INLETS_YAMUX_NORMAL) {
        return INLETS_E_YAMUX_GO_AWAY;
    }

    if (m->go_away_received) {
        return empty(m);
    }

    m->go_away_received = 1;
    announce_streams(m);

    return m->error;
}


static bool
id_is_ours(const struct inlets_mux *m, uint32_t id)
{
    return ((id & 1) != 0) == m->conf.client;
}


/* A refused stream leaves *ret at NULL. */
static int
on_syn(struct inlets_mux *m, const struct inlets_yamux_frame *f,
    struct inlets_mux_stream **ret)
{
    int                        rc;
    struct inlets_mux_stream  *s = NULL;

    if (id_is_ours(m, f->stream)) {
        return INLETS_E_YAMUX_STREAM_ID;
    }

    if (!m->conf.accept) {
        return INLETS_E_YAMUX_UNWANTED;
    }

    if (*ret != NULL) {
        return INLETS_E_YAMUX_DUPLICATE;
    }

    rc = churn(m);
    if (rc != INLETS_OK) {
        return rc;
    }

    if (f->stream > m->peer_id) {
        m->peer_id = f->stream;
    }

    if (!m->go_away_seen && !m->close_sent) {
        s = mux_stream_create(m, f->stream);
    }

    if (s == NULL) {
        mux_control(m, INLETS_YAMUX_WINDOW, INLETS_YAMUX_RST, f->stream, 0);
        return m->error;
    }

    s->syn_sent = 1;

    if (!m->conf.late_ack) {
        inlets_mux_accept(s);
    }

    mux_event(s, INLETS_MUX_EV_OPEN);
    *ret = s;

    return m->error;
}


static int
on_gone(struct inlets_mux *m, const struct inlets_yamux_frame *f)
{
    if (id_is_ours(m, f->stream) ? f->stream >= m->next_id
                                 : f->stream > m->peer_id)
    {
        return INLETS_E_YAMUX_STREAM_ID;
    }

    return f->type == INLETS_YAMUX_DATA && f->length != 0 ? INLETS_OK
                                                          : churn(m);
}


static int
on_fin(struct inlets_mux_stream *s)
{
    if (s->fin_received) {
        return empty(s->mux);
    }

    s->fin_received = 1;

    if (s->fin_sent) {
        mux_stream_over(s);
    }

    mux_event(s, INLETS_MUX_EV_READ);

    return INLETS_OK;
}


static int
on_data(struct inlets_mux_stream *s, const struct inlets_yamux_frame *f)
{
    int                 rc;
    struct inlets_mux  *m = s->mux;

    if (f->length == 0) {
        return f->flags == 0 ? empty(m) : INLETS_OK;
    }

    if (s->fin_received) {
        return INLETS_E_YAMUX_DATA_AFTER_FIN;
    }

    rc = inlets_yamux_credit_take(&s->rx_off, s->rx_limit, f->length);

    if (rc == INLETS_OK) {
        m->rx_stream = s;
    }

    return rc;
}


static int
on_window(struct inlets_mux_stream *s, const struct inlets_yamux_frame *f)
{
    int  rc;

    if (f->length == 0) {
        return f->flags == 0 ? empty(s->mux) : INLETS_OK;
    }

    rc = inlets_yamux_credit_add(&s->tx_limit, s->tx_off, f->length);

    if (rc == INLETS_OK && s->want_credit) {
        s->want_credit = 0;
        mux_event(s, INLETS_MUX_EV_WRITE);
    }

    return rc;
}


static int
on_stream_frame(struct inlets_mux *m, const struct inlets_yamux_frame *f)
{
    int                        rc = INLETS_OK;
    struct inlets_mux_stream  *s = mux_find(m, f->stream);

    m->rx_stream = NULL;
    m->rx_left = f->type == INLETS_YAMUX_DATA ? f->length : 0;
    m->rx_fin = 0;

    if (f->flags & INLETS_YAMUX_SYN) {
        rc = on_syn(m, f, &s);

    } else if (s == NULL || s->reset) {
        return on_gone(m, f);
    }

    if (rc != INLETS_OK || s == NULL) {
        return rc;
    }

    rc = f->type == INLETS_YAMUX_DATA ? on_data(s, f) : on_window(s, f);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (f->flags & INLETS_YAMUX_RST) {
        s->refused = id_is_ours(m, s->id) && !s->acked && s->rx_off == 0
                     && !(f->flags & INLETS_YAMUX_ACK);
        mux_stream_dead(s);
        return churn(m);
    }

    if (f->flags & INLETS_YAMUX_ACK) {
        if (s->acked && empty(m) != INLETS_OK) {
            return INLETS_E_MUX_FLOOD;
        }

        s->acked = 1;
    }

    if (f->flags & INLETS_YAMUX_FIN) {
        if (m->rx_left != 0) {
            m->rx_fin = 1;

        } else {
            return on_fin(s);
        }
    }

    return INLETS_OK;
}


static int
on_frame(struct inlets_mux *m, const struct inlets_yamux_frame *f)
{
    int  rc;

    switch (f->type) {

    case INLETS_YAMUX_PING:
        rc = on_ping(m, f);
        break;

    case INLETS_YAMUX_GO_AWAY:
        rc = on_go_away(m, f);
        break;

    default:
        rc = on_stream_frame(m, f);
    }

    return rc == INLETS_OK ? m->error : mux_fail(m, rc, f->stream);
}


/* Returns how many bytes of the block chain's end could be filled. */
static size_t
store(struct inlets_mux_stream *s, const uint8_t *p, size_t len)
{
    size_t              n, done = 0;
    struct mux_block   *b;
    struct inlets_mux  *m = s->mux;

    while (done < len) {
        b = s->rx.tail;

        if (b == NULL || b->end == MUX_BLOCK_DATA) {
            b = mux_block_new(m, MUX_BLOCK_STREAMS);
            if (b == NULL) {
                break;
            }

            mux_blocks_append(&s->rx, b);
        }

        n = MUX_BLOCK_DATA - b->end;
        n = n < len - done ? n : len - done;
        memcpy(b->data + b->end, p + done, n);
        b->end += (uint16_t) n;
        done += n;
    }

    return done;
}


static size_t
yamux_payload(struct inlets_mux *m, const uint8_t *p, size_t len)
{
    size_t                     n = len < m->rx_left ? len : m->rx_left;
    struct inlets_mux_stream  *s = m->rx_stream;

    m->rx_left -= (uint32_t) n;

    if (s == NULL) {
        return n;
    }

    if (store(s, p, n) < n) {
        mux_stream_dead(s);
        mux_flags(s, INLETS_YAMUX_RST);
        return n;
    }

    mux_event(s, INLETS_MUX_EV_READ);

    if (m->rx_left == 0) {
        m->rx_stream = NULL;

        if (m->rx_fin) {
            (void) on_fin(s);
        }
    }

    return n;
}


/* A header cut by the end of the input, or whole where it lies. */
static int
yamux_header(struct inlets_mux *m, const uint8_t *p, size_t len,
    size_t *ret_used)
{
    int                        rc;
    size_t                     n = 0;
    struct inlets_yamux_frame  f;

    if (m->head_len != 0 || len < INLETS_YAMUX_HEADER) {
        n = INLETS_YAMUX_HEADER - (size_t) m->head_len;
        n = n < len ? n : len;
        memcpy(m->head + m->head_len, p, n);
        m->head_len += (uint8_t) n;

        rc = inlets_yamux_parse(m->head, m->head_len, &f);

    } else {
        rc = inlets_yamux_parse(p, len, &f);
    }

    if (rc < 0) {
        return mux_fail(m, rc, 0);
    }

    if (rc == INLETS_NEED_MORE) {
        *ret_used = n;
        return INLETS_OK;
    }

    *ret_used = n != 0 ? n : INLETS_YAMUX_HEADER;
    m->head_len = 0;

    return on_frame(m, &f);
}


static int
yamux_input(struct inlets_mux *m, const uint8_t *p, size_t len)
{
    int     rc;
    size_t  n = 0;

    while (len > 0) {
        if (m->rx_left != 0) {
            n = yamux_payload(m, p, len);
            rc = m->error;

        } else {
            rc = yamux_header(m, p, len, &n);
        }

        if (rc != INLETS_OK) {
            return rc;
        }

        p += n;
        len -= n;
    }

    return INLETS_OK;
}


static int
ws_frame_begin(struct inlets_mux *m)
{
    const struct inlets_ws_frame  *f = &m->ws;

    if (f->masked != (m->conf.carrier == INLETS_MUX_WS_SERVER)) {
        return INLETS_E_WS_MASK;
    }

    m->ws_in_frame = 1;
    m->ws_left = f->length;

    switch (f->opcode) {

    case INLETS_WS_TEXT:
        return INLETS_E_WS_NOT_BINARY;

    case INLETS_WS_BINARY:
    case INLETS_WS_CONTINUATION:
        if (m->ws_in_message != (f->opcode == INLETS_WS_CONTINUATION)) {
            return INLETS_E_WS_CONTINUATION;
        }

        m->ws_in_message = !f->fin;

        return f->length == 0 ? empty(m) : INLETS_OK;

    case INLETS_WS_PONG:
        return ping_received(m);
    }

    /* only the last of several pings needs its answer */

    m->pong_due = 0;
    m->ws_control_len = 0;

    return f->opcode == INLETS_WS_PING ? ping_received(m) : INLETS_OK;
}


static int
ws_frame_end(struct inlets_mux *m)
{
    int          rc;
    size_t       len;
    uint16_t     code;
    const char  *reason;

    m->ws_in_frame = 0;

    if (m->ws.opcode == INLETS_WS_PING) {
        m->pong_due = !m->close_sent;
    }

    if (m->ws.opcode != INLETS_WS_CLOSE) {
        return INLETS_OK;
    }

    rc = inlets_ws_close_parse(m->ws_control, m->ws_control_len, &code,
                               &reason, &len);

    if (rc == INLETS_OK) {
        mux_close_received(m);
    }

    return rc;
}


static int
ws_header(struct inlets_mux *m, const uint8_t *p, size_t len,
    size_t *ret_used)
{
    int     rc = INLETS_NEED_MORE;
    size_t  n = 0;

    if (m->ws_head_len == 0) {
        rc = inlets_ws_frame_parse(p, len, &m->ws);
        n = rc > 0 ? (size_t) rc : 0;
    }

    while (rc == INLETS_NEED_MORE && n < len) {
        m->ws_head[m->ws_head_len++] = p[n++];
        rc = inlets_ws_frame_parse(m->ws_head, m->ws_head_len, &m->ws);
    }

    *ret_used = n;

    if (rc <= 0) {
        return rc;
    }

    m->ws_head_len = 0;

    return ws_frame_begin(m);
}


static int
ws_payload(struct inlets_mux *m, uint8_t *p, size_t len, size_t *ret_used)
{
    size_t  n = len < m->ws_left ? len : (size_t) m->ws_left;

    n = n < PIECE ? n : PIECE;

    if (m->ws.masked) {
        inlets_ws_mask(p, n, m->ws.mask, m->ws.length - m->ws_left);
    }

    m->ws_left -= n;
    *ret_used = n;

    switch (m->ws.opcode) {

    case INLETS_WS_PONG:
        return INLETS_OK;

    case INLETS_WS_PING:
    case INLETS_WS_CLOSE:
        memcpy(m->ws_control + m->ws_control_len, p, n);
        m->ws_control_len += (uint8_t) n;
        return INLETS_OK;
    }

    return yamux_input(m, p, n);
}


static int
ws_input(struct inlets_mux *m, uint8_t *p, size_t len)
{
    int     rc;
    size_t  n = 0;

    while (len > 0 && !m->close_received) {
        if (m->ws_in_frame) {
            rc = ws_payload(m, p, len, &n);

        } else {
            rc = ws_header(m, p, len, &n);
        }

        if (rc == INLETS_OK && m->ws_in_frame && m->ws_left == 0) {
            rc = ws_frame_end(m);
        }

        if (rc != INLETS_OK) {
            return mux_fail(m, rc, 0);
        }

        p += n;
        len -= n;
    }

    return INLETS_OK;
}


int
inlets_mux_input(struct inlets_mux *m, uint8_t *buf, size_t len,
    uint64_t now_us)
{
    if (m->error != 0) {
        return m->error;
    }

    if (now_us > m->now_us) {
        m->now_us = now_us;
    }

    return m->conf.carrier == INLETS_MUX_RAW ? yamux_input(m, buf, len)
                                             : ws_input(m, buf, len);
}


/*
 * A window update is due when half the window was taken.  Half of it within
 * one round trip means all of it within two: the window is what holds the
 * sender back, unless the reader does.
 */
static void
tune_window(struct inlets_mux_stream *s)
{
    uint64_t            grow, left;
    struct inlets_mux  *m = s->mux;

    if (m->rtt_us == 0 || m->now_us - s->epoch_us > m->rtt_us
        || inlets_mux_unread(s) > s->window / 4)
    {
        return;
    }

    grow = m->conf.window_max - s->window;
    grow = grow < s->window ? grow : s->window;

    left = m->conf.window_total - m->window_grown;
    grow = grow < left ? grow : left;

    s->window += (uint32_t) grow;
    m->window_grown += grow;
}


void
mux_give_credit(struct inlets_mux_stream *s)
{
    uint64_t            delta;
    struct inlets_mux  *m = s->mux;

    if (s->reset || s->fin_received
        || s->rx_limit - s->rx_read > s->window / 2)
    {
        return;
    }

    tune_window(s);

    delta = s->rx_read + s->window - s->rx_limit;
    s->rx_limit += delta;
    s->epoch_us = m->now_us;

    if (!m->ping_out
        && (!m->ping_known || m->now_us - m->ping_us >= MUX_RTT_EVERY))
    {
        (void) inlets_mux_ping(m, m->now_us);
    }

    mux_control(m, INLETS_YAMUX_WINDOW, 0, s->id, (uint32_t) delta);
}
