// float32 functions that need more digits inside than float32 has: powers, roots, inverse hyperbolic functions and
// remainders, computed in float64 vectors. log and exp here are good to 2^-45 and 2^-40, which is far more than the
// result keeps, and cost half of what full float64 accuracy would.
#ifndef TC_VMATH_WIDE_H
#define TC_VMATH_WIDE_H

#include "vmath_poly.h"

// 1.5 * 2^52
#define TC_ROUND_MAGIC_64 6755399441055744.0

TC_INLINE vf64 v_round_small(vf64 x) { return (x + v_const_f64(TC_ROUND_MAGIC_64)) - v_const_f64(TC_ROUND_MAGIC_64); }

// x = 2^e m, sqrt(1/2) <= m < sqrt(2), for positive normal x (every positive float32 is one), and
// s = (m - 1) / (m + 1), so that log m = 2 atanh s.
TC_INLINE vf64 v_wide_log_split(vf64 x, vf64 *e) {
  vi64 bits = (vi64)x, n = (bits - v_const_i64(0x3fe6a09e00000000)) >> 52;
  *e = (vf64)(n + (vi64)v_const_f64(TC_ROUND_MAGIC_64)) - v_const_f64(TC_ROUND_MAGIC_64);
  vf64 m = (vf64)(bits - (n << 52));
  return (m - v_const_f64(1)) / (m + v_const_f64(1));
}
TC_INLINE vf64 v_wide_log_poly(vf64 s) {
  static const double c[] = {0.666666666758617, 0.39999995597052956, 0.2857211218707716, 0.22176046569107383,
                             0.19586406571577375};
  vf64 z = s * s;
  return v_fma(s, z * v_polynomial_f64(z, c, TC_COUNT(c)), s + s);
}
TC_INLINE vf64 v_wide_log(vf64 x) {
  vf64 e, s = v_wide_log_split(x, &e);
  return v_fma(e, v_const_f64(0.69314718055994530942), v_wide_log_poly(s));
}
TC_INLINE vf64 v_wide_log2(vf64 x) {
  vf64 e, s = v_wide_log_split(x, &e);
  return v_fma(v_wide_log_poly(s), v_const_f64(1.4426950408889634074), e);
}

// 2^n p.
TC_INLINE vf64 v_wide_scale(vf64 p, vf64 n) {
  return (vf64)((vi64)p + ((vi64)(n + v_const_f64(TC_ROUND_MAGIC_64)) << 52));
}
// 2^x for |x| <= 1000.
TC_INLINE vf64 v_wide_exp2(vf64 x) {
  static const double c[] = {0.6931471805481938,    0.2402265069811412,     0.05550410935348398,
                             0.009618128615538474,  0.0013333454778049272,  0.00015403825692886951,
                             1.53091787482208e-05,  1.3178920458979851e-06};
  vf64 n = v_round_small(x), r = x - n;
  return v_wide_scale(v_fma(r, v_polynomial_f64(r, c, TC_COUNT(c)), v_const_f64(1)), n);
}
// e^x for |x| <= 700.
TC_INLINE vf64 v_wide_exp(vf64 x) {
  static const double c[] = {0.9999999999830068,   0.500000000045984,      0.16666666873819494,
                             0.041666664530961385, 0.008333268653309044,   0.0013889155490404309,
                             0.00019914738606106308, 2.473291175012742e-05};
  vf64 n = v_round_small(x * v_const_f64(1.4426950408889634074)), r = v_fnma(n, v_const_f64(0.69314718055994530942), x);
  return v_wide_scale(v_fma(r, v_polynomial_f64(r, c, TC_COUNT(c)), v_const_f64(1)), n);
}

// |x|^y; the result leaves float32's range well before 2^+-200.
TC_INLINE vf64 v_wide_power(vf64 x, vf64 y) {
  vf64 t = v_wide_log2(x) * y;
  return v_wide_exp2(v_min(v_max(t, v_const_f64(-200)), v_const_f64(200)));
}
TC_WIDE_2(v_power_of_normal, v_wide_power)

// The special cases are those of C's pow.
TC_WORD vf32 v_pow(vf32 x, vf32 y) {
  vf32 zero = v_const_f32(0), one = v_const_f32(1), inf = v_const_f32(INFINITY);
  vf32 size = v_abs(x), y_size = v_abs(y), half = y * v_const_f32(0.5f);
  vf32 p = v_power_of_normal(size, y);
  // 0 and inf, whose logarithms v_wide_log2 does not know.
  vi32 extreme = (vi32)((size == zero) | (size == inf)), grows = (vi32)((size == inf) ^ (y < zero));
  p = v_select(extreme, v_select(grows, inf, zero), p);
  vi32 whole = (vi32)(v_trunc(y) == y), odd = (vi32)(whole & (v_trunc(half) != half) & (y_size < inf));
  p = v_select(v_not(whole) & (x < zero) & (size < inf), v_const_f32(NAN), p);
  p = (vf32)((vi32)p ^ (odd & (vi32)x & v_const_i32(INT32_MIN)));
  p = v_select(v_isnan(x) | v_isnan(y), x + y, p);
  return v_select((y == zero) | (x == one) | ((x == -one) & (y_size == inf)), one, p);
}

