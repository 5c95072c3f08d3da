#include "engine/plan_switch.h"

#include "engine/aggregate_metadata.h"
#include "engine/base/memory.h"
#include "engine/kafka_switch.h"
#include "engine/watermark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOPIC_BYTES_MAX = 256, TOPICS_BOTH_MAX = 2 * PLAN_ENTRY_TOPICS_MAX };

static const char drain[] =
    "Drain it: run `weir run --until-end` once with the config of the old plan, then try again";

static enum status check_idle(
    struct kafka_observer *o, const struct config *config, struct error *err)
{
    static const char *const stages[] = {"combine", "aggregate", "sink"};
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        uint32_t members;
        enum status status = kafka_group_members(o, stages[i], &members, err);
        if (status != ST_OK) return status;
        if (members == 0) continue;
        return error_set(err, ST_FATAL, 0,
            "a worker of %s is running: group %s-%s has %u members. Stop all workers first; one "
            "that was killed leaves its groups after 10 s",
            config->name, config->name, stages[i], members);
    }
    return ST_OK;
}

/* What a stage has committed of an internal topic of the old plan, and where that topic ends. */
static enum status progress(struct kafka_observer *o, const struct plan_log *log, const char *stage,
    const char *topic, struct kafka_assigned *committed, int64_t *end, struct error *err)
{
    uint32_t count = log->now.partitions;
    enum status status = kafka_offsets_at(o, topic, count, NULL, KAFKA_AT_END, end, err);
    if (status == ST_OK) status = kafka_group_committed(o, stage, topic, count, committed, err);
    return status;
}

static enum status check_partials(const struct plan_log *log, const char *topic,
    const struct kafka_assigned *committed, const int64_t *end, struct error *err)
{
    for (uint32_t p = 0; p < log->now.partitions; p++) {
        struct aggregate_metadata metadata = {.ended = false};
        int64_t at = committed[p].offset < 0 ? 0 : committed[p].offset;
        if (end[p] == 0) continue;
        if (at < end[p]) {
            return error_set(err, ST_FATAL, 0,
                "topic %s, partition %u: partials from offset %" PRId64 " to %" PRId64
                " are not aggregated yet, their spans would be lost. %s",
                topic, p, at, end[p], drain);
        }
        if (aggregate_metadata_read(&metadata, committed[p].metadata) && metadata.ended) continue;
        return error_set(err, ST_FATAL, 0,
            "topic %s, partition %u: panes are still open, the spans in them would be in no final "
            "row. %s",
            topic, p, drain);
    }
    return ST_OK;
}

static enum status check_rows(const struct plan_log *log, const char *topic,
    const struct kafka_assigned *committed, const int64_t *end, struct error *err)
{
    for (uint32_t p = 0; p < log->now.partitions; p++) {
        int64_t at = committed[p].offset < 0 ? 0 : committed[p].offset;
        if (at >= end[p]) continue;
        return error_set(err, ST_FATAL, 0,
            "topic %s, partition %u: rows from offset %" PRId64 " to %" PRId64
            " are not in Redis yet. %s",
            topic, p, at, end[p], drain);
    }
    return ST_OK;
}

static enum status check_drained(struct kafka_observer *o, const struct plan_log *log,
    const struct config *config, struct error *err)
{
    static const struct {
        const char *stage, *suffix;
        enum status (*check)(const struct plan_log *, const char *, const struct kafka_assigned *,
            const int64_t *, struct error *);
    } parts[] = {{"aggregate", "partials", check_partials}, {"sink", "rows", check_rows}};
    uint32_t count = log->now.partitions;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    int64_t *end = memory_zeroed(count, sizeof(*end));
    enum status status = ST_OK;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == ST_OK; i++) {
        char topic[TOPIC_BYTES_MAX];
        uint32_t there = 0;
        plan_log_topic(topic, sizeof(topic), config->name, parts[i].suffix, log->generation);
        status = kafka_partitions(o, topic, &there, err);
        if (status != ST_OK || there == 0) continue; /* no worker has come that far */
        status = progress(o, log, parts[i].stage, topic, committed, end, err);
        if (status == ST_OK) status = parts[i].check(log, topic, committed, end, err);
    }
    free(committed);
    free(end);
    return status;
}

