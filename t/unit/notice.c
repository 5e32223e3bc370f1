/*
 * Notices: payloads of each provider, languages, signatures, hostile texts.
 */

#include "inlets_notice.h"

#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "tap.h"


#define TEXT(s)  { s, sizeof(s) - 1 }

#define TIME     1773532800     /* 2026-03-15 00:00:00 UTC */


static const struct inlets_notice  online = {
    .event = INLETS_NOTICE_CLIENT_ONLINE,
    .time = TIME,
    .offset = 480,
    .client = TEXT("alice"),
    .version = TEXT("2.0.0"),
    .type = TEXT("tcp"),
    .auth = TEXT("credentials"),
    .tunnel = TEXT("5f2b0000-0000-4000-8000-000000000001"),
    .port = 20022
};


static char  buf[INLETS_NOTICE_SIZE];


static const char *
write_notice(const struct inlets_notice *n,
    enum inlets_notice_provider provider, bool chinese)
{
    int  rc = inlets_notice_write(n, provider, chinese, buf, sizeof(buf));

    return rc == (int) strlen(buf) ? buf : "wrong length";
}


static void
test_providers(void)
{
    is_str(write_notice(&online, INLETS_NOTICE_DINGTALK, true),
           "{\"markdown\":{\"text\":\"## [上线] 客户端 - alice\\n\\n"
           "客户端版本：2.0.0\\n客户端类型：tcp\\n客户端授权方式：credentials\\n"
           "客户端端口：20022\\n当前时间：2026-03-15 08:00:00\","
           "\"title\":\"[上线] 客户端 - alice\"},\"msgtype\":\"markdown\"}",
           "dingtalk, zh");

    is_str(write_notice(&online, INLETS_NOTICE_FEISHU, true),
           "{\"card\":{\"config\":{\"wide_screen_mode\":true},\"elements\":"
           "[{\"tag\":\"div\",\"text\":{\"content\":\"客户端版本：2.0.0\\n"
           "客户端类型：tcp\\n客户端授权方式：credentials\\n客户端端口：20022\\n"
           "当前时间：2026-03-15 08:00:00\",\"tag\":\"lark_md\"}}],\"header\":"
           "{\"template\":\"blue\",\"title\":{\"content\":"
           "\"[上线] 客户端 - alice\",\"tag\":\"plain_text\"}}},"
           "\"msg_type\":\"interactive\"}",
           "feishu, zh");

    is_str(write_notice(&online, INLETS_NOTICE_WECOM, false),
           "{\"markdown\":{\"content\":\"# [Online] client - alice\\n\\n"
           "Client version: 2.0.0\\nType: tcp\\nAuthentication: credentials\\n"
           "Port: 20022\\nTime: 2026-03-15 08:00:00\"},"
           "\"msgtype\":\"markdown\"}",
           "wecom, en");

    is_str(write_notice(&online, INLETS_NOTICE_SLACK, false),
           "{\"blocks\":[{\"text\":{\"text\":\"[Online] client - alice\","
           "\"type\":\"plain_text\"},\"type\":\"header\"},{\"text\":{\"text\":"
           "\"Client version: 2.0.0\\nType: tcp\\nAuthentication: "
           "credentials\\nPort: 20022\\nTime: 2026-03-15 08:00:00\","
           "\"type\":\"mrkdwn\"},\"type\":\"section\"}],"
           "\"text\":\"[Online] client - alice\"}",
           "slack, en");

    is_str(write_notice(&online, INLETS_NOTICE_WEBHOOK, false),
           "{\"event\":\"client_online\",\"time\":\"2026-03-15T08:00:00+08:00\""
           ",\"title\":\"[Online] client - alice\",\"text\":\"Client version: "
           "2.0.0\\nType: tcp\\nAuthentication: credentials\\nPort: 20022\\n"
           "Time: 2026-03-15 08:00:00\",\"client\":\"alice\",\"version\":"
           "\"2.0.0\",\"type\":\"tcp\",\"auth\":\"credentials\",\"tunnel\":"
           "\"5f2b0000-0000-4000-8000-000000000001\",\"port\":20022}",
           "webhook, en");

    is_int(inlets_notice_write(&online, INLETS_NOTICE_NOWHERE, false, buf,
                               sizeof(buf)),
           INLETS_E_INVALID, "no provider");
}


