// tc_optim_step and tc_multi: one launch works on many tensors. The table that describes them lies on the device, like
// all that a struct points to, so the host does not know the sizes: every tensor gets the same number of blocks, and a
// block that finds nothing to do ends.
#include "words.cuh"

namespace tc {
namespace {

constexpr int64_t kMostTensors = 65535;  // of a launch: the grid's second dimension has 16 bits

// The numbers of a step that all tensors share.
struct Step {
  int maximize, nesterov, amsgrad, use_momentum;
  double lr, weight_decay, momentum, dampening, beta1, beta2, eps;
};

// What Adam derives from a tensor's step number; in float64, as Python does.
struct Corrections { double step_size, root; };
TC_FN Corrections corrections_of(const Step &s, double step) {
  return {s.lr / (1 - pow(s.beta1, step)), sqrt(1 - pow(s.beta2, step))};
}

// torch/optim/sgd.py, _single_tensor_sgd. Numbers are combined in float64 and rounded where PyTorch's operators do.
template <class T> struct Sgd {
  static TC_FN void apply(const Step &s, const tc_optim_tensor &t, const Corrections &, int64_t i, T *param, T g) {
    const T p = *param;
    if (s.weight_decay != 0) g += T(s.weight_decay) * p;
    if (s.use_momentum) {
      T *const buffer = TC_PTR(T, t.s1) + i;
      const T b = t.first ? g : T(s.momentum) * *buffer + T(1 - s.dampening) * g;
      *buffer = b;
      g = s.nesterov ? g + T(s.momentum) * b : b;
    }
    *param = p + T(-s.lr) * g;
  }
};

// torch/optim/adam.py, _single_tensor_adam; DECOUPLED: torch/optim/adamw.py.
template <class T, bool DECOUPLED> struct AdamRule {
  static TC_FN void apply(const Step &s, const tc_optim_tensor &t, const Corrections &c, int64_t i, T *param, T g) {
    T p = *param;
    if (DECOUPLED) p *= T(1 - s.lr * s.weight_decay);
    else if (s.weight_decay != 0) g += T(s.weight_decay) * p;
    T *const avg = TC_PTR(T, t.s1) + i, *const avg_sq = TC_PTR(T, t.s2) + i;
    const T m = T(s.beta1) * *avg + T(1 - s.beta1) * g, v = T(s.beta2) * *avg_sq + T(1 - s.beta2) * g * g;
    *avg = m;
    *avg_sq = v;
    T largest = v;
    if (s.amsgrad) {
      T *const max_sq = TC_PTR(T, t.s3) + i;
      largest = v_maximum(*max_sq, v);
      *max_sq = largest;
    }
    const T denominator = v_sqrt(largest) / T(c.root) + T(s.eps);
    *param = p + T(-c.step_size) * m / denominator;
  }
};
template <class T> using Adam = AdamRule<T, false>;
template <class T> using AdamW = AdamRule<T, true>;

template <template <class> class Rule, class T>
TC_FN void step_tensor(const Step &s, const tc_optim_tensor &t, const Corrections &c) {
  T *const param = TC_PTR(T, t.param);
  const T *const grad = TC_PTR(const T, t.grad);
  for (int64_t i = thread_index(); i < t.n; i += thread_count())
    Rule<T>::apply(s, t, c, i, param + i, s.maximize ? -grad[i] : grad[i]);
}

// Block (x, y): part x of tensor y. CORRECTS: the rule wants the corrections.
template <template <class> class Rule, bool CORRECTS>
__global__ void step_kernel(TC_ARG(Step) s, const tc_optim_tensor *tensors, DeviceError *error) {
  __shared__ tc_optim_tensor t;
  __shared__ Corrections c;
  if (threadIdx.x == 0) {
    t = tensors[blockIdx.y];
    if (CORRECTS && int64_t(blockIdx.x) * blockDim.x < t.n) c = corrections_of(s, t.step);
  }
  __syncthreads();
  if (t.dtype == TC_F32) step_tensor<Rule, float>(s, t, c);
  else if (t.dtype == TC_F64) step_tensor<Rule, double>(s, t, c);
  else if (threadIdx.x == 0) raise(error, TC_KERNEL_optim_step, TC_UNSUPPORTED, t.dtype, 0);
}

// Blocks for each of `count` tensors: together they fill the device several times over.
unsigned blocks_each(const Frame &f, int64_t count) {
  const int64_t blocks = int64_t(f.device->multiprocessors) * 16 / count;
  return unsigned(blocks < 4 ? 4 : blocks);
}

template <template <class> class Rule, bool CORRECTS>
void step_launch(const Frame &f, const Step &s, const tc_optim_tensor *tensors, int64_t count) {
  for (int64_t at = 0; at < count; at += kMostTensors) {
    const int64_t some = count - at < kMostTensors ? count - at : kMostTensors;
    TC_LAUNCH((step_kernel<Rule, CORRECTS>), dim3(blocks_each(f, some), unsigned(some)), 256, 0, f.stream, s, tensors + at, f.error);
  }
}

// Lists of tensors -------------------------------------------------------------------------------------------------------

// fn(Tag<T>) on the device.
template <class F> TC_FN void with_floating_on_device(int64_t dtype, F fn, int64_t op, DeviceError *error) {
  switch (dtype) {
    case TC_F32: fn(Tag<float>()); break;
    case TC_F64: fn(Tag<double>()); break;
    case TC_F16: fn(Tag<half_t>()); break;
    case TC_BF16: fn(Tag<bfloat_t>()); break;
    default: if (threadIdx.x == 0) raise(error, TC_KERNEL_multi, TC_UNSUPPORTED, dtype, op);
  }
}

TC_FN bool finite(float x) { return fabsf(x) < INFINITY; }
TC_FN bool finite(double x) { return fabs(x) < INFINITY; }

template <class T> TC_FN void change_tensor(const tc_multi_tensor &t, int op, double value, double *found) {
  using C = compute_t<T>;
  T *const x = TC_PTR(T, t.x);
  const T *const y = TC_PTR(const T, t.y);
  const C c = C(value);
  for (int64_t i = thread_index(); i < t.n; i += thread_count()) {
    const C v = convert<C>(x[i]);
    C r = v;
    switch (op) {
      case TC_MULTI_SCALE: r = v * c; break;
      case TC_MULTI_AXPY: r = v + c * convert<C>(y[i]); break;
      case TC_MULTI_LERP: {
        const C end = convert<C>(y[i]);
        r = v_abs(c) < C(0.5) ? v + c * (end - v) : end - (end - v) * (C(1) - c);
        break;
      }
      case TC_MULTI_UNSCALE:
        if (!finite(v)) *found = 1;  // every writer writes the same
        r = v * c;
        break;
      default: r = v_minimum(v_maximum(v, -c), c); break;
    }
    x[i] = convert<T>(r);
  }
}

__global__ void multi_kernel(int op, const tc_multi_tensor *tensors, double value, double *found, DeviceError *error) {
  const tc_multi_tensor t = tensors[blockIdx.y];
  if (op == TC_MULTI_ZERO) {  // any dtype
    for (int64_t i = thread_index(); i < t.n; i += thread_count()) store_as<int32_t>(int(t.dtype), TC_PTR(void, t.x), i, 0);
    return;
  }
  with_floating_on_device(t.dtype, [&](auto tag) {
    change_tensor<typename decltype(tag)::type>(t, op, value, found);
  }, op, error);
}

constexpr int kNormBlocks = 64;  // partial results per tensor

TC_FN double join_norms(int op, double a, double b) { return op == TC_MULTI_MAXABS ? v_maximum(a, b) : a + b; }

// Joins the block's values in order; thread 0 has the result.
TC_FN double join_block(int op, double *shared, double s) {
  shared[threadIdx.x] = s;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) shared[threadIdx.x] = join_norms(op, shared[threadIdx.x], shared[threadIdx.x + half]);
  }
  return shared[0];
}

