/*
 * A free list of the blocks that mux sessions and streams ask for most.  It
 * keeps at most a fixed number of them: memory taken in a burst is given back.
 */

#ifndef INLETS_POOL_H
#define INLETS_POOL_H


#include <stddef.h>


#define INLETS_POOL_KEEP  128


struct inlets_pool {
    void    *free;          /* the first bytes of each point to the next */
    size_t   block_size;
    size_t   kept;
};


void inlets_pool_init(struct inlets_pool *pool, size_t block_size);
void inlets_pool_finish(struct inlets_pool *pool);

/* Any size; only blocks of block_size are kept. */
void *inlets_pool_alloc(struct inlets_pool *pool, size_t size);
void inlets_pool_free(struct inlets_pool *pool, void *p, size_t size);


#endif /* INLETS_POOL_H */
