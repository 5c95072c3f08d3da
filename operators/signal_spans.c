/*
 * spans: how many there are, against what the hour lets expect. Too many and too few are both told;
 * none at all is a count like any other, and the most telling one.
 */
#include "operators/baseline.h"
#include "operators/clamp.h"
#include "operators/count_tail.h"
#include "operators/dispersion.h"
#include "operators/signal.h"

#include <math.h>

#define EXPECTED_MIN  0.02  /* spans */
#define KNOWN_WINDOWS 500.0 /* that a forecast rests on at most */

struct spans_state {
    int64_t end_ns; /* of the window before */
    struct dispersion dispersion;
    struct evidence evidence;
    struct baseline baseline;
};
_Static_assert(sizeof(struct spans_state) % 8 == 0, "state is a multiple of 8 bytes");
_Static_assert(sizeof(struct spans_state) <= 464, "small: there is one for every series");

static uint32_t spans_seen(const void *state)
{
    return ((const struct spans_state *)state)->baseline.seen;
}

static double spans_size(const struct spans_state *s, double expected)
{
    double known = expected * lesser(s->baseline.seen, KNOWN_WINDOWS);
    return 1 / (1 / known + dispersion_phi(&s->dispersion));
}

static void spans_band(double expected, double size, struct assessment *out)
{
    double reach = LIMITS_ALPHA_Z * sqrt(expected + expected * expected / size);
    out->expected = expected;
    out->low = greater(expected - reach, 0);
    out->high = expected + reach;
}

/* On a side that is not looked at, any count is as usual. */
static void spans_score(const struct signal_context *context, struct spans_state *s, uint64_t spans,
    double expected, struct assessment *out)
{
    double size = spans_size(s, expected), z = 0, p = 1;
    bool over = (double)spans > expected;
    if (over ? context->up : context->down) {
        struct tail tail = over ? negative_binomial_upper(spans, expected, size)
                                : negative_binomial_lower(spans, expected, size);
        z = over ? z_of_upper(tail.mid) : -z_of_upper(tail.mid);
        p = tail.p;
    }
    signal_weigh(&s->evidence, z, p, true, out);
    out->is_scored = s->baseline.seen >= context->warmup;
}

static void spans_observe(const struct signal_context *context, void *state, const struct row *row,
    struct assessment *out)
{
    struct spans_state *s = state;
    if (!row_has(row, COLUMN_SPANS)) return;
    uint64_t spans = row->value[COLUMN_SPANS].integer;
    uint32_t bucket = season_bucket(context->zone, row->start_ns);
    double expected = baseline_forecast(&s->baseline, bucket, context->an_hour);
    expected = greater(expected, EXPECTED_MIN);
    if (row->start_ns != s->end_ns) evidence_break(&s->evidence);

    out->is_learned = true;
    if (s->baseline.seen > 0) spans_band(expected, spans_size(s, expected), out);
    out->spans = greater((double)spans, expected);
    out->harmed = fabs((double)spans - expected);
    if (s->baseline.seen >= SIGNAL_YOUNG) spans_score(context, s, spans, expected, out);

    double count = dispersion_winsorised((double)spans, expected, dispersion_phi(&s->dispersion));
    if (s->baseline.seen > 0) dispersion_learn(&s->dispersion, count, expected, 1);
    baseline_learn(&s->baseline, bucket, context->an_hour, (double)spans, 1);
    s->end_ns = row->end_ns;
}

const struct signal signal_spans = {
    .name = "spans",
    .state_bytes = sizeof(struct spans_state),
    .minds_silence = true,
    .seen = spans_seen,
    .observe = spans_observe,
};
