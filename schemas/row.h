/*
 * One series over one closed window: what operators fill in and sinks show.
 */
#ifndef SCHEMAS_ROW_H
#define SCHEMAS_ROW_H

#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"

enum {
    THRESHOLDS_MAX = 8,
    QUANTILES_MAX = 8,
    SCORES_MAX = 96, /* columns that window operators add */
    COLUMN_NAME_BYTES = 48,
    EXEMPLARS_MAX = 8,   /* of one row, all kinds together */
    ERROR_KINDS_MAX = 8, /* told of one row */
};

struct sketch;

/* Columns up to COLUMN_INTEGERS hold integers, the others doubles. */
enum column {
    COLUMN_SPANS,    /* spans counted */
    COLUMN_ERRORS,   /* spans with status ERROR */
    COLUMN_LATE,     /* of `spans`, those that revised a closed pane */
    COLUMN_TOO_LATE, /* spans that arrived in this pane, too late for their own: not in `spans` */
    COLUMN_SKEWED,   /* of `spans`, those that ended after their record's timestamp + skew */
    COLUMN_LATENCY_SUM_NS, /* ns */
    COLUMN_THRESHOLD,      /* spans no slower than threshold 0, 1, ...: latency_le_250ms */
    COLUMN_INTEGERS = COLUMN_THRESHOLD + THRESHOLDS_MAX,
    COLUMN_RATE_PER_S = COLUMN_INTEGERS,
    COLUMN_ERROR_RATIO,     /* 0..1 */
    COLUMN_LATENCY_MEAN_MS, /* ms; latency columns are absent without spans */
    COLUMN_LATENCY_MIN_MS,  /* ms; whole nanoseconds, exact as a double */
    COLUMN_LATENCY_MAX_MS,
    COLUMN_APDEX,                                   /* 0..1, absent without `apdex` in the plan */
    COLUMN_CAPTURE_RATIO,                           /* 0..1: spans counted / spans known of */
    COLUMN_QUANTILE,                                /* ms: latency_p50_ms, latency_p99.9_ms */
    COLUMN_SCORE = COLUMN_QUANTILE + QUANTILES_MAX, /* written by window operators */
    COLUMN_COUNT = COLUMN_SCORE + SCORES_MAX,
};
_Static_assert(COLUMN_COUNT <= 128, "row.filled is one bit a column, in two words");

/* The names of the columns under a plan; "" for those that it does not have. */
struct columns {
    char name[COLUMN_COUNT][COLUMN_NAME_BYTES];
};

/* The column called `name`, or -1. */
int columns_find(const struct columns *columns, struct bytes name);

enum row_status {
    ROW_PROVISIONAL = 0, /* the pane is still open */
    ROW_FINAL,           /* closed: all on-time spans, exactly once */
    ROW_REVISED,         /* final, and late spans since */
};
extern const char *const row_status_name[]; /* "provisional", "final", "revised" */

union value {
    uint64_t integer;
    double number;
};

/* A trace worth looking at. */
enum exemplar_kind { EXEMPLAR_SLOW = 0, EXEMPLAR_ERROR, EXEMPLAR_TYPICAL };
extern const char *const exemplar_kind_name[]; /* "slow", "error", "typical" */

struct exemplar {
    uint8_t kind; /* enum exemplar_kind */
    uint8_t trace_id[16];
    uint64_t duration_ns; /* of the span that it was chosen for */
};

/* Failed spans that failed alike: exception type (or status code), and message with its literals masked. */
struct error_kind {
    struct bytes type, message;
    uint64_t count;
    uint8_t trace_id[16];
};

