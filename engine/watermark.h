/*
 * Event time: which pane an instant is in, and how far a source partition has come.
 */
#ifndef ENGINE_WATERMARK_H
#define ENGINE_WATERMARK_H

#include "schemas/partial.h"

/* The latest instant that is reckoned with, a day before int64_t ends: sums with it do not overflow. */
#define TIME_NS_MAX (INT64_MAX - 24 * 3600 * INT64_C(1000000000))

/* Division that rounds down, also below zero. */
static inline int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

/* How far an instant is behind what was sent at `sent_ms`, whatever a stranger says of that; 0: it is not. */
static inline int64_t time_behind(int64_t at_ns, int64_t sent_ms)
{
    int64_t most_ms = TIME_NS_MAX / 1000000;
    if (sent_ms <= 0 || at_ns < 0) return 0;
    int64_t sent_ns = (sent_ms < most_ms ? sent_ms : most_ms) * 1000000;
    return sent_ns > at_ns ? sent_ns - at_ns : 0;
}

/* The clock of one source partition: what travels as its committed offset's metadata. */
struct source_clock {
    uint32_t topic; /* index in config */
    uint32_t partition;
    int64_t position;     /* next offset to read */
    int64_t committed;    /* position of the last committed epoch */
    int64_t watermark_ns; /* newest record timestamp - lateness, or WATERMARK_NONE */
    int64_t newest_pane;  /* newest pane folded, or PANE_NONE */
    bool ended;           /* batch mode: read to its end */
    uint64_t plan;        /* under which it was committed; 0: not said */
};

enum { METADATA_BYTES_MAX = 256, METADATA_VERSION = 1 };

/* Write and read the metadata: "weir1 clock NS PANE ENDED PARTITIONS PLAN". false: not ours, or another version. */
void source_clock_write(
    const struct source_clock *clock, uint32_t partitions, char text[METADATA_BYTES_MAX]);
bool source_clock_read(struct source_clock *clock, uint32_t *partitions, struct bytes metadata);

/* Whether metadata that could not be read is a later version of ours; what others commit is not. */
bool metadata_is_newer(const char *text);
#define METADATA_NEWER                                                                         \
    "the metadata committed beside it is \"%.60s\", this weir knows weir1: run the weir that " \
    "wrote it, or a newer one. Nothing is lost"

/* Raise a clock, never lower it. */
static inline void source_clock_raise(struct source_clock *clock, int64_t watermark_ns)
{
    if (watermark_ns > clock->watermark_ns) clock->watermark_ns = watermark_ns;
}

#endif
