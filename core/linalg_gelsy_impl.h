// Least squares of matrices that may lack rank: QR with column pivoting, the rank by incremental condition estimation
// (Bischof, 1990), and a second QR factorisation from the other side. A part of linalg_all.h.

// Factorises the columns of a matrix, which lie as rows in `v` (n by m), always taking the longest that is left; their
// lengths are followed as LAPACK's laqp2 does.
static void pivoted_qr(ptrdiff_t m, ptrdiff_t n, R *v, int32_t *order, R *tau, R *length, R *exact) {
  for (ptrdiff_t j = 0; j < n; j++) {
    order[j] = (int32_t)j;
    length[j] = exact[j] = norm2(m, v + j * m);
  }
  for (ptrdiff_t c = 0; c < min(m, n); c++) {
    ptrdiff_t top = c;
    for (ptrdiff_t j = c + 1; j < n; j++) {
      if (length[j] > length[top]) top = j;
    }
    if (top != c) {
      swap(m, v + c * m, v + top * m);
      const int32_t t = order[c];
      order[c] = order[top], order[top] = t;
      length[top] = length[c], exact[top] = exact[c];
    }
    R *x = v + c * m + c;
    tau[c] = reflector(m - c - 1, x, x + 1);
    const R beta = *x;
    *x = 1;
    for (ptrdiff_t j = c + 1; j < n; j++) {
      R *y = v + j * m + c;
      if (tau[c] != 0) axpy(m - c, -tau[c] * dot(m - c, x, y), x, y);
      if (length[j] == 0) continue;
      R ratio = ABS(*y) / length[j];
      ratio = (1 + ratio) * (1 - ratio);
      if (ratio < 0) ratio = 0;
      const R loss = ratio * (length[j] / exact[j]) * (length[j] / exact[j]);
      if (loss <= SQRT(EPS)) {
        length[j] = exact[j] = norm2(m - c - 1, y + 1);
      } else {
        length[j] *= SQRT(ratio);
      }
    }
    *x = beta;
  }
}

// How many leading columns of the triangle (r[row] = v[col * m + row]) are independent: the ratio of its extreme singular
// values, estimated as it grows, stays above `tolerance`. x and y: workspace of n each.
static ptrdiff_t triangle_rank(ptrdiff_t m, ptrdiff_t n, const R *v, R tolerance, R *x, R *y) {
  R smallest = ABS(v[0]), greatest = smallest;
  if (smallest == 0) return 0;
  x[0] = y[0] = 1;
  ptrdiff_t rank = 1;
  for (; rank < min(m, n); rank++) {
    const R *column = v + rank * m;
    R low, high, sr, cr, sl_min, cl_min, sl_max, cl_max, unused;
    // The vector of an extreme singular value, longer by one: a singular vector of (estimate, x . column; 0, diagonal).
    singular_pair(smallest, dot(rank, x, column), column[rank], &low, &unused, &sr, &cr, &sl_min, &cl_min);
    singular_pair(greatest, dot(rank, y, column), column[rank], &unused, &high, &sr, &cr, &sl_max, &cl_max);
    if (!(ABS(high) * tolerance <= ABS(low))) break;
    scale(rank, -sl_min, x), x[rank] = cl_min;
    scale(rank, cl_max, y), y[rank] = sl_max;
    smallest = ABS(low), greatest = ABS(high);
  }
  return rank;
}

// b (rows by k) = H b, for the reflection with the vector x (its first number counts as 1).
static void reflect_rows(ptrdiff_t rows, ptrdiff_t k, const R *x, R tau, R *b, R *sums) {
  if (tau == 0) return;
  memcpy(sums, b, (size_t)k * sizeof(R));
  for (ptrdiff_t r = 1; r < rows; r++) axpy(k, x[r], b + r * k, sums);
  axpy(k, -tau, sums, b);
  for (ptrdiff_t r = 1; r < rows; r++) axpy(k, -tau * x[r], sums, b + r * k);
}

ROUTINE(gelsy) {
  const ptrdiff_t m = args->m, n = args->n, k = args->k, steps = min(m, n);
  R *v = TAKE(arena, m * n), *tau = TAKE(arena, steps), *x = TAKE(arena, n), *y = TAKE(arena, n);
  R *other = TAKE(arena, n * steps), *sums = TAKE(arena, k), *solution = TAKE(arena, n * k);
  int32_t *order = tc_take(&arena, n * (ptrdiff_t)sizeof(int32_t));
  MEASURED(arena)
  const ptrdiff_t tall = max(m, n);
  R *a = AT(a, m * n), *b = AT(b, tall * k);
  const R factor = safe_factor(largest(m * n, a));
  copy_matrix(n, m, (mat){a, 1, n}, rows_of(v, m));
  if (factor != 1) scale(m * n, factor, v);
  pivoted_qr(m, n, v, order, tau, x, y);
  const ptrdiff_t rank = triangle_rank(m, n, v, (R)args->tolerance, x, y);
  TC_PTR(int64_t, args->rank)[i] = rank;
  for (ptrdiff_t c = 0; c < steps; c++) reflect_rows(m - c, k, v + c * m + c, tau[c], b + c * k, sums);
  // (R1 R2)^T = Q S, so that x = Q S^-T b is the shortest solution.
  for (ptrdiff_t r = 0; r < rank; r++) {
    for (ptrdiff_t c = 0; c < n; c++) other[r * n + c] = c < r ? 0 : v[c * m + r];
  }
  qr_panel(n, rank, other, tau);
  memset(solution, 0, (size_t)(n * k) * sizeof(R));
  for (ptrdiff_t r = 0; r < rank; r++) {
    R *row = solution + r * k;
    memcpy(row, b + r * k, (size_t)k * sizeof(R));
    for (ptrdiff_t c = 0; c < r; c++) axpy(k, -other[r * n + c], solution + c * k, row);
    scale(k, 1 / other[r * n + r], row);
  }
  for (ptrdiff_t c = rank - 1; c >= 0; c--) {
    reflect_rows(n - c, k, other + c * n + c, tau[c], solution + c * k, sums);
  }
  for (ptrdiff_t r = 0; r < n; r++) {
    R *row = b + order[r] * k;
    memcpy(row, solution + r * k, (size_t)k * sizeof(R));
    if (factor != 1) scale(k, factor, row);
  }
  return 0;
}
