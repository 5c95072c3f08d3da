#include "engine/aggregate.h"

#include "engine/aggregate_state.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/judging.h"

#include <stdlib.h>

enum {
    EVICT_EVERY_PANES = 64,
    ROWS_STEP_MAX = 50000, /* rows that one partial may bring about, and one pane's more */
};

struct aggregate *aggregate_new(const struct plan *plan, uint32_t partition)
{
    struct aggregate *a = memory_zeroed(1, sizeof(*a));
    a->plan = a->base = plan;
    a->watermark_ns = WATERMARK_NONE;
    a->next_pane = PANE_NONE;
    a->empty = cell_new(&plan->layout, &a->pool);
    series_table_init(&a->series, plan, partition, &a->pool);
    if (partition == FLEET_PARTITION) a->fleet = fleet_new(plan->partitions);
    return a;
}

void aggregate_free(struct aggregate *a)
{
    if (a == NULL) return;
    series_table_release(&a->series);
    pool_release(&a->pool);
    free(a->late);
    free(a->due);
    free(a->clock);
    free(a->totals.total);
    settings_free(a->settings);
    fleet_free(a->fleet);
    free(a);
}

static bool is_behind(const struct aggregate *a)
{
    return a->watermark_ns != WATERMARK_NONE && a->next_pane != PANE_NONE &&
           a->next_pane < aggregate_watermark_pane(a);
}

uint64_t aggregate_plan(const struct aggregate *a)
{
    return a->plan->fingerprint;
}

uint32_t aggregate_partitions(const struct aggregate *a, uint32_t topic)
{
    return topic < AGGREGATE_TOPICS_MAX ? a->partitions[topic] : 0;
}

int64_t aggregate_watermark(const struct aggregate *a)
{
    return is_behind(a) ? a->next_pane * a->plan->pane_ns : a->watermark_ns;
}

static bool has_closed_all(const struct aggregate *a)
{
    return a->ended && !is_behind(a);
}

bool aggregate_ended(const struct aggregate *a)
{
    return has_closed_all(a) && (a->fleet == NULL || fleet_ended(a->fleet));
}

int64_t aggregate_sent_ms(const struct aggregate *a)
{
    return a->sent_ms;
}

void aggregate_telling(const struct aggregate *a, struct partial_telling *telling)
{
    bool any = a->next_pane != PANE_NONE;
    *telling = (struct partial_telling){.partition = a->series.partition,
        .closed_ns = any ? a->next_pane * a->plan->pane_ns : WATERMARK_NONE,
        .ended = has_closed_all(a)};
}

void aggregate_counts(const struct aggregate *a, struct aggregate_counts *counts)
{
    *counts = a->counts;
    counts->overflowed = a->series.overflowed;
    counts->evicted = a->series.evicted;
    counts->series = a->series.count;
    counts->series_active = a->series.actives;
    counts->bytes = a->pool.held;
    counts->untold = a->fleet == NULL ? 0 : fleet_dropped(a->fleet);
}

/* The first pane there is to close: the oldest that holds anything, or where the watermark is. */
static int64_t first_pane(const struct aggregate *a, int64_t target)
{
    int64_t first = target;
    for (size_t i = 0; i < a->series.actives; i++) {
        const struct slices *panes = &a->series.active[i]->level[0];
        if (panes->count != 0 && panes->slice[0].index < first) first = panes->slice[0].index;
    }
    for (size_t i = 0; i < a->lates; i++) {
        if (a->late[i].arrival < first) first = a->late[i].arrival;
    }
    return first;
}

/* Where the minimum of all clocks stands; WATERMARK_NONE while one is missing. */
static int64_t clocks_minimum(const struct aggregate *a)
{
    uint64_t expected = 0;
    int64_t least = INT64_MAX;
    size_t open = 0;
    for (uint32_t t = 0; t < a->topics; t++)
        expected += a->partitions[t];
    for (size_t i = 0; i < a->clocks; i++) {
        if (a->clock[i].ended) continue;
        if (a->clock[i].watermark_ns < least) least = a->clock[i].watermark_ns;
        open++;
    }
    return a->clocks < expected || open == 0 ? WATERMARK_NONE : least;
}

static bool clocks_ended(const struct aggregate *a)
{
    uint64_t expected = 0;
    for (uint32_t t = 0; t < a->topics; t++)
        expected += a->partitions[t];
    for (size_t i = 0; i < a->clocks; i++) {
        if (!a->clock[i].ended) return false;
    }
    return expected != 0 && a->clocks >= expected;
}

