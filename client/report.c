#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "inlets_version.h"
#include "libcurl.h"
#include "log.h"


#define REPORT_PAUSE    60000       /* ms, between two */
#define REPORT_TIMEOUT  10000       /* ms, of one */
#define REPORT_WAIT     2000        /* ms, at the end */
#define REPORT_TRIES    10          /* of one */


struct inlets_report {
    struct inlets_conf           *conf;
    uv_loop_t                    *loop;

    CURLM                        *multi;
    CURL                         *easy;         /* NULL: none under way */
    struct curl_slist            *headers;
    char                         *host;         /* of the URL, for the log */

    uv_timer_t                    timer;        /* libcurl's */
    uv_timer_t                    pause;        /* to the next one */
    unsigned                      timers;       /* to be closed */

    char                         *body;         /* under way */
    char                         *next;         /* to be sent after the pause */
    unsigned                      tries;        /* of body, or next */
    uint64_t                      sent_at;
    bool                          sent;         /* there has been one */
};


/* A socket of libcurl. */

struct report_socket {
    uv_poll_t              poll;
    struct inlets_report  *report;
    curl_socket_t          fd;
};


static void report_done(struct inlets_report *r);


static char *
url_part(const char *url, CURLUPart part)
{
    CURLU  *parser = inlets_curl.url();
    char   *text = NULL;

    if (parser != NULL
        && inlets_curl.url_set(parser, CURLUPART_URL, url, 0) == CURLUE_OK)
    {
        (void) inlets_curl.url_get(parser, part, &text, 0);
    }

    inlets_curl.url_cleanup(parser);

    return text;
}


bool
inlets_report_url_valid(const char *url)
{
    char  *scheme = url_part(url, CURLUPART_SCHEME);
    bool   valid;

    valid = scheme != NULL && (strcmp(scheme, "http") == 0
                               || strcmp(scheme, "https") == 0);
    inlets_curl.free(scheme);

    return valid;
}


static void
socket_ready(uv_poll_t *poll, int status, int events)
{
    struct report_socket  *s = poll->data;
    struct inlets_report  *r = s->report;
    int                    flags = 0, running;

    if (status < 0) {
        flags = CURL_CSELECT_ERR;
    }

    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;

    (void) inlets_curl.multi_socket_action(r->multi, s->fd, flags, &running);

    report_done(r);
}


static void
socket_closed(uv_handle_t *handle)
{
    free(handle->data);
}


static struct report_socket *
socket_create(struct inlets_report *r, curl_socket_t fd)
{
    struct report_socket  *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }

    s->report = r;
    s->fd = fd;
    s->poll.data = s;

    if (uv_poll_init_socket(r->loop, &s->poll, fd) != 0) {
        free(s);
        return NULL;
    }

    (void) inlets_curl.multi_assign(r->multi, fd, s);

    return s;
}


/* Without memory for it the request times out. */

static int
socket_wanted(CURL *easy, curl_socket_t fd, int what, void *data,
    void *socket_data)
{
    struct inlets_report  *r = data;
    struct report_socket  *s = socket_data;
    int                    events = 0;

    (void) easy;

    if (what == CURL_POLL_REMOVE) {
        if (s != NULL) {
            (void) uv_poll_stop(&s->poll);
            uv_close((uv_handle_t *) &s->poll, socket_closed);
        }

        return 0;
    }

    if (s == NULL) {
        s = socket_create(r, fd);

        if (s == NULL) {
            return 0;
        }
    }

    events |= what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;

    (void) uv_poll_start(&s->poll, events, socket_ready);

    return 0;
}


static void
timer_expired(uv_timer_t *timer)
{
    struct inlets_report  *r = timer->data;
    int                    running;

    (void) inlets_curl.multi_socket_action(r->multi, CURL_SOCKET_TIMEOUT, 0,
                                    &running);

    report_done(r);
}


static int
timer_wanted(CURLM *multi, long ms, void *data)
{
    struct inlets_report  *r = data;

    (void) multi;

    if (ms < 0) {
        (void) uv_timer_stop(&r->timer);

    } else {
        (void) uv_timer_start(&r->timer, timer_expired, (uint64_t) ms, 0);
    }

    return 0;
}


