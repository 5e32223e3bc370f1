/*
 * PROXY protocol v2.  The vectors are written out from section 2.2 of the
 * specification.
 */

#include "tap.h"

#include "inlets_error.h"
#include "inlets_proxy2.h"


#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

#define SIGNATURE                                                             \
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a


static const uint8_t inet[] = {
    SIGNATURE,
    0x21, 0x11, 0x00, 0x0c,             /* PROXY, TCP over IPv4, 12 bytes */
    192, 0, 2, 1,
    198, 51, 100, 7,
    0xdc, 0x04,                         /* 56324 */
    0x01, 0xbb                          /* 443 */
};

static const uint8_t inet6[] = {
    SIGNATURE,
    0x21, 0x21, 0x00, 0x3b,             /* TCP over IPv6, 36 + 14 + 9 bytes */
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01,
    0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,
    0xff, 0xff,
    0x00, 0x50,
    0x02, 0x00, 0x0b, 'e', 'x', 'a', 'm', 'p', 'l', 'e', '.', 'c', 'o', 'm',
    0x05, 0x00, 0x06, 0x00, 0x01, 0xfe, 0xff, 'i', 'd'
};

static const uint8_t unspec[] = {
    SIGNATURE,
    0x21, 0x00, 0x00, 0x05,
    0x05, 0x00, 0x02, 'i', 'd'
};

static const uint8_t local[] = { SIGNATURE, 0x20, 0x00, 0x00, 0x00 };

/* LOCAL: family and body are to be skipped whatever they are. */

static const uint8_t local_inet[] = {
    SIGNATURE, 0x20, 0x11, 0x00, 0x03, 1, 2, 3
};

/* NOOP, an unknown type, CRC32C, and the authority after them. */

static const uint8_t skipped[] = {
    SIGNATURE,
    0x21, 0x11, 0x00, 0x21,
    10, 0, 0, 1,
    10, 0, 0, 2,
    0x00, 0x01,
    0x00, 0x02,
    0x04, 0x00, 0x02, 0xff, 0xff,
    0xe0, 0x00, 0x00,
    0x03, 0x00, 0x04, 1, 2, 3, 4,
    0x02, 0x00, 0x03, 'a', 'b', 'c'
};


static const struct {
    const char *name;
    const uint8_t *data;
    size_t len;
} vectors[] = {
    { "IPv4", inet, sizeof(inet) },
    { "IPv6 and TLVs", inet6, sizeof(inet6) },
    { "no address", unspec, sizeof(unspec) },
    { "LOCAL", local, sizeof(local) },
    { "LOCAL with a body", local_inet, sizeof(local_inet) },
    { "TLVs to skip", skipped, sizeof(skipped) }
};


static void
test_parse(void)
{
    struct inlets_proxy2 h;

    is_int(inlets_proxy2_parse(inet, sizeof(inet), &h), 28, "IPv4");
    is_int(h.family, INLETS_PROXY2_INET, "family");
    ok(!h.local, "not local");
    is_mem(h.src, "\xc0\x00\x02\x01", 4, "source");
    is_mem(h.dst, "\xc6\x33\x64\x07", 4, "destination");
    is_int(h.src_port, 56324, "source port");
    is_int(h.dst_port, 443, "destination port");
    ok(h.authority == NULL && h.authority_len == 0, "no authority");
    ok(h.unique_id == NULL && h.unique_id_len == 0, "no unique id");

    is_int(inlets_proxy2_parse(inet6, sizeof(inet6), &h), 75, "IPv6");
    is_int(h.family, INLETS_PROXY2_INET6, "family");
    is_mem(h.src, inet6 + 16, 16, "source");
    is_mem(h.dst, inet6 + 32, 16, "destination");
    is_int(h.src_port, 65535, "source port");
    is_int(h.dst_port, 80, "destination port");
    is_int(h.authority_len, 11, "length of the authority");
    is_mem(h.authority, "example.com", 11, "authority");
    is_int(h.unique_id_len, 6, "length of the unique id");
    is_mem(h.unique_id, "\x00\x01\xfe\xffid", 6, "unique id");

    is_int(inlets_proxy2_parse(unspec, sizeof(unspec), &h), 21, "no address");
    is_int(h.family, INLETS_PROXY2_UNSPEC, "family");
    ok(!h.local, "not local");
    is_mem(h.unique_id, "id", 2, "unique id");

    is_int(inlets_proxy2_parse(local, sizeof(local), &h), 16, "LOCAL");
    ok(h.local && h.family == INLETS_PROXY2_UNSPEC, "local");

    is_int(inlets_proxy2_parse(local_inet, sizeof(local_inet), &h), 19,
           "LOCAL with a body");
    ok(h.local && h.family == INLETS_PROXY2_UNSPEC, "local");

    is_int(inlets_proxy2_parse(skipped, sizeof(skipped), &h), 49,
           "TLVs to skip");
    is_mem(h.authority, "abc", 3, "authority");
    ok(h.unique_id == NULL, "no unique id");
}


