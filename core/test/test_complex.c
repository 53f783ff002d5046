// Complex numbers: every formula against C's own functions, conversions, products, and the operand of matrix products.
#include <complex.h>

#include "../convert.h"
#include "../pointwise.h"
#include "tensors.h"

typedef double complex number;

static const struct {
  int64_t op;
  int inputs;
} ops[] = {
#define VALUE1(name, ...) {TC_PW_##name, 1},
#define VALUE2(name, ...) {TC_PW_##name, 2},
#define VALUE3(name, ...) {TC_PW_##name, 3},
#define TEST1 VALUE1
#define TEST2 VALUE2
#include "../pointwise_complex.def"
#undef VALUE1
#undef VALUE2
#undef VALUE3
#undef TEST1
#undef TEST2
};

static const number alpha = 0.75 - 0.5 * I;

static number reference(int64_t op, number x, number y, number z) {
  switch (op) {
    case TC_PW_copy: return x;
    case TC_PW_add: return x + y;
    case TC_PW_sub: return x - y;
    case TC_PW_mul: return x * y;
    case TC_PW_div: return x / y;
    case TC_PW_add_alpha: return x + alpha * y;
    case TC_PW_sub_alpha: return x - alpha * y;
    case TC_PW_pow: return cpow(x, y);
    case TC_PW_neg: return -x;
    case TC_PW_abs: return cabs(x);
    case TC_PW_sign: return cabs(x) == 0 ? 0 : x / cabs(x);
    case TC_PW_square: return x * x;
    case TC_PW_cube: return x * x * x;
    case TC_PW_reciprocal: return 1 / x;
    case TC_PW_sqrt: return csqrt(x);
    case TC_PW_rsqrt: return 1 / csqrt(x);
    case TC_PW_addcmul: return x + alpha * y * z;
    case TC_PW_addcdiv: return x + alpha * y / z;
    case TC_PW_lerp: return x + z * (y - x);
    case TC_PW_mul_scaled: return x * y * alpha;
    case TC_PW_where: return x != 0 ? y : z;
    case TC_PW_eq: return x == y;
    case TC_PW_ne: return x != y;
    case TC_PW_logical_and: return x != 0 && y != 0;
    case TC_PW_logical_or: return x != 0 || y != 0;
    case TC_PW_logical_xor: return (x != 0) != (y != 0);
    case TC_PW_logical_not: return x == 0;
    case TC_PW_isnan: return isnan(creal(x)) || isnan(cimag(x));
    case TC_PW_isinf: return isinf(creal(x)) || isinf(cimag(x));
    case TC_PW_isfinite: return isfinite(creal(x)) && isfinite(cimag(x));
    case TC_PW_exp: return cexp(x);
    case TC_PW_log: return clog(x);
    case TC_PW_log2: return clog(x) / log(2);
    case TC_PW_log10: return clog(x) / log(10);
    case TC_PW_sin: return csin(x);
    case TC_PW_cos: return ccos(x);
    case TC_PW_tan: return ctan(x);
    case TC_PW_asin: return casin(x);
    case TC_PW_acos: return cacos(x);
    case TC_PW_atan: return catan(x);
    case TC_PW_sinh: return csinh(x);
    case TC_PW_cosh: return ccosh(x);
    case TC_PW_tanh: return ctanh(x);
    case TC_PW_asinh: return casinh(x);
    case TC_PW_acosh: return cacosh(x);
    case TC_PW_atanh: return catanh(x);
    case TC_PW_sinc: return x == 0 ? 1 : csin(M_PI * x) / (M_PI * x);
    case TC_PW_tanh_backward: return x * (1 - y * y);
    case TC_PW_sigmoid: return 1 / (1 + cexp(-x));
    case TC_PW_sigmoid_backward: return x * (1 - y) * y;
    case TC_PW_silu: return x / (1 + cexp(-x));
    case TC_PW_angle: return carg(x);
    case TC_PW_conj: return conj(x);
    default: CHECK(false, "operator %" PRId64 " has no reference", op); return 0;
  }
}

static number get_number(const void *p, int64_t dtype, int64_t i) {
  return dtype == TC_C64 ? ((const float complex *)p)[i] : ((const number *)p)[i];
}
static void put_number(void *p, int64_t dtype, int64_t i, number x) {
  if (dtype == TC_C64) ((float complex *)p)[i] = (float complex)x;
  else ((number *)p)[i] = x;
}

enum { LENGTH = 407 };

