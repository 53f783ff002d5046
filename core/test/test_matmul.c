// tc_matmul against loops in double: every dtype, strides of both kinds and neither, epilogues, batches, all the
// sizes at which a path or a tail changes.
#include "../convert.h"
#include "../rt.h"
#include "harness.h"

static int64_t pick(int64_t n) { return (int64_t)(test_random_bits() % (uint64_t)n); }

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

// An integer result wraps to its dtype.
static double wrap(double v, int64_t dtype) {
  char cell[8];
  store(cell, dtype, 0, v);
  return load(cell, dtype, 0);
}

static double tolerance(int64_t dtype) {
  switch (dtype) {
    case TC_F64: return 1e-14;
    case TC_F32: return 1e-6;
    case TC_F16: return 1e-3;
    case TC_BF16: return 8e-3;
    default: return 0;
  }
}

typedef struct {
  void *data;
  int64_t rs, cs, batch, elements;
} matrix;

// A matrix (or a batch of them) with row-major, column-major or loose strides, exactly as large as it must be.
static matrix make(int64_t dtype, int64_t batch, int64_t rows, int64_t cols, int layout, double range) {
  matrix x = {0};
  switch (layout) {
    case 0: x.rs = cols, x.cs = 1; break;
    case 1: x.rs = 1, x.cs = rows; break;
    case 2: x.rs = cols + 3, x.cs = 1; break;
    case 3: x.rs = 1, x.cs = rows + 5; break;
    default: x.rs = 2 * cols + 1, x.cs = 2; break;
  }
  const int64_t span = rows > 0 && cols > 0 ? (rows - 1) * x.rs + (cols - 1) * x.cs + 1 : 0;
  x.batch = span;
  x.elements = span * batch;
  x.data = test_alloc((size_t)(x.elements * tc_dtype_size(dtype)));
  for (int64_t i = 0; i < x.elements; i++) {
    const double v = test_random() * range;
    store(x.data, dtype, i, is_real(dtype) ? v : floor(v));
  }
  return x;
}

static double activate(double v, int64_t act) {
  switch (act) {
    case TC_ACT_RELU: return v < 0 ? 0 : v;
    case TC_ACT_SIGMOID: return 1 / (1 + exp(-v));
    case TC_ACT_TANH: return tanh(v);
    default: return v;
  }
}

typedef struct {
  int64_t dtype, m, n, k, batch;
  int a_layout, b_layout, c_layout, bias;  // bias: 0 none, 1 per column, 2 per row, 3 full
  bool share_a, share_b;
  double alpha, beta;
  int64_t act;
} test_case;

