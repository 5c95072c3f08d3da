/* The plan: levels under the windows, names of the columns, and what the fingerprint depends on. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct planned {
    struct config config;
    struct plan plan;
};

static enum status planned_try(struct planned *p, const char *yaml, struct error *err)
{
    enum status status = config_load_bytes(&p->config, "c.yaml", bytes_of(yaml), NULL, err);
    if (status != ST_OK) fail_msg("%s\n%s", yaml, err->text);
    return plan_init(&p->plan, &p->config, err);
}

static void planned_init(struct planned *p, const char *yaml)
{
    struct error err;
    if (planned_try(p, yaml, &err) != ST_OK) fail_msg("%s\n%s", yaml, err.text);
}

static void planned_release(struct planned *p)
{
    config_release(&p->config);
}

static void the_default_levels_are_those_of_the_design(void **unused)
{
    (void)unused;
    static const struct plan_level levels[] = {
        {.width_ns = 10 * NS_PER_S, .from = 0, .fan_in = 1, .keep = 32, .history = true},
        {.width_ns = 30 * NS_PER_S, .from = 0, .fan_in = 3, .keep = 12},
        {.width_ns = 60 * NS_PER_S,
            .from = 1,
            .fan_in = 2,
            .keep = 7,
            .history = true,
            .sketches = true},
        {.width_ns = 300 * NS_PER_S, .from = 2, .fan_in = 5, .keep = 13},
    };
    static const struct plan_window windows[] = {
        {60 * NS_PER_S, 0, 6}, {300 * NS_PER_S, 1, 10}, {3600 * NS_PER_S, 3, 12}};
    struct planned p;
    planned_init(&p, "");
    assert_int_equal(p.plan.levels, COUNT(levels));
    for (size_t i = 0; i < COUNT(levels); i++) {
        assert_int_equal(p.plan.level[i].width_ns, levels[i].width_ns);
        assert_int_equal(p.plan.level[i].from, levels[i].from);
        assert_int_equal(p.plan.level[i].fan_in, levels[i].fan_in);
        assert_int_equal(p.plan.level[i].keep, levels[i].keep);
        assert_int_equal(p.plan.level[i].history, levels[i].history);
        assert_int_equal(p.plan.level[i].sketches, levels[i].sketches);
    }
    assert_int_equal(p.plan.windows, COUNT(windows));
    assert_memory_equal(p.plan.window, windows, sizeof(windows));
    planned_release(&p);
}

static void assert_levels_hold(const struct plan *plan)
{
    assert_int_equal(plan->level[0].width_ns, plan->pane_ns);
    for (uint32_t i = 1; i < plan->levels; i++) {
        const struct plan_level *level = &plan->level[i], *from = &plan->level[level->from];
        assert_true(level->width_ns > plan->level[i - 1].width_ns);
        assert_true(level->from < i);
        assert_int_equal(level->width_ns, from->width_ns * level->fan_in);
        assert_true(from->keep > level->fan_in);
        assert_true(level->keep * level->width_ns >= plan->allowed_lateness_ns + level->width_ns);
    }
    for (uint32_t i = 0; i < plan->windows; i++) {
        const struct plan_window *window = &plan->window[i];
        assert_in_range(window->slices, 1, WINDOW_SLICES_MAX);
        assert_true(window->level < plan->levels);
        assert_int_equal(window->width_ns, plan->level[window->level].width_ns * window->slices);
        assert_true(plan->level[window->level].keep > window->slices);
    }
}

/* Every window of up to 20 minutes over several panes: made so that it holds, or refused with advice. */
static void any_window_is_made_or_refused_with_one_that_can_be(void **unused)
{
    (void)unused;
    static const int panes_s[] = {1, 7, 10, 30};
    for (size_t i = 0; i < COUNT(panes_s); i++) {
        for (int count = 1; count * panes_s[i] <= 1200; count++) {
            char yaml[200];
            snprintf(yaml, sizeof(yaml),
                "{pane: %ds, allowed_lateness: %ds, history: [], windows: [%ds]}", panes_s[i],
                30 * panes_s[i], count * panes_s[i]);
            struct planned p;
            struct error err = {.text = ""};
            enum status status = planned_try(&p, yaml, &err);
            if (status == ST_OK)
                assert_levels_hold(&p.plan);
            else
                assert_non_null(strstr(err.text, "c.yaml:"));
            planned_release(&p);
        }
    }
}

