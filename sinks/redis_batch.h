/*
 * What a batch of rows and alerts is in Redis commands: the words of the script's arguments.
 *
 * How long a key lives counts from when its newest row was sent by combine, not from the row's
 * event time: so rows of an old capture stay as long as live ones, and a refill leaves out what
 * would have expired by now.
 */
#ifndef SINKS_REDIS_BATCH_H
#define SINKS_REDIS_BATCH_H

#include "sinks/redis_link.h"
#include "sinks/store.h"

struct redis_batch {
    const struct store_config *config; /* outlives the batch */
    struct redis_link *link;           /* words go here */
    int64_t keep_ms;                   /* the longest retention: of indexes */
    struct buffer key, value;          /* scratch */
};

void redis_batch_init(
    struct redis_batch *batch, const struct store_config *config, struct redis_link *link);
void redis_batch_release(struct redis_batch *batch);

/* Append the commands for every record of `records`, for the indexes, and whether it is a refill. */
void redis_batch_put(
    struct redis_batch *batch, int32_t partition, const struct store_batch *records);

/* Append the command that describes the layout to its readers. */
void redis_batch_about(struct redis_batch *batch);

#endif
