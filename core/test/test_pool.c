// The pooling kernels against loops over every window in double.
#include "../convert.h"
#include "harness.h"

static int64_t pick(int64_t low, int64_t high) {
  return low + (int64_t)(test_random_bits() % (uint64_t)(high - low + 1));
}

static bool is_real(int64_t dtype) {
  return dtype == TC_F32 || dtype == TC_F64 || dtype == TC_F16 || dtype == TC_BF16;
}

static double load(const void *data, int64_t dtype, int64_t i) {
  switch (dtype) {
    case TC_F32: return ((const float *)data)[i];
    case TC_F64: return ((const double *)data)[i];
    case TC_F16: return tc_f32_of_f16(((const uint16_t *)data)[i]);
    case TC_BF16: return tc_f32_of_bf16(((const uint16_t *)data)[i]);
    case TC_U8: return ((const uint8_t *)data)[i];
    case TC_I8: return ((const int8_t *)data)[i];
    case TC_I16: return ((const int16_t *)data)[i];
    case TC_I32: return ((const int32_t *)data)[i];
    default: return (double)((const int64_t *)data)[i];
  }
}

static void store(void *data, int64_t dtype, int64_t i, double v) {
  switch (dtype) {
    case TC_F32: ((float *)data)[i] = (float)v; break;
    case TC_F64: ((double *)data)[i] = v; break;
    case TC_F16: ((uint16_t *)data)[i] = tc_f16_of_f32((float)v); break;
    case TC_BF16: ((uint16_t *)data)[i] = tc_bf16_of_f32((float)v); break;
    case TC_U8: ((uint8_t *)data)[i] = (uint8_t)(int64_t)v; break;
    case TC_I8: ((int8_t *)data)[i] = (int8_t)(int64_t)v; break;
    case TC_I16: ((int16_t *)data)[i] = (int16_t)(int64_t)v; break;
    case TC_I32: ((int32_t *)data)[i] = (int32_t)(int64_t)v; break;
    default: ((int64_t *)data)[i] = (int64_t)v;
  }
}

static void *tensor(int64_t dtype, int64_t n) { return test_alloc((size_t)(n * tc_dtype_size(dtype))); }

// Few different values, so that equal maxima occur; now and then a NaN or an infinity.
static void *random_tensor(int64_t dtype, int64_t n, bool special) {
  void *data = tensor(dtype, n);
  for (int64_t i = 0; i < n; i++) {
    double v = (double)pick(-20, 20);
    if (dtype == TC_U8) v = fabs(v);
    if (is_real(dtype)) v /= 8;
    if (special && is_real(dtype) && pick(0, 20) == 0) v = pick(0, 2) ? NAN : -INFINITY;
    store(data, dtype, i, v);
  }
  return data;
}

static double lowest(int64_t dtype) {
  switch (dtype) {
    case TC_U8: return 0;
    case TC_I8: return INT8_MIN;
    case TC_I16: return INT16_MIN;
    case TC_I32: return INT32_MIN;
    case TC_I64: return (double)INT64_MIN;
    default: return -INFINITY;
  }
}

static bool same(double a, double b) { return isnan(a) ? isnan(b) : a == b; }

static int64_t volume(const int64_t *v) { return v[0] * v[1] * v[2]; }

static const char *describe(const tc_pool_args *a) {
  static char text[400];
  char *p = text + sprintf(text, "dtype %d planes %d", (int)a->dtype, (int)a->planes);
  const struct {
    const char *name;
    const int64_t *v;
  } triples[] = {{"in", a->in_size}, {"out", a->out_size}, {"kernel", a->kernel}, {"stride", a->stride},
                 {"padding", a->padding}, {"dilation", a->dilation}};
  for (int i = 0; i < 6; i++) {
    p += sprintf(p, " %s %dx%dx%d", triples[i].name, (int)triples[i].v[0], (int)triples[i].v[1], (int)triples[i].v[2]);
  }
  return text;
}

