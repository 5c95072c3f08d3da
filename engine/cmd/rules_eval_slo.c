/* weir rules eval, of objectives: what is left of a budget, and why its alerts fire or do not. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/instant.h"
#include "engine/cmd/past_burn.h"
#include "engine/cmd/rules_eval.h"
#include "engine/cmd/sheet.h"

#include <math.h>
#include <stdio.h>

/* What is known of a window as of the moment. */
struct burning {
    double rate;  /* NaN: without spans, or not known */
    bool counted; /* `spans` are those of the window; else there are so many at least */
    struct tally spans;
};

struct objective {
    const struct evaluation *e;
    const struct slo *slo;
    int64_t at_ms;       /* end of a pane */
    int64_t replayed_ms; /* until when history was replayed: a bit before where slices are wide */
    struct past_burn burn;
    struct burning window[BURN_BUDGET];
};

/* The newest row up to the moment that has a column. returns  its value; NaN: there is none */
static double newest_before(const struct objective *o, int column, int64_t *end_ms)
{
    const struct newest *newest = &o->e->past.newest;
    double value = NAN;
    *end_ms = 0;
    for (size_t i = 0; i < newest->count && column >= 0; i++) {
        double found = newest_member(newest->row[i].row, o->e->plan.columns.name[column]);
        bool newer = newest->row[i].end_ms > *end_ms && newest->row[i].end_ms <= o->at_ms;
        if (isnan(found) || !newer) continue;
        value = found;
        *end_ms = newest->row[i].end_ms;
    }
    return value;
}

/* The width of a window that rolling rows have too; 0: none has it. */
static int64_t rolling_ns(const struct objective *o, int w)
{
    const struct plan *plan = &o->e->plan;
    int64_t ns = 0;
    bool good = duration_parse(burn_window_name[w], &ns);
    for (uint32_t i = 0; good && i < plan->windows; i++) {
        if (plan->window[i].width_ns == ns) return ns;
    }
    return 0;
}

/* What rolling rows count under the threshold; the newest ones alone have it. */
static bool count_slow(const struct objective *o, int w, struct tally *spans)
{
    int fast = o->slo->threshold_column;
    int64_t window_ns = rolling_ns(o, w);
    if (fast < 0 || window_ns == 0) return false;
    struct terms terms = {.count = 2};
    double value[TERMS_MAX];
    for (int i = 0; i < 2; i++)
        terms.term[i] = (struct term){.kind = TERM_COLUMN,
            .column = i == 0 ? COLUMN_SPANS : fast,
            .window_ns = window_ns,
            .rolling = true};
    past_values(&o->e->past, &terms, o->at_ms, value);
    if (isnan(value[0]) || isnan(value[1]) || value[0] < value[1]) return false;
    *spans = (struct tally){.all = (uint64_t)value[0], .bad = (uint64_t)(value[0] - value[1])};
    return true;
}

/* As aggregate said it, where its newest row is of just that moment. */
static double said_rate(const struct objective *o, int w)
{
    int64_t end_ms;
    double rate = newest_before(o, o->slo->burn_column[w], &end_ms);
    return end_ms == o->at_ms ? rate : NAN;
}

static struct burning window_read(const struct objective *o, int w)
{
    struct burning b = {0};
    b.counted = past_burn_window(&o->burn, (enum burn_window)w, &b.spans);
    if (!b.counted) b.counted = count_slow(o, w, &b.spans);
    b.rate = b.counted ? slo_burn(o->slo, b.spans) : said_rate(o, w);
    return b;
}

static enum truth truth_of(bool holds)
{
    return holds ? TRUTH_YES : TRUTH_NO;
}

static enum truth both(enum truth a, enum truth b)
{
    return a < b ? a : b;
}

static enum truth is_faster(const struct objective *o, int pair, const struct burning *b)
{
    if (b->counted) return truth_of(slo_is_faster(o->slo, pair, b->spans));
    return isnan(b->rate) ? TRUTH_UNKNOWN : truth_of(b->rate > o->slo->burn[pair]);
}

/* Whether there are so many, where `count` is all of them or a part. */
static enum truth has(const struct burning *b, uint64_t count, uint64_t least)
{
    if (count >= least) return TRUTH_YES;
    return b->counted ? TRUTH_NO : TRUTH_UNKNOWN;
}

/* What a pair asks for: that its windows burn, and on enough spans. */
struct asked {
    enum truth burns, enough_long, enough_short, all;
};

