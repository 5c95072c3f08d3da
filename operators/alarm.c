#include "operators/alarm.h"

#define FLEET_NOTICE_P 1e-4
#define FLEET_PAGE_P   2e-5
#define SPANS_MIN      20.0f
#define HARMED_MIN     3.0f

enum { CALM_WINDOWS = 3, PAGE_WINDOWS = 2 };

static void raise_to(struct alarm *alarm, enum score_level level)
{
    if (alarm->evidence < level) alarm->evidence = (uint8_t)level;
    alarm->calm = 0;
}

static enum score_level own_evidence(const struct assessment *window)
{
    if (!(window->excess > 0)) return SCORE_NONE;
    if (window->limits_p < LIMITS_PAGE_P) return SCORE_PAGE;
    bool beyond = window->excess > LIMITS_NOTICE && window->limits_p < LIMITS_NOTICE_P;
    return beyond ? SCORE_NOTICE : SCORE_NONE;
}

static enum score_level permitted(const struct assessment *window)
{
    if (!(window->surprise <= FLEET_NOTICE_P)) return SCORE_NONE;
    return window->surprise <= FLEET_PAGE_P ? SCORE_PAGE : SCORE_NOTICE;
}

void alarm_observe(struct alarm *alarm, const struct assessment *window)
{
    alarm->permits = SCORE_NONE;
    if (!window->is_scored || !window->goes_on) {
        if (alarm->calm < CALM_WINDOWS) alarm->calm++;
        if (alarm->calm == CALM_WINDOWS) *alarm = (struct alarm){.calm = CALM_WINDOWS};
    } else {
        alarm->calm = 0;
    }
    if (!window->is_scored) return;

    enum score_level own = own_evidence(window);
    alarm->permits = (uint8_t)permitted(window);
    alarm->direction = (int8_t)window->direction;
    if (own != SCORE_NONE) raise_to(alarm, own);
    if (!window->goes_on) return; /* calm: what it holds harms nobody */
    if (window->is_notable && alarm->windows < PAGE_WINDOWS) alarm->windows++;
    alarm->spans += (float)window->spans;
    alarm->harmed += (float)window->harmed;
}

void alarm_judge(struct alarm *alarm, enum score_level verdict)
{
    if (verdict > (enum score_level)alarm->permits) verdict = (enum score_level)alarm->permits;
    if (verdict != SCORE_NONE) raise_to(alarm, verdict);
}

enum score_level alarm_level(const struct alarm *alarm)
{
    if (alarm->evidence < SCORE_PAGE) return (enum score_level)alarm->evidence;
    bool hurts = alarm->spans >= SPANS_MIN && alarm->harmed >= HARMED_MIN;
    return hurts && alarm->windows >= PAGE_WINDOWS ? SCORE_PAGE : SCORE_NOTICE;
}
