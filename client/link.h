/*
 * A link: one data connection to the edge, a WebSocket whose binary messages
 * carry a mux session.  Streams are opened by the edge.
 */

#ifndef INLETS_LINK_H
#define INLETS_LINK_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "edge.h"
#include "handshake.h"
#include "inlets_mux.h"
#include "resolve.h"


struct inlets_conn;
struct inlets_session;
struct inlets_stream;


enum inlets_link_state {
    INLETS_LINK_CLOSED = 0,
    INLETS_LINK_CONNECTING,
    INLETS_LINK_HANDSHAKE,
    INLETS_LINK_OPEN
};


struct inlets_link_conf {
    const struct inlets_edge  *edge;        /* outlives the connection */
    union inlets_address       address;
    const char                *client_id;
    const char                *container_id;
    const char                *key;
    uint32_t                   window;      /* largest per stream */
};


/* The session's; zeroed at first. */

struct inlets_link {
    struct inlets_client     *client;
    struct inlets_session    *session;
    enum inlets_link_state    state;

    struct inlets_conn       *conn;
    struct inlets_mux        *mux;          /* while OPEN */
    struct inlets_stream     *streams;
    uint32_t                  nstreams;
    struct inlets_link       *next_dirty;

    uint64_t                  received;     /* ms, when something last came */
    uint64_t                  deadline;     /* ms, of connecting, or when to
                                               look for a dead peer; 0: none */
    bool                      dirty;
    bool                      blocked;      /* the socket takes nothing */
    bool                      leaving;      /* no new streams */

    struct inlets_handshake   handshake;
    uint32_t                  window;
    uint32_t                  max_streams;
    size_t                    head_len;
    size_t                    request_len;
    size_t                    request_sent;
    char                     *head;         /* request, then answer; while
                                               not OPEN */
};


/*
 * open(): 0, or a negative enum inlets_error.  From then on either
 * inlets_session_link_up() and later _link_down(), or only _link_down() is
 * called, from the loop; not after close().  close() resets the streams.
 */
int inlets_link_open(struct inlets_link *link,
    const struct inlets_link_conf *conf);
void inlets_link_close(struct inlets_link *link);

/*
 * Tells the edge to open no more streams here; those that are open go on, but
 * for those that rest between two requests, which the edge ends.
 */
void inlets_link_leave(struct inlets_link *link);

/* It brings no more streams: the edge has heard, or it isn't open. */
bool inlets_link_has_left(const struct inlets_link *link);

/* At the deadline or later.  The link may have ended after it. */
void inlets_link_check(struct inlets_link *link, uint64_t now);

/* Something was queued in the mux: it is written at the end of this turn. */
void inlets_link_touch(struct inlets_link *link);
void inlets_link_flush_all(struct inlets_client *client);


#endif /* INLETS_LINK_H */
