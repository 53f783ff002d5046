// Reductions and scans of random layouts and dtypes against plain loops in long double (int64 for integers).
#include "tensors.h"

static const char *const names[] = {"sum", "mean", "prod", "max", "min", "argmax", "argmin", "any", "all", "nansum",
                                    "count_nonzero", "var", "std", "logsumexp", "norm", "sumsq"};

// One result, from its elements in order.
typedef struct {
  double value;
  int64_t whole, place;
  double second;  // the mean of var and std
} outcome;

static outcome naive(int64_t op, const double *x, int64_t n, bool floats, double p) {
  outcome r = {.place = -1};
  long double sum = 0, squares = 0;
  uint64_t wrapped = 0, product = 1;
  double best = op == TC_RED_MIN || op == TC_RED_ARGMIN ? INFINITY : -INFINITY;
  switch (op) {
    case TC_RED_SUM: case TC_RED_MEAN: case TC_RED_NANSUM: case TC_RED_SUMSQ: case TC_RED_COUNT_NONZERO:
      for (int64_t i = 0; i < n; i++) {
        const long double v = op == TC_RED_SUMSQ ? (long double)x[i] * x[i] : op == TC_RED_COUNT_NONZERO ? x[i] != 0 : x[i];
        if (op == TC_RED_NANSUM && isnan(x[i])) continue;
        sum += v;
        if (!floats) wrapped += (uint64_t)(int64_t)v;
      }
      r.value = (double)(op == TC_RED_MEAN ? sum / n : sum);
      r.whole = op == TC_RED_COUNT_NONZERO ? (int64_t)sum : (int64_t)wrapped;
      return r;
    case TC_RED_PROD:
      sum = 1;
      for (int64_t i = 0; i < n; i++) {
        sum *= x[i];
        if (!floats) product *= (uint64_t)(int64_t)x[i];
      }
      r.value = (double)sum, r.whole = (int64_t)product;
      return r;
    case TC_RED_MAX: case TC_RED_MIN: case TC_RED_ARGMAX: case TC_RED_ARGMIN:
      for (int64_t i = 0; i < n; i++) {
        const bool better = op == TC_RED_MAX || op == TC_RED_ARGMAX ? x[i] > best : x[i] < best;
        if (r.place < 0 || (!isnan(best) && (better || isnan(x[i])))) best = x[i], r.place = i;
      }
      r.value = best, r.whole = floats ? 0 : (int64_t)best;
      return r;
    case TC_RED_ANY: case TC_RED_ALL:
      r.whole = op == TC_RED_ALL;
      for (int64_t i = 0; i < n; i++) r.whole = op == TC_RED_ANY ? r.whole || x[i] != 0 : r.whole && x[i] != 0;
      return r;
    case TC_RED_VAR: case TC_RED_STD:
      for (int64_t i = 0; i < n; i++) sum += x[i];
      r.second = (double)(sum / n);
      for (int64_t i = 0; i < n; i++) squares += (x[i] - sum / n) * (x[i] - sum / n);
      r.value = (double)(squares / (n - p > 0 ? n - p : 0));
      if (op == TC_RED_STD) r.value = sqrt(r.value);
      return r;
    case TC_RED_LOGSUMEXP:
      for (int64_t i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
      for (int64_t i = 0; i < n; i++) sum += expl(x[i] - (isinf(best) ? 0 : best));
      r.value = (double)((isinf(best) ? 0 : best) + logl(sum));
      return r;
    default:  // norm
      if (isinf(p)) {
        best = p > 0 ? 0 : INFINITY;
        for (int64_t i = 0; i < n; i++) {
          if (isnan(best)) break;
          if (isnan(x[i]) || (p > 0 ? fabs(x[i]) > best : fabs(x[i]) < best)) best = fabs(x[i]);
        }
        r.value = best;
        return r;
      }
      for (int64_t i = 0; i < n; i++) sum += p == 0 ? x[i] != 0 : powl(fabsl(x[i]), p);
      r.value = (double)(p == 0 ? sum : powl(sum, 1 / p));
      return r;
  }
}

static int64_t compute_of(int64_t dtype) { return dtype == TC_F64 ? TC_F64 : is_float(dtype) ? TC_F32 : TC_I64; }

// Dimensions split at random into kept and reduced ones, in memory order of any kind.
static void one_reduction(void) {
  static const int64_t sizes[] = {1, 2, 3, 5, 8, 17, 33, 70, 130, 300};
  static const double powers[] = {0, 1, 2, 3, 0.5, INFINITY, -INFINITY};
  const int64_t dtype = test_reals[pick(0, 9)];
  const bool floats = is_float(dtype);
  tc_reduce_args a = {.op = pick(0, TC_RED_SUMSQ), .in_dtype = dtype, .compute = compute_of(dtype)};
  if (!floats && (a.op == TC_RED_MEAN || a.op == TC_RED_NANSUM || a.op >= TC_RED_VAR)) return;
  int64_t shape[4], stride[4], order[4] = {0, 1, 2, 3}, kept[4], ndim = pick(1, 4), elements = 1, first = 0;
  int64_t total = 1;
  for (int64_t d = 0; d < ndim; d++) {
    shape[d] = sizes[pick(0, 9)];
    if (total * shape[d] > 20000) shape[d] = 1;
    total *= shape[d];
  }
  if (pick(0, 15) == 0) ndim = 1, shape[0] = total = pick(60000, 150000);
  if (pick(0, 15) == 0) ndim = 2, shape[0] = pick(4, 300), shape[1] = 400, total = 400 * shape[0];
  for (int64_t d = ndim - 1; d > 0; d--) {
    const int64_t other = pick(0, d), swap = order[d];
    order[d] = order[other], order[other] = swap;
  }
  const int64_t gap = pick(0, 5) == 0;
  for (int64_t i = 0; i < ndim; i++) {
    const int64_t d = order[i];
    stride[d] = elements;
    elements *= shape[d];
    elements += gap ? stride[d] : 0;
    if (pick(0, 7) == 0) {
      first += (shape[d] - 1) * stride[d];
      stride[d] = -stride[d];
    }
  }
  void *x = random_tensor(dtype, elements, a.op == TC_RED_PROD ? 1 : 3);
  for (int64_t i = 0; i < elements; i++) {
    const double v = get(x, dtype, i);
    if (a.op == TC_RED_PROD && floats) put(x, dtype, i, 1 + v * 0.01);
    if (a.op == TC_RED_ANY) put(x, dtype, i, pick(0, 400) == 0);
    if (a.op == TC_RED_ALL) put(x, dtype, i, pick(0, 400) != 0);
    if (floats && pick(0, 1) && (a.op == TC_RED_MAX || a.op == TC_RED_ARGMIN)) put(x, dtype, i, nearbyint(v));  // ties
    if (floats && a.op == TC_RED_VAR) put(x, dtype, i, v + 1);
  }
  if (floats && a.op != TC_RED_VAR && a.op != TC_RED_STD && pick(0, 3) == 0) {
    put(x, dtype, pick(0, elements - 1), pick(0, 1) ? NAN : pick(0, 1) ? INFINITY : -INFINITY);
  }
  a.in = TEST_ADDRESS((char *)x + first * tc_dtype_size(dtype));
  int64_t results = 1, reduced = 1;
  for (int64_t d = 0; d < ndim; d++) {
    kept[d] = pick(0, 1);
    if (kept[d]) {
      a.keep_shape[a.nkeep] = shape[d], a.keep_in[a.nkeep] = stride[d], a.keep_out[a.nkeep] = 2 * results;
      results *= shape[d];
      a.nkeep++;
    } else {
      a.red_shape[a.nreduce] = shape[d], a.red_in[a.nreduce] = stride[d];
      reduced *= shape[d];
      a.nreduce++;
    }
  }
  const bool places = a.op == TC_RED_ARGMAX || a.op == TC_RED_ARGMIN, truth = a.op == TC_RED_ANY || a.op == TC_RED_ALL;
  const bool pairs = a.op == TC_RED_MAX || a.op == TC_RED_MIN, moments = a.op == TC_RED_VAR || a.op == TC_RED_STD;
  a.out_dtype = places || a.op == TC_RED_COUNT_NONZERO ? TC_I64 : truth ? TC_BOOL : floats ? dtype : TC_I64;
  a.param[0] = moments ? pick(0, 1) : powers[pick(0, 6)];
  void *out = tensor(a.out_dtype, 2 * results), *second = tensor(pairs ? TC_I64 : dtype, 2 * results);
  a.out = TEST_ADDRESS(out);
  if ((pairs || moments) && pick(0, 1)) a.out2 = TEST_ADDRESS(second);
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  double *line = tensor(TC_F64, reduced);
  for (int64_t c = 0; c < results; c++) {
    int64_t base = first, rest = c;
    for (int64_t d = 0; d < a.nkeep; d++) {
      base += rest % a.keep_shape[d] * a.keep_in[d];
      rest /= a.keep_shape[d];
    }
    double spread = 0;
    for (int64_t i = 0; i < reduced; i++) {
      int64_t at = base;
      rest = i;
      for (int64_t d = 0; d < a.nreduce; d++) {
        at += rest % a.red_shape[d] * a.red_in[d];
        rest /= a.red_shape[d];
      }
      line[i] = get(x, dtype, at);
      spread += isnan(line[i]) ? 0 : fabs(line[i]);
    }
    const outcome want = naive(a.op, line, reduced, floats, a.param[0]);
    if (places) {
      CHECK_EQ(((int64_t *)out)[2 * c], want.place);
    } else if (a.out_dtype == TC_I64 || truth) {
      CHECK(get(out, a.out_dtype, 2 * c) == (double)want.whole, "%s", names[a.op]);
    } else {
      // Sums lose no more than a few roundings of the sum of magnitudes.
      double rtol = tolerance(dtype, dtype == TC_F64 ? 16 : 4), atol = isfinite(spread) ? spread * 0x1p-25 : 0;
      if (dtype == TC_F64) atol *= 0x1p-26;
      if (dtype == TC_F16) atol += 0x1p-24;  // subnormal results
      if (a.op == TC_RED_NORM || a.op == TC_RED_PROD) rtol = rtol * 8 + (dtype == TC_F64 ? 0 : 1e-6);
      double limit = want.value;
      if (dtype == TC_F16 && fabs(limit) >= 65520) limit = copysign(INFINITY, limit);
      CHECK(test_close(get(out, dtype, 2 * c), limit, rtol, atol), "%s of %" PRId64 ", dtype %" PRId64 ", p %g: expected %.9g, but got %.9g",
            names[a.op], reduced, dtype, a.param[0], limit, get(out, dtype, 2 * c));
    }
    if (a.out2 != 0 && pairs) CHECK_EQ(((int64_t *)second)[2 * c], want.place);
    if (a.out2 != 0 && moments) {
      CHECK_CLOSE(get(second, dtype, 2 * c), want.second, tolerance(dtype, 4), tolerance(dtype, 4));
    }
  }
  free(x), free(out), free(second), free(line);
}

static void empty(void) {
  // Nothing to reduce gives the identity.
  static const struct { int64_t op; double want; } identities[] = {
      {TC_RED_SUM, 0}, {TC_RED_MEAN, NAN}, {TC_RED_PROD, 1}, {TC_RED_NANSUM, 0}, {TC_RED_VAR, NAN}, {TC_RED_STD, NAN},
      {TC_RED_LOGSUMEXP, -INFINITY}, {TC_RED_NORM, 0}, {TC_RED_SUMSQ, 0}};
  for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
    float out[3] = {7, 7, 7};
    tc_reduce_args a = {.op = identities[i].op, .in_dtype = TC_F32, .out_dtype = TC_F32, .compute = TC_F32,
                        .out = TEST_ADDRESS(out), .param = {2}, .nkeep = 1, .nreduce = 1, .keep_shape = {3},
                        .keep_out = {1}, .red_shape = {0}, .red_in = {1}};
    if (a.op == TC_RED_VAR || a.op == TC_RED_STD) a.param[0] = 1;
    CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
    for (int c = 0; c < 3; c++) CHECK_CLOSE(out[c], identities[i].want, 0, 0);
  }
  uint8_t truths[2] = {9, 9};
  tc_reduce_args a = {.op = TC_RED_ANY, .in_dtype = TC_F32, .out_dtype = TC_BOOL, .compute = TC_F32,
                      .out = TEST_ADDRESS(&truths[0]), .nreduce = 1, .red_shape = {0}, .red_in = {1}};
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  a.op = TC_RED_ALL, a.out = TEST_ADDRESS(&truths[1]);
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  CHECK_EQ(truths[0], 0);
  CHECK_EQ(truths[1], 1);
  // No results: nothing is written.
  a.nkeep = 1, a.keep_shape[0] = 0, a.out = 0;
  CHECK_EQ(tc_reduce(&a), TC_OK);
  a.compute = TC_C64;
  CHECK_EQ(tc_reduce(&a), TC_UNSUPPORTED);
}

