/*
 * slos: objectives, what is left of their error budgets, and alerts when a budget burns too fast.
 *
 *   1. A span is good or bad: without error, or no slower than a threshold. Both are counters that
 *      every pane has, so no span is estimated and none is counted twice.
 *   2. The budget is the share of spans that may be bad, over 28 days, 30 days or a calendar month.
 *      Its burn rate over a window is the share that was bad there, in budgets.
 *   3. Counts are taken from final panes. Late spans are added to the pane that they ended in when
 *      they arrive, see `amend`: then the counts are those of the newest row of every pane.
 *
 * source  Beyer et al., The Site Reliability Workbook, 2018, chapter 5: multiwindow, multi-burn-rate
 */
#include "operators/slo.h"

#include "engine/base/hash.h"
#include "operators/calendar.h"
#include "operators/expression.h"

#include <math.h>

#define SECOND_NS INT64_C(1000000000)

static const char *const budget_names[] = {"28d", "30d", "month", NULL};
static const char *const column_names[] = {"budget", "long", "all", NULL};

#define KEY(named, kind, field, usual, text)                                          \
    {                                                                                 \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct slo, field), \
        .fallback = (usual), .help = (text)                                           \
    }
#define CHOICE(named, field, names, usual, text)                                      \
    {                                                                                 \
        .key = (named), .type = OPTION_CHOICE, .offset = offsetof(struct slo, field), \
        .fallback = (usual), .choices = (names), .help = (text)                       \
    }

static const struct option slo_options[] = {
    KEY("name", TEXT, name, NULL, "starts the names of its columns and alerts; unique"),
    KEY("match", PAIRS, match, NULL,
        "its series: dimension: value, * and ? stand for any characters; \"\" is a dimension that "
        "they lack"),
    KEY("objective", NUMBER, objective, NULL, "share of spans that must be good, as in 99.9%"),
    KEY("latency", DURATION, latency_ns, "0s",
        "good is no slower than this, one of `thresholds`; 0s: good is without error"),
    CHOICE("window", budget, budget_names, "30d", "what the budget is for: 28d | 30d | month"),
    KEY("page_1h", NUMBER, burn[SLO_PAGE_1H], "nan",
        "burn rate over 1h and 5m that pages; nan: 2 % of the budget, 14.4 of 30d; 0: none"),
    KEY("page_6h", NUMBER, burn[SLO_PAGE_6H], "nan",
        "over 6h and 30m; nan: 5 % of the budget, 6 of 30d; 0: none"),
    KEY("ticket_1d", NUMBER, burn[SLO_TICKET_1D], "nan",
        "over 1d and 2h, for a ticket; nan: 10 % of the budget, 3 of 30d; 0: none"),
    KEY("ticket_3d", NUMBER, burn[SLO_TICKET_3D], "nan",
        "over 3d and 6h, for a ticket; nan: 10 % of the budget, 1 of 30d; 0: none"),
    KEY("min_spans", COUNT, min_spans, "3", "no alert for fewer spans in the short window"),
    KEY("min_bad", COUNT, min_bad, "10", "no alert for fewer bad spans in the long window"),
    KEY("for", DURATION, for_ns, "0s", "event time for which it must burn before the alert fires"),
    KEY("keep_firing_for", DURATION, keep_firing_ns, "15m",
        "event time for which it must not burn before the alert is over"),
    KEY("labels", PAIRS, labels, "{}", "more labels of its alerts, as in {team: shop}"),
    KEY("annotations", PAIRS, annotations, "{}",
        "texts for people, as in {summary: '{{ service }} burns {{ value }} times too fast'}"),
    CHOICE("columns", columns, column_names, "long",
        "budget: what is left | long: burn rates of 1h, 6h, 1d, 3d too | all: and of 5m, 30m, 2h"),
    {0},
};

struct burn_moment slo_moment(const struct slo *slo, int64_t end_ns)
{
    struct burn_moment moment = {.ns = end_ns > 0 ? end_ns - 1 : 0};
    int64_t utc_s = moment.ns / SECOND_NS;
    if (slo->budget == BUDGET_MONTH)
        moment.month = calendar_month(utc_s, zone_offset_s(slo->zone, utc_s));
    return moment;
}

