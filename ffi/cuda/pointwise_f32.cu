// The elementwise kernels that compute in float32.
#define E float
#define IS_FLOAT
#define COMPUTE TC_F32
#define RUN pointwise_f32
#include "pointwise.cuh"
