// Complex mathematics on vectors: as many numbers as a vector has lanes, real parts in one and imaginary parts in
// another. Included once for each float type, with
//   E, T, M   the element, its vector, its mask
//   K(c)      a constant
// defined. Formulas of the inverse functions: W. Kahan, Branch cuts for complex elementary functions (1987); a zero's
// sign says on which side of a cut a number lies.
// No include guard: this is a template.

#define LANES ((int64_t)(16 / sizeof(E)))

typedef struct { T re, im; } C;

// LANES numbers between memory, where the parts of each stand together, and vectors.
TC_WORD vf32 even_lanes(vf32 a, vf32 b) { return __builtin_shufflevector(a, b, 0, 2, 4, 6); }
TC_WORD vf64 even_lanes(vf64 a, vf64 b) { return __builtin_shufflevector(a, b, 0, 2); }
TC_WORD vf32 odd_lanes(vf32 a, vf32 b) { return __builtin_shufflevector(a, b, 1, 3, 5, 7); }
TC_WORD vf64 odd_lanes(vf64 a, vf64 b) { return __builtin_shufflevector(a, b, 1, 3); }
TC_WORD vf32 low_pairs(vf32 re, vf32 im) { return __builtin_shufflevector(re, im, 0, 4, 1, 5); }
TC_WORD vf64 low_pairs(vf64 re, vf64 im) { return __builtin_shufflevector(re, im, 0, 2); }
TC_WORD vf32 high_pairs(vf32 re, vf32 im) { return __builtin_shufflevector(re, im, 2, 6, 3, 7); }
TC_WORD vf64 high_pairs(vf64 re, vf64 im) { return __builtin_shufflevector(re, im, 1, 3); }

TC_INLINE C c_load(const E *p) {
  T a = v_load(p), b = v_load(p + LANES);
  return (C){even_lanes(a, b), odd_lanes(a, b)};
}
TC_INLINE void c_store(E *p, C x) {
  v_store(p, low_pairs(x.re, x.im));
  v_store(p + LANES, high_pairs(x.re, x.im));
}

TC_INLINE C c_real(T x) { return (C){x, K(0)}; }
TC_INLINE C c_select(M m, C a, C b) { return (C){v_select(m, a.re, b.re), v_select(m, a.im, b.im)}; }
TC_INLINE M c_true(C x) { return (x.re != K(0)) | (x.im != K(0)); }

TC_INLINE C c_add(C x, C y) { return (C){x.re + y.re, x.im + y.im}; }
TC_INLINE C c_sub(C x, C y) { return (C){x.re - y.re, x.im - y.im}; }
TC_INLINE C c_neg(C x) { return (C){-x.re, -x.im}; }
TC_INLINE C c_scale(C x, T s) { return (C){x.re * s, x.im * s}; }
TC_INLINE C c_mul(C x, C y) { return (C){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re}; }
// i x and -i x
TC_INLINE C c_turn_left(C x) { return (C){-x.im, x.re}; }
TC_INLINE C c_turn_right(C x) { return (C){x.im, -x.re}; }

// The divisor is scaled by its larger part, so that its square neither overflows nor vanishes.
TC_INLINE C c_div(C x, C y) {
  T scale = K(1) / v_maximum(v_abs(y.re), v_abs(y.im));
  T c = y.re * scale, d = y.im * scale, size = c * c + d * d;
  return (C){(x.re * c + x.im * d) / size * scale, (x.im * c - x.re * d) / size * scale};
}
TC_INLINE C c_reciprocal(C y) {
  T scale = K(1) / v_maximum(v_abs(y.re), v_abs(y.im));
  T c = y.re * scale, d = y.im * scale, size = c * c + d * d;
  return (C){c / size * scale, -d / size * scale};
}

TC_INLINE C c_sgn(C x) {
  T size = v_hypot(x.re, x.im);
  M zero = size == K(0);
  return (C){v_select(zero, K(0), x.re / size), v_select(zero, K(0), x.im / size)};
}

// The form that is exact at the nearer end, by the size of the weight.
TC_INLINE C c_lerp(C start, C end, C weight) {
  C span = c_sub(end, start);
  C near_start = c_add(start, c_mul(weight, span));
  C near_end = c_sub(end, c_mul(span, c_sub(c_real(K(1)), weight)));
  return c_select(v_hypot(weight.re, weight.im) < K(0.5), near_start, near_end);
}

// A zero imaginary part stays one whatever the factor is.
TC_INLINE T c_times(T factor, T x) { return v_select(x == K(0), x, factor * x); }

TC_INLINE C c_exp(C x) {
  T size = v_exp(x.re);
  // e^-inf is 0 in whatever direction.
  T im = v_select(v_isnan(x.im - x.im) & (x.re == K(-INFINITY)), K(0), x.im);
  return (C){v_select(im == K(0), size, size * v_cos(im)), v_select(im == K(0), im, size * v_sin(im))};
}

