/* The floor under everything: bytes, buffers, pools, hashes, memory, errors. */
#include "engine/base/buffer.h"
#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/memory.h"
#include "engine/base/pool.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void bytes_are_equal_by_content_and_length(void **unused)
{
    (void)unused;
    assert_true(bytes_equal(bytes_of("pane"), bytes_of("pane")));
    assert_false(bytes_equal(bytes_of("pane"), bytes_of("pan")));
    assert_false(bytes_equal(bytes_of("pane"), bytes_of("page")));
    assert_true(bytes_are((struct bytes){(const uint8_t *)"pane!", 4}, "pane"));
}

static void empty_bytes_are_equal_wherever_they_point(void **unused)
{
    (void)unused;
    assert_true(bytes_equal((struct bytes){NULL, 0}, bytes_of("")));
}

static void a_buffer_keeps_what_was_written_while_it_grows(void **unused)
{
    (void)unused;
    struct buffer buffer = {0};
    for (uint32_t i = 0; i < 10000; i++)
        buffer_append(&buffer, &i, sizeof(i));
    assert_int_equal(buffer.size, 40000);
    for (uint32_t i = 0; i < 10000; i++)
        assert_memory_equal(buffer.data + i * sizeof(i), &i, sizeof(i));
    buffer_release(&buffer);
}

static void a_reset_buffer_is_empty_and_keeps_its_room(void **unused)
{
    (void)unused;
    struct buffer buffer = {0};
    buffer_print(&buffer, "%0500d", 1);
    size_t capacity = buffer.capacity;
    buffer_reset(&buffer);
    assert_int_equal(buffer_bytes(&buffer).size, 0);
    assert_int_equal(buffer.capacity, capacity);
    buffer_release(&buffer);
    assert_null(buffer.data);
}

static void room_in_a_buffer_is_not_yet_content(void **unused)
{
    (void)unused;
    struct buffer buffer = {0};
    memcpy(buffer_room(&buffer, 1000), "abc", 3);
    assert_int_equal(buffer.size, 0);
    assert_true(buffer.capacity >= 1000);
    buffer.size += 3;
    assert_true(bytes_are(buffer_bytes(&buffer), "abc"));
    buffer_release(&buffer);
}

static void print_appends_text_of_any_length_without_its_nul(void **unused)
{
    (void)unused;
    struct buffer buffer = {0};
    buffer_print(&buffer, "%s=", "key");
    buffer_print(&buffer, "%s", "");
    buffer_print(&buffer, "%1000d|", 7);
    assert_int_equal(buffer.size, 4 + 1000 + 1);
    assert_memory_equal(buffer.data, "key= ", 5);
    assert_memory_equal(buffer.data + 1003, "7|", 2);
    buffer_release(&buffer);
}

static void appending_nothing_changes_nothing(void **unused)
{
    (void)unused;
    struct buffer buffer = {0};
    buffer_append(&buffer, NULL, 0);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
}

enum { PIECES = 4000 };

struct piece {
    uint8_t *at;
    size_t bytes;
    uint8_t mark;
};

static void piece_take(struct pool *pool, struct piece *piece, struct random *random)
{
    size_t limit = (size_t)1 << random_next(random) % 16;
    piece->bytes = 1 + random_next(random) % limit;
    piece->mark = (uint8_t)random_next(random);
    piece->at = pool_take(pool, piece->bytes);
    assert_int_equal((uintptr_t)piece->at % 16, 0);
    memset(piece->at, piece->mark, pool_round(piece->bytes));
}

static void piece_give(struct pool *pool, struct piece *piece)
{
    for (size_t i = 0; i < pool_round(piece->bytes); i++)
        assert_int_equal(piece->at[i], piece->mark);
    pool_give(pool, piece->at, piece->bytes);
    piece->at = NULL;
}

static void pieces_of_a_pool_do_not_overlap(void **unused)
{
    (void)unused;
    static struct piece piece[PIECES];
    struct pool pool = {0};
    struct random random = random_from(1);
    for (int round = 0; round < 4 * PIECES; round++) {
        struct piece *one = &piece[random_next(&random) % PIECES];
        if (one->at == NULL) {
            piece_take(&pool, one, &random);
        } else {
            piece_give(&pool, one);
        }
    }
    for (int i = 0; i < PIECES; i++) {
        if (piece[i].at != NULL) piece_give(&pool, &piece[i]);
    }
    assert_int_equal(pool.bytes, 0);
    pool_release(&pool);
}

static void a_piece_given_back_is_taken_again(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    void *first = pool_take(&pool, 100);
    pool_give(&pool, first, 100);
    assert_ptr_equal(pool_take(&pool, 100), first);
    pool_release(&pool);
}

static void a_pool_counts_what_is_out(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    void *piece = pool_take(&pool, 100);
    pool_take(&pool, 7);
    assert_int_equal(pool.bytes, pool_round(100) + pool_round(7));
    pool_give(&pool, piece, 100);
    assert_int_equal(pool.bytes, pool_round(7));
    pool_release(&pool);
}

static void rounding_wastes_at_most_half_and_never_takes_away(void **unused)
{
    (void)unused;
    size_t before = 0;
    for (size_t bytes = 1; bytes <= POOL_BYTES_MAX; bytes += 1 + bytes / 100) {
        size_t rounded = pool_round(bytes);
        assert_true(rounded >= bytes && rounded >= before);
        assert_true(rounded <= bytes + bytes / 2 + 16);
        assert_int_equal(rounded % 16, 0);
        before = rounded;
    }
}