// The elements of a window, flat in the plane, in order; returns how many.
static int64_t window(const tc_pool_args *a, bool adaptive, int64_t o, int64_t *elements) {
  const int64_t at[3] = {o / (a->out_size[1] * a->out_size[2]), o / a->out_size[2] % a->out_size[1], o % a->out_size[2]};
  int64_t start[3], end[3], step[3], n = 0;
  for (int d = 0; d < 3; d++) {
    const int64_t in = a->in_size[d], out = a->out_size[d];
    start[d] = adaptive ? (int64_t)floor((double)at[d] * (double)in / (double)out) : at[d] * a->stride[d] - a->padding[d];
    end[d] = adaptive ? (int64_t)ceil((double)(at[d] + 1) * (double)in / (double)out) : start[d] + a->kernel[d] * a->dilation[d];
    step[d] = adaptive ? 1 : a->dilation[d];
  }
  for (int64_t d = start[0]; d < end[0]; d += step[0]) {
    for (int64_t h = start[1]; h < end[1]; h += step[1]) {
      for (int64_t w = start[2]; w < end[2]; w += step[2]) {
        if (d < 0 || h < 0 || w < 0 || d >= a->in_size[0] || h >= a->in_size[1] || w >= a->in_size[2]) continue;
        elements[n++] = (d * a->in_size[1] + h) * a->in_size[2] + w;
      }
    }
  }
  return n;
}

static void check_max(tc_pool_args a, bool adaptive) {
  const int64_t in = volume(a.in_size), out = volume(a.out_size), n = a.planes * out;
  void *x = random_tensor(a.dtype, a.planes * in, pick(0, 1)), *y = tensor(a.dtype, n), *alone = tensor(a.dtype, n);
  void *indices = tensor(a.index_dtype, n), *gx = tensor(a.dtype, a.planes * in);
  int64_t *elements = malloc((size_t)(in + 1) * 8), *best = malloc((size_t)(n + 1) * 8);
  a.x = TEST_ADDRESS(x), a.y = TEST_ADDRESS(y), a.indices = TEST_ADDRESS(indices);
  int32_t (*const kernel)(const tc_pool_args *) = adaptive ? tc_adaptive_max_pool : tc_max_pool;
  CHECK_EQ(kernel(&a), TC_OK);
  a.y = TEST_ADDRESS(alone), a.indices = 0;
  CHECK_EQ(kernel(&a), TC_OK);
  for (int64_t i = 0; i < n; i++) {
    const int64_t count = window(&a, adaptive, i % out, elements);
    best[i] = count ? elements[0] : -1;
    double value = -INFINITY;
    for (int64_t e = 0; e < count; e++) {
      const double v = load(x, a.dtype, i / out * in + elements[e]);
      if (v > value || isnan(v)) value = v, best[i] = elements[e];
    }
    if (count == 0) value = lowest(a.dtype);
    const double got = load(y, a.dtype, i), got_alone = load(alone, a.dtype, i);
    CHECK(same(got, value) && same(got_alone, value), "[%d]: expected %g, but got %g and %g: %s", (int)i, value, got,
          got_alone, describe(&a));
    CHECK(load(indices, a.index_dtype, i) == (double)best[i], "index [%d]: expected %d, but got %g: %s", (int)i,
          (int)best[i], load(indices, a.index_dtype, i), describe(&a));
  }
  // The gradient: what each maximum got, summed where windows share it.
  double *want = calloc((size_t)(a.planes * in) + 1, sizeof(double));
  void *gy = random_tensor(a.dtype, n, false);
  bool empty = false;  // a window without elements
  for (int64_t i = 0; i < n; i++) {
    if (best[i] < 0) empty = true;
    else want[i / out * in + best[i]] += load(gy, a.dtype, i);
  }
  a.x = TEST_ADDRESS(gx), a.y = TEST_ADDRESS(gy), a.indices = TEST_ADDRESS(indices);
  CHECK_EQ(tc_max_pool_backward(&a), TC_OK);
  for (int64_t i = 0; i < a.planes * in && is_real(a.dtype); i++) {
    const double got = load(gx, a.dtype, i);
    CHECK(fabs(got - want[i]) <= (a.dtype == TC_BF16 ? 0.1 : 0), "gradient [%d]: expected %g, but got %g: %s", (int)i,
          want[i], got, describe(&a));
  }
  if (empty) {
    CHECK_EQ(tc_max_unpool(&a), TC_INDEX_OUT_OF_RANGE);
    goto done;
  }
  // Unpooling puts values back, and its gradient takes them from there.
  CHECK_EQ(tc_max_unpool(&a), TC_OK);
  for (int64_t i = 0; i < a.planes * in; i++) want[i] = 0;
  for (int64_t i = 0; i < n; i++) want[i / out * in + best[i]] = load(gy, a.dtype, i);
  for (int64_t i = 0; i < a.planes * in; i++) CHECK(load(gx, a.dtype, i) == want[i], "unpool [%d]: %s", (int)i, describe(&a));
  a.x = TEST_ADDRESS(x), a.y = TEST_ADDRESS(y);
  memset(y, 0, (size_t)(n * tc_dtype_size(a.dtype)));
  CHECK_EQ(tc_max_unpool_backward(&a), TC_OK);
  for (int64_t i = 0; i < n; i++) {
    CHECK(same(load(y, a.dtype, i), load(x, a.dtype, i / out * in + best[i])), "unpool gradient [%d]: %s", (int)i,
          describe(&a));
  }
done:
  free(x), free(y), free(alone), free(indices), free(gx), free(elements), free(best), free(want), free(gy);
}

