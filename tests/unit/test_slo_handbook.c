/*
 * config/SLO.md: each worked example is run, and says what it says, to the pane.
 *
 * A block of YAML is a config. A block `traffic` is what its first objective sees, a stretch a line:
 *
 *     10m  20/s  100% bad   page after 60s, ticket after 4m20s
 *
 * so long, so many requests a second, spread evenly; then all that is said, counted from the line's
 * begin: `page after`, `page over after`, the same of the ticket; and columns at the line's end,
 * `budget_left 97.8%`, `burn_1h 14.4`. What is said and does not stand there is a fault.
 */
#include "engine/base/duration.h"
#include "engine/base/quantity.h"
#include "engine/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LINE_BYTES = 1024, EXAMPLES_LEAST = 7, SAID_MAX = 64 };

#define SECOND_NS INT64_C(1000000000)
#define FROM_NS   (INT64_C(1772323200) * SECOND_NS) /* 2026-03-01T00:00:00Z */

/* The config of an example and the state of one series under it. */
struct example {
    struct config config;
    struct plan plan;
    const struct operator_instance *slo;
    void *state;
    int64_t now_ns;
    double requests, bad; /* so far, with fractions */
    struct row row;       /* the newest */
    struct alert said[SAID_MAX];
    size_t count; /* of the line that is run */
};

static void example_close(struct example *e)
{
    free(e->state);
    config_release(&e->config);
    *e = (struct example){0};
}

static void example_open(struct example *e, const struct buffer *yaml)
{
    struct error err = {0};
    example_close(e);
    if (config_load_bytes(&e->config, "SLO.md", buffer_bytes(yaml), NULL, &err) != ST_OK ||
        plan_init(&e->plan, &e->config, &err) != ST_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < e->config.operator_count && e->slo == NULL; i++) {
        if (strcmp(e->config.operators[i].operator_->name, "slos") == 0)
            e->slo = &e->config.operators[i];
    }
    if (e->slo == NULL) return;
    e->state = calloc(1, e->slo->operator_->state_bytes(e->slo->self));
    e->now_ns = FROM_NS;
}

static void pane(struct example *e, uint64_t spans, uint64_t bad)
{
    struct transition out = {0};
    e->row = (struct row){
        .start_ns = e->now_ns, .end_ns = e->now_ns + e->plan.pane_ns, .status = ROW_FINAL};
    row_set_integer(&e->row, COLUMN_SPANS, spans);
    row_set_integer(&e->row, COLUMN_ERRORS, bad);
    for (int i = 0; i < THRESHOLDS_MAX; i++)
        row_set_integer(&e->row, COLUMN_THRESHOLD + i, spans - bad);
    e->now_ns = e->row.end_ns;
    struct closing_moment moment = {.end_ns = e->now_ns};
    e->slo->operator_->step(e->slo->self, e->state, &e->row);
    e->slo->operator_->settle(e->slo->self, e->state, &moment, &out);
    if (!out.happened) return;
    assert_true(e->count < SAID_MAX);
    e->said[e->count++] = out.alert;
}

static void stretch(struct example *e, int64_t long_ns, double per_s, double share)
{
    e->count = 0;
    for (int64_t end_ns = e->now_ns + long_ns; e->now_ns < end_ns;) {
        double more = per_s * (double)e->plan.pane_ns / (double)SECOND_NS;
        double spans = floor(e->requests + more) - floor(e->requests);
        double bad = floor(e->bad + spans * share + 1e-9) - floor(e->bad + 1e-9);
        e->requests += more;
        e->bad += spans * share;
        pane(e, (uint64_t)spans, (uint64_t)bad);
    }
}

/* Cross off what is expected: "page after", "ticket over after". */
static void expect_said(struct example *e, int64_t from_ns, const char *severity, bool over,
    const char *after, const char *line)
{
    int64_t after_ns = 0;
    enum alert_state state = over ? ALERT_RESOLVED : ALERT_FIRING;
    if (!duration_parse(after, &after_ns)) fail_msg("no duration: %s", line);
    for (size_t i = 0; i < e->count; i++) {
        struct alert *a = &e->said[i];
        if (!bytes_are(a->severity, severity) || a->state != state) continue;
        if (a->at_ns - from_ns != after_ns)
            fail_msg("%s\nit was after %s", line, duration_print(a->at_ns - from_ns).text);
        e->said[i] = e->said[--e->count];
        return;
    }
    fail_msg("%s\nno %s %s", line, severity, alert_state_name[state]);
}

