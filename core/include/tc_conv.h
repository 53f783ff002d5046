// Convolution over one to three spatial dimensions, with groups, and its gradients.
#ifndef TC_CONV_H
#define TC_CONV_H

// How the products are formed. AUTO and the exact ways agree to rounding order; Winograd multiplies 3x3 stride 1
// windows in a transformed basis (fewer products, a somewhat larger rounding error) and is used only when asked for.
typedef enum { TC_CONV_AUTO = 0, TC_CONV_WINOGRAD = 1 } tc_conv_algorithm;

// One struct serves the three kernels. All tensors are contiguous; spatial triples are (depth, height, width), and
// fewer spatial dimensions leave the leading ones at size 1, kernel 1, stride 1, padding 0, dilation 1.
//   x       (batch, in_channels, in_size...)
//   weight  (out_channels, in_channels / groups, kernel...)
//   y       (batch, out_channels, out_size...)
// `padding` is what lies before the first element; what lies past the last one follows from out_size, so "same"
// padding of an even kernel needs no extra copy. A window may stick out anywhere: elements outside x count as zero.
// float32, float64, float16 and bfloat16 (the latter two accumulate in float32 and round once).
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  int64_t batch, groups, in_channels, out_channels;
  int64_t in_size[3], out_size[3], kernel[3], stride[3], padding[3], dilation[3];
  uint64_t x, weight, bias, y;
  int64_t act;        // tc_activation, applied last by tc_conv and tc_conv_backward_input
  int64_t algorithm;  // tc_conv_algorithm
} tc_conv_args;

// y = act(conv(x, weight) + bias); bias (out_channels) or 0.
TC_EXPORT(tc_conv) int32_t tc_conv(const tc_conv_args *a);
TC_EXPORT(tc_conv_scratch) int64_t tc_conv_scratch(const tc_conv_args *a);

// x = act(gradient of conv with respect to its input, given y = the gradient of its output, + bias); all of x is
// written. bias (in_channels) or 0: with it this is the forward pass of a transposed convolution whose input is y.
TC_EXPORT(tc_conv_backward_input) int32_t tc_conv_backward_input(const tc_conv_args *a);
TC_EXPORT(tc_conv_backward_input_scratch) int64_t tc_conv_backward_input_scratch(const tc_conv_args *a);

// weight = gradient with respect to the weight, bias (out_channels) = gradient with respect to the bias, from x and
// y = the gradient of the output. Either of weight and bias may be 0. The order of accumulation depends on the
// arguments and the thread count alone.
TC_EXPORT(tc_conv_backward_weight) int32_t tc_conv_backward_weight(const tc_conv_args *a);
TC_EXPORT(tc_conv_backward_weight_scratch) int64_t tc_conv_backward_weight_scratch(const tc_conv_args *a);

#endif
