// Fourier transforms for one float type. The including file defines
//   E, T, M, SPLAT, CONSTANT  the parts' type, its vector and mask, the words that splat an element
//   NAME(x)                   the names of what it exports
//
// Many transforms run lane by lane: as many at once as a vector has lanes, each thread taking groups of them. A long
// transform, or one alone, is split instead, n = n1 n2: n2 transforms of n1 numbers, a multiplication by roots, and n1
// transforms of n2 numbers, both steps of which are many transforms again.
// No include guard: this is a template.
#include <stdint.h>

#include "fft.h"
#include "parallel.h"
#include "vmath.h"
#include "vtools.h"

#define K(c) CONSTANT((E)(c))

#include "vcomplex.h"
#include "fft_passes.h"
#include "fft_lanes.h"

enum {
  LONG = 16384,   // numbers: two buffers of all lanes no longer stay in the second cache
  GRAIN = 4096,   // numbers worth a thread
};

static int64_t aligned(int64_t bytes) { return (bytes + 63) & ~(int64_t)63; }

// ---- one long transform ----

typedef struct {
  const fft_plan *p;
  const E *x;
  E *y, *middle;
  char *rooms;      // one of room_bytes for each thread
  int64_t room_bytes;
  int swap_in, swap_out;
  E scale;
} row_job;

static int64_t row_room(const fft_plan *p) {
  const int64_t n = p->n1 ? (p->n1 > p->n2 ? p->n1 : p->n2) : p->n;
  return aligned(2 * n * (int64_t)sizeof(C));
}

// Columns [begin, end) LANES at a time: the first step of a split transform.
static void split_first(void *ctx, int64_t begin, int64_t end, int thread) {
  const row_job *j = ctx;
  const int64_t n1 = j->p->n1, n2 = j->p->n2;
  const fft_plan *plan = fft_inner(j->p, j->p->first);
  const E *cross = (const E *)fft_inner(j->p, j->p->cross);
  C *a = (C *)(j->rooms + thread * j->room_bytes), *b = a + n1;
  for (int64_t g = begin; g < end; g++) {
    // Past the end the last column stands in.
    lanes in = {.step = 2 * n2};
    for (int64_t i = 0; i < LANES; i++) {
      in.re[i] = j->x + 2 * (g * LANES + i < n2 ? g * LANES + i : n2 - 1);
      in.im[i] = in.re[i] + 1;
    }
    see(&in);
    load_lanes(&in, 0, n1, a, j->swap_in);
    C *r = mixed_radix(plan, a, b);
    lanes roots = in;
    for (int64_t i = 0; i < LANES; i++) roots.re[i] = cross + (in.re[i] - j->x), roots.im[i] = roots.re[i] + 1;
    for (int64_t k = 1; k < n1; k++) {
      const C w = in.how == COLUMNS ? c_load(roots.re[0] + k * 2 * n2) : gather(&roots, k);
      r[k] = c_mul_root(r[k], w);
    }
    lanes out = in;
    for (int64_t i = 0; i < LANES; i++) out.re[i] = j->middle + (in.re[i] - j->x), out.im[i] = out.re[i] + 1;
    store_lanes(&out, n1, r, K(1), K(1), 0);
  }
}

static void split_second(void *ctx, int64_t begin, int64_t end, int thread) {
  const row_job *j = ctx;
  const int64_t n1 = j->p->n1, n2 = j->p->n2;
  const fft_plan *plan = fft_inner(j->p, j->p->second);
  C *a = (C *)(j->rooms + thread * j->room_bytes), *b = a + n2;
  for (int64_t g = begin; g < end; g++) {
    lanes in = {.step = 2}, out = {.step = 2 * n1};
    for (int64_t i = 0; i < LANES; i++) {
      const int64_t k = g * LANES + i < n1 ? g * LANES + i : n1 - 1;
      in.re[i] = j->middle + 2 * n2 * k, in.im[i] = in.re[i] + 1;
      out.re[i] = j->y + 2 * k, out.im[i] = out.re[i] + 1;
    }
    see(&in);
    see(&out);
    load_lanes(&in, 0, n2, a, 0);
    C *r = mixed_radix(plan, a, b);
    store_lanes(&out, n2, r, SPLAT(j->scale), SPLAT(j->scale), j->swap_out);
  }
}

