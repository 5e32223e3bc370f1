/*
 * HTTP as it passes by.  The first byte chooses the fields that are set; then
 * come pieces, divided by 0xff, or by 0xfe after which the other side speaks.
 *
 * The same is seen whatever the pieces; without fields all passes as it is;
 * with them, a parser of its own finds the same messages in what goes out as
 * in what came in, each with the fields once.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include "../../client/http.h"


#define MESSAGES   64
#define LOG        4096
#define INPUT_MAX  65536


struct result {
    int       rc;
    bool      idle;
    size_t    in_len;
    size_t    out_len;
    size_t    log_len;
    uint8_t  *in;
    uint8_t  *out;
    uint8_t   log[LOG];
};


/* What the other parser finds. */

struct reader {
    llhttp_t                          parser;
    const struct inlets_http_fields  *fields;
    unsigned                          n;
    unsigned                          hosts;
    unsigned                          authorizations;
    bool                              upgraded;
    bool                              wrong;
    bool                              value;
    size_t                            name_len;
    size_t                            value_len;
    char                              name[32];
    char                              text[64];
    uint64_t                          hash;
    uint64_t                          hashes[MESSAGES];
};


static void
check(bool good)
{
    if (!good) {
        abort();
    }
}


static void
add(uint64_t *hash, const void *data, size_t len)
{
    const uint8_t  *p = data;

    while (len-- > 0) {
        *hash = (*hash ^ *p++) * 1099511628211u;
    }
}


static void
field_end(struct reader *r)
{
    if (r->name_len == 0) {
        return;
    }

    r->name[r->name_len < 31 ? r->name_len : 31] = '\0';
    r->text[r->value_len < 63 ? r->value_len : 63] = '\0';

    if (r->fields->host != NULL && strcasecmp(r->name, "host") == 0) {
        r->hosts += strcmp(r->text, r->fields->host) == 0 ? 1 : 100;

    } else if (r->fields->authorization != NULL
               && strcasecmp(r->name, "authorization") == 0)
    {
        r->authorizations += strcmp(r->text, r->fields->authorization) == 0
                             ? 1 : 100;

    } else if (strcasecmp(r->name, "upgrade") != 0) {
        add(&r->hash, r->name, r->name_len < 31 ? r->name_len : 31);
        add(&r->hash, r->text, r->value_len < 63 ? r->value_len : 63);
        add(&r->hash, &r->value_len, sizeof(r->value_len));
    }

    r->name_len = 0;
    r->value_len = 0;
}


static int
on_begin(llhttp_t *p)
{
    struct reader  *r = p->data;

    r->hash = 14695981039346656037u;
    r->hosts = 0;
    r->authorizations = 0;
    r->name_len = 0;
    r->value_len = 0;
    r->value = false;

    return 0;
}


static int
on_url(llhttp_t *p, const char *at, size_t len)
{
    struct reader  *r = p->data;

    add(&r->hash, at, len);

    return 0;
}


static int
on_field(llhttp_t *p, const char *at, size_t len)
{
    struct reader  *r = p->data;

    if (r->value) {
        field_end(r);
        r->value = false;
    }

    for (size_t i = 0; i < len; i++) {
        if (r->name_len < 31) {
            r->name[r->name_len] = at[i];
        }

        r->name_len++;
    }

    return 0;
}


static int
on_value(llhttp_t *p, const char *at, size_t len)
{
    struct reader  *r = p->data;

    r->value = true;

    for (size_t i = 0; i < len; i++) {
        if (r->value_len < 63) {
            r->text[r->value_len] = at[i];
        }

        r->value_len++;
    }

    return 0;
}


static int
on_headers(llhttp_t *p)
{
    struct reader  *r = p->data;

    field_end(r);

    if (!r->upgraded
        && ((r->fields->host != NULL && r->hosts != 1)
            || (r->fields->authorization != NULL && r->authorizations != 1)))
    {
        r->wrong = true;
    }

    return 0;
}


static int
on_body(llhttp_t *p, const char *at, size_t len)
{
    struct reader  *r = p->data;

    add(&r->hash, at, len);

    return 0;
}


static int
on_complete(llhttp_t *p)
{
    struct reader  *r = p->data;
    uint8_t         method = llhttp_get_method(p);

    field_end(r);
    add(&r->hash, &method, 1);

    if (r->n < MESSAGES) {
        r->hashes[r->n++] = r->hash;
    }

    if (llhttp_get_upgrade(p)) {
        r->upgraded = true;
    }

    return 0;
}


static void
read_all(struct reader *r, const uint8_t *buf, size_t len,
    const struct inlets_http_fields *fields)
{
    const char         *p = (const char *) buf, *end = p + len;
    llhttp_errno_t      error;
    llhttp_settings_t   settings;

    memset(r, 0, sizeof(*r));
    r->fields = fields;

    llhttp_settings_init(&settings);
    settings.on_message_begin = on_begin;
    settings.on_url = on_url;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_headers;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;

    llhttp_init(&r->parser, HTTP_REQUEST, &settings);
    r->parser.data = r;
    llhttp_set_lenient_keep_alive(&r->parser, 1);

    while (p < end) {
        error = llhttp_execute(&r->parser, p, (size_t) (end - p));

        if (error != HPE_PAUSED_UPGRADE) {
            break;
        }

        p = llhttp_get_error_pos(&r->parser);
        llhttp_resume_after_upgrade(&r->parser);
    }
}


