#include "inlets_error.h"

#include <stddef.h>


static const char *
inlets_strerror_general(int error)
{
    switch (error) {

    case INLETS_OK:
        return "no error";
    case INLETS_E_NO_SPACE:
        return "the buffer is too small";
    case INLETS_E_NO_MEMORY:
        return "out of memory";
    case INLETS_E_INVALID:
        return "invalid argument";
    }

    return NULL;
}


static const char *
inlets_strerror_ws(int error)
{
    switch (error) {

    case INLETS_E_WS_RESERVED_BITS:
        return "reserved bits set in a WebSocket frame";
    case INLETS_E_WS_OPCODE:
        return "unknown WebSocket opcode";
    case INLETS_E_WS_MASK:
        return "wrong masking of a WebSocket frame";
    case INLETS_E_WS_LENGTH:
        return "invalid length of a WebSocket frame or message";
    case INLETS_E_WS_CONTROL:
        return "fragmented or too long WebSocket control frame";
    case INLETS_E_WS_CONTINUATION:
        return "unexpected or missing WebSocket continuation frame";
    case INLETS_E_WS_NOT_BINARY:
        return "text WebSocket message where only binary ones may be";
    case INLETS_E_WS_CLOSE:
        return "invalid payload of a WebSocket Close frame";
    case INLETS_E_WS_UTF8:
        return "invalid UTF-8 in a WebSocket message";
    }

    return NULL;
}


static const char *
inlets_strerror_yamux(int error)
{
    switch (error) {

    case INLETS_E_YAMUX_VERSION:
        return "unknown yamux version";
    case INLETS_E_YAMUX_TYPE:
        return "unknown yamux frame type";
    case INLETS_E_YAMUX_FLAGS:
        return "invalid flags in a yamux frame";
    case INLETS_E_YAMUX_STREAM_ID:
        return "invalid yamux stream id";
    case INLETS_E_YAMUX_WINDOW:
        return "more data than the receive window of a stream";
    case INLETS_E_YAMUX_CREDIT:
        return "send window of a stream over 2^32 - 1";
    case INLETS_E_YAMUX_DUPLICATE:
        return "a stream opened twice";
    case INLETS_E_YAMUX_DATA_AFTER_FIN:
        return "data on a stream after its end";
    case INLETS_E_YAMUX_GO_AWAY:
        return "the peer reported a yamux error";
    case INLETS_E_YAMUX_UNWANTED:
        return "a stream opened by the peer that may not open any";
    case INLETS_E_MUX_FLOOD:
        return "too many small or control frames";
    }

    return NULL;
}


static const char *
inlets_strerror_proxy(int error)
{
    switch (error) {

    case INLETS_E_PROXY_SIGNATURE:
        return "no PROXY protocol v2 signature";
    case INLETS_E_PROXY_VERSION:
        return "unknown version or command in a PROXY protocol header";
    case INLETS_E_PROXY_FAMILY:
        return "unknown address family in a PROXY protocol header";
    case INLETS_E_PROXY_LENGTH:
        return "invalid length of a PROXY protocol header";
    case INLETS_E_PROXY_TLV:
        return "invalid TLV in a PROXY protocol header";
    }

    return NULL;
}


static const char *
inlets_strerror_name(int error)
{
    switch (error) {

    case INLETS_E_NAME_LENGTH:
        return "a name or label is empty or too long";
    case INLETS_E_NAME_CHARACTER:
        return "invalid character in a name";
    case INLETS_E_NAME_HYPHEN:
        return "a label has a hyphen first, last, or third and fourth";
    case INLETS_E_UUID:
        return "invalid UUID";
    case INLETS_E_SIGNATURE:
        return "invalid signature";
    case INLETS_E_NAME_DOMAIN:
        return "not a name directly below the domain";
    }

    return NULL;
}


static const char *
inlets_strerror_url(int error)
{
    switch (error) {

    case INLETS_E_URL_EMPTY:
        return "the address is empty";
    case INLETS_E_URL_LENGTH:
        return "the address is too long";
    case INLETS_E_URL_SCHEME:
        return "unsupported scheme in the URL";
    case INLETS_E_URL_USERINFO:
        return "a user name or password may not be in the URL";
    case INLETS_E_URL_HOST:
        return "invalid host";
    case INLETS_E_URL_BRACKETS:
        return "an IPv6 address needs brackets around it, as in [::1]:80";
    case INLETS_E_URL_NO_PORT:
        return "missing port";
    case INLETS_E_URL_PORT:
        return "the port is not a number from 1 to 65535";
    case INLETS_E_URL_PATH:
        return "invalid character in the path";
    case INLETS_E_URL_WITH_PATH:
        return "a path may not be in the address";
    case INLETS_E_URL_QUERY:
        return "a query may not be in the URL";
    case INLETS_E_URL_FRAGMENT:
        return "a fragment may not be in the URL";
    case INLETS_E_URL_SOCKET:
        return "a Unix socket needs an absolute path, as in unix:/run/web.sock";
    case INLETS_E_URL_SOCKET_LENGTH:
        return "the path of a Unix socket may have 107 bytes at most";
    }

    return NULL;
}


static const char *
inlets_strerror_http(int error)
{
    switch (error) {

    case INLETS_E_HTTP_SYNTAX:
        return "invalid HTTP request";
    case INLETS_E_HTTP_LENGTH:
        return "HTTP request with a body of ambiguous length";
    case INLETS_E_HTTP_LARGE:
        return "the header of an HTTP request is too long";
    case INLETS_E_HTTP_UPGRADE:
        return "data on a stream that is not upgraded yet";
    }

    return NULL;
}


const char *
inlets_strerror(int error)
{
    const char *text = NULL;

    if (error > -10) {
        text = inlets_strerror_general(error);

    } else if (error > -30) {
        text = inlets_strerror_ws(error);

    } else if (error > -50) {
        text = inlets_strerror_yamux(error);

    } else if (error > -60) {
        text = inlets_strerror_proxy(error);

    } else if (error > -80) {
        text = inlets_strerror_name(error);

    } else if (error > -110) {
        text = inlets_strerror_url(error);

    } else {
        text = inlets_strerror_http(error);
    }

    return text == NULL ? "unknown error" : text;
}
