/*
 * A partial: what combine tells aggregate, one record of <name>.partials.
 */
#ifndef SCHEMAS_PARTIAL_H
#define SCHEMAS_PARTIAL_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"
#include "schemas/wire.h"

enum {
    PARTIAL_VERSION = 1,
    PARTIAL_BYTES_MAX = 512 * 1024, /* a fragment is ended at the first cell past this */
    PARTIAL_DIMENSIONS_MAX = 8,
    PARTIAL_MEASURE_FIRST = 16, /* field numbers of a cell from here on are measures' wire ids */
};

/* No clock yet: before every time there is. */
#define WATERMARK_NONE INT64_MIN
#define PANE_NONE      INT64_MIN

struct partial_header {
    uint64_t plan;
    int64_t sent_ms;
    int64_t record_ms;
    bool last;
};

struct partial_cell {
    uint32_t view;
    uint32_t dimensions;
    struct bytes dimension[PARTIAL_DIMENSIONS_MAX];
    int64_t pane;
    uint64_t late_by;
    struct bytes message; /* the whole cell: its measures are read from it by partial_measure */
};

struct partial_topic {
    struct bytes name;
    uint32_t partitions;
};

struct partial_clock {
    uint32_t topic;
    uint32_t partition;
    int64_t watermark_ns; /* or WATERMARK_NONE */
    int64_t newest_pane;  /* or PANE_NONE */
    int64_t from, to;     /* source positions, half open */
    bool ended;
};

struct partial_total {
    int64_t pane;
    uint64_t messages, malformed, spans, dropped;
};

/* What a partition of aggregate tells the one that looks at all series: see engine/fleet.h. */
struct partial_telling {
    uint32_t partition;
    int64_t
        closed_ns; /* all that began and ceased to fire up to then has been told; or WATERMARK_NONE */
    bool ended;    /* batch mode: nothing will follow */
    struct bytes alerts; /* each one's length as a varint, then as alert_encode writes it */
};

/* Writing: the header, then the parts in any order. A cell is opened, its measures appended, closed. */
void partial_put_header(struct buffer *out, const struct partial_header *header);
size_t partial_open_cell(struct buffer *out, const struct partial_cell *cell);
void partial_put_topic(struct buffer *out, const struct partial_topic *topic);
void partial_put_clock(struct buffer *out, const struct partial_clock *clock);
void partial_put_total(struct buffer *out, const struct partial_total *total);
void partial_put_settings(struct buffer *out, struct bytes text);
void partial_put_telling(struct buffer *out, const struct partial_telling *telling);

/*
 * Reading: the header, wherever its fields stand, and a cursor over the parts.
 *
 * returns  ST_OK; ST_SKIP malformed; ST_FATAL written by a version that this build does not know
 */
enum status partial_open(
    struct bytes record, struct partial_header *header, struct wire *parts, struct error *err);

enum partial_part {
    PARTIAL_DONE,
    PARTIAL_CELL,
    PARTIAL_TOPIC,
    PARTIAL_CLOCK,
    PARTIAL_TOTAL,
    PARTIAL_SETTINGS,
    PARTIAL_TELLING,
    PARTIAL_BAD
};

struct partial_item {
    struct partial_cell cell;
    struct partial_topic topic;
    struct partial_clock clock;
    struct partial_total total;
    struct bytes settings; /* YAML: see engine/settings.h */
    struct partial_telling telling;
};

/* The next part of a record, everything borrowed from it. PARTIAL_BAD: malformed, the rest is lost. */
enum partial_part partial_next(struct wire *parts, struct partial_item *item);

/* The next measure of a cell: its wire id and content. false at the end; the cell was checked before. */
bool partial_measure(struct wire *cell, uint32_t *wire_id, struct bytes *content);

#endif
