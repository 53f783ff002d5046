// The normalisation kernels against formulas in double.
#include "../numbers.h"
#include "../rt.h"
#include "harness.h"

static int64_t pick(int64_t low, int64_t high) {
  return low + (int64_t)(test_random_bits() % (uint64_t)(high - low + 1));
}

typedef struct {
  void *data;
  int64_t dtype, n;
} tensor;

static tensor empty(int64_t dtype, int64_t n) {
  return (tensor){test_alloc((size_t)(n * tc_dtype_size(dtype))), dtype, n};
}

static tensor filled(int64_t dtype, int64_t n, double shift, double range) {
  tensor t = empty(dtype, n);
  for (int64_t i = 0; i < n; i++) tc_put_number(t.data, dtype, i, shift + range * test_random());
  return t;
}

static double at(tensor t, int64_t i) { return tc_number_at(t.data, t.dtype, i); }

#define ADDRESS(t) TEST_ADDRESS((t).data)

static double tolerance(int64_t dtype) {
  return dtype == TC_F64 ? 1e-13 : dtype == TC_F32 ? 1e-6 : dtype == TC_F16 ? 1e-3 : 8e-3;
}

static void close_to(const char *what, tensor t, int64_t i, double want, double scale) {
  const double got = at(t, i);
  CHECK(fabs(got - want) <= tolerance(t.dtype) * (fabs(want) + scale), "%s[%d]: expected %.9g, but got %.9g (dtype %d)",
        what, (int)i, want, got, (int)t.dtype);
}

// A dtype, and one for its parameters.
static void pick_dtypes(int64_t *dtype, int64_t *param) {
  static const int64_t pairs[][2] = {{TC_F32, TC_F32}, {TC_F32, TC_F32}, {TC_F64, TC_F64}, {TC_F16, TC_F16},
                                     {TC_F16, TC_F32}, {TC_BF16, TC_BF16}, {TC_BF16, TC_F32}};
  const int64_t *pair = pairs[pick(0, 6)];
  *dtype = pair[0], *param = pair[1];
}

static int64_t statistics_dtype(int64_t dtype) { return dtype == TC_F64 ? TC_F64 : TC_F32; }

// The gradient of (x - mean) * invstd over `count` numbers given the weighted gradient g; `index` lists their places.
typedef struct {
  double mean, var, sum, product;  // of x; of g, and of g * (x - mean)
} group_sums;

