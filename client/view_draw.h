/*
 * The lines of the live view, made of what there is to show and of the size
 * of the terminal.  No I/O, no clock.
 */

#ifndef INLETS_VIEW_DRAW_H
#define INLETS_VIEW_DRAW_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view.h"


#define INLETS_VIEW_LINES  30       /* at most */
#define INLETS_VIEW_WIDTH  200
#define INLETS_VIEW_BYTES  1100     /* of a line, with its colours */


struct inlets_view_model {
    const struct inlets_view_source  *source;
    uint64_t                          now;      /* ms */
    unsigned                          width;    /* of the terminal */
    unsigned                          height;
    bool                              colour;
    bool                              utf8;     /* else ASCII only */
    bool                              utc;      /* times of day */
};


/* No line is as wide as the terminal; nothing but colours is escaped. */

struct inlets_view_line {
    unsigned  width;                            /* columns */
    size_t    len;
    char      data[INLETS_VIEW_BYTES];
};

struct inlets_view_drawing {
    unsigned                 n;
    struct inlets_view_line  line[INLETS_VIEW_LINES];
};


void inlets_view_draw(const struct inlets_view_model *model,
    struct inlets_view_drawing *ret);


#endif /* INLETS_VIEW_DRAW_H */
