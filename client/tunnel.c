#include "tunnel_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "log.h"
#include "report.h"
#include "tunnels.h"


#define TUNNEL_BACKOFF_BASE  500        /* ms */
#define TUNNEL_BACKOFF_CAP   30000
#define TUNNEL_STABLE        10000      /* up for so long: back-off restarts */
#define TUNNEL_MOVES           2        /* in vain, then there is nowhere */
#define TUNNEL_NO_LIMIT      UINT64_MAX /* of draining */
#define TUNNEL_LOST          60000      /* away for so long: it is reported */


static void deadline_passed(uv_timer_t *timer);
static void session_up(void *data, struct inlets_session *session);
static void session_ended(void *data, struct inlets_session *session,
    enum inlets_session_end end, const char *why);
static void session_drain(void *data, struct inlets_session *session,
    uint64_t deadline);
static void session_worn(void *data, struct inlets_session *session);
static void session_listed(void *data, struct inlets_session *session,
    const cJSON *tunnels);
static void session_drained(void *data, struct inlets_session *session);


static const struct inlets_session_handlers  session_handlers = {
    .up = session_up,
    .ended = session_ended,
    .drain = session_drain,
    .worn = session_worn,
    .listed = session_listed,
    .drained = session_drained
};


static uint64_t
now_ms(const struct inlets_tunnel *t)
{
    return uv_now(&t->client->loop);
}


static bool
is_tcp(const struct inlets_tunnel *t)
{
    return t->local != NULL && t->local->conf->tcp;
}


/* For the view: it is in another state from now on. */

static void
changed(struct inlets_tunnel *t)
{
    t->state_since = now_ms(t);

    inlets_view_touch(t->client->view);
}


/* "http demo at edge.example.com:443" */

static void
report(struct inlets_tunnel *t)
{
    const char  *what = t->name;
    char         edge[INLETS_URL_AUTHORITY];
    char         port[16] = "";
    char         text[INLETS_URL_AUTHORITY + 96];

    inlets_url_authority(&t->edge->conf->remote, true, edge);

    if (is_tcp(t)) {
        what = port;

        if (t->port != 0) {
            snprintf(port, sizeof(port), "%u", t->port);
        }
    }

    snprintf(text, sizeof(text), "%s%s%s at %s", is_tcp(t) ? "tcp" : "http",
             *what != '\0' ? " " : "", what, edge);

    inlets_report_send(t->client->report, text, t->why, t->attempts);
}


static void
lost_for_long(uv_timer_t *timer)
{
    struct inlets_tunnel  *t = timer->data;

    t->reporting = true;

    report(t);
}


/* Reported at once before it has ever been up, else when it stays away. */

static void
failed(struct inlets_tunnel *t, const char *why, bool lost)
{
    snprintf(t->why, sizeof(t->why), "%s", why);

    if (lost) {
        (void) uv_timer_start(&t->lost, lost_for_long, TUNNEL_LOST, 0);

    } else if (t->reporting && t->current == NULL) {
        report(t);
    }
}


/* No session is left, also none that drains. */

static bool
is_empty(const struct inlets_tunnel *t)
{
    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session != NULL) {
            return false;
        }
    }

    return t->current == NULL;
}


static void
tunnel_over(struct inlets_tunnel *t, int status)
{
    if (t->over) {
        return;
    }

    t->over = true;
    t->retry_at = 0;

    inlets_session_destroy(t->next);
    inlets_session_destroy(t->current);

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        inlets_session_destroy(t->old[i].session);
        t->old[i].session = NULL;
    }

    t->next = NULL;
    t->current = NULL;

    (void) uv_timer_stop(&t->retry);
    (void) uv_timer_stop(&t->deadline);
    (void) uv_timer_stop(&t->lost);

    changed(t);
    inlets_tunnels_over(t->client->tunnels, t, status);
}


static void
connect_next(uv_timer_t *timer)
{
    inlets_tunnel_connect(timer->data);
}


void
inlets_tunnel_connect(struct inlets_tunnel *t)
{
    const struct inlets_url  *url = &t->edge->conf->remote;
    struct inlets_login       login = {
        .tunnel = inlets_tunnel_conf(t),
        .child = t->child,
        .name = t->name[0] != '\0' ? t->name : NULL,
        .port = t->port,
        .resume = t->resume[0] != '\0' ? t->resume : NULL,
        .tag = t->tag
    };
    char                      edge[INLETS_URL_AUTHORITY];

    if (t->next != NULL) {
        return;
    }

    t->attempts++;
    t->retry_at = 0;

    inlets_url_authority(url, true, edge);

    inlets_log(INLETS_LOG_INFO, "%sConnecting to %s://%s%s ...", t->tag,
               url->tls ? "wss" : "ws", edge, url->path);

    t->next = inlets_session_create(t->client, t->edge, t->local, &login,
                                    &session_handlers, t);
    changed(t);

    if (t->next == NULL) {
        (void) uv_timer_start(&t->retry, connect_next,
                              inlets_backoff_next(&t->backoff), 0);
    }
}


