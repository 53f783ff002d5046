// The reduction kernels for one dtype. The including file defines E, T, M, L (element, vector, mask, lanes), SPLAT
// and CONSTANT (its splats), FIELD (f or i: the field of tc_partial's value), FLOATS for the float types, and TABLE.
// No include guard: this is a template.
#include "reduce.h"
#include "vmath.h"

#define K(c) CONSTANT((E)(c))

// Integers wrap.
#ifdef FLOATS
#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
#else
#define ADD(a, b) ((int64_t)((uint64_t)(a) + (uint64_t)(b)))
#define MUL(a, b) ((int64_t)((uint64_t)(a) * (uint64_t)(b)))
#endif

// float32 sums cascade: RUN additions into one lane, RUNS of those into the next, then float64. So few roundings of
// partial sums add up even where all go the same way.
enum { RUN = 16, RUNS = 8, WIDE = 4 };

// Rows that the other kernels take at a time.
enum { TALL = 64 };

// Adds to a running total: float64 sums keep what rounding loses (Neumaier 1974).
TC_INLINE void total_add(tc_partial *s, E x) {
#if defined(COMPENSATED)
  double sum = s->v.f + x;
  double lost = fabs(s->v.f) >= fabs(x) ? (s->v.f - sum) + x : (x - sum) + s->v.f;
  s->v.f = sum;
  // Infinities would leave a NaN here.
  s->w += lost == lost ? lost : 0;
#else
  s->v.FIELD = ADD(s->v.FIELD, x);
#endif
}

static void start_sum(tc_partial *s) { *s = (tc_partial){.v.FIELD = 0}; }

static void merge_sum(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
#if defined(COMPENSATED)
  total_add(s, t->v.f);
  s->w += t->w;
#else
  s->v.FIELD = ADD(s->v.FIELD, t->v.FIELD);
#endif
}

#define SUM_KERNELS(name, mapped)                                                                            \
  TC_INLINE T map_##name(T x) { return (mapped); }                                                           \
  /* s[0 .. width * L) <- the sums of up to RUN * RUNS rows. */                                              \
  TC_INLINE void cascade_##name(T *sum, const E *x, int64_t stride, int64_t rows, int width) {               \
    for (int v = 0; v < width; v++) sum[v] = K(0);                                                           \
    for (int64_t r = 0; r < rows; r += RUN) {                                                                \
      T acc[WIDE] = {K(0), K(0), K(0), K(0)};                                                                \
      int64_t m = rows - r < RUN ? rows - r : RUN;                                                           \
      for (int64_t k = 0; k < m; k++, x += stride) {                                                         \
        for (int v = 0; v < width; v++) acc[v] += map_##name(v_load(x + v * L));                             \
      }                                                                                                      \
      for (int v = 0; v < width; v++) sum[v] += acc[v];                                                      \
    }                                                                                                        \
  }                                                                                                          \
  static void line_##name(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {  \
    (void)at, (void)seen, (void)p;                                                                           \
    const E *x = data;                                                                                       \
    for (; n >= WIDE * L;) {                                                                                 \
      T sum[WIDE];                                                                                           \
      int64_t steps = n / (WIDE * L) < RUN * RUNS ? n / (WIDE * L) : RUN * RUNS;                             \
      cascade_##name(sum, x, WIDE * L, steps, WIDE);                                                         \
      x += steps * WIDE * L;                                                                                 \
      n -= steps * WIDE * L;                                                                                 \
      T all = (sum[0] + sum[1]) + (sum[2] + sum[3]);                                                         \
      for (int l = 0; l < L; l++) total_add(s, all[l]);                                                      \
    }                                                                                                        \
    for (int64_t i = 0; i < n; i++) total_add(s, map_##name(SPLAT(x[i]))[0]);                                \
  }                                                                                                          \
  TC_INLINE void group_##name(tc_partial *s, const E *x, int64_t stride, int64_t rows, int width) {          \
    T sum[WIDE];                                                                                             \
    cascade_##name(sum, x, stride, rows, width);                                                             \
    for (int v = 0; v < width; v++) {                                                                        \
      for (int l = 0; l < L; l++) total_add(&s[v * L + l], sum[v][l]);                                       \
    }                                                                                                        \
  }                                                                                                          \
  static void rows_##name(tc_partial *s, const void *data, int64_t stride, int64_t rows, int64_t columns,    \
                          int64_t at, int64_t seen) {                                                        \
    (void)at, (void)seen;                                                                                    \
    for (int64_t r = 0; r < rows; r += RUN * RUNS) {                                                         \
      const E *x = (const E *)data + r * stride;                                                             \
      int64_t m = rows - r < RUN * RUNS ? rows - r : RUN * RUNS, c = 0;                                      \
      for (; c + WIDE * L <= columns; c += WIDE * L) group_##name(s + c, x + c, stride, m, WIDE);            \
      for (; c < columns; c += L) group_##name(s + c, x + c, stride, m, 1);                                  \
    }                                                                                                        \
  }

