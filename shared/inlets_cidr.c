#include "inlets_cidr.h"

#include <string.h>

#include "inlets_error.h"


static const uint8_t  mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };


/* Decimal, at most max; the digits read, or 0. */

static size_t
parse_decimal(const char *text, size_t len, unsigned max, unsigned *ret)
{
    unsigned  value = 0;
    size_t    n;

    for (n = 0; n < len && text[n] >= '0' && text[n] <= '9'; n++) {
        value = value * 10 + (unsigned) (text[n] - '0');

        if (value > max || (n > 0 && text[0] == '0')) {
            return 0;
        }
    }

    *ret = value;

    return n;
}


static int
parse_ip4(const char *text, size_t len, uint8_t ret[4])
{
    size_t    n, pos = 0;
    unsigned  value;

    for (unsigned i = 0; i < 4; i++) {

        if (i > 0) {
            if (pos == len || text[pos] != '.') {
                return INLETS_E_INVALID;
            }

            pos++;
        }

        n = parse_decimal(text + pos, len - pos, 255, &value);

        if (n == 0) {
            return INLETS_E_INVALID;
        }

        ret[i] = (uint8_t) value;
        pos += n;
    }

    return pos == len ? INLETS_OK : INLETS_E_INVALID;
}


static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


static size_t
parse_group(const char *text, size_t len, unsigned *ret)
{
    unsigned  value = 0;
    size_t    n;

    for (n = 0; n < len && n < 4 && hex_digit(text[n]) >= 0; n++) {
        value = value << 4 | (unsigned) hex_digit(text[n]);
    }

    *ret = value;

    return n;
}


/* Where "::" stood, the rest goes to the end and zeros into the gap. */

static int
expand(uint8_t addr[16], size_t used, size_t gap)
{
    size_t  tail = used - gap;

    if (used > 14) {
        return INLETS_E_INVALID;
    }

    memmove(addr + 16 - tail, addr + gap, tail);
    memset(addr + gap, 0, 16 - used);

    return INLETS_OK;
}


static int
parse_ip6(const char *text, size_t len, uint8_t addr[16])
{
    size_t    n, pos = 0, used = 0, gap = SIZE_MAX;
    unsigned  value;

    if (len >= 2 && text[0] == ':' && text[1] == ':') {
        gap = 0;
        pos = 2;
    }

    while (pos < len) {

        if (used >= 16) {
            return INLETS_E_INVALID;
        }

        n = parse_group(text + pos, len - pos, &value);

        if (n == 0) {
            return INLETS_E_INVALID;
        }

        if (pos + n < len && text[pos + n] == '.') {

            if (used > 12
                || parse_ip4(text + pos, len - pos, addr + used) != INLETS_OK)
            {
                return INLETS_E_INVALID;
            }

            used += 4;
            break;
        }

        addr[used++] = (uint8_t) (value >> 8);
        addr[used++] = (uint8_t) value;
        pos += n;

        if (pos == len) {
            break;
        }

        if (text[pos++] != ':' || pos == len) {
            return INLETS_E_INVALID;
        }

        if (text[pos] == ':') {
            if (gap != SIZE_MAX) {
                return INLETS_E_INVALID;
            }

            gap = used;
            pos++;
        }
    }

    if (gap != SIZE_MAX) {
        return expand(addr, used, gap);
    }

    return used == 16 ? INLETS_OK : INLETS_E_INVALID;
}


static void
clear_host(struct inlets_cidr *cidr)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned  first = i * 8;

        if (cidr->bits <= first) {
            cidr->addr[i] = 0;

        } else if (cidr->bits < first + 8) {
            cidr->addr[i] &= (uint8_t) (0xff << (first + 8 - cidr->bits));
        }
    }
}


int
inlets_cidr_parse(const char *text, size_t len, struct inlets_cidr *ret)
{
    struct inlets_cidr  cidr;
    const char         *slash;
    size_t              addr_len, n;
    unsigned            bits, max;

    if (len == 0 || len > INLETS_CIDR_MAX) {
        return INLETS_E_INVALID;
    }

    slash = memchr(text, '/', len);
    addr_len = slash != NULL ? (size_t) (slash - text) : len;

    if (memchr(text, ':', addr_len) != NULL) {
        if (parse_ip6(text, addr_len, cidr.addr) != INLETS_OK) {
            return INLETS_E_INVALID;
        }

        max = 128;

    } else {
        if (parse_ip4(text, addr_len, cidr.addr + 12) != INLETS_OK) {
            return INLETS_E_INVALID;
        }

        memcpy(cidr.addr, mapped, sizeof(mapped));
        max = 32;
    }

    bits = max;

    if (slash != NULL) {
        n = parse_decimal(slash + 1, len - addr_len - 1, max, &bits);

        if (n == 0 || addr_len + 1 + n != len) {
            return INLETS_E_INVALID;
        }
    }

    cidr.bits = (uint8_t) (bits + 128 - max);
    clear_host(&cidr);

    *ret = cidr;

    return INLETS_OK;
}


void
inlets_cidr_map(const uint8_t ip4[4], uint8_t ret[16])
{
    memcpy(ret, mapped, sizeof(mapped));
    memcpy(ret + 12, ip4, 4);
}


bool
inlets_cidr_match(const struct inlets_cidr *cidr, const uint8_t addr[16])
{
    unsigned  bytes = cidr->bits / 8, rest = cidr->bits % 8;

    if (cidr->bits < 96 && memcmp(addr, mapped, sizeof(mapped)) == 0) {
        return false;
    }

    if (memcmp(cidr->addr, addr, bytes) != 0) {
        return false;
    }

    return rest == 0
           || ((cidr->addr[bytes] ^ addr[bytes]) & (0xff << (8 - rest)) & 0xff)
              == 0;
}
