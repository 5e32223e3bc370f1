/*
 * What both ends of the wire have to spell the same way.
 */

#ifndef INLETS_PROTOCOL_H
#define INLETS_PROTOCOL_H


#define INLETS_PROTOCOL_V2   "2.0.0"
#define INLETS_PROTOCOL_V1   "1.2.0"


#define INLETS_PATH_MONITOR  "/_/monitor"
#define INLETS_PATH_DATA     "/_/data"
#define INLETS_PATH_V1       "/_client"


/* Query arguments of the data path. */
#define INLETS_ARG_CLIENT_ID     "clientId"
#define INLETS_ARG_CONTAINER_ID  "containerId"
#define INLETS_ARG_STREAM_ID     "streamId"
#define INLETS_ARG_MUX           "mux"


/* Capability flags. */
#define INLETS_CAP_BINARY_PROTOCOL   0x00001
#define INLETS_CAP_COMPRESSION       0x00002
#define INLETS_CAP_STREAMING         0x00004
#define INLETS_CAP_FLOW_CONTROL      0x00008
#define INLETS_CAP_HTTP_BINARY       0x00010
#define INLETS_CAP_HTTP_STREAMING    0x00020
#define INLETS_CAP_TCP_OVER_WS       0x00040
#define INLETS_CAP_TCP_MULTIPLEX     0x00080
#define INLETS_CAP_HTTP_BODY_STREAM  0x00100
#define INLETS_CAP_TCP_EARLY_STREAM  0x00200
#define INLETS_CAP_MUX               0x10000     /* ours: links with yamux */

#define INLETS_MUX_VERSION           1           /* features.mux.version */

/*
 * features.mux.key: true, if the client can show a key with its links; in the
 * answer the key, as the links of that session then have to show it, in a
 * header.  URLs alone come into access logs.
 */
#define INLETS_MUX_KEY               "key"
#define INLETS_MUX_KEY_HEADER        "Inlets-Key"
#define INLETS_MUX_KEY_MAX           128         /* longest that is accepted */

/*
 * Of features.mux: the client says false where its local service is told the
 * visitor of each connection, so that no stream may carry requests of two.
 */
#define INLETS_MUX_REUSE             "reuse"


/* Values of "type" and "authType". */
#define INLETS_TYPE_HTTP             "http"
#define INLETS_TYPE_TCP              "tcp"

#define INLETS_AUTH_TOKEN            "token"
#define INLETS_AUTH_CREDENTIALS      "credentials"
#define INLETS_AUTH_PUBLIC           "public"

#define INLETS_PUBLIC_SECRET         "public"


/* Events on a monitor. */
#define INLETS_EVENT_ID              "id"
#define INLETS_EVENT_AUTHENTICATE    "authenticate"
#define INLETS_EVENT_PING            "ping"
#define INLETS_EVENT_PONG            "pong"
#define INLETS_EVENT_WARN            "warn"
#define INLETS_EVENT_ERROR           "error"
#define INLETS_EVENT_CONFIG          "@@CONFIG"
#define INLETS_EVENT_TCP_READY       "tcp:ready"
#define INLETS_EVENT_DRAIN           "drain"
#define INLETS_EVENT_DISCONNECT      "disconnect"

/* Events of plain version 2 and version 1. */
#define INLETS_EVENT_REQUEST         "request"
#define INLETS_EVENT_RESPONSE        "response"
#define INLETS_EVENT_TCP_CONNECT     "tcp:connect"
#define INLETS_EVENT_TCP_DATA        "tcp:data"
#define INLETS_EVENT_DATA_OPEN       "data:channel:open"
#define INLETS_EVENT_DATA_READY      "data:channel:ready"
#define INLETS_EVENT_ECHO            "echo"


/* Times, milliseconds. */
#define INLETS_PING_INTERVAL         15000      /* after each pong */
#define INLETS_PING_TIMEOUT          20000      /* a pong has to come within */
#define INLETS_AUTH_TIMEOUT          10000      /* edge waits for the login */
#define INLETS_AUTH_REPLY_TIMEOUT    30000      /* client waits for the reply */
#define INLETS_HANDSHAKE_TIMEOUT     10000
#define INLETS_HEARTBEAT_TIMEOUT     60000      /* of a monitor, at the edge */


/* The longest event that an edge takes before a login, so that of the login. */
#define INLETS_LOGIN_MAX             16384


/* Why a login failed; %s is filled in by the edge. */
#define INLETS_FAIL_CLIENT           "invalid client: "
#define INLETS_FAIL_PUBLIC_TCP                                                \
    "public auth is only allowed for http tunnel"
#define INLETS_FAIL_NOT_FOUND        "client not found: %s"
#define INLETS_FAIL_NO_CREDENTIALS                                            \
    "credentials auth requires clients configuration or token"
#define INLETS_FAIL_NO_TOKEN                                                  \
    "token is required for token authentication"
#define INLETS_FAIL_PUBLIC_NAME                                               \
    "subDomain is not allowed for public authType"
#define INLETS_FAIL_SECRET           "invalid client(%s)"
#define INLETS_FAIL_SIGNATURE        "invalid signature"
#define INLETS_FAIL_NAME_USED                                                 \
    "domain id has been used, please use another"
#define INLETS_FAIL_PORT_USED        "is in use, please use another"
#define INLETS_FAIL_ATTEMPTS                                                  \
    "too many failed logins from this address, try again in a minute"
#define INLETS_FAIL_TYPE             "unknown tunnel type \"%s\""

#define INLETS_WARN_VERSION                                                   \
    "Warning: client version(%s) should be >= server(" INLETS_PROTOCOL_V2 ")"


/* Tunnels without credentials; %s is a duration. */
#define INLETS_WARN_PUBLIC                                                    \
    "Unauthenticated (public) monitor session; max lifetime is %s."
#define INLETS_WARN_PUBLIC_SOON                                               \
    "Unauthenticated session will close in %s."
#define INLETS_WARN_PUBLIC_OVER                                               \
    "Unauthenticated session reached the %s limit; closing."
#define INLETS_CLOSE_PUBLIC          "public monitor session timeout"


/* Bodies of the errors on the data path, each with a line feed after it. */
#define INLETS_DATA_MISSING          "Missing clientId, containerId or streamId"
#define INLETS_DATA_NOT_FOUND        "Container not found"
#define INLETS_DATA_MISMATCH         "ClientId mismatch"


#endif /* INLETS_PROTOCOL_H */
