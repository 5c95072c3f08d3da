/*
 * The state of aggregate as one Snapshot of schemas/snapshot.proto.
 *
 * Sums are not saved: they are worked out again from the slices, to the same bits.
 */
#include "engine/aggregate_state.h"
#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "schemas/format.h"

#include <stdlib.h>

static uint64_t text_signature(const char *text)
{
    return hash_stable(bytes_of(text == NULL ? "" : text));
}

static uint64_t texts_signature(const struct texts *texts)
{
    uint64_t hash = texts->count;
    for (size_t i = 0; i < texts->count; i++)
        hash = hash_mix(hash, text_signature(texts->text[i]));
    return hash;
}

static uint64_t pairs_signature(const struct pairs *pairs)
{
    uint64_t hash = pairs->count;
    for (size_t i = 0; i < pairs->count; i++) {
        hash = hash_mix(hash, text_signature(pairs->key[i]));
        hash = hash_mix(hash, text_signature(pairs->text[i]));
    }
    return hash;
}

static uint64_t values_signature(const void *values, size_t count)
{
    return hash_stable((struct bytes){values, 8 * count});
}

static uint64_t option_signature(enum option_type type, const void *field)
{
    const struct durations *durations = field;
    const struct numbers *numbers = field;
    uint64_t value = 0;
    switch (type) {
    case OPTION_TEXT:
        return text_signature(*(const char *const *)field);
    case OPTION_TEXTS:
        return texts_signature(field);
    case OPTION_PAIRS:
        return pairs_signature(field);
    case OPTION_DURATIONS:
        return values_signature(durations->ns, durations->count);
    case OPTION_NUMBERS:
        return values_signature(numbers->number, numbers->count);
    case OPTION_FLAG:
    case OPTION_CHOICE:
        return *(const unsigned char *)field;
    default:
        memcpy(&value, field, sizeof(value));
        return value;
    }
}

uint64_t aggregate_option_signature(const struct operator_instance *o, const struct option *option)
{
    return option_signature(option->type, (const unsigned char *)o->self + option->offset);
}

uint64_t aggregate_signature(const struct operator_instance *o)
{
    uint64_t hash = text_signature(o->operator_->name);
    if (o->operator_->meaning != NULL) return hash_mix(hash, o->operator_->meaning(o->self));
    for (const struct option *option = o->operator_->options; option->key != NULL; option++) {
        uint64_t value = aggregate_option_signature(o, option);
        hash = hash_mix(hash, hash_mix(text_signature(option->key), value));
    }
    return hash;
}

static void save_operators(const struct aggregate *a, struct buffer *out)
{
    const struct config *config = a->plan->config;
    for (size_t i = 0; i < config->operator_count; i++) {
        const struct operator_instance *o = &config->operators[i];
        size_t mark = wire_open(out, 9);
        wire_put_fixed64(out, 1, aggregate_signature(o));
        wire_put_uint(out, 2, o->operator_->state_bytes(o->self));
        wire_close(out, mark);
    }
}

static void save_clocks(const struct aggregate *a, struct buffer *out)
{
    for (uint32_t t = 0; t < a->topics; t++)
        wire_put_uint(out, 10, a->partitions[t]);
    for (size_t i = 0; i < a->clocks; i++) {
        const struct source_clock *clock = &a->clock[i];
        size_t mark = wire_open(out, 11);
        wire_put_uint(out, 1, clock->topic);
        wire_put_uint(out, 2, clock->partition);
        wire_put_sint(out, 3, clock->watermark_ns);
        wire_put_sint(out, 4, clock->newest_pane);
        wire_put_uint(out, 5, (uint64_t)clock->position);
        wire_put_uint(out, 6, clock->ended);
        wire_close(out, mark);
    }
    for (size_t i = 0; i < a->totals.count; i++) {
        const struct partial_total *total = &a->totals.total[i];
        size_t mark = wire_open(out, 12);
        wire_put_sint(out, 1, total->pane);
        wire_put_uint(out, 2, total->messages);
        wire_put_uint(out, 3, total->malformed);
        wire_put_uint(out, 4, total->spans);
        wire_put_uint(out, 5, total->dropped);
        wire_close(out, mark);
    }
}

