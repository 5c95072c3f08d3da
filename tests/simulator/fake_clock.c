/* Time, for everything that is simulated: it moves when something is done or waited for. */
#include "engine/base/clock.h"
#include "tests/simulator/world.h"

int64_t clock_ns(void)
{
    return world.now_ns;
}

int64_t clock_wall_ns(void)
{
    return BENCH_EPOCH_NS + world.now_ns;
}

void clock_sleep(int64_t for_ns)
{
    world.now_ns += for_ns;
    owner_yield();
}
