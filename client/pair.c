#include "pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"


#define PAIR_KEEP_IDLE      60      /* s, until a silent peer is asked */
#define PAIR_KEEP_INTERVAL  15
#define PAIR_KEEP_COUNT     4


enum pair_state {
    PAIR_RESOLVING = 0,
    PAIR_CONNECTING,
    PAIR_OPEN,
    PAIR_CLOSED
};


enum pair_end {
    VISITOR = 0,
    TARGET
};


/* Lives until libuv lets go of it, a pair maybe shorter. */

struct side {
    uv_poll_t            poll;
    struct inlets_pair  *pair;
    int                  fd;
    int                  events;
    bool                 quiet;     /* errors alone are not waited for */
    enum pair_end        end;
};


/* way[i] is from side[i] to the other one. */

struct way {
    struct inlets_flow  flow;
    bool                blocked;    /* until it can be written */
    bool                ended;
    bool                clean;      /* it ended as its sender wished */
};


struct inlets_pair {
    struct inlets_forward       *forward;
    struct inlets_pair          *next;
    struct inlets_pair         **prev;

    struct side                 *side[2];
    struct way                   way[2];
    enum pair_state              state;

    uv_timer_t                   timer;
    uint64_t                     active;    /* last, uv_now() */
    uint64_t                     deadline;  /* of connecting */

    union inlets_address         visitor;
    struct inlets_resolve_wait   wait;
    struct inlets_addresses      addresses;
    size_t                       address;   /* the next to be tried */
    int                          error;     /* of the last one tried */
};


static void side_event(uv_poll_t *poll, int status, int events);
static void connect_next(struct inlets_pair *p);


void
inlets_pair_socket_options(int fd)
{
    int  on = 1, idle = PAIR_KEEP_IDLE, interval = PAIR_KEEP_INTERVAL;
    int  count = PAIR_KEEP_COUNT;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
                      sizeof(interval));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}


/* Takes fd, also when it fails, with errno. */

static struct side *
side_create(struct inlets_pair *p, enum pair_end end, int fd)
{
    struct side  *s = calloc(1, sizeof(*s));
    int           rc = UV_ENOMEM;

    if (s != NULL) {
        rc = uv_poll_init(&p->forward->loop, &s->poll, fd);
    }

    if (s == NULL || rc != 0) {
        free(s);
        close(fd);
        errno = -rc;
        return NULL;
    }

    s->poll.data = s;
    s->pair = p;
    s->end = end;
    s->fd = fd;

    return s;
}


static void
side_closed(uv_handle_t *handle)
{
    struct side  *s = handle->data;

    close(s->fd);
    free(s);
}


static void
side_close(struct side *s, bool reset)
{
    struct linger  linger = { .l_onoff = 1, .l_linger = 0 };

    if (s == NULL) {
        return;
    }

    if (reset) {
        (void) setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
    }

    s->pair = NULL;

    uv_close((uv_handle_t *) &s->poll, side_closed);
}


static int
side_watch(struct side *s, int events)
{
    if (events == s->events) {
        return 0;
    }

    s->events = events;

    return events == 0 ? uv_poll_stop(&s->poll)
                       : uv_poll_start(&s->poll, events, side_event);
}


static int
socket_error(int fd)
{
    socklen_t  len = sizeof(int);
    int        err = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = errno;
    }

    return err;
}


static void
pair_freed(uv_handle_t *handle)
{
    free(handle->data);
}


static void
pair_close(struct inlets_pair *p)
{
    struct inlets_forward  *f = p->forward;

    if (p->state == PAIR_CLOSED) {
        return;
    }

    p->state = PAIR_CLOSED;

    f->counts.to_target += p->way[VISITOR].flow.bytes;
    f->counts.to_visitors += p->way[TARGET].flow.bytes;

    inlets_resolve_cancel(&p->wait);

    for (unsigned i = 0; i < 2; i++) {
        inlets_flow_finish(&f->flows, &p->way[i].flow);
        side_close(p->side[i], !p->way[!i].clean);
    }

    *p->prev = p->next;

    if (p->next != NULL) {
        p->next->prev = p->prev;
    }

    f->n_pairs--;

    uv_close((uv_handle_t *) &p->timer, pair_freed);

    inlets_forward_ended(f);
}


/* The visitor never reached the target. */

static void
pair_refuse(struct inlets_pair *p, const char *why)
{
    char  visitor[INLETS_FORWARD_PEER];
    char  target[INLETS_URL_AUTHORITY];

    inlets_forward_peer(&p->visitor, visitor);
    (void) inlets_url_authority(&p->forward->options->target, true, target);

    inlets_log(INLETS_LOG_ERROR, "%s: cannot connect to %s: %s", visitor,
               target, why);

    p->forward->counts.failed++;
    pair_close(p);
}


