// tc_ctc, tc_ctc_backward: connectionist temporal classification (core/ctc.c has the equations). A block takes a sample,
// its threads the states of a time step.
#include "words.cuh"

namespace tc {
namespace {

constexpr int kThreads = 128;

// The labels of one sample with blanks before, between and after them.
struct Labels {
  const void *target;
  int dtype;
  int64_t start, blank, classes;
  // A label outside the classes (reported) counts as the blank.
  TC_FN int64_t at(int64_t s) const {
    if (s % 2 == 0) return blank;
    const int64_t label = load_as<int64_t>(dtype, target, start + s / 2);
    return label >= 0 && label < classes ? label : blank;
  }
};

TC_FN Labels labels_of(const tc_ctc_args &a, int64_t b) {
  int64_t start = b * a.target_stride;
  if (a.target_stride == 0)
    for (int64_t i = 0; i < b; i++) start += TC_PTR(const int64_t, a.target_length)[i];
  return {TC_PTR(const void, a.target), int(a.target_dtype), start, a.blank, a.c};
}

TC_FN double log_sum(double x, double y, double z) {
  const double most = v_max(v_max(x, y), z);
  return most == -INFINITY ? most : log(exp(x - most) + exp(y - most) + exp(z - most)) + most;
}

template <class T> struct Sample {
  const tc_ctc_args &a;
  int64_t b;
  TC_FN int64_t step_at(int64_t t, int64_t k) const { return (t * a.n + b) * a.c + k; }
  TC_FN int64_t alpha_at(int64_t t, int64_t s) const { return (b * a.t + t) * (2 * a.s + 1) + s; }
  TC_FN double log_prob(int64_t t, int64_t k) const { return double(TC_PTR(const T, a.log_probs)[step_at(t, k)]); }
};

template <class T> __global__ void __launch_bounds__(kThreads) forward_kernel(TC_ARG(tc_ctc_args) a, DeviceError *error) {
  for (int64_t b = blockIdx.x; b < a.n; b += gridDim.x) {
    const Sample<T> sample = {a, b};
    const Labels l = labels_of(a, b);
    const int64_t steps = TC_PTR(const int64_t, a.input_length)[b];
    const int64_t labels = TC_PTR(const int64_t, a.target_length)[b], states = 2 * labels + 1;
    for (int64_t i = threadIdx.x; i < labels; i += kThreads) {
      const int64_t label = load_as<int64_t>(l.dtype, l.target, l.start + i);
      if (label < 0 || label >= a.c) raise(error, TC_KERNEL_ctc, TC_INDEX_OUT_OF_RANGE, label, a.c, l.start + i, 2);
    }
    T *const alpha = TC_PTR(T, a.alpha);
    for (int64_t i = sample.alpha_at(0, 0) + threadIdx.x; i < sample.alpha_at(a.t, 0); i += kThreads) alpha[i] = T(-INFINITY);
    for (int64_t t = 0; t < steps; t++) {
      __syncthreads();
      for (int64_t s = threadIdx.x; s < states; s += kThreads) {
        const int64_t label = l.at(s);
        double before = s < 2 ? 0 : -INFINITY;
        if (t > 0) {
          const T *const last = alpha + sample.alpha_at(t - 1, 0);
          before = log_sum(double(last[s]), s > 0 ? double(last[s - 1]) : -INFINITY,
                           s > 1 && l.at(s - 2) != label ? double(last[s - 2]) : -INFINITY);
        }
        if (t > 0 || s < 2) alpha[sample.alpha_at(t, s)] = T(before + sample.log_prob(t, label));
      }
    }
    __syncthreads();
    if (threadIdx.x != 0) continue;
    double loss = states == 1 ? 0 : INFINITY;
    if (steps > 0) {
      const T *const last = alpha + sample.alpha_at(steps - 1, 0);
      loss = -log_sum(double(last[states - 1]), states > 1 ? double(last[states - 2]) : -INFINITY, -INFINITY);
    }
    TC_PTR(T, a.loss)[b] = T(loss);
  }
}

template <class T> __global__ void __launch_bounds__(kThreads) backward_kernel(TC_ARG(tc_ctc_args) a) {
  for (int64_t b = blockIdx.x; b < a.n; b += gridDim.x) {
    const Sample<T> sample = {a, b};
    const Labels l = labels_of(a, b);
    const int64_t steps = TC_PTR(const int64_t, a.input_length)[b];
    const int64_t states = 2 * TC_PTR(const int64_t, a.target_length)[b] + 1;
    const T *const alpha = TC_PTR(const T, a.alpha);
    T *const grad_in = TC_PTR(T, a.grad_in);
    const double loss = double(TC_PTR(const T, a.loss)[b]), g = double(TC_PTR(const T, a.grad)[b]);
    const bool nothing = a.zero_infinity && loss == INFINITY;
    for (int64_t t = nothing ? 0 : steps; t < a.t; t++)
      for (int64_t k = threadIdx.x; k < a.c; k += kThreads) grad_in[sample.step_at(t, k)] = T(0);
    if (nothing) continue;
    double *beta = TC_PTR(double, a.scratch) + b * 2 * (2 * a.s + 1), *next = beta + 2 * a.s + 1;
    for (int64_t t = steps - 1; t >= 0; t--) {
      __syncthreads();
      for (int64_t s = threadIdx.x; s < states; s += kThreads) {
        const int64_t label = l.at(s);
        double sum = s >= states - 2 ? 0 : -INFINITY;
        if (t < steps - 1)
          sum = log_sum(next[s], s + 1 < states ? next[s + 1] : -INFINITY,
                        s + 2 < states && l.at(s + 2) != label ? next[s + 2] : -INFINITY);
        beta[s] = sum + sample.log_prob(t, label);
      }
      // Classes that no state is labelled with, then one state of each label for the rest.
      for (int64_t k = threadIdx.x; k < a.c; k += kThreads) {
        const double lp = sample.log_prob(t, k);
        grad_in[sample.step_at(t, k)] = T((exp(lp) - exp(-INFINITY + loss - lp)) * g);
      }
      __syncthreads();
      for (int64_t s = threadIdx.x; s < states; s += kThreads) {
        const int64_t label = l.at(s);
        bool first = true;
        for (int64_t r = s == 0 ? 0 : label == a.blank ? 0 : 1; r < s && first; r++) first = l.at(r) != label;
        if (!first) continue;
        double collected = -INFINITY;
        for (int64_t r = s; r < states; r++)
          if (l.at(r) == label) collected = log_sum(collected, double(alpha[sample.alpha_at(t, r)]) + beta[r], -INFINITY);
        const double lp = sample.log_prob(t, label);
        grad_in[sample.step_at(t, label)] = T((exp(lp) - exp(collected + loss - lp)) * g);
      }
      double *const swap = beta;
      beta = next;
      next = swap;
    }
    __syncthreads();
  }
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_ctc) int32_t tc_ctc(const tc_ctc_args *a) {
  const Frame f(TC_KERNEL_ctc);
  if (f.status != TC_OK || a->n == 0) return f.status;
  const unsigned blocks = f.blocks(a->n, 1);
  if (a->dtype == TC_F32) TC_LAUNCH(forward_kernel<float>, blocks, kThreads, 0, f.stream, *a, f.error);
  else if (a->dtype == TC_F64) TC_LAUNCH(forward_kernel<double>, blocks, kThreads, 0, f.stream, *a, f.error);
  else return unsupported(a->dtype);
  return f.end();
}

TC_EXPORT(tc_ctc_backward_scratch) int64_t tc_ctc_backward_scratch(const tc_ctc_args *a) {
  return a->n * 2 * (2 * a->s + 1) * int64_t(sizeof(double));
}

TC_EXPORT(tc_ctc_backward) int32_t tc_ctc_backward(const tc_ctc_args *a) {
  const Frame f(TC_KERNEL_ctc_backward);
  if (f.status != TC_OK || a->n == 0) return f.status;
  const unsigned blocks = f.blocks(a->n, 1);
  if (a->dtype == TC_F32) TC_LAUNCH(backward_kernel<float>, blocks, kThreads, 0, f.stream, *a);
  else if (a->dtype == TC_F64) TC_LAUNCH(backward_kernel<double>, blocks, kThreads, 0, f.stream, *a);
  else return unsupported(a->dtype);
  return f.end();
}
