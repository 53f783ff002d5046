#include "update.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "numbers.h"

typedef struct { uint64_t half[2]; } sixteen;
typedef struct { float re, im; } complex64;
typedef struct { double re, im; } complex128;

// The loop in general, over places or strides;
#define AT_PLACES(S, statement)                                                                 \
  {                                                                                             \
    const ptrdiff_t so = (ptrdiff_t)u->out_stride, ss = (ptrdiff_t)u->src_stride;               \
    const ptrdiff_t sp = (ptrdiff_t)u->place_stride, scale_of_place = (ptrdiff_t)u->place_scale; \
    S *const out = u->out;                                                                      \
    const S *const src = u->src;                                                                \
    const int64_t *const place = u->place;                                                      \
    for (ptrdiff_t k = 0; k < (ptrdiff_t)u->m; k++) {                                           \
      S *const o = out + k * so + (place ? (ptrdiff_t)place[k * sp] * scale_of_place : 0);      \
      const S s = src[k * ss];                                                                  \
      statement;                                                                                \
    }                                                                                           \
  }
// and along two rows, where it becomes vector code.
#define ALONG_ROWS(S, statement)                                                                \
  {                                                                                             \
    S *restrict o = u->out;                                                                     \
    const S *restrict src = u->src;                                                             \
    for (ptrdiff_t k = 0; k < (ptrdiff_t)u->m; k++, o++) {                                      \
      const S s = src[k];                                                                       \
      statement;                                                                                \
    }                                                                                           \
  }

static inline bool is_rows(const tc_update *u) { return !u->place && u->out_stride == 1 && u->src_stride == 1; }

static void assign(const tc_update *u) {
  switch (tc_dtype_size(u->dtype)) {
    case 1: AT_PLACES(uint8_t, *o = s) break;
    case 2: AT_PLACES(uint16_t, *o = s) break;
    case 4: AT_PLACES(uint32_t, *o = s) break;
    case 8: AT_PLACES(uint64_t, *o = s) break;
    default: AT_PLACES(sixteen, *o = s)
  }
}

// Two functions for each real dtype: V is what `of` a storage element gives and the arithmetic is done in,
// `number` what elements are compared as. Integers compute unsigned, because they wrap.
#define UPDATES_BY(name, EACH, S, V, of, to, number, field)                                     \
  static void name(const tc_update *u) {                                                        \
    const V scale = (V)u->scale.field;                                                          \
    switch (u->op) {                                                                            \
      case TC_UPDATE_ADD: EACH(S, *o = (S)to((V)(of(*o) + of(s)))) break;                       \
      case TC_UPDATE_ADD_SCALED: EACH(S, *o = (S)to((V)(of(*o) + scale * of(s)))) break;        \
      case TC_UPDATE_MUL: EACH(S, *o = (S)to((V)(of(*o) * of(s)))) break;                       \
      case TC_UPDATE_MAX:                                                                       \
        EACH(S, *o = number(*o) < number(s) || number(s) != number(s) ? s : *o) break;          \
      default: EACH(S, *o = number(s) < number(*o) || number(s) != number(s) ? s : *o)          \
    }                                                                                           \
  }
