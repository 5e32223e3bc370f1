#include <string.h>

#include "inlets_ws.h"


static bool
opcode_is_known(uint8_t opcode)
{
    return opcode <= INLETS_WS_BINARY
           || (opcode >= INLETS_WS_CLOSE && opcode <= INLETS_WS_PONG);
}


static bool
opcode_is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}


static uint64_t
read_number(const uint8_t *p, size_t n)
{
    uint64_t  v = 0;

    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }

    return v;
}


static void
write_number(uint8_t *p, size_t n, uint64_t v)
{
    for (size_t i = n; i > 0; i--) {
        p[i - 1] = (uint8_t) v;
        v >>= 8;
    }
}


int
inlets_ws_frame_parse(const uint8_t *buf, size_t len,
    struct inlets_ws_frame *ret)
{
    size_t                  n, used;
    struct inlets_ws_frame  f = { 0 };

    if (len < 1) {
        return INLETS_NEED_MORE;
    }

    if (buf[0] & 0x70) {
        return INLETS_E_WS_RESERVED_BITS;
    }

    f.fin = (buf[0] & 0x80) != 0;
    f.opcode = buf[0] & 0x0f;

    if (!opcode_is_known(f.opcode)) {
        return INLETS_E_WS_OPCODE;
    }

    if (opcode_is_control(f.opcode) && !f.fin) {
        return INLETS_E_WS_CONTROL;
    }

    if (len < 2) {
        return INLETS_NEED_MORE;
    }

    f.masked = (buf[1] & 0x80) != 0;
    f.length = buf[1] & 0x7f;

    if (opcode_is_control(f.opcode) && f.length > INLETS_WS_CONTROL_MAX) {
        return INLETS_E_WS_CONTROL;
    }

    n = f.length == 126 ? 2 : f.length == 127 ? 8 : 0;
    used = 2 + n;

    if (len < used) {
        return INLETS_NEED_MORE;
    }

    if (n != 0) {
        f.length = read_number(buf + 2, n);

        if (f.length < (n == 2 ? 126 : 65536) || f.length >> 63) {
            return INLETS_E_WS_LENGTH;
        }
    }

    if (f.masked) {
        if (len < used + 4) {
            return INLETS_NEED_MORE;
        }

        memcpy(f.mask, buf + used, 4);
        used += 4;
    }

    *ret = f;

    return (int) used;
}


size_t
inlets_ws_header_size(uint64_t length, bool masked)
{
    size_t  n = length < 126 ? 2 : length < 65536 ? 4 : 10;

    return masked ? n + 4 : n;
}


int
inlets_ws_frame_write(uint8_t *buf, size_t size,
    const struct inlets_ws_frame *frame)
{
    size_t   n;
    uint8_t  masked = frame->masked ? 0x80 : 0;

    if (!opcode_is_known(frame->opcode) || frame->length >> 63
        || (opcode_is_control(frame->opcode)
            && (!frame->fin || frame->length > INLETS_WS_CONTROL_MAX)))
    {
        return INLETS_E_INVALID;
    }

    if (size < inlets_ws_header_size(frame->length, frame->masked)) {
        return INLETS_E_NO_SPACE;
    }

    buf[0] = (uint8_t) ((frame->fin ? 0x80 : 0) | frame->opcode);

    if (frame->length < 126) {
        buf[1] = (uint8_t) (masked | frame->length);
        n = 2;

    } else if (frame->length < 65536) {
        buf[1] = masked | 126;
        write_number(buf + 2, 2, frame->length);
        n = 4;

    } else {
        buf[1] = masked | 127;
        write_number(buf + 2, 8, frame->length);
        n = 10;
    }

    if (frame->masked) {
        memcpy(buf + n, frame->mask, 4);
        n += 4;
    }

    return (int) n;
}


static inline void
mask_word(uint8_t *p, uint64_t key)
{
    uint64_t  w;

    memcpy(&w, p, 8);
    w ^= key;
    memcpy(p, &w, 8);
}


void
inlets_ws_mask(uint8_t *buf, size_t len, const uint8_t mask[4],
    uint64_t offset)
{
    uint8_t   k[8];
    uint64_t  key;

    for (unsigned i = 0; i < 8; i++) {
        k[i] = mask[(offset + i) & 3];
    }

    memcpy(&key, k, 8);

    while (len >= 32) {
        mask_word(buf, key);
        mask_word(buf + 8, key);
        mask_word(buf + 16, key);
        mask_word(buf + 24, key);
        buf += 32;
        len -= 32;
    }

    while (len >= 8) {
        mask_word(buf, key);
        buf += 8;
        len -= 8;
    }

    for (size_t i = 0; i < len; i++) {
        buf[i] ^= k[i];
    }
}


