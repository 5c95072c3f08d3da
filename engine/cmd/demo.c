/* weir demo: everything in one command, on this machine, leaving nothing behind. */
#include "engine/base/clock.h"
#include "engine/base/node.h"
#include "engine/child.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/demo_yaml.h"
#include "engine/kafka_embedded.h"
#include "engine/kafka_writer.h"
#include "engine/simulation.h"
#include "engine/stop.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern const struct command command_demo;

enum {
    SOURCE_PARTITIONS = 16, /* two hours of spans in 5 MiB each */
    PATH_BYTES = 256,
    LOG_TAIL_BYTES = 4096,
};

#define HISTORY_NS    (2 * 3600 * NS_PER_S)
#define RATE          0.7 /* of the shop's: what the broker can keep */
#define PATIENCE_NS   (6 * NS_PER_S)
#define LIVE_BATCH_NS (500 * NS_PER_MS)
#define REDIS_WAIT_NS (10 * NS_PER_S)

/* The fault that is in the history once, and comes again while one watches. */
#define FAULT_PAST_NS (-3600 * NS_PER_S)
#define FAULT_SOON_NS (3 * NS_PER_S)
#define FAULT_FOR_NS  (5 * NS_PER_S)

static const char demo_help[] =
    "Usage: weir demo\n"
    "\n"
    "Start a Redis, an embedded broker and a worker on this machine, write two hours of history of "
    "a\n"
    "simulated shop and then live spans, and show `weir top`. A fault (catalog GetProduct, slow "
    "and\n"
    "failing) is in the history once and comes again within 10 s. Ends on Ctrl-C, or after the\n"
    "seconds in DEMO_SECONDS; prints the table once at the end where the output is not a "
    "terminal.\n"
    "Nothing is left running and nothing is left behind.\n"
    "\n"
    "Example: DEMO_SECONDS=20 weir demo\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";

struct demo {
    char dir[PATH_BYTES], socket[PATH_BYTES], config[PATH_BYTES], log[PATH_BYTES];
    char redis_url[PATH_BYTES], redis_log[PATH_BYTES], self[PATH_BYTES * 4];
    struct kafka_embedded *broker;
    struct kafka_writer *writer;
    struct simulation *simulation;
    uint64_t messages;
    pid_t redis, worker, top;
};

static enum status place_open(struct demo *d, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(d->dir, 100, "%.80s/weir-demo.XXXXXX", tmp == NULL || tmp[0] == '\0' ? "/tmp" : tmp);
    if (mkdtemp(d->dir) == NULL) {
        return error_set(
            err, ST_FATAL, errno, "cannot make a folder %s: %s", d->dir, strerror(errno));
    }
    snprintf(d->socket, sizeof(d->socket), "%.100s/redis.sock", d->dir);
    snprintf(d->config, sizeof(d->config), "%.100s/demo.yaml", d->dir);
    snprintf(d->log, sizeof(d->log), "%.100s/worker.log", d->dir);
    snprintf(d->redis_log, sizeof(d->redis_log), "%.100s/redis.log", d->dir);
    snprintf(d->redis_url, sizeof(d->redis_url), "unix://%.120s", d->socket);
    ssize_t size = readlink("/proc/self/exe", d->self, sizeof(d->self) - 1);
    if (size < 0)
        return error_set(err, ST_FATAL, errno, "cannot find the weir program: %s", strerror(errno));

    FILE *file = fopen(d->config, "w");
    bool written = file != NULL && fwrite(demo_yaml, 1, demo_yaml_bytes, file) == demo_yaml_bytes;
    if (file != NULL && fclose(file) != 0) written = false;
    if (written) return ST_OK;
    return error_set(err, ST_FATAL, errno, "cannot write %s: %s", d->config, strerror(errno));
}

static void place_close(const struct demo *d)
{
    DIR *dir = opendir(d->dir);
    if (dir == NULL) return;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    rmdir(d->dir);
}

