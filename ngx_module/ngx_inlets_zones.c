
/*
 * Copyright (C) inlets for nginx contributors
 */


#include "ngx_inlets_zones.h"


void
ngx_inlets_zones_init(ngx_inlets_zones_t *zones, ngx_cycle_t *cycle, void *tag)
{
    zones->part = &cycle->shared_memory.part;
    zones->i = 0;
    zones->tag = tag;
}


void *
ngx_inlets_zones_next(ngx_inlets_zones_t *zones)
{
    ngx_shm_zone_t  *shm_zone;

    while (zones->part) {

        if (zones->i >= zones->part->nelts) {
            zones->part = zones->part->next;
            zones->i = 0;
            continue;
        }

        shm_zone = zones->part->elts;
        shm_zone += zones->i++;

        if (shm_zone->tag == zones->tag && shm_zone->data) {
            return shm_zone->data;
        }
    }

    return NULL;
}
