/* Which series there are: admission, limits, overflow, eviction, and the slices that each one holds. */
#include "engine/series.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct bench_plan bench;
    struct pool pool;
    struct series_table table;
};

static void fixture_init(struct fixture *f, const char *yaml)
{
    *f = (struct fixture){0};
    bench_plan_init(&f->bench, yaml);
    series_table_init(&f->table, &f->bench.plan, 3, &f->pool);
}

static void fixture_release(struct fixture *f)
{
    series_table_release(&f->table);
    pool_release(&f->pool);
    bench_plan_release(&f->bench);
}

/* The series of a cell of view 0 = [service] or view 1 = [service, operation]. */
static struct series *of(struct fixture *f, const char *service, const char *operation)
{
    struct partial_cell cell = {.view = operation != NULL,
        .dimensions = operation == NULL ? 1 : 2,
        .dimension = {bytes_of(service), bytes_of(operation == NULL ? "" : operation)}};
    struct series *series = series_of(&f->table, &cell);
    assert_non_null(series);
    return series;
}

static void assert_name(const struct series *series, const char *name)
{
    if (!bytes_are(series->name, name))
        fail_msg("%.*s, want %s", (int)series->name.size, (const char *)series->name.data, name);
}

#define PLENTY "views: [[service], [service, operation]]\npartitions: 4\nzscore: []\n"

static void a_series_is_found_again_by_its_values(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, PLENTY);
    struct series *cart = of(&f, "cart", NULL);
    struct series *add = of(&f, "cart", "POST /add");
    assert_ptr_not_equal(cart, add);
    assert_ptr_equal(of(&f, "cart", NULL), cart);
    assert_ptr_equal(of(&f, "cart", "POST /add"), add);
    assert_name(cart, "service=cart");
    assert_name(add, "service=cart;operation=POST%20%2Fadd");
    /* Where one value ends and the next begins is part of the key. */
    assert_ptr_not_equal(of(&f, "a", "bc"), of(&f, "ab", "c"));
    assert_int_equal(f.table.count, 4);
    assert_int_equal(cart->newest_pane, PANE_NONE);
    fixture_release(&f);
}

static void names_from_strangers_stay_names(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, PLENTY);
    assert_name(
        of(&f, "a;operation=x", "\n\xff="), "service=a%3Boperation%3Dx;operation=%0A%FF%3D");
    static char huge[SPAN_TEXT_MAX + 10];
    memset(huge, 'h', sizeof(huge) - 1);
    struct series *cut = of(&f, huge, NULL);
    huge[SPAN_TEXT_MAX] = '\0';
    assert_ptr_equal(of(&f, huge, NULL), cut);
    fixture_release(&f);
}

/* 8 series of one service and 24 in all, shared by 4 partitions: 2 and 6 here. */
#define SCARCE PLENTY "limits: {series: 24, series_per_service: 8}\n"

static void what_is_over_the_limit_of_a_service_goes_to_its_overflow(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, SCARCE);
    of(&f, "cart", "a");
    of(&f, "cart", "b");
    struct series *over = of(&f, "cart", "c");
    assert_name(over, "service=cart;otel.metric.overflow=true;view=service%2Coperation;shard=3");
    assert_ptr_equal(of(&f, "cart", "d"), over);
    assert_int_equal(f.table.overflowed, 2);
    assert_name(of(&f, "cart", "b"), "service=cart;operation=b"); /* those known stay */
    assert_name(
        of(&f, "cart", NULL), "service=cart;otel.metric.overflow=true;view=service;shard=3");
    assert_name(of(&f, "shop", "c"), "service=shop;operation=c");
    fixture_release(&f);
}

static void what_is_over_the_limit_in_all_goes_to_the_overflow_of_its_view(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, SCARCE);
    char service[16];
    for (int i = 0; i < 6; i++) {
        snprintf(service, sizeof(service), "s%d", i);
        assert_false(bytes_equal(of(&f, service, "o")->name, bytes_of("")));
    }
    struct series *over = of(&f, "s6", "o");
    assert_name(over, "otel.metric.overflow=true;view=service%2Coperation;shard=3");
    assert_ptr_equal(of(&f, "s0", "p"), over);
    assert_name(of(&f, "s6", NULL), "otel.metric.overflow=true;view=service;shard=3");
    assert_name(of(&f, "s0", "o"), "service=s0;operation=o");
    assert_int_equal(f.table.overflowed, 3);
    fixture_release(&f);
}

