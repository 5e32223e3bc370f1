#include "nearest.h"

#include <string.h>

#include "inlets_config.h"


#define SHORTEST_BEGINNING  3


/* A third of the word may be wrong, and one letter more. */

void
inlets_nearest_start(struct inlets_nearest *nearest, const char *word,
    size_t len)
{
    *nearest = (struct inlets_nearest) {
        .word = word, .len = len, .distance = 2 + (unsigned) (len / 3)
    };
}


void
inlets_nearest_try(struct inlets_nearest *nearest, const char *known)
{
    size_t    len = strlen(known);
    unsigned  distance;

    distance = inlets_config_distance(nearest->word, nearest->len, known, len);

    /* the beginning of a name, which was not finished */

    if (nearest->len >= SHORTEST_BEGINNING && len > nearest->len
        && memcmp(nearest->word, known, nearest->len) == 0)
    {
        distance = 1;
    }

    if (distance < nearest->distance && distance < len) {
        nearest->distance = distance;
        nearest->best = known;
    }
}
