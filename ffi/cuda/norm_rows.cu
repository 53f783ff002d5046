// Layer and group normalisation. A row is a group of an image, (batch, groups) of them with members * spatial elements;
// layer normalisation is the case of one group and spatial 1. A row is one block's work, or a part of a block's.
#include "norm.cuh"

namespace tc {
namespace {

struct RowNorm {
  int64_t dtype, param_dtype, rows, n, groups, members, spatial;
  double eps;
  uint64_t x, y, weight, bias, mean, rstd, dy, dx;
  TC_FN int64_t channel(int64_t row, int64_t j) const { return row % groups * members + j / spatial; }
};

// Combines the values of the threads along x of each row of the block; every thread gets its row's result.
template <class V, class F> TC_FN V reduce_line(V *shared, V value, F combine) {
  V *const line = shared + threadIdx.y * blockDim.x;
  __syncthreads();
  line[threadIdx.x] = value;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) line[threadIdx.x] = combine(line[threadIdx.x], line[threadIdx.x + half]);
  }
  __syncthreads();
  return line[0];
}

// Two sums over a row's elements, in doubles between stretches of 32.
template <class C, class Term> TC_FN Pair row_sums(Pair *shared, bool inside, int64_t n, Term term) {
  Pair sum = {0, 0};
  if (inside) {
    C a = 0, b = 0;
    int kept = 0;
    for (int64_t j = threadIdx.x; j < n; j += blockDim.x) {
      term(j, &a, &b);
      if (++kept == 32) {
        sum = {sum.a + double(a), sum.b + double(b)};
        a = b = 0;
        kept = 0;
      }
    }
    sum = {sum.a + double(a), sum.b + double(b)};
  }
  return reduce_line(shared, sum, PlusPairs());
}

template <class T> __global__ void __launch_bounds__(256) forward_kernel(TC_ARG(RowNorm) r) {
  using C = compute_t<T>;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Pair)];
  for (int64_t first = int64_t(blockIdx.x) * blockDim.y; first < r.rows; first += int64_t(gridDim.x) * blockDim.y) {
    const int64_t row = first + threadIdx.y;
    const bool inside = row < r.rows;
    const T *const x = TC_PTR(const T, r.x) + row * r.n;
    const C shift = inside ? convert<C>(x[0]) : C(0);
    const Pair s = row_sums<C>(reinterpret_cast<Pair *>(memory), inside, r.n, [&](int64_t j, C *a, C *b) {
      const C d = convert<C>(x[j]) - shift;
      *a += d;
      *b += d * d;
    });
    if (!inside) continue;
    const double count = double(r.n), mean = double(shift) + s.a / count, m2 = s.b - s.a * s.a / count;
    const double rstd = 1 / sqrt((m2 > 0 ? m2 : s.b == s.b ? 0 : s.b) / count + r.eps);
    if (threadIdx.x == 0) {
      put_one(r.mean, stat_dtype(r.dtype), row, mean);
      put_one(r.rstd, stat_dtype(r.dtype), row, rstd);
    }
    for (int64_t j = threadIdx.x; j < r.n; j += blockDim.x) {
      const int64_t c = r.channel(row, j);
      const C w = C(get_one(r.weight, r.param_dtype, c, 1)), b = C(get_one(r.bias, r.param_dtype, c, 0));
      TC_PTR(T, r.y)[row * r.n + j] = convert<T>((convert<C>(x[j]) - C(mean)) * C(rstd) * w + b);
    }
  }
}

// dx = rstd * (w * dy - average(w * dy) - normalised x * average(w * dy * normalised x))
template <class T> __global__ void __launch_bounds__(256) backward_kernel(TC_ARG(RowNorm) r) {
  using C = compute_t<T>;
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Pair)];
  for (int64_t first = int64_t(blockIdx.x) * blockDim.y; first < r.rows; first += int64_t(gridDim.x) * blockDim.y) {
    const int64_t row = first + threadIdx.y;
    const bool inside = row < r.rows;
    const T *const x = TC_PTR(const T, r.x) + row * r.n, *const dy = TC_PTR(const T, r.dy) + row * r.n;
    const double mean = inside ? get_one(r.mean, stat_dtype(r.dtype), row, 0) : 0;
    const double rstd = inside ? get_one(r.rstd, stat_dtype(r.dtype), row, 0) : 0;
    const Pair s = row_sums<C>(reinterpret_cast<Pair *>(memory), inside, r.n, [&](int64_t j, C *a, C *b) {
      const C g = convert<C>(dy[j]) * C(get_one(r.weight, r.param_dtype, r.channel(row, j), 1));
      *a += g;
      *b += g * (convert<C>(x[j]) - C(mean));
    });
    if (!inside) continue;
    const double count = double(r.n);
    const C slope = C(rstd * rstd * rstd * s.b / count), shift = C(rstd * s.a / count);
    for (int64_t j = threadIdx.x; j < r.n; j += blockDim.x) {
      const C g = convert<C>(dy[j]) * C(get_one(r.weight, r.param_dtype, r.channel(row, j), 1));
      TC_PTR(T, r.dx)[row * r.n + j] = convert<T>(g * C(rstd) - (convert<C>(x[j]) - C(mean)) * slope - shift);
    }
  }
}