static struct asked pair_ask(const struct objective *o, int pair)
{
    const struct slo_pair_shape *shape = &slo_pairs[pair];
    const struct burning *wide = &o->window[shape->long_window];
    const struct burning *narrow = &o->window[shape->short_window];
    struct asked a = {.burns = both(is_faster(o, pair, wide), is_faster(o, pair, narrow))};
    a.enough_long = has(wide, wide->spans.bad, o->slo->min_bad);
    a.enough_short = both(has(narrow, narrow->spans.all, o->slo->min_spans),
        has(narrow, narrow->spans.bad, SLO_SHORT_BAD_LEAST));
    a.all = both(a.burns, both(a.enough_long, a.enough_short));
    return a;
}

static void print_rate(const struct objective *o, int w)
{
    const struct burning *b = &o->window[w];
    struct buffer shown = {0};
    if (isnan(b->rate) && !b->counted)
        buffer_print(&shown, "not known of the past");
    else
        value_show(b->rate, UNIT_NUMBER, &shown);
    printf(", burn[%s] is %.*s", burn_window_name[w], (int)shown.size, (const char *)shown.data);
    buffer_release(&shown);
}

static void print_count(const char *what, int w, uint64_t count, bool counted)
{
    printf(", %s[%s] is ", what, burn_window_name[w]);
    if (counted)
        printf("%llu", (unsigned long long)count);
    else if (count != 0)
        printf("%llu or more", (unsigned long long)count);
    else
        printf("not known of the past");
}

static void print_enough(const struct objective *o, int pair, const struct asked *a)
{
    int wide = (int)slo_pairs[pair].long_window, narrow = (int)slo_pairs[pair].short_window;
    const struct burning *in_long = &o->window[wide], *in_short = &o->window[narrow];
    printf("    %-8sbad[%s] >= %llu", truth_name[a->enough_long], burn_window_name[wide],
        (unsigned long long)o->slo->min_bad);
    print_count("bad", wide, in_long->spans.bad, in_long->counted);
    printf("\n    %-8sspans[%s] >= %llu and bad[%s] >= %d", truth_name[a->enough_short],
        burn_window_name[narrow], (unsigned long long)o->slo->min_spans, burn_window_name[narrow],
        SLO_SHORT_BAD_LEAST);
    print_count("spans", narrow, in_short->spans.all, in_short->counted);
    print_count("bad", narrow, in_short->spans.bad, in_short->counted);
    printf("\n");
}

static void print_pair(const struct objective *o, int pair)
{
    const struct slo_pair_shape *shape = &slo_pairs[pair];
    struct asked a = pair_ask(o, pair);
    double limit = o->slo->burn[pair];
    printf("  %-8s%s\n    %-8sburn[%s] > %.4g and burn[%s] > %.4g", truth_name[a.all], shape->key,
        truth_name[a.burns], burn_window_name[shape->long_window], limit,
        burn_window_name[shape->short_window], limit);
    print_rate(o, (int)shape->long_window);
    print_rate(o, (int)shape->short_window);
    printf("\n");
    print_enough(o, pair, &a);
}

static bool has_pair(const struct slo *s, int severity, int pair)
{
    return (int)slo_pairs[pair].severity == severity && s->burn[pair] != 0;
}

/* What history tells for certain. */
static void print_known(const struct objective *o, const struct slo_alert *alert, enum truth burns)
{
    int64_t at_ns = o->replayed_ms * NS_PER_MS;
    if (alert->state == ALERT_INACTIVE)
        printf("does not fire\n");
    else if (alert->state == ALERT_PENDING)
        printf("pends: it has burned for %s of the %s that `for` asks\n",
            duration_print(at_ns - alert->since_ns).text, duration_print(o->slo->for_ns).text);
    else if (burns == TRUTH_YES)
        printf("fires\n");
    else if (alert->met_ns >= at_ns)
        printf("fires on: none of a pair's windows burns clearly slower yet\n");
    else
        printf("fires on: it burned until %s, and `keep_firing_for` is %s\n",
            instant_print(alert->met_ns).text, duration_print(o->slo->keep_firing_ns).text);
}

/* Where history does not reach back far enough: by the windows that are known, and what was said. */
static void print_likely(const struct objective *o, const char *alert, enum truth burns)
{
    const struct read_item *said = evaluation_said(o->e, alert);
    bool firing = said != NULL && bytes_are(said->field, alert_state_name[ALERT_FIRING]);
    if (burns == TRUTH_YES && (firing || o->slo->for_ns == 0))
        printf("fires\n");
    else if (firing)
        printf("fires on: it was said to, and nothing that is known tells that it is over\n");
    else if (burns == TRUTH_NO)
        printf("does not fire\n");
    else
        printf("unknown: too little is kept of the past to tell\n");
}

