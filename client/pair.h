/*
 * A visitor's connection and the one to the target, of "inlets forward": from
 * accept() until both are closed.
 *
 * The end of one direction is passed on and the other goes on.  An error of
 * one side resets the other, when what was on the way to it is delivered.
 */

#ifndef INLETS_PAIR_H
#define INLETS_PAIR_H


#include "forward.h"


struct inlets_pair;


/*
 * Takes fd in any case; without memory it is closed.  The pair is in the list
 * of f until it ends, and inlets_forward_ended() is called then.
 */
void inlets_pair_create(struct inlets_forward *f, int fd,
    const union inlets_address *visitor);

/* No delay, keepalive; what a listening socket has, accepted ones inherit. */
void inlets_pair_socket_options(int fd);

/* Resets all, at once. */
void inlets_pairs_cut(struct inlets_forward *f);


#endif /* INLETS_PAIR_H */
