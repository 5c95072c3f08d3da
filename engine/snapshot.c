#include "engine/snapshot.h"

#include "engine/base/failpoint.h"
#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "schemas/format.h"
#include "schemas/wire.h"

#include <stdlib.h>

enum { SNAPSHOT_CHUNK_BYTES = 512 * 1024, SNAPSHOT_VERSION = 1, CHUNKS_MAX = 1 << 16 };

struct manifest {
    uint64_t version, plan, bytes, hash;
    int64_t partials_offset;
    int64_t *chunk;
    size_t chunks;
};

static enum status send_chunks(const struct buffer *state, struct kafka *kafka, const char *topic,
    int32_t partition, int64_t *offset, size_t chunks, struct error *err)
{
    struct buffer record = {0};
    enum status status = ST_OK;
    for (size_t i = 0; i < chunks && status == ST_OK; i++) {
        size_t at = i * SNAPSHOT_CHUNK_BYTES, left = state->size - at;
        struct bytes data = {
            state->data + at, left < SNAPSHOT_CHUNK_BYTES ? left : SNAPSHOT_CHUNK_BYTES};
        buffer_reset(&record);
        wire_put_uint(&record, 1, format_version(SNAPSHOT_VERSION));
        format_add(&record);
        wire_put_bytes(&record, 2, data);
        offset[i] = -1;
        status = kafka_send(
            kafka, topic, partition, (struct bytes){0}, buffer_bytes(&record), &offset[i], err);
        failpoint("snapshot", "chunk");
    }
    buffer_release(&record);
    /* The deliveries write into `offset`: also on failure they must be over before it goes. */
    enum status flushed = kafka_flush(kafka, err);
    return status == ST_OK ? flushed : status;
}

static enum status send_manifest(const struct manifest *m, struct kafka *kafka, const char *topic,
    int32_t partition, int64_t *offset, struct error *err)
{
    struct buffer record = {0};
    wire_put_uint(&record, 1, m->version);
    wire_put_fixed64(&record, 2, m->plan);
    wire_put_uint(&record, 3, (uint64_t)m->partials_offset);
    for (size_t i = 0; i < m->chunks; i++)
        wire_put_uint(&record, 4, (uint64_t)m->chunk[i]);
    wire_put_uint(&record, 5, m->bytes);
    wire_put_fixed64(&record, 6, m->hash);
    format_add(&record);
    *offset = -1;
    enum status status =
        kafka_send(kafka, topic, partition, (struct bytes){0}, buffer_bytes(&record), offset, err);
    buffer_release(&record);
    enum status flushed = kafka_flush(kafka, err);
    return status == ST_OK ? flushed : status;
}

enum status snapshot_write(const struct aggregate *a, uint64_t plan, struct kafka *kafka,
    const char *topic, int32_t partition, int64_t partials_offset, int64_t *manifest,
    int64_t *first, struct error *err)
{
    struct buffer state = {0};
    aggregate_save(a, &state);
    size_t chunks = (state.size + SNAPSHOT_CHUNK_BYTES - 1) / SNAPSHOT_CHUNK_BYTES;
    struct manifest m = {.version = format_version(SNAPSHOT_VERSION),
        .plan = plan,
        .partials_offset = partials_offset,
        .chunk = memory_zeroed(chunks, sizeof(*m.chunk)),
        .chunks = chunks,
        .bytes = state.size,
        .hash = hash_stable(buffer_bytes(&state))};
    enum status status = send_chunks(&state, kafka, topic, partition, m.chunk, chunks, err);
    if (status == ST_OK) status = send_manifest(&m, kafka, topic, partition, manifest, err);
    failpoint("snapshot", "manifest");
    if (status == ST_OK) *first = m.chunk[0];
    free(m.chunk);
    buffer_release(&state);
    return status;
}

