#include "conn.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tls.h"


#define CONN_RECORD       16384     /* largest TLS record */
#define CONN_READ_AHEAD   65536
#define CONN_IOV          64
#define CONN_ERROR_SIZE   160

#define CONN_KEEP_IDLE      60      /* s, until a silent peer is asked */
#define CONN_KEEP_INTERVAL  15
#define CONN_KEEP_COUNT     4


enum conn_state {
    CONN_CONNECTING = 0,
    CONN_PREFIX,
    CONN_HANDSHAKE,
    CONN_OPEN,
    CONN_CLOSED
};


struct inlets_conn {
    uv_poll_t                           poll;
    const struct inlets_conn_handlers  *handlers;
    void                               *data;

    SSL                                *ssl;
    uint8_t                            *record;     /* NULL: it is empty */
    size_t                              record_len;
    const uint8_t                      *prefix;
    size_t                              prefix_len;
    char                               *error;      /* lazily */

    int                                 fd;
    int                                 events;
    enum conn_state                     state;
    bool                                no_read;    /* not wanted */
    bool                                want_write;
    bool                                broken;     /* a write failed */
    bool                                notified;   /* close_notify is out */
};


static void poll_event(uv_poll_t *poll, int status, int events);


static int
watch(struct inlets_conn *c, int events)
{
    if (events == c->events) {
        return 0;
    }

    c->events = events;

    return events == 0 ? uv_poll_stop(&c->poll)
                       : uv_poll_start(&c->poll, events, poll_event);
}


static int
watch_wanted(struct inlets_conn *c)
{
    return watch(c, (c->no_read ? 0 : UV_READABLE)
                    | (c->want_write ? UV_WRITABLE : 0));
}


static char *
error_text(struct inlets_conn *c)
{
    static char  none[CONN_ERROR_SIZE];

    if (c->error == NULL) {
        c->error = malloc(CONN_ERROR_SIZE);
    }

    return c->error != NULL ? c->error : none;
}


static void
set_error(struct inlets_conn *c, const char *what, int err)
{
    snprintf(error_text(c), CONN_ERROR_SIZE, "%s: %s", what,
             uv_strerror(-err));
}


static const char *
set_tls_error(struct inlets_conn *c)
{
    return inlets_tls_error(c->ssl, error_text(c), CONN_ERROR_SIZE);
}


static int
make_ssl(struct inlets_conn *c, const struct inlets_conn_conf *conf)
{
    c->ssl = SSL_new(conf->tls);

    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
        SSL_free(c->ssl);
        ERR_clear_error();
        errno = ENOMEM;
        return -1;
    }

    SSL_set_read_ahead(c->ssl, 1);
    SSL_set_default_read_buffer_len(c->ssl, CONN_READ_AHEAD);
    SSL_set_connect_state(c->ssl);

    return 0;
}


/* A peer that vanished is noticed, if it isn't this machine itself. */

static void
keep_alive(int fd, const union inlets_address *address)
{
    int  on = 1, idle = CONN_KEEP_IDLE, interval = CONN_KEEP_INTERVAL;
    int  count = CONN_KEEP_COUNT;

    if (address->sa.sa_family == AF_INET6
        ? IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr)
        : ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
    {
        return;
    }

    (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval,
                      sizeof(interval));
    (void) setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}


