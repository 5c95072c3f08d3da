/* Hashes: one stable over machines and versions, for places in the log; one mixed fast, for tables. */
#ifndef ENGINE_BASE_HASH_H
#define ENGINE_BASE_HASH_H

#include "engine/base/bytes.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Seedless and stable: decides partitions and ids, so it is part of the plan. */
static inline uint64_t hash_stable(struct bytes bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

/* 128 bits in two halves that are mixed on side by side: where 64 would let names be confused. */
struct hash_pair {
    uint64_t low, high;
};

static inline struct hash_pair hash_seeded(struct bytes bytes, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data, bytes.size, seed);
    return (struct hash_pair){hash.low64, hash.high64};
}

/* Fold the two halves of a 128-bit product: one multiplication mixes every bit of both. */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)(a ^ UINT64_C(0x9e3779b97f4a7c15)) * (b ^ UINT64_C(0xd6e8feb86659fd93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline struct hash_pair hash_pair_mix(struct hash_pair a, struct hash_pair b)
{
    return (struct hash_pair){hash_mix(a.low, b.low), hash_mix(a.high, b.high)};
}

#endif
