/*
 * The mux session: two of them back to back.
 */

#include "mux_pair.h"


static const char *
carrier_name(enum inlets_mux_carrier carrier)
{
    static const char *const  names[] = { "raw", "server", "client" };

    return names[carrier];
}


static void
note(const char *what, enum inlets_mux_carrier carrier)
{
    printf("# %s, %s\n", what, carrier_name(carrier));
}


/*
 * Traffic: side a opens streams and sends a pattern, side b sends back a
 * pattern of its own; both check what they get, then half-close.
 */
struct flow {
    struct inlets_mux_stream  *s;
    uint32_t                   id;
    uint64_t                   to_send;
    uint64_t                   sent;
    uint64_t                   got;
    bool                       shut;
    bool                       eof;
    bool                       bad;
    bool                       reset;
    unsigned                   mode;
};


static uint8_t
pattern(uint32_t id, uint64_t at)
{
    return (uint8_t) (id * 31 + at * 7 + (at >> 8) * 13 + (at >> 16));
}


static void
flow_write(struct flow *f)
{
    static uint8_t  buf[40000];
    size_t          len;
    ssize_t         n;
    uint8_t        *room;

    while (f->sent < f->to_send) {
        len = 1 + rnd() % (f->mode & 1 ? 300 : sizeof(buf));

        if (len > f->to_send - f->sent) {
            len = (size_t) (f->to_send - f->sent);
        }

        if (f->mode & 2) {
            n = inlets_mux_reserve(f->s, &room);

            if (n <= 0) {
                return;
            }

            if (rnd() % 4 == 0) {
                inlets_mux_commit(f->s, 0);
                continue;
            }

            n = (size_t) n < len ? n : (ssize_t) len;

            for (ssize_t i = 0; i < n; i++) {
                room[i] = pattern(f->id, f->sent + (uint64_t) i);
            }

            inlets_mux_commit(f->s, (size_t) n);
            f->sent += (uint64_t) n;
            continue;
        }

        for (size_t i = 0; i < len; i++) {
            buf[i] = pattern(f->id, f->sent + i);
        }

        n = inlets_mux_write(f->s, buf, len);

        if (n < 0) {
            f->reset = true;
            return;
        }

        f->sent += (uint64_t) n;

        if ((size_t) n < len) {
            return;
        }
    }

    if (!f->shut) {
        inlets_mux_shutdown(f->s);
        f->shut = true;
    }
}


static void
flow_read(struct flow *f, uint32_t id)
{
    uint8_t         buf[5000];
    ssize_t         n;
    const uint8_t  *p = buf;

    for ( ;; ) {
        if (f->mode & 4) {
            n = inlets_mux_peek(f->s, &p);

            if (n > 1 && rnd() % 2) {
                n = 1 + (ssize_t) (rnd() % (uint32_t) n);
            }

        } else {
            n = inlets_mux_read(f->s, buf, 1 + rnd() % sizeof(buf));
        }

        if (n == INLETS_MUX_EOF) {
            f->eof = true;
        }

        if (n == INLETS_MUX_RESET) {
            f->reset = true;
        }

        if (n <= 0) {
            return;
        }

        for (ssize_t i = 0; i < n; i++) {
            f->bad |= p[i] != pattern(id, f->got + (uint64_t) i);
        }

        f->got += (uint64_t) n;

        if (f->mode & 4) {
            inlets_mux_consume(f->s, (size_t) n);
        }
    }
}


#define FLOWS  12


static void
serve(struct inlets_mux *m, struct flow *answers, uint32_t from,
    uint32_t to, uint64_t amount)
{
    unsigned                   ev;
    struct flow               *f;
    struct inlets_mux_stream  *s;

    while ((s = inlets_mux_next(m, &ev)) != NULL) {
        if (ev & INLETS_MUX_EV_OPEN) {
            f = &answers[inlets_mux_id(s) / 2 - 1];
            f->s = s;
            f->id = inlets_mux_id(s) + from;
            f->to_send = amount / (1 + inlets_mux_id(s) % 5);
            f->mode = rnd() % 8;
            inlets_mux_set_data(s, f);
            ev |= INLETS_MUX_EV_WRITE | INLETS_MUX_EV_READ;
        }

        f = inlets_mux_data(s);

        if (ev & INLETS_MUX_EV_READ) {
            flow_read(f, inlets_mux_id(s) + to);
        }

        if (ev & INLETS_MUX_EV_WRITE) {
            flow_write(f);
        }
    }
}


