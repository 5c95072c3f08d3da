#include "operators/rule.h"

#include "engine/base/duration.h"

#include <math.h>
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)

#define RULE(kind, named, field, usual, text)                                          \
    {                                                                                  \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct rule, field), \
        .fallback = (usual), .help = (text)                                            \
    }

#define OLD(kind, named, field, usual)                                                 \
    {                                                                                  \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct rule, field), \
        .fallback = (usual), .help = "", .is_old = true                                \
    }

static const struct option rule_options[] = {
    RULE(TEXT, "name", name, NULL, "name of the alert, unique among the rules"),
    RULE(PAIRS, "match", match, "{}",
        "dimensions and patterns, as in {service: 'check*'}: * and ? stand for any characters"),
    RULE(TEXT, "when", when, "", "the condition, as in p99[5m] > 500ms and spans[5m] >= 100"),
    RULE(DURATION, "for", for_ns, "0s", "event time for which it must hold before the alert fires"),
    RULE(DURATION, "keep_firing_for", keep_ns, "0s",
        "event time for which it must not hold before the alert is resolved"),
    RULE(TEXT, "severity", severity, "warning", "passed on with the alert"),
    RULE(FLAG, "together", together, "false",
        "what fires together in one service or along one call path becomes one alert"),
    RULE(PAIRS, "labels", labels, "{}", "more labels of the alert, as in {team: shop}"),
    RULE(PAIRS, "annotations", annotations, "{}",
        "texts for people, as in {summary: '{{ service }}: p99 is {{ p99[5m] }}'}"),
    OLD(TEXT, "column", old.column, ""),
    OLD(NUMBER, "above", old.above, "nan"),
    OLD(NUMBER, "below", old.below, "nan"),
    OLD(DURATION, "window", old.window_ns, "0s"),
    OLD(TEXT, "service", old.service, "*"),
    OLD(COUNT, "min_spans", old.min_spans, "1"),
    {0},
};

static enum status check_texts(const struct rule *r, struct error *err)
{
    if (r->name[0] == '\0' || strlen(r->name) > RULE_TEXT_MAX)
        return error_set(err, ST_FATAL, 0, "rules: a name has %zu bytes, want 1 to %d",
            strlen(r->name), RULE_TEXT_MAX);
    if (strlen(r->severity) <= RULE_TEXT_MAX) return ST_OK;
    return error_set(err, ST_FATAL, 0, "rules: %s: severity has %zu bytes, want at most %d",
        r->name, strlen(r->severity), RULE_TEXT_MAX);
}

static enum status check_time(const struct rule *r, const char *key, int64_t ns, struct error *err)
{
    if (ns >= 0 && ns <= RULE_FOR_MAX_S * SECOND_NS) return ST_OK;
    return error_set(err, ST_FATAL, 0, "rules: %s: %s is %s, want 0s to 24h", r->name, key,
        duration_print(ns).text);
}

static enum status unknown_dimension(
    const struct rule *r, const char *name, const struct vocabulary *v, struct error *err)
{
    char known[160] = "";
    size_t size = 0;
    for (size_t i = 0; v->dimension != NULL && v->dimension[i] != NULL && size < sizeof(known); i++)
        size += (size_t)snprintf(
            known + size, sizeof(known) - size, "%s%s", i == 0 ? "" : ", ", v->dimension[i]);
    return error_set(err, ST_FATAL, 0, "rules: %s: match: there is no dimension %s; there are %s",
        r->name, cursor_show_bytes(bytes_of(name)).text, size == 0 ? "none" : known);
}

static bool is_dimension(const struct vocabulary *v, const char *name)
{
    for (size_t i = 0; v->dimension != NULL && v->dimension[i] != NULL; i++) {
        if (strcmp(v->dimension[i], name) == 0) return true;
    }
    return false;
}

