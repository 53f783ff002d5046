// The passes of a mixed-radix transform (Stockham's, decimation in frequency, so that no permutation is left) over
// vectors: every lane is a transform of its own, whatever its length.
//
// A pass of radix r over n = s r m numbers: y[q + s (r p + k)] = w^(p k) sum over j of x[q + s (p + m j)] v^(j k), with
// w = exp(-2 pi i / (r m)), v = exp(-2 pi i / r), for q < s, p < m, k < r.
// No include guard: a template, after vcomplex.h.

#define SPLAT_ROOT(w, k) ((C){SPLAT((w)[2 * (k)]), SPLAT((w)[2 * (k) + 1])})

TC_INLINE C c_mul_root(C x, C w) {
  return (C){v_fnma(x.im, w.im, x.re * w.re), v_fma(x.im, w.re, x.re * w.im)};
}

#define PASS(r, butterfly)                                                                                    \
  static void pass_##r(int64_t m, int64_t s, const C *x, C *y, const E *w) {                                  \
    for (int64_t p = 0; p < m; p++, w += 2 * (r - 1)) {                                                       \
      const C *in = x + s * p;                                                                                \
      C *out = y + s * r * p;                                                                                 \
      if (p == 0) {                                                                                           \
        for (int64_t q = 0; q < s; q++) {                                                                     \
          C a[r];                                                                                             \
          for (int j = 0; j < r; j++) a[j] = in[q + s * m * j];                                               \
          butterfly                                                                                           \
          for (int k = 0; k < r; k++) out[q + s * k] = a[k];                                                  \
        }                                                                                                     \
      } else {                                                                                                \
        C root[r];                                                                                            \
        for (int k = 1; k < r; k++) root[k] = SPLAT_ROOT(w, k - 1);                                           \
        for (int64_t q = 0; q < s; q++) {                                                                     \
          C a[r];                                                                                             \
          for (int j = 0; j < r; j++) a[j] = in[q + s * m * j];                                               \
          butterfly                                                                                           \
          out[q] = a[0];                                                                                      \
          for (int k = 1; k < r; k++) out[q + s * k] = c_mul_root(a[k], root[k]);                             \
        }                                                                                                     \
      }                                                                                                       \
    }                                                                                                         \
  }

TC_INLINE void butterfly_2(C *a) {
  C t = a[1];
  a[1] = c_sub(a[0], t);
  a[0] = c_add(a[0], t);
}
TC_INLINE void butterfly_3(C *a) {
  C sum = c_add(a[1], a[2]), turned = c_turn_right(c_scale(c_sub(a[1], a[2]), K(0.86602540378443864676)));
  C middle = {v_fma(sum.re, K(-0.5), a[0].re), v_fma(sum.im, K(-0.5), a[0].im)};
  a[0] = c_add(a[0], sum);
  a[1] = c_add(middle, turned);
  a[2] = c_sub(middle, turned);
}
TC_INLINE void butterfly_4(C *a) {
  C even = c_add(a[0], a[2]), odd = c_sub(a[0], a[2]);
  C side = c_add(a[1], a[3]), turned = c_turn_right(c_sub(a[1], a[3]));
  a[0] = c_add(even, side);
  a[1] = c_add(odd, turned);
  a[2] = c_sub(even, side);
  a[3] = c_sub(odd, turned);
}
TC_INLINE void butterfly_5(C *a) {
  const T c1 = K(0.30901699437494742410), c2 = K(-0.80901699437494742410);
  const T s1 = K(0.95105651629515357212), s2 = K(0.58778525229247312917);
  C p1 = c_add(a[1], a[4]), m1 = c_sub(a[1], a[4]), p2 = c_add(a[2], a[3]), m2 = c_sub(a[2], a[3]);
  C u = {v_fma(p2.re, c2, v_fma(p1.re, c1, a[0].re)), v_fma(p2.im, c2, v_fma(p1.im, c1, a[0].im))};
  C v = {v_fma(p2.re, c1, v_fma(p1.re, c2, a[0].re)), v_fma(p2.im, c1, v_fma(p1.im, c2, a[0].im))};
  C f = c_turn_right((C){v_fma(m2.re, s2, m1.re * s1), v_fma(m2.im, s2, m1.im * s1)});
  C g = c_turn_right((C){v_fnma(m2.re, s1, m1.re * s2), v_fnma(m2.im, s1, m1.im * s2)});
  a[0] = c_add(a[0], c_add(p1, p2));
  a[1] = c_add(u, f), a[4] = c_sub(u, f);
  a[2] = c_add(v, g), a[3] = c_sub(v, g);
}

