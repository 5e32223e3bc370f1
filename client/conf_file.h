/*
 * The client's file (-c).
 *
 *   conf_keys.c         its keys
 *   conf_file.c         reads it; the edge, the identity, the log
 *   conf_file_tunnel.c  its tunnels
 *   conf_value.c        single values
 */

#ifndef INLETS_CONF_FILE_H
#define INLETS_CONF_FILE_H


#include <stdbool.h>
#include <stddef.h>

#include "conf.h"


#define INLETS_CONF_FILE_MAX  (1024 * 1024)


/* What it says of the log and the view; -1: nothing. */

struct inlets_conf_log {
    int                     level;
    int                     json;
    int                     utc;
    int                     requests;
    int                     plain;
};


struct inlets_conf_file {
    const char             *path;
    bool                    first;      /* messages on standard error, not in
                                           the log */
    bool                    identity;   /* somebody else than the file says */

    /* set by reading it; exposed by parsing: it has secrets */

    struct inlets_conf_log  log;
    bool                    exposed;    /* secrets that everyone can read */
};


/*
 * Adds what it says to conf, which has the defaults.  0, or a negative enum
 * inlets_error after messages, one for each fault; conf is then of no use.
 */
int inlets_conf_file_read(struct inlets_conf_file *file,
    struct inlets_conf *conf);

/* The same of the bytes of one. */
int inlets_conf_file_parse(struct inlets_conf_file *file,
    struct inlets_conf *conf, const char *buf, size_t len);


#endif /* INLETS_CONF_FILE_H */