/* However many names there are, the table does not grow. */
static void a_flood_of_names_is_bounded(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, PLENTY "limits: {series: 400, series_per_service: 40}\n");
    struct random random = random_from(3);
    char service[32], operation[32];
    for (int i = 0; i < 50000; i++) {
        snprintf(service, sizeof(service), "s%llx",
            (unsigned long long)(random_coin(&random) ? random_below(&random, 5)
                                                      : random_next(&random)));
        snprintf(operation, sizeof(operation), "%llx", (unsigned long long)random_next(&random));
        of(&f, service, operation);
    }
    assert_true(f.table.count <= 100 + 2); /* and the overflow of each view */
    size_t admitted = 0;                   /* every name was another one */
    for (size_t i = 0; i < f.table.count; i++) {
        struct bytes name = f.table.series[i]->name;
        admitted += memmem(name.data, name.size, "overflow", 8) == NULL;
    }
    assert_int_equal(f.table.overflowed, 50000 - admitted);
    fixture_release(&f);
}

static void a_view_without_a_service_counts_under_none(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, "views: [[operation, zone]]\npartitions: 1\nzscore: []\n"
                     "limits: {series: 3, series_per_service: 1}\n");
    struct partial_cell cell = {.dimensions = 2};
    char zone[8];
    for (int i = 0; i < 4; i++) {
        snprintf(zone, sizeof(zone), "z%d", i);
        cell.dimension[0] = bytes_of("o");
        cell.dimension[1] = bytes_of(zone);
        struct series *series = series_of(&f.table, &cell);
        if (i == 0) assert_name(series, "operation=o;zone=z0");
        if (i == 3) assert_name(series, "otel.metric.overflow=true;view=operation%2Czone;shard=3");
    }
    fixture_release(&f);
}

static void idle_series_are_forgotten_and_their_places_given_to_others(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, SCARCE);
    of(&f, "cart", "a")->newest_pane = 10;
    of(&f, "cart", "b")->newest_pane = 20;
    of(&f, "shop", "a")->newest_pane = 10;
    series_activate(&f.table, of(&f, "shop", "a"));
    series_evict(&f.table, 20);
    assert_int_equal(f.table.evicted, 1); /* shop is idle too, but holds something */
    assert_int_equal(f.table.count, 2);
    assert_name(f.table.series[0], "service=cart;operation=b");
    assert_name(of(&f, "cart", "c"), "service=cart;operation=c");
    assert_name(of(&f, "shop", "b"), "service=shop;operation=b");
    of(&f, "shop", "c");
    assert_int_equal(f.table.overflowed, 1);
    fixture_release(&f);
}

/* Against a list: thousands come and go, those that stay are found, those that went are new. */
static void eviction_leaves_the_table_whole(void **unused)
{
    (void)unused;
    enum { SERIES = 3000 };
    struct fixture f;
    fixture_init(&f, PLENTY "limits: {series: 100k, series_per_service: 100k}\n");
    struct random random = random_from(11);
    static int64_t newest[SERIES];
    char name[16];
    for (int64_t round = 1; round <= 20; round++) {
        for (int i = 0; i < 1000; i++) {
            int s = (int)random_below(&random, SERIES);
            snprintf(name, sizeof(name), "op%d", s);
            struct series *series = of(&f, "cart", name);
            assert_int_equal(series->newest_pane, newest[s] == 0 ? PANE_NONE : newest[s]);
            series->newest_pane = newest[s] = round;
        }
        series_evict(&f.table, round - 1);
        size_t stay = 0;
        for (int s = 0; s < SERIES; s++) {
            if (newest[s] < round - 1) newest[s] = 0;
            stay += newest[s] != 0;
        }
        assert_int_equal(f.table.count, stay);
    }
    fixture_release(&f);
}

