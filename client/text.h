/*
 * Text of unknown origin, to be shown: UTF-8 or not, one character at a time.
 */

#ifndef INLETS_TEXT_H
#define INLETS_TEXT_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define INLETS_TEXT_INVALID  UINT32_MAX


/*
 * The first character of len > 0 bytes: how many bytes it has, and its code
 * point, or INLETS_TEXT_INVALID and 1 if this is no UTF-8.
 */
size_t inlets_text_next(const char *text, size_t len, uint32_t *ret);

/* A character that a terminal acts upon instead of showing it. */
bool inlets_text_is_control(uint32_t c);


#endif /* INLETS_TEXT_H */
