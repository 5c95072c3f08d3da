/* slos: what burns is said once, in time, and is over when it is; what does not burn is not said. */
#include "tests/support/traffic.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE_S INT64_C(60)
#define HOUR_S   TRAFFIC_HOUR_S
#define DAY_S    TRAFFIC_DAY_S

static const char usual[] = "{name: checkout, match: {}, objective: 99.9%}";

static void open_traffic(struct traffic *t, const char *config, uint64_t seed)
{
    struct error err = {0};
    if (!traffic_open(t, "slos", config, seed, &err)) fail_msg("%s", err.text);
}

/* A series that has been well for as long as the widest window of an alert. */
static void open_well(struct traffic *t, const char *config, uint64_t seed, double per_s)
{
    open_traffic(t, config, seed);
    t->per_s = per_s;
    t->bad = 0.0002;
    traffic_run(t, 3 * DAY_S);
    assert_int_equal(t->count, 0);
}

static void assert_said(const struct traffic *t, const char *severity, size_t fired, size_t over)
{
    size_t firing = traffic_said(t, severity, ALERT_FIRING);
    size_t resolved = traffic_said(t, severity, ALERT_RESOLVED);
    if (firing != fired || resolved != over)
        fail_msg(
            "%s: fired %zu, resolved %zu; want %zu, %zu", severity, firing, resolved, fired, over);
}

/* Half a request a second of which nine in ten fail, for eight days: a page at once, and one only. */
static void low_traffic_that_fails_for_days_pages_once(void **unused)
{
    (void)unused;
    struct traffic t;
    open_well(&t, usual, 1, 0.5);
    int64_t from_s = t.now_s;
    t.bad = 0.9;
    traffic_run(&t, 8 * DAY_S);
    assert_said(&t, "page", 1, 0);
    assert_said(&t, "ticket", 1, 0);
    assert_in_range(traffic_first(&t, "page", ALERT_FIRING) - from_s, 1, 2 * MINUTE_S);
    t.bad = 0.0002;
    traffic_run(&t, 4 * DAY_S);
    assert_said(&t, "page", 1, 1);
    assert_said(&t, "ticket", 1, 1);
    traffic_close(&t);
}

/* Requests so rare that short windows hold few or none: the wide ones notice. */
static void the_rarest_traffic_that_fails_is_noticed_too(void **unused)
{
    (void)unused;
    static const struct {
        double a_day, within_h;
        const char *severity;
    } cases[] = {{1000, 2, "page"}, {100, 24, "ticket"}, {20, 36, "ticket"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic t;
        open_traffic(&t, usual, i + 1);
        t.per_s = cases[i].a_day / (double)DAY_S;
        traffic_run(&t, 3 * DAY_S);
        int64_t from_s = t.now_s;
        t.bad = 0.9;
        traffic_run(&t, 3 * DAY_S);
        int64_t at_s = traffic_first(&t, cases[i].severity, ALERT_FIRING);
        assert_in_range(at_s - from_s, 1, (uint64_t)(cases[i].within_h * (double)HOUR_S));
        traffic_close(&t);
    }
}

/* Whatever the traffic, and wherever in it: one error is no alert, nor is one a day. */
static void one_error_among_few_requests_is_not_said(void **unused)
{
    (void)unused;
    static const double a_day[] = {1, 5, 24, 100, 1000, 10000};
    for (size_t i = 0; i < sizeof(a_day) / sizeof(a_day[0]); i++) {
        struct traffic t;
        open_traffic(&t, usual, i + 1);
        t.per_s = a_day[i] / (double)DAY_S;
        for (int day = 0; day < 10; day++) {
            traffic_pane(&t, 1, 1);
            traffic_run(&t, DAY_S);
        }
        assert_int_equal(t.count, 0);
        traffic_close(&t);
    }
}

/* An incident that is over still fills the long window; one error among few requests is no new one. */
static void one_error_after_an_incident_is_not_said(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(
        &t, "{name: s, match: {}, objective: 99.9%, page_1h: 0, page_6h: 0, ticket_3d: 0}", 1);
    t.per_s = 100.0 / (double)DAY_S;
    traffic_run(&t, DAY_S);
    for (int i = 0; i < 12; i++)
        traffic_pane(&t, 1, 1);
    assert_said(&t, "ticket", 1, 0);
    t.per_s = 0.1;
    traffic_run(&t, 8 * HOUR_S);
    assert_said(&t, "ticket", 1, 1);
    t.per_s = 100.0 / (double)DAY_S;
    traffic_run(&t, 4 * HOUR_S);
    traffic_pane(&t, 3, 1);
    traffic_run(&t, 4 * HOUR_S);
    assert_said(&t, "ticket", 1, 1);
    traffic_pane(&t, 3, 2); /* two are more than chance */
    assert_said(&t, "ticket", 2, 1);
    traffic_close(&t);
}

/* Ten spans a pane, two of them bad: in the short window min_spans decides from when on that counts. */
static void too_few_spans_are_not_said(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 99%, min_spans: 200, min_bad: 2}", 1);
    for (int i = 0; i < 19; i++)
        traffic_pane(&t, 10, 2);
    assert_int_equal(t.count, 0);
    traffic_pane(&t, 10, 2);
    assert_said(&t, "page", 1, 0);
    traffic_close(&t);
}

