// float32 error functions.
#ifndef TC_VMATH_ERF_H
#define TC_VMATH_ERF_H

#include "vmath_exp.h"
#include "vmath_wide.h"

// Up to 0.93 an odd polynomial, above 1 - exp(polynomial); errors 2^-26 and 2^-28.
TC_WORD vf32 v_erf(vf32 x) {
  static const float near[] = {0x1.06eba6p-3f, -0x1.8126e2p-2f, 0x1.ce1986p-4f, -0x1.b67c00p-6f, 0x1.46d9b2p-8f,
                               -0x1.387302p-11f};
  static const float far[] = {-0x1.07328ap-3f, -0x1.457cdep-1f, -0x1.af271ep-4f, 0x1.7707c8p-6f, -0x1.a56532p-9f,
                              0x1.c0c5a2p-13f};
  vf32 size = v_abs(x), z = x * x;
  vf32 small = v_fma(v_polynomial_f32(z, near, TC_COUNT(near)), size, size);
  // Past 4 the result is 1; NaN passes.
  vf32 t = v_min(size, v_const_f32(4));
  vf32 power = v_fma(v_polynomial_f32(t, far, TC_COUNT(far)), t, -t);
  vf32 large = v_const_f32(1) - v_exp_normal(power);
  return v_copysign(v_select(size > v_const_f32(0.93f), large, small), x);
}

// The normal distribution, for gelu: e^(-x^2 / 2), and from that the cumulative distribution. Written for speed: errors
// are 1e-7 of 1, and in the lower tail 1e-5 of the result at -5 (by way of erf nothing would be left there). Past
// |x| = 13.2 the exponential is 0.
TC_WORD vf32 v_gauss(vf32 x) {
  static const float c[] = {0x1.62e430p-1f, 0x1.ebfbdcp-3f, 0x1.c6af7ap-5f, 0x1.3b2de0p-7f, 0x1.5f09a6p-10f,
                            0x1.416d08p-13f};
  // In powers of 2, so that the reduction is exact.
  vf32 y = v_max(x * x * v_const_f32(-0.721347520f), v_const_f32(-127));
  vf32 magic = v_const_f32(TC_ROUND_MAGIC), shifted = y + magic, r = y - (shifted - magic);
  return v_scale_normal(v_fma(r, v_polynomial_f32(r, c, TC_COUNT(c)), v_const_f32(1)), (vi32)shifted - (vi32)magic);
}
TC_WORD vf32 v_gauss_cdf(vf32 x, vf32 e) {
  static const float c[] = {0x1.93af94p-4f, 0x1.d51600p-4f,  0x1.0e9f2ap-6f, 0x1.2f8e08p-2f,
                            -0x1.2134e4p-2f, 0x1.6623d4p-2f, -0x1.7e613ap-4f};
  vf32 one = v_const_f32(1), u = one / v_fma(v_abs(x), v_const_f32(0.25f), one);
  vf32 tail = e * (u * v_polynomial_f32(u, c, TC_COUNT(c)));
  return v_select(x < v_const_f32(0), tail, one - tail);
}

// erfc(x) = e^(-x^2) g(u) / (1 + 2 x), u = (x - 3) / (x + 3), for 0 <= x <= 10.2: error 2^-30.
TC_INLINE vf64 v_wide_erfc(vf64 x) {
  static const double c[] = {1.253008058946382,     -0.13562111270257068,   -0.04756238426612783,
                             0.12964541503089438,   -0.11927162074368795,   0.06830594040186905,
                             -0.023787751234062557, 0.0025298263024884646,  0.001950413941300469,
                             -0.0007416196086021275, -0.00018306255170702344, 3.5205295561038974e-05};
  vf64 three = v_const_f64(3), one = v_const_f64(1);
  vf64 size = v_min(v_abs(x), v_const_f64(10.5)), u = (size - three) / (size + three);
  vf64 y = v_wide_exp(-size * size) * v_polynomial_f64(u, c, TC_COUNT(c)) / v_fma(v_const_f64(2), size, one);
  return v_select(x < v_const_f64(0), v_const_f64(2) - y, y);
}
TC_WIDE_1(v_erfc, v_wide_erfc)

// erfinv(x) = x p(w), w = -log(1 - x^2): in w up to 6, in sqrt(w) above (after M. Giles, Approximating the erfinv
// function, 2011). Errors 2^-31 and 2^-28.
TC_INLINE vf64 v_wide_erfinv(vf64 x) {
  static const double near[] = {1.6235420064131958,      0.2416304020909106,      -0.005738135019360006,
                                -0.0008361750571404136,  0.0001950614349931281,   -1.2722678564164733e-05,
                                -1.7483077750562936e-06, 4.525175667086959e-07,   -2.3538791539352914e-08,
                                -5.980654625258123e-09,  1.0813098578507662e-09,  2.222296867907701e-11,
                                -1.5040963652770773e-11};
  static const double far[] = {3.08388560043028,       1.005258983729092,     0.005371681273401181,
                               -0.0037515044063342324, 0.002482101055858559,  -0.0016864329890913163,
                               0.0009933643580151265,  -0.000361352221208778, -4.7399764406155105e-05,
                               8.09738891049881e-05};
  vf64 w = -v_wide_log(v_fnma(x, x, v_const_f64(1)));
  vf64 small = v_polynomial_f64(w - v_const_f64(3), near, TC_COUNT(near));
  vf64 large = v_polynomial_f64(v_sqrt(w) - v_const_f64(3.25), far, TC_COUNT(far));
  return x * v_select(w < v_const_f64(6), small, large);
}
TC_WIDE_1(v_erfinv_inside, v_wide_erfinv)
TC_WORD vf32 v_erfinv(vf32 x) {
  vf32 size = v_abs(x), one = v_const_f32(1);
  vf32 edge = v_select(size == one, v_copysign(v_const_f32(INFINITY), x), v_const_f32(NAN));
  return v_select(size < one, v_erfinv_inside(x), edge);
}

#endif
