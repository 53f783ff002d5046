// The elementwise kernels that compute in int32.
#define E int32_t
#define IS_INT
#define COMPUTE TC_I32
#define RUN pointwise_i32
#include "pointwise.cuh"
