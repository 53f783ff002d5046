// The vector words that every kernel is written in: 16-byte vectors of float32 (4), float64 (2), int32 (4) and
// int64 (2), on wasm simd128, on relaxed simd where the build has it, and on clang's vector extensions for the
// native sanitizer build. +, -, *, /, &, |, ^, ~, <<, >> and the comparisons are the language's own; a comparison
// gives a mask, a vector of integers of the same width whose lanes are 0 or -1. Integer arithmetic wraps.
//
// Words are overloaded on their operands' types (a clang extension), so that one formula serves all types.
#ifndef TC_SIMD_H
#define TC_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

// Only v_fma may fuse: error-free transformations rely on every other rounding.
#pragma STDC FP_CONTRACT OFF

typedef float vf32 __attribute__((vector_size(16)));
typedef double vf64 __attribute__((vector_size(16)));
typedef int32_t vi32 __attribute__((vector_size(16)));
typedef int64_t vi64 __attribute__((vector_size(16)));
typedef uint32_t vu32 __attribute__((vector_size(16)));
typedef uint64_t vu64 __attribute__((vector_size(16)));
typedef uint8_t vu8 __attribute__((vector_size(16)));

#define TC_WORD static inline __attribute__((always_inline, overloadable, unused))
#define TC_INLINE static inline __attribute__((always_inline, unused))

// Splats, one name per type: the type of a literal does not tell the vector it is meant for.
TC_INLINE vf32 v_set_f32(float s) { return (vf32){s, s, s, s}; }
TC_INLINE vf64 v_set_f64(double s) { return (vf64){s, s}; }
TC_INLINE vi32 v_set_i32(int32_t s) { return (vi32){s, s, s, s}; }
TC_INLINE vi64 v_set_i64(int64_t s) { return (vi64){s, s}; }

// A constant, for use in loops. LLVM puts a vector constant where it is used, and newer V8 (Deno, Node 22) makes it anew
// there each time, with two moves and an insert; polynomials then run three times slower. Multiplying by a 1 that the
// compiler cannot see makes it a value like any other, computed once before the loop. 0 is cheap as it stands.
extern const float tc_one_f32;
extern const double tc_one_f64;
extern const int32_t tc_one_i32;
extern const int64_t tc_one_i64;
TC_INLINE vf32 v_const_f32(float c) { return v_set_f32(c == 0 ? 0 : c * tc_one_f32); }
TC_INLINE vf64 v_const_f64(double c) { return v_set_f64(c == 0 ? 0 : c * tc_one_f64); }
TC_INLINE vi32 v_const_i32(int32_t c) { return v_set_i32(c == 0 ? 0 : c * tc_one_i32); }
TC_INLINE vi64 v_const_i64(int64_t c) { return v_set_i64(c == 0 ? 0 : c * tc_one_i64); }

// Loads and stores, at any alignment.
#define TC_LOAD_STORE(V, E)                                                       \
  TC_WORD V v_load(const E *p) { V v; memcpy(&v, p, sizeof v); return v; }        \
  TC_WORD void v_store(E *p, V v) { memcpy(p, &v, sizeof v); }
TC_LOAD_STORE(vf32, float)
TC_LOAD_STORE(vf64, double)
TC_LOAD_STORE(vi32, int32_t)
TC_LOAD_STORE(vi64, int64_t)
TC_LOAD_STORE(vu8, uint8_t)
#undef TC_LOAD_STORE

