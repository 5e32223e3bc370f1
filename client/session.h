/*
 * A session: one login at the edge, with its monitor, its links and their
 * streams.  A tunnel has one, or two while it moves from an edge process that
 * is leaving to the next.
 *
 * The links are multiplexed (capability MUX).  Other carriers of streams, as
 * protocol version 1 and plain version 2 have them, would be chosen where the
 * login is answered, in session_welcome().
 */

#ifndef INLETS_SESSION_H
#define INLETS_SESSION_H


#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "edge.h"
#include "local.h"
#include "monitor.h"


struct inlets_link;
struct inlets_session;


enum inlets_session_end {
    INLETS_SESSION_LOST = 0,    /* try again */
    INLETS_SESSION_REFUSED,     /* login or name refused, why: by the edge */
    INLETS_SESSION_FATAL        /* no use to try again */
};


/*
 * Called from the loop, not after destroy().  up(): the service is reachable,
 * the first link is open; once.  ended(): the last call.  worn(): it serves,
 * but another one should take its place, as when the edge drains; once.
 * drained(): after inlets_session_leave(), no stream is open any more.
 * listed(): see monitor.h.
 */
struct inlets_session_handlers {
    void  (*up)(void *data, struct inlets_session *session);
    void  (*ended)(void *data, struct inlets_session *session,
                   enum inlets_session_end end, const char *why);
    void  (*drain)(void *data, struct inlets_session *session,
                   uint64_t deadline);
    void  (*worn)(void *data, struct inlets_session *session);
    void  (*listed)(void *data, struct inlets_session *session,
                    const cJSON *tunnels);
    void  (*drained)(void *data, struct inlets_session *session);
};


/*
 * create() takes references of edge and local; local NULL: the session has no
 * links, and only follows the edge's list.  The login's name and resume need
 * live only during the call; its tunnel is local's.  destroy() may be called
 * from a handler; streams are reset.
 */
struct inlets_session *inlets_session_create(struct inlets_client *client,
    struct inlets_edge *edge, struct inlets_local *local,
    const struct inlets_login *login,
    const struct inlets_session_handlers *handlers, void *data);
void inlets_session_destroy(struct inlets_session *session);

/* The local service of streams that are opened from now on. */
void inlets_session_set_local(struct inlets_session *session,
    struct inlets_local *local);
struct inlets_local *inlets_session_local(
    const struct inlets_session *session);

/* Goes before what the log says of it: "web: ", or "". */
const char *inlets_session_tag(const struct inlets_session *session);

/*
 * Has drained() called when the last stream has ended, possibly at once.
 * away: the edge is told to open no more streams.
 */
void inlets_session_leave(struct inlets_session *session, bool away);

const struct inlets_welcome *inlets_session_welcome(
    const struct inlets_session *session);
const char *inlets_session_host(const struct inlets_session *session);
uint32_t inlets_session_port(const struct inlets_session *session);
uint32_t inlets_session_streams(const struct inlets_session *session);
bool inlets_session_is_worn(const struct inlets_session *session);


/* From the links. */
void inlets_session_link_up(struct inlets_session *session,
    struct inlets_link *link);
void inlets_session_link_down(struct inlets_session *session,
    struct inlets_link *link, const char *why);
void inlets_session_link_left(struct inlets_session *session);
void inlets_session_link_worn(struct inlets_session *session);
void inlets_session_stream_ended(struct inlets_session *session);


#endif /* INLETS_SESSION_H */
