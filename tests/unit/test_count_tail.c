/*
 * Tails of counts, against sums of exact terms in long double.
 *
 * Mutations that fail here: a term more or less in either tail, p instead of mid-p, size and mean
 * swapped, a factor of the recurrence left out, the limit of the saddlepoint at the mean, the sign
 * of its skew, GSL's handler left on.
 */
#include "operators/count_tail.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>

static void assert_near(double got, long double wanted, double relative)
{
    if (wanted < 1e-300L && got < 1e-300) return; /* doubles end */
    if (fabsl(got - wanted) <= relative * wanted) return;
    fail_msg("%.17g, want %.17Lg (%.2Le of it away)", got, wanted, (got - wanted) / wanted);
}

struct exact {
    long double lower, at, upper; /* below k, at it, above it */
};

/* Terms by their ratio, out from the one nearest the mean until they vanish; all of them make 1. */
static struct exact exact_negative_binomial(uint64_t k, long double mean, long double size)
{
    const long double fail = mean / (size + mean), least = 1e-4000L;
    uint64_t middle = (uint64_t)mean;
    struct exact e = {0};
    long double term = 1;
    for (uint64_t i = middle; term > least; i++) {
        *(i < k ? &e.lower : i > k ? &e.upper : &e.at) += term;
        term *= ((long double)i + size) / ((long double)i + 1) * fail;
        if (i > k && term < e.upper * 1e-25L) break;
    }
    term = 1;
    for (uint64_t i = middle; i > 0 && term > least; i--) {
        term *= (long double)i / ((long double)i - 1 + size) / fail;
        *(i - 1 < k ? &e.lower : i - 1 > k ? &e.upper : &e.at) += term;
        if (i < k && term < e.lower * 1e-25L) break;
    }
    long double all = e.lower + e.at + e.upper;
    return (struct exact){e.lower / all, e.at / all, e.upper / all};
}

static void check_negative_binomial(uint64_t k, double mean, double size, double within)
{
    struct exact e = exact_negative_binomial(k, mean, size);
    struct tail up = negative_binomial_upper(k, mean, size);
    struct tail down = negative_binomial_lower(k, mean, size);
    assert_near(up.p, e.upper + e.at, within);
    assert_near(up.mid, e.upper + e.at / 2, within);
    assert_near(down.p, e.lower + e.at, within);
    assert_near(down.mid, e.lower + e.at / 2, within);
}

static void negative_binomial_tails_are_sums_of_their_terms(void **unused)
{
    (void)unused;
    static const double means[] = {0.001, 0.05, 0.5, 1.5, 5, 30, 100, 600};
    static const double sizes[] = {0.25, 1, 3.7, 20, 500, 1e4, 1e6};
    for (size_t m = 0; m < sizeof(means) / sizeof(means[0]); m++) {
        for (size_t r = 0; r < sizeof(sizes) / sizeof(sizes[0]); r++) {
            double sd = sqrt(means[m] + means[m] * means[m] / sizes[r]);
            for (double s = -3; s <= 12; s += 0.5) {
                double k = floor(means[m] + s * sd);
                if (k >= 0) check_negative_binomial((uint64_t)k, means[m], sizes[r], 1e-8);
            }
        }
    }
}

/* Far out, where page thresholds of large fleets lie, and further: 1e-15 to 1e-250. */
static void far_tails_keep_their_digits(void **unused)
{
    (void)unused;
    check_negative_binomial(20, 1.0, 50, 1e-10);
    check_negative_binomial(40, 2.5, 1e5, 1e-9);
    check_negative_binomial(300, 30, 200, 1e-9);
    check_negative_binomial(450, 30, 200, 1e-9);
    check_negative_binomial(0, 30, 10, 1e-12);
    check_negative_binomial(0, 500, 200, 1e-10);
    assert_true(negative_binomial_upper(40, 2.5, 1e5).p < 1e-15);
    assert_true(negative_binomial_lower(0, 500, 200).p < 1e-100);
}

