#include "server.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "command.h"
#include "inlets_error.h"
#include "secret.h"


#define FIELD(name)  offsetof(struct inlets_server_options, name)

/* The settings file knows other names of them, too. */

static const char *const  providers[] = {
    "dingtalk", "feishu", "wecom", "slack", "webhook", NULL
};


static const struct inlets_arg  server_table[INLETS_SERVER_MAX] = {

    [INLETS_SERVER_DOMAIN] = {
        .group = "Addresses",
        .name = "domain", .letter = 'd', .env = "INLETS_DOMAIN",
        .old_env = "DOMAIN",
        .type = INLETS_ARG_TEXT, .value = "NAME", .offset = FIELD(domain),
        .help = "tunnels get names of one label before it" },

    [INLETS_SERVER_PORT] = {
        .name = "port", .letter = 'p', .env = "INLETS_SERVER_PORT",
        .old_env = "SERVER_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT", .offset = FIELD(port),
        .min = 1, .max = 65535, .number = 8080,
        .help = "where clients and HTTP visitors come in" },

    [INLETS_SERVER_TCP_PORT] = {
        .name = "tcp-port", .env = "INLETS_SERVER_TCP_PORT",
        .old_env = "SERVER_TCP_PORT",
        .type = INLETS_ARG_NUMBER, .value = "PORT", .offset = FIELD(tcp_port),
        .min = 1, .max = 65535, .number = 8443,
        .help = "for protocol version 1, which comes later: not used yet" },

    [INLETS_SERVER_TCP_RANGE] = {
        .name = "tcp-range", .env = "INLETS_TCP_RANGE",
        .type = INLETS_ARG_TEXT, .value = "A-B", .offset = FIELD(tcp_range),
        .help = "ports for TCP tunnels, such as 20000-20099" },

    [INLETS_SERVER_LISTEN] = {
        .name = "listen", .env = "INLETS_LISTEN",
        .type = INLETS_ARG_TEXT, .value = "IP", .offset = FIELD(listen),
        .help = "listen at this address only, not at all" },

    [INLETS_SERVER_SECURE] = {
        .name = "secure", .letter = 's', .env = "INLETS_SECURE",
        .old_env = "SECURE",
        .type = INLETS_ARG_FLAG, .offset = FIELD(secure),
        .preset = "as they came in",
        .help = "clients print https (=false: http) as their address" },

    [INLETS_SERVER_TLS_CERT] = {
        .group = "TLS",
        .name = "tls-cert", .env = "INLETS_TLS_CERT",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(tls_cert),
        .help = "HTTPS and wss at --port: the certificate and its chain" },

    [INLETS_SERVER_TLS_KEY] = {
        .name = "tls-key", .env = "INLETS_TLS_KEY",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(tls_key),
        .help = "the key of the certificate" },

    [INLETS_SERVER_TOKEN] = {
        .group = "Who gets in",
        .name = "token", .letter = 't', .env = "INLETS_TOKEN",
        .old_env = "TOKEN",
        .type = INLETS_ARG_TEXT, .value = "TOKEN", .offset = FIELD(token),
        .secret = FIELD(secret), .secret_size = INLETS_SECRET_MAX + 1,
        .help = "lets in clients that know it" },

    [INLETS_SERVER_TOKEN_FILE] = {
        .name = "token-file", .env = "INLETS_TOKEN_FILE",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(token_file),
        .help = "read the token from a file" },

    [INLETS_SERVER_PUBLIC] = {
        .name = "public", .env = "INLETS_PUBLIC",
        .type = INLETS_ARG_FLAG, .offset = FIELD(public),
        .help = "HTTP tunnels with random names, without a log-in" },

    [INLETS_SERVER_CONFIG] = {
        .group = "Settings and notifications",
        .name = "config", .letter = 'c', .env = "INLETS_CONFIG",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(config),
        .help = "the settings file, read again when it changes" },

    [INLETS_SERVER_PROVIDER] = {
        .name = "notification-provider",
        .env = "INLETS_NOTIFICATION_PROVIDER",
        .old_env = "NOTIFICATION_PROVIDER",
        .type = INLETS_ARG_TEXT, .value = "NAME", .offset = FIELD(provider),
        .choices = providers,
        .help = "dingtalk, feishu, wecom, slack or webhook" },

    [INLETS_SERVER_URL] = {
        .name = "notification-url", .env = "INLETS_NOTIFICATION_URL",
        .old_env = "NOTIFICATION_URL",
        .type = INLETS_ARG_TEXT, .value = "URL", .offset = FIELD(url),
        .secret = FIELD(url_text), .secret_size = INLETS_SERVER_URL_MAX + 1,
        .help = "where to tell of clients that come and go" },

    [INLETS_SERVER_STATUS] = {
        .group = "nginx",
        .name = "status", .env = "INLETS_STATUS",
        .type = INLETS_ARG_FLAG, .offset = FIELD(status),
        .help = "counters at /_/status, for this machine only" },

    [INLETS_SERVER_ACCESS_LOG] = {
        .name = "access-log", .env = "INLETS_ACCESS_LOG",
        .type = INLETS_ARG_TEXT, .value = "FILE", .offset = FIELD(access_log),
        .help = "log visitors' requests; -: to standard output" },

    [INLETS_SERVER_WORKERS] = {
        .name = "workers", .env = "INLETS_WORKERS",
        .type = INLETS_ARG_NUMBER, .value = "N", .offset = FIELD(workers),
        .max = 512, .preset = "0, one a processor",
        .help = "processes of nginx" },

    [INLETS_SERVER_GRACE] = {
        .name = "grace", .env = "INLETS_GRACE",
        .type = INLETS_ARG_NUMBER, .value = "MS", .offset = FIELD(grace),
        .max = 3600000, .number = 10000,
        .help = "how long visitors may finish after SIGTERM" },

    [INLETS_SERVER_NGINX] = {
        .name = "nginx", .env = "INLETS_NGINX",
        .type = INLETS_ARG_TEXT, .value = "PATH", .offset = FIELD(nginx),
        .help = "the nginx to run; else of $PATH, or of /usr/sbin" },

    [INLETS_SERVER_MODULES] = {
        .name = "modules", .env = "INLETS_MODULES",
        .type = INLETS_ARG_TEXT, .value = "DIR", .offset = FIELD(modules),
        .help = "folder of the modules, or \"built-in\"" },

    [INLETS_SERVER_USER] = {
        .name = "user", .env = "INLETS_USER",
        .type = INLETS_ARG_TEXT, .value = "NAME", .offset = FIELD(user),
        .help = "who nginx's workers are, of root; www-data if there is" },

    [INLETS_SERVER_LOG_LEVEL] = {
        .group = "Output",
        .name = "log-level", .env = "INLETS_LOG_LEVEL",
        .type = INLETS_ARG_CHOICE, .value = "LEVEL",
        .choices = inlets_log_level_names,
        .offset = FIELD(log_level_text), .preset = "info",
        .help = "error, warn, info or debug" },

    [INLETS_SERVER_LOG_UTC] = {
        .name = "log-utc", .env = "INLETS_LOG_UTC",
        .type = INLETS_ARG_FLAG, .offset = FIELD(log_utc),
        .help = "log in UTC, not in local time" },

    [INLETS_SERVER_PRINT] = {
        .name = "print-config", .env = "INLETS_PRINT_CONFIG",
        .type = INLETS_ARG_FLAG, .offset = FIELD(print),
        .help = "print the nginx configuration and end" },
};


