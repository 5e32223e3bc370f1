#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "backoff.h"
#include "inlets_error.h"
#include "inlets_mux.h"
#include "link.h"
#include "log.h"


#define LINK_BACKOFF_BASE  500      /* ms */
#define LINK_BACKOFF_CAP   15000
#define LINK_FAILURES      6        /* in a row and with no link open: the
                                       session is of no use */
#define LEAVE_CHECK        200      /* ms */
#define LEAVE_QUIET        1000     /* ms without streams, before a session
                                       ends: some of the edge's may be on
                                       their way, unless it says there are
                                       none */
#define SESSION_REASON     256


/* A link and when to open it again. */

struct session_link {
    struct inlets_link     link;
    struct inlets_backoff  backoff;
    uint64_t               open_at;     /* ms, 0: not waiting */
};


struct inlets_session {
    struct inlets_client                  *client;
    struct inlets_edge                    *edge;
    struct inlets_local                   *local;       /* NULL: no links */
    const struct inlets_session_handlers  *handlers;    /* NULL: destroyed */
    void                                  *data;

    struct inlets_monitor                 *monitor;
    struct inlets_resolve_wait             wait;
    struct inlets_addresses                addresses;
    size_t                                 address;     /* in use */

    uv_timer_t                             timer;

    struct inlets_welcome                  welcome;
    char                                   tcp_host[INLETS_HOST_MAX + 1];
    uint32_t                               tcp_port;

    uint32_t                               nlinks;
    struct session_link                   *links;
    uint32_t                               failures;
    uint64_t                               up_deadline; /* ms, 0: none */

    bool                                   welcomed;
    bool                                   up;
    bool                                   worn;
    uint64_t                               quiet_at;    /* ms, of the last
                                                           stream's end */
    bool                                   leaving;
    bool                                   away;        /* not replaced */
    bool                                   drained;
    bool                                   over;

    /* of the login, copied */
    struct inlets_login                    login;
    char                                   name[INLETS_LABEL_MAX + 1];
    char                                   resume[INLETS_ID_MAX + 1];
};


static void session_timer(uv_timer_t *timer);
static void connect_monitor(struct inlets_session *s);


static uint64_t
now_ms(const struct inlets_session *s)
{
    return uv_now(&s->client->loop);
}


static bool
is_tcp(const struct inlets_session *s)
{
    return s->local != NULL && s->local->conf->tcp;
}


static void
timer_closed(uv_handle_t *handle)
{
    struct inlets_session  *s = handle->data;

    inlets_local_unref(s->local);
    inlets_edge_unref(s->edge);
    free(s->links);
    free(s);
}


static void
close_all(struct inlets_session *s)
{
    s->over = true;

    inlets_resolve_cancel(&s->wait);

    for (uint32_t i = 0; i < s->nlinks; i++) {
        inlets_link_close(&s->links[i].link);
        s->links[i].open_at = 0;
    }

    inlets_monitor_destroy(s->monitor);
    s->monitor = NULL;

    (void) uv_timer_stop(&s->timer);
}


void
inlets_session_destroy(struct inlets_session *session)
{
    if (session == NULL || session->handlers == NULL) {
        return;
    }

    session->handlers = NULL;

    close_all(session);

    /* frees it: callers up the stack may still look at it in this turn */

    uv_close((uv_handle_t *) &session->timer, timer_closed);
}


static void
session_end(struct inlets_session *s, enum inlets_session_end end,
    const char *why)
{
    char  text[SESSION_REASON];

    if (s->over || s->handlers == NULL) {
        return;
    }

    /* why may be within what is closed now */
    snprintf(text, sizeof(text), "%s", why);

    close_all(s);

    s->handlers->ended(s->data, s, end, text);
}


static bool
has_left(const struct inlets_session *s)
{
    for (uint32_t i = 0; i < s->nlinks; i++) {
        if (!inlets_link_has_left(&s->links[i].link)) {
            return false;
        }
    }

    return s->away;
}


