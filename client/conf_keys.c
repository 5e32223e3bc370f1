#include "conf_keys.h"

#include "conf.h"
#include "log.h"


#define TIME_EXPECTED      "milliseconds, or a time such as 30s or 1m30s"
#define UPSTREAM_EXPECTED  "a port, host:port or a URL"


static const struct inlets_config_choice  levels[] = {
    { "error", INLETS_LOG_ERROR, 0 },
    { "warn", INLETS_LOG_WARN, 0 },
    { "info", INLETS_LOG_INFO, 0 },
    { "debug", INLETS_LOG_DEBUG, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  formats[] = {
    { "text", 0, 0 },
    { "json", 1, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  types[] = {
    { "http", 0, 0 },
    { "tcp", 1, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  proxies[] = {
    { "off", INLETS_PROXY_OFF, 0 },
    { "v1", INLETS_PROXY_V1, 0 },
    { "v2", INLETS_PROXY_V2, 0 },
    { NULL, 0, 0 }
};


/* The only list of them: the reference is written from it, too. */

const struct inlets_config_key  inlets_conf_keys[] = {

    { .path = "server",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_SERVER,
      .min = 1,
      .max = 512,
      .expected = "an address such as edge.example.com",
      .def = "wss://inlets.zcorky.com",
      .since = "0.1.0",
      .meaning = "The edge: a host name (TLS, port 443), `host:port` (TLS if "
                 "the port is 443), or a URL." },

    { .path = "remote",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_REMOTE,
      .min = 1,
      .max = 512,
      .expected = "an address such as edge.example.com:443",
      .since = "0.1.0",
      .meaning = "The same, by the reference's name; `server` wins." },

    { .path = "token",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_TOKEN,
      .min = 1,
      .max = INLETS_SECRET_MAX,
      .expected = "a secret",
      .since = "0.1.0",
      .meaning = "Logs in with the shared token." },

    { .path = "tokenFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_TOKEN_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file; relative to this file's folder, as "
                 "all paths here." },

    { .path = "credentials",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_CREDENTIALS,
      .min = 1,
      .max = INLETS_SECRET_MAX,
      .expected = "clientId:clientSecret",
      .since = "0.1.0",
      .meaning = "Logs in as a client of the edge; wins over a token." },

    { .path = "credentialsFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_CREDENTIALS_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file." },

    { .path = "clientId",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_CLIENT_ID,
      .min = 1,
      .max = 64,
      .expected = "an id",
      .since = "0.1.0",
      .meaning = "The first half of the credentials; with its secret it wins "
                 "over them." },

    { .path = "clientSecret",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_CLIENT_SECRET,
      .min = 1,
      .max = INLETS_SECRET_MAX,
      .expected = "a secret",
      .since = "0.1.0",
      .meaning = "The second half." },

    { .path = "clientSecretFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_CLIENT_SECRET_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file." },

    { .path = "caFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_CA_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .def = "the system's",
      .since = "0.1.0",
      .meaning = "Certificate authorities (PEM) to trust for the edge." },

    { .path = "insecure",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_INSECURE,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Does not verify the edge's certificate." },

    { .path = "links",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_LINKS,
      .max = INLETS_LINKS_MAX,
      .since = "0.1.0",
      .meaning = "Data connections of each tunnel. Without it: as the edge "
                 "advises." },

    { .path = "maxStreams",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_MAX_STREAMS,
      .min = 1,
      .max = 65536,
      .def = "1024",
      .since = "0.1.0",
      .meaning = "Visitors' connections at once on one link." },

    { .path = "grace",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_GRACE,
      .min = 1,
      .max = 32,
      .expected = TIME_EXPECTED,
      .def = "10s",
      .since = "0.1.0",
      .meaning = "How long streams may finish after SIGTERM. At most 1h." },

    { .path = "healthcheckInterval",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_HEALTHCHECK,
      .min = 1,
      .max = 32,
      .expected = TIME_EXPECTED,
      .def = "30s",
      .since = "0.1.0",
      .meaning = "How long the edge may take to answer a log-in. At most 1h." },

    { .path = "remoteTCPPort",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_REMOTE_TCP_PORT,
      .min = 1,
      .max = 65535,
      .def = "8443",
      .since = "0.1.0",
      .meaning = "The edge's callback port of protocol version 1: not used "
                 "yet." },

    { .path = "legacy",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_LEGACY,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Protocol version 1: not in this release." },

    { .path = "reportURL",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_REPORT_URL,
      .min = 1,
      .max = 2048,
      .expected = "an http:// or https:// URL",
      .since = "0.1.0",
      .meaning = "Reports of failures are posted there." },

    { .path = "logLevel",
      .type = INLETS_CONFIG_CHOICE,
      .id = INLETS_KEY_LOG_LEVEL,
      .choices = levels,
      .def = "info",
      .since = "0.1.0",
      .meaning = "Least urgent lines that are logged. This and the next four "
                 "count from the start only." },

    { .path = "logFormat",
      .type = INLETS_CONFIG_CHOICE,
      .id = INLETS_KEY_LOG_FORMAT,
      .choices = formats,
      .def = "text",
      .since = "0.1.0",
      .meaning = "One JSON object a line, or text." },

    { .path = "logUTC",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_LOG_UTC,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Logs in UTC." },

    { .path = "logRequests",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_LOG_REQUESTS,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Logs a line for each HTTP request." },

    { .path = "plain",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_PLAIN,
      .def = "false",
      .since = "0.1.0",
      .meaning = "No live view on a terminal." },

    { .path = "tunnels[]",
      .type = INLETS_CONFIG_LIST,
      .flags = INLETS_CONFIG_EMPTY,
      .id = INLETS_KEY_TUNNELS,
      .since = "0.1.0",
      .meaning = "The tunnels, at most 1000. Without it, and with "
                 "credentials: those that the edge lists." },

    { .path = "tunnels[].name",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = INLETS_KEY_NAME,
      .min = 1,
      .max = 64,
      .expected = "a name",
      .since = "0.1.0",
      .meaning = "What it is called on the command line and in the log; no "
                 "two are the same." },

    { .path = "tunnels[].type",
      .type = INLETS_CONFIG_CHOICE,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = INLETS_KEY_TYPE,
      .choices = types,
      .since = "0.1.0",
      .meaning = "What visitors speak." },

    { .path = "tunnels[].upstream",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = INLETS_KEY_UPSTREAM,
      .min = 1,
      .max = 512,
      .expected = UPSTREAM_EXPECTED,
      .since = "0.1.0",
      .meaning = "The local service: a port, `host:port`, or a URL." },

    { .path = "tunnels[].subDomain",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_SUB_DOMAIN,
      .min = 1,
      .max = 63,
      .expected = "a name such as app",
      .since = "0.1.0",
      .meaning = "HTTP: serves `NAME.<domain>`. Without it: a random one." },

    { .path = "tunnels[].port",
      .alias = "remotePort",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_PORT,
      .max = 65535,
      .def = "0",
      .since = "0.1.0",
      .meaning = "TCP: serves this public port. 0: a free one." },

    { .path = "tunnels[].basicAuth[]",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_BASIC_AUTH,
      .min = 3,
      .max = 512,
      .expected = "user:password",
      .since = "0.1.0",
      .meaning = "HTTP: visitors need one of these." },

    { .path = "tunnels[].basicAuthFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_BASIC_AUTH_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file, one a line." },

    { .path = "tunnels[].allowIp[]",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_ALLOW_IP,
      .min = 1,
      .max = 49,
      .expected = "an address or a range such as 10.0.0.0/8",
      .since = "0.1.0",
      .meaning = "Only these visitors get in." },

    { .path = "tunnels[].denyIp[]",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_DENY_IP,
      .min = 1,
      .max = 49,
      .expected = "an address or a range such as 10.0.0.0/8",
      .since = "0.1.0",
      .meaning = "These visitors don't." },

    { .path = "tunnels[].passAuth",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_PASS_AUTH,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Shows the local service the visitor's password, too." },

    { .path = "tunnels[].upstreamInsecure",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = INLETS_KEY_UPSTREAM_INSECURE,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Does not verify the local service's certificate." },

    { .path = "tunnels[].upstreamCaFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_UPSTREAM_CA_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .def = "the system's",
      .since = "0.1.0",
      .meaning = "Certificate authorities (PEM) to trust for the local "
                 "service." },

    { .path = "tunnels[].hostHeader",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_HOST_HEADER,
      .min = 1,
      .max = 255,
      .expected = "a host such as app.local:3000",
      .def = "the visitor's",
      .since = "0.1.0",
      .meaning = "HTTP: the Host header that the local service sees." },

    { .path = "tunnels[].upstreamAuth",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_UPSTREAM_AUTH,
      .min = 2,
      .max = 512,
      .expected = "user:password",
      .since = "0.1.0",
      .meaning = "HTTP: the password that the local service asks for." },

    { .path = "tunnels[].upstreamAuthFile",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_UPSTREAM_AUTH_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file." },

    { .path = "tunnels[].proxyProtocol",
      .type = INLETS_CONFIG_CHOICE,
      .id = INLETS_KEY_PROXY_PROTOCOL,
      .choices = proxies,
      .def = "off",
      .since = "0.1.0",
      .meaning = "Tells the local service the visitor's address, in front of "
                 "each connection." },

    { .path = "tunnels[].connectTimeout",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_CONNECT_TIMEOUT,
      .min = 1,
      .max = 32,
      .expected = TIME_EXPECTED,
      .def = "10s",
      .since = "0.1.0",
      .meaning = "How long connecting to the local service may take. At most "
                 "1h." },

    { .path = "tunnels[].idleTimeout",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_IDLE_TIMEOUT,
      .min = 1,
      .max = 32,
      .expected = TIME_EXPECTED,
      .def = "0",
      .since = "0.1.0",
      .meaning = "Ends a connection without a byte either way for so long. "
                 "0: none does." },

    { .path = "type",
      .type = INLETS_CONFIG_CHOICE,
      .id = INLETS_KEY_ONE_TYPE,
      .choices = types,
      .since = "0.1.0",
      .meaning = "The form with one tunnel, as the reference has it, instead "
                 "of `tunnels`. What visitors speak." },

    { .path = "upstream",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_ONE_UPSTREAM,
      .min = 1,
      .max = 512,
      .expected = UPSTREAM_EXPECTED,
      .since = "0.1.0",
      .meaning = "Its local service." },

    { .path = "port",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_ONE_PORT,
      .max = 65535,
      .def = "0",
      .since = "0.1.0",
      .meaning = "Its public TCP port." },

    { .path = "http",
      .type = INLETS_CONFIG_MAP,
      .id = INLETS_KEY_ONE_HTTP,
      .since = "0.1.0",
      .meaning = "Of an HTTP tunnel." },

    { .path = "http.subDomain",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_ONE_SUB_DOMAIN,
      .min = 1,
      .max = 63,
      .expected = "a name such as app",
      .since = "0.1.0",
      .meaning = "Its name." },

    { .path = "http.auth",
      .type = INLETS_CONFIG_MAP,
      .id = INLETS_KEY_ONE_AUTH,
      .since = "0.1.0",
      .meaning = "What the local service asks for." },

    { .path = "http.auth.username",
      .type = INLETS_CONFIG_STRING,
      .id = INLETS_KEY_ONE_USERNAME,
      .min = 1,
      .max = 255,
      .expected = "a name",
      .since = "0.1.0",
      .meaning = "The user." },

    { .path = "http.auth.password",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = INLETS_KEY_ONE_PASSWORD,
      .min = 1,
      .max = 512,
      .expected = "a password",
      .since = "0.1.0",
      .meaning = "The password." },

    { .path = "tcp",
      .type = INLETS_CONFIG_MAP,
      .id = INLETS_KEY_ONE_TCP,
      .since = "0.1.0",
      .meaning = "Of a TCP tunnel." },

    { .path = "tcp.port",
      .type = INLETS_CONFIG_INTEGER,
      .id = INLETS_KEY_ONE_TCP_PORT,
      .max = 65535,
      .def = "0",
      .since = "0.1.0",
      .meaning = "As `port`." }
};


const size_t  inlets_conf_nkeys =
    sizeof(inlets_conf_keys) / sizeof(inlets_conf_keys[0]);
