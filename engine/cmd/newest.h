/* The newest rows of a series, as Redis has them, read by the terms of conditions. */
#ifndef ENGINE_CMD_NEWEST_H
#define ENGINE_CMD_NEWEST_H

#include "operators/term.h"
#include "sinks/redis_read.h"

#include <jansson.h>

enum { NEWEST_ROWS_MAX = 16 };

struct newest {
    struct bytes series; /* borrowed from what was read */
    int64_t seen_ms;     /* end of its newest pane */
    size_t count;
    struct {
        bool
            is_window; /* the pane or a rolling window; else a slice that only has scores to tell */
        int64_t width_ns, end_ms;
        json_t *row;
    } row[NEWEST_ROWS_MAX];
};

/* The rows `from` up to `to` of what redis_read_now gave, which are of one series; open panes are left out. */
void newest_read(struct newest *newest, const struct read_list *list, size_t from, size_t to);
void newest_release(struct newest *newest);
/* Where the rows of one series end that begin at `from`. */
size_t newest_end(const struct read_list *list, size_t from);

/* A column's number in a row; NaN: it has none. */
double newest_member(const json_t *row, const char *column);

/*
 * What the terms read as of `now_ms`. A row is the newest of its window for two of its widths; then what
 * it says is absent.
 *
 * columns  by which the terms were read
 */
void newest_values(const struct newest *newest, const struct terms *terms,
    const struct columns *columns, int64_t now_ms, double value[TERMS_MAX]);

#endif
