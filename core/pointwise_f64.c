// The elementwise loops that compute in float64.
#define E double
#define T vf64
#define M vi64
#define SPLAT v_set_f64
#define CONSTANT v_const_f64
#define N(d) (d)
#define FLOATS
#define TABLE tc_pointwise_f64

#include "pointwise_loops.h"
