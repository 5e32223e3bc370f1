#include "inlets_proxy1.h"

#include <string.h>

#include "inlets_error.h"


#define INLETS_PROXY1_GROUPS  8     /* of an IPv6 address */


static char *
inlets_proxy1_text(char *p, const char *text)
{
    size_t len = strlen(text);

    memcpy(p, text, len);

    return p + len;
}


static char *
inlets_proxy1_number(char *p, unsigned value, unsigned base)
{
    char digits[5];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);

    while (n > 0) {
        *p++ = digits[--n];
    }

    return p;
}


static char *
inlets_proxy1_inet(char *p, const uint8_t *addr)
{
    for (size_t i = 0; i < 4; i++) {
        if (i > 0) {
            *p++ = '.';
        }

        p = inlets_proxy1_number(p, addr[i], 10);
    }

    return p;
}


static unsigned
inlets_proxy1_group(const uint8_t *addr, size_t n)
{
    return (unsigned) (addr[2 * n] << 8 | addr[2 * n + 1]);
}


/* The first of the longest runs of zeros, if there is one of two or more. */

static size_t
inlets_proxy1_zeros(const uint8_t *addr, size_t *ret_first)
{
    size_t longest = 1, run = 0;

    *ret_first = INLETS_PROXY1_GROUPS;

    for (size_t i = 0; i < INLETS_PROXY1_GROUPS; i++) {
        run = inlets_proxy1_group(addr, i) == 0 ? run + 1 : 0;

        if (run > longest) {
            longest = run;
            *ret_first = i + 1 - run;
        }
    }

    return longest;
}


/* RFC 5952 */

static char *
inlets_proxy1_inet6(char *p, const uint8_t *addr)
{
    size_t first;
    size_t zeros = inlets_proxy1_zeros(addr, &first);

    for (size_t i = 0; i < INLETS_PROXY1_GROUPS; i++) {
        if (i == first) {
            p = inlets_proxy1_text(p, "::");
            i += zeros - 1;
            continue;
        }

        if (i > 0 && i != first + zeros) {
            *p++ = ':';
        }

        p = inlets_proxy1_number(p, inlets_proxy1_group(addr, i), 16);
    }

    return p;
}


int
inlets_proxy1_write(char *buf, size_t size, const struct inlets_proxy2 *h)
{
    char text[INLETS_PROXY1_MAX];
    char *p = inlets_proxy1_text(text, "PROXY ");

    if (h->local || (h->family != INLETS_PROXY2_INET
                     && h->family != INLETS_PROXY2_INET6))
    {
        p = inlets_proxy1_text(p, "UNKNOWN");

    } else if (h->family == INLETS_PROXY2_INET) {
        p = inlets_proxy1_text(p, "TCP4 ");
        p = inlets_proxy1_inet(p, h->src);
        *p++ = ' ';
        p = inlets_proxy1_inet(p, h->dst);

    } else {
        p = inlets_proxy1_text(p, "TCP6 ");
        p = inlets_proxy1_inet6(p, h->src);
        *p++ = ' ';
        p = inlets_proxy1_inet6(p, h->dst);
    }

    if (!h->local && (h->family == INLETS_PROXY2_INET
                      || h->family == INLETS_PROXY2_INET6))
    {
        *p++ = ' ';
        p = inlets_proxy1_number(p, h->src_port, 10);
        *p++ = ' ';
        p = inlets_proxy1_number(p, h->dst_port, 10);
    }

    p = inlets_proxy1_text(p, "\r\n");

    size_t len = (size_t) (p - text);

    if (len > size) {
        return INLETS_E_NO_SPACE;
    }

    memcpy(buf, text, len);

    return (int) len;
}
