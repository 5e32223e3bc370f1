
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_http_inlets_link.h"
#include "ngx_http_inlets_policy.h"
#include "ngx_inlets_key.h"
#include "inlets_name.h"
#include "inlets_protocol.h"
#include "inlets_sign.h"
#include "inlets_ws.h"


#define NGX_HTTP_INLETS_LINK_TX  (256 * 1024)


struct ngx_http_inlets_link_s {
    ngx_inlets_id_t              id;
    ngx_http_inlets_loc_conf_t  *conf;
    ngx_inlets_session_t        *session;
    ngx_http_inlets_watch_t      watch;      /* of the settings */
    ngx_uint_t                   added;      /* to its tunnel */
};


static ngx_int_t ngx_http_inlets_link_arg(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_http_inlets_link_allowed(
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_found_t *found);
static ngx_int_t ngx_http_inlets_link_check_key(ngx_http_request_t *r,
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_id_t *id);
static void ngx_http_inlets_link_drain(ngx_inlets_session_t *session);
static void ngx_http_inlets_link_check(ngx_inlets_session_t *session);
static void ngx_http_inlets_link_leaving(ngx_inlets_session_t *session);
static void ngx_http_inlets_link_changed(void *data);
static void ngx_http_inlets_link_closed(ngx_inlets_session_t *session);


ngx_int_t
ngx_http_inlets_link_create(ngx_http_request_t *r,
    ngx_http_inlets_peer_t *peer, ngx_http_inlets_link_t **ret,
    const char **text)
{
    ngx_str_t                    client_id, container_id, mux;
    ngx_uint_t                   i, n;
    ngx_inlets_id_t              id;
    ngx_inlets_found_t           found;
    ngx_http_inlets_link_t      *link;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    if (ngx_http_inlets_link_arg(r, INLETS_ARG_CLIENT_ID, &client_id)
        == NGX_ERROR
        || ngx_http_inlets_link_arg(r, INLETS_ARG_CONTAINER_ID, &container_id)
           == NGX_ERROR
        || ngx_http_inlets_link_arg(r, INLETS_ARG_MUX, &mux) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (client_id.len == 0 || container_id.len == 0) {
        *text = INLETS_DATA_MISSING;
        return NGX_HTTP_BAD_REQUEST;
    }

    if (inlets_uuid_parse((char *) container_id.data, container_id.len,
                          id.data)
        != INLETS_OK
        || ngx_inlets_registry_find_id(ilcf->connect, &id, &found) != NGX_OK)
    {
        *text = INLETS_DATA_NOT_FOUND;
        return NGX_HTTP_NOT_FOUND;
    }

    if (!inlets_sign_equal(client_id.data, client_id.len, found.client_id,
                           found.client_id_len))
    {
        *text = INLETS_DATA_MISMATCH;
        return NGX_HTTP_FORBIDDEN;
    }

    if (found.keyed && ngx_http_inlets_link_check_key(r, ilcf, &id) != NGX_OK) {
        *text = "the link shows no key of its session, or a wrong one";
        return NGX_HTTP_FORBIDDEN;
    }

    if (!ngx_http_inlets_link_allowed(ilcf, &found)) {
        *text = "client is no longer allowed";
        return NGX_HTTP_FORBIDDEN;
    }

    /* data channels of plain version 2, one a stream, branch off here */

    if (mux.len != 1 || mux.data[0] != '1') {
        *text = "data channels without mux=1 are not supported";
        return NGX_HTTP_NOT_IMPLEMENTED;
    }

    if (found.newer) {

        /*
         * There has been a reload: this worker is about to leave, and would
         * have nobody to tell, for the monitor stays.
         */

        *text = "worker is shutting down, try again";
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    for (i = 0, n = 0; i < found.nplaces; i++) {
        n += found.places[i].links;
    }

    if (n >= ilcf->max_links) {
        *text = "tunnel has as many links as it may have";
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    link = ngx_pcalloc(r->connection->pool, sizeof(ngx_http_inlets_link_t));
    if (link == NULL) {
        return NGX_ERROR;
    }

    link->id = id;
    link->conf = ilcf;

    inlets_uuid_format(id.data, (char *) peer->id);

    *ret = link;

    return NGX_OK;
}


static ngx_int_t
ngx_http_inlets_link_check_key(ngx_http_request_t *r,
    ngx_http_inlets_loc_conf_t *ilcf, ngx_inlets_id_t *id)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_DECLINED;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len == sizeof(INLETS_MUX_KEY_HEADER) - 1
            && ngx_strcasecmp(header[i].key.data,
                              (u_char *) INLETS_MUX_KEY_HEADER)
               == 0)
        {
            return ngx_inlets_link_key_check(ilcf->connect, id,
                                             &header[i].value);
        }
    }
}


/* What the tunnel's identity may have now, whatever it was at its login. */

static ngx_uint_t
ngx_http_inlets_link_allowed(ngx_http_inlets_loc_conf_t *ilcf,
    ngx_inlets_found_t *found)
{
    u_char                     text[256];
    ngx_http_inlets_holding_t  holding;

    ngx_memzero(&holding, sizeof(ngx_http_inlets_holding_t));

    holding.auth = found->auth;
    holding.type = found->type;
    holding.client_id.data = found->client_id;
    holding.client_id.len = found->client_id_len;
    holding.label.data = found->label;
    holding.label.len = found->label_len;
    holding.port = found->port;

    return ngx_http_inlets_policy(ilcf, &holding, text, sizeof(text))
           == NGX_OK;
}


/* Percent-decoded; empty when it isn't there. */

static ngx_int_t
ngx_http_inlets_link_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char     *src, *dst;
    ngx_str_t   arg;

    ngx_str_null(value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK
        || arg.len == 0)
    {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, arg.len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    src = arg.data;
    dst = value->data;

    ngx_unescape_uri(&dst, &src, arg.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


void
ngx_http_inlets_link_start(ngx_connection_t *c, void *data, u_char *early,
    size_t len)
{
    ngx_http_inlets_link_t *link = data;

    ngx_int_t                    rc;
    ngx_msec_t                   timeout;
    ngx_inlets_session_t        *session;
    struct inlets_mux_conf       conf;
    ngx_http_inlets_loc_conf_t  *ilcf;

    ilcf = link->conf;

    ngx_memzero(&conf, sizeof(struct inlets_mux_conf));

    conf.carrier = INLETS_MUX_WS_SERVER;
    conf.max_streams = (uint32_t) ilcf->max_streams;
    conf.window_max = (uint32_t) ngx_max(ilcf->window, INLETS_MUX_WINDOW);
    conf.window_total = ilcf->link_window;
    conf.tx_max = NGX_HTTP_INLETS_LINK_TX;

    session = ngx_inlets_session_create(c, &conf);

    if (session == NULL) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0, "link could not be created");
        ngx_http_close_connection(c);
        return;
    }

    session->data = link;
    session->closed = ngx_http_inlets_link_closed;
    session->drain = ngx_http_inlets_link_drain;
    session->check = ngx_http_inlets_link_check;
    session->leaving = ngx_http_inlets_link_leaving;

    ngx_http_inlets_policy_heartbeat(ilcf, &session->timeout, &timeout);

    link->session = session;
    link->watch.changed = ngx_http_inlets_link_changed;
    link->watch.data = link;

    rc = (ngx_http_inlets_watch_link(ilcf, &link->watch) == NGX_OK)
         ? ngx_inlets_tunnel_add_link(ilcf->connect, &link->id, session)
         : NGX_ERROR;

    if (rc != NGX_OK) {

        /* the tunnel ended, or another link came in between */

        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "link refused after its handshake: %s",
                      rc == NGX_BUSY ? "too many links" : "no such tunnel");

        ngx_inlets_session_close(session, INLETS_WS_CLOSE_POLICY,
                                 "link refused");
        return;
    }

    link->added = 1;

    /* for the graceful exit of this worker: see drain() */

    c->idle = 1;

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "link opened");

    (void) ngx_inlets_session_start(session, early, len);
}


