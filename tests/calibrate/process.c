#include "tests/calibrate/process.h"

#include "tests/calibrate/fleet.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>

void row_value(struct row *row, int column, double value)
{
    row_set_number(row, column, value);
}

void row_spans(struct row *row, uint64_t spans, uint64_t errors)
{
    row_set_integer(row, COLUMN_SPANS, spans);
    row_set_integer(row, COLUMN_ERRORS, errors);
    row_set_number(row, COLUMN_RATE_PER_S, (double)spans / 60);
    if (spans > 0) row_set_number(row, COLUMN_ERROR_RATIO, (double)errors / (double)spans);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void row_latencies(struct row *row, struct sketch *sketch, struct pool *pool, gsl_rng *rng,
    uint64_t spans, double median_ms, double sigma)
{
    double ms[4096];
    if (spans == 0) return;
    if (spans > 4096) spans = 4096;
    uint64_t sum_ns = 0;
    for (uint64_t i = 0; i < spans; i++) {
        ms[i] = median_ms * exp(gsl_ran_gaussian_ziggurat(rng, sigma));
        uint64_t ns = (uint64_t)(ms[i] * 1e6);
        sum_ns += ns;
        sketch_add(sketch, sketch_index(SKETCH_SCALE, ns), 1, pool);
    }
    qsort(ms, spans, sizeof(ms[0]), by_value);
    row_set_integer(row, COLUMN_LATENCY_SUM_NS, sum_ns);
    row_set_number(row, COLUMN_LATENCY_MEAN_MS, (double)sum_ns / 1e6 / (double)spans);
    row_set_number(row, COLUMN_QUANTILE, ms[(uint64_t)ceil(0.99 * (double)spans) - 1]);
}

uint64_t overdispersed(gsl_rng *rng, double mean, double phi)
{
    if (phi > 0) mean *= gsl_ran_gamma(rng, 1 / phi, phi);
    return gsl_ran_poisson(rng, mean);
}

static double hour_wave(uint32_t window)
{
    return sin(2 * M_PI * window / A_DAY);
}

#define DRAW(name)                                                                      \
    static void name(gsl_rng *rng, struct past *past, uint32_t window, struct row *row, \
        struct sketch *sketch, struct pool *pool)
#define UNUSED (void)past, (void)window, (void)sketch, (void)pool

/* Columns of which nothing is known. */

DRAW(gauss)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, 100 + gsl_ran_gaussian_ziggurat(rng, 10));
}

static double wander(gsl_rng *rng, struct past *past, double keep)
{
    past->level = keep * past->level + gsl_ran_gaussian_ziggurat(rng, sqrt(1 - keep * keep));
    return past->level;
}

DRAW(wandering)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, 100 + 10 * wander(rng, past, 0.95));
}

DRAW(diurnal)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S,
        100 * exp(0.5 * hour_wave(window) + gsl_ran_gaussian_ziggurat(rng, 0.3)));
}

DRAW(student)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, 100 + 10 * gsl_ran_tdist(rng, 3));
}

DRAW(pareto)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, 10 * gsl_ran_pareto(rng, 2, 1));
}

DRAW(spiky)
{
    UNUSED;
    double spike = window % 60 == 7 ? 100 : 0;
    row_value(row, COLUMN_RATE_PER_S, 100 + spike + gsl_ran_gaussian_ziggurat(rng, 10));
}

/* 0 or 1, and stays for two hours on average. */
static double regime(gsl_rng *rng, struct past *past)
{
    if (gsl_rng_uniform(rng) < 1.0 / 120) past->level = 1 - past->level;
    return past->level;
}

DRAW(switching)
{
    UNUSED;
    row_value(
        row, COLUMN_RATE_PER_S, 100 + 60 * regime(rng, past) + gsl_ran_gaussian_ziggurat(rng, 10));
}

/* Counts. */

DRAW(few_spans)
{
    UNUSED;
    row_spans(row, gsl_ran_poisson(rng, 2), 0);
}

DRAW(diurnal_spans)
{
    UNUSED;
    row_spans(row, overdispersed(rng, 60 * exp(0.7 * hour_wave(window)), 0.02), 0);
}

DRAW(wandering_spans)
{
    UNUSED;
    row_spans(row, gsl_ran_poisson(rng, 100 * exp(0.15 * wander(rng, past, 0.95))), 0);
}

