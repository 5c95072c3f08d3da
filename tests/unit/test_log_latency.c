/*
 * Mean log-latency: samples are those of the durations, and deviates are normal where windows were
 * drawn from the model, however few or skewed their spans.
 *
 * Mutations that fail here: a bucket's edge for its middle, within-window variance by spans instead
 * of degrees of freedom, the uncertainty of the mean or of the deviation left out, no skew.
 */
#include "operators/log_latency.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

enum { SCALE = 6 };

static bool near(double got, double wanted, double within)
{
    return fabs(got - wanted) <= within;
}

/* Against logarithms of the durations themselves: a bucket is 1.1 % wide. */
static void a_sample_is_that_of_the_durations(void **unused)
{
    (void)unused;
    struct random random = random_from(1);
    for (uint32_t spans = 1; spans < 400; spans += 7) {
        struct sketch sketch = {0};
        struct pool pool = {0};
        double log_s[400], mean = 0, square = 0, cube = 0;
        for (uint32_t i = 0; i < spans; i++) {
            uint64_t ns = random_lognormal_ns(&random, 30e6, 0.9);
            log_s[i] = log((double)ns / 1e9);
            mean += log_s[i] / spans;
            sketch_add(&sketch, sketch_index(SCALE, ns), 1, &pool);
        }
        for (uint32_t i = 0; i < spans; i++) {
            square += pow(log_s[i] - mean, 2);
            cube += pow(log_s[i] - mean, 3);
        }
        sketch_add(&sketch, SKETCH_ZERO, 5, &pool);
        struct log_sample got = log_sample_of(&sketch, SCALE);
        assert_true(got.spans == spans);
        assert_true(near(got.mean, mean, 0.0055));
        assert_true(near(got.square, square, 0.02 * square + 1e-3));
        assert_true(near(got.cube, cube, 0.05 * fabs(cube) + 0.03 * square + 1e-3));
        sketch_release(&sketch, &pool);
        pool_release(&pool);
    }
    struct sketch none = {0};
    assert_true(log_sample_of(&none, SCALE).spans == 0);
}

/* Logarithms of a window: normal, or skewed as those of a gamma variable of shape `shape`. */
struct source {
    gsl_rng *rng;
    double between, within; /* deviations */
    double shape;           /* 0: normal */
    double level;
};

static struct log_sample draw(const struct source *s, unsigned spans)
{
    double x[256], sum = 0;
    double moved = s->level + s->between * gsl_ran_ugaussian(s->rng);
    struct log_sample out = {.spans = spans};
    for (unsigned i = 0; i < spans; i++) {
        double one = s->shape > 0 ? (gsl_ran_gamma(s->rng, s->shape, 1) - s->shape) / sqrt(s->shape)
                                  : gsl_ran_ugaussian(s->rng);
        x[i] = moved + s->within * one;
        sum += x[i];
    }
    out.mean = sum / spans;
    for (unsigned i = 0; i < spans; i++) {
        out.square += pow(x[i] - out.mean, 2);
        out.cube += pow(x[i] - out.mean, 3);
    }
    return out;
}

static void it_learns_what_windows_were_drawn_with(void **unused)
{
    (void)unused;
    struct source s = {gsl_rng_alloc(gsl_rng_mt19937), 0.1, 0.8, 0, -3};
    struct log_latency l = {0};
    double between = 0;
    gsl_rng_set(s.rng, 2);
    for (int i = 0; i < 20000; i++) {
        struct log_sample sample = draw(&s, 5 + (unsigned)i % 50);
        log_latency_learn(&l, &sample);
        if (i >= 10000) between += (double)l.between / 10000;
    }
    assert_true(near(l.mean, -3, 0.02));
    assert_true(near(sqrt(between), 0.1, 0.015));
    assert_true(near(sqrt(log_latency_within(&l)), 0.8, 0.02));
    assert_true(near(log_latency_deviation(&l, 64), sqrt(0.01 + 0.01), 0.02));
    gsl_rng_free(s.rng);
}

