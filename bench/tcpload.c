/*
 * Load on TCP ports.
 *
 *   tcpload serve PORT              the origin
 *   tcpload up PORT N SECONDS       N connections that send; prints bytes/s
 *                                   and bytes
 *   tcpload down PORT N SECONDS     N connections that receive
 *   tcpload idle PORT N             N connections that do nothing, until
 *                                   standard input ends; says "ready"
 *
 * The first byte of a connection says what it is: U, D or I.  U: bytes, then
 * the end of them, which the origin answers with how many there were.  D: the
 * origin sends until it is closed.  I: the origin sends the byte back.
 *
 * Received bytes are counted and dropped in the kernel (MSG_TRUNC), so that
 * what is measured is what stands between, not this program.
 */

#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>


#define CHUNK        (256 * 1024)
#define MAX_EVENTS   64
#define MAX_CONNS    65536
#define COUNT_LEN    8


struct conn {
    int       fd;
    char      mode;         /* U, D, I; 0: the first byte is to come */
    uint64_t  bytes;
};


static uint8_t  payload[CHUNK];


static ssize_t
discard(int fd)
{
    return recv(fd, NULL, 4 * CHUNK, MSG_TRUNC | MSG_DONTWAIT);
}


static bool
again(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}


static void
watch(int ep, int op, struct conn *c, uint32_t events)
{
    struct epoll_event  ev = { .events = events, .data = { .ptr = c } };

    if (epoll_ctl(ep, op, c->fd, &ev) != 0) {
        bench_fail("epoll_ctl", strerror(errno));
    }
}


/* The origin's side. */

static bool
origin_first(int ep, struct conn *c)
{
    ssize_t  n;

    n = recv(c->fd, &c->mode, 1, MSG_DONTWAIT);
    if (n != 1) {
        return again(n);
    }

    switch (c->mode) {
    case 'U':
        return true;

    case 'D':
        watch(ep, EPOLL_CTL_MOD, c, EPOLLOUT);
        return true;

    case 'I':
        return send(c->fd, &c->mode, 1, MSG_NOSIGNAL) == 1;

    default:
        return false;
    }
}


static bool
origin_count(struct conn *c)
{
    int      i;
    uint8_t  count[COUNT_LEN];

    for (i = 0; i < COUNT_LEN; i++) {
        count[i] = (uint8_t) (c->bytes >> (8 * (COUNT_LEN - 1 - i)));
    }

    (void) send(c->fd, count, COUNT_LEN, MSG_NOSIGNAL);

    return false;
}


/* False: the connection is over. */

static bool
origin_event(int ep, struct conn *c)
{
    ssize_t  n;

    if (c->mode == 0) {
        return origin_first(ep, c);
    }

    if (c->mode == 'D') {
        n = send(c->fd, payload, sizeof(payload), MSG_NOSIGNAL | MSG_DONTWAIT);
        return n > 0 || again(n);
    }

    n = discard(c->fd);

    if (n == 0) {
        return c->mode == 'U' ? origin_count(c) : false;
    }

    if (n > 0) {
        c->bytes += (uint64_t) n;
    }

    return n > 0 || again(n);
}


static void
origin_accept(int ep, int listener)
{
    int           fd, on = 1;
    struct conn  *c;

    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
            return;
        }

        bench_fail("accept", strerror(errno));
    }

    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        bench_fail("no memory", NULL);
    }

    c->fd = fd;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(ep, EPOLL_CTL_ADD, c, EPOLLIN);
}


