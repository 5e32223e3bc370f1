#include <string.h>

#include "inlets_mux_impl.h"


static inline struct inlets_mux_stream *
stream_of_waiting(struct mux_link *l)
{
    return (struct inlets_mux_stream *)
               (void *) ((uint8_t *) l
                         - offsetof(struct inlets_mux_stream, waiting));
}


static inline bool
is_waiting(const struct inlets_mux_stream *s)
{
    return !mux_link_empty(&s->waiting);
}


static inline bool
others_wait(const struct inlets_mux *m)
{
    return !mux_link_empty(&m->returned) || !mux_link_empty(&m->writers);
}


static inline uint64_t
room_left(const struct inlets_mux *m)
{
    return m->conf.tx_max > m->queue_bytes ? m->conf.tx_max - m->queue_bytes
                                           : 0;
}


static struct mux_block *
new_block(struct inlets_mux *m, unsigned kind)
{
    struct mux_block  *b = mux_block_new(m, kind);

    if (b != NULL) {
        b->start = (uint16_t) m->base;
        b->end = (uint16_t) m->base;
    }

    return b;
}


/* The last block of a list, or a new one, with room for a header. */
static struct mux_block *
block_for_header(struct inlets_mux *m, struct mux_blocks *list, unsigned kind)
{
    struct mux_block  *b = list->tail;

    if (b == NULL || b->end + INLETS_YAMUX_HEADER > (int) MUX_BLOCK_DATA) {
        b = new_block(m, kind);

        if (b != NULL) {
            mux_blocks_append(list, b);
        }
    }

    return b;
}


static void
put_header(struct mux_block *b, uint8_t type, uint16_t flags, uint32_t stream,
    uint32_t length)
{
    struct inlets_yamux_frame  f = { .type = type, .flags = flags,
                                     .stream = stream, .length = length };

    (void) inlets_yamux_write(b->data + b->end, INLETS_YAMUX_HEADER, &f);
    b->end += INLETS_YAMUX_HEADER;
    b->frame = MUX_NO_FRAME;
}


void
mux_control(struct inlets_mux *m, uint8_t type, uint16_t flags,
    uint32_t stream, uint32_t length)
{
    struct mux_block  *b;

    if (m->aborted || m->close_sent
        || (m->error != 0 && type != INLETS_YAMUX_GO_AWAY))
    {
        return;
    }

    if (m->control_bytes >= m->control_max) {
        (void) mux_fail(m, INLETS_E_MUX_FLOOD, stream);
        return;
    }

    b = block_for_header(m, &m->control, MUX_BLOCK_CONTROL);
    if (b == NULL) {
        (void) mux_fail(m, INLETS_E_NO_MEMORY, stream);
        return;
    }

    put_header(b, type, flags, stream, length);
    m->control_bytes += INLETS_YAMUX_HEADER;
}


/* Behind all data that was written. */
void
mux_in_order(struct inlets_mux *m, uint8_t type, uint16_t flags,
    uint32_t stream, uint32_t length)
{
    struct mux_block  *b;

    if (m->aborted || m->close_sent || m->error != 0) {
        return;
    }

    if (m->queue_bytes >= m->conf.tx_max + m->control_max) {
        (void) mux_fail(m, INLETS_E_MUX_FLOOD, stream);
        return;
    }

    b = block_for_header(m, &m->queue, MUX_BLOCK_STREAMS);
    if (b == NULL) {
        (void) mux_fail(m, INLETS_E_NO_MEMORY, stream);
        return;
    }

    put_header(b, type, flags, stream, length);
    m->queue_bytes += INLETS_YAMUX_HEADER;
}


/* FIN and RST keep their place; SYN comes along if it hasn't been sent. */
void
mux_flags(struct inlets_mux_stream *s, uint16_t flags)
{
    if (!s->syn_sent) {
        s->syn_sent = 1;
        flags |= INLETS_YAMUX_SYN;
    }

    mux_in_order(s->mux, INLETS_YAMUX_WINDOW, flags, s->id, 0);
}


static void
next_mask(struct inlets_mux *m, uint8_t mask[4])
{
    if (m->random_left == 0) {
        m->conf.random(m->conf.ctx, m->random, MUX_RANDOM);
        m->random_left = MUX_RANDOM;
    }

    m->random_left -= 4;
    memcpy(mask, m->random + m->random_left, 4);
}