static void formula(int64_t op, int inputs, int64_t dtype) {
  void *t[4];
  tc_pointwise_args a = {.op = op, .ndim = 1, .nargs = inputs + 1, .compute = dtype, .shape = {LENGTH},
                         .param = {creal(alpha), cimag(alpha)}};
  int test = 0;
  switch (op) {
    case TC_PW_eq: case TC_PW_ne: case TC_PW_logical_and: case TC_PW_logical_or: case TC_PW_logical_xor:
    case TC_PW_logical_not: case TC_PW_isnan: case TC_PW_isinf: case TC_PW_isfinite: test = 1;
    default: break;
  }
  for (int k = 0; k <= inputs; k++) {
    a.dtype[k] = k == 0 && test ? TC_BOOL : dtype;
    t[k] = test_alloc((size_t)(LENGTH * tc_dtype_size(a.dtype[k])));
    a.data[k] = TEST_ADDRESS(t[k]);
    a.stride[0][k] = 1;
    for (int64_t i = 0; i < LENGTH && k > 0; i++) {
      number x = 2 * test_random() + 2 * test_random() * I;
      if (i % 17 == 0) x = creal(x);
      else if (i % 19 == 0) x = I * cimag(x);
      if (test && i % 5 == 0) x = 0;
      if (test && inputs == 1 && i % 7 == 0) x = __builtin_complex(i % 2 ? (double)INFINITY : (double)NAN, 1.0);
      if (test && k == 2 && i % 3 == 0) x = get_number(t[1], dtype, i);
      put_number(t[k], dtype, i, x);
    }
  }
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  const double tolerance = dtype == TC_C64 ? 4e-6 : 4e-14;
  for (int64_t i = 0; i < LENGTH; i++) {
    number x[3] = {0};
    for (int k = 0; k < inputs; k++) x[k] = get_number(t[k + 1], dtype, i);
    const number want = reference(op, x[0], x[1], x[2]);
    if (test) {
      CHECK_EQ(((uint8_t *)t[0])[i], creal(want));
      continue;
    }
    const number got = get_number(t[0], dtype, i);
    // Real arguments lie on cuts, of which a zero's sign chooses the side: x - i 0 is what 1 - z may make of them.
    CHECK(cabs(got - want) <= tolerance * (1 + cabs(want)), "operator %" PRId64 " of %g%+gi, %g%+gi: %g%+gi, not %g%+gi",
          op, creal(x[0]), cimag(x[0]), creal(x[1]), cimag(x[1]), creal(got), cimag(got), creal(want), cimag(want));
  }
  for (int k = 0; k <= inputs; k++) free(t[k]);
}

static void numbers_and_strides(void) {
  // out[i] = x[2 i] * (2 - i) with x real, into a strided complex64 result.
  float x[20];
  float complex out[30];
  for (int i = 0; i < 20; i++) x[i] = (float)i;
  for (int i = 0; i < 30; i++) out[i] = 7;
  tc_pointwise_args a = {.op = TC_PW_mul, .ndim = 1, .nargs = 3, .compute = TC_C64, .shape = {10},
                         .dtype = {TC_C64, TC_F32, TC_C128}, .data = {TEST_ADDRESS(out), TEST_ADDRESS(x), 0},
                         .stride = {{3, 2, 0}}};
  a.scalar[2].f = 2, a.imaginary[2] = -1;
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  for (int i = 0; i < 30; i++) CHECK(out[i] == (i - i / 3 * 3 != 0 ? 7 : (float)(2 * (i / 3)) * __builtin_complex(2.0f, -1.0f)), "at %d", i);
  // The absolute value, straight into float32.
  float size[10];
  tc_pointwise_args b = {.op = TC_PW_abs, .ndim = 1, .nargs = 2, .compute = TC_C64, .shape = {10},
                         .dtype = {TC_F32, TC_C64}, .data = {TEST_ADDRESS(size), TEST_ADDRESS(out)}, .stride = {{1, 3}}};
  CHECK_EQ(tc_pointwise(&b), TC_OK);
  for (int i = 0; i < 10; i++) CHECK_CLOSE(size[i], 2 * i * sqrt(5), 1e-6, 0);
  const tc_pointwise_args no = {.op = TC_PW_floor, .nargs = 2, .compute = TC_C64};
  CHECK_EQ(tc_pointwise(&no), TC_UNSUPPORTED);
}

