/*
 * The commands.  One table describes them; dispatch, help, completions and the
 * manual are made from it, and from the tables of flags (args.h) it refers to.
 */

#ifndef INLETS_COMMAND_H
#define INLETS_COMMAND_H


#include <stdbool.h>
#include <stddef.h>

#include "args.h"


struct inlets_example {
    const char  *does;
    const char  *line;      /* NULL ends the list */
};


struct inlets_exit {
    const char  *when;      /* NULL ends the list */
    int          status;
};


/* Lists end with NULL, and may be NULL. */

struct inlets_command {
    const char                   *name;     /* "inlets server reload" */
    const char                   *summary;  /* "has a running edge ..." */
    const char *const            *usage;    /* what stands behind the name */
    const char *const            *text;     /* paragraphs */
    const struct inlets_example  *examples;
    const struct inlets_exit     *exits;
    const struct inlets_args     *args;     /* NULL: it takes no flags */
    bool                        (*takes)(const struct inlets_arg *flag);
                                            /* of args; NULL: all */
    const char *const            *words;    /* that its first one may be */

    /* argv[0] is the last part of the name; NULL: the shorter name has it */
    int                         (*run)(int argc, char **argv);
};


/* The first one is the program itself. */
extern const struct inlets_command  inlets_commands[];
extern const size_t                 inlets_ncommands;


/* The one of name and word, or with a word of NULL of name alone; or NULL. */
const struct inlets_command *inlets_command_below(const char *name,
    const char *word);

/*
 * The flags of a command, one a call, those that all have at the end; then
 * NULL.  *i is 0 before the first call.  "-V" has no name, only a letter; and
 * flags without a variable have no env.
 */
const struct inlets_arg *inlets_command_flag(
    const struct inlets_command *command, size_t *i);

/* Whether the flags of a command are told in groups. */
bool inlets_command_has_groups(const struct inlets_command *command);

/* The command is one word behind the other, as "inlets server reload". */
bool inlets_command_is_below(const struct inlets_command *command,
    const struct inlets_command *other);


enum inlets_value {
    INLETS_VALUE_NONE = 0,
    INLETS_VALUE_ANY,
    INLETS_VALUE_CHOICE,
    INLETS_VALUE_FILE,
    INLETS_VALUE_DIR
};

/* What can be told of a flag's value. */
enum inlets_value inlets_command_value(const struct inlets_arg *flag);

/*
 * The help of a command, or of the longer one of this name and the words:
 * "inlets server", "reload".
 */
void inlets_command_help(const char *name, int n, char **words);

/* "unknown command" below that of this name, and what may have been meant. */
void inlets_command_unknown(const char *name, const char *word);

/* "unexpected argument" of a command, likewise. */
void inlets_command_unexpected(const char *name, const char *word);

/* Exit status; argv[0] is the program's or the command's name. */
int inlets_top_main(int argc, char **argv);
int inlets_help_main(int argc, char **argv);
int inlets_completion_main(int argc, char **argv);


#endif /* INLETS_COMMAND_H */
