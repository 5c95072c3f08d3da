/*
 * What a series' scores are worth: nothing, a notice, or a page.
 *
 * An episode begins with evidence, and ends with the third window in a row that looks like any other;
 * its level only rises. Evidence is
 *
 *   a notice  z streams or values beyond their adaptive limits (operators/limits.h: z of about 4.3 for
 *             counts and latency, 3.7 for other columns); or the fleet's verdict, if `surprise` is
 *             at most 1e-4 by itself, once in a week of a series
 *   a page    limits by whose own account p is below 3e-5 (z of about 5.7 for counts and latency); or
 *             the fleet's verdict, if `surprise` is at most 2e-5 by itself, once in five weeks
 *
 * The fleet's verdict alone would not do: it says how many of all findings are false, so that in a
 * fleet of three series it names one by chance every hour.
 *
 * And nobody is paged for a handful, or for a minute: an episode is a page only once it holds 20 spans,
 * or should have, has harmed 3 more than expected, and has a second notable window.
 */
#ifndef OPERATORS_ALARM_H
#define OPERATORS_ALARM_H

#include "operators/operator.h"
#include "operators/signal.h"

/* Plain bytes; zeroed: all is quiet. */
struct alarm {
    float spans, harmed; /* of the episode, and of the windows just before that led to it */
    uint8_t evidence;    /* enum score_level: the most there was in this episode */
    uint8_t windows;     /* of the episode that are notable, up to PAGE_WINDOWS */
    uint8_t calm;        /* windows in a row that look like any other */
    int8_t direction;    /* of the newest evidence */
    uint8_t permits;     /* enum score_level: what the fleet's verdict may make of this window */
    uint8_t unused[3];
};

void alarm_observe(struct alarm *alarm, const struct assessment *window);

/* The fleet's verdict on the window just observed. */
void alarm_judge(struct alarm *alarm, enum score_level verdict);

enum score_level alarm_level(const struct alarm *alarm);

#endif
