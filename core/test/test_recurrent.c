// tc_lstm_cell and tc_lstm_cell_backward against the definition in float64.
#include "tensors.h"

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void check(int64_t dtype, int64_t rows, int64_t hidden, bool more) {
  const int64_t n = rows * hidden;
  void *sums = random_tensor(dtype, 4 * n, 4), *before = random_tensor(dtype, n, 2);
  void *gates = copy_of(sums, dtype, 4 * n), *c = tensor(dtype, n), *h = tensor(dtype, n);
  tc_lstm_cell_args a = {.dtype = dtype, .rows = rows, .hidden = hidden, .gates = TEST_ADDRESS(gates),
                         .c_prev = TEST_ADDRESS(before), .c = TEST_ADDRESS(c), .h = TEST_ADDRESS(h)};
  CHECK_EQ(tc_lstm_cell(&a), TC_OK);
  void *dh = random_tensor(dtype, n, 1), *dc = random_tensor(dtype, n, 1), *extra = random_tensor(dtype, n, 1);
  void *dc_out = copy_of(dc, dtype, n), *dgates = tensor(dtype, 4 * n);
  a.dh = TEST_ADDRESS(dh), a.dc = TEST_ADDRESS(dc_out), a.dgates = TEST_ADDRESS(dgates);
  if (more) a.dc_more = TEST_ADDRESS(extra);
  CHECK_EQ(tc_lstm_cell_backward(&a), TC_OK);
  const double rtol = tolerance(dtype, 16), atol = tolerance(dtype, 32);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t j = 0; j < hidden; j++) {
      const int64_t at = r * hidden + j, base = 4 * r * hidden + j;
      double q[4];
      for (int k = 0; k < 4; k++) {
        const double x = get(sums, dtype, base + k * hidden);
        q[k] = k == 2 ? tanh(x) : sigmoid(x);
        CHECK_CLOSE(get(gates, dtype, base + k * hidden), q[k], rtol, 0);
      }
      const double prev = get(before, dtype, at), cell = q[1] * prev + q[0] * q[2], t = tanh(cell);
      CHECK_CLOSE(get(c, dtype, at), cell, rtol, atol);
      CHECK_CLOSE(get(h, dtype, at), q[3] * t, rtol, atol);
      const double gh = get(dh, dtype, at);
      const double gc = get(dc, dtype, at) + (more ? get(extra, dtype, at) : 0) + gh * q[3] * (1 - t * t);
      const double want[4] = {gc * q[2] * q[0] * (1 - q[0]), gc * prev * q[1] * (1 - q[1]), gc * q[0] * (1 - q[2] * q[2]),
                              gh * t * q[3] * (1 - q[3])};
      for (int k = 0; k < 4; k++) CHECK_CLOSE(get(dgates, dtype, base + k * hidden), want[k], rtol, atol);
      CHECK_CLOSE(get(dc_out, dtype, at), gc * q[1], rtol, atol);
    }
  }
}

int main(void) {
  for (int d = 0; d < 2; d++) {
    const int64_t dtype = d ? TC_F64 : TC_F32;
    for (int64_t hidden = 1; hidden <= 9; hidden++) check(dtype, 3, hidden, hidden % 2);
    check(dtype, 33, 128, true);
    check(dtype, 0, 5, false);
    check(dtype, 2, 0, false);
  }
  const tc_lstm_cell_args half = {.dtype = TC_F16, .rows = 1, .hidden = 1};
  CHECK_EQ(tc_lstm_cell(&half), TC_UNSUPPORTED);
  CHECK_EQ(tc_lstm_cell_backward(&half), TC_UNSUPPORTED);
  return test_end();
}
