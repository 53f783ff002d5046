// The normalisation kernels: choice of the arithmetic.
#include "norm.h"

#include "status.h"

// float32 arithmetic serves the narrower types too.
static bool is_supported(int64_t dtype, int64_t param_dtype) {
  const bool half = dtype == TC_F16 || dtype == TC_BF16;
  return (dtype == TC_F64 && param_dtype == TC_F64) || (dtype == TC_F32 && param_dtype == TC_F32) ||
         (half && (param_dtype == dtype || param_dtype == TC_F32));
}

#define LAUNCH(kernel, ...)                                                                    \
  if (!is_supported(a->dtype, a->param_dtype)) return tc_unsupported(a->dtype);                \
  if (a->dtype == TC_F64) {                                                                    \
    kernel##_f64(__VA_ARGS__);                                                                 \
  } else {                                                                                     \
    kernel##_f32(__VA_ARGS__);                                                                 \
  }                                                                                            \
  return TC_OK

int32_t tc_batch_norm(const tc_batch_norm_args *a) { LAUNCH(tc_batch_norm, a, false); }
int32_t tc_batch_norm_backward(const tc_batch_norm_args *a) { LAUNCH(tc_batch_norm, a, true); }
int64_t tc_batch_norm_scratch(const tc_batch_norm_args *a) {
  return a->dtype == TC_F64 ? tc_batch_norm_scratch_f64(a) : tc_batch_norm_scratch_f32(a);
}
int64_t tc_batch_norm_backward_scratch(const tc_batch_norm_args *a) { return tc_batch_norm_scratch(a); }

int32_t tc_layer_norm(const tc_layer_norm_args *a) { LAUNCH(tc_layer_norm, a); }
int32_t tc_layer_norm_backward(const tc_layer_norm_args *a) { LAUNCH(tc_layer_norm_backward, a); }
int64_t tc_layer_norm_backward_scratch(const tc_layer_norm_args *a) {
  return a->dtype == TC_F64 ? tc_layer_norm_backward_scratch_f64(a) : tc_layer_norm_backward_scratch_f32(a);
}

int32_t tc_group_norm(const tc_group_norm_args *a) { LAUNCH(tc_group_norm, a); }
int32_t tc_group_norm_backward(const tc_group_norm_args *a) { LAUNCH(tc_group_norm_backward, a); }
int64_t tc_group_norm_backward_scratch(const tc_group_norm_args *a) {
  return a->batch * a->channels * 2 * (int64_t)sizeof(double);
}
