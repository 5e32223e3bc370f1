#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"
#include "term.h"
#include "text.h"


#define LOG_TEXT  1200      /* longest text */
#define LOG_LINE  12000     /* of 6 bytes each, escaped; the fields around it */

#define COLOUR_ERROR  "\033[31m"
#define COLOUR_WARN   "\033[33m"
#define COLOUR_OFF    "\033[0m"


struct log_line {
    size_t  len;
    char    data[LOG_LINE];
};


static struct {
    enum inlets_log_level   level;
    enum inlets_log_format  format;
    bool                    utc;
    bool                    colour;
    bool                    ascii;      /* the terminal knows no more */
    unsigned long           lost;       /* lines, since one was written */
    inlets_log_sink         sink;
    void                   *sink_data;
} logger = { .level = INLETS_LOG_INFO };


void
inlets_log_init(enum inlets_log_level level, bool utc)
{
    (void) setlocale(LC_CTYPE, "");

    logger.level = level;
    logger.utc = utc;
    logger.colour = inlets_term_has_colour(STDOUT_FILENO);
    logger.ascii = isatty(STDOUT_FILENO) && !inlets_term_has_utf8();
}


void
inlets_log_set_format(enum inlets_log_format format)
{
    logger.format = format;
}


bool
inlets_log_enabled(enum inlets_log_level level)
{
    return level <= logger.level;
}


bool
inlets_log_is_utc(void)
{
    return logger.utc;
}


void
inlets_log_attach(struct uv_loop_s *loop)
{
    inlets_output_attach(loop);
}


void
inlets_log_detach(void)
{
    inlets_output_detach();
}


void
inlets_log_set_sink(inlets_log_sink sink, void *data)
{
    logger.sink = sink;
    logger.sink_data = data;
}


static void
line_add(struct log_line *line, const char *text, size_t len)
{
    size_t  room = sizeof(line->data) - line->len;

    if (len > room) {
        len = room;
    }

    memcpy(line->data + line->len, text, len);
    line->len += len;
}


static void
line_put(struct log_line *line, const char *text)
{
    line_add(line, text, strlen(text));
}


static void
line_number(struct log_line *line, uint64_t n)
{
    char  buf[24];

    (void) snprintf(buf, sizeof(buf), "%" PRIu64, n);
    line_put(line, buf);
}


static void
line_time(struct log_line *line)
{
    char       buf[40];
    size_t     len = 0;
    time_t     now = time(NULL);
    struct tm  tm;

    if ((logger.utc ? gmtime_r(&now, &tm) : localtime_r(&now, &tm)) != NULL) {
        len = strftime(buf, sizeof(buf), "[inlets] %Y/%m/%d %H:%M:%S ", &tm);
    }

    line_add(line, buf, len);
}


/* Where bytes are characters, those from 0x80 to 0x9f are controls. */

static bool
is_strange(uint32_t c)
{
    return logger.ascii && c >= 0x80;
}


static void
line_clean(struct log_line *line, const char *text)
{
    size_t  len = strlen(text);

    while (len > 0) {
        uint32_t  c;
        size_t    n = inlets_text_next(text, len, &c);

        if (inlets_text_is_control(c)) {
            line_put(line, " ");

        } else if (c == INLETS_TEXT_INVALID || is_strange(c)) {
            line_put(line, "?");

        } else {
            line_add(line, text, n);
        }

        text += n;
        len -= n;
    }
}


static void
line_trim(struct log_line *line, size_t start)
{
    while (line->len > start && line->data[line->len - 1] == ' ') {
        line->len--;
    }
}


static void
line_json(struct log_line *line, const char *text)
{
    size_t  len = strlen(text);
    char    escaped[8];

    line_put(line, "\"");

    while (len > 0) {
        uint32_t  c;
        size_t    n = inlets_text_next(text, len, &c);

        if (c == INLETS_TEXT_INVALID || (is_strange(c) && c > 0xffff)) {
            line_put(line, "\\ufffd");

        } else if (c == '"' || c == '\\') {
            line_put(line, "\\");
            line_add(line, text, n);

        } else if (inlets_text_is_control(c) || is_strange(c)) {
            (void) snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned) c);
            line_put(line, escaped);

        } else {
            line_add(line, text, n);
        }

        text += n;
        len -= n;
    }

    line_put(line, "\"");
}


