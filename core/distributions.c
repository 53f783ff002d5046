// tc_bernoulli_each, tc_poisson, tc_binomial, tc_standard_gamma: one draw or more for every element of a tensor of
// parameters, in order. The samplers repeat PyTorch's (native/Distributions.h), which took them from NumPy and TensorFlow.
#include <math.h>
#include <stdbool.h>

#include "convert.h"
#include "mt19937.h"
#include "status.h"

static inline int64_t block_size(const tc_random_each_args *a, int64_t start) {
  return a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
}

static const void *element(uint64_t tensor, int64_t dtype, int64_t i) {
  return TC_PTR(const char, tensor) + i * tc_dtype_size(dtype);
}

static void store(const tc_random_each_args *a, int64_t start, const void *values, int64_t dtype, int64_t n) {
  tc_convert(TC_PTR(char, a->out) + start * tc_dtype_size(a->dtype), a->dtype, values, dtype, n);
}

// The first element of the rates or probabilities that is not in [0, limit], or -1.
static int64_t find_bad(const tc_random_each_args *a, double limit) {
  double p[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = block_size(a, start);
    tc_convert(p, TC_F64, element(a->p, a->p_dtype, start), a->p_dtype, n);
    for (int64_t i = 0; i < n; i++) {
      if (!(p[i] >= 0 && p[i] <= limit)) return start + i;
    }
  }
  return -1;
}

int32_t tc_bernoulli_each(const tc_random_each_args *a) {
  if (a->p_dtype != TC_F32 && a->p_dtype != TC_F64) return tc_unsupported(a->p_dtype);
  const int64_t bad = find_bad(a, 1);
  if (bad >= 0) return tc_fail(TC_BAD_VALUE, 0, bad, 0, 0);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  uint8_t hit[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = block_size(a, start);
    if (a->p_dtype == TC_F32) {
      const float *p = element(a->p, TC_F32, start);
      float u[TC_MT_BLOCK];
      tc_mt_fill_f32(g, u, n);
      for (int64_t i = 0; i < n; i++) hit[i] = u[i] < p[i];
    } else {
      const double *p = element(a->p, TC_F64, start);
      double u[TC_MT_BLOCK];
      tc_mt_fill_f64(g, u, n);
      for (int64_t i = 0; i < n; i++) hit[i] = u[i] < p[i];
    }
    store(a, start, hit, TC_BOOL, n);
  }
  return TC_OK;
}

// Hoermann 1993, "The transformed rejection method for generating Poisson random variables" (PTRS) from rate 10 on.
static double poisson(tc_generator *g, double rate) {
  if (rate == 0) return 0;
  if (rate < 10) {
    const double limit = exp(-rate);
    double product = 1;
    int64_t count = 0;
    while ((product *= tc_mt_uniform(g)) > limit) count++;
    return (double)count;
  }
  const double root = sqrt(rate), log_rate = log(rate);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = tc_mt_uniform(g) - 0.5, v = tc_mt_uniform(g), us = 0.5 - fabs(u);
    const double k = floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (log(v) + log(inverse_alpha) - log(a / (us * us) + b) <= -rate + k * log_rate - lgamma(k + 1)) return k;
  }
}

int32_t tc_poisson(const tc_random_each_args *a) {
  const int64_t bad = find_bad(a, INFINITY);
  if (bad >= 0) return tc_fail(TC_BAD_VALUE, 0, bad, 0, 0);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  double x[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = block_size(a, start);
    tc_convert(x, TC_F64, element(a->p, a->p_dtype, start), a->p_dtype, n);
    for (int64_t i = 0; i < n; i++) x[i] = poisson(g, x[i]);
    store(a, start, x, TC_F64, n);
  }
  return TC_OK;
}

// log(k!) minus Stirling's approximation of it.
static double stirling_tail(double k) {
  static const double table[] = {0.0810614667953272,  0.0413406959554092,  0.0276779256849983,  0.02079067210376509,
                                 0.0166446911898211,  0.0138761288230707,  0.0118967099458917,  0.0104112652619720,
                                 0.00925546218271273, 0.00833056343336287};
  if (k <= 9) return table[(int)k];
  const double squared = (k + 1) * (k + 1);
  return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / squared) / squared) / (k + 1);
}

// Sums of geometric variables, for a small mean.
static double binomial_inversion(tc_generator *g, double count, double p) {
  const double log_q = log1p(-p);
  double successes = 0;
  for (double sum = 0; (sum += ceil(log(tc_mt_uniform(g)) / log_q)) <= count;) successes++;
  return successes;
}

