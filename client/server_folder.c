#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inlets_error.h"


#define PREFIX  "inlets-server-"
#define LOCK    "server.pid"
#define NOTE    "settings"
#define RELOADS "reloads"
#define STALE   60              /* s */

#define ANSWER_INTERVAL  50     /* ms */
#define ANSWER_WAIT      60     /* s: nginx checks its configuration */


/*
 * Folders of folders.  That of root has to be one that the workers, another
 * user, may pass through.
 */

static const char *
base(int i)
{
    const char  *runtime = getenv("XDG_RUNTIME_DIR");

    switch (i) {

    case 0:
        if (geteuid() == 0) {
            return "/run";
        }

        return runtime != NULL && *runtime == '/' ? runtime : "";

    case 1:
        return "/tmp";

    default:
        return NULL;
    }
}


/* Whoever lives holds the lock: a number alone may be of another process. */

static int
lock(struct inlets_server_folder *folder)
{
    struct flock  l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char          path[PATH_MAX + 32], pid[24];
    int           n;

    snprintf(path, sizeof(path), "%s/" LOCK, folder->path);

    folder->lock = open(path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    n = snprintf(pid, sizeof(pid), "%ld\n", (long) getpid());

    if (folder->lock < 0
        || fcntl(folder->lock, F_SETLK, &l) != 0
        || write(folder->lock, pid, (size_t) n) != n)
    {
        inlets_log_fatal("cannot write \"%s\": %s", path, strerror(errno));
        return INLETS_E_INVALID;
    }

    return INLETS_OK;
}


int
inlets_server_folder_make(struct inlets_server_folder *folder, bool shared)
{
    int  err = ENOENT;

    folder->lock = -1;
    folder->path[0] = '\0';

    for (int i = 0; base(i) != NULL; i++) {
        char  path[PATH_MAX];
        int   n;

        n = snprintf(path, sizeof(path), "%s/" PREFIX "XXXXXX", base(i));

        if (*base(i) == '\0' || n < 0 || n >= PATH_MAX / 2) {
            continue;
        }

        if (mkdtemp(path) != NULL) {
            memcpy(folder->path, path, (size_t) n + 1);
            break;
        }

        err = errno;
    }

    if (folder->path[0] == '\0') {
        inlets_log_fatal("cannot make a run-time folder in %s%s%s: %s", base(0),
                         *base(0) != '\0' ? " or " : "", base(1),
                         strerror(err));
        return INLETS_E_INVALID;
    }

    /* 0700 by mkdtemp(); workers need to get to their temporary files */

    if (shared && chmod(folder->path, 0711) != 0) {
        inlets_log_fatal("\"%s\": %s", folder->path, strerror(errno));
        return INLETS_E_INVALID;
    }

    if (lock(folder) != INLETS_OK) {
        return INLETS_E_INVALID;
    }

    inlets_server_folder_tell(folder, 0, INLETS_SERVER_RELOADED);

    return INLETS_OK;
}


/* Always of one length, so that it is there as a whole at any time. */

void
inlets_server_folder_tell(const struct inlets_server_folder *folder,
    unsigned n, enum inlets_server_reload_state state)
{
    char  path[PATH_MAX + 32], text[32];
    int   fd, len;

    snprintf(path, sizeof(path), "%s/" RELOADS, folder->path);
    len = snprintf(text, sizeof(text), "%010u %u\n", n, (unsigned) state);

    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd < 0 || write(fd, text, (size_t) len) != len) {
        inlets_log(INLETS_LOG_WARN, "\"%s\": %s", path, strerror(errno));
    }

    if (fd >= 0) {
        close(fd);
    }
}


void
inlets_server_folder_note(const struct inlets_server_folder *folder,
    const char *settings)
{
    char    path[PATH_MAX + 32];
    size_t  len = strlen(settings);
    int     fd;

    snprintf(path, sizeof(path), "%s/" NOTE, folder->path);

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd < 0 || write(fd, settings, len) != (ssize_t) len) {
        inlets_log(INLETS_LOG_WARN, "\"%s\": %s", path, strerror(errno));
    }

    if (fd >= 0) {
        close(fd);
    }
}


static int
remove_entry(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;

    (void) remove(path);

    return 0;
}


static void
remove_tree(const char *path)
{
    (void) nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}


void
inlets_server_folder_remove(struct inlets_server_folder *folder)
{
    if (folder->path[0] == '\0') {
        return;
    }

    remove_tree(folder->path);

    if (folder->lock >= 0) {
        close(folder->lock);
    }

    folder->path[0] = '\0';
}


/* Folders of this user, each with the process that runs there. */

struct found {
    char    folder[PATH_MAX];
    char    lock[PATH_MAX];
    pid_t   pid;                /* 0: it has ended without clearing up */
    bool    locked;             /* once, the number is written after that */
    time_t  since;
};


