#include "engine/snapshot.h"

#include "engine/aggregate_state.h"
#include "engine/base/failpoint.h"
#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/metrics.h"
#include "engine/trouble.h"
#include "schemas/format.h"
#include "schemas/wire.h"

#include <inttypes.h>
#include <stdio.h>
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

struct metric *snapshot_bytes(int32_t partition)
{
    return metric_of(METRIC_GAUGE, "weir_snapshot_bytes",
        "Size of the newest snapshot that was written.", "partition=\"%d\"", partition);
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
    if (status == ST_OK) {
        *first = m.chunk[0];
        metric_set(snapshot_bytes(partition), (double)m.bytes);
    }
    free(m.chunk);
    buffer_release(&state);
    return status;
}

/* Whether this weir knows the version, which is a trouble of its own. */
static enum status known(
    const char *what, uint64_t version, enum trouble *trouble, struct error *err)
{
    enum status status = format_check(what, version, SNAPSHOT_VERSION, err);
    if (status != ST_OK) *trouble = TROUBLE_VERSION;
    return status;
}

static enum status manifest_read(
    struct manifest *m, struct bytes record, enum trouble *trouble, struct error *err)
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
    enum status status = known("manifest", m->version, trouble, err);
    if (status != ST_OK || (more == 0 && m->chunks != 0)) return status;
    return error_set(
        err, ST_FATAL, 0, "not a manifest: it was damaged or written by something else");
}

/* The version comes first on the wire too. */
static enum status chunk_append(
    struct bytes record, struct buffer *state, enum trouble *trouble, struct error *err)
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
    return known("chunk", version, trouble, err);
}

/* What cannot be loaded stops the worker: say which snapshot it is, and show why on /readyz. */
static enum status refused(enum trouble trouble, const char *topic, int32_t partition,
    int64_t manifest, const char *why, struct error *err)
{
    char where[300], text[sizeof(err->text)];
    snprintf(text, sizeof(text), "%s", why);
    snprintf(where, sizeof(where), "%s/%" PRId32, topic, partition);
    trouble_begin(trouble, where, "snapshot at offset %" PRId64 ": %s", manifest, text);
    return error_set(err, ST_FATAL, 0, "%s, snapshot at offset %" PRId64 ": %s; %s", where,
        manifest, text, trouble_kinds[trouble].todo);
}

static enum status chunks_read(const struct manifest *m, struct kafka_observer *observer,
    const char *topic, int32_t partition, struct buffer *state, enum trouble *trouble,
    struct error *err)
{
    struct buffer records = {0};
    size_t *ends = memory_zeroed(m->chunks, sizeof(*ends));
    enum status status =
        kafka_read_records(observer, topic, partition, m->chunk, m->chunks, &records, ends, err);
    for (size_t i = 0, at = 0; i < m->chunks && status == ST_OK; at = ends[i++]) {
        struct bytes record = {records.data + at, ends[i] - at};
        status = chunk_append(record, state, trouble, err);
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

static uint64_t saved_version(struct bytes saved)
{
    struct wire wire = wire_of(saved);
    struct wire_field field = {0};
    bool first = wire_next(&wire, &field) > 0 && field.number == 1;
    return first ? field.value : 0;
}

static enum status plan_check(
    const struct manifest *m, const struct aggregate *a, enum trouble *trouble, struct error *err)
{
    if (m->plan == aggregate_plan(a)) return ST_OK;
    *trouble = TROUBLE_PLAN;
    return error_set(err, ST_FATAL, 0,
        "it is of plan %016" PRIx64 ", this worker runs plan %016" PRIx64, m->plan,
        aggregate_plan(a));
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
    enum trouble trouble = TROUBLE_SNAPSHOT_DAMAGED;
    if (status == ST_OK) status = manifest_read(&m, buffer_bytes(&record), &trouble, err);
    if (status == ST_OK) status = plan_check(&m, a, &trouble, err);
    if (status == ST_OK)
        status = chunks_read(&m, observer, topic, partition, &state, &trouble, err);
    if (status == ST_OK &&
        saved_version(buffer_bytes(&state)) > format_version(AGGREGATE_SAVED_VERSION))
        trouble = TROUBLE_VERSION;
    if (status == ST_OK) status = aggregate_load(a, buffer_bytes(&state), err);
    if (status == ST_OK) {
        *partials_offset = m.partials_offset;
        *first = m.chunk[0];
    }
    if (status == ST_FATAL) status = refused(trouble, topic, partition, manifest, err->text, err);
    free(m.chunk);
    buffer_release(&record);
    buffer_release(&state);
    return status;
}

enum status snapshot_missing(
    const char *topic, int32_t partition, int64_t manifest, struct error *err)
{
    return refused(TROUBLE_SNAPSHOT_MISSING, topic, partition, manifest, err->text, err);
}
