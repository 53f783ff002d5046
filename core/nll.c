// tc_nll, tc_nll_backward: negative log likelihood of given log-probabilities.
#include "loss.h"
#include "parallel.h"

// Positions whose losses are added up together, whatever the number of threads.
#define BLOCK 4096

static int64_t blocks_of(const tc_nll_args *a) { return (a->n * a->inner + BLOCK - 1) / BLOCK; }

int64_t tc_nll_scratch(const tc_nll_args *a) { return blocks_of(a) * (int64_t)sizeof(tc_loss_sums); }

static void forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_nll_args *a = ctx;
  const void *in = TC_PTR(const void, a->in), *target = TC_PTR(const void, a->target);
  const void *weight = TC_PTR(const void, a->weight);
  void *out = a->reduction == TC_REDUCTION_NONE ? TC_PTR(void, a->out) : NULL;
  const int64_t count = a->n * a->inner;
  for (int64_t b = begin; b < end; b++) {
    tc_loss_sums sums = {0, 0};
    for (int64_t p = b * BLOCK; p < count && p < (b + 1) * BLOCK; p++) {
      const int64_t t = tc_target_at(target, a->target_dtype, p);
      double loss = 0;
      if (t != a->ignore_index) {
        const double w = weight ? tc_number_at(weight, a->dtype, t) : 1;
        loss = -w * tc_number_at(in, a->dtype, (p / a->inner * a->c + t) * a->inner + p % a->inner);
        sums.loss += loss;
        sums.weight += w;
      }
      if (out) tc_put_number(out, a->dtype, p, loss);
    }
    TC_PTR(tc_loss_sums, a->scratch)[b] = sums;
  }
}

int32_t tc_nll(const tc_nll_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  const int32_t status = tc_check_targets(TC_PTR(const void, a->target), a->target_dtype, a->n * a->inner, a->c,
                                          a->ignore_index);
  if (status != TC_OK) return status;
  tc_parallel_for(blocks_of(a), 1, forward, (void *)(uintptr_t)a);
  tc_finish_loss(TC_PTR(const tc_loss_sums, a->scratch), blocks_of(a), a->reduction, a->dtype,
                 TC_PTR(void, a->out), TC_PTR(void, a->total_weight));
  return TC_OK;
}

// Samples begin .. end - 1: zeros, then one number for each position.
static void backward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_nll_backward_args *a = ctx;
  const int64_t sample = a->c * a->inner, size = tc_dtype_size(a->dtype);
  const void *target = TC_PTR(const void, a->target), *weight = TC_PTR(const void, a->weight);
  const void *grad = TC_PTR(const void, a->grad);
  void *out = TC_PTR(void, a->grad_in);
  memset((char *)out + begin * sample * size, 0, (size_t)((end - begin) * sample * size));
  double g = 0;
  if (a->reduction != TC_REDUCTION_NONE) g = tc_number_at(grad, a->dtype, 0);
  if (a->reduction == TC_REDUCTION_MEAN) g /= tc_number_at(TC_PTR(const void, a->total_weight), a->dtype, 0);
  for (int64_t p = begin * a->inner; p < end * a->inner; p++) {
    const int64_t t = tc_target_at(target, a->target_dtype, p);
    if (t == a->ignore_index) continue;
    const double w = weight ? tc_number_at(weight, a->dtype, t) : 1;
    const double own = a->reduction == TC_REDUCTION_NONE ? tc_number_at(grad, a->dtype, p) : g;
    tc_put_number(out, a->dtype, (p / a->inner * a->c + t) * a->inner + p % a->inner, -w * own);
  }
}

int32_t tc_nll_backward(const tc_nll_backward_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  const int32_t status = tc_check_targets(TC_PTR(const void, a->target), a->target_dtype, a->n * a->inner, a->c,
                                          a->ignore_index);
  if (status != TC_OK) return status;
  if (a->c * a->inner == 0) return TC_OK;
  tc_parallel_for(a->n, 1 + 16384 / (a->c * a->inner), backward, (void *)(uintptr_t)a);
  return TC_OK;
}
