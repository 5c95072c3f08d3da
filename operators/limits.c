#include "operators/limits.h"

#include "operators/clamp.h"
#include "operators/count_tail.h"

#include <math.h>

#define CAP             0.1 /* of a step up, in widths */
#define COMMON_SHARE    0.01
#define COMMON_STEP     0.02
#define SHARE_MAX       0.05
#define ALERT_EXCESS    0.05
#define BACKOFF_KEEP    0.99930709 /* a half over 1000 windows */
#define XI_MIN          0.15
#define XI_EARLY        0.3
#define XI_MAX          1.0
#define COMMON_BY_LIMIT 0.678 /* of a normal tail */

enum { EPISODE_WINDOWS = 20 };

double limits_reach(const struct limits *l, const struct limits_floor *floor, int side)
{
    return greater((double)l->limit[side], floor->value[side / 2]);
}

static double width_of(const struct limits *l, const struct limits_floor *floor, int side)
{
    return limits_reach(l, floor, side) + limits_reach(l, floor, side ^ 1);
}

/* The share of windows that pass a limit by now: while few were seen, three of them do. */
static double passing_share(const struct limits *l, const struct limits_floor *floor)
{
    return clamp(floor->early / (l->seen + 1.0), LIMITS_ALPHA, SHARE_MAX);
}

/* The normal deviate of that. */
static double passing_z(const struct limits *l, const struct limits_floor *floor)
{
    double share = passing_share(l, floor);
    return share > LIMITS_ALPHA ? z_of_upper(share) : LIMITS_ALPHA_Z;
}

/* A limit stands for what it is learned as; at a floor that stands for more, for that, and in between
 * in proportion to how far it has risen. */
static double limit_z(
    const struct limits *l, const struct limits_floor *floor, int side, double limit)
{
    if (limit <= floor->value[side / 2] && floor->z > LIMITS_ALPHA_Z) return floor->z;
    double learned = passing_z(l, floor);
    if (floor->z <= learned) return learned;
    double risen = (limit / floor->value[side / 2] - 1) / (floor->z / learned - 1);
    return risen < 1 ? floor->z + risen * (learned - floor->z) : learned;
}

static double excess_of(
    const struct limits *l, const struct limits_floor *floor, int side, double value)
{
    double excess = (value - limits_reach(l, floor, side)) / width_of(l, floor, side);
    return excess > 0 ? excess / (1 + 0.5 * (double)l->backoff) : excess;
}

static double side_z(
    const struct limits *l, const struct limits_floor *floor, int side, double value)
{
    double limit = limits_reach(l, floor, side), z = limit_z(l, floor, side, limit);
    if (value <= limit) return z * value / limit;
    return lesser(z * (1 + 2 * excess_of(l, floor, side, value)), Z_MAX);
}

/* The shape of a tail of which little was seen is not known; early on it is taken to be heavy. */
static double xi_least(double share)
{
    double early = log(share / LIMITS_ALPHA) / log(SHARE_MAX / LIMITS_ALPHA);
    return XI_MIN + (XI_EARLY - XI_MIN) * early;
}

/*
 * Beyond its limit a tail goes on as a power of the distance, whose exponent is that between the two
 * limits.
 *
 * source  Weissman, Estimation of parameters and large quantiles based on the k largest
 *         observations, 1978
 */
static double side_p(
    const struct limits *l, const struct limits_floor *floor, int side, double value)
{
    double limit = limits_reach(l, floor, side);
    double common = clamp((double)l->common[side], 1e-6 * limit, limit);
    double share = floor->z > LIMITS_ALPHA_Z ? LIMITS_ALPHA : passing_share(l, floor);
    double span = log(COMMON_SHARE / lesser(share, COMMON_SHARE / 2));
    double xi = clamp(log(limit / common) / span, xi_least(share), XI_MAX);
    double excess = excess_of(l, floor, side, value);
    double at = excess > 0 ? limit + excess * width_of(l, floor, side) : value;
    if (!(at > 0)) return 1;
    return lesser(share * pow(at / limit, -1 / xi), 1);
}

