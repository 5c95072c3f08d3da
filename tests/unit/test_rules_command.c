/*
 * `weir rules test` and `weir rules eval` as a person calls them; and that eval says of any pane of the
 * past what aggregate had said of it.
 */
#include "engine/base/clock.h"
#include "engine/base/instant.h"
#include "sinks/store.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct command command_rules;

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define AT(s)      (BENCH_EPOCH_NS + (s)*BENCH_S)
#define RULES(...) run_command(&command_rules, (const char *const[]){__VA_ARGS__, NULL})

static char path[] = "/tmp/weir_rules_XXXXXX";

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const struct said *tested(const char *text)
{
    write_file(text);
    return RULES("test", path);
}

static void assert_said(const struct said *said, int exit_code, const char *part)
{
    const char *where = exit_code == EXIT_USAGE ? said->complaint : said->out;
    if (said->exit_code == exit_code && strstr(where, part) != NULL) return;
    fail_msg("%d, want %d with \"%s\":\n%s%s", said->exit_code, exit_code, part, said->out,
        said->complaint);
}

#define RULE                                                                                   \
    "rules:\n  - name: failing\n    match: {operation: ''}\n    when: error_ratio[1m] > 10%\n" \
    "    for: 30s\n    severity: page\n    labels: {team: shop}\n"                             \
    "    annotations: {summary: '{{ service }}: {{ value }}'}\n"
#define SERIES                                                                     \
    "tests:\n  - name: some fail\n    series:\n"                                   \
    "      - {of: {service: cart, operation: GET /, kind: SERVER}, spans: 10x40, " \
    "errors: 0x12 5x6 0}\n"

static void what_is_as_expected_passes(void **unused)
{
    (void)unused;
    assert_said(tested(RULE SERIES
                    "    alerts:\n"
                    "      - {at: 2m40s, rule: failing, series: service=cart, severity: page,\n"
                    "         labels: {team: shop, service: cart, alertname: failing},\n"
                    "         annotations: {summary: 'cart: 33.3%'}}\n"
                    "      - {at: 3m50s, state: resolved, rule: failing}\n"),
        EXIT_DONE, "ok    some fail: 2 as expected\n");
}