static void a_window_that_cannot_be_made_names_its_neighbours(void **unused)
{
    (void)unused;
    struct planned p;
    struct error err = {.text = ""};
    assert_int_equal(planned_try(&p, "windows: [130s]", &err), ST_FATAL);
    assert_string_equal(err.text,
        "c.yaml:1:10: windows: 130s cannot be cut into 2 to 12 slices of whole panes (pane: 10s); "
        "2m or 140s can");
    planned_release(&p);
    planned_init(&p, "windows: [2m, 140s]");
    assert_levels_hold(&p.plan);
    planned_release(&p);
    planned_init(&p, "windows: [7m]"); /* 42 panes: 7 slices of a minute */
    assert_int_equal(p.plan.window[0].slices, 7);
    planned_release(&p);
}

static void too_many_levels_are_refused(void **unused)
{
    (void)unused;
    struct planned p;
    struct error err = {.text = ""};
    assert_int_equal(planned_try(&p,
                         "{pane: 1s, windows: [13m, 17m, 19m, 23m, 29m, 31m, 37m, 41m],"
                         "allowed_lateness: 1m}",
                         &err),
        ST_FATAL);
    assert_non_null(strstr(err.text, "levels of slices"));
    planned_release(&p);
}

static void thresholds_take_in_those_of_apdex(void **unused)
{
    (void)unused;
    struct planned p;
    planned_init(&p, "{thresholds: [100ms, 1s], apdex: 300ms}");
    const struct measuring *m = &p.plan.measuring;
    static const uint64_t want[] = {100000000, 300000000, 1000000000, 1200000000};
    assert_int_equal(m->thresholds, COUNT(want));
    assert_memory_equal(m->threshold_ns, want, sizeof(want));
    assert_int_equal(m->apdex, 1);
    assert_int_equal(m->apdex_tolerating, 3);
    assert_string_equal(p.plan.columns.name[COLUMN_APDEX], "apdex");
    assert_string_equal(p.plan.columns.name[COLUMN_THRESHOLD + 3], "latency_le_1200ms");
    planned_release(&p);

    planned_init(&p, "{thresholds: [250ms, 1s], apdex: 250ms}");
    assert_int_equal(p.plan.measuring.thresholds, 2);
    assert_int_equal(p.plan.measuring.apdex_tolerating, 1);
    planned_release(&p);
}

static void columns_have_the_names_of_the_contract(void **unused)
{
    (void)unused;
    static const char *const want[] = {"spans", "errors", "late", "too_late", "skewed",
        "latency_sum_ns", "latency_le_100ms", "latency_le_250ms", "latency_le_500ms",
        "latency_le_1s", "rate_per_s", "error_ratio", "latency_mean_ms", "latency_min_ms",
        "latency_max_ms", "capture_ratio", "latency_p50_ms", "latency_p29_ms", "latency_p99.9_ms",
        "error_ratio_z"};
    struct planned p;
    planned_init(&p, "{quantiles: [0.29, 0.5, 0.999], zscore: [{column: error_ratio}]}");
    for (size_t i = 0; i < COUNT(want); i++) {
        if (columns_find(&p.plan.columns, bytes_of(want[i])) < 0) fail_msg("no column %s", want[i]);
    }
    assert_string_equal(p.plan.columns.name[COLUMN_APDEX], "");
    assert_int_equal(p.plan.measuring.apdex, -1);
    planned_release(&p);
}

static void quantiles_that_share_a_name_are_refused(void **unused)
{
    (void)unused;
    struct planned p;
    struct error err = {.text = ""};
    assert_int_equal(planned_try(&p, "quantiles: [0.5, 0.50000000000001]", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "c.yaml:1:12: quantiles: two are both called latency_p50_ms"));
    planned_release(&p);
}

static void an_operator_over_an_unknown_column_is_refused_where_it_stands(void **unused)
{
    (void)unused;
    struct planned p;
    struct error err = {.text = ""};
    assert_int_equal(planned_try(&p, "zscore:\n  - column: error_ratoi\n", &err), ST_FATAL);
    assert_ptr_equal(strstr(err.text, "c.yaml:2:5: zscore: no column is called"), err.text);
    planned_release(&p);
    assert_int_equal(planned_try(&p, "zscore: [{column: errors}]", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "built-in default: anomaly: there is a column errors_z"));
    assert_non_null(strstr(err.text, "`anomaly: []` does without this default."));
    planned_release(&p);
}

static void attributes_are_collected_once(void **unused)
{
    (void)unused;
    struct planned p;
    planned_init(&p, "views: [[service], [service, http.route], [host.name, http.route, kind]]");
    const struct plan *plan = &p.plan;
    assert_int_equal(plan->views, 3);
    assert_int_equal(plan->projection.count, 2);
    assert_true(bytes_are(plan->projection.key[0], "http.route"));
    assert_true(plan->view[0].entry_only);
    assert_false(plan->view[1].entry_only);
    assert_int_equal(plan->view[2].dimension[0].source, DIMENSION_ATTRIBUTE);
    assert_int_equal(plan->view[2].dimension[0].attribute, 1);
    assert_int_equal(plan->view[2].dimension[1].attribute, 0);
    assert_int_equal(plan->view[2].dimension[2].source, DIMENSION_KIND);
    planned_release(&p);
}

