/*
 * One member of the simulated group and its transactions: engine/kafka.h, in memory.
 *
 *   1. A group is eager: all give their partitions back, then all get new ones under the next generation.
 *   2. Offsets in a transaction are refused from a member of another generation (KIP-447), and a
 *      producer is fenced by a newer one of the same transactional id.
 *   3. Once offsets were sent, nobody reads what is committed until the transaction is over.
 *   4. What a dead owner calls has no effect.
 */
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/fleet.h"
#include "engine/kafka.h"
#include "tests/simulator/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum pending { PENDING_NONE, PENDING_ASSIGN, PENDING_REVOKE, PENDING_LOST };

struct promise {
    int64_t *to, offset;
};

struct kafka {
    struct owner *owner; /* NULL: dead, but the group does not know yet */
    uint32_t instance;
    bool fenced;
    bool member, rejoined;
    int64_t generation, seen_ns;
    enum pending pending;
    bool holds;               /* partitions, perhaps none */
    uint32_t mask, next_mask; /* of partitions: now, and of the next assignment */
    struct kafka_assigned assigned[PARTITIONS_MAX];
    size_t assigned_count;
    bool reading;
    int64_t position[PARTITIONS_MAX];
    int64_t end_said[PARTITIONS_MAX];
    uint32_t turn;
    bool in_transaction;
    bool unknown; /* whether the transaction was committed */
    struct sent sent[PARTITIONS_MAX];
    struct sent told; /* into partials, of all partitions */
    struct promise *delivery;
    size_t deliveries;
};

static void transaction_forget(struct kafka *k)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        buffer_reset(&k->sent[p].bytes);
        k->sent[p].count = 0;
    }
    buffer_reset(&k->told.bytes);
    k->told.count = 0;
    k->deliveries = 0;
}

static bool transaction_pending(const struct kafka *k)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        if (world.part[p].pending == k) return true;
    }
    return false;
}

static void transaction_end(struct kafka *k)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        if (world.part[p].pending == k) world.part[p].pending = NULL;
    }
}

static void handle_free(size_t slot)
{
    struct kafka *k = world.handle[slot];
    for (uint32_t p = 0; p < PARTITIONS_MAX; p++) {
        buffer_release(&k->sent[p].bytes);
        free(k->sent[p].place);
    }
    buffer_release(&k->told.bytes);
    free(k->told.place);
    free(k->delivery);
    free(k);
    world.handle[slot] = NULL;
}

/* A newer producer of the same name: the older one's transaction is over, and it is fenced. */
static void fence_older(const struct kafka *k)
{
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct kafka *other = world.handle[i];
        if (other == NULL || other == k || other->instance != k->instance) continue;
        transaction_end(other);
        other->fenced = true;
    }
}

enum status kafka_open(struct kafka **kafka, const struct kafka_options *options, struct error *err)
{
    (void)options;
    if (!owner_step()) return error_set(err, ST_RETRY, 0, "simulated: dead");
    size_t slot = 0;
    while (slot < HANDLES_MAX && world.handle[slot] != NULL)
        slot++;
    if (slot == HANDLES_MAX) return error_set(err, ST_RETRY, 0, "simulated: too many members");
    struct kafka *k = memory_zeroed(1, sizeof(*k));
    k->owner = world.running;
    k->instance = world.running->instance;
    k->seen_ns = world.now_ns;
    world.handle[slot] = k;
    fence_older(k);
    *kafka = k;
    return ST_OK;
}

static void rebalance(void)
{
    if (world.preparing) return;
    world.preparing = true;
    world.preparing_ns = world.now_ns;
    world.totals.rebalances++;
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        if (world.handle[i] != NULL) world.handle[i]->rejoined = false;
    }
}

static void member_leave(struct kafka *k)
{
    if (k->member) rebalance();
    k->member = false;
    k->rejoined = false;
}

void kafka_close(struct kafka *k)
{
    if (k == NULL || k->owner == NULL) return;
    k->owner = NULL;
    if (world.running != NULL && world.running->dead) return;
    member_leave(k);
    transaction_end(k);
}

void kafka_world_release(void)
{
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        if (world.handle[i] != NULL) handle_free(i);
    }
}

