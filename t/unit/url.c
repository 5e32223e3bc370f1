/*
 * Addresses on the command line.
 */

#include "tap.h"

#include "inlets_error.h"
#include "inlets_url.h"


#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))


struct right {
    const char *text;
    bool tls;
    bool ip6;
    const char *host;
    uint16_t port;
    const char *path;
    const char *authority;      /* without a default port */
};

struct wrong {
    const char *text;
    int rc;
};


static const struct right remotes[] = {
    { "example.com:443", true, false, "example.com", 443, "", "example.com" },
    { "example.com:8080", false, false, "example.com", 8080, "",
      "example.com:8080" },
    { "example.com:80", false, false, "example.com", 80, "", "example.com" },
    { "Example.COM:4430", false, false, "example.com", 4430, "",
      "example.com:4430" },
    { "127.0.0.1:65535", false, false, "127.0.0.1", 65535, "",
      "127.0.0.1:65535" },
    { "[::1]:443", true, true, "::1", 443, "", "[::1]" },
    { "[2001:DB8::1]:8080", false, true, "2001:db8::1", 8080, "",
      "[2001:db8::1]:8080" },
    { "[fe80::1%eth0]:1", false, true, "fe80::1%eth0", 1, "",
      "[fe80::1%eth0]:1" },
    { "ws://example.com", false, false, "example.com", 80, "", "example.com" },
    { "wss://example.com", true, false, "example.com", 443, "",
      "example.com" },
    { "http://example.com/", false, false, "example.com", 80, "",
      "example.com" },
    { "https://t.example.com/base/", true, false, "t.example.com", 443,
      "/base", "t.example.com" },
    { "HTTPS://t.example.com:8443/a/b%20c", true, false, "t.example.com",
      8443, "/a/b%20c", "t.example.com:8443" },
    { "http://example.com:443", false, false, "example.com", 443, "",
      "example.com:443" },
    { "wss://[::1]/x", true, true, "::1", 443, "/x", "[::1]" },
    { "ws://[::1]:8080//", false, true, "::1", 8080, "", "[::1]:8080" },
    { "wss://edge_1.local.", true, false, "edge_1.local", 443, "",
      "edge_1.local" }
};

static const struct wrong wrong_remotes[] = {
    { "", INLETS_E_URL_EMPTY },
    { "example.com", INLETS_E_URL_NO_PORT },
    { "[::1]", INLETS_E_URL_NO_PORT },
    { "9000", INLETS_E_URL_NO_PORT },
    { "example.com:", INLETS_E_URL_PORT },
    { "example.com:0", INLETS_E_URL_PORT },
    { "example.com:0443", INLETS_E_URL_PORT },
    { "example.com:65536", INLETS_E_URL_PORT },
    { "example.com:99999999999", INLETS_E_URL_PORT },
    { "example.com:-1", INLETS_E_URL_PORT },
    { "example.com:+443", INLETS_E_URL_PORT },
    { "example.com:44 3", INLETS_E_URL_PORT },
    { "example.com:http", INLETS_E_URL_PORT },
    { ":443", INLETS_E_URL_HOST },
    { "exa mple:443", INLETS_E_URL_HOST },
    { "a..b:443", INLETS_E_URL_HOST },
    { "[::g]:443", INLETS_E_URL_HOST },
    { "[]:443", INLETS_E_URL_HOST },
    { "[::1%]:443", INLETS_E_URL_HOST },
    { "[::1%a/b]:443", INLETS_E_URL_WITH_PATH },
    { "[::1%a!]:443", INLETS_E_URL_HOST },
    { "[::1%abcdefghijklmnop]:443", INLETS_E_URL_HOST },
    { "::1:443", INLETS_E_URL_BRACKETS },
    { "[::1:443", INLETS_E_URL_BRACKETS },
    { "[::1]443", INLETS_E_URL_BRACKETS },
    { "wss://::1", INLETS_E_URL_BRACKETS },
    { "example.com:443/base", INLETS_E_URL_WITH_PATH },
    { "example.com/base:443", INLETS_E_URL_WITH_PATH },
    { "example.com:443?x", INLETS_E_URL_QUERY },
    { "example.com:443#x", INLETS_E_URL_FRAGMENT },
    { "user@example.com:443", INLETS_E_URL_USERINFO },
    { "ftp://example.com", INLETS_E_URL_SCHEME },
    { "://example.com", INLETS_E_URL_SCHEME },
    { "httpss://example.com", INLETS_E_URL_SCHEME },
    { "wss://", INLETS_E_URL_HOST },
    { "wss:///x", INLETS_E_URL_HOST },
    { "wss://user:pw@example.com", INLETS_E_URL_USERINFO },
    { "wss://example.com?x=1", INLETS_E_URL_QUERY },
    { "wss://example.com/?x=1", INLETS_E_URL_QUERY },
    { "wss://example.com/#top", INLETS_E_URL_FRAGMENT },
    { "wss://example.com:/", INLETS_E_URL_PORT },
    { "wss://example.com/a b", INLETS_E_URL_PATH },
    { "wss://example.com/a\r\nX: y", INLETS_E_URL_PATH },
    { "wss://example.com/\xc3\xa9", INLETS_E_URL_PATH },
    { "wss://example.com/\x7f", INLETS_E_URL_PATH },
    { "wss://example.com/\"", INLETS_E_URL_PATH }
};


