#include "engine/fleet.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/fleet_state.h"
#include "schemas/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct fleet *fleet_new(uint32_t partitions)
{
    struct fleet *fleet = memory_zeroed(1, sizeof(*fleet));
    fleet->partitions = partitions;
    fleet->closed_ns = memory_zeroed(partitions, sizeof(*fleet->closed_ns));
    fleet->ended = memory_zeroed(partitions, sizeof(*fleet->ended));
    for (uint32_t p = 0; p < partitions; p++)
        fleet->closed_ns[p] = WATERMARK_NONE;
    return fleet;
}

void incident_release(struct incident *incident)
{
    member_release(&incident->opening);
    for (size_t i = 0; i < incident->members; i++)
        member_release(&incident->member[i]);
    free(incident->member);
}

void fleet_empty(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->pendings; i++)
        member_release(&fleet->pending[i]);
    for (size_t i = 0; i < fleet->incidents; i++)
        incident_release(&fleet->incident[i]);
    fleet->pendings = fleet->incidents = 0;
}

void fleet_free(struct fleet *fleet)
{
    if (fleet == NULL) return;
    fleet_empty(fleet);
    free(fleet->pending);
    free(fleet->incident);
    free(fleet->closed_ns);
    free(fleet->ended);
    free(fleet);
}

uint64_t fleet_dropped(const struct fleet *fleet)
{
    return fleet->dropped;
}

void fleet_tell(const struct alert *alert, uint64_t plan, struct buffer *alerts)
{
    struct buffer record = {0};
    alert_encode(alert, plan, &record);
    wire_put_varint(alerts, record.size);
    buffer_append(alerts, record.data, record.size);
    buffer_release(&record);
}

bool fleet_cut(struct bytes *alerts, size_t most, struct bytes *part)
{
    struct wire wire = wire_of(*alerts);
    size_t fits = 0;
    uint64_t size;
    while (wire.at < wire.end && wire_varint(&wire, &size)) {
        wire.at += size;
        if (fits != 0 && wire_offset(&wire) > most) break;
        fits = wire_offset(&wire);
    }
    *part = (struct bytes){alerts->data, fits};
    alerts->data += fits;
    alerts->size -= fits;
    return alerts->size != 0;
}

static bool is_same(const struct member_told *a, const struct member_told *b)
{
    return bytes_equal(a->rule, b->rule) && bytes_equal(a->series, b->series);
}

static bool is_member(const struct fleet *fleet, const struct member_told *told)
{
    for (size_t i = 0; i < fleet->incidents; i++) {
        for (size_t m = 0; m < fleet->incident[i].members; m++) {
            if (is_same(&fleet->incident[i].member[m], told)) return true;
        }
    }
    return false;
}

/* Whether the end of something that is known, which is never dropped: it would fire for ever. */
static bool is_awaited(const struct fleet *fleet, const struct member_told *told)
{
    if (told->fires) return false;
    if (is_member(fleet, told)) return true;
    for (size_t i = 0; i < fleet->pendings; i++) {
        if (fleet->pending[i].fires && is_same(&fleet->pending[i], told)) return true;
    }
    return false;
}

void fleet_append(struct fleet *fleet, struct member_told *member)
{
    if (fleet->pendings >= FLEET_PENDING_MAX && !is_awaited(fleet, member)) {
        fleet->dropped++;
        member_release(member);
        return;
    }
    if (fleet->pendings == fleet->pendings_max) {
        fleet->pendings_max = fleet->pendings_max == 0 ? 64 : fleet->pendings_max * 2;
        fleet->pending =
            memory_resize(fleet->pending, fleet->pendings_max, sizeof(*fleet->pending));
    }
    fleet->pending[fleet->pendings++] = *member;
}

enum status fleet_take(
    struct fleet *fleet, const struct partial_telling *telling, struct error *err)
{
    if (telling->partition >= fleet->partitions) {
        return error_set(err, ST_SKIP, 0,
            "partial: partition %u tells what fires there, but there are %u partitions",
            telling->partition, fleet->partitions);
    }
    int64_t *closed_ns = &fleet->closed_ns[telling->partition];
    struct wire wire = wire_of(telling->alerts);
    enum status status = ST_OK;
    while (wire.at < wire.end) {
        uint64_t size;
        if (!wire_varint(&wire, &size) || size > (size_t)(wire.end - wire.at)) {
            return error_set(err, ST_SKIP, 0, "partial: what partition %u tells is cut short",
                telling->partition);
        }
        struct member_told member;
        struct bytes record = {wire.at, (size_t)size};
        wire.at += size;
        if (!member_read(&member, record)) {
            status = error_set(err, ST_SKIP, 0, "partial: partition %u tells what is no alert",
                telling->partition);
        } else if (member.at_ns > *closed_ns || (!member.fires && member.at_ns == *closed_ns)) {
            fleet_append(
                fleet, &member); /* at what is told already ends what a changed rule said */
        } else {
            member_release(&member); /* told again, where a crash may count twice */
        }
    }
    if (telling->closed_ns > *closed_ns) *closed_ns = telling->closed_ns;
    fleet->ended[telling->partition] = telling->ended;
    return status;
}