static void too_many_attributes_are_refused(void **unused)
{
    (void)unused;
    struct planned p;
    struct error err = {.text = ""};
    assert_int_equal(planned_try(&p, "views: [[a, b, c, d, e], [f, g, h, i]]", &err), ST_FATAL);
    assert_non_null(strstr(err.text, "c.yaml:1:8: views: more than 8 different attribute keys"));
    planned_release(&p);
}

static uint64_t fingerprint(const char *yaml)
{
    struct planned p;
    planned_init(&p, yaml);
    uint64_t value = p.plan.fingerprint;
    planned_release(&p);
    return value;
}

static void the_fingerprint_covers_what_data_depends_on(void **unused)
{
    (void)unused;
    static const char *const other[] = {"name: x", "topics: [x]", "partitions: 9",
        "{pane: 5s, history: [{resolution: 10s, retain: 1h}, {resolution: 1m, retain: 1d}]}",
        "allowed_lateness: 6m", "windows: [1m]", "views: [[service]]", "history: []",
        "sketch_scale: 5", "thresholds: [1s]", "apdex: 1s"};
    uint64_t usual = fingerprint("");
    assert_true(usual == fingerprint(""));
    for (size_t i = 0; i < COUNT(other); i++) {
        if (fingerprint(other[i]) == usual) fail_msg("%s does not show", other[i]);
    }
}

static void the_fingerprint_leaves_out_what_may_differ(void **unused)
{
    (void)unused;
    static const char *const same[] = {"instance: x", "brokers: x:1", "lateness: 1m", "epoch: 1s",
        "quantiles: [0.5, 0.95]", "zscore: []", "limits: {series: 5}", "redis: {prefix: x}",
        "threads: {combine: 4}", "rules: [{name: r, when: errors > 1}]",
        "history: [{resolution: pane, retain: 2h}, {resolution: 1m, retain: 2h}]"};
    uint64_t usual = fingerprint("");
    for (size_t i = 0; i < COUNT(same); i++) {
        if (fingerprint(same[i]) != usual) fail_msg("%s shows", same[i]);
    }
}

/* Data in Kafka and Redis carries this number: if it moves, PLAN_VERSION is why. */
static void the_default_plan_reads_as_ever(void **unused)
{
    (void)unused;
    struct planned p;
    planned_init(&p, "");
    struct buffer text = {0};
    plan_describe(&p.plan, &text);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)text.data,
        "version: 1\n"
        "hash: xxh3-64\n"
        "name: weir\n"
        "topics: otlp_spans\n"
        "encoding: otlp_proto\n"
        "partitions: 8\n"
        "pane: 10s\n"
        "allowed_lateness: 5m\n"
        "views: [service] of entry spans [service, operation, kind]\n"
        "windows: 1m = 6 x 10s, 5m = 10 x 30s, 1h = 12 x 5m\n"
        "history: 10s 1m\n"
        "sketch_scale: 6\n"
        "thresholds: 100ms 250ms 500ms 1s\n");
    buffer_release(&text);
    planned_release(&p);
}

static void the_shipped_files_can_be_planned(void **unused)
{
    (void)unused;
    static const char *const paths[] = {"config/weir.yaml", "config/demo.yaml"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct planned p;
        struct error err = {.text = ""};
        assert_int_equal(config_load(&p.config, paths[i], NULL, &err), ST_OK);
        if (plan_init(&p.plan, &p.config, &err) != ST_OK) fail_msg("%s", err.text);
        assert_levels_hold(&p.plan);
        planned_release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_levels_are_those_of_the_design),
        cmocka_unit_test(any_window_is_made_or_refused_with_one_that_can_be),
        cmocka_unit_test(a_window_that_cannot_be_made_names_its_neighbours),
        cmocka_unit_test(too_many_levels_are_refused),
        cmocka_unit_test(thresholds_take_in_those_of_apdex),
        cmocka_unit_test(columns_have_the_names_of_the_contract),
        cmocka_unit_test(quantiles_that_share_a_name_are_refused),
        cmocka_unit_test(an_operator_over_an_unknown_column_is_refused_where_it_stands),
        cmocka_unit_test(attributes_are_collected_once),
        cmocka_unit_test(too_many_attributes_are_refused),
        cmocka_unit_test(the_fingerprint_covers_what_data_depends_on),
        cmocka_unit_test(the_fingerprint_leaves_out_what_may_differ),
        cmocka_unit_test(the_default_plan_reads_as_ever),
        cmocka_unit_test(the_shipped_files_can_be_planned),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
