// matmul.h for float32.
#include "simd.h"

#define R float
#define V vf32
#define T f32
#define SET v_set_f32
#define COLS TC_GEMM_COLS_f32
#define LANES 4

#include "matmul_impl.h"