static bool
look(struct found *f)
{
    struct flock  l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat   st;
    int           fd, n, rc;

    n = snprintf(f->lock, sizeof(f->lock), "%s/" LOCK, f->folder);

    if (n < 0 || n >= PATH_MAX
        || lstat(f->folder, &st) != 0 || !S_ISDIR(st.st_mode)
        || st.st_uid != geteuid()
        || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    {
        return false;
    }

    fd = open(f->lock, O_RDWR|O_CLOEXEC|O_NOFOLLOW);

    if (fd < 0) {
        return false;
    }

    rc = fcntl(fd, F_GETLK, &l);

    if (rc == 0) {
        rc = fstat(fd, &st);
    }

    close(fd);

    f->pid = l.l_type == F_UNLCK ? 0 : l.l_pid;

    if (l.l_type != F_UNLCK && l.l_pid == 0) {
        /* it lives, in another container */
        f->pid = -1;
    }

    f->locked = st.st_size != 0;
    f->since = st.st_mtime;

    return rc == 0 && f->pid >= 0;
}


static void
each_folder(void (*handler)(void *data, const struct found *f), void *data)
{
    for (int i = 0; base(i) != NULL; i++) {
        DIR            *dir = opendir(base(i));
        struct dirent  *entry;
        struct found    f;

        while (dir != NULL && (entry = readdir(dir)) != NULL) {
            int  n;

            if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) != 0) {
                continue;
            }

            n = snprintf(f.folder, sizeof(f.folder), "%s/%s", base(i),
                         entry->d_name);

            if (n > 0 && n < PATH_MAX && look(&f)) {
                handler(data, &f);
            }
        }

        if (dir != NULL) {
            closedir(dir);
        }
    }
}


/* A new one is not locked for a moment. */

static void
clear_away(void *data, const struct found *f)
{
    (void) data;

    if (f->pid == 0 && (f->locked || f->since < time(NULL) - STALE)) {
        remove_tree(f->folder);
    }
}


void
inlets_server_folder_clear(void)
{
    each_folder(clear_away, NULL);
}


struct search {
    const char   *settings;     /* NULL: any */
    unsigned      found;
    struct found  of;
};


static void
search(void *data, const struct found *f)
{
    struct search  *s = data;
    char            path[PATH_MAX + 32], settings[PATH_MAX] = "";
    ssize_t         n;
    int             fd;

    if (f->pid == 0) {
        return;
    }

    snprintf(path, sizeof(path), "%s/" NOTE, f->folder);
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd >= 0) {
        n = read(fd, settings, sizeof(settings) - 1);
        settings[n > 0 ? n : 0] = '\0';
        close(fd);
    }

    if (s->settings == NULL || strcmp(s->settings, settings) == 0) {
        s->found++;
        s->of = *f;
    }
}


/* The number of the last reload. */

static int
read_reloads(const char *folder, unsigned *ret, unsigned *ret_state)
{
    char      path[PATH_MAX + 32], text[32];
    int       fd;
    ssize_t   n = -1;

    snprintf(path, sizeof(path), "%s/" RELOADS, folder);

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }

    text[n > 0 ? n : 0] = '\0';

    return sscanf(text, "%u %u", ret, ret_state) == 2 ? INLETS_OK
                                                      : INLETS_E_INVALID;
}


/* Until it has done a reload after the one that was the last. */

static int
await(struct found *f, unsigned last)
{
    const struct timespec  pause = { .tv_nsec = ANSWER_INTERVAL * 1000000L };

    time_t    end = time(NULL) + ANSWER_WAIT;
    unsigned  n, state;

    while (time(NULL) <= end) {
        if (read_reloads(f->folder, &n, &state) == INLETS_OK && n > last
            && state != INLETS_SERVER_RELOADING)
        {
            if (state == INLETS_SERVER_RELOADED) {
                return INLETS_OK;
            }

            inlets_log_fatal("the server goes on as it was: what is wrong "
                             "stands in its output");
            return INLETS_E_INVALID;
        }

        if (!look(f) || f->pid == 0) {
            inlets_log_fatal("the server has ended");
            return INLETS_E_INVALID;
        }

        (void) nanosleep(&pause, NULL);
    }

    inlets_log_fatal("the server does not answer");

    return INLETS_E_INVALID;
}


int
inlets_server_reload(const struct inlets_server_options *o)
{
    struct search  s = { .settings = NULL };
    unsigned       last = 0, state;
    char           path[PATH_MAX];

    if (o->config != NULL) {
        if (inlets_server_file_find(o->config, path) != INLETS_OK) {
            return EXIT_FAILURE;
        }

        s.settings = path;
    }

    each_folder(search, &s);

    if (s.found == 0) {
        inlets_log_fatal("no inlets server of this user runs%s%s",
                         s.settings != NULL ? " with config file " : "",
                         s.settings != NULL ? s.settings : "");
        return EXIT_FAILURE;
    }

    if (s.found > 1) {
        inlets_log_fatal("%u inlets servers run%s", s.found,
                         s.settings != NULL
                         ? " with this config file: send SIGHUP to the one "
                           "you mean"
                         : ": say which one with -c FILE, or send SIGHUP to "
                           "it");
        return EXIT_FAILURE;
    }

    (void) read_reloads(s.of.folder, &last, &state);

    if (kill(s.of.pid, SIGHUP) != 0) {
        inlets_log_fatal("process %ld: %s", (long) s.of.pid, strerror(errno));
        return EXIT_FAILURE;
    }

    inlets_log_notice("Config reload signal sent (pid file: %s)", s.of.lock);

    return await(&s.of, last) == INLETS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
