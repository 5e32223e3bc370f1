#include "args.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command.h"
#include "inlets_error.h"
#include "nearest.h"
#include "secret.h"
#include "version.h"


#define CHOICES_TEXT  256


/* What a flag is, beside a row of the table. */

enum {
    FLAG_UNKNOWN = -1,
    FLAG_HELP = -2,
    FLAG_VERSION = -3
};


/*
 * Flags are moved before the words, as they come: argv[word] up to argv[next]
 * are the words so far.
 */

struct parser {
    const struct inlets_args    *args;
    char                        *fields;
    enum inlets_arg_source      *source;

    int                          argc;
    char                       **argv;
    int                          word;
    int                          next;
    bool                         faulty;    /* and it was told why */
    enum inlets_options_result   result;    /* not RUN: it ends, but not
                                               before the rest is hidden */
};


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


static int
parse_bool(const char *text, bool *ret)
{
    static const char *const  names[] = {
        "false", "true", "0", "1", "no", "yes", "off", "on", "f", "t"
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *ret = i % 2 == 1;
            return INLETS_OK;
        }
    }

    return INLETS_E_INVALID;
}


static bool
is_choice(const struct inlets_arg *row, const char *text)
{
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(text, row->choices[i]) == 0) {
            return true;
        }
    }

    return false;
}


/* "error, warn, info or debug" */

