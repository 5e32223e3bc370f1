#include "version.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>
#include <uv.h>
#include <yaml.h>

#include "http.h"
#include "inlets_protocol.h"
#include "inlets_version.h"
#include "libcurl.h"


#define TEXT(x)   #x
#define VALUE(x)  TEXT(x)

#define CJSON_BUILT  VALUE(CJSON_VERSION_MAJOR) "."                           \
                     VALUE(CJSON_VERSION_MINOR) "."                           \
                     VALUE(CJSON_VERSION_PATCH)

#define UV_BUILT     VALUE(UV_VERSION_MAJOR) "." VALUE(UV_VERSION_MINOR) "."  \
                     VALUE(UV_VERSION_PATCH)


/* The Makefile tells, if nginx was configured. */

#ifndef INLETS_NGINX_VERSION
#define INLETS_NGINX_VERSION    "unknown, the client was built alone"
#endif

#ifndef INLETS_NGINX_SIGNATURE
#define INLETS_NGINX_SIGNATURE  "unknown"
#endif


static void
print_library(const char *name, const char *loaded, const char *built)
{
    /* what is behind a dash is not of the release: "4.1.6-" */

    printf("  %-15s %.*s", name, (int) strcspn(loaded, "-"), loaded);

    if (built != NULL) {
        printf(", built with %.*s", (int) strcspn(built, "-"), built);
    }

    printf("\n");
}


/* It is loaded for reports only, and need not be installed. */

static void
print_curl(void)
{
    const char  *why;

    if (inlets_curl_load(&why)) {
        print_library("libcurl", inlets_curl.version_info(CURLVERSION_NOW)
                                 ->version, LIBCURL_VERSION);
        return;
    }

    print_library("libcurl", "not installed", LIBCURL_VERSION);
}


void
inlets_version_print(bool all)
{
    if (!all) {
        printf(INLETS_VERSION "\n");
        return;
    }

    printf("inlets " INLETS_VERSION "\n"
           "\n"
           "Protocol: " INLETS_PROTOCOL_V2 " with links, MUX version %d; "
           "neither " INLETS_PROTOCOL_V2 " without them nor\n"
           "          " INLETS_PROTOCOL_V1 " are in this release\n"
           "nginx:    " INLETS_NGINX_VERSION "\n"
           "          signature " INLETS_NGINX_SIGNATURE "\n"
           "\n"
           "Libraries:\n", INLETS_MUX_VERSION);

    print_library("OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING),
                  OPENSSL_VERSION_STR);
    print_library("libwebsockets", lws_get_library_version(),
                  LWS_LIBRARY_VERSION);
    print_library("libuv", uv_version_string(), UV_BUILT);
    print_library("cJSON", cJSON_Version(), CJSON_BUILT);
    print_library("libyaml", yaml_get_version_string(), NULL);
    print_library("llhttp", inlets_http_library(), NULL);
    print_curl();
}
