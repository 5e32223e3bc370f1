
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "inlets_rate.h"


#define RATE_SECOND  UINT64_C(1000000000)
#define RATE_SMALL   64


size_t
inlets_rate_quantum(uint64_t rate, uint64_t tat, uint64_t now)
{
    uint64_t  n, queue;

    n = rate / 20;

    if (n > INLETS_RATE_QUANTUM) {
        n = INLETS_RATE_QUANTUM;
    }

    if (tat > now && tat - now > RATE_SECOND && n > RATE_SMALL) {

        /* by the square, with no step that some would always meet */

        queue = (tat - now) / (RATE_SECOND / 64);
        queue = queue < 64 * 64 ? queue : 64 * 64;

        n = n * 64 * 64 / (queue * queue);
        n = n > RATE_SMALL ? n : RATE_SMALL;
    }

    return n > 0 ? (size_t) n : 1;
}


uint64_t
inlets_rate_cost(uint64_t rate, size_t bytes)
{
    if (bytes > INLETS_RATE_MAX_BYTES) {
        bytes = INLETS_RATE_MAX_BYTES;
    }

    return ((uint64_t) bytes * RATE_SECOND + rate - 1) / rate;
}


uint64_t
inlets_rate_reserve(uint64_t tat, uint64_t now, uint64_t cost)
{
    uint64_t  earliest;

    earliest = now > INLETS_RATE_BURST ? now - INLETS_RATE_BURST : 0;

    if (tat < earliest) {
        tat = earliest;
    }

    return cost < UINT64_MAX - tat ? tat + cost : UINT64_MAX;
}


uint64_t
inlets_rate_refund(uint64_t tat, uint64_t cost)
{
    return tat > cost ? tat - cost : 0;
}


uint64_t
inlets_rate_wait(uint64_t slot, uint64_t now)
{
    return slot > now ? (slot - now - 1) / 1000000 + 1 : 0;
}
