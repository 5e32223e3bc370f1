/*
 * The process: one event loop, and what all parts share on it.
 */

#ifndef INLETS_CLIENT_H
#define INLETS_CLIENT_H


#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "activity.h"
#include "conf.h"
#include "options.h"
#include "pool.h"


#define INLETS_INPUT_SIZE  (256 * 1024)


struct lws_context;
struct inlets_edge;
struct inlets_link;
struct inlets_report;
struct inlets_tunnels;
struct inlets_view;
struct inlets_watch;


struct inlets_client {
    const struct inlets_options  *options;
    struct inlets_conf           *conf;         /* in force */

    uv_loop_t                     loop;
    struct lws_context           *lws[2];       /* plain, TLS: when needed */
    SSL_CTX                      *tls;          /* of the latter, follows the
                                                   edge's */
    struct inlets_edge           *edge;         /* of conf */

    struct inlets_pool            blocks;
    uint8_t                      *input;        /* INLETS_INPUT_SIZE */

    struct inlets_link           *dirty;        /* to be flushed this turn */
    struct inlets_tunnels        *tunnels;
    struct inlets_requests        requests;     /* the last ones */
    struct inlets_view           *view;         /* NULL: there is none */
    struct inlets_report         *report;       /* NULL: not asked for */
    struct inlets_watch          *watch;        /* of the file; NULL: no file */

    uv_prepare_t                  prepare;
    uv_check_t                    check;
    uv_signal_t                   sigint;
    uv_signal_t                   sigterm;
    uv_signal_t                   sighup;

    int                           status;       /* of the process */
    bool                          finishing;
    bool                          reloaded;     /* the tunnels are not the first
                                                   ones */
    bool                          on_terminal;  /* was started on one */
};


/* Runs until a signal, or until no tunnel is left; the exit status. */
int inlets_client_run(const struct inlets_options *options);

/* All tunnels are over: leaves the loop. */
void inlets_client_finish(struct inlets_client *client, int status);


#endif /* INLETS_CLIENT_H */
