// tc_reduce: reductions over any set of dimensions.
//
// A block is X lanes by Y rows: X neighbouring results, each summed by Y threads. Where the reduced elements of a result
// lie next to each other X is 1 and the threads of a warp read along them; where neighbouring results do, X is 32.
// Few results over many elements are cut into `splits` pieces whose partial results a second kernel joins. Every
// order is fixed by the shapes and the device, so results repeat.
#include "words.cuh"

namespace tc {
namespace {

// One result in the making: the sum, product or extreme; what else the fold keeps (squared differences, the sum of
// exponentials); a place or a count.
template <class C> struct Partial { C v, w; int64_t at; };

template <class C> TC_FN C lowest() {
  if constexpr (std::is_floating_point_v<C>) return C(-INFINITY);
  else return INT64_MIN;
}
template <class C> TC_FN C highest() {
  if constexpr (std::is_floating_point_v<C>) return C(INFINITY);
  else return INT64_MAX;
}

// A fold: where it starts, one more element x (number i of the reduced space; p is the norm's), and joining two.
#define SUM_FOLD(Name, term)                                                                           \
  template <class C> struct Name {                                                                     \
    static TC_FN Partial<C> start() { return {C(0), C(0), 0}; }                                        \
    static TC_FN void add(Partial<C> &s, C x, int64_t, [[maybe_unused]] C p) { s.v += (term); }        \
    static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) { return {C(a.v + b.v), C(0), 0}; }       \
  };
SUM_FOLD(Sum, x)
SUM_FOLD(NanSum, v_isnan(x) ? C(0) : x)
SUM_FOLD(SumSquares, x *x)
SUM_FOLD(SumAbs, v_abs(x))
SUM_FOLD(SumPowers, v_pow(v_abs(x), p))

// Whole numbers are counted in `at`.
#define COUNT_FOLD(Name, first, step, joined)                                                          \
  template <class C> struct Name {                                                                     \
    static TC_FN Partial<C> start() { return {C(0), C(0), first}; }                                    \
    static TC_FN void add(Partial<C> &s, C x, int64_t, C) {                                            \
      const bool set = x != C(0);                                                                      \
      s.at = (step);                                                                                   \
    }                                                                                                  \
    static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) { return {C(0), C(0), (joined)}; }        \
  };
COUNT_FOLD(Count, 0, s.at + set, a.at + b.at)
COUNT_FOLD(Any, 0, s.at | int64_t(set), a.at | b.at)
COUNT_FOLD(All, 1, s.at & int64_t(set), a.at & b.at)

template <class C> struct Product {
  static TC_FN Partial<C> start() { return {C(1), C(0), 0}; }
  static TC_FN void add(Partial<C> &s, C x, int64_t, C) { s.v *= x; }
  static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) { return {C(a.v * b.v), C(0), 0}; }
};

// A NaN beats any number; of equal values the first one stays.
#define EXTREME_FOLD(Name, op, first, value)                                                           \
  template <class C> struct Name {                                                                     \
    static TC_FN bool better(C a, C b) { return a op b || (v_isnan(a) && !v_isnan(b)); }               \
    static TC_FN Partial<C> start() { return {first, C(0), -1}; }                                      \
    static TC_FN void add(Partial<C> &s, C x, int64_t i, C) {                                          \
      const C y = (value);                                                                             \
      if (s.at < 0 || better(y, s.v)) s = {y, C(0), i};                                                \
    }                                                                                                  \
    static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) {                                         \
      if (b.at < 0) return a;                                                                          \
      if (a.at < 0 || better(b.v, a.v)) return b;                                                      \
      return better(a.v, b.v) || a.at < b.at ? a : b;                                                  \
    }                                                                                                  \
  };
EXTREME_FOLD(Max, >, lowest<C>(), x)
EXTREME_FOLD(Min, <, highest<C>(), x)
EXTREME_FOLD(MaxAbs, >, C(0), v_abs(x))
EXTREME_FOLD(MinAbs, <, highest<C>(), v_abs(x))

