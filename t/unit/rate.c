/*
 * The pace of bytes, on a clock of our own: takers that reserve, sleep whole
 * milliseconds, wake late, and move.
 */

#include "inlets_rate.h"

#include "tap.h"


#define KIB     UINT64_C(1024)
#define MIB     (1024 * KIB)
#define SECOND  UINT64_C(1000000000)
#define MAX     1200


struct taker {
    uint64_t  slot;
    uint64_t  wakes;
    size_t    grant;
    uint64_t  moved;
    uint64_t  longest;
    uint64_t  last;
};


static uint64_t  seed = 1;


static uint64_t
any(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;

    return (seed >> 33) % n;
}


/* All that one taker can do at this moment; ends in a sleep. */

static void
run_taker(struct taker *t, uint64_t *tat, uint64_t rate, uint64_t now,
    uint64_t late)
{
    uint64_t  wait;

    for ( ;; ) {

        if (t->grant == 0) {
            t->grant = inlets_rate_quantum(rate, *tat, now);
            *tat = inlets_rate_reserve(*tat, now,
                                       inlets_rate_cost(rate, t->grant));
            t->slot = *tat;
        }

        wait = inlets_rate_wait(t->slot, now);

        if (wait != 0) {
            t->wakes = now + wait * 1000000 + any(late + 1);
            return;
        }

        t->moved += t->grant;
        t->grant = 0;

        if (now - t->last > t->longest) {
            t->longest = now - t->last;
        }

        t->last = now;
    }
}


/* Bytes moved in "seconds" after the burst is used up. */

static uint64_t
simulate(struct taker *takers, size_t n, uint64_t rate, uint64_t seconds,
    uint64_t late, uint64_t *burst)
{
    size_t    next;
    uint64_t  tat = 0, now = 1000 * SECOND, end = now + seconds * SECOND;
    uint64_t  sum = 0;

    memset(takers, 0, n * sizeof(*takers));

    for (size_t i = 0; i < n; i++) {
        takers[i].last = now;
        run_taker(&takers[i], &tat, rate, now, late);
        sum += takers[i].moved;
        takers[i].moved = 0;
    }

    *burst = sum;

    for ( ;; ) {
        next = 0;

        for (size_t i = 1; i < n; i++) {
            if (takers[i].wakes < takers[next].wakes) {
                next = i;
            }
        }

        now = takers[next].wakes;

        if (now > end) {
            break;
        }

        run_taker(&takers[next], &tat, rate, now, late);
    }

    sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += takers[i].moved;
    }

    return sum;
}


static bool
within(uint64_t got, uint64_t expected, unsigned percent)
{
    uint64_t  off = got > expected ? got - expected : expected - got;

    if (off * 100 <= expected * percent) {
        return true;
    }

    printf("# %llu bytes, expected %llu\n", (unsigned long long) got,
           (unsigned long long) expected);

    return false;
}


static void
test_rates(void)
{
    char                  name[128];
    uint64_t              moved, burst, least, most;
    static struct taker   takers[MAX];
    static const uint64_t rates[] = { 64 * KIB, MIB, 100 * MIB, 1000 };
    static const size_t   counts[] = { 1, 20, 200 };

    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
            for (uint64_t late = 0; late <= 20000000; late += 10000000) {

                moved = simulate(takers, counts[c], rates[r], 20, late,
                                 &burst);

                snprintf(name, sizeof(name),
                         "%llu bytes/s, %zu takers, up to %llu ms late",
                         (unsigned long long) rates[r], counts[c],
                         (unsigned long long) (late / 1000000));

                ok(within(moved, 20 * rates[r], 1), name);

                ok(burst <= rates[r] && burst >= rates[r] * 9 / 10,
                   "burst of a second's worth");

                least = UINT64_MAX;
                most = 0;

                for (size_t i = 0; i < counts[c]; i++) {
                    least = takers[i].moved < least ? takers[i].moved : least;
                    most = takers[i].moved > most ? takers[i].moved : most;
                }

                ok(most <= least * 2
                   || most - least <= 4 * inlets_rate_quantum(rates[r], 0, 0),
                   "shared evenly");
            }
        }
    }
}


static void
test_many(void)
{
    uint64_t            burst, longest = 0;
    static struct taker takers[MAX];

    (void) simulate(takers, MAX, 64 * KIB, 60, 0, &burst);

    for (size_t i = 0; i < MAX; i++) {
        longest = takers[i].longest > longest ? takers[i].longest : longest;
    }

    ok(longest > 0 && longest < 30 * SECOND,
       "1200 takers at 64 KiB/s: each moves in less than 30 s");
}


static void
test_arithmetic(void)
{
    uint64_t  tat, now = 50 * SECOND;

    is_int(inlets_rate_cost(1000, 1), 1000000, "cost");
    is_int(inlets_rate_cost(3, 1), 333333334, "cost is rounded up");
    is_int(inlets_rate_cost(UINT64_C(1) << 62, 1), 1, "and never nothing");
    is_int(inlets_rate_cost(1, SIZE_MAX), (uint64_t) INLETS_RATE_MAX_BYTES
           * SECOND, "nor more than fits");

    is_int(inlets_rate_quantum(1, 0, now), 1, "quantum of the lowest rate");
    is_int(inlets_rate_quantum(64 * KIB, 0, now), 3276, "of a low rate");
    is_int(inlets_rate_quantum(100 * MIB, 0, now), 16384, "of a high rate");
    is_int(inlets_rate_quantum(64 * KIB, now + 2 * SECOND, now), 819,
           "in a long queue");
    is_int(inlets_rate_quantum(2000, now + 9 * SECOND, now), 64,
           "not too little");

    tat = inlets_rate_reserve(0, now, SECOND);
    is_int(tat, now, "a second's worth at once");
    tat = inlets_rate_reserve(tat, now, 5);
    is_int(tat, now + 5, "then slots one after the other");
    is_int(inlets_rate_refund(tat, 5), now, "given back");
    is_int(inlets_rate_refund(3, 5), 0, "never below zero");
    is_int(inlets_rate_reserve(now, now + 10 * SECOND, 1),
           now + 9 * SECOND + 1, "no more than a second's worth is saved up");
    is_int(inlets_rate_reserve(0, 7, 1), 1, "a clock that has just begun");
    ok(inlets_rate_reserve(UINT64_MAX - 2, now, 9) == UINT64_MAX,
       "no overflow");

    is_int(inlets_rate_wait(now, now), 0, "the slot has come");
    is_int(inlets_rate_wait(now + 1, now), 1, "wait is rounded up");
    is_int(inlets_rate_wait(now + 1000000, now), 1, "to milliseconds");
    is_int(inlets_rate_wait(now + 1000001, now), 2, "whole ones");
}


/* A new rate acts on what is reserved from then on. */

static void
test_change(void)
{
    uint64_t     burst, tat = 0, now = 10 * SECOND;
    struct taker t;

    memset(&t, 0, sizeof(t));
    run_taker(&t, &tat, 64 * KIB, now, 0);
    burst = t.moved;
    ok(within(burst, 64 * KIB, 6), "burst at the old rate");

    t.moved = 0;

    for (unsigned i = 0; i < 10000 && t.wakes < now + 2 * SECOND; i++) {
        run_taker(&t, &tat, MIB, t.wakes, 0);
    }

    ok(within(t.moved, 2 * MIB, 5), "the new rate");
}


int
main(void)
{
    test_arithmetic();
    test_rates();
    test_many();
    test_change();

    return tap_done();
}
