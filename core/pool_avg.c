// Average pooling, plain and adaptive, and its gradients.
#include <string.h>

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

// Elements of output i's window before it is clipped to the input: those inside the padded input.
static ptrdiff_t padded_count(const tc_pool_args *a, int d, ptrdiff_t i) {
  const ptrdiff_t start = i * (ptrdiff_t)a->stride[d] - (ptrdiff_t)a->padding[d];
  const ptrdiff_t end = start + (ptrdiff_t)a->kernel[d], limit = (ptrdiff_t)(a->in_size[d] + a->padding[d]);
  return (end < limit ? end : limit) - start;
}

// One dimension's factor in what a window's sum is divided by; w is the part of the window inside the input.
static ptrdiff_t divisor_part(const job *t, int d, ptrdiff_t i, tc_window w) {
  return !t->adaptive && t->a->count_include_pad ? padded_count(t->a, d, i) : w.count;
}

// A row of outputs: its windows in depth and height, and what they contribute to the divisor.
typedef struct {
  tc_window depth, height;
  ptrdiff_t divisor;
} row_windows;

static row_windows windows_of_row(const job *t, ptrdiff_t row) {
  const ptrdiff_t d = row / (ptrdiff_t)t->a->out_size[1], h = row % (ptrdiff_t)t->a->out_size[1];
  row_windows r = {window_of(t, 0, d), window_of(t, 1, h), 0};
  r.divisor = divisor_part(t, 0, d, r.depth) * divisor_part(t, 1, h, r.height);
  return r;
}

static ptrdiff_t divisor(const job *t, const row_windows *r, ptrdiff_t i, tc_window w) {
  const ptrdiff_t given = t->adaptive ? 0 : (ptrdiff_t)t->a->divisor_override;
  return given ? given : r->divisor * divisor_part(t, 2, i, w);
}

#define SAME(x) (x)

// ---------------------------------------------------------------- one output at a time

// E: stored, C: summed. The average of a window that has no element inside is 0, and its gradient goes nowhere.
#define AVERAGE_OUTPUTS(name, E, C, LOAD, STORE)                                                                    \
  static void average_##name(const job *t, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end) {        \
    const tc_pool_args *a = t->a;                                                                                   \
    const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];                            \
    const E *x = TC_PTR(const E, a->x) + plane * tc_volume(a->in_size);                                             \
    E *y = TC_PTR(E, a->y) + plane * tc_volume(a->out_size) + row * (ptrdiff_t)a->out_size[2];                      \
    const row_windows r = windows_of_row(t, row);                                                                   \
    for (ptrdiff_t i = begin; i < end; i++) {                                                                       \
      const tc_window w = window_of(t, 2, i);                                                                       \
      C sum = 0;                                                                                                    \
      for (ptrdiff_t d = 0; d < r.depth.count; d++) {                                                               \
        for (ptrdiff_t h = 0; h < r.height.count; h++) {                                                            \
          const E *line = x + ((r.depth.start + d) * height + r.height.start + h) * width + w.start;                \
          for (ptrdiff_t l = 0; l < w.count; l++) sum += LOAD(line[l]);                                             \
        }                                                                                                           \
      }                                                                                                             \
      const bool any = r.depth.count > 0 && r.height.count > 0 && w.count > 0;                                      \
      y[i] = STORE((C)(any ? sum / (C)divisor(t, &r, i, w) : 0));                                                   \
    }                                                                                                               \
  }                                                                                                                 \
  static void spread_##name(const job *t, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end) {         \
    const tc_pool_args *a = t->a;                                                                                   \
    const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];                            \
    E *x = TC_PTR(E, a->x) + plane * tc_volume(a->in_size);                                                         \
    const E *y = TC_PTR(const E, a->y) + plane * tc_volume(a->out_size) + row * (ptrdiff_t)a->out_size[2];          \
    const row_windows r = windows_of_row(t, row);                                                                   \
    for (ptrdiff_t i = begin; i < end; i++) {                                                                       \
      const tc_window w = window_of(t, 2, i);                                                                       \
      const C share = LOAD(y[i]) / (C)divisor(t, &r, i, w);                                                         \
      for (ptrdiff_t d = 0; d < r.depth.count; d++) {                                                               \
        for (ptrdiff_t h = 0; h < r.height.count; h++) {                                                            \
          E *line = x + ((r.depth.start + d) * height + r.height.start + h) * width + w.start;                      \
          for (ptrdiff_t l = 0; l < w.count; l++) line[l] = STORE((C)(LOAD(line[l]) + share));                      \
        }                                                                                                           \
      }                                                                                                             \
    }                                                                                                               \
  }

AVERAGE_OUTPUTS(f32, float, float, SAME, SAME)
AVERAGE_OUTPUTS(f64, double, double, SAME, SAME)
AVERAGE_OUTPUTS(f16, uint16_t, float, tc_f32_of_f16, tc_f16_of_f32)
AVERAGE_OUTPUTS(bf16, uint16_t, float, tc_f32_of_bf16, tc_bf16_of_f32)