/* All that are left have given back what they had: deal the partitions out. */
static void group_assign(void)
{
    struct kafka *member[HANDLES_MAX];
    size_t members = 0;
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        if (world.handle[i] != NULL && world.handle[i]->member) member[members++] = world.handle[i];
    }
    world.preparing = false;
    world.generation++;
    uint64_t shift = random_next(&world.random) % 1024;
    for (size_t m = 0; m < members; m++) {
        member[m]->next_mask = 0;
        for (uint32_t p = 0; p < world.partitions; p++) {
            if ((p + shift) % members == m) member[m]->next_mask |= 1U << p;
        }
        member[m]->generation = world.generation;
        member[m]->mask = member[m]->next_mask;
        member[m]->holds = true;
        member[m]->reading = false;
        member[m]->pending = PENDING_ASSIGN;
    }
}

static bool heard(const struct kafka *k)
{
    return k->owner != NULL && k->owner->paused_ns <= world.now_ns;
}

static void handles_expire(void)
{
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct kafka *k = world.handle[i];
        if (k == NULL) continue;
        if (heard(k)) k->seen_ns = world.now_ns;
        if (k->member && world.now_ns - k->seen_ns > SESSION_S * NS_PER_S) member_leave(k);
        if (k->owner == NULL && !k->member && !transaction_pending(k)) handle_free(i);
    }
    for (uint32_t p = 0; p < world.partitions; p++) {
        struct part *part = &world.part[p];
        if (part->pending == NULL || world.now_ns - part->pending_ns < TRANSACTION_S * NS_PER_S)
            continue;
        part->pending->fenced = true;
        transaction_end(part->pending);
    }
}

void group_tick(void)
{
    handles_expire();
    if (!world.preparing) return;
    bool all = true, any = false, late = world.now_ns - world.preparing_ns > SESSION_S * NS_PER_S;
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        struct kafka *k = world.handle[i];
        if (k == NULL || !k->member) continue;
        if (!k->rejoined && late) k->member = false;
        any = any || k->member;
        all = all && (!k->member || k->rejoined);
    }
    if (any && all) group_assign();
}

static bool stale(const struct kafka *k)
{
    return !k->member || k->generation != world.generation;
}

/* What the group wants of this member; it joins where it is none. */
static void group_ask(struct kafka *k)
{
    if (!k->member && k->holds && k->pending != PENDING_REVOKE) {
        k->pending = PENDING_LOST;
    } else if (!k->member && !k->holds) {
        rebalance();
        k->member = true;
        k->rejoined = true;
    } else if (world.preparing && !k->rejoined && k->holds) {
        k->pending = PENDING_REVOKE;
    } else if (world.preparing && !k->holds) {
        k->rejoined = true;
    }
}

static enum kafka_event event_pending(const struct kafka *k)
{
    if (k->pending == PENDING_ASSIGN) return KAFKA_ASSIGNED;
    return k->pending == PENDING_REVOKE ? KAFKA_REVOKED : KAFKA_LOST;
}

static enum kafka_event poll_partition(
    struct kafka *k, uint32_t p, struct kafka_record *record, struct error *err)
{
    const struct fake_log *log = &world.part[p].partials;
    *record = (struct kafka_record){.partition = (int32_t)p, .offset = k->position[p]};
    if (k->position[p] < log->start) {
        error_set(err, ST_LOST, 0, "simulated: out of range");
        return KAFKA_GONE;
    }
    size_t at = fake_log_from(log, k->position[p]);
    if (at < log->count) {
        const struct log_record *from = &log->record[at];
        record->offset = from->offset;
        record->value = (struct bytes){from->data, from->size};
        k->position[p] = from->offset + 1;
        world.totals.partials++;
        if (from->offset < world.part[p].committed) world.totals.re_runs++;
        return KAFKA_RECORD;
    }
    if (k->end_said[p] == log->end) return KAFKA_NOTHING;
    k->end_said[p] = log->end;
    record->offset = log->end;
    return KAFKA_END;
}