PASS(2, butterfly_2(a);)
PASS(3, butterfly_3(a);)
PASS(4, butterfly_4(a);)
PASS(5, butterfly_5(a);)

// Any odd radix: results k and r - k share their products. `table`: r cosines, r sines.
static void pass_odd(int64_t r, int64_t m, int64_t s, const C *x, C *y, const E *w, const E *table) {
  const int64_t half = (r - 1) / 2;
  for (int64_t p = 0; p < m; p++, w += 2 * (r - 1)) {
    const C *in = x + s * p;
    C *out = y + s * r * p;
    for (int64_t q = 0; q < s; q++, in++, out++) {
      C plus[FFT_MAX_RADIX / 2 + 1], minus[FFT_MAX_RADIX / 2 + 1], total = in[0];
      for (int64_t j = 1; j <= half; j++) {
        plus[j] = c_add(in[s * m * j], in[s * m * (r - j)]);
        minus[j] = c_sub(in[s * m * j], in[s * m * (r - j)]);
        total = c_add(total, plus[j]);
      }
      for (int64_t k = 1; k <= half; k++) {
        C u = in[0], v = {K(0), K(0)};
        for (int64_t j = 1, at = k; j <= half; j++, at = at + k < r ? at + k : at + k - r) {
          const T c = SPLAT(table[at]), d = SPLAT(table[r + at]);
          u = (C){v_fma(plus[j].re, c, u.re), v_fma(plus[j].im, c, u.im)};
          v = (C){v_fma(minus[j].re, d, v.re), v_fma(minus[j].im, d, v.im)};
        }
        v = c_turn_right(v);
        C near = c_add(u, v), far = c_sub(u, v);
        if (p > 0) {
          near = c_mul_root(near, SPLAT_ROOT(w, k - 1));
          far = c_mul_root(far, SPLAT_ROOT(w, r - k - 1));
        }
        out[s * k] = near;
        out[s * (r - k)] = far;
      }
      out[0] = total;
    }
  }
}

// The transform of n vectors in `a` with the help of `b`; returns which of the two holds the result.
static C *mixed_radix(const fft_plan *plan, C *a, C *b) {
  int64_t left = plan->n, s = 1;
  for (int64_t f = 0; f < plan->factors; f++) {
    const int64_t r = plan->factor[f], m = left / r;
    const E *w = (const E *)fft_inner(plan, plan->twiddle[f]);
    switch (r) {
      case 2: pass_2(m, s, a, b, w); break;
      case 3: pass_3(m, s, a, b, w); break;
      case 4: pass_4(m, s, a, b, w); break;
      case 5: pass_5(m, s, a, b, w); break;
      default: pass_odd(r, m, s, a, b, w, (const E *)fft_inner(plan, plan->odd[f]));
    }
    C *t = a;
    a = b, b = t;
    left = m, s *= r;
  }
  return a;
}

TC_INLINE C c_swap(C x) { return (C){x.im, x.re}; }

// The same by Bluestein's algorithm; a and b have room for m. The convolution's inverse transform is a forward one
// between exchanges of the parts.
static C *bluestein(const fft_plan *plan, C *a, C *b) {
  const int64_t n = plan->n, m = plan->m;
  const fft_plan *inner = fft_inner(plan, plan->convolution);
  const E *chirp = (const E *)fft_inner(plan, plan->chirp), *spectrum = (const E *)fft_inner(plan, plan->spectrum);
  for (int64_t j = 0; j < n; j++) a[j] = c_mul_root(a[j], SPLAT_ROOT(chirp, j));
  for (int64_t j = n; j < m; j++) a[j] = (C){K(0), K(0)};
  C *y = mixed_radix(inner, a, b);
  for (int64_t j = 0; j < m; j++) y[j] = c_swap(c_mul_root(y[j], SPLAT_ROOT(spectrum, j)));
  C *z = mixed_radix(inner, y, y == a ? b : a);
  for (int64_t k = 0; k < n; k++) z[k] = c_mul_root(c_swap(z[k]), SPLAT_ROOT(chirp, k));
  return z;
}

static C *transform(const fft_plan *plan, C *a, C *b) {
  return plan->m ? bluestein(plan, a, b) : mixed_radix(plan, a, b);
}

// Vectors of room that `transform` wants in each of a and b.
static int64_t room_of(const fft_plan *plan) { return plan->m ? plan->m : plan->n; }