static const struct right upstreams[] = {
    { "9000", false, false, "127.0.0.1", 9000, "", "127.0.0.1:9000" },
    { "1", false, false, "127.0.0.1", 1, "", "127.0.0.1:1" },
    { "localhost:3000", false, false, "localhost", 3000, "",
      "localhost:3000" },
    { "10.0.0.1:443", false, false, "10.0.0.1", 443, "", "10.0.0.1:443" },
    { "[::1]:80", false, true, "::1", 80, "", "[::1]" },
    { "http://web", false, false, "web", 80, "", "web" },
    { "http://web:8080/", false, false, "web", 8080, "", "web:8080" },
    { "http://[::1]:8080", false, true, "::1", 8080, "", "[::1]:8080" },
    { "https://web", true, false, "web", 443, "", "web" },
    { "https://[::1]:8443/", true, true, "::1", 8443, "", "[::1]:8443" },
    { "unix:80", false, false, "unix", 80, "", "unix" }
};

static const struct right sockets[] = {
    { "unix:/run/web.sock", false, false, "", 0, "/run/web.sock",
      "unix:/run/web.sock" },
    { "unix:///run/web.sock", false, false, "", 0, "/run/web.sock",
      "unix:/run/web.sock" },
    { "UNIX:/a b/C?d#:", false, false, "", 0, "/a b/C?d#:",
      "unix:/a b/C?d#:" }
};

static const struct wrong wrong_upstreams[] = {
    { "", INLETS_E_URL_EMPTY },
    { "0", INLETS_E_URL_PORT },
    { "65536", INLETS_E_URL_PORT },
    { "123456789012", INLETS_E_URL_PORT },
    { "localhost", INLETS_E_URL_NO_PORT },
    { "localhost:", INLETS_E_URL_PORT },
    { ":80", INLETS_E_URL_HOST },
    { "::1:80", INLETS_E_URL_BRACKETS },
    { "ws://web", INLETS_E_URL_SCHEME },
    { "https://web/app", INLETS_E_URL_WITH_PATH },
    { "https://", INLETS_E_URL_HOST },
    { "unix:", INLETS_E_URL_SOCKET },
    { "unix:/", INLETS_E_URL_SOCKET },
    { "unix:web.sock", INLETS_E_URL_SOCKET },
    { "unix://", INLETS_E_URL_SOCKET },
    { "unix://host/web.sock", INLETS_E_URL_SOCKET },
    { "unix:////web.sock", INLETS_E_URL_SOCKET },
    { "unix:/a\tb", INLETS_E_URL_PATH },
    { "unixx:/a", INLETS_E_URL_WITH_PATH },
    { "http://web/app", INLETS_E_URL_WITH_PATH },
    { "http://web//", INLETS_E_URL_WITH_PATH },
    { "web:80/app", INLETS_E_URL_WITH_PATH },
    { "http://a:b@web", INLETS_E_URL_USERINFO },
    { "http://web/?q", INLETS_E_URL_QUERY },
    { "http://web#f", INLETS_E_URL_FRAGMENT }
};