/* A WebSocket control frame, whole, in a block of its own. */
static struct mux_block *
ws_control_block(struct inlets_mux *m, uint8_t opcode, const uint8_t *data,
    size_t len)
{
    int                n;
    bool               masked = m->conf.carrier == INLETS_MUX_WS_CLIENT;
    uint8_t            mask[4];
    struct mux_block  *b;

    b = mux_block_new(m, MUX_BLOCK_WS);
    if (b == NULL) {
        return NULL;
    }

    if (masked) {
        next_mask(m, mask);
    }

    n = inlets_ws_message_write(b->data, MUX_BLOCK_DATA, opcode, data, len,
                                masked ? mask : NULL);
    b->end = (uint16_t) n;
    m->control_bytes += (uint64_t) n;

    return b;
}


/* After all data; nothing is queued once it is sent. */
void
mux_queue_close(struct inlets_mux *m, uint16_t code, const char *reason)
{
    int                n;
    uint8_t            buf[INLETS_WS_CONTROL_MAX];
    struct mux_block  *b;

    m->close_sent = 1;

    if (m->conf.carrier == INLETS_MUX_RAW) {
        return;
    }

    n = inlets_ws_close_write(buf, sizeof(buf), code, reason);
    b = ws_control_block(m, INLETS_WS_CLOSE, buf, n > 0 ? (size_t) n : 0);

    if (b != NULL) {
        mux_blocks_append(&m->queue, b);
    }
}


static void
drop_list(struct inlets_mux *m, struct mux_blocks *list)
{
    struct mux_block  *b;

    for (b = list->head; b != NULL; b = b->next) {
        if (b->kind == MUX_BLOCK_STREAMS) {
            m->queue_bytes -= (uint64_t) (b->end - b->start);

        } else {
            m->control_bytes -= (uint64_t) (b->end - b->start);
        }
    }

    mux_blocks_free(m, list);
}


/* What output() has shown stays. */
void
mux_drop_output(struct inlets_mux *m)
{
    drop_list(m, &m->control);
    drop_list(m, &m->queue);
}


/*
 * Completes a block and moves it to the list whose order is final.  The room
 * in front of the payload was kept for the header.
 */
static void
seal(struct inlets_mux *m, struct mux_block *b)
{
    size_t                  n;
    struct inlets_ws_frame  f = { .opcode = INLETS_WS_BINARY, .fin = true };

    mux_blocks_append(&m->out, b);
    m->out_blocks++;

    if (b->kind == MUX_BLOCK_WS || m->base == 0) {
        return;
    }

    f.length = (uint64_t) (b->end - b->start);

    if (m->conf.carrier == INLETS_MUX_WS_CLIENT) {
        f.masked = true;
        next_mask(m, f.mask);
        inlets_ws_mask(b->data + b->start, (size_t) f.length, f.mask, 0);
    }

    n = inlets_ws_header_size(f.length, f.masked);
    b->start -= (uint16_t) n;
    (void) inlets_ws_frame_write(b->data + b->start, n, &f);

    if (b->kind == MUX_BLOCK_STREAMS) {
        m->queue_bytes += n;

    } else {
        m->control_bytes += n;
    }
}


static void
fill_out(struct inlets_mux *m)
{
    struct mux_block  *b;

    if (m->out_blocks >= MUX_OUT_BLOCKS) {
        return;
    }

    if (m->pong_due) {
        m->pong_due = 0;
        b = ws_control_block(m, INLETS_WS_PONG, m->ws_control,
                             m->ws_control_len);
        if (b != NULL) {
            seal(m, b);
        }
    }

    while ((b = mux_blocks_shift(&m->control)) != NULL) {
        seal(m, b);
    }

    while (m->out_blocks < MUX_OUT_BLOCKS
           && (b = mux_blocks_shift(&m->queue)) != NULL)
    {
        seal(m, b);
    }
}


bool
inlets_mux_pending(const struct inlets_mux *m)
{
    return !m->aborted
           && (m->out.head != NULL || m->control.head != NULL
               || m->queue.head != NULL || m->pong_due);
}


size_t
inlets_mux_output(struct inlets_mux *m, struct iovec *iov, size_t n)
{
    size_t             i = 0;
    struct mux_block  *b;

    if (m->aborted) {
        return 0;
    }

    fill_out(m);

    for (b = m->out.head; b != NULL && i < n; b = b->next) {
        iov[i].iov_base = b->data + b->start;
        iov[i].iov_len = (size_t) (b->end - b->start);
        i++;
    }

    return i;
}


