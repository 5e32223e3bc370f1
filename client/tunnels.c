#include "tunnels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "conf_listed.h"
#include "inlets_error.h"
#include "log.h"
#include "monitor.h"
#include "tunnel.h"


#define WHY  256


struct inlets_tunnels {
    struct inlets_client   *client;
    struct inlets_conf     *listed;     /* the edge's list, NULL: not known */
    struct inlets_tunnel   *follower;   /* of that list, NULL: none */
    struct inlets_tunnel  **list;       /* also those that are ending */
    size_t                  n;
    size_t                  size;
    int                     status;     /* EXIT_FAILURE: one has failed */
    bool                    stopping;
    bool                    applying;   /* the end waits for it */
};


static bool
same_name(const struct inlets_tunnel_conf *a,
    const struct inlets_tunnel_conf *b)
{
    return inlets_same_text(a->name, b->name);
}


/* Both ask for the same name or port. */

static bool
same_place(const struct inlets_tunnel_conf *a,
    const struct inlets_tunnel_conf *b)
{
    if (a->tcp != b->tcp) {
        return false;
    }

    if (a->tcp) {
        return a->port != 0 && a->port == b->port;
    }

    return a->sub_domain != NULL && b->sub_domain != NULL
           && strcmp(a->sub_domain, b->sub_domain) == 0;
}


/*
 * From the present tunnels to those of conf.  A tunnel is the same as before if
 * it has the same name, or serves the same place and was given another name.
 */

struct change {
    struct inlets_tunnel       *tunnel;     /* NULL: a new one */
    char                        from[INLETS_ID_MAX + 1];
};


struct plan {
    const struct inlets_conf   *conf;
    struct change              *changes;    /* each of conf */
    bool                       *stays;      /* each of the present ones */
};


static bool
can_become(const struct inlets_tunnels *ts, size_t i, const struct plan *plan,
    const struct inlets_tunnel_conf *one)
{
    return !plan->stays[i] && !inlets_tunnel_is_stopping(ts->list[i])
           && !inlets_tunnel_is_over(ts->list[i])
           && inlets_tunnel_conf(ts->list[i])->tcp == one->tcp;
}


static void
match(const struct inlets_tunnels *ts, struct plan *plan,
    bool (*same)(const struct inlets_tunnel_conf *a,
                 const struct inlets_tunnel_conf *b))
{
    for (size_t k = 0; k < plan->conf->ntunnels; k++) {
        const struct inlets_tunnel_conf  *one = &plan->conf->tunnels[k];

        for (size_t i = 0; i < ts->n && plan->changes[k].tunnel == NULL; i++) {
            if (can_become(ts, i, plan, one)
                && same(inlets_tunnel_conf(ts->list[i]), one))
            {
                plan->changes[k].tunnel = ts->list[i];
                plan->stays[i] = true;
            }
        }
    }
}


/*
 * Who has a name or port until now, perhaps for streams that may still finish,
 * hands it over: the edge takes that from sessions of one client only.
 */

static void
find_places(const struct inlets_tunnels *ts, struct plan *plan)
{
    for (size_t k = 0; k < plan->conf->ntunnels; k++) {
        struct change  *change = &plan->changes[k];

        for (size_t i = 0; i < ts->n; i++) {
            if (ts->list[i] != change->tunnel
                && same_place(inlets_tunnel_conf(ts->list[i]),
                              &plan->conf->tunnels[k]))
            {
                snprintf(change->from, sizeof(change->from), "%s",
                         inlets_tunnel_session(ts->list[i]));
            }
        }
    }
}


static void
free_plan(struct plan *plan)
{
    free(plan->changes);
    free(plan->stays);
}


static int
make_plan(const struct inlets_tunnels *ts, const struct inlets_conf *conf,
    struct plan *ret)
{
    *ret = (struct plan) {
        .conf = conf,
        .changes = calloc(conf->ntunnels + 1, sizeof(*ret->changes)),
        .stays = calloc(ts->n + 1, sizeof(*ret->stays))
    };

    if (ret->changes == NULL || ret->stays == NULL) {
        free_plan(ret);
        inlets_log(INLETS_LOG_ERROR, "no memory for changes of tunnels");
        return INLETS_E_NO_MEMORY;
    }

    match(ts, ret, same_name);
    match(ts, ret, same_place);
    find_places(ts, ret);

    return INLETS_OK;
}


/* Another one of conf is to have the name or port that this tunnel has. */

