// conv.h for float32.
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

#define R float
#define V vf32
#define VI vi32
#define T f32
#define SET v_set_f32
#define COLS TC_GEMM_COLS_f32
#define LANES 4

#include "conv_sum.h"
#include "conv_weight.h"
