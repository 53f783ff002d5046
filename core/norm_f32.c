// norm.h in float32: for float32, float16 and bfloat16 tensors.
#include <math.h>
#include <string.h>

#include "lines.h"
#include "norm.h"
#include "parallel.h"
#include "vtools.h"

#define R float
#define V vf32
#define T f32
#define SET v_set_f32
#define LANES 4

#include "norm_sums.h"

#include "norm_batch.h"
#include "norm_group.h"
#include "norm_layer.h"
