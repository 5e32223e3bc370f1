/*
 * Secrets from files and from the command line.
 */

#ifndef INLETS_SECRET_H
#define INLETS_SECRET_H


#include <stdbool.h>
#include <stddef.h>


#define INLETS_SECRET_WHY  640


struct inlets_secret_how {
    const char *what;           /* as messages call it: "token file" */
    bool lines;                 /* of more than one line */
    bool wait;                  /* for who writes into it, if it is a pipe */
};


/*
 * Reads a file, without the line end at its end, as a string.  0, or a negative
 * enum inlets_error with a clause in why, which has nothing of its contents.
 */
int inlets_secret_load(const char *path, const struct inlets_secret_how *how,
    char *ret, size_t size, char why[INLETS_SECRET_WHY]);

/*
 * The same of the only line of a file, waiting for it, and with a message on
 * standard error.
 */
int inlets_secret_read(const char *path, const char *what, char *ret,
    size_t size);

/* Overwrites an argument, not showing even its length. */
void inlets_secret_hide(char *argument);


#endif /* INLETS_SECRET_H */
