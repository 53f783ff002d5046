// The random streams: numbers recorded from PyTorch 1.13.1 (bits of float32 and float64), the state that is
// left behind, the two ways of the normal block path against each other, and what the kernels refuse.
#include "tensors.h"

// normal.c itself, for its static functions.
#include "../normal.c"

static tc_generator generator;

static void seed(uint64_t value) {
  const tc_generator_args a = {TEST_ADDRESS(&generator), value, 0};
  CHECK_EQ(tc_generator_seed(&a), TC_OK);
}

static void draw(tc_random_args a) {
  a.generator = TEST_ADDRESS(&generator);
  CHECK_EQ(tc_random(&a), TC_OK);
}

// MT19937's published test: the 10000th number from seed 5489.
static void check_generator(void) {
  seed(5489);
  uint32_t last = 0;
  for (int i = 0; i < 10000; i++) last = tc_mt_u32(&generator);
  CHECK_EQ(last, 4123659995u);
  // Draws in bulk are the same draws, wherever in a block they begin.
  uint32_t one[3000], bulk[3000];
  seed(7);
  for (int i = 0; i < 3000; i++) one[i] = tc_mt_u32(&generator);
  const tc_generator after = generator;
  seed(7);
  for (int64_t at = 0, n; at < 3000; at += n) {
    n = pick(0, 1) ? pick(0, 9) : pick(0, 700);
    if (n > 3000 - at) n = 3000 - at;
    tc_mt_fill(&generator, bulk + at, n);
  }
  CHECK(memcmp(one, bulk, sizeof one) == 0);
  CHECK(memcmp(&after, &generator, sizeof after) == 0);
  // The low 32 bits of a seed count.
  seed((UINT64_C(1) << 40) + 3);
  const uint32_t wide = tc_mt_u32(&generator);
  CHECK(generator.seed == (UINT64_C(1) << 40) + 3);
  seed(3);
  CHECK_EQ(tc_mt_u32(&generator), wide);
}

typedef struct {
  const char *what;
  tc_random_args a;
  uint64_t bits[4];  // the first, the second, the last but one and the last element
} recorded;

