/*
 * Errors of the shared parsers and of the mux session.
 *
 * A function that can fail returns a negative enum inlets_error; a parser
 * that needs more input returns INLETS_NEED_MORE (0).
 */

#ifndef INLETS_ERROR_H
#define INLETS_ERROR_H


#define INLETS_OK         0
#define INLETS_NEED_MORE  0


enum inlets_error {
    INLETS_E_NO_SPACE = -1,         /* the caller's buffer is too small */
    INLETS_E_NO_MEMORY = -2,        /* the caller's allocator gave NULL */
    INLETS_E_INVALID = -3,          /* a wrong argument */

    /* WebSocket, RFC 6455 */
    INLETS_E_WS_RESERVED_BITS = -10,
    INLETS_E_WS_OPCODE = -11,
    INLETS_E_WS_MASK = -12,         /* masked from server, or not from client */
    INLETS_E_WS_LENGTH = -13,       /* not minimal, or past the limit */
    INLETS_E_WS_CONTROL = -14,      /* fragmented or over 125 bytes */
    INLETS_E_WS_CONTINUATION = -15, /* without a start, or a start within */
    INLETS_E_WS_NOT_BINARY = -16,   /* a text message on a link */
    INLETS_E_WS_CLOSE = -17,        /* a Close frame with a bad payload */
    INLETS_E_WS_UTF8 = -18,

    /* yamux */
    INLETS_E_YAMUX_VERSION = -30,
    INLETS_E_YAMUX_TYPE = -31,
    INLETS_E_YAMUX_FLAGS = -32,
    INLETS_E_YAMUX_STREAM_ID = -33, /* wrong parity, zero, or never opened */
    INLETS_E_YAMUX_WINDOW = -34,    /* more data than the window allowed */
    INLETS_E_YAMUX_CREDIT = -35,    /* a window over 2^32 - 1 */
    INLETS_E_YAMUX_DUPLICATE = -36, /* SYN for a stream that is open */
    INLETS_E_YAMUX_DATA_AFTER_FIN = -37,
    INLETS_E_YAMUX_GO_AWAY = -38,   /* the peer reported a protocol error */
    INLETS_E_YAMUX_UNWANTED = -39,  /* opened by the peer that may not */
    INLETS_E_MUX_FLOOD = -40,       /* pings, opens or resets past the bound */

    /* PROXY protocol v2 */
    INLETS_E_PROXY_SIGNATURE = -50,
    INLETS_E_PROXY_VERSION = -51,
    INLETS_E_PROXY_FAMILY = -52,
    INLETS_E_PROXY_LENGTH = -53,
    INLETS_E_PROXY_TLV = -54,

    /* names and signatures */
    INLETS_E_NAME_LENGTH = -60,
    INLETS_E_NAME_CHARACTER = -61,
    INLETS_E_NAME_HYPHEN = -62,     /* first, last, or "xx--" */
    INLETS_E_UUID = -63,
    INLETS_E_SIGNATURE = -64,
    INLETS_E_NAME_DOMAIN = -65,     /* not one label in front of the domain */

    /* addresses on the command line */
    INLETS_E_URL_EMPTY = -80,
    INLETS_E_URL_LENGTH = -81,
    INLETS_E_URL_SCHEME = -82,
    INLETS_E_URL_USERINFO = -83,
    INLETS_E_URL_HOST = -84,
    INLETS_E_URL_BRACKETS = -85,    /* IPv6 without them, or one missing */
    INLETS_E_URL_NO_PORT = -86,
    INLETS_E_URL_PORT = -87,
    INLETS_E_URL_PATH = -88,        /* a character that can't be in it */
    INLETS_E_URL_WITH_PATH = -89,   /* where none may be */
    INLETS_E_URL_QUERY = -90,
    INLETS_E_URL_FRAGMENT = -91,
    INLETS_E_URL_SOCKET = -92,      /* not an absolute path */
    INLETS_E_URL_SOCKET_LENGTH = -93,

    /* HTTP requests */
    INLETS_E_HTTP_SYNTAX = -110,
    INLETS_E_HTTP_LENGTH = -111,    /* the body might end here or there */
    INLETS_E_HTTP_LARGE = -112,     /* a head past the limit */
    INLETS_E_HTTP_UPGRADE = -113    /* data before the service's answer */
};


/*
 * A short lower-case clause for the log, never NULL; static storage.
 */
const char *inlets_strerror(int error);


#endif /* INLETS_ERROR_H */