enum status plan_switch_check(struct kafka_observer *o, const struct plan_log *log,
    const struct config *config, struct error *err)
{
    enum status status = check_idle(o, config, err);
    return status == ST_OK ? check_drained(o, log, config, err) : status;
}

struct moving {
    struct kafka_moved *moved;
    size_t count;
};

/* All panes of the old plan are closed, so its newest one says nothing to the new plan. */
static void move_one(
    struct moving *m, const char *topic, const struct kafka_assigned *from, const struct plan *plan)
{
    struct source_clock clock = {.watermark_ns = WATERMARK_NONE};
    uint32_t partitions;
    m->moved = memory_resize(m->moved, m->count + 1, sizeof(*m->moved));
    struct kafka_moved *to = &m->moved[m->count++];
    *to = (struct kafka_moved){topic, from->partition, from->offset, ""};
    if (!source_clock_read(&clock, &partitions, bytes_of(from->metadata))) return;
    clock.newest_pane = PANE_NONE;
    clock.ended = false;
    clock.plan = plan->fingerprint;
    source_clock_write(&clock, partitions, to->metadata);
}

static enum status move_topic(struct kafka_observer *o, struct moving *m, const char *topic,
    const struct plan *plan, struct error *err)
{
    uint32_t count = 0;
    enum status status = kafka_partitions(o, topic, &count, err);
    if (status != ST_OK || count == 0) return status;
    struct kafka_assigned *committed = memory_zeroed(count, sizeof(*committed));
    status = kafka_group_committed(o, "combine", topic, count, committed, err);
    for (uint32_t p = 0; p < count && status == ST_OK; p++) {
        if (committed[p].offset >= 0) move_one(m, topic, &committed[p], plan);
    }
    free(committed);
    return status;
}

/* The topics of both plans, each once, as texts of their own. */
static size_t topics_of_both(
    const struct plan_log *log, const struct plan *plan, char *topics[TOPICS_BOTH_MAX])
{
    const struct texts *ours = &plan->config->topics;
    size_t count = 0;
    for (size_t i = 0; i < log->now.topics; i++) {
        struct bytes name = log->now.topic[i];
        topics[count++] = memory_text((const char *)name.data, name.size);
    }
    for (size_t i = 0; i < ours->count && count < TOPICS_BOTH_MAX; i++) {
        bool known = false;
        for (size_t j = 0; j < count && !known; j++)
            known = strcmp(topics[j], ours->text[i]) == 0;
        if (!known) topics[count++] = memory_text(ours->text[i], strlen(ours->text[i]));
    }
    return count;
}

/* Offsets are read once nobody else can switch, so what is moved is what is committed. */
static enum status move_all(struct kafka_observer *o, struct kafka_switch *s,
    const struct plan_log *log, const struct plan *plan, struct error *err)
{
    char *topics[TOPICS_BOTH_MAX];
    size_t count = topics_of_both(log, plan, topics);
    struct moving moving = {0};
    enum status status = ST_OK;
    for (size_t i = 0; i < count && status == ST_OK; i++)
        status = move_topic(o, &moving, topics[i], plan, err);
    if (status == ST_OK) status = plan_log_append(log, s, plan, moving.moved, moving.count, err);
    for (size_t i = 0; i < count; i++)
        free(topics[i]);
    free(moving.moved);
    return status;
}

enum status plan_switch(
    struct kafka_observer *o, uint64_t from, const struct plan *plan, struct error *err)
{
    struct plan_log log = {0};
    struct kafka_switch *s = NULL;
    enum status status = kafka_switch_open(&s, plan->config, err);
    if (status == ST_OK) status = plan_log_read(&log, o, plan->config->name, err);
    if (status == ST_OK && (log.generation == 0 || log.now.plan != from)) {
        status = error_set(err, ST_RETRY, 0,
            "%s was switched by somebody else meanwhile: look again", plan->config->name);
    }
    if (status == ST_OK) status = plan_switch_check(o, &log, plan->config, err);
    if (status == ST_OK) status = move_all(o, s, &log, plan, err);
    plan_log_release(&log);
    kafka_switch_close(s);
    return status;
}
