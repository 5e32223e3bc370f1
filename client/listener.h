/*
 * The sockets that "inlets forward" listens on.
 */

#ifndef INLETS_LISTENER_H
#define INLETS_LISTENER_H


#include "forward.h"


/*
 * Listens on each of the addresses; those of a family that this machine
 * doesn't have may fail, if others don't.  0, or -1 after a message.
 */
int inlets_listeners_open(struct inlets_forward *f,
    const struct inlets_addresses *addresses);

/* The kernel knows IPv6. */
bool inlets_listeners_ip6(void);

/* Who waits to be accepted is accepted first. */
void inlets_listeners_close(struct inlets_forward *f);

/* There is room again. */
void inlets_listeners_resume(struct inlets_forward *f);

/* Connecting to the address would be accepted by ourselves. */
bool inlets_listeners_match(const struct inlets_forward *f,
    const union inlets_address *address);


#endif /* INLETS_LISTENER_H */
