#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "access.h"
#include "command.h"
#include "inlets_error.h"
#include "libcurl.h"
#include "report.h"
#include "secret.h"


enum option_id {
    OPT_SUB_DOMAIN = 0,
    OPT_PORT,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_CREDENTIALS,
    OPT_CREDENTIALS_FILE,
    OPT_BASIC_AUTH,
    OPT_BASIC_AUTH_FILE,
    OPT_ALLOW_IP,
    OPT_DENY_IP,
    OPT_PASS_AUTH,
    OPT_REMOTE,
    OPT_CA_FILE,
    OPT_INSECURE,
    OPT_LINKS,
    OPT_MAX_STREAMS,
    OPT_GRACE,
    OPT_HEALTHCHECK,
    OPT_REMOTE_TCP_PORT,
    OPT_LEGACY,
    OPT_REPORT_URL,
    OPT_LOG_LEVEL,
    OPT_LOG_UTC,
    OPT_MAX
};


#define FIELD(name)  offsetof(struct inlets_options, name)

static const struct inlets_arg  option_table[OPT_MAX] = {

    [OPT_SUB_DOMAIN] = {
        .name = "sub-domain", .letter = 's', .env = "SUB_DOMAIN",
        .type = INLETS_ARG_TEXT, .value = "NAME", .offset = FIELD(sub_domain),
        .help = "HTTP: the name to serve, NAME.<domain>; else one is given" },

    [OPT_PORT] = {
        .name = "port", .letter = 'p', .env = "TUNNEL_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT", .offset = FIELD(port),
        .max = 65535,
        .help = "TCP: the public port to serve; else one is given" },

    [OPT_TOKEN] = {
        .name = "token", .letter = 't', .env = "TOKEN",
        .type = INLETS_ARG_TEXT, .value = "TOKEN", .offset = FIELD(token),
        .secret = FIELD(secret), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "log in with the shared token" },

    [OPT_TOKEN_FILE] = {
        .name = "token-file", .env = "INLETS_TOKEN_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(token_file),
        .help = "read the token from a file" },

    [OPT_CREDENTIALS] = {
        .name = "credentials", .env = "CREDENTIALS",
        .type = INLETS_ARG_TEXT, .value = "ID:SECRET",
        .offset = FIELD(credentials),
        .secret = FIELD(id), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "log in as a client of the edge; wins over a token" },

    [OPT_CREDENTIALS_FILE] = {
        .name = "credentials-file", .env = "INLETS_CREDENTIALS_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(credentials_file),
        .help = "read the credentials from a file" },

    [OPT_BASIC_AUTH] = {
        .name = "basic-auth", .env = "INLETS_BASIC_AUTH",
        .type = INLETS_ARG_LIST, .value = "USER:PASS",
        .offset = FIELD(basic_auth), .secret_size = INLETS_ARG_LIST_SIZE,
        .help = "HTTP: let visitors in with this password; repeatable" },

    [OPT_BASIC_AUTH_FILE] = {
        .name = "basic-auth-file", .env = "INLETS_BASIC_AUTH_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE",
        .offset = FIELD(basic_auth_file),
        .help = "read them from a file, one USER:PASS a line" },

    [OPT_ALLOW_IP] = {
        .name = "allow-ip", .env = "INLETS_ALLOW_IP",
        .type = INLETS_ARG_LIST, .value = "CIDR", .offset = FIELD(allow_ip),
        .help = "let in visitors of this address only; repeatable" },

    [OPT_DENY_IP] = {
        .name = "deny-ip", .env = "INLETS_DENY_IP",
        .type = INLETS_ARG_LIST, .value = "CIDR", .offset = FIELD(deny_ip),
        .help = "keep visitors of this address out; repeatable" },

    [OPT_PASS_AUTH] = {
        .name = "pass-auth", .env = "INLETS_PASS_AUTH",
        .type = INLETS_ARG_FLAG, .offset = FIELD(pass_auth),
        .help = "show the local service the visitor's password, too" },

    [OPT_REMOTE] = {
        .name = "remote", .letter = 'r', .env = "REMOTE",
        .type = INLETS_ARG_TEXT, .value = "EDGE", .offset = FIELD(remote_text),
        .preset = "inlets.zcorky.com:443",
        .help = "the edge: host:port (TLS if the port is 443) or a URL" },

    [OPT_CA_FILE] = {
        .name = "ca-file", .env = "INLETS_CA_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(ca_file),
        .help = "trust these certificate authorities, not the system's" },

    [OPT_INSECURE] = {
        .name = "insecure", .env = "INLETS_INSECURE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(insecure),
        .help = "do not verify the edge's certificate (dangerous)" },

    [OPT_LINKS] = {
        .name = "links", .env = "INLETS_LINKS",
        .type = INLETS_ARG_NUMBER, .value = "N", .offset = FIELD(links),
        .max = INLETS_LINKS_MAX, .preset = "as the edge advises",
        .help = "data connections to the edge" },

    [OPT_MAX_STREAMS] = {
        .name = "max-streams", .env = "INLETS_MAX_STREAMS",
        .type = INLETS_ARG_NUMBER, .value = "N", .offset = FIELD(max_streams),
        .min = 1, .max = 65536, .number = 1024,
        .help = "visitors' connections at once on one link" },

    [OPT_GRACE] = {
        .name = "grace", .env = "INLETS_GRACE",
        .type = INLETS_ARG_NUMBER, .value = "MS", .offset = FIELD(grace),
        .max = 3600000, .number = 10000,
        .help = "how long streams may finish after SIGTERM" },

    [OPT_HEALTHCHECK] = {
        .name = "healthcheck-interval", .env = "HEALTHCHECK_INTERVAL",
        .type = INLETS_ARG_NUMBER, .value = "MS",
        .offset = FIELD(healthcheck_interval),
        .min = 1, .max = 3600000, .number = 30000,
        .help = "how long the edge may take to answer a login" },

    [OPT_REMOTE_TCP_PORT] = {
        .name = "remote-tcp-port", .env = "REMOTE_TCP_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT",
        .offset = FIELD(remote_tcp_port),
        .min = 1, .max = 65535, .number = 8443,
        .help = "the edge's callback port, for --legacy" },

    [OPT_LEGACY] = {
        .name = "legacy", .env = "LEGACY",
        .type = INLETS_ARG_FLAG, .offset = FIELD(legacy),
        .help = "protocol version 1 (not in this release)" },

    [OPT_REPORT_URL] = {
        .name = "report-url", .env = "REPORT_URL",
        .type = INLETS_ARG_TEXT, .value = "URL", .offset = FIELD(report_url),
        .help = "post a report there when the tunnel fails" },

    [OPT_LOG_LEVEL] = {
        .name = "log-level", .env = "INLETS_LOG_LEVEL",
        .type = INLETS_ARG_CHOICE, .value = "LEVEL",
        .choices = inlets_log_level_names,
        .offset = FIELD(log_level_text),
        .preset = "info",
        .help = "error, warn, info or debug" },

    [OPT_LOG_UTC] = {
        .name = "log-utc", .env = "INLETS_LOG_UTC",
        .type = INLETS_ARG_FLAG, .offset = FIELD(log_utc),
        .help = "log in UTC, not in local time" },
};


