/*
 * Whether p of errors means what it says: how often it is below alpha, over alpha, under the model.
 *
 * A count takes whole numbers, so that no p can be right at every alpha: the one that is never too
 * small is too large. How much is told by the same figure with the parameters known, not learned; and
 * mid-p, from which z is made, stands beside it.
 */
#include "operators/count_tail.h"
#include "tests/calibrate/calibrate.h"
#include "tests/calibrate/fleet.h"
#include "tests/calibrate/process.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>

#define RATIO_MIN 0.2
#define RATIO_MAX 1.5
#define BAND_LOW  5.0 /* spans a window: below, counts are too coarse to reach a small p */
#define BAND_HIGH 50.0

enum { POWERS = 6, BANDS = 3, COUNTED_LEAST = 20 };

/* A series: so many spans a window, of which such a share fails, more or less evenly. */
struct source {
    double spans, share, phi;
    int band;
};

/* Windows whose p is at most 10^-power, of so many. */
struct ratios {
    uint64_t below[POWERS + 1], scored;
};

struct tails {
    gsl_rng *rng;
    struct source *source; /* [series] */
    double *known;         /* [series] p of the window, were its source known */
    struct ratios p[BANDS], mid[BANDS], known_p[BANDS];
};

/* Three in ten are overdispersed; traffic and shares are of any size. */
static struct source source_of(gsl_rng *rng)
{
    struct source s = {
        .spans = 0.5 * pow(1000, gsl_rng_uniform(rng)),
        .share = 0.005 * pow(20, gsl_rng_uniform(rng)),
    };
    if (gsl_rng_uniform(rng) < 0.3) s.phi = 0.05 + 0.45 * gsl_rng_uniform(rng);
    s.band = s.spans < BAND_LOW ? 0 : s.spans < BAND_HIGH ? 1 : 2;
    return s;
}

static void draw(void *context, uint32_t series, uint32_t window, struct row *row,
    struct sketch *sketch, struct pool *pool)
{
    (void)window, (void)sketch, (void)pool;
    struct tails *t = context;
    const struct source *s = &t->source[series];
    double share = s->share;
    if (s->phi > 0) share *= gsl_ran_gamma(t->rng, 1 / s->phi, s->phi);
    unsigned spans = gsl_ran_poisson(t->rng, s->spans);
    unsigned errors = gsl_ran_binomial(t->rng, fmin(share, 1), spans);
    row_spans(row, spans, errors);
    double size = s->phi > 0 ? 1 / s->phi : INFINITY;
    t->known[series] = negative_binomial_upper(errors, spans * s->share, size).p;
}

static void ratios_add(struct ratios *r, double p)
{
    double alpha = 1;
    r->scored++;
    for (int power = 1; power <= POWERS; power++) {
        alpha /= 10;
        r->below[power] += p <= alpha;
    }
}

static void count(void *context, int entry, uint32_t series, uint32_t window, struct said said)
{
    (void)entry, (void)window;
    struct tails *t = context;
    if (!said.is_scored) return;
    int band = t->source[series].band;
    ratios_add(&t->p[band], said.p);
    ratios_add(&t->mid[band], upper_of_z(said.z));
    ratios_add(&t->known_p[band], t->known[series]);
}

/* A ratio of few counts says nothing, and is no target. */
static void print_ratio(struct report *report, const struct ratios *r, int power, bool bound)
{
    double nominal = (double)r->scored * pow(10, -power);
    double ratio = (double)r->below[power] / nominal;
    bool met = ratio >= RATIO_MIN && ratio <= RATIO_MAX;
    if (nominal < COUNTED_LEAST)
        fprintf(report->out, " %.2f (of %.1f) |", ratio, nominal);
    else
        fprintf(report->out, " %.2f%s |", ratio, verdict(report, !bound || met));
}

static void print_ratios(
    struct report *report, const char *name, const char *what, const struct ratios *r, bool bound)
{
    fprintf(report->out, "| %s | %s |", name, what);
    for (int power = 2; power <= POWERS; power++)
        print_ratio(report, r, power, bound);
    fprintf(report->out, " %.2e |\n", (double)r->scored);
}

static struct ratios all_of(const struct ratios *band)
{
    struct ratios all = {0};
    for (int i = 0; i < BANDS; i++) {
        all.scored += band[i].scored;
        for (int power = 1; power <= POWERS; power++)
            all.below[power] += band[i].below[power];
    }
    return all;
}

static void print(struct report *report, const struct tails *t)
{
    static const char *const name[BANDS] = {"under 5 spans", "5 to 50 spans", "over 50 spans"};
    fprintf(report->out, "\n| series | | 1e-2 | 1e-3 | 1e-4 | 1e-5 | 1e-6 | windows |\n"
                         "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (int band = 0; band < BANDS; band++) {
        print_ratios(report, name[band], "p", &t->p[band], false);
        print_ratios(report, name[band], "p, parameters known", &t->known_p[band], false);
        print_ratios(report, name[band], "mid-p", &t->mid[band], false);
    }
    struct ratios p = all_of(t->p), known = all_of(t->known_p), mid = all_of(t->mid);
    print_ratios(report, "all", "p", &p, true);
    print_ratios(report, "all", "p, parameters known", &known, false);
    print_ratios(report, "all", "mid-p", &mid, true);
}

void calibrate_tails(struct report *report)
{
    static const char *const configs[] = {"{of: errors}", NULL};
    uint32_t series = report->full ? 20000 : 1000, windows = report->full ? 6000 : 1000;
    struct tails t = {.rng = gsl_rng_alloc(gsl_rng_mt19937)};
    struct fleet fleet;
    gsl_rng_set(t.rng, report->seed);
    t.source = calloc(series, sizeof(*t.source));
    t.known = calloc(series, sizeof(*t.known));
    for (uint32_t i = 0; i < series; i++)
        t.source[i] = source_of(t.rng);
    fleet_open(&fleet, configs, series);
    fleet.judged = false;
    fleet_run(&fleet, windows, draw, count, &t);
    fprintf(report->out,
        "\n## Whether p means what it says\n\n"
        "How often the p of errors (negative binomial, no mid-p) is at most alpha, over alpha: %u "
        "series of %u windows,\n0.5 to 500 spans a window, 0.5 %% to 10 %% errors, three in ten "
        "with "
        "phi of 0.05 to 0.5.\nTarget: %.1f to %.1f over all. Counts are whole numbers, so few "
        "values of p "
        "there are with few spans, and a p that is never\ntoo small is mostly too large: that is "
        "what is left "
        "of the ratio with the parameters known. Where the two rows are equal, nothing is lost by "
        "learning.\n",
        series, windows, RATIO_MIN, RATIO_MAX);
    print(report, &t);
    fleet_close(&fleet);
    gsl_rng_free(t.rng);
    free(t.source);
    free(t.known);
}
