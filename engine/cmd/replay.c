/* weir replay: recorded messages go to a Kafka topic as if they were sent again. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/kafka_writer.h"
#include "engine/otlp_shift.h"
#include "engine/progress.h"
#include "engine/recording.h"
#include "engine/stop.h"
#include "schemas/decoder.h"

#include <stdio.h>

#define FLUSH_NS (5 * NS_PER_S) /* how long a stop may take */
#define PAUSE_NS (NS_PER_S / 5) /* how soon a stop is noticed */

struct replay {
    const char *brokers, *topic, *encoding;
    uint64_t partitions;
    double speed;
    bool now;
    struct texts kafka;
};

#define REPLAY(kind, field, named, usual, text)                                          \
    {                                                                                    \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct replay, field), \
        .fallback = (usual), .help = (text)                                              \
    }
static const struct option replay_options[] = {
    REPLAY(TEXT, brokers, "brokers", "localhost:9092", "host:port,..."),
    REPLAY(TEXT, topic, "topic", "otlp_spans", "name of the topic"),
    REPLAY(TEXT, encoding, "encoding", "otlp_proto", "of the recorded messages"),
    REPLAY(COUNT, partitions, "partitions", "6", "a count, as in 6"),
    REPLAY(NUMBER, speed, "speed", "0", "a factor, as in 10"),
    REPLAY(FLAG, now, "now", "false", "true or false"),
    REPLAY(TEXTS, kafka, "kafka", "[]", "key=value of librdkafka"),
    {0},
};

static const char replay_help[] =
    "Usage: weir replay [OPTION]... FILE...\n"
    "\n"
    "Send recorded messages to a Kafka topic. A file is {u32 big-endian length, message} "
    "repeated,\n"
    "plain or compressed by zstd. A record's timestamp is the end of its newest span.\n"
    "\n"
    "  --brokers HOST:PORT,...  [localhost:9092]\n"
    "  --topic NAME             [otlp_spans]; made if it is not there, to keep records for ever\n"
    "  --partitions N           of the topic if it is made [6]\n"
    "  --speed FACTOR           1 as it was, 10 ten times faster [0: as fast as possible]\n"
    "  --now                    move all spans in time, so that the newest ends now\n"
    "  --encoding NAME          of the messages [otlp_proto]\n"
    "  --kafka KEY=VALUE        a setting of librdkafka; may come again. ${NAME} is taken from "
    "the\n"
    "                           environment: --kafka 'sasl.password=${KAFKA_PASSWORD}'\n"
    "\n"
    "Message i goes, unkeyed, to partition i modulo their number. A message has up to 64 MiB.\n"
    "\n"
    "Example: a capture, as if it were happening now, ten times as fast:\n"
    "  weir replay --brokers localhost:9092 --topic otlp_spans --now --speed 10 spans.zst\n"
    "Exit codes: 0 done or stopped by Ctrl-C, 1 failed, 2 wrong usage.\n";

extern const struct command command_replay;

struct replayer {
    const struct replay *options;
    const struct arguments *files;
    const struct decoder *decoder;
    struct kafka_writer *writer;
    struct spans spans;    /* scratch, emptied per message */
    struct buffer shifted; /* scratch: a message moved in time */
    struct progress progress;
    int32_t partitions;
    uint64_t whole_bytes, past_bytes; /* of all files on disk; of those read to the end */
    uint64_t messages, span_count;
    uint64_t undated;     /* messages that hold no span whose end can be told */
    int64_t shift_ns;     /* --now */
    int64_t newest_ns;    /* end of the newest span of all files, for --now; 0: none */
    int64_t timestamp_ms; /* of the newest record */
    int64_t first_ms;     /* of the first record; what --speed counts from */
    int64_t began_ns;     /* by the monotonic clock */
};

/* When its newest span ended; 0: nobody can tell. */
static int64_t newest_end_ns(struct replayer *r, struct bytes message)
{
    struct error unused;
    int64_t newest_ns = 0;
    spans_reset(&r->spans);
    if (r->decoder->decode(message, &r->spans, &unused) != ST_OK) return 0;
    for (uint32_t i = 0; i < r->spans.count; i++) {
        if (r->spans.span[i].end_ns > newest_ns) newest_ns = r->spans.span[i].end_ns;
    }
    return newest_ns;
}

