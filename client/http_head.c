#include "http_head.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "inlets_error.h"


struct slice {
    const uint8_t  *data;
    size_t          len;
};


/* What decides where the body ends. */

struct framing {
    bool      connect;
    bool      http_10;
    unsigned  lengths;
    unsigned  codings;
};


struct output {
    uint8_t                          *buf;
    size_t                            size;
    size_t                            len;
    const struct inlets_http_fields  *fields;
    bool                              host;             /* written */
    bool                              authorization;
};


bool
inlets_http_is_token(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
        || (c >= 'a' && c <= 'z'))
    {
        return true;
    }

    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}


static bool
is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}


static bool
slice_is(struct slice s, const char *text)
{
    return s.len == strlen(text)
           && strncasecmp((const char *) s.data, text, s.len) == 0;
}


static struct slice
slice_trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len > 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


/* What stands before c, which goes as well; false: there is no c. */

static bool
slice_cut(struct slice *s, uint8_t c, struct slice *ret)
{
    const uint8_t  *p = s->len > 0 ? memchr(s->data, c, s->len) : NULL;

    if (p == NULL) {
        return false;
    }

    ret->data = s->data;
    ret->len = (size_t) (p - s->data);
    s->data += ret->len + 1;
    s->len -= ret->len + 1;

    return true;
}


/* One of a list divided by commas. */

static bool
slice_lists(struct slice list, const char *text)
{
    struct slice  item;

    while (slice_cut(&list, ',', &item)) {
        if (slice_is(slice_trim(item), text)) {
            return true;
        }
    }

    return slice_is(slice_trim(list), text);
}


static int
output_add(struct output *out, const void *data, size_t len)
{
    if (len > out->size - out->len) {
        return INLETS_E_NO_SPACE;
    }

    memcpy(out->buf + out->len, data, len);
    out->len += len;

    return 0;
}


static int
output_field(struct output *out, const char *name, const char *value)
{
    int  rc;

    for (const char *p = value; *p != '\0'; p++) {
        if (is_control((uint8_t) *p)) {
            return INLETS_E_INVALID;
        }
    }

    rc = output_add(out, name, strlen(name));
    rc = rc != 0 ? rc : output_add(out, value, strlen(value));

    return rc != 0 ? rc : output_add(out, "\r\n", 2);
}


static int
output_host(struct output *out)
{
    if (out->fields->host == NULL || out->host) {
        return 0;
    }

    out->host = true;

    return output_field(out, "Host: ", out->fields->host);
}


static int
output_authorization(struct output *out)
{
    if (out->fields->authorization == NULL || out->authorization) {
        return 0;
    }

    out->authorization = true;

    return output_field(out, "Authorization: ", out->fields->authorization);
}


/* The next line, without its end, of a head that consists of whole ones. */

static int
head_line(struct slice *rest, struct slice *ret)
{
    struct slice  line;

    if (!slice_cut(rest, '\n', &line) || line.len == 0
        || line.data[line.len - 1] != '\r')
    {
        return INLETS_E_HTTP_SYNTAX;
    }

    line.len--;

    for (size_t i = 0; i < line.len; i++) {
        if (is_control(line.data[i])) {
            return INLETS_E_HTTP_SYNTAX;
        }
    }

    *ret = line;

    return 0;
}


static int
head_request(struct slice line, struct output *out, struct framing *framing)
{
    struct slice  method, target;

    if (!slice_cut(&line, ' ', &method) || method.len == 0
        || !slice_cut(&line, ' ', &target) || target.len == 0)
    {
        return INLETS_E_HTTP_SYNTAX;
    }

    for (size_t i = 0; i < method.len; i++) {
        if (!inlets_http_is_token(method.data[i])) {
            return INLETS_E_HTTP_SYNTAX;
        }
    }

    framing->connect = method.len == 7
                       && memcmp(method.data, "CONNECT", 7) == 0;
    framing->http_10 = line.len == 8 && memcmp(line.data, "HTTP/1.0", 8) == 0;

    if (!framing->http_10
        && (line.len != 8 || memcmp(line.data, "HTTP/1.1", 8) != 0))
    {
        return INLETS_E_HTTP_SYNTAX;
    }

    if (memchr(target.data, '\t', target.len) != NULL) {
        return INLETS_E_HTTP_SYNTAX;
    }

    /* a host in the target would be preferred to the field */

    if (out->fields->host != NULL && !framing->connect
        && target.data[0] != '/' && !slice_is(target, "*"))
    {
        return INLETS_E_HTTP_SYNTAX;
    }

    return 0;
}


