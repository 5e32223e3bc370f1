
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_notify.h"
#include "ngx_inlets_curl.h"
#include "ngx_inlets_settings_file.h"
#include "ngx_inlets_zones.h"

#include <cjson/cJSON.h>

#include "inlets_sign.h"
#include "inlets_version.h"


#define NGX_INLETS_NOTIFY_QUEUE     256      /* notices of a worker */
#define NGX_INLETS_NOTIFY_ACTIVE    4        /* of them under way at once */
#define NGX_INLETS_NOTIFY_ATTEMPTS  4
#define NGX_INLETS_NOTIFY_BACKOFF   1000     /* ms, before the second */
#define NGX_INLETS_NOTIFY_LINGER    5000     /* ms, that a worker stays */
#define NGX_INLETS_NOTIFY_TICK      250

/* refused logins: so many within a minute are told, then none for a while */
#define NGX_INLETS_REFUSED_COUNT    5
#define NGX_INLETS_REFUSED_TIME     60
#define NGX_INLETS_REFUSED_QUIET    600
#define NGX_INLETS_REFUSED_GAP      60       /* whoever it is */


typedef struct {
    ngx_inlets_curl_t            request;
    ngx_queue_t                  queue;
    ngx_pool_t                  *pool;

    const char                  *event;
    ngx_inlets_provider_e        provider;
    ngx_uint_t                   chinese;
    ngx_str_t                    url;         /* zero-terminated */
    ngx_str_t                    host;        /* of it, for the log */
    ngx_str_t                    secret;
    ngx_str_t                    ca_file;     /* likewise */
    ngx_str_t                    body;

    /* with the signature of this attempt */

    char                        *signed_url;
    size_t                       url_size;
    char                        *signed_body;
    size_t                       body_size;
    char                         timestamp[64];
    char                         signature[128];

    ngx_uint_t                   attempts;
    ngx_msec_t                   created;
    ngx_event_t                  timer;
} ngx_inlets_notify_entry_t;


static void ngx_inlets_notify_push(ngx_inlets_notification_t *to,
    struct inlets_notice *notice, ngx_log_t *log);
static ngx_inlets_notify_entry_t *ngx_inlets_notify_create(
    ngx_inlets_notification_t *to, struct inlets_notice *notice,
    ngx_log_t *log);
static ngx_int_t ngx_inlets_notify_copy(ngx_inlets_notify_entry_t *entry,
    ngx_inlets_notification_t *to);
static u_char *ngx_inlets_notify_string(u_char *p, ngx_str_t *dst,
    ngx_str_t *src);
static void ngx_inlets_notify_host(ngx_str_t *url, ngx_str_t *host);
static void ngx_inlets_notify_next(void);
static void ngx_inlets_notify_send(ngx_inlets_notify_entry_t *entry);
static ngx_int_t ngx_inlets_notify_sign(ngx_inlets_notify_entry_t *entry);
static void ngx_inlets_notify_handler(ngx_inlets_curl_t *request);
static ngx_int_t ngx_inlets_notify_answer(ngx_inlets_notify_entry_t *entry,
    int64_t *code);
static void ngx_inlets_notify_failed(ngx_inlets_notify_entry_t *entry,
    ngx_uint_t again, const char *fmt, ...);
static void ngx_inlets_notify_retry(ngx_event_t *ev);
static void ngx_inlets_notify_done(ngx_inlets_notify_entry_t *entry);
static void ngx_inlets_notify_destroy(ngx_inlets_notify_entry_t *entry);
static void ngx_inlets_notify_hold(void);
static void ngx_inlets_notify_hold_handler(ngx_event_t *ev);

static void ngx_inlets_notify_started(ngx_inlets_settings_file_t *file);
static ngx_uint_t ngx_inlets_notify_address(u_char *buf, size_t len);
static ngx_inlets_notify_refusal_t *ngx_inlets_notify_refusal(
    ngx_inlets_notify_refusal_t *table, ngx_str_t *name);


/* of this worker */

