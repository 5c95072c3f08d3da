/*
 * What keeps a worker from its work: each kind has one line in the log that says what to do, one
 * metric, and one state on /readyz, and all three end when it is over.
 *
 * On /readyz a trouble is `PART: STATE: where: what happened`; PART and STATE are those of the table
 * and do not change. The metrics are `weir_troubles`, the places where a kind is now, and
 * `weir_troubles_total`, how often one began, both by part and state.
 */
#ifndef ENGINE_TROUBLE_H
#define ENGINE_TROUBLE_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TROUBLE_PLACES_MAX = 256, /* at a time; what is beyond is counted, but not shown */
    TROUBLE_HAPPENED_S = 300, /* an event that cannot be mended is shown for this long */
};

enum trouble {
    TROUBLE_BROKER,
    TROUBLE_TOPIC,
    TROUBLE_PARTITION,
    TROUBLE_TRANSACTION,
    TROUBLE_FENCED,
    TROUBLE_SPANS_DELETED,
    TROUBLE_PARTIALS_DELETED,
    TROUBLE_ROWS_DELETED,
    TROUBLE_PLAN,
    TROUBLE_SNAPSHOT_MISSING,
    TROUBLE_SNAPSHOT_DAMAGED,
    TROUBLE_VERSION,
    TROUBLE_AUDIT_MISSING,
    TROUBLE_AUDIT_TWICE,
    TROUBLES
};

struct trouble_kind {
    const char *part, *state; /* together the name of the kind; README.md lists them all */
    bool fatal;               /* something is lost or the process ends: an error, not a warning */
    const char *todo;
};

extern const struct trouble_kind trouble_kinds[TROUBLES];

/* Before any of the others: all kinds are in the metrics from now on, as 0. */
void trouble_open(void);

/*
 * A trouble is there now, or still there. Said in the log when it begins, and not again within 10 s of
 * the last time, however often it comes and goes; of many places of a kind only the first are said.
 *
 * where    what it is about, in few words: a topic, "weir.partials/3"; one trouble of a kind each
 * what     printf format: what was seen there
 * threads  any, for all of them
 */
void trouble_begin(enum trouble trouble, const char *where, const char *what, ...)
    PRINTF_LIKE(3, 4);
void trouble_end(enum trouble trouble, const char *where);

/* Something happened that does not go away: as a trouble that lasts for TROUBLE_HAPPENED_S from the last time. */
void trouble_happened(enum trouble trouble, const char *where, const char *what, ...)
    PRINTF_LIKE(3, 4);

/* Whether a trouble of this kind is anywhere. */
bool trouble_is(enum trouble trouble);

/* End what happened long enough ago; called now and then. `now_ns` is of clock_ns. */
void trouble_tick(int64_t now_ns);

/* The lines for /readyz of one part; returns how many troubles it has. */
size_t trouble_print(const char *part, struct buffer *out);

#endif