static uint64_t all_operators(const struct config *config)
{
    size_t count = config->operator_count;
    return count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

static void save_series(const struct aggregate *a, const struct series *series, struct buffer *out)
{
    size_t mark = wire_open(out, 13);
    wire_put_bytes(out, 1, series->key);
    wire_put_sint(out, 2, series->newest_pane);
    format_add(out);
    if (series->closed_pane != PANE_NONE) wire_put_sint(out, 8, series->closed_pane);
    if (series->changed) wire_put_uint(out, 3, 1);
    wire_put_uint(out, 4, series->rolled);
    wire_put_uint(out, 5, (uint64_t)series->provisional_ms);
    uint64_t skipped = ~series->concerned & all_operators(a->plan->config);
    if (skipped != 0) wire_put_uint(out, 9, skipped);
    wire_put_bytes(
        out, 6, (struct bytes){series->states, states_bytes(a->plan->config, series->concerned)});
    for (uint32_t k = 0; k < a->plan->levels; k++) {
        for (uint32_t i = 0; i < series->level[k].count; i++) {
            size_t slice = wire_open(out, 7);
            wire_put_uint(out, 1, k);
            wire_put_sint(out, 2, series->level[k].slice[i].index);
            cell_encode(&a->plan->layout, series->level[k].slice[i].cell, out);
            wire_close(out, slice);
        }
    }
    wire_close(out, mark);
}

/* A series' place in the table: late cells and the active list name series by it. */
struct series_index {
    const struct series *series;
    uint32_t index;
};

static int series_index_compare(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t)((const struct series_index *)left)->series;
    uintptr_t b = (uintptr_t)((const struct series_index *)right)->series;
    return a < b ? -1 : a > b;
}

static struct series_index *series_indexes(const struct aggregate *a)
{
    struct series_index *index = memory_zeroed(a->series.count + 1, sizeof(*index));
    for (size_t i = 0; i < a->series.count; i++) {
        index[i] = (struct series_index){a->series.series[i], (uint32_t)i};
    }
    qsort(index, a->series.count, sizeof(*index), series_index_compare);
    return index;
}

static uint32_t index_of(
    const struct aggregate *a, const struct series_index *index, const struct series *series)
{
    struct series_index wanted = {.series = series};
    const struct series_index *found =
        bsearch(&wanted, index, a->series.count, sizeof(*index), series_index_compare);
    return found == NULL ? UINT32_MAX : found->index;
}

static void save_lists(const struct aggregate *a, struct buffer *out)
{
    struct series_index *index = series_indexes(a);
    for (size_t i = 0; i < a->series.actives; i++) {
        wire_put_uint(out, 14, index_of(a, index, a->series.active[i]));
    }
    for (size_t i = 0; i < a->lates; i++) {
        size_t mark = wire_open(out, 15);
        wire_put_uint(out, 1, index_of(a, index, a->late[i].series));
        wire_put_sint(out, 2, a->late[i].pane);
        wire_put_sint(out, 3, a->late[i].arrival);
        cell_encode(&a->plan->layout, a->late[i].cell, out);
        wire_close(out, mark);
    }
    free(index);
}

void aggregate_save(const struct aggregate *a, struct buffer *out)
{
    wire_put_uint(out, 1, format_version(AGGREGATE_SAVED_VERSION));
    wire_put_fixed64(out, 2, a->plan->fingerprint);
    wire_put_sint(out, 3, a->watermark_ns);
    wire_put_sint(out, 4, a->next_pane);
    wire_put_uint(out, 5, (uint64_t)a->sent_ms);
    wire_put_uint(out, 6, (uint64_t)a->record_ms);
    wire_put_uint(out, 7, a->budget);
    wire_put_uint(out, 8, a->ended);
    format_add(out);
    if (a->settings != NULL) wire_put_bytes(out, 17, buffer_bytes(&a->settings->text));
    save_operators(a, out);
    save_clocks(a, out);
    for (size_t i = 0; i < a->series.count; i++)
        save_series(a, a->series.series[i], out);
    save_lists(a, out);
    if (a->fleet != NULL) {
        size_t fleet = wire_open(out, 18);
        fleet_save(a->fleet, out);
        wire_close(out, fleet);
    }
    size_t mark = wire_open(out, 16);
    wire_put_uint(out, 1, a->counts.gap_offsets);
    wire_put_uint(out, 2, a->counts.overlap_offsets);
    wire_put_uint(out, 3, a->counts.repeated);
    wire_close(out, mark);
}
