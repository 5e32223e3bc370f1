#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inlets_config.h"
#include "inlets_error.h"


#define CONNECTIONS_MAX  16384
#define CONNECTIONS_MIN  256    /* fewer are no edge */
#define FILES_OTHER      64     /* logs, channels, libraries */


union address {
    struct sockaddr      sa;
    struct sockaddr_in   in;
    struct sockaddr_in6  in6;
};


int
inlets_server_range(const char *text, uint32_t *ret_first, uint32_t *ret_last)
{
    const char  *dash = strchr(text, '-');
    size_t       len = dash != NULL ? (size_t) (dash - text) : strlen(text);
    int64_t      first, last;

    if (inlets_config_integer(text, len, &first) != 0) {
        goto invalid;
    }

    last = first;

    if (dash != NULL
        && inlets_config_integer(dash + 1, strlen(dash + 1), &last) != 0)
    {
        goto invalid;
    }

    if (first < 1 || first > last || last > 65535) {
        goto invalid;
    }

    *ret_first = (uint32_t) first;
    *ret_last = (uint32_t) last;

    return INLETS_OK;

invalid:

    inlets_log_fatal("--tcp-range must be ports such as 20000-20099, from 1 to "
                     "65535, not \"%s\"", text);

    return INLETS_E_INVALID;
}


static bool
parse_address(const char *text, int family, union address *ret)
{
    char    host[INET6_ADDRSTRLEN];
    size_t  len = strlen(text);

    memset(ret, 0, sizeof(*ret));
    ret->sa.sa_family = (sa_family_t) family;

    if (family == AF_INET) {
        return inet_pton(family, text, &ret->in.sin_addr) == 1;
    }

    if (*text == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }

    if (len >= sizeof(host)) {
        return false;
    }

    memcpy(host, text, len);
    host[len] = '\0';

    return inet_pton(family, host, &ret->in6.sin6_addr) == 1;
}


/* 0 or an errno */

static int
try_port(int family, const char *address, uint32_t port)
{
    union address  a;
    socklen_t      size = sizeof(a.in);
    int            fd, on = 1, err = 0;

    if (!parse_address(address, family, &a)) {
        return EINVAL;
    }

    a.in.sin_port = htons((uint16_t) port);

    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));

    if (family == AF_INET6) {
        (void) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        size = sizeof(a.in6);
    }

    if (bind(fd, &a.sa, size) != 0) {
        err = errno;
    }

    close(fd);

    return err;
}


/* As many as are allowed; root may allow itself more. */

static size_t
raise_limit(size_t wanted)
{
    struct rlimit  limit, old;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }

    old = limit;

    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;

        if (limit.rlim_max < wanted) {
            limit.rlim_max = wanted;
        }

        if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
            return wanted;
        }

        limit.rlim_cur = limit.rlim_max = old.rlim_max;

        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            limit = old;
        }
    }

    return limit.rlim_cur < wanted ? (size_t) limit.rlim_cur : wanted;
}


int
inlets_server_ports_plan(const struct inlets_server_options *o,
    struct inlets_server_ports *ret)
{
    union address  a;
    size_t         ports = 1, needed;

    if (o->listen != NULL && *o->listen != '\0') {
        ret->ip4 = parse_address(o->listen, AF_INET, &a);
        ret->ip6 = !ret->ip4 && parse_address(o->listen, AF_INET6, &a);

        if (!ret->ip4 && !ret->ip6) {
            inlets_log_fatal("--listen must be an IP address, not \"%s\"",
                             o->listen);
            return INLETS_E_INVALID;
        }

    } else {
        ret->ip4 = true;
        ret->ip6 = try_port(AF_INET6, "::", 0) == 0;
    }

    if (o->first != 0) {
        ports += o->last - o->first + 1;
    }

    ret->sockets = ports * (size_t) (ret->ip4 + ret->ip6);
    needed = ret->sockets + CONNECTIONS_MIN + FILES_OTHER;
    ret->descriptors = raise_limit(ret->sockets + CONNECTIONS_MAX
                                   + FILES_OTHER);

    if (ret->descriptors < needed) {
        inlets_log_fatal("%zu ports need at least %zu open files, and only "
                         "%zu are allowed (ulimit -n): raise the limit, or "
                         "make --tcp-range smaller", ports, needed,
                         ret->descriptors);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
report_port(int err, const char *address, uint32_t port, const char *flag)
{
    switch (err) {

    case 0:
        return INLETS_OK;

    case EADDRINUSE:
        inlets_log_fatal("port %u is in use: end what listens there (\"ss "
                         "-ltnp sport = :%u\" names it), or choose another "
                         "with --%s", port, port, flag);
        break;

    case EACCES:
    case EPERM:
        inlets_log_fatal("not allowed to listen on port %u: ports below 1024 "
                         "are for root (or CAP_NET_BIND_SERVICE), choose "
                         "another with --%s", port, flag);
        break;

    default:
        inlets_log_fatal("cannot listen on %s port %u: %s", address, port,
                         strerror(err));
    }

    return INLETS_E_INVALID;
}


int
inlets_server_port_try(const struct inlets_server_options *o,
    const struct inlets_server_ports *ports, uint32_t port, const char *flag)
{
    const char  *ip4 = "0.0.0.0";
    const char  *ip6 = "::";
    int          rc = INLETS_OK;

    if (o->listen != NULL && *o->listen != '\0') {
        ip4 = ip6 = o->listen;
    }

    if (ports->ip4) {
        rc = report_port(try_port(AF_INET, ip4, port), ip4, port, flag);
    }

    if (rc == INLETS_OK && ports->ip6) {
        rc = report_port(try_port(AF_INET6, ip6, port), ip6, port, flag);
    }

    return rc;
}


int
inlets_server_ports_try(const struct inlets_server_options *o,
    const struct inlets_server_ports *ports)
{
    int  rc;

    rc = inlets_server_port_try(o, ports, o->port, "port");

    for (uint32_t port = o->first;
         rc == INLETS_OK && port != 0 && port <= o->last;
         port++)
    {
        rc = inlets_server_port_try(o, ports, port, "tcp-range");
    }

    return rc;
}
