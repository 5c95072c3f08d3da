/* weir rules eval: why each rule does or does not fire for a series, from what Redis has of it. */
#include "engine/base/clock.h"
#include "engine/base/duration.h"
#include "engine/base/instant.h"
#include "engine/base/memory.h"
#include "engine/cmd/past.h"
#include "engine/cmd/rules.h"
#include "engine/cmd/sheet.h"
#include "operators/rule.h"
#include "schemas/series_name.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#define TIMEOUT_NS (10 * NS_PER_S)

enum { TRANSITIONS_READ = 10000 };

struct evaluation {
    const struct rules_command *options;
    struct config config;
    struct plan plan;
    struct redis_read *read;
    struct past past;
    struct read_list transitions;
    struct buffer series; /* spelled, where a service was given */
    int64_t at_ms;
};

static const struct rule *rule_at(const struct evaluation *e, size_t i)
{
    const struct operator_instance *o = &e->config.operators[i];
    if (strcmp(o->operator_->name, "rules") != 0) return NULL;
    const struct rule *r = o->self;
    bool asked = e->options->rule[0] == '\0' || strcmp(e->options->rule, r->name) == 0;
    return asked ? r : NULL;
}

/* What is older cannot matter, but where a rule has come and gone for over an hour. */
static int64_t replayed_ns(const struct rule *r)
{
    return r->for_ns + r->keep_ns + 3600 * NS_PER_S;
}

/* How far back the values reach that tell what the rules have come to. */
static int64_t reach_ms(const struct evaluation *e)
{
    int64_t most_ns = e->plan.pane_ns;
    for (size_t i = 0; i < e->config.operator_count; i++) {
        const struct rule *r = rule_at(e, i);
        for (uint32_t t = 0; r != NULL && t < r->terms.count; t++) {
            int64_t ns = r->terms.term[t].window_ns + replayed_ns(r);
            if (ns > most_ns) most_ns = ns;
        }
    }
    return most_ns / NS_PER_MS;
}

static enum truth truth_at(const struct evaluation *e, const struct rule *r, int64_t at_ms,
    double value[TERMS_MAX], enum truth each[EXPRESSION_NODES_MAX])
{
    past_values(&e->past, &r->terms, at_ms, value);
    return expression_evaluate(&r->condition, value, e->past.series, each);
}

/* What a rule has come to by then. */
struct verdict {
    enum alert_state state;
    int64_t since_ms, met_ms;
};

/* As aggregate does it, over the panes since it can have begun to matter. */
static struct verdict replay(const struct evaluation *e, const struct rule *r)
{
    struct verdict v = {.state = ALERT_INACTIVE};
    int64_t pane_ms = e->plan.pane_ns / NS_PER_MS, back_ms = replayed_ns(r) / NS_PER_MS;
    double value[TERMS_MAX];
    for (int64_t at_ms = e->at_ms - back_ms / pane_ms * pane_ms; at_ms <= e->at_ms;
         at_ms += pane_ms) {
        if (truth_at(e, r, at_ms, value, NULL) == TRUTH_YES) {
            if (v.state == ALERT_INACTIVE)
                v = (struct verdict){.state = ALERT_PENDING, .since_ms = at_ms - pane_ms};
            v.met_ms = at_ms;
            if ((at_ms - v.since_ms) * NS_PER_MS >= r->for_ns) v.state = ALERT_FIRING;
        } else if (v.state == ALERT_PENDING || (at_ms - v.met_ms) * NS_PER_MS >= r->keep_ns) {
            v.state = ALERT_INACTIVE;
        }
    }
    return v;
}

static void print_side(
    const struct rule *r, const struct expression_side *side, const double *value)
{
    if (!side->is_term) return;
    const struct term *term = &r->terms.term[side->term];
    struct buffer shown = {0};
    value_show(value[side->term], term->unit, &shown);
    printf(", ");
    sheet_print(term->text);
    printf(" is %.*s", (int)shown.size, (const char *)shown.data);
    buffer_release(&shown);
}

