#include "engine/windows.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/evidence.h"
#include "engine/watermark.h"

#include <assert.h>
#include <stdio.h>

static int64_t pane_end_ns(const struct plan *plan, int64_t pane)
{
    return (pane + 1) * plan->pane_ns;
}

/* The newest slice of a level that is closed once all panes before `next_pane` are. */
static int64_t newest_closed(const struct plan *plan, uint32_t level, int64_t next_pane)
{
    return floor_div(next_pane * plan->pane_ns, plan->level[level].width_ns) - 1;
}

bool windows_concern(const struct plan *plan, const struct series *series, int64_t pane)
{
    if (series->rolled != 0 || series->awake) return true;
    if (series->level[0].count != 0 && series->level[0].slice[0].index <= pane) return true;
    for (uint32_t k = 1; k < plan->levels; k++) {
        if (series->level[k].count != 0) return true;
    }
    return false;
}

static void row_fill(const struct closing *c, const struct series *series, const void *cell,
    double captured, struct row *row)
{
    row->series = series->name;
    row->record_ms = c->record_ms;
    row->sent_ms = c->sent_ms;
    cell_report(&c->plan->layout, cell, row);
    row->latency = cell_latency(&c->plan->layout, cell);
    if (row_has(row, COLUMN_CAPTURE_RATIO)) row->value[COLUMN_CAPTURE_RATIO].number *= captured;
}

/* Deterministic: the same firing has the same id on every worker and in every re-run. */
static void alert_name(struct alert *alert)
{
    struct buffer text = {0};
    buffer_append(&text, alert->rule.data, alert->rule.size);
    buffer_append(&text, "", 1);
    buffer_append(&text, alert->series.data, alert->series.size);
    buffer_append(&text, &alert->since_ns, sizeof(alert->since_ns));
    XXH128_hash_t hash = XXH3_128bits(text.data, text.size);
    snprintf(alert->id, sizeof(alert->id), "%016llx%016llx", (unsigned long long)hash.high64,
        (unsigned long long)hash.low64);
    buffer_release(&text);
}

static uint32_t evidence_level(const struct plan *plan)
{
    return plan->scored ? plan->score_level : 0;
}

/*
 * What an alert is shown with: the newest closed slice of what is scored, else of the panes. Scorers
 * only repeat what they know of it.
 */
static void evidence_row(
    const struct closing *c, const struct series *series, int64_t next_pane, struct row *row)
{
    uint32_t level = evidence_level(c->plan);
    int64_t width_ns = c->plan->level[level].width_ns;
    int64_t index = newest_closed(c->plan, level, next_pane);
    const struct slice *slice = slices_find(&series->level[level], index);
    *row = (struct row){.start_ns = index * width_ns,
        .end_ns = (index + 1) * width_ns,
        .status = ROW_FINAL,
        .scored = c->plan->scored};
    row_fill(c, series, slice == NULL ? c->empty : slice->cell, 1, row);
    struct states_walk walk = states_begin(c->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (walk.operator_->observe != NULL) walk.operator_->step(walk.self, walk.state, row);
    }
}

/* Merge the slices of a level that are closed since; returns  where they end. */
static int64_t merge_since(const struct closing *c, const struct series *series, uint32_t level,
    int64_t since_ns, int64_t next_pane, void *cell)
{
    int64_t width_ns = c->plan->level[level].width_ns;
    int64_t newest = newest_closed(c->plan, level, next_pane);
    for (int64_t i = floor_div(since_ns, width_ns); i <= newest; i++) {
        const struct slice *slice = slices_find(&series->level[level], i);
        if (slice != NULL) cell_merge(&c->plan->layout, cell, slice->cell, c->pool);
    }
    return (newest + 1) * width_ns;
}

/*
 * What was closed since the slice of the evidence: of a fault that begins in the middle of one, rules
 * over panes know before it ends. The coarser slices first, since panes are kept for those only.
 */
static void *cell_since(
    const struct closing *c, const struct series *series, int64_t since_ns, int64_t next_pane)
{
    void *cell = cell_new(&c->plan->layout, c->pool);
    for (uint32_t level = evidence_level(c->plan); level != 0;) {
        level = c->plan->level[level].from;
        since_ns = merge_since(c, series, level, since_ns, next_pane, cell);
    }
    return cell;
}

