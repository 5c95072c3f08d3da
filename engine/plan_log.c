#include "engine/plan_log.h"

#include "engine/trouble.h"

#include <stdio.h>
#include <string.h>

enum { TOPIC_BYTES_MAX = 256, RECORDS_MAX = 4096, DIFFERENCES_BYTES_MAX = 160 };

static const struct kafka_setting topic_settings[] = {
    {"cleanup.policy", "delete"}, {"retention.ms", "-1"}, {NULL, NULL}};

static void log_topic(char out[TOPIC_BYTES_MAX], const char *name)
{
    snprintf(out, TOPIC_BYTES_MAX, "%s.plan", name);
}

void plan_log_topic(
    char *out, size_t bytes, const char *name, const char *suffix, uint32_t generation)
{
    if (generation <= 1)
        snprintf(out, bytes, "%s.%s", name, suffix);
    else
        snprintf(out, bytes, "%s.%s-%u", name, suffix, generation);
}

void plan_log_release(struct plan_log *log)
{
    buffer_release(&log->records);
    *log = (struct plan_log){0};
}

enum status plan_log_take(struct plan_log *log, struct bytes record, struct error *err)
{
    struct plan_entry entry;
    enum status status = plan_entry_decode(record, &entry, err);
    if (status != ST_OK) return status;
    uint64_t now = log->generation == 0 ? 0 : log->now.plan;
    if (entry.from != now) return ST_OK;
    log->now = entry;
    log->generation++;
    return ST_OK;
}

enum status plan_log_read(
    struct plan_log *log, struct kafka_observer *o, const char *name, struct error *err)
{
    char topic[TOPIC_BYTES_MAX];
    size_t end[RECORDS_MAX], count = 0;
    uint32_t there = 0;
    *log = (struct plan_log){0};
    log_topic(topic, name);
    enum status status = kafka_partitions(o, topic, &there, err);
    if (status != ST_OK || there == 0) return status;
    status = kafka_read_all(o, topic, 0, &log->records, end, RECORDS_MAX, &count, err);
    for (size_t i = 0, at = 0; i < count && status == ST_OK; at = end[i++]) {
        struct bytes record = {log->records.data + at, end[i] - at};
        struct error why;
        status = plan_log_take(log, record, &why);
        if (status == ST_OK) continue;
        status = error_set(
            err, ST_FATAL, 0, "topic %s, partition 0, record %zu: %s", topic, i, why.text);
    }
    return status;
}

enum status plan_log_append(const struct plan_log *log, struct kafka_switch *s,
    const struct plan *plan, const struct kafka_moved *moved, size_t count, struct error *err)
{
    char topic[TOPIC_BYTES_MAX];
    struct buffer text = {0}, record = {0};
    const struct texts *topics = &plan->config->topics;
    plan_describe(plan, &text);
    struct plan_entry entry = {.plan = plan->fingerprint,
        .from = log->generation == 0 ? 0 : log->now.plan,
        .text = buffer_bytes(&text),
        .partitions = plan->partitions};
    for (size_t i = 0; i < topics->count; i++)
        entry.topic[entry.topics++] = bytes_of(topics->text[i]);
    plan_entry_encode(&entry, &record);
    log_topic(topic, plan->config->name);
    enum status status = kafka_switch_commit(s, topic, buffer_bytes(&record), moved, count, err);
    buffer_release(&text);
    buffer_release(&record);
    return status;
}

/* Nobody has said yet under which plan this name runs. */
static enum status say_first(struct kafka_observer *o, const struct plan *plan, struct error *err)
{
    struct plan_log log = {0};
    struct kafka_switch *s = NULL;
    enum status status = kafka_switch_open(&s, plan->config, err);
    if (status == ST_OK) status = plan_log_read(&log, o, plan->config->name, err);
    if (status == ST_OK && log.generation == 0)
        status = plan_log_append(&log, s, plan, NULL, 0, err);
    plan_log_release(&log);
    kafka_switch_close(s);
    return status;
}

/* Cut the next line off a description. */
static struct bytes line_next(struct bytes *text)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct bytes line = {text->data, size};
    size_t used = size + (end != NULL);
    *text = (struct bytes){text->data + used, text->size - used};
    return line;
}

/* Every plan has the same lines in the same order, so comparing them one by one is enough. */
bool plan_differences(struct bytes before, struct bytes after, struct buffer *out)
{
    bool differ = false;
    while (before.size > 0 || after.size > 0) {
        struct bytes left = line_next(&before), right = line_next(&after);
        if (bytes_equal(left, right)) continue;
        differ = true;
        buffer_print(out, "- %.*s\n+ %.*s\n", (int)left.size, (const char *)left.data,
            (int)right.size, (const char *)right.data);
    }
    return differ;
}

/* What differs, as much of it as an error has room for; ends in a newline, or in `...` where it is cut. */
static void differences(const struct plan_log *log, const struct plan *plan, struct buffer *out)
{
    struct buffer text = {0};
    plan_describe(plan, &text);
    plan_differences(log->now.text, buffer_bytes(&text), out);
    buffer_release(&text);
    if (out->size > DIFFERENCES_BYTES_MAX) {
        size_t size = DIFFERENCES_BYTES_MAX;
        while (size > 0 && (out->data[size] & 0xc0) == 0x80)
            size--; /* whole characters */
        out->size = size;
        buffer_print(out, "...\n");
    }
    buffer_append(out, "", 1);
}

static enum status refuse(
    const struct plan_log *log, const struct plan *plan, const char *topic, struct error *err)
{
    struct buffer lines = {0};
    unsigned long long theirs = log->now.plan, ours = plan->fingerprint;
    differences(log, plan, &lines);
    trouble_begin(TROUBLE_PLAN, topic,
        "the name runs under plan %016llx, this config makes plan %016llx (- theirs, + ours): %s",
        theirs, ours, (const char *)lines.data);
    enum status status = error_set(err, ST_FATAL, 0,
        "%s runs under plan %016llx, this config makes plan %016llx (- theirs, + ours):\n%s"
        "Give this one another `name`, or go over to it by `weir plan apply`.",
        plan->config->name, theirs, ours, (const char *)lines.data);
    buffer_release(&lines);
    return status;
}

enum status plan_log_share(
    struct plan_log *log, struct kafka_observer *o, const struct plan *plan, struct error *err)
{
    char topic[TOPIC_BYTES_MAX];
    const char *name = plan->config->name;
    log_topic(topic, name);
    *log = (struct plan_log){0};
    enum status status = kafka_topic_ensure(o, topic, 1, topic_settings, err);
    if (status == ST_OK) status = plan_log_read(log, o, name, err);
    if (status == ST_OK && log->generation == 0) {
        status = say_first(o, plan, err);
        plan_log_release(log);
        if (status == ST_OK) status = plan_log_read(log, o, name, err);
    }
    if (status == ST_OK && log->generation == 0)
        return error_set(err, ST_RETRY, 0, "kafka: the entry in %s is not there yet", topic);
    if (status != ST_OK || log->now.plan == plan->fingerprint) return status;
    return refuse(log, plan, topic, err);
}
