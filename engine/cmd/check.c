/* weir check: whether a config is right, and what it will cost. */
#include "engine/base/duration.h"
#include "engine/base/quantity.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/config.h"
#include "engine/cost.h"
#include "engine/plan.h"

#include <inttypes.h>

struct check {
    struct texts set;
};

extern const struct command command_check;

static const struct option check_options[] = {
    OPTION(TEXTS, check, set, "[]", "key=value of the config"),
    {0},
};

static const char check_help[] =
    "Usage: weir check [--set KEY=VALUE]... CONFIG\n"
    "\n"
    "Read a config and refuse what is wrong: file, line, column, key, what would be right. Then\n"
    "print what it will cost: Redis memory, traffic between the stages, memory, delays.\n"
    "Nothing is connected to.\n"
    "\n"
    "  --set KEY=VALUE  goes before the file's; may come again\n"
    "\n"
    "Example: what would twice the retention cost?\n"
    "  weir check --set 'history=[{resolution: 1m, retain: 48h, sketches: true}]' weir.yaml\n"
    "Exit codes: 0 the config is right, 2 it is not.\n";

enum { MANY_SERIES = 10000 };

static void print_line(const char *what, double bytes, const char *rest)
{
    printf("  %-42s %s%s\n", what, quantity_print_bytes(bytes).text, rest);
}

static void print_redis(const struct cost *cost, const struct config *config)
{
    double one = cost->redis_bytes_per_series, fixed = cost->redis_bytes_fixed;
    char at_limit[64];
    snprintf(at_limit, sizeof(at_limit), "at limits.series, %" PRIu64, config->limits.series);
    printf("Redis memory, about\n");
    print_line("per active series", one, "");
    print_line("per 10000 series", one * MANY_SERIES, "");
    print_line(at_limit, one * (double)config->limits.series + fixed, " with alerts");
}

static void print_workers(const struct cost *cost, const struct config *config)
{
    char panes[64];
    snprintf(panes, sizeof(panes), " (%" PRId64 " panes)", cost->open_panes);
    printf("Workers' memory, about\n");
    print_line("combine: `memory`, per process", (double)config->memory, " at most");
    print_line("aggregate: state per series", cost->state_bytes_per_series, "");
    print_line("aggregate: state per 10000 series", cost->state_bytes_per_series * MANY_SERIES, "");
    print_line("aggregate: open panes per series, at most", cost->open_bytes_per_series, panes);
}

static void print_traffic(const struct cost *cost, const struct config *config)
{
    printf("Traffic from combine to aggregate, about\n");
    printf("  %-42s %s/s to %s/s per combine thread\n", "per 10000 series active all the time",
        quantity_print_bytes(cost->partial_bytes_s_least * MANY_SERIES).text,
        quantity_print_bytes(cost->partial_bytes_s_most * MANY_SERIES).text);
    printf("  %-42s %.3g\n", "stretching epochs divide it by up to",
        (double)config->epoch_max_ns / (double)config->epoch_ns);
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void print_delays(const struct cost *cost, const struct config *config)
{
    printf("Delay after a span has ended, if it is sent at once\n");
    printf("  %-42s %g s to %g s: pane, lateness, two epochs\n", "to the final row",
        seconds(cost->final_least_ns), seconds(cost->final_most_ns));
    if (cost->provisional_ns != 0)
        printf("  %-42s %g s\n", "to a provisional row, at most", seconds(cost->provisional_ns));
    printf("  %-42s %s later\n", "final rows are revised until",
        duration_print(config->allowed_lateness_ns).text);
}

static void print_all(const struct plan *plan)
{
    struct cost cost = cost_of(plan);
    printf("ok: plan %016" PRIx64 "\n\n", plan->fingerprint);
    print_redis(&cost, plan->config);
    print_workers(&cost, plan->config);
    print_traffic(&cost, plan->config);
    print_delays(&cost, plan->config);
}

static int check_file(const char *path, const struct texts *set)
{
    struct config config;
    struct plan plan;
    struct error err;
    if (config_load(&config, path, set->text, &err) != ST_OK)
        return command_failed(&command_check, &err, EXIT_USAGE);
    enum status status = plan_init(&plan, &config, &err);
    if (status == ST_OK) print_all(&plan);
    config_release(&config);
    return status == ST_OK ? EXIT_DONE : command_failed(&command_check, &err, EXIT_USAGE);
}

static int check_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct check options = {0};
    struct error err;
    int code;
    if (arguments_read(&arguments, check_options, &options, argc, argv, &err) != ST_OK)
        code = command_misused(&command_check, "%s", err.text);
    else if (arguments.count != 1)
        code = command_misused(&command_check, "want one config file, got %zu", arguments.count);
    else
        code = check_file(arguments.rest[0], &options.set);
    arguments_release(&arguments);
    return code;
}

const struct command command_check = {
    .name = "check",
    .summary = "say whether a config is right, and what it will cost",
    .help = check_help,
    .run = check_run,
};
