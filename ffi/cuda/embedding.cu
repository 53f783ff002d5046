// The gradient of an embedding, embedding_bag and its gradient, and max_norm's renormalisation.
#include "atomics.cuh"

namespace tc {
namespace {

__global__ void count_rows_kernel(unsigned *counts, const void *index, int index_dtype, int64_t m, TC_ARG(Bounds) bounds,
                                  DeviceError *error) {
  for (int64_t i = thread_index(); i < m; i += thread_count()) {
    const int64_t k = checked(load_as<int64_t>(index_dtype, index, i), bounds, i, error);
    if (k >= 0) atomicAdd(counts + k, 1u);
  }
}

template <class T>
__global__ void embedding_backward_kernel(T *grad_weight, const T *grad, const void *index, int index_dtype, int64_t m,
                                          int64_t d, int64_t padding, const unsigned *counts, TC_ARG(Bounds) bounds,
                                          DeviceError *error) {
  using C = compute_t<T>;
  for (int64_t i = thread_index(); i < m * d; i += thread_count()) {
    const int64_t row = i / d, k = load_as<int64_t>(index_dtype, index, row);
    if (k == padding || checked(k, bounds, row, error) < 0) continue;
    C g = convert<C>(grad[i]);
    if (counts) g /= C(counts[k]);
    accumulate(grad_weight + k * d + i % d, convert<T>(g));
  }
}

// Bags of words, with offsets that have been clipped into the index, so that bad ones (reported) do no harm.
struct Bags {
  const void *index, *offset;
  int index_dtype;
  int64_t m, bags, last, padding;
  TC_FN int64_t word(int64_t i) const { return load_as<int64_t>(index_dtype, index, i); }
  TC_FN int64_t given(int64_t b) const { return b == bags && !last ? m : load_as<int64_t>(index_dtype, offset, b); }
  TC_FN int64_t start(int64_t b) const { return v_min(v_max(given(b), int64_t(0)), m); }
  TC_FN int64_t count(int64_t b) const {
    int64_t n = 0;
    for (int64_t i = start(b); i < start(b + 1); i++) n += word(i) != padding;
    return n;
  }
  // The bag that word i is in, -1: none (offsets may end early).
  TC_FN int64_t bag_of(int64_t i) const {
    int64_t low = 0, high = bags;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      if (start(middle + 1) > i) high = middle;
      else low = middle + 1;
    }
    return low < bags && start(low) <= i ? low : -1;
  }
};

__global__ void check_offsets_kernel(TC_ARG(Bags) b, int kernel, DeviceError *error) {
  for (int64_t i = thread_index(); i <= b.bags; i += thread_count()) {
    const int64_t start = b.given(i);
    if (start < (i > 0 ? b.given(i - 1) : 0) || start > b.m || (i == 0 && b.bags > 0 && start != 0))
      raise(error, kernel, TC_BAD_VALUE, i, 0);
  }
}

__global__ void sizes_kernel(TC_ARG(Bags) b, int64_t *size, int64_t *offset2bag) {
  for (int64_t i = thread_index(); i < b.bags; i += thread_count()) {
    if (size) size[i] = b.count(i);
    for (int64_t k = b.start(i); offset2bag && k < b.start(i + 1); k++) offset2bag[k] = i;
  }
}

// A thread makes one element of a bag's row.
template <class T>
__global__ void bag_kernel(TC_ARG(Bags) b, const T *weight, const T *per_sample, T *out, int64_t *max_indices, int64_t d,
                           int mode, TC_ARG(Bounds) bounds, DeviceError *error) {
  using C = compute_t<T>;
  for (int64_t i = thread_index(); i < b.bags * d; i += thread_count()) {
    const int64_t bag = i / d, k = i % d;
    double sum = 0;
    C best = 0;
    int64_t count = 0, at = -1;
    for (int64_t j = b.start(bag); j < b.start(bag + 1); j++) {
      const int64_t word = b.word(j);
      if (word == b.padding || checked(word, bounds, j, error) < 0) continue;
      count++;
      const C x = convert<C>(weight[word * d + k]);
      if (mode == TC_BAG_MAX) {
        if (at >= 0 && !(x > best)) continue;
        best = x;
        at = word;
      } else {
        sum += per_sample ? double(convert<C>(per_sample[j])) * double(x) : double(x);
      }
    }
    if (mode == TC_BAG_MAX) max_indices[i] = at;
    else best = C(mode == TC_BAG_MEAN && count > 0 ? sum / double(count) : sum);
    out[i] = convert<T>(best);
  }
}

__global__ void word_counts_kernel(TC_ARG(Bags) b, int64_t *counts, TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < b.m; i += thread_count()) {
    const int64_t word = checked(b.word(i), bounds, i, error);
    if (word >= 0) accumulate(counts + word, int64_t(1));
  }
}