#define UPDATES(name, S, V, of, to, number, field)                  \
  UPDATES_BY(places_##name, AT_PLACES, S, V, of, to, number, field) \
  UPDATES_BY(rows_##name, ALONG_ROWS, S, V, of, to, number, field)
UPDATES(u8, uint8_t, uint32_t, , , , i)
UPDATES(i8, int8_t, uint32_t, (uint32_t), , , i)
UPDATES(i16, int16_t, uint32_t, (uint32_t), , , i)
UPDATES(i32, int32_t, uint32_t, (uint32_t), , , i)
UPDATES(i64, int64_t, uint64_t, (uint64_t), , , i)
UPDATES(f32, float, float, , , , f)
UPDATES(f64, double, double, , , , f)
UPDATES(f16, uint16_t, float, tc_f32_of_f16, tc_f16_of_f32, tc_f32_of_f16, f)
UPDATES(bf16, uint16_t, float, tc_f32_of_bf16, tc_bf16_of_f32, tc_f32_of_bf16, f)

// Sums of truths are or, products and.
static void update_bool(const tc_update *u) {
  const bool all = u->op == TC_UPDATE_MUL || u->op == TC_UPDATE_MIN;
  const bool scale = u->op != TC_UPDATE_ADD_SCALED || u->scale.i != 0;
  if (all) AT_PLACES(uint8_t, *o = *o && s) else AT_PLACES(uint8_t, *o = *o || (s && scale))
}

static void add_c64(const tc_update *u) { AT_PLACES(complex64, o->re += s.re; o->im += s.im) }
static void add_c128(const tc_update *u) { AT_PLACES(complex128, o->re += s.re; o->im += s.im) }

void tc_update_run(const tc_update *u) {
  if (u->op == TC_UPDATE_ASSIGN) {
    assign(u);
    return;
  }
  const bool rows = is_rows(u);
  switch (u->dtype) {
    case TC_U8: (rows ? rows_u8 : places_u8)(u); break;
    case TC_I8: (rows ? rows_i8 : places_i8)(u); break;
    case TC_I16: (rows ? rows_i16 : places_i16)(u); break;
    case TC_I32: (rows ? rows_i32 : places_i32)(u); break;
    case TC_I64: (rows ? rows_i64 : places_i64)(u); break;
    case TC_F32: (rows ? rows_f32 : places_f32)(u); break;
    case TC_F64: (rows ? rows_f64 : places_f64)(u); break;
    case TC_F16: (rows ? rows_f16 : places_f16)(u); break;
    case TC_BF16: (rows ? rows_bf16 : places_bf16)(u); break;
    case TC_BOOL: update_bool(u); break;
    case TC_C64: add_c64(u); break;
    default: add_c128(u);
  }
}

void tc_number_element(void *out, int64_t dtype, const tc_number *number) {
  if (dtype == TC_C64) {
    *(complex64 *)out = (complex64){(float)number[0].f, (float)number[1].f};
  } else if (dtype == TC_C128) {
    *(complex128 *)out = (complex128){number[0].f, number[1].f};
  } else {
    tc_convert(out, dtype, number, tc_is_floating(dtype) ? TC_F64 : TC_I64, 1);
  }
}

void tc_update_identity(void *out, int64_t dtype, tc_update_op op) {
  tc_number number[2] = {{0}, {0}};
  const bool max = op == TC_UPDATE_MAX, floating = tc_is_floating(dtype);
  if (op == TC_UPDATE_MUL) {
    if (floating) number[0].f = 1; else number[0].i = 1;
  } else if ((max || op == TC_UPDATE_MIN) && floating) {
    number[0].f = max ? -INFINITY : INFINITY;
  } else if (max || op == TC_UPDATE_MIN) {
    switch (dtype) {
      case TC_BOOL: number[0].i = max ? 0 : 1; break;
      case TC_U8: number[0].i = max ? 0 : UINT8_MAX; break;
      case TC_I8: number[0].i = max ? INT8_MIN : INT8_MAX; break;
      case TC_I16: number[0].i = max ? INT16_MIN : INT16_MAX; break;
      case TC_I32: number[0].i = max ? INT32_MIN : INT32_MAX; break;
      default: number[0].i = max ? INT64_MIN : INT64_MAX;
    }
  }
  tc_number_element(out, dtype, number);
}

static int64_t floor_divide(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }

#define DIVIDE(S, of, to, quotient)                                   \
  {                                                                   \
    S *o = out;                                                       \
    for (int64_t i = 0; i < n; i++) {                                 \
      const int64_t count = counts[i] + more;                         \
      if (counts[i] != 0) o[i] = (S)to(quotient(of(o[i]), count));    \
    }                                                                 \
    break;                                                            \
  }
#define QUOTIENT_F32(x, y) ((x) / (float)(y))
#define QUOTIENT_F64(x, y) ((x) / (double)(y))

void tc_update_divide(void *out, int64_t dtype, const int64_t *counts, int64_t more, int64_t n) {
  switch (dtype) {
    case TC_U8: DIVIDE(uint8_t, , , floor_divide)
    case TC_I8: DIVIDE(int8_t, , , floor_divide)
    case TC_I16: DIVIDE(int16_t, , , floor_divide)
    case TC_I32: DIVIDE(int32_t, , , floor_divide)
    case TC_I64: DIVIDE(int64_t, , , floor_divide)
    case TC_F32: DIVIDE(float, , , QUOTIENT_F32)
    case TC_F64: DIVIDE(double, , , QUOTIENT_F64)
    case TC_F16: DIVIDE(uint16_t, tc_f32_of_f16, tc_f16_of_f32, QUOTIENT_F32)
    case TC_BF16: DIVIDE(uint16_t, tc_f32_of_bf16, tc_bf16_of_f32, QUOTIENT_F32)
    default: break;  // bool: the mean of truths is their or
  }
}
