/*
 * The head of an HTTP/1.x request, written anew with fields of ours.  Stricter
 * than any parser: what this accepts, all read alike.  No I/O, no clock, no
 * memory of its own.
 */

#ifndef INLETS_HTTP_HEAD_H
#define INLETS_HTTP_HEAD_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>


#define INLETS_HTTP_HEAD_MAX  65536     /* longest head of a request */


/* Field values for the service; NULL: as the visitor's. */

struct inlets_http_fields {
    const char *host;
    const char *authorization;
};


/* A character of methods and field names. */
bool inlets_http_is_token(uint8_t c);

/* Whether the field of that name is one of those that are set. */
bool inlets_http_head_sets(const struct inlets_http_fields *fields,
    const char *name, size_t len);

/*
 * The bytes of buf up to and with the empty line that ends a head, or 0 if it
 * isn't there yet, or INLETS_E_HTTP_SYNTAX: a line that ends with LF alone.
 * *matched is kept between the pieces of a head, 0 at first.
 */
ssize_t inlets_http_head_end(uint8_t *matched, const uint8_t *buf, size_t len);

/* The size that inlets_http_head_write() needs at most. */
size_t inlets_http_head_size(size_t len,
    const struct inlets_http_fields *fields);

/*
 * Writes the complete head of len bytes with the fields set: in place of those
 * of the visitor, each once; all else as it was and in its order, except that
 * an upgrade to HTTP/2 is left out, which would take later requests past here.
 *
 * The bytes written, or INLETS_E_HTTP_*: not well-formed, or a body of which
 * two readers might see different ends; INLETS_E_INVALID: a value with control
 * characters.
 */
ssize_t inlets_http_head_write(uint8_t *buf, size_t size, const uint8_t *head,
    size_t len, const struct inlets_http_fields *fields);


#endif /* INLETS_HTTP_HEAD_H */