static void
retry(struct inlets_tunnel *t, const char *why)
{
    uint32_t  pause = inlets_backoff_next(&t->backoff);

    inlets_log(INLETS_LOG_WARN, "%s%s, retrying in %u.%u s", t->tag, why,
               pause / 1000, pause % 1000 / 100);

    t->retry_at = now_ms(t) + pause;
    changed(t);

    (void) uv_timer_start(&t->retry, connect_next, pause, 0);
}


/* The label that the edge gave, from the public URL. */

static void
remember_name(struct inlets_tunnel *t, const char *url)
{
    const char  *host = strstr(url, "://");
    size_t       len;

    if (host == NULL) {
        return;
    }

    host += 3;
    len = strcspn(host, "./:");

    if (host[len] == '.'
        && inlets_label_normalize(host, len, t->name) == INLETS_OK)
    {
        t->name_given = true;

    } else {
        t->name[0] = '\0';
    }
}


static void
remember(struct inlets_tunnel *t, const struct inlets_session *session)
{
    const struct inlets_edge_conf  *edge = t->edge->conf;
    const struct inlets_welcome    *welcome = inlets_session_welcome(session);
    bool                            public;

    public = edge->token == NULL && edge->client_id == NULL;

    snprintf(t->resume, sizeof(t->resume), "%s", welcome->container_id);

    if (is_tcp(t)) {
        if (t->port == 0) {
            t->port = inlets_session_port(session);
            t->port_given = true;
        }

    } else if (!public && (t->name[0] == '\0' || t->name_given)) {
        /* public clients may not ask for a name; the edge knows them by id */
        remember_name(t, welcome->url);
    }
}


static void
set_url(struct inlets_tunnel *t, const struct inlets_session *session)
{
    const char  *host = inlets_session_host(session);
    const char  *open = "", *close = "";

    if (!is_tcp(t)) {
        snprintf(t->url, sizeof(t->url), "%s",
                 inlets_session_welcome(session)->url);
        return;
    }

    if (strchr(host, ':') != NULL && host[0] != '[') {
        open = "[";
        close = "]";
    }

    snprintf(t->url, sizeof(t->url), "tcp://%s%s%s:%u", open, host, close,
             inlets_session_port(session));
}


static void
print_forwarding(struct inlets_tunnel *t, const struct inlets_session *session)
{
    set_url(t, session);

    inlets_log_notice("Forwarding: %s -> %s", t->url, t->local->name);
}


static void
arm_deadline(struct inlets_tunnel *t)
{
    uint64_t  next = 0, now = now_ms(t);

    if (t->stopping) {
        return;
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session != NULL
            && t->old[i].deadline != TUNNEL_NO_LIMIT
            && (next == 0 || t->old[i].deadline < next))
        {
            next = t->old[i].deadline;
        }
    }

    if (next == 0) {
        (void) uv_timer_stop(&t->deadline);
        return;
    }

    (void) uv_timer_start(&t->deadline, deadline_passed,
                          next > now ? next - now : 0, 0);
}


static void
forget_old(struct inlets_tunnel *t, struct inlets_session *session)
{
    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session == session) {
            t->old[i].session = NULL;
        }
    }

    arm_deadline(t);
}


static void
deadline_passed(uv_timer_t *timer)
{
    struct inlets_tunnel  *t = timer->data;
    uint64_t               now = now_ms(t);

    if (t->stopping) {
        inlets_log(INLETS_LOG_WARN, "%ssome connections did not end in time",
                   t->tag);
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        struct inlets_session  *session = t->old[i].session;

        if (session != NULL && now >= t->old[i].deadline) {
            if (inlets_session_streams(session) > 0) {
                inlets_log(INLETS_LOG_WARN, "%s%u connections were cut with "
                           "the session that was replaced", t->tag,
                           inlets_session_streams(session));
            }

            t->old[i].session = NULL;
            inlets_session_destroy(session);
        }
    }

    arm_deadline(t);
}


/*
 * The session's streams may finish until the deadline.  away: they are its
 * last, else there is a newer session for others.  With no slot left, the
 * session with the fewest streams ends now.
 */

