#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "forward.h"
#include "nearest.h"
#include "options.h"
#include "server.h"


#define LIST(...)      (const char *const[]) { __VA_ARGS__, NULL }
#define EXAMPLES(...)  (const struct inlets_example[]) { __VA_ARGS__, { 0 } }
#define EXITS(...)     (const struct inlets_exit[]) { __VA_ARGS__, { 0 } }


static const struct inlets_args  no_args = { .command = "inlets" };


/* Of all commands: see args.c. */

static const struct inlets_arg  common_flags[] = {
    { .group = "Help", .name = "help", .letter = 'h', .help = "this help" },
    { .name = "version", .help = "the release's number" },
    { .letter = 'V', .help = "more: protocols, nginx, libraries" }
};

#define COMMON_FLAGS  (sizeof(common_flags) / sizeof(common_flags[0]))


const struct inlets_command  inlets_commands[] = {

    { .name = "inlets",
      .summary = "shows a private web or TCP service through an nginx edge",
      .usage = LIST("client [flags] http|tcp UPSTREAM",
                    "client [flags] -c FILE [NAME...]",
                    "client check -c FILE [NAME...]",
                    "server [flags]",
                    "server reload [-c FILE]",
                    "forward [flags] -s SOURCE -t TARGET",
                    "completion bash|zsh|fish",
                    "help [COMMAND]",
                    "--version | -V | --help | -h"),
      .text = LIST("Each command has a help of its own: inlets COMMAND --help, "
                   "or inlets help COMMAND."),
      .examples = EXAMPLES(
          { "an edge for *.example.com, on a server",
            "inlets server -d example.com --token-file token" },
          { "beside a private web service: http://myapp.example.com:8080",
            "inlets client -r example.com:8080 --token-file token -s myapp "
            "http 3000" }),
      .exits = EXITS(
          { "done, or ended by a signal as it should", EXIT_SUCCESS },
          { "it could not do what was asked, or the command line is wrong; "
            "\"Error: ...\" on standard error tells why", EXIT_FAILURE }),
      .args = &no_args },

    { .name = "inlets client",
      .summary = "shows a local service through an edge",
      .usage = LIST("[flags] http|tcp UPSTREAM",
                    "[flags] -c FILE [NAME...]",
                    "[flags] --credentials ID:SECRET"),
      .text = LIST("UPSTREAM is the local service: a port, host:port or a "
                   "URL. Flags may stand before and after the words.",
                   "NAMEs are tunnels of the file; without them all are "
                   "started. With credentials, and no tunnel named by words "
                   "or file, those that the edge lists are.",
                   "On a terminal a live view stands below the log, in colour "
                   "unless NO_COLOR is set. With --plain, with --log-format "
                   "json and in a pipe there is only the log.",
                   "SIGTERM and SIGINT let open streams finish, a second one "
                   "ends at once. SIGHUP, or a change, has it read its file "
                   "again."),
      .examples = EXAMPLES(
          { "a web service as myapp.example.com",
            "inlets client -r example.com:443 --token-file token -s myapp "
            "http 3000" },
          { "SSH at port 20022 of the edge",
            "inlets client -r example.com:443 --token-file token -p 20022 "
            "tcp 127.0.0.1:22" },
          { "for some visitors only, who need a password",
            "inlets client -r example.com:443 --credentials-file login "
            "-s myapp --basic-auth-file users --allow-ip 192.0.2.0/24 "
            "http 3000" },
          { "two of the tunnels in a file",
            "inlets client -c client.yml web ssh" },
          { "a systemd unit for such a command",
            "inlets client --service -c /etc/inlets/client.yml" }),
      .exits = EXITS(
          { "ended by a signal, or by the end of a public tunnel's lifetime",
            EXIT_SUCCESS },
          { "the edge refused the log-in or the name, a file can't be read, "
            "or the command line is wrong", EXIT_FAILURE }),
      .args = &inlets_client_args,
      .words = LIST("http", "tcp"),
      .run = inlets_client_main },

    { .name = "inlets client check",
      .summary = "tells what is wrong with a client's file",
      .usage = LIST("[flags] -c FILE [NAME...]"),
      .text = LIST("It reads the file, and those with secrets and "
                   "certificates that it names, as a start would."),
      .examples = EXAMPLES(
          { "before a running client sees it",
            "inlets client check -c client.yml.new" }),
      .exits = EXITS(
          { "it is good", EXIT_SUCCESS },
          { "it is not, all that is wrong was told", EXIT_FAILURE }),
      .args = &inlets_client_args,
      .takes = inlets_check_takes },

    { .name = "inlets server",
      .summary = "runs a complete edge: nginx with the modules of inlets",
      .usage = LIST("[flags]"),
      .text = LIST(
          "A flag wins over the environment, that over the settings file. "
          "Without -c it is the first there is of ./.go-idp/inlets.yaml, "
          "./.inlets.yaml, ~/.go-idp/inlets/config.yaml, "
          "~/.config/inlets.yaml, ~/.config/inlets.yml, "
          "/etc/go-idp/inlets/config.yaml, /etc/inlets/config.yaml.",
          "SIGHUP has it read its files again. SIGTERM and SIGINT end it "
          "gracefully, a second one at once."),
      .examples = EXAMPLES(
          { "web services as *.example.com:8080",
            "inlets server -d example.com -t a-long-secret" },
          { "as the settings file says, and TCP services",
            "inlets server -c /etc/inlets/config.yaml "
            "--tcp-range 20000-20099" },
          { "with TLS",
            "inlets server -d example.com --token-file token -p 443 "
            "--tls-cert cert.pem --tls-key key.pem" },
          { "an nginx configuration to make one's own",
            "inlets server -d example.com -t x --print-config > edge.conf" }),
      .exits = EXITS(
          { "ended by a signal", EXIT_SUCCESS },
          { "it could not start, nginx ended by itself, or the command line "
            "is wrong", EXIT_FAILURE }),
      .args = &inlets_server_args,
      .run = inlets_server_main },

    { .name = "inlets server reload",
      .summary = "has a running edge read its files again",
      .usage = LIST("[-c FILE]"),
      .text = LIST("It finds a server of the same user by its settings file, "
                   "or the only one that runs."),
      .examples = EXAMPLES(
          { "the one that was started with this file",
            "inlets server reload -c /etc/inlets/config.yaml" }),
      .exits = EXITS(
          { "it has read them", EXIT_SUCCESS },
          { "it goes on as it was, as its output says why; or there is none, "
            "or more than one", EXIT_FAILURE }),
      .args = &inlets_server_args,
      .takes = inlets_server_reload_takes },

    { .name = "inlets forward",
      .summary = "passes TCP connections on, without an edge",
      .usage = LIST("[flags] -s SOURCE -t TARGET"),
      .text = LIST("It accepts connections at SOURCE and connects each to "
                   "TARGET.",
                   "SIGTERM and SIGINT let them finish, a second one ends at "
                   "once."),
      .examples = EXAMPLES(
          { "port 8080 of this machine",
            "inlets forward -s 0.0.0.0:8080 -t 127.0.0.1:3000" },
          { "of all addresses, to IPv6; silent ones end after 10 minutes",
            "inlets forward -s :5432 -t [fd00::7]:5432 "
            "--idle-timeout 600000" }),
      .exits = EXITS(
          { "ended by a signal", EXIT_SUCCESS },
          { "it can't listen, or the command line is wrong", EXIT_FAILURE }),
      .args = &inlets_forward_args,
      .run = inlets_forward_main },

    { .name = "inlets completion",
      .summary = "prints a script that lets a shell complete flags",
      .usage = LIST("bash|zsh|fish"),
      .text = LIST("\"make install\" puts them where the shells look."),
      .examples = EXAMPLES(
          { "bash, for this session",
            "source <(inlets completion bash)" },
          { "zsh, in a folder of $fpath",
            "inlets completion zsh > ~/.zfunc/_inlets" },
          { "fish",
            "inlets completion fish > "
            "~/.config/fish/completions/inlets.fish" }),
      .exits = EXITS(
          { "printed", EXIT_SUCCESS },
          { "no such shell is known", EXIT_FAILURE }),
      .words = LIST("bash", "zsh", "fish"),
      .run = inlets_completion_main },

    { .name = "inlets help",
      .summary = "explains a command",
      .usage = LIST("[COMMAND]"),
      .examples = EXAMPLES(
          { "the same as inlets server reload --help",
            "inlets help server reload" }),
      .exits = EXITS(
          { "printed", EXIT_SUCCESS },
          { "there is no such command", EXIT_FAILURE }),
      .run = inlets_help_main }
};

