// float32 logarithms.
#ifndef TC_VMATH_LOG_H
#define TC_VMATH_LOG_H

#include "vmath_poly.h"

// x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for positive normal x.
TC_INLINE vf32 v_log_split(vi32 bits, vf32 *e) {
  vi32 n = (bits - v_const_i32(0x3f3504f3)) >> 23;
  *e = v_float(n);
  return (vf32)(bits - (n << 23)) - v_const_f32(1);
}

// log(1 + f) - f = f^3 p(f) - f^2 / 2, error 2^-30 of log(1 + f).
TC_INLINE vf32 v_log_tail(vf32 f) {
  static const float c[] = {0x1.555548p-2f, -0x1.000006p-2f, 0x1.99a47cp-3f, -0x1.555c4ap-3f, 0x1.233ad8p-3f,
                            -0x1.fc2662p-4f, 0x1.e6cccep-4f, -0x1.de1a5ap-4f, 0x1.1471c0p-4f};
  vf32 z = f * f;
  return v_fma(z * f, v_polynomial_f32(f, c, TC_COUNT(c)), v_const_f32(-0.5f) * z);
}

// Lanes that are not positive normal numbers.
TC_INLINE vi32 v_log_special(vf32 x) {
  return (vi32)((vu32)((vi32)x - v_const_i32(0x00800000)) >= (vu32)v_const_i32(0x7f000000));
}

#define TC_LOG_WORD(name, combine)                                                                  \
  TC_WORD vf32 name(vf32 x) {                                                                       \
    vf32 e, f, y;                                                                                   \
    if (!TC_RARE(v_any(v_log_special(x)))) {                                                        \
      f = v_log_split((vi32)x, &e);                                                                 \
      return combine(e, f, v_log_tail(f));                                                          \
    }                                                                                               \
    vi32 tiny = (vi32)(x < v_const_f32(0x1p-126f));                                                   \
    f = v_log_split((vi32)v_select(tiny, x * v_const_f32(0x1p23f), x), &e);                           \
    e = e - v_select(tiny, v_const_f32(23), v_const_f32(0));                                            \
    y = combine(e, f, v_log_tail(f));                                                               \
    y = v_select(x == v_const_f32(INFINITY), x, y);                                                   \
    vf32 rest = v_select(x == v_const_f32(0), v_const_f32(-INFINITY), v_const_f32(NAN));                  \
    return v_select(x > v_const_f32(0), y, rest);                                                     \
  }

// The parts are added from small to large; constants split in two have a head short enough for exact products.
TC_INLINE vf32 v_log_combine(vf32 e, vf32 f, vf32 tail) {
  return v_fma(e, v_const_f32(0.693359375f), f + v_fma(e, v_const_f32(-2.12194440e-4f), tail));
}
TC_INLINE vf32 v_log2_combine(vf32 e, vf32 f, vf32 tail) {
  const vf32 rest = v_const_f32(0.442695041f);  // log2(e) - 1
  return ((v_fma(f, rest, tail * rest) + tail) + f) + e;
}
TC_INLINE vf32 v_log10_combine(vf32 e, vf32 f, vf32 tail) {
  const vf32 head = v_const_f32(0.43359375f), rest = v_const_f32(7.00731903e-4f);
  vf32 y = v_fma(e, v_const_f32(2.48745664e-4f), v_fma(tail, head, (f + tail) * rest));
  return v_fma(e, v_const_f32(0.30078125f), v_fma(f, head, y));
}
TC_LOG_WORD(v_log, v_log_combine)
TC_LOG_WORD(v_log2, v_log2_combine)
TC_LOG_WORD(v_log10, v_log10_combine)

// With 1 + x = 2^e (1 + f), f = x 2^-e + (2^-e - 1) loses nothing where 1 + x rounds.
TC_WORD vf32 v_log1p(vf32 x) {
  const vf32 one = v_const_f32(1);
  vi32 odd = v_not((vi32)((x > v_const_f32(-1)) & (x < v_const_f32(0x1p120f))));
  vf32 e;
  vi32 n = ((vi32)(one + x) - v_const_i32(0x3f3504f3)) >> 23;
  e = v_float(n);
  vf32 scale = (vf32)((v_const_i32(127) - n) << 23);
  vf32 f = v_fma(x, scale, scale - one);
  vf32 y = v_log_combine(e, f, v_log_tail(f));
  y = v_select(x == v_const_f32(0), x, y);
  if (!TC_RARE(v_any(odd))) return y;
  return v_select(odd, v_log(one + x), y);
}

#endif
