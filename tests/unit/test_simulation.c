/*
 * The simulated shop: the same from the same seed, whole traces, and as ill-behaved as asked.
 *
 * Messages are read by protobuf-c, not by our own decoder.
 */
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "engine/simulation.h"
#include "otlp.pb-c.h"
#include "schemas/mask.h"
#include "schemas/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_NS (1700000000 * NS_PER_S)

/* One span as it was sent. */
struct seen {
    char service[64], name[64];
    uint64_t trace_id[2], span_id, parent_id;
    int64_t start_ns, end_ns, record_ms;
    int kind;
    bool failed;
    char error_type[64], message[160]; /* where it failed: exception or code, and status */
};

struct all {
    struct seen *span;
    size_t count, capacity;
    struct buffer bytes; /* of all messages, each with its timestamp before it */
    size_t messages;
    struct simulation_counts counts;
};

static uint64_t id_of(ProtobufCBinaryData id, size_t at)
{
    uint64_t value = 0;
    for (size_t i = at; i < at + 8 && i < id.len; i++) {
        value = value << 8 | id.data[i];
    }
    return value;
}

static const char *text_of(Weir__Otlp__KeyValue **attribute, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(attribute[i]->key, key) == 0) return attribute[i]->value->string_value;
    }
    return "";
}

/* Who served throws, who asked has a code; both say why in the status. */
static void see_error(struct seen *seen, const Weir__Otlp__Span *span)
{
    bool asked = seen->kind == KIND_CLIENT || seen->kind == KIND_PRODUCER;
    const char *type = text_of(span->attributes, span->n_attributes, "rpc.grpc.status_code");
    assert_int_equal(span->n_events, asked ? 0 : 1);
    if (!asked) {
        Weir__Otlp__KeyValue **attribute = span->events[0]->attributes;
        assert_string_equal(span->events[0]->name, "exception");
        type = text_of(attribute, 2, "exception.type");
        assert_string_equal(text_of(attribute, 2, "exception.message"), span->status->message);
    }
    assert_true(strlen(type) > 0 && strlen(span->status->message) > 0);
    snprintf(seen->error_type, sizeof(seen->error_type), "%s", type);
    snprintf(seen->message, sizeof(seen->message), "%s", span->status->message);
}

static void see(struct all *all, const char *service, const Weir__Otlp__Span *span, int64_t ms)
{
    if (all->count == all->capacity) {
        all->capacity = all->capacity == 0 ? 4096 : 2 * all->capacity;
        all->span = memory_resize(all->span, all->capacity, sizeof(*all->span));
    }
    struct seen *seen = &all->span[all->count++];
    *seen = (struct seen){
        .trace_id = {id_of(span->trace_id, 0), id_of(span->trace_id, 8)},
        .span_id = id_of(span->span_id, 0),
        .parent_id = id_of(span->parent_span_id, 0),
        .start_ns = (int64_t)span->start_time_unix_nano,
        .end_ns = (int64_t)span->end_time_unix_nano,
        .record_ms = ms,
        .kind = (int)span->kind,
        .failed = span->status != NULL && span->status->code == 2,
    };
    if (seen->failed) see_error(seen, span);
    assert_int_equal(span->trace_id.len, 16);
    assert_int_equal(span->span_id.len, 8);
    snprintf(seen->service, sizeof(seen->service), "%s", service);
    snprintf(seen->name, sizeof(seen->name), "%s", span->name);
}

static void see_message(struct all *all, const struct simulation_message *message)
{
    Weir__Otlp__TracesData *data =
        weir__otlp__traces_data__unpack(NULL, message->value.size, message->value.data);
    assert_non_null(data);
    size_t before = all->count;
    for (size_t r = 0; r < data->n_resource_spans; r++) {
        const Weir__Otlp__ResourceSpans *resource = data->resource_spans[r];
        assert_string_equal(resource->resource->attributes[0]->key, "service.name");
        const char *service = resource->resource->attributes[0]->value->string_value;
        assert_int_equal(resource->n_scope_spans, 1);
        for (size_t i = 0; i < resource->scope_spans[0]->n_spans; i++) {
            see(all, service, resource->scope_spans[0]->spans[i], message->timestamp_ms);
        }
    }
    assert_int_equal(all->count - before, message->spans);
    weir__otlp__traces_data__free_unpacked(data, NULL);
}

