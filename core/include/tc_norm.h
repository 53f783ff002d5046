// Batch, layer and group normalisation, and their gradients.
//
// x, y and their gradients are contiguous and of `dtype` (float32, float64, float16, bfloat16). Weights, biases,
// running statistics and the gradients of weights and biases are of `param_dtype`: `dtype` or float32. Statistics saved
// for the backward pass are float64 for float64 and float32 for all else. float16 and bfloat16 compute in float32.
// Every weight and bias may be 0; every gradient output (dx, dweight, dbias) may be 0.
#ifndef TC_NORM_H
#define TC_NORM_H

// Shapes: x, y, dy, dx (batch, channels, spatial); everything else (channels).
typedef struct {
  uint64_t scratch;
  int64_t dtype, param_dtype;
  int64_t batch, channels, spatial;
  int64_t training;   // statistics: 1 of the batch, 0 the running ones
  double eps, momentum;
  uint64_t x, y, weight, bias;
  uint64_t running_mean, running_var;  // training: updated if given, with the unbiased variance; else read
  uint64_t save_mean, save_invstd;     // training: written by forward, read by backward; else unused
  uint64_t dy, dx, dweight, dbias;     // backward only
} tc_batch_norm_args;

// y = (x - mean) / sqrt(var + eps) * weight + bias.
TC_EXPORT(tc_batch_norm) int32_t tc_batch_norm(const tc_batch_norm_args *a);
TC_EXPORT(tc_batch_norm_scratch) int64_t tc_batch_norm_scratch(const tc_batch_norm_args *a);
TC_EXPORT(tc_batch_norm_backward) int32_t tc_batch_norm_backward(const tc_batch_norm_args *a);
TC_EXPORT(tc_batch_norm_backward_scratch) int64_t tc_batch_norm_backward_scratch(const tc_batch_norm_args *a);

// Shapes: x, y, dy, dx (rows, cols); weight, bias, dweight, dbias (cols); mean, rstd (rows), written by forward (if
// given) and read by backward.
typedef struct {
  uint64_t scratch;
  int64_t dtype, param_dtype;
  int64_t rows, cols;
  double eps;
  uint64_t x, y, weight, bias, mean, rstd;
  uint64_t dy, dx, dweight, dbias;  // backward only
} tc_layer_norm_args;

TC_EXPORT(tc_layer_norm) int32_t tc_layer_norm(const tc_layer_norm_args *a);
TC_EXPORT(tc_layer_norm_backward) int32_t tc_layer_norm_backward(const tc_layer_norm_args *a);
TC_EXPORT(tc_layer_norm_backward_scratch) int64_t tc_layer_norm_backward_scratch(const tc_layer_norm_args *a);

// Shapes: x, y, dy, dx (batch, channels, spatial); weight, bias, dweight, dbias (channels); mean, rstd
// (batch, groups), written by forward (if given) and read by backward. Instance normalisation: groups = channels.
typedef struct {
  uint64_t scratch;
  int64_t dtype, param_dtype;
  int64_t batch, channels, spatial, groups;
  double eps;
  uint64_t x, y, weight, bias, mean, rstd;
  uint64_t dy, dx, dweight, dbias;  // backward only
} tc_group_norm_args;

TC_EXPORT(tc_group_norm) int32_t tc_group_norm(const tc_group_norm_args *a);
TC_EXPORT(tc_group_norm_backward) int32_t tc_group_norm_backward(const tc_group_norm_args *a);
TC_EXPORT(tc_group_norm_backward_scratch) int64_t tc_group_norm_backward_scratch(const tc_group_norm_args *a);

#endif