#define SUM_FOLD(name) {line_##name, rows_##name, start_sum, merge_sum}

SUM_KERNELS(sum, x)
SUM_KERNELS(count, v_select(x != K(0), K(1), K(0)))
#ifdef FLOATS
SUM_KERNELS(nansum, v_select(v_isnan(x), K(0), x))
SUM_KERNELS(sumsq, x *x)
SUM_KERNELS(sumabs, v_abs(x))

static void line_sumpow(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen;
  const E *x = data;
  for (int64_t i = 0; i < n; i += L) {
    T t = K(0);
    int64_t m = n - i < L ? n - i : L;
    memcpy(&t, x + i, (size_t)m * sizeof(E));
    T y = v_pow(v_abs(t), K(p));
    for (int64_t l = 0; l < m; l++) total_add(s, y[l]);
  }
}
#endif

// Products, in float64 for both float types: the range is what a product runs out of first.
static void start_prod(tc_partial *s) { *s = (tc_partial){.v.FIELD = 1}; }
static void merge_prod(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.FIELD = MUL(s->v.FIELD, t->v.FIELD);
}
static void line_prod(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  const E *x = data;
  __typeof__(s->v.FIELD) even = s->v.FIELD, odd = 1;
  int64_t i = 0;
  for (; i + 2 <= n; i += 2) {
    even = MUL(even, x[i]);
    odd = MUL(odd, x[i + 1]);
  }
  if (i < n) even = MUL(even, x[i]);
  s->v.FIELD = MUL(even, odd);
}

// Extremes. better(a, b): a replaces b; a NaN replaces anything but an earlier NaN.
#ifdef FLOATS
#define BETTER(op, a, b) (((a)op(b)) | (((a) != (a)) & ((b) == (b))))
#define LOWEST (-INFINITY)
#define HIGHEST INFINITY
#else
#define BETTER(op, a, b) ((a)op(b))
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#endif

