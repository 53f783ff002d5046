// Losses of class labels: negative log likelihood and cross entropy, forward and backward. Layout (n, c, inner); a place
// is one of n * inner.
#include "words.cuh"

namespace tc {
namespace {

constexpr int kMostBlocks = 1024;  // of a forward kernel: one partial sum each

// Where the labels are and what they mean.
struct Labels {
  const void *target;
  const void *weight;
  int target_dtype;
  int64_t ignore_index, c, inner, places;
};

// The label of a place, or -1 where it does not count. Bad ones are reported.
TC_FN int64_t label_of(const Labels &l, int64_t place, int kernel, DeviceError *error) {
  const int64_t t = load_as<int64_t>(l.target_dtype, l.target, place);
  if (t == l.ignore_index) return -1;
  if (t >= 0 && t < l.c) return t;
  raise(error, kernel, TC_INDEX_OUT_OF_RANGE, t, l.c, place, 1);
  return -1;
}
template <class T> TC_FN compute_t<T> weight_of(const Labels &l, int64_t k) {
  return l.weight ? convert<compute_t<T>>(static_cast<const T *>(l.weight)[k]) : compute_t<T>(1);
}

template <class C> struct Sums { C loss, weight; };
template <class C> struct PlusSums {
  TC_FN Sums<C> operator()(Sums<C> a, Sums<C> b) const { return {a.loss + b.loss, a.weight + b.weight}; }
};

template <class T, class C> TC_FN void finish(Sums<C> s, int reduction, T *out, T *total_weight) {
  out[0] = convert<T>(reduction == TC_REDUCTION_MEAN ? s.loss / s.weight : s.loss);
  total_weight[0] = convert<T>(s.weight);
}

// Joins the threads' sums; a single block finishes the loss, several leave their sums to join_kernel.
template <class T, class C>
TC_FN void finish_block(Sums<C> *shared, Sums<C> s, int reduction, T *out, T *total_weight, Sums<C> *partial) {
  const unsigned me = threadIdx.y * blockDim.x + threadIdx.x;
  shared[me] = s;
  for (unsigned half = blockDim.x * blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (me < half) shared[me] = PlusSums<C>()(shared[me], shared[me + half]);
  }
  if (me != 0) return;
  if (gridDim.x == 1) finish(shared[0], reduction, out, total_weight);
  else partial[blockIdx.x] = shared[0];
}

template <class T>
__global__ void __launch_bounds__(256) join_kernel(const Sums<compute_t<T>> *partial, int count, int reduction, T *out,
                                                   T *total_weight) {
  using C = compute_t<T>;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Sums<C>)];
  Sums<C> s = {0, 0};
  for (int i = int(threadIdx.x); i < count; i += 256) s = PlusSums<C>()(s, partial[i]);
  finish_block<T, C>(reinterpret_cast<Sums<C> *>(memory), s, reduction, out, total_weight, nullptr);
}

template <class T>
__global__ void __launch_bounds__(256) nll_kernel(const T *in, TC_ARG(Labels) l, int reduction, T *out, T *total_weight,
                                                  Sums<compute_t<T>> *partial, DeviceError *error) {
  using C = compute_t<T>;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Sums<C>)];
  Sums<C> s = {0, 0};
  for (int64_t place = thread_index(); place < l.places; place += thread_count()) {
    const int64_t t = label_of(l, place, TC_KERNEL_nll, error);
    C loss = 0, w = 0;
    if (t >= 0) {
      w = weight_of<T>(l, t);
      loss = -w * convert<C>(in[place / l.inner * l.c * l.inner + t * l.inner + place % l.inner]);
    }
    if (reduction == TC_REDUCTION_NONE) out[place] = convert<T>(loss);
    s = PlusSums<C>()(s, {loss, w});
  }
  if (reduction == TC_REDUCTION_NONE) {
    if (thread_index() == 0) total_weight[0] = convert<T>(C(0));
    return;
  }
  finish_block<T, C>(reinterpret_cast<Sums<C> *>(memory), s, reduction, out, total_weight, partial);
}

// What the gradient of a place is multiplied with.
template <class T>
TC_FN compute_t<T> scale_of(const T *grad, const T *total_weight, int reduction, int64_t place) {
  using C = compute_t<T>;
  if (reduction == TC_REDUCTION_NONE) return convert<C>(grad[place]);
  return reduction == TC_REDUCTION_SUM ? convert<C>(grad[0]) : convert<C>(grad[0]) / convert<C>(total_weight[0]);
}

