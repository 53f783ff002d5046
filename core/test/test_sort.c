// Sorting, selecting, distinct elements and searching, against sorts by comparison.
#include "tensors.h"

// a before b: PyTorch's order of values, NaN the largest.
static bool before(double a, double b) { return a < b || (b != b && a == a); }

static const double *sort_line;  // what compare_places compares
static bool sort_descending;

static int compare_places(const void *x, const void *y) {
  const int64_t i = *(const int64_t *)x, j = *(const int64_t *)y;
  const double a = sort_line[i], b = sort_line[j];
  if (before(a, b)) return sort_descending ? 1 : -1;
  if (before(b, a)) return sort_descending ? -1 : 1;
  return i < j ? -1 : i > j;
}

// The stable order of a line.
static int64_t *order_of(const double *line, int64_t n, bool descending) {
  int64_t *order = tensor(TC_I64, n);
  for (int64_t i = 0; i < n; i++) order[i] = i;
  sort_line = line;
  sort_descending = descending;
  qsort(order, (size_t)n, sizeof *order, compare_places);
  return order;
}

static bool same(double a, double b) { return a == b || (a != a && b != b); }

// Many equal ones, or few; floats with NaN, infinities and both zeros.
static void *line_tensor(int64_t dtype, int64_t n) {
  const bool few = pick(0, 1);
  void *t = random_tensor(dtype, n, few ? 2.5 : 1000);
  for (int64_t i = 0; is_float(dtype) && i < n; i++) {
    if (few) put(t, dtype, i, rint(get(t, dtype, i)));
    const int64_t kind = pick(0, 20);
    if (kind < 4) put(t, dtype, i, kind == 0 ? NAN : kind == 1 ? INFINITY : kind == 2 ? -INFINITY : -0.0);
  }
  for (int64_t i = 0; dtype == TC_I64 && !few && i < n; i++) ((int64_t *)t)[i] = (int64_t)test_random_bits() >> 12;
  for (int64_t i = 0; dtype == TC_I32 && !few && i < n; i++) ((int32_t *)t)[i] = (int32_t)test_random_bits();
  return t;
}

typedef struct { int64_t dtype, outer, n, inner; } shape;

static double *line_of(shape s, const void *t, int64_t o, int64_t i) {
  double *line = tensor(TC_F64, s.n);
  for (int64_t k = 0; k < s.n; k++) line[k] = get(t, s.dtype, (o * s.n + k) * s.inner + i);
  return line;
}

static void check_sort(shape s, bool descending) {
  const int64_t count = s.outer * s.n * s.inner;
  void *in = line_tensor(s.dtype, count), *values = tensor(s.dtype, count);
  int64_t *places = tensor(TC_I64, count);
  tc_sort_args a = {.dtype = s.dtype, .in = TEST_ADDRESS(in), .values = TEST_ADDRESS(values), .indices = TEST_ADDRESS(places),
                    .outer = s.outer, .n = s.n, .inner = s.inner, .descending = descending};
  CHECK_EQ(SCRATCH(a, tc_sort), TC_OK);
  for (int64_t o = 0; o < s.outer; o++) {
    for (int64_t i = 0; i < s.inner; i++) {
      const double *line = line_of(s, in, o, i);
      const int64_t *order = order_of(line, s.n, descending);
      for (int64_t k = 0; k < s.n; k++) {
        const int64_t at = (o * s.n + k) * s.inner + i;
        CHECK_EQ(places[at], order[k]);
        CHECK(memcmp((char *)values + at * tc_dtype_size(s.dtype),
                     (char *)in + ((o * s.n + order[k]) * s.inner + i) * tc_dtype_size(s.dtype),
                     (size_t)tc_dtype_size(s.dtype)) == 0);
      }
    }
  }
  a.values = 0;  // places alone
  int64_t *again = tensor(TC_I64, count);
  a.indices = TEST_ADDRESS(again);
  CHECK_EQ(tc_sort(&a), TC_OK);
  CHECK(memcmp(again, places, (size_t)count * 8) == 0);
}

