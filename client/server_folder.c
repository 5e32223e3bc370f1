#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inlets_error.h"


#define PREFIX  "inlets-"
#define LOCK    "server.pid"
#define NOTE    "settings"


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
        inlets_log_fatal("cannot make a run-time folder: %s", strerror(err));
        return INLETS_E_INVALID;
    }

    /* 0700 by mkdtemp(); workers need to get to their temporary files */

    if (shared && chmod(folder->path, 0711) != 0) {
        inlets_log_fatal("\"%s\": %s", folder->path, strerror(errno));
        return INLETS_E_INVALID;
    }

    return lock(folder);
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


void
inlets_server_folder_remove(struct inlets_server_folder *folder)
{
    if (folder->path[0] == '\0') {
        return;
    }

    (void) nftw(folder->path, remove_entry, 8,
                FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

    if (folder->lock >= 0) {
        close(folder->lock);
    }

    folder->path[0] = '\0';
}


/* The process that runs there, or 0: none does, or another user's. */

static pid_t
holder(const char *folder, char lock_path[PATH_MAX], char settings[PATH_MAX])
{
    struct flock  l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat   st;
    char          path[PATH_MAX + 32];
    ssize_t       n;
    int           fd, rc;

    if (lstat(folder, &st) != 0 || !S_ISDIR(st.st_mode)
        || st.st_uid != geteuid()
        || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    {
        return 0;
    }

    n = snprintf(lock_path, PATH_MAX, "%s/" LOCK, folder);

    if (n < 0 || n >= PATH_MAX) {
        return 0;
    }

    fd = open(lock_path, O_RDWR|O_CLOEXEC|O_NOFOLLOW);

    if (fd < 0) {
        return 0;
    }

    rc = fcntl(fd, F_GETLK, &l);
    close(fd);

    if (rc != 0 || l.l_type == F_UNLCK || l.l_pid <= 0) {
        return 0;
    }

    settings[0] = '\0';
    snprintf(path, sizeof(path), "%s/" NOTE, folder);
    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd >= 0) {
        n = read(fd, settings, PATH_MAX - 1);
        settings[n > 0 ? n : 0] = '\0';
        close(fd);
    }

    return l.l_pid;
}


struct search {
    const char  *settings;      /* NULL: any */
    unsigned     found;
    pid_t        pid;
    char         lock[PATH_MAX];
};


static void
search(struct search *s, const char *where)
{
    struct dirent  *entry;
    DIR            *dir;

    dir = opendir(where);

    if (dir == NULL) {
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        char   folder[PATH_MAX], path[PATH_MAX], settings[PATH_MAX];
        pid_t  pid;
        int    n;

        if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) != 0) {
            continue;
        }

        n = snprintf(folder, sizeof(folder), "%s/%s", where, entry->d_name);

        if (n < 0 || n >= PATH_MAX) {
            continue;
        }

        pid = holder(folder, path, settings);

        if (pid != 0
            && (s->settings == NULL || strcmp(s->settings, settings) == 0))
        {
            s->found++;
            s->pid = pid;
            memcpy(s->lock, path, sizeof(path));
        }
    }

    closedir(dir);
}


int
inlets_server_reload(const struct inlets_server_options *o)
{
    struct search  s = { .settings = NULL };
    char           path[PATH_MAX];

    if (o->config != NULL) {
        if (inlets_server_file_find(o->config, path) != INLETS_OK) {
            return EXIT_FAILURE;
        }

        s.settings = path;
    }

    for (int i = 0; base(i) != NULL; i++) {
        search(&s, base(i));
    }

    if (s.found == 0) {
        inlets_log_fatal("no inlets server of this user runs%s%s",
                         s.settings != NULL ? " with config file " : "",
                         s.settings != NULL ? s.settings : "");
        return EXIT_FAILURE;
    }

    if (s.found > 1) {
        inlets_log_fatal("%u inlets servers run%s", s.found,
                         s.settings != NULL ? " with this config file: send "
                                              "SIGHUP to the one you mean"
                                            : ": say which one with -c FILE");
        return EXIT_FAILURE;
    }

    if (kill(s.pid, SIGHUP) != 0) {
        inlets_log_fatal("process %ld: %s", (long) s.pid, strerror(errno));
        return EXIT_FAILURE;
    }

    inlets_log_notice("Config reload signal sent (pid file: %s)", s.lock);

    return EXIT_SUCCESS;
}
