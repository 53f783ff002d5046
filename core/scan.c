// Cumulative operators along one dimension. As in PyTorch's CPU kernels, float32 (and the half types) accumulate in
// float64 and each prefix is rounded once.
#include <math.h>

#include "convert.h"
#include "include/tc.h"
#include "parallel.h"

enum {
  COLUMNS = 64,    // neighbouring lines along the inner dimension that are scanned together
  BLOCK = 256,     // elements of a contiguous line that are converted at a time
  GRAIN = 16384,
};

typedef struct {
  const tc_scan_args *a;
  int64_t wide;    // the dtype that accumulates: float64 or int64
  int64_t in_size, out_size;
  int64_t columns, column_tiles;
} job;

typedef union { double f; int64_t i; } value;

// acc[c] <- acc[c] and x[c]; at[c], where there are indices, is the place of the extreme.
typedef void (*step_fn)(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row);

static void step_sum_f(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row) {
  (void)at, (void)row;
  for (int64_t c = 0; c < n; c++) acc[c].f += x[c].f;
}
static void step_sum_i(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row) {
  (void)at, (void)row;
  for (int64_t c = 0; c < n; c++) acc[c].i = (int64_t)((uint64_t)acc[c].i + (uint64_t)x[c].i);
}
static void step_prod_f(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row) {
  (void)at, (void)row;
  for (int64_t c = 0; c < n; c++) acc[c].f *= x[c].f;
}
static void step_prod_i(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row) {
  (void)at, (void)row;
  for (int64_t c = 0; c < n; c++) acc[c].i = (int64_t)((uint64_t)acc[c].i * (uint64_t)x[c].i);
}
// The last of equal values; a NaN stays until the next NaN.
#define STEP_EXTREME(name, op)                                                                               \
  static void step_##name##_f(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, \
                              int64_t row) {                                                                 \
    for (int64_t c = 0; c < n; c++) {                                                                        \
      if (row == 0 || x[c].f != x[c].f || x[c].f op acc[c].f) {                                              \
        acc[c] = x[c];                                                                                       \
        at[c] = row;                                                                                         \
      }                                                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  static void step_##name##_i(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, \
                              int64_t row) {                                                                 \
    for (int64_t c = 0; c < n; c++) {                                                                        \
      if (row == 0 || x[c].i op acc[c].i) {                                                                  \
        acc[c] = x[c];                                                                                       \
        at[c] = row;                                                                                         \
      }                                                                                                      \
    }                                                                                                        \
  }
STEP_EXTREME(max, >=)
STEP_EXTREME(min, <=)
static void step_logsumexp_f(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n,
                             int64_t row) {
  (void)at, (void)row;
  for (int64_t c = 0; c < n; c++) {
    double a = x[c].f, b = acc[c].f;
    double low = a < b || a != a ? a : b, high = a < b ? b : a;
    if (low != low || high != high) acc[c].f = NAN;
    else if (low != high || fabs(low) < INFINITY) acc[c].f = log1p(exp(low - high)) + high;
    else acc[c].f = high;
  }
}

static const step_fn steps[][2] = {
    [TC_SCAN_SUM] = {step_sum_f, step_sum_i},
    [TC_SCAN_PROD] = {step_prod_f, step_prod_i},
    [TC_SCAN_MAX] = {step_max_f, step_max_i},
    [TC_SCAN_MIN] = {step_min_f, step_min_i},
    [TC_SCAN_LOGSUMEXP] = {step_logsumexp_f, 0},
};

static value start_of(const job *j) {
  int floats = j->wide == TC_F64;
  switch (j->a->op) {
    case TC_SCAN_PROD: return floats ? (value){.f = 1} : (value){.i = 1};
    case TC_SCAN_LOGSUMEXP: return (value){.f = -INFINITY};
    default: return (value){.i = 0};
  }
}

// A tile of lines: rows along n, `columns` of them side by side.
static void scan_columns(const job *j, int64_t outer, int64_t column, int64_t columns) {
  const tc_scan_args *a = j->a;
  step_fn step = steps[a->op][j->wide == TC_I64];
  value acc[COLUMNS], x[COLUMNS];
  int64_t at[COLUMNS];
  for (int64_t c = 0; c < columns; c++) {
    acc[c] = start_of(j);
    at[c] = 0;
  }
  int64_t place = outer * a->n * a->inner + column;
  for (int64_t row = 0; row < a->n; row++, place += a->inner) {
    tc_convert(x, j->wide, TC_PTR(const char, a->in) + place * j->in_size, a->in_dtype, columns);
    step(acc, x, at, columns, row);
    tc_convert(TC_PTR(char, a->out) + place * j->out_size, a->out_dtype, acc, j->wide, columns);
    if (a->indices != 0) memcpy(TC_PTR(int64_t, a->indices) + place, at, (size_t)columns * sizeof(int64_t));
  }
}

// One contiguous line, block by block.
static void scan_line(const job *j, int64_t outer) {
  const tc_scan_args *a = j->a;
  step_fn step = steps[a->op][j->wide == TC_I64];
  value acc = start_of(j), x[BLOCK];
  int64_t at = 0, places[BLOCK];
  for (int64_t row = 0; row < a->n; row += BLOCK) {
    int64_t m = a->n - row < BLOCK ? a->n - row : BLOCK, place = outer * a->n + row;
    tc_convert(x, j->wide, TC_PTR(const char, a->in) + place * j->in_size, a->in_dtype, m);
    if (a->op == TC_SCAN_SUM && j->wide == TC_F64) {
      for (int64_t i = 0; i < m; i++) x[i].f = acc.f += x[i].f;
    } else {
      for (int64_t i = 0; i < m; i++) {
        step(&acc, &x[i], &at, 1, row + i);
        x[i] = acc;
        places[i] = at;
      }
    }
    tc_convert(TC_PTR(char, a->out) + place * j->out_size, a->out_dtype, x, j->wide, m);
    if (a->indices != 0) memcpy(TC_PTR(int64_t, a->indices) + place, places, (size_t)m * sizeof(int64_t));
  }
}

static void scan_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  for (int64_t t = begin; t < end; t++) {
    if (j->a->inner == 1) {
      scan_line(j, t);
      continue;
    }
    int64_t column = t % j->column_tiles * j->columns, left = j->a->inner - column;
    scan_columns(j, t / j->column_tiles, column, left < j->columns ? left : j->columns);
  }
}

int32_t tc_scan(const tc_scan_args *a) {
  job j = {.a = a, .in_size = tc_dtype_size(a->in_dtype), .out_size = tc_dtype_size(a->out_dtype)};
  j.wide = a->compute == TC_F32 || a->compute == TC_F64 ? TC_F64 : TC_I64;
  if ((j.wide == TC_I64 && a->compute != TC_I64) || steps[a->op][j.wide == TC_I64] == 0) {
    tc_error_info[0] = a->compute;
    tc_error_info[1] = a->op;
    return TC_UNSUPPORTED;
  }
  if (a->outer * a->n * a->inner == 0) return TC_OK;
  j.columns = a->inner < COLUMNS ? a->inner : COLUMNS;
  j.column_tiles = (a->inner + j.columns - 1) / j.columns;
  tc_parallel_for(a->outer * j.column_tiles, 1 + GRAIN / (a->n * j.columns), scan_tiles, &j);
  return TC_OK;
}
