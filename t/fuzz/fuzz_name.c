/*
 * Names and addresses: the first byte chooses the parser, the rest is text.
 * What a parser makes is taken by it again, unchanged.
 */

#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "inlets_name.h"
#include "inlets_sign.h"
#include "inlets_url.h"


#define MAX_TEXT  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
require(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
fuzz_host(const char *text, size_t len)
{
    char host[INLETS_HOST_MAX + 1], again[INLETS_HOST_MAX + 1];
    size_t n, n_again;

    if (inlets_host_normalize(text, len, host, sizeof(host), &n) != 0) {
        return;
    }

    require(n > 0 && n <= INLETS_HOST_MAX && n <= len && strlen(host) == n);
    require(inlets_host_normalize(host, n, again, sizeof(again), &n_again)
            == 0);
    require(n == n_again && strcmp(host, again) == 0);

    int label = inlets_host_label(host, n, "example.com", 11);

    require(label < 0 || inlets_label_check(host, (size_t) label) == 0);
}


static void
fuzz_label(const char *text, size_t len)
{
    char label[INLETS_LABEL_MAX + 1];

    if (inlets_label_normalize(text, len, label) == 0) {
        require(strlen(label) == len);
        require(inlets_label_check(label, len) == 0);

    } else {
        require(inlets_label_check(text, len) != 0);
    }
}


static void
fuzz_uuid(const char *text, size_t len)
{
    uint8_t uuid[INLETS_UUID_LEN], again[INLETS_UUID_LEN];
    char out[INLETS_UUID_TEXT + 1];

    if (inlets_uuid_parse(text, len, uuid) != 0) {
        return;
    }

    inlets_uuid_format(uuid, out);
    require(inlets_uuid_parse(out, strlen(out), again) == 0);
    require(memcmp(uuid, again, sizeof(uuid)) == 0);
}


static void
fuzz_url(const char *text, int (*parse)(const char *, struct inlets_url *))
{
    struct inlets_url url, again;
    char authority[INLETS_URL_AUTHORITY], service[INLETS_URL_SERVICE];

    if (parse(text, &url) != 0) {
        return;
    }

    require((url.port != 0 && url.host[0] != '\0') || url.local_socket);
    require(url.path[0] == '\0' || url.path[0] == '/');

    int len = inlets_url_authority(&url, true, authority);

    require(len > 0 && (size_t) len < sizeof(authority));
    require(strlen(authority) == (size_t) len);
    require(parse(authority, &again) == 0);
    require(again.port == url.port && again.ip6 == url.ip6);
    require(strcmp(again.host, url.host) == 0);

    if (parse != inlets_url_upstream) {
        return;
    }

    len = inlets_url_service(&url, false, service);

    require(len > 0 && (size_t) len < sizeof(service));
    require(parse(service, &again) == 0 && again.tls == url.tls);
    require(again.local_socket == url.local_socket);
    require(strcmp(again.path, url.path) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[MAX_TEXT + 1], accept[INLETS_WS_ACCEPT_LEN + 1];

    if (size == 0 || size > MAX_TEXT) {
        return 0;
    }

    size_t len = size - 1;

    memcpy(text, data + 1, len);
    text[len] = '\0';

    switch (data[0] % 7) {

    case 0:
        fuzz_host((const char *) data + 1, len);
        break;

    case 1:
        fuzz_label((const char *) data + 1, len);
        break;

    case 2:
        fuzz_uuid((const char *) data + 1, len);
        break;

    case 3:
        fuzz_url(text, inlets_url_remote);
        break;

    case 4:
        fuzz_url(text, inlets_url_upstream);
        break;

    case 5:
        (void) inlets_ip6_check((const char *) data + 1, len);
        break;

    default:
        (void) inlets_ws_accept((const char *) data + 1, len, accept);
        break;
    }

    return 0;
}
