// One step of every optimizer against PyTorch's Python, written out in float64; tc_multi against its definition.
#include "tensors.h"

#define COUNT 4

typedef struct { double p, g, s1, s2, s3; } element;

// torch/optim/*.py of 1.13, single tensor, one element.
static element expected(const tc_optim_args *a, const tc_optim_tensor *t, element x) {
  double g = a->maximize ? -x.g : x.g;
  if (a->op != TC_OPTIM_ADAMW && a->op != TC_OPTIM_RPROP) g += a->weight_decay * x.p;
  const double c1 = 1 - pow(a->beta1, t->step), c2 = 1 - pow(a->beta2, t->step);
  if (a->op == TC_OPTIM_ADAMW) x.p *= 1 - a->lr * a->weight_decay;
  switch (a->op) {
    case TC_OPTIM_SGD:
      if (a->momentum != 0) {
        x.s1 = t->first ? g : x.s1 * a->momentum + g * (1 - a->dampening);
        g = a->nesterov ? g + a->momentum * x.s1 : x.s1;
      }
      x.p -= a->lr * g;
      break;
    case TC_OPTIM_ADAM:
    case TC_OPTIM_ADAMW:
      x.s1 = x.s1 * a->beta1 + g * (1 - a->beta1);
      x.s2 = x.s2 * a->beta2 + g * g * (1 - a->beta2);
      if (a->amsgrad) x.s3 = fmax(x.s3, x.s2);
      x.p -= a->lr / c1 * x.s1 / (sqrt(a->amsgrad ? x.s3 : x.s2) / sqrt(c2) + a->eps);
      break;
    case TC_OPTIM_RMSPROP: {
      x.s1 = x.s1 * a->alpha + g * g * (1 - a->alpha);
      if (a->centered) x.s3 = x.s3 * a->alpha + g * (1 - a->alpha);
      const double average = sqrt(a->centered ? x.s1 - x.s3 * x.s3 : x.s1) + a->eps;
      if (a->momentum > 0) x.s2 = x.s2 * a->momentum + g / average;
      x.p -= a->lr * (a->momentum > 0 ? x.s2 : g / average);
      break;
    }
    case TC_OPTIM_ADAGRAD:
      x.s1 += g * g;
      x.p -= a->lr / (1 + (t->step - 1) * a->lr_decay) * g / (sqrt(x.s1) + a->eps);
      break;
    case TC_OPTIM_ADADELTA: {
      x.s1 = x.s1 * a->rho + g * g * (1 - a->rho);
      const double delta = sqrt(x.s2 + a->eps) / sqrt(x.s1 + a->eps) * g;
      x.s2 = x.s2 * a->rho + delta * delta * (1 - a->rho);
      x.p -= a->lr * delta;
      break;
    }
    case TC_OPTIM_ADAMAX:
      x.s1 = x.s1 * a->beta1 + g * (1 - a->beta1);
      x.s2 = fmax(x.s2 * a->beta2, fabs(g) + a->eps);
      x.p -= a->lr / c1 * x.s1 / x.s2;
      break;
    case TC_OPTIM_NADAM: {
      x.s1 = x.s1 * a->beta1 + g * (1 - a->beta1);
      x.s2 = x.s2 * a->beta2 + g * g * (1 - a->beta2);
      const double denominator = sqrt(x.s2 / c2) + a->eps;
      x.p -= a->lr * (1 - t->c2) / (1 - t->c1) * g / denominator;
      const double product = (double)((float)t->c1 * (float)t->c2 * (float)t->c3);  // a float32 tensor's
      x.p -= a->lr * t->c3 / (1 - product) * x.s1 / denominator;
      break;
    }
    case TC_OPTIM_RADAM: {
      x.s1 = x.s1 * a->beta1 + g * (1 - a->beta1);
      x.s2 = x.s2 * a->beta2 + g * g * (1 - a->beta2);
      const double longest = 2 / (1 - a->beta2) - 1, length = longest - 2 * t->step * pow(a->beta2, t->step) / c2;
      const double rect = sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      x.p -= x.s1 / c1 * a->lr * (length > 5 ? sqrt(c2) / (sqrt(x.s2) + a->eps) * rect : 1);
      break;
    }
    case TC_OPTIM_ASGD:
      x.p = x.p * (1 - a->lambd * t->c1) - t->c1 * g;
      x.s1 = t->c2 == 1 ? x.p : x.s1 + (x.p - x.s1) * t->c2;
      break;
    default: {
      const double product = g * x.s1, factor = product > 0 ? a->eta_plus : product < 0 ? a->eta_minus : 1;
      x.s2 = fmin(fmax(x.s2 * factor, a->step_min), a->step_max);
      if (factor == a->eta_minus) g = 0;
      x.p -= (double)((g > 0) - (g < 0)) * x.s2;
      x.s1 = g;
    }
  }
  return x;
}

