#include "sinks/row_json.h"

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/base/trace_link.h"

#include <jansson.h>

static void member(const char *name, struct buffer *out)
{
    buffer_print(out, ",\"%s\":", name);
}

static void integer_member(const char *name, int64_t value, struct buffer *out)
{
    member(name, out);
    buffer_print(out, "%lld", (long long)value);
}

static void text_member(const char *name, struct bytes value, struct buffer *out)
{
    member(name, out);
    row_json_text(value, out);
}

/* Nanoseconds as milliseconds, exactly: a sum may be beyond what a double holds. */
static void milliseconds(uint64_t ns, struct buffer *out)
{
    buffer_print(out, "%llu", (unsigned long long)(ns / 1000000));
    unsigned rest = (unsigned)(ns % 1000000);
    if (rest == 0) return;
    buffer_print(out, ".%06u", rest);
    while (out->data[out->size - 1] == '0')
        out->size--;
}

static void column_member(const struct column_value *column, struct buffer *out)
{
    buffer_append(out, ",", 1);
    if (column->is_integer && bytes_are(column->name, "latency_sum_ns")) {
        buffer_print(out, "\"latency_sum_ms\":");
        milliseconds(column->value.integer, out);
        return;
    }
    row_json_text(column->name, out);
    buffer_append(out, ":", 1);
    if (column->is_integer)
        buffer_print(out, "%llu", (unsigned long long)column->value.integer);
    else
        row_json_number(column->value.number, out);
}

static void trace_member(const char *name, const uint8_t *trace_id, struct buffer *out)
{
    member(name, out);
    buffer_append(out, "\"", 1);
    trace_id_append(trace_id, out);
    buffer_append(out, "\"", 1);
}

static void exemplar_object(
    const struct exemplar *exemplar, const char *trace_link, struct buffer *out)
{
    buffer_print(out, "{\"kind\":\"%s\"", exemplar_kind_name[exemplar->kind]);
    trace_member("trace_id", exemplar->trace_id, out);
    member("duration_ms", out);
    milliseconds(exemplar->duration_ns, out);
    if (*trace_link != '\0') {
        member("link", out);
        buffer_append(out, "\"", 1);
        trace_link_append(trace_link, exemplar->trace_id, out);
        buffer_append(out, "\"", 1);
    }
    buffer_append(out, "}", 1);
}

void row_json_exemplars(
    const struct exemplar *exemplar, uint32_t exemplars, const char *trace_link, struct buffer *out)
{
    buffer_append(out, "[", 1);
    for (uint32_t i = 0; i < exemplars; i++) {
        if (i > 0) buffer_append(out, ",", 1);
        exemplar_object(&exemplar[i], trace_link, out);
    }
    buffer_append(out, "]", 1);
}

void row_json_error_kinds(const struct error_kind *kind, uint32_t kinds, struct buffer *out)
{
    buffer_append(out, "[", 1);
    for (uint32_t i = 0; i < kinds; i++) {
        buffer_print(out, "%s{\"type\":", i > 0 ? "," : "");
        row_json_text(kind[i].type, out);
        text_member("message", kind[i].message, out);
        member("count", out);
        buffer_print(out, "%llu", (unsigned long long)kind[i].count);
        trace_member("trace_id", kind[i].trace_id, out);
        buffer_append(out, "}", 1);
    }
    buffer_append(out, "]", 1);
}

/* The first of each kind by a name of its own, for readers who want no lists; then all. */
static void traces_members(const struct row *row, struct buffer *out)
{
    static const char *const first[] = {"trace_id_slow", "trace_id_error", "trace_id_typical"};
    if (row->exemplars == 0) return;
    for (uint32_t i = 0; i < row->exemplars; i++) {
        if (i > 0 && row->exemplar[i].kind == row->exemplar[i - 1].kind) continue;
        trace_member(first[row->exemplar[i].kind], row->exemplar[i].trace_id, out);
    }
    member("exemplars", out);
    row_json_exemplars(row->exemplar, row->exemplars, "", out);
}

static void errors_members(const struct row *row, struct buffer *out)
{
    if (row->error_kinds == 0 && row->errors_else == 0) return;
    member("error_kinds", out);
    row_json_error_kinds(row->error_kind, row->error_kinds, out);
    integer_member("errors_else", (int64_t)row->errors_else, out);
}

void row_json(const struct output *output, int64_t now_ms, struct buffer *out)
{
    const struct row *row = &output->row;
    buffer_print(out, "{\"start_ms\":%lld,\"end_ms\":%lld,\"status\":\"%s\"",
        (long long)(row->start_ns / NS_PER_MS), (long long)(row->end_ns / NS_PER_MS),
        row_status_name[row->status]);
    for (uint32_t c = 0; c < output->columns; c++)
        column_member(&output->column[c], out);
    if (row->sent_ms != 0) {
        if (row->record_ms != 0) integer_member("transfer_ms", row->sent_ms - row->record_ms, out);
        integer_member("analysis_ms", now_ms - row->sent_ms, out);
    }
    traces_members(row, out);
    errors_members(row, out);
    buffer_append(out, "}", 1);
}

struct bytes row_json_object(struct bytes json)
{
    json_t *read = json_loadb((const char *)json.data, json.size, 0, NULL);
    bool is_object = json_is_object(read);
    json_decref(read);
    return is_object ? json : bytes_of("{}");
}

static void object_member(const char *name, struct bytes json, struct buffer *out)
{
    struct bytes object = row_json_object(json);
    member(name, out);
    buffer_append(out, object.data, object.size);
}

static void signal_members(const struct standout *signal, struct buffer *out)
{
    text_member("signal", signal->name, out);
    member("z", out);
    row_json_number(signal->z, out);
    member("p", out);
    row_json_number(signal->p, out);
    member("value", out);
    row_json_number(signal->value, out);
    member("expected", out);
    row_json_number(signal->expected, out);
}

void row_json_members(const struct alert *alert, struct buffer *out)
{
    buffer_append(out, "[", 1);
    for (uint32_t i = 0; i < alert->members; i++) {
        buffer_print(out, "%s{\"series\":", i == 0 ? "" : ",");
        row_json_text(alert->member[i].series, out);
        signal_members(&alert->member[i].signal, out);
        buffer_append(out, "}", 1);
    }
    buffer_append(out, "]", 1);
}

void row_json_alert(const struct alert *alert, const char *trace_link, struct buffer *out)
{
    buffer_append(out, "{\"id\":", 6);
    row_json_text(bytes_of(alert->id), out);
    text_member("rule", alert->rule, out);
    text_member("series", alert->series, out);
    text_member("state", bytes_of(alert_state_name[alert->state]), out);
    text_member("severity", alert->severity, out);
    text_member("condition", alert->condition, out);
    member("value", out);
    row_json_number(alert->value, out);
    integer_member("since_ms", alert->since_ns / NS_PER_MS, out);
    integer_member("at_ms", alert->at_ns / NS_PER_MS, out);
    object_member("labels", alert->labels, out);
    object_member("annotations", alert->annotations, out);
    member("score", out);
    buffer_append(out, "{", 1);
    size_t begun = out->size;
    signal_members(&alert->signal, out);
    memmove(out->data + begun, out->data + begun + 1, out->size - begun - 1); /* its first comma */
    out->size--;
    buffer_append(out, "}", 1);
    member("exemplars", out);
    row_json_exemplars(alert->exemplar, alert->exemplars, trace_link, out);
    member("errors", out);
    row_json_error_kinds(alert->error_kind, alert->error_kinds, out);
    member("members", out);
    row_json_members(alert, out);
    buffer_append(out, "}", 1);
}
