// tc_softmax, tc_softmax_backward. A line is read three times: its maximum, the sum of exponentials,
// the result; lines that are not contiguous go side by side in tiles.
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "lines.h"
#include "numbers.h"
#include "parallel.h"
#include "status.h"
#include "vmath.h"

#define TC_FLOAT_TEMPLATE "softmax_impl.h"
#include "each_float.h"

// Columns that go together where lines are not contiguous.
static int64_t tile_width(int64_t dtype, int64_t n, bool *packs) {
  return dtype == TC_F64 ? tile_width_f64(n, packs) : tile_width_f32(n, packs);
}

// Both kernels are a loop over units: lines (inner 1) or tiles of an outer index.
typedef struct {
  int64_t dtype, n, inner, log_form;
  const char *in, *grad;  // forward: in; backward: grad, and in is the forward's result
  char *out;
  int64_t width, per_outer;  // of tiles
  bool packs;
} job;

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const int64_t size = tc_dtype_size(j->dtype), n = j->n, stride = j->inner;
  const int log_form = j->log_form != 0;
  for (int64_t u = begin; u < end; u++) {
    const int64_t column = u % j->per_outer * j->width;
    const int64_t width = stride - column < j->width ? stride - column : j->width;
    const int64_t at = (u / j->per_outer * n * stride + column) * size;
    const void *in = j->in + at, *grad = j->grad ? j->grad + at : NULL;
    void *out = j->out + at;
#define RUN_UNIT(suffix)                                                          \
  if (stride == 1) {                                                              \
    if (grad) backward_line_##suffix(grad, in, out, n, log_form);                 \
    else softmax_line_##suffix(in, out, n, log_form);                             \
  } else {                                                                        \
    if (grad) backward_tile_##suffix(grad, in, out, n, stride, width, log_form);  \
    else softmax_tile_##suffix(in, out, n, stride, width, log_form, j->packs);    \
  }                                                                               \
  break;
    switch (j->dtype) {
      case TC_F32: RUN_UNIT(f32)
      case TC_F64: RUN_UNIT(f64)
      case TC_F16: RUN_UNIT(f16)
      default: RUN_UNIT(bf16)
    }
#undef RUN_UNIT
  }
}

static int32_t launch(job j, int64_t outer) {
  if (!tc_is_floating(j.dtype)) return tc_unsupported(j.dtype);
  if (j.n == 0 || j.inner == 0) return TC_OK;
  j.width = j.inner == 1 ? 1 : tile_width(j.dtype, j.n, &j.packs);
  j.per_outer = (j.inner + j.width - 1) / j.width;
  const int64_t width = j.inner < j.width ? j.inner : j.width;
  tc_parallel_for(outer * j.per_outer, 1 + 4096 / (j.n * width), run, &j);
  return TC_OK;
}

int32_t tc_softmax(const tc_softmax_args *a) {
  return launch((job){.dtype = a->dtype, .n = a->n, .inner = a->inner, .log_form = a->log,
                      .in = TC_PTR(const char, a->in), .out = TC_PTR(char, a->out)},
                a->outer);
}

int32_t tc_softmax_backward(const tc_softmax_backward_args *a) {
  return launch((job){.dtype = a->dtype, .n = a->n, .inner = a->inner, .log_form = a->log,
                      .in = TC_PTR(const char, a->out), .grad = TC_PTR(const char, a->grad),
                      .out = TC_PTR(char, a->grad_in)},
                a->outer);
}
