// Fourier transforms: plans, and the choice of the dtype.
#include "fft.h"

#include <math.h>
#include <string.h>

#include "parallel.h"
#include "status.h"

// exp(-2 pi i k / n) to the last bit of double: the angle is brought into the first octant while it is a fraction.
static void root(int64_t k, int64_t n, double *re, double *im) {
  k %= n;
  int64_t octant = 8 * k / n;
  // The distance from the nearest multiple of a quarter, in n-ths of the circle times 4.
  int64_t quarter = (octant + 1) / 2;
  double angle = 6.283185307179586476925 * ((double)(4 * k - quarter * n) / (4 * (double)n));
  double c = cos(angle), s = sin(angle);
  switch (quarter & 3) {
    case 0: *re = c, *im = -s; break;
    case 1: *re = -s, *im = -c; break;
    case 2: *re = -c, *im = s; break;
    default: *re = s, *im = c;
  }
}

// A plan being laid out (base 0) or written.
typedef struct {
  char *base;
  int64_t at;
  int64_t dtype;
} writer;

static int64_t take(writer *w, int64_t bytes) {
  int64_t at = w->at;
  w->at += (bytes + 63) & ~(int64_t)63;
  return at;
}

static int64_t take_numbers(writer *w, int64_t n) { return take(w, n * tc_dtype_size(w->dtype)); }

static void put(const writer *w, int64_t at, int64_t i, double x) {
  if (w->dtype == TC_F32) ((float *)(w->base + at))[i] = (float)x;
  else ((double *)(w->base + at))[i] = x;
}

static void put_root(const writer *w, int64_t at, int64_t i, int64_t k, int64_t n) {
  double re, im;
  root(k, n, &re, &im);
  put(w, at, 2 * i, re);
  put(w, at, 2 * i + 1, im);
}

// The factors of n, fours first; returns how many, or 0 where one is a prime that is too large.
static int64_t factorize(int64_t n, int64_t *factor) {
  int64_t count = 0;
  while (n % 4 == 0) factor[count++] = 4, n /= 4;
  for (int64_t r = 2; r <= FFT_MAX_RADIX && n > 1; r++) {
    while (n % r == 0) factor[count++] = r, n /= r;
  }
  return n == 1 ? count : 0;
}

// The smallest 2^a 3^b 5^c that is at least n.
static int64_t smooth_length(int64_t n) {
  int64_t best = 1;
  while (best < n) best *= 2;
  for (int64_t five = 1; five < best; five *= 5) {
    for (int64_t three = five; three < best; three *= 3) {
      int64_t x = three;
      while (x < n) x *= 2;
      if (x < best) best = x;
    }
  }
  return best;
}

// The divisor of n that is nearest to its root from below, made of whole factors.
static int64_t divisor(int64_t n) {
  for (int64_t d = (int64_t)sqrt((double)n); d > 1; d--) {
    if (n % d == 0) return d;
  }
  return 1;
}

static int64_t write_plan(writer *w, int64_t n, int split);

typedef struct {
  const writer *w;
  int64_t at, n1, n2;
} cross_job;

static void write_cross(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const cross_job *j = ctx;
  for (int64_t k1 = begin; k1 < end; k1++) {
    for (int64_t j2 = 0; j2 < j->n2; j2++) put_root(j->w, j->at, k1 * j->n2 + j2, k1 * j2, j->n1 * j->n2);
  }
}

static void write_factors(writer *w, fft_plan *p, int64_t n) {
  int64_t left = n;
  for (int64_t f = 0; f < p->factors; f++) {
    const int64_t r = p->factor[f], m = left / r;
    p->twiddle[f] = take_numbers(w, 2 * m * (r - 1));
    p->odd[f] = r % 2 ? take_numbers(w, 2 * r) : 0;
    if (w->base != 0) {
      for (int64_t q = 0; q < m; q++) {
        for (int64_t k = 1; k < r; k++) put_root(w, p->twiddle[f], q * (r - 1) + k - 1, q * k, left);
      }
      for (int64_t j = 0; j < r && r % 2; j++) {
        double re, im;
        root(j, r, &re, &im);
        put(w, p->odd[f], j, re);
        put(w, p->odd[f], r + j, -im);
      }
    }
    left = m;
  }
}

// Bluestein: x_j y_k with jk = (j j + k k - (j - k)^2) / 2 is a convolution with a chirp.
static void write_chirp(writer *w, fft_plan *p, int64_t n) {
  p->m = smooth_length(2 * n - 1);
  p->convolution = write_plan(w, p->m, 1);
  p->chirp = take_numbers(w, 2 * n);
  p->spectrum = take_numbers(w, 2 * p->m);
  if (w->base == 0) return;
  memset(w->base + p->spectrum, 0, (size_t)(2 * p->m * tc_dtype_size(w->dtype)));
  // j j modulo 2n, without the product, which could overflow.
  for (int64_t j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), j++) {
    double re, im;
    root(square, 2 * n, &re, &im);
    put(w, p->chirp, 2 * j, re);
    put(w, p->chirp, 2 * j + 1, im);
    for (int side = 0; side < 2; side++) {
      const int64_t at = side ? (p->m - j) % p->m : j;
      put(w, p->spectrum, 2 * at, re / (double)p->m);
      put(w, p->spectrum, 2 * at + 1, -im / (double)p->m);
    }
  }
}

