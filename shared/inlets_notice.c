#include "inlets_notice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inlets_error.h"
#include "inlets_sign.h"


#define NOTICE_VALUE   160      /* bytes of a text in a message */
#define NOTICE_FIELD   256      /* of one in a webhook's object */
#define NOTICE_PATH    400
#define NOTICE_REASON  1600

#define REPLACEMENT    0xfffd

#define LABEL(en, zh)  { { en, zh } }


struct writer {
    char    *buf;
    size_t   size;
    size_t   len;
    bool     full;
};


struct label {
    const char  *text[2];       /* English, Chinese */
};


struct message {
    char           title[INLETS_NOTICE_TITLE + 1];
    char           content[INLETS_NOTICE_CONTENT + 1];
    struct writer  out;
    bool           chinese;
};


static const char *const  event_names[] = {
    [INLETS_NOTICE_SERVER_STARTED] = "server_started",
    [INLETS_NOTICE_CLIENT_ONLINE] = "client_online",
    [INLETS_NOTICE_CLIENT_OFFLINE] = "client_offline",
    [INLETS_NOTICE_SETTINGS_RELOADED] = "settings_reloaded",
    [INLETS_NOTICE_SETTINGS_REJECTED] = "settings_rejected",
    [INLETS_NOTICE_LOGIN_REFUSED] = "login_refused",
    [INLETS_NOTICE_DROPPED] = "notifications_dropped"
};

static const char *const  provider_names[] = {
    [INLETS_NOTICE_NOWHERE] = "nowhere",
    [INLETS_NOTICE_DINGTALK] = "dingtalk",
    [INLETS_NOTICE_FEISHU] = "feishu",
    [INLETS_NOTICE_WECOM] = "wecom",
    [INLETS_NOTICE_SLACK] = "slack",
    [INLETS_NOTICE_WEBHOOK] = "webhook"
};

#define EVENTS     (sizeof(event_names) / sizeof(event_names[0]))
#define PROVIDERS  (sizeof(provider_names) / sizeof(provider_names[0]))


/* What stands before the value in a title. */

static const struct label  titles[] = {
    [INLETS_NOTICE_SERVER_STARTED] =
        LABEL("[Server] started - ", "[服务端][启动] 成功 - "),
    [INLETS_NOTICE_CLIENT_ONLINE] =
        LABEL("[Online] client - ", "[上线] 客户端 - "),
    [INLETS_NOTICE_CLIENT_OFFLINE] =
        LABEL("[Offline] client - ", "[掉线] 客户端 - "),
    [INLETS_NOTICE_SETTINGS_RELOADED] =
        LABEL("[Settings] reloaded", "[服务端][配置] 已重新加载"),
    [INLETS_NOTICE_SETTINGS_REJECTED] =
        LABEL("[Settings] rejected, the old ones stay in force",
              "[服务端][配置] 被拒绝，继续使用旧配置"),
    [INLETS_NOTICE_LOGIN_REFUSED] =
        LABEL("[Login] refused repeatedly - ", "[登录] 多次被拒绝 - "),
    [INLETS_NOTICE_DROPPED] =
        LABEL("[Notifications] lost: ", "[通知] 丢失: ")
};

static const struct label  server_version = LABEL("Version: ", "服务端版本：");
static const struct label  server_address = LABEL("Address: ", "服务端IP: ");
static const struct label  client_version =
    LABEL("Client version: ", "客户端版本：");
static const struct label  client_type = LABEL("Type: ", "客户端类型：");
static const struct label  client_auth =
    LABEL("Authentication: ", "客户端授权方式：");
static const struct label  client_port = LABEL("Port: ", "客户端端口：");
static const struct label  client_host = LABEL("Host: ", "客户端域名：");
static const struct label  settings_path = LABEL("File: ", "配置文件：");
static const struct label  settings_clients = LABEL("Clients: ", "客户端数量：");
static const struct label  why = LABEL("Reason: ", "原因：");
static const struct label  login_address = LABEL("Address: ", "来源地址：");
static const struct label  login_client = LABEL("Client: ", "客户端：");
static const struct label  login_count =
    LABEL("Attempts within a minute: ", "一分钟内次数：");
