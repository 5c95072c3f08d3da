/*
 * Many series under the operator `anomaly`, driven as the engine drives it: each window is observed,
 * false discovery control looks at all, `step` fills the row.
 */
#ifndef TESTS_CALIBRATE_FLEET_H
#define TESTS_CALIBRATE_FLEET_H

#include "operators/false_discovery.h"
#include "operators/operator.h"
#include "operators/sketch.h"

#include <gsl/gsl_rng.h>

#define WINDOW_NS INT64_C(60000000000)

enum { SKETCH_SCALE = 6, ENTRIES_MAX = 4, EPISODE_GAP = 20, A_DAY = 1440, WARMUP = 60 };

/* What an entry said of a window. */
struct said {
    bool is_scored;
    double z, p, sustained;
    int level, direction;
};

/* An entry of `anomaly:` over all series. */
struct entry {
    const char *of;
    void *self;
    char *states; /* [series] of state_bytes */
    size_t state_bytes;
    int z, p, sustained, level, direction; /* columns */
    double *surprise;                      /* [series] of the window */
};

struct fleet {
    const struct window_operator *op;
    struct columns columns;
    struct pool pool, sketch_pool;
    struct entry entry[ENTRIES_MAX];
    int entries;
    uint32_t series;
    uint32_t window;                         /* the next */
    double *scratch;                         /* [series] */
    bool judged;                             /* whether there is a fleet to go by */
    struct discovery discovery[ENTRIES_MAX]; /* of the newest window */
};

/* Ends the program where setting up fails. */
void must(enum status status, const struct error *err);

/* The columns that rows have here. */
void columns_name(struct columns *columns);

/* config  entries as in a config file, ends with NULL, as {of: errors} */
void fleet_open(struct fleet *fleet, const char *const *config, uint32_t series);
void fleet_close(struct fleet *fleet);

/* Draws one window of one series: fills columns, and adds latencies to `sketch`. */
typedef void (*draw_window)(void *context, uint32_t series, uint32_t window, struct row *row,
    struct sketch *sketch, struct pool *pool);

/* Told of each entry, series and window. */
typedef void (*hear)(void *context, int entry, uint32_t series, uint32_t window, struct said said);

void fleet_run(
    struct fleet *fleet, uint32_t windows, draw_window draw, hear hear_said, void *context);

/* Episodes at a level: windows at it or above, those at most EPISODE_GAP apart being one. */
struct episodes {
    uint64_t last_window; /* + 1; 0: none yet */
    uint64_t count;
};
void episodes_add(struct episodes *episodes, uint32_t window);

#endif