const struct inlets_args  inlets_server_args = {
    .table = server_table, .n = INLETS_SERVER_MAX, .command = "inlets server"
};


bool
inlets_server_reload_takes(const struct inlets_arg *flag)
{
    return flag == &server_table[INLETS_SERVER_CONFIG];
}


static bool
given(const struct inlets_server_options *o, enum inlets_server_option option)
{
    return o->source[option] != INLETS_ARG_DEFAULT;
}


/* nginx takes '$' in some paths for a variable and knows no way to say it. */

static int
check_path(const char **path, const char *name, char absolute[PATH_MAX])
{
    char  folder[PATH_MAX] = "";
    int   n;

    if (*path == NULL || **path == '\0') {
        *path = NULL;
        return INLETS_OK;
    }

    if (**path != '/' && getcwd(folder, sizeof(folder)) == NULL) {
        inlets_log_fatal("the working folder: %s", strerror(errno));
        return INLETS_E_INVALID;
    }

    n = snprintf(absolute, PATH_MAX, "%s%s%s", folder,
                 **path != '/' ? "/" : "", *path);

    if (n < 0 || n >= PATH_MAX) {
        inlets_log_fatal("--%s: the path is too long", name);
        return INLETS_E_INVALID;
    }

    for (const char *p = absolute; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == '$' || *p == 0x7f) {
            inlets_log_fatal("--%s: a path for nginx can't have a dollar sign "
                             "or control characters", name);
            return INLETS_E_INVALID;
        }
    }

    *path = absolute;

    return INLETS_OK;
}


