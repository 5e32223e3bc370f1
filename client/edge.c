#include "edge.h"

#include <stdlib.h>

#include "log.h"
#include "tls.h"


#define EDGE_NAME_TTL  1000     /* ms, for a session that failed over at once */


struct inlets_edge *
inlets_edge_create(uv_loop_t *loop, struct inlets_conf *owner)
{
    struct inlets_edge  *edge = calloc(1, sizeof(*edge));

    if (edge == NULL) {
        inlets_log_fatal("no memory");
        return NULL;
    }

    edge->refs = 1;
    edge->owner = inlets_conf_ref(owner);
    edge->conf = &owner->edge;
    edge->resolver = inlets_resolver_create(loop, &edge->conf->remote,
                                            EDGE_NAME_TTL);

    if (edge->resolver == NULL) {
        inlets_log_fatal("no memory");
        goto failed;
    }

    if (edge->conf->remote.tls) {
        edge->tls = inlets_tls_create(&edge->conf->remote,
                                      edge->conf->ca_file,
                                      edge->conf->insecure);

        if (edge->tls == NULL) {
            goto failed;
        }
    }

    return edge;

failed:

    inlets_edge_unref(edge);

    return NULL;
}


struct inlets_edge *
inlets_edge_ref(struct inlets_edge *edge)
{
    edge->refs++;

    return edge;
}


void
inlets_edge_unref(struct inlets_edge *edge)
{
    if (edge == NULL || --edge->refs > 0) {
        return;
    }

    inlets_resolver_destroy(edge->resolver);
    SSL_CTX_free(edge->tls);
    inlets_conf_unref(edge->owner);
    free(edge);
}
