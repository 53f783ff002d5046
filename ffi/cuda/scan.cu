// tc_scan: running sums, products and extremes along one dimension.
#include "words.cuh"

namespace tc {
namespace {

template <class C> struct Item { C v; int64_t at; };

// join(a, b): a comes before b.
template <class C> struct ScanSum {
  static TC_FN Item<C> join(Item<C> a, Item<C> b) { return {C(a.v + b.v), 0}; }
};
template <class C> struct ScanProduct {
  static TC_FN Item<C> join(Item<C> a, Item<C> b) { return {C(a.v * b.v), 0}; }
};
// The last of equal values; from the first NaN on all is NaN, and each NaN counts as the newest extreme.
template <class C> struct ScanMax {
  static TC_FN Item<C> join(Item<C> a, Item<C> b) { return v_isnan(b.v) || (!v_isnan(a.v) && b.v >= a.v) ? b : a; }
};
template <class C> struct ScanMin {
  static TC_FN Item<C> join(Item<C> a, Item<C> b) { return v_isnan(b.v) || (!v_isnan(a.v) && b.v <= a.v) ? b : a; }
};
template <class C> struct ScanLogSumExp {
  static TC_FN Item<C> join(Item<C> a, Item<C> b) {
    const C hi = v_maximum(a.v, b.v), lo = v_minimum(a.v, b.v);
    return {hi == lo && v_abs(hi) == C(INFINITY) ? hi : hi + v_log1p(v_exp(lo - hi)), 0};
  }
};

struct Scan {
  const void *in;
  void *out;
  int64_t *indices;
  int in_dtype, out_dtype;
  int64_t outer, n, inner;
};

template <class C> TC_FN void put(const Scan &s, int64_t place, Item<C> item) {
  store_as<C>(s.out_dtype, s.out, place, item.v);
  if (s.indices) s.indices[place] = item.at;
}

// A thread walks a line; neighbouring threads walk neighbouring lines.
template <template <class> class Op, class C> __global__ void lines_kernel(TC_ARG(Scan) s) {
  for (int64_t line = thread_index(); line < s.outer * s.inner; line += thread_count()) {
    const int64_t base = line / s.inner * s.n * s.inner + line % s.inner;
    Item<C> run = {};
    for (int64_t i = 0; i < s.n; i++) {
      const int64_t place = base + i * s.inner;
      const Item<C> next = {load_as<C>(s.in_dtype, s.in, place), i};
      run = i == 0 ? next : Op<C>::join(run, next);
      put(s, place, run);
    }
  }
}

constexpr int kBlock = 256;

// A block walks a line, 256 elements at a time (Hillis and Steele 1986).
template <template <class> class Op, class C> __global__ void __launch_bounds__(kBlock) block_kernel(TC_ARG(Scan) s) {
  __shared__ __align__(16) unsigned char memory[2 * kBlock * sizeof(Item<C>)];
  Item<C> *from = reinterpret_cast<Item<C> *>(memory), *to = from + kBlock;
  const int t = int(threadIdx.x);
  for (int64_t line = blockIdx.x; line < s.outer * s.inner; line += gridDim.x) {
    const int64_t base = line / s.inner * s.n * s.inner + line % s.inner;
    Item<C> carry = {};
    for (int64_t first = 0; first < s.n; first += kBlock) {
      const int64_t i = first + t, place = base + i * s.inner;
      Item<C> item = {};
      if (i < s.n) item = {load_as<C>(s.in_dtype, s.in, place), i};
      if (t == 0 && first > 0) item = Op<C>::join(carry, item);
      from[t] = item;
      for (int step = 1; step < kBlock; step *= 2) {
        __syncthreads();
        to[t] = t >= step ? Op<C>::join(from[t - step], from[t]) : from[t];
        Item<C> *const swap = from;
        from = to;
        to = swap;
      }
      __syncthreads();
      if (i < s.n) put(s, place, from[t]);
      carry = from[kBlock - 1];
      __syncthreads();
    }
  }
}

template <template <class> class Op, class C> void launch(const Frame &f, const Scan &s) {
  const int64_t lines = s.outer * s.inner;
  if (s.n <= 64 || lines >= int64_t(f.device->multiprocessors) * 512)
    TC_LAUNCH((lines_kernel<Op, C>), f.blocks(lines, 128), 128, 0, f.stream, s);
  else
    TC_LAUNCH((block_kernel<Op, C>), f.blocks(lines, 1), kBlock, 0, f.stream, s);
}

template <class C> bool launch_op(const Frame &f, int64_t op, const Scan &s) {
  switch (op) {
    case TC_SCAN_SUM: launch<ScanSum, C>(f, s); return true;
    case TC_SCAN_PROD: launch<ScanProduct, C>(f, s); return true;
    case TC_SCAN_MAX: launch<ScanMax, C>(f, s); return true;
    case TC_SCAN_MIN: launch<ScanMin, C>(f, s); return true;
    default: break;
  }
  if constexpr (std::is_floating_point_v<C>)
    if (op == TC_SCAN_LOGSUMEXP) {
      launch<ScanLogSumExp, C>(f, s);
      return true;
    }
  return false;
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_scan) int32_t tc_scan(const tc_scan_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_scan);
  if (f.status != TC_OK) return f.status;
  if (a->outer * a->n * a->inner == 0) return TC_OK;
  const bool extreme = a->op == TC_SCAN_MAX || a->op == TC_SCAN_MIN;
  const Scan s = {TC_PTR(const void, a->in), TC_PTR(void, a->out), extreme ? TC_PTR(int64_t, a->indices) : nullptr,
                  int(a->in_dtype), int(a->out_dtype), a->outer, a->n, a->inner};
  bool known = false;
  switch (a->compute) {
    case TC_F32: known = launch_op<float>(f, a->op, s); break;
    case TC_F64: known = launch_op<double>(f, a->op, s); break;
    case TC_I64: known = launch_op<int64_t>(f, a->op, s); break;
    default: break;
  }
  return known ? f.end() : unsupported(a->compute, a->op);
}
