// tc_optim_step: one step of an optimizer over all its parameters.
#include <math.h>
#include <stdbool.h>

#include "lines.h"
#include "parallel.h"
#include "status.h"

// What a step needs besides the tensors: the hyperparameters, combined in float64 as PyTorch's Python
// combines them. optim_impl.h rounds them to the dtype.
typedef struct {
  double weight_decay;  // added to the gradient
  double step;          // what the change is multiplied by (subtracted)
  double momentum, one_minus_dampening;
  double beta1, one_minus_beta1, beta2, one_minus_beta2;
  double correction;    // of the second moment's bias, or RADAM: the first one's
  double eps;
  double k1, k2;        // as each optimizer says
  bool maximize, decays, first, has_momentum, nesterov, amsgrad, centered, rectified, averaging;
} numbers;

typedef void (*loop_fn)(const numbers *n, const tc_optim_tensor *t, int64_t begin, int64_t end);

#define E float
#define T vf32
#define L 4
#define F(x) x##_f32
#define SPLAT(x) v_set_f32((float)(x))
#include "optim_impl.h"
#undef E
#undef T
#undef L
#undef F
#undef SPLAT

#define E double
#define T vf64
#define L 2
#define F(x) x##_f64
#define SPLAT(x) v_set_f64((double)(x))
#include "optim_impl.h"

// NADAM's mu_product is a float32 tensor in PyTorch, and so are its products.
static double nadam_product(const tc_optim_tensor *t) {
  return (double)((float)t->c1 * (float)t->c2 * (float)t->c3);
}

// RADAM: the length of the approximated average, and the rectification (Liu et al. 2020, algorithm 2).
static void rectify(numbers *n, const tc_optim_args *a, double step) {
  const double decayed = pow(a->beta2, step), longest = 2 / (1 - a->beta2) - 1;
  const double length = longest - 2 * step * decayed / (1 - decayed);
  n->rectified = length > 5;
  n->k1 = sqrt(1 - decayed);
  n->k2 = sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
}

static numbers numbers_of(const tc_optim_args *a, const tc_optim_tensor *t) {
  numbers n = {
      .weight_decay = a->weight_decay, .step = a->lr, .momentum = a->momentum,
      .one_minus_dampening = 1 - a->dampening, .beta1 = a->beta1, .one_minus_beta1 = 1 - a->beta1,
      .beta2 = a->beta2, .one_minus_beta2 = 1 - a->beta2, .eps = a->eps, .maximize = a->maximize != 0,
      .decays = a->weight_decay != 0, .first = t->first != 0, .has_momentum = a->momentum != 0,
      .nesterov = a->nesterov != 0, .amsgrad = a->amsgrad != 0, .centered = a->centered != 0};
  const double correction1 = 1 - pow(a->beta1, t->step), correction2 = 1 - pow(a->beta2, t->step);
  switch (a->op) {
    case TC_OPTIM_ADAMW:
      n.k1 = 1 - a->lr * a->weight_decay;
      n.decays = false;
      // fallthrough
    case TC_OPTIM_ADAM:
      n.step = a->lr / correction1;
      n.correction = sqrt(correction2);
      break;
    case TC_OPTIM_RMSPROP:
      n.beta1 = a->alpha;
      n.one_minus_beta1 = 1 - a->alpha;
      break;
    case TC_OPTIM_ADAGRAD:
      n.step = a->lr / (1 + (t->step - 1) * a->lr_decay);
      break;
    case TC_OPTIM_ADADELTA:
      n.beta1 = a->rho;
      n.one_minus_beta1 = 1 - a->rho;
      break;
    case TC_OPTIM_ADAMAX:
      n.step = a->lr / correction1;
      break;
    case TC_OPTIM_NADAM:
      n.correction = correction2;
      n.k1 = -a->lr * (1 - t->c2) / (1 - t->c1);
      n.k2 = -a->lr * t->c3 / (1 - nadam_product(t));
      break;
    case TC_OPTIM_RADAM:
      n.correction = correction1;
      rectify(&n, a, t->step);
      break;
    case TC_OPTIM_ASGD:
      n.step = t->c1;
      n.k1 = 1 - a->lambd * t->c1;
      n.k2 = t->c2;
      n.averaging = t->c2 != 1;
      break;
    case TC_OPTIM_RPROP:
      n.decays = false;
      n.k1 = a->eta_minus;
      n.k2 = a->eta_plus;
      n.beta1 = a->step_min;
      n.beta2 = a->step_max;
      break;
    default: break;
  }
  return n;
}

// The list as blocks, none of which crosses from one tensor into the next.
#define BLOCK 4096

static inline int64_t blocks_of(const tc_optim_tensor *t) { return (t->n + BLOCK - 1) / BLOCK; }

static void step_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_optim_args *a = ctx;
  const tc_optim_tensor *t = TC_PTR(const tc_optim_tensor, a->tensors);
  int64_t first = 0;  // block of t
  for (; begin >= first + blocks_of(t); t++) first += blocks_of(t);
  for (; first < end; first += blocks_of(t), t++) {
    const int64_t from = begin > first ? (begin - first) * BLOCK : 0;
    const int64_t to = (end - first) * BLOCK < t->n ? (end - first) * BLOCK : t->n;
    if (from >= to) continue;
    const numbers n = numbers_of(a, t);
    (t->dtype == TC_F32 ? loops_f32 : loops_f64)[a->op](&n, t, from, to);
  }
}

int32_t tc_optim_step(const tc_optim_args *a) {
  const tc_optim_tensor *tensors = TC_PTR(const tc_optim_tensor, a->tensors);
  int64_t blocks = 0;
  for (int64_t i = 0; i < a->count; i++) {
    if (tensors[i].dtype != TC_F32 && tensors[i].dtype != TC_F64) return tc_unsupported(tensors[i].dtype);
    blocks += blocks_of(&tensors[i]);
  }
  tc_parallel_for(blocks, 4, step_blocks, (void *)(uintptr_t)a);
  return TC_OK;
}