/* Large means of large size go by the saddlepoint: 1e-5 of p, also at the mean and beside it. */
static void the_saddlepoint_is_close_where_it_is_used(void **unused)
{
    (void)unused;
    static const double means[] = {1000, 1234.5, 20000};
    static const double sizes[] = {1000, 30000, 1e6};
    for (size_t m = 0; m < sizeof(means) / sizeof(means[0]); m++) {
        for (size_t r = 0; r < sizeof(sizes) / sizeof(sizes[0]); r++) {
            double sd = sqrt(means[m] + means[m] * means[m] / sizes[r]);
            for (double s = -8; s <= 10; s += 0.25) {
                double k = floor(means[m] + s * sd);
                if (k >= 0) check_negative_binomial((uint64_t)k, means[m], sizes[r], 1.5e-4);
            }
            for (int beside = -3; beside <= 3; beside++)
                check_negative_binomial((uint64_t)(means[m] + beside), means[m], sizes[r], 2e-5);
        }
    }
}

static void no_spread_is_poisson(void **unused)
{
    (void)unused;
    for (unsigned k = 1; k < 60; k++) {
        struct tail got = negative_binomial_upper(k, 7.5, INFINITY);
        assert_near(got.p, gsl_cdf_poisson_Q(k - 1, 7.5), 1e-5);
        got = negative_binomial_lower(k, 7.5, INFINITY);
        assert_near(got.p, gsl_cdf_poisson_P(k, 7.5), 1e-6);
    }
}

/* Where GSL's continued fraction runs out of steps, and beyond what its `unsigned` holds. */
static void huge_counts_have_a_tail(void **unused)
{
    (void)unused;
    static const double means[] = {5e6, 1e9, 3e12};
    for (size_t m = 0; m < 3; m++) {
        for (double size = 10; size < 1e13; size *= 10) {
            double sd = sqrt(means[m] + means[m] * means[m] / size), before = 2;
            for (double s = -5; s <= 8; s += 0.125) {
                double k = means[m] + s * sd;
                if (k < 0) continue;
                double p = negative_binomial_upper((uint64_t)k, means[m], size).p;
                assert_true(p >= 0 && p <= before);
                before = p;
            }
        }
    }
}

/* log of the term at k: products of ratios from the one at 0, whose own is a product too. */
static long double exact_beta_binomial(
    uint64_t from, uint64_t upto, uint64_t trials, long double a, long double b)
{
    long double log_term = 0;
    for (uint64_t i = 0; i < trials; i++)
        log_term += logl((b + (long double)i) / (a + b + (long double)i));
    long double sum = 0;
    for (uint64_t k = 0; k <= trials && k <= upto; k++) {
        if (k >= from) sum += expl(log_term);
        long double left = (long double)(trials - k), at = (long double)k;
        if (k < trials) log_term += logl(left * (at + a) / ((at + 1) * (left - 1 + b)));
    }
    return sum;
}

static void check_beta_binomial(uint64_t k, uint64_t trials, double a, double b, double within)
{
    struct tail got = beta_binomial_upper(k, trials, a, b);
    long double wanted = exact_beta_binomial(k, trials, trials, a, b);
    assert_near(got.p, wanted, within);
    assert_near(got.mid, wanted - exact_beta_binomial(k, k, trials, a, b) / 2, within);
}

static void beta_binomial_tails_are_sums_of_their_terms(void **unused)
{
    (void)unused;
    static const uint64_t trials[] = {1, 2, 7, 40, 300, 2000};
    static const double shapes[][2] = {
        {0.5, 0.5}, {1, 1}, {2, 8}, {30, 70}, {500, 1500}, {9e3, 1e3}};
    for (size_t t = 0; t < sizeof(trials) / sizeof(trials[0]); t++) {
        for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
            uint64_t step = trials[t] / 20 + 1;
            for (uint64_t k = 0; k <= trials[t]; k += step)
                check_beta_binomial(
                    k, trials[t], shapes[s][0], shapes[s][1], trials[t] < 2000 ? 1e-8 : 0.01);
        }
    }
}