static void
arm_timer(struct inlets_session *s)
{
    uint64_t  next = 0, now = now_ms(s);

    if (s->over) {
        return;
    }

    if (!s->up) {
        next = s->up_deadline;
    }

    if (s->leaving && !s->drained) {
        next = has_left(s) && inlets_session_streams(s) == 0
               ? now : now + LEAVE_CHECK;
    }

    for (uint32_t i = 0; i < s->nlinks; i++) {
        uint64_t  times[] = { s->links[i].open_at, s->links[i].link.deadline };

        for (size_t k = 0; k < 2; k++) {
            if (times[k] != 0 && (next == 0 || times[k] < next)) {
                next = times[k];
            }
        }
    }

    if (next == 0) {
        (void) uv_timer_stop(&s->timer);
        return;
    }

    (void) uv_timer_start(&s->timer, session_timer,
                          next > now ? next - now : 0, 0);
}


static void
open_link(struct inlets_session *s, struct session_link *sl)
{
    struct inlets_link_conf  conf = {
        .edge = s->edge,
        .address = s->addresses.list[s->address],
        .client_id = s->welcome.client_id,
        .container_id = s->welcome.container_id,
        .key = s->welcome.key,
        .window = s->welcome.window
    };
    int                      rc;

    sl->open_at = 0;

    rc = inlets_link_open(&sl->link, &conf);

    if (rc != INLETS_OK) {
        inlets_session_link_down(s, &sl->link, rc == INLETS_E_INVALID
                                               ? strerror(errno)
                                               : inlets_strerror(rc));
    }
}


static void
session_timer(uv_timer_t *timer)
{
    struct inlets_session  *s = timer->data;
    uint64_t                now = now_ms(s);

    for (uint32_t i = 0; i < s->nlinks && !s->over; i++) {
        struct session_link  *sl = &s->links[i];

        if (sl->open_at != 0 && now >= sl->open_at) {
            open_link(s, sl);

        } else {
            inlets_link_check(&sl->link, now);
        }
    }

    if (!s->up && s->up_deadline != 0 && now >= s->up_deadline) {
        session_end(s, INLETS_SESSION_LOST, s->failures > 0
                    ? "no link to the edge could be opened in time"
                    : "the edge opened no port in time");
    }

    if (!s->over && s->leaving && !s->drained
        && inlets_session_streams(s) == 0
        && (has_left(s) || now - s->quiet_at >= LEAVE_QUIET))
    {
        s->drained = true;
        s->handlers->drained(s->data, s);
    }

    /* a handler may have destroyed it; then it is over */
    arm_timer(s);
}


static void
session_ready(struct inlets_session *s)
{
    bool  open = false;

    for (uint32_t i = 0; i < s->nlinks; i++) {
        open = open || s->links[i].link.state == INLETS_LINK_OPEN;
    }

    if (s->up || (s->local != NULL && !open)
        || (is_tcp(s) && s->tcp_port == 0))
    {
        return;
    }

    s->up = true;
    s->handlers->up(s->data, s);
}


void
inlets_session_link_up(struct inlets_session *session, struct inlets_link *link)
{
    struct inlets_session  *s = session;
    struct session_link    *sl = (struct session_link *) (void *) link;

    inlets_log(INLETS_LOG_DEBUG, "%slink %u of %u open", s->login.tag,
               (unsigned) (sl - s->links) + 1, s->nlinks);

    inlets_backoff_reset(&sl->backoff);
    s->failures = 0;

    if (s->away) {
        inlets_link_leave(link);
    }

    arm_timer(s);
    session_ready(s);
}


void
inlets_session_link_down(struct inlets_session *session,
    struct inlets_link *link, const char *why)
{
    struct inlets_session  *s = session;
    struct session_link    *sl = (struct session_link *) (void *) link;
    bool                    open = false;
    char                    text[SESSION_REASON];

    if (s->over) {
        return;
    }

    if (link->handshake.status != 0 && link->handshake.status != 101) {
        snprintf(text, sizeof(text), "%s: HTTP %u", why,
                 link->handshake.status);

    } else {
        snprintf(text, sizeof(text), "%s", why);
    }

    for (uint32_t i = 0; i < s->nlinks; i++) {
        open = open || s->links[i].link.state == INLETS_LINK_OPEN;
    }

    s->failures++;

    if (!open && s->failures >= LINK_FAILURES) {
        session_end(s, INLETS_SESSION_LOST, text);
        return;
    }

