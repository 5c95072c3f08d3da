/*
 * anomaly: each slice of `score_every` against the past of its own series.
 *
 * An entry scores one signal: `errors`, `latency` or `spans`, by tests that know how these numbers
 * come about (operators/signal_*.c), or any other column by adaptive limits. Levels are those of
 * operators/alarm.h: what a series' own past says, and the fleet's verdict.
 *
 * For an entry `of: X` a scored row has, once `warmup` windows were learned:
 *
 *   X_z          normal deviate of the window, signed; a z of 4 is as rare as in the normal curve,
 *                where the model fits and where it does not: there the series' own limits count
 *   X_p          of the window alone, two-sided where both sides count; never too small (no mid-p)
 *   X_sustained  z of the run of windows that it ends, signed: small but lasting
 *   X_expected, X_low, X_high
 *                what is usual: errors and spans of the window, ms of mean latency, or the column's
 *                unit. Outside the band |z| is about 3.4
 *   X_direction  1 up, -1 down, 0 where nothing is notable
 *   X_level      0, 1 a notice, 2 a page
 *   X_windows_seen, X_windows_needed
 *                learning: scores are there from the window on when seen reaches needed
 *
 * Rows without the signal (no spans; no latency) have only the last three. Provisional, revised and
 * rolling rows are neither scored nor learned.
 *
 * While a series is silent its throughput goes on being scored, for SILENT_WINDOWS at most; then nothing
 * is said or learned until it has spans again, when an episode that was on is over.
 */
#include "engine/base/hash.h"
#include "operators/alarm.h"
#include "operators/glob.h"
#include "operators/operator.h"
#include "operators/signal.h"
#include "schemas/series_name.h"

#include <math.h>
#include <stdio.h>

enum {
    WARMUP_MIN = 30, /* windows, before any model is worth a word */
    WARMUP_MAX = 100000,
    SILENT_WINDOWS = 60,
};

#define HOUR_NS (INT64_C(3600) * 1000000000)

enum part {
    PART_Z,
    PART_P,
    PART_SUSTAINED,
    PART_EXPECTED,
    PART_LOW,
    PART_HIGH,
    PART_DIRECTION,
    PART_LEVEL,
    PART_SEEN,
    PART_NEEDED,
    PARTS,
};
static const char *const part_name[PARTS] = {"z", "p", "sustained", "expected", "low", "high",
    "direction", "level", "windows_seen", "windows_needed"};

enum direction { DIRECTION_BOTH, DIRECTION_UP, DIRECTION_DOWN };
static const char *const direction_name[] = {"both", "up", "down", NULL};

struct anomaly {
    const char *of;
    uint64_t warmup;
    int direction; /* enum direction */
    const char *service;

    const struct signal *signal;
    struct signal_context context;
    int writes[PARTS]; /* columns */
};

/* What `observe` found, kept for `step`; then the signal's own state. */
struct anomaly_state {
    int64_t end_ns; /* of the window observed last */
    double p, surprise;
    float z, sustained, expected, low, high;
    uint8_t is_scored;
    uint8_t silent;     /* windows without spans, in a row */
    uint8_t is_minding; /* the signal is there without spans */
    uint8_t unused;
    struct alarm alarm;
    uint64_t signal[]; /* [signal->state_bytes / 8] */
};
_Static_assert(sizeof(struct anomaly_state) <= 64, "small: there is one for every series");

static const struct option anomaly_options[] = {
    OPTION(TEXT, anomaly, of, NULL, "what is scored: errors, latency, spans, or a column"),
    OPTION(COUNT, anomaly, warmup, "60", "windows to learn from before the first score"),
    {.key = "direction",
        .type = OPTION_CHOICE,
        .offset = offsetof(struct anomaly, direction),
        .fallback = "both",
        .choices = direction_name,
        .help = "which side of a column or of spans is looked at: both, up, down"},
    OPTION(
        TEXT, anomaly, service, "*", "services scored: a name, * and ? stand for any characters"),
    {0},
};

