// Normal random numbers: Box-Muller one pair at a time with a cache (tc_mt_normal), and over blocks of 16
// (tc_normal_fill). The float32 block path repeats, bit for bit, the Cephes polynomials of PyTorch's avx_mathfun.h.
#include "normal.h"

#include <math.h>

#include "convert.h"
#include "mt19937.h"
#include "parallel.h"
#include "simd.h"

#define TWO_PI 6.28318530717958647692

double tc_mt_normal(tc_generator *g) {
  if (g->has_normal) {
    g->has_normal = 0;
    return g->normal;
  }
  const double u1 = tc_mt_uniform(g), u2 = tc_mt_uniform(g);
  const double radius = sqrt(-2 * log(1 - u2)), angle = TWO_PI * u1;
  g->normal = radius * sin(angle);
  g->has_normal = 1;
  return radius * cos(angle);
}

// ---- float32 --------------------------------------------------------------------------------------------------------

typedef struct { vf32 v[2]; } eight;

TC_INLINE eight splat(float x) { return (eight){{v_set_f32(x), v_set_f32(x)}}; }

// Where v_fma rounds once, lanes stay float32.
TC_INLINE eight of_fused(eight x) { return x; }
TC_INLINE eight to_fused(eight x) { return x; }
TC_INLINE eight mul_fused(eight a, eight b) { return (eight){{a.v[0] * b.v[0], a.v[1] * b.v[1]}}; }
TC_INLINE eight add_fused(eight a, eight b) { return (eight){{a.v[0] + b.v[0], a.v[1] + b.v[1]}}; }
TC_INLINE eight mul_by_fused(eight a, float s) { return mul_fused(a, splat(s)); }
TC_INLINE eight fma_fused(eight a, eight b, eight c) {
  return (eight){{v_fma(a.v[0], b.v[0], c.v[0]), v_fma(a.v[1], b.v[1], c.v[1])}};
}
TC_INLINE eight fma_by_fused(eight a, float s, eight c) { return fma_fused(a, splat(s), c); }
TC_INLINE eight fma_plus_fused(eight a, eight b, float t) { return fma_fused(a, b, splat(t)); }

#define TC_NB_TYPE eight
#define TC_NB_NAME(x) x##_fused
#include "normal_block.h"

// Elsewhere they are float32 numbers held as float64. An operation followed by `rounded` gives what the float32
// operation gives, for multiply-add too: the product of two float32 is exact in float64.
typedef struct { vf64 v[4]; } eight_wide;

TC_INLINE vf64 rounded(vf64 x) { return __builtin_convertvector(__builtin_convertvector(x, vf32_half), vf64); }
TC_INLINE eight_wide of_wide(eight x) {
  return (eight_wide){{v_widen_low(x.v[0]), v_widen_high(x.v[0]), v_widen_low(x.v[1]), v_widen_high(x.v[1])}};
}
TC_INLINE eight to_wide(eight_wide x) { return (eight){{v_narrow(x.v[0], x.v[1]), v_narrow(x.v[2], x.v[3])}}; }

#define WIDE(name, formula, ...)                                             \
  TC_INLINE eight_wide name(__VA_ARGS__) {                                   \
    eight_wide r;                                                            \
    for (int i = 0; i < 4; i++) r.v[i] = rounded(formula);                   \
    return r;                                                                \
  }
WIDE(mul_wide, a.v[i] * b.v[i], eight_wide a, eight_wide b)
WIDE(add_wide, a.v[i] + b.v[i], eight_wide a, eight_wide b)
WIDE(mul_by_wide, a.v[i] * (double)s, eight_wide a, float s)
WIDE(fma_wide, a.v[i] * b.v[i] + c.v[i], eight_wide a, eight_wide b, eight_wide c)
WIDE(fma_by_wide, a.v[i] * (double)s + c.v[i], eight_wide a, float s, eight_wide c)
WIDE(fma_plus_wide, a.v[i] * b.v[i] + (double)t, eight_wide a, eight_wide b, float t)
#undef WIDE

#define TC_NB_TYPE eight_wide
#define TC_NB_NAME(x) x##_wide
#include "normal_block.h"

// Whether v_fma rounds once here: relaxed simd leaves it to the machine. Volatile, so that nothing computes it earlier.
static int fma_is_fused(void) {
  static volatile const float near_one = 1 + 0x1p-12f, minus_square = -(1 + 0x1p-11f);
  const vf32 x = v_set_f32(near_one);
  return v_all((vi32)(v_fma(x, x, v_set_f32(minus_square)) == v_set_f32(0x1p-24f)));
}

// ---- the other dtypes -----------------------------------------------------------------------------------------------

