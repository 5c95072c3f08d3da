/* Numbers about one line of `weir notify`; the label `receiver` is its place. */
#ifndef ENGINE_NOTIFY_METER_H
#define ENGINE_NOTIFY_METER_H

#include "engine/metrics.h"
#include "sinks/notifier.h"

/* Why a notice is not told. */
enum notify_omission {
    NOTIFY_OVER,      /* it fires no more, and the place was not told that it did */
    NOTIFY_TOLD,      /* the place knows */
    NOTIFY_UNWANTED,  /* `match` */
    NOTIFY_SHARED,    /* resolved, while another alert with its labels fires */
    NOTIFY_PAST,      /* a transition of before Redis was lost */
    NOTIFY_MALFORMED, /* it cannot be read, or the stream has dropped it */
    NOTIFY_OMISSIONS
};

struct notify_meter {
    char ready[360];        /* the part on /readyz */
    struct metric *sent[2]; /* by enum notice_state */
    struct metric *failed[NOTIFY_REASONS];
    struct metric *omitted[NOTIFY_OMISSIONS];
    struct metric *retries, *resent, *refused, *too_old;
    struct metric *delay_event, *delay_entry;
    struct metric *waiting, *pending, *firing;
};

void notify_meter_open(struct notify_meter *meter, const char *place);

#endif
