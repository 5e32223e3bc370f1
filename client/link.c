#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "conn.h"
#include "inlets_error.h"
#include "inlets_protocol.h"
#include "inlets_ws.h"
#include "log.h"
#include "session.h"
#include "stream.h"


#define LINK_IOV           64
#define LINK_FLUSH_ROUNDS  16       /* then others get their turn */
#define LINK_READS         4

#define LINK_SILENCE       15000    /* ms without a byte: ask with a ping */
#define LINK_DEAD          35000    /* ms without a byte: the peer is dead */

/* of a stream, 2 million before the edge has none left, and no use for it */
#define LINK_ID_WORN       (UINT32_MAX - (1u << 22))

#define LINK_TX_MAX        (512 * 1024)
#define LINK_WINDOW_TOTAL  (32 * 1024 * 1024)


static void link_connected(struct inlets_conn *c);
static void link_failed(struct inlets_conn *c, const char *why);
static void link_readable(struct inlets_conn *c);
static void link_writable(struct inlets_conn *c);
static void link_closed(struct inlets_conn *c);


static const struct inlets_conn_handlers  link_handlers = {
    .connected = link_connected,
    .failed = link_failed,
    .readable = link_readable,
    .writable = link_writable,
    .closed = link_closed
};


static uint64_t
now_ms(const struct inlets_link *link)
{
    return uv_now(&link->client->loop);
}


static uint64_t
now_us(void)
{
    return uv_hrtime() / 1000;
}


static void *
mux_alloc(void *ctx, size_t size)
{
    return inlets_pool_alloc(ctx, size);
}


static void
mux_free(void *ctx, void *p, size_t size)
{
    inlets_pool_free(ctx, p, size);
}


static void
mux_random(void *ctx, void *buf, size_t size)
{
    (void) ctx;

    if (RAND_bytes(buf, (int) size) != 1) {
        /* OpenSSL could not even seed its generator */
        abort();
    }
}


static void
remove_dirty(struct inlets_link *link)
{
    struct inlets_link  **p;

    for (p = &link->client->dirty; *p != NULL; p = &(*p)->next_dirty) {
        if (*p == link) {
            *p = link->next_dirty;
            break;
        }
    }

    link->next_dirty = NULL;
    link->dirty = false;
}


static void
free_head(struct inlets_link *link)
{
    free(link->head);
    link->head = NULL;
}


