#include "simd.h"

const float tc_one_f32 = 1;
const double tc_one_f64 = 1;
const int32_t tc_one_i32 = 1;
const int64_t tc_one_i64 = 1;