static void batch_case(int64_t batch, int64_t channels, int64_t spatial, bool training, double shift) {
  int64_t dtype, param;
  pick_dtypes(&dtype, &param);
  const bool affine = pick(0, 3) != 0, track = !training || pick(0, 3) != 0;
  const int64_t n = batch * channels * spatial, stats = statistics_dtype(dtype);
  if (dtype == TC_F16 || dtype == TC_BF16) shift = 0;
  tensor x = filled(dtype, n, shift, 1), y = empty(dtype, n), dy = filled(dtype, n, 0.25, 1), dx = empty(dtype, n);
  tensor w = filled(param, channels, 1, 0.5), b = filled(param, channels, 0, 1);
  tensor rm = filled(param, channels, shift, 1), rv = filled(param, channels, 2, 1);
  tensor old_rm = empty(param, channels), old_rv = empty(param, channels);
  memcpy(old_rm.data, rm.data, (size_t)(channels * tc_dtype_size(param)));
  memcpy(old_rv.data, rv.data, (size_t)(channels * tc_dtype_size(param)));
  tensor sm = empty(stats, channels), si = empty(stats, channels), dw = empty(param, channels), db = empty(param, channels);
  tc_batch_norm_args a = {.dtype = dtype, .param_dtype = param, .batch = batch, .channels = channels, .spatial = spatial,
                          .training = training, .eps = 1e-5, .momentum = 0.3, .x = ADDRESS(x), .y = ADDRESS(y),
                          .weight = affine ? ADDRESS(w) : 0, .bias = affine ? ADDRESS(b) : 0,
                          .running_mean = track ? ADDRESS(rm) : 0, .running_var = track ? ADDRESS(rv) : 0,
                          .save_mean = training ? ADDRESS(sm) : 0, .save_invstd = training ? ADDRESS(si) : 0};
  void *scratch = test_alloc((size_t)tc_batch_norm_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_batch_norm(&a), TC_OK);
  free(scratch);
  a.dy = ADDRESS(dy), a.dx = ADDRESS(dx);
  a.dweight = ADDRESS(dw), a.dbias = ADDRESS(db);
  scratch = test_alloc((size_t)tc_batch_norm_backward_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_batch_norm_backward(&a), TC_OK);
  free(scratch);
  const double count = (double)(batch * spatial);
  for (int64_t c = 0; c < channels; c++) {
    group_sums s = {0};
#define EACH for (int64_t z = 0; z < batch; z++) for (int64_t p = 0, i = (z * channels + c) * spatial; p < spatial; p++, i++)
    EACH s.mean += at(x, i) / count;
    EACH s.var += (at(x, i) - s.mean) * (at(x, i) - s.mean) / count;
    if (!training) s.mean = at(old_rm, c), s.var = at(old_rv, c);
    EACH s.sum += at(dy, i), s.product += at(dy, i) * (at(x, i) - s.mean);
    const double invstd = 1 / sqrt(s.var + 1e-5), weight = affine ? at(w, c) : 1, bias = affine ? at(b, c) : 0;
    // What x was rounded to at its distance from zero shows in everything.
    const double rounding = 1 + (0.5 + fabs(shift)) * invstd;
    EACH {
      const double d = at(x, i) - s.mean;
      close_to("y", y, i, d * invstd * weight + bias, 2 * rounding);
      double g = at(dy, i);
      if (training) g -= s.sum / count + d * invstd * invstd * s.product / count;
      close_to("dx", dx, i, g * invstd * weight, (2 + fabs(shift)) * invstd * 4);
    }
    close_to("dweight", dw, c, s.product * invstd, sqrt(count) * rounding * 2 + count * (fabs(shift) > 0) * rounding);
    close_to("dbias", db, c, s.sum, sqrt(count) * 4);
    if (training) {
      close_to("save_mean", sm, c, s.mean, 1);
      close_to("save_invstd", si, c, invstd, 0);
    }
    if (training && track) {
      close_to("running_mean", rm, c, 0.3 * s.mean + 0.7 * at(old_rm, c), 1);
      if (count > 1) close_to("running_var", rv, c, 0.3 * s.var * count / (count - 1) + 0.7 * at(old_rv, c), 1);
    }
  }
#undef EACH
  const tensor all[] = {x, y, dy, dx, w, b, rm, rv, old_rm, old_rv, sm, si, dw, db};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i].data);
}

