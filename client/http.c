#include "http.h"

#include <stdlib.h>
#include <string.h>

#include <llhttp.h>

#include "inlets_error.h"


#define HTTP_METHOD_LONGEST  255
#define HTTP_TRAILER         (sizeof("authorization") + 1)

#define HTTP_TEXT(macro)     HTTP_TEXT_OF(macro)
#define HTTP_TEXT_OF(value)  #value


/* Of the requests. */

enum http_state {
    HTTP_METHOD = 0,        /* or between two of them */
    HTTP_TARGET,
    HTTP_MESSAGE,           /* the rest of its head, and the body */
    HTTP_UPGRADE,           /* it is complete, the answer decides */
    HTTP_RAW
};


struct inlets_http {
    llhttp_t                   requests;
    llhttp_t                   answers;
    struct inlets_request      request;
    uint64_t                   now;
    int64_t                    at;
    void                     (*done)(void *data,
                                     struct inlets_request *request);
    void                      *data;

    struct inlets_http_fields  fields;      /* of these two */
    char                      *host;
    char                      *authorization;

    uint8_t                   *head;        /* taken, not complete */
    uint8_t                   *out;
    uint32_t                   head_len;
    uint32_t                   head_size;
    uint32_t                   out_len;
    uint8_t                    matched;     /* of the end of the head */

    uint8_t                    state;
    uint16_t                   token_len;   /* of method or path */
    uint8_t                    trailer_len;
    char                       trailer[HTTP_TRAILER];

    bool                       set;         /* fields are */
    bool                       failed;
    bool                       lost;        /* nothing is told any more */
    bool                       begun;       /* a request is not complete */
    bool                       open;        /* its answer is not complete */
    bool                       named;       /* method and path are known */
    bool                       head_done;
    bool                       is_head;
    bool                       is_connect;
    bool                       upgrade;     /* is asked for */
    bool                       early;       /* bytes before its answer */
    bool                       interim;     /* a 1xx answer */
};


static int http_request_field(llhttp_t *parser, const char *p, size_t len);
static int http_request_field_complete(llhttp_t *parser);
static int http_request_headers_complete(llhttp_t *parser);
static int http_answer_headers_complete(llhttp_t *parser);
static int http_message_complete(llhttp_t *parser);


static const llhttp_settings_t  http_request_settings = {
    .on_header_field = http_request_field,
    .on_header_field_complete = http_request_field_complete,
    .on_headers_complete = http_request_headers_complete,
    .on_message_complete = http_message_complete
};


static const llhttp_settings_t  http_answer_settings = {
    .on_headers_complete = http_answer_headers_complete,
    .on_message_complete = http_message_complete
};


static void
http_wipe(void *p, size_t len)
{
    if (p != NULL) {
        explicit_bzero(p, len);
        free(p);
    }
}


static void
http_done(struct inlets_http *http)
{
    if (!http->open) {
        return;
    }

    http->open = false;

    if (!http->named) {
        return;
    }

    http->request.time = http->now > http->request.started
                         ? http->now - http->request.started : 0;

    http->done(http->data, &http->request);
}


static void
http_lose(struct inlets_http *http)
{
    http_done(http);
    http->lost = true;
}


/* The first byte of a request. */

static void
http_begin(struct inlets_http *http)
{
    if (http->open) {
        http_lose(http);
    }

    memset(&http->request, 0, sizeof(http->request));
    http->request.started = http->now;
    http->request.at = http->at;

    http->state = HTTP_METHOD;
    http->token_len = 0;
    http->trailer_len = 0;
    http->named = false;
    http->head_done = false;
    http->is_head = false;
    http->is_connect = false;
    http->upgrade = false;
    http->early = false;
    http->begun = true;
    http->open = !http->lost;
}


static void
http_end(struct inlets_http *http)
{
    http->begun = false;
    http->state = HTTP_METHOD;

    /* unless it has been refused before it was complete */

    if (http->upgrade && (http->open || http->lost)) {
        http->state = HTTP_UPGRADE;
    }
}


static bool
http_method_byte(struct inlets_http *http, uint8_t c)
{
    char    *method = http->request.method;
    size_t   len = http->token_len;

    if (c == ' ') {
        http->is_head = strcmp(method, "HEAD") == 0;
        http->is_connect = strcmp(method, "CONNECT") == 0;
        http->token_len = 0;
        http->state = HTTP_TARGET;
        return len > 0;
    }

    if (!inlets_http_is_token(c) || len == HTTP_METHOD_LONGEST) {
        return false;
    }

    if (len < INLETS_METHOD_MAX) {
        method[len] = (char) c;
    }

    http->token_len++;

    return true;
}


