#include "pen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "text.h"


#define COLOUR_MAX  16      /* bytes, that of a text and its end */


static const char *const  colours[] = {
    "", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[36m"
};


/* The next character as it is to be shown; its columns. */

static unsigned
next_shown(const struct inlets_pen *pen, const char *text, size_t len,
    size_t *ret_len, const char **ret_shown, size_t *ret_shown_len)
{
    uint32_t  c;
    int       columns = 1;

    *ret_len = inlets_text_next(text, len, &c);
    *ret_shown = text;
    *ret_shown_len = *ret_len;

    if (c >= 0x20 && c < 0x7f) {
        return 1;
    }

    if (pen->utf8 && c != INLETS_TEXT_INVALID && !inlets_text_is_control(c)) {
        columns = wcwidth((wchar_t) c);

        if (columns >= 0) {
            return (unsigned) columns;
        }
    }

    *ret_shown = "?";
    *ret_shown_len = 1;

    return 1;
}


unsigned
inlets_pen_measure(const struct inlets_pen *pen, const char *text)
{
    size_t    len = strlen(text);
    unsigned  columns = 0;

    while (len > 0) {
        const char  *shown;
        size_t       n, shown_len;

        columns += next_shown(pen, text, len, &n, &shown, &shown_len);

        text += n;
        len -= n;
    }

    return columns;
}


static bool
pen_add(struct inlets_pen *pen, const char *text, size_t len)
{
    if (len > pen->size - pen->len) {
        return false;
    }

    memcpy(pen->data + pen->len, text, len);
    pen->len += len;

    return true;
}


unsigned
inlets_pen_room(const struct inlets_pen *pen)
{
    return pen->width - pen->column;
}


/* Up to max columns; leaves room for the end of the colour and a mark. */

static void
pen_characters(struct inlets_pen *pen, const char *text, unsigned max)
{
    size_t    len = strlen(text);
    unsigned  end = pen->column + max;

    while (len > 0) {
        const char  *shown;
        size_t       n, shown_len;
        unsigned     columns;

        columns = next_shown(pen, text, len, &n, &shown, &shown_len);

        if (columns > end - pen->column
            || shown_len + COLOUR_MAX > pen->size - pen->len)
        {
            break;
        }

        (void) pen_add(pen, shown, shown_len);
        pen->column += columns;

        text += n;
        len -= n;
    }
}


void
inlets_pen_cut(struct inlets_pen *pen, enum inlets_colour colour,
    const char *text, unsigned max)
{
    bool  cut;

    if (max > inlets_pen_room(pen)) {
        max = inlets_pen_room(pen);
    }

    if (max == 0 || pen->size - pen->len < 2 * COLOUR_MAX) {
        return;
    }

    if (pen->colour && colour != INLETS_COLOUR_NONE) {
        (void) pen_add(pen, colours[colour], strlen(colours[colour]));
    }

    cut = inlets_pen_measure(pen, text) > max;

    pen_characters(pen, text, cut ? max - 1 : max);

    if (cut) {
        const char  *mark = pen->utf8 ? "\xe2\x80\xa6" : "~";

        (void) pen_add(pen, mark, strlen(mark));
        pen->column++;
    }

    if (pen->colour && colour != INLETS_COLOUR_NONE) {
        (void) pen_add(pen, "\033[0m", 4);
    }
}


void
inlets_pen_put(struct inlets_pen *pen, enum inlets_colour colour,
    const char *text)
{
    inlets_pen_cut(pen, colour, text, inlets_pen_room(pen));
}


void
inlets_pen_move(struct inlets_pen *pen, unsigned column)
{
    if (column > pen->width) {
        column = pen->width;
    }

    while (pen->column < column && pen_add(pen, " ", 1)) {
        pen->column++;
    }
}


void
inlets_pen_bytes(char *buf, size_t size, uint64_t n)
{
    static const char *const  units[] = { "B", "kB", "MB", "GB", "TB", "PB",
                                          "EB" };

    uint64_t  rest = 0;
    unsigned  unit = 0;

    while (n >= 1000) {
        rest = n % 1000;
        n /= 1000;
        unit++;
    }

    if (unit > 0 && n < 100) {
        (void) snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " %s", n, rest / 100,
                        units[unit]);

    } else {
        (void) snprintf(buf, size, "%" PRIu64 " %s", n, units[unit]);
    }
}


void
inlets_pen_time(char *buf, size_t size, uint64_t ms)
{
    if (ms < 1000) {
        (void) snprintf(buf, size, "%" PRIu64 " ms", ms);

    } else if (ms < 60 * 1000) {
        (void) snprintf(buf, size, "%" PRIu64 ".%" PRIu64 " s", ms / 1000,
                        ms % 1000 / 100);

    } else {
        inlets_pen_age(buf, size, ms);
    }
}


void
inlets_pen_age(char *buf, size_t size, uint64_t ms)
{
    uint64_t  s = ms / 1000;

    if (s < 60) {
        (void) snprintf(buf, size, "%" PRIu64 " s", s);

    } else if (s < 3600) {
        (void) snprintf(buf, size, "%" PRIu64 " min", s / 60);

    } else if (s < 48 * 3600) {
        (void) snprintf(buf, size, "%" PRIu64 " h", s / 3600);

    } else {
        (void) snprintf(buf, size, "%" PRIu64 " d", s / 86400);
    }
}
