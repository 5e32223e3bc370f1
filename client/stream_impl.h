/*
 * Inside of a stream: stream.c carries its bytes, stream_dial.c brings it to
 * the local service, stream_http.c looks at its requests.
 */

#ifndef INLETS_STREAM_IMPL_H
#define INLETS_STREAM_IMPL_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <uv.h>

#include "conn.h"
#include "inlets_proxy1.h"
#include "inlets_proxy2.h"
#include "local.h"
#include "resolve.h"
#include "stream.h"


#define STREAM_PIECES  16       /* in one write */


enum stream_state {
    STREAM_HEAD = 0,        /* the PROXY header is not complete */
    STREAM_DIALLING,
    STREAM_OPEN,
    STREAM_CLOSED
};


/*
 * What only a young stream needs; freed once the local service is connected.
 */

struct stream_setup {
    uv_timer_t                  timer;      /* first */
    struct inlets_resolve_wait  wait;
    struct inlets_addresses     addresses;
    size_t                      address;    /* the next to be tried */
    uint64_t                    deadline;   /* ms */
    int                         error;      /* of the last attempt */
    size_t                      prefix_len;
    uint8_t                     prefix[INLETS_PROXY1_MAX];
    size_t                      head_len;
    uint8_t                     head[INLETS_PROXY2_MAX];
};


struct stream_http;


struct inlets_stream {
    struct inlets_link        *link;
    struct inlets_mux_stream  *ms;
    struct inlets_stream      *next;        /* of the link */
    struct inlets_stream     **prev;

    struct inlets_local       *local;
    struct inlets_conn        *conn;        /* NULL: none yet */
    struct stream_setup       *setup;       /* NULL: it is over */
    struct stream_http        *http;        /* NULL: not looked at */
    struct inlets_idle         idle;

    enum stream_state          state;
    bool                       blocked;     /* until conn is writable */
    bool                       local_eof;   /* passed on as FIN */
    bool                       local_shut;  /* FIN is to be passed on to the
                                               service */
    bool                       shut_done;
    bool                       deaf;        /* the service takes no more */
    bool                       heard;       /* what it said may not be lost */
    bool                       waits;       /* the last byte was for it */
};


/*
 * stream_dial.c.  setup(): 0 or negative.  read_head(): goes on with it, later
 * with connecting; ends in inlets_stream_connected(), _refuse() or _reset().
 */
int inlets_stream_setup(struct inlets_stream *s);
void inlets_stream_setup_finish(struct inlets_stream *s);
void inlets_stream_read_head(struct inlets_stream *s);
void inlets_stream_failed(struct inlets_conn *c, const char *why);

/*
 * stream_http.c.  create(): 0 or negative; s->http stays NULL if nobody wants
 * to know.  peek() and consume(): as those of the mux, of what is for the
 * service; peek() may also return WRONG: it isn't HTTP.
 */
#define STREAM_HTTP_WRONG  (-100)

int inlets_stream_http_create(struct inlets_stream *s);
void inlets_stream_http_destroy(struct inlets_stream *s);
ssize_t inlets_stream_http_peek(struct inlets_stream *s, struct iovec *iov,
    size_t n, size_t *ret_n);
void inlets_stream_http_consume(struct inlets_stream *s, size_t bytes);
void inlets_stream_http_answer(struct inlets_stream *s, const uint8_t *buf,
    size_t len);
void inlets_stream_http_answer_end(struct inlets_stream *s);

/* stream.c */
extern const struct inlets_conn_handlers  inlets_stream_handlers;

void inlets_stream_refuse(struct inlets_stream *s, const char *why);
void inlets_stream_reset(struct inlets_stream *s);


#endif /* INLETS_STREAM_IMPL_H */
