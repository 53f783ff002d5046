// tc_matmul: batches of C = act(alpha * A x B + beta * C + bias) for every dtype.
#include "include/tc.h"
#include "parallel.h"

static inline float half_to_float(uint16_t h) {
  // Shift exponent and mantissa into place and rescale by 2^112; infinities and NaNs keep an all-ones exponent.
  union { uint32_t u; float f; } v = {.u = (uint32_t)(h & 0x7fff) << 13}, scale = {.u = 0x77800000};
  v.f *= scale.f;
  if ((h & 0x7c00) == 0x7c00) v.u |= 0x7f800000;
  v.u |= (uint32_t)(h & 0x8000) << 16;
  return v.f;
}

static inline uint16_t float_to_half(float f) {
  union { float f; uint32_t u; } v = {.f = f};
  const uint32_t sign = (v.u >> 16) & 0x8000;
  v.u &= 0x7fffffff;
  if (v.u > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (v.u >= 0x47800000) return (uint16_t)(sign | 0x7c00);
  if (v.u < 0x38800000) {  // subnormal: adding 0.5 lets the hardware round at the right bit
    v.f += 0.5f;
    return (uint16_t)(sign | (v.u - 0x3f000000));
  }
  v.u += 0xc8000fff + ((v.u >> 13) & 1);  // rebias by -112, round to nearest even
  return (uint16_t)(sign | (v.u >> 13));
}

static inline float bfloat_to_float(uint16_t b) {
  union { uint32_t u; float f; } v = {.u = (uint32_t)b << 16};
  return v.f;
}

static inline uint16_t float_to_bfloat(float f) {
  union { float f; uint32_t u; } v = {.f = f};
  if (f != f) return 0x7fc0;
  return (uint16_t)((v.u + 0x7fff + ((v.u >> 16) & 1)) >> 16);
}

static double activate(double v, int64_t act) {
  switch (act) {
    case TC_ACT_RELU: return v > 0 || v != v ? v : 0;
    case TC_ACT_SIGMOID: return 1 / (1 + __builtin_exp(-v));
    case TC_ACT_TANH: return __builtin_tanh(v);
    default: return v;
  }
}

#define SAME(x) (x)
#define PLAIN_MATMUL(name, storage, acc_t, load, store, activated)                                                   \
  static void name(const tc_matmul_args *s, const storage *a, const storage *b, storage *c) {                        \
    const storage *bias = TC_PTR(const storage, s->bias);                                                            \
    const acc_t alpha = (acc_t)s->alpha, beta = (acc_t)s->beta;                                                      \
    for (int64_t i = 0; i < s->m; i++)                                                                               \
      for (int64_t j = 0; j < s->n; j++) {                                                                           \
        acc_t sum = 0;                                                                                               \
        for (int64_t p = 0; p < s->k; p++)                                                                           \
          sum += (acc_t)load(a[i * s->a_rs + p * s->a_cs]) * (acc_t)load(b[p * s->b_rs + j * s->b_cs]);              \
        storage *out = c + i * s->c_rs + j * s->c_cs;                                                                \
        sum *= alpha;                                                                                                \
        if (s->beta != 0) sum += beta * (acc_t)load(*out);                                                           \
        if (bias) sum += (acc_t)load(bias[i * s->bias_rs + j * s->bias_cs]);                                         \
        *out = store((acc_t)activated(sum));                                                                         \
      }                                                                                                              \
  }

#define ACTIVATED(v) activate((double)(v), s->act)
PLAIN_MATMUL(matmul_f64, double, double, SAME, SAME, ACTIVATED)
PLAIN_MATMUL(matmul_f32, float, float, SAME, SAME, ACTIVATED)
PLAIN_MATMUL(matmul_f16, uint16_t, float, half_to_float, float_to_half, ACTIVATED)
PLAIN_MATMUL(matmul_bf16, uint16_t, float, bfloat_to_float, float_to_bfloat, ACTIVATED)
// Unsigned arithmetic wraps where signed would be undefined; the low bits are the same.
PLAIN_MATMUL(matmul_u8, uint8_t, uint32_t, SAME, (uint8_t), SAME)
PLAIN_MATMUL(matmul_i16, uint16_t, uint32_t, SAME, (uint16_t), SAME)
PLAIN_MATMUL(matmul_i32, uint32_t, uint32_t, SAME, SAME, SAME)
PLAIN_MATMUL(matmul_i64, uint64_t, uint64_t, SAME, SAME, SAME)

int64_t tc_matmul_scratch(const tc_matmul_args *a) {
  (void)a;
  return 0;
}

int32_t tc_matmul(const tc_matmul_args *s) {
  int64_t total = 1, index[TC_MM_MAX_BATCH] = {0}, at_a = 0, at_b = 0, at_c = 0;
  for (int64_t d = 0; d < s->nbatch; d++) total *= s->batch_shape[d];
  for (int64_t batch = 0; batch < total; batch++) {
#define RUN(name, storage) name(s, TC_PTR(const storage, s->a) + at_a, TC_PTR(const storage, s->b) + at_b, TC_PTR(storage, s->c) + at_c)
    switch (s->dtype) {
      case TC_F32: RUN(matmul_f32, float); break;
      case TC_F64: RUN(matmul_f64, double); break;
      case TC_F16: RUN(matmul_f16, uint16_t); break;
      case TC_BF16: RUN(matmul_bf16, uint16_t); break;
      case TC_U8: case TC_I8: RUN(matmul_u8, uint8_t); break;
      case TC_I16: RUN(matmul_i16, uint16_t); break;
      case TC_I32: RUN(matmul_i32, uint32_t); break;
      case TC_I64: RUN(matmul_i64, uint64_t); break;
      default: return TC_UNSUPPORTED;
    }
#undef RUN
    for (int64_t d = s->nbatch - 1; d >= 0; d--) {
      at_a += s->batch_a[d], at_b += s->batch_b[d], at_c += s->batch_c[d];
      if (++index[d] < s->batch_shape[d]) break;
      at_a -= index[d] * s->batch_a[d], at_b -= index[d] * s->batch_b[d], at_c -= index[d] * s->batch_c[d];
      index[d] = 0;
    }
  }
  return TC_OK;
}