// What a selection returns at place `at` must be the line's element there, and equal to `expected`.
static void check_choice(shape s, const double *line, const void *values, const int64_t *places, int64_t at, double expected) {
  CHECK(places[at] >= 0 && places[at] < s.n);
  CHECK(same(get(values, s.dtype, at), expected) && same(line[places[at]], expected));
}

static void check_select(shape s) {
  const int64_t lines = s.outer * s.inner;
  void *in = line_tensor(s.dtype, lines * s.n);
  const int64_t k = pick(0, 1) ? pick(1, s.n) : pick(1, s.n / 64 + 1);
  for (int variant = 0; variant < 4; variant++) {
    const bool largest = variant & 1, sorted = variant & 2;
    void *values = tensor(s.dtype, lines * k);
    int64_t *places = tensor(TC_I64, lines * k);
    tc_select_args a = {.dtype = s.dtype, .in = TEST_ADDRESS(in), .values = TEST_ADDRESS(values),
                        .indices = TEST_ADDRESS(places), .outer = s.outer, .n = s.n, .inner = s.inner, .k = k,
                        .largest = largest, .sorted = sorted};
    CHECK_EQ(SCRATCH(a, tc_topk), TC_OK);
    for (int64_t l = 0; l < lines; l++) {
      const int64_t o = l / s.inner, i = l % s.inner;
      const double *line = line_of(s, in, o, i);
      const int64_t *order = order_of(line, s.n, largest);
      bool *used = test_alloc((size_t)s.n);
      memset(used, 0, (size_t)s.n);
      double *got = tensor(TC_F64, k);
      for (int64_t j = 0; j < k; j++) {
        const int64_t at = (o * k + j) * s.inner + i;
        got[j] = get(values, s.dtype, at);
        check_choice(s, line, values, places, at, sorted ? line[order[j]] : got[j]);
        CHECK(!used[places[at]]);
        used[places[at]] = true;
      }
      const int64_t *found = order_of(got, k, largest);  // unsorted: the same values in some order
      for (int64_t j = 0; j < k; j++) CHECK(same(got[found[j]], line[order[j]]));
    }
  }
  void *values = tensor(s.dtype, lines);
  int64_t *places = tensor(TC_I64, lines);
  tc_select_args a = {.dtype = s.dtype, .in = TEST_ADDRESS(in), .values = TEST_ADDRESS(values), .indices = TEST_ADDRESS(places),
                      .outer = s.outer, .n = s.n, .inner = s.inner, .k = k};
  for (int what = 0; what < 4; what++) {
    a.ignore_nan = what == 2;
    CHECK_EQ(what == 0 ? SCRATCH(a, tc_kthvalue) : what == 3 ? SCRATCH(a, tc_mode) : SCRATCH(a, tc_median), TC_OK);
    for (int64_t l = 0; l < lines; l++) {
      const double *line = line_of(s, in, l / s.inner, l % s.inner);
      const int64_t *order = order_of(line, s.n, false);
      int64_t nans = 0, best = 0, most = 0;
      for (int64_t i = 0; i < s.n; i++) nans += line[i] != line[i];
      for (int64_t i = 0, run = 0; i < s.n; i++) {
        run = i > 0 && line[order[i]] == line[order[i - 1]] ? run + 1 : 1;
        if (run > most) most = run, best = order[i];
      }
      if (what == 0) {
        check_choice(s, line, values, places, l, line[order[k - 1]]);
      } else if (what == 3) {
        check_choice(s, line, values, places, l, line[best]);
      } else if (nans == s.n || (what == 1 && nans > 0)) {
        check_choice(s, line, values, places, l, NAN);
      } else {
        CHECK_EQ(places[l], order[(s.n - nans - 1) / 2]);
        check_choice(s, line, values, places, l, line[places[l]]);
      }
    }
  }
}

