// Order-preserving integer keys, so that sorting and selecting know two element types instead of eleven dtypes:
// as keys, NaN is one value above all others and -0 equals 0, which is PyTorch's order.
#ifndef TC_SORTKEY_H
#define TC_SORTKEY_H

#include <stdbool.h>
#include <string.h>

#include "include/tc.h"

// An element of a line with its place. Dtypes of up to 4 bytes in lines of fewer than 2^32 elements pack both into 64
// bits (key above, place below): comparing these compares (key, place), which makes any sort a stable one.
typedef uint64_t tc_narrow;
typedef struct { uint64_t key; int64_t place; } tc_wide;

static inline bool tc_key_is_narrow(int64_t dtype, int64_t n) {
  return tc_dtype_size(dtype) <= 4 && n <= UINT32_MAX;
}

static inline uint32_t tc_narrow_key(tc_narrow e) { return (uint32_t)(e >> 32); }
static inline int64_t tc_narrow_place(tc_narrow e) { return (uint32_t)e; }

static inline bool tc_has_keys(int64_t dtype) { return dtype != TC_C64 && dtype != TC_C128; }

static inline uint32_t tc_key_f32(uint32_t u) {
  if ((u & 0x7fffffff) > 0x7f800000) return UINT32_MAX;
  if (u == 0x80000000) u = 0;
  return u ^ (0x80000000 | -(u >> 31));
}
static inline uint64_t tc_key_f64(uint64_t u) {
  if ((u & INT64_MAX) > UINT64_C(0x7ff0000000000000)) return UINT64_MAX;
  if (u == UINT64_C(1) << 63) u = 0;
  return u ^ (UINT64_C(1) << 63 | -(u >> 63));
}
// The 16-bit formats differ in where infinity lies.
static inline uint32_t tc_key_16(uint16_t h, uint16_t infinity) {
  if ((h & 0x7fff) > infinity) return 0xffff;
  if (h == 0x8000) h = 0;
  return (uint16_t)(h ^ (h & 0x8000 ? 0xffff : 0x8000));
}
static inline uint32_t tc_key_f16(uint16_t h) { return tc_key_16(h, 0x7c00); }
static inline uint32_t tc_key_bf16(uint16_t h) { return tc_key_16(h, 0x7f80); }
static inline uint32_t tc_key_u8(uint8_t v) { return v; }
static inline uint32_t tc_key_bool(uint8_t v) { return v != 0; }
static inline uint32_t tc_key_i8(uint8_t v) { return v ^ 0x80; }
static inline uint32_t tc_key_i16(uint16_t v) { return v ^ 0x8000; }
static inline uint32_t tc_key_i32(uint32_t v) { return v ^ 0x80000000; }
static inline uint64_t tc_key_i64(uint64_t v) { return v ^ UINT64_C(1) << 63; }

// Calls with_type(storage, key function) for the dtype. Complex numbers have no order.
#define TC_SORT_DISPATCH(dtype, with_type)        \
  switch (dtype) {                                \
    case TC_U8: with_type(uint8_t, tc_key_u8)     \
    case TC_BOOL: with_type(uint8_t, tc_key_bool) \
    case TC_I8: with_type(uint8_t, tc_key_i8)     \
    case TC_I16: with_type(uint16_t, tc_key_i16)  \
    case TC_F16: with_type(uint16_t, tc_key_f16)  \
    case TC_BF16: with_type(uint16_t, tc_key_bf16) \
    case TC_I32: with_type(uint32_t, tc_key_i32)  \
    case TC_F32: with_type(uint32_t, tc_key_f32)  \
    case TC_I64: with_type(uint64_t, tc_key_i64)  \
    default: with_type(uint64_t, tc_key_f64)      \
  }

static inline int tc_key_bits(int64_t dtype) { return dtype == TC_BOOL ? 1 : (int)(8 * tc_dtype_size(dtype)); }

// The line of n elements at `in`, `stride` elements apart. Descending turns the keys around (within key_bits), so that
// ascending order of keys is always what is wanted.
static inline void tc_load_narrow(tc_narrow *restrict out, const void *in, int64_t dtype, int64_t n, int64_t stride,
                                  bool descending) {
  const uint32_t flip = descending ? (uint32_t)(((uint64_t)1 << tc_key_bits(dtype)) - 1) : 0;
#define LOAD(storage, key)                                                                  \
  {                                                                                         \
    const storage *p = (const storage *)in;                                                 \
    for (int64_t i = 0; i < n; i++) out[i] = (uint64_t)((uint32_t)key(p[i * stride]) ^ flip) << 32 | (uint64_t)i; \
    break;                                                                                  \
  }
  TC_SORT_DISPATCH(dtype, LOAD)
#undef LOAD
}

static inline void tc_load_wide(tc_wide *restrict out, const void *in, int64_t dtype, int64_t n, int64_t stride,
                                bool descending) {
  const uint64_t flip = descending ? UINT64_MAX >> (64 - tc_key_bits(dtype)) : 0;
#define LOAD(storage, key)                                                                  \
  {                                                                                         \
    const storage *p = (const storage *)in;                                                 \
    for (int64_t i = 0; i < n; i++) out[i] = (tc_wide){(uint64_t)key(p[i * stride]) ^ flip, i}; \
    break;                                                                                  \
  }
  TC_SORT_DISPATCH(dtype, LOAD)
#undef LOAD
}

// Whether a key (not turned around) stands for NaN: two of them are equal in order, yet distinct elements.
static inline bool tc_key_is_nan(uint64_t key, int64_t dtype) {
  switch (dtype) {
    case TC_F16: case TC_BF16: return key == 0xffff;
    case TC_F32: return key == UINT32_MAX;
    case TC_F64: return key == UINT64_MAX;
    default: return false;
  }
}

// out[i * out_stride] = in[place of e[i] * in_stride], by element size; `wide` says what e is.
static inline void tc_take_places(void *restrict out, int64_t out_stride, const void *restrict in, int64_t in_stride,
                                  int64_t size, const void *e, bool wide, int64_t n) {
#define PLACE(i) (wide ? ((const tc_wide *)e)[i].place : tc_narrow_place(((const tc_narrow *)e)[i]))
#define TAKE(T)                                                                                     \
  {                                                                                                 \
    T *o = (T *)out;                                                                                \
    const T *p = (const T *)in;                                                                     \
    for (int64_t i = 0; i < n; i++) o[i * out_stride] = p[PLACE(i) * in_stride];                    \
    break;                                                                                          \
  }
  switch (size) {
    case 1: TAKE(uint8_t)
    case 2: TAKE(uint16_t)
    case 4: TAKE(uint32_t)
    default: TAKE(uint64_t)
  }
#undef TAKE
}

static inline void tc_store_places(int64_t *restrict out, int64_t out_stride, const void *e, bool wide, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i * out_stride] = PLACE(i);
}
#undef PLACE

// Sorts e (n, stable by construction) with `spare` of the same size; returns where the result lies, e or spare.
// `histogram`: room for TC_SORT_HISTOGRAM counts. Defined in sort.c.
#define TC_SORT_HISTOGRAM (8 * 2048)
tc_narrow *tc_sort_narrow(tc_narrow *e, tc_narrow *spare, int64_t n, int key_bits, uint32_t *histogram);
tc_wide *tc_sort_wide(tc_wide *e, tc_wide *spare, int64_t n, int key_bits, uint32_t *histogram);

#endif