static void take(struct all *all, struct simulation *simulation, int64_t until_ns)
{
    struct simulation_message message;
    while (simulation_next(simulation, until_ns, &message)) {
        buffer_append(&all->bytes, &message.timestamp_ms, sizeof(message.timestamp_ms));
        buffer_append(&all->bytes, message.value.data, message.value.size);
        see_message(all, &message);
        all->messages++;
    }
}

static struct simulation *simulate(const char *text, const struct simulation_options *options)
{
    struct error err = {0};
    struct simulation *simulation = NULL;
    enum status status = text == NULL
                             ? simulation_open(&simulation, NULL, options, &err)
                             : simulation_read(&simulation, bytes_of(text), "test", options, &err);
    if (status != ST_OK) fail_msg("%s", err.text);
    return simulation;
}

static struct simulation_options options_from(uint64_t seed)
{
    struct simulation_options options = simulation_usual();
    options.seed = seed;
    options.from_ns = START_NS;
    options.reference_ns = START_NS;
    return options;
}

/* All of a run of so many seconds, asked for in pieces of `step_ns`. */
static struct all run(
    const char *text, const struct simulation_options *options, int64_t seconds, int64_t step_ns)
{
    struct all all = {0};
    struct simulation *simulation = simulate(text, options);
    int64_t end_ns = options->from_ns + seconds * NS_PER_S;
    for (int64_t at = options->from_ns; at < end_ns; at += step_ns) {
        take(&all, simulation, at);
    }
    take(&all, simulation, end_ns);
    all.counts = *simulation_counts(simulation);
    simulation_close(simulation);
    assert_int_equal(all.counts.spans, all.count);
    assert_int_equal(all.counts.messages, all.messages);
    return all;
}

static void all_release(struct all *all)
{
    free(all->span);
    buffer_release(&all->bytes);
}

static void the_same_seed_gives_the_same_bytes(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(7);
    options.share[DEVIATION_LATE] = 0.05;
    struct all once = run(NULL, &options, 60, 60 * NS_PER_S);
    struct all again = run(NULL, &options, 60, 777 * NS_PER_MS);
    assert_true(once.count > 1000);
    assert_true(bytes_equal(buffer_bytes(&once.bytes), buffer_bytes(&again.bytes)));

    options.seed = 8;
    struct all other = run(NULL, &options, 60, 60 * NS_PER_S);
    assert_false(bytes_equal(buffer_bytes(&once.bytes), buffer_bytes(&other.bytes)));
    all_release(&once);
    all_release(&again);
    all_release(&other);
}

static void a_record_is_as_old_as_its_newest_span(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(1);
    struct all all = run(NULL, &options, 30, NS_PER_S);
    int64_t before_ms = 0, newest_ns = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct seen *span = &all.span[i];
        assert_true(span->record_ms >= before_ms);
        before_ms = span->record_ms;
        newest_ns = span->end_ns > newest_ns ? span->end_ns : newest_ns;
        bool last = i + 1 == all.count || all.span[i + 1].record_ms != span->record_ms;
        if (last) assert_int_equal(newest_ns / NS_PER_MS, span->record_ms);
        if (last) newest_ns = 0;
    }
    all_release(&all);
}

static int order_by_id(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return x->span_id < y->span_id ? -1 : x->span_id > y->span_id;
}

static const struct seen *find(const struct all *all, uint64_t span_id)
{
    const struct seen key = {.span_id = span_id};
    return bsearch(&key, all->span, all->count, sizeof(*all->span), order_by_id);
}

