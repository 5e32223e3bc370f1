/*
 * Lines of the log, as text and as JSON, of any bytes.
 */

#include <regex.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "../../client/log.h"
#include "../../client/text.h"

#include "tap.h"


#define TIME  "\\[inlets\\] [0-9]{4}/[0-9]{2}/[0-9]{2} [0-9:]{8} "


static char      line[65536];
static size_t    line_len;
static unsigned  lines;
static bool      full;


static bool
take(void *data, const char *text, size_t len)
{
    (void) data;

    if (full) {
        return false;
    }

    memcpy(line, text, len);
    line[len] = '\0';
    line_len = len;
    lines++;

    return true;
}


static bool
is_like(const char *pattern)
{
    regex_t  re;
    bool     like;

    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }

    like = regexec(&re, line, 0, NULL, 0) == 0;
    regfree(&re);

    if (!like) {
        printf("# got: %s", line);
    }

    return like;
}


static void
test_text(void)
{
    inlets_log_set_format(INLETS_LOG_TEXT);

    inlets_log(INLETS_LOG_INFO, "hello %d", 7);
    ok(is_like("^" TIME "hello 7\n$"), "text");

    inlets_log(INLETS_LOG_WARN, "careful");
    ok(is_like("^" TIME "warning: careful\n$"), "warning");

    inlets_log(INLETS_LOG_ERROR, "bad");
    ok(is_like("^" TIME "error: bad\n$"), "error");

    inlets_log_notice("Forwarding: a -> b");
    is_str(line, "Forwarding: a -> b\n", "notice");

    inlets_log_notice("a\nb\033[2Jc\xc2\x9b" "d\xff\xc3\xa4 \r\n");
    is_str(line, "a b [2Jc d?\xc3\xa4\n", "nothing to act upon");

    lines = 0;
    inlets_log(INLETS_LOG_DEBUG, "too much");
    is_int(lines, 0, "levels");

    inlets_log_request("web", "GET", "/a\033b", 200, 12);
    ok(is_like("^" TIME "\\[http\\] web: GET /a b 200 12 ms\n$"), "request");

    inlets_log_request(NULL, "PUT", "/", 0, 0);
    ok(is_like("^" TIME "\\[http\\] PUT / - 0 ms\n$"), "without an answer");
}


static const char *
json_text(const char *name)
{
    static char   text[4096];
    cJSON        *json = cJSON_ParseWithOpts(line, NULL, 1);
    const cJSON  *item = cJSON_GetObjectItemCaseSensitive(json, name);

    (void) snprintf(text, sizeof(text), "%s",
                    cJSON_IsString(item) ? item->valuestring
                    : json != NULL ? "(none)" : "(no JSON)");
    cJSON_Delete(json);

    return text;
}


static void
test_json(void)
{
    static const char  wild[] = "\001\037\"\\/\177\xc2\x80\xe2\x80\xa8\xf0\x9f"
                                "\x98\x80\n";

    inlets_log_set_format(INLETS_LOG_JSON);

    inlets_log(INLETS_LOG_WARN, "say \"%s\"", "hi");
    ok(is_like("^\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z"
               "\",\"level\":\"warn\",\"msg\":\"say \\\\\"hi\\\\\"\"\\}\n$"),
       "JSON");

    inlets_log_notice("%s", wild);
    is_str(json_text("level"), "notice", "notice");
    is_str(json_text("msg"), wild, "whatever it is, it comes back");

    inlets_log(INLETS_LOG_INFO, "%s", "a\xff\xfe\xed\xa0\x80z\xe2\x82");
    is_str(json_text("msg"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
           "\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd", "no UTF-8");

    inlets_log_request("we\"b", "GET", "/?a=\"b\"", 404, 1234567890123);
    ok(is_like(",\"level\":\"info\",\"msg\":\"request\",\"tunnel\":"
               "\"we\\\\\"b\",\"method\":\"GET\",\"path\":\"/\\?a=\\\\\"b\\\\\""
               "\",\"status\":404,\"ms\":1234567890123\\}\n$"), "request");
    is_str(json_text("path"), "/?a=\"b\"", "its path");

    inlets_log_request(NULL, "GET", "/", 0, 5);
    ok(is_like("\"request\",\"method\":\"GET\",\"path\":\"/\",\"status\":0,"
               "\"ms\":5\\}\n$"), "without a name");
}


static void
test_bytes(void)
{
    bool      text = true, json = true;
    unsigned  seed = 1;

    for (unsigned round = 0; round < 2000; round++) {
        char      any[2000];
        unsigned  len;

        seed = seed * 1103515245 + 12345;
        len = (seed >> 8) % sizeof(any);

        for (unsigned i = 0; i < len; i++) {
            seed = seed * 1103515245 + 12345;
            any[i] = (char) (seed >> 16 | (round % 3 == 0 ? 0x80 : 0));
        }

        any[len > 0 ? len - 1 : 0] = '\0';

        inlets_log_set_format(INLETS_LOG_JSON);
        inlets_log(INLETS_LOG_ERROR, "%s", any);
        json = json && strcmp(json_text("level"), "error") == 0
               && strchr(line, '\n') == line + line_len - 1;

        inlets_log_set_format(INLETS_LOG_TEXT);
        inlets_log_notice("%s", any);

        for (size_t i = 0; i + 1 < line_len; ) {
            uint32_t  c;

            i += inlets_text_next(line + i, line_len - i, &c);
            text = text && c != INLETS_TEXT_INVALID
                   && !inlets_text_is_control(c);
        }
    }

    ok(json, "any bytes: JSON, in one line");
    ok(text, "any bytes: text, in one line");
}


static void
test_lost(void)
{
    inlets_log_set_format(INLETS_LOG_JSON);

    full = true;
    inlets_log(INLETS_LOG_INFO, "one");
    inlets_log(INLETS_LOG_INFO, "two");
    full = false;

    lines = 0;
    inlets_log(INLETS_LOG_INFO, "three");
    is_int(lines, 2, "a line more, after some were lost");
    is_str(json_text("msg"), "three", "before the next one");

    inlets_log_set_format(INLETS_LOG_TEXT);

    full = true;
    inlets_log(INLETS_LOG_INFO, "one");
    full = false;

    lines = 0;
    inlets_log(INLETS_LOG_INFO, "two");
    is_int(lines, 2, "likewise as text");
}


int
main(void)
{
    (void) setenv("NO_COLOR", "1", 1);

    inlets_log_init(INLETS_LOG_INFO, true);
    inlets_log_set_sink(take, NULL);

    test_text();
    test_json();
    test_bytes();
    test_lost();

    inlets_log_set_sink(NULL, NULL);

    return tap_done();
}
