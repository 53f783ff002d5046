// Batch, layer and group normalisation: tc_norm.h. Variances take two passes; sums of lines are kept in float64.
#include <math.h>
#include <string.h>

#include "lines.h"
#include "numbers.h"
#include "parallel.h"
#include "status.h"

#define NORM_RUN 1024  // elements summed in the vector type before they go into float64
#define TC_FLOAT_TEMPLATE "norm_impl.h"
#include "each_float.h"

// Calls the template's function for a dtype, with x and the other S pointers as void.
#define BY_DTYPE(dtype, call)                                        \
  switch (dtype) {                                                   \
    case TC_F32: { typedef float S; call(f32) } break;               \
    case TC_F64: { typedef double S; call(f64) } break;              \
    case TC_F16: { typedef uint16_t S; call(f16) } break;            \
    default: { typedef uint16_t S; call(bf16) } break;               \
  }

static double line_sum(int64_t dtype, const void *x, int64_t n) {
#define CALL(suffix) return line_sum_##suffix((const S *)x, n);
  BY_DTYPE(dtype, CALL)
#undef CALL
  return 0;
}
static double line_spread(int64_t dtype, const void *x, int64_t n, double mean) {
#define CALL(suffix) return line_spread_##suffix((const S *)x, n, mean);
  BY_DTYPE(dtype, CALL)
#undef CALL
  return 0;
}
static void line_dots(int64_t dtype, const void *g, const void *x, int64_t n, double mean, double *sum, double *dot) {
#define CALL(suffix) line_dots_##suffix((const S *)g, (const S *)x, n, mean, sum, dot);
  BY_DTYPE(dtype, CALL)
#undef CALL
}
static void line_affine(int64_t dtype, const void *x, void *y, int64_t n, double scale, double shift) {
#define CALL(suffix) line_affine_##suffix((const S *)x, (S *)y, n, scale, shift);
  BY_DTYPE(dtype, CALL)
#undef CALL
}
static void line_combine(int64_t dtype, const void *g, const void *x, void *dx, int64_t n, double p, double q, double r) {
#define CALL(suffix) line_combine_##suffix((const S *)g, (const S *)x, (S *)dx, n, p, q, r);
  BY_DTYPE(dtype, CALL)
#undef CALL
}

static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t statistics_dtype(int64_t dtype) { return dtype == TC_F64 ? TC_F64 : TC_F32; }
static inline double number_or(uint64_t p, int64_t dtype, int64_t i, double otherwise) {
  return p == 0 ? otherwise : tc_number_at(TC_PTR(void, p), dtype, i);
}
static inline void put_if(uint64_t p, int64_t dtype, int64_t i, double x) {
  if (p != 0) tc_put_number(TC_PTR(void, p), dtype, i, x);
}
// A statistic as PyTorch keeps it before it goes on.
static inline double rounded(double x, int64_t dtype) { return dtype == TC_F32 ? (double)(float)x : x; }
static inline int64_t grain(int64_t work) { return larger(8192 / larger(work, 1), 1); }

// ---- batch normalisation: one channel at a time -----------------------------------------------------------------

static inline char *plane(const tc_batch_norm_args *a, uint64_t p, int64_t n, int64_t c) {
  return TC_PTR(char, p) + (n * a->channels + c) * a->spatial * tc_dtype_size(a->dtype);
}

static void batch_forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_batch_norm_args *a = ctx;
  const int64_t count = a->batch * a->spatial, stats = statistics_dtype(a->dtype);
  for (int64_t c = begin; c < end; c++) {
    double mean, invstd;
    if (a->training) {
      double sum = 0, spread = 0;
      for (int64_t n = 0; n < a->batch; n++) sum += line_sum(a->dtype, plane(a, a->x, n, c), a->spatial);
      mean = rounded(sum / (double)count, stats);
      for (int64_t n = 0; n < a->batch; n++) spread += line_spread(a->dtype, plane(a, a->x, n, c), a->spatial, mean);
      spread = rounded(spread, stats);
      const double var = spread / (double)count, m = a->momentum;
      invstd = 1 / sqrt(var + a->eps);
      put_if(a->save_mean, stats, c, mean);
      put_if(a->save_invstd, stats, c, invstd);
      if (a->running_mean) {
        put_if(a->running_mean, a->param_dtype, c, m * mean + (1 - m) * number_or(a->running_mean, a->param_dtype, c, 0));
      }
      if (a->running_var) {
        const double unbiased = spread / (double)(count - 1);
        put_if(a->running_var, a->param_dtype, c, m * unbiased + (1 - m) * number_or(a->running_var, a->param_dtype, c, 0));
      }
    } else {
      mean = number_or(a->running_mean, a->param_dtype, c, 0);
      invstd = 1 / sqrt(number_or(a->running_var, a->param_dtype, c, 1) + a->eps);
    }
    const double scale = invstd * number_or(a->weight, a->param_dtype, c, 1);
    const double shift = number_or(a->bias, a->param_dtype, c, 0) - mean * scale;
    for (int64_t n = 0; n < a->batch; n++) {
      line_affine(a->dtype, plane(a, a->x, n, c), plane(a, a->y, n, c), a->spatial, scale, shift);
    }
  }
}

