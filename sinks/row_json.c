#include "sinks/row_json.h"

#include "engine/base/clock.h"

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
    buffer_append(out, "}", 1);
}

void row_json_alert(const struct alert *alert, struct buffer *out)
{
    buffer_append(out, "{\"id\":", 6);
    row_json_text(bytes_of(alert->id), out);
    text_member("rule", alert->rule, out);
    text_member("series", alert->series, out);
    text_member("state", bytes_of(alert_state_name[alert->state]), out);
    text_member("severity", alert->severity, out);
    text_member("column", alert->column, out);
    member("value", out);
    row_json_number(alert->value, out);
    member("threshold", out);
    row_json_number(alert->threshold, out);
    integer_member("since_ms", alert->since_ns / NS_PER_MS, out);
    integer_member("at_ms", alert->at_ns / NS_PER_MS, out);
    buffer_append(out, "}", 1);
}
