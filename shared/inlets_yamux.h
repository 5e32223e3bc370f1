/*
 * yamux version 0 frame headers
 * (https://github.com/hashicorp/yamux/blob/master/spec.md).
 */

#ifndef INLETS_YAMUX_H
#define INLETS_YAMUX_H


#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "inlets_error.h"


#define INLETS_YAMUX_VERSION  0
#define INLETS_YAMUX_HEADER   12


enum inlets_yamux_type {
    INLETS_YAMUX_DATA = 0,
    INLETS_YAMUX_WINDOW = 1,
    INLETS_YAMUX_PING = 2,
    INLETS_YAMUX_GO_AWAY = 3
};


enum inlets_yamux_flag {
    INLETS_YAMUX_SYN = 1,
    INLETS_YAMUX_ACK = 2,
    INLETS_YAMUX_FIN = 4,
    INLETS_YAMUX_RST = 8
};


enum inlets_yamux_reason {
    INLETS_YAMUX_NORMAL = 0,
    INLETS_YAMUX_PROTOCOL_ERROR = 1,
    INLETS_YAMUX_INTERNAL_ERROR = 2
};


/*
 * length: of the data that follows; the window's growth; the ping's opaque
 * value; the go-away reason.
 */
struct inlets_yamux_frame {
    uint8_t   type;
    uint16_t  flags;
    uint32_t  stream;
    uint32_t  length;
};


/*
 * parse(): returns INLETS_YAMUX_HEADER, INLETS_NEED_MORE or a negative error:
 * version, type, flags (unknown ones, or ones the type can't have), stream id
 * (zero for data and window updates, other than zero for the session's own).
 * An error is found as soon as the byte at fault is there.
 *
 * write(): returns INLETS_YAMUX_HEADER or INLETS_E_NO_SPACE.
 */
int inlets_yamux_parse(const uint8_t *buf, size_t len,
    struct inlets_yamux_frame *ret);
int inlets_yamux_write(uint8_t *buf, size_t size,
    const struct inlets_yamux_frame *frame);


/*
 * Credit, kept as the absolute offset up to which a sender may send.
 * Both return 0 or a negative error and leave the offset alone on one.
 *
 * add(): the receiver gave delta more; the credit not yet used may not pass
 * 2^32 - 1.  take(): len bytes came at *offset and must lie below limit.
 */
int inlets_yamux_credit_add(uint64_t *limit, uint64_t offset, uint32_t delta);
int inlets_yamux_credit_take(uint64_t *offset, uint64_t limit, uint32_t len);


#endif /* INLETS_YAMUX_H */
