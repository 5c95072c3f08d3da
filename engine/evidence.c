#include "engine/evidence.h"

#include "schemas/standout.h"

#include <math.h>
#include <stdio.h>

/* A lack of spans follows from what is wrong elsewhere more often than it is what is wrong. */
#define LACK_WEIGHT .5

/* The columns of one scorer, by the name of what it scores. */
static double score_of(
    const struct plan *plan, const struct row *row, struct bytes of, const char *suffix)
{
    char name[COLUMN_NAME_BYTES];
    snprintf(name, sizeof(name), "%.*s%s", (int)of.size, (const char *)of.data, suffix);
    int column = columns_find(&plan->columns, bytes_of(name));
    return column >= 0 && row_has(row, column) ? row_number(row, column) : NAN;
}

static double value_of(const struct plan *plan, const struct row *row, struct bytes of)
{
    int column =
        bytes_are(of, "latency") ? COLUMN_LATENCY_MEAN_MS : columns_find(&plan->columns, of);
    return column >= 0 && row_has(row, column) ? row_number(row, column) : NAN;
}

/* On a logarithmic scale, so that what is measured in errors and what in time can be compared. */
static double shift_of(struct bytes of, double value, double expected)
{
    if (bytes_are(of, "errors")) return log((value + 1) / (expected + 1));
    if (bytes_are(of, "spans")) return LACK_WEIGHT * fabs(log((value + 1) / (expected + 1)));
    return value > 0 && expected > 0 ? fabs(log(value / expected)) : NAN;
}

/* Of the scores out of the ordinary the farthest is named; their shifts add up. */
static void give_score(const struct plan *plan, const struct row *row, struct bytes of,
    double level, double *highest, struct standout *signal)
{
    double value = value_of(plan, row, of), z = score_of(plan, row, of, "_z");
    double expected = score_of(plan, row, of, "_expected");
    double shift = shift_of(of, value, expected);
    if (level >= SCORE_NOTICE && isfinite(shift))
        signal->shift = (isfinite(signal->shift) ? signal->shift : 0) + shift;
    double height = isfinite(z) ? level * 1000 + fmin(fabs(z), 999) : NAN;
    if (!isfinite(height) || height <= *highest) return;
    *highest = height;
    signal->name = of;
    signal->z = z;
    signal->p = score_of(plan, row, of, "_p");
    signal->value = value;
    signal->expected = expected;
}

static void give_signal(const struct plan *plan, const struct row *row, struct standout *signal)
{
    double highest = -1;
    *signal = standout_none();
    if (row_has(row, COLUMN_LATENCY_MEAN_MS))
        signal->mean_ms = row_number(row, COLUMN_LATENCY_MEAN_MS);
    for (uint32_t i = 0; i < plan->score_columns; i++) {
        int column = plan->score_column[i];
        struct bytes of = bytes_of(plan->columns.name[column]);
        of.size -= strlen("_level");
        if (row_has(row, column))
            give_score(plan, row, of, row_number(row, column), &highest, signal);
    }
}

static void give_traces(const struct row *row, struct alert *alert)
{
    memcpy(alert->exemplar, row->exemplar, sizeof(alert->exemplar));
    alert->exemplars = row->exemplars;
}

static void give_errors(const struct row *row, struct alert *alert)
{
    memcpy(alert->error_kind, row->error_kind, sizeof(alert->error_kind));
    alert->error_kinds = row->error_kinds;
    alert->errors_else = row->errors_else;
}

void evidence_give(const struct plan *plan, const struct row *row, struct alert *alert)
{
    give_signal(plan, row, &alert->signal);
    give_traces(row, alert);
    give_errors(row, alert);
}

void evidence_renew(const struct row *since, struct alert *alert)
{
    if (since->exemplars != 0) give_traces(since, alert);
    if (since->error_kinds != 0) give_errors(since, alert);
}