void
inlets_mux_sent(struct inlets_mux *m, size_t bytes)
{
    size_t             n;
    struct mux_block  *b;

    while (bytes > 0 && (b = m->out.head) != NULL) {
        n = (size_t) (b->end - b->start);
        n = n < bytes ? n : bytes;
        bytes -= n;
        b->start += (uint16_t) n;

        if (b->kind == MUX_BLOCK_STREAMS) {
            m->queue_bytes -= n;

        } else {
            m->control_bytes -= n;
        }

        if (b->start == b->end) {
            (void) mux_blocks_shift(&m->out);
            mux_block_free(m, b);
            m->out_blocks--;
        }
    }

    mux_wake(m);
}


static inline bool
has_turn(const struct inlets_mux_stream *s)
{
    return s->turn == s->mux->turn;
}


static void
end_turn(struct inlets_mux_stream *s)
{
    if (has_turn(s)) {
        s->turn = 0;
        s->mux->turns--;
    }
}


void
mux_leave_turns(struct inlets_mux_stream *s)
{
    end_turn(s);

    if (is_waiting(s)) {
        mux_link_remove(&s->waiting);
    }
}


/*
 * Turns.  While streams wait for room, each that is woken may write one
 * quantum, then goes to the end of "writers".  One that comes too late for
 * the room it was woken for waits in "returned", which is served first.
 */
void
mux_wake(struct inlets_mux *m)
{
    uint64_t                   room;
    struct mux_link           *l;
    struct inlets_mux_stream  *s;

    while (others_wait(m)) {
        room = room_left(m);

        if (room < ((uint64_t) m->turns + 1) * INLETS_MUX_QUANTUM) {
            return;
        }

        l = !mux_link_empty(&m->returned) ? m->returned.next
                                          : m->writers.next;
        s = stream_of_waiting(l);
        mux_link_remove(l);

        s->turn = m->turn;
        m->turns++;
        m->passes = 0;
        mux_event(s, INLETS_MUX_EV_WRITE);
    }
}


/*
 * Called when the owner has seen all events.  A stream that was given a turn
 * and doesn't use it must not hold up the rest: turns end with their round.
 * Owners that write from a posted event get some passes for it.
 */
bool
mux_wake_late(struct inlets_mux *m)
{
    if (m->turns != 0) {
        if (++m->passes < MUX_TURN_PASSES) {
            return false;
        }

        m->turns = 0;

        if (++m->turn == 0) {
            m->turn = 1;
        }
    }

    mux_wake(m);

    return m->turns != 0;
}


/* How many of len bytes the stream may write now. */
static size_t
allowed(struct inlets_mux_stream *s, size_t len)
{
    bool                others;
    uint64_t            credit, room;
    struct inlets_mux  *m = s->mux;

    credit = s->tx_limit - s->tx_off;
    len = len < credit ? len : (size_t) credit;

    if (is_waiting(s)) {
        if (m->queue_bytes != 0) {
            return 0;
        }

        mux_link_remove(&s->waiting);
    }

    others = others_wait(m) || m->turns > (has_turn(s) ? 1 : 0);

    if (others && !has_turn(s) && m->queue_bytes != 0) {
        return 0;
    }

    room = room_left(m);

    if (others && room > INLETS_MUX_QUANTUM) {
        room = INLETS_MUX_QUANTUM;
    }

    if (room < len && room < MUX_PIECE_MIN) {
        return 0;
    }

    return len < room ? len : (size_t) room;
}


/* The stream's turn ends; it wanted to write more, or all was written. */
static void
after_write(struct inlets_mux_stream *s, bool wrote, bool more)
{
    struct inlets_mux  *m = s->mux;

    if (more) {
        if (s->tx_off == s->tx_limit) {
            s->want_credit = 1;

        } else if (!is_waiting(s)) {
            mux_link_append(has_turn(s) && !wrote ? &m->returned
                                                  : &m->writers,
                            &s->waiting);
        }
    }

    end_turn(s);

    if (!wrote) {
        mux_wake(m);
    }
}


static ssize_t
may_not_write(const struct inlets_mux_stream *s)
{
    if (s->reset) {
        return INLETS_MUX_RESET;
    }

    return s->fin_sent ? INLETS_E_INVALID : 0;
}


/*
 * Finds the block for data of a stream and how much fits there in one frame:
 * the open frame at the end if it is the stream's, else a new frame, else a
 * new block, which is not in the queue yet.
 */
