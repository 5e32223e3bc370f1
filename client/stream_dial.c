/*
 * From a stream that the edge has opened to a connection to the local service.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "link.h"
#include "log.h"
#include "stream_impl.h"


#define PROXY2_FIXED  16        /* its length is known after these */
#define BUSY_PAUSE    20        /* ms, when a Unix socket's queue is full */


static void connect_next(struct inlets_stream *s);


static uint64_t
now_ms(const struct inlets_stream *s)
{
    return uv_now(&s->link->client->loop);
}


static void
setup_closed(uv_handle_t *handle)
{
    free(handle);
}


int
inlets_stream_setup(struct inlets_stream *s)
{
    s->setup = calloc(1, sizeof(*s->setup));

    if (s->setup == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    (void) uv_timer_init(&s->link->client->loop, &s->setup->timer);
    s->setup->timer.data = s;

    return INLETS_OK;
}


void
inlets_stream_setup_finish(struct inlets_stream *s)
{
    if (s->setup != NULL) {
        inlets_resolve_cancel(&s->setup->wait);
        uv_close((uv_handle_t *) &s->setup->timer, setup_closed);
        s->setup = NULL;
    }
}


static void
log_visitor(struct inlets_stream *s, const struct inlets_proxy2 *head)
{
    union inlets_address  from = { .sa.sa_family = AF_UNSPEC };
    char                  text[INLETS_ADDRESS_TEXT] = "unknown";

    if (!inlets_log_enabled(INLETS_LOG_DEBUG)) {
        return;
    }

    if (head->family == INLETS_PROXY2_INET) {
        from.sa.sa_family = AF_INET;
        memcpy(&from.in.sin_addr, head->src, 4);
        inlets_address_format(&from, text);

    } else if (head->family == INLETS_PROXY2_INET6) {
        from.sa.sa_family = AF_INET6;
        memcpy(&from.in6.sin6_addr, head->src, 16);
        inlets_address_format(&from, text);
    }

    inlets_log(INLETS_LOG_DEBUG, "stream %u: visitor %s, port %u, for %.*s",
               (unsigned) inlets_mux_id(s->ms), text, head->src_port,
               (int) head->authority_len, (const char *) head->authority);
}


/* What the local service is told of the visitor, before all else. */

static void
make_prefix(struct inlets_stream *s, const struct inlets_proxy2 *head)
{
    struct stream_setup   *setup = s->setup;
    struct inlets_proxy2   h = *head;
    int                    n = 0;

    h.authority_len = 0;
    h.unique_id_len = 0;
    h.local = h.family != INLETS_PROXY2_INET
              && h.family != INLETS_PROXY2_INET6;

    switch (s->local->conf->local.proxy_protocol) {

    case INLETS_PROXY_OFF:
        break;

    case INLETS_PROXY_V1:
        n = inlets_proxy1_write((char *) setup->prefix, sizeof(setup->prefix),
                                &h);
        break;

    case INLETS_PROXY_V2:
        n = inlets_proxy2_write(setup->prefix, sizeof(setup->prefix), &h);
        break;
    }

    setup->prefix_len = n > 0 ? (size_t) n : 0;
}


static bool
is_late(const struct inlets_stream *s)
{
    return now_ms(s) >= s->setup->deadline;
}


static void
timer_fired(uv_timer_t *timer)
{
    struct inlets_stream  *s = timer->data;
    struct stream_setup   *setup = s->setup;

    if (s->conn != NULL) {
        setup->error = UV_ETIMEDOUT;
        inlets_conn_drop(s->conn);
        s->conn = NULL;
    }

    if (setup->addresses.n == 0 && s->local->resolver != NULL) {
        inlets_stream_refuse(s, "looking up its name timed out");
        return;
    }

    connect_next(s);
}


static void
resolved(void *data, const struct inlets_addresses *addresses,
    const char *error)
{
    struct inlets_stream  *s = data;

    if (error != NULL) {
        inlets_stream_refuse(s, error);
        return;
    }

    s->setup->addresses = *addresses;
    s->setup->address = 0;

    connect_next(s);
}


static void
dial(struct inlets_stream *s)
{
    struct stream_setup  *setup = s->setup;
    uint32_t              timeout = s->local->conf->local.connect_timeout;

    s->state = STREAM_DIALLING;
    setup->deadline = now_ms(s) + timeout;

    if (s->local->resolver == NULL) {
        connect_next(s);
        return;
    }

    (void) uv_timer_start(&setup->timer, timer_fired, timeout, 0);

    inlets_resolve(s->local->resolver, &setup->wait, resolved, s);
}


/* 0, or why not. */

static int
connect_to(struct inlets_stream *s, const union inlets_address *address)
{
    const struct inlets_url  *url = &s->local->conf->local.url;
    struct inlets_conn_conf   conf = {
        .loop = &s->link->client->loop,
        .address = address,
        .socket = url->local_socket ? url->path : NULL,
        .tls = s->local->tls,
        .prefix = s->setup->prefix,
        .prefix_len = s->setup->prefix_len,
        .handlers = &inlets_stream_handlers,
        .data = s
    };

    s->conn = inlets_conn_create(&conf);

    return s->conn != NULL ? 0 : -errno;
}


/* One attempt, which has the time that is left. */

static void
connect_socket(struct inlets_stream *s)
{
    struct stream_setup  *setup = s->setup;
    uint64_t              now = now_ms(s);
    uint64_t              left = setup->deadline - now;

    setup->error = connect_to(s, NULL);

    if (setup->error == UV_EAGAIN) {
        left = left < BUSY_PAUSE ? left : BUSY_PAUSE;

    } else if (setup->error != 0) {
        inlets_stream_refuse(s, uv_strerror(setup->error));
        return;
    }

    (void) uv_timer_start(&setup->timer, timer_fired, left, 0);
}


/* Each address gets its share of the time that is left. */

static void
connect_next(struct inlets_stream *s)
{
    struct stream_setup  *setup = s->setup;

    if (is_late(s)) {
        inlets_stream_refuse(s, "connecting timed out");
        return;
    }

    if (s->local->resolver == NULL) {
        connect_socket(s);
        return;
    }

    while (setup->address < setup->addresses.n) {
        size_t    i = setup->address++;
        uint64_t  left = setup->deadline - now_ms(s);

        setup->error = connect_to(s, &setup->addresses.list[i]);

        if (setup->error == 0) {
            (void) uv_timer_start(&setup->timer, timer_fired,
                                  left / (setup->addresses.n - i), 0);
            return;
        }
    }

    inlets_stream_refuse(s, uv_strerror(setup->error));
}


void
inlets_stream_failed(struct inlets_conn *c, const char *why)
{
    struct inlets_stream  *s = inlets_conn_data(c);
    struct stream_setup   *setup = s->setup;
    bool                   reached = inlets_conn_reached(c);

    /* why may be within c, which the loop frees */

    inlets_conn_drop(c);
    s->conn = NULL;

    if (reached || setup->address == setup->addresses.n) {
        inlets_stream_refuse(s, why);
        return;
    }

    connect_next(s);
}


/* Not one byte more than the header is taken from the stream. */

void
inlets_stream_read_head(struct inlets_stream *s)
{
    struct stream_setup   *setup = s->setup;
    struct inlets_proxy2   head;
    int                    rc;

    for ( ;; ) {
        size_t   want = PROXY2_FIXED;
        ssize_t  n;

        if (setup->head_len >= PROXY2_FIXED) {
            want += (size_t) (setup->head[14] << 8 | setup->head[15]);
        }

        if (want > sizeof(setup->head)) {
            rc = INLETS_E_PROXY_LENGTH;
            break;
        }

        n = inlets_mux_read(s->ms, setup->head + setup->head_len,
                            want - setup->head_len);

        if (n == INLETS_MUX_AGAIN) {
            return;
        }

        if (n < 0) {
            inlets_stream_reset(s);
            return;
        }

        setup->head_len += (size_t) n;

        rc = inlets_proxy2_parse(setup->head, setup->head_len, &head);

        if (rc != INLETS_NEED_MORE) {
            break;
        }
    }

    inlets_link_touch(s->link);

    if (rc < 0) {
        inlets_log(INLETS_LOG_WARN, "stream %u: the edge sent a wrong header: "
                   "%s", (unsigned) inlets_mux_id(s->ms), inlets_strerror(rc));
        inlets_stream_reset(s);
        return;
    }

    log_visitor(s, &head);
    make_prefix(s, &head);
    dial(s);
}