template <class T> TC_FN double norm_part(const tc_multi_tensor &t, int op) {
  const T *const x = TC_PTR(const T, t.x);
  double s = 0;
  for (int64_t i = thread_index(); i < t.n; i += thread_count()) {
    const double v = double(convert<compute_t<T>>(x[i]));
    s = join_norms(op, s, op == TC_MULTI_SUMSQ ? v * v : fabs(v));
  }
  return s;
}

__global__ void norm_kernel(int op, const tc_multi_tensor *tensors, double *partial, DeviceError *error) {
  __shared__ double shared[256];
  const tc_multi_tensor t = tensors[blockIdx.y];
  double s = 0;
  with_floating_on_device(t.dtype, [&](auto tag) { s = norm_part<typename decltype(tag)::type>(t, op); }, op, error);
  s = join_block(op, shared, s);
  if (threadIdx.x == 0) partial[int64_t(blockIdx.y) * kNormBlocks + blockIdx.x] = s;
}

__global__ void join_norms_kernel(int op, const double *partial, double *out) {
  __shared__ double shared[kNormBlocks];
  const double s = join_block(op, shared, partial[int64_t(blockIdx.x) * kNormBlocks + threadIdx.x]);
  if (threadIdx.x == 0) out[blockIdx.x] = s;
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_optim_step) int32_t tc_optim_step(const tc_optim_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_optim_step);
  if (f.status != TC_OK || a->count == 0) return f.status;
  const Step s = {int(a->maximize), int(a->nesterov), int(a->amsgrad), a->momentum != 0, a->lr, a->weight_decay,
                  a->momentum, a->dampening, a->beta1, a->beta2, a->eps};
  const tc_optim_tensor *const tensors = TC_PTR(const tc_optim_tensor, a->tensors);
  switch (a->op) {
    case TC_OPTIM_SGD: step_launch<Sgd, false>(f, s, tensors, a->count); break;
    case TC_OPTIM_ADAM: step_launch<Adam, true>(f, s, tensors, a->count); break;
    case TC_OPTIM_ADAMW: step_launch<AdamW, true>(f, s, tensors, a->count); break;
    default: return unsupported(TC_F32, a->op);
  }
  return f.end();
}

