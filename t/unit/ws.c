/* WebSocket frames, masks, UTF-8, Close payloads and the reader. */

#include <stdlib.h>

#include "inlets_ws.h"
#include "tap.h"


static const uint8_t  key[4] = { 0x37, 0xfa, 0x21, 0x3d };


static int
parse(const char *bytes, size_t len)
{
    struct inlets_ws_frame  f;

    return inlets_ws_frame_parse((const uint8_t *) bytes, len, &f);
}


static void
test_header(void)
{
    int                     n;
    bool                    same = true, split = true, exact = true;
    uint8_t                 buf[INLETS_WS_HEADER_MAX];
    struct inlets_ws_frame  f, g;
    static const uint64_t   lengths[] = {
        0, 1, 125, 126, 127, 65535, 65536, 1ull << 32, INT64_MAX
    };

    for (unsigned i = 0; i < 2 * sizeof(lengths) / sizeof(lengths[0]); i++) {
        memset(&f, 0, sizeof(f));
        f.length = lengths[i / 2];
        f.opcode = i % 3;
        f.fin = i % 5 != 0;
        f.masked = i % 2;

        if (f.masked) {
            memcpy(f.mask, key, 4);
        }

        n = inlets_ws_frame_write(buf, sizeof(buf), &f);
        exact &= n == (int) inlets_ws_header_size(f.length, f.masked);
        exact &= inlets_ws_frame_write(buf, (size_t) n - 1, &f)
                 == INLETS_E_NO_SPACE;

        same &= inlets_ws_frame_parse(buf, (size_t) n, &g) == n;
        same &= f.length == g.length && f.opcode == g.opcode
                && f.fin == g.fin && f.masked == g.masked
                && memcmp(f.mask, g.mask, 4) == 0;

        for (int k = 0; k < n; k++) {
            split &= inlets_ws_frame_parse(buf, (size_t) k, &g)
                     == INLETS_NEED_MORE;
        }
    }

    ok(same, "round trip");
    ok(split, "a part of a header needs more");
    ok(exact, "the header's size is known, and no byte less will do");

    is_int(parse("\xc2", 1), INLETS_E_WS_RESERVED_BITS, "RSV1");
    is_int(parse("\xa2", 1), INLETS_E_WS_RESERVED_BITS, "RSV2");
    is_int(parse("\x92", 1), INLETS_E_WS_RESERVED_BITS, "RSV3");
    is_int(parse("\x83", 1), INLETS_E_WS_OPCODE, "opcode 3");
    is_int(parse("\x8f", 1), INLETS_E_WS_OPCODE, "opcode 15");
    is_int(parse("\x09", 1), INLETS_E_WS_CONTROL, "fragmented ping");
    is_int(parse("\x89\x7e", 2), INLETS_E_WS_CONTROL, "long ping");
    is_int(parse("\x82\x7e\0\x7d", 4), INLETS_E_WS_LENGTH, "16 bits for 125");
    is_int(parse("\x82\x7f\0\0\0\0\0\0\xff\xff", 10), INLETS_E_WS_LENGTH,
           "64 bits for 65535");
    is_int(parse("\x82\x7f\x80\0\0\0\0\0\0\0", 10), INLETS_E_WS_LENGTH,
           "the top bit");

    memset(&f, 0, sizeof(f));
    f.opcode = INLETS_WS_PING;
    is_int(inlets_ws_frame_write(buf, sizeof(buf), &f), INLETS_E_INVALID,
           "no fragmented ping is written");
    f.fin = true;
    f.length = 126;
    is_int(inlets_ws_frame_write(buf, sizeof(buf), &f), INLETS_E_INVALID,
           "nor a long one");
    f.opcode = 3;
    is_int(inlets_ws_frame_write(buf, sizeof(buf), &f), INLETS_E_INVALID,
           "nor an unknown opcode");
}


