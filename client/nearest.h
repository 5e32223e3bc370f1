/*
 * What somebody may have meant by a word that is not known.
 */

#ifndef INLETS_NEAREST_H
#define INLETS_NEAREST_H


#include <stddef.h>


struct inlets_nearest {
    const char  *best;      /* NULL: nothing is near */

    const char  *word;      /* private */
    size_t       len;
    unsigned     distance;
};


/* word and what is tried are kept, not copied. */
void inlets_nearest_start(struct inlets_nearest *nearest, const char *word,
    size_t len);
void inlets_nearest_try(struct inlets_nearest *nearest, const char *known);


#endif /* INLETS_NEAREST_H */
