// Softmax, log-softmax and their backwards. A template of each_float.h.
#include "softmax_loops.h"

// A line of nothing but -inf: max - max is NaN, as PyTorch has it.
__attribute__((noinline)) static void F(softmax_line)(const S *in, S *out, int64_t n, int log_form) {
  const E max = F(line_max)(in, n);
  if (!log_form) {
    const double sum = F(line_exp)(in, out, n, max);
    F(line_scale)(in, out, n, max, (E)(1 / sum));
    return;
  }
  const T m = SPLAT(max), shift = SPLAT((E)log(F(line_exp)(in, NULL, n, max)));
  FOR_ROW(n, F(put)(out + c, (F(fetch)(in + c) - m) - shift),
          F(put_part)(out + c, n - c, (F(fetch_part)(in + c, n - c, 0) - m) - shift));
}

__attribute__((noinline)) static void F(backward_line)(const S *grad, const S *y, S *grad_in, int64_t n,
                                                       int log_form) {
  double total = 0;
  int64_t i = 0;
  while (i + L <= n) {
    const int64_t end = n - i < SOFTMAX_RUN ? n : i + SOFTMAX_RUN;
    T sum = SPLAT(0);
    for (; i + L <= end; i += L) {
      const T g = F(fetch)(grad + i);
      sum += log_form ? g : g * F(fetch)(y + i);
    }
    total += (double)v_sum(sum);
  }
  if (i < n) {
    const T g = F(fetch_part)(grad + i, n - i, 0);
    total += (double)v_sum(log_form ? g : g * F(fetch_part)(y + i, n - i, 0));
  }
  const T sum = SPLAT((E)total);
#define FINISH(g, v) (log_form ? (g) - v_exp(v) * sum : ((g) - sum) * (v))
  FOR_ROW(n, F(put)(grad_in + c, FINISH(F(fetch)(grad + c), F(fetch)(y + c))),
          F(put_part)(grad_in + c, n - c,
                      FINISH(F(fetch_part)(grad + c, n - c, 0), F(fetch_part)(y + c, n - c, 0))));
#undef FINISH
}

__attribute__((noinline)) static void F(softmax_tile)(const S *in, S *out, int64_t n, int64_t stride,
                                                      int64_t width, int log_form) {
  E max[SOFTMAX_TILE], sum[SOFTMAX_TILE];
  F(tile_stats)(in, log_form ? NULL : out, n, stride, width, max, sum);
  for (int64_t c = 0; c < SOFTMAX_TILE; c += L) {
    const T s = v_load(sum + c);
    v_store(sum + c, log_form ? v_log(s) : SPLAT(1) / s);
  }
  if (!log_form) {
    F(tile_scale)(in, out, n, stride, width, max, sum);
    return;
  }
  for (int64_t k = 0; k < n; k++) {
    const S *row = in + k * stride;
    S *to = out + k * stride;
    FOR_ROW(width, F(put)(to + c, (F(fetch)(row + c) - v_load(max + c)) - v_load(sum + c)),
            F(put_part)(to + c, width - c,
                        (F(fetch_part)(row + c, width - c, 0) - v_load(max + c)) - v_load(sum + c)));
  }
}

__attribute__((noinline)) static void F(backward_tile)(const S *grad, const S *y, S *grad_in, int64_t n,
                                                       int64_t stride, int64_t width, int log_form) {
  E sum[SOFTMAX_TILE] = {0};
  double total[SOFTMAX_TILE] = {0};
#define ADD(g, v) v_store(sum + c, v_load(sum + c) + (log_form ? (g) : (g) * (v)))
#define FINISH(g, v) (log_form ? (g) - v_exp(v) * v_load(sum + c) : ((g) - v_load(sum + c)) * (v))
  for (int64_t k = 0; k < n; k++) {
    const S *g = grad + k * stride, *v = y + k * stride;
    FOR_ROW(width, ADD(F(fetch)(g + c), F(fetch)(v + c)),
            ADD(F(fetch_part)(g + c, width - c, 0), F(fetch_part)(v + c, width - c, 0)));
    if (k % SOFTMAX_ROWS == SOFTMAX_ROWS - 1) F(tile_widen)(total, sum);
  }
  F(tile_widen)(total, sum);
  for (int64_t c = 0; c < SOFTMAX_TILE; c++) sum[c] = (E)total[c];
  for (int64_t k = 0; k < n; k++) {
    const S *g = grad + k * stride, *v = y + k * stride;
    S *to = grad_in + k * stride;
    FOR_ROW(width, F(put)(to + c, FINISH(F(fetch)(g + c), F(fetch)(v + c))),
            F(put_part)(to + c, width - c,
                        FINISH(F(fetch_part)(g + c, width - c, 0), F(fetch_part)(v + c, width - c, 0))));
  }
#undef ADD
#undef FINISH
}
