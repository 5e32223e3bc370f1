/*
 * The WebSocket reader: the same items whatever the pieces, within its
 * buffer.  The first byte chooses the role, the second the buffer's size, the
 * third the size of the pieces.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inlets_ws.h"


struct result {
    int       rc;
    size_t    items;
    uint64_t  hash;
};


static void
add(struct result *r, const void *data, size_t len)
{
    const uint8_t  *p = data;

    while (len-- > 0) {
        r->hash = (r->hash ^ *p++) * 1099511628211u;
    }
}


static struct result
run(const uint8_t *data, size_t len, bool masked, size_t size, size_t step)
{
    size_t                   at = 0, end;
    uint8_t                 *buf = malloc(size);
    uint8_t                 *piece;
    ptrdiff_t                n;
    struct result            r = { 0 };
    struct inlets_ws_item    item;
    struct inlets_ws_reader  reader;

    inlets_ws_reader_init(&reader, buf, size, masked);

    while (at < len && r.rc == 0) {
        end = step < len - at ? at + step : len;

        piece = malloc(end - at);
        memcpy(piece, data + at, end - at);
        n = inlets_ws_read(&reader, piece, end - at, &item);
        free(piece);

        if (n < 0) {
            r.rc = (int) n;
            break;
        }

        if (n == 0 || (size_t) n > end - at) {
            abort();
        }

        at += (size_t) n;

        if (item.opcode != INLETS_WS_NONE) {
            r.items++;
            add(&r, &item.opcode, 1);
            add(&r, &item.len, sizeof(item.len));
            add(&r, item.data, item.len);
        }
    }

    free(buf);

    return r;
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t         size;
    struct result  whole, pieces;

    if (len < 3) {
        return 0;
    }

    size = 1 + data[1];
    whole = run(data + 3, len - 3, data[0] & 1, size, len);
    pieces = run(data + 3, len - 3, data[0] & 1, size, 1u + data[2]);

    if (whole.rc != pieces.rc || whole.items != pieces.items
        || whole.hash != pieces.hash)
    {
        abort();
    }

    return 0;
}
