/*
 * Whether what Redis says that fires is what fires.
 *
 * While Redis is filled again from its log, it shows what fired at the place that it has come to. So who
 * reads it waits until no partition says that it is refilled, and each that was there before is there again.
 */
#ifndef ENGINE_NOTIFY_SETTLED_H
#define ENGINE_NOTIFY_SETTLED_H

#include "sinks/redis_read.h"

#include <stdbool.h>

enum { SETTLED_PARTITIONS_MAX = 1024 };

/* A zeroed one has seen nothing. */
struct notify_settled {
    char plan[32];
    bool seen[SETTLED_PARTITIONS_MAX];
};

/* applied  fields and values of `<prefix>:applied` */
bool notify_settled(struct notify_settled *settled, const struct read_list *applied);

#endif
