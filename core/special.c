// lgamma_r and the Bessel functions are no part of ISO C.
#define _GNU_SOURCE

#include "special.h"

#include <math.h>

#include "vmath_erf.h"

#define TC_SPECIAL
#define TC_SPECIAL_DATA static const
#include "special_functions.h"

double tc_lgamma(double x) {
  // lgamma writes its sign to a global variable; threads would race for it.
  int sign;
  return lgamma_r(x, &sign);
}

double tc_bessel_j0(double x) { return isinf(x) ? NAN : j0(x); }
double tc_bessel_j1(double x) { return isinf(x) ? NAN : j1(x); }
double tc_bessel_y0(double x) { return isinf(x) ? NAN : y0(x); }
double tc_bessel_y1(double x) { return isinf(x) ? NAN : y1(x); }

// x with erfc(x) = p, 0 < p <= 1: the float32 function's fit (or, where that ends, the asymptotic form), and Newton
// steps on the logarithm, which is nearly a parabola.
static double erfc_inverse(double p) {
  double y = 1 - p, x, w = -log(p * (2 - p));
  int steps = 1;
  if (w < 16) {
    x = v_wide_erfinv(v_set_f64(y))[0];
  } else {
    x = sqrt(w - 0.5 * log(3.14159265358979323846 * w) + 0.69314718055994530942);
    steps = 4;
  }
  for (int i = 0; i < steps; i++) {
    double value = erfc(x);
    x += log(value / p) * value / (1.12837916709551257390 * exp(-x * x));
  }
  return x;
}

double tc_erfinv(double y) {
  double size = fabs(y);
  if (!(size < 1)) return size == 1 ? copysign(INFINITY, y) : NAN;
  if (size > 0.5) return copysign(erfc_inverse(1 - size), y);
  double x = v_wide_erfinv(v_set_f64(y))[0];
  return x - (erf(x) - y) / (1.12837916709551257390 * exp(-x * x));
}

double tc_ndtri(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
  if (p < 0.25) return -1.41421356237309504880 * erfc_inverse(2 * p);
  if (p > 0.75) return 1.41421356237309504880 * erfc_inverse(2 * (1 - p));
  return 1.41421356237309504880 * tc_erfinv(2 * p - 1);
}
