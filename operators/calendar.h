/* Days and months of the proleptic Gregorian calendar, without the C library's time zones. */
#ifndef OPERATORS_CALENDAR_H
#define OPERATORS_CALENDAR_H

#include <stdint.h>

/* The month that a moment is in, where clocks are `offset_s` ahead of UTC: 12 * year + 0 for January. */
int64_t calendar_month(int64_t utc_s, int64_t offset_s);

#endif
