/* When a store that threw rows away is filled again: once it has room or rest, and not too often. */
#include "engine/evictions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S

static struct store_place place_of(uint64_t ever, uint64_t memory_max, const char *policy)
{
    struct store_place place = {.evicted = ever, .evicted_ever = ever, .memory_max = memory_max};
    memcpy(place.policy, policy, strlen(policy) + 1);
    return place;
}

static void a_rise_is_counted_once_and_a_new_server_from_zero(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    struct store_place p = place_of(70, 100, "allkeys-lru");
    assert_int_equal(evictions_look(&e, &p, S), 0); /* from before we looked */
    p.evicted_ever = 75;
    assert_int_equal(evictions_look(&e, &p, 2 * S), 5);
    assert_int_equal(evictions_look(&e, &p, 3 * S), 0);
    p.evicted_ever = 3;
    assert_int_equal(evictions_look(&e, &p, 4 * S), 3);
}

static void while_it_throws_away_nothing_is_refilled(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    for (int64_t i = 0; i < 1000; i++) {
        struct store_place p = place_of((uint64_t)i + 1, 100, "allkeys-lru");
        evictions_look(&e, &p, S + 30 * i * S);
        assert_true(evictions_going_on(&e, &p, S + 30 * i * S));
        assert_false(evictions_refill(&e, &p, S + 30 * i * S));
    }
}

static void after_a_rest_it_is_refilled_but_not_again_for_a_while(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    struct store_place p = place_of(5, 100, "allkeys-lru");
    evictions_look(&e, &p, S);
    assert_false(evictions_refill(&e, &p, 60 * S));
    assert_true(evictions_refill(&e, &p, 61 * S));
    p.evicted_ever = 9;
    evictions_look(&e, &p, 70 * S);
    assert_false(evictions_refill(&e, &p, 200 * S));
    assert_false(evictions_refill(&e, &p, 660 * S));
    assert_true(evictions_refill(&e, &p, 661 * S));
}

static void more_memory_or_another_policy_is_reason_to_refill_at_once(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    struct store_place p = place_of(5, 100, "allkeys-lru");
    evictions_look(&e, &p, S);
    p.memory_max = 200;
    assert_false(evictions_going_on(&e, &p, 2 * S));
    assert_true(evictions_refill(&e, &p, 2 * S));
    p.evicted_ever = 6; /* it was not enough */
    evictions_look(&e, &p, 3 * S);
    assert_true(evictions_going_on(&e, &p, 4 * S));
    assert_false(evictions_refill(&e, &p, 4 * S));
    memcpy(p.policy, "noeviction", sizeof("noeviction"));
    assert_true(evictions_refill(&e, &p, 5 * S));
}

static void a_store_that_never_threw_anything_away_is_not_going_on(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    struct store_place p = place_of(0, 100, "allkeys-lru");
    evictions_look(&e, &p, S);
    assert_false(evictions_going_on(&e, &p, S));
}

/* Mutation: taking what was thrown away before we looked for a reason to leave rows out. */
static void a_store_without_a_limit_is_not_going_on(void **unused)
{
    (void)unused;
    struct evictions e = {0};
    struct store_place p = place_of(500, 0, "allkeys-lru");
    evictions_look(&e, &p, S);
    assert_false(evictions_going_on(&e, &p, 2 * S));
    p = place_of(500, 100, "noeviction");
    assert_false(evictions_going_on(&e, &p, 3 * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rise_is_counted_once_and_a_new_server_from_zero),
        cmocka_unit_test(while_it_throws_away_nothing_is_refilled),
        cmocka_unit_test(after_a_rest_it_is_refilled_but_not_again_for_a_while),
        cmocka_unit_test(more_memory_or_another_policy_is_reason_to_refill_at_once),
        cmocka_unit_test(a_store_that_never_threw_anything_away_is_not_going_on),
        cmocka_unit_test(a_store_without_a_limit_is_not_going_on),
    };
    return cmocka_run_group_tests_name("evictions", tests, NULL, NULL);
}
