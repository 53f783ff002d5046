// What softmax and cross entropy share: maxima, sums of exponentials and scaling, along contiguous
// lines and down tiles of neighbouring columns. A template of each_float.h; the including file has
// <math.h>, lines.h and vmath.h.

// Additions into one lane before it is widened to float64, so that long lines stay exact enough.
#ifndef SOFTMAX_RUN
#define SOFTMAX_RUN 1024
#define SOFTMAX_TILE 256  // columns
#define SOFTMAX_GROUP 4   // vectors of columns that go down a tile together
#define SOFTMAX_ROWS 64   // of a tile, before its sums are widened
#define SOFTMAX_BUFFER_BYTES 65536

// For each vector of a row of `width` elements: `whole`, or `part` for the last, incomplete one, with
// c the column.
#define FOR_ROW(width, whole, part)     \
  do {                                  \
    ptrdiff_t c = 0;                      \
    for (; c + L <= (width); c += L) {  \
      whole;                            \
    }                                   \
    if (c < (width)) {                  \
      part;                             \
    }                                   \
  } while (0)

// out[c] = whole, for a line of n: a vector's worth for c, or `part` if the line is shorter than one. The line's end
// is the whole vector that ends there, computed before anything is stored, so out may be what is read.
#define MAP_LINE(out, n, whole, part)             \
  do {                                            \
    if ((n) >= L) {                               \
      ptrdiff_t c = (n) - L;                      \
      const T last = (whole);                     \
      for (c = 0; c + L <= (n); c += L) {         \
        F(put)((out) + c, (whole));               \
      }                                           \
      F(put)((out) + ((n) - L), last);            \
    } else if ((n) > 0) {                         \
      const ptrdiff_t c = 0;                      \
      F(put_part)((out) + c, (n), (part));        \
    }                                             \
  } while (0)
#endif

// A NaN may or may not come through: it makes the sum of exponentials NaN in any case.
static inline E F(line_max)(const S *x, ptrdiff_t n) {
  T best = SPLAT(-INFINITY);
  ptrdiff_t i = 0;
  if (n >= 4 * L) {
    T m[4] = {best, best, best, best};
    for (; i + 4 * L <= n; i += 4 * L) {
      for (int v = 0; v < 4; v++) m[v] = v_max(m[v], F(fetch)(x + i + v * L));
    }
    best = v_max(v_max(m[0], m[1]), v_max(m[2], m[3]));
  }
  for (; i + L <= n; i += L) best = v_max(best, F(fetch)(x + i));
  if (n >= L) return v_largest(v_max(best, F(fetch)(x + n - L)));
  return v_largest(F(fetch_part)(x, n, -INFINITY));
}

// The sum of exp(x - max). `out`, if given, gets the terms (not where they would be rounded).
static inline double F(line_exp)(const S *x, S *out, ptrdiff_t n, E max) {
  const T m = SPLAT(max);
  const int keep = out != NULL && !ROUNDED;
  if (n < L) {
    const T e = v_exp(F(fetch_part)(x, n, max) - m);
    if (keep) F(put_part)(out, n, e);
    double sum = 0;
    for (ptrdiff_t l = 0; l < n; l++) sum += (double)e[l];
    return sum;
  }
  const T end_of_x = F(fetch)(x + n - L);  // before out, which may be x, is written
  double total = 0;
  ptrdiff_t i = 0;
  while (i + L <= n) {
    const ptrdiff_t end = n - i < SOFTMAX_RUN ? n : i + SOFTMAX_RUN;
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
    const T e = v_exp(end_of_x - m);
    if (keep) F(put)(out + n - L, e);
    total += (double)v_sum(v_last(e, n - i));
  }
  return total;
}

// exp(x - max) * scale, after line_exp has left the exponentials in out (or could not).
static inline void F(line_scale)(const S *x, S *out, ptrdiff_t n, E max, E scale) {
  const T m = SPLAT(max), s = SPLAT(scale);
  if (ROUNDED) {
    MAP_LINE(out, n, v_exp(F(fetch)(x + c) - m) * s, v_exp(F(fetch_part)(x + c, n, max) - m) * s);
  } else {
    MAP_LINE(out, n, F(fetch)(out + c) * s, F(fetch_part)(out + c, n, 0) * s);
  }
}

// ---- columns ------------------------------------------------------------------------------------------------
//
// Lines that are not contiguous go side by side: a tile is `width` neighbouring columns of n elements,
// `stride` apart. A tile that fits a buffer is packed into it first and read there, group of vectors by
// group; a larger one is read row by row where it lies.

