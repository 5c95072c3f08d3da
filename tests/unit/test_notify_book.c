/* What a notifier keeps in mind: the book, the queue, and when Redis can be believed. */
#include "engine/base/clock.h"
#include "engine/notify_book.h"
#include "engine/notify_queue.h"
#include "engine/notify_settled.h"
#include "tests/support/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1714564800000)

static void put(struct read_list *list, const char *name, const char *value)
{
    struct read_item item = {.name = bytes_of(name), .value = bytes_of(value)};
    read_list_append(list, &item);
}

/* ---- settled ---- */

static bool settles(struct notify_settled *settled, const char *const *fields)
{
    struct read_list applied = {.count = 0};
    for (; *fields != NULL; fields += 2)
        put(&applied, fields[0], fields[1]);
    bool is = notify_settled(settled, &applied);
    read_list_release(&applied);
    return is;
}

static void redis_is_believed_when_every_partition_is_there_and_none_is_refilled(void **unused)
{
    (void)unused;
    static const char *const empty[] = {NULL};
    static const char *const whole[] = {"plan", "a", "0", "5", "1", "7", "evicted:0", "x:0", NULL};
    static const char *const filling[] = {"plan", "a", "0", "2", "1", "7", "refill:0", "1", NULL};
    static const char *const lacking[] = {"plan", "a", "0", "5", NULL};
    static const char *const strange[] = {"0", "5", "1", "7", NULL};
    static const char *const switched[] = {"plan", "b", "0", "1", NULL};
    struct notify_settled settled = {.plan = ""};
    assert_false(settles(&settled, empty));
    assert_true(settles(&settled, lacking)); /* nothing is known of another partition */
    assert_true(settles(&settled, whole));
    assert_false(settles(&settled, filling));
    assert_false(settles(&settled, lacking));
    assert_false(settles(&settled, empty));
    assert_false(settles(&settled, strange));
    assert_true(settles(&settled, whole));
    assert_true(settles(&settled, switched)); /* another plan has partitions of its own */
}

/* ---- the book ---- */

static void entries_of_the_book_are_read_or_refused(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {"", "1", "1:firing", "1:firing:2", "1:firing:2:n",
        ":firing:2:n:", "x:firing:2:n:{}", "-1:firing:2:n:{}", "1:burning:2:n:{}",
        "1:firing:y:n:{}", "11111111111111111111111111:firing:2:n:{}", NULL};
    struct book_entry entry;
    for (size_t i = 0; wrong[i] != NULL; i++) {
        if (book_entry_read(&entry, bytes_of(wrong[i]))) fail_msg("taken: %s", wrong[i]);
    }
    assert_true(book_entry_read(&entry, bytes_of("12:gone:34:n-1:{\"a\":\"b:c\"}")));
    assert_true(entry.at_ms == 12 && entry.told_ms == 34 && entry.state == BOOK_GONE);
    assert_true(bytes_are(entry.notifier, "n-1"));
    assert_true(bytes_are(entry.json, "{\"a\":\"b:c\"}"));
}

/* A look at Redis at this time; `book` and `active` are names and values by turns. */
static void look(
    struct notify_book *book, const char *const *told, const char *const *active, int64_t at_ms)
{
    struct alerts_look seen = {.cut = false};
    for (; *told != NULL; told += 2)
        put(&seen.book, told[0], told[1]);
    for (; *active != NULL; active += 2)
        put(&seen.active, active[0], active[1]);
    notify_book_look(book, &seen, NOW + at_ms, at_ms * NS_PER_MS);
    alerts_look_release(&seen);
}

static const char *const nothing[] = {NULL};