static int
connect_socket(int fd, const char *path)
{
    struct sockaddr_un  un = { .sun_family = AF_UNIX };
    size_t              len = strlen(path);

    if (len >= sizeof(un.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    memcpy(un.sun_path, path, len + 1);

    return connect(fd, (struct sockaddr *) &un, sizeof(un));
}


/* The descriptor, or -1 with errno. */

static int
open_socket(const struct inlets_conn_conf *conf)
{
    int  family = AF_UNIX, on = 1, fd, rc, err;

    if (conf->socket == NULL) {
        family = conf->address->sa.sa_family;
    }

    fd = socket(family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    if (conf->socket != NULL) {
        rc = connect_socket(fd, conf->socket);

    } else {
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        keep_alive(fd, conf->address);
        rc = connect(fd, &conf->address->sa,
                     inlets_address_len(conf->address));
    }

    if (rc == -1 && errno != EINPROGRESS) {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }

    return fd;
}


struct inlets_conn *
inlets_conn_create(const struct inlets_conn_conf *conf)
{
    struct inlets_conn  *c;
    int                  rc, err;

    c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }

    c->handlers = conf->handlers;
    c->data = conf->data;
    c->prefix = conf->prefix;
    c->prefix_len = conf->prefix_len;
    c->fd = open_socket(conf);

    if (c->fd == -1) {
        goto failed;
    }

    if (conf->tls != NULL && make_ssl(c, conf) != 0) {
        goto failed_socket;
    }

    rc = uv_poll_init(conf->loop, &c->poll, c->fd);

    if (rc != 0) {
        errno = -rc;
        goto failed_ssl;
    }

    c->poll.data = c;

    if (watch(c, UV_WRITABLE) != 0) {
        inlets_conn_drop(c);
        errno = EINVAL;
        return NULL;
    }

    return c;

failed_ssl:

    err = errno;
    SSL_free(c->ssl);
    errno = err;

failed_socket:

    err = errno;
    close(c->fd);
    errno = err;

failed:

    err = errno;
    free(c);
    errno = err;

    return NULL;
}


static void
poll_closed(uv_handle_t *handle)
{
    struct inlets_conn  *c = handle->data;

    close(c->fd);

    if (c->handlers != NULL) {
        c->handlers->closed(c);
    }

    free(c->record);
    free(c->error);
    free(c);
}


static void
conn_end(struct inlets_conn *c, bool notify)
{
    if (c->ssl != NULL) {
        if (notify && c->state == CONN_OPEN && c->record_len == 0
            && !c->notified)
        {
            (void) SSL_shutdown(c->ssl);
        }

        SSL_free(c->ssl);
        c->ssl = NULL;
        ERR_clear_error();
    }

    c->state = CONN_CLOSED;

    uv_close((uv_handle_t *) &c->poll, poll_closed);
}


void
inlets_conn_close(struct inlets_conn *c)
{
    if (c->state != CONN_CLOSED) {
        conn_end(c, true);
    }
}


void
inlets_conn_abort(struct inlets_conn *c)
{
    struct linger  linger = { .l_onoff = 1, .l_linger = 0 };

    if (c->state != CONN_CLOSED) {
        (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger,
                          sizeof(linger));
        conn_end(c, false);
    }
}


void
inlets_conn_drop(struct inlets_conn *c)
{
    c->handlers = NULL;
    inlets_conn_abort(c);
}


void *
inlets_conn_data(const struct inlets_conn *c)
{
    return c->data;
}


bool
inlets_conn_reached(const struct inlets_conn *c)
{
    return c->state != CONN_CONNECTING;
}


const char *
inlets_conn_error(const struct inlets_conn *c)
{
    return c->error != NULL ? c->error : "no memory";
}


static void
connected(struct inlets_conn *c)
{
    c->state = CONN_OPEN;

    if (watch_wanted(c) != 0) {
        c->handlers->failed(c, "cannot watch the socket");
        return;
    }

    c->handlers->connected(c);
}


static void
handshake(struct inlets_conn *c)
{
    int  rc, error;

    ERR_clear_error();

    rc = SSL_do_handshake(c->ssl);

    if (rc == 1) {
        connected(c);
        return;
    }

    error = SSL_get_error(c->ssl, rc);

    if ((error == SSL_ERROR_WANT_READ && watch(c, UV_READABLE) == 0)
        || (error == SSL_ERROR_WANT_WRITE && watch(c, UV_WRITABLE) == 0))
    {
        return;
    }

    c->handlers->failed(c, set_tls_error(c));
}


static void
send_prefix(struct inlets_conn *c)
{
    ssize_t  n = 0;

    while (c->prefix_len > 0) {
        n = send(c->fd, c->prefix, c->prefix_len, MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            break;
        }

        c->prefix += n;
        c->prefix_len -= (size_t) n;
    }

    if (n == -1) {
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            c->handlers->failed(c, uv_strerror(-errno));
        }

        return;
    }

    if (c->ssl == NULL) {
        connected(c);
        return;
    }

    c->state = CONN_HANDSHAKE;
    handshake(c);
}


static void
connect_done(struct inlets_conn *c, int status)
{
    socklen_t  len = sizeof(int);
    int        err = 0;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1) {
        err = errno;
    }

    if (err == 0 && status < 0) {
        err = -status;
    }

    if (err != 0) {
        c->handlers->failed(c, uv_strerror(-err));
        return;
    }

    c->state = CONN_PREFIX;
    send_prefix(c);
}


static void
poll_event(uv_poll_t *poll, int status, int events)
{
    struct inlets_conn  *c = poll->data;

    if (status < 0) {
        /*
         * libuv does not watch it any more; reading or writing finds the
         * error, but first what came before it
         */
        events = c->events;
        c->events = 0;
    }

    switch (c->state) {

    case CONN_CONNECTING:
        connect_done(c, status);
        break;

    case CONN_PREFIX:
        send_prefix(c);
        break;

    case CONN_HANDSHAKE:
        handshake(c);
        break;

    case CONN_OPEN:
        if (events & UV_WRITABLE) {
            c->handlers->writable(c);
        }

        if ((events & UV_READABLE) && c->state == CONN_OPEN) {
            c->handlers->readable(c);
        }

        break;

    case CONN_CLOSED:
        break;
    }

    if (status < 0 && c->state == CONN_OPEN) {
        (void) watch_wanted(c);
    }
}


