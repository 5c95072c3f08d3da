/* weir plan: what all workers of one name must agree on, and how two configs differ in it. */
#include "engine/plan.h"

#include "engine/base/buffer.h"
#include "engine/base/duration.h"
#include "engine/cmd/arguments.h"
#include "engine/cmd/cmd.h"
#include "engine/cmd/plan_apply.h"
#include "engine/config.h"
#include "engine/plan_log.h"

#include <inttypes.h>
#include <string.h>

struct plan_command {
    struct texts set;
    bool diff, yes;
};

extern const struct command command_plan;

static const struct option plan_options[] = {
    OPTION(TEXTS, plan_command, set, "[]", "key=value of the config"),
    OPTION(FLAG, plan_command, diff, "false", "compare two configs"),
    OPTION(FLAG, plan_command, yes, "false", "switch"),
    {0},
};

static const char plan_help[] =
    "Usage: weir plan [--set KEY=VALUE]... [CONFIG]\n"
    "       weir plan --diff CONFIG CONFIG\n"
    "       weir plan apply [--yes] [--set KEY=VALUE]... CONFIG\n"
    "\n"
    "Print the plan: what stands in every partial, row and snapshot, so that all workers of one "
    "name\n"
    "must agree on it; how windows are cut into slices; the columns of the rows. Without a file: "
    "of\n"
    "the built-in defaults.\n"
    "\n"
    "  --diff           print the lines of the plan in which two configs differ\n"
    "  --set KEY=VALUE  goes before the file's; may come again\n"
    "\n"
    "`weir plan apply` goes over to the plan of CONFIG under the same name. It says how that "
    "differs "
    "from\n"
    "the plan that the name runs under and what it means; it refuses while a worker runs, and "
    "while "
    "spans\n"
    "that were read are not yet in final rows. Before it: stop all workers, then run `weir run "
    "--until-end`\n"
    "once with the old config. Interrupted, it has switched or it has not; run it again.\n"
    "\n"
    "  --yes            switch; without it only say what would be done\n"
    "\n"
    "Example: may the new config take over from the running one?\n"
    "  weir plan --diff weir.yaml weir-new.yaml && echo yes\n"
    "Exit codes: 0 done or no difference, 1 the plans differ or apply refused, 2 wrong usage or "
    "config.\n";

/* A config and its plan. */
struct planned {
    struct config config;
    struct plan plan;
};

static enum status planned_init(
    struct planned *p, const char *path, const struct texts *set, struct error *err)
{
    enum status status = config_load(&p->config, path, set->text, err);
    if (status != ST_OK) return status;
    status = plan_init(&p->plan, &p->config, err);
    if (status != ST_OK) config_release(&p->config);
    return status;
}

static void print_levels(const struct plan *plan)
{
    printf("\nlevels of slices\n");
    for (uint32_t i = 0; i < plan->levels; i++) {
        const struct plan_level *level = &plan->level[i];
        printf("  %-8s ", duration_print(level->width_ns).text);
        if (i == 0)
            printf("%-14s", "the panes");
        else
            printf("= %2u x %-7s", level->fan_in,
                duration_print(plan->level[level->from].width_ns).text);
        printf(" keeps %" PRId64 "%s%s\n", level->keep, level->history ? ", history" : "",
            level->sketches ? " with sketches" : "");
    }
}

static void print_windows(const struct plan *plan)
{
    printf("\nrolling windows\n");
    for (uint32_t i = 0; i < plan->windows; i++) {
        const struct plan_window *window = &plan->window[i];
        struct duration_text slice = duration_print(plan->level[window->level].width_ns);
        printf("  %-8s = %2u x %-7s a row every %s\n", duration_print(window->width_ns).text,
            window->slices, slice.text, slice.text);
    }
}

static const char *score_unit(const char *name)
{
    if (strstr(name, "_budget_left") != NULL) return "share of the error budget";
    if (strstr(name, "_burn_") != NULL) return "times the rate that is allowed";
    return "standard deviations";
}