// Scratch of `row`: the middle of a split transform, for Bluestein two convolutions' worth, and rooms.
int64_t NAME(fft_row_scratch)(const fft_plan *p) {
  const int64_t number = 2 * (int64_t)sizeof(E);
  if (p->m) return 2 * aligned(p->m * number) + NAME(fft_row_scratch)(fft_inner(p, p->convolution));
  return aligned(p->n * number) + tc_num_threads() * row_room(p);
}

// y = scale * transform of x, both n contiguous numbers; x may be y.
static void row(const fft_plan *p, const E *x, E *y, E scale, int swap_in, int swap_out, char *scratch) {
  const int64_t number = 2 * (int64_t)sizeof(E);
  if (p->m) {
    const fft_plan *inner = fft_inner(p, p->convolution);
    const E *chirp = (const E *)fft_inner(p, p->chirp), *spectrum = (const E *)fft_inner(p, p->spectrum);
    E *a = (E *)scratch, *b = (E *)(scratch + aligned(p->m * number));
    char *rest = scratch + 2 * aligned(p->m * number);
#define TIMES(to, u, v, w, s)                                                  \
  {                                                                            \
    const E re = (u) * (w)[0] - (v) * (w)[1], im = (u) * (w)[1] + (v) * (w)[0]; \
    (to)[0] = re * (s), (to)[1] = im * (s);                                    \
  }
    for (int64_t j = 0; j < p->n; j++) TIMES(a + 2 * j, x[2 * j + swap_in], x[2 * j + !swap_in], chirp + 2 * j, 1)
    for (int64_t j = 2 * p->n; j < 2 * p->m; j++) a[j] = 0;
    row(inner, a, b, 1, 0, 0, rest);
    for (int64_t j = 0; j < p->m; j++) TIMES(b + 2 * j, b[2 * j], b[2 * j + 1], spectrum + 2 * j, 1)
    row(inner, b, a, 1, 1, 1, rest);
    for (int64_t k = 0; k < p->n; k++) {
      E z[2];
      TIMES(z, a[2 * k], a[2 * k + 1], chirp + 2 * k, scale)
      y[2 * k] = z[swap_out], y[2 * k + 1] = z[!swap_out];
    }
#undef TIMES
    return;
  }
  row_job j = {.p = p, .x = x, .y = y, .middle = (E *)scratch, .rooms = scratch + aligned(p->n * number),
               .room_bytes = row_room(p), .swap_in = swap_in, .swap_out = swap_out, .scale = scale};
  if (p->n1) {
    tc_parallel_for((p->n2 + LANES - 1) / LANES, 1 + GRAIN / (LANES * p->n1), split_first, &j);
    tc_parallel_for((p->n1 + LANES - 1) / LANES, 1 + GRAIN / (LANES * p->n2), split_second, &j);
    return;
  }
  // Short, or a prime: one lane's worth of work in all of them.
  lanes in = {.step = 2}, out = {.step = 2};
  for (int64_t i = 0; i < LANES; i++) in.re[i] = x, in.im[i] = x + 1, out.re[i] = y, out.im[i] = y + 1;
  see(&in);
  see(&out);
  C *a = (C *)j.rooms, *b = a + p->n;
  load_lanes(&in, 0, p->n, a, swap_in);
  store_lanes(&out, p->n, mixed_radix(p, a, b), SPLAT(scale), SPLAT(scale), swap_out);
}

void NAME(fft_row)(const fft_plan *p, const E *x, E *y, void *scratch) { row(p, x, y, 1, 0, 0, scratch); }

// ---- real signals ----