static void
test_mask(void)
{
    bool      good = true, pieces = true;
    uint8_t   buf[160], expected[160];

    for (unsigned start = 0; start < 9; start++) {
        for (unsigned len = 0; len < 130; len++) {
            for (unsigned offset = 0; offset < 5; offset++) {
                for (unsigned i = 0; i < sizeof(buf); i++) {
                    buf[i] = expected[i] = (uint8_t) (i * 7);
                }

                for (unsigned i = 0; i < len; i++) {
                    expected[start + i] ^= key[(offset + i) % 4];
                }

                inlets_ws_mask(buf + start, len, key, offset);
                good &= memcmp(buf, expected, sizeof(buf)) == 0;
            }
        }
    }

    ok(good, "every alignment, length and offset");

    for (unsigned cut = 0; cut <= 100; cut++) {
        memset(buf, 'x', 100);
        memset(expected, 'x', 100);
        inlets_ws_mask(expected, 100, key, 0);
        inlets_ws_mask(buf, cut, key, 0);
        inlets_ws_mask(buf + cut, 100 - cut, key, cut);
        pieces &= memcmp(buf, expected, 100) == 0;
    }

    ok(pieces, "two pieces, cut anywhere");

    /* RFC 6455, 5.7 */

    is_int(inlets_ws_message_write(buf, sizeof(buf), INLETS_WS_TEXT, "Hello",
                                   5, key), 11, "the masked example");
    is_mem(buf, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11,
           "is as in the RFC");
    is_int(inlets_ws_message_write(buf, sizeof(buf), INLETS_WS_TEXT, "Hello",
                                   5, NULL), 7, "the plain example");
    is_mem(buf, "\x81\x05Hello", 7, "is as in the RFC");
    is_int(inlets_ws_message_write(buf, 6, INLETS_WS_TEXT, "Hello", 5, NULL),
           INLETS_E_NO_SPACE, "no space for the payload");
    is_int(inlets_ws_message_write(buf, 1, INLETS_WS_TEXT, "Hello", 5, NULL),
           INLETS_E_NO_SPACE, "nor for the header");
    is_int(inlets_ws_message_write(buf, 160, INLETS_WS_CONTINUATION, "x", 1,
                                   NULL), INLETS_E_INVALID,
           "no message starts as a continuation");
}


static int
utf8(const char *s, size_t len)
{
    int                 rc, rc2 = 0;
    struct inlets_utf8  u = { 0 }, v = { 0 };

    rc = inlets_utf8_feed(&u, s, len);

    for (size_t i = 0; i < len && rc2 == 0; i++) {
        rc2 = inlets_utf8_feed(&v, s + i, 1);
    }

    if (rc != rc2 || (rc == 0 && inlets_utf8_complete(&u)
                                 != inlets_utf8_complete(&v)))
    {
        return -1000;
    }

    return rc != 0 ? rc : inlets_utf8_complete(&u) ? 0 : 1;
}


static void
test_utf8(void)
{
    unsigned  bad = 0;
    char      s[5];
    size_t    n;
    static const struct {
        const char  *text;
        int          expected;
    } cases[] = {
        { "plain", 0 },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0 },
        { "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf", 0 },
        { "\xc3", 1 },
        { "\xe2\x82", 1 },
        { "\x80", INLETS_E_WS_UTF8 },
        { "\xc0\x80", INLETS_E_WS_UTF8 },
        { "\xc1\xbf", INLETS_E_WS_UTF8 },
        { "\xe0\x9f\xbf", INLETS_E_WS_UTF8 },
        { "\xed\xa0\x80", INLETS_E_WS_UTF8 },
        { "\xf0\x8f\xbf\xbf", INLETS_E_WS_UTF8 },
        { "\xf4\x90\x80\x80", INLETS_E_WS_UTF8 },
        { "\xf5\x80\x80\x80", INLETS_E_WS_UTF8 },
        { "\xff", INLETS_E_WS_UTF8 },
        { "\xe2\x28\xa1", INLETS_E_WS_UTF8 },
        { "\xc3x", INLETS_E_WS_UTF8 }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is_int(utf8(cases[i].text, strlen(cases[i].text)), cases[i].expected,
               "UTF-8, whole and byte by byte");
    }

    for (uint32_t c = 0x80; c < 0x110000; c += 0x25) {
        if (c >= 0xd800 && c < 0xe000) {
            continue;
        }

        n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

        for (size_t i = n; i > 1; i--) {
            s[i - 1] = (char) (0x80 | ((c >> 6 * (n - i)) & 0x3f));
        }

        s[0] = (char) ((0xf00 >> n) | (c >> 6 * (n - 1)));
        bad += utf8(s, n) != 0;
    }

    is_int(bad, 0, "characters of every plane");
}


