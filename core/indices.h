// Checking index tensors before anything is written.
#ifndef TC_INDICES_H
#define TC_INDICES_H

#include <stdbool.h>
#include <stddef.h>

#include "parallel.h"
#include "status.h"

static inline int64_t tc_index_at(const void *index, int64_t dtype, int64_t i) {
  return dtype == TC_I32 ? ((const int32_t *)index)[i] : ((const int64_t *)index)[i];
}

// Whether p[0], p[stride], ... are all in [low, high). Without a branch or an unsigned comparison in the loop, it
// becomes vector code: of x - low and high - 1 - x, one is negative (its top bit set) for an x outside.
static inline bool tc_indices_lie_in(const int64_t *p, int64_t stride, int64_t n, int64_t low, int64_t high) {
  const uint64_t first = (uint64_t)low, last = (uint64_t)high - 1 - (uint64_t)low;
  uint64_t bad = high <= low && n > 0 ? UINT64_MAX : 0;
  if (stride == 1) {
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++) {
      const uint64_t x = (uint64_t)p[i] - first;
      bad |= x | (last - x);
    }
  } else {
    for (ptrdiff_t i = 0; i < (ptrdiff_t)n; i++) {
      const uint64_t x = (uint64_t)p[i * (ptrdiff_t)stride] - first;
      bad |= x | (last - x);
    }
  }
  return bad >> 63 == 0;
}

// Refuses the first of n contiguous indices that is not in [0, size), or with `wrap` in [-size, size).
static inline int32_t tc_check_indices(const void *index, int64_t index_dtype, int64_t n, int64_t size, bool wrap,
                                       int64_t dim) {
  const int64_t low = wrap ? -size : 0;
  if (index_dtype == TC_I64 && tc_indices_lie_in(index, 1, n, low, size)) return TC_OK;
  for (int64_t i = 0; i < n; i++) {
    const int64_t x = tc_index_at(index, index_dtype, i);
    if (x < low || x >= size) return tc_bad_index(x, size, i, dim);
  }
  return TC_OK;
}

#endif
