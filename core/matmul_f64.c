// matmul.h for float64.
#include "simd.h"

#define R double
#define V vf64
#define T f64
#define SET v_set_f64
#define COLS TC_GEMM_COLS_f64
#define LANES 2

// Lane i: the sum of the lanes of v[i].
TC_INLINE vf64 sum_lanes(const vf64 *v) {
  return __builtin_shufflevector(v[0], v[1], 0, 2) + __builtin_shufflevector(v[0], v[1], 1, 3);
}
#define SUM_LANES sum_lanes

#include "matmul_impl.h"
