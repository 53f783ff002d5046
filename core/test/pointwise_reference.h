// What each operator of pointwise.def should give, once more and independently: in float64 with the C library for
// floats (after PyTorch's documentation, not its kernels), in int64 for integers. x, y, z are the inputs, p the
// parameters.
#ifndef TC_TEST_POINTWISE_REFERENCE_H
#define TC_TEST_POINTWISE_REFERENCE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef double (*real_reference)(double x, double y, double z, const double *p);
typedef int64_t (*integer_reference)(int64_t x, int64_t y, int64_t z, const double *p);

#define SIGMOID(x) (1 / (1 + exp(-(x))))
#define CDF(x) (0.5 * erfc(-(x) / sqrt(2)))
#define PDF(x) (exp(-(x) * (x) / 2) / sqrt(2 * M_PI))
#define SIGN(x) ((double)(((x) > 0) - ((x) < 0)))

static double nan_max(double x, double y) { return isnan(x) ? x : isnan(y) ? y : x > y ? x : y; }
static double nan_min(double x, double y) { return isnan(x) ? x : isnan(y) ? y : x < y ? x : y; }
static double python_mod(double x, double y) {
  double r = fmod(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static double ref_logaddexp(double x, double y, double base) {
  if (x == y && isinf(x)) return x;
  double high = nan_max(x, y);
  return high + log1p(pow(base, -fabs(x - y))) / log(base);
}
static double gelu_tanh_inner(double x) { return sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
static double log1pexp(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double limited_log(double x) { return nan_max(log(x), -100); }

// One line per operator, in any order: REAL for floats, WHOLE for integers.
#define REALS                                                                                                  \
  REAL(copy, x) REAL(add, x + y) REAL(sub, x - y) REAL(mul, x *y) REAL(div, x / y)                             \
  REAL(add_alpha, x + p[0] * y) REAL(sub_alpha, x - p[0] * y) REAL(div_trunc, trunc(x / y))                    \
  REAL(div_floor, y == 0 ? x / y : floor((x - python_mod(x, y)) / y + 0.5)) REAL(remainder, python_mod(x, y))  \
  REAL(fmod, fmod(x, y)) REAL(pow, pow(x, y)) REAL(neg, -x) REAL(abs, fabs(x)) REAL(sign, SIGN(x))             \
  REAL(square, x *x) REAL(cube, x *x *x) REAL(reciprocal, 1 / x) REAL(sqrt, sqrt(x)) REAL(rsqrt, 1 / sqrt(x))  \
  REAL(addcmul, x + p[0] * y * z) REAL(addcdiv, x + p[0] * y / z) REAL(lerp, x + z * (y - x))                  \
  REAL(mul_scaled, x *y *p[0]) REAL(maximum, nan_max(x, y)) REAL(minimum, nan_min(x, y)) REAL(fmax, fmax(x, y)) \
  REAL(fmin, fmin(x, y)) REAL(clamp, nan_min(nan_max(x, y), z)) REAL(where, x != 0 ? y : z)                    \
  REAL(heaviside, x == 0 ? y : x > 0) REAL(copysign, copysign(x, y)) REAL(nextafter, NAN)                      \
  REAL(nan_to_num, isnan(x) ? p[0] : x == INFINITY ? p[1] : x == -INFINITY ? p[2] : x) REAL(ceil, ceil(x))     \
  REAL(floor, floor(x)) REAL(round, nearbyint(x)) REAL(trunc, trunc(x)) REAL(frac, x - trunc(x))               \
  REAL(round_decimals, nearbyint(x *p[0]) / p[0]) REAL(round_tens, nearbyint(x / p[0]) * p[0]) REAL(eq, x == y) \
  REAL(ne, x != y) REAL(lt, x < y) REAL(le, x <= y) REAL(gt, x > y) REAL(ge, x >= y) REAL(logical_and, x && y) \
  REAL(logical_or, x || y) REAL(logical_xor, !x != !y) REAL(logical_not, !x) REAL(isnan, isnan(x))             \
  REAL(isinf, isinf(x) != 0) REAL(isfinite, isfinite(x)) REAL(isposinf, x == INFINITY)                         \
  REAL(isneginf, x == -INFINITY) REAL(signbit, signbit(x) != 0) REAL(exp, exp(x)) REAL(exp2, exp2(x))          \
  REAL(expm1, expm1(x)) REAL(log, log(x)) REAL(log2, log2(x)) REAL(log10, log10(x)) REAL(log1p, log1p(x))      \
  REAL(angle, isnan(x) ? x : x < 0 ? M_PI : 0) REAL(conj, x) REAL(cbrt, cbrt(x)) REAL(hypot, hypot(x, y)) REAL(ldexp, x *exp2(y))                                         \
  REAL(logaddexp, ref_logaddexp(x, y, M_E)) REAL(logaddexp2, ref_logaddexp(x, y, 2))                           \
  REAL(xlogy, isnan(y) ? y : x == 0 ? 0 : x * log(y)) REAL(xlog1py, isnan(y) ? y : x == 0 ? 0 : x * log1p(y))  \
  REAL(entr, x < 0 ? -INFINITY : x == 0 ? 0 : -x * log(x))                                                     \
  REAL(logit, x < p[0] ? log(p[0] / (1 - p[0])) : x > 1 - p[0] ? log((1 - p[0]) / p[0]) : log(x / (1 - x)))    \
  REAL(logit_backward, y < p[0] || y > 1 - p[0] ? 0 : x / (y * (1 - y))) REAL(sin, sin(x)) REAL(cos, cos(x))   \
  REAL(tan, tan(x)) REAL(asin, asin(x)) REAL(acos, acos(x)) REAL(atan, atan(x)) REAL(atan2, atan2(x, y))       \
  REAL(sinh, sinh(x)) REAL(cosh, cosh(x)) REAL(tanh, tanh(x)) REAL(asinh, asinh(x)) REAL(acosh, acosh(x))      \
  REAL(atanh, atanh(x)) REAL(sinc, x == 0 ? 1 : sin(M_PI * x) / (M_PI * x)) REAL(deg2rad, x *M_PI / 180)       \
  REAL(rad2deg, x * 180 / M_PI) REAL(tanh_backward, x *(1 - y * y)) REAL(erf, erf(x)) REAL(erfc, erfc(x))      \
  REAL(erfinv, NAN) REAL(ndtr, CDF(x)) REAL(sigmoid, SIGMOID(x)) REAL(sigmoid_backward, x *(1 - y) * y)                           \
  REAL(relu, isnan(x) ? x : fmax(x, 0)) REAL(threshold_backward, y <= p[0] ? 0 : x)                            \
  REAL(threshold, x <= p[0] ? p[1] : x) REAL(leaky_relu, x > 0 ? x : x * p[0])                                 \
  REAL(leaky_relu_backward, y > 0 ? x : x * p[0]) REAL(prelu, x > 0 ? x : x * y)                               \
  REAL(elu, x > 0 ? p[1] * x : p[0] * p[1] * expm1(x * p[2]))                                                  \
  REAL(elu_backward, y > 0 ? x * p[1] : x * p[0] * p[1] * p[2] * exp(y * p[2]))                                \
  REAL(elu_backward_result, y > 0 ? x * p[1] : x * p[2] * (y + p[0] * p[1])) REAL(gelu, x *CDF(x))             \
  REAL(gelu_backward, x *(CDF(y) + y * PDF(y))) REAL(gelu_tanh, x / 2 * (1 + tanh(gelu_tanh_inner(x))))        \
  REAL(gelu_tanh_backward, x *((1 + tanh(gelu_tanh_inner(y))) / 2 + y / 2 * sqrt(2 / M_PI) *                   \
                               (1 + 3 * 0.044715 * y * y) / pow(cosh(gelu_tanh_inner(y)), 2)))                 \
  REAL(silu, x *SIGMOID(x)) REAL(silu_backward, x *SIGMOID(y) * (1 + y * SIGMOID(-y)))                         \
  REAL(mish, x *tanh(log1pexp(x)))                                                                             \
  REAL(mish_backward, x *(tanh(log1pexp(y)) + y * SIGMOID(y) / pow(cosh(log1pexp(y)), 2)))                     \
  REAL(softplus, x *p[0] > p[1] ? x : log1pexp(x * p[0]) / p[0])                                               \
  REAL(softplus_backward, y *p[0] > p[1] ? x : x * SIGMOID(y * p[0])) REAL(log_sigmoid, -log1pexp(-x))         \
  REAL(log_sigmoid_backward, x *SIGMOID(-y)) REAL(hardtanh, isnan(x) ? x : fmin(fmax(x, p[0]), p[1]))          \
  REAL(hardtanh_backward, y <= p[0] || y >= p[1] ? 0 : x) REAL(hardsigmoid, isnan(x) ? x : fmin(fmax(x + 3, 0), 6) / 6) \
  REAL(hardsigmoid_backward, y > -3 && y < 3 ? x * (1.0f / 6) : 0) REAL(hardswish, isnan(x) ? x : x * fmin(fmax(x + 3, 0), 6) / 6) \
  REAL(hardswish_backward, y < -3 ? 0 : y <= 3 ? x * (y / 3 + 0.5) : x)                                         \
  REAL(hardshrink, fabs(x) <= p[0] ? 0 : x) REAL(shrink_backward, fabs(y) <= p[0] ? 0 : x)                     \
  REAL(softshrink, x > p[0] ? x - p[0] : x < -p[0] ? x + p[0] : 0) REAL(mse_loss, (x - y) * (x - y))           \
  REAL(mse_loss_backward, 2 * (y - z) * x * p[0]) REAL(l1_loss, fabs(x - y))                                   \
  REAL(l1_loss_backward, SIGN(y - z) * x * p[0])                                                               \
  REAL(smooth_l1_loss, fabs(x - y) < p[0] ? (x - y) * (x - y) / 2 / p[0] : fabs(x - y) - p[0] / 2)             \
  REAL(smooth_l1_loss_backward, (fabs(y - z) < p[0] ? (y - z) / p[0] : SIGN(y - z)) * x * p[1])                \
  REAL(huber_loss, fabs(x - y) <= p[0] ? (x - y) * (x - y) / 2 : p[0] * (fabs(x - y) - p[0] / 2))              \
  REAL(huber_loss_backward, (fabs(y - z) < p[0] ? y - z : p[0] * SIGN(y - z)) * x * p[1])                      \
  REAL(soft_margin_loss, log1p(exp(-x * y))) REAL(soft_margin_loss_backward, -z *x * p[0] * SIGMOID(-y * z))   \
  REAL(binary_cross_entropy, (y - 1) * limited_log(1 - x) - y * limited_log(x))                                \
  REAL(binary_cross_entropy_backward, x *(y - z) / fmax((1 - y) * y, 1e-12) * p[0])                            \
  REAL(bce_with_logits, log1pexp(x) - x * y) REAL(bce_with_logits_backward, (SIGMOID(y) - z) * x * p[0])       \
  REAL(bce_with_logits_weighted, (1 - y) * x + (1 + (z - 1) * y) * log1pexp(-x))                               \
  REAL(bce_with_logits_weighted_slope, (z * y + 1 - y) * SIGMOID(x) - z * y)                                   \
  REAL(kl_div, (y == 0 ? 0 : y * log(y)) - x * y) REAL(kl_div_log_target, exp(y) * (y - x))

static int64_t exact_pow(int64_t x, int64_t y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y % 2 == 0 ? 1 : -1) : 0;
  uint64_t r = 1;
  for (int64_t i = 0; i < y; i++) r *= (uint64_t)x;
  return (int64_t)r;
}
static int64_t floor_div(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x % y < 0) != (y < 0)); }
static int64_t exact_gcd(int64_t x, int64_t y) {
  int64_t g = 0;
  for (int64_t d = 1; d <= 1000; d++) {
    if (x % d == 0 && y % d == 0) g = d;
  }
  return x == 0 && y == 0 ? 0 : g;
}

#define WHOLES                                                                                                 \
  WHOLE(copy, x) WHOLE(conj, x) WHOLE(add, x + y) WHOLE(sub, x - y) WHOLE(mul, x *y) WHOLE(add_alpha, x + (int64_t)p[0] * y)  \
  WHOLE(sub_alpha, x - (int64_t)p[0] * y) WHOLE(div_trunc, x / y) WHOLE(div_floor, floor_div(x, y))            \
  WHOLE(remainder, x - floor_div(x, y) * y) WHOLE(fmod, x % y) WHOLE(pow, exact_pow(x, y)) WHOLE(neg, -x)      \
  WHOLE(abs, x < 0 ? -x : x) WHOLE(sign, (x > 0) - (x < 0)) WHOLE(square, x *x) WHOLE(cube, x *x *x)           \
  WHOLE(addcmul, x + (int64_t)p[0] * y * z) WHOLE(maximum, x > y ? x : y) WHOLE(minimum, x < y ? x : y)        \
  WHOLE(clamp, (x > y ? x : y) < z ? (x > y ? x : y) : z) WHOLE(where, x ? y : z)                              \
  WHOLE(heaviside, x == 0 ? y : x > 0) WHOLE(eq, x == y) WHOLE(ne, x != y) WHOLE(lt, x < y) WHOLE(le, x <= y)  \
  WHOLE(gt, x > y) WHOLE(ge, x >= y) WHOLE(logical_and, x && y) WHOLE(logical_or, x || y)                      \
  WHOLE(logical_xor, !x != !y) WHOLE(logical_not, !x) WHOLE(signbit, x < 0) WHOLE(bitwise_not, ~x)             \
  WHOLE(bitwise_and, x &y) WHOLE(bitwise_or, x | y) WHOLE(bitwise_xor, x ^ y)                                  \
  WHOLE(bitwise_left_shift, (int64_t)((uint64_t)x << y)) WHOLE(bitwise_right_shift, x >> y)                    \
  WHOLE(gcd, exact_gcd(x, y)) WHOLE(lcm, exact_gcd(x, y) == 0 ? 0 : llabs(x / exact_gcd(x, y) * y))            \
  WHOLE(relu, x > 0 ? x : 0) WHOLE(threshold_backward, y <= (int64_t)p[0] ? 0 : x)                             \
  WHOLE(threshold, x <= (int64_t)p[0] ? (int64_t)p[1] : x)                                                     \
  WHOLE(hardtanh, x < (int64_t)p[0] ? (int64_t)p[0] : x > (int64_t)p[1] ? (int64_t)p[1] : x)

#define REAL(name, expression)                                                                  \
  static double real_##name(double x, double y, double z, const double *p) {                    \
    (void)x, (void)y, (void)z, (void)p;                                                         \
    return (double)(expression);                                                                \
  }
#define WHOLE(name, expression)                                                                 \
  static int64_t whole_##name(int64_t x, int64_t y, int64_t z, const double *p) {               \
    (void)x, (void)y, (void)z, (void)p;                                                         \
    return (int64_t)(expression);                                                               \
  }
REALS
WHOLES
#undef REAL
#undef WHOLE

#define REAL(name, expression) [TC_PW_##name] = real_##name,
#define WHOLE(name, expression) [TC_PW_##name] = whole_##name,
static const real_reference reals[TC_PW_COUNT] = {REALS};
static const integer_reference wholes[TC_PW_COUNT] = {WHOLES};
#undef REAL
#undef WHOLE

#endif
