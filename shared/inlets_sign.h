/*
 * Signatures of the authenticate event, and the keys of the WebSocket
 * handshake (RFC 6455, 4.2.2).
 */

#ifndef INLETS_SIGN_H
#define INLETS_SIGN_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_SIGN_LEN       128   /* hex digits */
#define INLETS_SHA256_LEN     32    /* bytes */
#define INLETS_WS_KEY_LEN     24
#define INLETS_WS_ACCEPT_LEN  28


/*
 * Lower-case hex of HMAC-SHA512 over message, with a zero byte at the end.
 * INLETS_E_INVALID: the secret is empty; INLETS_E_NO_MEMORY: OpenSSL failed.
 */
int inlets_sign(const void *secret, size_t secret_len, const void *message,
    size_t len, char ret_hex[INLETS_SIGN_LEN + 1]);

/*
 * 0, INLETS_E_SIGNATURE, or an error of inlets_sign().  The time depends on
 * the lengths only.
 */
int inlets_sign_check(const void *secret, size_t secret_len,
    const void *message, size_t len, const char *hex, size_t hex_len);

/* The time depends on the lengths only. */
bool inlets_sign_equal(const void *a, size_t a_len, const void *b,
    size_t b_len);

/* INLETS_E_INVALID: the secret is empty; INLETS_E_NO_MEMORY: OpenSSL failed. */
int inlets_hmac_sha256(const void *secret, size_t secret_len,
    const void *message, size_t len, uint8_t ret[INLETS_SHA256_LEN]);

/* Overwrites a secret, whatever the compiler thinks of it. */
void inlets_sign_wipe(void *secret, size_t len);


/*
 * Sec-WebSocket-Accept for the value of Sec-WebSocket-Key, zero-terminated.
 * INLETS_E_INVALID: the key isn't the base64 of 16 bytes.
 */
int inlets_ws_accept(const char *key, size_t key_len,
    char ret[INLETS_WS_ACCEPT_LEN + 1]);

/* Sec-WebSocket-Key from 16 random bytes. */
void inlets_ws_key(const uint8_t random[16], char ret[INLETS_WS_KEY_LEN + 1]);


#endif /* INLETS_SIGN_H */
