/*
 * The plan: what every worker of one `name` must agree on, worked out from the config.
 *
 * Its fingerprint stands in every partial, row and snapshot; data of another plan is refused.
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/config.h"
#include "operators/measure.h"
#include "schemas/row.h"

enum {
    LEVELS_MAX = 8,
    WINDOW_SLICES_MAX = 12,
};

enum dimension_source {
    DIMENSION_SERVICE,
    DIMENSION_OPERATION,
    DIMENSION_KIND,
    DIMENSION_ATTRIBUTE
};

struct plan_view {
    uint32_t dimensions;
    struct {
        const char *name;
        enum dimension_source source;
        uint32_t attribute; /* index in plan->projection, for DIMENSION_ATTRIBUTE */
    } dimension[VIEW_DIMENSIONS_MAX];
    bool entry_only; /* the `service` view counts SERVER and CONSUMER spans only */
};

/* A level of aligned slices: level 0 is the panes, each level is merged from a finer one. */
struct plan_level {
    int64_t width_ns;
    uint32_t from;   /* the finer level it is merged from; 0 for level 0 */
    uint32_t fan_in; /* slices of `from` in one slice */
    int64_t keep;    /* closed slices kept: for windows over it and for revisions */
    bool history;    /* its slices become rows */
    bool sketches;   /* and those carry their sketch */
};

/* A rolling window: the newest `slices` of a level, a row at the end of each. */
struct plan_window {
    int64_t width_ns;
    uint32_t level;
    uint32_t slices; /* <= 12 */
};

struct plan {
    uint64_t fingerprint;
    int64_t pane_ns;
    int64_t allowed_lateness_ns;
    uint32_t partitions;
    uint32_t views;
    struct plan_view view[VIEWS_MAX];
    struct projection projection;
    uint32_t levels;
    struct plan_level level[LEVELS_MAX];
    uint32_t windows;
    struct plan_window window[WINDOWS_MAX];
    bool scored;          /* an operator scores slices of score_level */
    uint32_t score_level; /* that of `score_every` */
    struct measuring measuring;
    struct columns columns;
    uint32_t score_columns; /* those that say how far a score is out of the ordinary: X_level */
    int score_column[SCORES_MAX];
    struct cell_layout layout;
    const struct config *config; /* operators and limits; outlives the plan */
};

/*
 * plan     points into itself: it stays where it is
 * config   its operators are prepared: columns found and named
 * returns  ST_OK; ST_FATAL, naming the key that cannot be planned and what could
 */
enum status plan_init(struct plan *plan, const struct config *config, struct error *err) MUST_USE;

/*
 * Work out levels and windows: which slices each rolling window is made of, and those from which.
 *
 * plan     has its pane and allowed lateness; its levels and windows are filled in
 * returns  ST_OK; ST_FATAL, naming the window that cannot be made and the nearest that can
 */
enum status plan_levels_init(
    struct plan *plan, const struct config *config, struct error *err) MUST_USE;

/* What the fingerprint covers, one `key: value` a line: two plans that differ differ here. */
void plan_describe(const struct plan *plan, struct buffer *out);

#endif
