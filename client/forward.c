#include "forward.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "inlets_error.h"
#include "listener.h"
#include "pair.h"
#include "rlimit.h"


#define FORWARD_NAME_TTL     10000  /* ms, of the target's addresses */
#define FORWARD_PIPES        512    /* half of what the kernel lets a user */
#define FORWARD_DESCRIPTORS  64     /* not for connections */
#define FORWARD_TURNS        100    /* of the loop, at the end */


enum option_id {
    OPT_SOURCE = 0,
    OPT_TARGET,
    OPT_MAX_CONNECTIONS,
    OPT_CONNECT_TIMEOUT,
    OPT_IDLE_TIMEOUT,
    OPT_GRACE,
    OPT_NO_SPLICE,
    OPT_LOG_LEVEL,
    OPT_LOG_UTC,
    OPT_MAX
};


#define FIELD(name)  offsetof(struct inlets_forward_options, name)

static const struct inlets_arg  option_table[OPT_MAX] = {

    [OPT_SOURCE] = {
        .name = "source", .letter = 's', .env = "INLETS_FORWARD_SOURCE",
        .type = INLETS_ARG_TEXT, .value = "ADDR", .offset = FIELD(source_text),
        .help = "listen at host:port, or at :port of all" },

    [OPT_TARGET] = {
        .name = "target", .letter = 't', .env = "INLETS_FORWARD_TARGET",
        .type = INLETS_ARG_TEXT, .value = "ADDR", .offset = FIELD(target_text),
        .help = "connect to host:port, or to a port of 127.0.0.1" },

    [OPT_MAX_CONNECTIONS] = {
        .name = "max-connections", .env = "INLETS_MAX_CONNECTIONS",
        .type = INLETS_ARG_NUMBER, .value = "N",
        .offset = FIELD(max_connections),
        .min = 1, .max = 1000000, .number = 1024,
        .help = "connections at once; more have to wait" },

    [OPT_CONNECT_TIMEOUT] = {
        .name = "connect-timeout", .env = "INLETS_CONNECT_TIMEOUT",
        .type = INLETS_ARG_NUMBER, .value = "MS",
        .offset = FIELD(connect_timeout),
        .min = 1, .max = 3600000, .number = 10000,
        .help = "how long connecting to the target may take" },

    [OPT_IDLE_TIMEOUT] = {
        .name = "idle-timeout", .env = "INLETS_IDLE_TIMEOUT",
        .type = INLETS_ARG_NUMBER, .value = "MS",
        .offset = FIELD(idle_timeout),
        .max = 604800000, .preset = "never",
        .help = "reset what carries nothing for so long" },

    [OPT_GRACE] = {
        .name = "grace", .env = "INLETS_GRACE",
        .type = INLETS_ARG_NUMBER, .value = "MS", .offset = FIELD(grace),
        .max = 3600000, .number = 10000,
        .help = "how long connections may finish after SIGTERM" },

    [OPT_NO_SPLICE] = {
        .name = "no-splice", .env = "INLETS_NO_SPLICE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(no_splice),
        .help = "copy all bytes, never use splice(2)" },

    [OPT_LOG_LEVEL] = {
        .name = "log-level", .env = "INLETS_LOG_LEVEL",
        .type = INLETS_ARG_CHOICE, .value = "LEVEL",
        .choices = inlets_log_level_names,
        .offset = FIELD(log_level_text), .preset = "info",
        .help = "error, warn, info or debug (each connection)" },

    [OPT_LOG_UTC] = {
        .name = "log-utc", .env = "INLETS_LOG_UTC",
        .type = INLETS_ARG_FLAG, .offset = FIELD(log_utc),
        .help = "log in UTC, not in local time" },
};


const struct inlets_args  inlets_forward_args = {
    .table = option_table, .n = OPT_MAX, .command = "inlets forward"
};


static int
parse_address(const char *flag, const char *text, struct inlets_url *ret)
{
    int  rc;

    if (text == NULL || *text == '\0') {
        inlets_log_fatal("--%s is missing, see inlets forward --help", flag);
        return INLETS_E_INVALID;
    }

    rc = strstr(text, "://") != NULL ? INLETS_E_URL_SCHEME
                                     : inlets_url_upstream(text, ret);

    if (rc == INLETS_OK && ret->local_socket) {
        rc = INLETS_E_URL_SCHEME;
    }

    if (rc != INLETS_OK) {
        inlets_log_fatal("%s must be host:port, such as 127.0.0.1:3000, not "
                         "\"%s\": %s", flag, inlets_log_address(text),
                         inlets_strerror(rc));
    }

    return rc;
}


