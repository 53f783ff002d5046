// Reading at positions that index tensors hold, and advanced indexing: gather, index_select, index, one_hot, tri.
//
// Bad indices are reported and skipped. Where several updates meet at one place they are atomic; their order, and so the
// last bits of a float sum, is not fixed, and of several assignments any may win (both as in PyTorch on CUDA).
#include "places.cuh"

namespace tc {
namespace {

// gather and scatter: the space's dimension 0 is `dim`; strides: out, in or src, index -----------------------------------

template <class T>
__global__ void gather_kernel(T *out, const T *in, const int64_t *index, int64_t in_step, TC_ARG(Space<3>) space,
                              TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[3];
    space.offsets(i, at);
    const int64_t k = checked(index[at[2]], bounds, i, error);
    if (k >= 0) out[at[0]] = in[at[1] + k * in_step];
  }
}

// Whole rows ------------------------------------------------------------------------------------------------------------

template <class T>
__global__ void select_kernel(T *out, const T *in, const void *index, TC_ARG(Rows) r, TC_ARG(Bounds) bounds,
                              DeviceError *error) {
  const int64_t size = r.outer * r.m * r.inner;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t row = i / r.inner % r.m, o = i / r.inner / r.m;
    const int64_t k = checked(load_as<int64_t>(r.index_dtype, index, row), bounds, row, error);
    if (k >= 0) out[i] = in[o * r.outer_stride + k * r.row_stride + i % r.inner];
  }
}

// Advanced indexing -------------------------------------------------------------------------------------------------------

struct Indices {
  int count;
  const int64_t *index[TC_MAX_INDICES];
  int64_t size[TC_MAX_INDICES], stride[TC_MAX_INDICES];
};
using IndexSpace = Space<1 + TC_MAX_INDICES>;  // strides: values, then each index tensor

template <class T, int OP>
__global__ void index_kernel(T *self, T *values, T value, TC_ARG(Indices) indices, TC_ARG(IndexSpace) places,
                             TC_ARG(Space<2>) slice, DeviceError *error) {
  const int64_t size = places.count * slice.count;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t p = i / slice.count;
    int64_t at[1 + TC_MAX_INDICES], inner[2];
    places.offsets(p, at);
    slice.offsets(i % slice.count, inner);
    int64_t place = inner[1];
    bool good = true;
    for (int k = 0; k < indices.count && good; k++) {
      const Bounds bounds = {indices.size[k], k, 1, TC_KERNEL_index};
      const int64_t j = checked(indices.index[k][at[1 + k]], bounds, p, error);
      good = j >= 0;
      place += j * indices.stride[k];
    }
    if (!good) continue;
    T *const other = values ? values + at[0] + inner[0] : nullptr;
    if constexpr (OP == TC_INDEX_GET) *other = self[place];
    else if constexpr (OP == TC_INDEX_PUT) self[place] = other ? *other : value;
    else accumulate(self + place, other ? *other : value);
  }
}

// one_hot, tri ---------------------------------------------------------------------------------------------------

__global__ void one_hot_kernel(int64_t *out, const int64_t *in, int64_t n, TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < n * bounds.size; i += thread_count()) {
    const int64_t row = i / bounds.size, k = checked(in[row], bounds, row, error);
    out[i] = k == i % bounds.size;
  }
}

template <class T> __global__ void tri_kernel(T *out, const T *in, TC_ARG(tc_tri_args) a) {
  const int64_t size = a.batch * a.rows * a.cols;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t c = i % a.cols, r = i / a.cols % a.rows, b = i / a.cols / a.rows;
    const bool kept = a.upper ? c - r >= a.diagonal : c - r <= a.diagonal;
    const T zero = {};
    out[i] = kept ? in[b * a.in_batch_stride + r * a.in_row_stride + c * a.in_col_stride] : zero;
  }
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_gather) int32_t tc_gather(const tc_gather_args *a) {
  const Frame f(TC_KERNEL_gather);
  if (f.status != TC_OK) return f.status;
  Space<3> space;
  if (!line_space(a, 1, &space)) return unsupported(a->dtype);
  if (space.count == 0) return TC_OK;
  const Bounds bounds = {a->size, a->dim, 0, TC_KERNEL_gather};
  with_size(tc_dtype_size(a->dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(gather_kernel<T>, f.blocks(space.count, 256), 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->in),
              TC_PTR(const int64_t, a->index), a->dim_stride[1], space, bounds, f.error);
  });
  return f.end();
}

