/*
 * rules: one threshold on one column, and how long it must be crossed before it is an alert.
 *
 * A series is inactive, pending while the condition has not held for long enough, or firing; all in
 * event time, so that a re-run raises the same alerts. A row that lacks the column does not meet the
 * condition.
 */
#include "engine/base/duration.h"
#include "operators/glob.h"
#include "operators/operator.h"
#include "schemas/series_name.h"

#include <math.h>
#include <stdio.h>

enum {
    RULE_TEXT_MAX = 128,        /* bytes of a name or severity */
    RULE_PATTERN_MAX = 256,     /* bytes of a pattern */
    RULE_FOR_MAX_S = 24 * 3600, /* a condition pends for no longer */
};

#define SECOND_NS INT64_C(1000000000)

struct rule {
    const char *name;
    const char *column;
    double above, below; /* one of them is NaN */
    int64_t for_ns;
    int64_t window_ns; /* 0 in config: the pane */
    const char *service;
    uint64_t min_spans;
    const char *severity;

    int64_t pane_ns;
    int reads; /* column */
};

struct rule_state {
    int64_t since_ns; /* start of the first row that met the condition */
    int64_t held_ns;  /* event time from which it is known to hold: see rule_meet */
    uint64_t state;   /* enum alert_state: inactive, pending, firing */
};

static const struct option rule_options[] = {
    OPTION(TEXT, rule, name, NULL, "name of the alert, unique among the rules"),
    OPTION(TEXT, rule, column, NULL, "column to watch"),
    OPTION(NUMBER, rule, above, "nan", "met when the column is above this; or give `below`"),
    OPTION(NUMBER, rule, below, "nan", "met when the column is below this; or give `above`"),
    {.key = "for",
        .type = OPTION_DURATION,
        .offset = offsetof(struct rule, for_ns),
        .fallback = "0s",
        .help = "event time for which it must be met before the alert fires"},
    {.key = "window",
        .type = OPTION_DURATION,
        .offset = offsetof(struct rule, window_ns),
        .fallback = "0s",
        .help = "rolling window whose rows are watched; 0s: the panes"},
    OPTION(TEXT, rule, service, "*", "services watched: a name, * and ? stand for any characters"),
    OPTION(COUNT, rule, min_spans, "1", "a row of fewer spans does not meet the condition"),
    OPTION(TEXT, rule, severity, "warning", "passed on with the alert"),
    {0},
};

static enum status rule_check_texts(const struct rule *r, struct error *err)
{
    if (r->name[0] == '\0' || strlen(r->name) > RULE_TEXT_MAX) {
        return error_set(err, ST_FATAL, 0, "rules: a name has %zu bytes, want 1 to %d",
            strlen(r->name), RULE_TEXT_MAX);
    }
    if (strlen(r->severity) > RULE_TEXT_MAX) {
        return error_set(err, ST_FATAL, 0, "rules: severity of %s has %zu bytes, want at most %d",
            r->name, strlen(r->severity), RULE_TEXT_MAX);
    }
    if (r->service[0] == '\0' || strlen(r->service) > RULE_PATTERN_MAX) {
        return error_set(err, ST_FATAL, 0,
            "rules: service of %s has %zu bytes, want 1 to %d; \"*\" is every service", r->name,
            strlen(r->service), RULE_PATTERN_MAX);
    }
    return ST_OK;
}

static enum status rule_check_numbers(const struct rule *r, struct error *err)
{
    if (isnan(r->above) == isnan(r->below)) {
        return error_set(err, ST_FATAL, 0, "rules: %s has %s, want exactly one of above and below",
            r->name, isnan(r->above) ? "no threshold" : "two thresholds");
    }
    if (r->for_ns < 0 || r->for_ns > RULE_FOR_MAX_S * SECOND_NS) {
        return error_set(err, ST_FATAL, 0, "rules: for of %s is %s, want 0s to 24h", r->name,
            duration_print(r->for_ns).text);
    }
    return ST_OK;
}

static enum status rule_check_window(struct rule *r, const int64_t *windows, struct error *err)
{
    if (r->window_ns == 0) r->window_ns = r->pane_ns;
    if (r->window_ns == r->pane_ns) return ST_OK;

