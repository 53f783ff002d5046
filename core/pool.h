// What the pooling kernels share: windows, and how work is cut.
#ifndef TC_POOL_INTERNAL_H
#define TC_POOL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "include/tc.h"

// A window along one dimension: `count` elements of the input, `step` apart, from `start` on.
typedef struct {
  ptrdiff_t start, count, step;
} tc_window;

// The part of output i's window that lies inside the input.
static inline tc_window tc_clip_window(const tc_pool_args *a, int d, ptrdiff_t i) {
  const ptrdiff_t dilation = (ptrdiff_t)a->dilation[d], size = (ptrdiff_t)a->in_size[d];
  const ptrdiff_t start = i * (ptrdiff_t)a->stride[d] - (ptrdiff_t)a->padding[d];
  if (dilation == 1) {  // without divisions
    const ptrdiff_t begin = start > 0 ? start : 0, limit = start + (ptrdiff_t)a->kernel[d];
    const ptrdiff_t end = limit < size ? limit : size;
    return (tc_window){begin, end > begin ? end - begin : 0, 1};
  }
  const ptrdiff_t first = start < 0 ? (-start + dilation - 1) / dilation : 0;
  ptrdiff_t end = start < size ? (size - start + dilation - 1) / dilation : 0;
  if (end > (ptrdiff_t)a->kernel[d]) end = (ptrdiff_t)a->kernel[d];
  return (tc_window){start + first * dilation, end > first ? end - first : 0, dilation};
}

// Adaptive pooling: [floor(i * in / out), ceil((i + 1) * in / out)).
static inline tc_window tc_adaptive_window(const tc_pool_args *a, int d, ptrdiff_t i) {
  const ptrdiff_t in = (ptrdiff_t)a->in_size[d], out = (ptrdiff_t)a->out_size[d];
  const ptrdiff_t start = (ptrdiff_t)((int64_t)i * in / out);
  const ptrdiff_t end = (ptrdiff_t)(((int64_t)(i + 1) * in + out - 1) / out);
  return (tc_window){start, end - start, 1};
}

// Outputs [begin, end) along the width whose whole windows lie inside the input.
static inline void tc_inner_outputs(const tc_pool_args *a, ptrdiff_t *begin, ptrdiff_t *end) {
  const ptrdiff_t stride = (ptrdiff_t)a->stride[2], padding = (ptrdiff_t)a->padding[2];
  const ptrdiff_t room = (ptrdiff_t)a->in_size[2] - 1 - (ptrdiff_t)((a->kernel[2] - 1) * a->dilation[2]) + padding;
  const ptrdiff_t out = (ptrdiff_t)a->out_size[2];
  *begin = (padding + stride - 1) / stride;
  *end = room < 0 ? 0 : room / stride + 1;
  if (*end > out) *end = out;
  if (*begin > *end) *begin = *end;
}

static inline ptrdiff_t tc_volume(const int64_t size[3]) { return (ptrdiff_t)(size[0] * size[1] * size[2]); }

// Units of work worth sending to another thread, if each touches this many elements.
static inline int64_t tc_pool_grain(int64_t elements) { return 1 + 16384 / (elements + 1); }

#endif
