
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_settings_file.h"
#include "ngx_inlets_zones.h"


/*
 * Every worker looks at the file's state.  That sees what inotify doesn't
 * (symbolic links on the way, network file systems), and what it would see as
 * parts: a change is only read when two looks in a row have found the same.
 */

#define NGX_INLETS_SETTINGS_INTERVAL  250
#define NGX_INLETS_SETTINGS_PATIENCE  4       /* looks at what keeps changing */
#define NGX_INLETS_SETTINGS_TEXT      1500    /* of a line in the log */


typedef struct {
    ngx_queue_t                  queue;
    ngx_inlets_settings_pt       handler;     /* NULL: unsubscribed */
    void                        *data;
} ngx_inlets_settings_subscriber_t;


static ngx_int_t ngx_inlets_settings_watch(ngx_inlets_settings_file_t *file,
    ngx_cycle_t *cycle);
static uint64_t ngx_inlets_settings_now(ngx_inlets_settings_file_t *file);
static void ngx_inlets_settings_handler(ngx_event_t *ev);
static void ngx_inlets_settings_reload(ngx_inlets_settings_file_t *file,
    ngx_log_t *log);
static void ngx_inlets_settings_swap(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log);
static void ngx_inlets_settings_swapped(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log);
static void ngx_inlets_settings_compare(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_t *old, ngx_log_t *log);
static void ngx_inlets_settings_reject(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log);
static void ngx_inlets_settings_rejected(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log);
static void ngx_inlets_settings_tell(ngx_inlets_settings_file_t *file);
static ngx_uint_t ngx_inlets_settings_elect(ngx_inlets_settings_file_t *file,
    uint64_t hash, uint64_t state);
static ngx_uint_t ngx_inlets_settings_differ(ngx_str_t *a, ngx_str_t *b);


ngx_int_t
ngx_inlets_settings_init_worker(ngx_cycle_t *cycle)
{
    ngx_inlets_zones_t           zones;
    ngx_inlets_settings_file_t  *file;

    ngx_inlets_zones_init(&zones, cycle, (void *) &ngx_inlets_settings_keys);

    for ( ;; ) {
        file = ngx_inlets_zones_next(&zones);

        if (file == NULL) {
            return NGX_OK;
        }

        if (ngx_inlets_settings_watch(file, cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_inlets_settings_watch(ngx_inlets_settings_file_t *file,
    ngx_cycle_t *cycle)
{
    uint64_t   hash;
    ngx_fd_t   fd;
    ngx_err_t  err;

    file->dummy.fd = (ngx_socket_t) -1;
    file->dummy.data = file;

    file->event.handler = ngx_inlets_settings_handler;
    file->event.data = &file->dummy;
    file->event.log = cycle->log;
    file->event.cancelable = 1;

    ngx_add_timer(&file->event, NGX_INLETS_SETTINGS_INTERVAL);

    if (ngx_inlets_settings_now(file) != file->state) {

        /* a worker in place of one that died: the master knows no changes */

        ngx_inlets_settings_reload(file, cycle->log);
    }

    /* the master has read it; as another user it may not be to be read */

    fd = ngx_open_file(file->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        ngx_close_file(fd);
        return NGX_OK;
    }

    err = ngx_errno;

    if (err == NGX_EACCES) {
        hash = 0;
        ngx_inlets_settings_hash(&hash, "access", 6);

        if (ngx_inlets_settings_elect(file, hash, file->configured)) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, err,
                          "worker processes can't read settings file \"%V\": "
                          "a change will only be seen by a reload",
                          &file->path);
        }
    }

    return NGX_OK;
}


/* The state of all its files. */

static uint64_t
ngx_inlets_settings_now(ngx_inlets_settings_file_t *file)
{
    uint64_t     state;
    ngx_str_t   *source;
    ngx_uint_t   i;

    state = 0;
    ngx_inlets_settings_look(&file->path, &state);

    source = file->sources.elts;

    for (i = 0; i < file->sources.nelts; i++) {
        ngx_inlets_settings_look(&source[i], &state);
    }

    return state;
}


static void
ngx_inlets_settings_handler(ngx_event_t *ev)
{
    uint64_t                     state;
    ngx_connection_t            *c;
    ngx_inlets_settings_file_t  *file;

    c = ev->data;
    file = c->data;

    state = ngx_inlets_settings_now(file);

    if (state == file->state) {
        file->waited = 0;

    } else if (file->waited && (state == file->candidate
               || file->waited >= NGX_INLETS_SETTINGS_PATIENCE))
    {
        file->waited = 0;
        ngx_inlets_settings_reload(file, ev->log);

    } else {
        file->candidate = state;
        file->waited++;
    }

    ngx_add_timer(ev, NGX_INLETS_SETTINGS_INTERVAL);
}


static void
ngx_inlets_settings_reload(ngx_inlets_settings_file_t *file, ngx_log_t *log)
{
    ngx_inlets_settings_load_t  load;

    if (ngx_inlets_settings_load(&file->path, &file->overrides, log, &load)
        != NGX_OK) {
        return;
    }

    if (load.unstable) {
        ngx_destroy_pool(load.pool);
        return;
    }

    if (load.hash == file->hash && load.sources.nelts == file->sources.nelts) {

        /* touched, or replaced by the same */

        file->state = load.state;
        ngx_destroy_pool(load.pool);
        return;
    }

    if (load.settings) {
        ngx_inlets_settings_swap(file, &load, log);
        return;
    }

    ngx_inlets_settings_reject(file, &load, log);
}


static void
ngx_inlets_settings_swap(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log)
{
    ngx_pool_t             *rejected;
    ngx_inlets_settings_t  *old;

    old = file->settings;
    rejected = file->rejected;

    file->settings = load->settings;
    file->sources = load->sources;
    file->rejected = NULL;
    file->hash = load->hash;
    file->state = load->state;

    ngx_shmtx_lock(&file->shpool->mutex);
    file->sh->good = load->hash;
    ngx_shmtx_unlock(&file->shpool->mutex);

    if (ngx_inlets_settings_elect(file, load->hash, load->state)) {
        ngx_inlets_settings_swapped(file, load, log);
        ngx_inlets_settings_compare(file, old, log);
    }

    ngx_inlets_settings_tell(file);

    if (rejected) {
        ngx_destroy_pool(rejected);
    }

    ngx_destroy_pool(old->pool);
}


static void
ngx_inlets_settings_swapped(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log)
{
    ngx_str_t             *text;
    ngx_uint_t             i;
    struct inlets_notice   notice;

    ngx_log_error(NGX_LOG_NOTICE, log, 0,
                  "settings file \"%V\" read again, clients: %ui",
                  &file->path, load->settings->nclients);

    text = load->warnings.elts;

    for (i = 0; i < load->warnings.nelts; i++) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "%V", &text[i]);
    }

    ngx_memzero(&notice, sizeof(struct inlets_notice));

    notice.event = INLETS_NOTICE_SETTINGS_RELOADED;
    notice.count = load->settings->nclients;
    ngx_inlets_notify_text(&notice.path, &file->path);

    ngx_inlets_notify(file, &notice);
}


