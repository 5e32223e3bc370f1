#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "inlets_error.h"
#include "inlets_version.h"
#include "secret.h"


enum option_type {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_NUMBER
};


enum option_source {
    SOURCE_DEFAULT = 0,
    SOURCE_ENVIRONMENT,
    SOURCE_ARGUMENT
};


enum option_id {
    OPT_SUB_DOMAIN = 0,
    OPT_PORT,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_CREDENTIALS,
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


struct option_row {
    const char       *name;
    const char       *env;
    const char       *value;    /* what help calls it */
    const char       *preset;   /* text, or as help shows it */
    const char       *help;
    size_t            offset;
    uint32_t          min;
    uint32_t          max;
    uint32_t          number;   /* default */
    enum option_type  type;
    char              letter;
};


#define FIELD(name)  offsetof(struct inlets_options, name)

static const struct option_row  option_table[OPT_MAX] = {

    [OPT_SUB_DOMAIN] = {
        .name = "sub-domain", .letter = 's', .env = "SUB_DOMAIN",
        .type = OPTION_TEXT, .value = "NAME", .offset = FIELD(sub_domain),
        .help = "HTTP: the name to serve, NAME.<domain>; else one is given" },

    [OPT_PORT] = {
        .name = "port", .letter = 'p', .env = "TUNNEL_PORT",
        .type = OPTION_NUMBER, .value = "PORT", .offset = FIELD(port),
        .max = 65535,
        .help = "TCP: the public port to serve; else one is given" },

    [OPT_TOKEN] = {
        .name = "token", .letter = 't', .env = "TOKEN",
        .type = OPTION_TEXT, .value = "TOKEN", .offset = FIELD(token),
        .help = "log in with the shared token" },

    [OPT_TOKEN_FILE] = {
        .name = "token-file", .env = "INLETS_TOKEN_FILE",
        .type = OPTION_TEXT, .value = "FILE", .offset = FIELD(token_file),
        .help = "read the token from a file" },

    [OPT_CREDENTIALS] = {
        .name = "credentials", .env = "CREDENTIALS",
        .type = OPTION_TEXT, .value = "ID:SECRET", .offset = FIELD(credentials),
        .help = "log in as a client of the edge; wins over a token" },

    [OPT_REMOTE] = {
        .name = "remote", .letter = 'r', .env = "REMOTE",
        .type = OPTION_TEXT, .value = "EDGE", .offset = FIELD(remote_text),
        .preset = "inlets.zcorky.com:443",
        .help = "the edge: host:port (TLS if the port is 443) or a URL" },

    [OPT_CA_FILE] = {
        .name = "ca-file", .env = "INLETS_CA_FILE",
        .type = OPTION_TEXT, .value = "FILE", .offset = FIELD(ca_file),
        .help = "trust these certificate authorities, not the system's" },

    [OPT_INSECURE] = {
        .name = "insecure", .env = "INLETS_INSECURE",
        .type = OPTION_FLAG, .offset = FIELD(insecure),
        .help = "do not verify the edge's certificate (dangerous)" },

    [OPT_LINKS] = {
        .name = "links", .env = "INLETS_LINKS",
        .type = OPTION_NUMBER, .value = "N", .offset = FIELD(links),
        .max = 16, .preset = "as the edge advises",
        .help = "data connections to the edge" },

    [OPT_MAX_STREAMS] = {
        .name = "max-streams", .env = "INLETS_MAX_STREAMS",
        .type = OPTION_NUMBER, .value = "N", .offset = FIELD(max_streams),
        .min = 1, .max = 65536, .number = 1024,
        .help = "visitors' connections at once on one link" },

    [OPT_GRACE] = {
        .name = "grace", .env = "INLETS_GRACE",
        .type = OPTION_NUMBER, .value = "MS", .offset = FIELD(grace),
        .max = 3600000, .number = 10000,
        .help = "how long streams may finish after SIGTERM" },

    [OPT_HEALTHCHECK] = {
        .name = "healthcheck-interval", .env = "HEALTHCHECK_INTERVAL",
        .type = OPTION_NUMBER, .value = "MS",
        .offset = FIELD(healthcheck_interval),
        .min = 1, .max = 3600000, .number = 30000,
        .help = "how long the edge may take to answer a login" },

    [OPT_REMOTE_TCP_PORT] = {
        .name = "remote-tcp-port", .env = "REMOTE_TCP_PORT",
        .type = OPTION_NUMBER, .value = "PORT",
        .offset = FIELD(remote_tcp_port),
        .min = 1, .max = 65535, .number = 8443,
        .help = "the edge's callback port, for --legacy" },

    [OPT_LEGACY] = {
        .name = "legacy", .env = "LEGACY",
        .type = OPTION_FLAG, .offset = FIELD(legacy),
        .help = "protocol version 1 (not in this release)" },

    [OPT_REPORT_URL] = {
        .name = "report-url", .env = "REPORT_URL",
        .type = OPTION_TEXT, .value = "URL", .offset = FIELD(report_url),
        .help = "report errors to this address (not in this release)" },

    [OPT_LOG_LEVEL] = {
        .name = "log-level", .env = "INLETS_LOG_LEVEL",
        .type = OPTION_TEXT, .value = "LEVEL", .offset = FIELD(log_level_text),
        .preset = "info",
        .help = "error, warn, info or debug" },

    [OPT_LOG_UTC] = {
        .name = "log-utc", .env = "INLETS_LOG_UTC",
        .type = OPTION_FLAG, .offset = FIELD(log_utc),
        .help = "log in UTC, not in local time" },
};


/* Values of getopt_long() beyond any letter. */
#define LONG_ONLY     256
#define LONG_HELP     (LONG_ONLY + OPT_MAX)
#define LONG_VERSION  (LONG_HELP + 1)


struct option_state {
    struct inlets_options  *options;
    enum option_source      source[OPT_MAX];
};


static void
print_top_help(void)
{
    printf("inlets " INLETS_VERSION
           ": shows a private web or TCP service through an nginx edge\n"
           "\n"
           "Usage:\n"
           "  inlets client [flags] http|tcp UPSTREAM\n"
           "  inlets client --help\n"
           "  inlets --version | -V\n"
           "  inlets --help | -h\n");
}


static void
print_client_help(void)
{
    printf("Usage: inlets client [flags] http|tcp UPSTREAM\n"
           "\n"
           "UPSTREAM is the local service: a port, host:port or a URL.\n"
           "\n"
           "Flags, with their environment variables (a flag wins):\n");

    for (size_t i = 0; i < OPT_MAX; i++) {
        const struct option_row  *row = &option_table[i];
        char                      flag[64];
        char                      letter[8] = "    ";

        if (row->letter) {
            snprintf(letter, sizeof(letter), "-%c, ", row->letter);
        }

        snprintf(flag, sizeof(flag), "%s--%s%s%s", letter, row->name,
                 row->value != NULL ? " " : "",
                 row->value != NULL ? row->value : "");

        printf("  %-30s %s\n", flag, row->help);

        if (row->preset != NULL) {
            printf("  %-30s [$%s, default %s]\n", "", row->env, row->preset);

        } else if (row->type == OPTION_NUMBER && row->number != 0) {
            printf("  %-30s [$%s, default %u]\n", "", row->env, row->number);

        } else {
            printf("  %-30s [$%s]\n", "", row->env);
        }
    }

    printf("  %-30s this help\n  %-30s the version\n", "-h, --help",
           "-V, --version");
}


static int
parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
    uint64_t  value = 0;

