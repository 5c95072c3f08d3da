/*
 * Stage 1, without Kafka: records in, one delta per (series, pane, arrival pane) out.
 *
 * Nothing is remembered between epochs but the clocks, and those are the caller's.
 */
#ifndef ENGINE_COMBINE_H
#define ENGINE_COMBINE_H

#include "engine/plan.h"
#include "engine/watermark.h"
#include "schemas/decoder.h"

struct combine;

enum {
    BEHIND_SECONDS = 600,
    COMBINE_TOTALS_MAX = 4096, /* panes in which an epoch's records arrived; one partial has all */
};

/* What combine saw since it was made; counters only grow. */
struct combine_counts {
    uint64_t messages, malformed, bytes;
    uint64_t spans, late, too_late, skewed; /* spans: all that decoded */
    uint64_t ahead; /* records with a timestamp ahead of the wall clock + skew */
    uint64_t dropped[DROP_COUNT];
    uint64_t behind[BEHIND_SECONDS +
                    1]; /* spans by how many seconds they ended before the newest record */
};

struct combine_record {
    struct bytes value;   /* borrowed for the call */
    int64_t timestamp_ms; /* below 0: none */
    int64_t now_ns;       /* wall clock; 0 in `time: records`, where it caps nothing */
};

struct combine *combine_new(
    const struct plan *plan, const struct decoder *decoder, uint64_t memory, uint64_t seed);
void combine_free(struct combine *c);
/* Go by the limits.message_bytes of another config. */
void combine_limit(struct combine *c, const struct plan *plan);

/*
 * Decode one record, judge its spans against `clock` as it was before it, fold them, move the clock.
 *
 * returns  ST_OK; ST_SKIP, the record was set aside and counted, the clock moved all the same;
 *          ST_RETRY, no room: nothing happened, end the epoch and call again
 */
enum status combine_record(struct combine *c, struct source_clock *clock,
    const struct combine_record *record, struct error *err) MUST_USE;

/* Of the record that was set aside last: why, and at which byte reading it stopped, -1: none in particular. */
enum refusal combine_refusal(const struct combine *c, int64_t *byte);

/*
 * The epoch's partials, one after the other: for every partition one or more, the last with the clocks.
 *
 *     combine_flush(c, &flush);
 *     while (combine_next(c, &flush, &partition, &value)) ...
 *     combine_reset(c);
 *
 * value  borrowed until the next call
 */
struct combine_flush {
    const struct partial_topic *topic;
    size_t topics;
    const struct source_clock *clock;
    size_t clocks;
    int64_t sent_ms;
    /* the walk's own */
    uint32_t partition;
    size_t cell;
};

void combine_flush(struct combine *c, struct combine_flush *flush);
bool combine_next(
    struct combine *c, struct combine_flush *flush, uint32_t *partition, struct bytes *value);
void combine_reset(struct combine *c); /* empty for the next epoch */

size_t combine_cells(const struct combine *c);         /* deltas waiting */
uint64_t combine_epoch_spans(const struct combine *c); /* spans folded into them */
const struct combine_counts *combine_counts(const struct combine *c);

#endif