// log |x| near 1 as half the logarithm of 1 + (a - 1) (a + 1) + b b, a >= b the parts' sizes.
TC_INLINE C c_log(C x) {
  T p = v_abs(x.re), q = v_abs(x.im), a = v_max(p, q), b = v_min(p, q);
  T far = v_log(v_hypot(x.re, x.im));
  T near = K(0.5) * v_log1p((a - K(1)) * (a + K(1)) + b * b);
  return (C){v_select((far > K(-0.4)) & (far < K(0.4)), near, far), v_atan2(x.im, x.re)};
}

TC_INLINE C c_sqrt(C x) {
  T inf = K(INFINITY), zero = K(0);
  // Halves first: the sum may overflow.
  T size = v_hypot(x.re, x.im);
  T t = v_sqrt(K(0.5) * v_abs(x.re) + K(0.5) * size), u = K(0.5) * v_abs(x.im) / t;
  u = v_select((t == zero) | ((t == inf) & (v_abs(x.im) < inf)), zero, u);
  M left = x.re < zero;
  C root = {v_select(left, u, t), v_copysign(v_select(left, t, u), x.im)};
  return c_select(v_abs(x.im) == inf, (C){inf, x.im}, root);
}

// exp(y log x). 0 to any power but 0 itself is not a number, as PyTorch has it, unless the exponent is real and
// positive.
TC_INLINE C c_pow(C x, C y) { return c_exp(c_mul(y, c_log(x))); }

TC_INLINE C c_sinh(C x) {
  return (C){v_select(x.re == K(0), x.re, v_sinh(x.re) * v_cos(x.im)), c_times(v_cosh(x.re), v_sin(x.im))};
}
TC_INLINE C c_cosh(C x) {
  T im = v_sinh(x.re) * v_sin(x.im);
  return (C){v_cosh(x.re) * v_cos(x.im), v_select((x.re == K(0)) | (x.im == K(0)), x.re * x.im, im)};
}
TC_INLINE C c_sin(C x) { return c_turn_right(c_sinh(c_turn_left(x))); }
TC_INLINE C c_cos(C x) { return c_cosh(c_turn_left(x)); }

TC_INLINE C c_tanh(C x) {
  T t = v_tan(x.im), beta = K(1) + t * t, s = v_sinh(x.re), rho = v_sqrt(K(1) + s * s);
  T d = K(1) + beta * s * s;
  C y = {beta * rho * s / d, t / d};
  // Far out the hyperbolic sine overflows; the imaginary part has long vanished.
  M far = v_abs(x.re) > K(sizeof(E) == 4 ? 20 : 40);
  return c_select(far, (C){v_copysign(K(1), x.re), v_copysign(K(0), v_sin(x.im + x.im))}, y);
}
TC_INLINE C c_tan(C x) { return c_turn_right(c_tanh(c_turn_left(x))); }

TC_INLINE C c_asin(C x) {
  C p = c_sqrt((C){K(1) + x.re, x.im}), m = c_sqrt((C){K(1) - x.re, -x.im});
  return (C){v_atan2(x.re, p.re * m.re - p.im * m.im), v_asinh(m.re * p.im - m.im * p.re)};
}
TC_INLINE C c_acos(C x) {
  C p = c_sqrt((C){K(1) + x.re, x.im}), m = c_sqrt((C){K(1) - x.re, -x.im});
  return (C){K(2) * v_atan2(m.re, p.re), v_asinh(p.re * m.im - p.im * m.re)};
}
TC_INLINE C c_acosh(C x) {
  C p = c_sqrt((C){x.re + K(1), x.im}), m = c_sqrt((C){x.re - K(1), x.im});
  return (C){v_asinh(m.re * p.re + m.im * p.im), K(2) * v_atan2(m.im, p.re)};
}
TC_INLINE C c_asinh(C x) { return c_turn_right(c_asin(c_turn_left(x))); }

TC_INLINE C c_atanh(C x) {
  T a = v_abs(x.re), far = K(1) - a, b = x.im;
  T re = K(0.25) * v_log1p(K(4) * a / (far * far + b * b));
  T im = K(0.5) * v_atan2(b + b, far * (K(1) + a) - b * b);
  return (C){v_copysign(re, x.re), im};
}
TC_INLINE C c_atan(C x) { return c_turn_right(c_atanh(c_turn_left(x))); }

TC_INLINE C c_sigmoid(C x) { return c_reciprocal(c_add(c_real(K(1)), c_exp(c_neg(x)))); }

TC_INLINE C c_sinc(C x) {
  C angle = c_scale(x, K(3.14159265358979323846));
  return c_select(c_true(x), c_div(c_sin(angle), angle), c_real(K(1)));
}