/* At each length the parser gets a copy of just that size. */

static void
test_split(void)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        bool waits = true, untouched = true;

        for (size_t len = 0; len < vectors[i].len; len++) {
            uint8_t copy[128];
            struct inlets_proxy2 h = { .src_port = 7 };

            memset(copy, 0xee, sizeof(copy));
            memcpy(copy + sizeof(copy) - len, vectors[i].data, len);

            waits = waits
                    && inlets_proxy2_parse(copy + sizeof(copy) - len, len, &h)
                       == INLETS_NEED_MORE;
            untouched = untouched && h.src_port == 7;
        }

        ok(waits, vectors[i].name);
        ok(untouched, "nothing is set before the end");
    }
}


static void
test_followed(void)
{
    uint8_t buf[128];
    struct inlets_proxy2 h;

    for (size_t i = 0; i < COUNT(vectors); i++) {
        memset(buf, 0x0d, sizeof(buf));
        memcpy(buf, vectors[i].data, vectors[i].len);

        is_int(inlets_proxy2_parse(buf, sizeof(buf), &h), vectors[i].len,
               "payload behind it is left");
    }
}


/* Changes one byte of a vector; the error has to come with that byte. */

static void
broken(const uint8_t *data, size_t len, size_t at, uint8_t value, int rc,
    const char *name)
{
    uint8_t buf[128];
    struct inlets_proxy2 h = { .src_port = 7 };

    memcpy(buf, data, len);
    buf[at] = value;

    is_int(inlets_proxy2_parse(buf, len, &h), rc, name);
    is_int(h.src_port, 7, "nothing is set");
}


static void
test_head_errors(void)
{
    struct inlets_proxy2 h;
    uint8_t buf[16];
    bool early = true;

    for (size_t i = 0; i < 12; i++) {
        memcpy(buf, inet, sizeof(buf));
        buf[i] ^= 1;
        early = early && inlets_proxy2_parse(buf, i + 1, &h)
                         == INLETS_E_PROXY_SIGNATURE;
    }

    ok(early, "a wrong signature is refused at its first wrong byte");
    is_int(inlets_proxy2_parse((const uint8_t *) "GET / HTTP/1.1\r\n", 16, &h),
           INLETS_E_PROXY_SIGNATURE, "a request");
    is_int(inlets_proxy2_parse((const uint8_t *) "PROXY TCP4", 10, &h),
           INLETS_E_PROXY_SIGNATURE, "version 1");

    broken(inet, 13, 12, 0x11, INLETS_E_PROXY_VERSION, "version 1");
    broken(inet, 13, 12, 0x31, INLETS_E_PROXY_VERSION, "version 3");
    broken(inet, 13, 12, 0x22, INLETS_E_PROXY_VERSION, "unknown command");
    broken(inet, 14, 13, 0x12, INLETS_E_PROXY_FAMILY, "UDP");
    broken(inet, 14, 13, 0x10, INLETS_E_PROXY_FAMILY, "no transport");
    broken(inet, 14, 13, 0x01, INLETS_E_PROXY_FAMILY, "no family");
    broken(inet, 14, 13, 0x41, INLETS_E_PROXY_FAMILY, "unknown family");
    broken(inet, 14, 13, 0xff, INLETS_E_PROXY_FAMILY, "all ones");
    broken(inet, 16, 14, 0xff, INLETS_E_PROXY_LENGTH, "far too long");
    broken(inet, 16, 15, 0x0b, INLETS_E_PROXY_LENGTH, "too short for IPv4");
    broken(inet6, 16, 15, 0x23, INLETS_E_PROXY_LENGTH, "too short for IPv6");
    broken(local, 16, 14, 0x04, INLETS_E_PROXY_LENGTH, "LOCAL, too long");
}


static void
test_tlv_errors(void)
{
    broken(unspec, sizeof(unspec), 18, 0x03, INLETS_E_PROXY_TLV,
           "a TLV past the end");
    broken(unspec, sizeof(unspec), 17, 0xff, INLETS_E_PROXY_TLV,
           "a TLV far past the end");
    broken(unspec, sizeof(unspec), 18, 0x01, INLETS_E_PROXY_TLV,
           "a byte behind the last TLV");
    broken(skipped, sizeof(skipped), 48, ' ', INLETS_E_PROXY_TLV,
           "a space in the authority");
    broken(skipped, sizeof(skipped), 47, '\n', INLETS_E_PROXY_TLV,
           "a line feed in the authority");
    broken(skipped, sizeof(skipped), 46, 0, INLETS_E_PROXY_TLV,
           "a zero in the authority");
    broken(inet6, sizeof(inet6), 52 + 14, 0x02, INLETS_E_PROXY_TLV,
           "two authorities");
    broken(inet6, sizeof(inet6), 52, 0x05, INLETS_E_PROXY_TLV,
           "two unique ids");
}