// Columns of a tile, and whether it is packed.
static inline ptrdiff_t F(tile_width)(ptrdiff_t n, bool *packs) {
  const ptrdiff_t room = SOFTMAX_BUFFER_BYTES / (ptrdiff_t)sizeof(E), group = SOFTMAX_GROUP * L;
  const ptrdiff_t fits = room / n / group * group;
  *packs = fits >= 4 * group;  // narrower rows are not worth their way through the caches
  return *packs && fits < SOFTMAX_TILE ? fits : SOFTMAX_TILE;
}

// Rows of a packed tile: whole groups, the last one filled up with zeros.
static inline ptrdiff_t F(packed_row)(ptrdiff_t width) {
  const ptrdiff_t group = SOFTMAX_GROUP * L;
  return (width + group - 1) / group * group;
}

static inline void F(tile_pack)(const S *x, E *buffer, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t width) {
  const ptrdiff_t row = F(packed_row)(width);
  for (ptrdiff_t k = 0; k < n; k++, x += stride, buffer += row) {
    FOR_ROW(width, v_store(buffer + c, F(fetch)(x + c)), v_store(buffer + c, F(fetch_part)(x + c, width - c, 0)));
    for (ptrdiff_t c = (width + L - 1) / L * L; c < row; c += L) v_store(buffer + c, SPLAT(0));
  }
}

// Maximum and sum of exponentials of one group of columns of a packed tile, `row` apart; `keep`, a constant where this
// is called: the exponentials take the place of the elements.
TC_INLINE void F(packed_group)(E *x, ptrdiff_t n, ptrdiff_t row, E *max, E *sum, const bool keep) {
  T m[SOFTMAX_GROUP], total[SOFTMAX_GROUP];
  for (int v = 0; v < SOFTMAX_GROUP; v++) m[v] = SPLAT(-INFINITY), total[v] = SPLAT(0);
  E *p = x;
  for (ptrdiff_t k = 0; k < n; k++, p += row) {
    for (int v = 0; v < SOFTMAX_GROUP; v++) m[v] = v_max(m[v], v_load(p + v * L));
  }
  p = x;
  for (ptrdiff_t k = 0; k < n; k++, p += row) {
    for (int v = 0; v < SOFTMAX_GROUP; v++) {
      const T e = v_exp(v_load(p + v * L) - m[v]);
      total[v] += e;
      if (keep) v_store(p + v * L, e);
    }
  }
  for (int v = 0; v < SOFTMAX_GROUP; v++) {
    v_store(max + v * L, m[v]);
    v_store(sum + v * L, total[v]);
  }
}

// max and sum have SOFTMAX_TILE places; so do those of tile_stats.
static inline void F(packed_stats)(E *x, ptrdiff_t n, ptrdiff_t width, E *max, E *sum, bool keep) {
  const ptrdiff_t row = F(packed_row)(width);
  for (ptrdiff_t c = 0; c < row; c += SOFTMAX_GROUP * L) {
    if (keep) F(packed_group)(x + c, n, row, max + c, sum + c, true);
    else F(packed_group)(x + c, n, row, max + c, sum + c, false);
  }
}

// The same for a tile where it lies. Every SOFTMAX_ROWS rows the sums are widened to float64.
static inline void F(tile_stats)(const S *x, ptrdiff_t n, ptrdiff_t stride, ptrdiff_t width, E *max, E *sum) {
  double total[SOFTMAX_TILE] = {0};
  for (ptrdiff_t c = 0; c < SOFTMAX_TILE; c++) max[c] = -INFINITY, sum[c] = 0;
  const S *row = x;
  for (ptrdiff_t k = 0; k < n; k++, row += stride) {
    FOR_ROW(width, v_store(max + c, v_max(v_load(max + c), F(fetch)(row + c))),
            v_store(max + c, v_max(v_load(max + c), F(fetch_part)(row + c, width - c, 0))));
  }
#define ADD(x) v_store(sum + c, v_load(sum + c) + v_exp((x) - v_load(max + c)))
  for (ptrdiff_t k = 0; k < n; k++, x += stride) {
    FOR_ROW(width, ADD(F(fetch)(x + c)), ADD(F(fetch_part)(x + c, width - c, 0)));
    if (k % SOFTMAX_ROWS != SOFTMAX_ROWS - 1 && k != n - 1) continue;
    for (ptrdiff_t c = 0; c < width; c++) total[c] += (double)sum[c], sum[c] = 0;
  }
#undef ADD
  for (ptrdiff_t c = 0; c < width; c++) sum[c] = (E)total[c];
}
