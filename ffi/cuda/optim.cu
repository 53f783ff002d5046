// tc_optim_step and tc_multi: one launch works on many tensors. Their descriptions travel as kernel arguments.
#include "words.cuh"

namespace tc {
namespace {

constexpr int kTensors = 32;        // per launch: the arguments of a kernel have 4 KiB
constexpr int kMostChunks = 1024;   // blocks per tensor

// The numbers of a step that all tensors share, and those that each has, in the parameter's type where PyTorch's
// operators would round them.
struct Step {
  int maximize, nesterov, amsgrad, use_momentum;
  double lr, weight_decay, momentum, dampening, beta1, beta2, eps;
};
struct StepTensor {
  void *param;
  const void *grad;
  void *s1, *s2, *s3;
  int64_t n;
  int first;
  double step_size, correction;  // Adam: lr / bias_correction1, sqrt(bias_correction2)
};
struct StepTensors { StepTensor t[kTensors]; };

// torch/optim/sgd.py, _single_tensor_sgd.
template <class T> struct Sgd {
  static TC_FN void apply(const Step &s, const StepTensor &t, int64_t i, T *param, T g) {
    const T p = *param;
    if (s.weight_decay != 0) g += T(s.weight_decay) * p;
    if (s.use_momentum) {
      T *const buffer = static_cast<T *>(t.s1) + i;
      const T b = t.first ? g : T(s.momentum) * *buffer + T(1 - s.dampening) * g;
      *buffer = b;
      g = s.nesterov ? g + T(s.momentum) * b : b;
    }
    *param = p + T(-s.lr) * g;
  }
};

// torch/optim/adam.py, _single_tensor_adam; DECOUPLED: torch/optim/adamw.py.
template <class T, bool DECOUPLED> TC_FN void adam(const Step &s, const StepTensor &t, int64_t i, T *param, T g) {
  T p = *param;
  if (DECOUPLED) p *= T(1 - s.lr * s.weight_decay);
  else if (s.weight_decay != 0) g += T(s.weight_decay) * p;
  T *const avg = static_cast<T *>(t.s1) + i, *const avg_sq = static_cast<T *>(t.s2) + i;
  const T m = T(s.beta1) * *avg + T(1 - s.beta1) * g, v = T(s.beta2) * *avg_sq + T(1 - s.beta2) * g * g;
  *avg = m;
  *avg_sq = v;
  T largest = v;
  if (s.amsgrad) {
    T *const max_sq = static_cast<T *>(t.s3) + i;
    largest = v_maximum(*max_sq, v);
    *max_sq = largest;
  }
  const T denominator = v_sqrt(largest) / T(t.correction) + T(s.eps);
  *param = p + T(-t.step_size) * m / denominator;
}
template <class T> struct Adam {
  static TC_FN void apply(const Step &s, const StepTensor &t, int64_t i, T *param, T g) { adam<T, false>(s, t, i, param, g); }
};
template <class T> struct AdamW {
  static TC_FN void apply(const Step &s, const StepTensor &t, int64_t i, T *param, T g) { adam<T, true>(s, t, i, param, g); }
};

// Block (x, y): chunk x of tensor y.
template <template <class> class Rule, class T> __global__ void step_kernel(TC_ARG Step s, TC_ARG StepTensors tensors) {
  const StepTensor &t = tensors.t[blockIdx.y];
  T *const param = static_cast<T *>(t.param);
  for (int64_t i = thread_index(); i < t.n; i += thread_count()) {
    const T g = static_cast<const T *>(t.grad)[i];
    Rule<T>::apply(s, t, i, param + i, s.maximize ? -g : g);
  }
}

unsigned chunks_of(int64_t largest) {
  const int64_t chunks = (largest + 1023) / 1024;
  return unsigned(chunks < 1 ? 1 : chunks > kMostChunks ? kMostChunks : chunks);
}

template <template <class> class Rule>
void step_launch(const Frame &f, const Step &s, const StepTensors &batch, int count, int64_t largest, int64_t dtype) {
  const dim3 grid(chunks_of(largest), unsigned(count));
  if (dtype == TC_F32) TC_LAUNCH((step_kernel<Rule, float>), grid, 256, 0, f.stream, s, batch);
  else TC_LAUNCH((step_kernel<Rule, double>), grid, 256, 0, f.stream, s, batch);
}

// Lists of tensors -------------------------------------------------------------------------------------------------------

struct Pair { void *x; const void *y; int64_t n; int number; };
struct Pairs { Pair t[kTensors]; };

TC_FN bool finite(float x) { return fabsf(x) < INFINITY; }
TC_FN bool finite(double x) { return fabs(x) < INFINITY; }

template <class T> __global__ void multi_kernel(int op, TC_ARG Pairs pairs, double value, double *found) {
  using C = compute_t<T>;
  const Pair &t = pairs.t[blockIdx.y];
  T *const x = static_cast<T *>(t.x);
  const T *const y = static_cast<const T *>(t.y);
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

constexpr int kNormBlocks = 64;  // partial results per tensor

struct Norm {
  int op;
  TC_FN double join(double a, double b) const { return op == TC_MULTI_MAXABS ? v_maximum(a, b) : a + b; }
};

// Joins the block's values in order; thread 0 has the result.
TC_FN double join_block(const Norm &norm, double *shared, double s) {
  shared[threadIdx.x] = s;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) shared[threadIdx.x] = norm.join(shared[threadIdx.x], shared[threadIdx.x + half]);
  }
  return shared[0];
}

template <class T> __global__ void norm_kernel(Norm norm, TC_ARG Pairs pairs, double *partial) {
  __shared__ double shared[256];
  using C = compute_t<T>;
  const Pair &t = pairs.t[blockIdx.y];
  const T *const x = static_cast<const T *>(t.x);
  double s = 0;
  for (int64_t i = thread_index(); i < t.n; i += thread_count()) {
    const double v = double(convert<C>(x[i]));
    s = norm.join(s, norm.op == TC_MULTI_SUMSQ ? v * v : fabs(v));
  }
  s = join_block(norm, shared, s);
  if (threadIdx.x == 0) partial[int64_t(t.number) * kNormBlocks + blockIdx.x] = s;
}

__global__ void join_norms_kernel(Norm norm, const double *partial, double *out) {
  __shared__ double shared[kNormBlocks];
  const double s = join_block(norm, shared, partial[int64_t(blockIdx.x) * kNormBlocks + threadIdx.x]);
  if (threadIdx.x == 0) out[blockIdx.x] = s;
}

// Runs of tensors of one dtype, at most kTensors long: fn(pairs, how many, the longest, dtype).
template <class F> void for_batches(const tc_multi_args *a, F &&fn) {
  const tc_multi_tensor *const list = TC_PTR(const tc_multi_tensor, a->tensors);
  for (int64_t at = 0; at < a->count;) {
    Pairs pairs;
    int count = 0;
    int64_t largest = 0;
    const int64_t dtype = list[at].dtype;
    for (; at < a->count && count < kTensors && list[at].dtype == dtype; at++, count++) {
      pairs.t[count] = {TC_PTR(void, list[at].x), TC_PTR(const void, list[at].y), list[at].n, int(at)};
      if (list[at].n > largest) largest = list[at].n;
    }
    fn(pairs, count, largest, dtype);
  }
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_optim_step) int32_t tc_optim_step(const tc_optim_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_optim_step);
  if (f.status != TC_OK) return f.status;
  if (a->op != TC_OPTIM_SGD && a->op != TC_OPTIM_ADAM && a->op != TC_OPTIM_ADAMW) return unsupported(TC_F32, a->op);
  const Step s = {int(a->maximize), int(a->nesterov), int(a->amsgrad), a->momentum != 0, a->lr, a->weight_decay,
                  a->momentum, a->dampening, a->beta1, a->beta2, a->eps};
  const tc_optim_tensor *const list = TC_PTR(const tc_optim_tensor, a->tensors);
  for (int64_t i = 0; i < a->count; i++)
    if (list[i].dtype != TC_F32 && list[i].dtype != TC_F64) return unsupported(list[i].dtype, a->op);
  for (int64_t at = 0; at < a->count;) {
    StepTensors batch;
    int count = 0;
    int64_t largest = 0;
    const int64_t dtype = list[at].dtype;
    for (; at < a->count && count < kTensors && list[at].dtype == dtype; at++, count++) {
      const tc_optim_tensor &t = list[at];
      StepTensor &d = batch.t[count];
      d = {TC_PTR(void, t.param), TC_PTR(const void, t.grad), TC_PTR(void, t.s1), TC_PTR(void, t.s2), TC_PTR(void, t.s3),
           t.n, int(t.first), 0, 1};
      if (a->op != TC_OPTIM_SGD) {
        d.step_size = a->lr / (1 - std::pow(a->beta1, t.step));
        d.correction = std::sqrt(1 - std::pow(a->beta2, t.step));
      }
      if (t.n > largest) largest = t.n;
    }
    switch (a->op) {
      case TC_OPTIM_SGD: step_launch<Sgd>(f, s, batch, count, largest, dtype); break;
      case TC_OPTIM_ADAM: step_launch<Adam>(f, s, batch, count, largest, dtype); break;
      default: step_launch<AdamW>(f, s, batch, count, largest, dtype); break;
    }
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
  if (f.status != TC_OK) return f.status;
  const tc_multi_tensor *const list = TC_PTR(const tc_multi_tensor, a->tensors);
  double *const out = TC_PTR(double, a->out);
  if (a->op == TC_MULTI_ZERO) {
    for (int64_t i = 0; i < a->count; i++)
      cudaMemsetAsync(TC_PTR(void, list[i].x), 0, size_t(list[i].n * tc_dtype_size(list[i].dtype)), f.stream);
    return f.end();
  }
  for (int64_t i = 0; i < a->count; i++)
    if (!with_floating(list[i].dtype, [](auto) {})) return unsupported(list[i].dtype, a->op);
  if (tc_multi_scratch(a) > 0) {
    const Norm norm = {int(a->op)};
    double *const partial = TC_PTR(double, a->scratch);
    for_batches(a, [&](const Pairs &pairs, int count, int64_t, int64_t dtype) {
      with_floating(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        TC_LAUNCH(norm_kernel<T>, dim3(kNormBlocks, unsigned(count)), 256, 0, f.stream, norm, pairs, partial);
      });
    });
    TC_LAUNCH(join_norms_kernel, unsigned(a->count), kNormBlocks, 0, f.stream, norm, static_cast<const double *>(partial),
              out);
    return f.end();
  }
  if (a->op == TC_MULTI_UNSCALE) cudaMemsetAsync(out, 0, sizeof(double), f.stream);
  for_batches(a, [&](const Pairs &pairs, int count, int64_t largest, int64_t dtype) {
    with_floating(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      TC_LAUNCH(multi_kernel<T>, dim3(chunks_of(largest), unsigned(count)), 256, 0, f.stream, int(a->op), pairs, a->value,
                out);
    });
  });
  return f.end();
}
