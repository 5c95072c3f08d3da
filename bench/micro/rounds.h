/* Taking the time of a piece of work: CPU time of this thread, least and median of some rounds. */
#ifndef BENCH_MICRO_ROUNDS_H
#define BENCH_MICRO_ROUNDS_H

#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 7 };

struct rounds {
    double least, median; /* ns */
};

static inline double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline int rounds_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline struct rounds rounds_of(double ns[ROUNDS])
{
    qsort(ns, ROUNDS, sizeof(ns[0]), rounds_ascending);
    return (struct rounds){ns[0], ns[ROUNDS / 2]};
}

#endif