static void
test_events(void)
{
    struct inlets_notice  n = online;

    n.event = INLETS_NOTICE_CLIENT_OFFLINE;
    n.type = (struct inlets_notice_text) TEXT("http");
    n.host = (struct inlets_notice_text) TEXT("demo.example.com");
    n.reason = (struct inlets_notice_text) TEXT("client is silent");
    n.port = 0;
    n.up = 1023;
    n.down = 3 * 1024 * 1024 + 512 * 1024;
    n.requests = 7;
    n.streams = 8;
    n.seconds = 3723;

    is_str(write_notice(&n, INLETS_NOTICE_WECOM, true),
           "{\"markdown\":{\"content\":\"# [掉线] 客户端 - alice\\n\\n"
           "客户端版本：2.0.0\\n客户端类型：http\\n客户端授权方式：credentials\\n"
           "客户端域名：demo.example.com\\n流量统计：上传: 1023 B, 下载: 3.50 MB, "
           "总计: 3.50 MB, 请求数: 7, 连接数: 8, 运行时长: 1h 2m 3s\\n"
           "当前时间：2026-03-15 08:00:00\"},\"msgtype\":\"markdown\"}",
           "offline, zh");

    n.seconds = 123;
    n.up = 2048;
    write_notice(&n, INLETS_NOTICE_WEBHOOK, false);
    ok(strstr(buf, "\\nTraffic: up 2.00 KB, down 3.50 MB, total 3.50 MB, "
                   "requests 7, connections 8, online for 2m 3s\\n") != NULL,
       "offline, en");
    ok(strstr(buf, "\"host\":\"demo.example.com\",\"reason\":\"client is "
                   "silent\",\"up\":2048,\"down\":3670016,\"requests\":7,"
                   "\"connections\":8,\"seconds\":123}") != NULL,
       "offline, fields");

    n = (struct inlets_notice) { .event = INLETS_NOTICE_SERVER_STARTED,
                                 .time = TIME, .version = TEXT("0.1.0"),
                                 .address = TEXT("192.0.2.1") };

    is_str(write_notice(&n, INLETS_NOTICE_WECOM, true),
           "{\"markdown\":{\"content\":\"# [服务端][启动] 成功 - 192.0.2.1\\n\\n"
           "服务端版本：0.1.0\\n服务端IP: 192.0.2.1\\n"
           "当前时间：2026-03-15 00:00:00\"},\"msgtype\":\"markdown\"}",
           "started, zh");

    n.address.len = 0;
    write_notice(&n, INLETS_NOTICE_WECOM, true);
    ok(strstr(buf, "成功 - 未知\\n") != NULL
       && strstr(buf, "服务端IP: 未知\\n") != NULL, "address unknown");

    n.event = INLETS_NOTICE_SETTINGS_RELOADED;
    n.path = (struct inlets_notice_text) TEXT("/etc/inlets.yaml");
    n.count = 3;
    is_str(write_notice(&n, INLETS_NOTICE_WEBHOOK, false),
           "{\"event\":\"settings_reloaded\",\"time\":\"2026-03-15T00:00:00Z\","
           "\"title\":\"[Settings] reloaded\",\"text\":\"File: "
           "/etc/inlets.yaml\\nClients: 3\\nTime: 2026-03-15 00:00:00\","
           "\"path\":\"/etc/inlets.yaml\",\"clients\":3}",
           "settings reloaded");

    n.event = INLETS_NOTICE_SETTINGS_REJECTED;
    n.reason = (struct inlets_notice_text) TEXT("line 3: \"x\" is unknown");
    write_notice(&n, INLETS_NOTICE_WEBHOOK, false);
    ok(strstr(buf, "\\nReason: line 3: \\\"x\\\" is unknown\\nTime") != NULL
       && strstr(buf, "\"reason\":\"line 3: \\\"x\\\" is unknown\"}") != NULL,
       "settings rejected");

    n.event = INLETS_NOTICE_LOGIN_REFUSED;
    n.address = (struct inlets_notice_text) TEXT("2001:db8::1");
    n.client = (struct inlets_notice_text) TEXT("mallory");
    n.count = 5;
    write_notice(&n, INLETS_NOTICE_WEBHOOK, false);
    ok(strstr(buf, "\"title\":\"[Login] refused repeatedly - 2001:db8::1\"")
       != NULL
       && strstr(buf, "\"client\":\"mallory\",\"attempts\":5,") != NULL,
       "login refused");

    n.event = INLETS_NOTICE_DROPPED;
    write_notice(&n, INLETS_NOTICE_WEBHOOK, false);
    ok(strstr(buf, "{\"event\":\"notifications_dropped\"") != NULL
       && strstr(buf, "\"count\":5}") != NULL, "dropped");
}