// A thread adds one element of a word's gradient.
template <class T>
__global__ void bag_backward_kernel(TC_ARG(Bags) b, const T *grad, const T *per_sample, T *grad_weight, int64_t d,
                                    const int64_t *sizes, const int64_t *counts, TC_ARG(Bounds) bounds, DeviceError *error) {
  using C = compute_t<T>;
  for (int64_t i = thread_index(); i < b.m * d; i += thread_count()) {
    const int64_t j = i / d, k = i % d, word = b.word(j), bag = b.bag_of(j);
    if (word == b.padding || bag < 0 || checked(word, bounds, j, error) < 0) continue;
    double scale = sizes ? 1 / double(sizes[bag]) : 1;
    if (per_sample) scale *= double(convert<C>(per_sample[j]));
    if (counts) scale /= double(counts[word]);
    accumulate(grad_weight + word * d + k, convert<T>(C(double(convert<C>(grad[bag * d + k])) * scale)));
  }
}

template <class T> __global__ void max_backward_kernel(const T *grad, const int64_t *at, T *grad_weight, int64_t n, int64_t d) {
  for (int64_t i = thread_index(); i < n; i += thread_count())
    if (at[i] >= 0) accumulate(grad_weight + at[i] * d + i % d, grad[i]);
}

// grad_per_sample[i] = grad[bag of i] . weight[index[i]]
template <class T>
__global__ void per_sample_kernel(TC_ARG(Bags) b, const T *grad, const T *weight, T *out, int64_t d, TC_ARG(Bounds) bounds,
                                  DeviceError *error) {
  using C = compute_t<T>;
  for (int64_t i = thread_index(); i < b.m; i += thread_count()) {
    const int64_t word = b.word(i), bag = b.bag_of(i);
    double sum = 0;
    if (word != b.padding && bag >= 0 && checked(word, bounds, i, error) >= 0)
      for (int64_t k = 0; k < d; k++)
        sum += double(convert<C>(grad[bag * d + k])) * double(convert<C>(weight[word * d + k]));
    out[i] = convert<T>(C(sum));
  }
}

__global__ void mark_kernel(const void *index, int index_dtype, int64_t m, uint8_t *marks, TC_ARG(Bounds) bounds,
                            DeviceError *error) {
  for (int64_t i = thread_index(); i < m; i += thread_count()) {
    const int64_t row = checked(load_as<int64_t>(index_dtype, index, i), bounds, i, error);
    if (row >= 0) marks[row] = 1;
  }
}

struct Add { TC_FN double operator()(double a, double b) const { return a + b; } };
struct Most { TC_FN double operator()(double a, double b) const { return v_maximum(a, b); } };

