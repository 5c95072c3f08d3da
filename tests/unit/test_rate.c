/*
 * The gamma-Poisson model of a share: what it expects, what it finds out about overdispersion, and
 * where the beta-binomial takes over.
 *
 * Mutations that fail here: the uncertainty of the share left out of the size, a learner that takes
 * outliers whole, phi learned without the share that chance has, beta and gamma of unequal spread,
 * events that decay to nothing.
 */
#include "operators/rate.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

static bool near(double got, double wanted, double relative)
{
    return fabs(got - wanted) <= relative * fabs(wanted);
}

/* By hand: share .01 known from 50 events, 200 spans: mean 2, size 50. */
static void a_tail_worked_out_by_hand(void **unused)
{
    (void)unused;
    struct rate rate = {0};
    rate_begin(&rate, 50, 5000);
    assert_true(near(rate_share(&rate), 0.01, 1e-15));
    assert_true(near(rate_deviation(&rate, 200), sqrt(2 + 4 / 50.0), 1e-12));
    /* P(0) = (50/52)^50 = 0.140713, P(1) = P(0) * 50 * 2/52 */
    double none = pow(50 / 52.0, 50), one = none * 50 * 2 / 52;
    assert_true(near(rate_upper(&rate, 2, 200).p, 1 - none - one, 1e-9));
    assert_true(near(rate_upper(&rate, 1, 200).mid, 1 - none - one / 2, 1e-9));
    rate.dispersion.found = 0.03f; /* size 1 / (1/50 + .03) = 20 */
    assert_true(near(rate_upper(&rate, 1, 200).p, 1 - pow(20 / 22.0, 20), 1e-6));
}

static void what_is_not_known_widens_the_tail(void **unused)
{
    (void)unused;
    struct rate little = {0}, much = {0};
    rate_begin(&little, 5, 500);
    rate_begin(&much, 5000, 500000);
    assert_true(rate_upper(&little, 10, 100).p > 20 * rate_upper(&much, 10, 100).p);
}

/* Both sides of one in ten agree where they meet, and a share of all is no fault in itself. */
static void the_beta_binomial_takes_over(void **unused)
{
    (void)unused;
    struct rate below = {0}, above = {0}, all = {0};
    rate_begin(&below, 99.9, 1000);
    rate_begin(&above, 100.1, 1000);
    below.dispersion.found = above.dispersion.found = 0.05f;
    for (uint64_t events = 0; events <= 60; events += 5) {
        double poisson = rate_upper(&below, events, 200).p,
               beta = rate_upper(&above, events, 200).p;
        assert_true(beta <= poisson * 1.02 && beta >= poisson * 0.2);
    }
    rate_begin(&all, 1000, 1000);
    assert_true(rate_upper(&all, 50, 50).p > 0.9);
    rate_begin(&all, 1e6, 2e6);
    assert_true(near(rate_upper(&all, 60, 100).p, 0.0284439, 0.02)); /* binomial */
    assert_true(near(rate_deviation(&all, 100), 5, 0.01));
}

struct sample {
    gsl_rng *rng;
    double share, phi;
};

static uint64_t sample_events(const struct sample *s, uint64_t spans)
{
    double p = s->share;
    if (s->phi > 0) p *= gsl_ran_gamma(s->rng, 1 / s->phi, s->phi);
    return gsl_ran_binomial(s->rng, fmin(p, 1), (unsigned)spans);
}

/* phi and the share are found again from what was drawn with them. */
static void check_learns(double share, double phi, uint64_t spans, double phi_within)
{
    struct sample s = {gsl_rng_alloc(gsl_rng_mt19937), share, phi};
    struct rate rate = {0};
    double phi_mean = 0;
    gsl_rng_set(s.rng, 7);
    rate_begin(&rate, 0.5, 50);
    for (int i = 0; i < 20000; i++) {
        rate_learn(&rate, sample_events(&s, spans), spans);
        if (i >= 10000) phi_mean += dispersion_phi(&rate.dispersion) / 10000;
    }
    assert_true(near(rate_share(&rate), share, 0.1));
    if (fabs(phi_mean - phi) > phi_within) fail_msg("phi %g, want %g", phi_mean, phi);
    gsl_rng_free(s.rng);
}

