// What softmax and cross entropy share: maxima, sums of exponentials and scaling, along contiguous
// lines and down tiles of neighbouring columns. A template of each_float.h; the including file has
// <math.h>, lines.h and vmath.h.

// Additions into one lane before it is widened to float64, so that long lines stay exact enough.
#ifndef SOFTMAX_RUN
#define SOFTMAX_RUN 1024
#define SOFTMAX_TILE 256  // columns
#define SOFTMAX_ROWS 64   // of a tile, before its sums are widened

// For each vector of a row of `width` elements: `whole`, or `part` for the last, incomplete one, with
// c the column.
#define FOR_ROW(width, whole, part)     \
  do {                                  \
    int64_t c = 0;                      \
    for (; c + L <= (width); c += L) {  \
      whole;                            \
    }                                   \
    if (c < (width)) {                  \
      part;                             \
    }                                   \
  } while (0)
#endif

// A NaN may or may not come through: it makes the sum of exponentials NaN in any case.
static inline E F(line_max)(const S *x, int64_t n) {
  T best = SPLAT(-INFINITY);
  int64_t i = 0;
  if (n >= 4 * L) {
    T m[4] = {best, best, best, best};
    for (; i + 4 * L <= n; i += 4 * L) {
      for (int v = 0; v < 4; v++) m[v] = v_max(m[v], F(fetch)(x + i + v * L));
    }
    best = v_max(v_max(m[0], m[1]), v_max(m[2], m[3]));
  }
  for (; i + L <= n; i += L) best = v_max(best, F(fetch)(x + i));
  if (i < n) best = v_max(best, F(fetch_part)(x + i, n - i, -INFINITY));
  return v_largest(best);
}

// The sum of exp(x - max). `out`, if given, gets the terms (not where they would be rounded).
static inline double F(line_exp)(const S *x, S *out, int64_t n, E max) {
  const T m = SPLAT(max);
  const int keep = out != NULL && !ROUNDED;
  double total = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < SOFTMAX_RUN ? n : i + SOFTMAX_RUN;
    T sum[2] = {SPLAT(0), SPLAT(0)};
    for (; i + 2 * L <= end; i += 2 * L) {
      for (int v = 0; v < 2; v++) {
        const T e = v_exp(F(fetch)(x + i + v * L) - m);
        if (keep) F(put)(out + i + v * L, e);
        sum[v] += e;
      }
    }
    for (; i + L <= end; i += L) {
      const T e = v_exp(F(fetch)(x + i) - m);
      if (keep) F(put)(out + i, e);
      sum[0] += e;
    }
    total += (double)v_sum(sum[0] + sum[1]);
  }
  if (i < n) {
    const T e = v_exp(F(fetch_part)(x + i, n - i, -INFINITY) - m);
    if (keep) F(put_part)(out + i, n - i, e);
    total += (double)v_sum(e);
  }
  return total;
}

// exp(x - max) * scale, after line_exp has left the exponentials in out (or could not).
static inline void F(line_scale)(const S *x, S *out, int64_t n, E max, E scale) {
  const T m = SPLAT(max), s = SPLAT(scale);
  if (ROUNDED) {
    FOR_ROW(n, F(put)(out + c, v_exp(F(fetch)(x + c) - m) * s),
            F(put_part)(out + c, n - c, v_exp(F(fetch_part)(x + c, n - c, 0) - m) * s));
  } else {
    FOR_ROW(n, F(put)(out + c, F(fetch)(out + c) * s),
            F(put_part)(out + c, n - c, F(fetch_part)(out + c, n - c, 0) * s));
  }
}

// Adds a tile's sums of some rows to the totals, and clears them.
static inline void F(tile_widen)(double *total, E *sum) {
  for (int64_t c = 0; c < SOFTMAX_TILE; c++) total[c] += (double)sum[c], sum[c] = 0;
}

// The same for `width` neighbouring columns of n elements, `stride` apart; max and sum have SOFTMAX_TILE places.
static inline void F(tile_stats)(const S *x, S *out, int64_t n, int64_t stride, int64_t width, E *max,
                                 E *sum) {
  const int keep = out != NULL && !ROUNDED;
  double total[SOFTMAX_TILE];
  for (int64_t c = 0; c < SOFTMAX_TILE; c++) max[c] = -INFINITY, sum[c] = 0, total[c] = 0;
  for (int64_t k = 0; k < n; k++) {
    const S *row = x + k * stride;
    FOR_ROW(width, v_store(max + c, v_max(v_load(max + c), F(fetch)(row + c))),
            v_store(max + c, v_max(v_load(max + c), F(fetch_part)(row + c, width - c, 0))));
  }
  for (int64_t k = 0; k < n; k++) {
    const S *row = x + k * stride;
    S *to = keep ? out + k * stride : NULL;
    FOR_ROW(
        width,
        {
          const T e = v_exp(F(fetch)(row + c) - v_load(max + c));
          if (keep) F(put)(to + c, e);
          v_store(sum + c, v_load(sum + c) + e);
        },
        {
          const T e = v_exp(F(fetch_part)(row + c, width - c, 0) - v_load(max + c));
          if (keep) F(put_part)(to + c, width - c, e);
          v_store(sum + c, v_load(sum + c) + e);
        });
    if (k % SOFTMAX_ROWS == SOFTMAX_ROWS - 1) F(tile_widen)(total, sum);
  }
  F(tile_widen)(total, sum);
  for (int64_t c = 0; c < SOFTMAX_TILE; c++) sum[c] = (E)total[c];
}

static inline void F(tile_scale)(const S *x, S *out, int64_t n, int64_t stride, int64_t width, const E *max,
                                 const E *scale) {
  for (int64_t k = 0; k < n; k++) {
    const S *row = x + k * stride;
    S *to = out + k * stride;
    if (ROUNDED) {
      FOR_ROW(width, F(put)(to + c, v_exp(F(fetch)(row + c) - v_load(max + c)) * v_load(scale + c)),
              F(put_part)(to + c, width - c,
                          v_exp(F(fetch_part)(row + c, width - c, 0) - v_load(max + c)) * v_load(scale + c)));
    } else {
      FOR_ROW(width, F(put)(to + c, F(fetch)(to + c) * v_load(scale + c)),
              F(put_part)(to + c, width - c, F(fetch_part)(to + c, width - c, 0) * v_load(scale + c)));
    }
  }
}
