// The elementwise kernels that compute in int64.
#define E int64_t
#define IS_INT
#define COMPUTE TC_I64
#define RUN pointwise_i64
#include "pointwise.cuh"
