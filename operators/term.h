/*
 * Terms: what conditions and templates read of a series, each once however often it is named.
 *
 *     latency_p99_ms[5m]   a column, by its name, over a window
 *     p99[5m]              the same: latency columns without `latency_` and `_ms`
 *     error_ratio          without a window: over the pane
 *     anomaly(latency)     the column latency_level: how far out of the ordinary
 *     anomaly(any)         the largest of all columns that end in _level
 *     absent[10m]          whether the series, which had spans, has had none for so long
 *
 * A window is the pane, a rolling window or a resolution of `history:`, in that order where two are as
 * wide. Scores have no windows: they are read from any slice that has them.
 */
#ifndef OPERATORS_TERM_H
#define OPERATORS_TERM_H

#include "engine/base/buffer.h"
#include "operators/cursor.h"
#include "schemas/row.h"

enum { TERMS_MAX = 32 };

/* What may be named: by a plan, or by what stands in Redis. */
struct vocabulary {
    const struct columns *columns;
    int64_t pane_ns;
    const int64_t *windows_ns;    /* rolling; ends with 0; NULL: none */
    const int64_t *slices_ns;     /* of history; likewise */
    int64_t score_ns;             /* of scored slices; 0: not known */
    const char *const *dimension; /* ends with NULL; NULL: none */
};

enum unit {
    UNIT_NUMBER, /* nothing in particular */
    UNIT_COUNT,
    UNIT_MS,
    UNIT_NS,
    UNIT_RATIO, /* 0..1 */
    UNIT_SHARE, /* likewise, but it may be below and beyond: what is left of a budget */
    UNIT_LEVEL, /* enum score_level */
};

enum term_kind { TERM_COLUMN, TERM_ANOMALY, TERM_ABSENT };

struct term {
    enum term_kind kind;
    int column;        /* TERM_COLUMN */
    int64_t window_ns; /* width of its rows; 0: of any slice that has a value */
    bool rolling;
    enum unit unit;
    struct bytes text; /* as written first; borrowed */
};

struct terms {
    struct term term[TERMS_MAX];
    uint32_t count;
    uint64_t levels[2]; /* a bit for each column that ends in _level */
};

/* An empty list over what may be named. */
void terms_init(struct terms *terms, const struct vocabulary *v);

/* What a name at the start of a term or of a match stands for. */
enum naming { NAMES_NOTHING, NAMES_COLUMN, NAMES_DIMENSION };
/*
 * returns  NAMES_COLUMN, `*column` its number, `*short_form` whether its unit does not stand in it; a
 *          column goes before a dimension of the same name
 */
enum naming vocabulary_find(
    const struct vocabulary *v, struct bytes name, int *column, bool *short_form);

/*
 * Take a term whose name stands at the cursor.
 *
 * term        its number in `terms`
 * short_form  as vocabulary_find; NULL is fine
 * returns     ST_OK; ST_FATAL: no such column, window or score, or more than TERMS_MAX, with its column
 */
enum status term_take(struct cursor *c, const struct vocabulary *v, struct terms *terms,
    uint32_t *term, bool *short_form, struct error *err);

/* ST_FATAL at byte `at`: nothing is called `name`, and what is nearest. */
enum status term_unknown(const struct cursor *c, size_t at, const struct vocabulary *v,
    struct bytes name, struct error *err);

/* Whether a row says something of a term: it is of its window, or has the score. */
bool term_reads(const struct terms *terms, const struct term *term, const struct row *row);
/* The term's value in such a row; NaN: absent. */
double term_value(const struct terms *terms, const struct term *term, const struct row *row);

extern const char *const level_name[]; /* by enum score_level: "none", "notice", "page" */

/* Append a value as a person reads it: 612ms, 3.4%, 120, page; "absent" for NaN. */
void value_show(double value, enum unit unit, struct buffer *out);

#endif
