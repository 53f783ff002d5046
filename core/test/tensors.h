// Small tensors of any real dtype for the kernel tests, read and written as float64.
#ifndef TC_TEST_TENSORS_H
#define TC_TEST_TENSORS_H

#include "../convert.h"
#include "harness.h"

#define TEST_UNUSED __attribute__((unused)) static

TEST_UNUSED double get(const void *t, int64_t dtype, int64_t i) {
  double x;
  tc_convert(&x, TC_F64, (const char *)t + i * tc_dtype_size(dtype), dtype, 1);
  return x;
}

TEST_UNUSED void put(void *t, int64_t dtype, int64_t i, double x) {
  tc_convert((char *)t + i * tc_dtype_size(dtype), dtype, &x, TC_F64, 1);
}

TEST_UNUSED void *tensor(int64_t dtype, int64_t n) { return test_alloc((size_t)(n * tc_dtype_size(dtype))); }

TEST_UNUSED bool is_float(int64_t dtype) {
  return dtype == TC_F32 || dtype == TC_F64 || dtype == TC_F16 || dtype == TC_BF16;
}

// An integer in [low, high].
TEST_UNUSED int64_t pick(int64_t low, int64_t high) {
  return low + (int64_t)(test_random_bits() % (uint64_t)(high - low + 1));
}

// Floats within `range` of 0, small integers (not negative for uint8), or truths.
TEST_UNUSED void *random_tensor(int64_t dtype, int64_t n, double range) {
  void *t = tensor(dtype, n);
  for (int64_t i = 0; i < n; i++) {
    const double x = dtype == TC_BOOL ? (double)pick(0, 1) : dtype == TC_U8 ? (double)pick(0, 9) : (double)pick(-9, 9);
    put(t, dtype, i, is_float(dtype) ? test_random() * range : x);
  }
  return t;
}

TEST_UNUSED void *copy_of(const void *t, int64_t dtype, int64_t n) {
  void *c = tensor(dtype, n);
  memcpy(c, t, (size_t)(n * tc_dtype_size(dtype)));
  return c;
}

TEST_UNUSED int64_t *indices(int64_t n, int64_t low, int64_t high) {
  int64_t *t = tensor(TC_I64, n);
  for (int64_t i = 0; i < n; i++) t[i] = pick(low, high);
  return t;
}

// How far a result of the dtype may be from the exact one: `ulps` of its rounding.
TEST_UNUSED double tolerance(int64_t dtype, double ulps) {
  return ulps * (dtype == TC_F64 ? 0x1p-52 : dtype == TC_F32 ? 0x1p-23 : dtype == TC_F16 ? 0x1p-10 : 0x1p-7);
}

// Exact-size scratch for a kernel that wants some.
#define SCRATCH(args, name) \
  ((args).scratch = TEST_ADDRESS(test_alloc((size_t)name##_scratch(&(args)))), name(&(args)))

TEST_UNUSED const int64_t test_floats[4] = {TC_F32, TC_F64, TC_F16, TC_BF16};
TEST_UNUSED const int64_t test_reals[10] = {TC_U8, TC_I8, TC_I16, TC_I32, TC_I64, TC_BOOL, TC_F16, TC_BF16, TC_F32, TC_F64};

#endif
