/*
 * A mux session under a script: bytes and frames from a peer, calls of an
 * owner, a carrier that takes what it likes, an allocator that fails.  Looks
 * for crashes, leaks, unbounded memory and broken promises of the header.
 *
 * The first byte chooses carrier and role, the second the script's allocation
 * that fails; then come steps of one byte, with operands.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "inlets_mux.h"
#include "inlets_ws.h"
#include "inlets_yamux.h"


#define STREAMS  8
#define TX_MAX   (2 * INLETS_MUX_BLOCK)


struct script {
    const uint8_t             *data;
    size_t                     len;
    struct inlets_mux         *m;
    struct inlets_mux_stream  *streams[STREAMS];
    enum inlets_mux_carrier    carrier;
    uint64_t                   now_us;
    size_t                     used;
    unsigned                   calls;
    unsigned                   fail_at;
};


static void *
script_alloc(void *ctx, size_t size)
{
    void           *p;
    struct script  *sc = ctx;

    if (++sc->calls == sc->fail_at) {
        return NULL;
    }

    p = malloc(size);

    if (p != NULL) {
        sc->used += size;
        memset(p, 0x5a, size);
    }

    return p;
}


static void
script_free(void *ctx, void *p, size_t size)
{
    struct script  *sc = ctx;

    sc->used -= size;
    free(p);
}


static void
script_random(void *ctx, void *buf, size_t size)
{
    (void) ctx;
    memset(buf, 0x17, size);
}


static uint8_t
byte(struct script *sc)
{
    if (sc->len == 0) {
        return 0;
    }

    sc->len--;

    return *sc->data++;
}


static uint32_t
number(struct script *sc)
{
    static const uint32_t  special[] = {
        0, 1, INLETS_MUX_WINDOW / 2, INLETS_MUX_WINDOW - 1, INLETS_MUX_WINDOW,
        INLETS_MUX_WINDOW + 1, UINT32_MAX - INLETS_MUX_WINDOW, UINT32_MAX
    };
    uint8_t  b = byte(sc);

    return b < 8 ? special[b] : b < 128 ? b : (uint32_t) (b << 8 | byte(sc));
}


static void
input(struct script *sc, const uint8_t *p, size_t len)
{
    int       rc;
    uint8_t  *copy = malloc(len + 1);

    memcpy(copy, p, len);
    rc = inlets_mux_input(sc->m, copy, len, sc->now_us);
    free(copy);

    if (rc > 0 || (rc < 0 && !inlets_mux_closing(sc->m))) {
        abort();
    }
}


/* Wrapped into messages as the carrier wants them. */
static void
input_payload(struct script *sc, const uint8_t *p, size_t len)
{
    int       n;
    bool      masked = sc->carrier == INLETS_MUX_WS_SERVER;
    uint8_t  *buf;

    if (sc->carrier == INLETS_MUX_RAW) {
        input(sc, p, len);
        return;
    }

    buf = malloc(len + INLETS_WS_HEADER_MAX);
    n = inlets_ws_message_write(buf, len + INLETS_WS_HEADER_MAX,
                                INLETS_WS_BINARY, p, len,
                                masked ? (const uint8_t *) "\1\2\3\4" : NULL);
    if (n < 0) {
        abort();
    }

    input(sc, buf, (size_t) n);
    free(buf);
}


static void
input_frame(struct script *sc)
{
    size_t                     len;
    static uint8_t             buf[INLETS_YAMUX_HEADER + 70000];
    struct inlets_yamux_frame  f;

    f.type = byte(sc) % 4;
    f.flags = byte(sc) & 0xf;
    f.stream = f.type < 2 ? byte(sc) % 20 : 0;
    f.length = number(sc);

    (void) inlets_yamux_write(buf, sizeof(buf), &f);
    len = INLETS_YAMUX_HEADER;

    if (f.type == INLETS_YAMUX_DATA && f.length <= 70000) {
        len += f.length;
    }

    input_payload(sc, buf, len);
}


static void
input_control(struct script *sc)
{
    int             n;
    bool            masked = sc->carrier == INLETS_MUX_WS_SERVER;
    uint8_t         buf[140];
    static uint8_t  zero[125] = { 3, 0xe8 };
    uint8_t         opcode = 8 + byte(sc) % 3;
    size_t          len = byte(sc) % 126;

    n = inlets_ws_message_write(buf, sizeof(buf), opcode, zero, len,
                                masked ? (const uint8_t *) "\1\2\3\4" : NULL);
    if (n > 0 && sc->carrier != INLETS_MUX_RAW) {
        input(sc, buf, (size_t) n);
    }
}


static void
events(struct script *sc)
{
    unsigned                   ev, n = 0;
    struct inlets_mux_stream  *s;

    while ((s = inlets_mux_next(sc->m, &ev)) != NULL) {
        if (ev == 0 || ++n > 10000) {
            abort();
        }

        if (ev & INLETS_MUX_EV_OPEN) {
            for (n = 0; n < STREAMS && sc->streams[n] != NULL; n++) {
                /* void */
            }

            if (n == STREAMS) {
                inlets_mux_release(s);

            } else {
                sc->streams[n] = s;

                if (n % 2 == 0) {
                    inlets_mux_accept(s);
                }
            }
        }
    }
}


