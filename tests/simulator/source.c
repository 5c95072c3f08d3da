/*
 * Combine, and what it is given: spans from a seed, folded by engine/combine.c, their partials put into
 * the simulated log; some lost, said again or damaged on purpose.
 */
#include "tests/simulator/world.h"

#include <stdio.h>

enum { SPANS_MOST = 6, RECORDS_MOST = 5, MEMORY = 16 << 20, NAME_BYTES = 16 };

struct names {
    char service[SPANS_MOST][NAME_BYTES], operation[SPANS_MOST][NAME_BYTES];
};

/* Usually a moment ago; sometimes late, too late, or ahead of its record. */
static int64_t span_end(struct random *random, int64_t record_ns)
{
    switch (random_below(random, 12)) {
    case 0:
        return record_ns - (int64_t)random_below(random, 30) * BENCH_S;
    case 1:
        return record_ns + (int64_t)random_below(random, 5) * BENCH_S / 2;
    default:
        return record_ns - (int64_t)random_below(random, 4 * (uint64_t)BENCH_S);
    }
}

static struct bench_span span_make(
    struct random *random, int64_t record_ns, char *service, char *operation)
{
    uint64_t services = world.wide ? 40 : 4, operations = world.wide ? 20 : 3;
    /* Now and then a name that was never seen: series come, go idle, and are forgotten. */
    uint64_t fresh = random_once_in(random, 40) ? 100 + world.epoch / 16 : 0;
    snprintf(service, NAME_BYTES, "s%u", (unsigned)random_below(random, services));
    snprintf(operation, NAME_BYTES, "op%u", (unsigned)(fresh + random_below(random, operations)));
    struct bench_span span = {.service = service, .operation = operation};
    span.kind = (uint8_t)random_below(random, KIND_COUNT);
    span.end_ns = span_end(random, record_ns);
    span.duration_ns = (int64_t)random_lognormal_ns(random, 30e6, 0.9);
    span.failed = random_once_in(random, 8);
    return span;
}

static void record_make(struct source_worker *worker)
{
    struct random *random = &world.source_random;
    struct names names;
    struct bench_span span[SPANS_MOST];
    int64_t record_ns = world.time_ns - (int64_t)random_below(random, (uint64_t)BENCH_S);
    size_t count = random_below(random, SPANS_MOST + 1);
    for (size_t i = 0; i < count; i++)
        span[i] = span_make(random, record_ns, names.service[i], names.operation[i]);
    size_t source = random_below(random, worker->bench.clocks);
    if (bench_record(&worker->bench, source, record_ns, span, count) != ST_OK)
        world_fail("a record of the simulation cannot be decoded");
    worker->width++;
}

static void newest_append(
    const struct source_worker *worker, uint32_t partition, struct bytes damage)
{
    struct part *part = &world.part[partition];
    for (size_t i = 0; i < worker->newest.count; i++) {
        struct buffer value = {0};
        if (worker->newest.entry[i].partition != partition) continue;
        buffer_append(&value, worker->newest.entry[i].data, worker->newest.entry[i].size);
        if (damage.size != 0) buffer_append(&value, damage.data, damage.size);
        fake_log_append(&part->partials, buffer_bytes(&value));
        buffer_release(&value);
    }
    part->partials.end += random_once_in(&world.source_random, 3); /* a marker */
}

/*
 * What damages a partial: a field that runs past its end makes all of it unreadable; one that is whole,
 * a cell with such a field inside, costs only itself.
 */
static struct bytes damage_draw(bool *all)
{
    static const uint8_t cut[] = {0x32, 0x40, 0x00}, inside[] = {0x32, 0x02, 0x1a, 0x40};
    *all = false;
    if (!fault_strikes(FAULT_DAMAGE)) return (struct bytes){0};
    *all = random_coin(&world.source_random);
    return *all ? (struct bytes){cut, sizeof(cut)} : (struct bytes){inside, sizeof(inside)};
}

