/*
 * The simulation in time: who asks when, and which spans a collector sends together.
 */
#include "engine/simulation.h"

#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/base/node.h"
#include "engine/simulation_error.h"
#include "engine/simulation_maker.h"
#include "engine/simulation_queue.h"
#include "schemas/otlp_write.h"
#include "schemas/span.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>

enum { NAME_TEXT_BYTES = 32 };

/* A message that is due: spans picked[first .. first + count), sent when the newest had arrived. */
struct parcel {
    int64_t newest_ns;
    uint32_t collector;
    size_t first, count;
};

struct simulation {
    struct topology *topology;
    struct simulation_options options;
    struct simulation_maker maker;
    struct simulation_queue queue;
    gsl_rng *arrivals;
    int64_t next_ns[TOPOLOGY_ENTRIES_MAX]; /* the next request of each entry */
    int64_t due_ns;                        /* end of the open batch */
    int64_t batch_ns;

    struct simulation_span *due; /* of the last batch, in order of arrival */
    size_t dues, due_capacity;
    uint32_t *picked; /* [due_capacity] the same, by collector */
    struct parcel *parcel;
    size_t parcels, parcel_capacity, parcel_next;
    struct buffer value;
    struct simulation_counts counts;
};

struct simulation_options simulation_usual(void)
{
    struct simulation_options options = {.seed = 1, .rate = 1};
    for (int i = 0; i < DEVIATIONS; i++) {
        options.share[i] = -1;
    }
    return options;
}

static int64_t wait_ns(const struct simulation *s, const struct topology_entry *entry)
{
    double mean_ns = 1e9 / (entry->rate_per_s * s->options.rate);
    return (int64_t)gsl_ran_exponential(s->arrivals, mean_ns);
}

static enum status check_options(const struct simulation_options *options, struct error *err)
{
    double sum = 0;
    for (int i = 0; i < DEVIATIONS; i++) {
        if (!(options->share[i] <= 1))
            return error_set(err, ST_FATAL, 0, "simulation: a share of %g spans %s, want 0 to 1",
                options->share[i], deviation_name[i]);
        if (options->share[i] > 0) sum += options->share[i];
    }
    if (sum > 1)
        return error_set(err, ST_FATAL, 0,
            "simulation: late, out of order, skewed and bad ids together are %g of the spans, want "
            "at most 1",
            sum);
    if (!(options->rate >= 1e-6 && options->rate <= 1e6))
        return error_set(err, ST_FATAL, 0,
            "simulation: a rate of %g times the usual, want 1e-6 to 1e6", options->rate);
    return ST_OK;
}

/* Seeds are mixed first, so that neighbours have nothing in common. */
static gsl_rng *random_from(uint64_t seed, uint64_t stream)
{
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    uint64_t mixed = hash_mix(seed, stream);
    gsl_rng_set(random, (unsigned long)(mixed & UINT32_MAX) | 1);
    return random;
}

static void maker_init(struct simulation *s)
{
    s->maker = (struct simulation_maker){
        .topology = s->topology,
        .queue = &s->queue,
        .random = random_from(s->options.seed, 1),
        .reference_ns = s->options.reference_ns,
        .names = s->options.names,
    };
    for (int i = 0; i < DEVIATIONS; i++) {
        double asked = s->options.share[i];
        s->maker.share[i] = asked < 0 ? s->topology->deviation[i].share : asked;
    }
}

enum status simulation_read(struct simulation **out, struct bytes text, const char *origin,
    const struct simulation_options *options, struct error *err)
{
    struct topology *topology;
    enum status status = check_options(options, err);
    if (status == ST_OK) status = topology_read(&topology, text, origin, err);
    if (status != ST_OK) return status;

    struct simulation *s = memory_zeroed(1, sizeof(*s));
    s->topology = topology;
    s->options = *options;
    s->batch_ns = options->batch_ns > 0 ? options->batch_ns : topology->batch_ns;
    s->due_ns = options->from_ns + s->batch_ns;
    s->arrivals = random_from(options->seed, 2);
    maker_init(s);
    for (uint32_t i = 0; i < topology->entries; i++) {
        s->next_ns[i] = options->from_ns + wait_ns(s, &topology->entry[i]);
    }
    *out = s;
    return ST_OK;
}

static enum status text_load(const char *path, struct buffer *text, struct error *err)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set(err, ST_FATAL, errno, "%s: cannot be opened: %s", path, strerror(errno));
    size_t got =
        fread(buffer_room(text, NODE_INPUT_BYTES_MAX + 1), 1, NODE_INPUT_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    int why = errno;
    fclose(file);
    if (failed) return error_set(err, ST_FATAL, why, "%s: cannot be read: %s", path, strerror(why));
    text->size += got;
    return ST_OK;
}

