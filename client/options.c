#include "options.h"

#include <stddef.h>
#include <string.h>

#include <openssl/crypto.h>

#include "command.h"
#include "conf_file.h"
#include "inlets_error.h"


#define FIELD(name)  offsetof(struct inlets_options, name)

static const char *const  format_names[] = { "text", "json", NULL };
static const char *const  proxy_names[] = { "off", "v1", "v2", NULL };


static const struct inlets_arg  option_table[INLETS_OPT_MAX] = {

    /* not $INLETS_CONFIG, which is the server's */

    [INLETS_OPT_CONFIG] = {
        .group = "What to show",
        .name = "config", .letter = 'c', .env = "INLETS_CLIENT_CONFIG",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(config),
        .help = "tunnels and settings from a YAML file, read again when it "
                "changes" },

    [INLETS_OPT_SUB_DOMAIN] = {
        .name = "sub-domain", .letter = 's', .env = "INLETS_SUB_DOMAIN",
        .old_env = "SUB_DOMAIN",
        .type = INLETS_ARG_TEXT, .value = "NAME", .offset = FIELD(sub_domain),
        .help = "HTTP: the name to serve, NAME.<domain>; else one is given" },

    [INLETS_OPT_PORT] = {
        .name = "port", .letter = 'p', .env = "INLETS_TUNNEL_PORT",
        .old_env = "TUNNEL_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT", .offset = FIELD(port),
        .max = 65535,
        .help = "TCP: the public port to serve; else one is given" },

    [INLETS_OPT_TOKEN] = {
        .group = "Logging in",
        .name = "token", .letter = 't', .env = "INLETS_TOKEN",
        .old_env = "TOKEN",
        .type = INLETS_ARG_TEXT, .value = "TOKEN", .offset = FIELD(token),
        .secret = FIELD(token_copy), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "log in with the shared token" },

    [INLETS_OPT_TOKEN_FILE] = {
        .name = "token-file", .env = "INLETS_TOKEN_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(token_file),
        .help = "read the token from a file" },

    [INLETS_OPT_CREDENTIALS] = {
        .name = "credentials", .env = "INLETS_CREDENTIALS",
        .old_env = "CREDENTIALS",
        .type = INLETS_ARG_TEXT, .value = "ID:SECRET",
        .offset = FIELD(credentials),
        .secret = FIELD(credentials_copy), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "log in as a client of the edge; wins over a token" },

    [INLETS_OPT_CREDENTIALS_FILE] = {
        .name = "credentials-file", .env = "INLETS_CREDENTIALS_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(credentials_file),
        .help = "read the credentials from a file" },

    [INLETS_OPT_CLIENT_ID] = {
        .name = "client-id", .env = "INLETS_CLIENT_ID",
        .type = INLETS_ARG_TEXT, .value = "ID", .offset = FIELD(client_id),
        .help = "the first half of credentials; with a secret it wins over "
                "them" },

    [INLETS_OPT_CLIENT_SECRET] = {
        .name = "client-secret", .env = "INLETS_CLIENT_SECRET",
        .type = INLETS_ARG_TEXT, .value = "SECRET",
        .offset = FIELD(client_secret),
        .secret = FIELD(client_secret_copy),
        .secret_size = INLETS_SECRET_MAX + 1,
        .help = "the second half" },

    [INLETS_OPT_CLIENT_SECRET_FILE] = {
        .name = "client-secret-file", .env = "INLETS_CLIENT_SECRET_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(client_secret_file),
        .help = "read the second half from a file" },

    [INLETS_OPT_BASIC_AUTH] = {
        .group = "Visitors",
        .name = "basic-auth", .env = "INLETS_BASIC_AUTH",
        .type = INLETS_ARG_LIST, .value = "USER:PASS",
        .offset = FIELD(basic_auth), .secret_size = INLETS_ARG_LIST_SIZE,
        .help = "HTTP: let visitors in with this password; repeatable" },

    [INLETS_OPT_BASIC_AUTH_FILE] = {
        .name = "basic-auth-file", .env = "INLETS_BASIC_AUTH_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(basic_auth_file),
        .help = "read them from a file, one USER:PASS a line" },

    [INLETS_OPT_ALLOW_IP] = {
        .name = "allow-ip", .env = "INLETS_ALLOW_IP",
        .type = INLETS_ARG_LIST, .value = "CIDR", .offset = FIELD(allow_ip),
        .help = "let in visitors of this address only; repeatable" },

    [INLETS_OPT_DENY_IP] = {
        .name = "deny-ip", .env = "INLETS_DENY_IP",
        .type = INLETS_ARG_LIST, .value = "CIDR", .offset = FIELD(deny_ip),
        .help = "keep visitors of this address out; repeatable" },

    [INLETS_OPT_PASS_AUTH] = {
        .name = "pass-auth", .env = "INLETS_PASS_AUTH",
        .type = INLETS_ARG_FLAG, .offset = FIELD(pass_auth),
        .help = "show the local service the visitor's password, too" },

    [INLETS_OPT_UPSTREAM_INSECURE] = {
        .group = "The local service",
        .name = "upstream-insecure", .env = "INLETS_UPSTREAM_INSECURE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(upstream_insecure),
        .help = "do not verify the certificate of a local https:// service" },

    [INLETS_OPT_UPSTREAM_CA_FILE] = {
        .name = "upstream-ca-file", .env = "INLETS_UPSTREAM_CA_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(upstream_ca_file),
        .help = "trust these authorities for it, not the system's" },

    [INLETS_OPT_HOST_HEADER] = {
        .name = "host-header", .env = "INLETS_HOST_HEADER",
        .type = INLETS_ARG_TEXT, .value = "HOST", .offset = FIELD(host_header),
        .help = "HTTP: the Host that the local service sees, not the "
                "visitor's" },

    [INLETS_OPT_UPSTREAM_AUTH] = {
        .name = "upstream-auth", .env = "INLETS_UPSTREAM_AUTH",
        .type = INLETS_ARG_TEXT, .value = "USER:PASS",
        .offset = FIELD(upstream_auth),
        .secret = FIELD(upstream_auth_copy),
        .secret_size = INLETS_SECRET_MAX + 1,
        .help = "HTTP: the password that the local service asks for" },

    [INLETS_OPT_UPSTREAM_AUTH_FILE] = {
        .name = "upstream-auth-file", .env = "INLETS_UPSTREAM_AUTH_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(upstream_auth_file),
        .help = "read it from a file" },

    [INLETS_OPT_USERNAME] = {
        .name = "username", .env = "INLETS_UPSTREAM_HTTP_USERNAME",
        .type = INLETS_ARG_TEXT, .value = "USER", .offset = FIELD(username),
        .help = "with --password: the same as --upstream-auth USER:PASS" },

    [INLETS_OPT_PASSWORD] = {
        .name = "password", .env = "INLETS_UPSTREAM_HTTP_PASSWORD",
        .type = INLETS_ARG_TEXT, .value = "PASS", .offset = FIELD(password),
        .secret = FIELD(password_copy), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "the password for --username" },

    [INLETS_OPT_PROXY_PROTOCOL] = {
        .name = "proxy-protocol", .env = "INLETS_PROXY_PROTOCOL",
        .type = INLETS_ARG_CHOICE, .value = "VERSION",
        .choices = proxy_names, .offset = FIELD(proxy_protocol),
        .preset = "off",
        .help = "v1 or v2: tell the local service the visitor's address" },

    [INLETS_OPT_CONNECT_TIMEOUT] = {
        .name = "connect-timeout", .env = "INLETS_CONNECT_TIMEOUT",
        .type = INLETS_ARG_NUMBER, .value = "MS",
        .offset = FIELD(connect_timeout),
        .min = 1, .max = 3600000, .number = 10000,
        .help = "how long connecting to the local service may take" },

    [INLETS_OPT_IDLE_TIMEOUT] = {
        .name = "idle-timeout", .env = "INLETS_IDLE_TIMEOUT",
        .type = INLETS_ARG_NUMBER, .value = "MS", .offset = FIELD(idle_timeout),
        .max = 3600000, .preset = "0, none",
        .help = "end a connection without a byte either way for so long" },

    [INLETS_OPT_SERVER] = {
        .group = "The edge",
        .name = "server", .env = "INLETS_SERVER",
        .type = INLETS_ARG_TEXT, .value = "URL", .offset = FIELD(server),
        .help = "the edge, as --remote, over which it wins; a name alone is "
                "one with TLS" },

    [INLETS_OPT_REMOTE] = {
        .name = "remote", .letter = 'r', .env = "INLETS_REMOTE",
        .old_env = "REMOTE",
        .type = INLETS_ARG_TEXT, .value = "EDGE", .offset = FIELD(remote),
        .preset = "inlets.zcorky.com:443",
        .help = "the edge: host:port (TLS if the port is 443) or a URL" },

    [INLETS_OPT_CA_FILE] = {
        .name = "ca-file", .env = "INLETS_CA_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(ca_file),
        .help = "trust these certificate authorities, not the system's" },

    [INLETS_OPT_INSECURE] = {
        .name = "insecure", .env = "INLETS_INSECURE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(insecure),
        .help = "do not verify the edge's certificate (dangerous)" },

    [INLETS_OPT_LINKS] = {
        .name = "links", .env = "INLETS_LINKS",
        .type = INLETS_ARG_NUMBER, .value = "N", .offset = FIELD(links),
        .max = INLETS_LINKS_MAX, .preset = "as the edge advises",
        .help = "data connections to the edge" },

    [INLETS_OPT_MAX_STREAMS] = {
        .name = "max-streams", .env = "INLETS_MAX_STREAMS",
        .type = INLETS_ARG_NUMBER, .value = "N", .offset = FIELD(max_streams),
        .min = 1, .max = 65536, .number = 1024,
        .help = "visitors' connections at once on one link" },

    [INLETS_OPT_GRACE] = {
        .name = "grace", .env = "INLETS_GRACE",
        .type = INLETS_ARG_NUMBER, .value = "MS", .offset = FIELD(grace),
        .max = 3600000, .number = 10000,
        .help = "how long streams may finish after SIGTERM" },

    [INLETS_OPT_HEALTHCHECK] = {
        .name = "healthcheck-interval", .env = "INLETS_HEALTHCHECK_INTERVAL",
        .old_env = "HEALTHCHECK_INTERVAL",
        .type = INLETS_ARG_NUMBER, .value = "MS",
        .offset = FIELD(healthcheck_interval),
        .min = 1, .max = 3600000, .number = 30000,
        .help = "how long the edge may take to answer a login" },

    [INLETS_OPT_REMOTE_TCP_PORT] = {
        .name = "remote-tcp-port", .env = "INLETS_REMOTE_TCP_PORT",
        .old_env = "REMOTE_TCP_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT",
        .offset = FIELD(remote_tcp_port),
        .min = 1, .max = 65535, .number = 8443,
        .help = "the edge's callback port, for --legacy" },

    [INLETS_OPT_LEGACY] = {
        .name = "legacy", .env = "INLETS_LEGACY",
        .old_env = "LEGACY",
        .type = INLETS_ARG_FLAG, .offset = FIELD(legacy),
        .help = "protocol version 1 (not in this release)" },

    [INLETS_OPT_REPORT_URL] = {
        .group = "Output",
        .name = "report-url", .env = "INLETS_REPORT_URL",
        .old_env = "REPORT_URL",
        .type = INLETS_ARG_TEXT, .value = "URL", .offset = FIELD(report_url),
        .help = "post a report there when the tunnel fails" },

    [INLETS_OPT_LOG_LEVEL] = {
        .name = "log-level", .env = "INLETS_LOG_LEVEL",
        .type = INLETS_ARG_CHOICE, .value = "LEVEL",
        .choices = inlets_log_level_names,
        .offset = FIELD(log_level_text),
        .preset = "info",
        .help = "error, warn, info or debug" },

    [INLETS_OPT_LOG_FORMAT] = {
        .name = "log-format", .env = "INLETS_LOG_FORMAT",
        .type = INLETS_ARG_CHOICE, .value = "FORMAT",
        .choices = format_names, .offset = FIELD(log_format_text),
        .preset = "text",
        .help = "text, or json: an object a line" },

    [INLETS_OPT_LOG_UTC] = {
        .name = "log-utc", .env = "INLETS_LOG_UTC",
        .type = INLETS_ARG_FLAG, .offset = FIELD(log_utc),
        .help = "log in UTC, not in local time" },

    [INLETS_OPT_LOG_REQUESTS] = {
        .name = "log-requests", .env = "INLETS_LOG_REQUESTS",
        .type = INLETS_ARG_FLAG, .offset = FIELD(log_requests),
        .help = "log a line for each HTTP request" },

    [INLETS_OPT_PLAIN] = {
        .name = "plain", .env = "INLETS_PLAIN",
        .type = INLETS_ARG_FLAG, .offset = FIELD(plain),
        .help = "no live view on a terminal, only the log" },

    [INLETS_OPT_SERVICE] = {
        .name = "service", .env = "INLETS_SERVICE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(service),
        .help = "print a systemd unit for these arguments and end" },
};


