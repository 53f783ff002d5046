// Symmetric eigenproblems: reduction to a tridiagonal matrix, then implicit QL or QR (LAPACK's sytd2 and steqr, whose
// signs the eigenvectors have). A part of linalg_all.h.

// ---------------------------------------------------------------- reduction

typedef struct {
  R *a;
  ptrdiff_t n, from;           // rows and columns from .. n - 1
  const R *v, *w;              // the update that is due: a -= v w^T + w v^T
  const R *next;               // p = a next, after the update; NULL: no product
  R *p;
} tridiagonal_pass;

static R update_row(ptrdiff_t n, R *row, R f, const R *x, R g, const R *y, const R *z) {
  const V vf = SET(f), vg = SET(g);
  V s0 = SET(0), s1 = s0;
  ptrdiff_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    V a = v_load(row + i), b = v_load(row + i + LANES);
    a = v_fnma(vf, v_load(x + i), a), b = v_fnma(vf, v_load(x + i + LANES), b);
    a = v_fnma(vg, v_load(y + i), a), b = v_fnma(vg, v_load(y + i + LANES), b);
    v_store(row + i, a), v_store(row + i + LANES, b);
    s0 = v_fma(a, v_load(z + i), s0), s1 = v_fma(b, v_load(z + i + LANES), s1);
  }
  const V s = s0 + s1;
  R sum = 0;
  for (int l = 0; l < LANES; l++) sum += s[l];
  for (; i < n; i++) {
    row[i] -= f * x[i] + g * y[i];
    sum += row[i] * z[i];
  }
  return sum;
}

static void tridiagonal_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tridiagonal_pass *t = ctx;
  for (ptrdiff_t r = t->from + (ptrdiff_t)begin; r < t->from + (ptrdiff_t)end; r++) {
    t->p[r] = update_row(t->n - t->from, t->a + r * t->n + t->from, t->v[r], t->w + t->from, t->w[r], t->v + t->from,
                         t->next + t->from);
  }
}

// a, symmetric in both triangles, becomes the reflectors: row i holds that of column i, from its one at i + 1 on, zeros
// before it. One pass over what is left per column: the update by one reflection and the product with the next.
static void tridiagonalise(R *a, ptrdiff_t n, R *d, R *e, R *tau, R *w, R *p, R *zeros) {
  const R *v = zeros;
  memset(zeros, 0, (size_t)n * sizeof(R));
  memset(w, 0, (size_t)n * sizeof(R));
  for (ptrdiff_t i = 0; i < n; i++) {
    R *row = a + i * n;
    const R vi = v[i], wi = w[i];
    for (ptrdiff_t j = i; j < n; j++) row[j] -= vi * w[j] + wi * v[j];
    d[i] = row[i];
    memset(row, 0, (size_t)(i + 1) * sizeof(R));
    if (i == n - 1) break;
    tau[i] = reflector(n - i - 2, row + i + 1, row + i + 2);
    e[i] = row[i + 1];
    row[i + 1] = 1;
    tridiagonal_pass t = {a, n, i + 1, v, w, row, p};
    tc_parallel_for(n - i - 1, 1 + 16384 / (n - i), tridiagonal_rows, &t);
    // w: for the next pass
    R *next = w;
    const R half = -tau[i] / 2 * (tau[i] * dot(n - i - 1, p + i + 1, row + i + 1));
    for (ptrdiff_t j = i + 1; j < n; j++) next[j] = tau[i] * p[j] + half * row[j];
    v = row;
  }
}

// ---------------------------------------------------------------- 2 by 2