static void alert_say(struct closing *c, const struct alert *alert)
{
    if (alert->together)
        records_tell(c->records, alert, c->plan->fingerprint);
    else
        records_alert(c->records, alert, c->plan->fingerprint);
}

void windows_say_alert(
    struct closing *c, const struct series *series, struct alert *alert, int64_t at_ns)
{
    if (c->records->silent) return;
    struct row row, since;
    int64_t next_pane = floor_div(at_ns, c->plan->pane_ns);
    alert->series = series->name;
    alert->sent_ms = c->sent_ms;
    alert->at_ns = at_ns;
    alert_name(alert);
    evidence_row(c, series, next_pane, &row);
    evidence_give(c->plan, &row, alert);
    void *cell = cell_since(c, series, row.end_ns, next_pane);
    since = (struct row){.start_ns = row.end_ns, .end_ns = at_ns};
    cell_report(&c->plan->layout, cell, &since);
    evidence_renew(&since, alert);
    alert_say(c, alert);
    cell_free(&c->plan->layout, cell, c->pool); /* the alert borrowed from it */
}

/* Run the operators over a row; what they find out over all rows of the pane is said after them. */
static void operators_step(struct closing *c, struct series *series, struct row *row)
{
    struct states_walk walk = states_begin(c->plan->config, series->concerned, series->states);
    while (states_next(&walk))
        walk.operator_->step(walk.self, walk.state, row);
}

static void say_row(struct closing *c, const struct row *row)
{
    records_row(c->records, row, &c->plan->columns, c->plan->fingerprint);
    *(row->status == ROW_FINAL ? &c->rows_final : &c->rows_revised) += 1;
}

/* Whether a scorer finds a window worth showing though nothing happened in it. */
static bool is_notable(const struct plan *plan, const struct row *row)
{
    for (uint32_t i = 0; i < plan->score_columns; i++) {
        int column = plan->score_column[i];
        if (row_has(row, column) && row_number(row, column) >= SCORE_NOTICE) return true;
    }
    return false;
}

static void slice_sketch(const struct closing *c, uint32_t level, const void *cell,
    struct buffer *sketch, struct row *row)
{
    if (!c->plan->level[level].sketches || c->records->silent) return;
    cell_sketch(&c->plan->layout, cell, sketch);
    row->sketch = buffer_bytes(sketch);
}

static bool is_scored(const struct plan *plan, uint32_t level)
{
    return plan->scored && level == plan->score_level;
}

/* The row of one aligned slice; final ones go through the operators. */
static void slice_row(struct closing *c, struct series *series, uint32_t level, int64_t index,
    enum row_status status, const void *cell, double captured, bool said)
{
    int64_t width_ns = c->plan->level[level].width_ns;
    struct buffer sketch = {0};
    struct row row = {
        .start_ns = index * width_ns, .end_ns = (index + 1) * width_ns, .status = status};
    row_fill(c, series, cell, captured, &row);
    row.scored = is_scored(c->plan, level) && status == ROW_FINAL;
    if (status == ROW_FINAL) operators_step(c, series, &row);
    said = said || (row.scored && is_notable(c->plan, &row));
    if (said) slice_sketch(c, level, cell, &sketch, &row);
    if (said) say_row(c, &row);
    buffer_release(&sketch);
}

/*
 * A series that comes back after it was idle for long begins anew, whether or not it was evicted in
 * between: when that happens depends on what had arrived, and rows must not. One that is awake was
 * closed all the while and is not forgotten: what it says must be taken back.
 */
static void wake(const struct closing *c, struct series *series)
{
    const struct config *config = c->plan->config;
    int64_t idle = config->limits.series_idle_ns / c->plan->pane_ns;
    bool forgotten =
        series->closed_pane != PANE_NONE && c->pane - series->closed_pane > idle && !series->awake;
    series->closed_pane = c->pane;
    if (forgotten) memset(series->states, 0, states_bytes(config, series->concerned));
}

static void close_pane(struct closing *c, struct series *series)
{
    struct slice *slice = slices_find(&series->level[0], c->pane);
    bool said = slice != NULL && c->plan->level[0].history;
    slice_row(c, series, 0, c->pane, ROW_FINAL, slice == NULL ? c->empty : slice->cell,
        c->captured_level[0], said);
}