struct row {
    struct bytes series; /* canonical spelling: service=checkout;operation=GET%20%2F;kind=SERVER */
    int64_t start_ns;    /* inclusive, since the Unix epoch */
    int64_t end_ns;      /* exclusive */
    bool rolling;        /* a rolling window; else an aligned slice for history */
    enum row_status status;
    bool scored;        /* a slice of `score_every`: what anomalies are scored on */
    uint64_t filled[2]; /* a bit for each column that has a value */
    union value value[COLUMN_COUNT];
    struct bytes sketch; /* latency sketch in wire form, empty where the plan keeps none */
    int64_t record_ms;   /* newest record timestamp of the partials that closed it; 0: none */
    int64_t sent_ms;     /* when combine sent the newest of them */
    struct exemplar exemplar[EXEMPLARS_MAX]; /* by kind, the slowest first */
    uint32_t exemplars;
    struct error_kind error_kind[ERROR_KINDS_MAX]; /* the most frequent first; texts borrowed */
    uint32_t error_kinds;
    uint64_t errors_else;         /* failed spans of kinds that are not told */
    const struct sketch *latency; /* of the window, for operators; NULL: none. Not encoded */
};

static inline void row_set_integer(struct row *row, int column, uint64_t integer)
{
    row->value[column].integer = integer;
    row->filled[column / 64] |= UINT64_C(1) << (column % 64);
}

static inline void row_set_number(struct row *row, int column, double number)
{
    row->value[column].number = number;
    row->filled[column / 64] |= UINT64_C(1) << (column % 64);
}

static inline void row_clear(struct row *row, int column)
{
    row->filled[column / 64] &= ~(UINT64_C(1) << (column % 64));
}

static inline bool row_has(const struct row *row, int column)
{
    return (row->filled[column / 64] >> (column % 64) & 1) != 0;
}

/* A column's value as a double, whichever it holds; the column must be filled. */
static inline double row_number(const struct row *row, int column)
{
    return column < COLUMN_INTEGERS ? (double)row->value[column].integer
                                    : row->value[column].number;
}

enum alert_state { ALERT_INACTIVE = 0, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED };
extern const char *const alert_state_name[];

enum { MEMBERS_MAX = 20 /* named in one alert */ };

/* What is most out of the ordinary of a series. */
struct standout {
    struct bytes
        name; /* as in `X_z`: latency, errors, spans or a column; empty: nothing is scored */
    double z, p, value, expected;
    double shift;   /* how far from expected, on a logarithmic scale; NaN: unknown */
    double mean_ms; /* of its spans; NaN: none */
};

/* A series that fires together with others. */
struct member {
    struct bytes series;
    struct standout signal;
};

/* One transition of one rule, on one series or on those that fire together. */
struct alert {
    char id[33];       /* hex; the same for firing and resolved, and over re-runs */
    struct bytes rule; /* its name in config */
    struct bytes series;
    enum alert_state state; /* ALERT_FIRING or ALERT_RESOLVED */
    struct bytes severity;
    struct bytes condition; /* of the rule, as written */
    double value;        /* the condition's first value at the transition; NaN when it has none */
    int64_t since_ns;    /* event time from which the condition held */
    int64_t at_ns;       /* event time of the transition: the end of the pane */
    int64_t sent_ms;     /* as in struct row */
    struct bytes labels; /* a JSON object of texts; empty: none */
    struct bytes annotations; /* likewise */
    struct standout signal;
    struct exemplar exemplar[EXEMPLARS_MAX];
    uint32_t exemplars;
    struct error_kind error_kind[ERROR_KINDS_MAX];
    uint32_t error_kinds;
    uint64_t errors_else;
    bool together; /* over several series: `series` is the likely cause when it began */
    bool changed;  /* firing before: its members are others now */
    struct member member[MEMBERS_MAX]; /* the likely cause first */
    uint32_t members;
    uint64_t members_in_all;
};

/* One record of the rows topic, as read back: everything borrows from the record. */
struct column_value {
    struct bytes name;
    bool is_integer;
    union value value;
};

struct output {
    uint64_t plan; /* fingerprint */
    bool is_alert;
    struct alert alert;
    struct row row; /* `value` and `filled` are unused; see `column` */
    struct column_value column[COLUMN_COUNT];
    uint32_t columns;
};

/* Append one record value to `out`. source: schemas/row.proto */
void row_encode(
    const struct row *row, const struct columns *columns, uint64_t plan, struct buffer *out);
void alert_encode(const struct alert *alert, uint64_t plan, struct buffer *out);
/* returns  ST_OK; ST_FATAL for a version that this build does not know; ST_SKIP if malformed */
enum status output_decode(struct bytes record, struct output *out, struct error *err);

#endif
