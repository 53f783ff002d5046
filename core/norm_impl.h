// Lines of normalisation. A template of each_float.h: x lies in S, everything is computed in E.

// The sum of a line, and of the squares of its distance from `mean`; vectors in E, runs of them in float64.
static double F(line_sum)(const S *x, int64_t n) {
  double total = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < NORM_RUN ? n : i + NORM_RUN;
    T a = SPLAT(0), b = SPLAT(0);
    for (; i + 2 * L <= end; i += 2 * L) a += F(fetch)(x + i), b += F(fetch)(x + i + L);
    for (; i + L <= end; i += L) a += F(fetch)(x + i);
    total += (double)v_sum(a) + (double)v_sum(b);
  }
  return i < n ? total + (double)v_sum(F(fetch_part)(x + i, n - i, 0)) : total;
}

static double F(line_spread)(const S *x, int64_t n, double mean) {
  const T m = SPLAT(mean);
  double total = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < NORM_RUN ? n : i + NORM_RUN;
    T a = SPLAT(0);
    for (; i + L <= end; i += L) {
      const T d = F(fetch)(x + i) - m;
      a += d * d;
    }
    total += (double)v_sum(a);
  }
  if (i < n) {
    const T d = F(fetch_part)(x + i, n - i, (E)mean) - m;
    total += (double)v_sum(d * d);
  }
  return total;
}

// Sums of g and of g * (x - mean) over a line.
static void F(line_dots)(const S *g, const S *x, int64_t n, double mean, double *sum, double *dot) {
  const T m = SPLAT(mean);
  double s = 0, d = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < NORM_RUN ? n : i + NORM_RUN;
    T a = SPLAT(0), b = SPLAT(0);
    for (; i + L <= end; i += L) {
      const T v = F(fetch)(g + i);
      a += v;
      b += v * (F(fetch)(x + i) - m);
    }
    s += (double)v_sum(a), d += (double)v_sum(b);
  }
  if (i < n) {
    const T v = F(fetch_part)(g + i, n - i, 0);
    s += (double)v_sum(v), d += (double)v_sum(v * (F(fetch_part)(x + i, n - i, 0) - m));
  }
  *sum += s, *dot += d;
}

// y = x * scale + shift.
static void F(line_affine)(const S *x, S *y, int64_t n, double scale, double shift) {
  const T a = SPLAT(scale), b = SPLAT(shift);
  int64_t i = 0;
  for (; i + L <= n; i += L) F(put)(y + i, v_fma(F(fetch)(x + i), a, b));
  if (i < n) F(put_part)(y + i, n - i, v_fma(F(fetch_part)(x + i, n - i, 0), a, b));
}

// dx = g * p + x * q + r.
static void F(line_combine)(const S *g, const S *x, S *dx, int64_t n, double p, double q, double r) {
  const T a = SPLAT(p), b = SPLAT(q), c = SPLAT(r);
  int64_t i = 0;
  for (; i + L <= n; i += L) F(put)(dx + i, v_fma(F(fetch)(g + i), a, v_fma(F(fetch)(x + i), b, c)));
  if (i < n) {
    const T v = v_fma(F(fetch_part)(g + i, n - i, 0), a, v_fma(F(fetch_part)(x + i, n - i, 0), b, c));
    F(put_part)(dx + i, n - i, v);
  }
}

// y = (x - mean) * rstd * w + b, with w and b along the line (either may be missing).
static void F(line_layer)(const S *x, S *y, int64_t n, double mean, double rstd, const E *w, const E *b) {
  const T m = SPLAT(mean), r = SPLAT(rstd), zero = SPLAT(0), one = SPLAT(1);
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const T v = (F(fetch)(x + i) - m) * r;
    F(put)(y + i, v_fma(v, w ? v_load(w + i) : one, b ? v_load(b + i) : zero));
  }
  for (; i < n; i++) {
    const T v = (F(fetch_part)(x + i, 1, 0) - m) * r;
    F(put_part)(y + i, 1, v_fma(v, w ? SPLAT(w[i]) : one, b ? SPLAT(b[i]) : zero));
  }
}

// Sums of g * w and of g * w * (x - mean).
static void F(line_layer_dots)(const S *g, const S *x, const E *w, int64_t n, double mean, double *sum, double *dot) {
  const T m = SPLAT(mean), one = SPLAT(1);
  double s = 0, d = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < NORM_RUN ? n : i + NORM_RUN;
    T a = SPLAT(0), b = SPLAT(0);
    for (; i + L <= end; i += L) {
      const T v = F(fetch)(g + i) * (w ? v_load(w + i) : one);
      a += v;
      b += v * (F(fetch)(x + i) - m);
    }
    s += (double)v_sum(a), d += (double)v_sum(b);
  }
  for (; i < n; i++) {
    const T v = F(fetch_part)(g + i, 1, 0) * (w ? SPLAT(w[i]) : one);
    s += (double)v[0], d += (double)(v * (F(fetch_part)(x + i, 1, 0) - m))[0];
  }
  *sum += s, *dot += d;
}

// dx = g * w * p + x * q + r.
static void F(line_layer_combine)(const S *g, const S *x, const E *w, S *dx, int64_t n, double p, double q, double r) {
  const T a = SPLAT(p), b = SPLAT(q), c = SPLAT(r), one = SPLAT(1);
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const T v = F(fetch)(g + i) * (w ? v_load(w + i) : one);
    F(put)(dx + i, v_fma(v, a, v_fma(F(fetch)(x + i), b, c)));
  }
  for (; i < n; i++) {
    const T v = F(fetch_part)(g + i, 1, 0) * (w ? SPLAT(w[i]) : one);
    F(put_part)(dx + i, 1, v_fma(v, a, v_fma(F(fetch_part)(x + i, 1, 0), b, c)));
  }
}

// Columns [0, n) of one row added to the gradients of weight and bias.
static void F(row_params)(const S *g, const S *x, int64_t n, double mean, double rstd, E *dw, E *db) {
  const T m = SPLAT(mean), r = SPLAT(rstd);
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    const T v = F(fetch)(g + i);
    v_store(dw + i, v_load(dw + i) + v * ((F(fetch)(x + i) - m) * r));
    v_store(db + i, v_load(db + i) + v);
  }
  for (; i < n; i++) {
    const T v = F(fetch_part)(g + i, 1, 0);
    dw[i] += (v * ((F(fetch_part)(x + i, 1, 0) - m) * r))[0];
    db[i] += v[0];
  }
}
