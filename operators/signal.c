#include "operators/signal.h"

#include "operators/clamp.h"
#include "operators/count_tail.h"

#include <math.h>

/* A run is the further of RUNS, so that its p is their sum at most; near ones are not worth working out. */
static double run_surprise(double run, double sides)
{
    return run < GOES_ON_Z ? 1 : sides * RUNS * upper_of_z(run);
}

void signal_weigh(
    struct evidence *evidence, double z, double tail_p, bool two_sided, struct assessment *out)
{
    struct finding found = evidence_take(evidence, z, two_sided);
    double p = tail_p;
    if (found.shrink < 1 && tail_p < 0.5) p = upper_of_z(z_of_upper(tail_p) * found.shrink);
    double sides = two_sided ? 2 : 1;
    double run = two_sided ? fabs(found.run) : found.run;

    out->is_scored = true;
    out->z = found.z;
    out->p = lesser(sides * p, 1);
    out->sustained = found.run;
    out->surprise = lesser(2 * lesser(out->p, run_surprise(run, sides)), 1);
    out->excess = found.excess;
    out->limits_z = found.limits_z;
    out->limits_p = found.p;
    out->direction = fabs(found.z) >= fabs(found.run) ? (found.z > 0) - (found.z < 0)
                                                      : (found.run > 0) - (found.run < 0);
    out->is_notable = found.z >= GOES_ON_Z || found.run >= RUN_Z ||
                      (two_sided && (found.z <= -GOES_ON_Z || found.run <= -RUN_Z));
    bool up = found.z >= GOES_ON_Z || found.fresh >= GOES_ON_Z;
    bool down = found.z <= -GOES_ON_Z || found.fresh <= -GOES_ON_Z;
    out->goes_on = up || (two_sided && down);
}
