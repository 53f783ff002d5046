// tc_conv, tc_conv_backward_input and tc_conv_backward_weight against seven nested loops in double.
#include "../convert.h"
#include "harness.h"

static int64_t pick(int64_t low, int64_t high) {
  return low + (int64_t)(test_random_bits() % (uint64_t)(high - low + 1));
}

static double load(const void *data, int64_t dtype, int64_t i) {
  switch (dtype) {
    case TC_F32: return ((const float *)data)[i];
    case TC_F64: return ((const double *)data)[i];
    case TC_F16: return tc_f32_of_f16(((const uint16_t *)data)[i]);
    default: return tc_f32_of_bf16(((const uint16_t *)data)[i]);
  }
}

static void *random_tensor(int64_t dtype, int64_t n) {
  void *data = test_alloc((size_t)(n * tc_dtype_size(dtype)));
  for (int64_t i = 0; i < n; i++) {
    const double v = test_random();
    switch (dtype) {
      case TC_F32: ((float *)data)[i] = (float)v; break;
      case TC_F64: ((double *)data)[i] = v; break;
      case TC_F16: ((uint16_t *)data)[i] = tc_f16_of_f32((float)v); break;
      default: ((uint16_t *)data)[i] = tc_bf16_of_f32((float)v);
    }
  }
  return data;
}

static double tolerance(int64_t dtype) {
  return dtype == TC_F64 ? 1e-14 : dtype == TC_F32 ? 1e-6 : dtype == TC_F16 ? 1e-3 : 8e-3;
}

static const char *describe(const tc_conv_args *a) {
  static char text[400];
  char *p = text;
  p += sprintf(p, "dtype %d batch %d groups %d channels %d %d", (int)a->dtype, (int)a->batch, (int)a->groups,
               (int)a->in_channels, (int)a->out_channels);
  const struct {
    const char *name;
    const int64_t *v;
  } triples[] = {{"in", a->in_size}, {"out", a->out_size}, {"kernel", a->kernel}, {"stride", a->stride},
                 {"padding", a->padding}, {"dilation", a->dilation}};
  for (int i = 0; i < 6; i++) {
    p += sprintf(p, " %s %dx%dx%d", triples[i].name, (int)triples[i].v[0], (int)triples[i].v[1], (int)triples[i].v[2]);
  }
  sprintf(p, " bias %d act %d", a->bias != 0, (int)a->act);
  return text;
}

// Compares `n` numbers; `sizes` are the sums of the terms' magnitudes.
static void compare(const tc_conv_args *a, const char *what, const void *got, const double *want, const double *sizes,
                    int64_t n) {
  const bool half = a->dtype == TC_F16 || a->dtype == TC_BF16;
  for (int64_t i = 0; i < n; i++) {
    const double error = tolerance(a->dtype) * (fabs(want[i]) + (half ? 1e-3 : 1) * sizes[i]) + (half ? 0x1p-24 : 0);
    const double g = load(got, a->dtype, i);
    CHECK(fabs(g - want[i]) <= error, "%s[%d]: expected %.9g, but got %.9g: %s", what, (int)i, want[i], g, describe(a));
  }
}

typedef int64_t (*scratch_function)(const tc_conv_args *);
typedef int32_t (*launch_function)(const tc_conv_args *);

static void launch(tc_conv_args *a, scratch_function scratch, launch_function kernel) {
  void *memory = test_alloc((size_t)scratch(a));
  a->scratch = TEST_ADDRESS(memory);
  CHECK_EQ(kernel(a), TC_OK);
  free(memory);
}

static double activate(double v, int64_t act) {
  return act == TC_ACT_RELU && v < 0 ? 0 : act == TC_ACT_SIGMOID ? 1 / (1 + exp(-v)) : act == TC_ACT_TANH ? tanh(v) : v;
}