const struct inlets_args  inlets_client_args = {
    .table = option_table, .n = INLETS_OPT_MAX, .command = "inlets client"
};


/* Where the file says what a flag says of a tunnel. */

static const char *const  tunnel_keys[INLETS_OPT_MAX] = {
    [INLETS_OPT_SUB_DOMAIN] = "subDomain",
    [INLETS_OPT_PORT] = "port",
    [INLETS_OPT_BASIC_AUTH] = "basicAuth",
    [INLETS_OPT_BASIC_AUTH_FILE] = "basicAuthFile",
    [INLETS_OPT_ALLOW_IP] = "allowIp",
    [INLETS_OPT_DENY_IP] = "denyIp",
    [INLETS_OPT_PASS_AUTH] = "passAuth",
    [INLETS_OPT_UPSTREAM_INSECURE] = "upstreamInsecure",
    [INLETS_OPT_UPSTREAM_CA_FILE] = "upstreamCaFile",
    [INLETS_OPT_HOST_HEADER] = "hostHeader",
    [INLETS_OPT_UPSTREAM_AUTH] = "upstreamAuth",
    [INLETS_OPT_UPSTREAM_AUTH_FILE] = "upstreamAuthFile",
    [INLETS_OPT_USERNAME] = "upstreamAuth",
    [INLETS_OPT_PASSWORD] = "upstreamAuth",
    [INLETS_OPT_PROXY_PROTOCOL] = "proxyProtocol",
    [INLETS_OPT_CONNECT_TIMEOUT] = "connectTimeout",
    [INLETS_OPT_IDLE_TIMEOUT] = "idleTimeout"
};