static const struct label  dropped = LABEL("Notifications that were not sent: ",
                                           "未能发出的通知数：");
static const struct label  now = LABEL("Time: ", "当前时间：");
static const struct label  unknown = LABEL("unknown", "未知");


const char *
inlets_notice_name(enum inlets_notice_event event)
{
    return (size_t) event < EVENTS ? event_names[event] : "unknown";
}


const char *
inlets_notice_provider_name(enum inlets_notice_provider provider)
{
    return (size_t) provider < PROVIDERS ? provider_names[provider] : "unknown";
}


/* All or nothing, and after the first nothing nothing more. */

static void
put(struct writer *w, const char *data, size_t len)
{
    if (w->full || w->size - w->len <= len) {
        w->full = true;
        return;
    }

    memcpy(w->buf + w->len, data, len);
    w->len += len;
    w->buf[w->len] = '\0';
}


static void
put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}


static void __attribute__((format(printf, 2, 3)))
put_format(struct writer *w, const char *format, ...)
{
    char     buf[256];
    va_list  args;
    int      n;

    va_start(args, format);
    n = vsnprintf(buf, sizeof(buf), format, args);
    va_end(args);

    if (n < 0 || (size_t) n >= sizeof(buf)) {
        w->full = true;
        return;
    }

    put(w, buf, (size_t) n);
}


static struct writer
writer_of(char *buf, size_t size)
{
    struct writer  w = { .buf = buf, .size = size, .full = size == 0 };

    if (size != 0) {
        buf[0] = '\0';
    }

    return w;
}


/* The next character and its bytes; what isn't UTF-8 is one byte, U+FFFD. */

static uint32_t
next_char(const char *text, size_t len, size_t *ret_bytes)
{
    static const uint32_t  least[] = { 0, 0x80, 0x800, 0x10000 };
    const unsigned char   *p = (const unsigned char *) text;
    uint32_t               code;
    size_t                 more;

    *ret_bytes = 1;

    if (p[0] < 0x80) {
        return p[0];
    }

    if (p[0] >= 0xf8 || p[0] < 0xc0) {
        return REPLACEMENT;
    }

    more = p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
    code = p[0] & (0x3fu >> more);

    if (len <= more) {
        return REPLACEMENT;
    }

    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return REPLACEMENT;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < least[more] || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return REPLACEMENT;
    }

    *ret_bytes = more + 1;

    return code;
}


/* What can't be shown as it is, or would be a link or a mention; or NULL. */

static const char *
harmless(uint32_t code)
{
    switch (code) {

    case '<':
        return "\xe2\x80\xb9";

    case '>':
        return "\xe2\x80\xba";

    case '[':
        return "(";

    case ']':
        return ")";

    case '`':
        return "'";

    case REPLACEMENT:
        return "\xef\xbf\xbd";
    }

    if (code < 0x20 || (code >= 0x7f && code < 0xa0)
        || (code >= 0x200e && code <= 0x200f)
        || (code >= 0x2028 && code <= 0x202e)
        || (code >= 0x2066 && code <= 0x2069))
    {
        return " ";
    }

    return NULL;
}


static void
put_value(struct writer *w, const struct inlets_notice_text *text, size_t max)
{
    size_t  end = w->len + max, bytes;

    for (size_t i = 0; i < text->len; i += bytes) {
        uint32_t     code = next_char(text->data + i, text->len - i, &bytes);
        const char  *other = harmless(code);

        if (w->len + 4 > end) {
            put_text(w, "\xe2\x80\xa6");
            return;
        }

        if (other != NULL) {
            put_text(w, other);

        } else {
            put(w, text->data + i, bytes);
        }
    }
}