static void layer_case(int64_t rows, int64_t cols, double shift) {
  int64_t dtype, param;
  pick_dtypes(&dtype, &param);
  const bool weighted = pick(0, 3) != 0, biased = pick(0, 3) != 0;
  const int64_t n = rows * cols, stats = statistics_dtype(dtype);
  if (dtype == TC_F16 || dtype == TC_BF16) shift = 0;
  tensor x = filled(dtype, n, shift, 1), y = empty(dtype, n), dy = filled(dtype, n, 0.25, 1), dx = empty(dtype, n);
  tensor w = filled(param, cols, 1, 0.5), b = filled(param, cols, 0, 1), dw = empty(param, cols), db = empty(param, cols);
  tensor mean = empty(stats, rows), rstd = empty(stats, rows);
  tc_layer_norm_args a = {.dtype = dtype, .param_dtype = param, .rows = rows, .cols = cols, .eps = 1e-5,
                          .x = ADDRESS(x), .y = ADDRESS(y), .weight = weighted ? ADDRESS(w) : 0,
                          .bias = biased ? ADDRESS(b) : 0, .mean = ADDRESS(mean), .rstd = ADDRESS(rstd)};
  CHECK_EQ(tc_layer_norm(&a), TC_OK);
  a.dy = ADDRESS(dy), a.dx = ADDRESS(dx), a.dweight = ADDRESS(dw), a.dbias = ADDRESS(db);
  void *scratch = test_alloc((size_t)tc_layer_norm_backward_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_layer_norm_backward(&a), TC_OK);
  free(scratch);
  double *want_w = calloc((size_t)cols + 1, 8), *want_b = calloc((size_t)cols + 1, 8);
  for (int64_t r = 0; r < rows; r++) {
    group_sums s = {0};
    for (int64_t i = 0; i < cols; i++) s.mean += at(x, r * cols + i) / (double)cols;
    for (int64_t i = 0; i < cols; i++) s.var += pow(at(x, r * cols + i) - s.mean, 2) / (double)cols;
    const double invstd = 1 / sqrt(s.var + 1e-5), rounding = 1 + (0.5 + fabs(shift)) * invstd;
    close_to("mean", mean, r, s.mean, 1);
    close_to("rstd", rstd, r, invstd, 0);
    for (int64_t i = 0; i < cols; i++) {
      const double g = at(dy, r * cols + i) * (weighted ? at(w, i) : 1), d = (at(x, r * cols + i) - s.mean) * invstd;
      s.sum += g, s.product += g * d;
      want_w[i] += at(dy, r * cols + i) * d, want_b[i] += at(dy, r * cols + i);
    }
    for (int64_t i = 0; i < cols; i++) {
      const double d = (at(x, r * cols + i) - s.mean) * invstd, weight = weighted ? at(w, i) : 1;
      close_to("y", y, r * cols + i, d * weight + (biased ? at(b, i) : 0), 2 * rounding);
      const double g = at(dy, r * cols + i) * weight - s.sum / (double)cols - d * s.product / (double)cols;
      close_to("dx", dx, r * cols + i, g * invstd, 8 * invstd * rounding);
    }
  }
  for (int64_t i = 0; i < cols; i++) {
    close_to("dweight", dw, i, want_w[i], sqrt((double)rows) * (1 + 4 * fabs(shift)) + (double)rows * fabs(shift));
    close_to("dbias", db, i, want_b[i], sqrt((double)rows) * 2);
  }
  const tensor all[] = {x, y, dy, dx, w, b, dw, db, mean, rstd};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i].data);
  free(want_w), free(want_b);
}

static void group_case(int64_t batch, int64_t groups, int64_t members, int64_t spatial) {
  int64_t dtype, param;
  pick_dtypes(&dtype, &param);
  const bool affine = pick(0, 3) != 0;
  const int64_t channels = groups * members, n = batch * channels * spatial, stats = statistics_dtype(dtype);
  tensor x = filled(dtype, n, 0.5, 1), y = empty(dtype, n), dy = filled(dtype, n, 0.25, 1), dx = empty(dtype, n);
  tensor w = filled(param, channels, 1, 0.5), b = filled(param, channels, 0, 1);
  tensor dw = empty(param, channels), db = empty(param, channels);
  tensor mean = empty(stats, batch * groups), rstd = empty(stats, batch * groups);
  tc_group_norm_args a = {.dtype = dtype, .param_dtype = param, .batch = batch, .channels = channels,
                          .spatial = spatial, .groups = groups, .eps = 1e-5, .x = ADDRESS(x), .y = ADDRESS(y),
                          .weight = affine ? ADDRESS(w) : 0, .bias = affine ? ADDRESS(b) : 0, .mean = ADDRESS(mean),
                          .rstd = ADDRESS(rstd)};
  CHECK_EQ(tc_group_norm(&a), TC_OK);
  a.dy = ADDRESS(dy), a.dx = ADDRESS(dx), a.dweight = ADDRESS(dw), a.dbias = ADDRESS(db);
  void *scratch = test_alloc((size_t)tc_group_norm_backward_scratch(&a));
  a.scratch = TEST_ADDRESS(scratch);
  CHECK_EQ(tc_group_norm_backward(&a), TC_OK);
  free(scratch);
  const int64_t count = members * spatial;
  double *want_w = calloc((size_t)channels + 1, 8), *want_b = calloc((size_t)channels + 1, 8);
  for (int64_t g = 0; g < batch * groups; g++) {
    group_sums s = {0};
    for (int64_t i = g * count; i < (g + 1) * count; i++) s.mean += at(x, i) / (double)count;
    for (int64_t i = g * count; i < (g + 1) * count; i++) s.var += pow(at(x, i) - s.mean, 2) / (double)count;
    const double invstd = 1 / sqrt(s.var + 1e-5);
    close_to("mean", mean, g, s.mean, 1);
    close_to("rstd", rstd, g, invstd, 0);
    for (int64_t i = g * count; i < (g + 1) * count; i++) {
      const int64_t c = i / spatial % channels;
      const double d = (at(x, i) - s.mean) * invstd, v = at(dy, i) * (affine ? at(w, c) : 1);
      s.sum += v, s.product += v * d;
      want_w[c] += at(dy, i) * d, want_b[c] += at(dy, i);
    }
    for (int64_t i = g * count; i < (g + 1) * count; i++) {
      const int64_t c = i / spatial % channels;
      const double d = (at(x, i) - s.mean) * invstd, weight = affine ? at(w, c) : 1;
      close_to("y", y, i, d * weight + (affine ? at(b, c) : 0), 3 + invstd);
      const double v = at(dy, i) * weight - s.sum / (double)count - d * s.product / (double)count;
      close_to("dx", dx, i, v * invstd, 8 * invstd * (1 + invstd));
    }
  }
  for (int64_t c = 0; c < channels; c++) {
    close_to("dweight", dw, c, want_w[c], 4 * sqrt((double)(batch * spatial)));
    close_to("dbias", db, c, want_b[c], 4 * sqrt((double)(batch * spatial)));
  }
  const tensor all[] = {x, y, dy, dx, w, b, dw, db, mean, rstd};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i].data);
  free(want_w), free(want_b);
}