static void conversions(void) {
  enum { N = 300 };
  double *x = random_tensor(TC_F64, 2 * N, 5);
  static float complex narrow[N];
  static number wide[N];
  static int32_t whole[N];
  static uint8_t truth[N];
  x[0] = 0, x[1] = 3;
  tc_convert(narrow, TC_C64, x, TC_C128, N);
  tc_convert(whole, TC_I32, x, TC_C128, N);
  tc_convert(truth, TC_BOOL, narrow, TC_C64, N);
  tc_convert(wide, TC_C128, whole, TC_I32, N);
  for (int i = 0; i < N; i++) {
    CHECK(narrow[i] == __builtin_complex((float)x[2 * i], (float)x[2 * i + 1]), "at %d", i);
    CHECK_EQ(whole[i], (int32_t)x[2 * i]);
    CHECK_EQ(truth[i], x[2 * i] != 0);
    CHECK(wide[i] == whole[i], "at %d", i);
  }
}

static void products(void) {
  enum { OUTER = 3, LINE = 5, INNER = 4, ALL = OUTER * LINE * INNER };
  for (int cumulative = 0; cumulative < 2; cumulative++) {
    for (int64_t dtype = TC_C64; dtype <= TC_C128; dtype++) {
      void *in = test_alloc((size_t)(ALL * tc_dtype_size(dtype)));
      const int64_t results = cumulative ? ALL : OUTER * INNER;
      void *out = test_alloc((size_t)(results * tc_dtype_size(dtype)));
      for (int64_t i = 0; i < ALL; i++) put_number(in, dtype, i, test_random() + test_random() * I);
      const tc_complex_prod_args a = {dtype, cumulative, TEST_ADDRESS(in), TEST_ADDRESS(out), OUTER, LINE, INNER};
      CHECK_EQ(tc_complex_prod(&a), TC_OK);
      for (int64_t line = 0; line < OUTER * INNER; line++) {
        number want = 1;
        for (int64_t j = 0; j < LINE; j++) {
          const int64_t at = (line / INNER * LINE + j) * INNER + line % INNER;
          want *= get_number(in, dtype, at);
          if (!cumulative && j < LINE - 1) continue;
          CHECK(cabs(get_number(out, dtype, cumulative ? at : line) - want) < 1e-5, "line %" PRId64, line);
        }
      }
      free(in), free(out);
    }
  }
  const tc_complex_prod_args bad = {.dtype = TC_F32};
  CHECK_EQ(tc_complex_prod(&bad), TC_UNSUPPORTED);
}

static void expansion(void) {
  enum { BATCH = 2, ROWS = 3, COLUMNS = 4 };
  static number b[BATCH * ROWS * COLUMNS];
  static double out[BATCH * ROWS * COLUMNS * 4];
  for (int i = 0; i < BATCH * ROWS * COLUMNS; i++) b[i] = test_random() + test_random() * I;
  // The matrices lie column by column.
  const tc_complex_expand_args a = {TC_C128, BATCH, ROWS, COLUMNS, TEST_ADDRESS(b), TEST_ADDRESS(out),
                                    ROWS * COLUMNS, 1, ROWS, creal(alpha), cimag(alpha)};
  CHECK_EQ(tc_complex_expand(&a), TC_OK);
  for (int i = 0; i < BATCH; i++) {
    for (int j = 0; j < ROWS; j++) {
      for (int l = 0; l < COLUMNS; l++) {
        const number w = alpha * b[i * ROWS * COLUMNS + l * ROWS + j];
        const double *even = out + (i * ROWS + j) * 4 * COLUMNS, *odd = even + 2 * COLUMNS;
        CHECK_CLOSE(even[2 * l], creal(w), 1e-14, 1e-15);
        CHECK_CLOSE(even[2 * l + 1], cimag(w), 1e-14, 1e-15);
        CHECK_CLOSE(odd[2 * l], -cimag(w), 1e-14, 1e-15);
        CHECK_CLOSE(odd[2 * l + 1], creal(w), 1e-14, 1e-15);
      }
    }
  }
  const tc_complex_expand_args bad = {.dtype = TC_F32};
  CHECK_EQ(tc_complex_expand(&bad), TC_UNSUPPORTED);
}

int main(void) {
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    formula(ops[i].op, ops[i].inputs, TC_C64);
    formula(ops[i].op, ops[i].inputs, TC_C128);
  }
  numbers_and_strides();
  conversions();
  products();
  expansion();
  return test_end();
}
