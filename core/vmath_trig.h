// float32 circular functions and their inverses.
#ifndef TC_VMATH_TRIG_H
#define TC_VMATH_TRIG_H

#include "vmath_poly.h"

// Beyond this the reduction below runs out of digits, and the C library's float64 function takes over.
#define TC_TRIG_MAX 12000.0f

// |x| = n pi / 2 + r (of n, the low bits) for |x| <= TC_TRIG_MAX. The first three parts of pi / 2 have 11 bits, so n times them is exact;
// so are the first two differences, and the error of the third is carried on; what r still lacks is left in `rest`.
TC_INLINE vf32 v_trig_reduce(vf32 size, vi32 *n, vf32 *rest) {
  // 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
  const vf32 magic = v_const_f32(12582912.0f);
  vf32 shifted = v_fma(size, v_const_f32(0.636619772f), magic), k = shifted - magic;
  *n = (vi32)shifted;
  vf32 a = v_fnma(k, v_const_f32(0x1.92p0f), size);
  vf32 b = v_fnma(k, v_const_f32(0x1.fb4p-12f), a);
  vf32 t = k * v_const_f32(0x1.444p-24f);
  vf32 r = b - t;
  vf32 lost = v_fnma(k, v_const_f32(0x1.68c234p-39f), (b - r) - t);
  vf32 sum = r + lost;
  *rest = (r - sum) + lost;
  return sum;
}

// sin r and cos r for |r| <= pi / 4, errors 2^-32 and 2^-33.
TC_INLINE vf32 v_sin_poly(vf32 r, vf32 z) {
  static const float c[] = {-0x1.555556p-3f, 0x1.111174p-7f, -0x1.a0595ep-13f, 0x1.7c3226p-19f};
  return v_fma(r, z * v_polynomial_f32(z, c, TC_COUNT(c)), r);
}
TC_INLINE vf32 v_cos_poly(vf32 z) {
  static const float c[] = {0x1.55554ap-5f, -0x1.6c0c28p-10f, 0x1.99e80cp-16f};
  return v_fma(z * z, v_polynomial_f32(z, c, TC_COUNT(c)), v_fma(z, v_const_f32(-0.5f), v_const_f32(1)));
}

static __attribute__((noinline, unused)) vf32 v_sin_large(vf32 x) { return TC_LANES_1(sin, x); }
static __attribute__((noinline, unused)) vf32 v_cos_large(vf32 x) { return TC_LANES_1(cos, x); }
static __attribute__((noinline, unused)) vf32 v_tan_large(vf32 x) { return TC_LANES_1(tan, x); }

TC_INLINE vi32 v_trig_large(vf32 size) { return (vi32)(size > v_const_f32(TC_TRIG_MAX)); }

TC_WORD vf32 v_sin(vf32 x) {
  vf32 size = v_abs(x);
  if (TC_RARE(v_any(v_trig_large(size)))) return v_sin_large(x);
  vi32 n;
  vf32 rest, r = v_trig_reduce(size, &n, &rest), z = r * r;
  vf32 y = v_select((n << 31) >> 31, v_cos_poly(z), v_sin_poly(r, z));
  vi32 sign = ((vi32)x & v_const_i32(INT32_MIN)) ^ ((n & v_const_i32(2)) << 30);
  return (vf32)((vi32)y ^ sign);
}
TC_WORD vf32 v_cos(vf32 x) {
  vf32 size = v_abs(x);
  if (TC_RARE(v_any(v_trig_large(size)))) return v_cos_large(x);
  vi32 n;
  vf32 rest, r = v_trig_reduce(size, &n, &rest), z = r * r;
  vf32 y = v_select((n << 31) >> 31, v_sin_poly(r, z), v_cos_poly(z));
  return (vf32)((vi32)y ^ (((n + v_const_i32(1)) & v_const_i32(2)) << 30));
}
TC_WORD vf32 v_tan(vf32 x) {
  static const float c[] = {0x1.555560p-2f, 0x1.110d9ep-3f, 0x1.bad9c6p-5f, 0x1.5cc07cp-6f,
                            0x1.62cde0p-7f, 0x1.99d354p-14f, 0x1.1e971ap-8f};
  vf32 size = v_abs(x);
  if (TC_RARE(v_any(v_trig_large(size)))) return v_tan_large(x);
  vi32 n;
  vf32 rest, r = v_trig_reduce(size, &n, &rest), z = r * r;
  // The derivative of tan, roughly: rest is below the last digit.
  vf32 t = r + v_fma(r, z * v_polynomial_f32(z, c, TC_COUNT(c)), rest * (v_const_f32(1) + z));
  vf32 y = v_select((n << 31) >> 31, v_const_f32(-1) / t, t);
  return (vf32)((vi32)y ^ ((vi32)x & v_const_i32(INT32_MIN)));
}

