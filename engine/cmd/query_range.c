/* `weir query history` and `weir query range`: closed slices between two times. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/instant.h"
#include "engine/cmd/query.h"
#include "engine/cmd/sheet.h"
#include "operators/sketch.h"
#include "sinks/row_compact.h"
#include "sinks/row_json.h"

#include <math.h>
#include <stdio.h>

#include <jansson.h>

enum { STRETCHES_SHOWN = 8 };

/* Say which resolutions there are. */
static enum status no_resolution(
    const struct read_about *about, int64_t asked_ns, bool sketches, struct error *err)
{
    char kept[160] = "";
    size_t size = 0;
    for (size_t h = 0; h < about->histories && size + 32 < sizeof(kept); h++) {
        if (sketches && !about->history[h].sketches) continue;
        size += (size_t)snprintf(kept + size, sizeof(kept) - size, "%s%s", size == 0 ? "" : ", ",
            duration_print(about->history[h].resolution_ns).text);
    }
    if (about->version == 0)
        return error_set(err, ST_FATAL, 0, "nothing was written under this prefix yet");
    const char *what = sketches ? "slices with sketches" : "slices";
    if (asked_ns == 0) return error_set(err, ST_FATAL, 0, "no %s are kept: see `history:`", what);
    return error_set(err, ST_FATAL, 0, "no %s of %s are kept, but of: %s", what,
        duration_print(asked_ns).text, size == 0 ? "none" : kept);
}

/* The resolution asked for, if it is kept; else the finest. */
static enum status choose_resolution(const struct query *query, const struct read_about *about,
    bool sketches, int64_t *resolution_ns, struct error *err)
{
    for (size_t h = 0; h < about->histories; h++) {
        if (sketches && !about->history[h].sketches) continue;
        int64_t kept_ns = about->history[h].resolution_ns;
        if (query->resolution != 0 && query->resolution != kept_ns) continue;
        *resolution_ns = kept_ns;
        return ST_OK;
    }
    return no_resolution(about, query->resolution, sketches, err);
}

static enum status read_slices(struct query *query, bool sketches, struct read_about *about,
    struct read_range *range, struct read_list *list, struct error *err)
{
    *range = (struct read_range){
        .series = buffer_bytes(&query->series), .from_ms = query->from_ms, .to_ms = query->to_ms};
    enum status status = redis_read_about(query->read, about, err);
    if (status == ST_OK)
        status = choose_resolution(query, about, sketches, &range->resolution_ns, err);
    if (status != ST_OK) return status;
    return sketches ? redis_read_sketches(query->read, range, list, err)
                    : redis_read_history(query->read, range, list, err);
}

/* The values of a history row, in the order of its columns. */
enum { VALUES = 4 + COMPACT_QUANTILES };

static void values_of(const struct row_compact *row, double value[VALUES])
{
    value[0] = row->mean_ms;
    value[1] = row->min_ms;
    value[2] = row->max_ms;
    for (int q = 0; q < COMPACT_QUANTILES; q++)
        value[3 + q] = row->quantile_ms[q];
    value[VALUES - 1] = row->z;
}

struct titles {
    char text[COMPACT_QUANTILES][32];
};

/* What the quantiles of history are called: as the first three of the newest rows. */
static struct titles quantile_titles(const struct query *query)
{
    struct titles titles = {{"latency_q1_ms", "latency_q2_ms", "latency_q3_ms"}};
    struct read_item item = {.name = buffer_bytes(&query->series)};
    struct read_list series = {0}, rows = {0};
    struct error unused;
    read_list_append(&series, &item);
    int found = 0;
    if (redis_read_now(query->read, &series, &rows, &unused) == ST_OK && rows.count != 0) {
        json_t *row =
            json_loadb((const char *)rows.item[0].value.data, rows.item[0].value.size, 0, NULL);
        const char *name;
        json_t *value;
        json_object_foreach(row, name, value)
        {
            size_t size = strlen(name);
            bool is_quantile = strncmp(name, "latency_p", 9) == 0 && size > 12 && size < 32 &&
                               strcmp(name + size - 3, "_ms") == 0;
            if (is_quantile && found < COMPACT_QUANTILES)
                memcpy(titles.text[found++], name, size + 1);
        }
        json_decref(row);
    }
    read_list_release(&series);
    read_list_release(&rows);
    return titles;
}