template <class T>
__global__ void nll_backward_kernel(const T *grad, const T *total_weight, TC_ARG(Labels) l, int reduction, T *grad_in,
                                    DeviceError *error) {
  using C = compute_t<T>;
  const int64_t size = l.places * l.c;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t k = i / l.inner % l.c, place = i / l.inner / l.c * l.inner + i % l.inner;
    const int64_t t = label_of(l, place, TC_KERNEL_nll_backward, error);
    C g = 0;
    if (t == k) g = -weight_of<T>(l, t) * scale_of(grad, total_weight, reduction, place);
    grad_in[i] = convert<T>(g);
  }
}

template <class C> struct Larger { TC_FN C operator()(C a, C b) const { return v_maximum(a, b); } };
template <class C> struct Plus { TC_FN C operator()(C a, C b) const { return a + b; } };

// log_softmax, nll and label smoothing in one: lanes are places, rows share a place's classes.
template <class T>
__global__ void __launch_bounds__(256) cross_entropy_kernel(const T *in, TC_ARG(Labels) l, double smoothing, int reduction,
                                                            T *out, T *total_weight, T *probs,
                                                            Sums<compute_t<T>> *partial, DeviceError *error) {
  using C = compute_t<T>;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Sums<C>)];
  C *const shared = reinterpret_cast<C *>(memory);
  Sums<C> total = {0, 0};
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < l.places; first += int64_t(gridDim.x) * blockDim.x) {
    const int64_t place = first + threadIdx.x;
    const bool inside = place < l.places;
    const int64_t base = inside ? place / l.inner * l.c * l.inner + place % l.inner : 0;
    C largest = -INFINITY;
    if (inside)
      for (int64_t k = threadIdx.y; k < l.c; k += blockDim.y)
        largest = v_maximum(largest, convert<C>(in[base + k * l.inner]));
    largest = reduce_rows(shared, largest, Larger<C>());
    C sum = 0;
    if (inside)
      for (int64_t k = threadIdx.y; k < l.c; k += blockDim.y) sum += v_exp(convert<C>(in[base + k * l.inner]) - largest);
    sum = reduce_rows(shared, sum, Plus<C>());
    const C log_sum = v_log(sum);
    C smooth = 0;
    if (inside && (probs || smoothing != 0))
      for (int64_t k = threadIdx.y; k < l.c; k += blockDim.y) {
        const C x = convert<C>(in[base + k * l.inner]) - largest;
        if (smoothing != 0) smooth += weight_of<T>(l, k) * (log_sum - x);
        if (probs) probs[base + k * l.inner] = convert<T>(v_exp(x) / sum);
      }
    if (smoothing != 0) smooth = reduce_rows(shared, smooth, Plus<C>());
    if (inside && threadIdx.y == 0) {
      const int64_t t = label_of(l, place, TC_KERNEL_cross_entropy, error);
      C loss = 0, w = 0;
      if (t >= 0) {
        w = weight_of<T>(l, t);
        loss = w * (log_sum - (convert<C>(in[base + t * l.inner]) - largest));
        if (smoothing != 0) loss = C(1 - smoothing) * loss + C(smoothing / double(l.c)) * smooth;
      }
      if (reduction == TC_REDUCTION_NONE) out[place] = convert<T>(loss);
      total = PlusSums<C>()(total, {loss, w});
    }
  }
  if (reduction == TC_REDUCTION_NONE) {
    if (blockIdx.x == 0 && threadIdx.x == 0 && threadIdx.y == 0) total_weight[0] = convert<T>(C(0));
    return;
  }
  __syncthreads();
  finish_block<T, C>(reinterpret_cast<Sums<C> *>(memory), total, reduction, out, total_weight, partial);
}

// grad_in may be probs.
template <class T>
__global__ void __launch_bounds__(256) cross_entropy_backward_kernel(const T *grad, const T *total_weight, TC_ARG(Labels) l,
                                                                     double smoothing, int reduction, const T *probs,
                                                                     T *grad_in, DeviceError *error) {
  using C = compute_t<T>;
  __shared__ C shared[256];
  C all_weights = C(l.c);  // the sum of the classes' weights, wanted by the smoothed part
  if (smoothing != 0 && l.weight) {
    all_weights = 0;
    for (int64_t k = threadIdx.x; k < l.c; k += 256) all_weights += weight_of<T>(l, k);
    shared[threadIdx.x] = all_weights;
    for (unsigned half = 128; half > 0; half /= 2) {
      __syncthreads();
      if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    }
    __syncthreads();
    all_weights = shared[0];
  }
  const int64_t size = l.places * l.c;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t k = i / l.inner % l.c, place = i / l.inner / l.c * l.inner + i % l.inner;
    const int64_t t = label_of(l, place, TC_KERNEL_cross_entropy_backward, error);
    C g = 0;
    if (t >= 0) {
      const C p = convert<C>(probs[i]);
      g = weight_of<T>(l, t) * (p - (t == k ? C(1) : C(0)));
      if (smoothing != 0)
        g = C(1 - smoothing) * g + C(smoothing / double(l.c)) * (p * all_weights - weight_of<T>(l, k));
      g *= scale_of(grad, total_weight, reduction, place);
    }
    grad_in[i] = convert<T>(g);
  }
}

