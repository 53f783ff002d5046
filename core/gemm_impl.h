// Packing, epilogue and the loop over tiles, for one element type. The file that includes this defines
//   R, V, T: element type, its vector, the suffix of names;  SET: the splat;
//   COLS: columns of a tile;  LANES: elements of a vector;
//   TILE(k, rows, row_step, cols, col_step, raw): the tile kernel;
//   UNRAVEL(raw, row): the row of a tile as COLS / LANES vectors.
#include <string.h>

#include "gemm.h"
#include "include/tc.h"
#include "simd.h"
#include "vmath.h"
#include "vtools.h"

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(a) PASTE(a, T)
#define ROWS TC_GEMM_ROWS

// One panel of `width` lanes of which `lanes` exist.
TC_INLINE void pack_panel(R *restrict to, const R *restrict from, ptrdiff_t lane_stride, ptrdiff_t k_stride,
                          ptrdiff_t lanes, ptrdiff_t k, const ptrdiff_t width) {
  if (lane_stride == 1 && lanes == width) {
    for (ptrdiff_t p = 0; p < k; p++, to += width, from += k_stride) {
      for (ptrdiff_t l = 0; l < width; l += LANES) v_store(to + l, v_load(from + l));
    }
    return;
  }
  ptrdiff_t p = 0;
  if (k_stride == 1) {
    for (; p + LANES <= k; p += LANES, to += LANES * width) {
      for (ptrdiff_t l = 0; l < width; l += LANES) {
        V v[LANES];
        for (int i = 0; i < LANES; i++) {
          v[i] = l + i < lanes ? v_load(from + (l + i) * lane_stride + p) : SET(0);
        }
        v_transpose(v);
        for (int i = 0; i < LANES; i++) v_store(to + i * width + l, v[i]);
      }
    }
  }
  for (; p < k; p++, to += width) {
    for (ptrdiff_t l = 0; l < width; l++) to[l] = l < lanes ? from[l * lane_stride + p * k_stride] : 0;
  }
}

TC_INLINE void pack(R *to, ptrdiff_t panel, const R *from, ptrdiff_t lane_stride, ptrdiff_t k_stride, ptrdiff_t lanes,
                    ptrdiff_t k, const ptrdiff_t width) {
  for (; lanes > 0; lanes -= width, from += width * lane_stride, to += panel) {
    pack_panel(to, from, lane_stride, k_stride, lanes < width ? lanes : width, k, width);
  }
}

void NAME(tc_gemm_pack_rows)(R *to, ptrdiff_t panel, const R *from, ptrdiff_t lane_stride, ptrdiff_t k_stride,
                             ptrdiff_t lanes, ptrdiff_t k) {
  pack(to, panel, from, lane_stride, k_stride, lanes, k, ROWS);
}

void NAME(tc_gemm_pack_cols)(R *to, ptrdiff_t panel, const R *from, ptrdiff_t lane_stride, ptrdiff_t k_stride,
                             ptrdiff_t lanes, ptrdiff_t k) {
  pack(to, panel, from, lane_stride, k_stride, lanes, k, COLS);
}

static R activate(R v, int act) {
  switch (act) {
    case TC_ACT_RELU: return v < 0 ? 0 : v;
    case TC_ACT_SIGMOID: return v_sigmoid(SET(v))[0];
    case TC_ACT_TANH: return v_tanh(SET(v))[0];
    default: return v;
  }
}

TC_INLINE V activate_vector(V v, int act) {
  switch (act) {
    case TC_ACT_RELU: return v_select(v < SET(0), SET(0), v);
    case TC_ACT_SIGMOID: return v_sigmoid(v);
    case TC_ACT_TANH: return v_tanh(v);
    default: return v;
  }
}

