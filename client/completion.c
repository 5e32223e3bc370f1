/*
 * "inlets completion": scripts for shells, made of the table of commands.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "log.h"


#define TOP  (&inlets_commands[0])


/* What stands behind the name of the command above. */

static const char *
last_word(const struct inlets_command *command)
{
    const char  *space = strrchr(command->name, ' ');

    return space != NULL ? space + 1 : command->name;
}


/* A name for a function: "inlets_server_reload". */

static void
print_identifier(const struct inlets_command *command)
{
    for (const char *p = command->name; *p != '\0'; p++) {
        putchar(*p == ' ' ? '_' : *p);
    }
}


/* Within single quotes; behind a backslash: those of special. */

static void
print_quoted(const char *text, const char *special)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'') {
            printf("'\\''");
            continue;
        }

        if (strchr(special, *p) != NULL) {
            putchar('\\');
        }

        putchar(*p);
    }
}


static void
print_list(const char *const *names, const char *between)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        printf("%s%s", i > 0 ? between : "", names[i]);
    }
}


/* The commands below one, as first words; how many there were before. */

static size_t
print_below(const struct inlets_command *command, size_t n)
{
    for (size_t i = 0; i < inlets_ncommands; i++) {
        if (inlets_command_is_below(&inlets_commands[i], command)) {
            printf("%s%s", n++ > 0 ? " " : "", last_word(&inlets_commands[i]));
        }
    }

    return n;
}


/* The first words that a command can have. */

static void
print_first_words(const struct inlets_command *command)
{
    size_t  n;

    /* "inlets help" is followed by what "inlets" is followed by */

    n = print_below(command->run == inlets_help_main ? TOP : command, 0);

    for (size_t i = 0; command->words != NULL && command->words[i] != NULL;
         i++)
    {
        printf("%s%s", n++ > 0 ? " " : "", command->words[i]);
    }
}


/*
 * bash.  "kind" is what the value of a flag is: @any, @file, @dir or words.
 * bash takes "--flag=value" for three words.
 */

static const char  bash_start[] =
    "# bash completion of inlets, made by \"inlets completion bash\".\n"
    "\n"
    "_inlets_flag()\n"
    "{\n"
    "    kind=\n"
    "\n"
    "    case \"$1 $2\" in\n";

static const char  bash_middle[] =
    "    esac\n"
    "}\n"
    "\n"
    "_inlets_command()\n"
    "{\n"
    "    case \"$1\" in\n";

static const char  bash_end[] =
    "    esac\n"
    "}\n"
    "\n"
    "_inlets()\n"
    "{\n"
    "    local cur=$2 prev=$3 command=inlets first=1 kind= flags= words= i "
    "word\n"
    "\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "\n"
    "        if [[ $word == = ]]; then\n"
    "            ((i++))\n"
    "            continue\n"
    "        fi\n"
    "\n"
    "        if [[ $word == -* ]]; then\n"
    "            _inlets_flag \"$command\" \"$word\"\n"
    "            if [[ $kind && ${COMP_WORDS[i + 1]} != = ]]; then\n"
    "                ((i++))\n"
    "            fi\n"
    "            continue\n"
    "        fi\n"
    "\n"
    "        flags=\n"
    "        _inlets_command \"$command $word\"\n"
    "\n"
    "        if [[ $flags ]]; then\n"
    "            command+=\" $word\"\n"
    "        else\n"
    "            first=\n"
    "        fi\n"
    "    done\n"
    "\n"
    "    COMPREPLY=()\n"
    "    _inlets_flag \"$command\" \"$prev\"\n"
    "\n"
    "    case $kind in\n"
    "        @any)\n"
    "            return ;;\n"
    "        @file)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "            return ;;\n"
    "        @dir)\n"
    "            compopt -o filenames 2>/dev/null\n"
    "            mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "            return ;;\n"
    "    esac\n"
    "\n"
    "    if [[ $kind ]]; then\n"
    "        words=$kind\n"
    "    else\n"
    "        _inlets_command \"$command\"\n"
    "        if [[ $cur == -* ]]; then\n"
    "            words=$flags\n"
    "        elif [[ ! $first ]]; then\n"
    "            words=\n"
    "        fi\n"
    "    fi\n"
    "\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "complete -F _inlets inlets\n";