static ngx_queue_t       ngx_inlets_notify_waiting;
static ngx_queue_t       ngx_inlets_notify_sending;
static ngx_queue_t       ngx_inlets_notify_pausing;
static ngx_uint_t        ngx_inlets_notify_queued;     /* all of them */
static ngx_uint_t        ngx_inlets_notify_active;
static ngx_uint_t        ngx_inlets_notify_dropped;
static ngx_msec_t        ngx_inlets_notify_exiting;    /* since, 0: not */
static ngx_event_t       ngx_inlets_notify_holder;
static ngx_connection_t  ngx_inlets_notify_dummy;

/* of the first cycle */
static ngx_uint_t        ngx_inlets_notify_first;


void
ngx_inlets_notify(ngx_inlets_settings_file_t *file,
    struct inlets_notice *notice)
{
    ngx_inlets_settings_t  *s;

    if (file == NULL) {
        return;
    }

    s = ngx_inlets_settings_get(file);

    if (s->notification.provider != NGX_INLETS_PROVIDER_NONE) {
        ngx_inlets_notify_push(&s->notification, notice, ngx_cycle->log);
    }
}


static void
ngx_inlets_notify_push(ngx_inlets_notification_t *to,
    struct inlets_notice *notice, ngx_log_t *log)
{
    ngx_inlets_notify_entry_t  *entry;

    if (ngx_inlets_notify_queued >= NGX_INLETS_NOTIFY_QUEUE) {

        if (ngx_inlets_notify_dropped++ == 0) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "%d notifications wait to be sent, more of them are "
                          "dropped", NGX_INLETS_NOTIFY_QUEUE);
        }

        return;
    }

    entry = ngx_inlets_notify_create(to, notice, log);

    if (entry == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "notification \"%s\" is lost",
                      inlets_notice_name(notice->event));
        return;
    }

    ngx_inlets_notify_queued++;
    ngx_queue_insert_tail(&ngx_inlets_notify_waiting, &entry->queue);

    ngx_inlets_notify_hold();
    ngx_inlets_notify_next();
}


static ngx_inlets_notify_entry_t *
ngx_inlets_notify_create(ngx_inlets_notification_t *to,
    struct inlets_notice *notice, ngx_log_t *log)
{
    int                         len;
    char                        body[INLETS_NOTICE_SIZE];
    ngx_pool_t                 *pool;
    ngx_inlets_notify_entry_t  *entry;

    notice->time = ngx_time();
    notice->offset = ngx_cached_time->gmtoff;

    len = inlets_notice_write(notice,
                              (enum inlets_notice_provider) to->provider,
                              to->chinese, body, sizeof(body));
    if (len < 0) {
        return NULL;
    }

    pool = ngx_create_pool(sizeof(ngx_inlets_notify_entry_t) + 4096, log);
    if (pool == NULL) {
        return NULL;
    }

    entry = ngx_pcalloc(pool, sizeof(ngx_inlets_notify_entry_t));
    if (entry == NULL) {
        goto failed;
    }

    entry->pool = pool;
    entry->event = inlets_notice_name(notice->event);
    entry->created = ngx_current_msec;

    entry->body.len = len;
    entry->body.data = ngx_pnalloc(pool, len + 1);

    if (entry->body.data == NULL
        || ngx_inlets_notify_copy(entry, to) != NGX_OK)
    {
        goto failed;
    }

    ngx_memcpy(entry->body.data, body, len + 1);

    entry->timer.handler = ngx_inlets_notify_retry;
    entry->timer.data = entry;
    entry->timer.log = log;
    entry->timer.cancelable = 1;