static void batch_backward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_batch_norm_args *a = ctx;
  const int64_t stats = statistics_dtype(a->dtype);
  const double count = (double)(a->batch * a->spatial);
  for (int64_t c = begin; c < end; c++) {
    double mean, invstd, sum = 0, dot = 0;
    if (a->training) {
      mean = number_or(a->save_mean, stats, c, 0), invstd = number_or(a->save_invstd, stats, c, 1);
    } else {
      mean = number_or(a->running_mean, a->param_dtype, c, 0);
      invstd = 1 / sqrt(number_or(a->running_var, a->param_dtype, c, 1) + a->eps);
    }
    for (int64_t n = 0; n < a->batch; n++) {
      line_dots(a->dtype, plane(a, a->dy, n, c), plane(a, a->x, n, c), a->spatial, mean, &sum, &dot);
    }
    put_if(a->dweight, a->param_dtype, c, dot * invstd);
    put_if(a->dbias, a->param_dtype, c, sum);
    if (!a->dx) continue;
    // dx = (g - mean(g) - (x - mean) * invstd^2 * mean(g * (x - mean))) * invstd * w
    const double p = invstd * number_or(a->weight, a->param_dtype, c, 1);
    const double q = a->training ? -p * invstd * invstd * dot / count : 0;
    const double r = a->training ? -p * sum / count - q * mean : 0;
    for (int64_t n = 0; n < a->batch; n++) {
      line_combine(a->dtype, plane(a, a->dy, n, c), plane(a, a->x, n, c), plane(a, a->dx, n, c), a->spatial, p, q, r);
    }
  }
}

int64_t tc_batch_norm_scratch(const tc_batch_norm_args *a) { (void)a; return 0; }
int64_t tc_batch_norm_backward_scratch(const tc_batch_norm_args *a) { (void)a; return 0; }

int32_t tc_batch_norm(const tc_batch_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->channels, grain(a->batch * a->spatial), batch_forward, (void *)(uintptr_t)a);
  return TC_OK;
}

int32_t tc_batch_norm_backward(const tc_batch_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->channels, grain(a->batch * a->spatial), batch_backward, (void *)(uintptr_t)a);
  return TC_OK;
}

// ---- layer normalisation: one row at a time ----------------------------------------------------------------------

#define LAYER_BLOCK 512  // columns of weights that are converted at a time

// Weights [from, from + n) as the type that computes: the tensor's own memory where it has that type.
static const void *weights_of(uint64_t p, int64_t dtype, int64_t compute, int64_t from, int64_t n, void *buffer) {
  if (p == 0) return NULL;
  const char *at = TC_PTR(const char, p) + from * tc_dtype_size(dtype);
  if (dtype == compute) return at;
  tc_convert(buffer, compute, at, dtype, n);
  return buffer;
}

