/*
 * All of weir between Kafka and Redis over spans that are made up: combine and aggregate with the
 * operators of a plan, as workers run them. For trying out rules.
 *
 *     r = rehearsal_new(plan, start_ns);
 *     for each pane: rehearsal_put(r, &spans) for what it holds, then rehearsal_pane(r, &err);
 *     rehearsal_end(r, &err);
 *
 * Time is event time: records are sent as their pane ends, and nothing is late.
 */
#ifndef ENGINE_CMD_REHEARSAL_H
#define ENGINE_CMD_REHEARSAL_H

#include "engine/plan.h"
#include "schemas/otlp_write.h"

enum {
    REHEARSAL_SPANS_MAX = 20000000, /* of one rehearsal */
    REHEARSAL_PANE_SPANS_MAX = 200000,
};

/* Spans of one kind in the present pane, evenly over it. */
struct rehearsal_spans {
    const char *service, *operation;
    uint8_t kind;                           /* enum span_kind */
    const struct otlp_attribute *attribute; /* of the spans */
    size_t attributes;
    uint64_t count, failed;
    int64_t duration_ns;
};

struct rehearsal;

/*
 * plan      outlives the rehearsal
 * start_ns  the beginning of a pane
 */
struct rehearsal *rehearsal_new(const struct plan *plan, int64_t start_ns);
void rehearsal_free(struct rehearsal *r); /* NULL is fine */

/* returns  ST_OK; ST_FATAL: more than REHEARSAL_SPANS_MAX, or than a pane may hold */
enum status rehearsal_put(
    struct rehearsal *r, const struct rehearsal_spans *spans, struct error *err) MUST_USE;
/* The present pane ends. */
enum status rehearsal_pane(struct rehearsal *r, struct error *err) MUST_USE;
/* Wait until every pane so far is closed. */
enum status rehearsal_end(struct rehearsal *r, struct error *err) MUST_USE;

size_t rehearsal_alerts(const struct rehearsal *r);
/* One that was said, in the order of event time and then of the log; its texts are the rehearsal's. */
void rehearsal_alert(const struct rehearsal *r, size_t i, struct alert *alert);

#endif
