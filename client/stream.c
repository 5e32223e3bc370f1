#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <uv.h>

#include "client.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "link.h"
#include "log.h"
#include "session.h"
#include "stream_impl.h"


#define STREAM_READS  32        /* then others get their turn */


static void stream_connected(struct inlets_conn *c);
static void stream_readable(struct inlets_conn *c);
static void stream_writable(struct inlets_conn *c);
static void stream_closed(struct inlets_conn *c);


const struct inlets_conn_handlers  inlets_stream_handlers = {
    .connected = stream_connected,
    .failed = inlets_stream_failed,
    .readable = stream_readable,
    .writable = stream_writable,
    .closed = stream_closed
};


static uint64_t
now_ms(const struct inlets_stream *s)
{
    return uv_now(&s->link->client->loop);
}


static void
stream_closed(struct inlets_conn *c)
{
    free(inlets_conn_data(c));
}


static void
unlink_stream(struct inlets_stream *s)
{
    *s->prev = s->next;

    if (s->next != NULL) {
        s->next->prev = s->prev;
    }

    s->link->nstreams--;
}


/*
 * Lets go of the mux stream, closes the local side (with RST if abortive) and
 * frees s, at once or as soon as libuv is done with it.
 */

static void
stream_close(struct inlets_stream *s, bool abortive)
{
    struct inlets_session  *session = s->link->session;

    if (s->state == STREAM_CLOSED) {
        return;
    }

    s->state = STREAM_CLOSED;

    inlets_stream_setup_finish(s);
    inlets_stream_http_destroy(s);

    inlets_mux_release(s->ms);
    s->ms = NULL;
    inlets_link_touch(s->link);
    unlink_stream(s);

    s->local->activity->open--;
    inlets_local_rest(s->local, &s->idle);
    inlets_local_unref(s->local);

    if (s->conn == NULL) {
        free(s);

    } else if (abortive) {
        inlets_conn_abort(s->conn);

    } else {
        inlets_conn_close(s->conn);
    }

    inlets_session_stream_ended(session);
}


void
inlets_stream_reset(struct inlets_stream *s)
{
    inlets_mux_reset(s->ms);
    stream_close(s, true);
}


void
inlets_stream_refuse(struct inlets_stream *s, const char *why)
{
    inlets_local_refused(s->local, now_ms(s), why);
    inlets_stream_reset(s);
}


void
inlets_stream_idle(struct inlets_stream *stream)
{
    if (stream->waits && !stream->local->conf->tcp) {
        inlets_stream_refuse(stream, "no answer within the idle timeout");
        return;
    }

    inlets_log(INLETS_LOG_DEBUG, "stream %u: idle for too long",
               (unsigned) inlets_mux_id(stream->ms));
    inlets_stream_reset(stream);
}


void
inlets_stream_destroy(struct inlets_stream *stream)
{
    stream_close(stream, true);
}


static void
finish_if_done(struct inlets_stream *s)
{
    if (s->local_eof && s->shut_done) {
        stream_close(s, false);
    }
}


static void
block(struct inlets_stream *s)
{
    s->blocked = true;
    inlets_conn_want_write(s->conn, true);
}


/* The visitor's end goes to the service. */

static void
pass_end(struct inlets_stream *s)
{
    if (s->shut_done) {
        return;
    }

    if (!s->deaf && !inlets_conn_shutdown(s->conn)) {
        block(s);
        return;
    }

    s->shut_done = true;
    finish_if_done(s);
}


/*
 * The service reads no more.  What it has said before may still be there, or on
 * its way, such as the reason: so what comes for it is dropped until it ends.
 */

static void
write_failed(struct inlets_stream *s)
{
    if (s->local_eof && !s->heard) {
        inlets_stream_reset(s);
        return;
    }

    s->deaf = true;
}


static ssize_t
peek(struct inlets_stream *s, struct iovec *iov, size_t *n)
{
    return s->http != NULL ? inlets_stream_http_peek(s, iov, STREAM_PIECES, n)
                           : inlets_mux_peekv(s->ms, iov, STREAM_PIECES, n);
}


static void
consume(struct inlets_stream *s, size_t bytes)
{
    if (s->http != NULL) {
        inlets_stream_http_consume(s, bytes);

    } else {
        inlets_mux_consume(s->ms, bytes);
    }

    inlets_link_touch(s->link);
}


/* False: no more can be written now, or the stream has ended. */

static bool
write_some(struct inlets_stream *s, const struct iovec *iov, size_t n,
    size_t size)
{
    ssize_t  sent;

    if (s->deaf) {
        consume(s, size);
        return true;
    }

    sent = inlets_conn_writev(s->conn, iov, n);

    if (sent == INLETS_CONN_ERROR) {
        write_failed(s);
        return s->state == STREAM_OPEN;
    }

    if (sent == INLETS_CONN_AGAIN) {
        block(s);
        return false;
    }

    s->waits = true;
    s->local->activity->received += (size_t) sent;
    inlets_local_active(s->local, &s->idle, now_ms(s));
    consume(s, (size_t) sent);

    /* a record of TLS may be less than there was, and be out */

    if (!inlets_conn_flush(s->conn)
        || ((size_t) sent < size && s->local->tls == NULL))
    {
        block(s);
        return false;
    }

    return true;
}


