#include "pool.h"

#include <stdlib.h>
#include <string.h>


void
inlets_pool_init(struct inlets_pool *pool, size_t block_size)
{
    *pool = (struct inlets_pool) { .block_size = block_size };
}


void
inlets_pool_finish(struct inlets_pool *pool)
{
    while (pool->free != NULL) {
        void  *p = pool->free;

        memcpy(&pool->free, p, sizeof(pool->free));
        free(p);
    }

    pool->kept = 0;
}


void *
inlets_pool_alloc(struct inlets_pool *pool, size_t size)
{
    void  *p = pool->free;

    if (size != pool->block_size || p == NULL) {
        return malloc(size);
    }

    memcpy(&pool->free, p, sizeof(pool->free));
    pool->kept--;

    return p;
}


void
inlets_pool_free(struct inlets_pool *pool, void *p, size_t size)
{
    if (p == NULL) {
        return;
    }

    if (size != pool->block_size || pool->kept == INLETS_POOL_KEEP) {
        free(p);
        return;
    }

    memcpy(p, &pool->free, sizeof(pool->free));
    pool->free = p;
    pool->kept++;
}
