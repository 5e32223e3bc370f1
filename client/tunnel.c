#include "tunnel.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "client.h"
#include "inlets_error.h"
#include "inlets_name.h"
#include "inlets_protocol.h"
#include "log.h"
#include "report.h"
#include "session.h"


#define TUNNEL_BACKOFF_BASE  500        /* ms */
#define TUNNEL_BACKOFF_CAP   30000
#define TUNNEL_STABLE        10000      /* up for so long: back-off restarts */
#define TUNNEL_OLD           16         /* sessions that drain at once */
#define TUNNEL_NO_LIMIT      UINT64_MAX /* of draining */
#define TUNNEL_LOST          60000      /* away for so long: it is reported */
#define TUNNEL_WHY           512


/* A session that was replaced, until its streams are done. */

struct old_session {
    struct inlets_session  *session;
    uint64_t                deadline;
};


struct inlets_tunnel {
    struct inlets_client   *client;
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

    bool                    was_up;
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


static void deadline_passed(uv_timer_t *timer);
static void session_up(void *data, struct inlets_session *session);
static void session_ended(void *data, struct inlets_session *session,
    enum inlets_session_end end, const char *why);
static void session_drain(void *data, struct inlets_session *session,
    uint64_t deadline);
static void session_drained(void *data, struct inlets_session *session);


static const struct inlets_session_handlers  session_handlers = {
    .up = session_up,
    .ended = session_ended,
    .drain = session_drain,
    .drained = session_drained
};


static uint64_t
now_ms(const struct inlets_tunnel *t)
{
    return uv_now(&t->client->loop);
}


/* "http demo at edge.example.com:443" */

static void
report(struct inlets_tunnel *t)
{
    const struct inlets_options  *o = t->client->options;
    const char                   *what = t->name;
    char                          edge[INLETS_URL_AUTHORITY];
    char                          port[16] = "";
    char                          text[INLETS_URL_AUTHORITY + 96];

    inlets_url_authority(&o->remote, true, edge);

    if (o->tcp) {
        what = port;

        if (t->port != 0) {
            snprintf(port, sizeof(port), "%u", t->port);
        }
    }

    snprintf(text, sizeof(text), "%s%s%s at %s", o->tcp ? "tcp" : "http",
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

    inlets_client_finish(t->client, status);
}


static void
connect_next(uv_timer_t *timer)
{
    struct inlets_tunnel         *t = timer->data;
    const struct inlets_options  *o = t->client->options;
    struct inlets_login           login = {
        .name = t->name[0] != '\0' ? t->name : NULL,
        .port = t->port,
        .resume = t->resume[0] != '\0' ? t->resume : NULL
    };
    char                          edge[INLETS_URL_AUTHORITY];

    if (t->next != NULL) {
        return;
    }

    t->attempts++;

    inlets_url_authority(&o->remote, true, edge);

    inlets_log(INLETS_LOG_INFO, "Connecting to %s://%s%s ...",
               o->remote.tls ? "wss" : "ws", edge, o->remote.path);

    t->next = inlets_session_create(t->client, &login, &session_handlers, t);

    if (t->next == NULL) {
        (void) uv_timer_start(&t->retry, connect_next,
                              inlets_backoff_next(&t->backoff), 0);
    }
}


static void
retry(struct inlets_tunnel *t, const char *why)
{
    uint32_t  pause = inlets_backoff_next(&t->backoff);

    inlets_log(INLETS_LOG_WARN, "%s, retrying in %u.%u s", why, pause / 1000,
               pause % 1000 / 100);

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
    const struct inlets_options  *o = t->client->options;
    const struct inlets_welcome  *welcome = inlets_session_welcome(session);
    bool                          public;

    public = o->token == NULL && o->client_id == NULL;

    snprintf(t->resume, sizeof(t->resume), "%s", welcome->container_id);

    if (o->tcp) {
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
print_forwarding(struct inlets_tunnel *t, const struct inlets_session *session)
{
    const struct inlets_options  *o = t->client->options;
    const char                   *host = inlets_session_host(session);
    char                          service[INLETS_URL_AUTHORITY];

    inlets_url_authority(&o->upstream, true, service);

    if (o->tcp) {
        const char  *open = "", *close = "";

        if (strchr(host, ':') != NULL && host[0] != '[') {
            open = "[";
            close = "]";
        }

        inlets_log_notice("Forwarding: tcp://%s%s%s:%u -> %s", open, host,
                          close, inlets_session_port(session), service);
        return;
    }

    inlets_log_notice("Forwarding: %s -> http://%s",
                      inlets_session_welcome(session)->url, service);
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
        inlets_log(INLETS_LOG_WARN, "some connections did not end in time");
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        struct inlets_session  *session = t->old[i].session;

        if (session != NULL && now >= t->old[i].deadline) {
            inlets_log(INLETS_LOG_WARN, "%u connections were cut with the edge "
                       "process that left", inlets_session_streams(session));
            t->old[i].session = NULL;
            inlets_session_destroy(session);
        }
    }

    arm_deadline(t);
}


/*
 * The session's streams may finish; there is a newer one for the others.  With
 * no slot left, the session with the fewest streams ends now.
 */

static void
retire(struct inlets_tunnel *t, struct inlets_session *session)
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
    t->old[slot].deadline = t->drain_deadline;

    inlets_session_leave(session, false);
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

    if (before != NULL) {
        inlets_log(INLETS_LOG_INFO, "moved to another edge process");
        retire(t, before);
    }

    t->drain_deadline = t->next_deadline;
    t->next_deadline = 0;

    if (t->drain_deadline != 0) {
        connect_soon(t);
    }

    remember(t, session);
    print_forwarding(t, session);
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

    if (!t->was_up || (strcmp(why, INLETS_FAIL_NAME_USED) != 0
                       && !t->client->options->tcp))
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

    if (end == INLETS_SESSION_FATAL
        || (end == INLETS_SESSION_REFUSED && t->current == NULL
            && !may_ask_again(t, why)))
    {
        inlets_log(INLETS_LOG_ERROR, "%s%s",
                   end == INLETS_SESSION_REFUSED ? "authentication failed: "
                                                 : "", why);
        snprintf(t->why, sizeof(t->why), "%s", why);
        report(t);
        tunnel_over(t, EXIT_FAILURE);
        return;
    }

    if (strstr(why, INLETS_CLOSE_PUBLIC) != NULL) {
        inlets_log(INLETS_LOG_INFO, "%s", why);
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    failed(t, why, was_current);

    if (t->next == NULL && !uv_is_active((uv_handle_t *) &t->retry)) {
        retry(t, why);

    } else {
        inlets_log(INLETS_LOG_INFO, "%s", why);
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
        inlets_log(INLETS_LOG_INFO, "the edge process is leaving");
        deadline = TUNNEL_NO_LIMIT;

    } else {
        inlets_log(INLETS_LOG_INFO, "the edge process is leaving within "
                   "%u.%u s", (unsigned) (deadline / 1000),
                   (unsigned) (deadline % 1000 / 100));
        deadline += now_ms(t);
    }

    if (session == t->next) {
        /* it serves until there is one more */
        t->next_deadline = deadline;

    } else if (session == t->current) {
        t->drain_deadline = deadline;
        connect_soon(t);
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


struct inlets_tunnel *
inlets_tunnel_create(struct inlets_client *client)
{
    const struct inlets_options  *o = client->options;
    struct inlets_tunnel         *t;

    t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }

    t->client = client;
    t->backoff = (struct inlets_backoff) { .base = TUNNEL_BACKOFF_BASE,
                                           .cap = TUNNEL_BACKOFF_CAP };
    t->port = o->port;

    if (o->sub_domain != NULL) {
        snprintf(t->name, sizeof(t->name), "%s", o->sub_domain);
    }

    (void) uv_timer_init(&client->loop, &t->retry);
    t->retry.data = t;

    (void) uv_timer_init(&client->loop, &t->deadline);
    t->deadline.data = t;

    (void) uv_timer_init(&client->loop, &t->lost);
    t->lost.data = t;
    t->reporting = true;

    connect_next(&t->retry);

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
        tunnel_over(t, EXIT_SUCCESS);
        return;
    }

    t->stopping = true;

    inlets_session_destroy(t->next);
    t->next = NULL;

    (void) uv_timer_stop(&t->retry);
    (void) uv_timer_stop(&t->lost);
    (void) uv_timer_start(&t->deadline, deadline_passed,
                          t->client->options->grace, 0);

    if (t->current != NULL) {
        inlets_session_leave(t->current, true);
    }

    for (size_t i = 0; i < TUNNEL_OLD; i++) {
        if (t->old[i].session != NULL) {
            inlets_session_leave(t->old[i].session, true);
        }
    }
}
