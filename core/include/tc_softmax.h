// Softmax and log-softmax along the middle dimension of contiguous (outer, n, inner) tensors, and their backwards.
#ifndef TC_SOFTMAX_H
#define TC_SOFTMAX_H

// float32, float64, and float16/bfloat16 (float32 inside, rounded once at the end). in and out have the same dtype
// and may be the same tensor. A line of which every entry is -inf, or that holds a NaN or +inf, gives NaN as in PyTorch.
typedef struct {
  int64_t log;    // 0: softmax, 1: log_softmax
  int64_t dtype;
  uint64_t in, out;
  int64_t outer, n, inner;
} tc_softmax_args;

TC_EXPORT(tc_softmax) int32_t tc_softmax(const tc_softmax_args *a);

// softmax:     grad_in = out * (grad - sum(grad * out))
// log_softmax: grad_in = grad - exp(out) * sum(grad)
// All of one dtype and shape; grad_in may be grad.
typedef struct {
  int64_t log;
  int64_t dtype;
  uint64_t grad, out, grad_in;  // out: what the forward returned
  int64_t outer, n, inner;
} tc_softmax_backward_args;

TC_EXPORT(tc_softmax_backward) int32_t tc_softmax_backward(const tc_softmax_backward_args *a);

#endif
