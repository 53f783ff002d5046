// Reading and writing at positions that index tensors hold: gather, scatter, index_select, index_rows, index, embedding's
// gradient, one_hot, tri.
//
// Bad indices are reported and skipped. Where several updates meet at one place they are atomic; their order, and so the
// last bits of a float sum, is not fixed, and of several assignments any may win (both as in PyTorch on CUDA).
#include "common.cuh"

namespace tc {
namespace {

// Replaces *place by fn(*place) for types smaller than what the hardware exchanges.
template <class T, class F> TC_FN void update_small(T *place, F fn) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(place);
  unsigned *const word = reinterpret_cast<unsigned *>(address & ~uintptr_t(3));
  const unsigned shift = unsigned(address & 3) * 8, mask = sizeof(T) == 1 ? 0xffu : 0xffffu;
  unsigned old = *word, expected;
  do {
    expected = old;
    T value;
    const uint16_t bits = uint16_t(expected >> shift & mask);
    memcpy(&value, &bits, sizeof(T));
    value = fn(value);
    uint16_t made = 0;
    memcpy(&made, &value, sizeof(T));
    old = atomicCAS(word, expected, (expected & ~(mask << shift)) | unsigned(made) << shift);
  } while (old != expected);
}

// *place += value, whatever the type; bools are or-ed.
template <class T> TC_FN void accumulate(T *place, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    if (value) *place = true;
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    atomicAdd(place, value);
  } else if constexpr (std::is_same_v<T, int32_t>) {
    atomicAdd(reinterpret_cast<unsigned *>(place), unsigned(value));
  } else if constexpr (std::is_same_v<T, int64_t>) {
    atomicAdd(reinterpret_cast<unsigned long long *>(place), (unsigned long long)value);
  } else {
    using C = compute_t<T>;
    update_small(place, [=](T old) { return convert<T>(C(convert<C>(old) + convert<C>(value))); });
  }
}

// An element's bits, for moves of any dtype, and a number argument in that form.
template <class T> T number_as(int64_t dtype, const tc_number *value) {
  T bits = {};
  if (with_real(dtype, [&](auto tag) {
        using R = typename decltype(tag)::type;
        const R r = with_floating(dtype, [](auto) {}) ? convert<R>(value->f) : convert<R>(value->i);
        memcpy(&bits, &r, sizeof r < sizeof bits ? sizeof r : sizeof bits);
      }))
    return bits;
  if (dtype == TC_C64) {
    const float parts[2] = {float(value[0].f), float(value[1].f)};
    memcpy(&bits, parts, sizeof bits < sizeof parts ? sizeof bits : sizeof parts);
  } else {
    const double parts[2] = {value[0].f, value[1].f};
    memcpy(&bits, parts, sizeof bits < sizeof parts ? sizeof bits : sizeof parts);
  }
  return bits;
}

struct Bounds { int64_t size, dim; int wrap, kernel; };

// The index if it is good, else -1 with a report.
TC_FN int64_t checked(int64_t index, const Bounds &b, int64_t position, DeviceError *error) {
  if (index >= 0 && index < b.size) return index;
  if (b.wrap && index < 0 && index >= -b.size) return index + b.size;
  raise(error, b.kernel, TC_INDEX_OUT_OF_RANGE, index, b.size, position, b.dim);
  return -1;
}

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

template <class T, bool ADD>
__global__ void scatter_kernel(T *out, const T *src, T value, const int64_t *index, int64_t out_step,
                               TC_ARG(Space<3>) space, TC_ARG(Bounds) bounds, DeviceError *error) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[3];
    space.offsets(i, at);
    const int64_t k = checked(index[at[2]], bounds, i, error);
    if (k < 0) continue;
    const T v = src ? src[at[1]] : value;
    if constexpr (ADD) accumulate(out + at[0] + k * out_step, v);
    else out[at[0] + k * out_step] = v;
  }
}

// The space of gather's or scatter's struct, with operand `moving` (which the index moves) standing still along dim.
template <class A> bool line_space(const A *a, int moving, Space<3> *space) {
  int64_t along[3] = {a->dim_stride[0], a->dim_stride[1], a->dim_stride[2]};
  along[moving] = 0;
  bool fits = space->add(a->n, along);
  for (int64_t d = 0; d < a->ndim && fits; d++) fits = space->add(a->shape[d], a->stride[d]);
  space->finish();
  return fits;
}

