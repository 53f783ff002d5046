// The factorisations against what they promise: products that give the matrix back, orthogonal factors, singular values
// and eigenvalues known beforehand, solutions that solve. Many shapes, batches, both dtypes, with and without threads.
#include "../numbers.h"
#include "harness.h"

typedef struct {
  void *data;
  int64_t dtype, batch, rows, cols;
} matrix;

static matrix empty(int64_t dtype, int64_t batch, int64_t rows, int64_t cols) {
  return (matrix){test_alloc((size_t)(batch * rows * cols * tc_dtype_size(dtype))), dtype, batch, rows, cols};
}
static int64_t place(matrix a, int64_t i, int64_t r, int64_t c) { return (i * a.rows + r) * a.cols + c; }
static double at(matrix a, int64_t i, int64_t r, int64_t c) { return tc_number_at(a.data, a.dtype, place(a, i, r, c)); }
static void put(matrix a, int64_t i, int64_t r, int64_t c, double x) {
  tc_put_number(a.data, a.dtype, place(a, i, r, c), x);
}
static matrix filled(int64_t dtype, int64_t batch, int64_t rows, int64_t cols, double scale) {
  matrix a = empty(dtype, batch, rows, cols);
  for (int64_t i = 0; i < batch * rows * cols; i++) tc_put_number(a.data, dtype, i, scale * test_random());
  return a;
}
static matrix copied(matrix a) {
  matrix b = empty(a.dtype, a.batch, a.rows, a.cols);
  memcpy(b.data, a.data, (size_t)(a.batch * a.rows * a.cols * tc_dtype_size(a.dtype)));
  return b;
}
static matrix product(matrix a, bool ta, matrix b, bool tb) {
  const int64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols, n = tb ? b.rows : b.cols;
  matrix c = empty(a.dtype, a.batch, m, n);
  for (int64_t i = 0; i < a.batch; i++) {
    for (int64_t r = 0; r < m; r++) {
      for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t p = 0; p < k; p++) sum += (ta ? at(a, i, p, r) : at(a, i, r, p)) * (tb ? at(b, i, j, p) : at(b, i, p, j));
        put(c, i, r, j, sum);
      }
    }
  }
  return c;
}
static double eps_of(int64_t dtype) { return dtype == TC_F32 ? 0x1p-23 : 0x1p-52; }

static double size_of(matrix a) {
  double top = 0;
  for (int64_t i = 0; i < a.batch * a.rows * a.cols; i++) top = fmax(top, fabs(tc_number_at(a.data, a.dtype, i)));
  return top;
}
// The largest difference, in units of eps times the size of b times the longer side.
static double distance(matrix a, matrix b) {
  double worst = 0;
  for (int64_t i = 0; i < a.batch * a.rows * a.cols; i++) {
    const double d = fabs(tc_number_at(a.data, a.dtype, i) - tc_number_at(b.data, b.dtype, i));
    if (!(d <= worst)) worst = d;
  }
  const double side = (double)(a.rows > a.cols ? a.rows : a.cols);
  return worst / (eps_of(a.dtype) * (size_of(b) + 1e-300) * (side + 4));
}
static matrix identity(int64_t dtype, int64_t batch, int64_t n) {
  matrix a = empty(dtype, batch, n, n);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t r = 0; r < n; r++) {
      for (int64_t c = 0; c < n; c++) put(a, i, r, c, r == c);
    }
  }
  return a;
}
#define NEAR(a, b, units, ...)                                         \
  do {                                                                 \
    const double near_d = distance(a, b);                              \
    CHECK(near_d <= (units), __VA_ARGS__);                             \
    if (!(near_d <= (units))) fprintf(stderr, "  off by %.3g units\n", near_d); \
  } while (0)
static void orthogonal(matrix q, bool by_rows, const char *what) {
  matrix g = by_rows ? product(q, false, q, true) : product(q, true, q, false);
  NEAR(g, identity(q.dtype, q.batch, g.rows), 8, "%s %d by %d", what, (int)q.rows, (int)q.cols);
}