static void
line_json_start(struct log_line *line, const char *level, const char *msg)
{
    char             stamp[32], buf[40];
    struct timespec  now;
    struct tm        tm;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    if (gmtime_r(&now.tv_sec, &tm) == NULL
        || strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
    {
        stamp[0] = '\0';
    }

    (void) snprintf(buf, sizeof(buf), "%s.%03uZ", stamp,
                    (unsigned) (now.tv_nsec / 1000000));

    line_put(line, "{\"time\":\"");
    line_put(line, buf);
    line_put(line, "\",\"level\":\"");
    line_put(line, level);
    line_put(line, "\",\"msg\":");
    line_json(line, msg);
}


static void
line_json_field(struct log_line *line, const char *name, const char *text)
{
    line_put(line, ",\"");
    line_put(line, name);
    line_put(line, "\":");

    if (text != NULL) {
        line_json(line, text);
    }
}


static bool
line_emit(const struct log_line *line)
{
    return logger.sink != NULL
           ? logger.sink(logger.sink_data, line->data, line->len)
           : inlets_output_write(line->data, line->len);
}


/* A line of its own, as nothing else would tell that some are missing. */

static bool
tell_lost(void)
{
    struct log_line  line;
    char             text[80];

    line.len = 0;

    (void) snprintf(text, sizeof(text), "%lu line%s of the log left out, as "
                    "nobody has read them", logger.lost,
                    logger.lost == 1 ? "" : "s");

    if (logger.format == INLETS_LOG_JSON) {
        line_json_start(&line, "warn", text);
        line_put(&line, "}");

    } else {
        line_time(&line);
        line_put(&line, "warning: ");
        line_put(&line, text);
    }

    line_put(&line, "\n");

    return line_emit(&line);
}


static void
line_write(struct log_line *line)
{
    if (line->len == sizeof(line->data)) {
        line->len--;
    }

    line_put(line, "\n");

    if (logger.lost > 0) {
        if (!tell_lost()) {
            logger.lost++;
            return;
        }

        logger.lost = 0;
    }

    if (!line_emit(line)) {
        logger.lost++;
    }
}


static void
line_level(struct log_line *line, enum inlets_log_level level)
{
    if (level > INLETS_LOG_WARN) {
        return;
    }

    if (logger.colour) {
        line_put(line, level == INLETS_LOG_ERROR ? COLOUR_ERROR : COLOUR_WARN);
    }

    line_put(line, level == INLETS_LOG_ERROR ? "error:" : "warning:");

    if (logger.colour) {
        line_put(line, COLOUR_OFF);
    }

    line_put(line, " ");
}


void
inlets_log(enum inlets_log_level level, const char *format, ...)
{
    static const char *const  names[] = { "error", "warn", "info", "debug" };

    struct log_line  line;
    char             text[LOG_TEXT];
    va_list          ap;

    if (!inlets_log_enabled(level)) {
        return;
    }

    va_start(ap, format);
    (void) vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    line.len = 0;

    if (logger.format == INLETS_LOG_JSON) {
        line_json_start(&line, names[level], text);
        line_put(&line, "}");

    } else {
        size_t  start;

        line_time(&line);
        line_level(&line, level);

        start = line.len;

        line_clean(&line, text);
        line_trim(&line, start);
    }

    line_write(&line);
}


void
inlets_log_notice(const char *format, ...)
{
    struct log_line  line;
    char             text[LOG_TEXT];
    va_list          ap;

    va_start(ap, format);
    (void) vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    line.len = 0;

    if (logger.format == INLETS_LOG_JSON) {
        line_json_start(&line, "notice", text);
        line_put(&line, "}");

    } else {
        line_clean(&line, text);
        line_trim(&line, 0);
    }

    line_write(&line);
}


static void
request_json(struct log_line *line, const char *tunnel, const char *method,
    const char *path, unsigned status, uint64_t ms)
{
    line_json_start(line, "info", "request");

    if (tunnel != NULL) {
        line_json_field(line, "tunnel", tunnel);
    }

    line_json_field(line, "method", method);
    line_json_field(line, "path", path);
    line_json_field(line, "status", NULL);
    line_number(line, status);
    line_json_field(line, "ms", NULL);
    line_number(line, ms);
    line_put(line, "}");
}


void
inlets_log_request(const char *tunnel, const char *method, const char *path,
    unsigned status, uint64_t ms)
{
    struct log_line  line;

    if (!inlets_log_enabled(INLETS_LOG_INFO)) {
        return;
    }

    line.len = 0;

    if (logger.format == INLETS_LOG_JSON) {
        request_json(&line, tunnel, method, path, status, ms);
        line_write(&line);
        return;
    }

    line_time(&line);
    line_put(&line, "[http] ");

    if (tunnel != NULL) {
        line_clean(&line, tunnel);
        line_put(&line, ": ");
    }

    line_clean(&line, method);
    line_put(&line, " ");
    line_clean(&line, path);
    line_put(&line, " ");

    if (status == 0) {
        line_put(&line, "-");

    } else {
        line_number(&line, status);
    }

    line_put(&line, " ");
    line_number(&line, ms);
    line_put(&line, " ms");

    line_write(&line);
}


/* Standard error is no place for the log: it may well block, once. */

static void
fatal_write(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t  n = write(STDERR_FILENO, text, len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return;
        }

        text += n;
        len -= (size_t) n;
    }
}


void
inlets_log_fatal(const char *format, ...)
{
    struct log_line  line;
    char             text[LOG_TEXT];
    va_list          ap;

    va_start(ap, format);
    (void) vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    line.len = 0;

    line_put(&line, "Error: ");
    line_clean(&line, text);
    line_trim(&line, 0);
    line_put(&line, "\n");

    if (logger.sink != NULL && isatty(STDERR_FILENO)) {
        (void) line_emit(&line);
        return;
    }

    fatal_write(line.data, line.len);
}


const char *
inlets_log_address(const char *address)
{
    const char  *at = strrchr(address, '@');

    return at != NULL ? at : address;
}
