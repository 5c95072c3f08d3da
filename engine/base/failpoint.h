/*
 * Named places where a test build kills, stops or slows the process on purpose, or lets a call fail.
 *
 *     WEIR_FAILPOINT=combine.sent:3:kill,sink.applied:1:sleep=2000
 *
 * Each is STEP:HIT:ACTION. HIT is the number of the visit that acts, from 1 on; 0 is every visit.
 *   kill      SIGKILL
 *   stop      SIGSTOP, until someone sends SIGCONT
 *   sleep=MS  hold this thread
 *   fail      failpoint() gives true, and the caller does as if its call had failed
 * WEIR_CLOCK_AHEAD_MS puts this process's wall clock ahead (or, negative, behind).
 *
 * Only builds with -DWEIR_FAILPOINTS=ON have any of this: what users get has no such places.
 * threads  any
 */
#ifndef ENGINE_BASE_FAILPOINT_H
#define ENGINE_BASE_FAILPOINT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef WEIR_FAILPOINTS
bool failpoint(const char *stage, const char *step); /* STEP is "<stage>.<step>" */
int64_t failpoint_clock_ahead_ns(void);
#else
static inline bool failpoint(const char *stage, const char *step)
{
    (void)stage;
    (void)step;
    return false;
}
static inline int64_t failpoint_clock_ahead_ns(void)
{
    return 0;
}
#endif

#endif