/* The share of windows whose z is over some limits, by what it should be. */
static void check_calibrated(
    struct source s, unsigned least, unsigned most, double low, double high)
{
    static const double limits[] = {1.2815516, 2.3263479, 3.0902323};
    static const double nominal[] = {0.1, 0.01, 0.001};
    enum { WINDOWS = 200000, WARMUP = 60 };
    uint32_t over[3] = {0};
    struct log_latency l = {0};
    for (int i = 0; i < WINDOWS; i++) {
        struct log_sample sample =
            draw(&s, least + (unsigned)gsl_rng_uniform_int(s.rng, most - least + 1));
        double z = log_latency_z(&l, &sample);
        for (int k = 0; k < 3; k++)
            over[k] += i >= WARMUP && z > limits[k];
        log_latency_learn(&l, &sample);
    }
    for (int k = 0; k < 3; k++) {
        double ratio = over[k] / (nominal[k] * (WINDOWS - WARMUP));
        if (ratio < low || ratio > high) fail_msg("%g of nominal at %g", ratio, nominal[k]);
    }
}

static void deviates_are_normal_under_the_model(void **unused)
{
    (void)unused;
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, 4);
    check_calibrated((struct source){rng, 0, 0.8, 0, 1}, 30, 30, 0.7, 1.3);
    check_calibrated((struct source){rng, 0.1, 0.8, 0, 1}, 5, 60, 0.7, 1.3);
    check_calibrated((struct source){rng, 0.3, 0.5, 0, 1}, 100, 200, 0.7, 1.3);
    check_calibrated((struct source){rng, 0.02, 0.6, 1.5, 1}, 10, 10, 0.6, 1.5); /* skew 1.6 */
    check_calibrated((struct source){rng, 0.02, 0.6, 4, 1}, 3, 40, 0.6, 1.5);
    gsl_rng_free(rng);
}

/* Early on too, over many series: from the 60th window to the 100th. */
static void few_windows_are_not_overrated(void **unused)
{
    (void)unused;
    struct source s = {gsl_rng_alloc(gsl_rng_mt19937), 0.1, 0.5, 0, 0};
    int over = 0, scored = 0;
    gsl_rng_set(s.rng, 5);
    for (int series = 0; series < 3000; series++) {
        struct log_latency l = {0};
        for (int i = 0; i < 100; i++) {
            struct log_sample sample = draw(&s, 20);
            scored += i >= 60;
            over += i >= 60 && log_latency_z(&l, &sample) > 3.0902323;
            log_latency_learn(&l, &sample);
        }
    }
    double ratio = over / (0.001 * scored);
    if (ratio > 1.5) fail_msg("%g of nominal", ratio);
    gsl_rng_free(s.rng);
}

static void an_outlier_is_learned_as_four_deviations(void **unused)
{
    (void)unused;
    struct log_latency l = {.mean = 0, .between = 0.04f, .seen = 5000};
    struct log_sample far = {.spans = 1, .mean = 1000};
    log_latency_learn(&l, &far);
    assert_true(near(l.mean, 0.001 * 4 * 0.2, 1e-6));
    assert_true(near((double)l.between, 0.04 + 0.002 * (16 * 0.04 - 0.04), 1e-6));
}

static void nothing_is_said_of_windows_without_spans(void **unused)
{
    (void)unused;
    struct log_latency l = {0}, before;
    struct log_sample one = {.spans = 3, .mean = -4, .square = 1}, none = {0};
    assert_true(log_latency_z(&l, &one) == 0);
    log_latency_learn(&l, &one);
    assert_true(log_latency_z(&l, &one) == 0);
    before = l;
    log_latency_learn(&l, &none);
    assert_memory_equal(&l, &before, sizeof(l));
    log_latency_learn(&l, &one);
    assert_true(log_latency_z(&l, &none) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_is_that_of_the_durations),
        cmocka_unit_test(it_learns_what_windows_were_drawn_with),
        cmocka_unit_test(deviates_are_normal_under_the_model),
        cmocka_unit_test(few_windows_are_not_overrated),
        cmocka_unit_test(an_outlier_is_learned_as_four_deviations),
        cmocka_unit_test(nothing_is_said_of_windows_without_spans),
    };
    return cmocka_run_group_tests_name("log_latency", tests, NULL, NULL);
}
