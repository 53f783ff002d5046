// Max and average pooling, their adaptive forms, unpooling, and gradients: a thread makes one element of the result.
#include "atomics.cuh"

namespace tc {
namespace {

// A window along one dimension: `count` elements of the input, `step` apart, from `start` on.
struct Window { int64_t start, count, step; };

TC_FN Window window_of(const tc_pool_args &a, bool adaptive, int d, int64_t i) {
  const int64_t in = a.in_size[d], out = a.out_size[d];
  if (adaptive) {
    const int64_t start = i * in / out;
    return {start, ((i + 1) * in + out - 1) / out - start, 1};
  }
  const int64_t dilation = a.dilation[d], start = i * a.stride[d] - a.padding[d];
  const int64_t first = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const int64_t end = v_min(a.kernel[d], start < in ? (in - start + dilation - 1) / dilation : int64_t(0));
  return {start + first * dilation, end > first ? end - first : 0, dilation};
}

// An output's place in its plane, and its plane.
struct Place { int64_t plane, at[3]; };
TC_FN Place place_of(const int64_t *size, int64_t i) {
  Place p;
  for (int d = 2; d >= 0; d--) {
    p.at[d] = i % size[d];
    i /= size[d];
  }
  p.plane = i;
  return p;
}

TC_FN void store_index(const tc_pool_args &a, int64_t i, int64_t index) {
  if (!a.indices) return;
  if (a.index_dtype == TC_I32) TC_PTR(int32_t, a.indices)[i] = int32_t(index);
  else TC_PTR(int64_t, a.indices)[i] = index;
}

template <class T> TC_FN T lowest() {
  if constexpr (std::is_integral_v<T>) return std::is_signed_v<T> ? T(T(1) << (8 * sizeof(T) - 1)) : T(0);
  else return convert<T>(-INFINITY);
}

template <class T> __global__ void max_kernel(TC_ARG(tc_pool_args) a, int adaptive) {
  using C = compute_t<T>;
  const int64_t in = volume(a.in_size), total = a.planes * volume(a.out_size);
  for (int64_t i = thread_index(); i < total; i += thread_count()) {
    const Place p = place_of(a.out_size, i);
    const Window wd = window_of(a, adaptive, 0, p.at[0]), wh = window_of(a, adaptive, 1, p.at[1]);
    const Window ww = window_of(a, adaptive, 2, p.at[2]);
    const T *const x = TC_PTR(const T, a.x) + p.plane * in;
    const bool any = wd.count > 0 && wh.count > 0 && ww.count > 0;
    int64_t best_at = any ? (wd.start * a.in_size[1] + wh.start) * a.in_size[2] + ww.start : -1;
    T best_stored = lowest<T>();
    C best = convert<C>(best_stored);
    for (int64_t d = 0; d < wd.count; d++)
      for (int64_t h = 0; h < wh.count; h++) {
        const int64_t line = ((wd.start + d * wd.step) * a.in_size[1] + wh.start + h * wh.step) * a.in_size[2] + ww.start;
        for (int64_t w = 0; w < ww.count; w++) {
          const T stored = x[line + w * ww.step];
          const C v = convert<C>(stored);
          if (v > best || v_isnan(v)) best = v, best_stored = stored, best_at = line + w * ww.step;
        }
      }
    TC_PTR(T, a.y)[i] = best_stored;
    store_index(a, i, best_at);
  }
}

enum Follow { ADD_AT, SET_AT, GET_AT };

// Where the indices lead: x[index] += y, x[index] = y, or y = x[index].
template <class T, int WHAT> __global__ void follow_kernel(TC_ARG(tc_pool_args) a, int kernel, DeviceError *error) {
  const int64_t in = volume(a.in_size), out = volume(a.out_size);
  for (int64_t i = thread_index(); i < a.planes * out; i += thread_count()) {
    const int64_t at = load_as<int64_t>(int(a.index_dtype), TC_PTR(const void, a.indices), i);
    if (WHAT == ADD_AT && at == -1) continue;
    if (checked(at, {in, 0, 0, kernel}, i, error) < 0) continue;
    T *const x = TC_PTR(T, a.x) + i / out * in + at, *const y = TC_PTR(T, a.y) + i;
    if constexpr (WHAT == ADD_AT) accumulate(x, *y);
    else if constexpr (WHAT == SET_AT) *x = *y;
    else *y = *x;
  }
}

// One dimension's factor in what a window's sum is divided by.
TC_FN int64_t divisor_part(const tc_pool_args &a, bool adaptive, int d, int64_t i) {
  if (adaptive || !a.count_include_pad) return window_of(a, adaptive, d, i).count;
  const int64_t start = i * a.stride[d] - a.padding[d];
  return v_min(start + a.kernel[d], a.in_size[d] + a.padding[d]) - start;
}

template <class T> __global__ void average_kernel(TC_ARG(tc_pool_args) a, int adaptive) {
  using C = compute_t<T>;
  const int64_t in = volume(a.in_size), total = a.planes * volume(a.out_size);
  for (int64_t i = thread_index(); i < total; i += thread_count()) {
    const Place p = place_of(a.out_size, i);
    const Window wd = window_of(a, adaptive, 0, p.at[0]), wh = window_of(a, adaptive, 1, p.at[1]);
    const Window ww = window_of(a, adaptive, 2, p.at[2]);
    const T *const x = TC_PTR(const T, a.x) + p.plane * in;
    C sum = 0;
    for (int64_t d = 0; d < wd.count; d++)
      for (int64_t h = 0; h < wh.count; h++) {
        const T *const line = x + ((wd.start + d) * a.in_size[1] + wh.start + h) * a.in_size[2] + ww.start;
        for (int64_t w = 0; w < ww.count; w++) sum += convert<C>(line[w]);
      }
    int64_t divisor = adaptive ? 0 : a.divisor_override;
    if (divisor == 0) {
      divisor = 1;
      for (int d = 0; d < 3; d++) divisor *= divisor_part(a, adaptive, d, p.at[d]);
    }
    const bool any = wd.count > 0 && wh.count > 0 && ww.count > 0;
    TC_PTR(T, a.y)[i] = convert<T>(any ? sum / C(divisor) : C(0));
  }
}

// The outputs [first, end) along one dimension whose windows hold input element i.
struct Outputs { int64_t first, end; };
TC_FN Outputs outputs_of(const tc_pool_args &a, bool adaptive, int d, int64_t i) {
  const int64_t in = a.in_size[d], out = a.out_size[d];
  if (adaptive) return {i * out / in, ((i + 1) * out + in - 1) / in};
  const int64_t stride = a.stride[d], last = i + a.padding[d], before = last - a.kernel[d];
  return {before < 0 ? 0 : before / stride + 1, v_min(out, last / stride + 1)};
}

template <class T> __global__ void average_backward_kernel(TC_ARG(tc_pool_args) a, int adaptive) {
  using C = compute_t<T>;
  const int64_t out = volume(a.out_size), total = a.planes * volume(a.in_size);
  for (int64_t i = thread_index(); i < total; i += thread_count()) {
    const Place p = place_of(a.in_size, i);
    const T *const y = TC_PTR(const T, a.y) + p.plane * out;
    const Outputs od = outputs_of(a, adaptive, 0, p.at[0]), oh = outputs_of(a, adaptive, 1, p.at[1]);
    const Outputs ow = outputs_of(a, adaptive, 2, p.at[2]);
    C sum = 0;
    for (int64_t d = od.first; d < od.end; d++)
      for (int64_t h = oh.first; h < oh.end; h++)
        for (int64_t w = ow.first; w < ow.end; w++) {
          int64_t divisor = adaptive ? 0 : a.divisor_override;
          if (divisor == 0)
            divisor = divisor_part(a, adaptive, 0, d) * divisor_part(a, adaptive, 1, h) * divisor_part(a, adaptive, 2, w);
          sum += convert<C>(y[(d * a.out_size[1] + h) * a.out_size[2] + w]) / C(divisor);
        }
    TC_PTR(T, a.x)[i] = convert<T>(sum);
  }
}

int32_t max_pool(const tc_pool_args *a, int number, bool adaptive) {
  const Frame f(number);
  const int64_t total = a->planes * volume(a->out_size);
  if (f.status != TC_OK || total == 0) return f.status;
  const bool known = a->dtype != TC_BOOL && with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(max_kernel<T>, f.blocks(total, 256), 256, 0, f.stream, *a, int(adaptive));
  });
  return known ? f.end() : unsupported(a->dtype);
}

