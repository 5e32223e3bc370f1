/*
 * Meters: what is counted, and how fast bytes may move, over all workers.
 *
 *   ngx_inlets_meter.c         shares, the pace of a stream
 *   ngx_inlets_registry_rows.c rows of clients, totals, walks
 *   ../shared/inlets_rate.c    the arithmetic of a bucket
 *
 * There is a row of counters for each tunnel, each client id and the whole
 * zone.  Each worker counts in a share of its own, so that nobody waits for a
 * cache line and nothing of a killed worker stays open: when it is purged, its
 * totals go into the row and its open streams are forgotten.
 *
 * Upload is from the visitor to the client, download from there to the
 * visitor.  Both are counted, and paced, where the visitor is.
 */

#ifndef _NGX_INLETS_METER_H_INCLUDED_
#define _NGX_INLETS_METER_H_INCLUDED_


#include "ngx_inlets.h"
#include "ngx_inlets_settings.h"


typedef enum {
    NGX_INLETS_UP = 0,
    NGX_INLETS_DOWN
} ngx_inlets_way_e;


/* A sum, as it was at that moment. */

typedef struct {
    uint64_t                  up;           /* bytes */
    uint64_t                  down;
    uint64_t                  requests;     /* HTTP */
    uint64_t                  streams;      /* all there have been */
    uint64_t                  errors;
    uint64_t                  streams_now;
    time_t                    since;
} ngx_inlets_counters_t;


/*
 * In shared memory.  tat: when all that was let through would have been at an
 * even pace, in nanoseconds of the monotonic clock; rate: bytes per second, 0:
 * no limit.
 */

typedef struct {
    uint64_t                  tat;
    ngx_atomic_t              rate;
} ngx_inlets_bucket_t;


/* In shared memory, within the row of a tunnel, a client or the zone. */

typedef struct {
    ngx_inlets_counters_t     base;         /* of workers that are gone */
    ngx_queue_t               shares;
} ngx_inlets_row_t;

typedef struct ngx_inlets_share_s  ngx_inlets_share_t;


/*
 * What a stream counts in.  Given out by a lookup, and then valid until control
 * returns to the event loop, unless ngx_inlets_meter_attach() makes it last.
 * A share is NULL where there was no memory, then it is not counted.
 */

typedef struct {
    ngx_inlets_share_t       *tunnel;
    ngx_inlets_share_t       *client;
    ngx_inlets_share_t       *global;
    ngx_inlets_bucket_t      *client_buckets;   /* [NGX_INLETS_UP], ... */
    ngx_inlets_bucket_t      *global_buckets;   /* NULL: never paced */
} ngx_inlets_meter_t;


/*
 * A stream in use: attach() copies the meter and counts it as open, as a new
 * one or as one that was kept idle; detach() undoes this, also when the stream
 * ends.
 */
void ngx_inlets_meter_attach(ngx_inlets_stream_t *st,
    ngx_inlets_meter_t *meter, ngx_uint_t fresh);
void ngx_inlets_meter_detach(ngx_inlets_stream_t *st);

/* Events of a meter that was just looked up, or is attached. */
void ngx_inlets_meter_request(ngx_inlets_meter_t *meter);
void ngx_inlets_meter_error(ngx_inlets_meter_t *meter);

/*
 * The pace.  allowed(): how many of want bytes may move now; 0: none, and the
 * stream's read (DOWN) or write (UP) event is posted when some may.  moved():
 * that many did.  drained(): there are no more for now, what was allowed and
 * not moved is given back.  waits(): in one way or the other it waits for its
 * slot.
 */
#define ngx_inlets_meter_limited(m, way)                                      \
    ((m)->global_buckets                                                      \
     && ((m)->client_buckets[way].rate || (m)->global_buckets[way].rate))

size_t ngx_inlets_meter_allowed(ngx_inlets_stream_t *st, ngx_inlets_way_e way,
    size_t want);
void ngx_inlets_meter_moved(ngx_inlets_stream_t *st, ngx_inlets_way_e way,
    size_t bytes);
void ngx_inlets_meter_drained(ngx_inlets_stream_t *st, ngx_inlets_way_e way);
ngx_uint_t ngx_inlets_meter_waits(ngx_inlets_stream_t *st);

/*
 * Limits, for all workers, at once: of a client id that has a row, and of the
 * zone.  wake(): has this worker's streams that wait look at them again.
 */
void ngx_inlets_meter_limits(ngx_inlets_registry_t *reg, ngx_str_t *client_id,
    ngx_inlets_limit_t *limit);
void ngx_inlets_meter_limits_global(ngx_inlets_registry_t *reg,
    ngx_inlets_limit_t *limit);
void ngx_inlets_meter_wake(void);

/* All limits of a zone from settings; NULL: there are none any more. */
void ngx_inlets_meter_settings(ngx_inlets_registry_t *reg,
    ngx_inlets_settings_t *settings);


/*
 * Totals: of a tunnel that has not ended, of a client id that has a row, of the
 * zone.  NGX_DECLINED: there is none.  tunnels: of this client, now.
 */
ngx_int_t ngx_inlets_meter_tunnel(ngx_inlets_registry_t *reg,
    ngx_inlets_id_t *id, ngx_inlets_counters_t *counters);
ngx_int_t ngx_inlets_meter_client(ngx_inlets_registry_t *reg,
    ngx_str_t *client_id, ngx_inlets_counters_t *counters,
    ngx_uint_t *tunnels);
void ngx_inlets_meter_global(ngx_inlets_registry_t *reg,
    ngx_inlets_counters_t *counters);


#endif /* _NGX_INLETS_METER_H_INCLUDED_ */