static const char *column_unit(int column, const char *name)
{
    if (column == COLUMN_LATENCY_SUM_NS) return "ns";
    if (column < COLUMN_INTEGERS) return "spans";
    if (column == COLUMN_RATE_PER_S) return "spans/s";
    if (column == COLUMN_ERROR_RATIO || column == COLUMN_APDEX || column == COLUMN_CAPTURE_RATIO)
        return "0..1";
    return column < COLUMN_SCORE ? "ms" : score_unit(name);
}

static void print_columns(const struct plan *plan)
{
    printf("\ncolumns\n");
    for (int column = 0; column < COLUMN_COUNT; column++) {
        const char *name = plan->columns.name[column];
        if (*name != '\0') printf("  %-24s %s\n", name, column_unit(column, name));
    }
}

static int print_plan(const char *path, const struct texts *set)
{
    struct planned p;
    struct error err;
    if (planned_init(&p, path, set, &err) != ST_OK)
        return command_failed(&command_plan, &err, EXIT_USAGE);
    struct buffer text = {0};
    plan_describe(&p.plan, &text);
    printf("fingerprint: %016" PRIx64 "\n%.*s", p.plan.fingerprint, (int)text.size,
        (const char *)text.data);
    print_levels(&p.plan);
    print_windows(&p.plan);
    print_columns(&p.plan);
    buffer_release(&text);
    config_release(&p.config);
    return EXIT_DONE;
}

static bool planned_differ(const struct planned *a, const struct planned *b)
{
    struct buffer left = {0}, right = {0}, lines = {0};
    plan_describe(&a->plan, &left);
    plan_describe(&b->plan, &right);
    bool differ = plan_differences(buffer_bytes(&left), buffer_bytes(&right), &lines);
    printf("%.*s", (int)lines.size, lines.size == 0 ? "" : (const char *)lines.data);
    buffer_release(&lines);
    buffer_release(&left);
    buffer_release(&right);
    return differ;
}

static int print_diff(const char *const *paths, const struct texts *set)
{
    struct planned a, b;
    struct error err;
    if (planned_init(&a, paths[0], set, &err) != ST_OK)
        return command_failed(&command_plan, &err, EXIT_USAGE);
    int code = EXIT_USAGE;
    if (planned_init(&b, paths[1], set, &err) != ST_OK) {
        command_failed(&command_plan, &err, EXIT_USAGE);
    } else {
        bool differ = planned_differ(&a, &b);
        if (!differ) printf("the same plan: %016" PRIx64 "\n", a.plan.fingerprint);
        code = differ ? EXIT_FAILED : EXIT_DONE;
        config_release(&b.config);
    }
    config_release(&a.config);
    return code;
}

static int apply(const char *path, const struct plan_command *options)
{
    struct planned p;
    struct error err;
    if (planned_init(&p, path, &options->set, &err) != ST_OK)
        return command_failed(&command_plan, &err, EXIT_USAGE);
    int code = plan_apply(&command_plan, &p.plan, options->yes);
    config_release(&p.config);
    return code;
}

static int plan_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct plan_command options = {0};
    struct error err;
    int code;
    if (arguments_read(&arguments, plan_options, &options, argc, argv, &err) != ST_OK)
        code = command_misused(&command_plan, "%s", err.text);
    else if (arguments.count > 0 && strcmp(arguments.rest[0], "apply") == 0)
        code = arguments.count == 2 ? apply(arguments.rest[1], &options)
                                    : command_misused(&command_plan,
                                          "apply wants one config, got %zu", arguments.count - 1);
    else if (options.diff && arguments.count != 2)
        code = command_misused(&command_plan, "--diff wants two configs, got %zu", arguments.count);
    else if (options.diff)
        code = print_diff(arguments.rest, &options.set);
    else if (arguments.count > 1)
        code = command_misused(&command_plan, "want one config, got %zu", arguments.count);
    else
        code = print_plan(arguments.count == 0 ? NULL : arguments.rest[0], &options.set);
    arguments_release(&arguments);
    return code;
}

const struct command command_plan = {
    .name = "plan",
    .summary = "print what all workers of one name must agree on, or how two configs differ",
    .help = plan_help,
    .run = plan_run,
};
