/*
 * inlets server: a whole edge without a word of nginx configuration.  It
 * writes one for what it was told, and runs nginx with it.
 *
 *   server.c           the life of nginx: start, signals, end
 *   server_options.c   flags, environment, what of it belongs together
 *   server_file.c      what the settings file says that matters here
 *   server_nginx.c     finds nginx and the modules, asks nginx things
 *   server_ports.c     addresses, the range of TCP ports, open files
 *   server_conf.c      the configuration
 *   server_folder.c    the run-time folder, inlets server reload
 *   server_output.c    the access log on standard output
 */

#ifndef INLETS_SERVER_H
#define INLETS_SERVER_H


#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "args.h"
#include "inlets_name.h"
#include "options.h"


#define INLETS_SERVER_URL_MAX  2048

/* in the run-time folder: what flags say of settings */
#define INLETS_SERVER_OVERRIDES  "flags.yml"

/* what nginx writes there goes to standard output */
#define INLETS_SERVER_ACCESS     "access.log"


enum inlets_server_option {
    INLETS_SERVER_DOMAIN = 0,
    INLETS_SERVER_PORT,
    INLETS_SERVER_TCP_PORT,
    INLETS_SERVER_TCP_RANGE,
    INLETS_SERVER_LISTEN,
    INLETS_SERVER_SECURE,
    INLETS_SERVER_TLS_CERT,
    INLETS_SERVER_TLS_KEY,
    INLETS_SERVER_TOKEN,
    INLETS_SERVER_TOKEN_FILE,
    INLETS_SERVER_PUBLIC,
    INLETS_SERVER_CONFIG,
    INLETS_SERVER_PROVIDER,
    INLETS_SERVER_URL,
    INLETS_SERVER_STATUS,
    INLETS_SERVER_ACCESS_LOG,
    INLETS_SERVER_WORKERS,
    INLETS_SERVER_GRACE,
    INLETS_SERVER_NGINX,
    INLETS_SERVER_MODULES,
    INLETS_SERVER_USER,
    INLETS_SERVER_LOG_LEVEL,
    INLETS_SERVER_LOG_UTC,
    INLETS_SERVER_PRINT,
    INLETS_SERVER_MAX
};


/* What the settings file says; nginx reads the rest of it. */

struct inlets_server_file {
    char                   path[PATH_MAX];  /* absolute; empty: there is none */
    char                   domain[INLETS_HOST_MAX + 1];
    uint32_t               port;        /* 0: not given, as below */
    bool                   token;
    bool                   clients;
    bool                   public;
    bool                   faults;
};


struct inlets_server_options {
    enum inlets_arg_source source[INLETS_SERVER_MAX];

    const char            *domain;      /* lower case, or NULL */
    uint32_t               port;
    uint32_t               tcp_port;    /* of protocol version 1, to come */
    const char            *tcp_range;
    const char            *listen;      /* NULL: all addresses */
    bool                   secure;
    const char            *tls_cert;
    const char            *tls_key;
    const char            *token;
    const char            *token_file;
    bool                   public;
    const char            *config;
    const char            *provider;
    const char            *url;
    bool                   status;
    const char            *access_log;
    uint32_t               workers;     /* 0: as many as processors */
    uint32_t               grace;       /* ms */
    const char            *nginx;
    const char            *modules;
    const char            *user;
    const char            *log_level_text;
    enum inlets_log_level  log_level;
    bool                   log_utc;
    bool                   print;

    uint32_t               first;       /* of the range, 0: none */
    uint32_t               last;
    struct inlets_server_file  file;

    /* storage of what the fields above point to */
    char                   secret[INLETS_SECRET_MAX + 1];
    char                   url_text[INLETS_SERVER_URL_MAX + 1];
    char                   domain_text[INLETS_HOST_MAX + 1];
    char                   path[3][PATH_MAX];   /* absolute ones */
};


struct inlets_server_nginx {
    char                   path[PATH_MAX];
    char                   version[64];
    unsigned               number;      /* 1022001 */
    bool                   stream;      /* the modules for TCP are there */
    bool                   built_in;    /* none is to be loaded */
    bool                   ssl;
    bool                   http2;
    char                   stream_module[PATH_MAX];     /* empty: built in */
    char                   modules[PATH_MAX];
};


