// The elementwise loops that compute in int32.
#define E int32_t
#define T vi32
#define M vi32
#define SPLAT v_set_i32
#define CONSTANT v_const_i32
#define N(d) ((int32_t)tc_i64_of_f64(d))
#define INTS
#define TABLE tc_pointwise_i32

#include "pointwise_loops.h"
