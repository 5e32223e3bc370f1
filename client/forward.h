/*
 * "inlets forward": a TCP forwarder.
 */

#ifndef INLETS_FORWARD_H
#define INLETS_FORWARD_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "args.h"
#include "flow.h"
#include "inlets_url.h"
#include "log.h"
#include "resolve.h"


struct inlets_listener;
struct inlets_pair;


struct inlets_forward_options {
    struct inlets_url      source;
    struct inlets_url      target;
    bool                   any;     /* source: no host, all addresses */

    uint32_t               max_connections;
    uint32_t               connect_timeout;     /* ms */
    uint32_t               idle_timeout;        /* ms, 0: none */
    uint32_t               grace;               /* ms */
    bool                   no_splice;
    enum inlets_log_level  log_level;
    bool                   log_utc;

    /* what the fields above are made of */
    const char            *source_text;
    const char            *target_text;
    const char            *log_level_text;
};


struct inlets_forward_counts {
    uint64_t  connections;
    uint64_t  failed;       /* the target could not be reached */
    uint64_t  to_target;    /* bytes */
    uint64_t  to_visitors;
};


struct inlets_forward {
    const struct inlets_forward_options  *options;

    uv_loop_t                      loop;
    uv_signal_t                    sigint;
    uv_signal_t                    sigterm;
    uv_timer_t                     grace;

    struct inlets_resolver        *source;
    struct inlets_resolve_wait     source_wait;
    struct inlets_resolver        *target;

    struct inlets_listener        *listeners;
    uv_timer_t                     pause;       /* of accepting */
    uint64_t                       complained;  /* when, uv_now() */

    struct inlets_flows            flows;
    struct inlets_pair            *pairs;
    size_t                         n_pairs;
    size_t                         max_pairs;

    struct inlets_forward_counts   counts;
    bool                           stopping;
    int                            status;
};


extern const struct inlets_args  inlets_forward_args;

/* The command, argv[0] being its name; returns the exit status. */
int inlets_forward_main(int argc, char **argv);

/* A pair has ended. */
void inlets_forward_ended(struct inlets_forward *f);


/* "1.2.3.4:80" or "[::1]:80" */
#define INLETS_FORWARD_PEER  (INLETS_ADDRESS_TEXT + 9)

void inlets_forward_peer(const union inlets_address *address,
    char ret[INLETS_FORWARD_PEER]);


#endif /* INLETS_FORWARD_H */
