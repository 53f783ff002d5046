// Normalisation for one type of arithmetic: norm_f32.c and norm_f64.c instantiate norm_*.h.
#ifndef TC_NORM_INTERNAL_H
#define TC_NORM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "include/tc.h"

// Elements worked on at a time: what is read twice is still in the first-level cache, and sums of so many float32 lose
// nothing worth keeping before they are added up as doubles.
#define TC_NORM_CHUNK 1024

// Elements worth sending to another thread.
#define TC_NORM_GRAIN 8192

#define TC_NORM_DECLARE(T)                                                                          \
  int64_t tc_batch_norm_scratch_##T(const tc_batch_norm_args *a);                                   \
  void tc_batch_norm_##T(const tc_batch_norm_args *a, bool backward);                               \
  void tc_layer_norm_##T(const tc_layer_norm_args *a);                                              \
  int64_t tc_layer_norm_backward_scratch_##T(const tc_layer_norm_args *a);                          \
  void tc_layer_norm_backward_##T(const tc_layer_norm_args *a);                                     \
  void tc_group_norm_##T(const tc_group_norm_args *a);                                              \
  void tc_group_norm_backward_##T(const tc_group_norm_args *a);

TC_NORM_DECLARE(f32)
TC_NORM_DECLARE(f64)

#endif
