/* False discoveries in a large fleet in which nothing is wrong, and in one in which something is. */
#include "tests/calibrate/calibrate.h"
#include "tests/calibrate/fleet.h"
#include "tests/calibrate/process.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>

#define ALERTS_MAX 0.05 /* a window, of each entry over the whole fleet */

enum { LEARNED = 300, FAULTY = 100, FAULT_FROM = 20 };

struct source {
    double spans, share, phi, median_ms, sigma;
};

struct fleetwide {
    gsl_rng *rng;
    struct source *source; /* [series] */
    struct fleet *fleet;
    bool faults; /* the first FAULTY series fail ten times as often */
    uint64_t windows[ENTRIES_MAX], named[ENTRIES_MAX], false_named[ENTRIES_MAX];
    uint64_t pages[ENTRIES_MAX], false_pages[ENTRIES_MAX];
    int *level[ENTRIES_MAX]; /* [series] of the window before */
};

static struct source source_of(gsl_rng *rng)
{
    return (struct source){
        .spans = 0.5 * pow(200, gsl_rng_uniform(rng)),
        .share = 0.001 * pow(20, gsl_rng_uniform(rng)),
        .phi = gsl_rng_uniform(rng) < 0.3 ? 0.2 * gsl_rng_uniform(rng) : 0,
        .median_ms = 2 * pow(100, gsl_rng_uniform(rng)),
        .sigma = 0.4 + 0.8 * gsl_rng_uniform(rng),
    };
}

static bool is_faulty(const struct fleetwide *f, uint32_t series, uint32_t window)
{
    return f->faults && series < FAULTY && window >= LEARNED + FAULT_FROM;
}

static void draw(void *context, uint32_t series, uint32_t window, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    struct fleetwide *f = context;
    const struct source *s = &f->source[series];
    uint64_t spans = overdispersed(f->rng, s->spans, s->phi);
    double share = is_faulty(f, series, window) ? fmin(10 * s->share, 1) : s->share;
    row_spans(row, spans, gsl_ran_binomial(f->rng, share, (unsigned)spans));
    row_latencies(row, sketch, pool, f->rng, spans, s->median_ms, s->sigma);
}

static void count(void *context, int entry, uint32_t series, uint32_t window, struct said said)
{
    struct fleetwide *f = context;
    int before = f->level[entry][series];
    f->level[entry][series] = said.level;
    if (window < LEARNED) return;
    bool faulty = is_faulty(f, series, window);
    bool named = f->fleet->entry[entry].surprise[series] <= f->fleet->discovery[entry].notice;
    f->windows[entry] += series == 0;
    f->named[entry] += named;
    f->false_named[entry] += named && !faulty;
    f->pages[entry] += said.level >= SCORE_PAGE && before < SCORE_PAGE;
    f->false_pages[entry] += said.level >= SCORE_PAGE && before < SCORE_PAGE && !faulty;
}

static void run(struct report *report, bool faults, uint32_t series, uint32_t windows)
{
    static const char *const configs[] = {"{of: latency}", "{of: errors}", "{of: spans}", NULL};
    struct fleet fleet;
    struct fleetwide f = {.rng = gsl_rng_alloc(gsl_rng_mt19937), .fleet = &fleet, .faults = faults};
    gsl_rng_set(f.rng, report->seed);
    f.source = calloc(series, sizeof(*f.source));
    for (uint32_t i = 0; i < series; i++)
        f.source[i] = source_of(f.rng);
    fleet_open(&fleet, configs, series);
    for (int i = 0; i < fleet.entries; i++)
        f.level[i] = calloc(series, sizeof(int));
    fleet_run(&fleet, LEARNED + windows, draw, count, &f);
    for (int i = 0; i < fleet.entries; i++) {
        double all = (double)f.windows[i], found = (double)f.false_named[i] / all;
        double share = f.named[i] == 0 ? 0 : (double)f.false_named[i] / (double)f.named[i];
        fprintf(report->out, "| %s | %s | %.4f%s | %.4f | %.1f | %llu | %.2f |\n",
            fleet.entry[i].of, faults ? "errors of 100 series x 10" : "none", found,
            verdict(report, faults || found <= ALERTS_MAX), share, (double)f.named[i] / all,
            (unsigned long long)f.pages[i], (double)f.false_pages[i] * A_DAY / all);
        free(f.level[i]);
    }
    fleet_close(&fleet);
    gsl_rng_free(f.rng);
    free(f.source);
}

void calibrate_fleet(struct report *report)
{
    uint32_t series = report->full ? 20000 : 500, windows = report->full ? 600 : 200;
    fprintf(report->out,
        "\n## False discoveries in a fleet\n\n"
        "%u series, %u windows after %d of learning; 0.5 to 100 spans a window.\n"
        "Target: at most %.2f false discoveries a window at notice where nothing is wrong.\n\n"
        "| entry | faults | false, a window | share false | found, a window | pages | false pages "
        "a "
        "day |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        series, windows, LEARNED, ALERTS_MAX);
    run(report, false, series, windows);
    run(report, true, series, windows);
}