static void
pair_fail(struct inlets_pair *p, const char *who, int err)
{
    char  visitor[INLETS_FORWARD_PEER];

    if (inlets_log_enabled(INLETS_LOG_DEBUG)) {
        inlets_forward_peer(&p->visitor, visitor);
        inlets_log(INLETS_LOG_DEBUG, "%s: %s: %s", visitor, who,
                   strerror(err));
    }

    pair_close(p);
}


static void
pair_done(struct inlets_pair *p)
{
    char  visitor[INLETS_FORWARD_PEER];

    if (inlets_log_enabled(INLETS_LOG_DEBUG)) {
        inlets_forward_peer(&p->visitor, visitor);
        inlets_log(INLETS_LOG_DEBUG, "%s: closed, %llu bytes to the target, "
                   "%llu back", visitor,
                   (unsigned long long) p->way[VISITOR].flow.bytes,
                   (unsigned long long) p->way[TARGET].flow.bytes);
    }

    pair_close(p);
}


void
inlets_pairs_cut(struct inlets_forward *f)
{
    for (struct inlets_pair *p = f->pairs, *next; p != NULL; p = next) {
        next = p->next;

        p->way[VISITOR].clean = false;
        p->way[TARGET].clean = false;
        pair_close(p);
    }
}


static const char *
end_name(enum pair_end end)
{
    return end == VISITOR ? "visitor" : "target";
}


/*
 * Moves what there is from one end to the other.  The pair may be closed
 * afterwards.
 */

static void
way_run(struct inlets_pair *p, enum pair_end from)
{
    struct way   *w = &p->way[from];
    struct side  *to = p->side[!from];

    w->blocked = false;

    switch (inlets_flow_move(&p->forward->flows, &w->flow, p->side[from]->fd,
                             to->fd))
    {
    case INLETS_FLOW_READ:
    case INLETS_FLOW_MORE:
        return;

    case INLETS_FLOW_WRITE:
        w->blocked = true;
        return;

    case INLETS_FLOW_END:
        w->ended = true;
        w->clean = shutdown(to->fd, SHUT_WR) == 0;
        break;

    case INLETS_FLOW_READ_ERROR:
        pair_fail(p, end_name(from), w->flow.error);
        return;

    case INLETS_FLOW_WRITE_ERROR:
        if (w->flow.error != EPIPE && w->flow.error != ECONNRESET) {
            pair_fail(p, end_name(!from), w->flow.error);
            return;
        }

        /* what it has sent before may still be there to be read */
        w->ended = true;
        inlets_flow_finish(&p->forward->flows, &w->flow);
        break;
    }

    if (p->way[!from].ended) {
        pair_done(p);
    }
}


static void
pair_watch(struct inlets_pair *p)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct way  *out = &p->way[i], *in = &p->way[!i];
        int                events = 0;

        if (!out->ended && !out->blocked) {
            events |= UV_READABLE;
        }

        if (!in->ended && in->blocked) {
            events |= UV_WRITABLE;
        }

        /* a reset is noticed while nothing else is wanted */

        if (!p->side[i]->quiet) {
            events |= UV_PRIORITIZED;
        }

        if (side_watch(p->side[i], events) != 0) {
            pair_fail(p, "cannot watch the socket", EINVAL);
            return;
        }
    }
}


/* Urgent data, a reset, or both directions shut down. */

static void
side_alarm(struct side *s)
{
    int  err = socket_error(s->fd);

    if (err != 0) {
        pair_fail(s->pair, end_name(s->end), err);
        return;
    }

    s->quiet = true;
}


static void
pair_event(struct side *s, int events)
{
    struct inlets_pair  *p = s->pair;
    struct way          *out = &p->way[s->end], *in = &p->way[!s->end];
    bool                 ran = false;

    p->active = uv_now(&p->forward->loop);

    if ((events & UV_WRITABLE) && in->blocked && !in->ended) {
        way_run(p, !s->end);
        ran = true;
    }

    if ((events & UV_READABLE) && p->state == PAIR_OPEN && !out->ended
        && !out->blocked)
    {
        way_run(p, s->end);
        ran = true;
    }

    if (p->state == PAIR_OPEN && (events & UV_PRIORITIZED)) {
        if (ran) {
            s->quiet = true;

        } else {
            side_alarm(s);
        }
    }

    if (p->state == PAIR_OPEN) {
        pair_watch(p);
    }
}


static void
idle_timer(uv_timer_t *timer)
{
    struct inlets_pair  *p = timer->data;
    uint64_t             limit = p->forward->options->idle_timeout;
    uint64_t             idle = uv_now(&p->forward->loop) - p->active;

    if (idle >= limit) {
        pair_fail(p, "idle", ETIMEDOUT);
        return;
    }

    (void) uv_timer_start(timer, idle_timer, limit - idle, 0);
}


