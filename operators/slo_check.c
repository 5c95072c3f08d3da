/* An objective before it is used: what cannot be meant, and what could never fire, is refused. */
#include "engine/base/duration.h"
#include "operators/slo.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define ROUNDING  1e-9 /* 1 - 90% is not quite 10% */

enum {
    HOURS_A_DAY = 24,
    MONTH_DAYS = 30,        /* that burn rates of a calendar month are worked out for */
    HOLD_MAX_S = 24 * 3600, /* of `for` and `keep_firing_for` */
    MIN_BAD_LEAST = 2,      /* no alert for one error */
};

static int budget_days(const struct slo *s)
{
    return s->budget == BUDGET_28D ? 28 : MONTH_DAYS;
}

static enum status check_name(const struct slo *s, struct error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t size = strlen(s->name);
    bool digit = s->name[0] >= '0' && s->name[0] <= '9';
    if (size > 0 && size <= SLO_NAME_MAX && strspn(s->name, allowed) == size && !digit)
        return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "slos: the name \"%.40s\" cannot start a column's name; write 1 to %d of A-Z a-z 0-9 _, a "
        "letter first",
        s->name, SLO_NAME_MAX);
}

static bool is_dimension(const char *const *known, const char *name)
{
    for (; *known != NULL; known++) {
        if (strcmp(*known, name) == 0) return true;
    }
    return false;
}

/* A misspelt dimension would match nothing, in silence. */
static enum status check_match(const struct slo *s, const char *const *known, struct error *err)
{
    char names[200] = "";
    size_t size = 0;
    for (size_t i = 0; known != NULL && known[i] != NULL && size < sizeof(names); i++)
        size += (size_t)snprintf(
            names + size, sizeof(names) - size, "%s%s", i == 0 ? "" : ", ", known[i]);
    for (size_t i = 0; i < s->match.count && known != NULL; i++) {
        if (is_dimension(known, s->match.key[i])) continue;
        return error_set(err, ST_FATAL, 0,
            "slos: %s: match: there is no dimension %s; there are %s", s->name,
            cursor_show_bytes(bytes_of(s->match.key[i])).text, names);
    }
    return ST_OK;
}

static enum status check_objective(struct slo *s, struct error *err)
{
    s->allowed = 1 - s->objective;
    if (s->objective > 0 && s->allowed > 0) return ST_OK;
    if (s->objective > 1 && s->objective < 100) {
        return error_set(err, ST_FATAL, 0, "slos: objective of %s is %g; did you mean %g%%?",
            s->name, s->objective, s->objective);
    }
    return error_set(err, ST_FATAL, 0,
        "slos: objective of %s is %g%%, want more than 0%% and less than 100%%: there must be a "
        "share of spans that may be bad",
        s->name, 100 * s->objective);
}

static enum status check_latency(
    struct slo *s, const struct operator_context *context, struct error *err)
{
    char known[200] = "";
    size_t size = 0;
    s->threshold_column = -1;
    if (s->latency_ns == 0) return ST_OK;
    for (uint32_t i = 0; i < context->thresholds; i++) {
        int64_t ns = (int64_t)context->threshold_ns[i];
        if (ns == s->latency_ns) {
            s->threshold_column = COLUMN_THRESHOLD + (int)i;
            return ST_OK;
        }
        size += (size_t)snprintf(known + size, sizeof(known) - size, "%s%s", i == 0 ? "" : ", ",
            duration_print(ns).text);
    }
    return error_set(err, ST_FATAL, 0,
        "slos: latency of %s is %s, but spans are only counted exactly at `thresholds`: %s. Name "
        "one of them, or add it there",
        s->name, duration_print(s->latency_ns).text, known);
}

/* At the usual rate the pair's share of the budget is gone after its long window. */
static double usual_burn(const struct slo *s, const struct slo_pair_shape *pair)
{
    return pair->budget_share * budget_days(s) * HOURS_A_DAY / pair->long_hours;
}

