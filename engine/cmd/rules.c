/* weir rules: trying rules out, before they run and while they do. */
#include "engine/cmd/rules.h"

#include "engine/cmd/arguments.h"

static const struct option rules_options[] = {
    OPTION(TEXTS, rules_command, set, "[]", "key=value of the config"),
    OPTION(TEXT, rules_command, config, "", "a config file"),
    OPTION(TEXT, rules_command, at, "now", "a time, as in -1h or 2024-05-01T12:00:00Z"),
    OPTION(TEXT, rules_command, series, "", "a series, as `weir query series` prints it"),
    OPTION(TEXT, rules_command, rule, "", "name of a rule, an objective or its alert"),
    OPTION(TEXT, rules_command, redis, "", "a URL, as in redis://127.0.0.1:6379"),
    OPTION(TEXT, rules_command, prefix, "", "of the keys, as in `weir`"),
    OPTION(TEXT, rules_command, from, "-24h", "a time, as in -6h"),
    OPTION(TEXT, rules_command, to, "now", "a time"),
    {.key = "before",
        .type = OPTION_DURATION,
        .offset = offsetof(struct rules_command, before_ns),
        .fallback = "1h",
        .help = "a duration, as in 3d"},
    {0},
};

static const char rules_help[] =
    "Usage: weir rules test FILE...\n"
    "       weir rules eval --config CONFIG --series SERIES [--at TIME] [--rule NAME]\n"
    "       weir rules backtest --config CONFIG [--from TIME] [--to TIME] [--before DURATION]\n"
    "\n"
    "`test` runs made-up spans through everything that is between Kafka and Redis, and compares "
    "the\n"
    "alerts with those that the file expects. The first difference of each test is printed.\n"
    "\n"
    "    config: weir.yaml   # whose rules are tested, beside the file; any key may stand here "
    "too\n"
    "    tests:\n"
    "      - name: a slow checkout fires\n"
    "        series:\n"
    "          - of: {service: checkout, operation: POST /cart, kind: SERVER}\n"
    "            spans: 100x30        # of each pane, VALUExPANES; then none\n"
    "            errors: 0x29 100     # of them, those that failed; the last value stays\n"
    "            latency: 100msx12 900ms\n"
    "        until: 10m               # how long it runs [while there are spans]\n"
    "        only: [checkout-slow]    # rules that are looked at [all]\n"
    "        alerts:                  # all that is to be said, from the beginning\n"
    "          - {at: 4m, state: firing, rule: checkout-slow, series: service=checkout,\n"
    "             severity: page, labels: {team: shop}, annotations: {summary: ...}}\n"
    "\n"
    "`eval` reads the rows of one series from Redis and says why each rule does or does not fire\n"
    "for it: every part of the condition, with its value. Of objectives it says what is left of\n"
    "their budgets, and why their alerts do or do not fire.\n"
    "\n"
    "`backtest` says what the rules, objectives and z-scores of a config would have made of the "
    "rows\n"
    "that the rows topic still holds, beside what those that ran have said. It writes nothing, and "
    "no\n"
    "worker notices. The config has the workers' plan: only operators may be other ones. Scores "
    "of\n"
    "`anomaly:` are taken from the rows.\n"
    "\n"
    "  --from, --to TIME\n"
    "                   event time [-24h, now]\n"
    "  --before DURATION\n"
    "                   rows from so long before --from are read too, and not reported: "
    "histories,\n"
    "                   windows and `for` begin empty and fill with them; an objective wants 3d "
    "[1h]\n"
    "  --config FILE    whose rules and Redis are meant\n"
    "  --series SERIES  as `weir query series` prints it, or a service for service=NAME\n"
    "  --at TIME        RFC 3339, Unix seconds or milliseconds, or so long ago: -1h30m [now]\n"
    "  --rule NAME      this rule, objective or alert of an objective only [all]\n"
    "  --redis URL, --prefix TEXT\n"
    "                   another Redis than the config's\n"
    "  --set KEY=VALUE  goes before the config's; may come again\n"
    "\n"
    "config/RULES.md is the handbook.\n"
    "Example: why was nobody told at noon?\n"
    "  weir rules eval --config weir.yaml --series service=checkout --at 2024-05-01T12:00:00Z\n"
    "Example: would a stricter rule have woken somebody last night?\n"
    "  weir rules backtest --config stricter.yaml --from -12h\n"
    "Exit codes: 0 done, 1 a test, Redis or Kafka failed, 2 wrong usage, config or file.\n";

static int test_all(const struct arguments *arguments)
{
    int worst = EXIT_DONE;
    if (arguments->count < 2) return command_misused(&command_rules, "test wants a file");
    for (size_t i = 1; i < arguments->count; i++) {
        int code = rules_test(arguments->rest[i]);
        if (code > worst) worst = code;
    }
    return worst;
}

static int eval(const struct arguments *arguments, const struct rules_command *options)
{
    if (arguments->count > 1)
        return command_misused(&command_rules, "`%.60s` is one word too many", arguments->rest[1]);
    if (options->config[0] == '\0')
        return command_misused(&command_rules, "eval of which rules? Give --config FILE");
    if (options->series[0] == '\0')
        return command_misused(&command_rules, "eval for which series? Give --series SERIES");
    return rules_eval(options);
}

static int backtest(const struct arguments *arguments, const struct rules_command *options)
{
    if (arguments->count > 1)
        return command_misused(&command_rules, "`%.60s` is one word too many", arguments->rest[1]);
    if (options->config[0] == '\0')
        return command_misused(&command_rules, "backtest of which rules? Give --config FILE");
    return rules_backtest(options);
}

static int rules_run(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct rules_command options = {0};
    struct error err;
    int code;
    if (arguments_read(&arguments, rules_options, &options, argc, argv, &err) != ST_OK)
        code = command_misused(&command_rules, "%s", err.text);
    else if (arguments.count == 0)
        code = command_misused(&command_rules, "say what: test, eval or backtest");
    else if (strcmp(arguments.rest[0], "test") == 0)
        code = test_all(&arguments);
    else if (strcmp(arguments.rest[0], "eval") == 0)
        code = eval(&arguments, &options);
    else if (strcmp(arguments.rest[0], "backtest") == 0)
        code = backtest(&arguments, &options);
    else
        code = command_misused(&command_rules,
            "there is no `rules %.40s`, but test, eval and backtest", arguments.rest[0]);
    arguments_release(&arguments);
    return code;
}

const struct command command_rules = {
    .name = "rules",
    .summary = "try rules out: on made-up spans, on a series in Redis, on all rows there are",
    .help = rules_help,
    .run = rules_run,
};