// Sums that a plain float32 loop gets wrong, and a variance far from zero.
static void accuracy(void) {
  enum { N = 1 << 20 };
  float *x = tensor(TC_F32, N), out, mean;
  for (int64_t i = 0; i < N; i++) x[i] = 0.1f;
  tc_reduce_args a = {.op = TC_RED_SUM, .in_dtype = TC_F32, .out_dtype = TC_F32, .compute = TC_F32,
                      .in = TEST_ADDRESS(x), .out = TEST_ADDRESS(&out), .nreduce = 1, .red_shape = {N}, .red_in = {1}};
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  CHECK_CLOSE(out, (double)0.1f * N, 2e-7, 0);
  double exact = 0;
  for (int64_t i = 0; i < N; i++) {
    x[i] = 10000 + (float)test_random();
    exact += ((double)x[i] - 10000) * ((double)x[i] - 10000);
  }
  a.op = TC_RED_VAR, a.out2 = TEST_ADDRESS(&mean);
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  CHECK_CLOSE(out, exact / N, 1e-4, 0);
  CHECK_CLOSE(mean, 10000, 1e-6, 0);
  // The same in columns.
  float columns[1024];
  a.out = TEST_ADDRESS(columns), a.out2 = 0, a.nkeep = 1, a.keep_shape[0] = 1024, a.keep_in[0] = 1, a.keep_out[0] = 1;
  a.red_shape[0] = N / 1024, a.red_in[0] = 1024;
  CHECK_EQ(SCRATCH(a, tc_reduce), TC_OK);
  for (int c = 0; c < 1024; c++) CHECK_CLOSE(columns[c], 1.0 / 3, 0.2, 0);
}

