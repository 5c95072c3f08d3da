/* The state of a fleet as the message Fleet of schemas/snapshot.proto. */
#include "engine/base/memory.h"
#include "engine/fleet_state.h"
#include "schemas/format.h"
#include "schemas/wire.h"

#include <stdlib.h>

enum { FLEET_TOLD = 1, FLEET_PENDING, FLEET_INCIDENT, FLEET_DROPPED };
enum { TOLD_CLOSED_NS = 1, TOLD_ENDED };
enum { INCIDENT_ID = 1, INCIDENT_SINCE_NS, INCIDENT_OPENING, INCIDENT_MEMBER };

static struct bytes record_of(const struct member_told *member)
{
    return (struct bytes){member->record, member->bytes};
}

static int records_compare(const void *left, const void *right)
{
    return member_compare(
        *(const struct member_told *const *)left, *(const struct member_told *const *)right);
}

/* What is pending came in no order that means anything, so it is saved in one of its own. */
static void save_pending(const struct fleet *fleet, struct buffer *out)
{
    const struct member_told **order = memory_zeroed(fleet->pendings + 1, sizeof(void *));
    for (size_t i = 0; i < fleet->pendings; i++)
        order[i] = &fleet->pending[i];
    qsort(order, fleet->pendings, sizeof(void *), records_compare);
    for (size_t i = 0; i < fleet->pendings; i++)
        wire_put_bytes(out, FLEET_PENDING, record_of(order[i]));
    free(order);
}

void fleet_save(const struct fleet *fleet, struct buffer *out)
{
    for (uint32_t p = 0; p < fleet->partitions; p++) {
        size_t mark = wire_open(out, FLEET_TOLD);
        wire_put_sint(out, TOLD_CLOSED_NS, fleet->closed_ns[p]);
        format_add(out);
        if (fleet->ended[p]) wire_put_uint(out, TOLD_ENDED, 1);
        wire_close(out, mark);
    }
    format_add(out);
    save_pending(fleet, out);
    for (size_t i = 0; i < fleet->incidents; i++) {
        const struct incident *incident = &fleet->incident[i];
        size_t mark = wire_open(out, FLEET_INCIDENT);
        wire_put_bytes(out, INCIDENT_ID, bytes_of(incident->id));
        wire_put_sint(out, INCIDENT_SINCE_NS, incident->since_ns);
        format_add(out);
        wire_put_bytes(out, INCIDENT_OPENING, record_of(&incident->opening));
        for (size_t m = 0; m < incident->members; m++)
            wire_put_bytes(out, INCIDENT_MEMBER, record_of(&incident->member[m]));
        wire_close(out, mark);
    }
    if (fleet->dropped != 0) wire_put_uint(out, FLEET_DROPPED, fleet->dropped);
}

static bool load_told(struct fleet *fleet, uint32_t partition, struct wire wire)
{
    struct wire_field field = {0};
    int more;
    if (partition >= fleet->partitions) return false;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == TOLD_CLOSED_NS) fleet->closed_ns[partition] = wire_zigzag(field.value);
        if (field.number == TOLD_ENDED) fleet->ended[partition] = field.value != 0;
    }
    return more == 0;
}

static bool load_id(struct incident *incident, struct bytes id)
{
    if (id.size != sizeof(incident->id) - 1) return false;
    memcpy(incident->id, id.data, id.size);
    return true;
}

static bool load_opening(struct incident *incident, struct bytes record)
{
    struct member_told member;
    if (!member_read(&member, record)) return false;
    member_release(&incident->opening);
    incident->opening = member;
    return true;
}

static bool load_member(struct incident *incident, struct bytes record)
{
    struct member_told member;
    if (!member_read(&member, record)) return false;
    incident_add(incident, &member);
    return true;
}

/* What a later version added is passed over, here and below: see schemas/format.h. */
static bool load_incident_field(struct incident *incident, const struct wire_field *field)
{
    bool is_bytes = field->type == WIRE_BYTES;
    switch (field->number) {
    case INCIDENT_ID:
        return is_bytes && load_id(incident, field->bytes);
    case INCIDENT_SINCE_NS:
        incident->since_ns = wire_zigzag(field->value);
        return true;
    case INCIDENT_OPENING:
        return is_bytes && load_opening(incident, field->bytes);
    case INCIDENT_MEMBER:
        return is_bytes && load_member(incident, field->bytes);
    default:
        return true;
    }
}

static bool load_incident(struct fleet *fleet, struct wire wire)
{
    struct incident *incident = fleet_open(fleet);
    struct wire_field field = {0};
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (!load_incident_field(incident, &field)) return false;
    }
    incident->joined = false;
    return more == 0 && incident->opening.record != NULL && incident->members != 0;
}

static bool load_pending(struct fleet *fleet, struct bytes record)
{
    struct member_told member;
    if (!member_read(&member, record)) return false;
    fleet_append(fleet, &member);
    return true;
}

static bool load_field(
    struct fleet *fleet, const struct wire *outer, const struct wire_field *field, uint32_t *told)
{
    bool is_bytes = field->type == WIRE_BYTES;
    switch (field->number) {
    case FLEET_TOLD:
        return is_bytes && load_told(fleet, (*told)++, wire_inside(outer, field->bytes));
    case FLEET_PENDING:
        return is_bytes && load_pending(fleet, field->bytes);
    case FLEET_INCIDENT:
        return is_bytes && load_incident(fleet, wire_inside(outer, field->bytes));
    case FLEET_DROPPED:
        fleet->dropped = field->value;
        return true;
    default:
        return true;
    }
}

enum status fleet_load(struct fleet *fleet, struct bytes saved, struct error *err)
{
    struct wire wire = wire_of(saved);
    struct wire_field field = {0};
    uint32_t told = 0;
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (load_field(fleet, &wire, &field, &told)) continue;
        more = -1;
        break;
    }
    if (more == 0) return ST_OK;
    return error_set(err, ST_FATAL, 0, "snapshot: what fires together is malformed near byte %zu",
        wire_offset(&wire));
}