/* A header whose only TLV has this type and length. */

static int
parse_long(uint8_t type, size_t len)
{
    static const uint8_t head[14] = { SIGNATURE, 0x21, 0x00 };

    uint8_t buf[INLETS_PROXY2_MAX + 64];
    struct inlets_proxy2 h;

    memset(buf, 'a', sizeof(buf));
    memcpy(buf, head, sizeof(head));

    buf[14] = (uint8_t) ((len + 3) >> 8);
    buf[15] = (uint8_t) (len + 3);
    buf[16] = type;
    buf[17] = (uint8_t) (len >> 8);
    buf[18] = (uint8_t) len;

    return inlets_proxy2_parse(buf, sizeof(buf), &h);
}


static void
test_bounds(void)
{
    is_int(parse_long(0x02, 255), 19 + 255, "the longest authority");
    is_int(parse_long(0x02, 256), INLETS_E_PROXY_TLV, "a longer one");
    is_int(parse_long(0x05, 128), 19 + 128, "the longest unique id");
    is_int(parse_long(0x05, 129), INLETS_E_PROXY_TLV, "a longer one");
    is_int(parse_long(0xee, 1005), 1024, "the longest header");
    is_int(parse_long(0xee, 1006), INLETS_E_PROXY_LENGTH, "a longer one");
    is_int(parse_long(0x02, 0), 19, "an empty authority");
}


static void
test_write(void)
{
    struct inlets_proxy2 h;
    uint8_t buf[INLETS_PROXY2_MAX];

    for (size_t i = 0; i < 4; i++) {
        bool bounded = true;

        inlets_proxy2_parse(vectors[i].data, vectors[i].len, &h);

        for (size_t size = 0; size < vectors[i].len; size++) {
            memset(buf, 0xee, sizeof(buf));

            bounded = bounded
                      && inlets_proxy2_write(buf, size, &h)
                         == INLETS_E_NO_SPACE
                      && buf[size] == 0xee;
        }

        ok(bounded, "never past its room");
        is_int(inlets_proxy2_write(buf, vectors[i].len, &h), vectors[i].len,
               "what was read is written");
        is_mem(buf, vectors[i].data, vectors[i].len, vectors[i].name);
    }
}


static void
test_write_unix(void)
{
    struct inlets_proxy2 h = {
        .family = INLETS_PROXY2_UNIX,
        .unique_id = (const uint8_t *) "id", .unique_id_len = 2
    };
    struct inlets_proxy2 back;
    uint8_t buf[INLETS_PROXY2_MAX];

    int n = inlets_proxy2_write(buf, sizeof(buf), &h);

    is_int(n, 16 + 216 + 5, "a Unix socket");
    is_int(buf[13], 0x31, "family");
    is_int(inlets_proxy2_parse(buf, (size_t) n, &back), n, "is read");
    is_int(back.family, INLETS_PROXY2_UNIX, "family");
    is_int(back.unique_id_len, 2, "unique id");
    is_int(inlets_proxy2_parse(buf, (size_t) n - 1, &back), INLETS_NEED_MORE,
           "a byte is missing");

    buf[15] = 215;
    is_int(inlets_proxy2_parse(buf, (size_t) n, &back),
           INLETS_E_PROXY_LENGTH, "too short for two paths");
}


static void
test_write_limits(void)
{
    uint8_t value[300], buf[INLETS_PROXY2_MAX];
    struct inlets_proxy2 h = { .family = INLETS_PROXY2_INET6 };

    memset(value, 'a', sizeof(value));
    h.authority = h.unique_id = value;
    h.authority_len = INLETS_PROXY2_AUTHORITY;
    h.unique_id_len = INLETS_PROXY2_UNIQUE_ID;

    is_int(inlets_proxy2_write(buf, sizeof(buf), &h),
           16 + 36 + 3 + 255 + 3 + 128, "the longest values");

    h.authority_len++;
    is_int(inlets_proxy2_write(buf, sizeof(buf), &h), INLETS_E_INVALID,
           "a longer authority");

    h.authority_len = 10;
    h.unique_id_len++;
    is_int(inlets_proxy2_write(buf, sizeof(buf), &h), INLETS_E_INVALID,
           "a longer unique id");

    h.unique_id_len = 0;
    value[9] = '\r';
    is_int(inlets_proxy2_write(buf, sizeof(buf), &h), INLETS_E_INVALID,
           "a line end in the authority");

    h.authority_len = 9;
    h.family = (enum inlets_proxy2_family) 4;
    is_int(inlets_proxy2_write(buf, sizeof(buf), &h), INLETS_E_INVALID,
           "an unknown family");
}


int
main(void)
{
    test_parse();
    test_split();
    test_followed();
    test_head_errors();
    test_tlv_errors();
    test_bounds();
    test_write();
    test_write_unix();
    test_write_limits();

    return tap_done();
}
