/* The table of combine against a plain list of the same cells. */
#include "engine/panes.h"
#include "tests/support/pipeline_bench.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PLENTY = 64 << 20, SCARCE = 16 << 10 };

static const char views[] = "views: [[service], [service, operation, kind], [service, zone]]\n"
                            "partitions: 5\nzscore: []\n";

struct fixture {
    struct bench_plan bench;
    struct panes *panes;
    struct spans spans;
};

static void fixture_init(struct fixture *f, const char *yaml, uint64_t memory, uint64_t seed)
{
    bench_plan_init(&f->bench, yaml);
    f->panes = panes_new(&f->bench.plan, memory, seed);
    f->spans = (struct spans){.wanted = &f->bench.plan.projection};
}

static void fixture_release(struct fixture *f)
{
    panes_free(f->panes);
    spans_release(&f->spans);
    bench_plan_release(&f->bench);
}

/* A span as a decoder and the judge leave it; `zone` NULL: it has no such attribute. */
static struct span *add(struct fixture *f, const char *service, const char *operation, uint8_t kind,
    const char *zone, int64_t pane)
{
    struct span *span = spans_append(&f->spans);
    assert_non_null(span);
    span->service = bytes_of(service);
    span->operation = bytes_of(operation);
    span->trace_id = (const uint8_t *)"of some trace...";
    span->kind = kind;
    span->pane = pane;
    if (zone != NULL && f->spans.wanted->count != 0)
        f->spans.attribute[span->attributes] = bytes_of(zone);
    return span;
}

/* The text of a cell: view, dimensions, pane, arrival. */
static void cell_text(const struct partial_cell *cell, char *text, size_t size)
{
    int used = snprintf(text, size, "%u", cell->view);
    for (uint32_t d = 0; d < cell->dimensions; d++)
        used += snprintf(text + used, size - (size_t)used, "|%.*s", (int)cell->dimension[d].size,
            (const char *)cell->dimension[d].data);
    snprintf(text + used, size - (size_t)used, "|%lld+%llu", (long long)cell->pane,
        (unsigned long long)cell->late_by);
}

static uint64_t state_spans(const struct fixture *f, const void *state)
{
    struct row row = {.start_ns = 0, .end_ns = 1};
    cell_report(&f->bench.plan.layout, state, &row);
    return row.value[COLUMN_SPANS].integer;
}

/* How many spans the cell of this text holds; 0: there is none. */
static uint64_t spans_of(struct fixture *f, const char *wanted)
{
    uint64_t spans = 0;
    int found = 0;
    panes_sort(f->panes);
    for (size_t i = 0; i < panes_count(f->panes); i++) {
        struct partial_cell cell;
        const void *state;
        char text[4096];
        panes_cell(f->panes, i, &cell, &state);
        cell_text(&cell, text, sizeof(text));
        if (strcmp(text, wanted) != 0) continue;
        spans = state_spans(f, state);
        found++;
    }
    assert_true(found <= 1);
    return spans;
}

static void each_view_counts_the_spans_that_are_its_own(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, views, PLENTY, 1);
    add(&f, "cart", "GET", KIND_SERVER, "a", 7);
    add(&f, "cart", "GET", KIND_SERVER, "b", 7);
    add(&f, "cart", "GET", KIND_INTERNAL, NULL, 7);
    add(&f, "cart", "pop", KIND_CONSUMER, "a", 8);
    panes_fold(f.panes, &f.spans);
    assert_int_equal(spans_of(&f, "0|cart|7+0"), 2); /* entry spans only */
    assert_int_equal(spans_of(&f, "0|cart|8+0"), 1);
    assert_int_equal(spans_of(&f, "1|cart|GET|SERVER|7+0"), 2);
    assert_int_equal(spans_of(&f, "1|cart|GET|INTERNAL|7+0"), 1);
    assert_int_equal(spans_of(&f, "2|cart|a|7+0"), 1);
    assert_int_equal(spans_of(&f, "2|cart|b|7+0"), 1);
    assert_int_equal(spans_of(&f, "2|cart||7+0"), 1);
    assert_int_equal(spans_of(&f, "2|cart|a|8+0"), 1);
    assert_int_equal(panes_count(f.panes), 9);
    fixture_release(&f);
}