/* The end of batch mode: the pane after the last one that any partition reached. */
static int64_t end_pane(const struct aggregate *a)
{
    int64_t last = PANE_NONE;
    for (size_t i = 0; i < a->clocks; i++) {
        if (a->clock[i].newest_pane > last) last = a->clock[i].newest_pane;
        if (a->clock[i].watermark_ns == WATERMARK_NONE) continue;
        int64_t pane = floor_div(a->clock[i].watermark_ns, a->plan->pane_ns);
        if (pane > last) last = pane;
    }
    return last == PANE_NONE ? PANE_NONE : last + 1;
}

struct closing aggregate_closing(struct aggregate *a, struct records *records)
{
    return (struct closing){.plan = a->plan,
        .pool = &a->pool,
        .records = records,
        .empty = a->empty,
        .pane = a->next_pane,
        .totals = &a->totals,
        .record_ms = a->record_ms,
        .sent_ms = a->sent_ms};
}

static int due_compare(const void *left, const void *right)
{
    const struct late_cell *a = left, *b = right;
    if (a->series != b->series) {
        size_t shorter =
            a->series->key.size < b->series->key.size ? a->series->key.size : b->series->key.size;
        int order = memcmp(a->series->key.data, b->series->key.data, shorter);
        if (order != 0) return order;
        return a->series->key.size < b->series->key.size ? -1 : 1;
    }
    return a->pane < b->pane ? -1 : a->pane > b->pane;
}

/* Take the late cells whose arrival pane closes now off the queue and merge them. */
static size_t merge_due(struct aggregate *a, struct closing *closing)
{
    size_t kept = 0, due = 0;
    if (a->lates > a->dues_max) {
        a->dues_max = a->lates;
        a->due = memory_resize(a->due, a->dues_max, sizeof(*a->due));
    }
    for (size_t i = 0; i < a->lates; i++) {
        struct late_cell late = a->late[i];
        if (late.arrival > a->next_pane) {
            a->late[kept++] = late;
            continue;
        }
        windows_add_late(closing, late.series, late.pane, late.cell);
        series_activate(&a->series, late.series);
        cell_free(&a->plan->layout, late.cell, &a->pool);
        late.cell = NULL;
        a->due[due++] = late;
    }
    a->lates = kept;
    return due;
}

/* Each slice that late cells changed is said once, however many there were. */
static void apply_late(struct aggregate *a, struct closing *closing)
{
    size_t due = merge_due(a, closing);
    if (due == 0) return;
    qsort(a->due, due, sizeof(*a->due), due_compare);
    for (size_t i = 0; i < due; i++) {
        if (i > 0 && due_compare(&a->due[i - 1], &a->due[i]) == 0) continue;
        windows_say_revised(closing, a->due[i].series, a->due[i].pane);
    }
}

static void closing_captured(const struct aggregate *a, struct closing *closing)
{
    const struct plan *plan = a->plan;
    for (uint32_t k = 0; k < plan->levels; k++) {
        int64_t panes = plan->level[k].width_ns / plan->pane_ns;
        closing->captured_level[k] =
            totals_captured(&a->totals, closing->pane - panes + 1, closing->pane);
    }
    for (uint32_t w = 0; w < plan->windows; w++) {
        int64_t panes = plan->window[w].width_ns / plan->pane_ns;
        closing->captured_window[w] =
            totals_captured(&a->totals, closing->pane - panes + 1, closing->pane);
    }
}

/* The panes under the widest row that can still be said: a revision of the longest slice there is. */
static int64_t panes_kept(const struct plan *plan)
{
    int64_t widest_ns = 0;
    for (uint32_t w = 0; w < plan->windows; w++) {
        if (plan->window[w].width_ns > widest_ns) widest_ns = plan->window[w].width_ns;
    }
    for (uint32_t k = 0; k < plan->levels; k++) {
        if (plan->level[k].width_ns > widest_ns) widest_ns = plan->level[k].width_ns;
    }
    return (widest_ns + plan->allowed_lateness_ns) / plan->pane_ns + 2;
}

/* How far the pane's end is behind the newest partial: more than patience asks for is our own lag. */
static int64_t closing_lag(const struct aggregate *a)
{
    if (a->plan->config->time == TIME_RECORDS) return 0;
    return time_behind((a->next_pane + 1) * a->plan->pane_ns, a->sent_ms);
}

static void close_next(struct aggregate *a, struct records *records)
{
    struct closing closing = aggregate_closing(a, records);
    closing_captured(a, &closing);
    closing.lag_ns = closing_lag(a);
    apply_late(a, &closing);
    for (size_t i = 0; i < a->series.actives; i++)
        windows_merge(&closing, a->series.active[i]);
    if (windows_score(&closing)) judging_score(&closing, &a->series);
    for (size_t i = 0; i < a->series.actives; i++)
        windows_say(&closing, a->series.active[i]);
    buffer_release(&closing.text);
    a->counts.rows_final += closing.rows_final;
    a->counts.rows_revised += closing.rows_revised;

    a->next_pane++;
    series_rest(&a->series);
    if (a->next_pane % EVICT_EVERY_PANES == 0) {
        int64_t idle = a->plan->config->limits.series_idle_ns / a->plan->pane_ns;
        series_evict(&a->series, a->next_pane - idle);
    }
}