static void it_learns_what_counts_were_drawn_with(void **unused)
{
    (void)unused;
    check_learns(0.02, 0, 500, 0.01);
    check_learns(0.02, 0.1, 500, 0.03);
    check_learns(0.02, 0.5, 500, 0.2);
    check_learns(0.3, 0, 500, 0.002);
    check_learns(0.3, 0.05, 500, 0.015);
}

static void outliers_are_learned_as_four_deviations(void **unused)
{
    (void)unused;
    assert_true(near(dispersion_winsorised(1000, 4, 0), 4 + 4 * sqrt(5), 1e-12));
    assert_true(near(dispersion_winsorised(1000, 4, 0.5), 4 + 4 * sqrt(13), 1e-12));
    assert_true(dispersion_winsorised(6, 4, 0) == 6);
    assert_true(near(dispersion_winsorised(0, 100, 0), 100 - 4 * sqrt(101), 1e-12));
    struct rate rate = {0};
    rate_begin(&rate, 10, 1000);
    rate_learn(&rate, 400, 400);
    assert_true(near(rate.events, 10 * (1 - 1 / 1440.0) + 4 + 4 * sqrt(5), 1e-12));
    assert_true(near(rate.spans, 1000 * (1 - 1 / 1440.0) + 400, 1e-12));
}

static void dispersion_keeps_its_bounds(void **unused)
{
    (void)unused;
    struct dispersion d = {0};
    for (int i = 0; i < 100000; i++)
        dispersion_learn(&d, 5, 5, 1);
    assert_true(
        near((double)d.found, -0.2, 0.01) && dispersion_phi(&d) == 0); /* no spread at all */
    d = (struct dispersion){0};
    dispersion_learn(&d, 1e6, 5, 1);
    assert_true(d.found == (float)DISPERSION_MAX);
    d = (struct dispersion){.found = 0.5f};
    dispersion_learn(&d, 3, 0.04, 1); /* too little is expected to say anything */
    assert_true(d.found == 0.5f && d.known == 0);
}

/* By hand: one window of mean 1 weighs a quarter: found 8, of which .25 / 5.25. */
static void little_says_little(void **unused)
{
    (void)unused;
    struct dispersion d = {0};
    dispersion_learn(&d, 4, 1, 1);
    assert_true(near((double)d.found, 8 * 0.25 / 5.25, 1e-6) && d.known == 0.25f);
    dispersion_learn(&d, 1, 1, 1);
    assert_true(near((double)d.found, 8 * 0.25 / 5.25 * (1 - 0.25 / 5.5) - 0.25 / 5.5, 1e-6));
}

/* What has not been seen for a month, or ever, may still come once: that is no news, a burst of it is. */
static void a_long_past_without_any_is_no_proof_of_none(void **unused)
{
    (void)unused;
    static const int windows[] = {1440, 30 * 1440, 2000000};
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        struct rate rate = {0};
        rate_begin(&rate, 0.5, 50);
        for (int w = 0; w < windows[i]; w++)
            rate_learn(&rate, 0, 100);
        double one = rate_upper(&rate, 1, 100).p;
        if (one < 1e-4 || one > 1e-2) fail_msg("after %d windows: p %g of one", windows[i], one);
        assert_true(rate_upper(&rate, 5, 100).p < 1e-9);
    }
}

/* A spike every 60 windows must not make a series blind to silence. */
static void spikes_leave_phi_small(void **unused)
{
    (void)unused;
    struct dispersion d = {0};
    struct random random = random_from(3);
    for (uint32_t i = 0; i < 20000; i++) {
        double count = i % 60 == 0 ? 200 : 13 + 3.6 * random_normal(&random);
        count = dispersion_winsorised(fmax(count, 0), 13, dispersion_phi(&d));
        dispersion_learn(&d, count, 13, 1);
    }
    assert_true(dispersion_phi(&d) < 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_worked_out_by_hand),
        cmocka_unit_test(what_is_not_known_widens_the_tail),
        cmocka_unit_test(the_beta_binomial_takes_over),
        cmocka_unit_test(it_learns_what_counts_were_drawn_with),
        cmocka_unit_test(outliers_are_learned_as_four_deviations),
        cmocka_unit_test(dispersion_keeps_its_bounds),
        cmocka_unit_test(little_says_little),
        cmocka_unit_test(spikes_leave_phi_small),
        cmocka_unit_test(a_long_past_without_any_is_no_proof_of_none),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
