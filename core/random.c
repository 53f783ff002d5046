// tc_random: fills from one distribution; tc_randperm. Draws come in blocks through buffers on the stack, results are
// computed as PyTorch computes them (in float64 mostly) and converted to the dtype.
#include <math.h>
#include <stdbool.h>

#include "mt19937.h"
#include "normal.h"
#include "numbers.h"
#include "status.h"

#define PI 3.14159265358979323846

typedef struct {
  const tc_random_args *a;
  tc_generator *g;
  char *out;    // where this block goes
  int64_t n;    // elements of it
} block;

typedef void (*block_fn)(const block *b);

static void store_f64(const block *b, const double *values) { tc_convert(b->out, b->a->dtype, values, TC_F64, b->n); }

// Rounds to a floating dtype and back.
static double as_dtype(double x, int64_t dtype) {
  uint64_t bits;
  double back;
  tc_convert(&bits, dtype, &x, TC_F64, 1);
  tc_convert(&back, TC_F64, &bits, dtype, 1);
  return back;
}

// u * (to - from) + from, with from, to and the difference in the dtype and one rounding of the sum.
static void uniform(const block *b) {
  const int64_t dtype = b->a->dtype;
  const double from = as_dtype(b->a->a, dtype), range = as_dtype(as_dtype(b->a->b, dtype) - from, dtype);
  if (dtype == TC_F64) {
    double *u = (double *)b->out;
    tc_mt_fill_f64(b->g, u, b->n);
    if (from == 0 && range == 1) return;
    for (int64_t i = 0; i < b->n; i++) u[i] = fma(u[i], range, from);
    return;
  }
  uint32_t words[TC_MT_BLOCK];
  float u[TC_MT_BLOCK];
  tc_mt_fill(b->g, words, b->n);
  const int digits = dtype == TC_F32 ? 24 : dtype == TC_F16 ? 11 : 8;
  const uint32_t mask = (1u << digits) - 1;
  const double scale = 1.0 / (double)(1u << digits) * range;  // exact: a power of two times a float32
  for (int64_t i = 0; i < b->n; i++) u[i] = (float)((double)(int32_t)(words[i] & mask) * scale + from);
  tc_convert(b->out, dtype, u, TC_F32, b->n);
}

static void normal(const block *b) {
  double x[TC_MT_BLOCK];
  for (int64_t i = 0; i < b->n; i++) x[i] = fma(tc_mt_normal(b->g), b->a->b, b->a->a);
  store_f64(b, x);
}

static void log_normal(const block *b) {
  double x[TC_MT_BLOCK];
  for (int64_t i = 0; i < b->n; i++) x[i] = exp(fma(tc_mt_normal(b->g), b->a->b, b->a->a));
  store_f64(b, x);
}

static void exponential(const block *b) {
  double x[TC_MT_BLOCK];
  tc_mt_fill_f64(b->g, x, b->n);
  const double scale = -1 / b->a->a;
  for (int64_t i = 0; i < b->n; i++) x[i] = scale * log(1 - x[i]);
  store_f64(b, x);
}

static void geometric(const block *b) {
  double x[TC_MT_BLOCK];
  tc_mt_fill_f64(b->g, x, b->n);
  const double divisor = log(1 - b->a->a);
  for (int64_t i = 0; i < b->n; i++) x[i] = ceil(log(x[i]) / divisor);
  store_f64(b, x);
}

static void cauchy(const block *b) {
  double x[TC_MT_BLOCK];
  tc_mt_fill_f64(b->g, x, b->n);
  for (int64_t i = 0; i < b->n; i++) x[i] = fma(b->a->b, tan(PI * (x[i] - 0.5)), b->a->a);
  store_f64(b, x);
}

static void bernoulli(const block *b) {
  uint8_t hit[TC_MT_BLOCK];
  tc_mt_bernoulli(b->g, hit, b->n, b->a->a);
  tc_convert(b->out, b->a->dtype, hit, TC_BOOL, b->n);
}