static const int state_slots[] = {1, 2, 2, 2, 1, 2, 2, 2, 2, 1, 2};  // by tc_optim_op; more with some options

static void check_step(int64_t op, int64_t dtype) {
  const int64_t sizes[COUNT] = {pick(0, 3), pick(1, 20), 1, 4200};
  tc_optim_args a = {.op = op, .count = COUNT, .maximize = pick(0, 1), .lr = 0.02, .weight_decay = pick(0, 1) * 0.1,
                     .momentum = pick(0, 1) * 0.9, .dampening = pick(0, 1) * 0.3, .nesterov = pick(0, 1), .beta1 = 0.8,
                     .beta2 = 0.97, .eps = 1e-6, .amsgrad = pick(0, 1), .alpha = 0.9, .centered = pick(0, 1), .rho = 0.9,
                     .lr_decay = 0.1, .lambd = 0.01, .eta_minus = 0.5, .eta_plus = 1.2, .step_min = 0.05, .step_max = 0.6};
  tc_optim_tensor t[COUNT];
  void *field[COUNT][5], *before[COUNT][5];
  for (int i = 0; i < COUNT; i++) {
    for (int f = 0; f < 5; f++) {
      field[i][f] = random_tensor(dtype, sizes[i], 1);
      // Second moments and step sizes are positive, and larger than the first moments' squares.
      for (int64_t k = 0; k < sizes[i]; k++) {
        const double x = get(field[i][f], dtype, k);
        const bool square = op == TC_OPTIM_RMSPROP || op == TC_OPTIM_ADAGRAD || op == TC_OPTIM_ADADELTA ? f == 2 : f == 3 || f == 4;
        if (square && !(op == TC_OPTIM_RMSPROP && f > 2)) put(field[i][f], dtype, k, 1 + fabs(x));
        if (op == TC_OPTIM_RMSPROP && f == 4) put(field[i][f], dtype, k, x / 2);
        if (op == TC_OPTIM_ADADELTA && f == 3) put(field[i][f], dtype, k, fabs(x));
        if (op == TC_OPTIM_RPROP && f == 3) put(field[i][f], dtype, k, 0.06 + fabs(x));
      }
      before[i][f] = copy_of(field[i][f], dtype, sizes[i]);
    }
    const double eta = 0.02, mu = i % 2 ? 1 : 0.25;
    t[i] = (tc_optim_tensor){TEST_ADDRESS(field[i][0]), TEST_ADDRESS(field[i][1]), TEST_ADDRESS(field[i][2]),
                             TEST_ADDRESS(field[i][3]), TEST_ADDRESS(field[i][4]), sizes[i], dtype, i % 2, (double)pick(1, 300),
                             op == TC_OPTIM_ASGD ? eta : 0.7, op == TC_OPTIM_ASGD ? mu : 0.75, 0.8};
    int slots = state_slots[op] + ((op == TC_OPTIM_ADAM || op == TC_OPTIM_ADAMW) && a.amsgrad);
    if (op == TC_OPTIM_SGD && a.momentum == 0) slots = 0;
    if (slots < 1) t[i].s1 = 0;
    if (slots < 2 || (op == TC_OPTIM_RMSPROP && a.momentum == 0)) t[i].s2 = 0;
    if (slots < 3 && !(op == TC_OPTIM_RMSPROP && a.centered)) t[i].s3 = 0;
  }
  a.tensors = TEST_ADDRESS(t);
  CHECK_EQ(tc_optim_step(&a), TC_OK);
  for (int i = 0; i < COUNT; i++) {
    for (int64_t k = 0; k < sizes[i]; k++) {
      element x = {get(before[i][0], dtype, k), get(before[i][1], dtype, k), get(before[i][2], dtype, k),
                   get(before[i][3], dtype, k), get(before[i][4], dtype, k)};
      x = expected(&a, &t[i], x);
      const double all[5] = {x.p, x.g, x.s1, x.s2, x.s3};
      const uint64_t given[5] = {t[i].param, t[i].grad, t[i].s1, t[i].s2, t[i].s3};
      for (int f = 0; f < 5; f++) {
        if (!given[f]) CHECK(memcmp(field[i][f], before[i][f], (size_t)(sizes[i] * tc_dtype_size(dtype))) == 0);
        else CHECK_CLOSE(get(field[i][f], dtype, k), all[f], tolerance(dtype, 32), tolerance(dtype, 32));
      }
    }
  }
}

