/*
 * A measure is what a pane remembers of its spans.
 *
 * Its state is a commutative monoid:
 *
 *   1. The zeroed state is empty.
 *   2. merge(a, b) is the state of a's spans and b's together, in any order and any grouping.
 *   3. subtract(merge(a, b), b) is a, to the bit, or subtract says that it is not yet: what has no
 *      inverse (minimum, maximum, traces) is left as it was, and `refold` merges it from the slices.
 *   4. encode is canonical: equal content, equal bytes. decode(encode(a)) is a.
 *
 * State is integers. What outgrows it lives in the caller's pool and is given back by `release`.
 * tests/unit/test_measure_laws.c holds every entry of measures[] to all four.
 */
#ifndef OPERATORS_MEASURE_H
#define OPERATORS_MEASURE_H

#include "engine/base/buffer.h"
#include "engine/base/pool.h"
#include "schemas/row.h"
#include "schemas/span.h"

/* Spans that one encoded state may speak of: 2^16 of them merge before 64 bits overflow. */
#define MEASURE_COUNT_MAX (UINT64_C(1) << 48)

enum {
    MEASURES_MAX = 8,
    CELL_BYTES_MAX = 512, /* all fixed states of a cell together */
};

/* What the plan says about measuring; the same on every worker. */
struct measuring {
    uint32_t scale; /* of the latency sketch: 5, 6 or 7 */
    uint32_t thresholds;
    uint64_t threshold_ns[THRESHOLDS_MAX]; /* ascending */
    uint32_t quantiles;
    double quantile[QUANTILES_MAX]; /* 0..1 ascending; report only */
    int apdex;                      /* index of the satisfied threshold T, -1: none */
    int apdex_tolerating;           /* index of 4T */
};

struct measure {
    const char *name;
    uint32_t
        wire_id; /* field number in Cell, schemas/partial.proto; a changed layout takes a new one */
    bool sees_too_late; /* also folds spans that are too late to be counted */

    size_t (*state_bytes)(const struct measuring *m); /* fixed part, a multiple of 8 */
    void (*fold)(const struct measuring *m, void *restrict state, const struct span *span,
        struct pool *pool);
    void (*merge)(const struct measuring *m, void *restrict state, const void *restrict other,
        struct pool *pool);
    /* returns  whether `part` had given something that only a refold can take away */
    bool (*subtract)(const struct measuring *m, void *restrict state, const void *restrict part,
        struct pool *pool);
    /* After subtract: clear what has no inverse, then once per remaining slice merge it. NULL: all has. */
    void (*refold_begin)(const struct measuring *m, void *restrict state, struct pool *pool);
    void (*refold)(const struct measuring *m, void *restrict state, const void *restrict slice,
        struct pool *pool);
    void (*release)(
        const struct measuring *m, void *state, struct pool *pool); /* NULL: nothing outgrows */
    /*
     * What fold of `span` will touch in the pool, NULL: what encode will, for who fetches it ahead of
     * them; empty where that is nothing, or seldom anything. NULL: little.
     */
    struct bytes (*outgrown)(const void *state, const struct span *span);
    /* Append the content, without field number or length; nothing for the empty state. */
    void (*encode)(const struct measuring *m, const void *state, struct buffer *out);
    /* Merge encoded content into `state` (so decoding into an empty state restores it). ST_SKIP: malformed. */
    enum status (*merge_encoded)(const struct measuring *m, void *state, struct bytes encoded,
        struct pool *pool, struct error *err);
    void (*report)(const struct measuring *m, const void *state, struct row *row);
};

extern const struct measure *const measures[]; /* ends with NULL; in this order in a cell */

/* The latency sketch of a latency state, borrowed. */
const struct sketch *latency_sketch(const void *state);
/* Append the latency sketch of a latency state in wire form (operators/sketch.h); nothing when empty. */
void latency_sketch_encode(const struct measuring *m, const void *state, struct buffer *out);

/*
 * A cell: the states of all measures side by side, 16-byte aligned, `cell_bytes` long.
 */
struct cell_layout {
    const struct measuring *m;
    uint32_t count;
    uint32_t offset[MEASURES_MAX]; /* of each measure's state in the cell */
    uint32_t bytes;
    uint32_t outgrowing[MEASURES_MAX]; /* measures that have `outgrown` */
    uint32_t outgrowings;
};

void cell_layout_init(struct cell_layout *layout, const struct measuring *m);
/* What a fold of `span`, NULL: an encoding, will touch in the pool; returns  how many pieces there are */
uint32_t cell_outgrown(const struct cell_layout *layout, const void *cell, const struct span *span,
    struct bytes piece[MEASURES_MAX]);
void *cell_new(const struct cell_layout *layout, struct pool *pool);             /* empty */
void cell_free(const struct cell_layout *layout, void *cell, struct pool *pool); /* NULL is fine */
void cell_fold(
    const struct cell_layout *layout, void *cell, const struct span *span, struct pool *pool);
void cell_merge(const struct cell_layout *layout, void *cell, const void *other, struct pool *pool);
/* returns  a bit for each measure that must be folded again from what remains */
uint32_t cell_subtract(
    const struct cell_layout *layout, void *cell, const void *part, struct pool *pool);
/* which  bits as from cell_subtract; measures of other bits, and those that have an inverse, are left alone */
void cell_refold_begin(
    const struct cell_layout *layout, void *cell, uint32_t which, struct pool *pool);
void cell_refold(const struct cell_layout *layout, void *cell, uint32_t which, const void *slice,
    struct pool *pool);
/* Each non-empty state as a length-delimited field numbered wire_id. */
void cell_encode(const struct cell_layout *layout, const void *cell, struct buffer *out);
/* One such field. ST_FATAL: no measure of this build has that number, a newer version wrote it. */
enum status cell_merge_encoded(const struct cell_layout *layout, void *cell, uint32_t wire_id,
    struct bytes encoded, struct pool *pool, struct error *err);
/* The cell's latency sketch, borrowed from it. */
const struct sketch *cell_latency(const struct cell_layout *layout, const void *cell);
void cell_report(const struct cell_layout *layout, const void *cell, struct row *row);
/* Append the cell's latency sketch in wire form, for rows that carry one; nothing when empty. */
void cell_sketch(const struct cell_layout *layout, const void *cell, struct buffer *out);

#endif