bool
inlets_options_of_tunnel(enum inlets_option option)
{
    return tunnel_keys[option] != NULL;
}


/* It reads a file, which says all of its tunnels. */

bool
inlets_check_takes(const struct inlets_arg *flag)
{
    enum inlets_option  option = (enum inlets_option) (flag - option_table);

    return !inlets_options_of_tunnel(option) && option != INLETS_OPT_SERVICE;
}


/* Flags of a tunnel, where the command line names none. */

static int
check_no_tunnel_flags(const struct inlets_options *o)
{
    int  rc = INLETS_OK;

    for (int i = 0; i < INLETS_OPT_MAX; i++) {
        if (tunnel_keys[i] == NULL || o->source[i] != INLETS_ARG_ARGUMENT) {
            continue;
        }

        rc = INLETS_E_INVALID;

        if (o->config_file != NULL) {
            inlets_log_fatal("--%s does not go with -c: write tunnels[].%s "
                             "into %s", option_table[i].name, tunnel_keys[i],
                             o->config_file);

        } else {
            inlets_log_fatal("--%s is of a tunnel, and none is named: add "
                             "\"http UPSTREAM\" or \"tcp UPSTREAM\"",
                             option_table[i].name);
        }
    }

    return rc;
}


static bool
is_type(const char *word)
{
    return strcmp(word, "http") == 0 || strcmp(word, "tcp") == 0;
}