static void check_child(const struct seen *child, const struct seen *parent)
{
    assert_memory_equal(child->trace_id, parent->trace_id, sizeof(child->trace_id));
    assert_true(child->start_ns >= parent->start_ns);
    if (child->kind == KIND_SERVER) {
        assert_int_equal(parent->kind, KIND_CLIENT);
        assert_string_not_equal(parent->service, child->service);
        assert_string_equal(parent->name, child->name);
        assert_true(child->end_ns <= parent->end_ns);
        assert_int_equal(child->failed, parent->failed);
    } else if (child->kind == KIND_CONSUMER) {
        assert_int_equal(parent->kind, KIND_PRODUCER);
        assert_true(child->start_ns >= parent->end_ns);
    } else {
        assert_true(parent->kind == KIND_SERVER || parent->kind == KIND_CONSUMER);
        assert_string_equal(parent->service, child->service);
        assert_true(child->end_ns <= parent->end_ns);
    }
}

/* Of requests that began in the first half, so that all of their spans have come by the end. */
static void spans_form_whole_traces(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(3);
    struct all all = run(NULL, &options, 120, 120 * NS_PER_S);
    qsort(all.span, all.count, sizeof(*all.span), order_by_id);
    size_t kinds[KIND_COUNT] = {0}, roots = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct seen *span = &all.span[i];
        assert_true(i == 0 || span->span_id != all.span[i - 1].span_id);
        assert_true(span->end_ns >= span->start_ns);
        kinds[span->kind]++;
        if (span->parent_id == 0) {
            assert_int_equal(span->kind, KIND_SERVER);
            assert_string_equal(span->service, "frontend");
            roots++;
        } else if (span->start_ns < START_NS + 60 * NS_PER_S) {
            const struct seen *parent = find(&all, span->parent_id);
            assert_non_null(parent);
            check_child(span, parent);
        }
    }
    assert_true(roots > 100);
    assert_true(kinds[KIND_CLIENT] > 100 && kinds[KIND_PRODUCER] > 10 && kinds[KIND_CONSUMER] > 10);
    all_release(&all);
}

static void assert_share(double share, uint64_t some, size_t whole)
{
    double got = (double)some / (double)whole;
    if (got < 0.85 * share || got > 1.15 * share)
        fail_msg("got a share of %g, want %g", got, share);
}

static void spans_misbehave_as_often_as_asked(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(11);
    options.share[DEVIATION_LATE] = 0.05;
    options.share[DEVIATION_OUT_OF_ORDER] = 0.02;
    options.share[DEVIATION_SKEWED] = 0.01;
    options.share[DEVIATION_BAD_IDS] = 0.01;
    options.rate = 3;
    struct all all = run(NULL, &options, 1200, 1200 * NS_PER_S);

    uint64_t late = 0, behind = 0, ahead = 0, bad = 0;
    for (size_t i = 0; i < all.count; i++) {
        const struct seen *span = &all.span[i];
        int64_t after_ns = span->record_ms * NS_PER_MS - span->end_ns;
        if (after_ns >= 34 * NS_PER_S)
            late++;
        else if (after_ns > 1500 * NS_PER_MS)
            behind++;
        else if (after_ns < -4 * NS_PER_S)
            ahead++;
        if ((span->trace_id[0] == 0 && span->trace_id[1] == 0) || span->span_id == 0) bad++;
    }
    assert_true(all.count > 100000);
    assert_int_equal(late, all.counts.deviated[DEVIATION_LATE]);
    assert_int_equal(behind, all.counts.deviated[DEVIATION_OUT_OF_ORDER]);
    assert_int_equal(ahead, all.counts.deviated[DEVIATION_SKEWED]);
    assert_int_equal(bad, all.counts.deviated[DEVIATION_BAD_IDS]);
    assert_share(
        0.05 * 1063 / 1200, late, all.count); /* 137 s late on average: the last ones lack */
    assert_share(0.02, behind, all.count);
    assert_share(0.01, ahead, all.count);
    assert_share(0.01, bad, all.count);
    all_release(&all);
}