static void
output(struct script *sc, size_t most)
{
    size_t         n, total = 0;
    struct iovec   iov[4];

    n = inlets_mux_output(sc->m, iov, 4);

    for (size_t i = 0; i < n; i++) {
        if (iov[i].iov_len == 0 || iov[i].iov_len > INLETS_MUX_BLOCK) {
            abort();
        }

        total += iov[i].iov_len;
    }

    if ((n != 0) != inlets_mux_pending(sc->m)
        && inlets_mux_pending(sc->m))
    {
        abort();
    }

    inlets_mux_sent(sc->m, total < most ? total : most);
}


static void
use_stream(struct script *sc, unsigned call)
{
    unsigned                    i = byte(sc) % STREAMS;
    size_t                      len;
    ssize_t                     n;
    uint8_t                    *room;
    const uint8_t              *p;
    static uint8_t              buf[70000];
    struct inlets_mux_stream  **s = &sc->streams[i];

    if (*s == NULL) {
        if (call == 0) {
            *s = inlets_mux_open(sc->m);
        }

        return;
    }

    switch (call) {

    case 0:
    case 1:
        len = number(sc) % sizeof(buf);
        n = inlets_mux_write(*s, buf, len);

        if (n > (ssize_t) len) {
            abort();
        }

        break;

    case 2:
        n = inlets_mux_reserve(*s, &room);

        if (n > 0) {
            memset(room, 'x', (size_t) n);
            inlets_mux_commit(*s, (size_t) byte(sc) * (size_t) n / 255);
        }

        break;

    case 3:
        len = inlets_mux_unread(*s);
        n = inlets_mux_read(*s, buf, number(sc) % sizeof(buf));

        if (n > 0 && inlets_mux_unread(*s) != len - (size_t) n) {
            abort();
        }

        break;

    case 4:
        n = inlets_mux_peek(*s, &p);

        if (n > 0) {
            inlets_mux_consume(*s, (size_t) byte(sc) * (size_t) n / 255);
        }

        break;

    case 5:
        inlets_mux_shutdown(*s);
        break;

    case 6:
        inlets_mux_reset(*s);
        break;

    case 7:
        if (inlets_mux_is_refused(*s) && !inlets_mux_is_reset(*s)) {
            abort();
        }

        inlets_mux_release(*s);
        *s = NULL;
        break;
    }
}


static void
step(struct script *sc)
{
    size_t   n;
    uint8_t  op = byte(sc);

    sc->now_us += op;

    switch (op % 24) {

    case 0:
        n = byte(sc);
        n = n < sc->len ? n : sc->len;
        input(sc, sc->data, n);
        sc->data += n;
        sc->len -= n;
        break;

    case 1:
        n = byte(sc) % 32;
        n = n < sc->len ? n : sc->len;
        input_payload(sc, sc->data, n);
        sc->data += n;
        sc->len -= n;
        break;

    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        input_frame(sc);
        break;

    case 7:
        input_control(sc);
        break;

    case 8:
        output(sc, byte(sc));
        break;

    case 9:
        output(sc, SIZE_MAX);
        break;

    case 10:
        sc->now_us += (uint64_t) byte(sc) << 14;
        break;

    case 11:
        (void) inlets_mux_ping(sc->m, sc->now_us);
        break;

    case 12:
        inlets_mux_go_away(sc->m);
        break;

    case 13:
        if (byte(sc) % 8 == 0) {
            inlets_mux_close(sc->m, 1000, "end");
        }

        break;

    case 14:
        if (byte(sc) % 8 == 0) {
            inlets_mux_abort(sc->m);
        }

        break;

    case 15:
        events(sc);
        break;

    default:
        use_stream(sc, op % 24 - 16);
    }
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t                  head;
    struct script            sc = { .data = data, .len = len };
    struct inlets_mux_conf   conf;

    head = byte(&sc);
    sc.carrier = (enum inlets_mux_carrier) (head % 3);
    sc.fail_at = byte(&sc);

    conf = (struct inlets_mux_conf) {
        .carrier = sc.carrier, .client = (head & 16) != 0,
        .accept = (head & 32) != 0, .late_ack = (head & 64) != 0,
        .max_streams = 12,
        .window_max = 2 * INLETS_MUX_WINDOW,
        .window_total = INLETS_MUX_WINDOW + 1000, .tx_max = TX_MAX,
        .alloc = script_alloc, .free = script_free, .random = script_random,
        .ctx = &sc
    };

    sc.m = inlets_mux_create(&conf);

    if (sc.m == NULL) {
        return 0;
    }

    while (sc.len > 0) {
        step(&sc);

        if (inlets_mux_queued(sc.m) > 2 * TX_MAX + 65536 + 48 * 12 + 1024) {
            abort();
        }

        /* the windows of 12 streams and of 12 that are over, and the output */

        if (sc.used > 25 * (INLETS_MUX_WINDOW + 2 * INLETS_MUX_BLOCK)
                      + INLETS_MUX_WINDOW + 2 * TX_MAX + 65536
                      + 24 * INLETS_MUX_BLOCK + 16384)
        {
            abort();
        }
    }

    inlets_mux_destroy(sc.m);

    if (sc.used != 0) {
        abort();
    }

    return 0;
}
