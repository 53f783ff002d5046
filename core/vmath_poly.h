// What the mathematical words share: polynomials, and float32 functions evaluated in float64.
//
// Every polynomial in vmath_*.h is a minimax fit of relative error (Lawson's algorithm on 1500 Chebyshev points at 40
// digits); float32 coefficients were rounded one by one, lowest power first, and the rest fitted again each time.
#ifndef TC_VMATH_POLY_H
#define TC_VMATH_POLY_H

#include <math.h>

#include "simd.h"

#define TC_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

// c[0] + c[1] x + ... : always called with a constant table, so the loop unrolls. Even and odd powers are two chains:
// a single one leaves the processor waiting for each product.
#define TC_POLYNOMIAL(V, E, name, SPLAT)                                        \
  TC_INLINE V name(V x, const E *c, int n) {                                    \
    V square = x * x, even = SPLAT(c[n - 1]), odd = SPLAT(c[n - 2]), swap;      \
    _Pragma("clang loop unroll(full)") for (int i = n - 3; i >= 0; i--) {       \
      swap = v_fma(even, square, SPLAT(c[i]));                                  \
      even = odd;                                                               \
      odd = swap;                                                               \
    }                                                                           \
    return v_fma(even, x, odd);                                                 \
  }
TC_POLYNOMIAL(vf32, float, v_polynomial_f32, v_const_f32)
TC_POLYNOMIAL(vf64, double, v_polynomial_f64, v_const_f64)

// A float32 word from a float64 function of each half: its own error vanishes and only the last rounding is left.
#define TC_WIDE_1(name, f) \
  TC_WORD vf32 name(vf32 x) { return v_narrow(f(v_widen_low(x)), f(v_widen_high(x))); }
#define TC_WIDE_2(name, f)                                             \
  TC_WORD vf32 name(vf32 x, vf32 y) {                                  \
    return v_narrow(f(v_widen_low(x), v_widen_low(y)), f(v_widen_high(x), v_widen_high(y))); \
  }

// A vector of calls, for arguments so rare or functions so slow that vectors would not pay.
#define TC_LANES_1(f, x) ((vf32){(float)f((x)[0]), (float)f((x)[1]), (float)f((x)[2]), (float)f((x)[3])})

#define TC_RARE(condition) __builtin_expect(!!(condition), 0)

#endif
