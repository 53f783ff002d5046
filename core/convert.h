// Conversion of contiguous elements between dtypes, and moving elements between strided and contiguous memory.
#ifndef TC_CONVERT_H
#define TC_CONVERT_H

#include <stdint.h>
#include <string.h>

#include "include/tc.h"
#include "simd.h"

// dst[i] = src[i] for n contiguous elements of any two dtypes. Rules are those of PyTorch on x86: a complex number
// becomes a real one, or a bool, by losing its imaginary part; float to integer truncates; NaN and what does not fit become the integer's smallest value for
// int32 and int64 and the low bits of that (0) for narrower ones; integers wrap; anything but 0 is true; float32 to
// float16 and bfloat16 rounds to nearest even, float64 by way of float32. dst and src may be the same address only
// if the dtypes are.
void tc_convert(void *dst, int64_t dst_dtype, const void *src, int64_t src_dtype, int64_t n);

// memcpy. V8 makes a call out of wasm for it, which costs more than moving a few words.
static inline __attribute__((no_builtin("memcpy"), unused)) void tc_move(void *restrict dst, const void *restrict src,
                                                                         int64_t bytes) {
  if (bytes > 128) {
    __builtin_memcpy(dst, src, (size_t)bytes);
    return;
  }
  char *d = dst;
  const char *s = src;
  typedef uint64_t word __attribute__((aligned(1), may_alias));
  typedef uint32_t half_word __attribute__((aligned(1), may_alias));
  for (; bytes >= 8; bytes -= 8, d += 8, s += 8) *(word *)d = *(const word *)s;
  if (bytes >= 4) {
    *(half_word *)d = *(const half_word *)s;
    bytes -= 4, d += 4, s += 4;
  }
  for (; bytes > 0; bytes--) *d++ = *s++;
}

// n elements of `size` bytes (1, 2, 4, 8, 16) from a strided run (stride in elements, 0 and negative included) to
// contiguous memory, and the other way.
void tc_load_run(void *restrict dst, const void *restrict src, int64_t stride, int64_t n, int64_t size);
void tc_store_run(void *restrict dst, int64_t stride, const void *restrict src, int64_t n, int64_t size);

// A number operand (TC_F64: d, TC_I64: i) as `n` elements of dtype at dst.
void tc_splat(void *dst, int64_t dtype, int64_t number_dtype, const void *number, int64_t n);

TC_INLINE uint32_t tc_bits_f32(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
TC_INLINE float tc_f32_of_bits(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }

TC_INLINE float tc_f32_of_bf16(uint16_t h) { return tc_f32_of_bits((uint32_t)h << 16); }
TC_INLINE uint16_t tc_bf16_of_f32(float x) {
  uint32_t u = tc_bits_f32(x);
  uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  return (uint16_t)(x != x ? 0x7fc0 : rounded);
}

TC_INLINE float tc_f32_of_f16(uint16_t h) {
  uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
  // The exponent's bias goes from 15 to 127. A subnormal is normalised by a subtraction: a multiplication by 2^112
  // would do for both, but processors are slow to multiply subnormal numbers.
  uint32_t normal = magnitude + (112u << 23);
  uint32_t small = tc_bits_f32(tc_f32_of_bits(magnitude + (113u << 23)) - 0x1p-14f);
  uint32_t bits = magnitude < 1u << 23 ? small : normal;
  bits |= magnitude >= 0x7c00u << 13 ? 0x7f800000u : 0;
  return tc_f32_of_bits(bits | (uint32_t)(h & 0x8000) << 16);
}
TC_INLINE uint16_t tc_f16_of_f32(float x) {
  uint32_t u = tc_bits_f32(x), magnitude = u & 0x7fffffff;
  uint32_t normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  // Adding 0.5 lets the float adder round a subnormal's mantissa at the right bit.
  uint32_t small = tc_bits_f32(tc_f32_of_bits(magnitude) + 0.5f) - tc_bits_f32(0.5f);
  uint32_t big = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
  uint32_t h = magnitude < 113u << 23 ? small : normal;
  h = magnitude >= 0x477ff000 ? big : h;
  return (uint16_t)(h | (u >> 16 & 0x8000));
}

// cvttss2si and cvttsd2si.
TC_INLINE int32_t tc_i32_of_f64(double x) {
  return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
TC_INLINE int64_t tc_i64_of_f64(double x) {
  return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN;
}

#endif