// ---------------------------------------------------------------- float32, four outputs at a time

// Windows [begin, end) of a row, whose width lies inside, at stride 1 or 2; they share a divisor. Both return where they
// stopped: averages are stored to the end if there are four, the last vector reaching back.
static ptrdiff_t average_vectors(const job *t, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end) {
  const tc_pool_args *a = t->a;
  const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];
  const ptrdiff_t stride = (ptrdiff_t)a->stride[2], taps = (ptrdiff_t)a->kernel[2];
  const float *x = TC_PTR(const float, a->x) + plane * tc_volume(a->in_size);
  float *y = TC_PTR(float, a->y) + plane * tc_volume(a->out_size) + row * (ptrdiff_t)a->out_size[2];
  const row_windows r = windows_of_row(t, row);
  if (r.depth.count == 0 || r.height.count == 0 || end - begin < 4) return begin;
  const vf32 by = v_set_f32((float)divisor(t, &r, begin, (tc_window){0, taps, 1}));
  for (ptrdiff_t next = begin; next < end; next += 4) {
    const ptrdiff_t i = next + 4 <= end ? next : end - 4;
    const float *from = x + (r.depth.start * height + r.height.start) * width + i * stride - (ptrdiff_t)a->padding[2];
    vf32 sum = v_set_f32(0);
    for (ptrdiff_t d = 0; d < r.depth.count; d++) {
      for (ptrdiff_t h = 0; h < r.height.count; h++) {
        const float *line = from + (d * height + h) * width;
        if (stride == 2 && taps == 2) {
          const vf32 low = v_load(line), high = v_load(line + 4);
          sum += __builtin_shufflevector(low, high, 0, 2, 4, 6);
          sum += __builtin_shufflevector(low, high, 1, 3, 5, 7);
          continue;
        }
        for (ptrdiff_t l = 0; l < taps; l++) {
          sum += stride == 1 ? v_load(line + l)
                             : __builtin_shufflevector(v_load(line + l), v_load(line + l + 3), 0, 2, 5, 7);
        }
      }
    }
    v_store(y + i, sum / by);
  }
  return end;
}

static ptrdiff_t spread_vectors(const job *t, ptrdiff_t plane, ptrdiff_t row, ptrdiff_t begin, ptrdiff_t end) {
  const tc_pool_args *a = t->a;
  const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];
  const ptrdiff_t stride = (ptrdiff_t)a->stride[2], taps = (ptrdiff_t)a->kernel[2];
  if (stride == 2 && taps != 2) return begin;
  float *x = TC_PTR(float, a->x) + plane * tc_volume(a->in_size);
  const float *y = TC_PTR(const float, a->y) + plane * tc_volume(a->out_size) + row * (ptrdiff_t)a->out_size[2];
  const row_windows r = windows_of_row(t, row);
  if (r.depth.count == 0 || r.height.count == 0) return begin;
  const vf32 by = v_set_f32((float)divisor(t, &r, begin, (tc_window){0, taps, 1}));
  ptrdiff_t i = begin;
  for (; i + 4 <= end; i += 4) {
    float *to = x + (r.depth.start * height + r.height.start) * width + i * stride - (ptrdiff_t)a->padding[2];
    const vf32 share = v_load(y + i) / by;
    for (ptrdiff_t d = 0; d < r.depth.count; d++) {
      for (ptrdiff_t h = 0; h < r.height.count; h++) {
        float *line = to + (d * height + h) * width;
        if (stride == 2) {
          v_store(line, v_load(line) + __builtin_shufflevector(share, share, 0, 0, 1, 1));
          v_store(line + 4, v_load(line + 4) + __builtin_shufflevector(share, share, 2, 2, 3, 3));
          continue;
        }
        for (ptrdiff_t l = 0; l < taps; l++) v_store(line + l, v_load(line + l) + share);
      }
    }
  }
  return i;
}

