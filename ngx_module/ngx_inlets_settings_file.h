/*
 * Private to the settings file: a file, and one attempt at reading it.
 */

#ifndef _NGX_INLETS_SETTINGS_FILE_H_INCLUDED_
#define _NGX_INLETS_SETTINGS_FILE_H_INCLUDED_


#include "ngx_inlets_settings.h"
#include "ngx_inlets_settings_table.h"
#include "ngx_inlets_notify.h"

#include <ngx_event.h>

#include <openssl/evp.h>


#define NGX_INLETS_SETTINGS_SIZE     (8 * 1024 * 1024)
#define NGX_INLETS_SETTINGS_OVERRIDE (64 * 1024)
#define NGX_INLETS_SETTINGS_FAULTS   50
#define NGX_INLETS_SETTINGS_REASON   128
#define NGX_INLETS_SETTINGS_SOURCES  1024    /* watched files with secrets */


/* Settings that win over those of the file. */

typedef struct {
    ngx_str_t                    path;        /* empty: none */
    ngx_str_t                    text;
} ngx_inlets_settings_overrides_t;


typedef struct {
    ngx_str_t                    path;
    ngx_inlets_settings_t       *settings;    /* NULL: rejected */
    ngx_pool_t                  *pool;        /* of all this */
    ngx_array_t                  faults;      /* of ngx_str_t */
    ngx_array_t                  warnings;    /* of ngx_str_t */
    ngx_array_t                  sources;     /* of ngx_str_t: files with
                                                 secrets */
    EVP_MD_CTX                  *digest;
    uint64_t                     hash;        /* of what was read, or of why
                                                 it could not be */
    uint64_t                     state;       /* of the files before that */
    unsigned                     unstable:1;  /* written to meanwhile */
    unsigned                     missing:1;
} ngx_inlets_settings_load_t;


typedef struct {
    uint64_t                     hash;        /* of what was told last */
    uint64_t                     good;        /* of what was taken last */
    ngx_uint_t                   next;
    uint64_t                     told[16];    /* with states of the file */
    ngx_inlets_notify_shctx_t    notify;
} ngx_inlets_settings_shctx_t;


struct ngx_inlets_settings_file_s {
    ngx_str_t                    path;
    ngx_inlets_settings_t       *settings;
    ngx_inlets_settings_overrides_t  overrides;

    ngx_shm_zone_t              *shm_zone;
    ngx_slab_pool_t             *shpool;
    ngx_inlets_settings_shctx_t *sh;

    /* of the last attempt; its pool, if the settings don't own it */

    ngx_array_t                  sources;     /* of ngx_str_t */
    ngx_pool_t                  *rejected;
    uint64_t                     hash;
    uint64_t                     state;       /* of the files when read */

    /* in a worker */

    ngx_event_t                  event;
    ngx_connection_t             dummy;       /* event.data */
    ngx_queue_t                  subscribers;
    ngx_uint_t                   telling;     /* unsigned telling:1 */

    uint64_t                     candidate;   /* state at the last look */
    ngx_uint_t                   waited;      /* looks since it changed */
    ngx_msec_t                   configured;
};


/* A new attempt in a pool of its own.  NGX_ERROR: no memory, and no pool. */
ngx_int_t ngx_inlets_settings_load(ngx_str_t *path,
    ngx_inlets_settings_overrides_t *overrides, ngx_log_t *log,
    ngx_inlets_settings_load_t *load);

/*
 * The whole file in memory of its own, added to the digest.  NGX_DECLINED: why
 * it can't be read is in reason, and in the digest.
 */
ngx_int_t ngx_inlets_settings_read(ngx_inlets_settings_load_t *load,
    ngx_str_t *path, size_t max, u_char **buf, size_t *len, char *reason);

/* Adds the state of a file, or why it has none; states start with 0. */
void ngx_inlets_settings_look(ngx_str_t *path, uint64_t *state);
void ngx_inlets_settings_hash(uint64_t *hash, const void *data, size_t len);

ngx_inlets_identity_t *ngx_inlets_settings_find(ngx_inlets_settings_t *s,
    ngx_str_t *id);


#endif /* _NGX_INLETS_SETTINGS_FILE_H_INCLUDED_ */
