// tc_pointwise for one compute type. pointwise_<type>.cu defines E (the type), COMPUTE (its dtype), IS_FLOAT or IS_INT,
// and RUN (the name of the function that this file defines). No include guard: this is a template.
//
// Two kinds of kernels: for operands that are contiguous, of the compute type (or bool results), or numbers, one kernel
// per formula; for everything else (strides, broadcasts, other dtypes) one kernel that holds all formulas in a switch.
#include "words.cuh"
#if defined(IS_FLOAT)
#include "special.cuh"
#endif

namespace tc {
namespace {

#if defined(IS_FLOAT)
#define T E
#define K(c) E(c)
#include "../../core/pointwise_formulas.h"
#undef T
#undef K
#endif

enum Op {
#define UNARY(name, types, cost, ...) PW_##name,
#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#include "../../core/pointwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef TEST
#undef COMPARE
#undef DIVIDE
};

struct Params { E p[4]; };

#if defined(IS_FLOAT)
#define IF_FLOAT(...) __VA_ARGS__
#define IF_INT(...)
#else
#define IF_FLOAT(...)
#define IF_INT(...) __VA_ARGS__
#endif
#define IF_ALL(...) __VA_ARGS__

#define T E
#define K(c) E(c)
#define P(i) (params.p[i])

// One type per formula: how many inputs, what comes out, and the formula itself.
#define FORMULA(name, types, inputs_, R, divides_, ...)                                              \
  IF_##types(struct Formula_##name {                                                                 \
    using Result = R;                                                                                \
    static constexpr int inputs = inputs_;                                                           \
    static constexpr bool divides = divides_;                                                        \
    static TC_FN R apply([[maybe_unused]] E x, [[maybe_unused]] E y, [[maybe_unused]] E z,           \
                         [[maybe_unused]] const Params &params) { return R(__VA_ARGS__); }           \
  };)
#define UNARY(name, types, cost, ...) FORMULA(name, types, 1, E, false, __VA_ARGS__)
#define BINARY(name, types, cost, ...) FORMULA(name, types, 2, E, false, __VA_ARGS__)
#define TERNARY(name, types, cost, ...) FORMULA(name, types, 3, E, false, __VA_ARGS__)
#define TEST(name, types, cost, ...) FORMULA(name, types, 1, bool, false, __VA_ARGS__)
#define COMPARE(name, types, cost, ...) FORMULA(name, types, 2, bool, false, __VA_ARGS__)
#if defined(IS_INT)
#define DIVIDE(name, types, cost, ...) FORMULA(name, types, 2, E, true, __VA_ARGS__)
#else
#define DIVIDE BINARY
#endif
#include "../../core/pointwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef TEST
#undef COMPARE
#undef DIVIDE
#undef T
#undef K
#undef P

// An input: contiguous memory (step 1), one element for all places (step 0), or a number (no address).
struct Input {
  const E *data;
  int64_t step;
  E number;
  TC_FN E at(int64_t i) const { return data ? data[i * step] : number; }
};
struct Inputs { Input in[3]; };

// What a formula that divides integers reports; others report nothing.
template <class F> TC_FN void check_divisor(E y, int64_t i, DeviceError *error) {
  if constexpr (F::divides)
    if (y == E(0)) raise(error, TC_KERNEL_pointwise, TC_BAD_VALUE, 1, i);
}

constexpr int kUnroll = 4;  // elements a thread has in flight

template <class F>
__global__ void contiguous_kernel(typename F::Result *out, TC_ARG(Inputs) inputs, TC_ARG(Params) params, int64_t n, DeviceError *error) {
  const int64_t block = int64_t(blockDim.x) * kUnroll;
  for (int64_t base = int64_t(blockIdx.x) * block; base < n; base += int64_t(gridDim.x) * block) {
    E x[kUnroll], y[kUnroll], z[kUnroll];
    TC_UNROLL
    for (int u = 0; u < kUnroll; u++) {
      const int64_t i = base + u * int64_t(blockDim.x) + threadIdx.x;
      x[u] = i < n ? inputs.in[0].at(i) : E(1);
      y[u] = F::inputs > 1 && i < n ? inputs.in[1].at(i) : E(1);
      z[u] = F::inputs > 2 && i < n ? inputs.in[2].at(i) : E(1);
    }
    TC_UNROLL
    for (int u = 0; u < kUnroll; u++) {
      const int64_t i = base + u * int64_t(blockDim.x) + threadIdx.x;
      if (i >= n) break;
      check_divisor<F>(y[u], i, error);
      out[i] = F::apply(x[u], y[u], z[u], params);
    }
  }
}

// An operand of any dtype; a number has no address.
struct Operand {
  const void *data;
  int dtype;
  E number;
  TC_FN E at(int64_t i) const { return data ? load_as<E>(dtype, data, i) : number; }
};
struct Operands { Operand in[3]; };

