/* weir run: a worker. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "engine/base/log.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/metrics.h"
#include "engine/stop.h"
#include "engine/worker.h"

#include <stdio.h>
#include <string.h>

extern const struct command command_run;

struct run {
    struct texts set;
    const char *brokers, *topic, *redis, *name, *from, *to;
    bool until_end;
};

#define RUN(kind, field, named, usual, text)                                          \
    {                                                                                 \
        .key = (named), .type = OPTION_##kind, .offset = offsetof(struct run, field), \
        .fallback = (usual), .help = (text)                                           \
    }
static const struct option run_options[] = {
    RUN(TEXTS, set, "set", "[]", "key=value of the config"),
    RUN(TEXT, brokers, "brokers", "", "host:port,..."),
    RUN(TEXT, topic, "topic", "", "name of a topic"),
    RUN(TEXT, redis, "redis", "", "a URL, as in redis://127.0.0.1:6379"),
    RUN(TEXT, name, "name", "", "name of this weir"),
    RUN(FLAG, until_end, "until-end", "false", "true or false"),
    RUN(TEXT, from, "from", "", "a time, as in 2024-05-01T12:00:00Z or -1h"),
    RUN(TEXT, to, "to", "", "a time, as in 2024-05-01T12:00:00Z or now"),
    {0},
};

static const char run_help[] =
    "Usage: weir run [OPTION]... [CONFIG]\n"
    "\n"
    "Be a worker: read spans from Kafka, keep rolling results in Redis. Start as many as you "
    "like;\n"
    "those with one `name` share the work. Ends on SIGTERM or Ctrl-C within seconds, losing "
    "nothing.\n"
    "Without CONFIG every key has its default; see `weir plan` and config/weir.yaml.\n"
    "\n"
    "  --brokers HOST:PORT,...  of Kafka [localhost:9092]\n"
    "  --topic NAME             to read [otlp_spans]\n"
    "  --redis URL              where results go [redis://127.0.0.1:6379]\n"
    "  --name NAME              prefix of groups and internal topics [weir]\n"
    "  --set KEY=VALUE          any other key of the config; may come again\n"
    "  --until-end              batch mode: read to the ends seen at start, close every pane, "
    "leave\n"
    "  --from TIME, --to TIME   with --until-end: by record timestamps, where nothing is committed "
    "yet\n"
    "\n"
    "Options go before what the file says.\n"
    "\n"
    "Example: your Kafka, as it is:\n"
    "  weir run --brokers kafka:9092 --topic otlp_spans --redis redis://127.0.0.1:6379\n"
    "Example: yesterday again, under another name:\n"
    "  weir run --name again --until-end --from -48h --to -24h --set time=records weir.yaml\n"
    "Exit codes: 0 stopped or at the end, 1 failed, 2 wrong usage or config.\n";

enum { SHORTCUTS = 4, SETTINGS_MAX = 256 };

struct settings {
    struct buffer text[SHORTCUTS];
    size_t texts;
    const char *all[SETTINGS_MAX + 1];
    size_t count;
};

static void settings_add(struct settings *settings, const char *key, const char *value)
{
    if (value[0] == '\0') return;
    struct buffer *text = &settings->text[settings->texts++];
    buffer_append(text, key, strlen(key));
    buffer_append(text, "='", 2);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'') buffer_append(text, c, 1); /* doubled, as YAML wants it */
        buffer_append(text, c, 1);
    }
    buffer_append(text, "'", 2);
    settings->all[settings->count++] = (const char *)text->data;
}

static void settings_release(struct settings *settings)
{
    for (size_t i = 0; i < settings->texts; i++)
        buffer_release(&settings->text[i]);
}

static void settings_of(struct settings *settings, const struct run *run)
{
    settings_add(settings, "brokers", run->brokers);
    settings_add(settings, "topics", run->topic);
    settings_add(settings, "redis.url", run->redis);
    settings_add(settings, "name", run->name);
    for (size_t i = 0; i < run->set.count && settings->count < SETTINGS_MAX; i++) {
        settings->all[settings->count++] = run->set.text[i];
    }
    settings->all[settings->count] = NULL;
}

static bool time_of(const char *text, int64_t fallback_ms, int64_t *ms)
{
    int64_t ns;
    *ms = fallback_ms;
    if (text[0] == '\0') return true;
    if (!instant_parse(text, clock_wall_ns(), &ns)) return false;
    *ms = ns / NS_PER_MS;
    return true;
}

static int batch_of(struct batch *batch, const struct run *run)
{
    batch->until_end = run->until_end;
    if (!run->until_end && (run->from[0] != '\0' || run->to[0] != '\0')) {
        return command_misused(&command_run, "--from and --to belong to --until-end");
    }
    if (!time_of(run->from, KAFKA_AT_START, &batch->from_ms)) {
        return command_misused(&command_run,
            "--from: \"%s\" is not a time; write 2024-05-01T12:00:00Z or -1h", run->from);
    }
    if (!time_of(run->to, KAFKA_AT_END, &batch->to_ms)) {
        return command_misused(
            &command_run, "--to: \"%s\" is not a time; write 2024-05-01T12:00:00Z or now", run->to);
    }
    return EXIT_DONE;
}

static int work(const struct config *config, const struct batch *batch)
{
    struct error err;
    uint16_t port;
    log_open((enum log_level)config->log.level, (enum log_format)config->log.format);
    stop_on_signals();
    if (config->http.listen[0] != '\0') {
        if (http_open(config->http.listen, config->http.token, &port, &err) != ST_OK) {
            return command_failed(&command_run, &err, EXIT_FAILED);
        }
        log_info("http", "serving /metrics, /healthz and /readyz", "port=%u", port);
    }
    enum status status = worker_run(config, batch, &err);
    http_close();
    if (status != ST_OK) return command_failed(&command_run, &err, EXIT_FAILED);
    log_info("worker", "stopped", NULL);
    return EXIT_DONE;
}

static int run_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct run run;
    struct error err;
    struct batch batch;
    struct settings settings = {.count = 0};
    struct config config;
    int code = EXIT_DONE;
    if (arguments_read(&arguments, run_options, &run, argc, argv, &err) != ST_OK) {
        code = command_misused(&command_run, "%s", err.text);
    } else if (arguments.count > 1) {
        code = command_misused(&command_run, "one config, not %zu", arguments.count);
    } else {
        code = batch_of(&batch, &run);
    }
    if (code == EXIT_DONE) {
        settings_of(&settings, &run);
        const char *path = arguments.count == 1 ? arguments.rest[0] : NULL;
        if (config_load(&config, path, settings.all, &err) != ST_OK) {
            code = command_failed(&command_run, &err, EXIT_USAGE);
        } else {
            code = work(&config, &batch);
            config_release(&config);
        }
    }
    settings_release(&settings);
    arguments_release(&arguments);
    return code;
}

const struct command command_run = {
    .name = "run",
    .summary = "be a worker: read spans from Kafka, keep rolling results in Redis",
    .help = run_help,
    .run = run_run,
};
