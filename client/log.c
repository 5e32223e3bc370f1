#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define LOG_LINE  1200


static enum inlets_log_level  log_level = INLETS_LOG_INFO;
static bool                   log_utc;


void
inlets_log_init(enum inlets_log_level level, bool utc)
{
    log_level = level;
    log_utc = utc;
}


bool
inlets_log_enabled(enum inlets_log_level level)
{
    return level <= log_level;
}


static void
log_write(int fd, const char *line, size_t len)
{
    while (len > 0) {
        ssize_t  n = write(fd, line, len);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return;
        }

        line += n;
        len -= (size_t) n;
    }
}


static size_t
log_time(char *buf, size_t size)
{
    time_t     now = time(NULL);
    struct tm  tm;

    if ((log_utc ? gmtime_r(&now, &tm) : localtime_r(&now, &tm)) == NULL) {
        return 0;
    }

    return strftime(buf, size, "[inlets] %Y/%m/%d %H:%M:%S ", &tm);
}


static void
log_line(int fd, bool stamp, const char *prefix, const char *format, va_list ap)
{
    char    line[LOG_LINE];
    size_t  start = stamp ? log_time(line, sizeof(line)) : 0;
    size_t  len = start;
    int     n;

    n = snprintf(line + len, sizeof(line) - len, "%s", prefix);
    len += n > 0 ? (size_t) n : 0;

    n = vsnprintf(line + len, sizeof(line) - len - 1, format, ap);
    len += n > 0 ? (size_t) n : 0;

    if (len > sizeof(line) - 2) {
        len = sizeof(line) - 2;
    }

    for (size_t i = start; i < len; i++) {
        unsigned char  c = (unsigned char) line[i];

        if (c < 0x20 || c == 0x7f) {
            line[i] = ' ';
        }
    }

    while (len > start && line[len - 1] == ' ') {
        len--;
    }

    line[len++] = '\n';

    log_write(fd, line, len);
}


void
inlets_log(enum inlets_log_level level, const char *format, ...)
{
    static const char *const  prefixes[] = { "error: ", "warning: ", "", "" };

    va_list  ap;

    if (!inlets_log_enabled(level)) {
        return;
    }

    va_start(ap, format);
    log_line(STDOUT_FILENO, true, prefixes[level], format, ap);
    va_end(ap);
}


void
inlets_log_notice(const char *format, ...)
{
    va_list  ap;

    va_start(ap, format);
    log_line(STDOUT_FILENO, false, "", format, ap);
    va_end(ap);
}


void
inlets_log_fatal(const char *format, ...)
{
    va_list  ap;

    va_start(ap, format);
    log_line(STDERR_FILENO, false, "Error: ", format, ap);
    va_end(ap);
}


const char *
inlets_log_address(const char *address)
{
    const char  *at = strrchr(address, '@');

    return at != NULL ? at : address;
}