/* The next pane whose closing can matter, so that a gap of years costs nothing. */
static int64_t next_concern(const struct aggregate *a, int64_t target)
{
    int64_t next = target;
    for (size_t i = 0; i < a->lates; i++) {
        if (a->late[i].arrival < next) next = a->late[i].arrival;
    }
    for (size_t i = 0; i < a->series.actives && next > a->next_pane; i++) {
        const struct series *series = a->series.active[i];
        if (windows_concern(a->plan, series, a->next_pane)) return a->next_pane;
        int64_t first = series->level[0].count == 0 ? target : series->level[0].slice[0].index;
        if (first < next) next = first;
    }
    return next;
}

/*
 * Close panes one at a time until the watermark is in the next one, or enough was said for one
 * partial: a jump of the watermark over many panes is spread over the partials that follow, so that
 * no transaction and no buffer grows with it. Combine sends partials while we are behind.
 */
static void advance(struct aggregate *a, struct records *records)
{
    int64_t target = PANE_NONE, least = clocks_minimum(a);
    if (least > a->watermark_ns) a->watermark_ns = least;
    if (a->watermark_ns != WATERMARK_NONE) target = aggregate_watermark_pane(a);
    a->ended = clocks_ended(a);
    if (a->ended && end_pane(a) > target) {
        target = end_pane(a);
        if (target != PANE_NONE) a->watermark_ns = target * a->plan->pane_ns;
    }
    if (target == PANE_NONE) return;
    if (a->next_pane == PANE_NONE) a->next_pane = first_pane(a, target);
    uint64_t enough = a->counts.rows_final + a->counts.rows_revised + ROWS_STEP_MAX;
    while (a->next_pane < target && a->counts.rows_final + a->counts.rows_revised < enough) {
        a->next_pane = next_concern(a, target);
        if (a->next_pane < target) close_next(a, records);
    }
    totals_prune(&a->totals, a->next_pane - panes_kept(a->plan));
}

/*
 * Say what open panes hold, within the budget. Time is the send time of the newest partial, so that
 * the same log says the same; batch mode has nobody who waits.
 */
static void say_provisional(struct aggregate *a, int64_t before_ms, struct records *records)
{
    const struct config *config = a->plan->config;
    if (config->provisional_ns == 0 || config->time == TIME_RECORDS || a->next_pane == PANE_NONE)
        return;
    uint64_t rate = config->limits.provisional_rows / a->plan->partitions + 1;
    uint64_t passed_ms =
        before_ms != 0 && a->sent_ms > before_ms ? (uint64_t)(a->sent_ms - before_ms) : 0;
    a->budget += rate * (passed_ms < 1000 ? passed_ms : 1000);
    if (a->budget > rate * 1000) a->budget = rate * 1000;

    struct closing closing = aggregate_closing(a, records);
    int64_t before = a->sent_ms - config->provisional_ns / 1000000;
    for (size_t i = 0; i < a->series.actives && a->budget >= 1000; i++) {
        struct series *series = a->series.active[i];
        if (!series->changed || series->provisional_ms > before) continue;
        series->changed = false;
        if (!windows_say_provisional(&closing, series)) continue;
        series->provisional_ms = a->sent_ms;
        a->budget -= 1000;
        a->counts.rows_provisional++;
    }
}

enum status aggregate_apply(
    struct aggregate *a, struct bytes partial, struct records *records, struct error *err)
{
    struct partial_header header;
    struct wire parts;
    enum status status = partial_open(partial, &header, &parts, err);
    a->counts.partials++;
    if (status != ST_OK) {
        a->counts.malformed += status == ST_SKIP;
        return status;
    }
    if (header.plan != a->plan->fingerprint) {
        return error_set(err, ST_FATAL, 0,
            "partial of plan %016llx, this worker runs plan %016llx: workers of one `name` must "
            "share "
            "one plan; compare their configs with `weir plan --diff`, or give this one another "
            "`name`",
            (unsigned long long)header.plan, (unsigned long long)a->plan->fingerprint);
    }
    int64_t before_ms = a->sent_ms;
    if (header.sent_ms > a->sent_ms) a->sent_ms = header.sent_ms;
    if (header.record_ms > a->record_ms) a->record_ms = header.record_ms;
    status = aggregate_take(a, &parts, records, err);
    a->counts.malformed += status == ST_SKIP;
    if (status <= ST_SKIP && header.last) {
        advance(a, records);
        say_provisional(a, before_ms, records);
    }
    if (status <= ST_SKIP && a->fleet != NULL)
        fleet_decide(a->fleet, a->sent_ms, a->plan->fingerprint, records);
    return status;
}