// Returns the plan's place. Inside of it places are relative to it.
static int64_t write_plan(writer *w, int64_t n, int split) {
  const int64_t start = take(w, sizeof(fft_plan));
  fft_plan p;
  memset(&p, 0, sizeof p);
  p.n = n;
  p.factors = factorize(n, p.factor);
  // Tables are laid out by a writer of this plan's own.
  writer own = {.base = w->base == 0 ? 0 : w->base + start, .at = w->at - start, .dtype = w->dtype};
  if (p.factors > 0 || n == 1) {
    write_factors(&own, &p, n);
    const int64_t n1 = split && n >= FFT_SPLIT ? divisor(n) : 1;
    if (n1 > 1) {
      p.n1 = n1, p.n2 = n / n1;
      p.first = write_plan(&own, p.n1, 0);
      p.second = write_plan(&own, p.n2, 0);
      p.cross = take_numbers(&own, 2 * n);
      cross_job j = {.w = &own, .at = p.cross, .n1 = p.n1, .n2 = p.n2};
      if (own.base != 0) tc_parallel_for(p.n1, 1 + 4096 / p.n2, write_cross, &j);
    }
  } else {
    write_chirp(&own, &p, n);
  }
  w->at = start + own.at;
  if (own.base != 0) memcpy(own.base, &p, sizeof p);
  return start;
}

static void write_real(writer *w, int64_t n) {
  take(w, sizeof(fft_plan));
  fft_plan p;
  memset(&p, 0, sizeof p);
  p.n = n;
  p.whole = write_plan(w, n % 2 ? n : n / 2, 1);
  if (n % 2 == 0) {
    p.untangle = take_numbers(w, 2 * (n / 4 + 1));
    for (int64_t k = 0; k <= n / 4 && w->base != 0; k++) put_root(w, p.untangle, k, k, n);
  }
  if (w->base != 0) memcpy(w->base, &p, sizeof p);
}

static void write_all(writer *w, const tc_fft_plan_args *a) {
  if (a->real) write_real(w, a->n);
  else write_plan(w, a->n, 1);
}

// The spectra of chirps: the transform of what write_chirp left there.
static void finish(char *plan, int64_t dtype, void *scratch) {
  const fft_plan *p = (const fft_plan *)plan;
  if (p->whole) finish(plan + p->whole, dtype, scratch);
  if (p->m == 0) return;
  const fft_plan *inner = fft_inner(p, p->convolution);
  void *spectrum = plan + p->spectrum;
  const int64_t bytes = 2 * p->m * tc_dtype_size(dtype);
  void *out = scratch, *rest = (char *)scratch + ((bytes + 63) & ~(int64_t)63);
  if (dtype == TC_F32) fft_row_f32(inner, spectrum, out, rest);
  else fft_row_f64(inner, spectrum, out, rest);
  memcpy(spectrum, out, (size_t)bytes);
}

static int64_t bluestein_length(const tc_fft_plan_args *a) {
  int64_t factor[FFT_MAX_FACTORS];
  const int64_t n = a->real && a->n % 2 == 0 ? a->n / 2 : a->n;
  return n == 1 || factorize(n, factor) > 0 ? 0 : smooth_length(2 * n - 1);
}

int64_t tc_fft_plan_scratch(const tc_fft_plan_args *a) {
  const int64_t m = bluestein_length(a);
  if (m == 0) return 0;
  // The result, the middle of a split transform, and what its threads work in: see fft_row_scratch.
  const int64_t n1 = m >= FFT_SPLIT ? divisor(m) : 1, longest = n1 > 1 ? m / n1 : m;
  return 2 * (m * 16 + 64) + (int64_t)tc_num_threads() * (2 * longest * 32 + 64);
}

int32_t tc_fft_plan(const tc_fft_plan_args *a) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  writer w = {.base = TC_PTR(char, a->out), .dtype = a->dtype};
  write_all(&w, a);
  if (a->out == 0) tc_error_info[0] = w.at;
  else finish(w.base, a->dtype, TC_PTR(void, a->scratch));
  return TC_OK;
}

int32_t tc_fft(const tc_fft_args *a) {
  switch (a->dtype) {
    case TC_F32: return fft_run_f32(a);
    case TC_F64: return fft_run_f64(a);
    default: return tc_unsupported(a->dtype);
  }
}

int64_t tc_fft_scratch(const tc_fft_args *a) {
  switch (a->dtype) {
    case TC_F32: return fft_scratch_f32(a);
    case TC_F64: return fft_scratch_f64(a);
    default: return 0;
  }
}