// Two of Halley's steps, each of which triples the digits of the guess.
TC_INLINE vf64 v_wide_cbrt(vf64 x, vf64 guess) {
  for (int i = 0; i < 2; i++) {
    vf64 cube = guess * guess * guess;
    guess = guess * ((cube + x + x) / (cube + cube + x));
  }
  return guess;
}
TC_WORD vf32 v_cbrt(vf32 x) {
  vf32 size = v_abs(x);
  vi32 tiny = (vi32)(size < v_const_f32(0x1p-100f));
  vf32 scaled = v_select(tiny, size * v_const_f32(0x1p60f), size);
  // A third of the exponent and mantissa bits: 5 % off at most.
  vi32 bits = v_int(v_float((vi32)scaled) * v_const_f32(0.333333333f)) + v_const_i32(0x2a5137a0);
  vf32 guess = (vf32)bits;
  vf32 root = v_narrow(v_wide_cbrt(v_widen_low(scaled), v_widen_low(guess)),
                       v_wide_cbrt(v_widen_high(scaled), v_widen_high(guess)));
  root = v_select(tiny, root * v_const_f32(0x1p-20f), root);
  vi32 same = v_not((vi32)((size > v_const_f32(0)) & (size < v_const_f32(INFINITY))));
  return v_select(same, x, v_copysign(root, x));
}

TC_INLINE vf64 v_wide_hypot(vf64 x, vf64 y) { return v_sqrt(v_fma(x, x, y * y)); }
TC_WIDE_2(v_hypot_finite, v_wide_hypot)
TC_WORD vf32 v_hypot(vf32 x, vf32 y) {
  vf32 inf = v_const_f32(INFINITY);
  return v_select((v_abs(x) == inf) | (v_abs(y) == inf), inf, v_hypot_finite(x, y));
}

// Near 0 the logarithm of 1 + something small would lose the digits that x itself has.
TC_INLINE vf64 v_wide_asinh(vf64 size) {
  return v_wide_log(size + v_sqrt(v_fma(size, size, v_const_f64(1))));
}
TC_WIDE_1(v_asinh_size, v_wide_asinh)
TC_WORD vf32 v_asinh(vf32 x) {
  vf32 size = v_abs(x);
  vf32 small = v_fnma(size * size * v_const_f32(1.0f / 6), size, size);
  vf32 y = v_select(size < v_const_f32(0x1p-8f), small, v_asinh_size(size));
  return v_select(v_not((vi32)(size < v_const_f32(INFINITY))), x, v_copysign(y, x));
}

TC_INLINE vf64 v_wide_acosh(vf64 x) { return v_wide_log(x + v_sqrt(v_fma(x, x, v_const_f64(-1)))); }
TC_WIDE_1(v_acosh_finite, v_wide_acosh)
TC_WORD vf32 v_acosh(vf32 x) {
  vf32 inf = v_const_f32(INFINITY), y = v_select(x == inf, inf, v_acosh_finite(x));
  return v_select(x >= v_const_f32(1), y, v_const_f32(NAN));
}

TC_INLINE vf64 v_wide_atanh(vf64 size) {
  vf64 one = v_const_f64(1);
  return v_const_f64(0.5) * v_wide_log((one + size) / (one - size));
}
TC_WIDE_1(v_atanh_size, v_wide_atanh)
TC_WORD vf32 v_atanh(vf32 x) {
  vf32 size = v_abs(x), one = v_const_f32(1);
  vf32 small = v_fma(size * size * v_const_f32(1.0f / 3), size, size);
  vf32 y = v_select(size < v_const_f32(0x1p-8f), small, v_atanh_size(size));
  vf32 edge = v_select(size == one, v_const_f32(INFINITY), v_const_f32(NAN));
  return v_select(size < one, v_copysign(y, x), v_copysign(edge, x));
}

// C's fmod. While the quotient has at most 29 bits, quotient times y is exact in float64; the division may round up to
// the next integer, which leaves a remainder of the wrong sign.
TC_INLINE vf64 v_wide_fmod(vf64 x, vf64 y) {
  vf64 r = x - v_trunc(x / y) * y;
  return v_select(r * x < v_const_f64(0), r + v_copysign(y, x), r);
}
TC_WIDE_2(v_fmod_near, v_wide_fmod)
static __attribute__((noinline, unused)) vf32 v_fmod_far(vf32 x, vf32 y) {
  return (vf32){fmodf(x[0], y[0]), fmodf(x[1], y[1]), fmodf(x[2], y[2]), fmodf(x[3], y[3])};
}
TC_WORD vf32 v_fmod(vf32 x, vf32 y) {
  if (TC_RARE(v_any(v_not((vi32)(v_abs(x / y) < v_const_f32(0x1p28f)))))) return v_fmod_far(x, y);
  return v_select(v_abs(x) < v_abs(y), x, v_copysign(v_fmod_near(x, y), x));
}

#endif
