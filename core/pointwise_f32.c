// The elementwise loops that compute in float32.
#define E float
#define T vf32
#define M vi32
#define SPLAT v_set_f32
#define CONSTANT v_const_f32
#define N(d) ((float)(d))
#define FLOATS
#define TABLE tc_pointwise_f32

#include "pointwise_loops.h"