static void expect_column(
    const struct example *e, const char *column, const char *value, const char *line)
{
    double want = NAN;
    for (int c = COLUMN_SCORE; c < COLUMN_COUNT; c++) {
        const char *known = e->plan.columns.name[c];
        size_t size = strlen(known), end = strlen(column);
        if (size <= end || strcmp(known + size - end, column) != 0) continue;
        if (!quantity_number(value, &want)) fail_msg("no number: %s", line);
        double is = row_number(&e->row, c), unit = strchr(value, '%') != NULL ? 0.01 : 1;
        if (!(fabs(is - want) <= 0.0501 * unit)) fail_msg("%s\n%s is %g", line, known, is);
        return;
    }
    fail_msg("%s\nthere is no column %s", line, column);
}

static void expect(struct example *e, int64_t from_ns, const char *what, const char *line)
{
    char severity[16], value[32];
    if (sscanf(what, " %15s over after %31s", severity, value) == 2)
        expect_said(e, from_ns, severity, true, value, line);
    else if (sscanf(what, " %15s after %31s", severity, value) == 2)
        expect_said(e, from_ns, severity, false, value, line);
    else if (sscanf(what, " %15s %31s", severity, value) == 2)
        expect_column(e, severity, value, line);
    else
        fail_msg("not understood: %s", line);
}

static void run_line(struct example *e, const char *line)
{
    char length[16], rate[16], share[16];
    double per_s = 0, bad = 0;
    int64_t long_ns = 0, from_ns = e->now_ns;
    int read = 0;
    if (sscanf(line, "%15s %15[^/]/s %15s bad %n", length, rate, share, &read) < 3 || read == 0 ||
        !duration_parse(length, &long_ns) || !quantity_number(rate, &per_s) ||
        !quantity_number(share, &bad))
        fail_msg("not understood: %s", line);
    stretch(e, long_ns, per_s, bad);
    char rest[LINE_BYTES], *more = NULL;
    snprintf(rest, sizeof(rest), "%s", line + read);
    for (char *what = strtok_r(rest, ",", &more); what != NULL; what = strtok_r(NULL, ",", &more))
        expect(e, from_ns, what, line);
    for (size_t i = 0; i < e->count; i++)
        fail_msg("%s\nunexpected: %.*s %s after %s", line, (int)e->said[i].severity.size,
            (const char *)e->said[i].severity.data, alert_state_name[e->said[i].state],
            duration_print(e->said[i].at_ns - from_ns).text);
}

static void every_example_of_the_handbook_is_right(void **unused)
{
    (void)unused;
    static struct example e;
    struct buffer yaml = {0};
    char line[LINE_BYTES], fence[16] = "";
    int examples = 0;
    FILE *file = fopen("config/SLO.md", "r");
    if (file == NULL) fail_msg("config/SLO.md cannot be read");
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "```", 3) == 0) {
            if (strcmp(fence, "yaml") == 0) example_open(&e, &yaml);
            bool opens = fence[0] == '\0';
            snprintf(fence, sizeof(fence), "%.14s", !opens ? "" : line[3] == '\0' ? "-" : line + 3);
            examples += strcmp(fence, "traffic") == 0;
            buffer_reset(&yaml);
        } else if (strcmp(fence, "yaml") == 0) {
            buffer_print(&yaml, "%s\n", line);
        } else if (strcmp(fence, "traffic") == 0) {
            run_line(&e, line);
        }
    }
    fclose(file);
    example_close(&e);
    buffer_release(&yaml);
    assert_true(examples >= EXAMPLES_LEAST);
}

/* The example that stands in comments above `slos: []` of config/weir.yaml is a config. */
static void the_example_in_the_config_loads(void **unused)
{
    (void)unused;
    struct config config;
    struct plan plan;
    struct error err = {0};
    struct buffer yaml = {0};
    char line[LINE_BYTES];
    bool inside = false;
    FILE *file = fopen("config/weir.yaml", "r");
    if (file == NULL) fail_msg("config/weir.yaml cannot be read");
    buffer_print(&yaml, "slos:\n");
    while (fgets(line, sizeof(line), file) != NULL && strncmp(line, "slos:", 5) != 0) {
        if (strncmp(line, "#   - name: checkout\n", 21) == 0) inside = true;
        if (inside) buffer_print(&yaml, "%s", line + 1);
    }
    fclose(file);
    assert_true(inside);
    if (config_load_bytes(&config, "example", buffer_bytes(&yaml), NULL, &err) != ST_OK ||
        plan_init(&plan, &config, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_true(columns_find(&plan.columns, bytes_of("checkout_fast_burn_6h")) >= 0);
    config_release(&config);
    buffer_release(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_of_the_handbook_is_right),
        cmocka_unit_test(the_example_in_the_config_loads),
    };
    return cmocka_run_group_tests_name("slo_handbook", tests, NULL, NULL);
}
