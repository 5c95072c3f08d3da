/*
 * The keys of one prefix, as sinks/REDIS.md describes them: spelled here for writer and readers.
 */
#ifndef SINKS_REDIS_KEY_H
#define SINKS_REDIS_KEY_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"

enum {
    REDIS_LAYOUT_VERSION = 1,
    REDIS_BUCKET_SLICES = 120, /* so that a bucket stays a listpack, whose limit is 128 */
};

/*
 * `<prefix>:<kind>`, and `:<name>` unless its data is NULL.
 *
 * scratch  emptied first; the key borrows it until its next use
 */
struct bytes redis_key(
    struct buffer *scratch, const char *prefix, const char *kind, struct bytes name);

/* `<prefix>:<kind>:<resolution>:<series>:<bucket>` of the bucket that begins at `bucket_ms`. */
struct bytes redis_key_bucket(struct buffer *scratch, const char *prefix, const char *kind,
    int64_t resolution_ns, struct bytes series, int64_t bucket_ms);

/*
 * The field of `<prefix>:applied` that stands there while a partition is refilled: until then what fires
 * is what fired at the place in the log that it has come to.
 */
struct redis_field {
    char text[32];
};
struct redis_field redis_refill_field(int32_t partition);
#define REDIS_REFILL_FIELD "refill:" /* and the partition */

/* When the bucket begins that holds the slice beginning at `start_ms`, which is not negative. */
int64_t redis_bucket_ms(int64_t start_ms, int64_t resolution_ns);

#endif
