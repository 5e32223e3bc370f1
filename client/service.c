#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_value.h"
#include "inlets_error.h"


#define UNIT        "inlets-client.service"
#define SECRETS     "/etc/inlets/"
#define STOP_MORE   5           /* s, over --grace */


/* How a secret reaches the service: always by a file. */

struct secret_file {
    enum inlets_option   text;
    enum inlets_option   file;
    const char          *id;        /* of systemd's credential, and its name */
    const char          *holds;
};


static const struct secret_file  secret_files[] = {
    { INLETS_OPT_TOKEN, INLETS_OPT_TOKEN_FILE, "token", "the token" },
    { INLETS_OPT_CREDENTIALS, INLETS_OPT_CREDENTIALS_FILE, "credentials",
      "ID:SECRET" },
    { INLETS_OPT_CLIENT_SECRET, INLETS_OPT_CLIENT_SECRET_FILE,
      "client-secret", "the secret" },
    { INLETS_OPT_BASIC_AUTH, INLETS_OPT_BASIC_AUTH_FILE, "basic-auth",
      "USER:PASS, one a line" },
    { INLETS_OPT_UPSTREAM_AUTH, INLETS_OPT_UPSTREAM_AUTH_FILE,
      "upstream-auth", "USER:PASS" }
};

#define SECRET_FILES  (sizeof(secret_files) / sizeof(secret_files[0]))


/* Other files go the same way: the service's user may not read them. */

static const struct secret_file  other_files[] = {
    { INLETS_OPT_MAX, INLETS_OPT_CA_FILE, "ca", NULL },
    { INLETS_OPT_MAX, INLETS_OPT_UPSTREAM_CA_FILE, "upstream-ca", NULL }
};

#define OTHER_FILES  (sizeof(other_files) / sizeof(other_files[0]))


/* What is not passed on: given in another way, or only for this run. */

static const enum inlets_option  left_out[] = {
    INLETS_OPT_CONFIG, INLETS_OPT_SERVICE, INLETS_OPT_USERNAME,
    INLETS_OPT_PASSWORD, INLETS_OPT_PLAIN
};


struct service {
    const struct inlets_options  *o;
    struct inlets_url             upstream;             /* if it is given */
    char                          program[PATH_MAX];
    char                          config[PATH_MAX];     /* empty: none */
    char                          secret[SECRET_FILES][PATH_MAX];
    bool                          missing[SECRET_FILES];
    char                          other[OTHER_FILES][PATH_MAX];
};


/* With a file, those of tunnels don't count. */

static bool
counts(const struct inlets_options *o, enum inlets_option option)
{
    return inlets_options_given(o, option)
           && (o->config_file == NULL || !inlets_options_of_tunnel(option));
}


static const char *
text_of(const struct inlets_options *o, enum inlets_option option)
{
    const char  *text;

    memcpy(&text, (const char *) o + inlets_client_args.table[option].offset,
           sizeof(text));

    return text;
}


/* A line end would begin another setting. */

static int
absolute(const char *path, char ret[PATH_MAX])
{
    char  folder[PATH_MAX] = "";
    int   n;

    if (*path != '/' && getcwd(folder, sizeof(folder)) == NULL) {
        inlets_log_fatal("the working folder: %s", strerror(errno));
        return INLETS_E_INVALID;
    }

    n = snprintf(ret, PATH_MAX, "%s%s%s", folder, *path != '/' ? "/" : "",
                 path);

    if (n < 0 || n >= PATH_MAX) {
        inlets_log_fatal("a path is too long");
        return INLETS_E_INVALID;
    }

    for (const char *p = ret; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || *p == 0x7f) {
            inlets_log_fatal("a path has control characters");
            return INLETS_E_INVALID;
        }
    }

    return INLETS_OK;
}


/* A word of ExecStart=, whose quotes, '%' and '$' mean something. */