__global__ void strided_kernel(int op, int nargs, void *out, int out_dtype, TC_ARG(Operands) operands, TC_ARG(Params) params,
                               TC_ARG(Space<4>) space, DeviceError *error) {
  for (int64_t i = thread_index(); i < space.count; i += thread_count()) {
    int64_t at[4];
    space.offsets(i, at);
    const E x = operands.in[0].at(at[1]);
    const E y = nargs > 2 ? operands.in[1].at(at[2]) : E(1);
    const E z = nargs > 3 ? operands.in[2].at(at[3]) : E(1);
    switch (op) {
#define CASE(name, types)                                                                         \
  IF_##types(case PW_##name: {                                                                    \
    check_divisor<Formula_##name>(y, i, error);                                                   \
    store_as<Formula_##name::Result>(out_dtype, out, at[0], Formula_##name::apply(x, y, z, params)); \
    break;                                                                                        \
  })
#define UNARY(name, types, cost, ...) CASE(name, types)
#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#include "../../core/pointwise.def"
      default: break;
    }
  }
}

// The launcher of a formula's contiguous kernel; null where the type has none.
using Launcher = void (*)(const Frame &f, void *out, const Inputs &inputs, const Params &params, int64_t n);
template <class F> void launch_contiguous(const Frame &f, void *out, const Inputs &inputs, const Params &params, int64_t n) {
  TC_LAUNCH(contiguous_kernel<F>, f.blocks(n, 256 * kUnroll), 256, 0, f.stream, static_cast<typename F::Result *>(out),
            inputs, params, n, f.error);
}

#if defined(IS_FLOAT)
#define ENTRY_FLOAT(name) launch_contiguous<Formula_##name>,
#define ENTRY_INT(name) nullptr,
#else
#define ENTRY_FLOAT(name) nullptr,
#define ENTRY_INT(name) launch_contiguous<Formula_##name>,
#endif
#define ENTRY_ALL(name) launch_contiguous<Formula_##name>,
#undef UNARY
#define UNARY(name, types, cost, ...) ENTRY_##types(name)
const Launcher kLaunchers[] = {
#include "../../core/pointwise.def"
};
#undef UNARY
#undef BINARY
#undef TERNARY
#undef DIVIDE
#undef TEST
#undef COMPARE
#define UNARY(name, types, cost, ...) false,
#define BINARY UNARY
#define TERNARY UNARY
#define DIVIDE UNARY
#define TEST(name, types, cost, ...) true,
#define COMPARE TEST
const bool kIsTest[] = {
#include "../../core/pointwise.def"
};

E number(const tc_pointwise_args *a, int64_t k) {
  return a->dtype[k] == TC_F64 ? E(a->scalar[k].f) : E(a->scalar[k].i);
}

// How far operand k moves per element of the iteration space: 1 if it lies in memory in that order, 0 if it is one
// element for all, -1 if neither.
int64_t step_of(const tc_pointwise_args *a, int64_t k) {
  bool linear = true, single = true;
  int64_t expected = 1;
  for (int64_t d = 0; d < a->ndim; d++) {
    if (a->shape[d] == 1) continue;
    linear &= a->stride[d][k] == expected;
    single &= a->stride[d][k] == 0;
    expected *= a->shape[d];
  }
  return linear ? 1 : single ? 0 : -1;
}

}  // namespace

int32_t RUN(const Frame &f, const tc_pointwise_args *a) {
  const Launcher launcher = kLaunchers[a->op];
  if (!launcher) return unsupported(COMPUTE, a->op);
  int64_t total = 1;
  for (int64_t d = 0; d < a->ndim; d++) total *= a->shape[d];
  if (total == 0) return TC_OK;
  Params params;
  for (int i = 0; i < 4; i++) params.p[i] = E(a->param[i]);

  const int64_t out_dtype = a->dtype[0] == TC_U8 && kIsTest[a->op] ? int64_t(TC_BOOL) : a->dtype[0];
  bool direct = out_dtype == (kIsTest[a->op] ? int64_t(TC_BOOL) : int64_t(COMPUTE)) && step_of(a, 0) == 1;
  Inputs inputs = {};
  for (int64_t k = 1; k < a->nargs; k++) {
    Input &in = inputs.in[k - 1];
    if (a->data[k] == 0) {
      in.number = number(a, k);
    } else {
      in.data = TC_PTR(const E, a->data[k]);
      in.step = step_of(a, k);
      direct &= a->dtype[k] == COMPUTE && in.step >= 0;
    }
  }
  if (direct) {
    launcher(f, TC_PTR(void, a->data[0]), inputs, params, total);
    return f.end();
  }

  Space<4> space;
  int64_t used = 0;
  while (used < a->ndim && space.add(a->shape[used], a->stride[used])) used++;
  space.finish();
  for_outer<TC_MAX_OPERANDS>(a->ndim - used, a->shape + used, a->stride + used, [&](const int64_t *base) {
    Operands operands = {};
    for (int64_t k = 1; k < a->nargs; k++) {
      Operand &in = operands.in[k - 1];
      in.dtype = int(a->dtype[k]);
      if (a->data[k] == 0) in.number = number(a, k);
      else in.data = TC_PTR(const char, a->data[k]) + base[k] * tc_dtype_size(a->dtype[k]);
    }
    char *const out = TC_PTR(char, a->data[0]) + base[0] * tc_dtype_size(a->dtype[0]);
    TC_LAUNCH(strided_kernel, f.blocks(space.count, 256), 256, 0, f.stream, int(a->op), int(a->nargs), out,
              int(out_dtype), operands, params, space, f.error);
  });
  return f.end();
}

}  // namespace tc
