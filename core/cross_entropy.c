// tc_cross_entropy, tc_cross_entropy_backward: log_softmax, nll_loss and label smoothing in one pass.
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "lines.h"
#include "loss.h"
#include "parallel.h"
#include "vmath.h"

typedef tc_loss_sums ce_sums;

// Both directions. Backward: in is the saved probabilities and probs the gradient to write.
typedef struct {
  int64_t dtype, target_dtype, reduction, ignore_index;
  int64_t n, c, inner;
  double smoothing, weight_sum;
  const void *in, *target, *weight, *grad, *total_weight;
  void *out, *probs;   // out: NONE only
  ce_sums *parts;      // one for each unit
  bool backward;
  int64_t width, per_sample;  // of tiles
  bool packs;
} ce_job;

static inline int64_t target_at(const ce_job *j, int64_t p) { return tc_target_at(j->target, j->target_dtype, p); }

// A storage element as a number that computes, and back.
static inline float value_f32(float x) { return x; }
static inline double value_f64(double x) { return x; }
static inline float value_f16(uint16_t x) { return tc_f32_of_f16(x); }
static inline float value_bf16(uint16_t x) { return tc_f32_of_bf16(x); }
static inline float stored_f32(float x) { return x; }
static inline double stored_f64(double x) { return x; }
static inline uint16_t stored_f16(float x) { return tc_f16_of_f32(x); }
static inline uint16_t stored_bf16(float x) { return tc_bf16_of_f32(x); }

#define TC_FLOAT_TEMPLATE "cross_entropy_impl.h"
#include "each_float.h"

// A unit of work, and of summation: a group of lines (inner 1), or a tile of one sample.
static inline int64_t lines_per_unit(const ce_job *j) { return 1 + 8192 / (j->c + 1); }
static inline int64_t units_of(const ce_job *j) {
  return j->inner == 1 ? (j->n + lines_per_unit(j) - 1) / lines_per_unit(j) : j->n * j->per_sample;
}

static ce_job with_tiles(ce_job j) {
  j.width = 1;
  if (j.inner > 1 && j.c > 0) j.width = j.dtype == TC_F64 ? tile_width_f64(j.c, &j.packs) : tile_width_f32(j.c, &j.packs);
  j.per_sample = (j.inner + j.width - 1) / j.width;
  return j;
}

static void run(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const ce_job *j = ctx;
  const int64_t group = lines_per_unit(j);
  for (int64_t u = begin; u < end; u++) {
    const int64_t first = u * group, last = first + group < j->n ? first + group : j->n;
    const int64_t column = u % j->per_sample * j->width;
    const int64_t width = j->inner - column < j->width ? j->inner - column : j->width;
    ce_sums sums = {0, 0};
#define RUN_UNIT(suffix)                                                              \
  if (j->inner == 1) {                                                                \
    if (j->backward) backward_lines_##suffix(j, first, last);                         \
    else forward_lines_##suffix(j, first, last, &sums);                               \
  } else {                                                                            \
    if (j->backward) backward_tile_##suffix(j, u / j->per_sample, column, width);        \
    else forward_tile_##suffix(j, u / j->per_sample, column, width, &sums);              \
  }                                                                                   \
  break;
    switch (j->dtype) {
      case TC_F32: RUN_UNIT(f32)
      case TC_F64: RUN_UNIT(f64)
      case TC_F16: RUN_UNIT(f16)
      default: RUN_UNIT(bf16)
    }
#undef RUN_UNIT
    if (!j->backward) j->parts[u] = sums;
  }
}

static int32_t launch(ce_job *j) {
  if (!tc_is_floating(j->dtype)) return tc_unsupported(j->dtype);
  const int32_t status = tc_check_targets(j->target, j->target_dtype, j->n * j->inner, j->c, j->ignore_index);
  if (status != TC_OK || j->n * j->inner == 0) return status;
  j->weight_sum = (double)j->c;
  if (j->weight) {
    j->weight_sum = 0;
    for (int64_t k = 0; k < j->c; k++) j->weight_sum += tc_number_at(j->weight, j->dtype, k);
  }
  const int64_t unit_elements = j->c * (j->inner == 1 ? lines_per_unit(j) : j->inner < j->width ? j->inner : j->width);
  tc_parallel_for(units_of(j), 1 + 4096 / (unit_elements + 1), run, j);
  return TC_OK;
}

static ce_job forward_job(const tc_cross_entropy_args *a) {
  return with_tiles((ce_job){
      .dtype = a->dtype, .target_dtype = a->target_dtype, .reduction = a->reduction,
      .ignore_index = a->ignore_index, .n = a->n, .c = a->c, .inner = a->inner, .smoothing = a->label_smoothing,
      .in = TC_PTR(const void, a->in), .target = TC_PTR(const void, a->target),
      .weight = TC_PTR(const void, a->weight), .probs = TC_PTR(void, a->probs),
      .out = a->reduction == TC_REDUCTION_NONE ? TC_PTR(void, a->out) : NULL,
      .parts = TC_PTR(ce_sums, a->scratch)});
}

int64_t tc_cross_entropy_scratch(const tc_cross_entropy_args *a) {
  const ce_job j = forward_job(a);
  return units_of(&j) * (int64_t)sizeof(ce_sums);
}

int32_t tc_cross_entropy(const tc_cross_entropy_args *a) {
  ce_job j = forward_job(a);
  const int32_t status = launch(&j);
  if (status != TC_OK) return status;
  tc_finish_loss(j.parts, units_of(&j), j.reduction, j.dtype, TC_PTR(void, a->out), TC_PTR(void, a->total_weight));
  return TC_OK;
}

int32_t tc_cross_entropy_backward(const tc_cross_entropy_backward_args *a) {
  ce_job j = with_tiles((ce_job){
      .dtype = a->dtype, .target_dtype = a->target_dtype, .reduction = a->reduction,
      .ignore_index = a->ignore_index, .n = a->n, .c = a->c, .inner = a->inner, .smoothing = a->label_smoothing,
      .in = TC_PTR(const void, a->probs), .target = TC_PTR(const void, a->target),
      .weight = TC_PTR(const void, a->weight), .grad = TC_PTR(const void, a->grad),
      .total_weight = TC_PTR(const void, a->total_weight), .probs = TC_PTR(void, a->grad_in), .backward = true});
  return launch(&j);
}