static void run_case(const test_case *t) {
  const bool real = is_real(t->dtype);
  const double range = real ? 1 : 10;
  matrix a = make(t->dtype, t->share_a ? 1 : t->batch, t->m, t->k, t->a_layout, range);
  matrix b = make(t->dtype, t->share_b ? 1 : t->batch, t->k, t->n, t->b_layout, range);
  matrix c = make(t->dtype, t->batch, t->m, t->n, t->c_layout, range);
  matrix bias = make(t->dtype, 1, t->bias >= 2 ? t->m : 1, t->bias == 1 || t->bias == 3 ? t->n : 1, 0, range);
  const size_t c_bytes = (size_t)(c.elements * tc_dtype_size(t->dtype));
  void *before = test_alloc(c_bytes);
  // beta 0 must not read C.
  if (t->beta == 0 && real) {
    for (int64_t i = 0; i < c.elements; i++) store(c.data, t->dtype, i, NAN);
  }
  memcpy(before, c.data, c_bytes);

  tc_matmul_args s = {
      .dtype = t->dtype, .m = t->m, .n = t->n, .k = t->k,
      .a = TEST_ADDRESS(a.data), .b = TEST_ADDRESS(b.data), .c = TEST_ADDRESS(c.data),
      .a_rs = a.rs, .a_cs = a.cs, .b_rs = b.rs, .b_cs = b.cs, .c_rs = c.rs, .c_cs = c.cs,
      .alpha = t->alpha, .beta = t->beta, .bias = t->bias ? TEST_ADDRESS(bias.data) : 0,
      .bias_rs = t->bias >= 2 ? bias.rs : 0, .bias_cs = t->bias == 1 || t->bias == 3 ? 1 : 0, .act = t->act,
  };
  if (t->batch != 1) {
    s.nbatch = 1, s.batch_shape[0] = t->batch;
    s.batch_a[0] = t->share_a ? 0 : a.batch, s.batch_b[0] = t->share_b ? 0 : b.batch, s.batch_c[0] = c.batch;
  }
  s.scratch = TEST_ADDRESS(test_alloc((size_t)tc_matmul_scratch(&s)));
  CHECK_EQ(tc_matmul(&s), TC_OK);

  uint8_t *seen = test_alloc((size_t)c.elements);
  memset(seen, 0, (size_t)c.elements);
  for (int64_t z = 0; z < t->batch; z++) {
    for (int64_t i = 0; i < t->m; i++) {
      for (int64_t j = 0; j < t->n; j++) {
        double sum = 0, size = 0;
        for (int64_t p = 0; p < t->k; p++) {
          const double term = load(a.data, t->dtype, (t->share_a ? 0 : z * a.batch) + i * a.rs + p * a.cs) *
                              load(b.data, t->dtype, (t->share_b ? 0 : z * b.batch) + p * b.rs + j * b.cs);
          sum += term, size += fabs(term);
        }
        const int64_t at = z * c.batch + i * c.rs + j * c.cs;
        seen[at] = 1;
        double v = sum * t->alpha;
        size *= fabs(t->alpha);
        if (t->beta != 0) v += t->beta * load(before, t->dtype, at), size += fabs(t->beta);
        if (t->bias) v += load(bias.data, t->dtype, i * s.bias_rs + j * s.bias_cs), size += 1;
        if (real) v = activate(v, t->act);
        const double got = load(c.data, t->dtype, at), want = real ? v : wrap(v, t->dtype);
        // Rounding grows with the terms, not with their sum.
        const bool half = t->dtype == TC_F16 || t->dtype == TC_BF16;
        const double error = tolerance(t->dtype) * (fabs(want) + (half ? 1e-3 : 1) * size) + (half ? 0x1p-24 : 0);
        CHECK(fabs(got - want) <= error,
              "[%d %d %d] dtype %d m %d n %d k %d batch %d layouts %d %d %d alpha %g beta %g bias %d act %d: "
              "expected %.9g, but got %.9g",
              (int)z, (int)i, (int)j, (int)t->dtype, (int)t->m, (int)t->n, (int)t->k, (int)t->batch, t->a_layout,
              t->b_layout, t->c_layout, t->alpha, t->beta, t->bias, (int)t->act, want, got);
      }
    }
  }
  const int64_t size = tc_dtype_size(t->dtype);
  for (int64_t i = 0; i < c.elements; i++) {
    CHECK(seen[i] || memcmp((char *)c.data + i * size, (char *)before + i * size, (size_t)size) == 0,
          "element %d between the rows of C was written", (int)i);
  }
  free(a.data), free(b.data), free(c.data), free(bias.data), free(before), free(seen);
  free((void *)(uintptr_t)s.scratch);
}

static const int64_t dtypes[] = {TC_F32, TC_F64, TC_F16, TC_BF16, TC_U8, TC_I8, TC_I16, TC_I32, TC_I64};

static void random_cases(int64_t dtype, int count, int64_t size) {
  for (int i = 0; i < count; i++) {
    test_case t = {.dtype = dtype, .m = pick(size), .n = pick(size), .k = pick(size), .batch = 1,
                   .a_layout = (int)pick(5), .b_layout = (int)pick(5), .c_layout = (int)pick(5),
                   .alpha = 1, .beta = 0};
    // Every second case has one dimension small, where vectors and dot products take over.
    if (pick(2)) *(pick(3) == 0 ? &t.m : pick(2) ? &t.n : &t.k) = pick(5);
    if (pick(3) == 0) t.bias = 1 + (int)pick(3);
    if (pick(3) == 0) t.alpha = is_real(dtype) ? -1.5 : -2;
    if (pick(3) == 0) t.beta = pick(2) ? 1 : is_real(dtype) ? 0.5 : 3;
    if (is_real(dtype) && pick(3) == 0) t.act = pick(4);
    if (pick(4) == 0) {
      t.batch = pick(7);
      t.share_a = pick(3) == 0, t.share_b = pick(3) == 0;
    }
    run_case(&t);
  }
}