static void without_keeping_an_alert_lasts_as_long_as_it_burns(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 99%, keep_firing_for: 0s}", 1);
    for (int i = 0; i < 60; i++)
        traffic_pane(&t, 1000, 500);
    assert_said(&t, "page", 1, 0);
    for (int i = 0; i < 3 * 360; i++)
        traffic_pane(&t, 1000, 0);
    assert_said(&t, "page", 1, 1);
    int64_t burned_s = traffic_first(&t, "page", ALERT_RESOLVED) - TRAFFIC_FROM_S;
    assert_in_range(burned_s, 600 + 25 * MINUTE_S, 600 + 30 * MINUTE_S + 10);
    traffic_close(&t);
}

/* Twice the rate that the budget allows: a ticket within 3d * 1 / 2, and never a page. */
static void a_slow_burn_is_a_ticket_and_never_a_page(void **unused)
{
    (void)unused;
    static const double per_s[] = {0.5, 5, 50};
    for (size_t i = 0; i < sizeof(per_s) / sizeof(per_s[0]); i++) {
        struct traffic t;
        open_well(&t, usual, i + 1, per_s[i]);
        int64_t from_s = t.now_s;
        t.bad = 0.002;
        traffic_run(&t, 5 * DAY_S);
        assert_said(&t, "page", 0, 0);
        assert_said(&t, "ticket", 1, 0);
        assert_in_range(
            traffic_first(&t, "ticket", ALERT_FIRING) - from_s, HOUR_S, 36 * HOUR_S + 6 * HOUR_S);
        t.bad = 0.0002;
        traffic_run(&t, DAY_S);
        assert_said(&t, "ticket", 1, 1);
        traffic_close(&t);
    }
}

/*
 * config/SLO.md: with a share x bad from one moment on, a page comes after 1h * 14.4 * 0.1 % / x, at
 * the latest a pane and a bucket (of 2m30s, which the window may be short of) from that; or after
 * 6h * 6 * 0.1 % / x where the 1h window never gets there.
 */
static void a_fast_burn_pages_in_the_time_that_is_documented(void **unused)
{
    (void)unused;
    static const struct {
        double bad, after_s, within_s;
    } cases[] = {{1, 30, 62}, {0.5, 80, 124}, {0.1, 400, 570}, {0.05, 800, 1150},
        {0.02, 2100, 2900}, {0.01, 10000, 14500}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct traffic t;
            open_well(&t, usual, seed, 20);
            int64_t from_s = t.now_s;
            t.bad = cases[i].bad;
            traffic_run(&t, 6 * HOUR_S);
            int64_t after_s = traffic_first(&t, "page", ALERT_FIRING) - from_s;
            if ((double)after_s < cases[i].after_s || (double)after_s > cases[i].within_s)
                fail_msg("%g bad: paged after %lld s", cases[i].bad, (long long)after_s);
            assert_said(&t, "page", 1, 0);
            traffic_close(&t);
        }
    }
}

/* Ten minutes of nothing but errors: over when 30m hold none any more and 15m have passed since. */
static void what_has_ended_is_resolved(void **unused)
{
    (void)unused;
    struct traffic t;
    open_well(&t, usual, 3, 20);
    t.bad = 1;
    traffic_run(&t, 10 * MINUTE_S);
    int64_t ended_s = t.now_s;
    t.bad = 0.0002;
    traffic_run(&t, DAY_S);
    assert_said(&t, "page", 1, 1);
    assert_said(&t, "ticket", 1, 1);
    int64_t page_s = traffic_first(&t, "page", ALERT_RESOLVED) - ended_s;
    int64_t ticket_s = traffic_first(&t, "ticket", ALERT_RESOLVED) - ended_s;
    assert_in_range(page_s, 40 * MINUTE_S, 45 * MINUTE_S + 10);
    assert_in_range(ticket_s, 5 * HOUR_S, 6 * HOUR_S + 15 * MINUTE_S + 10);
    traffic_close(&t);
}

