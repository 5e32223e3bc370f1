
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_curl.h"

#include <ngx_event.h>
#include <curl/curl.h>

#include "inlets_version.h"


#define NGX_INLETS_CURL_KEPT    4         /* idle connections */
#define NGX_INLETS_CURL_ANSWER  65536     /* longest, bytes */


static ngx_int_t ngx_inlets_curl_init(ngx_log_t *log);
static ngx_int_t ngx_inlets_curl_setup(ngx_inlets_curl_t *request);
static struct curl_slist *ngx_inlets_curl_headers(ngx_inlets_curl_t *request);
static void ngx_inlets_curl_release(ngx_inlets_curl_t *request);

static int ngx_inlets_curl_socket(CURL *easy, curl_socket_t s, int what,
    void *data, void *socket);
static ngx_connection_t *ngx_inlets_curl_connection(curl_socket_t s);
static void ngx_inlets_curl_watch(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static void ngx_inlets_curl_forget(ngx_connection_t *c);
static int ngx_inlets_curl_timer(CURLM *multi, long ms, void *data);
static size_t ngx_inlets_curl_write(char *buf, size_t size, size_t n,
    void *data);

static void ngx_inlets_curl_event_handler(ngx_event_t *ev);
static void ngx_inlets_curl_timer_handler(ngx_event_t *ev);
static void ngx_inlets_curl_done(void);


/* of this worker, from the first request on */

static CURLM             *ngx_inlets_curl_multi;
static ngx_event_t        ngx_inlets_curl_timeout;
static ngx_connection_t   ngx_inlets_curl_dummy;


ngx_int_t
ngx_inlets_curl_post(ngx_inlets_curl_t *request, ngx_log_t *log)
{
    if (ngx_inlets_curl_multi == NULL && ngx_inlets_curl_init(log) != NGX_OK) {
        return NGX_ERROR;
    }

    request->status = 0;
    request->error = NULL;
    request->response_len = 0;

    request->easy = curl_easy_init();
    request->list = ngx_inlets_curl_headers(request);

    if (request->easy == NULL || request->list == NULL
        || ngx_inlets_curl_setup(request) != NGX_OK
        || curl_multi_add_handle(ngx_inlets_curl_multi, request->easy)
           != CURLM_OK)
    {
        ngx_inlets_curl_release(request);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_inlets_curl_cancel(ngx_inlets_curl_t *request)
{
    if (request->easy == NULL) {
        return;
    }

    (void) curl_multi_remove_handle(ngx_inlets_curl_multi, request->easy);

    ngx_inlets_curl_release(request);
}


void
ngx_inlets_curl_finish(void)
{
    if (ngx_inlets_curl_multi == NULL) {
        return;
    }

    (void) curl_multi_cleanup(ngx_inlets_curl_multi);

    ngx_inlets_curl_multi = NULL;

    if (ngx_inlets_curl_timeout.timer_set) {
        ngx_del_timer(&ngx_inlets_curl_timeout);
    }

    curl_global_cleanup();
}


static ngx_int_t
ngx_inlets_curl_init(ngx_log_t *log)
{
    CURLM                   *multi;
    curl_version_info_data  *info;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "curl_global_init() failed");
        return NGX_ERROR;
    }

    info = curl_version_info(CURLVERSION_NOW);

    if (!(info->features & CURL_VERSION_ASYNCHDNS)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "libcurl %s was built without an asynchronous resolver, "
                      "a worker waits while it looks up a name",
                      info->version);
    }

    multi = curl_multi_init();

    if (multi == NULL
        || curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                             ngx_inlets_curl_socket)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_inlets_curl_timer)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             (long) NGX_INLETS_CURL_KEPT)
           != CURLM_OK)
    {
        if (multi) {
            (void) curl_multi_cleanup(multi);
        }

        curl_global_cleanup();

        ngx_log_error(NGX_LOG_ERR, log, 0, "libcurl could not be set up");
        return NGX_ERROR;
    }

    ngx_inlets_curl_dummy.fd = (ngx_socket_t) -1;

    ngx_inlets_curl_timeout.handler = ngx_inlets_curl_timer_handler;
    ngx_inlets_curl_timeout.data = &ngx_inlets_curl_dummy;
    ngx_inlets_curl_timeout.log = ngx_cycle->log;
    ngx_inlets_curl_timeout.cancelable = 1;

    ngx_inlets_curl_multi = multi;

    return NGX_OK;
}