enum kafka_event kafka_poll(
    struct kafka *k, int timeout_ms, struct kafka_record *record, struct error *err)
{
    if (!owner_step()) return KAFKA_NOTHING;
    world.totals.steps++;
    group_tick();
    group_ask(k);
    if (k->pending != PENDING_NONE) return event_pending(k);
    for (uint32_t i = 0; i < world.partitions && k->reading; i++) {
        uint32_t p = (k->turn + i) % world.partitions;
        if ((k->mask >> p & 1) == 0) continue;
        enum kafka_event event = poll_partition(k, p, record, err);
        if (event == KAFKA_NOTHING) continue;
        if (random_once_in(&world.random, 8)) k->turn = p + 1;
        return event;
    }
    world.now_ns += timeout_ms * NS_PER_MS;
    owner_yield();
    return KAFKA_NOTHING;
}

enum status kafka_assigned(
    struct kafka *k, struct kafka_assigned **assigned, size_t *count, struct error *err)
{
    if (!owner_step()) return error_set(err, ST_RETRY, 0, "simulated: dead");
    if (fault_strikes(FAULT_OBSERVER)) return error_set(err, ST_RETRY, 0, "simulated: no answer");
    k->assigned_count = 0;
    for (uint32_t p = 0; p < world.partitions; p++) {
        const struct part *part = &world.part[p];
        if ((k->mask >> p & 1) == 0) continue;
        if (part->pending != NULL) return error_set(err, ST_RETRY, 0, "simulated: unstable offset");
        struct kafka_assigned *to = &k->assigned[k->assigned_count++];
        *to = (struct kafka_assigned){.partition = (int32_t)p, .offset = part->committed};
        memcpy(to->metadata, part->metadata, sizeof(to->metadata));
    }
    *assigned = k->assigned;
    *count = k->assigned_count;
    return ST_OK;
}

enum status kafka_start(struct kafka *k, struct error *err)
{
    if (!owner_step()) return error_set(err, ST_RETRY, 0, "simulated: dead");
    for (size_t i = 0; i < k->assigned_count; i++) {
        k->position[k->assigned[i].partition] = k->assigned[i].offset;
        k->end_said[k->assigned[i].partition] = -1;
    }
    k->pending = PENDING_NONE;
    k->reading = true;
    return ST_OK;
}

void kafka_rewind(struct kafka *k)
{
    if (k->pending != PENDING_NONE || !k->holds) return;
    k->pending = PENDING_ASSIGN;
    k->reading = false;
}

void kafka_let_go(struct kafka *k)
{
    k->pending = PENDING_NONE;
    k->holds = false;
    k->reading = false;
    k->mask = 0;
    if (k->member) k->rejoined = true;
}

int64_t kafka_end_seen(const struct kafka *k, uint32_t topic, int32_t partition)
{
    (void)k;
    (void)topic;
    return world.part[partition].partials.end;
}

static enum status failed(struct error *err, enum status status, const char *what)
{
    return error_set(err, status, 0, "simulated: %s", what);
}

enum status kafka_begin(struct kafka *k, struct error *err)
{
    if (!owner_step()) return failed(err, ST_ABORT, "dead");
    assert(!k->in_transaction); /* as the real one does */
    if (k->fenced) return failed(err, ST_LOST, "fenced");
    transaction_forget(k);
    k->unknown = false;
    k->in_transaction = true;
    return ST_OK;
}

static void sent_add(struct sent *sent, struct bytes key, struct bytes value)
{
    if (sent->count == sent->capacity) {
        sent->capacity = sent->capacity == 0 ? 256 : sent->capacity * 2;
        sent->place = memory_resize(sent->place, sent->capacity, sizeof(*sent->place));
    }
    sent->place[sent->count++] = (struct sent_place){key.size, value.size};
    buffer_append(&sent->bytes, key.data, key.size);
    buffer_append(&sent->bytes, value.data, value.size);
}