typedef int32_t (*kernel)(const tc_linalg_args *);
static void launch(kernel run, int64_t (*scratch)(const tc_linalg_args *), tc_linalg_args *a) {
  a->scratch = TEST_ADDRESS(test_alloc((size_t)scratch(a)));
  CHECK_EQ(run(a), TC_OK);
}
#define LAUNCH(name, ...)                                \
  do {                                                   \
    tc_linalg_args launch_args = {__VA_ARGS__};          \
    launch(tc_##name, tc_##name##_scratch, &launch_args); \
  } while (0)
#define ADDRESS(x) TEST_ADDRESS((x).data)
#define SHAPE(x) .dtype = (x).dtype, .batch = (x).batch, .m = (x).rows, .n = (x).cols, .a = ADDRESS(x)

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int32_t *ints(int64_t n) { return test_alloc((size_t)n * sizeof(int32_t)); }
static matrix triangle(matrix a, bool upper, bool unit, int64_t rows, int64_t cols) {
  matrix t = empty(a.dtype, a.batch, rows, cols);
  for (int64_t i = 0; i < a.batch; i++) {
    for (int64_t r = 0; r < rows; r++) {
      for (int64_t c = 0; c < cols; c++) {
        put(t, i, r, c, r == c && unit ? 1 : (upper ? c >= r : c <= r) ? at(a, i, r, c) : 0);
      }
    }
  }
  return t;
}

static void lu_case(int64_t dtype, int64_t batch, int64_t m, int64_t n) {
  const int64_t steps = smaller(m, n);
  matrix a = filled(dtype, batch, m, n, 3), lu = copied(a);
  int32_t *pivots = ints(batch * steps), *info = ints(batch);
  LAUNCH(lu, SHAPE(lu), .pivots = TEST_ADDRESS(pivots), .info = TEST_ADDRESS(info));
  matrix l = triangle(lu, false, true, m, steps), u = triangle(lu, true, false, steps, n);
  matrix back = product(l, false, u, false);
  for (int64_t i = 0; i < batch; i++) {
    CHECK_EQ(info[i], 0);
    for (int64_t s = steps - 1; s >= 0; s--) {
      const int64_t p = pivots[i * steps + s] - 1;
      CHECK(p >= s && p < m, "pivot %d", (int)p);
      for (int64_t c = 0; c < n && p != s; c++) {
        const double x = at(back, i, s, c);
        put(back, i, s, c, at(back, i, p, c)), put(back, i, p, c, x);
      }
    }
    for (int64_t r = 0; r < m; r++) {
      for (int64_t c = 0; c < smaller(r, steps); c++) CHECK(fabs(at(lu, i, r, c)) <= 1, "|L| > 1");
    }
  }
  NEAR(back, a, 8, "lu %d by %d", (int)m, (int)n);
  if (m != n) return;
  for (int transposed = 0; transposed < 2; transposed++) {
    for (int64_t k = 1; k < 40; k += 37) {
      matrix b = filled(dtype, batch, n, k, 1), x = copied(b);
      LAUNCH(lu_solve, SHAPE(lu), .k = k, .b = ADDRESS(x), .pivots = TEST_ADDRESS(pivots), .transposed = transposed);
      matrix back_b = product(a, transposed, x, false);
      const double growth = size_of(x) * size_of(a) / size_of(b);  // backward stable: small against |a| |x|
      NEAR(back_b, b, 8 + 8 * growth, "lu_solve %d, %d", (int)n, transposed);
    }
  }
}

static void triangular_case(int64_t dtype, int64_t batch, int64_t n, int64_t k) {
  for (int which = 0; which < 8; which++) {
    const bool upper = which & 1, unit = which & 2, transposed = which & 4;
    matrix a = filled(dtype, batch, n, n, 1.0 / (double)n);
    for (int64_t i = 0; i < batch; i++) {
      for (int64_t r = 0; r < n; r++) put(a, i, r, r, 1.5);
    }
    matrix b = filled(dtype, batch, n, k, 1), x = copied(b);
    LAUNCH(triangular_solve, SHAPE(a), .k = k, .b = ADDRESS(x), .upper = upper, .unit = unit, .transposed = transposed);
    NEAR(product(triangle(a, upper, unit, n, n), transposed, x, false), b, 16, "triangular %d, %d", (int)n, which);
  }
}

static matrix symmetric(int64_t dtype, int64_t batch, int64_t n) {
  matrix a = filled(dtype, batch, n, n, 1);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t r = 0; r < n; r++) {
      for (int64_t c = 0; c < r; c++) put(a, i, r, c, at(a, i, c, r));
    }
  }
  return a;
}

