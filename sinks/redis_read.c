#include "sinks/redis_read.h"

#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "sinks/redis_key.h"
#include "sinks/redis_link.h"
#include "sinks/row_json.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIPELINE_MAX = 500 }; /* commands sent before their replies are read */

struct redis_read {
    struct redis_link link;
    char *prefix;
    struct buffer key; /* scratch */
};

/* One kind of question, asked `count` times in one go. */
struct question {
    const char *doing;
    size_t count;
    int64_t most;      /* entries of a stream */
    const void *about; /* what `ask` and `take` need to know */
    void (*ask)(struct redis_read *read, const struct question *question, size_t i);
    void (*take)(
        const struct question *question, size_t i, const redisReply *reply, struct read_list *list);
};

void read_list_reset(struct read_list *list)
{
    list->count = 0;
    pool_reset(&list->text);
}

void read_list_release(struct read_list *list)
{
    free(list->item);
    pool_release(&list->text);
    *list = (struct read_list){0};
}

static struct bytes copy(struct read_list *list, struct bytes bytes)
{
    if (bytes.size == 0) return (struct bytes){0};
    void *to = pool_take(&list->text, bytes.size);
    memcpy(to, bytes.data, bytes.size);
    return (struct bytes){to, bytes.size};
}

void read_list_append(struct read_list *list, const struct read_item *item)
{
    size_t most = POOL_BYTES_MAX / 2;
    if (item->name.size > most || item->field.size > most || item->value.size > most) return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        list->item = memory_resize(list->item, list->capacity, sizeof(*list->item));
    }
    list->item[list->count++] = (struct read_item){
        .name = copy(list, item->name),
        .field = copy(list, item->field),
        .value = copy(list, item->value),
        .at_ms = item->at_ms,
    };
}

static struct bytes text_of(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) return (struct bytes){0};
    return (struct bytes){(const uint8_t *)reply->str, reply->len};
}

static int64_t number_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? (int64_t)strtod(reply->str, NULL) : 0;
}

/* Read the replies to questions `from` up to `to`. Those of a pipeline are read whatever they are. */
static enum status take_replies(struct redis_read *read, const struct question *question,
    size_t from, size_t to, struct read_list *list, struct error *err)
{
    enum status worst = ST_OK;
    for (size_t i = from; i < to; i++) {
        redisReply *reply = NULL;
        struct error failure;
        enum status status = redis_link_reply(&read->link, question->doing, &reply, &failure);
        if (status == ST_OK) {
            question->take(question, i, reply, list);
            freeReplyObject(reply);
        } else if (status > worst) {
            worst = status;
            *err = failure;
        }
    }
    return worst;
}

static enum status put_questions(struct redis_read *read, const struct question *question,
    struct read_list *list, struct error *err)
{
    read_list_reset(list);
    enum status status = redis_link_connect(&read->link, err);
    for (size_t from = 0; status == ST_OK && from < question->count; from += PIPELINE_MAX) {
        size_t to = from + PIPELINE_MAX < question->count ? from + PIPELINE_MAX : question->count;
        for (size_t i = from; i < to; i++)
            question->ask(read, question, i);
        status = redis_link_send(&read->link, err);
        if (status == ST_OK) status = take_replies(read, question, from, to, list, err);
    }
    return status;
}

static struct bytes key_of(struct redis_read *read, const char *kind, struct bytes name)
{
    return redis_key(&read->key, read->prefix, kind, name);
}

enum status redis_read_open(struct redis_read **read, const char *url, const struct tls_files *tls,
    const char *prefix, int64_t timeout_ns, struct error *err)
{
    struct redis_read *opened = memory_zeroed(1, sizeof(*opened));
    opened->prefix = memory_text(prefix, strlen(prefix));
    enum status status = redis_link_init(&opened->link, url, tls, timeout_ns, err);
    if (status == ST_OK) status = redis_link_connect(&opened->link, err);
    if (status != ST_OK) {
        redis_read_close(opened);
        return status;
    }
    *read = opened;
    return ST_OK;
}

void redis_read_close(struct redis_read *read)
{
    if (read == NULL) return;
    redis_link_release(&read->link);
    buffer_release(&read->key);
    free(read->prefix);
    free(read);
}

const char *redis_read_address(const struct redis_read *read)
{
    return read->link.address.shown;
}