struct option_state {
    struct inlets_options  *options;
    enum inlets_arg_source  source[OPT_MAX];
};


const struct inlets_args  inlets_client_args = {
    .table = option_table, .n = OPT_MAX, .command = "inlets client"
};


static int
check_credentials(struct inlets_options *o)
{
    const char  *colon = strchr(o->credentials, ':');
    size_t       len = strlen(o->credentials);
    size_t       id_len;

    if (colon == NULL || colon == o->credentials || colon[1] == '\0'
        || strchr(colon + 1, ':') != NULL || len > INLETS_SECRET_MAX)
    {
        inlets_log_fatal("invalid credentials format, expected "
                         "'clientId:clientSecret'");
        return INLETS_E_INVALID;
    }

    id_len = (size_t) (colon - o->credentials);

    memcpy(o->secret, colon + 1, len - id_len);
    memmove(o->id, o->credentials, id_len);
    OPENSSL_cleanse(o->id + id_len, sizeof(o->id) - id_len);

    o->client_id = o->id;
    o->client_secret = o->secret;
    o->token = NULL;
    o->credentials = NULL;

    return INLETS_OK;
}


static int
check_login(struct option_state *state)
{
    struct inlets_options  *o = state->options;
    int                     rc;

    if (o->credentials_file != NULL
        && state->source[OPT_CREDENTIALS_FILE]
           >= state->source[OPT_CREDENTIALS])
    {
        if (state->source[OPT_CREDENTIALS]
            == state->source[OPT_CREDENTIALS_FILE])
        {
            inlets_log_fatal("give either credentials or a credentials file");
            return INLETS_E_INVALID;
        }

        rc = inlets_secret_read(o->credentials_file, "credentials file", o->id,
                                sizeof(o->id));

        if (rc != INLETS_OK) {
            return rc;
        }

        o->credentials = o->id;
    }

    if (o->credentials != NULL) {
        return check_credentials(o);
    }

    if (o->token_file != NULL
        && state->source[OPT_TOKEN_FILE] >= state->source[OPT_TOKEN])
    {
        if (state->source[OPT_TOKEN] == state->source[OPT_TOKEN_FILE]) {
            inlets_log_fatal("give either a token or a token file");
            return INLETS_E_INVALID;
        }

        rc = inlets_secret_read(o->token_file, "token file", o->secret,
                                sizeof(o->secret));

        if (rc != INLETS_OK) {
            return rc;
        }

        o->token = o->secret;
    }

    if (o->token != NULL && *o->token == '\0') {
        inlets_log_fatal("the token is empty");
        return INLETS_E_INVALID;
    }

    if (o->token != NULL && strlen(o->token) > INLETS_SECRET_MAX) {
        inlets_log_fatal("the token is longer than %d bytes",
                         INLETS_SECRET_MAX);
        return INLETS_E_INVALID;
    }

    if (o->token == NULL && o->tcp) {
        inlets_log_fatal("token or credentials is required for tcp tunnel");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_report_url(const char *url)
{
    const char  *why;

    if (!inlets_curl_load(&why)) {
        inlets_log_fatal("report-url needs libcurl: %s", why);
        return INLETS_E_INVALID;
    }

    if (!inlets_report_url_valid(url)) {
        inlets_log_fatal("report-url must be an http:// or https:// URL");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_addresses(struct inlets_options *o, const char *upstream)
{
    int  rc;

    rc = inlets_url_upstream(upstream, &o->upstream);

    if (rc != INLETS_OK) {
        inlets_log_fatal("upstream must be port or hostname:port, such as 9000 "
                         "or 127.0.0.1:9000, not \"%s\": %s",
                         inlets_log_address(upstream), inlets_strerror(rc));
        return rc;
    }

    rc = inlets_url_remote(o->remote_text, &o->remote);

    if (rc != INLETS_OK) {
        inlets_log_fatal("remote must be host:port or a URL, not \"%s\": %s",
                         inlets_log_address(o->remote_text),
                         inlets_strerror(rc));
        return rc;
    }

    if (o->report_url != NULL && *o->report_url == '\0') {
        o->report_url = NULL;
    }

    if (o->report_url != NULL && check_report_url(o->report_url) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    if (o->sub_domain == NULL || *o->sub_domain == '\0') {
        o->sub_domain = NULL;
        return INLETS_OK;
    }

    rc = inlets_label_normalize(o->sub_domain, strlen(o->sub_domain), o->label);

    if (rc != INLETS_OK) {
        inlets_log_fatal("sub-domain \"%s\": %s", o->sub_domain,
                         inlets_strerror(rc));
        return rc;
    }

    o->sub_domain = o->label;

    return INLETS_OK;
}


static enum inlets_options_result
check_client(struct option_state *state, int words, char **word)
{
    struct inlets_options  *o = state->options;

    if (words < 2) {
        inlets_command_help(inlets_client_args.command, 0, NULL);
        return INLETS_OPTIONS_DONE;
    }

    if (strcmp(word[0], "tcp") == 0) {
        o->tcp = true;

    } else if (strcmp(word[0], "http") != 0) {
        inlets_log_fatal("type must be 'http' or 'tcp'");
        return INLETS_OPTIONS_ERROR;
    }

    if (words > 2) {
        inlets_log_fatal("unexpected argument \"%s\"", word[2]);
        return INLETS_OPTIONS_ERROR;
    }

    if (check_addresses(o, word[1]) != INLETS_OK
        || check_login(state) != INLETS_OK
        || inlets_args_log_level(o->log_level_text, &o->log_level)
           != INLETS_OK)
    {
        return INLETS_OPTIONS_ERROR;
    }

    if (o->legacy) {
        inlets_log_fatal("--legacy: protocol version 1 is not in this release, "
                         "it comes later");
        return INLETS_OPTIONS_ERROR;
    }

    return INLETS_OPTIONS_RUN;
}


enum inlets_options_result
inlets_options_parse(int argc, char **argv, struct inlets_options *ret)
{
    struct option_state         state = { .options = ret };
    enum inlets_options_result  result;
    int                         word;

    memset(ret, 0, sizeof(*ret));

    result = inlets_args_parse(&inlets_client_args, argc, argv, ret,
                               state.source, &word);

    if (result != INLETS_OPTIONS_RUN) {
        return result;
    }

    return check_client(&state, argc - word, argv + word);
}


static int
set_edge(struct inlets_edge_conf *edge, const struct inlets_options *o)
{
    edge->remote = o->remote;
    edge->insecure = o->insecure;
    edge->links = o->links;
    edge->max_streams = o->max_streams;
    edge->login_timeout = o->healthcheck_interval;

    if (inlets_conf_set(&edge->token, o->token) != INLETS_OK
        || inlets_conf_set(&edge->client_id, o->client_id) != INLETS_OK
        || inlets_conf_set(&edge->client_secret, o->client_secret) != INLETS_OK
        || inlets_conf_set(&edge->ca_file, o->ca_file) != INLETS_OK)
    {
        inlets_log_fatal("no memory");
        return INLETS_E_NO_MEMORY;
    }

    return INLETS_OK;
}


static int
set_basic_auth(struct inlets_access_conf *access,
    const struct inlets_options *o)
{
    struct inlets_arg_list  all = o->basic_auth;
    int                     rc = INLETS_OK;

    if (o->basic_auth_file != NULL) {
        all.text[all.len++] = '\n';

        rc = inlets_secret_read_lines(o->basic_auth_file, "basic auth file",
                                      all.text + all.len,
                                      sizeof(all.text) - all.len);
    }

    if (rc == INLETS_OK && (all.len > 0 || o->basic_auth_file != NULL)) {
        rc = inlets_conf_set(&access->basic, all.text);
    }

    OPENSSL_cleanse(&all, sizeof(all));

    return rc;
}


static const char *
list_text(const struct inlets_arg_list *list)
{
    return list->len > 0 ? list->text : NULL;
}


static int
set_tunnel(struct inlets_tunnel_conf *tunnel, const struct inlets_options *o)
{
    char  why[INLETS_WHY_MAX];
    int   rc;

    tunnel->tcp = o->tcp;
    tunnel->port = o->port;
    tunnel->local.url = o->upstream;
    tunnel->access.pass_auth = o->pass_auth;

    rc = set_basic_auth(&tunnel->access, o);

    if (rc != INLETS_OK) {
        return rc;
    }

    if (inlets_conf_set(&tunnel->sub_domain, o->sub_domain) != INLETS_OK
        || inlets_conf_set(&tunnel->access.allow, list_text(&o->allow_ip))
           != INLETS_OK
        || inlets_conf_set(&tunnel->access.deny, list_text(&o->deny_ip))
           != INLETS_OK)
    {
        inlets_log_fatal("no memory");
        return INLETS_E_NO_MEMORY;
    }

    rc = inlets_access_check(&tunnel->access, tunnel->tcp, why);

    if (rc != INLETS_OK) {
        inlets_log_fatal("%s", why);
    }

    return rc;
}


struct inlets_conf *
inlets_options_conf(const struct inlets_options *options, bool first)
{
    struct inlets_conf         *conf = inlets_conf_create();
    struct inlets_tunnel_conf  *tunnel;

    (void) first;

    tunnel = conf != NULL ? inlets_conf_add(conf) : NULL;

    if (tunnel == NULL) {
        inlets_log_fatal("no memory");
        inlets_conf_unref(conf);
        return NULL;
    }

    conf->grace = options->grace;

    if (set_edge(&conf->edge, options) != INLETS_OK
        || set_tunnel(tunnel, options) != INLETS_OK
        || inlets_conf_set(&conf->report_url, options->report_url)
           != INLETS_OK)
    {
        inlets_conf_unref(conf);
        return NULL;
    }

    return conf;
}


void
inlets_options_finish(struct inlets_options *options)
{
    OPENSSL_cleanse(options->secret, sizeof(options->secret));
    OPENSSL_cleanse(options->id, sizeof(options->id));
    OPENSSL_cleanse(&options->basic_auth, sizeof(options->basic_auth));
}
