#include "watch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"


#define WATCH_SETTLE  200       /* ms, for an editor that writes in pieces */
#define WATCH_POLL    5000      /* ms, for what no event tells */


/*
 * Events of the folder make it quick.  They miss what happens behind a symbolic
 * link, and some file systems have none, so it also looks now and then.
 */

struct inlets_watch {
    uv_fs_event_t   folder;
    uv_timer_t      settle;
    uv_timer_t      poll;
    unsigned        handles;

    struct stat     seen;           /* zeroed: there was none */
    struct stat     latest;         /* may still change */
    void          (*changed)(void *data);
    void           *data;
    char           *path;
};


static void
look(struct inlets_watch *w, struct stat *ret)
{
    memset(ret, 0, sizeof(*ret));

    if (stat(w->path, ret) != 0) {
        memset(ret, 0, sizeof(*ret));
    }
}


static bool
is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}


/* A file that is gone may be on its way back: that is no change yet. */

static void
settled(uv_timer_t *timer)
{
    struct inlets_watch  *w = timer->data;
    struct stat           now;

    look(w, &now);

    if (now.st_ino == 0 || is_same(&now, &w->seen)) {
        return;
    }

    if (!is_same(&now, &w->latest)) {
        w->latest = now;
        (void) uv_timer_start(&w->settle, settled, WATCH_SETTLE, 0);
        return;
    }

    w->seen = now;
    w->changed(w->data);
}


/* Most of what happens in the folder is about other files: a log, perhaps. */

static void
look_again(struct inlets_watch *w)
{
    struct stat  now;

    look(w, &now);

    if (!is_same(&now, &w->seen) && !uv_is_active((uv_handle_t *) &w->settle)) {
        w->latest = now;
        (void) uv_timer_start(&w->settle, settled, WATCH_SETTLE, 0);
    }
}


static void
something_happened(uv_fs_event_t *handle, const char *name, int events,
    int status)
{
    (void) name;
    (void) events;
    (void) status;

    look_again(handle->data);
}


static void
poll_again(uv_timer_t *timer)
{
    look_again(timer->data);
}


static int
watch_folder(struct inlets_watch *w)
{
    char  *slash = strrchr(w->path, '/');
    char  *folder = slash == NULL ? strdup(".")
                    : slash == w->path ? strdup("/")
                    : strndup(w->path, (size_t) (slash - w->path));
    int    rc = UV_ENOMEM;

    if (folder != NULL) {
        rc = uv_fs_event_start(&w->folder, something_happened, folder, 0);
    }

    free(folder);

    return rc;
}


struct inlets_watch *
inlets_watch_create(uv_loop_t *loop, const char *path,
    void (*changed)(void *data), void *data)
{
    struct inlets_watch  *w = calloc(1, sizeof(*w));
    int                   rc;

    if (w == NULL) {
        return NULL;
    }

    w->path = strdup(path);
    w->changed = changed;
    w->data = data;

    if (w->path == NULL || uv_fs_event_init(loop, &w->folder) != 0) {
        free(w->path);
        free(w);
        return NULL;
    }

    (void) uv_timer_init(loop, &w->settle);
    (void) uv_timer_init(loop, &w->poll);

    w->folder.data = w;
    w->settle.data = w;
    w->poll.data = w;

    look(w, &w->seen);

    rc = watch_folder(w);

    if (rc != 0) {
        inlets_log(INLETS_LOG_DEBUG, "no events of changes to %s: %s", path,
                   uv_strerror(rc));
    }

    (void) uv_timer_start(&w->poll, poll_again, WATCH_POLL, WATCH_POLL);

    return w;
}


void
inlets_watch_read(struct inlets_watch *watch)
{
    look(watch, &watch->seen);
}


static void
handle_closed(uv_handle_t *handle)
{
    struct inlets_watch  *w = handle->data;

    if (--w->handles == 0) {
        free(w->path);
        free(w);
    }
}


void
inlets_watch_destroy(struct inlets_watch *watch)
{
    if (watch == NULL) {
        return;
    }

    watch->handles = 3;

    uv_close((uv_handle_t *) &watch->folder, handle_closed);
    uv_close((uv_handle_t *) &watch->settle, handle_closed);
    uv_close((uv_handle_t *) &watch->poll, handle_closed);
}
