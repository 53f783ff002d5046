// Max and average pooling, their adaptive forms and unpooling: tc_pool.h. Work is split by planes.
#include <math.h>
#include <string.h>

#include "convert.h"
#include "numbers.h"
#include "parallel.h"
#include "simd.h"
#include "status.h"

// The geometry of a plane: spatial triples (depth, height, width).
typedef struct {
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
  int64_t include_pad, divisor;
} pool_shape;

// A window along one dimension: its part inside the input, and its extent inside the padded input.
typedef struct {
  int64_t begin, end, full;
} span;

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t range_start(int64_t i, int64_t in, int64_t out) { return i * in / out; }
static inline int64_t range_end(int64_t i, int64_t in, int64_t out) { return ((i + 1) * in + out - 1) / out; }

static inline span window_span(const pool_shape *s, int axis, int64_t i) {
  if (s->kernel[axis] == 0) {  // adaptive
    const int64_t begin = range_start(i, s->in[axis], s->out[axis]), end = range_end(i, s->in[axis], s->out[axis]);
    return (span){begin, end, end - begin};
  }
  const int64_t begin = i * s->stride[axis] - s->padding[axis];
  const int64_t end = smaller(begin + s->kernel[axis], s->in[axis] + s->padding[axis]);
  return (span){larger(begin, 0), smaller(end, s->in[axis]), end - begin};
}

#define FLOATING 1
#define R float
#define S float
#define F(x) x##_f32
#define GET(p, i) (p)[i]
#define PUT(p, i, v) (p)[i] = (v)
#define ISNAN(v) ((v) != (v))
#define LOWEST -INFINITY
#include "pool_impl.h"
#undef R
#undef S
#undef F

#define R double
#define S double
#define F(x) x##_f64
#include "pool_impl.h"
#undef R
#undef S
#undef F
#undef GET
#undef PUT

#define R float
#define S uint16_t
#define F(x) x##_f16
#define GET(p, i) tc_f32_of_f16((p)[i])
#define PUT(p, i, v) (p)[i] = tc_f16_of_f32(v)
#include "pool_impl.h"
#undef F
#undef GET
#undef PUT
#define F(x) x##_bf16
#define GET(p, i) tc_f32_of_bf16((p)[i])
#define PUT(p, i, v) (p)[i] = tc_bf16_of_f32(v)
#include "pool_impl.h"
#undef F
#undef GET
#undef PUT
#undef R
#undef S
#undef ISNAN
#undef LOWEST
#undef FLOATING

#define FLOATING 0
#define GET(p, i) (p)[i]
#define PUT(p, i, v) (p)[i] = (S)(v)
#define ISNAN(v) 0
#define LOWEST 0
#define R int64_t
#define S int64_t
#define F(x) x##_i64
#include "pool_impl.h"
#undef S
#undef F
#define S int32_t
#define F(x) x##_i32
#include "pool_impl.h"
#undef S
#undef F
#define S int16_t
#define F(x) x##_i16
#include "pool_impl.h"
#undef S
#undef F
#define S int8_t
#define F(x) x##_i8
#include "pool_impl.h"
#undef S
#undef F
#define S uint8_t
#define F(x) x##_u8
#include "pool_impl.h"
#undef S
#undef F
#undef R

typedef enum { MAX, MAX_BACKWARD, AVG, AVG_BACKWARD, ADAPTIVE_MAX, UNPOOL, UNPOOL_BACKWARD } pool_op;

typedef struct {
  const tc_pool_args *a;
  pool_shape s;
  pool_op op;
  int64_t in_bytes, out_bytes, out_count;
} job;

