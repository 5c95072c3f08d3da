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

enum {
    METRICS_MAX = 16384,            /* what is beyond is not kept, and counted as refused */
    METRICS_OF_NAME_MAX = 2048,     /* so that no name, by its partitions, takes others' room */
    METRIC_LABELS_BYTES_MAX = 1024, /* of one metric, or it is refused, too */
    METRIC_LABEL_BYTES_MAX = 256,   /* of one escaped value; longer ones are cut */
    READY_PARTS_MAX = 32,
};

struct metric;

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_SUMMARY /* of seconds: count, sum, p50, p99 */
};

/*
 * The metric `name` with these labels: found, or made.
 *
 * name     in Prometheus' style, unit last: "weir_spans_total", "weir_redis_apply_seconds"; one
 *          name has one type and one help. With `help`, a literal: kept, not copied
 * labels   printf format of `key="value"` pairs, comma-separated, or NULL; values are escaped by
 *          the caller where they come from outside (metric_label)
 * returns  never NULL, good until the process ends; one that is not shown when there are too many
 * threads  any; takes a lock, so keep the pointer
 */
struct metric *metric_of(enum metric_type type, const char *name, const char *help,
    const char *labels, ...) PRINTF_LIKE(4, 5);

struct metric_label {
    char text[METRIC_LABEL_BYTES_MAX];
};

/*
 * A label's value that comes from outside, escaped, cut if long, and made UTF-8 if it was not:
 *
 *     metric_of(METRIC_GAUGE, "weir_lag_records", help, "topic=\"%s\"", metric_label(topic).text)
 */
struct metric_label metric_label(const char *value);

void metric_add(struct metric *metric, uint64_t by);  /* counters */
void metric_set(struct metric *metric, double value); /* gauges; not shown until set */

/* Summaries: quantiles are of the last 4 to 5 minutes and within 3.2 %; negative counts as 0. */
void metric_observe(struct metric *metric, double seconds);

/* A gauge that no longer applies is not shown until set again: lag of a revoked partition. */
void metric_clear(struct metric *metric);

double metric_value(const struct metric *metric); /* counter or gauge */

/* Append everything in Prometheus text format 0.0.4, the process's own numbers included. */
void metrics_print(struct buffer *out);

/*
 * Readiness: each part says whether it can do its work, and if not why and what to do.
 *
 * part  kept, not copied: "kafka", "redis", "combine"; at most READY_PARTS_MAX of them
 * why   copied; NULL: ready
 */
void ready_set(const char *part, const char *why);
void ready_drop(const char *part); /* it is no part any more */
/*
 * `PART: ready`, or a line for each cause: `PART: STATE: where: what` of engine/trouble.h, or `PART: not
 * ready: why`. true if there are parts and all are ready.
 */
bool ready_print(struct buffer *out);

/*
 * Serve /metrics, /healthz and /readyz.
 *
 * listen   "127.0.0.1:9464", "[::1]:9464", "0.0.0.0:9464"; port 0 picks a free one
 * token    what clients must show but for /healthz; copied. "": none, on this machine only
 * port     out: the port bound
 * returns  ST_OK, or ST_FATAL naming the address and why
 * threads  one; the server has a thread of its own
 */
enum status http_open(
    const char *listen, const char *token, uint16_t *port, struct error *err) MUST_USE;
void http_close(void); /* nothing if it is not open */

/* Could `listen` be served? For checking a config: as http_open, but nothing is opened. */
enum status http_check(const char *listen, const char *token, struct error *err) MUST_USE;

#endif
