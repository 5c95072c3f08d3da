/* The state machine of a rule on one series. */
#include "operators/rule.h"

#include <math.h>

bool rule_concerns(const void *self, struct bytes series)
{
    const struct rule *r = self;
    double unknown[TERMS_MAX];
    for (size_t i = 0; i < r->match.count; i++) {
        struct bytes dimension = bytes_of(r->match.key[i]), pattern = bytes_of(r->match.text[i]);
        if (!expression_matches(series, dimension, pattern)) return false;
    }
    for (uint32_t t = 0; t < TERMS_MAX; t++)
        unknown[t] = NAN;
    return expression_evaluate(&r->condition, unknown, series, NULL) != TRUTH_NO;
}

size_t rule_state_bytes(const void *self)
{
    const struct rule *r = self;
    return sizeof(struct rule_state) + r->terms.count * sizeof(struct rule_value);
}

void rule_step(const void *self, void *state, struct row *row)
{
    const struct rule *r = self;
    struct rule_state *s = state;
    for (uint32_t t = 0; t < r->terms.count; t++) {
        if (!term_reads(&r->terms, &r->terms.term[t], row)) continue;
        double value = term_value(&r->terms, &r->terms.term[t], row);
        s->term[t] = (struct rule_value){0};
        if (isnan(value)) continue;
        s->term[t].value = value;
        s->term[t].until_ns = row->end_ns + (row->end_ns - row->start_ns);
    }
}

/* How long the series has been without spans as a pane ends; 0: it never had any. */
static int64_t silent_ns(const struct rule_state *s, int64_t end_ns)
{
    return s->seen_ns == 0 ? 0 : end_ns - s->seen_ns;
}

static bool lags(const struct rule *r, const struct closing_moment *moment)
{
    return moment->lag_ns > r->lag_ns_max;
}

static double absence(const struct rule *r, const struct rule_state *s, const struct term *term,
    const struct closing_moment *moment)
{
    if (s->seen_ns == 0 || silent_ns(s, moment->end_ns) < term->window_ns) return 0;
    return lags(r, moment) && s->state != ALERT_FIRING ? NAN : 1;
}

static void values_of(const struct rule *r, const struct rule_state *s,
    const struct closing_moment *moment, double value[TERMS_MAX])
{
    for (uint32_t t = 0; t < r->terms.count; t++) {
        const struct term *term = &r->terms.term[t];
        if (term->kind == TERM_ABSENT)
            value[t] = absence(r, s, term, moment);
        else
            value[t] = s->term[t].until_ns > moment->end_ns ? s->term[t].value : NAN;
    }
}

static void turn(const struct rule *r, const struct rule_state *s,
    const struct closing_moment *moment, const double *value, struct transition *out)
{
    int first = expression_first(&r->condition);
    const struct wording_facts facts = {.name = bytes_of(r->name),
        .series = moment->series,
        .since_ns = s->since_ns,
        .terms = &r->terms,
        .value = value,
        .condition = &r->condition};
    out->happened = true;
    out->alert = (struct alert){
        .rule = bytes_of(r->name),
        .state = (enum alert_state)s->state,
        .severity = bytes_of(r->severity),
        .condition = r->condition_text,
        .value = first < 0 ? NAN : value[first],
        .since_ns = s->since_ns,
        .at_ns = moment->end_ns,
        .together = r->together,
    };
    alert_wording_fill(&r->wording, &facts, bytes_of(r->severity), out);
}

static void meet(const struct rule *r, struct rule_state *s, const struct closing_moment *moment,
    const double *value, struct transition *out)
{
    s->met_ns = moment->end_ns;
    if (s->state == ALERT_FIRING) return;
    if (s->state == ALERT_INACTIVE) {
        s->state = ALERT_PENDING;
        s->since_ns = moment->end_ns - r->pane_ns;
    }
    if (moment->end_ns - s->since_ns < r->for_ns) return;
    s->state = ALERT_FIRING;
    turn(r, s, moment, value, out);
}

static void rest(struct rule_state *s)
{
    s->state = ALERT_INACTIVE;
    s->since_ns = s->met_ns = 0;
}

static void resolve(const struct rule *r, struct rule_state *s, const struct closing_moment *moment,
    const double *value, struct transition *out)
{
    if (s->state == ALERT_FIRING) {
        s->state = ALERT_RESOLVED;
        turn(r, s, moment, value, out);
    }
    rest(s);
}

static void miss(const struct rule *r, struct rule_state *s, const struct closing_moment *moment,
    const double *value, struct transition *out)
{
    if (s->state == ALERT_FIRING && moment->end_ns - s->met_ns < r->keep_ns) return;
    resolve(r, s, moment, value, out);
}

/* Whether it must be looked at again, though the series says nothing. */
static bool stays_awake(
    const struct rule *r, const struct rule_state *s, const struct closing_moment *moment)
{
    int64_t silent = silent_ns(s, moment->end_ns);
    if (r->forget_ns != 0 && silent >= r->forget_ns) return false;
    if (s->state != ALERT_INACTIVE) return true;
    if (r->absent_ns_max == 0 || s->seen_ns == 0) return false;
    return silent < r->absent_ns_max || lags(r, moment);
}

void rule_settle(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out)
{
    const struct rule *r = self;
    struct rule_state *s = state;
    double value[TERMS_MAX];
    if (!moment->silent) s->seen_ns = moment->end_ns;
    values_of(r, s, moment, value);
    if (r->forget_ns != 0 && silent_ns(s, moment->end_ns) >= r->forget_ns)
        resolve(r, s, moment, value, out);
    else if (expression_evaluate(&r->condition, value, moment->series, NULL) == TRUTH_YES)
        meet(r, s, moment, value, out);
    else
        miss(r, s, moment, value, out);
    s->awake = stays_awake(r, s, moment);
}

/* A series that is silent already is missed from the start. */
void rule_begin(const void *self, void *state, int64_t seen_ns)
{
    const struct rule *r = self;
    struct rule_state *s = state;
    s->seen_ns = seen_ns;
    s->awake = r->absent_ns_max != 0;
}

/* A service whose spans come late is not silent. */
void rule_amend(const void *self, void *state, const struct row *late)
{
    const struct rule *r = self;
    struct rule_state *s = state;
    if (r->absent_ns_max == 0 || late->end_ns <= s->seen_ns) return;
    s->seen_ns = late->end_ns;
    s->awake = true;
}

bool rule_awake(const void *self, const void *state)
{
    const struct rule_state *s = state;
    (void)self;
    return s->awake != 0;
}

/* An alert of a rule that is no more would fire for ever. */
void rule_leave(
    const void *self, void *state, const struct closing_moment *moment, struct transition *out)
{
    const struct rule *r = self;
    struct rule_state *s = state;
    double value[TERMS_MAX];
    values_of(r, s, moment, value);
    resolve(r, s, moment, value, out);
}