static void
put_quoted(struct writer *w, const char *text, size_t len)
{
    size_t  bytes;

    put(w, "\"", 1);

    for (size_t i = 0; i < len && !w->full; i += bytes) {
        uint32_t  code = next_char(text + i, len - i, &bytes);

        if (code == '"' || code == '\\') {
            put_format(w, "\\%c", (char) code);

        } else if (code == '\n') {
            put_text(w, "\\n");

        } else if (code == '\r') {
            put_text(w, "\\r");

        } else if (code == '\t') {
            put_text(w, "\\t");

        } else if (code < 0x20 || code == '<' || code == '>' || code == '&'
                   || code == 0x2028 || code == 0x2029
                   || (code == REPLACEMENT && bytes == 1))
        {
            put_format(w, "\\u%04x", (unsigned) code);

        } else {
            put(w, text + i, bytes);
        }
    }

    put(w, "\"", 1);
}


int
inlets_notice_quote(const char *text, size_t len, char *buf, size_t size)
{
    struct writer  w = writer_of(buf, size);

    put_quoted(&w, text, len);

    return w.full ? INLETS_E_NO_SPACE : (int) w.len;
}


struct civil {
    long long  year;
    unsigned   month;
    unsigned   day;
    unsigned   hour;
    unsigned   minute;
    unsigned   second;
};


/* Of the proleptic Gregorian calendar; years begin with March in between. */

static struct civil
civil_of(int64_t local)
{
    struct civil  c;
    int64_t       days = local / 86400, second = local % 86400, era, year;
    unsigned      doe, yoe, doy, month;

    if (second < 0) {
        second += 86400;
        days--;
    }

    days += 719468;     /* from 0000-03-01 */
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = (unsigned) (days - era * 146097);
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    month = (5 * doy + 2) / 153;
    year = (int64_t) yoe + era * 400;

    c.day = doy - (153 * month + 2) / 5 + 1;
    c.month = month < 10 ? month + 3 : month - 9;
    c.year = year + (c.month <= 2 ? 1 : 0);
    c.hour = (unsigned) (second / 3600);
    c.minute = (unsigned) (second % 3600 / 60);
    c.second = (unsigned) (second % 60);

    return c;
}


/* Within the years that RFC 3339 can tell. */

static int64_t
local_time(int64_t time, int offset)
{
    if (time < 0 || time > 253402214400) {
        time = 0;
    }

    return time + (int64_t) offset * 60;
}


size_t
inlets_notice_time(int64_t time, int offset, char ret[INLETS_NOTICE_TIME])
{
    struct writer  w = writer_of(ret, INLETS_NOTICE_TIME);
    struct civil   c = civil_of(local_time(time, offset));
    unsigned       minutes = (unsigned) (offset < 0 ? -offset : offset);

    put_format(&w, "%04lld-%02u-%02uT%02u:%02u:%02u", c.year, c.month, c.day,
               c.hour, c.minute, c.second);

    if (offset == 0) {
        put_text(&w, "Z");

    } else {
        put_format(&w, "%c%02u:%02u", offset < 0 ? '-' : '+', minutes / 60,
                   minutes % 60);
    }

    return w.len;
}


static const char *
word(const struct message *m, const struct label *label)
{
    return label->text[m->chinese ? 1 : 0];
}


static void
begin_line(struct message *m, const struct label *label)
{
    if (m->out.len > 0) {
        put_text(&m->out, "\n");
    }

    put_text(&m->out, word(m, label));
}


static void
line_text(struct message *m, const struct label *label,
    const struct inlets_notice_text *text, size_t max)
{
    if (text->len > 0) {
        begin_line(m, label);
        put_value(&m->out, text, max);
    }
}


static void
line_number(struct message *m, const struct label *label, uint64_t number)
{
    begin_line(m, label);
    put_format(&m->out, "%llu", (unsigned long long) number);
}


static void
put_bytes(struct writer *w, uint64_t bytes)
{
    static const char *const  units[] = { "KB", "MB", "GB" };
    double                    value = (double) bytes / 1024;
    size_t                    unit = 0;

    if (bytes < 1024) {
        put_format(w, "%u B", (unsigned) bytes);
        return;
    }

    while (value >= 1024 && unit < 2) {
        value /= 1024;
        unit++;
    }

    put_format(w, "%.2f %s", value, units[unit]);
}


