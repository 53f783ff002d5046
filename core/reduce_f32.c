// Reductions of float32.
#define E float
#define T vf32
#define M vi32
#define M_ELEMENT int32_t
#define L 4
#define SPLAT v_set_f32
#define CONSTANT v_const_f32
#define FIELD f
#define FLOATS
#define TABLE tc_folds_f32

#include "reduce_loops.h"