    return entry;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


/* The settings may be others when it is sent. */

static ngx_int_t
ngx_inlets_notify_copy(ngx_inlets_notify_entry_t *entry,
    ngx_inlets_notification_t *to)
{
    u_char      *p;
    ngx_pool_t  *pool;

    pool = entry->pool;

    entry->provider = to->provider;
    entry->chinese = to->chinese;

    entry->url_size = to->url.len + 256;
    entry->signed_url = ngx_pnalloc(pool, entry->url_size);
    entry->body_size = entry->body.len + 256;
    entry->signed_body = ngx_pnalloc(pool, entry->body_size);

    p = ngx_pnalloc(pool, to->url.len + to->secret.len + to->ca_file.len + 3);

    if (p == NULL || entry->signed_url == NULL || entry->signed_body == NULL) {
        return NGX_ERROR;
    }

    p = ngx_inlets_notify_string(p, &entry->url, &to->url);
    p = ngx_inlets_notify_string(p, &entry->ca_file, &to->ca_file);
    (void) ngx_inlets_notify_string(p, &entry->secret, &to->secret);

    ngx_inlets_notify_host(&entry->url, &entry->host);

    return NGX_OK;
}


static u_char *
ngx_inlets_notify_string(u_char *p, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = p;

    if (src->len) {
        p = ngx_cpymem(p, src->data, src->len);
    }

    *p++ = '\0';

    return p;
}


/* Without what may be secret: user, path, arguments. */

static void
ngx_inlets_notify_host(ngx_str_t *url, ngx_str_t *host)
{
    u_char  *p, *last;

    last = url->data + url->len;
    p = (u_char *) ngx_strstr(url->data, "://");

    p = p ? p + 3 : url->data;

    host->data = p;

    while (p < last && *p != '/' && *p != '?' && *p != '#') {

        if (*p == '@') {
            host->data = p + 1;
        }

        p++;
    }

    host->len = p - host->data;
}


static void
ngx_inlets_notify_next(void)
{
    ngx_queue_t                *q;
    ngx_inlets_notify_entry_t  *entry;

    while (ngx_inlets_notify_active < NGX_INLETS_NOTIFY_ACTIVE
           && !ngx_queue_empty(&ngx_inlets_notify_waiting))
    {
        q = ngx_queue_head(&ngx_inlets_notify_waiting);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_inlets_notify_sending, q);

        ngx_inlets_notify_active++;

        entry = ngx_queue_data(q, ngx_inlets_notify_entry_t, queue);

        ngx_inlets_notify_send(entry);
    }
}


static void
ngx_inlets_notify_send(ngx_inlets_notify_entry_t *entry)
{
    ngx_log_t          *log;
    ngx_inlets_curl_t  *request;

    log = ngx_cycle->log;
    request = &entry->request;

    entry->attempts++;

    request->url = (char *) entry->url.data;
    request->ca_file = entry->ca_file.len ? (char *) entry->ca_file.data
                                          : NULL;
    request->body = (char *) entry->body.data;
    request->len = entry->body.len;
    request->handler = ngx_inlets_notify_handler;
    request->data = entry;

    ngx_log_debug3(NGX_LOG_DEBUG_CORE, log, 0,
                   "inlets notification \"%s\" to %V, attempt %ui",
                   entry->event, &entry->host, entry->attempts);

    if (ngx_inlets_notify_sign(entry) != NGX_OK
        || ngx_inlets_curl_post(request, log) != NGX_OK)
    {
        ngx_inlets_notify_failed(entry, 0, "the request can't be made");
    }
}


static ngx_int_t
ngx_inlets_notify_sign(ngx_inlets_notify_entry_t *entry)
{
    int                 rc;
    char                signature[INLETS_NOTICE_HEX + 1];
    int64_t             now;
    ngx_str_t          *secret;
    ngx_inlets_curl_t  *request;

    secret = &entry->secret;
    request = &entry->request;

    if (secret->len == 0) {
        return NGX_OK;
    }

    now = ngx_time();

    switch (entry->provider) {

    case NGX_INLETS_PROVIDER_DINGTALK:
        now = now * 1000 + ngx_cached_time->msec;

        rc = inlets_notice_sign_dingtalk(secret->data, secret->len, now,
                                         signature);
        if (rc < 0) {
            return NGX_ERROR;
        }

        rc = inlets_notice_sign_url(request->url, signature, now,
                                    entry->signed_url, entry->url_size);
        request->url = entry->signed_url;
        break;

    case NGX_INLETS_PROVIDER_FEISHU:
        rc = inlets_notice_sign_feishu(secret->data, secret->len, now,
                                       signature);
        if (rc < 0) {
            return NGX_ERROR;
        }

        rc = inlets_notice_sign_body(request->body, signature, now,
                                     entry->signed_body, entry->body_size);
        request->body = entry->signed_body;
        request->len = rc;
        break;

    case NGX_INLETS_PROVIDER_WEBHOOK:
        rc = inlets_notice_sign_webhook(secret->data, secret->len, now,
                                        request->body, signature);

        ngx_sprintf((u_char *) entry->timestamp, "X-Inlets-Timestamp: %L%Z",
                    now);

        if (rc == 0) {
            ngx_sprintf((u_char *) entry->signature,
                        "X-Inlets-Signature: sha256=%s%Z", signature);
        }

        request->headers[0] = entry->timestamp;
        request->headers[1] = entry->signature;
        break;

    default:
        rc = 0;
        break;
    }

    return rc < 0 ? NGX_ERROR : NGX_OK;
}