static double tolerance(int64_t dtype) {
  return dtype == TC_F64 ? 1e-14 : dtype == TC_F32 ? 1e-6 : dtype == TC_F16 ? 4e-3 : 4e-2;
}

static void check_average(tc_pool_args a, bool adaptive) {
  const int64_t in = volume(a.in_size), out = volume(a.out_size), n = a.planes * out;
  void *x = random_tensor(a.dtype, a.planes * in, false), *y = tensor(a.dtype, n), *gx = tensor(a.dtype, a.planes * in);
  void *gy = random_tensor(a.dtype, n, false);
  int64_t *elements = malloc((size_t)(in + 1) * 8);
  double *want = calloc((size_t)(a.planes * in) + 1, sizeof(double)), *sizes = calloc((size_t)(a.planes * in) + 1, 8);
  a.x = TEST_ADDRESS(x), a.y = TEST_ADDRESS(y);
  CHECK_EQ((adaptive ? tc_adaptive_avg_pool : tc_avg_pool)(&a), TC_OK);
  for (int64_t i = 0; i < n; i++) {
    const int64_t o = i % out, count = window(&a, adaptive, o, elements);
    double sum = 0, size = 0, divisor = (double)count;
    for (int64_t e = 0; e < count; e++) {
      const double v = load(x, a.dtype, i / out * in + elements[e]);
      sum += v, size += fabs(v);
    }
    if (!adaptive && a.divisor_override) divisor = (double)a.divisor_override;
    if (!adaptive && !a.divisor_override && a.count_include_pad) {
      const int64_t at[3] = {o / (a.out_size[1] * a.out_size[2]), o / a.out_size[2] % a.out_size[1], o % a.out_size[2]};
      divisor = 1;
      for (int d = 0; d < 3; d++) {
        const int64_t start = at[d] * a.stride[d] - a.padding[d], limit = a.in_size[d] + a.padding[d];
        divisor *= (double)((start + a.kernel[d] < limit ? start + a.kernel[d] : limit) - start);
      }
    }
    const double average = count ? sum / divisor : 0, got = load(y, a.dtype, i);
    CHECK(fabs(got - average) <= tolerance(a.dtype) * (1 + size), "average [%d]: expected %g, but got %g: %s", (int)i,
          average, got, describe(&a));
    for (int64_t e = 0; e < count; e++) {
      const double share = load(gy, a.dtype, i) / divisor;
      want[i / out * in + elements[e]] += share, sizes[i / out * in + elements[e]] += fabs(share);
    }
  }
  a.x = TEST_ADDRESS(gx), a.y = TEST_ADDRESS(gy);
  CHECK_EQ((adaptive ? tc_adaptive_avg_pool_backward : tc_avg_pool_backward)(&a), TC_OK);
  for (int64_t i = 0; i < a.planes * in; i++) {
    const double got = load(gx, a.dtype, i);
    CHECK(fabs(got - want[i]) <= tolerance(a.dtype) * (0.01 + sizes[i]) * 4, "gradient [%d]: expected %g, but got %g: %s",
          (int)i, want[i], got, describe(&a));
  }
  free(x), free(y), free(gx), free(gy), free(elements), free(want), free(sizes);
}

