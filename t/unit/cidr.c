/* Ranges of addresses; inet_pton() has to see the same addresses. */

#include "inlets_cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "inlets_error.h"
#include "tap.h"


static int
parse(const char *text, struct inlets_cidr *ret)
{
    return inlets_cidr_parse(text, strlen(text), ret);
}


static bool
address(const char *text, uint8_t ret[16])
{
    uint8_t  ip4[4];

    if (inet_pton(AF_INET, text, ip4) == 1) {
        inlets_cidr_map(ip4, ret);
        return true;
    }

    return inet_pton(AF_INET6, text, ret) == 1;
}


static void
test_match(void)
{
    static const struct {
        const char  *range, *address;
        bool         match;
    }  cases[] = {
        { "192.0.2.1", "192.0.2.1", true },
        { "192.0.2.1", "192.0.2.2", false },
        { "10.0.0.0/8", "10.255.3.4", true },
        { "10.0.0.0/8", "11.0.0.0", false },
        { "10.1.2.3/8", "10.9.9.9", true },
        { "10.0.0.0/31", "10.0.0.1", true },
        { "10.0.0.0/31", "10.0.0.2", false },
        { "10.0.0.1/32", "10.0.0.1", true },
        { "0.0.0.0/0", "203.0.113.7", true },
        { "0.0.0.0/0", "2001:db8::1", false },
        { "::/0", "2001:db8::1", true },
        { "::/0", "203.0.113.7", false },
        { "::1", "::1", true },
        { "::1", "::2", false },
        { "2001:db8::/32", "2001:db8:ffff::1", true },
        { "2001:db8::/32", "2001:db9::1", false },
        { "2001:db8::/33", "2001:db8:8000::1", false },
        { "2001:db8::/33", "2001:db8:7fff::1", true },
        { "fe80::/10", "febf::1", true },
        { "fe80::/10", "fec0::1", false },
        { "::ffff:10.0.0.0/104", "10.2.3.4", true },
        { "::ffff:10.0.0.0/104", "::ffff:11.2.3.4", false },
        { "10.0.0.0/8", "::ffff:10.2.3.4", true },
        { "192.0.2.128/25", "192.0.2.127", false },
        { "192.0.2.128/25", "192.0.2.128", true }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct inlets_cidr  cidr;
        uint8_t             addr[16];
        char                name[120];

        snprintf(name, sizeof(name), "%s %s %s", cases[i].range,
                 cases[i].match ? "matches" : "does not match",
                 cases[i].address);

        ok(parse(cases[i].range, &cidr) == INLETS_OK
           && address(cases[i].address, addr)
           && inlets_cidr_match(&cidr, addr) == cases[i].match, name);
    }
}


static void
test_wrong(void)
{
    static const char *const  wrong[] = {
        "", "/", "/8", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04",
        "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/8 ",
        " 1.2.3.4", "1.2.3.4/8/8", "1..2.3", "1.2.3.", ".1.2.3", "a.b.c.d",
        ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
        "::/129", "::1/", "1:2:3:4:5:6:7:8::", "::1.2.3", "::1.2.3.4.5",
        "1:2:3:4:5:6:7:1.2.3.4", "1:", "g::", "[::1]", "::1%eth0",
        "localhost", "1.2.3.4/99999999999999999999", "1.2.3.4:80"
    };
    struct inlets_cidr  cidr;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char  name[120];

        snprintf(name, sizeof(name), "refused: \"%s\"", wrong[i]);
        is_int(parse(wrong[i], &cidr), INLETS_E_INVALID, name);
    }

    is_int(inlets_cidr_parse("1.2.3.4\0", 8, &cidr), INLETS_E_INVALID,
           "refused: a zero byte");
}


/* Texts made of what addresses are made of. */

static void
test_random(void)
{
    static const char  letters[] = "0123af:::..";
    unsigned           seed = 7, good = 0, differ = 0;

    for (unsigned i = 0; i < 400000; i++) {
        struct inlets_cidr  cidr;
        uint8_t             addr[16];
        char                text[40];
        size_t              len;
        bool                expected;

        seed = seed * 1103515245 + 12345;
        len = 2 + (seed >> 16) % 11;

        for (size_t k = 0; k < len; k++) {
            seed = seed * 1103515245 + 12345;
            text[k] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }

        text[len] = '\0';

        expected = address(text, addr);
        good += expected;

        if ((parse(text, &cidr) == INLETS_OK) != expected
            || (expected && (memcmp(cidr.addr, addr, 16) != 0
                             || !inlets_cidr_match(&cidr, addr))))
        {
            printf("# differs from inet_pton(): %s\n", text);
            differ++;
        }
    }

    ok(good > 100, "some of the random texts were addresses");
    is_int(differ, 0, "read as inet_pton() reads them");
}


static void
test_cut(void)
{
    static const char   text[] = "2001:db8:1:2:3:4:192.0.2.1/128";
    struct inlets_cidr  cidr;

    for (size_t n = 0; n < sizeof(text); n++) {
        char  *copy = malloc(n + 1);    /* so that a sanitizer sees the end */

        if (copy != NULL) {
            memcpy(copy, text, n);
            (void) inlets_cidr_parse(copy, n, &cidr);
            free(copy);
        }
    }

    is_int(inlets_cidr_parse(text, sizeof(text) - 1, &cidr), INLETS_OK,
           "the whole");
    is_int(cidr.bits, 128, "its prefix");
}


int
main(void)
{
    test_match();
    test_wrong();
    test_random();
    test_cut();

    return tap_done();
}
