// What the parts of the linear algebra share: linalg_f32.c and linalg_f64.c instantiate the linalg_*_impl.h templates,
// linalg.c launches them.
#ifndef TC_LINALG_INTERNAL_H
#define TC_LINALG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/tc.h"

// Workspace, handed out piece by piece. A run that starts at 0 tells how much is needed.
typedef struct {
  uintptr_t at;
} tc_arena;

static inline void *tc_take(tc_arena *arena, ptrdiff_t bytes) {
  const uintptr_t at = arena->at;
  arena->at += ((uintptr_t)bytes + 63) & ~(uintptr_t)63;
  return (void *)at;
}

// Every routine works on the matrix with the number `i` of the batch. With `measure` set it only takes its workspace.
typedef int32_t (*tc_linalg_routine)(const tc_linalg_args *a, int64_t i, tc_arena arena, ptrdiff_t *measure);

#define TC_LINALG_ROUTINES(DO) \
  DO(lu) DO(lu_solve) DO(row_swaps) DO(triangular_solve) DO(cholesky) DO(ldl) DO(ldl_solve) DO(geqrf) DO(orgqr) DO(ormqr) \
  DO(eigh) DO(eig) DO(svd) DO(gelsy)

#define TC_LINALG_DECLARE(name)                                                                                      \
  int32_t tc_linalg_##name##_f32(const tc_linalg_args *a, int64_t i, tc_arena arena, ptrdiff_t *measure);            \
  int32_t tc_linalg_##name##_f64(const tc_linalg_args *a, int64_t i, tc_arena arena, ptrdiff_t *measure);
TC_LINALG_ROUTINES(TC_LINALG_DECLARE)
#undef TC_LINALG_DECLARE

#endif
