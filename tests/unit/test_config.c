/* The config: its defaults, its file and its command line, and what each refusal says. */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/zone.h"
#include "engine/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void load(struct config *config, const char *path, const char *const *settings)
{
    struct error err = {.text = ""};
    if (config_load(config, path, settings, &err) != ST_OK) fail_msg("%s", err.text);
}

static void load_text(struct config *config, const char *yaml)
{
    struct error err = {.text = ""};
    if (config_load_bytes(config, "c.yaml", bytes_of(yaml), NULL, &err) != ST_OK)
        fail_msg("%s\n%s", yaml, err.text);
}

static void the_defaults_are_usable(void **unused)
{
    (void)unused;
    struct config c;
    load(&c, NULL, NULL);
    assert_null(c.path);
    assert_string_equal(c.name, "weir");
    assert_string_equal(c.brokers, "localhost:9092");
    assert_int_equal(c.topics.count, 1);
    assert_string_equal(c.topics.text[0], "otlp_spans");
    assert_int_equal(c.delivery, DELIVERY_EXACTLY_ONCE);
    assert_int_equal(c.time, TIME_LIVE);
    assert_int_equal(c.pane_ns, 10 * NS_PER_S);
    assert_int_equal(c.windows.count, 3);
    assert_int_equal(c.views, 2);
    assert_string_equal(c.view[1].dimension[2], "kind");
    assert_int_equal(c.limits.message_bytes, 64 << 20);
    assert_int_equal(c.histories, 2);
    assert_int_equal(c.history[0].resolution_ns, 10 * NS_PER_S);
    assert_int_equal(c.history[0].retain_ns, 3600 * NS_PER_S);
    assert_false(c.history[0].sketches);
    assert_int_equal(c.history[1].resolution_ns, 60 * NS_PER_S);
    assert_true(c.history[1].sketches);
    assert_int_equal(c.operator_count, 3);
    assert_string_equal(c.operators[0].operator_->name, "anomaly");
    assert_int_equal(c.score_ns, 60 * NS_PER_S);
    assert_string_equal(zone_name(c.zone), "UTC");
    assert_int_equal(c.kafka_settings, 0);
    assert_false(config_given(&c, "pane"));
    config_release(&c);
}

/* The field of one option, as bytes to compare: lists and texts by what they hold. */
static void field_print(const struct option *o, const struct config *c, struct buffer *out)
{
    const void *field = (const char *)c + o->offset;
    const struct texts *texts = field;
    const struct durations *durations = field;
    const struct numbers *numbers = field;
    switch (o->type) {
    case OPTION_NODE:
    case OPTION_PAIRS: /* of operators only */
        break;
    case OPTION_TEXT:
        buffer_print(out, "%s", *(const char *const *)field);
        break;
    case OPTION_TEXTS:
        for (size_t i = 0; i < texts->count; i++)
            buffer_print(out, "%s,", texts->text[i]);
        break;
    case OPTION_DURATIONS:
        buffer_append(out, durations->ns, durations->count * sizeof(*durations->ns));
        break;
    case OPTION_NUMBERS:
        buffer_append(out, numbers->number, numbers->count * sizeof(*numbers->number));
        break;
    case OPTION_CHOICE:
        buffer_append(out, field, sizeof(int));
        break;
    case OPTION_FLAG:
        buffer_append(out, field, sizeof(bool));
        break;
    default:
        buffer_append(out, field, sizeof(uint64_t));
        break;
    }
}

static void shapes_print(const struct config *c, struct buffer *out)
{
    buffer_print(out, "%s;", c->brokers);
    for (size_t v = 0; v < c->views; v++) {
        for (size_t d = 0; d < c->view[v].dimensions; d++)
            buffer_print(out, "%s,", c->view[v].dimension[d]);
        buffer_print(out, ";");
    }
    for (size_t i = 0; i < c->histories; i++)
        buffer_print(out, "%lld %lld %d;", (long long)c->history[i].resolution_ns,
            (long long)c->history[i].retain_ns, c->history[i].sketches);
    for (size_t i = 0; i < c->kafka_settings; i++)
        buffer_print(out, "%s=%s;", c->kafka[i].key, c->kafka[i].value);
    for (size_t i = 0; i < c->operator_count; i++) {
        const struct operator_instance *instance = &c->operators[i];
        buffer_print(out, "%s:", instance->operator_->name);
        for (const struct option *o = instance->operator_->options; o->key != NULL; o++)
            field_print(o, instance->self, out);
    }
}