// Each from seed 42 on its own.
static const recorded cases[] = {
    {"torch.rand(700)", {.op = TC_RANDOM_UNIFORM, .dtype = TC_F32, .n = 700, .b = 1}, {0x3f61dc66, 0x3f6a3db3, 0x3e616be4, 0x3f75ae92}},
    {"uniform_(-0.3, 1.7)", {.op = TC_RANDOM_UNIFORM, .dtype = TC_F32, .n = 33, .a = -0.3, .b = 1.7}, {0x3fbb7600, 0x3fc3d74c, 0xbe190e34, 0x3fbc6b64}},
    {"float64 uniform_(-0.3, 1.7)", {.op = TC_RANDOM_UNIFORM, .dtype = TC_F64, .n = 400, .a = -0.3, .b = 1.7}, {0xbfc78330071478ce, 0xbfc64b84eeb9bdf6, 0x3ff4493ff09ddc49, 0x3fd3b02dc0c0fa55}},
    {"bfloat16 uniform_", {.op = TC_RANDOM_UNIFORM, .dtype = TC_BF16, .n = 40, .b = 1}, {0x3ecc, 0x3f33, 0x3e40, 0x3f5a}},
    {"torch.randn(1000)", {.op = TC_RANDOM_NORMAL, .dtype = TC_F32, .n = 1000, .b = 1, .fill = 1}, {0x3ff6a529, 0x3fbe5f53, 0xbec26fd3, 0xbf5a7bfd}},
    {"normal_(0.5, 3) of 37", {.op = TC_RANDOM_NORMAL, .dtype = TC_F32, .n = 37, .a = 0.5, .b = 3, .fill = 1}, {0x40c8fbdf, 0x409ec77e, 0x40e99adc, 0x40812de6}},
    {"torch.randn(5)", {.op = TC_RANDOM_NORMAL, .dtype = TC_F32, .n = 5, .b = 1, .fill = 1}, {0x3eac62ae, 0x3e03e69d, 0x3e6bdc6c, 0xbf8fb9c2}},
    {"float64 normal_(0.5, 3) of 37", {.op = TC_RANDOM_NORMAL, .dtype = TC_F64, .n = 37, .a = 0.5, .b = 3, .fill = 1}, {0x3ff660f29a1987c2, 0x3ff3a2569a66744d, 0x3fedd73678a98154, 0x4014d5865f5665ef}},
    {"bfloat16 randn", {.op = TC_RANDOM_NORMAL, .dtype = TC_BF16, .n = 50, .b = 1, .fill = 1}, {0xbf4f, 0xbfc4, 0xbf1a, 0x3f89}},
    {"log_normal_(0.5, 0.25)", {.op = TC_RANDOM_LOG_NORMAL, .dtype = TC_F32, .n = 20, .a = 0.5, .b = 0.25}, {0x3fe5919e, 0x3fd9f15b, 0x3fae438d, 0x3faeed94}},
    {"exponential_(1.5)", {.op = TC_RANDOM_EXPONENTIAL, .dtype = TC_F32, .n = 700, .a = 1.5}, {0x3d239aef, 0x3d316d9b, 0x3dc5be40, 0x3ea06319}},
    {"geometric_(0.3)", {.op = TC_RANDOM_GEOMETRIC, .dtype = TC_I64, .n = 40, .a = 0.3}, {0x8, 0x8, 0x4, 0x3}},
    {"cauchy_(1, 2)", {.op = TC_RANDOM_CAUCHY, .dtype = TC_F32, .n = 40, .a = 1, .b = 2}, {0xc11d3319, 0xc10fcc66, 0xbebb78c2, 0x3f11705f}},
    {"bernoulli_(0.3)", {.op = TC_RANDOM_BERNOULLI, .dtype = TC_BOOL, .n = 40, .a = 0.3}, {0x1, 0x1, 0x0, 0x0}},
    {"random_(-5, 100)", {.op = TC_RANDOM_RANDINT, .dtype = TC_I64, .n = 700, .lo = -5, .range = 105}, {0x34, 0xfffffffffffffffd, 0x55, 0x12}},
    {"random_(0, 2 ** 40)", {.op = TC_RANDOM_RANDINT, .dtype = TC_I64, .n = 50, .range = UINT64_C(1) << 40}, {0x66cbea3db3, 0x5c2ef5950e, 0x699154cf03, 0x35080425dc}},
    {"random_(-2 ** 63, None)", {.op = TC_RANDOM_RANDINT, .dtype = TC_I64, .n = 50, .lo = INT64_MIN}, {0x5fe1dc66cbea3db3, 0xf362035c2ef5950e, 0x8bf534699154cf03, 0x2f529f35080425dc}},
    {"int64 random_()", {.op = TC_RANDOM_RANDOM, .dtype = TC_I64, .n = 50}, {0x5fe1dc66cbea3db3, 0x7362035c2ef5950e, 0xbf534699154cf03, 0x2f529f35080425dc}},
    {"float32 random_()", {.op = TC_RANDOM_RANDOM, .dtype = TC_F32, .n = 50}, {0x4b61dc07, 0x4b6a3ce8, 0x4b410049, 0x4a47ee98}},
    {"uint8 random_()", {.op = TC_RANDOM_RANDOM, .dtype = TC_U8, .n = 50}, {0x66, 0xb3, 0xbd, 0xbd}},
};

static void check_recorded(void) {
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    tc_random_args a = cases[c].a;
    const int64_t size = tc_dtype_size(a.dtype);
    char *out = tensor(a.dtype, a.n);
    a.out = TEST_ADDRESS(out);
    seed(42);
    draw(a);
    const int64_t at[4] = {0, 1, a.n - 2, a.n - 1};
    for (int i = 0; i < 4; i++) {
      uint64_t bits = 0;
      memcpy(&bits, out + at[i] * size, (size_t)size);
      // float64 logarithms may differ in the last bit between C libraries.
      const uint64_t slack = a.dtype == TC_F64 && a.op != TC_RANDOM_UNIFORM ? 2 : 0;
      CHECK(bits - cases[c].bits[i] + slack <= 2 * slack, "%s, element %d: %016" PRIx64, cases[c].what, (int)at[i], bits);
    }
  }
}

