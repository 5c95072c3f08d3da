/* An entry of <name>.plan: a plan, and the one that it takes over from. */
#ifndef SCHEMAS_PLAN_ENTRY_H
#define SCHEMAS_PLAN_ENTRY_H

#include "engine/base/buffer.h"
#include "engine/base/error.h"

enum { PLAN_ENTRY_VERSION = 1, PLAN_ENTRY_TOPICS_MAX = 64, PLAN_ENTRY_PARTITIONS_MAX = 1024 };

struct plan_entry {
    uint64_t plan, from; /* fingerprints; from 0: the first */
    struct bytes text;
    uint32_t partitions;
    struct bytes topic[PLAN_ENTRY_TOPICS_MAX];
    size_t topics;
};

void plan_entry_encode(const struct plan_entry *entry, struct buffer *out);

/*
 * entry    borrows from the record
 * returns  ST_OK; ST_SKIP, malformed; ST_FATAL, of a version that this build does not know
 */
enum status plan_entry_decode(
    struct bytes record, struct plan_entry *entry, struct error *err) MUST_USE;

#endif
