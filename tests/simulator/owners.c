/*
 * The schedule: owners are coroutines around aggregate_stage, and a seed says who runs, for how long,
 * who dies, who stands still, and when combine speaks.
 */
#include "engine/base/clock.h"
#include "tests/simulator/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
    STACK_BYTES = 512 * 1024,
    SETTLE_TURNS_MAX = 2000000, /* of owners; by then everything must be read */
    NUDGE_TURNS = 50,
};

struct world world;

const char *const fault_name[FAULTS] = {
    "crash", "zombie", "abort", "unknown", "observer", "rebalance", "loss", "repeat", "damage"};

void world_fail(const char *format, ...)
{
    if (world.failed) return;
    va_list args;
    va_start(args, format);
    vsnprintf(world.reason, sizeof(world.reason), format, args);
    va_end(args);
    world.failed = true;
}

bool fault_strikes(enum fault fault)
{
    bool of_source = fault == FAULT_LOSS || fault == FAULT_REPEAT || fault == FAULT_DAMAGE;
    if (world.once_in[fault] == 0 || (world.settling && !of_source)) return false;
    return random_once_in(of_source ? &world.source_random : &world.random, world.once_in[fault]);
}

void owner_yield(void)
{
    struct owner *owner = world.running;
    if (owner == NULL || owner->dead) return;
    swapcontext(&owner->context, &world.scheduler);
}

static void owner_die(struct owner *owner)
{
    owner->dead = true;
    atomic_store(&owner->worker.stopping, true);
    world.totals.crashes++;
}

bool owner_step(void)
{
    struct owner *owner = world.running;
    if (owner->dead) return false;
    world.now_ns += (int64_t)random_below(&world.random, 2 * NS_PER_MS);
    if (fault_strikes(FAULT_CRASH)) {
        owner_die(owner);
        return false;
    }
    if (fault_strikes(FAULT_ZOMBIE)) {
        owner->paused_ns =
            world.now_ns + (int64_t)random_below(&world.random, 3 * SESSION_S * NS_PER_S);
        world.totals.zombies++;
        owner_yield();
    } else if (random_once_in(&world.random, world.yield_in)) {
        owner_yield();
    }
    return !owner->dead;
}

static void owner_main(void)
{
    struct owner *owner = world.running;
    struct stage_thread self = {&owner->worker, 0};
    aggregate_stage(&self);
    owner->finished = true;
}

/* In a function of its own: getcontext is one of those that return twice. */
static void owner_context(struct owner *owner)
{
    getcontext(&owner->context);
    owner->context.uc_stack.ss_sp = owner->stack;
    owner->context.uc_stack.ss_size = STACK_BYTES;
    owner->context.uc_link = &world.scheduler;
    makecontext(&owner->context, owner_main, 0);
}

static void owner_start(size_t slot)
{
    struct owner *owner = &world.owner[slot];
    void *stack = owner->stack;
    if (stack == NULL) {
        stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (stack == MAP_FAILED) {
        world_fail("no memory for a stack");
        return;
    }
    *owner = (struct owner){.used = true, .stack = stack, .instance = (uint32_t)slot};
    if (!world.settling && random_once_in(&world.random, 8))
        owner->instance = (uint32_t)random_below(&world.random, OWNERS_MAX);
    struct worker *w = &owner->worker;
    w->config = &world.bench.config;
    w->plan = &world.bench.plan;
    w->source_expected = owner->source_expected;
    w->batch.until_end = world.until_end;
    snprintf(w->instance, sizeof(w->instance), "owner-%u", owner->instance);
    snprintf(w->partials, sizeof(w->partials), "weir.partials");
    snprintf(w->rows, sizeof(w->rows), "weir.rows");
    snprintf(w->state, sizeof(w->state), "weir.state");
    owner_context(owner);
}

/* A process that ends by itself says why; being fenced again and again is the one good reason. */
static void owner_ended(struct owner *owner)
{
    owner->used = false;
    if (owner->dead || !atomic_load(&owner->worker.failed)) return;
    const char *why = owner->worker.failure.text;
    if (strstr(why, "fenced off again") == NULL) world_fail("an owner does not go on: %s", why);
}

static void owner_run(struct owner *owner)
{
    world.running = owner;
    swapcontext(&world.scheduler, &owner->context);
    world.running = NULL;
    if (owner->finished) owner_ended(owner);
}

static size_t owners_alive(void)
{
    size_t alive = 0;
    for (size_t i = 0; i < OWNERS_MAX; i++)
        alive += world.owner[i].used;
    return alive;
}

/* Start one where too few are, let one leave in an orderly way, run one of those that can. */
static void owners_turn(size_t wanted)
{
    size_t slot = random_below(&world.random, OWNERS_MAX);
    struct owner *owner = &world.owner[slot];
    if (!owner->used) {
        bool start = owners_alive() < wanted || fault_strikes(FAULT_REBALANCE);
        if (start) owner_start(slot);
        return;
    }
    if (owner->paused_ns > world.now_ns) {
        world.now_ns += 20 * NS_PER_MS;
        if (world.settling) owner->paused_ns = 0;
        return;
    }
    if (owners_alive() > 1 && fault_strikes(FAULT_REBALANCE))
        atomic_store(&owner->worker.stopping, true);
    world.totals.steps++;
    owner_run(owner);
    group_tick();
}

static bool all_ended(void)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        if (!aggregate_ended(world.part[p].reference)) return false;
    }
    return true;
}

