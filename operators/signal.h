/*
 * A signal is something of a series that is scored window by window against its own past: failures,
 * latency, throughput, or any column. Each knows how its numbers come about; what is made of the
 * scores is the same for all (operators/alarm.h, operators/anomaly.c).
 */
#ifndef OPERATORS_SIGNAL_H
#define OPERATORS_SIGNAL_H

#include "engine/base/zone.h"
#include "operators/evidence.h"
#include "schemas/row.h"

#include <stddef.h>

/* What a signal is made for, the same for all series. */
struct signal_context {
    int column;       /* of `of`, for signal_column */
    const char *name; /* of that column */
    int64_t window_ns;
    uint32_t an_hour; /* windows that lie in one, at least 1 */
    uint32_t a_day;
    uint32_t sketch_scale;
    uint32_t warmup; /* windows to learn from before anything is said */
    bool up, down;   /* which side is looked at, where either may be bad */
    const struct zone *zone;
};

/* What is said of one window. */
struct assessment {
    bool is_learned;            /* the window was one to learn from */
    bool is_scored;             /* and there is a score: all of the below */
    double z;                   /* signed */
    double p;                   /* of the window alone; never too small */
    double surprise;            /* of the window and the run that it ends; never too small */
    double sustained;           /* z of the run, signed */
    double excess;              /* beyond adaptive limits, in widths: the onset; 0: none */
    double limits_z;            /* the same as a normal deviate */
    double limits_p;            /* where there is excess: by the limits' own account */
    int direction;              /* of what is furthest: 1 up, -1 down */
    bool is_notable;            /* out of the ordinary by itself, or by its run */
    bool goes_on;               /* an episode, if there is one, does not end with this window */
    double spans, harmed;       /* to go by when the episode is to be worth a page */
    double expected, low, high; /* what is usual, in the signal's unit; for drawing */
};

struct signal {
    const char *name;
    size_t state_bytes;                  /* plain bytes, a multiple of 8, zeroed: nothing learned */
    bool minds_silence;                  /* windows without spans are scored too */
    uint32_t (*seen)(const void *state); /* windows learned */
    void (*observe)(const struct signal_context *context, void *state, const struct row *row,
        struct assessment *out);
};

extern const struct signal signal_errors, signal_latency, signal_spans, signal_column;

/* A z from which on a window is part of an episode that has begun, and the run of three likewise. */
#define GOES_ON_Z 2.0
/* A z of the run that takes more than one window. */
#define RUN_Z 4.0

/* Windows that a model learns before its deviates are taken for evidence. */
enum { SIGNAL_YOUNG = 20 };

/*
 * What the z of a count or a mean amounts to, with what is known of its series.
 *
 * tail_p  one-sided, never too small, of the side that z is on
 */
void signal_weigh(
    struct evidence *evidence, double z, double tail_p, bool two_sided, struct assessment *out);

#endif