// Rows that occur and whose norm is too large are scaled down; a block takes a row.
template <class T>
__global__ void __launch_bounds__(256) renorm_kernel(T *weight, const uint8_t *marks, int64_t v, int64_t d, double max_norm,
                                                     double p) {
  using C = compute_t<T>;
  __shared__ double shared[256];
  for (int64_t row = blockIdx.x; row < v; row += gridDim.x) {
    if (!marks[row]) continue;
    double mine = 0;
    for (int64_t k = threadIdx.y; k < d; k += blockDim.y) {
      const double x = v_abs(double(convert<C>(weight[row * d + k])));
      mine = p == INFINITY ? v_maximum(mine, x) : mine + (p == 2 ? x * x : p == 1 ? x : pow(x, p));
    }
    const double all = p == INFINITY ? reduce_rows(shared, mine, Most()) : reduce_rows(shared, mine, Add());
    const double norm = p == 2 ? sqrt(all) : p == 1 || p == INFINITY ? all : pow(all, 1 / p);
    if (!(norm > max_norm)) continue;
    const C scale = convert<C>(convert<T>(C(max_norm / (norm + 1e-7))));
    for (int64_t k = threadIdx.y; k < d; k += blockDim.y)
      weight[row * d + k] = convert<T>(convert<C>(weight[row * d + k]) * scale);
  }
}

Bags bags_of(const tc_embedding_bag_args *a) {
  return {TC_PTR(const void, a->index), TC_PTR(const void, a->offset), int(a->index_dtype), a->m, a->bags,
          a->include_last_offset, a->padding_idx};
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_embedding_backward_scratch) int64_t tc_embedding_backward_scratch(const tc_embedding_args *a) {
  return a->scale_grad_by_freq ? a->v * int64_t(sizeof(unsigned)) : 0;
}

