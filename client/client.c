#include "client.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libwebsockets.h>

#include "edge.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "inlets_protocol.h"
#include "link.h"
#include "log.h"
#include "monitor.h"
#include "report.h"
#include "rlimit.h"
#include "tls.h"
#include "tunnels.h"
#include "view.h"
#include "watch.h"


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
stop(struct inlets_client *c)
{
    if (c->tunnels != NULL) {
        inlets_tunnels_stop(c->tunnels);
    }
}


/* False: it was closed, with all that ran on it. */

static bool
has_terminal(void)
{
    int  fd = open("/dev/tty", O_RDONLY|O_NOCTTY|O_CLOEXEC);

    if (fd == -1) {
        return false;
    }

    close(fd);

    return true;
}


/* For plain edges libwebsockets does without TLS, which takes memory. */

static int
prepare_monitors(struct inlets_client *c, const struct inlets_edge *edge)
{
    bool  tls = edge->tls != NULL;

    if (tls && c->tls == NULL) {
        c->tls = inlets_tls_create_follower();

        if (c->tls == NULL) {
            return INLETS_E_INVALID;
        }
    }

    if (tls && inlets_tls_follow(c->tls, edge->tls, &edge->conf->remote,
                                 edge->conf->insecure)
               != INLETS_OK)
    {
        return INLETS_E_INVALID;
    }

    return c->lws[tls] != NULL ? INLETS_OK : inlets_monitor_prepare(c, tls);
}


/* Makes conf, of which it takes the reference, the one in force. */

static int
use_conf(struct inlets_client *c, struct inlets_conf *conf)
{
    struct inlets_edge  *edge = c->edge;

    if (edge == NULL || !inlets_edge_conf_same(edge->conf, &conf->edge)) {
        edge = inlets_edge_create(&c->loop, conf);

        if (edge == NULL) {
            return INLETS_E_INVALID;
        }

        if (prepare_monitors(c, edge) != INLETS_OK) {
            inlets_edge_unref(edge);
            return INLETS_E_INVALID;
        }

        inlets_edge_unref(c->edge);
        c->edge = edge;
    }

    if (c->report != NULL
        && (!inlets_same_text(c->conf->report_url, conf->report_url)
            || !inlets_same_text(c->conf->edge.ca_file, conf->edge.ca_file)))
    {
        inlets_report_destroy(c->report);
        c->report = NULL;
    }

    if (c->report == NULL && conf->report_url != NULL) {
        c->report = inlets_report_create(&c->loop, conf);

        if (c->report == NULL) {
            inlets_log_fatal("no memory for reports");
        }
    }

    inlets_conf_unref(c->conf);
    c->conf = conf;

    return INLETS_OK;
}


static void
reload(struct inlets_client *c)
{
    struct inlets_conf  *conf;

    if (c->finishing) {
        return;
    }

    inlets_watch_read(c->watch);

    conf = inlets_options_conf(c->options, false);

    if (conf == NULL || use_conf(c, conf) != INLETS_OK) {
        inlets_conf_unref(conf);
        inlets_log(INLETS_LOG_ERROR, "%s is not used, all stays as it was",
                   c->options->config_file);
        return;
    }

    inlets_log(INLETS_LOG_INFO, "%s was read again", c->options->config_file);

    c->reloaded = true;
    inlets_tunnels_apply(c->tunnels);
}


static void
file_changed(void *data)
{
    reload(data);
}


static void
signal_caught(uv_signal_t *handle, int signum)
{
    struct inlets_client  *c = handle->data;
    const char            *name = signum == SIGINT ? "SIGINT" : "SIGTERM";

    if (signum == SIGHUP) {
        if (!c->on_terminal || has_terminal()) {
            reload(c);
            return;
        }

        name = "the terminal is gone";
    }

    inlets_log(INLETS_LOG_INFO, "%s: shutting down", name);

    stop(c);
}


static int
start_signal(struct inlets_client *c, uv_signal_t *handle, int signum)
{
    handle->data = c;

    return uv_signal_start(handle, signal_caught, signum);
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
    (void) uv_signal_init(&c->loop, &c->sighup);

    c->prepare.data = c;
    c->check.data = c;

    if (uv_prepare_start(&c->prepare, loop_prepare) != 0
        || uv_check_start(&c->check, loop_check) != 0
        || start_signal(c, &c->sigint, SIGINT) != 0
        || start_signal(c, &c->sigterm, SIGTERM) != 0)
    {
        return -1;
    }

    /* without a file SIGHUP ends the process, as it does others */

    if (c->options->config_file != NULL) {
        c->on_terminal = has_terminal();

        if (start_signal(c, &c->sighup, SIGHUP) != 0) {
            return -1;
        }
    }

    inlets_log_attach(&c->loop);

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
    uv_close((uv_handle_t *) &c->prepare, NULL);
    uv_close((uv_handle_t *) &c->check, NULL);
    uv_close((uv_handle_t *) &c->sigint, NULL);
    uv_close((uv_handle_t *) &c->sigterm, NULL);
    uv_close((uv_handle_t *) &c->sighup, NULL);

    inlets_watch_destroy(c->watch);
    inlets_view_destroy(c->view);
    inlets_tunnels_destroy(c->tunnels);
    inlets_report_destroy(c->report);
    inlets_edge_unref(c->edge);
    inlets_log_detach();

    run_out(c);

    /* libwebsockets closes step by step, with turns of the loop in between */

    for (unsigned i = 0; i < LWS_CLOSING_STEPS; i++) {
        for (unsigned k = 0; k < 2; k++) {
            if (c->lws[k] != NULL) {
                lws_context_destroy(c->lws[k]);
            }
        }

        run_out(c);
    }

    if (uv_loop_close(&c->loop) != 0 && inlets_resolvers_stuck()) {
        _exit(c->status);
    }
}


