/*
 * latency: how many spans are slower than nearly all of their series are, and the mean of their
 * logarithms. The first sees a slow tail, the second a shift of all; the more telling of the two
 * counts, at twice its p.
 */
#include "operators/clamp.h"
#include "operators/log_latency.h"
#include "operators/signal.h"
#include "operators/slow_count.h"

#include <math.h>

#define LN_2         0.6931471805599453
#define SHIFT_MOST   1.0  /* a span that took e times as long is harmed as a whole */
#define OFFSET_SHARE 0.01 /* of the newest window */
#define NS_PER_MS    1e6

struct latency_state {
    struct slow_count slow;
    struct log_latency mean;
    float offset; /* log of the mean in ms - mean of the logs of seconds */
    uint32_t unused;
    struct evidence evidence;
};
_Static_assert(sizeof(struct latency_state) % 8 == 0, "state is a multiple of 8 bytes");
_Static_assert(sizeof(struct latency_state) <= 240, "small: there is one for every series");

static uint32_t latency_seen(const void *state)
{
    return ((const struct latency_state *)state)->mean.seen;
}

/* z and p of the two tests together; as if they were independent, which is the careful side. */
static void latency_score(struct latency_state *s, uint64_t slow, uint64_t spans,
    const struct log_sample *sample, struct assessment *out)
{
    double z = log_latency_z(&s->mean, sample);
    double p = upper_of_z(z);
    double shift = clamp(sample->mean - s->mean.mean, 0, SHIFT_MOST);
    out->harmed = shift * sample->spans;
    if (slow_count_is_known(&s->slow)) {
        struct tail tail = rate_upper(&s->slow.rate, slow, spans);
        double least = lesser(p, tail.mid);
        z = z_of_upper(least * (2 - least));
        p = lesser(2 * lesser(p, tail.p), 1);
        out->harmed =
            greater(out->harmed, (double)slow - rate_share(&s->slow.rate) * (double)spans);
    }
    signal_weigh(&s->evidence, z, p, false, out);
}

/* In ms of the mean, as the row shows it; the logarithm's mean is less by what latencies vary. */
static void latency_band(
    const struct latency_state *s, const struct log_sample *sample, struct assessment *out)
{
    double reach = exp(LIMITS_ALPHA_Z * log_latency_deviation(&s->mean, sample->spans));
    out->expected = exp(s->mean.mean + (double)s->offset);
    out->low = out->expected / reach;
    out->high = out->expected * reach;
}

static void offset_learn(
    struct latency_state *s, const struct log_sample *sample, const struct row *row)
{
    uint64_t spans = row->value[COLUMN_SPANS].integer;
    if (!row_has(row, COLUMN_LATENCY_SUM_NS) || !row_has(row, COLUMN_SPANS) || spans == 0) return;
    double mean_ms = (double)row->value[COLUMN_LATENCY_SUM_NS].integer / (double)spans / NS_PER_MS;
    if (!(mean_ms > 0)) return;
    double share = greater(OFFSET_SHARE, 1 / (s->mean.seen + 1.0));
    double found = log(mean_ms) - sample->mean;
    s->offset += (float)(share * (found - (double)s->offset));
}

static void latency_learn(const struct signal_context *context, struct latency_state *s,
    const struct sketch *sketch, uint64_t slow, const struct log_sample *sample)
{
    double step = LN_2 / (double)(UINT32_C(1) << context->sketch_scale);
    log_latency_learn(&s->mean, sample);
    double mean = s->mean.mean / step + sketch_bias(context->sketch_scale);
    double deviation = greater(sqrt(log_latency_within(&s->mean)) / step, 1);
    slow_count_learn(&s->slow, sketch, slow, mean, deviation, context->a_day);
}

static void latency_observe(const struct signal_context *context, void *state,
    const struct row *row, struct assessment *out)
{
    struct latency_state *s = state;
    if (row->latency == NULL) return;
    struct log_sample sample = log_sample_of(row->latency, context->sketch_scale);
    if (!(sample.spans > 0)) return;

    uint64_t slow = slow_count_of(&s->slow, row->latency);
    out->is_learned = true;
    out->spans = sample.spans;
    if (s->mean.seen > 0) latency_band(s, &sample, out);
    if (s->mean.seen >= SIGNAL_YOUNG) {
        latency_score(s, slow, sketch_count(row->latency), &sample, out);
        out->is_scored = s->mean.seen >= context->warmup;
    }
    offset_learn(s, &sample, row);
    latency_learn(context, s, row->latency, slow, &sample);
}

const struct signal signal_latency = {
    .name = "latency",
    .state_bytes = sizeof(struct latency_state),
    .seen = latency_seen,
    .observe = latency_observe,
};