/* Where nginx listens, and what that takes. */

struct inlets_server_ports {
    bool                   ip4;
    bool                   ip6;
    size_t                 sockets;     /* in all */
    size_t                 descriptors; /* for each process */
};


struct inlets_server_folder {
    char                   path[PATH_MAX];  /* empty: not made */
    int                    lock;
};


struct inlets_server_output {
    pid_t                  pid;         /* 0: not started */
    int                    fd;
};


enum inlets_server_reload_state {
    INLETS_SERVER_RELOADING = 0,
    INLETS_SERVER_RELOADED,
    INLETS_SERVER_NOT_RELOADED
};


extern const struct inlets_args  inlets_server_args;

/* The flags that "inlets server reload" has of them. */
bool inlets_server_reload_takes(const struct inlets_arg *flag);

/* Runs the command; the exit status.  argv[0] is "server". */
int inlets_server_main(int argc, char **argv);


/* *ret_reload: the word "reload" was given. */
enum inlets_options_result inlets_server_options_parse(int argc, char **argv,
    struct inlets_server_options *ret, bool *ret_reload);
void inlets_server_options_finish(struct inlets_server_options *o);

/* Looks at the settings file and the token's file, also for a reload. */
int inlets_server_options_load(struct inlets_server_options *o);

/* Whether there is a domain, and a way to log in; else a message. */
int inlets_server_options_check(const struct inlets_server_options *o);

/* "--domain", "$DOMAIN", or NULL for a default. */
const char *inlets_server_origin(const struct inlets_server_options *o,
    enum inlets_server_option option, char *buf, size_t size);

/* No child process gets secrets from the environment. */
void inlets_server_clean_environment(void);


/* -c, or the first of the usual places.  An empty path: there is no file. */
int inlets_server_file_find(const char *config, char ret[PATH_MAX]);
int inlets_server_file_read(struct inlets_server_file *file);


/* All of these say what is wrong. */
int inlets_server_nginx_find(const struct inlets_server_options *o,
    struct inlets_server_nginx *ret);

/* nginx -t */
int inlets_server_nginx_test(const struct inlets_server_nginx *nginx,
    const char *folder);


/* "20000-20099", or one port. */
int inlets_server_range(const char *text, uint32_t *ret_first,
    uint32_t *ret_last);

/* Addresses and limits; then whether everything can be bound. */
int inlets_server_ports_plan(const struct inlets_server_options *o,
    struct inlets_server_ports *ret);
int inlets_server_ports_try(const struct inlets_server_options *o,
    const struct inlets_server_ports *ports);
int inlets_server_port_try(const struct inlets_server_options *o,
    const struct inlets_server_ports *ports, uint32_t port, const char *flag);


/* folder: NULL for --print-config. */
void inlets_server_conf_print(FILE *f, const struct inlets_server_options *o,
    const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports, const char *folder);

/* All files that nginx reads. */
int inlets_server_conf_write(const struct inlets_server_options *o,
    const struct inlets_server_nginx *nginx,
    const struct inlets_server_ports *ports, const char *folder);

/* The user of the workers, or NULL: there is no choice. */
const char *inlets_server_user(const struct inlets_server_options *o);


int inlets_server_folder_make(struct inlets_server_folder *folder,
    bool shared);
void inlets_server_folder_note(const struct inlets_server_folder *folder,
    const char *settings);
void inlets_server_folder_remove(struct inlets_server_folder *folder);

/* How reload number n went, for whoever has asked for it. */
void inlets_server_folder_tell(const struct inlets_server_folder *folder,
    unsigned n, enum inlets_server_reload_state state);

/* What servers left that were killed: there are secrets in it. */
void inlets_server_folder_clear(void);

/*
 * nginx can't open standard output anew where that is a socket, as under
 * systemd, or belongs to another user: a process copies lines to it.  Signals
 * have to be blocked.  stop() waits for the last lines, for a moment.
 */
int inlets_server_output_start(struct inlets_server_output *out,
    const char *folder);
void inlets_server_output_stop(struct inlets_server_output *out);


/* inlets server reload */
int inlets_server_reload(const struct inlets_server_options *o);


#endif /* INLETS_SERVER_H */
