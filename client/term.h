/*
 * What a terminal is and can do.
 */

#ifndef INLETS_TERM_H
#define INLETS_TERM_H


#include <stdbool.h>


/* It can move its cursor and erase. */
bool inlets_term_is_capable(int fd);

/* Likewise, and nobody has said NO_COLOR. */
bool inlets_term_has_colour(int fd);

/* Characters of UTF-8 reach it as they are; after setlocale(). */
bool inlets_term_has_utf8(void);

/* The process may draw there: it isn't in the background. */
bool inlets_term_is_ours(int fd);

/*
 * Lines that no longer fit when it gets narrower are wrapped, not cut off.
 * There is no way to ask; nearly all do.
 */
bool inlets_term_wraps(void);

/* Columns and rows; 80 and 24 if it doesn't know. */
void inlets_term_size(int fd, unsigned *ret_width, unsigned *ret_height);


#endif /* INLETS_TERM_H */