static void
ngx_inlets_settings_compare(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_t *old, ngx_log_t *log)
{
    ngx_inlets_settings_t  *s;

    s = file->settings;

    if (ngx_inlets_settings_differ(&s->domain, &old->domain)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"domain\" in settings file \"%V\" has changed, this "
                      "needs a reload", &file->path);
    }

    if (s->port != old->port || s->tcp_port != old->tcp_port) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "\"%s\" in settings file \"%V\" has changed, this needs "
                      "another \"listen\" and a reload",
                      (s->port != old->port) ? "port" : "tcpPort",
                      &file->path);
    }
}


static void
ngx_inlets_settings_reject(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log)
{
    uint64_t  state;

    state = load->state;

    if (load->missing) {

        /* which has no state of its own, so add the last one */

        ngx_inlets_settings_hash(&state, &file->state, sizeof(uint64_t));
    }

    if (ngx_inlets_settings_elect(file, load->hash, state)) {
        ngx_inlets_settings_rejected(file, load, log);
    }

    if (file->sh->good != file->settings->version) {

        /* in place of one that died, or good for less than two looks */

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "worker process has never seen the settings that others "
                      "took from \"%V\", older ones are in force in it until "
                      "the file is good", &file->path);
    }

    if (file->rejected) {
        ngx_destroy_pool(file->rejected);
    }

    file->rejected = load->pool;
    file->sources = load->sources;
    file->hash = load->hash;
    file->state = load->state;
}