static enum status manifest_read(struct manifest *m, struct bytes record, struct error *err)
{
    struct wire wire = wire_of(record);
    struct wire_field field = {0};
    int more;
    *m = (struct manifest){0};
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.number == 1) m->version = field.value;
        if (field.number == 2) m->plan = field.value;
        if (field.number == 3) m->partials_offset = (int64_t)field.value;
        if (field.number == 5) m->bytes = field.value;
        if (field.number == 6) m->hash = field.value;
        if (field.number != 4 || m->chunks == CHUNKS_MAX) continue;
        m->chunk = memory_resize(m->chunk, m->chunks + 1, sizeof(*m->chunk));
        m->chunk[m->chunks++] = (int64_t)field.value;
    }
    enum status status = format_check("manifest", m->version, SNAPSHOT_VERSION, err);
    if (status != ST_OK || (more == 0 && m->chunks != 0)) return status;
    return error_set(
        err, ST_FATAL, 0, "not a manifest: it was damaged or written by something else");
}

/* The version comes first on the wire too. */
static enum status chunk_append(struct bytes record, struct buffer *state, struct error *err)
{
    struct wire wire = wire_of(record);
    struct wire_field field = {0};
    uint64_t version = 0;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1) version = field.value;
        if (field.number == 2 && field.type == WIRE_BYTES) {
            buffer_append(state, field.bytes.data, field.bytes.size);
        }
    }
    return format_check("chunk", version, SNAPSHOT_VERSION, err);
}

/* Say which record it was that could not be used. */
static enum status placed(
    enum status status, const char *topic, int32_t partition, int64_t offset, struct error *err)
{
    struct error why = *err;
    if (status != ST_FATAL) return status;
    return error_set(err, ST_FATAL, why.code, "topic %s, partition %d, offset %lld: %s", topic,
        partition, (long long)offset, why.text);
}

static enum status chunks_read(const struct manifest *m, struct kafka_observer *observer,
    const char *topic, int32_t partition, struct buffer *state, struct error *err)
{
    struct buffer records = {0};
    size_t *ends = memory_zeroed(m->chunks, sizeof(*ends));
    enum status status =
        kafka_read_records(observer, topic, partition, m->chunk, m->chunks, &records, ends, err);
    for (size_t i = 0, at = 0; i < m->chunks && status == ST_OK; at = ends[i++]) {
        struct bytes record = {records.data + at, ends[i] - at};
        status = placed(chunk_append(record, state, err), topic, partition, m->chunk[i], err);
    }
    if (status == ST_OK &&
        (state->size != m->bytes || hash_stable(buffer_bytes(state)) != m->hash)) {
        status = error_set(
            err, ST_FATAL, 0, "%s: the snapshot's chunks do not match its manifest", topic);
    }
    buffer_release(&records);
    free(ends);
    return status;
}

enum status snapshot_read(struct aggregate *a, struct kafka_observer *observer, const char *topic,
    int32_t partition, int64_t manifest, int64_t *partials_offset, int64_t *first,
    struct error *err)
{
    struct buffer record = {0}, state = {0};
    struct manifest m = {0};
    size_t end;
    failpoint("snapshot", "read");
    enum status status =
        kafka_read_records(observer, topic, partition, &manifest, 1, &record, &end, err);
    if (status == ST_OK) {
        status =
            placed(manifest_read(&m, buffer_bytes(&record), err), topic, partition, manifest, err);
    }
    if (status == ST_OK) status = chunks_read(&m, observer, topic, partition, &state, err);
    if (status == ST_OK) {
        status =
            placed(aggregate_load(a, buffer_bytes(&state), err), topic, partition, manifest, err);
    }
    if (status == ST_OK) {
        *partials_offset = m.partials_offset;
        *first = m.chunk[0];
    }
    if (status == ST_LOST) {
        status = error_set(err, ST_FATAL, 0,
            "%s, partition %d: the snapshot at offset %lld is gone, and with it the state; start "
            "anew under another `name`",
            topic, partition, (long long)manifest);
    }
    free(m.chunk);
    buffer_release(&record);
    buffer_release(&state);
    return status;
}