    if (*text == '\0') {
        return INLETS_E_INVALID;
    }

    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return INLETS_E_INVALID;
        }

        value = value * 10 + (uint64_t) (*p - '0');

        if (value > max) {
            return INLETS_E_INVALID;
        }
    }

    if (value < min) {
        return INLETS_E_INVALID;
    }

    *ret = (uint32_t) value;

    return INLETS_OK;
}


static bool
is_true(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0
           || strcmp(text, "yes") == 0;
}


/* origin: "--port" or "$TUNNEL_PORT", for the message. */

static int
set_option(struct option_state *state, enum option_id id, const char *value,
    enum option_source source, const char *prefix, const char *origin)
{
    const struct option_row  *row = &option_table[id];
    char                     *field;

    field = (char *) state->options + row->offset;
    state->source[id] = source;

    switch (row->type) {

    case OPTION_FLAG:
        *(bool *) (void *) field = value == NULL || is_true(value);
        break;

    case OPTION_TEXT:
        *(const char **) (void *) field = value;
        break;

    case OPTION_NUMBER:
        if (parse_number(value, row->min, row->max, (uint32_t *) (void *) field)
            != INLETS_OK)
        {
            inlets_log_fatal("%s%s must be a number from %u to %u, not \"%s\"",
                             prefix, origin, row->min, row->max, value);
            return INLETS_E_INVALID;
        }

        break;
    }