static void check_state_recorded(void) {
  // torch.manual_seed(5); torch.randn(17); torch.rand(3); torch.empty(3).normal_(): left, next, cached normal.
  seed(5);
  float x[17];
  draw((tc_random_args){.op = TC_RANDOM_NORMAL, .dtype = TC_F32, .out = TEST_ADDRESS(x), .n = 17, .b = 1, .fill = 1});
  draw((tc_random_args){.op = TC_RANDOM_UNIFORM, .dtype = TC_F32, .out = TEST_ADDRESS(x), .n = 3, .b = 1});
  draw((tc_random_args){.op = TC_RANDOM_NORMAL, .dtype = TC_F32, .out = TEST_ADDRESS(x), .n = 3, .b = 1, .fill = 1});
  CHECK_EQ(generator.left, 581);
  CHECK_EQ(generator.next, 44);
  CHECK_EQ(generator.has_normal, 1);
  CHECK_CLOSE(generator.normal, -0.8326537688225168, 1e-15, 0);
}

// Without fma hardware the block path must give the same bits.
static void check_normal_paths(void) {
  CHECK(fma_is_fused(), "this build compares nothing: compile for a machine with fma");
  for (int trial = 0; trial < 20000; trial++) {
    float a[16], b[16];
    for (int i = 0; i < 16; i++) a[i] = b[i] = (float)(test_random_bits() >> 40) * 0x1p-24f;
    if (trial < 16) a[trial] = b[trial] = 0;
    fill_16_fused(a, 0.25f, 1.5f);
    fill_16_wide(b, 0.25f, 1.5f);
    CHECK(memcmp(a, b, sizeof a) == 0, "trial %d", trial);
  }
}

static void check_permutation(int64_t dtype, int64_t n) {
  void *out = tensor(dtype, n);
  const tc_randperm_args a = {TEST_ADDRESS(&generator), dtype, TEST_ADDRESS(out), n};
  CHECK_EQ(tc_randperm(&a), TC_OK);
  bool *seen = test_alloc((size_t)n);
  memset(seen, 0, (size_t)n);
  for (int64_t i = 0; i < n; i++) {
    const int64_t x = (int64_t)get(out, dtype, i);
    CHECK(x >= 0 && x < n && !seen[x]);
    seen[x] = true;
  }
}

// out = in * (mask / (1 - p)), the mask is bernoulli_(1 - p)'s, and the backward is the same product.
static void check_dropout(int64_t dtype, int64_t n, double p) {
  void *in = random_tensor(dtype, n, 3), *out = tensor(dtype, n), *back = tensor(dtype, n);
  uint8_t *mask = tensor(TC_U8, n), *expected = tensor(TC_U8, n);
  if (n > 2) put(in, dtype, 1, INFINITY);
  seed(9);
  tc_dropout_args a = {TEST_ADDRESS(&generator), dtype, TEST_ADDRESS(in), TEST_ADDRESS(out), TEST_ADDRESS(mask), n, p};
  CHECK_EQ(tc_dropout(&a), TC_OK);
  seed(9);
  draw((tc_random_args){.op = TC_RANDOM_BERNOULLI, .dtype = TC_U8, .out = TEST_ADDRESS(expected), .n = n, .a = 1 - p});
  CHECK(memcmp(mask, expected, (size_t)n) == 0);
  a.out = TEST_ADDRESS(back);
  CHECK_EQ(tc_dropout_backward(&a), TC_OK);
  CHECK(memcmp(out, back, (size_t)(n * tc_dtype_size(dtype))) == 0);
  void *keep = tensor(dtype, 1);
  put(keep, dtype, 0, dtype == TC_F64 ? 1 / (1 - p) : (double)(1 / (float)(1 - p)));
  for (int64_t i = 0; i < n; i++) {
    const double exact = get(in, dtype, i) * (mask[i] ? get(keep, dtype, 0) : 0);
    CHECK_CLOSE(get(out, dtype, i), exact, tolerance(dtype, 1), 0);
  }
}