// m ? a : b, lane by lane; m must be a mask. Relaxed lane select is one blend on x86, plain bitselect three operations.
#if defined(__wasm_relaxed_simd__)
#define TC_SELECT32(m, a, b) wasm_i32x4_relaxed_laneselect((v128_t)(a), (v128_t)(b), (v128_t)(m))
#define TC_SELECT64(m, a, b) wasm_i64x2_relaxed_laneselect((v128_t)(a), (v128_t)(b), (v128_t)(m))
#elif defined(__wasm_simd128__)
#define TC_SELECT32(m, a, b) wasm_v128_bitselect((v128_t)(a), (v128_t)(b), (v128_t)(m))
#define TC_SELECT64 TC_SELECT32
#else
#define TC_SELECT32(m, a, b) (((vi32)(m) & (vi32)(a)) | (~(vi32)(m) & (vi32)(b)))
#define TC_SELECT64 TC_SELECT32
#endif
TC_WORD vf32 v_select(vi32 m, vf32 a, vf32 b) { return (vf32)TC_SELECT32(m, a, b); }
TC_WORD vi32 v_select(vi32 m, vi32 a, vi32 b) { return (vi32)TC_SELECT32(m, a, b); }
TC_WORD vf64 v_select(vi64 m, vf64 a, vf64 b) { return (vf64)TC_SELECT64(m, a, b); }
TC_WORD vi64 v_select(vi64 m, vi64 a, vi64 b) { return (vi64)TC_SELECT64(m, a, b); }

// The complement of a mask.
TC_WORD vi32 v_not(vi32 m) { return ~m; }
TC_WORD vi64 v_not(vi64 m) { return ~m; }

#if defined(__wasm_simd128__)
TC_WORD int v_any(vi32 m) { return wasm_v128_any_true((v128_t)m); }
TC_WORD int v_any(vi64 m) { return wasm_v128_any_true((v128_t)m); }
TC_WORD int v_all(vi32 m) { return wasm_i32x4_all_true((v128_t)m); }
TC_WORD int v_all(vi64 m) { return wasm_i64x2_all_true((v128_t)m); }
#else
TC_WORD int v_any(vi64 m) { return (m[0] | m[1]) != 0; }
TC_WORD int v_any(vi32 m) { return v_any((vi64)m); }
TC_WORD int v_all(vi64 m) { return m[0] != 0 && m[1] != 0; }
TC_WORD int v_all(vi32 m) { return m[0] != 0 && m[1] != 0 && m[2] != 0 && m[3] != 0; }
#endif

// a * b + c and c - a * b: fused where the build and the machine can, so the last bit may differ between builds.
#if defined(__wasm_relaxed_simd__)
TC_WORD vf32 v_fma(vf32 a, vf32 b, vf32 c) {
  return (vf32)wasm_f32x4_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}
TC_WORD vf64 v_fma(vf64 a, vf64 b, vf64 c) {
  return (vf64)wasm_f64x2_relaxed_madd((v128_t)a, (v128_t)b, (v128_t)c);
}
TC_WORD vf32 v_fnma(vf32 a, vf32 b, vf32 c) {
  return (vf32)wasm_f32x4_relaxed_nmadd((v128_t)a, (v128_t)b, (v128_t)c);
}
TC_WORD vf64 v_fnma(vf64 a, vf64 b, vf64 c) {
  return (vf64)wasm_f64x2_relaxed_nmadd((v128_t)a, (v128_t)b, (v128_t)c);
}
#elif defined(__FMA__)
TC_WORD vf32 v_fma(vf32 a, vf32 b, vf32 c) { return __builtin_elementwise_fma(a, b, c); }
TC_WORD vf64 v_fma(vf64 a, vf64 b, vf64 c) { return __builtin_elementwise_fma(a, b, c); }
TC_WORD vf32 v_fnma(vf32 a, vf32 b, vf32 c) { return __builtin_elementwise_fma(-a, b, c); }
TC_WORD vf64 v_fnma(vf64 a, vf64 b, vf64 c) { return __builtin_elementwise_fma(-a, b, c); }
#else
TC_WORD vf32 v_fma(vf32 a, vf32 b, vf32 c) { return a * b + c; }
TC_WORD vf64 v_fma(vf64 a, vf64 b, vf64 c) { return a * b + c; }
TC_WORD vf32 v_fnma(vf32 a, vf32 b, vf32 c) { return c - a * b; }
TC_WORD vf64 v_fnma(vf64 a, vf64 b, vf64 c) { return c - a * b; }
#endif

