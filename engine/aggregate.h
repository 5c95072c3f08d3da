/*
 * Stage 2, without Kafka: a deterministic state machine over one partition of <name>.partials.
 *
 * Partials in, rows and alert transitions out. It reads no clock, draws nothing at random and
 * depends on no order but the log's: after the same partials it holds the same state and has said
 * the same things.
 */
#ifndef ENGINE_AGGREGATE_H
#define ENGINE_AGGREGATE_H

#include "engine/plan.h"
#include "engine/records.h"
#include "engine/watermark.h"
#include "schemas/partial.h"

struct aggregate;

struct aggregate_counts {
    uint64_t partials, cells, malformed; /* malformed: partials of which a part was lost */
    uint64_t rows_final, rows_revised, rows_provisional;
    uint64_t repeated; /* on-time cells for a closed pane: at-least-once repeats */
    uint64_t gap_offsets, overlap_offsets; /* of the audit: source offsets lost, or counted twice */
    uint64_t overflowed, evicted;
    uint64_t untold; /* alerts that were too many to be looked at together */
    size_t series, series_active, bytes;
};

struct aggregate *aggregate_new(const struct plan *plan, uint32_t partition);
void aggregate_free(struct aggregate *a);

/*
 * Apply the next partial of the log, and say what follows from it.
 *
 * records  appended to
 * returns  ST_OK; ST_SKIP, malformed: what could be read was applied; ST_FATAL, another plan or version
 */
enum status aggregate_apply(
    struct aggregate *a, struct bytes partial, struct records *records, struct error *err) MUST_USE;

uint64_t aggregate_plan(const struct aggregate *a); /* its fingerprint */
/* How many partitions of an input topic there have ever been; 0 for one it never heard of. */
uint32_t aggregate_partitions(const struct aggregate *a, uint32_t topic);
/* Event time up to which panes are closed, as combine is told; or WATERMARK_NONE. */
int64_t aggregate_watermark(const struct aggregate *a);
bool aggregate_ended(
    const struct aggregate *a); /* every source partition has, all panes are closed */
/* What this partition tells the one that looks at all series, but for the alerts. */
int64_t aggregate_sent_ms(const struct aggregate *a); /* newest send time in its partials */
void aggregate_telling(const struct aggregate *a, struct partial_telling *telling);
void aggregate_counts(const struct aggregate *a, struct aggregate_counts *counts);

/*
 * The whole state as bytes, and back. Equal states are equal bytes.
 *
 * source  schemas/snapshot.proto
 */
void aggregate_save(const struct aggregate *a, struct buffer *out);
enum status aggregate_load(struct aggregate *a, struct bytes saved, struct error *err) MUST_USE;

#endif
