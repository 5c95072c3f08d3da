/* weir generate: a simulated shop sends its spans to Kafka. */
#include "engine/base/clock.h"
#include "engine/base/node.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/kafka_writer.h"
#include "engine/progress.h"
#include "engine/simulation.h"
#include "engine/stop.h"

#include <stdio.h>

#define FLUSH_NS (5 * NS_PER_S) /* how long a stop may take */
#define PAUSE_NS (NS_PER_S / 5) /* how soon a stop is noticed */

struct generate {
    const char *brokers, *topic, *config;
    uint64_t partitions, seed, names, spans;
    double rate, speed;
    double late, out_of_order, skewed, bad_ids;
    int64_t since_ns, duration_ns;
    bool no_live;
    struct texts kafka;
};

#define GENERATE(kind, field, named, usual, text)                                          \
    {                                                                                      \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct generate, field), \
        .fallback = (usual), .help = (text)                                                \
    }
static const struct option generate_options[] = {
    GENERATE(TEXT, brokers, "brokers", "localhost:9092", "host:port,..."),
    GENERATE(TEXT, topic, "topic", "otlp_spans", "name of the topic"),
    GENERATE(COUNT, partitions, "partitions", "6", "a count, as in 6"),
    GENERATE(TEXT, config, "config", "", "a YAML file"),
    GENERATE(NUMBER, rate, "rate", "1", "a factor, as in 0.5"),
    GENERATE(COUNT, seed, "seed", "0", "a whole number"),
    GENERATE(DURATION, since_ns, "since", "0", "how far back, as in 2h"),
    GENERATE(FLAG, no_live, "no-live", "false", "true or false"),
    GENERATE(DURATION, duration_ns, "duration", "0", "how long, as in 60s"),
    GENERATE(NUMBER, speed, "speed", "0", "a factor, as in 60"),
    GENERATE(COUNT, spans, "spans", "0", "a count, as in 10k"),
    GENERATE(NUMBER, late, "late", "-1", "a share, as in 5%"),
    GENERATE(NUMBER, out_of_order, "out-of-order", "-1", "a share, as in 2%"),
    GENERATE(NUMBER, skewed, "skewed", "-1", "a share, as in 1%"),
    GENERATE(NUMBER, bad_ids, "bad-ids", "-1", "a share, as in 0.1%"),
    GENERATE(COUNT, names, "names", "0", "a count, as in 1M"),
    GENERATE(TEXTS, kafka, "kafka", "[]", "key=value of librdkafka"),
    {0},
};

static const char generate_help[] =
    "Usage: weir generate [OPTION]...\n"
    "\n"
    "Simulate services that send OTLP spans to a Kafka topic: first what they would have sent in\n"
    "the past (--since), as fast as possible, then live until --duration is over or Ctrl-C.\n"
    "\n"
    "  --brokers HOST:PORT,...  [localhost:9092]\n"
    "  --topic NAME             [otlp_spans]; made if it is not there\n"
    "  --partitions N           of the topic if it is made [6]\n"
    "  --config FILE            the services, as in config/shop.yaml [a shop of ten services]\n"
    "  --rate FACTOR            multiplies how often each entry is asked [1]\n"
    "  --seed N                 same seed, same traces [a new one]\n"
    "  --since DURATION         history before now, as in 2h [0]\n"
    "  --no-live                history only\n"
    "  --duration DURATION      live for so long, as in 60s [until Ctrl-C]\n"
    "  --speed FACTOR           history so many times faster than it was [0: as fast as possible]\n"
    "  --spans N                stop after this many\n"
    "  --late SHARE             spans that arrive long after they ended, as in 5%\n"
    "  --out-of-order SHARE     spans that arrive a little later than others\n"
    "  --skewed SHARE           spans whose clock is ahead\n"
    "  --bad-ids SHARE          spans with a trace or span id of zeros\n"
    "  --names N                span names are N random ones: an attack by cardinality\n"
    "  --kafka KEY=VALUE        a setting of librdkafka; may come again. ${NAME} is taken from "
    "the\n"
    "                           environment: --kafka 'sasl.password=${KAFKA_PASSWORD}'\n"
    "\n"
    "Messages are unkeyed and go to the partitions in turn.\n"
    "\n"
    "Example: two hours of history, then five minutes live, with some late spans:\n"
    "  weir generate --brokers localhost:9092 --since 2h --duration 5m --late 5%\n"
    "Exit codes: 0 done or stopped by Ctrl-C, 1 failed, 2 wrong usage or wrong --config.\n";