/* End the epoch: its partials, one or more a partition, go into the log, or are lost. */
static void flush(struct source_worker *worker, bool may_lose)
{
    bench_log_release(&worker->newest);
    bench_flush(&worker->bench, world.time_ns / 1000000, &worker->newest);
    for (uint32_t p = 0; p < world.partitions; p++) {
        bool may = may_lose && worker->known[p], unreadable = false;
        bool gone = may && fault_strikes(FAULT_LOSS);
        struct bytes damage = may ? damage_draw(&unreadable) : (struct bytes){0};
        worker->lost[p] = gone || unreadable;
        if (worker->lost[p]) world.part[p].lost += worker->width;
        if (!gone) newest_append(worker, p, damage);
        worker->known[p] = true;
    }
}

static void say_again(struct source_worker *worker)
{
    for (uint32_t p = 0; p < world.partitions; p++) {
        if (worker->newest.count == 0 || worker->lost[p] || !fault_strikes(FAULT_REPEAT)) continue;
        world.part[p].twice += worker->width;
        newest_append(worker, p, (struct bytes){0});
    }
}

static void worker_add(uint32_t partitions)
{
    struct source_worker *worker = &world.source[world.sources++];
    *worker = (struct source_worker){.first = world.source_partitions};
    bench_worker_init(&worker->bench, &world.bench, world.source_partitions, partitions, 0, MEMORY);
    world.source_partitions += partitions;
    for (size_t w = 0; w < world.sources; w++)
        world.source[w].bench.partitions = world.source_partitions;
}

void source_open(void)
{
    size_t workers = 1 + random_below(&world.source_random, SOURCE_WORKERS_MAX - 1);
    world.time_ns = BENCH_EPOCH_NS;
    for (size_t w = 0; w < workers; w++)
        worker_add(1 + (uint32_t)random_below(&world.source_random, 2));
}

static void time_pass(void)
{
    struct random *random = &world.source_random;
    world.time_ns += (int64_t)random_below(random, (uint64_t)BENCH_S * 3 / 4);
    if (random_once_in(random, 150)) world.time_ns += (int64_t)random_below(random, 400) * BENCH_S;
}

/* An idle partition that was read to its end: its clock rises without a record. */
static void idle(struct source_worker *worker)
{
    for (size_t i = 0; i < worker->bench.clocks; i++)
        source_clock_raise(&worker->bench.clock[i], world.time_ns - world.bench.config.lateness_ns);
}

void source_epoch(void)
{
    struct random *random = &world.source_random;
    world.epoch++;
    world.totals.steps++;
    time_pass();
    bool room =
        world.sources < SOURCE_WORKERS_MAX && world.source_partitions + 2 <= BENCH_SOURCES_MAX;
    if (room && random_once_in(random, 300)) worker_add(1);
    struct source_worker *worker = &world.source[random_below(random, world.sources)];
    if (worker->frozen_until > world.epoch) return;
    uint64_t rest = world.wide ? 400 : 60;
    if (random_once_in(random, 80)) worker->frozen_until = world.epoch + random_below(random, rest);
    say_again(worker);
    worker->width = 0;
    size_t records = random_below(random, RECORDS_MOST + 1);
    for (size_t i = 0; i < records; i++)
        record_make(worker);
    if (random_once_in(random, 6)) idle(worker);
    flush(worker, true);
}

void source_end(void)
{
    for (size_t w = 0; w < world.sources; w++) {
        struct source_worker *worker = &world.source[w];
        for (size_t i = 0; i < worker->bench.clocks; i++)
            worker->bench.clock[i].ended = true;
        worker->width = 0;
        flush(worker, false);
    }
}

void source_nudge(void)
{
    struct source_worker *worker = &world.source[0];
    worker->width = 0;
    flush(worker, false);
}

void source_close(void)
{
    for (size_t w = 0; w < world.sources; w++) {
        bench_log_release(&world.source[w].newest);
        bench_worker_release(&world.source[w].bench);
    }
}
