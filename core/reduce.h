// Between reduce.c, which walks the kept and reduced dimensions, and the kernels of reduce_<dtype>.c.
#ifndef TC_REDUCE_KERNELS_H
#define TC_REDUCE_KERNELS_H

#include <stdint.h>

// What the operators of tc_reduce.h come down to.
enum {
  TC_FOLD_SUM, TC_FOLD_NANSUM, TC_FOLD_SUMSQ, TC_FOLD_SUMABS, TC_FOLD_SUMPOW, TC_FOLD_COUNT, TC_FOLD_PROD,
  TC_FOLD_MAX, TC_FOLD_MIN, TC_FOLD_AMAX, TC_FOLD_AMIN, TC_FOLD_MAXABS, TC_FOLD_MINABS, TC_FOLD_ANY, TC_FOLD_ALL,
  TC_FOLD_VAR, TC_FOLD_LOGSUMEXP,
  TC_FOLD_COUNT_OF,
};

typedef union { double f; int64_t i; } tc_value;

// One result in the making. float32 accumulates in float64 (in blocks, see there), integers in int64.
typedef struct {
  tc_value v;  // the sum, product, extreme, truth; VAR: the mean; LOGSUMEXP: the largest
  double w;                          // float64 sums: what rounding lost; VAR: sum of squared differences from the
                                     // mean; LOGSUMEXP: sum of exp(x - v)
  int64_t at;                        // MAX, MIN: where, counted over the reduced space
} tc_partial;

typedef struct {
  // s <- s and x[0 .. n). `at` is the place of x[0] in the reduced space, `seen` how many elements s already holds.
  void (*line)(tc_partial *s, const void *x, int64_t n, int64_t at, int64_t seen, double p);
  // s[c] <- s[c] and x[r * stride + c] for all rows r; columns is a multiple of the vector's lanes. 0: there is no
  // such kernel, make lines of the columns.
  void (*rows)(tc_partial *s, const void *x, int64_t stride, int64_t rows, int64_t columns, int64_t at,
               int64_t seen);
  void (*start)(tc_partial *s);
  // s <- s and t, where t's elements come after those of s.
  void (*merge)(tc_partial *s, int64_t s_count, const tc_partial *t, int64_t t_count);
} tc_fold;

extern const tc_fold tc_folds_f32[TC_FOLD_COUNT_OF];
extern const tc_fold tc_folds_f64[TC_FOLD_COUNT_OF];
extern const tc_fold tc_folds_i64[TC_FOLD_COUNT_OF];
extern const tc_fold tc_folds_u8[TC_FOLD_COUNT_OF];  // bytes of any and all, and counts of them

#endif