enum status simulation_open(struct simulation **out, const char *path,
    const struct simulation_options *options, struct error *err)
{
    if (path == NULL)
        return simulation_read(out, bytes_of(topology_shop), "the built-in shop", options, err);
    struct buffer text = {0};
    enum status status = text_load(path, &text, err);
    if (status == ST_OK) status = simulation_read(out, buffer_bytes(&text), path, options, err);
    buffer_release(&text);
    return status;
}

enum status simulation_add_fault(
    struct simulation *s, const struct simulation_fault *fault, struct error *err)
{
    struct topology *topology = s->topology;
    int service = topology_service(topology, fault->service);
    int operation = service < 0 || fault->operation == NULL
                        ? 0
                        : topology_operation(topology, (uint32_t)service, fault->operation);
    if (service < 0 || operation < 0)
        return error_set(err, ST_FATAL, 0, "simulation: a fault of %s %s, which is not there",
            fault->service, fault->operation == NULL ? "" : fault->operation);
    if (topology->faults == TOPOLOGY_FAULTS_MAX)
        return error_set(err, ST_FATAL, 0, "simulation: more than %d faults", TOPOLOGY_FAULTS_MAX);
    topology->fault[topology->faults++] = (struct topology_fault){
        .service = (uint32_t)service,
        .operation = fault->operation == NULL ? FAULT_ANY_OPERATION : (uint32_t)operation,
        .from_ns = fault->from_ns,
        .to_ns = fault->to_ns,
        .every_ns = fault->every_ns,
        .latency = fault->latency,
        .errors = fault->errors,
    };
    return ST_OK;
}

/* The entry that is asked next. */
static uint32_t entry_next(const struct simulation *s)
{
    uint32_t next = 0;
    for (uint32_t i = 1; i < s->topology->entries; i++) {
        if (s->next_ns[i] < s->next_ns[next]) next = i;
    }
    return next;
}

/* Let everyone ask who does so before the open batch ends. */
static void requests_make(struct simulation *s)
{
    for (;;) {
        uint32_t i = entry_next(s);
        if (s->next_ns[i] >= s->due_ns) return;
        const struct topology_entry *entry = &s->topology->entry[i];
        if (s->queue.count + TOPOLOGY_REQUEST_SPANS_MAX > SIMULATION_PENDING_MAX) {
            s->counts.requests_left_out++;
        } else {
            s->counts.requests++;
            simulation_maker_request(&s->maker, entry->operation, s->next_ns[i]);
        }
        s->next_ns[i] += wait_ns(s, entry);
    }
}

static void dues_take(struct simulation *s)
{
    s->dues = 0;
    struct simulation_span span;
    while (simulation_queue_pop(&s->queue, s->due_ns, &span)) {
        if (s->dues == s->due_capacity) {
            s->due_capacity = s->due_capacity == 0 ? 1024 : 2 * s->due_capacity;
            s->due = memory_resize(s->due, s->due_capacity, sizeof(*s->due));
            s->picked = memory_resize(s->picked, s->due_capacity, sizeof(*s->picked));
        }
        s->due[s->dues++] = span;
    }
}

static struct parcel *parcel_add(struct simulation *s, uint32_t collector, size_t first)
{
    if (s->parcels == s->parcel_capacity) {
        s->parcel_capacity = s->parcel_capacity == 0 ? 16 : 2 * s->parcel_capacity;
        s->parcel = memory_resize(s->parcel, s->parcel_capacity, sizeof(*s->parcel));
    }
    struct parcel *parcel = &s->parcel[s->parcels++];
    *parcel = (struct parcel){.collector = collector, .first = first};
    return parcel;
}

static int parcel_order(const void *a, const void *b)
{
    const struct parcel *x = a, *y = b;
    if (x->newest_ns != y->newest_ns) return x->newest_ns < y->newest_ns ? -1 : 1;
    if (x->collector != y->collector) return x->collector < y->collector ? -1 : 1;
    return x->first < y->first ? -1 : 1;
}

/* Cut what is due by collector, then by number of spans, then order it by when it is sent. */
static void parcels_pack(struct simulation *s)
{
    size_t packed = 0;
    s->parcels = 0;
    s->parcel_next = 0;
    for (uint32_t collector = 0; collector < s->topology->collectors; collector++) {
        struct parcel *open = NULL;
        for (size_t i = 0; i < s->dues; i++) {
            if (s->due[i].service % s->topology->collectors != collector) continue;
            if (open == NULL || open->count == s->topology->batch_spans)
                open = parcel_add(s, collector, packed);
            s->picked[packed++] = (uint32_t)i;
            open->count++;
            open->newest_ns = s->due[i].arrival_ns;
        }
    }
    if (s->parcels > 0) qsort(s->parcel, s->parcels, sizeof(*s->parcel), parcel_order);
}

