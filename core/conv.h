// Convolutions of one real type: conv_f32.c and conv_f64.c instantiate conv_sum.h and conv_weight.h.
#ifndef TC_CONV_INTERNAL_H
#define TC_CONV_INTERNAL_H

#include <stddef.h>

#include "include/tc.h"

// Workspace handed out piece by piece, 64-byte aligned; without a base it only measures.
typedef struct {
  uint8_t *base;
  int64_t used;
} tc_arena;

static inline void *tc_take(tc_arena *arena, int64_t bytes) {
  void *piece = arena->base ? arena->base + arena->used : NULL;
  arena->used += (bytes + 63) & ~(int64_t)63;
  return piece;
}

#define TC_CONV_DECLARE(R, T)                                                                                      \
  /* The forward pass, or the gradient of the input, from src to dst; returns the workspace taken. Without a base   \
     nothing is done. */                                                                                           \
  int64_t tc_conv_sum_##T(const tc_conv_args *a, bool backward, const R *src, const R *weight, const R *bias, R *dst, \
                          void *scratch);                                                                          \
  /* The gradients of weight and bias (each may be NULL) from x and y = the gradient of the output. */             \
  int64_t tc_conv_weight_##T(const tc_conv_args *a, const R *x, const R *y, R *weight, R *bias, void *scratch);

TC_CONV_DECLARE(float, f32)
TC_CONV_DECLARE(double, f64)

#endif