/* A record that cannot be dated is as old as the one before it. */
static void date(struct replayer *r, struct bytes message)
{
    int64_t newest_ns = newest_end_ns(r, message);
    if (newest_ns == 0)
        r->undated++;
    else
        r->timestamp_ms = (newest_ns + r->shift_ns) / NS_PER_MS;
    if (r->timestamp_ms == 0) r->timestamp_ms = clock_wall_ns() / NS_PER_MS;
    if (r->first_ms == 0) r->first_ms = r->timestamp_ms;
    r->span_count += r->spans.count;
}

static struct bytes moved(struct replayer *r, struct bytes message)
{
    if (r->shift_ns == 0) return message;
    struct error unused;
    buffer_reset(&r->shifted);
    buffer_append(&r->shifted, message.data, message.size);
    /* What is malformed is sent as it is: replaying it shows what becomes of it. */
    if (otlp_shift(r->shifted.data, r->shifted.size, r->shift_ns, &unused) != ST_OK) return message;
    return buffer_bytes(&r->shifted);
}

static void pace(const struct replayer *r)
{
    if (r->options->speed <= 0) return;
    double after_ns = (double)((r->timestamp_ms - r->first_ms) * NS_PER_MS) / r->options->speed;
    int64_t due_ns = r->began_ns + (int64_t)after_ns;
    for (int64_t left = due_ns - clock_ns(); left > 0 && !stop_asked();
         left = due_ns - clock_ns()) {
        clock_sleep(left < PAUSE_NS ? left : PAUSE_NS);
    }
}

static enum status message_send(struct replayer *r, struct bytes message, struct error *err)
{
    const struct bytes no_key = {NULL, 0};
    int32_t partition = (int32_t)(r->messages % (uint64_t)r->partitions);
    enum status status;
    date(r, message);
    struct bytes value = moved(r, message);
    pace(r);
    do {
        status = kafka_writer_send(
            r->writer, r->options->topic, partition, no_key, value, r->timestamp_ms, err);
    } while (status == ST_RETRY && !stop_asked());
    if (status == ST_OK) r->messages++;
    return status == ST_RETRY ? ST_OK : status; /* stopped: what is queued is still flushed */
}

static enum status message_look(struct replayer *r, struct bytes message, struct error *err)
{
    (void)err;
    int64_t newest_ns = newest_end_ns(r, message);
    if (newest_ns > r->newest_ns) r->newest_ns = newest_ns;
    return ST_OK;
}

/* Give each message of each file to `take`, in order. */
static enum status files_read(struct replayer *r,
    enum status (*take)(struct replayer *, struct bytes, struct error *), struct error *err)
{
    enum status status = ST_OK;
    r->past_bytes = 0;
    for (size_t i = 0; i < r->files->count && status == ST_OK; i++) {
        struct recording *recording;
        status = recording_open(&recording, r->files->rest[i], err);
        if (status != ST_OK) return status;
        struct bytes message = {NULL, 0};
        do {
            status = recording_next(recording, &message, err);
            if (status != ST_OK || message.data == NULL) break;
            status = take(r, message, err);
            uint64_t read = r->past_bytes + recording_progress(recording).read;
            progress_show(&r->progress, r->messages, (double)read / (double)(r->whole_bytes + 1));
        } while (status == ST_OK && !stop_asked());
        r->past_bytes += recording_progress(recording).size;
        recording_close(recording);
    }
    return status;
}

/* A file that is not there is found before anything is sent. */
static enum status files_measure(struct replayer *r, struct error *err)
{
    for (size_t i = 0; i < r->files->count; i++) {
        struct recording *recording;
        enum status status = recording_open(&recording, r->files->rest[i], err);
        if (status != ST_OK) return status;
        r->whole_bytes += recording_progress(recording).size;
        recording_close(recording);
    }
    return ST_OK;
}

