/*
 * Labels, host names, IPv6 literals, UUIDs.
 */

#include "tap.h"

#include "inlets_error.h"
#include "inlets_name.h"


#define LABEL_63                                                              \
    "a123456789b123456789c123456789d123456789e123456789f123456789g12"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


static void
test_label(void)
{
    static const struct {
        const char *label;
        int rc;
    } cases[] = {
        { "a", 0 }, { "7", 0 }, { "my-app", 0 }, { "a-b-c-d", 0 },
        { "ab-", INLETS_E_NAME_HYPHEN }, { "-ab", INLETS_E_NAME_HYPHEN },
        { "-", INLETS_E_NAME_HYPHEN }, { "xn--bcher", INLETS_E_NAME_HYPHEN },
        { "ab--cd", INLETS_E_NAME_HYPHEN }, { "abc--d", 0 }, { "a--b", 0 },
        { "ab--", INLETS_E_NAME_HYPHEN }, { "a-b", 0 }, { "aaa-", -62 },
        { LABEL_63, 0 }, { LABEL_63 "x", INLETS_E_NAME_LENGTH },
        { "", INLETS_E_NAME_LENGTH }, { "Ab", INLETS_E_NAME_CHARACTER },
        { "a_b", INLETS_E_NAME_CHARACTER }, { "a.b", INLETS_E_NAME_CHARACTER },
        { "a b", INLETS_E_NAME_CHARACTER }, { "a/", INLETS_E_NAME_CHARACTER },
        { "caf\xc3\xa9", INLETS_E_NAME_CHARACTER }
    };

    char lower[INLETS_LABEL_MAX + 1] = "untouched";

    for (size_t i = 0; i < COUNT(cases); i++) {
        is_int(inlets_label_check(cases[i].label, strlen(cases[i].label)),
               cases[i].rc, cases[i].label);
    }

    is_int(inlets_label_check("a\0b", 3), INLETS_E_NAME_CHARACTER, "a zero");

    is_int(inlets_label_normalize("My_App", 6, lower),
           INLETS_E_NAME_CHARACTER, "a wrong label isn't copied");
    is_int(inlets_label_normalize(LABEL_63 "x", 64, lower),
           INLETS_E_NAME_LENGTH, "nor a long one");
    is_str(lower, "untouched", "nothing is set on failure");

    is_int(inlets_label_normalize("My-App", 6, lower), 0, "upper case");
    is_str(lower, "my-app", "becomes lower case");
    is_int(inlets_label_normalize(LABEL_63, 63, lower), 0, "the longest");
    is_str(lower, LABEL_63, "is copied whole");
}


static void
test_random(void)
{
    uint8_t bytes[INLETS_LABEL_RANDOM];
    char label[INLETS_LABEL_RANDOM + 1];
    char last[INLETS_LABEL_RANDOM + 1] = "";
    bool valid = true, letter = true;
    unsigned repeated = 0;

    for (unsigned i = 0; i < 256; i++) {
        memset(bytes, (int) i, sizeof(bytes));
        inlets_label_random(bytes, label);

        valid = valid && strlen(label) == INLETS_LABEL_RANDOM
                && inlets_label_check(label, INLETS_LABEL_RANDOM) == 0;
        letter = letter && label[0] >= 'a';
        repeated += strcmp(label, last) == 0;
        memcpy(last, label, sizeof(last));
    }

    ok(valid, "a random label passes the check");
    ok(letter, "and starts with a letter");
    is_int(repeated, 0, "other bytes make another one");
}