int
inlets_ws_message_write(uint8_t *buf, size_t size, uint8_t opcode,
    const void *data, size_t len, const uint8_t *mask)
{
    int                     n;
    struct inlets_ws_frame  f = { .length = len, .opcode = opcode,
                                  .fin = true, .masked = mask != NULL };

    if (opcode == INLETS_WS_CONTINUATION || len > INT32_MAX / 2) {
        return INLETS_E_INVALID;
    }

    if (mask != NULL) {
        memcpy(f.mask, mask, 4);
    }

    n = inlets_ws_frame_write(buf, size, &f);

    if (n < 0) {
        return n;
    }

    if (size - (size_t) n < len) {
        return INLETS_E_NO_SPACE;
    }

    if (len != 0) {
        memcpy(buf + n, data, len);
    }

    if (mask != NULL) {
        inlets_ws_mask(buf + n, len, mask, 0);
    }

    return n + (int) len;
}


/* The first byte sets how many follow, and bounds for the first of those. */
static bool
utf8_start(struct inlets_utf8 *u, uint8_t ch)
{
    u->low = 0x80;
    u->high = 0xbf;

    if (ch < 0xc2 || ch > 0xf4) {
        return false;
    }

    if (ch < 0xe0) {
        u->need = 1;

    } else if (ch < 0xf0) {
        u->need = 2;

        if (ch == 0xe0) {
            u->low = 0xa0;              /* overlong */

        } else if (ch == 0xed) {
            u->high = 0x9f;             /* surrogates */
        }

    } else {
        u->need = 3;

        if (ch == 0xf0) {
            u->low = 0x90;              /* overlong */

        } else if (ch == 0xf4) {
            u->high = 0x8f;             /* past U+10FFFF */
        }
    }

    return true;
}


int
inlets_utf8_feed(struct inlets_utf8 *u, const void *buf, size_t len)
{
    const uint8_t  *p = buf;

    for (size_t i = 0; i < len; i++) {
        if (u->need != 0) {
            if (p[i] < u->low || p[i] > u->high) {
                return INLETS_E_WS_UTF8;
            }

            u->need--;
            u->low = 0x80;
            u->high = 0xbf;

        } else if (p[i] >= 0x80 && !utf8_start(u, p[i])) {
            return INLETS_E_WS_UTF8;
        }
    }

    return INLETS_OK;
}


bool
inlets_utf8_complete(const struct inlets_utf8 *u)
{
    return u->need == 0;
}


bool
inlets_ws_close_code_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005
            && code != 1006)
           || (code >= 3000 && code <= 4999);
}


uint16_t
inlets_ws_close_code(int error)
{
    switch (error) {

    case INLETS_E_WS_NOT_BINARY:
        return INLETS_WS_CLOSE_UNSUPPORTED;

    case INLETS_E_WS_UTF8:
        return INLETS_WS_CLOSE_BAD_DATA;

    case INLETS_E_WS_LENGTH:
        return INLETS_WS_CLOSE_TOO_BIG;

    case INLETS_E_MUX_FLOOD:
        return INLETS_WS_CLOSE_POLICY;

    case INLETS_E_NO_MEMORY:
        return INLETS_WS_CLOSE_INTERNAL;
    }

    return error < 0 ? INLETS_WS_CLOSE_PROTOCOL : INLETS_WS_CLOSE_NORMAL;
}


int
inlets_ws_close_parse(const uint8_t *buf, size_t len, uint16_t *ret_code,
    const char **ret_reason, size_t *ret_reason_len)
{
    uint16_t            code;
    struct inlets_utf8  u = { 0 };

    if (len == 0) {
        *ret_code = INLETS_WS_CLOSE_NO_STATUS;
        *ret_reason = "";
        *ret_reason_len = 0;
        return INLETS_OK;
    }

    if (len < 2 || len > INLETS_WS_CONTROL_MAX) {
        return INLETS_E_WS_CLOSE;
    }

    code = (uint16_t) read_number(buf, 2);

    if (!inlets_ws_close_code_valid(code)) {
        return INLETS_E_WS_CLOSE;
    }

    if (inlets_utf8_feed(&u, buf + 2, len - 2) != INLETS_OK
        || !inlets_utf8_complete(&u))
    {
        return INLETS_E_WS_UTF8;
    }

    *ret_code = code;
    *ret_reason = (const char *) buf + 2;
    *ret_reason_len = len - 2;

    return INLETS_OK;
}


int
inlets_ws_close_write(uint8_t *buf, size_t size, uint16_t code,
    const char *reason)
{
    size_t  len = 0;

    if (code == INLETS_WS_CLOSE_NO_STATUS) {
        return 0;
    }

    if (!inlets_ws_close_code_valid(code)) {
        return INLETS_E_INVALID;
    }

    if (reason != NULL) {
        while (len <= INLETS_WS_CONTROL_MAX - 2 && reason[len] != '\0') {
            len++;
        }

        if (len > INLETS_WS_CONTROL_MAX - 2) {
            len--;

            while (len > 0 && ((uint8_t) reason[len] & 0xc0) == 0x80) {
                len--;
            }
        }
    }

    if (size < 2 + len) {
        return INLETS_E_NO_SPACE;
    }

    write_number(buf, 2, code);

    if (len != 0) {
        memcpy(buf + 2, reason, len);
    }

    return (int) (2 + len);
}