// The mean and spread of many draws; the bounds are five standard errors.
static void check_moments(const double *x, int64_t n, double mean, double variance, const char *what) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  CHECK(fabs(sum / (double)n - mean) < 5 * sqrt(variance / (double)n), "%s: mean %g, expected %g", what, sum / (double)n, mean);
}

static void check_samplers(void) {
  enum { N = 20000 };
  double *p = tensor(TC_F64, N), *count = tensor(TC_F64, N), *out = tensor(TC_F64, N);
  const double rates[] = {0.5, 4, 30, 500};
  seed(11);
  tc_random_each_args a = {TEST_ADDRESS(&generator), TC_F64, TC_F64, TEST_ADDRESS(out), TEST_ADDRESS(p), TEST_ADDRESS(count), N};
  for (int r = 0; r < 4; r++) {
    for (int i = 0; i < N; i++) p[i] = rates[r];
    CHECK_EQ(tc_poisson(&a), TC_OK);
    check_moments(out, N, rates[r], rates[r], "poisson");
    CHECK_EQ(tc_standard_gamma(&a), TC_OK);
    check_moments(out, N, rates[r], rates[r], "gamma");
    for (int i = 0; i < N; i++) p[i] = 0.1 + 0.2 * r, count[i] = rates[r] * 10;
    CHECK_EQ(tc_binomial(&a), TC_OK);
    check_moments(out, N, count[0] * p[0], count[0] * p[0] * (1 - p[0]), "binomial");
    CHECK_EQ(tc_bernoulli_each(&a), TC_OK);
    check_moments(out, N, p[0], p[0] * (1 - p[0]), "bernoulli");
  }
  // Refusals come before anything is drawn.
  const tc_generator kept = generator;
  p[17] = -1;
  CHECK_EQ(tc_poisson(&a), TC_BAD_VALUE);
  CHECK_EQ(tc_error_info[1], 17);
  p[17] = 1.5;
  CHECK_EQ(tc_bernoulli_each(&a), TC_BAD_VALUE);
  p[17] = NAN;
  CHECK_EQ(tc_bernoulli_each(&a), TC_BAD_VALUE);
  CHECK(memcmp(&kept, &generator, sizeof kept) == 0);
}

static void check_multinomial(int64_t dtype, bool replacement) {
  const int64_t rows = 3, n = 6, samples = replacement ? 4000 : 4;
  void *weights = tensor(dtype, rows * n);
  for (int64_t i = 0; i < rows * n; i++) put(weights, dtype, i, i % n == 2 ? 0 : (double)(i % n + 1));
  int64_t *out = tensor(TC_I64, rows * samples);
  tc_multinomial_args a = {.generator = TEST_ADDRESS(&generator), .dtype = dtype, .weights = TEST_ADDRESS(weights),
                           .out = TEST_ADDRESS(out), .rows = rows, .n = n, .samples = samples, .replacement = replacement};
  CHECK_EQ(SCRATCH(a, tc_multinomial), TC_OK);
  for (int64_t r = 0; r < rows; r++) {
    int64_t seen[6] = {0};
    for (int64_t s = 0; s < samples; s++) {
      const int64_t x = out[r * samples + s];
      CHECK(x >= 0 && x < n && x != 2);
      seen[x]++;
    }
    for (int64_t k = 0; k < n; k++) {
      const double p = k == 2 ? 0 : (double)(k + 1) / 18;
      if (replacement) CHECK(fabs((double)seen[k] - p * (double)samples) <= 5 * sqrt((double)samples * p * (1 - p)));
      if (!replacement) CHECK(seen[k] <= 1);
    }
  }
  put(weights, dtype, 7, -1);
  CHECK_EQ(tc_multinomial(&a), TC_BAD_VALUE);
  CHECK_EQ(tc_error_info[0], 0);
  CHECK_EQ(tc_error_info[1], 7);
  for (int64_t i = 0; i < n; i++) put(weights, dtype, n + i, 0);
  CHECK_EQ(tc_multinomial(&a), TC_BAD_VALUE);
  CHECK_EQ(tc_error_info[0], 1);
  CHECK_EQ(tc_error_info[1], 1);
}

