/*
 * The settings file (inlets_config): who may connect and what each may do,
 * read again by every worker whenever it changes.
 */

#ifndef _NGX_INLETS_SETTINGS_H_INCLUDED_
#define _NGX_INLETS_SETTINGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_inlets_settings_s       ngx_inlets_settings_t;
typedef struct ngx_inlets_settings_file_s  ngx_inlets_settings_file_t;


/* Bytes per second, 0: no limit.  Upload is from the visitor to the client. */

typedef struct {
    size_t                       upload;
    size_t                       download;
} ngx_inlets_limit_t;


typedef struct {
    ngx_uint_t                   first;
    ngx_uint_t                   last;
} ngx_inlets_ports_t;


/* Who gets in to a listed tunnel. */

typedef struct {
    ngx_str_t                    username;    /* empty: secret is a token */
    ngx_str_t                    secret;
} ngx_inlets_user_t;


/* An entry of "tunnels" of a client. */

typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   tcp;         /* 0: HTTP */
    ngx_str_t                    upstream;
    in_port_t                    upstream_port;    /* 0: it has none */
    ngx_str_t                    label;       /* HTTP, lower case, or empty */
    in_port_t                    port;        /* TCP, or 0 */
    ngx_array_t                 *users;       /* of ngx_inlets_user_t, or NULL:
                                                 the edge asks for nothing */
    ngx_uint_t                   line;        /* in the file */

    /* only told: 0, empty and NGX_CONF_UNSET_MSEC are not */

    ngx_str_t                    host_header;
    ngx_uint_t                   proxy_protocol;
    ngx_msec_t                   connect_timeout;
    ngx_msec_t                   idle_timeout;
    ngx_uint_t                   insecure;
} ngx_inlets_listed_t;


/* An entry of "clients".  Strings end with a zero byte that isn't counted. */

typedef struct ngx_inlets_identity_s  ngx_inlets_identity_t;

struct ngx_inlets_identity_s {
    ngx_str_t                    id;
    ngx_str_t                    secret;      /* never empty */
    ngx_inlets_limit_t           limit;       /* of both places, merged */

    ngx_array_t                 *names;       /* of ngx_str_t, lower case, may
                                                 hold '*'; NULL: any name */
    ngx_array_t                 *ports;       /* of ngx_inlets_ports_t;
                                                 NULL: any port */

    ngx_uint_t                   max_tunnels; /* 0: no limit */
    ngx_uint_t                   max_streams; /* of all its tunnels, 0: none */

    ngx_str_t                    config;      /* JSON object: "config", or
                                                 empty: not given */
    ngx_array_t                 *tunnels;     /* of ngx_inlets_listed_t, or
                                                 NULL: none */
    ngx_str_t                    list;        /* JSON array: what a client may
                                                 know of them, or empty */
    ngx_uint_t                   line;        /* in the file */

    unsigned                     disabled:1;
    unsigned                     restricted_names:1;    /* names != NULL */
    unsigned                     restricted_ports:1;    /* ports != NULL */

    /* private: the next one in the table; not only a limit */

    ngx_inlets_identity_t       *next;
    uint32_t                     hash;
    unsigned                     listed:1;
    unsigned                     upload:1;    /* limit.upload is its own */
    unsigned                     download:1;
    unsigned                     merged:1;    /* with bandwidthLimits */
};


typedef enum {
    NGX_INLETS_PROVIDER_NONE = 0,
    NGX_INLETS_PROVIDER_DINGTALK,
    NGX_INLETS_PROVIDER_FEISHU,
    NGX_INLETS_PROVIDER_WECOM,
    NGX_INLETS_PROVIDER_SLACK,
    NGX_INLETS_PROVIDER_WEBHOOK
} ngx_inlets_provider_e;


typedef struct {
    ngx_inlets_provider_e        provider;
    ngx_str_t                    url;         /* http:// or https:// */
    ngx_str_t                    secret;      /* empty: not signed */
    ngx_str_t                    ca_file;     /* empty: the system's */
    ngx_uint_t                   chinese;     /* language: zh */
} ngx_inlets_notification_t;


