#include "engine/series.h"

#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "schemas/series_name.h"

#include <stdio.h>
#include <stdlib.h>

/* The first byte of a key is its view; with this bit set it is that view's overflow series. */
enum { KEY_OVERFLOW = 0x80, SLOTS_FIRST = 1024 };

#define SERVICE_NONE UINT32_MAX

static uint64_t share(uint64_t limit, uint32_t partitions)
{
    return (limit + partitions - 1) / partitions;
}

void series_table_init(
    struct series_table *table, const struct plan *plan, uint32_t partition, struct pool *pool)
{
    *table = (struct series_table){.partition = partition, .pool = pool};
    table->slots = SLOTS_FIRST;
    table->slot = memory_zeroed(table->slots, sizeof(*table->slot));
    series_table_settle(table, plan);
}

void series_table_settle(struct series_table *table, const struct plan *plan)
{
    const struct config *config = plan->config;
    table->plan = plan;
    table->limits.series = share(config->limits.series, plan->partitions);
    table->limits.per_service = share(config->limits.series_per_service, plan->partitions);
}

/* A series' memory is the pool's, but for its list of slices. */
static void series_slices_release(struct series *series, uint32_t levels)
{
    for (uint32_t k = 0; k < levels; k++)
        free(series->level[k].slice);
}

void series_table_release(struct series_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        series_slices_release(table->series[i], table->plan->levels);
        free(table->series[i]->states);
    }
    free(table->series);
    free(table->active);
    free(table->slot);
    free(table->service);
    buffer_release(&table->key);
    *table = (struct series_table){0};
}

static void table_place(struct series_table *table, size_t index)
{
    size_t at = table->series[index]->hash & (table->slots - 1);
    while (table->slot[at] != 0)
        at = (at + 1) & (table->slots - 1);
    table->slot[at] = (uint32_t)index + 1;
}

static void table_rebuild(struct series_table *table)
{
    while (table->slots < table->count * 2 + 2)
        table->slots *= 2;
    free(table->slot);
    table->slot = memory_zeroed(table->slots, sizeof(*table->slot));
    for (size_t i = 0; i < table->count; i++)
        table_place(table, i);
}

static struct series *table_find(const struct series_table *table, struct bytes key, uint64_t hash)
{
    for (size_t at = hash & (table->slots - 1);; at = (at + 1) & (table->slots - 1)) {
        if (table->slot[at] == 0) return NULL;
        struct series *series = table->series[table->slot[at] - 1];
        if (series->hash == hash && bytes_equal(series->key, key)) return series;
    }
}

static void key_put(struct buffer *key, struct bytes value)
{
    uint16_t size = (uint16_t)(value.size < SPAN_TEXT_MAX ? value.size : SPAN_TEXT_MAX);
    buffer_append(key, &size, sizeof(size));
    buffer_append(key, value.data, size);
}

static void key_of(struct buffer *key, const struct partial_cell *cell)
{
    uint8_t view = (uint8_t)cell->view;
    buffer_reset(key);
    buffer_append(key, &view, 1);
    for (uint32_t d = 0; d < cell->dimensions; d++)
        key_put(key, cell->dimension[d]);
}

/* The values of a key, in order. false at its end, or where it is cut. */
static bool key_next(struct bytes *rest, struct bytes *value)
{
    uint16_t size;
    if (rest->size < sizeof(size)) return false;
    memcpy(&size, rest->data, sizeof(size));
    if (rest->size - sizeof(size) < size) return false;
    *value = (struct bytes){rest->data + sizeof(size), size};
    rest->data += sizeof(size) + size;
    rest->size -= sizeof(size) + size;
    return true;
}

static void name_overflow(struct buffer *name, const struct series_table *table,
    const struct plan_view *view, struct bytes rest)
{
    struct bytes service;
    bool has_service = key_next(&rest, &service);
    if (has_service) series_name_append(name, bytes_of("service"), service, true);
    series_name_append(name, bytes_of("otel.metric.overflow"), bytes_of("true"), !has_service);

    char text[VIEW_DIMENSIONS_MAX * 64] = "";
    size_t used = 0;
    for (uint32_t d = 0; d < view->dimensions && used < sizeof(text); d++) {
        int more = snprintf(
            text + used, sizeof(text) - used, "%s%s", d == 0 ? "" : ",", view->dimension[d].name);
        used += more < 0 ? 0 : (size_t)more;
    }
    series_name_append(name, bytes_of("view"), bytes_of(text), false);
    snprintf(text, sizeof(text), "%u", table->partition);
    series_name_append(name, bytes_of("shard"), bytes_of(text), false);
}