// A mean far from zero must not swallow the variance: numbers that float32 holds exactly, 4096 +- 1.
static void far_from_zero(void) {
  enum { N = 3000 };
  float x[N], y[N], mean, rstd;
  for (int i = 0; i < N; i++) x[i] = 4096 + (i % 2 ? 1.0f : -1.0f);
  tc_layer_norm_args a = {.dtype = TC_F32, .param_dtype = TC_F32, .rows = 1, .cols = N, .eps = 0, .x = TEST_ADDRESS(x),
                          .y = TEST_ADDRESS(y), .mean = TEST_ADDRESS(&mean), .rstd = TEST_ADDRESS(&rstd)};
  CHECK_EQ(tc_layer_norm(&a), TC_OK);
  CHECK_CLOSE(mean, 4096, 0, 0);
  CHECK_CLOSE(rstd, 1, 1e-7, 0);
  for (int i = 0; i < N; i++) CHECK_CLOSE(y[i], i % 2 ? 1 : -1, 1e-6, 0);
}

static void refusals(void) {
  tc_batch_norm_args a = {.dtype = TC_I32, .param_dtype = TC_I32};
  CHECK_EQ(tc_batch_norm(&a), TC_UNSUPPORTED);
  tc_layer_norm_args b = {.dtype = TC_F32, .param_dtype = TC_F64};
  CHECK_EQ(tc_layer_norm(&b), TC_UNSUPPORTED);
}

int main(void) {
  for (int i = 0; i < 300; i++) {
    batch_case(pick(1, 9), pick(1, 40), pick(0, 1) ? 1 : pick(2, 70), pick(0, 3) != 0, pick(0, 3) ? 0 : 10);
    layer_case(pick(1, 40), pick(1, 90), pick(0, 3) ? 0 : 10);
    group_case(pick(1, 5), pick(1, 4), pick(1, 5), pick(1, 40));
  }
  for (int i = 0; i < 8; i++) {
    batch_case(5, 2, 5000, i % 2, 0);
    batch_case(300, 70, 1, i % 2, 0);
    layer_case(90, 2500, 0);
    layer_case(700, 33, 0);
    group_case(2, 3, 2, 2500);
  }
  far_from_zero();
  refusals();
  return test_end();
}
