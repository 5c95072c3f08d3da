#include "engine/cmd/past_counts.h"

#include "engine/base/clock.h"

static int64_t width_ms(const struct past *past, size_t h)
{
    return past->about.history[h].resolution_ns / NS_PER_MS;
}

/* The oldest slice may be gone already. */
static int64_t kept_ms(const struct past *past, size_t h)
{
    return past->now_ms - past->about.history[h].retain_ns / NS_PER_MS + width_ms(past, h);
}

/* Where slices of a history begin to be used: at a slice of the coarser one that goes on from there. */
static int64_t begin_ms(const struct past *past, size_t h, int64_t from_ms)
{
    int64_t kept = kept_ms(past, h), whole_ms = width_ms(past, h);
    if (kept < from_ms) kept = from_ms;
    for (size_t coarser = h + 1; coarser < past->about.histories; coarser++) {
        if (kept_ms(past, coarser) >= kept) continue;
        whole_ms = width_ms(past, coarser);
        break;
    }
    return (kept + whole_ms - 1) / whole_ms * whole_ms;
}

static enum status read_part(
    struct past_part *part, struct redis_read *read, const struct past *past, struct error *err)
{
    const struct read_range range = {.series = past->series,
        .resolution_ns = part->width_ms * NS_PER_MS,
        .from_ms = part->from_ms,
        .to_ms = part->to_ms};
    return redis_read_history(read, &range, &part->rows, err);
}

enum status past_counts_read(struct past_counts *counts, struct redis_read *read,
    const struct past *past, int64_t from_ms, int64_t to_ms, struct error *err)
{
    enum status status = ST_OK;
    counts->from_ms = counts->to_ms = to_ms;
    for (size_t h = 0; h < past->about.histories && status == ST_OK; h++) {
        struct past_part *part = &counts->part[counts->parts];
        int64_t end_ms = counts->from_ms - counts->from_ms % width_ms(past, h);
        *part = (struct past_part){
            .from_ms = begin_ms(past, h, from_ms), .to_ms = end_ms, .width_ms = width_ms(past, h)};
        if (part->from_ms >= part->to_ms) continue;
        if (counts->parts++ == 0) counts->to_ms = part->to_ms;
        counts->from_ms = part->from_ms;
        status = read_part(part, read, past, err);
    }
    return status;
}

void past_counts_release(struct past_counts *counts)
{
    for (size_t p = 0; p < counts->parts; p++)
        read_list_release(&counts->part[p].rows);
}
