/*
 * A local service: its address, how to speak to it, and what is told of it.
 * A tunnel has one; a stream keeps the one it was opened with.
 */

#ifndef INLETS_LOCAL_H
#define INLETS_LOCAL_H


#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "activity.h"
#include "conf.h"
#include "resolve.h"


struct inlets_stream;


/* A stream, in the order in which they had their last byte; zeroed at first. */

struct inlets_idle {
    struct inlets_idle    *next;
    struct inlets_idle   **prev;        /* NULL: it isn't in it */
    uint64_t               since;       /* ms */
    struct inlets_stream  *stream;
};


struct inlets_local {
    const struct inlets_tunnel_conf  *conf;         /* owner below keeps it */
    struct inlets_conf               *owner;
    struct inlets_activity           *activity;
    struct inlets_resolver           *resolver;     /* NULL: a Unix socket */
    SSL_CTX                          *tls;          /* NULL: plain */
    char                             *authorization;    /* or NULL */
    char                              name[INLETS_URL_SERVICE];
                                                    /* "127.0.0.1:22",
                                                       "http://[::1]:80" */

    uv_timer_t                       *timer;        /* NULL: streams may be
                                                       idle for ever */
    struct inlets_idle               *idle;
    struct inlets_idle              **last_idle;

    uint64_t                          refused_at;   /* ms */
    uint32_t                          refused;      /* since it was logged */
    unsigned                          refs;
};


/*
 * conf is a tunnel of owner, of which a reference is taken.  activity outlives
 * the streams.  NULL after a line in the log: no memory, or a wrong CA file.
 */
struct inlets_local *inlets_local_create(uv_loop_t *loop,
    struct inlets_conf *owner, const struct inlets_tunnel_conf *conf,
    struct inlets_activity *activity);
struct inlets_local *inlets_local_ref(struct inlets_local *local);

/* Ends with the last reference; NULL is accepted. */
void inlets_local_unref(struct inlets_local *local);

/*
 * A byte has come or gone: unless there is another one within the conf's
 * idle_timeout, inlets_stream_idle() is called.  rest(): not any more.
 */
void inlets_local_active(struct inlets_local *local, struct inlets_idle *idle,
    uint64_t now);
void inlets_local_rest(struct inlets_local *local, struct inlets_idle *idle);

/* Counts it, and logs at most one line a second. */
void inlets_local_refused(struct inlets_local *local, uint64_t now,
    const char *why);


#endif /* INLETS_LOCAL_H */
