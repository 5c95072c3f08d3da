/* What aggregate takes from a partial, before it looks what can be closed. */
#include "engine/aggregate_state.h"
#include "engine/base/memory.h"

static struct late_cell *late_append(struct aggregate *a)
{
    if (a->lates == a->lates_max) {
        a->lates_max = a->lates_max == 0 ? 64 : a->lates_max * 2;
        a->late = memory_resize(a->late, a->lates_max, sizeof(*a->late));
    }
    return &a->late[a->lates++];
}

/* The cell that a partial's cell is merged into: an open pane, or one that waits for its arrival pane. */
static void *cell_for(struct aggregate *a, struct series *series, const struct partial_cell *from)
{
    bool closed = a->next_pane != PANE_NONE && from->pane < a->next_pane;
    int64_t arrival = from->pane + (int64_t)from->late_by;
    if (from->late_by == 0 && !closed) {
        series_activate(&a->series, series);
        series->changed = true;
        return slices_at(&series->level[0], from->pane, &a->plan->layout, &a->pool);
    }
    if (from->late_by == 0) a->counts.repeated++;
    if (a->next_pane != PANE_NONE && arrival < a->next_pane) arrival = a->next_pane;
    if (arrival > series->newest_pane) series->newest_pane = arrival; /* while it waits, it stays */
    struct late_cell *late = late_append(a);
    *late = (struct late_cell){series, from->pane, arrival, cell_new(&a->plan->layout, &a->pool)};
    return late->cell;
}

/* No combine sends others, and with these no sum of times overflows. */
static bool cell_sane(const struct aggregate *a, const struct partial_cell *cell)
{
    int64_t most = TIME_NS_MAX / a->plan->pane_ns;
    return cell->view < a->plan->views &&
           cell->dimensions == a->plan->view[cell->view].dimensions && cell->pane >= 0 &&
           cell->pane <= most && cell->late_by <= (uint64_t)(most - cell->pane);
}

static bool clock_sane(const struct aggregate *a, const struct partial_clock *clock)
{
    int64_t most = TIME_NS_MAX / a->plan->pane_ns;
    bool time = clock->watermark_ns == WATERMARK_NONE ||
                (clock->watermark_ns >= -TIME_NS_MAX && clock->watermark_ns <= TIME_NS_MAX);
    bool pane = clock->newest_pane == PANE_NONE ||
                (clock->newest_pane >= -most && clock->newest_pane <= most);
    return time && pane && clock->topic < AGGREGATE_TOPICS_MAX && clock->from >= 0 &&
           clock->to >= 0;
}

static enum status apply_cell(
    struct aggregate *a, const struct partial_cell *cell, struct error *err)
{
    if (!cell_sane(a, cell)) {
        return error_set(err, ST_SKIP, 0,
            "partial: a cell of view %u, pane %lld does not fit the plan", cell->view,
            (long long)cell->pane);
    }
    struct series *series = series_of(&a->series, cell);
    int64_t arrival = cell->pane + (int64_t)cell->late_by;
    if (arrival > series->newest_pane) series->newest_pane = arrival;
    void *to = cell_for(a, series, cell);

    struct wire parts = wire_of(cell->message);
    uint32_t wire_id;
    struct bytes content;
    enum status worst = ST_OK;
    a->counts.cells++;
    while (partial_measure(&parts, &wire_id, &content)) {
        enum status status =
            cell_merge_encoded(&a->plan->layout, to, wire_id, content, &a->pool, err);
        if (status > worst) worst = status;
    }
    return worst;
}

/*
 * Exactly once is audited: what an epoch covers must begin where the last one ended. Offsets that come
 * again leave the place as it is, unless combine says itself that its topic begins anew.
 */
static void audit(
    struct aggregate *a, struct source_clock *known, const struct partial_clock *clock)
{
    int64_t again = clock->to < known->position ? clock->to : known->position;
    if (clock->from > known->position) {
        a->counts.gap_offsets += (uint64_t)(clock->from - known->position);
    } else if (clock->from < again) {
        a->counts.overlap_offsets += (uint64_t)(again - clock->from);
    }
    if (clock->to > known->position || clock->to < clock->from) known->position = clock->to;
}

static enum status apply_clock(
    struct aggregate *a, const struct partial_clock *clock, struct error *err)
{
    struct source_clock *known = NULL;
    if (!clock_sane(a, clock)) {
        return error_set(err, ST_SKIP, 0,
            "partial: the clock of topic %u, partition %u is at no time or offset that can be",
            clock->topic, clock->partition);
    }
    for (size_t i = 0; i < a->clocks && known == NULL; i++) {
        bool same = a->clock[i].topic == clock->topic && a->clock[i].partition == clock->partition;
        if (same) known = &a->clock[i];
    }
    if (known == NULL) {
        a->clock = memory_resize(a->clock, a->clocks + 1, sizeof(*a->clock));
        known = &a->clock[a->clocks++];
        *known = (struct source_clock){.topic = clock->topic,
            .partition = clock->partition,
            .position = clock->to,
            .watermark_ns = WATERMARK_NONE,
            .newest_pane = PANE_NONE};
    } else {
        audit(a, known, clock);
    }
    source_clock_raise(known, clock->watermark_ns);
    if (clock->newest_pane > known->newest_pane) known->newest_pane = clock->newest_pane;
    known->ended = clock->ended;
    return ST_OK;
}

static void apply_topic(struct aggregate *a, uint32_t index, const struct partial_topic *topic)
{
    if (index >= AGGREGATE_TOPICS_MAX) return;
    if (topic->partitions > a->partitions[index]) a->partitions[index] = topic->partitions;
    if (index >= a->topics) a->topics = index + 1;
}

enum status aggregate_take(
    struct aggregate *a, struct wire *parts, struct records *records, struct error *err)
{
    struct partial_item item;
    enum partial_part part;
    enum status worst = ST_OK;
    uint32_t topic = 0;
    while ((part = partial_next(parts, &item)) != PARTIAL_DONE) {
        if (part == PARTIAL_BAD) {
            return error_set(err, worst > ST_SKIP ? worst : ST_SKIP, 0,
                "partial: malformed part at byte %zu", wire_offset(parts));
        }
        enum status status = ST_OK;
        if (part == PARTIAL_CELL) status = apply_cell(a, &item.cell, err);
        if (part == PARTIAL_TOPIC) apply_topic(a, topic++, &item.topic);
        if (part == PARTIAL_CLOCK) status = apply_clock(a, &item.clock, err);
        if (part == PARTIAL_SETTINGS) status = aggregate_settle(a, item.settings, records, err);
        if (part == PARTIAL_TOTAL) totals_add(&a->totals, &item.total);
        if (part == PARTIAL_TELLING && a->fleet != NULL)
            status = fleet_take(a->fleet, &item.telling, err);
        if (status > worst) worst = status;
    }
    return worst;
}
