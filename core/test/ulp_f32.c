// Measures the float32 words of vmath.h over all arguments: the largest error in units in the last place of the
// correctly rounded result (subnormal results in units of 2^-149), and where it is. The reference is the C library's
// float64 function, whose own error is 2^-29 of that.
//
//   clang-19 -O2 -pthread [-mfma] -msse4.1 core/test/ulp_f32.c -lm -o ulp && ./ulp [stride [name ...]]
//
// stride 1 (the default) visits all 2^32 arguments of each function, about 20 s each on two cores; functions of two
// arguments are sampled. With -mfma the words fuse as relaxed SIMD does on machines with FMA, without it as plain SIMD.
// docs/accuracy.md holds the results. Exits with 1 if an error is above 2 ulp.
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../vmath.h"

#define THREADS 2

static double ref_sigmoid(double x) { return 1 / (1 + exp(-x)); }

// One Newton step on the word's own float64 value has more than enough digits; near 1 erfc has the digits that erf lacks.
static double ref_erfinv(double y) {
  double size = fabs(y);
  if (!(size < 1)) return size == 1 ? copysign(INFINITY, y) : NAN;
  double x = fabs(v_wide_erfinv(v_set_f64(y))[0]);
  double error = size < 0.5 ? erf(x) - size : (1 - size) - erfc(x);
  x -= error / (1.12837916709551257390 * exp(-x * x));
  return copysign(x, y);
}

#define ONE(name) static vf32 word_##name(vf32 x) { return v_##name(x); }
ONE(exp) ONE(exp2) ONE(expm1) ONE(log) ONE(log2) ONE(log10) ONE(log1p) ONE(cbrt) ONE(sin) ONE(cos) ONE(tan)
ONE(asin) ONE(acos) ONE(atan) ONE(sinh) ONE(cosh) ONE(tanh) ONE(asinh) ONE(acosh) ONE(atanh) ONE(erf) ONE(erfc)
ONE(erfinv) ONE(sigmoid)
static vf32 word_sqrt(vf32 x) { return v_sqrt(x); }
static vf32 word_rsqrt(vf32 x) { return v_set_f32(1) / v_sqrt(x); }
static double ref_rsqrt(double x) { return 1 / sqrt(x); }
#define TWO(name) static vf32 word_##name(vf32 x, vf32 y) { return v_##name(x, y); }
TWO(pow) TWO(atan2) TWO(hypot) TWO(fmod)

typedef struct {
  const char *name;
  vf32 (*one)(vf32);
  double (*ref_one)(double);
  vf32 (*two)(vf32, vf32);
  double (*ref_two)(double, double);
} function;

static const function functions[] = {
    {"exp", word_exp, exp, 0, 0}, {"exp2", word_exp2, exp2, 0, 0}, {"expm1", word_expm1, expm1, 0, 0},
    {"log", word_log, log, 0, 0}, {"log2", word_log2, log2, 0, 0}, {"log10", word_log10, log10, 0, 0},
    {"log1p", word_log1p, log1p, 0, 0}, {"sqrt", word_sqrt, sqrt, 0, 0}, {"rsqrt", word_rsqrt, ref_rsqrt, 0, 0},
    {"cbrt", word_cbrt, cbrt, 0, 0}, {"sin", word_sin, sin, 0, 0}, {"cos", word_cos, cos, 0, 0},
    {"tan", word_tan, tan, 0, 0}, {"asin", word_asin, asin, 0, 0}, {"acos", word_acos, acos, 0, 0},
    {"atan", word_atan, atan, 0, 0}, {"sinh", word_sinh, sinh, 0, 0}, {"cosh", word_cosh, cosh, 0, 0},
    {"tanh", word_tanh, tanh, 0, 0}, {"asinh", word_asinh, asinh, 0, 0}, {"acosh", word_acosh, acosh, 0, 0},
    {"atanh", word_atanh, atanh, 0, 0}, {"erf", word_erf, erf, 0, 0}, {"erfc", word_erfc, erfc, 0, 0},
    {"erfinv", word_erfinv, ref_erfinv, 0, 0}, {"sigmoid", word_sigmoid, ref_sigmoid, 0, 0},
    {"pow", 0, 0, word_pow, pow}, {"atan2", 0, 0, word_atan2, atan2}, {"hypot", 0, 0, word_hypot, hypot},
    {"fmod", 0, 0, word_fmod, fmod},
};

// 1e9 for a wrong special value, a wrong sign included.
static double ulps(float got, double want) {
  float rounded = (float)want;
  if (isnan(rounded)) return isnan(got) ? 0 : 1e9;
  if (isinf(rounded) || isinf(got)) return got == rounded ? 0 : (fabs(want) > 3.4e38 && fabsf(got) > 3.4e38f) ? 1 : 1e9;
  if (signbit(got) != signbit(rounded)) return 1e9;
  int exponent;
  frexp(want, &exponent);
  double unit = ldexp(1, exponent - 24 < -149 || want == 0 ? -149 : exponent - 24);
  return fabs(got - want) / unit;
}

typedef struct {
  const function *f;
  uint64_t begin, end, stride;
  double worst;
  float at, at2;
} task;

static uint64_t mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

static void *measure(void *arg) {
  task *t = arg;
  for (uint64_t u = t->begin; u < t->end; u += 4 * t->stride) {
    float x[4], y[4], got[4];
    for (int l = 0; l < 4; l++) {
      uint64_t at = u + (uint64_t)l * t->stride, random = mix(at);
      uint32_t bits = (uint32_t)at, second = (uint32_t)(random >> 32);
      if (t->f->two != 0) {
        bits = (uint32_t)random;
        // Half the pairs from the range where results are ordinary numbers.
        if (at & 1) {
          bits = (bits & 0x80ffffff) + 0x3f000000 - ((bits >> 4) & 0x02000000);
          second = (second & 0x83ffffff) + 0x3e000000;
        }
      }
      memcpy(&x[l], &bits, 4);
      memcpy(&y[l], &second, 4);
    }
    vf32 r = t->f->one != 0 ? t->f->one(v_load(x)) : t->f->two(v_load(x), v_load(y));
    v_store(got, r);
    for (int l = 0; l < 4; l++) {
      double want = t->f->one != 0 ? t->f->ref_one(x[l]) : t->f->ref_two(x[l], y[l]);
      double error = ulps(got[l], want);
      if (error > t->worst) t->worst = error, t->at = x[l], t->at2 = y[l];
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  uint64_t stride = argc > 1 ? strtoull(argv[1], 0, 10) : 1;
  int bad = 0;
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    const function *f = &functions[i];
    int wanted = argc <= 2;
    for (int k = 2; k < argc; k++) wanted |= strcmp(argv[k], f->name) == 0;
    if (!wanted) continue;
    task tasks[THREADS];
    pthread_t ids[THREADS];
    for (int k = 0; k < THREADS; k++) {
      uint64_t share = (1ull << 32) / THREADS;
      tasks[k] = (task){f, (uint64_t)k * share, (uint64_t)(k + 1) * share, stride, 0, 0, 0};
      pthread_create(&ids[k], 0, measure, &tasks[k]);
    }
    task worst = {.worst = -1};
    for (int k = 0; k < THREADS; k++) {
      pthread_join(ids[k], 0);
      if (tasks[k].worst > worst.worst) worst = tasks[k];
    }
    printf("%-8s %8.4f  at %.9g", f->name, worst.worst, (double)worst.at);
    if (f->two != 0) printf(", %.9g", (double)worst.at2);
    printf("\n");
    fflush(stdout);
    bad |= worst.worst > 2;
  }
  return bad;
}
