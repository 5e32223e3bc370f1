#include "tunnel_impl.h"

#include <stdio.h>
#include <string.h>

#include "inlets_error.h"
#include "log.h"


void
inlets_tunnel_set_tag(struct inlets_tunnel *t)
{
    const struct inlets_tunnel_conf  *conf = inlets_tunnel_conf(t);
    bool                              named = conf != NULL
                                              && conf->name != NULL;

    snprintf(t->tag, sizeof(t->tag), "%s%s", named ? conf->name : "",
             named ? ": " : "");

    t->activity.tunnel = named ? conf->name : NULL;
}


void
inlets_tunnel_set_place(struct inlets_tunnel *t, const char *from)
{
    const struct inlets_tunnel_conf  *conf = inlets_tunnel_conf(t);

    t->name[0] = '\0';
    t->name_given = false;
    t->port = conf->port;
    t->port_given = false;
    snprintf(t->resume, sizeof(t->resume), "%s", from);

    if (conf->sub_domain != NULL) {
        snprintf(t->name, sizeof(t->name), "%s", conf->sub_domain);
    }
}


static void
set_local(struct inlets_tunnel *t, struct inlets_local *local)
{
    if (t->next != NULL) {
        inlets_session_set_local(t->next, local);
    }

    if (t->current != NULL) {
        inlets_session_set_local(t->current, local);
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session != NULL) {
            inlets_session_set_local(t->old[i].session, local);
        }
    }

    inlets_local_unref(t->local);
    t->local = local;

    inlets_tunnel_set_tag(t);
}


static bool
same_wishes(const struct inlets_tunnel_conf *a,
    const struct inlets_tunnel_conf *b)
{
    return inlets_same_text(a->sub_domain, b->sub_domain) && a->port == b->port;
}


/* As the edge sees it: who holds a name or port may take it over. */

static bool
same_person(const struct inlets_edge_conf *a,
    const struct inlets_edge_conf *b)
{
    return inlets_same_text(a->client_id, b->client_id)
           && (a->client_id != NULL
               || (a->token == NULL) == (b->token == NULL));
}


/*
 * Logs in with the new settings; the present session serves until then.  One
 * that was on its way may have the name or port already.
 */

static void
move(struct inlets_tunnel *t, bool place, const char *from)
{
    if (place) {
        inlets_tunnel_set_place(t, from);
        t->leaves_place = true;

    } else if (inlets_tunnel_session(t) != t->resume) {
        snprintf(t->resume, sizeof(t->resume), "%s", inlets_tunnel_session(t));
    }

    inlets_session_destroy(t->next);

    t->next = NULL;
    t->next_deadline = 0;
    t->moving = t->current != NULL;

    inlets_backoff_reset(&t->backoff);
    (void) uv_timer_stop(&t->retry);

    inlets_tunnel_connect(t);
}


int
inlets_tunnel_update(struct inlets_tunnel *tunnel, struct inlets_conf *owner,
    const struct inlets_tunnel_conf *conf, const char *from, bool wanted)
{
    struct inlets_tunnel             *t = tunnel;
    const struct inlets_tunnel_conf  *before = inlets_tunnel_conf(t);
    struct inlets_local              *local;
    struct inlets_edge               *edge = t->client->edge;
    bool                              place = false, rules = false;
    bool                              person = false;

    if (conf != NULL) {
        person = !same_person(t->edge->conf, edge->conf);
        place = !same_wishes(before, conf);

        /* a stream that rests at the edge leads to the service as it was */

        rules = !inlets_access_conf_same(&before->access, &conf->access)
                || !inlets_local_conf_same(&before->local, &conf->local);

        if (place || rules || !inlets_same_text(before->name, conf->name)) {
            local = inlets_local_create(&t->client->loop, owner, conf,
                                        &t->activity);

            if (local == NULL) {
                return INLETS_E_INVALID;
            }

            set_local(t, local);
            inlets_log(INLETS_LOG_INFO, "%ssettings changed", t->tag);
        }
    }

    if (edge == t->edge && !place && !rules && !t->refused) {
        return INLETS_OK;
    }

    if (edge != t->edge) {
        inlets_edge_unref(t->edge);
        t->edge = inlets_edge_ref(edge);
    }

    if (place && wanted) {
        inlets_tunnel_give_up_place(t);
    }

    move(t, place || person, place ? from : "");

    return INLETS_OK;
}


bool
inlets_tunnel_yield(struct inlets_tunnel *tunnel, uint32_t port)
{
    struct inlets_tunnel  *t = tunnel;

    if (!inlets_tunnel_conf(t)->tcp || t->stopping || t->over) {
        return false;
    }

    if (t->port_given && t->port == port) {
        move(t, true, "");
        return true;
    }

    return t->port == 0 && t->next != NULL;
}
