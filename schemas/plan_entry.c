#include "schemas/plan_entry.h"

#include "schemas/format.h"
#include "schemas/wire.h"

void plan_entry_encode(const struct plan_entry *entry, struct buffer *out)
{
    wire_put_uint(out, 1, format_version(PLAN_ENTRY_VERSION));
    wire_put_fixed64(out, 2, entry->plan);
    if (entry->from != 0) wire_put_fixed64(out, 3, entry->from);
    wire_put_bytes(out, 4, entry->text);
    wire_put_uint(out, 5, entry->partitions);
    for (size_t i = 0; i < entry->topics; i++)
        wire_put_bytes(out, 6, entry->topic[i]);
}

enum status plan_entry_decode(struct bytes record, struct plan_entry *entry, struct error *err)
{
    struct wire wire = wire_of(record);
    struct wire_field field = {0};
    struct plan_entry e = {0};
    uint64_t version = 0;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        bool text = field.type == WIRE_BYTES;
        if (field.number == 1 && !text) version = field.value;
        if (field.number == 2 && !text) e.plan = field.value;
        if (field.number == 3 && !text) e.from = field.value;
        if (field.number == 4 && text) e.text = field.bytes;
        if (field.number == 5 && !text) e.partitions = (uint32_t)field.value;
        if (field.number == 6 && text && e.topics < PLAN_ENTRY_TOPICS_MAX)
            e.topic[e.topics++] = field.bytes;
    }
    if (version != 0) {
        enum status status = format_check("plan entry", version, PLAN_ENTRY_VERSION, err);
        if (status != ST_OK) return status;
    }
    bool whole = more == 0 && version != 0 && e.plan != 0 && e.topics != 0 && e.partitions != 0 &&
                 e.partitions <= PLAN_ENTRY_PARTITIONS_MAX;
    if (!whole) {
        return error_set(
            err, ST_SKIP, 0, "plan entry: malformed before byte %zu", wire_offset(&wire));
    }
    *entry = e;
    return ST_OK;
}