static void the_book_and_what_fires_are_set_side_by_side(void **unused)
{
    (void)unused;
    static const char *const told[] = {"both", "5:firing:1714564800000:n:{\"id\":\"both\"}",
        "ended", "5:firing:1714564800000:n:{\"id\":\"ended\"}", "over",
        "9:resolved:1714564800000:n:{}", "back", "5:gone:1714564800000:n:{}", "no",
        "5:refused:1714564800000:n:{}", "since", "3", NULL};
    static const char *const active[] = {
        "both", "{\"id\":\"both\"}", "new", "{\"id\":\"new\"}", "back", "{}", "no", "{}", NULL};
    static const struct {
        const char *id;
        int state;
        bool fires, odd;
    } want[] = {
        {"both", BOOK_FIRING, true, false},
        {"ended", BOOK_FIRING, false, true},
        {"over", BOOK_RESOLVED, false, false},
        {"back", BOOK_GONE, true, true},
        {"no", BOOK_REFUSED, true, false},
        {"new", BOOK_UNTOLD, true, true},
    };
    struct notify_book book = {.since_ms = 0};
    look(&book, told, active, 1000);
    look(&book, told, active, 2000);
    assert_int_equal(book.count, 6);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct told *is = notify_book_find(&book, want[i].id);
        assert_non_null(is);
        if (is->state != want[i].state || is->fires != want[i].fires ||
            is->odd_ns != (want[i].odd ? 1000 * NS_PER_MS : 0))
            fail_msg("%s: state %d fires %d odd %lld", want[i].id, is->state, is->fires,
                (long long)is->odd_ns);
    }
    assert_null(notify_book_find(&book, "none"));
    assert_true(bytes_are(notify_book_find(&book, "new")->json, "{\"id\":\"new\"}"));
    notify_book_release(&book);
}

static void what_redis_lost_is_kept_in_mind_until_it_is_past(void **unused)
{
    (void)unused;
    static const char *const told[] = {"f", "5:firing:1714564800000:n:{\"id\":\"f\"}", "r",
        "9:resolved:1714564800000:n:{\"id\":\"r\"}", NULL};
    static const char *const active[] = {"u", "{\"id\":\"u\"}", NULL};
    struct notify_book book = {.since_ms = 0};
    look(&book, told, active, 0);
    assert_true(notify_book_find(&book, "f")->is_kept);
    look(&book, nothing, nothing, 1000);
    assert_int_equal(book.count, 2);
    assert_false(notify_book_find(&book, "f")->is_kept);
    assert_false(notify_book_find(&book, "r")->is_kept);
    assert_true(bytes_are(notify_book_find(&book, "f")->json, "{\"id\":\"f\"}"));
    look(&book, nothing, nothing, 3700 * 1000);
    assert_non_null(notify_book_find(&book, "f"));
    assert_null(notify_book_find(&book, "r"));
    notify_book_release(&book);
}

static void a_book_of_many_finds_each(void **unused)
{
    (void)unused;
    enum { MANY = 5000 };
    struct notify_book book = {.since_ms = 0};
    char id[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        struct alerts_telling telling = {.id = id, .at_ms = i, .state = BOOK_FIRING};
        notify_book_note(&book, &telling, (uint64_t)i, NOW);
    }
    assert_int_equal(book.count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        assert_int_equal(notify_book_find(&book, id)->at_ms, i);
    }
    assert_true(notify_book_labels_fire(&book, "a1", 7));
    assert_false(notify_book_labels_fire(&book, "a7", 7));
    assert_false(notify_book_labels_fire(&book, "a1", MANY));
    notify_book_release(&book);
}

/* ---- the queue ---- */

static struct notify_item *queue_put(struct notify_queue *queue, const char *id,
    enum book_state wanted, int64_t at_ms, const char *entry)
{
    enum notice_state state = wanted == BOOK_FIRING ? NOTICE_FIRING : NOTICE_RESOLVED;
    struct notice notice = receiver_notice(id, state, at_ms);
    struct notify_item *item = notify_queue_put(queue, &notice, wanted, at_ms, entry, at_ms);
    notice_release(&notice);
    return item;
}

