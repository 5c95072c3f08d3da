/*
 * Snapshots: the state of one aggregate partition in <name>.state, as chunks ended by a manifest.
 *
 * source  schemas/snapshot.proto
 */
#ifndef ENGINE_SNAPSHOT_H
#define ENGINE_SNAPSHOT_H

#include "engine/aggregate.h"
#include "engine/kafka_observer.h"
#include "engine/metrics.h"

/*
 * Write the state inside the open transaction of `kafka`.
 *
 * partials_offset  the first partial that the state does not hold
 * manifest         out: offset of the manifest, valid once the transaction is committed
 * first            out: offset of the first record of this snapshot: older ones are not needed for it
 */
enum status snapshot_write(const struct aggregate *a, uint64_t plan, struct kafka *kafka,
    const char *topic, int32_t partition, int64_t partials_offset, int64_t *manifest,
    int64_t *first, struct error *err) MUST_USE;

/*
 * Load the state that a manifest names into a new aggregate.
 *
 * partials_offset  out: where to go on in partials
 * first            out: as above
 * returns          ST_OK; ST_RETRY; ST_LOST, a record of it is gone; ST_FATAL, unreadable: `err` names
 *                  the way out
 */
enum status snapshot_read(struct aggregate *a, struct kafka_observer *observer, const char *topic,
    int32_t partition, int64_t manifest, int64_t *partials_offset, int64_t *first,
    struct error *err) MUST_USE;

/*
 * A snapshot that snapshot_read found to be gone is needed: raise the trouble, and say the way out.
 *
 * err      in and out: what is gone
 * returns  ST_FATAL
 */
enum status snapshot_missing(
    const char *topic, int32_t partition, int64_t manifest, struct error *err) MUST_USE;

/* The gauge that snapshot_write sets; its owner clears it when the partition goes. */
struct metric *snapshot_bytes(int32_t partition);

#endif
