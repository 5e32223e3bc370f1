/*
 * Exponential back-off with jitter: the n-th pause is chosen evenly between
 * half and all of base * 2^n, at most the cap.  The first pause has jitter too,
 * so that clients of a restarted edge don't come back all at once.
 */

#ifndef INLETS_BACKOFF_H
#define INLETS_BACKOFF_H


#include <stdint.h>


struct inlets_backoff {
    uint32_t  base;         /* ms */
    uint32_t  cap;          /* ms */
    uint32_t  attempts;
};


uint32_t inlets_backoff_next(struct inlets_backoff *backoff);
void inlets_backoff_reset(struct inlets_backoff *backoff);


#endif /* INLETS_BACKOFF_H */
