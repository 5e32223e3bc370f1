/*
 * Secrets from files and from the command line.
 */

#ifndef INLETS_SECRET_H
#define INLETS_SECRET_H


#include <stddef.h>


/*
 * Reads the only line of a file, without its line end, as a string.  0, or a
 * negative enum inlets_error after a message on standard error, which calls it
 * what.
 */
int inlets_secret_read(const char *path, const char *what, char *ret,
    size_t size);

/* The same of a file with any number of lines. */
int inlets_secret_read_lines(const char *path, const char *what, char *ret,
    size_t size);

/* Overwrites an argument, not showing even its length. */
void inlets_secret_hide(char *argument);


#endif /* INLETS_SECRET_H */
