#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libwebsockets.h>
#include <openssl/x509.h>

#include "event.h"
#include "inlets_error.h"
#include "inlets_protocol.h"
#include "log.h"


/* libwebsockets' own table; a tunnel may have some that drain, come or close */
#define MONITOR_FDS         (2 * INLETS_TUNNELS_MAX + 64)

/* s: libwebsockets says nothing when its own is over, so ours comes first */
#define MONITOR_LWS_TIMEOUT  (INLETS_HANDSHAKE_TIMEOUT / 1000 + 5)
#define MONITOR_REASON      384

#define CONFIG_MIN          100     /* bounds of what @@CONFIG may say, ms */
#define CONFIG_MAX          3600000


struct inlets_monitor {
    struct inlets_client                  *client;
    const struct inlets_edge              *edge;
    const char                            *tag;
    const struct inlets_monitor_handlers  *handlers;    /* NULL: destroyed */
    void                                  *data;

    struct lws                            *wsi;
    uv_timer_t                             timer;

    char                                  *login;       /* not sent yet */
    bool                                   want_ping;
    bool                                   established;
    bool                                   welcomed;
    bool                                   over;        /* said so */
    bool                                   connecting;
    bool                                   timer_closed;

    /* uv_now(), 0: not running */
    uint64_t                               login_deadline;
    uint64_t                               ping_at;
    uint64_t                               pong_deadline;

    uint32_t                               ping_interval;
    uint32_t                               ping_timeout;

    char                                  *message;
    size_t                                 message_len;
    size_t                                 message_size;

    char                                   reason[MONITOR_REASON];
    char                                   host[INLETS_URL_AUTHORITY];
    char                                   address[INLETS_ADDRESS_TEXT];
    char                                   path[INLETS_URL_PATH + 32];
};


struct event_row {
    const char  *name;
    void       (*handler)(struct inlets_monitor *m, const cJSON *payload);
};


static void timer_expired(uv_timer_t *timer);


static uint64_t
now_ms(const struct inlets_monitor *m)
{
    return uv_now(&m->client->loop);
}


static void
free_if_done(struct inlets_monitor *m)
{
    if (!m->timer_closed || m->wsi != NULL || m->connecting) {
        return;
    }

    cJSON_free(m->login);
    free(m->message);
    free(m);
}


static void
timer_closed(uv_handle_t *handle)
{
    struct inlets_monitor  *m = handle->data;

    m->timer_closed = true;

    free_if_done(m);
}


/* Has libwebsockets close the connection, from the loop. */

static void
drop(struct inlets_monitor *m)
{
    if (m->wsi != NULL) {
        lws_set_timeout(m->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);

        /* outside its own callbacks it looks at timers with the next event */
        lws_cancel_service(m->client->lws[m->edge->tls != NULL]);
    }
}


static void
stop(struct inlets_monitor *m)
{
    m->over = true;

    (void) uv_timer_stop(&m->timer);
    drop(m);
}


static void
lost(struct inlets_monitor *m, const char *why)
{
    if (m->over || m->handlers == NULL) {
        return;
    }

    stop(m);
    m->handlers->lost(m->data, why, m->established);
}


void
inlets_monitor_destroy(struct inlets_monitor *monitor)
{
    if (monitor == NULL || monitor->handlers == NULL) {
        return;
    }

    monitor->handlers = NULL;

    stop(monitor);

    uv_close((uv_handle_t *) &monitor->timer, timer_closed);
}


static void
arm_timer(struct inlets_monitor *m)
{
    uint64_t  times[] = { m->login_deadline, m->ping_at, m->pong_deadline };
    uint64_t  next = 0, now = now_ms(m);

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (times[i] != 0 && (next == 0 || times[i] < next)) {
            next = times[i];
        }
    }

    if (next == 0 || m->over) {
        (void) uv_timer_stop(&m->timer);
        return;
    }

    (void) uv_timer_start(&m->timer, timer_expired, next > now ? next - now : 0,
                          0);
}


