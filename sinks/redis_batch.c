#include "sinks/redis_batch.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "schemas/series_name.h"
#include "sinks/redis_key.h"
#include "sinks/row_compact.h"
#include "sinks/row_json.h"
#include "sinks/row_scores.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define KEEP_MS_MIN (3600 * INT64_C(1000))

enum {
    NOW_WIDTHS = 3,      /* the newest rows live for so many of their widths */
    NOW_MS_MORE = 60000, /* and so much longer, for what short windows wait for */
};

void redis_batch_init(
    struct redis_batch *batch, const struct store_config *config, struct redis_link *link)
{
    *batch = (struct redis_batch){.config = config, .link = link, .keep_ms = KEEP_MS_MIN};
    for (size_t h = 0; h < config->histories; h++) {
        int64_t retain_ms = config->history[h].retain_ns / NS_PER_MS;
        if (retain_ms > batch->keep_ms) batch->keep_ms = retain_ms;
    }
}

void redis_batch_release(struct redis_batch *batch)
{
    buffer_release(&batch->key);
    buffer_release(&batch->value);
}

/* Begin a command of `words` words in all, `name` and the key in batch->key among them. */
static void begin(struct redis_batch *batch, int words, const char *name)
{
    redis_link_number(batch->link, words);
    redis_link_text(batch->link, name);
    redis_link_bytes(batch->link, buffer_bytes(&batch->key));
}

static void put_keep(struct redis_batch *batch, int64_t for_ms)
{
    begin(batch, 3, "KEEP");
    redis_link_number(batch->link, for_ms);
}

static void put_field(struct redis_batch *batch, int64_t field, struct bytes value)
{
    begin(batch, 4, "HSET");
    redis_link_number(batch->link, field);
    redis_link_bytes(batch->link, value);
}

static void put_index(struct redis_batch *batch, int64_t score_ms, struct bytes member)
{
    begin(batch, 5, "ZADD");
    redis_link_text(batch->link, "GT");
    redis_link_number(batch->link, score_ms);
    redis_link_bytes(batch->link, member);
}

/* Members that have not been seen for the longest retention have no rows left to point at. */
static void put_trim(struct redis_batch *batch, int64_t newest_ms)
{
    begin(batch, 4, "ZREMRANGEBYSCORE");
    redis_link_text(batch->link, "-inf");
    redis_link_number(batch->link, newest_ms - batch->keep_ms);
}

/* How much longer something kept for `keep_ms` since it was sent has to live; 0: it has expired. */
static int64_t rest_ms(const struct store_batch *records, int64_t sent_ms, int64_t keep_ms)
{
    int64_t age_ms = sent_ms == 0 || sent_ms > records->now_ms ? 0 : records->now_ms - sent_ms;
    return age_ms >= keep_ms ? 0 : keep_ms - age_ms;
}

static int64_t width_ns(const struct row *row)
{
    return row->end_ns - row->start_ns;
}

/* The field of the newest rows that a row belongs in; empty: in none. */
static struct duration_text now_field(const struct redis_batch *batch, const struct row *row)
{
    struct duration_text none = {""}, open = {"open"};
    if (row->rolling) return duration_print(width_ns(row));
    if (row->status == ROW_PROVISIONAL) return open;
    return width_ns(row) == batch->config->pane_ns ? duration_print(width_ns(row)) : none;
}

static bool put_now(struct redis_batch *batch, const struct store_batch *records,
    const struct output *output, const char *field)
{
    const struct row *row = &output->row;
    int64_t keep_ms = NOW_WIDTHS * (width_ns(row) / NS_PER_MS) + NOW_MS_MORE;
    int64_t left_ms = rest_ms(records, row->sent_ms, keep_ms);
    if (field[0] == '\0' || left_ms == 0) return false;

    redis_key(&batch->key, batch->config->prefix, "now", row->series);
    buffer_reset(&batch->value);
    row_json(output, records->now_ms, &batch->value);
    begin(batch, 5, "NEWER");
    redis_link_text(batch->link, field);
    redis_link_number(batch->link, row->end_ns / NS_PER_MS);
    redis_link_bytes(batch->link, buffer_bytes(&batch->value));
    put_keep(batch, left_ms);
    return true;
}

static void put_bucket(struct redis_batch *batch, const char *kind, const struct row *row,
    struct bytes value, int64_t left_ms)
{
    int64_t bucket_ms = redis_bucket_ms(row->start_ns / NS_PER_MS, width_ns(row));
    redis_key_bucket(
        &batch->key, batch->config->prefix, kind, width_ns(row), row->series, bucket_ms);
    put_field(batch, row->end_ns / NS_PER_MS, value);
    put_keep(batch, left_ms);
}

