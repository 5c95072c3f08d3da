/*
 * Any column: a level that follows slowly with what the hour adds to it, and adaptive limits around
 * what a value and its running mean stray from it. Nothing is assumed of how the number comes about;
 * so where a test that knows (errors, latency, spans) applies, it finds more and cries less.
 */
#include "operators/baseline.h"
#include "operators/clamp.h"
#include "operators/count_tail.h"
#include "operators/signal.h"

#include <math.h>
#include <string.h>

#define MEAN_SHARE       0.1  /* of the newest window in the running mean */
#define OUTLIER          6.0  /* usual distances: one value alone makes no running mean */
#define USUAL_OF_MEAN    0.25 /* of a usual distance: what the running mean strays by */
#define RESOLUTION       0.01 /* of the level: what a sketch tells apart */
#define RESOLUTION_RATIO 0.01
#define RESOLUTION_MS    1.0
#define MS_OF_LEVEL      0.2 /* a millisecond is not a step for what takes less than five */
#define RESOLUTION_LEAST 1e-9

struct column_state {
    double mean; /* running, of what values are beyond their forecast */
    struct limits limits;
    struct baseline baseline;
};
_Static_assert(sizeof(struct column_state) % 8 == 0, "state is a multiple of 8 bytes");
_Static_assert(sizeof(struct column_state) <= 400, "small: there is one for every series");

static uint32_t column_seen(const void *state)
{
    return ((const struct column_state *)state)->baseline.seen;
}

static bool is_of_spans(int column)
{
    return (
        column >= COLUMN_LATENCY_SUM_NS && column < COLUMN_SCORE && column != COLUMN_RATE_PER_S);
}

static bool is_ms(const char *name)
{
    size_t size = strlen(name);
    return size >= 3 && strcmp(name + size - 3, "_ms") == 0;
}

static bool is_ratio(int column)
{
    return column == COLUMN_ERROR_RATIO || column == COLUMN_APDEX || column == COLUMN_CAPTURE_RATIO;
}

/* The least step that means anything: without it, what never moved would cry at its first move. */
static double resolution(const struct signal_context *context, double level)
{
    double step = RESOLUTION * fabs(level);
    if (context->column < COLUMN_INTEGERS) step = greater(step, 1);
    if (context->column == COLUMN_RATE_PER_S)
        step = greater(step, 1e9 / (double)context->window_ns);
    if (is_ratio(context->column)) step = greater(step, RESOLUTION_RATIO);
    if (is_ms(context->name))
        step = greater(step, lesser(RESOLUTION_MS, MS_OF_LEVEL * fabs(level)));
    return greater(step, RESOLUTION_LEAST);
}

static void column_weigh(const struct limits *limits, const struct limits_floor *floor,
    const double value[CHANNELS], const struct limits_score *score, struct assessment *out)
{
    out->is_scored = true;
    out->z = limits_z(limits, floor, 0, value[0]);
    out->sustained = limits_z(limits, floor, 1, value[1]);
    out->p = out->surprise = lesser(SIDES * score->p, 1);
    out->limits_z = score->z;
    out->limits_p = score->p;
    out->direction = score->z > 0 ? score->direction : 0;
    out->is_notable =
        fabs(out->z) >= GOES_ON_Z || (fabs(out->sustained) >= RUN_Z && fabs(out->z) >= 1);
    bool up = out->z >= GOES_ON_Z || (out->sustained >= GOES_ON_Z && out->z >= 1);
    bool down = out->z <= -GOES_ON_Z || (out->sustained <= -GOES_ON_Z && out->z <= -1);
    out->goes_on = up || down;
}

static void column_guard(const struct signal_context *context, const struct row *row, double away,
    struct assessment *out)
{
    bool counted = is_of_spans(context->column) && row_has(row, COLUMN_SPANS);
    out->spans = counted ? (double)row->value[COLUMN_SPANS].integer : INFINITY;
    out->harmed = context->column < COLUMN_INTEGERS ? fabs(away) : INFINITY;
}

static void column_observe(const struct signal_context *context, void *state, const struct row *row,
    struct assessment *out)
{
    struct column_state *s = state;
    if (!row_has(row, context->column)) return;
    double y = row_number(row, context->column);
    if (!isfinite(y)) return;

    uint32_t bucket = season_bucket(context->zone, row->start_ns);
    double expected =
        s->baseline.seen == 0 ? y : baseline_forecast(&s->baseline, bucket, context->an_hour);
    double step = resolution(context, s->baseline.seen == 0 ? y : s->baseline.level);
    double usual = s->baseline.distance;
    const struct limits_floor floor = {
        .value = {greater(step, usual), greater(step / 2, USUAL_OF_MEAN * usual)},
        .z = LIMITS_ALPHA_Z,
        .early = 3,
    };
    double most = OUTLIER * greater(s->baseline.distance, step);
    double clipped = clamp(y - expected, -most, most);
    double mean = s->mean + MEAN_SHARE * (clipped - s->mean);
    const double value[CHANNELS] = {y - expected, mean};
    unsigned sides = (context->up ? LIMITS_UP : 0u) | (context->down ? LIMITS_DOWN : 0u);
    struct limits_score score = limits_score(&s->limits, &floor, value, sides);

    out->is_learned = true;
    column_weigh(&s->limits, &floor, value, &score, out);
    column_guard(context, row, y - expected, out);
    out->is_scored = s->baseline.seen >= context->warmup;
    out->expected = expected;
    out->low = expected - limits_reach(&s->limits, &floor, 1);
    out->high = expected + limits_reach(&s->limits, &floor, 0);
    if (limits_learn(&s->limits, &floor, value, &score)) out->excess = greater(score.excess, 0);
    s->mean = mean;
    baseline_learn(&s->baseline, bucket, context->an_hour, y, step);
}

const struct signal signal_column = {
    .name = "a column",
    .state_bytes = sizeof(struct column_state),
    .minds_silence = true,
    .seen = column_seen,
    .observe = column_observe,
};