static void check_rrelu(int64_t dtype, int64_t n) {
  void *in = random_tensor(dtype, n, 1), *out = tensor(dtype, n), *noise = tensor(dtype, n);
  seed(1);
  const tc_rrelu_args a = {TEST_ADDRESS(&generator), dtype, TEST_ADDRESS(in), TEST_ADDRESS(out), TEST_ADDRESS(noise), n, 0.125, 0.375};
  CHECK_EQ(tc_rrelu(&a), TC_OK);
  int64_t negative = 0;
  for (int64_t i = 0; i < n; i++) {
    const double x = get(in, dtype, i), r = get(noise, dtype, i);
    CHECK(x > 0 ? r == 1 : r >= 0.125 && r <= 0.375);
    CHECK_CLOSE(get(out, dtype, i), x * r, tolerance(dtype, 1), 0x1p-24 * (dtype == TC_F16));
    negative += x <= 0;
  }
  const tc_generator after = generator;
  seed(1);
  for (int64_t i = 0; i < 2 * negative; i++) tc_mt_u32(&generator);
  CHECK(memcmp(&after, &generator, sizeof after) == 0);  // only those drew
}

int main(void) {
  check_generator();
  check_recorded();
  check_state_recorded();
  check_normal_paths();
  const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 511, 512, 513, 2000};
  for (size_t s = 0; s < sizeof sizes / 8; s++) {
    for (int d = 0; d < 4; d++) {
      check_dropout(test_floats[d], sizes[s], 0.3);
      check_rrelu(test_floats[d], sizes[s]);
      for (int op = TC_RANDOM_UNIFORM; op <= TC_RANDOM_RANDOM; op++) {
        void *out = tensor(test_floats[d], sizes[s]);
        draw((tc_random_args){.op = op, .dtype = test_floats[d], .out = TEST_ADDRESS(out), .n = sizes[s], .a = 0.5, .b = 2,
                              .lo = -3, .range = 10, .fill = 1});
        for (int64_t i = 0; i < sizes[s]; i++) CHECK(!isnan(get(out, test_floats[d], i)));
      }
    }
    check_permutation(TC_I64, sizes[s]);
    check_permutation(TC_F32, sizes[s]);
  }
  for (int d = 0; d < 10; d++) {  // every real dtype
    void *out = tensor(test_reals[d], 600);
    for (int op = TC_RANDOM_GEOMETRIC; op <= TC_RANDOM_RANDOM; op++) {
      if (op == TC_RANDOM_CAUCHY) continue;
      draw((tc_random_args){.op = op, .dtype = test_reals[d], .out = TEST_ADDRESS(out), .n = 600, .a = 0.5, .lo = 1, .range = 2});
      for (int64_t i = 0; op == TC_RANDOM_RANDINT && i < 600; i++) {
        const double x = get(out, test_reals[d], i);
        CHECK(x == 1 || x == (test_reals[d] == TC_BOOL ? 1 : 2));
      }
    }
  }
  check_samplers();
  for (int d = 0; d < 4; d++) check_multinomial(test_floats[d], true), check_multinomial(test_floats[d], false);
  const tc_random_args bad = {.op = TC_RANDOM_UNIFORM, .dtype = TC_I32, .n = 1};
  CHECK_EQ(tc_random(&bad), TC_UNSUPPORTED);
  return test_end();
}