static void
ping(struct inlets_monitor *m)
{
    m->want_ping = true;
    m->ping_at = 0;
    m->pong_deadline = now_ms(m) + m->ping_timeout;

    lws_callback_on_writable(m->wsi);
    arm_timer(m);
}


static void
timer_expired(uv_timer_t *timer)
{
    struct inlets_monitor  *m = timer->data;
    uint64_t                now = now_ms(m);

    if (m->login_deadline != 0 && now >= m->login_deadline) {
        lost(m, m->established ? "the edge did not answer the login in time"
                               : "connecting timed out");
        return;
    }

    if (m->pong_deadline != 0 && now >= m->pong_deadline) {
        lost(m, "the edge did not answer a ping in time");
        return;
    }

    if (m->ping_at != 0 && now >= m->ping_at) {
        ping(m);
        return;
    }

    arm_timer(m);
}


static void
on_id(struct inlets_monitor *m, const cJSON *payload)
{
    if (cJSON_IsString(payload)) {
        inlets_log(INLETS_LOG_DEBUG, "%s[id] %.64s", m->tag,
                   payload->valuestring);
    }
}


static void
pass_list(struct inlets_monitor *m, const cJSON *config)
{
    const cJSON  *tunnels = cJSON_GetObjectItemCaseSensitive(config,
                                                             "tunnels");

    if (cJSON_IsArray(tunnels) && !m->over && m->handlers != NULL) {
        m->handlers->listed(m->data, tunnels);
    }
}


static void
on_authenticate(struct inlets_monitor *m, const cJSON *payload)
{
    struct inlets_welcome  welcome;
    const char            *message;

    if (m->welcomed) {
        return;
    }

    if (!inlets_event_welcome(payload, &welcome, &message)) {
        stop(m);
        m->handlers->refused(m->data, message);
        return;
    }

    m->welcomed = true;
    m->login_deadline = 0;
    arm_timer(m);

    m->handlers->welcome(m->data, &welcome);

    pass_list(m, cJSON_GetObjectItemCaseSensitive(payload, "config"));
}


static void
on_pong(struct inlets_monitor *m, const cJSON *payload)
{
    (void) payload;

    if (m->pong_deadline == 0) {
        return;
    }

    m->pong_deadline = 0;
    m->ping_at = now_ms(m) + m->ping_interval;

    arm_timer(m);
}


static void
on_warn(struct inlets_monitor *m, const cJSON *payload)
{
    if (cJSON_IsString(payload)) {
        inlets_log(INLETS_LOG_WARN, "%sedge: %.512s", m->tag,
                   payload->valuestring);
    }
}


static void
on_error(struct inlets_monitor *m, const cJSON *payload)
{
    const char   *message = inlets_event_text(payload, "message", "no reason");
    const cJSON  *fatal = cJSON_GetObjectItemCaseSensitive(payload, "fatal");

    if (!cJSON_IsTrue(fatal)) {
        inlets_log(INLETS_LOG_ERROR, "%sedge: %.512s", m->tag, message);
        return;
    }

    stop(m);
    m->handlers->fatal(m->data, message);
}


static void
on_tcp_ready(struct inlets_monitor *m, const cJSON *payload)
{
    const char  *host = inlets_event_text(payload, "host", "");
    uint32_t     port;

    port = (uint32_t) inlets_event_number(payload, "port", 1, 65535, 0);

    if (*host == '\0' || strlen(host) > INLETS_HOST_MAX || port == 0) {
        inlets_log(INLETS_LOG_WARN, "%sthe edge sent a wrong tcp:ready",
                   m->tag);
        return;
    }

    m->handlers->tcp_ready(m->data, host, port);
}


