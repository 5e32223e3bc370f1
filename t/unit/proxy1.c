/*
 * PROXY protocol v1.
 */

#include "tap.h"

#include "inlets_error.h"
#include "inlets_proxy1.h"


#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


struct vector {
    enum inlets_proxy2_family family;
    bool local;
    uint8_t src[16];
    uint8_t dst[16];
    uint16_t src_port;
    uint16_t dst_port;
    const char *line;
};


static const struct vector vectors[] = {
    { .family = INLETS_PROXY2_INET, .src = { 192, 0, 2, 1 },
      .dst = { 255, 255, 255, 255 }, .src_port = 65535, .dst_port = 80,
      .line = "PROXY TCP4 192.0.2.1 255.255.255.255 65535 80\r\n" },
    { .family = INLETS_PROXY2_INET, .src = { 0 }, .dst = { 10, 0, 0, 1 },
      .line = "PROXY TCP4 0.0.0.0 10.0.0.1 0 0\r\n" },
    { .family = INLETS_PROXY2_INET6, .src = { 0x20, 0x01, 0x0d, 0xb8,
                                              [15] = 1 },
      .dst = { 0 }, .src_port = 1, .dst_port = 65535,
      .line = "PROXY TCP6 2001:db8::1 :: 1 65535\r\n" },
    { .family = INLETS_PROXY2_INET6, .src = { [15] = 1 },
      .dst = { 0xfe, 0x80, [14] = 0x12, 0x34 }, .src_port = 1, .dst_port = 2,
      .line = "PROXY TCP6 ::1 fe80::1234 1 2\r\n" },
    /* two runs of the same length, one group alone, a run at the end */
    { .family = INLETS_PROXY2_INET6,
      .src = { 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4 },
      .dst = { 0, 1, 0, 0, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 },
      .src_port = 1, .dst_port = 2,
      .line = "PROXY TCP6 1::2:0:0:3:4 1:0:3:4:5:6:7:8 1 2\r\n" },
    { .family = INLETS_PROXY2_INET6,
      .src = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0 },
      .dst = { 0, 1, 0, 2 }, .src_port = 1, .dst_port = 2,
      .line = "PROXY TCP6 0:1:0:0:2:: 1:2:: 1 2\r\n" },
    { .family = INLETS_PROXY2_UNSPEC, .line = "PROXY UNKNOWN\r\n" },
    { .family = INLETS_PROXY2_UNIX, .line = "PROXY UNKNOWN\r\n" },
    { .family = INLETS_PROXY2_INET, .local = true,
      .line = "PROXY UNKNOWN\r\n" }
};


static void
test_vectors(void)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        size_t len = strlen(v->line);
        char buf[INLETS_PROXY1_MAX + 1];
        struct inlets_proxy2 h = {
            .family = v->family, .local = v->local,
            .src_port = v->src_port, .dst_port = v->dst_port
        };

        memcpy(h.src, v->src, 16);
        memcpy(h.dst, v->dst, 16);

        is_int(inlets_proxy1_write(buf, len, &h), (int) len, "length");
        is_mem(buf, v->line, len, "the line");
        is_int(inlets_proxy1_write(buf, len - 1, &h), INLETS_E_NO_SPACE,
               "no space");
    }
}


static void
test_longest(void)
{
    char buf[INLETS_PROXY1_MAX];
    struct inlets_proxy2 h = { .family = INLETS_PROXY2_INET6,
                               .src_port = 65535, .dst_port = 65535 };

    memset(h.src, 0xff, 16);
    memset(h.dst, 0xff, 16);

    is_int(inlets_proxy1_write(buf, sizeof(buf), &h), 104, "the longest");
}


int
main(void)
{
    test_vectors();
    test_longest();

    return tap_done();
}