/* A pane may be millions of panes late: 7 days at 100 ms. */
static void late_cells_are_told_apart_by_when_they_arrive(void **unused)
{
    (void)unused;
    static const uint64_t late_by[] = {0, 1, 2, 255, 65535, 65536, 65537, 131072, 6048000};
    enum { CELLS = sizeof(late_by) / sizeof(late_by[0]) };
    struct fixture f;
    fixture_init(&f, "views: [[operation]]\nzscore: []", PLENTY, 1);
    for (size_t i = 0; i < CELLS; i++)
        add(&f, "s", "o", KIND_SERVER, NULL, INT64_C(17000000000))->late_by = late_by[i];
    panes_fold(f.panes, &f.spans);
    assert_int_equal(panes_count(f.panes), CELLS);
    for (size_t i = 0; i < CELLS; i++) {
        char text[64];
        snprintf(text, sizeof(text), "0|o|17000000000+%llu", (unsigned long long)late_by[i]);
        assert_int_equal(spans_of(&f, text), 1);
    }
    fixture_release(&f);
}

struct expected {
    char text[64];
    uint64_t spans;
};

static int expected_compare(const void *left, const void *right)
{
    return strcmp(((const struct expected *)left)->text, ((const struct expected *)right)->text);
}

/* Sort, and add up those of the same text. */
static size_t expected_fold(struct expected *expected, size_t count)
{
    size_t kept = 0;
    qsort(expected, count, sizeof(*expected), expected_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept != 0 && strcmp(expected[kept - 1].text, expected[i].text) == 0)
            expected[kept - 1].spans += expected[i].spans;
        else
            expected[kept++] = expected[i];
    }
    return kept;
}

/* Far past the first size of the table, so that it widens within a batch too. */
static void the_table_holds_what_a_list_holds(void **unused)
{
    (void)unused;
    enum { SPANS = 60000 };
    struct fixture f;
    fixture_init(&f, "views: [[operation]]\npartitions: 3\nzscore: []", PLENTY, 99);
    static char name[SPANS][16];
    struct expected *expected = test_malloc(SPANS * sizeof(*expected));
    struct random random = random_from(5);
    for (size_t i = 0; i < SPANS; i++) {
        int64_t pane = 1000 + (int64_t)random_below(&random, 4);
        snprintf(name[i], sizeof(name[i]), "o%d", (int)random_below(&random, 8000));
        snprintf(
            expected[i].text, sizeof(expected[i].text), "0|%.15s|%lld+0", name[i], (long long)pane);
        expected[i].spans = 1;
        add(&f, "s", name[i], KIND_SERVER, NULL, pane);
    }
    panes_fold(f.panes, &f.spans);
    size_t cells = expected_fold(expected, SPANS);
    assert_true(cells > 20000);
    assert_int_equal(panes_count(f.panes), cells);

    struct expected *found = test_malloc(cells * sizeof(*found));
    uint32_t partition = 0;
    panes_sort(f.panes);
    for (size_t i = 0; i < cells; i++) {
        struct partial_cell cell;
        const void *state;
        uint32_t of = panes_cell(f.panes, i, &cell, &state);
        assert_true(of >= partition && of < 3);
        partition = of;
        cell_text(&cell, found[i].text, sizeof(found[i].text));
        found[i].spans = state_spans(&f, state);
    }
    qsort(found, cells, sizeof(*found), expected_compare);
    for (size_t i = 0; i < cells; i++) {
        assert_string_equal(found[i].text, expected[i].text);
        assert_int_equal(found[i].spans, expected[i].spans);
    }
    test_free(expected);
    test_free(found);
    fixture_release(&f);
}

