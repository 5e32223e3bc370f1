#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"


#define WIDTH         79
#define FLAG_COLUMN   30
#define HELP_COLUMN   (2 + FLAG_COLUMN + 1)


static int
word_length(const char *text)
{
    return (int) strcspn(text, " ");
}


/*
 * Words of text, within WIDTH columns; at is the present column.  Lines go on
 * at the column indent, and end with the text of glue.
 */

static void
print_words(const char *text, int at, int indent, const char *glue)
{
    int   start = at;
    int   room = WIDTH - (int) strlen(glue);

    while (*text != '\0') {
        int  len = word_length(text);

        if (at > start && at + 1 + len > room) {
            printf("%s\n%*s", glue, indent, "");
            at = start = indent;

        } else if (at > start) {
            printf(" ");
            at++;
        }

        printf("%.*s", len, text);
        at += len;

        text += len;
        text += strspn(text, " ");
    }

    printf("\n");
}


/* A part of a line, or of the next one; the column where it ends. */

static int
print_part(int at, const char *before, const char *text)
{
    int  len = (int) (strlen(before) + strlen(text));

    if (at + len >= WIDTH) {
        printf("\n%*s", HELP_COLUMN - 1, "");
        at = HELP_COLUMN - 1;
    }

    printf("%s%s", before, text);

    return at + len;
}


static void
print_environment(const struct inlets_arg *row)
{
    int   at;
    char  number[16];

    at = printf("%*s[$%s", HELP_COLUMN, "", row->env);

    if (row->old_env != NULL) {
        at = print_part(at, " or $", row->old_env);
    }

    if (row->preset != NULL) {
        printf(",");
        (void) print_part(at + 1, " default ", row->preset);

    } else if (row->type == INLETS_ARG_NUMBER && row->number != 0) {
        snprintf(number, sizeof(number), "%u", row->number);
        printf(",");
        (void) print_part(at + 1, " default ", number);
    }

    printf("]\n");
}


static void
print_row(const struct inlets_arg *row)
{
    char  flag[64];
    char  letter[8] = "    ";

    if (row->letter) {
        snprintf(letter, sizeof(letter), "-%c%s", row->letter,
                 row->name != NULL ? ", " : "");
    }

    snprintf(flag, sizeof(flag), "%s%s%s%s%s", letter,
             row->name != NULL ? "--" : "",
             row->name != NULL ? row->name : "",
             row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");

    if (strlen(flag) > FLAG_COLUMN) {
        printf("  %s\n%*s", flag, HELP_COLUMN, "");

    } else {
        printf("  %-*s ", FLAG_COLUMN, flag);
    }

    print_words(row->help, HELP_COLUMN, HELP_COLUMN, "");

    if (row->env != NULL) {
        print_environment(row);
    }
}


static void
print_flags(const struct inlets_command *command)
{
    const struct inlets_arg  *flag;
    bool                      grouped = inlets_command_has_groups(command);

    printf("\nFlags%s:\n", command->args != NULL && command->args->n > 0
                            ? ", with their environment variables (a flag "
                              "wins)" : "");

    for (size_t i = 0; (flag = inlets_command_flag(command, &i)) != NULL; ) {
        if (grouped && flag->group != NULL) {
            printf("\n %s:\n", flag->group);
        }

        print_row(flag);
    }
}


/* Below the program: all of them. */

static void
print_commands(const struct inlets_command *command)
{
    bool  some = false;

    for (size_t i = 1; i < inlets_ncommands; i++) {
        const struct inlets_command  *c = &inlets_commands[i];

        if (command != &inlets_commands[0]
            && !inlets_command_is_below(c, command))
        {
            continue;
        }

        printf("%s  %-22s %s\n", some ? "" : "\nCommands:\n", c->name,
               c->summary);
        some = true;
    }
}


static void
print_usage(const struct inlets_command *command)
{
    for (size_t i = 0; command->usage[i] != NULL; i++) {
        printf("%s %s %s\n", i == 0 ? "Usage:" : "      ", command->name,
               command->usage[i]);
    }

    printf("\n%c%s.\n", toupper((unsigned char) command->summary[0]),
           command->summary + 1);
}


static void
print_help(const struct inlets_command *command)
{
    print_usage(command);

    for (size_t i = 0; command->text != NULL && command->text[i] != NULL; i++) {
        printf("\n");
        print_words(command->text[i], 0, 0, "");
    }

    print_commands(command);

    if (command->examples != NULL) {
        printf("\nExamples:\n");

        for (size_t i = 0; command->examples[i].line != NULL; i++) {
            printf("  # %s\n  ", command->examples[i].does);
            print_words(command->examples[i].line, 2, 6, " \\");
        }
    }

    print_flags(command);

    if (command->exits != NULL) {
        printf("\nExit status:\n");

        for (size_t i = 0; command->exits[i].when != NULL; i++) {
            printf("  %d  ", command->exits[i].status);
            print_words(command->exits[i].when, 5, 5, "");
        }
    }
}


void
inlets_command_help(const char *name, int n, char **words)
{
    const struct inlets_command  *command = NULL;

    if (n > 0) {
        command = inlets_command_below(name, words[0]);
    }

    if (command == NULL) {
        command = inlets_command_below(name, NULL);
    }

    print_help(command != NULL ? command : &inlets_commands[0]);
}


int
inlets_help_main(int argc, char **argv)
{
    int                           word;
    const struct inlets_command  *command = &inlets_commands[0];

    static const struct inlets_args  args = { .command = "inlets help" };

    switch (inlets_args_parse(&args, argc, argv, NULL, NULL, &word)) {

    case INLETS_OPTIONS_DONE:
        return EXIT_SUCCESS;

    case INLETS_OPTIONS_ERROR:
        return EXIT_FAILURE;

    case INLETS_OPTIONS_RUN:
        break;
    }

    for ( /* void */ ; word < argc; word++) {
        const struct inlets_command  *above = command;

        command = inlets_command_below(above->name, argv[word]);

        if (command == NULL) {
            inlets_command_unknown(above->name, argv[word]);
            return EXIT_FAILURE;
        }
    }

    print_help(command);

    return EXIT_SUCCESS;
}