template <class A> Labels labels_of(const A *a) {
  return {TC_PTR(const void, a->target), TC_PTR(const void, a->weight), int(a->target_dtype),
          a->ignore_index, a->c, a->inner, a->n * a->inner};
}

unsigned few_blocks(const Frame &f, int64_t n, int64_t per_block) {
  const unsigned blocks = f.blocks(n, per_block);
  return blocks < unsigned(kMostBlocks) ? blocks : unsigned(kMostBlocks);
}

template <class T> void join_launch(const Frame &f, unsigned blocks, int reduction, void *partial, T *out, T *total) {
  if (reduction != TC_REDUCTION_NONE && blocks > 1)
    TC_LAUNCH(join_kernel<T>, 1, 256, 0, f.stream, static_cast<const Sums<compute_t<T>> *>(partial), int(blocks), reduction,
              out, total);
}

constexpr int64_t kScratchBytes = kMostBlocks * int64_t(sizeof(Sums<double>));

}  // namespace
}  // namespace tc

TC_EXPORT(tc_nll_scratch) int64_t tc_nll_scratch(const tc_nll_args *) { return tc::kScratchBytes; }
TC_EXPORT(tc_cross_entropy_scratch) int64_t tc_cross_entropy_scratch(const tc_cross_entropy_args *) {
  return tc::kScratchBytes;
}

TC_EXPORT(tc_nll) int32_t tc_nll(const tc_nll_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_nll);
  if (f.status != TC_OK) return f.status;
  const Labels l = labels_of(a);
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const unsigned blocks = few_blocks(f, l.places, 256);
    T *const out = TC_PTR(T, a->out), *const total = TC_PTR(T, a->total_weight);
    TC_LAUNCH(nll_kernel<T>, blocks, 256, 0, f.stream, TC_PTR(const T, a->in), l, int(a->reduction), out, total,
              TC_PTR(Sums<compute_t<T>>, a->scratch), f.error);
    join_launch(f, blocks, int(a->reduction), TC_PTR(void, a->scratch), out, total);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_nll_backward) int32_t tc_nll_backward(const tc_nll_backward_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_nll_backward);
  if (f.status != TC_OK) return f.status;
  const Labels l = labels_of(a);
  if (l.places * l.c == 0) return TC_OK;
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(nll_backward_kernel<T>, f.blocks(l.places * l.c, 256), 256, 0, f.stream, TC_PTR(const T, a->grad),
              TC_PTR(const T, a->total_weight), l, int(a->reduction), TC_PTR(T, a->grad_in), f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_cross_entropy) int32_t tc_cross_entropy(const tc_cross_entropy_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_cross_entropy);
  if (f.status != TC_OK) return f.status;
  const Labels l = labels_of(a);
  const LineBlock b(l.places, l.c, l.inner);
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const unsigned blocks = few_blocks(f, l.places, b.lanes);
    T *const out = TC_PTR(T, a->out), *const total = TC_PTR(T, a->total_weight);
    TC_LAUNCH(cross_entropy_kernel<T>, blocks, dim3(b.lanes, b.rows), 0, f.stream, TC_PTR(const T, a->in), l,
              a->label_smoothing, int(a->reduction), out, total, TC_PTR(T, a->probs),
              TC_PTR(Sums<compute_t<T>>, a->scratch), f.error);
    join_launch(f, blocks, int(a->reduction), TC_PTR(void, a->scratch), out, total);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_cross_entropy_backward) int32_t tc_cross_entropy_backward(const tc_cross_entropy_backward_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_cross_entropy_backward);
  if (f.status != TC_OK) return f.status;
  const Labels l = labels_of(a);
  if (l.places * l.c == 0) return TC_OK;
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(cross_entropy_backward_kernel<T>, f.blocks(l.places * l.c, 256), 256, 0, f.stream, TC_PTR(const T, a->grad),
              TC_PTR(const T, a->total_weight), l, a->label_smoothing, int(a->reduction), TC_PTR(const T, a->probs),
              TC_PTR(T, a->grad_in), f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}
