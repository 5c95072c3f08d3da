/*
 * What Redis keeps of one series, as windows that end at any time: the newest rows where they are of
 * that time, and else what slices of history and their sketches add up to.
 *
 * History keeps spans, errors, mean, minimum, maximum and quantiles; other columns are known of the
 * newest rows only.
 */
#ifndef ENGINE_CMD_PAST_H
#define ENGINE_CMD_PAST_H

#include "engine/cmd/newest.h"
#include "engine/plan.h"
#include "sinks/redis_read.h"

struct past {
    const struct plan *plan;
    struct bytes series;
    int64_t now_ms;  /* end of the newest pane of all series */
    int64_t seen_ms; /* of this one; 0: it is not known */
    struct newest newest;
    struct read_about about;
    struct read_list now_rows;
    struct read_list rows[READ_HISTORIES_MAX],
        sketches[READ_HISTORIES_MAX]; /* by history of `about` */
};

/*
 * past    zeroed; to be released whatever is returned
 * series  borrowed as long
 * at_ms   of the newest window that will be asked for; 0: as of now
 * back_ms how far back from there
 */
enum status past_read(struct past *past, struct redis_read *read, const struct plan *plan,
    struct bytes series, int64_t at_ms, int64_t back_ms, struct error *err) MUST_USE;
void past_release(struct past *past);

/* The end of the newest slice up to `at_ms` that held spans; 0: none is kept. */
int64_t past_seen_ms(const struct past *past, int64_t at_ms);

/* What the terms read as of `at_ms`; NaN: absent, or not known any more. */
void past_values(
    const struct past *past, const struct terms *terms, int64_t at_ms, double value[TERMS_MAX]);

#endif