// The first element equal to value (or, if that is NaN, the first NaN); there is one.
static int64_t place_of(const E *x, int64_t n, E value) {
  int64_t i = 0;
#ifdef FLOATS
  if (value != value) {
    while (x[i] == x[i]) i++;
    return i;
  }
#endif
  for (; i + L <= n && !v_any((M)(v_load(x + i) == SPLAT(value))); i += L) {
  }
  while (x[i] != value) i++;
  return i;
}
#define EXTREME_KERNELS(name, op, choose, first, mapped, placed)                                                    \
  static void start_##name(tc_partial *s) { *s = (tc_partial){.v.FIELD = first, .at = -1}; }                 \
  static void merge_##name(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {           \
    (void)s_count;                                                                                           \
    if (t_count > 0 && (s->at < 0 || BETTER(op, t->v.FIELD, s->v.FIELD))) *s = *t;                           \
  }                                                                                                          \
  TC_INLINE T map_##name(T x) { return (mapped); }                                                           \
  /* The extreme of a block first, by vectors; its place is looked up only if it beats what s holds. */      \
  static void line_##name(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {  \
    (void)seen, (void)p;                                                                                     \
    enum { BLOCK = 128 * L };                                                                                \
    const E *x = data;                                                                                       \
    for (; n > 0; x += BLOCK, at += BLOCK, n -= BLOCK) {                                                     \
      int64_t m = n < BLOCK ? n : BLOCK, i = 0;                                                              \
      T best = map_##name(SPLAT(x[0]));                                                                      \
      if (m >= WIDE * L) {                                                                                   \
        T acc[WIDE] = {best, best, best, best};                                                              \
        for (; i + WIDE * L <= m; i += WIDE * L) {                                                           \
          for (int v = 0; v < WIDE; v++) acc[v] = choose(acc[v], map_##name(v_load(x + i + v * L)));         \
        }                                                                                                    \
        best = choose(choose(acc[0], acc[1]), choose(acc[2], acc[3]));                                       \
      }                                                                                                      \
      for (; i + L <= m; i += L) best = choose(best, map_##name(v_load(x + i)));                             \
      E value = best[0];                                                                                     \
      for (int l = 1; l < L; l++) value = BETTER(op, best[l], value) ? best[l] : value;                      \
      for (; i < m; i++) {                                                                                   \
        E y = map_##name(SPLAT(x[i]))[0];                                                                    \
        value = BETTER(op, y, value) ? y : value;                                                            \
      }                                                                                                      \
      if (s->at >= 0 && !BETTER(op, value, (E)s->v.FIELD)) continue;                                         \
      s->v.FIELD = value;                                                                                    \
      s->at = at + (placed ? place_of(x, m, value) : 0);                                                     \
    }                                                                                                        \
  }                                                                                                          \
  /* Columns likewise; the second look goes from the last row up, so that the first place is the one that stays. */ \
  TC_INLINE void group_##name(tc_partial *s, const E *x, int64_t stride, int64_t rows, int64_t at,           \
                              int width) {                                                                   \
    T best[WIDE];                                                                                            \
    M place[WIDE];                                                                                           \
    for (int v = 0; v < width; v++) best[v] = map_##name(v_load(x + v * L));                                 \
    for (int64_t r = 1; r < rows; r++) {                                                                     \
      for (int v = 0; v < width; v++) best[v] = choose(best[v], map_##name(v_load(x + r * stride + v * L))); \
    }                                                                                                        \
    for (int v = 0; v < width; v++) {                                                                        \
      int replaces[L], any = 0;                                                                              \
      for (int l = 0; l < L; l++) {                                                                          \
        const tc_partial *t = &s[v * L + l];                                                                 \
        any |= replaces[l] = t->at < 0 || BETTER(op, best[v][l], (E)t->v.FIELD);                             \
      }                                                                                                      \
      if (!any) continue;                                                                                    \
      place[v] = (M){0};                                                                                     \
      for (int64_t r = rows - 1; placed && r >= 0; r--) {                                                    \
        T y = v_load(x + r * stride + v * L);                                                                \
        place[v] = v_select((M)((y == best[v]) | (y != y)), (M){0} + (M_ELEMENT)r, place[v]);                \
      }                                                                                                      \
      for (int l = 0; l < L; l++) {                                                                          \
        tc_partial *t = &s[v * L + l];                                                                       \
        if (!replaces[l]) continue;                                                                          \
        t->v.FIELD = best[v][l];                                                                             \
        t->at = at + place[v][l];                                                                            \
      }                                                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  static void rows_##name(tc_partial *s, const void *data, int64_t stride, int64_t rows, int64_t columns,    \
                          int64_t at, int64_t seen) {                                                        \
    (void)seen;                                                                                              \
    for (int64_t r = 0; r < rows; r += TALL) {                                                               \
      const E *x = (const E *)data + r * stride;                                                             \
      int64_t m = rows - r < TALL ? rows - r : TALL, c = 0;                                                  \
      for (; c + WIDE * L <= columns; c += WIDE * L) group_##name(s + c, x + c, stride, m, at + r, WIDE);    \
      for (; c < columns; c += L) group_##name(s + c, x + c, stride, m, at + r, 1);                          \
    }                                                                                                        \
  }

#define EXTREME_FOLD(name) {line_##name, rows_##name, start_##name, merge_##name}

EXTREME_KERNELS(max, >, v_maximum, LOWEST, x, 1)
EXTREME_KERNELS(min, <, v_minimum, HIGHEST, x, 1)
// Where nobody asks for places.
EXTREME_KERNELS(amax, >, v_maximum, LOWEST, x, 0)
EXTREME_KERNELS(amin, <, v_minimum, HIGHEST, x, 0)
#ifdef FLOATS
EXTREME_KERNELS(maxabs, >, v_maximum, 0, v_abs(x), 0)
EXTREME_KERNELS(minabs, <, v_minimum, INFINITY, v_abs(x), 0)
#endif

// Truth. Lines stop at the first element that decides.
static void start_any(tc_partial *s) { *s = (tc_partial){.v.i = 0}; }
static void start_all(tc_partial *s) { *s = (tc_partial){.v.i = 1}; }
static void merge_any(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.i |= t->v.i;
}
static void merge_all(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  s->v.i &= t->v.i;
}
// Stops at the first element whose being 0 is `zero`.
static int64_t has_zeroness(const E *x, int64_t n, int zero) {
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    M m = (M)(v_load(x + i) == K(0));
    if (v_any(zero ? m : ~m)) return 1;
  }
  for (; i < n; i++) {
    if ((x[i] == 0) == zero) return 1;
  }
  return 0;
}
static void line_any(tc_partial *s, const void *x, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  if (s->v.i == 0) s->v.i = has_zeroness(x, n, 0);
}
static void line_all(tc_partial *s, const void *x, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  if (s->v.i == 1) s->v.i = !has_zeroness(x, n, 1);
}

#ifdef FLOATS
// Variance: mean and sum of squared differences of each block, in two passes over it while it is in the L1 cache,
// combined as in Chan, Golub, LeVeque 1979.
TC_INLINE void merge_moments(tc_partial *s, int64_t s_count, double mean, double squares, int64_t count) {
  if (count == 0) return;
  double n = (double)(s_count + count), share = (double)count / n, delta = mean - s->v.f;
  s->v.f = s_count == 0 ? mean : s->v.f + delta * share;
  s->w += squares + (s_count == 0 ? 0 : delta * delta * (double)s_count * share);
}
static void merge_var(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  merge_moments(s, s_count, t->v.f, t->w, t_count);
}
static void line_var(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)p;
  enum { BLOCK = TALL * WIDE * L };
  const E *x = data;
  for (; n > 0; x += BLOCK, n -= BLOCK, seen += BLOCK) {
    int64_t m = n < BLOCK ? n : BLOCK;
    tc_partial sum = {.v.f = 0};
    line_sum(&sum, x, m, 0, 0, 0);
    double mean = (sum.v.f + sum.w) / (double)m;
    E center = (E)mean;
    T acc[WIDE] = {K(0), K(0), K(0), K(0)};
    int64_t i = 0;
    for (; i + WIDE * L <= m; i += WIDE * L) {
      for (int v = 0; v < WIDE; v++) {
        T d = v_load(x + i + v * L) - SPLAT(center);
        acc[v] += d * d;
      }
    }
    T all = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    double squares = 0;
    for (int l = 0; l < L; l++) squares += all[l];
    for (; i < m; i++) squares += (double)(x[i] - center) * (x[i] - center);
    double off = mean - center;
    merge_moments(s, seen, mean, squares - off * off * (double)m, m);
  }
}
TC_INLINE void group_var(tc_partial *s, const E *x, int64_t stride, int64_t rows, int64_t seen, int width) {
  T sum[WIDE], squares[WIDE], center[WIDE];
  for (int v = 0; v < width; v++) sum[v] = squares[v] = K(0);
  const E *row = x;
  for (int64_t r = 0; r < rows; r++, row += stride) {
    for (int v = 0; v < width; v++) sum[v] += v_load(row + v * L);
  }
  for (int v = 0; v < width; v++) center[v] = sum[v] / K(rows);
  row = x;
  for (int64_t r = 0; r < rows; r++, row += stride) {
    for (int v = 0; v < width; v++) {
      T d = v_load(row + v * L) - center[v];
      squares[v] += d * d;
    }
  }
  for (int v = 0; v < width; v++) {
    for (int l = 0; l < L; l++) {
      double mean = (double)sum[v][l] / (double)rows, off = mean - center[v][l];
      merge_moments(&s[v * L + l], seen, mean, squares[v][l] - off * off * (double)rows, rows);
    }
  }
}
static void rows_var(tc_partial *s, const void *data, int64_t stride, int64_t rows, int64_t columns, int64_t at,
                     int64_t seen) {
  (void)at;
  for (int64_t r = 0; r < rows; r += TALL) {
    const E *x = (const E *)data + r * stride;
    int64_t m = rows - r < TALL ? rows - r : TALL, c = 0;
    for (; c + WIDE * L <= columns; c += WIDE * L) group_var(s + c, x + c, stride, m, seen + r, WIDE);
    for (; c < columns; c += L) group_var(s + c, x + c, stride, m, seen + r, 1);
  }
}