/* The same alert, from firing to resolved: one name, one beginning, one rate. */
static void what_is_resolved_is_what_fired(void **unused)
{
    (void)unused;
    struct traffic t;
    open_well(&t, usual, 3, 20);
    int64_t from_s = t.now_s;
    t.bad = 1;
    traffic_run(&t, 10 * MINUTE_S);
    t.bad = 0.0002;
    traffic_run(&t, DAY_S);
    assert_int_equal(t.count, 4);
    const struct alert *page = &t.said[0], *ticket = &t.said[1], *over = &t.said[2];
    assert_true(bytes_are(page->rule, "checkout_page"));
    assert_true(bytes_are(ticket->rule, "checkout_ticket"));
    assert_true(bytes_are(page->condition, "checkout_burn_1h > 14.4 and checkout_burn_5m > 14.4"));
    assert_true(page->value > 14.4 && page->value < 20);
    assert_true(bytes_are(over->rule, "checkout_page"));
    assert_true(bytes_equal(over->condition, page->condition));
    assert_int_equal(over->since_ns, page->since_ns);
    assert_int_equal(page->since_ns, page->at_ns - BENCH_PANE_NS);
    assert_in_range(page->since_ns / BENCH_SECOND_NS, from_s + 30, from_s + 62);
    traffic_close(&t);
}

/*
 * Chance moves what burns at just about the rate over it and back. Were an alert over as soon as its
 * condition is, that would be some 70 pages a day at ten requests a second.
 */
static void a_burn_near_the_rate_hardly_flaps(void **unused)
{
    (void)unused;
    enum { DAYS = 5 };
    static const double per_s[] = {100, 10, 0.5, 0.1}, rate[] = {6, 6.5, 7, 10, 14.4, 16};
    for (size_t i = 0; i < sizeof(per_s) / sizeof(per_s[0]); i++) {
        for (size_t k = 0; k < sizeof(rate) / sizeof(rate[0]); k++) {
            struct traffic t;
            open_well(&t, usual, 10 * i + k + 1, per_s[i]);
            t.bad = rate[k] * 0.001;
            traffic_run(&t, DAYS * DAY_S);
            size_t pages = traffic_said(&t, "page", ALERT_FIRING);
            if (pages < 1 || pages > (rate[k] < 10 ? 2 * DAYS : 2))
                fail_msg("%g times at %g a second: %zu pages", rate[k], per_s[i], pages);
            traffic_close(&t);
        }
    }
}

/* Services that keep their objective, by half or just so: no page in weeks, whatever their traffic. */
static void what_keeps_its_objective_does_not_page(void **unused)
{
    (void)unused;
    static const double per_s[] = {0.005, 0.02, 0.1, 0.5, 2, 10, 100};
    for (size_t i = 0; i < sizeof(per_s) / sizeof(per_s[0]); i++) {
        for (int half = 0; half < 2; half++) {
            struct traffic t;
            open_traffic(&t, usual, i + 1);
            t.per_s = per_s[i];
            t.bad = half ? 0.0005 : 0.001;
            traffic_run(&t, 20 * DAY_S);
            assert_said(&t, "page", 0, 0);
            if (half && traffic_said(&t, "ticket", ALERT_FIRING) > 2)
                fail_msg("%g a second: %zu tickets", per_s[i], t.count);
            traffic_close(&t);
        }
    }
}

/* A service that failed and fell silent: nothing says that it is well, until nothing is left. */
static void an_alert_of_a_silent_series_ends_as_its_windows_empty(void **unused)
{
    (void)unused;
    struct traffic t;
    open_well(&t, usual, 5, 20);
    t.bad = 1;
    traffic_run(&t, 10 * MINUTE_S);
    int64_t ended_s = t.now_s;
    assert_true(t.bench.op->awake(t.bench.self, t.bench.state));
    while (t.bench.op->awake(t.bench.self, t.bench.state) && t.now_s < ended_s + 4 * DAY_S)
        traffic_silence(&t);
    assert_said(&t, "page", 1, 1);
    assert_said(&t, "ticket", 1, 1);
    int64_t page_s = traffic_first(&t, "page", ALERT_RESOLVED) - ended_s;
    int64_t ticket_s = traffic_first(&t, "ticket", ALERT_RESOLVED) - ended_s;
    assert_in_range(page_s, 5 * HOUR_S, 6 * HOUR_S + 16 * MINUTE_S);
    assert_in_range(ticket_s, 2 * DAY_S, 3 * DAY_S + 16 * MINUTE_S);
    traffic_close(&t);
}

