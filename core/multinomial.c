// tc_multinomial, both ways that PyTorch 1.13 takes.
#include <math.h>
#include <stdbool.h>

#include "mt19937.h"
#include "numbers.h"
#include "status.h"

static inline int64_t align64(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

// What tc_topk is called with for the quotients at `quotients`.
static tc_select_args selection(const tc_multinomial_args *a, uint64_t quotients, uint64_t scratch) {
  return (tc_select_args){.scratch = scratch, .dtype = a->dtype, .in = quotients, .indices = a->out, .outer = a->rows,
                          .n = a->n, .inner = 1, .k = a->samples, .largest = 1, .sorted = 1};
}

// One row of running sums, or the quotients of all rows and then tc_topk's own.
static int64_t quotient_bytes(const tc_multinomial_args *a) {
  return align64((a->replacement ? 1 : a->rows) * a->n * tc_dtype_size(a->dtype));
}

int64_t tc_multinomial_scratch(const tc_multinomial_args *a) {
  if (a->replacement) return align64(a->n * (int64_t)sizeof(double));
  const tc_select_args s = selection(a, 0, 0);
  return quotient_bytes(a) + tc_topk_scratch(&s);
}

static double rounded(double x, int64_t dtype) {
  switch (dtype) {
    case TC_F32: return (double)(float)x;
    case TC_F16: return (double)tc_f32_of_f16(tc_f16_of_f32((float)x));
    case TC_BF16: return (double)tc_f32_of_bf16(tc_bf16_of_f32((float)x));
    default: return x;
  }
}

static inline const char *row_weights(const tc_multinomial_args *a, int64_t row) {
  return TC_PTR(const char, a->weights) + row * a->n * tc_dtype_size(a->dtype);
}

// Weights must be finite and not negative, and some of them positive in every row.
static int32_t check(const tc_multinomial_args *a) {
  double w[TC_MT_BLOCK];
  for (int64_t row = 0; row < a->rows; row++) {
    double sum = 0;
    for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
      const int64_t n = a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
      tc_convert(w, TC_F64, row_weights(a, row) + start * tc_dtype_size(a->dtype), a->dtype, n);
      for (int64_t i = 0; i < n; i++) {
        if (!(w[i] >= 0 && w[i] < INFINITY)) return tc_fail(TC_BAD_VALUE, 0, row * a->n + start + i, 0, 0);
        sum += w[i];
      }
    }
    if (!(sum > 0)) return tc_fail(TC_BAD_VALUE, 1, row, 0, 0);
  }
  return TC_OK;
}

// Bisection of the running sums, which are divided by the total; sums and quotients are numbers of the dtype.
static void with_replacement(const tc_multinomial_args *a, tc_generator *g, int64_t row, double *sums) {
  int64_t *out = TC_PTR(int64_t, a->out) + row * a->samples;
  tc_convert(sums, TC_F64, row_weights(a, row), a->dtype, a->n);
  for (int64_t i = 1; i < a->n; i++) sums[i] = rounded(sums[i - 1] + sums[i], a->dtype);
  const double total = sums[a->n - 1];
  for (int64_t i = 0; i < a->n; i++) sums[i] = rounded(sums[i] / total, a->dtype);
  sums[a->n - 1] = 1;
  for (int64_t s = 0; s < a->samples; s++) {
    const double u = tc_mt_uniform(g);
    int64_t low = 0, high = a->n;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (sums[middle] < u) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    out[s] = low;
  }
}

// weights / exponential noise: the largest quotients win (Efraimidis and Spirakis 2006).
static int32_t without_replacement(const tc_multinomial_args *a, tc_generator *g) {
  const int64_t size = tc_dtype_size(a->dtype), count = a->rows * a->n;
  char *quotients = TC_PTR(char, a->scratch);
  double u[TC_MT_BLOCK], w[TC_MT_BLOCK];
  for (int64_t start = 0; start < count; start += TC_MT_BLOCK) {
    const int64_t n = count - start < TC_MT_BLOCK ? count - start : TC_MT_BLOCK;
    tc_convert(w, TC_F64, TC_PTR(const char, a->weights) + start * size, a->dtype, n);
    tc_mt_fill_f64(g, u, n);
    for (int64_t i = 0; i < n; i++) u[i] = w[i] / rounded(-log(1 - u[i]), a->dtype);
    tc_convert(quotients + start * size, a->dtype, u, TC_F64, n);
  }
  const tc_select_args s = selection(a, a->scratch, a->scratch + (uint64_t)quotient_bytes(a));
  return tc_topk(&s);
}

int32_t tc_multinomial(const tc_multinomial_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  const int32_t status = check(a);
  if (status != TC_OK) return status;
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  if (!a->replacement) return without_replacement(a, g);
  for (int64_t row = 0; row < a->rows; row++) with_replacement(a, g, row, TC_PTR(double, a->scratch));
  return TC_OK;
}
