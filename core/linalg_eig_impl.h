// General eigenproblems: balancing, Hessenberg form, double-shift QR to Schur form, vectors by back substitution
// (LAPACK's gebal, gehd2, lahqr, lanv2 and trevc). A part of linalg_all.h.

#define H(r, c) h[(r) * n + (c)]

// Rows and columns scaled by powers of two, so that they are of like length; d: the factors.
static void balance(ptrdiff_t n, R *h, R *d) {
  for (ptrdiff_t i = 0; i < n; i++) d[i] = 1;
  for (bool again = true; again;) {
    again = false;
    for (ptrdiff_t i = 0; i < n; i++) {
      R column = 0, row = norm2(i, h + i * n);
      row = hypotenuse(row, norm2(n - i - 1, h + i * n + i + 1));
      for (ptrdiff_t r = 0; r < n; r++) {
        if (r != i) column = hypotenuse(column, H(r, i));
      }
      if (column == 0 || row == 0) continue;
      R g = row / 2, f = 1;
      const R sum = column + row;
      while (column < g && f < 1 / (TINY / EPS) / 4) f *= 2, column *= 2, g /= 2;
      g = column / 2;
      while (g >= row && f > TINY / EPS * 4) f /= 2, column /= 2, g /= 2, row *= 2;
      if (column + row >= (R)0.95 * sum || (f < 1 && d[i] < 1 && f * d[i] <= TINY / EPS) ||
          (f > 1 && d[i] > 1 && d[i] >= 1 / (TINY / EPS) / f)) {
        continue;
      }
      again = true;
      d[i] *= f;
      scale(n, 1 / f, h + i * n);
      for (ptrdiff_t r = 0; r < n; r++) H(r, i) *= f;
    }
  }
}

// h = Q H Q^T with zeros below the first subdiagonal; the rows of zt (or NULL) become the columns of Q.
static void hessenberg(ptrdiff_t n, R *h, R *zt, R *v) {
  if (zt) set_identity(n, n, zt);
  for (ptrdiff_t k = 0; k + 2 < n; k++) {
    const ptrdiff_t length = n - k - 1;
    for (ptrdiff_t r = 0; r < length; r++) v[r] = H(k + 1 + r, k);
    const R tau = reflector(length - 1, v, v + 1);
    H(k + 1, k) = v[0], v[0] = 1;
    for (ptrdiff_t r = k + 2; r < n; r++) H(r, k) = 0;
    if (tau == 0) continue;
    // From the left, on the columns that are left: sums of rows, held behind v.
    R *sums = v + n;
    memset(sums, 0, (size_t)length * sizeof(R));
    for (ptrdiff_t r = 0; r < length; r++) axpy(length, v[r], &H(k + 1 + r, k + 1), sums);
    for (ptrdiff_t r = 0; r < length; r++) axpy(length, -tau * v[r], sums, &H(k + 1 + r, k + 1));
    for (ptrdiff_t r = 0; r < n; r++) {
      R *row = &H(r, k + 1);
      axpy(length, -tau * dot(length, row, v), v, row);
    }
    if (!zt) continue;
    // Q = H0 H1 ...: from the right, which mixes rows of its transpose.
    sums = v + n;
    memset(sums, 0, (size_t)n * sizeof(R));
    for (ptrdiff_t r = 0; r < length; r++) axpy(n, v[r], zt + (k + 1 + r) * n, sums);
    for (ptrdiff_t r = 0; r < length; r++) axpy(n, -tau * v[r], sums, zt + (k + 1 + r) * n);
  }
}

