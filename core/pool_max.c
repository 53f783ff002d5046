// Max pooling, plain and adaptive.
#include <math.h>

#include "convert.h"
#include "parallel.h"
#include "pool.h"
#include "simd.h"
#include "status.h"

typedef struct {
  const tc_pool_args *a;
  bool adaptive;
} job;

static tc_window window_of(const job *t, int d, ptrdiff_t i) {
  return t->adaptive ? tc_adaptive_window(t->a, d, i) : tc_clip_window(t->a, d, i);
}

static void store_index(const tc_pool_args *a, ptrdiff_t at, ptrdiff_t index) {
  if (!a->indices) return;
  if (a->index_dtype == TC_I32) {
    TC_PTR(int32_t, a->indices)[at] = (int32_t)index;
  } else {
    TC_PTR(int64_t, a->indices)[at] = (int64_t)index;
  }
}

// ---------------------------------------------------------------- one output at a time

#define SAME(x) (x)
#define NEVER_NAN(x) 0
#define IS_NAN(x) ((x) != (x))

// E: stored, C: compared.
#define MAX_OUTPUTS(E, C, LOAD, ISNAN, LOWEST)                                                                       \
  static void max_outputs_##E##_##C(const job *t, const E *x, E *y, ptrdiff_t plane, tc_window wd, tc_window wh,     \
                                    ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end) {                                 \
    const tc_pool_args *a = t->a;                                                                                    \
    const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];                             \
    const E *from = x + plane * tc_volume(a->in_size);                                                               \
    for (ptrdiff_t i = begin; i < end; i++) {                                                                        \
      const tc_window ww = window_of(t, 2, i);                                                                       \
      const bool any = wd.count > 0 && wh.count > 0 && ww.count > 0;                                                 \
      ptrdiff_t best_at = any ? (wd.start * height + wh.start) * width + ww.start : -1;                              \
      E best_stored = LOWEST;                                                                                        \
      C best = LOAD(best_stored);                                                                                    \
      for (ptrdiff_t d = 0; d < wd.count; d++) {                                                                     \
        for (ptrdiff_t h = 0; h < wh.count; h++) {                                                                   \
          const ptrdiff_t line = ((wd.start + d * wd.step) * height + wh.start + h * wh.step) * width + ww.start;    \
          for (ptrdiff_t w = 0; w < ww.count; w++) {                                                                 \
            const E stored = from[line + w * ww.step];                                                               \
            const C v = LOAD(stored);                                                                                \
            if (v > best || ISNAN(v)) best = v, best_stored = stored, best_at = line + w * ww.step;                  \
          }                                                                                                          \
        }                                                                                                            \
      }                                                                                                              \
      const ptrdiff_t at = (plane * (ptrdiff_t)(a->out_size[0] * a->out_size[1]) + row) * (ptrdiff_t)a->out_size[2] + i; \
      y[at] = best_stored;                                                                                           \
      store_index(a, at, best_at);                                                                                   \
    }                                                                                                                \
  }

// The element types as names, for pasting.
typedef float f32;
typedef double f64;
typedef uint16_t f16, bf16;
typedef uint8_t u8;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

MAX_OUTPUTS(f32, f32, SAME, IS_NAN, -INFINITY)
MAX_OUTPUTS(f64, f64, SAME, IS_NAN, -INFINITY)
MAX_OUTPUTS(f16, f32, tc_f32_of_f16, IS_NAN, 0xfc00)
MAX_OUTPUTS(bf16, f32, tc_f32_of_bf16, IS_NAN, 0xff80)
MAX_OUTPUTS(u8, u8, SAME, NEVER_NAN, 0)
MAX_OUTPUTS(i8, i8, SAME, NEVER_NAN, INT8_MIN)
MAX_OUTPUTS(i16, i16, SAME, NEVER_NAN, INT16_MIN)
MAX_OUTPUTS(i32, i32, SAME, NEVER_NAN, INT32_MIN)
MAX_OUTPUTS(i64, i64, SAME, NEVER_NAN, INT64_MIN)

// ---------------------------------------------------------------- float32, four outputs at a time

// Every `stride`-th of neighbouring elements, stride 1 or 2, reading no further than the last of them.
TC_INLINE vf32 load_every(const float *x, ptrdiff_t stride) {
  return stride == 1 ? v_load(x) : __builtin_shufflevector(v_load(x), v_load(x + 3), 0, 2, 5, 7);
}

static void store_indices(const tc_pool_args *a, ptrdiff_t at, vi32 index) {
  if (!a->indices) return;
  if (a->index_dtype == TC_I32) {
    v_store(TC_PTR(int32_t, a->indices) + at, index);
  } else {
    const vi32 sign = index >> 31;
    int64_t *to = TC_PTR(int64_t, a->indices) + at;
    v_store(to, (vi64)__builtin_shufflevector(index, sign, 0, 4, 1, 5));
    v_store(to + 2, (vi64)__builtin_shufflevector(index, sign, 2, 6, 3, 7));
  }
}

TC_INLINE void take_larger(vf32 *best, vi32 *best_at, vf32 v, vi32 at, bool indices) {
  if (indices) {
    const vi32 larger = (v > *best) | v_isnan(v);
    *best = v_select(larger, v, *best);
    *best_at = v_select(larger, at, *best_at);
  } else {
    *best = v_maximum(*best, v);
  }
}