static void assert_buffers_equal(const struct buffer *a, const struct buffer *b)
{
    assert_int_equal(a->size, b->size);
    if (a->size != 0) assert_memory_equal(a->data, b->data, a->size);
}

static void the_sample_file_is_complete_and_says_the_defaults(void **unused)
{
    (void)unused;
    struct config sample, usual;
    load(&sample, "config/weir.yaml", NULL);
    load(&usual, NULL, NULL);
    struct buffer a = {0}, b = {0};
    for (const struct option *o = config_options; o->key != NULL; o++) {
        if (!config_given(&sample, o->key)) fail_msg("config/weir.yaml lacks %s", o->key);
        buffer_reset(&a);
        buffer_reset(&b);
        field_print(o, &sample, &a);
        field_print(o, &usual, &b);
        if (!bytes_equal(buffer_bytes(&a), buffer_bytes(&b)))
            fail_msg("config/weir.yaml gives %s another value than the default", o->key);
    }
    for (const struct window_operator *const *op = window_operators; *op != NULL; op++) {
        if (!config_given(&sample, (*op)->name)) fail_msg("config/weir.yaml lacks %s", (*op)->name);
    }
    buffer_reset(&a);
    buffer_reset(&b);
    shapes_print(&sample, &a);
    shapes_print(&usual, &b);
    assert_buffers_equal(&a, &b);
    buffer_release(&a);
    buffer_release(&b);
    config_release(&sample);
    config_release(&usual);
}

static void the_example_of_receivers_loads(void **unused)
{
    (void)unused;
    struct config c;
    load(&c, "config/notify.yaml", NULL);
    assert_int_equal(c.receivers, 7);
    for (const struct notifier *const *n = notifiers; *n != NULL; n++) {
        bool shown = false;
        for (size_t i = 0; i < c.receivers; i++)
            shown = shown || c.receiver[i].kind == *n;
        if (!shown) fail_msg("config/notify.yaml shows no %s", (*n)->name);
    }
    assert_int_equal(c.receiver[1].matches, 1);
    assert_string_equal(c.receiver[1].match[0].label, "severity");
    config_release(&c);
}

static void the_demo_file_loads(void **unused)
{
    (void)unused;
    static const char *const settings[] = {
        "brokers=127.0.0.1:1,127.0.0.1:2", "redis.url=unix:///run/redis.sock", NULL};
    struct config c;
    load(&c, "config/demo.yaml", settings);
    assert_int_equal(c.delivery, DELIVERY_AT_LEAST_ONCE);
    assert_int_equal(c.pane_ns, 2 * NS_PER_S);
    assert_string_equal(c.brokers, "127.0.0.1:1,127.0.0.1:2");
    assert_string_equal(c.redis.url, "unix:///run/redis.sock");
    assert_int_equal(c.operator_count, 4);
    assert_string_equal(c.operators[3].operator_->name, "rules");
    config_release(&c);
}

static void the_command_line_goes_before_the_file(void **unused)
{
    (void)unused;
    static const char *const settings[] = {"windows=[20s, 40s]", "limits.series=7", "pane=1s",
        "limits={series: 8}", "instance=", "topics=[a, b]", "history=[]", NULL};
    struct config c;
    struct error err;
    enum status status = config_load_bytes(
        &c, "c.yaml", bytes_of("pane: 5s\nskew: 1s\ninstance: x\n"), settings, &err);
    assert_int_equal(status, ST_OK);
    assert_int_equal(c.pane_ns, NS_PER_S);
    assert_int_equal(c.skew_ns, NS_PER_S);
    assert_int_equal(c.windows.count, 2);
    assert_int_equal(c.limits.series, 8);
    assert_string_equal(c.instance, "");
    assert_int_equal(c.topics.count, 2);
    assert_int_equal(c.histories, 0);
    config_release(&c);
}

