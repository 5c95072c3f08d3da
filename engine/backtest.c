#include "engine/backtest.h"

#include "engine/backtest_series.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/evidence.h"
#include "engine/watermark.h"

#include <inttypes.h>
#include <stdlib.h>

struct backtest {
    const struct plan *plan;
    struct episodes *episodes;
    struct tellings *tellings;
    struct backtest_table table;
    struct pool pool;
    void *empty;                 /* a cell without spans */
    int64_t begun_ns;            /* start of the first pane that was taken */
    int64_t closing_ns;          /* end of the pane whose rows are coming; 0: none is */
    int64_t closed_ns;           /* end of the newest that is closed */
    int64_t lag_ns;              /* of the newest closing, and so of those in silence after it */
    int64_t kept_ns;             /* how long a series is closed after its last spans */
    int column_of[COLUMN_COUNT]; /* where a row's columns were in the one before */
    uint64_t seen[2];            /* a bit a column: that a row had, or an operator filled */
    struct buffer text;          /* scratch of alerts */
    struct backtest_counts counts;
};

/* Slices of a level are kept for windows over it, and for revisions. */
static int64_t kept_of(const struct plan *plan)
{
    int64_t kept_ns = 0;
    for (uint32_t k = 0; k < plan->levels; k++) {
        int64_t level_ns = (plan->level[k].keep + 1) * plan->level[k].width_ns;
        if (level_ns > kept_ns) kept_ns = level_ns;
    }
    return kept_ns;
}

struct backtest *backtest_new(
    const struct plan *plan, struct episodes *episodes, struct tellings *tellings)
{
    struct backtest *b = memory_zeroed(1, sizeof(*b));
    b->plan = plan;
    b->episodes = episodes;
    b->tellings = tellings;
    b->kept_ns = kept_of(plan);
    b->empty = cell_new(&plan->layout, &b->pool);
    backtest_table_init(&b->table, plan);
    return b;
}

void backtest_free(struct backtest *b)
{
    if (b == NULL) return;
    backtest_table_release(&b->table);
    cell_free(&b->plan->layout, b->empty, &b->pool);
    pool_release(&b->pool);
    buffer_release(&b->text);
    free(b);
}

int64_t backtest_newest(const struct backtest *b)
{
    return b->closing_ns > b->closed_ns ? b->closing_ns : b->closed_ns;
}

void backtest_counts(const struct backtest *b, struct backtest_counts *counts)
{
    *counts = b->counts;
    counts->series = b->table.count;
}

bool backtest_saw(const struct backtest *b, int column)
{
    return (b->seen[column / 64] >> (column % 64) & 1) != 0;
}

/* Rule 1: scorers do not run. */
static bool runs(const struct window_operator *op)
{
    return op->observe == NULL;
}

static void step(struct backtest *b, struct backtest_series *series, struct row *row)
{
    struct states_walk walk = states_begin(b->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (runs(walk.operator_)) walk.operator_->step(walk.self, walk.state, row);
    }
}

static void say(struct backtest *b, struct backtest_series *series, struct alert *alert)
{
    alert->series = series->name;
    if (!alert->together) {
        episodes_turn(b->episodes, EPISODE_TESTED, alert);
        return;
    }
    static const struct row none;
    evidence_give(b->plan, series->evidence == NULL ? &none : series->evidence, alert);
    tellings_add(b->tellings, alert, b->plan->fingerprint);
}

static void settle(struct backtest *b, struct backtest_series *series, int64_t end_ns, bool silent)
{
    struct closing_moment moment = {
        .series = series->name, .end_ns = end_ns, .lag_ns = b->lag_ns, .silent = silent};
    struct states_walk walk = states_begin(b->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        struct transition out = {.text = &b->text};
        if (!runs(walk.operator_) || walk.operator_->settle == NULL) continue;
        walk.operator_->settle(walk.self, walk.state, &moment, &out);
        out.alert.at_ns = end_ns;
        if (out.happened) say(b, series, &out.alert);
        buffer_reset(&b->text);
    }
    series->awake = states_awake(b->plan->config, series->concerned, series->states);
    series->settled_ns = end_ns;
}

/* Rule 2. */
static void close_silent(struct backtest *b, struct backtest_series *series, int64_t end_ns)
{
    struct row row = {.series = series->name,
        .start_ns = end_ns - b->plan->pane_ns,
        .end_ns = end_ns,
        .status = ROW_FINAL};
    cell_report(&b->plan->layout, b->empty, &row);
    step(b, series, &row);
    settle(b, series, end_ns, true);
}

static bool is_closed_on(
    const struct backtest *b, const struct backtest_series *series, int64_t end_ns)
{
    return series->awake || end_ns - series->newest_ns <= b->kept_ns;
}

/* All rows of the pane that ends then have been taken. */
static void close_pane(struct backtest *b, int64_t end_ns)
{
    for (size_t i = 0; i < b->table.count; i++) {
        struct backtest_series *series = b->table.series[i];
        if (series->settled_ns >= end_ns) continue;
        if (series->stepped_ns == end_ns)
            settle(b, series, end_ns, false);
        else if (is_closed_on(b, series, end_ns))
            close_silent(b, series, end_ns);
    }
    b->closed_ns = end_ns;
}

static void close_coming(struct backtest *b)
{
    if (b->closing_ns > b->closed_ns) close_pane(b, b->closing_ns);
}

