// The templates of one element type, in the order in which they build on each other. The file that includes this
// defines
//   R, V, T: element type, its vector, the suffix of names;  SET: the splat;  LANES: elements of a vector;
//   EPS, TINY: LAPACK's "eps" (half of the type's) and "safe minimum";  ABS, SQRT, SIGN: of R.
#include <math.h>
#include <string.h>

#include "linalg.h"
#include "matmul.h"
#include "parallel.h"

#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define NAME(a) PASTE(a, T)
#define ROUTINE(name) \
  int32_t NAME(tc_linalg_##name)(const tc_linalg_args *args, int64_t i, tc_arena arena, ptrdiff_t *measure)
// The i-th of a batch of `count` numbers each.
#define AT(slot, count) (TC_PTR(R, args->slot) + i * (count))
// Ends the first part of a routine, which takes workspace.
#define MEASURED(arena)                   \
  if (measure) {                          \
    *measure = (ptrdiff_t)(arena).at;     \
    return 0;                             \
  }

static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }

#include "linalg_vectors_impl.h"
#include "linalg_lu_impl.h"
#include "linalg_cholesky_impl.h"
#include "linalg_ldl_impl.h"
#include "linalg_qr_impl.h"
#include "linalg_rotations_impl.h"
#include "linalg_eigh_impl.h"
#include "linalg_eig_impl.h"
#include "linalg_svd_impl.h"
#include "linalg_gelsy_impl.h"