/* Rows of an open transaction are kept here; the state is in the log at once, as uncommitted records are. */
enum status kafka_send(struct kafka *k, const char *topic, int32_t partition, struct bytes key,
    struct bytes value, int64_t *offset, struct error *err)
{
    bool is_state = strcmp(topic, k->owner == NULL ? "" : k->owner->worker.state) == 0;
    if (k->owner == NULL || k->owner->dead) return failed(err, ST_ABORT, "dead");
    if (is_state && !owner_step()) return failed(err, ST_ABORT, "dead");
    if (fault_strikes(FAULT_ABORT) && random_once_in(&world.random, 512))
        return failed(err, ST_ABORT, "not sent");
    if (!is_state) {
        bool tells = strcmp(topic, k->owner->worker.partials) == 0;
        sent_add(tells ? &k->told : &k->sent[partition], key, value);
        return ST_OK;
    }
    struct fake_log *log = &world.part[partition].state;
    k->delivery = memory_resize(k->delivery, k->deliveries + 1, sizeof(*k->delivery));
    k->delivery[k->deliveries++] = (struct promise){offset, log->end};
    fake_log_append(log, value);
    return ST_OK;
}

enum status kafka_flush(struct kafka *k, struct error *err)
{
    bool alive = owner_step();
    bool lost = !alive || fault_strikes(FAULT_ABORT);
    for (size_t i = 0; i < k->deliveries && !lost; i++) {
        if (k->delivery[i].to != NULL) *k->delivery[i].to = k->delivery[i].offset;
    }
    k->deliveries = 0;
    return lost ? failed(err, ST_ABORT, "not delivered") : ST_OK;
}

static enum status offsets_send(
    struct kafka *k, const struct kafka_position *position, size_t count, struct error *err)
{
    if (!owner_step()) return failed(err, ST_ABORT, "dead");
    if (k->fenced) return failed(err, ST_LOST, "fenced");
    if (stale(k)) return failed(err, ST_ABORT, "a member of another generation");
    if (fault_strikes(FAULT_ABORT)) return failed(err, ST_ABORT, "aborted");
    for (size_t i = 0; i < count; i++) {
        struct part *part = &world.part[position[i].partition];
        if (part->pending != NULL) return failed(err, ST_ABORT, "another transaction is open");
    }
    for (size_t i = 0; i < count; i++) {
        world.part[position[i].partition].pending = k;
        world.part[position[i].partition].pending_ns = world.now_ns;
    }
    return ST_OK;
}

/* What partitions told is in the log of the one that decides. */
static void told_append(const struct sent *told)
{
    struct fake_log *log = &world.part[FLEET_PARTITION].partials;
    const uint8_t *at = told->bytes.data;
    for (size_t i = 0; i < told->count; i++) {
        fake_log_append(log, (struct bytes){at + told->place[i].key, told->place[i].value});
        at += told->place[i].key + told->place[i].value;
    }
    if (told->count != 0) log->end++; /* the marker */
}

static void transaction_apply(struct kafka *k, const struct kafka_position *position, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct part *part = &world.part[position[i].partition];
        struct said said = {&k->sent[position[i].partition], &k->told};
        judge_commit(part, &said, position[i].offset, position[i].metadata);
        part->state.end++; /* the marker */
    }
    told_append(&k->told);
    transaction_end(k);
    transaction_forget(k);
    world.totals.commits++;
}

enum status kafka_commit(
    struct kafka *k, const struct kafka_position *position, size_t count, struct error *err)
{
    enum status status = offsets_send(k, position, count, err);
    if (status != ST_OK) {
        world.totals.aborts++;
        return status;
    }
    if (!owner_step()) return failed(err, ST_ABORT, "dead");
    if (k->fenced) return failed(err, ST_LOST, "fenced");
    bool unknown = fault_strikes(FAULT_UNKNOWN), done = !unknown || random_coin(&world.random);
    if (done) transaction_apply(k, position, count);
    if (!owner_step()) return failed(err, ST_ABORT, "dead");
    k->unknown = unknown && random_coin(&world.random);
    if (k->unknown) return failed(err, ST_ABORT, "the commit was refused, or done");
    if (unknown) return failed(err, ST_LOST, "no answer to the commit");
    k->in_transaction = false;
    return ST_OK;
}

enum status kafka_abort(struct kafka *k, struct error *err)
{
    if (!k->in_transaction) return ST_OK;
    k->in_transaction = false;
    if (!owner_step() || k->fenced || fault_strikes(FAULT_ABORT))
        return failed(err, ST_LOST, "not known to be aborted");
    transaction_end(k);
    transaction_forget(k);
    if (k->unknown) return failed(err, ST_ABORT, "not known whether it was committed");
    return ST_OK;
}
