// Factorisations of one matrix. A template: R is the element type, F(x) is x with the dtype's suffix.

static int32_t F(lu)(R *a, int64_t m, int64_t n, int32_t *pivots) {
  const int64_t steps = m < n ? m : n;
  int32_t info = 0;
  for (int64_t j = 0; j < steps; j++) {
    int64_t p = j;
    for (int64_t i = j + 1; i < m; i++) if (MAGNITUDE(a[i * n + j]) > MAGNITUDE(a[p * n + j])) p = i;
    pivots[j] = (int32_t)(p + 1);
    if (a[p * n + j] == 0) {
      if (info == 0) info = (int32_t)(j + 1);
      continue;
    }
    if (p != j) {
      for (int64_t c = 0; c < n; c++) {
        const R t = a[j * n + c];
        a[j * n + c] = a[p * n + c];
        a[p * n + c] = t;
      }
    }
    for (int64_t i = j + 1; i < m; i++) {
      const R l = a[i * n + j] /= a[j * n + j];
      if (l != 0) for (int64_t c = j + 1; c < n; c++) a[i * n + c] -= l * a[j * n + c];
    }
  }
  return info;
}

static void F(triangular)(const R *a, R *b, int64_t n, int64_t k, int64_t upper, int64_t unit) {
  for (int64_t s = 0; s < n; s++) {
    const int64_t i = upper ? n - 1 - s : s;
    R *row = b + i * k;
    const int64_t from = upper ? i + 1 : 0, to = upper ? n : i;
    for (int64_t j = from; j < to; j++) {
      const R f = a[i * n + j];
      if (f != 0) for (int64_t c = 0; c < k; c++) row[c] -= f * b[j * k + c];
    }
    if (!unit) for (int64_t c = 0; c < k; c++) row[c] /= a[i * n + i];
  }
}

static void F(lu_solve)(const R *a, R *b, int64_t n, int64_t k, const int32_t *pivots) {
  for (int64_t i = 0; i < n; i++) {
    const int64_t p = pivots[i] - 1;
    if (p != i) {
      for (int64_t c = 0; c < k; c++) {
        const R t = b[i * k + c];
        b[i * k + c] = b[p * k + c];
        b[p * k + c] = t;
      }
    }
  }
  F(triangular)(a, b, n, k, 0, 1);
  F(triangular)(a, b, n, k, 1, 0);
}

static int32_t F(cholesky)(R *a, int64_t n) {
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < j; i++) a[i * n + j] = 0;
    R d = a[j * n + j];
    for (int64_t p = 0; p < j; p++) d -= a[j * n + p] * a[j * n + p];
    if (!(d > 0)) return (int32_t)(j + 1);
    const R root = (R)sqrt((double)d);
    a[j * n + j] = root;
    for (int64_t i = j + 1; i < n; i++) {
      R s = a[i * n + j];
      for (int64_t p = 0; p < j; p++) s -= a[i * n + p] * a[j * n + p];
      a[i * n + j] = s / root;
    }
  }
  return 0;
}

// Applies I - tau v v^T, v = (1, column j of a below the diagonal), to columns [from, n) of a, rows from j.
static void F(reflect)(R *a, int64_t m, int64_t n, int64_t j, R tau, int64_t from) {
  for (int64_t c = from; c < n; c++) {
    R dot = a[j * n + c];
    for (int64_t i = j + 1; i < m; i++) dot += a[i * n + j] * a[i * n + c];
    dot *= tau;
    a[j * n + c] -= dot;
    for (int64_t i = j + 1; i < m; i++) a[i * n + c] -= dot * a[i * n + j];
  }
}

static void F(geqrf)(R *a, int64_t m, int64_t n, R *tau) {
  const int64_t steps = m < n ? m : n;
  for (int64_t j = 0; j < steps; j++) {
    double below = 0;
    for (int64_t i = j + 1; i < m; i++) below += (double)a[i * n + j] * (double)a[i * n + j];
    const double alpha = (double)a[j * n + j];
    if (below == 0) {
      tau[j] = 0;
      continue;
    }
    const double beta = alpha >= 0 ? -sqrt(alpha * alpha + below) : sqrt(alpha * alpha + below);
    tau[j] = (R)((beta - alpha) / beta);
    const R scale = (R)(1 / (alpha - beta));
    for (int64_t i = j + 1; i < m; i++) a[i * n + j] *= scale;
    F(reflect)(a, m, n, j, tau[j], j + 1);
    a[j * n + j] = (R)beta;
  }
}

// Backwards through the reflectors, each column of the identity taking shape in the place of its reflector.
static void F(orgqr)(R *a, int64_t m, int64_t n, int64_t k, const R *tau) {
  for (int64_t j = k; j < n; j++) {
    for (int64_t i = 0; i < m; i++) a[i * n + j] = i == j;
  }
  for (int64_t j = k - 1; j >= 0; j--) {
    F(reflect)(a, m, n, j, tau[j], j + 1);
    for (int64_t i = j + 1; i < m; i++) a[i * n + j] *= -tau[j];
    a[j * n + j] = 1 - tau[j];
    for (int64_t i = 0; i < j; i++) a[i * n + j] = 0;
  }
}
