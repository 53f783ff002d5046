// conv.h for float64.
#include <stdbool.h>
#include <string.h>

#include "conv.h"
#include "conv_shape.h"
#include "gemm.h"
#include "lines.h"
#include "parallel.h"
#include "rt.h"
#include "simd.h"
#include "vtools.h"

#define R double
#define V vf64
#define VI vi64
#define T f64
#define SET v_set_f64
#define COLS TC_GEMM_COLS_f64
#define LANES 2

#include "conv_sum.h"
#include "conv_weight.h"
