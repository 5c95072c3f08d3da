/* What fires together: one alert, whatever the order in which the partitions tell of it. */
#include "engine/base/memory.h"
#include "engine/fleet.h"
#include "schemas/format.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PARTITIONS = 3 };

#define SECOND_NS INT64_C(1000000000)

/* One series' word, in the terms that matter here. */
struct word {
    const char *series;
    enum alert_state state;
    int64_t at_s;
    double shift, mean_ms;
    uint8_t trace; /* the first byte of its trace; 0: none */
};

static struct alert alert_of(const struct word *word)
{
    struct alert alert = {
        .id = "0123456789abcdef0123456789abcdef",
        .rule = bytes_of("anomaly"),
        .series = bytes_of(word->series),
        .state = word->state,
        .severity = bytes_of("page"),
        .condition = bytes_of("anomaly(any) >= page"),
        .value = 2,
        .since_ns = (word->at_s - 60) * SECOND_NS,
        .at_ns = word->at_s * SECOND_NS,
        .together = true,
        .signal = {.name = bytes_of("latency"),
            .z = 9,
            .p = 1e-9,
            .value = 20,
            .expected = 2,
            .shift = word->shift,
            .mean_ms = word->mean_ms},
    };
    if (word->trace != 0) {
        alert.exemplar[0] = (struct exemplar){.kind = EXEMPLAR_SLOW, .trace_id = {word->trace}};
        alert.exemplars = 1;
    }
    return alert;
}

static void tell(struct fleet *fleet, uint32_t partition, int64_t closed_s, const struct word *word,
    size_t words)
{
    struct buffer alerts = {0};
    struct error err;
    for (size_t i = 0; i < words; i++) {
        struct alert alert = alert_of(&word[i]);
        fleet_tell(&alert, 1, &alerts);
    }
    const struct partial_telling telling = {
        .partition = partition, .closed_ns = closed_s * SECOND_NS, .alerts = buffer_bytes(&alerts)};
    assert_int_equal(fleet_take(fleet, &telling, &err), ST_OK);
    buffer_release(&alerts);
}

/* What was said, one line a transition: state, likely cause, members. */
static void read_said(const struct records *records, struct buffer *text)
{
    struct output *out = memory_zeroed(1, sizeof(*out));
    struct error err;
    for (size_t i = 0; i < records->count; i++) {
        struct bytes key, value;
        records_get(records, i, &key, &value);
        assert_int_equal(output_decode(value, out, &err), ST_OK);
        assert_true(out->is_alert);
        assert_true(out->alert.together);
        buffer_print(text, "%s%s %lld %.*s:", alert_state_name[out->alert.state],
            out->alert.changed ? "+" : "", (long long)(out->alert.at_ns / SECOND_NS),
            (int)out->alert.series.size, (const char *)out->alert.series.data);
        for (uint32_t m = 0; m < out->alert.members; m++) {
            const struct bytes series = out->alert.member[m].series;
            buffer_print(text, " %.*s", (int)series.size, (const char *)series.data);
        }
        buffer_print(text, "\n");
    }
    free(out);
}

static void assert_said(struct fleet *fleet, const char *wanted)
{
    struct records records = {0};
    struct buffer text = {0};
    fleet_decide(fleet, 7, 1, &records);
    read_said(&records, &text);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)text.data, wanted);
    buffer_release(&text);
    records_release(&records);
}

#define PAYMENT  "service=payment;operation=Charge;kind=SERVER"
#define CHECKOUT "service=checkout;operation=PlaceOrder;kind=SERVER"
#define FRONTEND "service=frontend"
#define EMAIL    "service=email"

static void what_fires_along_one_path_is_one_alert_the_cause_first(void **unused)
{
    (void)unused;
    static const struct word payment = {PAYMENT, ALERT_FIRING, 120, 2.1, 280, 7};
    static const struct word checkout = {CHECKOUT, ALERT_FIRING, 120, 1.5, 330, 7};
    static const struct word frontend = {FRONTEND, ALERT_FIRING, 120, 1.9, 90, 7};
    static const struct word email = {EMAIL, ALERT_FIRING, 120, 3.0, 90, 9};
    struct fleet *fleet = fleet_new(PARTITIONS);
    tell(fleet, 0, 120, &checkout, 1);
    tell(fleet, 1, 120, &frontend, 1);
    assert_said(fleet, ""); /* one partition has not told yet */
    const struct word last[] = {email, payment};
    tell(fleet, 2, 120, last, 2);
    assert_said(fleet, "firing 120 " EMAIL ": " EMAIL "\n"
                       "firing 120 " PAYMENT ": " PAYMENT " " FRONTEND " " CHECKOUT "\n");
    fleet_free(fleet);
}

