/*
 * Writes the manual: inlets(1) of the table of commands, inlets.yml(5) of the
 * keys of both files.  Runs at build time.
 *
 *   manual inlets.1 > ...
 *   manual inlets.yml.5 > ...
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conf_keys.h"
#include "inlets_config.h"
#include "inlets_version.h"

#include "../../ngx_module/ngx_inlets_settings_table.h"


#define EXAMPLE_WIDTH  65   /* columns that an indented one may take */


/* roff takes some characters for its own: as they are, and a '-' to copy. */

static void
put_char(char c)
{
    switch (c) {

    case '\\':
        printf("\\e");
        break;

    case '-':
        printf("\\-");
        break;

    case '\'':
        printf("\\(aq");
        break;

    case '^':
        printf("\\(ha");
        break;

    case '~':
        printf("\\(ti");
        break;

    default:
        putchar(c);
    }
}


static void
put_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        put_char(*p);
    }
}


/* At a line's beginning '.' would be a request. */

static void
put_start(const char *text)
{
    if (*text == '.') {
        printf("\\&");
    }
}


/* Of "[text](where)" the text, and `code` in bold. */

static const char *
skip_link(const char *p)
{
    const char  *end = strstr(p, "](");

    return end != NULL ? strchr(end, ')') : NULL;
}


static void
put_markdown(const char *text)
{
    bool         code = false;
    const char  *link_end = NULL;

    put_start(text);

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '`') {
            code = !code;
            printf("%s", code ? "\\fB" : "\\fR");

        } else if (!code && *p == '[' && skip_link(p) != NULL) {
            link_end = skip_link(p);

        } else if (link_end != NULL && *p == ']') {
            p = link_end;
            link_end = NULL;

        } else {
            put_char(*p);
        }
    }

    printf("\n");
}


static void
put_text(const char *text)
{
    put_start(text);
    put_plain(text);
    printf("\n");
}


static void
put_title(const char *name, const char *section, const char *what)
{
    printf(".\\\" made by client/manual/manual.c\n"
           ".TH \"%s\" \"%s\" \"\" \"inlets " INLETS_VERSION "\" "
           "\"inlets for nginx\"\n"
           ".nr HY 0\n"      /* names of variables are to be copied */
           ".nh\n"
           ".ad l\n"
           ".SH NAME\n", name, section);

    for (const char *p = name; *p != '\0'; p++) {
        putchar(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
    }

    printf(" \\- ");
    put_text(what);
}


static void
put_flag(const struct inlets_arg *flag)
{
    printf(".TP\n");

    if (flag->letter) {
        printf("\\fB\\-%c\\fR%s", flag->letter,
               flag->name != NULL ? ", " : "");
    }

    if (flag->name != NULL) {
        printf("\\fB\\-\\-");
        put_plain(flag->name);
        printf("\\fR");
    }

    if (flag->value != NULL) {
        printf(" \\fI%s\\fR", flag->value);
    }

    printf("\n");
    put_text(flag->help);

    if (flag->env == NULL) {
        return;
    }

    printf(".br\nEnvironment: \\fB%s\\fR", flag->env);

    if (flag->old_env != NULL) {
        printf(", or \\fB%s\\fR", flag->old_env);
    }

    if (flag->preset != NULL) {
        printf(". Default: ");
        put_plain(flag->preset);

    } else if (flag->type == INLETS_ARG_NUMBER && flag->number != 0) {
        printf(". Default: %u", flag->number);
    }

    printf(".\n");
}


/* A word, and what a flag's value may be with it. */

static size_t
word_length(const char *text)
{
    size_t  len = strcspn(text, " ");

    if (text[0] == '-' && text[len] == ' ' && text[len + 1] != '-') {
        len += 1 + strcspn(text + len + 1, " ");
    }

    return len;
}


/* Lines that fit within 80 columns, and can be copied. */

static void
put_line(const char *text)
{
    size_t  room = EXAMPLE_WIDTH, used = 0;

    printf("    ");

    while (*text != '\0') {
        size_t  len = word_length(text);

        if (used > 0 && used + 1 + len > room) {
            printf(" \\e\n        ");
            room = EXAMPLE_WIDTH - 4;
            used = 0;

        } else if (used > 0) {
            putchar(' ');
            used++;
        }

        for (used += len; len > 0; len--) {
            put_char(*text++);
        }

        text += strspn(text, " ");
    }

    printf("\n");
}


static void
put_usage(const struct inlets_command *command)
{
    for (size_t i = 0; command->usage[i] != NULL; i++) {
        printf("%s\\fB%s\\fR ", i > 0 ? ".br\n" : "", command->name);
        put_text(command->usage[i]);
    }
}


static void
put_command(const struct inlets_command *command)
{
    const struct inlets_arg  *flag;

    printf(".SH \"");

    for (const char *p = command->name; *p != '\0'; p++) {
        putchar(*p >= 'a' && *p <= 'z' ? *p & ~0x20 : *p);
    }

    printf("\"\n");
    put_usage(command);
    printf(".PP\n\\fB%s\\fR ", command->name);
    put_plain(command->summary);
    printf(".\n");

    for (size_t i = 0; command->text != NULL && command->text[i] != NULL; i++) {
        printf(".PP\n");
        put_text(command->text[i]);
    }

    printf(".SS Flags\n");

    for (size_t i = 0; (flag = inlets_command_flag(command, &i)) != NULL; ) {
        if (flag->group != NULL && inlets_command_has_groups(command)) {
            printf("%s\\fI%s\\fR\n", i > 1 ? ".PP\n" : "", flag->group);
        }

        put_flag(flag);
    }

    printf(".SS Examples\n");

    for (size_t i = 0; command->examples[i].line != NULL; i++) {
        printf("%s", i > 0 ? ".PP\n" : "");
        put_plain(command->examples[i].does);
        printf(":\n.PP\n.EX\n");
        put_line(command->examples[i].line);
        printf(".EE\n");
    }

    printf(".SS \"Exit status\"\n");

    for (size_t i = 0; command->exits[i].when != NULL; i++) {
        printf(".TP\n%d\n", command->exits[i].status);
        put_text(command->exits[i].when);
    }
}


static void
put_inlets(void)
{
    const struct inlets_command  *top = &inlets_commands[0];

    put_title("INLETS", "1", top->summary);

    printf(".SH SYNOPSIS\n");
    put_usage(top);

    printf(".SH DESCRIPTION\n"
           "A client beside a private service dials out to an edge, an nginx "
           "with the modules of inlets, and asks for a host name or a TCP "
           "port there.\n"
           "Who visits it reaches the service.\n"
           ".PP\n"
           "A flag wins over its variable in the environment, and both over a "
           "file.\n"
           "Flags may stand before and after the words behind a command; all "
           "behind \\fB\\-\\-\\fR are words.\n"
           "A flag is written as \\fB\\-\\-flag\\fR \\fIVALUE\\fR or "
           "\\fB\\-\\-flag=\\fR\\fIVALUE\\fR, and never abbreviated.\n"
           "Those without a value can be turned off: "
           "\\fB\\-\\-flag=false\\fR.\n");

    for (size_t i = 1; i < inlets_ncommands; i++) {
        put_command(&inlets_commands[i]);
    }

    printf(".SH \"EXIT STATUS\"\n");

    for (size_t i = 0; top->exits[i].when != NULL; i++) {
        printf(".TP\n%d\n", top->exits[i].status);
        put_text(top->exits[i].when);
    }

    printf(".SH \"SEE ALSO\"\n"
           ".BR inlets.yml (5),\n"
           ".BR nginx (8)\n");
}


static void
put_key(const struct inlets_config_key *key)
{
    char         expected[256];
    const char  *value;

    switch (key->type) {

    case INLETS_CONFIG_MAP:
        value = "map";
        break;

    case INLETS_CONFIG_LIST:
        value = "list of maps";
        break;

    case INLETS_CONFIG_DICT:
        value = "map of maps";
        break;

    default:
        value = inlets_config_expected(key, expected, sizeof(expected));
    }

    printf(".TP\n\\fB");
    put_plain(key->path);
    printf("\\fR");

    if (key->alias != NULL) {
        printf(", \\fB");
        put_plain(key->alias);
        printf("\\fR");
    }

    printf("\n");
    put_markdown(key->meaning);
    printf(".br\nValue: ");
    put_plain(value);

    if (key->def != NULL) {
        printf(". Default: ");
        put_plain(key->def);

    } else if (key->flags & INLETS_CONFIG_REQUIRED) {
        printf(". Required");
    }

    printf(". Since: %s.\n", key->since);
}


static void
put_keys(const struct inlets_config_key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_key(&keys[i]);
    }
}


