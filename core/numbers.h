// Single elements of the floating dtypes as float64, for code that is not worth a copy for each dtype.
#ifndef TC_NUMBERS_H
#define TC_NUMBERS_H

#include <stdbool.h>

#include "convert.h"

static inline bool tc_is_floating(int64_t dtype) {
  return dtype == TC_F32 || dtype == TC_F64 || dtype == TC_F16 || dtype == TC_BF16;
}

static inline double tc_number_at(const void *p, int64_t dtype, int64_t i) {
  switch (dtype) {
    case TC_F32: return (double)((const float *)p)[i];
    case TC_F16: return (double)tc_f32_of_f16(((const uint16_t *)p)[i]);
    case TC_BF16: return (double)tc_f32_of_bf16(((const uint16_t *)p)[i]);
    default: return ((const double *)p)[i];
  }
}

static inline void tc_put_number(void *p, int64_t dtype, int64_t i, double x) {
  switch (dtype) {
    case TC_F32: ((float *)p)[i] = (float)x; break;
    case TC_F16: ((uint16_t *)p)[i] = tc_f16_of_f32((float)x); break;
    case TC_BF16: ((uint16_t *)p)[i] = tc_bf16_of_f32((float)x); break;
    default: ((double *)p)[i] = x;
  }
}

#endif