static void
ngx_inlets_notify_handler(ngx_inlets_curl_t *request)
{
    int64_t                     code;
    ngx_inlets_notify_entry_t  *entry;

    entry = request->data;

    if (request->error) {
        ngx_inlets_notify_failed(entry, 1, "%s", request->error);
        return;
    }

    if (request->status < 200 || request->status > 299) {
        ngx_inlets_notify_failed(entry,
                                 request->status >= 500
                                 || request->status == 408
                                 || request->status == 429,
                                 "status %ui", request->status);
        return;
    }

    if (ngx_inlets_notify_answer(entry, &code) != NGX_OK) {
        ngx_inlets_notify_failed(entry, 0, "it answered error %L", code);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "notification \"%s\" sent to %s at %V", entry->event,
                  inlets_notice_provider_name(
                      (enum inlets_notice_provider) entry->provider),
                  &entry->host);

    ngx_inlets_notify_done(entry);
}


/* These say 200 whatever happens, and in an object what did happen. */

static ngx_int_t
ngx_inlets_notify_answer(ngx_inlets_notify_entry_t *entry, int64_t *code)
{
    cJSON       *json, *item;
    const char  *name;

    switch (entry->provider) {

    case NGX_INLETS_PROVIDER_DINGTALK:
    case NGX_INLETS_PROVIDER_WECOM:
        name = "errcode";
        break;

    case NGX_INLETS_PROVIDER_FEISHU:
        name = "code";
        break;

    default:
        return NGX_OK;
    }

    *code = 0;

    json = cJSON_ParseWithLength((char *) entry->request.response,
                                 entry->request.response_len);
    item = cJSON_GetObjectItemCaseSensitive(json, name);

    if (cJSON_IsNumber(item)) {
        *code = (int64_t) ngx_max(ngx_min(item->valuedouble, 1e15), -1e15);
    }

    cJSON_Delete(json);

    return *code ? NGX_DECLINED : NGX_OK;
}


static void
ngx_inlets_notify_failed(ngx_inlets_notify_entry_t *entry, ngx_uint_t again,
    const char *fmt, ...)
{
    u_char       reason[256], *p;
    va_list      args;
    ngx_uint_t   level;
    ngx_msec_t   pause;
    const char  *provider;

    va_start(args, fmt);
    p = ngx_vslprintf(reason, reason + sizeof(reason), fmt, args);
    va_end(args);

    again = again && entry->attempts < NGX_INLETS_NOTIFY_ATTEMPTS;
    level = again ? NGX_LOG_WARN : NGX_LOG_ERR;

    provider = inlets_notice_provider_name(
                   (enum inlets_notice_provider) entry->provider);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "notification \"%s\" to %s at %V failed, attempt %ui%s: %*s",
                  entry->event, provider, &entry->host, entry->attempts,
                  again ? ", it will be retried" : "",
                  (size_t) (p - reason), reason);

    if (!again) {
        ngx_inlets_notify_done(entry);
        return;
    }

    pause = NGX_INLETS_NOTIFY_BACKOFF << (entry->attempts - 1);
    pause = pause / 2 + ngx_random() % (pause / 2 + 1);

    ngx_queue_remove(&entry->queue);
    ngx_queue_insert_tail(&ngx_inlets_notify_pausing, &entry->queue);
    ngx_inlets_notify_active--;

    ngx_add_timer(&entry->timer, pause);

    ngx_inlets_notify_next();
}


