#include "engine/base/memory.h"
#include "engine/fleet_state.h"
#include "schemas/series_name.h"

#include <math.h>
#include <stdlib.h>

/* Shifts that differ by less are equal: chance alone moves them that much. */
#define SHIFT_STEP .25

static void traces_read(struct member_told *member, const struct alert *alert)
{
    for (uint32_t i = 0; i < alert->exemplars; i++) {
        if (alert->exemplar[i].kind == EXEMPLAR_TYPICAL) continue;
        memcpy(member->trace_id[member->traces++], alert->exemplar[i].trace_id, 16);
    }
}

bool member_read(struct member_told *member, struct bytes record)
{
    struct output *out = memory_zeroed(1, sizeof(*out));
    struct error err;
    *member = (struct member_told){.record = memory_take(record.size + 1), .bytes = record.size};
    if (record.size != 0) memcpy(member->record, record.data, record.size);
    struct bytes own = {member->record, member->bytes};
    bool ok = output_decode(own, out, &err) == ST_OK && out->is_alert;
    if (ok) {
        const struct alert *alert = &out->alert;
        member->rule = alert->rule;
        member->series = alert->series;
        member->service = series_name_service(alert->series);
        member->kind = series_name_value(alert->series, bytes_of("kind"));
        member->operation = series_name_value(alert->series, bytes_of("operation"));
        member->fires = alert->state == ALERT_FIRING;
        member->since_ns = alert->since_ns;
        member->at_ns = alert->at_ns;
        member->signal = alert->signal;
        traces_read(member, alert);
    } else {
        member_release(member);
    }
    free(out);
    return ok;
}

void member_release(struct member_told *member)
{
    free(member->record);
    *member = (struct member_told){0};
}

static int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

/* The larger first; what is no number comes last. */
static int steps_compare(double a, double b)
{
    double left = isfinite(a) ? floor(a / SHIFT_STEP) : -INFINITY;
    double right = isfinite(b) ? floor(b / SHIFT_STEP) : -INFINITY;
    return (left < right) - (left > right);
}

static int shorter_compare(double a, double b)
{
    double left = isfinite(a) ? a : INFINITY, right = isfinite(b) ? b : INFINITY;
    return (left > right) - (left < right);
}

int member_compare(const void *left, const void *right)
{
    const struct member_told *a = left, *b = right;
    int order = steps_compare(a->signal.shift, b->signal.shift);
    if (order == 0) order = shorter_compare(a->signal.mean_ms, b->signal.mean_ms);
    if (order == 0) order = bytes_compare(a->series, b->series);
    if (order == 0) order = bytes_compare(a->rule, b->rule);
    return order != 0 ? order : (int)a->fires - (int)b->fires;
}

static bool traces_shared(const struct member_told *a, const struct member_told *b)
{
    for (uint32_t i = 0; i < a->traces; i++) {
        for (uint32_t j = 0; j < b->traces; j++) {
            if (memcmp(a->trace_id[i], b->trace_id[j], 16) == 0) return true;
        }
    }
    return false;
}

/* One asks what the other answers: spans of one operation, seen from both its ends. */
static bool ends_of_one(const struct member_told *asks, const struct member_told *answers)
{
    if (asks->operation.size == 0 || !bytes_equal(asks->operation, answers->operation))
        return false;
    bool is_call = bytes_are(asks->kind, "CLIENT") && bytes_are(answers->kind, "SERVER");
    bool is_message = bytes_are(asks->kind, "PRODUCER") && bytes_are(answers->kind, "CONSUMER");
    return is_call || is_message;
}

bool member_linked(const struct member_told *a, const struct member_told *b)
{
    if (a->service.size != 0 && bytes_equal(a->service, b->service)) return true;
    return traces_shared(a, b) || ends_of_one(a, b) || ends_of_one(b, a);
}
