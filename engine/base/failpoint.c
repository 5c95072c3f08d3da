#include "engine/base/failpoint.h"

#ifdef WEIR_FAILPOINTS

#include "engine/base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 16, STEP_BYTES = 64 };

struct point {
    char step[STEP_BYTES];
    unsigned hit; /* which visit acts; 0: all */
    char action[16];
    atomic_uint visits;
};

static struct point points[POINTS_MAX];
static size_t point_count;
static int64_t ahead_ns;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void points_read(void)
{
    const char *ahead = getenv("WEIR_CLOCK_AHEAD_MS");
    if (ahead != NULL) ahead_ns = strtoll(ahead, NULL, 10) * NS_PER_MS;
    const char *at = getenv("WEIR_FAILPOINT");
    while (at != NULL && *at != '\0' && point_count < POINTS_MAX) {
        struct point *p = &points[point_count];
        if (sscanf(at, "%63[^:]:%u:%15[^,]", p->step, &p->hit, p->action) != 3) {
            fprintf(stderr, "WEIR_FAILPOINT: not STEP:HIT:ACTION: %s\n", at);
            abort();
        }
        point_count++;
        at = strchr(at, ',');
        if (at != NULL) at++;
    }
}

static bool act(const struct point *p)
{
    fprintf(stderr, "failpoint %s: %s\n", p->step, p->action);
    if (strcmp(p->action, "fail") == 0) return true;
    if (strcmp(p->action, "kill") == 0) raise(SIGKILL);
    if (strcmp(p->action, "stop") == 0) raise(SIGSTOP);
    if (strncmp(p->action, "sleep=", 6) == 0)
        clock_sleep(strtoll(p->action + 6, NULL, 10) * NS_PER_MS);
    return false;
}

bool failpoint(const char *stage, const char *step)
{
    pthread_once(&once, points_read);
    bool fails = false;
    for (size_t i = 0; i < point_count; i++) {
        struct point *p = &points[i];
        size_t size = strlen(stage);
        if (strncmp(p->step, stage, size) != 0 || p->step[size] != '.') continue;
        if (strcmp(p->step + size + 1, step) != 0) continue;
        unsigned visit = atomic_fetch_add(&p->visits, 1) + 1;
        if (p->hit == 0 || p->hit == visit) fails = act(p) || fails;
    }
    return fails;
}

int64_t failpoint_clock_ahead_ns(void)
{
    pthread_once(&once, points_read);
    return ahead_ns;
}

#else
typedef int failpoint_not_built; /* a translation unit holds something */
#endif
