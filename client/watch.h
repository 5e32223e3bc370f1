/*
 * Watches a file for changes: also when it is replaced, comes back after it
 * was gone, or is a symbolic link that now leads elsewhere.
 */

#ifndef INLETS_WATCH_H
#define INLETS_WATCH_H


#include <uv.h>


struct inlets_watch;


/*
 * changed() is called from the loop, a moment after the last change.  The path
 * is copied.  NULL: no memory.
 */
struct inlets_watch *inlets_watch_create(uv_loop_t *loop, const char *path,
    void (*changed)(void *data), void *data);

/* The file is about to be read anyhow: that it changed need not be told. */
void inlets_watch_read(struct inlets_watch *watch);

/* NULL is accepted; its handles close with the next turns of the loop. */
void inlets_watch_destroy(struct inlets_watch *watch);


#endif /* INLETS_WATCH_H */