// Mean, squared differences and count (Chan, Golub and LeVeque 1979).
template <class C> struct Moments {
  static TC_FN Partial<C> start() { return {C(0), C(0), 0}; }
  static TC_FN void add(Partial<C> &s, C x, int64_t, C) {
    const C delta = x - s.v;
    s.at++;
    s.v += delta / C(s.at);
    s.w += delta * (x - s.v);
  }
  static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) {
    if (a.at == 0) return b;
    if (b.at == 0) return a;
    const int64_t n = a.at + b.at;
    const C delta = b.v - a.v, share = C(b.at) / C(n);
    return {a.v + delta * share, a.w + b.w + delta * delta * C(a.at) * share, n};
  }
};

// The largest value and the sum of exp(x - largest). exp(inf - inf) has to be 1 here.
template <class C> struct LogSumExp {
  static TC_FN C scaled(C x, C largest) { return x == largest ? C(1) : v_exp(x - largest); }
  static TC_FN Partial<C> start() { return {lowest<C>(), C(0), 0}; }
  static TC_FN void add(Partial<C> &s, C x, int64_t, C) { s = join(s, {x, C(1), 0}); }
  static TC_FN Partial<C> join(Partial<C> a, Partial<C> b) {
    if (a.w == C(0)) return b;
    if (b.w == C(0)) return a;
    const C largest = v_maximum(a.v, b.v);
    return {largest, a.w * scaled(a.v, largest) + b.w * scaled(b.v, largest), 0};
  }
};

struct Target {
  void *out;
  int64_t *indices;  // of extremes
  void *mean;        // VAR, STD
  int op, out_dtype;
  double param;
  int64_t reduced;   // elements per result
};

template <class C> TC_FN C root(C sum, double p) { return p == 2 ? v_sqrt(sum) : v_pow(sum, C(1 / p)); }

// A fold's outcome as the operator's result. Once per result and large, so not inlined.
template <class C> TC_NOINLINE void finish(const Target &t, int64_t at, Partial<C> s) {
  switch (t.op) {
    case TC_RED_ARGMAX: case TC_RED_ARGMIN: case TC_RED_COUNT_NONZERO: case TC_RED_ANY: case TC_RED_ALL:
      store_as<int64_t>(t.out_dtype, t.out, at, s.at);
      return;
    default: break;
  }
  C value = s.v;
  if constexpr (std::is_floating_point_v<C>) {
    switch (t.op) {
      case TC_RED_MEAN: value = s.v / C(t.reduced); break;
      case TC_RED_VAR: case TC_RED_STD: {
        const C free = C(double(t.reduced) - t.param);
        value = t.reduced == 0 ? C(NAN) : s.w / (free > C(0) ? free : C(0));
        if (t.op == TC_RED_STD) value = v_sqrt(value);
        if (t.mean) store_as<C>(t.out_dtype, t.mean, at, t.reduced == 0 ? C(NAN) : s.v);
        break;
      }
      case TC_RED_LOGSUMEXP: value = s.w == C(0) ? lowest<C>() : s.v + v_log(s.w); break;
      case TC_RED_NORM:
        if (t.param == 0) value = C(s.at);
        else if (t.param != 1 && t.param != INFINITY && t.param != -INFINITY) value = root(s.v, t.param);
        break;
      default: break;
    }
  }
  store_as<C>(t.out_dtype, t.out, at, value);
  if (t.indices) t.indices[at] = s.at;
}

// DIRECT: the input is of type C; else it is converted as it is read.
template <template <class> class Fold, class C, bool DIRECT>
__global__ void __launch_bounds__(256) reduce_kernel(const void *in, int in_dtype, TC_ARG(Space<2>) keep, TC_ARG(Space<1>) reduced,
                                                     int splits, Partial<C> *partial, C p, TC_ARG(Target) target) {
  __shared__ __align__(16) unsigned char memory[256 * sizeof(Partial<C>)];
  Partial<C> *const shared = reinterpret_cast<Partial<C> *>(memory);
  const int64_t X = blockDim.x, Y = blockDim.y, split = blockIdx.y;
  for (int64_t first = int64_t(blockIdx.x) * X; first < keep.count; first += int64_t(gridDim.x) * X) {
    const int64_t result = first + threadIdx.x;
    int64_t base[2] = {0, 0};
    Partial<C> s = Fold<C>::start();
    if (result < keep.count) {
      keep.offsets(result, base);
      for (int64_t i = split * Y + threadIdx.y; i < reduced.count; i += Y * splits) {
        int64_t at[1];
        reduced.offsets(i, at);
        const int64_t place = base[0] + at[0];
        const C x = DIRECT ? static_cast<const C *>(in)[place] : load_as<C>(in_dtype, in, place);
        Fold<C>::add(s, x, i, p);
      }
    }
    if (Y > 1) s = reduce_rows(shared, s, Fold<C>::join);
    if (threadIdx.y == 0 && result < keep.count) {
      if (partial) partial[split * keep.count + result] = s;
      else finish(target, base[1], s);
    }
  }
}

