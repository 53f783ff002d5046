// QR by blocks of Householder reflections (Schreiber and Van Loan's compact form). A part of linalg_all.h.

// The reflectors in columns [j, j + count) of a, from row j on, as rows of `v` with their ones and zeros.
static void take_reflectors(const R *a, ptrdiff_t m, ptrdiff_t ld, ptrdiff_t j, ptrdiff_t count, R *v) {
  const ptrdiff_t length = m - j;
  for (ptrdiff_t c = 0; c < count; c++) {
    memset(v + c * length, 0, (size_t)c * sizeof(R));
    v[c * length + c] = 1;
  }
  for (ptrdiff_t r = 1; r < length; r++) {
    const R *row = a + (j + r) * ld + j;
    for (ptrdiff_t c = 0; c < min(r, count); c++) v[c * length + r] = row[c];
  }
}

// Factorises `count` columns that lie as rows in `v`.
static void qr_panel(ptrdiff_t length, ptrdiff_t count, R *v, R *tau) {
  for (ptrdiff_t c = 0; c < count; c++) {
    R *x = v + c * length + c;
    tau[c] = reflector(length - c - 1, x, x + 1);
    if (tau[c] == 0) continue;
    const R beta = *x;
    *x = 1;
    for (ptrdiff_t d = c + 1; d < count; d++) {
      R *y = v + d * length + c;
      axpy(length - c, -tau[c] * dot(length - c, x, y), x, y);
    }
    *x = beta;
  }
}

static ptrdiff_t qr_room(ptrdiff_t m, ptrdiff_t n) { return BLOCK * m + block_room(n); }

static void qr(R *a, ptrdiff_t m, ptrdiff_t n, ptrdiff_t ld, R *tau, R *work, R *room) {
  R *v = work;
  for (ptrdiff_t j = 0; j < min(m, n); j += BLOCK) {
    const ptrdiff_t count = min(BLOCK, min(m, n) - j), length = m - j, rest = n - j - count;
    for (ptrdiff_t r = 0; r < length; r++) {
      const R *row = a + (j + r) * ld + j;
      for (ptrdiff_t c = 0; c < count; c++) v[c * length + r] = row[c];
    }
    qr_panel(length, count, v, tau + j);
    for (ptrdiff_t r = 0; r < length; r++) {
      R *row = a + (j + r) * ld + j;
      for (ptrdiff_t c = 0; c < count; c++) row[c] = v[c * length + r];
    }
    if (rest == 0) continue;
    for (ptrdiff_t c = 0; c < count; c++) {
      memset(v + c * length, 0, (size_t)c * sizeof(R));
      v[c * length + c] = 1;
    }
    apply_block(length, count, rest, (mat){v, 1, length}, tau + j, true, rows_of(a + j * ld + j + count, ld),
                v + BLOCK * m, room);
  }
}

// c (m by cols) = Q c, or Q^T c, for the `count` reflectors in a's columns. With `triangle`, c's rows and columns
// before a block's are known to be unaffected by it: c starts as the identity and Q is built up from the last block.
static void apply_q(const R *a, ptrdiff_t m, ptrdiff_t ld, ptrdiff_t count, const R *tau, bool transposed, bool triangle,
                    mat c, ptrdiff_t cols, R *work, R *room) {
  const ptrdiff_t blocks = (count + BLOCK - 1) / BLOCK;
  for (ptrdiff_t s = 0; s < blocks; s++) {
    const ptrdiff_t j = (transposed ? s : blocks - 1 - s) * BLOCK, n = min(BLOCK, count - j), length = m - j;
    const ptrdiff_t skip = triangle ? j : 0;
    take_reflectors(a, m, ld, j, n, work);
    apply_block(length, n, cols - skip, (mat){work, 1, length}, tau + j, transposed, part(c, j, skip), work + BLOCK * m,
                room);
  }
}

ROUTINE(geqrf) {
  const ptrdiff_t m = args->m, n = args->n;
  R *work = TAKE(arena, qr_room(m, n)), *room = TAKE(arena, product_room(max(m, BLOCK), max(n, BLOCK), max(m, BLOCK)));
  MEASURED(arena)
  qr(AT(a, m * n), m, n, n, AT(values, min(m, n)), work, room);
  return 0;
}

ROUTINE(orgqr) {
  const ptrdiff_t m = args->m, n = args->n, k = args->k;
  R *q = TAKE(arena, m * n), *work = TAKE(arena, qr_room(m, n));
  R *room = TAKE(arena, product_room(max(m, BLOCK), max(n, BLOCK), max(m, BLOCK)));
  MEASURED(arena)
  R *a = AT(a, m * n);
  set_identity(m, n, q);
  apply_q(a, m, n, k, AT(values, k), false, true, rows_of(q, n), n, work, room);
  memcpy(a, q, (size_t)(m * n) * sizeof(R));
  return 0;
}

ROUTINE(ormqr) {
  const ptrdiff_t m = args->m, n = args->n, k = args->k;
  R *work = TAKE(arena, qr_room(m, k)), *room = TAKE(arena, product_room(max(m, BLOCK), max(k, BLOCK), max(m, BLOCK)));
  MEASURED(arena)
  // b Q is (Q^T b^T)^T.
  const mat b = args->left ? rows_of(AT(b, m * k), k) : (mat){AT(b, m * k), 1, m};
  apply_q(AT(a, m * n), m, n, min(m, n), AT(values, min(m, n)), args->left ? args->transposed : !args->transposed, false,
          b, k, work, room);
  return 0;
}