/* A hash: names and values by turns. */
static void take_hash(
    const struct question *question, size_t i, const redisReply *reply, struct read_list *list)
{
    (void)question;
    (void)i;
    if (reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t e = 0; e + 1 < reply->elements; e += 2) {
        struct read_item item = {
            .name = text_of(reply->element[e]), .value = text_of(reply->element[e + 1])};
        read_list_append(list, &item);
    }
}

static void ask_hash(struct redis_read *read, const struct question *question, size_t i)
{
    (void)i;
    redis_link_text(&read->link, "HGETALL");
    redis_link_bytes(&read->link, key_of(read, question->about, (struct bytes){0}));
    redis_link_end(&read->link);
}

static enum status read_hash(struct redis_read *read, const char *kind, const char *doing,
    struct read_list *list, struct error *err)
{
    struct question question = {
        .doing = doing, .count = 1, .about = kind, .ask = ask_hash, .take = take_hash};
    return put_questions(read, &question, list, err);
}

enum status redis_read_alerts(struct redis_read *read, struct read_list *list, struct error *err)
{
    return read_hash(read, "alerts:active", "tell what fires", list, err);
}

static void ask_transitions(struct redis_read *read, const struct question *question, size_t i)
{
    (void)i;
    redis_link_text(&read->link, "XREVRANGE");
    redis_link_bytes(&read->link, key_of(read, "alerts", (struct bytes){0}));
    redis_link_text(&read->link, "+");
    redis_link_text(&read->link, "-");
    redis_link_text(&read->link, "COUNT");
    redis_link_number(&read->link, question->most);
    redis_link_end(&read->link);
}

/* One entry of the stream: its fields, name and value by turns. */
static void take_transition(const redisReply *fields, struct read_list *list)
{
    struct buffer json = {0};
    struct read_item item = {0};
    for (size_t f = 0; f + 1 < fields->elements; f += 2) {
        struct bytes name = text_of(fields->element[f]), value = text_of(fields->element[f + 1]);
        if (bytes_are(name, "id")) item.name = value;
        if (bytes_are(name, "state")) item.field = value;
        if (bytes_are(name, "at_ms")) item.at_ms = number_of(fields->element[f + 1]);
        buffer_print(&json, "%s", f == 0 ? "{" : ",");
        row_json_text(name, &json);
        buffer_print(&json, ":");
        row_json_text(value, &json);
    }
    buffer_print(&json, "}");
    item.value = buffer_bytes(&json);
    read_list_append(list, &item);
    buffer_release(&json);
}

static void take_transitions(
    const struct question *question, size_t i, const redisReply *reply, struct read_list *list)
{
    (void)question;
    (void)i;
    for (size_t e = reply->elements; reply->type == REDIS_REPLY_ARRAY && e > 0; e--) {
        const redisReply *entry = reply->element[e - 1];
        bool whole = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
                     entry->element[1]->type == REDIS_REPLY_ARRAY;
        if (whole) take_transition(entry->element[1], list);
    }
}

enum status redis_read_transitions(
    struct redis_read *read, size_t most, struct read_list *list, struct error *err)
{
    struct question question = {.doing = "tell what fired",
        .count = 1,
        .most = (int64_t)most,
        .ask = ask_transitions,
        .take = take_transitions};
    return put_questions(read, &question, list, err);
}

/* The next word of a list separated by spaces, NUL-terminated; false at its end. */
static bool next_word(struct bytes *rest, char *word, size_t room)
{
    while (rest->size > 0 && rest->data[0] == ' ')
        *rest = (struct bytes){rest->data + 1, rest->size - 1};
    size_t size = 0;
    while (size < rest->size && rest->data[size] != ' ')
        size++;
    if (size == 0 || size >= room) return false;
    memcpy(word, rest->data, size);
    word[size] = '\0';
    *rest = (struct bytes){rest->data + size, rest->size - size};
    return true;
}

/* `10s=1h 1m=1d` */
static void parse_history(struct bytes text, struct read_about *about)
{
    char word[2 * DURATION_TEXT_BYTES];
    while (about->histories < READ_HISTORIES_MAX && next_word(&text, word, sizeof(word))) {
        char *equals = strchr(word, '=');
        int64_t resolution_ns = 0, retain_ns = 0;
        if (equals == NULL) continue;
        *equals = '\0';
        if (!duration_parse(word, &resolution_ns) || !duration_parse(equals + 1, &retain_ns))
            continue;
        if (resolution_ns <= 0) continue;
        size_t at = about->histories++;
        for (; at > 0 && about->history[at - 1].resolution_ns > resolution_ns; at--)
            about->history[at] = about->history[at - 1];
        about->history[at].resolution_ns = resolution_ns;
        about->history[at].retain_ns = retain_ns;
        about->history[at].sketches = false;
    }
}

