#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>


void
bench_fail(const char *what, const char *detail)
{
    fprintf(stderr, "bench: %s%s%s\n", what, detail ? ": " : "",
            detail ? detail : "");
    exit(1);
}


static struct sockaddr_in
loopback(uint16_t port)
{
    struct sockaddr_in  sin = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) }
    };

    return sin;
}


int
bench_connect(uint16_t port)
{
    int                 fd, on = 1;
    struct timeval      limit = { .tv_sec = BENCH_TIMEOUT };
    struct sockaddr_in  sin = loopback(port);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        bench_fail("socket", strerror(errno));
    }

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0
        || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0
        || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
    {
        bench_fail("setsockopt", strerror(errno));
    }

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0) {
        bench_fail("connect", strerror(errno));
    }

    return fd;
}


int
bench_listen(uint16_t port)
{
    int                 fd, on = 1;
    struct sockaddr_in  sin = loopback(port);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(fd, 4096) != 0)
    {
        bench_fail("listen", strerror(errno));
    }

    return fd;
}


void
bench_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
        bench_fail("fcntl", strerror(errno));
    }
}


void
bench_send(int fd, const void *data, size_t len)
{
    ssize_t      n;
    const char  *p = data;

    while (len > 0) {
        n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            bench_fail("send", strerror(errno));
        }

        p += n;
        len -= (size_t) n;
    }
}


size_t
bench_recv(int fd, void *data, size_t size)
{
    ssize_t  n;

    do {
        n = recv(fd, data, size, 0);
    } while (n < 0 && errno == EINTR);

    if (n < 0) {
        bench_fail("recv", strerror(errno));
    }

    return (size_t) n;
}


size_t
bench_recv_head(int fd, char *buf, size_t size, size_t *ret_head)
{
    char    *end;
    size_t   n, len = 0;

    while (len + 1 < size) {
        n = bench_recv(fd, buf + len, size - len - 1);
        if (n == 0) {
            bench_fail("the answer ended in its head", NULL);
        }

        len += n;
        buf[len] = '\0';

        end = strstr(buf, "\r\n\r\n");
        if (end != NULL) {
            *ret_head = (size_t) (end - buf) + 4;
            return len;
        }
    }

    bench_fail("the head of the answer is too long", NULL);
}


double
bench_now(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}


long
bench_number(const char *text, long min, long max)
{
    long   n;
    char  *end;

    errno = 0;
    n = strtol(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0' || n < min || n > max) {
        bench_fail("bad number", text);
    }

    return n;
}


void
bench_hold(void)
{
    char     buf[64];
    ssize_t  n;

    do {
        n = read(STDIN_FILENO, buf, sizeof(buf));
    } while (n > 0 || (n < 0 && errno == EINTR));
}