#define TC_HALF_PI 1.57079637f
#define TC_HALF_PI_REST -4.37113883e-8f

// asin(x) - x for 0 <= x <= 1/2, z = x^2: error 2^-27 of asin(x).
TC_INLINE vf32 v_asin_tail(vf32 x, vf32 z) {
  static const float c[] = {0x1.5555cap-3f, 0x1.330162p-4f, 0x1.748bf2p-5f, 0x1.8b991ap-6f, 0x1.59ed9cp-5f};
  return x * (z * v_polynomial_f32(z, c, TC_COUNT(c)));
}
// Above 1/2: asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)).
TC_WORD vf32 v_asin(vf32 x) {
  vf32 size = v_abs(x);
  vi32 large = (vi32)(size > v_const_f32(0.5f));
  vf32 half = v_fnma(size, v_const_f32(0.5f), v_const_f32(0.5f));
  vf32 z = v_select(large, half, x * x), s = v_select(large, v_sqrt(half), size);
  vf32 tail = v_asin_tail(s, z);
  vf32 far = v_const_f32(TC_HALF_PI) - (v_fma(v_const_f32(2), tail, v_const_f32(-TC_HALF_PI_REST)) + (s + s));
  return v_copysign(v_select(large, far, s + tail), x);
}
TC_WORD vf32 v_acos(vf32 x) {
  vf32 size = v_abs(x);
  vi32 large = (vi32)(size > v_const_f32(0.5f));
  vf32 half = v_fnma(size, v_const_f32(0.5f), v_const_f32(0.5f));
  vf32 z = v_select(large, half, x * x), s = v_select(large, v_sqrt(half), size);
  vf32 tail = v_asin_tail(s, z);
  vf32 y = v_copysign(tail, x), sx = v_copysign(s, x);
  vf32 near = v_const_f32(TC_HALF_PI) - (sx + (y - v_const_f32(TC_HALF_PI_REST)));
  vf32 twice = v_const_f32(2) * (s + tail);
  vf32 below = v_const_f32(2 * TC_HALF_PI) - (v_fma(v_const_f32(2), tail, v_const_f32(-2 * TC_HALF_PI_REST)) + (s + s));
  return v_select(large, v_select(x < v_const_f32(0), below, twice), near);
}

// atan(q) - q for 0 <= q <= 1, error 2^-28 of atan(q).
TC_INLINE vf32 v_atan_tail(vf32 q) {
  static const float c[] = {-0x1.55553ep-2f, 0x1.9991e6p-3f, -0x1.2420b6p-3f, 0x1.c08f60p-4f, -0x1.581532p-4f,
                            0x1.da5d84p-5f, -0x1.fdf788p-6f, 0x1.64ba50p-7f, -0x1.d48596p-10f};
  vf32 z = q * q;
  return q * (z * v_polynomial_f32(z, c, TC_COUNT(c)));
}
TC_WORD vf32 v_atan(vf32 x) {
  vf32 size = v_abs(x);
  vi32 large = (vi32)(size > v_const_f32(1));
  vf32 q = v_select(large, v_const_f32(1) / size, size), tail = v_atan_tail(q);
  vf32 far = v_const_f32(TC_HALF_PI) - (q + (tail - v_const_f32(TC_HALF_PI_REST)));
  return v_copysign(v_select(large, far, q + tail), x);
}
// The angle of (x, y) in the first octant, unfolded by quarter turns.
TC_WORD vf32 v_atan2(vf32 y, vf32 x) {
  vf32 ax = v_abs(x), ay = v_abs(y), zero = v_const_f32(0), inf = v_const_f32(INFINITY);
  vi32 steep = (vi32)(ay > ax), left = (vi32)x >> 31;
  vf32 low = v_select(steep, ax, ay), high = v_select(steep, ay, ax);
  vf32 q = low / high;
  q = v_select(high == zero, zero, v_select(low == inf, v_const_f32(1), q));
  q = v_select(v_isnan(x) | v_isnan(y), x + y, q);
  vf32 tail = v_atan_tail(q);
  // angle = turns * pi / 2 + or - (q + tail): steep 1 and -, then left 2 minus all that.
  vf32 turns = v_select(left, v_select(steep, v_const_f32(1), v_const_f32(2)), v_select(steep, v_const_f32(1), zero));
  vf32 sign = v_select(steep ^ left, v_const_f32(-1), v_const_f32(1));
  vf32 angle = v_fma(turns, v_const_f32(TC_HALF_PI),
                     sign * q + v_fma(sign, tail, turns * v_const_f32(TC_HALF_PI_REST)));
  return v_copysign(angle, y);
}

#endif