// The rotation that makes (a b; c d) triangular, or its diagonal equal and b c negative.
static void standard_block(R *a, R *b, R *c, R *d, R *cs, R *sn) {
  *cs = 1, *sn = 0;
  if (*c == 0) return;
  if (*b == 0) {
    const R t = *d;
    *cs = 0, *sn = 1;
    *d = *a, *a = t, *b = -*c, *c = 0;
    return;
  }
  if (*a - *d == 0 && SIGN(1, *b) != SIGN(1, *c)) return;
  R difference = *a - *d;
  const R p = difference / 2, larger = ABS(*b) > ABS(*c) ? ABS(*b) : ABS(*c);
  const R smaller = (ABS(*b) < ABS(*c) ? ABS(*b) : ABS(*c)) * SIGN(1, *b) * SIGN(1, *c);
  const R size = ABS(p) > larger ? ABS(p) : larger;
  const R z = (p / size) * p + (larger / size) * smaller;
  if (z >= 8 * EPS) {
    const R root = p + SIGN(SQRT(size) * SQRT(z), p);
    *a = *d + root;
    *d -= (larger / root) * smaller;
    const R t = hypotenuse(*c, root);
    *cs = root / t, *sn = *c / t;
    *b -= *c, *c = 0;
    return;
  }
  const R sigma = *b + *c, t = hypotenuse(sigma, difference);
  *cs = SQRT((1 + ABS(sigma) / t) / 2);
  *sn = -(p / (t * *cs)) * SIGN(1, sigma);
  const R aa = *a * *cs + *b * *sn, bb = -*a * *sn + *b * *cs, cc = *c * *cs + *d * *sn, dd = -*c * *sn + *d * *cs;
  *a = aa * *cs + cc * *sn, *b = bb * *cs + dd * *sn, *c = -aa * *sn + cc * *cs, *d = -bb * *sn + dd * *cs;
  const R mean = (*a + *d) / 2;
  *a = *d = mean;
  if (*c == 0) return;
  if (*b == 0) {
    const R old = *cs;
    *b = -*c, *c = 0, *cs = -*sn, *sn = old;
  } else if (SIGN(1, *b) == SIGN(1, *c)) {  // real after all
    const R sb = SQRT(ABS(*b)), sc = SQRT(ABS(*c)), q = SIGN(sb * sc, *c), f = 1 / SQRT(ABS(*b + *c));
    *a = mean + q, *d = mean - q, *b -= *c, *c = 0;
    const R c1 = sb * f, s1 = sc * f, old = *cs;
    *cs = old * c1 - *sn * s1, *sn = old * s1 + *sn * c1;
  }
}

static bool negligible(ptrdiff_t n, const R *h, ptrdiff_t k, R tiny) {
  const R low = ABS(H(k, k - 1));
  if (low <= tiny) return true;
  R sum = ABS(H(k - 1, k - 1)) + ABS(H(k, k));
  if (sum == 0) {
    if (k >= 2) sum += ABS(H(k - 1, k - 2));
    if (k + 1 < n) sum += ABS(H(k + 1, k));
  }
  if (low > 2 * EPS * sum) return false;
  const R high = ABS(H(k - 1, k)), ab = low > high ? low : high, ba = low > high ? high : low;
  const R d = ABS(H(k, k)), e = ABS(H(k - 1, k - 1) - H(k, k)), aa = d > e ? d : e, bb = d > e ? e : d, s = aa + ab;
  const R limit = 2 * EPS * (bb * (aa / s));
  return ba * (ab / s) <= (tiny > limit ? tiny : limit);
}

// Applies I - tau (1, v) (1, v)^T of order `count` (2 or 3) to numbers that lie `step` apart.
static inline void reflect_few(int count, R tau, const R *v, R *x, ptrdiff_t step) {
  R sum = x[0] + v[0] * x[step];
  if (count == 3) sum += v[1] * x[2 * step];
  sum *= tau;
  x[0] -= sum, x[step] -= sum * v[0];
  if (count == 3) x[2 * step] -= sum * v[1];
}

