/*
 * TLS settings of connections to one peer: its certificate is verified against
 * the system's authorities or a given file, for the host name or address that
 * the user named.
 */

#ifndef INLETS_TLS_H
#define INLETS_TLS_H


#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "inlets_url.h"


/*
 * NULL after a message on standard error.  url lives as long as connections
 * are made; ca_file NULL: the system's.
 */
SSL_CTX *inlets_tls_create(const struct inlets_url *url, const char *ca_file,
    bool insecure);

/*
 * One whose peer may change: for libwebsockets, which keeps what it was given.
 * follow() takes over the authorities of ctx, for connections made from now
 * on.  0, or negative after a message.
 */
SSL_CTX *inlets_tls_create_follower(void);
int inlets_tls_follow(SSL_CTX *follower, const SSL_CTX *ctx,
    const struct inlets_url *url, bool insecure);

/* After a handshake that failed: why, in buf. */
const char *inlets_tls_error(const SSL *ssl, char *buf, size_t size);


#endif /* INLETS_TLS_H */