/* What a match looked at. */
static void print_dimension(const struct evaluation *e, struct bytes dimension)
{
    struct buffer plain = {0};
    struct bytes encoded = series_name_of(e->past.series, dimension);
    series_name_decode(encoded, &plain);
    printf(", ");
    sheet_print(dimension);
    printf(encoded.data == NULL ? " there is none" : " is \"");
    sheet_print(buffer_bytes(&plain));
    if (encoded.data != NULL) printf("\"");
    buffer_release(&plain);
}

static void print_node(const struct evaluation *e, const struct rule *r, uint32_t n, int depth,
    const enum truth *each, const double *value)
{
    const struct expression_node *node = &r->condition.node[n];
    printf("  %*s%-8s", 2 * depth, "", truth_name[each[n]]);
    sheet_print(node->text);
    if (node->kind == EXPRESSION_COMPARE) {
        print_side(r, &node->side[0], value);
        print_side(r, &node->side[1], value);
    }
    if (node->kind == EXPRESSION_MATCH) print_dimension(e, node->dimension);
    if (node->kind == EXPRESSION_ABSENT) {
        int64_t seen_ms = past_seen_ms(&e->past, e->at_ms);
        printf(", spans were there until %s",
            seen_ms == 0 ? "before all that is kept" : instant_print(seen_ms * NS_PER_MS).text);
    }
    printf("\n");
    if (node->kind > EXPRESSION_NOT) return;
    print_node(e, r, node->left, depth + 1, each, value);
    if (node->kind != EXPRESSION_NOT) print_node(e, r, node->right, depth + 1, each, value);
}

static void print_verdict(const struct evaluation *e, const struct rule *r, enum truth truth)
{
    struct verdict v = replay(e, r);
    if (v.state == ALERT_INACTIVE)
        printf("does not fire\n");
    else if (v.state == ALERT_PENDING)
        printf("pends: it has held for %s of the %s that `for` asks\n",
            duration_print((e->at_ms - v.since_ms) * NS_PER_MS).text,
            duration_print(r->for_ns).text);
    else if (truth == TRUTH_YES)
        printf("fires\n");
    else
        printf("fires on: it held until %s, and `keep_firing_for` is %s\n",
            instant_print(v.met_ms * NS_PER_MS).text, duration_print(r->keep_ns).text);
}

/* Whether a transition is of the rule and the series; most are not, as a look at the text tells. */
static bool is_about(const struct evaluation *e, const struct rule *r, const struct read_item *item)
{
    struct bytes text = item->value, named = e->past.series;
    if (memmem(text.data, text.size, named.data, named.size) == NULL) return false;
    json_t *alert = json_loadb((const char *)text.data, text.size, 0, NULL);
    const char *rule = json_string_value(json_object_get(alert, "rule"));
    const char *series = json_string_value(json_object_get(alert, "series"));
    bool same = rule != NULL && series != NULL && strcmp(rule, r->name) == 0 &&
                bytes_are(e->past.series, series);
    json_decref(alert);
    return same;
}

/* The transition that weir itself had said last by then. */
static void print_said(const struct evaluation *e, const struct rule *r)
{
    const struct read_item *last = NULL;
    for (size_t i = 0; i < e->transitions.count; i++) {
        const struct read_item *item = &e->transitions.item[i];
        if (item->at_ms > e->at_ms || (last != NULL && item->at_ms < last->at_ms)) continue;
        if (is_about(e, r, item)) last = item;
    }
    if (last == NULL) return;
    printf("  said last: ");
    sheet_print(last->field);
    printf(" at %s\n", instant_print(last->at_ms * NS_PER_MS).text);
}

static void print_matches(const struct evaluation *e, const struct rule *r)
{
    for (size_t i = 0; i < r->match.count; i++) {
        struct bytes dimension = bytes_of(r->match.key[i]), pattern = bytes_of(r->match.text[i]);
        bool matches = expression_matches(e->past.series, dimension, pattern);
        printf("  %-8smatch ", truth_name[matches ? TRUTH_YES : TRUTH_NO]);
        sheet_print(dimension);
        printf(": ");
        sheet_print(pattern);
        print_dimension(e, dimension);
        printf("\n");
    }
}