static bool any_closed_on(const struct backtest *b, int64_t end_ns)
{
    for (size_t i = 0; i < b->table.count; i++) {
        if (is_closed_on(b, b->table.series[i], end_ns)) return true;
    }
    return false;
}

/* The panes between the newest that is closed and the one that ends at `end_ns`: nobody had spans. */
static void close_before(struct backtest *b, int64_t end_ns)
{
    int64_t pane_ns = b->plan->pane_ns;
    close_coming(b);
    if (b->closed_ns == 0) return;
    for (int64_t at_ns = b->closed_ns + pane_ns; at_ns < end_ns; at_ns += pane_ns) {
        if (!any_closed_on(b, at_ns)) return;
        close_pane(b, at_ns);
    }
}

/* The column that the c-th of a row is; -1: the config has none of that name. */
static int column_find(struct backtest *b, uint32_t c, struct bytes name)
{
    const struct columns *columns = &b->plan->columns;
    int guess = b->column_of[c];
    if (bytes_are(name, columns->name[guess])) return guess;
    int found = columns_find(columns, name);
    if (found >= 0) b->column_of[c] = found;
    return found;
}

static void row_of(
    struct backtest *b, const struct output *out, struct bytes series, struct row *row)
{
    *row = out->row;
    row->series = series;
    row->scored = !row->rolling && row->end_ns - row->start_ns == b->plan->config->score_ns;
    for (uint32_t c = 0; c < out->columns; c++) {
        const struct column_value *value = &out->column[c];
        int column = column_find(b, c, value->name);
        if (column < 0 || value->is_integer != (column < COLUMN_INTEGERS)) continue;
        row->value[column] = value->value;
        row->filled[column / 64] |= UINT64_C(1) << (column % 64);
    }
}

static bool is_pane(const struct backtest *b, const struct row *row)
{
    return !row->rolling && row->end_ns - row->start_ns == b->plan->pane_ns;
}

/* As aggregate does: who comes back after so long begins anew. */
static void wake(const struct backtest *b, struct backtest_series *series, int64_t end_ns)
{
    const struct config *config = b->plan->config;
    bool forgotten = series->newest_ns != 0 && !series->awake &&
                     end_ns - series->newest_ns > config->limits.series_idle_ns;
    series->newest_ns = end_ns;
    if (forgotten) memset(series->states, 0, states_bytes(config, series->concerned));
}

/* A pane's first row says how far behind its closing was. */
static void begin_pane(struct backtest *b, const struct row *row)
{
    close_before(b, row->end_ns);
    b->closing_ns = row->end_ns;
    if (b->begun_ns == 0) b->begun_ns = row->start_ns;
    b->lag_ns = b->plan->config->time == TIME_LIVE ? time_behind(row->end_ns, row->sent_ms) : 0;
}

static void take_final(struct backtest *b, const struct output *out)
{
    struct backtest_series *series = backtest_series_of(&b->table, out->row.series);
    struct row row;
    row_of(b, out, series->name, &row);
    if (row.end_ns > b->closing_ns) begin_pane(b, &row);
    if (is_pane(b, &row)) {
        wake(b, series, row.end_ns);
        series->stepped_ns = row.end_ns;
        backtest_series_remember(&b->table, series, &row);
    }
    step(b, series, &row);
    if (row.scored) backtest_series_show(&b->table, series, &row);
    b->seen[0] |= row.filled[0];
    b->seen[1] |= row.filled[1];
}

/* Rule 3. */
static void take_revised(struct backtest *b, const struct output *out)
{
    struct backtest_series *series = backtest_series_of(&b->table, out->row.series);
    struct row row, late;
    row_of(b, out, series->name, &row);
    close_before(b, row.end_ns + b->plan->pane_ns); /* what was late came in a later pane */
    if (!is_pane(b, &row) || row.start_ns < b->begun_ns || b->begun_ns == 0) return;
    if (!backtest_series_difference(&b->table, series, &row, b->closed_ns, &late)) return;
    struct states_walk walk = states_begin(b->plan->config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (runs(walk.operator_) && walk.operator_->amend != NULL)
            walk.operator_->amend(walk.self, walk.state, &late);
    }
}

static enum status refuse_plan(const struct backtest *b, uint64_t plan, struct error *err)
{
    return error_set(err, ST_FATAL, 0,
        "the rows were made under plan %016" PRIx64 ", this config is plan %016" PRIx64
        ": panes, windows or columns differ, see `weir plan --diff`. Only rules, objectives and "
        "scores may be other ones",
        plan, b->plan->fingerprint);
}

enum status backtest_take(struct backtest *b, struct bytes record, struct error *err)
{
    struct output out;
    enum status status = output_decode(record, &out, err);
    if (status != ST_OK) return status;
    if (out.plan != b->plan->fingerprint) return refuse_plan(b, out.plan, err);
    if (out.is_alert) {
        b->counts.alerts++;
        episodes_turn(b->episodes, EPISODE_RAN, &out.alert);
        return ST_OK;
    }
    if (out.row.status == ROW_FINAL) {
        b->counts.rows++;
        take_final(b, &out);
    } else if (out.row.status == ROW_REVISED) {
        b->counts.revised++;
        take_revised(b, &out);
    }
    return ST_OK;
}

void backtest_finish(struct backtest *b, int64_t until_ns)
{
    close_before(b, until_ns + 1);
}
