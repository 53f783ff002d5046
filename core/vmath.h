// All the words of pointwise.def: vectors and their mathematics. Measured accuracy: docs/accuracy.md.
#ifndef TC_VMATH_H
#define TC_VMATH_H

#include "simd.h"
#include "vint.h"
#include "vmath_f32.h"
#include "vmath_f64.h"

// Python's % and // on floats (torch/aten BinaryOpsKernel.cpp, after CPython's float_divmod).
#define TC_DIVISION_WORDS(V, SET)                                                                   \
  TC_WORD V v_remainder(V x, V y) {                                                                 \
    V zero = SET(0), r = v_fmod(x, y);                                                              \
    return v_select((r != zero) & ((y < zero) ^ (r < zero)), r + y, r);                             \
  }                                                                                                 \
  TC_WORD V v_div_trunc(V x, V y) { return v_trunc(x / y); }                                        \
  TC_WORD V v_div_floor(V x, V y) {                                                                 \
    V zero = SET(0), one = SET(1), r = v_fmod(x, y), q = (x - r) / y;                               \
    q = v_select((r != zero) & ((y < zero) ^ (r < zero)), q - one, q);                              \
    V whole = v_floor(q);                                                                           \
    whole = v_select(q - whole > SET(0.5), whole + one, whole);                                     \
    whole = v_select(q == zero, v_copysign(zero, x / y), whole);                                    \
    return v_select(y == zero, x / y, whole);                                                       \
  }
TC_DIVISION_WORDS(vf32, v_const_f32)
TC_DIVISION_WORDS(vf64, v_const_f64)
#undef TC_DIVISION_WORDS

#endif
