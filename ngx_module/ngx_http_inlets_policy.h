/*
 * Policy: what the directives and the settings file together say, and telling
 * running tunnels when the file has changed.
 */

#ifndef _NGX_HTTP_INLETS_POLICY_H_INCLUDED_
#define _NGX_HTTP_INLETS_POLICY_H_INCLUDED_


#include "ngx_http_inlets.h"


#define NGX_HTTP_INLETS_DURATION  64     /* longest text of a duration */


/* What a tunnel has, or asks for. */

typedef struct {
    ngx_inlets_auth_e            auth;
    ngx_uint_t                   listed;     /* by an entry of "clients" */
    ngx_inlets_type_e            type;
    ngx_str_t                    client_id;
    ngx_str_t                    label;      /* HTTP; empty: not judged */
    in_port_t                    port;       /* TCP; 0: not judged */
} ngx_http_inlets_holding_t;


/*
 * NGX_OK, or NGX_DECLINED with the reason for the client in text, which is
 * zero-terminated and cut at size.
 */
ngx_int_t ngx_http_inlets_policy(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_holding_t *holding, u_char *text, size_t size);

/* The entry of "clients"; NULL: of none.  As valid as the settings. */
ngx_inlets_identity_t *ngx_http_inlets_policy_identity(
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_auth_e auth,
    ngx_str_t *client_id);

/* Values in force, of the settings if they give them, else of directives. */
void ngx_http_inlets_policy_heartbeat(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_msec_t *interval, ngx_msec_t *timeout);
ngx_uint_t ngx_http_inlets_policy_is_public(ngx_http_inlets_loc_conf_t *ilcf);
void ngx_http_inlets_policy_public(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_msec_t *lifetime, ngx_msec_t *lead);
ngx_msec_t ngx_http_inlets_policy_drift(ngx_http_inlets_loc_conf_t *ilcf);

/* As Go prints durations: "1m30s", "10m0s", "1.5s"; not terminated. */
u_char *ngx_http_inlets_duration(u_char *p, ngx_msec_t msec);


/*
 * Told in this worker after each change of the settings: monitors at once,
 * links a little later, so that clients hear the reason first.  changed() may
 * end its own watch.  Without a settings file these do nothing.
 */
typedef struct ngx_http_inlets_watch_s  ngx_http_inlets_watch_t;

struct ngx_http_inlets_watch_s {
    ngx_queue_t                  queue;
    void                       (*changed)(void *data);
    void                        *data;
    unsigned                     watching:1;
};

ngx_int_t ngx_http_inlets_watch_monitor(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch);
ngx_int_t ngx_http_inlets_watch_link(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_http_inlets_watch_t *watch);
void ngx_http_inlets_watch_end(ngx_http_inlets_watch_t *watch);


#endif /* _NGX_HTTP_INLETS_POLICY_H_INCLUDED_ */
