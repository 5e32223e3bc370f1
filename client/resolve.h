/*
 * From a host name to addresses, without blocking the loop.  Addresses given
 * as such take no time: the callback comes before the call returns.
 */

#ifndef INLETS_RESOLVE_H
#define INLETS_RESOLVE_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <uv.h>

#include "inlets_url.h"


#define INLETS_ADDRESSES     8
#define INLETS_ADDRESS_TEXT  INET6_ADDRSTRLEN


union inlets_address {
    struct sockaddr      sa;
    struct sockaddr_in   in;
    struct sockaddr_in6  in6;
};


struct inlets_addresses {
    size_t                n;
    union inlets_address  list[INLETS_ADDRESSES];
};


struct inlets_resolver;

/*
 * error: NULL, or why there are no addresses.  The addresses are valid during
 * the call.
 */
typedef void (*inlets_resolve_cb)(void *data,
    const struct inlets_addresses *addresses, const char *error);


/*
 * A resolver of one name.  Answers are kept for ttl milliseconds; calls made
 * while the name is being looked up wait for the same answer.
 */
struct inlets_resolver *inlets_resolver_create(uv_loop_t *loop,
    const struct inlets_url *url, uint64_t ttl);

void inlets_resolver_destroy(struct inlets_resolver *resolver);

/*
 * A thread still looks up a name for a resolver that was destroyed.  The end of
 * main() would wait for it, and the loop can't be closed: end by _exit().
 */
bool inlets_resolvers_stuck(void);

/*
 * The caller's, zeroed at first.  cancel() may be called at any time; the
 * callback then doesn't come.
 */
struct inlets_resolve_wait {
    struct inlets_resolve_wait  *next;
    struct inlets_resolver      *resolver;
    inlets_resolve_cb            cb;
    void                        *data;
};

void inlets_resolve(struct inlets_resolver *resolver,
    struct inlets_resolve_wait *wait, inlets_resolve_cb cb, void *data);
void inlets_resolve_cancel(struct inlets_resolve_wait *wait);

socklen_t inlets_address_len(const union inlets_address *address);
void inlets_address_format(const union inlets_address *address,
    char ret[INLETS_ADDRESS_TEXT]);


#endif /* INLETS_RESOLVE_H */