// Hoermann 1993, "The generation of binomial random variates" (BTRS). count, p, and what is computed of them alone are
// of the tensor's dtype: `narrow` rounds to it.
static double binomial_btrs(tc_generator *g, double count, double p, bool is_f32) {
#define NARROW(x) (is_f32 ? (double)(float)(x) : (x))
  const double q = NARROW(1 - p), mean = NARROW(count * p);
  const double deviation = NARROW(sqrt(NARROW(mean * q)));
  const double b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p, c = mean + 0.5;
  const double vr = 0.92 - 4.2 / b, r = NARROW(p / q), alpha = (2.83 + 5.1 / b) * deviation;
  const double m = NARROW(floor(NARROW(NARROW(count + 1) * p)));
#undef NARROW
  for (;;) {
    const double u = tc_mt_uniform(g) - 0.5, us = 0.5 - fabs(u);
    double v = tc_mt_uniform(g);
    const double k = floor((2 * a / us + b) * u + c);
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= vr) return k;
    v = log(v * alpha / (a / (us * us) + b));
    const double bound = (m + 0.5) * log((m + 1) / (r * (count - m + 1))) +
                         (count + 1) * log((count - m + 1) / (count - k + 1)) +
                         (k + 0.5) * log(r * (count - k + 1) / (k + 1)) + stirling_tail(m) +
                         stirling_tail(count - m) - stirling_tail(k) - stirling_tail(count - k);
    if (v <= bound) return k;
  }
}

static double binomial(tc_generator *g, double count, double p, bool is_f32) {
  if (count <= 0 || p <= 0) return 0;
  if (p >= 1) return count;
  if (p != p) return p;
  const bool flipped = p > 0.5;
  if (flipped) p = is_f32 ? (double)(float)(1.0 - p) : 1.0 - p;
  const double mean = is_f32 ? (double)(float)(count * p) : count * p;
  const double x = mean >= 10 ? binomial_btrs(g, count, p, is_f32) : binomial_inversion(g, count, p);
  return flipped ? count - x : x;
}

int32_t tc_binomial(const tc_random_each_args *a) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  double p[TC_MT_BLOCK], count[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = block_size(a, start);
    tc_convert(p, TC_F64, element(a->p, a->dtype, start), a->dtype, n);
    tc_convert(count, TC_F64, element(a->count, a->dtype, start), a->dtype, n);
    for (int64_t i = 0; i < n; i++) p[i] = binomial(g, count[i], p[i], a->dtype == TC_F32);
    store(a, start, p, TC_F64, n);
  }
  return TC_OK;
}

// Marsaglia and Tsang 2000, doi:10.1145/358407.358414; its constants are float32 ones, as in PyTorch.
static double standard_gamma(tc_generator *g, double alpha, bool is_f32) {
  double scale = 1;
  if (alpha < 1) {
    if (alpha == 0) return 0;
    const double inverse = is_f32 ? (double)(1.0f / (float)alpha) : 1 / alpha;
    scale = pow(1 - tc_mt_uniform(g), inverse);
    alpha = is_f32 ? (double)((float)alpha + 1.0f) : alpha + 1;
  }
  const double third = (double)(1.0f / 3.0f);
  const double d = is_f32 ? (double)((float)alpha - (float)third) : alpha - third;
  const double c = 1 / sqrt(9 * d);
  for (;;) {
    double x, y;
    do {
      x = tc_mt_normal(g);
      y = 1 + c * x;
    } while (y <= 0);
    const double v = y * y * y, u = 1 - tc_mt_uniform(g), xx = x * x;
    if (u < 1 - (double)0.0331f * xx * xx) return scale * d * v;
    if (log(u) < 0.5 * xx + d * (1 - v + log(v))) return scale * d * v;
  }
}

int32_t tc_standard_gamma(const tc_random_each_args *a) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  const bool is_f32 = a->dtype == TC_F32;
  double x[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = block_size(a, start);
    tc_convert(x, TC_F64, element(a->p, a->p_dtype, start), a->p_dtype, n);
    for (int64_t i = 0; i < n; i++) {
      const double sample = standard_gamma(g, x[i], is_f32);
      const double smallest = is_f32 ? 0x1p-126 : 0x1p-1022;
      x[i] = sample < smallest ? smallest : sample;
    }
    store(a, start, x, TC_F64, n);
  }
  return TC_OK;
}