static bool
has_credentials(const struct inlets_options *o)
{
    return inlets_options_given(o, INLETS_OPT_CREDENTIALS)
           || inlets_options_given(o, INLETS_OPT_CREDENTIALS_FILE)
           || inlets_options_given(o, INLETS_OPT_CLIENT_ID);
}


/* TYPE UPSTREAM */

static enum inlets_options_result
take_tunnel(struct inlets_options *o, int words, char **word)
{
    if (words == 0 && has_credentials(o)) {
        return check_no_tunnel_flags(o) == INLETS_OK ? INLETS_OPTIONS_RUN
                                                     : INLETS_OPTIONS_ERROR;
    }

    if (words > 0 && !is_type(word[0])) {
        inlets_log_fatal("type must be 'http' or 'tcp', not \"%s\"", word[0]);
        return INLETS_OPTIONS_ERROR;
    }

    if (words < 2) {
        inlets_command_help(inlets_client_args.command, 0, NULL);
        return INLETS_OPTIONS_DONE;
    }

    if (words > 2) {
        inlets_log_fatal("unexpected argument \"%s\"", word[2]);
        return INLETS_OPTIONS_ERROR;
    }

    o->tcp = strcmp(word[0], "tcp") == 0;
    o->upstream = word[1];

    return INLETS_OPTIONS_RUN;
}


/* In later forms of the reference -s is what --server is here. */

static int
check_sub_domain(const struct inlets_options *o)
{
    if (o->source[INLETS_OPT_SUB_DOMAIN] != INLETS_ARG_ARGUMENT
        || strstr(o->sub_domain, "://") == NULL)
    {
        return INLETS_OK;
    }

    inlets_log_fatal("--sub-domain must be a name, not \"%s\": the edge is "
                     "given with --server", inlets_log_address(o->sub_domain));

    return INLETS_E_INVALID;
}


