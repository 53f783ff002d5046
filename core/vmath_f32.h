// float32 mathematics.
#ifndef TC_VMATH_F32_H
#define TC_VMATH_F32_H

#include <math.h>

#include "simd.h"

#define TC_F32_1(name, f) \
  TC_WORD vf32 v_##name(vf32 x) { return (vf32){f(x[0]), f(x[1]), f(x[2]), f(x[3])}; }
#define TC_F32_2(name, f) \
  TC_WORD vf32 v_##name(vf32 x, vf32 y) { return (vf32){f(x[0], y[0]), f(x[1], y[1]), f(x[2], y[2]), f(x[3], y[3])}; }

TC_F32_1(exp, (float)exp)
TC_F32_1(exp2, (float)exp2)
TC_F32_1(expm1, (float)expm1)
TC_F32_1(log, (float)log)
TC_F32_1(log2, (float)log2)
TC_F32_1(log10, (float)log10)
TC_F32_1(log1p, (float)log1p)
TC_F32_1(cbrt, (float)cbrt)
TC_F32_1(sin, (float)sin)
TC_F32_1(cos, (float)cos)
TC_F32_1(tan, (float)tan)
TC_F32_1(asin, (float)asin)
TC_F32_1(acos, (float)acos)
TC_F32_1(atan, (float)atan)
TC_F32_1(sinh, (float)sinh)
TC_F32_1(cosh, (float)cosh)
TC_F32_1(tanh, (float)tanh)
TC_F32_1(asinh, (float)asinh)
TC_F32_1(acosh, (float)acosh)
TC_F32_1(atanh, (float)atanh)
TC_F32_1(erf, (float)erf)
TC_F32_1(erfc, (float)erfc)
TC_F32_1(erfinv, (float)tc_erfinv)
TC_F32_2(pow, (float)pow)
TC_F32_2(atan2, (float)atan2)
TC_F32_2(hypot, (float)hypot)
TC_F32_2(fmod, fmodf)
TC_F32_2(nextafter, nextafterf)

TC_WORD vi32 v_signbit(vf32 x) { return (vi32)x >> 31; }
TC_WORD vf32 v_sigmoid(vf32 x) { return v_set_f32(1) / (v_set_f32(1) + v_exp(-x)); }

TC_WORD vf32 v_remainder(vf32 x, vf32 y) {
  vf32 zero = v_set_f32(0), r = v_fmod(x, y);
  return v_select((r != zero) & ((y < zero) ^ (r < zero)), r + y, r);
}
TC_WORD vf32 v_div_trunc(vf32 x, vf32 y) { return v_trunc(x / y); }
TC_WORD vf32 v_div_floor(vf32 x, vf32 y) {
  vf32 zero = v_set_f32(0), one = v_set_f32(1);
  vf32 r = v_fmod(x, y), q = (x - r) / y;
  q = v_select((r != zero) & ((y < zero) ^ (r < zero)), q - one, q);
  vf32 whole = v_floor(q);
  whole = v_select(q - whole > v_set_f32(0.5f), whole + one, whole);
  whole = v_select(q == zero, v_copysign(zero, x / y), whole);
  return v_select(y == zero, x / y, whole);
}

#endif
