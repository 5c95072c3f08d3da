#include "engine/base/pool.h"

#include "engine/base/memory.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 20 };

struct pool_chunk {
    struct pool_chunk *next;
    size_t bytes;
    _Alignas(16) unsigned char data[];
};

/* Classes are 16, 32, 48, 64, then two to an octave: 96, 128, 192, 256 and so on. */
static unsigned class_of(size_t bytes)
{
    if (bytes <= 64) return bytes == 0 ? 0 : (unsigned)((bytes - 1) / 16);
    unsigned octave = 63U - (unsigned)__builtin_clzll((unsigned long long)(bytes - 1));
    size_t half = (size_t)3 << (octave - 1);
    return 4 + (octave - 6) * 2 + (bytes > half ? 1 : 0);
}

static size_t class_bytes(unsigned class)
{
    if (class < 4) return ((size_t) class + 1) * 16;
    unsigned octave = 6 + (class - 4) / 2;
    return (class - 4) % 2 == 0 ? (size_t)3 << (octave - 1) : (size_t)2 << octave;
}

size_t pool_round(size_t bytes)
{
    return class_bytes(class_of(bytes));
}

static void pool_chunk_next(struct pool *pool, size_t wanted)
{
    struct pool_chunk *chunk = pool->spare;
    if (chunk != NULL && chunk->bytes >= wanted) {
        pool->spare = chunk->next;
    } else {
        size_t bytes = wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES;
        chunk = memory_take(sizeof(*chunk) + bytes);
        chunk->bytes = bytes;
        pool->held += bytes;
    }
    chunk->next = pool->chunk;
    pool->chunk = chunk;
    pool->at = chunk->data;
    pool->end = chunk->data + chunk->bytes;
}

void *pool_take(struct pool *pool, size_t bytes)
{
    assert(bytes <= POOL_BYTES_MAX);
    unsigned class = class_of(bytes);
    size_t rounded = class_bytes(class);
    pool->bytes += rounded;

    void *piece = pool->free[class];
    if (piece != NULL) {
        memcpy(&pool->free[class], piece, sizeof(void *));
        return piece;
    }
    if (pool->at == NULL || (size_t)(pool->end - pool->at) < rounded) {
        pool_chunk_next(pool, rounded);
    }
    piece = pool->at;
    pool->at += rounded;
    return piece;
}

void pool_give(struct pool *pool, void *piece, size_t bytes)
{
    if (piece == NULL) return;
    unsigned class = class_of(bytes);
    pool->bytes -= class_bytes(class);
    memcpy(piece, &pool->free[class], sizeof(void *));
    pool->free[class] = piece;
}

void pool_reset(struct pool *pool)
{
    while (pool->chunk != NULL) {
        struct pool_chunk *chunk = pool->chunk;
        pool->chunk = chunk->next;
        chunk->next = pool->spare;
        pool->spare = chunk;
    }
    memset(pool->free, 0, sizeof(pool->free));
    pool->at = pool->end = NULL;
    pool->bytes = 0;
}

void pool_release(struct pool *pool)
{
    pool_reset(pool);
    while (pool->spare != NULL) {
        struct pool_chunk *chunk = pool->spare;
        pool->spare = chunk->next;
        free(chunk);
    }
    *pool = (struct pool){0};
}
