// Integer words without a vector instruction: division and its relatives, powers, shifts, gcd. Lane by lane.
// PyTorch's rules where C has none: shifts take the count modulo the width, as x86 does; INT_MIN / -1 wraps; division by
// zero, which pointwise.c refuses beforehand, gives 0 here instead of trapping.
#ifndef TC_VINT_H
#define TC_VINT_H

#include "simd.h"

#define TC_INT_SCALARS(I, U, s)                                                                        \
  TC_INLINE I s##_div_trunc(I a, I b) { return b == 0 ? 0 : b == -1 ? (I)(0 - (U)a) : a / b; }         \
  TC_INLINE I s##_fmod(I a, I b) { return b == 0 || b == -1 ? 0 : a % b; }                             \
  TC_INLINE I s##_remainder(I a, I b) {                                                                \
    I r = s##_fmod(a, b);                                                                              \
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;                                                   \
  }                                                                                                    \
  TC_INLINE I s##_div_floor(I a, I b) {                                                                \
    I q = s##_div_trunc(a, b), r = s##_fmod(a, b);                                                     \
    return r != 0 && (r < 0) != (b < 0) ? q - 1 : q;                                                   \
  }                                                                                                    \
  /* A negative exponent leaves only the powers of 1 and -1. */                                        \
  static inline I s##_pow(I base, I exponent) {                                                        \
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? ((exponent & 1) ? -1 : 1) : 0;               \
    U result = 1, factor = (U)base;                                                                    \
    for (U e = (U)exponent; e != 0; e >>= 1, factor *= factor) result *= (e & 1) ? factor : 1;         \
    return (I)result;                                                                                  \
  }                                                                                                    \
  TC_INLINE I s##_shift_left(I a, I b) {                                                               \
    return (I)((U)a << (b & (I)(8 * sizeof(I) - 1)));                                                  \
  }                                                                                                    \
  TC_INLINE I s##_shift_right(I a, I b) {                                                              \
    return a >> (b & (I)(8 * sizeof(I) - 1));                                                          \
  }                                                                                                    \
  static inline I s##_gcd(I a, I b) {                                                                  \
    U x = a < 0 ? 0 - (U)a : (U)a, y = b < 0 ? 0 - (U)b : (U)b;                                        \
    while (y != 0) { U r = x % y; x = y; y = r; }                                                      \
    return (I)x;                                                                                       \
  }                                                                                                    \
  static inline I s##_lcm(I a, I b) {                                                                  \
    I g = s##_gcd(a, b);                                                                               \
    if (g == 0) return 0;                                                                              \
    I l = (I)((U)s##_div_trunc(a, g) * (U)b);                                                          \
    return l < 0 ? (I)(0 - (U)l) : l;                                                                  \
  }
TC_INT_SCALARS(int32_t, uint32_t, i32)
TC_INT_SCALARS(int64_t, uint64_t, i64)
#undef TC_INT_SCALARS

#define TC_INT_WORD(name)                                                                              \
  TC_WORD vi32 v_##name(vi32 a, vi32 b) {                                                              \
    return (vi32){i32_##name(a[0], b[0]), i32_##name(a[1], b[1]), i32_##name(a[2], b[2]),              \
                  i32_##name(a[3], b[3])};                                                             \
  }                                                                                                    \
  TC_WORD vi64 v_##name(vi64 a, vi64 b) {                                                              \
    return (vi64){i64_##name(a[0], b[0]), i64_##name(a[1], b[1])};                                     \
  }
TC_INT_WORD(div_trunc)
TC_INT_WORD(div_floor)
TC_INT_WORD(fmod)
TC_INT_WORD(remainder)
TC_INT_WORD(pow)
TC_INT_WORD(shift_left)
TC_INT_WORD(shift_right)
TC_INT_WORD(gcd)
TC_INT_WORD(lcm)
#undef TC_INT_WORD

TC_WORD vi32 v_signbit(vi32 x) { return x >> 31; }
TC_WORD vi64 v_signbit(vi64 x) { return x >> 63; }

#endif
