// tc_multi_margin, tc_multilabel_margin and their backwards. Sums are in float64, one sample after
// another; losses of this kind are small.
#include "loss.h"

static int32_t check_dtype(const tc_margin_args *a) {
  return a->dtype == TC_F32 || a->dtype == TC_F64 ? TC_OK : tc_unsupported(a->dtype);
}

// Writes sample i's loss, or adds it to what will be written.
static void add_loss(const tc_margin_args *a, int64_t i, double loss, double *total) {
  if (a->reduction == TC_REDUCTION_NONE) {
    tc_put_number(TC_PTR(void, a->out), a->dtype, i, loss);
  } else {
    *total += loss;
  }
}

static void finish(const tc_margin_args *a, double total) {
  if (a->reduction == TC_REDUCTION_NONE) return;
  tc_put_number(TC_PTR(void, a->out), a->dtype, 0, a->reduction == TC_REDUCTION_MEAN ? total / (double)a->n : total);
}

// What every term's gradient is multiplied by, for sample i.
static double factor(const tc_margin_args *a, int64_t i) {
  const double g = tc_number_at(TC_PTR(const void, a->grad), a->dtype, a->reduction == TC_REDUCTION_NONE ? i : 0);
  return g / (a->reduction == TC_REDUCTION_MEAN ? (double)(a->n * a->c) : (double)a->c);
}

static int32_t check_multi_margin(const tc_margin_args *a) {
  const int32_t status = check_dtype(a);
  if (status != TC_OK) return status;
  const int64_t *target = TC_PTR(const int64_t, a->target);
  for (int64_t i = 0; i < a->n; i++) {
    if (target[i] < 0 || target[i] >= a->c) return tc_bad_index(target[i], a->c, i, 1);
  }
  return TC_OK;
}

int32_t tc_multi_margin(const tc_margin_args *a) {
  const int32_t status = check_multi_margin(a);
  if (status != TC_OK) return status;
  const int64_t *target = TC_PTR(const int64_t, a->target);
  const void *in = TC_PTR(const void, a->in), *weight = TC_PTR(const void, a->weight);
  double total = 0;
  for (int64_t i = 0; i < a->n; i++) {
    const int64_t t = target[i];
    const double x_t = tc_number_at(in, a->dtype, i * a->c + t);
    double loss = 0;
    for (int64_t k = 0; k < a->c; k++) {
      const double z = a->margin - x_t + tc_number_at(in, a->dtype, i * a->c + k);
      if (k != t && z > 0) loss += a->p == 1 ? z : z * z;
    }
    if (weight) loss *= tc_number_at(weight, a->dtype, t);
    add_loss(a, i, loss / (double)a->c, &total);
  }
  finish(a, total);
  return TC_OK;
}

int32_t tc_multi_margin_backward(const tc_margin_args *a) {
  const int32_t status = check_multi_margin(a);
  if (status != TC_OK) return status;
  const int64_t *target = TC_PTR(const int64_t, a->target);
  const void *in = TC_PTR(const void, a->in), *weight = TC_PTR(const void, a->weight);
  void *out = TC_PTR(void, a->grad_in);
  for (int64_t i = 0; i < a->n; i++) {
    const int64_t t = target[i], row = i * a->c;
    const double x_t = tc_number_at(in, a->dtype, row + t);
    const double g = factor(a, i) * (weight ? tc_number_at(weight, a->dtype, t) : 1);
    double at_t = 0;
    for (int64_t k = 0; k < a->c; k++) {
      const double z = a->margin - x_t + tc_number_at(in, a->dtype, row + k);
      const double h = k == t || !(z > 0) ? 0 : a->p == 1 ? g : 2 * g * z;
      at_t -= h;
      if (k != t) tc_put_number(out, a->dtype, row + k, h);
    }
    tc_put_number(out, a->dtype, row + t, at_t);
  }
  return TC_OK;
}

// Labels of a row: up to the first -1.
static int64_t labels_in(const tc_margin_args *a, const int64_t *row) {
  int64_t count = 0;
  while (count < a->c && row[count] >= 0) count++;
  return count;
}

int32_t tc_multilabel_margin(const tc_margin_args *a) {
  const int32_t status = check_dtype(a);
  if (status != TC_OK) return status;
  const int64_t *target = TC_PTR(const int64_t, a->target);
  for (int64_t i = 0; i < a->n * a->c; i++) {
    if (target[i] < -1 || target[i] >= a->c) return tc_bad_index(target[i], a->c, i, 1);
  }
  const void *in = TC_PTR(const void, a->in);
  void *is_target = TC_PTR(void, a->is_target);
  memset(is_target, 0, (size_t)(a->n * a->c * tc_dtype_size(a->dtype)));
  double total = 0;
  for (int64_t i = 0; i < a->n; i++) {
    const int64_t row = i * a->c, count = labels_in(a, target + row);
    for (int64_t l = 0; l < count; l++) tc_put_number(is_target, a->dtype, row + target[row + l], 1);
    double loss = 0;
    for (int64_t l = 0; l < count; l++) {
      const double x_t = tc_number_at(in, a->dtype, row + target[row + l]);
      for (int64_t k = 0; k < a->c; k++) {
        const double z = 1 - x_t + tc_number_at(in, a->dtype, row + k);
        if (z > 0 && tc_number_at(is_target, a->dtype, row + k) == 0) loss += z;
      }
    }
    add_loss(a, i, loss / (double)a->c, &total);
  }
  finish(a, total);
  return TC_OK;
}

int32_t tc_multilabel_margin_backward(const tc_margin_args *a) {
  const int32_t status = check_dtype(a);
  if (status != TC_OK) return status;
  const int64_t *target = TC_PTR(const int64_t, a->target);
  const void *in = TC_PTR(const void, a->in), *is_target = TC_PTR(const void, a->is_target);
  void *out = TC_PTR(void, a->grad_in);
  memset(out, 0, (size_t)(a->n * a->c * tc_dtype_size(a->dtype)));
  for (int64_t i = 0; i < a->n; i++) {
    const int64_t row = i * a->c, count = labels_in(a, target + row);
    const double g = factor(a, i);
    for (int64_t l = 0; l < count; l++) {
      const int64_t t = row + target[row + l];
      const double x_t = tc_number_at(in, a->dtype, t);
      double at_t = tc_number_at(out, a->dtype, t);
      for (int64_t k = row; k < row + a->c; k++) {
        if (tc_number_at(is_target, a->dtype, k) != 0) continue;
        if (!(1 - x_t + tc_number_at(in, a->dtype, k) > 0)) continue;
        at_t -= g;
        tc_put_number(out, a->dtype, k, tc_number_at(out, a->dtype, k) + g);
      }
      tc_put_number(out, a->dtype, t, at_t);
    }
  }
  return TC_OK;
}
