#include "engine/cmd/plan_apply.h"

#include "engine/plan_switch.h"

#include <inttypes.h>
#include <stdio.h>

enum { TOPIC_BYTES = 256 };

static void print_topics(
    const char *what, const char *name, uint32_t generation, uint32_t partitions)
{
    static const char *const suffixes[] = {"partials", "rows", "state"};
    printf("  %s", what);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char topic[TOPIC_BYTES];
        plan_log_topic(topic, sizeof(topic), name, suffixes[i], generation);
        printf("%s %s", i == 0 ? "" : ",", topic);
    }
    printf(" (%" PRIu32 " partitions)\n", partitions);
}

static void print_change(const struct plan_log *log, const struct plan *plan)
{
    struct buffer text = {0}, lines = {0};
    const struct config *config = plan->config;
    plan_describe(plan, &text);
    plan_differences(log->now.text, buffer_bytes(&text), &lines);
    printf("%s: from plan %016" PRIx64 " to plan %016" PRIx64 "\n%.*s", config->name, log->now.plan,
        plan->fingerprint, (int)lines.size, lines.size == 0 ? "" : (const char *)lines.data);
    printf("\nWhat that means:\n"
           "  Spans: what was counted stays counted under the old plan, the rest is counted under "
           "the new\n"
           "    one, each once. A pane, slice or window that the switch cuts has a row under each, "
           "with its\n"
           "    part of the spans; where both have the same series, end and resolution, Redis "
           "shows the new one.\n"
           "  State: rolling windows fill again, z-scores and rules learn anew. Alerts that fire "
           "now leave\n"
           "    %s:alerts:active without being resolved.\n"
           "  Redis: history stays until it expires; of resolutions that are gone nothing new "
           "comes. After a\n"
           "    loss of Redis it is refilled with rows of the new plan only.\n",
        config->redis.prefix);
    print_topics("Topics from now on:", config->name, log->generation + 1, plan->partitions);
    print_topics("Not read any more, delete them when you like:", config->name, log->generation,
        log->now.partitions);
    buffer_release(&text);
    buffer_release(&lines);
}

static int apply(const struct command *command, struct kafka_observer *o,
    const struct plan_log *log, const struct plan *plan, bool yes)
{
    struct error err;
    if (log->generation == 0) {
        error_set(&err, ST_FATAL, 0,
            "nothing has run under the name %s yet: start workers, the first one says its plan",
            plan->config->name);
        return command_failed(command, &err, EXIT_FAILED);
    }
    if (log->now.plan == plan->fingerprint) {
        printf("%s runs under this plan: %016" PRIx64 "\n", plan->config->name, plan->fingerprint);
        return EXIT_DONE;
    }
    print_change(log, plan);
    fflush(stdout);
    if (plan_switch_check(o, log, plan->config, &err) != ST_OK)
        return command_failed(command, &err, EXIT_FAILED);
    printf("\nNo worker is running, and all that was counted is in its final rows.\n");
    if (!yes) {
        printf("Nothing was changed. Run it again with --yes to switch.\n");
        return EXIT_DONE;
    }
    if (plan_switch(o, log->now.plan, plan, &err) != ST_OK)
        return command_failed(command, &err, EXIT_FAILED);
    printf("Switched. Start workers with the new config.\n");
    return EXIT_DONE;
}

int plan_apply(const struct command *command, const struct plan *plan, bool yes)
{
    struct error err;
    struct kafka_observer *o;
    struct plan_log log = {0};
    if (plan->config->delivery != DELIVERY_EXACTLY_ONCE) {
        error_set(&err, ST_FATAL, 0,
            "delivery: at_least_once has no plan to switch: start under another `name`");
        return command_failed(command, &err, EXIT_USAGE);
    }
    if (kafka_observer_open(&o, plan->config, "plan", &err) != ST_OK)
        return command_failed(command, &err, EXIT_FAILED);
    enum status status = plan_log_read(&log, o, plan->config->name, &err);
    int code = status == ST_OK ? apply(command, o, &log, plan, yes)
                               : command_failed(command, &err, EXIT_FAILED);
    plan_log_release(&log);
    kafka_observer_close(o);
    return code;
}
