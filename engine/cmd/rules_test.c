/* weir rules test: made-up spans go through combine and aggregate, and what is said must be what is expected. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/memory.h"
#include "engine/cmd/rehearsal.h"
#include "engine/cmd/rules.h"
#include "engine/cmd/rules_file.h"
#include "engine/cmd/sheet.h"
#include "schemas/span.h"

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

/* Where event time begins: midnight in UTC, a whole number of every window. */
#define START_NS (INT64_C(1704067200) * NS_PER_S)

enum { SAID_SHOWN_MAX = 20 };

/* So long after the beginning, as one would write it: 12m20s. */
static struct duration_text after_start(int64_t ns)
{
    static const struct {
        int64_t ns;
        const char *name;
    } units[] = {{3600 * NS_PER_S, "h"}, {60 * NS_PER_S, "m"}, {NS_PER_S, "s"}, {NS_PER_MS, "ms"}};
    struct duration_text out = {"0s"};
    size_t size = 0;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ns / units[i].ns == 0) continue;
        size += (size_t)snprintf(out.text + size, sizeof(out.text) - size, "%lld%s",
            (long long)(ns / units[i].ns), units[i].name);
        ns %= units[i].ns;
    }
    return out;
}

static enum status kind_of(
    const struct node *node, const char *name, uint8_t *kind, struct error *err)
{
    for (uint8_t k = 0; k < KIND_COUNT; k++) {
        if (strcmp(span_kind_name[k], name) != 0) continue;
        *kind = k;
        return ST_OK;
    }
    return node_error(node, "of", err,
        "\"%s\" is no kind; want SERVER, CLIENT, INTERNAL, PRODUCER or CONSUMER",
        node_show(name).text);
}

/* What the spans of a series are of, apart from numbers. */
struct model {
    struct rehearsal_spans spans;
    struct otlp_attribute attribute[OPTION_LIST_MAX];
};

static enum status model_init(struct model *m, const struct rules_series *s, struct error *err)
{
    enum status status = ST_OK;
    m->spans = (struct rehearsal_spans){
        .service = "", .operation = "", .kind = KIND_SERVER, .attribute = m->attribute};
    for (size_t i = 0; i < s->of.count && status == ST_OK; i++) {
        const char *key = s->of.key[i], *text = s->of.text[i];
        if (strcmp(key, "service") == 0)
            m->spans.service = text;
        else if (strcmp(key, "operation") == 0)
            m->spans.operation = text;
        else if (strcmp(key, "kind") == 0)
            status = kind_of(s->written, text, &m->spans.kind, err);
        else
            m->attribute[m->spans.attributes++] =
                (struct otlp_attribute){bytes_of(key), bytes_of(text)};
    }
    return status;
}

static enum status put_pane(struct rehearsal *r, struct model *m, const struct rules_series *s,
    uint64_t pane, struct error *err)
{
    struct error why;
    m->spans.count = (uint64_t)sequence_at(&s->spans, pane, 0);
    m->spans.failed = (uint64_t)sequence_at(&s->errors, pane, -1);
    m->spans.duration_ns = sequence_at(&s->latency, pane, -1);
    if (m->spans.count == 0) return ST_OK;
    if (m->spans.failed > m->spans.count)
        return node_error(s->written, "errors", err, "%llu of %llu spans fail in pane %llu",
            (unsigned long long)m->spans.failed, (unsigned long long)m->spans.count,
            (unsigned long long)pane + 1);
    if (rehearsal_put(r, &m->spans, &why) == ST_OK) return ST_OK;
    return node_error(s->written, "spans", err, "%s", why.text);
}

static enum status feed(
    struct rehearsal *r, const struct rules_case *test, struct model *model, struct error *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < test->serieses && status == ST_OK; i++)
        status = model_init(&model[i], &test->series[i], err);
    for (uint64_t pane = 0; pane < test->panes && status == ST_OK; pane++) {
        for (size_t i = 0; i < test->serieses && status == ST_OK; i++)
            status = put_pane(r, &model[i], &test->series[i], pane, err);
        if (status == ST_OK) status = rehearsal_pane(r, err);
    }
    return status == ST_OK ? rehearsal_end(r, err) : status;
}

static bool is_looked_at(const struct rules_case *test, const struct alert *alert)
{
    for (size_t i = 0; i < test->only.count; i++) {
        if (bytes_are(alert->rule, test->only.text[i])) return true;
    }
    return test->only.count == 0;
}

