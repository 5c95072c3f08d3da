/* Episodes a series-day where nothing is wrong, process by process. */
#include "tests/calibrate/calibrate.h"
#include "tests/calibrate/fleet.h"
#include "tests/calibrate/process.h"

#include <stdlib.h>

#define NOTICE_MAX 2.0 /* episodes a series-day */
#define PAGE_MAX   0.2

struct nulls {
    const struct process *process;
    gsl_rng *rng;
    struct past *past;                      /* [series] */
    struct episodes *notice, *page, *plain; /* [series] */
};

static void draw(void *context, uint32_t series, uint32_t window, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    struct nulls *n = context;
    n->process->draw(n->rng, &n->past[series], window, row, sketch, pool);
}

static void count(void *context, int entry, uint32_t series, uint32_t window, struct said said)
{
    (void)entry;
    struct nulls *n = context;
    if (said.level >= SCORE_NOTICE) episodes_add(&n->notice[series], window);
    if (said.level >= SCORE_PAGE) episodes_add(&n->page[series], window);
}

static double per_day(const struct episodes *episodes, uint32_t series, uint32_t days)
{
    uint64_t all = 0;
    for (uint32_t i = 0; i < series; i++)
        all += episodes[i].count;
    return (double)all / ((double)series * days);
}

static void run(
    struct report *report, const struct process *process, uint32_t series, uint32_t days)
{
    char config[64];
    const char *const configs[] = {config, NULL};
    struct nulls n = {.process = process, .rng = gsl_rng_alloc(gsl_rng_mt19937)};
    struct fleet fleet;
    gsl_rng_set(n.rng, report->seed);
    n.past = calloc(series, sizeof(*n.past));
    n.notice = calloc(series, sizeof(*n.notice));
    n.page = calloc(series, sizeof(*n.page));
    snprintf(config, sizeof(config), "{of: %s}", process->of);
    fleet_open(&fleet, configs, series);
    fleet_run(&fleet, days * A_DAY, draw, count, &n);

    double notice = per_day(n.notice, series, days), page = per_day(n.page, series, days);
    fprintf(report->out, "| %s | %s | %.3f%s | %.4f%s |\n", process->name, process->of, notice,
        verdict(report, notice <= NOTICE_MAX), page, verdict(report, page <= PAGE_MAX));
    fleet_close(&fleet);
    gsl_rng_free(n.rng);
    free(n.past);
    free(n.notice);
    free(n.page);
}

void calibrate_nulls(struct report *report)
{
    uint32_t series = report->full ? 200 : 6, days = 14;
    if (report->series > 0) series = report->series;
    if (report->days > 0) days = report->days;
    fprintf(report->out,
        "\n## Episodes a series-day where nothing is wrong\n\n"
        "%u series of %u days in 1-minute windows, each process a fleet of its own; the first 60 "
        "windows are learned from.\nTargets: at most %.0f at notice, %.1f at page.\n\n"
        "| process | scored as | notice | page |\n| --- | --- | --- | --- |\n",
        series, days, NOTICE_MAX, PAGE_MAX);
    for (const struct process *process = processes; process->name != NULL; process++)
        run(report, process, series, days);
}