// Eigenvalues of (a b; b c), |high| >= |low|, and the unit vector (cs, sn) of `high` (LAPACK's laev2).
static void symmetric_pair(R a, R b, R c, R *high, R *low, R *cs, R *sn) {
  const R sum = a + c, difference = a - c, twice = b + b;
  const R larger = ABS(a) > ABS(c) ? a : c, smaller = ABS(a) > ABS(c) ? c : a;
  const R root = hypotenuse(difference, twice);
  int sign1 = 1, sign2;
  if (sum < 0) {
    *high = (sum - root) / 2, sign1 = -1;
    *low = (larger / *high) * smaller - (b / *high) * b;
  } else if (sum > 0) {
    *high = (sum + root) / 2;
    *low = (larger / *high) * smaller - (b / *high) * b;
  } else {
    *high = root / 2, *low = -root / 2;
  }
  R f;
  if (difference >= 0) {
    f = difference + root, sign2 = 1;
  } else {
    f = difference - root, sign2 = -1;
  }
  if (ABS(f) > ABS(twice)) {
    const R t = -twice / f;
    *sn = 1 / SQRT(1 + t * t);
    *cs = t * *sn;
  } else if (b == 0) {
    *cs = 1, *sn = 0;
  } else {
    const R t = -f / twice;
    *cs = 1 / SQRT(1 + t * t);
    *sn = t * *cs;
  }
  if (sign1 == sign2) {
    const R t = *cs;
    *cs = -*sn, *sn = t;
  }
}

// ---------------------------------------------------------------- implicit QL and QR

// The factor, a power of two, that brings a block whose largest number is `top` to where its squares can be compared.
static R block_scale(R top) {
  const R low = SQRT(TINY) / (EPS * EPS), high = SQRT(1 / TINY) / 3;
  if (top == 0 || (top >= low && top <= high)) return 1;
  int exponent;
  frexp((double)(top < low ? low / top : high / top), &exponent);
  return (R)ldexp(1, exponent - (top > high));
}

// Rotations of one sweep come in the order in which they were made; LAPACK applies them in that order, too.
static int32_t tridiagonal_eigen(ptrdiff_t n, R *d, R *e, rotations *z) {
  const R eps2 = EPS * EPS;
  ptrdiff_t left = 30 * n, start = 0;
  while (start < n) {
    if (start > 0) e[start - 1] = 0;
    ptrdiff_t end = start;
    for (; end < n - 1; end++) {
      const R t = ABS(e[end]);
      if (t == 0) break;
      if (t <= SQRT(ABS(d[end])) * SQRT(ABS(d[end + 1])) * EPS) {
        e[end] = 0;
        break;
      }
    }
    ptrdiff_t l = start, last = end;
    start = end + 1;
    if (last == l) continue;
    const ptrdiff_t block = l, length = end - l + 1;
    const R top_d = largest(length, d + block), top_e = largest(length - 1, e + block);
    const R factor = block_scale(top_d > top_e ? top_d : top_e);
    if (factor != 1) scale(length, factor, d + block), scale(length - 1, factor, e + block);
    if (ABS(d[last]) < ABS(d[l])) {
      const ptrdiff_t t = l;
      l = last, last = t;
    }
    if (last > l) {  // QL: d[l] is found first
      while (l <= last) {
        ptrdiff_t m = l;
        for (; m < last; m++) {
          if (e[m] * e[m] <= (eps2 * ABS(d[m])) * ABS(d[m + 1]) + TINY) break;
        }
        if (m < last) e[m] = 0;
        if (m == l) {
          l++;
          continue;
        }
        if (m == l + 1) {
          R high, low, c, s;
          symmetric_pair(d[l], e[l], d[l + 1], &high, &low, &c, &s);
          rotate(z, (ptrdiff_t)l, c, s);
          d[l] = high, d[l + 1] = low, e[l] = 0;
          l += 2;
          continue;
        }
        if (left-- == 0) goto failed;
        R p = d[l], g = (d[l + 1] - p) / (2 * e[l]), r = hypotenuse(g, 1);
        g = d[m] - p + e[l] / (g + SIGN(r, g));
        R s = 1, c = 1;
        p = 0;
        for (ptrdiff_t i = m - 1; i >= l; i--) {
          const R f = s * e[i], b = c * e[i];
          make_rotation(g, f, &c, &s, &r);
          if (i != m - 1) e[i + 1] = r;
          g = d[i + 1] - p;
          r = (d[i] - g) * s + 2 * c * b;
          p = s * r;
          d[i + 1] = g + p;
          g = c * r - b;
          rotate(z, i, c, -s);
        }
        d[l] -= p, e[l] = g;
      }
    } else {  // QR
      while (l >= last) {
        ptrdiff_t m = l;
        for (; m > last; m--) {
          if (e[m - 1] * e[m - 1] <= (eps2 * ABS(d[m])) * ABS(d[m - 1]) + TINY) break;
        }
        if (m > last) e[m - 1] = 0;
        if (m == l) {
          l--;
          continue;
        }
        if (m == l - 1) {
          R high, low, c, s;
          symmetric_pair(d[l - 1], e[l - 1], d[l], &high, &low, &c, &s);
          rotate(z, l - 1, c, s);
          d[l - 1] = high, d[l] = low, e[l - 1] = 0;
          l -= 2;
          continue;
        }
        if (left-- == 0) goto failed;
        R p = d[l], g = (d[l - 1] - p) / (2 * e[l - 1]), r = hypotenuse(g, 1);
        g = d[m] - p + e[l - 1] / (g + SIGN(r, g));
        R s = 1, c = 1;
        p = 0;
        for (ptrdiff_t i = m; i < l; i++) {
          const R f = s * e[i], b = c * e[i];
          make_rotation(g, f, &c, &s, &r);
          if (i != m) e[i - 1] = r;
          g = d[i] - p;
          r = (d[i + 1] - g) * s + 2 * c * b;
          p = s * r;
          d[i] = g + p;
          g = c * r - b;
          rotate(z, i, c, s);
        }
        d[l] -= p, e[l - 1] = g;
      }
    }
    if (factor != 1) scale(length, 1 / factor, d + block);
  }
  return 0;
failed:;
  int32_t missing = 0;
  for (ptrdiff_t i = 0; i < n - 1; i++) missing += e[i] != 0;
  return missing > 0 ? missing : 1;
}

