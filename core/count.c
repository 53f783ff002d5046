// tc_one_hot, tc_bincount, tc_histc.
#include <stddef.h>
#include <string.h>

#include "convert.h"
#include "indices.h"

#define BLOCK 512

int32_t tc_one_hot(const tc_one_hot_args *a) {
  const int64_t *in = TC_PTR(const int64_t, a->in);
  int64_t *out = TC_PTR(int64_t, a->out);
  const int32_t status = tc_check_indices(in, TC_I64, a->n, a->classes, false, 0);
  if (status != TC_OK || a->n * a->classes == 0) return status;
  memset(out, 0, (size_t)(a->n * a->classes) * sizeof *out);
  for (int64_t i = 0; i < a->n; i++) out[i * a->classes + in[i]] = 1;
  return TC_OK;
}

static inline int64_t block_size(int64_t n, int64_t start) { return n - start < BLOCK ? n - start : BLOCK; }

int32_t tc_bincount(const tc_bincount_args *a) {
  const int64_t size = tc_dtype_size(a->dtype);
  int64_t value[BLOCK];
  for (int64_t start = 0; start < a->n; start += BLOCK) {
    const int64_t n = block_size(a->n, start);
    tc_convert(value, TC_I64, TC_PTR(const char, a->in) + start * size, a->dtype, n);
    if (tc_indices_lie_in(value, 1, n, 0, a->bins)) continue;
    int64_t i = 0;
    while (value[i] >= 0 && value[i] < a->bins) i++;
    return tc_bad_index(value[i], a->bins, start + i, 0);
  }
  if (a->bins > 0) memset(TC_PTR(void, a->out), 0, (size_t)(a->bins * (a->weights ? tc_dtype_size(a->weights_dtype) : 8)));
  for (int64_t start = 0; start < a->n; start += BLOCK) {
    const int64_t n = block_size(a->n, start);
    tc_convert(value, TC_I64, TC_PTR(const char, a->in) + start * size, a->dtype, n);
    if (!a->weights) {
      int64_t *out = TC_PTR(int64_t, a->out);
      for (int64_t i = 0; i < n; i++) out[value[i]]++;
    } else if (a->weights_dtype == TC_F32) {
      float *out = TC_PTR(float, a->out);
      const float *w = TC_PTR(const float, a->weights) + start;
      for (int64_t i = 0; i < n; i++) out[value[i]] += w[i];
    } else {
      double *out = TC_PTR(double, a->out);
      const double *w = TC_PTR(const double, a->weights) + start;
      for (int64_t i = 0; i < n; i++) out[value[i]] += w[i];
    }
  }
  return TC_OK;
}

// PyTorch's formula (native/cpu/HistogramKernel.cpp), in the dtype: which bin a value near an edge falls into
// depends on its rounding.
#define HISTC(T)                                                                            \
  {                                                                                         \
    const T *in = TC_PTR(const T, a->in), *w = TC_PTR(const T, a->weights);                 \
    T *out = TC_PTR(T, a->out);                                                             \
    const T min = (T)a->min, max = (T)a->max;                                               \
    for (int64_t k = 0; k < a->bins; k++) out[k] = 0;                                       \
    for (int64_t i = 0; i < a->n; i++) {                                                    \
      if (!(in[i] >= min && in[i] <= max)) continue;                                        \
      int64_t k = (int64_t)((in[i] - min) / (max - min) * (T)a->bins);                      \
      if (k >= a->bins) k = a->bins - 1;                                                    \
      out[k] += w ? w[i] : 1;                                                               \
    }                                                                                       \
    return TC_OK;                                                                           \
  }

int32_t tc_histc(const tc_histc_args *a) {
  switch (a->dtype) {
    case TC_F32: HISTC(float)
    case TC_F64: HISTC(double)
    default: return tc_unsupported(a->dtype);
  }
}
