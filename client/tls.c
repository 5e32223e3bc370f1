#include "tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "inlets_error.h"
#include "log.h"


static const char *
reason(unsigned long error)
{
    const char  *text = ERR_reason_error_string(error);

    return text != NULL ? text : "unknown error";
}


static int
load_authorities(SSL_CTX *ctx, const char *ca_file)
{
    if (ca_file == NULL) {
        return SSL_CTX_set_default_verify_paths(ctx);
    }

    if (SSL_CTX_load_verify_locations(ctx, ca_file, NULL) == 1) {
        return 1;
    }

    inlets_log_fatal("cannot load certificate authorities from \"%s\": %s",
                     ca_file, reason(ERR_peek_error()));
    ERR_clear_error();

    return 0;
}


/*
 * Set here, not on each connection, because libwebsockets would take an IPv6
 * address apart at its first colon.
 */

static int
set_expected_name(SSL_CTX *ctx, const struct inlets_url *url)
{
    X509_VERIFY_PARAM  *param = SSL_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    /* one of them may be there, of the edge before */

    if (X509_VERIFY_PARAM_set1_ip(param, NULL, 0) != 1
        || X509_VERIFY_PARAM_set1_host(param, NULL, 0) != 1)
    {
        return 0;
    }

    if (X509_VERIFY_PARAM_set1_ip_asc(param, url->host) == 1) {
        return 1;
    }

    return X509_VERIFY_PARAM_set1_host(param, url->host, 0);
}


/*
 * As a ClientHello is about to be made: names the server, unless by address.
 * libwebsockets has named it by then from the Host header, cut at the colon.
 */

static void
handshake_event(const SSL *const_ssl, int where, int rc)
{
    const struct inlets_url  *url;
    SSL                      *ssl = (SSL *) const_ssl;
    struct in6_addr           ip;

    (void) rc;

    if (!(where & SSL_CB_HANDSHAKE_START)) {
        return;
    }

    url = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (url->ip6 || inet_pton(AF_INET, url->host, &ip) == 1) {
        (void) SSL_set_tlsext_host_name(ssl, NULL);

    } else {
        (void) SSL_set_tlsext_host_name(ssl, url->host);
    }
}


static int
set_peer(SSL_CTX *ctx, const struct inlets_url *url, bool insecure)
{
    SSL_CTX_set_app_data(ctx, (void *) url);

    if (insecure) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return INLETS_OK;
    }

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    if (set_expected_name(ctx, url) != 1) {
        inlets_log_fatal("cannot set up TLS for \"%s\"", url->host);
        ERR_clear_error();
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static SSL_CTX *
create(void)
{
    SSL_CTX  *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL) {
        inlets_log_fatal("cannot set up TLS: %s", reason(ERR_peek_error()));
        return NULL;
    }

    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          |SSL_MODE_RELEASE_BUFFERS);

    SSL_CTX_set_info_callback(ctx, handshake_event);

    return ctx;
}


SSL_CTX *
inlets_tls_create(const struct inlets_url *url, const char *ca_file,
    bool insecure)
{
    SSL_CTX  *ctx = create();

    if (ctx == NULL) {
        return NULL;
    }

    if ((!insecure && load_authorities(ctx, ca_file) != 1)
        || set_peer(ctx, url, insecure) != INLETS_OK)
    {
        SSL_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


SSL_CTX *
inlets_tls_create_follower(void)
{
    static const struct inlets_url  nobody = { .tls = true };

    SSL_CTX  *ctx = create();

    if (ctx != NULL) {
        SSL_CTX_set_app_data(ctx, (void *) &nobody);
    }

    return ctx;
}


int
inlets_tls_follow(SSL_CTX *follower, const SSL_CTX *ctx,
    const struct inlets_url *url, bool insecure)
{
    SSL_CTX_set1_cert_store(follower, SSL_CTX_get_cert_store(ctx));

    return set_peer(follower, url, insecure);
}


const char *
inlets_tls_error(const SSL *ssl, char *buf, size_t size)
{
    unsigned long  error = ERR_peek_error();
    long           verify = SSL_get_verify_result(ssl);

    if (verify != X509_V_OK) {
        snprintf(buf, size, "certificate verify failed: %s",
                 X509_verify_cert_error_string(verify));

    } else if (error != 0) {
        snprintf(buf, size, "TLS: %s", reason(error));

    } else {
        snprintf(buf, size, "TLS: connection closed");
    }

    ERR_clear_error();

    return buf;
}