static int
check_readable(const char *path, const char *name)
{
    if (path != NULL && access(path, R_OK) != 0) {
        inlets_log_fatal("--%s: cannot read \"%s\": %s", name, path,
                         strerror(errno));
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_files(struct inlets_server_options *o)
{
    bool  out = o->access_log != NULL && strcmp(o->access_log, "-") == 0;

    if (check_path(&o->tls_cert, "tls-cert", o->path[0]) != INLETS_OK
        || check_path(&o->tls_key, "tls-key", o->path[1]) != INLETS_OK
        || (!out && check_path(&o->access_log, "access-log", o->path[2])
                    != INLETS_OK))
    {
        return INLETS_E_INVALID;
    }

    if ((o->tls_cert == NULL) != (o->tls_key == NULL)) {
        inlets_log_fatal("--tls-cert and --tls-key belong together: --tls-%s "
                         "is missing", o->tls_cert == NULL ? "cert" : "key");
        return INLETS_E_INVALID;
    }

    if (check_readable(o->tls_cert, "tls-cert") != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    return check_readable(o->tls_key, "tls-key");
}


/* Nobody but root has a choice. */

static int
check_user(const struct inlets_server_options *o)
{
    if (o->user != NULL && *o->user != '\0' && geteuid() == 0
        && getpwnam(o->user) == NULL)
    {
        inlets_log_fatal("--user: there is no user \"%s\"", o->user);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_domain(struct inlets_server_options *o)
{
    size_t  len;

    if (o->domain == NULL || *o->domain == '\0') {
        o->domain = NULL;
        return INLETS_OK;
    }

    if (strchr(o->domain, ':') != NULL
        || inlets_host_normalize(o->domain, strlen(o->domain),
                                 o->domain_text, sizeof(o->domain_text), &len)
           < 0)
    {
        inlets_log_fatal("domain must be one such as example.com, without "
                         "scheme, port or wildcard, not \"%s\"", o->domain);
        return INLETS_E_INVALID;
    }

    o->domain = o->domain_text;

    return INLETS_OK;
}


static int
check_notification(const struct inlets_server_options *o)
{
    bool  provider = o->provider != NULL && *o->provider != '\0';
    bool  url = o->url != NULL && *o->url != '\0';

    if (provider != url) {
        inlets_log_fatal("--notification-provider and --notification-url "
                         "belong together: the %s is missing",
                         provider ? "URL" : "provider");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


/* A flag wins over the environment, of token and file as well. */

static int
check_token(struct inlets_server_options *o)
{
    enum inlets_arg_source  text = o->source[INLETS_SERVER_TOKEN];
    enum inlets_arg_source  file = o->source[INLETS_SERVER_TOKEN_FILE];
    size_t                  len;

    if (o->token != NULL && o->token_file != NULL) {
        if (text == file) {
            inlets_log_fatal("give either a token or a token file");
            return INLETS_E_INVALID;
        }

        if (text > file) {
            o->token_file = NULL;
        }
    }

    if (o->token == NULL || o->token_file != NULL) {
        return INLETS_OK;
    }

    len = strlen(o->token);

    if (len == 0 || len > INLETS_SECRET_MAX) {
        inlets_log_fatal("the token is %s", len == 0 ? "empty" : "too long");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
check_options(struct inlets_server_options *o)
{
    if (inlets_args_log_level(o->log_level_text, &o->log_level) != INLETS_OK
        || check_domain(o) != INLETS_OK
        || check_files(o) != INLETS_OK
        || check_user(o) != INLETS_OK
        || check_notification(o) != INLETS_OK
        || check_token(o) != INLETS_OK)
    {
        return INLETS_E_INVALID;
    }

    if (o->tcp_range != NULL && *o->tcp_range != '\0') {
        return inlets_server_range(o->tcp_range, &o->first, &o->last);
    }

    return INLETS_OK;
}


static enum inlets_options_result
check_reload(const struct inlets_server_options *o)
{
    const struct inlets_command  *command;
    const struct inlets_arg      *other;

    command = inlets_command_below(inlets_server_args.command, "reload");
    other = inlets_args_other(&inlets_server_args, o->source, command->takes);

    if (other != NULL) {
        inlets_log_fatal("--%s is not for a reload, see %s --help",
                         other->name, command->name);
        return INLETS_OPTIONS_ERROR;
    }

    return INLETS_OPTIONS_RUN;
}


enum inlets_options_result
inlets_server_options_parse(int argc, char **argv,
    struct inlets_server_options *ret, bool *ret_reload)
{
    enum inlets_options_result  result;
    int                         word;

    memset(ret, 0, sizeof(*ret));

    result = inlets_args_parse(&inlets_server_args, argc, argv, ret,
                               ret->source, &word);

    if (result != INLETS_OPTIONS_RUN) {
        return result;
    }

    *ret_reload = word < argc && strcmp(argv[word], "reload") == 0;
    word += *ret_reload;

    if (word < argc) {
        inlets_command_unexpected(inlets_server_args.command, argv[word]);
        return INLETS_OPTIONS_ERROR;
    }

    if (*ret_reload) {
        return check_reload(ret);
    }

    return check_options(ret) == INLETS_OK ? INLETS_OPTIONS_RUN
                                           : INLETS_OPTIONS_ERROR;
}


void
inlets_server_options_finish(struct inlets_server_options *o)
{
    OPENSSL_cleanse(o->secret, sizeof(o->secret));
    OPENSSL_cleanse(o->url_text, sizeof(o->url_text));
}


int
inlets_server_options_load(struct inlets_server_options *o)
{
    struct inlets_server_file  file = { .port = 0 };
    char                       secret[INLETS_SECRET_MAX + 1];

    if (inlets_server_file_find(o->config, file.path) != INLETS_OK
        || (file.path[0] != '\0'
            && inlets_server_file_read(&file) != INLETS_OK))
    {
        return INLETS_E_INVALID;
    }

    if (o->token_file != NULL) {
        if (inlets_secret_read(o->token_file, "token file", secret,
                               sizeof(secret))
            != INLETS_OK)
        {
            return INLETS_E_INVALID;
        }

        memcpy(o->secret, secret, sizeof(secret));
        OPENSSL_cleanse(secret, sizeof(secret));
        o->token = o->secret;
    }

    o->file = file;

    if (!given(o, INLETS_SERVER_PORT)) {
        o->port = file.port != 0 ? file.port
                                 : server_table[INLETS_SERVER_PORT].number;
    }

    if (o->port >= o->first && o->port <= o->last) {
        inlets_log_fatal("port %u is also one of --tcp-range %s", o->port,
                         o->tcp_range);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_server_options_check(const struct inlets_server_options *o)
{
    bool  public = given(o, INLETS_SERVER_PUBLIC) ? o->public : o->file.public;

    if (o->domain == NULL && o->file.domain[0] == '\0') {
        inlets_log_fatal("domain is required (use --domain, set DOMAIN env "
                         "var, or specify in config file)");
        return INLETS_E_INVALID;
    }

    if (o->token == NULL && !o->file.token && !o->file.clients && !public) {
        inlets_log_fatal("token is required (use --token, set TOKEN env var, "
                         "or specify in config file)");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


const char *
inlets_server_origin(const struct inlets_server_options *o,
    enum inlets_server_option option, char *buf, size_t size)
{
    const char  *env;

    switch (o->source[option]) {

    case INLETS_ARG_ARGUMENT:
        snprintf(buf, size, "--%s", server_table[option].name);
        return buf;

    case INLETS_ARG_ENVIRONMENT:
        env = inlets_args_env(&server_table[option]);
        snprintf(buf, size, "$%s",
                 env != NULL ? env : server_table[option].env);
        return buf;

    default:
        return NULL;
    }
}


void
inlets_server_clean_environment(void)
{
    for (size_t i = 0; i < INLETS_SERVER_MAX; i++) {
        if (server_table[i].secret_size != 0) {
            (void) unsetenv(server_table[i].env);
            (void) unsetenv(server_table[i].old_env);
        }
    }

    /* of clients; and what nginx would take for sockets to inherit */

    (void) unsetenv("CREDENTIALS");
    (void) unsetenv("NGINX");
}
