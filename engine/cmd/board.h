/*
 * What `weir top` shows: the newest row of every series under one prefix, read from Redis alone.
 */
#ifndef ENGINE_CMD_BOARD_H
#define ENGINE_CMD_BOARD_H

#include "engine/base/duration.h"
#include "sinks/redis_read.h"

#include <jansson.h>

enum { BOARD_QUANTILES = 3, BOARD_NAME_BYTES = 32 };

struct board_line {
    struct bytes series;
    double rate_per_s, error_ratio, capture_ratio; /* NaN: absent; likewise below */
    double quantile_ms[BOARD_QUANTILES];
    double z; /* of the newest closed pane: the score farthest from zero */
    size_t alerts;
};

struct board {
    struct read_about about;
    struct read_list services, series, now, alerts;
    struct board_line *line;
    size_t count, capacity;
    struct duration_text window;                      /* shown; "" when there is none */
    int64_t newest_ms;                                /* end of the newest row shown; 0: none */
    char quantile[BOARD_QUANTILES][BOARD_NAME_BYTES]; /* "p50"; "": none */
};

enum board_order { BOARD_BY_RATE, BOARD_BY_Z };

/*
 * Read everything anew. A zeroed board is empty and ready.
 *
 * window_ns  the rolling window to show; 0: the shortest that there is, else the panes
 * returns    as sinks/redis_read.h; ST_FATAL when there are rows but none of that window
 */
enum status board_load(struct board *board, struct redis_read *read, int64_t window_ns,
    enum board_order order, struct error *err) MUST_USE;
void board_release(struct board *board);

#endif
