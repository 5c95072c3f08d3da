#include "engine/cost.h"

#include "sinks/redis_key.h"

/* Bytes, measured in Redis 7.0 with the layout of sinks/REDIS.md and in weir itself. */
#define ROW_BYTES      80.0   /* a compact row, a field of a listpack */
#define SKETCH_BYTES   120.0  /* likewise a sketch of a minute's spans of a usual series */
#define KEY_BYTES      180.0  /* a key with a series in its name, its expiry and its hash */
#define SCORE_BYTES    42.0   /* likewise a scored slice of one signal */
#define NOW_BYTES      1400.0 /* one window's JSON row, with traces */
#define INDEX_BYTES    150.0  /* a series in the indexes */
#define ALERT_BYTES    400.0  /* one transition in the stream */
#define OUTGROWN_BYTES 400.0  /* what a cell's sketch and traces take besides the cell */
#define PARTIAL_LEAST  100.0  /* a delta of a few spans */
#define PARTIAL_MOST   500.0  /* a delta of thousands */

static double history_bytes(const struct history *history)
{
    double slices = (double)history->retain_ns / (double)history->resolution_ns;
    double keys = slices / REDIS_BUCKET_SLICES + 2; /* the one being filled, the one expiring */
    double bytes = slices * ROW_BYTES + keys * KEY_BYTES;
    if (history->sketches) bytes += slices * SKETCH_BYTES + keys * KEY_BYTES;
    return bytes;
}

static double redis_bytes(const struct plan *plan)
{
    const struct config *c = plan->config;
    double bytes =
        INDEX_BYTES + KEY_BYTES + (plan->windows + 2) * NOW_BYTES; /* the pane, the scores */
    for (size_t i = 0; i < c->histories; i++) {
        bytes += history_bytes(&c->history[i]);
        if (!plan->scored || c->history[i].resolution_ns != c->score_ns) continue;
        double slices = (double)c->history[i].retain_ns / (double)c->score_ns;
        bytes += (double)plan->score_columns * slices * SCORE_BYTES;
    }
    return bytes;
}

static double state_bytes(const struct plan *plan, double cell_bytes)
{
    double cells = plan->windows;
    for (uint32_t i = 0; i < plan->levels; i++)
        cells += (double)plan->level[i].keep;
    double bytes = cells * cell_bytes;
    for (size_t i = 0; i < plan->config->operator_count; i++) {
        const struct operator_instance *o = &plan->config->operators[i];
        bytes += (double)o->operator_->state_bytes(o->self);
    }
    return bytes;
}

struct cost cost_of(const struct plan *plan)
{
    const struct config *c = plan->config;
    double cell_bytes = (double)plan->layout.bytes + OUTGROWN_BYTES;
    double epochs_s = 1e9 / (double)c->epoch_ns;
    int64_t open_ns = c->max_ahead_ns + c->lateness_ns + c->skew_ns;
    struct cost cost = {
        .redis_bytes_per_series = redis_bytes(plan),
        .redis_bytes_fixed = (double)c->limits.alerts * ALERT_BYTES,
        .state_bytes_per_series = state_bytes(plan, cell_bytes),
        .open_panes = open_ns / plan->pane_ns + 1,
        .partial_bytes_s_least = PARTIAL_LEAST * epochs_s,
        .partial_bytes_s_most = PARTIAL_MOST * epochs_s,
        /* A span may end with its pane or begin it; combine and aggregate take an epoch each. */
        .final_least_ns = c->lateness_ns + c->epoch_ns,
        .final_most_ns = plan->pane_ns + c->lateness_ns + 2 * c->epoch_ns,
        .provisional_ns = c->provisional_ns == 0 ? 0 : c->provisional_ns + 2 * c->epoch_ns,
    };
    cost.open_bytes_per_series = (double)cost.open_panes * cell_bytes;
    return cost;
}
