// Between pointwise.c, which walks operands, and the loops of pointwise_<dtype>.c.
#ifndef TC_POINTWISE_LOOPS_H
#define TC_POINTWISE_LOOPS_H

#include <stdint.h>

// out[i] = op(in[0][i], ...) over contiguous operands of the loop's own dtype (bool results for tests), which may be
// the same memory. n is a multiple of `step` below.
typedef void (*tc_pointwise_loop)(int64_t n, void *out, const void *const *in, const double *param);

enum {
#define UNARY(name, types, cost, ...) TC_PW_##name,
#define BINARY UNARY
#define TERNARY UNARY
#define TEST UNARY
#define COMPARE UNARY
#define DIVIDE UNARY
#include "pointwise.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef TEST
#undef COMPARE
#undef DIVIDE
  TC_PW_COUNT
};

// A loop's step: 16 elements where it stores bytes of 0 and 1, else 16 bytes (32 bytes of complex numbers: a vector of
// real and one of imaginary parts).
enum { TC_PW_TEST_STEP = 16 };

// 0 where there is no code for the dtype.
extern const tc_pointwise_loop tc_pointwise_f32[TC_PW_COUNT];
extern const tc_pointwise_loop tc_pointwise_f64[TC_PW_COUNT];
extern const tc_pointwise_loop tc_pointwise_i32[TC_PW_COUNT];
extern const tc_pointwise_loop tc_pointwise_i64[TC_PW_COUNT];
extern const tc_pointwise_loop tc_pointwise_c64[TC_PW_COUNT];
extern const tc_pointwise_loop tc_pointwise_c128[TC_PW_COUNT];

#endif
