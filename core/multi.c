// tc_multi: arithmetic over a list of tensors (gradient clipping and unscaling, averaged models).
#include <math.h>
#include <stdbool.h>

#include "lines.h"
#include "numbers.h"
#include "parallel.h"
#include "status.h"

typedef struct { vf64 v[2]; } double_lanes;
TC_WORD double_lanes widened(vf32 x) { return (double_lanes){{v_widen_low(x), v_widen_high(x)}}; }
TC_WORD double_lanes widened(vf64 x) { return (double_lanes){{x, v_set_f64(0)}}; }

#define TC_FLOAT_TEMPLATE "multi_impl.h"
#include "each_float.h"

// The list as blocks, none of which crosses from one tensor into the next; each has a partial result.
#define BLOCK 4096

static inline int64_t blocks_of(const tc_multi_tensor *t) { return (t->n + BLOCK - 1) / BLOCK; }

static bool measures(int64_t op) {
  return op == TC_MULTI_SUMSQ || op == TC_MULTI_SUMABS || op == TC_MULTI_MAXABS || op == TC_MULTI_UNSCALE;
}

static void run_block(const tc_multi_args *a, const tc_multi_tensor *t, int64_t from, double *part) {
  const int64_t n = t->n - from < BLOCK ? t->n - from : BLOCK, size = tc_dtype_size(t->dtype);
  void *x = TC_PTR(char, t->x) + from * size;
  const void *y = t->y ? TC_PTR(const char, t->y) + from * size : NULL;
  if (a->op == TC_MULTI_ZERO) {
    memset(x, 0, (size_t)(n * size));
    return;
  }
#define RUN(suffix)                                                                       \
  if (a->op == TC_MULTI_UNSCALE) *part = finite_##suffix(x, n) ? 0 : 1;                   \
  else if (measures(a->op)) *part = measure_##suffix(a->op, x, n);                        \
  if (a->op == TC_MULTI_UNSCALE || !measures(a->op)) change_##suffix(a->op, x, y, n, a->value); \
  break;
  switch (t->dtype) {
    case TC_F32: RUN(f32)
    case TC_F64: RUN(f64)
    case TC_F16: RUN(f16)
    default: RUN(bf16)
  }
#undef RUN
}

static void run_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_multi_args *a = ctx;
  const tc_multi_tensor *t = TC_PTR(const tc_multi_tensor, a->tensors);
  double *parts = TC_PTR(double, a->scratch);
  int64_t first = 0;  // block of t
  for (int64_t b = begin; b < end; b++) {
    for (; b >= first + blocks_of(t); t++) first += blocks_of(t);
    run_block(a, t, (b - first) * BLOCK, parts + b);
  }
}

static int64_t all_blocks(const tc_multi_args *a) {
  int64_t blocks = 0;
  for (int64_t i = 0; i < a->count; i++) blocks += blocks_of(&TC_PTR(const tc_multi_tensor, a->tensors)[i]);
  return blocks;
}

int64_t tc_multi_scratch(const tc_multi_args *a) {
  return measures(a->op) ? all_blocks(a) * (int64_t)sizeof(double) : 0;
}

// The larger; NaN if either is.
static double larger(double x, double y) { return x != x || x > y ? x : y; }

int32_t tc_multi(const tc_multi_args *a) {
  const tc_multi_tensor *tensors = TC_PTR(const tc_multi_tensor, a->tensors);
  for (int64_t i = 0; i < a->count; i++) {
    if (a->op != TC_MULTI_ZERO && !tc_is_floating(tensors[i].dtype)) return tc_unsupported(tensors[i].dtype);
  }
  tc_parallel_for(all_blocks(a), 4, run_blocks, (void *)(uintptr_t)a);
  if (!measures(a->op)) return TC_OK;
  const double *part = TC_PTR(const double, a->scratch);
  double *out = TC_PTR(double, a->out);
  double any = 0;
  for (int64_t i = 0; i < a->count; i++) {
    double sum = 0;
    for (int64_t b = blocks_of(&tensors[i]); b > 0; b--, part++) {
      sum = a->op == TC_MULTI_MAXABS ? larger(*part, sum) : sum + *part;
    }
    if (a->op == TC_MULTI_UNSCALE) any = any != 0 || sum != 0; else out[i] = sum;
  }
  if (a->op == TC_MULTI_UNSCALE) out[0] = any;
  return TC_OK;
}
