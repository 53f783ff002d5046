#include "convert.h"

// Every conversion is one step from or to one of the four compute dtypes (float32, float64, int32, int64), or two
// steps by way of one of them; so 4 x 10 loops do for 10 x 10 pairs.
typedef void (*convert_fn)(void *dst, const void *src, int64_t n);

#define CONVERT(name, S, D, value)                                         \
  static void name(void *dst, const void *src, int64_t n) {                \
    const S *s = src;                                                      \
    D *d = dst;                                                            \
    for (int64_t i = 0; i < n; i++) { const S x = s[i]; d[i] = (value); }  \
  }

// Four at a time, and the last ones by themselves.
#define CONVERT_VECTORS(name, S, D, four, one)                              \
  static void name(void *dst, const void *src, int64_t n) {                 \
    const S *s = src;                                                       \
    D *d = dst;                                                             \
    int64_t i = 0;                                                          \
    for (; i + 4 <= n; i += 4) four(d + i, s + i);                          \
    for (; i < n; i++) { const S x = s[i]; d[i] = (one); }                  \
  }

typedef uint16_t vu16_half __attribute__((vector_size(8)));

TC_INLINE vi32 load_halves(const uint16_t *s) {
  vu16_half h;
  memcpy(&h, s, sizeof h);
  return __builtin_convertvector(h, vi32);
}
TC_INLINE void store_halves(uint16_t *d, vi32 x) {
  vu16_half h = __builtin_convertvector((vu32)x, vu16_half);
  memcpy(d, &h, sizeof h);
}

// The scalar functions of convert.h, on vectors.
TC_INLINE vf32 f32_of_f16s(const uint16_t *s) {
  vi32 h = load_halves(s), magnitude = (h & v_const_i32(0x7fff)) << 13;
  vi32 normal = magnitude + v_const_i32(112 << 23);
  vi32 small = (vi32)((vf32)(magnitude + v_const_i32(113 << 23)) - v_const_f32(0x1p-14f));
  vi32 bits = v_select((vi32)(magnitude < v_const_i32(1 << 23)), small, normal);
  bits |= (magnitude >= v_const_i32(0x7c00 << 13)) & v_const_i32(0x7f800000);
  return (vf32)(bits | (h & v_const_i32(0x8000)) << 16);
}
TC_INLINE vf32 f32_of_bf16s(const uint16_t *s) { return (vf32)(load_halves(s) << 16); }
TC_INLINE void f16s_of_f32(uint16_t *d, vf32 x) {
  vi32 u = (vi32)x, magnitude = u & v_const_i32(0x7fffffff);
  vi32 odd = (magnitude >> 13) & v_const_i32(1);
  vi32 normal = (magnitude + odd + v_const_i32(0xfff - (112 << 23))) >> 13;
  vi32 small = (vi32)((vf32)magnitude + v_const_f32(0.5f)) - (vi32)v_const_f32(0.5f);
  vi32 big = v_select((vi32)(magnitude > v_const_i32(0x7f800000)), v_const_i32(0x7e00), v_const_i32(0x7c00));
  vi32 h = v_select((vi32)(magnitude < v_const_i32(113 << 23)), small, normal);
  h = v_select((vi32)(magnitude >= v_const_i32(0x477ff000)), big, h);
  store_halves(d, h | ((u >> 16) & v_const_i32(0x8000)));
}
TC_INLINE void bf16s_of_f32(uint16_t *d, vf32 x) {
  vi32 u = (vi32)x, odd = (vi32)((vu32)u >> 16) & v_const_i32(1);
  vi32 rounded = (vi32)((vu32)(u + odd + v_const_i32(0x7fff)) >> 16);
  store_halves(d, v_select(v_isnan(x), v_const_i32(0x7fc0), rounded));
}

// What does not fit gives INT32_MIN, which is what saturation makes of numbers that are too low.
TC_INLINE vi32 i32_of_f32s(vf32 x) {
  vi32 low = v_int(v_max(x, v_const_f32(-0x1p31f)));
  return v_select((vi32)(x < v_const_f32(0x1p31f)), low, v_const_i32(INT32_MIN));
}
TC_INLINE void i64_of_f32s(int64_t *d, const float *s) {
  vf32 x = v_load(s);
  if (v_all((vi32)(v_abs(x) < v_const_f32(0x1p31f)))) {
    vi32 n = v_int(x);
    v_store(d, __builtin_convertvector(__builtin_shufflevector(n, n, 0, 1), vi64));
    v_store(d + 2, __builtin_convertvector(__builtin_shufflevector(n, n, 2, 3), vi64));
  } else {
    for (int l = 0; l < 4; l++) d[l] = tc_i64_of_f64(s[l]);
  }
}

