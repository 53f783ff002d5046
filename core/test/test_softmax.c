// tc_softmax and tc_softmax_backward against the definition in float64.
#include "tensors.h"

typedef struct { int64_t dtype, outer, n, inner; } shape;

static int64_t at(shape s, int64_t o, int64_t k, int64_t i) { return (o * s.n + k) * s.inner + i; }

static void check_forward(shape s, bool log_form, bool in_place, const void *in) {
  const int64_t count = s.outer * s.n * s.inner;
  void *x = copy_of(in, s.dtype, count), *y = in_place ? x : tensor(s.dtype, count);
  const tc_softmax_args a = {log_form, s.dtype, TEST_ADDRESS(x), TEST_ADDRESS(y), s.outer, s.n, s.inner};
  CHECK_EQ(tc_softmax(&a), TC_OK);
  for (int64_t o = 0; o < s.outer; o++) {
    for (int64_t i = 0; i < s.inner; i++) {
      double max = -INFINITY;
      long double sum = 0;  // more exact than what is tested
      for (int64_t k = 0; k < s.n; k++) max = fmax(max, get(in, s.dtype, at(s, o, k, i)));
      for (int64_t k = 0; k < s.n; k++) sum += expl(get(in, s.dtype, at(s, o, k, i)) - max);
      for (int64_t k = 0; k < s.n; k++) {
        const double d = get(in, s.dtype, at(s, o, k, i)) - max;
        // x - max is rounded, and its absolute error is the exponential's relative one.
        const double rtol = tolerance(s.dtype, 8 + fabs(d));
        CHECK_CLOSE(get(y, s.dtype, at(s, o, k, i)), log_form ? d - (double)logl(sum) : exp(d) / (double)sum, rtol,
                    log_form ? rtol : s.dtype == TC_F16 ? 0x1p-24 : 0);
      }
    }
  }
}

static void check_backward(shape s, bool log_form) {
  const int64_t count = s.outer * s.n * s.inner;
  void *y = random_tensor(s.dtype, count, 1), *g = random_tensor(s.dtype, count, 1), *out = tensor(s.dtype, count);
  const tc_softmax_backward_args a = {log_form, s.dtype, TEST_ADDRESS(g), TEST_ADDRESS(y), TEST_ADDRESS(out),
                                      s.outer, s.n, s.inner};
  CHECK_EQ(tc_softmax_backward(&a), TC_OK);
  for (int64_t o = 0; o < s.outer; o++) {
    for (int64_t i = 0; i < s.inner; i++) {
      double sum = 0, size = 1;
      for (int64_t k = 0; k < s.n; k++) {
        const double gk = get(g, s.dtype, at(s, o, k, i)), term = log_form ? gk : gk * get(y, s.dtype, at(s, o, k, i));
        sum += term;
        size += fabs(term);
      }
      for (int64_t k = 0; k < s.n; k++) {
        const double gk = get(g, s.dtype, at(s, o, k, i)), yk = get(y, s.dtype, at(s, o, k, i));
        const double exact = log_form ? gk - exp(yk) * sum : yk * (gk - sum);
        CHECK_CLOSE(get(out, s.dtype, at(s, o, k, i)), exact, tolerance(s.dtype, 8), tolerance(s.dtype, 4) * size);
      }
    }
  }
}

// Lines of -inf, and lines with NaN or inf in them, are NaN from end to end; -inf beside numbers is a 0.
static void check_extremes(int64_t dtype, int64_t inner) {
  const shape s = {dtype, 1, 37, inner};
  const double special[3] = {-INFINITY, NAN, INFINITY};
  for (int c = 0; c < 3; c++) {
    void *x = random_tensor(dtype, s.n * inner, 1), *y = tensor(dtype, s.n * inner);
    for (int64_t k = 0; k < (c == 0 ? s.n : 1); k++) put(x, dtype, at(s, 0, k, 0), special[c]);
    for (int log_form = 0; log_form < 2; log_form++) {
      const tc_softmax_args a = {log_form, dtype, TEST_ADDRESS(x), TEST_ADDRESS(y), 1, s.n, inner};
      CHECK_EQ(tc_softmax(&a), TC_OK);
      for (int64_t k = 0; k < s.n; k++) {
        const double v = get(y, dtype, at(s, 0, k, 0));
        CHECK(c == 2 && log_form && k > 0 ? v != v || v == -INFINITY : v != v, "inner %d, case %d", (int)inner, c);
        if (inner > 1) CHECK(isfinite(get(y, dtype, at(s, 0, k, 1))));
      }
    }
  }
  void *x = random_tensor(dtype, s.n * inner, 1), *y = tensor(dtype, s.n * inner);
  put(x, dtype, at(s, 0, 5, 0), -INFINITY);
  const tc_softmax_args a = {0, dtype, TEST_ADDRESS(x), TEST_ADDRESS(y), 1, s.n, inner};
  CHECK_EQ(tc_softmax(&a), TC_OK);
  CHECK(get(y, dtype, at(s, 0, 5, 0)) == 0 && get(y, dtype, at(s, 0, 6, 0)) > 0);
}

int main(void) {
  const int64_t lengths[] = {1, 2, 3, 4, 7, 10, 33, 1100}, inners[] = {1, 2, 5, 16, 257, 600};
  for (int d = 0; d < 4; d++) {
    for (size_t l = 0; l < sizeof lengths / 8; l++) {
      for (size_t i = 0; i < sizeof inners / 8; i++) {
        if (lengths[l] * inners[i] > 40000) continue;
        const shape s = {test_floats[d], pick(1, 3), lengths[l], inners[i]};
        const void *in = random_tensor(s.dtype, s.outer * s.n * s.inner, 9);
        for (int log_form = 0; log_form < 2; log_form++) {
          check_forward(s, log_form, false, in);
          check_forward(s, log_form, true, in);
          check_backward(s, log_form);
        }
      }
    }
    check_extremes(test_floats[d], 1);
    check_extremes(test_floats[d], 3);
    const void *nothing = tensor(TC_F64, 0);
    check_forward((shape){test_floats[d], 0, 3, 1}, false, false, nothing);
    check_forward((shape){test_floats[d], 2, 0, 1}, true, false, nothing);
    check_forward((shape){test_floats[d], 2, 3, 0}, true, false, nothing);
  }
  const tc_softmax_args a = {.dtype = TC_I32, .outer = 1, .n = 1, .inner = 1};
  CHECK_EQ(tc_softmax(&a), TC_UNSUPPORTED);
  CHECK_EQ(tc_error_info[0], TC_I32);
  return test_end();
}