/* config/weir.yaml names them: each is one that is taken. */
static void a_link_to_a_trace_is_a_template(void **unused)
{
    (void)unused;
    static const char *const presets[] = {"http://jaeger:16686/trace/{trace_id}",
        "http://zipkin:9411/zipkin/traces/{trace_id}",
        "http://skywalking:8080/zipkin/traces/{trace_id}", "http://grafana:3000/explore?"};
    char file[1 << 16], yaml[1200];
    FILE *in = fopen("config/weir.yaml", "r");
    assert_non_null(in);
    file[fread(file, 1, sizeof(file) - 1, in)] = '\0';
    fclose(in);
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        struct config c;
        char *found = strstr(file, presets[i]);
        assert_non_null(found);
        found[strcspn(found, " \n")] = '\0'; /* each is behind the one before it */
        snprintf(yaml, sizeof(yaml), "trace_link: %s", found);
        load_text(&c, yaml);
        assert_string_equal(c.trace_link, found);
        config_release(&c);
        found[strlen(found)] = ' ';
    }
}

static void brokers_may_be_a_list(void **unused)
{
    (void)unused;
    struct config c;
    load_text(&c, "brokers: [a:9092, 'b:9092']");
    assert_string_equal(c.brokers, "a:9092,b:9092");
    config_release(&c);
}

static void kafka_settings_pass_through_with_secrets_from_the_environment(void **unused)
{
    (void)unused;
    setenv("WEIR_TEST_PASSWORD", "p: {w", 1);
    struct config c;
    load_text(
        &c, "kafka:\n  security.protocol: sasl_ssl\n  sasl.password: ${WEIR_TEST_PASSWORD}\n");
    assert_int_equal(c.kafka_settings, 2);
    assert_string_equal(c.kafka[1].key, "sasl.password");
    assert_string_equal(c.kafka[1].value, "p: {w");
    config_release(&c);
}

