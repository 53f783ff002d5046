// gemm.h for float64.
#include <stdbool.h>

#include "gemm_tile.h"

#define R double
#define V vf64
#define T f64
#define SET v_set_f64
#define COLS TC_GEMM_COLS_f64
#define LANES 2

// raw[4 * h + 2 * g + r] holds row 2 * g + (i + r) % 2 in lane i.
TC_INLINE void unravel(const vf64 *raw, vf64 rows[4][2]) {
  for (int h = 0; h < 2; h++, raw += 4) {
    for (int g = 0; g < 2; g++) {
      rows[2 * g][h] = __builtin_shufflevector(raw[2 * g], raw[2 * g + 1], 0, 3);
      rows[2 * g + 1][h] = __builtin_shufflevector(raw[2 * g + 1], raw[2 * g], 0, 3);
    }
  }
}
#define UNRAVEL unravel

TC_INLINE void tile(ptrdiff_t k, const double *rows, ptrdiff_t row_step, const double *cols, ptrdiff_t col_step,
                    vf64 *raw) {
  if (k == 0) {
    memset(raw, 0, 8 * sizeof *raw);
  } else {
    tc_gemm_tile_f64(k, rows, row_step * 8, cols, col_step * 8, raw);
  }
}
#define TILE tile

#include "gemm_impl.h"