static void
test_host(void)
{
    static const struct {
        const char *host;
        const char *normal;
        int rc;
    } cases[] = {
        { "app.example.com", "app.example.com", 0 },
        { "App.EXAMPLE.com:8080", "app.example.com", 0 },
        { "example.com.", "example.com", 0 },
        { "example.com.:443", "example.com", 0 },
        { "example.com:", "example.com", 0 },
        { "localhost", "localhost", 0 },
        { "under_score.local", "under_score.local", 0 },
        { "127.0.0.1:80", "127.0.0.1", 0 },
        { "[::1]", "[::1]", 0 },
        { "[2001:DB8::1]:8080", "[2001:db8::1]", 0 },
        { "[::1]:", "[::1]", 0 },
        { "", NULL, INLETS_E_NAME_LENGTH },
        { ".", NULL, INLETS_E_NAME_LENGTH },
        { ":80", NULL, INLETS_E_NAME_LENGTH },
        { "a..b", NULL, INLETS_E_NAME_LENGTH },
        { ".a", NULL, INLETS_E_NAME_LENGTH },
        { "a.b..", NULL, INLETS_E_NAME_LENGTH },
        { LABEL_63 "x.com", NULL, INLETS_E_NAME_LENGTH },
        { "a b", NULL, INLETS_E_NAME_CHARACTER },
        { "a/b", NULL, INLETS_E_NAME_CHARACTER },
        { "a@b", NULL, INLETS_E_NAME_CHARACTER },
        { "a%2eb", NULL, INLETS_E_NAME_CHARACTER },
        { "b\xc3\xbc" "cher.de", NULL, INLETS_E_NAME_CHARACTER },
        { "a:80x", NULL, INLETS_E_NAME_CHARACTER },
        { "a:123456", NULL, INLETS_E_NAME_CHARACTER },
        { "a:80:80", NULL, INLETS_E_NAME_CHARACTER },
        { "[::1", NULL, INLETS_E_NAME_CHARACTER },
        { "[::1]80", NULL, INLETS_E_NAME_CHARACTER },
        { "[::1].", NULL, INLETS_E_NAME_CHARACTER },
        { "[]", NULL, INLETS_E_NAME_LENGTH },
        { "[::g]", NULL, INLETS_E_NAME_CHARACTER },
        { "::1", NULL, INLETS_E_NAME_LENGTH }
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char normal[INLETS_HOST_MAX + 1] = "untouched";
        size_t len = 999;

        is_int(inlets_host_normalize(cases[i].host, strlen(cases[i].host),
                                     normal, sizeof(normal), &len),
               cases[i].rc, cases[i].host);
        is_str(normal, cases[i].normal ? cases[i].normal : "untouched",
               "the normal form");
        is_int(len, cases[i].normal ? strlen(normal) : 999, "its length");
    }
}


static void
test_host_bounds(void)
{
    char host[300], normal[INLETS_HOST_MAX + 1];
    size_t len;

    memset(host, 'a', sizeof(host));

    for (size_t i = 49; i < sizeof(host); i += 50) {
        host[i] = '.';
    }

    is_int(inlets_host_normalize(host, 253, normal, sizeof(normal), &len), 0,
           "253 characters");
    is_int(len, 253, "all of them");
    is_int(inlets_host_normalize(host, 254, normal, sizeof(normal), &len),
           INLETS_E_NAME_LENGTH, "254 characters");
    is_int(inlets_host_normalize(host, 300, normal, sizeof(normal), &len),
           INLETS_E_NAME_LENGTH, "300 characters");

    host[253] = '.';
    is_int(inlets_host_normalize(host, 254, normal, sizeof(normal), &len), 0,
           "253 characters and a final dot");

    is_int(inlets_host_normalize("abc", 3, normal, 4, &len), 0,
           "just enough room");
    is_int(inlets_host_normalize("abc", 3, normal, 3, &len),
           INLETS_E_NO_SPACE, "no room for the zero");
    is_int(inlets_host_normalize("a\0b", 3, normal, sizeof(normal), &len),
           INLETS_E_NAME_CHARACTER, "a zero within");

    memcpy(host, "ABC.De:1", 8);
    inlets_host_normalize(host, 8, host, sizeof(host), &len);
    is_str(host, "abc.de", "in place");
}


static int
label_of(const char *host, const char *domain)
{
    return inlets_host_label(host, strlen(host), domain, strlen(domain));
}


static void
test_host_label(void)
{
    static const char domain[] = "example.com";

    is_int(label_of("app.example.com", domain), 3, "a label");
    is_int(label_of("a.example.com", domain), 1, "the shortest label");
    is_int(label_of("example.com", domain), INLETS_E_NAME_DOMAIN,
           "the domain itself");
    is_int(label_of(".example.com", domain), INLETS_E_NAME_DOMAIN,
           "an empty label");
    is_int(label_of("a.b.example.com", domain), INLETS_E_NAME_DOMAIN,
           "two labels");
    is_int(label_of("appexample.com", domain), INLETS_E_NAME_DOMAIN,
           "no dot between");
    is_int(label_of("app.example.org", domain), INLETS_E_NAME_DOMAIN,
           "another domain");
    is_int(label_of("app.example.com.org", domain), INLETS_E_NAME_DOMAIN,
           "a domain that begins so");
    is_int(label_of("com", domain), INLETS_E_NAME_DOMAIN, "a short host");
    is_int(label_of("", domain), INLETS_E_NAME_DOMAIN, "no host");
    is_int(label_of("app.", ""), INLETS_E_NAME_DOMAIN, "no domain");
    is_int(label_of("a_b.example.com", domain), INLETS_E_NAME_CHARACTER,
           "a label that no tunnel has");
    is_int(label_of("demo.localhost", "localhost"), 4, "a short domain");
}