static bool
is_wanted(const struct inlets_conf *conf,
    const struct inlets_tunnel_conf *one, const struct inlets_tunnel *tunnel)
{
    const struct inlets_tunnel_conf  *of = inlets_tunnel_conf(tunnel);

    for (size_t i = 0; i < conf->ntunnels; i++) {
        if (&conf->tunnels[i] != one && same_place(&conf->tunnels[i], of)) {
            return true;
        }
    }

    return false;
}


static void
forget(struct inlets_tunnels *ts, const struct inlets_tunnel *tunnel)
{
    for (size_t i = 0; i < ts->n; i++) {
        if (ts->list[i] == tunnel) {
            memmove(&ts->list[i], &ts->list[i + 1],
                    (ts->n - i - 1) * sizeof(*ts->list));
            ts->n--;
            return;
        }
    }
}


static struct inlets_tunnel **
room_for_one(struct inlets_tunnels *ts)
{
    size_t                  size = ts->size == 0 ? 4 : ts->size * 2;
    struct inlets_tunnel  **list;

    if (ts->n == ts->size) {
        list = realloc(ts->list, size * sizeof(*list));

        if (list == NULL) {
            inlets_log(INLETS_LOG_ERROR, "no memory for another tunnel");
            return NULL;
        }

        ts->list = list;
        ts->size = size;
    }

    return &ts->list[ts->n];
}


/*
 * It gets a conf of its own: a tunnel that stays would keep all of the one it
 * came with.
 */

static void
add(struct inlets_tunnels *ts, const struct inlets_tunnel_conf *conf,
    const char *from, bool child)
{
    struct inlets_tunnel  **place = room_for_one(ts);
    struct inlets_conf     *own = inlets_conf_alone(conf);

    if (place != NULL && own != NULL) {
        *place = inlets_tunnel_create(ts->client, own, &own->tunnels[0], from,
                                      child);
    }

    if (place != NULL && own != NULL && *place != NULL) {
        ts->n++;

    } else {
        ts->status = EXIT_FAILURE;
    }

    inlets_conf_unref(own);
}


static void
update(struct inlets_tunnel *tunnel, const struct inlets_tunnel_conf *conf,
    const char *from, bool wanted)
{
    struct inlets_conf  *own = inlets_conf_alone(conf);

    if (own == NULL) {
        inlets_log(INLETS_LOG_ERROR, "no memory for changes of tunnels");
        return;
    }

    (void) inlets_tunnel_update(tunnel, own, &own->tunnels[0], from, wanted);

    inlets_conf_unref(own);
}


/* The process goes on while one tunnel is up or tries to be. */

static void
finish_if_over(struct inlets_tunnels *ts)
{
    if (ts->applying) {
        return;
    }

    for (size_t i = 0; i < ts->n; i++) {
        if (!inlets_tunnel_is_over(ts->list[i])) {
            return;
        }
    }

    if (ts->follower != NULL && !inlets_tunnel_is_over(ts->follower)) {
        return;
    }

    inlets_client_finish(ts->client, ts->stopping ? EXIT_SUCCESS : ts->status);
}


static void
end_missing(struct inlets_tunnels *ts, const struct plan *plan)
{
    for (size_t i = ts->n; i-- > 0; ) {
        struct inlets_tunnel             *tunnel = ts->list[i];
        const struct inlets_tunnel_conf  *of = inlets_tunnel_conf(tunnel);

        if (inlets_tunnel_is_over(tunnel)) {
            forget(ts, tunnel);
            inlets_tunnel_destroy(tunnel);

        } else if (!plan->stays[i] && !inlets_tunnel_is_stopping(tunnel)) {
            inlets_log(INLETS_LOG_INFO, "tunnel %s is not wanted any more",
                       of->name != NULL ? of->name : "");
            inlets_tunnel_stop(tunnel);
        }
    }
}


static void
apply(struct inlets_tunnels *ts, struct inlets_conf *conf)
{
    struct plan  plan;

    if (make_plan(ts, conf, &plan) != INLETS_OK) {
        ts->status = EXIT_FAILURE;
        finish_if_over(ts);
        return;
    }

    ts->applying = true;
    ts->status = EXIT_SUCCESS;

    end_missing(ts, &plan);

    for (size_t i = 0; i < conf->ntunnels; i++) {
        const struct inlets_tunnel_conf  *one = &conf->tunnels[i];
        const struct change              *change = &plan.changes[i];

        if (change->tunnel == NULL) {
            add(ts, one, change->from, conf == ts->listed);

        } else {
            update(change->tunnel, one, change->from,
                   is_wanted(conf, one, change->tunnel));
        }
    }

    free_plan(&plan);

    ts->applying = false;

    inlets_view_touch(ts->client->view);
    finish_if_over(ts);
}