    inlets_log(INLETS_LOG_INFO, "%slink %u of %u lost: %s", s->login.tag,
               (unsigned) (sl - s->links) + 1, s->nlinks, text);

    if (!s->leaving) {
        sl->open_at = now_ms(s) + inlets_backoff_next(&sl->backoff);
    }

    arm_timer(s);
}


void
inlets_session_link_left(struct inlets_session *session)
{
    arm_timer(session);
}


void
inlets_session_link_worn(struct inlets_session *session)
{
    struct inlets_session  *s = session;

    if (!s->worn && !s->over) {
        s->worn = true;
        s->handlers->worn(s->data, s);
    }
}


void
inlets_session_stream_ended(struct inlets_session *session)
{
    session->quiet_at = now_ms(session);

    if (session->leaving && inlets_session_streams(session) == 0) {
        arm_timer(session);
    }
}


static void
session_welcome(void *data, const struct inlets_welcome *welcome)
{
    struct inlets_session  *s = data;
    uint32_t                asked = s->edge->conf->links;

    s->welcomed = true;
    s->welcome = *welcome;

    inlets_log(INLETS_LOG_INFO, "%s[authenticate] connected", s->login.tag);
    inlets_log(INLETS_LOG_INFO, "%s[authenticate] Client ID: %s", s->login.tag,
               welcome->client_id);
    inlets_log(INLETS_LOG_INFO, "%s[authenticate] Container ID: %s",
               s->login.tag, welcome->container_id);

    if (s->local == NULL) {
        session_ready(s);
        return;
    }

    if (!is_tcp(s) && welcome->url[0] == '\0') {
        session_end(s, INLETS_SESSION_LOST, "the edge gave no URL");
        return;
    }

    if (!welcome->access && inlets_access_given(&s->local->conf->access)) {
        session_end(s, INLETS_SESSION_FATAL, "the edge does not enforce rules "
                    "for visitors, all would be let in");
        return;
    }

    if (!welcome->mux) {
        session_end(s, INLETS_SESSION_FATAL, "the edge does not know "
                    "multiplexed links; plain protocol version 2 is not in "
                    "this release");
        return;
    }

    s->nlinks = asked != 0 && asked < welcome->links ? asked : welcome->links;
    s->links = calloc(s->nlinks, sizeof(*s->links));

    if (s->links == NULL) {
        s->nlinks = 0;
        session_end(s, INLETS_SESSION_LOST, "no memory");
        return;
    }

    for (uint32_t i = 0; i < s->nlinks; i++) {
        s->links[i].link.client = s->client;
        s->links[i].link.session = s;
        s->links[i].backoff = (struct inlets_backoff) {
            .base = LINK_BACKOFF_BASE, .cap = LINK_BACKOFF_CAP
        };
    }

    s->up_deadline = now_ms(s) + s->edge->conf->login_timeout;

    for (uint32_t i = 0; i < s->nlinks && !s->over; i++) {
        open_link(s, &s->links[i]);
    }

    arm_timer(s);
}


static void
session_refused(void *data, const char *message)
{
    session_end(data, INLETS_SESSION_REFUSED, message);
}


static void
session_fatal(void *data, const char *message)
{
    session_end(data, INLETS_SESSION_FATAL, message);
}


static void
session_lost(void *data, const char *why, bool established)
{
    struct inlets_session  *s = data;

    if (s->leaving && inlets_session_streams(s) > 0) {
        /* they may go on as long as their links do */
        inlets_monitor_destroy(s->monitor);
        s->monitor = NULL;
        return;
    }

    if (established || s->address + 1 >= s->addresses.n) {
        session_end(s, INLETS_SESSION_LOST, why);
        return;
    }

    inlets_log(INLETS_LOG_DEBUG, "%saddress %u of the edge: %s", s->login.tag,
               (unsigned) s->address + 1, why);

    inlets_monitor_destroy(s->monitor);
    s->monitor = NULL;
    s->address++;

    connect_monitor(s);
}


static void
session_tcp_ready(void *data, const char *host, uint32_t port)
{
    struct inlets_session  *s = data;

    snprintf(s->tcp_host, sizeof(s->tcp_host), "%s", host);
    s->tcp_port = port;

    session_ready(s);
}