static enum status check_match(const struct rule *r, const struct vocabulary *v, struct error *err)
{
    for (size_t i = 0; i < r->match.count; i++) {
        if (!is_dimension(v, r->match.key[i])) return unknown_dimension(r, r->match.key[i], v, err);
        size_t size = strlen(r->match.text[i]);
        if (size <= RULE_PATTERN_MAX) continue;
        return error_set(err, ST_FATAL, 0,
            "rules: %s: match: the pattern of %s has %zu bytes, want at most %d", r->name,
            r->match.key[i], size, RULE_PATTERN_MAX);
    }
    return ST_OK;
}

/* ST_FATAL with the rule's name before what is wrong. */
static enum status named(const struct rule *r, const struct error *why, struct error *err)
{
    return error_set(err, ST_FATAL, 0, "rules: %s: %s", r->name, why->text);
}

static enum status read_condition(struct rule *r, const struct vocabulary *v, struct error *err)
{
    struct error why;
    enum status status = ST_OK;
    bool old = r->old.column[0] != '\0';
    if (old) status = rule_old_read(r, err);
    if (status != ST_OK) return status;
    r->condition_text = bytes_of(old ? r->old.condition : r->when);
    terms_init(&r->terms, v);
    status = expression_read(&r->condition, r->condition_text, v, &r->terms, &why);
    return status == ST_OK ? ST_OK : named(r, &why, err);
}

static enum status check_absences(
    struct rule *r, const struct operator_context *context, struct error *err)
{
    r->absent_ns_max = 0;
    for (uint32_t t = 0; t < r->terms.count; t++) {
        const struct term *term = &r->terms.term[t];
        if (term->kind != TERM_ABSENT) continue;
        if (term->window_ns > r->absent_ns_max) r->absent_ns_max = term->window_ns;
    }
    enum status status = check_time(r, "absent", r->absent_ns_max, err);
    if (status != ST_OK) return status;
    if (r->forget_ns == 0 || r->absent_ns_max < r->forget_ns) return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "rules: %s: absent[%s] is never true: a series without spans is forgotten after "
        "limits.series_idle, %s",
        r->name, duration_print(r->absent_ns_max).text,
        duration_print(context->series_idle_ns).text);
}

static void prepare_times(struct rule *r, const struct operator_context *context)
{
    r->pane_ns = context->pane_ns;
    r->lag_ns_max = context->lateness_ns + context->pane_ns + RULE_LAG_MAX_NS;
    r->forget_ns = context->series_idle_ns - context->pane_ns;
    if (context->series_idle_ns == 0)
        r->forget_ns = 0;
    else if (r->forget_ns < context->pane_ns)
        r->forget_ns = context->pane_ns;
}

static enum status rule_prepare(
    void *self, const struct operator_context *context, struct error *err)
{
    struct rule *r = self;
    struct error why;
    const struct vocabulary v = {.columns = context->columns,
        .pane_ns = context->pane_ns,
        .windows_ns = context->windows_ns,
        .slices_ns = context->slices_ns,
        .score_ns = context->score_ns,
        .dimension = context->dimension};
    prepare_times(r, context);
    enum status status = check_texts(r, err);
    if (status == ST_OK) status = check_time(r, "for", r->for_ns, err);
    if (status == ST_OK) status = check_time(r, "keep_firing_for", r->keep_ns, err);
    if (status == ST_OK) status = check_match(r, &v, err);
    if (status == ST_OK) status = read_condition(r, &v, err);
    if (status == ST_OK) status = check_absences(r, context, err);
    if (status == ST_OK) status = operator_claim_alert("rules", r->name, context, err);
    if (status != ST_OK) return status;
    status = alert_wording_read(&r->wording, &r->labels, &r->annotations, &v, &r->terms, &why);
    return status == ST_OK ? ST_OK : named(r, &why, err);
}

extern const struct window_operator window_operator_rules;
const struct window_operator window_operator_rules = {
    .name = "rules",
    .help = "alerts: a condition, and how long it must hold",
    .options = rule_options,
    .self_bytes = sizeof(struct rule),
    .prepare = rule_prepare,
    .concerns = rule_concerns,
    .state_bytes = rule_state_bytes,
    .begin = rule_begin,
    .step = rule_step,
    .amend = rule_amend,
    .settle = rule_settle,
    .awake = rule_awake,
    .leave = rule_leave,
};
