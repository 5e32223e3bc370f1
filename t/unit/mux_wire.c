/*
 * The mux session against frames made by hand: each error, floods, and what is
 * written itself.
 */

#include "mux_pair.h"


/* Feeds the script in pieces of step bytes, 0: whole, to a new session. */
static int
feed(const struct inlets_mux_conf *conf, size_t step, unsigned opens,
    uint32_t *ret_stream)
{
    int                        rc = 0;
    size_t                     n;
    unsigned                   ev;
    uint8_t                   *copy;
    struct inlets_mux         *m = inlets_mux_create(conf);
    struct inlets_mux_stream  *s;

    while (opens-- > 0) {
        s = inlets_mux_open(m);
        inlets_mux_write(s, "x", 1);
    }

    for (size_t at = 0; at < script_len && rc == 0; at += n) {
        n = step != 0 && step < script_len - at ? step : script_len - at;
        copy = malloc(n);
        memcpy(copy, script + at, n);
        rc = inlets_mux_input(m, copy, n, 1000000);
        free(copy);
    }

    *ret_stream = inlets_mux_error_stream(m);

    if (rc != 0) {
        rc = inlets_mux_input(m, NULL, 0, 0) == rc ? rc : -1000;

        for (uint32_t i = inlets_mux_streams(m); i > 0 && rc != -1000; i--) {
            s = inlets_mux_next(m, &ev);

            if (s == NULL || !(ev & INLETS_MUX_EV_READ)
                || inlets_mux_read(s, &ev, 1) != INLETS_MUX_RESET)
            {
                rc = -1000;
            }
        }

        if (inlets_mux_open(m) != NULL) {
            rc = -1000;
        }
    }

    inlets_mux_destroy(m);

    return rc;
}


static void
expect(enum inlets_mux_carrier carrier, bool accept, unsigned opens,
    int expected, uint32_t stream, const char *name)
{
    int                     rc;
    bool                    same = true;
    uint32_t                id = 0;
    struct inlets_mux_conf  conf = conf_of(carrier, false, accept);

    rc = feed(&conf, 0, opens, &id);
    is_int(rc, expected, name);
    is_int(id, stream, "at the stream");

    for (size_t step = 1; step < 30 && script_len < 2000; step++) {
        same &= feed(&conf, step, opens, &id) == rc && id == stream;
    }

    ok(same, "whatever the pieces");
    script_len = 0;
}


static void
test_yamux_errors(void)
{
    const enum inlets_mux_carrier  raw = INLETS_MUX_RAW;

    put_bytes("\1\0\0\0\0\0\0\1\0\0\0\0", 12);
    expect(raw, true, 0, INLETS_E_YAMUX_VERSION, 0, "version");

    put_bytes("\0\4\0\0\0\0\0\1\0\0\0\0", 12);
    expect(raw, true, 0, INLETS_E_YAMUX_TYPE, 0, "type");

    put_bytes("\0\0\1\0\0\0\0\1\0\0\0\0", 12);
    expect(raw, true, 0, INLETS_E_YAMUX_FLAGS, 0, "flags");

    put_bytes("\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    expect(raw, true, 0, INLETS_E_YAMUX_STREAM_ID, 0, "stream zero");

    put(INLETS_YAMUX_DATA, INLETS_YAMUX_SYN, 2, 0);
    expect(raw, true, 0, INLETS_E_YAMUX_STREAM_ID, 2, "SYN of our parity");

    put(INLETS_YAMUX_DATA, 0, 2, 1);
    expect(raw, true, 0, INLETS_E_YAMUX_STREAM_ID, 2, "ours, never opened");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_RST, 1, 0);
    expect(raw, true, 0, INLETS_E_YAMUX_STREAM_ID, 1, "theirs, never opened");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);
    expect(raw, false, 1, INLETS_E_YAMUX_UNWANTED, 1, "unwanted");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);
    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);
    expect(raw, true, 0, INLETS_E_YAMUX_DUPLICATE, 1, "SYN twice");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);
    put(INLETS_YAMUX_DATA, 0, 1, INLETS_MUX_WINDOW + 1);
    expect(raw, true, 1, INLETS_E_YAMUX_WINDOW, 1, "past the window");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1,
        UINT32_MAX - INLETS_MUX_WINDOW);
    put(INLETS_YAMUX_WINDOW, 0, 1, 1);
    expect(raw, true, 1, INLETS_E_YAMUX_CREDIT, 1, "credit past 32 bits");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1,
        UINT32_MAX - INLETS_MUX_WINDOW);
    expect(raw, true, 1, 0, 0, "all of 32 bits is fine");

    put(INLETS_YAMUX_DATA, INLETS_YAMUX_SYN | INLETS_YAMUX_FIN, 1, 1);
    put_bytes("x", 1);
    put(INLETS_YAMUX_DATA, 0, 1, 1);
    put_bytes("x", 1);
    expect(raw, true, 1, INLETS_E_YAMUX_DATA_AFTER_FIN, 1, "data after FIN");

    put(INLETS_YAMUX_GO_AWAY, 0, 0, INLETS_YAMUX_PROTOCOL_ERROR);
    expect(raw, true, 1, INLETS_E_YAMUX_GO_AWAY, 0, "protocol error");

    put(INLETS_YAMUX_GO_AWAY, 0, 0, INLETS_YAMUX_NORMAL);
    put(INLETS_YAMUX_PING, INLETS_YAMUX_ACK, 0, 7);
    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 10);
    put(INLETS_YAMUX_DATA, 0, 1, 3);
    put_bytes("abc", 3);
    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_RST, 1, 0);
    put(INLETS_YAMUX_DATA, 0, 1, 3);
    put_bytes("abc", 3);
    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_FIN, 1, 0);
    put(INLETS_YAMUX_DATA, INLETS_YAMUX_SYN | INLETS_YAMUX_RST, 9, 3);
    put_bytes("abc", 3);
    put(INLETS_YAMUX_DATA, INLETS_YAMUX_SYN, 5, 3);
    put_bytes("abc", 3);
    put(INLETS_YAMUX_DATA, 0, 7, 1);
    put_bytes("x", 1);
    expect(raw, true, 1, 0, 0, "frames for what is gone are ignored");
}


