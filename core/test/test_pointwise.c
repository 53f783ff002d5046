// Elementwise operators: every formula against its reference, then the walk over operands (shapes, strides, dtypes,
// numbers, results in place of inputs) with a few formulas, against plain loops.
#include "../pointwise.h"
#include "pointwise_reference.h"
#include "tensors.h"

typedef enum { UNARY, BINARY, TERNARY, TEST, COMPARE, DIVIDE } op_class;
typedef enum { FLOAT, INT, ALL } op_types;

static const struct {
  const char *name;
  op_class class;
  op_types types;
} ops[TC_PW_COUNT] = {
#define UNARY(name, types, cost, ...) {#name, UNARY, types},
#define BINARY(name, types, cost, ...) {#name, BINARY, types},
#define TERNARY(name, types, cost, ...) {#name, TERNARY, types},
#define TEST(name, types, cost, ...) {#name, TEST, types},
#define COMPARE(name, types, cost, ...) {#name, COMPARE, types},
#define DIVIDE(name, types, cost, ...) {#name, DIVIDE, types},
#include "../pointwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef TEST
#undef COMPARE
#undef DIVIDE
};

static int64_t inputs_of(int64_t op) {
  op_class c = ops[op].class;
  return c == TERNARY ? 3 : c == UNARY || c == TEST ? 1 : 2;
}
static bool is_test(int64_t op) { return ops[op].class == TEST || ops[op].class == COMPARE; }

// Those have a test of their own, test_special.c.
static bool is_special(int64_t op) { return op >= TC_PW_lgamma && op <= TC_PW_legendre_polynomial_p; }

static const double specials[] = {INFINITY, -INFINITY, NAN, 0.0, -0.0, 1, -1, 0.5, -0.5, 3, -3, 2.5, 1e-30, 6, 100, 20.5};
enum { SPECIALS = sizeof specials / sizeof specials[0], LENGTH = 203 };

// Operators whose reference does not say (or only approximately says) what infinities give.
static bool skips_infinities(int64_t op) {
  switch (op) {
    case TC_PW_lerp: case TC_PW_logit: case TC_PW_logit_backward: case TC_PW_silu_backward: case TC_PW_mish_backward:
    case TC_PW_gelu: case TC_PW_gelu_backward: case TC_PW_gelu_tanh: case TC_PW_gelu_tanh_backward: case TC_PW_silu:
    case TC_PW_mish: case TC_PW_elu: case TC_PW_elu_backward: case TC_PW_elu_backward_result: case TC_PW_frac:
    case TC_PW_ldexp: case TC_PW_sinc: case TC_PW_hardswish: case TC_PW_div_floor: case TC_PW_fmax: case TC_PW_fmin:
    case TC_PW_softplus_backward: case TC_PW_l1_loss_backward: case TC_PW_smooth_l1_loss: case TC_PW_huber_loss:
    case TC_PW_smooth_l1_loss_backward: case TC_PW_huber_loss_backward: case TC_PW_soft_margin_loss:
    case TC_PW_soft_margin_loss_backward: case TC_PW_binary_cross_entropy: case TC_PW_binary_cross_entropy_backward:
    case TC_PW_bce_with_logits: case TC_PW_bce_with_logits_backward: case TC_PW_bce_with_logits_weighted:
    case TC_PW_bce_with_logits_weighted_slope: case TC_PW_kl_div: case TC_PW_kl_div_log_target: case TC_PW_round_decimals:
    case TC_PW_prelu: case TC_PW_leaky_relu: case TC_PW_hardshrink: case TC_PW_softshrink: case TC_PW_log_sigmoid:
      return true;
    default: return false;
  }
}

// What the formula has to expect: 0 < p0 < 1 for the eps of logit, p0 < p1 for bounds.
static void set_params(int64_t op, double *p) {
  p[0] = 2, p[1] = 3, p[2] = 0.5, p[3] = 0;
  if (op == TC_PW_logit || op == TC_PW_logit_backward) p[0] = 0.125;
  if (op == TC_PW_hardshrink || op == TC_PW_softshrink || op == TC_PW_shrink_backward) p[0] = 0.5;
  if (op == TC_PW_round_decimals || op == TC_PW_round_tens) p[0] = 10;
}

