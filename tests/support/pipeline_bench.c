#include "tests/support/pipeline_bench.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/fleet.h"
#include "schemas/otlp_write.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MEMORY = 64 << 20, SEED = 7 };

void bench_plan_init(struct bench_plan *bench, const char *yaml)
{
    struct error err;
    if (config_load_bytes(&bench->config, "bench.yaml", bytes_of(yaml), NULL, &err) != ST_OK)
        fail_msg("%s\n%s", yaml, err.text);
    if (plan_init(&bench->plan, &bench->config, &err) != ST_OK) fail_msg("%s\n%s", yaml, err.text);
}

void bench_plan_release(struct bench_plan *bench)
{
    config_release(&bench->config);
}

/* A span's trace, and why it failed, follow from when it ended and how long it took. */
static void message_span(struct buffer *out, const struct bench_span *from)
{
    char type[32], message[64];
    uint64_t drawn = hash_mix((uint64_t)from->end_ns, (uint64_t)from->duration_ns);
    snprintf(type, sizeof(type), "Error%c", 'A' + (char)(drawn % 20));
    snprintf(message, sizeof(message), "failed after %" PRId64 " ns", from->duration_ns);
    struct otlp_exception exception = {bytes_of(type), bytes_of(message)};
    struct otlp_span span = {.trace_id = {1},
        .span_id = {1},
        .exception = from->failed ? &exception : NULL,
        .name = bytes_of(from->operation),
        .kind = from->kind,
        .start_ns = from->end_ns - from->duration_ns,
        .end_ns = from->end_ns,
        .failed = from->failed};
    memcpy(span.trace_id + 8, &drawn, sizeof(drawn));
    otlp_write_span(out, &span);
}

void bench_message(struct buffer *out, const struct bench_span *span, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct otlp_resource marks;
        otlp_resource_open(out, bytes_of(span[i].service), NULL, 0, &marks);
        message_span(out, &span[i]);
        otlp_resource_close(out, &marks);
    }
}

void bench_log_add(struct bench_log *log, uint32_t partition, struct bytes value)
{
    log->entry = memory_resize(log->entry, log->count + 1, sizeof(*log->entry));
    log->entry[log->count++] = (struct bench_entry){
        partition, (uint8_t *)memory_text((const char *)value.data, value.size), value.size};
}

void bench_log_append(struct bench_log *log, const struct bench_log *other)
{
    for (size_t i = 0; i < other->count; i++)
        bench_log_add(log, other->entry[i].partition, bench_log_get(other, i));
}

void bench_log_release(struct bench_log *log)
{
    for (size_t i = 0; i < log->count; i++)
        free(log->entry[i].data);
    free(log->entry);
    *log = (struct bench_log){0};
}

void bench_worker_init(struct bench_worker *worker, const struct bench_plan *bench, uint32_t first,
    uint32_t count, uint32_t partitions, uint64_t memory)
{
    *worker =
        (struct bench_worker){.plan = &bench->plan, .clocks = count, .partitions = partitions};
    worker->combine = combine_new(
        &bench->plan, decoder_find("otlp_proto"), memory == 0 ? MEMORY : memory, SEED + first);
    for (uint32_t i = 0; i < count; i++) {
        worker->clock[i] = (struct source_clock){
            .partition = first + i, .watermark_ns = WATERMARK_NONE, .newest_pane = PANE_NONE};
    }
}

void bench_worker_release(struct bench_worker *worker)
{
    combine_free(worker->combine);
    *worker = (struct bench_worker){0};
}

enum status bench_record(struct bench_worker *worker, size_t source, int64_t timestamp_ns,
    const struct bench_span *span, size_t count)
{
    struct buffer message = {0};
    struct error err;
    bench_message(&message, span, count);
    struct combine_record record = {
        .value = buffer_bytes(&message), .timestamp_ms = timestamp_ns / 1000000};
    enum status status = combine_record(worker->combine, &worker->clock[source], &record, &err);
    if (status > ST_SKIP) fail_msg("%s", err.text);
    worker->clock[source].position++;
    buffer_release(&message);
    return status;
}

void bench_flush(struct bench_worker *worker, int64_t sent_ms, struct bench_log *log)
{
    const struct partial_topic topic = {bytes_of("otlp_spans"), worker->partitions};
    struct combine_flush flush = {.topic = &topic,
        .topics = 1,
        .clock = worker->clock,
        .clocks = worker->clocks,
        .sent_ms = sent_ms};
    uint32_t partition;
    struct bytes value;
    combine_flush(worker->combine, &flush);
    while (combine_next(worker->combine, &flush, &partition, &value))
        bench_log_add(log, partition, value);
    combine_reset(worker->combine);
    for (size_t i = 0; i < worker->clocks; i++)
        worker->clock[i].committed = worker->clock[i].position;
}

void bench_apply(struct aggregate *a, const struct bench_log *log, uint32_t partition, size_t from,
    struct records *records)
{
    struct error err;
    for (size_t i = from; i < log->count; i++) {
        if (log->entry[i].partition != partition) continue;
        if (aggregate_apply(a, bench_log_get(log, i), records, &err) != ST_OK)
            fail_msg("partial %zu: %s", i, err.text);
    }
}