/* Merge the slices of the finer level that make up the slice ending now. */
static void merge_slice(struct closing *c, struct series *series, uint32_t level)
{
    const struct plan_level *to = &c->plan->level[level];
    const struct slices *from = &series->level[to->from];
    int64_t index = newest_closed(c->plan, level, c->pane + 1);
    int64_t first = index * to->fan_in;
    void *cell = NULL;
    for (int64_t i = first; i < first + to->fan_in; i++) {
        struct slice *part = slices_find(from, i);
        if (part == NULL) continue;
        if (cell == NULL) cell = slices_at(&series->level[level], index, &c->plan->layout, c->pool);
        cell_merge(&c->plan->layout, cell, part->cell, c->pool);
    }
}

static void close_slice(struct closing *c, struct series *series, uint32_t level)
{
    if (!c->plan->level[level].history) return;
    int64_t index = newest_closed(c->plan, level, c->pane + 1);
    const struct slice *slice = slices_find(&series->level[level], index);
    if (slice == NULL && !is_scored(c->plan, level)) return;
    slice_row(c, series, level, index, ROW_FINAL, slice == NULL ? c->empty : slice->cell,
        c->captured_level[level], slice != NULL);
}

/* Take what cannot be subtracted again from the slices that are left. */
static void sum_refold(const struct closing *c, void *sum, uint32_t which,
    const struct slices *slices, int64_t newest, uint32_t count)
{
    cell_refold_begin(&c->plan->layout, sum, which, c->pool);
    for (int64_t i = newest - count + 1; i <= newest; i++) {
        struct slice *slice = slices_find(slices, i);
        if (slice != NULL) cell_refold(&c->plan->layout, sum, which, slice->cell, c->pool);
    }
}

static bool slices_within(const struct slices *slices, int64_t newest, uint32_t count)
{
    for (uint32_t i = 0; i < slices->count; i++) {
        int64_t index = slices->slice[i].index;
        if (index > newest - (int64_t)count && index <= newest) return true;
    }
    return false;
}

/* Add the newest slice to a window's sum and take the one that left it away. */
static void roll_sum(struct closing *c, struct series *series, uint32_t w)
{
    const struct plan_window *window = &c->plan->window[w];
    const struct slices *slices = &series->level[window->level];
    int64_t newest = newest_closed(c->plan, window->level, c->pane + 1);
    struct slice *in = slices_find(slices, newest);
    struct slice *gone = slices_find(slices, newest - window->slices);
    void **sum = &series->sum[w];
    uint32_t again = 0;
    if (in != NULL) {
        if (*sum == NULL) *sum = cell_new(&c->plan->layout, c->pool);
        cell_merge(&c->plan->layout, *sum, in->cell, c->pool);
    }
    if (gone != NULL) {
        assert(*sum != NULL);
        again = cell_subtract(&c->plan->layout, *sum, gone->cell, c->pool);
    }
    if (*sum == NULL) return;
    if (!slices_within(slices, newest, window->slices)) {
        cell_free(&c->plan->layout, *sum, c->pool);
        *sum = NULL;
    } else if (again != 0) {
        sum_refold(c, *sum, again, slices, newest, window->slices);
    }
}

static void roll_window(struct closing *c, struct series *series, uint32_t w)
{
    roll_sum(c, series, w);
    int64_t end_ns = pane_end_ns(c->plan, c->pane);
    bool holds = series->sum[w] != NULL;
    bool held = (series->rolled >> w & 1) != 0;
    struct row row = {.start_ns = end_ns - c->plan->window[w].width_ns,
        .end_ns = end_ns,
        .rolling = true,
        .status = ROW_FINAL};
    row_fill(c, series, holds ? series->sum[w] : c->empty, c->captured_window[w], &row);
    operators_step(c, series, &row);
    if (holds || held) say_row(c, &row);
    series->rolled = (uint8_t)((series->rolled & ~(1U << w)) | (unsigned)holds << w);
}

static bool ends_slice(const struct closing *c, uint32_t level)
{
    return pane_end_ns(c->plan, c->pane) % c->plan->level[level].width_ns == 0;
}