static const char two_services[] =
    "network: 1ms\n"
    "collectors: 1\n"
    "services:\n"
    "  a: {operations: {ask: {latency: 2ms, spread: 0, calls: [b answer, {to: b maybe, optional: "
    "true}]}}}\n"
    "  b: {operations: {answer: {latency: 10ms, spread: 0}, maybe: {latency: 10ms, spread: 0}}}\n"
    "entries: [{to: a ask, rate: 20}]\n";

struct tally {
    uint64_t spans, failed, slow;
};

static struct tally tally(const struct all *all, const char *name, int kind, int64_t from_s,
    int64_t to_s, int64_t slow_ns)
{
    struct tally tally = {0};
    for (size_t i = 0; i < all->count; i++) {
        const struct seen *span = &all->span[i];
        if (strcmp(span->name, name) != 0 || span->kind != kind) continue;
        if (span->start_ns < START_NS + from_s * NS_PER_S) continue;
        if (span->start_ns >= START_NS + to_s * NS_PER_S) continue;
        tally.spans++;
        tally.failed += span->failed;
        tally.slow += span->end_ns - span->start_ns >= slow_ns;
    }
    return tally;
}

static void a_fault_does_what_it_says_while_it_holds(void **unused)
{
    (void)unused;
    const struct simulation_fault fault = {
        .service = "b",
        .operation = "answer",
        .from_ns = 10 * NS_PER_S,
        .to_ns = 20 * NS_PER_S,
        .every_ns = 40 * NS_PER_S,
        .latency = 5,
        .errors = 1,
    };
    struct error err;
    struct simulation_options options = options_from(5);
    options.from_ns = START_NS - 40 * NS_PER_S;
    struct simulation *simulation = simulate(two_services, &options);
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_OK);
    struct all all = {0};
    take(&all, simulation, START_NS + 80 * NS_PER_S);
    simulation_close(simulation);

    const int64_t well[][2] = {{-40, -30}, {-20, 10}, {20, 50}}, ill[][2] = {{-30, -20}, {10, 20}};
    const int64_t slow_ns = 49 * NS_PER_MS;
    for (size_t i = 0; i < 3; i++) {
        struct tally t = tally(&all, "answer", KIND_SERVER, well[i][0], well[i][1], 11 * NS_PER_MS);
        assert_true(t.spans > 50 && t.failed == 0 && t.slow == 0);
    }
    for (size_t i = 0; i < 2; i++) {
        struct tally t = tally(&all, "answer", KIND_SERVER, ill[i][0], ill[i][1], slow_ns);
        assert_true(t.spans > 50 && t.failed == t.spans && t.slow == t.spans);
        /* The failed call fails its caller, who does not make the next call. */
        t = tally(&all, "ask", KIND_SERVER, ill[i][0], ill[i][1] - 1, slow_ns);
        assert_true(t.spans > 50 && t.failed == t.spans);
        t = tally(&all, "maybe", KIND_SERVER, ill[i][0] + 1, ill[i][1], 0);
        assert_int_equal(t.spans, 0);
    }
    all_release(&all);
}

/* How many different texts there are among `count`. */
static size_t different(char (*text)[256], size_t count)
{
    size_t kinds = 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;
        while (before < i && strcmp(text[before], text[i]) != 0)
            before++;
        kinds += before == i;
    }
    return kinds;
}

