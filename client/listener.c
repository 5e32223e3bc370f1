#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"


#define LISTENER_BACKLOG   4096     /* or what the system allows */
#define LISTENER_ACCEPTS   64       /* in one turn of the loop */
#define LISTENER_PAUSE     200      /* ms */
#define LISTENER_COMPLAIN  10000     /* ms, between two complaints */


struct inlets_listener {
    uv_poll_t                poll;
    struct inlets_forward   *forward;
    struct inlets_listener  *next;
    union inlets_address     address;
    int                      fd;
    bool                     active;
};


static void listener_event(uv_poll_t *poll, int status, int events);


static bool
is_any(const union inlets_address *a)
{
    if (a->sa.sa_family == AF_INET6) {
        return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
    }

    return a->in.sin_addr.s_addr == htonl(INADDR_ANY);
}


/* -1 with errno.  The unspecified IPv6 address takes IPv4 as well. */

static int
listen_on(const union inlets_address *address)
{
    int  on = 1, only = !is_any(address), err;
    int  fd = socket(address->sa.sa_family,
                     SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    inlets_pair_socket_options(fd);

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
        && (address->sa.sa_family != AF_INET6
            || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only))
               == 0)
        && bind(fd, &address->sa, inlets_address_len(address)) == 0
        && listen(fd, LISTENER_BACKLOG) == 0)
    {
        return fd;
    }

    err = errno;
    close(fd);
    errno = err;

    return -1;
}


bool
inlets_listeners_ip6(void)
{
    int  fd = socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return false;
    }

    close(fd);

    return true;
}


static void
listener_closed(uv_handle_t *handle)
{
    struct inlets_listener  *l = handle->data;

    close(l->fd);
    free(l);
}


static void
listener_pause(struct inlets_listener *l)
{
    if (l->active) {
        l->active = false;
        (void) uv_poll_stop(&l->poll);
    }
}


static void
listener_start(struct inlets_listener *l)
{
    if (!l->active) {
        l->active = uv_poll_start(&l->poll, UV_READABLE, listener_event) == 0;
    }
}


/* -1 with errno. */

static int
listener_create(struct inlets_forward *f, const union inlets_address *address)
{
    struct inlets_listener  *l;
    int                      fd = listen_on(address);
    int                      rc = UV_ENOMEM;

    if (fd == -1) {
        return -1;
    }

    l = calloc(1, sizeof(*l));

    if (l != NULL) {
        rc = uv_poll_init(&f->loop, &l->poll, fd);
    }

    if (l == NULL || rc != 0) {
        free(l);
        close(fd);
        errno = -rc;
        return -1;
    }

    l->poll.data = l;
    l->forward = f;
    l->address = *address;
    l->fd = fd;
    l->next = f->listeners;
    f->listeners = l;

    listener_start(l);

    return 0;
}


static const char *
explain(int err)
{
    switch (err) {

    case EADDRINUSE:
        return "the port is in use by another program";

    case EACCES:
        return "not permitted; ports below 1024 are for root, or need "
               "CAP_NET_BIND_SERVICE";

    case EADDRNOTAVAIL:
        return "this machine does not have that address";

    default:
        return strerror(err);
    }
}


int
inlets_listeners_open(struct inlets_forward *f,
    const struct inlets_addresses *addresses)
{
    char  text[INLETS_FORWARD_PEER];

    for (size_t i = 0; i < addresses->n; i++) {
        bool  last = i + 1 == addresses->n && f->listeners == NULL;
        int   err;

        if (listener_create(f, &addresses->list[i]) == 0) {
            continue;
        }

        err = errno;

        if ((err == EADDRNOTAVAIL || err == EAFNOSUPPORT) && !last) {
            continue;
        }

        inlets_forward_peer(&addresses->list[i], text);
        inlets_log_fatal("cannot listen on %s: %s", text, explain(err));

        return -1;
    }

    return 0;
}


static void
pause_over(uv_timer_t *timer)
{
    inlets_listeners_resume(timer->data);
}


/*
 * Without descriptors or memory, whoever waits makes the socket readable all
 * the time: it isn't looked at for a while.
 */

static void
pause_all(struct inlets_forward *f, const char *why)
{
    uint64_t  now = uv_now(&f->loop);

    for (struct inlets_listener *l = f->listeners; l != NULL; l = l->next) {
        listener_pause(l);
    }

    if (f->complained == 0 || now - f->complained >= LISTENER_COMPLAIN) {
        f->complained = now;
        inlets_log(INLETS_LOG_WARN, "new connections have to wait: %s", why);
    }
}