static void one_scan(void) {
  static const int64_t sizes[] = {0, 1, 2, 3, 7, 65, 300};
  const int64_t dtype = test_reals[pick(0, 9)];
  const bool floats = is_float(dtype);
  tc_scan_args a = {.op = pick(0, floats ? TC_SCAN_LOGSUMEXP : TC_SCAN_MIN), .in_dtype = dtype, .compute = compute_of(dtype),
                    .outer = sizes[pick(0, 4)], .n = sizes[pick(0, 6)], .inner = pick(0, 2) ? sizes[pick(1, 5)] : 1};
  const bool pairs = a.op == TC_SCAN_MAX || a.op == TC_SCAN_MIN;
  a.out_dtype = floats || pairs ? dtype : TC_I64;
  const int64_t total = a.outer * a.n * a.inner;
  void *x = random_tensor(dtype, total, 2), *out = tensor(a.out_dtype, total);
  for (int64_t i = 0; i < total && floats && pairs; i++) put(x, dtype, i, nearbyint(get(x, dtype, i)));
  if (floats && total > 0 && pick(0, 2) == 0) put(x, dtype, pick(0, total - 1), pick(0, 1) ? NAN : -INFINITY);
  int64_t *places = tensor(TC_I64, total);
  a.in = TEST_ADDRESS(x), a.out = TEST_ADDRESS(out), a.indices = pairs ? TEST_ADDRESS(places) : 0;
  CHECK_EQ(tc_scan(&a), TC_OK);
  for (int64_t line = 0; line < a.outer * a.inner; line++) {
    const int64_t base = line / a.inner * a.n * a.inner + line % a.inner;
    double sum = a.op == TC_SCAN_PROD ? 1 : a.op == TC_SCAN_LOGSUMEXP ? -INFINITY : 0;
    uint64_t wrapped = a.op == TC_SCAN_PROD;
    int64_t place = 0;
    for (int64_t i = 0; i < a.n; i++) {
      const int64_t at = base + i * a.inner;
      const double v = get(x, dtype, at);
      if (a.op == TC_SCAN_SUM) sum += v;
      if (a.op == TC_SCAN_PROD) sum *= v;
      if (a.op == TC_SCAN_LOGSUMEXP && !isnan(sum)) {
        const double high = fmax(v, sum);
        sum = isnan(v) ? v : high == -INFINITY ? high : high + log(exp(v - high) + exp(sum - high));
      }
      if (!floats && !pairs) {
        wrapped = a.op == TC_SCAN_SUM ? wrapped + (uint64_t)(int64_t)v : wrapped * (uint64_t)(int64_t)v;
        CHECK_EQ(((int64_t *)out)[at], wrapped);
        continue;
      }
      if (pairs) {
        if (i == 0 || isnan(v) || (a.op == TC_SCAN_MAX ? v >= sum : v <= sum)) sum = v, place = i;
        CHECK_EQ(places[at], place);
      }
      const double ulps = a.op == TC_SCAN_LOGSUMEXP && dtype == TC_F64 ? 300 : 2;  // the loop here rounds as well
      const double tol = tolerance(floats ? dtype : TC_F64, ulps);
      CHECK(test_close(get(out, a.out_dtype, at), sum, tol, tol),
            "scan %" PRId64 " of dtype %" PRId64 ": expected %g, but got %g", a.op, dtype, sum, get(out, a.out_dtype, at));
    }
  }
  free(x), free(out), free(places);
}

int main(void) {
  for (int i = 0; i < 1200; i++) one_reduction();
  empty();
  accuracy();
  for (int i = 0; i < 1000; i++) one_scan();
  return test_end();
}
