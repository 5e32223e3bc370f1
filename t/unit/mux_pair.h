/*
 * What the tests of the mux session share: an allocator that counts and fails
 * when told to, two sessions back to back through a pipe that splits at random,
 * and frames made by hand.
 */

#ifndef MUX_PAIR_H
#define MUX_PAIR_H


#include <stdlib.h>

#include "inlets_mux.h"
#include "inlets_error.h"
#include "inlets_ws.h"
#include "inlets_yamux.h"
#include "tap.h"


#define TX_MAX  (4 * INLETS_MUX_BLOCK)


static size_t    mem_used, mem_peak, mem_calls;
static size_t    mem_fail_at;       /* 0: never */
static unsigned  mem_bad;
static uint32_t  seed = 1;
static uint64_t  now_us;


static inline uint32_t
rnd(void)
{
    seed = seed * 1664525 + 1013904223;

    return seed >> 8;
}


static inline void *
counting_alloc(void *ctx, size_t size)
{
    void  *p;

    (void) ctx;

    if (++mem_calls == mem_fail_at) {
        return NULL;
    }

    mem_used += size;
    mem_peak = mem_used > mem_peak ? mem_used : mem_peak;

    p = malloc(size + sizeof(size_t) * 2);
    memcpy(p, &size, sizeof(size));
    memset((uint8_t *) p + 16, 0xa5, size);

    return (uint8_t *) p + sizeof(size_t) * 2;
}


static inline void
counting_free(void *ctx, void *p, size_t size)
{
    size_t  real;

    (void) ctx;

    memcpy(&real, (uint8_t *) p - sizeof(size_t) * 2, sizeof(real));
    mem_bad += real != size;
    mem_used -= size;
    free((uint8_t *) p - sizeof(size_t) * 2);
}


static inline void
pseudo_random(void *ctx, void *buf, size_t size)
{
    uint8_t  *p = buf;

    (void) ctx;

    while (size-- > 0) {
        *p++ = (uint8_t) rnd();
    }
}


static inline struct inlets_mux_conf
conf_of(enum inlets_mux_carrier carrier, bool client, bool accept)
{
    return (struct inlets_mux_conf) {
        .carrier = carrier, .client = client, .accept = accept,
        .max_streams = 100, .window_max = 1024 * 1024,
        .window_total = 4 * 1024 * 1024, .tx_max = TX_MAX,
        .alloc = counting_alloc, .free = counting_free,
        .random = pseudo_random
    };
}


/*
 * a: the edge, which opens streams; b: the client, which accepts them.
 */
struct pair {
    struct inlets_mux  *a;
    struct inlets_mux  *b;
    size_t              step;       /* most bytes moved at once, 0: all */
    bool                exact;      /* always that many */
    int                 error_a;
    int                 error_b;
};


static inline enum inlets_mux_carrier
other_side(enum inlets_mux_carrier carrier)
{
    switch (carrier) {

    case INLETS_MUX_WS_CLIENT:
        return INLETS_MUX_WS_SERVER;

    case INLETS_MUX_WS_SERVER:
        return INLETS_MUX_WS_CLIENT;

    default:
        return INLETS_MUX_RAW;
    }
}


static inline bool
pair_init_conf(struct pair *p, struct inlets_mux_conf *ca,
    struct inlets_mux_conf *cb)
{
    memset(p, 0, sizeof(*p));

    p->a = inlets_mux_create(ca);
    p->b = inlets_mux_create(cb);

    return p->a != NULL && p->b != NULL;
}


static inline bool
pair_init(struct pair *p, enum inlets_mux_carrier carrier)
{
    struct inlets_mux_conf  ca = conf_of(carrier, false, false);
    struct inlets_mux_conf  cb = conf_of(other_side(carrier), true, true);

    return pair_init_conf(p, &ca, &cb);
}


static inline void
pair_finish(struct pair *p)
{
    inlets_mux_destroy(p->a);
    inlets_mux_destroy(p->b);
}


/* Moves at most a piece; returns the bytes moved. */
static inline size_t
move(struct pair *p, struct inlets_mux *from, struct inlets_mux *to,
    int *error)
{
    int            rc;
    size_t         n, want, done = 0;
    uint8_t       *copy;
    struct iovec   iov[5];

    n = inlets_mux_output(from, iov, 1 + rnd() % 5);
    want = p->step == 0 ? SIZE_MAX
           : p->exact ? p->step : 1 + rnd() % p->step;

    for (size_t i = 0; i < n && done < want; i++) {
        size_t  len = iov[i].iov_len;

        len = len < want - done ? len : want - done;

        /* an exact heap copy, so that a read past it is seen */

        copy = malloc(len);
        memcpy(copy, iov[i].iov_base, len);
        rc = inlets_mux_input(to, copy, len, now_us);
        free(copy);
        done += len;

        if (rc != 0) {
            *error = rc;
        }
    }

    inlets_mux_sent(from, done);

    return done;
}


static inline size_t
pump(struct pair *p)
{
    size_t  n = 0;

    if (inlets_mux_pending(p->a)) {
        n += move(p, p->a, p->b, &p->error_b);
    }

    if (inlets_mux_pending(p->b)) {
        n += move(p, p->b, p->a, &p->error_a);
    }

    return n;
}


static inline void
drain_events(struct inlets_mux *m)
{
    unsigned  ev;

    while (inlets_mux_next(m, &ev) != NULL) {
        /* void */
    }
}


static inline void
settle(struct pair *p)
{
    for (unsigned i = 0; i < 100000 && pump(p) != 0; i++) {
        /* void */
    }
}


static inline struct inlets_mux_stream *
expect_event(struct inlets_mux *m, unsigned expected, const char *name)
{
    unsigned                   ev = 0;
    struct inlets_mux_stream  *s = inlets_mux_next(m, &ev);

    is_int(ev, expected, name);

    return s;
}


/* Frames made by hand. */

static uint8_t  script[300000];
static size_t   script_len;


static inline void
put(uint8_t type, uint16_t flags, uint32_t stream, uint32_t length)
{
    struct inlets_yamux_frame  f = { .type = type, .flags = flags,
                                     .stream = stream, .length = length };

    script_len += (size_t) inlets_yamux_write(script + script_len, 12, &f);
}


static inline void
put_bytes(const char *bytes, size_t len)
{
    memcpy(script + script_len, bytes, len);
    script_len += len;
}


static inline void
put_ws(uint8_t opcode, bool fin, const char *data, size_t len, bool masked)
{
    struct inlets_ws_frame  f = { .opcode = opcode, .fin = fin,
                                  .length = len, .masked = masked };

    memcpy(f.mask, "\1\2\3\4", 4);
    script_len += (size_t) inlets_ws_frame_write(script + script_len, 14, &f);
    memcpy(script + script_len, data, len);

    if (masked) {
        inlets_ws_mask(script + script_len, len, f.mask, 0);
    }

    script_len += len;
}


#endif /* MUX_PAIR_H */