static void
print_word(const char *word)
{
    bool  plain = *word != '\0';

    for (const char *p = word; *p != '\0' && plain; p++) {
        plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                || (*p >= '0' && *p <= '9') || strchr("-_./:,=@+", *p) != NULL;
    }

    if (plain) {
        printf("%s", word);
        return;
    }

    putchar('"');

    for (const char *p = word; *p != '\0'; p++) {
        unsigned char  c = (unsigned char) *p;

        if (c == '%' || c == '$') {
            printf("%c%c", c, c);

        } else if (c == '"' || c == '\\') {
            printf("\\%c", c);

        } else if (c < 0x20 || c == 0x7f) {
            printf("\\x%02x", c);

        } else {
            putchar(c);
        }
    }

    putchar('"');
}


static void
print_flag(const char *name, const char *value)
{
    printf(" \\\n    --%s ", name);
    print_word(value);
}


/* A path in a setting that takes all of the line. */

static void
print_path(const char *path)
{
    for (const char *p = path; *p != '\0'; p++) {
        printf("%s", *p == '%' ? "%%" : (char[]) { *p, '\0' });
    }
}


static bool
is_left_out(enum inlets_option option)
{
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
        if (left_out[i] == option) {
            return true;
        }
    }

    for (size_t i = 0; i < SECRET_FILES; i++) {
        if (secret_files[i].text == option || secret_files[i].file == option) {
            return true;
        }
    }

    for (size_t i = 0; i < OTHER_FILES; i++) {
        if (other_files[i].file == option) {
            return true;
        }
    }

    return false;
}


/* One flag for each line of it. */

static void
print_list(const char *name, const char *list)
{
    char    item[INLETS_ARG_LIST_SIZE];
    size_t  len;

    while (*list != '\0') {
        len = strcspn(list, "\n");

        memcpy(item, list, len);
        item[len] = '\0';
        print_flag(name, item);

        list += len + (list[len] != '\0');
    }
}


static void
print_option(const struct inlets_options *o, const struct inlets_arg *row)
{
    const void  *field = (const char *) o + row->offset;
    char         number[16];

    switch (row->type) {

    case INLETS_ARG_FLAG:
        printf(" \\\n    --%s%s", row->name,
               *(const bool *) field ? "" : "=false");
        break;

    case INLETS_ARG_NUMBER:
        snprintf(number, sizeof(number), "%u", *(const uint32_t *) field);
        print_flag(row->name, number);
        break;

    case INLETS_ARG_LIST:
        print_list(row->name, ((const struct inlets_arg_list *) field)->text);
        break;

    default:
        print_flag(row->name, *(const char *const *) field);
        break;
    }
}


static void
print_credential(const struct secret_file *file, const char *path)
{
    if (*path != '\0') {
        printf(" \\\n    --%s %%d/%s",
               inlets_client_args.table[file->file].name, file->id);
    }
}


static void
print_exec(const struct service *s)
{
    const struct inlets_options  *o = s->o;

    printf("ExecStart=");
    print_word(s->program);
    printf(" client");

    if (*s->config != '\0') {
        print_flag("config", s->config);
    }

    for (size_t i = 0; i < SECRET_FILES; i++) {
        print_credential(&secret_files[i], s->secret[i]);
    }

    for (size_t i = 0; i < OTHER_FILES; i++) {
        print_credential(&other_files[i], s->other[i]);
    }

    for (int i = 0; i < INLETS_OPT_MAX; i++) {
        if (counts(o, i) && !is_left_out(i)) {
            print_option(o, &inlets_client_args.table[i]);
        }
    }

    if (o->upstream != NULL) {
        printf(" \\\n    %s ", o->tcp ? "tcp" : "http");
        print_word(o->upstream);

    } else if (o->nnames > 0) {
        printf(" \\\n    --");
    }

    for (size_t i = 0; i < o->nnames; i++) {
        putchar(' ');
        print_word(o->names[i]);
    }

    printf("\n");
}


/* A word for a shell. */

static void
print_quoted(const char *word)
{
    putchar('\'');

    for (const char *p = word; *p != '\0'; p++) {
        if (*p == '\'') {
            printf("'\\''");

        } else {
            putchar(*p);
        }
    }

    putchar('\'');
}


