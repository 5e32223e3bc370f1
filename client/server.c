#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inlets_error.h"


#define LOOK_INTERVAL  50       /* ms, while something is waited for */
#define KILL_AFTER     5000     /* ms, once it was told to end at once */


struct server {
    struct inlets_server_options *options;
    struct inlets_server_nginx    nginx;
    struct inlets_server_ports    ports;
    struct inlets_server_folder   folder;
    struct inlets_server_output   output;
    sigset_t                      signals;

    pid_t                         child;
    bool                          up;
    bool                          waiting;      /* a reload, until it is up */
    uint32_t                      port;         /* as it runs */
    char                          domain[INLETS_HOST_MAX + 1];
    unsigned                      reloads;
    unsigned                      stopping;     /* 1: gracefully, 2, 3 */
    uint64_t                      deadline;
    int                           wait_status;
};


static uint64_t
now(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_MONOTONIC, &t);

    return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}


static int
prepare(struct server *s)
{
    struct inlets_server_options  *o = s->options;

    if (inlets_server_options_load(o) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    /* a file with faults may be short of just what is asked for here */

    if ((!o->file.faults || o->print)
        && inlets_server_options_check(o) != INLETS_OK)
    {
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


/* The configuration as of now, in the folder, and found good by nginx. */

static int
write_conf(struct server *s)
{
    const struct inlets_server_options  *o = s->options;

    if (inlets_server_conf_write(o, &s->nginx, &s->ports, s->folder.path)
        != INLETS_OK
        || inlets_server_nginx_test(&s->nginx, s->folder.path) != INLETS_OK)
    {
        return INLETS_E_INVALID;
    }

    if (o->file.faults && inlets_server_options_check(o) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    inlets_server_folder_note(&s->folder, o->file.path);

    return INLETS_OK;
}


/*
 * In a process group of its own, so that Ctrl-C reaches it through this
 * process only; and not alone when this process is killed.
 */

static _Noreturn void
exec_nginx(struct server *s, pid_t parent)
{
    char      conf[PATH_MAX + 32];
    sigset_t  none;

    (void) setpgid(0, 0);
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }

    sigemptyset(&none);
    (void) sigprocmask(SIG_SETMASK, &none, NULL);

    inlets_server_clean_environment();

    snprintf(conf, sizeof(conf), "%s/nginx.conf", s->folder.path);

    execl(s->nginx.path, "nginx", "-e", "stderr", "-p", s->folder.path, "-c",
          conf, (char *) NULL);

    inlets_log_fatal("cannot run \"%s\": %s", s->nginx.path, strerror(errno));
    _exit(EXIT_FAILURE);
}


static int
start_nginx(struct server *s)
{
    pid_t  parent = getpid();

    (void) fflush(NULL);

    s->child = fork();

    if (s->child < 0) {
        inlets_log_fatal("cannot start nginx: %s", strerror(errno));
        return INLETS_E_INVALID;
    }

    if (s->child == 0) {
        exec_nginx(s, parent);
    }

    /* whoever is first: stop() may come before the child has run */

    (void) setpgid(s->child, s->child);

    return INLETS_OK;
}


/* At the start, and when a reload has changed it. */

static void
tell_address(struct server *s)
{
    const struct inlets_server_options  *o = s->options;
    const char  *domain = o->domain != NULL ? o->domain : o->file.domain;
    char         range[64] = "";

    if (s->port == o->port && strcmp(s->domain, domain) == 0) {
        return;
    }

    s->port = o->port;
    snprintf(s->domain, sizeof(s->domain), "%s", domain);

    if (o->first != 0 && o->first == o->last) {
        snprintf(range, sizeof(range), ", TCP port %u", o->first);

    } else if (o->first != 0) {
        snprintf(range, sizeof(range), ", TCP ports %u to %u", o->first,
                 o->last);
    }

    inlets_log_notice("Listening: %s://*.%s:%u%s",
                      o->tls_cert != NULL ? "https" : "http", domain, o->port,
                      range);
}


/* A port that nginx can't have after a reload is only told in its log. */

static int
try_other_port(struct server *s)
{
    const struct inlets_server_options  *o = s->options;

    if (o->port == s->port) {
        return INLETS_OK;
    }

    return inlets_server_port_try(o, &s->ports, o->port, "port");
}


static int
reload_nginx(struct server *s)
{
    const struct inlets_server_options  *o = s->options;

    if (prepare(s) != INLETS_OK
        || try_other_port(s) != INLETS_OK
        || write_conf(s) != INLETS_OK)
    {
        inlets_log(INLETS_LOG_ERROR, "not reloaded, all stays as it was");
        return INLETS_E_INVALID;
    }

    (void) kill(s->child, SIGHUP);

    inlets_log(INLETS_LOG_INFO, "reloading%s%s",
               o->file.path[0] != '\0' ? " with " : "", o->file.path);
    tell_address(s);

    return INLETS_OK;
}


static void
reload(struct server *s)
{
    enum inlets_server_reload_state  state;

    if (!s->up && !s->stopping) {
        s->waiting = true;
        return;
    }

    s->reloads++;

    if (s->stopping) {
        inlets_log(INLETS_LOG_ERROR, "not reloaded while shutting down");
        inlets_server_folder_tell(&s->folder, s->reloads,
                                  INLETS_SERVER_NOT_RELOADED);
        return;
    }

    inlets_log(INLETS_LOG_INFO, "SIGHUP: reading all files again");
    inlets_server_folder_tell(&s->folder, s->reloads, INLETS_SERVER_RELOADING);

    state = reload_nginx(s) == INLETS_OK ? INLETS_SERVER_RELOADED
                                         : INLETS_SERVER_NOT_RELOADED;

    inlets_server_folder_tell(&s->folder, s->reloads, state);
}


/* nginx writes its pid once it listens. */

static void
look_whether_up(struct server *s)
{
    struct stat  st;
    char         path[PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/nginx.pid", s->folder.path);

    if (stat(path, &st) != 0 || st.st_size == 0) {
        return;
    }

    s->up = true;
    tell_address(s);

    if (s->waiting) {
        reload(s);
    }
}


static void
stop(struct server *s)
{
    const struct inlets_server_options  *o = s->options;

    s->stopping++;

    switch (s->stopping) {

    case 1:
        inlets_log_notice("%s", "");
        inlets_log_notice("Shutting down server...");

        if (!s->up) {
            /* it would forget the signal, and nobody is there yet */
            (void) kill(-s->child, SIGKILL);
            s->stopping = 3;
            s->deadline = UINT64_MAX;
            break;
        }

        (void) kill(s->child, SIGQUIT);
        s->deadline = now() + o->grace;
        break;

    case 2:
        (void) kill(s->child, SIGTERM);
        s->deadline = now() + KILL_AFTER;
        break;

    case 3:
        inlets_log(INLETS_LOG_ERROR, "nginx does not end, it is killed");
        (void) kill(-s->child, SIGKILL);
        s->deadline = UINT64_MAX;
        break;
    }
}


static void
take_signal(struct server *s, int signum)
{
    switch (signum) {

    case SIGINT:
    case SIGTERM:
    case SIGQUIT:
        if (s->stopping < 2) {
            stop(s);
        }

        break;

    case SIGHUP:
        reload(s);
        break;

    case SIGUSR1:
        if (s->up) {
            (void) kill(s->child, SIGUSR1);
        }

        break;
    }
}


/* Until nginx has ended. */

static void
watch(struct server *s)
{
    const struct timespec  pause = { .tv_nsec = LOOK_INTERVAL * 1000000L };

    for ( ;; ) {
        int  signum;

        if (s->up && !s->stopping) {
            signum = sigwaitinfo(&s->signals, NULL);

        } else {
            signum = sigtimedwait(&s->signals, NULL, &pause);
        }

        if (waitpid(s->child, &s->wait_status, WNOHANG) != 0) {
            return;
        }

        if (signum > 0) {
            take_signal(s, signum);
        }

        if (!s->up && !s->stopping) {
            look_whether_up(s);
        }

        if (s->stopping && now() >= s->deadline) {
            if (s->stopping == 1) {
                inlets_log(INLETS_LOG_WARN, "the grace period is over");
            }

            stop(s);
        }
    }
}


static int
result(const struct server *s)
{
    if (s->stopping) {
        return EXIT_SUCCESS;
    }

    if (!s->up) {
        inlets_log_fatal("nginx did not start");

    } else if (WIFSIGNALED(s->wait_status)) {
        inlets_log_fatal("nginx was ended by signal %d",
                         WTERMSIG(s->wait_status));

    } else {
        inlets_log_fatal("nginx has ended by itself, with status %d",
                         WEXITSTATUS(s->wait_status));
    }

    return EXIT_FAILURE;
}


static void
block_signals(struct server *s)
{
    static const int  list[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1,
                                 SIGCHLD };

    sigemptyset(&s->signals);

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        sigaddset(&s->signals, list[i]);
    }

    (void) sigprocmask(SIG_BLOCK, &s->signals, NULL);
    (void) signal(SIGPIPE, SIG_IGN);
    (void) signal(SIGCHLD, SIG_DFL);
}


static int
start_output(struct server *s)
{
    const struct inlets_server_options  *o = s->options;

    if (o->access_log == NULL || strcmp(o->access_log, "-") != 0) {
        return INLETS_OK;
    }

    return inlets_server_output_start(&s->output, s->folder.path);
}


static int
run(struct server *s)
{
    const struct inlets_server_options  *o = s->options;
    int  status = EXIT_FAILURE;

    inlets_server_folder_clear();

    if (inlets_server_ports_try(o, &s->ports) == INLETS_OK
        && inlets_server_folder_make(&s->folder, geteuid() == 0) == INLETS_OK
        && start_output(s) == INLETS_OK
        && write_conf(s) == INLETS_OK
        && start_nginx(s) == INLETS_OK)
    {
        watch(s);
        status = result(s);
    }

    inlets_server_output_stop(&s->output);
    inlets_server_folder_remove(&s->folder);
    inlets_log_detach();

    return status;
}


static int
run_options(struct inlets_server_options *options)
{
    struct server  s = { .options = options, .output = { .fd = -1 } };

    inlets_log_init(options->log_level, options->log_utc);

    if (prepare(&s) != INLETS_OK) {
        return EXIT_FAILURE;
    }

    if (!options->print) {
        block_signals(&s);
    }

    if (inlets_server_nginx_find(options, &s.nginx) != INLETS_OK
        || inlets_server_ports_plan(options, &s.ports) != INLETS_OK)
    {
        return EXIT_FAILURE;
    }

    if (options->print) {
        inlets_server_conf_print(stdout, options, &s.nginx, &s.ports, NULL);
        return EXIT_SUCCESS;
    }

    return run(&s);
}


int
inlets_server_main(int argc, char **argv)
{
    struct inlets_server_options  options;
    bool                          reload_it = false;
    int                           status = EXIT_FAILURE;

    switch (inlets_server_options_parse(argc, argv, &options, &reload_it)) {

    case INLETS_OPTIONS_RUN:
        status = reload_it ? inlets_server_reload(&options)
                           : run_options(&options);
        break;

    case INLETS_OPTIONS_DONE:
        status = EXIT_SUCCESS;
        break;

    case INLETS_OPTIONS_ERROR:
        break;
    }

    inlets_server_options_finish(&options);

    return status;
}