template <template <class> class Fold, class C>
__global__ void join_kernel(const Partial<C> *partial, int splits, TC_ARG(Space<2>) keep, TC_ARG(Target) target) {
  for (int64_t result = thread_index(); result < keep.count; result += thread_count()) {
    Partial<C> s = partial[result];
    for (int k = 1; k < splits; k++) s = Fold<C>::join(s, partial[k * keep.count + result]);
    int64_t base[2];
    keep.offsets(result, base);
    finish(target, base[1], s);
  }
}

struct Plan { unsigned lanes, rows, blocks; int splits; };

// Depends on shapes, strides and the device alone: tc_reduce_scratch and tc_reduce come to the same plan.
Plan plan_of(const tc_reduce_args *a, const Device *device, int64_t results, int64_t reduced) {
  const bool along_results = a->nkeep > 0 && a->keep_in[0] == 1 && !(a->nreduce > 0 && a->red_in[0] == 1);
  const unsigned rows = power_of_two_from(reduced, along_results && results >= 32 ? 8 : 256);
  Plan plan = {power_of_two_from(results, 256 / rows), rows, 0, 1};
  const int64_t needed = (results + plan.lanes - 1) / plan.lanes, most = int64_t(device->multiprocessors) * 32;
  plan.blocks = unsigned(needed < 1 ? 1 : needed < most ? needed : most);
  const int64_t idle = 2 * int64_t(device->multiprocessors) / plan.blocks, work = reduced / (int64_t(rows) * 16);
  const int64_t splits = idle < work ? idle : work;
  plan.splits = int(splits < 1 ? 1 : splits > 256 ? 256 : splits);
  return plan;
}

int64_t count(int64_t n, const int64_t *shape) {
  int64_t c = 1;
  for (int64_t d = 0; d < n; d++) c *= shape[d];
  return c;
}

template <template <class> class Fold, class C>
void launch(const Frame &f, const tc_reduce_args *a, int64_t in_dtype, bool direct, const void *in, const Space<2> &keep,
            const Space<1> &reduced, const Target &target) {
  const Plan plan = plan_of(a, f.device, keep.count, reduced.count);
  Partial<C> *const partial = plan.splits > 1 ? TC_PTR(Partial<C>, a->scratch) : nullptr;
  const dim3 grid(plan.blocks, unsigned(plan.splits)), block(plan.lanes, plan.rows);
  const C p = C(a->param[0]);
  if (direct)
    TC_LAUNCH((reduce_kernel<Fold, C, true>), grid, block, 0, f.stream, in, int(in_dtype), keep, reduced, plan.splits,
              partial, p, target);
  else
    TC_LAUNCH((reduce_kernel<Fold, C, false>), grid, block, 0, f.stream, in, int(in_dtype), keep, reduced, plan.splits,
              partial, p, target);
  if (partial)
    TC_LAUNCH((join_kernel<Fold, C>), f.blocks(keep.count, 256), 256, 0, f.stream,
              static_cast<const Partial<C> *>(partial), plan.splits, keep, target);
}