static void
print_head(const struct service *s)
{
    printf("# Made by \"inlets client --service\".  Save it as\n"
           "# /etc/systemd/system/" UNIT ", then as root:\n#\n");

    for (size_t i = 0; i < SECRET_FILES; i++) {
        if (s->missing[i]) {
            printf("#   install -D -m 600 /dev/null %s\n"
                   "#       (and write into it: %s)\n", s->secret[i],
                   secret_files[i].holds);
        }
    }

    if (*s->config != '\0') {
        printf("#   groupadd --system inlets\n"
               "#   chgrp inlets ");
        print_quoted(s->config);
        printf("\n#   chmod 640 ");
        print_quoted(s->config);
        printf("\n#       (and the same for the files it names)\n");
    }

    printf("#   systemctl daemon-reload\n"
           "#   systemctl enable --now " UNIT "\n\n"
           "[Unit]\n"
           "Description=Tunnels to local services through an inlets edge\n"
           "Documentation=man:inlets(1)\n"
           "Wants=network-online.target\n"
           "After=network-online.target\n"
           "StartLimitIntervalSec=0\n\n");
}


static bool
starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}


static bool
is_home(const char *path)
{
    return starts_with(path, "/home/") || starts_with(path, "/root/")
           || starts_with(path, "/run/user/");
}


/* The local services that are known. */

static size_t
count_upstreams(const struct service *s)
{
    return s->o->conf != NULL ? s->o->conf->ntunnels : 1;
}


static const struct inlets_url *
get_upstream(const struct service *s, size_t i)
{
    return s->o->conf != NULL ? &s->o->conf->tunnels[i].local.url
                              : &s->upstream;
}


static bool
needs_home(const struct service *s)
{
    bool  needs = is_home(s->program) || is_home(s->config);

    for (size_t i = 0; i < count_upstreams(s); i++) {
        const struct inlets_url  *url = get_upstream(s, i);

        needs = needs || (url->local_socket && is_home(url->path));
    }

    return needs;
}


static void
print_limits(const struct service *s)
{
    printf("Restart=on-failure\n"
           "RestartSec=10\n"
           "LimitNOFILE=524288\n\n"
           "DynamicUser=yes\n");

    if (*s->config != '\0') {
        printf("SupplementaryGroups=inlets\n");
    }

    printf("UMask=0077\n"
           "NoNewPrivileges=yes\n"
           "CapabilityBoundingSet=\n"
           "ProtectSystem=strict\n"
           "ProtectHome=%s\n"
           "PrivateTmp=yes\n"
           "PrivateDevices=yes\n"
           "ProtectClock=yes\n"
           "ProtectControlGroups=yes\n"
           "ProtectHostname=yes\n"
           "ProtectKernelLogs=yes\n"
           "ProtectKernelModules=yes\n"
           "ProtectKernelTunables=yes\n"
           "ProtectProc=invisible\n"
           "ProcSubset=pid\n"
           "LockPersonality=yes\n"
           "MemoryDenyWriteExecute=yes\n"
           "RemoveIPC=yes\n"
           "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\n"
           "RestrictNamespaces=yes\n"
           "RestrictRealtime=yes\n"
           "RestrictSUIDSGID=yes\n"
           "SystemCallArchitectures=native\n"
           "SystemCallFilter=@system-service\n"
           "SystemCallFilter=~@privileged\n"
           "SystemCallErrorNumber=EPERM\n\n"
           "[Install]\n"
           "WantedBy=multi-user.target\n",
           needs_home(s) ? "read-only" : "yes");
}


static void
print_unit(const struct service *s)
{
    const struct inlets_options  *o = s->o;
    uint32_t                      grace;

    grace = o->conf != NULL ? o->conf->grace : o->grace;

    print_head(s);
    printf("[Service]\n"
           "Type=exec\n");
    print_exec(s);

    if (*s->config != '\0') {
        printf("ExecReload=/bin/kill -HUP $MAINPID\n");
    }

    for (size_t i = 0; i < SECRET_FILES; i++) {
        if (*s->secret[i] != '\0') {
            printf("LoadCredential=%s:", secret_files[i].id);
            print_path(s->secret[i]);
            printf("\n");
        }
    }

    for (size_t i = 0; i < OTHER_FILES; i++) {
        if (*s->other[i] != '\0') {
            printf("LoadCredential=%s:", other_files[i].id);
            print_path(s->other[i]);
            printf("\n");
        }
    }

    printf("KillSignal=SIGTERM\n"
           "TimeoutStopSec=%u\n", (grace + 999) / 1000 + STOP_MORE);
    print_limits(s);
}