static void reals_of(int64_t op, int64_t dtype) {
  const int64_t inputs = inputs_of(op), out_dtype = is_test(op) ? TC_BOOL : dtype;
  tc_pointwise_args a = {.op = op, .ndim = 1, .nargs = inputs + 1, .compute = dtype, .shape = {LENGTH}};
  set_params(op, a.param);
  void *t[4] = {tensor(out_dtype, LENGTH)};
  a.dtype[0] = out_dtype;
  a.data[0] = TEST_ADDRESS(t[0]);
  a.stride[0][0] = 1;
  for (int64_t k = 1; k <= inputs; k++) {
    t[k] = random_tensor(dtype, LENGTH, 6);
    // Every pair of special values meets.
    for (int64_t i = 0; i < SPECIALS * SPECIALS && i < LENGTH; i++) {
      const double s = specials[k == 2 ? i / SPECIALS : i % SPECIALS];
      if (!isfinite(s) && skips_infinities(op)) continue;
      if (i < 160) put(t[k], dtype, i, s);
    }
    a.dtype[k] = dtype;
    a.data[k] = TEST_ADDRESS(t[k]);
    a.stride[0][k] = 1;
  }
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  const double rtol = tolerance(dtype, 24), atol = tolerance(dtype, 8);
  for (int64_t i = 0; i < LENGTH; i++) {
    double x[3] = {0};
    for (int64_t k = 0; k < inputs; k++) x[k] = get(t[k + 1], dtype, i);
    double want = reals[op](x[0], x[1], x[2], a.param);
    const double got = get(t[0], out_dtype, i);
    if (op == TC_PW_erfinv) {
      // By its definition, where erf is not flat.
      want = fabs(x[0]) < 0.999 ? got : x[0] == 1 ? INFINITY : x[0] == -1 ? -INFINITY : NAN;
      if (fabs(x[0]) < 0.999) CHECK(test_close(erf(got), x[0], rtol, atol), "erfinv of %g", x[0]);
    }
    if (op == TC_PW_nextafter) want = dtype == TC_F32 ? nextafterf((float)x[0], (float)x[1]) : nextafter(x[0], x[1]);
    if (dtype == TC_F32 && fabs(want) > 3.4e38 && isinf(got)) want = copysign(INFINITY, want);
    // The sum of terms of the size of the inputs may cancel.
    const double scale = 1 + (isfinite(x[0] * x[1]) ? fabs(x[0] * x[1]) : 0);
    CHECK(test_close(got, want, rtol, atol * scale), "%s(%g, %g, %g) of dtype %" PRId64 ": expected %.9g, but got %.9g",
          ops[op].name, x[0], x[1], x[2], dtype, want, got);
    if (want == 0 && op != TC_PW_clamp && !is_test(op) && (op == TC_PW_neg || op == TC_PW_round || op == TC_PW_sin)) {
      CHECK_EQ(signbit(got), signbit(want));
    }
  }
}

static int64_t integer_at(const void *t, int64_t dtype, int64_t i) {
  return dtype == TC_I32 ? ((const int32_t *)t)[i] : dtype == TC_I64 ? ((const int64_t *)t)[i] : ((const uint8_t *)t)[i];
}

