// tc_copy: strided copies and conversions.
#include "common.cuh"

namespace tc {
namespace {

// The same dtype on both sides: bits move.
template <class T>
__global__ void move_kernel(T *out, const T *in, TC_ARG(Space<2>) space) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[2];
    space.offsets(i, at);
    out[at[0]] = in[at[1]];
  }
}

constexpr int kTile = 32, kTileRows = 8;

// Transposes of (rows, cols): `in` runs along rows, `out` along cols; blocks move 32 x 32 tiles through shared memory, so
// that both sides are read and written in whole lines. Further dimensions are in `outer`.
template <class T>
__global__ void transpose_kernel(T *out, const T *in, int64_t cols, int64_t rows, int64_t out_row, int64_t in_col,
                                 TC_ARG(Space<2>) outer) {
  __shared__ T tile[kTile][kTile + 1];  // one more than the tile: columns lie in different banks
  const int64_t col_tiles = (cols + kTile - 1) / kTile, row_tiles = (rows + kTile - 1) / kTile;
  const int64_t total = outer.count * col_tiles * row_tiles;
  for (int64_t t = blockIdx.x; t < total; t += gridDim.x) {
    const int64_t c0 = t % col_tiles * kTile, r0 = t / col_tiles % row_tiles * kTile;
    int64_t at[2];
    outer.offsets(t / col_tiles / row_tiles, at);
    for (int j = threadIdx.y; j < kTile; j += kTileRows)
      if (c0 + j < cols && r0 + threadIdx.x < rows) tile[j][threadIdx.x] = in[at[1] + (c0 + j) * in_col + r0 + threadIdx.x];
    __syncthreads();
    for (int j = threadIdx.y; j < kTile; j += kTileRows)
      if (r0 + j < rows && c0 + threadIdx.x < cols) out[at[0] + (r0 + j) * out_row + c0 + threadIdx.x] = tile[threadIdx.x][j];
    __syncthreads();
  }
}

// C holds every value of the input's dtype exactly.
template <class C>
__global__ void convert_kernel(void *out, int out_dtype, const void *in, int in_dtype, TC_ARG(Space<2>) space) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[2];
    space.offsets(i, at);
    store_as<C>(out_dtype, out, at[0], load_as<C>(in_dtype, in, at[1]));
  }
}

void convert_launch(const Frame &f, void *out, int od, const void *in, int id, const Space<2> &space) {
  const unsigned blocks = f.blocks(space.count, 256);
  switch (id) {
    case TC_I64: TC_LAUNCH(convert_kernel<int64_t>, blocks, 256, 0, f.stream, out, od, in, id, space); break;
    case TC_F64: TC_LAUNCH(convert_kernel<double>, blocks, 256, 0, f.stream, out, od, in, id, space); break;
    case TC_F16: case TC_BF16: case TC_F32:
      TC_LAUNCH(convert_kernel<float>, blocks, 256, 0, f.stream, out, od, in, id, space);
      break;
    case TC_C64: case TC_C128:
      TC_LAUNCH(convert_kernel<complex_t<double>>, blocks, 256, 0, f.stream, out, od, in, id, space);
      break;
    default: TC_LAUNCH(convert_kernel<int32_t>, blocks, 256, 0, f.stream, out, od, in, id, space); break;
  }
}

// The dimension (1 or above) along which `in` is contiguous while `out` is along dimension 0; 0: not a transpose.
int transposed_dimension(const Space<2> &s) {
  if (s.ndim < 2 || s.stride[0][0] != 1 || s.stride[0][1] == 1 || s.size[0] < 8) return 0;
  for (int d = 1; d < s.ndim; d++)
    if (s.stride[d][1] == 1 && s.size[d] >= 8) return d;
  return 0;
}

template <class T> void move_launch(const Frame &f, T *out, const T *in, const Space<2> &space) {
  const int d = transposed_dimension(space);
  if (d == 0) {
    TC_LAUNCH(move_kernel<T>, f.blocks(space.count, 256), 256, 0, f.stream, out, in, space);
    return;
  }
  Space<2> outer;
  for (int k = 1; k < space.ndim; k++)
    if (k != d) outer.add(space.size[k], space.stride[k]);
  outer.finish();
  const int64_t tiles = outer.count * ((space.size[0] + kTile - 1) / kTile) * ((space.size[d] + kTile - 1) / kTile);
  TC_LAUNCH(transpose_kernel<T>, f.blocks(tiles, 1), dim3(kTile, kTileRows), 0, f.stream, out, in, space.size[0],
            space.size[d], space.stride[d][0], space.stride[0][1], outer);
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_copy) int32_t tc_copy(const tc_copy_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_copy);
  if (f.status != TC_OK) return f.status;
  Space<2> space;
  int64_t used = 0;
  while (used < a->ndim && space.add(a->shape[used], a->stride[used])) used++;
  space.finish();
  for (int64_t d = 0; d < a->ndim; d++)
    if (a->shape[d] == 0) return TC_OK;
  const int64_t out_size = tc_dtype_size(a->out_dtype), in_size = tc_dtype_size(a->in_dtype);
  const bool same = a->out_dtype == a->in_dtype;
  const bool contiguous = space.ndim == 0 || (space.ndim == 1 && space.stride[0][0] == 1 && space.stride[0][1] == 1);
  for_outer<2>(a->ndim - used, a->shape + used, a->stride + used, [&](const int64_t *base) {
    char *const out = TC_PTR(char, a->out) + base[0] * out_size;
    const char *const in = TC_PTR(const char, a->in) + base[1] * in_size;
    if (!same) {
      convert_launch(f, out, int(a->out_dtype), in, int(a->in_dtype), space);
    } else if (contiguous) {
      cudaMemcpyAsync(out, in, size_t(space.count * out_size), cudaMemcpyDeviceToDevice, f.stream);
    } else {
      with_size(out_size, [&](auto tag) {
        using T = typename decltype(tag)::type;
        move_launch(f, reinterpret_cast<T *>(out), reinterpret_cast<const T *>(in), space);
      });
    }
  });
  return f.end();
}
