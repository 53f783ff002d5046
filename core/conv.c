// tc_conv and its gradients: choice of element type; float16 and bfloat16 are converted to float32 whole.
#include <stdbool.h>

#include "conv.h"
#include "convert.h"
#include "parallel.h"
#include "status.h"

typedef enum { FORWARD, BACKWARD_INPUT, BACKWARD_WEIGHT } pass;

// Elements of the tensors.
typedef struct {
  int64_t x, weight, bias, y;
} sizes;

static sizes tensor_sizes(const tc_conv_args *a, pass what) {
  sizes z = {a->batch * a->in_channels, a->groups ? a->out_channels * (a->in_channels / a->groups) : 0,
             what == BACKWARD_INPUT ? a->in_channels : a->out_channels, a->batch * a->out_channels};
  for (int d = 0; d < 3; d++) z.x *= a->in_size[d], z.weight *= a->kernel[d], z.y *= a->out_size[d];
  return z;
}

static int64_t run(const tc_conv_args *a, pass what, const void *x, const void *weight, const void *bias, const void *y,
                   void *scratch) {
#define RUN(R, T)                                                                                               \
  what == FORWARD          ? tc_conv_sum_##T(a, false, x, weight, bias, (R *)y, scratch)                        \
  : what == BACKWARD_INPUT ? tc_conv_sum_##T(a, true, y, weight, bias, (R *)x, scratch)                         \
                           : tc_conv_weight_##T(a, x, y, (R *)weight, (R *)bias, scratch)
  if (a->dtype == TC_F64) return RUN(double, f64);
  return RUN(float, f32);
#undef RUN
}

typedef struct {
  uint8_t *to;
  const uint8_t *from;
  int64_t to_dtype, from_dtype;
} conversion;

static void convert_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const conversion *t = ctx;
  tc_convert(t->to + begin * tc_dtype_size(t->to_dtype), t->to_dtype, t->from + begin * tc_dtype_size(t->from_dtype),
             t->from_dtype, end - begin);
}

static void convert(void *to, int64_t to_dtype, const void *from, int64_t from_dtype, int64_t n) {
  conversion t = {to, from, to_dtype, from_dtype};
  tc_parallel_for(n, 16384, convert_range, &t);
}

// float16 and bfloat16: float32 copies of everything. Returns the workspace taken; without scratch nothing is done.
static int64_t run_half(const tc_conv_args *a, pass what, void *scratch) {
  const sizes z = tensor_sizes(a, what);
  const struct {
    uint64_t address;
    int64_t n;
    bool output;
  } tensors[4] = {{a->x, z.x, what == BACKWARD_INPUT},
                  {a->weight, z.weight, what == BACKWARD_WEIGHT},
                  {a->bias, z.bias, what == BACKWARD_WEIGHT},
                  {a->y, z.y, what == FORWARD}};
  tc_arena arena = {scratch, 0};
  float *real[4];
  for (int i = 0; i < 4; i++) {
    real[i] = tensors[i].address ? tc_take(&arena, tensors[i].n * 4) : NULL;
    if (scratch && real[i] && !tensors[i].output) {
      convert(real[i], TC_F32, TC_PTR(const void, tensors[i].address), a->dtype, tensors[i].n);
    }
  }
  const int64_t used = run(a, what, real[0], real[1], real[2], real[3], scratch ? arena.base + arena.used : NULL);
  for (int i = 0; scratch && i < 4; i++) {
    if (real[i] && tensors[i].output) convert(TC_PTR(void, tensors[i].address), a->dtype, real[i], TC_F32, tensors[i].n);
  }
  return arena.used + used;
}

static bool is_half(const tc_conv_args *a) { return a->dtype == TC_F16 || a->dtype == TC_BF16; }

// Measures.
static int64_t scratch_size(const tc_conv_args *a, pass what) {
  if (is_half(a)) return run_half(a, what, NULL);
  return run(a, what, NULL, NULL, NULL, NULL, NULL);
}

static int32_t launch(const tc_conv_args *a, pass what) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64 && !is_half(a)) return tc_unsupported(a->dtype);
  // Nothing may be measured only because nothing is needed: the workspace is never at address 0.
  static _Alignas(64) uint8_t nothing[64];
  void *scratch = a->scratch ? TC_PTR(void, a->scratch) : nothing;
  if (is_half(a)) {
    run_half(a, what, scratch);
  } else {
    run(a, what, TC_PTR(const void, a->x), TC_PTR(const void, a->weight), TC_PTR(const void, a->bias),
        TC_PTR(const void, a->y), scratch);
  }
  return TC_OK;
}

int32_t tc_conv(const tc_conv_args *a) { return launch(a, FORWARD); }
int64_t tc_conv_scratch(const tc_conv_args *a) { return scratch_size(a, FORWARD); }

int32_t tc_conv_backward_input(const tc_conv_args *a) { return launch(a, BACKWARD_INPUT); }
int64_t tc_conv_backward_input_scratch(const tc_conv_args *a) { return scratch_size(a, BACKWARD_INPUT); }

int32_t tc_conv_backward_weight(const tc_conv_args *a) { return launch(a, BACKWARD_WEIGHT); }
int64_t tc_conv_backward_weight_scratch(const tc_conv_args *a) { return scratch_size(a, BACKWARD_WEIGHT); }