static void
put_duration(struct writer *w, uint64_t seconds)
{
    unsigned long long  hours = seconds / 3600;
    unsigned            minutes = (unsigned) (seconds % 3600 / 60);

    if (hours > 0) {
        put_format(w, "%lluh ", hours);
    }

    if (hours > 0 || minutes > 0) {
        put_format(w, "%um ", minutes);
    }

    put_format(w, "%us", (unsigned) (seconds % 60));
}


static void
line_traffic(struct message *m, const struct inlets_notice *n)
{
    static const struct label  labels[] = {
        LABEL("Traffic: up ", "流量统计：上传: "),
        LABEL(", down ", ", 下载: "),
        LABEL(", total ", ", 总计: "),
        LABEL(", requests ", ", 请求数: "),
        LABEL(", connections ", ", 连接数: "),
        LABEL(", online for ", ", 运行时长: ")
    };

    begin_line(m, &labels[0]);
    put_bytes(&m->out, n->up);
    put_text(&m->out, word(m, &labels[1]));
    put_bytes(&m->out, n->down);
    put_text(&m->out, word(m, &labels[2]));
    put_bytes(&m->out, n->up + n->down);
    put_text(&m->out, word(m, &labels[3]));
    put_format(&m->out, "%llu", (unsigned long long) n->requests);
    put_text(&m->out, word(m, &labels[4]));
    put_format(&m->out, "%llu", (unsigned long long) n->streams);
    put_text(&m->out, word(m, &labels[5]));
    put_duration(&m->out, n->seconds);
}


static void
lines_client(struct message *m, const struct inlets_notice *n)
{
    line_text(m, &client_version, &n->version, NOTICE_VALUE);
    line_text(m, &client_type, &n->type, NOTICE_VALUE);
    line_text(m, &client_auth, &n->auth, NOTICE_VALUE);

    if (n->host.len > 0) {
        line_text(m, &client_host, &n->host, 2 * NOTICE_VALUE);

    } else {
        line_number(m, &client_port, n->port);
    }

    if (n->event == INLETS_NOTICE_CLIENT_OFFLINE) {
        line_traffic(m, n);
    }
}


static void
make_content(struct message *m, const struct inlets_notice *n)
{
    struct civil  c = civil_of(local_time(n->time, n->offset));

    m->out = writer_of(m->content, sizeof(m->content));

    switch (n->event) {

    case INLETS_NOTICE_SERVER_STARTED:
        line_text(m, &server_version, &n->version, NOTICE_VALUE);

        if (n->address.len > 0) {
            line_text(m, &server_address, &n->address, NOTICE_VALUE);

        } else {
            begin_line(m, &server_address);
            put_text(&m->out, word(m, &unknown));
        }

        break;

    case INLETS_NOTICE_CLIENT_ONLINE:
    case INLETS_NOTICE_CLIENT_OFFLINE:
        lines_client(m, n);
        break;

    case INLETS_NOTICE_SETTINGS_RELOADED:
        line_text(m, &settings_path, &n->path, NOTICE_PATH);
        line_number(m, &settings_clients, n->count);
        break;

    case INLETS_NOTICE_SETTINGS_REJECTED:
        line_text(m, &settings_path, &n->path, NOTICE_PATH);
        line_text(m, &why, &n->reason, NOTICE_REASON);
        break;

    case INLETS_NOTICE_LOGIN_REFUSED:
        line_text(m, &login_address, &n->address, NOTICE_VALUE);
        line_text(m, &login_client, &n->client, NOTICE_VALUE);
        line_number(m, &login_count, n->count);
        line_text(m, &why, &n->reason, NOTICE_REASON);
        break;

    case INLETS_NOTICE_DROPPED:
        line_number(m, &dropped, n->count);
        break;
    }

    begin_line(m, &now);
    put_format(&m->out, "%04lld-%02u-%02u %02u:%02u:%02u", c.year, c.month,
               c.day, c.hour, c.minute, c.second);
}