static void cholesky_case(int64_t dtype, int64_t batch, int64_t n) {
  matrix g = filled(dtype, batch, n, n, 1), a = product(g, false, g, true);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t r = 0; r < n; r++) put(a, i, r, r, at(a, i, r, r) + 1);
  }
  matrix l = copied(a);
  int32_t *info = ints(batch);
  LAUNCH(cholesky, SHAPE(l), .info = TEST_ADDRESS(info));
  CHECK_EQ(info[batch - 1], 0);
  NEAR(product(l, false, l, true), a, 8, "cholesky %d", (int)n);
  for (int64_t r = 0; r < n; r++) {
    for (int64_t c = r + 1; c < n; c++) CHECK(at(l, 0, r, c) == 0, "upper triangle");
  }
  const int64_t bad = n / 2;
  put(a, 0, bad, bad, -1);
  l = copied(a);
  LAUNCH(cholesky, SHAPE(l), .info = TEST_ADDRESS(info));
  CHECK_EQ(info[0], bad + 1);
}

static void ldl_case(int64_t dtype, int64_t batch, int64_t n) {
  matrix a = symmetric(dtype, batch, n);
  for (int64_t r = 0; r < n; r += 2) put(a, 0, r, r, 0);  // asks for 2 by 2 pivots
  matrix ld = copied(a), b = filled(dtype, batch, n, 3, 1), x = copied(b);
  int32_t *pivots = ints(batch * n), *info = ints(batch);
  LAUNCH(ldl, SHAPE(ld), .pivots = TEST_ADDRESS(pivots), .info = TEST_ADDRESS(info));
  LAUNCH(ldl_solve, SHAPE(ld), .k = 3, .b = ADDRESS(x), .pivots = TEST_ADDRESS(pivots));
  NEAR(product(a, false, x, false), b, 64 + 64 * size_of(x) * size_of(a) / size_of(b), "ldl %d", (int)n);
}

static void qr_case(int64_t dtype, int64_t batch, int64_t m, int64_t n) {
  const int64_t steps = smaller(m, n);
  matrix a = filled(dtype, batch, m, n, 2), f = copied(a), tau = empty(dtype, batch, 1, steps);
  LAUNCH(geqrf, SHAPE(f), .values = ADDRESS(tau));
  matrix r = triangle(f, true, false, steps, n), q = empty(dtype, batch, m, steps), full = empty(dtype, batch, m, m);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t row = 0; row < m; row++) {
      for (int64_t c = 0; c < steps; c++) put(q, i, row, c, at(f, i, row, c));
      for (int64_t c = 0; c < m; c++) put(full, i, row, c, c < steps ? at(f, i, row, c) : 7);
    }
  }
  matrix reflectors = copied(q);
  LAUNCH(orgqr, SHAPE(q), .k = steps, .values = ADDRESS(tau));
  LAUNCH(orgqr, SHAPE(full), .k = steps, .values = ADDRESS(tau));
  orthogonal(q, false, "orgqr");
  orthogonal(full, false, "orgqr, whole");
  NEAR(product(q, false, r, false), a, 8, "qr %d by %d", (int)m, (int)n);
  for (int which = 0; which < 4; which++) {
    const bool left = which & 1, transposed = which & 2;
    matrix b = left ? filled(dtype, batch, m, 5, 1) : filled(dtype, batch, 5, m, 1), c = copied(b);
    LAUNCH(ormqr, SHAPE(reflectors), .k = 5, .b = ADDRESS(c), .values = ADDRESS(tau), .left = left, .transposed = transposed);
    NEAR(c, left ? product(full, transposed, b, false) : product(b, false, full, transposed), 8, "ormqr %d", which);
  }
}