static void
retire(struct inlets_tunnel *t, struct inlets_session *session, bool away,
    uint64_t deadline)
{
    size_t  slot = 0;

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session == NULL) {
            slot = i;
            break;
        }

        if (inlets_session_streams(t->old[i].session)
            < inlets_session_streams(t->old[slot].session))
        {
            slot = i;
        }
    }

    inlets_session_destroy(t->old[slot].session);

    t->old[slot].session = session;
    t->old[slot].deadline = deadline;

    inlets_session_leave(session, away);
    arm_deadline(t);
}


/* The other clients of the same edge process come at the same time. */

static void
connect_soon(struct inlets_tunnel *t)
{
    if (t->next != NULL || uv_is_active((uv_handle_t *) &t->retry)) {
        return;
    }

    inlets_backoff_reset(&t->backoff);

    (void) uv_timer_start(&t->retry, connect_next,
                          inlets_backoff_next(&t->backoff) / 4, 0);
}


static void
session_up(void *data, struct inlets_session *session)
{
    struct inlets_tunnel   *t = data;
    struct inlets_session  *before = t->current;

    t->current = session;
    t->next = NULL;
    t->was_up = true;
    t->up_since = now_ms(t);
    t->attempts = 0;
    t->reporting = false;
    (void) uv_timer_stop(&t->lost);

    if (before != NULL && t->moving) {
        retire(t, before, t->leaves_place, TUNNEL_NO_LIMIT);

    } else if (before != NULL) {
        inlets_log(INLETS_LOG_INFO, "%smoved to another edge process", t->tag);
        retire(t, before, t->leaves_place, t->drain_deadline);
    }

    t->moving = false;
    t->refused = false;
    t->leaves_place = false;

    t->drain_deadline = t->next_deadline;
    t->next_deadline = 0;

    if (t->drain_deadline != 0) {
        connect_soon(t);
    }

    changed(t);

    if (t->local != NULL) {
        remember(t, session);
        print_forwarding(t, session);
    }
}


void
inlets_tunnel_give_up_place(struct inlets_tunnel *t)
{
    struct inlets_session  *session = t->current;

    if (session != NULL) {
        t->current = NULL;
        retire(t, session, true, now_ms(t) + t->client->conf->grace);
    }
}


/*
 * The edge process leaves, and there is no other: it ends as soon as visitors
 * have what they asked for, and need not wait for us.
 */

static bool
leave_edge(struct inlets_tunnel *t)
{
    struct inlets_session  *session = t->current;

    if (session == NULL || t->drain_deadline == 0
        || t->attempts < TUNNEL_MOVES || inlets_session_is_worn(session))
    {
        return false;
    }

    inlets_log(INLETS_LOG_INFO, "%sno other edge process is there", t->tag);

    t->current = NULL;
    retire(t, session, false, t->drain_deadline);
    t->drain_deadline = 0;

    return true;
}


static bool
is_taken(const char *why)
{
    return strcmp(why, INLETS_FAIL_NAME_USED) == 0
           || strstr(why, INLETS_FAIL_PORT_USED) != NULL;
}


/*
 * The edge refused the new settings of a tunnel that is up with the old ones.
 * Someone else may have the name, but so may we, as who we were before.
 */

static void
move_refused(struct inlets_tunnel *t, const char *why)
{
    if (is_taken(why)) {
        inlets_tunnel_give_up_place(t);
        retry(t, why);
        return;
    }

    if (strcmp(why, INLETS_FAIL_ATTEMPTS) == 0) {

        /* another one behind the same address, or another one of ours */

        retry(t, why);
        return;
    }

    inlets_log(INLETS_LOG_ERROR, "%sthe edge refused the new settings, the "
               "tunnel stays as it was: %s", t->tag, why);
    t->moving = false;
    t->refused = true;
}


/*
 * A client that had the name or port before and finds it taken waits for it,
 * or takes another if it didn't ask for one.
 */

static bool
may_ask_again(struct inlets_tunnel *t, const char *why)
{
    if (t->was_up && strcmp(why, INLETS_FAIL_ATTEMPTS) == 0) {

        /* another one behind the same address has guessed */

        return true;
    }

    if (is_tcp(t) && is_taken(why)
        && inlets_tunnels_yield(t->client->tunnels, t->port))
    {
        return true;
    }

    if (t->client->reloaded && is_taken(why)) {

        /* one of ours may be about to give it up */

        return true;
    }

    if (!t->was_up
        || (strcmp(why, INLETS_FAIL_NAME_USED) != 0 && !is_tcp(t)))
    {
        return false;
    }

    if (strcmp(why, INLETS_FAIL_SIGNATURE) == 0
        || strncmp(why, INLETS_FAIL_CLIENT, strlen(INLETS_FAIL_CLIENT)) == 0)
    {
        return false;
    }

    if (t->name_given) {
        t->name[0] = '\0';
    }

    if (t->port_given) {
        t->port = 0;
    }

    return true;
}