/* The client opens new links elsewhere and closes this one, see "drain". */

static void
ngx_http_inlets_link_drain(ngx_inlets_session_t *session)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, session->connection->log, 0,
                   "inlets link drain, streams: %uD",
                   inlets_mux_streams(session->mux));
}


/*
 * When the monitor is in another worker, nothing tells this one that the
 * tunnel has ended; a client that is alive closes its links, but it may not be.
 */

static void
ngx_http_inlets_link_check(ngx_inlets_session_t *session)
{
    ngx_inlets_found_t       found;
    ngx_http_inlets_link_t  *link;

    link = session->data;

    if (ngx_inlets_registry_find_id(link->conf->connect, &link->id, &found)
        == NGX_DECLINED
        || !ngx_http_inlets_link_allowed(link->conf, &found))
    {
        ngx_log_error(NGX_LOG_INFO, session->connection->log, 0,
                      "link closed, its tunnel has ended");

        ngx_inlets_session_close(session, INLETS_WS_CLOSE_GOING_AWAY,
                                 "tunnel has ended");
    }
}


static void
ngx_http_inlets_link_leaving(ngx_inlets_session_t *session)
{
    ngx_http_inlets_link_t  *link;

    link = session->data;

    ngx_log_error(NGX_LOG_INFO, session->connection->log, 0,
                  "link is leaving, streams: %uD",
                  inlets_mux_streams(session->mux));

    if (link->added) {
        ngx_inlets_tunnel_leave_link(&link->id, session);
    }
}


static void
ngx_http_inlets_link_changed(void *data)
{
    ngx_msec_t               timeout;
    ngx_http_inlets_link_t  *link;

    link = data;

    ngx_http_inlets_policy_heartbeat(link->conf, &link->session->timeout,
                                     &timeout);

    ngx_http_inlets_link_check(link->session);
}


static void
ngx_http_inlets_link_closed(ngx_inlets_session_t *session)
{
    ngx_http_inlets_link_t  *link;

    link = session->data;

    ngx_http_inlets_watch_end(&link->watch);

    if (!link->added) {
        return;
    }

    link->added = 0;

    ngx_log_error(NGX_LOG_INFO, session->connection->log, 0, "link closed");

    ngx_inlets_tunnel_delete_link(&link->id, session);
}