static void name_of(struct buffer *name, const struct series_table *table, struct bytes key)
{
    const struct plan_view *view = &table->plan->view[(key.data[0] & ~KEY_OVERFLOW) % VIEWS_MAX];
    struct bytes rest = {key.data + 1, key.size - 1}, value;
    if (key.data[0] & KEY_OVERFLOW) {
        name_overflow(name, table, view, rest);
        return;
    }
    for (uint32_t d = 0; d < view->dimensions && key_next(&rest, &value); d++) {
        series_name_append(name, bytes_of(view->dimension[d].name), value, d == 0);
    }
}

static struct bytes keep(struct pool *pool, struct bytes bytes)
{
    uint8_t *copy = pool_take(pool, bytes.size);
    if (bytes.size != 0) memcpy(copy, bytes.data, bytes.size);
    return (struct bytes){copy, bytes.size};
}

static struct series *table_add(struct series_table *table, struct bytes key, uint32_t service)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 256 : table->capacity * 2;
        table->series = memory_resize(table->series, table->capacity, sizeof(struct series *));
        table->active = memory_resize(table->active, table->capacity, sizeof(struct series *));
    }
    struct buffer name = {0};
    struct series *series = pool_take(table->pool, sizeof(*series));
    memset(series, 0, sizeof(*series));
    series->key = keep(table->pool, key);
    series->hash = hash_stable(key);
    name_of(&name, table, key);
    series->name = keep(table->pool, buffer_bytes(&name));
    series->service = service;
    series->newest_pane = PANE_NONE;
    series->closed_pane = PANE_NONE;
    series->concerned = states_concerned(table->plan->config, series->name);
    series->states = memory_zeroed(1, states_bytes(table->plan->config, series->concerned) + 1);
    buffer_release(&name);

    table->series[table->count++] = series;
    if (service != SERVICE_NONE) table->service[service].series++;
    if (table->count * 2 > table->slots) {
        table_rebuild(table);
    } else {
        table_place(table, table->count - 1);
    }
    return series;
}

/* The count of a service's series, by the hash of its name; services are as many as series at most. */
static uint32_t service_of(struct series_table *table, struct bytes name)
{
    uint64_t hash = hash_stable(name);
    for (size_t i = 0; i < table->services; i++) {
        if (table->service[i].hash == hash) return (uint32_t)i;
    }
    if (table->services == table->services_max) {
        table->services_max = table->services_max == 0 ? 64 : table->services_max * 2;
        table->service =
            memory_resize(table->service, table->services_max, sizeof(*table->service));
    }
    table->service[table->services] = (struct service_count){.hash = hash};
    return (uint32_t)table->services++;
}

/* The view's first dimension that is the service, or none. */
static bool key_service(const struct series_table *table, struct bytes key, struct bytes *service)
{
    const struct plan_view *view = &table->plan->view[(key.data[0] & ~KEY_OVERFLOW) % VIEWS_MAX];
    struct bytes rest = {key.data + 1, key.size - 1};
    for (uint32_t d = 0; d < view->dimensions && key_next(&rest, service); d++) {
        if (view->dimension[d].source == DIMENSION_SERVICE) return true;
    }
    return false;
}

/* The overflow series of a view: under its service where that is known, else of the shard. It counts under no limit. */
static struct series *overflow_of(
    struct series_table *table, uint32_t view, const struct bytes *service)
{
    uint8_t first = (uint8_t)(view | KEY_OVERFLOW);
    table->overflowed++;
    buffer_reset(&table->key);
    buffer_append(&table->key, &first, 1);
    if (service != NULL) key_put(&table->key, *service);
    struct bytes key = buffer_bytes(&table->key);
    struct series *found = table_find(table, key, hash_stable(key));
    return found != NULL ? found : table_add(table, key, SERVICE_NONE);
}

struct series *series_of(struct series_table *table, const struct partial_cell *cell)
{
    key_of(&table->key, cell);
    struct bytes key = buffer_bytes(&table->key), service;
    struct series *found = table_find(table, key, hash_stable(key));
    if (found != NULL) return found;
    if (table->count >= table->limits.series) return overflow_of(table, cell->view, NULL);
    if (!key_service(table, key, &service)) return table_add(table, key, SERVICE_NONE);

    uint32_t index = service_of(table, service);
    if (table->service[index].series < table->limits.per_service) {
        return table_add(table, key, index);
    }
    uint8_t copy[SPAN_TEXT_MAX]; /* the key's scratch is written again */
    memcpy(copy, service.data, service.size);
    service.data = copy;
    return overflow_of(table, cell->view, &service);
}