/* More than all spans cannot be bad, so no budget burns faster than if all of them were. */
static enum status check_burn(struct slo *s, int p, struct error *err)
{
    const struct slo_pair_shape *pair = &slo_pairs[p];
    if (isnan(s->burn[p])) s->burn[p] = usual_burn(s, pair);
    if (!(s->burn[p] >= 0)) {
        return error_set(err, ST_FATAL, 0, "slos: %s of %s is %g, want a burn rate, or 0 for none",
            pair->key, s->name, s->burn[p]);
    }
    double share = s->burn[p] * s->allowed;
    if (share < 1 - ROUNDING) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "slos: %s of %s can never fire: %.4g times a budget of %.4g%% are %.4g%% bad spans. With "
        "an "
        "objective of %.6g%% nothing burns faster than %.4g; set %s below that, or to 0 for none",
        pair->key, s->name, s->burn[p], 100 * s->allowed, 100 * share, 100 * s->objective,
        1 / s->allowed, pair->key);
}

static enum status check_least(const struct slo *s, struct error *err)
{
    if (s->min_spans < 1) {
        return error_set(err, ST_FATAL, 0, "slos: min_spans of %s is 0, want at least 1", s->name);
    }
    if (s->min_bad >= MIN_BAD_LEAST) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "slos: min_bad of %s is %llu, want at least %d: one bad span is no trend. For an alert at "
        "the first error write a rule on `errors`",
        s->name, (unsigned long long)s->min_bad, MIN_BAD_LEAST);
}

static enum status check_hold(
    const struct slo *s, const char *key, int64_t hold_ns, struct error *err)
{
    if (hold_ns >= 0 && hold_ns <= HOLD_MAX_S * SECOND_NS) return ST_OK;
    return error_set(err, ST_FATAL, 0, "slos: %s of %s is %s, want 0s to 24h", key, s->name,
        duration_print(hold_ns).text);
}

static bool is_long(int window)
{
    for (int p = 0; p < SLO_PAIRS; p++) {
        if ((int)slo_pairs[p].long_window == window) return true;
    }
    return false;
}

static enum status claim_columns(struct slo *s, struct columns *columns, struct error *err)
{
    char name[COLUMN_NAME_BYTES];
    snprintf(name, sizeof(name), "%s_budget_left", s->name);
    enum status status = operator_claim("slos", name, columns, &s->budget_column, err);
    for (int w = 0; w < BURN_BUDGET && status == ST_OK; w++) {
        snprintf(s->burn_name[w], COLUMN_NAME_BYTES, "%s_burn_%s", s->name, burn_window_name[w]);
        s->burn_column[w] = -1;
        bool shown =
            s->columns == SLO_COLUMNS_ALL || (s->columns == SLO_COLUMNS_LONG && is_long(w));
        if (shown)
            status = operator_claim("slos", s->burn_name[w], columns, &s->burn_column[w], err);
    }
    return status;
}

enum status slo_prepare(void *self, const struct operator_context *context, struct error *err)
{
    struct slo *s = self;
    s->pane_ns = context->pane_ns;
    s->zone = context->zone;
    enum status status = check_name(s, err);
    if (status == ST_OK) status = check_match(s, context->dimension, err);
    if (status == ST_OK) status = check_objective(s, err);
    if (status == ST_OK) status = check_latency(s, context, err);
    for (int p = 0; p < SLO_PAIRS && status == ST_OK; p++)
        status = check_burn(s, p, err);
    if (status == ST_OK) status = check_least(s, err);
    if (status == ST_OK) status = check_hold(s, "for", s->for_ns, err);
    if (status == ST_OK) status = check_hold(s, "keep_firing_for", s->keep_firing_ns, err);
    if (status != ST_OK) return status;
    snprintf(s->alert_name[SLO_PAGE], SLO_ALERT_NAME_BYTES, "%s_page", s->name);
    snprintf(s->alert_name[SLO_TICKET], SLO_ALERT_NAME_BYTES, "%s_ticket", s->name);
    for (int severity = 0; severity < SLO_SEVERITIES && status == ST_OK; severity++)
        status = operator_claim_alert("slos", s->alert_name[severity], context, err);
    if (status == ST_OK) status = claim_columns(s, context->columns, err);
    if (status == ST_OK) status = slo_wording_read(s, context, err);
    return status;
}