// Whole rows ------------------------------------------------------------------------------------------------------------

struct Rows { int64_t outer, m, inner, outer_stride, row_stride; int index_dtype; };

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
__global__ void add_rows_kernel(T *out, const T *src, T value, compute_t<T> alpha, const void *index, TC_ARG(Rows) r,
                                TC_ARG(Bounds) bounds, DeviceError *error) {
  using C = compute_t<T>;
  const int64_t size = r.outer * r.m * r.inner;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    const int64_t row = i / r.inner % r.m, o = i / r.inner / r.m;
    const int64_t k = checked(load_as<int64_t>(r.index_dtype, index, row), bounds, row, error);
    if (k < 0) continue;
    const C v = alpha * convert<C>(src ? src[i] : value);
    accumulate(out + o * r.outer_stride + k * r.row_stride + i % r.inner, convert<T>(v));
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

// Embedding, one_hot, tri ---------------------------------------------------------------------------------------------------

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

TC_EXPORT(tc_scatter_scratch) int64_t tc_scatter_scratch(const tc_scatter_args *) { return 0; }

TC_EXPORT(tc_scatter) int32_t tc_scatter(const tc_scatter_args *a) {
  const Frame f(TC_KERNEL_scatter);
  if (f.status != TC_OK) return f.status;
  Space<3> space;
  const bool add = a->op == TC_SCATTER_ADD;
  if ((a->op != TC_SCATTER_ASSIGN && !add) || !a->include_self) return unsupported(a->dtype, a->op);
  if (!line_space(a, 0, &space)) return unsupported(a->dtype, a->op);
  if (space.count == 0) return TC_OK;
  const Bounds bounds = {a->size, a->dim, 0, TC_KERNEL_scatter};
  const unsigned blocks = f.blocks(space.count, 256);
  const auto launch = [&](auto tag, auto adds) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH((scatter_kernel<T, decltype(adds)::value>), blocks, 256, 0, f.stream, TC_PTR(T, a->out),
              TC_PTR(const T, a->src), number_as<T>(a->dtype, a->value), TC_PTR(const int64_t, a->index), a->dim_stride[0],
              space, bounds, f.error);
  };
  const bool known = add ? with_real(a->dtype, [&](auto tag) { launch(tag, std::true_type()); })
                         : with_size(tc_dtype_size(a->dtype), [&](auto tag) { launch(tag, std::false_type()); });
  return known ? f.end() : unsupported(a->dtype, a->op);
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

TC_EXPORT(tc_index_rows_scratch) int64_t tc_index_rows_scratch(const tc_index_rows_args *) { return 0; }

TC_EXPORT(tc_index_rows) int32_t tc_index_rows(const tc_index_rows_args *a) {
  const Frame f(TC_KERNEL_index_rows);
  if (f.status != TC_OK) return f.status;
  if (a->op != TC_ROWS_COPY && a->op != TC_ROWS_ADD) return unsupported(a->dtype, a->op);
  const int64_t size = a->outer * a->m * a->inner;
  if (size == 0) return TC_OK;
  const Rows rows = {a->outer, a->m, a->inner, a->n * a->inner, a->inner, int(a->index_dtype)};
  const Bounds bounds = {a->n, a->dim, int(a->wrap), TC_KERNEL_index_rows};
  const unsigned blocks = f.blocks(size, 256);
  const auto copies = [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(copy_rows_kernel<T>, blocks, 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->src),
              number_as<T>(a->dtype, a->value), TC_PTR(const void, a->index), rows, bounds, f.error);
  };
  const auto adds = [&](auto tag) {
    using T = typename decltype(tag)::type;
    using C = compute_t<T>;
    const C alpha = with_floating(a->dtype, [](auto) {}) ? C(a->alpha.f) : C(a->alpha.i);
    TC_LAUNCH(add_rows_kernel<T>, blocks, 256, 0, f.stream, TC_PTR(T, a->out), TC_PTR(const T, a->src),
              number_as<T>(a->dtype, a->value), alpha, TC_PTR(const void, a->index), rows, bounds, f.error);
  };
  const bool known = a->op == TC_ROWS_COPY ? with_size(tc_dtype_size(a->dtype), copies) : with_real(a->dtype, adds);
  return known ? f.end() : unsupported(a->dtype, a->op);
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
