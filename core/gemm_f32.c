// gemm.h for float32.
#include <stdbool.h>

#include "gemm_tile.h"
#include "rt.h"

#define R float
#define V vf32
#define T f32
#define SET v_set_f32
#define COLS TC_GEMM_COLS_f32
#define LANES 4

// raw[4 * h + r] holds row (i + r) % 4 in lane i, so row j takes lane i from raw[4 * h + (j - i) % 4].
TC_INLINE void unravel(const vf32 *raw, vf32 rows[4][2]) {
  for (int h = 0; h < 2; h++, raw += 4) {
    const vf32 low02 = __builtin_shufflevector(raw[0], raw[2], 0, 1, 6, 7);
    const vf32 low20 = __builtin_shufflevector(raw[2], raw[0], 0, 1, 6, 7);
    const vf32 low13 = __builtin_shufflevector(raw[1], raw[3], 0, 1, 6, 7);
    const vf32 low31 = __builtin_shufflevector(raw[3], raw[1], 0, 1, 6, 7);
    rows[0][h] = __builtin_shufflevector(low02, low31, 0, 5, 2, 7);
    rows[1][h] = __builtin_shufflevector(low13, low02, 0, 5, 2, 7);
    rows[2][h] = __builtin_shufflevector(low20, low13, 0, 5, 2, 7);
    rows[3][h] = __builtin_shufflevector(low31, low20, 0, 5, 2, 7);
  }
}
#define UNRAVEL unravel

#if defined(__wasm_relaxed_simd__)
// gemm_tile_checked.c; steps in bytes.
void tc_gemm_tile_f32_checked(ptrdiff_t k, const float *rows, ptrdiff_t row_step, const float *cols,
                              ptrdiff_t col_step, vf32 *raw);
#endif

TC_INLINE void tile(ptrdiff_t k, const float *rows, ptrdiff_t row_step, const float *cols, ptrdiff_t col_step,
                    vf32 *raw) {
  if (k == 0) {
    memset(raw, 0, 8 * sizeof *raw);
#if defined(__wasm_relaxed_simd__)
  } else if (tc_options[TC_OPTION_CHECKED_MEMORY]) {
    tc_gemm_tile_f32_checked(k, rows, row_step * 4, cols, col_step * 4, raw);
#endif
  } else {
    tc_gemm_tile_f32(k, rows, row_step * 4, cols, col_step * 4, raw);
  }
}
#define TILE tile

#include "gemm_impl.h"
