// Walks the operands of an elementwise operator and calls its contiguous loop on blocks.
//
// The iteration space is a line of `total` elements, dimension 0 fastest. An operand that lies in memory in exactly
// that order, or at least in whole rows, is handed to the loop where it stands; any other (strided, of another dtype,
// a number) is brought into a block buffer first, and a result of that kind is stored from one. So no operand ever
// needs a temporary tensor, and there is one loop per operator and compute dtype.
#include "pointwise.h"

#include "convert.h"
#include "include/tc.h"
#include "parallel.h"

enum {
  BLOCK_BYTES = 2048,     // of one operand: all four operands of a block stay in the L1 cache
  ROW_MIN = 64,           // rows at least this long are worked on one by one, shorter ones are joined in blocks
  MAX_STEP_BYTES = 128,   // 16 elements of 8 bytes
};

// Elements that are worth a thread: about 10 microseconds of work each.
#define GRAIN_LIGHT 32768
#define GRAIN_MATH 8192
#define GRAIN_HEAVY 512

enum { CLASS_VALUE, CLASS_DIVIDE, CLASS_TEST };

typedef struct {
  uint8_t class;
  int32_t grain;
} op_info;

#define INFO(class, cost) {class, GRAIN_##cost},
#define UNARY(name, types, cost, ...) INFO(CLASS_VALUE, cost)
#define BINARY UNARY
#define TERNARY UNARY
#define TEST(name, types, cost, ...) INFO(CLASS_TEST, cost)
#define COMPARE TEST
#define DIVIDE(name, types, cost, ...) INFO(CLASS_DIVIDE, cost)
static const op_info ops[TC_PW_COUNT] = {
#include "pointwise.def"
};

// How an operand reaches the loop.
typedef enum {
  NUMBER,    // one block of copies of it
  LINEAR,    // in place: element i of the iteration space is element i of the operand
  ROWS,      // in place, row by row
  BUFFERED,  // through a block buffer
} access;

typedef struct {
  const tc_pointwise_args *a;
  tc_pointwise_loop loop;
  int64_t total;
  int64_t step;          // the loop's
  int64_t loop_size;     // bytes of an element in the loop
  int64_t out_dtype;     // what the loop stores: compute or bool
  int64_t block;         // elements
  int by_rows;           // blocks end at the ends of rows
  int divides;           // integer division: refuse a zero in the second input
  int64_t zero_at;       // position of such a zero, or -1; written with atomics
  access access[TC_MAX_OPERANDS];
  int64_t size[TC_MAX_OPERANDS];
} job;

// A position in the iteration space.
typedef struct {
  int64_t index[TC_MAX_DIMS];
} cursor;

static void cursor_at(const tc_pointwise_args *a, cursor *c, int64_t position) {
  for (int64_t d = 0; d < a->ndim; d++) {
    int64_t size = a->shape[d];
    c->index[d] = position % size;
    position /= size;
  }
}

// Moves on by n elements that do not pass the end of more than the current row.
static void cursor_advance(const tc_pointwise_args *a, cursor *c, int64_t n) {
  c->index[0] += n;
  for (int64_t d = 0; d < a->ndim && c->index[d] >= a->shape[d]; d++) {
    c->index[d] = 0;
    if (d + 1 < a->ndim) c->index[d + 1]++;
  }
}

static char *operand_at(const tc_pointwise_args *a, int64_t k, const cursor *c, int64_t size) {
  int64_t offset = 0;
  for (int64_t d = 0; d < a->ndim; d++) offset += c->index[d] * a->stride[d][k];
  return TC_PTR(char, a->data[k]) + offset * size;
}

static int64_t row_left(const tc_pointwise_args *a, const cursor *c) {
  return a->ndim == 0 ? 1 : a->shape[0] - c->index[0];
}

// n elements of operand k from the position on, as the loop's dtype.
static void load_block(const job *j, int64_t k, cursor at, char *buffer, int64_t n) {
  const tc_pointwise_args *a = j->a;
  int64_t stride = a->ndim == 0 ? 1 : a->stride[0][k], dtype = a->dtype[k], size = j->size[k];
  char raw[BLOCK_BYTES];
  int same = dtype == a->compute;
  // A narrower dtype always fits in `raw`; a wider one (float64 read by a float32 loop) takes two halves.
  int64_t raw_max = BLOCK_BYTES / size;
  while (n > 0) {
    int64_t run = row_left(a, &at);
    if (run > n) run = n;
    if (!same && stride != 1 && run > raw_max) run = raw_max;
    const char *src = operand_at(a, k, &at, size);
    if (same) {
      tc_load_run(buffer, src, stride, run, size);
    } else if (stride == 1) {
      tc_convert(buffer, a->compute, src, dtype, run);
    } else {
      tc_load_run(raw, src, stride, run, size);
      tc_convert(buffer, a->compute, raw, dtype, run);
    }
    buffer += run * j->loop_size;
    n -= run;
    if (n > 0) cursor_advance(a, &at, run);
  }
}