static void the_first_difference_is_said(void **unused)
{
    (void)unused;
    static const char fires[] = "      - {at: 2m40s, rule: failing}\n";
    static const struct {
        const char *alerts, *part;
    } cases[] = {
        {"      - {at: 2m30s, rule: failing}\n      - {at: 3m50s, state: resolved, rule: "
         "failing}\n",
            "  line 14: failing is not firing at 2m30s:\n    at is      2m40s\n    at should be "
            "2m30s\n  what was said:\n    2m40s    firing   failing service=cart\n    3m50s    "
            "resolved failing service=cart\n1 of 1 tests failed\n"},
        {fires, "  this is not expected:\n    3m50s    resolved failing service=cart\n"},
        {"      - {at: 2m40s, rule: failing, severity: warning}\n",
            "    severity is      page\n    severity should be warning\n"},
        {"      - {at: 2m40s, rule: failing, labels: {team: ops}}\n",
            "    labels.team is      shop\n    labels.team should be ops\n"},
        {"      - {at: 2m40s, rule: failing, labels: {who: ops}}\n",
            "    labels.who is      (none)\n    labels.who should be ops\n"},
        {"      - {at: 2m40s, rule: failing, annotations: {summary: 'cart: 40%'}}\n",
            "    annotations.summary is      cart: 33.3%\n"},
        {"      - {at: 2m40s, rule: failing, series: service=shop}\n",
            "  line 14: failing is not firing at 2m40s for service=shop\n  what was said:\n"},
        {"      - {at: 2m40s, rule: failing}\n      - {at: 3m50s, state: resolved, rule: failing}\n"
         "      - {at: 5m, rule: failing}\n",
            "  line 16: failing is not firing at 5m\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[2048];
        snprintf(text, sizeof(text), "%s    alerts:\n%s", RULE SERIES, cases[i].alerts);
        assert_said(tested(text), EXIT_FAILED, cases[i].part);
    }
    assert_said(tested(RULE SERIES "    until: 1m\n    alerts: [{at: 40s, rule: failing}]\n"),
        EXIT_FAILED, "  nothing was said\n");
}

static void only_says_which_rules_are_looked_at(void **unused)
{
    (void)unused;
    assert_said(tested(RULE "  - {name: busy, when: spans > 5}\n" SERIES
                            "    only: [failing]\n    until: 2m\n"),
        EXIT_DONE, "ok    some fail: 0 as expected\n");
    assert_said(tested(RULE "  - {name: busy, when: spans > 5}\n" SERIES "    until: 2m\n"),
        EXIT_FAILED, "  this is not expected:\n    10s      firing   busy service=cart\n");
}

/* A config of its own, beside the file; what stands in the file goes before it. */
static void a_config_may_be_tested(void **unused)
{
    (void)unused;
    char other[] = "/tmp/weir_config_XXXXXX", text[1024];
    int file = mkstemp(other);
    FILE *config = fdopen(file, "wb");
    fputs("pane: 1m\nwindows: [5m]\nhistory: [{resolution: 1m, retain: 1h}]\n"
          "rules: [{name: busy, when: spans > 5}]\n",
        config);
    fclose(config);
    snprintf(text, sizeof(text),
        "config: %s\n\nlateness: 1s\ntests:\n  - name: busy\n    series:\n"
        "      - {of: {service: a, operation: b, kind: CLIENT}, spans: 0 6 0}\n    alerts:\n"
        "      - {at: 2m, rule: busy}\n      - {at: 3m, state: resolved, rule: busy}\n",
        strrchr(other, '/') + 1);
    assert_said(tested(text), EXIT_DONE, "ok    busy: 2 as expected\n");
    unlink(other);
}

static void absence_and_attributes_can_be_tested(void **unused)
{
    (void)unused;
    assert_said(
        tested("views: [[service, zone]]\n"
               "rules: [{name: gone, when: 'zone=eu* and absent[2m]', match: {service: 'a*'}}]\n"
               "tests:\n  - name: gone\n    until: 10m\n    series:\n"
               "      - {of: {service: a1, operation: b, zone: eu-1}, spans: 1x6 0x30 1}\n"
               "      - {of: {service: a1, operation: b, zone: us-1}, spans: 1x6}\n"
               "      - {of: {service: b1, operation: b, zone: eu-1}, spans: 1x6}\n"
               "    alerts:\n"
               "      - {at: 3m, rule: gone, series: service=a1;zone=eu-1}\n"
               "      - {at: 6m10s, state: resolved, rule: gone, labels: {zone: eu-1}}\n"
               "      - {at: 8m10s, rule: gone}\n"),
        EXIT_DONE, "ok    gone: 3 as expected\n");
}

static void what_fires_together_is_said_once_for_a_service(void **unused)
{
    (void)unused;
    assert_said(
        tested("rules: [{name: slow, when: p50 > 500ms, together: true}]\n"
               "tests:\n  - name: two services\n    series:\n"
               "      - {of: {service: a, operation: x}, spans: 5x30, latency: 10msx10 1sx5 10ms}\n"
               "      - {of: {service: b, operation: x}, spans: 5x30, latency: 10msx10 1sx5 10ms}\n"
               "    alerts:\n"
               "      - {at: 1m50s, rule: slow, series: service=a}\n"
               "      - {at: 1m50s, rule: slow, series: service=b}\n"
               "      - {at: 2m40s, state: resolved, rule: slow}\n"
               "      - {at: 2m40s, state: resolved, rule: slow}\n"),
        EXIT_DONE, "ok    two services: 4 as expected\n");
}

static void what_cannot_be_run_is_said_with_its_place(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"rules: []\n", ":1:1: tests: is missing"},
        {"tests: {}\n", ":1:8: tests: want a list"},
        {"tests: [x]\n", ":1:9: tests: want keys with values"},
        {"tests:\n  - {name: a, seris: []}\n", "did you mean \"series\""},
        {"tests:\n  - {name: a}\n", ":2:5: until: it runs for 0 panes"},
        {"tests:\n  - {name: a, until: 1000d}\n", ":2:5: until: it runs for 8640000 panes"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: 1y2}]}\n",
            ":2:24: spans: \"1y2\" is no value; write 100, or 100x12 for twelve panes"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: 1x0}]}\n",
            "\"1x0\" is no value"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: ' '}]}\n", "there is no value"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: 1, latency: 5}]}\n",
            "latency: \"5\" is no value; write 100ms"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: 1, errors: 2}]}\n",
            ":2:24: errors: 2 of 1 spans fail in pane 1"},
        {"tests:\n  - {name: a, series: [{of: {kind: X}, spans: 1}]}\n", "\"X\" is no kind"},
        {"tests:\n  - {name: a, series: [{of: {service: a}, spans: 300k}]}\n",
            "more than 200000 spans in one pane"},
        {"tests:\n  - {name: a, until: 1m, alerts: [{at: 1m, rule: x}]}\n",
            ":2:35: rule: there is no rule \"x\""},
        {"tests:\n  - {name: a, until: 1m, only: [x]}\n", "only: there is no rule \"x\""},
        {"tests:\n  - {name: a, until: 1m, alerts: [{rule: x}]}\n", "at: is missing"},
        {"\nrules:\n  - {name: r, when: p98 > 1s}\ntests: []\n",
            ":3:5: rules: r: column 1: \"p98\""},
        {"{tests: [], rules: []}\n", ":1:2: write every key on a line of its own"},
        {"config: [a]\ntests: []\n", ":1:9: config: want the path of a file"},
        {"config: no_such_file.yaml\ntests: []\n", "/tmp/no_such_file.yaml: cannot be read"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_said(tested(cases[i].text), EXIT_USAGE, cases[i].part);
    assert_said(RULES("test", "/tmp/no_such_file.yaml"), EXIT_USAGE, "cannot be read");
    assert_said(RULES("test"), EXIT_USAGE, "test wants a file");
    assert_said(
        RULES("tests"), EXIT_USAGE, "there is no `rules tests`, but test, eval and backtest");
    assert_said(run_command(&command_rules, (const char *const[]){NULL}), EXIT_USAGE, "say what");
    assert_said(RULES("eval"), EXIT_USAGE, "Give --config FILE");
    assert_said(RULES("eval", "--config", path), EXIT_USAGE, "Give --series SERIES");
    assert_said(RULES("eval", "x", "--config", path), EXIT_USAGE, "one word too many");
}

