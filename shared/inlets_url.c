#include "inlets_url.h"

#include <string.h>

#include "inlets_error.h"
#include "inlets_name.h"


#define INLETS_URL_TEXT   2048      /* longest text looked at */
#define INLETS_URL_ZONE   15        /* longest zone of an IPv6 address */
#define INLETS_URL_LOCAL  "127.0.0.1"
#define INLETS_URL_UNIX   "unix:"


struct inlets_url_scheme {
    const char *name;
    bool tls;
    bool upstream;
};

static const struct inlets_url_scheme inlets_url_schemes[] = {
    { .name = "http", .tls = false, .upstream = true },
    { .name = "https", .tls = true, .upstream = true },
    { .name = "ws", .tls = false, .upstream = false },
    { .name = "wss", .tls = true, .upstream = false }
};


static uint16_t
inlets_url_default_port(bool tls)
{
    return tls ? 443 : 80;
}


static bool
inlets_url_name_equal(const char *text, size_t len, const char *name)
{
    if (strlen(name) != len) {
        return false;
    }

    for (size_t i = 0; i < len; i++) {
        if ((text[i] | 0x20) != name[i]) {
            return false;
        }
    }

    return true;
}


static const struct inlets_url_scheme *
inlets_url_find_scheme(const char *text, size_t len, bool upstream)
{
    size_t n = sizeof(inlets_url_schemes) / sizeof(inlets_url_schemes[0]);

    for (size_t i = 0; i < n; i++) {
        const struct inlets_url_scheme *s = &inlets_url_schemes[i];

        if ((s->upstream || !upstream)
            && inlets_url_name_equal(text, len, s->name))
        {
            return s;
        }
    }

    return NULL;
}


static int
inlets_url_parse_port(const char *text, size_t len, uint16_t *ret)
{
    uint32_t port = 0;

    if (len == 0 || len > 5 || text[0] == '0') {
        return INLETS_E_URL_PORT;
    }

    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return INLETS_E_URL_PORT;
        }

        port = port * 10 + (uint32_t) (text[i] - '0');
    }

    if (port > UINT16_MAX) {
        return INLETS_E_URL_PORT;
    }

    *ret = (uint16_t) port;

    return INLETS_OK;
}


static int
inlets_url_parse_name(const char *text, size_t len, struct inlets_url *url)
{
    size_t n;

    switch (inlets_host_normalize(text, len, url->host, sizeof(url->host),
                                  &n))
    {
    case INLETS_OK:
        return INLETS_OK;

    case INLETS_E_NO_SPACE:
        return INLETS_E_URL_LENGTH;

    default:
        return INLETS_E_URL_HOST;
    }
}


/* text is what stands within the brackets, maybe with a zone: fe80::1%eth0. */

static int
inlets_url_parse_ip6(const char *text, size_t len, struct inlets_url *url)
{
    const char *zone = memchr(text, '%', len);
    size_t n = zone == NULL ? len : (size_t) (zone - text);

    if (inlets_ip6_check(text, n) != INLETS_OK) {
        return INLETS_E_URL_HOST;
    }

    if (zone != NULL && (len - n < 2 || len - n - 1 > INLETS_URL_ZONE)) {
        return INLETS_E_URL_HOST;
    }

    for (size_t i = n + 1; i < len; i++) {
        char c = (char) (text[i] | 0x20);

        if (!((c >= 'a' && c <= 'z') || (text[i] >= '0' && text[i] <= '9')
              || text[i] == '-' || text[i] == '_' || text[i] == '.'))
        {
            return INLETS_E_URL_HOST;
        }
    }

    for (size_t i = 0; i < len; i++) {
        bool upper = i < n && text[i] >= 'A' && text[i] <= 'F';

        url->host[i] = upper ? (char) (text[i] | 0x20) : text[i];
    }

    url->host[len] = '\0';
    url->ip6 = true;

    return INLETS_OK;
}


/* Takes the host and shows what follows it: nothing, or ':' and the port. */