static void kafka_settings_of_the_command_line_go_beside_and_before_the_files(void **unused)
{
    (void)unused;
    setenv("WEIR_TEST_PASSWORD", "p: {w", 1);
    static const char *const settings[] = {"kafka.sasl.password=${WEIR_TEST_PASSWORD}",
        "kafka.linger.ms=7", "kafka.linger.ms=8", NULL};
    struct config c;
    struct error err = {.text = ""};
    const char *yaml = "kafka: {sasl.password: old, sasl.username: weir}";
    if (config_load_bytes(&c, "c.yaml", bytes_of(yaml), settings, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(c.kafka_settings, 3);
    assert_string_equal(c.kafka[0].key, "sasl.password");
    assert_string_equal(c.kafka[0].value, "p: {w");
    assert_string_equal(c.kafka[1].value, "weir");
    assert_string_equal(c.kafka[2].key, "linger.ms");
    assert_string_equal(c.kafka[2].value, "8");
    config_release(&c);

    static const char *const refused[] = {"kafka.group.id=x", NULL};
    assert_int_equal(config_load_bytes(&c, "c.yaml", bytes_of(yaml), refused, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "kafka: group.id cannot be set here: "));
}

static void operators_keep_the_order_of_the_file_zscore_first(void **unused)
{
    (void)unused;
    struct config c;
    load_text(&c, "rules:\n  - {name: r, when: errors_z > 3}\n"
                  "anomaly: []\nzscore: [{column: errors}, {column: spans}]\n");
    assert_int_equal(c.operator_count, 3);
    assert_string_equal(c.operators[0].operator_->name, "zscore");
    assert_int_equal(c.operators[1].written->line, 4);
    assert_string_equal(c.operators[2].operator_->name, "rules");
    config_release(&c);
}

static void scores_follow_the_history_unless_told(void **unused)
{
    (void)unused;
    static const struct {
        const char *yaml;
        int64_t score_s;
        size_t operators;
    } cases[] = {
        {"pane: 1s\n", 60, 3},
        {"history: [{resolution: 10s, retain: 1h}]\n", 10, 3},
        {"history: [{resolution: 10s, retain: 1h}, {resolution: 30s, retain: 1h}]\n", 30, 3},
        {"history: [{resolution: 1h, retain: 1d}, {resolution: 2m, retain: 1h}]\n", 120, 3},
        {"history: [{resolution: 10s, retain: 1h}]\nscore_every: 1m\n", 60, 3},
        {"history: []\n", 60, 0},
        {"history: []\nanomaly: [{of: errors}]\n", 60, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        load_text(&c, cases[i].yaml);
        assert_int_equal(c.score_ns, cases[i].score_s * NS_PER_S);
        assert_int_equal(c.operator_count, cases[i].operators);
        config_release(&c);
    }
    struct config c;
    struct error err;
    assert_int_equal(config_load_bytes(
                         &c, "c.yaml", bytes_of("pane: 1s\ntime_zone: Nowhere/Land\n"), NULL, &err),
        ST_FATAL);
    assert_non_null(strstr(err.text, "c.yaml:2:12: time_zone: time zone: /usr/share/zoneinfo/"));
}

static void a_pane_of_a_minute_has_one_default_history(void **unused)
{
    (void)unused;
    struct config c;
    load_text(&c, "pane: 1m");
    assert_int_equal(c.histories, 1);
    assert_int_equal(c.history[0].retain_ns, 24 * 3600 * NS_PER_S);
    assert_true(c.history[0].sketches);
    config_release(&c);
}

static const struct {
    const char *yaml, *want;
} refused[] = {
    {"latenes: 30s", "c.yaml:1:1: unknown key \"latenes\"; did you mean \"lateness\"?"},
    {"limit:\n  series: 3", "c.yaml:1:1: unknown key \"limit\""},
    {"lateness: 30 sec", "c.yaml:1:11: lateness: \"30 sec\" is not a duration"},
    {"delivery: twice", "c.yaml:1:11: delivery: \"twice\" is not one of: exactly_once, at_least_"},
    {"pane: 50ms", "c.yaml:1:7: pane: 50ms is out of range; want 100ms to 1h"},
    {"pane: 1234567us", "pane: 1234567us is not a whole number of milliseconds"},
    {"sketch_scale: 8", "sketch_scale: 8 is out of range; want 5 to 7"},
    {"partitions: 0", "partitions: 0 is out of range; want 1 to 1024"},
    {"partitions: 18446744073709551615", "partitions: the number is out of range"},
    {"memory: 1MiB", "memory: 1 MiB is out of range; want 16 MiB to 1 TiB"},
    {"windows: [1m, 45s]", "windows: 45s is not a whole number of panes (pane: 10s); 50s would be"},
    {"windows: [2m, 1m]", "windows: 1m comes after 2m; write each once, ascending"},
    {"windows: [1s]", "windows: 1s is out of range"},
    {"windows: [10s,20s,30s,40s,50s,60s,70s,80s,90s]", "windows: 9 windows, at most 8"},
    {"history: [{resolution: 15s, retain: 1h}]", "history: resolution 15s is not a whole number"},
    {"history: [{resolution: 1m, retain: 10s}]", "history: retain 10s is out of range"},
    {"history: [{resolution: 1m}]", "c.yaml:1:11: retain: is missing and has no default"},
    {"history: [{resolution: x, retain: 1h}]", "resolution: \"x\" is not a duration, as in 1m"},
    {"history: [{resolution: pane, retain: 1h}, {resolution: 10s, retain: 1h}]",
        "c.yaml:1:43: history: resolution 10s is there twice"},
    {"history: 1m", "c.yaml:1:10: history: want a list"},
    {"quantiles: [0.5, 1]", "quantiles: 1 is out of range"},
    {"quantiles: [nan]", "quantiles: nan is out of range"},
    {"quantiles: [0.9, 0.5]", "quantiles: 0.5 comes after 0.9"},
    {"quantiles: [.1,.2,.3,.4,.5,.6,.7,.8,.9]", "quantiles: 9 quantiles, at most 8"},
    {"thresholds: [1s, 1s]", "thresholds: 1s comes after 1s"},
    {"thresholds: [0s]", "thresholds: 0s is out of range; want 1ns to 1d"},
    {"trace_link: jaeger/{trace_id}",
        "c.yaml:1:13: trace_link: \"jaeger/{trace_id}\" does not begin with http:// or https://"},
    {"trace_link: http://jaeger/trace/", "does not say where the trace id goes: write {trace_id}"},
    {"thresholds: [1ms,2ms,3ms,4ms,5ms,6ms,7ms]\napdex: 9ms", "9 thresholds (with T and 4T"},
    {"score_every: 0m", "c.yaml:1:14: score_every: 0s is out of range; want 100ms to 1d"},
    {"allowed_lateness: 5s", "allowed_lateness: 5s is not a whole number of panes"},
    {"max_ahead: 30s", "max_ahead: 30s is not more than lateness (30s)"},
    {"epoch: 2s\nepoch_max: 1s", "c.yaml:2:12: epoch_max: 1s is less than epoch (2s)"},
    {"epoch_max: 6s", "epoch_max: 6s is out of range; want 10ms to 5s"},
    {"name: a/b", "name: \"a/b\" cannot start a Kafka topic's name"},
    {"name: ''", "name: \"\" cannot start"},
    {"instance: a b", "instance: \"a b\" cannot be used in Kafka's ids"},
    {"redis: {prefix: 'a*'}", "redis.prefix: \"a*\" cannot start a key"},
    {"redis: {url: 'http://:hidden@x'}", "redis.url: "},
    {"redis: {ca_file: ca.pem}", "redis.ca_file: redis.url goes without TLS"},
    {"redis: {url: 'rediss://x', key_file: k.pem}",
        "redis.key_file: needs redis.certificate_file with it"},
    {"topics: []", "topics: 0 topics; want 1 to 64"},
    {"topics: a,b", "topics: \"a,b\" is not a topic's name"},
    {"topics: [a, a]", "topics: a is there twice"},
    {"topics: [weir.partials]", "topics: weir.partials is written by weir itself"},
    {"brokers: 'a b'", "brokers: \"a b\" is not a list of host:port"},
    {"brokers: 'a:1,'", "brokers: \"a:1,\" is not a list"},
    {"encoding: json", "encoding: \"json\" is not known; known are: "},
    {"start: yesterday", "start: \"yesterday\" is not earliest, latest or a duration"},
    {"http: {listen: '9464'}", "http.listen: cannot listen on `9464`: want an address and a port"},
    {"http: {listen: 'a:70000'}", "http.listen: cannot listen on `a:70000`: want an address"},
    {"http: {listen: '0.0.0.0:9464'}", "c.yaml:1:16: http.listen: cannot listen on `0.0.0.0:9464`: "
                                       "other machines can reach it, and that needs http.token"},
    {"http: {listen: '0.0.0.0:9464', token: hunter2}",
        "c.yaml:1:39: http.token: has 7 bytes; want 16 to 256 visible ASCII characters"},
    {"notify: {receivers: 3}", "c.yaml:1:21: notify.receivers: want a list"},
    {"notify: {receivers: [3]}", "c.yaml:1:22: notify.receivers: want keys with values"},
    {"notify: {receivers: [{name: a}]}", "c.yaml:1:22: notify.receivers: a receiver is one of: "
                                         "alertmanager, webhook, command; this"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', command: [y]}]}",
        "c.yaml:1:53: command: this receiver is a webhook already"},
    {"notify: {receivers: [{webhook: 'http://x'}]}", "name: is missing and has no default"},
    {"notify: {receivers: [{name: a, webhok: 'http://x'}]}", "a receiver is one of"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', temlate: y}]}",
        "c.yaml:1:53: unknown key \"temlate\"; did you mean \"template\"?"},
    {"notify: {receivers: [{name: a b, webhook: 'http://x'}]}",
        "c.yaml:1:29: name: want 1 to 48 of"},
    {"notify: {receivers: [{name: a, webhook: 'http://x'}, {name: a, command: y}]}",
        "c.yaml:1:61: name: another receiver has that name"},
    {"notify: {receivers: [{name: a, webhook: 'ftp://x'}]}",
        "c.yaml:1:41: webhook: only http:// and https:// are spoken"},
    {"notify: {receivers: [{name: a, webhook: x y}]}", "webhook: it is no URL"},
    {"notify: {receivers: [{name: a, webhook: 'http://u:hidden@x'}]}",
        "webhook: user and password stand in keys of their own"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', template: '{{rule}'}]}",
        "c.yaml:1:63: template: {{ without }}"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', template: '{{colour}}'}]}",
        "template: {{colour}} is nothing that an alert has"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', template: '{\"a\": {{rule}}}'}]}",
        "template: filled in it is not JSON: line 1, column"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', secret: hidden, secret_file: b}]}",
        "c.yaml:1:61: secret: give one of secret and secret_file"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', user: me}]}",
        "user: user and password go together"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', token: hidden, token_file: b}]}",
        "token: give one of token, token_file, and user"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', token: \"hidden\\nX: y\"}]}",
        "token: it holds a control character"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', headers: [hidden]}]}",
        "headers: want lines as `X-Name: value`"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', key_file: k}]}",
        "key_file: certificate_file and key_file go together"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', timeout: 2m}]}",
        "timeout: it is out of range; want 100ms to 1m"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', give_up: 1s}]}",
        "give_up: it is out of range; want 1m to 30d"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', match: [page]}]}",
        "c.yaml:1:60: match: want labels with patterns"},
    {"notify: {receivers: [{name: a, webhook: 'http://x', match: {severity: []}}]}",
        "match: severity: want a pattern"},
    {"notify: {receivers: [{name: a, alertmanager: []}]}", "0 Alertmanagers; want 1 to 8"},
    {"notify: {receivers: [{name: a, alertmanager: ['http://x', 'http://x']}]}",
        "alertmanager: an Alertmanager is there twice"},
    {"notify: {receivers: [{name: a, alertmanager: 'http://x', resend: 10ms}]}",
        "resend: it is out of range; want 1s to 1h"},
    {"notify: {receivers: [{name: a, alertmanager: 'http://x', generator_url: '{{rule}}'}]}",
        "generator_url: it is no URL"},
    {"notify: {receivers: [{name: a, command: []}]}", "command: want a program"},
    {"notify: {receivers: [{name: a, command: ['{{rule}}']}]}",
        "command: which program is run must not depend on the alert"},
    {"notify: {receivers: [{name: a, command: x, environment: ['A=1']}]}",
        "environment: want names of variables"},
    {"notify: {claim_after: 10ms}", "notify.claim_after: 10ms is out of range; want 1s to 1h"},
    {"notify: {listen: '0.0.0.0:9465'}", "notify.listen: cannot listen on `0.0.0.0:9465`"},
    {"views: []", "views: want at least one view"},
    {"views: [[]]", "c.yaml:1:9: views: a view without a dimension"},
    {"views: [service]", "c.yaml:1:9: views: want a list"},
    {"views: [[service, service]]", "views: service is in this view twice"},
    {"views: [[service], [service]]", "c.yaml:1:20: views: this view is there twice"},
    {"views: [['a b']]", "views: \"a b\" is not a dimension"},
    {"views: [[a,b,c,d,e,f,g,h,i]]", "views: 9 entries, at most 8 are taken"},
    {"kafka: {group.id: x}", "c.yaml:1:9: kafka: group.id cannot be set here: "},
    {"kafka: {bootstrap.servers: x}", "kafka: bootstrap.servers cannot be set here: use `brokers`"},
    {"kafka: [a]", "c.yaml:1:8: kafka: want librdkafka keys"},
    {"kafka: {enable.ssl.certificate.verification: false}",
        "c.yaml:1:46: kafka: enable.ssl.certificate.verification: only true is taken"},
    {"kafka: {ssl.endpoint.identification.algorithm: none}", "only https is taken"},
    {"kafka: {sasl.mechanism: FOO}", "sasl.mechanism: \"FOO\" is not known; known are PLAIN"},
    {"kafka: {debug: [a]}", "c.yaml:1:16: kafka: debug: want a single value"},
    {"kafka: {topic.acks: 1}", "c.yaml:1:9: kafka: topic.acks cannot be set here: only `all`"},
    {"kafka: {securty.protocol: ssl}",
        "c.yaml:1:9: kafka: unknown key \"securty.protocol\"; did you mean \"security.protocol\"?"},
    {"kafka: {sasl.usrname: weir}", "did you mean \"sasl.username\"?"},
    {"kafka: {compresion.type: lz4}", "did you mean \"compression.type\"?"},
    {"kafka: {no.such.key: 1}", "c.yaml:1:9: kafka: unknown key \"no.such.key\"; librdkafka's"},
    {"kafka: {linger.ms: abc}", "c.yaml:1:20: kafka: linger.ms: Invalid value"},
    {"kafka: {security.protocol: foo}",
        "c.yaml:1:28: kafka: security.protocol: Invalid value \"foo\""},
    {"kafka: {sasl.password: hidden, linger.ms: -1}", "kafka: linger.ms: "},
    {"kafka: {message.max.bytes: 4194303}",
        "c.yaml:1:28: kafka: message.max.bytes: want at least 4194304"},
    {"zscore: [{}]", "c.yaml:1:10: column: is missing and has no default"},
    {"zscore: [{column: spans, histroy: 3}]", "unknown key \"histroy\"; did you mean \"history\"?"},
    {"zscore: [spans]", "c.yaml:1:10: zscore: want keys with values"},
    {"rules:", "c.yaml:1:1: rules: no value"},
    {"rules: [{name: a, when: spans > 1}, {name: a, when: errors > 2}]",
        "c.yaml:1:37: rules: two are called \"a\"; give one of them another name"},
};

static void every_refusal_says_where_and_what_would_be_right(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct config c;
        struct error err = {.text = ""};
        enum status status = config_load_bytes(&c, "c.yaml", bytes_of(refused[i].yaml), NULL, &err);
        if (status == ST_OK) fail_msg("%s was taken", refused[i].yaml);
        assert_int_equal(status, ST_FATAL);
        if (strstr(err.text, refused[i].want) == NULL)
            fail_msg("%s\ngave: %s\nwant: %s", refused[i].yaml, err.text, refused[i].want);
        assert_null(strstr(err.text, "hidden"));
    }
}

static bool takes_kafka(const char *key, const char *value)
{
    struct config c;
    struct error err;
    char yaml[200];
    snprintf(yaml, sizeof(yaml), "kafka: {%s: '%s'}", key, value);
    if (config_load_bytes(&c, "c.yaml", bytes_of(yaml), NULL, &err) != ST_OK)
        return strstr(err.text, "cannot be set here") == NULL;
    config_release(&c);
    return true;
}

/* librdkafka's own list says which settings have a second name. */
static void a_refused_setting_is_refused_under_its_other_names(void **unused)
{
    (void)unused;
    static const char mark[] = "Alias for `";
    char *text = NULL, *line, *rest;
    size_t bytes, aliases = 0;
    FILE *out = open_memstream(&text, &bytes);
    rd_kafka_conf_properties_show(out);
    fclose(out);
    for (rest = text; (line = strsep(&rest, "\n")) != NULL;) {
        char *name = strstr(line, mark);
        if (name == NULL) continue;
        name += strlen(mark);
        name[strcspn(name, "`")] = '\0';
        line[strcspn(line, " ")] = '\0';
        if (takes_kafka(line, "1") != takes_kafka(name, "1"))
            fail_msg("%s and %s are one setting", line, name);
        aliases++;
    }
    free(text);
    assert_true(aliases > 5);
}

static void a_large_enough_message_is_taken(void **unused)
{
    (void)unused;
    struct config c;
    load_text(
        &c, "kafka: {message.max.bytes: 4194304, linger.ms: 7, topic.compression.type: zstd}");
    assert_int_equal(c.kafka_settings, 3);
    config_release(&c);
}

static void a_bad_setting_says_that_it_is_from_the_command_line(void **unused)
{
    (void)unused;
    static const struct {
        const char *setting, *want;
    } bad[] = {
        {"lateness=x", "command line: lateness: \"x\" is not a duration"},
        {"kafka.linger.ms=abc", "command line: kafka: linger.ms: Invalid value"},
        {"kafka.no.such.key=1", "command line: kafka: unknown key \"no.such.key\""},
        {"latenes=1s", "command line: unknown key \"latenes\"; did you mean \"lateness\"?"},
        {"lateness", "command line: \"lateness\" is not key=value"},
        {"=1", "command line: \"=1\" is not key=value"},
        {"windows=[1m", "command line: not YAML"},
        {"max_ahead=1s", "command line: max_ahead: 1s is not more than lateness (30s)"},
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *const settings[] = {bad[i].setting, NULL};
        struct config c;
        struct error err = {.text = ""};
        assert_int_equal(config_load(&c, NULL, settings, &err), ST_FATAL);
        if (strstr(err.text, bad[i].want) != err.text)
            fail_msg("%s\ngave: %s\nwant: %s", bad[i].setting, err.text, bad[i].want);
    }
}

static void a_default_that_no_longer_fits_says_that_it_is_one(void **unused)
{
    (void)unused;
    struct config c;
    struct error err;
    assert_int_equal(
        config_load_bytes(&c, "c.yaml", bytes_of("pane: 7s\nallowed_lateness: 7m"), NULL, &err),
        ST_FATAL);
    assert_non_null(
        strstr(err.text, "built-in default: windows: 1m is not a whole number of panes"));
}

static void a_file_that_cannot_be_read_is_named(void **unused)
{
    (void)unused;
    struct config c;
    struct error err;
    assert_int_equal(config_load(&c, "/nonexistent/weir.yaml", NULL, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "/nonexistent/weir.yaml: cannot be read: No such file"));
    assert_int_equal(config_load(&c, "/", NULL, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "/: cannot be read: "));
}

static void a_failed_load_leaves_the_config_alone(void **unused)
{
    (void)unused;
    struct config c = {.pane_ns = 42};
    struct error err;
    assert_int_equal(config_load_bytes(&c, "x", bytes_of("pane: x"), NULL, &err), ST_FATAL);
    assert_int_equal(c.pane_ns, 42);
}

static void help_lists_every_key(void **unused)
{
    (void)unused;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    config_print_options(out);
    fclose(out);
    for (const struct option *o = config_options; o->key != NULL; o++) {
        assert_non_null(strstr(text, o->key));
        assert_non_null(strstr(text, o->help));
    }
    assert_non_null(strstr(text, "zscore"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_usable),
        cmocka_unit_test(the_sample_file_is_complete_and_says_the_defaults),
        cmocka_unit_test(the_example_of_receivers_loads),
        cmocka_unit_test(the_demo_file_loads),
        cmocka_unit_test(the_command_line_goes_before_the_file),
        cmocka_unit_test(a_link_to_a_trace_is_a_template),
        cmocka_unit_test(brokers_may_be_a_list),
        cmocka_unit_test(kafka_settings_pass_through_with_secrets_from_the_environment),
        cmocka_unit_test(kafka_settings_of_the_command_line_go_beside_and_before_the_files),
        cmocka_unit_test(operators_keep_the_order_of_the_file_zscore_first),
        cmocka_unit_test(scores_follow_the_history_unless_told),
        cmocka_unit_test(a_pane_of_a_minute_has_one_default_history),
        cmocka_unit_test(every_refusal_says_where_and_what_would_be_right),
        cmocka_unit_test(a_refused_setting_is_refused_under_its_other_names),
        cmocka_unit_test(a_large_enough_message_is_taken),
        cmocka_unit_test(a_bad_setting_says_that_it_is_from_the_command_line),
        cmocka_unit_test(a_default_that_no_longer_fits_says_that_it_is_one),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_failed_load_leaves_the_config_alone),
        cmocka_unit_test(help_lists_every_key),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