static void
test_ws_errors(void)
{
    const enum inlets_mux_carrier  ws = INLETS_MUX_WS_SERVER;

    put_ws(INLETS_WS_BINARY, true, "", 0, false);
    expect(ws, true, 1, INLETS_E_WS_MASK, 0, "not masked by a client");

    put_ws(INLETS_WS_BINARY, true, "", 0, true);
    expect(INLETS_MUX_WS_CLIENT, true, 1, INLETS_E_WS_MASK, 0,
           "masked by a server");

    put_ws(INLETS_WS_TEXT, true, "hi", 2, true);
    expect(ws, true, 1, INLETS_E_WS_NOT_BINARY, 0, "text");

    put_ws(INLETS_WS_CONTINUATION, true, "", 0, true);
    expect(ws, true, 1, INLETS_E_WS_CONTINUATION, 0, "stray continuation");

    put_ws(INLETS_WS_BINARY, false, "", 0, true);
    put_ws(INLETS_WS_BINARY, true, "", 0, true);
    expect(ws, true, 1, INLETS_E_WS_CONTINUATION, 0, "start in a message");

    put_bytes("\xd2", 1);
    expect(ws, true, 1, INLETS_E_WS_RESERVED_BITS, 0, "reserved bits");

    put_bytes("\x83", 1);
    expect(ws, true, 1, INLETS_E_WS_OPCODE, 0, "opcode");

    put_bytes("\x89\xfe", 2);
    expect(ws, true, 1, INLETS_E_WS_CONTROL, 0, "long ping");

    put_bytes("\x82\xfe\0\x01", 4);
    expect(ws, true, 1, INLETS_E_WS_LENGTH, 0, "length not minimal");

    put_ws(INLETS_WS_CLOSE, true, "x", 1, true);
    expect(ws, true, 1, INLETS_E_WS_CLOSE, 0, "bad Close");

    put_ws(INLETS_WS_CLOSE, true, "\3\350\xff", 3, true);
    expect(ws, true, 1, INLETS_E_WS_UTF8, 0, "Close not in UTF-8");

    /* yamux frames across messages and fragments, controls between */

    put_ws(INLETS_WS_BINARY, false, "\0\0\0\1\0", 5, true);
    put_ws(INLETS_WS_PING, true, "p", 1, true);
    put_ws(INLETS_WS_CONTINUATION, true, "\0\0\1\0\0\0", 6, true);
    put_ws(INLETS_WS_PONG, true, "unasked", 7, true);
    put_ws(INLETS_WS_BINARY, true, "\3ab", 3, true);
    put_ws(INLETS_WS_BINARY, true, "c\0\1\0\4\0\0\0\1\0\0\0\0", 13, true);
    expect(ws, true, 1, 0, 0, "any split of frames over messages");
}


static void
test_floods(void)
{
    const enum inlets_mux_carrier  raw = INLETS_MUX_RAW;

    for (unsigned i = 0; i < 1000; i++) {
        put(INLETS_YAMUX_PING, INLETS_YAMUX_SYN, 0, i);
    }

    expect(raw, true, 1, INLETS_E_MUX_FLOOD, 0, "pings");

    for (unsigned i = 0; i < 1000; i++) {
        put(INLETS_YAMUX_PING, INLETS_YAMUX_ACK, 0, i);
    }

    expect(raw, true, 1, INLETS_E_MUX_FLOOD, 0, "answers to no ping");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);

    for (unsigned i = 0; i < 10000; i++) {
        put(INLETS_YAMUX_DATA, 0, 1, 0);
    }

    expect(raw, true, 1, INLETS_E_MUX_FLOOD, 1, "empty frames");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);

    for (unsigned i = 0; i < 10000; i++) {
        put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_ACK, 1, 0);
    }

    expect(raw, true, 1, INLETS_E_MUX_FLOOD, 1, "ACKs");

    put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 1, 0);

    for (unsigned i = 0; i < 10000; i++) {
        put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_FIN, 1, 0);
    }

    expect(raw, true, 1, INLETS_E_MUX_FLOOD, 1, "FINs");

    for (unsigned i = 0; i < 1000; i++) {
        put_ws(INLETS_WS_PING, true, "", 0, true);
    }

    expect(INLETS_MUX_WS_SERVER, true, 1, INLETS_E_MUX_FLOOD, 0,
           "WebSocket pings");

    for (unsigned i = 0; i < 10000; i++) {
        put_ws(INLETS_WS_BINARY, true, "", 0, true);
    }

    expect(INLETS_MUX_WS_SERVER, true, 1, INLETS_E_MUX_FLOOD, 0,
           "empty messages");
}