static void fill_16_f64(double *d, double mean, double std) {
  for (int j = 0; j < 8; j++) {
    const double radius = sqrt(-2 * log(1 - d[j])), angle = TWO_PI * d[j + 8];
    d[j] = fma(radius * cos(angle), std, mean);
    d[j + 8] = fma(radius * sin(angle), std, mean);
  }
}

// bfloat16 has functions of its own in PyTorch, which round each result to it.
static inline float as_bf16(float x) { return tc_f32_of_bf16(tc_bf16_of_f32(x)); }

static void fill_16_bf16(uint16_t *d, float mean, float std) {
  for (int j = 0; j < 8; j++) {
    const float u1 = as_bf16(1 - tc_f32_of_bf16(d[j])), u2 = tc_f32_of_bf16(d[j + 8]);
    const float radius = as_bf16(sqrtf(as_bf16(-2 * as_bf16(logf(u1)))));
    const float angle = as_bf16((float)(TWO_PI * (double)u2));
    const float c = as_bf16(radius * as_bf16(cosf(angle))), s = as_bf16(radius * as_bf16(sinf(angle)));
    d[j] = tc_bf16_of_f32(as_bf16(c * std) + mean);
    d[j + 8] = tc_bf16_of_f32(as_bf16(s * std) + mean);
  }
}

// float16 goes through float32 and is rounded where it is stored in a variable.
static inline float as_f16(float x) { return tc_f32_of_f16(tc_f16_of_f32(x)); }

static void fill_16_f16(uint16_t *d, float mean, float std) {
  for (int j = 0; j < 8; j++) {
    const float u1 = as_f16(1 - tc_f32_of_f16(d[j])), u2 = tc_f32_of_f16(d[j + 8]);
    const float radius = as_f16(sqrtf(-2 * logf(u1))), angle = as_f16((float)(TWO_PI * (double)u2));
    d[j] = tc_f16_of_f32(fmaf(radius * cosf(angle), std, mean));
    d[j + 8] = tc_f16_of_f32(fmaf(radius * sinf(angle), std, mean));
  }
}

// ---- a whole tensor -------------------------------------------------------------------------------------------------

typedef struct {
  void *out;
  int64_t dtype;
  double mean, std;
  int fused;
} fill;

static void fill_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const fill *f = ctx;
  for (int64_t b = begin; b < end; b++) {
    switch (f->dtype) {
      case TC_F32:
        (f->fused ? fill_16_fused : fill_16_wide)((float *)f->out + 16 * b, (float)f->mean, (float)f->std);
        break;
      case TC_F64: fill_16_f64((double *)f->out + 16 * b, f->mean, f->std); break;
      case TC_F16: fill_16_f16((uint16_t *)f->out + 16 * b, (float)f->mean, (float)f->std); break;
      default: fill_16_bf16((uint16_t *)f->out + 16 * b, (float)f->mean, (float)f->std);
    }
  }
}

static void fill_uniform(tc_generator *g, void *out, int64_t dtype, int64_t n) {
  if (dtype == TC_F32) {
    tc_mt_fill_f32(g, out, n);
  } else if (dtype == TC_F64) {
    tc_mt_fill_f64(g, out, n);
  } else {
    for (int64_t i = 0; i < n; i++) {
      const uint32_t u = tc_mt_u32(g);
      ((uint16_t *)out)[i] = dtype == TC_F16 ? tc_f16_of_f32((float)(u & 0x7ff) * 0x1p-11f)
                                             : tc_bf16_of_f32((float)(u & 0xff) * 0x1p-8f);
    }
  }
}

void tc_normal_fill(tc_generator *g, void *out, int64_t dtype, int64_t n, double mean, double std) {
  if (dtype == TC_F16 || dtype == TC_BF16) {
    uint16_t number[2];
    const double numbers[2] = {mean, std};
    tc_convert(number, dtype, numbers, TC_F64, 2);
    mean = dtype == TC_F16 ? tc_f32_of_f16(number[0]) : tc_f32_of_bf16(number[0]);
    std = dtype == TC_F16 ? tc_f32_of_f16(number[1]) : tc_f32_of_bf16(number[1]);
  }
  fill_uniform(g, out, dtype, n);
  fill f = {out, dtype, mean, std, fma_is_fused()};
  tc_parallel_for(n / 16, 256, fill_blocks, &f);
  if (n % 16 != 0) {  // the last 16 are drawn anew; they cover the end of the last whole block
    f.out = (char *)out + (n - 16) * tc_dtype_size(dtype);
    fill_uniform(g, f.out, dtype, 16);
    fill_blocks(&f, 0, 1, 0);
  }
}