static size_t
answer_ignored(char *data, size_t size, size_t n, void *unused)
{
    (void) data;
    (void) unused;

    return size * n;
}


static bool
set_options(struct inlets_report *r, CURL *easy)
{
    bool  good = true;

#define SET(option, value)                                                    \
    good = good && inlets_curl.easy_setopt(easy, option, value) == CURLE_OK

    SET(CURLOPT_URL, r->conf->report_url);
    SET(CURLOPT_HTTPHEADER, r->headers);
    SET(CURLOPT_USERAGENT, "inlets/" INLETS_VERSION);
    SET(CURLOPT_POSTFIELDS, r->body);
    SET(CURLOPT_WRITEFUNCTION, answer_ignored);
    SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long) REPORT_TIMEOUT);

#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#else
    SET(CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif

#if LIBCURL_VERSION_NUM >= 0x075700
    /* or it would wait for the thread that still looks up a name */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif

    if (r->conf->edge.ca_file != NULL) {
        SET(CURLOPT_CAINFO, r->conf->edge.ca_file);
    }

#undef SET

    return good;
}


static void
post(struct inlets_report *r)
{
    r->body = r->next;
    r->next = NULL;
    r->sent_at = uv_now(r->loop);
    r->sent = true;
    r->tries++;

    r->easy = inlets_curl.easy_init();

    if (r->easy == NULL || !set_options(r, r->easy)
        || inlets_curl.multi_add_handle(r->multi, r->easy) != CURLM_OK)
    {
        inlets_log(INLETS_LOG_WARN, "a report could not be made");

        inlets_curl.easy_cleanup(r->easy);
        cJSON_free(r->body);
        r->easy = NULL;
        r->body = NULL;
    }
}


static void
pause_over(uv_timer_t *timer)
{
    struct inlets_report  *r = timer->data;

    if (r->easy == NULL && r->next != NULL) {
        post(r);
    }
}


/* Now, or when the pause is over. */

static void
post_soon(struct inlets_report *r)
{
    uint64_t  since = uv_now(r->loop) - r->sent_at;

    if (r->easy != NULL || r->next == NULL) {
        return;
    }

    if (!r->sent || since >= REPORT_PAUSE) {
        post(r);
        return;
    }

    (void) uv_timer_start(&r->pause, pause_over, REPORT_PAUSE - since, 0);
}


/* One that is still current is sent again after the pause. */

static void
posted(struct inlets_report *r, CURLcode rc, long status)
{
    bool  delivered = rc == CURLE_OK && status >= 200 && status <= 299;

    if (delivered) {
        inlets_log(INLETS_LOG_DEBUG, "reported to %s", r->host);

    } else if (rc == CURLE_OK) {
        inlets_log(INLETS_LOG_WARN, "reporting to %s failed: status %ld",
                   r->host, status);

    } else {
        inlets_log(INLETS_LOG_WARN, "reporting to %s failed: %s", r->host,
                   inlets_curl.easy_strerror(rc));
    }

    if (!delivered && r->next == NULL && r->tries < REPORT_TRIES) {
        r->next = r->body;

    } else {
        cJSON_free(r->body);
    }

    r->body = NULL;

    post_soon(r);
}


static void
report_done(struct inlets_report *r)
{
    CURLMsg  *msg;
    CURLcode  rc;
    long      status = 0;
    int       left;

    while ((msg = inlets_curl.multi_info_read(r->multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE || msg->easy_handle != r->easy) {
            continue;
        }

        rc = msg->data.result;

        (void) inlets_curl.easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE,
                                        &status);
        (void) inlets_curl.multi_remove_handle(r->multi, r->easy);

        inlets_curl.easy_cleanup(r->easy);
        r->easy = NULL;

        posted(r, rc, status);
    }
}


