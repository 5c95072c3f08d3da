/* What the parts of `weir query` share. */
#ifndef ENGINE_CMD_QUERY_H
#define ENGINE_CMD_QUERY_H

#include "engine/base/buffer.h"
#include "sinks/redis_read.h"

enum { QUERY_QUANTILES_MAX = 16 };

struct query {
    const char *redis, *prefix;
    const char *from, *to;
    int64_t resolution;
    const char *quantile;
    bool json;

    /* Worked out from them. */
    struct redis_read *read;
    int64_t from_ms, to_ms;
    double number[QUERY_QUANTILES_MAX]; /* the quantiles */
    uint32_t numbers;
    const char *subject;  /* a service or a series as given; NULL: none */
    struct buffer series; /* the series that it means, spelled */
};

/* Print what was written and release it. */
void query_print(struct buffer *out);

/* Ask, then print: a table, or JSON. returns  as sinks/redis_read.h */
enum status query_history(struct query *query, struct error *err) MUST_USE;
enum status query_range(struct query *query, struct error *err) MUST_USE;

#endif