// Of n real numbers, n even, the h = n / 2 pairs have been transformed as complex numbers: z[0..h) becomes the first
// h + 1 coefficients. `w`: exp(-2 pi i k / n).
#define UNTANGLE(name, V, GET, ROOT)                                                                           \
  static void untangle_##name(V *z, int64_t h, const E *w) {                                                   \
    const V half = GET(0.5);                                                                                   \
    const V r0 = z[0], i0 = z[1];                                                                              \
    z[0] = r0 + i0, z[1] = i0 - i0;                                                                            \
    z[2 * h] = r0 - i0, z[2 * h + 1] = i0 - i0;                                                                \
    for (int64_t k = 1; k <= h / 2; k++) {                                                                     \
      V *p = z + 2 * k, *q = z + 2 * (h - k);                                                                  \
      const V er = half * (p[0] + q[0]), ei = half * (p[1] - q[1]);                                            \
      const V or_ = half * (p[1] + q[1]), oi = half * (q[0] - p[0]);                                           \
      const V wr = ROOT(w[2 * k]), wi = ROOT(w[2 * k + 1]);                                                    \
      const V tr = or_ * wr - oi * wi, ti = or_ * wi + oi * wr;                                                \
      p[0] = er + tr, p[1] = ei + ti;                                                                          \
      q[0] = er - tr, q[1] = ti - ei;                                                                          \
    }                                                                                                          \
  }                                                                                                            \
  /* The other way, for the unscaled inverse: from h + 1 coefficients the h numbers whose inverse transform is */ \
  /* the signal, pair by pair. Imaginary parts of the ends do not count. */                                     \
  static void tangle_##name(V *z, int64_t h, const E *w) {                                                     \
    const V r0 = z[0], rh = z[2 * h];                                                                          \
    z[0] = r0 + rh, z[1] = r0 - rh;                                                                            \
    for (int64_t k = 1; k <= h / 2; k++) {                                                                     \
      V *p = z + 2 * k, *q = z + 2 * (h - k);                                                                  \
      const V er = p[0] + q[0], ei = p[1] - q[1], dr = p[0] - q[0], di = p[1] + q[1];                          \
      const V wr = ROOT(w[2 * k]), wi = ROOT(-w[2 * k + 1]);                                                   \
      const V or_ = dr * wr - di * wi, oi = dr * wi + di * wr;                                                 \
      p[0] = er - oi, p[1] = ei + or_;                                                                         \
      q[0] = er + oi, q[1] = or_ - ei;                                                                         \
    }                                                                                                          \
  }
#define SCALAR(x) ((E)(x))
UNTANGLE(lanes, T, K, SPLAT)
UNTANGLE(row, E, SCALAR, SCALAR)

// ---- a call ----

typedef struct {
  const tc_fft_args *a;
  const fft_plan *p, *whole;  // whole: the complex transform inside a real one
  int64_t batch, per_group;   // signals in all and in a group of lanes
  int64_t in_unit, out_unit;  // parts in an element: 1 real, 2 complex
  int64_t room;               // numbers in each of two buffers
} job;

// The first parts of signal i.
static void place(const job *j, int64_t i, const E **in, E **out) {
  const tc_fft_args *a = j->a;
  int64_t to = 0, from = 0;
  for (int64_t d = 0; d < a->ndim; d++) {
    const int64_t at = i % a->shape[d];
    i /= a->shape[d];
    to += at * a->stride[d][0], from += at * a->stride[d][1];
  }
  *in = TC_PTR(const E, a->in) + from * j->in_unit;
  *out = TC_PTR(E, a->out) + to * j->out_unit;
}

static int even_real(const tc_fft_args *a) { return a->kind != TC_FFT_C2C && a->n % 2 == 0; }
static int odd_real(const tc_fft_args *a) { return a->kind != TC_FFT_C2C && a->n % 2 == 1; }

static void pairs_of(lanes *l, int64_t step, int64_t apart) {
  l->step = step;
  for (int64_t i = 0; i < LANES; i++) l->im[i] = l->re[i] + apart;
  see(l);
}