// 2x2 windows with stride 2 and no padding: what most networks use. Four windows at a time.
static void max_2x2_f32(const pool_shape *s, const float *x, float *y, int64_t *indices) {
  const int64_t width = s->in[2], ow = s->out[2];
  for (int64_t h = 0; h < s->out[1]; h++) {
    const float *top = x + 2 * h * width, *bottom = top + width;
    float *out = y + h * ow;
    int64_t w = 0;
    for (; w + 4 <= ow; w += 4) {
      const vf32 a = v_load(top + 2 * w), b = v_load(top + 2 * w + 4);
      const vf32 c = v_load(bottom + 2 * w), d = v_load(bottom + 2 * w + 4);
      const vf32 even = __builtin_shufflevector(a, b, 0, 2, 4, 6), odd = __builtin_shufflevector(a, b, 1, 3, 5, 7);
      const vf32 low = __builtin_shufflevector(c, d, 0, 2, 4, 6), last = __builtin_shufflevector(c, d, 1, 3, 5, 7);
      // A later value wins if it is larger or NaN.
      vf32 best = even;
      vi32 at = {0, 2, 4, 6};
      vi32 wins = (odd > best) | (odd != odd);
      best = v_select(wins, odd, best), at = v_select(wins, (vi32){1, 3, 5, 7}, at);
      wins = (low > best) | (low != low);
      const int32_t next = (int32_t)width;
      best = v_select(wins, low, best), at = v_select(wins, (vi32){next, next + 2, next + 4, next + 6}, at);
      wins = (last > best) | (last != last);
      best = v_select(wins, last, best), at = v_select(wins, (vi32){next + 1, next + 3, next + 5, next + 7}, at);
      v_store(out + w, best);
      if (indices) {
        const int64_t base = 2 * h * width + 2 * w;
        for (int i = 0; i < 4; i++) indices[h * ow + w + i] = base + at[i];
      }
    }
    for (; w < ow; w++) {
      int64_t at;
      out[w] = window_max_f32(s, x, 0, 2 * h, 2 * w, &at);
      if (indices) indices[h * ow + w] = at;
    }
  }
}

static int is_2x2(const pool_shape *s) {
  return s->in[0] == 1 && s->out[0] == 1 && s->kernel[0] == 1 && s->kernel[1] == 2 && s->kernel[2] == 2 &&
         s->stride[1] == 2 && s->stride[2] == 2 && s->padding[0] == 0 && s->padding[1] == 0 && s->padding[2] == 0 &&
         s->dilation[1] == 1 && s->dilation[2] == 1 && 2 * s->out[1] <= s->in[1] && 2 * s->out[2] <= s->in[2] &&
         s->in[1] * s->in[2] < INT32_MAX;
}

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const int fast = j->op == MAX && j->a->dtype == TC_F32 && is_2x2(&j->s);
  for (int64_t p = begin; p < end; p++) {
    char *x = TC_PTR(char, j->a->x) + p * j->in_bytes, *y = TC_PTR(char, j->a->y) + p * j->out_bytes;
    int64_t *indices = j->a->indices ? TC_PTR(int64_t, j->a->indices) + p * j->out_count : NULL;
    if (fast) {
      max_2x2_f32(&j->s, (const float *)x, (float *)y, indices);
      continue;
    }
#define COMMON(type, suffix)                                                                       \
  case MAX: max_plane_##suffix(&j->s, (const type *)x, (type *)y, indices); break;                 \
  case MAX_BACKWARD: scatter_plane_##suffix(&j->s, (type *)x, (const type *)y, indices); break;    \
  case ADAPTIVE_MAX: adaptive_max_plane_##suffix(&j->s, (const type *)x, (type *)y, indices); break; \
  case UNPOOL: unpool_plane_##suffix(&j->s, (type *)x, (const type *)y, indices); break;           \
  case UNPOOL_BACKWARD: gather_plane_##suffix(&j->s, (const type *)x, (type *)y, indices); break;
#define REAL(type, suffix)                                                       \
  switch (j->op) {                                                               \
    COMMON(type, suffix)                                                         \
    case AVG: avg_plane_##suffix(&j->s, (type *)x, (type *)y, 0); break;         \
    case AVG_BACKWARD: avg_plane_##suffix(&j->s, (type *)x, (type *)y, 1); break; \
  }                                                                              \
  break;
#define WHOLE(type, suffix)    \
  switch (j->op) {             \
    COMMON(type, suffix)       \
    default: break;            \
  }                            \
  break;
    switch (j->a->dtype) {
      case TC_F32: REAL(float, f32)
      case TC_F64: REAL(double, f64)
      case TC_F16: REAL(uint16_t, f16)
      case TC_BF16: REAL(uint16_t, bf16)
      case TC_I64: WHOLE(int64_t, i64)
      case TC_I32: WHOLE(int32_t, i32)
      case TC_I16: WHOLE(int16_t, i16)
      case TC_I8: WHOLE(int8_t, i8)
      default: WHOLE(uint8_t, u8)
    }
#undef COMMON
#undef REAL
#undef WHOLE
  }
}

