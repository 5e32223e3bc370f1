/*
 * HTTP/1.1 on a stream, as it passes by: where requests and answers begin and
 * end, to tell of them (activity.h) and to set header fields for the local
 * service.  llhttp parses; no I/O, no clock.
 *
 * Requests come one after the other, as nginx sends them.  After an upgrade
 * (WebSocket) or CONNECT that the service has agreed to, all bytes pass.
 *
 * What can't be made out (not HTTP, a request before the last one's answer is
 * complete, an answer that nobody asked for) ends the telling, for good; bytes
 * pass as before.  Only where fields are set, requests must be well-formed:
 * what the service takes for the end of one has to be what is taken for it
 * here, or fields would be set in the wrong place.
 */

#ifndef INLETS_HTTP_H
#define INLETS_HTTP_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "activity.h"
#include "http_head.h"


struct inlets_http;


/*
 * done(): an answer is complete, or it ends early, with its status, or with 0
 * if there was none yet.  Requests of which not even the path came are not
 * told of.  request is valid during the call; its tunnel is not set.  Not to
 * be destroyed in it.
 */
struct inlets_http_conf {
    const struct inlets_http_fields  *fields;   /* NULL: nothing is changed */
    void                            (*done)(void *data,
                                            struct inlets_request *request);
    void                             *data;
};


/* NULL: no memory.  conf and the fields are needed only during the call. */
struct inlets_http *inlets_http_create(const struct inlets_http_conf *conf);

/* Tells nothing: see inlets_http_answer_end().  NULL is accepted. */
void inlets_http_destroy(struct inlets_http *http);


/*
 * Of the next len > 0 bytes for the service, which have not been shown before:
 *
 *   INLETS_HTTP_PASS    *ret_len of them are to be sent as they are
 *   INLETS_HTTP_TAKEN   *ret_len of them were taken.  If now *ret_out isn't
 *                       NULL, *ret_out_len bytes are to be sent instead; they
 *                       are valid until the next call of this function
 *
 * or a negative enum inlets_error, where fields were to be set: not HTTP, a
 * head that is too long, or no memory; bytes that follow must not be sent.
 * *ret_len is never 0.  A head is taken until it is complete; of one that ends
 * before that, the service sees nothing.  now: ms; at: s.
 */
#define INLETS_HTTP_PASS   0
#define INLETS_HTTP_TAKEN  1

int inlets_http_request(struct inlets_http *http, const uint8_t *buf,
    size_t len, uint64_t now, int64_t at, size_t *ret_len,
    const uint8_t **ret_out, size_t *ret_out_len);

/*
 * The next bytes from the service, which pass as they are; and its end, or
 * that of the stream, whichever way.
 */
void inlets_http_answer(struct inlets_http *http, const uint8_t *buf,
    size_t len, uint64_t now);
void inlets_http_answer_end(struct inlets_http *http, uint64_t now);

/*
 * Between two requests, or before the first: none is under way, none waits for
 * its answer or for the rest of it.  False where that can't be known.
 */
bool inlets_http_is_idle(const struct inlets_http *http);

/* The parser's version. */
const char *inlets_http_library(void);


#endif /* INLETS_HTTP_H */