static void
done(void *data, struct inlets_request *request)
{
    size_t          len;
    struct result  *r = data;

    check(strlen(request->method) <= INLETS_METHOD_MAX);
    check(strlen(request->path) <= INLETS_PATH_SHOWN);
    check(request->status <= 999);

    for (const char *p = request->path; *p != '\0'; p++) {
        check(*p > 0x20 && *p < 0x7f);
    }

    len = strlen(request->method) + strlen(request->path) + 2;

    if (r->log_len + len <= LOG) {
        memcpy(r->log + r->log_len, request->method, strlen(request->method));
        memcpy(r->log + r->log_len + strlen(request->method), request->path,
               strlen(request->path));
        r->log_len += len;
        r->log[r->log_len - 2] = (uint8_t) (request->status >> 8);
        r->log[r->log_len - 1] = (uint8_t) request->status;
    }
}


static void
give(struct inlets_http *http, struct result *r, const uint8_t *p, size_t len)
{
    size_t          n, out_len;
    const uint8_t  *out;

    while (len > 0 && r->rc >= 0) {
        r->rc = inlets_http_request(http, p, len, 1, 1, &n, &out, &out_len);

        if (r->rc < 0) {
            return;
        }

        check(n > 0 && n <= len);

        if (r->rc == INLETS_HTTP_TAKEN && out == NULL) {
            out_len = 0;

        } else if (r->rc == INLETS_HTTP_PASS) {
            out = p;
            out_len = n;
        }

        if (out_len > 0) {
            memcpy(r->out + r->out_len, out, out_len);
            r->out_len += out_len;
        }

        memcpy(r->in + r->in_len, p, n);
        r->in_len += n;

        p += n;
        len -= n;
    }
}


static void
run(struct result *r, const uint8_t *data, size_t len, bool bytes,
    const struct inlets_http_fields *fields)
{
    bool                     answer = false;
    size_t                   n;
    uint8_t                 *copy;
    struct inlets_http      *http;
    struct inlets_http_conf  conf = { fields, done, r };

    memset(r, 0, sizeof(*r));
    r->in = malloc(len + 1);
    r->out = malloc(len * 16 + 1024);

    http = inlets_http_create(&conf);
    check(inlets_http_is_idle(http));

    while (len > 0 && r->rc >= 0) {
        if (*data >= 0xfe) {
            answer ^= *data == 0xfe;
            data++;
            len--;
            continue;
        }

        for (n = 1; n < len && data[n] < 0xfe && !bytes; n++) { /* void */ }

        copy = malloc(n);
        memcpy(copy, data, n);

        if (answer) {
            inlets_http_answer(http, copy, n, 2);

        } else {
            give(http, r, copy, n);
        }

        free(copy);
        data += n;
        len -= n;
    }

    r->idle = inlets_http_is_idle(http);
    inlets_http_answer_end(http, 3);
    check(!inlets_http_is_idle(http));
    inlets_http_destroy(http);
}


static void
compare(const struct result *r, const struct inlets_http_fields *fields)
{
    static struct reader  in, out;

    if (fields == NULL) {
        check(r->rc >= 0 && r->in_len == r->out_len
              && memcmp(r->in, r->out, r->in_len) == 0);
        return;
    }

    read_all(&in, r->in, r->in_len, fields);
    read_all(&out, r->out, r->out_len, fields);

    check(!out.wrong);
    check(out.n == in.n || (out.n < in.n && !r->idle));
    check(memcmp(in.hashes, out.hashes, out.n * sizeof(in.hashes[0])) == 0);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct result             whole, bytes;
    const struct inlets_http_fields *set;
    struct inlets_http_fields        fields = { NULL, NULL };

    if (len < 1 || len > INPUT_MAX) {
        return 0;
    }

    fields.host = data[0] & 1 ? "local.test" : NULL;
    fields.authorization = data[0] & 2 ? "Basic YTpi" : NULL;
    set = data[0] & 3 ? &fields : NULL;

    run(&whole, data + 1, len - 1, false, set);
    run(&bytes, data + 1, len - 1, true, set);

    check((whole.rc < 0) == (bytes.rc < 0));
    check(whole.log_len == bytes.log_len
          && memcmp(whole.log, bytes.log, whole.log_len) == 0);

    if (whole.rc >= 0) {
        check(whole.idle == bytes.idle);
        check(whole.out_len == bytes.out_len
              && memcmp(whole.out, bytes.out, whole.out_len) == 0);
    }

    compare(&whole, set);
    compare(&bytes, set);

    free(whole.in);
    free(whole.out);
    free(bytes.in);
    free(bytes.out);

    return 0;
}