/*
 * The parser knows few methods and no bytes over 127: it gets some that it
 * likes instead.
 */
static bool
http_target_byte(struct inlets_http *http, uint8_t c)
{
    const char  *start;

    if (c == ' ') {
        start = http->is_connect ? "CONNECT a:1 " : "GET / ";
        llhttp_init(&http->requests, HTTP_REQUEST, &http_request_settings);
        http->requests.data = http;
        http->named = true;
        http->state = HTTP_MESSAGE;

        return http->token_len > 0
               && llhttp_execute(&http->requests, start, strlen(start))
                  == HPE_OK;
    }

    if (c < 0x20 || c == 0x7f) {
        return false;
    }

    if (http->token_len < INLETS_PATH_SHOWN) {
        http->request.path[http->token_len++] = c < 0x7f ? (char) c : '?';
    }

    return true;
}


static bool
http_line_byte(struct inlets_http *http, uint8_t c)
{
    if (http->state == HTTP_TARGET) {
        return http_target_byte(http, c);
    }

    if (!http->begun) {
        if (c == '\r' || c == '\n') {
            return true;
        }

        http_begin(http);
    }

    return http_method_byte(http, c);
}


/* All of buf, or up to the end of a request. */

static int
http_feed(struct inlets_http *http, const uint8_t *buf, size_t len,
    size_t *ret_used)
{
    size_t          used = 0;
    llhttp_errno_t  error;

    while (used < len && http->state != HTTP_MESSAGE) {
        if (!http_line_byte(http, buf[used++])) {
            return INLETS_E_HTTP_SYNTAX;
        }
    }

    if (used == len) {
        *ret_used = used;
        return 0;
    }

    error = llhttp_execute(&http->requests, (const char *) buf + used,
                           len - used);

    if (error == HPE_OK) {
        *ret_used = len;
        return 0;
    }

    if (error != HPE_PAUSED) {
        return INLETS_E_HTTP_SYNTAX;
    }

    *ret_used = (size_t) ((const uint8_t *)
                          llhttp_get_error_pos(&http->requests) - buf);
    http_end(http);

    return 0;
}


/* Trailers must not bring what the head was not allowed to. */

static int
http_request_field(llhttp_t *parser, const char *p, size_t len)
{
    struct inlets_http  *http = parser->data;

    if (!http->set || !http->head_done) {
        return 0;
    }

    for (size_t i = 0; i < len && http->trailer_len < HTTP_TRAILER; i++) {
        http->trailer[http->trailer_len++] = p[i];
    }

    return 0;
}


static int
http_request_field_complete(llhttp_t *parser)
{
    size_t               len;
    struct inlets_http  *http = parser->data;

    len = http->trailer_len;
    http->trailer_len = 0;

    return len > 0 && inlets_http_head_sets(&http->fields, http->trailer, len)
           ? -1 : 0;
}


static int
http_request_headers_complete(llhttp_t *parser)
{
    struct inlets_http  *http = parser->data;

    if (llhttp_get_http_major(parser) != 1) {
        return -1;
    }

    http->head_done = true;
    http->upgrade = llhttp_get_upgrade(parser);

    return 0;
}


static int
http_message_complete(llhttp_t *parser)
{
    (void) parser;

    return HPE_PAUSED;
}


static int
http_observe(struct inlets_http *http, const uint8_t *buf, size_t len)
{
    size_t  used;

    while (len > 0 && !http->lost) {
        if (http->state == HTTP_UPGRADE) {
            http->early = true;
            break;
        }

        if (http_feed(http, buf, len, &used) != 0 || used == 0) {
            http_lose(http);
            break;
        }

        buf += used;
        len -= used;
    }

    return INLETS_HTTP_PASS;
}


static int
http_head_keep(struct inlets_http *http, const uint8_t *buf, size_t len)
{
    size_t    size = http->head_size > 0 ? http->head_size : 1024;
    uint8_t  *p;

    if (len > INLETS_HTTP_HEAD_MAX - http->head_len) {
        return INLETS_E_HTTP_LARGE;
    }

    while (size < http->head_len + len) {
        size *= 2;
    }

    if (size > http->head_size) {
        p = malloc(size);

        if (p == NULL) {
            return INLETS_E_NO_MEMORY;
        }

        if (http->head_len > 0) {
            memcpy(p, http->head, http->head_len);
        }

        http_wipe(http->head, http->head_size);
        http->head = p;
        http->head_size = (uint32_t) size;
    }

    memcpy(http->head + http->head_len, buf, len);
    http->head_len += (uint32_t) len;

    return 0;
}