DRAW(spiky_spans)
{
    UNUSED;
    row_spans(row, gsl_ran_poisson(rng, window % 60 == 7 ? 200 : 13), 0);
}

DRAW(switching_spans)
{
    UNUSED;
    row_spans(row, gsl_ran_poisson(rng, 30 + 60 * regime(rng, past)), 0);
}

DRAW(rare_errors)
{
    UNUSED;
    row_spans(row, 40, gsl_ran_binomial(rng, 0.01, 40));
}

DRAW(rarest_errors)
{
    UNUSED;
    row_spans(row, 100, gsl_ran_binomial(rng, 1e-5, 100));
}

DRAW(overdispersed_errors)
{
    UNUSED;
    double p = 0.02 * gsl_ran_gamma(rng, 1 / 0.3, 0.3);
    row_spans(row, 100, gsl_ran_binomial(rng, fmin(p, 1), 100));
}

DRAW(many_errors)
{
    UNUSED;
    row_spans(row, 100, gsl_ran_binomial(rng, gsl_ran_beta(rng, 30, 70), 100));
}

DRAW(spiky_errors)
{
    UNUSED;
    row_spans(row, 100, gsl_ran_binomial(rng, window % 60 == 7 ? 0.2 : 0.01, 100));
}

DRAW(switching_errors)
{
    UNUSED;
    row_spans(row, 100, gsl_ran_binomial(rng, 0.01 + 0.05 * regime(rng, past), 100));
}

/* Latencies, of 30 spans a window on average. */

static void latencies(gsl_rng *rng, double median_ms, double sigma, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    uint64_t spans = gsl_ran_poisson(rng, 30);
    row_spans(row, spans, 0);
    row_latencies(row, sketch, pool, rng, spans, median_ms, sigma);
}

DRAW(steady_latency)
{
    UNUSED;
    latencies(rng, 40, 0.8, row, sketch, pool);
}

DRAW(wandering_latency)
{
    UNUSED;
    latencies(rng, 40 * exp(0.1 * wander(rng, past, 0.95)), 0.8, row, sketch, pool);
}

DRAW(diurnal_latency)
{
    UNUSED;
    latencies(rng, 40 * exp(0.3 * hour_wave(window)), 0.8, row, sketch, pool);
}

DRAW(spiky_latency)
{
    UNUSED;
    latencies(rng, window % 60 == 7 ? 200 : 40, 0.8, row, sketch, pool);
}

DRAW(switching_latency)
{
    UNUSED;
    latencies(rng, 40 * (1 + 0.5 * regime(rng, past)), 0.8, row, sketch, pool);
}

const struct process processes[] = {
    {"normal", "rate_per_s", gauss},
    {"AR(1) 0.95", "rate_per_s", wandering},
    {"diurnal lognormal", "rate_per_s", diurnal},
    {"Student t3", "rate_per_s", student},
    {"Pareto 2", "rate_per_s", pareto},
    {"cron spike each 60", "rate_per_s", spiky},
    {"regime switching", "rate_per_s", switching},
    {"Poisson 2", "rate_per_s", few_spans},
    {"p99 of Poisson(30) samples", "latency_p99_ms", steady_latency},
    {"error rate, n = 40, p = 1 %", "error_ratio", rare_errors},
    {"overdispersed errors", "error_ratio", overdispersed_errors},
    {"Poisson 2", "spans", few_spans},
    {"diurnal, overdispersed", "spans", diurnal_spans},
    {"AR(1) 0.95, 15 %", "spans", wandering_spans},
    {"cron spike each 60", "spans", spiky_spans},
    {"regime switching", "spans", switching_spans},
    {"n = 40, p = 1 %", "errors", rare_errors},
    {"n = 100, p = 0.001 %", "errors", rarest_errors},
    {"overdispersed, phi = 0.3", "errors", overdispersed_errors},
    {"30 %, overdispersed", "errors", many_errors},
    {"cron spike each 60", "errors", spiky_errors},
    {"regime switching", "errors", switching_errors},
    {"Poisson(30) lognormal", "latency", steady_latency},
    {"AR(1) 0.95, 10 %", "latency", wandering_latency},
    {"diurnal, 30 %", "latency", diurnal_latency},
    {"cron spike each 60", "latency", spiky_latency},
    {"regime switching", "latency", switching_latency},
    {NULL, NULL, NULL},
};
