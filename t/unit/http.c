/* HTTP as it passes by: what is told of it, and the fields that are set. */

#include <stdlib.h>

#include "../../client/http.h"
#include "inlets_error.h"
#include "tap.h"


#define STEPS  8
#define SIZE   (4 * INLETS_HTTP_HEAD_MAX)

#define GET    "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_2   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define WS     "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n"                  \
               "Connection: upgrade\r\n\r\n"
#define WS_OK  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"  \
               "Connection: upgrade\r\n\r\n"


/* Texts that start with '>' are for the service, with '<' from it. */

struct vector {
    const char  *name;
    const char  *log;
    const char  *steps[STEPS];
    bool         idle;          /* then */
    int          rc;            /* where fields are set */
};


struct result {
    int          rc;
    bool         idle;
    size_t       len;
    char         log[4096];
    uint8_t     *out;
};


static const struct inlets_http_fields  fields = {
    .host = "local.test",
    .authorization = "Basic c2VjcmV0"
};


static const struct vector  vectors[] = {

    { "one request", "GET / 200\n", { ">" GET, "<" OK_2 }, true, 0 },

    { "no answer", "GET / 0\n", { ">" GET }, false, 0 },

    { "a part of one", "", { ">GET /" }, false, 0 },

    { "an end in the head", "", { ">GET /a\r\n" }, false, 0 },

    { "keep-alive", "GET / 200\nGET /2 404\n",
      { ">" GET, "<" OK_2, ">GET /2 HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" }, true, 0 },

    { "empty lines before", "GET / 200\n", { ">\r\n\r\n" GET, "<" OK_2 }, true,
      0 },

    { "a body", "POST /a?b=c 204\nGET / 200\n",
      { ">POST /a?b=c HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /",
        "<HTTP/1.1 204 No Content\r\n\r\n", ">" GET, "<" OK_2 }, true, 0 },

    { "chunked both ways", "PUT /c 201\nGET / 200\n",
      { ">PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;a=b\r\nGET /\r\n0\r\nX-Sum: 1\r\n\r\n",
        "<HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
        "a\r\n0123456789\r\n0\r\nX-Sum: 2\r\n\r\n", ">" GET, "<" OK_2 },
      true, 0 },

    { "HEAD", "HEAD / 200\nGET / 200\n",
      { ">HEAD / HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", ">" GET,
        "<" OK_2 }, true, 0 },

    { "HEAD, chunked", "HEAD / 200\n",
      { ">HEAD / HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" }, true, 0 },

    { "304 and 204 with lengths", "GET / 304\nGET / 204\nGET / 200\n",
      { ">" GET, "<HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        ">" GET, "<HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n",
        ">" GET, "<" OK_2 }, true, 0 },

    { "interim answers", "POST / 200\n",
      { ">POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        "<HTTP/1.1 100 Continue\r\n\r\n"
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", ">ok", "<" OK_2 },
      true, 0 },

    { "until the connection is closed", "GET / 200\n",
      { ">" GET, "<HTTP/1.0 200 OK\r\n\r\nHTTP/1.1 500 no\r\n\r\n" }, false,
      0 },

    { "an answer that is cut off", "GET / 200\n",
      { ">" GET, "<HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab" }, false,
      0 },

    { "cut off in its head", "GET / 0\n",
      { ">" GET, "<HTTP/1.1 200 OK\r\nContent-" }, false, 0 },

    { "an answer before the end of the body", "POST / 413\nGET / 200\n",
      { ">POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET ",
        "<HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", ">/ HT",
        ">" GET, "<" OK_2 }, true, 0 },

    { "and not even then", "POST / 413\n",
      { ">POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET ",
        "<HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n" }, false, 0 },

    { "WebSocket", "GET /ws 101\n",
      { ">" WS, "<" WS_OK "\x81\x05Hello", ">\x81\0\r\n\r\n" GET,
        "<" OK_2 OK_2 }, false, 0 },

    { "an upgrade that is refused", "GET /ws 200\nGET / 200\n",
      { ">" WS, "<" OK_2, ">" GET, "<" OK_2 }, true, 0 },

    { "refused by 426, then agreed to", "GET /ws 426\nGET /ws 101\n",
      { ">" WS, "<HTTP/1.1 426 No\r\nUpgrade: websocket\r\n"
        "Connection: upgrade\r\nContent-Length: 0\r\n\r\n",
        ">" WS, "<" WS_OK, ">raw" }, false, 0 },

    { "an upgrade with a body", "POST /up 101\n",
      { ">POST /up HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\n"
        "Upgrade: x/1\r\nContent-Length: 3\r\n\r\nabc", "<" WS_OK,
        ">raw\r\n\r\n" }, false, 0 },

    { "agreed to before the body is complete", "POST /up 101\n",
      { ">POST /up HTTP/1.1\r\nConnection: Upgrade\r\n"
        "Upgrade: x/1\r\nContent-Length: 3\r\n\r\na", "<" WS_OK,
        ">bcraw\r\n\r\n" }, false, 0 },

    { "bytes before an upgrade is agreed to", "GET /ws 101\n",
      { ">" WS, ">\x81\x02hi", "<" WS_OK, ">more" }, false,
      INLETS_E_HTTP_UPGRADE },

    { "or refused", "GET /ws 200\n",
      { ">" WS, ">" GET, "<" OK_2 OK_2 }, false, INLETS_E_HTTP_UPGRADE },

    { "CONNECT", "CONNECT db:5432 200\n",
      { ">CONNECT db:5432 HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 200 Fine\r\nContent-Length: 7\r\n\r\nraw", ">raw",
        "<" OK_2 }, false, 0 },

    { "CONNECT, refused", "CONNECT db:5432 405\nGET / 200\n",
      { ">CONNECT db:5432 HTTP/1.1\r\n\r\n",
        "<HTTP/1.1 405 No\r\nContent-Length: 3\r\n\r\nno\n", ">" GET,
        "<" OK_2 }, true, 0 },

    { "methods that nobody knows", "QUERY / 200\nVERSION-CONTROL /x 200\n",
      { ">QUERY / HTTP/1.1\r\nContent-Length: 1\r\n\r\nq", "<" OK_2,
        ">VERSION-CONTROL-OF /x HTTP/1.1\r\n\r\n", "<" OK_2 }, true, 0 },

    { "a path that isn't ASCII", "GET /?? 200\n",
      { ">GET /\xc3\xa4 HTTP/1.1\r\n\r\n", "<" OK_2 }, true, 0 },

    { "a service that is careless", "GET / 200\nGET / 200\n",
      { ">" GET, "<HTTP/1.1 200\nContent-Length: 2\n\nok", ">" GET, "<" OK_2 },
      true, 0 },

    { "upgrades that are only told of", "GET / 200\nGET / 200\n",
      { ">" GET, "<HTTP/1.1 200 OK\r\nUpgrade: h2,h2c\r\n"
        "Connection: Upgrade\r\nContent-Length: 2\r\n\r\nok", ">" GET,
        "<" OK_2 }, true, 0 },

    /* from here on nothing is told any more */

    { "an answer to nothing", "", { "<" OK_2, ">" GET, "<" OK_2 }, false, 0 },

    { "two answers", "GET / 200\n", { ">" GET, "<" OK_2 OK_2, ">" GET }, false,
      0 },

    { "two requests at once", "GET / 0\n", { ">" GET GET, "<" OK_2 OK_2 },
      false, 0 },

    { "an answer that isn't HTTP", "GET / 0\n", { ">" GET, "<SSH-2.0\r\n",
      ">" GET, "<" OK_2 }, false, 0 },

    { "not HTTP", "", { ">\x16\x03\x01\x02", ">" GET }, false,
      INLETS_E_HTTP_SYNTAX },

    { "HTTP/2", "PRI * 0\n", { ">PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }, false,
      INLETS_E_HTTP_SYNTAX },

    { "a wrong chunk", "POST / 0\n",
      { ">POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" }, false,
      INLETS_E_HTTP_SYNTAX },
};


static void
log_request(void *data, struct inlets_request *request)
{
    struct result  *r = data;
    size_t          len = strlen(r->log);

    snprintf(r->log + len, sizeof(r->log) - len, "%s %s %u\n", request->method,
             request->path, request->status);
}


static bool
give(struct inlets_http *http, struct result *r, const uint8_t *p, size_t len)
{
    size_t          n, out_len;
    uint8_t        *copy;
    const uint8_t  *out;

    while (len > 0) {
        copy = malloc(len);
        memcpy(copy, p, len);
        r->rc = inlets_http_request(http, copy, len, 1000, 5, &n, &out,
                                    &out_len);

        if (r->rc == INLETS_HTTP_PASS) {
            memcpy(r->out + r->len, copy, n);
            r->len += n;

        } else if (r->rc == INLETS_HTTP_TAKEN && out != NULL) {
            memcpy(r->out + r->len, out, out_len);
            r->len += out_len;
        }

        free(copy);

        if (r->rc < 0 || n == 0 || n > len) {
            return false;
        }

        p += n;
        len -= n;
    }

    r->rc = 0;

    return true;
}


/* Cut into pieces: of size bytes, and at the offset cut of all. */

static struct result
run(const char *const *steps, const struct inlets_http_fields *set, size_t cut,
    size_t size)
{
    size_t                   n, len, at = 0;
    uint8_t                 *copy;
    const char              *p;
    struct result            r = { 0 };
    struct inlets_http      *http;
    struct inlets_http_conf  conf = { set, log_request, &r };

    r.out = malloc(SIZE);
    http = inlets_http_create(&conf);

    for (unsigned i = 0; i < STEPS && steps[i] != NULL; i++) {
        len = strlen(steps[i] + 1);

        for (p = steps[i] + 1; len > 0; p += n, len -= n, at += n) {
            n = len < size ? len : size;
            n = at < cut && cut < at + n ? cut - at : n;

            if (steps[i][0] == '>') {
                if (!give(http, &r, (const uint8_t *) p, n)) {
                    goto done;
                }

            } else {
                copy = malloc(n);
                memcpy(copy, p, n);
                inlets_http_answer(http, copy, n, 1500);
                free(copy);
            }
        }
    }

done:

    r.idle = inlets_http_is_idle(http);
    inlets_http_answer_end(http, 2000);
    inlets_http_destroy(http);

    return r;
}


static bool
same(const struct result *a, const struct result *b)
{
    return a->rc == b->rc && a->idle == b->idle && a->len == b->len
           && memcmp(a->out, b->out, a->len) == 0
           && strcmp(a->log, b->log) == 0;
}


static size_t
joined(const struct vector *v, uint8_t *buf)
{
    size_t  len = 0, n;

    for (unsigned i = 0; i < STEPS && v->steps[i] != NULL; i++) {
        if (v->steps[i][0] == '>') {
            n = strlen(v->steps[i] + 1);
            memcpy(buf + len, v->steps[i] + 1, n);
            len += n;
        }
    }

    return len;
}


static void
test_vector(const struct vector *v, const struct inlets_http_fields *set)
{
    bool            all = true;
    char            name[128];
    size_t          len = 0;
    struct result   r, s;
    static uint8_t  in[SIZE];

    for (unsigned i = 0; i < STEPS && v->steps[i] != NULL; i++) {
        len += strlen(v->steps[i]) - 1;
    }

    r = run(v->steps, set, 0, SIZE);
    snprintf(name, sizeof(name), "%s%s", v->name, set ? ", with fields" : "");

    is_int(r.rc, set != NULL ? v->rc : 0, name);

    if (set == NULL || v->rc == 0) {
        is_str(r.log, v->log, "what is told");
        ok(r.idle == v->idle, v->idle ? "is idle" : "is not idle");
    }

    if (set == NULL) {
        ok(joined(v, in) == r.len && memcmp(in, r.out, r.len) == 0,
           "all passes as it is");
    }

    for (size_t cut = 1; cut < len; cut++) {
        s = run(v->steps, set, cut, SIZE);
        all &= same(&r, &s);
        free(s.out);
    }

    for (size_t size = 1; size < 4; size++) {
        s = run(v->steps, set, 0, size);
        all &= same(&r, &s);
        free(s.out);
    }

    ok(all, "in any pieces");
    free(r.out);
}


static struct result
changed(const char *request, const struct inlets_http_fields *set)
{
    char           *text = malloc(strlen(request) + 2);
    const char     *steps[STEPS] = { text };
    struct result   r;

    snprintf(text, strlen(request) + 2, ">%s", request);
    r = run(steps, set, 0, SIZE);
    r.out[r.len] = '\0';
    free(text);

    return r;
}


static void
test_fields(void)
{
    struct result              r;
    struct inlets_http_fields  host = { "h", NULL }, auth = { NULL, "A" };

    static const struct {
        const char  *name;
        const char  *in;
        const char  *host;
        const char  *auth;
        const char  *both;
    } texts[] = {
        { "in their places, no other field is touched",
          "POST /x HTTP/1.1\r\nA: 1 \r\nhOST:\tevil\r\nb:2\r\n"
          "authorization: Bearer x\r\nContent-Length: 3\r\n\r\nHost",
          "POST /x HTTP/1.1\r\nA: 1 \r\nHost: h\r\nb:2\r\n"
          "authorization: Bearer x\r\nContent-Length: 3\r\n\r\nHos",
          "POST /x HTTP/1.1\r\nA: 1 \r\nhOST:\tevil\r\nb:2\r\n"
          "Authorization: A\r\nContent-Length: 3\r\n\r\nHos",
          "POST /x HTTP/1.1\r\nA: 1 \r\nHost: local.test\r\nb:2\r\n"
          "Authorization: Basic c2VjcmV0\r\nContent-Length: 3\r\n\r\nHos" },

        { "where there are none",
          "GET / HTTP/1.0\r\n\r\n",
          "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
          "GET / HTTP/1.0\r\nAuthorization: A\r\n\r\n",
          "GET / HTTP/1.0\r\nHost: local.test\r\n"
          "Authorization: Basic c2VjcmV0\r\n\r\n" },

        { "once",
          "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nHost: b\r\n"
          "X-Host: c\r\nAuthorization: y\r\nAuthorization-X: z\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\n"
          "X-Host: c\r\nAuthorization: y\r\nAuthorization-X: z\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: A\r\nHost: b\r\n"
          "X-Host: c\r\nAuthorization-X: z\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: local.test\r\n"
          "Authorization: Basic c2VjcmV0\r\n"
          "X-Host: c\r\nAuthorization-X: z\r\n\r\n" },

        { "without a way round them",
          "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n"
          "Connection: upgrade\r\nAuthorization:\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: h\r\n"
          "Connection: upgrade\r\nAuthorization:\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\n"
          "Connection: upgrade\r\nAuthorization: A\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: local.test\r\n"
          "Connection: upgrade\r\nAuthorization: Basic c2VjcmV0\r\n\r\n" },
    };

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        r = changed(texts[i].in, &host);
        r.out[strlen(texts[i].host)] = '\0';
        is_str((char *) r.out, texts[i].host, texts[i].name);
        free(r.out);

        r = changed(texts[i].in, &auth);
        r.out[strlen(texts[i].auth)] = '\0';
        is_str((char *) r.out, texts[i].auth, "Authorization alone");
        free(r.out);

        r = changed(texts[i].in, &fields);
        r.out[strlen(texts[i].both)] = '\0';
        is_str((char *) r.out, texts[i].both, "both");
        free(r.out);
    }
}


static void
test_refused(void)
{
    struct result              r;
    struct inlets_http_fields  wrong = { "a\r\nX: y", NULL };
    struct inlets_http_fields  auth = { NULL, "A" };

    static const struct {
        const char  *name;
        const char  *in;
        int          rc;
    } texts[] = {
        { "both lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
          "Transfer-Encoding: chunked\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "two lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\n"
          "Content-Length: 3\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "a list of lengths", "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n"
          "\r\n", INLETS_E_HTTP_LENGTH },
        { "a sign", "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
          INLETS_E_HTTP_LENGTH },
        { "no length", "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
          INLETS_E_HTTP_LENGTH },
        { "more than 64 bits", "POST / HTTP/1.1\r\n"
          "Content-Length: 18446744073709551619\r\n\r\n",
          INLETS_E_HTTP_LENGTH },
        { "another coding", "POST / HTTP/1.1\r\n"
          "Transfer-Encoding: gzip, chunked\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "chunked twice", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
          "Transfer-Encoding: chunked\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "nearly chunked", "POST / HTTP/1.1\r\n"
          "Transfer-Encoding: xchunked\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "chunked in HTTP/1.0", "POST / HTTP/1.0\r\n"
          "Transfer-Encoding: chunked\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "CONNECT with a body", "CONNECT a:1 HTTP/1.1\r\n"
          "Content-Length: 9\r\n\r\n", INLETS_E_HTTP_LENGTH },
        { "a folded line", "GET / HTTP/1.1\r\nA: b\r\n Host: c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "folded at the start", "GET / HTTP/1.1\r\n Host: c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "a space before the colon", "GET / HTTP/1.1\r\nHost : c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "no colon", "GET / HTTP/1.1\r\nHost\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "LF alone", "GET / HTTP/1.1\r\nA: b\nHost: c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "CR alone", "GET / HTTP/1.1\r\nA: b\rHost: c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "an early CR", "GET / HTTP/1.1\r\nA: b\r\r\nHost: c\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "a control character", "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "HTTP/0.9", "GET /\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "two spaces", "GET  / HTTP/1.1\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "two more", "GET /  HTTP/1.1\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "a tab", "GET\t/ HTTP/1.1\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "a host in the target", "GET http://a/ HTTP/1.1\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "Host in trailers", "POST / HTTP/1.1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\nhost: a\r\n\r\n",
          INLETS_E_HTTP_SYNTAX },
        { "the credentials, too", "POST / HTTP/1.1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n"
          "Authorization: a\r\n\r\n", INLETS_E_HTTP_SYNTAX },
        { "other trailers", "POST / HTTP/1.1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization-Info: a\r\n"
          "Hos: b\r\n\r\n", 0 },
    };

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct vector  v = { texts[i].name, "", { NULL }, false, texts[i].rc };
        char           text[256];

        snprintf(text, sizeof(text), ">%s", texts[i].in);
        v.steps[0] = text;

        r = run(v.steps, &fields, 0, SIZE);
        is_int(r.rc, v.rc, v.name);
        free(r.out);

        r = run(v.steps, &fields, 0, 1);
        is_int(r.rc, v.rc, "in bytes");
        free(r.out);

        r = run(v.steps, NULL, 0, SIZE);
        is_int(r.rc, 0, "passes where nothing is set");
        free(r.out);
    }

    r = changed(GET, &wrong);
    is_int(r.rc, INLETS_E_INVALID, "a value of two lines");
    free(r.out);

    r = changed("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", &auth);
    is_int(r.rc, 0, "a host in the target, where it isn't set");
    free(r.out);
}


