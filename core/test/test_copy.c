// Conversion between dtypes against its rules written out one element at a time, and copies of random layouts.
#include "../convert.h"
#include "harness.h"

static const int64_t dtypes[10] = {TC_U8, TC_I8, TC_I16, TC_I32, TC_I64, TC_F16, TC_F32, TC_F64, TC_BOOL, TC_BF16};

// A number as PyTorch on x86 sees it on its way from one dtype to another: float64 (exact for all floats and narrow
// integers) or int64.
typedef struct {
  bool real;
  double f;
  int64_t i;
} number;

// By the definition of the formats, not by bit tricks.
static double half_value(uint16_t h, int mantissa, int bias) {
  const int exponent = (h & 0x7fff) >> mantissa, top = 0x7fff >> mantissa, low = h & ((1 << mantissa) - 1);
  double x = exponent == top ? (low ? NAN : INFINITY)
             : exponent == 0 ? ldexp(low, 1 - bias - mantissa)
                             : ldexp(low + (1 << mantissa), exponent - bias - mantissa);
  return h & 0x8000 ? -x : x;
}
// The nearest of all finite values of the format, ties to the even pattern.
static uint16_t nearest_half(float value, int mantissa, int bias) {
  const uint16_t sign = signbit(value) ? 0x8000 : 0, infinity = (uint16_t)(0x7fff >> mantissa << mantissa);
  if (isnan(value)) return (uint16_t)(infinity | 1 << (mantissa - 1));
  const double x = fabs((double)value);
  // Rounding to the spacing at x.
  int exponent;
  frexp(x, &exponent);
  const int lowest = 1 - bias;
  const double unit = ldexp(1, (exponent - 1 < lowest ? lowest : exponent - 1) - mantissa), rounded = nearbyint(x / unit) * unit;
  const double largest = half_value((uint16_t)(infinity - 1), mantissa, bias);
  if (rounded > largest) return sign | infinity;
  if (rounded == 0) return sign;
  frexp(rounded, &exponent);
  if (exponent - 1 < lowest) return sign | (uint16_t)(rounded / ldexp(1, lowest - mantissa));
  const double fraction = rounded / ldexp(1, exponent - 1) - 1;
  return sign | (uint16_t)((exponent - 1 + bias) << mantissa | (int)ldexp(fraction, mantissa));
}

static number read(const void *t, int64_t dtype, int64_t i) {
  switch (dtype) {
    case TC_U8: return (number){.i = ((const uint8_t *)t)[i]};
    case TC_BOOL: return (number){.i = ((const uint8_t *)t)[i] != 0};
    case TC_I8: return (number){.i = ((const int8_t *)t)[i]};
    case TC_I16: return (number){.i = ((const int16_t *)t)[i]};
    case TC_I32: return (number){.i = ((const int32_t *)t)[i]};
    case TC_I64: return (number){.i = ((const int64_t *)t)[i]};
    case TC_F16: return (number){true, half_value(((const uint16_t *)t)[i], 10, 15), 0};
    case TC_BF16: return (number){true, half_value(((const uint16_t *)t)[i], 7, 127), 0};
    case TC_F32: return (number){true, ((const float *)t)[i], 0};
    default: return (number){true, ((const double *)t)[i], 0};
  }
}

static int64_t whole(number x, int64_t dtype) {
  if (!x.real) return x.i;
  if (dtype == TC_I64 || dtype == TC_U8) {
    return fabs(x.f) < 0x1p63 || x.f == -0x1p63 ? (int64_t)x.f : INT64_MIN;
  }
  return fabs(trunc(x.f)) < 0x1p31 || trunc(x.f) == -0x1p31 ? (int64_t)x.f : INT32_MIN;
}

static void write(void *t, int64_t dtype, int64_t i, number x) {
  const float f = x.real ? (float)x.f : (float)x.i;
  switch (dtype) {
    case TC_U8: ((uint8_t *)t)[i] = (uint8_t)(uint64_t)whole(x, dtype); break;
    case TC_I8: ((uint8_t *)t)[i] = (uint8_t)(uint64_t)whole(x, dtype); break;
    case TC_I16: ((uint16_t *)t)[i] = (uint16_t)(uint64_t)whole(x, dtype); break;
    case TC_I32: ((uint32_t *)t)[i] = (uint32_t)(uint64_t)whole(x, dtype); break;
    case TC_I64: ((int64_t *)t)[i] = whole(x, dtype); break;
    case TC_BOOL: ((uint8_t *)t)[i] = x.real ? x.f != 0 : x.i != 0; break;
    case TC_F16: ((uint16_t *)t)[i] = nearest_half(f, 10, 15); break;
    case TC_BF16: ((uint16_t *)t)[i] = nearest_half(f, 7, 127); break;
    case TC_F32: ((float *)t)[i] = f; break;
    default: ((double *)t)[i] = x.real ? x.f : (double)x.i;
  }
}