static void eigh_case(int64_t dtype, int64_t batch, int64_t n, double scale) {
  matrix a = symmetric(dtype, batch, n), v = empty(dtype, batch, n, n), d = empty(dtype, batch, 1, n);
  for (int64_t i = 0; i < batch * n * n; i++) tc_put_number(a.data, dtype, i, scale * tc_number_at(a.data, dtype, i));
  v = copied(a);
  int32_t *info = ints(batch);
  LAUNCH(eigh, SHAPE(v), .values = ADDRESS(d), .info = TEST_ADDRESS(info), .job = TC_LINALG_REDUCED);
  CHECK_EQ(info[0], 0);
  orthogonal(v, false, "eigenvectors");
  matrix scaled = copied(v);
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t r = 0; r < n; r++) {
      for (int64_t c = 0; c < n; c++) put(scaled, i, r, c, at(v, i, r, c) * at(d, i, 0, c));
    }
    for (int64_t c = 1; c < n; c++) CHECK(at(d, i, 0, c) >= at(d, i, 0, c - 1), "order");
  }
  NEAR(product(a, false, v, false), scaled, 16, "eigh %d", (int)n);
  matrix only = empty(dtype, batch, 1, n), rest = copied(a);
  LAUNCH(eigh, SHAPE(rest), .values = ADDRESS(only), .job = TC_LINALG_VALUES);
  NEAR(only, d, 4, "eigvalsh %d", (int)n);
}

// Vectors of length 1 with A v = l v, all in complex numbers.
static void eig_case(int64_t dtype, int64_t batch, int64_t n, double scale, int kind) {
  matrix a = filled(dtype, batch, n, n, scale);
  for (int64_t i = 0; i < batch && kind != 0; i++) {
    for (int64_t r = 0; r < n; r++) {
      // 1: a permutation, whose eigenvalues are roots of one; 2: badly scaled rows and columns
      for (int64_t c = 0; c < n; c++) {
        put(a, i, r, c, kind == 1 ? (c == (r + 1) % n) : at(a, i, r, c) * ldexp(1, (int)((r - c) % 7) * 3));
      }
    }
  }
  matrix work = copied(a), l = empty(dtype, batch, n, 2), v = empty(dtype, batch, n, 2 * n);
  int32_t *info = ints(batch);
  LAUNCH(eig, SHAPE(work), .values = ADDRESS(l), .b = ADDRESS(v), .info = TEST_ADDRESS(info), .job = TC_LINALG_REDUCED);
  for (int64_t i = 0; i < batch; i++) {
    CHECK_EQ(info[i], 0);
    double trace = 0, sum = 0, residual = 0;
    for (int64_t k = 0; k < n; k++) {
      const double re = at(l, i, k, 0), im = at(l, i, k, 1);
      trace += at(a, i, k, k), sum += re;
      double length = 0;
      for (int64_t r = 0; r < n; r++) {
        const double x = at(v, i, r, 2 * k), y = at(v, i, r, 2 * k + 1);
        length += x * x + y * y;
        double ax = 0, ay = 0;
        for (int64_t c = 0; c < n; c++) {
          ax += at(a, i, r, c) * at(v, i, c, 2 * k), ay += at(a, i, r, c) * at(v, i, c, 2 * k + 1);
        }
        residual = fmax(residual, hypot(ax - (re * x - im * y), ay - (re * y + im * x)));
      }
      CHECK(fabs(length - 1) <= 16 * eps_of(dtype), "length %g", length);
    }
    const double unit = eps_of(dtype) * size_of(a) * (double)(n + 4);
    CHECK(residual <= 64 * unit, "eig %d, kind %d: %g units", (int)n, kind, residual / unit);
    CHECK(fabs(trace - sum) <= 16 * unit, "trace %g", trace - sum);
  }
  matrix only = empty(dtype, batch, n, 2), rest = copied(a);
  LAUNCH(eig, SHAPE(rest), .values = ADDRESS(only), .job = TC_LINALG_VALUES);
  NEAR(only, l, 16, "eigvals %d", (int)n);
}