static void of_one_alert_the_newest_is_in_hand_with_all_its_entries(void **unused)
{
    (void)unused;
    struct notify_queue queue = {.count = 0};
    struct notify_item *item = queue_put(&queue, "a", BOOK_FIRING, 10, "1-1");
    item->attempts = 3;
    item->next_ns = 99;
    assert_ptr_equal(queue_put(&queue, "a", BOOK_RESOLVED, 20, "2-1"), item);
    assert_int_equal(item->wanted, BOOK_RESOLVED);
    assert_int_equal(item->notice.state, NOTICE_RESOLVED);
    assert_int_equal(item->attempts, 0);
    assert_true(item->next_ns == 0);
    assert_ptr_equal(queue_put(&queue, "a", BOOK_FIRING, 10, "1-2"), item); /* an old one, late */
    assert_int_equal(item->wanted, BOOK_RESOLVED);
    assert_ptr_equal(queue_put(&queue, "a", BOOK_RESOLVED, 20, "2-1"), item); /* the same again */
    assert_int_equal(item->entries, 3);
    assert_int_equal(queue.count, 1);

    item->told = true; /* what is told is not what comes next */
    assert_ptr_not_equal(queue_put(&queue, "a", BOOK_FIRING, 30, "3-1"), item);
    assert_int_equal(queue.count, 2);
    notify_queue_drop(&queue, item);
    assert_int_equal(queue.count, 1);
    assert_string_equal(queue.item[0]->entry[0], "3-1");
    notify_queue_release(&queue);
}

static void the_queue_is_bounded_and_gives_the_earliest_first(void **unused)
{
    (void)unused;
    struct notify_queue queue = {.count = 0};
    char id[16];
    for (int i = 0; i < NOTIFY_QUEUE_MAX; i++) {
        snprintf(id, sizeof(id), "a%d", i);
        queue_put(&queue, id, BOOK_FIRING, 10, NULL)->next_ns = 1000 - i;
    }
    assert_true(notify_queue_full(&queue));
    assert_null(queue_put(&queue, "extra", BOOK_FIRING, 10, NULL));
    assert_non_null(queue_put(&queue, "a7", BOOK_FIRING, 11, "1-1")); /* of an alert in hand */
    notify_queue_find(&queue, "a7")->next_ns = 2000;
    for (int i = NOTIFY_QUEUE_MAX - 1; i >= 0; i--) {
        snprintf(id, sizeof(id), "a%d", i);
        if (i == 7) continue;
        assert_string_equal(notify_queue_next(&queue)->notice.id, id);
        notify_queue_drop(&queue, notify_queue_next(&queue));
    }
    assert_string_equal(notify_queue_next(&queue)->notice.id, "a7");
    notify_queue_next(&queue)->told = true;
    assert_null(notify_queue_next(&queue));
    notify_queue_release(&queue);
}

static void an_alert_of_very_many_entries_keeps_the_newest(void **unused)
{
    (void)unused;
    struct notify_queue queue = {.count = 0};
    struct notify_item *item = NULL;
    char entry[16];
    for (int i = 1; i <= NOTIFY_ENTRIES_MAX + 3; i++) {
        snprintf(entry, sizeof(entry), "%d-1", i);
        item = queue_put(&queue, "a", BOOK_FIRING, 10, entry);
    }
    assert_int_equal(item->entries, NOTIFY_ENTRIES_MAX);
    assert_string_equal(item->entry[0], "4-1");
    assert_string_equal(item->entry[NOTIFY_ENTRIES_MAX - 1], entry);
    notify_queue_release(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_is_believed_when_every_partition_is_there_and_none_is_refilled),
        cmocka_unit_test(entries_of_the_book_are_read_or_refused),
        cmocka_unit_test(the_book_and_what_fires_are_set_side_by_side),
        cmocka_unit_test(what_redis_lost_is_kept_in_mind_until_it_is_past),
        cmocka_unit_test(a_book_of_many_finds_each),
        cmocka_unit_test(of_one_alert_the_newest_is_in_hand_with_all_its_entries),
        cmocka_unit_test(the_queue_is_bounded_and_gives_the_earliest_first),
        cmocka_unit_test(an_alert_of_very_many_entries_keeps_the_newest),
    };
    return cmocka_run_group_tests_name("notify_book", tests, NULL, NULL);
}