const size_t  inlets_ncommands = sizeof(inlets_commands)
                                 / sizeof(inlets_commands[0]);


const struct inlets_command *
inlets_command_below(const char *name, const char *word)
{
    size_t  len = strlen(name);

    for (size_t i = 0; i < inlets_ncommands; i++) {
        const char  *known = inlets_commands[i].name;

        if (strncmp(known, name, len) != 0) {
            continue;
        }

        if (word == NULL ? known[len] == '\0'
                         : known[len] == ' ' && strchr(word, ' ') == NULL
                           && strcmp(known + len + 1, word) == 0)
        {
            return &inlets_commands[i];
        }
    }

    return NULL;
}


static bool
is_taken(const struct inlets_command *command, const struct inlets_arg *row)
{
    return command->takes == NULL || command->takes(row);
}


const struct inlets_arg *
inlets_command_flag(const struct inlets_command *command, size_t *i)
{
    size_t  n = command->args != NULL ? command->args->n : 0;

    while (*i < n) {
        const struct inlets_arg  *row = &command->args->table[(*i)++];

        if (is_taken(command, row)) {
            return row;
        }
    }

    return *i < n + COMMON_FLAGS ? &common_flags[(*i)++ - n] : NULL;
}


bool
inlets_command_has_groups(const struct inlets_command *command)
{
    return command->args != NULL && command->args->n > 0
           && command->args->table[0].group != NULL
           && is_taken(command, &command->args->table[0]);
}