// Outputs [begin, end) of a row, four or more, whose windows have all their width inside; the last vector reaches back.
// `pairs`: windows of width 2 side by side.
TC_INLINE void max_vectors(const tc_pool_args *a, ptrdiff_t plane, tc_window wd, tc_window wh, ptrdiff_t row,
                                ptrdiff_t begin, ptrdiff_t end, const bool indices, const bool pairs) {
  const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];
  const ptrdiff_t stride = pairs ? 2 : (ptrdiff_t)a->stride[2], taps = (ptrdiff_t)a->kernel[2];
  const ptrdiff_t dilation = (ptrdiff_t)a->dilation[2];
  const float *from = TC_PTR(const float, a->x) + plane * tc_volume(a->in_size);
  const ptrdiff_t out = (plane * (ptrdiff_t)(a->out_size[0] * a->out_size[1]) + row) * (ptrdiff_t)a->out_size[2];
  float *y = TC_PTR(float, a->y) + out;
  const vi32 lanes = (vi32){0, 1, 2, 3} * v_set_i32((int32_t)stride);
  for (ptrdiff_t next = begin; next < end; next += 4) {
    const ptrdiff_t i = next + 4 <= end ? next : end - 4;
    const ptrdiff_t column = i * stride - (ptrdiff_t)a->padding[2];
    vf32 best = v_set_f32(-INFINITY);
    vi32 best_at = lanes + v_set_i32((int32_t)((wd.start * height + wh.start) * width + column));
    for (ptrdiff_t d = 0; d < wd.count; d++) {
      for (ptrdiff_t h = 0; h < wh.count; h++) {
        const ptrdiff_t line = ((wd.start + d * wd.step) * height + wh.start + h * wh.step) * width + column;
        const vi32 at = lanes + v_set_i32((int32_t)line);
        if (pairs) {
          const vf32 low = v_load(from + line), high = v_load(from + line + 4);
          take_larger(&best, &best_at, __builtin_shufflevector(low, high, 0, 2, 4, 6), at, indices);
          take_larger(&best, &best_at, __builtin_shufflevector(low, high, 1, 3, 5, 7), at + v_set_i32(1), indices);
          continue;
        }
        for (ptrdiff_t w = 0; w < taps; w++) {
          take_larger(&best, &best_at, load_every(from + line + w * dilation, stride),
                      at + v_set_i32((int32_t)(w * dilation)), indices);
        }
      }
    }
    v_store(y + i, best);
    if (indices) store_indices(a, out + i, best_at);
  }
}

// ---------------------------------------------------------------- all of it

// [begin, end): rows of outputs, plane after plane.
static void max_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *t = ctx;
  const tc_pool_args *a = t->a;
  const ptrdiff_t rows = (ptrdiff_t)(a->out_size[0] * a->out_size[1]), width = (ptrdiff_t)a->out_size[2];
  ptrdiff_t inner_begin = 0, inner_end = 0;
  if (a->dtype == TC_F32 && !t->adaptive && a->stride[2] <= 2) tc_inner_outputs(a, &inner_begin, &inner_end);
  const bool pairs = !t->adaptive && a->stride[2] == 2 && a->kernel[2] == 2 && a->dilation[2] == 1;
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t plane = at / rows, row = at % rows;
    const tc_window wd = window_of(t, 0, row / (ptrdiff_t)a->out_size[1]);
    const tc_window wh = window_of(t, 1, row % (ptrdiff_t)a->out_size[1]);
    const bool vectors = inner_end - inner_begin >= 4 && wd.count > 0 && wh.count > 0;
    const ptrdiff_t scalars_begin = vectors ? inner_begin : 0, scalars_end = vectors ? inner_end : 0;
    if (vectors) {
#define VECTORS(indices, pairs) max_vectors(a, plane, wd, wh, row, inner_begin, inner_end, indices, pairs)
      if (a->indices && pairs) VECTORS(true, true);
      else if (a->indices) VECTORS(true, false);
      else if (pairs) VECTORS(false, true);
      else VECTORS(false, false);
#undef VECTORS
    }
#define OUTPUTS(E, C)                                                                                               \
  max_outputs_##E##_##C(t, TC_PTR(const E, a->x), TC_PTR(E, a->y), plane, wd, wh, row, 0, scalars_begin);           \
  max_outputs_##E##_##C(t, TC_PTR(const E, a->x), TC_PTR(E, a->y), plane, wd, wh, row, scalars_end, width);         \
  break
    switch (a->dtype) {
      case TC_F32: OUTPUTS(f32, f32);
      case TC_F64: OUTPUTS(f64, f64);
      case TC_F16: OUTPUTS(f16, f32);
      case TC_BF16: OUTPUTS(bf16, f32);
      case TC_U8: OUTPUTS(u8, u8);
      case TC_I8: OUTPUTS(i8, i8);
      case TC_I16: OUTPUTS(i16, i16);
      case TC_I32: OUTPUTS(i32, i32);
      default: OUTPUTS(i64, i64);
    }
#undef OUTPUTS
  }
}

static int32_t max_pool(const tc_pool_args *a, bool adaptive) {
  switch (a->dtype) {
    case TC_F32: case TC_F64: case TC_F16: case TC_BF16:
    case TC_U8: case TC_I8: case TC_I16: case TC_I32: case TC_I64: break;
    default: return tc_unsupported(a->dtype);
  }
  if (tc_volume(a->out_size) == 0) return TC_OK;
  job t = {a, adaptive};
  const int64_t window = adaptive ? tc_volume(a->in_size) / tc_volume(a->out_size) : tc_volume(a->kernel);
  tc_parallel_for(a->planes * a->out_size[0] * a->out_size[1], tc_pool_grain(a->out_size[2] * window), max_rows, &t);
  return TC_OK;
}

int32_t tc_max_pool(const tc_pool_args *a) { return max_pool(a, false); }
int32_t tc_adaptive_max_pool(const tc_pool_args *a) { return max_pool(a, true); }
