// Cross entropy of logits with class indices, and its backward. A template of each_float.h.
//
// With log-probabilities l[k] = x[k] - max - log(sum), class weights w and label smoothing s over c
// classes, a sample of class t costs  (1 - s) * w[t] * -l[t]  +  s / c * sum over k of w[k] * -l[k].
#include "softmax_loops.h"

static inline double F(weight_at)(const ce_job *j, int64_t k) {
  return j->weight ? (double)F(value)(((const S *)j->weight)[k]) : 1;
}

// The loss of one sample, given max, log of the sum, and, with smoothing, the sum of w[k] * x[k].
static inline double F(sample_loss)(const ce_job *j, E x_t, int64_t t, E max, double log_sum, double weighted) {
  const double nll = F(weight_at)(j, t) * (log_sum - ((double)x_t - (double)max));
  if (j->smoothing == 0) return nll;
  const double smooth = j->weight_sum * (log_sum + (double)max) - weighted;
  return (1 - j->smoothing) * nll + j->smoothing / (double)j->c * smooth;
}

// Positions begin .. end - 1, each a contiguous line of logits.
__attribute__((noinline)) static void F(forward_lines)(const ce_job *j, ptrdiff_t begin, ptrdiff_t end,
                                                       ce_sums *sums) {
  const ptrdiff_t c = (ptrdiff_t)j->c;
  for (ptrdiff_t p = begin; p < end; p++) {
    const S *x = (const S *)j->in + p * c;
    S *probs = j->probs ? (S *)j->probs + p * c : NULL;
    const int64_t t = target_at(j, p);
    const bool counts = t != j->ignore_index;
    if (!counts && !probs) {
      if (j->out) ((S *)j->out)[p] = 0;
      continue;
    }
    const E max = F(line_max)(x, c), x_t = counts ? F(value)(x[t]) : 0;
    double weighted = 0;
    for (ptrdiff_t k = 0; j->smoothing != 0 && k < c; k++) {
      weighted += F(weight_at)(j, k) * (double)F(value)(x[k]);
    }
    const double sum = F(line_exp)(x, probs, c, max);
    if (probs) F(line_scale)(x, probs, c, max, (E)(1 / sum));
    const double loss = counts ? F(sample_loss)(j, x_t, t, max, log(sum), weighted) : 0;
    if (j->out) ((S *)j->out)[p] = F(stored)((E)loss);
    sums->loss += loss;
    sums->weight += counts ? F(weight_at)(j, t) : 0;
  }
}

// Columns column .. column + width - 1 of sample i, whose logits lie `inner` apart.
__attribute__((noinline)) static void F(forward_tile)(const ce_job *j, ptrdiff_t i, ptrdiff_t column, ptrdiff_t width,
                                                      ce_sums *sums) {
  _Alignas(16) E buffer[SOFTMAX_BUFFER_BYTES / sizeof(E)];
  const ptrdiff_t n = (ptrdiff_t)j->c, stride = (ptrdiff_t)j->inner, row = EF(packed_row)(width);
  const ptrdiff_t first = i * stride + column;  // position
  const bool packs = j->packs;
  const S *x = (const S *)j->in + i * n * stride + column;
  E max[SOFTMAX_TILE], sum[SOFTMAX_TILE], log_sum[SOFTMAX_TILE], x_t[SOFTMAX_TILE];
  double weighted[SOFTMAX_TILE] = {0};
  int64_t target[SOFTMAX_TILE];
  if (packs) F(tile_pack)(x, buffer, n, stride, width);
#define LOGIT(k, c) (packs ? buffer[(k) * row + (c)] : F(value)(x[(k) * stride + (c)]))
  for (ptrdiff_t c = 0; c < width; c++) {
    target[c] = target_at(j, first + c);
    x_t[c] = target[c] == j->ignore_index ? 0 : LOGIT((ptrdiff_t)target[c], c);
  }
  for (ptrdiff_t k = 0; j->smoothing != 0 && k < n; k++) {
    const double w = F(weight_at)(j, k);
    for (ptrdiff_t c = 0; c < width; c++) weighted[c] += w * (double)LOGIT(k, c);
  }
#undef LOGIT
  if (packs) {
    EF(packed_stats)(buffer, n, width, max, sum, j->probs != NULL);
  } else {
    F(tile_stats)(x, n, stride, width, max, sum);
  }
  for (ptrdiff_t c = 0; c < width; c += L) {
    const T s = v_load(sum + c);
    v_store(log_sum + c, v_log(s));
    v_store(sum + c, SPLAT(1) / s);
  }
  for (ptrdiff_t c = 0; c < width; c++) {
    const bool counts = target[c] != j->ignore_index;
    const double loss =
        counts ? F(sample_loss)(j, x_t[c], target[c], max[c], (double)log_sum[c], weighted[c]) : 0;
    if (j->out) ((S *)j->out)[first + c] = F(stored)((E)loss);
    sums->loss += loss;
    sums->weight += counts ? F(weight_at)(j, target[c]) : 0;
  }
  if (!j->probs) return;
  S *to = (S *)j->probs + i * n * stride + column;
  const E *packed = buffer;
#define SCALED(x) (x) * v_load(sum + c)
#define EXP(x) v_exp((x) - v_load(max + c))
  for (ptrdiff_t k = 0; k < n; k++, x += stride, to += stride) {
    if (packs) {
      FOR_ROW(width, F(put)(to + c, SCALED(v_load(packed + c))),
              F(put_part)(to + c, width - c, SCALED(v_load(packed + c))));
      packed += row;
    } else {
      FOR_ROW(width, F(put)(to + c, SCALED(EXP(F(fetch)(x + c)))),
              F(put_part)(to + c, width - c, SCALED(EXP(F(fetch_part)(x + c, width - c, 0)))));
    }
  }
#undef SCALED
#undef EXP
}