// Which of equal elements is returned: recorded from PyTorch 1.13.1.
static void check_ties(void) {
  float x[70];
  for (int i = 0; i < 70; i++) x[i] = (float)(i * 7 % 4);
  float values[20];
  int64_t places[20];
  tc_select_args a = {.dtype = TC_F32, .in = TEST_ADDRESS(x), .values = TEST_ADDRESS(values), .indices = TEST_ADDRESS(places),
                      .outer = 1, .n = 70, .inner = 1, .k = 20, .largest = 1, .sorted = 1};
  const int64_t top20[20] = {69, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45, 49, 53, 57, 61, 65, 1, 34, 6};
  CHECK_EQ(SCRATCH(a, tc_topk), TC_OK);
  for (int i = 0; i < 20; i++) CHECK_EQ(places[i], top20[i]);
  a.k = 1;
  CHECK_EQ(SCRATCH(a, tc_topk), TC_OK);
  CHECK_EQ(places[0], 1);
  a.k = 33;
  CHECK_EQ(SCRATCH(a, tc_kthvalue), TC_OK);
  CHECK_EQ(places[0], 55);
  CHECK_EQ(SCRATCH(a, tc_mode), TC_OK);
  CHECK_EQ(places[0], 8);
}

static void check_unique(int64_t dtype, int64_t n, int64_t row, bool consecutive) {
  void *in = line_tensor(dtype, n * row);
  int64_t *inverse = tensor(TC_I64, n), *counts = tensor(TC_I64, n), count = -1;
  int64_t *order = tensor(TC_I64, n);
  void *values = tensor(dtype, n);
  if (row == 1) {
    tc_unique_args a = {.dtype = dtype, .consecutive = consecutive, .in = TEST_ADDRESS(in), .values = TEST_ADDRESS(values),
                        .inverse = TEST_ADDRESS(inverse), .counts = TEST_ADDRESS(counts), .count = TEST_ADDRESS(&count), .n = n};
    CHECK_EQ(SCRATCH(a, tc_unique), TC_OK);
  } else {
    tc_unique_rows_args a = {.dtype = dtype, .consecutive = consecutive, .in = TEST_ADDRESS(in), .order = TEST_ADDRESS(order),
                             .inverse = TEST_ADDRESS(inverse), .counts = TEST_ADDRESS(counts), .count = TEST_ADDRESS(&count),
                             .n = n, .row = row};
    CHECK_EQ(SCRATCH(a, tc_unique_rows), TC_OK);
  }
  CHECK(count >= (n > 0) && count <= n);
  int64_t *seen = tensor(TC_I64, n);
  memset(seen, 0, (size_t)n * 8);
  for (int64_t i = 0; i < n; i++) {
    CHECK(inverse[i] >= 0 && inverse[i] < count);
    seen[inverse[i]]++;
    for (int64_t k = 0; k < row; k++) {  // an element is where its group says
      const double own = get(in, dtype, i * row + k);
      const double of_group = row == 1 ? get(values, dtype, inverse[i]) : get(in, dtype, order[inverse[i]] * row + k);
      CHECK(own == of_group || (own != own && of_group != of_group));
    }
  }
  for (int64_t g = 0; g < count; g++) CHECK_EQ(counts[g], seen[g]);
  for (int64_t g = 1; g < count; g++) {  // groups differ from the one before, and ascend if sorted
    int order_found = 0;
    bool nan = false;
    for (int64_t k = 0; k < row && order_found == 0; k++) {
      const double a = row == 1 ? get(values, dtype, g - 1) : get(in, dtype, order[g - 1] * row + k);
      const double b = row == 1 ? get(values, dtype, g) : get(in, dtype, order[g] * row + k);
      order_found = before(a, b) ? 1 : before(b, a) ? -1 : 0;
    }
    for (int64_t k = 0; k < row; k++) nan |= isnan(row == 1 ? get(values, dtype, g) : get(in, dtype, order[g] * row + k));
    CHECK(consecutive ? order_found != 0 || nan : order_found > 0 || (order_found == 0 && nan));
  }
}

