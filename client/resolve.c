#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>


struct inlets_resolver {
    uv_loop_t                   *loop;
    struct inlets_url            url;
    uint64_t                     ttl;
    uint64_t                     valid;     /* until, uv_now() */
    bool                         numeric;
    bool                         busy;
    bool                         answering;
    bool                         dead;      /* destroyed while busy */
    bool                         stuck;     /* and can't be cancelled */
    struct inlets_addresses      addresses;
    struct inlets_resolve_wait  *waiting;
    uv_getaddrinfo_t             request;
};


static unsigned  stuck;     /* look-ups whose resolver is gone */


static bool
parse_numeric(const struct inlets_url *url, union inlets_address *ret)
{
    memset(ret, 0, sizeof(*ret));

    if (inet_pton(AF_INET, url->host, &ret->in.sin_addr) == 1) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(url->port);
        return true;
    }

    if (inet_pton(AF_INET6, url->host, &ret->in6.sin6_addr) == 1) {
        ret->in6.sin6_family = AF_INET6;
        ret->in6.sin6_port = htons(url->port);
        return true;
    }

    return false;
}


struct inlets_resolver *
inlets_resolver_create(uv_loop_t *loop, const struct inlets_url *url,
    uint64_t ttl)
{
    struct inlets_resolver  *r = calloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }

    r->loop = loop;
    r->url = *url;
    r->ttl = ttl;
    r->numeric = parse_numeric(url, &r->addresses.list[0]);
    r->addresses.n = r->numeric;

    return r;
}


void
inlets_resolver_destroy(struct inlets_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }

    resolver->waiting = NULL;

    if (resolver->busy) {
        /* libuv calls back in any case */
        resolver->dead = true;

        if (uv_cancel((uv_req_t *) &resolver->request) != 0) {
            resolver->stuck = true;
            stuck++;
        }

        return;
    }

    if (resolver->answering) {
        resolver->dead = true;

    } else {
        free(resolver);
    }
}


bool
inlets_resolvers_stuck(void)
{
    return stuck > 0;
}


static void
collect(struct inlets_resolver *r, const struct addrinfo *list)
{
    r->addresses.n = 0;

    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
        union inlets_address  *a = &r->addresses.list[r->addresses.n];

        if ((ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
            || ai->ai_addrlen > sizeof(*a))
        {
            continue;
        }

        memset(a, 0, sizeof(*a));
        memcpy(a, ai->ai_addr, ai->ai_addrlen);

        if (ai->ai_family == AF_INET) {
            a->in.sin_port = htons(r->url.port);

        } else {
            a->in6.sin6_port = htons(r->url.port);
        }

        if (++r->addresses.n == INLETS_ADDRESSES) {
            break;
        }
    }
}


/* A callback may cancel other waits, ask again, or destroy the resolver. */

static void
answer(struct inlets_resolver *r, const char *error)
{
    size_t  n = 0;

    for (struct inlets_resolve_wait *w = r->waiting; w != NULL; w = w->next) {
        n++;
    }

    r->answering = true;

    while (n-- > 0 && r->waiting != NULL) {
        struct inlets_resolve_wait  *wait = r->waiting;
        inlets_resolve_cb            cb = wait->cb;

        r->waiting = wait->next;
        wait->next = NULL;
        wait->cb = NULL;

        cb(wait->data, &r->addresses, error);
    }

    r->answering = false;

    if (r->dead && !r->busy) {
        free(r);
    }
}


static void
looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct inlets_resolver  *r = request->data;
    const char              *error = NULL;

    r->busy = false;

    if (r->dead) {
        stuck -= r->stuck;
        uv_freeaddrinfo(list);
        free(r);
        return;
    }

    if (status == 0) {
        collect(r, list);
        uv_freeaddrinfo(list);

        if (r->addresses.n == 0) {
            error = "the name has no address";

        } else {
            r->valid = uv_now(r->loop) + r->ttl;
        }

    } else {
        error = uv_strerror(status);
    }

    answer(r, error);
}


void
inlets_resolve(struct inlets_resolver *resolver,
    struct inlets_resolve_wait *wait, inlets_resolve_cb cb, void *data)
{
    struct inlets_resolver       *r = resolver;
    struct inlets_resolve_wait  **last;
    struct addrinfo               hints = { .ai_socktype = SOCK_STREAM };
    int                           rc;

    if (r->numeric || (!r->busy && uv_now(r->loop) < r->valid)) {
        cb(data, &r->addresses, NULL);
        return;
    }

    if (!r->busy) {
        r->request.data = r;
        rc = uv_getaddrinfo(r->loop, &r->request, looked_up, r->url.host, NULL,
                            &hints);

        if (rc != 0) {
            cb(data, &r->addresses, uv_strerror(rc));
            return;
        }

        r->busy = true;
    }

    *wait = (struct inlets_resolve_wait) { .resolver = r, .cb = cb,
                                           .data = data };

    for (last = &r->waiting; *last != NULL; last = &(*last)->next) {
        /* in order */
    }

    *last = wait;
}


void
inlets_resolve_cancel(struct inlets_resolve_wait *wait)
{
    struct inlets_resolve_wait  **p;

    if (wait->cb == NULL) {
        return;
    }

    for (p = &wait->resolver->waiting; *p != NULL; p = &(*p)->next) {
        if (*p == wait) {
            *p = wait->next;
            break;
        }
    }

    wait->next = NULL;
    wait->cb = NULL;
}


socklen_t
inlets_address_len(const union inlets_address *address)
{
    return address->sa.sa_family == AF_INET6 ? sizeof(address->in6)
                                             : sizeof(address->in);
}


void
inlets_address_format(const union inlets_address *address,
    char ret[INLETS_ADDRESS_TEXT])
{
    const void  *bytes = &address->in.sin_addr;

    if (address->sa.sa_family == AF_INET6) {
        bytes = &address->in6.sin6_addr;
    }

    if (inet_ntop(address->sa.sa_family, bytes, ret, INLETS_ADDRESS_TEXT)
        == NULL)
    {
        ret[0] = '\0';
    }
}