static void append_slice(const struct read_item *item, const struct row_compact *row,
    const char *const *names, struct buffer *out)
{
    double value[VALUES];
    values_of(row, value);
    buffer_print(out, "%s{\"end_ms\":%lld,\"spans\":%llu,\"errors\":%llu",
        out->size == 0 ? "[" : ",\n ", (long long)item->at_ms, (unsigned long long)row->spans,
        (unsigned long long)row->errors);
    for (int v = 0; v < VALUES; v++) {
        buffer_print(out, ",");
        row_json_text(bytes_of(names[v]), out);
        buffer_print(out, ":");
        row_json_number(value[v], out);
    }
    buffer_print(out, "}");
}

static void history_row(
    struct sheet *sheet, const struct read_item *item, const struct row_compact *row)
{
    double value[VALUES];
    values_of(row, value);
    sheet_cell(sheet, bytes_of(instant_print(item->at_ms * NS_PER_MS).text));
    sheet_print_cell(sheet, "%llu", (unsigned long long)row->spans);
    sheet_print_cell(sheet, "%llu", (unsigned long long)row->errors);
    for (int v = 0; v < VALUES; v++) {
        if (isnan(value[v]))
            sheet_cell(sheet, (struct bytes){0});
        else
            sheet_print_cell(sheet, "%g", value[v]);
    }
}

static void print_history(
    const struct query *query, const struct read_list *list, const char *const *names)
{
    struct sheet sheet = {0};
    struct buffer out = {0};
    struct row_compact row;
    sheet_column(&sheet, "end", SHEET_LEFT, false);
    sheet_column(&sheet, "spans", SHEET_RIGHT, false);
    sheet_column(&sheet, "errors", SHEET_RIGHT, false);
    for (int v = 0; v < VALUES; v++)
        sheet_column(&sheet, names[v], SHEET_RIGHT, false);
    for (size_t i = 0; i < list->count; i++) {
        if (!row_compact_parse(list->item[i].value, &row)) continue;
        if (query->json)
            append_slice(&list->item[i], &row, names, &out);
        else
            history_row(&sheet, &list->item[i], &row);
    }
    if (query->json) {
        buffer_print(&out, "%s]\n", out.size == 0 ? "[" : "");
        query_print(&out);
    } else {
        query_print_sheet(&sheet);
    }
    sheet_release(&sheet);
}

enum status query_history(struct query *query, struct error *err)
{
    struct read_about about;
    struct read_range range;
    struct read_list list = {0};
    enum status status = read_slices(query, false, &about, &range, &list, err);
    if (status == ST_OK) {
        struct titles quantiles = quantile_titles(query);
        const char *const names[VALUES] = {"latency_mean_ms", "latency_min_ms", "latency_max_ms",
            quantiles.text[0], quantiles.text[1], quantiles.text[2], "z"};
        print_history(query, &list, names);
    }
    read_list_release(&list);
    return status;
}

/* What a range was found to be. */
struct merged {
    struct sketch sketch;
    struct pool pool;
    double ms[QUERY_QUANTILES_MAX];
    int64_t width_ms;
    size_t slices, wanted; /* found; that the range has room for */
    struct {
        int64_t from_ms, to_ms;
    } stretch[STRETCHES_SHOWN]; /* without a gap */
    size_t stretches;           /* all of them, also those beyond the room */
};

static void cover(struct merged *merged, int64_t end_ms)
{
    size_t last = merged->stretches - 1;
    bool shown = merged->stretches != 0 && last < STRETCHES_SHOWN;
    if (shown && merged->stretch[last].to_ms == end_ms - merged->width_ms) {
        merged->stretch[last].to_ms = end_ms;
        return;
    }
    if (merged->stretches < STRETCHES_SHOWN) {
        merged->stretch[merged->stretches].from_ms = end_ms - merged->width_ms;
        merged->stretch[merged->stretches].to_ms = end_ms;
    }
    merged->stretches++;
}

static enum status merge_all(
    struct merged *merged, const struct read_list *list, uint32_t scale, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        enum status status =
            sketch_merge_encoded(&merged->sketch, scale, list->item[i].value, &merged->pool, err);
        if (status != ST_OK)
            return error_set(err, ST_FATAL, 0, "the sketch of the slice that ends at %s is not one",
                instant_print(list->item[i].at_ms * NS_PER_MS).text);
        cover(merged, list->item[i].at_ms);
    }
    merged->slices = list->count;
    return ST_OK;
}

/* Slices that lie wholly within the range. */
static size_t slices_within(const struct read_range *range, int64_t width_ms)
{
    int64_t first_ms = (range->from_ms + width_ms - 1) / width_ms * width_ms;
    int64_t last_ms = range->to_ms / width_ms * width_ms;
    return last_ms > first_ms ? (size_t)((last_ms - first_ms) / width_ms) : 0;
}

