// Reductions of integers, as int64.
#define E int64_t
#define T vi64
#define M vi64
#define M_ELEMENT int64_t
#define L 2
#define SPLAT v_set_i64
#define CONSTANT v_const_i64
#define FIELD i
#define TABLE tc_folds_i64

#include "reduce_loops.h"
