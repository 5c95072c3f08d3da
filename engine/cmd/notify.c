/* weir notify: tell receivers of the alerts in Redis. */
#include "engine/notify.h"

#include "engine/base/log.h"
#include "engine/base/memory.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/metrics.h"
#include "engine/reload.h"
#include "engine/stop.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

extern const struct command command_notify;

struct notify_command {
    struct texts set;
    const char *receiver;
};

static const struct option notify_options[] = {
    OPTION(TEXTS, notify_command, set, "[]", "key=value of the config"),
    {.key = "try",
        .type = OPTION_TEXT,
        .offset = offsetof(struct notify_command, receiver),
        .fallback = "",
        .help = "name of a receiver"},
    {0},
};

static const char notify_help[] =
    "Usage: weir notify [--set KEY=VALUE]... CONFIG\n"
    "       weir notify --try RECEIVER [--set KEY=VALUE]... CONFIG\n"
    "\n"
    "Tell the receivers under `notify:` of the alerts that weir keeps in Redis: Alertmanagers, "
    "webhooks,\n"
    "commands. A process of its own, beside `weir run`; start as many as you like, they share the "
    "work, and\n"
    "what one that dies had in hand is told by another. Ends on SIGTERM or Ctrl-C within seconds.\n"
    "\n"
    "Each receiver is told once that an alert fires and once that it is resolved, however often "
    "anything\n"
    "restarts; what cannot be known to have been taken is sent again, with the same "
    "Idempotency-Key.\n"
    "Alertmanagers, which forget, are told again every `resend`. What a receiver does not take is "
    "tried\n"
    "again, a firing alert while it fires, a resolved one for `give_up`; others do not wait for "
    "it. "
    "SIGHUP\n"
    "reads the config again, but not while Redis is away: what was told is then known here alone.\n"
    "\n"
    "  --set KEY=VALUE  goes before the file's; may come again\n"
    "  --try RECEIVER   send it a made-up alert, then its resolution, and say what came of it\n"
    "\n"
    "/metrics and /readyz are at notify.listen [127.0.0.1:9465]: weir_notify_sent_total, "
    "_failed_total,\n"
    "_dropped_total, _delay_seconds, _pending and more, by receiver. config/notify.yaml shows "
    "every "
    "kind\n"
    "of receiver.\n"
    "\n"
    "Example: does the pager answer?\n"
    "  weir notify --try pager weir.yaml\n"
    "Exit codes: 0 stopped, 1 failed or not taken, 2 wrong usage or config.\n";

static enum status read_again(struct config *config, struct error *err)
{
    struct config fresh;
    enum status status = config_load(&fresh, config->path, config->settings, err);
    if (status != ST_OK) return status;
    if (fresh.receivers == 0) {
        config_release(&fresh);
        return error_set(err, ST_FATAL, 0, "%.100s has no notify.receivers any more", config->path);
    }
    config_release(config);
    *config = fresh;
    return ST_OK;
}

/* Until it is stopped; after a SIGHUP with what the file says by then, if that is right. */
static enum status run(struct config *config, struct error *err)
{
    bool again;
    enum status status;
    do {
        struct error why;
        status = notify_run(config, &again, err);
        if (status != ST_OK || !again) continue;
        if (read_again(config, &why) == ST_OK)
            log_info("reload", "config read again", "file=%s", config->path);
        else
            log_error("reload", "nothing was changed", "error=%s", why.text);
    } while (status == ST_OK && again);
    return status;
}

static int work(struct config *config)
{
    struct error err;
    uint16_t port;
    log_open((enum log_level)config->log.level, (enum log_format)config->log.format);
    stop_on_signals();
    if (config->path != NULL) reload_on_signal();
    if (config->notify.listen[0] != '\0') {
        if (http_open(config->notify.listen, config->http.token, &port, &err) != ST_OK)
            return command_failed(&command_notify, &err, EXIT_FAILED);
        log_info("http", "serving /metrics, /healthz and /readyz", "port=%u", port);
    }
    enum status status = run(config, &err);
    http_close();
    if (status != ST_OK) return command_failed(&command_notify, &err, EXIT_FAILED);
    log_info("notify", "stopped", NULL);
    return EXIT_DONE;
}

static int try_receiver(const struct config *config, const char *name)
{
    struct error err;
    enum status status = notify_try(config, name, &err);
    if (status == ST_FATAL) return command_failed(&command_notify, &err, EXIT_USAGE);
    return status == ST_OK ? EXIT_DONE : EXIT_FAILED;
}

static int with_config(const struct notify_command *given, const char *path)
{
    struct config config;
    struct error err;
    if (config_load(&config, path, given->set.text, &err) != ST_OK)
        return command_failed(&command_notify, &err, EXIT_USAGE);
    int code;
    if (config.receivers == 0)
        code = command_misused(&command_notify,
            "there is nobody to tell: %.200s has no notify.receivers; config/notify.yaml shows how",
            path);
    else if (given->receiver[0] != '\0')
        code = try_receiver(&config, given->receiver);
    else
        code = work(&config);
    config_release(&config);
    return code;
}

static int notify_command_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct notify_command given;
    struct error err;
    int code;
    json_set_alloc_funcs(memory_take, free); /* an alert that lacks a member is none */
    if (arguments_read(&arguments, notify_options, &given, argc, argv, &err) != ST_OK)
        code = command_misused(&command_notify, "%s", err.text);
    else if (arguments.count != 1)
        code = command_misused(&command_notify, "want one config file, got %zu", arguments.count);
    else
        code = with_config(&given, arguments.rest[0]);
    arguments_release(&arguments);
    return code;
}

const struct command command_notify = {
    .name = "notify",
    .summary = "tell Alertmanagers, webhooks and commands of the alerts in Redis",
    .help = notify_help,
    .run = notify_command_run,
};
