/* Combine and aggregate without Kafka: a plan from config text, spans in, partials and rows out. */
#ifndef TESTS_SUPPORT_PIPELINE_BENCH_H
#define TESTS_SUPPORT_PIPELINE_BENCH_H

#include "engine/aggregate.h"
#include "engine/combine.h"
#include "engine/plan.h"

#define BENCH_S INT64_C(1000000000)
/* Where event time begins in tests: a whole number of every window. */
#define BENCH_EPOCH_NS (INT64_C(1700006400) * BENCH_S)

enum { BENCH_SOURCES_MAX = 8 };

struct bench_plan {
    struct config config;
    struct plan plan;
};

/* What is wrong with the config ends the test. The plan points into itself: it stays where it is. */
void bench_plan_init(struct bench_plan *bench, const char *yaml);
void bench_plan_release(struct bench_plan *bench);

struct bench_span {
    const char *service, *operation;
    uint8_t kind;
    int64_t end_ns; /* since the Unix epoch */
    int64_t duration_ns;
    bool failed;
};

/* Append one OTLP message. */
void bench_message(struct buffer *out, const struct bench_span *span, size_t count);

/* Records of several partitions, one after the other. */
struct bench_log {
    struct bench_entry {
        uint32_t partition;
        uint8_t *data;
        size_t size;
    } * entry;
    size_t count;
};

void bench_log_add(struct bench_log *log, uint32_t partition, struct bytes value);
void bench_log_append(struct bench_log *log, const struct bench_log *other);
void bench_log_release(struct bench_log *log);

static inline struct bytes bench_log_get(const struct bench_log *log, size_t i)
{
    return (struct bytes){log->entry[i].data, log->entry[i].size};
}

/* A combine and the source partitions that it owns, all of topic 0. */
struct bench_worker {
    const struct plan *plan;
    struct combine *combine;
    struct source_clock clock[BENCH_SOURCES_MAX];
    size_t clocks;
    uint32_t partitions; /* of the topic, as it tells aggregate */
};

/* first  the first partition that it owns; memory 0: plenty */
void bench_worker_init(struct bench_worker *worker, const struct bench_plan *bench, uint32_t first,
    uint32_t count, uint32_t partitions, uint64_t memory);
void bench_worker_release(struct bench_worker *worker);

/* Give one record to combine and move the position, as the stage does; ends the test but for ST_OK, ST_SKIP. */
enum status bench_record(struct bench_worker *worker, size_t source, int64_t timestamp_ns,
    const struct bench_span *span, size_t count);

/* End the epoch: its partials are added to `log`. */
void bench_flush(struct bench_worker *worker, int64_t sent_ms, struct bench_log *log);

/* Apply the partials of one partition from the `from`th on; any status but ST_OK ends the test. */
void bench_apply(struct aggregate *a, const struct bench_log *log, uint32_t partition, size_t from,
    struct records *records);

/* What a partition tells the one that looks at all series, as its worker would send it, is added to `log`. */
void bench_tell(const struct bench_plan *bench, const struct aggregate *from,
    const struct records *records, struct bench_log *log);

/* What the records say, a line each but for the clocks of the pipeline. */
struct bench_lines {
    char **line;
    size_t count;
};

void bench_lines_add(struct bench_lines *lines, const struct records *records);
void bench_lines_sort(struct bench_lines *lines);
void bench_lines_release(struct bench_lines *lines);
/* Ends the test with the first line that only one of them has. */
void bench_lines_equal(const struct bench_lines *left, const struct bench_lines *right);

/* The value of `column` in the one row that has this series, end, width and status; NaN: no such row. */
double bench_value(const struct records *records, const char *series, int64_t end_ns,
    int64_t width_ns, bool rolling, enum row_status status, const char *column);
/* How many rows of a status there are; rolling and slices. */
size_t bench_rows(const struct records *records, enum row_status status);

#endif
