/*
 * The series of one aggregate partition: admitted under limits, forgotten when idle.
 */
#ifndef ENGINE_SERIES_H
#define ENGINE_SERIES_H

#include "engine/plan.h"
#include "engine/states.h"
#include "schemas/partial.h"

/* Slices of one level that hold something, by ascending index. */
struct slice {
    int64_t index; /* start / width */
    void *cell;    /* owned, never empty */
};

struct slices {
    struct slice *slice;
    uint32_t count, capacity;
};

struct series {
    struct bytes key;       /* view and dimension values, as found in partials */
    struct bytes name;      /* canonical spelling */
    uint64_t hash;          /* of key */
    uint32_t service;       /* index in the table of services; UINT32_MAX: counted under none */
    bool active;            /* is in series_table.active */
    bool changed;           /* since its last provisional row */
    bool awake;             /* an operator waits for what silence will bring */
    uint8_t rolled;         /* bit a window: its last rolling row was not empty */
    int64_t newest_pane;    /* that anything arrived for or in; PANE_NONE: nothing did */
    int64_t closed_pane;    /* the newest closed one that held spans; PANE_NONE: none did */
    int64_t provisional_ms; /* send time of its last provisional row */
    struct slices level[LEVELS_MAX];
    void *sum[WINDOWS_MAX]; /* of the newest slices of each window; NULL: empty */
    uint64_t concerned;     /* the operators that have to do with it, see engine/states.h */
    void *states;           /* theirs; owned, by malloc */
};

struct series_limits {
    uint64_t series, per_service; /* of this partition */
};

struct service_count {
    uint64_t hash;
    uint64_t series;
};

struct series_table {
    const struct plan *plan;
    struct series_limits limits;
    uint32_t partition;
    struct pool *pool;      /* of everything below; the caller's */
    struct series **series; /* in order of admission */
    size_t count, capacity;
    struct series **active; /* those that hold something, in order of becoming so */
    size_t actives;
    uint32_t *slot; /* index + 1 in `series`, by hash */
    size_t slots;
    struct service_count *service;
    size_t services, services_max;
    uint64_t overflowed; /* cells that went to an overflow series */
    uint64_t evicted;
    struct buffer key; /* scratch */
};

void series_table_init(
    struct series_table *table, const struct plan *plan, uint32_t partition, struct pool *pool);
void series_table_release(struct series_table *table);

/* The series of a partial's cell: found, admitted, or the overflow series where a limit is reached. */
struct series *series_of(struct series_table *table, const struct partial_cell *cell);

/* The series with this key, admitted without regard to limits: for reading a snapshot. */
struct series *series_restore(struct series_table *table, struct bytes key);

/* Go by other limits and operators from here on; the states are the caller's to bring over. */
void series_table_settle(struct series_table *table, const struct plan *plan);

/* The view that it belongs to; UINT32_MAX: it is what was over the limits of one. */
uint32_t series_view(const struct series *series);

void series_activate(struct series_table *table, struct series *series);
void series_rest(
    struct series_table *table); /* drop those that hold nothing from `active`, keeping the order */
void series_evict(struct series_table *table, int64_t before_pane); /* forget those idle since */

/* The slice of `index`, or NULL. */
struct slice *slices_find(const struct slices *slices, int64_t index);
/* The cell of `index`, made if there is none. */
void *slices_at(
    struct slices *slices, int64_t index, const struct cell_layout *layout, struct pool *pool);
void slices_prune(
    struct slices *slices, int64_t before, const struct cell_layout *layout, struct pool *pool);

#endif
