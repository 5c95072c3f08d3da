/*
 * The judge: whatever an owner commits must be what an owner that was never interrupted would have
 * said and been, to the byte.
 */
#include "engine/aggregate_metadata.h"
#include "tests/simulator/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t number_of(const struct part *part)
{
    return (int32_t)(part - world.part);
}

/* The reference applies what the commit covers, and says what has to be said of it. */
static bool reference_follow(struct part *part, int64_t position, struct records *records)
{
    const struct fake_log *log = &part->partials;
    for (size_t i = fake_log_from(log, part->reference_position);
         i < log->count && log->record[i].offset < position; i++) {
        const struct log_record *record = &log->record[i];
        struct error err;
        if (record->data == NULL) {
            world_fail("partition %d: partial %" PRId64 " was deleted before it was committed",
                number_of(part), record->offset);
            return false;
        }
        struct bytes value = {record->data, record->size};
        if (aggregate_apply(part->reference, value, records, &err) > ST_SKIP) {
            world_fail(
                "partition %d, partial %" PRId64 ": %s", number_of(part), record->offset, err.text);
            return false;
        }
    }
    part->reference_position = position;
    return true;
}

static void describe(struct bytes value, char text[160])
{
    struct output out;
    struct error err;
    if (output_decode(value, &out, &err) != ST_OK) {
        snprintf(text, 160, "%.150s", err.text);
    } else if (out.is_alert) {
        snprintf(text, 160, "alert %s of %.*s at %" PRId64, out.alert.id,
            (int)out.alert.series.size, (const char *)out.alert.series.data, out.alert.at_ns);
    } else {
        snprintf(text, 160, "%s row of %.*s, %" PRId64 " to %" PRId64 " s%s",
            row_status_name[out.row.status], (int)out.row.series.size,
            (const char *)out.row.series.data, (out.row.start_ns - BENCH_EPOCH_NS) / BENCH_S,
            (out.row.end_ns - BENCH_EPOCH_NS) / BENCH_S, out.row.rolling ? ", rolling" : "");
    }
}

static size_t first_difference(struct bytes left, struct bytes right)
{
    size_t both = left.size < right.size ? left.size : right.size, at = 0;
    while (at < both && left.data[at] == right.data[at])
        at++;
    return at;
}

static void row_differs(
    const struct part *part, int64_t position, size_t i, struct bytes said, struct bytes wanted)
{
    char is[160] = "nothing", should[160] = "nothing";
    if (said.data != NULL) describe(said, is);
    if (wanted.data != NULL) describe(wanted, should);
    world_fail("partition %d, the commit up to %" PRId64
               ", record %zu, byte %zu:\n  said:      %s\n  reference: %s",
        number_of(part), position, i, first_difference(said, wanted), is, should);
}

static void rows_compare(const struct part *part, const struct sent *sent, int64_t position,
    const struct records *records)
{
    const uint8_t *at = sent->bytes.data;
    size_t most = sent->count > records->count ? sent->count : records->count;
    for (size_t i = 0; i < most; i++) {
        struct bytes key = {0}, value = {0}, wanted_key = {0}, wanted = {0};
        if (i < sent->count) {
            key = (struct bytes){at, sent->place[i].key};
            value = (struct bytes){at + key.size, sent->place[i].value};
            at += key.size + value.size;
        }
        if (i < records->count) records_get(records, i, &wanted_key, &wanted);
        if (i < sent->count && i < records->count && bytes_equal(key, wanted_key) &&
            bytes_equal(value, wanted))
            continue;
        row_differs(part, position, i, value, wanted);
        return;
    }
    world.totals.rows += most;
}

/* All that one partition told in a transaction, as if in one piece; false: it told nothing. */
static bool told_gather(const struct part *part, const struct sent *told,
    struct partial_telling *last, struct buffer *alerts)
{
    const uint8_t *at = told->bytes.data;
    bool any = false;
    for (size_t i = 0; i < told->count; i++) {
        struct partial_header header;
        struct partial_item item;
        struct wire parts;
        struct error err;
        struct bytes value = {at + told->place[i].key, told->place[i].value};
        at += told->place[i].key + told->place[i].value;
        if (partial_open(value, &header, &parts, &err) != ST_OK ||
            partial_next(&parts, &item) != PARTIAL_TELLING) {
            world_fail("partition %d: what goes to partials is no telling", number_of(part));
            return false;
        }
        if (item.telling.partition != (uint32_t)number_of(part)) continue;
        buffer_append(alerts, item.telling.alerts.data, item.telling.alerts.size);
        *last = item.telling;
        any = true;
    }
    return any;
}

/* Nothing may be told only where nothing is to be: no alert, and no pane that was not told of. */
static void told_compare(struct part *part, const struct sent *told, const struct records *records)
{
    struct partial_telling said, wanted;
    struct buffer alerts = {0};
    bool any = told_gather(part, told, &said, &alerts);
    aggregate_telling(part->reference, &wanted);
    bool due = records->told.size != 0 || wanted.closed_ns != part->told_ns ||
               wanted.ended != part->told_ended;
    bool same = any ? bytes_equal(buffer_bytes(&alerts), buffer_bytes(&records->told)) &&
                          said.closed_ns == wanted.closed_ns && said.ended == wanted.ended
                    : !due;
    if (!same) {
        world_fail("partition %d, the commit up to %" PRId64 ": told %zu bytes of alerts, the "
                   "reference %zu",
            number_of(part), part->reference_position, alerts.size, records->told.size);
    }
    part->told_ns = wanted.closed_ns;
    part->told_ended = wanted.ended;
    buffer_release(&alerts);
}

