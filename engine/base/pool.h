/*
 * Memory for many small states that grow: size classes carved from large chunks, given back by
 * class, or all at once.
 */
#ifndef ENGINE_BASE_POOL_H
#define ENGINE_BASE_POOL_H

#include <stddef.h>

enum {
    POOL_CLASSES = 48,
    POOL_BYTES_MAX = 1 << 20, /* one piece; asking for more is a bug */
};

struct pool {
    struct pool_chunk *chunk; /* newest first */
    struct pool_chunk *spare; /* kept by pool_reset for the next round */
    void *free[POOL_CLASSES]; /* given back, by class */
    unsigned char *at, *end;  /* what is left of `chunk` */
    size_t bytes;             /* taken and not given back, rounded up to classes */
    size_t held;              /* from the system */
};

/* A zeroed pool is empty and ready. */
void *pool_take(struct pool *pool, size_t bytes); /* uninitialised, 16-byte aligned */
void pool_give(
    struct pool *pool, void *piece, size_t bytes); /* `bytes` as when taken; NULL is fine */
size_t pool_round(size_t bytes);                   /* what taking `bytes` really gives */
void pool_reset(struct pool *pool);                /* everything given back, memory kept */
void pool_release(struct pool *pool);              /* everything given back, memory too */

#endif
