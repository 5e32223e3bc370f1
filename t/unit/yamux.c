/* yamux headers and credit. */

#include "inlets_yamux.h"
#include "tap.h"


static int
parse(const char *bytes, size_t len, struct inlets_yamux_frame *ret)
{
    return inlets_yamux_parse((const uint8_t *) bytes, len, ret);
}


static void
test_round_trip(void)
{
    bool                       same = true, split = true;
    uint8_t                    buf[INLETS_YAMUX_HEADER];
    struct inlets_yamux_frame  f, g;
    static const struct inlets_yamux_frame  frames[] = {
        { INLETS_YAMUX_DATA, 0, 1, 0 },
        { INLETS_YAMUX_DATA, INLETS_YAMUX_SYN, 2, 16384 },
        { INLETS_YAMUX_DATA, INLETS_YAMUX_FIN, UINT32_MAX, UINT32_MAX },
        { INLETS_YAMUX_WINDOW, INLETS_YAMUX_ACK | INLETS_YAMUX_FIN, 77, 1 },
        { INLETS_YAMUX_WINDOW, INLETS_YAMUX_RST, 0x01020304, 0x05060708 },
        { INLETS_YAMUX_PING, INLETS_YAMUX_SYN, 0, 12345 },
        { INLETS_YAMUX_PING, INLETS_YAMUX_ACK, 0, 0 },
        { INLETS_YAMUX_GO_AWAY, 0, 0, INLETS_YAMUX_INTERNAL_ERROR }
    };

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        f = frames[i];

        same &= inlets_yamux_write(buf, sizeof(buf), &f) == 12;
        same &= inlets_yamux_parse(buf, sizeof(buf), &g) == 12;
        same &= f.type == g.type && f.flags == g.flags
                && f.stream == g.stream && f.length == g.length;

        for (size_t n = 0; n < sizeof(buf); n++) {
            split &= inlets_yamux_parse(buf, n, &g) == INLETS_NEED_MORE;
        }
    }

    ok(same, "round trip");
    ok(split, "a part of a header needs more");

    f = frames[4];
    inlets_yamux_write(buf, sizeof(buf), &f);
    is_mem(buf, "\0\1\0\10\1\2\3\4\5\6\7\10", 12, "layout");
    is_int(inlets_yamux_write(buf, 11, &f), INLETS_E_NO_SPACE, "no space");
}


static void
test_errors(void)
{
    struct inlets_yamux_frame  f;

    is_int(parse("\1", 1, &f), INLETS_E_YAMUX_VERSION, "version");
    is_int(parse("\0\4", 2, &f), INLETS_E_YAMUX_TYPE, "type");
    is_int(parse("\0\0\1\0", 4, &f), INLETS_E_YAMUX_FLAGS, "high flags");
    is_int(parse("\0\0\0\20", 4, &f), INLETS_E_YAMUX_FLAGS, "low flags");
    is_int(parse("\0\0\0\3", 4, &f), INLETS_E_YAMUX_FLAGS, "SYN and ACK");
    is_int(parse("\0\2\0\0", 4, &f), INLETS_E_YAMUX_FLAGS,
           "ping with neither flag");
    is_int(parse("\0\2\0\3", 4, &f), INLETS_E_YAMUX_FLAGS, "ping with both");
    is_int(parse("\0\3\0\1", 4, &f), INLETS_E_YAMUX_FLAGS, "go away, SYN");
    is_int(parse("\0\0\0\0\0\0\0\0", 8, &f), INLETS_E_YAMUX_STREAM_ID,
           "data for stream zero");
    is_int(parse("\0\1\0\0\0\0\0\0", 8, &f), INLETS_E_YAMUX_STREAM_ID,
           "window of stream zero");
    is_int(parse("\0\2\0\1\0\0\0\1", 8, &f), INLETS_E_YAMUX_STREAM_ID,
           "ping of a stream");
    is_int(parse("\0\3\0\0\1\0\0\0", 8, &f), INLETS_E_YAMUX_STREAM_ID,
           "go away of a stream");
}


static void
test_credit(void)
{
    uint64_t  limit = 100, offset = 40;

    is_int(inlets_yamux_credit_add(&limit, offset, 10), 0, "added");
    is_int(limit, 110, "the new limit");

    is_int(inlets_yamux_credit_add(&limit, offset, UINT32_MAX - 69),
           INLETS_E_YAMUX_CREDIT, "one too much");
    is_int(limit, 110, "and the limit unchanged");

    is_int(inlets_yamux_credit_add(&limit, offset, UINT32_MAX - 70), 0,
           "the most");
    is_int(limit - offset, UINT32_MAX, "all of 32 bits");

    is_int(inlets_yamux_credit_take(&offset, 50, 10), 0, "taken to the last");
    is_int(offset, 50, "the new offset");
    is_int(inlets_yamux_credit_take(&offset, 50, 0), 0, "nothing taken");
    is_int(inlets_yamux_credit_take(&offset, 50, 1), INLETS_E_YAMUX_WINDOW,
           "past the window");
    is_int(offset, 50, "and the offset unchanged");
    is_int(inlets_yamux_credit_take(&offset, 49, 0), INLETS_E_YAMUX_WINDOW,
           "an offset past its limit");
}


int
main(void)
{
    test_round_trip();
    test_errors();
    test_credit();

    return tap_done();
}
