#include "text.h"


size_t
inlets_text_next(const char *text, size_t len, uint32_t *ret)
{
    static const uint32_t  smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };

    const uint8_t  *p = (const uint8_t *) text;
    uint32_t        c = p[0];
    size_t          n;

    *ret = INLETS_TEXT_INVALID;

    if (c < 0x80) {
        *ret = c;
        return 1;
    }

    if (c >= 0xc2 && c <= 0xdf) {
        n = 2;
        c &= 0x1f;

    } else if ((c & 0xf0) == 0xe0) {
        n = 3;
        c &= 0x0f;

    } else if (c >= 0xf0 && c <= 0xf4) {
        n = 4;
        c &= 0x07;

    } else {
        return 1;
    }

    if (n > len) {
        return 1;
    }

    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 1;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 1;
    }

    *ret = c;

    return n;
}


bool
inlets_text_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0)
           || c == 0x2028 || c == 0x2029            /* line ends */
           || c == 0x200e || c == 0x200f            /* change of direction */
           || c == 0x061c
           || (c >= 0x202a && c <= 0x202e)
           || (c >= 0x2066 && c <= 0x2069);
}
