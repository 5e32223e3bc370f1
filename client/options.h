/*
 * The command line and the environment of the client.
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


struct inlets_options {
    bool                   tcp;         /* else http */
    struct inlets_url      upstream;
    struct inlets_url      remote;

    const char            *sub_domain;  /* lower case, or NULL */
    uint32_t               port;        /* of the edge, 0: any */

    const char            *token;       /* NULL: none */
    const char            *client_id;   /* from credentials, or NULL */
    const char            *client_secret;

    uint32_t               remote_tcp_port;
    uint32_t               healthcheck_interval;    /* ms */
    const char            *report_url;
    bool                   legacy;

    struct inlets_arg_list basic_auth;  /* rules for visitors: see access.h */
    struct inlets_arg_list allow_ip;
    struct inlets_arg_list deny_ip;
    bool                   pass_auth;

    const char            *ca_file;
    bool                   insecure;
    uint32_t               links;       /* 0: as the edge advises */
    uint32_t               max_streams; /* per link */
    uint32_t               grace;       /* ms */
    const char            *config_file;     /* NULL: none */
    enum inlets_log_level  log_level;
    enum inlets_log_format log_format;
    bool                   log_utc;
    bool                   log_requests;
    bool                   plain;       /* no live view */

    /* storage of what the fields above point to */
    const char            *remote_text;
    const char            *log_level_text;
    const char            *token_file;
    const char            *credentials;
    const char            *credentials_file;
    const char            *basic_auth_file;
    char                   label[INLETS_LABEL_MAX + 1];
    char                   secret[INLETS_SECRET_MAX + 1];
    char                   id[INLETS_SECRET_MAX + 1];
};


extern const struct inlets_args  inlets_client_args;

/* The command, argv[0] being its name; returns the exit status. */
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
 * the log.
 */
struct inlets_conf *inlets_options_conf(const struct inlets_options *options,
    bool first);


#endif /* INLETS_OPTIONS_H */
