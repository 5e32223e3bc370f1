#include "backoff.h"

#include <openssl/rand.h>


uint32_t
inlets_backoff_next(struct inlets_backoff *backoff)
{
    uint64_t  pause;
    uint32_t  random = 0;

    pause = backoff->base;

    for (uint32_t i = 0; i < backoff->attempts && pause < backoff->cap; i++) {
        pause *= 2;
    }

    if (pause > backoff->cap) {
        pause = backoff->cap;
    }

    backoff->attempts++;

    (void) RAND_bytes((unsigned char *) &random, sizeof(random));

    return (uint32_t) (pause / 2 + random % (pause / 2 + 1));
}


void
inlets_backoff_reset(struct inlets_backoff *backoff)
{
    backoff->attempts = 0;
}
