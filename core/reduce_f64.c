// Reductions of float64.
#define E double
#define T vf64
#define M vi64
#define M_ELEMENT int64_t
#define L 2
#define SPLAT v_set_f64
#define CONSTANT v_const_f64
#define FIELD f
#define FLOATS
#define COMPENSATED
#define TABLE tc_folds_f64

#include "reduce_loops.h"