/* A file of the environment is left for a tunnel that is named. */

static enum inlets_options_result
take_words(struct inlets_options *o, bool check, int words, char **word)
{
    bool  named = words == 2 && is_type(word[0]) && !check;

    if (o->config == NULL
        || (named && o->source[INLETS_OPT_CONFIG] != INLETS_ARG_ARGUMENT))
    {
        return take_tunnel(o, words, word);
    }

    o->config_file = o->config;
    o->names = word;
    o->nnames = (size_t) words;

    return check_no_tunnel_flags(o) == INLETS_OK ? INLETS_OPTIONS_RUN
                                                 : INLETS_OPTIONS_ERROR;
}


/* Flags and environment win over the file here, too. */

static int
set_log(struct inlets_options *o, const struct inlets_conf_log *log)
{
    if (inlets_args_log_level(o->log_level_text, &o->log_level) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    if (log->level >= 0 && !inlets_options_given(o, INLETS_OPT_LOG_LEVEL)) {
        o->log_level = (enum inlets_log_level) log->level;
    }

    o->log_format = strcmp(o->log_format_text, "json") == 0 ? INLETS_LOG_JSON
                                                            : INLETS_LOG_TEXT;

    if (log->json >= 0 && !inlets_options_given(o, INLETS_OPT_LOG_FORMAT)) {
        o->log_format = log->json ? INLETS_LOG_JSON : INLETS_LOG_TEXT;
    }

    if (log->utc >= 0 && !inlets_options_given(o, INLETS_OPT_LOG_UTC)) {
        o->log_utc = log->utc != 0;
    }

    if (log->requests >= 0
        && !inlets_options_given(o, INLETS_OPT_LOG_REQUESTS))
    {
        o->log_requests = log->requests != 0;
    }

    if (log->plain >= 0 && !inlets_options_given(o, INLETS_OPT_PLAIN)) {
        o->plain = log->plain != 0;
    }

    return INLETS_OK;
}


static enum inlets_options_result
make(struct inlets_options *o)
{
    struct inlets_conf_log  log;

    if (o->legacy) {
        inlets_log_fatal("--legacy: protocol version 1 is not in this release, "
                         "it comes later");
        return INLETS_OPTIONS_ERROR;
    }

    if (o->service && o->config_file == NULL) {
        return inlets_service_print(o);
    }

    o->conf = inlets_options_make(o, true, &log, &o->exposed);

    if (o->conf == NULL || set_log(o, &log) != INLETS_OK) {
        return INLETS_OPTIONS_ERROR;
    }

    return o->service ? inlets_service_print(o) : INLETS_OPTIONS_RUN;
}


enum inlets_options_result
inlets_options_parse(int argc, char **argv, struct inlets_options *ret)
{
    enum inlets_options_result  result;
    bool                        check;
    int                         word;

    memset(ret, 0, sizeof(*ret));

    /* elsewhere it is the name of a tunnel */
    check = argc > 1 && strcmp(argv[1], "check") == 0;

    result = inlets_args_parse(&inlets_client_args, argc, argv, ret,
                               ret->source, &word);

    if (result != INLETS_OPTIONS_RUN) {
        return result;
    }

    word += check;

    if (check_sub_domain(ret) != INLETS_OK) {
        return INLETS_OPTIONS_ERROR;
    }

    if (check && ret->config == NULL) {
        inlets_log_fatal("check needs a file: inlets client check -c FILE");
        return INLETS_OPTIONS_ERROR;
    }

    if (check && ret->service) {
        inlets_log_fatal("--service is not for a check, see inlets client "
                         "check --help");
        return INLETS_OPTIONS_ERROR;
    }

    result = take_words(ret, check, argc - word, argv + word);

    if (result == INLETS_OPTIONS_RUN) {
        result = make(ret);
    }

    return result == INLETS_OPTIONS_RUN && check ? inlets_check_print(ret)
                                                 : result;
}


void
inlets_options_finish(struct inlets_options *options)
{
    inlets_conf_unref(options->conf);

    OPENSSL_cleanse(options->token_copy, sizeof(options->token_copy));
    OPENSSL_cleanse(options->credentials_copy,
                    sizeof(options->credentials_copy));
    OPENSSL_cleanse(options->client_secret_copy,
                    sizeof(options->client_secret_copy));
    OPENSSL_cleanse(options->upstream_auth_copy,
                    sizeof(options->upstream_auth_copy));
    OPENSSL_cleanse(options->password_copy, sizeof(options->password_copy));
    OPENSSL_cleanse(&options->basic_auth, sizeof(options->basic_auth));
}