static void print_summary(const struct replayer *r)
{
    struct kafka_writer_counts sent = kafka_writer_counts(r->writer);
    double seconds = (double)(clock_ns() - r->began_ns) / (double)NS_PER_S;
    printf("%llu messages with %llu spans, %.1f MB, to %s (%d partitions) in %.1f s\n",
        (unsigned long long)sent.sent, (unsigned long long)r->span_count, (double)sent.bytes / 1e6,
        r->options->topic, (int)r->partitions, seconds);
    if (r->undated > 0)
        printf("%llu messages hold no %s span with a time and took the timestamp before them\n",
            (unsigned long long)r->undated, r->options->encoding);
}

static enum status replay_files(struct replayer *r, struct error *err)
{
    if (r->options->now) {
        progress_open(&r->progress, stderr, "read", "messages");
        enum status status = files_read(r, message_look, err);
        progress_close(&r->progress);
        if (status != ST_OK) return status;
        if (r->newest_ns > 0) r->shift_ns = clock_wall_ns() - r->newest_ns;
    }
    r->began_ns = clock_ns();
    progress_open(&r->progress, stderr, "replay", "messages");
    enum status status = files_read(r, message_send, err);
    bool failed = status != ST_OK;
    do {
        if (!failed) status = kafka_writer_flush(r->writer, FLUSH_NS, err);
    } while (status == ST_RETRY && !stop_asked());
    progress_close(&r->progress);
    print_summary(r);
    return status;
}

/* Old records are kept: the broker would drop what is past its usual week at once. */
static enum status replay_topic(struct replayer *r, struct error *err)
{
    static const struct kafka_setting keep[] = {{"retention.ms", "-1"}, {"retention.bytes", "-1"}};
    return kafka_writer_topic(r->writer, r->options->topic, (int32_t)r->options->partitions, keep,
        sizeof(keep) / sizeof(keep[0]), &r->partitions, err);
}

static int replay_to(struct replayer *r, const struct kafka_setting *setting, size_t settings)
{
    struct error err;
    if (files_measure(r, &err) != ST_OK) return command_failed(&command_replay, &err, EXIT_USAGE);
    if (kafka_writer_open(&r->writer, r->options->brokers, setting, settings, &err) != ST_OK)
        return command_failed(&command_replay, &err, EXIT_USAGE);
    enum status status = replay_topic(r, &err);
    if (status == ST_OK) status = replay_files(r, &err);
    return status == ST_OK ? EXIT_DONE : command_failed(&command_replay, &err, EXIT_FAILED);
}

static enum status check_options(struct replayer *r, struct error *err)
{
    const struct replay *options = r->options;
    if (r->files->count == 0) return error_set(err, ST_FATAL, 0, "which FILE?");
    if (options->partitions < 1 || options->partitions > KAFKA_WRITER_PARTITIONS_MAX)
        return error_set(err, ST_FATAL, 0, "--partitions %llu, want 1 to %d",
            (unsigned long long)options->partitions, KAFKA_WRITER_PARTITIONS_MAX);
    if (!(options->speed >= 0))
        return error_set(err, ST_FATAL, 0, "--speed %g, want 0 or more", options->speed);
    r->decoder = decoder_find(options->encoding);
    if (r->decoder == NULL)
        return error_set(err, ST_FATAL, 0, "there is no --encoding %s", options->encoding);
    if (options->now && strcmp(options->encoding, "otlp_proto") != 0)
        return error_set(err, ST_FATAL, 0, "--now can move otlp_proto in time only");
    return ST_OK;
}

static int replay_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct replay options = {0};
    struct replayer replayer = {.options = &options, .files = &arguments};
    struct kafka_setting setting[OPTION_LIST_MAX];
    struct error err;
    enum status status = arguments_read(&arguments, replay_options, &options, argc, argv, &err);
    if (status == ST_OK) status = arguments_settings(&arguments, &options.kafka, setting, &err);
    if (status == ST_OK) status = check_options(&replayer, &err);
    int code = EXIT_DONE;
    if (status != ST_OK) {
        code = command_misused(&command_replay, "%s", err.text);
    } else {
        stop_on_signals();
        code = replay_to(&replayer, setting, options.kafka.count);
    }
    kafka_writer_close(replayer.writer);
    spans_release(&replayer.spans);
    buffer_release(&replayer.shifted);
    arguments_release(&arguments);
    return code;
}

const struct command command_replay = {
    .name = "replay",
    .summary = "send recorded messages to a Kafka topic",
    .help = replay_help,
    .run = replay_run,
};