template <int WHAT> int32_t follow(const tc_pool_args *a, int number) {
  const Frame f(number);
  if (f.status != TC_OK) return f.status;
  if (WHAT != GET_AT)
    cudaMemsetAsync(TC_PTR(void, a->x), 0, size_t(a->planes * volume(a->in_size) * tc_dtype_size(a->dtype)), f.stream);
  const int64_t total = a->planes * volume(a->out_size);
  if (total == 0) return f.end();
  const bool known = a->dtype != TC_BOOL && with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH((follow_kernel<T, WHAT>), f.blocks(total, 256), 256, 0, f.stream, *a, f.kernel, f.error);
  });
  return known ? f.end() : unsupported(a->dtype);
}

int32_t average(const tc_pool_args *a, int number, bool adaptive, bool backward) {
  const Frame f(number);
  const int64_t total = a->planes * volume(backward ? a->in_size : a->out_size);
  if (f.status != TC_OK || total == 0) return f.status;
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (backward) TC_LAUNCH(average_backward_kernel<T>, f.blocks(total, 256), 256, 0, f.stream, *a, int(adaptive));
    else TC_LAUNCH(average_kernel<T>, f.blocks(total, 256), 256, 0, f.stream, *a, int(adaptive));
  });
  return known ? f.end() : unsupported(a->dtype);
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_max_pool) int32_t tc_max_pool(const tc_pool_args *a) { return max_pool(a, TC_KERNEL_max_pool, false); }
TC_EXPORT(tc_adaptive_max_pool) int32_t tc_adaptive_max_pool(const tc_pool_args *a) {
  return max_pool(a, TC_KERNEL_adaptive_max_pool, true);
}
TC_EXPORT(tc_max_pool_backward) int32_t tc_max_pool_backward(const tc_pool_args *a) {
  return follow<ADD_AT>(a, TC_KERNEL_max_pool_backward);
}
TC_EXPORT(tc_max_unpool) int32_t tc_max_unpool(const tc_pool_args *a) { return follow<SET_AT>(a, TC_KERNEL_max_unpool); }
TC_EXPORT(tc_max_unpool_backward) int32_t tc_max_unpool_backward(const tc_pool_args *a) {
  return follow<GET_AT>(a, TC_KERNEL_max_unpool_backward);
}
TC_EXPORT(tc_avg_pool) int32_t tc_avg_pool(const tc_pool_args *a) { return average(a, TC_KERNEL_avg_pool, false, false); }
TC_EXPORT(tc_avg_pool_backward) int32_t tc_avg_pool_backward(const tc_pool_args *a) {
  return average(a, TC_KERNEL_avg_pool_backward, false, true);
}
TC_EXPORT(tc_adaptive_avg_pool) int32_t tc_adaptive_avg_pool(const tc_pool_args *a) {
  return average(a, TC_KERNEL_adaptive_avg_pool, true, false);
}
TC_EXPORT(tc_adaptive_avg_pool_backward) int32_t tc_adaptive_avg_pool_backward(const tc_pool_args *a) {
  return average(a, TC_KERNEL_adaptive_avg_pool_backward, true, true);
}