static void
ngx_inlets_notify_retry(ngx_event_t *ev)
{
    ngx_inlets_notify_entry_t  *entry;

    entry = ev->data;

    /* ahead of what came later */

    ngx_queue_remove(&entry->queue);
    ngx_queue_insert_head(&ngx_inlets_notify_waiting, &entry->queue);

    ngx_inlets_notify_next();
}


static void
ngx_inlets_notify_done(ngx_inlets_notify_entry_t *entry)
{
    ngx_uint_t                 dropped;
    struct inlets_notice       notice;
    ngx_inlets_notification_t  to;

    ngx_queue_remove(&entry->queue);

    ngx_inlets_notify_active--;
    ngx_inlets_notify_queued--;

    dropped = ngx_inlets_notify_dropped;

    if (ngx_inlets_notify_queued == 0 && dropped) {

        ngx_inlets_notify_dropped = 0;

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "notifications that were dropped: %ui", dropped);

        ngx_memzero(&notice, sizeof(struct inlets_notice));
        ngx_memzero(&to, sizeof(ngx_inlets_notification_t));

        notice.event = INLETS_NOTICE_DROPPED;
        notice.count = dropped;

        to.provider = entry->provider;
        to.chinese = entry->chinese;
        to.url = entry->url;
        to.secret = entry->secret;
        to.ca_file = entry->ca_file;

        ngx_inlets_notify_push(&to, &notice, ngx_cycle->log);
    }

    ngx_inlets_notify_destroy(entry);

    if (ngx_inlets_notify_queued == 0) {
        if (ngx_inlets_notify_holder.timer_set) {
            ngx_del_timer(&ngx_inlets_notify_holder);
        }

        return;
    }

    ngx_inlets_notify_next();
}


static void
ngx_inlets_notify_destroy(ngx_inlets_notify_entry_t *entry)
{
    if (entry->timer.timer_set) {
        ngx_del_timer(&entry->timer);
    }

    ngx_explicit_memzero(entry->url.data, entry->url.len);
    ngx_explicit_memzero(entry->secret.data, entry->secret.len);
    ngx_explicit_memzero(entry->signed_url, entry->url_size);

    ngx_destroy_pool(entry->pool);
}


/*
 * A worker that is to exit does so when no timer is left: this one keeps it for
 * as long as something may still be sent.
 */

static void
ngx_inlets_notify_hold(void)
{
    if (!ngx_inlets_notify_holder.timer_set) {
        ngx_add_timer(&ngx_inlets_notify_holder, NGX_INLETS_NOTIFY_TICK);
    }
}


static void
ngx_inlets_notify_hold_handler(ngx_event_t *ev)
{
    ngx_uint_t                  i;
    ngx_msec_t                  now, since;
    ngx_queue_t                *q, *queues[3];
    ngx_inlets_notify_entry_t  *entry;

    now = ngx_current_msec;

    if (!ngx_exiting) {
        ngx_inlets_notify_hold();
        return;
    }

    if (ngx_inlets_notify_exiting == 0) {
        ngx_inlets_notify_exiting = now;
    }

    queues[0] = &ngx_inlets_notify_waiting;
    queues[1] = &ngx_inlets_notify_sending;
    queues[2] = &ngx_inlets_notify_pausing;

    for (i = 0; i < 3; i++) {
        for (q = ngx_queue_head(queues[i]);
             q != ngx_queue_sentinel(queues[i]);
             q = ngx_queue_next(q))
        {
            entry = ngx_queue_data(q, ngx_inlets_notify_entry_t, queue);

            since = entry->created;

            if ((ngx_msec_int_t) (ngx_inlets_notify_exiting - since) > 0) {
                since = ngx_inlets_notify_exiting;
            }

            if (now - since < NGX_INLETS_NOTIFY_LINGER) {
                ngx_inlets_notify_hold();
                return;
            }
        }
    }
}


