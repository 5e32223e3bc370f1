/*
 * Notifications: what people are told of as "notification" of the settings
 * file says.
 *
 *   ../shared/inlets_notice.c   the messages
 *   ngx_inlets_notify.c         events, the queue of a worker, retries
 *   ngx_inlets_curl.c           libcurl on nginx's event loop
 *
 * Nothing here waits or fails: what can't be sent is logged and dropped.  URL
 * and secret are never logged.
 */

#ifndef _NGX_INLETS_NOTIFY_H_INCLUDED_
#define _NGX_INLETS_NOTIFY_H_INCLUDED_


#include "ngx_inlets.h"
#include "ngx_inlets_settings.h"
#include "inlets_notice.h"


/* In shared memory, one for each settings file; kept over a reload. */

#define NGX_INLETS_NOTIFY_REFUSALS  64

typedef struct {
    uint64_t                     key;         /* hash of the address or id */
    time_t                       since;       /* begin of the minute */
    time_t                       told;
    ngx_uint_t                   count;
} ngx_inlets_notify_refusal_t;

typedef struct {
    ngx_uint_t                   started;     /* has been told */
    ngx_uint_t                   reloaded;    /* by the master, to be told */
    time_t                       told;        /* of refusals, the last time */
    ngx_inlets_notify_refusal_t  addresses[NGX_INLETS_NOTIFY_REFUSALS];
    ngx_inlets_notify_refusal_t  clients[NGX_INLETS_NOTIFY_REFUSALS];
} ngx_inlets_notify_shctx_t;


/*
 * An event, to be called once for it, not once in every worker.  file may be
 * NULL, or have no "notification": then there is nothing to do.  notice: event
 * and its fields; time, offset and a server's address are filled in.  All is
 * copied.
 */
void ngx_inlets_notify(ngx_inlets_settings_file_t *file,
    struct inlets_notice *notice);

#define ngx_inlets_notify_text(text, str)                                     \
    (text)->data = (const char *) (str)->data;                                \
    (text)->len = (str)->len

/*
 * A login that was refused: tells of it when there are many from one address,
 * or for one client id (may be empty).
 */
void ngx_inlets_notify_refused(ngx_inlets_settings_file_t *file,
    ngx_str_t *address, ngx_str_t *client_id, ngx_str_t *reason);

/* module: in the master.  exit: what is still to be sent is lost. */
ngx_int_t ngx_inlets_notify_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_inlets_notify_init_worker(ngx_cycle_t *cycle);
void ngx_inlets_notify_exit_worker(ngx_cycle_t *cycle);


#endif /* _NGX_INLETS_NOTIFY_H_INCLUDED_ */
