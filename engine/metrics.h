/*
 * Numbers that weir keeps about itself, for /metrics, and the states behind /readyz.
 *
 * A metric is found or made once by name and labels and then bumped without a lock.
 */
#ifndef ENGINE_METRICS_H
#define ENGINE_METRICS_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct metric;

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_SUMMARY /* of seconds: count, sum, p50, p99 */
};

/*
 * The metric `name` with these labels: found, or made.
 *
 * labels   printf format of `key="value"` pairs, comma-separated, or NULL; values are escaped by
 *          the caller where they come from outside (metric_label)
 * returns  never NULL, good until the process ends
 * threads  any; takes a lock, so keep the pointer
 */
struct metric *metric_of(enum metric_type type, const char *name, const char *help,
    const char *labels, ...) PRINTF_LIKE(4, 5);

void metric_add(struct metric *metric, uint64_t by);  /* counters */
void metric_set(struct metric *metric, double value); /* gauges */
void metric_observe(
    struct metric *metric, double seconds); /* summaries: kept over the last minutes */
void metric_clear(struct metric
        *metric); /* a gauge that no longer applies is not shown: lag of a revoked partition */
double metric_value(const struct metric *metric); /* counter or gauge */

/* Append everything in Prometheus text format 0.0.4. */
void metrics_print(struct buffer *out);

/*
 * Readiness: each part says whether it can do its work, and if not why and what to do.
 *
 * part  a literal: "kafka", "redis", "combine"
 * why   NULL: ready
 */
void ready_set(const char *part, const char *why);
bool ready_print(struct buffer *out); /* one line a part; true if all are ready */

/*
 * Serve /metrics, /healthz and /readyz.
 *
 * listen   "127.0.0.1:9464"; port 0 picks a free one
 * port     out: the port bound
 * returns  ST_OK, or ST_FATAL naming the address and why
 */
enum status http_open(const char *listen, uint16_t *port, struct error *err) MUST_USE;
void http_close(void);

#endif