static void
print_bash_flag(const struct inlets_command *command,
    const struct inlets_arg *flag)
{
    enum inlets_value  value = inlets_command_value(flag);

    if (value == INLETS_VALUE_NONE) {
        return;
    }

    printf("        \"%s --%s\"", command->name, flag->name);

    if (flag->letter) {
        printf(" | \"%s -%c\"", command->name, flag->letter);
    }

    printf(")\n            kind=");

    switch (value) {

    case INLETS_VALUE_CHOICE:
        printf("'");
        print_list(flag->choices, " ");
        printf("'");
        break;

    case INLETS_VALUE_FILE:
        printf("@file");
        break;

    case INLETS_VALUE_DIR:
        printf("@dir");
        break;

    default:
        printf("@any");
    }

    printf(" ;;\n");
}


static void
print_bash_command(const struct inlets_command *command)
{
    const struct inlets_arg  *flag;

    printf("        \"%s\")\n            flags='", command->name);

    for (size_t i = 0; (flag = inlets_command_flag(command, &i)) != NULL; ) {
        if (flag->name != NULL) {
            printf("%s--%s", i > 1 ? " " : "", flag->name);

        } else {
            printf(" -%c", flag->letter);
        }
    }

    printf("'\n            words='");
    print_first_words(command);
    printf("' ;;\n");
}


static void
print_bash(void)
{
    const struct inlets_arg  *flag;

    printf("%s", bash_start);

    for (size_t c = 0; c < inlets_ncommands; c++) {
        for (size_t i = 0;
             (flag = inlets_command_flag(&inlets_commands[c], &i)) != NULL; )
        {
            print_bash_flag(&inlets_commands[c], flag);
        }
    }

    printf("%s", bash_middle);

    for (size_t c = 0; c < inlets_ncommands; c++) {
        print_bash_command(&inlets_commands[c]);
    }

    printf("%s", bash_end);
}


/* zsh: a function for each command, with what _arguments wants to know. */

static void
print_zsh_value(const struct inlets_arg *flag)
{
    switch (inlets_command_value(flag)) {

    case INLETS_VALUE_NONE:
        break;

    case INLETS_VALUE_ANY:
        printf(":");
        print_quoted(flag->value, ":");
        printf(": ");
        break;

    case INLETS_VALUE_CHOICE:
        printf(":%s:(", flag->value);
        print_list(flag->choices, " ");
        printf(")");
        break;

    case INLETS_VALUE_FILE:
        printf(":%s:_files", flag->value);
        break;

    case INLETS_VALUE_DIR:
        printf(":%s:_files -/", flag->value);
        break;
    }
}


/* with: how a value may follow; a list may be given again */

static void
print_zsh_spec(const struct inlets_arg *flag, const char *dashes,
    const char *name, const char *with)
{
    bool  value = inlets_command_value(flag) != INLETS_VALUE_NONE;

    printf("        '");

    if (flag->type == INLETS_ARG_LIST) {
        printf("*");

    } else if (flag->letter && flag->name != NULL) {
        printf("(-%c --%s)", flag->letter, flag->name);
    }

    printf("%s%s%s[", dashes, name, value ? with : "");
    print_quoted(flag->help, "[]:\\");
    printf("]");
    print_zsh_value(flag);
    printf("' \\\n");
}


static void
print_zsh_flags(const struct inlets_command *command)
{
    const struct inlets_arg  *flag;

    for (size_t i = 0; (flag = inlets_command_flag(command, &i)) != NULL; ) {
        if (flag->letter) {
            print_zsh_spec(flag, "-", (const char[]) { flag->letter, '\0' },
                           "+");
        }

        if (flag->name != NULL) {
            print_zsh_spec(flag, "--", flag->name, "=");
        }
    }
}


