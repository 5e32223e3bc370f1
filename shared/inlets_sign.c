#include "inlets_sign.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "inlets_error.h"


#define INLETS_SHA1_LEN    20
#define INLETS_SHA512_LEN  64

static const char inlets_ws_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#define INLETS_WS_GUID_LEN  (sizeof(inlets_ws_guid) - 1)


int
inlets_sign(const void *secret, size_t secret_len, const void *message,
    size_t len, char ret_hex[INLETS_SIGN_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";

    uint8_t mac[INLETS_SHA512_LEN];
    unsigned mac_len = sizeof(mac);

    if (secret == NULL || secret_len == 0 || secret_len > INT_MAX) {
        return INLETS_E_INVALID;
    }

    if (HMAC(EVP_sha512(), secret, (int) secret_len, message, len, mac,
             &mac_len)
        == NULL || mac_len != sizeof(mac))
    {
        return INLETS_E_NO_MEMORY;
    }

    for (size_t i = 0; i < sizeof(mac); i++) {
        ret_hex[2 * i] = hex[mac[i] >> 4];
        ret_hex[2 * i + 1] = hex[mac[i] & 15];
    }

    ret_hex[INLETS_SIGN_LEN] = '\0';
    OPENSSL_cleanse(mac, sizeof(mac));

    return INLETS_OK;
}


int
inlets_sign_check(const void *secret, size_t secret_len, const void *message,
    size_t len, const char *hex, size_t hex_len)
{
    char expected[INLETS_SIGN_LEN + 1];

    int rc = inlets_sign(secret, secret_len, message, len, expected);

    if (rc != INLETS_OK) {
        return rc;
    }

    bool equal = inlets_sign_equal(hex, hex_len, expected, INLETS_SIGN_LEN);

    OPENSSL_cleanse(expected, sizeof(expected));

    return equal ? INLETS_OK : INLETS_E_SIGNATURE;
}


bool
inlets_sign_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    if (a_len != b_len) {
        return false;
    }

    return a_len == 0 || CRYPTO_memcmp(a, b, a_len) == 0;
}


int
inlets_hmac_sha256(const void *secret, size_t secret_len, const void *message,
    size_t len, uint8_t ret[INLETS_SHA256_LEN])
{
    unsigned digest_len = 0;

    if (secret_len == 0 || secret_len > INT_MAX) {
        return INLETS_E_INVALID;
    }

    if (HMAC(EVP_sha256(), secret, (int) secret_len, message, len, ret,
             &digest_len) == NULL
        || digest_len != INLETS_SHA256_LEN)
    {
        return INLETS_E_NO_MEMORY;
    }

    return INLETS_OK;
}


void
inlets_sign_wipe(void *secret, size_t len)
{
    OPENSSL_cleanse(secret, len);
}


/* 16 bytes: 22 digits, the last one with four bits unused, and "==". */

static bool
inlets_ws_key_valid(const char *key, size_t len)
{
    if (len != INLETS_WS_KEY_LEN || memcmp(key + 22, "==", 2) != 0) {
        return false;
    }

    for (size_t i = 0; i < 22; i++) {
        char c = key[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '+' || c == '/'))
        {
            return false;
        }
    }

    return true;
}


int
inlets_ws_accept(const char *key, size_t key_len,
    char ret[INLETS_WS_ACCEPT_LEN + 1])
{
    uint8_t text[INLETS_WS_KEY_LEN + INLETS_WS_GUID_LEN];
    uint8_t digest[INLETS_SHA1_LEN];
    unsigned digest_len = 0;

    if (!inlets_ws_key_valid(key, key_len)) {
        return INLETS_E_INVALID;
    }

    memcpy(text, key, INLETS_WS_KEY_LEN);
    memcpy(text + INLETS_WS_KEY_LEN, inlets_ws_guid, INLETS_WS_GUID_LEN);

    if (EVP_Digest(text, sizeof(text), digest, &digest_len, EVP_sha1(), NULL)
        != 1 || digest_len != sizeof(digest))
    {
        return INLETS_E_NO_MEMORY;
    }

    EVP_EncodeBlock((unsigned char *) ret, digest, sizeof(digest));

    return INLETS_OK;
}


void
inlets_ws_key(const uint8_t random[16], char ret[INLETS_WS_KEY_LEN + 1])
{
    EVP_EncodeBlock((unsigned char *) ret, random, 16);
}
