// Losses against their definitions in float64: nll, cross entropy, the margin losses; CTC against the sum
// over all alignments, and its gradient against differences.
#include "tensors.h"

typedef struct {
  int64_t dtype, n, c, inner, reduction, ignore;
  double smoothing;
  bool weighted;
} setup;

// The loss of each position and the total weight, from logits, in float64.
static double reference(setup s, const double *x, const int64_t *target, const void *weight, double *each) {
  double total = 0;
  for (int64_t p = 0; p < s.n * s.inner; p++) {
    const int64_t i = p / s.inner, j = p % s.inner, t = target[p];
    each[p] = 0;
    if (t == s.ignore) continue;
    double max = -INFINITY, sum = 0, smooth = 0;
    for (int64_t k = 0; k < s.c; k++) max = fmax(max, x[(i * s.c + k) * s.inner + j]);
    for (int64_t k = 0; k < s.c; k++) sum += exp(x[(i * s.c + k) * s.inner + j] - max);
    for (int64_t k = 0; k < s.c; k++) {
      const double w = s.weighted ? get(weight, s.dtype, k) : 1;
      smooth += w * (max + log(sum) - x[(i * s.c + k) * s.inner + j]);
    }
    const double w = s.weighted ? get(weight, s.dtype, t) : 1;
    each[p] = (1 - s.smoothing) * w * (max + log(sum) - x[(i * s.c + t) * s.inner + j]) +
              s.smoothing / (double)s.c * smooth;
    total += w;
  }
  return total;
}

static double reduced(setup s, const double *each, double total) {
  double sum = 0;
  for (int64_t p = 0; p < s.n * s.inner; p++) sum += each[p];
  return s.reduction == TC_REDUCTION_MEAN ? sum / total : sum;
}

static void check_cross_entropy(setup s, bool bytes) {
  const int64_t positions = s.n * s.inner, count = positions * s.c, out_n = s.reduction == TC_REDUCTION_NONE ? positions : 1;
  void *in = random_tensor(s.dtype, count, 4), *weight = random_tensor(s.dtype, s.c, 1);
  int64_t *target = indices(positions, 0, s.c - 1);
  for (int64_t p = 0; p < positions; p += 3) target[p] = s.ignore;
  uint8_t *small = tensor(TC_U8, positions);
  for (int64_t p = 0; p < positions; p++) small[p] = (uint8_t)target[p];
  for (int64_t k = 0; k < s.c; k++) put(weight, s.dtype, k, fabs(get(weight, s.dtype, k)));
  void *out = tensor(s.dtype, out_n), *total = tensor(s.dtype, 1), *probs = tensor(s.dtype, count);
  tc_cross_entropy_args a = {
      .dtype = s.dtype, .target_dtype = bytes ? TC_U8 : TC_I64, .reduction = s.reduction, .ignore_index = s.ignore,
      .label_smoothing = s.smoothing, .in = TEST_ADDRESS(in), .target = bytes ? TEST_ADDRESS(small) : TEST_ADDRESS(target),
      .weight = s.weighted ? TEST_ADDRESS(weight) : 0, .out = TEST_ADDRESS(out), .total_weight = TEST_ADDRESS(total),
      .probs = TEST_ADDRESS(probs), .n = s.n, .c = s.c, .inner = s.inner};
  CHECK_EQ(SCRATCH(a, tc_cross_entropy), TC_OK);
  double *x = tensor(TC_F64, count), *each = tensor(TC_F64, positions);
  for (int64_t i = 0; i < count; i++) x[i] = get(in, s.dtype, i);
  const double weights = reference(s, x, target, weight, each), whole = reduced(s, each, weights);
  const double rtol = tolerance(s.dtype, 16);
  if (s.reduction == TC_REDUCTION_NONE) {
    for (int64_t p = 0; p < positions; p++) CHECK_CLOSE(get(out, s.dtype, p), each[p], rtol, rtol);
  } else {
    CHECK_CLOSE(get(out, s.dtype, 0), whole, rtol, rtol);
    CHECK_CLOSE(get(total, s.dtype, 0), weights, rtol, 0);
  }
  // Without probabilities the loss is the same.
  void *again = tensor(s.dtype, out_n);
  tc_cross_entropy_args b = a;
  b.probs = 0;
  b.out = TEST_ADDRESS(again);
  CHECK_EQ(SCRATCH(b, tc_cross_entropy), TC_OK);
  CHECK(memcmp(again, out, (size_t)(out_n * tc_dtype_size(s.dtype))) == 0);
  // The gradient, by central differences of the reference, in place of the probabilities.
  if (positions == 0) return;
  void *grad = random_tensor(s.dtype, out_n, 1);
  const tc_cross_entropy_backward_args g = {
      .dtype = s.dtype, .target_dtype = a.target_dtype, .reduction = s.reduction, .ignore_index = s.ignore,
      .label_smoothing = s.smoothing, .grad = TEST_ADDRESS(grad), .probs = a.probs, .target = a.target,
      .weight = a.weight, .total_weight = a.total_weight, .grad_in = a.probs, .n = s.n, .c = s.c, .inner = s.inner};
  CHECK_EQ(tc_cross_entropy_backward(&g), TC_OK);
  const double h = 1e-5;
  for (int64_t trial = 0; trial < 40; trial++) {
    const int64_t i = pick(0, count - 1), p = i / (s.c * s.inner) * s.inner + i % s.inner;
    const double keep = x[i];
    double side[2];
    for (int k = 0; k < 2; k++) {
      x[i] = keep + (k ? h : -h);
      const double w = reference(s, x, target, weight, each);
      side[k] = s.reduction == TC_REDUCTION_NONE ? each[p] : reduced(s, each, w);
    }
    x[i] = keep;
    const double slope = (side[1] - side[0]) / (2 * h);
    const double incoming = get(grad, s.dtype, s.reduction == TC_REDUCTION_NONE ? p : 0);
    if (weights == 0 && s.reduction == TC_REDUCTION_MEAN) break;
    CHECK_CLOSE(get(probs, s.dtype, i), slope * incoming, rtol + 1e-5, rtol + 1e-6);
  }
}

