// tc_pointwise: the elementwise formulas of core/pointwise.def; see pointwise.cuh.
#include "common.cuh"

namespace tc {
int32_t pointwise_f32(const Frame &f, const tc_pointwise_args *a);
int32_t pointwise_f64(const Frame &f, const tc_pointwise_args *a);
int32_t pointwise_i32(const Frame &f, const tc_pointwise_args *a);
int32_t pointwise_i64(const Frame &f, const tc_pointwise_args *a);
}  // namespace tc

TC_EXPORT(tc_pointwise) int32_t tc_pointwise(const tc_pointwise_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_pointwise);
  if (f.status != TC_OK) return f.status;
  switch (a->compute) {
    case TC_F32: return pointwise_f32(f, a);
    case TC_F64: return pointwise_f64(f, a);
    case TC_I32: return pointwise_i32(f, a);
    case TC_I64: return pointwise_i64(f, a);
    default: return unsupported(a->compute, a->op);
  }
}