TC_EXPORT(tc_multi_scratch) int64_t tc_multi_scratch(const tc_multi_args *a) {
  const bool norm = a->op == TC_MULTI_SUMSQ || a->op == TC_MULTI_SUMABS || a->op == TC_MULTI_MAXABS;
  return norm ? a->count * tc::kNormBlocks * int64_t(sizeof(double)) : 0;
}

TC_EXPORT(tc_multi) int32_t tc_multi(const tc_multi_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_multi);
  if (f.status != TC_OK || a->count == 0) return f.status;
  const tc_multi_tensor *const tensors = TC_PTR(const tc_multi_tensor, a->tensors);
  double *const out = TC_PTR(double, a->out), *const partial = TC_PTR(double, a->scratch);
  const int op = int(a->op);
  const bool norm = tc_multi_scratch(a) > 0;
  if (a->op == TC_MULTI_UNSCALE) cudaMemsetAsync(out, 0, sizeof(double), f.stream);
  for (int64_t at = 0; at < a->count; at += kMostTensors) {
    const int64_t some = a->count - at < kMostTensors ? a->count - at : kMostTensors;
    if (norm)
      TC_LAUNCH(norm_kernel, dim3(kNormBlocks, unsigned(some)), 256, 0, f.stream, op, tensors + at,
                partial + at * kNormBlocks, f.error);
    else
      TC_LAUNCH(multi_kernel, dim3(blocks_each(f, some), unsigned(some)), 256, 0, f.stream, op, tensors + at, a->value, out,
                f.error);
  }
  if (norm)
    TC_LAUNCH(join_norms_kernel, unsigned(a->count), kNormBlocks, 0, f.stream, op, static_cast<const double *>(partial), out);
  return f.end();
}
