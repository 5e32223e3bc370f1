#include "inlets_proxy2.h"

#include <string.h>

#include "inlets_error.h"


#define INLETS_PROXY2_HEAD      16
#define INLETS_PROXY2_TLV_HEAD  3
#define INLETS_PROXY2_PATH      108

#define INLETS_PROXY2_VERSION   0x20
#define INLETS_PROXY2_LOCAL     0x00
#define INLETS_PROXY2_PROXY     0x01

#define INLETS_PROXY2_STREAM    0x01

#define INLETS_PROXY2_TLV_AUTHORITY  0x02
#define INLETS_PROXY2_TLV_UNIQUE_ID  0x05


static const uint8_t inlets_proxy2_signature[12] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};


/* The size of one address; the ports come after both. */

static size_t
inlets_proxy2_address(enum inlets_proxy2_family family)
{
    switch (family) {

    case INLETS_PROXY2_UNSPEC:
        return 0;
    case INLETS_PROXY2_INET:
        return 4;
    case INLETS_PROXY2_INET6:
        return 16;
    case INLETS_PROXY2_UNIX:
        return INLETS_PROXY2_PATH;
    }

    return 0;
}


static bool
inlets_proxy2_has_ports(enum inlets_proxy2_family family)
{
    return family == INLETS_PROXY2_INET || family == INLETS_PROXY2_INET6;
}


static size_t
inlets_proxy2_block(enum inlets_proxy2_family family)
{
    return 2 * inlets_proxy2_address(family)
           + (inlets_proxy2_has_ports(family) ? 4 : 0);
}


