
/*
 * Copyright (C) inlets for nginx contributors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>

#include "ngx_inlets_conf.h"
#include "ngx_inlets_tunnel.h"
#include "ngx_inlets_relay.h"

#include "inlets_name.h"
#include "inlets_proxy2.h"


#define NGX_STREAM_INLETS_NOT_FOUND   404
#define NGX_STREAM_INLETS_SESSION_ID  32


typedef struct {
    ngx_inlets_registry_t       *tunnel;      /* inlets_tunnel */
    ngx_msec_t                   wait;        /* inlets_wait */
    ngx_msec_t                   timeout;     /* inlets_timeout */
} ngx_stream_inlets_srv_conf_t;


typedef struct {
    ngx_stream_session_t        *session;
    ngx_connection_t            *stream;
    ngx_inlets_dial_t            dial;
    ngx_inlets_relay_t           relay;
    ngx_uint_t                   refused;     /* unsigned  refused:1; */
    u_char                       id[NGX_STREAM_INLETS_SESSION_ID];
} ngx_stream_inlets_ctx_t;


static void ngx_stream_inlets_handler(ngx_stream_session_t *s);
static ngx_int_t ngx_stream_inlets_dial(ngx_stream_session_t *s,
    ngx_stream_inlets_ctx_t *ctx);
static ngx_int_t ngx_stream_inlets_permit(ngx_inlets_dial_t *d);
static ngx_int_t ngx_stream_inlets_head(ngx_stream_session_t *s,
    ngx_stream_inlets_ctx_t *ctx);
static ngx_int_t ngx_stream_inlets_address(struct sockaddr *sa,
    struct inlets_proxy2 *h, uint8_t *addr, uint16_t *port);
static void ngx_stream_inlets_relay(ngx_stream_inlets_ctx_t *ctx);
static void ngx_stream_inlets_expired(ngx_inlets_dial_t *d);
static void ngx_stream_inlets_done(ngx_inlets_relay_t *relay,
    ngx_inlets_relay_end_e end);
static void ngx_stream_inlets_account(ngx_stream_inlets_ctx_t *ctx);
static void ngx_stream_inlets_cleanup(void *data);

