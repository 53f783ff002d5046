// Writing at positions that index tensors hold: scatter, index_add and their kin. index.cu says what holds for all.
#include "places.cuh"

namespace tc {
namespace {

// What happens to a place: numbers of tc_scatter_op and of tc_rows_op, whose order is the same from MUL on.
enum Op { ASSIGN = TC_SCATTER_ASSIGN, ADD = TC_SCATTER_ADD, MUL = TC_SCATTER_MUL, MEAN = TC_SCATTER_MEAN,
          AMAX = TC_SCATTER_AMAX, AMIN = TC_SCATTER_AMIN };
static_assert(int(TC_ROWS_COPY) == ASSIGN && int(TC_ROWS_ADD) == ADD && int(TC_ROWS_MUL) == MUL && int(TC_ROWS_MEAN) == MEAN &&
              int(TC_ROWS_AMAX) == AMAX && int(TC_ROWS_AMIN) == AMIN, "one list of operations");

template <class T> TC_FN void combine(int op, T *place, T value) {
  using C = compute_t<T>;
  const C v = convert<C>(value);
  switch (op) {
    case MUL: update(place, [=](T old) { return convert<T>(C(convert<C>(old) * v)); }); break;
    case AMAX: update(place, [=](T old) { return convert<T>(v_maximum(convert<C>(old), v)); }); break;
    case AMIN: update(place, [=](T old) { return convert<T>(v_minimum(convert<C>(old), v)); }); break;
    default: accumulate(place, value);
  }
}

// What the operation starts from.
template <class T> T identity(int op) {
  if constexpr (std::is_same_v<T, bool>) return op == MUL || op == AMIN;
  else if constexpr (std::is_integral_v<T>) {
    constexpr T low = std::is_signed_v<T> ? T(T(1) << (8 * sizeof(T) - 1)) : T(0);
    return op == MUL ? T(1) : op == AMAX ? low : op == AMIN ? T(~low) : T(0);
  } else {
    return convert<T>(op == MUL ? 1.0f : op == AMAX ? -INFINITY : op == AMIN ? INFINITY : 0.0f);
  }
}

template <class T>
__global__ void assign_kernel(T *out, const T *src, T value, const int64_t *index, int64_t out_step, TC_ARG(Space<3>) space,
                              TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[3];
    space.offsets(i, at);
    const int64_t k = checked(index[at[2]], bounds, i, error);
    if (k >= 0) out[at[0] + k * out_step] = src ? src[at[1]] : value;
  }
}

template <class T>
__global__ void combine_kernel(int op, T *out, const T *src, T value, const int64_t *index, int64_t out_step,
                               TC_ARG(Space<3>) space, TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[3];
    space.offsets(i, at);
    const int64_t k = checked(index[at[2]], bounds, i, error);
    if (k >= 0) combine(op, out + at[0] + k * out_step, src ? src[at[1]] : value);
  }
}

// out[i] /= counts[i / inner % n] + more, rounding down for integers, where the count is not 0.
template <class T> __global__ void divide_kernel(T *out, const int64_t *counts, int64_t size, int64_t inner, int64_t n, int more) {
  using C = compute_t<T>;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t count = counts[i / inner % n];
    if (count == 0) continue;
    const C sum = convert<C>(out[i]), by = C(count + more);
    if constexpr (std::is_integral_v<C>) out[i] = convert<T>(v_div_floor(sum, by));
    else out[i] = convert<T>(sum / by);
  }
}

template <class T>
__global__ void copy_rows_kernel(T *out, const T *src, T value, const void *index, TC_ARG(Rows) r, TC_ARG(Bounds) bounds,
                                 DeviceError *error) {
  const int64_t size = r.outer * r.m * r.inner;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t row = i / r.inner % r.m, o = i / r.inner / r.m;
    const int64_t k = checked(load_as<int64_t>(r.index_dtype, index, row), bounds, row, error);
    if (k >= 0) out[o * r.outer_stride + k * r.row_stride + i % r.inner] = src ? src[i] : value;
  }
}

template <class T>
__global__ void combine_rows_kernel(int op, T *out, const T *src, T value, compute_t<T> alpha, const void *index,
                                    TC_ARG(Rows) r, TC_ARG(Bounds) bounds, DeviceError *error) {
  using C = compute_t<T>;
  const int64_t size = r.outer * r.m * r.inner;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t row = i / r.inner % r.m, o = i / r.inner / r.m;
    const int64_t k = checked(load_as<int64_t>(r.index_dtype, index, row), bounds, row, error);
    if (k < 0) continue;
    const C v = alpha * convert<C>(src ? src[i] : value);
    combine(op, out + o * r.outer_stride + k * r.row_stride + i % r.inner, convert<T>(v));
  }
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_scatter_scratch) int64_t tc_scatter_scratch(const tc_scatter_args *a) {
  return a->op == MEAN ? a->out_numel * int64_t(sizeof(int64_t)) : 0;
}

