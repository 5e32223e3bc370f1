#include "args.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inlets_error.h"
#include "inlets_version.h"
#include "secret.h"


/* Values of getopt_long() beyond any letter. */
#define LONG_ONLY     256
#define LONG_HELP     (LONG_ONLY + INLETS_ARGS_MAX)
#define LONG_VERSION  (LONG_HELP + 1)


struct parser {
    const struct inlets_args  *args;
    char                      *fields;
    enum inlets_arg_source    *source;
};


static void
print_row(const struct inlets_arg *row)
{
    char  flag[64];
    char  letter[8] = "    ";

    if (row->letter) {
        snprintf(letter, sizeof(letter), "-%c, ", row->letter);
    }

    snprintf(flag, sizeof(flag), "%s--%s%s%s", letter, row->name,
             row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");

    printf("  %-30s %s\n", flag, row->help);

    printf("  %-30s [$%s", "", row->env);

    if (row->old_env != NULL) {
        printf(" or $%s", row->old_env);
    }

    if (row->preset != NULL) {
        printf(", default %s", row->preset);

    } else if (row->type == INLETS_ARG_NUMBER && row->number != 0) {
        printf(", default %u", row->number);
    }

    printf("]\n");
}


void
inlets_args_help(const struct inlets_args *args)
{
    for (size_t i = 0; i < args->n; i++) {
        print_row(&args->table[i]);
    }

    printf("  %-30s this help\n  %-30s the version\n", "-h, --help",
           "-V, --version");
}


static int
parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
    uint64_t  value = 0;

    if (*text == '\0') {
        return INLETS_E_INVALID;
    }

    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9') {
            return INLETS_E_INVALID;
        }

        value = value * 10 + (uint64_t) (*p - '0');

        if (value > max) {
            return INLETS_E_INVALID;
        }
    }

    if (value < min) {
        return INLETS_E_INVALID;
    }

    *ret = (uint32_t) value;

    return INLETS_OK;
}


static bool
is_true(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "1") == 0
           || strcmp(text, "yes") == 0;
}


static int
add_to_list(struct inlets_arg_list *list, const char *value,
    const char *prefix, const char *origin)
{
    size_t  len = strlen(value);

    if (len == 0 || len > sizeof(list->text) - list->len - 2) {
        inlets_log_fatal("%s%s is %s", prefix, origin,
                         len == 0 ? "empty" : "too long");
        return INLETS_E_INVALID;
    }

    if (list->len > 0) {
        list->text[list->len++] = '\n';
    }

    memcpy(list->text + list->len, value, len + 1);
    list->len += len;

    return INLETS_OK;
}


/* prefix and origin: "--port" or "$TUNNEL_PORT", for the message. */

static int
set_field(struct parser *p, size_t i, const char *value,
    enum inlets_arg_source source, const char *prefix, const char *origin)
{
    const struct inlets_arg  *row = &p->args->table[i];
    void                     *field = p->fields + row->offset;
    struct inlets_arg_list   *list;

    if (row->type == INLETS_ARG_LIST) {
        list = field;

        if (p->source[i] != source) {
            list->len = 0;
        }

        p->source[i] = source;

        return add_to_list(list, value, prefix, origin);
    }

    p->source[i] = source;

    switch (row->type) {

    case INLETS_ARG_LIST:
        break;

    case INLETS_ARG_FLAG:
        *(bool *) field = value == NULL || is_true(value);
        break;

    case INLETS_ARG_TEXT:
        *(const char **) field = value;
        break;

    case INLETS_ARG_NUMBER:
        if (parse_number(value, row->min, row->max, field) != INLETS_OK) {
            inlets_log_fatal("%s%s must be a number from %u to %u, not \"%s\"",
                             prefix, origin, row->min, row->max, value);
            return INLETS_E_INVALID;
        }

        break;
    }

    return INLETS_OK;
}


const char *
inlets_args_env(const struct inlets_arg *row)
{
    const char  *value = getenv(row->env);

    if (value != NULL && *value != '\0') {
        return row->env;
    }

    if (row->old_env == NULL) {
        return NULL;
    }

    value = getenv(row->old_env);

    return value != NULL && *value != '\0' ? row->old_env : NULL;
}


static int
set_defaults(struct parser *p)
{
    for (size_t i = 0; i < p->args->n; i++) {
        const struct inlets_arg  *row = &p->args->table[i];
        void                     *field = p->fields + row->offset;
        const char               *env;

        p->source[i] = INLETS_ARG_DEFAULT;

        if (row->type == INLETS_ARG_TEXT) {
            *(const char **) field = row->preset;

        } else if (row->type == INLETS_ARG_NUMBER) {
            *(uint32_t *) field = row->number;
        }

        env = inlets_args_env(row);

        if (env == NULL) {
            continue;
        }

        if (set_field(p, i, getenv(env), INLETS_ARG_ENVIRONMENT, "$", env)
            != INLETS_OK)
        {
            return INLETS_E_INVALID;
        }
    }

    return INLETS_OK;
}


