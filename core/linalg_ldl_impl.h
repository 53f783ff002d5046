// L D L^T of symmetric matrices by Bunch and Kaufman's diagonal pivoting, on the lower triangle. A part of linalg_all.h.

// Exchanges rows and columns k and p of the trailing matrix (k < p), of its lower triangle.
static void exchange(R *a, ptrdiff_t n, ptrdiff_t k, ptrdiff_t p) {
#define A(r, c) a[(r) * n + (c)]
  for (ptrdiff_t r = p + 1; r < n; r++) {
    const R t = A(r, k);
    A(r, k) = A(r, p), A(r, p) = t;
  }
  for (ptrdiff_t j = k + 1; j < p; j++) {
    const R t = A(j, k);
    A(j, k) = A(p, j), A(p, j) = t;
  }
  const R t = A(k, k);
  A(k, k) = A(p, p), A(p, p) = t;
}

ROUTINE(ldl) {
  const ptrdiff_t n = args->n;
  MEASURED(arena)
  R *a = AT(a, n * n);
  int32_t *pivots = TC_PTR(int32_t, args->pivots) + i * n, info = 0;
  const R alpha = (1 + SQRT((R)17)) / 8;
  for (ptrdiff_t k = 0, step; k < n; k += step) {
    step = 1;
    const R diagonal = ABS(A(k, k));
    ptrdiff_t top = k;
    R column = 0;
    for (ptrdiff_t r = k + 1; r < n; r++) {
      if (ABS(A(r, k)) > column) column = ABS(A(r, k)), top = r;
    }
    ptrdiff_t p = k;
    if ((diagonal == 0 && column == 0) || diagonal != diagonal) {
      if (info == 0) info = (int32_t)(k + 1);
      pivots[k] = (int32_t)(k + 1);
      continue;
    }
    if (diagonal < alpha * column) {
      R row = 0;  // the largest of row and column `top`, off the diagonal
      for (ptrdiff_t c = k; c < top; c++) {
        if (ABS(A(top, c)) > row) row = ABS(A(top, c));
      }
      for (ptrdiff_t r = top + 1; r < n; r++) {
        if (ABS(A(r, top)) > row) row = ABS(A(r, top));
      }
      if (diagonal >= alpha * column * (column / row)) {
        p = k;
      } else if (ABS(A(top, top)) >= alpha * row) {
        p = top;
      } else {
        p = top, step = 2;
      }
    }
    const ptrdiff_t last = k + step - 1;
    if (p != last) {
      exchange(a, n, last, p);
      if (step == 2) {
        const R t = A(k + 1, k);
        A(k + 1, k) = A(p, k), A(p, k) = t;
      }
    }
    if (step == 1) {
      const R inverse = 1 / A(k, k);
      for (ptrdiff_t r = k + 1; r < n; r++) {
        const R f = A(r, k) * inverse;
        for (ptrdiff_t c = k + 1; c <= r; c++) A(r, c) -= f * A(c, k);
      }
      for (ptrdiff_t r = k + 1; r < n; r++) A(r, k) *= inverse;
      pivots[k] = (int32_t)(p + 1);
      continue;
    }
    if (k + 2 < n) {
      const R d21 = A(k + 1, k), d11 = A(k + 1, k + 1) / d21, d22 = A(k, k) / d21;
      const R f = 1 / (d11 * d22 - 1) / d21;
      for (ptrdiff_t j = k + 2; j < n; j++) {
        const R w0 = f * (d11 * A(j, k) - A(j, k + 1)), w1 = f * (d22 * A(j, k + 1) - A(j, k));
        for (ptrdiff_t r = j; r < n; r++) A(r, j) -= A(r, k) * w0 + A(r, k + 1) * w1;
        A(j, k) = w0, A(j, k + 1) = w1;
      }
    }
    pivots[k] = pivots[k + 1] = (int32_t)-(p + 1);
  }
  return info;
}

ROUTINE(ldl_solve) {
  const ptrdiff_t n = args->n, cols = args->k;
  MEASURED(arena)
  R *a = AT(a, n * n), *b = AT(b, n * cols);
  const int32_t *pivots = TC_PTR(int32_t, args->pivots) + i * n;
#define ROW(r) (b + (r) * cols)
  for (ptrdiff_t k = 0; k < n;) {
    const bool pair = pivots[k] < 0;
    const ptrdiff_t last = pair ? k + 1 : k;
    if (last >= n) break;  // pivots that no factorisation made
    swap_row(b, n, cols, cols, last, pair ? -pivots[k] : pivots[k]);
    for (ptrdiff_t r = last + 1; r < n; r++) {
      axpy(cols, -A(r, k), ROW(k), ROW(r));
      if (pair) axpy(cols, -A(r, k + 1), ROW(k + 1), ROW(r));
    }
    if (!pair) {
      scale(cols, 1 / A(k, k), ROW(k));
    } else {
      const R off = A(k + 1, k), x = A(k, k) / off, y = A(k + 1, k + 1) / off, d = x * y - 1;
      for (ptrdiff_t c = 0; c < cols; c++) {
        const R s = ROW(k)[c] / off, t = ROW(k + 1)[c] / off;
        ROW(k)[c] = (y * s - t) / d;
        ROW(k + 1)[c] = (x * t - s) / d;
      }
    }
    k = last + 1;
  }
  for (ptrdiff_t k = n - 1; k >= 0;) {
    const bool pair = pivots[k] < 0;
    const ptrdiff_t first = pair ? k - 1 : k;
    if (first < 0) break;
    for (ptrdiff_t r = k + 1; r < n; r++) {
      axpy(cols, -A(r, k), ROW(r), ROW(k));
      if (pair) axpy(cols, -A(r, k - 1), ROW(r), ROW(k - 1));
    }
    swap_row(b, n, cols, cols, k, pair ? -pivots[k] : pivots[k]);
    k = first - 1;
  }
#undef ROW
  return 0;
}
#undef A
