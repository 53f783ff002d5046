// What follows max pooling's indices: its gradient, unpooling, and unpooling's gradient.
#include <stdatomic.h>
#include <string.h>

#include "convert.h"
#include "parallel.h"
#include "pool.h"
#include "simd.h"
#include "status.h"

typedef enum { ADD_AT, SET_AT, GET_AT } action;

typedef struct {
  const tc_pool_args *a;
  action what;
  _Atomic int32_t bad;  // an index lay outside its plane
} job;

TC_INLINE int64_t index_at(const void *indices, bool narrow, ptrdiff_t i) {
  return narrow ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
}

// Max pooling gives -1 for a window that lies in the padding altogether; its gradient goes nowhere.
TC_INLINE bool is_nowhere(action what, int64_t at) { return what == ADD_AT && at == -1; }

// Sums of halves are rounded each time, as on PyTorch's CPU.
#define ADD_PLAIN(x, y) ((x) + (y))
#define ADD_F16(x, y) tc_f16_of_f32(tc_f32_of_f16(x) + tc_f32_of_f16(y))
#define ADD_BF16(x, y) tc_bf16_of_f32(tc_f32_of_bf16(x) + tc_f32_of_bf16(y))

// Planes [begin, end).
#define FOLLOW(name, E, ADD)                                                                        \
  static void follow_##name(void *ctx, int64_t begin, int64_t end, int thread) {                    \
    (void)thread;                                                                                   \
    job *t = ctx;                                                                                   \
    const tc_pool_args *a = t->a;                                                                   \
    const ptrdiff_t in = tc_volume(a->in_size), out = tc_volume(a->out_size);                       \
    const void *indices = TC_PTR(const void, a->indices);                                           \
    const bool narrow = a->index_dtype == TC_I32;                                                   \
    const action what = t->what;                                                                    \
    for (ptrdiff_t plane = (ptrdiff_t)begin; plane < (ptrdiff_t)end; plane++) {                     \
      E *x = TC_PTR(E, a->x) + plane * in, *y = TC_PTR(E, a->y) + plane * out;                      \
      if (what != GET_AT) memset(x, 0, (size_t)in * sizeof(E));                                     \
      for (ptrdiff_t i = 0; i < out; i++) {                                                         \
        const int64_t at = index_at(indices, narrow, plane * out + i);                              \
        if ((uint64_t)at >= (uint64_t)in) {                                                         \
          if (!is_nowhere(what, at)) t->bad = 1;                                                    \
          continue;                                                                                 \
        }                                                                                           \
        E *place = x + (ptrdiff_t)at;                                                               \
        if (what == ADD_AT) {                                                                       \
          *place = (E)ADD(*place, y[i]);                                                            \
        } else if (what == SET_AT) {                                                                \
          *place = y[i];                                                                            \
        } else {                                                                                    \
          y[i] = *place;                                                                            \
        }                                                                                           \
      }                                                                                             \
    }                                                                                               \
  }

FOLLOW(f32, float, ADD_PLAIN)
FOLLOW(f64, double, ADD_PLAIN)
FOLLOW(f16, uint16_t, ADD_F16)
FOLLOW(bf16, uint16_t, ADD_BF16)
FOLLOW(8, uint8_t, ADD_PLAIN)
FOLLOW(16, uint16_t, ADD_PLAIN)
FOLLOW(32, uint32_t, ADD_PLAIN)
FOLLOW(64, uint64_t, ADD_PLAIN)

static int32_t run(const tc_pool_args *a, action what) {
  tc_range_fn body;
  switch (a->dtype) {
    case TC_F32: body = follow_f32; break;
    case TC_F64: body = follow_f64; break;
    case TC_F16: body = follow_f16; break;
    case TC_BF16: body = follow_bf16; break;
    case TC_U8: case TC_I8: body = follow_8; break;
    case TC_I16: body = follow_16; break;
    case TC_I32: body = follow_32; break;
    case TC_I64: body = follow_64; break;
    default: return tc_unsupported(a->dtype);
  }
  job t = {a, what, 0};
  const int64_t in = tc_volume(a->in_size), out = tc_volume(a->out_size);
  tc_parallel_for(a->planes, tc_pool_grain(in + out), body, &t);
  for (int64_t i = 0; t.bad && i < a->planes * out; i++) {
    const int64_t at = index_at(TC_PTR(const void, a->indices), a->index_dtype == TC_I32, (ptrdiff_t)i);
    if ((uint64_t)at >= (uint64_t)in && !is_nowhere(what, at)) return tc_bad_index(at, in, i, 0);
  }
  return TC_OK;
}

int32_t tc_max_pool_backward(const tc_pool_args *a) { return run(a, ADD_AT); }
int32_t tc_max_unpool(const tc_pool_args *a) { return run(a, SET_AT); }
int32_t tc_max_unpool_backward(const tc_pool_args *a) { return run(a, GET_AT); }