extern const struct command command_generate;

struct generator {
    const struct generate *options;
    struct kafka_writer *writer;
    struct simulation *simulation;
    struct progress progress;
    int32_t partitions;
    uint64_t seed;
    int64_t began_ns; /* by the monotonic clock */
    int64_t from_ns;  /* of the history */
    int64_t end_ns;   /* INT64_MAX: until stopped */
};

static enum status check_options(const struct generate *g, struct error *err)
{
    const double shares[] = {g->late, g->out_of_order, g->skewed, g->bad_ids};
    for (int i = 0; i < DEVIATIONS; i++) {
        bool asked = !(shares[i] >= -1 && shares[i] <= -1);
        if (asked && !(shares[i] >= 0 && shares[i] <= 1))
            return error_set(err, ST_FATAL, 0, "a share of %g spans %s, want 0%% to 100%%",
                shares[i], deviation_name[i]);
    }
    if (g->partitions < 1 || g->partitions > KAFKA_WRITER_PARTITIONS_MAX)
        return error_set(err, ST_FATAL, 0, "--partitions %llu, want 1 to %d",
            (unsigned long long)g->partitions, KAFKA_WRITER_PARTITIONS_MAX);
    if (!(g->speed >= 0))
        return error_set(err, ST_FATAL, 0, "--speed %g, want 0 or more", g->speed);
    if (g->no_live && g->since_ns == 0)
        return error_set(err, ST_FATAL, 0, "--no-live leaves nothing to do without --since");
    if (g->no_live && g->duration_ns > 0)
        return error_set(err, ST_FATAL, 0, "--no-live and --duration exclude each other");
    return ST_OK;
}

static enum status simulation_start(struct generator *generator, struct error *err)
{
    const struct generate *g = generator->options;
    int64_t now_ns = clock_wall_ns();
    generator->seed = g->seed != 0 ? g->seed : (uint64_t)now_ns;
    generator->began_ns = clock_ns();
    generator->from_ns = now_ns - g->since_ns;
    generator->end_ns = INT64_MAX;
    if (g->no_live || g->duration_ns > 0) generator->end_ns = now_ns + g->duration_ns;

    struct simulation_options options = simulation_usual();
    options.seed = generator->seed;
    options.from_ns = generator->from_ns;
    options.reference_ns = now_ns;
    options.rate = g->rate;
    options.names = g->names;
    options.share[DEVIATION_LATE] = g->late;
    options.share[DEVIATION_OUT_OF_ORDER] = g->out_of_order;
    options.share[DEVIATION_SKEWED] = g->skewed;
    options.share[DEVIATION_BAD_IDS] = g->bad_ids;
    const char *path = g->config[0] == '\0' ? NULL : g->config;
    return simulation_open(&generator->simulation, path, &options, err);
}

static enum status message_send(
    struct generator *g, const struct simulation_message *message, struct error *err)
{
    const struct simulation_counts *counts = simulation_counts(g->simulation);
    int32_t partition = (int32_t)((counts->messages - 1) % (uint64_t)g->partitions);
    const struct bytes no_key = {NULL, 0};
    enum status status;
    do {
        status = kafka_writer_send(g->writer, g->options->topic, partition, no_key, message->value,
            message->timestamp_ms, err);
    } while (status == ST_RETRY && !stop_asked());
    return status == ST_RETRY ? ST_OK : status; /* stopped: what is queued is still flushed */
}

static bool has_enough(const struct generator *g)
{
    if (stop_asked()) return true;
    uint64_t most = g->options->spans;
    return most > 0 && simulation_counts(g->simulation)->spans >= most;
}

/* How far the shop has come by now: history at --speed, or at once; then with the clock. */
static int64_t shop_time_ns(const struct generator *g)
{
    int64_t now_ns = clock_wall_ns();
    if (now_ns > g->end_ns) now_ns = g->end_ns;
    if (g->options->speed > 0) {
        double passed_ns = (double)(clock_ns() - g->began_ns) * g->options->speed;
        if (passed_ns < (double)(now_ns - g->from_ns)) now_ns = g->from_ns + (int64_t)passed_ns;
    }
    return now_ns;
}

