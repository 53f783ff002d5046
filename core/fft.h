// Between fft.c, which plans transforms and takes calls, and the transforms of fft_<dtype>.c.
#ifndef TC_FFT_H
#define TC_FFT_H

#include "include/tc.h"

#define FFT_MAX_FACTORS 40
#define FFT_MAX_RADIX 61  // larger prime factors: Bluestein's algorithm
#define FFT_SPLIT 64      // shorter lengths are not split into two

// A plan. Places are bytes from the plan's own start; 0: not there. Tables hold numbers of the parts' dtype.
typedef struct {
  int64_t n;
  // Mixed radix: for each factor r, with m what is left of n after it, the roots w^(p k) for p < m, 0 < k < r; then
  // cos and sin of 2 pi j / r for j < r, where r is odd.
  int64_t factors;
  int64_t factor[FFT_MAX_FACTORS], twiddle[FFT_MAX_FACTORS], odd[FFT_MAX_FACTORS];
  // Bluestein: convolution length, its plan, exp(-i pi j j / n), and the transform of its conjugate over m.
  int64_t m, convolution, chirp, spectrum;
  // n = n1 n2: plans of both, and w^(k1 j2), (n1, n2).
  int64_t n1, n2, first, second, cross;
  // Real transforms: the complex plan (of n / 2 if n is even), and w^k for k <= n / 4 if n is even.
  int64_t whole, untangle;
} fft_plan;

static inline const fft_plan *fft_inner(const fft_plan *p, int64_t at) {
  return (const fft_plan *)((const char *)p + at);
}

// Runs a transform; `scratch` as large as *_scratch says.
int32_t fft_run_f32(const tc_fft_args *a);
int32_t fft_run_f64(const tc_fft_args *a);
int64_t fft_scratch_f32(const tc_fft_args *a);
int64_t fft_scratch_f64(const tc_fft_args *a);

// One transform of n contiguous complex numbers from x to y, for plans of Bluestein's algorithm.
void fft_row_f32(const fft_plan *p, const float *x, float *y, void *scratch);
void fft_row_f64(const fft_plan *p, const double *x, double *y, void *scratch);
int64_t fft_row_scratch_f32(const fft_plan *p);
int64_t fft_row_scratch_f64(const fft_plan *p);

#endif
