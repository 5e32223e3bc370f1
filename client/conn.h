/*
 * A non-blocking connection to one address or Unix socket, plain or with TLS,
 * driven by a libuv loop.
 *
 * libwebsockets has a raw role for this; links don't use it, because in 4.1 a
 * raw TLS client is never told that its handshake is done, and because each of
 * its events costs a further turn of the loop.
 */

#ifndef INLETS_CONN_H
#define INLETS_CONN_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "resolve.h"


struct inlets_conn;


/*
 * connected(): TLS is up too, if wanted.  failed(): connecting failed; not
 * called for errors that read() and writev() return.  writable(): as asked for
 * by inlets_conn_want_write().  In each of them the connection may be closed.
 */
struct inlets_conn_handlers {
    void  (*connected)(struct inlets_conn *c);
    void  (*failed)(struct inlets_conn *c, const char *why);
    void  (*readable)(struct inlets_conn *c);
    void  (*writable)(struct inlets_conn *c);
    void  (*closed)(struct inlets_conn *c);
};


struct inlets_conn_conf {
    uv_loop_t                          *loop;
    const union inlets_address         *address;
    const char                         *socket; /* a Unix socket's path, in
                                                   place of an address */
    SSL_CTX                            *tls;    /* NULL: plain */

    /* sent first, before TLS too; kept until connected() or failed() */
    const uint8_t                      *prefix;
    size_t                              prefix_len;

    const struct inlets_conn_handlers  *handlers;
    void                               *data;
};


/* NULL: no memory or no descriptor, with errno. */
struct inlets_conn *inlets_conn_create(const struct inlets_conn_conf *conf);

/*
 * No handler but closed() is called from now on; it comes from the loop and is
 * the last that is heard of c.  abort(): as close(), but the peer sees a reset
 * where there is one (not on Unix sockets).  drop(): as abort(), and nothing
 * is heard of c any more.
 */
void inlets_conn_close(struct inlets_conn *c);
void inlets_conn_abort(struct inlets_conn *c);
void inlets_conn_drop(struct inlets_conn *c);

void *inlets_conn_data(const struct inlets_conn *c);

/* In failed(): somebody is there, but TLS doesn't come about. */
bool inlets_conn_reached(const struct inlets_conn *c);


#define INLETS_CONN_AGAIN  0
#define INLETS_CONN_EOF    (-1)
#define INLETS_CONN_ERROR  (-2)

/*
 * read(): bytes, AGAIN, EOF or ERROR.  writev(): bytes taken, at least 1, or
 * AGAIN or ERROR; after less than everything, ask for writable().  more():
 * read() will give more without a readable().  error(): of the last ERROR.
 * want_read(): true from the beginning; to be set to false after EOF.
 */
ssize_t inlets_conn_read(struct inlets_conn *c, uint8_t *buf, size_t size);
bool inlets_conn_more(const struct inlets_conn *c);
ssize_t inlets_conn_writev(struct inlets_conn *c, const struct iovec *iov,
    size_t n);
void inlets_conn_want_write(struct inlets_conn *c, bool want);
void inlets_conn_want_read(struct inlets_conn *c, bool want);

/*
 * With TLS, taken bytes may wait in a record: flush() writes it, and is true
 * when nothing waits.  broken(): it could not be written, and never will.
 */
bool inlets_conn_flush(struct inlets_conn *c);
bool inlets_conn_broken(const struct inlets_conn *c);

/*
 * The peer reads EOF after all that was taken; reading goes on.  False: not
 * everything is out; ask for writable(), then call it again.
 */
bool inlets_conn_shutdown(struct inlets_conn *c);
const char *inlets_conn_error(const struct inlets_conn *c);


#endif /* INLETS_CONN_H */
