/* Simulated requests of one series, pane by pane, through an operator: what it says is kept. */
#ifndef TESTS_SUPPORT_TRAFFIC_H
#define TESTS_SUPPORT_TRAFFIC_H

#include "tests/support/operator_bench.h"

#include <assert.h>
#include <stdio.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#define TRAFFIC_HOUR_S INT64_C(3600)
#define TRAFFIC_DAY_S  (24 * TRAFFIC_HOUR_S)
#define TRAFFIC_FROM_S INT64_C(1770000000)

enum { TRAFFIC_SAID_MAX = 512 };

struct traffic {
    struct operator_bench bench;
    gsl_rng *random;
    int64_t now_s; /* all panes before it are closed */
    double per_s;  /* requests */
    double bad;    /* share of them */
    struct alert said[TRAFFIC_SAID_MAX];
    size_t count;
};

/* returns  false, `err` says why: the config is refused */
static inline bool traffic_open(
    struct traffic *t, const char *name, const char *config, uint64_t seed, struct error *err)
{
    *t = (struct traffic){.now_s = TRAFFIC_FROM_S, .random = gsl_rng_alloc(gsl_rng_mt19937)};
    gsl_rng_set(t->random, seed);
    return operator_bench_open(&t->bench, name, config, err) == ST_OK;
}

static inline void traffic_close(struct traffic *t)
{
    operator_bench_close(&t->bench);
    gsl_rng_free(t->random);
}

static inline struct row traffic_row(int64_t end_s, uint64_t spans, uint64_t errors)
{
    struct row row = {.series = bytes_of("service=checkout"),
        .start_ns = end_s * BENCH_SECOND_NS - BENCH_PANE_NS,
        .end_ns = end_s * BENCH_SECOND_NS,
        .status = ROW_FINAL};
    row_set_integer(&row, COLUMN_SPANS, spans);
    row_set_integer(&row, COLUMN_ERRORS, errors);
    return row;
}

static inline void traffic_keep(struct traffic *t, const struct transition *out)
{
    if (!out->happened) return;
    assert(t->count < TRAFFIC_SAID_MAX);
    t->said[t->count++] = out->alert;
}

/* The end of a pane, as the engine closes it. */
static inline void traffic_settle(struct traffic *t)
{
    struct transition out = {0};
    struct closing_moment moment = {
        .series = bytes_of("service=checkout"), .end_ns = t->now_s * BENCH_SECOND_NS};
    t->bench.op->settle(t->bench.self, t->bench.state, &moment, &out);
    traffic_keep(t, &out);
}

/* A pane of so many requests; its row, as the operator has left it. */
static inline struct row traffic_pane(struct traffic *t, uint64_t spans, uint64_t errors)
{
    struct transition out = {0};
    t->now_s += BENCH_PANE_NS / BENCH_SECOND_NS;
    struct row row = traffic_row(t->now_s, spans, errors);
    t->bench.op->step(t->bench.self, t->bench.state, &row);
    traffic_keep(t, &out);
    traffic_settle(t);
    return row;
}

/* A pane in which nothing happened, of a series that is still awake: no row is made of it. */
static inline void traffic_silence(struct traffic *t)
{
    t->now_s += BENCH_PANE_NS / BENCH_SECOND_NS;
    traffic_settle(t);
}

/* So much event time of `per_s` requests, of which a share is bad. */
static inline void traffic_run(struct traffic *t, int64_t seconds)
{
    for (int64_t end_s = t->now_s + seconds; t->now_s < end_s;) {
        double mean = t->per_s * (double)BENCH_PANE_NS / (double)BENCH_SECOND_NS;
        unsigned spans = gsl_ran_poisson(t->random, mean);
        unsigned errors = spans == 0 ? 0 : gsl_ran_binomial(t->random, t->bad, spans);
        traffic_pane(t, spans, errors);
    }
}

/* The burn rate that an alert says it is over: of its condition's first half. */
static inline double traffic_rate(const struct alert *alert)
{
    char text[200];
    snprintf(text, sizeof(text), "%.*s", (int)alert->condition.size,
        (const char *)alert->condition.data);
    const char *over = strstr(text, " > ");
    return over == NULL ? -1 : strtod(over + 3, NULL);
}

/* Whether its condition begins with this column. */
static inline bool traffic_column(const struct alert *alert, const char *column)
{
    size_t size = strlen(column);
    return alert->condition.size > size && memcmp(alert->condition.data, column, size) == 0 &&
           alert->condition.data[size] == ' ';
}

/* How often an alert of a severity was said to be in a state. */
static inline size_t traffic_said(
    const struct traffic *t, const char *severity, enum alert_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < t->count; i++)
        count += bytes_are(t->said[i].severity, severity) && t->said[i].state == state;
    return count;
}

/* When one was said first, in seconds; -1: never. */
static inline int64_t traffic_first(
    const struct traffic *t, const char *severity, enum alert_state state)
{
    for (size_t i = 0; i < t->count; i++) {
        if (bytes_are(t->said[i].severity, severity) && t->said[i].state == state)
            return t->said[i].at_ns / BENCH_SECOND_NS;
    }
    return -1;
}

#endif