static void store_block(const job *j, cursor at, const char *buffer, int64_t n) {
  const tc_pointwise_args *a = j->a;
  int64_t stride = a->ndim == 0 ? 1 : a->stride[0][0], dtype = a->dtype[0], size = j->size[0];
  int64_t from_size = tc_dtype_size(j->out_dtype);
  char raw[BLOCK_BYTES];
  int same = dtype == j->out_dtype;
  int64_t raw_max = BLOCK_BYTES / size;
  while (n > 0) {
    int64_t run = row_left(a, &at);
    if (run > n) run = n;
    if (!same && stride != 1 && run > raw_max) run = raw_max;
    char *dst = operand_at(a, 0, &at, size);
    if (same) {
      tc_store_run(dst, stride, buffer, run, size);
    } else if (stride == 1) {
      tc_convert(dst, dtype, buffer, j->out_dtype, run);
    } else {
      tc_convert(raw, dtype, buffer, j->out_dtype, run);
      tc_store_run(dst, stride, raw, run, size);
    }
    buffer += run * from_size;
    n -= run;
    if (n > 0) cursor_advance(a, &at, run);
  }
}

static void note_zeros(job *j, const void *divisor, int64_t position, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    int zero = j->loop_size == 4 ? ((const int32_t *)divisor)[i] == 0 : ((const int64_t *)divisor)[i] == 0;
    if (!zero) continue;
    // The first one wins, whichever thread sees it.
    int64_t seen = __atomic_load_n(&j->zero_at, __ATOMIC_RELAXED);
    while ((seen < 0 || seen > position + i) &&
           !__atomic_compare_exchange_n(&j->zero_at, &seen, position + i, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return;
  }
}

// Calls the loop for n elements, not a multiple of its step, of operands that may stand in memory: the last few
// elements are copied out, as the loop would run over the operands' ends.
static void call_loop(const job *j, int64_t n, char *out, const char *const *in) {
  const double *param = j->a->param;
  int64_t whole = n - n % j->step, rest = n - whole;
  if (whole > 0) j->loop(whole, out, (const void *const *)in, param);
  if (rest == 0) return;
  int64_t inputs = j->a->nargs - 1, out_size = tc_dtype_size(j->out_dtype);
  _Alignas(16) char last_out[MAX_STEP_BYTES];
  _Alignas(16) char last_in[TC_MAX_OPERANDS - 1][MAX_STEP_BYTES];
  const char *at[TC_MAX_OPERANDS - 1];
  for (int64_t k = 0; k < inputs; k++) {
    at[k] = in[k];
    if (j->access[k + 1] == NUMBER) continue;
    int64_t used = rest * j->loop_size;
    memcpy(last_in[k], in[k] + whole * j->loop_size, (size_t)used);
    memset(last_in[k] + used, 0, (size_t)(j->step * j->loop_size - used));
    at[k] = last_in[k];
  }
  j->loop(j->step, last_out, (const void *const *)at, param);
  memcpy(out + whole * out_size, last_out, (size_t)(rest * out_size));
}

static void run_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  job *j = ctx;
  const tc_pointwise_args *a = j->a;
  int64_t inputs = a->nargs - 1, out_size = tc_dtype_size(j->out_dtype);
  _Alignas(16) char buffer[TC_MAX_OPERANDS][BLOCK_BYTES];
  const char *in[TC_MAX_OPERANDS - 1];
  for (int64_t k = 1; k <= inputs; k++) {
    if (j->access[k] != NUMBER) continue;
    int64_t copies = end - begin < j->block ? end - begin + j->step : j->block;
    if (copies > j->block) copies = j->block;
    tc_splat(buffer[k], a->compute, a->dtype[k], &a->scalar[k], copies);
    in[k - 1] = buffer[k];
  }
  cursor c;
  cursor_at(a, &c, begin);
  for (int64_t at = begin; at < end;) {
    int64_t n = end - at < j->block ? end - at : j->block;
    int64_t row = row_left(a, &c);
    if (j->by_rows && n > row) n = row;
    for (int64_t k = 1; k <= inputs; k++) {
      if (j->access[k] == LINEAR) {
        in[k - 1] = TC_PTR(char, a->data[k]) + at * j->loop_size;
      } else if (j->access[k] == ROWS) {
        in[k - 1] = operand_at(a, k, &c, j->loop_size);
      } else if (j->access[k] == BUFFERED) {
        load_block(j, k, c, buffer[k], n);
        in[k - 1] = buffer[k];
      }
    }
    if (j->divides) note_zeros(j, in[1], at, n);
    char *out = buffer[0];
    if (j->access[0] == LINEAR) out = TC_PTR(char, a->data[0]) + at * out_size;
    if (j->access[0] == ROWS) out = operand_at(a, 0, &c, out_size);
    call_loop(j, n, out, in);
    if (j->access[0] == BUFFERED) store_block(j, c, out, n);
    at += n;
    if (j->by_rows) {
      cursor_advance(a, &c, n);
    } else {
      cursor_at(a, &c, at);
    }
  }
}

