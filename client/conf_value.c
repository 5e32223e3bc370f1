#include "conf_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "inlets_config.h"
#include "inlets_error.h"
#include "inlets_name.h"
#include "libcurl.h"
#include "log.h"
#include "report.h"


static int
set(char **field, const char *text, char why[INLETS_WHY_MAX])
{
    int  rc = inlets_conf_set(field, text);

    if (rc != INLETS_OK) {
        snprintf(why, INLETS_WHY_MAX, "no memory");
    }

    return rc;
}


int
inlets_value_remote(struct inlets_url *url, const char *text, bool bare,
    char why[INLETS_WHY_MAX])
{
    char  name[sizeof("wss://") + INLETS_URL_HOST + 2];
    int   rc, n;

    rc = inlets_url_remote(text, url);

    if (rc == INLETS_E_URL_NO_PORT && bare) {
        n = snprintf(name, sizeof(name), "wss://%s", text);

        if (n > 0 && (size_t) n < sizeof(name)) {
            rc = inlets_url_remote(name, url);
        }
    }

    if (rc != INLETS_OK) {
        snprintf(why, INLETS_WHY_MAX, "must be host:port or a URL, not "
                 "\"%s\": %s", inlets_log_address(text), inlets_strerror(rc));
    }

    return rc;
}


int
inlets_value_upstream(struct inlets_url *url, const char *text,
    char why[INLETS_WHY_MAX])
{
    int  rc = inlets_url_upstream(text, url);

    if (rc != INLETS_OK) {
        snprintf(why, INLETS_WHY_MAX, "must be port or hostname:port, such as "
                 "9000 or 127.0.0.1:9000, not \"%s\": %s",
                 inlets_log_address(text), inlets_strerror(rc));
    }

    return rc;
}


int
inlets_value_label(char **field, const char *text, char why[INLETS_WHY_MAX])
{
    char  label[INLETS_LABEL_MAX + 1];
    int   rc;

    rc = inlets_label_normalize(text, strlen(text), label);

    if (rc != INLETS_OK) {
        snprintf(why, INLETS_WHY_MAX, "\"%s\": %s", text, inlets_strerror(rc));
        return rc;
    }

    return set(field, label, why);
}


int
inlets_value_name(char **field, const char *text, char why[INLETS_WHY_MAX])
{
    size_t  len = strlen(text);

    if (len == 0 || len > INLETS_NAME_MAX) {
        snprintf(why, INLETS_WHY_MAX, "must be a name of 1 to %d bytes",
                 INLETS_NAME_MAX);
        return INLETS_E_INVALID;
    }

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f) {
            snprintf(why, INLETS_WHY_MAX, "has a control character");
            return INLETS_E_INVALID;
        }
    }

    return set(field, text, why);
}


int
inlets_value_credentials(char **id, char **secret, const char *text,
    char why[INLETS_WHY_MAX])
{
    const char  *colon = strchr(text, ':');
    char         copy[INLETS_SECRET_MAX + 1];
    size_t       len = strlen(text);
    int          rc;

    if (colon == NULL || colon == text || colon[1] == '\0'
        || strchr(colon + 1, ':') != NULL || len > INLETS_SECRET_MAX)
    {
        snprintf(why, INLETS_WHY_MAX, "invalid credentials format, expected "
                 "'clientId:clientSecret'");
        return INLETS_E_INVALID;
    }

    memcpy(copy, text, len + 1);
    copy[colon - text] = '\0';

    rc = set(id, copy, why);

    if (rc == INLETS_OK) {
        rc = set(secret, copy + (colon - text) + 1, why);
    }

    OPENSSL_cleanse(copy, sizeof(copy));

    return rc;
}


int
inlets_value_secret(char **field, const char *what, const char *text,
    char why[INLETS_WHY_MAX])
{
    size_t  len = strlen(text);

    if (len == 0) {
        snprintf(why, INLETS_WHY_MAX, "the %s is empty", what);
        return INLETS_E_INVALID;
    }

    if (len > INLETS_SECRET_MAX) {
        snprintf(why, INLETS_WHY_MAX, "the %s is longer than %d bytes", what,
                 INLETS_SECRET_MAX);
        return INLETS_E_INVALID;
    }

    return set(field, text, why);
}


const char *
inlets_value_pair_fault(const char *text, size_t len)
{
    const char  *colon = memchr(text, ':', len);

    if (colon == NULL || colon == text || len > INLETS_PAIR_MAX) {
        return "must be user:password, of at most 512 bytes";
    }

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f) {
            return "has a control character";
        }
    }

    return NULL;
}