static void
make_title(struct message *m, const struct inlets_notice *n)
{
    struct writer  *w = &m->out;

    *w = writer_of(m->title, sizeof(m->title));

    put_text(w, word(m, &titles[n->event]));

    switch (n->event) {

    case INLETS_NOTICE_CLIENT_ONLINE:
    case INLETS_NOTICE_CLIENT_OFFLINE:
        put_value(w, &n->client, w->size - w->len - 4);
        break;

    case INLETS_NOTICE_SERVER_STARTED:
    case INLETS_NOTICE_LOGIN_REFUSED:
        if (n->address.len > 0) {
            put_value(w, &n->address, w->size - w->len - 4);

        } else {
            put_text(w, word(m, &unknown));
        }

        break;

    case INLETS_NOTICE_DROPPED:
        put_format(w, "%llu", (unsigned long long) n->count);
        break;

    default:
        break;
    }
}


static void
put_field(struct writer *w, const char *name,
    const struct inlets_notice_text *text, size_t max)
{
    if (text->len > 0) {
        put_format(w, ",\"%s\":", name);
        put_quoted(w, text->data, text->len < max ? text->len : max);
    }
}


static void
put_count(struct writer *w, const char *name, uint64_t number)
{
    put_format(w, ",\"%s\":%llu", name, (unsigned long long) number);
}


static void
webhook_client(struct writer *w, const struct inlets_notice *n)
{
    put_field(w, "client", &n->client, NOTICE_FIELD);
    put_field(w, "version", &n->version, NOTICE_FIELD);
    put_field(w, "type", &n->type, NOTICE_FIELD);
    put_field(w, "auth", &n->auth, NOTICE_FIELD);
    put_field(w, "tunnel", &n->tunnel, NOTICE_FIELD);
    put_field(w, "host", &n->host, NOTICE_FIELD);

    if (n->port != 0) {
        put_count(w, "port", n->port);
    }

    if (n->event == INLETS_NOTICE_CLIENT_OFFLINE) {
        put_field(w, "reason", &n->reason, NOTICE_REASON);
        put_count(w, "up", n->up);
        put_count(w, "down", n->down);
        put_count(w, "requests", n->requests);
        put_count(w, "connections", n->streams);
        put_count(w, "seconds", n->seconds);
    }
}


static void
write_webhook(struct writer *w, const struct message *m,
    const struct inlets_notice *n)
{
    char  time[INLETS_NOTICE_TIME];

    inlets_notice_time(n->time, n->offset, time);

    put_format(w, "{\"event\":\"%s\",\"time\":\"%s\",\"title\":",
               inlets_notice_name(n->event), time);
    put_quoted(w, m->title, strlen(m->title));
    put_text(w, ",\"text\":");
    put_quoted(w, m->content, strlen(m->content));

    switch (n->event) {

    case INLETS_NOTICE_SERVER_STARTED:
        put_field(w, "version", &n->version, NOTICE_FIELD);
        put_field(w, "address", &n->address, NOTICE_FIELD);
        break;

    case INLETS_NOTICE_CLIENT_ONLINE:
    case INLETS_NOTICE_CLIENT_OFFLINE:
        webhook_client(w, n);
        break;

    case INLETS_NOTICE_SETTINGS_RELOADED:
        put_field(w, "path", &n->path, NOTICE_PATH);
        put_count(w, "clients", n->count);
        break;

    case INLETS_NOTICE_SETTINGS_REJECTED:
        put_field(w, "path", &n->path, NOTICE_PATH);
        put_field(w, "reason", &n->reason, NOTICE_REASON);
        break;

    case INLETS_NOTICE_LOGIN_REFUSED:
        put_field(w, "address", &n->address, NOTICE_FIELD);
        put_field(w, "client", &n->client, NOTICE_FIELD);
        put_count(w, "attempts", n->count);
        put_field(w, "reason", &n->reason, NOTICE_REASON);
        break;

    case INLETS_NOTICE_DROPPED:
        put_count(w, "count", n->count);
        break;
    }

    put_text(w, "}");
}