void
inlets_report_send(struct inlets_report *report, const char *tunnel,
    const char *error, uint32_t attempts)
{
    struct inlets_report  *r = report;
    time_t                 now = time(NULL);
    char                   text[32] = "";
    struct tm              tm;
    cJSON                 *json;

    if (r == NULL) {
        return;
    }

    if (gmtime_r(&now, &tm) != NULL) {
        (void) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    }

    json = cJSON_CreateObject();

    (void) cJSON_AddStringToObject(json, "time", text);
    (void) cJSON_AddStringToObject(json, "version", INLETS_VERSION);
    (void) cJSON_AddStringToObject(json, "tunnel", tunnel);
    (void) cJSON_AddStringToObject(json, "error", error);
    (void) cJSON_AddNumberToObject(json, "attempts", attempts);

    cJSON_free(r->next);
    r->next = cJSON_PrintUnformatted(json);
    r->tries = 0;

    cJSON_Delete(json);

    post_soon(r);
}


static void
wait_over(uv_timer_t *timer)
{
    *(bool *) timer->data = true;
}


static void
wait_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}


static void
wait_posted(struct inlets_report *report)
{
    uv_timer_t  deadline;
    bool        over = false;

    (void) uv_timer_init(report->loop, &deadline);
    deadline.data = &over;

    if (uv_timer_start(&deadline, wait_over, REPORT_WAIT, 0) == 0) {
        while (report->easy != NULL && !over) {
            (void) uv_run(report->loop, UV_RUN_ONCE);
        }
    }

    uv_close((uv_handle_t *) &deadline, wait_closed);

    while (deadline.data != NULL) {
        (void) uv_run(report->loop, UV_RUN_NOWAIT);
    }
}


void
inlets_report_wait(struct inlets_report *report)
{
    if (report == NULL) {
        return;
    }

    if (report->easy != NULL) {
        wait_posted(report);
    }

    if (report->easy != NULL || report->next != NULL) {
        inlets_log(INLETS_LOG_WARN, "the last report could not be delivered "
                   "in time");
    }
}


struct inlets_report *
inlets_report_create(uv_loop_t *loop, struct inlets_conf *conf)
{
    struct inlets_report  *r;

    if (inlets_curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }

    r = calloc(1, sizeof(*r));

    if (r == NULL) {
        inlets_curl.global_cleanup();
        return NULL;
    }

    r->conf = inlets_conf_ref(conf);
    r->loop = loop;

    (void) uv_timer_init(loop, &r->timer);
    r->timer.data = r;

    (void) uv_timer_init(loop, &r->pause);
    r->pause.data = r;

    r->host = url_part(conf->report_url, CURLUPART_HOST);
    r->headers = inlets_curl.slist_append(NULL,
                                          "Content-Type: application/json");
    r->multi = inlets_curl.multi_init();

    if (r->host == NULL || r->headers == NULL || r->multi == NULL
        || inlets_curl.multi_setopt(r->multi, CURLMOPT_SOCKETFUNCTION,
                                    socket_wanted)
           != CURLM_OK
        || inlets_curl.multi_setopt(r->multi, CURLMOPT_SOCKETDATA, r)
           != CURLM_OK
        || inlets_curl.multi_setopt(r->multi, CURLMOPT_TIMERFUNCTION,
                                    timer_wanted)
           != CURLM_OK
        || inlets_curl.multi_setopt(r->multi, CURLMOPT_TIMERDATA, r)
           != CURLM_OK)
    {
        inlets_report_destroy(r);
        return NULL;
    }

    return r;
}


static void
timer_closed(uv_handle_t *handle)
{
    struct inlets_report  *r = handle->data;

    if (--r->timers == 0) {
        free(r);
    }
}


void
inlets_report_destroy(struct inlets_report *report)
{
    struct inlets_report  *r = report;

    if (r == NULL) {
        return;
    }

    if (r->easy != NULL) {
        (void) inlets_curl.multi_remove_handle(r->multi, r->easy);
        inlets_curl.easy_cleanup(r->easy);
    }

    if (r->multi != NULL) {
        (void) inlets_curl.multi_cleanup(r->multi);
    }

    inlets_curl.slist_free_all(r->headers);
    inlets_curl.free(r->host);
    cJSON_free(r->body);
    cJSON_free(r->next);

    inlets_curl.global_cleanup();

    inlets_conf_unref(r->conf);

    r->timers = 2;
    uv_close((uv_handle_t *) &r->timer, timer_closed);
    uv_close((uv_handle_t *) &r->pause, timer_closed);
}