TC_WORD vf32 v_abs(vf32 x) { return (vf32)((vi32)x & v_const_i32(0x7fffffff)); }
TC_WORD vf64 v_abs(vf64 x) { return (vf64)((vi64)x & v_const_i64(INT64_MAX)); }
TC_WORD vi32 v_abs(vi32 x) { vi32 s = x >> 31; return (x ^ s) - s; }
TC_WORD vi64 v_abs(vi64 x) { vi64 s = x >> 63; return (x ^ s) - s; }

// The sign bit of `s` on the magnitude of `x`.
TC_WORD vf32 v_copysign(vf32 x, vf32 s) {
  const vi32 sign = v_const_i32(INT32_MIN);
  return (vf32)(((vi32)x & ~sign) | ((vi32)s & sign));
}
TC_WORD vf64 v_copysign(vf64 x, vf64 s) {
  const vi64 sign = v_const_i64(INT64_MIN);
  return (vf64)(((vi64)x & ~sign) | ((vi64)s & sign));
}

TC_WORD vf32 v_sqrt(vf32 x) { return __builtin_elementwise_sqrt(x); }
TC_WORD vf64 v_sqrt(vf64 x) { return __builtin_elementwise_sqrt(x); }
TC_WORD vf32 v_floor(vf32 x) { return __builtin_elementwise_floor(x); }
TC_WORD vf64 v_floor(vf64 x) { return __builtin_elementwise_floor(x); }
TC_WORD vf32 v_ceil(vf32 x) { return __builtin_elementwise_ceil(x); }
TC_WORD vf64 v_ceil(vf64 x) { return __builtin_elementwise_ceil(x); }
TC_WORD vf32 v_trunc(vf32 x) { return __builtin_elementwise_trunc(x); }
TC_WORD vf64 v_trunc(vf64 x) { return __builtin_elementwise_trunc(x); }
// To the nearest integer, halves to even.
TC_WORD vf32 v_round(vf32 x) { return __builtin_elementwise_roundeven(x); }
TC_WORD vf64 v_round(vf64 x) { return __builtin_elementwise_roundeven(x); }

// b < a ? b : a and a < b ? b : a: one instruction on x86. A NaN in `a` comes through, one in `b` does not.
#if defined(__wasm_simd128__)
TC_WORD vf32 v_min(vf32 a, vf32 b) { return (vf32)wasm_f32x4_pmin((v128_t)a, (v128_t)b); }
TC_WORD vf32 v_max(vf32 a, vf32 b) { return (vf32)wasm_f32x4_pmax((v128_t)a, (v128_t)b); }
TC_WORD vf64 v_min(vf64 a, vf64 b) { return (vf64)wasm_f64x2_pmin((v128_t)a, (v128_t)b); }
TC_WORD vf64 v_max(vf64 a, vf64 b) { return (vf64)wasm_f64x2_pmax((v128_t)a, (v128_t)b); }
#else
TC_WORD vf32 v_min(vf32 a, vf32 b) { return v_select(b < a, b, a); }
TC_WORD vf32 v_max(vf32 a, vf32 b) { return v_select(a < b, b, a); }
TC_WORD vf64 v_min(vf64 a, vf64 b) { return v_select(b < a, b, a); }
TC_WORD vf64 v_max(vf64 a, vf64 b) { return v_select(a < b, b, a); }
#endif
TC_WORD vi32 v_min(vi32 a, vi32 b) { return __builtin_elementwise_min(a, b); }
TC_WORD vi32 v_max(vi32 a, vi32 b) { return __builtin_elementwise_max(a, b); }
TC_WORD vi64 v_min(vi64 a, vi64 b) { return v_select(b < a, b, a); }
TC_WORD vi64 v_max(vi64 a, vi64 b) { return v_select(a < b, b, a); }

TC_WORD vi32 v_isnan(vf32 x) { return x != x; }
TC_WORD vi64 v_isnan(vf64 x) { return x != x; }

