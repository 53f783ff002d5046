// Cholesky, recursive as LU is. A part of linalg_all.h.

// b (rows by n) = b l^-T with l lower triangular
static void solve_right(ptrdiff_t rows, ptrdiff_t n, const R *l, ptrdiff_t ld, R *b, R *room) {
  if (n > 32) {
    const ptrdiff_t half = (n / 2 + 7) / 8 * 8;
    solve_right(rows, half, l, ld, b, room);
    product(rows, n - half, half, -1, rows_of(b, ld), (mat){(R *)l + half * ld, 1, ld}, 1, rows_of(b + half, ld), room);
    solve_right(rows, n - half, l + half * ld + half, ld, b + half, room);
    return;
  }
  for (ptrdiff_t r = 0; r < rows; r++) {
    R *x = b + r * ld;
    for (ptrdiff_t j = 0; j < n; j++) x[j] = (x[j] - dot(j, x, l + j * ld)) / l[j * ld + j];
  }
}

static int32_t cholesky_recursive(R *a, ptrdiff_t n, ptrdiff_t ld, R *room) {
  if (n <= 32) {
    for (ptrdiff_t r = 0; r < n; r++) {
      R *row = a + r * ld;
      for (ptrdiff_t j = 0; j < r; j++) row[j] = (row[j] - dot(j, row, a + j * ld)) / a[j * ld + j];
      const R d = row[r] - dot(r, row, row);
      if (!(d > 0)) return (int32_t)(r + 1);
      row[r] = SQRT(d);
    }
    return 0;
  }
  const ptrdiff_t half = (n / 2 + 7) / 8 * 8;
  const int32_t info = cholesky_recursive(a, half, ld, room);
  if (info != 0) return info;
  R *low = a + half * ld;
  solve_right(n - half, half, a, ld, low, room);
  for (ptrdiff_t r = 0; r < n - half; r += 128) {  // the lower triangle, in steps
    const ptrdiff_t rows = min(128, n - half - r);
    product(rows, r + rows, half, -1, rows_of(low + r * ld, ld), (mat){low, 1, ld}, 1, rows_of(low + r * ld + half, ld),
            room);
  }
  const int32_t later = cholesky_recursive(low + half, n - half, ld, room);
  return later == 0 ? 0 : later + (int32_t)half;
}

ROUTINE(cholesky) {
  const ptrdiff_t n = args->n;
  R *room = TAKE(arena, product_room(n, n, n));
  MEASURED(arena)
  R *a = AT(a, n * n);
  const int32_t info = cholesky_recursive(a, n, n, room);
  for (ptrdiff_t r = 0; r < n; r++) memset(a + r * n + r + 1, 0, (size_t)(n - r - 1) * sizeof(R));
  return info;
}