// Launches the fold that the operator comes down to; false where the type has none.
template <class C>
bool launch_op(const Frame &f, const tc_reduce_args *a, bool direct, const void *in, const Space<2> &keep,
               const Space<1> &reduced, const Target &t) {
#define FOLD(Fold) launch<Fold, C>(f, a, a->in_dtype, direct, in, keep, reduced, t)
  switch (a->op) {
    case TC_RED_SUM: FOLD(Sum); return true;
    case TC_RED_PROD: FOLD(Product); return true;
    case TC_RED_MAX: case TC_RED_ARGMAX: FOLD(Max); return true;
    case TC_RED_MIN: case TC_RED_ARGMIN: FOLD(Min); return true;
    case TC_RED_ANY: FOLD(Any); return true;
    case TC_RED_ALL: FOLD(All); return true;
    case TC_RED_COUNT_NONZERO: FOLD(Count); return true;
    default: break;
  }
  if constexpr (std::is_floating_point_v<C>) {
    switch (a->op) {
      case TC_RED_MEAN: FOLD(Sum); return true;
      case TC_RED_NANSUM: FOLD(NanSum); return true;
      case TC_RED_VAR: case TC_RED_STD: FOLD(Moments); return true;
      case TC_RED_LOGSUMEXP: FOLD(LogSumExp); return true;
      case TC_RED_SUMSQ: FOLD(SumSquares); return true;
      case TC_RED_NORM:
        if (a->param[0] == 0) FOLD(Count);
        else if (a->param[0] == 1) FOLD(SumAbs);
        else if (a->param[0] == 2) FOLD(SumSquares);
        else if (a->param[0] == INFINITY) FOLD(MaxAbs);
        else if (a->param[0] == -INFINITY) FOLD(MinAbs);
        else FOLD(SumPowers);
        return true;
      default: break;
    }
  }
  return false;
#undef FOLD
}

}  // namespace
}  // namespace tc

TC_EXPORT(tc_reduce_scratch) int64_t tc_reduce_scratch(const tc_reduce_args *a) {
  using namespace tc;
  int32_t status;
  const Device *const device = current_device(&status);
  if (status != TC_OK) return 0;
  const int64_t results = count(a->nkeep, a->keep_shape);
  const Plan plan = plan_of(a, device, results, count(a->nreduce, a->red_shape));
  return plan.splits > 1 ? plan.splits * results * int64_t(sizeof(Partial<double>)) : 0;
}

TC_EXPORT(tc_reduce) int32_t tc_reduce(const tc_reduce_args *a) {
  using namespace tc;
  const Frame f(TC_KERNEL_reduce);
  if (f.status != TC_OK) return f.status;
  Space<1> reduced;
  for (int64_t d = 0; d < a->nreduce; d++)
    if (!reduced.add(a->red_shape[d], a->red_in + d)) return unsupported(a->in_dtype, a->op);
  reduced.finish();
  int64_t keep_stride[TC_MAX_DIMS][2], used = 0;
  for (int64_t d = 0; d < a->nkeep; d++) {
    keep_stride[d][0] = a->keep_in[d];
    keep_stride[d][1] = a->keep_out[d];
    if (a->keep_shape[d] == 0) return TC_OK;
  }
  Space<2> keep;
  while (used < a->nkeep && keep.add(a->keep_shape[used], keep_stride[used])) used++;
  keep.finish();

  const int64_t in_size = tc_dtype_size(a->in_dtype), out_size = tc_dtype_size(a->out_dtype);
  const bool extreme = a->op == TC_RED_MAX || a->op == TC_RED_MIN, moments = a->op == TC_RED_VAR || a->op == TC_RED_STD;
  const bool direct = a->in_dtype == a->compute;
  bool known = true;
  for_outer<2>(a->nkeep - used, a->keep_shape + used, keep_stride + used, [&](const int64_t *base) {
    const void *const in = TC_PTR(const char, a->in) + base[0] * in_size;
    Target t = {};
    t.out = TC_PTR(char, a->out) + base[1] * out_size;
    if (a->out2 && extreme) t.indices = TC_PTR(int64_t, a->out2) + base[1];
    if (a->out2 && moments) t.mean = TC_PTR(char, a->out2) + base[1] * out_size;
    t.op = int(a->op);
    t.out_dtype = int(a->out_dtype);
    t.param = a->param[0];
    t.reduced = reduced.count;
    switch (a->compute) {
      case TC_F32: known &= launch_op<float>(f, a, direct, in, keep, reduced, t); break;
      case TC_F64: known &= launch_op<double>(f, a, direct, in, keep, reduced, t); break;
      case TC_I64: known &= launch_op<int64_t>(f, a, direct, in, keep, reduced, t); break;
      default: known = false;
    }
  });
  return known ? f.end() : unsupported(a->compute, a->op);
}