// Real signals of odd length go two in a lane, one as the real and one as the imaginary parts.
static void two_real(const job *j, const E *const *in, E *const *out, C *a, C *b) {
  const tc_fft_args *g = j->a;
  const int64_t n = g->n, half = n / 2, is = g->in_stride * j->in_unit, os = g->out_stride * j->out_unit;
  const T scale = SPLAT((E)g->scale);
  lanes x = {.step = is}, y = {.step = os};
  if (g->kind == TC_FFT_R2C) {
    for (int64_t i = 0; i < LANES; i++) x.re[i] = in[2 * i], x.im[i] = in[2 * i + 1];
    see(&x);
    load_lanes(&x, 0, n, a, 0);
    const C *z = transform(j->whole, a, b);
    const E sign = g->inverse ? -1 : 1;
    for (int64_t k = 0; k <= half; k++) {
      const C p = z[k], q = z[k ? n - k : 0];
      const T half_scale = scale * K(0.5);
      const C first = {(p.re + q.re) * half_scale, (p.im - q.im) * half_scale * SPLAT(sign)};
      const C second = {(p.im + q.im) * half_scale, (q.re - p.re) * half_scale * SPLAT(sign)};
      for (int64_t i = 0; i < LANES; i++) {
        out[2 * i][k * os] = first.re[i], out[2 * i][k * os + 1] = first.im[i];
        out[2 * i + 1][k * os] = second.re[i], out[2 * i + 1][k * os + 1] = second.im[i];
      }
    }
    return;
  }
  // Signal pairs u + i v have the coefficients A + i B; parts exchanged for the inverse transform.
  const T sign = SPLAT((E)(g->inverse ? 1 : -1));
  for (int64_t k = 0; k <= half; k++) {
    C p, q;
    for (int64_t i = 0; i < LANES; i++) {
      p.re[i] = in[2 * i][k * is], p.im[i] = in[2 * i][k * is + 1];
      q.re[i] = in[2 * i + 1][k * is], q.im[i] = in[2 * i + 1][k * is + 1];
    }
    p.im *= sign, q.im *= sign;
    if (k == 0) p.im = q.im = K(0);
    a[k] = (C){p.im + q.re, p.re - q.im};
    if (k > 0) a[n - k] = (C){q.re - p.im, p.re + q.im};
  }
  const C *z = transform(j->whole, a, b);
  for (int64_t i = 0; i < LANES; i++) y.re[i] = out[2 * i], y.im[i] = out[2 * i + 1];
  see(&y);
  store_lanes(&y, n, z, scale, scale, 1);
}

static void by_lanes(void *ctx, int64_t begin, int64_t end, int thread) {
  const job *j = ctx;
  const tc_fft_args *g = j->a;
  C *a = (C *)(TC_PTR(char, g->scratch) + thread * 2 * j->room * (int64_t)sizeof(C)), *b = a + j->room;
  const int64_t is = g->in_stride * j->in_unit, os = g->out_stride * j->out_unit, n = j->whole->n;
  const T scale = SPLAT((E)g->scale);
  for (int64_t group = begin; group < end; group++) {
    const E *from[2 * LANES];
    E *to[2 * LANES];
    for (int64_t i = 0; i < j->per_group; i++) {
      // Past the end the last signal stands in, and gives the same result again.
      const int64_t s = group * j->per_group + i;
      place(j, s < j->batch ? s : j->batch - 1, &from[i], &to[i]);
    }
    if (odd_real(g)) {
      two_real(j, from, to, a, b);
      continue;
    }
    lanes in, out;
    for (int64_t i = 0; i < LANES; i++) in.re[i] = from[i], out.re[i] = to[i];
    const E *w = (const E *)fft_inner(j->p, j->p->untangle);
    if (g->kind == TC_FFT_C2C) {
      pairs_of(&in, is, 1), pairs_of(&out, os, 1);
      load_lanes(&in, 0, n, a, (int)g->inverse);
      store_lanes(&out, n, transform(j->whole, a, b), scale, scale, (int)g->inverse);
    } else if (g->kind == TC_FFT_R2C) {
      pairs_of(&in, 2 * is, is), pairs_of(&out, os, 1);
      load_lanes(&in, 0, n, a, 0);
      C *r = transform(j->whole, a, b);
      untangle_lanes((T *)r, n, w);
      store_lanes(&out, n + 1, r, scale, g->inverse ? -scale : scale, 0);
    } else {
      pairs_of(&in, is, 1), pairs_of(&out, 2 * os, os);
      load_lanes(&in, 0, n + 1, a, 0);
      if (!g->inverse) {
        for (int64_t k = 0; k <= n; k++) a[k].im = -a[k].im;
      }
      tangle_lanes((T *)a, n, w);
      for (int64_t k = 0; k < n; k++) a[k] = c_swap(a[k]);
      store_lanes(&out, n, transform(j->whole, a, b), scale, scale, 1);
    }
  }
}

