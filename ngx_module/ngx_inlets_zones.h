/*
 * The shared memory zones of one kind.
 */

#ifndef _NGX_INLETS_ZONES_H_INCLUDED_
#define _NGX_INLETS_ZONES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_list_part_t             *part;
    ngx_uint_t                   i;
    void                        *tag;
} ngx_inlets_zones_t;


/* next(): the data of one after the other, at last NULL. */
void ngx_inlets_zones_init(ngx_inlets_zones_t *zones, ngx_cycle_t *cycle,
    void *tag);
void *ngx_inlets_zones_next(ngx_inlets_zones_t *zones);


#endif /* _NGX_INLETS_ZONES_H_INCLUDED_ */