// Equal bytes, or both NaN.
static bool same(const void *a, const void *b, int64_t dtype, int64_t i) {
  const int64_t size = tc_dtype_size(dtype);
  if (memcmp((const char *)a + i * size, (const char *)b + i * size, (size_t)size) == 0) return true;
  const number x = read(a, dtype, i), y = read(b, dtype, i);
  return x.real && isnan(x.f) && isnan(y.f);
}

static void random_bytes(void *t, int64_t dtype, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const uint64_t bits = test_random_bits();
    const int kind = (int)(bits >> 60);
    if (dtype == TC_BOOL) {
      ((uint8_t *)t)[i] = bits & 1;
    } else if (dtype == TC_F32 && kind < 12) {
      ((float *)t)[i] = (float)ldexp(test_random(), (int)(bits % 70) - 26);
    } else if (dtype == TC_F64 && kind < 12) {
      ((double *)t)[i] = ldexp(test_random(), (int)(bits % 90) - 26);
    } else {
      memcpy((char *)t + i * tc_dtype_size(dtype), &bits, (size_t)tc_dtype_size(dtype));  // any pattern
    }
  }
}

static void conversions(void) {
  for (int from = 0; from < 10; from++) {
    for (int to = 0; to < 10; to++) {
      for (int64_t n = 0; n < 4000; n = n * 3 + 1) {
        const int64_t in = dtypes[from], out = dtypes[to];
        void *x = test_alloc((size_t)(n * tc_dtype_size(in)));
        void *y = test_alloc((size_t)(n * tc_dtype_size(out))), *want = test_alloc((size_t)(n * tc_dtype_size(out)));
        random_bytes(x, in, n);
        tc_convert(y, out, x, in, n);
        for (int64_t i = 0; i < n; i++) {
          if (in == out) memcpy((char *)want + i * tc_dtype_size(in), (char *)x + i * tc_dtype_size(in), (size_t)tc_dtype_size(in));
          else write(want, out, i, read(x, in, i));
          CHECK(same(y, want, out, i), "dtype %" PRId64 " to %" PRId64 ", %g", in, out, read(x, in, i).f);
        }
        free(x), free(y), free(want);
      }
    }
  }
  // Every half there is, both ways.
  for (int which = 0; which < 2; which++) {
    const int64_t dtype = which ? TC_BF16 : TC_F16;
    for (int64_t u = 0; u < 65536; u++) {
      const uint16_t h = (uint16_t)u;
      uint16_t back;
      float f;
      tc_convert(&f, TC_F32, &h, dtype, 1);
      tc_convert(&back, dtype, &f, TC_F32, 1);
      const double x = read(&h, dtype, 0).f;
      CHECK(isnan(x) ? isnan(f) : f == (float)x && back == h, "%" PRId64, u);
    }
  }
  // Halfway cases and their neighbours.
  for (uint16_t h = 0; h < 0x7c00; h++) {
    const float middle = (float)((half_value(h, 10, 15) + (h == 0x7bff ? 65536 : half_value(h + 1, 10, 15))) / 2);
    const float around[3] = {nextafterf(middle, 0), middle, nextafterf(middle, INFINITY)};
    for (int k = 0; k < 3; k++) {
      uint16_t got;
      tc_convert(&got, TC_F16, &around[k], TC_F32, 1);
      CHECK_EQ(got, k == 0 ? h : k == 2 ? h + 1 : h + (h & 1));
    }
  }
}

