// tc_dropout_backward: also the forward pass here, as masks are drawn on the host (with PyTorch's generator) and copied.
#include "common.cuh"

namespace tc {
namespace {

// out = in * (mask / (1 - p)); the quotient is rounded to the dtype, as PyTorch's div_ leaves it.
template <class T> __global__ void scale_kernel(T *out, const T *in, const uint8_t *mask, double kept, int64_t n) {
  using C = compute_t<T>;
  const C scale = convert<C>(convert<T>(C(1) / C(kept)));
  for (int64_t i = thread_index(); i < n; i += thread_count())
    out[i] = convert<T>(convert<C>(in[i]) * (mask[i] ? scale : C(0)));
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_dropout_backward) int32_t tc_dropout_backward(const tc_dropout_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_dropout_backward);
  if (f.status != TC_OK || a->n == 0) return f.status;
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(scale_kernel<T>, f.blocks(a->n, 1024), 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->in),
              TC_PTR(const uint8_t, a->mask), 1 - a->p, a->n);
  });
  return known ? f.end() : unsupported(a->dtype);
}
