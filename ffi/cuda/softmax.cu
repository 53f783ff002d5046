// tc_softmax and tc_softmax_backward. Lines of n elements, `inner` apart; a block is lanes of neighbouring lines by rows
// of threads along each.
#include "words.cuh"

namespace tc {
namespace {

template <class C> struct Larger { TC_FN C operator()(C a, C b) const { return v_maximum(a, b); } };
template <class C> struct Plus { TC_FN C operator()(C a, C b) const { return a + b; } };

// exp(x - max) / sum, or x - max - log(sum). A line of nothing but -inf, or with an inf or a NaN, comes out as NaN by
// itself.
template <class T, bool LOG>
__global__ void __launch_bounds__(256) softmax_kernel(const T *in, T *out, int64_t outer, int64_t n, int64_t inner) {
  using C = compute_t<T>;
  __shared__ C shared[256];
  const int64_t lines = outer * inner;
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < lines; first += int64_t(gridDim.x) * blockDim.x) {
    const int64_t line = first + threadIdx.x;
    const bool inside = line < lines;
    const int64_t base = inside ? line / inner * n * inner + line % inner : 0;
    C largest = -INFINITY;
    if (inside)
      for (int64_t i = threadIdx.y; i < n; i += blockDim.y) largest = v_maximum(largest, convert<C>(in[base + i * inner]));
    largest = reduce_rows(shared, largest, Larger<C>());
    C sum = 0;
    if (inside)
      for (int64_t i = threadIdx.y; i < n; i += blockDim.y) sum += v_exp(convert<C>(in[base + i * inner]) - largest);
    sum = reduce_rows(shared, sum, Plus<C>());
    const C shift = LOG ? v_log(sum) : C(0);
    if (inside)
      for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
        const C x = convert<C>(in[base + i * inner]) - largest;
        out[base + i * inner] = convert<T>(LOG ? x - shift : v_exp(x) / sum);
      }
  }
}

template <class T, bool LOG>
__global__ void __launch_bounds__(256) softmax_backward_kernel(const T *grad, const T *out, T *grad_in, int64_t outer,
                                                               int64_t n, int64_t inner) {
  using C = compute_t<T>;
  __shared__ C shared[256];
  const int64_t lines = outer * inner;
  for (int64_t first = int64_t(blockIdx.x) * blockDim.x; first < lines; first += int64_t(gridDim.x) * blockDim.x) {
    const int64_t line = first + threadIdx.x;
    const bool inside = line < lines;
    const int64_t base = inside ? line / inner * n * inner + line % inner : 0;
    C sum = 0;
    if (inside)
      for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
        const C g = convert<C>(grad[base + i * inner]);
        sum += LOG ? g : g * convert<C>(out[base + i * inner]);
      }
    sum = reduce_rows(shared, sum, Plus<C>());
    if (inside)
      for (int64_t i = threadIdx.y; i < n; i += blockDim.y) {
        const C g = convert<C>(grad[base + i * inner]), y = convert<C>(out[base + i * inner]);
        grad_in[base + i * inner] = convert<T>(LOG ? g - v_exp(y) * sum : y * (g - sum));
      }
  }
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_softmax) int32_t tc_softmax(const tc_softmax_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_softmax);
  if (f.status != TC_OK) return f.status;
  const int64_t lines = a->outer * a->inner;
  if (lines * a->n == 0) return TC_OK;
  const LineBlock b(lines, a->n, a->inner);
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *const in = TC_PTR(const T, a->in);
    T *const out = TC_PTR(T, a->out);
    const dim3 grid(f.blocks(lines, b.lanes)), block(b.lanes, b.rows);
    if (a->log) TC_LAUNCH((softmax_kernel<T, true>), grid, block, 0, f.stream, in, out, a->outer, a->n, a->inner);
    else TC_LAUNCH((softmax_kernel<T, false>), grid, block, 0, f.stream, in, out, a->outer, a->n, a->inner);
  });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_softmax_backward) int32_t tc_softmax_backward(const tc_softmax_backward_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_softmax_backward);
  if (f.status != TC_OK) return f.status;
  const int64_t lines = a->outer * a->inner;
  if (lines * a->n == 0) return TC_OK;
  const LineBlock b(lines, a->n, a->inner);
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *const grad = TC_PTR(const T, a->grad), *const out = TC_PTR(const T, a->out);
    T *const grad_in = TC_PTR(T, a->grad_in);
    const dim3 grid(f.blocks(lines, b.lanes)), block(b.lanes, b.rows);
    if (a->log)
      TC_LAUNCH((softmax_backward_kernel<T, true>), grid, block, 0, f.stream, grad, out, grad_in, a->outer, a->n, a->inner);
    else
      TC_LAUNCH((softmax_backward_kernel<T, false>), grid, block, 0, f.stream, grad, out, grad_in, a->outer, a->n,
                a->inner);
  });
  return known ? f.end() : unsupported(a->dtype);
}