void windows_merge(struct closing *c, struct series *series)
{
    if (!windows_concern(c->plan, series, c->pane)) return;
    if (slices_find(&series->level[0], c->pane) != NULL) wake(c, series);
    for (uint32_t k = 1; k < c->plan->levels; k++) {
        if (ends_slice(c, k)) merge_slice(c, series, k);
    }
}

bool windows_score(const struct closing *c)
{
    return c->plan->scored && ends_slice(c, c->plan->score_level);
}

void windows_observe(struct closing *c, struct series *series)
{
    uint32_t level = c->plan->score_level;
    int64_t width_ns = c->plan->level[level].width_ns;
    int64_t index = newest_closed(c->plan, level, c->pane + 1);
    const struct slice *slice = slices_find(&series->level[level], index);
    struct row row = {.start_ns = index * width_ns,
        .end_ns = (index + 1) * width_ns,
        .status = ROW_FINAL,
        .scored = true};
    row_fill(c, series, slice == NULL ? c->empty : slice->cell, c->captured_level[level], &row);
    struct states_walk walk = states_begin(c->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (walk.operator_->observe != NULL) walk.operator_->observe(walk.self, walk.state, &row);
    }
}

/* Conditions over several windows, now that all of them are known. */
static void settle(struct closing *c, struct series *series)
{
    struct closing_moment moment = {
        .series = series->name,
        .end_ns = pane_end_ns(c->plan, c->pane),
        .lag_ns = c->lag_ns,
        .silent = slices_find(&series->level[0], c->pane) == NULL,
    };
    struct states_walk walk = states_begin(c->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        struct transition out = {.text = c->records->silent ? NULL : &c->text};
        if (walk.operator_->settle != NULL)
            walk.operator_->settle(walk.self, walk.state, &moment, &out);
        if (out.happened) windows_say_alert(c, series, &out.alert, moment.end_ns);
        if (out.text != NULL) buffer_reset(out.text);
    }
    series->awake = states_awake(c->plan->config, series->concerned, series->states);
}

void windows_say(struct closing *c, struct series *series)
{
    const struct plan *plan = c->plan;
    if (!windows_concern(plan, series, c->pane)) return;
    close_pane(c, series);
    for (uint32_t k = 1; k < plan->levels; k++) {
        if (ends_slice(c, k)) close_slice(c, series, k);
    }
    for (uint32_t w = 0; w < plan->windows; w++) {
        if (ends_slice(c, plan->window[w].level)) roll_window(c, series, w);
    }
    settle(c, series);
    for (uint32_t k = 0; k < plan->levels; k++) {
        int64_t oldest = newest_closed(plan, k, c->pane + 1) - plan->level[k].keep + 1;
        slices_prune(&series->level[k], oldest, &plan->layout, c->pool);
    }
}

/* The slice of a level that holds `pane`. */
static int64_t slice_of(const struct plan *plan, uint32_t level, int64_t pane)
{
    return floor_div(pane * plan->pane_ns, plan->level[level].width_ns);
}

/* Late spans go to the operators that count spans themselves, as a row of nothing but them. */
static void amend(struct closing *c, struct series *series, int64_t pane, const void *cell)
{
    int64_t end_ns = pane_end_ns(c->plan, pane);
    struct row row = {
        .start_ns = end_ns - c->plan->pane_ns, .end_ns = end_ns, .status = ROW_REVISED};
    row_fill(c, series, cell, 1, &row);
    struct states_walk walk = states_begin(c->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (walk.operator_->amend != NULL) walk.operator_->amend(walk.self, walk.state, &row);
    }
}

void windows_add_late(struct closing *c, struct series *series, int64_t pane, const void *cell)
{
    const struct plan *plan = c->plan;
    for (uint32_t k = 0; k < plan->levels; k++) {
        int64_t index = slice_of(plan, k, pane);
        if (k != 0 && index > newest_closed(plan, k, c->pane))
            continue; /* will be merged when it closes */
        void *slice = slices_at(&series->level[k], index, &plan->layout, c->pool);
        cell_merge(&plan->layout, slice, cell, c->pool);
    }
    for (uint32_t w = 0; w < plan->windows; w++) {
        uint32_t level = plan->window[w].level;
        int64_t index = slice_of(plan, level, pane);
        int64_t newest = newest_closed(plan, level, c->pane);
        if (index > newest || index <= newest - (int64_t)plan->window[w].slices) continue;
        if (series->sum[w] == NULL) series->sum[w] = cell_new(&plan->layout, c->pool);
        cell_merge(&plan->layout, series->sum[w], cell, c->pool);
    }
    amend(c, series, pane, cell);
}

