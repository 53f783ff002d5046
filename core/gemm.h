// Blocked matrix products on panels: what matmul and convolution are built from.
//
// A tile of C is TC_GEMM_ROWS rows by TC_GEMM_COLS_<type> columns. Its operands are panels: for each k, the tile's rows
// of A or columns of B lie next to each other (so the row panel of a row-major A has to be packed, the column panel of a
// row-major B may be used where it is).
//
// The tile kernel multiplies a vector of columns lane by lane with a vector of rows, rotates the rows by one lane and
// repeats, so that after as many rotations as there are lanes every row has met every column. Compared with splatting
// rows this takes three shuffles and one load where it would take four splat loads, and few memory operations are what
// counts where an engine checks the bounds of each (TC_OPTION_CHECKED_MEMORY). The results lie on diagonals; the
// epilogue blends them back into rows without moving a lane.
#ifndef TC_GEMM_H
#define TC_GEMM_H

#include <stddef.h>
#include <stdint.h>

#define TC_GEMM_ROWS 4
#define TC_GEMM_COLS_f32 8
#define TC_GEMM_COLS_f64 4

// Depth of a block, so that a row panel and a column panel stay in the first-level cache together.
#define TC_GEMM_DEPTH 512

#define TC_GEMM_DECLARE(R, T)                                                                                     \
  /* The panels of one operand. Element (lane l of panel p, k) is data[p * panel + k * step + l]. The last panel, */ \
  /* if it is not full, is read from `tail` instead (packed, and padded with zeros), where one is given.           */ \
  typedef struct {                                                                                                \
    const R *data;                                                                                                \
    ptrdiff_t panel, step;                                                                                        \
    const R *tail;                                                                                                \
  } tc_panels_##T;                                                                                                \
                                                                                                                  \
  /* Where products go: C = act(alpha * product + beta * C + bias); C is not read if beta is 0. */                \
  typedef struct {                                                                                                \
    R *c;                                                                                                         \
    ptrdiff_t rs, cs;                                                                                             \
    R alpha, beta;                                                                                                \
    const R *bias; /* or NULL */                                                                                  \
    ptrdiff_t bias_rs, bias_cs;                                                                                   \
    int act; /* tc_activation */                                                                                  \
  } tc_gemm_out_##T;                                                                                              \
                                                                                                                  \
  /* Packs `lanes` rows of A into panels of TC_GEMM_ROWS (columns of B into panels of TC_GEMM_COLS), k deep and    */ \
  /* `panel` elements apart; the last panel is padded with zeros.                                                 */ \
  void tc_gemm_pack_rows_##T(R *to, ptrdiff_t panel, const R *from, ptrdiff_t lane_stride, ptrdiff_t k_stride,    \
                             ptrdiff_t lanes, ptrdiff_t k);                                                       \
  void tc_gemm_pack_cols_##T(R *to, ptrdiff_t panel, const R *from, ptrdiff_t lane_stride, ptrdiff_t k_stride,    \
                             ptrdiff_t lanes, ptrdiff_t k);                                                       \
                                                                                                                  \
  /* A block of C on the calling thread. */                                                                       \
  void tc_gemm_block_##T(const tc_panels_##T *a, const tc_panels_##T *b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,   \
                         const tc_gemm_out_##T *out);                                                             \
                                                                                                                  \
  /* Writes `count` finished sums to C[i, j ...] by way of the epilogue. */                                       \
  void tc_gemm_store_##T(const tc_gemm_out_##T *out, ptrdiff_t i, ptrdiff_t j, const R *sums, ptrdiff_t count);

TC_GEMM_DECLARE(float, f32)
TC_GEMM_DECLARE(double, f64)

#endif
