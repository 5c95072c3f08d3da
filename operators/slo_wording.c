/* What an objective's alerts say of themselves: the objective's own columns are what they may name. */
#include "operators/slo.h"

#include <math.h>
#include <stdio.h>

/* Where the objective's columns stand among those that may be named, shown in rows or not. */
enum { OWN_BUDGET = COLUMN_SCORE, OWN_BURN = COLUMN_SCORE + 1 };

static void own_columns(const struct slo *s, struct columns *columns)
{
    *columns = (struct columns){0};
    snprintf(columns->name[OWN_BUDGET], COLUMN_NAME_BYTES, "%s_budget_left", s->name);
    for (int w = 0; w < BURN_BUDGET; w++)
        memcpy(columns->name[OWN_BURN + w], s->burn_name[w], COLUMN_NAME_BYTES);
}

static enum status read_condition(
    struct slo *s, int p, const struct vocabulary *v, struct error *err)
{
    const struct slo_pair_shape *pair = &slo_pairs[p];
    char text[sizeof(s->condition_text[p])];
    snprintf(text, sizeof(text), "%s > %.4g and %s > %.4g", s->burn_name[pair->long_window],
        s->burn[p], s->burn_name[pair->short_window], s->burn[p]);
    memcpy(s->condition_text[p], text, sizeof(text));
    return expression_read(&s->condition[p], bytes_of(s->condition_text[p]), v, &s->terms, err);
}

enum status slo_wording_read(
    struct slo *s, const struct operator_context *context, struct error *err)
{
    struct columns columns;
    struct error why;
    const struct vocabulary v = {
        .columns = &columns, .pane_ns = context->pane_ns, .dimension = context->dimension};
    own_columns(s, &columns);
    terms_init(&s->terms, &v);
    enum status status = ST_OK;
    for (int p = 0; p < SLO_PAIRS && status == ST_OK; p++)
        status = read_condition(s, p, &v, &why);
    if (status == ST_OK)
        status = alert_wording_read(&s->wording, &s->labels, &s->annotations, &v, &s->terms, &why);
    if (status == ST_OK) return ST_OK;
    return error_set(err, ST_FATAL, 0, "slos: %s: %s", s->name, why.text);
}

static double own_value(const struct slo *s, const struct burn_ring *ring, int column)
{
    if (column == OWN_BUDGET) return 1 - slo_burn(s, ring->window[BURN_BUDGET]);
    bool burn = column >= OWN_BURN && column < OWN_BURN + BURN_BUDGET;
    return burn ? slo_burn(s, ring->window[column - OWN_BURN]) : NAN;
}

void slo_wording_fill(const struct slo *s, int severity, const struct slo_alert *alert,
    const struct burn_ring *ring, struct bytes series, struct transition *out)
{
    double value[TERMS_MAX];
    for (uint32_t t = 0; t < s->terms.count; t++) {
        const struct term *term = &s->terms.term[t];
        value[t] = term->kind == TERM_COLUMN ? own_value(s, ring, term->column) : NAN;
    }
    const struct wording_facts facts = {.name = bytes_of(s->alert_name[severity]),
        .series = series,
        .since_ns = alert->since_ns,
        .terms = &s->terms,
        .value = value,
        .condition = &s->condition[alert->pair]};
    alert_wording_fill(&s->wording, &facts, out->alert.severity, out);
}
