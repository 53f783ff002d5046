// What the classification losses share: reading targets, checking them, and sums of fixed blocks.
#ifndef TC_LOSS_KERNELS_H
#define TC_LOSS_KERNELS_H

#include <stdbool.h>

#include "numbers.h"
#include "status.h"

static inline int64_t tc_target_at(const void *target, int64_t dtype, int64_t i) {
  return dtype == TC_U8 ? ((const uint8_t *)target)[i] : ((const int64_t *)target)[i];
}

// Refuses the first of n targets that is neither ignore_index nor in [0, classes).
static inline int32_t tc_check_targets(const void *target, int64_t dtype, int64_t n, int64_t classes,
                                       int64_t ignore_index) {
  for (int64_t i = 0; i < n; i++) {
    const int64_t t = tc_target_at(target, dtype, i);
    if ((t < 0 || t >= classes) && t != ignore_index) return tc_bad_index(t, classes, i, 1);
  }
  return TC_OK;
}

// One block's share of a reduced loss, or the whole of it.
typedef struct { double loss, weight; } tc_loss_sums;

// Writes the reduced loss and the total weight from `blocks` partial sums, added in order.
static inline void tc_finish_loss(const tc_loss_sums *parts, int64_t blocks, int64_t reduction, int64_t dtype,
                                  void *out, void *total_weight) {
  tc_loss_sums all = {0, 0};
  for (int64_t b = 0; b < blocks; b++) {
    all.loss += parts[b].loss;
    all.weight += parts[b].weight;
  }
  if (reduction == TC_REDUCTION_NONE) {
    if (total_weight) tc_put_number(total_weight, dtype, 0, 0);
    return;
  }
  tc_put_number(out, dtype, 0, reduction == TC_REDUCTION_MEAN ? all.loss / all.weight : all.loss);
  if (total_weight) tc_put_number(total_weight, dtype, 0, all.weight);
}

#endif