struct ngx_inlets_settings_s {
    ngx_pool_t                  *pool;
    uint64_t                     version;     /* hash of what was read; the
                                                 same in all workers */

    ngx_str_t                    domain;      /* lower case, or empty */
    ngx_str_t                    token;       /* or empty */
    ngx_int_t                    secure;      /* NGX_CONF_UNSET: not given */
    ngx_uint_t                   port;        /* only told, 0: not given */
    ngx_uint_t                   tcp_port;    /* likewise */

    ngx_uint_t                   nclients;
    ngx_array_t                 *clients;     /* of ngx_inlets_identity_t *,
                                                 in the file's order */
    ngx_uint_t                   nguarded;    /* listed tunnels with users */
    ngx_inlets_limit_t           global;
    ngx_inlets_notification_t    notification;

    struct {
        ngx_int_t                enabled;     /* NGX_CONF_UNSET: not given */
        ngx_msec_t               timeout;     /* lifetime */
        ngx_msec_t               warn_lead;
    } public_http;

    /* these and the two above: NGX_CONF_UNSET_MSEC if they are not given */

    ngx_msec_t                   max_drift;   /* 0: off */
    ngx_msec_t                   heartbeat_interval;
    ngx_msec_t                   heartbeat_timeout;

    /* private: hash table of identities, and of ids with just a limit */

    ngx_inlets_identity_t      **table;
    ngx_uint_t                   mask;
};


typedef void (*ngx_inlets_settings_pt)(void *data,
    ngx_inlets_settings_file_t *file);


/*
 * During configuration: the file at path (relative to the configuration's
 * prefix) is read and checked.  NULL: every error has been logged.  The same
 * path gives the same file.
 *
 * What overrides names, which may be NULL, wins over each version of the file.
 * It is read once, by who reads the configuration.
 */
ngx_inlets_settings_file_t *ngx_inlets_settings_add(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *overrides);

ngx_str_t *ngx_inlets_settings_path(ngx_inlets_settings_file_t *file);

/*
 * The settings in force; never NULL.  They, and all that is found in them, are
 * valid only until control returns to the event loop.
 */
ngx_inlets_settings_t *ngx_inlets_settings_get(
    ngx_inlets_settings_file_t *file);

/* Constant time.  NULL: unknown.  A disabled one is found: see its flag. */
ngx_inlets_identity_t *ngx_inlets_settings_identity(ngx_inlets_settings_t *s,
    ngx_str_t *id);

/* Of any client id, also one that only "bandwidthLimits.clients" names. */
ngx_inlets_limit_t ngx_inlets_settings_limit(ngx_inlets_settings_t *s,
    ngx_str_t *id);

/* May it take this name (a normalized label), this port: 1 or 0. */
ngx_uint_t ngx_inlets_settings_name(ngx_inlets_identity_t *identity,
    ngx_str_t *label);
ngx_uint_t ngx_inlets_settings_port(ngx_inlets_identity_t *identity,
    ngx_uint_t port);


/*
 * The entry that an HTTP tunnel stands for, or NULL: the one with its label (or
 * empty), else one without a label for the same port of the local service, else
 * the only one with users.  Of the identity, or (NULL) of all clients.
 */
ngx_inlets_listed_t *ngx_inlets_settings_listed(ngx_inlets_settings_t *s,
    ngx_inlets_identity_t *identity, ngx_str_t *label, ngx_uint_t port);


/* The settings' values, if they are given, over the directives'. */
void ngx_inlets_settings_heartbeat(ngx_inlets_settings_t *s,
    ngx_msec_t *interval, ngx_msec_t *timeout);


/*
 * In a worker, from init_process on: handler is called after each swap, from
 * the event loop.  unsubscribe() may be called from within a handler.
 */
ngx_int_t ngx_inlets_settings_subscribe(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_pt handler, void *data);
void ngx_inlets_settings_unsubscribe(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_pt handler, void *data);

/* Start of a worker: watches all files of the cycle. */
ngx_int_t ngx_inlets_settings_init_worker(ngx_cycle_t *cycle);


#endif /* _NGX_INLETS_SETTINGS_H_INCLUDED_ */