// Sums over images of dy and of dy * normalised x.
template <class T> struct ParameterTerm {
  using Compute = compute_t<T>;
  RowNorm r;
  TC_FN void operator()(int64_t at, int64_t c, int64_t image, Compute *a, Compute *b) const {
    const int64_t row = image * r.groups + c / r.members;
    const Compute g = convert<Compute>(TC_PTR(const T, r.dy)[at]);
    const Compute mean = Compute(get_one(r.mean, stat_dtype(r.dtype), row, 0));
    *a += g;
    *b += g * (convert<Compute>(TC_PTR(const T, r.x)[at]) - mean) * Compute(get_one(r.rstd, stat_dtype(r.dtype), row, 0));
  }
};

__global__ void parameters_kernel(const Pair *sums, int64_t parts, int64_t channels, uint64_t dweight, uint64_t dbias,
                                  int64_t param_dtype) {
  for (int64_t c = thread_index(); c < channels; c += thread_count()) {
    const Pair s = join_parts(sums, parts, channels, c);
    put_one(dweight, param_dtype, c, s.b);
    put_one(dbias, param_dtype, c, s.a);
  }
}

dim3 block_for(int64_t n) {
  const unsigned along = power_of_two_from(n, 256);
  return dim3(along, 256 / along);
}

int32_t forward(int number, const RowNorm &r) {
  const Frame f(number);
  if (f.status != TC_OK || r.rows * r.n == 0) return f.status;
  if (!norm_dtypes(r.dtype, r.param_dtype)) return unsupported(r.dtype);
  const dim3 block = block_for(r.n);
  with_floating(r.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    TC_LAUNCH(forward_kernel<T>, f.blocks(r.rows, block.y), block, 0, f.stream, r);
  });
  return f.end();
}

int32_t backward(int number, const RowNorm &r, uint64_t scratch, uint64_t dweight, uint64_t dbias) {
  const Frame f(number);
  if (f.status != TC_OK) return f.status;
  if (!norm_dtypes(r.dtype, r.param_dtype)) return unsupported(r.dtype);
  const dim3 block = block_for(r.n);
  const Channels s = {r.rows / (r.groups < 1 ? 1 : r.groups), r.groups * r.members, r.spatial};
  with_floating(r.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if (r.dx && r.rows * r.n > 0) TC_LAUNCH(backward_kernel<T>, f.blocks(r.rows, block.y), block, 0, f.stream, r);
    if ((dweight || dbias) && s.channels > 0) {
      Pair *const sums = TC_PTR(Pair, scratch);
      launch_channel_sums(f, s, ParameterTerm<T>{r}, sums);
      TC_LAUNCH(parameters_kernel, f.blocks(s.channels, 128), 128, 0, f.stream, sums, parts_of(s, f.device), s.channels,
                dweight, dbias, r.param_dtype);
    }
  });
  return f.end();
}

RowNorm of(const tc_layer_norm_args *a) {
  return {a->dtype, a->param_dtype, a->rows, a->cols, 1, a->cols, 1, a->eps, a->x, a->y, a->weight, a->bias, a->mean,
          a->rstd, a->dy, a->dx};
}
RowNorm of(const tc_group_norm_args *a) {
  const int64_t members = a->channels / a->groups;
  return {a->dtype, a->param_dtype, a->batch * a->groups, members * a->spatial, a->groups, members, a->spatial, a->eps,
          a->x, a->y, a->weight, a->bias, a->mean, a->rstd, a->dy, a->dx};
}

int64_t scratch_of(const Channels &s) {
  int32_t status;
  const Device *const device = current_device(&status);
  return status == TC_OK ? parts_of(s, device) * s.channels * int64_t(sizeof(Pair)) : 0;
}

}  // namespace
}  // namespace tc

using namespace tc;

TC_EXPORT(tc_layer_norm) int32_t tc_layer_norm(const tc_layer_norm_args *a) {
  return forward(TC_KERNEL_layer_norm, of(a));
}
TC_EXPORT(tc_layer_norm_backward) int32_t tc_layer_norm_backward(const tc_layer_norm_args *a) {
  return backward(TC_KERNEL_layer_norm_backward, of(a), a->scratch, a->dweight, a->dbias);
}
TC_EXPORT(tc_layer_norm_backward_scratch) int64_t tc_layer_norm_backward_scratch(const tc_layer_norm_args *a) {
  return scratch_of({a->rows, a->cols, 1});
}
TC_EXPORT(tc_group_norm) int32_t tc_group_norm(const tc_group_norm_args *a) {
  return forward(TC_KERNEL_group_norm, of(a));
}
TC_EXPORT(tc_group_norm_backward) int32_t tc_group_norm_backward(const tc_group_norm_args *a) {
  return backward(TC_KERNEL_group_norm_backward, of(a), a->scratch, a->dweight, a->dbias);
}
TC_EXPORT(tc_group_norm_backward_scratch) int64_t tc_group_norm_backward_scratch(const tc_group_norm_args *a) {
  return scratch_of({a->batch, a->channels, a->spatial});
}