static void layer_forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_layer_norm_args *a = ctx;
  const int64_t n = a->cols, size = tc_dtype_size(a->dtype), stats = statistics_dtype(a->dtype);
  double wbuf[LAYER_BLOCK], bbuf[LAYER_BLOCK];
  for (int64_t row = begin; row < end; row++) {
    const char *x = TC_PTR(const char, a->x) + row * n * size;
    char *y = TC_PTR(char, a->y) + row * n * size;
    const double mean = line_sum(a->dtype, x, n) / (double)n;
    const double rstd = 1 / sqrt(line_spread(a->dtype, x, n, mean) / (double)n + a->eps);
    put_if(a->mean, stats, row, mean);
    put_if(a->rstd, stats, row, rstd);
    for (int64_t from = 0; from < n; from += LAYER_BLOCK) {
      const int64_t m = n - from < LAYER_BLOCK ? n - from : LAYER_BLOCK;
      const void *w = weights_of(a->weight, a->param_dtype, stats, from, m, wbuf);
      const void *b = weights_of(a->bias, a->param_dtype, stats, from, m, bbuf);
#define CALL(suffix) line_layer_##suffix((const S *)x + from, (S *)y + from, m, mean, rstd, w, b);
      BY_DTYPE(a->dtype, CALL)
#undef CALL
    }
  }
}

static void layer_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_layer_norm_args *a = ctx;
  const int64_t n = a->cols, size = tc_dtype_size(a->dtype), stats = statistics_dtype(a->dtype);
  double wbuf[LAYER_BLOCK];
  for (int64_t row = begin; row < end; row++) {
    const char *x = TC_PTR(const char, a->x) + row * n * size, *g = TC_PTR(const char, a->dy) + row * n * size;
    char *dx = TC_PTR(char, a->dx) + row * n * size;
    const double mean = number_or(a->mean, stats, row, 0), rstd = number_or(a->rstd, stats, row, 1);
    double sum = 0, dot = 0;
    for (int64_t from = 0; from < n; from += LAYER_BLOCK) {
      const int64_t m = n - from < LAYER_BLOCK ? n - from : LAYER_BLOCK;
      const void *w = weights_of(a->weight, a->param_dtype, stats, from, m, wbuf);
#define CALL(suffix) line_layer_dots_##suffix((const S *)g + from, (const S *)x + from, w, m, mean, &sum, &dot);
      BY_DTYPE(a->dtype, CALL)
#undef CALL
    }
    const double q = -rstd * rstd * rstd * dot / (double)n, r = -rstd * sum / (double)n - q * mean;
    for (int64_t from = 0; from < n; from += LAYER_BLOCK) {
      const int64_t m = n - from < LAYER_BLOCK ? n - from : LAYER_BLOCK;
      const void *w = weights_of(a->weight, a->param_dtype, stats, from, m, wbuf);
#define CALL(suffix) \
  line_layer_combine_##suffix((const S *)g + from, (const S *)x + from, w, (S *)dx + from, m, rstd, q, r);
      BY_DTYPE(a->dtype, CALL)
#undef CALL
    }
  }
}

// Gradients of weight and bias: blocks of columns, each over all rows, so that no two threads add to one place.
#define PARAM_BLOCK 128
static void layer_params(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_layer_norm_args *a = ctx;
  const int64_t n = a->cols, stats = statistics_dtype(a->dtype);
  double dw[PARAM_BLOCK], db[PARAM_BLOCK];
  for (int64_t block = begin; block < end; block++) {
    const int64_t from = block * PARAM_BLOCK, m = n - from < PARAM_BLOCK ? n - from : PARAM_BLOCK;
    memset(dw, 0, sizeof dw), memset(db, 0, sizeof db);
    for (int64_t row = 0; row < a->rows; row++) {
      const double mean = number_or(a->mean, stats, row, 0), rstd = number_or(a->rstd, stats, row, 1);
      const int64_t at = row * n + from;
#define CALL(suffix) \
  row_params_##suffix(TC_PTR(const S, a->dy) + at, TC_PTR(const S, a->x) + at, m, mean, rstd, (void *)dw, (void *)db);
      BY_DTYPE(a->dtype, CALL)
#undef CALL
    }
    const int64_t size = tc_dtype_size(a->param_dtype);
    if (a->dweight) tc_convert(TC_PTR(char, a->dweight) + from * size, a->param_dtype, dw, stats, m);
    if (a->dbias) tc_convert(TC_PTR(char, a->dbias) + from * size, a->param_dtype, db, stats, m);
  }
}

int32_t tc_layer_norm(const tc_layer_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->rows, grain(a->cols), layer_forward, (void *)(uintptr_t)a);
  return TC_OK;
}

int64_t tc_layer_norm_backward_scratch(const tc_layer_norm_args *a) { (void)a; return 0; }