// Sizes around the depth of a block and the rows and columns of a cell, with every combination of transpositions.
static void large_cases(void) {
  const int64_t sizes[][3] = {{70, 90, 800}, {129, 65, 385}, {33, 200, 768}, {200, 11, 400}, {1, 700, 300}, {700, 1, 300}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (int layouts = 0; layouts < 8; layouts++) {
      test_case t = {.dtype = layouts % 2 ? TC_F32 : TC_F64, .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2],
                     .batch = 1, .a_layout = layouts & 1, .b_layout = layouts >> 1 & 1, .c_layout = layouts >> 2,
                     .alpha = 1, .beta = layouts & 1, .bias = layouts >> 1 & 1};
      run_case(&t);
      t.dtype = TC_F32;
      run_case(&t);
    }
  }
}

// More rows and columns than one pass packs.
static void many_passes(void) {
  run_case(&(test_case){.dtype = TC_F32, .m = 4100, .n = 66, .k = 9, .batch = 1, .b_layout = 4, .alpha = 1});
  run_case(&(test_case){.dtype = TC_F32, .m = 66, .n = 4100, .k = 70, .batch = 1, .a_layout = 4, .b_layout = 4, .alpha = 1});
}

// A batch of many small products is dealt out to threads, one of few large ones is not.
static void batches(void) {
  run_case(&(test_case){.dtype = TC_F32, .m = 20, .n = 24, .k = 70, .batch = 37, .b_layout = 1, .alpha = 1});
  run_case(&(test_case){.dtype = TC_F64, .m = 20, .n = 24, .k = 70, .batch = 37, .alpha = 1, .share_a = true});
  run_case(&(test_case){.dtype = TC_F32, .m = 170, .n = 170, .k = 170, .batch = 2, .b_layout = 1, .alpha = 1});
  // Rows go on from one matrix to the next: merged into one product.
  run_case(&(test_case){.dtype = TC_F32, .m = 30, .n = 40, .k = 50, .batch = 9, .alpha = 1, .share_b = true, .bias = 1});
}

// NaN and infinity come out where they went in, and nowhere else.
static void special_values(void) {
  enum { M = 13, N = 19, K = 21 };
  for (int turn = 0; turn < 2; turn++) {
    float a[M * K], b[K * N], c[M * N];
    for (int i = 0; i < M * K; i++) a[i] = 1;
    for (int i = 0; i < K * N; i++) b[i] = 1;
    a[12 * K + 20] = NAN;
    b[20 * N + 18] = INFINITY;
    if (turn) a[0] = -INFINITY;
    tc_matmul_args s = {.dtype = TC_F32, .m = M, .n = N, .k = K, .a = TEST_ADDRESS(a), .b = TEST_ADDRESS(b),
                        .c = TEST_ADDRESS(c), .a_rs = K, .a_cs = 1, .b_rs = N, .b_cs = 1, .c_rs = N, .c_cs = 1,
                        .alpha = 1};
    s.scratch = TEST_ADDRESS(test_alloc((size_t)tc_matmul_scratch(&s)));
    CHECK_EQ(tc_matmul(&s), TC_OK);
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        const double want = i == 12                        ? NAN
                            : turn && i == 0               ? (j == 18 ? NAN : -INFINITY)
                            : j == 18                      ? INFINITY
                                                           : K;
        CHECK(test_close(c[i * N + j], want, 0, 0), "[%d %d]: expected %g, but got %g", i, j, want, c[i * N + j]);
      }
    }
  }
}

static void refusals(void) {
  tc_matmul_args s = {.dtype = TC_BOOL, .m = 1, .n = 1, .k = 1};
  CHECK_EQ(tc_matmul(&s), TC_UNSUPPORTED);
  CHECK_EQ(tc_error_info[0], TC_BOOL);
}

int main(void) {
  for (int checked = 0; checked < 2; checked++) {
    tc_set_option(TC_OPTION_CHECKED_MEMORY, checked);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
      random_cases(dtypes[i], is_real(dtypes[i]) ? 600 : 100, 48);
    }
    large_cases();
  }
  many_passes();
  batches();
  special_values();
  refusals();
  return test_end();
}