/* Up to when every partition has told everything. */
static int64_t told_until(const struct fleet *fleet)
{
    int64_t least = INT64_MAX;
    for (uint32_t p = 0; p < fleet->partitions; p++) {
        if (fleet->closed_ns[p] < least) least = fleet->closed_ns[p];
    }
    return least;
}

bool fleet_ended(const struct fleet *fleet)
{
    for (uint32_t p = 0; p < fleet->partitions; p++) {
        if (!fleet->ended[p]) return false;
    }
    return fleet->pendings == 0;
}

/* The oldest moment that is told of and can be decided. */
static bool next_moment(const struct fleet *fleet, int64_t until_ns, int64_t *at_ns)
{
    *at_ns = INT64_MAX;
    for (size_t i = 0; i < fleet->pendings; i++) {
        if (fleet->pending[i].at_ns < *at_ns) *at_ns = fleet->pending[i].at_ns;
    }
    return *at_ns <= until_ns && *at_ns != INT64_MAX;
}

/* Where a crash may count twice, a part of a telling may have come twice. */
static size_t drop_repeated(struct member_told *taken, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct member_told *last = kept == 0 ? NULL : &taken[kept - 1];
        if (last != NULL && last->fires == taken[i].fires && is_same(last, &taken[i]))
            member_release(&taken[i]);
        else
            taken[kept++] = taken[i];
    }
    return kept;
}

/* Take those of a moment off the list of the pending, in an order of their own. */
static size_t take_moment(struct fleet *fleet, int64_t at_ns, struct member_told **taken)
{
    size_t count = 0, kept = 0;
    *taken = memory_zeroed(fleet->pendings + 1, sizeof(**taken));
    for (size_t i = 0; i < fleet->pendings; i++) {
        if (fleet->pending[i].at_ns == at_ns)
            (*taken)[count++] = fleet->pending[i];
        else
            fleet->pending[kept++] = fleet->pending[i];
    }
    fleet->pendings = kept;
    qsort(*taken, count, sizeof(**taken), member_compare);
    return drop_repeated(*taken, count);
}

struct incident *fleet_open(struct fleet *fleet)
{
    if (fleet->incidents == fleet->incidents_max) {
        fleet->incidents_max = fleet->incidents_max == 0 ? 8 : fleet->incidents_max * 2;
        fleet->incident =
            memory_resize(fleet->incident, fleet->incidents_max, sizeof(*fleet->incident));
    }
    struct incident *incident = &fleet->incident[fleet->incidents++];
    *incident = (struct incident){0};
    return incident;
}

void incident_add(struct incident *incident, struct member_told *member)
{
    if (incident->members == INCIDENT_MEMBERS_MAX) {
        member_release(member);
        return;
    }
    if (incident->members == incident->capacity) {
        incident->capacity = incident->capacity == 0 ? 8 : incident->capacity * 2;
        incident->member =
            memory_resize(incident->member, incident->capacity, sizeof(*incident->member));
    }
    incident->member[incident->members++] = *member;
    *member = (struct member_told){0};
    incident->joined = true;
}

/* A series ceases to fire: it leaves the incident that it is in. */
static void leave(struct fleet *fleet, const struct member_told *gone)
{
    for (size_t i = 0; i < fleet->incidents; i++) {
        struct incident *incident = &fleet->incident[i];
        size_t kept = 0;
        for (size_t m = 0; m < incident->members; m++) {
            if (is_same(&incident->member[m], gone)) {
                member_release(&incident->member[m]);
                incident->left = true;
            } else {
                incident->member[kept++] = incident->member[m];
            }
        }
        incident->members = kept;
    }
}

static bool incident_linked(const struct incident *incident, const struct member_told *member)
{
    if (!bytes_equal(incident->opening.rule, member->rule)) return false;
    if (member_linked(&incident->opening, member)) return true;
    for (size_t m = 0; m < incident->members; m++) {
        if (member_linked(&incident->member[m], member)) return true;
    }
    return false;
}

/* Series that fire on join the oldest incident that they belong to; those that joined draw others in. */
static void join(
    struct fleet *fleet, struct incident *incident, struct member_told *taken, size_t count)
{
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < count; i++) {
            if (taken[i].record == NULL || !incident_linked(incident, &taken[i])) continue;
            fleet->dropped += incident->members == INCIDENT_MEMBERS_MAX;
            incident_add(incident, &taken[i]);
            again = true;
        }
    }
}