static int
inlets_url_parse_host(const char *text, size_t len, struct inlets_url *url,
    const char **ret_rest)
{
    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);

        if (end == NULL) {
            return INLETS_E_URL_BRACKETS;
        }

        *ret_rest = end + 1;

        return inlets_url_parse_ip6(text + 1, (size_t) (end - text) - 1, url);
    }

    const char *colon = memchr(text, ':', len);
    const char *end = text + len;

    if (colon == NULL) {
        *ret_rest = end;
        return inlets_url_parse_name(text, len, url);
    }

    if (memchr(colon + 1, ':', (size_t) (end - colon) - 1) != NULL) {
        return INLETS_E_URL_BRACKETS;
    }

    *ret_rest = colon;

    return inlets_url_parse_name(text, (size_t) (colon - text), url);
}


/* port is 0 where one has to be given. */

static int
inlets_url_parse_authority(const char *text, size_t len, uint16_t port,
    struct inlets_url *url)
{
    const char *end = text + len;
    const char *rest;

    if (memchr(text, '@', len) != NULL) {
        return INLETS_E_URL_USERINFO;
    }

    int rc = inlets_url_parse_host(text, len, url, &rest);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (rest == end) {
        url->port = port;
        return port == 0 ? INLETS_E_URL_NO_PORT : INLETS_OK;
    }

    if (*rest != ':') {
        return INLETS_E_URL_BRACKETS;
    }

    return inlets_url_parse_port(rest + 1, (size_t) (end - rest) - 1,
                                 &url->port);
}


/* Takes what may stand in a request line as it is. */

static int
inlets_url_parse_path(const char *text, size_t len, struct inlets_url *url)
{
    while (len > 0 && text[len - 1] == '/') {
        len--;
    }

    if (len > INLETS_URL_PATH) {
        return INLETS_E_URL_LENGTH;
    }

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c <= ' ' || c >= 0x7f || memchr("\"<>\\^`{|}", c, 9) != NULL) {
            return INLETS_E_URL_PATH;
        }
    }

    if (len > 0) {
        memcpy(url->path, text, len);
    }

    url->path[len] = '\0';

    return INLETS_OK;
}


static int
inlets_url_parse_url(const char *text, const char *authority, bool upstream,
    struct inlets_url *url)
{
    const struct inlets_url_scheme *scheme;

    scheme = inlets_url_find_scheme(text, (size_t) (authority - text),
                                    upstream);
    if (scheme == NULL) {
        return INLETS_E_URL_SCHEME;
    }

    authority += 3;

    size_t len = strcspn(authority, "/?#");
    const char *path = authority + len;
    size_t path_len = strcspn(path, "?#");

    if (path[path_len] != '\0') {
        return path[path_len] == '?' ? INLETS_E_URL_QUERY
                                     : INLETS_E_URL_FRAGMENT;
    }

    url->tls = scheme->tls;

    int rc = inlets_url_parse_authority(authority, len,
                                        inlets_url_default_port(scheme->tls),
                                        url);
    if (rc != INLETS_OK) {
        return rc;
    }

    if (upstream && path_len > 1) {
        return INLETS_E_URL_WITH_PATH;
    }

    return inlets_url_parse_path(path, path_len, url);
}


/* The forms without a scheme. */

static int
inlets_url_parse_plain(const char *text, size_t len, struct inlets_url *url)
{
    switch (text[strcspn(text, "/?#")]) {

    case '/':
        return INLETS_E_URL_WITH_PATH;
    case '?':
        return INLETS_E_URL_QUERY;
    case '#':
        return INLETS_E_URL_FRAGMENT;
    default:
        return inlets_url_parse_authority(text, len, 0, url);
    }
}


/* "unix:80" is a port of a host. */

static bool
inlets_url_is_socket(const char *text, size_t len)
{
    size_t n = sizeof(INLETS_URL_UNIX) - 2;

    return len > n && text[n] == ':' && inlets_url_name_equal(text, n, "unix")
           && (text[n + 1] < '0' || text[n + 1] > '9');
}


/* text is what follows "unix:". */

