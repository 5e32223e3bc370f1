#include "inlets_name.h"

#include <stdbool.h>
#include <string.h>

#include "inlets_error.h"


static char
inlets_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
}


static int
inlets_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = inlets_lower(c);

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


int
inlets_label_check(const char *label, size_t len)
{
    if (len == 0 || len > INLETS_LABEL_MAX) {
        return INLETS_E_NAME_LENGTH;
    }

    for (size_t i = 0; i < len; i++) {
        char c = label[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return INLETS_E_NAME_CHARACTER;
        }
    }

    if (label[0] == '-' || label[len - 1] == '-') {
        return INLETS_E_NAME_HYPHEN;
    }

    /* "xn--" and whatever else IDNA reserves (RFC 5891, 4.2.3.1) */

    if (len >= 4 && label[2] == '-' && label[3] == '-') {
        return INLETS_E_NAME_HYPHEN;
    }

    return INLETS_OK;
}


int
inlets_label_normalize(const char *label, size_t len,
    char ret[INLETS_LABEL_MAX + 1])
{
    char copy[INLETS_LABEL_MAX + 1];

    if (len == 0 || len > INLETS_LABEL_MAX) {
        return INLETS_E_NAME_LENGTH;
    }

    for (size_t i = 0; i < len; i++) {
        copy[i] = inlets_lower(label[i]);
    }

    copy[len] = '\0';

    int rc = inlets_label_check(copy, len);

    if (rc == INLETS_OK) {
        memcpy(ret, copy, len + 1);
    }

    return rc;
}


void
inlets_label_random(const uint8_t random[INLETS_LABEL_RANDOM],
    char ret[INLETS_LABEL_RANDOM + 1])
{
    /* Without i, l, o and u; the first 16 start a label with a letter. */
    static const char digits[] = "abcdefghjkmnpqrstvwxyz0123456789";

    ret[0] = digits[random[0] & 15];

    for (size_t i = 1; i < INLETS_LABEL_RANDOM; i++) {
        ret[i] = digits[random[i] & 31];
    }

    ret[INLETS_LABEL_RANDOM] = '\0';
}


static bool
inlets_ip4_check(const char *text, size_t len)
{
    size_t i = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t start = i;

        while (i < len && i - start < 3 && text[i] >= '0' && text[i] <= '9') {
            value = value * 10 + (unsigned) (text[i++] - '0');
        }

        if (i == start || value > 255 || (i - start > 1 && text[start] == '0'))
        {
            return false;
        }

        if (part < 3 && (i == len || text[i++] != '.')) {
            return false;
        }
    }

    return i == len;
}


int
inlets_ip6_check(const char *text, size_t len)
{
    bool gap = false;
    size_t i = 0;
    unsigned groups = 0;

    if (len < 2 || len > 45) {
        return INLETS_E_NAME_LENGTH;
    }

    if (text[0] == ':') {
        if (text[1] != ':') {
            return INLETS_E_NAME_CHARACTER;
        }

        gap = true;
        i = 2;
    }

    while (i < len) {
        size_t start = i;

        while (i < len && i - start < 4 && inlets_hex(text[i]) >= 0) {
            i++;
        }

        if (i < len && text[i] == '.') {
            if (!inlets_ip4_check(text + start, len - start)) {
                return INLETS_E_NAME_CHARACTER;
            }

            groups += 2;
            break;
        }

        if (i == start || ++groups > 8) {
            return INLETS_E_NAME_CHARACTER;
        }

        if (i == len) {
            break;
        }

        if (text[i] != ':' || ++i == len) {
            return INLETS_E_NAME_CHARACTER;
        }

        if (text[i] == ':') {
            if (gap) {
                return INLETS_E_NAME_CHARACTER;
            }

            gap = true;
            i++;
        }
    }

    if (gap ? groups > 7 : groups != 8) {
        return INLETS_E_NAME_LENGTH;
    }

    return INLETS_OK;
}


/* What follows the host itself: nothing, or ':' and at most five digits. */

static int
inlets_host_port_check(const char *port, size_t len)
{
    if (len == 0) {
        return INLETS_OK;
    }

    if (port[0] != ':' || len > 6) {
        return INLETS_E_NAME_CHARACTER;
    }

    for (size_t i = 1; i < len; i++) {
        if (port[i] < '0' || port[i] > '9') {
            return INLETS_E_NAME_CHARACTER;
        }
    }

    return INLETS_OK;
}


