/* The only clocks there are. Nothing in schemas/, operators/ or a state machine may read them. */
#ifndef ENGINE_BASE_CLOCK_H
#define ENGINE_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t clock_ns(void);           /* monotonic: for deadlines */
int64_t clock_wall_ns(void);      /* since the Unix epoch: for comparing with other machines */
void clock_sleep(int64_t for_ns); /* ends early on a signal */

#endif
