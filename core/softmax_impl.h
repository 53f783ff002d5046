// Softmax, log-softmax and their backwards. A template of each_float.h.
#include "softmax_loops.h"

// A line of nothing but -inf: max - max is NaN, as PyTorch has it.
__attribute__((noinline)) static void F(softmax_line)(const S *in, S *out, ptrdiff_t n, int log_form) {
  const E max = F(line_max)(in, n);
  if (!log_form) {
    const double sum = F(line_exp)(in, out, n, max);
    F(line_scale)(in, out, n, max, (E)(1 / sum));
    return;
  }
  const T m = SPLAT(max), shift = SPLAT((E)log(F(line_exp)(in, NULL, n, max)));
  MAP_LINE(out, n, (F(fetch)(in + c) - m) - shift, (F(fetch_part)(in + c, n, 0) - m) - shift);
}

__attribute__((noinline)) static void F(backward_line)(const S *grad, const S *y, S *grad_in, ptrdiff_t n,
                                                       int log_form) {
  double total = 0;
  ptrdiff_t i = 0;
  while (i + L <= n) {
    const ptrdiff_t end = n - i < SOFTMAX_RUN ? n : i + SOFTMAX_RUN;
    T sum = SPLAT(0);
    for (; i + L <= end; i += L) {
      const T g = F(fetch)(grad + i);
      sum += log_form ? g : g * F(fetch)(y + i);
    }
    total += (double)v_sum(sum);
  }
  if (i < n && n >= L) {
    const T g = F(fetch)(grad + n - L);
    total += (double)v_sum(v_last(log_form ? g : g * F(fetch)(y + n - L), n - i));
  } else if (i < n) {
    const T g = F(fetch_part)(grad, n, 0);
    total += (double)v_sum(log_form ? g : g * F(fetch_part)(y, n, 0));
  }
  const T sum = SPLAT((E)total);
#define FINISH(g, v) (log_form ? (g) - v_exp(v) * sum : ((g) - sum) * (v))
  MAP_LINE(grad_in, n, FINISH(F(fetch)(grad + c), F(fetch)(y + c)),
           FINISH(F(fetch_part)(grad + c, n, 0), F(fetch_part)(y + c, n, 0)));
#undef FINISH
}

__attribute__((noinline)) static void F(softmax_tile)(const S *in, S *out, ptrdiff_t n, ptrdiff_t stride,
                                                      ptrdiff_t width, int log_form, bool packs) {
  _Alignas(16) E buffer[SOFTMAX_BUFFER_BYTES / sizeof(E)];
  E max[SOFTMAX_TILE], sum[SOFTMAX_TILE], shift[SOFTMAX_TILE];
  const ptrdiff_t row = EF(packed_row)(width);
  if (packs) {
    F(tile_pack)(in, buffer, n, stride, width);
    EF(packed_stats)(buffer, n, width, max, sum, !log_form);
  } else {
    F(tile_stats)(in, n, stride, width, max, sum);
  }
  for (ptrdiff_t c = 0; c < width; c += L) {
    const T s = v_load(sum + c);
    v_store(shift + c, log_form ? v_log(s) : SPLAT(1) / s);
  }
#define LOG_FORM(x) ((x) - v_load(max + c)) - v_load(shift + c)
#define SCALED(x) (x) * v_load(shift + c)
#define EXP(x) v_exp((x) - v_load(max + c))
#define FINISH(whole, part) FOR_ROW(width, F(put)(out + c, whole), F(put_part)(out + c, width - c, part))
  const E *packed = buffer;
  for (ptrdiff_t k = 0; k < n; k++, in += stride, out += stride) {
    if (packs && log_form) {
      FINISH(LOG_FORM(v_load(packed + c)), LOG_FORM(v_load(packed + c)));
    } else if (packs) {
      FINISH(SCALED(v_load(packed + c)), SCALED(v_load(packed + c)));
    } else if (log_form) {
      FINISH(LOG_FORM(F(fetch)(in + c)), LOG_FORM(F(fetch_part)(in + c, width - c, 0)));
    } else {
      FINISH(SCALED(EXP(F(fetch)(in + c))), SCALED(EXP(F(fetch_part)(in + c, width - c, 0))));
    }
    if (packs) packed += row;
  }
#undef LOG_FORM
#undef SCALED
#undef EXP
#undef FINISH
}

__attribute__((noinline)) static void F(backward_tile)(const S *grad, const S *y, S *grad_in, ptrdiff_t n,
                                                       ptrdiff_t stride, ptrdiff_t width, int log_form) {
  E sum[SOFTMAX_TILE] = {0};
  double total[SOFTMAX_TILE] = {0};
#define ADD(g, v) v_store(sum + c, v_load(sum + c) + (log_form ? (g) : (g) * (v)))
#define FINISH(g, v) (log_form ? (g) - v_exp(v) * v_load(sum + c) : ((g) - v_load(sum + c)) * (v))
  for (ptrdiff_t k = 0; k < n; k++) {
    const S *g = grad + k * stride, *v = y + k * stride;
    FOR_ROW(width, ADD(F(fetch)(g + c), F(fetch)(v + c)),
            ADD(F(fetch_part)(g + c, width - c, 0), F(fetch_part)(v + c, width - c, 0)));
    if (k % SOFTMAX_ROWS != SOFTMAX_ROWS - 1 && k != n - 1) continue;
    for (ptrdiff_t c = 0; c < width; c++) total[c] += (double)sum[c], sum[c] = 0;
  }
  for (ptrdiff_t c = 0; c < width; c++) sum[c] = (E)total[c];
  for (ptrdiff_t k = 0; k < n; k++) {
    const S *g = grad + k * stride, *v = y + k * stride;
    S *to = grad_in + k * stride;
    FOR_ROW(width, F(put)(to + c, FINISH(F(fetch)(g + c), F(fetch)(v + c))),
            F(put_part)(to + c, width - c,
                        FINISH(F(fetch_part)(g + c, width - c, 0), F(fetch_part)(v + c, width - c, 0))));
  }
#undef ADD
#undef FINISH
}
