// The operations of tc_multi on n elements of one pair of tensors. A template of each_float.h.

// x = `value`, computed of x (and y).
#define EACH_XY(value)                                              \
  for (int64_t i = 0; i < n; i += L) {                              \
    if (n - i >= L) {                                               \
      const T x = F(fetch)(px + i), y = F(fetch)(py + i);           \
      F(put)(px + i, (value));                                      \
    } else {                                                        \
      const T x = F(fetch_part)(px + i, n - i, 0);                  \
      const T y = F(fetch_part)(py + i, n - i, 0);                  \
      F(put_part)(px + i, n - i, (value));                          \
    }                                                               \
  }
#define EACH_X(value)                                               \
  for (int64_t i = 0; i < n; i += L) {                              \
    if (n - i >= L) {                                               \
      const T x = F(fetch)(px + i);                                 \
      F(put)(px + i, (value));                                      \
    } else {                                                        \
      const T x = F(fetch_part)(px + i, n - i, 0);                  \
      F(put_part)(px + i, n - i, (value));                          \
    }                                                               \
  }

__attribute__((noinline)) static void F(change)(int64_t op, S *px, const S *py, int64_t n, double number) {
  const T a = SPLAT(number), rest = SPLAT(1 - number);
  switch (op) {
    case TC_MULTI_AXPY: EACH_XY(v_fma(y, a, x)) break;
    case TC_MULTI_LERP:  // torch.lerp: from the nearer end
      if (number < 0.5) EACH_XY(v_fma(a, y - x, x)) else EACH_XY(y - (y - x) * rest)
      break;
    case TC_MULTI_CLAMP: EACH_X(v_min(v_max(x, -a), a)) break;
    default: EACH_X(x * a)
  }
}
#undef EACH_XY
#undef EACH_X

// In float64, so that neither length nor size of the numbers matters.
__attribute__((noinline)) static double F(measure)(int64_t op, const S *px, int64_t n) {
  vf64 sum[2] = {v_set_f64(0), v_set_f64(0)};
  T largest = SPLAT(0);
  for (int64_t i = 0; i < n; i += L) {
    const T x = v_abs(n - i >= L ? F(fetch)(px + i) : F(fetch_part)(px + i, n - i, 0));
    if (op == TC_MULTI_MAXABS) {
      largest = v_maximum(largest, x);
    } else {
      double_lanes w = widened(x);
      for (int h = 0; h < 2; h++) sum[h] += op == TC_MULTI_SUMSQ ? w.v[h] * w.v[h] : w.v[h];
    }
  }
  if (op != TC_MULTI_MAXABS) return v_sum(sum[0] + sum[1]);
  for (int l = 0; l < L; l++) {
    if (largest[l] != largest[l]) return NAN;
  }
  return (double)v_largest(largest);
}

__attribute__((noinline)) static bool F(finite)(const S *px, int64_t n) {
  T bad = SPLAT(0);  // becomes NaN
  for (int64_t i = 0; i < n; i += L) {
    const T x = n - i >= L ? F(fetch)(px + i) : F(fetch_part)(px + i, n - i, 0);
    bad += x - x;
  }
  return v_sum(bad) == 0;
}