/* A command below this one that the line has goes on by itself. */

static void
print_zsh_command(const struct inlets_command *command)
{
    printf("\n_");
    print_identifier(command);
    printf("() {\n");

    for (size_t i = 0; i < inlets_ncommands; i++) {
        if (inlets_command_is_below(&inlets_commands[i], command)) {
            printf("    if (( ${words[(I)%s]} )); then\n        _",
                   last_word(&inlets_commands[i]));
            print_identifier(&inlets_commands[i]);
            printf("\n        return\n    fi\n\n");
        }
    }

    printf("    _arguments -s -S \\\n");
    print_zsh_flags(command);
    printf("        '1:word:(");
    print_first_words(command);
    printf(")' \\\n        '*:word: '\n}\n");
}


static const char  zsh_end[] =
    "            )\n"
    "            _describe command commands ;;\n"
    "        argument)\n"
    "            if (( $+functions[_inlets_$line[1]] )); then\n"
    "                _inlets_$line[1]\n"
    "            fi ;;\n"
    "    esac\n"
    "}\n"
    "\n"
    "if [[ $funcstack[1] == _inlets ]]; then\n"
    "    _inlets \"$@\"\n"
    "else\n"
    "    compdef _inlets inlets\n"
    "fi\n";


static void
print_zsh_top(void)
{
    printf("\n_inlets() {\n"
           "    local curcontext=$curcontext state line\n"
           "    local -A opt_args\n"
           "\n"
           "    _arguments -C -s -S \\\n");

    print_zsh_flags(TOP);

    printf("        '1:command:->command' \\\n"
           "        '*::argument:->argument' && return\n"
           "\n"
           "    case $state in\n"
           "        command)\n"
           "            local -a commands=(\n");

    for (size_t i = 0; i < inlets_ncommands; i++) {
        if (inlets_command_is_below(&inlets_commands[i], TOP)) {
            printf("                '%s:", last_word(&inlets_commands[i]));
            print_quoted(inlets_commands[i].summary, ":");
            printf("'\n");
        }
    }

    printf("%s", zsh_end);
}


static void
print_zsh(void)
{
    printf("#compdef inlets\n"
           "#\n"
           "# zsh completion of inlets, made by \"inlets completion zsh\".\n");

    for (size_t i = 1; i < inlets_ncommands; i++) {
        print_zsh_command(&inlets_commands[i]);
    }

    print_zsh_top();
}


/* fish: the command is the first word, and perhaps a later one. */

static const char  fish_start[] =
    "# fish completion of inlets, made by \"inlets completion fish\".\n"
    "\n"
    "# The command line is of this command, and not of one below it.\n"
    "\n"
    "function __inlets_at\n"
    "    set -l words (commandline -opc)\n"
    "    set -e words[1]\n"
    "\n"
    "    if test \"$words[1]\" != \"$argv[1]\"\n"
    "        return 1\n"
    "    end\n"
    "\n"
    "    set -l below\n"
    "    set -l rest $words[2..-1]\n"
    "\n"
    "    switch \"$argv[1]\"\n";

static const char  fish_middle[] =
    "    end\n"
    "\n"
    "    set -l found\n"
    "\n"
    "    for word in $rest\n"
    "        if contains -- $word $below\n"
    "            set found $word\n"
    "            break\n"
    "        end\n"
    "    end\n"
    "\n"
    "    test \"$found\" = \"$argv[2]\"\n"
    "end\n"
    "\n"
    "function __inlets_none\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -lt 2\n"
    "end\n"
    "\n"
    "function __inlets_no_word\n"
    "    set -l words (commandline -opc)\n"
    "\n"
    "    for word in $words[3..-1]\n"
    "        if contains -- $word $argv\n"
    "            return 1\n"
    "        end\n"
    "    end\n"
    "end\n"
    "\n"
    "complete -c inlets -f\n";


