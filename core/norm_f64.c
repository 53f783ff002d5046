// norm.h in float64.
#include <math.h>
#include <string.h>

#include "lines.h"
#include "norm.h"
#include "parallel.h"
#include "vtools.h"

#define R double
#define V vf64
#define T f64
#define SET v_set_f64
#define LANES 2

#include "norm_sums.h"

#include "norm_batch.h"
#include "norm_group.h"
#include "norm_layer.h"