static bool
inlets_proxy2_authority_valid(const uint8_t *p, size_t len)
{
    if (len > INLETS_PROXY2_AUTHORITY) {
        return false;
    }

    for (size_t i = 0; i < len; i++) {
        if (p[i] <= 0x20 || p[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


static uint8_t *
inlets_proxy2_write_16(uint8_t *p, size_t value)
{
    *p++ = (uint8_t) (value >> 8);
    *p++ = (uint8_t) value;

    return p;
}


static uint16_t
inlets_proxy2_read_16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}


static uint8_t *
inlets_proxy2_write_addresses(uint8_t *p, const struct inlets_proxy2 *h)
{
    size_t n = inlets_proxy2_address(h->family);

    if (!inlets_proxy2_has_ports(h->family)) {
        memset(p, 0, 2 * n);
        return p + 2 * n;
    }

    memcpy(p, h->src, n);
    memcpy(p + n, h->dst, n);
    p += 2 * n;

    p = inlets_proxy2_write_16(p, h->src_port);

    return inlets_proxy2_write_16(p, h->dst_port);
}


static size_t
inlets_proxy2_tlv_size(size_t len)
{
    return len == 0 ? 0 : INLETS_PROXY2_TLV_HEAD + len;
}


static uint8_t *
inlets_proxy2_write_tlv(uint8_t *p, uint8_t type, const uint8_t *value,
    size_t len)
{
    if (len == 0) {
        return p;
    }

    *p++ = type;
    p = inlets_proxy2_write_16(p, len);
    memcpy(p, value, len);

    return p + len;
}


int
inlets_proxy2_write(uint8_t *buf, size_t size, const struct inlets_proxy2 *h)
{
    if ((unsigned) h->family > INLETS_PROXY2_UNIX
        || !inlets_proxy2_authority_valid(h->authority, h->authority_len)
        || h->unique_id_len > INLETS_PROXY2_UNIQUE_ID)
    {
        return INLETS_E_INVALID;
    }

    size_t body = 0;

    if (!h->local) {
        body = inlets_proxy2_block(h->family)
               + inlets_proxy2_tlv_size(h->authority_len)
               + inlets_proxy2_tlv_size(h->unique_id_len);
    }

    if (size < INLETS_PROXY2_HEAD + body) {
        return INLETS_E_NO_SPACE;
    }

    bool addresses = !h->local && h->family != INLETS_PROXY2_UNSPEC;
    uint8_t *p = buf;

    memcpy(p, inlets_proxy2_signature, sizeof(inlets_proxy2_signature));
    p += sizeof(inlets_proxy2_signature);

    *p++ = INLETS_PROXY2_VERSION
           | (h->local ? INLETS_PROXY2_LOCAL : INLETS_PROXY2_PROXY);
    *p++ = addresses ? (uint8_t) (h->family << 4 | INLETS_PROXY2_STREAM) : 0;
    p = inlets_proxy2_write_16(p, body);

    if (!h->local) {
        p = inlets_proxy2_write_addresses(p, h);
        p = inlets_proxy2_write_tlv(p, INLETS_PROXY2_TLV_AUTHORITY,
                                    h->authority, h->authority_len);
        p = inlets_proxy2_write_tlv(p, INLETS_PROXY2_TLV_UNIQUE_ID,
                                    h->unique_id, h->unique_id_len);
    }

    return (int) (p - buf);
}


/*
 * Checks the fixed part as far as it has come, so that a peer speaking
 * something else is found out by its first wrong byte.
 */

static int
inlets_proxy2_parse_head(const uint8_t *buf, size_t len)
{
    size_t n = sizeof(inlets_proxy2_signature);

    if (memcmp(buf, inlets_proxy2_signature, len < n ? len : n) != 0) {
        return INLETS_E_PROXY_SIGNATURE;
    }

    if (len > 12
        && buf[12] != (INLETS_PROXY2_VERSION | INLETS_PROXY2_LOCAL)
        && buf[12] != (INLETS_PROXY2_VERSION | INLETS_PROXY2_PROXY))
    {
        return INLETS_E_PROXY_VERSION;
    }

    if (len > 13 && buf[12] == (INLETS_PROXY2_VERSION | INLETS_PROXY2_PROXY)
        && buf[13] != 0
        && ((buf[13] >> 4) == 0 || (buf[13] >> 4) > INLETS_PROXY2_UNIX
            || (buf[13] & 0x0f) != INLETS_PROXY2_STREAM))
    {
        return INLETS_E_PROXY_FAMILY;
    }

    if (len > 15
        && inlets_proxy2_read_16(buf + 14)
           > INLETS_PROXY2_MAX - INLETS_PROXY2_HEAD)
    {
        return INLETS_E_PROXY_LENGTH;
    }

    return INLETS_OK;
}


static const uint8_t *
inlets_proxy2_parse_addresses(const uint8_t *p, struct inlets_proxy2 *h)
{
    size_t n = inlets_proxy2_address(h->family);

    if (!inlets_proxy2_has_ports(h->family)) {
        return p + 2 * n;
    }

    memcpy(h->src, p, n);
    memcpy(h->dst, p + n, n);
    p += 2 * n;

    h->src_port = inlets_proxy2_read_16(p);
    h->dst_port = inlets_proxy2_read_16(p + 2);

    return p + 4;
}


static int
inlets_proxy2_take_tlv(struct inlets_proxy2 *h, uint8_t type,
    const uint8_t *value, size_t len)
{
    switch (type) {

    case INLETS_PROXY2_TLV_AUTHORITY:
        if (h->authority != NULL || !inlets_proxy2_authority_valid(value, len))
        {
            return INLETS_E_PROXY_TLV;
        }

        h->authority = value;
        h->authority_len = len;
        break;

    case INLETS_PROXY2_TLV_UNIQUE_ID:
        if (h->unique_id != NULL || len > INLETS_PROXY2_UNIQUE_ID) {
            return INLETS_E_PROXY_TLV;
        }

        h->unique_id = value;
        h->unique_id_len = len;
        break;

    default:
        break;
    }

    return INLETS_OK;
}


static int
inlets_proxy2_parse_tlvs(const uint8_t *p, const uint8_t *end,
    struct inlets_proxy2 *h)
{
    while (p < end) {
        if (end - p < INLETS_PROXY2_TLV_HEAD) {
            return INLETS_E_PROXY_TLV;
        }

        uint8_t type = p[0];
        size_t len = inlets_proxy2_read_16(p + 1);

        p += INLETS_PROXY2_TLV_HEAD;

        if ((size_t) (end - p) < len) {
            return INLETS_E_PROXY_TLV;
        }

        int rc = inlets_proxy2_take_tlv(h, type, p, len);

        if (rc != INLETS_OK) {
            return rc;
        }

        p += len;
    }

    return INLETS_OK;
}


int
inlets_proxy2_parse(const uint8_t *buf, size_t len, struct inlets_proxy2 *ret)
{
    struct inlets_proxy2 h = { .family = INLETS_PROXY2_UNSPEC };

    if (len == 0) {
        return INLETS_NEED_MORE;
    }

    int rc = inlets_proxy2_parse_head(buf, len);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (len < INLETS_PROXY2_HEAD) {
        return INLETS_NEED_MORE;
    }

    size_t body = inlets_proxy2_read_16(buf + 14);

    h.local = buf[12] == (INLETS_PROXY2_VERSION | INLETS_PROXY2_LOCAL);

    if (!h.local) {
        h.family = (enum inlets_proxy2_family) (buf[13] >> 4);

        if (body < inlets_proxy2_block(h.family)) {
            return INLETS_E_PROXY_LENGTH;
        }
    }

    if (len < INLETS_PROXY2_HEAD + body) {
        return INLETS_NEED_MORE;
    }

    if (!h.local) {
        const uint8_t *p = buf + INLETS_PROXY2_HEAD;

        rc = inlets_proxy2_parse_tlvs(inlets_proxy2_parse_addresses(p, &h),
                                      p + body, &h);

        if (rc != INLETS_OK) {
            return rc;
        }
    }

    *ret = h;

    return (int) (INLETS_PROXY2_HEAD + body);
}
