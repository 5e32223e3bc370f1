/*
 * Standard output that nobody reads: pipes, terminals, sockets.  Each in a
 * process of its own, which says by its exit status where it failed.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "../../client/output.h"

#include "tap.h"


#define PIECE  1000
#define ROOM   (4 * 1024 * 1024)


#define check(expr)                                                           \
    if (!(expr)) {                                                            \
        return __LINE__;                                                      \
    }


static char  piece[PIECE];
static char  got[ROOM];


/* Numbered pieces, until one is refused; how many were taken. */

static unsigned
fill(void)
{
    unsigned  n = 0;

    while (n < ROOM / PIECE) {
        (void) snprintf(piece, sizeof(piece), "%07u", n);

        if (!inlets_output_write(piece, sizeof(piece))) {
            break;
        }

        n++;
    }

    return n;
}


static size_t
drain(int fd, size_t len)
{
    for ( ;; ) {
        struct pollfd  pfd = { .fd = fd, .events = POLLIN };
        ssize_t        n;

        if (poll(&pfd, 1, 20) != 1) {
            break;
        }

        n = read(fd, got + len, sizeof(got) - len);

        if (n <= 0) {
            break;
        }

        len += (size_t) n;
    }

    return len;
}


static bool
is_whole(size_t len, unsigned n)
{
    if (len != (size_t) n * PIECE) {
        return false;
    }

    for (unsigned i = 0; i < n; i++) {
        char  text[16];

        (void) snprintf(text, sizeof(text), "%07u", i);

        if (memcmp(got + (size_t) i * PIECE, text, 7) != 0) {
            return false;
        }
    }

    return true;
}


/* Without a loop what is kept goes out with the next write. */

static int
stalled(int fd)
{
    unsigned  n = fill();
    size_t    len;

    check(n >= INLETS_OUTPUT_MAX / PIECE && n < ROOM / PIECE);
    check(!inlets_output_is_clear());

    len = drain(fd, 0);
    check(inlets_output_write("", 0));
    len = drain(fd, len);
    check(inlets_output_write("", 0));
    len = drain(fd, len);

    check(inlets_output_is_clear());
    check(is_whole(len, n));
    check((fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);

    return 0;
}


static void
tick(uv_timer_t *timer)
{
    (void) timer;
}


static int
looped(int fd)
{
    uv_loop_t   loop;
    uv_timer_t  other;      /* the output doesn't keep the loop alive */
    unsigned    n;
    size_t      len = 0;

    check(uv_loop_init(&loop) == 0);
    check(uv_timer_init(&loop, &other) == 0);
    check(uv_timer_start(&other, tick, 1000, 1000) == 0);

    inlets_output_attach(&loop);
    n = fill();
    check(!inlets_output_is_clear());

    for (unsigned i = 0; i < 100 && !inlets_output_is_clear(); i++) {
        len = drain(fd, len);
        (void) uv_run(&loop, UV_RUN_NOWAIT);
    }

    len = drain(fd, len);
    check(inlets_output_is_clear());
    check(is_whole(len, n));

    check(inlets_output_write("the end", 7));
    inlets_output_detach();
    uv_close((uv_handle_t *) &other, NULL);
    (void) uv_run(&loop, UV_RUN_NOWAIT);
    check(uv_loop_close(&loop) == 0);
    check(drain(fd, 0) == 7);

    return 0;
}


static int
gone(int fd)
{
    check(fill() < ROOM / PIECE);
    check(close(fd) == 0);

    /* from now on all is thrown away */

    check(inlets_output_write(piece, sizeof(piece)));
    check(inlets_output_is_clear());
    check(fill() == ROOM / PIECE);
    inlets_output_detach();

    return 0;
}


static int
unread(int fd)
{
    check(fill() < ROOM / PIECE);
    inlets_output_detach();
    check(drain(fd, 0) > 0);

    return 0;
}


static bool
make_pair(char kind, int fds[2])
{
    switch (kind) {

    case 'p':
        return pipe(fds) == 0;

    case 's':
        return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0;

    default:
        fds[0] = posix_openpt(O_RDWR | O_NOCTTY);

        if (fds[0] < 0 || grantpt(fds[0]) != 0 || unlockpt(fds[0]) != 0) {
            return false;
        }

        fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY);

        return fds[1] >= 0;
    }
}


static int
run(char kind, int (*test)(int fd))
{
    int  fds[2], code;

    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGHUP, SIG_IGN);
    (void) alarm(60);

    check(make_pair(kind, fds));
    check(dup2(fds[1], STDOUT_FILENO) == STDOUT_FILENO);
    check(close(fds[1]) == 0);

    code = test(fds[0]);

    return code;
}


static void
child(char kind, int (*test)(int fd), const char *name)
{
    int    status = -1;
    pid_t  pid;

    (void) fflush(stdout);

    pid = fork();

    if (pid == 0) {
        /* its number is cut to 8 bits: enough to find the line */
        _exit(run(kind, test) & 0xff);
    }

    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        status = -1;
    }

    is_int(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0, name);
}


int
main(void)
{
    child('p', stalled, "a pipe that is not read for a while");
    child('p', looped, "a pipe and a loop");
    child('p', gone, "a pipe whose reader goes");
    child('p', unread, "a pipe that is not read at all");

    child('s', stalled, "a socket that is not read for a while");
    child('s', looped, "a socket and a loop");
    child('s', gone, "a socket whose reader goes");

    child('t', gone, "a terminal that goes");
    child('t', unread, "a terminal that is not read at all");

    return tap_done();
}