static void an_hour_of_silence_alone_alerts_nobody(void **unused)
{
    (void)unused;
    struct traffic t;
    open_well(&t, usual, 5, 2);
    t.bad = 0.005; /* just under the page's rate over 6h */
    traffic_run(&t, 6 * HOUR_S);
    size_t before = traffic_said(&t, "page", ALERT_FIRING);
    for (int i = 0; i < 6 * 360; i++)
        traffic_silence(&t);
    assert_int_equal(traffic_said(&t, "page", ALERT_FIRING), before);
    traffic_close(&t);
}

/* Nothing but errors from the first request on: both are due at once, the page goes first. */
static void one_transition_a_pane(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, usual, 1);
    traffic_pane(&t, 9, 9);
    assert_int_equal(t.count, 0);
    traffic_pane(&t, 9, 9);
    assert_int_equal(t.count, 1);
    assert_true(bytes_are(t.said[0].severity, "page"));
    traffic_pane(&t, 9, 9);
    assert_int_equal(t.count, 2);
    assert_true(bytes_are(t.said[1].severity, "ticket"));
    assert_int_equal(
        t.said[1].since_ns, t.said[0].since_ns); /* so the names must tell them apart */
    assert_false(bytes_equal(t.said[0].rule, t.said[1].rule));
    traffic_close(&t);
}

static void an_objective_that_is_taken_out_resolves_what_it_said(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, usual, 1);
    for (int i = 0; i < 3; i++)
        traffic_pane(&t, 9, 9);
    assert_int_equal(t.count, 2);
    for (int i = 0; i < 3; i++) {
        struct transition out = {0};
        struct closing_moment moment = {
            .series = bytes_of("service=checkout"), .end_ns = t.now_s * BENCH_SECOND_NS};
        t.bench.op->leave(t.bench.self, t.bench.state, &moment, &out);
        traffic_keep(&t, &out);
    }
    assert_said(&t, "page", 1, 1);
    assert_said(&t, "ticket", 1, 1);
    assert_int_equal(t.said[2].since_ns, t.said[0].since_ns);
    assert_int_equal(t.count, 4);
    assert_false(t.bench.op->awake(t.bench.self, t.bench.state));
    traffic_close(&t);
}

static void for_is_how_long_it_must_burn(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t, "{name: s, match: {}, objective: 99.9%, for: 2m}", 1);
    t.per_s = 20;
    traffic_run(&t, 6 * HOUR_S);
    int64_t from_s = t.now_s;
    t.bad = 1;
    traffic_run(&t, 10 * MINUTE_S);
    int64_t at_s = traffic_first(&t, "page", ALERT_FIRING);
    assert_in_range(at_s - from_s, 140, 190);
    assert_int_equal(t.said[0].at_ns - t.said[0].since_ns, 120 * BENCH_SECOND_NS);
    traffic_close(&t);
}

/* A rate of 0 is none, and one of its own goes before the usual. */
static void rates_can_be_set_and_left_out(void **unused)
{
    (void)unused;
    struct traffic t;
    open_traffic(&t,
        "{name: s, match: {}, objective: 99.9%, page_1h: 0, page_6h: 100, ticket_1d: 0, "
        "ticket_3d: 0}",
        1);
    t.per_s = 20;
    traffic_run(&t, DAY_S);
    t.bad = 0.05;
    traffic_run(&t, DAY_S);
    assert_int_equal(t.count, 0);
    t.bad = 0.2;
    traffic_run(&t, DAY_S);
    assert_said(&t, "page", 1, 0);
    assert_said(&t, "ticket", 0, 0);
    assert_true(traffic_rate(&t.said[0]) == 100);
    assert_true(traffic_column(&t.said[0], "s_burn_6h"));
    traffic_close(&t);
}