// log sum exp: the largest element so far and the sum of exp(x - largest).
static void start_logsumexp(tc_partial *s) { *s = (tc_partial){.v.f = -INFINITY}; }
static void merge_logsumexp(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count) {
  (void)s_count, (void)t_count;
  if (t->v.f == -INFINITY || s->v.f != s->v.f) return;
  if (s->v.f == -INFINITY || t->v.f != t->v.f) {
    *s = *t;
    return;
  }
  double largest = t->v.f > s->v.f ? t->v.f : s->v.f;
  s->w = largest == INFINITY ? 1 : s->w * exp(s->v.f - largest) + t->w * exp(t->v.f - largest);
  s->v.f = largest;
}
static void line_logsumexp(tc_partial *s, const void *data, int64_t n, int64_t at, int64_t seen, double p) {
  (void)at, (void)seen, (void)p;
  enum { BLOCK = TALL * WIDE * L };
  const E *x = data;
  for (; n > 0; x += BLOCK, n -= BLOCK) {
    int64_t m = n < BLOCK ? n : BLOCK, i = 0;
    tc_partial largest;
    start_amax(&largest);
    line_amax(&largest, x, m, 0, 0, 0);
    tc_partial block = {.v.f = largest.v.f, .w = 1};
    if (fabs(block.v.f) < INFINITY) {
      T acc = K(0), shift = K(block.v.f);
      block.w = 0;
      for (; i + L <= m; i += L) acc += v_exp(v_load(x + i) - shift);
      for (int l = 0; l < L; l++) block.w += acc[l];
      for (; i < m; i++) block.w += exp(x[i] - block.v.f);
    }
    merge_logsumexp(s, 0, &block, 0);
  }
}
#endif

