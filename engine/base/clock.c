#include "engine/base/clock.h"

#include "engine/base/failpoint.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return clock_read(CLOCK_REALTIME) + failpoint_clock_ahead_ns();
}

void clock_sleep(int64_t for_ns)
{
    struct timespec rest = {.tv_sec = for_ns / NS_PER_S, .tv_nsec = for_ns % NS_PER_S};
    nanosleep(&rest, NULL);
}