/* "## title", an empty line and the content, as one string. */

static void
put_heading(struct writer *w, const char *marks, const struct message *m)
{
    char           text[8 + INLETS_NOTICE_TITLE + INLETS_NOTICE_CONTENT];
    struct writer  inner = writer_of(text, sizeof(text));

    put_text(&inner, marks);
    put_text(&inner, m->title);
    put_text(&inner, "\n\n");
    put_text(&inner, m->content);

    put_quoted(w, text, inner.len);
}


static void
write_dingtalk(struct writer *w, const struct message *m)
{
    put_text(w, "{\"markdown\":{\"text\":");
    put_heading(w, "## ", m);
    put_text(w, ",\"title\":");
    put_quoted(w, m->title, strlen(m->title));
    put_text(w, "},\"msgtype\":\"markdown\"}");
}


static void
write_feishu(struct writer *w, const struct message *m)
{
    put_text(w, "{\"card\":{\"config\":{\"wide_screen_mode\":true},"
             "\"elements\":[{\"tag\":\"div\",\"text\":{\"content\":");
    put_quoted(w, m->content, strlen(m->content));
    put_text(w, ",\"tag\":\"lark_md\"}}],\"header\":{\"template\":\"blue\","
             "\"title\":{\"content\":");
    put_quoted(w, m->title, strlen(m->title));
    put_text(w, ",\"tag\":\"plain_text\"}}},\"msg_type\":\"interactive\"}");
}


static void
write_wecom(struct writer *w, const struct message *m)
{
    put_text(w, "{\"markdown\":{\"content\":");
    put_heading(w, "# ", m);
    put_text(w, "},\"msgtype\":\"markdown\"}");
}


static void
write_slack(struct writer *w, const struct message *m)
{
    put_text(w, "{\"blocks\":[{\"text\":{\"text\":");
    put_quoted(w, m->title, strlen(m->title));
    put_text(w, ",\"type\":\"plain_text\"},\"type\":\"header\"},"
             "{\"text\":{\"text\":");
    put_quoted(w, m->content, strlen(m->content));
    put_text(w, ",\"type\":\"mrkdwn\"},\"type\":\"section\"}],\"text\":");
    put_quoted(w, m->title, strlen(m->title));
    put_text(w, "}");
}


int
inlets_notice_write(const struct inlets_notice *notice,
    enum inlets_notice_provider provider, bool chinese, char *buf, size_t size)
{
    struct message  m = { .chinese = chinese };
    struct writer   w = writer_of(buf, size);

    if ((size_t) notice->event >= EVENTS) {
        return INLETS_E_INVALID;
    }

    make_title(&m, notice);
    make_content(&m, notice);

    switch (provider) {

    case INLETS_NOTICE_DINGTALK:
        write_dingtalk(&w, &m);
        break;

    case INLETS_NOTICE_FEISHU:
        write_feishu(&w, &m);
        break;

    case INLETS_NOTICE_WECOM:
        write_wecom(&w, &m);
        break;

    case INLETS_NOTICE_SLACK:
        write_slack(&w, &m);
        break;

    case INLETS_NOTICE_WEBHOOK:
        write_webhook(&w, &m, notice);
        break;

    default:
        return INLETS_E_INVALID;
    }

    return w.full ? INLETS_E_NO_SPACE : (int) w.len;
}


static void
base64(const uint8_t *data, size_t len, char *ret)
{
    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t  v = (uint32_t) data[i] << 16;

        v |= i + 1 < len ? (uint32_t) data[i + 1] << 8 : 0;
        v |= i + 2 < len ? data[i + 2] : 0;

        *ret++ = digits[v >> 18];
        *ret++ = digits[v >> 12 & 63];
        *ret++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
        *ret++ = i + 2 < len ? digits[v & 63] : '=';
    }

    *ret = '\0';
}


/* "time LF secret", which both sign, one as the message, one as the key. */

