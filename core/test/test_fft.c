// Fourier transforms against the definition in double, for every kind, many lengths, layouts and batches.
#include "tensors.h"

static double element(const void *p, int64_t dtype, int64_t i) {
  return dtype == TC_F32 ? ((const float *)p)[i] : ((const double *)p)[i];
}
static void *plan_of(int64_t dtype, int64_t n, int64_t real) {
  tc_fft_plan_args a = {.dtype = dtype, .n = n, .real = real};
  CHECK_EQ(tc_fft_plan(&a), TC_OK);
  void *plan = test_alloc((size_t)tc_error_info[0]), *scratch = test_alloc((size_t)tc_fft_plan_scratch(&a));
  a.out = TEST_ADDRESS(plan), a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_fft_plan(&a), TC_OK);
  free(scratch);
  return plan;
}

// Batch of two dimensions (b1 outer, b0 inner); the transformed dimension lies between, outside or inside them.
static void one(int64_t dtype, int64_t kind, int64_t inverse, int64_t n, int64_t b0, int64_t b1, int order) {
  const int64_t in_unit = kind == TC_FFT_R2C ? 1 : 2, out_unit = kind == TC_FFT_C2R ? 1 : 2, half = n / 2 + 1;
  const int64_t in_n = kind == TC_FFT_C2R ? half : n, out_n = kind == TC_FFT_R2C ? half : n;
  const int64_t gap = order == 3 ? 2 : 1;  // elements apart
  tc_fft_args a = {.dtype = dtype, .kind = kind, .inverse = inverse, .n = n, .scale = 0.5, .ndim = 2, .shape = {b0, b1}};
  const int64_t sizes[2] = {out_n, in_n};
  int64_t total[2];
  for (int k = 0; k < 2; k++) {
    int64_t *along = k == 0 ? &a.out_stride : &a.in_stride;
    if (order == 1) *along = b0, a.stride[0][k] = 1, a.stride[1][k] = sizes[k] * b0;
    else if (order == 2) *along = b0 * b1, a.stride[0][k] = 1, a.stride[1][k] = b0;
    else *along = gap, a.stride[0][k] = gap * sizes[k], a.stride[1][k] = gap * sizes[k] * b0;
    total[k] = gap * sizes[k] * b0 * b1;
  }
  void *in = random_tensor(dtype, total[1] * in_unit, 1), *out = random_tensor(dtype, total[0] * out_unit, 1);
  void *plan = plan_of(dtype, n, kind != TC_FFT_C2C);
  a.in = TEST_ADDRESS(in), a.out = TEST_ADDRESS(out), a.plan = TEST_ADDRESS(plan);
  void *scratch = test_alloc((size_t)tc_fft_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_fft(&a), TC_OK);
  const double sign = inverse ? 1 : -1, tolerance = (dtype == TC_F32 ? 4e-6 : 1e-14) * sqrt((double)n);
  for (int64_t b = 0; b < b0 * b1; b++) {
    const int64_t i0 = b % b0, i1 = b / b0;
    const int64_t from = i0 * a.stride[0][1] + i1 * a.stride[1][1], to = i0 * a.stride[0][0] + i1 * a.stride[1][0];
    for (int64_t k = 0; k < out_n; k += out_n > 40 ? 7 : 1) {
      double re = 0, im = 0;
      for (int64_t j = 0; j < n; j++) {
        double x, y = 0;
        const int64_t mirrored = kind == TC_FFT_C2R && j >= half;
        const int64_t at = (from + (mirrored ? n - j : j) * a.in_stride) * in_unit;
        x = element(in, dtype, at);
        if (in_unit == 2) y = element(in, dtype, at + 1) * (mirrored ? -1 : 1);
        if (kind == TC_FFT_C2R && (j == 0 || 2 * j == n)) y = 0;
        const double angle = sign * 2 * M_PI * (double)(j * k % n) / (double)n;
        re += x * cos(angle) - y * sin(angle), im += x * sin(angle) + y * cos(angle);
      }
      const int64_t at = (to + k * a.out_stride) * out_unit;
      CHECK(fabs(element(out, dtype, at) - 0.5 * re) <= tolerance &&
                (out_unit == 1 || fabs(element(out, dtype, at + 1) - 0.5 * im) <= tolerance),
            "kind %" PRId64 " n %" PRId64 " batch %" PRId64 "x%" PRId64 " order %d: coefficient %" PRId64, kind, n, b0, b1,
            order, k);
    }
  }
  free(in), free(out), free(plan), free(scratch);
}

static void in_place(void) {
  enum { N = 96, BATCH = 5 };
  double *x = random_tensor(TC_F64, 2 * N * BATCH, 1), *y = copy_of(x, TC_F64, 2 * N * BATCH);
  void *plan = plan_of(TC_F64, N, 0);
  tc_fft_args a = {.dtype = TC_F64, .n = N, .plan = TEST_ADDRESS(plan), .scale = 1, .in = TEST_ADDRESS(x),
                   .out = TEST_ADDRESS(x), .in_stride = 1, .out_stride = 1, .ndim = 1, .shape = {BATCH},
                   .stride = {{N, N}}};
  void *scratch = test_alloc((size_t)tc_fft_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_fft(&a), TC_OK);
  a.inverse = 1, a.scale = 1.0 / N;
  CHECK_EQ(tc_fft(&a), TC_OK);
  for (int i = 0; i < 2 * N * BATCH; i++) CHECK_CLOSE(x[i], y[i], 0, 1e-14);
  tc_fft_args bad = {.dtype = TC_I32};
  CHECK_EQ(tc_fft(&bad), TC_UNSUPPORTED);
}

int main(void) {
  static const int64_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16, 30, 49, 61, 64, 67, 98, 121, 128, 134, 240};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    for (int order = 0; order < 4; order++) {
      for (int64_t kind = 0; kind < 3; kind++) {
        one(order % 2 ? TC_F32 : TC_F64, kind, (int64_t)i % 2, lengths[i], 1, 1, order);
        one(order % 2 ? TC_F64 : TC_F32, kind, order / 2, lengths[i], 3, 5, order);
      }
    }
  }
  for (int64_t kind = 0; kind < 3; kind++) {
    one(TC_F32, kind, 0, 1200, 2, 1, 0);
    one(TC_F64, kind, 1, 1009, 1, 1, 0);   // a large prime
    one(TC_F32, kind, 1, 17408, 1, 2, 1);  // too long for lanes
  }
  in_place();
  return test_end();
}
