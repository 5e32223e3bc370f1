/*
 * Inside of a monitor.
 *
 *   ngx_http_inlets_monitor.c   its life: events, heartbeat, drain, end
 *   ngx_http_inlets_login.c     the "authenticate" event and its checks
 *   ngx_http_inlets_register.c  a name or port for the tunnel, the answer
 *   ngx_http_inlets_listed.c    tunnels that the settings list
 *   ngx_http_inlets_tell.c      notifications of all that
 *   ngx_http_inlets_public.c    the lifetime of tunnels without credentials
 */

#ifndef _NGX_HTTP_INLETS_MONITOR_IMPL_H_INCLUDED_
#define _NGX_HTTP_INLETS_MONITOR_IMPL_H_INCLUDED_


#include "ngx_http_inlets_monitor.h"
#include "ngx_http_inlets_policy.h"
#include "ngx_http_inlets_ws.h"
#include "inlets_name.h"
#include "inlets_protocol.h"

#include <cjson/cJSON.h>
#include <openssl/rand.h>


#define NGX_HTTP_INLETS_LIMIT_BEFORE  INLETS_LOGIN_MAX    /* of a message */
#define NGX_HTTP_INLETS_LIMIT_AFTER   65536


typedef struct {
    u_char                       data[1024];
    size_t                       len;
} ngx_http_inlets_text_t;


struct ngx_http_inlets_monitor_s {
    ngx_http_inlets_ws_t         ws;
    ngx_http_inlets_loc_conf_t  *conf;
    ngx_http_inlets_peer_t      *peer;

    /* of the request that became this monitor */

    ngx_str_t                    domain;
    ngx_str_t                    url;        /* inlets_url, evaluated */
    in_port_t                    port;
    ngx_uint_t                   secure;     /* unsigned  secure:1; */

    ngx_inlets_id_t              id;
    ngx_inlets_type_e            type;       /* 0: of a coordinator */
    ngx_str_t                    host;
    ngx_str_t                    client_id;
    in_port_t                    tunnel_port;
    in_port_t                    upstream_port;    /* as the client says */
    ngx_inlets_rules_t          *rules;      /* the client's own, or NULL */
    uint64_t                     list;       /* hash of the tunnels listed, as
                                                the client knows them */
    ngx_str_t                    version;    /* of the client */
    ngx_str_t                    asked;      /* during login: the id claimed */

    struct sockaddr             *sockaddr;   /* the request's: the connection
                                                may have another, see realip */

    ngx_inlets_auth_e            auth;
    ngx_http_inlets_watch_t      watch;      /* of the settings */
    ngx_msec_t                   interval;   /* of heartbeats, as the client
                                                knows it */
    ngx_msec_t                   timeout;

    time_t                       since;
    ngx_event_t                  public;     /* without credentials: */
    ngx_msec_t                   lifetime;
    ngx_msec_t                   left;       /* from the next warning on */

    ngx_event_t                  deadline;   /* of draining */

    unsigned                     attempted:1;
    unsigned                     registered:1;
    unsigned                     draining:1;
    unsigned                     listed:1;   /* an entry of "clients" */
    unsigned                     coordinator:1;    /* it serves no tunnel */
    unsigned                     follows:1;  /* it was told of the tunnels
                                                listed, and is of changes */
    unsigned                     guarded:1;  /* by users of the settings */
    unsigned                     forget:1;   /* its route, when it ends */
};


/* What "authenticate" says; strings are those of the JSON tree. */

typedef struct {
    ngx_http_inlets_auth_t       auth;
    ngx_str_t                    type;
    ngx_str_t                    name;       /* subDomain */
    cJSON                       *access;     /* rules for visitors, or NULL */
    cJSON                       *ingress;    /* an older form of them */
    ngx_inlets_rules_t           rules;
    ngx_str_t                    version;
    ngx_uint_t                   port;       /* tunnelPort */
    ngx_uint_t                   upstream;   /* port of the local service */
    ngx_uint_t                   opaque;     /* opaqueChild */
    ngx_inlets_id_t              resume;
    ngx_uint_t                   resumes;
    ngx_uint_t                   mux;        /* the capability is offered */
    double                       links;
    double                       window;
    ngx_uint_t                   keyed;      /* its links show a key */
    ngx_uint_t                   no_reuse;   /* a stream for each request */
    u_char                       timestamp[NGX_INT64_LEN];
} ngx_http_inlets_login_t;


/* login: what follows an "authenticate" event. */
void ngx_http_inlets_login(ngx_http_inlets_monitor_t *monitor, cJSON *json);

/* register: claims, keeps and answers, or refuses. */
void ngx_http_inlets_register(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login, ngx_pool_t *pool);

/*
 * listed: start() decides whether the client is told, add() puts "tunnels" into
 * what is sent then, changed() says whether it has to be sent again.  rules():
 * puts what the settings ask of visitors into force; NGX_ERROR: it is not.
 */
void ngx_http_inlets_listed_start(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login);
void ngx_http_inlets_listed_add(ngx_http_inlets_monitor_t *monitor,
    cJSON *json);
ngx_uint_t ngx_http_inlets_listed_changed(ngx_http_inlets_monitor_t *monitor);
ngx_int_t ngx_http_inlets_listed_rules(ngx_http_inlets_monitor_t *monitor);

/* tell: to whom the settings say.  offline: before the tunnel is ended. */
void ngx_http_inlets_tell_online(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_login_t *login);
void ngx_http_inlets_tell_offline(ngx_http_inlets_monitor_t *monitor,
    const char *reason);
void ngx_http_inlets_tell_refused(ngx_http_inlets_monitor_t *monitor,
    u_char *text, size_t len);

/* public: does nothing for others. */
void ngx_http_inlets_public_start(ngx_http_inlets_monitor_t *monitor);
void ngx_http_inlets_public_end(ngx_http_inlets_monitor_t *monitor);

/* What the tunnel has, to be judged by policy. */
void ngx_http_inlets_monitor_holding(ngx_http_inlets_monitor_t *monitor,
    ngx_http_inlets_holding_t *holding);

/* The event @@CONFIG with the values in force; list: with the tunnels, too. */
void ngx_http_inlets_monitor_config(ngx_http_inlets_monitor_t *monitor,
    ngx_uint_t list);

/* Sends [name,payload] and frees payload; NULL: there was no memory for it. */
void ngx_http_inlets_monitor_event(ngx_http_inlets_monitor_t *monitor,
    const char *name, cJSON *payload);

/* The reply to a login, then the end, without a Close frame. */
void ngx_http_inlets_monitor_refuse(ngx_http_inlets_monitor_t *monitor,
    const char *fmt, ...);

/* Zero-terminated; NGX_ERROR: it was cut. */
ngx_int_t ngx_http_inlets_text(ngx_http_inlets_text_t *text, const char *fmt,
    ...);


#endif /* _NGX_HTTP_INLETS_MONITOR_IMPL_H_INCLUDED_ */