void
inlets_ws_reader_init(struct inlets_ws_reader *r, uint8_t *buf, size_t size,
    bool masked)
{
    memset(r, 0, sizeof(*r));

    r->buf = buf;
    r->size = size;
    r->masked = masked;
    r->opcode = INLETS_WS_NONE;
}


static int
reader_check(const struct inlets_ws_reader *r, const struct inlets_ws_frame *f)
{
    if (f->masked != r->masked) {
        return INLETS_E_WS_MASK;
    }

    if (opcode_is_control(f->opcode)) {
        return INLETS_OK;
    }

    if ((f->opcode == INLETS_WS_CONTINUATION) != (r->opcode != INLETS_WS_NONE))
    {
        return INLETS_E_WS_CONTINUATION;
    }

    if (f->length > r->size - r->len) {
        return INLETS_E_WS_LENGTH;
    }

    return INLETS_OK;
}


/* Returns bytes used; r->in_frame tells whether the header is whole. */
static ptrdiff_t
reader_header(struct inlets_ws_reader *r, const uint8_t *buf, size_t len)
{
    int     rc;
    size_t  used = 0;

    while (used < len) {
        r->header[r->header_len++] = buf[used++];

        rc = inlets_ws_frame_parse(r->header, r->header_len, &r->frame);

        if (rc == INLETS_NEED_MORE) {
            continue;
        }

        if (rc > 0) {
            rc = reader_check(r, &r->frame);
        }

        if (rc < 0) {
            return rc;
        }

        r->header_len = 0;
        r->in_frame = true;
        r->left = r->frame.length;

        if (opcode_is_control(r->frame.opcode)) {
            r->control_len = 0;

        } else if (r->frame.opcode != INLETS_WS_CONTINUATION) {
            r->opcode = r->frame.opcode;
            memset(&r->utf8, 0, sizeof(r->utf8));
        }

        break;
    }

    return (ptrdiff_t) used;
}


static ptrdiff_t
reader_payload(struct inlets_ws_reader *r, const uint8_t *buf, size_t len)
{
    size_t    n = len < r->left ? len : (size_t) r->left;
    bool      control = opcode_is_control(r->frame.opcode);
    uint8_t  *p = control ? r->control + r->control_len : r->buf + r->len;

    if (n == 0) {
        return 0;
    }

    memcpy(p, buf, n);

    if (r->masked) {
        inlets_ws_mask(p, n, r->frame.mask, r->frame.length - r->left);
    }

    r->left -= n;

    if (control) {
        r->control_len += (uint8_t) n;
        return (ptrdiff_t) n;
    }

    r->len += n;

    if (r->opcode == INLETS_WS_TEXT
        && inlets_utf8_feed(&r->utf8, p, n) != INLETS_OK)
    {
        return INLETS_E_WS_UTF8;
    }

    return (ptrdiff_t) n;
}


static int
reader_finish(struct inlets_ws_reader *r, struct inlets_ws_item *ret)
{
    int          rc;
    size_t       reason_len;
    uint16_t     code;
    const char  *reason;

    r->in_frame = false;

    if (opcode_is_control(r->frame.opcode)) {
        if (r->frame.opcode == INLETS_WS_CLOSE) {
            rc = inlets_ws_close_parse(r->control, r->control_len, &code,
                                       &reason, &reason_len);
            if (rc != INLETS_OK) {
                return rc;
            }

            r->closed = true;
        }

        ret->opcode = r->frame.opcode;
        ret->data = r->control;
        ret->len = r->control_len;

        return INLETS_OK;
    }

    if (!r->frame.fin) {
        return INLETS_OK;
    }

    if (r->opcode == INLETS_WS_TEXT && !inlets_utf8_complete(&r->utf8)) {
        return INLETS_E_WS_UTF8;
    }

    ret->opcode = r->opcode;
    ret->data = r->buf;
    ret->len = r->len;

    r->opcode = INLETS_WS_NONE;
    r->len = 0;

    return INLETS_OK;
}


ptrdiff_t
inlets_ws_read(struct inlets_ws_reader *r, const uint8_t *buf, size_t len,
    struct inlets_ws_item *ret)
{
    int        rc;
    size_t     used = 0;
    ptrdiff_t  n;

    ret->opcode = INLETS_WS_NONE;
    ret->data = NULL;
    ret->len = 0;

    if (r->closed) {
        return (ptrdiff_t) len;
    }

    while (used < len && ret->opcode == INLETS_WS_NONE) {
        n = r->in_frame ? reader_payload(r, buf + used, len - used)
                        : reader_header(r, buf + used, len - used);
        if (n < 0) {
            return n;
        }

        used += (size_t) n;

        if (r->in_frame && r->left == 0) {
            rc = reader_finish(r, ret);
            if (rc != INLETS_OK) {
                return rc;
            }
        }
    }

    return (ptrdiff_t) used;
}