// PyTorch's maximum and minimum: a NaN on either side comes through.
TC_WORD vf32 v_maximum(vf32 a, vf32 b) { return v_select(v_isnan(b), b, v_max(a, b)); }
TC_WORD vf64 v_maximum(vf64 a, vf64 b) { return v_select(v_isnan(b), b, v_max(a, b)); }
TC_WORD vi32 v_maximum(vi32 a, vi32 b) { return v_max(a, b); }
TC_WORD vi64 v_maximum(vi64 a, vi64 b) { return v_max(a, b); }
TC_WORD vf32 v_minimum(vf32 a, vf32 b) { return v_select(v_isnan(b), b, v_min(a, b)); }
TC_WORD vf64 v_minimum(vf64 a, vf64 b) { return v_select(v_isnan(b), b, v_min(a, b)); }
TC_WORD vi32 v_minimum(vi32 a, vi32 b) { return v_min(a, b); }
TC_WORD vi64 v_minimum(vi64 a, vi64 b) { return v_min(a, b); }

// Conversions between lanes of the same width. v_int wants |x| < 2^31; v_to_i32 takes anything and gives what x86's
// cvttps2dq gives, INT32_MIN for NaN and for whatever does not fit: that is what PyTorch answers there.
TC_WORD vf32 v_float(vi32 x) { return __builtin_convertvector(x, vf32); }
TC_WORD vf64 v_float(vi64 x) { return __builtin_convertvector(x, vf64); }
#if defined(__wasm_relaxed_simd__)
TC_WORD vi32 v_int(vf32 x) { return (vi32)wasm_i32x4_relaxed_trunc_f32x4((v128_t)x); }
#elif defined(__wasm_simd128__)
TC_WORD vi32 v_int(vf32 x) { return (vi32)wasm_i32x4_trunc_sat_f32x4((v128_t)x); }
#else
TC_WORD vi32 v_int(vf32 x) { return __builtin_convertvector(x, vi32); }
#endif

// The low and high halves of a float32 vector as float64, and back (rounded).
typedef float vf32_half __attribute__((vector_size(8)));
TC_INLINE vf64 v_widen_low(vf32 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1), vf64);
}
TC_INLINE vf64 v_widen_high(vf32 x) {
  return __builtin_convertvector(__builtin_shufflevector(x, x, 2, 3), vf64);
}
#if defined(__wasm_simd128__)
TC_INLINE vf32 v_narrow(vf64 low, vf64 high) {
  return (vf32)wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero((v128_t)low),
                                  wasm_f32x4_demote_f64x2_zero((v128_t)high), 0, 2);
}
#else
TC_INLINE vf32 v_narrow(vf64 low, vf64 high) {
  return (vf32){(float)low[0], (float)low[1], (float)high[0], (float)high[1]};
}
#endif

// Sixteen mask lanes as sixteen bytes of 0 or 1: how a test's result is stored.
TC_INLINE vi32 v_join_masks(vi64 a, vi64 b) { return __builtin_shufflevector((vi32)a, (vi32)b, 0, 2, 4, 6); }
#if defined(__wasm_simd128__)
TC_WORD vu8 v_pack_masks(const vi32 m[4]) {
  v128_t low = wasm_i16x8_narrow_i32x4((v128_t)m[0], (v128_t)m[1]);
  v128_t high = wasm_i16x8_narrow_i32x4((v128_t)m[2], (v128_t)m[3]);
  return (vu8)wasm_v128_and(wasm_i8x16_narrow_i16x8(low, high), wasm_i8x16_splat(1));
}
#else
TC_WORD vu8 v_pack_masks(const vi32 m[4]) {
  vu8 r;
  for (int i = 0; i < 16; i++) r[i] = (uint8_t)(m[i / 4][i % 4] & 1);
  return r;
}
#endif
TC_WORD vu8 v_pack_masks(const vi64 m[8]) {
  const vi32 joined[4] = {v_join_masks(m[0], m[1]), v_join_masks(m[2], m[3]), v_join_masks(m[4], m[5]),
                          v_join_masks(m[6], m[7])};
  return v_pack_masks(joined);
}

#endif
