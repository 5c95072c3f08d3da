#include "operators/false_discovery.h"

#include "engine/base/memory.h"

#include <math.h>
#include <stdlib.h>

#define NOTICE_Q .05
#define PAGE_Q   .01

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* small  [count] ascending, all that are below q; of `among` in all */
static double limit(const double *small, size_t count, size_t among, double q)
{
    for (size_t i = count; i > 0; i--) {
        if (small[i - 1] <= q * (double)i / (double)among) return small[i - 1];
    }
    return -1;
}

struct false_discovery false_discovery(const double *p, size_t count)
{
    double *small = memory_zeroed(count + 1, sizeof(*small));
    size_t smalls = 0, among = 0;
    for (size_t i = 0; i < count; i++) {
        among += isnan(p[i]) ? 0 : 1;
        if (p[i] < NOTICE_Q) small[smalls++] = p[i];
    }
    qsort(small, smalls, sizeof(*small), ascending);
    struct false_discovery found = {
        .notice_p = limit(small, smalls, among, NOTICE_Q),
        .page_p = limit(small, smalls, among, PAGE_Q),
    };
    free(small);
    return found;
}