static void parse_sketches(struct bytes text, struct read_about *about)
{
    char word[2 * DURATION_TEXT_BYTES];
    int64_t resolution_ns;
    while (next_word(&text, word, sizeof(word))) {
        if (!duration_parse(word, &resolution_ns)) continue;
        for (size_t h = 0; h < about->histories; h++) {
            if (about->history[h].resolution_ns == resolution_ns) about->history[h].sketches = true;
        }
    }
}

/* The value called `name`, data NULL where there is none. */
static struct bytes value_of(const struct read_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bytes_are(list->item[i].name, name)) return list->item[i].value;
    }
    return (struct bytes){0};
}

static long small_number(struct bytes text)
{
    char digits[8];
    return next_word(&text, digits, sizeof(digits)) ? strtol(digits, NULL, 10) : 0;
}

/* What is shown to people as a link is looked at again, wherever it comes from. */
static void parse_trace_link(struct bytes text, struct read_about *about)
{
    const char *why;
    if (text.size == 0 || text.size > TRACE_LINK_BYTES_MAX) return;
    memcpy(about->trace_link, text.data, text.size); /* zeroed behind it */
    if (!trace_link_is_good(about->trace_link, &why)) about->trace_link[0] = '\0';
}

enum status redis_read_about(struct redis_read *read, struct read_about *about, struct error *err)
{
    struct read_list list = {0};
    char pane[DURATION_TEXT_BYTES];
    enum status status = read_hash(read, "about", "tell its layout", &list, err);
    if (status != ST_OK) goto out;

    *about = (struct read_about){.version = (int)small_number(value_of(&list, "version"))};
    if (about->version > REDIS_LAYOUT_VERSION) {
        status = error_set(err, ST_FATAL, 0,
            "redis: %s holds rows in layout %d, this build reads up to %d: use a newer weir",
            redis_read_address(read), about->version, REDIS_LAYOUT_VERSION);
        goto out;
    }
    about->sketch_scale = (uint32_t)small_number(value_of(&list, "sketch_scale"));
    struct bytes pane_text = value_of(&list, "pane");
    if (next_word(&pane_text, pane, sizeof(pane))) (void)duration_parse(pane, &about->pane_ns);
    parse_history(value_of(&list, "history"), about);
    parse_sketches(value_of(&list, "sketches"), about);
    parse_trace_link(value_of(&list, "trace_link"), about);
out:
    read_list_release(&list);
    return status;
}

/* An index: members and scores by turns. */
static void take_index(
    const struct question *question, size_t i, const redisReply *reply, struct read_list *list)
{
    (void)question;
    (void)i;
    if (reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t e = 0; e + 1 < reply->elements; e += 2) {
        struct read_item item = {
            .name = text_of(reply->element[e]), .at_ms = number_of(reply->element[e + 1])};
        read_list_append(list, &item);
    }
}

static void ask_index(struct redis_read *read, const char *kind, struct bytes name)
{
    redis_link_text(&read->link, "ZRANGE");
    redis_link_bytes(&read->link, key_of(read, kind, name));
    redis_link_number(&read->link, 0);
    redis_link_number(&read->link, READ_ITEMS_MAX - 1);
    redis_link_text(&read->link, "REV");
    redis_link_text(&read->link, "WITHSCORES");
    redis_link_end(&read->link);
}

static void ask_services(struct redis_read *read, const struct question *question, size_t i)
{
    (void)question;
    (void)i;
    ask_index(read, "services", (struct bytes){0});
}

enum status redis_read_services(struct redis_read *read, struct read_list *list, struct error *err)
{
    struct question question = {
        .doing = "list services", .count = 1, .ask = ask_services, .take = take_index};
    return put_questions(read, &question, list, err);
}

static void ask_series(struct redis_read *read, const struct question *question, size_t i)
{
    const struct read_list *services = question->about;
    ask_index(read, "series", services->item[i].name);
}

enum status redis_read_series(struct redis_read *read, const struct read_list *services,
    struct read_list *list, struct error *err)
{
    struct question question = {.doing = "list series",
        .count = services->count,
        .about = services,
        .ask = ask_series,
        .take = take_index};
    return put_questions(read, &question, list, err);
}