/* The file of a secret that was given as a text has yet to be made. */

static int
find_secret(struct service *s, size_t i)
{
    const struct inlets_options  *o = s->o;
    const struct secret_file     *file = &secret_files[i];
    bool                          text = counts(o, file->text);

    if (file->text == INLETS_OPT_UPSTREAM_AUTH) {
        text = text || counts(o, INLETS_OPT_USERNAME)
               || counts(o, INLETS_OPT_PASSWORD);
    }

    if (counts(o, file->file)
        && (!text || o->source[file->file] >= o->source[file->text]))
    {
        return absolute(text_of(o, file->file), s->secret[i]);
    }

    if (text) {
        snprintf(s->secret[i], PATH_MAX, SECRETS "%s", file->id);
        s->missing[i] = true;
    }

    return INLETS_OK;
}


static int
find_files(struct service *s)
{
    const struct inlets_options  *o = s->o;
    int                           rc = INLETS_OK;

    if (o->config_file != NULL) {
        rc = absolute(o->config_file, s->config);
    }

    for (size_t i = 0; i < SECRET_FILES && rc == INLETS_OK; i++) {
        rc = find_secret(s, i);
    }

    for (size_t i = 0; i < OTHER_FILES && rc == INLETS_OK; i++) {
        if (counts(o, other_files[i].file)) {
            rc = absolute(text_of(o, other_files[i].file), s->other[i]);
        }
    }

    return rc;
}


/* What can be told without the files, which may be for another machine. */

static int
check_addresses(struct service *s)
{
    const struct inlets_options  *o = s->o;
    struct inlets_url             url;
    char                          why[INLETS_WHY_MAX];

    if (o->upstream != NULL
        && inlets_value_upstream(&s->upstream, o->upstream, why) != INLETS_OK)
    {
        inlets_log_fatal("upstream %s", why);
        return INLETS_E_INVALID;
    }

    if (counts(o, INLETS_OPT_SERVER)
        && inlets_value_remote(&url, o->server, true, why) != INLETS_OK)
    {
        inlets_log_fatal("server %s", why);
        return INLETS_E_INVALID;
    }

    if (inlets_value_remote(&url, o->remote, false, why) != INLETS_OK) {
        inlets_log_fatal("remote %s", why);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


/* DynamicUser= gives the service folders of its own for these. */

static int
check_sockets(const struct service *s)
{
    for (size_t i = 0; i < count_upstreams(s); i++) {
        const struct inlets_url  *url = get_upstream(s, i);

        if (url->local_socket && (starts_with(url->path, "/tmp/")
                                  || starts_with(url->path, "/var/tmp/")))
        {
            inlets_log_fatal("a systemd service sees no socket of others in "
                             "/tmp or /var/tmp: unix:%s must be elsewhere, "
                             "such as in /run", url->path);
            return INLETS_E_INVALID;
        }
    }

    return INLETS_OK;
}


enum inlets_options_result
inlets_service_print(const struct inlets_options *options)
{
    struct service  *s = calloc(1, sizeof(*s));
    ssize_t          n;
    int              rc;

    if (s == NULL) {
        inlets_log_fatal("no memory");
        return INLETS_OPTIONS_ERROR;
    }

    s->o = options;
    n = readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);

    if (n <= 0) {
        inlets_log_fatal("cannot find out where this program is: %s",
                         strerror(errno));
        rc = INLETS_E_INVALID;

    } else {
        rc = check_addresses(s);
    }

    if (rc == INLETS_OK) {
        rc = check_sockets(s);
    }

    if (rc == INLETS_OK) {
        rc = find_files(s);
    }

    if (rc == INLETS_OK) {
        print_unit(s);
    }

    free(s);

    return rc == INLETS_OK ? INLETS_OPTIONS_DONE : INLETS_OPTIONS_ERROR;
}