static void append_range(const struct query *query, const struct read_range *range,
    const struct merged *merged, struct buffer *out)
{
    buffer_print(out, "{\"series\":");
    row_json_text(range->series, out);
    buffer_print(out, ",\"from_ms\":%lld,\"to_ms\":%lld,\"resolution\":\"%s\"",
        (long long)range->from_ms, (long long)range->to_ms,
        duration_print(range->resolution_ns).text);
    buffer_print(out, ",\"slices\":%zu,\"slices_in_range\":%zu,\"stretches\":%zu,\"covered\":[",
        merged->slices, merged->wanted, merged->stretches);
    for (size_t s = 0; s < merged->stretches && s < STRETCHES_SHOWN; s++) {
        buffer_print(out, "%s{\"from_ms\":%lld,\"to_ms\":%lld}", s == 0 ? "" : ",",
            (long long)merged->stretch[s].from_ms, (long long)merged->stretch[s].to_ms);
    }
    buffer_print(
        out, "],\"spans\":%llu,\"quantiles\":[", (unsigned long long)sketch_count(&merged->sketch));
    for (uint32_t q = 0; q < query->numbers; q++) {
        buffer_print(out, "%s{\"quantile\":", q == 0 ? "" : ",");
        row_json_number(query->number[q], out);
        buffer_print(out, ",\"ms\":");
        row_json_number(merged->ms[q], out);
        buffer_print(out, "}");
    }
    buffer_print(out, "]}\n");
}

static void print_stretches(const struct merged *merged)
{
    for (size_t s = 0; s < merged->stretches && s < STRETCHES_SHOWN; s++) {
        printf("  %s to ", instant_print(merged->stretch[s].from_ms * NS_PER_MS).text);
        printf("%s\n", instant_print(merged->stretch[s].to_ms * NS_PER_MS).text);
    }
    if (merged->stretches > STRETCHES_SHOWN)
        printf("  and %zu stretches more\n", merged->stretches - STRETCHES_SHOWN);
}

static void print_range(
    const struct query *query, const struct read_range *range, const struct merged *merged)
{
    if (query->json) {
        struct buffer out = {0};
        append_range(query, range, merged, &out);
        query_print(&out);
        return;
    }
    struct sheet sheet = {0};
    sheet_column(&sheet, "quantile", SHEET_LEFT, false);
    sheet_column(&sheet, "ms", SHEET_RIGHT, false);
    for (uint32_t q = 0; q < query->numbers; q++) {
        sheet_print_cell(&sheet, "%g", query->number[q]);
        if (isnan(merged->ms[q]))
            sheet_cell(&sheet, (struct bytes){0});
        else
            sheet_print_cell(&sheet, "%.6g", merged->ms[q]);
    }
    query_print_sheet(&sheet);
    sheet_release(&sheet);
    printf(
        "%llu spans in %zu of %zu slices of %s that the range holds whole (a slice without spans "
        "has none)%s\n",
        (unsigned long long)sketch_count(&merged->sketch), merged->slices, merged->wanted,
        duration_print(range->resolution_ns).text, merged->slices == 0 ? "" : ":");
    print_stretches(merged);
}

static enum status check_scale(const struct read_about *about, struct error *err)
{
    if (about->sketch_scale >= SKETCH_SCALE_MIN && about->sketch_scale <= SKETCH_SCALE_MAX)
        return ST_OK;
    return error_set(err, ST_FATAL, 0,
        "the stored sketches are of scale %u, this build reads %d to %d", about->sketch_scale,
        SKETCH_SCALE_MIN, SKETCH_SCALE_MAX);
}

enum status query_range(struct query *query, struct error *err)
{
    struct read_about about;
    struct read_range range;
    struct read_list list = {0};
    struct merged merged = {0};
    enum status status = read_slices(query, true, &about, &range, &list, err);
    if (status == ST_OK) status = check_scale(&about, err);
    if (status == ST_OK) {
        merged.width_ms = range.resolution_ns / NS_PER_MS;
        merged.wanted = slices_within(&range, merged.width_ms);
        status = merge_all(&merged, &list, about.sketch_scale, err);
    }
    if (status == ST_OK) {
        sketch_quantiles(
            &merged.sketch, about.sketch_scale, query->number, query->numbers, merged.ms);
        print_range(query, &range, &merged);
    }
    read_list_release(&list);
    pool_release(&merged.pool);
    return status;
}