static void
test_close(void)
{
    int          n;
    size_t       len;
    char         text[200];
    uint8_t      buf[INLETS_WS_CONTROL_MAX];
    uint16_t     code = 0;
    const char  *reason;

    n = inlets_ws_close_write(buf, sizeof(buf), 1001, "going");
    is_int(n, 7, "code and reason written");
    is_int(inlets_ws_close_parse(buf, 7, &code, &reason, &len), 0, "parsed");
    ok(code == 1001 && len == 5 && memcmp(reason, "going", 5) == 0, "same");

    is_int(inlets_ws_close_parse(buf, 0, &code, &reason, &len), 0, "empty");
    is_int(code, INLETS_WS_CLOSE_NO_STATUS, "is no status");
    is_int(inlets_ws_close_write(buf, sizeof(buf), 1005, "x"), 0,
           "no status is written as nothing");
    is_int(inlets_ws_close_parse(buf, 1, &code, &reason, &len),
           INLETS_E_WS_CLOSE, "one byte");
    is_int(inlets_ws_close_parse((const uint8_t *) "\3\356", 2, &code,
                                 &reason, &len), INLETS_E_WS_CLOSE,
           "code 1006 is not for the wire");
    is_int(inlets_ws_close_parse((const uint8_t *) "\3\350\xff", 3, &code,
                                 &reason, &len), INLETS_E_WS_UTF8,
           "a reason that is not UTF-8");
    is_int(inlets_ws_close_parse((const uint8_t *) "\3\350\xc3", 3, &code,
                                 &reason, &len), INLETS_E_WS_UTF8,
           "a reason cut in a character");
    is_int(inlets_ws_close_write(buf, sizeof(buf), 999, NULL),
           INLETS_E_INVALID, "no bad code is written");
    is_int(inlets_ws_close_write(buf, 1, 1000, NULL), INLETS_E_NO_SPACE,
           "no space");

    memset(text, 'a', sizeof(text));
    text[199] = '\0';
    is_int(inlets_ws_close_write(buf, sizeof(buf), 1000, text), 125,
           "a long reason is cut");

    memcpy(text + 122, "\xc3\xa4", 2);
    is_int(inlets_ws_close_write(buf, sizeof(buf), 1000, text), 124,
           "not within a character");
    text[124] = '\0';
    text[122] = text[123] = 'a';
    text[123] = '\0';
    is_int(inlets_ws_close_write(buf, sizeof(buf), 1000, text), 125,
           "123 bytes fit");

    ok(inlets_ws_close_code_valid(1000) && inlets_ws_close_code_valid(4999)
       && !inlets_ws_close_code_valid(1005) && !inlets_ws_close_code_valid(0)
       && !inlets_ws_close_code_valid(2999)
       && !inlets_ws_close_code_valid(5000), "codes");
    is_int(inlets_ws_close_code(INLETS_E_WS_UTF8), 1007, "code for UTF-8");
    is_int(inlets_ws_close_code(INLETS_E_WS_NOT_BINARY), 1003,
           "code for a text message");
    is_int(inlets_ws_close_code(INLETS_E_WS_OPCODE), 1002, "code for others");
}


/* A script of frames, and what the reader makes of them. */

static uint8_t  wire[4096];
static size_t   wire_len;


static void
frame(uint8_t opcode, bool fin, const char *data, bool masked)
{
    int                     n;
    size_t                  len = strlen(data);
    struct inlets_ws_frame  f = { .opcode = opcode, .fin = fin,
                                  .length = len, .masked = masked };

    memcpy(f.mask, key, 4);
    n = inlets_ws_frame_write(wire + wire_len, sizeof(wire) - wire_len, &f);
    wire_len += (size_t) n;
    memcpy(wire + wire_len, data, len);

    if (masked) {
        inlets_ws_mask(wire + wire_len, len, key, 0);
    }

    wire_len += len;
}