static void
on_config(struct inlets_monitor *m, const cJSON *payload)
{
    m->ping_interval = (uint32_t) inlets_event_number(payload, "pingInterval",
                                                      CONFIG_MIN, CONFIG_MAX,
                                                      m->ping_interval);
    m->ping_timeout = (uint32_t) inlets_event_number(payload, "pingTimeout",
                                                     CONFIG_MIN, CONFIG_MAX,
                                                     m->ping_timeout);

    inlets_log(INLETS_LOG_DEBUG, "the edge wants a ping every %u ms, answered "
               "within %u ms", m->ping_interval, m->ping_timeout);

    ping(m);
    pass_list(m, payload);
}


static void
on_drain(struct inlets_monitor *m, const cJSON *payload)
{
    m->handlers->drain(m->data, inlets_event_number(payload, "deadline", 0,
                                                    CONFIG_MAX, 30000));
}


static void
on_disconnect(struct inlets_monitor *m, const cJSON *payload)
{
    (void) payload;

    lost(m, "the edge asked to disconnect");
}


static const struct event_row  event_table[] = {
    { INLETS_EVENT_ID, on_id },
    { INLETS_EVENT_AUTHENTICATE, on_authenticate },
    { INLETS_EVENT_PONG, on_pong },
    { INLETS_EVENT_WARN, on_warn },
    { INLETS_EVENT_ERROR, on_error },
    { INLETS_EVENT_TCP_READY, on_tcp_ready },
    { INLETS_EVENT_CONFIG, on_config },
    { INLETS_EVENT_DRAIN, on_drain },
    { INLETS_EVENT_DISCONNECT, on_disconnect },
};


static void
dispatch(struct inlets_monitor *m, const char *text, size_t len)
{
    cJSON       *array = cJSON_ParseWithLength(text, len);
    const char  *name;

    name = cJSON_IsArray(array)
           ? cJSON_GetStringValue(cJSON_GetArrayItem(array, 0)) : NULL;

    if (name == NULL) {
        inlets_log(INLETS_LOG_WARN, "the edge sent a message that is no event");
        cJSON_Delete(array);
        return;
    }

    for (size_t i = 0; i < sizeof(event_table) / sizeof(event_table[0]); i++) {
        if (strcmp(name, event_table[i].name) == 0) {
            event_table[i].handler(m, cJSON_GetArrayItem(array, 1));
            cJSON_Delete(array);
            return;
        }
    }

    inlets_log(INLETS_LOG_DEBUG, "unknown event \"%.64s\" ignored", name);

    cJSON_Delete(array);
}


static bool
append(struct inlets_monitor *m, const void *data, size_t len)
{
    size_t  need = m->message_len + len;

    if (need > INLETS_MESSAGE_MAX) {
        lost(m, "the edge sent a too long message");
        return false;
    }

    if (need > m->message_size) {
        size_t   size = need < 1024 ? 1024 : need * 2;
        char    *p = realloc(m->message, size);

        if (p == NULL) {
            lost(m, "no memory");
            return false;
        }

        m->message = p;
        m->message_size = size;
    }

    memcpy(m->message + m->message_len, data, len);
    m->message_len = need;

    return true;
}


static int
received(struct inlets_monitor *m, struct lws *wsi, const void *data,
    size_t len)
{
    if (m->over) {
        return -1;
    }

    if (lws_is_first_fragment(wsi)) {
        m->message_len = 0;
    }

    if (!append(m, data, len)) {
        return -1;
    }

    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0) {
        return 0;
    }

    if (lws_frame_is_binary(wsi)) {
        inlets_log(INLETS_LOG_WARN, "the edge sent a binary message on the "
                   "monitor");

    } else {
        dispatch(m, m->message, m->message_len);
    }

    m->message_len = 0;

    if (m->message_size > 16384) {
        free(m->message);
        m->message = NULL;
        m->message_size = 0;
    }

    return m->over ? -1 : 0;
}