static void
pair_open(struct inlets_pair *p)
{
    p->state = PAIR_OPEN;
    p->active = uv_now(&p->forward->loop);

    (void) uv_timer_stop(&p->timer);

    if (p->forward->options->idle_timeout != 0) {
        (void) uv_timer_start(&p->timer, idle_timer,
                              p->forward->options->idle_timeout, 0);
    }

    /* who speaks first has mostly spoken by now */

    way_run(p, VISITOR);

    if (p->state == PAIR_OPEN) {
        pair_watch(p);
    }
}


static void
connect_failed(struct inlets_pair *p, int err)
{
    (void) uv_timer_stop(&p->timer);

    side_close(p->side[TARGET], true);
    p->side[TARGET] = NULL;
    p->error = err;

    connect_next(p);
}


static void
connect_timer(uv_timer_t *timer)
{
    connect_failed(timer->data, ETIMEDOUT);
}


static void
side_event(uv_poll_t *poll, int status, int events)
{
    struct side         *s = poll->data;
    struct inlets_pair  *p = s->pair;
    int                  err;

    if (p == NULL) {
        return;
    }

    if (status < 0) {
        /* libuv watches no more; reading or writing finds the error */
        events = s->events | UV_PRIORITIZED;
        s->events = 0;
    }

    if (p->state == PAIR_OPEN) {
        pair_event(s, events);
        return;
    }

    if (p->state == PAIR_CONNECTING && s->end == TARGET) {
        err = socket_error(s->fd);

        if (err == 0 && status < 0) {
            err = ECONNABORTED;
        }

        if (err != 0) {
            connect_failed(p, err);

        } else {
            pair_open(p);
        }
    }
}


/* -1 with errno. */

static int
connect_to(struct inlets_pair *p, const union inlets_address *address)
{
    struct side  *s;
    int           fd;

    fd = socket(address->sa.sa_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,
                0);

    if (fd == -1) {
        return -1;
    }

    inlets_pair_socket_options(fd);

    s = side_create(p, TARGET, fd);

    if (s == NULL) {
        return -1;
    }

    if ((connect(fd, &address->sa, inlets_address_len(address)) == -1
         && errno != EINPROGRESS)
        || side_watch(s, UV_WRITABLE) != 0)
    {
        int  err = errno;

        side_close(s, true);
        errno = err;
        return -1;
    }

    p->side[TARGET] = s;

    return 0;
}


/* Each address gets its share of the time that is left. */

static void
connect_next(struct inlets_pair *p)
{
    while (p->address < p->addresses.n) {
        const union inlets_address  *a = &p->addresses.list[p->address];
        uint64_t                     now = uv_now(&p->forward->loop);
        uint64_t                     share;

        if (now >= p->deadline) {
            p->error = ETIMEDOUT;
            break;
        }

        share = (p->deadline - now) / (p->addresses.n - p->address);
        p->address++;

        if (inlets_listeners_match(p->forward, a)) {
            p->error = ELOOP;
            continue;
        }

        if (connect_to(p, a) == 0) {
            (void) uv_timer_start(&p->timer, connect_timer, share, 0);
            return;
        }

        p->error = errno;
    }

    pair_refuse(p, p->error == ELOOP ? "that is this forwarder itself"
                                     : strerror(p->error));
}


static void
resolved(void *data, const struct inlets_addresses *addresses,
    const char *error)
{
    struct inlets_pair  *p = data;

    if (error != NULL) {
        pair_refuse(p, error);
        return;
    }

    p->state = PAIR_CONNECTING;
    p->addresses = *addresses;

    connect_next(p);
}


static void
resolve_timer(uv_timer_t *timer)
{
    pair_refuse(timer->data, "the name is not resolved in time");
}


void
inlets_pair_create(struct inlets_forward *f, int fd,
    const union inlets_address *visitor)
{
    struct inlets_pair  *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        close(fd);
        return;
    }

    p->forward = f;
    p->visitor = *visitor;
    p->deadline = uv_now(&f->loop) + f->options->connect_timeout;

    p->side[VISITOR] = side_create(p, VISITOR, fd);

    if (p->side[VISITOR] == NULL) {
        free(p);
        return;
    }

    (void) uv_timer_init(&f->loop, &p->timer);
    p->timer.data = p;

    p->next = f->pairs;
    p->prev = &f->pairs;

    if (p->next != NULL) {
        p->next->prev = &p->next;
    }

    f->pairs = p;
    f->n_pairs++;
    f->counts.connections++;

    (void) uv_timer_start(&p->timer, resolve_timer,
                          f->options->connect_timeout, 0);

    inlets_resolve(f->target, &p->wait, resolved, p);
}