static void a_reset_pool_asks_the_system_for_nothing_new(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    size_t held = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            memset(pool_take(&pool, 50000), round, 50000);
        if (round == 0) held = pool.held;
        assert_int_equal(pool.held, held);
        pool_reset(&pool);
        assert_int_equal(pool.bytes, 0);
    }
    pool_release(&pool);
    assert_int_equal(pool.held, 0);
}

static void giving_back_nothing_is_fine(void **unused)
{
    (void)unused;
    struct pool pool = {0};
    pool_give(&pool, NULL, 64);
    assert_int_equal(pool.bytes, 0);
}

/* Partitions and alert ids hang on these: a changed value is a changed plan. */
static void the_stable_hash_is_the_same_on_every_machine(void **unused)
{
    (void)unused;
    assert_true(hash_stable(bytes_of("")) == UINT64_C(0x2d06800538d394c2));
    uint64_t spelled = hash_stable(bytes_of("service=checkout"));
    assert_true(hash_stable(bytes_of("service=checkout")) == spelled);
    assert_true(hash_stable(bytes_of("service=checkouu")) != spelled);
}

static void a_seed_changes_the_seeded_hash(void **unused)
{
    (void)unused;
    struct bytes name = bytes_of("service=checkout");
    assert_true(hash_seeded(name, 1).low != hash_seeded(name, 2).low);
    assert_true(hash_seeded(name, 7).high == hash_seeded(name, 7).high);
}

static void mixing_spreads_neighbours_over_all_buckets(void **unused)
{
    (void)unused;
    enum { BUCKETS = 64, KEYS = BUCKETS * 256 };
    unsigned count[BUCKETS] = {0};
    for (uint64_t key = 0; key < KEYS; key++)
        count[hash_mix(key, 42) % BUCKETS]++;
    for (int b = 0; b < BUCKETS; b++)
        assert_true(count[b] > 128 && count[b] < 512);
}

static void a_copied_text_ends_with_nul(void **unused)
{
    (void)unused;
    char *copy = memory_text("panes", 4);
    assert_string_equal(copy, "pane");
    free(copy);
    copy = memory_text(NULL, 0);
    assert_string_equal(copy, "");
    free(copy);
}

static void zeroed_memory_is_zero_and_resizing_keeps_it(void **unused)
{
    (void)unused;
    static const uint64_t zero[4];
    uint64_t *numbers = memory_zeroed(4, sizeof(*numbers));
    assert_memory_equal(numbers, zero, sizeof(zero));
    numbers[3] = 7;
    numbers = memory_resize(numbers, 4000, sizeof(*numbers));
    assert_true(numbers[3] == 7);
    free(numbers);
}

/* Runs in a child, as it ends the process; a sanitizer ends it in its own way. Exit code 0: it went on. */
static void ask_for_too_much(void)
{
    if (freopen("/dev/null", "w", stderr) == NULL) _exit(0);
    volatile size_t everything = SIZE_MAX / 2;
    free(memory_resize(NULL, everything, everything));
    _exit(0);
}

static void memory_that_is_not_there_ends_the_process(void **unused)
{
    (void)unused;
    int how;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) ask_for_too_much();
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_false(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void an_error_says_status_code_and_text(void **unused)
{
    (void)unused;
    struct error err = {0};
    enum status status = error_set(&err, ST_SKIP, 22, "byte %d of %s", 7, "otlp");
    assert_int_equal(status, ST_SKIP);
    assert_int_equal(err.status, ST_SKIP);
    assert_int_equal(err.code, 22);
    assert_string_equal(err.text, "byte 7 of otlp");
}

static void a_long_error_text_is_cut_and_still_ends(void **unused)
{
    (void)unused;
    struct error err;
    error_set(&err, ST_FATAL, 0, "%0*d", 2 * (int)sizeof(err.text), 1);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void the_worse_of_two_statuses_is_the_larger(void **unused)
{
    (void)unused;
    static const enum status worsening[] = {ST_OK, ST_SKIP, ST_RETRY, ST_ABORT, ST_LOST, ST_FATAL};
    for (int i = 1; i < 6; i++)
        assert_true(worsening[i - 1] < worsening[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_equal_by_content_and_length),
        cmocka_unit_test(empty_bytes_are_equal_wherever_they_point),
        cmocka_unit_test(a_buffer_keeps_what_was_written_while_it_grows),
        cmocka_unit_test(a_reset_buffer_is_empty_and_keeps_its_room),
        cmocka_unit_test(room_in_a_buffer_is_not_yet_content),
        cmocka_unit_test(print_appends_text_of_any_length_without_its_nul),
        cmocka_unit_test(appending_nothing_changes_nothing),
        cmocka_unit_test(pieces_of_a_pool_do_not_overlap),
        cmocka_unit_test(a_piece_given_back_is_taken_again),
        cmocka_unit_test(a_pool_counts_what_is_out),
        cmocka_unit_test(rounding_wastes_at_most_half_and_never_takes_away),
        cmocka_unit_test(a_reset_pool_asks_the_system_for_nothing_new),
        cmocka_unit_test(giving_back_nothing_is_fine),
        cmocka_unit_test(the_stable_hash_is_the_same_on_every_machine),
        cmocka_unit_test(a_seed_changes_the_seeded_hash),
        cmocka_unit_test(mixing_spreads_neighbours_over_all_buckets),
        cmocka_unit_test(a_copied_text_ends_with_nul),
        cmocka_unit_test(zeroed_memory_is_zero_and_resizing_keeps_it),
        cmocka_unit_test(memory_that_is_not_there_ends_the_process),
        cmocka_unit_test(an_error_says_status_code_and_text),
        cmocka_unit_test(a_long_error_text_is_cut_and_still_ends),
        cmocka_unit_test(the_worse_of_two_statuses_is_the_larger),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