/* Reads the wire in pieces; writes "T:text;" for each item. */
static int
run(bool masked, size_t size, size_t cut, size_t step, char *log)
{
    size_t                   at = 0, end, log_len = 0;
    uint8_t                 *buf = malloc(size ? size : 1);
    ptrdiff_t                n;
    struct inlets_ws_item    item;
    struct inlets_ws_reader  r;

    inlets_ws_reader_init(&r, buf, size, masked);

    while (at < wire_len) {
        end = step != 0 ? at + step : at < cut ? cut : wire_len;
        end = end < wire_len ? end : wire_len;

        n = inlets_ws_read(&r, wire + at, end - at, &item);

        if (n < 0) {
            free(buf);
            log[log_len] = '\0';
            return (int) n;
        }

        at += (size_t) n;

        if (item.opcode != INLETS_WS_NONE) {
            log[log_len++] = "-TB-----CPO"[item.opcode];
            log[log_len++] = ':';
            memcpy(log + log_len, item.data, item.len);
            log_len += item.len;
            log[log_len++] = ';';
        }
    }

    free(buf);
    log[log_len] = '\0';

    return 0;
}


static void
test_reader_role(bool masked)
{
    bool  split = true, steps = true;
    char  log[4096], expected[4096];

    wire_len = 0;
    frame(INLETS_WS_TEXT, true, "one", masked);
    frame(INLETS_WS_TEXT, true, "", masked);
    frame(INLETS_WS_BINARY, false, "fr", masked);
    frame(INLETS_WS_PING, true, "between", masked);
    frame(INLETS_WS_CONTINUATION, false, "", masked);
    frame(INLETS_WS_CONTINUATION, false, "agm", masked);
    frame(INLETS_WS_PONG, true, "", masked);
    frame(INLETS_WS_CONTINUATION, true, "ents", masked);
    frame(INLETS_WS_TEXT, false, "\xe2\x82", masked);
    frame(INLETS_WS_CONTINUATION, true, "\xac", masked);
    frame(INLETS_WS_CLOSE, true, "\3\350bye", masked);
    frame(INLETS_WS_TEXT, true, "swallowed", masked);

    is_int(run(masked, 9, 0, 0, expected), 0, "script read");
    is_str(expected, "T:one;T:;P:between;O:;B:fragments;T:\xe2\x82\xac;"
                     "C:\3\350bye;", "items");

    for (size_t cut = 0; cut <= wire_len; cut++) {
        split &= run(masked, 9, cut, 0, log) == 0
                 && strcmp(log, expected) == 0;
    }

    for (size_t step = 1; step < 20; step++) {
        steps &= run(masked, 9, 0, step, log) == 0
                 && strcmp(log, expected) == 0;
    }

    ok(split, "cut at every byte");
    ok(steps, "in pieces of every size");

    is_int(run(masked, 8, 0, 0, log), INLETS_E_WS_LENGTH,
           "a message of many frames that is too long");
    is_int(run(!masked, 9, 0, 0, log), INLETS_E_WS_MASK, "the other role");
}


static void
test_reader_errors(void)
{
    char  log[4096];

    wire_len = 0;
    frame(INLETS_WS_CONTINUATION, true, "x", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_CONTINUATION,
           "a continuation of nothing");

    wire_len = 0;
    frame(INLETS_WS_TEXT, false, "x", false);
    frame(INLETS_WS_TEXT, true, "y", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_CONTINUATION,
           "a start within a message");

    wire_len = 0;
    frame(INLETS_WS_TEXT, true, "x\xff", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_UTF8, "text not in UTF-8");

    wire_len = 0;
    frame(INLETS_WS_TEXT, true, "x\xc3", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_UTF8,
           "text that ends in a character");

    wire_len = 0;
    frame(INLETS_WS_BINARY, true, "x\xff", false);
    is_int(run(false, 10, 0, 1, log), 0, "binary may be anything");

    wire_len = 0;
    frame(INLETS_WS_CLOSE, true, "x", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_CLOSE, "a bad Close");

    wire_len = 0;
    frame(INLETS_WS_BINARY, true, "12345678901", false);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_LENGTH, "too long");

    wire_len = 10;
    memcpy(wire, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10);
    is_int(run(false, 10, 0, 1, log), INLETS_E_WS_LENGTH, "the longest");
}


int
main(void)
{
    test_header();
    test_mask();
    test_utf8();
    test_close();
    test_reader_role(true);
    test_reader_role(false);
    test_reader_errors();

    return tap_done();
}