static const char *
list_choices(const struct inlets_arg *row, char buf[CHOICES_TEXT])
{
    size_t  len = 0;

    buf[0] = '\0';

    for (size_t i = 0; row->choices[i] != NULL && len < CHOICES_TEXT; i++) {
        const char  *before = i == 0 ? ""
                              : row->choices[i + 1] == NULL ? " or " : ", ";

        len += (size_t) snprintf(buf + len, CHOICES_TEXT - len, "%s%s", before,
                                 row->choices[i]);
    }

    return buf;
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
    char                      choices[CHOICES_TEXT];

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
        if (value == NULL) {
            *(bool *) field = true;

        } else if (parse_bool(value, field) != INLETS_OK) {
            inlets_log_fatal("%s%s must be true or false, not \"%s\"", prefix,
                             origin, value);
            return INLETS_E_INVALID;
        }

        break;

    case INLETS_ARG_CHOICE:
        if (!is_choice(row, value)) {
            inlets_log_fatal("%s%s must be %s, not \"%s\"", prefix, origin,
                             list_choices(row, choices), value);
            return INLETS_E_INVALID;
        }

        *(const char **) field = value;
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

        if (row->type == INLETS_ARG_TEXT || row->type == INLETS_ARG_CHOICE) {
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


/* The next of argv belongs to a flag: it goes before the words. */

static char *
take(struct parser *p)
{
    char    *text = p->argv[p->next];
    size_t   words = (size_t) (p->next - p->word);

    memmove(&p->argv[p->word + 1], &p->argv[p->word], words * sizeof(char *));

    p->argv[p->word++] = text;
    p->next++;

    return text;
}


static bool
takes_value(const struct parser *p, int flag)
{
    return flag >= 0 && p->args->table[flag].type != INLETS_ARG_FLAG;
}


static int
find_name(const struct inlets_args *args, const char *name, size_t len)
{
    for (size_t i = 0; i < args->n; i++) {
        const char  *known = args->table[i].name;

        if (strncmp(known, name, len) == 0 && known[len] == '\0') {
            return (int) i;
        }
    }

    if (len == 4 && memcmp(name, "help", 4) == 0) {
        return FLAG_HELP;
    }

    if (len == 7 && memcmp(name, "version", 7) == 0) {
        return FLAG_VERSION;
    }

    return FLAG_UNKNOWN;
}


static int
find_letter(const struct inlets_args *args, char letter)
{
    for (size_t i = 0; i < args->n; i++) {
        if (args->table[i].letter == letter) {
            return (int) i;
        }
    }

    return letter == 'h' ? FLAG_HELP
           : letter == 'V' ? FLAG_VERSION : FLAG_UNKNOWN;
}


/* Of several faults the first is told; and after help there are none. */

static bool
is_first_fault(struct parser *p)
{
    bool  first = !p->faulty && p->result == INLETS_OPTIONS_RUN;

    if (p->result == INLETS_OPTIONS_RUN) {
        p->result = INLETS_OPTIONS_ERROR;
    }

    return first;
}


static void
refuse_name(struct parser *p, const char *name, size_t len)
{
    struct inlets_nearest  nearest;

    if (!is_first_fault(p)) {
        return;
    }

    inlets_nearest_start(&nearest, name, len);

    for (size_t i = 0; i < p->args->n; i++) {
        inlets_nearest_try(&nearest, p->args->table[i].name);
    }

    inlets_nearest_try(&nearest, "help");
    inlets_nearest_try(&nearest, "version");

    if (nearest.best != NULL) {
        inlets_log_fatal("unknown option --%.*s, did you mean --%s? See "
                         "%s --help", (int) len, name, nearest.best,
                         p->args->command);
        return;
    }

    inlets_log_fatal("unknown option --%.*s, see %s --help", (int) len, name,
                     p->args->command);
}


static void
refuse_letter(struct parser *p, char letter)
{
    if (is_first_fault(p)) {
        inlets_log_fatal("unknown option -%c, see %s --help", letter,
                         p->args->command);
    }
}


static void
set_row(struct parser *p, size_t i, char *value)
{
    bool  secret = value != NULL && p->args->table[i].secret_size != 0;
    int   rc;

    if (p->faulty || p->result != INLETS_OPTIONS_RUN) {
        if (secret) {
            inlets_secret_hide(value);
        }

        return;
    }

    rc = secret ? take_secret(p, i, value)
                : set_field(p, i, value, INLETS_ARG_ARGUMENT, "--",
                            p->args->table[i].name);

    if (rc != INLETS_OK) {
        p->result = INLETS_OPTIONS_ERROR;
    }
}


/* Help or version: after an error there is neither. */

static void
tell(struct parser *p, int flag, bool all)
{
    if (p->result != INLETS_OPTIONS_RUN) {
        return;
    }

    p->result = INLETS_OPTIONS_DONE;

    if (flag == FLAG_HELP) {
        inlets_command_help(p->args->command, p->next - p->word,
                            p->argv + p->word);
        return;
    }

    inlets_version_print(all);
}


/* The value that is an argument of its own, or NULL after a message. */

static char *
take_value(struct parser *p, const char *dashes, size_t len, const char *name)
{
    if (p->next < p->argc) {
        return take(p);
    }

    if (is_first_fault(p)) {
        inlets_log_fatal("option %s%.*s needs a value", dashes, (int) len,
                         name);
    }

    return NULL;
}


/* "name", "name=value", "name" and "value" */

static void
parse_name(struct parser *p, char *name)
{
    size_t   len = strcspn(name, "=");
    int      flag = find_name(p->args, name, len);
    char    *value = name[len] == '=' ? name + len + 1 : NULL;

    if (flag == FLAG_UNKNOWN) {
        refuse_name(p, name, len);
        return;
    }

    if (flag < 0) {
        if (value == NULL) {
            tell(p, flag, false);

        } else if (is_first_fault(p)) {
            inlets_log_fatal("option --%.*s takes no value", (int) len, name);
        }

        return;
    }

    if (value == NULL && takes_value(p, flag)) {
        value = take_value(p, "--", len, name);

        if (value == NULL) {
            return;
        }
    }

    set_row(p, (size_t) flag, value);
}


/* "l", "lvalue", "l=value", "l" and "value", "lm" */

static void
parse_letters(struct parser *p, char *letter)
{
    for ( /* void */ ; *letter != '\0'; letter++) {
        int    flag = find_letter(p->args, *letter);
        char  *value = letter + 1;

        if (flag == FLAG_UNKNOWN) {
            refuse_letter(p, *letter);
            continue;
        }

        if (flag < 0) {
            tell(p, flag, true);
            continue;
        }

        if (!takes_value(p, flag)) {
            set_row(p, (size_t) flag, *value == '=' ? value + 1 : NULL);

            if (*value == '=') {
                return;
            }

            continue;
        }

        if (*value == '\0') {
            value = take_value(p, "-", 1, letter);

        } else if (*value == '=') {
            value++;
        }

        if (value != NULL) {
            set_row(p, (size_t) flag, value);
        }

        return;
    }
}


static void
parse_argv(struct parser *p)
{
    while (p->next < p->argc) {
        char  *text = p->argv[p->next];
        char  *name = text + 1;

        if (text[0] != '-' || text[1] == '\0') {
            p->next++;
            continue;
        }

        (void) take(p);

        if (*name == '-') {
            name++;

            if (*name == '\0') {
                return;
            }

        } else if (find_name(p->args, name, strcspn(name, "="))
                   == FLAG_UNKNOWN)
        {
            parse_letters(p, name);
            continue;
        }

        /* also "-port": the reference takes names behind one dash */

        parse_name(p, name);
    }
}


enum inlets_options_result
inlets_args_parse(const struct inlets_args *args, int argc, char **argv,
    void *fields, enum inlets_arg_source *source, int *ret_word)
{
    struct parser  p = {
        .args = args, .fields = fields, .source = source,
        .argc = argc, .argv = argv, .word = 1, .next = 1,
        .result = INLETS_OPTIONS_RUN
    };

    /* also on failure: secrets in argv are to be hidden, and there is help */

    p.faulty = set_defaults(&p) != INLETS_OK;

    parse_argv(&p);

    if (p.result != INLETS_OPTIONS_RUN) {
        return p.result;
    }

    *ret_word = p.word;

    return p.faulty ? INLETS_OPTIONS_ERROR : INLETS_OPTIONS_RUN;
}


const struct inlets_arg *
inlets_args_other(const struct inlets_args *args,
    const enum inlets_arg_source *source,
    bool (*takes)(const struct inlets_arg *flag))
{
    for (size_t i = 0; i < args->n; i++) {
        if (source[i] == INLETS_ARG_ARGUMENT && !takes(&args->table[i])) {
            return &args->table[i];
        }
    }

    return NULL;
}


const char *const  inlets_log_level_names[] = {
    [INLETS_LOG_ERROR] = "error", [INLETS_LOG_WARN] = "warn",
    [INLETS_LOG_INFO] = "info", [INLETS_LOG_DEBUG] = "debug", NULL
};


int
inlets_args_log_level(const char *text, enum inlets_log_level *ret)
{
    for (unsigned i = 0; inlets_log_level_names[i] != NULL; i++) {
        if (strcmp(text, inlets_log_level_names[i]) == 0) {
            *ret = i;
            return INLETS_OK;
        }
    }

    inlets_log_fatal("log level must be error, warn, info or debug, "
                     "not \"%s\"", text);

    return INLETS_E_INVALID;
}
