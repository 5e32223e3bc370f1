/*
 * The tunnels that the edge lists for a client (wire spec 10.6), as a conf.
 */

#ifndef INLETS_CONF_LISTED_H
#define INLETS_CONF_LISTED_H


#include <stddef.h>

#include <cjson/cJSON.h>

#include "conf.h"


/*
 * base with those tunnels instead of its own; tunnels may be NULL: there are
 * none.  NULL with a clause in why: no memory, or the list is refused, as a
 * whole.
 */
struct inlets_conf *inlets_conf_with_listed(const struct inlets_conf *base,
    const cJSON *tunnels, char *why, size_t size);


#endif /* INLETS_CONF_LISTED_H */