static int
inlets_url_parse_socket(const char *text, size_t len, struct inlets_url *url)
{
    if (len >= 2 && memcmp(text, "//", 2) == 0) {
        text += 2;
        len -= 2;
    }

    if (len < 2 || text[0] != '/' || text[1] == '/') {
        return INLETS_E_URL_SOCKET;
    }

    if (len > INLETS_URL_SOCKET) {
        return INLETS_E_URL_SOCKET_LENGTH;
    }

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < ' ' || text[i] == 0x7f) {
            return INLETS_E_URL_PATH;
        }
    }

    memcpy(url->path, text, len);
    url->path[len] = '\0';
    url->local_socket = true;

    return INLETS_OK;
}


static int
inlets_url_length(const char *text, size_t *ret)
{
    const char *end = memchr(text, '\0', INLETS_URL_TEXT + 1);

    if (end == NULL) {
        return INLETS_E_URL_LENGTH;
    }

    *ret = (size_t) (end - text);

    return *ret == 0 ? INLETS_E_URL_EMPTY : INLETS_OK;
}


int
inlets_url_remote(const char *text, struct inlets_url *ret)
{
    struct inlets_url url = { .tls = false };
    size_t len;
    int rc = inlets_url_length(text, &len);

    if (rc != INLETS_OK) {
        return rc;
    }

    const char *authority = strstr(text, "://");

    if (authority != NULL) {
        rc = inlets_url_parse_url(text, authority, false, &url);

    } else {
        rc = inlets_url_parse_plain(text, len, &url);
        url.tls = url.port == 443;
    }

    if (rc == INLETS_OK) {
        *ret = url;
    }

    return rc;
}


int
inlets_url_upstream(const char *text, struct inlets_url *ret)
{
    struct inlets_url url = { .tls = false };
    size_t len;
    int rc = inlets_url_length(text, &len);

    if (rc != INLETS_OK) {
        return rc;
    }

    const char *authority = strstr(text, "://");

    if (inlets_url_is_socket(text, len)) {
        size_t n = sizeof(INLETS_URL_UNIX) - 1;

        rc = inlets_url_parse_socket(text + n, len - n, &url);

    } else if (authority != NULL) {
        rc = inlets_url_parse_url(text, authority, true, &url);

    } else if (strspn(text, "0123456789") == len) {
        memcpy(url.host, INLETS_URL_LOCAL, sizeof(INLETS_URL_LOCAL));
        rc = inlets_url_parse_port(text, len, &url.port);

    } else {
        rc = inlets_url_parse_plain(text, len, &url);
    }

    if (rc == INLETS_OK) {
        *ret = url;
    }

    return rc;
}


static char *
inlets_url_write_text(char *p, const char *text)
{
    size_t len = strlen(text);

    memcpy(p, text, len);

    return p + len;
}


static char *
inlets_url_write_port(char *p, uint16_t port)
{
    char digits[5];
    size_t n = 0;

    do {
        digits[n++] = (char) ('0' + port % 10);
        port /= 10;
    } while (port != 0);

    *p++ = ':';

    while (n > 0) {
        *p++ = digits[--n];
    }

    return p;
}


int
inlets_url_authority(const struct inlets_url *url, bool with_port,
    char ret[INLETS_URL_AUTHORITY])
{
    char *p = ret;

    if (url->local_socket) {
        p = inlets_url_write_text(p, INLETS_URL_UNIX);
        p = inlets_url_write_text(p, url->path);
        *p = '\0';

        return (int) (p - ret);
    }

    if (url->ip6) {
        *p++ = '[';
    }

    p = inlets_url_write_text(p, url->host);

    if (url->ip6) {
        *p++ = ']';
    }

    if (with_port || url->port != inlets_url_default_port(url->tls)) {
        p = inlets_url_write_port(p, url->port);
    }

    *p = '\0';

    return (int) (p - ret);
}


int
inlets_url_service(const struct inlets_url *url, bool http,
    char ret[INLETS_URL_SERVICE])
{
    char *p = ret;

    if (!url->local_socket && (url->tls || http)) {
        p = inlets_url_write_text(p, url->tls ? "https://" : "http://");
    }

    p += inlets_url_authority(url, true, p);

    return (int) (p - ret);
}