/* Literals differ from span to span; without them an operation fails in three ways on either side. */
static void failures_are_of_a_few_kinds_with_many_literals(void **unused)
{
    (void)unused;
    enum { MOST = 400 };
    static char said[MOST][256], masked[MOST][256];
    const struct simulation_fault fault = {
        .service = "b", .operation = "answer", .to_ns = 60 * NS_PER_S, .latency = 1, .errors = 1};
    static const struct {
        const char *name;
        int kind;
    } sides[] = {{"answer", KIND_SERVER}, {"answer", KIND_CLIENT}, {"ask", KIND_SERVER}};
    struct error err;
    struct simulation_options options = options_from(5);
    struct simulation *simulation = simulate(two_services, &options);
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_OK);
    struct all all = {0};
    take(&all, simulation, START_NS + 20 * NS_PER_S);
    simulation_close(simulation);
    for (size_t s = 0; s < 3; s++) {
        size_t count = 0;
        for (size_t i = 0; i < all.count && count < MOST; i++) {
            const struct seen *span = &all.span[i];
            if (strcmp(span->name, sides[s].name) != 0 || span->kind != sides[s].kind) continue;
            assert_true(span->failed);
            uint8_t out[MASK_BYTES_MAX];
            size_t bytes = mask_literals(bytes_of(span->message), out);
            snprintf(said[count], sizeof(said[count]), "%s %s", span->error_type, span->message);
            snprintf(masked[count++], sizeof(masked[0]), "%s %.*s", span->error_type, (int)bytes,
                (const char *)out);
        }
        assert_true(count > 100);
        assert_int_equal(different(masked, count), 3);
        assert_true(different(said, count) > count / 2);
    }
    all_release(&all);
}

static void an_optional_call_may_fail(void **unused)
{
    (void)unused;
    const struct simulation_fault fault = {
        .service = "b", .operation = "maybe", .to_ns = 60 * NS_PER_S, .latency = 1, .errors = 1};
    struct error err;
    struct simulation_options options = options_from(5);
    struct simulation *simulation = simulate(two_services, &options);
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_OK);
    struct all all = {0};
    take(&all, simulation, START_NS + 20 * NS_PER_S);
    simulation_close(simulation);
    struct tally call = tally(&all, "maybe", KIND_CLIENT, 0, 20, 0);
    struct tally caller = tally(&all, "ask", KIND_SERVER, 0, 20, 0);
    assert_true(call.spans > 100 && call.failed == call.spans);
    assert_true(caller.spans > 100 && caller.failed == 0);
    all_release(&all);
}

static void a_fault_of_nobody_is_refused(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(1);
    struct simulation *simulation = simulate(two_services, &options);
    struct simulation_fault fault = {.service = "c", .to_ns = 1, .latency = 1};
    struct error err = {0};
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "a fault of c"));
    fault.service = "b";
    fault.operation = "nothing";
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_FATAL);
    fault.operation = NULL;
    for (int i = 0; i < TOPOLOGY_FAULTS_MAX; i++) {
        assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_OK);
    }
    assert_int_equal(simulation_add_fault(simulation, &fault, &err), ST_FATAL);
    simulation_close(simulation);
}

static void the_rate_multiplies_the_requests(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(2);
    struct all usual = run(two_services, &options, 100, 100 * NS_PER_S);
    options.rate = 10;
    struct all more = run(two_services, &options, 100, 100 * NS_PER_S);
    assert_in_range(usual.counts.requests, 1800, 2200);
    assert_in_range(more.counts.requests, 19000, 21000);
    all_release(&usual);
    all_release(&more);
}