TC_INLINE void f16_to_f32(float *d, const uint16_t *s) { v_store(d, f32_of_f16s(s)); }
TC_INLINE void bf16_to_f32(float *d, const uint16_t *s) { v_store(d, f32_of_bf16s(s)); }
TC_INLINE void f32_to_f16(uint16_t *d, const float *s) { f16s_of_f32(d, v_load(s)); }
TC_INLINE void f32_to_bf16(uint16_t *d, const float *s) { bf16s_of_f32(d, v_load(s)); }
TC_INLINE void f32_to_i32(int32_t *d, const float *s) { v_store(d, i32_of_f32s(v_load(s))); }
TC_INLINE void f16_to_i32(int32_t *d, const uint16_t *s) { v_store(d, i32_of_f32s(f32_of_f16s(s))); }
TC_INLINE void bf16_to_i32(int32_t *d, const uint16_t *s) { v_store(d, i32_of_f32s(f32_of_bf16s(s))); }

TC_INLINE void f32_to_f64(double *d, const float *s) {
  vf32 x = v_load(s);
  v_store(d, v_widen_low(x));
  v_store(d + 2, v_widen_high(x));
}
TC_INLINE void f64_to_f32(float *d, const double *s) { v_store(d, v_narrow(v_load(s), v_load(s + 2))); }