// The incoming gradient of position p, over the total weight for a mean.
static inline double F(grad_at)(const ce_job *j, int64_t p) {
  const double g = (double)F(value)(((const S *)j->grad)[j->reduction == TC_REDUCTION_NONE ? p : 0]);
  return j->reduction == TC_REDUCTION_MEAN ? g / (double)F(value)(*(const S *)j->total_weight) : g;
}

// d loss / d x[k] = g * (W * p[k] - s / c * w[k] - [k == t] * (1 - s) * w[t]), W the factor of all three.
__attribute__((noinline)) static void F(backward_lines)(const ce_job *j, ptrdiff_t begin, ptrdiff_t end) {
  const ptrdiff_t n = (ptrdiff_t)j->c;
  const S *weight = j->weight;
  for (ptrdiff_t p = begin; p < end; p++) {
    const S *probs = (const S *)j->in + p * n;
    S *out = (S *)j->probs + p * n;
    const int64_t t = target_at(j, p);
    if (t == j->ignore_index) {
      memset(out, 0, (size_t)n * sizeof(S));
      continue;
    }
    const double g = F(grad_at)(j, p), smooth = j->smoothing / (double)n;
    const double own = (1 - j->smoothing) * F(weight_at)(j, t);
    const E scale = (E)(g * (own + smooth * j->weight_sum)), even = (E)(g * smooth);
    const E at_t = F(value)(probs[t]) * scale - even * (E)F(weight_at)(j, t) - (E)(g * own);
    const T s = SPLAT(scale), e = SPLAT(even);
    if (j->smoothing == 0) {
      MAP_LINE(out, n, F(fetch)(probs + c) * s, F(fetch_part)(probs + c, n, 0) * s);
    } else if (!weight) {
      MAP_LINE(out, n, F(fetch)(probs + c) * s - e, F(fetch_part)(probs + c, n, 0) * s - e);
    } else {
      MAP_LINE(out, n, F(fetch)(probs + c) * s - e * F(fetch)(weight + c),
               F(fetch_part)(probs + c, n, 0) * s - e * F(fetch_part)(weight + c, n, 0));
    }
    out[t] = F(stored)(at_t);
  }
}

__attribute__((noinline)) static void F(backward_tile)(const ce_job *j, ptrdiff_t i, ptrdiff_t column,
                                                       ptrdiff_t width) {
  const ptrdiff_t n = (ptrdiff_t)j->c, stride = (ptrdiff_t)j->inner;
  const S *probs = (const S *)j->in + i * n * stride + column;
  S *out = (S *)j->probs + i * n * stride + column;
  const double smooth = j->smoothing / (double)n;
  E scale[SOFTMAX_TILE] = {0}, even[SOFTMAX_TILE] = {0}, at_t[SOFTMAX_TILE];
  for (ptrdiff_t c = 0; c < width; c++) {
    const ptrdiff_t p = i * stride + column + c;
    const int64_t t = target_at(j, p);
    at_t[c] = 0;
    if (t == j->ignore_index) continue;
    const double g = F(grad_at)(j, p), own = (1 - j->smoothing) * F(weight_at)(j, t);
    scale[c] = (E)(g * (own + smooth * j->weight_sum));
    even[c] = (E)(g * smooth);
    at_t[c] = F(value)(probs[t * stride + c]) * scale[c] - even[c] * (E)F(weight_at)(j, t) - (E)(g * own);
  }
  for (ptrdiff_t k = 0; k < n; k++) {
    const S *row = probs + k * stride;
    S *to = out + k * stride;
    const T w = SPLAT(F(weight_at)(j, k));
    FOR_ROW(width, F(put)(to + c, F(fetch)(row + c) * v_load(scale + c) - v_load(even + c) * w),
            F(put_part)(to + c, width - c,
                        F(fetch_part)(row + c, width - c, 0) * v_load(scale + c) - v_load(even + c) * w));
  }
  for (ptrdiff_t c = 0; c < width; c++) {
    const int64_t t = target_at(j, i * stride + column + c);
    if (t != j->ignore_index) out[t * stride + c] = F(stored)(at_t[c]);
  }
}
