/*
 * The edge, as the tunnels of one conf share it: its addresses and the TLS
 * settings of connections to it.  A changed conf has one of its own, while
 * sessions that drain keep theirs.
 */

#ifndef INLETS_EDGE_H
#define INLETS_EDGE_H


#include <stdbool.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "conf.h"
#include "resolve.h"


struct inlets_edge {
    const struct inlets_edge_conf  *conf;
    struct inlets_conf             *owner;      /* of conf */
    struct inlets_resolver         *resolver;
    SSL_CTX                        *tls;        /* NULL: the edge is plain */
    unsigned                        refs;
};


/* NULL after a message on standard error. */
struct inlets_edge *inlets_edge_create(uv_loop_t *loop,
    struct inlets_conf *owner);
struct inlets_edge *inlets_edge_ref(struct inlets_edge *edge);

/* Ends with the last reference; NULL is accepted. */
void inlets_edge_unref(struct inlets_edge *edge);


#endif /* INLETS_EDGE_H */
