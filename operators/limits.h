/*
 * Adaptive control limits: how far a value usually strays from 0, on either side, learned as the
 * distances that it passes in 3 of 10 000 windows.
 *
 * A limit steps up when it is passed, by a tenth of the width between the limits at most, and not
 * again for 20 windows: an outlier, or an incident, does not hide the next one. It sinks a little
 * with every window. Nothing is assumed of the distribution.
 *
 * Two channels are watched together: the value of the window (0), and that of the run of windows
 * that it ends (1), which finds what is small but stays.
 *
 * A series that raises alert after alert is believed less for each of them: `backoff`. Of an episode
 * only its onset is told, and what surpasses it: the gate.
 */
#ifndef OPERATORS_LIMITS_H
#define OPERATORS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define LIMITS_ALPHA    3e-4   /* of the windows pass a limit */
#define LIMITS_ALPHA_Z  3.432  /* the normal deviate of that */
#define LIMITS_NOTICE   0.04   /* excess of a notice, and */
#define LIMITS_NOTICE_P 1.8e-4 /* the p that this is once all is learned */
#define LIMITS_PAGE_P   3e-5

enum { CHANNELS = 2, SIDES = 2 * CHANNELS, LIMITS_WARMUP = 60 };

/* Plain bytes; zeroed: nothing learned. */
struct limits {
    float limit[SIDES];  /* up and down of channel 0, then of channel 1 */
    float common[SIDES]; /* passed in 1 of 100 windows: for the shape of the tail */
    float backoff;
    float best; /* excess of the episode so far */
    uint32_t seen;
    uint8_t since[SIDES];    /* windows since the limit stepped up */
    uint8_t best_age, quiet; /* windows since `best`, since an alert */
    uint8_t unused[2];
};

/* What limits never sink below, in the units of each channel, above 0. */
struct limits_floor {
    double value[CHANNELS];
    double z;     /* the normal deviate that a limit at its floor stands for */
    double early; /* windows that pass a limit while few were seen: how fast it is learned */
};

struct limits_score {
    double z; /* of the further channel, at most Z_MAX; 0 or more */
    double
        excess; /* beyond its limit, in widths, less for what was said in vain; at most 0: within */
    double p;   /* of one side, by the shape of its tail; conservative where tails are light */
    int direction; /* 1 up, -1 down */
    int channel;
};

/* sides  a bit for each side that is looked at */
enum { LIMITS_UP = 1 << 0 | 1 << 2, LIMITS_DOWN = 1 << 1 | 1 << 3 };
struct limits_score limits_score(const struct limits *l, const struct limits_floor *floor,
    const double value[CHANNELS], unsigned sides);

/* The z of one channel on its own, signed, within its limits. */
double limits_z(
    const struct limits *l, const struct limits_floor *floor, int channel, double value);

/* Where a limit lies. */
double limits_reach(const struct limits *l, const struct limits_floor *floor, int side);

/* Learn from values scored before. returns whether this excess is told: it is the episode's onset. */
bool limits_learn(struct limits *l, const struct limits_floor *floor, const double value[CHANNELS],
    const struct limits_score *score);

#endif