/* The complete head, as the service will see it, is what the parser sees. */

static int
http_head_write(struct inlets_http *http, const uint8_t *head, size_t len)
{
    int      rc;
    size_t   size, used;
    ssize_t  n;

    if (len > INLETS_HTTP_HEAD_MAX) {
        return INLETS_E_HTTP_LARGE;
    }

    size = inlets_http_head_size(len, &http->fields);
    http->out = malloc(size);

    if (http->out == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    http->out_len = (uint32_t) size;
    n = inlets_http_head_write(http->out, size, head, len, &http->fields);

    if (n < 0) {
        return (int) n;
    }

    rc = http_feed(http, http->out, (size_t) n, &used);

    if (rc == 0 && (used != (size_t) n || !http->head_done)) {
        rc = INLETS_E_HTTP_SYNTAX;
    }

    if (rc == 0) {
        http->out_len = (uint32_t) n;
    }

    return rc;
}


static int
http_head(struct inlets_http *http, const uint8_t *buf, size_t len,
    size_t *ret_len)
{
    int      rc;
    size_t   skip = 0;
    ssize_t  end;

    if (!http->begun) {
        while (skip < len && (buf[skip] == '\r' || buf[skip] == '\n')) {
            skip++;
        }

        if (skip > 0) {
            *ret_len = skip;
            return INLETS_HTTP_TAKEN;
        }

        http_begin(http);
    }

    end = inlets_http_head_end(&http->matched, buf, len);

    if (end < 0) {
        return (int) end;
    }

    *ret_len = end > 0 ? (size_t) end : len;

    if (end > 0 && http->head == NULL) {
        rc = http_head_write(http, buf, *ret_len);
        return rc != 0 ? rc : INLETS_HTTP_TAKEN;
    }

    rc = http_head_keep(http, buf, *ret_len);

    if (rc == 0 && end > 0) {
        rc = http_head_write(http, http->head, http->head_len);
        http_wipe(http->head, http->head_size);
        http->head = NULL;
        http->head_len = 0;
        http->head_size = 0;
    }

    return rc != 0 ? rc : INLETS_HTTP_TAKEN;
}


static int
http_change(struct inlets_http *http, const uint8_t *buf, size_t len,
    size_t *ret_len, const uint8_t **ret_out, size_t *ret_out_len)
{
    int  rc;

    if (http->state == HTTP_UPGRADE) {
        return INLETS_E_HTTP_UPGRADE;
    }

    if (http->state == HTTP_MESSAGE) {
        rc = http_feed(http, buf, len, ret_len);

        if (rc == 0 && *ret_len == 0) {
            rc = INLETS_E_HTTP_SYNTAX;
        }

        return rc != 0 ? rc : INLETS_HTTP_PASS;
    }

    rc = http_head(http, buf, len, ret_len);

    if (rc == INLETS_HTTP_TAKEN && http->out != NULL) {
        *ret_out = http->out;
        *ret_out_len = http->out_len;
    }

    return rc;
}


int
inlets_http_request(struct inlets_http *http, const uint8_t *buf, size_t len,
    uint64_t now, int64_t at, size_t *ret_len, const uint8_t **ret_out,
    size_t *ret_out_len)
{
    int  rc;

    http->now = now;
    http->at = at;

    http_wipe(http->out, http->out_len);
    http->out = NULL;

    *ret_len = len;
    *ret_out = NULL;
    *ret_out_len = 0;

    if (http->state == HTTP_RAW) {
        return INLETS_HTTP_PASS;
    }

    if (!http->set) {
        return http_observe(http, buf, len);
    }

    if (http->failed) {
        return INLETS_E_HTTP_SYNTAX;
    }

    rc = http_change(http, buf, len, ret_len, ret_out, ret_out_len);

    if (rc < 0) {
        http->failed = true;
        http_lose(http);
    }

    return rc;
}


/* The service agrees to another protocol, or not. */

static bool
http_answer_upgrades(struct inlets_http *http, unsigned status)
{
    if (status == 101) {
        return http->upgrade || !http->set;
    }

    return http->is_connect && http->upgrade && status / 100 == 2;
}


static int
http_answer_headers_complete(llhttp_t *parser)
{
    unsigned             status = (unsigned) llhttp_get_status_code(parser);
    struct inlets_http  *http = parser->data;

    if (http_answer_upgrades(http, status)) {
        http->request.status = status;
        http->state = HTTP_RAW;
        return 1;
    }

    if (status < 200 && status != 101) {
        http->interim = true;
        return 1;
    }

    http->request.status = status;
    http->upgrade = false;

    if (http->state == HTTP_UPGRADE) {
        http->state = HTTP_METHOD;

        if (http->early) {
            return -1;
        }
    }

    return http->is_head || status == 101 || status == 204 || status == 304
           ? 1 : 0;
}


static void
http_answer_begin(struct inlets_http *http)
{
    llhttp_t  *parser = &http->answers;

    llhttp_init(parser, HTTP_RESPONSE, &http_answer_settings);
    parser->data = http;

    /* what nginx takes from a service, although it isn't quite right */

    llhttp_set_lenient_headers(parser, 1);
    llhttp_set_lenient_chunked_length(parser, 1);
    llhttp_set_lenient_transfer_encoding(parser, 1);

#if LLHTTP_VERSION_MAJOR > 9                                                  \
    || (LLHTTP_VERSION_MAJOR == 9 && LLHTTP_VERSION_MINOR >= 2)
    llhttp_set_lenient_optional_cr_before_lf(parser, 1);
    llhttp_set_lenient_spaces_after_chunk_size(parser, 1);
#endif

    http->interim = false;
}


void
inlets_http_answer(struct inlets_http *http, const uint8_t *buf, size_t len,
    uint64_t now)
{
    const char      *p = (const char *) buf, *end = p + len;
    llhttp_errno_t   error;

    http->now = now;

    while (p < end && !http->lost && http->state != HTTP_RAW) {
        if (!http->open) {
            http_lose(http);
            return;
        }

        error = llhttp_execute(&http->answers, p, (size_t) (end - p));

        if (error == HPE_OK) {
            return;
        }

        if (error != HPE_PAUSED) {
            http_lose(http);
            return;
        }

        p = llhttp_get_error_pos(&http->answers);

        if (!http->interim) {
            http_done(http);
        }

        http_answer_begin(http);
    }
}


void
inlets_http_answer_end(struct inlets_http *http, uint64_t now)
{
    http->now = now;
    http_lose(http);
}


bool
inlets_http_is_idle(const struct inlets_http *http)
{
    return !http->lost && !http->begun && !http->open
           && http->state == HTTP_METHOD;
}


static char *
http_copy(const char *text)
{
    char    *p;
    size_t   size;

    if (text == NULL) {
        return NULL;
    }

    size = strlen(text) + 1;
    p = malloc(size);

    if (p != NULL) {
        memcpy(p, text, size);
    }

    return p;
}


static void
http_wipe_text(char *text)
{
    if (text != NULL) {
        http_wipe(text, strlen(text));
    }
}


struct inlets_http *
inlets_http_create(const struct inlets_http_conf *conf)
{
    struct inlets_http               *http = calloc(1, sizeof(*http));
    const struct inlets_http_fields  *fields = conf->fields;

    if (http == NULL) {
        return NULL;
    }

    http->done = conf->done;
    http->data = conf->data;
    http_answer_begin(http);

    if (fields == NULL) {
        return http;
    }

    http->set = true;
    http->host = http_copy(fields->host);
    http->authorization = http_copy(fields->authorization);
    http->fields.host = http->host;
    http->fields.authorization = http->authorization;

    if ((fields->host != NULL && http->host == NULL)
        || (fields->authorization != NULL && http->authorization == NULL))
    {
        inlets_http_destroy(http);
        return NULL;
    }

    return http;
}


void
inlets_http_destroy(struct inlets_http *http)
{
    if (http == NULL) {
        return;
    }

    http_wipe(http->head, http->head_size);
    http_wipe(http->out, http->out_len);
    http_wipe_text(http->host);
    http_wipe_text(http->authorization);
    free(http);
}


const char *
inlets_http_library(void)
{
    return HTTP_TEXT(LLHTTP_VERSION_MAJOR) "."
           HTTP_TEXT(LLHTTP_VERSION_MINOR) "."
           HTTP_TEXT(LLHTTP_VERSION_PATCH);
}
