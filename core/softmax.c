// tc_softmax, tc_softmax_backward. A line is read three times: its maximum, the sum of exponentials,
// the result; lines that are not contiguous go side by side in tiles.
#include <math.h>
#include <stddef.h>

#include "lines.h"
#include "numbers.h"
#include "parallel.h"
#include "status.h"
#include "vmath.h"

#define TC_FLOAT_TEMPLATE "softmax_impl.h"
#include "each_float.h"

static inline int64_t tiles(int64_t inner) { return (inner + SOFTMAX_TILE - 1) / SOFTMAX_TILE; }

// Both kernels are a loop over units: lines (inner 1) or tiles of an outer index.
typedef struct {
  int64_t dtype, n, inner, log_form;
  const char *in, *grad;  // forward: in; backward: grad, and in is the forward's result
  char *out;
} job;

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const int64_t size = tc_dtype_size(j->dtype), n = j->n, stride = j->inner;
  const int64_t per_outer = stride == 1 ? 1 : tiles(stride);
  const int log_form = j->log_form != 0;
  for (int64_t u = begin; u < end; u++) {
    const int64_t column = u % per_outer * SOFTMAX_TILE;
    const int64_t width = stride - column < SOFTMAX_TILE ? stride - column : SOFTMAX_TILE;
    const int64_t at = (u / per_outer * n * stride + column) * size;
    const void *in = j->in + at, *grad = j->grad ? j->grad + at : NULL;
    void *out = j->out + at;
#define RUN_UNIT(suffix)                                                          \
  if (stride == 1) {                                                              \
    if (grad) backward_line_##suffix(grad, in, out, n, log_form);                 \
    else softmax_line_##suffix(in, out, n, log_form);                             \
  } else {                                                                        \
    if (grad) backward_tile_##suffix(grad, in, out, n, stride, width, log_form);  \
    else softmax_tile_##suffix(in, out, n, stride, width, log_form);              \
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
  const int64_t units = outer * (j.inner == 1 ? 1 : tiles(j.inner));
  const int64_t width = j.inner < SOFTMAX_TILE ? j.inner : SOFTMAX_TILE;
  tc_parallel_for(units, 1 + 4096 / (j.n * width), run, &j);
  return TC_OK;
}

int32_t tc_softmax(const tc_softmax_args *a) {
  return launch((job){a->dtype, a->n, a->inner, a->log, TC_PTR(const char, a->in), NULL, TC_PTR(char, a->out)},
                a->outer);
}

int32_t tc_softmax_backward(const tc_softmax_backward_args *a) {
  return launch((job){a->dtype, a->n, a->inner, a->log, TC_PTR(const char, a->out),
                      TC_PTR(const char, a->grad), TC_PTR(char, a->grad_in)},
                a->outer);
}