/* Where a series goes is part of the plan; the seed of a table is not. */
static void a_series_goes_to_the_same_partition_on_every_worker(void **unused)
{
    (void)unused;
    enum { SERIES = 64, SEEDS = 4 };
    uint32_t first[SERIES] = {0};
    bool used[5] = {false};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fixture f;
        fixture_init(&f, views, PLENTY, seed * 1234567);
        char name[16];
        for (uint32_t s = 0; s < SERIES; s++) {
            panes_reset(f.panes);
            spans_reset(&f.spans);
            snprintf(name, sizeof(name), "op%u", s);
            add(&f, "cart", name, KIND_INTERNAL, NULL, (int64_t)(seed * 10))->late_by = seed;
            panes_fold(f.panes, &f.spans);
            struct partial_cell cell;
            const void *state;
            panes_sort(f.panes);
            uint32_t partition = UINT32_MAX;
            for (size_t i = 0; i < panes_count(f.panes); i++) {
                uint32_t of = panes_cell(f.panes, i, &cell, &state);
                if (cell.view == 1) partition = of;
            }
            assert_true(partition < 5);
            if (seed == 1) first[s] = partition;
            assert_int_equal(partition, first[s]);
            used[partition] = true;
        }
        fixture_release(&f);
    }
    for (int p = 0; p < 5; p++)
        assert_true(used[p]);
}

static void a_long_name_is_cut_and_still_one_series(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, "views: [[operation]]\nzscore: []", PLENTY, 1);
    static char name[SPAN_TEXT_MAX + 100];
    memset(name, 'n', sizeof(name) - 1);
    add(&f, "s", name, KIND_SERVER, NULL, 1);
    add(&f, "s", name, KIND_SERVER, NULL, 1);
    panes_fold(f.panes, &f.spans);
    assert_int_equal(panes_count(f.panes), 1);
    struct partial_cell cell;
    const void *state;
    panes_sort(f.panes);
    panes_cell(f.panes, 0, &cell, &state);
    assert_int_equal(cell.dimension[0].size, SPAN_TEXT_MAX);
    assert_int_equal(state_spans(&f, state), 2);
    fixture_release(&f);
}

static void an_empty_table_has_room_for_any_message(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, "views: [[operation]]\nzscore: []", SCARCE, 1);
    static char name[3000][16];
    assert_true(panes_room(f.panes, SPANS_MAX));
    for (int i = 0; i < 3000; i++) {
        snprintf(name[i], sizeof(name[i]), "o%d", i);
        add(&f, "s", name[i], KIND_SERVER, NULL, 1);
    }
    panes_fold(f.panes, &f.spans); /* far more than SCARCE bytes */
    assert_int_equal(panes_count(f.panes), 3000);
    assert_false(panes_room(f.panes, 1));
    assert_false(panes_room(f.panes, 0));
    panes_reset(f.panes);
    assert_int_equal(panes_count(f.panes), 0);
    assert_true(panes_room(f.panes, SPANS_MAX));

    spans_reset(&f.spans);
    add(&f, "s", "o1", KIND_SERVER, NULL, 2);
    panes_fold(f.panes, &f.spans);
    assert_true(panes_room(f.panes, 1));
    assert_int_equal(panes_count(f.panes), 1);
    assert_int_equal(spans_of(&f, "0|o1|2+0"), 1);
    fixture_release(&f);
}

static void an_empty_table_can_be_walked(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_init(&f, views, PLENTY, 1);
    panes_fold(f.panes, &f.spans);
    panes_sort(f.panes);
    assert_int_equal(panes_count(f.panes), 0);
    panes_free(NULL);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_view_counts_the_spans_that_are_its_own),
        cmocka_unit_test(late_cells_are_told_apart_by_when_they_arrive),
        cmocka_unit_test(the_table_holds_what_a_list_holds),
        cmocka_unit_test(a_series_goes_to_the_same_partition_on_every_worker),
        cmocka_unit_test(a_long_name_is_cut_and_still_one_series),
        cmocka_unit_test(an_empty_table_has_room_for_any_message),
        cmocka_unit_test(an_empty_table_can_be_walked),
    };
    return cmocka_run_group_tests_name("panes", tests, NULL, NULL);
}