// One after the other, the threads inside of each: signals come together in scratch where they are not contiguous.
static void by_rows(const job *j) {
  const tc_fft_args *g = j->a;
  const int64_t n = g->n, h = n / 2, is = g->in_stride * j->in_unit, os = g->out_stride * j->out_unit;
  E *gathered = TC_PTR(E, g->scratch);
  char *rest = TC_PTR(char, g->scratch) + aligned(2 * (n + 2) * (int64_t)sizeof(E));
  const E scale = (E)g->scale;
  const E *w = (const E *)fft_inner(j->p, j->p->untangle);
  for (int64_t i = 0; i < j->batch; i++) {
    const E *in;
    E *out;
    place(j, i, &in, &out);
    if (g->kind == TC_FFT_C2C) {
      const E *x = is == 2 ? in : gathered;
      E *y = os == 2 ? out : gathered;
      for (int64_t k = 0; k < n && x != in; k++) gathered[2 * k] = in[k * is], gathered[2 * k + 1] = in[k * is + 1];
      row(j->whole, x, y, scale, (int)g->inverse, (int)g->inverse, rest);
      for (int64_t k = 0; k < n && y != out; k++) out[k * os] = y[2 * k], out[k * os + 1] = y[2 * k + 1];
    } else if (g->kind == TC_FFT_R2C) {
      const E sign = g->inverse ? -scale : scale;
      const E *x = gathered;
      if (even_real(g)) {
        if (is == 1) x = in;
        for (int64_t k = 0; k < n && x != in; k++) gathered[k] = in[k * is];
        row(j->whole, x, gathered, 1, 0, 0, rest);
        untangle_row(gathered, h, w);
      } else {
        for (int64_t k = 0; k < n; k++) gathered[2 * k] = in[k * is], gathered[2 * k + 1] = 0;
        row(j->whole, x, gathered, 1, 0, 0, rest);
      }
      for (int64_t k = 0; k <= h; k++) out[k * os] = gathered[2 * k] * scale, out[k * os + 1] = gathered[2 * k + 1] * sign;
    } else {
      const E sign = g->inverse ? 1 : -1;
      for (int64_t k = 0; k <= h; k++) gathered[2 * k] = in[k * is], gathered[2 * k + 1] = in[k * is + 1] * sign;
      if (even_real(g)) {
        tangle_row(gathered, h, w);
        E *y = os == 1 ? out : gathered;
        row(j->whole, gathered, y, scale, 1, 1, rest);
        for (int64_t k = 0; k < n && y != out; k++) out[k * os] = y[k];
      } else {
        gathered[1] = 0;
        for (int64_t k = 1; k <= h; k++) {
          gathered[2 * (n - k)] = gathered[2 * k], gathered[2 * (n - k) + 1] = -gathered[2 * k + 1];
        }
        row(j->whole, gathered, gathered, scale, 1, 1, rest);
        for (int64_t k = 0; k < n; k++) out[k * os] = gathered[2 * k];
      }
    }
  }
}

static job job_of(const tc_fft_args *a) {
  job j = {.a = a, .batch = 1, .in_unit = a->kind == TC_FFT_R2C ? 1 : 2, .out_unit = a->kind == TC_FFT_C2R ? 1 : 2};
  j.p = TC_PTR(const fft_plan, a->plan);
  j.whole = a->kind == TC_FFT_C2C ? j.p : fft_inner(j.p, j.p->whole);
  for (int64_t d = 0; d < a->ndim; d++) j.batch *= a->shape[d];
  j.per_group = odd_real(a) ? 2 * LANES : LANES;
  j.room = room_of(j.whole) + 1;
  return j;
}

static int is_rows(const job *j) {
  return room_of(j->whole) >= LONG || (j->batch <= j->per_group / 2 && j->whole->n >= FFT_SPLIT);
}

int64_t NAME(fft_scratch)(const tc_fft_args *a) {
  const job j = job_of(a);
  if (is_rows(&j)) return aligned(2 * (a->n + 2) * (int64_t)sizeof(E)) + NAME(fft_row_scratch)(j.whole);
  return tc_num_threads() * 2 * j.room * (int64_t)sizeof(C);
}

int32_t NAME(fft_run)(const tc_fft_args *a) {
  job j = job_of(a);
  if (j.batch == 0) return TC_OK;
  if (is_rows(&j)) by_rows(&j);
  else tc_parallel_for((j.batch + j.per_group - 1) / j.per_group, 1 + GRAIN / (j.whole->n * LANES), by_lanes, &j);
  return TC_OK;
}