static int
check_options(struct inlets_forward_options *o)
{
    char  text[INLETS_URL_AUTHORITY] = "";
    int   n;

    o->any = o->source_text != NULL && *o->source_text == ':';

    if (o->any) {
        n = snprintf(text, sizeof(text), "[::]%s", o->source_text);

        if (n < 0 || (size_t) n >= sizeof(text)) {
            inlets_log_fatal("source: the address is too long");
            return INLETS_E_INVALID;
        }
    }

    if (parse_address("source", o->any ? text : o->source_text, &o->source)
        != INLETS_OK
        || parse_address("target", o->target_text, &o->target) != INLETS_OK)
    {
        return INLETS_E_INVALID;
    }

    return inlets_args_log_level(o->log_level_text, &o->log_level);
}


static enum inlets_options_result
parse_options(int argc, char **argv, struct inlets_forward_options *ret)
{
    enum inlets_arg_source      source[OPT_MAX] = { INLETS_ARG_DEFAULT };
    enum inlets_options_result  result;
    int                         word;

    result = inlets_args_parse(&inlets_forward_args, argc, argv, ret, source,
                               &word);

    if (result != INLETS_OPTIONS_RUN) {
        return result;
    }

    if (argc == 1 && ret->source_text == NULL && ret->target_text == NULL) {
        inlets_command_help(inlets_forward_args.command, 0, NULL);
        return INLETS_OPTIONS_DONE;
    }

    if (word < argc) {
        inlets_command_unexpected(inlets_forward_args.command, argv[word]);
        return INLETS_OPTIONS_ERROR;
    }

    return check_options(ret) == INLETS_OK ? INLETS_OPTIONS_RUN
                                           : INLETS_OPTIONS_ERROR;
}


void
inlets_forward_peer(const union inlets_address *address,
    char ret[INLETS_FORWARD_PEER])
{
    static const uint8_t  mapped[12] = { [10] = 0xff, [11] = 0xff };

    const uint8_t         *bytes = address->in6.sin6_addr.s6_addr;
    union inlets_address   ip4;
    char                   text[INLETS_ADDRESS_TEXT];
    bool                   ip6 = address->sa.sa_family == AF_INET6;
    unsigned               port;

    port = ntohs(ip6 ? address->in6.sin6_port : address->in.sin_port);

    if (ip6 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        memset(&ip4, 0, sizeof(ip4));
        ip4.in.sin_family = AF_INET;
        memcpy(&ip4.in.sin_addr, bytes + sizeof(mapped), 4);
        address = &ip4;
        ip6 = false;
    }

    inlets_address_format(address, text);
    snprintf(ret, INLETS_FORWARD_PEER, ip6 ? "[%s]:%u" : "%s:%u", text, port);
}


static void
finish(struct inlets_forward *f, int status)
{
    f->status = status;
    uv_stop(&f->loop);
}


void
inlets_forward_ended(struct inlets_forward *f)
{
    if (!f->stopping) {
        inlets_listeners_resume(f);

    } else if (f->n_pairs == 0) {
        finish(f, EXIT_SUCCESS);
    }
}


static void
cut(struct inlets_forward *f, const char *why)
{
    if (f->n_pairs > 0) {
        inlets_log(INLETS_LOG_WARN, "%s: %zu connection%s cut", why, f->n_pairs,
                   f->n_pairs == 1 ? " is" : "s are");
        inlets_pairs_cut(f);
    }

    finish(f, EXIT_SUCCESS);
}


static void
grace_over(uv_timer_t *timer)
{
    cut(timer->data, "the grace period is over");
}


static void
signal_caught(uv_signal_t *handle, int signum)
{
    struct inlets_forward  *f = handle->data;
    const char             *name = signum == SIGINT ? "SIGINT" : "SIGTERM";

    if (f->stopping) {
        cut(f, name);
        return;
    }

    f->stopping = true;

    inlets_resolve_cancel(&f->source_wait);
    inlets_listeners_close(f);

    inlets_log(INLETS_LOG_INFO, "%s: shutting down, %zu connection%s open",
               name, f->n_pairs, f->n_pairs == 1 ? "" : "s");

    if (f->n_pairs == 0) {
        finish(f, EXIT_SUCCESS);
        return;
    }

    (void) uv_timer_start(&f->grace, grace_over, f->options->grace, 0);
}


static void
source_resolved(void *data, const struct inlets_addresses *addresses,
    const char *error)
{
    struct inlets_forward               *f = data;
    const struct inlets_forward_options *o = f->options;
    char                                 source[INLETS_URL_AUTHORITY];
    char                                 target[INLETS_URL_AUTHORITY];
    struct inlets_addresses              ip4 = { .n = 1 };

    (void) inlets_url_authority(&o->source, true, source);
    (void) inlets_url_authority(&o->target, true, target);

    if (error != NULL) {
        inlets_log_fatal("cannot listen on %s: %s", source, error);
        finish(f, EXIT_FAILURE);
        return;
    }

    if (o->any && !inlets_listeners_ip6()) {
        ip4.list[0].in.sin_family = AF_INET;
        ip4.list[0].in.sin_port = htons(o->source.port);
        addresses = &ip4;
    }

    if (inlets_listeners_open(f, addresses) != 0) {
        finish(f, EXIT_FAILURE);
        return;
    }

    inlets_log_notice("Forwarding: %s -> %s",
                      o->any ? o->source_text : source, target);
}


