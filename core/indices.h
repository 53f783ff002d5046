// Checking index tensors before anything is written.
#ifndef TC_INDICES_H
#define TC_INDICES_H

#include <stdbool.h>

#include "parallel.h"
#include "status.h"

static inline int64_t tc_index_at(const void *index, int64_t dtype, int64_t i) {
  return dtype == TC_I32 ? ((const int32_t *)index)[i] : ((const int64_t *)index)[i];
}

// Whether p[0], p[stride], ... are all in [low, high). No branch in the loop: it becomes vector code.
static inline bool tc_indices_lie_in(const int64_t *p, int64_t stride, int64_t n, int64_t low, int64_t high) {
  bool bad = false;
  for (int64_t i = 0; i < n; i++) bad |= (p[i * stride] < low) | (p[i * stride] >= high);
  return !bad;
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
