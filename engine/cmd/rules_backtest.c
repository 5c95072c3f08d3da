/* weir rules backtest: what other rules would have made of the rows that there are. */
#include "engine/cmd/rules_backtest.h"

#include "engine/backtest.h"
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/base/memory.h"
#include "engine/cmd/rules.h"
#include "engine/plan_log.h"
#include "engine/progress.h"
#include "engine/stop.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TOPIC_BYTES = 256 };

/* All that is read and worked out. */
struct tested {
    struct config config;
    struct plan plan;
    struct kafka_observer *observer;
    struct episodes episodes;
    struct tellings tellings;
    struct backtest **part; /* one a partition */
    uint32_t partitions;
    char topic[TOPIC_BYTES];
    int64_t from_ns, to_ns, before_ns;
    struct progress progress;
    uint64_t records, skipped;
    uint32_t reading; /* the partition */
    struct error err;
    enum status status; /* of backtest_take */
};

/* Rows come in order of event time, so the first one after the end is the last one wanted. */
static bool take(void *opaque, struct bytes value)
{
    struct tested *t = opaque;
    struct backtest *b = t->part[t->reading];
    enum status status = backtest_take(b, value, &t->err);
    t->records++;
    t->skipped += status == ST_SKIP;
    if (status > ST_SKIP) t->status = status;
    progress_show(&t->progress, t->records, (double)t->reading / (double)t->partitions);
    return status <= ST_SKIP && backtest_newest(b) <= t->to_ns && !stop_asked();
}

/* Rows are made after the time that they are of. */
static enum status read_all(struct tested *t, struct error *err)
{
    int64_t *first = memory_zeroed(t->partitions, sizeof(*first));
    int64_t *end = memory_zeroed(t->partitions, sizeof(*end));
    int64_t when_ms = (t->from_ns - t->before_ns) / NS_PER_MS;
    if (when_ms < 0) when_ms = 0;
    enum status status =
        kafka_offsets_at(t->observer, t->topic, t->partitions, NULL, when_ms, first, err);
    if (status == ST_OK) status = kafka_stable_ends(t->observer, t->topic, t->partitions, end, err);
    for (uint32_t p = 0; p < t->partitions && status == ST_OK && !stop_asked(); p++) {
        t->reading = p;
        status =
            kafka_read_range(t->observer, t->topic, (int32_t)p, first[p], end[p], take, t, err);
        if (status != ST_OK || t->status == ST_OK) continue;
        *err = t->err;
        status = t->status;
    }
    free(first);
    free(end);
    return status;
}

/* Event time has come as far as the newest row of all partitions. */
static void finish(struct tested *t)
{
    int64_t newest_ns = 0;
    for (uint32_t p = 0; p < t->partitions; p++) {
        int64_t part_ns = backtest_newest(t->part[p]);
        if (part_ns > newest_ns) newest_ns = part_ns;
    }
    for (uint32_t p = 0; p < t->partitions; p++)
        backtest_finish(t->part[p], newest_ns < t->to_ns ? newest_ns : t->to_ns);
    tellings_decide(&t->tellings, t->plan.fingerprint, &t->episodes);
}

static enum status topic_find(struct tested *t, struct error *err)
{
    struct plan_log log = {0};
    uint32_t generation = 1;
    const struct config *config = &t->config;
    enum status status = ST_OK;
    if (config->delivery == DELIVERY_EXACTLY_ONCE) {
        status = plan_log_read(&log, t->observer, config->name, err);
        generation = log.generation;
        plan_log_release(&log);
    }
    if (status != ST_OK) return status;
    plan_log_topic(t->topic, sizeof(t->topic), config->name, "rows", generation);
    status = kafka_partitions(t->observer, t->topic, &t->partitions, err);
    if (status != ST_OK || t->partitions > 0) return status;
    return error_set(err, ST_FATAL, 0,
        "there is no topic %s: nothing has run under the name %s yet, or these are not its brokers",
        t->topic, config->name);
}