static int
send_text(struct lws *wsi, const char *text)
{
    unsigned char  buf[LWS_PRE + INLETS_LOGIN_MAX];
    size_t         len = text != NULL ? strlen(text) : 0;

    if (len == 0 || len > INLETS_LOGIN_MAX) {
        return -1;
    }

    memcpy(buf + LWS_PRE, text, len);

    return lws_write(wsi, buf + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 : 0;
}


/* One event a call, as libwebsockets wants it. */

static int
writable(struct inlets_monitor *m, struct lws *wsi)
{
    char  *text;
    int    rc;

    if (m->over) {
        return -1;
    }

    if (m->login != NULL) {
        text = m->login;
        m->login = NULL;

    } else if (m->want_ping) {
        text = inlets_event_ping();
        m->want_ping = false;

    } else {
        return 0;
    }

    rc = send_text(wsi, text);
    cJSON_free(text);

    if (m->want_ping) {
        lws_callback_on_writable(wsi);
    }

    return rc;
}


static void
established(struct inlets_monitor *m)
{
    if (m->over) {
        return;
    }

    m->established = true;
    m->login_deadline = now_ms(m) + m->edge->conf->login_timeout;

    /* the login goes first */

    ping(m);
}


static void
connection_error(struct inlets_monitor *m, struct lws *wsi, const char *text,
    size_t len)
{
    unsigned  status = lws_http_client_http_response(wsi);

    if (m->reason[0] != '\0') {
        /* the certificate */

    } else if (status != 0 && status != 101) {
        snprintf(m->reason, sizeof(m->reason), "the edge answered HTTP %u for "
                 "%s", status, m->path);

    } else if (text == NULL || len == 0 || strstr(text, "closed before")) {

        /* libwebsockets 4.1 says no more than that */

        snprintf(m->reason, sizeof(m->reason), "cannot connect (refused, or "
                 "closed before the handshake was done)");

    } else {
        snprintf(m->reason, sizeof(m->reason), "cannot connect (%.*s)",
                 (int) len, text);
    }

    lost(m, m->reason);
}


static void
peer_closed(struct inlets_monitor *m, const uint8_t *data, size_t len)
{
    unsigned  code = len >= 2 ? (unsigned) (data[0] << 8 | data[1]) : 1005;

    if (len > 2) {
        snprintf(m->reason, sizeof(m->reason), "closed by the edge: %u %.*s",
                 code, (int) (len - 2), (const char *) data + 2);

    } else {
        snprintf(m->reason, sizeof(m->reason), "closed by the edge: %u", code);
    }
}


/* 0: go on with the handshake. */

static int
verify_certificate(struct lws *wsi, X509_STORE_CTX *store, bool good)
{
    struct inlets_monitor  *m = lws_wsi_user(wsi);

    if (good || m == NULL) {
        return 0;
    }

    if (m->edge->conf->insecure) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 0;
    }

    snprintf(m->reason, sizeof(m->reason), "certificate verify failed: %s",
             X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));

    return 1;
}


static void
wsi_gone(struct inlets_monitor *m)
{
    m->wsi = NULL;

    if (m->connecting) {
        /* create() sees it */
        return;
    }

    lost(m, m->reason[0] != '\0' ? m->reason : "connection lost");
    free_if_done(m);
}


static int
monitor_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
    struct inlets_monitor  *m = user;

    if (reason == LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION) {
        /* the arguments mean something else here */
        return verify_certificate(wsi, user, len != 0);
    }

    if (m == NULL) {
        return 0;
    }

    switch (reason) {

    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        established(m);
        return 0;

    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return writable(m, wsi);

    case LWS_CALLBACK_CLIENT_RECEIVE:
        return received(m, wsi, in, len);

    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        peer_closed(m, in, len);
        return 0;

    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        connection_error(m, wsi, in, len);
        return 0;

    case LWS_CALLBACK_CLIENT_CLOSED:
        lost(m, m->reason[0] != '\0' ? m->reason : "connection lost");
        return 0;

    case LWS_CALLBACK_WSI_DESTROY:
        wsi_gone(m);
        return 0;

    default:
        return 0;
    }
}


static const struct lws_protocols  monitor_protocols[] = {
    { .name = "inlets-monitor", .callback = monitor_callback,
      .rx_buffer_size = 4096 },
    { .name = NULL }
};