static void many_trials_are_taken_in_blocks(void **unused)
{
    (void)unused;
    const uint64_t trials = 200000;
    for (uint64_t k = 20000; k < 180000; k += 9973) {
        check_beta_binomial(k, trials, 20, 30, 0.01);
        check_beta_binomial(k, trials, 3, 12, 0.01);
    }
}

/* Beyond 2^53 doubles have gaps, and adding one to such a number is no step: this has to end. */
static void more_trials_than_doubles_count_have_a_tail(void **unused)
{
    (void)unused;
    const uint64_t trials = UINT64_C(1) << 54;
    for (uint64_t rest = 0; rest < 64; rest++) {
        double p = beta_binomial_upper(trials - rest, trials, 2, 2).p;
        assert_true(p >= 0 && p <= 1);
    }
}

/* p falls as the count rises, to where doubles end. */
static void beta_binomial_falls(void **unused)
{
    (void)unused;
    double before = 2;
    for (uint64_t k = 0; k <= 500; k++) {
        double p = beta_binomial_upper(k, 500, 40, 160).p;
        assert_true(p <= before && p >= 0);
        before = p;
    }
    assert_true(before < 1e-90);
}

static bool is_nothing(struct tail tail)
{
    return tail.p == 1 && tail.mid == 1;
}

/* A handler of GSL that was left on would end the process here. */
static void bad_arguments_say_nothing(void **unused)
{
    (void)unused;
    assert_true(is_nothing(negative_binomial_upper(3, NAN, 5)));
    assert_true(is_nothing(negative_binomial_upper(3, -1, 5)));
    assert_true(is_nothing(negative_binomial_upper(3, INFINITY, 5)));
    assert_true(is_nothing(negative_binomial_upper(3, 2, 0)));
    assert_true(is_nothing(negative_binomial_lower(3, 2, -1)));
    assert_true(is_nothing(negative_binomial_lower(3, 2, NAN)));
    assert_true(is_nothing(beta_binomial_upper(3, 10, NAN, 1)));
    assert_true(is_nothing(beta_binomial_upper(3, 10, 0, 1)));
    assert_true(is_nothing(beta_binomial_upper(3, 10, 1, INFINITY)));
    assert_true(beta_binomial_upper(11, 10, 1, 1).p == 0);
    assert_true(negative_binomial_upper(1, 0, 5).p == 0);
    assert_true(negative_binomial_upper(0, 0, 5).p == 1);
    assert_true(negative_binomial_lower(7, 0, 5).p == 1);
    assert_true(gsl_cdf_negative_binomial_Q(3, 2.0, -1.0) != 0.5);
}

static void z_and_p_are_inverse(void **unused)
{
    (void)unused;
    for (double z = -7.5; z < 37.5; z += 0.25)
        assert_true(fabs(z_of_upper(upper_of_z(z)) - z) < (z < 0 ? 1e-2 : 1e-12));
    assert_true(fabs(z_of_upper(0.5)) < 1e-15);
    assert_true(fabs(z_of_upper(1e-6) - 4.753424308822899) < 1e-12);
    assert_true(z_of_upper(0) == Z_MAX && z_of_upper(1) == Z_MIN && z_of_upper(-1) == Z_MAX);
    assert_true(z_of_upper(NAN) == 0 && upper_of_z(NAN) == 1);
    assert_true(upper_of_z(-INFINITY) == 1 && upper_of_z(INFINITY) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negative_binomial_tails_are_sums_of_their_terms),
        cmocka_unit_test(far_tails_keep_their_digits),
        cmocka_unit_test(the_saddlepoint_is_close_where_it_is_used),
        cmocka_unit_test(no_spread_is_poisson),
        cmocka_unit_test(huge_counts_have_a_tail),
        cmocka_unit_test(beta_binomial_tails_are_sums_of_their_terms),
        cmocka_unit_test(many_trials_are_taken_in_blocks),
        cmocka_unit_test(more_trials_than_doubles_count_have_a_tail),
        cmocka_unit_test(beta_binomial_falls),
        cmocka_unit_test(bad_arguments_say_nothing),
        cmocka_unit_test(z_and_p_are_inverse),
    };
    return cmocka_run_group_tests_name("count_tail", tests, NULL, NULL);
}
