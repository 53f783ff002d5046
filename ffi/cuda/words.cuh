// The words of core/pointwise.def and core/pointwise_formulas.h on scalars. In the C core they work on vectors, and a
// comparison gives a mask of integers; here they work on plain numbers and a mask is 0 or 1, and the same formulas
// compile. The functions are CUDA's (or the C library's), so results may differ from the core's in the last bits.
#pragma once

#include <cmath>

#include "common.cuh"

#define TC_WORD static TC_FN
#define TC_WORD_T template <class V> TC_FN V

namespace tc {

TC_WORD_T v_select(int mask, V a, V b) { return mask ? a : b; }
TC_WORD int v_not(int mask) { return !mask; }

TC_WORD int v_isnan(float x) { return x != x; }
TC_WORD int v_isnan(double x) { return x != x; }
TC_WORD int v_isnan(int32_t) { return 0; }
TC_WORD int v_isnan(int64_t) { return 0; }

// b < a ? b : a: a NaN in `a` comes through, one in `b` does not. maximum and minimum let either through.
TC_WORD_T v_min(V a, V b) { return b < a ? b : a; }
TC_WORD_T v_max(V a, V b) { return a < b ? b : a; }
TC_WORD_T v_minimum(V a, V b) { return v_isnan(b) ? b : v_min(a, b); }
TC_WORD_T v_maximum(V a, V b) { return v_isnan(b) ? b : v_max(a, b); }

TC_WORD float v_abs(float x) { return fabsf(x); }
TC_WORD double v_abs(double x) { return fabs(x); }
TC_WORD int32_t v_abs(int32_t x) { return x < 0 ? int32_t(0u - uint32_t(x)) : x; }
TC_WORD int64_t v_abs(int64_t x) { return x < 0 ? int64_t(0ull - uint64_t(x)) : x; }

TC_WORD int v_signbit(float x) { return __float_as_int(x) < 0; }
TC_WORD int v_signbit(double x) { return __double_as_longlong(x) < 0; }
TC_WORD int v_signbit(int32_t x) { return x < 0; }
TC_WORD int v_signbit(int64_t x) { return x < 0; }

#define TC_FLOAT_WORD_1(name, fn)                  \
  TC_WORD float v_##name(float x) { return fn##f(x); } \
  TC_WORD double v_##name(double x) { return fn(x); }
#define TC_FLOAT_WORD_2(name, fn)                                    \
  TC_WORD float v_##name(float x, float y) { return fn##f(x, y); }    \
  TC_WORD double v_##name(double x, double y) { return fn(x, y); }
TC_FLOAT_WORD_1(sqrt, sqrt)
TC_FLOAT_WORD_1(floor, floor)
TC_FLOAT_WORD_1(ceil, ceil)
TC_FLOAT_WORD_1(trunc, trunc)
TC_FLOAT_WORD_1(round, rint)
TC_FLOAT_WORD_1(exp, exp)
TC_FLOAT_WORD_1(exp2, exp2)
TC_FLOAT_WORD_1(expm1, expm1)
TC_FLOAT_WORD_1(log, log)
TC_FLOAT_WORD_1(log2, log2)
TC_FLOAT_WORD_1(log10, log10)
TC_FLOAT_WORD_1(log1p, log1p)
TC_FLOAT_WORD_1(cbrt, cbrt)
TC_FLOAT_WORD_1(sin, sin)
TC_FLOAT_WORD_1(cos, cos)
TC_FLOAT_WORD_1(tan, tan)
TC_FLOAT_WORD_1(asin, asin)
TC_FLOAT_WORD_1(acos, acos)
TC_FLOAT_WORD_1(atan, atan)
TC_FLOAT_WORD_1(sinh, sinh)
TC_FLOAT_WORD_1(cosh, cosh)
TC_FLOAT_WORD_1(tanh, tanh)
TC_FLOAT_WORD_1(asinh, asinh)
TC_FLOAT_WORD_1(acosh, acosh)
TC_FLOAT_WORD_1(atanh, atanh)
TC_FLOAT_WORD_1(erf, erf)
TC_FLOAT_WORD_1(erfc, erfc)
TC_FLOAT_WORD_2(copysign, copysign)
TC_FLOAT_WORD_2(pow, pow)
TC_FLOAT_WORD_2(atan2, atan2)
TC_FLOAT_WORD_2(hypot, hypot)
TC_FLOAT_WORD_2(fmod, fmod)
TC_FLOAT_WORD_2(nextafter, nextafter)
#undef TC_FLOAT_WORD_1
#undef TC_FLOAT_WORD_2

// a * b + c and c - a * b: fused on the GPU, as the core's where its machine fuses.
template <class V> TC_FN V v_fma(V a, V b, V c) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_floating_point_v<V>) return fma(a, b, c);
#endif
  return a * b + c;
}
template <class V> TC_FN V v_fnma(V a, V b, V c) { return v_fma(-a, b, c); }