static void id_write(uint8_t *out, uint64_t id)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(id >> (56 - 8 * i));
    }
}

/* Every second bad span has no trace id, the others have no span id. */
static void ids_write(const struct simulation_span *span, struct otlp_span *out)
{
    bool bad = span->deviation == DEVIATION_BAD_IDS;
    bool bad_trace = bad && span->number % 2 == 0, bad_span = bad && span->number % 2 == 1;
    id_write(out->trace_id, bad_trace ? 0 : span->trace_id[0]);
    id_write(out->trace_id + 8, bad_trace ? 0 : span->trace_id[1]);
    id_write(out->span_id, bad_span ? 0 : span->span_id);
    id_write(out->parent_id, span->parent_id);
}

static void span_write(struct simulation *s, const struct simulation_span *span)
{
    const struct topology_operation *operation = &s->topology->operation[span->operation];
    struct otlp_attribute attribute[TOPOLOGY_ATTRIBUTES_MAX + 2];
    struct simulation_error error;
    size_t attributes = operation->attributes;
    for (size_t i = 0; i < attributes; i++) {
        attribute[i] = operation->attribute[i];
    }
    if (span->kind == KIND_CLIENT || span->kind == KIND_PRODUCER) {
        const char *peer = s->topology->service[operation->service].name;
        attribute[attributes++] = (struct otlp_attribute){bytes_of("peer.service"), bytes_of(peer)};
    }
    if (span->failed) simulation_error_make(s->topology, span, &error);
    if (span->failed && error.asked) attribute[attributes++] = error.code;
    char name[NAME_TEXT_BYTES];
    snprintf(name, sizeof(name), "random-%016llx",
        (unsigned long long)hash_mix(span->name, s->options.seed));
    struct otlp_span out = {
        .name = bytes_of(span->name == 0 ? operation->name : name),
        .kind = span->kind,
        .start_ns = span->start_ns,
        .end_ns = span->end_ns,
        .failed = span->failed,
        .status_message = span->failed ? bytes_of(error.message) : (struct bytes){0},
        .exception = span->failed && !error.asked ? &error.exception : NULL,
        .attribute = attribute,
        .attributes = attributes,
    };
    ids_write(span, &out);
    otlp_write_span(&s->value, &out);
}

/* One ResourceSpans for each service that the parcel has spans of. */
static void parcel_write(struct simulation *s, const struct parcel *parcel)
{
    buffer_reset(&s->value);
    for (uint32_t i = 0; i < s->topology->services; i++) {
        const struct topology_service *service = &s->topology->service[i];
        struct otlp_resource open;
        bool opened = false;
        for (size_t n = 0; n < parcel->count; n++) {
            const struct simulation_span *span = &s->due[s->picked[parcel->first + n]];
            if (span->service != i) continue;
            if (!opened)
                otlp_resource_open(&s->value, bytes_of(service->name), service->attribute,
                    service->attributes, &open);
            opened = true;
            span_write(s, span);
            if (span->deviation < DEVIATIONS) s->counts.deviated[span->deviation]++;
        }
        if (opened) otlp_resource_close(&s->value, &open);
    }
}

bool simulation_next(struct simulation *s, int64_t until_ns, struct simulation_message *message)
{
    while (s->parcel_next == s->parcels) {
        if (s->due_ns > until_ns) return false;
        requests_make(s);
        dues_take(s);
        parcels_pack(s);
        s->due_ns += s->batch_ns;
    }
    const struct parcel *parcel = &s->parcel[s->parcel_next++];
    parcel_write(s, parcel);
    s->counts.messages++;
    s->counts.spans += parcel->count;
    *message = (struct simulation_message){
        .timestamp_ms = parcel->newest_ns / NS_PER_MS,
        .value = buffer_bytes(&s->value),
        .spans = (uint32_t)parcel->count,
    };
    return true;
}

int64_t simulation_due_ns(const struct simulation *s)
{
    return s->due_ns;
}

const struct simulation_counts *simulation_counts(const struct simulation *s)
{
    return &s->counts;
}

void simulation_close(struct simulation *s)
{
    if (s == NULL) return;
    topology_free(s->topology);
    simulation_queue_release(&s->queue);
    gsl_rng_free(s->maker.random);
    gsl_rng_free(s->arrivals);
    buffer_release(&s->value);
    free(s->due);
    free(s->picked);
    free(s->parcel);
    free(s);
}
