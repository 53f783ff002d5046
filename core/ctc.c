// tc_ctc, tc_ctc_backward: connectionist temporal classification (Graves et al. 2006; equation numbers
// are that paper's), in the log domain, as PyTorch's native/LossCTC.cpp.
#include <math.h>

#include "loss.h"
#include "parallel.h"

// The labels of one sample with blanks before, between and after them: l'[s].
typedef struct {
  const void *target;
  int64_t dtype, start, blank;
} labels;

static inline int64_t label_at(const labels *l, int64_t s) {
  if (s % 2 == 0) return l->blank;
  const int64_t i = l->start + s / 2;
  return l->dtype == TC_I32 ? ((const int32_t *)l->target)[i] : ((const int64_t *)l->target)[i];
}

static labels labels_of(const tc_ctc_args *a, int64_t b) {
  int64_t start = b * a->target_stride;
  if (a->target_stride == 0) {
    for (int64_t i = 0; i < b; i++) start += TC_PTR(const int64_t, a->target_length)[i];
  }
  return (labels){TC_PTR(const void, a->target), a->target_dtype, start, a->blank};
}

static int32_t check(const tc_ctc_args *a) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  for (int64_t b = 0; b < a->n; b++) {
    const labels l = labels_of(a, b);
    for (int64_t i = 0; i < TC_PTR(const int64_t, a->target_length)[b]; i++) {
      const int64_t label = label_at(&l, 2 * i + 1);
      if (label < 0 || label >= a->c) return tc_bad_index(label, a->c, l.start + i, 2);
    }
  }
  return TC_OK;
}

// log(exp(x) + exp(y) + exp(z))
static inline double log_sum(double x, double y, double z) {
  double max = x > y ? x : y;
  max = max > z ? max : z;
  if (max == -INFINITY) return -INFINITY;
  return log(exp(x - max) + exp(y - max) + exp(z - max)) + max;
}

// Where sample b's number for step t and label k lies in (t, n, c), and for step t and state s in alpha.
static inline int64_t step_at(const tc_ctc_args *a, int64_t b, int64_t t, int64_t k) {
  return (t * a->n + b) * a->c + k;
}
static inline int64_t alpha_at(const tc_ctc_args *a, int64_t b, int64_t t, int64_t s) {
  return (b * a->t + t) * (2 * a->s + 1) + s;
}

static inline double log_prob(const tc_ctc_args *a, int64_t b, int64_t t, int64_t label) {
  return tc_number_at(TC_PTR(const void, a->log_probs), a->dtype, step_at(a, b, t, label));
}

// Forward variables of sample b, eq. (5) to (7), and its loss, eq. (8).
static void forward_sample(const tc_ctc_args *a, int64_t b) {
  const labels l = labels_of(a, b);
  const int64_t steps = TC_PTR(const int64_t, a->input_length)[b];
  const int64_t states = 2 * TC_PTR(const int64_t, a->target_length)[b] + 1;
  void *alpha = TC_PTR(void, a->alpha);
  for (int64_t i = alpha_at(a, b, 0, 0); i < alpha_at(a, b + 1, 0, 0); i++) tc_put_number(alpha, a->dtype, i, -INFINITY);
  double loss = states == 1 ? 0 : INFINITY;
  if (steps > 0) {
    for (int64_t s = 0; s < states && s < 2; s++) {
      tc_put_number(alpha, a->dtype, alpha_at(a, b, 0, s), log_prob(a, b, 0, label_at(&l, s)));
    }
    for (int64_t t = 1; t < steps; t++) {
      for (int64_t s = 0; s < states; s++) {
        const int64_t label = label_at(&l, s);
        const double stay = tc_number_at(alpha, a->dtype, alpha_at(a, b, t - 1, s));
        const double step = s > 0 ? tc_number_at(alpha, a->dtype, alpha_at(a, b, t - 1, s - 1)) : -INFINITY;
        const double skip = s > 1 && label_at(&l, s - 2) != label
                                ? tc_number_at(alpha, a->dtype, alpha_at(a, b, t - 1, s - 2)) : -INFINITY;
        tc_put_number(alpha, a->dtype, alpha_at(a, b, t, s), log_sum(stay, step, skip) + log_prob(a, b, t, label));
      }
    }
    const double last = tc_number_at(alpha, a->dtype, alpha_at(a, b, steps - 1, states - 1));
    const double before = states > 1 ? tc_number_at(alpha, a->dtype, alpha_at(a, b, steps - 1, states - 2)) : -INFINITY;
    loss = -log_sum(last, before, -INFINITY);
  }
  tc_put_number(TC_PTR(void, a->loss), a->dtype, b, loss);
}

