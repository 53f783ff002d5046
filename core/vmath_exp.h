// float32 exponentials and hyperbolic functions.
#ifndef TC_VMATH_EXP_H
#define TC_VMATH_EXP_H

#include "vmath_poly.h"

// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
#define TC_ROUND_MAGIC 12582912.0f

// x = n ln 2 + r, |r| <= ln 2 / 2. The high part of ln 2 has 10 bits, so n times it is exact.
TC_INLINE vf32 v_exp_reduce(vf32 x, vi32 *n) {
  vf32 shifted = v_fma(x, v_const_f32(1.44269504f), v_const_f32(TC_ROUND_MAGIC));
  vf32 k = shifted - v_const_f32(TC_ROUND_MAGIC);
  *n = (vi32)shifted - (vi32)v_const_f32(TC_ROUND_MAGIC);
  return v_fnma(k, v_const_f32(-2.12194440e-4f), v_fnma(k, v_const_f32(0.693359375f), x));
}

// e^r - 1 on the reduced range, error 2^-26.
TC_INLINE vf32 v_expm1_poly(vf32 r) {
  static const float c[] = {0x1.fffffep-2f, 0x1.5554b4p-3f, 0x1.5556f2p-5f, 0x1.12254ap-7f, 0x1.6b9c68p-10f};
  return v_fma(r * r, v_polynomial_f32(r, c, TC_COUNT(c)), r);
}
// e^r, error 2^-28.
TC_INLINE vf32 v_exp_poly(vf32 r) {
  static const float c[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558b0p-5f, 0x1.12398ep-7f, 0x1.6a4d60p-10f};
  return v_fma(r * r, v_polynomial_f32(r, c, TC_COUNT(c)), r) + v_const_f32(1);
}

// p * 2^n for -127 <= n <= 127, where -127 gives 0.
TC_INLINE vf32 v_scale_normal(vf32 p, vi32 n) { return p * (vf32)((n + v_const_i32(127)) << 23); }
// p * 2^n for |n| <= 250, in two steps, of which only the second rounds.
TC_INLINE vf32 v_scale(vf32 p, vi32 n) {
  const vi32 bias = v_const_i32(127);
  vi32 half = n >> 1;
  return p * (vf32)((half + bias) << 23) * (vf32)((n - half + bias) << 23);
}

// e^x for |x| <= 87.
TC_INLINE vf32 v_exp_normal(vf32 x) {
  vi32 n;
  vf32 p = v_exp_poly(v_exp_reduce(x, &n));
  return v_scale_normal(p, n);
}

TC_WORD vf32 v_exp(vf32 x) {
  vi32 n;
  vf32 p = v_exp_poly(v_exp_reduce(x, &n));
  if (!TC_RARE(v_any((vi32)(v_abs(x) > v_const_f32(87))))) return v_scale_normal(p, n);
  vf32 y = v_scale(p, n);
  y = v_select(x > v_const_f32(88.7228394f), v_const_f32(INFINITY), y);
  return v_select(x < v_const_f32(-104), v_const_f32(0), y);
}

TC_WORD vf32 v_exp2(vf32 x) {
  static const float c[] = {0x1.62e430p-1f, 0x1.ebfbdcp-3f, 0x1.c6af7ap-5f, 0x1.3b2de0p-7f, 0x1.5f09a6p-10f,
                            0x1.416d08p-13f};
  vf32 magic = v_const_f32(TC_ROUND_MAGIC), shifted = x + magic, r = x - (shifted - magic);
  vi32 n = (vi32)shifted - (vi32)magic;
  vf32 p = v_fma(r, v_polynomial_f32(r, c, TC_COUNT(c)), v_const_f32(1));
  if (!TC_RARE(v_any((vi32)(v_abs(x) > v_const_f32(125))))) return v_scale_normal(p, n);
  vf32 y = v_scale(p, n);
  y = v_select(x >= v_const_f32(128), v_const_f32(INFINITY), y);
  return v_select(x < v_const_f32(-150), v_const_f32(0), y);
}

// 2^n q + (2^n - 1), all at half its size so that 2^n does not overflow before the result does.
TC_WORD vf32 v_expm1(vf32 x) {
  vi32 n;
  vf32 q = v_expm1_poly(v_exp_reduce(v_min(v_max(x, v_const_f32(-20)), v_const_f32(89)), &n));
  vf32 scale = (vf32)((n + v_const_i32(126)) << 23);
  vf32 y = v_const_f32(2) * v_fma(scale, q, scale - v_const_f32(0.5f));
  return v_select(x == v_const_f32(0), x, y);
}

// 1 / (1 + e^-x), by way of e^-|x| so that nothing overflows and the tail keeps its digits.
TC_WORD vf32 v_sigmoid(vf32 x) {
  vf32 one = v_const_f32(1), minus = (vf32)((vi32)x | v_const_i32(INT32_MIN)), e;
  vi32 n;
  vf32 p = v_exp_poly(v_exp_reduce(minus, &n));
  if (TC_RARE(v_any((vi32)(minus < v_const_f32(-87))))) {
    e = v_select(minus < v_const_f32(-104), v_const_f32(0), v_scale(p, n));
  } else {
    e = v_scale_normal(p, n);
  }
  // What 1 + e loses to rounding is taken off the quotient (to first order: divided by 1, not 1 + e).
  vf32 sum = one + e, y = v_select(x < v_const_f32(0), e, one) / sum;
  return v_fnma(y, (one - sum) + e, y);
}

TC_WORD vf32 v_tanh(vf32 x) {
  static const float c[] = {-0x1.555532p-2f, 0x1.1106f8p-3f, -0x1.b8362ep-5f, 0x1.51fdeep-6f, -0x1.752a06p-8f};
  vf32 size = v_abs(x), z = x * x, one = v_const_f32(1);
  vf32 small = v_fma(size, z * v_polynomial_f32(z, c, TC_COUNT(c)), size);
  vf32 e = v_exp_normal(v_min(size, v_const_f32(9.1f)) * v_const_f32(2));
  vf32 large = one - v_const_f32(2) / (e + one);
  return v_copysign(v_select(size > v_const_f32(0.625f), large, small), x);  // NaN: small
}

// e^|x| / 2, which does not overflow before sinh and cosh do.
TC_INLINE vf32 v_half_exp(vf32 size) {
  vi32 n;
  vf32 p = v_exp_poly(v_exp_reduce(v_min(size, v_const_f32(90)), &n));
  return v_scale(p, n - v_const_i32(1));
}
TC_WORD vf32 v_sinh(vf32 x) {
  static const float c[] = {0x1.555556p-3f, 0x1.1110e0p-7f, 0x1.a022b6p-13f, 0x1.756df8p-19f};
  vf32 size = v_abs(x), z = x * x;
  vf32 small = v_fma(size, z * v_polynomial_f32(z, c, TC_COUNT(c)), size);
  vf32 half = v_half_exp(size), large = half - v_const_f32(0.25f) / half;
  return v_copysign(v_select(size > v_const_f32(1), large, small), x);
}
TC_WORD vf32 v_cosh(vf32 x) {
  vf32 half = v_half_exp(v_abs(x));
  return half + v_const_f32(0.25f) / half;
}

#endif
