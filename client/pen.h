/*
 * Writes one line of the live view: columns are counted, whatever doesn't fit
 * is cut, and nothing that a terminal would act upon passes.
 */

#ifndef INLETS_PEN_H
#define INLETS_PEN_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


enum inlets_colour {
    INLETS_COLOUR_NONE = 0,
    INLETS_COLOUR_BOLD,
    INLETS_COLOUR_DIM,
    INLETS_COLOUR_RED,
    INLETS_COLOUR_GREEN,
    INLETS_COLOUR_YELLOW,
    INLETS_COLOUR_CYAN
};


struct inlets_pen {
    char    *data;
    size_t   len;
    size_t   size;
    unsigned column;
    unsigned width;     /* of the line */
    bool     colour;
    bool     utf8;
};


/* Columns that text takes. */
unsigned inlets_pen_measure(const struct inlets_pen *pen, const char *text);

/* At most max columns of it; what is cut ends with a mark. */
void inlets_pen_cut(struct inlets_pen *pen, enum inlets_colour colour,
    const char *text, unsigned max);
void inlets_pen_put(struct inlets_pen *pen, enum inlets_colour colour,
    const char *text);

/* Blanks up to a column, if it isn't there yet. */
void inlets_pen_move(struct inlets_pen *pen, unsigned column);

/* Columns that are left. */
unsigned inlets_pen_room(const struct inlets_pen *pen);

/* Such as "1.2 MB", and "5 min". */
void inlets_pen_bytes(char *buf, size_t size, uint64_t n);
void inlets_pen_time(char *buf, size_t size, uint64_t ms);

/* Whole seconds, minutes, hours or days. */
void inlets_pen_age(char *buf, size_t size, uint64_t ms);


#endif /* INLETS_PEN_H */
