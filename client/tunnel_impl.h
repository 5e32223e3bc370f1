/*
 * Inside of a tunnel: tunnel.c has its sessions, one after the other,
 * tunnel_update.c goes over to changed settings.
 */

#ifndef INLETS_TUNNEL_IMPL_H
#define INLETS_TUNNEL_IMPL_H


#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "activity.h"
#include "backoff.h"
#include "client.h"
#include "edge.h"
#include "inlets_name.h"
#include "inlets_protocol.h"
#include "inlets_url.h"
#include "local.h"
#include "session.h"
#include "tunnel.h"


#define TUNNEL_OLD  16      /* sessions that drain at once */
#define TUNNEL_WHY  512
#define TUNNEL_TAG  (INLETS_NAME_MAX + 3)


/* A session that was replaced, until its streams are done. */

struct old_session {
    struct inlets_session  *session;
    uint64_t                deadline;
};


struct inlets_tunnel {
    struct inlets_client   *client;
    struct inlets_edge     *edge;
    struct inlets_local    *local;          /* NULL: only the edge's list */
    struct inlets_activity  activity;
    char                    tag[TUNNEL_TAG];
    bool                    child;

    uv_timer_t              retry;
    uv_timer_t              deadline;       /* of old sessions, or of all */

    struct inlets_session  *current;        /* up */
    struct inlets_session  *next;           /* on its way */
    struct old_session      old[TUNNEL_OLD];

    struct inlets_backoff   backoff;
    uint64_t                up_since;       /* ms */
    uint32_t                attempts;       /* since it was up */
    uv_timer_t              lost;           /* until that is reported */
    char                    why[TUNNEL_WHY];
    uint64_t                drain_deadline; /* ms, of current, 0: it stays */
    uint64_t                next_deadline;  /* the same of next */

    uint64_t                state_since;    /* ms */
    uint64_t                retry_at;       /* ms, 0: not waiting */
    char                    url[INLETS_URL_TEXT_MAX + 1];

    bool                    was_up;
    bool                    moving;         /* next has other settings */
    bool                    refused;        /* current has older ones */
    bool                    leaves_place;   /* and another name or port */
    bool                    reporting;      /* each failure, from now on */
    bool                    stopping;
    bool                    over;

    /* what to ask for, so as to get the same again */
    char                    name[INLETS_LABEL_MAX + 1];
    bool                    name_given;     /* by the edge, not by the user */
    uint32_t                port;
    bool                    port_given;
    char                    resume[INLETS_ID_MAX + 1];
};


/* Logs in, unless a session is on its way. */
void inlets_tunnel_connect(struct inlets_tunnel *t);

/* Another session can't have its name as long as the present one does. */
void inlets_tunnel_give_up_place(struct inlets_tunnel *t);

/* What goes before the lines of the log, of the conf's name. */
void inlets_tunnel_set_tag(struct inlets_tunnel *t);

/*
 * What the conf asks for by itself, not what the edge gave before.  from: the
 * session that it is to resume, or "".
 */
void inlets_tunnel_set_place(struct inlets_tunnel *t, const char *from);


#endif /* INLETS_TUNNEL_IMPL_H */