static void names_in_a_file_steer_no_terminal(void **unused)
{
    (void)unused;
    const struct said *said =
        tested("rules: [{name: \"a\\e[2J\", when: spans > 0}]\n"
               "tests:\n  - name: \"x\\e[2J\"\n    series: [{of: {service: \"s\\e[2J\","
               " operation: o}, spans: 1}]\n"
               "    alerts: [{at: 10s, rule: \"a\\e[2J\", series: \"s\\e[2J\", "
               "labels: {\"k\\e[2J\": v}}]\n");
    assert_said(said, EXIT_FAILED, "a\\x1b[2J");
    assert_null(strchr(said->out, '\x1b'));
}

/* An hour of one service, now and then slow, failing or silent, and rules about it. */
static const char hour_yaml[] =
    "pane: 10s\nwindows: [1m, 5m]\nlateness: 10s\npartitions: 1\nprovisional: 0s\nzscore: []\n"
    "views: [[service]]\nquantiles: [0.5, 0.99]\n"
    "history: [{resolution: 10s, retain: 3h, sketches: true}]\n"
    "rules:\n"
    "  - {name: slow, when: 'p99[1m] > 500ms and spans[1m] >= 30', for: 30s}\n"
    "  - {name: failing, when: error_ratio > 20%}\n"
    "  - {name: busy, when: 'rate_per_s[5m] > 0.9 or not max[5m] < 2s'}\n"
    "  - {name: gone, when: 'absent[1m]'}\n"
    "  - {name: kept, when: error_ratio > 10%, for: 10s, keep_firing_for: 1m}\n"
    "  - {name: other, when: spans > 0, match: {service: x*}}\n";

enum { HOUR_PANES = 360, HOUR_RULES = 5 };
static const char *const hour_rules[HOUR_RULES] = {"slow", "failing", "busy", "gone", "kept"};

struct hour {
    struct redis_server server;
    struct bench_plan bench;
    bool fires[HOUR_RULES][HOUR_PANES + 1]; /* as of the end of each pane */
};