static int order_by_name(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void names_are_as_many_as_asked(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(2);
    options.names = 100;
    struct all all = run(two_services, &options, 60, 60 * NS_PER_S);
    qsort(all.span, all.count, sizeof(*all.span), order_by_name);
    size_t names = 1;
    for (size_t i = 1; i < all.count; i++) {
        names += strcmp(all.span[i].name, all.span[i - 1].name) != 0;
    }
    assert_int_equal(names, 100);
    all_release(&all);
}

static void messages_hold_no_more_spans_than_allowed(void **unused)
{
    (void)unused;
    static const char text[] = "batch_spans: 7\n"
                               "collectors: 2\n"
                               "services: {a: {operations: {x: {latency: 1ms}}}}\n"
                               "entries: [{to: a x, rate: 100}]\n";
    struct simulation_options options = options_from(1);
    struct simulation *simulation = simulate(text, &options);
    struct simulation_message message;
    size_t full = 0;
    while (simulation_next(simulation, START_NS + 20 * NS_PER_S, &message)) {
        assert_in_range(message.spans, 1, 7);
        full += message.spans == 7;
    }
    assert_true(full > 200);
    simulation_close(simulation);
}

static void too_many_waiting_spans_leave_requests_out(void **unused)
{
    (void)unused;
    static const char text[] = "services: {a: {operations: {x: {latency: 1us}}}}\n"
                               "entries: [{to: a x, rate: 1e6}]\n"
                               "late: {share: 1, from: 1h, to: 2h}\n";
    struct simulation_options options = options_from(1);
    struct simulation *simulation = simulate(text, &options);
    struct simulation_message message;
    assert_false(simulation_next(simulation, START_NS + 3 * NS_PER_S, &message));
    const struct simulation_counts *counts = simulation_counts(simulation);
    assert_in_range(counts->requests, SIMULATION_PENDING_MAX - TOPOLOGY_REQUEST_SPANS_MAX,
        SIMULATION_PENDING_MAX);
    assert_in_range(counts->requests + counts->requests_left_out, 2950000, 3050000);
    simulation_close(simulation);
}

static void the_built_in_shop_is_the_one_in_config(void **unused)
{
    (void)unused;
    static char text[1 << 16];
    FILE *file = fopen("config/shop.yaml", "rb");
    assert_non_null(file);
    size_t bytes = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[bytes] = '\0';
    assert_string_equal(text, topology_shop);
}

#define SERVICES "services: {a: {operations: {x: {latency: 1ms}}}}\n"
#define ENTRIES  "entries: [{to: a x, rate: 1}]\n"

static const struct {
    const char *text, *says;
} wrong[] = {
    {"", "services: is missing"},
    {SERVICES, "entries: is missing"},
    {SERVICES "entries: []", "nobody asks for anything"},
    {SERVICES "entries: [{to: a y, rate: 1}]", "service a has no operation \"y\""},
    {SERVICES "entries: [{to: b x, rate: 1}]", "test:2:11: to: there is no service \"b\""},
    {SERVICES "entries: [{to: ax, rate: 1}]", "\"ax\" is not `service operation`, as in `a x`"},
    {SERVICES "entries: [{to: a x, rate: 0}]", "rate: 0 is out of range"},
    {SERVICES "entries: {a: 1}", "want a list of at most 32"},
    {SERVICES ENTRIES "colectors: 2", "did you mean \"collectors\"?"},
    {SERVICES ENTRIES "collectors: 17", "collectors: 17 is out of range, want 1 to 16"},
    {SERVICES ENTRIES "batch: 0", "batch: 0 is out of range"},
    {SERVICES ENTRIES "batch_spans: 9000", "want 1 to 8192"},
    {SERVICES ENTRIES "late: {share: 2}", "late: 2 is out of range"},
    {SERVICES ENTRIES "late: {share: 60%}\nskewed: {share: 60%}", "together are 1.2 of the spans"},
    {SERVICES ENTRIES "late: {share: 5%, from: 2h}", "`to` is less than `from`"},
    {SERVICES ENTRIES "faults: [{service: b, from: 0, to: 1m}]", "there is no service \"b\""},
    {SERVICES ENTRIES "faults: [{service: a, operation: y, from: 0, to: 1m}]",
        "no operation \"y\""},
    {SERVICES ENTRIES "faults: [{service: a, from: 1m, to: 1m}]", "ends before it begins"},
    {SERVICES ENTRIES "faults: [{service: a, from: 1m, to: 3m, every: 2m}]", "before it is over"},
    {SERVICES ENTRIES "faults: [{service: a, from: 0, to: 1m, latency: 0}]", "latency: 0 is out"},
    {SERVICES ENTRIES "faults: [{service: a, from: 0, to: 1m, errors: 2}]", "errors: 2 is out"},
    {"services: {a: {operations: {x: {latency: 0}}}}\n" ENTRIES, "latency: want more than 0"},
    {"services: {a: {operations: {x: {errors: 5%}}}}\n" ENTRIES, "latency: is missing"},
    {"services: {a: {operations: {x: {latency: 1ms, errors: 101%}}}}\n" ENTRIES, "errors: 1.01"},
    {"services: {a: {operations: {x: {latency: 1ms, calls: [a x]}}}}\n" ENTRIES, "calling itself"},
    {"services: {a: {operations: {x: {latency: 1ms, calls: [{to: a y, times: 101}]}}}}\n" ENTRIES,
        "has no operation \"y\""},
    {"services: {a: {operations: {x: {latency: 1ms, calls: [{to: a y, times: 101}]}, y: {latency: "
     "1ms}}}}\n" ENTRIES,
        "times: 101 is out of range"},
    {"services: {a: {operations: {x: {latency: 1ms, calls: [{to: a y, times: 100}]}, y: {latency: "
     "1ms, calls: [{to: a z, times: 9}]}, z: {latency: 1ms}}}}\n" ENTRIES,
        "up to 2001 spans"},
    {"services: {a b: {operations: {x: {latency: 1ms}}}}\n" ENTRIES, "holds no space"},
    {"services: {a: {operations: {}}}\n" ENTRIES, "operations: want a map"},
    {"services: {a: {attributes: {k: [1]}, operations: {x: {latency: 1ms}}}}\n" ENTRIES,
        "an attribute is one text"},
    {"services: [a]\n" ENTRIES, "services: want a map"},
};

static void a_wrong_topology_is_refused_with_the_reason(void **unused)
{
    (void)unused;
    struct simulation_options options = options_from(1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {0};
        struct simulation *simulation = NULL;
        enum status status =
            simulation_read(&simulation, bytes_of(wrong[i].text), "test", &options, &err);
        if (status != ST_FATAL || strstr(err.text, wrong[i].says) == NULL)
            fail_msg("\"%s\" gives \"%s\", want \"%s\"", wrong[i].text, err.text, wrong[i].says);
    }
}

static void a_wrong_option_is_refused(void **unused)
{
    (void)unused;
    struct simulation *simulation = NULL;
    struct error err = {0};
    struct simulation_options options = options_from(1);
    options.rate = 0;
    assert_int_equal(simulation_open(&simulation, NULL, &options, &err), ST_FATAL);
    options = options_from(1);
    options.share[DEVIATION_SKEWED] = 1.5;
    assert_int_equal(simulation_open(&simulation, NULL, &options, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "skewed"));
    options.share[DEVIATION_SKEWED] = 0.6;
    options.share[DEVIATION_LATE] = 0.6;
    assert_int_equal(simulation_open(&simulation, NULL, &options, &err), ST_FATAL);
    options = options_from(1);
    assert_int_equal(simulation_open(&simulation, "no/such/file", &options, &err), ST_FATAL);
    assert_non_null(strstr(err.text, "no/such/file: cannot be opened"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(a_record_is_as_old_as_its_newest_span),
        cmocka_unit_test(spans_form_whole_traces),
        cmocka_unit_test(spans_misbehave_as_often_as_asked),
        cmocka_unit_test(a_fault_does_what_it_says_while_it_holds),
        cmocka_unit_test(failures_are_of_a_few_kinds_with_many_literals),
        cmocka_unit_test(an_optional_call_may_fail),
        cmocka_unit_test(a_fault_of_nobody_is_refused),
        cmocka_unit_test(the_rate_multiplies_the_requests),
        cmocka_unit_test(names_are_as_many_as_asked),
        cmocka_unit_test(messages_hold_no_more_spans_than_allowed),
        cmocka_unit_test(too_many_waiting_spans_leave_requests_out),
        cmocka_unit_test(the_built_in_shop_is_the_one_in_config),
        cmocka_unit_test(a_wrong_topology_is_refused_with_the_reason),
        cmocka_unit_test(a_wrong_option_is_refused),
    };
    return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
