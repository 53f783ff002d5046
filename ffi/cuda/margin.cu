// tc_multi_margin, tc_multilabel_margin and their backwards. A thread takes a sample; sums are in float64, and one block
// joins them in a fixed order: losses of this kind are small.
#include "words.cuh"

namespace tc {
namespace {

constexpr int kThreads = 256;

TC_FN double number(const tc_margin_args &a, uint64_t data, int64_t i) {
  return load_as<double>(int(a.dtype), TC_PTR(const void, data), i);
}
TC_FN void put(const tc_margin_args &a, uint64_t data, int64_t i, double v) {
  store_as<double>(int(a.dtype), TC_PTR(void, data), i, v);
}

// What every term's gradient is multiplied by, for sample i.
TC_FN double factor(const tc_margin_args &a, int64_t i) {
  const double g = number(a, a.grad, a.reduction == TC_REDUCTION_NONE ? i : 0);
  return g / (a.reduction == TC_REDUCTION_MEAN ? double(a.n * a.c) : double(a.c));
}

// The label of a sample; a bad one is reported and counts as the first.
TC_FN int64_t label_of(const tc_margin_args &a, int64_t i, int kernel, DeviceError *error) {
  const int64_t t = TC_PTR(const int64_t, a.target)[i];
  if (t >= 0 && t < a.c) return t;
  raise(error, kernel, TC_INDEX_OUT_OF_RANGE, t, a.c, i, 1);
  return 0;
}

TC_FN double multi_loss(const tc_margin_args &a, int64_t i, DeviceError *error) {
  const int64_t t = label_of(a, i, TC_KERNEL_multi_margin, error);
  const double x_t = number(a, a.in, i * a.c + t);
  double loss = 0;
  for (int64_t k = 0; k < a.c; k++) {
    const double z = a.margin - x_t + number(a, a.in, i * a.c + k);
    if (k != t && z > 0) loss += a.p == 1 ? z : z * z;
  }
  return (a.weight ? loss * number(a, a.weight, t) : loss) / double(a.c);
}

__global__ void multi_backward_kernel(TC_ARG(tc_margin_args) a, DeviceError *error) {
  for (int64_t i = thread_index(); i < a.n; i += thread_count()) {
    const int64_t t = label_of(a, i, TC_KERNEL_multi_margin_backward, error), row = i * a.c;
    const double x_t = number(a, a.in, row + t), g = factor(a, i) * (a.weight ? number(a, a.weight, t) : 1);
    double at_t = 0;
    for (int64_t k = 0; k < a.c; k++) {
      const double z = a.margin - x_t + number(a, a.in, row + k);
      const double h = k == t || !(z > 0) ? 0 : a.p == 1 ? g : 2 * g * z;
      at_t -= h;
      if (k != t) put(a, a.grad_in, row + k, h);
    }
    put(a, a.grad_in, row + t, at_t);
  }
}

// Labels of a row: up to the first that is none.
TC_FN int64_t labels_in(const tc_margin_args &a, const int64_t *row) {
  int64_t count = 0;
  while (count < a.c && row[count] >= 0 && row[count] < a.c) count++;
  return count;
}

TC_FN double multilabel_loss(const tc_margin_args &a, int64_t i, DeviceError *error) {
  const int64_t row = i * a.c;
  const int64_t *const target = TC_PTR(const int64_t, a.target) + row;
  const int64_t count = labels_in(a, target);
  for (int64_t k = 0; k < a.c; k++) {
    if (target[k] < -1 || target[k] >= a.c)
      raise(error, TC_KERNEL_multilabel_margin, TC_INDEX_OUT_OF_RANGE, target[k], a.c, row + k, 1);
    put(a, a.is_target, row + k, 0);
  }
  for (int64_t l = 0; l < count; l++) put(a, a.is_target, row + target[l], 1);
  double loss = 0;
  for (int64_t l = 0; l < count; l++) {
    const double x_t = number(a, a.in, row + target[l]);
    for (int64_t k = 0; k < a.c; k++) {
      const double z = 1 - x_t + number(a, a.in, row + k);
      if (z > 0 && number(a, a.is_target, row + k) == 0) loss += z;
    }
  }
  return loss / double(a.c);
}

__global__ void multilabel_backward_kernel(TC_ARG(tc_margin_args) a) {
  for (int64_t i = thread_index(); i < a.n; i += thread_count()) {
    const int64_t row = i * a.c;
    const int64_t *const target = TC_PTR(const int64_t, a.target) + row;
    const int64_t count = labels_in(a, target);
    const double g = factor(a, i);
    for (int64_t k = 0; k < a.c; k++) put(a, a.grad_in, row + k, 0);
    for (int64_t l = 0; l < count; l++) {
      const int64_t t = row + target[l];
      const double x_t = number(a, a.in, t);
      double at_t = number(a, a.grad_in, t);
      for (int64_t k = row; k < row + a.c; k++) {
        if (number(a, a.is_target, k) != 0 || !(1 - x_t + number(a, a.in, k) > 0)) continue;
        at_t -= g;
        put(a, a.grad_in, k, number(a, a.grad_in, k) + g);
      }
      put(a, a.grad_in, t, at_t);
    }
  }
}

template <bool MULTILABEL>
__global__ void __launch_bounds__(kThreads) loss_kernel(TC_ARG(tc_margin_args) a, DeviceError *error) {
  __shared__ double shared[kThreads];
  double total = 0;
  for (int64_t i = threadIdx.x; i < a.n; i += kThreads) {
    const double loss = MULTILABEL ? multilabel_loss(a, i, error) : multi_loss(a, i, error);
    if (a.reduction == TC_REDUCTION_NONE) put(a, a.out, i, loss);
    total += loss;
  }
  if (a.reduction == TC_REDUCTION_NONE) return;
  shared[threadIdx.x] = total;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (int(threadIdx.x) < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  if (threadIdx.x == 0) put(a, a.out, 0, a.reduction == TC_REDUCTION_MEAN ? shared[0] / double(a.n) : shared[0]);
}

bool is_supported(const tc_margin_args *a) { return a->dtype == TC_F32 || a->dtype == TC_F64; }

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_multi_margin) int32_t tc_multi_margin(const tc_margin_args *a) {
  const Frame f(TC_KERNEL_multi_margin);
  if (f.status != TC_OK) return f.status;
  if (!is_supported(a)) return unsupported(a->dtype);
  TC_LAUNCH(loss_kernel<false>, 1, kThreads, 0, f.stream, *a, f.error);
  return f.end();
}
TC_EXPORT(tc_multilabel_margin) int32_t tc_multilabel_margin(const tc_margin_args *a) {
  const Frame f(TC_KERNEL_multilabel_margin);
  if (f.status != TC_OK) return f.status;
  if (!is_supported(a)) return unsupported(a->dtype);
  TC_LAUNCH(loss_kernel<true>, 1, kThreads, 0, f.stream, *a, f.error);
  return f.end();
}
TC_EXPORT(tc_multi_margin_backward) int32_t tc_multi_margin_backward(const tc_margin_args *a) {
  const Frame f(TC_KERNEL_multi_margin_backward);
  if (f.status != TC_OK || a->n == 0) return f.status;
  if (!is_supported(a)) return unsupported(a->dtype);
  TC_LAUNCH(multi_backward_kernel, f.blocks(a->n, 128), 128, 0, f.stream, *a, f.error);
  return f.end();
}
TC_EXPORT(tc_multilabel_margin_backward) int32_t tc_multilabel_margin_backward(const tc_margin_args *a) {
  const Frame f(TC_KERNEL_multilabel_margin_backward);
  if (f.status != TC_OK || a->n == 0) return f.status;
  if (!is_supported(a)) return unsupported(a->dtype);
  TC_LAUNCH(multilabel_backward_kernel, f.blocks(a->n, 128), 128, 0, f.stream, *a);
  return f.end();
}