static void
put_example(const char *const *lines)
{
    printf(".PP\n.EX\n");

    for (size_t i = 0; lines[i] != NULL; i++) {
        put_text(lines[i]);
    }

    printf(".EE\n");
}


static void
put_yml(void)
{
    static const char *const  server[] = {
        "domain: example.com",
        "clients:",
        "  - clientId: alice",
        "    clientSecretFile: /etc/inlets/alice",
        "    allow:",
        "      subDomains: [alice-*]",
        "    bandwidthLimit: {upload: 1m, download: 1m}",
        NULL
    };

    static const char *const  client[] = {
        "server: wss://example.com",
        "credentialsFile: login",
        "tunnels:",
        "  - {name: web, type: http, upstream: 3000, subDomain: alice-web}",
        "  - {name: ssh, type: tcp, upstream: 22, port: 20022}",
        NULL
    };

    put_title("INLETS.YML", "5", "the files of inlets");

    printf(".SH DESCRIPTION\n"
           "Both files are YAML without anchors, aliases and tags.\n"
           "A key that is not known is a fault; all faults are told, with "
           "file, line and key.\n"
           "Keys within others are written with a dot, those of a list's "
           "items with \\fB[]\\fR, those of a map's with \\fB{}\\fR.\n"
           ".SH \"THE EDGE'S SETTINGS\"\n"
           "For \\fBinlets server\\fR and for nginx's \\fBinlets_config\\fR "
           "directive: clients, what each may do, limits and notifications.\n"
           "The file is read again when it changes.\n");
    put_example(server);
    put_keys(ngx_inlets_settings_keys, ngx_inlets_settings_nkeys);

    printf(".SH \"THE CLIENT'S FILE\"\n"
           "For \\fBinlets client \\-c\\fR \\fIFILE\\fR: the edge, who the "
           "client is there, and its tunnels.\n");
    put_example(client);
    put_keys(inlets_conf_keys, inlets_conf_nkeys);

    printf(".SH \"SEE ALSO\"\n"
           ".BR inlets (1),\n"
           ".BR nginx (8)\n");
}


int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "inlets.1") == 0) {
        put_inlets();

    } else if (argc == 2 && strcmp(argv[1], "inlets.yml.5") == 0) {
        put_yml();

    } else {
        fprintf(stderr, "usage: manual inlets.1|inlets.yml.5\n");
        return EXIT_FAILURE;
    }

    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