TC_EXPORT(tc_index_select) int32_t tc_index_select(const tc_index_select_args *a) {
  const Frame f(TC_KERNEL_index_select);
  if (f.status != TC_OK) return f.status;
  const int64_t size = a->outer * a->m * a->inner;
  if (size == 0) return TC_OK;
  const Rows rows = {a->outer, a->m, a->inner, a->in_outer_stride, a->in_row_stride, int(a->index_dtype)};
  const Bounds bounds = {a->n, a->dim, int(a->wrap), TC_KERNEL_index_select};
  with_size(tc_dtype_size(a->dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(select_kernel<T>, f.blocks(size, 256), 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->in),
              TC_PTR(const void, a->index), rows, bounds, f.error);
  });
  return f.end();
}

TC_EXPORT(tc_index) int32_t tc_index(const tc_index_args *a) {
  const Frame f(TC_KERNEL_index);
  if (f.status != TC_OK) return f.status;
  Indices indices = {};
  indices.count = int(a->nindices);
  for (int64_t k = 0; k < a->nindices; k++) {
    indices.index[k] = TC_PTR(const int64_t, a->index[k]);
    indices.size[k] = a->size[k];
    indices.stride[k] = a->self_stride[k];
  }
  IndexSpace places;
  Space<2> slice;
  bool fits = true;
  for (int64_t d = 0; d < a->index_ndim; d++) {
    int64_t strides[1 + TC_MAX_INDICES] = {a->index_values_stride[d]};
    for (int64_t k = 0; k < a->nindices; k++) strides[1 + k] = a->index_stride[d][k];
    fits &= places.add(a->index_shape[d], strides);
  }
  for (int64_t d = 0; d < a->slice_ndim; d++) fits &= slice.add(a->slice_shape[d], a->slice_stride[d]);
  if (!fits) return unsupported(a->dtype, a->op);
  places.finish();
  slice.finish();
  const int64_t size = places.count * slice.count;
  if (size == 0) return TC_OK;
  const unsigned blocks = f.blocks(size, 256);
  const auto launch = [&](auto tag, auto op) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH((index_kernel<T, decltype(op)::value>), blocks, 256, 0, f.stream, TC_PTR(T, a->self), TC_PTR(T, a->values),
              number_as<T>(a->dtype, a->value), indices, places, slice, f.error);
  };
  bool known;
  switch (a->op) {
    case TC_INDEX_GET:
      known = with_size(tc_dtype_size(a->dtype),
                        [&](auto tag) { launch(tag, std::integral_constant<int, TC_INDEX_GET>()); });
      break;
    case TC_INDEX_PUT:
      known = with_size(tc_dtype_size(a->dtype),
                        [&](auto tag) { launch(tag, std::integral_constant<int, TC_INDEX_PUT>()); });
      break;
    default: known = with_real(a->dtype, [&](auto tag) { launch(tag, std::integral_constant<int, TC_INDEX_ADD>()); });
  }
  return known ? f.end() : unsupported(a->dtype, a->op);
}

TC_EXPORT(tc_one_hot) int32_t tc_one_hot(const tc_one_hot_args *a) {
  const Frame f(TC_KERNEL_one_hot);
  if (f.status != TC_OK) return f.status;
  if (a->n * a->classes == 0) return TC_OK;
  const Bounds bounds = {a->classes, 0, 0, TC_KERNEL_one_hot};
  TC_LAUNCH(one_hot_kernel, f.blocks(a->n * a->classes, 256), 256, 0, f.stream, TC_PTR(int64_t, a->out),
            TC_PTR(const int64_t, a->in), a->n, bounds, f.error);
  return f.end();
}

TC_EXPORT(tc_tri) int32_t tc_tri(const tc_tri_args *a) {
  const Frame f(TC_KERNEL_tri);
  if (f.status != TC_OK) return f.status;
  const int64_t size = a->batch * a->rows * a->cols;
  if (size == 0) return TC_OK;
  with_size(tc_dtype_size(a->dtype), [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(tri_kernel<T>, f.blocks(size, 256), 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->in), *a);
  });
  return f.end();
}