static void
ngx_inlets_settings_rejected(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_load_t *load, ngx_log_t *log)
{
    u_char                *p, *last, buf[NGX_INLETS_SETTINGS_TEXT];
    ngx_str_t             *text;
    ngx_uint_t             i;
    struct inlets_notice   notice;

    text = load->faults.elts;
    last = buf + NGX_INLETS_SETTINGS_TEXT - sizeof("; and 50 more");
    p = buf;

    for (i = 0; i < load->faults.nelts; i++) {

        if (i && (size_t) (last - p) < text[i].len + 2) {
            last = buf + NGX_INLETS_SETTINGS_TEXT;
            p = ngx_slprintf(p, last, "; and %ui more",
                             load->faults.nelts - i);
            break;
        }

        p = ngx_slprintf(p, last, "%s%V", i ? "; " : "", &text[i]);
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "settings file \"%V\" rejected, the old settings stay in "
                  "force: %*s", &file->path, (size_t) (p - buf), buf);

    ngx_memzero(&notice, sizeof(struct inlets_notice));

    notice.event = INLETS_NOTICE_SETTINGS_REJECTED;
    notice.reason.data = (const char *) buf;
    notice.reason.len = p - buf;
    ngx_inlets_notify_text(&notice.path, &file->path);

    ngx_inlets_notify(file, &notice);
}


/*
 * Whether this worker is the first to tell of it.  Another one may have read
 * the same content in a later state of the file, or is already ahead.
 */

static ngx_uint_t
ngx_inlets_settings_elect(ngx_inlets_settings_file_t *file, uint64_t hash,
    uint64_t state)
{
    size_t                        n;
    uint64_t                      key;
    ngx_uint_t                    i, first;
    ngx_inlets_settings_shctx_t  *sh;

    sh = file->sh;
    n = sizeof(sh->told) / sizeof(sh->told[0]);

    key = hash;
    ngx_inlets_settings_hash(&key, &state, sizeof(uint64_t));

    ngx_shmtx_lock(&file->shpool->mutex);

    for (i = 0; i < n; i++) {
        if (sh->told[i] == key) {
            break;
        }
    }

    first = (i == n && hash != sh->hash);

    if (i == n) {
        sh->told[sh->next] = key;
        sh->next = (sh->next + 1) % n;
        sh->hash = hash;
    }

    ngx_shmtx_unlock(&file->shpool->mutex);

    return first;
}


static ngx_uint_t
ngx_inlets_settings_differ(ngx_str_t *a, ngx_str_t *b)
{
    return a->len != b->len
           || (a->len && ngx_memcmp(a->data, b->data, a->len) != 0);
}


ngx_int_t
ngx_inlets_settings_subscribe(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_pt handler, void *data)
{
    ngx_inlets_settings_subscriber_t  *subscriber;

    subscriber = ngx_alloc(sizeof(ngx_inlets_settings_subscriber_t),
                           ngx_cycle->log);
    if (subscriber == NULL) {
        return NGX_ERROR;
    }

    subscriber->handler = handler;
    subscriber->data = data;

    ngx_queue_insert_tail(&file->subscribers, &subscriber->queue);

    return NGX_OK;
}


void
ngx_inlets_settings_unsubscribe(ngx_inlets_settings_file_t *file,
    ngx_inlets_settings_pt handler, void *data)
{
    ngx_queue_t                       *q;
    ngx_inlets_settings_subscriber_t  *subscriber;

    for (q = ngx_queue_head(&file->subscribers);
         q != ngx_queue_sentinel(&file->subscribers);
         q = ngx_queue_next(q))
    {
        subscriber = ngx_queue_data(q, ngx_inlets_settings_subscriber_t,
                                    queue);

        if (subscriber->handler != handler || subscriber->data != data) {
            continue;
        }

        if (file->telling) {
            subscriber->handler = NULL;
            return;
        }

        ngx_queue_remove(q);
        ngx_free(subscriber);
        return;
    }
}


static void
ngx_inlets_settings_tell(ngx_inlets_settings_file_t *file)
{
    ngx_queue_t                       *q, *next;
    ngx_inlets_settings_subscriber_t  *subscriber;

    file->telling = 1;

    for (q = ngx_queue_head(&file->subscribers);
         q != ngx_queue_sentinel(&file->subscribers);
         q = ngx_queue_next(q))
    {
        subscriber = ngx_queue_data(q, ngx_inlets_settings_subscriber_t,
                                    queue);

        if (subscriber->handler) {
            subscriber->handler(subscriber->data, file);
        }
    }

    file->telling = 0;

    for (q = ngx_queue_head(&file->subscribers);
         q != ngx_queue_sentinel(&file->subscribers);
         q = next)
    {
        next = ngx_queue_next(q);
        subscriber = ngx_queue_data(q, ngx_inlets_settings_subscriber_t,
                                    queue);

        if (subscriber->handler == NULL) {
            ngx_queue_remove(q);
            ngx_free(subscriber);
        }
    }
}
