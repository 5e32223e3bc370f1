/*
 * The TLS settings of all connections to the edge: its certificate is verified
 * against the system's authorities or a given file, for the host name or
 * address that the user named.
 */

#ifndef INLETS_TLS_H
#define INLETS_TLS_H


#include <stddef.h>

#include <openssl/ssl.h>

#include "options.h"


/* NULL after a message on standard error. */
SSL_CTX *inlets_tls_create(const struct inlets_options *options);

/* After a handshake that failed: why, in buf. */
const char *inlets_tls_error(const SSL *ssl, char *buf, size_t size);


#endif /* INLETS_TLS_H */