/* What is given back is used again: a flood of names that come and go costs no more memory. */
static void forgotten_series_cost_no_memory(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, PLENTY "limits: {series: 100k, series_per_service: 100k}\n");
    char name[16];
    size_t held = 0;
    for (int64_t round = 1; round <= 40; round++) {
        for (int i = 0; i < 500; i++) {
            snprintf(name, sizeof(name), "%08d", (int)round * 1000 + i);
            of(&f, "cart", name)->newest_pane = round;
        }
        series_evict(&f.table, round);
        if (round == 2) held = f.pool.held;
    }
    assert_int_equal(f.pool.held, held);
    assert_int_equal(f.table.count, 500);
    fixture_release(&f);
}

static void a_restored_series_is_the_one_that_was_saved(void **unused)
{
    (void)unused;
    struct fixture f, g;
    fixture_init(&f, SCARCE);
    fixture_init(&g, SCARCE);
    of(&f, "cart", "a");
    of(&f, "cart", "b");
    of(&f, "cart", "c");
    for (size_t i = 0; i < f.table.count; i++)
        series_restore(&g.table, f.table.series[i]->key);
    assert_int_equal(g.table.count, f.table.count);
    for (size_t i = 0; i < f.table.count; i++)
        assert_true(bytes_equal(g.table.series[i]->name, f.table.series[i]->name));
    of(&g, "cart", "d"); /* the limit is as far used up as it was */
    assert_int_equal(g.table.count, f.table.count);
    assert_int_equal(g.table.overflowed, 1);
    fixture_release(&f);
    fixture_release(&g);
}

static void only_what_holds_something_is_active(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, PLENTY);
    const struct cell_layout *layout = &f.bench.plan.layout;
    struct series *a = of(&f, "a", NULL), *b = of(&f, "b", NULL), *c = of(&f, "c", NULL);
    series_activate(&f.table, c);
    series_activate(&f.table, a);
    series_activate(&f.table, b);
    series_activate(&f.table, c);
    assert_int_equal(f.table.actives, 3);
    slices_at(&c->level[0], 5, layout, &f.pool);
    b->rolled = 2;
    series_rest(&f.table);
    assert_int_equal(f.table.actives, 2);
    assert_ptr_equal(f.table.active[0], c);
    assert_ptr_equal(f.table.active[1], b);
    assert_false(a->active);
    fixture_release(&f);
}

static void slices_stay_in_order_whatever_order_they_come_in(void **unused)
{
    (void)unused;
    enum { SLICES = 300 };
    struct fixture f;
    fixture_init(&f, PLENTY);
    const struct cell_layout *layout = &f.bench.plan.layout;
    struct slices slices = {0};
    struct random random = random_from(8);
    bool there[SLICES] = {false};
    for (int i = 0; i < 4000; i++) {
        int64_t index = (int64_t)random_below(&random, SLICES);
        struct slice *found = slices_find(&slices, index - 150);
        assert_int_equal(found != NULL, there[index]);
        void *cell = slices_at(&slices, index - 150, layout, &f.pool);
        if (found != NULL) assert_ptr_equal(slices_find(&slices, index - 150)->cell, cell);
        there[index] = true;
        if (i % 500 != 499) continue;
        int64_t before = (int64_t)random_below(&random, 20);
        slices_prune(&slices, before - 150, layout, &f.pool);
        for (int64_t s = 0; s < before; s++)
            there[s] = false;
    }
    for (uint32_t i = 1; i < slices.count; i++)
        assert_true(slices.slice[i - 1].index < slices.slice[i].index);
    slices_prune(&slices, INT64_MAX, layout, &f.pool);
    assert_int_equal(slices.count, 0);
    free(slices.slice);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_found_again_by_its_values),
        cmocka_unit_test(names_from_strangers_stay_names),
        cmocka_unit_test(what_is_over_the_limit_of_a_service_goes_to_its_overflow),
        cmocka_unit_test(what_is_over_the_limit_in_all_goes_to_the_overflow_of_its_view),
        cmocka_unit_test(a_flood_of_names_is_bounded),
        cmocka_unit_test(a_view_without_a_service_counts_under_none),
        cmocka_unit_test(idle_series_are_forgotten_and_their_places_given_to_others),
        cmocka_unit_test(eviction_leaves_the_table_whole),
        cmocka_unit_test(forgotten_series_cost_no_memory),
        cmocka_unit_test(a_restored_series_is_the_one_that_was_saved),
        cmocka_unit_test(only_what_holds_something_is_active),
        cmocka_unit_test(slices_stay_in_order_whatever_order_they_come_in),
    };
    return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