    return INLETS_OK;
}


static int
set_defaults(struct option_state *state)
{
    for (unsigned i = 0; i < OPT_MAX; i++) {
        const struct option_row  *row = &option_table[i];
        char                     *field;
        const char               *value;

        field = (char *) state->options + row->offset;

        if (row->type == OPTION_TEXT) {
            *(const char **) (void *) field = row->preset;

        } else if (row->type == OPTION_NUMBER) {
            *(uint32_t *) (void *) field = row->number;
        }

        value = getenv(row->env);

        if (value == NULL || *value == '\0') {
            continue;
        }

        if (set_option(state, i, value, SOURCE_ENVIRONMENT, "$", row->env)
            != INLETS_OK)
        {
            return INLETS_E_INVALID;
        }
    }

    return INLETS_OK;
}


static void
make_getopt_tables(struct option *longs, char *letters)
{
    size_t  l = 0;

    /* ':' first: a missing argument is told from an unknown option */
    letters[l++] = ':';

    for (size_t i = 0; i < OPT_MAX; i++) {
        const struct option_row  *row = &option_table[i];
        int                       argument;

        argument = row->type == OPTION_FLAG ? optional_argument
                                             : required_argument;

        longs[i] = (struct option) { row->name, argument, NULL,
                                     LONG_ONLY + (int) i };

        if (row->letter) {
            letters[l++] = row->letter;

            if (argument == required_argument) {
                letters[l++] = ':';
            }
        }
    }

    longs[OPT_MAX] = (struct option) { "help", no_argument, NULL, LONG_HELP };
    longs[OPT_MAX + 1] = (struct option) { "version", no_argument, NULL,
                                           LONG_VERSION };
    longs[OPT_MAX + 2] = (struct option) { NULL, 0, NULL, 0 };

    letters[l++] = 'h';
    letters[l++] = 'V';
    letters[l] = '\0';
}


static int
option_by_value(int c)
{
    if (c >= LONG_ONLY) {
        return c - LONG_ONLY;
    }

    for (int i = 0; i < OPT_MAX; i++) {
        if (option_table[i].letter == c) {
            return i;
        }
    }

    return -1;
}


/*
 * Keeps a copy and leaves nothing of the secret where ps(1) looks, even when
 * the rest of the command line turns out to be wrong.
 */

static int
take_secret(struct option_state *state, enum option_id id, char *value)
{
    struct inlets_options  *o = state->options;
    char                   *copy = id == OPT_TOKEN ? o->secret : o->id;
    size_t                  len = strlen(value);

    if (len > INLETS_SECRET_MAX) {
        inlets_secret_hide(value);
        inlets_log_fatal("--%s is longer than %d bytes", option_table[id].name,
                         INLETS_SECRET_MAX);
        return INLETS_E_INVALID;
    }

    memcpy(copy, value, len + 1);
    inlets_secret_hide(value);

    return set_option(state, id, copy, SOURCE_ARGUMENT, "--",
                      option_table[id].name);
}


/* ':' is a missing value, else the option is unknown. */

static void
report_bad_flag(int c, const char *word)
{
    if (c == ':') {
        inlets_log_fatal("option %s needs a value", word);

    } else if (optopt != 0 && optopt < LONG_ONLY) {
        inlets_log_fatal("unknown option -%c, see inlets client --help",
                         optopt);

    } else {
        inlets_log_fatal("unknown option %.*s, see inlets client --help",
                         (int) strcspn(word, "="), word);
    }
}


static enum inlets_options_result
parse_flag(struct option_state *state, int c, const char *word)
{
    int  id, rc;

    switch (c) {

    case 'h':
    case LONG_HELP:
        print_client_help();
        return INLETS_OPTIONS_DONE;

    case 'V':
    case LONG_VERSION:
        printf(INLETS_VERSION "\n");
        return INLETS_OPTIONS_DONE;

    case ':':
    case '?':
        report_bad_flag(c, word);
        return INLETS_OPTIONS_ERROR;
    }

    id = option_by_value(c);

    if (id == OPT_TOKEN || id == OPT_CREDENTIALS) {
        rc = take_secret(state, id, optarg);

    } else {
        rc = set_option(state, id, optarg, SOURCE_ARGUMENT, "--",
                        option_table[id].name);
    }

    return rc == INLETS_OK ? INLETS_OPTIONS_RUN : INLETS_OPTIONS_ERROR;
}