static ngx_int_t ngx_stream_inlets_variable_tunnel_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_inlets_variable_client_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_inlets_variable_session_id(
    ngx_stream_session_t *s, ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_inlets_variable_counter(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_stream_inlets_add_variables(ngx_conf_t *cf);
static void *ngx_stream_inlets_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_inlets_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_inlets_tunnel(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_stream_inlets_init(ngx_conf_t *cf);
static ngx_int_t ngx_stream_inlets_add_ports(ngx_conf_t *cf,
    ngx_stream_core_main_conf_t *cmcf);
static ngx_int_t ngx_stream_inlets_add_port(ngx_conf_t *cf,
    ngx_stream_conf_ctx_t *ctx, struct sockaddr *sa, int type,
    ngx_str_t *addr_text);


static ngx_command_t  ngx_stream_inlets_commands[] = {

    { ngx_string("inlets_tunnel"),
      NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_inlets_tunnel,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("inlets_wait"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_inlets_srv_conf_t, wait),
      NULL },

    { ngx_string("inlets_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_inlets_conf_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_stream_inlets_srv_conf_t, timeout),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_inlets_module_ctx = {
    ngx_stream_inlets_add_variables,       /* preconfiguration */
    ngx_stream_inlets_init,                /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_inlets_create_srv_conf,     /* create server configuration */
    ngx_stream_inlets_merge_srv_conf       /* merge server configuration */
};


ngx_module_t  ngx_stream_inlets_module = {
    NGX_MODULE_V1,
    &ngx_stream_inlets_module_ctx,         /* module context */
    ngx_stream_inlets_commands,            /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_stream_variable_t  ngx_stream_inlets_variables[] = {

    { ngx_string("inlets_tunnel_id"), NULL,
      ngx_stream_inlets_variable_tunnel_id, 0, 0, 0 },

    { ngx_string("inlets_client_id"), NULL,
      ngx_stream_inlets_variable_client_id, 0, 0, 0 },

    { ngx_string("inlets_session_id"), NULL,
      ngx_stream_inlets_variable_session_id, 0, 0, 0 },

    { ngx_string("inlets_tunnel_bytes_up"), NULL,
      ngx_stream_inlets_variable_counter, offsetof(ngx_inlets_counters_t, up),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_bytes_down"), NULL,
      ngx_stream_inlets_variable_counter,
      offsetof(ngx_inlets_counters_t, down), NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_streams"), NULL,
      ngx_stream_inlets_variable_counter,
      offsetof(ngx_inlets_counters_t, streams_now),
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("inlets_tunnel_errors"), NULL,
      ngx_stream_inlets_variable_counter,
      offsetof(ngx_inlets_counters_t, errors), NGX_STREAM_VAR_NOCACHEABLE, 0 },

      ngx_stream_null_variable
};


static void
ngx_stream_inlets_handler(ngx_stream_session_t *s)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_pool_cleanup_t       *cln;
    ngx_stream_inlets_ctx_t  *ctx;

    c = s->connection;

    c->log->action = "dialling an inlets tunnel";

    ctx = ngx_pcalloc(c->pool, sizeof(ngx_stream_inlets_ctx_t));
    if (ctx == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    ctx->session = s;
    ngx_stream_set_ctx(s, ctx, ngx_stream_inlets_module);

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    cln->handler = ngx_stream_inlets_cleanup;
    cln->data = ctx;

    rc = ngx_stream_inlets_dial(s, ctx);

    switch (rc) {

    case NGX_OK:
    case NGX_AGAIN:
        ngx_stream_inlets_relay(ctx);
        return;

    case NGX_DECLINED:
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "no inlets tunnel holds port %d", (int) ctx->dial.port);

        ngx_stream_finalize_session(s, NGX_STREAM_INLETS_NOT_FOUND);
        return;

    case NGX_ABORT:
        ngx_stream_finalize_session(s, NGX_STREAM_FORBIDDEN);
        return;

    case NGX_BUSY:

        if (ctx->dial.found.type == 0) {
            ngx_stream_inlets_expired(&ctx->dial);
            return;
        }

        ngx_inlets_meter_error(&ctx->dial.found.meter);

        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "inlets tunnel of port %d has no link",
                      (int) ctx->dial.port);

        ngx_stream_finalize_session(s, NGX_STREAM_BAD_GATEWAY);
        return;

    default: /* NGX_ERROR */
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }
}


static ngx_int_t
ngx_stream_inlets_dial(ngx_stream_session_t *s, ngx_stream_inlets_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_connection_t              *c;
    ngx_stream_inlets_srv_conf_t  *iscf;

    c = s->connection;

    iscf = ngx_stream_get_module_srv_conf(s, ngx_stream_inlets_module);

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_inlets_dial_init(&ctx->dial);

    if (ngx_stream_inlets_head(s, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->dial.registry = iscf->tunnel;
    ctx->dial.port = ngx_inet_get_port(c->local_sockaddr);
    ctx->dial.wait = iscf->wait;
    ctx->dial.log = c->log;
    ctx->dial.permit = ngx_stream_inlets_permit;
    ctx->dial.expired = ngx_stream_inlets_expired;
    ctx->dial.data = ctx;

    rc = ngx_inlets_dial(&ctx->dial);

    ctx->stream = ctx->dial.connection;

    return rc;
}


/* The client's own rules for visitors. */

static ngx_int_t
ngx_stream_inlets_permit(ngx_inlets_dial_t *d)
{
    ngx_stream_inlets_ctx_t *ctx = d->data;

    ngx_inlets_rules_t  rules;

    if (d->found.rules == 0) {
        return NGX_OK;
    }

    ngx_inlets_rules_get(d->registry, NULL, d->port, &rules);

    if (rules.tag == d->found.rules
        && ngx_inlets_rules_check_addr(&rules,
                                       ctx->session->connection->sockaddr)
           == NGX_OK)
    {
        return NGX_OK;
    }

    ctx->refused = 1;

    ngx_log_error(NGX_LOG_INFO, d->log, 0,
                  "visitor refused by the address rules of the tunnel on "
                  "port %d", (int) d->port);

    return NGX_ABORT;
}


/* What tells the client who the visitor is. */

static ngx_int_t
ngx_stream_inlets_head(ngx_stream_session_t *s, ngx_stream_inlets_ctx_t *ctx)
{
    int                    n;
    u_char                *p;
    ngx_uint_t             i;
    struct sockaddr       *src, *dst;
    struct inlets_proxy2   h;

    p = ctx->id;

    for (i = 0; i < NGX_STREAM_INLETS_SESSION_ID / 8; i++) {
        p = ngx_sprintf(p, "%08xD", (uint32_t) ngx_random());
    }

    src = s->connection->sockaddr;
    dst = s->connection->local_sockaddr;

    ngx_memzero(&h, sizeof(struct inlets_proxy2));

    h.unique_id = ctx->id;
    h.unique_id_len = NGX_STREAM_INLETS_SESSION_ID;

    h.family = INLETS_PROXY2_INET;

#if (NGX_HAVE_INET6)

    if (src->sa_family == AF_INET6 || dst->sa_family == AF_INET6) {
        h.family = INLETS_PROXY2_INET6;
    }

#endif

    if (ngx_stream_inlets_address(src, &h, h.src, &h.src_port) != NGX_OK
        || ngx_stream_inlets_address(dst, &h, h.dst, &h.dst_port) != NGX_OK)
    {
        h.family = INLETS_PROXY2_UNSPEC;
    }

    p = ngx_pnalloc(s->connection->pool, INLETS_PROXY2_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = inlets_proxy2_write(p, INLETS_PROXY2_MAX, &h);

    if (n < 0) {
        ngx_log_error(NGX_LOG_ALERT, s->connection->log, 0,
                      "inlets stream head: %s", inlets_strerror(n));
        return NGX_ERROR;
    }

    ctx->dial.head.data = p;
    ctx->dial.head.len = n;

    return NGX_OK;
}


/* Where the families differ, as with realip, IPv4 is mapped into IPv6. */

static ngx_int_t
ngx_stream_inlets_address(struct sockaddr *sa, struct inlets_proxy2 *h,
    uint8_t *addr, uint16_t *port)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    *port = ngx_inet_get_port(sa);

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        ngx_memcpy(addr, &sin6->sin6_addr, 16);
        return NGX_OK;
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        if (h->family == INLETS_PROXY2_INET6) {
            addr[10] = 0xff;
            addr[11] = 0xff;
            addr += 12;
        }

        ngx_memcpy(addr, &sin->sin_addr, 4);
        return NGX_OK;

    default:
        return NGX_DECLINED;
    }
}


/* It starts before the stream is attached, and copies nothing until then. */

static void
ngx_stream_inlets_relay(ngx_stream_inlets_ctx_t *ctx)
{
    ngx_buf_t                     *b;
    ngx_connection_t              *c;
    ngx_stream_session_t          *s;
    ngx_stream_inlets_srv_conf_t  *iscf;

    s = ctx->session;
    c = s->connection;

    c->log->action = "relaying to an inlets tunnel";

    iscf = ngx_stream_get_module_srv_conf(s, ngx_stream_inlets_module);

    ctx->relay.a = c;
    ctx->relay.b = ctx->stream;
    ctx->relay.timeout = iscf->timeout;
    ctx->relay.done = ngx_stream_inlets_done;
    ctx->relay.data = ctx;

    ctx->stream->log_error = c->log_error;

    b = c->buffer;

    if (b) {

        /* what the preread phase has taken */

        ctx->relay.early.data = b->pos;
        ctx->relay.early.len = b->last - b->pos;
    }

    ngx_inlets_relay_start(&ctx->relay);
}


static void
ngx_stream_inlets_expired(ngx_inlets_dial_t *d)
{
    ngx_stream_inlets_ctx_t *ctx = d->data;

    if (!ctx->refused) {
        ngx_log_error(NGX_LOG_INFO, d->log, 0,
                      "inlets client of port %d is away", (int) d->port);
    }

    ngx_inlets_meter_error(&d->found.meter);

    if (ctx->stream) {
        ngx_inlets_relay_stop(&ctx->relay);
    }

    ngx_stream_inlets_account(ctx);

    ngx_stream_finalize_session(ctx->session,
                                ctx->refused ? NGX_STREAM_FORBIDDEN
                                           : NGX_STREAM_SERVICE_UNAVAILABLE);
}


static void
ngx_stream_inlets_done(ngx_inlets_relay_t *relay, ngx_inlets_relay_end_e end)
{
    ngx_uint_t                rc;
    ngx_connection_t         *c;
    ngx_stream_session_t     *s;
    ngx_stream_inlets_ctx_t  *ctx;

    ctx = relay->data;
    s = ctx->session;
    c = s->connection;

    rc = NGX_STREAM_OK;

    switch (end) {

    case NGX_INLETS_RELAY_DONE:
        break;

    case NGX_INLETS_RELAY_RESET:

        if (relay->b_lost) {
            ngx_inlets_meter_error(&ngx_inlets_stream(relay->b)->meter);
        }

        if (relay->b_lost && relay->sent[0] == 0) {
            rc = NGX_STREAM_BAD_GATEWAY;
        }

        ngx_log_error(NGX_LOG_INFO, c->log, 0, "inlets stream was reset by %s",
                      relay->b_lost ? "the local service" : "the visitor");
        break;

    case NGX_INLETS_RELAY_ERROR:
        rc = NGX_STREAM_INTERNAL_SERVER_ERROR;
        break;

    case NGX_INLETS_RELAY_TIMEOUT:
        break;

    case NGX_INLETS_RELAY_CLOSED:
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "disconnected on shutdown");
        break;
    }

    ngx_stream_inlets_account(ctx);

    ctx->stream = NULL;
    ngx_inlets_stream_close(relay->b, end != NGX_INLETS_RELAY_DONE);

    ngx_stream_finalize_session(s, rc);
}


static void
ngx_stream_inlets_account(ngx_stream_inlets_ctx_t *ctx)
{
    ngx_buf_t             *b;
    ngx_stream_session_t  *s;

    s = ctx->session;
    b = s->connection->buffer;

    s->received += ctx->relay.sent[1];

    if (b) {

        /* counted when it was read */

        s->received -= (b->last - b->pos) - ctx->relay.early.len;
    }
}


static void
ngx_stream_inlets_cleanup(void *data)
{
    ngx_stream_inlets_ctx_t *ctx = data;

    if (ctx->stream) {
        ngx_inlets_stream_close(ctx->stream, 1);
        ctx->stream = NULL;
    }
}


static ngx_int_t
ngx_stream_inlets_variable_tunnel_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char                   *p;
    ngx_stream_inlets_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_inlets_module);

    if (ctx == NULL || ctx->dial.found.type == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->connection->pool, INLETS_UUID_TEXT + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    inlets_uuid_format(ctx->dial.found.id.data, (char *) p);

    v->len = INLETS_UUID_TEXT;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = p;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_inlets_variable_client_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_inlets_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_inlets_module);

    if (ctx == NULL || ctx->dial.found.type == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = ctx->dial.found.client_id_len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    v->data = ctx->dial.found.client_id;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_inlets_variable_session_id(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_stream_inlets_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_inlets_module);

    if (ctx == NULL || ctx->dial.head.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = NGX_STREAM_INLETS_SESSION_ID;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = ctx->id;

    return NGX_OK;
}


/* data: offset of a 64-bit field of ngx_inlets_counters_t. */

static ngx_int_t
ngx_stream_inlets_variable_counter(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char                   *p;
    ngx_inlets_counters_t     counters;
    ngx_stream_inlets_ctx_t  *ctx;

    ctx = ngx_stream_get_module_ctx(s, ngx_stream_inlets_module);

    if (ctx == NULL
        || ctx->dial.found.type == 0
        || ngx_inlets_meter_tunnel(ctx->dial.registry, &ctx->dial.found.id,
                                   &counters)
           != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(s->connection->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%uL", *(uint64_t *) ((u_char *) &counters + data))
             - p;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_inlets_add_variables(ngx_conf_t *cf)
{
    ngx_stream_variable_t  *var, *v;

    for (v = ngx_stream_inlets_variables; v->name.len; v++) {
        var = ngx_stream_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_stream_inlets_create_srv_conf(ngx_conf_t *cf)
{
    ngx_stream_inlets_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_stream_inlets_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->tunnel = NULL;
     */

    conf->wait = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_stream_inlets_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_stream_inlets_srv_conf_t *prev = parent;
    ngx_stream_inlets_srv_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->wait, prev->wait, 5000);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 600000);

    return NGX_CONF_OK;
}


static char *
ngx_stream_inlets_tunnel(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_stream_inlets_srv_conf_t *iscf = conf;

    ngx_str_t                   *value;
    ngx_stream_core_srv_conf_t  *cscf;

    if (iscf->tunnel) {
        return "is duplicate";
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        return "conflicts with another directive of this server that answers "
               "visitors, such as proxy_pass or return";
    }

    value = cf->args->elts;

    iscf->tunnel = ngx_inlets_registry_add(cf, &value[1], 0);
    if (iscf->tunnel == NULL) {
        return NGX_CONF_ERROR;
    }

    cscf->handler = ngx_stream_inlets_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_inlets_init(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_stream_core_srv_conf_t    **cscfp;
    ngx_stream_core_main_conf_t    *cmcf;
    ngx_stream_inlets_srv_conf_t   *iscf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        iscf = cscfp[i]->ctx->srv_conf[ngx_stream_inlets_module.ctx_index];

        if (iscf->tunnel && cscfp[i]->handler != ngx_stream_inlets_handler) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"inlets_tunnel\" conflicts with another directive "
                          "of the server in %s:%ui that answers visitors, "
                          "such as proxy_pass or return",
                          cscfp[i]->file_name, cscfp[i]->line);
            return NGX_ERROR;
        }
    }

    if (ngx_stream_inlets_add_ports(cf, cmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_inlets_registry_check(cf->cycle);
}


#if (nginx_version >= 1025005)

static ngx_int_t
ngx_stream_inlets_add_ports(ngx_conf_t *cf, ngx_stream_core_main_conf_t *cmcf)
{
    ngx_uint_t                    p, a, s;
    ngx_stream_conf_addr_t       *addr;
    ngx_stream_conf_port_t       *port;
    ngx_stream_core_srv_conf_t  **cscfp;

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            cscfp = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                if (ngx_stream_inlets_add_port(cf, cscfp[s]->ctx,
                                               addr[a].opt.sockaddr,
                                               addr[a].opt.type,
                                               &addr[a].opt.addr_text)
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}

#else

static ngx_int_t
ngx_stream_inlets_add_ports(ngx_conf_t *cf, ngx_stream_core_main_conf_t *cmcf)
{
    ngx_uint_t            i;
    ngx_stream_listen_t  *ls;

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {

        if (ngx_stream_inlets_add_port(cf, ls[i].ctx, ls[i].sockaddr,
                                       ls[i].type, &ls[i].addr_text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_stream_inlets_add_port(ngx_conf_t *cf, ngx_stream_conf_ctx_t *ctx,
    struct sockaddr *sa, int type, ngx_str_t *addr_text)
{
    ngx_stream_inlets_srv_conf_t  *iscf;

    iscf = ctx->srv_conf[ngx_stream_inlets_module.ctx_index];

    if (iscf->tunnel == NULL) {
        return NGX_OK;
    }

    if (type != SOCK_STREAM || ngx_inet_get_port(sa) == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"inlets_tunnel\" in a server that listens on \"%V\"%s: "
                      "tunnels are TCP ports, use \"listen 20000;\" "
                      "or \"listen 20000-20099;\"",
                      addr_text, (type == SOCK_STREAM) ? "" : " udp");
        return NGX_ERROR;
    }

    return ngx_inlets_registry_add_port(cf, iscf->tunnel,
                                        ngx_inet_get_port(sa));
}