static enum status generate_all(struct generator *g, struct error *err)
{
    for (;;) {
        int64_t until_ns = shop_time_ns(g);
        struct simulation_message message;
        while (simulation_next(g->simulation, until_ns, &message)) {
            enum status status = message_send(g, &message, err);
            if (status != ST_OK || has_enough(g)) return status;
            progress_show(&g->progress, simulation_counts(g->simulation)->spans, -1);
        }
        if (has_enough(g) || until_ns >= g->end_ns) return ST_OK;
        int64_t wait_ns = simulation_due_ns(g->simulation) - until_ns;
        clock_sleep(wait_ns < PAUSE_NS ? wait_ns : PAUSE_NS);
        progress_show(&g->progress, simulation_counts(g->simulation)->spans, -1);
    }
}

static void print_summary(const struct generator *g)
{
    const struct simulation_counts *counts = simulation_counts(g->simulation);
    struct kafka_writer_counts sent = kafka_writer_counts(g->writer);
    double seconds = (double)(clock_ns() - g->began_ns) / (double)NS_PER_S;
    printf("%llu spans of %llu requests in %llu messages, %.1f MB, to %s (%d partitions) in "
           "%.1f s; seed %llu\n",
        (unsigned long long)counts->spans, (unsigned long long)counts->requests,
        (unsigned long long)sent.sent, (double)sent.bytes / 1e6, g->options->topic,
        (int)g->partitions, seconds, (unsigned long long)g->seed);
    for (int i = 0; i < DEVIATIONS; i++) {
        if (counts->deviated[i] > 0)
            printf(
                "of these %llu %s\n", (unsigned long long)counts->deviated[i], deviation_name[i]);
    }
    if (counts->requests_left_out > 0)
        printf("%llu requests were left out: too many spans were waiting, lower --rate or --late\n",
            (unsigned long long)counts->requests_left_out);
}

/* Deliver what is queued; an interrupted run may give up on it after a while. */
static enum status generate_finish(struct generator *g, enum status status, struct error *err)
{
    bool failed = status != ST_OK;
    do {
        if (!failed) status = kafka_writer_flush(g->writer, FLUSH_NS, err);
    } while (status == ST_RETRY && !stop_asked());
    progress_close(&g->progress);
    print_summary(g);
    return status;
}

static int generate_to(struct generator *g, const struct kafka_setting *setting, size_t settings)
{
    struct error err;
    if (simulation_start(g, &err) != ST_OK)
        return command_failed(&command_generate, &err, EXIT_USAGE);
    if (kafka_writer_open(&g->writer, g->options->brokers, setting, settings, &err) != ST_OK)
        return command_failed(&command_generate, &err, EXIT_USAGE);

    enum status status = kafka_writer_topic(g->writer, g->options->topic,
        (int32_t)g->options->partitions, NULL, 0, &g->partitions, &err);
    if (status == ST_OK) {
        progress_open(&g->progress, stderr, "generate", "spans");
        status = generate_all(g, &err);
        status = generate_finish(g, status, &err);
    }
    return status == ST_OK ? EXIT_DONE : command_failed(&command_generate, &err, EXIT_FAILED);
}

static int generate_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct generate options = {0};
    struct generator generator = {.options = &options};
    struct kafka_setting setting[OPTION_LIST_MAX];
    struct error err;
    int code = EXIT_DONE;
    enum status status = arguments_read(&arguments, generate_options, &options, argc, argv, &err);
    if (status == ST_OK) status = arguments_settings(&arguments, &options.kafka, setting, &err);
    if (status == ST_OK) status = check_options(&options, &err);
    if (status != ST_OK) {
        code = command_misused(&command_generate, "%s", err.text);
    } else if (arguments.count > 0) {
        code = command_misused(
            &command_generate, "\"%s\" is not an option", node_show(arguments.rest[0]).text);
    } else {
        stop_on_signals();
        code = generate_to(&generator, setting, options.kafka.count);
    }
    kafka_writer_close(generator.writer);
    simulation_close(generator.simulation);
    arguments_release(&arguments);
    return code;
}

const struct command command_generate = {
    .name = "generate",
    .summary = "send the spans of a simulated shop to Kafka",
    .help = generate_help,
    .run = generate_run,
};