/* For a graph of each signal: what it was expected to be, and how far it was from that. */
static void put_scores(struct redis_batch *batch, const struct output *output, int64_t left_ms)
{
    struct bytes signal;
    for (uint32_t at = 0; row_scores_next(output, &at, &signal, &batch->value);) {
        char kind[sizeof("scores:") + COLUMN_NAME_BYTES];
        snprintf(kind, sizeof(kind), "scores:%.*s", (int)signal.size, (const char *)signal.data);
        put_bucket(batch, kind, &output->row, buffer_bytes(&batch->value), left_ms);
    }
}

static bool put_history(
    struct redis_batch *batch, const struct store_batch *records, const struct output *output)
{
    const struct row *row = &output->row;
    const struct store_history *history = NULL;
    for (size_t h = 0; h < batch->config->histories; h++) {
        if (batch->config->history[h].resolution_ns == width_ns(row))
            history = &batch->config->history[h];
    }
    if (row->rolling || row->status == ROW_PROVISIONAL || history == NULL) return false;
    int64_t left_ms = rest_ms(records, row->sent_ms, history->retain_ns / NS_PER_MS);
    if (left_ms == 0) return false;

    struct row_compact compact;
    row_compact_of(output, &compact);
    buffer_reset(&batch->value);
    row_compact_append(&compact, &batch->value);
    put_bucket(batch, "history", row, buffer_bytes(&batch->value), left_ms);
    if (history->sketches && row->sketch.size != 0)
        put_bucket(batch, "sketch", row, row->sketch, left_ms);
    put_scores(batch, output, left_ms);
    return true;
}

static void put_indexes(
    struct redis_batch *batch, const struct store_batch *records, const struct row *row)
{
    int64_t end_ms = row->end_ns / NS_PER_MS;
    int64_t left_ms = rest_ms(records, row->sent_ms, batch->keep_ms);
    struct bytes service = series_name_service(row->series);
    if (left_ms == 0 || service.size == 0) return;

    redis_key(&batch->key, batch->config->prefix, "services", (struct bytes){0});
    put_index(batch, end_ms, service);
    put_trim(batch, end_ms);
    put_keep(batch, left_ms);
    redis_key(&batch->key, batch->config->prefix, "series", service);
    put_index(batch, end_ms, row->series);
    put_trim(batch, end_ms);
    put_keep(batch, left_ms);
}

/* Rows of a series come one after the other, so most of them need no index of their own. */
static bool is_indexed_by(const struct row *row, const struct row *last)
{
    if (last == NULL || last->end_ns < row->end_ns) return false;
    return bytes_equal(last->series, row->series);
}

static void put_alert_event(
    struct redis_batch *batch, const struct store_batch *records, const struct alert *alert)
{
    struct redis_link *link = batch->link;
    uint64_t entries = batch->config->alerts_max == 0 ? 1 : batch->config->alerts_max;
    char value[32] = "";
    if (!isnan(alert->value)) snprintf(value, sizeof(value), "%.17g", alert->value);
    size_t errors, members;
    buffer_reset(&batch->value);
    row_json_exemplars(alert->exemplar, alert->exemplars, batch->config->trace_link, &batch->value);
    errors = batch->value.size;
    row_json_error_kinds(alert->error_kind, alert->error_kinds, &batch->value);
    members = batch->value.size;
    row_json_members(alert, &batch->value);
    const struct {
        const char *name;
        struct bytes value;
    } fields[] = {
        {"id", bytes_of(alert->id)},
        {"rule", alert->rule},
        {"series", alert->series},
        {"state", bytes_of(alert_state_name[alert->state])},
        {"severity", alert->severity},
        {"condition", alert->condition},
        {"value", bytes_of(value)},
        {"labels", row_json_object(alert->labels)},
        {"annotations", row_json_object(alert->annotations)},
        {"exemplars", {batch->value.data, errors}},
        {"errors", {batch->value.data + errors, members - errors}},
        {"members", {batch->value.data + members, batch->value.size - members}},
    };
    int count = sizeof(fields) / sizeof(fields[0]);

    redis_key(&batch->key, batch->config->prefix, "alerts", (struct bytes){0});
    begin(batch, 6 + 2 * (count + 2 + records->refill), "XADD");
    redis_link_text(link, "MAXLEN");
    redis_link_text(link, "~");
    redis_link_number(link, (int64_t)entries);
    redis_link_text(link, "*");
    for (int f = 0; f < count; f++) {
        redis_link_text(link, fields[f].name);
        redis_link_bytes(link, fields[f].value);
    }
    redis_link_text(link, "since_ms");
    redis_link_number(link, alert->since_ns / NS_PER_MS);
    redis_link_text(link, "at_ms");
    redis_link_number(link, alert->at_ns / NS_PER_MS);
    if (records->refill) {
        redis_link_text(link, "refilled");
        redis_link_text(link, "1");
    }
}

