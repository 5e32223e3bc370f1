
/*
 * Copyright (C) inlets for nginx contributors
 */


/*
 * inlets_status: the counters of a zone as JSON, or as text for Prometheus.
 *
 * The answer is made in pieces of one buffer, each when the one before has been
 * sent; the rows for it are copied out of the zone a few at a time.  So neither
 * its memory nor how long the zone is locked depends on how many there are.
 */


#include "ngx_http_inlets.h"
#include "inlets_name.h"
#include "inlets_version.h"


#define NGX_HTTP_INLETS_STATUS_BUF   32768
#define NGX_HTTP_INLETS_STATUS_ROOM  16384  /* more than any one row needs */
#define NGX_HTTP_INLETS_STATUS_ROWS  8
#define NGX_HTTP_INLETS_STATUS_ZONE  64     /* of a zone's name */


typedef enum {
    NGX_HTTP_INLETS_ZONE = 0,
    NGX_HTTP_INLETS_WORKER,
    NGX_HTTP_INLETS_CLIENT,
    NGX_HTTP_INLETS_TUNNEL
} ngx_http_inlets_scope_e;


typedef struct ngx_http_inlets_status_s  ngx_http_inlets_status_t;

typedef u_char *(*ngx_http_inlets_status_pt)(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);


/* A part of the answer: what is written once, and for each row. */

typedef struct {
    ngx_http_inlets_scope_e      scope;
    ngx_http_inlets_status_pt    head;
    ngx_http_inlets_status_pt    row;
    const char                  *tail;
    const char                  *name;        /* of a metric */
    const char                  *help;
    size_t                       offset;      /* of its value */
    size_t                       size;
    unsigned                     gauge:1;
} ngx_http_inlets_part_t;


struct ngx_http_inlets_status_s {
    ngx_inlets_registry_t       *registry;
    ngx_str_t                    zone;

    ngx_http_inlets_part_t      *part;
    ngx_uint_t                   started;     /* the part was */
    ngx_uint_t                   done;
    ngx_uint_t                   written;     /* rows of the part */

    ngx_uint_t                   i;
    ngx_uint_t                   n;

    union {
        ngx_inlets_zone_row_t    zone[1];
        ngx_inlets_worker_row_t  workers[NGX_HTTP_INLETS_STATUS_ROWS];
        ngx_inlets_client_row_t  clients[NGX_HTTP_INLETS_STATUS_ROWS];
        ngx_inlets_tunnel_row_t  tunnels[NGX_HTTP_INLETS_STATUS_ROWS];
    } rows;

    ngx_buf_t                   *buf;
    ngx_chain_t                  out;
};


static ngx_int_t ngx_http_inlets_status_not_allowed(ngx_http_request_t *r);
static ngx_int_t ngx_http_inlets_status_format(ngx_http_request_t *r,
    ngx_http_inlets_part_t **part);
static ngx_int_t ngx_http_inlets_status_send(ngx_http_request_t *r,
    ngx_http_inlets_status_t *st);
static void ngx_http_inlets_status_write_handler(ngx_http_request_t *r);
static void ngx_http_inlets_status_cleanup(void *data);
static ngx_int_t ngx_http_inlets_status_wait(ngx_http_request_t *r);
static void ngx_http_inlets_status_fill(ngx_http_inlets_status_t *st);
static ngx_uint_t ngx_http_inlets_status_next(ngx_http_inlets_status_t *st);

