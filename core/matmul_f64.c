// matmul.h for float64.
#include "simd.h"

#define R double
#define V vf64
#define T f64
#define SET v_set_f64
#define COLS TC_GEMM_COLS_f64
#define LANES 2

#include "matmul_impl.h"