static tc_pool_args random_shape(int64_t dtype, bool dilate) {
  tc_pool_args a = {.dtype = dtype, .index_dtype = pick(0, 1) ? TC_I32 : TC_I64, .planes = pick(1, 5),
                    .count_include_pad = pick(0, 1), .divisor_override = pick(0, 3) ? 0 : pick(1, 9)};
  const int64_t dims = pick(1, 3);
  for (int d = 0; d < 3; d++) {
    a.in_size[d] = a.out_size[d] = a.kernel[d] = a.stride[d] = a.dilation[d] = 1;
    if (d < 3 - dims) continue;
    a.kernel[d] = pick(1, 4), a.stride[d] = pick(1, 3), a.dilation[d] = dilate && pick(0, 2) == 0 ? pick(1, 3) : 1;
    if (pick(0, 2) == 0) a.kernel[d] = a.stride[d] = 2, a.dilation[d] = 1;
    a.padding[d] = pick(0, a.kernel[d] / 2);
    const int64_t reach = (a.kernel[d] - 1) * a.dilation[d] + 1;
    const int64_t least = reach > 2 * a.padding[d] ? reach - 2 * a.padding[d] : 1;
    a.in_size[d] = pick(least, least + (dims == 3 ? 6 : dims == 2 ? 20 : 60));
    const int64_t room = a.in_size[d] + 2 * a.padding[d] - reach;
    a.out_size[d] = room / a.stride[d] + 1;
    // ceil_mode: one more window, if it starts inside the input or its padding before it.
    if (pick(0, 1) && room % a.stride[d] && a.out_size[d] * a.stride[d] < a.in_size[d] + a.padding[d]) a.out_size[d]++;
  }
  return a;
}

static void empty_and_bad(void) {
  tc_pool_args a = random_shape(TC_F32, true);
  a.planes = 0;
  CHECK_EQ(tc_max_pool(&a), TC_OK);
  CHECK_EQ(tc_avg_pool(&a), TC_OK);
  a.dtype = TC_C64;
  CHECK_EQ(tc_max_pool(&a), TC_UNSUPPORTED);
  a.dtype = TC_I32;
  CHECK_EQ(tc_avg_pool(&a), TC_UNSUPPORTED);
  float x[12], y[6] = {1, 2, 3, 4, 5, 6};
  int64_t indices[6] = {0, 1, 2, 3, 4, 6};
  a = (tc_pool_args){.dtype = TC_F32, .index_dtype = TC_I64, .planes = 2, .in_size = {1, 1, 6}, .out_size = {1, 1, 3},
                     .x = TEST_ADDRESS(x), .y = TEST_ADDRESS(y), .indices = TEST_ADDRESS(indices)};
  CHECK_EQ(tc_max_unpool(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[0], 6);
  CHECK_EQ(tc_error_info[1], 6);
  CHECK_EQ(tc_error_info[2], 5);
  indices[5] = 5, indices[1] = -2;
  CHECK_EQ(tc_max_pool_backward(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[0], -2);
  CHECK_EQ(tc_error_info[2], 1);
}

int main(void) {
  const int64_t dtypes[] = {TC_F32, TC_F64, TC_F16, TC_BF16, TC_U8, TC_I8, TC_I16, TC_I32, TC_I64};
  for (int i = 0; i < 9; i++) {
    for (int j = 0; j < (i == 0 ? 600 : 100); j++) {
      check_max(random_shape(dtypes[i], true), false);
      if (is_real(dtypes[i])) check_average(random_shape(dtypes[i], false), false);
      tc_pool_args a = random_shape(dtypes[i], false);
      for (int d = 0; d < 3; d++) {
        if (a.in_size[d] > 1) a.out_size[d] = pick(0, 2) ? pick(1, 7) : 1;
      }
      check_max(a, true);
      if (is_real(dtypes[i])) check_average(a, true);
    }
  }
  empty_and_bad();
  return test_end();
}