static const tc_pointwise_loop *loops_of(int64_t compute) {
  switch (compute) {
    case TC_F32: return tc_pointwise_f32;
    case TC_F64: return tc_pointwise_f64;
    case TC_I32: return tc_pointwise_i32;
    case TC_I64: return tc_pointwise_i64;
    default: return 0;
  }
}

static access access_of(const job *j, int64_t k) {
  const tc_pointwise_args *a = j->a;
  if (k > 0 && a->data[k] == 0) return NUMBER;
  int64_t dtype = k > 0 ? a->compute : j->out_dtype;
  int same = a->dtype[k] == dtype || (dtype == TC_BOOL && a->dtype[k] == TC_U8);
  if (!same) return BUFFERED;
  int64_t expected = 1;
  int linear = 1;
  for (int64_t d = 0; d < a->ndim; d++) {
    linear &= a->stride[d][k] == expected || a->shape[d] == 1;
    expected *= a->shape[d];
  }
  if (linear) return LINEAR;
  return j->by_rows && a->stride[0][k] == 1 ? ROWS : BUFFERED;
}

int32_t tc_pointwise(const tc_pointwise_args *a) {
  const tc_pointwise_loop *loops = loops_of(a->compute);
  job j;
  j.loop = loops == 0 ? 0 : loops[a->op];
  if (j.loop == 0) {
    tc_error_info[0] = a->compute;
    tc_error_info[1] = a->op;
    return TC_UNSUPPORTED;
  }
  const op_info *info = &ops[a->op];
  j.a = a;
  j.total = 1;
  for (int64_t d = 0; d < a->ndim; d++) j.total *= a->shape[d];
  if (j.total <= 0) return TC_OK;
  j.loop_size = tc_dtype_size(a->compute);
  j.out_dtype = info->class == CLASS_TEST ? TC_BOOL : a->compute;
  j.step = info->class == CLASS_TEST ? TC_PW_TEST_STEP : 16 / j.loop_size;
  j.block = BLOCK_BYTES / j.loop_size;
  j.by_rows = a->ndim > 0 && a->shape[0] >= ROW_MIN;
  j.divides = info->class == CLASS_DIVIDE && (a->compute == TC_I32 || a->compute == TC_I64);
  j.zero_at = -1;
  int in_place = 1;
  for (int64_t k = 0; k < a->nargs; k++) {
    j.size[k] = tc_dtype_size(a->dtype[k]);
    j.access[k] = access_of(&j, k);
    in_place &= j.access[k] == LINEAR;
  }
  int64_t grain = info->grain;
  if (in_place && !j.divides && j.total <= grain) {
    const char *in[TC_MAX_OPERANDS - 1];
    for (int64_t k = 1; k < a->nargs; k++) in[k - 1] = TC_PTR(char, a->data[k]);
    call_loop(&j, j.total, TC_PTR(char, a->data[0]), in);
    return TC_OK;
  }
  if (j.total <= grain) {
    run_range(&j, 0, j.total, 0);
  } else {
    tc_parallel_for(j.total, grain, run_range, &j);
  }
  if (j.zero_at >= 0) {
    tc_error_info[0] = 1;
    tc_error_info[1] = j.zero_at;
    return TC_BAD_VALUE;
  }
  return TC_OK;
}