static void
test_hostile(void)
{
    static char           text[100000];
    struct inlets_notice  n = online;
    bool                  fits = true;
    size_t                len;

    n.client = (struct inlets_notice_text) TEXT("[x](http://evil)<!channel>`\n"
                                                "\xe2\x80\xae\xff\"\\");
    write_notice(&n, INLETS_NOTICE_SLACK, false);
    ok(strstr(buf, "client - (x)(http://evil)"
                   "\xe2\x80\xb9!channel\xe2\x80\xba'  \xef\xbf\xbd"
                   "\\\"\\\\\"")
       != NULL, "no markup in a chat");

    write_notice(&n, INLETS_NOTICE_WEBHOOK, false);
    ok(strstr(buf, "\"client\":\"[x](http://evil)\\u003c!channel\\u003e`\\n"
                   "\xe2\x80\xae\\ufffd\\\"\\\\\"") != NULL,
       "a webhook gets what there was");

    /* the longest of everything, in what takes most room when escaped */

    memset(text, 1, sizeof(text));
    n.client = n.version = n.type = n.auth = n.tunnel = n.host = n.path
        = n.reason = n.address
        = (struct inlets_notice_text) { text, sizeof(text) };
    n.up = n.down = n.requests = n.streams = n.seconds = n.count = UINT64_MAX;
    n.port = 65535;
    n.time = INT64_MAX;

    for (unsigned fill = 1; fill < 256; fill++) {
        memset(text, (int) fill, sizeof(text));

        for (int event = 0; event <= INLETS_NOTICE_DROPPED; event++) {
            for (int to = INLETS_NOTICE_DINGTALK; to <= INLETS_NOTICE_WEBHOOK;
                 to++)
            {
                n.event = (enum inlets_notice_event) event;
                fits = fits
                       && inlets_notice_write(&n,
                              (enum inlets_notice_provider) to, event % 2,
                              buf, sizeof(buf)) > 0;
            }
        }
    }

    ok(fits, "every payload fits");

    n = online;
    len = strlen(write_notice(&n, INLETS_NOTICE_WEBHOOK, false));

    for (size_t size = 0; size <= len; size++) {
        char  *small = malloc(size + 1);

        small[size] = '#';
        fits = fits
               && inlets_notice_write(&n, INLETS_NOTICE_WEBHOOK, false, small,
                                      size)
                  == INLETS_E_NO_SPACE
               && small[size] == '#';
        free(small);
    }

    ok(fits, "no buffer is overrun");
}


