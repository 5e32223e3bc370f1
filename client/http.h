/*
 * HTTP/1.1 on a stream, as it passes by: where requests and answers begin and
 * end, to tell of them (activity.h) and to set header fields for the local
 * service.  llhttp parses; no I/O, no clock.
 *
 * Requests come one after the other, as nginx sends them.  After an upgrade
 * (WebSocket) or CONNECT that the service has agreed to, all bytes pass.
 */

#ifndef INLETS_HTTP_H
#define INLETS_HTTP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "activity.h"


#define INLETS_HTTP_HEAD_MAX  65536     /* longest head of a request */


struct inlets_http;


/* Field values for the service; NULL: as the visitor's. */

struct inlets_http_fields {
    const char *host;
    const char *authorization;
};


/*
 * done(): an answer is complete, or it ends without one (status 0).  request
 * is valid during the call; its tunnel is not set.
 */
struct inlets_http_conf {
    const struct inlets_http_fields  *fields;   /* NULL: nothing is changed */
    void                            (*done)(void *data,
                                            struct inlets_request *request);
    void                             *data;
};


/* NULL: no memory.  The fields are needed only during the call. */
struct inlets_http *inlets_http_create(const struct inlets_http_conf *conf);
void inlets_http_destroy(struct inlets_http *http);


/*
 * Of the next len > 0 bytes for the service, which have not been shown before:
 *
 *   INLETS_HTTP_PASS    *ret_len of them are to be sent as they are
 *   INLETS_HTTP_TAKEN   *ret_len of them were taken.  If now *ret_out isn't
 *                       NULL, *ret_out_len bytes are to be sent instead; they
 *                       are valid until the next call
 *
 * or a negative enum inlets_error: not HTTP, or a head that is too long, where
 * fields were to be set.  *ret_len is never 0.  now: ms; at: s.
 */
#define INLETS_HTTP_PASS   0
#define INLETS_HTTP_TAKEN  1

int inlets_http_request(struct inlets_http *http, const uint8_t *buf,
    size_t len, uint64_t now, int64_t at, size_t *ret_len,
    const uint8_t **ret_out, size_t *ret_out_len);

/* The next bytes from the service, which pass as they are; and its end. */
void inlets_http_answer(struct inlets_http *http, const uint8_t *buf,
    size_t len, uint64_t now);
void inlets_http_answer_end(struct inlets_http *http, uint64_t now);

/* No request waits for its answer, or for the rest of it. */
bool inlets_http_is_idle(const struct inlets_http *http);


#endif /* INLETS_HTTP_H */
