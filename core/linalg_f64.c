// linalg.h for float64.
#include "simd.h"

#define R double
#define V vf64
#define T f64
#define SET v_set_f64
#define LANES 2
#define EPS 0x1p-53        // half a unit in the last place of 1
#define TINY 0x1p-1022     // the smallest normal number
#define ABS(x) __builtin_fabs(x)
#define SQRT(x) __builtin_sqrt(x)
#define SIGN(x, y) __builtin_copysign(x, y)

#include "linalg_all.h"