static void
print_fish_condition(const struct inlets_command *command)
{
    const char  *rest;

    if (command == TOP) {
        printf("__inlets_none");
        return;
    }

    rest = command->name + strlen(TOP->name) + 1;

    printf("__inlets_at %s", rest);
}


static void
print_fish_flag(const struct inlets_command *command,
    const struct inlets_arg *flag)
{
    printf("complete -c inlets -n '");
    print_fish_condition(command);
    printf("'");

    if (flag->name != NULL) {
        printf(" -l %s", flag->name);
    }

    if (flag->letter) {
        printf(" -s %c", flag->letter);
    }

    switch (inlets_command_value(flag)) {

    case INLETS_VALUE_NONE:
        break;

    case INLETS_VALUE_ANY:
        printf(" -x");
        break;

    case INLETS_VALUE_CHOICE:
        printf(" -x -a '");
        print_list(flag->choices, " ");
        printf("'");
        break;

    case INLETS_VALUE_FILE:
        printf(" -r -F");
        break;

    case INLETS_VALUE_DIR:
        printf(" -x -a '(__fish_complete_directories)'");
        break;
    }

    /* fish knows \' and \\ within single quotes */

    printf(" -d '");

    for (const char *p = flag->help; *p != '\0'; p++) {
        printf("%s%c", *p == '\'' || *p == '\\' ? "\\" : "", *p);
    }

    printf("'\n");
}


static void
print_fish_words(const struct inlets_command *command)
{
    printf("complete -c inlets -n '");
    print_fish_condition(command);

    if (command != TOP) {
        printf("; and __inlets_no_word ");
        print_first_words(command);
    }

    printf("' -a '");
    print_first_words(command);
    printf("'\n");
}


static bool
has_first_words(const struct inlets_command *command)
{
    for (size_t i = 0; i < inlets_ncommands; i++) {
        if (inlets_command_is_below(&inlets_commands[i], command)) {
            return true;
        }
    }

    return command->words != NULL || command->run == inlets_help_main;
}


static void
print_fish(void)
{
    const struct inlets_arg  *flag;

    printf("%s", fish_start);

    for (size_t i = 1; i < inlets_ncommands; i++) {
        const struct inlets_command  *command = &inlets_commands[i];

        if (inlets_command_is_below(command, TOP)) {
            printf("        case %s\n            set below ",
                   last_word(command));
            (void) print_below(command, 0);
            printf("\n");
        }
    }

    printf("%s", fish_middle);

    for (size_t i = 0; i < inlets_ncommands; i++) {
        const struct inlets_command  *command = &inlets_commands[i];

        printf("\n");

        if (has_first_words(command)) {
            print_fish_words(command);
        }

        for (size_t k = 0; (flag = inlets_command_flag(command, &k)) != NULL; )
        {
            print_fish_flag(command, flag);
        }
    }
}


int
inlets_completion_main(int argc, char **argv)
{
    static const struct inlets_args  args = { .command = "inlets completion" };

    static const struct {
        const char  *name;
        void       (*print)(void);
    } shells[] = {
        { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish }
    };

    int                    word;

    switch (inlets_args_parse(&args, argc, argv, NULL, NULL, &word)) {

    case INLETS_OPTIONS_DONE:
        return EXIT_SUCCESS;

    case INLETS_OPTIONS_ERROR:
        return EXIT_FAILURE;

    case INLETS_OPTIONS_RUN:
        break;
    }

    if (argc - word != 1) {
        inlets_log_fatal("say which shell: bash, zsh or fish");
        return EXIT_FAILURE;
    }

    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(argv[word], shells[i].name) == 0) {
            shells[i].print();
            return EXIT_SUCCESS;
        }
    }

    inlets_log_fatal("no completions for \"%s\", only for bash, zsh and fish",
                     argv[word]);

    return EXIT_FAILURE;
}