static void wholes_of(int64_t op, int64_t dtype) {
  const int64_t inputs = inputs_of(op), out_dtype = is_test(op) ? TC_BOOL : dtype;
  tc_pointwise_args a = {.op = op, .ndim = 1, .nargs = inputs + 1, .compute = dtype, .shape = {LENGTH}};
  set_params(op, a.param);
  a.param[3] = NAN;  // a parameter that is not used may hold anything
  void *t[4] = {tensor(out_dtype, LENGTH)};
  a.dtype[0] = out_dtype;
  a.data[0] = TEST_ADDRESS(t[0]);
  a.stride[0][0] = 1;
  for (int64_t k = 1; k <= inputs; k++) {
    t[k] = tensor(dtype, LENGTH);
    for (int64_t i = 0; i < LENGTH; i++) {
      int64_t x = pick(-12, 12);
      if (ops[op].class == DIVIDE && k == 2 && x == 0) x = 5;
      if (op == TC_PW_bitwise_left_shift || op == TC_PW_bitwise_right_shift) x = k == 2 ? llabs(x) : x;
      put(t[k], dtype, i, (double)x);
    }
    a.dtype[k] = dtype;
    a.data[k] = TEST_ADDRESS(t[k]);
    a.stride[0][k] = 1;
  }
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  for (int64_t i = 0; i < LENGTH; i++) {
    int64_t x[3] = {0};
    for (int64_t k = 0; k < inputs; k++) x[k] = integer_at(t[k + 1], dtype, i);
    int64_t want = wholes[op](x[0], x[1], x[2], a.param);
    if (dtype == TC_I32) want = (int32_t)(uint32_t)want;
    CHECK(integer_at(t[0], out_dtype, i) == want, "%s(%" PRId64 ", %" PRId64 ", %" PRId64 "): expected %" PRId64
          ", but got %" PRId64, ops[op].name, x[0], x[1], x[2], want, integer_at(t[0], out_dtype, i));
  }
}

static void formulas(void) {
  for (int64_t op = 0; op < TC_PW_COUNT; op++) {
    for (int round = 0; round < 2; round++) {
      if (is_special(op)) continue;
      const int64_t real = round ? TC_F64 : TC_F32, whole = round ? TC_I64 : TC_I32;
      if (ops[op].types != INT) {
        CHECK(reals[op] != 0, "%s has no reference", ops[op].name);
        reals_of(op, real);
      }
      if (ops[op].types != FLOAT) {
        CHECK(wholes[op] != 0, "%s has no reference", ops[op].name);
        wholes_of(op, whole);
      } else {
        const tc_pointwise_args a = {.op = op, .nargs = 2, .compute = whole};
        CHECK_EQ(tc_pointwise(&a), TC_UNSUPPORTED);
        CHECK_EQ(tc_error_info[0], whole);
        CHECK_EQ(tc_error_info[1], op);
      }
    }
  }
}

static int64_t compute_of(int64_t dtype) {
  switch (dtype) {
    case TC_F64: case TC_I64: return dtype;
    case TC_F32: case TC_F16: case TC_BF16: return TC_F32;
    default: return TC_I32;
  }
}

// A tensor of a random layout over `shape`: dimensions in any order, gaps, reversed, broadcast (if it may be).
typedef struct {
  int64_t dtype, elements, first;
  int64_t stride[6];
  void *data;
} layout;

static layout random_layout(const int64_t *shape, int64_t ndim, int64_t dtype, bool broadcast, bool plain) {
  layout l = {.dtype = dtype, .elements = 1};
  int64_t order[6];
  for (int64_t d = 0; d < ndim; d++) order[d] = d;
  for (int64_t d = ndim - 1; d > 0 && !plain && pick(0, 1); d--) {
    const int64_t other = pick(0, d), kept = order[d];
    order[d] = order[other], order[other] = kept;
  }
  for (int64_t i = 0; i < ndim; i++) {
    const int64_t d = order[i];
    if (broadcast && !plain && pick(0, 4) == 0) {
      l.stride[d] = 0;
      continue;
    }
    l.stride[d] = l.elements;
    l.elements *= shape[d];
    if (!plain && pick(0, 7) == 0) l.elements += pick(1, 3) * l.stride[d];  // a gap
    if (!plain && pick(0, 7) == 0 && shape[d] > 0) {
      l.first += (shape[d] - 1) * l.stride[d];
      l.stride[d] = -l.stride[d];
    }
  }
  l.data = random_tensor(dtype, l.elements, 6);
  return l;
}

static int64_t offset_of(const layout *l, const int64_t *shape, int64_t ndim, int64_t i) {
  int64_t at = l->first;
  for (int64_t d = 0; d < ndim; d++, i /= shape[d - 1]) at += i % shape[d] * l->stride[d];
  return at;
}