double slo_burn(const struct slo *slo, struct tally window)
{
    if (window.all == 0) return NAN;
    return (double)window.bad / (double)window.all / slo->allowed;
}

/* Whose states go on: the same spans counted the same way, whatever is made of the counts. */
static uint64_t slo_meaning(const void *self)
{
    const struct slo *s = self;
    uint64_t hash = hash_stable(bytes_of(s->name));
    for (size_t i = 0; i < s->match.count; i++) {
        hash = hash_mix(hash, hash_stable(bytes_of(s->match.key[i])));
        hash = hash_mix(hash, hash_stable(bytes_of(s->match.text[i])));
    }
    return hash_mix(hash_mix(hash, (uint64_t)s->latency_ns), (uint64_t)s->budget);
}

bool slo_concerns(const void *self, struct bytes series)
{
    const struct slo *s = self;
    for (size_t i = 0; i < s->match.count; i++) {
        struct bytes dimension = bytes_of(s->match.key[i]), pattern = bytes_of(s->match.text[i]);
        if (!expression_matches(series, dimension, pattern)) return false;
    }
    return true;
}

static size_t slo_state_bytes(const void *self)
{
    const struct slo *s = self;
    return sizeof(struct slo_state) + burn_ring_bytes((enum burn_budget)s->budget);
}

static uint64_t count_of(const struct row *row, int column)
{
    return row_has(row, column) ? row->value[column].integer : 0;
}

static struct tally row_tally(const struct slo *s, const struct row *row)
{
    struct tally tally = {.all = count_of(row, COLUMN_SPANS)};
    uint64_t errors = count_of(row, COLUMN_ERRORS);
    if (s->threshold_column >= 0) {
        uint64_t fast = count_of(row, s->threshold_column);
        tally.bad = fast < tally.all ? tally.all - fast : 0;
    } else {
        tally.bad = errors < tally.all ? errors : tally.all;
    }
    return tally;
}

static void slo_show(const struct slo *s, const struct burn_ring *ring, struct row *row)
{
    double spent = slo_burn(s, ring->window[BURN_BUDGET]);
    if (!isnan(spent)) row_set_number(row, s->budget_column, 1 - spent);
    for (int w = 0; w < BURN_BUDGET; w++) {
        double burn = s->burn_column[w] < 0 ? NAN : slo_burn(s, ring->window[w]);
        if (!isnan(burn)) row_set_number(row, s->burn_column[w], burn);
    }
}

/* Panes are counted; they and what is scored show the state as of their end. */
static void slo_step(const void *self, void *state, struct row *row)
{
    const struct slo *s = self;
    struct burn_ring *ring = slo_ring(state);
    if (row->rolling || row->status != ROW_FINAL) return;
    bool is_pane = row->end_ns - row->start_ns == s->pane_ns;
    if (is_pane)
        burn_ring_add(
            ring, (enum burn_budget)s->budget, slo_moment(s, row->end_ns), row_tally(s, row));
    if (is_pane || row->scored) slo_show(s, ring, row);
}

static void slo_amend(const void *self, void *state, const struct row *late)
{
    const struct slo *s = self;
    burn_ring_add(slo_ring(state), (enum burn_budget)s->budget, slo_moment(s, late->end_ns),
        row_tally(s, late));
}

extern const struct window_operator window_operator_slos;
const struct window_operator window_operator_slos = {
    .name = "slos",
    .help = "objectives: what is left of their error budgets, alerts when one burns too fast",
    .options = slo_options,
    .self_bytes = sizeof(struct slo),
    .prepare = slo_prepare,
    .meaning = slo_meaning,
    .concerns = slo_concerns,
    .state_bytes = slo_state_bytes,
    .step = slo_step,
    .amend = slo_amend,
    .settle = slo_settle,
    .awake = slo_awake,
    .leave = slo_leave,
};