// lo + draw % range. From 2^32 on, dtypes that can hold such numbers take 64-bit draws.
static void randint(const block *b) {
  const uint64_t range = b->a->range, lo = (uint64_t)b->a->lo;
  const int64_t dtype = b->a->dtype;
  int64_t x[TC_MT_BLOCK];
  if (range == 0) {
    for (int64_t i = 0; i < b->n; i++) x[i] = (int64_t)tc_mt_u64(b->g);
  } else if (range > UINT32_MAX && (dtype == TC_I64 || dtype == TC_F32 || dtype == TC_F64 || dtype == TC_BF16)) {
    for (int64_t i = 0; i < b->n; i++) x[i] = (int64_t)(tc_mt_u64(b->g) % range + lo);
  } else {
    uint32_t words[TC_MT_BLOCK];
    tc_mt_fill(b->g, words, b->n);
    if (range <= UINT32_MAX) {
      for (int64_t i = 0; i < b->n; i++) words[i] %= (uint32_t)range;
    }
    for (int64_t i = 0; i < b->n; i++) x[i] = (int64_t)(words[i] + lo);
  }
  tc_convert(b->out, dtype, x, TC_I64, b->n);
}

// What random_() takes a draw modulo of; floats: all integers that they hold exactly.
static uint64_t full_range(int64_t dtype) {
  switch (dtype) {
    case TC_BOOL: return 2;
    case TC_U8: return 1u << 8;
    case TC_I8: return 1u << 7;
    case TC_I16: return 1u << 15;
    case TC_I32: return 1u << 31;
    case TC_I64: return UINT64_C(1) << 63;
    case TC_F16: return (1u << 11) + 1;
    case TC_BF16: return (1u << 8) + 1;
    case TC_F32: return (1u << 24) + 1;
    default: return (UINT64_C(1) << 53) + 1;
  }
}

static void full(const block *b) {
  const int64_t dtype = b->a->dtype;
  const bool wide = dtype == TC_I64 || dtype == TC_F64;
  const uint64_t range = full_range(dtype);
  int64_t x[TC_MT_BLOCK];
  for (int64_t i = 0; i < b->n; i++) x[i] = (int64_t)((wide ? tc_mt_u64(b->g) : tc_mt_u32(b->g)) % range);
  tc_convert(b->out, dtype, x, TC_I64, b->n);
}

int32_t tc_random(const tc_random_args *a) {
  static const block_fn fills[] = {uniform, normal, log_normal, exponential, geometric, cauchy, bernoulli, randint, full};
  const bool needs_floating = a->op < TC_RANDOM_GEOMETRIC || a->op == TC_RANDOM_CAUCHY;
  if (a->dtype == TC_C64 || a->dtype == TC_C128 || (needs_floating && !tc_is_floating(a->dtype))) {
    return tc_unsupported(a->dtype);
  }
  block b = {.a = a, .g = TC_PTR(tc_generator, a->generator), .out = TC_PTR(char, a->out)};
  if (a->op == TC_RANDOM_NORMAL && a->fill && a->n >= 16) {
    tc_normal_fill(b.g, b.out, a->dtype, a->n, a->a, a->b);
    return TC_OK;
  }
  const int64_t size = tc_dtype_size(a->dtype);
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    b.n = a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
    fills[a->op](&b);
    b.out += b.n * size;
  }
  return TC_OK;
}

// Identity, then element i changes places with one of those from i on.
#define SHUFFLE(T)                                               \
  {                                                              \
    T *p = TC_PTR(T, a->out);                                    \
    for (int64_t i = 0; i < a->n - 1; i++) {                     \
      const int64_t j = i + (int64_t)(tc_mt_u32(g) % (uint64_t)(a->n - i)); \
      const T t = p[i];                                          \
      p[i] = p[j];                                               \
      p[j] = t;                                                  \
    }                                                            \
    return TC_OK;                                                \
  }

int32_t tc_randperm(const tc_randperm_args *a) {
  if (a->dtype == TC_C64 || a->dtype == TC_C128) return tc_unsupported(a->dtype);
  tc_generator *g = TC_PTR(tc_generator, a->generator);
  const int64_t size = tc_dtype_size(a->dtype);
  int64_t count[TC_MT_BLOCK];
  for (int64_t start = 0; start < a->n; start += TC_MT_BLOCK) {
    const int64_t n = a->n - start < TC_MT_BLOCK ? a->n - start : TC_MT_BLOCK;
    for (int64_t i = 0; i < n; i++) count[i] = start + i;
    tc_convert(TC_PTR(char, a->out) + start * size, a->dtype, count, TC_I64, n);
  }
  switch (size) {
    case 1: SHUFFLE(uint8_t)
    case 2: SHUFFLE(uint16_t)
    case 4: SHUFFLE(uint32_t)
    default: SHUFFLE(uint64_t)
  }
}
