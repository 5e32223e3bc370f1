#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inlets_error.h"


#ifndef INLETS_MODULEDIR
#define INLETS_MODULEDIR  "/usr/lib/nginx/modules"
#endif

#define OUTPUT_MAX   (64 * 1024)
#define OUTPUT_WAIT  30         /* s */

#define HTTP_MODULE    "ngx_http_inlets_module.so"
#define STREAM_MODULE  "ngx_stream_inlets_module.so"


static bool
is_file(const char *path, int mode)
{
    struct stat  st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode)
           && access(path, mode) == 0;
}


static bool
join(char ret[PATH_MAX], const char *folder, size_t len, const char *name)
{
    int  n = snprintf(ret, PATH_MAX, "%.*s/%s", (int) len, folder, name);

    return n >= 0 && n < PATH_MAX;
}


static _Noreturn void
exec_child(char *const argv[], int out)
{
    sigset_t  none;
    int       null;

    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    null = open("/dev/null", O_RDWR);

    if (null >= 0) {
        (void) dup2(null, STDIN_FILENO);
        (void) dup2(null, STDOUT_FILENO);
    }

    (void) dup2(out, STDERR_FILENO);

    inlets_server_clean_environment();
    execv(argv[0], argv);
    _exit(127);
}


/* What it wrote to standard error until its end, or until it took too long. */

static size_t
collect(int fd, char *buf, size_t size)
{
    struct pollfd  pfd = { .fd = fd, .events = POLLIN };
    time_t         end = time(NULL) + OUTPUT_WAIT;
    size_t         len = 0;
    char           rest[4096];

    for ( ;; ) {
        bool     full = len == size - 1;
        ssize_t  n;

        if (time(NULL) > end) {
            break;
        }

        if (poll(&pfd, 1, 1000) <= 0) {
            continue;
        }

        n = full ? read(fd, rest, sizeof(rest))
                 : read(fd, buf + len, size - 1 - len);

        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }

        if (n > 0 && !full) {
            len += (size_t) n;
        }
    }

    buf[len] = '\0';

    return len;
}


/* The exit status, or -1. */

static int
run(char *const argv[], char buf[OUTPUT_MAX])
{
    pid_t  pid;
    int    fd[2], status = -1;

    buf[0] = '\0';

    if (pipe2(fd, O_CLOEXEC) != 0) {
        return -1;
    }

    pid = fork();

    if (pid == 0) {
        exec_child(argv, fd[1]);
    }

    close(fd[1]);

    if (pid > 0) {
        (void) collect(fd[0], buf, OUTPUT_MAX);

        if (waitpid(pid, &status, WNOHANG) == 0) {
            struct timespec  pause = { .tv_nsec = 200000000 };

            (void) nanosleep(&pause, NULL);

            if (waitpid(pid, &status, WNOHANG) == 0) {
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, &status, 0);
            }
        }
    }

    close(fd[0]);

    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}


static bool
find_in_path(char ret[PATH_MAX])
{
    static const char *const  others[] = {
        "/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin"
    };

    const char  *path = getenv("PATH");

    while (path != NULL && *path != '\0') {
        size_t  len = strcspn(path, ":");

        if (len != 0 && join(ret, path, len, "nginx") && is_file(ret, X_OK)) {
            return true;
        }

        path += len;
        path += *path == ':';
    }

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (join(ret, others[i], strlen(others[i]), "nginx")
            && is_file(ret, X_OK))
        {
            return true;
        }
    }

    return false;
}