/* Which field of the Snapshot a byte is in: its number, and the how manieth of that number it is. */
static void state_differs(const struct part *part, struct bytes saved, struct bytes wanted)
{
    size_t at = first_difference(saved, wanted);
    struct wire wire = wire_of(wanted);
    struct wire_field field = {0};
    uint32_t number = 0;
    size_t nth = 0;
    while (wire_next(&wire, &field) > 0) {
        nth = field.number == number ? nth + 1 : 0;
        number = field.number;
        if (wire_offset(&wire) > at) break;
    }
    world_fail("partition %d, the state at %" PRId64
               ": byte %zu differs, in field %u number %zu of schemas/snapshot.proto (%zu bytes, "
               "reference %zu)",
        number_of(part), part->reference_position, at, number, nth, saved.size, wanted.size);
}

static bool state_record(const struct part *part, int64_t offset, struct wire *wire)
{
    const struct fake_log *log = &part->state;
    size_t at = fake_log_from(log, offset);
    bool there =
        at < log->count && log->record[at].offset == offset && log->record[at].data != NULL;
    if (there) {
        *wire = wire_of((struct bytes){log->record[at].data, log->record[at].size});
        return true;
    }
    world_fail("partition %d: record %" PRId64 " of the state is not there when it is committed",
        number_of(part), offset);
    return false;
}

static void state_gather(const struct part *part, int64_t chunk, struct buffer *state)
{
    struct wire wire;
    struct wire_field field = {0};
    if (!state_record(part, chunk, &wire)) return;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 2) buffer_append(state, field.bytes.data, field.bytes.size);
    }
}

/* The snapshot that a manifest names holds what the reference holds at the same offset. */
static void state_compare(struct part *part, int64_t manifest)
{
    struct wire wire;
    struct wire_field field = {0};
    struct buffer saved = {0}, wanted = {0};
    int64_t from = -1;
    if (!state_record(part, manifest, &wire)) return;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 3) from = (int64_t)field.value;
        if (field.number == 4) state_gather(part, (int64_t)field.value, &saved);
    }
    aggregate_save(part->reference, &wanted);
    if (from != part->reference_position) {
        world_fail("partition %d: the snapshot goes on at %" PRId64 ", its commit at %" PRId64,
            number_of(part), from, part->reference_position);
    } else if (!bytes_equal(buffer_bytes(&saved), buffer_bytes(&wanted))) {
        state_differs(part, buffer_bytes(&saved), buffer_bytes(&wanted));
    }
    part->manifest = manifest;
    world.totals.states++;
    buffer_release(&saved);
    buffer_release(&wanted);
}

static void metadata_compare(struct part *part, const char *text)
{
    struct aggregate_metadata metadata = {.manifest = -1};
    bool ours = aggregate_metadata_read(&metadata, text);
    bool same = ours && metadata.watermark_ns == aggregate_watermark(part->reference) &&
                metadata.ended == aggregate_ended(part->reference);
    if (!same) {
        world_fail("partition %d, the commit up to %" PRId64
                   ": metadata \"%s\", the reference's watermark is %" PRId64 ", ended %d",
            number_of(part), part->reference_position, text, aggregate_watermark(part->reference),
            aggregate_ended(part->reference));
    } else if (metadata.manifest != part->manifest) {
        state_compare(part, metadata.manifest);
    }
}

void judge_commit(
    struct part *part, const struct said *said, int64_t position, const char *metadata)
{
    struct records records = {0};
    if (world.failed) return;
    if (position < part->reference_position) {
        world_fail("partition %d: the commit up to %" PRId64 " follows one up to %" PRId64,
            number_of(part), position, part->reference_position);
    } else if (reference_follow(part, position, &records)) {
        rows_compare(part, said->rows, position, &records);
        if (!world.failed) told_compare(part, said->told, &records);
        if (!world.failed) metadata_compare(part, metadata);
    }
    records_release(&records);
    part->committed = position;
    snprintf(part->metadata, sizeof(part->metadata), "%s", metadata);
}

/* What was lost, and what came twice, is known here: the audit must say exactly that. */
void judge_end(void)
{
    for (uint32_t p = 0; p < world.partitions && !world.failed; p++) {
        const struct part *part = &world.part[p];
        struct aggregate_counts counts;
        aggregate_counts(part->reference, &counts);
        world.totals.offsets_lost += part->lost;
        world.totals.offsets_twice += part->twice;
        if (counts.gap_offsets == part->lost && counts.overlap_offsets == part->twice) continue;
        world_fail("partition %u: %" PRIu64 " offsets were lost and %" PRIu64
                   " came twice, the audit says %" PRIu64 " and %" PRIu64,
            p, part->lost, part->twice, counts.gap_offsets, counts.overlap_offsets);
    }
}

void judge_audit_said(void)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        if (world.part[p].lost != 0 || world.part[p].twice != 0) return;
    }
    world_fail("the audit speaks up, and nothing was lost or came twice");
}
