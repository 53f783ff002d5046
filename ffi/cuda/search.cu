// tc_searchsorted, tc_bincount, tc_histc.
#include "atomics.cuh"

namespace tc {
namespace {

// PyTorch's bisection, whose comparisons decide where NaN goes (core/search.c).
template <class T> __global__ void search_kernel(TC_ARG(tc_searchsorted_args) a, DeviceError *error) {
  using C = compute_t<T>;
  const int64_t *const sorter = TC_PTR(const int64_t, a.sorter);
  for (int64_t i = thread_index(); i < a.rows * a.m; i += thread_count()) {
    const int64_t row = a.shared ? 0 : i / a.m * a.n;
    const T *const bounds = TC_PTR(const T, a.boundaries) + row;
    const C value = convert<C>(TC_PTR(const T, a.values)[i]);
    int64_t low = 0, high = a.n;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      int64_t at = middle;
      if (sorter) {
        at = checked(sorter[row + middle], {a.n, 0, 0, TC_KERNEL_searchsorted}, row + middle, error);
        if (at < 0) break;
      }
      const C bound = convert<C>(bounds[at]);
      if (a.right ? bound > value : bound >= value) high = middle;
      else low = middle + 1;
    }
    store_as<int64_t>(int(a.out_dtype), TC_PTR(void, a.out), i, low);
  }
}

template <class W> __global__ void bincount_kernel(TC_ARG(tc_bincount_args) a, DeviceError *error) {
  for (int64_t i = thread_index(); i < a.n; i += thread_count()) {
    const int64_t k = checked(load_as<int64_t>(int(a.dtype), TC_PTR(const void, a.in), i),
                              {a.bins, 0, 0, TC_KERNEL_bincount}, i, error);
    if (k < 0) continue;
    if constexpr (std::is_same_v<W, int64_t>) accumulate(TC_PTR(int64_t, a.out) + k, int64_t(1));
    else accumulate(TC_PTR(W, a.out) + k, TC_PTR(const W, a.weights)[i]);
  }
}

// PyTorch's formula, in the dtype: which bin a value near an edge falls into depends on its rounding.
template <class T> __global__ void histc_kernel(TC_ARG(tc_histc_args) a) {
  const T low = T(a.min), high = T(a.max);
  for (int64_t i = thread_index(); i < a.n; i += thread_count()) {
    const T x = TC_PTR(const T, a.in)[i];
    if (!(x >= low && x <= high)) continue;
    const int64_t k = int64_t((x - low) / (high - low) * T(a.bins));
    accumulate(TC_PTR(T, a.out) + v_min(k, a.bins - 1), a.weights ? TC_PTR(const T, a.weights)[i] : T(1));
  }
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_searchsorted) int32_t tc_searchsorted(const tc_searchsorted_args *a) {
  const Frame f(TC_KERNEL_searchsorted);
  if (f.status != TC_OK || a->rows * a->m == 0) return f.status;
  const bool known = with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(search_kernel<T>, f.blocks(a->rows * a->m, 256), 256, 0, f.stream, *a, f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_bincount) int32_t tc_bincount(const tc_bincount_args *a) {
  const Frame f(TC_KERNEL_bincount);
  if (f.status != TC_OK) return f.status;
  const int64_t bytes = a->bins * (a->weights ? tc_dtype_size(a->weights_dtype) : 8);
  if (bytes > 0) cudaMemsetAsync(TC_PTR(void, a->out), 0, size_t(bytes), f.stream);
  if (a->n == 0) return f.end();
  const unsigned blocks = f.blocks(a->n, 256);
  if (!a->weights) TC_LAUNCH(bincount_kernel<int64_t>, blocks, 256, 0, f.stream, *a, f.error);
  else if (a->weights_dtype == TC_F32) TC_LAUNCH(bincount_kernel<float>, blocks, 256, 0, f.stream, *a, f.error);
  else TC_LAUNCH(bincount_kernel<double>, blocks, 256, 0, f.stream, *a, f.error);
  return f.end();
}

TC_EXPORT(tc_histc) int32_t tc_histc(const tc_histc_args *a) {
  const Frame f(TC_KERNEL_histc);
  if (f.status != TC_OK) return f.status;
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return unsupported(a->dtype);
  if (a->bins > 0) cudaMemsetAsync(TC_PTR(void, a->out), 0, size_t(a->bins * tc_dtype_size(a->dtype)), f.stream);
  if (a->n == 0) return f.end();
  const unsigned blocks = f.blocks(a->n, 256);
  if (a->dtype == TC_F32) TC_LAUNCH(histc_kernel<float>, blocks, 256, 0, f.stream, *a);
  else TC_LAUNCH(histc_kernel<double>, blocks, 256, 0, f.stream, *a);
  return f.end();
}
