// The tile kernels of gemm.h: sums over k of a column panel times a row panel, left on the diagonals.
#ifndef TC_GEMM_TILE_H
#define TC_GEMM_TILE_H

#include <stddef.h>

#include "simd.h"
#include "vtools.h"

// raw[4 * h + r], lane i: the sum for column 4 * h + i and row (i + r) % 4.
// Each step of the unrolled loop ends in a branch that could leave it. That is not for its own sake: LLVM and V8 both
// move arithmetic as far down a basic block as they can, which would chain the steps' products of one accumulator and
// keep all their operands in registers at once. (k > 0; steps in bytes.)
__attribute__((noinline, unused)) static void tc_gemm_tile_f32(ptrdiff_t k, const float *rows, ptrdiff_t row_step,
                                                               const float *cols, ptrdiff_t col_step, vf32 *raw) {
  const float *end = cols;
  TC_ADVANCE(end, k * col_step);
  vf32 s0 = v_set_f32(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
#define ROTATED(x) __builtin_shufflevector(x, x, 1, 2, 3, 0)
#define STEP                                                    \
  {                                                             \
    const vf32 c1 = v_load(cols + 4);                           \
    vf32 r = v_load(rows);                                      \
    t0 = v_fma(c1, r, t0);                                      \
    const vf32 c0 = v_load(cols);                               \
    s0 = v_fma(c0, r, s0);                                      \
    r = ROTATED(r), t1 = v_fma(c1, r, t1), s1 = v_fma(c0, r, s1); \
    r = ROTATED(r), t2 = v_fma(c1, r, t2), s2 = v_fma(c0, r, s2); \
    r = ROTATED(r), t3 = v_fma(c1, r, t3), s3 = v_fma(c0, r, s3); \
    TC_ADVANCE(rows, row_step), TC_ADVANCE(cols, col_step);    \
  }                                                             \
  if (cols == end) break;
  for (;;) {
    STEP STEP STEP STEP
  }
#undef STEP
#undef ROTATED
  raw[0] = s0, raw[1] = s1, raw[2] = s2, raw[3] = s3;
  raw[4] = t0, raw[5] = t1, raw[6] = t2, raw[7] = t3;
}

// raw[4 * h + 2 * g + r], lane i: the sum for column 2 * h + i and row 2 * g + (i + r) % 2.
__attribute__((noinline, unused)) static void tc_gemm_tile_f64(ptrdiff_t k, const double *rows, ptrdiff_t row_step,
                                                               const double *cols, ptrdiff_t col_step, vf64 *raw) {
  const double *end = cols;
  TC_ADVANCE(end, k * col_step);
  vf64 s0 = v_set_f64(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
#define SWAPPED(x) __builtin_shufflevector(x, x, 1, 0)
#define STEP                                                  \
  {                                                           \
    const vf64 c0 = v_load(cols), c1 = v_load(cols + 2);      \
    vf64 r = v_load(rows);                                    \
    s0 = v_fma(c0, r, s0), t0 = v_fma(c1, r, t0);             \
    r = SWAPPED(r);                                           \
    s1 = v_fma(c0, r, s1), t1 = v_fma(c1, r, t1);             \
    r = v_load(rows + 2);                                     \
    s2 = v_fma(c0, r, s2), t2 = v_fma(c1, r, t2);             \
    r = SWAPPED(r);                                           \
    s3 = v_fma(c0, r, s3), t3 = v_fma(c1, r, t3);             \
    TC_ADVANCE(rows, row_step), TC_ADVANCE(cols, col_step);  \
  }                                                           \
  if (cols == end) break;
  for (;;) {
    STEP STEP STEP STEP
  }
#undef STEP
#undef SWAPPED
  raw[0] = s0, raw[1] = s1, raw[2] = s2, raw[3] = s3;
  raw[4] = t0, raw[5] = t1, raw[6] = t2, raw[7] = t3;
}

#endif