static const struct signal *const signals[] = {&signal_errors, &signal_latency, &signal_spans};

static enum status anomaly_find(struct anomaly *a, const struct columns *columns, struct error *err)
{
    a->signal = &signal_column;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (strcmp(signals[i]->name, a->of) == 0) a->signal = signals[i];
    }
    if (a->signal != &signal_column) return ST_OK;
    return operator_column("anomaly", a->of, columns, &a->context.column, err);
}

static enum status anomaly_check(const struct anomaly *a, struct error *err)
{
    if (a->warmup < WARMUP_MIN || a->warmup > WARMUP_MAX) {
        return error_set(err, ST_FATAL, 0, "anomaly: warmup of %s is %llu windows, want %d to %d",
            a->of, (unsigned long long)a->warmup, WARMUP_MIN, WARMUP_MAX);
    }
    bool one_sided = a->signal == &signal_errors || a->signal == &signal_latency;
    if (one_sided && a->direction == DIRECTION_DOWN) {
        return error_set(err, ST_FATAL, 0,
            "anomaly: fewer errors or a lower latency is nothing to be told. Remove `direction: "
            "down` of %s.",
            a->of);
    }
    return ST_OK;
}

static enum status anomaly_claim(struct anomaly *a, struct columns *columns, struct error *err)
{
    enum status status = ST_OK;
    for (int part = 0; status == ST_OK && part < PARTS; part++) {
        char name[2 * COLUMN_NAME_BYTES];
        snprintf(name, sizeof(name), "%.47s_%s", a->of, part_name[part]);
        status = operator_claim("anomaly", name, columns, &a->writes[part], err);
    }
    return status;
}

static uint32_t windows_in(int64_t span_ns, int64_t window_ns)
{
    return span_ns > window_ns ? (uint32_t)(span_ns / window_ns) : 1;
}

static enum status anomaly_prepare(
    void *self, const struct operator_context *context, struct error *err)
{
    struct anomaly *a = self;
    enum status status = anomaly_find(a, context->columns, err);
    if (status == ST_OK) status = anomaly_check(a, err);
    if (status != ST_OK) return status;
    a->context.name = context->columns->name[a->context.column];
    a->context.window_ns = context->score_ns;
    a->context.an_hour = windows_in(HOUR_NS, context->score_ns);
    a->context.a_day = windows_in(24 * HOUR_NS, context->score_ns);
    a->context.sketch_scale = context->sketch_scale;
    a->context.warmup = (uint32_t)a->warmup;
    a->context.up = a->direction != DIRECTION_DOWN;
    a->context.down = a->direction != DIRECTION_UP;
    a->context.zone = context->zone;
    return anomaly_claim(a, context->columns, err);
}

/* What was learned stays what it is, however much of it is asked for and of whom. */
static uint64_t anomaly_meaning(const void *self)
{
    const struct anomaly *a = self;
    uint64_t hash = hash_mix(hash_stable(bytes_of(a->of)), (uint64_t)a->direction);
    hash = hash_mix(hash, (uint64_t)a->context.window_ns);
    hash = hash_mix(hash, a->context.sketch_scale);
    return hash_mix(hash, hash_stable(bytes_of(zone_name(a->context.zone))));
}

static bool anomaly_concerns(const void *self, struct bytes series)
{
    const struct anomaly *a = self;
    return glob_matches(bytes_of(a->service), series_name_service(series));
}

static size_t anomaly_state_bytes(const void *self)
{
    const struct anomaly *a = self;
    return sizeof(struct anomaly_state) + a->signal->state_bytes;
}

static bool is_empty(const struct row *row)
{
    return row_has(row, COLUMN_SPANS) && row->value[COLUMN_SPANS].integer == 0;
}

static void keep(struct anomaly_state *s, const struct assessment *window)
{
    s->is_scored = window->is_scored;
    s->p = window->p;
    s->surprise = window->is_scored ? window->surprise : NAN;
    s->z = (float)window->z;
    s->sustained = (float)window->sustained;
    s->expected = (float)window->expected;
    s->low = (float)window->low;
    s->high = (float)window->high;
}

