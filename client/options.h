/*
 * The command line and the environment of the client.
 *
 *   options.c     the flags, and what belongs together
 *   conf_flags.c  a conf made of them, and of the file they name
 *   check.c       inlets client check
 *   service.c     inlets client --service
 */

#ifndef INLETS_OPTIONS_H
#define INLETS_OPTIONS_H


#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "conf.h"
#include "inlets_name.h"
#include "inlets_url.h"
#include "log.h"


enum inlets_option {
    INLETS_OPT_CONFIG = 0,
    INLETS_OPT_SUB_DOMAIN,
    INLETS_OPT_PORT,
    INLETS_OPT_TOKEN,
    INLETS_OPT_TOKEN_FILE,
    INLETS_OPT_CREDENTIALS,
    INLETS_OPT_CREDENTIALS_FILE,
    INLETS_OPT_CLIENT_ID,
    INLETS_OPT_CLIENT_SECRET,
    INLETS_OPT_CLIENT_SECRET_FILE,
    INLETS_OPT_BASIC_AUTH,
    INLETS_OPT_BASIC_AUTH_FILE,
    INLETS_OPT_ALLOW_IP,
    INLETS_OPT_DENY_IP,
    INLETS_OPT_PASS_AUTH,
    INLETS_OPT_UPSTREAM_INSECURE,
    INLETS_OPT_UPSTREAM_CA_FILE,
    INLETS_OPT_HOST_HEADER,
    INLETS_OPT_UPSTREAM_AUTH,
    INLETS_OPT_UPSTREAM_AUTH_FILE,
    INLETS_OPT_USERNAME,
    INLETS_OPT_PASSWORD,
    INLETS_OPT_PROXY_PROTOCOL,
    INLETS_OPT_CONNECT_TIMEOUT,
    INLETS_OPT_IDLE_TIMEOUT,
    INLETS_OPT_SERVER,
    INLETS_OPT_REMOTE,
    INLETS_OPT_CA_FILE,
    INLETS_OPT_INSECURE,
    INLETS_OPT_LINKS,
    INLETS_OPT_MAX_STREAMS,
    INLETS_OPT_GRACE,
    INLETS_OPT_HEALTHCHECK,
    INLETS_OPT_REMOTE_TCP_PORT,
    INLETS_OPT_LEGACY,
    INLETS_OPT_REPORT_URL,
    INLETS_OPT_LOG_LEVEL,
    INLETS_OPT_LOG_FORMAT,
    INLETS_OPT_LOG_UTC,
    INLETS_OPT_LOG_REQUESTS,
    INLETS_OPT_PLAIN,
    INLETS_OPT_SERVICE,
    INLETS_OPT_MAX
};


struct inlets_conf_log;


/*
 * What counts for the process as long as it runs comes first; the rest is as
 * it was given, and becomes a conf.
 */

struct inlets_options {
    const char             *config_file;    /* NULL: none */
    enum inlets_log_level   log_level;
    enum inlets_log_format  log_format;
    bool                    log_utc;
    bool                    log_requests;
    bool                    plain;          /* no live view */

    enum inlets_arg_source  source[INLETS_OPT_MAX];

    bool                    tcp;            /* else http */
    const char             *upstream;       /* NULL: no tunnel is named */
    char                  **names;          /* of tunnels of the file */
    size_t                  nnames;         /* 0: all */

    const char             *config;
    const char             *sub_domain;
    uint32_t                port;
    const char             *token;
    const char             *token_file;
    const char             *credentials;
    const char             *credentials_file;
    const char             *client_id;
    const char             *client_secret;
    const char             *client_secret_file;
    struct inlets_arg_list  basic_auth;
    const char             *basic_auth_file;
    struct inlets_arg_list  allow_ip;
    struct inlets_arg_list  deny_ip;
    bool                    pass_auth;
    bool                    upstream_insecure;
    const char             *upstream_ca_file;
    const char             *host_header;
    const char             *upstream_auth;
    const char             *upstream_auth_file;
    const char             *username;
    const char             *password;
    const char             *proxy_protocol;
    uint32_t                connect_timeout;
    uint32_t                idle_timeout;
    const char             *server;
    const char             *remote;
    const char             *ca_file;
    bool                    insecure;
    uint32_t                links;
    uint32_t                max_streams;
    uint32_t                grace;
    uint32_t                healthcheck_interval;
    uint32_t                remote_tcp_port;
    bool                    legacy;
    const char             *report_url;
    const char             *log_level_text;
    const char             *log_format_text;
    bool                    service;

    /* copies of secrets that were in argv */
    char                    token_copy[INLETS_SECRET_MAX + 1];
    char                    credentials_copy[INLETS_SECRET_MAX + 1];
    char                    client_secret_copy[INLETS_SECRET_MAX + 1];
    char                    upstream_auth_copy[INLETS_SECRET_MAX + 1];
    char                    password_copy[INLETS_SECRET_MAX + 1];

    struct inlets_conf     *conf;           /* made of them at the start */
    bool                    exposed;        /* its file can be read by all */
};


extern const struct inlets_args  inlets_client_args;


/* Exit status; argv[0] is "client". */
int inlets_client_main(int argc, char **argv);


/*
 * Secrets in argv are copied and overwritten there.  Other strings stay in
 * argv and in the environment, which must live on.  finish() wipes the
 * secrets.
 */
enum inlets_options_result inlets_options_parse(int argc, char **argv,
    struct inlets_options *ret);
void inlets_options_finish(struct inlets_options *options);

/*
 * What they ask for; NULL after messages, on standard error at first, later in
 * the log.  Later, the file and those with secrets are read again; the log and
 * the view stay as they are.
 */
struct inlets_conf *inlets_options_conf(const struct inlets_options *options,
    bool first);

/*
 * As the above, not looking at options->conf; sets *ret_log to what the file
 * says of the log, and *ret_exposed.
 */
struct inlets_conf *inlets_options_make(const struct inlets_options *options,
    bool first, struct inlets_conf_log *ret_log, bool *ret_exposed);

/* By a flag or in the environment. */
bool inlets_options_given(const struct inlets_options *options,
    enum inlets_option option);

/* Not of the edge or the process; with a file it says such things. */
bool inlets_options_of_tunnel(enum inlets_option option);

/* inlets client check: the flags it has, of those of a client. */
bool inlets_check_takes(const struct inlets_arg *flag);

/* Reads all there is, and says so. */
enum inlets_options_result inlets_check_print(
    const struct inlets_options *options);

/* inlets client --service */
enum inlets_options_result inlets_service_print(
    const struct inlets_options *options);


#endif /* INLETS_OPTIONS_H */