static bool all_read(void)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        const struct part *part = &world.part[p];
        if (part->pending != NULL) return false;
        if (fake_log_from(&part->partials, part->committed) != part->partials.count) return false;
    }
    return all_ended();
}

/*
 * No more faults: everything is read, and while aggregate is behind, combine goes on to speak. Once it
 * is not, combine is silent: it could speak faster than owners commit that run one call at a time.
 */
static void settle(void)
{
    source_end();
    world.settling = true;
    for (uint64_t turn = 0; !world.failed && !all_read(); turn++) {
        if (turn % NUDGE_TURNS == NUDGE_TURNS - 1 && !all_ended()) source_nudge();
        owners_turn(2);
        if (turn == SETTLE_TURNS_MAX) world_fail("what is in the log is not read to its end");
    }
}

static void owners_end(void)
{
    for (size_t i = 0; i < OWNERS_MAX; i++) {
        struct owner *owner = &world.owner[i];
        if (!owner->used) continue;
        owner_die(owner);
        world.totals.crashes--;
        owner_run(owner);
    }
}

/*
 * What most plans differ in, for the state machine: levels, windows, operators, limits, views, time.
 * One draw a statement: a seed means the same under every compiler.
 */
static void plan_open(struct random *random)
{
    static const char *const windows[] = {
        "[4s, 12s, 1m]", "[3s, 9s]", "[1m]", "[2s, 10s, 20s, 1m]"};
    static const char *const operators[] = {"anomaly: []\n",
        "anomaly: []\n"
        "zscore: [{column: error_ratio, history: 8, warmup: 3}]\n"
        "rules: [{name: slow, when: p95 > 60ms, keep_firing_for: 2s},\n"
        "        {name: failing, when: 'error_ratio[1m] > 20%', for: 3s},\n"
        "        {name: gone, when: 'absent[5s]', annotations: {summary: '{{ series }}'}}]\n",
        "anomaly: [{of: errors, warmup: 30}, {of: latency, warmup: 30}, {of: spans, warmup: 30},\n"
        "          {of: error_ratio, warmup: 30}]\n"
        "slos: [{name: good, match: {}, objective: 99%, min_bad: 2, min_spans: 1}]\n"
        "rules: [{name: slow, when: p95 > 60ms, together: true},\n"
        "        {name: odd, when: anomaly(errors) >= notice or anomaly(latency) >= notice,\n"
        "         together: true}]\n"};
    static const char *const history[] = {"[{resolution: pane, retain: 1h}]",
        "[{resolution: pane, retain: 1h, sketches: true}, {resolution: 6s, retain: 1h}]",
        "[{resolution: 6s, retain: 1h}]"};
    static const char *const views[] = {"[[service]]", "[[service], [service, operation, kind]]",
        "[[operation], [service, operation]]"};
    static const char *const times[] = {
        "time: records\nprovisional: 0s\n", "time: live\nprovisional: 1s\n"};
    struct buffer yaml = {0};
    uint64_t partitions = 1 + random_below(random, PARTITIONS_MAX);
    uint64_t w = random_below(random, 4);
    uint64_t operating = w == 1 ? 2 * random_below(random, 2) : random_below(random, 3);
    buffer_print(&yaml, "pane: 1s\nskew: 1s\npartitions: %u\nwindows: %s\n%s", (unsigned)partitions,
        windows[w], operators[operating]);
    buffer_print(&yaml, "lateness: %us\n", (unsigned)random_below(random, 5));
    buffer_print(&yaml, "allowed_lateness: %s\n", random_coin(random) ? "10s" : "1m");
    uint64_t h = random_below(random, 3);
    buffer_print(&yaml, "history: %s\nscore_every: %s\n", history[h], h == 0 ? "1s" : "6s");
    buffer_print(&yaml, "views: %s\n", views[random_below(random, 3)]);
    buffer_print(&yaml, "apdex: 50ms\nthresholds: [20ms, 80ms]\n");
    buffer_print(&yaml, "epoch: %ums\n", 20U << random_below(random, 5));
    buffer_print(&yaml, "snapshot: %ums\n", 50U << random_below(random, 7));
    buffer_print(&yaml, "%s", times[random_coin(random)]);
    bool tight = random_once_in(random, 3) && !world.wide;
    buffer_print(&yaml, "limits: {series: %u, series_per_service: %u, series_idle: %s",
        tight ? 12U : 10000U, tight ? 5U : 5000U, random_coin(random) ? "1m" : "24h");
    buffer_print(&yaml, "%s}\n", random_coin(random) ? ", provisional_rows: 20" : "");
    buffer_append(&yaml, "", 1);
    bench_plan_init(&world.bench, (const char *)yaml.data);
    world.partitions = (uint32_t)partitions;
    buffer_release(&yaml);
}