/* A head of len bytes, and the request it belongs to. */

static int
sized(size_t len, size_t size)
{
    char           *text = malloc(len + 2);
    const char     *steps[STEPS] = { text };
    struct result   r;

    memset(text, 'x', len + 1);
    memcpy(text, ">GET / HTTP/1.1\r\nA: ", 20);
    memcpy(text + len - 3, "\r\n\r\n", 5);

    r = run(steps, &fields, 0, size);
    free(text);
    free(r.out);

    return r.rc;
}


static void
test_limits(void)
{
    char            text[400];
    const char     *steps[STEPS] = { text };
    struct result   r;

    is_int(sized(INLETS_HTTP_HEAD_MAX, SIZE), 0, "the longest head");
    is_int(sized(INLETS_HTTP_HEAD_MAX, 1000), 0, "in pieces");
    is_int(sized(INLETS_HTTP_HEAD_MAX + 1, SIZE), INLETS_E_HTTP_LARGE,
           "a byte more");
    is_int(sized(INLETS_HTTP_HEAD_MAX + 1, 1000), INLETS_E_HTTP_LARGE,
           "in pieces");

    memset(text, 0, sizeof(text));
    memset(text, 'a', 350);
    memcpy(text, ">GET /", 6);
    strncat(text, " HTTP/1.1\r\n\r\n", sizeof(text) - 351);

    r = run(steps, NULL, 0, SIZE);
    is_int(strlen(r.log), strlen("GET  0\n") + INLETS_PATH_SHOWN,
           "a long path is cut");
    free(r.out);

    memset(text, 'A', 300);
    memcpy(text, ">", 1);
    r = run(steps, NULL, 0, SIZE);
    is_str(r.log, "", "a method without an end");
    free(r.out);
}