// nll of given log-probabilities, whose gradient is one number at each target.
static void check_nll(setup s) {
  const int64_t positions = s.n * s.inner, count = positions * s.c, out_n = s.reduction == TC_REDUCTION_NONE ? positions : 1;
  void *in = random_tensor(s.dtype, count, 4), *weight = random_tensor(s.dtype, s.c, 1);
  int64_t *target = indices(positions, 0, s.c - 1);
  for (int64_t p = 0; p < positions; p += 4) target[p] = s.ignore;
  void *out = tensor(s.dtype, out_n), *total = tensor(s.dtype, 1), *grad_in = tensor(s.dtype, count);
  tc_nll_args a = {.dtype = s.dtype, .target_dtype = TC_I64, .reduction = s.reduction, .ignore_index = s.ignore,
                   .in = TEST_ADDRESS(in), .target = TEST_ADDRESS(target), .weight = s.weighted ? TEST_ADDRESS(weight) : 0,
                   .out = TEST_ADDRESS(out), .total_weight = TEST_ADDRESS(total), .n = s.n, .c = s.c, .inner = s.inner};
  CHECK_EQ(SCRATCH(a, tc_nll), TC_OK);
  void *grad = random_tensor(s.dtype, out_n, 1);
  const tc_nll_backward_args g = {
      .dtype = s.dtype, .target_dtype = TC_I64, .reduction = s.reduction, .ignore_index = s.ignore,
      .grad = TEST_ADDRESS(grad), .target = a.target, .weight = a.weight, .total_weight = a.total_weight,
      .grad_in = TEST_ADDRESS(grad_in), .n = s.n, .c = s.c, .inner = s.inner};
  CHECK_EQ(tc_nll_backward(&g), TC_OK);
  double sum = 0, weights = 0, size = 0;
  for (int64_t p = 0; p < positions; p++) {
    if (target[p] == s.ignore) continue;
    const double w = s.weighted ? get(weight, s.dtype, target[p]) : 1;
    const double x = get(in, s.dtype, (p / s.inner * s.c + target[p]) * s.inner + p % s.inner);
    sum -= w * x;
    size += fabs(w * x);
    weights += w;
  }
  const double rtol = tolerance(s.dtype, 8);
  if (s.reduction != TC_REDUCTION_NONE) {
    const double mean = s.reduction == TC_REDUCTION_MEAN ? weights : 1;
    CHECK_CLOSE(get(out, s.dtype, 0), sum / mean, rtol, rtol * size / fabs(mean));
  }
  for (int64_t i = 0; i < count; i++) {
    const int64_t p = i / (s.c * s.inner) * s.inner + i % s.inner, k = i / s.inner % s.c;
    double exact = 0;
    if (k == target[p] && k != s.ignore) {
      const double w = s.weighted ? get(weight, s.dtype, k) : 1;
      exact = -w * get(grad, s.dtype, s.reduction == TC_REDUCTION_NONE ? p : 0);
      if (s.reduction == TC_REDUCTION_MEAN) exact /= get(total, s.dtype, 0);
    }
    CHECK_CLOSE(get(grad_in, s.dtype, i), exact, rtol, 1e-7 * (s.dtype == TC_F16));
  }
}