static void ask_now(struct redis_read *read, const struct question *question, size_t i)
{
    const struct read_list *series = question->about;
    redis_link_text(&read->link, "HGETALL");
    redis_link_bytes(&read->link, key_of(read, "now", series->item[i].name));
    redis_link_end(&read->link);
}

static void take_now(
    const struct question *question, size_t i, const redisReply *reply, struct read_list *list)
{
    const struct read_list *series = question->about;
    if (reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t e = 0; e + 1 < reply->elements; e += 2) {
        struct read_item item = {.name = series->item[i].name,
            .field = text_of(reply->element[e]),
            .value = text_of(reply->element[e + 1]),
            .at_ms = series->item[i].at_ms};
        read_list_append(list, &item);
    }
}

enum status redis_read_now(struct redis_read *read, const struct read_list *series,
    struct read_list *list, struct error *err)
{
    struct question question = {.doing = "tell the newest rows",
        .count = series->count,
        .about = series,
        .ask = ask_now,
        .take = take_now};
    return put_questions(read, &question, list, err);
}

struct buckets {
    const struct read_range *range;
    const char *kind;
    int64_t first_ms, span_ms, width_ms;
};

static void ask_bucket(struct redis_read *read, const struct question *question, size_t i)
{
    const struct buckets *buckets = question->about;
    const struct read_range *range = buckets->range;
    redis_link_text(&read->link, "HGETALL");
    redis_link_bytes(
        &read->link, redis_key_bucket(&read->key, read->prefix, buckets->kind, range->resolution_ns,
                         range->series, buckets->first_ms + (int64_t)i * buckets->span_ms));
    redis_link_end(&read->link);
}

static void take_bucket(
    const struct question *question, size_t i, const redisReply *reply, struct read_list *list)
{
    const struct buckets *buckets = question->about;
    (void)i;
    if (reply->type != REDIS_REPLY_ARRAY) return;
    for (size_t e = 0; e + 1 < reply->elements; e += 2) {
        int64_t end_ms = number_of(reply->element[e]);
        if (end_ms - buckets->width_ms < buckets->range->from_ms) continue;
        if (end_ms > buckets->range->to_ms) continue;
        struct read_item item = {.at_ms = end_ms, .value = text_of(reply->element[e + 1])};
        read_list_append(list, &item);
    }
}

static int earlier_first(const void *a, const void *b)
{
    const struct read_item *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static enum status read_buckets(struct redis_read *read, const struct read_range *range,
    const char *kind, struct read_list *list, struct error *err)
{
    read_list_reset(list);
    int64_t width_ms = range->resolution_ns / NS_PER_MS;
    int64_t from_ms = range->from_ms < 0 ? 0 : range->from_ms;
    if (width_ms <= 0 || range->to_ms <= from_ms) return ST_OK;

    struct buckets buckets = {.range = range,
        .kind = kind,
        .first_ms = redis_bucket_ms(from_ms, range->resolution_ns),
        .span_ms = width_ms * REDIS_BUCKET_SLICES,
        .width_ms = width_ms};
    int64_t count = (range->to_ms - 1 - buckets.first_ms) / buckets.span_ms + 1;
    if (count > READ_BUCKETS_MAX) {
        return error_set(err, ST_FATAL, 0,
            "redis: the range has %lld slices of %s, at most %lld can be read at once. Ask for a "
            "shorter range or a coarser resolution.",
            (long long)(count * REDIS_BUCKET_SLICES), duration_print(range->resolution_ns).text,
            (long long)READ_BUCKETS_MAX * REDIS_BUCKET_SLICES);
    }
    struct question question = {.doing = "read a range",
        .count = (size_t)count,
        .about = &buckets,
        .ask = ask_bucket,
        .take = take_bucket};
    enum status status = put_questions(read, &question, list, err);
    if (status == ST_OK && list->count != 0)
        qsort(list->item, list->count, sizeof(*list->item), earlier_first);
    return status;
}

enum status redis_read_history(struct redis_read *read, const struct read_range *range,
    struct read_list *list, struct error *err)
{
    return read_buckets(read, range, "history", list, err);
}

enum status redis_read_sketches(struct redis_read *read, const struct read_range *range,
    struct read_list *list, struct error *err)
{
    return read_buckets(read, range, "sketch", list, err);
}
