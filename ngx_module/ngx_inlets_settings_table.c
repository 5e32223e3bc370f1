
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_table.h"


static const struct inlets_config_choice  ngx_inlets_settings_providers[] = {
    { "dingtalk", NGX_INLETS_KEY_DINGTALK, 0 },
    { "ding", NGX_INLETS_KEY_DINGTALK, 1 },
    { "feishu", NGX_INLETS_KEY_FEISHU, 0 },
    { "lark", NGX_INLETS_KEY_FEISHU, 1 },
    { "wecom", NGX_INLETS_KEY_WECOM, 0 },
    { "wechat", NGX_INLETS_KEY_WECOM, 1 },
    { "wework", NGX_INLETS_KEY_WECOM, 1 },
    { "slack", NGX_INLETS_KEY_SLACK, 0 },
    { "webhook", NGX_INLETS_KEY_WEBHOOK, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  ngx_inlets_settings_languages[] = {
    { "en", 0, 0 },
    { "zh", 1, 0 },
    { NULL, 0, 0 }
};


static const struct inlets_config_choice  ngx_inlets_settings_types[] = {
    { "http", 0, 0 },
    { "tcp", 1, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  ngx_inlets_settings_users[] = {
    { "basic", NGX_INLETS_KEY_BASIC, 0 },
    { "bearer", NGX_INLETS_KEY_BEARER, 0 },
    { NULL, 0, 0 }
};

static const struct inlets_config_choice  ngx_inlets_settings_proxies[] = {
    { "off", 0, 0 },
    { "v1", 1, 0 },
    { "v2", 2, 0 },
    { NULL, 0, 0 }
};


#define NGX_INLETS_SETTINGS_RATE                                              \
    "bytes per second such as 1048576, 512k or 1m"

#define NGX_INLETS_SECOND  1000ll
#define NGX_INLETS_HOUR    (3600 * NGX_INLETS_SECOND)
#define NGX_INLETS_DAY     (24 * NGX_INLETS_HOUR)

#define NGX_INLETS_MAX_RATE  ((int64_t) 1 << 40)


/*
 * The only list of keys: the parser goes by it, and the reference in README.md
 * is written from it ("make docs").
 */

const struct inlets_config_key  ngx_inlets_settings_keys[] = {

    { .path = "domain",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_DOMAIN,
      .min = 1,
      .max = 253,
      .expected = "a domain such as example.com",
      .since = "0.1.0",
      .meaning = "Names of tunnels are one label before it. `inlets_domain` "
                 "wins; a change needs a reload." },

    { .path = "port",
      .type = INLETS_CONFIG_INTEGER,
      .id = NGX_INLETS_KEY_PORT,
      .min = 1,
      .max = 65535,
      .since = "0.1.0",
      .meaning = "Checked, not used: nginx's `listen` decides." },

    { .path = "tcpPort",
      .type = INLETS_CONFIG_INTEGER,
      .id = NGX_INLETS_KEY_TCP_PORT,
      .min = 1,
      .max = 65535,
      .since = "0.1.0",
      .meaning = "Checked, not used: nginx's `listen` decides." },

    { .path = "secure",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = NGX_INLETS_KEY_SECURE,
      .since = "0.1.0",
      .meaning = "Whether clients print `https` or `http`. Without it: as "
                 "they came in." },

    { .path = "token",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_TOKEN,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_SECRET,
      .expected = "a secret",
      .since = "0.1.0",
      .meaning = "Lets clients in; beside those of `inlets_token`." },

    { .path = "tokenFile",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_TOKEN_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file; relative to this file's folder." },

    { .path = "clients[]",
      .type = INLETS_CONFIG_LIST,
      .id = NGX_INLETS_KEY_CLIENTS,
      .since = "0.1.0",
      .meaning = "Who may log in with credentials." },

    { .path = "clients[].clientId",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_CLIENT_ID,
      .min = 1,
      .max = 64,
      .expected = "an id",
      .since = "0.1.0",
      .meaning = "No two are the same." },

    { .path = "clients[].clientSecret",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_CLIENT_SECRET,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_SECRET,
      .expected = "a secret",
      .since = "0.1.0",
      .meaning = "It or its file has to be given." },

    { .path = "clients[].clientSecretFile",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_CLIENT_SECRET_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The secret from a file; relative to this file's folder." },

    { .path = "clients[].config",
      .type = INLETS_CONFIG_JSON,
      .id = NGX_INLETS_KEY_CLIENT_CONFIG,
      .since = "0.1.0",
      .meaning = "`notification` in it is sent to the client at its log-in; "
                 "the rest is not used. At most 64 KiB of JSON." },

    { .path = "clients[].bandwidthLimit",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_CLIENT_LIMIT,
      .since = "0.1.0",
      .meaning = "Of all tunnels of the client together." },

    { .path = "clients[].bandwidthLimit.upload",
      .alias = "uploadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_CLIENT_UPLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "From visitors to the client, bytes per second. 0: no "
                 "limit." },

    { .path = "clients[].bandwidthLimit.download",
      .alias = "downloadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_CLIENT_DOWNLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "From the client to visitors." },

    { .path = "clients[].allow",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_CLIENT_ALLOW,
      .since = "0.1.0",
      .meaning = "What its tunnels may be." },

    { .path = "clients[].allow.subDomains[]",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_CLIENT_NAMES,
      .min = 1,
      .max = 63,
      .expected = "a name such as app or dev-*",
      .since = "0.1.0",
      .meaning = "Names it may take; `*` stands for any characters, also "
                 "none. Without it: any name." },

    { .path = "clients[].allow.ports[]",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_CLIENT_PORTS,
      .min = 1,
      .max = 11,
      .expected = "a port or range such as 20022 or 20000-20099",
      .since = "0.1.0",
      .meaning = "TCP ports it may take. Without it: any port." },

    { .path = "clients[].maxTunnels",
      .type = INLETS_CONFIG_INTEGER,
      .id = NGX_INLETS_KEY_CLIENT_TUNNELS,
      .max = 1000000,
      .def = "0",
      .since = "0.1.0",
      .meaning = "Tunnels at once. 0: no limit." },

    { .path = "clients[].maxStreams",
      .type = INLETS_CONFIG_INTEGER,
      .id = NGX_INLETS_KEY_CLIENT_STREAMS,
      .max = 1000000,
      .def = "0",
      .since = "0.1.0",
      .meaning = "Visitors' streams at once, of all its tunnels. 0: no "
                 "limit." },

    { .path = "clients[].disabled",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = NGX_INLETS_KEY_CLIENT_DISABLED,
      .def = "false",
      .since = "0.1.0",
      .meaning = "Keeps it out, and ends its tunnels." },

    { .path = "clients[].tunnels[]",
      .type = INLETS_CONFIG_LIST,
      .id = NGX_INLETS_KEY_LISTED,
      .since = "0.1.0",
      .meaning = "Tunnels that the client brings up when it names none. "
                 "At most 1000." },

    { .path = "clients[].tunnels[].name",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_LISTED_NAME,
      .min = 1,
      .max = 64,
      .expected = "a name",
      .since = "0.1.0",
      .meaning = "No two of a client are the same." },

    { .path = "clients[].tunnels[].type",
      .type = INLETS_CONFIG_CHOICE,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_LISTED_TYPE,
      .choices = ngx_inlets_settings_types,
      .since = "0.1.0",
      .meaning = "What the tunnel is." },

    { .path = "clients[].tunnels[].upstream",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_LISTED_UPSTREAM,
      .min = 1,
      .max = 512,
      .expected = "a port, host:port or URL",
      .since = "0.1.0",
      .meaning = "The local service, as the client's `UPSTREAM`." },

    { .path = "clients[].tunnels[].subDomain",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_LISTED_SUB_DOMAIN,
      .max = 63,
      .expected = "a name such as app",
      .since = "0.1.0",
      .meaning = "HTTP: its name. Without it: a random one." },

    { .path = "clients[].tunnels[].remotePort",
      .type = INLETS_CONFIG_INTEGER,
      .id = NGX_INLETS_KEY_LISTED_PORT,
      .max = 65535,
      .def = "0",
      .since = "0.1.0",
      .meaning = "TCP: its public port. 0: a free one." },

    { .path = "clients[].tunnels[].auth",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_LISTED_AUTH,
      .since = "0.1.0",
      .meaning = "HTTP: who of its visitors gets in. Enforced by the edge, "
                 "in place of the client's own passwords, and never sent to "
                 "it." },

    { .path = "clients[].tunnels[].auth.enable",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = NGX_INLETS_KEY_LISTED_ENABLE,
      .def = "true",
      .since = "0.1.0",
      .meaning = "`false`: `users` are not asked for." },

    { .path = "clients[].tunnels[].auth.users[]",
      .type = INLETS_CONFIG_LIST,
      .id = NGX_INLETS_KEY_LISTED_USERS,
      .since = "0.1.0",
      .meaning = "Any of them gets in; at most 16." },

    { .path = "clients[].tunnels[].auth.users[].type",
      .type = INLETS_CONFIG_CHOICE,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_USER_TYPE,
      .choices = ngx_inlets_settings_users,
      .since = "0.1.0",
      .meaning = "`basic`: a user name and password; `bearer`: a token." },

    { .path = "clients[].tunnels[].auth.users[].username",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_USER_NAME,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a user name without a colon",
      .since = "0.1.0",
      .meaning = "Of `basic`." },

    { .path = "clients[].tunnels[].auth.users[].password",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_USER_PASSWORD,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a password",
      .since = "0.1.0",
      .meaning = "Of `basic`. Together with the user name at most 511 "
                 "bytes." },

    { .path = "clients[].tunnels[].auth.users[].token",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_USER_TOKEN,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a token without spaces",
      .since = "0.1.0",
      .meaning = "Of `bearer`." },

    { .path = "clients[].tunnels[].auths[]",
      .type = INLETS_CONFIG_LIST,
      .id = NGX_INLETS_KEY_LISTED_AUTHS,
      .since = "0.1.0",
      .meaning = "An older place of `auth.users`, which is warned of." },

    { .path = "clients[].tunnels[].auths[].type",
      .type = INLETS_CONFIG_CHOICE,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_USER_TYPE,
      .choices = ngx_inlets_settings_users,
      .since = "0.1.0",
      .meaning = "`basic`: a user name and password; `bearer`: a token." },

    { .path = "clients[].tunnels[].auths[].username",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_USER_NAME,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a user name without a colon",
      .since = "0.1.0",
      .meaning = "Of `basic`." },

    { .path = "clients[].tunnels[].auths[].password",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_USER_PASSWORD,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a password",
      .since = "0.1.0",
      .meaning = "Of `basic`. Together with the user name at most 511 "
                 "bytes." },

    { .path = "clients[].tunnels[].auths[].token",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_USER_TOKEN,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_USER,
      .expected = "a token without spaces",
      .since = "0.1.0",
      .meaning = "Of `bearer`." },

    { .path = "clients[].tunnels[].hostHeader",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_LISTED_HOST_HEADER,
      .min = 1,
      .max = 255,
      .expected = "a host such as localhost:3000",
      .since = "0.1.0",
      .meaning = "HTTP: what the local service gets as `Host`, instead of "
                 "the visitor's." },

    { .path = "clients[].tunnels[].proxyProtocol",
      .type = INLETS_CONFIG_CHOICE,
      .id = NGX_INLETS_KEY_LISTED_PROXY_PROTOCOL,
      .choices = ngx_inlets_settings_proxies,
      .def = "off",
      .since = "0.1.0",
      .meaning = "The visitor's address goes before the bytes for the local "
                 "service, so." },

    { .path = "clients[].tunnels[].connectTimeout",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_LISTED_CONNECT_TIMEOUT,
      .min = 1,
      .max = NGX_INLETS_HOUR,
      .since = "0.1.0",
      .meaning = "How long connecting to the local service may take. "
                 "Without it: as the client does." },

    { .path = "clients[].tunnels[].idleTimeout",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_LISTED_IDLE_TIMEOUT,
      .max = NGX_INLETS_HOUR,
      .since = "0.1.0",
      .meaning = "Ends a stream that carries nothing for so long. 0: never. "
                 "Without it: as the client does." },

    { .path = "clients[].tunnels[].upstreamInsecure",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = NGX_INLETS_KEY_LISTED_INSECURE,
      .def = "false",
      .since = "0.1.0",
      .meaning = "The client doesn't verify the certificate of an `https` "
                 "service." },

    { .path = "bandwidthLimits",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_LIMITS,
      .since = "0.1.0",
      .meaning = "Limits in one place." },

    { .path = "bandwidthLimits.global",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_GLOBAL,
      .since = "0.1.0",
      .meaning = "Of all tunnels together." },

    { .path = "bandwidthLimits.global.upload",
      .alias = "uploadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_GLOBAL_UPLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "From visitors to clients, bytes per second. 0: no limit." },

    { .path = "bandwidthLimits.global.download",
      .alias = "downloadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_GLOBAL_DOWNLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "From clients to visitors." },

    { .path = "bandwidthLimits.clients{}",
      .type = INLETS_CONFIG_DICT,
      .id = NGX_INLETS_KEY_LIMIT_CLIENTS,
      .since = "0.1.0",
      .meaning = "By client id. The client's own `bandwidthLimit` wins, each "
                 "direction for itself." },

    { .path = "bandwidthLimits.clients{}.upload",
      .alias = "uploadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_LIMIT_UPLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "As above." },

    { .path = "bandwidthLimits.clients{}.download",
      .alias = "downloadbytespersecond",
      .type = INLETS_CONFIG_SIZE,
      .id = NGX_INLETS_KEY_LIMIT_DOWNLOAD,
      .max = NGX_INLETS_MAX_RATE,
      .expected = NGX_INLETS_SETTINGS_RATE,
      .def = "0",
      .since = "0.1.0",
      .meaning = "As above." },

    { .path = "notification",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_NOTIFICATION,
      .since = "0.1.0",
      .meaning = "Where events are told." },

    { .path = "notification.provider",
      .type = INLETS_CONFIG_CHOICE,
      .flags = INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_PROVIDER,
      .choices = ngx_inlets_settings_providers,
      .since = "0.1.0",
      .meaning = "Aliases: `ding`; `lark`; `wechat`, `wework`." },

    { .path = "notification.url",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET|INLETS_CONFIG_REQUIRED,
      .id = NGX_INLETS_KEY_URL,
      .min = 8,
      .max = 2048,
      .expected = "an http:// or https:// URL",
      .since = "0.1.0",
      .meaning = "Never logged: it usually holds a key." },

    { .path = "notification.secret",
      .type = INLETS_CONFIG_STRING,
      .flags = INLETS_CONFIG_SECRET,
      .id = NGX_INLETS_KEY_NOTIFY_SECRET,
      .min = 1,
      .max = NGX_INLETS_SETTINGS_SECRET,
      .expected = "a secret",
      .since = "0.1.0",
      .meaning = "Messages are signed with it: `dingtalk`, `feishu`, "
                 "`webhook`." },

    { .path = "notification.secretFile",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_NOTIFY_SECRET_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "The same, from a file." },

    { .path = "notification.caFile",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_NOTIFY_CA_FILE,
      .min = 1,
      .max = 4096,
      .expected = "a path",
      .since = "0.1.0",
      .meaning = "Authorities (PEM) to trust instead of the system's; "
                 "relative to this file's folder." },

    { .path = "notification.language",
      .type = INLETS_CONFIG_CHOICE,
      .id = NGX_INLETS_KEY_LANGUAGE,
      .choices = ngx_inlets_settings_languages,
      .def = "en",
      .since = "0.1.0",
      .meaning = "Of the messages." },

    { .path = "notification.interval",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_NOTIFY_INTERVAL,
      .max = 1024,
      .expected = "a text",
      .since = "0.1.0",
      .meaning = "Not used: files of other servers may have it, which is "
                 "warned of." },

    { .path = "notification.alert",
      .type = INLETS_CONFIG_STRING,
      .id = NGX_INLETS_KEY_NOTIFY_ALERT,
      .max = 1024,
      .expected = "a text",
      .since = "0.1.0",
      .meaning = "Likewise." },

    { .path = "publicHTTP",
      .alias = "publicHTTPNoAuth",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_PUBLIC,
      .since = "0.1.0",
      .meaning = "Tunnels without credentials: HTTP with a random name." },

    { .path = "publicHTTP.enabled",
      .type = INLETS_CONFIG_BOOLEAN,
      .id = NGX_INLETS_KEY_PUBLIC_ENABLED,
      .since = "0.1.0",
      .meaning = "Without it `inlets_public` decides." },

    { .path = "publicHTTP.timeout",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_PUBLIC_TIMEOUT,
      .min = NGX_INLETS_SECOND,
      .max = 30 * NGX_INLETS_DAY,
      .since = "0.1.0",
      .meaning = "How long such a tunnel lives. Without it: "
                 "`inlets_public_timeout`." },

    { .path = "publicHTTP.warnLead",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_PUBLIC_WARN_LEAD,
      .max = 30 * NGX_INLETS_DAY,
      .since = "0.1.0",
      .meaning = "How long before its end the client is warned; half of its "
                 "life if that is shorter. Without it: "
                 "`inlets_public_warn`." },

    { .path = "auth",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_AUTH,
      .since = "0.1.0",
      .meaning = "The log-in." },

    { .path = "auth.maxDrift",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_MAX_DRIFT,
      .max = 7 * NGX_INLETS_DAY,
      .since = "0.1.0",
      .meaning = "How far the client's clock may be from the edge's. 0: not "
                 "checked. Without it: `inlets_max_drift`." },

    { .path = "heartbeat",
      .type = INLETS_CONFIG_MAP,
      .id = NGX_INLETS_KEY_HEARTBEAT,
      .since = "0.1.0",
      .meaning = "Of each tunnel's monitor; changes are sent to running "
                 "clients." },

    { .path = "heartbeat.interval",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_HEARTBEAT_INTERVAL,
      .min = 100,
      .max = NGX_INLETS_HOUR,
      .since = "0.1.0",
      .meaning = "What clients ping at. Without it: "
                 "`inlets_heartbeat_interval`." },

    { .path = "heartbeat.timeout",
      .type = INLETS_CONFIG_TIME,
      .id = NGX_INLETS_KEY_HEARTBEAT_TIMEOUT,
      .min = 200,
      .max = NGX_INLETS_DAY,
      .since = "0.1.0",
      .meaning = "Silence after which a client is cut off; longer than the "
                 "interval. Without it: `inlets_heartbeat_timeout`." }
};


const size_t  ngx_inlets_settings_nkeys =
    sizeof(ngx_inlets_settings_keys) / sizeof(ngx_inlets_settings_keys[0]);