void NAME(tc_gemm_store)(const NAME(tc_gemm_out) *out, ptrdiff_t i, ptrdiff_t j, const R *sums, ptrdiff_t count) {
  R *c = out->c + i * out->rs + j * out->cs;
  const R *bias = out->bias ? out->bias + i * out->bias_rs + j * out->bias_cs : NULL;
  ptrdiff_t l = 0;
  if (out->cs == 1) {
    for (; l + LANES <= count; l += LANES) {
      V v = v_load(sums + l) * SET(out->alpha);
      if (out->beta != 0) v += SET(out->beta) * v_load(c + l);
      if (bias) {
        if (out->bias_cs == 1) {
          v += v_load(bias + l);
        } else if (out->bias_cs == 0) {
          v += SET(*bias);
        } else {
          for (int e = 0; e < LANES; e++) v[e] += bias[(l + e) * out->bias_cs];
        }
      }
      v_store(c + l, activate_vector(v, out->act));
    }
  }
  for (; l < count; l++) {
    R v = sums[l] * out->alpha;
    if (out->beta != 0) v += out->beta * c[l * out->cs];
    if (bias) v += bias[l * out->bias_cs];
    c[l * out->cs] = activate(v, out->act);
  }
}

// What is left to do with the sums of a whole tile, where that is something simple.
typedef struct {
  bool simple, add, column_bias, row_bias, relu;
} finish;

TC_INLINE void store_tile(const NAME(tc_gemm_out) *out, finish f, ptrdiff_t i, ptrdiff_t j, ptrdiff_t rows,
                          ptrdiff_t cols, const V *raw) {
  V unraveled[ROWS][COLS / LANES];
  UNRAVEL(raw, unraveled);
  if (!f.simple || rows < ROWS || cols < COLS) {
    R sums[ROWS][COLS];
    memcpy(sums, unraveled, sizeof sums);
    for (ptrdiff_t r = 0; r < rows; r++) NAME(tc_gemm_store)(out, i + r, j, sums[r], cols);
    return;
  }
  R *c = out->c + i * out->rs + j;
  for (int r = 0; r < ROWS; r++, c += out->rs) {
    for (int h = 0; h < COLS / LANES; h++) {
      V v = unraveled[r][h];
      if (f.add) v += v_load(c + h * LANES);
      if (f.column_bias) v += v_load(out->bias + (i + r) * out->bias_rs + j + h * LANES);
      if (f.row_bias) v += SET(out->bias[(i + r) * out->bias_rs]);
      if (f.relu) v = v_select(v < SET(0), SET(0), v);
      v_store(c + h * LANES, v);
    }
  }
}

void NAME(tc_gemm_block)(const NAME(tc_panels) *a, const NAME(tc_panels) *b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                         const NAME(tc_gemm_out) *out) {
  const bool bias = out->bias != NULL;
  const finish f = {
      .simple = out->cs == 1 && out->alpha == 1 && (out->beta == 0 || out->beta == 1) &&
                (!bias || out->bias_cs == 0 || out->bias_cs == 1) && (out->act == TC_ACT_NONE || out->act == TC_ACT_RELU),
      .add = out->beta == 1,
      .column_bias = bias && out->bias_cs == 1,
      .row_bias = bias && out->bias_cs == 0,
      .relu = out->act == TC_ACT_RELU,
  };
  V raw[ROWS * COLS / LANES];
  for (ptrdiff_t j = 0; j < n; j += COLS) {
    const ptrdiff_t cols = n - j < COLS ? n - j : COLS;
    const bool b_tail = b->tail && cols < COLS;
    const R *b_data = b_tail ? b->tail : b->data + j / COLS * b->panel;
    const ptrdiff_t b_step = b_tail ? COLS : b->step;
    for (ptrdiff_t i = 0; i < m; i += ROWS) {
      const ptrdiff_t rows = m - i < ROWS ? m - i : ROWS;
      const bool a_tail = a->tail && rows < ROWS;
      const R *a_data = a_tail ? a->tail : a->data + i / ROWS * a->panel;
      TILE(k, a_data, a_tail ? ROWS : a->step, b_data, b_step, raw);
      store_tile(out, f, i, j, rows, cols, raw);
    }
  }
}
