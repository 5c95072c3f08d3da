/*
 * zscore: how far a pane's value is from the series' own recent past, in standard deviations.
 *
 * The past is the last `history` panes that had a value. A pane is scored before it joins them, so
 * that it is not compared with itself.
 *
 * A series that hardly moves would score high on every ripple, so a deviation below a share of the
 * mean is not believed. Where no deviation is left at all, there is no score.
 *
 * With `robust: true` the median stands for the mean, and 1.4826 times the median of the distances to
 * it, which for normal values is their deviation, for the deviation.
 *
 * When they mislead. Both take values for independent, normal and the same all day. On counts of few
 * spans, percentiles, error ratios, anything skewed or heavy-tailed, a z over 3 is no rare thing: it
 * comes 5 to 30 times a day on series in which nothing is wrong, and by the hour of the day alone where
 * there is one. The plain one also hides: an outlier inflates the deviation until it has left the past,
 * so that the next one is not seen, and a fault that lasts is normal after some panes. The robust one
 * sees the second outlier; but where more than half of the past is one value (errors of a series that
 * has few) its deviation is 0 and only the floor is left, and a series that does two things, one more
 * often than the other, is called anomalous whenever it does the other. For alerts there is `anomaly`.
 */
#include "operators/operator.h"

#include <math.h>
#include <stdio.h>

#include <gsl/gsl_statistics_double.h>

enum {
    HISTORY_MIN = 2, /* a deviation takes two values */
    HISTORY_MAX = 1440,
    WARMUP_MAX = 1000000,
};

struct zscore {
    const char *column;
    uint64_t history;
    uint64_t warmup;
    double deviation_floor;
    bool robust;

    int64_t pane_ns;
    int reads, writes; /* columns */
};

struct zscore_state {
    uint64_t seen;  /* panes with a value */
    double value[]; /* [history], a ring: the next goes to seen % history */
};

static const struct option zscore_options[] = {
    OPTION(TEXT, zscore, column, NULL, "column to score; the score is called <column>_z"),
    OPTION(COUNT, zscore, history, "60", "panes the baseline remembers, 2 to 1440"),
    OPTION(COUNT, zscore, warmup, "30", "panes to see before the first score"),
    OPTION(NUMBER, zscore, deviation_floor, "1%",
        "share of the mean below which a deviation is not believed"),
    OPTION(FLAG, zscore, robust, "false", "median and median distance, for mean and deviation"),
    {0},
};

static enum status zscore_check(const struct zscore *z, struct error *err)
{
    if (z->history < HISTORY_MIN || z->history > HISTORY_MAX) {
        return error_set(err, ST_FATAL, 0, "zscore: history is %llu panes, want %d to %d",
            (unsigned long long)z->history, HISTORY_MIN, HISTORY_MAX);
    }
    if (z->warmup > WARMUP_MAX) {
        return error_set(err, ST_FATAL, 0, "zscore: warmup is %llu panes, want at most %d",
            (unsigned long long)z->warmup, WARMUP_MAX);
    }
    if (!(z->deviation_floor >= 0 && isfinite(z->deviation_floor))) {
        return error_set(err, ST_FATAL, 0,
            "zscore: deviation_floor is %g, want a share of the mean, such as 1%%",
            z->deviation_floor);
    }
    return ST_OK;
}

static enum status zscore_claim(struct zscore *z, struct columns *columns, struct error *err)
{
    char name[2 * COLUMN_NAME_BYTES];
    snprintf(name, sizeof(name), "%s_z", columns->name[z->reads]);
    return operator_claim("zscore", name, columns, &z->writes, err);
}

static enum status zscore_prepare(
    void *self, const struct operator_context *context, struct error *err)
{
    struct zscore *z = self;
    z->pane_ns = context->pane_ns;
    enum status status = zscore_check(z, err);
    if (status == ST_OK)
        status = operator_column("zscore", z->column, context->columns, &z->reads, err);
    if (status == ST_OK) status = zscore_claim(z, context->columns, err);
    return status;
}

static size_t zscore_state_bytes(const void *self)
{
    const struct zscore *z = self;
    return sizeof(struct zscore_state) + (size_t)z->history * sizeof(double);
}

/* What values are usually near to, and how near. */
struct usual {
    double middle, deviation;
};

static struct usual usual_plain(const double *value, size_t known)
{
    double mean = gsl_stats_mean(value, 1, known);
    return (struct usual){mean, gsl_stats_sd_m(value, 1, known, mean)};
}

/* Finding a median reorders, and the past has an order. */
static struct usual usual_robust(const double *value, size_t known)
{
    double sorted[HISTORY_MAX], work[HISTORY_MAX];
    memcpy(sorted, value, known * sizeof(*value));
    double median = gsl_stats_median(sorted, 1, known);
    return (struct usual){median, gsl_stats_mad(value, 1, known, work)};
}

static void zscore_score(
    const struct zscore *z, const struct zscore_state *s, double value, struct row *row)
{
    size_t known = (size_t)(s->seen < z->history ? s->seen : z->history);
    if (s->seen < z->warmup || known < HISTORY_MIN) return;

    struct usual usual = z->robust ? usual_robust(s->value, known) : usual_plain(s->value, known);
    double deviation = fmax(usual.deviation, z->deviation_floor * fabs(usual.middle));
    double score = (value - usual.middle) / deviation;
    if (deviation > 0 && isfinite(score)) row_set_number(row, z->writes, score);
}

static void zscore_step(const void *self, void *state, struct row *row)
{
    const struct zscore *z = self;
    struct zscore_state *s = state;
    if (row->rolling || row->end_ns - row->start_ns != z->pane_ns) return;
    if (!row_has(row, z->reads)) return;
    double value = row_number(row, z->reads);
    if (!isfinite(value)) return;

    zscore_score(z, s, value, row);
    s->value[s->seen % z->history] = value;
    s->seen++;
}

extern const struct window_operator window_operator_zscore;
const struct window_operator window_operator_zscore = {
    .name = "zscore",
    .help = "distance of a pane's value from the series' recent past, in standard deviations",
    .options = zscore_options,
    .self_bytes = sizeof(struct zscore),
    .prepare = zscore_prepare,
    .state_bytes = zscore_state_bytes,
    .step = zscore_step,
};