static enum status redis_open(struct demo *d, struct error *err)
{
    const char *const argv[] = {"redis-server", "--port", "0", "--unixsocket", d->socket, "--dir",
        d->dir, "--save", "", "--appendonly", "no", NULL};
    enum status status = child_start(&d->redis, argv, d->redis_log, err);
    int64_t until_ns = clock_ns() + REDIS_WAIT_NS;
    while (status == ST_OK && access(d->socket, F_OK) != 0) {
        if (!child_running(d->redis) || clock_ns() > until_ns) {
            d->redis = 0;
            return error_set(err, ST_FATAL, 0,
                "redis-server does not start; is it installed? (Debian: apt install redis-server)");
        }
        clock_sleep(10 * NS_PER_MS);
    }
    return status;
}

static enum status broker_open(struct demo *d, struct error *err)
{
    static const struct {
        const char *topic;
        uint32_t partitions;
    } topics[] = {{"otlp_spans", SOURCE_PARTITIONS}, {"weir.partials", 4}, {"weir.rows", 4},
        {"weir.state", 4}};
    enum status status = kafka_embedded_open(&d->broker, err);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && status == ST_OK; i++) {
        status = kafka_embedded_topic(d->broker, topics[i].topic, topics[i].partitions, err);
    }
    if (status != ST_OK) return status;
    return kafka_writer_open(&d->writer, kafka_embedded_address(d->broker), NULL, 0, err);
}

static enum status worker_open(struct demo *d, struct error *err)
{
    const char *const argv[] = {d->self, "run", "--brokers", kafka_embedded_address(d->broker),
        "--redis", d->redis_url, d->config, NULL};
    return child_start(&d->worker, argv, d->log, err);
}

static enum status shop_open(struct demo *d, struct error *err)
{
    int64_t now_ns = clock_wall_ns();
    struct simulation_options options = simulation_usual();
    options.from_ns = now_ns - HISTORY_NS;
    options.reference_ns = now_ns;
    options.rate = RATE;
    options.batch_ns = LIVE_BATCH_NS;
    enum status status = simulation_open(&d->simulation, NULL, &options, err);
    static const int64_t begin_ns[] = {FAULT_PAST_NS, FAULT_SOON_NS};
    for (size_t i = 0; i < sizeof(begin_ns) / sizeof(begin_ns[0]) && status == ST_OK; i++) {
        struct simulation_fault fault = {.service = "catalog",
            .operation = "GetProduct",
            .from_ns = begin_ns[i],
            .to_ns = begin_ns[i] + FAULT_FOR_NS,
            .latency = 25,
            .errors = 0.5};
        status = simulation_add_fault(d->simulation, &fault, err);
    }
    return status;
}

/* Send what the shop has said until now. */
static enum status shop_send(struct demo *d, struct error *err)
{
    struct simulation_message message;
    enum status status = ST_OK;
    int64_t now_ns = clock_wall_ns();
    while (status == ST_OK && !stop_asked() && simulation_next(d->simulation, now_ns, &message)) {
        int32_t partition = (int32_t)(d->messages++ % SOURCE_PARTITIONS);
        do {
            status = kafka_writer_send(d->writer, "otlp_spans", partition, (struct bytes){0},
                message.value, message.timestamp_ms, err);
        } while (status == ST_RETRY && !stop_asked());
    }
    return status;
}

static enum status history_send(struct demo *d, struct error *err)
{
    int32_t have;
    int64_t begin_ns = clock_ns();
    enum status status =
        kafka_writer_topic(d->writer, "otlp_spans", SOURCE_PARTITIONS, NULL, 0, &have, err);
    if (status == ST_OK) status = shop_send(d, err);
    if (status == ST_OK) status = kafka_writer_flush(d->writer, 10 * NS_PER_S, err);
    if (status != ST_OK) return status;
    printf("Two hours of a shop's history, %llu spans, written in %.1f s. The fault comes again in "
           "%.0f s.\n",
        (unsigned long long)simulation_counts(d->simulation)->spans,
        (double)(clock_ns() - begin_ns) / 1e9, (double)FAULT_SOON_NS / 1e9);
    fflush(stdout);
    return ST_OK;
}

static void log_tail(const struct demo *d)
{
    char tail[LOG_TAIL_BYTES + 1];
    FILE *file = fopen(d->log, "r");
    if (file == NULL) return;
    if (fseek(file, -(long)LOG_TAIL_BYTES, SEEK_END) != 0) rewind(file);
    tail[fread(tail, 1, LOG_TAIL_BYTES, file)] = '\0';
    fclose(file);
    fprintf(stderr, "%s", tail);
}