bool
inlets_command_is_below(const struct inlets_command *command,
    const struct inlets_command *other)
{
    size_t  len = strlen(other->name);

    return strncmp(command->name, other->name, len) == 0
           && command->name[len] == ' '
           && strchr(command->name + len + 1, ' ') == NULL;
}


enum inlets_value
inlets_command_value(const struct inlets_arg *flag)
{
    if (flag->type == INLETS_ARG_FLAG) {
        return INLETS_VALUE_NONE;
    }

    if (flag->choices != NULL) {
        return INLETS_VALUE_CHOICE;
    }

    if (strcmp(flag->value, "FILE") == 0 || strcmp(flag->value, "PATH") == 0) {
        return INLETS_VALUE_FILE;
    }

    return strcmp(flag->value, "DIR") == 0 ? INLETS_VALUE_DIR
                                           : INLETS_VALUE_ANY;
}


/* what: "unknown command", of those below the one of this name. */

static void
report_word(const char *what, const char *word, const char *name)
{
    const struct inlets_command  *above = inlets_command_below(name, NULL);
    struct inlets_nearest         nearest;

    inlets_nearest_start(&nearest, word, strlen(word));

    for (size_t i = 0; i < inlets_ncommands; i++) {
        if (inlets_command_is_below(&inlets_commands[i], above)) {
            inlets_nearest_try(&nearest, inlets_commands[i].name
                                         + strlen(name) + 1);
        }
    }

    /* others have a command for it */

    if (above == &inlets_commands[0]) {
        inlets_nearest_try(&nearest, "--version");
    }

    if (nearest.best != NULL) {
        inlets_log_fatal("%s \"%s\", did you mean \"%s\"? See %s --help",
                         what, word, nearest.best, name);
        return;
    }

    inlets_log_fatal("%s \"%s\", see %s --help", what, word, name);
}


void
inlets_command_unknown(const char *name, const char *word)
{
    report_word("unknown command", word, name);
}


void
inlets_command_unexpected(const char *name, const char *word)
{
    report_word("unexpected argument", word, name);
}


int
inlets_top_main(int argc, char **argv)
{
    int  word;

    switch (inlets_args_parse(inlets_commands[0].args, argc, argv, NULL, NULL,
                              &word))
    {
    case INLETS_OPTIONS_DONE:
        return EXIT_SUCCESS;

    case INLETS_OPTIONS_ERROR:
        return EXIT_FAILURE;

    case INLETS_OPTIONS_RUN:
        break;
    }

    if (word == argc) {
        inlets_command_help(inlets_commands[0].name, 0, NULL);
        return EXIT_SUCCESS;
    }

    inlets_command_unknown(inlets_commands[0].name, argv[word]);

    return EXIT_FAILURE;
}