static double side_value(const double value[CHANNELS], int side)
{
    return side % 2 == 0 ? value[side / 2] : -value[side / 2];
}

struct limits_score limits_score(const struct limits *l, const struct limits_floor *floor,
    const double value[CHANNELS], unsigned sides)
{
    struct limits_score best = {.z = -INFINITY};
    int furthest = 0;
    for (int side = 0; side < SIDES; side++) {
        if ((sides >> side & 1) == 0) continue;
        double z = side_z(l, floor, side, side_value(value, side));
        if (z <= best.z) continue;
        best.z = z;
        furthest = side;
    }
    double at = side_value(value, furthest);
    best.z = greater(best.z, 0);
    best.excess = excess_of(l, floor, furthest, at);
    bool by_model = best.excess <= 0 && floor->z > LIMITS_ALPHA_Z;
    best.p = by_model ? 1 : side_p(l, floor, furthest, at);
    best.direction = furthest % 2 == 0 ? 1 : -1;
    best.channel = furthest / 2;
    return best;
}

double limits_z(const struct limits *l, const struct limits_floor *floor, int channel, double value)
{
    if (value >= 0) return side_z(l, floor, 2 * channel, value);
    return -side_z(l, floor, 2 * channel + 1, -value);
}

static void side_learn(
    struct limits *l, const struct limits_floor *floor, int side, double width, double value)
{
    double limit = limits_reach(l, floor, side), common = (double)l->common[side];
    double seen = l->seen + 1.0;
    double share = passing_share(l, floor);
    if (l->since[side] < UINT8_MAX) l->since[side]++;
    bool rested = l->since[side] >= EPISODE_WINDOWS || l->seen < floor->early * EPISODE_WINDOWS;
    if (value > limit && rested) {
        limit = lesser(value, limit + greater(CAP, floor->early / seen) * width);
        l->since[side] = 0;
    }
    limit -= CAP * width * share * lesser(1, 2 * limit / width);
    common += COMMON_STEP * width * ((value > common) - COMMON_SHARE);

    l->limit[side] = (float)greater(limit, floor->value[side / 2]);
    double least = l->limit[side] == (float)floor->value[side / 2] ? COMMON_BY_LIMIT : 0;
    l->common[side] = (float)clamp(common, least * floor->value[side / 2], limit);
}

/* The best of the last windows, as its value and age: a better one is told, or any after a while. */
static bool gate(struct limits *l, double excess)
{
    bool told = excess > (double)l->best || l->best_age >= EPISODE_WINDOWS;
    if (told) {
        l->best = (float)greater(excess, 0);
        l->best_age = 0;
    } else {
        l->best_age++;
    }
    return told;
}

static void backoff_learn(struct limits *l, double raw_excess)
{
    bool alert = raw_excess > ALERT_EXCESS && l->seen >= LIMITS_WARMUP;
    l->backoff = (float)((double)l->backoff * BACKOFF_KEEP);
    if (alert && l->quiet >= EPISODE_WINDOWS) l->backoff += 1;
    if (alert)
        l->quiet = 0;
    else if (l->quiet < UINT8_MAX)
        l->quiet++;
}

bool limits_learn(struct limits *l, const struct limits_floor *floor, const double value[CHANNELS],
    const struct limits_score *score)
{
    bool told = gate(l, score->excess);
    backoff_learn(l, score->excess * (1 + 0.5 * (double)l->backoff));
    for (int channel = 0; channel < CHANNELS; channel++) {
        double width = width_of(l, floor, 2 * channel);
        side_learn(l, floor, 2 * channel, width, value[channel]);
        side_learn(l, floor, 2 * channel + 1, width, -value[channel]);
    }
    if (l->seen < UINT32_MAX) l->seen++;
    return told;
}
