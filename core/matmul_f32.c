// matmul.h for float32.
#include "simd.h"

#define R float
#define V vf32
#define T f32
#define SET v_set_f32
#define COLS TC_GEMM_COLS_f32
#define LANES 4

// Lane i: the sum of the lanes of v[i].
TC_INLINE vf32 sum_lanes(const vf32 *v) {
  const vf32 a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5) + __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const vf32 b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5) + __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}
#define SUM_LANES sum_lanes

#include "matmul_impl.h"