/* Deterministic: the same series at the same moment open the same incident in every re-run. */
static void incident_name(struct incident *incident)
{
    struct buffer text = {0};
    buffer_append(&text, "together", sizeof("together"));
    buffer_append(&text, incident->opening.rule.data, incident->opening.rule.size);
    buffer_append(&text, "", 1);
    buffer_append(&text, incident->opening.series.data, incident->opening.series.size);
    buffer_append(&text, &incident->opening.at_ns, sizeof(incident->opening.at_ns));
    struct hash_pair hash = hash_seeded(buffer_bytes(&text), 0);
    snprintf(incident->id, sizeof(incident->id), "%016llx%016llx", (unsigned long long)hash.high,
        (unsigned long long)hash.low);
    buffer_release(&text);
}

static void open_incident(struct fleet *fleet, struct member_told *first)
{
    struct incident *incident = fleet_open(fleet);
    bool read = member_read(&incident->opening, (struct bytes){first->record, first->bytes});
    assert(read);
    (void)read;
    incident->since_ns = first->since_ns;
    incident_name(incident);
    incident_add(incident, first);
}

/* Name the members, the likely cause first. */
static void name_members(const struct incident *incident, struct alert *alert)
{
    struct member_told *order = memory_zeroed(incident->members + 1, sizeof(*order));
    memcpy(order, incident->member, incident->members * sizeof(*order));
    qsort(order, incident->members, sizeof(*order), member_compare);
    alert->members_in_all = incident->members;
    alert->members = 0;
    for (size_t i = 0; i < incident->members && i < MEMBERS_MAX; i++) {
        alert->member[alert->members++] =
            (struct member){.series = order[i].series, .signal = order[i].signal};
    }
    free(order);
}

static void say(const struct incident *incident, int64_t at_ns, int64_t sent_ms, uint64_t plan,
    struct records *records)
{
    if (records->silent) return;
    struct output *out = memory_zeroed(1, sizeof(*out));
    struct error err;
    struct bytes opening = {incident->opening.record, incident->opening.bytes};
    if (output_decode(opening, out, &err) == ST_OK) {
        struct alert *alert = &out->alert;
        memcpy(alert->id, incident->id, sizeof(alert->id));
        alert->together = true;
        alert->state = incident->members == 0 ? ALERT_RESOLVED : ALERT_FIRING;
        alert->changed = alert->state == ALERT_FIRING && at_ns != incident->opening.at_ns;
        alert->since_ns = incident->since_ns;
        alert->at_ns = at_ns;
        alert->sent_ms = sent_ms;
        name_members(incident, alert);
        records_alert(records, alert, plan);
    }
    free(out);
}

/* Drop the incidents that are over, keeping the order. */
static void close_incidents(struct fleet *fleet)
{
    size_t kept = 0;
    for (size_t i = 0; i < fleet->incidents; i++) {
        fleet->incident[i].joined = fleet->incident[i].left = false;
        if (fleet->incident[i].members == 0)
            incident_release(&fleet->incident[i]);
        else
            fleet->incident[kept++] = fleet->incident[i];
    }
    fleet->incidents = kept;
}

/* What ends at the moment at which it begins is of a rule that was changed just then: it ends. */
static void cancel(struct member_told *taken, size_t count, const struct member_told *gone)
{
    for (size_t i = 0; i < count; i++) {
        if (taken[i].record != NULL && taken[i].fires && is_same(&taken[i], gone))
            member_release(&taken[i]);
    }
}

static void decide(struct fleet *fleet, struct member_told *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (taken[i].record == NULL || (taken[i].fires && !is_member(fleet, &taken[i]))) continue;
        if (!taken[i].fires) {
            leave(fleet, &taken[i]);
            cancel(taken, count, &taken[i]);
        }
        member_release(&taken[i]);
    }
    for (size_t i = 0; i < fleet->incidents; i++)
        join(fleet, &fleet->incident[i], taken, count);
    for (size_t i = 0; i < count; i++) {
        if (taken[i].record == NULL) continue;
        open_incident(fleet, &taken[i]);
        join(fleet, &fleet->incident[fleet->incidents - 1], taken, count);
    }
}

void fleet_decide(struct fleet *fleet, int64_t sent_ms, uint64_t plan, struct records *records)
{
    int64_t until_ns = told_until(fleet), at_ns;
    while (next_moment(fleet, until_ns, &at_ns)) {
        struct member_told *taken;
        size_t count = take_moment(fleet, at_ns, &taken);
        decide(fleet, taken, count);
        free(taken);
        for (size_t i = 0; i < fleet->incidents; i++) {
            const struct incident *incident = &fleet->incident[i];
            if (incident->joined || (incident->left && incident->members == 0))
                say(incident, at_ns, sent_ms, plan, records);
        }
        close_incidents(fleet);
    }
}
