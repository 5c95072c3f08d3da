/* How soon faults are found, and what crying there is beside: `anomaly` and a plain rolling z. */
#include "tests/calibrate/calibrate.h"
#include "tests/calibrate/fleet.h"
#include "tests/calibrate/plain.h"
#include "tests/calibrate/process.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>

#define CRIES_MAX 0.01 /* false pages a series-day */

enum {
    FAULT_WINDOWS = 20,
    FAULT_EVERY = 3 * A_DAY, /* windows, of one series */
    LEARNED = A_DAY,         /* windows before the first fault */
    QUIET_AFTER = 120,       /* windows after a fault that count for nothing */
    DELAY_NEVER = FAULT_WINDOWS,
};

struct scenario {
    const char *name;
    const char *of, *plain; /* the entry; the column of the plain z */
    void (*draw)(gsl_rng *rng, bool faulty, uint32_t window, struct row *row, struct sketch *sketch,
        struct pool *pool);
    uint32_t within; /* windows in which it is to be found */
    double full_min; /* share found at page, at full size: a target; 0: shown for comparison */
    double test_min; /* the same of the sample that tests run: what was reached is not lost again */
};

/* A detector's alerts on all series. */
struct detector {
    struct episodes *false_alerts;     /* [series] */
    uint32_t *delay;                   /* [series] of the fault that is on: windows; DELAY_NEVER */
    uint64_t found[FAULT_WINDOWS + 1]; /* faults, by delay */
};

enum { PAGE, NOTICE, PLAIN, DETECTORS };

struct power {
    const struct scenario *scenario;
    gsl_rng *rng;
    struct plain plain;
    bool *plain_cries; /* [series] */
    struct detector detector[DETECTORS];
    uint64_t faults, quiet_windows;
    uint32_t series;
};

/* Faults of the series follow one another evenly, so that few are on at a time. */
static uint32_t fault_phase(const struct power *p, uint32_t series, uint32_t window)
{
    uint32_t shift = (uint32_t)((uint64_t)series * FAULT_EVERY / p->series);
    return (window + FAULT_EVERY - shift) % FAULT_EVERY;
}

static bool is_learned(uint32_t window)
{
    return window >= LEARNED;
}

static void draw(void *context, uint32_t series, uint32_t window, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    struct power *p = context;
    bool faulty = is_learned(window) && fault_phase(p, series, window) < FAULT_WINDOWS;
    p->scenario->draw(p->rng, faulty, window, row, sketch, pool);
    p->plain_cries[series] = fabs(plain_z(&p->plain, series, row)) > PLAIN_Z;
}

static void detect(struct power *p, int which, uint32_t series, uint32_t window, bool cries)
{
    struct detector *d = &p->detector[which];
    uint32_t phase = fault_phase(p, series, window);
    if (phase < FAULT_WINDOWS) {
        if (phase == 0) d->delay[series] = DELAY_NEVER;
        if (cries && d->delay[series] == DELAY_NEVER) d->delay[series] = phase;
        if (phase == FAULT_WINDOWS - 1) d->found[d->delay[series]]++;
    } else if (phase >= QUIET_AFTER && cries) {
        episodes_add(&d->false_alerts[series], window);
    }
}

static void listen(void *context, int entry, uint32_t series, uint32_t window, struct said said)
{
    (void)entry;
    struct power *p = context;
    if (!is_learned(window) || window < LEARNED + FAULT_EVERY) return;
    uint32_t phase = fault_phase(p, series, window);
    p->faults += phase == FAULT_WINDOWS - 1;
    p->quiet_windows += phase >= QUIET_AFTER;
    detect(p, PAGE, series, window, said.level >= SCORE_PAGE);
    detect(p, NOTICE, series, window, said.level >= SCORE_NOTICE);
    detect(p, PLAIN, series, window, p->plain_cries[series]);
}

static double found_within(const struct power *p, int which, uint32_t windows)
{
    uint64_t found = 0;
    for (uint32_t delay = 0; delay < windows; delay++)
        found += p->detector[which].found[delay];
    return (double)found / (double)p->faults;
}