static ssize_t
tls_read(struct inlets_conn *c, uint8_t *buf, size_t size)
{
    int  n;

    ERR_clear_error();

    n = SSL_read(c->ssl, buf, size > INT_MAX ? INT_MAX : (int) size);

    if (n > 0) {
        return n;
    }

    switch (SSL_get_error(c->ssl, n)) {

    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return INLETS_CONN_AGAIN;

    case SSL_ERROR_ZERO_RETURN:
        return INLETS_CONN_EOF;

    case SSL_ERROR_SYSCALL:
        if (errno != 0) {
            set_error(c, "recv", errno);
            return INLETS_CONN_ERROR;
        }

        return INLETS_CONN_EOF;

    default:
        (void) set_tls_error(c);
        return INLETS_CONN_ERROR;
    }
}


ssize_t
inlets_conn_read(struct inlets_conn *c, uint8_t *buf, size_t size)
{
    ssize_t  n;

    errno = 0;

    if (c->ssl != NULL) {
        return tls_read(c, buf, size);
    }

    do {
        n = recv(c->fd, buf, size, 0);
    } while (n == -1 && errno == EINTR);

    if (n > 0) {
        return n;
    }

    if (n == 0) {
        return INLETS_CONN_EOF;
    }

    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return INLETS_CONN_AGAIN;
    }

    set_error(c, "recv", errno);

    return INLETS_CONN_ERROR;
}


bool
inlets_conn_more(const struct inlets_conn *c)
{
    return c->ssl != NULL && SSL_has_pending(c->ssl);
}


bool
inlets_conn_flush(struct inlets_conn *c)
{
    int  n;

    if (c->record_len == 0) {
        return true;
    }

    ERR_clear_error();

    /* a retry has to offer the same bytes: they stay in the record */

    n = SSL_write(c->ssl, c->record, (int) c->record_len);

    if (n <= 0) {
        int  error = SSL_get_error(c->ssl, n);

        if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
            c->record_len = 0;
            (void) set_tls_error(c);
            c->broken = true;
        }

        return false;
    }

    c->record_len -= (size_t) n;

    if (c->record_len > 0) {
        memmove(c->record, c->record + n, c->record_len);
        return false;
    }

    /* at rest a connection has no buffer */
    free(c->record);
    c->record = NULL;

    return true;
}


bool
inlets_conn_broken(const struct inlets_conn *c)
{
    return c->broken;
}


static ssize_t
tls_writev(struct inlets_conn *c, const struct iovec *iov, size_t n)
{
    size_t  taken = 0;

    if (c->broken || !inlets_conn_flush(c)) {
        return c->broken ? INLETS_CONN_ERROR : INLETS_CONN_AGAIN;
    }

    if (c->record == NULL) {
        c->record = malloc(CONN_RECORD);

        if (c->record == NULL) {
            set_error(c, "send", ENOMEM);
            return INLETS_CONN_ERROR;
        }
    }

    for (size_t i = 0; i < n && c->record_len < CONN_RECORD; i++) {
        size_t  len = CONN_RECORD - c->record_len;

        if (len > iov[i].iov_len) {
            len = iov[i].iov_len;
        }

        memcpy(c->record + c->record_len, iov[i].iov_base, len);
        c->record_len += len;
        taken += len;
    }

    (void) inlets_conn_flush(c);

    return c->broken ? INLETS_CONN_ERROR : (ssize_t) taken;
}


ssize_t
inlets_conn_writev(struct inlets_conn *c, const struct iovec *iov, size_t n)
{
    struct msghdr  msg = { .msg_iov = (struct iovec *) iov,
                           .msg_iovlen = n > CONN_IOV ? CONN_IOV : n };
    ssize_t        sent;

    if (c->ssl != NULL) {
        return tls_writev(c, iov, n);
    }

    do {
        sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
    } while (sent == -1 && errno == EINTR);

    if (sent > 0) {
        return sent;
    }

    if (sent == 0 || errno == EAGAIN || errno == EWOULDBLOCK) {
        return INLETS_CONN_AGAIN;
    }

    set_error(c, "send", errno);

    return INLETS_CONN_ERROR;
}


void
inlets_conn_want_write(struct inlets_conn *c, bool want)
{
    c->want_write = want;

    if (c->state == CONN_OPEN) {
        (void) watch_wanted(c);
    }
}


void
inlets_conn_want_read(struct inlets_conn *c, bool want)
{
    c->no_read = !want;

    if (c->state == CONN_OPEN) {
        (void) watch_wanted(c);
    }
}


/* close_notify; false: it waits for room. */

static bool
tls_shutdown(struct inlets_conn *c)
{
    int  rc, error;

    if (c->broken || c->notified) {
        return true;
    }

    ERR_clear_error();

    rc = SSL_shutdown(c->ssl);
    error = rc < 0 ? SSL_get_error(c->ssl, rc) : SSL_ERROR_NONE;
    ERR_clear_error();

    /* once more would read */
    c->notified = error != SSL_ERROR_WANT_WRITE;

    return c->notified;
}


bool
inlets_conn_shutdown(struct inlets_conn *c)
{
    if (c->ssl != NULL
        && ((!inlets_conn_flush(c) && !c->broken) || !tls_shutdown(c)))
    {
        return false;
    }

    /* an error here is found by reading */
    (void) shutdown(c->fd, SHUT_WR);

    return true;
}