static int
signed_text(const void *secret, size_t len, int64_t time, char *buf,
    size_t size, size_t *ret_len)
{
    struct writer  w = writer_of(buf, size);

    put_format(&w, "%lld\n", (long long) time);
    put(&w, secret, len);

    *ret_len = w.len;

    return w.full ? INLETS_E_NO_SPACE : INLETS_OK;
}


int
inlets_notice_sign_dingtalk(const void *secret, size_t len, int64_t time,
    char ret[INLETS_NOTICE_SIGNATURE + 1])
{
    uint8_t  digest[INLETS_SHA256_LEN];
    char     text[INLETS_NOTICE_SECRET + 32];
    size_t   text_len;
    int      rc;

    rc = signed_text(secret, len, time, text, sizeof(text), &text_len);

    if (rc == INLETS_OK) {
        rc = inlets_hmac_sha256(secret, len, text, text_len, digest);
    }

    inlets_sign_wipe(text, sizeof(text));

    if (rc == INLETS_OK) {
        base64(digest, sizeof(digest), ret);
    }

    return rc;
}


int
inlets_notice_sign_feishu(const void *secret, size_t len, int64_t time,
    char ret[INLETS_NOTICE_SIGNATURE + 1])
{
    uint8_t  digest[INLETS_SHA256_LEN];
    char     key[INLETS_NOTICE_SECRET + 32];
    size_t   key_len;
    int      rc;

    rc = signed_text(secret, len, time, key, sizeof(key), &key_len);

    if (rc == INLETS_OK) {
        rc = inlets_hmac_sha256(key, key_len, "", 0, digest);
    }

    inlets_sign_wipe(key, sizeof(key));

    if (rc == INLETS_OK) {
        base64(digest, sizeof(digest), ret);
    }

    return rc;
}


int
inlets_notice_sign_webhook(const void *secret, size_t len, int64_t time,
    const char *payload, char ret[INLETS_NOTICE_HEX + 1])
{
    static const char  digits[] = "0123456789abcdef";
    uint8_t            digest[INLETS_SHA256_LEN];
    char               text[INLETS_NOTICE_SIZE + 32];
    struct writer      w = writer_of(text, sizeof(text));
    int                rc;

    put_format(&w, "%lld.", (long long) time);
    put_text(&w, payload);

    if (w.full) {
        return INLETS_E_NO_SPACE;
    }

    rc = inlets_hmac_sha256(secret, len, text, w.len, digest);

    if (rc != INLETS_OK) {
        return rc;
    }

    for (size_t i = 0; i < sizeof(digest); i++) {
        ret[2 * i] = digits[digest[i] >> 4];
        ret[2 * i + 1] = digits[digest[i] & 15];
    }

    ret[INLETS_NOTICE_HEX] = '\0';

    return INLETS_OK;
}


int
inlets_notice_sign_url(const char *url, const char *signature, int64_t time,
    char *buf, size_t size)
{
    struct writer  w = writer_of(buf, size);
    size_t         len = strcspn(url, "#");

    put(&w, url, len);
    put_format(&w, "%ctimestamp=%lld&sign=",
               memchr(url, '?', len) != NULL ? '&' : '?', (long long) time);

    for (const char *p = signature; *p != '\0'; p++) {
        if (*p == '+' || *p == '/' || *p == '=') {
            put_format(&w, "%%%02X", (unsigned) *p);

        } else {
            put(&w, p, 1);
        }
    }

    return w.full ? INLETS_E_NO_SPACE : (int) w.len;
}


int
inlets_notice_sign_body(const char *payload, const char *signature,
    int64_t time, char *buf, size_t size)
{
    struct writer  w = writer_of(buf, size);

    if (payload[0] != '{') {
        return INLETS_E_INVALID;
    }

    put_format(&w, "{\"timestamp\":\"%lld\",\"sign\":\"%s\",",
               (long long) time, signature);
    put_text(&w, payload + 1);

    return w.full ? INLETS_E_NO_SPACE : (int) w.len;
}