int
inlets_value_pair(char **field, const char *text, char why[INLETS_WHY_MAX])
{
    const char  *fault = inlets_value_pair_fault(text, strlen(text));

    if (fault != NULL) {
        snprintf(why, INLETS_WHY_MAX, "%s", fault);
        return INLETS_E_INVALID;
    }

    return set(field, text, why);
}


/* No more than that it is a token of the header: the service may be odd. */

int
inlets_value_host(char **field, const char *text, char why[INLETS_WHY_MAX])
{
    size_t  len = strlen(text);
    bool    good = len != 0 && len <= INLETS_HOST_HEADER_MAX;

    for (size_t i = 0; good && i < len; i++) {
        good = (unsigned char) text[i] > 0x20 && (unsigned char) text[i] < 0x7f
               && strchr("/\\?#@\"<>", text[i]) == NULL;
    }

    if (!good) {
        snprintf(why, INLETS_WHY_MAX, "must be a host such as app.local or "
                 "app.local:3000, not \"%s\"", inlets_log_address(text));
        return INLETS_E_INVALID;
    }

    return set(field, text, why);
}


/* Errors of the system have no text of OpenSSL's. */

static const char *
tls_reason(char *buf, size_t size)
{
    unsigned long  error = ERR_peek_error();
    const char    *text = ERR_reason_error_string(error);

    if (error != 0 && ERR_GET_LIB(error) == ERR_LIB_SYS) {
        text = strerror(ERR_GET_REASON(error));
    }

    snprintf(buf, size, "%s", text != NULL ? text : "it can't be read");
    ERR_clear_error();

    return buf;
}


int
inlets_value_ca_file(char **field, const char *path, char why[INLETS_WHY_MAX])
{
    X509_STORE  *store = NULL;
    struct stat  st;
    char         reason[256];
    int          good = 0;

    /* OpenSSL would wait for who writes into a pipe */

    if (stat(path, &st) != 0) {
        snprintf(reason, sizeof(reason), "%s", strerror(errno));

    } else if (!S_ISREG(st.st_mode)) {
        snprintf(reason, sizeof(reason), "it is no regular file");

    } else {
        store = X509_STORE_new();
        good = store != NULL
               && X509_STORE_load_locations(store, path, NULL) == 1;
        (void) tls_reason(reason, sizeof(reason));
        X509_STORE_free(store);
    }

    if (!good) {
        snprintf(why, INLETS_WHY_MAX, "cannot load certificate authorities "
                 "from \"%s\": %s", path, reason);
        return INLETS_E_INVALID;
    }

    return set(field, path, why);
}


int
inlets_value_report_url(char **field, const char *text,
    char why[INLETS_WHY_MAX])
{
    const char  *reason;

    if (!inlets_curl_load(&reason)) {
        snprintf(why, INLETS_WHY_MAX, "needs libcurl: %s", reason);
        return INLETS_E_INVALID;
    }

    if (!inlets_report_url_valid(text)) {
        snprintf(why, INLETS_WHY_MAX, "must be an http:// or https:// URL");
        return INLETS_E_INVALID;
    }

    return set(field, text, why);
}


int
inlets_value_time(uint32_t *field, const char *text, uint32_t min,
    char why[INLETS_WHY_MAX])
{
    size_t   len = strlen(text);
    int64_t  ms;

    if ((inlets_config_integer(text, len, &ms) != 0
         && inlets_config_time(text, len, &ms) != 0)
        || ms < min || ms > INLETS_TIME_MAX)
    {
        snprintf(why, INLETS_WHY_MAX, "expected milliseconds, or a time such "
                 "as 30s or 1m30s, of %s, found \"%s\"",
                 min == 0 ? "at most 1h" : "1ms to 1h", text);
        return INLETS_E_INVALID;
    }

    *field = (uint32_t) ms;

    return INLETS_OK;
}


int
inlets_value_append(char **field, const char *text)
{
    size_t  len = strlen(text), before = 0;
    char   *joined;

    if (*field == NULL) {
        return inlets_conf_set(field, text);
    }

    before = strlen(*field);
    joined = malloc(before + len + 2);

    if (joined == NULL) {
        return INLETS_E_NO_MEMORY;
    }

    memcpy(joined, *field, before);
    joined[before] = '\n';
    memcpy(joined + before + 1, text, len + 1);

    OPENSSL_cleanse(*field, before);
    free(*field);
    *field = joined;

    return INLETS_OK;
}
