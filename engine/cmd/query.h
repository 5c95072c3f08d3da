/* What the parts of `weir query` share. */
#ifndef ENGINE_CMD_QUERY_H
#define ENGINE_CMD_QUERY_H

#include "engine/base/buffer.h"
#include "engine/cmd/sheet.h"
#include "sinks/redis_read.h"

#include <jansson.h>

enum { QUERY_QUANTILES_MAX = 16 };

struct query {
    const char *redis, *prefix;
    struct tls_files tls;
    const char *from, *to;
    int64_t resolution;
    const char *quantile;
    bool json;

    /* Worked out from them. */
    struct redis_read *read;
    int64_t from_ms, to_ms;
    double number[QUERY_QUANTILES_MAX]; /* the quantiles */
    uint32_t numbers;
    const char *subject;  /* a service, a series or a condition as given; NULL: none */
    struct buffer series; /* the series that it means, spelled */
    bool misused;         /* what went wrong is how it was asked */
};

/* Print what was written and release it. */
void query_print(struct buffer *out);
void query_print_sheet(const struct sheet *sheet);
/* Begin the next element of a JSON array that is written to `out`; end and print the array. */
void query_next_element(struct buffer *out);
void query_print_array(struct buffer *out);
/* Stored JSON, the caller's to release; JSON null for what is none. */
json_t *query_json(const struct read_item *item);
/* Stored JSON as it is stored, so that no digit changes. */
void query_append_stored(const struct read_item *item, struct buffer *out);

/* The series that `query` is about: the one spelled, those of a service, or all. */
enum status query_find_series(
    const struct query *query, struct read_list *series, struct error *err) MUST_USE;

/* Ask, then print: a table, or JSON. returns  as sinks/redis_read.h */
enum status query_history(struct query *query, struct error *err) MUST_USE;
enum status query_range(struct query *query, struct error *err) MUST_USE;
enum status query_errors(struct query *query, struct error *err) MUST_USE;
enum status query_traces(struct query *query, struct error *err) MUST_USE;
enum status query_alerts(struct query *query, struct error *err) MUST_USE;
enum status query_transitions(struct query *query, struct error *err) MUST_USE;
enum status query_where(struct query *query, struct error *err) MUST_USE;

#endif
