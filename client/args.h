/*
 * The flags of a command and their environment variables.  One table describes
 * them; the parser, the help, the completions and the manual are made from it.
 *
 * A flag is given by its whole name: an abbreviation would change its meaning
 * with the next release.
 */

#ifndef INLETS_ARGS_H
#define INLETS_ARGS_H


#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"


#define INLETS_ARGS_MAX  96     /* rows of a table */


enum inlets_arg_type {
    INLETS_ARG_FLAG,        /* bool */
    INLETS_ARG_TEXT,        /* const char * */
    INLETS_ARG_NUMBER,      /* uint32_t */
    INLETS_ARG_CHOICE,      /* const char *, one of choices */
    INLETS_ARG_LIST         /* struct inlets_arg_list; with a secret_size: of
                               secrets */
};


/* A flag that may be given several times: a line for each. */

#define INLETS_ARG_LIST_SIZE  8192

struct inlets_arg_list {
    size_t  len;
    char    text[INLETS_ARG_LIST_SIZE];     /* zero-terminated */
};


enum inlets_arg_source {
    INLETS_ARG_DEFAULT = 0,
    INLETS_ARG_ENVIRONMENT,
    INLETS_ARG_ARGUMENT
};


struct inlets_arg {
    const char            *group;   /* that begins here, for help; or NULL */
    const char            *name;
    const char            *env;
    const char            *old_env; /* read if env is not set; may be NULL */
    const char            *value;   /* what help calls it; FILE and DIR are
                                       completed as such */
    const char *const     *choices; /* offered for it, NULL-terminated; a
                                       CHOICE has to be one of them */
    const char            *preset;  /* text, or as help shows it */
    const char            *help;
    size_t                 offset;  /* of the field, in the caller's struct */
    size_t                 secret;  /* of the copy, with secret_size */
    size_t                 secret_size;     /* 0: no secret */
    uint32_t               min;
    uint32_t               max;
    uint32_t               number;  /* default */
    enum inlets_arg_type   type;
    char                   letter;
};


struct inlets_args {
    const struct inlets_arg  *table;
    size_t                    n;
    const char               *command;      /* "inlets client" */
};


enum inlets_options_result {
    INLETS_OPTIONS_RUN = 0,
    INLETS_OPTIONS_DONE,        /* help or version was printed */
    INLETS_OPTIONS_ERROR        /* the reason was printed */
};


/*
 * argv[0] is the command's name.  Sets the fields of fields, and source[], of
 * n elements; *ret_word is the index of the first word that is no flag.
 *
 * Secrets in argv are copied and overwritten there, also on failure.  Other
 * strings stay in argv and in the environment, which must live on.
 */
enum inlets_options_result inlets_args_parse(const struct inlets_args *args,
    int argc, char **argv, void *fields, enum inlets_arg_source *source,
    int *ret_word);

/* The environment variable that counts for a row, or NULL: none is set. */
const char *inlets_args_env(const struct inlets_arg *row);

/* The first row that was an argument and isn't one to be taken, or NULL. */
const struct inlets_arg *inlets_args_other(const struct inlets_args *args,
    const enum inlets_arg_source *source,
    bool (*takes)(const struct inlets_arg *flag));

extern const char *const  inlets_log_level_names[];

/* 0, or INLETS_E_INVALID after a message. */
int inlets_args_log_level(const char *text, enum inlets_log_level *ret);


#endif /* INLETS_ARGS_H */