static void
note(void *data, struct inlets_request *request)
{
    *(struct inlets_request *) data = *request;
}


static void
test_times(void)
{
    size_t                   n, out_len;
    const uint8_t           *out;
    struct inlets_http      *http;
    struct inlets_request    last = { 0 };
    struct inlets_http_conf  conf = { NULL, note, &last };

    http = inlets_http_create(&conf);
    ok(inlets_http_is_idle(http), "idle at first");

    inlets_http_request(http, (const uint8_t *) GET, 5, 100, 7, &n, &out,
                        &out_len);
    inlets_http_request(http, (const uint8_t *) GET + 5, sizeof(GET) - 6, 150,
                        8, &n, &out, &out_len);
    inlets_http_answer(http, (const uint8_t *) OK_2, 30, 160);
    is_int(last.status, 0, "nothing yet");
    inlets_http_answer(http, (const uint8_t *) OK_2 + 30, sizeof(OK_2) - 31,
                       190);

    is_int(last.status, 200, "status");
    is_int(last.started, 100, "when it started");
    is_int(last.at, 7, "by the day's clock");
    is_int(last.time, 90, "until its answer was complete");

    inlets_http_destroy(http);
    inlets_http_destroy(NULL);
}


int
main(void)
{
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        test_vector(&vectors[i], NULL);
        test_vector(&vectors[i], &fields);
    }

    test_fields();
    test_refused();
    test_limits();
    test_times();

    return tap_done();
}
