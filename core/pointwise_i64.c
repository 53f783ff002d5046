// The elementwise loops that compute in int64.
#define E int64_t
#define T vi64
#define M vi64
#define SPLAT v_set_i64
#define CONSTANT v_const_i64
#define N(d) tc_i64_of_f64(d)
#define INTS
#define TABLE tc_pointwise_i64

#include "pointwise_loops.h"
