// What the normalisations share: elements and parameters of any floating dtype.
#pragma once

#include "sums.cuh"

namespace tc {

// float32 arithmetic serves the narrower types too.
inline bool norm_dtypes(int64_t dtype, int64_t param_dtype) {
  const bool half = dtype == TC_F16 || dtype == TC_BF16;
  return (dtype == TC_F64 && param_dtype == TC_F64) || (dtype == TC_F32 && param_dtype == TC_F32) ||
         (half && (param_dtype == dtype || param_dtype == TC_F32));
}

// One element of a parameter, or `otherwise` if there is none.
TC_FN double get_one(uint64_t data, int64_t dtype, int64_t at, double otherwise) {
  return data ? load_as<double>(int(dtype), TC_PTR(const void, data), at) : otherwise;
}
TC_FN void put_one(uint64_t data, int64_t dtype, int64_t at, double value) {
  if (data) store_as<double>(int(dtype), TC_PTR(void, data), at, value);
}
// Saved statistics are float64 for float64, else float32.
TC_BOTH int64_t stat_dtype(int64_t dtype) { return dtype == TC_F64 ? TC_F64 : TC_F32; }

}  // namespace tc