/* The length of the IPv6 literal with its brackets, or an error. */

static int
inlets_host_ip6(const char *host, size_t len)
{
    const char *end = memchr(host, ']', len);

    if (end == NULL) {
        return INLETS_E_NAME_CHARACTER;
    }

    int rc = inlets_ip6_check(host + 1, (size_t) (end - host) - 1);

    return rc == INLETS_OK ? (int) (end - host) + 1 : rc;
}


static int
inlets_host_name(const char *host, size_t len)
{
    size_t i, start = 0;

    for (i = 0; i < len && host[i] != ':'; i++) {
        char c = inlets_lower(host[i]);

        if (c == '.') {
            if (i == start || i - start > INLETS_LABEL_MAX) {
                return INLETS_E_NAME_LENGTH;
            }

            start = i + 1;

        } else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                     || c == '-' || c == '_'))
        {
            return INLETS_E_NAME_CHARACTER;

        } else if (i > INLETS_HOST_MAX) {
            return INLETS_E_NAME_LENGTH;
        }
    }

    if (i == 0 || i - start > INLETS_LABEL_MAX) {
        return INLETS_E_NAME_LENGTH;
    }

    return (int) i;
}


int
inlets_host_normalize(const char *host, size_t len, char *ret, size_t size,
    size_t *ret_len)
{
    if (len == 0) {
        return INLETS_E_NAME_LENGTH;
    }

    int rc = host[0] == '[' ? inlets_host_ip6(host, len)
                            : inlets_host_name(host, len);

    if (rc < 0) {
        return rc;
    }

    size_t n = (size_t) rc;

    rc = inlets_host_port_check(host + n, len - n);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (host[n - 1] == '.') {
        n--;
    }

    if (n > INLETS_HOST_MAX) {
        return INLETS_E_NAME_LENGTH;
    }

    if (n >= size) {
        return INLETS_E_NO_SPACE;
    }

    for (size_t i = 0; i < n; i++) {
        ret[i] = inlets_lower(host[i]);
    }

    ret[n] = '\0';
    *ret_len = n;

    return INLETS_OK;
}


int
inlets_host_label(const char *host, size_t len, const char *domain,
    size_t domain_len)
{
    if (domain_len == 0 || len < domain_len + 2) {
        return INLETS_E_NAME_DOMAIN;
    }

    size_t n = len - domain_len - 1;

    if (host[n] != '.' || memcmp(host + n + 1, domain, domain_len) != 0
        || memchr(host, '.', n) != NULL)
    {
        return INLETS_E_NAME_DOMAIN;
    }

    int rc = inlets_label_check(host, n);

    return rc == INLETS_OK ? (int) n : rc;
}


void
inlets_uuid_make(const uint8_t random[INLETS_UUID_LEN],
    uint8_t ret[INLETS_UUID_LEN])
{
    memmove(ret, random, INLETS_UUID_LEN);

    ret[6] = (uint8_t) ((ret[6] & 0x0f) | 0x40);
    ret[8] = (uint8_t) ((ret[8] & 0x3f) | 0x80);
}


/* A hyphen comes before these bytes. */

static bool
inlets_uuid_hyphen(size_t i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}


void
inlets_uuid_format(const uint8_t uuid[INLETS_UUID_LEN],
    char ret[INLETS_UUID_TEXT + 1])
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < INLETS_UUID_LEN; i++) {
        if (inlets_uuid_hyphen(i)) {
            *ret++ = '-';
        }

        *ret++ = hex[uuid[i] >> 4];
        *ret++ = hex[uuid[i] & 15];
    }

    *ret = '\0';
}


int
inlets_uuid_parse(const char *text, size_t len, uint8_t ret[INLETS_UUID_LEN])
{
    uint8_t uuid[INLETS_UUID_LEN];

    if (len != INLETS_UUID_TEXT) {
        return INLETS_E_UUID;
    }

    for (size_t i = 0; i < INLETS_UUID_LEN; i++) {
        if (inlets_uuid_hyphen(i) && *text++ != '-') {
            return INLETS_E_UUID;
        }

        int high = inlets_hex(*text++);
        int low = inlets_hex(*text++);

        if (high < 0 || low < 0) {
            return INLETS_E_UUID;
        }

        uuid[i] = (uint8_t) (high << 4 | low);
    }

    memcpy(ret, uuid, INLETS_UUID_LEN);

    return INLETS_OK;
}