// h, in Hessenberg form, becomes the Schur form; returns 0, or how many leading eigenvalues were not found.
static int32_t schur(ptrdiff_t n, R *h, R *zt) {
  const R tiny = TINY * ((R)n / (2 * EPS));
  for (ptrdiff_t hi = n - 1; hi >= 0;) {
    ptrdiff_t lo = 0;
    int64_t tries = 0;
    for (;; tries++) {
      if (tries > 30 * (n > 10 ? n : 10)) return (int32_t)hi + 1;
      for (lo = hi; lo > 0 && !negligible(n, h, lo, tiny);) lo--;
      if (lo > 0) H(lo, lo - 1) = 0;
      if (lo >= hi - 1) break;
      R h11 = H(hi - 1, hi - 1), h21 = H(hi, hi - 1), h12 = H(hi - 1, hi), h22 = H(hi, hi);
      if (tries > 0 && tries % 10 == 0) {  // an exceptional shift, from the bottom or from the top
        const bool bottom = tries % 20 == 0;
        const R s = bottom ? ABS(H(hi, hi - 1)) + ABS(H(hi - 1, hi - 2)) : ABS(H(lo + 1, lo)) + ABS(H(lo + 2, lo + 1));
        h11 = h22 = (R)0.75 * s + (bottom ? H(hi, hi) : H(lo, lo));
        h12 = (R)-0.4375 * s, h21 = s;
      }
      R s = ABS(h11) + ABS(h12) + ABS(h21) + ABS(h22), r1 = 0, r2 = 0, i1 = 0, i2 = 0;
      if (s != 0) {
        h11 /= s, h12 /= s, h21 /= s, h22 /= s;
        const R mean = (h11 + h22) / 2, det = (h11 - mean) * (h22 - mean) - h12 * h21, root = SQRT(ABS(det));
        if (det >= 0) {
          r1 = r2 = mean * s, i1 = root * s, i2 = -i1;
        } else {
          const R x = mean + root, y = mean - root;
          r1 = r2 = (ABS(x - h22) <= ABS(y - h22) ? x : y) * s;
        }
      }
      R v[3];
      ptrdiff_t m = hi - 2;
      for (;; m--) {  // two small subdiagonal numbers in a row end the block early
        const R low = H(m + 1, m);
        s = ABS(H(m, m) - r2) + ABS(i2) + ABS(low);
        const R l = low / s;
        v[0] = l * H(m, m + 1) + (H(m, m) - r1) * ((H(m, m) - r2) / s) - i1 * (i2 / s);
        v[1] = l * (H(m, m) + H(m + 1, m + 1) - r1 - r2);
        v[2] = l * H(m + 2, m + 1);
        s = ABS(v[0]) + ABS(v[1]) + ABS(v[2]);
        v[0] /= s, v[1] /= s, v[2] /= s;
        if (m == lo) break;
        if (ABS(H(m, m - 1)) * (ABS(v[1]) + ABS(v[2])) <=
            2 * EPS * ABS(v[0]) * (ABS(H(m - 1, m - 1)) + ABS(H(m, m)) + ABS(H(m + 1, m + 1)))) {
          break;
        }
      }
      for (ptrdiff_t k = m; k < hi; k++) {
        const int count = hi - k + 1 < 3 ? 2 : 3;
        if (k > m) {
          for (int j = 0; j < count; j++) v[j] = H(k + j, k - 1);
        }
        const R tau = reflector(count - 1, v, v + 1);
        if (k > m) {
          H(k, k - 1) = v[0], H(k + 1, k - 1) = 0;
          if (count == 3) H(k + 2, k - 1) = 0;
        } else if (m > lo) {
          H(k, k - 1) *= 1 - tau;
        }
        for (ptrdiff_t j = k; j < n; j++) reflect_few(count, tau, v + 1, &H(k, j), n);
        for (ptrdiff_t r = 0; r <= min(k + 3, hi); r++) reflect_few(count, tau, v + 1, &H(r, k), 1);
        for (ptrdiff_t j = 0; zt && j < n; j++) reflect_few(count, tau, v + 1, zt + k * n + j, n);
      }
    }
    if (lo == hi - 1) {
      R cs, sn;
      standard_block(&H(lo, lo), &H(lo, hi), &H(hi, lo), &H(hi, hi), &cs, &sn);
      for (ptrdiff_t j = hi + 1; j < n; j++) {
        const R x = H(lo, j), y = H(hi, j);
        H(lo, j) = cs * x + sn * y, H(hi, j) = cs * y - sn * x;
      }
      for (ptrdiff_t r = 0; r < lo; r++) {
        const R x = H(r, lo), y = H(r, hi);
        H(r, lo) = cs * x + sn * y, H(r, hi) = cs * y - sn * x;
      }
      for (ptrdiff_t j = 0; zt && j < n; j++) {
        const R x = zt[lo * n + j], y = zt[hi * n + j];
        zt[lo * n + j] = cs * x + sn * y, zt[hi * n + j] = cs * y - sn * x;
      }
    }
    hi = lo - 1;
  }
  return 0;
}

