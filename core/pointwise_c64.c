// The elementwise loops that compute in complex64.
#define E float
#define T vf32
#define M vi32
#define SPLAT v_set_f32
#define CONSTANT v_const_f32
#define TABLE tc_pointwise_c64

#include "pointwise_complex.h"