static enum inlets_options_result
parse_flags(int argc, char **argv, struct option_state *state)
{
    struct option               longs[OPT_MAX + 3];
    char                        letters[2 * OPT_MAX + 4];
    enum inlets_options_result  result = INLETS_OPTIONS_RUN;
    int                         c;

    make_getopt_tables(longs, letters);

    opterr = 0;
    optind = 1;

    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {

        if (result == INLETS_OPTIONS_RUN) {
            result = parse_flag(state, c, argv[optind - 1]);

        } else if (optarg != NULL && (c == 't' || c == LONG_ONLY + OPT_TOKEN
                                      || c == LONG_ONLY + OPT_CREDENTIALS))
        {
            /* it ends here, but not before the rest is hidden */
            inlets_secret_hide(optarg);
        }
    }

    return result;
}


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

        rc = inlets_secret_read(o->token_file, o->secret, sizeof(o->secret));

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
check_log_level(struct inlets_options *o)
{
    static const char *const  names[] = { "error", "warn", "info", "debug" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(o->log_level_text, names[i]) == 0) {
            o->log_level = i;
            return INLETS_OK;
        }
    }

    inlets_log_fatal("log level must be error, warn, info or debug, "
                     "not \"%s\"", o->log_level_text);

    return INLETS_E_INVALID;
}


static int
check_addresses(struct inlets_options *o, const char *upstream)
{
    int  rc;

    rc = inlets_url_upstream(upstream, &o->upstream);

    if (rc != INLETS_OK) {
        inlets_log_fatal("upstream must be port or hostname:port, such as 9000 "
                         "or 127.0.0.1:9000, not \"%s\": %s", upstream,
                         inlets_strerror(rc));
        return rc;
    }

    rc = inlets_url_remote(o->remote_text, &o->remote);

    if (rc != INLETS_OK) {
        inlets_log_fatal("remote must be host:port or a URL, not \"%s\": %s",
                         o->remote_text, inlets_strerror(rc));
        return rc;
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
        print_client_help();
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
        || check_log_level(o) != INLETS_OK)
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


static enum inlets_options_result
parse_top(int argc, char **argv)
{
    const char  *word = argc > 1 ? argv[1] : "--help";

    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf(INLETS_VERSION "\n");
        return INLETS_OPTIONS_DONE;
    }

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0
        || strcmp(word, "help") == 0)
    {
        print_top_help();
        return INLETS_OPTIONS_DONE;
    }

    if (word[0] == '-') {
        inlets_log_fatal("unknown option %.*s, see inlets --help",
                         (int) strcspn(word, "="), word);

    } else if (strcmp(word, "server") == 0) {
        inlets_log_fatal("the server is nginx with the inlets modules, "
                         "see README.md");

    } else {
        inlets_log_fatal("unknown command \"%s\", see inlets --help", word);
    }

    return INLETS_OPTIONS_ERROR;
}


enum inlets_options_result
inlets_options_parse(int argc, char **argv, struct inlets_options *ret)
{
    struct option_state         state = { .options = ret };
    enum inlets_options_result  result;

    memset(ret, 0, sizeof(*ret));

    if (argc < 2 || strcmp(argv[1], "client") != 0) {
        return parse_top(argc, argv);
    }

    /* also on failure: secrets in argv are to be hidden */

    result = set_defaults(&state) == INLETS_OK ? INLETS_OPTIONS_RUN
                                               : INLETS_OPTIONS_ERROR;

    switch (parse_flags(argc - 1, argv + 1, &state)) {

    case INLETS_OPTIONS_DONE:
        return INLETS_OPTIONS_DONE;

    case INLETS_OPTIONS_ERROR:
        return INLETS_OPTIONS_ERROR;

    case INLETS_OPTIONS_RUN:
        break;
    }

    if (result != INLETS_OPTIONS_RUN) {
        return result;
    }

    return check_client(&state, argc - 1 - optind, argv + 1 + optind);
}


void
inlets_options_finish(struct inlets_options *options)
{
    OPENSSL_cleanse(options->secret, sizeof(options->secret));
    OPENSSL_cleanse(options->id, sizeof(options->id));
}
