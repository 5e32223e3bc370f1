/*
 * The requests of an HTTP stream: told to whoever looks on, and with header
 * fields for the local service.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client.h"
#include "http.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "link.h"
#include "stream_impl.h"


#define REFUSED_MAX  128


/*
 * To be sent are "out", then "passed" bytes of the mux; "taken" bytes of it
 * after these are dropped, and "next" follows in their place.
 */

struct stream_http {
    struct inlets_http  *http;
    const uint8_t       *out;
    size_t               out_len;
    size_t               passed;
    size_t               taken;
    const uint8_t       *next;
    size_t               next_len;
};


static uint64_t
now_ms(const struct inlets_stream *s)
{
    return uv_now(&s->link->client->loop);
}


static void
request_done(void *data, struct inlets_request *request)
{
    inlets_activity_request(data, request);
}


int
inlets_stream_http_create(struct inlets_stream *s)
{
    const struct inlets_local  *local = s->local;
    struct inlets_http_fields   fields = {
        .host = local->conf->local.host_header,
        .authorization = local->authorization
    };
    struct inlets_http_conf     conf = {
        .done = request_done,
        .data = local->activity
    };

    if (fields.host != NULL || fields.authorization != NULL) {
        conf.fields = &fields;
    }

    if (local->conf->tcp
        || (conf.fields == NULL && !inlets_activity_wanted(local->activity)))
    {
        return INLETS_OK;
    }

    s->http = calloc(1, sizeof(*s->http));

    if (s->http == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    s->http->http = inlets_http_create(&conf);

    if (s->http->http == NULL) {
        free(s->http);
        s->http = NULL;
        return INLETS_E_NO_MEMORY;
    }

    return INLETS_OK;
}


void
inlets_stream_http_destroy(struct inlets_stream *s)
{
    if (s->http != NULL) {
        inlets_stream_http_answer_end(s);
        inlets_http_destroy(s->http->http);
        free(s->http);
        s->http = NULL;
    }
}


/* Shows what has come to the parser, as far as it passes. */

static int
look(struct inlets_stream *s, const struct iovec *iov, size_t n)
{
    struct stream_http  *h = s->http;
    uint64_t             now = now_ms(s);
    int64_t              at = (int64_t) time(NULL);

    for (size_t i = 0; i < n; i++) {
        const uint8_t  *p = iov[i].iov_base;
        size_t          left = iov[i].iov_len, used;

        while (left > 0) {
            int  rc = inlets_http_request(h->http, p, left, now, at, &used,
                                          &h->next, &h->next_len);

            if (rc < 0) {
                return rc;
            }

            if (rc == INLETS_HTTP_TAKEN) {
                h->taken = used;
                return INLETS_OK;
            }

            h->passed += used;
            p += used;
            left -= used;
        }
    }

    return INLETS_OK;
}


/* False: more has to be looked at before there is something to be sent. */

static bool
take(struct inlets_stream *s)
{
    struct stream_http  *h = s->http;

    if (h->passed == 0 && h->taken > 0) {
        inlets_mux_consume(s->ms, h->taken);
        inlets_link_touch(s->link);

        h->taken = 0;
        h->out = h->next;
        h->out_len = h->next != NULL ? h->next_len : 0;
        h->next = NULL;
    }

    return h->out_len > 0 || h->passed > 0;
}


/* As many of them as passed. */

static ssize_t
trim(const struct stream_http *h, struct iovec *iov, size_t *n)
{
    size_t  left = h->passed, i;

    for (i = 0; i < *n && left > 0; i++) {
        if (iov[i].iov_len > left) {
            iov[i].iov_len = left;
        }

        left -= iov[i].iov_len;
    }

    *n = i;

    return (ssize_t) (h->passed - left);
}


static void
complain(struct inlets_stream *s, int error)
{
    char  why[REFUSED_MAX];

    snprintf(why, sizeof(why), "a visitor's request is not passed on: %s",
             inlets_strerror(error));
    inlets_local_refused(s->local, now_ms(s), why);
}


ssize_t
inlets_stream_http_peek(struct inlets_stream *s, struct iovec *iov, size_t n,
    size_t *ret_n)
{
    struct stream_http  *h = s->http;

    while (!take(s)) {
        ssize_t  rc = inlets_mux_peekv(s->ms, iov, n, ret_n);

        if (rc <= 0) {
            return rc;
        }

        rc = look(s, iov, *ret_n);

        if (rc < 0) {
            complain(s, (int) rc);
            return STREAM_HTTP_WRONG;
        }
    }

    if (h->out_len > 0) {
        iov[0].iov_base = (void *) (uintptr_t) h->out;
        iov[0].iov_len = h->out_len;
        *ret_n = 1;

        return (ssize_t) h->out_len;
    }

    if (inlets_mux_peekv(s->ms, iov, n, ret_n) <= 0) {
        /* it was reset in between */
        return INLETS_MUX_RESET;
    }

    return trim(h, iov, ret_n);
}


void
inlets_stream_http_consume(struct inlets_stream *s, size_t bytes)
{
    struct stream_http  *h = s->http;

    if (h->out_len > 0) {
        h->out += bytes;
        h->out_len -= bytes;
        return;
    }

    h->passed -= bytes;
    inlets_mux_consume(s->ms, bytes);
}


void
inlets_stream_http_answer(struct inlets_stream *s, const uint8_t *buf,
    size_t len)
{
    inlets_http_answer(s->http->http, buf, len, now_ms(s));
}


void
inlets_stream_http_answer_end(struct inlets_stream *s)
{
    inlets_http_answer_end(s->http->http, now_ms(s));
}