static void svd_case(int64_t dtype, int64_t batch, int64_t m, int64_t n, double scale, int64_t rank) {
  const int64_t k = smaller(m, n);
  matrix a = rank < k ? product(filled(dtype, batch, m, rank, scale), false, filled(dtype, batch, rank, n, 1), false)
                      : filled(dtype, batch, m, n, scale);
  int32_t *info = ints(batch);
  matrix reduced = {0};
  for (int64_t job = TC_LINALG_FULL; job >= TC_LINALG_VALUES; job--) {
    const bool full = job == TC_LINALG_FULL;
    matrix work = copied(a), s = empty(dtype, batch, 1, k);
    if (job == TC_LINALG_VALUES) {
      LAUNCH(svd, SHAPE(work), .values = ADDRESS(s), .info = TEST_ADDRESS(info), .job = job);
      NEAR(s, reduced, 2, "svdvals %d by %d", (int)m, (int)n);
      continue;
    }
    matrix u = empty(dtype, batch, m, full ? m : k), v = empty(dtype, batch, full ? n : k, n);
    LAUNCH(svd, SHAPE(work), .b = ADDRESS(u), .c = ADDRESS(v), .values = ADDRESS(s), .info = TEST_ADDRESS(info), .job = job);
    CHECK_EQ(info[0], 0);
    orthogonal(u, false, "left vectors");
    orthogonal(v, true, "right vectors");
    matrix scaled = empty(dtype, batch, m, k), right = empty(dtype, batch, k, n);
    for (int64_t i = 0; i < batch; i++) {
      for (int64_t c = 0; c < k; c++) {
        CHECK(at(s, i, 0, c) >= 0 && (c == 0 || at(s, i, 0, c) <= at(s, i, 0, c - 1)), "order");
        for (int64_t r = 0; r < m; r++) put(scaled, i, r, c, at(u, i, r, c) * at(s, i, 0, c));
        for (int64_t j = 0; j < n; j++) put(right, i, c, j, at(v, i, c, j));
      }
      if (rank < k) CHECK(at(s, i, 0, rank) <= 16 * (double)(m + n) * eps_of(dtype) * at(s, i, 0, 0), "rank");
    }
    NEAR(product(scaled, false, right, false), a, 16, "svd %d by %d, %d", (int)m, (int)n, (int)job);
    reduced = s;
  }
}

// Graded: a bidiagonal matrix whose singular values, down to the smallest, have few ulp of error.
static void graded_svd(void) {
  const int64_t n = 12;
  matrix a = empty(TC_F64, 1, n, n), s = empty(TC_F64, 1, 1, n);
  for (int64_t r = 0; r < n; r++) {
    for (int64_t c = 0; c < n; c++) put(a, 0, r, c, r == c ? pow(1e-4, (double)r) : 0);
  }
  LAUNCH(svd, SHAPE(a), .values = ADDRESS(s), .job = TC_LINALG_VALUES);
  for (int64_t r = 0; r < n; r++) CHECK_CLOSE(at(s, 0, 0, r), pow(1e-4, (double)r), 1e-15, 0);
  matrix bad = filled(TC_F64, 1, 4, 4, 1);
  put(bad, 0, 2, 1, NAN);
  int32_t info;
  LAUNCH(svd, SHAPE(bad), .values = ADDRESS(s), .job = TC_LINALG_VALUES, .info = TEST_ADDRESS(&info));
  CHECK_EQ(info, -4);
}