/* Live spans until it is time to end. */
static enum status live(struct demo *d, int64_t until_ns, struct error *err)
{
    enum status status = ST_OK;
    while (status == ST_OK && !stop_asked() && clock_ns() < until_ns) {
        status = shop_send(d, err);
        if (!child_running(d->worker)) {
            d->worker = 0;
            log_tail(d);
            return error_set(err, ST_FATAL, 0, "the worker ended; its last words are above");
        }
        if (d->top != 0 && !child_running(d->top)) { /* somebody left the table */
            d->top = 0;
            break;
        }
        clock_sleep(20 * NS_PER_MS);
    }
    return status;
}

static enum status top_open(struct demo *d, struct error *err)
{
    if (!isatty(STDOUT_FILENO)) return ST_OK;
    const char *const argv[] = {d->self, "top", "--redis", d->redis_url, NULL};
    return child_start(&d->top, argv, NULL, err);
}

/* The table, and every alert that came and went while one watched. */
static enum status show_end(const struct demo *d, struct error *err)
{
    const char *const top[] = {d->self, "top", "--redis", d->redis_url, "--once", NULL};
    const char *const transitions[] = {
        d->self, "query", "transitions", "--from", "-1m", "--redis", d->redis_url, NULL};
    const char *const *const shows[] = {top, transitions};
    for (size_t i = 0; i < 2; i++) {
        pid_t child;
        enum status status = child_start(&child, shows[i], NULL, err);
        if (status != ST_OK) return status;
        if (child_wait(child) != 0) return error_set(err, ST_FATAL, 0, "Redis could not be read");
    }
    return ST_OK;
}

static void demo_close(struct demo *d)
{
    child_stop(d->top, NS_PER_S);
    child_stop(d->worker, PATIENCE_NS);
    child_stop(d->redis, PATIENCE_NS);
    simulation_close(d->simulation);
    kafka_writer_close(d->writer);
    kafka_embedded_close(d->broker);
    if (d->dir[0] != '\0') place_close(d);
}

static enum status demo_show(struct demo *d, int64_t seconds, struct error *err)
{
    int64_t until_ns = seconds == 0 ? INT64_MAX : clock_ns() + seconds * NS_PER_S;
    enum status status = place_open(d, err);
    if (status == ST_OK) status = broker_open(d, err);
    if (status == ST_OK) status = redis_open(d, err);
    if (status == ST_OK) status = worker_open(d, err);
    if (status == ST_OK) status = shop_open(d, err);
    if (status == ST_OK) status = history_send(d, err);
    if (status == ST_OK) status = top_open(d, err);
    if (status == ST_OK) status = live(d, until_ns, err);
    child_stop(d->top, NS_PER_S);
    d->top = 0;
    return status == ST_OK ? show_end(d, err) : status;
}

static bool seconds_read(int64_t *seconds)
{
    const char *text = getenv("DEMO_SECONDS");
    char *end;
    *seconds = 0;
    if (text == NULL || text[0] == '\0') return true;
    *seconds = strtol(text, &end, 10);
    return *end == '\0' && *seconds >= 0 && *seconds <= 86400;
}

static int demo_run(int argc, char **argv)
{
    struct demo d = {.dir = ""};
    struct error err;
    int64_t seconds;
    if (argc > 1)
        return command_misused(
            &command_demo, "no arguments are taken, not \"%s\"", node_show(argv[1]).text);
    if (!seconds_read(&seconds)) {
        return command_misused(
            &command_demo, "DEMO_SECONDS is not a number of seconds up to a day");
    }
    stop_on_signals();
    enum status status = demo_show(&d, seconds, &err);
    demo_close(&d);
    return status == ST_OK ? EXIT_DONE : command_failed(&command_demo, &err, EXIT_FAILED);
}

const struct command command_demo = {
    .name = "demo",
    .summary = "see it work: a simulated shop, a broker, a Redis and a worker in one command",
    .help = demo_help,
    .run = demo_run,
};
