#include "inlets_yamux.h"


#define FLAGS_ALL  (INLETS_YAMUX_SYN | INLETS_YAMUX_ACK | INLETS_YAMUX_FIN \
                    | INLETS_YAMUX_RST)


static uint32_t
read_u32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static void
write_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t) (v >> 24);
    p[1] = (uint8_t) (v >> 16);
    p[2] = (uint8_t) (v >> 8);
    p[3] = (uint8_t) v;
}


static int
check_flags(uint8_t type, uint16_t flags)
{
    if (flags & ~FLAGS_ALL) {
        return INLETS_E_YAMUX_FLAGS;
    }

    switch (type) {

    case INLETS_YAMUX_PING:
        if (flags != INLETS_YAMUX_SYN && flags != INLETS_YAMUX_ACK) {
            return INLETS_E_YAMUX_FLAGS;
        }

        return INLETS_OK;

    case INLETS_YAMUX_GO_AWAY:
        return flags == 0 ? INLETS_OK : INLETS_E_YAMUX_FLAGS;
    }

    if ((flags & INLETS_YAMUX_SYN) && (flags & INLETS_YAMUX_ACK)) {
        return INLETS_E_YAMUX_FLAGS;
    }

    return INLETS_OK;
}


int
inlets_yamux_parse(const uint8_t *buf, size_t len,
    struct inlets_yamux_frame *ret)
{
    int       rc;
    bool      session;
    uint16_t  flags;
    uint32_t  stream;

    if (len >= 1 && buf[0] != INLETS_YAMUX_VERSION) {
        return INLETS_E_YAMUX_VERSION;
    }

    if (len >= 2 && buf[1] > INLETS_YAMUX_GO_AWAY) {
        return INLETS_E_YAMUX_TYPE;
    }

    if (len < 4) {
        return INLETS_NEED_MORE;
    }

    flags = (uint16_t) (buf[2] << 8 | buf[3]);

    rc = check_flags(buf[1], flags);
    if (rc != INLETS_OK) {
        return rc;
    }

    if (len < 8) {
        return INLETS_NEED_MORE;
    }

    stream = read_u32(buf + 4);
    session = buf[1] >= INLETS_YAMUX_PING;

    if (session != (stream == 0)) {
        return INLETS_E_YAMUX_STREAM_ID;
    }

    if (len < INLETS_YAMUX_HEADER) {
        return INLETS_NEED_MORE;
    }

    ret->type = buf[1];
    ret->flags = flags;
    ret->stream = stream;
    ret->length = read_u32(buf + 8);

    return INLETS_YAMUX_HEADER;
}


int
inlets_yamux_write(uint8_t *buf, size_t size,
    const struct inlets_yamux_frame *frame)
{
    if (size < INLETS_YAMUX_HEADER) {
        return INLETS_E_NO_SPACE;
    }

    buf[0] = INLETS_YAMUX_VERSION;
    buf[1] = frame->type;
    buf[2] = (uint8_t) (frame->flags >> 8);
    buf[3] = (uint8_t) frame->flags;
    write_u32(buf + 4, frame->stream);
    write_u32(buf + 8, frame->length);

    return INLETS_YAMUX_HEADER;
}


int
inlets_yamux_credit_add(uint64_t *limit, uint64_t offset, uint32_t delta)
{
    if (*limit < offset || *limit - offset + delta > UINT32_MAX) {
        return INLETS_E_YAMUX_CREDIT;
    }

    *limit += delta;

    return INLETS_OK;
}


int
inlets_yamux_credit_take(uint64_t *offset, uint64_t limit, uint32_t len)
{
    if (*offset > limit || len > limit - *offset) {
        return INLETS_E_YAMUX_WINDOW;
    }

    *offset += len;

    return INLETS_OK;
}