static struct mux_block *
place(struct inlets_mux_stream *s, size_t want, size_t *ret_room)
{
    size_t              left, room, least;
    struct mux_block   *b;
    struct inlets_mux  *m = s->mux;

    b = m->queue.tail;
    least = want < MUX_PIECE_MIN ? want : MUX_PIECE_MIN;

    if (b != NULL) {
        left = MUX_BLOCK_DATA - b->end;

        if (b->frame != MUX_NO_FRAME && b->stream == s->id) {
            room = INLETS_MUX_QUANTUM + INLETS_YAMUX_HEADER
                   - (size_t) (b->end - b->frame);
            room = room < left ? room : left;

            if (room >= least) {
                *ret_room = room < want ? room : want;
                return b;
            }
        }

        if (left >= INLETS_YAMUX_HEADER + least) {
            b->frame = MUX_NO_FRAME;
            room = left - INLETS_YAMUX_HEADER;
            room = room < INLETS_MUX_QUANTUM ? room : INLETS_MUX_QUANTUM;
            *ret_room = room < want ? room : want;
            return b;
        }
    }

    b = new_block(m, MUX_BLOCK_STREAMS);
    *ret_room = want < INLETS_MUX_QUANTUM ? want : INLETS_MUX_QUANTUM;

    return b;
}


/* The data lie already behind the header, where that is or will be. */
static void
add_data(struct inlets_mux_stream *s, struct mux_block *b, size_t n)
{
    uint16_t            at;
    uint32_t            len;
    struct inlets_mux  *m = s->mux;

    if (b != m->queue.tail) {
        mux_blocks_append(&m->queue, b);
    }

    if (b->frame == MUX_NO_FRAME) {
        at = b->end;
        put_header(b, INLETS_YAMUX_DATA, s->syn_sent ? 0 : INLETS_YAMUX_SYN,
                   s->id, 0);
        b->frame = at;
        b->stream = s->id;
        s->syn_sent = 1;
        m->queue_bytes += INLETS_YAMUX_HEADER;
    }

    b->end += (uint16_t) n;
    s->tx_off += n;
    m->queue_bytes += n;

    len = (uint32_t) (b->end - b->frame) - INLETS_YAMUX_HEADER;
    b->data[b->frame + 8] = 0;
    b->data[b->frame + 9] = 0;
    b->data[b->frame + 10] = (uint8_t) (len >> 8);
    b->data[b->frame + 11] = (uint8_t) len;
}


static inline size_t
data_offset(const struct mux_block *b)
{
    return (size_t) b->end
           + (b->frame == MUX_NO_FRAME ? INLETS_YAMUX_HEADER : 0);
}


/*
 * No block could be had.  With output under way that is as if there were no
 * room; without, nothing would ever wake the stream.
 */
static ssize_t
no_memory(struct inlets_mux_stream *s)
{
    if (s->mux->queue_bytes == 0) {
        (void) mux_fail(s->mux, INLETS_E_NO_MEMORY, s->id);
        return INLETS_MUX_RESET;
    }

    after_write(s, false, true);

    return 0;
}


ssize_t
inlets_mux_write(struct inlets_mux_stream *s, const void *buf, size_t len)
{
    size_t             n, room, done = 0;
    ssize_t            rc = may_not_write(s);
    struct mux_block  *b;

    if (rc != 0 || len == 0) {
        return rc;
    }

    n = allowed(s, len);

    while (done < n) {
        b = place(s, n - done, &room);

        if (b == NULL) {
            if (done == 0) {
                return no_memory(s);
            }

            break;
        }

        memcpy(b->data + data_offset(b), (const uint8_t *) buf + done, room);
        add_data(s, b, room);
        done += room;
    }

    after_write(s, done != 0, done < len);

    return (ssize_t) done;
}


ssize_t
inlets_mux_reserve(struct inlets_mux_stream *s, uint8_t **ret_buf)
{
    size_t              n, room;
    ssize_t             rc = may_not_write(s);
    struct mux_block   *b;
    struct inlets_mux  *m = s->mux;

    if (rc != 0) {
        return rc;
    }

    n = allowed(s, INLETS_MUX_QUANTUM);

    if (n == 0) {
        after_write(s, false, true);
        return 0;
    }

    b = place(s, n, &room);

    if (b == NULL) {
        return no_memory(s);
    }

    m->reserved = b;
    m->reserved_for = s;
    *ret_buf = b->data + data_offset(b);

    return (ssize_t) room;
}


void
inlets_mux_commit(struct inlets_mux_stream *s, size_t bytes)
{
    struct mux_block   *b;
    struct inlets_mux  *m;

    if (s == NULL || s->mux->reserved_for != s) {
        return;
    }

    m = s->mux;
    b = m->reserved;
    m->reserved = NULL;
    m->reserved_for = NULL;

    if (bytes != 0) {
        add_data(s, b, bytes);

    } else if (b != m->queue.tail) {
        mux_block_free(m, b);
    }

    after_write(s, bytes != 0, false);
}