static int
find_nginx(const struct inlets_server_options *o, char ret[PATH_MAX])
{
    const char  *name = o->nginx;
    int          n;

    if (name == NULL || *name == '\0') {
        if (find_in_path(ret)) {
            return INLETS_OK;
        }

        inlets_log_fatal("no nginx found in $PATH and /usr/sbin: install it, "
                         "or say where it is with --nginx PATH");
        return INLETS_E_INVALID;
    }

    n = snprintf(ret, PATH_MAX, "%s%s", strchr(name, '/') != NULL ? "" : "./",
                 name);

    if (n < 0 || n >= PATH_MAX || !is_file(ret, X_OK)) {
        inlets_log_fatal("--nginx: \"%s\" is no program that can be run",
                         name);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


/* The value of "--name=value", cut off at the next space. */

static bool
argument(const char *text, const char *name, char ret[PATH_MAX])
{
    const char  *p = strstr(text, name);
    size_t       len;

    if (p == NULL) {
        return false;
    }

    p += strlen(name);
    len = strcspn(p, " \n");

    if (len >= PATH_MAX) {
        return false;
    }

    memcpy(ret, p, len);
    ret[len] = '\0';

    return true;
}


static int
ask_nginx(struct inlets_server_nginx *nginx, char *buf, char modules[PATH_MAX])
{
    char *const   argv[] = { nginx->path, "-V", NULL };
    char          prefix[PATH_MAX];
    const char   *p;
    unsigned      major, minor, patch;

    if (run(argv, buf) != 0
        || (p = strstr(buf, "version: ")) == NULL
        || (p = strchr(p, '/')) == NULL
        || sscanf(p, "/%u.%u.%u", &major, &minor, &patch) != 3
        || major > 99 || minor > 999 || patch > 999)
    {
        inlets_log_fatal("\"%s -V\" does not work: is this nginx?",
                         nginx->path);
        return INLETS_E_INVALID;
    }

    snprintf(nginx->version, sizeof(nginx->version), "%u.%u.%u", major, minor,
             patch);

    nginx->number = major * 1000000 + minor * 1000 + patch;
    nginx->ssl = strstr(buf, "--with-http_ssl_module") != NULL;
    nginx->http2 = strstr(buf, "--with-http_v2_module") != NULL;

    if (!argument(buf, "--modules-path=", modules)) {
        if (!argument(buf, "--prefix=", prefix)) {
            snprintf(prefix, sizeof(prefix), "/usr/local/nginx");
        }

        if (!join(modules, prefix, strlen(prefix), "modules")) {
            modules[0] = '\0';
        }
    }

    return INLETS_OK;
}


static bool
has_modules(const char *folder, size_t len, char ret[PATH_MAX])
{
    char  path[PATH_MAX];

    if (len == 0 || !join(path, folder, len, HTTP_MODULE)
        || !is_file(path, R_OK))
    {
        return false;
    }

    snprintf(ret, PATH_MAX, "%.*s", (int) len, folder);

    return true;
}


/* As built, as installed, as compiled in, or where nginx has its own. */

static int
find_modules(const struct inlets_server_options *o,
    struct inlets_server_nginx *nginx, const char *own)
{
    static const char *const  beside[] = { "modules", "../lib/nginx/modules" };

    char     program[PATH_MAX], folder[PATH_MAX], real[PATH_MAX];
    ssize_t  n;

    if (o->modules != NULL && *o->modules != '\0') {
        if (realpath(o->modules, real) != NULL
            && has_modules(real, strlen(real), nginx->modules))
        {
            return INLETS_OK;
        }

        inlets_log_fatal("--modules: there is no " HTTP_MODULE " in \"%s\"",
                         o->modules);
        return INLETS_E_INVALID;
    }

    n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    if (n > 0) {
        program[n] = '\0';
        *strrchr(program, '/') = '\0';

        for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
            if (join(folder, program, strlen(program), beside[i])
                && realpath(folder, real) != NULL
                && has_modules(real, strlen(real), nginx->modules))
            {
                return INLETS_OK;
            }
        }
    }

    if (has_modules(INLETS_MODULEDIR, strlen(INLETS_MODULEDIR),
                    nginx->modules)
        || has_modules(own, strlen(own), nginx->modules))
    {
        return INLETS_OK;
    }

    inlets_log_fatal("the nginx modules of inlets are not found: install them "
                     "in " INLETS_MODULEDIR " (make install), or say where "
                     "they are with --modules DIR");

    return INLETS_E_INVALID;
}


/* Whether TCP tunnels are possible; it only matters if some are wanted. */

static int
find_stream(const struct inlets_server_options *o,
    struct inlets_server_nginx *nginx, const char *buf, const char *own)
{
    char  path[PATH_MAX];
    bool  dynamic = strstr(buf, "--with-stream=dynamic") != NULL;

    nginx->stream = dynamic || strstr(buf, "--with-stream ") != NULL
                    || strstr(buf, "--with-stream\n") != NULL;

    if (nginx->stream && dynamic) {
        nginx->stream = join(nginx->stream_module, own, strlen(own),
                             "ngx_stream_module.so")
                        && is_file(nginx->stream_module, R_OK);
    }

    if (!nginx->stream && o->first != 0) {
        inlets_log_fatal("--tcp-range: nginx has no stream module%s",
                         dynamic ? " installed (Debian: "
                                   "libnginx-mod-stream)" : "");
        return INLETS_E_INVALID;
    }

    if (nginx->built_in || !nginx->stream) {
        return INLETS_OK;
    }

    nginx->stream = join(path, nginx->modules, strlen(nginx->modules),
                         STREAM_MODULE)
                    && is_file(path, R_OK);

    if (!nginx->stream && o->first != 0) {
        inlets_log_fatal("--tcp-range: there is no " STREAM_MODULE " in "
                         "\"%s\"", nginx->modules);
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_server_nginx_find(const struct inlets_server_options *o,
    struct inlets_server_nginx *ret)
{
    char   own[PATH_MAX];
    char  *buf;
    int    rc;

    memset(ret, 0, sizeof(*ret));

    buf = malloc(OUTPUT_MAX);

    if (buf == NULL) {
        inlets_log_fatal("no memory");
        return INLETS_E_NO_MEMORY;
    }

    rc = find_nginx(o, ret->path);

    if (rc == INLETS_OK) {
        rc = ask_nginx(ret, buf, own);
    }

    ret->built_in = o->modules != NULL && strcmp(o->modules, "built-in") == 0;

    if (rc == INLETS_OK && !ret->built_in) {
        rc = find_modules(o, ret, own);
    }

    if (rc == INLETS_OK) {
        rc = find_stream(o, ret, buf, own);
    }

    free(buf);

    if (rc == INLETS_OK && o->tls_cert != NULL && !ret->ssl) {
        inlets_log_fatal("--tls-cert: this nginx was built without "
                         "--with-http_ssl_module");
        return INLETS_E_INVALID;
    }

    return rc;
}


/* The modules fit one version of nginx only, and most of its build flags. */

static bool
report_version(const struct inlets_server_nginx *nginx, const char *text)
{
    const char  *p = strstr(text, "\" version ");
    unsigned     version, other;

    if (p != NULL
        && sscanf(p, "\" version %u instead of %u", &version, &other) == 2)
    {
        inlets_log_fatal("the modules in \"%s\" are for nginx %u.%u.%u, and "
                         "\"%s\" is nginx %s: build them for it, or say "
                         "--nginx or --modules", nginx->modules,
                         version / 1000000, version / 1000 % 1000,
                         version % 1000, nginx->path, nginx->version);
        return true;
    }

    if (strstr(text, "is not binary compatible") != NULL) {
        inlets_log_fatal("the modules in \"%s\" are for an nginx %s that was "
                         "built in another way than \"%s\": build them for it, "
                         "or say --nginx or --modules", nginx->modules,
                         nginx->version, nginx->path);
        return true;
    }

    return false;
}


/* "folder/flags.yml:1: " is nothing that whoever gave flags knows of. */

static char *
skip_overrides(char *text, const char *folder)
{
    char    *p = text;
    size_t   len = strlen(folder);

    if (strncmp(p, folder, len) != 0) {
        return text;
    }

    p += len;
    len = strlen("/" INLETS_SERVER_OVERRIDES ":");

    if (strncmp(p, "/" INLETS_SERVER_OVERRIDES ":", len) != 0) {
        return text;
    }

    p += len;
    p += strspn(p, "0123456789");

    return strncmp(p, ": ", 2) == 0 ? p + 2 : text;
}


/* Without time, level and process, and without our configuration's name. */

static void
report_line(char *line, const char *folder, const char *conf)
{
    static const char *const  levels[] = { "[emerg] ", "[alert] ", "[crit] ",
                                           "[error] " };
    char    *end, *text = NULL;
    size_t   n;

    for (size_t i = 0; text == NULL && i < sizeof(levels) / sizeof(levels[0]);
         i++)
    {
        text = strstr(line, levels[i]);
        text = text != NULL ? text + strlen(levels[i]) : NULL;
    }

    if (text == NULL) {
        return;
    }

    n = strspn(text, "0123456789#");

    if (n > 0 && strncmp(text + n, ": ", 2) == 0) {
        text += n + 2;
    }

    end = strstr(text, conf);

    if (end != NULL && end - text > 4 && strncmp(end - 4, " in ", 4) == 0) {
        end[-4] = '\0';
    }

    inlets_log_fatal("%s", skip_overrides(text, folder));
}


int
inlets_server_nginx_test(const struct inlets_server_nginx *nginx,
    const char *folder)
{
    char   path[PATH_MAX], conf[PATH_MAX];
    char  *buf, *line, *next;
    int    status;

    buf = malloc(OUTPUT_MAX);

    if (buf == NULL || !join(conf, folder, strlen(folder), "nginx.conf")) {
        free(buf);
        inlets_log_fatal("no memory");
        return INLETS_E_NO_MEMORY;
    }

    snprintf(path, sizeof(path), "%s", nginx->path);

    status = run((char *const []) { path, "-t", "-q", "-e", "stderr", "-p",
                                    (char *) folder, "-c", conf, NULL }, buf);

    if (status != 0 && !report_version(nginx, buf)) {
        if (*buf == '\0') {
            inlets_log_fatal("\"%s -t\" failed", nginx->path);
        }

        for (line = buf; *line != '\0'; line = next) {
            next = line + strcspn(line, "\n");

            if (*next != '\0') {
                *next++ = '\0';
            }

            report_line(line, folder, conf);
        }
    }

    free(buf);

    return status == 0 ? INLETS_OK : INLETS_E_INVALID;
}