static void
pump_to_local(struct inlets_stream *s)
{
    struct iovec  iov[STREAM_PIECES];
    ssize_t       n;
    size_t        pieces;

    if (s->blocked) {
        return;
    }

    if (s->local_shut) {
        pass_end(s);
        return;
    }

    while ((n = peek(s, iov, &pieces)) > 0) {
        if (!write_some(s, iov, pieces, (size_t) n)) {
            return;
        }
    }

    if (n == INLETS_MUX_EOF) {
        s->local_shut = true;
        pass_end(s);

    } else if (n == STREAM_HTTP_WRONG) {
        inlets_stream_reset(s);
    }
}


static void
local_ended(struct inlets_stream *s)
{
    s->local_eof = true;
    inlets_conn_want_read(s->conn, false);

    if (s->http != NULL) {
        inlets_stream_http_answer_end(s);
    }

    inlets_mux_shutdown(s->ms);
    inlets_link_touch(s->link);

    finish_if_done(s);
}


/*
 * An HTTP service that refuses a body answers and closes, with a reset that
 * must not overtake the answer on its way.
 */

static void
read_failed(struct inlets_stream *s, bool eof)
{
    if (!s->heard && (s->deaf || !eof)) {
        inlets_stream_reset(s);
        return;
    }

    local_ended(s);

    if (!eof && s->state == STREAM_OPEN) {
        s->deaf = true;
        s->blocked = false;
        pump_to_local(s);
    }
}


/* False: nothing more now, or the stream has ended. */

static bool
read_into(struct inlets_stream *s, uint8_t *buf, size_t size)
{
    ssize_t  n = inlets_conn_read(s->conn, buf, size);

    if (n > 0 && s->http != NULL) {
        inlets_stream_http_answer(s, buf, (size_t) n);
    }

    inlets_mux_commit(s->ms, n > 0 ? (size_t) n : 0);
    inlets_link_touch(s->link);

    if (n > 0) {
        s->heard = s->deaf || !s->local->conf->tcp;
        s->waits = false;
        s->local->activity->sent += (size_t) n;
        inlets_local_active(s->local, &s->idle, now_ms(s));

        return (size_t) n == size || inlets_conn_more(s->conn);
    }

    if (n != INLETS_CONN_AGAIN) {
        read_failed(s, n == INLETS_CONN_EOF);
    }

    return false;
}


/*
 * Right into the mux.  Without room there, EV_WRITE goes on; the socket is
 * watched until it is found to have something that can't be taken.
 */

static void
read_local(struct inlets_stream *s, bool event)
{
    uint8_t  *buf;
    ssize_t   room;

    for (unsigned i = 0; i < STREAM_READS || inlets_conn_more(s->conn); i++) {
        room = inlets_mux_reserve(s->ms, &buf);

        if (room <= 0) {
            if (event && i == 0) {
                inlets_conn_want_read(s->conn, false);
            }

            return;
        }

        if (!read_into(s, buf, (size_t) room)) {
            break;
        }
    }

    if (s->state == STREAM_OPEN && !s->local_eof) {
        inlets_conn_want_read(s->conn, true);
    }
}


static void
stream_connected(struct inlets_conn *c)
{
    struct inlets_stream  *s = inlets_conn_data(c);

    s->state = STREAM_OPEN;

    inlets_stream_setup_finish(s);
    inlets_local_active(s->local, &s->idle, now_ms(s));

    if (inlets_stream_http_create(s) != INLETS_OK) {
        inlets_stream_reset(s);
        return;
    }

    pump_to_local(s);

    /* TLS may have read ahead */

    if (s->state == STREAM_OPEN && inlets_conn_more(c)) {
        read_local(s, false);
    }
}


static void
stream_readable(struct inlets_conn *c)
{
    struct inlets_stream  *s = inlets_conn_data(c);

    if (!s->local_eof) {
        read_local(s, true);
    }
}


static void
stream_writable(struct inlets_conn *c)
{
    struct inlets_stream  *s = inlets_conn_data(c);

    if (!inlets_conn_flush(c)) {
        if (!inlets_conn_broken(c)) {
            return;
        }

        write_failed(s);

        if (s->state != STREAM_OPEN) {
            return;
        }
    }

    s->blocked = false;
    pump_to_local(s);

    if (s->state == STREAM_OPEN && !s->blocked) {
        inlets_conn_want_write(c, false);
    }
}


void
inlets_stream_open(struct inlets_link *link, struct inlets_mux_stream *ms)
{
    struct inlets_stream  *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        goto failed;
    }

    s->link = link;

    if (inlets_stream_setup(s) != INLETS_OK) {
        goto failed;
    }

    s->local = inlets_local_ref(inlets_session_local(link->session));
    s->local->activity->streams++;
    s->local->activity->open++;

    s->ms = ms;
    s->idle.stream = s;
    s->next = link->streams;
    s->prev = &link->streams;

    if (s->next != NULL) {
        s->next->prev = &s->next;
    }

    link->streams = s;
    link->nstreams++;

    inlets_mux_set_data(ms, s);

    inlets_stream_read_head(s);

    return;

failed:

    free(s);

    inlets_mux_reset(ms);
    inlets_mux_release(ms);
    inlets_link_touch(link);
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
            inlets_stream_read_head(s);
        }

        return;
    }

    if (s->state != STREAM_OPEN) {
        return;
    }

    if (events & INLETS_MUX_EV_READ) {
        pump_to_local(s);
    }

    if ((events & INLETS_MUX_EV_WRITE) && s->state == STREAM_OPEN
        && !s->local_eof)
    {
        read_local(s, false);
    }
}
