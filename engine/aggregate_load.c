/*
 * The state of aggregate, back from a Snapshot of schemas/snapshot.proto. What a bug or a stranger
 * may have written is refused before anything relies on it.
 */
#include "engine/aggregate_state.h"
#include "engine/base/memory.h"
#include "schemas/format.h"

enum { KEY_BYTES_MAX = 1 + PARTIAL_DIMENSIONS_MAX * (int)(sizeof(uint16_t) + SPAN_TEXT_MAX) };

/* The operators of the snapshot, in order, and where each one's state goes now. */
struct loading {
    struct aggregate *a;
    size_t operators;
    struct {
        size_t bytes;
        size_t to; /* its place among the operators there are now; SIZE_MAX: there is none */
    } from[OPERATORS_MAX];
};

static bool load_operator(struct loading *loading, struct wire wire)
{
    struct wire_field field = {0};
    const struct config *config = loading->a->plan->config;
    uint64_t signature = 0, bytes = 0;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1) signature = field.value;
        if (field.number == 2) bytes = field.value;
    }
    if (loading->operators == OPERATORS_MAX) return false;
    size_t to = SIZE_MAX;
    for (size_t i = 0; i < config->operator_count; i++) {
        const struct operator_instance *o = &config->operators[i];
        size_t now = o->operator_->state_bytes(o->self);
        if (now == bytes && aggregate_signature(o) == signature) to = i;
    }
    loading->from[loading->operators].bytes = bytes;
    loading->from[loading->operators++].to = to;
    return true;
}

static void load_state(
    const struct config *config, struct series *series, size_t to, struct bytes state)
{
    struct states_walk walk = states_begin(config, series->concerned, series->states);
    while (states_next(&walk)) {
        if (walk.index == to) memcpy(walk.state, state.data, state.size);
    }
}

static void load_states(
    const struct loading *loading, struct series *series, uint64_t skipped, struct bytes states)
{
    size_t at = 0;
    for (size_t i = 0; i < loading->operators; i++) {
        size_t bytes = loading->from[i].bytes, to = loading->from[i].to;
        if ((skipped >> i & 1) != 0) continue;
        if (bytes > states.size - at) return;
        struct bytes state = {states.data + at, bytes};
        if (to != SIZE_MAX) load_state(loading->a->plan->config, series, to, state);
        at += bytes;
    }
    series->awake = states_awake(loading->a->plan->config, series->concerned, series->states);
}

static void load_clock(struct aggregate *a, struct wire wire)
{
    struct wire_field field = {0};
    a->clock = memory_resize(a->clock, a->clocks + 1, sizeof(*a->clock));
    struct source_clock *clock = &a->clock[a->clocks++];
    *clock = (struct source_clock){0};
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1) clock->topic = (uint32_t)field.value;
        if (field.number == 2) clock->partition = (uint32_t)field.value;
        if (field.number == 3) clock->watermark_ns = wire_zigzag(field.value);
        if (field.number == 4) clock->newest_pane = wire_zigzag(field.value);
        if (field.number == 5) clock->position = (int64_t)field.value;
        if (field.number == 6) clock->ended = field.value != 0;
    }
}

static void load_total(struct aggregate *a, struct wire wire)
{
    struct wire_field field = {0};
    struct partial_total total = {0};
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1) total.pane = wire_zigzag(field.value);
        if (field.number == 2) total.messages = field.value;
        if (field.number == 3) total.malformed = field.value;
        if (field.number == 4) total.spans = field.value;
        if (field.number == 5) total.dropped = field.value;
    }
    totals_add(&a->totals, &total);
}

