/*
 * Requests walk the topology depth first, one call after the other, and leave a span on each side.
 */
#include "engine/simulation_maker.h"

#include "engine/base/clock.h"
#include "schemas/span.h"

#include <math.h>

#include <gsl/gsl_randist.h>

#define OWN_NS_MAX (3600 * 1e9) /* the tail of a lognormal ends here */

/* One operation to be done, and for whom. */
struct task {
    const uint64_t *trace_id;
    uint64_t parent_id; /* 0: nobody */
    uint32_t operation;
    uint8_t kind;
    int64_t start_ns;
};

struct outcome {
    int64_t end_ns;
    bool failed;
    uint32_t culprit; /* the operation that failed by itself */
};

static uint64_t random_id(gsl_rng *random)
{
    uint64_t high = gsl_rng_get(random);
    uint64_t id = high << 32 | gsl_rng_get(random);
    return id == 0 ? 1 : id;
}

static bool random_chance(gsl_rng *random, double share)
{
    return gsl_rng_uniform(random) < share;
}

static int64_t random_between(gsl_rng *random, int64_t from_ns, int64_t to_ns)
{
    return from_ns + (int64_t)(gsl_rng_uniform(random) * (double)(to_ns - from_ns));
}

static bool fault_holds(const struct topology_fault *fault, int64_t since_ns)
{
    if (fault->every_ns > 0) {
        since_ns %= fault->every_ns;
        if (since_ns < 0) since_ns += fault->every_ns;
    }
    return since_ns >= fault->from_ns && since_ns < fault->to_ns;
}

/* How the operation is at the moment: as the topology says, made worse by every fault that holds. */
static void operation_now(const struct simulation_maker *maker, const struct task *task,
    double *latency_ns, double *errors)
{
    const struct topology *topology = maker->topology;
    const struct topology_operation *operation = &topology->operation[task->operation];
    *latency_ns = (double)operation->latency_ns;
    *errors = operation->errors;
    for (uint32_t i = 0; i < topology->faults; i++) {
        const struct topology_fault *fault = &topology->fault[i];
        if (fault->service != operation->service) continue;
        if (fault->operation != FAULT_ANY_OPERATION && fault->operation != task->operation)
            continue;
        if (!fault_holds(fault, task->start_ns - maker->reference_ns)) continue;
        *latency_ns *= fault->latency;
        *errors = fmax(*errors, fault->errors);
    }
}

/* At most one deviation a span, so that the shares are what was asked for. */
static void deviate(struct simulation_maker *maker, struct simulation_span *span)
{
    double drawn = gsl_rng_uniform(maker->random);
    uint8_t kind = 0;
    while (kind < DEVIATIONS && drawn >= maker->share[kind]) {
        drawn -= maker->share[kind++];
    }
    span->deviation = kind;
    if (kind == DEVIATIONS || kind == DEVIATION_BAD_IDS) return;

    const struct topology_deviation *deviation = &maker->topology->deviation[kind];
    int64_t by_ns = random_between(maker->random, deviation->from_ns, deviation->to_ns);
    if (kind == DEVIATION_SKEWED) {
        span->start_ns += by_ns;
        span->end_ns += by_ns;
    } else {
        span->arrival_ns += by_ns;
    }
}

static void maker_push(struct simulation_maker *maker, struct simulation_span span)
{
    span.number = maker->spans++;
    span.arrival_ns = span.end_ns;
    if (maker->names > 0) span.name = 1 + random_id(maker->random) % maker->names;
    deviate(maker, &span);
    simulation_queue_push(maker->queue, &span);
}

static struct outcome serve(struct simulation_maker *maker, const struct task *task);

/* Leave it in a queue and go on; whatever comes of it later is not the caller's concern. */
static struct outcome call_queued(struct simulation_maker *maker, struct simulation_span caller,
    const struct task *outer, const struct topology_call *call)
{
    caller.kind = KIND_PRODUCER;
    maker_push(maker, caller);
    double wait_ns = gsl_ran_exponential(maker->random, (double)call->queue_ns);
    const struct task inner = {
        .trace_id = outer->trace_id,
        .parent_id = caller.span_id,
        .operation = call->operation,
        .kind = KIND_CONSUMER,
        .start_ns = caller.end_ns + (int64_t)fmin(wait_ns, OWN_NS_MAX),
    };
    serve(maker, &inner);
    return (struct outcome){.end_ns = caller.end_ns};
}

