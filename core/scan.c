// Cumulative operators along one dimension. As in PyTorch's CPU kernels, float32 (and the half types) accumulate in
// float64 and each prefix is rounded once.
#include <math.h>

#include "convert.h"
#include "include/tc.h"
#include "parallel.h"

enum {
  COLUMNS = 256,   // neighbouring lines along the inner dimension that are scanned together
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

// acc <- acc and x, the element in place `row`; at, where there are indices, is the place of the extreme.
#define NEXT(name, ...)                                                                                      \
  TC_INLINE void next_##name(value *restrict acc, value x, int64_t *restrict at, int64_t row) {              \
    (void)at, (void)row;                                                                                     \
    __VA_ARGS__                                                                                              \
  }
NEXT(sum_f, acc->f += x.f;)
NEXT(sum_i, acc->i = (int64_t)((uint64_t)acc->i + (uint64_t)x.i);)
NEXT(prod_f, acc->f *= x.f;)
NEXT(prod_i, acc->i = (int64_t)((uint64_t)acc->i * (uint64_t)x.i);)
// The last of equal values; a NaN stays until the next NaN. A new extreme is rare in a long line, and a jump that is
// not taken costs less than carrying the comparison's outcome along: the empty statement keeps the jump a jump.
#define NEW_EXTREME(condition)                  \
  if (__builtin_expect(condition, 0)) {         \
    __asm__ volatile("");                       \
    *acc = x;                                   \
    *at = row;                                  \
  }
NEXT(max_f, NEW_EXTREME(!(acc->f > x.f) && (x.f >= acc->f || x.f != x.f)))
NEXT(max_i, NEW_EXTREME(x.i >= acc->i))
NEXT(min_f, NEW_EXTREME(!(acc->f < x.f) && (x.f <= acc->f || x.f != x.f)))
NEXT(min_i, NEW_EXTREME(x.i <= acc->i))
NEXT(logsumexp_f, {
  double a = x.f, b = acc->f;
  double low = a < b || a != a ? a : b, high = a < b ? b : a;
  if (low != low || high != high) acc->f = NAN;
  else if (low != high || fabs(low) < INFINITY) acc->f = log1p(exp(low - high)) + high;
  else acc->f = high;
})

// One step of n lines that lie side by side, and n steps of one line.
typedef struct {
  void (*across)(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n, int64_t row);
  void (*along)(value *restrict acc, value *restrict x, int64_t *restrict at, int64_t *restrict places, int64_t n,
                int64_t row);
} scan_fn;
#define SCAN(name, has_places)                                                                                         \
  static void across_##name(value *restrict acc, const value *restrict x, int64_t *restrict at, int64_t n,   \
                            int64_t row) {                                                                   \
    for (int64_t c = 0; c < n; c++) next_##name(&acc[c], x[c], &at[c], row);                                 \
  }                                                                                                          \
  static void along_##name(value *restrict acc, value *restrict x, int64_t *restrict at,                     \
                           int64_t *restrict places, int64_t n, int64_t row) {                               \
    value a = *acc;                                                                                          \
    int64_t place = *at;                                                                                     \
    for (int64_t i = 0; i < n; i++) {                                                                        \
      next_##name(&a, x[i], &place, row + i);                                                                \
      x[i] = a;                                                                                              \
      if (has_places) places[i] = place;                                                                     \
    }                                                                                                        \
    *acc = a;                                                                                                \
    *at = place;                                                                                             \
  }
SCAN(sum_f, 0)
SCAN(sum_i, 0)
SCAN(prod_f, 0)
SCAN(prod_i, 0)
SCAN(max_f, 1)
SCAN(max_i, 1)
SCAN(min_f, 1)
SCAN(min_i, 1)
SCAN(logsumexp_f, 0)

static const scan_fn scans[][2] = {
    [TC_SCAN_SUM] = {{across_sum_f, along_sum_f}, {across_sum_i, along_sum_i}},
    [TC_SCAN_PROD] = {{across_prod_f, along_prod_f}, {across_prod_i, along_prod_i}},
    [TC_SCAN_MAX] = {{across_max_f, along_max_f}, {across_max_i, along_max_i}},
    [TC_SCAN_MIN] = {{across_min_f, along_min_f}, {across_min_i, along_min_i}},
    [TC_SCAN_LOGSUMEXP] = {{across_logsumexp_f, along_logsumexp_f}, {0, 0}},
};

static value start_of(const job *j) {
  int floats = j->wide == TC_F64;
  switch (j->a->op) {
    case TC_SCAN_PROD: return floats ? (value){.f = 1} : (value){.i = 1};
    case TC_SCAN_MAX: return floats ? (value){.f = -INFINITY} : (value){.i = INT64_MIN};
    case TC_SCAN_MIN: return floats ? (value){.f = INFINITY} : (value){.i = INT64_MAX};
    case TC_SCAN_LOGSUMEXP: return (value){.f = -INFINITY};
    default: return (value){.i = 0};
  }
}

// A tile of lines: rows along n, `columns` of them side by side.
static void scan_columns(const job *j, int64_t outer, int64_t column, int64_t columns) {
  const tc_scan_args *a = j->a;
  scan_fn scan = scans[a->op][j->wide == TC_I64];
  value acc[COLUMNS], x[COLUMNS];
  int64_t at[COLUMNS];
  for (int64_t c = 0; c < columns; c++) {
    acc[c] = start_of(j);
    at[c] = 0;
  }
  int64_t place = outer * a->n * a->inner + column;
  for (int64_t row = 0; row < a->n; row++, place += a->inner) {
    tc_convert(x, j->wide, TC_PTR(const char, a->in) + place * j->in_size, a->in_dtype, columns);
    scan.across(acc, x, at, columns, row);
    tc_convert(TC_PTR(char, a->out) + place * j->out_size, a->out_dtype, acc, j->wide, columns);
    if (a->indices != 0) memcpy(TC_PTR(int64_t, a->indices) + place, at, (size_t)columns * sizeof(int64_t));
  }
}

// One contiguous line, block by block.
static void scan_line(const job *j, int64_t outer) {
  const tc_scan_args *a = j->a;
  scan_fn scan = scans[a->op][j->wide == TC_I64];
  value acc = start_of(j), x[BLOCK];
  int64_t at = 0, places[BLOCK];
  for (int64_t row = 0; row < a->n; row += BLOCK) {
    int64_t m = a->n - row < BLOCK ? a->n - row : BLOCK, place = outer * a->n + row;
    tc_convert(x, j->wide, TC_PTR(const char, a->in) + place * j->in_size, a->in_dtype, m);
    scan.along(&acc, x, &at, places, m, row);
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
  if ((j.wide == TC_I64 && a->compute != TC_I64) || scans[a->op][j.wide == TC_I64].along == 0) {
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