/* What libwebsockets calls an error is often the peer's, and said by us. */

static void
lws_log(int level, const char *line)
{
    (void) level;

    inlets_log(INLETS_LOG_DEBUG, "libwebsockets: %s", line);
}


int
inlets_monitor_prepare(struct inlets_client *client, bool tls)
{
    void                              *loops[] = { &client->loop };
    struct lws_context_creation_info   info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = monitor_protocols,
        .options = LWS_SERVER_OPTION_LIBUV,
        .foreign_loops = loops,
        .fd_limit_per_thread = MONITOR_FDS,
        .timeout_secs = MONITOR_LWS_TIMEOUT,
        .pcontext = &client->lws[tls],  /* NULL once it is gone */
        .gid = (gid_t) -1,
        .uid = (uid_t) -1
    };

    lws_set_log_level(inlets_log_enabled(INLETS_LOG_DEBUG)
                      ? LLL_ERR|LLL_WARN|LLL_NOTICE : LLL_ERR, lws_log);

    if (tls) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.provided_client_ssl_ctx = client->tls;
    }

    client->lws[tls] = lws_create_context(&info);

    if (client->lws[tls] == NULL) {
        inlets_log_fatal("cannot set up libwebsockets with libuv; is its "
                         "package libwebsockets-evlib-uv there?");
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


static int
make_login(struct inlets_monitor *m, const struct inlets_login *login)
{
    struct timespec  now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return -1;
    }

    m->login = inlets_event_authenticate(m->edge->conf, login,
                                         (uint64_t) now.tv_sec * 1000
                                         + (uint64_t) now.tv_nsec / 1000000);

    return m->login != NULL ? 0 : -1;
}


static struct lws *
start_connecting(struct inlets_monitor *m)
{
    const struct inlets_url         *url = &m->edge->conf->remote;
    struct lws_client_connect_info   info;

    /* no pings and no time limits of its own */
    static const lws_retry_bo_t      no_keepalive = { .secs_since_valid_ping =
                                                          0 };

    memset(&info, 0, sizeof(info));

    inlets_url_authority(url, false, m->host);
    snprintf(m->path, sizeof(m->path), "%s" INLETS_PATH_MONITOR, url->path);

    info.context = m->client->lws[url->tls];
    info.address = m->address;
    info.port = url->port;
    info.path = m->path;
    info.host = m->host;
    info.alpn = "http/1.1";
    info.local_protocol_name = monitor_protocols[0].name;
    info.userdata = m;
    info.pwsi = &m->wsi;
    info.retry_and_idle_policy = &no_keepalive;
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;

    if (url->tls) {
        /* the name is checked by what tls.c has set in the context */
        info.ssl_connection |= LCCSCF_USE_SSL
                               |LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
    }

    return lws_client_connect_via_info(&info);
}


struct inlets_monitor *
inlets_monitor_create(struct inlets_client *client,
    const struct inlets_edge *edge, const union inlets_address *address,
    const struct inlets_login *login,
    const struct inlets_monitor_handlers *handlers, void *data)
{
    struct inlets_monitor  *m;
    bool                    started;

    m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }

    m->client = client;
    m->edge = edge;
    m->tag = login->tag;
    m->handlers = handlers;
    m->data = data;
    m->ping_interval = INLETS_PING_INTERVAL;
    m->ping_timeout = INLETS_PING_TIMEOUT;

    if (make_login(m, login) != 0) {
        free(m);
        return NULL;
    }

    inlets_address_format(address, m->address);

    (void) uv_timer_init(&client->loop, &m->timer);
    m->timer.data = m;

    m->login_deadline = now_ms(m) + INLETS_HANDSHAKE_TIMEOUT;

    m->connecting = true;
    started = start_connecting(m) != NULL && m->wsi != NULL;
    m->connecting = false;

    if (!started || m->over) {
        m->wsi = started ? m->wsi : NULL;
        inlets_monitor_destroy(m);
        return NULL;
    }

    arm_timer(m);

    return m;
}