static struct outcome call_waiting(struct simulation_maker *maker, struct simulation_span caller,
    const struct task *outer, const struct topology_call *call, int64_t back_ns)
{
    const struct task inner = {
        .trace_id = outer->trace_id,
        .parent_id = caller.span_id,
        .operation = call->operation,
        .kind = KIND_SERVER,
        .start_ns = caller.end_ns,
    };
    struct outcome outcome = serve(maker, &inner);
    outcome.end_ns += back_ns;
    caller.kind = KIND_CLIENT;
    caller.end_ns = outcome.end_ns;
    caller.failed = outcome.failed;
    caller.culprit = outcome.culprit;
    maker_push(maker, caller);
    outcome.failed = outcome.failed && !call->optional;
    return outcome;
}

static struct outcome call_once(struct simulation_maker *maker, const struct task *outer,
    uint64_t span_id, const struct topology_call *call, int64_t at_ns)
{
    int64_t network_ns = maker->topology->network_ns;
    int64_t there_ns = random_between(maker->random, network_ns / 2, network_ns + network_ns / 2);
    int64_t back_ns = random_between(maker->random, network_ns / 2, network_ns + network_ns / 2);
    const struct simulation_span caller = {
        .start_ns = at_ns,
        .end_ns = at_ns + there_ns,
        .trace_id = {outer->trace_id[0], outer->trace_id[1]},
        .span_id = random_id(maker->random),
        .parent_id = span_id,
        .operation = call->operation,
        .service = maker->topology->operation[outer->operation].service,
    };
    if (call->queued) return call_queued(maker, caller, outer, call);
    return call_waiting(maker, caller, outer, call, back_ns);
}

/* The calls in turn with a piece of own time around each; the first that fails ends it. */
static struct outcome call_all(
    struct simulation_maker *maker, const struct task *task, uint64_t span_id, int64_t own_ns)
{
    const struct topology_operation *operation = &maker->topology->operation[task->operation];
    int64_t piece_ns = own_ns / (int64_t)(operation->calls + 1);
    struct outcome outcome = {.end_ns = task->start_ns + piece_ns};
    for (size_t i = 0; i < operation->calls; i++) {
        const struct topology_call *call = &operation->call[i];
        double whole = floor(call->times);
        int times = (int)whole + random_chance(maker->random, call->times - whole);
        for (int n = 0; n < times && !outcome.failed; n++) {
            outcome = call_once(maker, task, span_id, call, outcome.end_ns);
        }
        outcome.end_ns += piece_ns;
        if (outcome.failed) break;
    }
    return outcome;
}

static struct outcome serve(struct simulation_maker *maker, const struct task *task)
{
    const struct topology_operation *operation = &maker->topology->operation[task->operation];
    double median_ns, errors;
    operation_now(maker, task, &median_ns, &errors);
    double own_ns = gsl_ran_lognormal(maker->random, log(median_ns), operation->spread);
    bool fails = random_chance(maker->random, errors);

    uint64_t span_id = random_id(maker->random);
    struct outcome outcome = call_all(maker, task, span_id, (int64_t)fmin(own_ns, OWN_NS_MAX));
    if (!outcome.failed) outcome.culprit = task->operation;
    outcome.failed = outcome.failed || fails;
    const struct simulation_span span = {
        .start_ns = task->start_ns,
        .end_ns = outcome.end_ns,
        .trace_id = {task->trace_id[0], task->trace_id[1]},
        .span_id = span_id,
        .parent_id = task->parent_id,
        .operation = task->operation,
        .service = operation->service,
        .kind = task->kind,
        .failed = outcome.failed,
        .culprit = outcome.culprit,
    };
    maker_push(maker, span);
    return outcome;
}

void simulation_maker_request(struct simulation_maker *maker, uint32_t operation, int64_t at_ns)
{
    const uint64_t trace_id[2] = {random_id(maker->random), random_id(maker->random)};
    const struct task task = {
        .trace_id = trace_id,
        .operation = operation,
        .kind = KIND_SERVER,
        .start_ns = at_ns,
    };
    serve(maker, &task);
}
