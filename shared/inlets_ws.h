/*
 * WebSocket framing, RFC 6455, without extensions.  Three layers, each usable
 * alone: frame headers and masking; the rules for text (UTF-8) and Close
 * payloads; a reader that gives whole messages, whatever the splits.
 */

#ifndef INLETS_WS_H
#define INLETS_WS_H


#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "inlets_error.h"


#define INLETS_WS_HEADER_MAX   14
#define INLETS_WS_CONTROL_MAX  125


enum inlets_ws_opcode {
    INLETS_WS_CONTINUATION = 0,
    INLETS_WS_TEXT = 1,
    INLETS_WS_BINARY = 2,
    INLETS_WS_CLOSE = 8,
    INLETS_WS_PING = 9,
    INLETS_WS_PONG = 10,

    INLETS_WS_NONE = 255    /* never on the wire: no message yet */
};


struct inlets_ws_frame {
    uint64_t  length;       /* of the payload */
    uint8_t   opcode;
    bool      fin;
    bool      masked;
    uint8_t   mask[4];      /* when masked */
};


/*
 * parse(): reads one frame header; returns the bytes it takes,
 * INLETS_NEED_MORE, or a negative error: reserved bits, unknown opcode, a
 * control frame that is fragmented or too long, a length that is not minimal.
 * An error is found as soon as the byte at fault is there.
 *
 * write(): returns the bytes written, or INLETS_E_NO_SPACE, INLETS_E_INVALID.
 * header_size(): what write() will need.
 */
int inlets_ws_frame_parse(const uint8_t *buf, size_t len,
    struct inlets_ws_frame *ret);
int inlets_ws_frame_write(uint8_t *buf, size_t size,
    const struct inlets_ws_frame *frame);
size_t inlets_ws_header_size(uint64_t length, bool masked);

/*
 * Masks or unmasks in place.  offset: how many bytes of this frame's payload
 * went before buf.
 */
void inlets_ws_mask(uint8_t *buf, size_t len, const uint8_t mask[4],
    uint64_t offset);

/*
 * A whole unfragmented message, header and payload, masked when mask is not
 * NULL.  Returns the bytes written or a negative error; at most
 * INLETS_WS_HEADER_MAX more than len.
 */
int inlets_ws_message_write(uint8_t *buf, size_t size, uint8_t opcode,
    const void *data, size_t len, const uint8_t *mask);


/*
 * UTF-8, piece by piece: start with a zeroed state; feed() returns 0 or
 * INLETS_E_WS_UTF8; complete() tells whether a character is under way.
 */
struct inlets_utf8 {
    uint8_t  need;          /* continuation bytes to come */
    uint8_t  low;           /* bounds of the next of them */
    uint8_t  high;
};

int inlets_utf8_feed(struct inlets_utf8 *u, const void *buf, size_t len);
bool inlets_utf8_complete(const struct inlets_utf8 *u);


/*
 * The payload of a Close frame.  parse(): an empty payload gives code 1005
 * and no reason; the reason points into buf and is valid UTF-8, not ended
 * by a zero byte.  Returns 0, INLETS_E_WS_CLOSE or INLETS_E_WS_UTF8.
 * write(): returns bytes written; the reason may be NULL and is cut, at a
 * character's border, to the 123 bytes there is room for.
 */
#define INLETS_WS_CLOSE_NORMAL       1000
#define INLETS_WS_CLOSE_GOING_AWAY   1001
#define INLETS_WS_CLOSE_PROTOCOL     1002
#define INLETS_WS_CLOSE_UNSUPPORTED  1003
#define INLETS_WS_CLOSE_NO_STATUS    1005   /* never on the wire */
#define INLETS_WS_CLOSE_BAD_DATA     1007
#define INLETS_WS_CLOSE_POLICY       1008
#define INLETS_WS_CLOSE_TOO_BIG      1009
#define INLETS_WS_CLOSE_INTERNAL     1011

int inlets_ws_close_parse(const uint8_t *buf, size_t len, uint16_t *ret_code,
    const char **ret_reason, size_t *ret_reason_len);
int inlets_ws_close_write(uint8_t *buf, size_t size, uint16_t code,
    const char *reason);
bool inlets_ws_close_code_valid(uint16_t code);
uint16_t inlets_ws_close_code(int error);   /* to answer an error with */


/*
 * Reads messages from input split anywhere.  buf is the caller's and holds
 * one reassembled message: size is the limit.  masked: true on a server,
 * whose peer must mask; false on a client, whose peer must not.
 *
 * read() returns how many bytes it took, or a negative error.  Call it again
 * with the rest while any is left: it stops after each item.  item->opcode is
 * TEXT, BINARY, PING, PONG or CLOSE, or INLETS_WS_NONE when the input ended
 * before an item did.  item->data is valid until the next call.  Text and
 * Close are checked.  After a Close nothing more is taken as an item: input
 * is swallowed.
 */
struct inlets_ws_item {
    const uint8_t  *data;
    size_t          len;
    uint8_t         opcode;
};

struct inlets_ws_reader {
    uint8_t                *buf;
    size_t                  size;
    size_t                  len;        /* of the message so far */
    uint64_t                left;       /* of the frame's payload */
    struct inlets_ws_frame  frame;
    struct inlets_utf8      utf8;
    uint8_t                 opcode;     /* of the message under way */
    uint8_t                 header_len;
    uint8_t                 control_len;
    bool                    masked;
    bool                    in_frame;
    bool                    closed;
    uint8_t                 header[INLETS_WS_HEADER_MAX];
    uint8_t                 control[INLETS_WS_CONTROL_MAX];
};

void inlets_ws_reader_init(struct inlets_ws_reader *r, uint8_t *buf,
    size_t size, bool masked);
ptrdiff_t inlets_ws_read(struct inlets_ws_reader *r, const uint8_t *buf,
    size_t len, struct inlets_ws_item *ret);


#endif /* INLETS_WS_H */
