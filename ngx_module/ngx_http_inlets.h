/*
 * The HTTP module: its configuration, and the entries of its parts, which
 * README.md lists.
 */

#ifndef _NGX_HTTP_INLETS_H_INCLUDED_
#define _NGX_HTTP_INLETS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_inlets_tunnel.h"
#include "ngx_inlets_settings.h"


typedef struct ngx_http_inlets_loc_conf_s  ngx_http_inlets_loc_conf_t;

struct ngx_http_inlets_loc_conf_s {
    ngx_inlets_registry_t       *tunnel;      /* inlets_tunnel */
    ngx_inlets_registry_t       *connect;     /* inlets_connect */
    ngx_inlets_registry_t       *status;      /* inlets_status */

    ngx_msec_t                   wait;        /* inlets_wait */

    ngx_str_t                    domain;      /* inlets_domain, lower case */
    ngx_inlets_settings_file_t  *settings;    /* inlets_config, or NULL */
    ngx_array_t                 *tokens;      /* inlets_token: of ngx_str_t */
    ngx_flag_t                   public;      /* inlets_public */
    ngx_msec_t                   public_timeout;
    ngx_msec_t                   public_warn;
    ngx_msec_t                   max_drift;   /* 0: off */
    ngx_uint_t                   auth_attempts;    /* 0: any number */
    ngx_http_complex_value_t    *url;         /* inlets_url, or NULL */

    ngx_uint_t                   max_links;   /* advised and enforced */
    ngx_uint_t                   max_streams; /* per link */
    size_t                       window;      /* largest per stream */
    size_t                       link_window; /* growth of all streams */

    ngx_msec_t                   auth_timeout;
    ngx_msec_t                   heartbeat_interval;
    ngx_msec_t                   heartbeat_timeout;
    ngx_msec_t                   drain_timeout;
    time_t                       remember;    /* inlets_remember */

    /* during configuration: the level above, and this one's proxy_* */
    ngx_http_inlets_loc_conf_t  *parent;
    void                        *proxy;
    ngx_http_handler_pt          handler;     /* of our directive */
};


/* Of a request in a location with inlets_tunnel, set by its peer. */

typedef struct {
    ngx_inlets_dial_t            dial;        /* dial.found.type 0: none */
    ngx_http_request_t          *request;
    unsigned                     local:1;     /* the edge answers itself */
    unsigned                     again:1;     /* it was refused once */

    u_char                       host[NGX_INLETS_MAX_HOST + 1];
} ngx_http_inlets_ctx_t;


/* Content handler of inlets_connect: any of the three endpoints. */
ngx_int_t ngx_http_inlets_connect_handler(ngx_http_request_t *r);

typedef struct ngx_http_inlets_monitor_s  ngx_http_inlets_monitor_t;

/* Content handler of inlets_status. */
ngx_int_t ngx_http_inlets_status_handler(ngx_http_request_t *r);

/* $inlets_*, before the configuration is read. */
ngx_int_t ngx_http_inlets_add_variables(ngx_conf_t *cf);

/*
 * Limits: of each zone by the settings of its inlets_connect.  add(): for every
 * location with one; list is the main configuration's, NULL at first.
 * init_worker(): sets them, now and at each change.
 */
char *ngx_http_inlets_limits_add(ngx_conf_t *cf, ngx_array_t **list,
    ngx_http_inlets_loc_conf_t *ilcf);
ngx_int_t ngx_http_inlets_limits_init_worker(ngx_array_t *list);

/* auth: a claim about who the client is, from the "authenticate" event. */

typedef struct {
    ngx_str_t                    type;        /* "token", "credentials", ... */
    ngx_str_t                    client_id;
    ngx_str_t                    timestamp;   /* decimal, as it was signed */
    ngx_str_t                    signature;   /* hex */
    ngx_uint_t                   http;        /* asks for an HTTP tunnel */
    ngx_uint_t                   has_name;    /* asks for a certain name */
    ngx_uint_t                   drifted;     /* set: refused for its time */
} ngx_http_inlets_auth_t;

/*
 * NGX_OK, or NGX_DECLINED with message: the text for the client, from the wire
 * specification 2.5.
 */
ngx_int_t ngx_http_inlets_authenticate(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_auth_t *auth, ngx_str_t *message, ngx_pool_t *pool);

/* inlets_tunnel: the implicit upstream, and proxy_pass to it. */
char *ngx_http_inlets_proxy_pass(ngx_conf_t *cf, ngx_inlets_registry_t *reg,
    ngx_str_t *name);

/*
 * Before the proxy module merges its settings: cache_key() once, defaults() for
 * each location with inlets_tunnel.  What the user has set, here or at an outer
 * level, is left as it is.
 */
char *ngx_http_inlets_proxy_cache_key(ngx_conf_t *cf);
char *ngx_http_inlets_proxy_defaults(ngx_conf_t *cf,
    ngx_http_inlets_loc_conf_t *ilcf);

/*
 * Rules for visitors.  permit(): tag is that of the rules in force when a
 * stream is attached; NGX_ABORT: not by them.  refused(): the status of the
 * request is by them.  consumed(): the Authorization header was for the edge,
 * not for the local service.
 */
ngx_int_t ngx_http_inlets_access_init(ngx_conf_t *cf);
ngx_int_t ngx_http_inlets_access_permit(ngx_http_request_t *r,
    ngx_inlets_registry_t *reg, uint64_t tag);
ngx_uint_t ngx_http_inlets_access_refused(ngx_http_request_t *r);
ngx_uint_t ngx_http_inlets_access_consumed(ngx_http_request_t *r);

/*
 * The host by which nginx chose the server{}, normalized, in buf of
 * NGX_INLETS_MAX_HOST + 1 bytes; NGX_DECLINED: it is none.
 */
ngx_int_t ngx_http_inlets_request_host(ngx_http_request_t *r, u_char *buf,
    ngx_str_t *host);

/* A header of the answer, of strings that live as long; NULL: no memory. */
ngx_table_elt_t *ngx_http_inlets_add_header(ngx_http_request_t *r,
    const char *name, const char *value);

/* The page for a status: its text, and its type for this visitor. */
ngx_int_t ngx_http_inlets_page(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *text);

/* The peer, for inlets_tunnel's implicit upstream. */
ngx_int_t ngx_http_inlets_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);

/* Of the request, also after a redirect to an error page; or NULL. */
ngx_http_inlets_ctx_t *ngx_http_inlets_get_ctx(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_inlets_module;
extern ngx_module_t  ngx_http_proxy_module;


#endif /* _NGX_HTTP_INLETS_H_INCLUDED_ */