/* Services whose last series was forgotten are forgotten too. */
static void services_recount(struct series_table *table)
{
    struct bytes service;
    table->services = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct series *series = table->series[i];
        if (series->service == SERVICE_NONE || !key_service(table, series->key, &service)) continue;
        series->service = service_of(table, service);
        table->service[series->service].series++;
    }
}

struct series *series_restore(struct series_table *table, struct bytes key)
{
    struct bytes service;
    struct series *found = table_find(table, key, hash_stable(key));
    if (found != NULL) return found;
    bool counted = (key.data[0] & KEY_OVERFLOW) == 0 && key_service(table, key, &service);
    return table_add(table, key, counted ? service_of(table, service) : SERVICE_NONE);
}

uint32_t series_view(const struct series *series)
{
    uint8_t first = series->key.data[0];
    return (first & KEY_OVERFLOW) != 0 ? UINT32_MAX : first % VIEWS_MAX;
}

void series_activate(struct series_table *table, struct series *series)
{
    if (series->active) return;
    series->active = true;
    table->active[table->actives++] = series;
}

static bool series_holds(const struct series_table *table, const struct series *series)
{
    for (uint32_t k = 0; k < table->plan->levels; k++) {
        if (series->level[k].count != 0) return true;
    }
    return series->rolled != 0 || series->awake;
}

void series_rest(struct series_table *table)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->actives; i++) {
        struct series *series = table->active[i];
        if (series_holds(table, series)) {
            table->active[kept++] = series;
        } else {
            series->active = false;
        }
    }
    table->actives = kept;
}

static void series_forget(struct series_table *table, struct series *series)
{
    if (series->service != SERVICE_NONE) table->service[series->service].series--;
    series_slices_release(series, table->plan->levels);
    free(series->states);
    pool_give(table->pool, (void *)(uintptr_t)series->key.data, series->key.size);
    pool_give(table->pool, (void *)(uintptr_t)series->name.data, series->name.size);
    pool_give(table->pool, series, sizeof(*series));
}

void series_evict(struct series_table *table, int64_t before_pane)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct series *series = table->series[i];
        if (series->active || series->newest_pane >= before_pane) {
            table->series[kept++] = series;
        } else {
            series_forget(table, series);
            table->evicted++;
        }
    }
    if (kept == table->count) return;
    table->count = kept;
    table_rebuild(table);
    services_recount(table);
}

/* Where `index` is, or would be: searched from the end, where nearly everything happens. */
static uint32_t slices_place(const struct slices *slices, int64_t index)
{
    uint32_t at = slices->count;
    for (int step = 0; at > 0 && slices->slice[at - 1].index >= index; step++) {
        if (step == 8) break;
        at--;
    }
    if (at == 0 || slices->slice[at - 1].index < index) return at;
    uint32_t low = 0;
    while (low < at) {
        uint32_t middle = (low + at) / 2;
        if (slices->slice[middle].index < index) {
            low = middle + 1;
        } else {
            at = middle;
        }
    }
    return low;
}

struct slice *slices_find(const struct slices *slices, int64_t index)
{
    uint32_t at = slices_place(slices, index);
    return at < slices->count && slices->slice[at].index == index ? &slices->slice[at] : NULL;
}

void *slices_at(
    struct slices *slices, int64_t index, const struct cell_layout *layout, struct pool *pool)
{
    uint32_t at = slices_place(slices, index);
    if (at < slices->count && slices->slice[at].index == index) return slices->slice[at].cell;
    if (slices->count == slices->capacity) {
        slices->capacity = slices->capacity == 0 ? 4 : slices->capacity * 2;
        slices->slice = memory_resize(slices->slice, slices->capacity, sizeof(*slices->slice));
    }
    memmove(
        &slices->slice[at + 1], &slices->slice[at], (slices->count - at) * sizeof(*slices->slice));
    slices->slice[at] = (struct slice){index, cell_new(layout, pool)};
    slices->count++;
    return slices->slice[at].cell;
}

void slices_prune(
    struct slices *slices, int64_t before, const struct cell_layout *layout, struct pool *pool)
{
    uint32_t gone = 0;
    while (gone < slices->count && slices->slice[gone].index < before) {
        cell_free(layout, slices->slice[gone++].cell, pool);
    }
    if (gone == 0) return;
    slices->count -= gone;
    memmove(slices->slice, slices->slice + gone, slices->count * sizeof(*slices->slice));
}