static void forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  for (int64_t b = begin; b < end; b++) forward_sample(ctx, b);
}

int32_t tc_ctc(const tc_ctc_args *a) {
  const int32_t status = check(a);
  if (status != TC_OK) return status;
  tc_parallel_for(a->n, 1, forward, (void *)(uintptr_t)a);
  return TC_OK;
}

// Backward variables of two time steps, for each thread.
int64_t tc_ctc_backward_scratch(const tc_ctc_args *a) {
  return tc_num_threads() * 2 * (2 * a->s + 1) * (int64_t)sizeof(double);
}

// Sample b: grad_in[t, b, k] first collects log(sum of alpha * beta over the states labelled k), eq. (15),
// and then becomes the gradient, eq. (16).
static void backward_sample(const tc_ctc_args *a, int64_t b, double *beta, double *next) {
  const labels l = labels_of(a, b);
  const int64_t steps = TC_PTR(const int64_t, a->input_length)[b];
  const int64_t states = 2 * TC_PTR(const int64_t, a->target_length)[b] + 1;
  const void *alpha = TC_PTR(const void, a->alpha);
  void *grad_in = TC_PTR(void, a->grad_in);
  const double loss = tc_number_at(TC_PTR(const void, a->loss), a->dtype, b);
  const double g = tc_number_at(TC_PTR(const void, a->grad), a->dtype, b);
  const bool nothing = a->zero_infinity && loss == INFINITY;
  for (int64_t t = 0; t < a->t; t++) {
    const double fill = nothing || t >= steps ? 0 : -INFINITY;
    for (int64_t k = 0; k < a->c; k++) tc_put_number(grad_in, a->dtype, step_at(a, b, t, k), fill);
  }
  if (nothing) return;
  for (int64_t t = steps - 1; t >= 0; t--) {
    for (int64_t s = 0; s < states; s++) {
      const int64_t label = label_at(&l, s);
      double sum;
      if (t == steps - 1) {
        sum = s >= states - 2 ? 0 : -INFINITY;
      } else {
        const double step = s + 1 < states ? next[s + 1] : -INFINITY;
        const double skip = s + 2 < states && label_at(&l, s + 2) != label ? next[s + 2] : -INFINITY;
        sum = log_sum(next[s], step, skip);
      }
      beta[s] = sum + log_prob(a, b, t, label);
      const double both = tc_number_at(alpha, a->dtype, alpha_at(a, b, t, s)) + beta[s];
      const double collected = tc_number_at(grad_in, a->dtype, step_at(a, b, t, label));
      tc_put_number(grad_in, a->dtype, step_at(a, b, t, label), log_sum(collected, both, -INFINITY));
    }
    double *swap = beta;
    beta = next;
    next = swap;
    for (int64_t k = 0; k < a->c; k++) {
      const double lp = log_prob(a, b, t, k), collected = tc_number_at(grad_in, a->dtype, step_at(a, b, t, k));
      tc_put_number(grad_in, a->dtype, step_at(a, b, t, k), (exp(lp) - exp(collected + loss - lp)) * g);
    }
  }
}

static void backward(void *ctx, int64_t begin, int64_t end, int thread) {
  const tc_ctc_args *a = ctx;
  double *beta = TC_PTR(double, a->scratch) + thread * 2 * (2 * a->s + 1);
  for (int64_t b = begin; b < end; b++) backward_sample(a, b, beta, beta + 2 * a->s + 1);
}

int32_t tc_ctc_backward(const tc_ctc_args *a) {
  const int32_t status = check(a);
  if (status != TC_OK) return status;
  tc_parallel_for(a->n, 1, backward, (void *)(uintptr_t)a);
  return TC_OK;
}
