/*
 * The live view on a terminal: a few lines at the bottom that are drawn again
 * as things change, below the lines of the log, which scroll on above it.
 */

#ifndef INLETS_VIEW_H
#define INLETS_VIEW_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "activity.h"


enum inlets_view_state {
    INLETS_VIEW_CONNECTING = 0,
    INLETS_VIEW_ONLINE,
    INLETS_VIEW_WAITING,        /* will try again */
    INLETS_VIEW_FAILED
};


/* A tunnel.  Texts are valid until control returns to the loop. */

struct inlets_view_tunnel {
    const char                    *name;        /* or NULL */
    enum inlets_view_state         state;
    const char                    *why;         /* it waits or failed */
    uint64_t                       retry_at;    /* ms, when it waits, or 0 */
    uint64_t                       since;       /* ms, of the state */
    const char                    *url;         /* "https://..", "tcp://..",
                                                   "" if not known yet */
    const char                    *service;     /* "http://127.0.0.1:3000" */
    const struct inlets_activity  *activity;
};


/* Where the view looks; tunnel() is asked for 0 .. count() - 1. */

struct inlets_view_source {
    const char  *(*edge)(void *data);           /* "wss://example.com" */
    size_t       (*count)(void *data);
    void         (*tunnel)(void *data, size_t i,
                           struct inlets_view_tunnel *ret);
    const struct inlets_requests *requests;
    void          *data;
};


struct inlets_view;


/* Whether there can be one: standard output is a terminal that knows how. */
bool inlets_view_possible(void);

/* From now on the log is printed above it.  NULL: no memory. */
struct inlets_view *inlets_view_create(uv_loop_t *loop,
    const struct inlets_view_source *source);

/*
 * Something changed: it is drawn within a moment.  Counters need not be told:
 * it looks at them by itself.  NULL is accepted in both.  destroy() leaves the
 * last drawing where it is, with the log as before.
 */
void inlets_view_touch(struct inlets_view *view);
void inlets_view_destroy(struct inlets_view *view);


#endif /* INLETS_VIEW_H */