static int32_t launch(const tc_pool_args *a, pool_op op, int adaptive) {
  const int averages = op == AVG || op == AVG_BACKWARD;
  if (averages ? !tc_is_floating(a->dtype) : a->dtype == TC_C64 || a->dtype == TC_C128 || a->dtype == TC_BOOL) {
    return tc_unsupported(a->dtype);
  }
  job j = {.a = a, .op = op};
  int64_t in = 1, out = 1, window = 1;
  for (int i = 0; i < 3; i++) {
    j.s.in[i] = a->in_size[i], j.s.out[i] = a->out_size[i];
    j.s.kernel[i] = adaptive && averages ? 0 : adaptive ? 1 : a->kernel[i];
    j.s.stride[i] = a->stride[i], j.s.padding[i] = adaptive ? 0 : a->padding[i];
    j.s.dilation[i] = adaptive ? 1 : a->dilation[i];
    in *= a->in_size[i], out *= a->out_size[i];
    if (!adaptive) window *= larger(a->kernel[i], 1);
  }
  if (adaptive) window = larger(in / larger(out, 1), 1);
  j.s.include_pad = a->count_include_pad, j.s.divisor = adaptive ? 0 : a->divisor_override;
  const int64_t size = tc_dtype_size(a->dtype);
  j.in_bytes = in * size, j.out_bytes = out * size, j.out_count = out;
  const int64_t work = larger(larger(out * window, in), 1);
  tc_parallel_for(a->planes, larger(16384 / work, 1), run, &j);
  return TC_OK;
}

int32_t tc_max_pool(const tc_pool_args *a) { return launch(a, MAX, 0); }
int32_t tc_max_pool_backward(const tc_pool_args *a) { return launch(a, MAX_BACKWARD, 0); }
int32_t tc_avg_pool(const tc_pool_args *a) { return launch(a, AVG, 0); }
int32_t tc_avg_pool_backward(const tc_pool_args *a) { return launch(a, AVG_BACKWARD, 0); }
int32_t tc_adaptive_max_pool(const tc_pool_args *a) { return launch(a, ADAPTIVE_MAX, 1); }
int32_t tc_adaptive_avg_pool(const tc_pool_args *a) { return launch(a, AVG, 1); }
int32_t tc_adaptive_avg_pool_backward(const tc_pool_args *a) { return launch(a, AVG_BACKWARD, 1); }

int32_t tc_max_unpool(const tc_pool_args *a) {
  const int64_t plane = a->in_size[0] * a->in_size[1] * a->in_size[2];
  const int64_t n = a->planes * a->out_size[0] * a->out_size[1] * a->out_size[2];
  const int64_t *indices = TC_PTR(const int64_t, a->indices);
  for (int64_t i = 0; i < n; i++) {
    if (indices[i] < 0 || indices[i] >= plane) return tc_bad_index(indices[i], plane, i, 0);
  }
  return launch(a, UNPOOL, 0);
}

int32_t tc_max_unpool_backward(const tc_pool_args *a) { return launch(a, UNPOOL_BACKWARD, 0); }