/* A connection takes two descriptors, and pipes what is left. */

static void
set_limits(struct inlets_forward *f, size_t *ret_pipes)
{
    const struct inlets_forward_options  *o = f->options;
    size_t  descriptors = inlets_raise_descriptors();
    size_t  most;

    descriptors -= descriptors > FORWARD_DESCRIPTORS ? FORWARD_DESCRIPTORS
                                                     : descriptors / 2;
    most = descriptors / 2;
    f->max_pairs = o->max_connections;

    if (f->max_pairs > most) {
        inlets_log(INLETS_LOG_WARN, "%u connections would need more open files "
                   "than are allowed (ulimit -n): no more than %zu at once",
                   o->max_connections, most);
        f->max_pairs = most;
    }

    *ret_pipes = (descriptors - 2 * f->max_pairs) / 2;

    if (*ret_pipes > FORWARD_PIPES) {
        *ret_pipes = FORWARD_PIPES;
    }
}


static int
start(struct inlets_forward *f)
{
    size_t  pipes;

    if (uv_signal_start(&f->sigint, signal_caught, SIGINT) != 0
        || uv_signal_start(&f->sigterm, signal_caught, SIGTERM) != 0)
    {
        inlets_log_fatal("cannot set up the event loop");
        return -1;
    }

    set_limits(f, &pipes);

    f->source = inlets_resolver_create(&f->loop, &f->options->source, 0);
    f->target = inlets_resolver_create(&f->loop, &f->options->target,
                                       FORWARD_NAME_TTL);

    if (f->source == NULL || f->target == NULL
        || inlets_flows_init(&f->flows, !f->options->no_splice, pipes) != 0)
    {
        inlets_log_fatal("no memory");
        return -1;
    }

    return 0;
}


static void
init_handles(struct inlets_forward *f)
{
    (void) uv_signal_init(&f->loop, &f->sigint);
    (void) uv_signal_init(&f->loop, &f->sigterm);
    (void) uv_timer_init(&f->loop, &f->grace);
    (void) uv_timer_init(&f->loop, &f->pause);

    f->sigint.data = f;
    f->sigterm.data = f;
    f->grace.data = f;
    f->pause.data = f;
}


/* False: the process can only end by _exit(). */

static bool
close_all(struct inlets_forward *f)
{
    bool  closed;

    f->stopping = true;

    inlets_resolve_cancel(&f->source_wait);
    inlets_listeners_close(f);
    inlets_pairs_cut(f);

    uv_close((uv_handle_t *) &f->sigint, NULL);
    uv_close((uv_handle_t *) &f->sigterm, NULL);
    uv_close((uv_handle_t *) &f->grace, NULL);
    uv_close((uv_handle_t *) &f->pause, NULL);

    inlets_resolver_destroy(f->source);
    inlets_resolver_destroy(f->target);
    inlets_log_detach();

    for (unsigned n = 0; n < FORWARD_TURNS; n++) {
        if (uv_run(&f->loop, UV_RUN_NOWAIT) == 0) {
            break;
        }
    }

    closed = uv_loop_close(&f->loop) == 0;
    inlets_flows_finish(&f->flows);

    return closed || !inlets_resolvers_stuck();
}


static void
report(const struct inlets_forward_counts *c)
{
    inlets_log_notice("Forwarded: %llu connection%s, %llu failed; %llu bytes "
                      "to the target, %llu bytes back",
                      (unsigned long long) c->connections,
                      c->connections == 1 ? "" : "s",
                      (unsigned long long) c->failed,
                      (unsigned long long) c->to_target,
                      (unsigned long long) c->to_visitors);
}


static int
run(const struct inlets_forward_options *options)
{
    struct inlets_forward  f = { .options = options, .status = EXIT_FAILURE };
    bool                   listened = false, closed;

    inlets_log_init(options->log_level, options->log_utc);

    (void) signal(SIGPIPE, SIG_IGN);

    if (uv_loop_init(&f.loop) != 0) {
        inlets_log_fatal("cannot set up the event loop");
        return EXIT_FAILURE;
    }

    inlets_log_attach(&f.loop);
    init_handles(&f);

    if (start(&f) == 0) {
        inlets_resolve(f.source, &f.source_wait, source_resolved, &f);
        (void) uv_run(&f.loop, UV_RUN_DEFAULT);
        listened = f.status == EXIT_SUCCESS;
    }

    closed = close_all(&f);

    if (listened) {
        report(&f.counts);
        inlets_log_detach();
    }

    if (!closed) {
        _exit(f.status);
    }

    return f.status;
}


int
inlets_forward_main(int argc, char **argv)
{
    struct inlets_forward_options  options = { .any = false };

    switch (parse_options(argc, argv, &options)) {

    case INLETS_OPTIONS_RUN:
        return run(&options);

    case INLETS_OPTIONS_DONE:
        return EXIT_SUCCESS;

    default:
        return EXIT_FAILURE;
    }
}