TC_EXPORT(tc_embedding_backward) int32_t tc_embedding_backward(const tc_embedding_args *a) {
  const Frame f(TC_KERNEL_embedding_backward);
  if (f.status != TC_OK) return f.status;
  const Bounds bounds = {a->v, 0, 0, TC_KERNEL_embedding_backward};
  cudaMemsetAsync(TC_PTR(void, a->grad_weight), 0, size_t(a->v * a->d * tc_dtype_size(a->dtype)), f.stream);
  if (a->m * a->d == 0) return f.end();
  unsigned *counts = nullptr;
  if (a->scale_grad_by_freq) {
    counts = TC_PTR(unsigned, a->scratch);
    cudaMemsetAsync(counts, 0, size_t(a->v) * sizeof(unsigned), f.stream);
    TC_LAUNCH(count_rows_kernel, f.blocks(a->m, 256), 256, 0, f.stream, counts, TC_PTR(const void, a->index),
              int(a->index_dtype), a->m, bounds, f.error);
  }
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(embedding_backward_kernel<T>, f.blocks(a->m * a->d, 256), 256, 0, f.stream, TC_PTR(T, a->grad_weight),
              TC_PTR(const T, a->grad), TC_PTR(const void, a->index), int(a->index_dtype), a->m, a->d, a->padding_idx,
              static_cast<const unsigned *>(counts), bounds, f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_embedding_bag) int32_t tc_embedding_bag(const tc_embedding_bag_args *a) {
  const Frame f(TC_KERNEL_embedding_bag);
  if (f.status != TC_OK) return f.status;
  const Bags b = bags_of(a);
  const Bounds bounds = {a->v, 0, 0, TC_KERNEL_embedding_bag};
  TC_LAUNCH(check_offsets_kernel, f.blocks(a->bags + 1, 128), 128, 0, f.stream, b, TC_KERNEL_embedding_bag, f.error);
  if (a->bags == 0) return f.end();
  if (a->bag_size || a->offset2bag)
    TC_LAUNCH(sizes_kernel, f.blocks(a->bags, 128), 128, 0, f.stream, b, TC_PTR(int64_t, a->bag_size),
              TC_PTR(int64_t, a->offset2bag));
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (a->d > 0)
      TC_LAUNCH(bag_kernel<T>, f.blocks(a->bags * a->d, 128), 128, 0, f.stream, b, TC_PTR(const T, a->weight),
                TC_PTR(const T, a->per_sample), TC_PTR(T, a->out), TC_PTR(int64_t, a->max_indices), a->d, int(a->mode),
                bounds, f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_embedding_bag_backward_scratch) int64_t tc_embedding_bag_backward_scratch(const tc_embedding_bag_args *a) {
  return int64_t(sizeof(int64_t)) * (a->bags + a->v);
}

TC_EXPORT(tc_embedding_bag_backward) int32_t tc_embedding_bag_backward(const tc_embedding_bag_args *a) {
  const Frame f(TC_KERNEL_embedding_bag_backward);
  if (f.status != TC_OK || a->d == 0) return f.status;
  const Bags b = bags_of(a);
  const Bounds bounds = {a->v, 0, 0, TC_KERNEL_embedding_bag_backward};
  if (a->grad_weight) cudaMemsetAsync(TC_PTR(void, a->grad_weight), 0, size_t(a->v * a->d * tc_dtype_size(a->dtype)), f.stream);
  int64_t *const sizes = a->mode == TC_BAG_MEAN ? TC_PTR(int64_t, a->scratch) : nullptr;
  int64_t *const counts = a->scale_grad_by_freq ? TC_PTR(int64_t, a->scratch) + a->bags : nullptr;
  if (a->m == 0 || a->bags == 0) return f.end();
  if (sizes) TC_LAUNCH(sizes_kernel, f.blocks(a->bags, 128), 128, 0, f.stream, b, sizes, static_cast<int64_t *>(nullptr));
  if (counts) {
    cudaMemsetAsync(counts, 0, size_t(a->v) * sizeof *counts, f.stream);
    TC_LAUNCH(word_counts_kernel, f.blocks(a->m, 256), 256, 0, f.stream, b, counts, bounds, f.error);
  }
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *const grad = TC_PTR(const T, a->grad);
    T *const grad_weight = TC_PTR(T, a->grad_weight);
    if (grad_weight && a->mode == TC_BAG_MAX)
      TC_LAUNCH(max_backward_kernel<T>, f.blocks(a->bags * a->d, 256), 256, 0, f.stream, grad,
                TC_PTR(const int64_t, a->max_indices), grad_weight, a->bags * a->d, a->d);
    else if (grad_weight)
      TC_LAUNCH(bag_backward_kernel<T>, f.blocks(a->m * a->d, 256), 256, 0, f.stream, b, grad,
                TC_PTR(const T, a->per_sample), grad_weight, a->d, static_cast<const int64_t *>(sizes),
                static_cast<const int64_t *>(counts), bounds, f.error);
    if (a->grad_per_sample)
      TC_LAUNCH(per_sample_kernel<T>, f.blocks(a->m, 128), 128, 0, f.stream, b, grad, TC_PTR(const T, a->weight),
                TC_PTR(T, a->grad_per_sample), a->d, bounds, f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_embedding_renorm_scratch) int64_t tc_embedding_renorm_scratch(const tc_embedding_args *a) { return a->v; }

TC_EXPORT(tc_embedding_renorm) int32_t tc_embedding_renorm(const tc_embedding_args *a) {
  const Frame f(TC_KERNEL_embedding_renorm);
  if (f.status != TC_OK || a->m * a->v == 0) return f.status;
  uint8_t *const marks = TC_PTR(uint8_t, a->scratch);
  cudaMemsetAsync(marks, 0, size_t(a->v), f.stream);
  TC_LAUNCH(mark_kernel, f.blocks(a->m, 256), 256, 0, f.stream, TC_PTR(const void, a->index), int(a->index_dtype), a->m, marks,
            Bounds{a->v, 0, 0, TC_KERNEL_embedding_renorm}, f.error);
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(renorm_kernel<T>, f.blocks(a->v, 1), dim3(1, 256), 0, f.stream, TC_PTR(T, a->weight),
              static_cast<const uint8_t *>(marks), a->v, a->d, a->max_norm, a->norm_type);
  });
  return known ? f.end() : unsupported(a->dtype);
}