const tc_fold TABLE[TC_FOLD_COUNT_OF] = {
    [TC_FOLD_SUM] = SUM_FOLD(sum),
    [TC_FOLD_COUNT] = SUM_FOLD(count),
    [TC_FOLD_PROD] = {line_prod, 0, start_prod, merge_prod},
    [TC_FOLD_MAX] = EXTREME_FOLD(max),
    [TC_FOLD_MIN] = EXTREME_FOLD(min),
    [TC_FOLD_AMAX] = EXTREME_FOLD(amax),
    [TC_FOLD_AMIN] = EXTREME_FOLD(amin),
    [TC_FOLD_ANY] = {line_any, 0, start_any, merge_any},
    [TC_FOLD_ALL] = {line_all, 0, start_all, merge_all},
#ifdef FLOATS
    [TC_FOLD_NANSUM] = SUM_FOLD(nansum),
    [TC_FOLD_SUMSQ] = SUM_FOLD(sumsq),
    [TC_FOLD_SUMABS] = SUM_FOLD(sumabs),
    [TC_FOLD_SUMPOW] = {line_sumpow, 0, start_sum, merge_sum},
    [TC_FOLD_MAXABS] = EXTREME_FOLD(maxabs),
    [TC_FOLD_MINABS] = EXTREME_FOLD(minabs),
    [TC_FOLD_VAR] = {line_var, rows_var, start_sum, merge_var},
    [TC_FOLD_LOGSUMEXP] = {line_logsumexp, 0, start_logsumexp, merge_logsumexp},
#endif
};