static void rates_draw(struct random *random)
{
    static const uint64_t least[FAULTS] = {[FAULT_CRASH] = 50,
        [FAULT_ZOMBIE] = 200,
        [FAULT_ABORT] = 4,
        [FAULT_UNKNOWN] = 8,
        [FAULT_OBSERVER] = 4,
        [FAULT_REBALANCE] = 50,
        [FAULT_LOSS] = 20,
        [FAULT_REPEAT] = 10,
        [FAULT_DAMAGE] = 20};
    for (int f = 0; f < FAULTS; f++) {
        uint64_t rate = least[f] << random_below(random, 6);
        bool off = random_once_in(random, f >= FAULT_LOSS ? 2 : 4) || world.options.without[f];
        world.once_in[f] = off ? 0 : rate;
    }
    world.yield_in = UINT64_C(1) << random_below(random, 8);
}

static void round_open(const struct round_options *options)
{
    void *stack[OWNERS_MAX];
    for (size_t i = 0; i < OWNERS_MAX; i++)
        stack[i] = world.owner[i].stack;
    struct random random = random_from(options->seed);
    world = (struct world){.options = *options, .now_ns = NS_PER_S};
    world.random = random_from(random_next(&random));
    world.source_random = random_from(random_next(&random));
    for (size_t i = 0; i < OWNERS_MAX; i++)
        world.owner[i].stack = stack[i];
    world.wide = random_once_in(&random, 24);
    world.epochs = 200 + random_below(&random, world.wide ? 800 : 2000);
    if (options->epochs != 0 && options->epochs < world.epochs) world.epochs = options->epochs;
    world.until_end = random_coin(&random);
    rates_draw(&random);
    plan_open(&random);
    for (uint32_t p = 0; p < world.partitions; p++) {
        struct part *part = &world.part[p];
        part->committed = -1;
        part->manifest = -1;
        part->told_ns = WATERMARK_NONE;
        part->reference = aggregate_new(&world.bench.plan, p);
    }
    source_open();
}

static void round_close(void)
{
    owners_end();
    kafka_world_release();
    source_close();
    for (uint32_t p = 0; p < world.partitions; p++) {
        fake_log_release(&world.part[p].partials);
        fake_log_release(&world.part[p].state);
        aggregate_free(world.part[p].reference);
    }
    bench_plan_release(&world.bench);
}

void round_run(const struct round_options *options)
{
    round_open(options);
    size_t wanted = 1 + random_below(&world.random, 3);
    while (!world.failed && world.epoch < world.epochs) {
        if (random_once_in(&world.random, 3)) source_epoch();
        owners_turn(wanted);
        if (random_once_in(&world.random, 400)) wanted = 1 + random_below(&world.random, 3);
    }
    if (!world.failed) settle();
    if (!world.failed) judge_end();
    round_close();
}
