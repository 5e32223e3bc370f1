/*
 * One direction of a forwarded connection: bytes from a socket to a socket.
 *
 * Short pieces are copied through one buffer that all flows share.  Once a flow
 * carries much, splice(2) moves it through a pipe without copying, if the
 * kernel can; a pipe is lent to a flow only while bytes are in it.  What the
 * receiver doesn't take at once is kept, and nothing more is read until it is
 * gone: at most INLETS_FLOW_CHUNK bytes, or what a pipe holds.
 */

#ifndef INLETS_FLOW_H
#define INLETS_FLOW_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_FLOW_CHUNK  65536


struct inlets_pipe;


/* What the flows of a loop share. */
struct inlets_flows {
    struct inlets_pipe  *idle;
    size_t               n_idle;
    size_t               n_open;
    size_t               max_pipes;
    bool                 splice;    /* until the kernel says no */
    uint8_t             *input;
};


struct inlets_flow {
    struct inlets_pipe  *pipe;      /* NULL if nothing is in it */
    size_t               piped;
    uint8_t             *kept;
    size_t               kept_start;
    size_t               kept_end;
    uint64_t             bytes;     /* delivered */
    int                  error;     /* errno */
    bool                 bulk;
};


enum inlets_flow_status {
    INLETS_FLOW_READ = 0,       /* wait until there is something to read */
    INLETS_FLOW_WRITE,          /* wait until it can be written */
    INLETS_FLOW_MORE,           /* come again, others have waited */
    INLETS_FLOW_END,            /* the end, all before it is delivered */
    INLETS_FLOW_READ_ERROR,
    INLETS_FLOW_WRITE_ERROR
};


/* splice: false never to use it.  0, or -1 without memory. */
int inlets_flows_init(struct inlets_flows *flows, bool splice,
    size_t max_pipes);
void inlets_flows_finish(struct inlets_flows *flows);

/* A flow is zeroed at first.  finish() drops what is on the way. */
enum inlets_flow_status inlets_flow_move(struct inlets_flows *flows,
    struct inlets_flow *flow, int from, int to);
void inlets_flow_finish(struct inlets_flows *flows, struct inlets_flow *flow);


#endif /* INLETS_FLOW_H */
