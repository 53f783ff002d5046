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

// Into the compute dtypes.
#define INTO(D, d, of_f32, of_f64)                                         \
  CONVERT(d##_of_u8, uint8_t, D, (D)x)                                     \
  CONVERT(d##_of_i8, int8_t, D, (D)x)                                      \
  CONVERT(d##_of_i16, int16_t, D, (D)x)                                    \
  CONVERT(d##_of_i32, int32_t, D, (D)x)                                    \
  CONVERT(d##_of_i64, int64_t, D, (D)x)                                    \
  CONVERT(d##_of_bool, uint8_t, D, (D)(x != 0))                            \
  CONVERT(d##_of_f16, uint16_t, D, of_f32(tc_f32_of_f16(x)))               \
  CONVERT(d##_of_bf16, uint16_t, D, of_f32(tc_f32_of_bf16(x)))             \
  CONVERT(d##_of_f32, float, D, of_f32(x))                                 \
  CONVERT(d##_of_f64, double, D, of_f64(x))
INTO(float, f32, (float), (float))
INTO(double, f64, (double), (double))
INTO(int32_t, i32, tc_i32_of_f64, tc_i32_of_f64)
INTO(int64_t, i64, tc_i64_of_f64, tc_i64_of_f64)

// Out of them, into the storage dtypes.
#define OUT_OF(S, s, to_i32, to_i64, to_f32)                               \
  CONVERT(u8_of_##s, S, uint8_t, (uint8_t)to_i64(x))                       \
  CONVERT(i8_of_##s, S, int8_t, (int8_t)to_i32(x))                         \
  CONVERT(i16_of_##s, S, int16_t, (int16_t)to_i32(x))                      \
  CONVERT(bool_of_##s, S, uint8_t, (uint8_t)(x != 0))                      \
  CONVERT(f16_of_##s, S, uint16_t, tc_f16_of_f32(to_f32(x)))               \
  CONVERT(bf16_of_##s, S, uint16_t, tc_bf16_of_f32(to_f32(x)))
// A float32 that does not fit in 32 bits has no bits below 2^8: its low byte is 0 by either route.
OUT_OF(float, f32, tc_i32_of_f64, tc_i32_of_f64, )
OUT_OF(double, f64, tc_i32_of_f64, tc_i64_of_f64, (float))
OUT_OF(int32_t, i32, , , (float))
OUT_OF(int64_t, i64, , , (float))

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

void tc_convert(void *dst, int64_t dst_dtype, const void *src, int64_t src_dtype, int64_t n) {
  if (dst_dtype == src_dtype) {
    if (n > 0) memmove(dst, src, (size_t)(n * tc_dtype_size(dst_dtype)));
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
    memcpy(dst, src, (size_t)(n * size));
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
    memcpy(dst, src, (size_t)(n * size));
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