static void pane_spans(
    struct random *random, int64_t pane, struct bench_span span[16], size_t *count)
{
    bool silent = pane % 60 >= 40 && pane % 60 < 52, slow = pane % 90 >= 60,
         failing = pane % 70 > 63;
    *count = silent ? 0 : 4 + (size_t)random_below(random, 12);
    for (size_t i = 0; i < *count; i++) {
        int64_t ms = 10 + (int64_t)random_below(random, slow ? 3000 : 300);
        span[i] =
            (struct bench_span){"a", "op", KIND_SERVER, AT(10 * pane) + (int64_t)i * BENCH_S / 2,
                ms * 1000000, failing && random_below(random, 2) == 0};
    }
}

static void store_records(struct hour *h, const struct records *records)
{
    static const struct store_history history[] = {{10 * BENCH_S, 3 * 3600 * BENCH_S, true}};
    struct store_config config = {.url = h->server.unix_url,
        .prefix = "weir",
        .timeout_ns = 5 * BENCH_S,
        .plan = h->bench.plan.fingerprint,
        .pane_ns = 10 * BENCH_S,
        .sketch_scale = 6,
        .history = history,
        .histories = 1,
        .alerts_max = 10000};
    struct error err;
    void *self = NULL;
    int64_t applied = -1;
    assert_int_equal(store_redis.open(&self, &config, &err), ST_OK);
    for (size_t i = 0; i < records->count; i++) {
        struct bytes key, value;
        struct output out;
        records_get(records, i, &key, &value);
        assert_int_equal(output_decode(value, &out, &err), ST_OK);
        struct store_batch batch = {
            .output = &out, .count = 1, .prev = applied, .last = applied + 1};
        if (store_redis.apply(self, 0, &batch, &applied, &err) != ST_OK) fail_msg("%s", err.text);
    }
    store_redis.close(self);
}

static void note_alert(struct hour *h, const struct alert *alert)
{
    int64_t from = (alert->at_ns - AT(0)) / (10 * BENCH_S);
    for (int r = 0; r < HOUR_RULES; r++) {
        for (int64_t p = from; bytes_are(alert->rule, hour_rules[r]) && p <= HOUR_PANES; p++)
            h->fires[r][p] = alert->state == ALERT_FIRING;
    }
}

static void hour_open(struct hour *h)
{
    struct bench_worker worker;
    struct bench_log log = {0};
    struct records records = {0};
    struct random random = random_from(7);
    redis_server_start(&h->server, NULL);
    bench_plan_init(&h->bench, hour_yaml);
    bench_worker_init(&worker, &h->bench, 0, 1, 1, 0);
    for (int64_t pane = 0; pane < HOUR_PANES; pane++) {
        struct bench_span span[16];
        size_t count;
        pane_spans(&random, pane, span, &count);
        bench_record(&worker, 0, AT(10 * pane + 10), span, count);
        bench_flush(&worker, AT(10 * pane + 10) / 1000000, &log);
    }
    bench_record(&worker, 0, AT(10 * HOUR_PANES + 10), NULL, 0);
    bench_flush(&worker, AT(10 * HOUR_PANES + 10) / 1000000, &log);
    struct aggregate *a = aggregate_new(&h->bench.plan, 0);
    bench_apply(a, &log, 0, 0, &records);
    for (size_t i = 0; i < records.count; i++) {
        struct bytes key, value;
        struct output out;
        struct error err;
        records_get(&records, i, &key, &value);
        assert_int_equal(output_decode(value, &out, &err), ST_OK);
        if (out.is_alert) note_alert(h, &out.alert);
    }
    store_records(h, &records);
    aggregate_free(a);
    records_release(&records);
    bench_log_release(&log);
    bench_worker_release(&worker);
}

static void hour_close(struct hour *h)
{
    redis_server_stop(&h->server);
    bench_plan_release(&h->bench);
}

static const struct said *evaluated(const struct hour *h, int64_t at_ns, const char *rule)
{
    return RULES("eval", "--config", path, "--redis", h->server.unix_url, "--series", "service=a",
        "--at", instant_print(at_ns).text, "--rule", rule);
}