// The factor that brings a matrix whose largest number is `top` into the range where squares neither overflow nor vanish.
static R safe_factor(R top) {
  const R low = SQRT(TINY / (2 * EPS)), high = 1 / low;
  return top > 0 && top < low ? low / top : top > high ? high / top : 1;
}

ROUTINE(eigh) {
  const ptrdiff_t n = args->n;
  const bool vectors = args->job != TC_LINALG_VALUES;
  R *e = TAKE(arena, n), *tau = TAKE(arena, n), *w = TAKE(arena, n), *p = TAKE(arena, n), *zeros = TAKE(arena, n);
  rotations z = take_rotations(&arena, vectors ? n : 0);
  R *rows = vectors ? TAKE(arena, n * n) : NULL;
  R *work = vectors ? TAKE(arena, block_room(n)) : NULL;
  R *room = vectors ? TAKE(arena, product_room(max(n, BLOCK), max(n, BLOCK), max(n, BLOCK))) : NULL;
  MEASURED(arena)
  R *a = AT(a, n * n), *d = AT(values, n);
  const R factor = safe_factor(largest(n * n, a));
  if (factor != 1) scale(n * n, factor, a);
  tridiagonalise(a, n, d, e, tau, w, p, zeros);
  if (vectors) {
    set_identity(n, n, rows);
    z.rows = rows, z.cols = n, z.ld = n;
  }
  const int32_t info = tridiagonal_eigen(n, d, e, &z);
  flush_rotations(&z);
  if (factor != 1) scale(n, 1 / factor, d);
  if (vectors) {
    for (ptrdiff_t j = (n - 2) / BLOCK * BLOCK; n > 1 && j >= 0; j -= BLOCK) {
      const ptrdiff_t count = min(BLOCK, n - 1 - j), length = n - j - 1;
      apply_block(length, count, n, (mat){a + j * n + j + 1, 1, n}, tau + j, false, (mat){rows + j + 1, 1, n}, work, room);
    }
  }
  // Ascending, with as few exchanges as LAPACK makes.
  for (ptrdiff_t i1 = 0; i1 < n - 1; i1++) {
    ptrdiff_t least = i1;
    for (ptrdiff_t j = i1 + 1; j < n; j++) {
      if (d[j] < d[least]) least = j;
    }
    if (least == i1) continue;
    const R t = d[i1];
    d[i1] = d[least], d[least] = t;
    if (vectors) swap(n, rows + i1 * n, rows + least * n);
  }
  if (vectors) copy_matrix(n, n, (mat){rows, 1, n}, rows_of(a, n));
  return info;
}