static void who_asks_and_who_answers_belong_together(void **unused)
{
    (void)unused;
    static const struct word words[] = {
        {"service=checkout;operation=Charge;kind=CLIENT", ALERT_FIRING, 60, 1, 300, 1},
        {"service=payment;operation=Charge;kind=SERVER", ALERT_FIRING, 60, 2, 20, 2},
        {"service=mail;operation=Charge;kind=INTERNAL", ALERT_FIRING, 60, 3, 20, 3},
        {"service=shop;operation=send;kind=PRODUCER", ALERT_FIRING, 60, .5, 20, 4},
        {"service=bus;operation=send;kind=SERVER", ALERT_FIRING, 60, .25, 20, 5}};
    struct fleet *fleet = fleet_new(1);
    tell(fleet, 0, 60, words, 5);
    assert_said(fleet, "firing 60 service=mail;operation=Charge;kind=INTERNAL: "
                       "service=mail;operation=Charge;kind=INTERNAL\n"
                       "firing 60 service=payment;operation=Charge;kind=SERVER: "
                       "service=payment;operation=Charge;kind=SERVER "
                       "service=checkout;operation=Charge;kind=CLIENT\n"
                       "firing 60 service=shop;operation=send;kind=PRODUCER: "
                       "service=shop;operation=send;kind=PRODUCER\n"
                       "firing 60 service=bus;operation=send;kind=SERVER: "
                       "service=bus;operation=send;kind=SERVER\n");
    fleet_free(fleet);
}

static void equal_shifts_are_told_apart_by_who_ends_first(void **unused)
{
    (void)unused;
    static const struct word words[] = {{CHECKOUT, ALERT_FIRING, 60, 2.51, 300, 1},
        {PAYMENT, ALERT_FIRING, 60, 2.55, 20, 1}, {FRONTEND, ALERT_FIRING, 60, 2.58, 320, 1}};
    struct fleet *fleet = fleet_new(1);
    tell(fleet, 0, 60, words, 3);
    assert_said(fleet, "firing 60 " PAYMENT ": " PAYMENT " " CHECKOUT " " FRONTEND "\n");
    fleet_free(fleet);
}

static void series_join_and_leave_until_none_is_left(void **unused)
{
    (void)unused;
    static const struct word first = {CHECKOUT, ALERT_FIRING, 60, 1.5, 330, 7};
    static const struct word second = {PAYMENT, ALERT_FIRING, 120, 2.1, 280, 7};
    static const struct word gone = {CHECKOUT, ALERT_RESOLVED, 180, 0, 0, 0};
    static const struct word last = {PAYMENT, ALERT_RESOLVED, 240, 0, 0, 0};
    struct fleet *fleet = fleet_new(1);
    tell(fleet, 0, 60, &first, 1);
    assert_said(fleet, "firing 60 " CHECKOUT ": " CHECKOUT "\n");
    tell(fleet, 0, 120, &second, 1);
    assert_said(fleet, "firing+ 120 " CHECKOUT ": " PAYMENT " " CHECKOUT "\n");
    tell(fleet, 0, 180, &gone, 1);
    assert_said(fleet, "");
    tell(fleet, 0, 240, &last, 1);
    assert_said(fleet, "resolved 240 " CHECKOUT ":\n");
    tell(fleet, 0, 300, &last, 1); /* of an incident that is over */
    assert_said(fleet, "");
    fleet_free(fleet);
}

static void strangers_stay_apart_and_a_rule_by_itself(void **unused)
{
    (void)unused;
    static const struct word words[] = {
        {PAYMENT, ALERT_FIRING, 60, 2.1, 280, 7}, {EMAIL, ALERT_FIRING, 60, 2.9, 28, 8}};
    struct fleet *fleet = fleet_new(1);
    tell(fleet, 0, 60, words, 2);
    assert_said(fleet, "firing 60 " EMAIL ": " EMAIL "\nfiring 60 " PAYMENT ": " PAYMENT "\n");
    fleet_free(fleet);
}

static void what_is_told_twice_counts_once(void **unused)
{
    (void)unused;
    static const struct word word = {PAYMENT, ALERT_FIRING, 60, 2.1, 280, 7};
    struct fleet *fleet = fleet_new(1);
    tell(fleet, 0, 60, &word, 1);
    tell(fleet, 0, 60, &word, 1);
    assert_said(fleet, "firing 60 " PAYMENT ": " PAYMENT "\n");
    fleet_free(fleet);
}

/*
 * The same words in any order and in any number of tellings, saved and loaded in between, say the same.
 * Mutation: deciding a moment when only one partition has told of it.
 */