static void anomaly_observe(const void *self, void *state, const struct row *row)
{
    const struct anomaly *a = self;
    struct anomaly_state *s = state;
    struct assessment window = {0};
    if (s->silent == SILENT_WINDOWS && is_empty(row)) {
        keep(s, &window);
        return;
    }
    if (s->silent == SILENT_WINDOWS && row->start_ns != s->end_ns) s->alarm = (struct alarm){0};
    a->signal->observe(&a->context, s->signal, row, &window);
    keep(s, &window);
    alarm_observe(&s->alarm, &window);
    s->end_ns = row->end_ns;
    if (!is_empty(row)) {
        s->silent = 0;
    } else {
        s->is_minding = a->signal->minds_silence && window.is_learned;
        if (s->silent < SILENT_WINDOWS) s->silent++;
    }
}

static double anomaly_surprise(const void *self, const void *state)
{
    (void)self;
    return ((const struct anomaly_state *)state)->surprise;
}

static void anomaly_judge(const void *self, void *state, enum score_level level)
{
    (void)self;
    alarm_judge(&((struct anomaly_state *)state)->alarm, level);
}

static int direction_told(const struct anomaly_state *s)
{
    bool notable = s->alarm.evidence != SCORE_NONE || fabsf(s->z) >= (float)GOES_ON_Z;
    if (!notable) return 0;
    return s->alarm.evidence != SCORE_NONE ? s->alarm.direction : (s->z > 0) - (s->z < 0);
}

static void write_scores(const struct anomaly *a, const struct anomaly_state *s, struct row *row)
{
    row_set_number(row, a->writes[PART_Z], (double)s->z);
    row_set_number(row, a->writes[PART_P], s->p);
    row_set_number(row, a->writes[PART_SUSTAINED], (double)s->sustained);
    row_set_number(row, a->writes[PART_EXPECTED], (double)s->expected);
    row_set_number(row, a->writes[PART_LOW], (double)s->low);
    row_set_number(row, a->writes[PART_HIGH], (double)s->high);
    row_set_number(row, a->writes[PART_DIRECTION], direction_told(s));
}

static void anomaly_step(const void *self, void *state, struct row *row)
{
    const struct anomaly *a = self;
    const struct anomaly_state *s = state;
    if (!row->scored || row->end_ns != s->end_ns) return;
    if (s->is_scored) write_scores(a, s, row);
    row_set_number(row, a->writes[PART_LEVEL], alarm_level(&s->alarm));
    row_set_number(row, a->writes[PART_SEEN], a->signal->seen(s->signal));
    row_set_number(row, a->writes[PART_NEEDED], (double)a->warmup);
}

/* Throughput is learned, so that silence is news; or an episode is on that has to end. */
static bool anomaly_awake(const void *self, const void *state)
{
    const struct anomaly *a = self;
    const struct anomaly_state *s = state;
    if (s->silent >= SILENT_WINDOWS) return false;
    if (alarm_level(&s->alarm) != SCORE_NONE) return true;
    bool minds = a->signal->minds_silence && (s->silent == 0 || s->is_minding);
    return minds && a->signal->seen(s->signal) >= a->context.warmup;
}

extern const struct window_operator window_operator_anomaly;
const struct window_operator window_operator_anomaly = {
    .name = "anomaly",
    .help = "how far a window is out of the ordinary: z, p, what is usual, and a level",
    .options = anomaly_options,
    .self_bytes = sizeof(struct anomaly),
    .prepare = anomaly_prepare,
    .meaning = anomaly_meaning,
    .concerns = anomaly_concerns,
    .state_bytes = anomaly_state_bytes,
    .step = anomaly_step,
    .observe = anomaly_observe,
    .surprise = anomaly_surprise,
    .judge = anomaly_judge,
    .awake = anomaly_awake,
};