void bench_tell(const struct bench_plan *bench, const struct aggregate *from,
    const struct records *records, struct bench_log *log)
{
    struct partial_telling telling;
    struct partial_header header = {
        .plan = bench->plan.fingerprint, .sent_ms = aggregate_sent_ms(from)};
    struct buffer partial = {0};
    aggregate_telling(from, &telling);
    telling.alerts = buffer_bytes(&records->told);
    partial_put_header(&partial, &header);
    partial_put_telling(&partial, &telling);
    bench_log_add(log, FLEET_PARTITION, buffer_bytes(&partial));
    buffer_release(&partial);
}

static void line_row(struct buffer *line, const struct output *out)
{
    const struct row *row = &out->row;
    buffer_print(line, "%.*s %" PRId64 " %" PRId64 " %s%s", (int)row->series.size,
        (const char *)row->series.data, row->start_ns, row->end_ns, row->rolling ? "rolling " : "",
        row_status_name[row->status]);
    for (uint32_t c = 0; c < out->columns; c++) {
        const struct column_value *column = &out->column[c];
        buffer_print(line, " %.*s=%" PRIx64, (int)column->name.size,
            (const char *)column->name.data, column->value.integer);
    }
    buffer_print(line, " sketch=%016" PRIx64, hash_stable(row->sketch));
    for (uint32_t i = 0; i < row->exemplars; i++) {
        const struct exemplar *e = &row->exemplar[i];
        buffer_print(line, " %s=%016" PRIx64 ":%" PRIu64, exemplar_kind_name[e->kind],
            hash_stable((struct bytes){e->trace_id, sizeof(e->trace_id)}), e->duration_ns);
    }
    for (uint32_t i = 0; i < row->error_kinds; i++) {
        const struct error_kind *kind = &row->error_kind[i];
        buffer_print(line, " %" PRIu64 "x%.*s(%.*s)%016" PRIx64, kind->count, (int)kind->type.size,
            (const char *)kind->type.data, (int)kind->message.size,
            (const char *)kind->message.data,
            hash_stable((struct bytes){kind->trace_id, sizeof(kind->trace_id)}));
    }
    buffer_print(line, " else=%" PRIu64, row->errors_else);
}

static void line_alert(struct buffer *line, const struct output *out)
{
    const struct alert *alert = &out->alert;
    buffer_print(line, "alert %s %.*s %.*s %s %a since %" PRId64 " at %" PRId64, alert->id,
        (int)alert->rule.size, (const char *)alert->rule.data, (int)alert->series.size,
        (const char *)alert->series.data, alert_state_name[alert->state], alert->value,
        alert->since_ns, alert->at_ns);
}

static void output_of(const struct records *records, size_t i, struct output *out)
{
    struct bytes key, value;
    struct error err;
    records_get(records, i, &key, &value);
    if (output_decode(value, out, &err) != ST_OK) fail_msg("record %zu: %s", i, err.text);
    struct bytes series = out->is_alert ? out->alert.series : out->row.series;
    assert_true(bytes_equal(key, series));
}

void bench_lines_add(struct bench_lines *lines, const struct records *records)
{
    struct buffer line = {0};
    lines->line = memory_resize(lines->line, lines->count + records->count + 1, sizeof(char *));
    for (size_t i = 0; i < records->count; i++) {
        struct output out;
        output_of(records, i, &out);
        buffer_reset(&line);
        if (out.is_alert)
            line_alert(&line, &out);
        else
            line_row(&line, &out);
        lines->line[lines->count++] = memory_text((const char *)line.data, line.size);
    }
    buffer_release(&line);
}

static int line_compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void bench_lines_sort(struct bench_lines *lines)
{
    qsort(lines->line, lines->count, sizeof(char *), line_compare);
}

void bench_lines_release(struct bench_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->line[i]);
    free(lines->line);
    *lines = (struct bench_lines){0};
}

void bench_lines_equal(const struct bench_lines *left, const struct bench_lines *right)
{
    size_t both = left->count < right->count ? left->count : right->count;
    for (size_t i = 0; i < both; i++) {
        if (strcmp(left->line[i], right->line[i]) == 0) continue;
        fail_msg("line %zu differs:\n%s\n%s", i, left->line[i], right->line[i]);
    }
    if (left->count == right->count) return;
    const struct bench_lines *longer = left->count > right->count ? left : right;
    fail_msg("%zu and %zu lines; one ends with\n%s", left->count, right->count,
        longer->line[longer->count - 1]);
}

static double output_value(const struct output *out, const char *name)
{
    for (uint32_t c = 0; c < out->columns; c++) {
        const struct column_value *column = &out->column[c];
        if (!bytes_are(column->name, name)) continue;
        return column->is_integer ? (double)column->value.integer : column->value.number;
    }
    return NAN;
}

double bench_value(const struct records *records, const char *series, int64_t end_ns,
    int64_t width_ns, bool rolling, enum row_status status, const char *column)
{
    double value = NAN;
    for (size_t i = 0; i < records->count; i++) {
        struct output out;
        output_of(records, i, &out);
        if (out.is_alert || !bytes_are(out.row.series, series) || out.row.end_ns != end_ns)
            continue;
        if (out.row.end_ns - out.row.start_ns != width_ns || out.row.rolling != rolling) continue;
        if (out.row.status == status) value = output_value(&out, column);
    }
    return value;
}

size_t bench_rows(const struct records *records, enum row_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++) {
        struct output out;
        output_of(records, i, &out);
        count += !out.is_alert && out.row.status == status;
    }
    return count;
}
