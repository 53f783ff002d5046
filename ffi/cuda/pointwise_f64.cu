// The elementwise kernels that compute in float64.
#define E double
#define IS_FLOAT
#define COMPUTE TC_F64
#define RUN pointwise_f64
#include "pointwise.cuh"