static double slice_captured(const struct closing *c, uint32_t level, int64_t index)
{
    int64_t panes = c->plan->level[level].width_ns / c->plan->pane_ns;
    return totals_captured(c->totals, index * panes, (index + 1) * panes - 1);
}

void windows_say_revised(struct closing *c, struct series *series, int64_t pane)
{
    const struct plan *plan = c->plan;
    for (uint32_t k = 0; k < plan->levels; k++) {
        int64_t index = slice_of(plan, k, pane);
        if (!plan->level[k].history || index > newest_closed(plan, k, c->pane)) continue;
        struct slice *slice = slices_find(&series->level[k], index);
        if (slice == NULL) continue;
        slice_row(c, series, k, index, ROW_REVISED, slice->cell, slice_captured(c, k, index), true);
    }
}

bool windows_say_provisional(struct closing *c, struct series *series)
{
    const struct slices *panes = &series->level[0];
    if (panes->count == 0 || panes->slice[panes->count - 1].index < c->pane) return false;
    const struct slice *newest = &panes->slice[panes->count - 1];
    slice_row(c, series, 0, newest->index, ROW_PROVISIONAL, newest->cell,
        slice_captured(c, 0, newest->index), true);
    return true;
}

void windows_sum_again(
    const struct plan *plan, struct series *series, int64_t next_pane, struct pool *pool)
{
    for (uint32_t w = 0; w < plan->windows; w++) {
        const struct slices *slices = &series->level[plan->window[w].level];
        int64_t newest = newest_closed(plan, plan->window[w].level, next_pane);
        for (uint32_t i = 0; i < slices->count; i++) {
            int64_t index = slices->slice[i].index;
            if (index > newest || index <= newest - (int64_t)plan->window[w].slices) continue;
            if (series->sum[w] == NULL) series->sum[w] = cell_new(&plan->layout, pool);
            cell_merge(&plan->layout, series->sum[w], slices->slice[i].cell, pool);
        }
    }
}

void totals_add(struct totals *totals, const struct partial_total *total)
{
    size_t at = totals->count;
    while (at > 0 && totals->total[at - 1].pane > total->pane)
        at--;
    if (at > 0 && totals->total[at - 1].pane == total->pane) {
        struct partial_total *to = &totals->total[at - 1];
        to->messages += total->messages;
        to->malformed += total->malformed;
        to->spans += total->spans;
        to->dropped += total->dropped;
        return;
    }
    if (totals->count == totals->capacity) {
        totals->capacity = totals->capacity == 0 ? 64 : totals->capacity * 2;
        totals->total = memory_resize(totals->total, totals->capacity, sizeof(*totals->total));
    }
    memmove(
        &totals->total[at + 1], &totals->total[at], (totals->count - at) * sizeof(*totals->total));
    totals->total[at] = *total;
    totals->count++;
}

void totals_prune(struct totals *totals, int64_t before_pane)
{
    size_t gone = 0;
    while (gone < totals->count && totals->total[gone].pane < before_pane)
        gone++;
    if (gone == 0) return;
    totals->count -= gone;
    memmove(totals->total, totals->total + gone, totals->count * sizeof(*totals->total));
}

static double understood(uint64_t whole, uint64_t lost)
{
    return whole == 0 ? 1.0 : (double)(whole - (lost < whole ? lost : whole)) / (double)whole;
}

double totals_captured(const struct totals *totals, int64_t from_pane, int64_t to_pane)
{
    struct partial_total sum = {0};
    for (size_t i = totals->count; i > 0 && totals->total[i - 1].pane >= from_pane; i--) {
        const struct partial_total *t = &totals->total[i - 1];
        if (t->pane > to_pane) continue;
        sum.messages += t->messages;
        sum.malformed += t->malformed;
        sum.spans += t->spans;
        sum.dropped += t->dropped;
    }
    return understood(sum.messages, sum.malformed) * understood(sum.spans, sum.dropped);
}
