/*
 * A bucket of bytes: how fast they may move, as the generic cell rate
 * algorithm has it.  Its state is one number, tat: the time when all that was
 * taken would have moved at an even pace.  Time is in nanoseconds, of any clock
 * that doesn't jump, and given by the caller; so several processes may share a
 * bucket.
 *
 * Each taker reserves first and moves when its slot has come.  Slots are given
 * in the order of reservations, so takers share the rate evenly, and one that
 * comes late loses nothing: up to a second's worth may be made up for, which is
 * also the burst of a bucket at rest.
 */

#ifndef INLETS_RATE_H
#define INLETS_RATE_H


#include <stddef.h>
#include <stdint.h>


#define INLETS_RATE_BURST      UINT64_C(1000000000)   /* one second */
#define INLETS_RATE_QUANTUM    16384
#define INLETS_RATE_MAX_BYTES  ((size_t) 1 << 30)     /* in one reservation */


/*
 * How much to reserve at once, 1 or more: a twentieth of a second's worth, at
 * most INLETS_RATE_QUANTUM, and less where many wait, so that each gets its
 * turn in bearable time.  rate, of this and the following, is not 0.
 */
size_t inlets_rate_quantum(uint64_t rate, uint64_t tat, uint64_t now);

/* How long bytes take, rounded up. */
uint64_t inlets_rate_cost(uint64_t rate, size_t bytes);

/*
 * reserve(): the new tat, which is also the slot: the bytes may move when the
 * clock has come to it.  refund(): the new tat when some were not moved.
 */
uint64_t inlets_rate_reserve(uint64_t tat, uint64_t now, uint64_t cost);
uint64_t inlets_rate_refund(uint64_t tat, uint64_t cost);

/* Milliseconds until a slot, rounded up; 0: it has come. */
uint64_t inlets_rate_wait(uint64_t slot, uint64_t now);


#endif /* INLETS_RATE_H */
