/* errors: the share of spans that fail. More of them is bad; how many is told exactly at any traffic. */
#include "operators/clamp.h"
#include "operators/rate.h"
#include "operators/signal.h"

#include <math.h>

/* What a series without a past is believed to be like. */
#define PRIOR_ERRORS 0.5
#define PRIOR_SPANS  50.0

struct errors_state {
    struct rate rate;
    struct evidence evidence;
};
_Static_assert(sizeof(struct errors_state) % 8 == 0, "state is a multiple of 8 bytes");
_Static_assert(sizeof(struct errors_state) <= 160, "small: there is one for every series");

static uint32_t errors_seen(const void *state)
{
    return ((const struct errors_state *)state)->rate.seen;
}

static void errors_band(const struct rate *rate, double spans, struct assessment *out)
{
    double reach = LIMITS_ALPHA_Z * rate_deviation(rate, spans);
    out->expected = rate_share(rate) * spans;
    out->low = greater(out->expected - reach, 0);
    out->high = lesser(out->expected + reach, spans);
}

static void errors_observe(const struct signal_context *context, void *state, const struct row *row,
    struct assessment *out)
{
    struct errors_state *s = state;
    if (!row_has(row, COLUMN_SPANS) || !row_has(row, COLUMN_ERRORS)) return;
    uint64_t spans = row->value[COLUMN_SPANS].integer, errors = row->value[COLUMN_ERRORS].integer;
    if (spans == 0) return;
    if (errors > spans) errors = spans;

    out->is_learned = true;
    if (s->rate.seen == 0) rate_begin(&s->rate, PRIOR_ERRORS, PRIOR_SPANS);
    errors_band(&s->rate, (double)spans, out);
    out->spans = (double)spans;
    out->harmed = (double)errors - out->expected;
    if (s->rate.seen >= SIGNAL_YOUNG) {
        struct tail tail = rate_upper(&s->rate, errors, spans);
        signal_weigh(&s->evidence, z_of_upper(tail.mid), tail.p, false, out);
        out->is_scored = s->rate.seen >= context->warmup;
    }
    rate_learn(&s->rate, errors, spans);
}

const struct signal signal_errors = {
    .name = "errors",
    .state_bytes = sizeof(struct errors_state),
    .seen = errors_seen,
    .observe = errors_observe,
};