static void check_search(int64_t dtype, int64_t rows, int64_t n, int64_t m, bool right, bool shared) {
  void *raw = random_tensor(dtype, rows * n, 3), *bounds = tensor(dtype, rows * n), *values = random_tensor(dtype, rows * m, 3);
  int64_t *sorter = tensor(TC_I64, rows * n), *out = tensor(TC_I64, rows * m);
  int32_t *narrow = tensor(TC_I32, rows * m);
  for (int64_t r = 0; r < rows; r++) {
    double *line = tensor(TC_F64, n);
    for (int64_t k = 0; k < n; k++) line[k] = get(raw, dtype, r * n + k);
    const int64_t *order = order_of(line, n, false);
    for (int64_t k = 0; k < n; k++) put(bounds, dtype, r * n + k, line[order[k]]), sorter[r * n + k] = order[k];
  }
  for (int sorted = 0; sorted < 2; sorted++) {
    tc_searchsorted_args a = {.dtype = dtype, .out_dtype = TC_I64, .right = right, .shared = shared,
                              .boundaries = TEST_ADDRESS(sorted ? bounds : raw), .values = TEST_ADDRESS(values),
                              .out = TEST_ADDRESS(out), .sorter = sorted ? 0 : TEST_ADDRESS(sorter), .rows = rows, .n = n, .m = m};
    CHECK_EQ(tc_searchsorted(&a), TC_OK);
    a.out_dtype = TC_I32;
    a.out = TEST_ADDRESS(narrow);
    CHECK_EQ(tc_searchsorted(&a), TC_OK);
    for (int64_t i = 0; i < rows * m; i++) {
      const int64_t row = shared ? 0 : i / m;
      int64_t below = 0;
      for (int64_t k = 0; k < n; k++) {
        const double b = get(bounds, dtype, row * n + k), v = get(values, dtype, i);
        below += right ? b <= v : b < v;
      }
      CHECK_EQ(out[i], below);
      CHECK_EQ(narrow[i], below);
    }
  }
  if (n == 0) return;
  sorter[n - 1] = n;
  const tc_searchsorted_args a = {.dtype = dtype, .out_dtype = TC_I64, .shared = shared, .boundaries = TEST_ADDRESS(raw),
                                  .values = TEST_ADDRESS(values), .out = TEST_ADDRESS(out), .sorter = TEST_ADDRESS(sorter),
                                  .rows = rows, .n = n, .m = m};
  CHECK_EQ(tc_searchsorted(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[2], n - 1);
}

int main(void) {
  const int64_t lengths[] = {0, 1, 2, 3, 15, 17, 40, 255, 256, 300, 2000, 20000};
  for (int d = 0; d < 10; d++) {
    const int64_t dtype = test_reals[d];
    for (size_t l = 0; l < sizeof lengths / 8; l++) {
      const int64_t n = lengths[l], width = n > 500 ? 1 : 3;
      check_sort((shape){dtype, pick(1, width), n, pick(1, width)}, l % 2);
      if (n > 0 && n < 3000) check_select((shape){dtype, pick(1, width), n, pick(1, width)});
      if (n < 500) check_unique(dtype, n, 1, l % 2), check_unique(dtype, n, pick(2, 3), l % 2 == 0);
      if (n < 300) check_search(dtype, pick(1, 3), n, 5, l % 2, l % 3 == 0);
    }
  }
  check_sort((shape){TC_F32, 1, 150001, 1}, true);  // one line, split among threads
  check_sort((shape){TC_I64, 1, 140000, 1}, false);
  check_sort((shape){TC_F32, 2, 70000, 1}, false);
  check_sort((shape){TC_F32, 0, 5, 2}, false);
  check_ties();
  const tc_sort_args bad = {.dtype = TC_C64, .outer = 1, .n = 1, .inner = 1};
  CHECK_EQ(tc_sort(&bad), TC_UNSUPPORTED);
  return test_end();
}
