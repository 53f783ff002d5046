// LU with partial pivoting and triangular solves, both recursive (Toledo, "Locality of reference in LU decomposition
// with partial pivoting", 1997): all but narrow panels are matrix products. A part of linalg_all.h.

// b (n by k, rows contiguous) = a^-1 b
static void solve_triangular(bool upper, bool unit, ptrdiff_t n, ptrdiff_t k, mat a, R *b, ptrdiff_t ldb, R *room) {
  if (n > 32) {
    const ptrdiff_t half = (n / 2 + 7) / 8 * 8, rest = n - half;
    const ptrdiff_t first = upper ? half : 0, then = upper ? 0 : half;
    const ptrdiff_t first_n = upper ? rest : half, then_n = upper ? half : rest;
    solve_triangular(upper, unit, first_n, k, part(a, first, first), b + first * ldb, ldb, room);
    product(then_n, k, first_n, -1, part(a, then, first), rows_of(b + first * ldb, ldb), 1, rows_of(b + then * ldb, ldb),
            room);
    solve_triangular(upper, unit, then_n, k, part(a, then, then), b + then * ldb, ldb, room);
    return;
  }
  for (ptrdiff_t s = 0; s < n; s++) {
    const ptrdiff_t i = upper ? n - 1 - s : s, from = upper ? i + 1 : 0, to = upper ? n : i;
    R *row = b + i * ldb;
    const R *factors = a.at + i * a.rs;
    if (k == 1) {
      for (ptrdiff_t j = from; j < to; j++) row[0] -= factors[j * a.cs] * b[j * ldb];
    } else {
      for (ptrdiff_t j = from; j < to; j++) axpy(k, -factors[j * a.cs], b + j * ldb, row);
    }
    if (unit) continue;
    const R d = factors[i * a.cs];
    for (ptrdiff_t c = 0; c < k; c++) row[c] /= d;
  }
}

// Exchanges row i of a's `rows` with row pivots[i]. Pivots that a caller made up must not lead out of the matrix.
static void swap_row(R *a, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld, ptrdiff_t i, int32_t pivot) {
  const ptrdiff_t p = pivot - 1;
  if (p != i && p >= 0 && p < rows) swap(cols, a + i * ld, a + p * ld);
}

static void swap_rows(R *a, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld, const int32_t *pivots, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i++) swap_row(a, rows, cols, ld, i, pivots[i]);
}

static void undo_swaps(R *a, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t ld, const int32_t *pivots, ptrdiff_t count) {
  for (ptrdiff_t i = count - 1; i >= 0; i--) swap_row(a, rows, cols, ld, i, pivots[i]);
}

static int32_t lu_panel(R *a, ptrdiff_t m, ptrdiff_t n, ptrdiff_t ld, int32_t *pivots) {
  int32_t info = 0;
  for (ptrdiff_t j = 0; j < min(m, n); j++) {
    ptrdiff_t p = j;
    for (ptrdiff_t i = j + 1; i < m; i++) {
      if (ABS(a[i * ld + j]) > ABS(a[p * ld + j])) p = i;
    }
    pivots[j] = (int32_t)(p + 1);
    if (a[p * ld + j] == 0) {
      if (info == 0) info = (int32_t)(j + 1);
      continue;
    }
    if (p != j) swap(n, a + j * ld, a + p * ld);
    const R d = a[j * ld + j];
    const bool invert = ABS(d) >= TINY;
    for (ptrdiff_t i = j + 1; i < m; i++) {
      R *row = a + i * ld;
      row[j] = invert ? row[j] * (1 / d) : row[j] / d;
      axpy(n - j - 1, -row[j], a + j * ld + j + 1, row + j + 1);
    }
  }
  return info;
}

static int32_t lu_recursive(R *a, ptrdiff_t m, ptrdiff_t n, ptrdiff_t ld, int32_t *pivots, R *room) {
  const ptrdiff_t steps = min(m, n);
  if (steps <= 16) {
    // A panel is as wide as it has pivots; what lies right of it is solved and updated at once.
    if (n <= 2 * steps) return lu_panel(a, m, n, ld, pivots);
  }
  const ptrdiff_t left = steps <= 16 ? steps : (steps / 2 + 7) / 8 * 8, right = n - left;
  int32_t info = lu_recursive(a, m, left, ld, pivots, room);
  swap_rows(a + left, m, right, ld, pivots, left);
  solve_triangular(false, true, left, right, rows_of(a, ld), a + left, ld, room);
  if (m == left) return info;
  R *low = a + left * ld;
  product(m - left, right, left, -1, rows_of(low, ld), rows_of(a + left, ld), 1, rows_of(low + left, ld), room);
  const int32_t later = lu_recursive(low + left, m - left, right, ld, pivots + left, room);
  if (info == 0 && later != 0) info = later + (int32_t)left;
  swap_rows(low, m - left, left, ld, pivots + left, steps - left);
  for (ptrdiff_t i = left; i < steps; i++) pivots[i] += (int32_t)left;
  return info;
}

ROUTINE(lu) {
  const ptrdiff_t m = args->m, n = args->n;
  R *room = TAKE(arena, product_room(m, n, min(m, n)));
  MEASURED(arena)
  return lu_recursive(AT(a, m * n), m, n, n, TC_PTR(int32_t, args->pivots) + i * min(m, n), room);
}

ROUTINE(triangular_solve) {
  const ptrdiff_t n = args->n, k = args->k;
  R *room = TAKE(arena, product_room(n, k, n));
  MEASURED(arena)
  const mat a = rows_of(AT(a, n * n), n);
  solve_triangular(args->transposed ? !args->upper : args->upper, args->unit, n, k, args->transposed ? flipped(a) : a,
                   AT(b, n * k), k, room);
  return 0;
}

ROUTINE(lu_solve) {
  const ptrdiff_t n = args->n, k = args->k;
  R *room = TAKE(arena, product_room(n, k, n));
  MEASURED(arena)
  const mat a = rows_of(AT(a, n * n), n);
  R *b = AT(b, n * k);
  const int32_t *pivots = TC_PTR(int32_t, args->pivots) + i * n;
  if (!args->transposed) {
    swap_rows(b, n, k, k, pivots, n);
    solve_triangular(false, true, n, k, a, b, k, room);
    solve_triangular(true, false, n, k, a, b, k, room);
    return 0;
  }
  solve_triangular(false, false, n, k, flipped(a), b, k, room);
  solve_triangular(true, true, n, k, flipped(a), b, k, room);
  undo_swaps(b, n, k, k, pivots, n);
  return 0;
}

ROUTINE(row_swaps) {
  const ptrdiff_t m = args->m, n = args->n, count = args->k;
  MEASURED(arena)
  R *a = AT(a, m * n);
  const int32_t *pivots = TC_PTR(int32_t, args->pivots) + i * count;
  if (!args->transposed) {
    swap_rows(a, m, n, n, pivots, count);
  } else {
    undo_swaps(a, m, n, n, pivots, count);
  }
  return 0;
}