static _Noreturn void
serve(uint16_t port)
{
    int                 ep, i, n;
    struct conn        *c, listener = { .fd = bench_listen(port) };
    struct epoll_event  events[MAX_EVENTS];

    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0) {
        bench_fail("epoll_create1", strerror(errno));
    }

    bench_nonblocking(listener.fd);
    watch(ep, EPOLL_CTL_ADD, &listener, EPOLLIN);

    for ( ;; ) {
        n = epoll_wait(ep, events, MAX_EVENTS, -1);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == &listener) {
                origin_accept(ep, c->fd);

            } else if (!origin_event(ep, c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}


/* The load's side. */

static struct conn *
open_conns(uint16_t port, long n, char mode)
{
    long          i;
    struct conn  *conns;

    conns = calloc((size_t) n, sizeof(*conns));
    if (conns == NULL) {
        bench_fail("no memory", NULL);
    }

    for (i = 0; i < n; i++) {
        conns[i].fd = bench_connect(port);
        conns[i].mode = mode;
        bench_send(conns[i].fd, &mode, 1);
    }

    return conns;
}


/* One turn of a connection that has more to do. */

static void
load_event(struct conn *c)
{
    ssize_t  n;

    if (c->mode == 'U') {
        n = send(c->fd, payload, sizeof(payload), MSG_NOSIGNAL | MSG_DONTWAIT);

    } else {
        n = discard(c->fd);
        if (n == 0) {
            bench_fail("the origin closed the connection", NULL);
        }
    }

    if (n < 0 && !again(n)) {
        bench_fail(c->mode == 'U' ? "send" : "recv", strerror(errno));
    }

    if (n > 0) {
        c->bytes += (uint64_t) n;
    }
}


static void
run_until(struct conn *conns, long n, double end)
{
    int                 ep, i, ready;
    double              now, progress;
    struct epoll_event  events[MAX_EVENTS];

    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep < 0) {
        bench_fail("epoll_create1", strerror(errno));
    }

    for (i = 0; i < n; i++) {
        watch(ep, EPOLL_CTL_ADD, &conns[i],
              conns[i].mode == 'U' ? EPOLLOUT : EPOLLIN);
    }

    progress = bench_now();

    while ((now = bench_now()) < end) {
        ready = epoll_wait(ep, events, MAX_EVENTS, 100);

        for (i = 0; i < ready; i++) {
            load_event(events[i].data.ptr);
        }

        if (ready > 0) {
            progress = now;

        } else if (now - progress > BENCH_TIMEOUT) {
            bench_fail("nothing moves", NULL);
        }
    }

    close(ep);
}


/* All of them first say that they are done: the counts are awaited at once. */

static void
check_counts(struct conn *conns, long n)
{
    long      i;
    size_t    got, len;
    uint8_t   buf[COUNT_LEN];
    uint64_t  count;

    for (i = 0; i < n; i++) {
        if (shutdown(conns[i].fd, SHUT_WR) != 0) {
            bench_fail("shutdown", strerror(errno));
        }
    }

    for (i = 0; i < n; i++) {
        for (len = 0; len < COUNT_LEN; len += got) {
            got = bench_recv(conns[i].fd, buf + len, COUNT_LEN - len);
            if (got == 0) {
                bench_fail("no count from the origin", NULL);
            }
        }

        for (count = 0, len = 0; len < COUNT_LEN; len++) {
            count = count << 8 | buf[len];
        }

        if (count != conns[i].bytes) {
            bench_fail("the origin did not get all bytes", NULL);
        }
    }
}


static void
load(char mode, uint16_t port, long n, long milliseconds)
{
    long          i;
    double        start, bytes = 0;
    struct conn  *conns;

    conns = open_conns(port, n, mode);
    start = bench_now();

    run_until(conns, n, start + (double) milliseconds / 1000);

    if (mode == 'U') {
        check_counts(conns, n);
    }

    for (i = 0; i < n; i++) {
        bytes += (double) conns[i].bytes;
    }

    printf("%.0f %.0f\n", bytes / (bench_now() - start), bytes);
    free(conns);
}


static void
idle(uint16_t port, long n)
{
    long          i;
    char          byte;
    struct conn  *conns;

    conns = open_conns(port, n, 'I');

    for (i = 0; i < n; i++) {
        if (bench_recv(conns[i].fd, &byte, 1) != 1 || byte != 'I') {
            bench_fail("a connection was closed", NULL);
        }
    }

    puts("ready");
    fflush(stdout);

    bench_hold();
    free(conns);
}


static _Noreturn void
usage(void)
{
    bench_fail("usage: tcpload serve PORT | up|down PORT N SECONDS | "
               "idle PORT N", NULL);
}


int
main(int argc, char **argv)
{
    char        *end;
    long         n;
    double       seconds;
    uint16_t     port;
    const char  *mode;

    if (argc < 3) {
        usage();
    }

    mode = argv[1];
    port = (uint16_t) bench_number(argv[2], 1, 65535);

    memset(payload, 'x', sizeof(payload));

    if (argc == 3 && strcmp(mode, "serve") == 0) {
        serve(port);
    }

    if (argc < 4) {
        usage();
    }

    n = bench_number(argv[3], 1, MAX_CONNS);

    if (argc == 4 && strcmp(mode, "idle") == 0) {
        idle(port, n);
        return 0;
    }

    if (argc != 5 || (strcmp(mode, "up") != 0 && strcmp(mode, "down") != 0)) {
        usage();
    }

    seconds = strtod(argv[4], &end);
    if (end == argv[4] || *end != '\0' || !(seconds > 0 && seconds < 3600)) {
        usage();
    }

    load(mode[0] == 'u' ? 'U' : 'D', port, n, (long) (seconds * 1000));

    return 0;
}
