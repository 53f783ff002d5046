// The special functions of special.c as words on vectors: one call a lane, in float64 for both float types.
#ifndef TC_SPECIAL_H
#define TC_SPECIAL_H

#include "simd.h"

#define TC_SPECIAL_1(name)                                                                           \
  double tc_##name(double x);                                                                        \
  TC_WORD vf64 v_##name(vf64 x) { return (vf64){tc_##name(x[0]), tc_##name(x[1])}; }                 \
  TC_WORD vf32 v_##name(vf32 x) {                                                                    \
    vf32 y;                                                                                          \
    for (int l = 0; l < 4; l++) y[l] = (float)tc_##name(x[l]);                                       \
    return y;                                                                                        \
  }
#define TC_SPECIAL_2(name)                                                                           \
  double tc_##name(double x, double y);                                                              \
  TC_WORD vf64 v_##name(vf64 x, vf64 y) { return (vf64){tc_##name(x[0], y[0]), tc_##name(x[1], y[1])}; } \
  TC_WORD vf32 v_##name(vf32 x, vf32 y) {                                                            \
    vf32 z;                                                                                          \
    for (int l = 0; l < 4; l++) z[l] = (float)tc_##name(x[l], y[l]);                                 \
    return z;                                                                                        \
  }

TC_SPECIAL_1(lgamma)
TC_SPECIAL_1(digamma)
TC_SPECIAL_1(erfcx)
TC_SPECIAL_1(log_ndtr)
TC_SPECIAL_1(ndtri)
TC_SPECIAL_1(i0)
TC_SPECIAL_1(i0e)
TC_SPECIAL_1(i1)
TC_SPECIAL_1(i1e)
TC_SPECIAL_1(k0)
TC_SPECIAL_1(k0e)
TC_SPECIAL_1(k1)
TC_SPECIAL_1(k1e)
TC_SPECIAL_1(bessel_j0)
TC_SPECIAL_1(bessel_j1)
TC_SPECIAL_1(bessel_y0)
TC_SPECIAL_1(bessel_y1)
TC_SPECIAL_1(spherical_bessel_j0)
TC_SPECIAL_1(airy_ai)
TC_SPECIAL_2(zeta)
TC_SPECIAL_2(polygamma)
TC_SPECIAL_2(igamma)
TC_SPECIAL_2(igammac)
TC_SPECIAL_2(chebyshev_t)
TC_SPECIAL_2(chebyshev_u)
TC_SPECIAL_2(chebyshev_v)
TC_SPECIAL_2(chebyshev_w)
TC_SPECIAL_2(hermite_h)
TC_SPECIAL_2(hermite_he)
TC_SPECIAL_2(laguerre)
TC_SPECIAL_2(legendre)

// float64 only: float32 has a vector word of its own.
double tc_erfinv(double y);

#undef TC_SPECIAL_1
#undef TC_SPECIAL_2

#endif