static bool
flows_done(const struct flow *f)
{
    bool  done = true;

    for (unsigned i = 0; i < FLOWS; i++) {
        done &= (f[i].eof && f[i].shut) || f[i].reset;
    }

    return done;
}


static void
test_traffic(enum inlets_mux_carrier carrier, size_t step, bool exact,
    uint64_t amount)
{
    bool         good = true;
    struct flow  fa[FLOWS] = { 0 }, fb[FLOWS] = { 0 };
    struct pair  p;

    note("traffic", carrier);
    pair_init(&p, carrier);
    p.step = step;
    p.exact = exact;

    for (unsigned i = 0; i < FLOWS; i++) {
        fa[i].s = inlets_mux_open(p.a);
        fa[i].id = inlets_mux_id(fa[i].s);
        fa[i].to_send = amount / (1 + i % 3);
        fa[i].mode = i % 8;
        inlets_mux_set_data(fa[i].s, &fa[i]);
        flow_write(&fa[i]);
    }

    for (unsigned i = 0; i < 10000000; i++) {
        now_us += 100;
        pump(&p);
        serve(p.b, fb, 1000, 0, amount);
        serve(p.a, fa, 0, 1000, amount);

        if (flows_done(fa) && flows_done(fb)) {
            break;
        }
    }

    for (unsigned i = 0; i < FLOWS; i++) {
        good &= fa[i].eof && fb[i].eof && !fa[i].bad && !fb[i].bad
                && fa[i].got == fb[i].to_send && fb[i].got == fa[i].to_send;
        inlets_mux_release(fa[i].s);
        inlets_mux_release(fb[i].s);
    }

    ok(good, "all streams whole, both ways, with FIN");
    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    settle(&p);
    is_int(inlets_mux_streams(p.a) + inlets_mux_streams(p.b), 0,
           "no streams left");
    ok(!inlets_mux_pending(p.a) && inlets_mux_queued(p.a) == 0,
       "nothing queued");
    ok(mem_used < 2048, "and no blocks held");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_pieces(enum inlets_mux_carrier carrier)
{
    size_t                     i, k, n, at = 0, wrong = 0;
    struct iovec               iov[8];
    struct pair                p;
    static uint8_t             data[100000];
    struct inlets_mux_stream  *s, *t;

    note("pieces", carrier);
    pair_init(&p, carrier);

    for (i = 0; i < sizeof(data); i++) {
        data[i] = pattern(2, i);
    }

    s = inlets_mux_open(p.a);
    is_int(inlets_mux_write(s, data, 10), 10, "SYN");
    settle(&p);
    t = expect_event(p.b, INLETS_MUX_EV_OPEN | INLETS_MUX_EV_READ, "opened");
    inlets_mux_consume(t, 10);
    is_int(inlets_mux_peekv(t, iov, 8, &n), INLETS_MUX_AGAIN, "none");

    while (at < 60000) {
        at += (size_t) inlets_mux_write(s, data + at, 60000 - at);
        settle(&p);
    }

    is_int(inlets_mux_peekv(t, iov, 8, &n), 60000, "all of them");
    ok(n > 1, "more than one");

    for (i = 0, at = 0; i < n; i++) {
        for (k = 0; k < iov[i].iov_len; k++, at++) {
            wrong += ((uint8_t *) iov[i].iov_base)[k] != data[at];
        }
    }

    is_int(wrong, 0, "in order");
    is_int(inlets_mux_peekv(t, iov, 1, &n), iov[0].iov_len, "only one");
    is_int(n, 1, "its count");

    inlets_mux_consume(t, iov[0].iov_len + 1);
    (void) inlets_mux_peekv(t, iov, 1, &n);
    is_mem(iov[0].iov_base, data + 60000 - inlets_mux_unread(t), 100,
           "consumed beyond a piece");

    inlets_mux_consume(t, inlets_mux_unread(t));
    inlets_mux_shutdown(s);
    settle(&p);
    is_int(inlets_mux_peekv(t, iov, 8, &n), INLETS_MUX_EOF, "EOF");
    inlets_mux_reset(t);
    is_int(inlets_mux_peekv(t, iov, 8, &n), INLETS_MUX_RESET, "reset");

    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_lifecycle(enum inlets_mux_carrier carrier)
{
    char                       buf[10];
    const uint8_t             *peek;
    struct pair                p;
    struct inlets_mux_stream  *s, *t;

    note("lifecycle", carrier);
    pair_init(&p, carrier);

    s = inlets_mux_open(p.a);
    is_int(inlets_mux_id(s), 2, "the server's ids are even");
    ok(!inlets_mux_pending(p.a), "open() sends nothing");
    ok(inlets_mux_open(p.a) != NULL, "a second one");

    is_int(inlets_mux_write(s, "hello", 5), 5, "written");
    settle(&p);
    t = expect_event(p.b, INLETS_MUX_EV_OPEN | INLETS_MUX_EV_READ, "opened");
    is_int(inlets_mux_id(t), 2, "same id");
    is_int(inlets_mux_unread(t), 5, "unread");
    is_int(inlets_mux_peek(t, &peek), 5, "peeked");
    is_mem(peek, "hello", 5, "content");
    inlets_mux_consume(t, 2);
    is_int(inlets_mux_read(t, buf, 10), 3, "the rest");
    is_int(inlets_mux_read(t, buf, 10), INLETS_MUX_AGAIN, "no more yet");

    inlets_mux_shutdown(s);
    is_int(inlets_mux_write(s, "x", 1), INLETS_E_INVALID,
           "no write after shutdown");
    settle(&p);
    ok(expect_event(p.b, INLETS_MUX_EV_READ, "FIN is an event") == t, "there");
    is_int(inlets_mux_read(t, buf, 10), INLETS_MUX_EOF, "EOF");
    is_int(inlets_mux_write(t, "back", 4), 4, "the other half is open");
    settle(&p);
    expect_event(p.a, INLETS_MUX_EV_READ, "answer");
    is_int(inlets_mux_read(s, buf, 10), 4, "read");
    inlets_mux_release(t);
    settle(&p);
    expect_event(p.a, INLETS_MUX_EV_READ, "release sends FIN");
    is_int(inlets_mux_read(s, buf, 10), INLETS_MUX_EOF, "EOF as well");
    ok(!inlets_mux_is_reset(s), "no reset");
    inlets_mux_release(s);
    settle(&p);
    ok(!inlets_mux_pending(p.a), "release after both FINs is silent");

    /* a stream that was never used is not known to the peer */

    s = inlets_mux_open(p.a);
    inlets_mux_release(s);
    ok(!inlets_mux_pending(p.a), "unused streams leave no trace");

    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "abc", 3);
    inlets_mux_reset(s);
    is_int(inlets_mux_write(s, "x", 1), INLETS_MUX_RESET, "reset here");
    settle(&p);
    t = expect_event(p.b, INLETS_MUX_EV_OPEN | INLETS_MUX_EV_READ,
                     "reset after open, one event");
    is_int(inlets_mux_read(t, buf, 10), INLETS_MUX_RESET, "reset there");
    inlets_mux_release(t);
    inlets_mux_release(s);

    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "abc", 3);
    settle(&p);
    t = expect_event(p.b, INLETS_MUX_EV_OPEN | INLETS_MUX_EV_READ, "opened");
    inlets_mux_release(t);
    inlets_mux_write(s, "more", 4);
    settle(&p);
    expect_event(p.a, INLETS_MUX_EV_READ, "released with data unread");
    is_int(inlets_mux_read(s, buf, 10), INLETS_MUX_RESET, "is a reset");
    inlets_mux_release(s);

    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_refusal(void)
{
    unsigned                   resets = 0, ev;
    struct pair                p;
    struct inlets_mux_conf     ca = conf_of(INLETS_MUX_RAW, false, true);
    struct inlets_mux_conf     cb = conf_of(INLETS_MUX_RAW, true, true);
    struct inlets_mux_stream  *s, *keep[5], *more[200];

    cb.max_streams = 3;
    pair_init_conf(&p, &ca, &cb);

    for (unsigned i = 0; i < 5; i++) {
        keep[i] = inlets_mux_open(p.a);
        inlets_mux_write(keep[i], "x", 1);
    }

    settle(&p);
    is_int(inlets_mux_streams(p.b), 3, "no more than max_streams");

    while ((s = inlets_mux_next(p.a, &ev)) != NULL) {
        resets += inlets_mux_is_reset(s);
    }

    is_int(resets, 2, "the others were reset");
    ok(inlets_mux_is_reset(keep[4]), "the last ones");
    inlets_mux_write(keep[0], "y", 1);
    inlets_mux_release(keep[0]);
    settle(&p);
    is_int(p.error_a + p.error_b, 0, "no error");

    inlets_mux_release(keep[3]);
    inlets_mux_release(keep[4]);

    for (unsigned i = 0; i < 200; i++) {
        more[i] = inlets_mux_open(p.a);
    }

    is_int(inlets_mux_streams(p.a), 100, "max_streams holds for open too");

    for (unsigned i = 0; i < 200; i++) {
        if (more[i] != NULL) {
            inlets_mux_release(more[i]);
        }
    }

    inlets_mux_go_away(p.b);
    settle(&p);
    ok(inlets_mux_closing(p.a), "go away received");
    ok(inlets_mux_open(p.a) == NULL, "no streams can be opened");
    ok(!inlets_mux_closing(p.b), "the other side may");
    ok(inlets_mux_open(p.b) != NULL, "one is over there");
    ok(inlets_mux_open(p.b) == NULL, "the others are not");

    while ((s = inlets_mux_next(p.b, &ev)) != NULL) {
        inlets_mux_release(s);
    }

    ok(inlets_mux_open(p.b) != NULL, "now it is not");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


/* Streams that the peer opens before it knows are taken, later ones aren't. */
static void
test_go_away(enum inlets_mux_carrier carrier)
{
    unsigned                   ev;
    struct pair                p;
    struct inlets_mux_stream  *s[3], *t;

    note("go away", carrier);
    pair_init(&p, carrier);

    (void) inlets_mux_ping(p.b, now_us);
    inlets_mux_go_away(p.b);

    for (unsigned i = 0; i < 3; i++) {
        s[i] = inlets_mux_open(p.a);
    }

    inlets_mux_write(s[0], "late", 4);
    inlets_mux_reset(s[2]);

    while (inlets_mux_pending(p.b)) {
        move(&p, p.b, p.a, &p.error_a);
    }

    ok(inlets_mux_open(p.a) == NULL, "no more can be opened");
    ok(!inlets_mux_go_away_seen(p.b), "nobody knows of that yet");

    while (inlets_mux_pending(p.a) && !inlets_mux_go_away_seen(p.b)) {
        move(&p, p.a, p.b, &p.error_b);
    }

    ok(inlets_mux_go_away_seen(p.b), "the peer knows");
    is_int(inlets_mux_streams(p.b), 2, "and has shown its streams before");
    ok(!inlets_mux_ping_outstanding(p.b), "the other ping is answered");

    while ((t = inlets_mux_next(p.b, &ev)) != NULL) {
        ok(ev & INLETS_MUX_EV_OPEN, "a stream that was under way");
        inlets_mux_release(t);
    }

    settle(&p);

    for (unsigned i = 0; i < 3; i++) {
        inlets_mux_release(s[i]);
    }

    settle(&p);
    is_int(p.error_a + p.error_b, 0, "no error");

    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


/* Who opens a stream can tell whether the peer has taken it. */
static void
test_late_ack(void)
{
    unsigned                   ev;
    struct pair                p;
    struct inlets_mux_conf     ca = conf_of(INLETS_MUX_RAW, false, false);
    struct inlets_mux_conf     cb = conf_of(INLETS_MUX_RAW, true, true);
    struct inlets_mux_stream  *s[3], *t;

    note("late acknowledgement", INLETS_MUX_RAW);
    cb.late_ack = true;
    pair_init_conf(&p, &ca, &cb);

    for (unsigned i = 0; i < 3; i++) {
        s[i] = inlets_mux_open(p.a);
        inlets_mux_write(s[i], "x", 1);
    }

    settle(&p);

    for (unsigned i = 0; i < 3; i++) {
        t = inlets_mux_next(p.b, &ev);

        if (i == 1) {
            inlets_mux_accept(t);
        }

        if (i < 2) {
            inlets_mux_release(t);
        }
    }

    settle(&p);

    ok(inlets_mux_is_reset(s[0]) && inlets_mux_is_refused(s[0]), "refused");
    ok(inlets_mux_is_reset(s[1]) && !inlets_mux_is_refused(s[1]), "taken");

    inlets_mux_abort(p.a);
    ok(inlets_mux_is_reset(s[2]) && !inlets_mux_is_refused(s[2]),
       "nobody knows");

    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


/* The next stream is opened before the owner knows that one is over. */
static void
test_at_the_limit(void)
{
    struct pair                p;
    struct inlets_mux_conf     ca = conf_of(INLETS_MUX_RAW, false, true);
    struct inlets_mux_conf     cb = conf_of(INLETS_MUX_RAW, true, true);
    struct inlets_mux_stream  *s;

    ca.max_streams = 1;
    cb.max_streams = 1;
    pair_init_conf(&p, &ca, &cb);

    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "x", 1);
    ok(inlets_mux_open(p.a) == NULL, "only one");
    inlets_mux_release(s);
    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "x", 1);
    settle(&p);
    ok(!inlets_mux_is_reset(s), "another after the first is over");
    is_int(inlets_mux_streams(p.b), 2, "the first not being released");
    inlets_mux_release(s);
    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "x", 1);
    settle(&p);
    ok(inlets_mux_is_reset(s), "that has its bound too");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_window(enum inlets_mux_carrier carrier)
{
    static char                buf[INLETS_MUX_WINDOW];
    size_t                     total = 0, got = 0, other = 0;
    unsigned                   ev;
    ssize_t                    n;
    struct pair                p;
    struct inlets_mux_stream  *s, *t, *fast, *fast_b;

    note("window", carrier);
    pair_init(&p, carrier);
    s = inlets_mux_open(p.a);
    fast = inlets_mux_open(p.a);

    inlets_mux_write(s, "x", 1);
    inlets_mux_write(fast, "x", 1);
    settle(&p);
    t = inlets_mux_next(p.b, &ev);
    fast_b = inlets_mux_next(p.b, &ev);
    total = 1;

    for (unsigned i = 0; i < 1000; i++) {
        n = inlets_mux_write(s, buf, sizeof(buf));
        total += (size_t) n;
        n = inlets_mux_write(fast, buf, 1000);
        other += (size_t) n;
        settle(&p);
        drain_events(p.a);

        while (inlets_mux_read(fast_b, buf, sizeof(buf)) > 0) {
            /* void */
        }
    }

    is_int(total, INLETS_MUX_WINDOW, "a slow reader's window fills");
    ok(other >= 990 * 1000, "and stalls no other stream");
    is_int(inlets_mux_unread(t), INLETS_MUX_WINDOW, "all of it waits");
    ok(mem_peak < 2 * INLETS_MUX_WINDOW + 20 * INLETS_MUX_BLOCK,
       "memory stays bounded");
    is_int(inlets_mux_write(s, "x", 1), 0, "no credit");

    drain_events(p.a);

    while (got < INLETS_MUX_WINDOW / 2 - 1) {
        n = inlets_mux_read(t, buf, INLETS_MUX_WINDOW / 2 - 1 - got);
        got += (size_t) n;
    }

    settle(&p);
    ok(inlets_mux_next(p.a, &ev) == NULL, "no credit before half is read");
    inlets_mux_read(t, buf, 1);
    settle(&p);
    ok(expect_event(p.a, INLETS_MUX_EV_WRITE, "credit is back") == s,
       "for the stream");
    is_int(inlets_mux_write(s, buf, 1), 1, "it can write");

    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
    mem_peak = 0;
}


/*
 * Writers that always want more get the same, within a quantum, given all the
 * credit there is.  deferred: the owner writes only after the output is gone
 * and it has seen all events, as one that works from posted events does.
 */
#define WRITERS  10

static void
test_fairness(uint32_t tx_max, bool deferred)
{
    static uint8_t             buf[100000];
    size_t                     n, later = 0;
    unsigned                   ev, i;
    uint64_t                   wrote[WRITERS] = { 0 }, low, high;
    struct iovec               iov[64];
    struct inlets_mux         *m;
    struct inlets_mux_conf     conf;
    struct inlets_mux_stream  *s, *todo[WRITERS];

    printf("# fairness, room %u, %s\n", tx_max, deferred ? "later" : "at once");

    conf = conf_of(INLETS_MUX_RAW, false, false);
    conf.tx_max = tx_max;
    m = inlets_mux_create(&conf);
    script_len = 0;

    for (i = 0; i < WRITERS; i++) {
        todo[i] = inlets_mux_open(m);
        inlets_mux_write(todo[i], "x", 1);
        put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_ACK, inlets_mux_id(todo[i]),
            1u << 31);
        later++;
    }

    is_int(inlets_mux_input(m, script, script_len, 1), 0, "credit");
    script_len = 0;

    for (unsigned round = 0; round < 4000; round++) {
        if (round == 1000) {
            memset(wrote, 0, sizeof(wrote));
        }

        for (i = 0; i < later; i++) {
            while ((n = (size_t) inlets_mux_write(todo[i], buf, sizeof(buf)))
                   != 0)
            {
                wrote[inlets_mux_id(todo[i]) / 2 - 1] += n;

                if (n < sizeof(buf)) {
                    break;
                }
            }
        }

        later = 0;

        do {
            n = inlets_mux_output(m, iov, 64);
            n = n == 0 ? 0 : deferred ? iov[0].iov_len : 1 + rnd() % 16000;
            inlets_mux_sent(m, n);
        } while (deferred && n != 0);

        while ((s = inlets_mux_next(m, &ev)) != NULL) {
            if (!(ev & INLETS_MUX_EV_WRITE)) {
                continue;
            }

            if (deferred) {
                todo[later++] = s;

            } else {
                i = inlets_mux_id(s) / 2 - 1;
                wrote[i] += (uint64_t) inlets_mux_write(s, buf, sizeof(buf));
            }
        }
    }

    low = high = wrote[0];

    for (i = 1; i < WRITERS; i++) {
        low = wrote[i] < low ? wrote[i] : low;
        high = wrote[i] > high ? wrote[i] : high;
    }

    printf("# %llu .. %llu bytes\n", (unsigned long long) low,
           (unsigned long long) high);
    ok(low > 1000000, "all get on");
    ok(high - low <= INLETS_MUX_QUANTUM, "equally");
    inlets_mux_destroy(m);
    is_int(mem_used, 0, "no leak");
}


/* Streams that are woken and write nothing don't hold up the others. */
static void
test_idle_turns(void)
{
    static uint8_t             buf[100000];
    bool                       done[30] = { false };
    unsigned                   ev, left = 30, i;
    struct pair                p;
    struct inlets_mux_conf     ca = conf_of(INLETS_MUX_RAW, false, false);
    struct inlets_mux_conf     cb = conf_of(INLETS_MUX_RAW, true, true);
    struct inlets_mux_stream  *s, *all[30];

    ca.tx_max = 2 * INLETS_MUX_BLOCK;
    pair_init_conf(&p, &ca, &cb);

    for (i = 0; i < 30; i++) {
        all[i] = inlets_mux_open(p.a);
        inlets_mux_set_data(all[i], &done[i]);
        inlets_mux_write(all[i], buf, 40000);
    }

    settle(&p);

    for (unsigned round = 0; round < 200 && left > 0; round++) {
        while ((s = inlets_mux_next(p.a, &ev)) != NULL) {
            left -= !*(bool *) inlets_mux_data(s);
            *(bool *) inlets_mux_data(s) = true;
        }
    }

    is_int(left, 0, "all were woken");

    for (i = 0; i < 30; i++) {
        inlets_mux_release(all[i]);
    }

    settle(&p);
    is_int(inlets_mux_streams(p.a), 0, "released");
    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


/* A carrier that takes nothing: output stays bounded whatever is written. */
static void
test_stuck_carrier(enum inlets_mux_carrier carrier)
{
    unsigned                   opened = 0;
    struct pair                p;
    struct iovec               iov[64];
    struct inlets_mux_stream  *s;

    note("stuck carrier", carrier);
    mem_peak = 0;
    pair_init(&p, carrier);

    for (unsigned i = 0; i < 200000; i++) {
        s = inlets_mux_open(p.a);

        if (s == NULL) {
            break;
        }

        inlets_mux_write(s, "small", 5);
        opened++;

        if (i % 3 == 0) {
            (void) inlets_mux_output(p.a, iov, 64);
        }

        if (i % 2) {
            inlets_mux_release(s);
        }
    }

    ok(opened >= 100, "opened many");
    ok(inlets_mux_queued(p.a) < TX_MAX + 65536 + 100 * 48, "bounded bytes");
    ok(mem_peak < 2 * TX_MAX + 65536 + 20 * INLETS_MUX_BLOCK,
       "bounded memory");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
    mem_peak = 0;
}


static void
test_autotune(uint64_t total, uint32_t expected)
{
    static uint8_t             buf[100000];
    unsigned                   ev;
    uint64_t                   in_flight = 0, most = 0;
    ssize_t                    n;
    struct pair                p;
    struct inlets_mux_conf     ca = conf_of(INLETS_MUX_RAW, false, false);
    struct inlets_mux_conf     cb = conf_of(INLETS_MUX_RAW, true, true);
    struct inlets_mux_stream  *s, *t;

    ca.tx_max = 1 << 24;
    cb.window_total = total;
    pair_init_conf(&p, &ca, &cb);
    s = inlets_mux_open(p.a);

    /* each round is one way of a 20 ms path: sent, read, credit sent back */

    for (unsigned round = 0; round < 200; round++) {
        in_flight = 0;

        while ((n = inlets_mux_write(s, buf, sizeof(buf))) > 0) {
            in_flight += (uint64_t) n;
        }

        most = in_flight > most ? in_flight : most;

        now_us += 10000;

        while (inlets_mux_pending(p.a)) {
            move(&p, p.a, p.b, &p.error_b);
        }

        while ((t = inlets_mux_next(p.b, &ev)) != NULL) {
            while (inlets_mux_read(t, buf, sizeof(buf)) > 0) {
                /* void */
            }
        }

        now_us += 10000;

        while (inlets_mux_pending(p.b)) {
            move(&p, p.b, p.a, &p.error_a);
        }

        drain_events(p.a);
    }

    is_int(most, expected, "the window grew, and no further");
    ok(inlets_mux_rtt(p.b) >= 10000 && inlets_mux_rtt(p.b) <= 20000,
       "round trip");
    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


/* The window of a reader that is slow, or of a sender that is, stays. */
static void
test_no_autotune(bool slow_reader)
{
    static uint8_t             buf[100000];
    unsigned                   ev;
    uint64_t                   most = 0;
    ssize_t                    n;
    struct pair                p;
    struct inlets_mux_stream  *s, *t = NULL, *x;

    pair_init(&p, INLETS_MUX_RAW);
    s = inlets_mux_open(p.a);

    for (unsigned round = 0; round < 3000; round++) {
        if (slow_reader) {
            inlets_mux_write(s, buf, sizeof(buf));

        } else {
            inlets_mux_write(s, buf, 3000);
        }

        now_us += 10000;
        settle(&p);

        while ((x = inlets_mux_next(p.b, &ev)) != NULL) {
            t = x;
        }

        most = inlets_mux_unread(t) > most ? inlets_mux_unread(t) : most;

        n = inlets_mux_read(t, buf, slow_reader ? 1000 : sizeof(buf));
        (void) n;
        now_us += 10000;
        settle(&p);
        drain_events(p.a);
    }

    ok(most <= INLETS_MUX_WINDOW, slow_reader ? "slow reader" : "slow sender");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_close(enum inlets_mux_carrier carrier)
{
    char                       buf[10];
    unsigned                   ev;
    struct pair                p;
    struct inlets_mux_stream  *s, *t, *whole, *whole_b;

    note("close", carrier);
    pair_init(&p, carrier);
    s = inlets_mux_open(p.a);
    whole = inlets_mux_open(p.a);
    inlets_mux_write(s, "abc", 3);
    inlets_mux_write(whole, "def", 3);
    inlets_mux_shutdown(whole);
    settle(&p);
    t = inlets_mux_next(p.b, &ev);
    whole_b = inlets_mux_next(p.b, &ev);
    inlets_mux_shutdown(whole_b);

    is_int(inlets_mux_ping(p.a, now_us), 0, "ping");
    ok(inlets_mux_ping_outstanding(p.a), "is out");
    now_us += 777;
    settle(&p);
    ok(!inlets_mux_ping_outstanding(p.a), "was answered");
    is_int(inlets_mux_rtt(p.a), 777, "in that time");

    inlets_mux_write(s, "last", 4);
    inlets_mux_close(p.a, 1001, "over");
    is_int(inlets_mux_write(s, "x", 1), INLETS_MUX_RESET, "nothing follows");
    settle(&p);

    ok(inlets_mux_closing(p.a) && inlets_mux_closing(p.b), "both closing");

    if (carrier != INLETS_MUX_RAW) {
        ok(inlets_mux_close_received(p.a) && inlets_mux_close_received(p.b),
           "Close and its echo");
        is_int(inlets_mux_read(t, buf, 10), INLETS_MUX_RESET,
               "a stream under way is reset");
        is_int(inlets_mux_read(whole_b, buf, 10), 3,
               "one that was whole is not");
        is_int(inlets_mux_read(whole_b, buf, 10), INLETS_MUX_EOF, "nor cut");
    }

    ok(inlets_mux_open(p.b) == NULL, "none can be opened");
    ok(p.error_a == 0 && p.error_b == 0, "no errors");
    pair_finish(&p);

    pair_init(&p, carrier);
    s = inlets_mux_open(p.a);
    inlets_mux_write(s, "abc", 3);
    inlets_mux_abort(p.a);
    ok(!inlets_mux_pending(p.a), "nothing to send after abort");
    expect_event(p.a, INLETS_MUX_EV_READ, "event");
    is_int(inlets_mux_read(s, buf, 10), INLETS_MUX_RESET, "reset");
    ok(inlets_mux_input(p.a, (uint8_t *) buf, 1, now_us) < 0, "no input");
    inlets_mux_abort(p.a);
    inlets_mux_close(p.a, 1000, NULL);
    ok(!inlets_mux_pending(p.a), "still nothing");
    pair_finish(&p);
    is_int(mem_used, 0, "no leak");
}


static void
test_size(void)
{
    size_t                     before;
    struct inlets_mux         *m;
    struct inlets_mux_conf     conf = conf_of(INLETS_MUX_WS_CLIENT, true,
                                              true);
    struct inlets_mux_stream  *s;

    conf.max_streams = 1000;
    m = inlets_mux_create(&conf);
    printf("# a session: %zu bytes\n", mem_used);
    ok(mem_used < 1024, "an idle session is small");

    before = mem_used;

    for (unsigned i = 0; i < 1000; i++) {
        s = inlets_mux_open(m);
        inlets_mux_set_data(s, &conf);
    }

    printf("# a stream: %zu bytes\n", (mem_used - before) / 1000);
    ok((mem_used - before) / 1000 < 192, "an idle stream too");
    inlets_mux_destroy(m);
    is_int(mem_used, 0, "no leak");
}


/* Every allocation fails once: no crash, no leak, no hang. */
static void
test_no_memory(enum inlets_mux_carrier carrier)
{
    bool         good = true, ended = true;
    size_t       total = 0;
    struct flow  fa[FLOWS], fb[FLOWS];
    struct pair  p;

    note("no memory", carrier);

    for (size_t fail = 1; fail < 100000; fail++) {
        memset(fa, 0, sizeof(fa));
        memset(fb, 0, sizeof(fb));

        seed = 7;
        mem_calls = 0;
        mem_fail_at = fail;

        if (pair_init(&p, carrier)) {
            p.step = 9000;

            for (unsigned i = 0; i < FLOWS; i++) {
                fa[i].s = inlets_mux_open(p.a);

                if (fa[i].s == NULL) {
                    fa[i].reset = fb[i].reset = true;
                    continue;
                }

                fa[i].id = inlets_mux_id(fa[i].s);
                fa[i].to_send = 20000;
                fa[i].mode = i % 8;
                inlets_mux_set_data(fa[i].s, &fa[i]);
                flow_write(&fa[i]);
            }

            for (unsigned i = 0; i < 2000; i++) {
                now_us += 100;
                pump(&p);
                serve(p.b, fb, 1000, 0, 20000);
                serve(p.a, fa, 0, 1000, 20000);

                if (p.error_a != 0 || p.error_b != 0
                    || inlets_mux_closing(p.a) || inlets_mux_closing(p.b)
                    || flows_done(fa))
                {
                    break;
                }
            }

            for (unsigned i = 0; i < FLOWS; i++) {
                good &= !fa[i].bad && !fb[i].bad;
            }

            ended &= p.error_a != 0 || p.error_b != 0
                     || inlets_mux_closing(p.a) || inlets_mux_closing(p.b)
                     || flows_done(fa);
        }

        pair_finish(&p);
        good &= mem_used == 0;
        total = fail;

        if (mem_calls < fail) {
            break;
        }
    }

    mem_fail_at = 0;
    printf("# %zu allocations\n", total);
    ok(total > 20 && total < 99999, "each allocation failed once");
    ok(good, "data was never wrong, memory never lost");
    ok(ended, "and nothing hung");
}


int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);

    for (unsigned c = INLETS_MUX_RAW; c <= INLETS_MUX_WS_CLIENT; c++) {
        enum inlets_mux_carrier  carrier = (enum inlets_mux_carrier) c;

        test_traffic(carrier, 1, true, 3000);
        test_traffic(carrier, 40, false, 30000);
        test_traffic(carrier, 50000, false, 900000);
        test_traffic(carrier, 0, false, 900000);
        test_lifecycle(carrier);
        test_pieces(carrier);
        test_window(carrier);
        test_stuck_carrier(carrier);
        test_close(carrier);
        test_go_away(carrier);
        test_no_memory(carrier);
    }

    test_refusal();
    test_late_ack();
    test_at_the_limit();
    test_fairness(2 * INLETS_MUX_BLOCK, false);
    test_fairness(2 * INLETS_MUX_BLOCK, true);
    test_fairness(TX_MAX, false);
    test_fairness(TX_MAX, true);
    test_fairness(16 * INLETS_MUX_BLOCK, true);
    test_idle_turns();
    test_autotune(4 * 1024 * 1024, 1024 * 1024);
    test_autotune(300000, INLETS_MUX_WINDOW + 300000);
    test_autotune(0, INLETS_MUX_WINDOW);
    test_no_autotune(true);
    test_no_autotune(false);
    test_size();

    is_int(mem_bad, 0, "free() got the sizes of alloc()");

    return tap_done();
}