static void print_rule(const struct evaluation *e, const struct rule *r)
{
    double value[TERMS_MAX];
    enum truth each[EXPRESSION_NODES_MAX];
    enum truth truth = truth_at(e, r, e->at_ms, value, each);
    printf("\n");
    sheet_print(bytes_of(r->name));
    printf(": ");
    if (rule_concerns(r, e->past.series))
        print_verdict(e, r, truth);
    else
        printf("is not for this series\n");
    print_matches(e, r);
    print_node(e, r, r->condition.count - 1, 0, each, value);
    print_said(e, r);
}

static enum status choose_time(struct evaluation *e, struct error *err)
{
    int64_t at_ns;
    if (!instant_parse(e->options->at, clock_wall_ns(), &at_ns))
        return error_set(err, ST_FATAL, 0,
            "--at %.60s is no time: write -1h, now, 2024-05-01T12:00:00Z or Unix seconds",
            e->options->at);
    e->at_ms = strcmp(e->options->at, "now") == 0 ? 0 : at_ns / NS_PER_MS;
    return ST_OK;
}

/* A service stands for its own series. */
static struct bytes series_asked(struct evaluation *e)
{
    const char *series = e->options->series;
    if (strchr(series, '=') != NULL) return bytes_of(series);
    series_name_append(&e->series, bytes_of("service"), bytes_of(series), true);
    return buffer_bytes(&e->series);
}

static enum status evaluate(struct evaluation *e, struct error *err)
{
    struct bytes series = series_asked(e);
    enum status status = past_read(&e->past, e->read, &e->plan, series, e->at_ms, reach_ms(e), err);
    if (status == ST_OK)
        status = redis_read_transitions(e->read, TRANSITIONS_READ, &e->transitions, err);
    if (status != ST_OK) return status;
    int64_t pane_ms = e->plan.pane_ns / NS_PER_MS;
    if (e->past.seen_ms == 0)
        return error_set(err, ST_FATAL, 0,
            "Redis knows of no series %.120s: see `weir query series`", e->options->series);
    if (e->at_ms == 0 || e->at_ms > e->past.now_ms) e->at_ms = e->past.now_ms;
    bool behind = e->at_ms - e->past.seen_ms <= 2 * pane_ms; /* its partition, not the series */
    if (e->at_ms > e->past.seen_ms && behind) e->at_ms = e->past.seen_ms;
    sheet_print(series);
    printf(" as of %s\n", instant_print(e->at_ms * NS_PER_MS).text);
    size_t rules = 0;
    for (size_t i = 0; i < e->config.operator_count; i++) {
        const struct rule *r = rule_at(e, i);
        if (r == NULL) continue;
        print_rule(e, r);
        rules++;
    }
    if (rules == 0)
        printf("\nthere is no %s\n", e->options->rule[0] == '\0' ? "rule" : "such rule");
    return ST_OK;
}

static enum status connect(struct evaluation *e, struct error *err)
{
    const struct config *c = &e->config;
    const struct tls_files tls = {
        .ca = c->redis.ca_file, .certificate = c->redis.certificate_file, .key = c->redis.key_file};
    const char *url = e->options->redis[0] == '\0' ? c->redis.url : e->options->redis;
    const char *prefix = e->options->prefix[0] == '\0' ? c->redis.prefix : e->options->prefix;
    return redis_read_open(&e->read, url, &tls, prefix, TIMEOUT_NS, err);
}

int rules_eval(const struct rules_command *options)
{
    struct evaluation *e = memory_zeroed(1, sizeof(*e));
    struct error err;
    int code = EXIT_USAGE;
    e->options = options;
    enum status status = choose_time(e, &err);
    if (status == ST_OK) status = config_load(&e->config, options->config, options->set.text, &err);
    if (status == ST_OK) status = plan_init(&e->plan, &e->config, &err);
    if (status == ST_OK) {
        code = EXIT_FAILED;
        status = connect(e, &err);
        if (status == ST_OK) status = evaluate(e, &err);
    }
    code = status == ST_OK ? EXIT_DONE : command_failed(&command_rules, &err, code);
    past_release(&e->past);
    read_list_release(&e->transitions);
    buffer_release(&e->series);
    redis_read_close(e->read);
    config_release(&e->config);
    free(e);
    return code;
}
