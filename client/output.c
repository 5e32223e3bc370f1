#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>


#define PIECE_PIPE  4096    /* fits when poll() says that a pipe can take */
#define PIECE_TTY   256     /* likewise, as a rule, a terminal */
#define LAST_WAIT   1000    /* ms, at the end */


enum output_kind {
    OUTPUT_NONE = 0,        /* not looked at yet */
    OUTPUT_PLAIN,           /* a file: never blocks for long */
    OUTPUT_OWN,             /* our own descriptor, non-blocking */
    OUTPUT_SOCKET,
    OUTPUT_SHARED,          /* could block: asked before each piece */
    OUTPUT_DEAD
};


struct output {
    enum output_kind  kind;
    int               fd;
    size_t            piece;

    char             *buf;          /* INLETS_OUTPUT_MAX, made when needed */
    size_t            start;
    size_t            len;

    uv_loop_t        *loop;
    uv_poll_t         poll;
    bool              pollable;
    bool              polling;
};


static struct output  output;


static void
output_open(struct output *o)
{
    struct stat  st;
    int          fd;

    o->fd = STDOUT_FILENO;
    o->kind = OUTPUT_PLAIN;

    if (fstat(STDOUT_FILENO, &st) != 0) {
        o->kind = OUTPUT_DEAD;
        return;
    }

    if (S_ISSOCK(st.st_mode)) {
        o->kind = OUTPUT_SOCKET;
        return;
    }

    if (!S_ISFIFO(st.st_mode) && !isatty(STDOUT_FILENO)) {
        return;
    }

    fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd >= 0) {
        o->fd = fd;
        o->kind = OUTPUT_OWN;
        return;
    }

    o->kind = OUTPUT_SHARED;
    o->piece = S_ISFIFO(st.st_mode) ? PIECE_PIPE : PIECE_TTY;
}


static bool
is_writable(int fd, int timeout)
{
    struct pollfd  pfd = { .fd = fd, .events = POLLOUT };

    return poll(&pfd, 1, timeout) == 1;
}


/* Bytes written, 0 if none can be. */

static size_t
output_push(struct output *o, const char *buf, size_t len)
{
    ssize_t  n;

    for ( ;; ) {

        if (o->kind == OUTPUT_SOCKET) {
            n = send(o->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

        } else if (o->kind == OUTPUT_SHARED) {
            if (!is_writable(o->fd, 0)) {
                return 0;
            }

            n = write(o->fd, buf, len < o->piece ? len : o->piece);

        } else {
            n = write(o->fd, buf, len);
        }

        if (n >= 0) {
            return (size_t) n;
        }

        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        }

        if (errno != EINTR) {
            break;
        }
    }

    /* a full disk may have room again: only these lines are lost */

    if (o->kind == OUTPUT_PLAIN) {
        return len;
    }

    o->kind = OUTPUT_DEAD;
    o->len = 0;

    return 0;
}


static void
output_flush(struct output *o)
{
    while (o->len > 0) {
        size_t  n = output_push(o, o->buf + o->start, o->len);

        if (n == 0) {
            break;
        }

        o->start += n;
        o->len -= n;
    }

    if (o->len == 0) {
        o->start = 0;
    }
}


static void
output_writable(uv_poll_t *handle, int status, int events)
{
    struct output  *o = handle->data;

    (void) status;
    (void) events;

    output_flush(o);

    if (o->len == 0) {
        (void) uv_poll_stop(&o->poll);
        o->polling = false;
    }
}


static void
output_watch(struct output *o)
{
    if (o->len == 0 || o->loop == NULL || o->polling) {
        return;
    }

    /* tried once: files can't be watched, and needn't be */

    if (!o->pollable) {
        if (uv_poll_init(o->loop, &o->poll, o->fd) != 0) {
            o->loop = NULL;
            return;
        }

        o->poll.data = o;
        o->pollable = true;
        uv_unref((uv_handle_t *) &o->poll);
    }

    if (uv_poll_start(&o->poll, UV_WRITABLE, output_writable) == 0) {
        o->polling = true;
    }
}


static bool
output_keep(struct output *o, const char *buf, size_t len)
{
    if (len > INLETS_OUTPUT_MAX - o->len) {
        return false;
    }

    if (o->buf == NULL) {
        o->buf = malloc(INLETS_OUTPUT_MAX);

        if (o->buf == NULL) {
            return false;
        }
    }

    if (len > INLETS_OUTPUT_MAX - o->start - o->len) {
        memmove(o->buf, o->buf + o->start, o->len);
        o->start = 0;
    }

    memcpy(o->buf + o->start + o->len, buf, len);
    o->len += len;

    return true;
}


bool
inlets_output_write(const char *buf, size_t len)
{
    struct output  *o = &output;
    bool            kept;

    if (o->kind == OUTPUT_NONE) {
        output_open(o);
    }

    output_flush(o);

    while (o->len == 0 && len > 0 && o->kind != OUTPUT_DEAD) {
        size_t  n = output_push(o, buf, len);

        if (n == 0) {
            break;
        }

        buf += n;
        len -= n;
    }

    if (len == 0 || o->kind == OUTPUT_DEAD) {
        return true;
    }

    kept = output_keep(o, buf, len);
    output_watch(o);

    return kept;
}


bool
inlets_output_is_clear(void)
{
    return output.len == 0;
}


void
inlets_output_attach(uv_loop_t *loop)
{
    output.loop = loop;
    output_watch(&output);
}


static uint64_t
monotonic_ms(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


void
inlets_output_detach(void)
{
    struct output  *o = &output;
    uint64_t        now = monotonic_ms(), end = now + LAST_WAIT;

    while (o->len > 0 && now < end) {
        if (is_writable(o->fd, (int) (end - now))) {
            output_flush(o);
        }

        now = monotonic_ms();
    }

    if (o->pollable) {
        uv_close((uv_handle_t *) &o->poll, NULL);
        o->pollable = false;
        o->polling = false;
    }

    o->loop = NULL;

    free(o->buf);
    o->buf = NULL;
    o->start = 0;
    o->len = 0;
}