static double false_per_day(const struct power *p, int which)
{
    uint64_t all = 0;
    for (uint32_t series = 0; series < p->series; series++)
        all += p->detector[which].false_alerts[series].count;
    return (double)all * A_DAY / (double)p->quiet_windows;
}

/* Latencies of 30 spans, and of fewer and more. */

static void latency(gsl_rng *rng, double spans, double median_ms, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    uint64_t count = gsl_ran_poisson(rng, spans);
    row_spans(row, count, 0);
    row_latencies(row, sketch, pool, rng, count, median_ms, 0.8);
}

#define DRAW(name)                                                                \
    static void name(gsl_rng *rng, bool faulty, uint32_t window, struct row *row, \
        struct sketch *sketch, struct pool *pool)
#define UNUSED (void)window, (void)sketch, (void)pool

DRAW(latency_doubled)
{
    UNUSED;
    latency(rng, 30, faulty ? 80 : 40, row, sketch, pool);
}

DRAW(latency_half_more)
{
    UNUSED;
    latency(rng, 300, faulty ? 60 : 40, row, sketch, pool);
}

DRAW(latency_trebled)
{
    UNUSED;
    latency(rng, 3, faulty ? 120 : 40, row, sketch, pool);
}

DRAW(errors_tenfold)
{
    UNUSED;
    row_spans(row, 100, gsl_ran_binomial(rng, faulty ? 0.05 : 0.005, 100));
}

DRAW(errors_fivefold)
{
    UNUSED;
    row_spans(row, 1000, gsl_ran_binomial(rng, faulty ? 0.05 : 0.01, 1000));
}

DRAW(silence)
{
    UNUSED;
    row_spans(row, faulty ? 0 : gsl_ran_poisson(rng, 30), 0);
}

DRAW(silence_of_few)
{
    UNUSED;
    row_spans(row, faulty ? 0 : overdispersed(rng, 10, 0.05), 0);
}

DRAW(silence_by_day)
{
    UNUSED;
    double mean = 60 * exp(0.7 * sin(2 * M_PI * window / A_DAY));
    row_spans(row, faulty ? 0 : overdispersed(rng, mean, 0.05), 0);
}

/* Columns of which nothing is known, for `anomaly` without a model. */

DRAW(six_sigma)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, (faulty ? 160 : 100) + gsl_ran_gaussian_ziggurat(rng, 10));
}

DRAW(three_sigma)
{
    UNUSED;
    row_value(row, COLUMN_RATE_PER_S, (faulty ? 130 : 100) + gsl_ran_gaussian_ziggurat(rng, 10));
}

DRAW(trebled_by_day)
{
    UNUSED;
    double usual = 100 * exp(0.5 * sin(2 * M_PI * window / A_DAY));
    row_value(row, COLUMN_RATE_PER_S,
        (faulty ? 3 : 1) * usual * exp(gsl_ran_gaussian_ziggurat(rng, 0.3)));
}

static const struct scenario scenarios[] = {
    {"latency doubled, 30 spans", "latency", "latency_p99_ms", latency_doubled, 6, 0.95, 0.95},
    {"latency + 50 %, 300 spans", "latency", "latency_p99_ms", latency_half_more, 6, 0, 0},
    {"latency trebled, 3 spans", "latency", "latency_p99_ms", latency_trebled, 20, 0, 0},
    {"errors 0.5 % to 5 %, 100 spans", "errors", "error_ratio", errors_tenfold, 3, 0.95, 0.7},
    {"errors 1 % to 5 %, 1000 spans", "errors", "error_ratio", errors_fivefold, 3, 0, 0},
    {"silence after 30 spans", "spans", "rate_per_s", silence, 3, 0.95, 0.95},
    {"silence after 10, phi = 0.05", "spans", "rate_per_s", silence_of_few, 3, 0, 0},
    {"silence, diurnal, phi = 0.05", "spans", "rate_per_s", silence_by_day, 3, 0, 0},
    {"+ 6 deviations", "rate_per_s", "rate_per_s", six_sigma, 3, 0, 0},
    {"+ 3 deviations", "rate_per_s", "rate_per_s", three_sigma, 20, 0, 0},
    {"diurnal lognormal x 3", "rate_per_s", "rate_per_s", trebled_by_day, 20, 0, 0},
};

