/*
 * The tunnels of the process: brings up those of a conf, or those that the
 * edge lists, and goes over from one conf to the next.
 */

#ifndef INLETS_TUNNELS_H
#define INLETS_TUNNELS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "conf.h"
#include "view.h"


struct inlets_client;
struct inlets_tunnel;
struct inlets_tunnels;


/* NULL: no memory. */
struct inlets_tunnels *inlets_tunnels_create(struct inlets_client *client);
void inlets_tunnels_destroy(struct inlets_tunnels *tunnels);

/*
 * Makes of the present tunnels those of the client's conf: ends those that
 * aren't in it, changes what differs, leaves the others alone, brings up the
 * new ones and those that had failed.
 */
void inlets_tunnels_apply(struct inlets_tunnels *tunnels);

/* As inlets_tunnel_stop(), all of them. */
void inlets_tunnels_stop(struct inlets_tunnels *tunnels);


/* From the tunnels.  over(): status is an exit status. */
void inlets_tunnels_listed(struct inlets_tunnels *tunnels, const cJSON *list);
void inlets_tunnels_over(struct inlets_tunnels *tunnels,
    struct inlets_tunnel *tunnel, int status);

/*
 * A tunnel that has that port but may have any takes another.  True: it is
 * worth asking for the port again.
 */
bool inlets_tunnels_yield(struct inlets_tunnels *tunnels, uint32_t port);


/* For the view. */
size_t inlets_tunnels_count(void *tunnels);
void inlets_tunnels_show(void *tunnels, size_t i,
    struct inlets_view_tunnel *ret);


#endif /* INLETS_TUNNELS_H */