int32_t tc_layer_norm_backward(const tc_layer_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  if (a->dx) tc_parallel_for(a->rows, grain(a->cols), layer_rows, (void *)(uintptr_t)a);
  if (a->dweight || a->dbias) {
    tc_parallel_for((a->cols + PARAM_BLOCK - 1) / PARAM_BLOCK, 1, layer_params, (void *)(uintptr_t)a);
  }
  return TC_OK;
}

// ---- group normalisation: one group of one sample at a time -------------------------------------------------------

static inline char *channel(const tc_group_norm_args *a, uint64_t p, int64_t nc) {
  return TC_PTR(char, p) + nc * a->spatial * tc_dtype_size(a->dtype);
}

static void group_forward(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_group_norm_args *a = ctx;
  const int64_t width = a->channels / a->groups, count = width * a->spatial, stats = statistics_dtype(a->dtype);
  for (int64_t ng = begin; ng < end; ng++) {
    const void *x = channel(a, a->x, ng * width);
    const double mean = line_sum(a->dtype, x, count) / (double)count;
    const double rstd = 1 / sqrt(line_spread(a->dtype, x, count, mean) / (double)count + a->eps);
    put_if(a->mean, stats, ng, mean);
    put_if(a->rstd, stats, ng, rstd);
    for (int64_t k = 0; k < width; k++) {
      const int64_t c = ng % a->groups * width + k;
      const double scale = rstd * number_or(a->weight, a->param_dtype, c, 1);
      const double shift = number_or(a->bias, a->param_dtype, c, 0) - mean * scale;
      line_affine(a->dtype, channel(a, a->x, ng * width + k), channel(a, a->y, ng * width + k), a->spatial, scale, shift);
    }
  }
}

// Scratch: for each sample and channel the sums of g and of g * (x - mean).
static void group_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_group_norm_args *a = ctx;
  const int64_t width = a->channels / a->groups, stats = statistics_dtype(a->dtype);
  const double count = (double)(width * a->spatial);
  double *sums = TC_PTR(double, a->scratch);
  for (int64_t ng = begin; ng < end; ng++) {
    const double mean = number_or(a->mean, stats, ng, 0), rstd = number_or(a->rstd, stats, ng, 1);
    double sum = 0, dot = 0;
    for (int64_t k = 0; k < width; k++) {
      const int64_t nc = ng * width + k;
      double s = 0, d = 0;
      line_dots(a->dtype, channel(a, a->dy, nc), channel(a, a->x, nc), a->spatial, mean, &s, &d);
      sums[2 * nc] = s, sums[2 * nc + 1] = d * rstd;
      const double w = number_or(a->weight, a->param_dtype, ng % a->groups * width + k, 1);
      sum += s * w, dot += d * w;
    }
    if (!a->dx) continue;
    const double q = -rstd * rstd * rstd * dot / count, r = -rstd * sum / count - q * mean;
    for (int64_t k = 0; k < width; k++) {
      const int64_t nc = ng * width + k;
      const double w = number_or(a->weight, a->param_dtype, ng % a->groups * width + k, 1);
      line_combine(a->dtype, channel(a, a->dy, nc), channel(a, a->x, nc), channel(a, a->dx, nc), a->spatial, rstd * w, q, r);
    }
  }
}

int32_t tc_group_norm(const tc_group_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->batch * a->groups, grain(a->channels / a->groups * a->spatial), group_forward, (void *)(uintptr_t)a);
  return TC_OK;
}

int64_t tc_group_norm_backward_scratch(const tc_group_norm_args *a) {
  return larger(2 * a->batch * a->channels * (int64_t)sizeof(double), 8);
}

int32_t tc_group_norm_backward(const tc_group_norm_args *a) {
  if (!tc_is_floating(a->dtype)) return tc_unsupported(a->dtype);
  tc_parallel_for(a->batch * a->groups, grain(a->channels / a->groups * a->spatial), group_rows, (void *)(uintptr_t)a);
  const double *sums = TC_PTR(const double, a->scratch);
  for (int64_t c = 0; c < a->channels; c++) {
    double sum = 0, dot = 0;
    for (int64_t n = 0; n < a->batch; n++) sum += sums[2 * (n * a->channels + c)], dot += sums[2 * (n * a->channels + c) + 1];
    put_if(a->dweight, a->param_dtype, c, dot);
    put_if(a->dbias, a->param_dtype, c, sum);
  }
  return TC_OK;
}