static void
session_ended(void *data, struct inlets_session *session,
    enum inlets_session_end end, const char *why)
{
    struct inlets_tunnel  *t = data;
    bool                   was_current = session == t->current;
    bool                   was_next = session == t->next;

    inlets_session_destroy(session);

    if (was_next) {
        t->next = NULL;
        t->next_deadline = 0;

    } else if (was_current) {
        t->current = NULL;
        t->drain_deadline = 0;

        if (now_ms(t) - t->up_since >= TUNNEL_STABLE) {
            inlets_backoff_reset(&t->backoff);
        }

    } else {
        forget_old(t, session);
    }

    if (t->stopping && is_empty(t)) {
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    if (t->stopping || (!was_current && !was_next)) {
        return;
    }

    if (t->moving && t->current != NULL && end != INLETS_SESSION_LOST) {
        move_refused(t, why);
        return;
    }

    if (end == INLETS_SESSION_FATAL
        || (end == INLETS_SESSION_REFUSED && t->current == NULL
            && !may_ask_again(t, why)))
    {
        inlets_log(INLETS_LOG_ERROR, "%s%s%s", t->tag,
                   end == INLETS_SESSION_REFUSED ? "authentication failed: "
                                                 : "", why);
        snprintf(t->why, sizeof(t->why), "%s", why);
        report(t);
        tunnel_over(t, EXIT_FAILURE);
        return;
    }

    if (strstr(why, INLETS_CLOSE_PUBLIC) != NULL) {
        inlets_log(INLETS_LOG_INFO, "%s%s", t->tag, why);
        snprintf(t->why, sizeof(t->why), "%s", why);
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    if (end == INLETS_SESSION_LOST && was_next && leave_edge(t)) {
        was_current = true;
    }

    failed(t, why, was_current);

    if (t->next == NULL && !uv_is_active((uv_handle_t *) &t->retry)) {
        retry(t, why);

    } else {
        inlets_log(INLETS_LOG_INFO, "%s%s", t->tag, why);
    }
}


/* It serves until there is one more, and its streams until the deadline. */

static void
replace(struct inlets_tunnel *t, struct inlets_session *session,
    uint64_t deadline)
{
    if (session == t->next) {
        t->next_deadline = deadline;

    } else if (session == t->current) {
        t->drain_deadline = deadline;
        connect_soon(t);
    }
}


static void
session_drain(void *data, struct inlets_session *session, uint64_t deadline)
{
    struct inlets_tunnel  *t = data;

    if (t->stopping) {
        return;
    }

    if (deadline == 0) {
        inlets_log(INLETS_LOG_INFO, "%sthe edge process is leaving", t->tag);
        deadline = TUNNEL_NO_LIMIT;

    } else {
        inlets_log(INLETS_LOG_INFO, "%sthe edge process is leaving within "
                   "%u.%u s", t->tag, (unsigned) (deadline / 1000),
                   (unsigned) (deadline % 1000 / 100));
        deadline += now_ms(t);
    }

    replace(t, session, deadline);
}


static void
session_worn(void *data, struct inlets_session *session)
{
    struct inlets_tunnel  *t = data;

    if (!t->stopping) {
        inlets_log(INLETS_LOG_INFO, "%sa link has had nearly all the streams "
                   "it can have", t->tag);
        replace(t, session, TUNNEL_NO_LIMIT);
    }
}


static void
session_drained(void *data, struct inlets_session *session)
{
    struct inlets_tunnel  *t = data;

    if (session == t->current) {
        /* only asked for when stopping */
        t->current = NULL;

    } else {
        forget_old(t, session);
    }

    inlets_session_destroy(session);

    if (t->stopping && is_empty(t)) {
        tunnel_over(t, EXIT_SUCCESS);
    }
}


static void
session_listed(void *data, struct inlets_session *session,
    const cJSON *tunnels)
{
    struct inlets_tunnel  *t = data;

    if (t->local == NULL && !t->stopping
        && (session == t->current || session == t->next))
    {
        inlets_tunnels_listed(t->client->tunnels, tunnels);
    }
}


struct inlets_tunnel *
inlets_tunnel_create(struct inlets_client *client, struct inlets_conf *owner,
    const struct inlets_tunnel_conf *conf, const char *from, bool child)
{
    struct inlets_tunnel  *t;

    t = calloc(1, sizeof(*t));

    if (t == NULL) {
        inlets_log(INLETS_LOG_ERROR, "no memory");
        return NULL;
    }

    t->client = client;
    t->child = child;
    t->activity.requests = &client->requests;
    t->backoff = (struct inlets_backoff) { .base = TUNNEL_BACKOFF_BASE,
                                           .cap = TUNNEL_BACKOFF_CAP };

    if (conf != NULL) {
        t->local = inlets_local_create(&client->loop, owner, conf,
                                       &t->activity);

        if (t->local == NULL) {
            free(t);
            return NULL;
        }

        inlets_tunnel_set_place(t, from);
    }

    inlets_tunnel_set_tag(t);

    t->edge = inlets_edge_ref(client->edge);

    (void) uv_timer_init(&client->loop, &t->retry);
    t->retry.data = t;

    (void) uv_timer_init(&client->loop, &t->deadline);
    t->deadline.data = t;

    (void) uv_timer_init(&client->loop, &t->lost);
    t->lost.data = t;
    t->reporting = true;

    inlets_tunnel_connect(t);

    return t;
}


static void
retry_closed(uv_handle_t *handle)
{
    free(handle->data);
}


/* One after the other: libuv promises no order. */

static void
deadline_closed(uv_handle_t *handle)
{
    struct inlets_tunnel  *t = handle->data;

    uv_close((uv_handle_t *) &t->retry, retry_closed);
}


static void
lost_closed(uv_handle_t *handle)
{
    struct inlets_tunnel  *t = handle->data;

    uv_close((uv_handle_t *) &t->deadline, deadline_closed);
}


void
inlets_tunnel_destroy(struct inlets_tunnel *tunnel)
{
    if (tunnel == NULL) {
        return;
    }

    tunnel->over = true;

    inlets_session_destroy(tunnel->next);
    inlets_session_destroy(tunnel->current);

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        inlets_session_destroy(tunnel->old[i].session);
    }

    inlets_local_unref(tunnel->local);
    inlets_edge_unref(tunnel->edge);

    uv_close((uv_handle_t *) &tunnel->lost, lost_closed);
}


void
inlets_tunnel_stop(struct inlets_tunnel *tunnel)
{
    struct inlets_tunnel  *t = tunnel;

    if (t->over) {
        return;
    }

    if (t->stopping || is_empty(t)) {
        t->stopping = true;
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    t->stopping = true;
    t->retry_at = 0;

    inlets_session_destroy(t->next);
    t->next = NULL;

    (void) uv_timer_stop(&t->retry);
    (void) uv_timer_stop(&t->lost);
    (void) uv_timer_start(&t->deadline, deadline_passed,
                          t->client->conf->grace, 0);

    if (t->current != NULL) {
        inlets_session_leave(t->current, true);
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session != NULL) {
            inlets_session_leave(t->old[i].session, true);
        }
    }
}


bool
inlets_tunnel_is_over(const struct inlets_tunnel *tunnel)
{
    return tunnel->over;
}


bool
inlets_tunnel_is_stopping(const struct inlets_tunnel *tunnel)
{
    return tunnel->stopping;
}


const struct inlets_tunnel_conf *
inlets_tunnel_conf(const struct inlets_tunnel *tunnel)
{
    return tunnel->local != NULL ? tunnel->local->conf : NULL;
}


const char *
inlets_tunnel_session(const struct inlets_tunnel *tunnel)
{
    const struct inlets_session  *next = tunnel->next;

    if (next != NULL && inlets_session_welcome(next)->container_id[0] != '\0') {
        return inlets_session_welcome(next)->container_id;
    }

    return tunnel->resume;
}


void
inlets_tunnel_show(const struct inlets_tunnel *tunnel,
    struct inlets_view_tunnel *ret)
{
    const struct inlets_tunnel  *t = tunnel;

    *ret = (struct inlets_view_tunnel) {
        .name = t->activity.tunnel,
        .state = INLETS_VIEW_CONNECTING,
        .why = t->why,
        .retry_at = t->retry_at,
        .since = t->state_since,
        .url = t->url,
        .service = t->local != NULL ? t->local->name : "the edge's list",
        .activity = &t->activity
    };

    if (t->over) {
        ret->state = INLETS_VIEW_FAILED;

    } else if (t->current != NULL) {
        ret->state = INLETS_VIEW_ONLINE;

    } else if (t->retry_at != 0) {
        ret->state = INLETS_VIEW_WAITING;
    }
}
