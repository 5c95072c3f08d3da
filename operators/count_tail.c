#include "operators/count_tail.h"

#include "operators/clamp.h"

#include <math.h>
#include <stdbool.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>

/* Where counting is smooth enough for the saddlepoint: it errs there by less than 1e-5 of p. */
#define SMOOTH_FROM 1000.0
/* A varying mean that varies by less than this, relative, is a constant. */
#define SIZE_OVER_MEAN_MAX 1e9

#define INV_SQRT_2_PI 0.3989422804014327

/* GSL ends the process at an argument it does not take, unless told not to. */
__attribute__((constructor)) static void gsl_keep_going(void)
{
    gsl_set_error_handler_off();
}

static const struct tail tail_says_nothing = {1, 1};

static double clamp01(double p)
{
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

static struct tail tail_of(double p, double at)
{
    p = clamp01(p);
    double mid = p - at / 2;
    return (struct tail){p, mid > 0 ? mid : p / 2};
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* log of the probability of exactly `k` */
static double negative_binomial_log(double k, double mean, double size)
{
    double choose = log_gamma(k + size) - log_gamma(size) - log_gamma(k + 1);
    double fail = k == 0 ? 0 : k * log(mean / (size + mean));
    return choose - size * log1p(mean / size) + fail;
}

/*
 * The saddlepoint of a count.
 *
 * w   signed root of the deviance: the normal deviate that the tail is close to
 * h   what the lattice and the skew add to it: tail = Q(w) + density(w) * h
 * at  probability of exactly this count
 *
 * source  Lugannani and Rice, 1980; Butler, Saddlepoint approximations, 2007, 1.2.5 (first
 *         continuity correction)
 */
struct saddle {
    double w, h, at;
};

static struct saddle saddle_of(double k, double mean, double size)
{
    double away = k - mean;
    double deviance = k * log1p(away / mean) - (k + size) * log1p(away / (mean + size));
    double w = copysign(sqrt(2 * greater(deviance, 0)), away);
    double sd = sqrt(k + k * k / size);
    double density = INV_SQRT_2_PI * exp(-w * w / 2);
    struct saddle s = {.w = w, .at = density / sd};
    if (fabs(w) < 1e-3) {
        double skew = (1 + 2 * mean / size) / sd;
        s.h = 1 / (2 * sd) - skew / 6;
    } else {
        double tilt = log1p(away / mean) - log1p(away / (mean + size));
        s.h = 1 / (-expm1(-tilt) * sd) - 1 / w;
    }
    return s;
}

static double saddle_upper(struct saddle s)
{
    return upper_of_z(s.w) + INV_SQRT_2_PI * exp(-s.w * s.w / 2) * s.h;
}

static double saddle_lower(struct saddle s)
{
    return upper_of_z(-s.w) - INV_SQRT_2_PI * exp(-s.w * s.w / 2) * s.h;
}

static struct tail saddle_tail(uint64_t count, double mean, double size, bool upper)
{
    double k = (double)count;
    if (upper) {
        struct saddle s = saddle_of(k, mean, size);
        return tail_of(saddle_upper(s), s.at);
    }
    struct saddle next = saddle_of(k + 1, mean, size);
    return tail_of(saddle_lower(next), exp(negative_binomial_log(k, mean, size)));
}

/*
 * P(X >= k) is an incomplete beta function. GSL's continued fraction has at most 512 steps, too few
 * only near the mean of very many: NaN, and the saddlepoint's turn.
 */
static struct tail negative_binomial(uint64_t count, double mean, double size, bool upper)
{
    if (!(isfinite(mean) && mean >= 0 && size > 0)) return tail_says_nothing;
    if (mean == 0) return (struct tail){count == 0 || !upper, (count == 0) / 2.0};
    size = lesser(size, SIZE_OVER_MEAN_MAX * greater(mean, 1));
    double k = (double)count;
    if (mean >= SMOOTH_FROM && size >= SMOOTH_FROM && count > 0)
        return saddle_tail(count, mean, size, upper);

    double success = size / (size + mean);
    double p = 1;
    if (!upper)
        p = gsl_cdf_beta_P(success, size, k + 1);
    else if (count > 0)
        p = gsl_cdf_beta_Q(success, size, k);
    if (isnan(p)) return saddle_tail(count, mean, size, upper);
    return tail_of(p, exp(negative_binomial_log(k, mean, size)));
}

struct tail negative_binomial_upper(uint64_t count, double mean, double size)
{
    return negative_binomial(count, mean, size, true);
}

struct tail negative_binomial_lower(uint64_t count, double mean, double size)
{
    return negative_binomial(count, mean, size, false);
}

/* Beta-binomial, term by term. */

enum {
    TERMS_MAX = 4096, /* added one by one; more are taken in blocks */
    BLOCKS_PER_SD = 16,
};
#define BLOCK_CHANGE 0.25 /* of a term's logarithm, from one end of its block to the other */

struct trials {
    double trials, a, b;
    double log_beta; /* of a, b */
};

static double beta_log(double a, double b)
{
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

static double beta_binomial_log(const struct trials *t, double k)
{
    double choose = log_gamma(t->trials + 1) - log_gamma(k + 1) - log_gamma(t->trials - k + 1);
    return choose + beta_log(k + t->a, t->trials - k + t->b) - t->log_beta;
}

static double beta_binomial_sd(const struct trials *t)
{
    double all = t->a + t->b;
    return sqrt(t->trials * t->a * t->b * (all + t->trials)) / (all * sqrt(all + 1));
}

/* The next term over the one at `k`, going up or down. */
static double term_ratio(const struct trials *t, double k, int step)
{
    double left = t->trials - k;
    if (step > 0) return left * (k + t->a) / ((k + 1) * (left - 1 + t->b));
    return k * (left + t->b) / ((left + 1) * (k - 1 + t->a));
}

/* The terms from `k` on, away from the mean: up to `trials`, or down to 0. */
static double sum_terms(const struct trials *t, double k, int step)
{
    double term = exp(beta_binomial_log(t, k)), sum = 0;
    for (; k >= 0 && k <= t->trials && term > sum * 1e-17; k += step) {
        sum += term;
        term *= term_ratio(t, k, step);
    }
    return sum;
}

/* The same, a block at a time by the term in its middle: blocks so wide that terms change little. */
static double sum_blocks(const struct trials *t, double k, int step, double block)
{
    double sum = 0;
    while (k >= 0 && k <= t->trials) {
        double change = fabs(log(term_ratio(t, k, step))); /* infinite at the last: a block of 1 */
        double width = lesser(block, 1 + floor(BLOCK_CHANGE / change));
        width = lesser(width, 1 + floor(lesser(k, t->trials - k) / 8)); /* ends may be steep */
        double part = width * exp(beta_binomial_log(t, k + step * (width - 1) / 2));
        sum += part;
        double next = k + step * width; /* where doubles are no longer dense, it may be k */
        if (!(part > sum * 1e-17) || next == k) break;
        k = next;
    }
    return sum;
}

static double sum_away(const struct trials *t, double k, int step)
{
    double sd = beta_binomial_sd(t);
    if (sd * BLOCKS_PER_SD <= TERMS_MAX) return sum_terms(t, k, step);
    return sum_blocks(t, k, step, floor(sd / BLOCKS_PER_SD));
}

struct tail beta_binomial_upper(uint64_t count, uint64_t trials, double a, double b)
{
    if (!(a > 0 && b > 0 && isfinite(a) && isfinite(b))) return tail_says_nothing;
    if (count > trials) return (struct tail){0, 0};
    const struct trials t = {(double)trials, a, b, beta_log(a, b)};
    double k = (double)count;
    double at = exp(beta_binomial_log(&t, k));
    if (count == 0) return tail_of(1, at);
    if (k <= t.trials * a / (a + b)) return tail_of(1 - sum_away(&t, k - 1, -1), at);
    return tail_of(sum_away(&t, k, 1), at);
}

double z_of_upper(double p)
{
    if (isnan(p)) return 0;
    if (p <= 0) return Z_MAX;
    if (p >= 1) return Z_MIN;
    return clamp(gsl_cdf_ugaussian_Qinv(p), Z_MIN, Z_MAX);
}

double upper_of_z(double z)
{
    return isnan(z) ? 1 : erfc(z * M_SQRT1_2) / 2;
}