// Into the compute dtypes.
#define FROM_INTEGERS(D, d)                                                 \
  CONVERT(d##_of_u8, uint8_t, D, (D)x)                                      \
  CONVERT(d##_of_i8, int8_t, D, (D)x)                                       \
  CONVERT(d##_of_i16, int16_t, D, (D)x)                                     \
  CONVERT(d##_of_i32, int32_t, D, (D)x)                                     \
  CONVERT(d##_of_i64, int64_t, D, (D)x)                                     \
  CONVERT(d##_of_bool, uint8_t, D, (D)(x != 0))
FROM_INTEGERS(float, f32)
FROM_INTEGERS(double, f64)
FROM_INTEGERS(int32_t, i32)
FROM_INTEGERS(int64_t, i64)

CONVERT_VECTORS(f32_of_f16, uint16_t, float, f16_to_f32, tc_f32_of_f16(x))
CONVERT_VECTORS(f32_of_bf16, uint16_t, float, bf16_to_f32, tc_f32_of_bf16(x))
CONVERT_VECTORS(i32_of_f16, uint16_t, int32_t, f16_to_i32, tc_i32_of_f64(tc_f32_of_f16(x)))
CONVERT_VECTORS(i32_of_bf16, uint16_t, int32_t, bf16_to_i32, tc_i32_of_f64(tc_f32_of_bf16(x)))
CONVERT_VECTORS(i32_of_f32, float, int32_t, f32_to_i32, tc_i32_of_f64(x))
CONVERT_VECTORS(i64_of_f32, float, int64_t, i64_of_f32s, tc_i64_of_f64(x))
CONVERT(f64_of_f16, uint16_t, double, tc_f32_of_f16(x))
CONVERT(f64_of_bf16, uint16_t, double, tc_f32_of_bf16(x))
CONVERT(i64_of_f16, uint16_t, int64_t, tc_i64_of_f64(tc_f32_of_f16(x)))
CONVERT(i64_of_bf16, uint16_t, int64_t, tc_i64_of_f64(tc_f32_of_bf16(x)))
CONVERT_VECTORS(f64_of_f32, float, double, f32_to_f64, x)
CONVERT_VECTORS(f32_of_f64, double, float, f64_to_f32, (float)x)
CONVERT(i32_of_f64, double, int32_t, tc_i32_of_f64(x))
CONVERT(i64_of_f64, double, int64_t, tc_i64_of_f64(x))
#define f32_of_f32 0
#define f64_of_f64 0

// Out of them, into the storage dtypes.
#define TO_BYTES(S, s, to_i32, to_i64)                                      \
  CONVERT(u8_of_##s, S, uint8_t, (uint8_t)to_i64(x))                        \
  CONVERT(i8_of_##s, S, int8_t, (int8_t)to_i32(x))                          \
  CONVERT(i16_of_##s, S, int16_t, (int16_t)to_i32(x))                       \
  CONVERT(bool_of_##s, S, uint8_t, (uint8_t)(x != 0))
#define TO_HALVES(S, s)                                                     \
  CONVERT(f16_of_##s, S, uint16_t, tc_f16_of_f32((float)x))                 \
  CONVERT(bf16_of_##s, S, uint16_t, tc_bf16_of_f32((float)x))
// A float32 that does not fit in 32 bits has no bits below 2^8: its low byte is 0 by either route.
TO_BYTES(float, f32, tc_i32_of_f64, tc_i32_of_f64)
TO_BYTES(double, f64, tc_i32_of_f64, tc_i64_of_f64)
TO_BYTES(int32_t, i32, , )
TO_BYTES(int64_t, i64, , )
CONVERT_VECTORS(f16_of_f32, float, uint16_t, f32_to_f16, tc_f16_of_f32(x))
CONVERT_VECTORS(bf16_of_f32, float, uint16_t, f32_to_bf16, tc_bf16_of_f32(x))
TO_HALVES(double, f64)
TO_HALVES(int32_t, i32)
TO_HALVES(int64_t, i64)

#define ROW(d)                                                                                       \
  {[TC_U8] = d##_of_u8, [TC_I8] = d##_of_i8, [TC_I16] = d##_of_i16, [TC_I32] = d##_of_i32,           \
   [TC_I64] = d##_of_i64, [TC_F16] = d##_of_f16, [TC_F32] = d##_of_f32, [TC_F64] = d##_of_f64,       \
   [TC_BOOL] = d##_of_bool, [TC_BF16] = d##_of_bf16}
#define COLUMN(s)                                                                                    \
  {[TC_U8] = u8_of_##s, [TC_I8] = i8_of_##s, [TC_I16] = i16_of_##s, [TC_I32] = i32_of_##s,           \
   [TC_I64] = i64_of_##s, [TC_F16] = f16_of_##s, [TC_F32] = f32_of_##s, [TC_F64] = f64_of_##s,       \
   [TC_BOOL] = bool_of_##s, [TC_BF16] = bf16_of_##s}

#define DTYPES (TC_BF16 + 1)
enum { F32, F64, I32, I64, COMPUTES };
static const convert_fn into[COMPUTES][DTYPES] = {ROW(f32), ROW(f64), ROW(i32), ROW(i64)};
static const convert_fn out_of[COMPUTES][DTYPES] = {COLUMN(f32), COLUMN(f64), COLUMN(i32), COLUMN(i64)};

static int compute_index(int64_t dtype) {
  switch (dtype) {
    case TC_F32: return F32;
    case TC_F64: return F64;
    case TC_I32: return I32;
    case TC_I64: return I64;
    default: return -1;
  }
}

static int is_complex(int64_t dtype) { return dtype == TC_C64 || dtype == TC_C128; }
static int64_t part_dtype(int64_t dtype) { return dtype == TC_C64 ? TC_F32 : TC_F64; }

// From or to a complex dtype, by way of the parts' dtype. A block's real parts are gathered from (spread to) every
// other place.
static void convert_complex(void *dst, int64_t dst_dtype, const void *src, int64_t src_dtype, int64_t n) {
  if (is_complex(dst_dtype) && is_complex(src_dtype)) {
    tc_convert(dst, part_dtype(dst_dtype), src, part_dtype(src_dtype), 2 * n);
    return;
  }
  enum { BLOCK = 128 };
  double parts[BLOCK];
  const int from = is_complex(src_dtype);
  const int64_t part = part_dtype(from ? src_dtype : dst_dtype), part_size = tc_dtype_size(part);
  const int64_t src_size = tc_dtype_size(src_dtype), dst_size = tc_dtype_size(dst_dtype);
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t m = n - i < BLOCK ? n - i : BLOCK;
    const char *s = (const char *)src + i * src_size;
    char *d = (char *)dst + i * dst_size;
    if (from) {
      tc_load_run(parts, s, 2, m, part_size);
      tc_convert(d, dst_dtype, parts, part, m);
    } else {
      tc_convert(parts, part, s, src_dtype, m);
      if (part == TC_F32) {
        for (int64_t k = 0; k < m; k++) ((float *)d)[2 * k] = ((float *)parts)[k], ((float *)d)[2 * k + 1] = 0;
      } else {
        for (int64_t k = 0; k < m; k++) ((double *)d)[2 * k] = parts[k], ((double *)d)[2 * k + 1] = 0;
      }
    }
  }
}

void tc_convert(void *dst, int64_t dst_dtype, const void *src, int64_t src_dtype, int64_t n) {
  if (dst_dtype == src_dtype) {
    if (dst != src) tc_move(dst, src, n * tc_dtype_size(dst_dtype));
    return;
  }
  if (is_complex(dst_dtype) || is_complex(src_dtype)) {
    convert_complex(dst, dst_dtype, src, src_dtype, n);
    return;
  }
  int c = compute_index(dst_dtype);
  if (c >= 0) {
    into[c][src_dtype](dst, src, n);
    return;
  }
  c = compute_index(src_dtype);
  if (c >= 0) {
    out_of[c][dst_dtype](dst, src, n);
    return;
  }
  // Two narrow dtypes: float32 holds every value of all of them.
  enum { BLOCK = 256 };
  float middle[BLOCK];
  int64_t src_size = tc_dtype_size(src_dtype), dst_size = tc_dtype_size(dst_dtype);
  for (int64_t i = 0; i < n; i += BLOCK) {
    int64_t m = n - i < BLOCK ? n - i : BLOCK;
    into[F32][src_dtype](middle, (const char *)src + i * src_size, m);
    out_of[F32][dst_dtype]((char *)dst + i * dst_size, middle, m);
  }
}

typedef struct { uint64_t half[2]; } element16;

#define MOVE(E)                                                                                      \
  static void gather_##E(E *restrict d, const E *restrict s, int64_t stride, int64_t n) {            \
    if (stride == 0) {                                                                               \
      const E x = *s;                                                                                \
      for (int64_t i = 0; i < n; i++) d[i] = x;                                                      \
    } else {                                                                                         \
      for (int64_t i = 0; i < n; i++) d[i] = s[i * stride];                                          \
    }                                                                                                \
  }                                                                                                  \
  static void scatter_##E(E *restrict d, int64_t stride, const E *restrict s, int64_t n) {           \
    for (int64_t i = 0; i < n; i++) d[i * stride] = s[i];                                            \
  }
MOVE(uint8_t)
MOVE(uint16_t)
MOVE(uint32_t)
MOVE(uint64_t)
MOVE(element16)

void tc_load_run(void *restrict dst, const void *restrict src, int64_t stride, int64_t n, int64_t size) {
  if (n <= 0) return;
  if (stride == 1) {
    tc_move(dst, src, n * size);
    return;
  }
  switch (size) {
    case 1: gather_uint8_t(dst, src, stride, n); break;
    case 2: gather_uint16_t(dst, src, stride, n); break;
    case 4: gather_uint32_t(dst, src, stride, n); break;
    case 8: gather_uint64_t(dst, src, stride, n); break;
    default: gather_element16(dst, src, stride, n);
  }
}

void tc_store_run(void *restrict dst, int64_t stride, const void *restrict src, int64_t n, int64_t size) {
  if (n <= 0) return;
  if (stride == 1) {
    tc_move(dst, src, n * size);
    return;
  }
  switch (size) {
    case 1: scatter_uint8_t(dst, stride, src, n); break;
    case 2: scatter_uint16_t(dst, stride, src, n); break;
    case 4: scatter_uint32_t(dst, stride, src, n); break;
    case 8: scatter_uint64_t(dst, stride, src, n); break;
    default: scatter_element16(dst, stride, src, n);
  }
}

void tc_splat(void *dst, int64_t dtype, int64_t number_dtype, const void *number, int64_t n) {
  uint64_t one[2];
  tc_convert(one, dtype, number, number_dtype, 1);
  tc_load_run(dst, one, 0, n, tc_dtype_size(dtype));
}