static enum status test(struct tested *t, struct error *err)
{
    enum status status = kafka_observer_open(&t->observer, &t->config, "backtest", err);
    if (status == ST_OK) status = topic_find(t, err);
    if (status != ST_OK) return status;
    t->part = memory_zeroed(t->partitions, sizeof(struct backtest *));
    for (uint32_t p = 0; p < t->partitions; p++)
        t->part[p] = backtest_new(&t->plan, &t->episodes, &t->tellings);
    progress_open(&t->progress, stderr, "read", "rows");
    status = read_all(t, err);
    progress_close(&t->progress);
    if (status == ST_OK) finish(t);
    return status;
}

static void release(struct tested *t)
{
    for (uint32_t p = 0; p < t->partitions && t->part != NULL; p++)
        backtest_free(t->part[p]);
    free(t->part);
    episodes_release(&t->episodes);
    tellings_release(&t->tellings);
    kafka_observer_close(t->observer);
    config_release(&t->config);
}

/* A rule on a column that no row has would never fire, and its author wonder. */
static void print_unseen(const struct tested *t)
{
    struct buffer names = {0};
    for (int c = COLUMN_SCORE; c < COLUMN_COUNT; c++) {
        const char *name = t->plan.columns.name[c];
        bool seen = *name == '\0';
        for (uint32_t p = 0; p < t->partitions && !seen; p++)
            seen = backtest_saw(t->part[p], c);
        if (!seen) buffer_print(&names, "%s%s", names.size == 0 ? "" : ", ", name);
    }
    if (names.size > 0)
        printf("No row has %.*s: rules on them could not be tried.\n", (int)names.size,
            (const char *)names.data);
    buffer_release(&names);
}

static void print_read(const struct tested *t)
{
    struct backtest_counts sum = {0};
    for (uint32_t p = 0; p < t->partitions; p++) {
        struct backtest_counts one;
        backtest_counts(t->part[p], &one);
        sum.rows += one.rows;
        sum.revised += one.revised;
        sum.alerts += one.alerts;
        sum.series += one.series;
    }
    printf("%" PRIu64 " final rows, %" PRIu64 " revised, of %zu series; %" PRIu64
           " alert transitions; %s\n",
        sum.rows, sum.revised, sum.series, sum.alerts, t->topic);
    if (t->skipped > 0) printf("%" PRIu64 " records could not be read\n", t->skipped);
}

static void print_all(struct tested *t)
{
    struct episode_pair *pair;
    struct buffer out = {0};
    size_t count = episodes_pair(&t->episodes, t->from_ns, t->to_ns, &pair);
    printf("%s to %s\n", instant_print(t->from_ns).text, instant_print(t->to_ns).text);
    print_read(t);
    rules_backtest_print(pair, count, 0, &out);
    printf("%.*s", (int)out.size, (const char *)out.data);
    print_unseen(t);
    buffer_release(&out);
    free(pair);
}

static enum status times_read(
    struct tested *t, const struct rules_command *options, struct error *err)
{
    int64_t now_ns = clock_wall_ns();
    if (!instant_parse(options->from, now_ns, &t->from_ns))
        return error_set(err, ST_FATAL, 0, "--from %s is not a time, as in -6h", options->from);
    if (!instant_parse(options->to, now_ns, &t->to_ns))
        return error_set(err, ST_FATAL, 0, "--to %s is not a time, as in now", options->to);
    t->before_ns = options->before_ns;
    if (t->from_ns < t->to_ns) return ST_OK;
    return error_set(err, ST_FATAL, 0, "--from %s is not before --to %s",
        instant_print(t->from_ns).text, instant_print(t->to_ns).text);
}

static int backtest_plan(struct tested *t)
{
    struct error err;
    stop_on_signals();
    enum status status = test(t, &err);
    if (status != ST_OK) return command_failed(&command_rules, &err, EXIT_FAILED);
    if (stop_asked()) return EXIT_FAILED;
    print_all(t);
    return EXIT_DONE;
}

int rules_backtest(const struct rules_command *options)
{
    static struct tested tested;
    struct tested *t = &tested;
    struct error err;
    int code;
    if (times_read(t, options, &err) != ST_OK)
        return command_misused(&command_rules, "%s", err.text);
    enum status status = config_load(&t->config, options->config, options->set.text, &err);
    if (status == ST_OK) status = plan_init(&t->plan, &t->config, &err);
    if (status == ST_OK)
        code = backtest_plan(t);
    else
        code = command_failed(&command_rules, &err, EXIT_USAGE);
    release(t);
    return code;
}
