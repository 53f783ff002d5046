// tc_dropout, its backward, and tc_rrelu: noise drawn and applied in one pass.
#include "mt19937.h"
#include "numbers.h"
#include "parallel.h"
#include "status.h"

// in * (mask / (1 - p)), where the quotient (a number of the dtype) is either 0 or `keep`. Multiplying, not choosing:
// an infinity or NaN that is dropped becomes NaN, as in PyTorch.
static void apply(const tc_dropout_args *a, int64_t start, int64_t n) {
  const uint8_t *mask = TC_PTR(const uint8_t, a->mask) + start;
  if (a->dtype == TC_F64) {
    const double *in = TC_PTR(const double, a->in) + start;
    double *out = TC_PTR(double, a->out) + start;
    const double keep[2] = {0, 1 / (1 - a->p)};
    for (int64_t i = 0; i < n; i++) out[i] = in[i] * keep[mask[i]];
    return;
  }
  if (a->dtype == TC_F32) {
    const float *in = TC_PTR(const float, a->in) + start;
    float *out = TC_PTR(float, a->out) + start;
    const float keep = 1 / (float)(1 - a->p);
    for (int64_t i = 0; i < n; i++) out[i] = in[i] * (keep * (float)mask[i]);
    return;
  }
  // 16-bit floats: 1 - p and the quotient are rounded to float32 and to the dtype, the product to the dtype.
  const float quotient = 1 / (float)(1 - a->p);
  uint16_t rounded;
  float keep, x[TC_MT_BLOCK];
  tc_convert(&rounded, a->dtype, &quotient, TC_F32, 1);
  tc_convert(&keep, TC_F32, &rounded, a->dtype, 1);
  for (int64_t at = start; at < start + n; at += TC_MT_BLOCK) {
    const int64_t count = start + n - at < TC_MT_BLOCK ? start + n - at : TC_MT_BLOCK;
    tc_convert(x, TC_F32, TC_PTR(const uint16_t, a->in) + at, a->dtype, count);
    for (int64_t i = 0; i < count; i++) x[i] *= keep * (float)mask[at - start + i];
    tc_convert(TC_PTR(uint16_t, a->out) + at, a->dtype, x, TC_F32, count);
  }
}

static void apply_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  apply(ctx, begin, end - begin);
}

int32_t tc_dropout(const tc_dropout_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
    tc_mt_bernoulli(g, TC_PTR(uint8_t, a->mask) + start, n, 1 - a->p);
    apply(a, start, n);
  }
  return TC_OK;
}

int32_t tc_dropout_backward(const tc_dropout_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->n, 16384, apply_range, (void *)(uintptr_t)a);
  return TC_OK;
}

int32_t tc_rrelu(const tc_rrelu_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  const int64_t size = tc_dtype_size(a->dtype);
  // The bounds are numbers of the dtype, the uniform between them is a float64 one.
  uint64_t bits[2];
  const double given[2] = {a->lower, a->upper};
  double bounds[2], x[TC_MT_BLOCK], noise[TC_MT_BLOCK];
  tc_convert(bits, a->dtype, given, TC_F64, 2);
  tc_convert(bounds, TC_F64, bits, a->dtype, 2);
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
    char *noise_at = TC_PTR(char, a->noise) + start * size;
    tc_convert(x, TC_F64, TC_PTR(const char, a->in) + start * size, a->dtype, n);
    for (int64_t i = 0; i < n; i++) {
      noise[i] = x[i] <= 0 ? tc_mt_uniform(g) * (bounds[1] - bounds[0]) + bounds[0] : 1;
    }
    tc_convert(noise_at, a->dtype, noise, TC_F64, n);
    tc_convert(noise, TC_F64, noise_at, a->dtype, n);
    // Exact in float64 but for float64 itself: the conversion is the product's one rounding.
    for (int64_t i = 0; i < n; i++) x[i] *= noise[i];
    tc_convert(TC_PTR(char, a->out) + start * size, a->dtype, x, TC_F64, n);
  }
  return TC_OK;
}