static void
end_follower(struct inlets_tunnels *ts)
{
    struct inlets_tunnel  *follower = ts->follower;

    ts->follower = NULL;
    inlets_tunnel_destroy(follower);

    inlets_conf_unref(ts->listed);
    ts->listed = NULL;
}


void
inlets_tunnels_apply(struct inlets_tunnels *tunnels)
{
    struct inlets_tunnels  *ts = tunnels;
    struct inlets_conf     *conf = ts->client->conf;

    if (ts->stopping) {
        return;
    }

    if (!conf->listed) {
        end_follower(ts);
        apply(ts, conf);
        return;
    }

    if (ts->follower != NULL && !inlets_tunnel_is_over(ts->follower)) {
        /* the tunnels follow when the edge has sent its list */
        (void) inlets_tunnel_update(ts->follower, conf, NULL, "", false);
        return;
    }

    end_follower(ts);

    ts->follower = inlets_tunnel_create(ts->client, conf, NULL, "", false);

    if (ts->follower == NULL) {
        ts->status = EXIT_FAILURE;
        finish_if_over(ts);
    }
}


void
inlets_tunnels_listed(struct inlets_tunnels *tunnels, const cJSON *list)
{
    struct inlets_tunnels  *ts = tunnels;
    struct inlets_conf     *conf;
    char                    why[WHY];

    if (ts->stopping) {
        return;
    }

    conf = inlets_conf_with_listed(ts->client->conf, list, why, sizeof(why));

    if (conf == NULL) {
        inlets_log(INLETS_LOG_ERROR, "the edge's list of tunnels is not used, "
                   "all stays as it was: %s", why);
        return;
    }

    if (conf->ntunnels == 0) {
        inlets_log(INLETS_LOG_WARN, "the edge lists no tunnels for this "
                   "client; waiting for some");
    }

    if (ts->listed != NULL) {
        ts->client->reloaded = true;
    }

    inlets_conf_unref(ts->listed);
    ts->listed = conf;

    apply(ts, conf);
}


void
inlets_tunnels_over(struct inlets_tunnels *tunnels,
    struct inlets_tunnel *tunnel, int status)
{
    struct inlets_tunnels  *ts = tunnels;

    if (status != EXIT_SUCCESS) {
        ts->status = status;
    }

    if (inlets_tunnel_is_stopping(tunnel) && tunnel != ts->follower) {
        forget(ts, tunnel);
        inlets_tunnel_destroy(tunnel);
    }

    inlets_view_touch(ts->client->view);
    finish_if_over(ts);
}


bool
inlets_tunnels_yield(struct inlets_tunnels *tunnels, uint32_t port)
{
    for (size_t i = 0; i < tunnels->n; i++) {
        if (inlets_tunnel_yield(tunnels->list[i], port)) {
            return true;
        }
    }

    return false;
}


void
inlets_tunnels_stop(struct inlets_tunnels *tunnels)
{
    struct inlets_tunnels  *ts = tunnels;

    ts->stopping = true;
    ts->applying = true;

    end_follower(ts);

    for (size_t i = ts->n; i-- > 0; ) {
        inlets_tunnel_stop(ts->list[i]);
    }

    ts->applying = false;

    finish_if_over(ts);
}


struct inlets_tunnels *
inlets_tunnels_create(struct inlets_client *client)
{
    struct inlets_tunnels  *ts = calloc(1, sizeof(*ts));

    if (ts != NULL) {
        ts->client = client;
    }

    return ts;
}


void
inlets_tunnels_destroy(struct inlets_tunnels *tunnels)
{
    if (tunnels == NULL) {
        return;
    }

    end_follower(tunnels);

    while (tunnels->n > 0) {
        inlets_tunnel_destroy(tunnels->list[--tunnels->n]);
    }

    free(tunnels->list);
    free(tunnels);
}


/* The follower is shown when there is nothing else, or something is wrong. */

static bool
shows_follower(const struct inlets_tunnels *ts)
{
    struct inlets_view_tunnel  row;

    if (ts->follower == NULL) {
        return false;
    }

    inlets_tunnel_show(ts->follower, &row);

    return ts->n == 0 || row.state != INLETS_VIEW_ONLINE;
}


size_t
inlets_tunnels_count(void *tunnels)
{
    struct inlets_tunnels  *ts = tunnels;

    return ts->n + (size_t) shows_follower(ts);
}


void
inlets_tunnels_show(void *tunnels, size_t i, struct inlets_view_tunnel *ret)
{
    struct inlets_tunnels  *ts = tunnels;

    inlets_tunnel_show(i < ts->n ? ts->list[i] : ts->follower, ret);
}