// Adaptive windows that are long in width: sums along the lines.
static void average_lines(const job *t, ptrdiff_t plane, ptrdiff_t row) {
  const tc_pool_args *a = t->a;
  const ptrdiff_t height = (ptrdiff_t)a->in_size[1], width = (ptrdiff_t)a->in_size[2];
  const float *x = TC_PTR(const float, a->x) + plane * tc_volume(a->in_size);
  float *y = TC_PTR(float, a->y) + plane * tc_volume(a->out_size) + row * (ptrdiff_t)a->out_size[2];
  const tc_window wd = window_of(t, 0, row / (ptrdiff_t)a->out_size[1]);
  const tc_window wh = window_of(t, 1, row % (ptrdiff_t)a->out_size[1]);
  for (ptrdiff_t i = 0; i < (ptrdiff_t)a->out_size[2]; i++) {
    tc_window ww = window_of(t, 2, i);
    tc_window lines = wh;
    if (ww.count == width) {  // whole lines: one
      ww.count *= wh.count;
      lines.count = 1;
    }
    vf32 sum = v_set_f32(0), more = v_set_f32(0);
    float rest = 0;
    for (ptrdiff_t d = 0; d < wd.count; d++) {
      for (ptrdiff_t h = 0; h < lines.count; h++) {
        const float *line = x + ((wd.start + d) * height + wh.start + h) * width + ww.start;
        ptrdiff_t l = 0;
        for (; l + 8 <= ww.count; l += 8) sum += v_load(line + l), more += v_load(line + l + 4);
        if (l + 4 <= ww.count) sum += v_load(line + l), l += 4;
        for (; l < ww.count; l++) rest += line[l];
      }
    }
    sum += more;
    y[i] = (((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest) / (float)(wd.count * lines.count * ww.count);
  }
}

// ---------------------------------------------------------------- all of it

static bool has_vectors(const job *t) { return t->a->dtype == TC_F32 && !t->adaptive && t->a->stride[2] <= 2; }

// [begin, end): rows of outputs, plane after plane.
static void average_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *t = ctx;
  const tc_pool_args *a = t->a;
  const ptrdiff_t rows = (ptrdiff_t)(a->out_size[0] * a->out_size[1]), width = (ptrdiff_t)a->out_size[2];
  ptrdiff_t inner_begin = 0, inner_end = 0;
  if (has_vectors(t)) tc_inner_outputs(a, &inner_begin, &inner_end);
  const bool lines = a->dtype == TC_F32 && t->adaptive && (a->out_size[2] == 1 || a->in_size[2] >= 8 * a->out_size[2]);
  for (ptrdiff_t at = (ptrdiff_t)begin; at < (ptrdiff_t)end; at++) {
    const ptrdiff_t plane = at / rows, row = at % rows;
    if (lines) {
      average_lines(t, plane, row);
      continue;
    }
    const ptrdiff_t rest = inner_begin < inner_end ? average_vectors(t, plane, row, inner_begin, inner_end) : inner_begin;
#define OUTPUTS(name)                                  \
  average_##name(t, plane, row, 0, inner_begin);       \
  average_##name(t, plane, row, rest, width);          \
  break
    switch (a->dtype) {
      case TC_F32: OUTPUTS(f32);
      case TC_F64: OUTPUTS(f64);
      case TC_F16: OUTPUTS(f16);
      default: OUTPUTS(bf16);
    }
#undef OUTPUTS
  }
}

// [begin, end): planes.
static void spread_planes(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *t = ctx;
  const tc_pool_args *a = t->a;
  const ptrdiff_t rows = (ptrdiff_t)(a->out_size[0] * a->out_size[1]), width = (ptrdiff_t)a->out_size[2];
  const size_t bytes = (size_t)(tc_volume(a->in_size) * tc_dtype_size(a->dtype));
  ptrdiff_t inner_begin = 0, inner_end = 0;
  if (has_vectors(t)) tc_inner_outputs(a, &inner_begin, &inner_end);
  for (ptrdiff_t plane = (ptrdiff_t)begin; plane < (ptrdiff_t)end; plane++) {
    memset(TC_PTR(uint8_t, a->x) + (size_t)plane * bytes, 0, bytes);
    for (ptrdiff_t row = 0; row < rows; row++) {
      const ptrdiff_t rest = inner_begin < inner_end ? spread_vectors(t, plane, row, inner_begin, inner_end) : inner_begin;
#define OUTPUTS(name)                               \
  spread_##name(t, plane, row, 0, inner_begin);     \
  spread_##name(t, plane, row, rest, width);        \
  break
      switch (a->dtype) {
        case TC_F32: OUTPUTS(f32);
        case TC_F64: OUTPUTS(f64);
        case TC_F16: OUTPUTS(f16);
        default: OUTPUTS(bf16);
      }
#undef OUTPUTS
    }
  }
}

static int32_t run(const tc_pool_args *a, bool adaptive, bool backward) {
  switch (a->dtype) {
    case TC_F32: case TC_F64: case TC_F16: case TC_BF16: break;
    default: return tc_unsupported(a->dtype);
  }
  job t = {a, adaptive};
  const int64_t in = tc_volume(a->in_size), out = tc_volume(a->out_size);
  if (backward) {
    tc_parallel_for(a->planes, tc_pool_grain(in + out), spread_planes, &t);
  } else if (out > 0) {
    const int64_t window = adaptive ? in / out : tc_volume(a->kernel);
    tc_parallel_for(a->planes * a->out_size[0] * a->out_size[1], tc_pool_grain(a->out_size[2] * window), average_rows,
                    &t);
  }
  return TC_OK;
}

int32_t tc_avg_pool(const tc_pool_args *a) { return run(a, false, false); }
int32_t tc_avg_pool_backward(const tc_pool_args *a) { return run(a, false, true); }
int32_t tc_adaptive_avg_pool(const tc_pool_args *a) { return run(a, true, false); }
int32_t tc_adaptive_avg_pool_backward(const tc_pool_args *a) { return run(a, true, true); }
