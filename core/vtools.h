// Small things around vectors: transpositions, sums across vectors, pointers that advance by bytes.
#ifndef TC_VTOOLS_H
#define TC_VTOOLS_H

#include <stdint.h>

#include "simd.h"

// A pointer advanced by bytes: a step in elements would cost a scaled address computation each time, on the port that
// the shuffles need.
#define TC_ADVANCE(pointer, bytes) ((pointer) = (void *)((uintptr_t)(pointer) + (uintptr_t)(bytes)))

// As many vectors as a vector has lanes, as the rows of a matrix, transposed in place.
TC_WORD void v_transpose(vf32 *v) {
  const vf32 a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5), b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
  const vf32 c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7), d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5), v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5), v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}
TC_WORD void v_transpose(vf64 *v) {
  const vf64 a = v[0], b = v[1];
  v[0] = __builtin_shufflevector(a, b, 0, 2), v[1] = __builtin_shufflevector(a, b, 1, 3);
}

// Lane i: the sum of the lanes of v[i].
TC_WORD vf32 v_sums(const vf32 *v) {
  const vf32 a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5) + __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
  const vf32 b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5) + __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
  return __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
}
TC_WORD vf64 v_sums(const vf64 *v) {
  return __builtin_shufflevector(v[0], v[1], 0, 2) + __builtin_shufflevector(v[0], v[1], 1, 3);
}

#endif