    char known[128] = "";
    size_t size = 0;
    for (; *windows != 0; windows++) {
        if (*windows == r->window_ns) return ST_OK;
        if (size < sizeof(known) - 1)
            size += (size_t)snprintf(
                known + size, sizeof(known) - size, ", %s", duration_print(*windows).text);
    }
    return error_set(err, ST_FATAL, 0,
        "rules: window of %s is %s, want that of the panes or of a rolling window: %s%s", r->name,
        duration_print(r->window_ns).text, duration_print(r->pane_ns).text, known);
}

static enum status rule_check_column(
    struct rule *r, const struct columns *columns, struct error *err)
{
    enum status status = operator_column("rules", r->column, columns, &r->reads, err);
    if (status != ST_OK) return status;
    if (r->reads < COLUMN_SCORE || r->window_ns == r->pane_ns) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "rules: %s watches %s over a rolling window, but only panes are scored. Remove its window.",
        r->name, r->column);
}

static enum status rule_prepare(
    void *self, const struct operator_context *context, struct error *err)
{
    struct rule *r = self;
    r->pane_ns = context->pane_ns;
    enum status status = rule_check_texts(r, err);
    if (status == ST_OK) status = rule_check_numbers(r, err);
    if (status == ST_OK) status = rule_check_window(r, context->windows_ns, err);
    if (status == ST_OK) status = rule_check_column(r, context->columns, err);
    return status;
}

static size_t rule_state_bytes(const void *self)
{
    (void)self;
    return sizeof(struct rule_state);
}

static double rule_threshold(const struct rule *r)
{
    return isnan(r->above) ? r->below : r->above;
}

static bool rule_is_met(const struct rule *r, const struct row *row)
{
    if (!row_has(row, r->reads)) return false;
    uint64_t spans = row_has(row, COLUMN_SPANS) ? row->value[COLUMN_SPANS].integer : 0;
    if (spans < r->min_spans) return false;
    double value = row_number(row, r->reads);
    return value > r->above || value < r->below; /* a comparison with NaN is false */
}

static void rule_turn(
    const struct rule *r, struct rule_state *s, const struct row *row, struct transition *out)
{
    *out = (struct transition){
        .happened = true,
        .alert =
            {
                .rule = bytes_of(r->name),
                .state = (enum alert_state)s->state,
                .severity = bytes_of(r->severity),
                .column = bytes_of(r->column),
                .value = row_has(row, r->reads) ? row_number(row, r->reads) : NAN,
                .threshold = rule_threshold(r),
                .since_ns = s->since_ns,
                .at_ns = row->end_ns,
            },
    };
}

/*
 * A rolling row reaches far back, and that its whole window is over the threshold does not say that
 * every part of it was. So a condition is held to hold from the row's newest pane on.
 */
static void rule_meet(
    const struct rule *r, struct rule_state *s, const struct row *row, struct transition *out)
{
    if (s->state == ALERT_FIRING) return;
    if (s->state == ALERT_INACTIVE) {
        s->state = ALERT_PENDING;
        s->since_ns = row->start_ns;
        s->held_ns = row->end_ns - r->pane_ns;
    }
    if (row->end_ns - s->held_ns < r->for_ns) return;
    s->state = ALERT_FIRING;
    rule_turn(r, s, row, out);
}

static void rule_miss(
    const struct rule *r, struct rule_state *s, const struct row *row, struct transition *out)
{
    if (s->state == ALERT_FIRING) {
        s->state = ALERT_RESOLVED;
        rule_turn(r, s, row, out);
    }
    *s = (struct rule_state){.state = ALERT_INACTIVE};
}

static void rule_step(const void *self, void *state, struct row *row, struct transition *out)
{
    const struct rule *r = self;
    if (row->end_ns - row->start_ns != r->window_ns) return;
    if (row->rolling != (r->window_ns != r->pane_ns)) return;
    if (!glob_matches(bytes_of(r->service), series_name_service(row->series))) return;

    if (rule_is_met(r, row))
        rule_meet(r, state, row, out);
    else
        rule_miss(r, state, row, out);
}

/* An alert of a rule that is no more would fire for ever. */
static void rule_leave(const void *self, void *state, struct transition *out)
{
    static const struct row none;
    rule_miss(self, state, &none, out);
}

extern const struct window_operator window_operator_rules;
const struct window_operator window_operator_rules = {
    .name = "rules",
    .help = "alerts: a threshold on a column, and how long it must be crossed",
    .options = rule_options,
    .self_bytes = sizeof(struct rule),
    .prepare = rule_prepare,
    .state_bytes = rule_state_bytes,
    .step = rule_step,
    .leave = rule_leave,
};
