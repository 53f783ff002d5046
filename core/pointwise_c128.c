// The elementwise loops that compute in complex128.
#define E double
#define T vf64
#define M vi64
#define SPLAT v_set_f64
#define CONSTANT v_const_f64
#define TABLE tc_pointwise_c128

#include "pointwise_complex.h"