static void one_copy(void) {
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 64, 70, 130, 5000};
  tc_copy_args a = {.ndim = (int64_t)(test_random_bits() % 5)};
  const bool complex_numbers = test_random_bits() % 12 == 0;
  a.in_dtype = complex_numbers ? TC_C128 : dtypes[test_random_bits() % 10];
  a.out_dtype = complex_numbers || test_random_bits() % 2 ? a.in_dtype : dtypes[test_random_bits() % 10];
  int64_t total = 1, first[2] = {0, 0}, elements[2] = {1, 1};
  for (int64_t d = 0; d < a.ndim; d++) {
    a.shape[d] = test_random_bits() % 30 == 0 ? 0 : sizes[test_random_bits() % 14];
    if (total * a.shape[d] > 40000) a.shape[d] = 2;
    total *= a.shape[d];
  }
  for (int k = 0; k < 2; k++) {
    int64_t order[5] = {0, 1, 2, 3, 4};
    for (int64_t d = a.ndim - 1; d > 0; d--) {
      const int64_t other = (int64_t)(test_random_bits() % (uint64_t)(d + 1)), kept = order[d];
      order[d] = order[other], order[other] = kept;
    }
    for (int64_t i = 0; i < a.ndim; i++) {
      const int64_t d = order[i];
      if (k == 1 && test_random_bits() % 8 == 0) {
        a.stride[d][k] = 0;
        continue;
      }
      a.stride[d][k] = elements[k];
      elements[k] *= a.shape[d];
      if (test_random_bits() % 8 == 0) elements[k] += a.stride[d][k];
      if (test_random_bits() % 6 == 0 && a.shape[d] > 0) {
        first[k] += (a.shape[d] - 1) * a.stride[d][k];
        a.stride[d][k] *= -1;
      }
    }
  }
  const int64_t in_size = tc_dtype_size(a.in_dtype), out_size = tc_dtype_size(a.out_dtype);
  char *in = test_alloc((size_t)(elements[1] * in_size)), *out = test_alloc((size_t)(elements[0] * out_size));
  char *want = test_alloc((size_t)(elements[0] * out_size));
  if (complex_numbers) random_bytes(in, TC_F64, 2 * elements[1]);
  else random_bytes(in, a.in_dtype, elements[1]);
  a.in = TEST_ADDRESS(in + first[1] * in_size);
  a.out = TEST_ADDRESS(out + first[0] * out_size);
  CHECK_EQ(tc_copy(&a), TC_OK);
  for (int64_t i = 0; i < total; i++) {
    int64_t rest = i, from = first[1], to = first[0];
    for (int64_t d = 0; d < a.ndim; d++) {
      from += rest % a.shape[d] * a.stride[d][1];
      to += rest % a.shape[d] * a.stride[d][0];
      rest /= a.shape[d];
    }
    if (a.in_dtype == a.out_dtype) memcpy(want + to * out_size, in + from * in_size, (size_t)in_size);
    else write(want, a.out_dtype, to, read(in, a.in_dtype, from));
  }
  // Elements between those of the result keep the bytes they were made with.
  int64_t wrong = 0;
  for (int64_t i = 0; i < elements[0]; i++) {
    wrong += complex_numbers || a.out_dtype == TC_BOOL ? memcmp(out + i * out_size, want + i * out_size, (size_t)out_size) != 0
                                                       : !same(out, want, a.out_dtype, i);
  }
  CHECK(wrong == 0, "%" PRId64 " of %" PRId64 " wrong, dtype %" PRId64 " to %" PRId64, wrong, total, a.in_dtype, a.out_dtype);
  free(in), free(out), free(want);
}

// Large enough for several threads: a transpose, a fill, a reversal.
static void large(void) {
  enum { N = 700 };
  float *x = test_alloc(N * N * sizeof(float)), *y = test_alloc(N * N * sizeof(float));
  for (int64_t i = 0; i < N * N; i++) x[i] = (float)i;
  tc_copy_args a = {.ndim = 2, .out_dtype = TC_F32, .in_dtype = TC_F32, .out = TEST_ADDRESS(y), .in = TEST_ADDRESS(x),
                    .shape = {N, N}, .stride = {{1, N}, {N, 1}}};
  CHECK_EQ(tc_copy(&a), TC_OK);
  int64_t wrong = 0;
  for (int64_t i = 0; i < N * N; i++) wrong += y[i] != (float)(i % N * N + i / N);
  CHECK_EQ(wrong, 0);
  tc_copy_args fill = {.ndim = 1, .out_dtype = TC_F32, .in_dtype = TC_F32, .out = TEST_ADDRESS(y), .in = TEST_ADDRESS(&x[5]),
                       .shape = {N * N}, .stride = {{1, 0}}};
  CHECK_EQ(tc_copy(&fill), TC_OK);
  for (int64_t i = 0; i < N * N; i++) wrong += y[i] != 5;
  CHECK_EQ(wrong, 0);
  tc_copy_args flip = {.ndim = 1, .out_dtype = TC_F32, .in_dtype = TC_F32, .out = TEST_ADDRESS(y),
                       .in = TEST_ADDRESS(&x[N * N - 1]), .shape = {N * N}, .stride = {{1, -1}}};
  CHECK_EQ(tc_copy(&flip), TC_OK);
  for (int64_t i = 0; i < N * N; i++) wrong += y[i] != (float)(N * N - 1 - i);
  CHECK_EQ(wrong, 0);
}

int main(void) {
  conversions();
  for (int i = 0; i < 3000; i++) one_copy();
  large();
  return test_end();
}