/* Of two things that differ: what they are, as it is and as it should be. */
struct difference {
    char name[160]; /* escaped */
    struct buffer is, wanted;
};

static void difference_set(
    struct difference *d, const char *name, struct bytes is, struct bytes wanted)
{
    struct buffer shown = {0};
    sheet_escape(bytes_of(name), &shown);
    snprintf(d->name, sizeof(d->name), "%.*s", (int)shown.size, (const char *)shown.data);
    buffer_release(&shown);
    buffer_reset(&d->is);
    buffer_reset(&d->wanted);
    sheet_escape(is, &d->is);
    sheet_escape(wanted, &d->wanted);
}

static bool texts_differ(
    const char *key, struct bytes json, const struct pairs *wanted, struct difference *d)
{
    json_t *object = json_loadb((const char *)json.data, json.size, 0, NULL);
    bool differ = false;
    for (size_t i = 0; i < wanted->count && !differ; i++) {
        char name[64];
        const char *text = json_string_value(json_object_get(object, wanted->key[i]));
        differ = text == NULL || strcmp(text, wanted->text[i]) != 0;
        snprintf(name, sizeof(name), "%s.%.40s", key, wanted->key[i]);
        if (differ)
            difference_set(
                d, name, bytes_of(text == NULL ? "(none)" : text), bytes_of(wanted->text[i]));
    }
    json_decref(object);
    return differ;
}

static int state_of(const struct alert *alert)
{
    return alert->state == ALERT_RESOLVED;
}

/* Whether it is the alert that is expected but for time and texts. */
static bool is_of(const struct rules_alert *wanted, const struct alert *alert)
{
    if (!bytes_are(alert->rule, wanted->rule) || state_of(alert) != wanted->state) return false;
    return wanted->series[0] == '\0' || bytes_are(alert->series, wanted->series);
}

static bool details_differ(
    const struct rules_alert *wanted, const struct alert *alert, struct difference *d)
{
    int64_t at_ns = alert->at_ns - START_NS;
    if (at_ns != wanted->at_ns) {
        difference_set(
            d, "at", bytes_of(after_start(at_ns).text), bytes_of(after_start(wanted->at_ns).text));
        return true;
    }
    if (wanted->severity[0] != '\0' && !bytes_are(alert->severity, wanted->severity)) {
        difference_set(d, "severity", alert->severity, bytes_of(wanted->severity));
        return true;
    }
    return texts_differ("labels", alert->labels, &wanted->labels, d) ||
           texts_differ("annotations", alert->annotations, &wanted->annotations, d);
}

/* What was said, and which of it was expected. */
struct judging {
    const struct rules_case *test;
    const struct rehearsal *r;
    bool *taken; /* by alert that was said */
    struct difference difference;
};

/* Take what was said just as expected; false: nothing was. */
static bool take_same(struct judging *j, const struct rules_alert *wanted)
{
    for (size_t i = 0; i < rehearsal_alerts(j->r); i++) {
        struct alert alert;
        rehearsal_alert(j->r, i, &alert);
        if (j->taken[i] || !is_of(wanted, &alert)) continue;
        if (details_differ(wanted, &alert, &j->difference)) continue;
        j->taken[i] = true;
        return true;
    }
    return false;
}

static int64_t distance(const struct alert *alert, const struct rules_alert *wanted)
{
    int64_t apart = alert->at_ns - START_NS - wanted->at_ns;
    return apart < 0 ? -apart : apart;
}

/* What was said instead of it: the nearest in time that is of the same rule and state. */
static bool find_nearest(struct judging *j, const struct rules_alert *wanted)
{
    int64_t nearest = INT64_MAX;
    for (size_t i = 0; i < rehearsal_alerts(j->r); i++) {
        struct alert alert;
        rehearsal_alert(j->r, i, &alert);
        if (j->taken[i] || !is_of(wanted, &alert) || distance(&alert, wanted) >= nearest) continue;
        nearest = distance(&alert, wanted);
        (void)details_differ(wanted, &alert, &j->difference);
    }
    return nearest != INT64_MAX;
}

static void print_said(const struct alert *alert)
{
    printf("    %-8s %-8s ", after_start(alert->at_ns - START_NS).text,
        alert_state_name[alert->state]);
    sheet_print(alert->rule);
    printf(" ");
    sheet_print(alert->series);
    printf("\n");
}

