#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "client.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "inlets_proxy2.h"
#include "link.h"
#include "log.h"
#include "session.h"


#define STREAM_CONNECT_TIMEOUT  10000   /* ms, for all addresses together */
#define STREAM_IDLE             1000    /* ms */
#define STREAM_PIECES           16      /* in one write */
#define PROXY2_FIXED            16      /* its length is known after these */


enum stream_state {
    STREAM_HEAD = 0,        /* the PROXY header is not complete */
    STREAM_RESOLVING,
    STREAM_CONNECTING,
    STREAM_OPEN,
    STREAM_CLOSED
};


/*
 * What only a young stream needs; freed once the local service is connected.
 */

struct stream_setup {
    struct inlets_resolve_wait  wait;
    struct inlets_addresses     addresses;
    size_t                      address;    /* the next to be tried */
    int                         error;      /* of the last attempt */
    size_t                      head_len;
    uint8_t                     head[INLETS_PROXY2_MAX];
};


struct inlets_stream {
    struct inlets_link        *link;
    struct inlets_mux_stream  *ms;
    struct inlets_stream      *next;        /* of the link */
    struct inlets_stream     **prev;

    struct stream_setup       *setup;
    uv_timer_t                *timer;       /* of connecting */
    uint8_t                   *pending;     /* a block being written */

    enum stream_state          state;
    bool                       reading;     /* from the local service */
    bool                       reserved;    /* room for a read under way */
    bool                       local_eof;   /* passed on as FIN */
    bool                       local_shut;  /* FIN passed on to the service */
    bool                       shut_done;
    bool                       tcp_active;  /* the handle is to be closed */
    bool                       answered;    /* the service spoke last */
    uint64_t                   spoke;       /* ms, when that was */

    uv_tcp_t                   tcp;

    union {
        uv_connect_t           connect;
        uv_write_t             write;
        uv_shutdown_t          shutdown;
    } request;                              /* one at a time */
};


static void connect_next(struct inlets_stream *s);
static void pump_to_local(struct inlets_stream *s);
static void read_local(struct inlets_stream *s);


static void
tcp_closed(uv_handle_t *handle)
{
    struct inlets_stream  *s = handle->data;

    free(s);
}


static void
timer_closed(uv_handle_t *handle)
{
    free(handle);
}


static void
end_setup(struct inlets_stream *s)
{
    if (s->timer != NULL) {
        uv_close((uv_handle_t *) s->timer, timer_closed);
        s->timer = NULL;
    }

    if (s->setup != NULL) {
        inlets_resolve_cancel(&s->setup->wait);
        free(s->setup);
        s->setup = NULL;
    }
}


/*
 * Lets go of the mux stream, closes the local side (with RST if abortive) and
 * frees s as soon as libuv is done with it.
 */

static void
stream_close(struct inlets_stream *s, bool abortive)
{
    struct inlets_link  *link = s->link;

    if (s->state == STREAM_CLOSED) {
        return;
    }

    s->state = STREAM_CLOSED;

    end_setup(s);

    if (s->reserved) {
        inlets_mux_commit(s->ms, 0);
        s->reserved = false;
    }

    inlets_mux_release(s->ms);
    s->ms = NULL;
    inlets_link_touch(link);

    *s->prev = s->next;

    if (s->next != NULL) {
        s->next->prev = s->prev;
    }

    link->nstreams--;
    s->link = NULL;

    if (!s->tcp_active) {
        free(s);

    } else if (uv_is_closing((uv_handle_t *) &s->tcp)) {
        /* a failed attempt; its callback frees s */

    } else if (!abortive || s->local_shut
               || uv_tcp_close_reset(&s->tcp, tcp_closed) != 0)
    {
        /* pending is freed by the callback of its write */
        uv_close((uv_handle_t *) &s->tcp, tcp_closed);
    }

    inlets_session_stream_ended(link->session);
}


static void
stream_reset(struct inlets_stream *s)
{
    inlets_mux_reset(s->ms);
    stream_close(s, true);
}


void
inlets_stream_destroy(struct inlets_stream *stream)
{
    stream_close(stream, true);
}


static void
stream_refuse(struct inlets_stream *s, const char *why)
{
    inlets_local_refused(inlets_session_local(s->link->session),
                         uv_now(&s->link->client->loop), why);
    stream_reset(s);
}


static void
finish_if_done(struct inlets_stream *s)
{
    if (s->local_eof && s->shut_done) {
        stream_close(s, false);
    }
}


static void
connect_timeout(uv_timer_t *timer)
{
    stream_refuse(timer->data, "connecting timed out");
}


static void
resolved(void *data, const struct inlets_addresses *addresses,
    const char *error)
{
    struct inlets_stream  *s = data;

    if (error != NULL) {
        stream_refuse(s, error);
        return;
    }

    s->state = STREAM_CONNECTING;
    s->setup->addresses = *addresses;
    s->setup->address = 0;

    connect_next(s);
}