static void
session_drain(void *data, uint64_t deadline)
{
    struct inlets_session  *s = data;

    s->handlers->drain(s->data, s, deadline);
}


static void
session_listed(void *data, const cJSON *tunnels)
{
    struct inlets_session  *s = data;

    s->handlers->listed(s->data, s, tunnels);
}


static const struct inlets_monitor_handlers  monitor_handlers = {
    .welcome = session_welcome,
    .refused = session_refused,
    .fatal = session_fatal,
    .lost = session_lost,
    .tcp_ready = session_tcp_ready,
    .drain = session_drain,
    .listed = session_listed
};


static void
connect_monitor(struct inlets_session *s)
{
    s->monitor = inlets_monitor_create(s->client, s->edge,
                                       &s->addresses.list[s->address],
                                       &s->login, &monitor_handlers, s);

    if (s->monitor == NULL) {
        session_end(s, INLETS_SESSION_LOST, "cannot connect");
    }
}


static void
session_resolved(void *data, const struct inlets_addresses *addresses,
    const char *error)
{
    struct inlets_session  *s = data;

    if (error != NULL) {
        session_end(s, INLETS_SESSION_LOST, error);
        return;
    }

    s->addresses = *addresses;
    connect_monitor(s);
}


/* What fails in it is reported from the loop, not from within create(). */

static void
start_timer(uv_timer_t *timer)
{
    struct inlets_session  *s = timer->data;

    inlets_resolve(s->edge->resolver, &s->wait, session_resolved, s);
}


struct inlets_session *
inlets_session_create(struct inlets_client *client, struct inlets_edge *edge,
    struct inlets_local *local, const struct inlets_login *login,
    const struct inlets_session_handlers *handlers, void *data)
{
    struct inlets_session  *s;

    s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }

    s->client = client;
    s->edge = inlets_edge_ref(edge);
    s->local = local != NULL ? inlets_local_ref(local) : NULL;
    s->handlers = handlers;
    s->data = data;

    s->login.tunnel = login->tunnel;
    s->login.child = login->child;
    s->login.tag = login->tag;

    if (login->name != NULL) {
        snprintf(s->name, sizeof(s->name), "%s", login->name);
        s->login.name = s->name;
    }

    if (login->resume != NULL) {
        snprintf(s->resume, sizeof(s->resume), "%s", login->resume);
        s->login.resume = s->resume;
    }

    s->login.port = login->port;

    (void) uv_timer_init(&client->loop, &s->timer);
    s->timer.data = s;
    (void) uv_timer_start(&s->timer, start_timer, 0, 0);

    return s;
}


void
inlets_session_set_local(struct inlets_session *session,
    struct inlets_local *local)
{
    inlets_local_unref(session->local);

    session->local = inlets_local_ref(local);
    session->login.tunnel = local->conf;
}


struct inlets_local *
inlets_session_local(const struct inlets_session *session)
{
    return session->local;
}


const char *
inlets_session_tag(const struct inlets_session *session)
{
    return session->login.tag;
}


void
inlets_session_leave(struct inlets_session *session, bool away)
{
    session->leaving = true;
    session->away = away;
    session->quiet_at = now_ms(session);

    for (uint32_t i = 0; i < session->nlinks; i++) {
        session->links[i].open_at = 0;

        if (away) {
            inlets_link_leave(&session->links[i].link);
        }
    }

    arm_timer(session);
}


const struct inlets_welcome *
inlets_session_welcome(const struct inlets_session *session)
{
    return &session->welcome;
}


const char *
inlets_session_host(const struct inlets_session *session)
{
    return session->tcp_host;
}


uint32_t
inlets_session_port(const struct inlets_session *session)
{
    return session->tcp_port;
}


uint32_t
inlets_session_streams(const struct inlets_session *session)
{
    uint32_t  n = 0;

    for (uint32_t i = 0; i < session->nlinks; i++) {
        n += session->links[i].link.nstreams;
    }

    return n;
}


bool
inlets_session_is_worn(const struct inlets_session *session)
{
    return session->worn;
}