void
ngx_inlets_notify_refused(ngx_inlets_settings_file_t *file, ngx_str_t *address,
    ngx_str_t *client_id, ngx_str_t *reason)
{
    time_t                        now;
    ngx_uint_t                    count;
    struct inlets_notice          notice;
    ngx_inlets_notify_shctx_t    *sh;
    ngx_inlets_notify_refusal_t  *refusal[2];

    if (file == NULL
        || ngx_inlets_settings_get(file)->notification.provider
           == NGX_INLETS_PROVIDER_NONE)
    {
        return;
    }

    now = ngx_time();
    sh = &file->sh->notify;
    count = 0;

    ngx_shmtx_lock(&file->shpool->mutex);

    refusal[0] = ngx_inlets_notify_refusal(sh->addresses, address);
    refusal[1] = client_id->len
                 ? ngx_inlets_notify_refusal(sh->clients, client_id)
                 : refusal[0];

    if ((refusal[0]->count >= NGX_INLETS_REFUSED_COUNT
         && now - refusal[0]->told >= NGX_INLETS_REFUSED_QUIET)
        || (refusal[1]->count >= NGX_INLETS_REFUSED_COUNT
            && now - refusal[1]->told >= NGX_INLETS_REFUSED_QUIET))
    {
        if (now - sh->told >= NGX_INLETS_REFUSED_GAP) {
            count = ngx_max(refusal[0]->count, refusal[1]->count);

            refusal[0]->told = now;
            refusal[1]->told = now;
            sh->told = now;
        }
    }

    ngx_shmtx_unlock(&file->shpool->mutex);

    if (count == 0) {
        return;
    }

    ngx_memzero(&notice, sizeof(struct inlets_notice));

    notice.event = INLETS_NOTICE_LOGIN_REFUSED;
    notice.count = count;
    ngx_inlets_notify_text(&notice.address, address);
    ngx_inlets_notify_text(&notice.client, client_id);
    ngx_inlets_notify_text(&notice.reason, reason);

    ngx_inlets_notify(file, &notice);
}


/* With one more counted: its own row, or the one least recently begun. */

static ngx_inlets_notify_refusal_t *
ngx_inlets_notify_refusal(ngx_inlets_notify_refusal_t *table, ngx_str_t *name)
{
    time_t                        now;
    uint64_t                      key;
    ngx_uint_t                    i;
    ngx_inlets_notify_refusal_t  *row;

    now = ngx_time();
    key = 0;
    ngx_inlets_settings_hash(&key, name->data, name->len);

    row = &table[0];

    for (i = 0; i < NGX_INLETS_NOTIFY_REFUSALS; i++) {
        if (table[i].key == key) {
            row = &table[i];
            break;
        }

        if (table[i].since < row->since) {
            row = &table[i];
        }
    }

    if (row->key != key) {
        row->key = key;
        row->since = now;
        row->told = 0;
        row->count = 0;

    } else if (now - row->since >= NGX_INLETS_REFUSED_TIME) {
        row->since = now;
        row->count = 0;
    }

    row->count++;

    return row;
}


ngx_int_t
ngx_inlets_notify_init_module(ngx_cycle_t *cycle)
{
    ngx_inlets_notify_first = ngx_is_init_cycle(cycle->old_cycle);

    return NGX_OK;
}


ngx_int_t
ngx_inlets_notify_init_worker(ngx_cycle_t *cycle)
{
    ngx_inlets_zones_t           zones;
    ngx_inlets_settings_file_t  *file;

    if (ngx_inlets_notify_holder.handler == NULL) {
        ngx_queue_init(&ngx_inlets_notify_waiting);
        ngx_queue_init(&ngx_inlets_notify_sending);
        ngx_queue_init(&ngx_inlets_notify_pausing);

        ngx_inlets_notify_dummy.fd = (ngx_socket_t) -1;

        ngx_inlets_notify_holder.handler = ngx_inlets_notify_hold_handler;
        ngx_inlets_notify_holder.data = &ngx_inlets_notify_dummy;
        ngx_inlets_notify_holder.log = ngx_cycle->log;
    }

    ngx_inlets_zones_init(&zones, cycle, (void *) &ngx_inlets_settings_keys);

    for ( ;; ) {
        file = ngx_inlets_zones_next(&zones);

        if (file == NULL) {
            return NGX_OK;
        }

        ngx_inlets_notify_started(file);
    }
}