// A bad target is reported, and nothing is written.
static void check_bad_target(void) {
  float in[6] = {0}, out[1] = {7}, total[1] = {7}, probs[6] = {7, 7, 7, 7, 7, 7};
  int64_t target[2] = {1, 3};
  tc_cross_entropy_args a = {.dtype = TC_F32, .target_dtype = TC_I64, .reduction = TC_REDUCTION_MEAN, .ignore_index = -100,
                             .in = TEST_ADDRESS(in), .target = TEST_ADDRESS(target), .out = TEST_ADDRESS(out),
                             .total_weight = TEST_ADDRESS(total), .probs = TEST_ADDRESS(probs), .n = 2, .c = 3, .inner = 1};
  const int64_t bad[3] = {3, -1, INT64_MIN};
  for (int i = 0; i < 3; i++) {
    target[1] = bad[i];
    CHECK_EQ(SCRATCH(a, tc_cross_entropy), TC_INDEX_OUT_OF_RANGE);
    CHECK_EQ(tc_error_info[0], bad[i]);
    CHECK_EQ(tc_error_info[1], 3);
    CHECK_EQ(tc_error_info[2], 1);
    CHECK(out[0] == 7 && total[0] == 7 && probs[0] == 7);
  }
}

static void check_margins(int64_t dtype, int64_t reduction, double p) {
  const int64_t n = 4, c = 5;
  void *in = random_tensor(dtype, n * c, 2), *weight = random_tensor(dtype, c, 1);
  int64_t *target = indices(n, 0, c - 1), *labels = indices(n * c, 0, c - 1);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t k = 0; k < c; k++) labels[i * c + k] = k < i ? (k * 2 + i) % c : -1;
  }
  const int64_t out_n = reduction == TC_REDUCTION_NONE ? n : 1;
  void *out = tensor(dtype, out_n), *grad = random_tensor(dtype, out_n, 1), *grad_in = tensor(dtype, n * c);
  tc_margin_args a = {.dtype = dtype, .reduction = reduction, .p = p, .margin = 0.7, .in = TEST_ADDRESS(in),
                      .target = TEST_ADDRESS(target), .weight = TEST_ADDRESS(weight), .out = TEST_ADDRESS(out),
                      .is_target = TEST_ADDRESS(tensor(dtype, n * c)), .grad = TEST_ADDRESS(grad),
                      .grad_in = TEST_ADDRESS(grad_in), .n = n, .c = c};
  for (int multilabel = 0; multilabel < 2; multilabel++) {
    a.target = TEST_ADDRESS(multilabel ? labels : target);
    CHECK_EQ((multilabel ? tc_multilabel_margin : tc_multi_margin)(&a), TC_OK);
    CHECK_EQ((multilabel ? tc_multilabel_margin_backward : tc_multi_margin_backward)(&a), TC_OK);
    double loss[4], slope[20] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++) {
      loss[i] = 0;
      const double outer = get(grad, dtype, out_n == 1 ? 0 : i) / (reduction == TC_REDUCTION_MEAN ? (double)n : 1);
      for (int64_t l = 0; l < (multilabel ? i : 1); l++) {
        const int64_t t = multilabel ? labels[i * c + l] : target[i];
        const double w = multilabel ? 1 : get(weight, dtype, t);
        for (int64_t k = 0; k < c; k++) {
          bool other = k != t;
          for (int64_t m = 0; multilabel && m < i; m++) other &= labels[i * c + m] != k;
          const double z = (multilabel ? 1 : 0.7) - get(in, dtype, i * c + t) + get(in, dtype, i * c + k);
          if (!other || z <= 0) continue;
          const double power = multilabel ? 1 : p;
          loss[i] += w * pow(z, power) / (double)c;
          slope[i * c + k] += outer * w * power * pow(z, power - 1) / (double)c;
          slope[i * c + t] -= outer * w * power * pow(z, power - 1) / (double)c;
        }
      }
      sum += loss[i];
    }
    for (int64_t i = 0; i < out_n; i++) {
      const double exact = out_n > 1 ? loss[i] : reduction == TC_REDUCTION_MEAN ? sum / (double)n : sum;
      CHECK_CLOSE(get(out, dtype, i), exact, tolerance(dtype, 16), tolerance(dtype, 4));
    }
    for (int64_t i = 0; i < n * c; i++) CHECK_CLOSE(get(grad_in, dtype, i), slope[i], tolerance(dtype, 16), tolerance(dtype, 4));
  }
  target[2] = c;
  a.target = TEST_ADDRESS(target);
  CHECK_EQ(tc_multi_margin(&a), TC_INDEX_OUT_OF_RANGE);
  labels[3] = -2;
  a.target = TEST_ADDRESS(labels);
  CHECK_EQ(tc_multilabel_margin(&a), TC_INDEX_OUT_OF_RANGE);
  CHECK_EQ(tc_error_info[2], 3);
}