static int
head_framing(struct slice name, struct slice value, struct framing *framing)
{
    if (slice_is(name, "Content-Length")) {
        framing->lengths++;

        /* 19 digits fit into 64 bits, signed or not */

        if (value.len == 0 || value.len > 19) {
            return INLETS_E_HTTP_LENGTH;
        }

        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] < '0' || value.data[i] > '9') {
                return INLETS_E_HTTP_LENGTH;
            }
        }

    } else if (slice_is(name, "Transfer-Encoding")) {
        framing->codings++;

        if (framing->http_10 || !slice_is(value, "chunked")) {
            return INLETS_E_HTTP_LENGTH;
        }
    }

    if (framing->lengths + framing->codings > (framing->connect ? 0 : 1)) {
        return INLETS_E_HTTP_LENGTH;
    }

    return 0;
}


static int
head_field(struct slice line, struct output *out, struct framing *framing)
{
    int           rc;
    struct slice  name, value = line;

    if (!slice_cut(&value, ':', &name) || name.len == 0) {
        return INLETS_E_HTTP_SYNTAX;
    }

    /* neither a space before the colon nor a folded line */

    for (size_t i = 0; i < name.len; i++) {
        if (!inlets_http_is_token(name.data[i])) {
            return INLETS_E_HTTP_SYNTAX;
        }
    }

    value = slice_trim(value);
    rc = head_framing(name, value, framing);

    if (rc != 0) {
        return rc;
    }

    if (out->fields->host != NULL && slice_is(name, "Host")) {
        return output_host(out);
    }

    if (out->fields->authorization != NULL && slice_is(name, "Authorization")) {
        return output_authorization(out);
    }

    if (slice_is(name, "Upgrade") && slice_lists(value, "h2c")) {
        return 0;
    }

    /* with its line end */
    return output_add(out, line.data, line.len + 2);
}


bool
inlets_http_head_sets(const struct inlets_http_fields *fields,
    const char *name, size_t len)
{
    struct slice  s = { (const uint8_t *) name, len };

    return (fields->host != NULL && slice_is(s, "Host"))
           || (fields->authorization != NULL && slice_is(s, "Authorization"));
}


size_t
inlets_http_head_size(size_t len, const struct inlets_http_fields *fields)
{
    if (fields->host != NULL) {
        len += sizeof("Host: \r\n") + strlen(fields->host);
    }

    if (fields->authorization != NULL) {
        len += sizeof("Authorization: \r\n") + strlen(fields->authorization);
    }

    return len;
}


ssize_t
inlets_http_head_end(uint8_t *matched, const uint8_t *buf, size_t len)
{
    uint8_t               n = *matched;
    static const uint8_t  end[] = "\r\n\r\n";

    for (size_t i = 0; i < len; i++) {
        if (buf[i] == end[n]) {
            n++;

        } else if (buf[i] == '\n') {
            return INLETS_E_HTTP_SYNTAX;

        } else {
            n = buf[i] == '\r' ? 1 : 0;
        }

        if (n == 4) {
            *matched = 0;
            return (ssize_t) i + 1;
        }
    }

    *matched = n;

    return 0;
}


ssize_t
inlets_http_head_write(uint8_t *buf, size_t size, const uint8_t *head,
    size_t len, const struct inlets_http_fields *fields)
{
    int             rc;
    struct slice    line, rest = { head, len };
    struct output   out = { .buf = buf, .size = size, .fields = fields };
    struct framing  framing = { 0 };

    rc = head_line(&rest, &line);
    rc = rc != 0 ? rc : head_request(line, &out, &framing);
    rc = rc != 0 ? rc : output_add(&out, line.data, line.len + 2);

    while (rc == 0) {
        rc = head_line(&rest, &line);

        if (rc != 0 || line.len == 0) {
            break;
        }

        rc = head_field(line, &out, &framing);
    }

    if (rc == 0 && rest.len > 0) {
        rc = INLETS_E_HTTP_SYNTAX;
    }

    rc = rc != 0 ? rc : output_host(&out);
    rc = rc != 0 ? rc : output_authorization(&out);
    rc = rc != 0 ? rc : output_add(&out, "\r\n", 2);

    return rc != 0 ? rc : (ssize_t) out.len;
}
