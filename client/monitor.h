/*
 * The monitor: the control WebSocket of a session.  It logs in, keeps the
 * heartbeat and passes the edge's events on.
 */

#ifndef INLETS_MONITOR_H
#define INLETS_MONITOR_H


#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "client.h"
#include "inlets_protocol.h"
#include "edge.h"
#include "resolve.h"


#define INLETS_ID_MAX        128    /* longest id that the edge may give */
#define INLETS_URL_TEXT_MAX  512
#define INLETS_MESSAGE_MAX   (256 * 1024)


struct inlets_monitor;


/* What to ask for. */

struct inlets_login {
    const struct inlets_tunnel_conf  *tunnel;   /* NULL: only for the list of
                                                   tunnels that the edge has */
    bool         child;         /* it is one of that list */
    const char  *name;          /* HTTP: sub-domain, NULL: any */
    uint32_t     port;          /* TCP: 0: any */
    const char  *resume;        /* the session that this one continues, NULL */
    const char  *tag;           /* before its lines in the log: "web: " */
};


/* A good answer. */

struct inlets_welcome {
    char      client_id[INLETS_ID_MAX + 1];
    char      container_id[INLETS_ID_MAX + 1];
    char      url[INLETS_URL_TEXT_MAX + 1];     /* HTTP, else "" */
    bool      access;           /* our rules for visitors are in force */
    bool      mux;              /* the edge speaks our links */
    uint32_t  links;            /* as many as it wants, at least 1 */
    uint32_t  window;           /* bytes, 0: not given */
    char      key[INLETS_MUX_KEY_MAX + 1];  /* of links, "": none wanted */
};


/*
 * Called from the loop, not after destroy().  welcome() comes at most once.
 * After refused(), fatal() or lost() nothing more comes.  lost(): for whatever
 * reason, also before the login; established tells whether there had been a
 * WebSocket at all.  listed(): the edge's list of tunnels, an array; after
 * welcome(), and again when it has changed.
 */
struct inlets_monitor_handlers {
    void  (*welcome)(void *data, const struct inlets_welcome *welcome);
    void  (*refused)(void *data, const char *message);
    void  (*fatal)(void *data, const char *message);
    void  (*lost)(void *data, const char *why, bool established);
    void  (*tcp_ready)(void *data, const char *host, uint32_t port);
    void  (*drain)(void *data, uint64_t deadline);
    void  (*listed)(void *data, const cJSON *tunnels);
};


/*
 * NULL: no memory, or libwebsockets could not even begin.  The edge outlives
 * the monitor, and so does the login's tag.
 */
struct inlets_monitor *inlets_monitor_create(struct inlets_client *client,
    const struct inlets_edge *edge, const union inlets_address *address,
    const struct inlets_login *login,
    const struct inlets_monitor_handlers *handlers, void *data);
void inlets_monitor_destroy(struct inlets_monitor *monitor);

/*
 * libwebsockets' side: plain, or with the TLS settings of the client, which are
 * then there.  0, or negative after a message on standard error.
 */
int inlets_monitor_prepare(struct inlets_client *client, bool tls);


#endif /* INLETS_MONITOR_H */