static void print_all_said(const struct judging *j)
{
    size_t shown = 0, all = rehearsal_alerts(j->r);
    printf(all == 0 ? "  nothing was said\n" : "  what was said:\n");
    for (size_t i = 0; i < all && shown < SAID_SHOWN_MAX; i++) {
        struct alert alert;
        rehearsal_alert(j->r, i, &alert);
        if (!is_looked_at(j->test, &alert)) continue;
        print_said(&alert);
        shown++;
    }
    if (shown == SAID_SHOWN_MAX) printf("    ...\n");
}

static void print_missing(struct judging *j, const struct rules_alert *wanted)
{
    const struct difference *d = &j->difference;
    bool near = find_nearest(j, wanted);
    printf("  line %zu: ", wanted->written->line);
    sheet_print(bytes_of(wanted->rule));
    printf(" is not %s at %s", wanted->state == 0 ? "firing" : "resolved",
        after_start(wanted->at_ns).text);
    if (wanted->series[0] != '\0') printf(" for ");
    sheet_print(bytes_of(wanted->series));
    if (near)
        printf(":\n    %s is      %.*s\n    %s should be %.*s\n", d->name, (int)d->is.size,
            (const char *)d->is.data, d->name, (int)d->wanted.size, (const char *)d->wanted.data);
    else
        printf("\n");
}

/* The first that is expected and was not said; NULL: none. */
static const struct rules_alert *find_missing(struct judging *j)
{
    const struct rules_alert *missing = NULL;
    for (size_t i = 0; i < j->test->alerts; i++) {
        const struct rules_alert *wanted = &j->test->alert[i];
        if (take_same(j, wanted)) continue;
        if (missing == NULL || wanted->at_ns < missing->at_ns) missing = wanted;
    }
    return missing;
}

/* The first that was said and is not expected; false: none. */
static bool find_unexpected(const struct judging *j, struct alert *alert)
{
    for (size_t i = 0; i < rehearsal_alerts(j->r); i++) {
        rehearsal_alert(j->r, i, alert);
        if (!j->taken[i] && is_looked_at(j->test, alert)) return true;
    }
    return false;
}

static bool judge(struct judging *j)
{
    struct alert alert;
    const struct rules_alert *missing = find_missing(j);
    bool unexpected = find_unexpected(j, &alert);
    if (missing == NULL && !unexpected) {
        printf("ok    ");
        sheet_print(bytes_of(j->test->name));
        printf(": %zu as expected\n", j->test->alerts);
        return true;
    }
    printf("FAIL  ");
    sheet_print(bytes_of(j->test->name));
    printf("\n");
    bool first = missing != NULL && (!unexpected || missing->at_ns <= alert.at_ns - START_NS ||
                                        find_nearest(j, missing));
    if (first) {
        print_missing(j, missing);
    } else {
        printf("  this is not expected:\n");
        print_said(&alert);
    }
    print_all_said(j);
    return false;
}

static enum status run_case(
    const struct rules_file *file, const struct rules_case *test, bool *passed, struct error *err)
{
    struct rehearsal *r = rehearsal_new(&file->plan, START_NS);
    struct model *model = memory_zeroed(test->serieses + 1, sizeof(*model));
    enum status status = feed(r, test, model, err);
    struct judging j = {.test = test, .r = r};
    j.taken = memory_zeroed(rehearsal_alerts(r) + 1, sizeof(*j.taken));
    if (status == ST_OK) *passed = judge(&j);
    buffer_release(&j.difference.is);
    buffer_release(&j.difference.wanted);
    free(j.taken);
    free(model);
    rehearsal_free(r);
    return status;
}

static enum status run_all(const struct rules_file *file, size_t *failed, struct error *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < file->tests && status == ST_OK; i++) {
        bool passed = false;
        status = run_case(file, &file->test[i], &passed, err);
        if (status == ST_OK) *failed += !passed;
    }
    return status;
}

int rules_test(const char *path)
{
    struct rules_file *file = memory_zeroed(1, sizeof(*file));
    struct error err;
    size_t failed = 0;
    enum status status = rules_file_read(file, path, &err);
    if (status == ST_OK) status = run_all(file, &failed, &err);
    if (status == ST_OK && failed != 0) printf("%zu of %zu tests failed\n", failed, file->tests);
    rules_file_release(file);
    free(file);
    if (status != ST_OK) return command_failed(&command_rules, &err, EXIT_USAGE);
    return failed == 0 ? EXIT_DONE : EXIT_FAILED;
}