/* Once: not in every worker, nor in one that replaces another. */

static void
ngx_inlets_notify_started(ngx_inlets_settings_file_t *file)
{
    u_char                      address[NGX_SOCKADDR_STRLEN];
    ngx_uint_t                  started, reloaded;
    struct inlets_notice        notice;
    ngx_inlets_notify_shctx_t  *sh;

    sh = &file->sh->notify;

    ngx_shmtx_lock(&file->shpool->mutex);

    started = !sh->started && ngx_inlets_notify_first;
    sh->started = 1;

    reloaded = sh->reloaded;
    sh->reloaded = 0;

    ngx_shmtx_unlock(&file->shpool->mutex);

    ngx_memzero(&notice, sizeof(struct inlets_notice));

    if (reloaded) {
        notice.event = INLETS_NOTICE_SETTINGS_RELOADED;
        notice.count = ngx_inlets_settings_get(file)->nclients;
        ngx_inlets_notify_text(&notice.path, ngx_inlets_settings_path(file));

        ngx_inlets_notify(file, &notice);
        return;
    }

    if (!started) {
        return;
    }

    notice.event = INLETS_NOTICE_SERVER_STARTED;
    notice.version.data = INLETS_VERSION;
    notice.version.len = sizeof(INLETS_VERSION) - 1;
    notice.address.data = (const char *) address;
    notice.address.len = ngx_inlets_notify_address(address, sizeof(address));

    ngx_inlets_notify(file, &notice);
}


/*
 * The address by which this machine reaches the rest of the world: a datagram
 * socket is told where it would send to, and nothing is sent.
 */

static ngx_uint_t
ngx_inlets_notify_address(u_char *buf, size_t len)
{
    size_t           text;
    socklen_t        socklen;
    ngx_str_t        far;
    ngx_uint_t       i;
    ngx_addr_t       addr;
    ngx_pool_t      *pool;
    ngx_socket_t     s;
    ngx_sockaddr_t   local;

    static const char *const  documentation[] = { "192.0.2.1", "2001:db8::1" };

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return 0;
    }

    text = 0;

    for (i = 0; i < 2 && text == 0; i++) {

        far.data = (u_char *) documentation[i];
        far.len = ngx_strlen(far.data);

        if (ngx_parse_addr(pool, &addr, far.data, far.len) != NGX_OK) {
            continue;
        }

        ngx_inet_set_port(addr.sockaddr, 9);

        s = ngx_socket(addr.sockaddr->sa_family, SOCK_DGRAM, 0);
        if (s == (ngx_socket_t) -1) {
            continue;
        }

        socklen = sizeof(ngx_sockaddr_t);

        if (connect(s, addr.sockaddr, addr.socklen) == 0
            && getsockname(s, &local.sockaddr, &socklen) == 0)
        {
            text = ngx_sock_ntop(&local.sockaddr, socklen, buf, len, 0);
        }

        (void) ngx_close_socket(s);
    }

    ngx_destroy_pool(pool);

    return text;
}


void
ngx_inlets_notify_exit_worker(ngx_cycle_t *cycle)
{
    ngx_uint_t                  i;
    ngx_queue_t                *q, *queues[3];
    ngx_inlets_notify_entry_t  *entry;

    if (ngx_inlets_notify_holder.handler == NULL) {
        return;
    }

    if (ngx_inlets_notify_queued || ngx_inlets_notify_dropped) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "notifications that were not sent: %ui, the worker exits",
                      ngx_inlets_notify_queued + ngx_inlets_notify_dropped);
    }

    queues[0] = &ngx_inlets_notify_waiting;
    queues[1] = &ngx_inlets_notify_sending;
    queues[2] = &ngx_inlets_notify_pausing;

    for (i = 0; i < 3; i++) {
        while (!ngx_queue_empty(queues[i])) {
            q = ngx_queue_head(queues[i]);
            ngx_queue_remove(q);

            entry = ngx_queue_data(q, ngx_inlets_notify_entry_t, queue);

            ngx_inlets_curl_cancel(&entry->request);
            ngx_inlets_notify_destroy(entry);
        }
    }

    ngx_inlets_curl_finish();
}
