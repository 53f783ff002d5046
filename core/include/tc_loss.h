// Losses that are more than a chain of pointwise kernels. Classes lie in the middle: (n, c, inner), inner = H * W ...
// (1 for a plain batch, and n = 1 for a single sample). Everything is contiguous.
#ifndef TC_LOSS_H
#define TC_LOSS_H

typedef enum { TC_REDUCTION_NONE = 0, TC_REDUCTION_MEAN = 1, TC_REDUCTION_SUM = 2 } tc_reduction;

// A target that is neither ignore_index nor in [0, c): TC_INDEX_OUT_OF_RANGE {target, c, position, 1}, before anything is
// written.

// Negative log likelihood of given log-probabilities.
//   out = -weight[t] * in[n, t, i]                   NONE: (n, inner), ignored places 0
//   SUM: their sum; MEAN: their sum / total_weight   one element
// total_weight (one element, sum of the weights of the targets that count) is written except with NONE (0 then).
typedef struct {
  uint64_t scratch;
  int64_t dtype;         // of in, weight, out, total_weight: float32, float64, float16, bfloat16
  int64_t target_dtype;  // TC_I64 or TC_U8
  int64_t reduction;
  int64_t ignore_index;
  uint64_t in, target, weight;  // (n, c, inner), (n, inner), (c) or 0
  uint64_t out, total_weight;
  int64_t n, c, inner;
} tc_nll_args;

TC_EXPORT(tc_nll) int32_t tc_nll(const tc_nll_args *a);
TC_EXPORT(tc_nll_scratch) int64_t tc_nll_scratch(const tc_nll_args *a);

// grad_in (n, c, inner) is written whole: 0 but at the targets.
typedef struct {
  int64_t dtype, target_dtype;
  int64_t reduction;
  int64_t ignore_index;
  uint64_t grad;          // (n, inner) with NONE, else one element
  uint64_t target, weight;
  uint64_t total_weight;  // from the forward; read with MEAN only
  uint64_t grad_in;
  int64_t n, c, inner;
} tc_nll_backward_args;

TC_EXPORT(tc_nll_backward) int32_t tc_nll_backward(const tc_nll_backward_args *a);

// cross_entropy with class indices: log_softmax, nll_loss and label smoothing in one pass over the logits.
//   loss = (1 - s) * nll + s / c * (sum of -weight[k] * log_prob[k] over k), reduced as nll
typedef struct {
  uint64_t scratch;
  int64_t dtype;         // of in, weight, out, total_weight, probs
  int64_t target_dtype;  // TC_I64 or TC_U8
  int64_t reduction;
  int64_t ignore_index;
  double label_smoothing;
  uint64_t in, target, weight;  // logits (n, c, inner), (n, inner), (c) or 0
  uint64_t out, total_weight;   // as tc_nll
  uint64_t probs;               // (n, c, inner): softmax(in), for the backward; 0: not wanted
  int64_t n, c, inner;
} tc_cross_entropy_args;

TC_EXPORT(tc_cross_entropy) int32_t tc_cross_entropy(const tc_cross_entropy_args *a);
TC_EXPORT(tc_cross_entropy_scratch) int64_t tc_cross_entropy_scratch(const tc_cross_entropy_args *a);

// The gradient of the logits, in one pass; grad_in may be probs.
typedef struct {
  int64_t dtype, target_dtype;
  int64_t reduction;
  int64_t ignore_index;
  double label_smoothing;
  uint64_t grad;                 // (n, inner) with NONE, else one element
  uint64_t probs, target, weight;
  uint64_t total_weight;         // from the forward; read with MEAN only
  uint64_t grad_in;
  int64_t n, c, inner;
} tc_cross_entropy_backward_args;

TC_EXPORT(tc_cross_entropy_backward) int32_t tc_cross_entropy_backward(const tc_cross_entropy_backward_args *a);

// multi_margin_loss: sum over k != t of weight[t] * max(0, margin - x[t] + x[k])^p, over c. in (n, c), target int64 (n).
// multilabel_margin_loss: target int64 (n, c), each row a list of labels ended by -1;
//   sum over labels t and non-labels k of max(0, 1 - (x[t] - x[k])), over c. Its is_target (n, c) of the in dtype is written too.
// Out of range targets: TC_INDEX_OUT_OF_RANGE {target, c, position, 1}.
typedef struct {
  int64_t dtype;     // float32, float64
  int64_t reduction;
  double p;          // multi_margin: 1 or 2
  double margin;     // multi_margin
  uint64_t in, target;
  uint64_t weight;   // multi_margin: (c) or 0
  uint64_t out;      // forward: (n) with NONE, else one element
  uint64_t is_target;  // multilabel_margin: written by the forward, read by the backward
  uint64_t grad, grad_in;  // backward: grad like out, grad_in (n, c)
  int64_t n, c;
} tc_margin_args;

TC_EXPORT(tc_multi_margin) int32_t tc_multi_margin(const tc_margin_args *a);
TC_EXPORT(tc_multi_margin_backward) int32_t tc_multi_margin_backward(const tc_margin_args *a);
TC_EXPORT(tc_multilabel_margin) int32_t tc_multilabel_margin(const tc_margin_args *a);
TC_EXPORT(tc_multilabel_margin_backward) int32_t tc_multilabel_margin_backward(const tc_margin_args *a);

// Connectionist temporal classification (Graves et al. 2006), PyTorch's CPU algorithm: the reduction over the batch
// is TypeScript's. log_probs (t, n, c); alpha (n, t, 2 * s + 1) where s = the longest target.
// Forward writes loss (n) and alpha. Backward reads them and writes grad_in (t, n, c); grad (n).
// Lengths are checked by TypeScript; a label outside [0, c): TC_INDEX_OUT_OF_RANGE {label, c, position, 2}.
typedef struct {
  uint64_t scratch;      // backward: tc_ctc_backward_scratch bytes
  int64_t dtype;         // float32, float64
  int64_t target_dtype;  // TC_I64 or TC_I32
  uint64_t log_probs;
  uint64_t target;       // (n, target_stride) padded, or all labels one after another if target_stride is 0
  int64_t target_stride;
  uint64_t input_length, target_length;  // int64 (n)
  uint64_t loss, alpha;
  uint64_t grad, grad_in;
  int64_t t, n, c, s;
  int64_t blank;
  int64_t zero_infinity;  // backward: no gradient where the loss is infinite (the forward leaves inf)
} tc_ctc_args;

TC_EXPORT(tc_ctc) int32_t tc_ctc(const tc_ctc_args *a);
TC_EXPORT(tc_ctc_backward) int32_t tc_ctc_backward(const tc_ctc_args *a);
TC_EXPORT(tc_ctc_backward_scratch) int64_t tc_ctc_backward_scratch(const tc_ctc_args *a);

#endif
