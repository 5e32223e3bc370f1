/*
 * Whatever is taken as a header is complete, is taken at no shorter length,
 * and reads the same after it was written anew.
 */

#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "inlets_proxy2.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
same(const struct inlets_proxy2 *a, const struct inlets_proxy2 *b)
{
    require(a->family == b->family && a->local == b->local);
    require(a->src_port == b->src_port && a->dst_port == b->dst_port);
    require(memcmp(a->src, b->src, sizeof(a->src)) == 0);
    require(memcmp(a->dst, b->dst, sizeof(a->dst)) == 0);
    require(a->authority_len == b->authority_len);
    require(a->unique_id_len == b->unique_id_len);
    require(a->authority_len == 0
            || memcmp(a->authority, b->authority, a->authority_len) == 0);
    require(a->unique_id_len == 0
            || memcmp(a->unique_id, b->unique_id, a->unique_id_len) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct inlets_proxy2 h, again;
    uint8_t buf[INLETS_PROXY2_MAX];

    int n = inlets_proxy2_parse(data, size, &h);

    if (n <= 0) {
        require(n == INLETS_NEED_MORE ? size < INLETS_PROXY2_MAX
                                      : n <= INLETS_E_PROXY_SIGNATURE
                                        && n >= INLETS_E_PROXY_TLV);
        return 0;
    }

    require((size_t) n <= size && n <= INLETS_PROXY2_MAX);

    for (int i = 0; i < n; i++) {
        require(inlets_proxy2_parse(data, (size_t) i, &again)
                == INLETS_NEED_MORE);
    }

    int written = inlets_proxy2_write(buf, sizeof(buf), &h);

    require(written > 0);
    require(inlets_proxy2_parse(buf, (size_t) written, &again) == written);
    same(&h, &again);

    return 0;
}