// e^(-x^2 / 2), and with that at hand the cumulative normal distribution.
template <class V> TC_FN V v_gauss(V x) { return v_exp(x * x * V(-0.5)); }
template <class V> TC_FN V v_gauss_cdf(V x, V) { return V(0.5) * v_erfc(x * V(-0.70710678118654752440)); }

TC_WORD float v_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
TC_WORD double v_sigmoid(double x) { return 1.0 / (1.0 + exp(-x)); }

#if defined(__CUDACC__)
TC_WORD float v_erfinv(float x) { return erfinvf(x); }
TC_WORD double v_erfinv(double x) { return erfinv(x); }
#else
// A start good to three digits (Winitzki 2008) and Newton steps, each of which doubles them.
TC_WORD double v_erfinv(double y) {
  if (!(fabs(y) <= 1)) return NAN;
  if (fabs(y) == 1) return copysign(INFINITY, y);
  const double size = fabs(y), a = 0.147, l = log1p(-size * size), b = 2 / (M_PI * a) + l / 2;
  double x = sqrt(sqrt(b * b - l / a) - b);
  for (int i = 0; i < 4; i++) {
    const double error = size < 0.5 ? erf(x) - size : (1 - size) - erfc(x);
    x -= error / (M_2_SQRTPI * exp(-x * x));
  }
  return copysign(x, y);
}
TC_WORD float v_erfinv(float y) { return float(v_erfinv(double(y))); }
#endif

// Python's % and // on floats (torch/aten BinaryOpsKernel.cpp, after CPython's float_divmod).
template <class V> TC_FN V tc_float_remainder(V x, V y) {
  const V r = v_fmod(x, y);
  return r != V(0) && (y < V(0)) != (r < V(0)) ? r + y : r;
}
template <class V> TC_FN V tc_float_div_floor(V x, V y) {
  if (y == V(0)) return x / y;
  const V r = v_fmod(x, y);
  V q = (x - r) / y;
  if (r != V(0) && (y < V(0)) != (r < V(0))) q -= V(1);
  if (q == V(0)) return v_copysign(V(0), x / y);
  const V whole = v_floor(q);
  return q - whole > V(0.5) ? whole + V(1) : whole;
}
TC_WORD float v_remainder(float x, float y) { return tc_float_remainder(x, y); }
TC_WORD double v_remainder(double x, double y) { return tc_float_remainder(x, y); }
TC_WORD float v_div_trunc(float x, float y) { return truncf(x / y); }
TC_WORD double v_div_trunc(double x, double y) { return trunc(x / y); }
TC_WORD float v_div_floor(float x, float y) { return tc_float_div_floor(x, y); }
TC_WORD double v_div_floor(double x, double y) { return tc_float_div_floor(x, y); }

// Integers, PyTorch's rules where C has none (core/vint.h): shifts take the count modulo the width, the lowest number
// divided by -1 wraps, and division by zero, reported apart, gives 0.
template <class I> struct Integer {
  using U = std::make_unsigned_t<I>;
  static TC_FN I div_trunc(I a, I b) { return b == 0 ? I(0) : b == -1 ? I(U(0) - U(a)) : I(a / b); }
  static TC_FN I fmod(I a, I b) { return b == 0 || b == -1 ? I(0) : I(a % b); }
  static TC_FN I remainder(I a, I b) {
    const I r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? I(r + b) : r;
  }
  static TC_FN I div_floor(I a, I b) {
    const I q = div_trunc(a, b), r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? I(q - 1) : q;
  }
  // A negative exponent leaves only the powers of 1 and -1.
  static TC_FN I pow(I base, I exponent) {
    if (exponent < 0) return base == 1 ? I(1) : base == -1 ? ((exponent & 1) ? I(-1) : I(1)) : I(0);
    U result = 1, factor = U(base);
    for (U e = U(exponent); e != 0; e >>= 1, factor *= factor)
      if (e & 1) result *= factor;
    return I(result);
  }
  static constexpr I kCount = I(8 * sizeof(I) - 1);
  static TC_FN I shift_left(I a, I b) { return I(U(a) << (b & kCount)); }
  static TC_FN I shift_right(I a, I b) { return I(a >> (b & kCount)); }
  static TC_FN I gcd(I a, I b) {
    U x = a < 0 ? U(0) - U(a) : U(a), y = b < 0 ? U(0) - U(b) : U(b);
    while (y != 0) {
      const U r = x % y;
      x = y;
      y = r;
    }
    return I(x);
  }
  static TC_FN I lcm(I a, I b) {
    const I g = gcd(a, b);
    if (g == 0) return 0;
    const I l = I(U(div_trunc(a, g)) * U(b));
    return l < 0 ? I(U(0) - U(l)) : l;
  }
};
#define TC_INT_WORD(name)                                                                    \
  TC_WORD int32_t v_##name(int32_t a, int32_t b) { return Integer<int32_t>::name(a, b); }    \
  TC_WORD int64_t v_##name(int64_t a, int64_t b) { return Integer<int64_t>::name(a, b); }
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

}  // namespace tc