static void print_alert(const struct objective *o, int severity)
{
    const struct slo *s = o->slo;
    const struct slo_alert *least = &o->burn.least->alert[severity];
    enum truth burns = TRUTH_NO;
    int pairs = 0;
    for (int p = 0; p < SLO_PAIRS; p++) {
        if (!has_pair(s, severity, p)) continue;
        enum truth all = pair_ask(o, p).all;
        if (all > burns) burns = all;
        pairs++;
    }
    printf("\n%s: ", s->alert_name[severity]);
    if (pairs == 0)
        printf("does not fire: none of its pairs has a rate\n");
    else if (least->state == o->burn.most->alert[severity].state)
        print_known(o, least, burns);
    else
        print_likely(o, s->alert_name[severity], burns);
    for (int p = 0; p < SLO_PAIRS; p++) {
        if (has_pair(s, severity, p)) print_pair(o, p);
    }
    evaluation_print_said(o->e, s->alert_name[severity]);
}

static void print_budget(const struct objective *o)
{
    struct buffer shown = {0};
    int64_t end_ms;
    double left = newest_before(o, o->slo->budget_column, &end_ms);
    if (isnan(left)) {
        printf("what is left of its error budget is not known of the past\n");
        return;
    }
    value_show(left, UNIT_SHARE, &shown);
    printf("%.*s of its error budget is left", (int)shown.size, (const char *)shown.data);
    if (end_ms != o->at_ms) printf(", as of %s", instant_print(end_ms * NS_PER_MS).text);
    printf("\n");
    buffer_release(&shown);
}

static bool is_asked(const struct evaluation *e, const char *name)
{
    return e->options->rule[0] == '\0' || strcmp(e->options->rule, name) == 0;
}

static bool is_alert_asked(const struct evaluation *e, const struct slo *s, int severity)
{
    return is_asked(e, s->name) || is_asked(e, s->alert_name[severity]);
}

/* One that is for other series is only told of if it was asked for by name. */
static const struct slo *slo_at(const struct evaluation *e, size_t i)
{
    const struct operator_instance *o = &e->config.operators[i];
    if (strcmp(o->operator_->name, "slos") != 0) return NULL;
    const struct slo *s = o->self;
    bool asked = is_alert_asked(e, s, SLO_PAGE) || is_alert_asked(e, s, SLO_TICKET);
    bool named = e->options->rule[0] != '\0';
    return asked && (named || slo_concerns(s, e->past.series)) ? s : NULL;
}

static void print_objective(struct objective *o, const struct past_counts *counts)
{
    const struct evaluation *e = o->e;
    const struct slo *s = o->slo;
    const struct past_counts nothing = {.from_ms = o->at_ms, .to_ms = o->at_ms};
    bool of_errors = s->threshold_column < 0; /* history counts no slow spans */
    printf("\n%s: ", s->name);
    if (!slo_concerns(s, e->past.series)) {
        printf("is not for this series\n");
        evaluation_print_match(e, &s->match);
        return;
    }
    if (!of_errors) counts = &nothing;
    o->replayed_ms = counts->to_ms;
    past_burn_replay(&o->burn, s, e->past.series, counts);
    for (int w = 0; w < BURN_BUDGET; w++)
        o->window[w] = window_read(o, w);
    print_budget(o);
    evaluation_print_match(e, &s->match);
    if (o->replayed_ms != o->at_ms)
        printf("  history of then is kept in wide slices: this is as of %s\n",
            instant_print(o->replayed_ms * NS_PER_MS).text);
    for (int severity = 0; severity < SLO_SEVERITIES; severity++) {
        if (is_alert_asked(e, s, severity)) print_alert(o, severity);
    }
    past_burn_release(&o->burn);
}

static bool any_is_asked(const struct evaluation *e)
{
    for (size_t i = 0; i < e->config.operator_count; i++) {
        if (slo_at(e, i) != NULL) return true;
    }
    return false;
}

enum status rules_eval_slos(const struct evaluation *e, size_t *told, struct error *err)
{
    struct past_counts counts = {0};
    int64_t at_ms = e->at_ms - e->at_ms % (e->plan.pane_ns / NS_PER_MS);
    if (!any_is_asked(e)) return ST_OK;
    enum status status =
        past_counts_read(&counts, e->read, &e->past, at_ms - PAST_BURN_MS, at_ms, err);
    for (size_t i = 0; i < e->config.operator_count && status == ST_OK; i++) {
        struct objective o = {.e = e, .slo = slo_at(e, i), .at_ms = at_ms};
        if (o.slo == NULL) continue;
        print_objective(&o, &counts);
        (*told)++;
    }
    past_counts_release(&counts);
    return status;
}