static void
make_getopt_tables(const struct inlets_args *args, struct option *longs,
    char *letters)
{
    size_t  l = 0;

    /* ':' first: a missing argument is told from an unknown option */
    letters[l++] = ':';

    for (size_t i = 0; i < args->n; i++) {
        const struct inlets_arg  *row = &args->table[i];
        int                       argument;

        argument = row->type == INLETS_ARG_FLAG ? optional_argument
                                                : required_argument;

        longs[i] = (struct option) { row->name, argument, NULL,
                                     LONG_ONLY + (int) i };

        if (row->letter) {
            letters[l++] = row->letter;

            if (argument == required_argument) {
                letters[l++] = ':';
            }
        }
    }

    longs[args->n] = (struct option) { "help", no_argument, NULL, LONG_HELP };
    longs[args->n + 1] = (struct option) { "version", no_argument, NULL,
                                           LONG_VERSION };
    longs[args->n + 2] = (struct option) { NULL, 0, NULL, 0 };

    letters[l++] = 'h';
    letters[l++] = 'V';
    letters[l] = '\0';
}


static int
row_of(const struct inlets_args *args, int c)
{
    if (c >= LONG_ONLY && c < LONG_ONLY + (int) args->n) {
        return c - LONG_ONLY;
    }

    for (size_t i = 0; i < args->n; i++) {
        if (args->table[i].letter == c) {
            return (int) i;
        }
    }

    return -1;
}


/*
 * Keeps a copy and leaves nothing of the secret where ps(1) looks, even when
 * the rest of the command line turns out to be wrong.
 */

static int
take_secret(struct parser *p, size_t i, char *value)
{
    const struct inlets_arg  *row = &p->args->table[i];
    char                     *copy = p->fields + row->secret;
    size_t                    len = strlen(value);
    int                       rc;

    if (row->type == INLETS_ARG_LIST) {
        rc = set_field(p, i, value, INLETS_ARG_ARGUMENT, "--", row->name);
        inlets_secret_hide(value);

        return rc;
    }

    if (len >= row->secret_size) {
        inlets_secret_hide(value);
        inlets_log_fatal("--%s is longer than %zu bytes", row->name,
                         row->secret_size - 1);
        return INLETS_E_INVALID;
    }

    memcpy(copy, value, len + 1);
    inlets_secret_hide(value);

    return set_field(p, i, copy, INLETS_ARG_ARGUMENT, "--", row->name);
}


/* ':' is a missing value, else the option is unknown. */

static void
report_bad_flag(const struct inlets_args *args, int c, const char *word)
{
    if (c == ':') {
        inlets_log_fatal("option %s needs a value", word);

    } else if (optopt != 0 && optopt < LONG_ONLY) {
        inlets_log_fatal("unknown option -%c, see %s --help", optopt,
                         args->command);

    } else {
        inlets_log_fatal("unknown option %.*s, see %s --help",
                         (int) strcspn(word, "="), word, args->command);
    }
}


static enum inlets_options_result
parse_flag(struct parser *p, int c, const char *word)
{
    int  i, rc;

    switch (c) {

    case 'h':
    case LONG_HELP:
        p->args->help();
        return INLETS_OPTIONS_DONE;

    case 'V':
    case LONG_VERSION:
        printf(INLETS_VERSION "\n");
        return INLETS_OPTIONS_DONE;

    case ':':
    case '?':
        report_bad_flag(p->args, c, word);
        return INLETS_OPTIONS_ERROR;
    }

    i = row_of(p->args, c);

    if (p->args->table[i].secret_size != 0) {
        rc = take_secret(p, (size_t) i, optarg);

    } else {
        rc = set_field(p, (size_t) i, optarg, INLETS_ARG_ARGUMENT, "--",
                       p->args->table[i].name);
    }

    return rc == INLETS_OK ? INLETS_OPTIONS_RUN : INLETS_OPTIONS_ERROR;
}


static enum inlets_options_result
parse_flags(struct parser *p, int argc, char **argv)
{
    struct option               longs[INLETS_ARGS_MAX + 3];
    char                        letters[2 * INLETS_ARGS_MAX + 4];
    enum inlets_options_result  result = INLETS_OPTIONS_RUN;
    int                         c, i;

    make_getopt_tables(p->args, longs, letters);

    opterr = 0;
    optind = 1;

    while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {

        if (result == INLETS_OPTIONS_RUN) {
            result = parse_flag(p, c, argv[optind - 1]);
            continue;
        }

        /* it ends here, but not before the rest is hidden */

        i = row_of(p->args, c);

        if (i >= 0 && optarg != NULL && p->args->table[i].secret_size != 0) {
            inlets_secret_hide(optarg);
        }
    }

    return result;
}


enum inlets_options_result
inlets_args_parse(const struct inlets_args *args, int argc, char **argv,
    void *fields, enum inlets_arg_source *source, int *ret_word)
{
    struct parser               p = { args, fields, source };
    enum inlets_options_result  result, flags;

    if (args->n > INLETS_ARGS_MAX) {
        return INLETS_OPTIONS_ERROR;
    }

    /* also on failure: secrets in argv are to be hidden */

    result = set_defaults(&p) == INLETS_OK ? INLETS_OPTIONS_RUN
                                           : INLETS_OPTIONS_ERROR;

    flags = parse_flags(&p, argc, argv);

    if (flags != INLETS_OPTIONS_RUN) {
        return flags;
    }

    *ret_word = optind;

    return result;
}


int
inlets_args_log_level(const char *text, enum inlets_log_level *ret)
{
    static const char *const  names[] = { "error", "warn", "info", "debug" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = i;
            return INLETS_OK;
        }
    }

    inlets_log_fatal("log level must be error, warn, info or debug, "
                     "not \"%s\"", text);

    return INLETS_E_INVALID;
}
