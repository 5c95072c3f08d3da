#include "tests/support/sample_output.h"

#include "engine/base/clock.h"

#include <assert.h>
#include <stdio.h>

static struct column_value *sample_column(struct output *output, const char *column)
{
    assert(output->columns < COLUMN_COUNT);
    struct column_value *value = &output->column[output->columns++];
    *value = (struct column_value){.name = bytes_of(column)};
    return value;
}

void sample_number(struct output *output, const char *column, double number)
{
    sample_column(output, column)->value.number = number;
}

void sample_integer(struct output *output, const char *column, uint64_t integer)
{
    struct column_value *value = sample_column(output, column);
    value->is_integer = true;
    value->value.integer = integer;
}

struct output sample_row(const char *series, int64_t start_ms, int64_t width_ms, uint64_t spans)
{
    struct output output = {.plan = 1};
    output.row = (struct row){
        .series = bytes_of(series),
        .start_ns = start_ms * NS_PER_MS,
        .end_ns = (start_ms + width_ms) * NS_PER_MS,
        .status = ROW_FINAL,
    };
    sample_integer(&output, "spans", spans);
    sample_integer(&output, "errors", spans / 10);
    sample_integer(&output, "latency_sum_ns", spans * 12500000);
    sample_number(&output, "rate_per_s", (double)spans * 1000 / (double)width_ms);
    sample_number(&output, "error_ratio", 0.1);
    sample_number(&output, "latency_mean_ms", 12.5);
    sample_number(&output, "latency_min_ms", 1.25);
    sample_number(&output, "latency_max_ms", 99.5);
    sample_number(&output, "capture_ratio", 1);
    sample_number(&output, "latency_p50_ms", 12);
    sample_number(&output, "latency_p95_ms", 55);
    sample_number(&output, "latency_p99_ms", 90);
    return output;
}

struct output sample_alert(const char *id, const char *series, enum alert_state state)
{
    struct output output = {.plan = 1, .is_alert = true};
    output.alert = (struct alert){
        .rule = bytes_of("slow"),
        .series = bytes_of(series),
        .state = state,
        .severity = bytes_of("page"),
        .condition = bytes_of("p99 > 500ms"),
        .value = 750.5,
        .labels = bytes_of("{\"alertname\":\"slow\",\"severity\":\"page\"}"),
        .annotations = bytes_of("{\"summary\":\"p99 is 751ms\"}"),
        .since_ns = 1714564800000 * NS_PER_MS,
        .at_ns = 1714564830000 * NS_PER_MS,
    };
    snprintf(output.alert.id, sizeof(output.alert.id), "%s", id);
    return output;
}
