/*
 * Descriptors: each connection takes one, or two.
 */

#ifndef INLETS_RLIMIT_H
#define INLETS_RLIMIT_H


#include <stddef.h>


/* As many as the system allows; returns how many that is. */
size_t inlets_raise_descriptors(void);


#endif /* INLETS_RLIMIT_H */