static void
test_ip6(void)
{
    static const char *const right[] = {
        "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8", "1::8", "fe80::1", "2001:DB8::A:b", "abcd:ef01::",
        "::ffff:192.0.2.1", "1:2:3:4:5:6:1.2.3.4", "64:ff9b::0.0.0.0",
        "::255.255.255.255", "1:2:3:4:5::1.2.3.4"
    };

    static const char *const wrong[] = {
        "", ":", "1", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::", "1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::1.2.3.256",
        "::01.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::1..2.3",
        "::a.2.3.4", "::1%eth0", "::1 ", "1:2:3:4:5:6:7::8",
        "0000:0000:0000:0000:0000:0000:255.255.255.2550"
    };

    for (size_t i = 0; i < COUNT(right); i++) {
        is_int(inlets_ip6_check(right[i], strlen(right[i])), 0, right[i]);
    }

    for (size_t i = 0; i < COUNT(wrong); i++) {
        ok(inlets_ip6_check(wrong[i], strlen(wrong[i])) < 0, wrong[i]);
    }
}


static void
test_uuid(void)
{
    static const char text[] = "11111111-2222-4333-8444-55555555abcd";

    static const uint8_t binary[16] = {
        0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33,
        0x84, 0x44, 0x55, 0x55, 0x55, 0x55, 0xab, 0xcd
    };

    static const char *const wrong[] = {
        "", "11111111-2222-4333-8444-55555555abc",
        "11111111-2222-4333-8444-55555555abcde",
        "11111111-2222-4333-8444-55555555abcg",
        "111111112-222-4333-8444-55555555abcd",
        "1111111122222433328444455555555abcd0",
        "{1111111-2222-4333-8444-55555555abc}",
        "11111111 2222 4333 8444 55555555abcd",
        "--------------------------------------"
    };

    char out[INLETS_UUID_TEXT + 1];
    uint8_t uuid[16], made[16];

    is_int(inlets_uuid_parse(text, 36, uuid), 0, "a UUID");
    is_mem(uuid, binary, 16, "its bytes");
    inlets_uuid_format(uuid, out);
    is_str(out, text, "and back");

    is_int(inlets_uuid_parse("11111111-2222-4333-8444-55555555ABCD", 36, made),
           0, "upper case");
    is_mem(made, binary, 16, "is the same");

    for (size_t i = 0; i < COUNT(wrong); i++) {
        is_int(inlets_uuid_parse(wrong[i], strlen(wrong[i]), uuid),
               INLETS_E_UUID, wrong[i]);
    }

    is_mem(uuid, binary, 16, "nothing is set on failure");

    memset(uuid, 0xff, sizeof(uuid));
    inlets_uuid_make(uuid, made);
    inlets_uuid_format(made, out);
    is_str(out, "ffffffff-ffff-4fff-bfff-ffffffffffff", "version and variant");

    memset(uuid, 0, sizeof(uuid));
    inlets_uuid_make(uuid, uuid);
    inlets_uuid_format(uuid, out);
    is_str(out, "00000000-0000-4000-8000-000000000000", "in place");
}


static void
test_errors(void)
{
    bool named = true;

    for (int error = -100; error <= 10; error++) {
        const char *text = inlets_strerror(error);

        named = named && text != NULL && text[0] != '\0';
    }

    ok(named, "every number has a text");
    is_str(inlets_strerror(INLETS_OK), "no error", "the text of 0");
    is_str(inlets_strerror(INLETS_E_UUID), "invalid UUID", "of a name error");
    is_str(inlets_strerror(-1000), "unknown error", "of an unknown one");
    is_str(inlets_strerror(1), "unknown error", "of a positive one");
}


int
main(void)
{
    test_label();
    test_random();
    test_host();
    test_host_bounds();
    test_host_label();
    test_ip6();
    test_uuid();
    test_errors();

    return tap_done();
}
