// tc_mask_count, tc_masked_select, tc_masked_scatter, tc_nonzero_count, tc_nonzero: what is set in a mask or not zero in
// a tensor. Each block of threads owns a fixed stretch; the stretches are counted, the counts summed up, and every
// element that is set then knows its number.
#include "common.cuh"

namespace tc {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kStretch = 4096;

int64_t stretches_of(int64_t n) { return (n + kStretch - 1) / kStretch; }

// How many threads before this one are set, and in *total how many of the block are.
TC_FN int rank_in_block(bool set, int *total) {
  __shared__ int of_warp[kThreads / 32];
  const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
  const unsigned votes = __ballot_sync(0xffffffffu, set);
  if (lane == 0) of_warp[warp] = __popc(votes);
  __syncthreads();
  int before = 0, all = 0;
  for (int w = 0; w < kThreads / 32; w++) {
    if (w < warp) before += of_warp[w];
    all += of_warp[w];
  }
  __syncthreads();
  *total = all;
  return before + __popc(votes & ((1u << lane) - 1));
}

__global__ void __launch_bounds__(kThreads) count_kernel(const void *in, int dtype, int64_t n, int64_t *counts) {
  for (int64_t s = blockIdx.x; s * kStretch < n; s += gridDim.x) {
    int64_t count = 0;
    for (int64_t i = s * kStretch; i < (s + 1) * kStretch; i += kThreads) {
      int total;
      rank_in_block(i + threadIdx.x < n && load_as<bool>(dtype, in, i + threadIdx.x), &total);
      count += total;
    }
    if (threadIdx.x == 0) counts[s] = count;
  }
}

// counts[s] becomes what comes before stretch s; one block. A total beyond `most` is reported.
__global__ void __launch_bounds__(kThreads) before_kernel(int64_t *counts, int64_t stretches, int64_t most, int kernel,
                                                          DeviceError *error) {
  __shared__ int64_t sums[2][kThreads];
  int64_t carry = 0;
  for (int64_t first = 0; first < stretches; first += kThreads) {
    const int64_t s = first + threadIdx.x;
    const int64_t own = s < stretches ? counts[s] : 0;
    int from = 0;
    sums[from][threadIdx.x] = own;
    for (int step = 1; step < kThreads; step *= 2, from ^= 1) {
      __syncthreads();
      const int64_t earlier = int(threadIdx.x) >= step ? sums[from][threadIdx.x - step] : 0;
      sums[from ^ 1][threadIdx.x] = sums[from][threadIdx.x] + earlier;
    }
    __syncthreads();
    if (s < stretches) counts[s] = carry + sums[from][threadIdx.x] - own;
    carry += sums[from][kThreads - 1];
    __syncthreads();
  }
  if (threadIdx.x == 0 && most >= 0 && carry > most) raise(error, kernel, TC_BAD_VALUE, carry, most);
}

// use(k, i): element i is the k-th that is set.
template <class Use>
__global__ void __launch_bounds__(kThreads) each_set_kernel(const void *in, int dtype, int64_t n, const int64_t *before,
                                                            TC_ARG(Use) use) {
  for (int64_t s = blockIdx.x; s * kStretch < n; s += gridDim.x) {
    int64_t done = before[s];
    for (int64_t first = s * kStretch; first < (s + 1) * kStretch; first += kThreads) {
      const int64_t i = first + threadIdx.x;
      const bool set = i < n && load_as<bool>(dtype, in, i);
      int total;
      const int rank = rank_in_block(set, &total);
      if (set) use(done + rank, i);
      done += total;
    }
  }
}

__global__ void total_kernel(const void *in, int dtype, int64_t n, unsigned long long *total) {
  unsigned long long count = 0;
  for (int64_t i = thread_index(); i < n; i += thread_count()) count += load_as<bool>(dtype, in, i);
  if (count > 0) atomicAdd(total, count);
}

template <class T> struct Select {
  T *out;
  const T *in;
  TC_FN void operator()(int64_t k, int64_t i) const { out[k] = in[i]; }
};
template <class T> struct Scatter {
  T *out;
  const T *in;
  int64_t most;
  TC_FN void operator()(int64_t k, int64_t i) const {
    if (k < most) out[i] = in[k];
  }
};
struct Coordinates {
  int64_t *out;
  const int64_t *count;
  int as_tuple, ndim;
  int64_t shape[TC_MAX_DIMS];  // outermost first
  TC_FN void operator()(int64_t k, int64_t i) const {
    for (int d = ndim - 1; d >= 0; d--) {
      const int64_t rest = i / shape[d];
      out[as_tuple ? d * *count + k : k * ndim + d] = i - rest * shape[d];
      i = rest;
    }
  }
};

template <class Use>
void launch(const Frame &f, const void *in, int64_t dtype, int64_t n, int64_t *counts, int64_t most, const Use &use) {
  const unsigned blocks = f.blocks(n, kStretch);
  TC_LAUNCH(count_kernel, blocks, kThreads, 0, f.stream, in, int(dtype), n, counts);
  TC_LAUNCH(before_kernel, 1, kThreads, 0, f.stream, counts, stretches_of(n), most, f.kernel, f.error);
  TC_LAUNCH(each_set_kernel<Use>, blocks, kThreads, 0, f.stream, in, int(dtype), n, static_cast<const int64_t *>(counts), use);
}

int32_t count_all(const Frame &f, const void *in, int64_t dtype, int64_t n, uint64_t count) {
  auto *const total = TC_PTR(unsigned long long, count);
  cudaMemsetAsync(total, 0, sizeof *total, f.stream);
  if (n > 0) TC_LAUNCH(total_kernel, f.blocks(n, 1024), 256, 0, f.stream, in, int(dtype), n, total);
  return f.end();
}

int64_t elements(const tc_nonzero_args *a) {
  int64_t n = 1;
  for (int64_t d = 0; d < a->ndim; d++) n *= a->shape[d];
  return n;
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_masked_select_scratch) int64_t tc_masked_select_scratch(const tc_masked_args *a) {
  return stretches_of(a->n) * 8;
}
TC_EXPORT(tc_masked_scatter_scratch) int64_t tc_masked_scatter_scratch(const tc_masked_args *a) {
  return stretches_of(a->n) * 8;
}
TC_EXPORT(tc_nonzero_scratch) int64_t tc_nonzero_scratch(const tc_nonzero_args *a) { return stretches_of(elements(a)) * 8; }

TC_EXPORT(tc_mask_count) int32_t tc_mask_count(const tc_masked_args *a) {
  const Frame f(TC_KERNEL_mask_count);
  return f.status != TC_OK ? f.status : count_all(f, TC_PTR(const void, a->mask), TC_BOOL, a->n, a->count);
}

TC_EXPORT(tc_masked_select) int32_t tc_masked_select(const tc_masked_args *a) {
  const Frame f(TC_KERNEL_masked_select);
  if (f.status != TC_OK || a->n == 0) return f.status;
  with_size(tc_dtype_size(a->dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(f, TC_PTR(const void, a->mask), TC_BOOL, a->n, TC_PTR(int64_t, a->scratch), -1,
           Select<T>{TC_PTR(T, a->out), TC_PTR(const T, a->in)});
  });
  return f.end();
}

TC_EXPORT(tc_masked_scatter) int32_t tc_masked_scatter(const tc_masked_args *a) {
  const Frame f(TC_KERNEL_masked_scatter);
  if (f.status != TC_OK || a->n == 0) return f.status;
  with_size(tc_dtype_size(a->dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(f, TC_PTR(const void, a->mask), TC_BOOL, a->n, TC_PTR(int64_t, a->scratch), a->nsrc,
           Scatter<T>{TC_PTR(T, a->out), TC_PTR(const T, a->in), a->nsrc});
  });
  return f.end();
}

TC_EXPORT(tc_nonzero_count) int32_t tc_nonzero_count(const tc_nonzero_args *a) {
  const Frame f(TC_KERNEL_nonzero_count);
  return f.status != TC_OK ? f.status : count_all(f, TC_PTR(const void, a->in), a->dtype, elements(a), a->count);
}

TC_EXPORT(tc_nonzero) int32_t tc_nonzero(const tc_nonzero_args *a) {
  const Frame f(TC_KERNEL_nonzero);
  const int64_t n = elements(a);
  if (f.status != TC_OK || n == 0) return f.status;
  Coordinates use = {TC_PTR(int64_t, a->out), TC_PTR(const int64_t, a->count), int(a->as_tuple), int(a->ndim), {}};
  for (int64_t d = 0; d < a->ndim; d++) use.shape[d] = a->shape[d];
  launch(f, TC_PTR(const void, a->in), a->dtype, n, TC_PTR(int64_t, a->scratch), -1, use);
  return f.end();
}