/* A budget of 28d is spent in the same shares: 2 % in 1h, 5 % in 6h, 10 % in 1d and in 3d. */
static void rates_are_shares_of_the_budget(void **unused)
{
    (void)unused;
    static const struct {
        const char *config;
        double rate;
    } cases[] = {
        {"{name: s, match: {}, objective: 99%, page_6h: 0, ticket_1d: 0, ticket_3d: 0}", 14.4},
        {"{name: s, match: {}, objective: 99%, page_1h: 0, ticket_1d: 0, ticket_3d: 0}", 6},
        {"{name: s, match: {}, objective: 99%, page_1h: 0, page_6h: 0, ticket_3d: 0}", 3},
        {"{name: s, match: {}, objective: 99%, page_1h: 0, page_6h: 0, ticket_1d: 0}", 1},
        {"{name: s, match: {}, objective: 99%, window: 28d, page_6h: 0, ticket_1d: 0, "
         "ticket_3d: 0}",
            13.44},
        {"{name: s, match: {}, objective: 99%, window: 28d, page_1h: 0, ticket_1d: 0, "
         "ticket_3d: 0}",
            5.6},
        {"{name: s, match: {}, objective: 99%, window: 28d, page_1h: 0, page_6h: 0, "
         "ticket_3d: 0}",
            2.8},
        {"{name: s, match: {}, objective: 99%, window: 28d, page_1h: 0, page_6h: 0, "
         "ticket_1d: 0}",
            28.0 / 30},
        {"{name: s, match: {}, objective: 99%, window: month, page_1h: 0, page_6h: 0, "
         "ticket_3d: 0}",
            3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct traffic t;
        open_traffic(&t, cases[i].config, 1);
        for (int pane = 0; pane < 3; pane++)
            traffic_pane(&t, 10, 10);
        assert_int_equal(t.count, 1);
        assert_true(fabs(traffic_rate(&t.said[0]) - cases[i].rate) < 1e-4);
        traffic_close(&t);
    }
}

/* A state that is copied at any moment, as a snapshot is, says the same and is the same from there. */
static void a_restart_at_any_moment_changes_nothing(void **unused)
{
    (void)unused;
    static const char *const configs[] = {usual,
        "{name: s, match: {}, objective: 99.9%, window: 28d, for: 1m, columns: all}",
        "{name: s, match: {}, objective: 99.9%, window: month}"};
    for (size_t c = 0; c < sizeof(configs) / sizeof(configs[0]); c++) {
        struct traffic a, b;
        open_traffic(&a, configs[c], 9);
        open_traffic(&b, configs[c], 9);
        size_t bytes = a.bench.op->state_bytes(a.bench.self);
        static const double bad[] = {0.0005, 0.3, 0.0005, 0.01, 1, 0};
        for (int64_t i = 0; i < 6 * 6 * 360; i++) {
            a.per_s = b.per_s = 1.5;
            a.bad = b.bad = bad[i / (6 * 360)];
            void *copy = malloc(bytes);
            memcpy(copy, b.bench.state, bytes);
            free(b.bench.state);
            b.bench.state = copy;
            traffic_run(&a, 10);
            traffic_run(&b, 10);
            assert_memory_equal(a.bench.state, b.bench.state, bytes);
        }
        assert_true(a.count >= 4);
        assert_int_equal(a.count, b.count);
        for (size_t i = 0; i < a.count; i++) {
            assert_int_equal(a.said[i].at_ns, b.said[i].at_ns);
            assert_int_equal(a.said[i].since_ns, b.said[i].since_ns);
            assert_int_equal(a.said[i].state, b.said[i].state);
        }
        traffic_close(&a);
        traffic_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_traffic_that_fails_for_days_pages_once),
        cmocka_unit_test(the_rarest_traffic_that_fails_is_noticed_too),
        cmocka_unit_test(one_error_among_few_requests_is_not_said),
        cmocka_unit_test(one_error_after_an_incident_is_not_said),
        cmocka_unit_test(too_few_spans_are_not_said),
        cmocka_unit_test(without_keeping_an_alert_lasts_as_long_as_it_burns),
        cmocka_unit_test(a_slow_burn_is_a_ticket_and_never_a_page),
        cmocka_unit_test(a_fast_burn_pages_in_the_time_that_is_documented),
        cmocka_unit_test(what_has_ended_is_resolved),
        cmocka_unit_test(what_is_resolved_is_what_fired),
        cmocka_unit_test(a_burn_near_the_rate_hardly_flaps),
        cmocka_unit_test(what_keeps_its_objective_does_not_page),
        cmocka_unit_test(an_alert_of_a_silent_series_ends_as_its_windows_empty),
        cmocka_unit_test(an_hour_of_silence_alone_alerts_nobody),
        cmocka_unit_test(one_transition_a_pane),
        cmocka_unit_test(an_objective_that_is_taken_out_resolves_what_it_said),
        cmocka_unit_test(for_is_how_long_it_must_burn),
        cmocka_unit_test(rates_can_be_set_and_left_out),
        cmocka_unit_test(rates_are_shares_of_the_budget),
        cmocka_unit_test(a_restart_at_any_moment_changes_nothing),
    };
    return cmocka_run_group_tests_name("slo_alerts", tests, NULL, NULL);
}
