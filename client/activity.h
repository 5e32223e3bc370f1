/*
 * What goes on in the tunnels: counters of each, and the last HTTP requests of
 * all.  Streams write here; the live view and the log read.
 */

#ifndef INLETS_ACTIVITY_H
#define INLETS_ACTIVITY_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"


#define INLETS_REQUESTS      32     /* kept */
#define INLETS_METHOD_MAX    15
#define INLETS_PATH_SHOWN    255    /* a longer one is cut */


struct inlets_request {
    uint64_t    started;            /* ms, of the loop's clock */
    uint64_t    time;               /* ms, until its answer was complete */
    int64_t     at;                 /* s, of the day's clock, when started */
    unsigned    status;             /* 0: the service gave none */
    const char *tunnel;             /* its name, or NULL */
    char        method[INLETS_METHOD_MAX + 1];
    char        path[INLETS_PATH_SHOWN + 1];    /* printable ASCII */
};


/* Of all tunnels: a ring. */

struct inlets_requests {
    uint64_t               n;       /* ever; the last is at (n - 1) % size */
    bool                   wanted;  /* else nobody looks: not to be made */
    bool                   logged;  /* a line each, in the log */
    struct inlets_request  last[INLETS_REQUESTS];
    char                   names[INLETS_REQUESTS][INLETS_NAME_MAX + 1];
};


/* Of one tunnel. */

struct inlets_activity {
    uint64_t                 received;  /* bytes, for the local service */
    uint64_t                 sent;      /* bytes, from it */
    uint64_t                 streams;   /* ever */
    uint64_t                 refused;   /* of these, by the local service */
    uint32_t                 open;      /* streams now */
    struct inlets_requests  *requests;  /* the process's */
    const char              *tunnel;    /* its name, or NULL */
};


/* Somebody looks at requests, so that they are worth being made. */
bool inlets_activity_wanted(const struct inlets_activity *activity);

/*
 * Adds it to the ring, and to the log, if these are wanted.  The tunnel's name
 * is copied: it may be gone before the request is.
 */
void inlets_activity_request(struct inlets_activity *activity,
    const struct inlets_request *request);


#endif /* INLETS_ACTIVITY_H */
