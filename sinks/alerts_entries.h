/* Entries of the stream of alerts, as they were read. */
#ifndef SINKS_ALERTS_ENTRIES_H
#define SINKS_ALERTS_ENTRIES_H

#include "sinks/notice.h"

enum {
    ALERTS_ENTRY_BYTES = 48, /* of an entry's id, with its NUL */
    ALERTS_READ_MAX = 64,    /* entries in one answer */
};

/* One entry of the stream. */
struct alerts_entry {
    char id[ALERTS_ENTRY_BYTES];
    int64_t at_ms;        /* when it was appended, by Redis' clock */
    bool refilled;        /* appended again after Redis was lost */
    bool readable;        /* else the stream has dropped it, or it cannot be read */
    struct notice notice; /* owned; of a readable one */
};

struct alerts_entries {
    struct alerts_entry item[ALERTS_READ_MAX];
    size_t count;
};

void alerts_entries_release(struct alerts_entries *entries); /* leaves it empty */

#endif
