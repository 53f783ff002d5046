// Strided iteration spaces: from the number of an element to its place in each operand.
#pragma once

#include "platform.cuh"

namespace tc {

constexpr int kSpaceDims = 16;  // non-mergeable dimensions that one launch walks; more are looped over on the host

// n / divisor for 0 <= n < 2^31 by a multiplication (Granlund and Montgomery 1994).
struct Divider {
  uint32_t divisor, magic, shift;
  void set(uint32_t d) {
    divisor = d;
    for (shift = 0; shift < 32 && (uint64_t(1) << shift) < d; shift++) {}
    magic = uint32_t((((uint64_t(1) << shift) - d) << 32) / d + 1);
  }
  TC_BOTH uint32_t divide(uint32_t n) const {
    return uint32_t((((uint64_t(n) * magic) >> 32) + n) >> shift);
  }
};

// An iteration space and N operands' strides, innermost dimension first.
template <int N> struct Space {
  int ndim = 0;
  bool wide = false;  // 2^31 elements or more
  int64_t size[kSpaceDims];
  Divider divider[kSpaceDims];
  int64_t stride[kSpaceDims][N];
  int64_t count = 1;

  // Dimensions of size 1 are left out; false: too many dimensions.
  bool add(int64_t n, const int64_t *strides) {
    if (n == 1) return true;
    if (ndim == kSpaceDims) return false;
    count *= n;
    size[ndim] = n;
    for (int k = 0; k < N; k++) stride[ndim][k] = strides[k];
    ndim++;
    return true;
  }
  void finish() {
    wide = count >= int64_t(1) << 31;
    for (int d = 0; d < ndim; d++) divider[d].set(uint32_t(wide || count == 0 ? 1 : size[d]));
  }

  TC_FN void offsets(int64_t index, int64_t (&offset)[N]) const {
    for (int k = 0; k < N; k++) offset[k] = 0;
    if (wide) return wide_offsets(index, offset);
    uint32_t left = uint32_t(index);
    TC_NO_UNROLL
    for (int d = 0; d < ndim; d++) {
      const uint32_t rest = d + 1 < ndim ? divider[d].divide(left) : 0, at = left - rest * uint32_t(size[d]);
      for (int k = 0; k < N; k++) offset[k] += int64_t(at) * stride[d][k];
      left = rest;
    }
  }

 private:
  // Rare, and 64-bit division is a page of code: kept out of every kernel's loop.
  TC_NOINLINE void wide_offsets(int64_t index, int64_t (&offset)[N]) const {
    for (int d = 0; d < ndim; d++) {
      const int64_t rest = d + 1 < ndim ? index / size[d] : 0, at = index - rest * size[d];
      for (int k = 0; k < N; k++) offset[k] += at * stride[d][k];
      index = rest;
    }
  }
};

// Calls fn(base offsets) for every place of the outer dimensions that did not fit into a space.
template <int N, class F>
void for_outer(int64_t ndim, const int64_t *shape, const int64_t (*stride)[N], F &&fn) {
  int64_t at[TC_MAX_DIMS] = {}, base[N] = {};
  for (;;) {
    fn(base);
    int64_t d = 0;
    for (; d < ndim; d++) {
      for (int k = 0; k < N; k++) base[k] += stride[d][k];
      if (++at[d] < shape[d]) break;
      for (int k = 0; k < N; k++) base[k] -= stride[d][k] * shape[d];
      at[d] = 0;
    }
    if (d == ndim) return;
  }
}

}  // namespace tc
