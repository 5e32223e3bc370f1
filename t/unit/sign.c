/*
 * Signatures and the WebSocket handshake keys.
 */

#include "tap.h"

#include "inlets_error.h"
#include "inlets_sign.h"


static const char timestamp[] = "1773532800000";

static const struct {
    const char *secret;
    const char *hex;
} vectors[] = {
    { "public",
      "d82c2a440c132d316c3e58bab10da7be7a7fe87d0d4f3e8098d25a49315335af"
      "7f8fc05f60918bd8f49d2ef1bbf9f7ced40b17eccecbe20f2744ed1d42302e59" },
    { "test-token-123",
      "5dac5c69c693b95691ab2423e406460c5adedaf61ad64f5cd049404e2197f489"
      "ae42fd4610d5d4b2c317deb08e523737abd09843971326031e88fa3799528070" },
    { "s3cr3t",
      "1e6e128af6ea3e8e0ac944ece0afdf93c613b18e361f866109801b85fe06d2c1"
      "9d542d1bc811acf6381a4384155198ab6adb7951fcb23a9fc477db3a58b972eb" }
};


static int
check(const char *secret, const char *message, const char *hex, size_t len)
{
    return inlets_sign_check(secret, strlen(secret), message, strlen(message),
                             hex, len);
}


static void
test_vectors(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const char *secret = vectors[i].secret;
        char hex[INLETS_SIGN_LEN + 1];

        is_int(inlets_sign(secret, strlen(secret), timestamp,
                           strlen(timestamp), hex),
               INLETS_OK, "signs");
        is_str(hex, vectors[i].hex, secret);
        is_int(check(secret, timestamp, hex, INLETS_SIGN_LEN), INLETS_OK,
               "its own signature is right");
    }
}


/* RFC 4231, test cases 2 and 6: a short key, and one over the block size. */

static void
test_rfc4231(void)
{
    static const char message[] =
        "Test Using Larger Than Block-Size Key - Hash Key First";

    char hex[INLETS_SIGN_LEN + 1];
    uint8_t key[131];

    memset(key, 0xaa, sizeof(key));

    inlets_sign("Jefe", 4, "what do ya want for nothing?", 28, hex);
    is_str(hex,
           "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
           "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
           "RFC 4231, case 2");

    inlets_sign(key, sizeof(key), message, sizeof(message) - 1, hex);
    is_str(hex,
           "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
           "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
           "RFC 4231, case 6");
}


static void
test_wrong(void)
{
    const char *hex = vectors[1].hex;
    char bad[INLETS_SIGN_LEN + 1];
    bool refused = true;

    for (size_t i = 0; i < INLETS_SIGN_LEN; i++) {
        memcpy(bad, hex, sizeof(bad));
        bad[i] = bad[i] == '0' ? '1' : '0';

        if (check("test-token-123", timestamp, bad, INLETS_SIGN_LEN)
            != INLETS_E_SIGNATURE)
        {
            refused = false;
        }
    }

    ok(refused, "a change of any digit is found");

    is_int(check("test-token-124", timestamp, hex, INLETS_SIGN_LEN),
           INLETS_E_SIGNATURE, "another secret");
    is_int(check("test-token-123", "1773532800001", hex, INLETS_SIGN_LEN),
           INLETS_E_SIGNATURE, "another message");
    is_int(check("test-token-123", timestamp, hex, INLETS_SIGN_LEN - 1),
           INLETS_E_SIGNATURE, "a short signature");
    is_int(check("test-token-123", timestamp, NULL, 0),
           INLETS_E_SIGNATURE, "no signature");
    is_int(check("", timestamp, hex, INLETS_SIGN_LEN),
           INLETS_E_INVALID, "an empty secret signs nothing");
    is_int(inlets_sign(NULL, 0, timestamp, 1, bad),
           INLETS_E_INVALID, "no secret signs nothing");

    for (size_t i = 0; i < INLETS_SIGN_LEN; i++) {
        bad[i] = hex[i] >= 'a' ? (char) (hex[i] - 0x20) : hex[i];
    }

    is_int(check("test-token-123", timestamp, bad, INLETS_SIGN_LEN),
           INLETS_E_SIGNATURE, "upper case is another signature");
}


static void
test_equal(void)
{
    ok(inlets_sign_equal("abc", 3, "abc", 3), "equal");
    ok(!inlets_sign_equal("abc", 3, "abd", 3), "the last byte differs");
    ok(!inlets_sign_equal("xbc", 3, "abc", 3), "the first byte differs");
    ok(!inlets_sign_equal("abc", 3, "abcd", 4), "the length differs");
    ok(inlets_sign_equal(NULL, 0, "", 0), "nothing equals nothing");
}


static void
test_websocket(void)
{
    static const char *const wrong[] = {
        "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ==x",
        "dGhlIHNhbXBsZSBub25jZQ=x", "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhl HNhbXBsZSBub25jZQ==", "dGhlIHNhbXBs-SBub25jZQ==",
        "dGhlIHNhbXBsZSBub25j===="
    };

    /* RFC 6455, 1.3 */
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

    char accept[INLETS_WS_ACCEPT_LEN + 1] = "untouched";
    char made[INLETS_WS_KEY_LEN + 1];

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        is_int(inlets_ws_accept(wrong[i], strlen(wrong[i]), accept),
               INLETS_E_INVALID, "not a key");
    }

    is_str(accept, "untouched", "nothing is set on failure");

    is_int(inlets_ws_accept(key, strlen(key), accept), INLETS_OK, "a key");
    is_str(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the key of RFC 6455");

    inlets_ws_key((const uint8_t *) "the sample nonce", made);
    is_str(made, key, "the nonce of RFC 6455");
}


int
main(void)
{
    test_vectors();
    test_rfc4231();
    test_wrong();
    test_equal();
    test_websocket();

    return tap_done();
}
