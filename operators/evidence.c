#include "operators/evidence.h"

#include "operators/clamp.h"

#include <math.h>

#define MEAN_SHARE   0.2
#define MEAN_SCALE   3.0 /* sqrt((2 - MEAN_SHARE) / MEAN_SHARE): of deviation 1 again */
#define Z_LEAST      (-4.0)
#define Z_MOST       6.0 /* of one window in a run: none makes one by itself */
#define SQUARE_SHARE 0.001
#define SQUARE_PRIOR 30.0   /* windows that the model's deviation counts for */
#define CLIP_SQUARE  6.25   /* of 2.5 deviations: incidents do not count for more */
#define CLIP_LOSS    0.9776 /* what clipping leaves of a normal square */
#define SQRT_3       1.7320508075688772

static const struct limits_floor floor_of_z = {.value = {4, 4}, .z = 4, .early = 0.5};

static double deviation(const struct evidence *e, int which)
{
    return e->seen == 0 ? 1 : sqrt(greater(1, (double)e->square[which]));
}

static void square_learn(struct evidence *e, int which, double z)
{
    double mean = e->seen == 0 ? 1 : (double)e->square[which];
    double share = greater(SQUARE_SHARE, 1 / (e->seen + SQUARE_PRIOR));
    double found = lesser(z * z, CLIP_SQUARE * mean) / CLIP_LOSS;
    e->square[which] = (float)(mean + share * (found - mean));
}

static double further(double a, double b)
{
    return fabs(a) >= fabs(b) ? a : b;
}

struct finding evidence_take(struct evidence *e, double z, bool two_sided)
{
    double clipped = two_sided ? clamp(z, -Z_MOST, Z_MOST) : clamp(z, Z_LEAST, Z_MOST);
    double mean = (double)e->mean + MEAN_SHARE * (clipped - (double)e->mean);
    double three = (clipped + (double)e->before[0] + (double)e->before[1]) / SQRT_3;
    double lasting = MEAN_SCALE * mean;
    double run_three = three / deviation(e, 1), run_lasting = lasting / deviation(e, 2);
    double run = two_sided ? further(run_three, run_lasting) : greater(run_three, run_lasting);
    const double value[CHANNELS] = {z / deviation(e, 0), run};

    struct limits_score score = limits_score(
        &e->limits, &floor_of_z, value, two_sided ? LIMITS_UP | LIMITS_DOWN : LIMITS_UP);
    struct finding found = {
        .z = limits_z(&e->limits, &floor_of_z, 0, value[0]),
        .run = limits_z(&e->limits, &floor_of_z, 1, value[1]),
        .fresh = limits_z(&e->limits, &floor_of_z, 1, run_three),
        .limits_z = score.z,
        .p = score.p,
    };
    found.shrink = z == 0 ? 1 : lesser(found.z / z, 1);
    if (limits_learn(&e->limits, &floor_of_z, value, &score))
        found.excess = greater(score.excess, 0);

    square_learn(e, 0, z);
    square_learn(e, 1, three);
    square_learn(e, 2, lasting);
    e->mean = (float)mean;
    e->before[1] = e->before[0];
    e->before[0] = (float)clipped;
    if (e->seen < UINT32_MAX) e->seen++;
    return found;
}

void evidence_break(struct evidence *e)
{
    e->mean = 0;
    e->before[0] = e->before[1] = 0;
}