/* Opens and resets for ever, the answers not read. */
static void
test_churn(bool reset)
{
    int                        rc = 0;
    unsigned                   ev, i;
    struct inlets_mux         *m;
    struct inlets_mux_conf     conf = conf_of(INLETS_MUX_RAW, false, true);
    struct inlets_mux_stream  *s;

    mem_peak = 0;
    m = inlets_mux_create(&conf);

    for (i = 0; i < 500000 && rc == 0; i++) {
        script_len = 0;
        put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_SYN, 2 * i + 1, 0);

        if (reset) {
            put(INLETS_YAMUX_WINDOW, INLETS_YAMUX_RST, 2 * i + 1, 0);
        }

        rc = inlets_mux_input(m, script, script_len, 1 + i);

        while (rc == 0 && (s = inlets_mux_next(m, &ev)) != NULL) {
            inlets_mux_release(s);
        }
    }

    is_int(rc, INLETS_E_MUX_FLOOD, reset ? "opens and resets" : "opens");
    ok(mem_peak < 2 * 65536 + TX_MAX + 10 * INLETS_MUX_BLOCK,
       "memory stays bounded");
    ok(inlets_mux_pending(m), "the peer is told");
    inlets_mux_destroy(m);
    is_int(mem_used, 0, "no leak");
    script_len = 0;
    mem_peak = 0;
}


/* What a session says on the wire, byte by byte. */
static void
test_output(void)
{
    size_t                     n;
    struct iovec               iov[8];
    struct inlets_mux         *m;
    struct inlets_mux_conf     conf;
    struct inlets_mux_stream  *s;

    conf = conf_of(INLETS_MUX_WS_SERVER, false, false);
    m = inlets_mux_create(&conf);
    s = inlets_mux_open(m);
    inlets_mux_write(s, "ab", 2);
    inlets_mux_write(s, "cd", 2);
    inlets_mux_shutdown(s);
    inlets_mux_ping(m, now_us);

    n = inlets_mux_output(m, iov, 8);
    is_int(n, 2, "control and data");
    is_int(iov[0].iov_len, 14, "one ping");
    is_mem(iov[0].iov_base, "\x82\x0c\0\2\0\1\0\0\0\0\0\0\0\1", 14,
           "goes first");
    is_int(iov[1].iov_len, 30, "two frames");
    is_mem(iov[1].iov_base, "\x82\x1c\0\0\0\1\0\0\0\2\0\0\0\4abcd"
           "\0\1\0\4\0\0\0\2\0\0\0\0", 30, "two writes in one, and FIN");

    /* what was shown keeps its place */

    inlets_mux_go_away(m);
    n = inlets_mux_output(m, iov, 8);
    is_int(n, 3, "one more");
    is_int(iov[1].iov_len, 30, "behind what was shown");
    is_int(iov[2].iov_len, 26, "two frames");
    is_mem(iov[2].iov_base, "\x82\x18\0\3\0\0\0\0\0\0\0\0\0\0"
           "\0\2\0\1\0\0\0\0\0\0\0\0", 26, "go away, and who knows it");
    inlets_mux_sent(m, 15);
    n = inlets_mux_output(m, iov, 8);
    is_int(iov[0].iov_len, 29, "a byte of it is gone");
    is_int(inlets_mux_queued(m), 29 + 26, "queued");
    inlets_mux_sent(m, 29 + 26);
    ok(!inlets_mux_pending(m), "all gone");
    inlets_mux_destroy(m);

    conf.window_max = INLETS_MUX_WINDOW - 1;
    ok(inlets_mux_create(&conf) == NULL, "window_max too small");
    conf = conf_of(INLETS_MUX_WS_CLIENT, true, true);
    conf.random = NULL;
    ok(inlets_mux_create(&conf) == NULL, "masks need random");
    conf = conf_of(INLETS_MUX_RAW, true, true);
    conf.tx_max = 2 * INLETS_MUX_BLOCK - 1;
    ok(inlets_mux_create(&conf) == NULL, "tx_max too small");
    is_int(mem_used, 0, "no leak");
}


int
main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);

    test_yamux_errors();
    test_ws_errors();
    test_floods();
    test_churn(false);
    test_churn(true);
    test_output();

    is_int(mem_bad, 0, "free() got the sizes of alloc()");

    return tap_done();
}