TC_EXPORT(tc_scatter) int32_t tc_scatter(const tc_scatter_args *a) {
  const Frame f(TC_KERNEL_scatter);
  if (f.status != TC_OK) return f.status;
  Space<3> space;
  if (!line_space(a, 0, &space)) return unsupported(a->dtype, a->op);
  if (space.count == 0) return TC_OK;
  const Bounds bounds = {a->size, a->dim, 0, TC_KERNEL_scatter};
  const unsigned blocks = f.blocks(space.count, 256);
  const int64_t *const index = TC_PTR(const int64_t, a->index), step = a->dim_stride[0];
  if (a->op == ASSIGN) {
    with_size(tc_dtype_size(a->dtype), [&](auto tag) {
      using T = typename decltype(tag)::type;
      TC_LAUNCH(assign_kernel<T>, blocks, 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->src),
                number_as<T>(a->dtype, a->value), index, step, space, bounds, f.error);
    });
    return f.end();
  }
  const bool known = with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T *const out = TC_PTR(T, a->out);
    if (!a->include_self)
      TC_LAUNCH(assign_kernel<T>, blocks, 256, 0, f.stream, out, static_cast<const T *>(nullptr), identity<T>(int(a->op)),
                index, step, space, bounds, f.error);
    TC_LAUNCH(combine_kernel<T>, blocks, 256, 0, f.stream, int(a->op), out, TC_PTR(const T, a->src),
              number_as<T>(a->dtype, a->value), index, step, space, bounds, f.error);
    if (a->op != MEAN) return;
    int64_t *const counts = TC_PTR(int64_t, a->scratch);
    cudaMemsetAsync(counts, 0, size_t(a->out_numel) * sizeof *counts, f.stream);
    TC_LAUNCH(combine_kernel<int64_t>, blocks, 256, 0, f.stream, int(ADD), counts, static_cast<const int64_t *>(nullptr),
              int64_t(1), index, step, space, bounds, f.error);
    TC_LAUNCH(divide_kernel<T>, f.blocks(a->out_numel, 256), 256, 0, f.stream, out, static_cast<const int64_t *>(counts),
              a->out_numel, int64_t(1), a->out_numel, int(a->include_self != 0));
  });
  return known ? f.end() : unsupported(a->dtype, a->op);
}

TC_EXPORT(tc_index_rows_scratch) int64_t tc_index_rows_scratch(const tc_index_rows_args *a) {
  return a->op == MEAN ? a->n * int64_t(sizeof(int64_t)) : 0;
}

TC_EXPORT(tc_index_rows) int32_t tc_index_rows(const tc_index_rows_args *a) {
  const Frame f(TC_KERNEL_index_rows);
  if (f.status != TC_OK) return f.status;
  const int64_t size = a->outer * a->m * a->inner;
  if (size == 0) return TC_OK;
  const Rows rows = {a->outer, a->m, a->inner, a->n * a->inner, a->inner, int(a->index_dtype)};
  const Bounds bounds = {a->n, a->dim, int(a->wrap), TC_KERNEL_index_rows};
  const unsigned blocks = f.blocks(size, 256);
  const void *const index = TC_PTR(const void, a->index);
  if (a->op == ASSIGN) {
    with_size(tc_dtype_size(a->dtype), [&](auto tag) {
      using T = typename decltype(tag)::type;
      TC_LAUNCH(copy_rows_kernel<T>, blocks, 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->src),
                number_as<T>(a->dtype, a->value), index, rows, bounds, f.error);
    });
    return f.end();
  }
  const bool known = with_real(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    using C = compute_t<T>;
    T *const out = TC_PTR(T, a->out);
    const bool floating = with_floating(a->dtype, [](auto) {});
    const C alpha = a->op != ADD ? C(1) : floating ? C(a->alpha.f) : C(a->alpha.i);
    if (a->op != ADD && !a->include_self)
      TC_LAUNCH(copy_rows_kernel<T>, blocks, 256, 0, f.stream, out, static_cast<const T *>(nullptr), identity<T>(int(a->op)),
                index, rows, bounds, f.error);
    TC_LAUNCH(combine_rows_kernel<T>, blocks, 256, 0, f.stream, int(a->op), out, TC_PTR(const T, a->src),
              number_as<T>(a->dtype, a->value), alpha, index, rows, bounds, f.error);
    if (a->op != MEAN) return;
    int64_t *const counts = TC_PTR(int64_t, a->scratch);
    cudaMemsetAsync(counts, 0, size_t(a->n) * sizeof *counts, f.stream);
    const Rows single = {1, a->m, 1, a->n, 1, int(a->index_dtype)};
    TC_LAUNCH(combine_rows_kernel<int64_t>, f.blocks(a->m, 256), 256, 0, f.stream, int(ADD), counts,
              static_cast<const int64_t *>(nullptr), int64_t(1), int64_t(1), index, single, bounds, f.error);
    TC_LAUNCH(divide_kernel<T>, f.blocks(a->outer * a->n * a->inner, 256), 256, 0, f.stream, out,
              static_cast<const int64_t *>(counts), a->outer * a->n * a->inner, a->inner, a->n, int(a->include_self != 0));
  });
  return known ? f.end() : unsupported(a->dtype, a->op);
}