// The probability of `labels` summed over every path of `steps` symbols that collapses to them.
static double all_paths(const double *log_probs, int64_t steps, int64_t c, int64_t blank, const int64_t *labels, int64_t count) {
  int64_t paths = 1;
  double sum = 0;
  for (int64_t t = 0; t < steps; t++) paths *= c;
  for (int64_t path = 0; path < paths; path++) {
    int64_t rest = path, last = blank, found = 0;
    double log_p = 0;
    bool matches = true;
    for (int64_t t = 0; t < steps; t++, rest /= c) {
      const int64_t k = rest % c;
      log_p += log_probs[t * c + k];
      if (k != blank && k != last) matches = matches && found < count && labels[found++] == k;
      last = k;
    }
    if (matches && found == count) sum += exp(log_p);
  }
  return sum;
}

static void check_ctc(int64_t steps, int64_t count, bool concatenated, bool narrow) {
  const int64_t n = 2, c = 3, blank = 1, shorter = steps > 1 ? steps - 1 : steps;
  const int64_t input_length[2] = {steps, shorter}, target_length[2] = {count, count > 0 ? count - 1 : 0};
  const int64_t label[2][3] = {{0, 0, 2}, {2, 0, 2}};
  const int64_t stride = concatenated ? 0 : 3;
  int64_t *wide = tensor(TC_I64, 6);
  int32_t *small = tensor(TC_I32, 6);
  for (int64_t b = 0; b < n; b++) {
    for (int64_t i = 0; i < 3; i++) {
      if (concatenated && i >= target_length[b]) continue;
      wide[(concatenated ? b * target_length[0] : b * 3) + i] = label[b][i];
      small[(concatenated ? b * target_length[0] : b * 3) + i] = (int32_t)label[b][i];
    }
  }
  double *x = random_tensor(TC_F64, steps * n * c, 2), *loss = tensor(TC_F64, n), *grad_in = tensor(TC_F64, steps * n * c);
  const double grad[2] = {1, -0.5};
  tc_ctc_args a = {.dtype = TC_F64, .target_dtype = narrow ? TC_I32 : TC_I64, .log_probs = TEST_ADDRESS(x),
                   .target = narrow ? TEST_ADDRESS(small) : TEST_ADDRESS(wide), .target_stride = stride,
                   .input_length = TEST_ADDRESS(input_length), .target_length = TEST_ADDRESS(target_length),
                   .loss = TEST_ADDRESS(loss), .alpha = TEST_ADDRESS(tensor(TC_F64, n * steps * (2 * count + 1))),
                   .grad = TEST_ADDRESS(grad), .grad_in = TEST_ADDRESS(grad_in), .t = steps, .n = n, .c = c, .s = count,
                   .blank = blank, .zero_infinity = 1};
  CHECK_EQ(tc_ctc(&a), TC_OK);
  CHECK_EQ(SCRATCH(a, tc_ctc_backward), TC_OK);
  for (int64_t b = 0; b < n; b++) {
    double *own = tensor(TC_F64, steps * c);
    for (int64_t t = 0; t < steps; t++) memcpy(own + t * c, x + (t * n + b) * c, (size_t)c * 8);
    CHECK_CLOSE(loss[b], -log(all_paths(own, input_length[b], c, blank, label[b], target_length[b])), 1e-12, 1e-12);
    // d loss / d log_prob[k] for log-probabilities that are a softmax: exp(lp) - (mass of paths through k) / (all).
    for (int64_t t = 0; t < steps; t++) {
      for (int64_t k = 0; k < c; k++) {
        double exact = 0;
        if (t < input_length[b] && isfinite(loss[b])) {
          const double h = 1e-6, keep = own[t * c + k];
          own[t * c + k] = keep + h;
          const double up = log(all_paths(own, input_length[b], c, blank, label[b], target_length[b]));
          own[t * c + k] = keep - h;
          const double down = log(all_paths(own, input_length[b], c, blank, label[b], target_length[b]));
          own[t * c + k] = keep;
          exact = (exp(keep) - (up - down) / (2 * h)) * grad[b];
        }
        CHECK_CLOSE(grad_in[(t * n + b) * c + k], exact, 1e-5, 1e-8);
      }
    }
  }
  wide[0] = c;
  small[0] = (int32_t)c;
  if (count > 0) CHECK_EQ(tc_ctc(&a), TC_INDEX_OUT_OF_RANGE);
}

int main(void) {
  for (int d = 0; d < 4; d++) {
    for (int64_t reduction = 0; reduction < 3; reduction++) {
      for (int64_t i = 0; i < 24; i++) {
        const int64_t inners[] = {1, 1, 3, 300}, classes[] = {1, 2, 10, 37};
        setup s = {test_floats[d], pick(0, 5), classes[i % 4], inners[i / 4 % 4], reduction, i % 2 ? -100 : 0,
                   i % 3 ? 0 : 0.3, i % 5 < 2};
        check_cross_entropy(s, s.ignore == 0 && i % 7 == 0);
        check_nll(s);
      }
      if (test_floats[d] == TC_F32 || test_floats[d] == TC_F64) {
        check_margins(test_floats[d], reduction, 1);
        check_margins(test_floats[d], reduction, 2);
      }
    }
  }
  check_bad_target();
  for (int64_t steps = 1; steps < 6; steps++) {
    for (int64_t count = 0; count < 4; count++) {
      check_ctc(steps, count, false, count % 2);
      check_ctc(steps, count, true, count % 2 == 0);
    }
  }
  return test_end();
}
