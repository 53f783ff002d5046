// Vectors of a tensor's storage type, loaded into the type that computes: float32 and float64 as they
// are, float16 and bfloat16 as float32. Partial vectors, for the end of a line, have their free lanes
// filled with a number. Counts are ptrdiff_t, as wide as addresses: wasm32 would have to narrow each int64_t index.
#ifndef TC_LINES_H
#define TC_LINES_H

#include <stddef.h>

#include "convert.h"
#include "simd.h"

#define TC_FETCH(suffix, S, T, E, L, of, to)                                        \
  TC_INLINE T fetch_##suffix(const S *p) {                                          \
    E e[L];                                                                         \
    for (int l = 0; l < L; l++) e[l] = of(p[l]);                                    \
    return v_load(e);                                                               \
  }                                                                                 \
  TC_INLINE T fetch_part_##suffix(const S *p, ptrdiff_t n, E fill) {                  \
    E e[L];                                                                         \
    for (int l = 0; l < L; l++) e[l] = l < n ? of(p[l]) : fill;                     \
    return v_load(e);                                                               \
  }                                                                                 \
  TC_INLINE void put_##suffix(S *p, T v) {                                          \
    E e[L];                                                                         \
    v_store(e, v);                                                                  \
    for (int l = 0; l < L; l++) p[l] = to(e[l]);                                    \
  }                                                                                 \
  TC_INLINE void put_part_##suffix(S *p, ptrdiff_t n, T v) {                          \
    E e[L];                                                                         \
    v_store(e, v);                                                                  \
    for (int l = 0; l < n; l++) p[l] = to(e[l]);                                    \
  }
TC_FETCH(f32, float, vf32, float, 4, , )
TC_FETCH(f64, double, vf64, double, 2, , )
TC_FETCH(f16, uint16_t, vf32, float, 4, tc_f32_of_f16, tc_f16_of_f32)
TC_FETCH(bf16, uint16_t, vf32, float, 4, tc_f32_of_bf16, tc_bf16_of_f32)
#undef TC_FETCH

// The last n lanes of x (0 .. all), zeros in the others: for the end of a line, read as the whole vector that ends there.
TC_WORD vf32 v_last(vf32 x, ptrdiff_t n) {
  static const int32_t mask[8] = {0, 0, 0, 0, -1, -1, -1, -1};
  return (vf32)((vi32)x & v_load(mask + n));
}
TC_WORD vf64 v_last(vf64 x, ptrdiff_t n) {
  static const int64_t mask[4] = {0, 0, -1, -1};
  return (vf64)((vi64)x & v_load(mask + n));
}

// The lanes of a vector together.
TC_WORD float v_sum(vf32 x) { return (x[0] + x[1]) + (x[2] + x[3]); }
TC_WORD double v_sum(vf64 x) { return x[0] + x[1]; }
TC_WORD float v_largest(vf32 x) {
  const vf32 y = v_max(x, __builtin_shufflevector(x, x, 2, 3, 0, 1));
  return v_max(y, __builtin_shufflevector(y, y, 1, 0, 3, 2))[0];
}
TC_WORD double v_largest(vf64 x) { return v_max(x, __builtin_shufflevector(x, x, 1, 0))[0]; }

#endif