static void run_case(tc_conv_args a, bool with_bias) {
  const int64_t icg = a.in_channels / a.groups, ocg = a.out_channels / a.groups;
  int64_t in = 1, out = 1, taps = 1;
  for (int d = 0; d < 3; d++) in *= a.in_size[d], out *= a.out_size[d], taps *= a.kernel[d];
  const int64_t nx = a.batch * a.in_channels * in, ny = a.batch * a.out_channels * out, nw = a.out_channels * icg * taps;
  void *x = random_tensor(a.dtype, nx), *w = random_tensor(a.dtype, nw), *y = random_tensor(a.dtype, ny);
  void *bias_out = random_tensor(a.dtype, a.out_channels), *bias_in = random_tensor(a.dtype, a.in_channels);
  const size_t size = (size_t)tc_dtype_size(a.dtype);
  void *got_x = test_alloc((size_t)nx * size), *got_w = test_alloc((size_t)nw * size);
  void *got_y = test_alloc((size_t)ny * size), *got_b = test_alloc((size_t)a.out_channels * size);
  double *want[4], *sizes[4];  // y, x, w, b
  const int64_t n[4] = {ny, nx, nw, a.out_channels};
  for (int i = 0; i < 4; i++) {
    want[i] = calloc((size_t)n[i] + 1, sizeof(double)), sizes[i] = calloc((size_t)n[i] + 1, sizeof(double));
  }
  for (int64_t z = 0; z < a.batch; z++) {
    for (int64_t oc = 0; oc < a.out_channels; oc++) {
      for (int64_t o = 0; o < out; o++) {
        const int64_t at[3] = {o / (a.out_size[1] * a.out_size[2]), o / a.out_size[2] % a.out_size[1], o % a.out_size[2]};
        const int64_t yi = (z * a.out_channels + oc) * out + o;
        want[3][oc] += load(y, a.dtype, yi), sizes[3][oc] += fabs(load(y, a.dtype, yi));
        for (int64_t c = 0; c < icg; c++) {
          for (int64_t t = 0; t < taps; t++) {
            const int64_t tap[3] = {t / (a.kernel[1] * a.kernel[2]), t / a.kernel[2] % a.kernel[1], t % a.kernel[2]};
            int64_t i = 0;
            bool inside = true;
            for (int d = 0; d < 3; d++) {
              const int64_t p = at[d] * a.stride[d] - a.padding[d] + tap[d] * a.dilation[d];
              inside = inside && p >= 0 && p < a.in_size[d];
              i = i * a.in_size[d] + p;
            }
            if (!inside) continue;
            const int64_t xi = (z * a.in_channels + oc / ocg * icg + c) * in + i, wi = (oc * icg + c) * taps + t;
            const double vx = load(x, a.dtype, xi), vw = load(w, a.dtype, wi), vy = load(y, a.dtype, yi);
            want[0][yi] += vx * vw, sizes[0][yi] += fabs(vx * vw);
            want[1][xi] += vy * vw, sizes[1][xi] += fabs(vy * vw);
            want[2][wi] += vy * vx, sizes[2][wi] += fabs(vy * vx);
          }
        }
      }
    }
  }
  for (int64_t i = 0; i < ny; i++) {
    if (with_bias) want[0][i] += load(bias_out, a.dtype, i / out % a.out_channels);
    want[0][i] = activate(want[0][i], a.act);
  }
  for (int64_t i = 0; i < nx; i++) {
    if (with_bias) want[1][i] += load(bias_in, a.dtype, i / in % a.in_channels);
    want[1][i] = activate(want[1][i], a.act);
  }

  a.x = TEST_ADDRESS(x), a.weight = TEST_ADDRESS(w), a.y = TEST_ADDRESS(got_y);
  a.bias = with_bias ? TEST_ADDRESS(bias_out) : 0;
  launch(&a, tc_conv_scratch, tc_conv);
  compare(&a, "y", got_y, want[0], sizes[0], ny);
  a.x = TEST_ADDRESS(got_x), a.y = TEST_ADDRESS(y);
  a.bias = with_bias ? TEST_ADDRESS(bias_in) : 0;
  launch(&a, tc_conv_backward_input_scratch, tc_conv_backward_input);
  compare(&a, "x", got_x, want[1], sizes[1], nx);
  a.x = TEST_ADDRESS(x), a.weight = TEST_ADDRESS(got_w), a.bias = TEST_ADDRESS(got_b);
  launch(&a, tc_conv_backward_weight_scratch, tc_conv_backward_weight);
  compare(&a, "weight", got_w, want[2], sizes[2], nw);
  compare(&a, "bias", got_b, want[3], sizes[3], a.out_channels);
  memset(got_b, 0, (size_t)a.out_channels * size);
  a.weight = 0;
  launch(&a, tc_conv_backward_weight_scratch, tc_conv_backward_weight);
  compare(&a, "bias alone", got_b, want[3], sizes[3], a.out_channels);
  for (int i = 0; i < 4; i++) free(want[i]), free(sizes[i]);
  free(x), free(w), free(y), free(bias_out), free(bias_in), free(got_x), free(got_w), free(got_y), free(got_b);
}

static void random_case(int64_t dtype) {
  tc_conv_args a = {.dtype = dtype, .batch = pick(1, 4), .groups = pick(0, 2) ? 1 : pick(1, 4), .act = pick(0, 3)};
  if (pick(0, 1)) a.act = TC_ACT_NONE;
  a.in_channels = a.groups * pick(1, 7);
  a.out_channels = a.groups * pick(1, pick(0, 1) ? 8 : 20);
  const int64_t dims = pick(1, 3);
  for (int d = 0; d < 3; d++) {
    a.in_size[d] = a.kernel[d] = a.stride[d] = a.dilation[d] = 1;
    a.padding[d] = 0;
    if (d < 3 - dims) {
      a.out_size[d] = 1;
      continue;
    }
    a.kernel[d] = pick(1, 5), a.stride[d] = pick(0, 1) ? 1 : pick(1, 4), a.dilation[d] = pick(0, 2) ? 1 : pick(1, 3);
    a.padding[d] = pick(0, 1) ? pick(0, 3) : 0;
    const int64_t reach = (a.kernel[d] - 1) * a.dilation[d] + 1, limit = dims == 3 ? 7 : dims == 2 ? 18 : 70;
    const int64_t least = reach - 2 * a.padding[d];
    a.in_size[d] = pick(least > 1 ? least : 1, (least > 1 ? least : 1) + limit);
    // Sometimes the windows do not end with the padding: "same" padding of even kernels, and inputs that stick out.
    a.out_size[d] = (a.in_size[d] + 2 * a.padding[d] - reach) / a.stride[d] + 1 + (pick(0, 4) == 0);
  }
  run_case(a, pick(0, 1));
}