static void check_multi(int64_t op, int64_t dtype, bool special) {
  const int64_t sizes[COUNT] = {0, 7, 4096, 10001};
  const double value = pick(0, 1) ? 0.25 : 0.75;
  tc_multi_tensor t[COUNT];
  void *x[COUNT], *y[COUNT], *before[COUNT];
  for (int i = 0; i < COUNT; i++) {
    x[i] = random_tensor(dtype, sizes[i], 1);
    y[i] = random_tensor(dtype, sizes[i], 1);
    if (special && i == 3) put(x[i], dtype, 5000, op == TC_MULTI_MAXABS ? NAN : INFINITY);
    before[i] = copy_of(x[i], dtype, sizes[i]);
    t[i] = (tc_multi_tensor){TEST_ADDRESS(x[i]), TEST_ADDRESS(y[i]), sizes[i], dtype};
  }
  double *out = tensor(TC_F64, op == TC_MULTI_UNSCALE ? 1 : COUNT);
  tc_multi_args a = {.op = op, .count = COUNT, .tensors = TEST_ADDRESS(t), .value = value, .out = TEST_ADDRESS(out)};
  CHECK_EQ(SCRATCH(a, tc_multi), TC_OK);
  for (int i = 0; i < COUNT; i++) {
    double sumsq = 0, sumabs = 0, max = 0;
    for (int64_t k = 0; k < sizes[i]; k++) {
      const double u = get(before[i], dtype, k), v = get(y[i], dtype, k);
      double exact = u;
      if (op == TC_MULTI_ZERO) exact = 0;
      if (op == TC_MULTI_SCALE || op == TC_MULTI_UNSCALE) exact = u * value;
      if (op == TC_MULTI_AXPY) exact = u + value * v;
      if (op == TC_MULTI_LERP) exact = u + value * (v - u);
      if (op == TC_MULTI_CLAMP) exact = fmin(fmax(u, -value), value);
      CHECK_CLOSE(get(x[i], dtype, k), exact, tolerance(dtype, 2), tolerance(dtype, 2));
      sumsq += u * u;
      sumabs += fabs(u);
      max = u != u || max != max ? NAN : fmax(max, fabs(u));
    }
    if (op == TC_MULTI_SUMSQ) CHECK_CLOSE(out[i], sumsq, 1e-12, 0);
    if (op == TC_MULTI_SUMABS) CHECK_CLOSE(out[i], sumabs, 1e-12, 0);
    if (op == TC_MULTI_MAXABS) CHECK_CLOSE(out[i], max, 0, 0);
  }
  if (op == TC_MULTI_UNSCALE) CHECK_EQ(out[0], special);
}

int main(void) {
  for (int round = 0; round < 8; round++) {
    for (int64_t op = TC_OPTIM_SGD; op <= TC_OPTIM_RPROP; op++) {
      check_step(op, TC_F32);
      check_step(op, TC_F64);
    }
  }
  for (int64_t op = TC_MULTI_ZERO; op <= TC_MULTI_CLAMP; op++) {
    for (int d = 0; d < 4; d++) {
      check_multi(op, test_floats[d], false);
      if (op == TC_MULTI_UNSCALE || op == TC_MULTI_MAXABS) check_multi(op, test_floats[d], true);
    }
  }
  float x[1] = {1};
  tc_optim_tensor t = {.param = TEST_ADDRESS(x), .n = 1, .dtype = TC_F16};
  const tc_optim_args bad = {.op = TC_OPTIM_SGD, .count = 1, .tensors = TEST_ADDRESS(&t)};
  CHECK_EQ(tc_optim_step(&bad), TC_UNSUPPORTED);
  const tc_optim_args none = {.op = TC_OPTIM_ADAM};
  CHECK_EQ(tc_optim_step(&none), TC_OK);
  return test_end();
}