static int
start_timer(struct inlets_stream *s)
{
    s->timer = malloc(sizeof(*s->timer));

    if (s->timer == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    (void) uv_timer_init(&s->link->client->loop, s->timer);
    s->timer->data = s;
    (void) uv_timer_start(s->timer, connect_timeout, STREAM_CONNECT_TIMEOUT, 0);

    return INLETS_OK;
}


static void
connect_local(struct inlets_stream *s)
{
    s->state = STREAM_RESOLVING;

    if (start_timer(s) != INLETS_OK) {
        stream_refuse(s, "no memory");
        return;
    }

    inlets_resolve(inlets_session_local(s->link->session)->resolver,
                   &s->setup->wait, resolved, s);
}


static void
connected(uv_connect_t *request, int status)
{
    struct inlets_stream  *s = request->handle->data;

    if (s->state != STREAM_CONNECTING) {
        return;
    }

    if (status != 0) {
        s->setup->error = status;
        connect_next(s);
        return;
    }

    s->state = STREAM_OPEN;
    end_setup(s);

    (void) uv_tcp_nodelay(&s->tcp, 1);

    pump_to_local(s);

    if (s->state == STREAM_OPEN) {
        read_local(s);
    }
}


static void
attempt_closed(uv_handle_t *handle)
{
    struct inlets_stream  *s = handle->data;

    s->tcp_active = false;

    if (s->state == STREAM_CLOSED) {
        free(s);
        return;
    }

    connect_next(s);
}


/*
 * Tries the next address.  A handle that was used for the one before has to be
 * closed first.
 */

static void
connect_next(struct inlets_stream *s)
{
    struct stream_setup         *setup = s->setup;
    const union inlets_address  *address;
    int                          rc;

    if (setup->address == setup->addresses.n) {
        stream_refuse(s, uv_strerror(setup->error));
        return;
    }

    if (s->tcp_active) {
        if (!uv_is_closing((uv_handle_t *) &s->tcp)) {
            uv_close((uv_handle_t *) &s->tcp, attempt_closed);
        }

        return;
    }

    address = &setup->addresses.list[setup->address++];

    rc = uv_tcp_init(&s->link->client->loop, &s->tcp);

    if (rc != 0) {
        stream_refuse(s, uv_strerror(rc));
        return;
    }

    s->tcp.data = s;
    s->tcp_active = true;

    rc = uv_tcp_connect(&s->request.connect, &s->tcp, &address->sa, connected);

    if (rc != 0) {
        setup->error = rc;
        connect_next(s);
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


/* Not one byte more than the header is taken from the stream. */

static void
read_head(struct inlets_stream *s)
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
            stream_reset(s);
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
        stream_reset(s);
        return;
    }

    log_visitor(s, &head);
    connect_local(s);
}


static void
shut_done(uv_shutdown_t *request, int status)
{
    struct inlets_stream  *s = request->handle->data;

    /* an error here is found by reading */
    (void) status;

    s->shut_done = true;

    if (s->state == STREAM_OPEN) {
        finish_if_done(s);
    }
}


static void
written(uv_write_t *request, int status)
{
    struct inlets_stream  *s = request->handle->data;
    struct inlets_client  *client = request->handle->loop->data;

    inlets_pool_free(&client->blocks, s->pending, INLETS_MUX_BLOCK);
    s->pending = NULL;

    if (s->state != STREAM_OPEN) {
        return;
    }

    if (status != 0) {
        stream_reset(s);
        return;
    }

    pump_to_local(s);
}


/*
 * The socket takes no more: a block of unread data is handed to libuv, which
 * copies nothing and tells when it is gone.  The rest waits in the mux, where
 * the window bounds it.
 */

static void
write_later(struct inlets_stream *s)
{
    struct inlets_client  *client = s->link->client;
    ssize_t                n;
    uv_buf_t               buf;

    s->pending = inlets_pool_alloc(&client->blocks, INLETS_MUX_BLOCK);

    if (s->pending == NULL) {
        stream_reset(s);
        return;
    }

    n = inlets_mux_read(s->ms, s->pending, INLETS_MUX_BLOCK);

    if (n > 0) {
        buf = uv_buf_init((char *) s->pending, (unsigned) n);

        if (uv_write(&s->request.write, (uv_stream_t *) &s->tcp, &buf, 1,
                     written)
            == 0)
        {
            return;
        }
    }

    inlets_pool_free(&client->blocks, s->pending, INLETS_MUX_BLOCK);
    s->pending = NULL;
    stream_reset(s);
}


/* As much as there is in one write: what was written, or negative. */

static int
write_now(struct inlets_stream *s, const struct iovec *iov, size_t n)
{
    uv_buf_t  bufs[STREAM_PIECES];

    for (size_t i = 0; i < n; i++) {
        bufs[i] = uv_buf_init(iov[i].iov_base, (unsigned) iov[i].iov_len);
    }

    return uv_try_write((uv_stream_t *) &s->tcp, bufs, (unsigned) n);
}


static void
pump_to_local(struct inlets_stream *s)
{
    struct iovec  iov[STREAM_PIECES];
    ssize_t       n;
    size_t        pieces;
    int           rc;

    if (s->pending != NULL || s->local_shut) {
        return;
    }

    while ((n = inlets_mux_peekv(s->ms, iov, STREAM_PIECES, &pieces)) > 0) {
        rc = write_now(s, iov, pieces);

        if (rc < 0 && rc != UV_EAGAIN) {
            stream_reset(s);
            return;
        }

        if (rc > 0) {
            s->answered = false;
            inlets_mux_consume(s->ms, (size_t) rc);
            inlets_link_touch(s->link);
        }

        if (rc < n) {
            write_later(s);
            return;
        }
    }

    if (n == INLETS_MUX_EOF) {
        s->local_shut = true;

        if (uv_shutdown(&s->request.shutdown, (uv_stream_t *) &s->tcp,
                        shut_done)
            != 0)
        {
            stream_reset(s);
        }
    }
}


static void
reserve(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct inlets_stream  *s = handle->data;
    uint8_t               *data = NULL;
    ssize_t                n;

    (void) suggested;

    n = inlets_mux_reserve(s->ms, &data);

    s->reserved = n > 0;
    *buf = uv_buf_init((char *) data, n > 0 ? (unsigned) n : 0);
}


static void
local_readable(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct inlets_stream  *s = stream->data;

    (void) buf;

    if (s->reserved) {
        inlets_mux_commit(s->ms, n > 0 ? (size_t) n : 0);
        s->reserved = false;
        inlets_link_touch(s->link);
    }

    if (n > 0) {
        s->answered = true;
        s->spoke = uv_now(stream->loop);
    }

    if (n >= 0) {
        return;
    }

    if (n == UV_ENOBUFS) {
        /* goes on with EV_WRITE */
        (void) uv_read_stop(stream);
        s->reading = false;
        return;
    }

    if (n == UV_EOF) {
        (void) uv_read_stop(stream);
        s->reading = false;
        s->local_eof = true;
        inlets_mux_shutdown(s->ms);
        inlets_link_touch(s->link);

        finish_if_done(s);
        return;
    }

    stream_reset(s);
}


static void
read_local(struct inlets_stream *s)
{
    if (s->reading || s->local_eof) {
        return;
    }

    if (uv_read_start((uv_stream_t *) &s->tcp, reserve, local_readable) != 0) {
        stream_reset(s);
        return;
    }

    s->reading = true;
}


void
inlets_stream_open(struct inlets_link *link, struct inlets_mux_stream *ms)
{
    struct inlets_stream  *s;

    s = calloc(1, sizeof(*s));

    if (s == NULL) {
        goto failed;
    }

    s->setup = calloc(1, sizeof(*s->setup));

    if (s->setup == NULL || link->leaving) {
        goto failed;
    }

    s->link = link;
    s->ms = ms;
    s->next = link->streams;
    s->prev = &link->streams;

    if (s->next != NULL) {
        s->next->prev = &s->next;
    }

    link->streams = s;
    link->nstreams++;

    inlets_mux_set_data(ms, s);

    read_head(s);

    return;

failed:

    if (s != NULL) {
        free(s->setup);
        free(s);
    }

    inlets_mux_reset(ms);
    inlets_mux_release(ms);
    inlets_link_touch(link);
}


struct inlets_stream *
inlets_stream_next(const struct inlets_stream *stream)
{
    return stream->next;
}


void
inlets_stream_end_idle(struct inlets_stream *stream, uint64_t now)
{
    struct inlets_stream  *s = stream;

    if (s->state != STREAM_OPEN || s->local_eof || s->local_shut
        || s->pending != NULL || !s->answered || now - s->spoke < STREAM_IDLE
        || inlets_mux_unread(s->ms) > 0)
    {
        return;
    }

    (void) uv_read_stop((uv_stream_t *) &s->tcp);
    s->reading = false;
    s->local_eof = true;

    inlets_mux_shutdown(s->ms);
    inlets_link_touch(s->link);
}


void
inlets_stream_event(struct inlets_stream *stream, unsigned events)
{
    struct inlets_stream  *s = stream;

    if (inlets_mux_is_reset(s->ms)) {
        stream_close(s, true);
        return;
    }

    if (s->state == STREAM_HEAD) {
        if (events & INLETS_MUX_EV_READ) {
            read_head(s);
        }

        return;
    }

    if (s->state != STREAM_OPEN) {
        return;
    }

    if (events & INLETS_MUX_EV_READ) {
        pump_to_local(s);
    }

    if ((events & INLETS_MUX_EV_WRITE) && s->state == STREAM_OPEN) {
        read_local(s);
    }
}