static const char *
view_edge(void *data)
{
    struct inlets_client       *c = data;
    const struct inlets_url    *url = &c->edge->conf->remote;
    static char                 text[INLETS_URL_AUTHORITY
                                     + INLETS_URL_PATH + 8];
    char                        authority[INLETS_URL_AUTHORITY];

    inlets_url_authority(url, false, authority);
    snprintf(text, sizeof(text), "%s://%s%s", url->tls ? "wss" : "ws",
             authority, url->path);

    return text;
}


static size_t
view_count(void *data)
{
    struct inlets_client  *c = data;

    return inlets_tunnels_count(c->tunnels);
}


static void
view_tunnel(void *data, size_t i, struct inlets_view_tunnel *ret)
{
    struct inlets_client  *c = data;

    inlets_tunnels_show(c->tunnels, i, ret);
}


static void
start_view(struct inlets_client *c)
{
    const struct inlets_options      *o = c->options;
    const struct inlets_view_source   source = {
        .edge = view_edge,
        .count = view_count,
        .tunnel = view_tunnel,
        .requests = &c->requests,
        .data = c
    };

    c->requests.logged = o->log_requests;

    if (o->plain || o->log_format != INLETS_LOG_TEXT
        || !inlets_view_possible())
    {
        return;
    }

    c->view = inlets_view_create(&c->loop, &source);

    if (c->view == NULL) {
        inlets_log(INLETS_LOG_WARN, "no memory for the live view");
        return;
    }

    c->requests.wanted = true;
}


static int
start_client(struct inlets_client *c)
{
    const char          *file = c->options->config_file;
    struct inlets_conf  *conf;

    inlets_pool_init(&c->blocks, INLETS_MUX_BLOCK);

    conf = inlets_options_conf(c->options, true);

    if (conf == NULL) {
        return -1;
    }

    if (use_conf(c, conf) != INLETS_OK) {
        inlets_conf_unref(conf);
        return -1;
    }

    c->input = malloc(INLETS_INPUT_SIZE);
    c->tunnels = inlets_tunnels_create(c);

    if (file != NULL) {
        c->watch = inlets_watch_create(&c->loop, file, file_changed, c);
    }

    if (c->input == NULL || c->tunnels == NULL
        || (conf->report_url != NULL && c->report == NULL)
        || (file != NULL && c->watch == NULL))
    {
        inlets_log_fatal("no memory");
        return -1;
    }

    return 0;
}


static void
announce(const struct inlets_edge_conf *edge)
{
    inlets_log(INLETS_LOG_INFO, "Version: %s", INLETS_PROTOCOL_V2);

    if (edge->insecure && edge->remote.tls) {
        inlets_log(INLETS_LOG_WARN, "--insecure: THE EDGE'S CERTIFICATE IS NOT "
                   "VERIFIED, anyone on the way can read and change all "
                   "traffic");
    }

    if (!edge->remote.tls) {
        inlets_log(INLETS_LOG_DEBUG, "the connection to the edge is not "
                   "encrypted");
    }
}


int
inlets_client_run(const struct inlets_options *options)
{
    struct inlets_client  c = { .options = options, .status = EXIT_FAILURE };

    inlets_log_init(options->log_level, options->log_utc);
    inlets_log_set_format(options->log_format);

    (void) signal(SIGPIPE, SIG_IGN);
    (void) inlets_raise_descriptors();

    if (start_loop(&c) != 0) {
        inlets_log_fatal("cannot set up the event loop");
        return EXIT_FAILURE;
    }

    if (start_client(&c) == 0) {
        announce(c.edge->conf);
        start_view(&c);

        inlets_tunnels_apply(c.tunnels);

        if (!c.finishing) {
            (void) uv_run(&c.loop, UV_RUN_DEFAULT);
        }

        inlets_report_wait(c.report);
    }

    finish_loop(&c);

    inlets_conf_unref(c.conf);
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
