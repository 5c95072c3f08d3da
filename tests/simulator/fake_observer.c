/* Questions to the simulated Kafka, and the deletion of records: engine/kafka_observer.h, in memory. */
#include "engine/base/buffer.h"
#include "engine/kafka_observer.h"
#include "tests/simulator/world.h"

#include <string.h>

static struct fake_log *log_of(const char *topic, int32_t partition)
{
    struct part *part = &world.part[partition];
    return strcmp(topic, world.running->worker.state) == 0 ? &part->state : &part->partials;
}

static enum status answer(struct error *err)
{
    bool alive = owner_step();
    if (alive && !fault_strikes(FAULT_OBSERVER)) return ST_OK;
    return error_set(err, ST_RETRY, 0, "simulated: no answer");
}

enum status kafka_read_records(struct kafka_observer *o, const char *topic, int32_t partition,
    const int64_t *wanted, size_t count, struct buffer *data, size_t *ends, struct error *err)
{
    (void)o;
    enum status status = answer(err);
    const struct fake_log *log = log_of(topic, partition);
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        size_t at = fake_log_from(log, wanted[i]);
        if (at == log->count || log->record[at].offset != wanted[i] || wanted[i] < log->start) {
            return error_set(err, ST_LOST, 0, "simulated: %s, partition %d: offset %lld is gone",
                topic, partition, (long long)wanted[i]);
        }
        buffer_append(data, log->record[at].data, log->record[at].size);
        ends[i] = data->size;
    }
    return status;
}

enum status kafka_delete_before(struct kafka_observer *o, const char *topic, int32_t partition,
    int64_t offset, struct error *err)
{
    (void)o;
    enum status status = answer(err);
    if (status != ST_OK) return status;
    fake_log_trim(log_of(topic, partition), offset);
    world.totals.trims++;
    return ST_OK;
}

enum status kafka_offsets_at(struct kafka_observer *o, const char *topic, uint32_t count,
    const bool *wanted, int64_t when_ms, int64_t *offset, struct error *err)
{
    (void)o;
    enum status status = answer(err);
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        const struct fake_log *log = log_of(topic, (int32_t)p);
        if (wanted == NULL || wanted[p])
            offset[p] = when_ms == KAFKA_AT_START ? log->start : log->end;
    }
    return status;
}

enum status kafka_group_committed(struct kafka_observer *o, const char *stage, const char *topic,
    uint32_t count, struct kafka_assigned *committed, struct error *err)
{
    (void)o, (void)stage, (void)topic;
    enum status status = answer(err);
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        if (world.part[p].pending != NULL)
            return error_set(err, ST_RETRY, 0, "simulated: a transaction is not over");
        committed[p] =
            (struct kafka_assigned){.partition = (int32_t)p, .offset = world.part[p].committed};
    }
    return status;
}
