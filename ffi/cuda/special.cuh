// The special functions of core/special_functions.h as words on scalars: float64 inside for both float types, one
// function each and never inlined, as every one is a page of code.
#pragma once

#include "words.cuh"

namespace tc {
namespace {

#if !defined(__CUDACC__)
using std::isinf;
using std::isnan;
#endif

#define TC_SPECIAL [[maybe_unused]] TC_NOINLINE
#if defined(__CUDACC__)
#define TC_SPECIAL_DATA __device__ const
#else
#define TC_SPECIAL_DATA const
#endif
#include "../../core/special_functions.h"
#undef TC_SPECIAL
#undef TC_SPECIAL_DATA

TC_FN double tc_lgamma(double x) { return lgamma(x); }
TC_FN double tc_bessel_j0(double x) { return v_abs(x) == INFINITY ? double(NAN) : j0(x); }
TC_FN double tc_bessel_j1(double x) { return v_abs(x) == INFINITY ? double(NAN) : j1(x); }
TC_FN double tc_bessel_y0(double x) { return v_abs(x) == INFINITY ? double(NAN) : y0(x); }
TC_FN double tc_bessel_y1(double x) { return v_abs(x) == INFINITY ? double(NAN) : y1(x); }

#if defined(__CUDACC__)
TC_FN double tc_ndtri(double p) { return normcdfinv(p); }
#else
// x with Phi(x) = p: a start from the tail's asymptotic form, then Newton steps on the logarithm of the smaller tail.
TC_FN double tc_ndtri(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
  const double tail = p < 0.5 ? p : 1 - p;
  double x = tail > 0.01 ? M_SQRT2 * v_erfinv(1 - 2 * tail) : sqrt(-2 * log(tail));
  for (int i = 0; i < 12; i++) {
    const double q = 0.5 * erfc(x * M_SQRT1_2);
    x += log(q / tail) * q / (0.39894228040143267794 * exp(-0.5 * x * x));
  }
  return p < 0.5 ? -x : x;
}
#endif

#define TC_SPECIAL_1(name)                                            \
  TC_WORD double v_##name(double x) { return tc_##name(x); }          \
  TC_WORD float v_##name(float x) { return float(tc_##name(double(x))); }
#define TC_SPECIAL_2(name)                                                             \
  TC_WORD double v_##name(double x, double y) { return tc_##name(x, y); }              \
  TC_WORD float v_##name(float x, float y) { return float(tc_##name(double(x), double(y))); }
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
#undef TC_SPECIAL_1
#undef TC_SPECIAL_2

}  // namespace
}  // namespace tc