static void give(tc_pointwise_args *a, int64_t k, const layout *l) {
  a->dtype[k] = l->dtype;
  a->data[k] = TEST_ADDRESS((char *)l->data + l->first * tc_dtype_size(l->dtype));
  for (int64_t d = 0; d < a->ndim; d++) a->stride[d][k] = l->stride[d];
}

static void one_walk(void) {
  static const int64_t walkers[] = {TC_PW_copy, TC_PW_add, TC_PW_mul, TC_PW_where, TC_PW_lt, TC_PW_eq,
                                    TC_PW_logical_not, TC_PW_maximum, TC_PW_clamp, TC_PW_addcmul, TC_PW_neg};
  const int64_t op = walkers[pick(0, sizeof walkers / sizeof walkers[0] - 1)], inputs = inputs_of(op);
  static const int64_t sizes[] = {1, 2, 3, 4, 5, 8, 13, 31, 64, 70, 130, 600};
  tc_pointwise_args a = {.op = op, .ndim = pick(0, 5), .nargs = inputs + 1, .param = {2}};
  int64_t total = 1;
  for (int64_t d = 0; d < a.ndim; d++) {
    a.shape[d] = pick(0, 40) == 0 ? 0 : sizes[pick(0, 11)];
    if (total * a.shape[d] > 1500) a.shape[d] = 1;
    total *= a.shape[d];
  }
  const bool plain = pick(0, 3) == 0;
  const int64_t dtype = test_reals[pick(0, 9)];
  a.compute = compute_of(dtype);
  layout l[4];
  double number[4] = {0};
  for (int64_t k = 1; k <= inputs; k++) {
    // A narrower integer among wider ones, a bool condition: as type promotion would have it.
    int64_t mine = dtype;
    if (pick(0, 3) == 0 && !is_float(dtype) && dtype != TC_BOOL && dtype != TC_U8) mine = TC_I8;
    if (pick(0, 3) == 0) mine = TC_BOOL;
    l[k] = random_layout(a.shape, a.ndim, mine, true, plain);
    give(&a, k, &l[k]);
    if (k > 1 && pick(0, 4) == 0) {
      a.data[k] = 0;
      a.dtype[k] = is_float(dtype) ? TC_F64 : TC_I64;
      number[k] = is_float(dtype) ? 2.5 : 2;
      if (is_float(dtype)) a.scalar[k].f = 2.5;
      else a.scalar[k].i = 2;
    }
  }
  const int64_t out_dtype = is_test(op) ? (pick(0, 2) ? TC_BOOL : dtype) : dtype;
  l[0] = random_layout(a.shape, a.ndim, out_dtype, false, plain);
  void *before[4];
  for (int64_t k = 1; k <= inputs; k++) before[k] = copy_of(l[k].data, l[k].dtype, l[k].elements);
  // In place of the first input, if that is of the result's kind.
  bool repeated = false;
  for (int64_t d = 0; d < a.ndim; d++) repeated |= l[1].stride[d] == 0 && a.shape[d] > 1;
  if (!repeated && l[1].dtype == out_dtype && pick(0, 2) == 0) l[0] = l[1];
  give(&a, 0, &l[0]);
  void *untouched = copy_of(l[0].data, l[0].dtype, l[0].elements);
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  for (int64_t i = 0; i < total; i++) {
    double x[3] = {0};
    for (int64_t k = 1; k <= inputs; k++) {
      x[k - 1] = a.data[k] == 0 ? number[k] : get(before[k], l[k].dtype, offset_of(&l[k], a.shape, a.ndim, i));
    }
    double want = reals[op](x[0], x[1], x[2], a.param);
    // Through the result's dtype, so that integers wrap and halves round.
    if (is_float(dtype)) want = dtype == TC_F64 ? want : (float)want;
    else want = (double)(int64_t)want;
    uint8_t slot[8];
    put(slot, out_dtype, 0, want);
    want = get(slot, out_dtype, 0);
    const int64_t at = offset_of(&l[0], a.shape, a.ndim, i);
    const double got = get(l[0].data, out_dtype, at);
    CHECK(test_close(got, want, is_float(out_dtype) ? tolerance(out_dtype, 2) : 0, 1e-6),
          "%s at %" PRId64 " of %" PRId64 ", dtype %" PRId64 ": expected %g, but got %g", ops[op].name, i, total,
          dtype, want, got);
    put(untouched, out_dtype, at, got);
  }
  // Nothing between the result's elements has changed.
  CHECK(memcmp(untouched, l[0].data, (size_t)(l[0].elements * tc_dtype_size(out_dtype))) == 0, "%s", ops[op].name);
}

