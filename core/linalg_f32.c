// linalg.h for float32.
#include "simd.h"

#define R float
#define V vf32
#define T f32
#define SET v_set_f32
#define LANES 4
#define EPS 0x1p-24f       // half a unit in the last place of 1
#define TINY 0x1p-126f     // the smallest normal number
#define ABS(x) __builtin_fabsf(x)
#define SQRT(x) __builtin_sqrtf(x)
#define SIGN(x, y) __builtin_copysignf(x, y)

#include "linalg_all.h"
