// Convolutions as matrix products whose operands are gathered while they are loaded ("implicit GEMM"): nothing is copied
// out, and the three kernels differ only in what a row, a column and a step of the sum stand for.
//   tc_conv                  rows: out channels;  columns: (image, output place);  sum: (in channel, tap)
//   tc_conv_backward_input   rows: in channels;   columns: (image, input place);   sum: (out channel, tap)
//   tc_conv_backward_weight  rows: out channels;  columns: (in channel, tap);      sum: (image, output place)
#include "conv.cuh"

namespace tc {
namespace {

constexpr int kTile = 64, kTileK = 16, kPer = 4;  // a block's tile; 16 x 16 threads of 4 x 4 results

struct Shape {
  int64_t m, n, k, groups;
  int splits;
};

template <class T, class Acc, class Problem>
__global__ void __launch_bounds__(256) conv_kernel(TC_ARG(Problem) p, TC_ARG(Shape) s, Acc *partial) {
  __shared__ Acc tile_a[kTileK][kTile + 1], tile_b[kTileK][kTile + 1];
  const int64_t tiles_n = (s.n + kTile - 1) / kTile, group = blockIdx.y / s.splits;
  const int split = int(blockIdx.y % s.splits);
  const int64_t row0 = blockIdx.x / tiles_n * kTile, col0 = blockIdx.x % tiles_n * kTile;
  const int64_t steps = (s.k + kTileK - 1) / kTileK, per_split = (steps + s.splits - 1) / s.splits;
  const int64_t k_begin = split * per_split * kTileK, k_end = v_min(k_begin + per_split * kTileK, s.k);
  const int t = int(threadIdx.x), tx = t % 16, ty = t / 16;
  // A thread loads rows of A t / 16 + 16 i at step t % 16. Of B it loads one column at four steps, or four columns at
  // one step, whichever makes neighbouring threads read neighbouring memory.
  constexpr bool along_k = Problem::kAlongK;
  typename Problem::Column columns[kPer];
  TC_UNROLL
  for (int i = 0; i < (along_k ? kPer : 1); i++) columns[i] = p.column(col0 + (along_k ? ty + 16 * i : t % kTile), s.n);
  Acc sum[kPer][kPer] = {};
  for (int64_t k0 = k_begin; k0 < k_end; k0 += kTileK) {
    const typename Problem::Step mine = p.step(k0 + tx, k_end);
    TC_UNROLL
    for (int i = 0; i < kPer; i++) {
      const int64_t row = row0 + ty + 16 * i;
      tile_a[tx][ty + 16 * i] = row < s.m && mine.inside ? convert<Acc>(p.a(group, row, mine)) : Acc(0);
      const int kb = along_k ? tx : t / kTile + 4 * i, nb = along_k ? ty + 16 * i : t % kTile;
      tile_b[kb][nb] = along_k ? Acc(p.template b<Acc>(group, mine, columns[i]))
                               : Acc(p.template b<Acc>(group, p.step(k0 + kb, k_end), columns[0]));
    }
    __syncthreads();
    TC_UNROLL
    for (int k = 0; k < kTileK; k++) {
      Acc va[kPer], vb[kPer];
      for (int i = 0; i < kPer; i++) va[i] = tile_a[k][ty + 16 * i];
      for (int j = 0; j < kPer; j++) vb[j] = tile_b[k][tx + 16 * j];
      for (int i = 0; i < kPer; i++)
        for (int j = 0; j < kPer; j++) sum[i][j] += va[i] * vb[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < kPer; i++)
    for (int j = 0; j < kPer; j++) {
      const int64_t row = row0 + ty + 16 * i, col = col0 + tx + 16 * j;
      if (row >= s.m || col >= s.n) continue;
      if (partial) partial[((split * s.groups + group) * s.m + row) * s.n + col] = sum[i][j];
      else p.template store<Acc>(group, row, col, sum[i][j]);
    }
}

template <class Acc, class Problem>
__global__ void join_kernel(TC_ARG(Problem) p, TC_ARG(Shape) s, const Acc *partial) {
  const int64_t size = s.groups * s.m * s.n;
  for (int64_t i = thread_index(); i < size; i += thread_count()) {
    Acc sum = partial[i];
    for (int split = 1; split < s.splits; split++) sum += partial[split * size + i];
    p.template store<Acc>(i / s.n / s.m, i / s.n % s.m, i % s.n, sum);
  }
}

// In how many pieces the sum is taken: more than one where the results alone would leave most of the device idle.
Shape shape_of(int64_t m, int64_t n, int64_t k, int64_t groups, const Device *device) {
  Shape s = {m, n, k, groups, 1};
  const int64_t blocks = ((m + kTile - 1) / kTile) * ((n + kTile - 1) / kTile) * groups;
  if (blocks == 0 || blocks >= device->multiprocessors || k < 1024) return s;
  const int64_t by_work = k / 512, by_device = 2 * device->multiprocessors / blocks;
  const int64_t splits = by_work < by_device ? by_work : by_device;
  s.splits = int(splits < 1 ? 1 : splits > 64 ? 64 : splits);
  return s;
}

Shape forward_shape(const tc_conv_args *a, const Device *device) {
  return shape_of(a->out_channels / a->groups, a->batch * volume(a->out_size),
                  a->in_channels / a->groups * volume(a->kernel), a->groups, device);
}
Shape input_shape(const tc_conv_args *a, const Device *device) {
  return shape_of(a->in_channels / a->groups, a->batch * volume(a->in_size),
                  a->out_channels / a->groups * volume(a->kernel), a->groups, device);
}
Shape weight_shape(const tc_conv_args *a, const Device *device) {
  return shape_of(a->out_channels / a->groups, a->in_channels / a->groups * volume(a->kernel),
                  a->batch * volume(a->out_size), a->groups, device);
}

int64_t partial_bytes(const tc_conv_args *a, const Shape &s) {
  return s.splits > 1 ? s.splits * s.groups * s.m * s.n * (a->dtype == TC_F64 ? 8 : 4) : 0;
}

template <class T, template <class> class Problem> void launch(const Frame &f, const tc_conv_args *a, const Shape &s) {
  using Acc = compute_t<T>;
  const Problem<T> p(a);
  Acc *const partial = s.splits > 1 ? TC_PTR(Acc, a->scratch) : nullptr;
  const int64_t tiles = ((s.m + kTile - 1) / kTile) * ((s.n + kTile - 1) / kTile);
  TC_LAUNCH((conv_kernel<T, Acc, Problem<T>>), dim3(unsigned(tiles), unsigned(s.groups * s.splits)), 256, 0, f.stream, p, s,
            partial);
  if (partial)
    TC_LAUNCH((join_kernel<Acc, Problem<T>>), f.blocks(s.groups * s.m * s.n, 256), 256, 0, f.stream, p, s,
              static_cast<const Acc *>(partial));
}

// Gradient of the bias: sums over images and places.
template <class T> struct BiasTerm {
  using Compute = compute_t<T>;
  const T *y;
  TC_FN void operator()(int64_t at, int64_t, int64_t, Compute *a, Compute *) const { *a += convert<Compute>(y[at]); }
};
template <class T> __global__ void bias_kernel(const Pair *sums, int64_t parts, int64_t channels, T *bias) {
  for (int64_t c = thread_index(); c < channels; c += thread_count())
    bias[c] = convert<T>(join_parts(sums, parts, channels, c).a);
}

int64_t scratch_with(const tc_conv_args *a, Shape (*shape)(const tc_conv_args *, const Device *)) {
  int32_t status;
  const Device *const device = current_device(&status);
  return status == TC_OK ? partial_bytes(a, shape(a, device)) : 0;
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_conv_scratch) int64_t tc_conv_scratch(const tc_conv_args *a) { return scratch_with(a, forward_shape); }
TC_EXPORT(tc_conv_backward_input_scratch) int64_t tc_conv_backward_input_scratch(const tc_conv_args *a) {
  return scratch_with(a, input_shape);
}
TC_EXPORT(tc_conv_backward_weight_scratch) int64_t tc_conv_backward_weight_scratch(const tc_conv_args *a) {
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return 0;
  const Channels s = {a->batch, a->out_channels, volume(a->out_size)};
  return partial_bytes(a, weight_shape(a, device)) + parts_of(s, device) * s.channels * int64_t(sizeof(Pair)) + 16;
}

TC_EXPORT(tc_conv) int32_t tc_conv(const tc_conv_args *a) {
  const Frame f(TC_KERNEL_conv);
  if (f.status != TC_OK) return f.status;
  const Shape s = forward_shape(a, f.device);
  if (s.m * s.n == 0) return TC_OK;
  const bool known = with_floating(a->dtype, [&](auto tag) { launch<typename decltype(tag)::type, Forward>(f, a, s); });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_conv_backward_input) int32_t tc_conv_backward_input(const tc_conv_args *a) {
  const Frame f(TC_KERNEL_conv_backward_input);
  if (f.status != TC_OK) return f.status;
  const Shape s = input_shape(a, f.device);
  if (s.m * s.n == 0) return TC_OK;
  const bool known = with_floating(a->dtype, [&](auto tag) { launch<typename decltype(tag)::type, InputGradient>(f, a, s); });
  return known ? f.end() : unsupported(a->dtype);
}

TC_EXPORT(tc_conv_backward_weight) int32_t tc_conv_backward_weight(const tc_conv_args *a) {
  const Frame f(TC_KERNEL_conv_backward_weight);
  if (f.status != TC_OK) return f.status;
  const Shape s = weight_shape(a, f.device);
  const Channels channels = {a->batch, a->out_channels, volume(a->out_size)};
  const bool known = with_floating(a->dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (a->weight && s.m * s.n > 0) launch<T, WeightGradient>(f, a, s);
    if (a->bias && channels.channels > 0) {
      Pair *const sums = TC_PTR(Pair, a->scratch + uint64_t(partial_bytes(a, s) + 15) / 16 * 16);
      launch_channel_sums(f, channels, BiasTerm<T>{TC_PTR(const T, a->y)}, sums);
      TC_LAUNCH(bias_kernel<T>, f.blocks(channels.channels, 128), 128, 0, f.stream, sums, parts_of(channels, f.device),
                channels.channels, TC_PTR(T, a->bias));
    }
  });
  return known ? f.end() : unsupported(a->dtype);
}