static void put_alert(
    struct redis_batch *batch, const struct store_batch *records, const struct alert *alert)
{
    if (!alert->changed) put_alert_event(batch, records, alert); /* it fires on, with others */
    redis_key(&batch->key, batch->config->prefix, "alerts:active", (struct bytes){0});
    if (alert->state != ALERT_FIRING) {
        begin(batch, 3, "HDEL");
        redis_link_text(batch->link, alert->id);
        return;
    }
    buffer_reset(&batch->value);
    row_json_alert(alert, batch->config->trace_link, &batch->value);
    begin(batch, 4, "HSET");
    redis_link_text(batch->link, alert->id);
    redis_link_bytes(batch->link, buffer_bytes(&batch->value));
}

/* Whether a later row of the batch takes the same place among the newest rows: then only that one is sent. */
static bool is_superseded(
    const struct redis_batch *batch, const struct store_batch *records, size_t index)
{
    const struct row *row = &records->output[index].row;
    for (size_t i = index + 1; i < records->count; i++) {
        const struct row *later = &records->output[i].row;
        if (records->output[i].is_alert || later->end_ns < row->end_ns) continue;
        if (later->rolling != row->rolling || width_ns(later) != width_ns(row)) continue;
        if ((later->status == ROW_PROVISIONAL) != (row->status == ROW_PROVISIONAL)) continue;
        if (bytes_equal(later->series, row->series)) return now_field(batch, row).text[0] != '\0';
    }
    return false;
}

/* HDEL goes last: a full server lets a script go on that has written, and HDEL it never refuses. */
static void put_refill(
    struct redis_batch *batch, int32_t partition, const struct store_batch *records)
{
    redis_key(&batch->key, batch->config->prefix, "applied", (struct bytes){0});
    begin(batch, records->refill ? 4 : 3, records->refill ? "HSET" : "HDEL");
    redis_link_text(batch->link, redis_refill_field(partition).text);
    if (records->refill) redis_link_text(batch->link, "1");
}

void redis_batch_put(
    struct redis_batch *batch, int32_t partition, const struct store_batch *records)
{
    const struct row *last = NULL;
    if (records->refill) put_refill(batch, partition, records);
    for (size_t i = 0; i < records->count; i++) {
        const struct output *output = &records->output[i];
        const struct row *row = &output->row;
        if (output->is_alert) {
            put_alert(batch, records, &output->alert);
            continue;
        }
        /* What was provisional long ago is final further on in the log. */
        if (records->refill && row->status == ROW_PROVISIONAL) continue;
        bool shown = !is_superseded(batch, records, i) &&
                     put_now(batch, records, output, now_field(batch, row).text);
        if (row_scores_any(output)) shown = put_now(batch, records, output, "scores") || shown;
        bool kept = put_history(batch, records, output);
        if ((!shown && !kept) || is_indexed_by(row, last)) continue;
        put_indexes(batch, records, row);
        last = row;
    }
    redis_key(&batch->key, batch->config->prefix, "alerts:active", (struct bytes){0});
    put_keep(batch, batch->keep_ms);
    if (records->whole) put_refill(batch, partition, records);
}

/* `10s=1h 1m=1d`, or of those with sketches only `1m`. */
static void describe_history(const struct store_config *config, bool sketches, struct buffer *out)
{
    buffer_reset(out);
    for (size_t h = 0; h < config->histories; h++) {
        const struct store_history *history = &config->history[h];
        if (sketches && !history->sketches) continue;
        buffer_print(
            out, "%s%s", out->size == 0 ? "" : " ", duration_print(history->resolution_ns).text);
        if (!sketches) buffer_print(out, "=%s", duration_print(history->retain_ns).text);
    }
}

static void about_field(struct redis_batch *batch, const char *name)
{
    redis_link_text(batch->link, name);
    redis_link_bytes(batch->link, buffer_bytes(&batch->value));
}

void redis_batch_about(struct redis_batch *batch)
{
    const struct store_config *config = batch->config;
    redis_key(&batch->key, config->prefix, "about", (struct bytes){0});
    begin(batch, 16, "HSET");
    buffer_reset(&batch->value);
    buffer_print(&batch->value, "%d", REDIS_LAYOUT_VERSION);
    about_field(batch, "version");
    buffer_reset(&batch->value);
    buffer_print(&batch->value, "%016" PRIx64, config->plan);
    about_field(batch, "plan");
    buffer_reset(&batch->value);
    buffer_print(&batch->value, "%s", duration_print(config->pane_ns).text);
    about_field(batch, "pane");
    describe_history(config, false, &batch->value);
    about_field(batch, "history");
    describe_history(config, true, &batch->value);
    about_field(batch, "sketches");
    buffer_reset(&batch->value);
    buffer_print(&batch->value, "%u", config->sketch_scale);
    about_field(batch, "sketch_scale");
    buffer_reset(&batch->value);
    buffer_print(&batch->value, "%s", config->trace_link == NULL ? "" : config->trace_link);
    about_field(batch, "trace_link");
}