/* Merge the measures of a slice or a late cell: the fields numbered from 16. */
static enum status load_cell(struct aggregate *a, struct wire wire, void *cell, struct error *err)
{
    uint32_t wire_id;
    struct bytes content;
    while (partial_measure(&wire, &wire_id, &content)) {
        enum status status =
            cell_merge_encoded(&a->plan->layout, cell, wire_id, content, &a->pool, err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status load_slice(
    struct aggregate *a, struct series *series, struct wire wire, struct error *err)
{
    struct wire at = wire;
    struct wire_field field = {0};
    uint64_t level = 0;
    int64_t index = 0;
    while (wire_next(&at, &field) > 0) {
        if (field.number == 1) level = field.value;
        if (field.number == 2) index = wire_zigzag(field.value);
    }
    if (level >= a->plan->levels) {
        return error_set(err, ST_FATAL, 0, "snapshot: a slice of level %llu, the plan has %u",
            (unsigned long long)level, a->plan->levels);
    }
    void *cell = slices_at(&series->level[level], index, &a->plan->layout, &a->pool);
    return load_cell(a, wire, cell, err);
}

static enum status load_series(const struct loading *loading, struct wire wire, struct error *err)
{
    struct aggregate *a = loading->a;
    struct wire_field field = {0};
    struct series *series = NULL;
    uint64_t skipped = 0;
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1 && field.type == WIRE_BYTES && field.bytes.size > 0 &&
            field.bytes.size <= KEY_BYTES_MAX) {
            series = series_restore(&a->series, field.bytes);
        }
        if (series == NULL) {
            return error_set(err, ST_FATAL, 0,
                "snapshot: a series does not begin with a key of 1 to %d bytes", KEY_BYTES_MAX);
        }
        if (field.number == 2) series->newest_pane = wire_zigzag(field.value);
        if (field.number == 8) series->closed_pane = wire_zigzag(field.value);
        if (field.number == 3) series->changed = field.value != 0;
        if (field.number == 4) {
            series->rolled = (uint8_t)(field.value & ((UINT64_C(1) << a->plan->windows) - 1));
        }
        if (field.number == 5) series->provisional_ms = (int64_t)field.value;
        if (field.number == 6 && field.type == WIRE_BYTES)
            load_states(loading, series, skipped, field.bytes);
        if (field.number == 9) skipped = field.value;
        if (field.number != 7 || field.type != WIRE_BYTES) continue;
        enum status status = load_slice(a, series, wire_inside(&wire, field.bytes), err);
        if (status != ST_OK) return status;
    }
    return ST_OK;
}

static enum status load_late(struct aggregate *a, struct wire wire, struct error *err)
{
    struct wire at = wire;
    struct wire_field field = {0};
    struct late_cell late = {0};
    uint64_t series = UINT64_MAX;
    while (wire_next(&at, &field) > 0) {
        if (field.number == 1) series = field.value;
        if (field.number == 2) late.pane = wire_zigzag(field.value);
        if (field.number == 3) late.arrival = wire_zigzag(field.value);
    }
    if (series >= a->series.count) {
        return error_set(err, ST_FATAL, 0, "snapshot: a late cell of an unknown series");
    }
    late.series = a->series.series[series];
    late.cell = cell_new(&a->plan->layout, &a->pool);
    if (a->lates == a->lates_max) {
        a->lates_max = a->lates_max == 0 ? 64 : a->lates_max * 2;
        a->late = memory_resize(a->late, a->lates_max, sizeof(*a->late));
    }
    a->late[a->lates++] = late;
    return load_cell(a, wire, late.cell, err);
}

static void load_counts(struct aggregate *a, struct wire wire)
{
    struct wire_field field = {0};
    while (wire_next(&wire, &field) > 0) {
        if (field.number == 1) a->counts.gap_offsets = field.value;
        if (field.number == 2) a->counts.overlap_offsets = field.value;
        if (field.number == 3) a->counts.repeated = field.value;
    }
}

static enum status load_message(struct loading *loading, const struct wire *outer,
    const struct wire_field *field, struct error *err)
{
    struct aggregate *a = loading->a;
    struct wire inside = wire_inside(outer, field->bytes);
    switch (field->number) {
    case 9:
        if (load_operator(loading, inside)) break;
        return error_set(err, ST_FATAL, 0, "snapshot: more than %d operators", OPERATORS_MAX);
    case 11:
        load_clock(a, inside);
        break;
    case 12:
        load_total(a, inside);
        break;
    case 13:
        return load_series(loading, inside, err);
    case 15:
        return load_late(a, inside, err);
    case 16:
        load_counts(a, inside);
        break;
    case 18:
        if (a->fleet != NULL) return fleet_load(a->fleet, field->bytes, err);
        return error_set(err, ST_FATAL, 0, "snapshot: it looks at all series, which is another's");
    case 17:
        if (a->series.count == 0) return aggregate_settle(a, field->bytes, NULL, err);
        return error_set(err, ST_FATAL, 0, "snapshot: the settings come after series");
    default:
        break;
    }
    return ST_OK;
}

static void load_number(struct aggregate *a, const struct wire_field *field)
{
    switch (field->number) {
    case 3:
        a->watermark_ns = wire_zigzag(field->value);
        break;
    case 4:
        a->next_pane = wire_zigzag(field->value);
        break;
    case 5:
        a->sent_ms = (int64_t)field->value;
        break;
    case 6:
        a->record_ms = (int64_t)field->value;
        break;
    case 7:
        a->budget = field->value;
        break;
    case 8:
        a->ended = field->value != 0;
        break;
    case 10:
        if (a->topics < AGGREGATE_TOPICS_MAX) a->partitions[a->topics++] = (uint32_t)field->value;
        break;
    case 14:
        if (field->value < a->series.count) {
            series_activate(&a->series, a->series.series[field->value]);
        }
        break;
    default:
        break;
    }
}

static enum status load_header(const struct aggregate *a, struct bytes saved, struct error *err)
{
    struct wire wire = wire_of(saved);
    struct wire_field field = {0};
    uint64_t version = 0, plan = 0;
    while (wire_next(&wire, &field) > 0 && field.number <= 2) {
        if (field.number == 1) version = field.value;
        if (field.number == 2) plan = field.value;
    }
    enum status status = format_check("snapshot", version, AGGREGATE_SAVED_VERSION, err);
    if (status != ST_OK) return status;
    if (plan != a->plan->fingerprint) {
        return error_set(err, ST_FATAL, 0,
            "snapshot of plan %016llx, this worker runs plan %016llx: compare configs with `weir "
            "plan --diff`",
            (unsigned long long)plan, (unsigned long long)a->plan->fingerprint);
    }
    return ST_OK;
}

static bool time_sane(int64_t number, int64_t unit_ns)
{
    return number >= -(TIME_NS_MAX / unit_ns) && number <= TIME_NS_MAX / unit_ns;
}

static bool series_sane(const struct aggregate *a, const struct series *series)
{
    bool holds = false;
    for (uint32_t k = 0; k < a->plan->levels; k++) {
        const struct slices *slices = &series->level[k];
        for (uint32_t i = 0; i < slices->count; i++) {
            if (!time_sane(slices->slice[i].index, a->plan->level[k].width_ns)) return false;
        }
        holds = holds || slices->count != 0;
        if (k != 0 && slices->count != 0 && a->next_pane == PANE_NONE) return false;
    }
    bool closed =
        series->closed_pane == PANE_NONE || time_sane(series->closed_pane, a->plan->pane_ns);
    return closed && (series->active || !holds);
}

/* What the rest of aggregate relies on; whoever wrote something else was not aggregate_save. */
static bool state_sane(const struct aggregate *a)
{
    int64_t pane_ns = a->plan->pane_ns;
    if (a->next_pane != PANE_NONE && !time_sane(a->next_pane, pane_ns)) return false;
    if (a->watermark_ns != WATERMARK_NONE && !time_sane(a->watermark_ns, 1)) return false;
    if (a->sent_ms < 0 || a->record_ms < 0) return false;
    for (size_t i = 0; i < a->clocks; i++) {
        const struct source_clock *c = &a->clock[i];
        if (c->watermark_ns != WATERMARK_NONE && !time_sane(c->watermark_ns, 1)) return false;
        if (c->newest_pane != PANE_NONE && !time_sane(c->newest_pane, pane_ns)) return false;
        if (c->position < 0) return false;
    }
    for (size_t i = 0; i < a->lates; i++) {
        const struct late_cell *late = &a->late[i];
        if (late->pane < 0 || late->arrival <= late->pane) return false;
        if (!time_sane(late->arrival, pane_ns) || late->arrival < a->next_pane) return false;
        if (late->series->newest_pane < late->arrival) return false;
    }
    for (size_t i = 0; i < a->series.count; i++) {
        if (!series_sane(a, a->series.series[i])) return false;
    }
    return true;
}

enum status aggregate_load(struct aggregate *a, struct bytes saved, struct error *err)
{
    enum status status = load_header(a, saved, err);
    if (status != ST_OK) return status;

    struct loading loading = {.a = a};
    struct wire wire = wire_of(saved);
    struct wire_field field = {0};
    int more;
    while ((more = wire_next(&wire, &field)) > 0) {
        if (field.type != WIRE_BYTES) {
            load_number(a, &field);
            continue;
        }
        status = load_message(&loading, &wire, &field, err);
        if (status != ST_OK) {
            err->status = ST_FATAL; /* an unreadable snapshot is not one message to skip */
            return ST_FATAL;
        }
    }
    if (more < 0) {
        return error_set(
            err, ST_FATAL, 0, "snapshot: malformed field at byte %zu", wire_offset(&wire));
    }
    if (!state_sane(a)) {
        return error_set(err, ST_FATAL, 0,
            "snapshot: it holds times, offsets or series that cannot be: it was damaged or written "
            "by something else");
    }
    if (a->next_pane == PANE_NONE) return ST_OK;
    for (size_t i = 0; i < a->series.count; i++) {
        windows_sum_again(a->plan, a->series.series[i], a->next_pane, &a->pool);
    }
    return ST_OK;
}