static void
test_quote(void)
{
    char    quoted[64];
    char    cut[4];
    size_t  n;

    static const struct {
        const char  *text;
        const char  *json;
    } cases[] = {
        { "", "\"\"" },
        { "a\"b\\c\n\r\t\x01", "\"a\\\"b\\\\c\\n\\r\\t\\u0001\"" },
        { "<&>", "\"\\u003c\\u0026\\u003e\"" },
        { "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
        { "\xe2\x80\xa8", "\"\\u2028\"" },
        { "\xc0\x80", "\"\\ufffd\\ufffd\"" },           /* overlong */
        { "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },    /* surrogate */
        { "\xf5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { "\xe2\x82", "\"\\ufffd\\ufffd\"" },           /* cut */
        { "\xef\xbf\xbd", "\"\xef\xbf\xbd\"" },
        { "\x7f", "\"\x7f\"" }
    };

    for (n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        int  rc = inlets_notice_quote(cases[n].text, strlen(cases[n].text),
                                      quoted, sizeof(quoted));

        is_str(quoted, cases[n].json, "JSON text");
        is_int(rc, (int) strlen(cases[n].json), "its length");
    }

    is_int(inlets_notice_quote("ab", 2, cut, 4), INLETS_E_NO_SPACE,
           "one byte too small");
    is_int(inlets_notice_quote("a", 1, cut, 4), 3, "just enough");
}


static void
test_time(void)
{
    char  text[INLETS_NOTICE_TIME];

    static const struct {
        int64_t      time;
        int          offset;
        const char  *text;
    } cases[] = {
        { 0, 0, "1970-01-01T00:00:00Z" },
        { 951782400, 0, "2000-02-29T00:00:00Z" },
        { 951868799, 0, "2000-02-29T23:59:59Z" },
        { 1709164800, 60, "2024-02-29T01:00:00+01:00" },
        { 4107542400, 0, "2100-03-01T00:00:00Z" },
        { 1767225599, 0, "2025-12-31T23:59:59Z" },
        { 0, -90, "1969-12-31T22:30:00-01:30" },
        { INT64_MAX, 0, "1970-01-01T00:00:00Z" },
        { INT64_MIN, 0, "1970-01-01T00:00:00Z" }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        inlets_notice_time(cases[i].time, cases[i].offset, text);
        is_str(text, cases[i].text, "time");
    }
}


static void
test_signatures(void)
{
    char  sign[INLETS_NOTICE_SIGNATURE + 1], hex[INLETS_NOTICE_HEX + 1];
    char  text[256], secret[INLETS_NOTICE_SECRET];
    int   len;

    is_int(inlets_notice_sign_dingtalk("SECtest", 7, 1700000000000, sign),
           INLETS_OK, "dingtalk");
    is_str(sign, "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g=",
           "its signature");

    len = inlets_notice_sign_url("https://h/send?access_token=t", sign,
                                 1700000000000, text, sizeof(text));
    is_int(len, (int) strlen(text), "length of the URL");
    is_str(text, "https://h/send?access_token=t&timestamp=1700000000000&sign="
                 "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g%3D",
           "URL with the signature");

    inlets_notice_sign_url("https://h/send#x", "a+/=", 1, text, sizeof(text));
    is_str(text, "https://h/send?timestamp=1&sign=a%2B%2F%3D",
           "URL without a query");
    is_int(inlets_notice_sign_url("https://h/send", "a+/=", 1, text, 20),
           INLETS_E_NO_SPACE, "URL too long");

    is_int(inlets_notice_sign_feishu("SECtest", 7, 1700000000, sign),
           INLETS_OK, "feishu");
    is_str(sign, "G7XpBpG8NgG02fJOAhX6FRAObIljmFoxVReo8I62pEk=",
           "its signature");

    len = inlets_notice_sign_body("{\"a\":1}", "SIG", 1700000000, text,
                                  sizeof(text));
    is_int(len, (int) strlen(text), "length of the body");
    is_str(text, "{\"timestamp\":\"1700000000\",\"sign\":\"SIG\",\"a\":1}",
           "body with the signature");

    is_int(inlets_notice_sign_webhook("SECtest", 7, 1700000000, "{\"a\":1}",
                                      hex),
           INLETS_OK, "webhook");
    is_str(hex,
           "fcb51ec4942f871bf6bb7039d37a5ac7dd46311afc0620d07c5c84f8958cb4d1",
           "its signature");

    memset(secret, 'x', sizeof(secret));
    is_int(inlets_notice_sign_feishu(secret, sizeof(secret), INT64_MIN, sign),
           INLETS_OK, "the longest secret");
    is_int(inlets_notice_sign_dingtalk("", 0, 1, sign), INLETS_E_INVALID,
           "no secret");
}


int
main(void)
{
    test_providers();
    test_events();
    test_hostile();
    test_quote();
    test_time();
    test_signatures();

    return tap_done();
}