static void gelsy_case(int64_t dtype, int64_t batch, int64_t m, int64_t n, int64_t rank, int64_t k) {
  const int64_t tall = m > n ? m : n;
  matrix a = product(filled(dtype, batch, m, rank, 1), false, filled(dtype, batch, rank, n, 1), false);
  matrix b = filled(dtype, batch, m, k, 1), x = empty(dtype, batch, tall, k), work = copied(a);
  int64_t *ranks = test_alloc((size_t)batch * sizeof(int64_t));
  for (int64_t i = 0; i < batch; i++) {
    for (int64_t r = 0; r < m; r++) {
      for (int64_t c = 0; c < k; c++) put(x, i, r, c, at(b, i, r, c));
    }
  }
  LAUNCH(gelsy, SHAPE(work), .k = k, .b = ADDRESS(x), .rank = TEST_ADDRESS(ranks),
         .tolerance = eps_of(dtype) * (double)tall);
  matrix solution = empty(dtype, batch, n, k), residual = empty(dtype, batch, m, k);
  for (int64_t i = 0; i < batch; i++) {
    CHECK_EQ(ranks[i], rank);
    for (int64_t r = 0; r < n; r++) {
      for (int64_t c = 0; c < k; c++) put(solution, i, r, c, at(x, i, r, c));
    }
  }
  matrix got = product(a, false, solution, false);
  for (int64_t i = 0; i < batch * m * k; i++) {
    tc_put_number(residual.data, dtype, i, tc_number_at(got.data, dtype, i) - tc_number_at(b.data, dtype, i));
  }
  // The residual is orthogonal to the columns.
  matrix normal = product(a, true, residual, false);
  const double limit = 4096 * eps_of(dtype) * (double)tall * size_of(a) * (size_of(b) + size_of(a) * size_of(solution));
  CHECK(size_of(normal) <= limit, "gelsy %d by %d of rank %d: %g", (int)m, (int)n, (int)rank, size_of(normal));
}

int main(void) {
  static const int64_t sides[] = {1, 2, 3, 7, 16, 33, 50, 97};
  for (int d = 0; d < 2; d++) {
    const int64_t dtype = d ? TC_F64 : TC_F32;
    for (int x = 0; x < 8; x++) {
      const int64_t n = sides[x];
      triangular_case(dtype, 2, n, n % 5 + 1);
      cholesky_case(dtype, 2, n);
      ldl_case(dtype, 2, n);
      eigh_case(dtype, 3, n, 1);
      for (int kind = 0; kind < 3; kind++) eig_case(dtype, 2, n, 1, kind);
      eig_case(dtype, 1, n, d ? 1e-200 : 1e-30, 0);
      eig_case(dtype, 1, n, d ? 1e250 : 1e30, 0);
      eigh_case(dtype, 1, n, d ? 1e-200 : 1e-30);
      eigh_case(dtype, 1, n, d ? 1e250 : 1e30);
      for (int y = 0; y < 8; y++) {
        const int64_t m = sides[y];
        lu_case(dtype, y % 3 + 1, m, n);
        qr_case(dtype, y % 3 + 1, m, n);
        svd_case(dtype, y % 3 + 1, m, n, 1, 1000);
        if (x < 5 && y < 5) gelsy_case(dtype, 2, m, n, smaller(m, n), 3);
      }
      svd_case(dtype, 1, n, n + 2, d ? 1e-200 : 1e-30, 1000);
      svd_case(dtype, 1, n + 2, n, d ? 1e250 : 1e30, 1000);
      svd_case(dtype, 2, n + 4, n + 3, 1, (n + 1) / 2);
      svd_case(dtype, 2, n + 3, 3 * n + 4, 1, (n + 1) / 2);
      gelsy_case(dtype, 2, n + 4, n + 3, (n + 1) / 2, 2);
      gelsy_case(dtype, 2, n + 2, n + 9, (n + 1) / 2, 1);
    }
    // Large enough for the threads to share one matrix.
    lu_case(dtype, 1, 150, 140);
    lu_case(dtype, 1, 130, 130);
    cholesky_case(dtype, 1, 150);
    qr_case(dtype, 1, 160, 120);
    eigh_case(dtype, 1, 160, 1);
    svd_case(dtype, 1, 160, 130, 1, 1000);
    svd_case(dtype, 1, 60, 200, 1, 1000);
  }
  graded_svd();
  return test_end();
}