void
inlets_listeners_resume(struct inlets_forward *f)
{
    if (f->stopping || f->n_pairs >= f->max_pairs
        || uv_is_active((uv_handle_t *) &f->pause))
    {
        return;
    }

    for (struct inlets_listener *l = f->listeners; l != NULL; l = l->next) {
        listener_start(l);
    }
}


/* false: nobody waits any more, or none can be taken. */

static bool
accept_one(struct inlets_listener *l)
{
    struct inlets_forward  *f = l->forward;
    union inlets_address    visitor;
    socklen_t               len = sizeof(visitor);
    int                     fd;

    if (f->n_pairs >= f->max_pairs) {
        pause_all(f, "there are as many as --max-connections allows");
        return false;
    }

    memset(&visitor, 0, sizeof(visitor));

    fd = accept4(l->fd, &visitor.sa, &len, SOCK_NONBLOCK|SOCK_CLOEXEC);

    if (fd != -1) {
        inlets_pair_create(f, fd, &visitor);
        return true;
    }

    switch (errno) {

    case EAGAIN:
        return false;

    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_all(f, strerror(errno));
        (void) uv_timer_start(&f->pause, pause_over, LISTENER_PAUSE, 0);
        return false;

    default:
        /* that visitor has gone already */
        return true;
    }
}


static void
accept_some(struct inlets_listener *l)
{
    for (unsigned n = 0; n < LISTENER_ACCEPTS; n++) {
        if (!accept_one(l)) {
            return;
        }
    }
}


static void
listener_event(uv_poll_t *poll, int status, int events)
{
    struct inlets_listener  *l = poll->data;

    (void) events;

    if (status < 0) {
        l->active = false;
        inlets_log(INLETS_LOG_ERROR, "the listening socket failed: %s",
                   uv_strerror(status));
        (void) uv_timer_start(&l->forward->pause, pause_over, LISTENER_PAUSE,
                              0);
        return;
    }

    accept_some(l);
}


void
inlets_listeners_close(struct inlets_forward *f)
{
    while (f->listeners != NULL) {
        struct inlets_listener  *l = f->listeners;

        accept_some(l);

        f->listeners = l->next;
        uv_close((uv_handle_t *) &l->poll, listener_closed);
    }
}


/* What is sent to an own address comes from it; nothing is sent here. */

static bool
is_own(const union inlets_address *a)
{
    union inlets_address  from = *a;
    socklen_t             len = sizeof(from);
    bool                  own = false;
    int                   fd = socket(a->sa.sa_family, SOCK_DGRAM|SOCK_CLOEXEC,
                                      0);

    if (fd == -1) {
        return false;
    }

    if (connect(fd, &a->sa, inlets_address_len(a)) == 0
        && getsockname(fd, &from.sa, &len) == 0)
    {
        own = a->sa.sa_family == AF_INET6
              ? memcmp(&from.in6.sin6_addr, &a->in6.sin6_addr,
                       sizeof(a->in6.sin6_addr)) == 0
              : from.in.sin_addr.s_addr == a->in.sin_addr.s_addr;
    }

    close(fd);

    return own;
}


/* A socket of [::] takes IPv4 as well. */

static bool
takes(const union inlets_address *own, const union inlets_address *a)
{
    bool  own6 = own->sa.sa_family == AF_INET6;

    if (a->sa.sa_family == AF_INET6) {
        return own6 && own->in6.sin6_port == a->in6.sin6_port
               && (memcmp(&own->in6.sin6_addr, &a->in6.sin6_addr,
                          sizeof(a->in6.sin6_addr)) == 0
                   || (is_any(own) && is_own(a)));
    }

    if ((own6 ? own->in6.sin6_port : own->in.sin_port) != a->in.sin_port) {
        return false;
    }

    return (!own6 && own->in.sin_addr.s_addr == a->in.sin_addr.s_addr)
           || (is_any(own)
               && (ntohl(a->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
                   || is_own(a)));
}


bool
inlets_listeners_match(const struct inlets_forward *f,
    const union inlets_address *address)
{
    for (struct inlets_listener *l = f->listeners; l != NULL; l = l->next) {
        if (takes(&l->address, address)) {
            return true;
        }
    }

    return false;
}