/* A rule is changed or taken out: what it said ends at the moment up to which all is told already. */
static void what_a_changed_rule_said_is_over(void **unused)
{
    (void)unused;
    static const struct word begins = {PAYMENT, ALERT_FIRING, 120, 2.1, 280, 7};
    static const struct word ends = {PAYMENT, ALERT_RESOLVED, 120, 2.1, 280, 7};
    struct fleet *fleet = fleet_new(PARTITIONS);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        tell(fleet, p, 120, &begins, p == 0);
    assert_said(fleet, "firing 120 " PAYMENT ": " PAYMENT "\n");
    tell(fleet, 0, 120, &ends, 1);
    assert_said(fleet, "resolved 120 " PAYMENT ":\n");
    tell(fleet, 0, 120, &ends, 1);
    assert_said(fleet, "");
    fleet_free(fleet);

    fleet = fleet_new(PARTITIONS);
    const struct word both[] = {begins, ends};
    for (uint32_t p = 0; p < PARTITIONS; p++)
        tell(fleet, p, 120, both, p == 0 ? 2 : 0);
    assert_said(fleet, "");
    fleet_free(fleet);
}

static void the_end_of_what_is_known_is_never_dropped(void **unused)
{
    (void)unused;
    struct word word = {PAYMENT, ALERT_FIRING, 120, 2.1, 280, 7};
    char series[40];
    struct fleet *fleet = fleet_new(PARTITIONS);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        tell(fleet, p, 120, &word, p == 0);
    assert_said(fleet, "firing 120 " PAYMENT ": " PAYMENT "\n");
    for (int i = 0; i <= FLEET_PENDING_MAX; i++) { /* while the other partitions lag */
        word = (struct word){series, ALERT_FIRING, 130 + i, 1, 1, 0};
        snprintf(series, sizeof(series), "service=s%d", i);
        tell(fleet, 0, 130 + i, &word, 1);
    }
    assert_int_equal(fleet_dropped(fleet), 1);
    word.state = ALERT_RESOLVED; /* of the one that was dropped */
    word.at_s++;
    tell(fleet, 0, word.at_s, &word, 1);
    assert_int_equal(fleet_dropped(fleet), 2);
    word = (struct word){PAYMENT, ALERT_RESOLVED, word.at_s + 1, 2.1, 280, 7};
    tell(fleet, 0, word.at_s, &word, 1);
    word.series = "service=s5";
    word.at_s++;
    tell(fleet, 0, word.at_s, &word, 1);
    assert_int_equal(fleet_dropped(fleet), 2);
    fleet_free(fleet);
}

static void neither_order_nor_restarts_can_be_seen(void **unused)
{
    (void)unused;
    enum { MOMENTS = 40, ROUNDS = 20 };
    struct buffer wanted = {0};
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct random words = random_from(11), order = random_from(round);
        struct fleet *fleet = fleet_new(PARTITIONS);
        struct records records = {0};
        int64_t told[PARTITIONS] = {0};
        struct word word[MOMENTS][PARTITIONS];
        static char series[MOMENTS][PARTITIONS][40];
        for (int m = 0; m < MOMENTS; m++) {
            for (int p = 0; p < PARTITIONS; p++) {
                snprintf(series[m][p], sizeof(series[m][p]), "service=s%d",
                    (int)random_below(&words, 4) * PARTITIONS + p);
                word[m][p] = (struct word){series[m][p],
                    random_below(&words, 2) == 0 ? ALERT_FIRING : ALERT_RESOLVED, (m + 1) * 60,
                    (double)random_below(&words, 100) / 10, (double)random_below(&words, 100),
                    (uint8_t)random_below(&words, 5)};
            }
        }
        for (;;) {
            bool all = true;
            for (int p = 0; p < PARTITIONS; p++)
                all = all && told[p] == MOMENTS;
            if (all) break;
            uint32_t p = (uint32_t)random_below(&order, PARTITIONS);
            if (told[p] == MOMENTS) continue;
            tell(fleet, p, (told[p] + 1) * 60, &word[told[p]][p], 1);
            told[p]++;
            fleet_decide(fleet, 7, 1, &records);
            if (random_below(&order, 3) != 0) continue;
            struct buffer saved = {0}, again = {0};
            struct error err;
            fleet_save(fleet, &saved);
            fleet_free(fleet);
            fleet = fleet_new(PARTITIONS);
            assert_int_equal(fleet_load(fleet, buffer_bytes(&saved), &err), ST_OK);
            fleet_save(fleet, &again);
            assert_true(bytes_equal(buffer_bytes(&saved), buffer_bytes(&again)));
            buffer_release(&saved);
            buffer_release(&again);
        }
        struct buffer text = {0};
        read_said(&records, &text);
        if (round == 0) {
            assert_true(text.size > 500);
            wanted = text;
        } else {
            assert_true(bytes_equal(buffer_bytes(&wanted), buffer_bytes(&text)));
            buffer_release(&text);
        }
        records_release(&records);
        fleet_free(fleet);
    }
    buffer_release(&wanted);
}

