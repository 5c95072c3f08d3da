/*
 * How many spans a series had over the last days, and how many of them failed: slices of history, of
 * each time the finest that are kept.
 */
#ifndef ENGINE_CMD_PAST_COUNTS_H
#define ENGINE_CMD_PAST_COUNTS_H

#include "engine/cmd/past.h"

struct past_counts {
    int64_t from_ms, to_ms; /* what is known; the same: nothing is */
    size_t parts;           /* the newest first, and no gap between them */
    struct past_part {
        int64_t from_ms, to_ms, width_ms; /* of its slices */
        struct read_list rows;            /* history rows in order of time; none: no spans */
    } part[READ_HISTORIES_MAX];
};

/*
 * counts          zeroed; to be released whatever is returned
 * past            read before
 * from_ms, to_ms  whole panes; what is not kept is left out at the beginning, and
 *                 at the end what is less than a slice
 */
enum status past_counts_read(struct past_counts *counts, struct redis_read *read,
    const struct past *past, int64_t from_ms, int64_t to_ms, struct error *err) MUST_USE;
void past_counts_release(struct past_counts *counts);

#endif