typedef struct {
  int64_t batch, groups, in, out, size[2], kernel, stride, padding;
} square;

static void square_case(int64_t dtype, square q, bool bias) {
  tc_conv_args a = {.dtype = dtype, .batch = q.batch, .groups = q.groups, .in_channels = q.in, .out_channels = q.out,
                    .in_size = {1, q.size[0], q.size[1]}, .kernel = {1, q.kernel, q.kernel},
                    .stride = {1, q.stride, q.stride}, .padding = {0, q.padding, q.padding}, .dilation = {1, 1, 1}};
  a.out_size[0] = 1;
  for (int d = 1; d < 3; d++) a.out_size[d] = (a.in_size[d] + 2 * q.padding - q.kernel) / q.stride + 1;
  run_case(a, bias);
}

// Depths beyond a block, rows beyond a block, positions beyond a block, more images than are prepared at a time.
static void large_cases(void) {
  square_case(TC_F32, (square){2, 1, 70, 11, {6, 7}, 3, 1, 1}, true);
  square_case(TC_F32, (square){2, 1, 70, 3, {6, 7}, 3, 2, 1}, true);
  square_case(TC_F32, (square){3, 1, 2, 140, {5, 5}, 3, 1, 1}, true);
  square_case(TC_F32, (square){2, 1, 3, 9, {30, 33}, 2, 1, 0}, false);
  square_case(TC_F64, (square){2, 1, 3, 9, {30, 33}, 3, 1, 1}, false);
  square_case(TC_F32, (square){3, 1, 600, 2, {62, 62}, 1, 1, 1}, true);   // 9 MB an image with its zeros
  square_case(TC_F32, (square){5, 1, 150, 9, {62, 62}, 1, 1, 1}, false);  // 2.3 MB
  square_case(TC_F32, (square){2, 30, 30, 30, {12, 13}, 3, 1, 1}, true);  // depthwise
  square_case(TC_F32, (square){2, 30, 30, 60, {12, 13}, 5, 2, 2}, true);
  square_case(TC_F32, (square){9, 1, 3, 6, {32, 32}, 5, 1, 0}, true);     // LeNet
  square_case(TC_F32, (square){9, 1, 6, 16, {14, 14}, 5, 1, 0}, true);
  square_case(TC_F32, (square){2, 1, 3, 20, {32, 32}, 8, 8, 0}, true);    // patches
  square_case(TC_F32, (square){7, 1, 12, 20, {5, 5}, 5, 1, 0}, true);     // one position
}

static void empty_cases(void) {
  square_case(TC_F32, (square){0, 1, 3, 6, {8, 8}, 3, 1, 0}, true);
  square_case(TC_F32, (square){2, 1, 0, 6, {8, 8}, 3, 1, 0}, true);
  square_case(TC_F32, (square){2, 1, 3, 0, {8, 8}, 3, 1, 0}, true);
  square_case(TC_F32, (square){2, 1, 3, 6, {2, 8}, 3, 1, 0}, true);  // no positions
  tc_conv_args a = {.dtype = TC_I32, .groups = 1};
  CHECK_EQ(tc_conv(&a), TC_UNSUPPORTED);
}

// The order of sums depends on nothing but the arguments and the number of threads.
static void repeatable(void) {
  enum { N = 8, IC = 3, OC = 6, H = 20, O = 18 };
  float *x = random_tensor(TC_F32, N * IC * H * H), *y = random_tensor(TC_F32, N * OC * O * O), first[OC * IC * 9];
  for (int run = 0; run < 20; run++) {
    float w[OC * IC * 9];
    tc_conv_args a = {.dtype = TC_F32, .batch = N, .groups = 1, .in_channels = IC, .out_channels = OC,
                      .in_size = {1, H, H}, .out_size = {1, O, O}, .kernel = {1, 3, 3}, .stride = {1, 1, 1},
                      .dilation = {1, 1, 1}, .x = TEST_ADDRESS(x), .y = TEST_ADDRESS(y), .weight = TEST_ADDRESS(w)};
    launch(&a, tc_conv_backward_weight_scratch, tc_conv_backward_weight);
    if (run == 0) memcpy(first, w, sizeof w);
    CHECK(memcmp(first, w, sizeof w) == 0, "run %d", run);
  }
}

int main(void) {
  const int64_t dtypes[] = {TC_F32, TC_F64, TC_F16, TC_BF16};
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < (i < 2 ? 400 : 60); j++) random_case(dtypes[i]);
  }
  large_cases();
  empty_cases();
  repeatable();
  return test_end();
}
