// float64 mathematics, two lanes at a time by the C library (musl's on wasm), which is within 1 to 2 ulp.
#ifndef TC_VMATH_F64_H
#define TC_VMATH_F64_H

#include <math.h>

#include "simd.h"
#include "special.h"

#define TC_F64_1(name, f) \
  TC_WORD vf64 v_##name(vf64 x) { return (vf64){f(x[0]), f(x[1])}; }
#define TC_F64_2(name, f) \
  TC_WORD vf64 v_##name(vf64 x, vf64 y) { return (vf64){f(x[0], y[0]), f(x[1], y[1])}; }

TC_F64_1(exp, exp)
TC_F64_1(exp2, exp2)
TC_F64_1(expm1, expm1)
TC_F64_1(log, log)
TC_F64_1(log2, log2)
TC_F64_1(log10, log10)
TC_F64_1(log1p, log1p)
TC_F64_1(cbrt, cbrt)
TC_F64_1(sin, sin)
TC_F64_1(cos, cos)
TC_F64_1(tan, tan)
TC_F64_1(asin, asin)
TC_F64_1(acos, acos)
TC_F64_1(atan, atan)
TC_F64_1(sinh, sinh)
TC_F64_1(cosh, cosh)
TC_F64_1(tanh, tanh)
TC_F64_1(asinh, asinh)
TC_F64_1(acosh, acosh)
TC_F64_1(atanh, atanh)
TC_F64_1(erf, erf)
TC_F64_1(erfc, erfc)
TC_F64_2(pow, pow)
TC_F64_2(atan2, atan2)
TC_F64_2(hypot, hypot)
TC_F64_2(fmod, fmod)
TC_F64_2(nextafter, nextafter)

TC_WORD vi64 v_signbit(vf64 x) { return (vi64)x >> 63; }
TC_WORD vf64 v_sigmoid(vf64 x) { return v_const_f64(1) / (v_const_f64(1) + v_exp(-x)); }

// e^(-x^2 / 2), and from it the cumulative normal distribution.
TC_WORD vf64 v_gauss(vf64 x) { return v_exp(x * x * v_const_f64(-0.5)); }
TC_WORD vf64 v_gauss_cdf(vf64 x, vf64 e) {
  (void)e;
  return v_const_f64(0.5) * v_erfc(x * v_const_f64(-0.70710678118654752440));
}

TC_F64_1(erfinv, tc_erfinv)

#undef TC_F64_1
#undef TC_F64_2

#endif