static ngx_int_t
ngx_inlets_curl_setup(ngx_inlets_curl_t *request)
{
    CURL      *easy;
    CURLcode   rc;

    easy = request->easy;

    rc = curl_easy_setopt(easy, CURLOPT_URL, request->url);

#define ngx_inlets_curl_set(option, value)                                    \
    if (rc == CURLE_OK) {                                                     \
        rc = curl_easy_setopt(easy, option, value);                           \
    }

    ngx_inlets_curl_set(CURLOPT_PRIVATE, request);
    ngx_inlets_curl_set(CURLOPT_HTTPHEADER, request->list);
    ngx_inlets_curl_set(CURLOPT_USERAGENT, "inlets/" INLETS_VERSION);
    ngx_inlets_curl_set(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->len);
    ngx_inlets_curl_set(CURLOPT_POSTFIELDS, request->body);
    ngx_inlets_curl_set(CURLOPT_WRITEFUNCTION, ngx_inlets_curl_write);
    ngx_inlets_curl_set(CURLOPT_WRITEDATA, request);

    ngx_inlets_curl_set(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    ngx_inlets_curl_set(CURLOPT_FOLLOWLOCATION, 0L);
    ngx_inlets_curl_set(CURLOPT_PROXY, "");
    ngx_inlets_curl_set(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
    ngx_inlets_curl_set(CURLOPT_SSL_VERIFYPEER, 1L);
    ngx_inlets_curl_set(CURLOPT_SSL_VERIFYHOST, 2L);

    ngx_inlets_curl_set(CURLOPT_NOSIGNAL, 1L);
    ngx_inlets_curl_set(CURLOPT_TIMEOUT_MS, (long) NGX_INLETS_CURL_TIMEOUT);
    ngx_inlets_curl_set(CURLOPT_CONNECTTIMEOUT_MS,
                        (long) NGX_INLETS_CURL_TIMEOUT);

#if (LIBCURL_VERSION_NUM >= 0x075500)
    ngx_inlets_curl_set(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    ngx_inlets_curl_set(CURLOPT_PROTOCOLS,
                        (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
#endif

#if (LIBCURL_VERSION_NUM >= 0x075700)
    /* or it would wait for the thread that still looks up a name */
    ngx_inlets_curl_set(CURLOPT_QUICK_EXIT, 1L);
#endif

    if (request->ca_file) {
        ngx_inlets_curl_set(CURLOPT_CAINFO, request->ca_file);
    }

    return rc == CURLE_OK ? NGX_OK : NGX_ERROR;
}


static struct curl_slist *
ngx_inlets_curl_headers(ngx_inlets_curl_t *request)
{
    ngx_uint_t          i;
    struct curl_slist  *list, *next;

    static const char *const  ours[] = {
        "Content-Type: application/json",
        "Expect:"
    };

    list = NULL;

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        next = curl_slist_append(list, ours[i]);
        if (next == NULL) {
            goto failed;
        }

        list = next;
    }

    for (i = 0; i < sizeof(request->headers) / sizeof(request->headers[0]);
         i++)
    {
        if (request->headers[i] == NULL) {
            break;
        }

        next = curl_slist_append(list, request->headers[i]);
        if (next == NULL) {
            goto failed;
        }

        list = next;
    }

    return list;

failed:

    curl_slist_free_all(list);

    return NULL;
}


static void
ngx_inlets_curl_release(ngx_inlets_curl_t *request)
{
    if (request->easy) {
        curl_easy_cleanup(request->easy);
    }

    curl_slist_free_all(request->list);

    request->easy = NULL;
    request->list = NULL;
}


/*
 * Events are level-triggered, since libcurl doesn't read or write until there
 * is no more to be had.
 */

static int
ngx_inlets_curl_socket(CURL *easy, curl_socket_t s, int what, void *data,
    void *socket)
{
    ngx_connection_t *c = socket;

    if (what == CURL_POLL_REMOVE) {
        if (c) {
            ngx_inlets_curl_forget(c);
        }

        return 0;
    }

    if (c == NULL) {
        c = ngx_inlets_curl_connection(s);
        if (c == NULL) {

            /* it will time out, and may be tried again then */

            return 0;
        }

        (void) curl_multi_assign(ngx_inlets_curl_multi, s, c);
    }

    ngx_inlets_curl_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_inlets_curl_watch(c->write, NGX_WRITE_EVENT, what & CURL_POLL_OUT);

    return 0;
}


/*
 * On a descriptor of its own: libcurl may close its one before it says that it
 * need not be watched any more.
 */

static ngx_connection_t *
ngx_inlets_curl_connection(curl_socket_t s)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    fd = fcntl(s, F_DUPFD_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_socket_errno,
                      "fcntl(F_DUPFD_CLOEXEC) failed");
        return NULL;
    }

    c = ngx_get_connection(fd, ngx_cycle->log);

    if (c == NULL) {
        if (ngx_close_socket(fd) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return NULL;
    }

    c->data = (void *) (intptr_t) s;
    c->log = ngx_cycle->log;

    c->read->handler = ngx_inlets_curl_event_handler;
    c->read->log = ngx_cycle->log;
    c->write->handler = ngx_inlets_curl_event_handler;
    c->write->log = ngx_cycle->log;

    return c;
}


static void
ngx_inlets_curl_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!wanted && ev->active) {
        (void) ngx_del_event(ev, event, 0);
    }
}


/* Not watched any more; libcurl may keep its descriptor open for later. */

static void
ngx_inlets_curl_forget(ngx_connection_t *c)
{
    ngx_inlets_curl_watch(c->read, NGX_READ_EVENT, 0);
    ngx_inlets_curl_watch(c->write, NGX_WRITE_EVENT, 0);

    ngx_close_connection(c);
}


static int
ngx_inlets_curl_timer(CURLM *multi, long ms, void *data)
{
    if (ngx_inlets_curl_timeout.timer_set) {
        ngx_del_timer(&ngx_inlets_curl_timeout);
    }

    if (ms >= 0) {
        ngx_add_timer(&ngx_inlets_curl_timeout, ms);
    }

    return 0;
}


static size_t
ngx_inlets_curl_write(char *buf, size_t size, size_t n, void *data)
{
    ngx_inlets_curl_t *request = data;

    size_t      len;
    curl_off_t  all;

    n *= size;

    if (curl_easy_getinfo(request->easy, CURLINFO_SIZE_DOWNLOAD_T, &all)
        == CURLE_OK
        && all > NGX_INLETS_CURL_ANSWER)
    {
        return 0;
    }

    len = ngx_min(n, NGX_INLETS_CURL_RESPONSE - request->response_len);

    ngx_memcpy(request->response + request->response_len, buf, len);
    request->response_len += len;

    return n;
}


static void
ngx_inlets_curl_event_handler(ngx_event_t *ev)
{
    int                running;
    ngx_connection_t  *c;

    c = ev->data;

    (void) curl_multi_socket_action(ngx_inlets_curl_multi,
                                    (curl_socket_t) (intptr_t) c->data,
                                    ev->write ? CURL_CSELECT_OUT
                                              : CURL_CSELECT_IN,
                                    &running);

    ngx_inlets_curl_done();
}


static void
ngx_inlets_curl_timer_handler(ngx_event_t *ev)
{
    int  running;

    (void) curl_multi_socket_action(ngx_inlets_curl_multi, CURL_SOCKET_TIMEOUT,
                                    0, &running);

    ngx_inlets_curl_done();
}


static void
ngx_inlets_curl_done(void)
{
    int                 left;
    long                status;
    CURL               *easy;
    CURLMsg            *msg;
    CURLcode            rc;
    ngx_inlets_curl_t  *request;

    while (ngx_inlets_curl_multi) {

        msg = curl_multi_info_read(ngx_inlets_curl_multi, &left);
        if (msg == NULL) {
            break;
        }

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        rc = msg->data.result;
        status = 0;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &request);
        (void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_multi_remove_handle(ngx_inlets_curl_multi, easy);

        ngx_inlets_curl_release(request);

        if (rc == CURLE_OK) {
            request->status = status;

        } else {
            request->error = (rc == CURLE_WRITE_ERROR)
                             ? "too long an answer" : curl_easy_strerror(rc);
        }

        request->handler(request);
    }
}