static void
test_right(const struct right *r, size_t n,
    int (*parse)(const char *text, struct inlets_url *ret))
{
    for (size_t i = 0; i < n; i++, r++) {
        struct inlets_url url;
        char authority[INLETS_URL_AUTHORITY];

        memset(&url, 0xff, sizeof(url));

        if (!is_int(parse(r->text, &url), 0, r->text)) {
            continue;
        }

        ok(url.tls == r->tls, "tls");
        ok(url.ip6 == r->ip6, "ip6");
        ok(url.local_socket == (r->port == 0), "local socket");
        is_str(url.host, r->host, "host");
        is_int(url.port, r->port, "port");
        is_str(url.path, r->path, "path");

        is_int(inlets_url_authority(&url, false, authority),
               strlen(r->authority), "length of the authority");
        is_str(authority, r->authority, "authority");

        if (url.local_socket) {
            continue;
        }

        inlets_url_authority(&url, true, authority);
        ok(strstr(authority, r->host) != NULL && strrchr(authority, ':')
           > strstr(authority, r->host), "with the port always");
    }
}


static void
test_wrong(const struct wrong *w, size_t n,
    int (*parse)(const char *text, struct inlets_url *ret))
{
    struct inlets_url url = { .port = 7 };

    for (size_t i = 0; i < n; i++, w++) {
        is_int(parse(w->text, &url), w->rc, w->text);
        ok(strcmp(inlets_strerror(w->rc), "unknown error") != 0,
           inlets_strerror(w->rc));
    }

    is_int(url.port, 7, "nothing is set on failure");
}


/* At most n characters "a" after the prefix, with what is put behind them. */

static const char *
long_text(const char *prefix, size_t n, const char *suffix)
{
    static char text[4096];

    int len = snprintf(text, sizeof(text), "%s", prefix);

    memset(text + len, 'a', n);
    snprintf(text + len + n, sizeof(text) - (size_t) len - n, "%s", suffix);

    return text;
}


static void
test_bounds(void)
{
    struct inlets_url url;

    is_int(inlets_url_remote(long_text("ws://a/", 254, ""), &url), 0,
           "the longest path");
    is_int(strlen(url.path), INLETS_URL_PATH, "is kept whole");
    is_int(inlets_url_remote(long_text("ws://a/", 254, "/"), &url), 0,
           "also with a slash at its end");
    is_int(inlets_url_remote(long_text("ws://a/", 255, ""), &url),
           INLETS_E_URL_LENGTH, "a longer one");
    is_int(inlets_url_remote(long_text("", 64, ":443"), &url),
           INLETS_E_URL_HOST, "a long label");
    is_int(inlets_url_remote(long_text("ws://a/", 3000, ""), &url),
           INLETS_E_URL_LENGTH, "a very long text");
    is_int(inlets_url_upstream(long_text("", 3000, ":80"), &url),
           INLETS_E_URL_LENGTH, "a very long upstream");
    is_int(inlets_url_upstream(long_text("unix:/", 106, ""), &url), 0,
           "the longest path of a socket");
    is_int(inlets_url_upstream(long_text("unix:///", 107, ""), &url),
           INLETS_E_URL_SOCKET_LENGTH, "a longer one");
}


static void
test_service(void)
{
    static const struct {
        const char *text;
        const char *plain;
        const char *http;
    } services[] = {
        { "3000", "127.0.0.1:3000", "http://127.0.0.1:3000" },
        { "http://web", "web:80", "http://web:80" },
        { "https://[::1]", "https://[::1]:443", "https://[::1]:443" },
        { "unix:///s", "unix:/s", "unix:/s" }
    };

    for (size_t i = 0; i < COUNT(services); i++) {
        struct inlets_url url;
        char text[INLETS_URL_SERVICE];

        is_int(inlets_url_upstream(services[i].text, &url), 0, "an upstream");
        is_int(inlets_url_service(&url, false, text),
               strlen(services[i].plain), "its length");
        is_str(text, services[i].plain, "as it was written");
        is_int(inlets_url_service(&url, true, text), strlen(services[i].http),
               "its length with http");
        is_str(text, services[i].http, "with http");
    }
}


int
main(void)
{
    test_right(remotes, COUNT(remotes), inlets_url_remote);
    test_wrong(wrong_remotes, COUNT(wrong_remotes), inlets_url_remote);
    test_right(upstreams, COUNT(upstreams), inlets_url_upstream);
    test_right(sockets, COUNT(sockets), inlets_url_upstream);
    test_wrong(wrong_upstreams, COUNT(wrong_upstreams), inlets_url_upstream);
    test_bounds();
    test_service();

    return tap_done();
}