static void eval_says_of_the_past_what_aggregate_said(void **unused)
{
    (void)unused;
    static struct hour h;
    size_t fires = 0, asked = 0;
    hour_open(&h);
    write_file(hour_yaml);
    for (int64_t pane = 60; pane <= HOUR_PANES; pane += 3) {
        for (int r = 0; r < HOUR_RULES; r++) {
            const struct said *said = evaluated(&h, AT(10 * pane), hour_rules[r]);
            char verdict[64];
            snprintf(verdict, sizeof(verdict), "%s: fires", hour_rules[r]);
            bool says = strstr(said->out, verdict) != NULL;
            if (said->exit_code != EXIT_DONE || says != h.fires[r][pane])
                fail_msg("%s at pane %lld, which fires: %d\n%s%s", hour_rules[r], (long long)pane,
                    h.fires[r][pane], said->out, said->complaint);
            fires += says;
            asked++;
        }
    }
    assert_true(fires > asked / 10 && fires < asked / 2);
    hour_close(&h);
}

static void eval_shows_every_part_with_its_value(void **unused)
{
    (void)unused;
    static struct hour h;
    hour_open(&h);
    write_file(hour_yaml);
    const struct said *said =
        evaluated(&h, AT(690), "slow"); /* pane 69: slow for a minute and a half */
    assert_said(said, EXIT_DONE,
        "service=a as of 2023-11-15T00:11:30Z\n\nslow: fires\n"
        "  yes     p99[1m] > 500ms and spans[1m] >= 30\n"
        "    yes     p99[1m] > 500ms, p99[1m] is ");
    assert_said(said, EXIT_DONE, "\n    yes     spans[1m] >= 30, spans[1m] is ");
    assert_said(said, EXIT_DONE, "\n  said last: firing at 2023-11-15T00:1");
    said = evaluated(&h, AT(620), "slow");
    assert_said(said, EXIT_DONE, "slow: pends: it has held for 20s of the 30s that `for` asks\n");
    said = evaluated(&h, AT(690), "other");
    assert_said(said, EXIT_DONE,
        "other: is not for this series\n  no      match service: x*, service "
        "is \"a\"\n");
    said = evaluated(&h, AT(480), "gone"); /* silent from pane 40 on */
    assert_said(said, EXIT_DONE,
        "gone: fires\n  yes     absent[1m], spans were there until "
        "2023-11-15T00:06:40Z\n");
    said = evaluated(&h, AT(480), "busy");
    assert_said(said, EXIT_DONE, "not max[5m] < 2s\n");
    said = evaluated(&h, AT(480), "nothing");
    assert_said(said, EXIT_DONE, "there is no such rule");
    said = RULES("eval", "--config", path, "--redis", h.server.unix_url, "--series", "service=zz");
    assert_int_equal(said->exit_code, EXIT_FAILED);
    assert_non_null(strstr(said->complaint, "Redis knows of no series service=zz"));
    said = RULES("eval", "--config", path, "--redis", h.server.unix_url, "--series", "service=a");
    assert_said(said, EXIT_DONE, "service=a as of 2023-11-15T01:00:00Z\n\nslow: ");
    said = RULES("eval", "--config", path, "--redis", h.server.unix_url, "--series", "a");
    assert_said(said, EXIT_DONE, "service=a as of 2023-11-15T01:00:00Z\n\nslow: ");
    said = RULES("eval", "--config", path, "--series", "service=a", "--at", "noon");
    assert_said(said, EXIT_USAGE, "--at noon is no time");
    hour_close(&h);
}

static int open_path(void **unused)
{
    (void)unused;
    int file = mkstemp(path);
    return file < 0 ? -1 : close(file);
}

static int close_path(void **unused)
{
    (void)unused;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_expected_passes),
        cmocka_unit_test(the_first_difference_is_said),
        cmocka_unit_test(only_says_which_rules_are_looked_at),
        cmocka_unit_test(a_config_may_be_tested),
        cmocka_unit_test(absence_and_attributes_can_be_tested),
        cmocka_unit_test(what_fires_together_is_said_once_for_a_service),
        cmocka_unit_test(what_cannot_be_run_is_said_with_its_place),
        cmocka_unit_test(names_in_a_file_steer_no_terminal),
        cmocka_unit_test(eval_says_of_the_past_what_aggregate_said),
        cmocka_unit_test(eval_shows_every_part_with_its_value),
    };
    redis_server_require();
    return cmocka_run_group_tests_name("rules command", tests, open_path, close_path);
}
