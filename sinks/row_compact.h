/*
 * A row in at most 64 bytes, for history: what Redis keeps in a listpack, 80 bytes a row instead of
 * some 276.
 *
 *     spans,errors,mean,min,max,q1,q2,q3,z
 *
 * Milliseconds; q1 to q3 are the plan's first three quantiles, z the score farthest from zero. What
 * is absent is empty. Counts are exact, the others have five digits, and fewer where five do not fit.
 */
#ifndef SINKS_ROW_COMPACT_H
#define SINKS_ROW_COMPACT_H

#include "engine/base/buffer.h"
#include "schemas/row.h"

enum {
    COMPACT_BYTES_MAX = 64,
    COMPACT_QUANTILES = 3,
};

struct row_compact {
    uint64_t spans, errors;
    double mean_ms, min_ms, max_ms; /* NaN: absent; likewise below */
    double quantile_ms[COMPACT_QUANTILES];
    double z;
};

/* Scores are the columns that zscore writes: their names end in `_z`. */
bool row_compact_is_score(struct bytes column);

void row_compact_of(const struct output *output, struct row_compact *compact);
void row_compact_append(const struct row_compact *compact, struct buffer *out);
bool row_compact_parse(struct bytes text, struct row_compact *compact); /* false: it is not one */

#endif