static void large(void) {
  // Enough for every thread, with a row broadcast and a transposed operand.
  enum { ROWS = 301, COLUMNS = 703 };
  float *x = random_tensor(TC_F32, ROWS * COLUMNS, 1), *row = random_tensor(TC_F32, COLUMNS, 1);
  float *y = random_tensor(TC_F32, ROWS * COLUMNS, 1), *out = tensor(TC_F32, ROWS * COLUMNS);
  tc_pointwise_args a = {.op = TC_PW_clamp, .ndim = 2, .nargs = 4, .compute = TC_F32, .shape = {COLUMNS, ROWS},
                         .dtype = {TC_F32, TC_F32, TC_F32, TC_F32},
                         .data = {TEST_ADDRESS(out), TEST_ADDRESS(x), TEST_ADDRESS(row), TEST_ADDRESS(y)},
                         .stride = {{1, 1, 1, ROWS}, {COLUMNS, COLUMNS, 0, 1}}};
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  int64_t wrong = 0;
  for (int64_t r = 0; r < ROWS; r++) {
    for (int64_t c = 0; c < COLUMNS; c++) {
      const float high = fmaxf(x[r * COLUMNS + c], row[c]), bound = y[c * ROWS + r];
      wrong += out[r * COLUMNS + c] != (high < bound ? high : bound);
    }
  }
  CHECK_EQ(wrong, 0);
}

static void zero_divisors(void) {
  static const int64_t divisions[] = {TC_PW_div_trunc, TC_PW_div_floor, TC_PW_remainder, TC_PW_fmod};
  for (int64_t n = 1; n <= 70000; n = n * 40 + 2) {
    for (int64_t d = 0; d < 4; d++) {
      for (int kind = 0; kind < 3; kind++) {
        const int64_t dtype = kind == 0 ? TC_I32 : kind == 1 ? TC_I64 : TC_I8;
        void *x = random_tensor(dtype, n, 0), *y = tensor(dtype, n), *out = tensor(dtype, n);
        for (int64_t i = 0; i < n; i++) put(y, dtype, i, i % 3 == 0 ? -7 : 3);
        tc_pointwise_args a = {.op = divisions[d], .ndim = 1, .nargs = 3, .compute = compute_of(dtype), .shape = {n},
                               .dtype = {dtype, dtype, dtype},
                               .data = {TEST_ADDRESS(out), TEST_ADDRESS(x), TEST_ADDRESS(y)}, .stride = {{1, 1, 1}}};
        CHECK_EQ(tc_pointwise(&a), TC_OK);
        put(y, dtype, n - 1, 0);
        put(y, dtype, n / 2, 0);
        CHECK_EQ(tc_pointwise(&a), TC_BAD_VALUE);
        CHECK_EQ(tc_error_info[0], 1);
        CHECK_EQ(tc_error_info[1], n / 2);
        free(x), free(y), free(out);
      }
    }
  }
  // The quotient that does not fit wraps.
  int64_t least = INT64_MIN, minus = -1, out = 0;
  tc_pointwise_args a = {.op = TC_PW_div_floor, .nargs = 3, .compute = TC_I64, .dtype = {TC_I64, TC_I64, TC_I64},
                         .data = {TEST_ADDRESS(&out), TEST_ADDRESS(&least), TEST_ADDRESS(&minus)}};
  CHECK_EQ(tc_pointwise(&a), TC_OK);
  CHECK_EQ(out, INT64_MIN);
}

int main(void) {
  formulas();
  for (int i = 0; i < 1500; i++) one_walk();
  large();
  zero_divisors();
  return test_end();
}