static u_char *ngx_http_inlets_json_begin(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_list(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_zone(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_worker(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_client(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_tunnel(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_json_string(u_char *p, u_char *last,
    u_char *data, size_t len);
static u_char *ngx_http_inlets_json_counters(u_char *p, u_char *last,
    ngx_inlets_counters_t *c);
static u_char *ngx_http_inlets_json_limit(u_char *p, u_char *last,
    ngx_inlets_limit_t *limit);

static u_char *ngx_http_inlets_metric_head(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_row(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_info(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_links(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_name(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_labels(ngx_http_inlets_status_t *st,
    u_char *p, u_char *last);
static u_char *ngx_http_inlets_metric_escape(u_char *p, u_char *last,
    u_char *data, size_t len);


#define ngx_http_inlets_json(scope, head, row, tail)                          \
    { NGX_HTTP_INLETS_##scope, ngx_http_inlets_json_##head,                   \
      ngx_http_inlets_json_##row, tail, #row "s", NULL, 0, 0, 0 }


static ngx_http_inlets_part_t  ngx_http_inlets_json_parts[] = {

    ngx_http_inlets_json(ZONE, begin, zone, ""),
    ngx_http_inlets_json(WORKER, list, worker, "]"),
    ngx_http_inlets_json(CLIENT, list, client, "]"),
    ngx_http_inlets_json(TUNNEL, list, tunnel, "]}\n"),

    { 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }
};


#define ngx_http_inlets_metric(scope, type, name, field, gauge, help)         \
    { NGX_HTTP_INLETS_##scope, ngx_http_inlets_metric_head,                   \
      ngx_http_inlets_metric_row, "", name, help, offsetof(type, field),      \
      sizeof(((type *) NULL)->field), gauge }

#define ngx_http_inlets_metrics(scope, type, of)                              \
    ngx_http_inlets_metric(scope, type, "up_bytes_total", counters.up, 0,     \
                           "Bytes from visitors to clients" of),              \
    ngx_http_inlets_metric(scope, type, "down_bytes_total", counters.down, 0, \
                           "Bytes from clients to visitors" of),              \
    ngx_http_inlets_metric(scope, type, "requests_total", counters.requests,  \
                           0, "HTTP requests" of),                \
    ngx_http_inlets_metric(scope, type, "streams_total", counters.streams, 0, \
                           "Streams opened" of),                              \
    ngx_http_inlets_metric(scope, type, "errors_total", counters.errors, 0,   \
                           "Requests and connections that failed" of),        \
    ngx_http_inlets_metric(scope, type, "streams", counters.streams_now, 1,   \
                           "Streams in use" of)

#define ngx_http_inlets_since(scope, type, of)                                \
    ngx_http_inlets_metric(scope, type, "start_time_seconds",                 \
                           counters.since, 1,                                 \
                           "When counting began, Unix time" of)


static ngx_http_inlets_part_t  ngx_http_inlets_metric_parts[] = {

    { NGX_HTTP_INLETS_ZONE, ngx_http_inlets_metric_head,
      ngx_http_inlets_metric_info, "", "info",
      "The version of inlets for nginx.", 0, 0, 1 },

    ngx_http_inlets_metrics(ZONE, ngx_inlets_zone_row_t, "."),
    ngx_http_inlets_since(ZONE, ngx_inlets_zone_row_t, "."),
    ngx_http_inlets_metric(ZONE, ngx_inlets_zone_row_t, "tunnels",
                           tunnels, 1, "Registered tunnels."),
    ngx_http_inlets_metric(ZONE, ngx_inlets_zone_row_t, "clients",
                           clients, 1, "Clients that have tunnels."),
    ngx_http_inlets_metric(ZONE, ngx_inlets_zone_row_t,
                           "upload_limit_bytes", limit.upload, 1,
                           "Upload limit per second, 0: none."),
    ngx_http_inlets_metric(ZONE, ngx_inlets_zone_row_t,
                           "download_limit_bytes", limit.download, 1,
                           "Download limit per second, 0: none."),

    ngx_http_inlets_metrics(WORKER, ngx_inlets_worker_row_t,
                            ", by worker."),
    ngx_http_inlets_metric(WORKER, ngx_inlets_worker_row_t, "links", links, 1,
                           "Links, by worker."),

    ngx_http_inlets_metrics(CLIENT, ngx_inlets_client_row_t,
                            ", by client."),
    ngx_http_inlets_since(CLIENT, ngx_inlets_client_row_t, ", by client."),
    ngx_http_inlets_metric(CLIENT, ngx_inlets_client_row_t, "tunnels",
                           tunnels, 1, "Tunnels, by client."),
    ngx_http_inlets_metric(CLIENT, ngx_inlets_client_row_t,
                           "upload_limit_bytes", limit.upload, 1,
                           "Upload limit per second, 0: none, by client."),
    ngx_http_inlets_metric(CLIENT, ngx_inlets_client_row_t,
                           "download_limit_bytes", limit.download, 1,
                           "Download limit per second, 0: none, by client."),

    ngx_http_inlets_metrics(TUNNEL, ngx_inlets_tunnel_row_t,
                            ", by tunnel."),
    ngx_http_inlets_since(TUNNEL, ngx_inlets_tunnel_row_t, ", by tunnel."),

    { NGX_HTTP_INLETS_TUNNEL, ngx_http_inlets_metric_head,
      ngx_http_inlets_metric_links, "", "links",
      "Links, by tunnel and worker.", 0, 0, 1 },

    { 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0 }
};


static const char  *ngx_http_inlets_scopes[] = {
    "", "worker_", "client_", "tunnel_"
};


ngx_int_t
ngx_http_inlets_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_pool_cleanup_t          *cln;
    ngx_http_inlets_part_t      *part;
    ngx_http_inlets_status_t    *st;
    ngx_http_inlets_loc_conf_t  *ilcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_inlets_status_not_allowed(r);
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_inlets_status_format(r, &part);

    if (rc != NGX_OK) {
        return rc;
    }

    st = ngx_pcalloc(r->pool, sizeof(ngx_http_inlets_status_t));
    if (st == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_inlets_module);

    st->registry = ilcf->status;
    st->zone = *ngx_inlets_registry_name(ilcf->status);
    st->zone.len = ngx_min(st->zone.len, NGX_HTTP_INLETS_STATUS_ZONE);
    st->part = part;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    st->buf = ngx_create_temp_buf(r->pool, NGX_HTTP_INLETS_STATUS_BUF);
    if (st->buf == NULL) {
        return NGX_ERROR;
    }

    st->out.buf = st->buf;

    /* the module's context is that of the access phase */

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_inlets_status_cleanup;
    cln->data = st;

    rc = ngx_http_inlets_status_send(r, st);

    if (rc != NGX_AGAIN || st->done) {
        return rc;
    }

    r->main->count++;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_inlets_status_write_handler;

    if (ngx_http_inlets_status_wait(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_inlets_status_not_allowed(ngx_http_request_t *r)
{
    if (ngx_http_inlets_add_header(r, "Allow", "GET, HEAD") == NULL) {
        return NGX_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_http_inlets_status_format(ngx_http_request_t *r,
    ngx_http_inlets_part_t **part)
{
    ngx_str_t  value;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    *part = ngx_http_inlets_json_parts;

    if (ngx_http_arg(r, (u_char *) "format", 6, &value) == NGX_OK) {

        if (value.len == 10
            && ngx_strncmp(value.data, "prometheus", 10) == 0)
        {
            ngx_str_set(&r->headers_out.content_type,
                        "text/plain; version=0.0.4; charset=utf-8");
            *part = ngx_http_inlets_metric_parts;

        } else if (value.len != 4 || ngx_strncmp(value.data, "json", 4) != 0)
        {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "client asked for unknown status format \"%V\", "
                          "there are \"json\" and \"prometheus\"", &value);

            ngx_str_null(&r->headers_out.content_type);
            return NGX_HTTP_BAD_REQUEST;
        }
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_inlets_add_header(r, "Cache-Control", "no-store")
           ? NGX_OK : NGX_ERROR;
}


/* NGX_AGAIN and not done: the buffer has to go out first. */

static ngx_int_t
ngx_http_inlets_status_send(ngx_http_request_t *r,
    ngx_http_inlets_status_t *st)
{
    ngx_int_t   rc;
    ngx_buf_t  *b;

    b = st->buf;

    for ( ;; ) {
        b->pos = b->start;
        b->last = b->start;

        ngx_http_inlets_status_fill(st);

        b->flush = 1;
        b->last_buf = st->done && r == r->main;
        b->last_in_chain = st->done;

        st->out.next = NULL;

        rc = ngx_http_output_filter(r, &st->out);

        if (rc == NGX_ERROR || st->done) {
            return rc;
        }

        if (rc == NGX_AGAIN || b->pos != b->last) {
            return NGX_AGAIN;
        }
    }
}


static void
ngx_http_inlets_status_write_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_pool_cleanup_t        *cln;
    ngx_http_inlets_status_t  *st;

    c = r->connection;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0, "inlets status write");

    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    for (cln = r->pool->cleanup;
         cln->handler != ngx_http_inlets_status_cleanup;
         cln = cln->next)
    {
        /* void */
    }

    st = cln->data;
    rc = NGX_AGAIN;

    if (!c->write->delayed) {
        rc = ngx_http_output_filter(r, NULL);

        if (rc == NGX_OK) {
            rc = (st->buf->pos == st->buf->last)
                 ? ngx_http_inlets_status_send(r, st) : NGX_AGAIN;
        }
    }

    if (rc == NGX_AGAIN && !st->done) {

        if (ngx_http_inlets_status_wait(r) == NGX_OK) {
            return;
        }

        rc = NGX_ERROR;
    }

    ngx_http_finalize_request(r, rc);
}


/* By it the status of a request is found. */

static void
ngx_http_inlets_status_cleanup(void *data)
{
}


static ngx_int_t
ngx_http_inlets_status_wait(ngx_http_request_t *r)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


static void
ngx_http_inlets_status_fill(ngx_http_inlets_status_t *st)
{
    ngx_buf_t               *b;
    ngx_http_inlets_part_t  *part;

    b = st->buf;

    while (b->end - b->last >= NGX_HTTP_INLETS_STATUS_ROOM) {
        part = st->part;

        if (part->row == NULL) {
            st->done = 1;
            return;
        }

        if (!st->started) {
            st->started = 1;
            st->written = 0;
            st->i = 0;
            st->n = 0;

            b->last = part->head(st, b->last, b->end);
        }

        if (ngx_http_inlets_status_next(st)) {
            b->last = part->row(st, b->last, b->end);
            st->written++;
            continue;
        }

        b->last = ngx_slprintf(b->last, b->end, "%s", part->tail);

        st->started = 0;
        st->part++;
    }
}


/* The next row of the part is st->rows[st->i]; 0: there are no more. */

static ngx_uint_t
ngx_http_inlets_status_next(ngx_http_inlets_status_t *st)
{
    ngx_uint_t  i, n;

    if (st->n && ++st->i < st->n) {
        return 1;
    }

    i = st->n ? st->n - 1 : 0;
    n = st->n;

    if (n && n < NGX_HTTP_INLETS_STATUS_ROWS) {

        /* the piece before was the last one */

        return 0;
    }

    switch (st->part->scope) {

    case NGX_HTTP_INLETS_ZONE:
        ngx_inlets_registry_zone_row(st->registry, st->rows.zone);
        st->n = 1;
        break;

    case NGX_HTTP_INLETS_WORKER:
        st->n = ngx_inlets_registry_walk_workers(st->registry,
                                           n ? &st->rows.workers[i] : NULL,
                                           st->rows.workers,
                                           NGX_HTTP_INLETS_STATUS_ROWS);
        break;

    case NGX_HTTP_INLETS_CLIENT:
        st->n = ngx_inlets_registry_walk_clients(st->registry,
                                           n ? &st->rows.clients[i] : NULL,
                                           st->rows.clients,
                                           NGX_HTTP_INLETS_STATUS_ROWS);
        break;

    default: /* NGX_HTTP_INLETS_TUNNEL */
        st->n = ngx_inlets_registry_walk_tunnels(st->registry,
                                           n ? &st->rows.tunnels[i] : NULL,
                                           st->rows.tunnels,
                                           NGX_HTTP_INLETS_STATUS_ROWS);
        break;
    }

    st->i = 0;

    return st->n != 0;
}


static u_char *
ngx_http_inlets_json_begin(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    p = ngx_slprintf(p, last, "{\"version\":\"" INLETS_VERSION "\","
                     "\"nginx\":\"" NGINX_VERSION "\",\"time\":%T,"
                     "\"zone\":\"", ngx_time());
    p = ngx_http_inlets_json_string(p, last, st->zone.data, st->zone.len);

    return ngx_slprintf(p, last, "\",");
}


static u_char *
ngx_http_inlets_json_list(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    return ngx_slprintf(p, last, ",\"%s\":[", st->part->name);
}


static u_char *
ngx_http_inlets_json_zone(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    ngx_inlets_zone_row_t  *row;

    row = &st->rows.zone[0];

    p = ngx_slprintf(p, last, "\"global\":{\"tunnels\":%ui,\"clients\":%ui,",
                     row->tunnels, row->clients);
    p = ngx_http_inlets_json_limit(p, last, &row->limit);
    p = ngx_http_inlets_json_counters(p, last, &row->counters);

    return ngx_slprintf(p, last, ",\"since\":%T}", row->counters.since);
}


static u_char *
ngx_http_inlets_json_worker(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    ngx_inlets_worker_row_t  *row;

    row = &st->rows.workers[st->i];

    p = ngx_slprintf(p, last, "%s{\"pid\":%P,\"links\":%ui,",
                     st->written ? "," : "", row->pid, row->links);
    p = ngx_http_inlets_json_counters(p, last, &row->counters);

    return ngx_slprintf(p, last, "}");
}


static u_char *
ngx_http_inlets_json_client(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    ngx_inlets_client_row_t  *row;

    row = &st->rows.clients[st->i];

    p = ngx_slprintf(p, last, "%s{\"clientId\":\"", st->written ? "," : "");
    p = ngx_http_inlets_json_string(p, last, row->id, row->id_len);
    p = ngx_slprintf(p, last, "\",\"tunnels\":%ui,", row->tunnels);
    p = ngx_http_inlets_json_limit(p, last, &row->limit);
    p = ngx_http_inlets_json_counters(p, last, &row->counters);

    return ngx_slprintf(p, last, ",\"since\":%T}", row->counters.since);
}


static u_char *
ngx_http_inlets_json_tunnel(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    u_char                    id[NGX_INLETS_ID_TEXT + 1];
    ngx_uint_t                i;
    ngx_inlets_found_t       *found;
    ngx_inlets_tunnel_row_t  *row;

    row = &st->rows.tunnels[st->i];
    found = &row->found;

    inlets_uuid_format(found->id.data, (char *) id);

    p = ngx_slprintf(p, last, "%s{\"id\":\"%s\",\"clientId\":\"",
                     st->written ? "," : "", id);
    p = ngx_http_inlets_json_string(p, last, found->client_id,
                                    found->client_id_len);

    if (found->type == NGX_INLETS_TCP) {
        p = ngx_slprintf(p, last, "\",\"type\":\"tcp\",\"port\":%ui",
                         (ngx_uint_t) found->port);

    } else {
        p = ngx_slprintf(p, last, "\",\"type\":\"http\",\"host\":\"");
        p = ngx_http_inlets_json_string(p, last, row->host, row->host_len);
        p = ngx_slprintf(p, last, "\"");
    }

    p = ngx_slprintf(p, last, ",\"draining\":%s,\"worker\":%P,\"links\":[",
                     found->replaced ? "true" : "false", row->pid);

    for (i = 0; i < found->nplaces; i++) {
        p = ngx_slprintf(p, last, "%s{\"worker\":%P,\"count\":%ui}",
                         i ? "," : "", found->places[i].pid,
                         found->places[i].links);
    }

    p = ngx_slprintf(p, last, "],");
    p = ngx_http_inlets_json_counters(p, last, &row->counters);

    return ngx_slprintf(p, last, ",\"since\":%T}", row->counters.since);
}


static u_char *
ngx_http_inlets_json_string(u_char *p, u_char *last, u_char *data, size_t len)
{
    size_t  escape;

    escape = (size_t) ngx_escape_json(NULL, data, len);

    if ((size_t) (last - p) < len + escape) {
        return p;
    }

    return (u_char *) ngx_escape_json(p, data, len);
}


static u_char *
ngx_http_inlets_json_counters(u_char *p, u_char *last,
    ngx_inlets_counters_t *c)
{
    return ngx_slprintf(p, last, "\"bytesUp\":%uL,\"bytesDown\":%uL,"
                        "\"requests\":%uL,\"streams\":%uL,"
                        "\"streamsNow\":%uL,\"errors\":%uL",
                        c->up, c->down, c->requests, c->streams,
                        c->streams_now, c->errors);
}


static u_char *
ngx_http_inlets_json_limit(u_char *p, u_char *last, ngx_inlets_limit_t *limit)
{
    return ngx_slprintf(p, last,
                        "\"limit\":{\"upload\":%uz,\"download\":%uz},",
                        limit->upload, limit->download);
}


static u_char *
ngx_http_inlets_metric_head(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    p = ngx_slprintf(p, last, "# HELP ");
    p = ngx_http_inlets_metric_name(st, p, last);
    p = ngx_slprintf(p, last, " %s\n# TYPE ", st->part->help);
    p = ngx_http_inlets_metric_name(st, p, last);

    return ngx_slprintf(p, last, " %s\n",
                        st->part->gauge ? "gauge" : "counter");
}


static u_char *
ngx_http_inlets_metric_row(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    u_char    *field;
    uint64_t   value;

    switch (st->part->scope) {

    case NGX_HTTP_INLETS_ZONE:
        field = (u_char *) &st->rows.zone[0];
        break;

    case NGX_HTTP_INLETS_WORKER:
        field = (u_char *) &st->rows.workers[st->i];
        break;

    case NGX_HTTP_INLETS_CLIENT:
        field = (u_char *) &st->rows.clients[st->i];
        break;

    default: /* NGX_HTTP_INLETS_TUNNEL */
        field = (u_char *) &st->rows.tunnels[st->i];
        break;
    }

    field += st->part->offset;

    value = (st->part->size == sizeof(uint64_t)) ? *(uint64_t *) field
                                                 : *(uint32_t *) field;

    p = ngx_http_inlets_metric_name(st, p, last);
    p = ngx_http_inlets_metric_labels(st, p, last);

    return ngx_slprintf(p, last, "} %uL\n", value);
}


static u_char *
ngx_http_inlets_metric_info(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    p = ngx_http_inlets_metric_name(st, p, last);
    p = ngx_http_inlets_metric_labels(st, p, last);

    return ngx_slprintf(p, last, ",version=\"" INLETS_VERSION "\","
                        "nginx=\"" NGINX_VERSION "\"} 1\n");
}


static u_char *
ngx_http_inlets_metric_links(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    ngx_uint_t           i;
    ngx_inlets_found_t  *found;

    found = &st->rows.tunnels[st->i].found;

    for (i = 0; i < found->nplaces; i++) {
        p = ngx_http_inlets_metric_name(st, p, last);
        p = ngx_http_inlets_metric_labels(st, p, last);
        p = ngx_slprintf(p, last, ",worker=\"%P\"} %ui\n",
                         found->places[i].pid, found->places[i].links);
    }

    return p;
}


static u_char *
ngx_http_inlets_metric_name(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    return ngx_slprintf(p, last, "inlets_%s%s",
                        ngx_http_inlets_scopes[st->part->scope],
                        st->part->name);
}


/* Without the closing brace. */

static u_char *
ngx_http_inlets_metric_labels(ngx_http_inlets_status_t *st, u_char *p,
    u_char *last)
{
    u_char                    id[NGX_INLETS_ID_TEXT + 1];
    ngx_inlets_client_row_t  *client;
    ngx_inlets_tunnel_row_t  *tunnel;

    p = ngx_slprintf(p, last, "{zone=\"");
    p = ngx_http_inlets_metric_escape(p, last, st->zone.data, st->zone.len);
    p = ngx_slprintf(p, last, "\"");

    switch (st->part->scope) {

    case NGX_HTTP_INLETS_ZONE:
        return p;

    case NGX_HTTP_INLETS_WORKER:
        return ngx_slprintf(p, last, ",worker=\"%P\"",
                            st->rows.workers[st->i].pid);

    case NGX_HTTP_INLETS_CLIENT:
        client = &st->rows.clients[st->i];

        p = ngx_slprintf(p, last, ",client_id=\"");
        p = ngx_http_inlets_metric_escape(p, last, client->id,
                                          client->id_len);
        return ngx_slprintf(p, last, "\"");

    default: /* NGX_HTTP_INLETS_TUNNEL */
        tunnel = &st->rows.tunnels[st->i];
        break;
    }

    inlets_uuid_format(tunnel->found.id.data, (char *) id);

    p = ngx_slprintf(p, last, ",tunnel=\"%s\",client_id=\"", id);
    p = ngx_http_inlets_metric_escape(p, last, tunnel->found.client_id,
                                      tunnel->found.client_id_len);

    if (tunnel->found.type == NGX_INLETS_TCP) {
        return ngx_slprintf(p, last, "\",type=\"tcp\",port=\"%ui\"",
                            (ngx_uint_t) tunnel->found.port);
    }

    p = ngx_slprintf(p, last, "\",type=\"http\",host=\"");
    p = ngx_http_inlets_metric_escape(p, last, tunnel->host,
                                      tunnel->host_len);

    return ngx_slprintf(p, last, "\"");
}


static u_char *
ngx_http_inlets_metric_escape(u_char *p, u_char *last, u_char *data,
    size_t len)
{
    while (len && last - p >= 2) {

        switch (*data) {

        case '\\':
        case '"':
            *p++ = '\\';
            *p++ = *data;
            break;

        case LF:
            *p++ = '\\';
            *p++ = 'n';
            break;

        default:
            *p++ = *data;
            break;
        }

        data++;
        len--;
    }

    return p;
}
