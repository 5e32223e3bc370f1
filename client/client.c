#include "client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "inlets_mux.h"
#include "inlets_protocol.h"
#include "link.h"
#include "log.h"
#include "monitor.h"
#include "report.h"
#include "rlimit.h"
#include "tls.h"
#include "tunnel.h"


#define LOCAL_NAME_TTL  10000   /* ms, of the local service's addresses */
#define EDGE_NAME_TTL   1000    /* for a session that failed over at once */
#define CLOSING_TURNS   100     /* of the loop, at the end */

#define LWS_CLOSING_STEPS  3


/*
 * What the streams of this turn have queued is written at once, when all
 * sockets have been looked at, and before the loop sleeps.
 */

static void
loop_check(uv_check_t *check)
{
    inlets_link_flush_all(check->data);
}


static void
loop_prepare(uv_prepare_t *prepare)
{
    inlets_link_flush_all(prepare->data);
}


static void
signal_caught(uv_signal_t *handle, int signum)
{
    struct inlets_client  *client = handle->data;

    inlets_log(INLETS_LOG_INFO, "%s: shutting down",
               signum == SIGINT ? "SIGINT" : "SIGTERM");

    inlets_tunnel_stop(client->tunnel);
}


static int
start_loop(struct inlets_client *c)
{
    if (uv_loop_init(&c->loop) != 0) {
        return -1;
    }

    c->loop.data = c;

    (void) uv_prepare_init(&c->loop, &c->prepare);
    (void) uv_check_init(&c->loop, &c->check);
    (void) uv_signal_init(&c->loop, &c->sigint);
    (void) uv_signal_init(&c->loop, &c->sigterm);

    c->prepare.data = c;
    c->check.data = c;
    c->sigint.data = c;
    c->sigterm.data = c;

    if (uv_prepare_start(&c->prepare, loop_prepare) != 0
        || uv_check_start(&c->check, loop_check) != 0
        || uv_signal_start(&c->sigint, signal_caught, SIGINT) != 0
        || uv_signal_start(&c->sigterm, signal_caught, SIGTERM) != 0)
    {
        return -1;
    }

    return 0;
}


/* Until nothing is left to be closed. */

static void
run_out(struct inlets_client *c)
{
    for (unsigned n = 0; n < CLOSING_TURNS; n++) {
        if (uv_run(&c->loop, UV_RUN_NOWAIT) == 0) {
            break;
        }
    }
}


static void
finish_loop(struct inlets_client *c)
{
    bool  idle;

    uv_close((uv_handle_t *) &c->prepare, NULL);
    uv_close((uv_handle_t *) &c->check, NULL);
    uv_close((uv_handle_t *) &c->sigint, NULL);
    uv_close((uv_handle_t *) &c->sigterm, NULL);

    inlets_tunnel_destroy(c->tunnel);
    inlets_report_destroy(c->report);

    idle = inlets_resolver_destroy(c->edge);
    idle = inlets_resolver_destroy(c->local) && idle;

    run_out(c);

    /* libwebsockets closes step by step, with turns of the loop in between */

    for (unsigned i = 0; i < LWS_CLOSING_STEPS && c->lws != NULL; i++) {
        lws_context_destroy(c->lws);
        run_out(c);
    }

    if (uv_loop_close(&c->loop) != 0 && !idle) {
        _exit(c->status);
    }
}


static int
start_client(struct inlets_client *c)
{
    const struct inlets_options  *o = c->options;

    inlets_pool_init(&c->blocks, INLETS_MUX_BLOCK);

    c->input = malloc(INLETS_INPUT_SIZE);

    if (o->remote.tls) {
        c->tls = inlets_tls_create(o);

        if (c->tls == NULL) {
            return -1;
        }
    }

    c->lws = inlets_monitor_context_create(c);

    if (c->lws == NULL) {
        return -1;
    }

    c->edge = inlets_resolver_create(&c->loop, &o->remote, EDGE_NAME_TTL);
    c->local = inlets_resolver_create(&c->loop, &o->upstream, LOCAL_NAME_TTL);

    if (o->report_url != NULL) {
        c->report = inlets_report_create(&c->loop, o);
    }

    if (c->input == NULL || c->edge == NULL || c->local == NULL
        || (o->report_url != NULL && c->report == NULL))
    {
        inlets_log_fatal("no memory");
        return -1;
    }

    return 0;
}


static void
announce(const struct inlets_options *o)
{
    inlets_log(INLETS_LOG_INFO, "Version: %s", INLETS_PROTOCOL_V2);

    if (o->insecure && o->remote.tls) {
        inlets_log(INLETS_LOG_WARN, "--insecure: THE EDGE'S CERTIFICATE IS NOT "
                   "VERIFIED, anyone on the way can read and change all "
                   "traffic");
    }

    if (!o->remote.tls) {
        inlets_log(INLETS_LOG_DEBUG, "the connection to the edge is not "
                   "encrypted");
    }
}


int
inlets_client_run(const struct inlets_options *options)
{
    struct inlets_client  c = { .options = options, .status = EXIT_FAILURE };

    inlets_log_init(options->log_level, options->log_utc);

    (void) signal(SIGPIPE, SIG_IGN);
    (void) inlets_raise_descriptors();

    if (start_loop(&c) != 0) {
        inlets_log_fatal("cannot set up the event loop");
        return EXIT_FAILURE;
    }

    if (start_client(&c) == 0) {
        announce(options);

        c.tunnel = inlets_tunnel_create(&c);

        if (c.tunnel != NULL) {
            (void) uv_run(&c.loop, UV_RUN_DEFAULT);
            inlets_report_wait(c.report);

        } else {
            inlets_log_fatal("no memory");
        }
    }

    finish_loop(&c);

    SSL_CTX_free(c.tls);
    free(c.input);
    inlets_pool_finish(&c.blocks);

    return c.status;
}


void
inlets_client_finish(struct inlets_client *client, int status)
{
    client->status = status;
    client->finishing = true;

    uv_stop(&client->loop);
}