static void run(
    struct report *report, const struct scenario *scenario, uint32_t series, uint32_t days)
{
    char config[64];
    const char *const configs[] = {config, NULL};
    struct fleet fleet;
    struct power p = {
        .scenario = scenario, .rng = gsl_rng_alloc(gsl_rng_mt19937), .series = series};
    gsl_rng_set(p.rng, report->seed);
    p.plain_cries = calloc(series, sizeof(bool));
    for (int i = 0; i < DETECTORS; i++) {
        p.detector[i].false_alerts = calloc(series, sizeof(struct episodes));
        p.detector[i].delay = calloc(series, sizeof(uint32_t));
    }
    plain_open(&p.plain, scenario->plain, series);
    snprintf(config, sizeof(config), "{of: %s}", scenario->of);
    fleet_open(&fleet, configs, series);
    fleet_run(&fleet, LEARNED + FAULT_EVERY + days * A_DAY, draw, listen, &p);

    double found = found_within(&p, PAGE, scenario->within), cries = false_per_day(&p, PAGE);
    double least = report->full ? scenario->full_min : scenario->test_min;
    fprintf(report->out,
        "| %s | %u | %.1f %%%s | %.4f%s | %.1f %% | %.3f | %.1f %% | %.1f | %llu |\n",
        scenario->name, scenario->within, 100 * found, verdict(report, found >= least), cries,
        verdict(report, least == 0 || cries <= CRIES_MAX),
        100 * found_within(&p, NOTICE, scenario->within), false_per_day(&p, NOTICE),
        100 * found_within(&p, PLAIN, scenario->within), false_per_day(&p, PLAIN),
        (unsigned long long)p.faults);
    fleet_close(&fleet);
    plain_close(&p.plain);
    gsl_rng_free(p.rng);
    free(p.plain_cries);
    for (int i = 0; i < DETECTORS; i++) {
        free(p.detector[i].false_alerts);
        free(p.detector[i].delay);
    }
}

/*
 * The best that can be done for the errors above by anyone who knows both shares: whether three windows
 * together hold at least so many (Neyman and Pearson). A threshold that cries less than CRIES_MAX finds
 * fewer faults than the target; one failure less, and it cries more.
 */
static void print_best(struct report *report)
{
    const unsigned spans = 300;
    unsigned least = 1;
    while (gsl_cdf_binomial_Q(least - 1, 0.005, spans) * A_DAY > CRIES_MAX)
        least++;
    fprintf(report->out,
        "\nNo test finds more of the errors of 0.5 %% to 5 %% at 100 spans than one that knows "
        "both "
        "shares and pages from so many failures in three windows on:\n\n"
        "| failures in three windows | faults found | false a series-day, each window counted |\n"
        "| --- | --- | --- |\n");
    for (unsigned count = least - 1; count <= least; count++)
        fprintf(report->out, "| %u | %.1f %% | %.4f |\n", count,
            100 * gsl_cdf_binomial_Q(count - 1, 0.05, spans),
            A_DAY * gsl_cdf_binomial_Q(count - 1, 0.005, spans));
}

void calibrate_power(struct report *report)
{
    uint32_t series = report->full ? 400 : 60, days = report->full ? 12 : 3;
    if (report->series > 0) series = report->series;
    if (report->days > 0) days = report->days;
    fprintf(report->out,
        "\n## How soon faults are found\n\n"
        "Fleets of %u series, a fault of %d windows in each every three days, over %u days after "
        "%d "
        "windows of learning.\nFound within so many windows, the first included; beside it false "
        "alerts a series-day. The plain z is `zscore` at its defaults, |z| > %.0f.\nTargets of the "
        "first, fourth and sixth, at page: at least 95 %%, at most %.2f.\n\n"
        "| fault | within | page | false | notice | false | plain z | false | faults |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        series, FAULT_WINDOWS, days, LEARNED, PLAIN_Z, CRIES_MAX);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
        if (report->full || scenarios[i].test_min > 0) run(report, &scenarios[i], series, days);
    print_best(report);
}
