// tc_lstm_cell and its backward.
#include "lines.h"
#include "parallel.h"
#include "status.h"
#include "vmath.h"

// Elements of the state worth sending to another thread: some 20 nanoseconds each vector.
#define GRAIN 1024

// Whole vectors first, then the part of one at the end of the row.
#define LSTM_CELL(S, V, L, T)                                                                                       \
  TC_INLINE void forward_at_##T(V i, V f, V g, V o, V c, V *sums) {                                                 \
    sums[0] = v_sigmoid(i), sums[1] = v_sigmoid(f), sums[2] = v_tanh(g), sums[3] = v_sigmoid(o);                     \
    sums[4] = sums[1] * c + sums[0] * sums[2];                                                                      \
    sums[5] = sums[3] * v_tanh(sums[4]);                                                                            \
  }                                                                                                                 \
                                                                                                                    \
  static void forward_##T(void *ctx, int64_t begin, int64_t end, int thread) {                                      \
    (void)thread;                                                                                                   \
    const tc_lstm_cell_args *a = ctx;                                                                               \
    const ptrdiff_t n = (ptrdiff_t)a->hidden;                                                                       \
    for (ptrdiff_t r = (ptrdiff_t)begin; r < end; r++) {                                                            \
      S *x = TC_PTR(S, a->gates) + 4 * r * n;                                                                       \
      const S *before = TC_PTR(const S, a->c_prev) + r * n;                                                         \
      S *c = TC_PTR(S, a->c) + r * n, *h = TC_PTR(S, a->h) + r * n;                                                 \
      ptrdiff_t j = 0;                                                                                              \
      V out[6];                                                                                                     \
      for (; j + L <= n; j += L) {                                                                                  \
        forward_at_##T(v_load(x + j), v_load(x + n + j), v_load(x + 2 * n + j), v_load(x + 3 * n + j),              \
                       v_load(before + j), out);                                                                    \
        for (int q = 0; q < 4; q++) v_store(x + q * n + j, out[q]);                                                 \
        v_store(c + j, out[4]);                                                                                     \
        v_store(h + j, out[5]);                                                                                     \
      }                                                                                                             \
      if (j == n) continue;                                                                                         \
      V in[4];                                                                                                      \
      for (int q = 0; q < 4; q++) in[q] = fetch_part_##T(x + q * n + j, n - j, 0);                                  \
      forward_at_##T(in[0], in[1], in[2], in[3], fetch_part_##T(before + j, n - j, 0), out);                        \
      for (int q = 0; q < 4; q++) put_part_##T(x + q * n + j, n - j, out[q]);                                       \
      put_part_##T(c + j, n - j, out[4]);                                                                           \
      put_part_##T(h + j, n - j, out[5]);                                                                           \
    }                                                                                                               \
  }                                                                                                                 \
                                                                                                                    \
  /* x: the activations, then the gradients of the sums; returns the gradient of c_prev. */                         \
  TC_INLINE V backward_at_##T(V *x, V before, V c, V dh, V dc) {                                                    \
    const V one = v_set_##T(1), i = x[0], f = x[1], g = x[2], o = x[3], t = v_tanh(c);                              \
    dc += dh * o * (one - t * t);                                                                                   \
    x[0] = dc * g * i * (one - i);                                                                                  \
    x[1] = dc * before * f * (one - f);                                                                             \
    x[2] = dc * i * (one - g * g);                                                                                  \
    x[3] = dh * t * o * (one - o);                                                                                  \
    return dc * f;                                                                                                  \
  }                                                                                                                 \
                                                                                                                    \
  static void backward_##T(void *ctx, int64_t begin, int64_t end, int thread) {                                     \
    (void)thread;                                                                                                   \
    const tc_lstm_cell_args *a = ctx;                                                                               \
    const ptrdiff_t n = (ptrdiff_t)a->hidden;                                                                       \
    for (ptrdiff_t r = (ptrdiff_t)begin; r < end; r++) {                                                            \
      const S *x = TC_PTR(const S, a->gates) + 4 * r * n, *before = TC_PTR(const S, a->c_prev) + r * n;             \
      const S *c = TC_PTR(const S, a->c) + r * n, *dh = TC_PTR(const S, a->dh) + r * n;                             \
      const S *more = a->dc_more ? TC_PTR(const S, a->dc_more) + r * n : NULL;                                      \
      S *dx = TC_PTR(S, a->dgates) + 4 * r * n, *dc = TC_PTR(S, a->dc) + r * n;                                     \
      ptrdiff_t j = 0;                                                                                              \
      V v[4];                                                                                                       \
      for (; j + L <= n; j += L) {                                                                                  \
        for (int q = 0; q < 4; q++) v[q] = v_load(x + q * n + j);                                                   \
        V d = v_load(dc + j);                                                                                       \
        if (more) d += v_load(more + j);                                                                            \
        v_store(dc + j, backward_at_##T(v, v_load(before + j), v_load(c + j), v_load(dh + j), d));                  \
        for (int q = 0; q < 4; q++) v_store(dx + q * n + j, v[q]);                                                  \
      }                                                                                                             \
      const ptrdiff_t left = n - j;                                                                                 \
      if (left == 0) continue;                                                                                      \
      for (int q = 0; q < 4; q++) v[q] = fetch_part_##T(x + q * n + j, left, 0);                                    \
      V d = fetch_part_##T(dc + j, left, 0);                                                                        \
      if (more) d += fetch_part_##T(more + j, left, 0);                                                             \
      put_part_##T(dc + j, left,                                                                                    \
                   backward_at_##T(v, fetch_part_##T(before + j, left, 0), fetch_part_##T(c + j, left, 0),          \
                                   fetch_part_##T(dh + j, left, 0), d));                                            \
      for (int q = 0; q < 4; q++) put_part_##T(dx + q * n + j, left, v[q]);                                         \
    }                                                                                                               \
  }
LSTM_CELL(float, vf32, 4, f32)
LSTM_CELL(double, vf64, 2, f64)
#undef LSTM_CELL

static int32_t launch(const tc_lstm_cell_args *a, tc_range_fn f32, tc_range_fn f64) {
  if (a->dtype != TC_F32 && a->dtype != TC_F64) return tc_unsupported(a->dtype);
  if (a->hidden == 0) return TC_OK;
  tc_parallel_for(a->rows, 1 + GRAIN / a->hidden, a->dtype == TC_F32 ? f32 : f64, (void *)(uintptr_t)a);
  return TC_OK;
}

int32_t tc_lstm_cell(const tc_lstm_cell_args *a) { return launch(a, forward_f32, forward_f64); }

int32_t tc_lstm_cell_backward(const tc_lstm_cell_args *a) { return launch(a, backward_f32, backward_f64); }
