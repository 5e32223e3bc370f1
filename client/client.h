/*
 * The process: one event loop, and what all parts share on it.
 */

#ifndef INLETS_CLIENT_H
#define INLETS_CLIENT_H


#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "options.h"
#include "pool.h"
#include "resolve.h"


#define INLETS_INPUT_SIZE  (256 * 1024)


struct lws_context;
struct inlets_link;
struct inlets_report;
struct inlets_tunnel;


struct inlets_client {
    const struct inlets_options  *options;

    uv_loop_t                     loop;
    struct lws_context           *lws;
    SSL_CTX                      *tls;          /* NULL: the edge is plain */

    struct inlets_resolver       *edge;
    struct inlets_resolver       *local;

    struct inlets_pool            blocks;
    uint8_t                      *input;        /* INLETS_INPUT_SIZE */

    struct inlets_link           *dirty;        /* to be flushed this turn */
    struct inlets_tunnel         *tunnel;
    struct inlets_report         *report;       /* NULL: not asked for */

    uv_prepare_t                  prepare;
    uv_check_t                    check;
    uv_signal_t                   sigint;
    uv_signal_t                   sigterm;

    uint64_t                      refused_at;   /* ms: the local service's */
    uint32_t                      refused;      /* since it was logged */

    int                           status;       /* of the process */
    bool                          finishing;
};


/* Runs until a signal or a fatal refusal; the exit status. */
int inlets_client_run(const struct inlets_options *options);

/* The tunnel is over: leaves the loop. */
void inlets_client_finish(struct inlets_client *client, int status);


#endif /* INLETS_CLIENT_H */
