#include "handshake.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/rand.h>

#include "inlets_error.h"
#include "inlets_protocol.h"
#include "inlets_version.h"


#define ID_MAX  256     /* longest id as it came from the edge */


struct text {
    const char  *data;
    size_t       len;
};


static int
percent_encode(const char *text, char *buf, size_t size)
{
    static const char  hex[] = "0123456789ABCDEF";

    size_t  n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        unsigned char  c = (unsigned char) *p;

        if (n + 4 > size) {
            return INLETS_E_NO_SPACE;
        }

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL)
        {
            buf[n++] = (char) c;

        } else {
            buf[n++] = '%';
            buf[n++] = hex[c >> 4];
            buf[n++] = hex[c & 15];
        }
    }

    buf[n] = '\0';

    return INLETS_OK;
}


int
inlets_handshake_request(struct inlets_handshake *h,
    const struct inlets_url *url, const char *client_id,
    const char *container_id, const char *key, char *buf, size_t size)
{
    uint8_t  random[16];
    char     host[INLETS_URL_AUTHORITY];
    char     client[3 * ID_MAX + 1], container[3 * ID_MAX + 1];
    int      n;

    if (percent_encode(client_id, client, sizeof(client)) != INLETS_OK
        || percent_encode(container_id, container, sizeof(container))
           != INLETS_OK)
    {
        return INLETS_E_NO_SPACE;
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return INLETS_E_NO_MEMORY;
    }

    inlets_ws_key(random, h->key);
    h->status = 0;

    inlets_url_authority(url, false, host);

    n = snprintf(buf, size,
                 "GET %s" INLETS_PATH_DATA
                 "?" INLETS_ARG_CLIENT_ID "=%s"
                 "&" INLETS_ARG_CONTAINER_ID "=%s"
                 "&" INLETS_ARG_MUX "=%d HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: inlets/" INLETS_VERSION "\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Key: %s\r\n"
                 "Sec-WebSocket-Version: 13\r\n"
                 "%s%s%s"
                 "\r\n",
                 url->path, client, container, INLETS_MUX_VERSION, host,
                 h->key, *key != '\0' ? INLETS_MUX_KEY_HEADER ": " : "", key,
                 *key != '\0' ? "\r\n" : "");

    return n > 0 && (size_t) n < size ? n : INLETS_E_NO_SPACE;
}


/* The next line, without its end; false: there is none. */

static bool
next_line(struct text *rest, struct text *ret)
{
    const char  *lf = memchr(rest->data, '\n', rest->len);
    size_t       len;

    if (lf == NULL) {
        return false;
    }

    len = (size_t) (lf - rest->data);
    *ret = (struct text) { rest->data, len };

    rest->data += len + 1;
    rest->len -= len + 1;

    if (len > 0 && lf[-1] == '\r') {
        ret->len--;
    }

    return true;
}


/* True if the line is that header; then its value, trimmed. */

static bool
header_value(const struct text *line, const char *name, struct text *ret)
{
    size_t  len = strlen(name);

    if (line->len <= len || line->data[len] != ':'
        || strncasecmp(line->data, name, len) != 0)
    {
        return false;
    }

    *ret = (struct text) { line->data + len + 1, line->len - len - 1 };

    while (ret->len > 0 && (*ret->data == ' ' || *ret->data == '\t')) {
        ret->data++;
        ret->len--;
    }

    while (ret->len > 0 && (ret->data[ret->len - 1] == ' '
                            || ret->data[ret->len - 1] == '\t'))
    {
        ret->len--;
    }

    return true;
}


static bool
is_word(const struct text *value, const char *word)
{
    return value->len == strlen(word)
           && strncasecmp(value->data, word, value->len) == 0;
}


/* A comma-separated list with that word. */

static bool
has_word(struct text value, const char *word)
{
    while (value.len > 0) {
        const char   *comma = memchr(value.data, ',', value.len);
        size_t        len;
        struct text   item, trimmed = { "", 0 };
        char          line[64];
        int           n;

        len = comma != NULL ? (size_t) (comma - value.data) : value.len;
        item = (struct text) { value.data, len };

        if (len < sizeof(line) - 2) {
            n = snprintf(line, sizeof(line), "x:%.*s", (int) len, item.data);
            item = (struct text) { line, (size_t) n };

            if (header_value(&item, "x", &trimmed) && is_word(&trimmed, word)) {
                return true;
            }
        }

        if (comma == NULL) {
            break;
        }

        value.data += len + 1;
        value.len -= len + 1;
    }

    return false;
}


static unsigned
parse_status(const struct text *line)
{
    unsigned  status = 0;

    if (line->len < 12 || memcmp(line->data, "HTTP/1.", 7) != 0
        || line->data[8] != ' ')
    {
        return 0;
    }

    for (size_t i = 9; i < 12; i++) {
        if (line->data[i] < '0' || line->data[i] > '9') {
            return 0;
        }

        status = status * 10 + (unsigned) (line->data[i] - '0');
    }

    return status;
}


/* The length of the head with its empty line, 0: not complete. */

static size_t
head_length(const char *buf, size_t len)
{
    for (size_t i = 0; i + 3 < len; i++) {
        if (buf[i] == '\r' && memcmp(buf + i, "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }

    return 0;
}


ssize_t
inlets_handshake_answer(struct inlets_handshake *h, const char *buf,
    size_t len, const char **ret_fault)
{
    struct text  rest = { buf, head_length(buf, len) };
    struct text  line, value;
    char         accept[INLETS_WS_ACCEPT_LEN + 1];
    ssize_t      head = (ssize_t) rest.len;
    bool         upgrade = false, connection = false, accepted = false;

    if (rest.len == 0) {
        if (len < INLETS_HANDSHAKE_MAX) {
            return INLETS_NEED_MORE;
        }

        *ret_fault = "the edge sent a too long answer";
        return INLETS_E_INVALID;
    }

    if (!next_line(&rest, &line)) {
        *ret_fault = "the edge sent no answer";
        return INLETS_E_INVALID;
    }

    h->status = parse_status(&line);

    if (h->status != 101) {
        *ret_fault = h->status == 0 ? "the edge did not answer in HTTP"
                                    : "the edge refused the link";
        return INLETS_E_INVALID;
    }

    if (inlets_ws_accept(h->key, INLETS_WS_KEY_LEN, accept) != INLETS_OK) {
        *ret_fault = "cannot compute Sec-WebSocket-Accept";
        return INLETS_E_INVALID;
    }

    while (next_line(&rest, &line)) {

        if (header_value(&line, "Upgrade", &value)) {
            upgrade = upgrade || is_word(&value, "websocket");

        } else if (header_value(&line, "Connection", &value)) {
            connection = connection || has_word(value, "upgrade");

        } else if (header_value(&line, "Sec-WebSocket-Accept", &value)) {
            accepted = value.len == INLETS_WS_ACCEPT_LEN
                       && memcmp(value.data, accept, value.len) == 0;

        } else if (header_value(&line, "Sec-WebSocket-Extensions", &value)
                   || header_value(&line, "Sec-WebSocket-Protocol", &value))
        {
            *ret_fault = "the edge chose an extension that was not offered";
            return INLETS_E_INVALID;
        }
    }

    if (!upgrade || !connection || !accepted) {
        *ret_fault = "the edge sent a wrong WebSocket answer";
        return INLETS_E_INVALID;
    }

    return head;
}