typedef struct {
  R re, im;
} cnum;

static cnum c_div(cnum x, cnum y) {
  if (ABS(y.re) >= ABS(y.im)) {
    const R q = y.im / y.re, d = y.re + q * y.im;
    return (cnum){(x.re + q * x.im) / d, (x.im - q * x.re) / d};
  }
  const R q = y.re / y.im, d = y.im + q * y.re;
  return (cnum){(q * x.re + x.im) / d, (q * x.im - x.re) / d};
}

static cnum c_mul(cnum x, cnum y) { return (cnum){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }
static cnum c_sub(cnum x, cnum y) { return (cnum){x.re - y.re, x.im - y.im}; }
static R c_size(cnum x) { return ABS(x.re) + ABS(x.im); }

// The vector of eigenvalue l, at place k of the Schur form (the lower one of its block), by back substitution; x is
// complete from k upwards.
static void back_substitute(ptrdiff_t n, const R *h, cnum l, ptrdiff_t top, R norm, cnum *x, ptrdiff_t k) {
  const R floor_ = 2 * EPS * norm > TINY / EPS ? 2 * EPS * norm : TINY / EPS;
  for (ptrdiff_t i = top; i >= 0; i--) {
    cnum rhs = {0, 0};
    for (ptrdiff_t j = i + 1; j <= k; j++) rhs.re -= H(i, j) * x[j].re, rhs.im -= H(i, j) * x[j].im;
    if (i > 0 && H(i, i - 1) != 0) {  // two at a time
      cnum above = {0, 0};
      for (ptrdiff_t j = i + 1; j <= k; j++) above.re -= H(i - 1, j) * x[j].re, above.im -= H(i - 1, j) * x[j].im;
      const cnum p = {H(i - 1, i - 1) - l.re, -l.im}, s = {H(i, i) - l.re, -l.im}, q = {H(i - 1, i), 0},
                 r = {H(i, i - 1), 0};
      cnum det = c_sub(c_mul(p, s), c_mul(q, r));
      if (c_size(det) < floor_ * floor_) det = (cnum){floor_ * floor_, 0};
      x[i - 1] = c_div(c_sub(c_mul(s, above), c_mul(q, rhs)), det);
      x[i] = c_div(c_sub(c_mul(p, rhs), c_mul(r, above)), det);
      i--;
    } else {
      cnum d = {H(i, i) - l.re, -l.im};
      if (c_size(d) < floor_) d = (cnum){floor_, 0};
      x[i] = c_div(rhs, d);
    }
    R size = c_size(x[i]);
    if (size > SQRT(1 / TINY) * EPS) {  // keeps what is to come from overflowing
      for (ptrdiff_t j = i; j <= k; j++) x[j].re /= size, x[j].im /= size;
    }
  }
}

// Of length 1; the largest number of a complex one is made real.
static void normalise(ptrdiff_t n, bool real, R *re, R *im) {
  const R top_re = largest(n, re), top_im = real ? 0 : largest(n, im), top = top_re > top_im ? top_re : top_im;
  if (!(top > 0)) return;
  scale(n, 1 / top, re);
  if (!real) scale(n, 1 / top, im);
  const R length = real ? norm2(n, re) : hypotenuse(norm2(n, re), norm2(n, im));
  scale(n, 1 / length, re);
  if (real) return;
  scale(n, 1 / length, im);
  ptrdiff_t at = 0;
  R best = -1;
  for (ptrdiff_t i = 0; i < n; i++) {
    const R size = re[i] * re[i] + im[i] * im[i];
    if (size > best) best = size, at = i;
  }
  R c, s, r;
  make_rotation(re[at], im[at], &c, &s, &r);
  for (ptrdiff_t i = 0; i < n; i++) {
    const R x = re[i], y = im[i];
    re[i] = c * x + s * y, im[i] = c * y - s * x;
  }
  im[at] = 0;
}

ROUTINE(eig) {
  const ptrdiff_t n = args->n;
  const bool vectors = args->job != TC_LINALG_VALUES;
  R *d = TAKE(arena, n), *v = TAKE(arena, 2 * n);
  R *zt = vectors ? TAKE(arena, n * n) : NULL;
  cnum *x = vectors ? tc_take(&arena, n * (ptrdiff_t)sizeof(cnum)) : NULL;
  R *parts = vectors ? TAKE(arena, 2 * n) : NULL;
  MEASURED(arena)
  R *h = AT(a, n * n);
  const R factor = safe_factor(largest(n * n, h));
  if (factor != 1) scale(n * n, factor, h);
  balance(n, h, d);
  hessenberg(n, h, zt, v);
  const int32_t info = schur(n, h, zt);
  cnum *values = (cnum *)AT(values, 2 * n), *out = vectors ? (cnum *)AT(b, 2 * n * n) : NULL;
  if (info != 0) return info;
  for (ptrdiff_t k = 0; k < n; k++) {
    const bool pair = k + 1 < n && H(k + 1, k) != 0;
    values[k] = (cnum){H(k, k), 0};
    if (!pair) continue;
    const R im = SQRT(ABS(H(k, k + 1))) * SQRT(ABS(H(k + 1, k)));
    values[k].im = im;
    values[k + 1] = (cnum){H(k + 1, k + 1), -im};
    k++;
  }
  R norm = 0;
  for (ptrdiff_t r = 0; vectors && r < n; r++) {
    const R row = largest(n, h + r * n);
    if (row > norm) norm = row;
  }
  for (ptrdiff_t k = 0; vectors && k < n; k++) {
    const bool pair = values[k].im != 0;
    const ptrdiff_t last = pair ? k + 1 : k;
    if (!pair) {
      x[k] = (cnum){1, 0};
    } else if (ABS(H(k, k + 1)) >= ABS(H(k + 1, k))) {
      x[k] = (cnum){1, 0}, x[k + 1] = (cnum){0, values[k].im / H(k, k + 1)};
    } else {
      x[k] = (cnum){H(k, k + 1) / values[k].im, 0}, x[k + 1] = (cnum){0, 1};
    }
    back_substitute(n, h, values[k], k - 1, norm, x, last);
    R *re = parts, *im = parts + n;
    memset(parts, 0, (size_t)(2 * n) * sizeof(R));
    for (ptrdiff_t j = 0; j <= last; j++) {
      axpy(n, x[j].re, zt + j * n, re);
      if (pair) axpy(n, x[j].im, zt + j * n, im);
    }
    for (ptrdiff_t r = 0; r < n; r++) re[r] *= d[r], im[r] *= d[r];
    normalise(n, !pair, re, im);
    for (ptrdiff_t r = 0; r < n; r++) {
      out[r * n + k] = (cnum){re[r], im[r]};
      if (pair) out[r * n + k + 1] = (cnum){re[r], -im[r]};
    }
    k = last;
  }
  for (ptrdiff_t k = 0; factor != 1 && k < n; k++) values[k].re /= factor, values[k].im /= factor;
  return 0;
}
#undef H