int
inlets_link_open(struct inlets_link *link, const struct inlets_link_conf *conf)
{
    struct inlets_conn_conf  cc = {
        .loop = &link->client->loop,
        .address = &conf->address,
        .tls = conf->edge->tls,
        .handlers = &link_handlers,
        .data = link
    };
    int                      n;

    link->head = malloc(INLETS_HANDSHAKE_MAX);

    if (link->head == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    n = inlets_handshake_request(&link->handshake,
                                 &conf->edge->conf->remote,
                                 conf->client_id, conf->container_id,
                                 conf->key, link->head, INLETS_HANDSHAKE_MAX);

    if (n < 0) {
        free_head(link);
        return n;
    }

    link->conn = inlets_conn_create(&cc);

    if (link->conn == NULL) {
        free_head(link);
        return INLETS_E_INVALID;
    }

    link->request_len = (size_t) n;
    link->request_sent = 0;
    link->head_len = 0;
    link->window = conf->window;
    link->max_streams = conf->edge->conf->max_streams;
    link->state = INLETS_LINK_CONNECTING;
    link->deadline = now_ms(link) + INLETS_HANDSHAKE_TIMEOUT;

    return INLETS_OK;
}


void
inlets_link_close(struct inlets_link *link)
{
    if (link->state == INLETS_LINK_CLOSED) {
        return;
    }

    while (link->streams != NULL) {
        inlets_stream_destroy(link->streams);
    }

    if (link->dirty) {
        remove_dirty(link);
    }

    if (link->mux != NULL) {
        struct iovec  iov[LINK_IOV];
        size_t        n;

        /* a last attempt, without waiting */

        inlets_mux_close(link->mux, INLETS_WS_CLOSE_NORMAL, NULL);

        if (!link->blocked) {
            n = inlets_mux_output(link->mux, iov, LINK_IOV);
            (void) inlets_conn_writev(link->conn, iov, n);
        }

        inlets_mux_destroy(link->mux);
        link->mux = NULL;
    }

    inlets_conn_close(link->conn);
    link->conn = NULL;

    free_head(link);

    link->state = INLETS_LINK_CLOSED;
    link->deadline = 0;
    link->blocked = false;
    link->leaving = false;
}


static void
link_end(struct inlets_link *link, const char *why)
{
    inlets_link_close(link);
    inlets_session_link_down(link->session, link, why);
}


static void
link_failed(struct inlets_conn *c, const char *why)
{
    link_end(inlets_conn_data(c), why);
}


static void
link_closed(struct inlets_conn *c)
{
    /* the link has let go of it, and may be gone */
    (void) c;
}


static void
send_request(struct inlets_link *link)
{
    while (link->request_sent < link->request_len) {
        struct iovec  iov = {
            .iov_base = link->head + link->request_sent,
            .iov_len = link->request_len - link->request_sent
        };
        ssize_t       n = inlets_conn_writev(link->conn, &iov, 1);

        if (n == INLETS_CONN_ERROR) {
            link_end(link, inlets_conn_error(link->conn));
            return;
        }

        if (n == INLETS_CONN_AGAIN) {
            inlets_conn_want_write(link->conn, true);
            return;
        }

        link->request_sent += (size_t) n;
    }

    inlets_conn_want_write(link->conn, !inlets_conn_flush(link->conn));
}


static void
link_connected(struct inlets_conn *c)
{
    struct inlets_link  *link = inlets_conn_data(c);

    link->state = INLETS_LINK_HANDSHAKE;

    send_request(link);
}


static void
process_events(struct inlets_link *link)
{
    struct inlets_mux_stream  *ms;
    unsigned                   events;

    while ((ms = inlets_mux_next(link->mux, &events)) != NULL) {

        if (events & INLETS_MUX_EV_OPEN) {

            if (inlets_mux_id(ms) > LINK_ID_WORN) {
                inlets_session_link_worn(link->session);
            }

            inlets_stream_open(link, ms);

        } else {
            inlets_stream_event(inlets_mux_data(ms), events);
        }
    }
}


/* False: the link has ended. */

static bool
mux_input(struct inlets_link *link, uint8_t *buf, size_t len)
{
    int  rc;

    link->received = now_ms(link);

    rc = inlets_mux_input(link->mux, buf, len, now_us());

    process_events(link);

    if (rc < 0) {
        inlets_log(INLETS_LOG_WARN, "link: the edge broke the protocol: %s "
                   "(stream %u)", inlets_strerror(rc),
                   (unsigned) inlets_mux_error_stream(link->mux));
        inlets_mux_close(link->mux, inlets_ws_close_code(rc),
                         inlets_strerror(rc));
        link_end(link, inlets_strerror(rc));
        return false;
    }

    if (inlets_mux_close_received(link->mux)) {
        link_end(link, "closed by the edge");
        return false;
    }

    if (link->leaving && inlets_mux_go_away_seen(link->mux)) {
        inlets_session_link_left(link->session);
    }

    inlets_link_touch(link);

    return true;
}


static int
make_mux(struct inlets_link *link)
{
    struct inlets_mux_conf  conf = {
        .carrier = INLETS_MUX_WS_CLIENT,
        .client = true,
        .accept = true,
        .max_streams = link->max_streams,
        .window_max = link->window,
        .window_total = LINK_WINDOW_TOTAL,
        .tx_max = LINK_TX_MAX,
        .alloc = mux_alloc,
        .free = mux_free,
        .random = mux_random,
        .ctx = &link->client->blocks
    };

    link->mux = inlets_mux_create(&conf);

    return link->mux != NULL ? INLETS_OK : INLETS_E_NO_MEMORY;
}


/* False: the link has ended.  Bytes after the answer are the mux's. */

static bool
read_answer(struct inlets_link *link, uint8_t *buf, size_t len)
{
    const char  *fault = "";
    size_t       room = INLETS_HANDSHAKE_MAX - link->head_len;
    size_t       before = link->head_len;
    size_t       rest;
    ssize_t      n;

    if (link->request_sent < link->request_len) {
        link_end(link, "the edge answered before it was asked");
        return false;
    }

    room = len < room ? len : room;
    memcpy(link->head + link->head_len, buf, room);
    link->head_len += room;

    n = inlets_handshake_answer(&link->handshake, link->head, link->head_len,
                                &fault);

    if (n == INLETS_NEED_MORE) {
        return true;
    }

    if (n < 0) {
        link_end(link, fault);
        return false;
    }

    rest = (size_t) n - before;

    if (make_mux(link) != INLETS_OK) {
        link_end(link, "no memory");
        return false;
    }

    free_head(link);

    link->state = INLETS_LINK_OPEN;
    link->received = now_ms(link);
    link->deadline = link->received + LINK_SILENCE;

    inlets_session_link_up(link->session, link);

    if (link->state == INLETS_LINK_OPEN && rest < len) {
        return mux_input(link, buf + rest, len - rest);
    }

    return link->state == INLETS_LINK_OPEN;
}


static void
link_readable(struct inlets_conn *c)
{
    struct inlets_link    *link = inlets_conn_data(c);
    struct inlets_client  *client = link->client;
    bool                   on = true;

    for (unsigned i = 0; i < LINK_READS || (on && inlets_conn_more(c)); i++) {
        ssize_t  n = inlets_conn_read(c, client->input, INLETS_INPUT_SIZE);

        if (n == INLETS_CONN_AGAIN) {
            return;
        }

        if (n == INLETS_CONN_EOF) {
            link_end(link, "connection closed by the edge");
            return;
        }

        if (n == INLETS_CONN_ERROR) {
            link_end(link, inlets_conn_error(c));
            return;
        }

        if (link->state == INLETS_LINK_OPEN) {
            on = mux_input(link, client->input, (size_t) n);

        } else {
            on = read_answer(link, client->input, (size_t) n);
        }

        if (!on) {
            return;
        }

        if (client->tls == NULL && n < INLETS_INPUT_SIZE) {
            return;
        }
    }
}


static void
link_flush(struct inlets_link *link)
{
    struct iovec  iov[LINK_IOV];

    for (unsigned i = 0; i < LINK_FLUSH_ROUNDS; i++) {
        size_t   n = inlets_mux_output(link->mux, iov, LINK_IOV);
        ssize_t  sent;

        if (n == 0) {
            if (!inlets_mux_ready(link->mux)) {
                break;
            }

            process_events(link);
            continue;
        }

        sent = inlets_conn_writev(link->conn, iov, n);

        if (sent == INLETS_CONN_ERROR) {
            link_end(link, inlets_conn_error(link->conn));
            return;
        }

        if (sent == INLETS_CONN_AGAIN) {
            break;
        }

        inlets_mux_sent(link->mux, (size_t) sent);
        process_events(link);
    }

    link->blocked = inlets_mux_pending(link->mux)
                    || inlets_mux_ready(link->mux)
                    || !inlets_conn_flush(link->conn);

    inlets_conn_want_write(link->conn, link->blocked);
}


static void
link_writable(struct inlets_conn *c)
{
    struct inlets_link  *link = inlets_conn_data(c);

    if (link->state == INLETS_LINK_OPEN) {
        link_flush(link);

    } else {
        send_request(link);
    }
}


void
inlets_link_touch(struct inlets_link *link)
{
    if (link->dirty || link->blocked || link->state != INLETS_LINK_OPEN) {
        return;
    }

    link->dirty = true;
    link->next_dirty = link->client->dirty;
    link->client->dirty = link;
}


void
inlets_link_flush_all(struct inlets_client *client)
{
    struct inlets_link  *link;

    while ((link = client->dirty) != NULL) {
        client->dirty = link->next_dirty;
        link->next_dirty = NULL;

        /* streams that are woken by flushing don't make it dirty again */

        link_flush(link);
        link->dirty = false;
    }
}


void
inlets_link_leave(struct inlets_link *link)
{
    if (link->state != INLETS_LINK_OPEN || link->leaving) {
        return;
    }

    link->leaving = true;

    inlets_mux_go_away(link->mux);
    inlets_link_touch(link);
}


bool
inlets_link_has_left(const struct inlets_link *link)
{
    return link->state != INLETS_LINK_OPEN
           || (link->leaving && inlets_mux_go_away_seen(link->mux));
}


void
inlets_link_check(struct inlets_link *link, uint64_t now)
{
    uint64_t  silence;

    if (link->deadline == 0 || now < link->deadline) {
        return;
    }

    if (link->state != INLETS_LINK_OPEN) {
        link_end(link, "timed out");
        return;
    }

    silence = now > link->received ? now - link->received : 0;

    if (silence >= LINK_DEAD) {
        link_end(link, "no answer to pings");
        return;
    }

    if (silence < LINK_SILENCE) {
        link->deadline = link->received + LINK_SILENCE;
        return;
    }

    (void) inlets_mux_ping(link->mux, now_us());
    inlets_link_touch(link);

    link->deadline = link->received + LINK_DEAD;
}