/* A build without failpoints cannot play its own successor. */
static bool has_successor(void)
{
    setenv("WEIR_TEST_FORMAT", "2", 1);
    bool has = format_version(1) == 2;
    unsetenv("WEIR_TEST_FORMAT");
    return has;
}

static void what_a_later_weir_added_is_passed_over(void **unused)
{
    (void)unused;
    static const struct word words[] = {
        {CHECKOUT, ALERT_FIRING, 60, 1.5, 330, 7}, {PAYMENT, ALERT_FIRING, 60, 2.1, 280, 7}};
    static const struct word pending = {EMAIL, ALERT_FIRING, 120, 3.0, 90, 9};
    struct buffer plain = {0}, added = {0}, again = {0};
    struct error err;
    struct fleet *fleet = fleet_new(2), *loaded = fleet_new(2);
    tell(fleet, 1, 60, words, 2);
    tell(fleet, 0, 60, NULL, 0);
    assert_said(fleet, "firing 60 " PAYMENT ": " PAYMENT " " CHECKOUT "\n");
    tell(fleet, 1, 120, &pending, 1);
    fleet_save(fleet, &plain);
    setenv("WEIR_TEST_FORMAT", "added", 1);
    fleet_save(fleet, &added);
    unsetenv("WEIR_TEST_FORMAT");
    assert_int_equal(added.size > plain.size, has_successor());
    if (fleet_load(loaded, buffer_bytes(&added), &err) != ST_OK) fail_msg("%s", err.text);
    fleet_save(loaded, &again);
    assert_true(bytes_equal(buffer_bytes(&plain), buffer_bytes(&again)));
    buffer_release(&plain);
    buffer_release(&added);
    buffer_release(&again);
    fleet_free(fleet);
    fleet_free(loaded);
}

static void a_telling_is_cut_between_alerts(void **unused)
{
    (void)unused;
    static const struct word word = {PAYMENT, ALERT_FIRING, 60, 2.1, 280, 7};
    struct alert alert = alert_of(&word);
    struct buffer alerts = {0};
    for (int i = 0; i < 10; i++)
        fleet_tell(&alert, 1, &alerts);
    size_t one = alerts.size / 10, pieces = 0;
    struct bytes left = buffer_bytes(&alerts), part;
    while (fleet_cut(&left, 3 * one, &part)) {
        assert_int_equal(part.size, 3 * one);
        pieces++;
    }
    assert_int_equal(pieces, 3);
    assert_int_equal(part.size, one);
    left = buffer_bytes(&alerts);
    assert_true(fleet_cut(&left, 1, &part)); /* one that is larger goes alone */
    assert_int_equal(part.size, one);
    buffer_release(&alerts);
}

static void nonsense_is_refused(void **unused)
{
    (void)unused;
    struct fleet *fleet = fleet_new(1);
    struct error err;
    struct partial_telling telling = {.partition = 1};
    assert_int_equal(fleet_take(fleet, &telling, &err), ST_SKIP);
    telling = (struct partial_telling){.alerts = {(const uint8_t *)"\x09xyz", 4}};
    assert_int_equal(fleet_take(fleet, &telling, &err), ST_SKIP);
    telling.alerts = (struct bytes){(const uint8_t *)"\x03xyz", 4};
    assert_int_equal(fleet_take(fleet, &telling, &err), ST_SKIP);
    assert_int_equal(
        fleet_load(fleet, (struct bytes){(const uint8_t *)"\x1a\x02xy", 4}, &err), ST_FATAL);
    fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fires_along_one_path_is_one_alert_the_cause_first),
        cmocka_unit_test(who_asks_and_who_answers_belong_together),
        cmocka_unit_test(equal_shifts_are_told_apart_by_who_ends_first),
        cmocka_unit_test(series_join_and_leave_until_none_is_left),
        cmocka_unit_test(strangers_stay_apart_and_a_rule_by_itself),
        cmocka_unit_test(what_is_told_twice_counts_once),
        cmocka_unit_test(what_a_changed_rule_said_is_over),
        cmocka_unit_test(the_end_of_what_is_known_is_never_dropped),
        cmocka_unit_test(neither_order_nor_restarts_can_be_seen),
        cmocka_unit_test(what_a_later_weir_added_is_passed_over),
        cmocka_unit_test(a_telling_is_cut_between_alerts),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
