// Walks the operands of an elementwise operator and calls its contiguous loop on blocks.
//
// An operand that lies in memory as the loop wants it is handed over where it stands; any other (strided, of another
// dtype, a number) is brought into a block buffer first, and a result of that kind is stored from one. So no operand
// ever needs a temporary tensor, and there is one loop per operator and compute dtype.
//
// The iteration space is a list of rows along dimension 0. Long rows are cut into blocks; short ones are joined, as
// many as a block holds.
#include "pointwise.h"

#include "convert.h"
#include "include/tc.h"
#include "parallel.h"

enum {
  BLOCK_BYTES = 2048,     // of one operand, in the loop's dtype: all of a block's operands stay in the L1 cache
  BLOCK_MAX = BLOCK_BYTES / 4,
  LONG_ROW = 64,          // elements
  MAX_STEP_BYTES = 256,   // 16 elements of 16 bytes
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
  NUMBER,    // a block of copies of it
  IN_PLACE,  // where it stands: long rows one by one, short ones because they follow each other without gaps
  REPEATED,  // short rows that are all the same row: one block buffer, filled once
  BUFFERED,  // through a block buffer
} access;

typedef struct {
  const tc_pointwise_args *a;
  tc_pointwise_loop loop;
  int64_t row, rows;      // elements of a row, rows
  int long_rows;
  int64_t step;           // the loop's
  int64_t loop_size;      // bytes of an element in the loop
  int64_t out_dtype;      // what the loop stores: compute or bool
  int64_t block;          // elements
  int divides;            // integer division: refuse a zero in the second input
  int64_t zero_at;        // position of such a zero, or -1; written with atomics
  access access[TC_MAX_OPERANDS];
  int64_t size[TC_MAX_OPERANDS];
  int64_t stride[TC_MAX_OPERANDS];  // along the row
} job;

// A row: its place in dimensions 1 and above, and how far from each operand's first element it starts.
typedef struct {
  int64_t index[TC_MAX_DIMS];
  int64_t offset[TC_MAX_OPERANDS];
} cursor;

static void cursor_at(const tc_pointwise_args *a, int64_t row, cursor *c) {
  for (int64_t k = 0; k < a->nargs; k++) c->offset[k] = 0;
  for (int64_t d = 1; d < a->ndim; d++) {
    c->index[d] = row % a->shape[d];
    row /= a->shape[d];
    for (int64_t k = 0; k < a->nargs; k++) c->offset[k] += c->index[d] * a->stride[d][k];
  }
}

// Moves on by `rows` rows, which do not pass the end of dimension 1.
static void cursor_on(const tc_pointwise_args *a, int64_t rows, cursor *c) {
  for (int64_t d = 1; d < a->ndim; d++) {
    c->index[d] += rows;
    for (int64_t k = 0; k < a->nargs; k++) c->offset[k] += rows * a->stride[d][k];
    if (c->index[d] < a->shape[d]) return;
    c->index[d] = 0;
    for (int64_t k = 0; k < a->nargs; k++) c->offset[k] -= a->shape[d] * a->stride[d][k];
    rows = 1;
  }
}

// Rows up to the end of dimension 1, at most n.
static int64_t rows_left(const tc_pointwise_args *a, const cursor *c, int64_t n) {
  if (a->ndim < 2) return n < 1 ? n : 1;
  int64_t left = a->shape[1] - c->index[1];
  return left < n ? left : n;
}

static char *operand_at(const job *j, int64_t k, int64_t offset) {
  return TC_PTR(char, j->a->data[k]) + offset * j->size[k];
}

typedef struct { uint64_t half[2]; } element16;

// A panel of rows between strided and contiguous memory.
#define PANELS(E)                                                                                            \
  static void load_panel_##E(E *restrict d, const E *restrict s, int64_t stride, int64_t n, int64_t next,    \
                             int64_t rows) {                                                                 \
    for (int64_t r = 0; r < rows; r++, s += next) {                                                          \
      if (stride == 0) {                                                                                     \
        const E x = *s;                                                                                      \
        for (int64_t i = 0; i < n; i++) *d++ = x;                                                            \
      } else {                                                                                               \
        for (int64_t i = 0; i < n; i++) *d++ = s[i * stride];                                                \
      }                                                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  static void store_panel_##E(E *restrict d, const E *restrict s, int64_t stride, int64_t n, int64_t next,   \
                              int64_t rows) {                                                                \
    for (int64_t r = 0; r < rows; r++, d += next) {                                                          \
      for (int64_t i = 0; i < n; i++) d[i * stride] = *s++;                                                  \
    }                                                                                                        \
  }
PANELS(uint8_t)
PANELS(uint16_t)
PANELS(uint32_t)
PANELS(uint64_t)
PANELS(element16)

#define BY_SIZE(function, size, d, s, ...)                                                                   \
  switch (size) {                                                                                            \
    case 1: function##_uint8_t((uint8_t *)(d), (const uint8_t *)(s), __VA_ARGS__); break;                    \
    case 2: function##_uint16_t((uint16_t *)(d), (const uint16_t *)(s), __VA_ARGS__); break;                 \
    case 4: function##_uint32_t((uint32_t *)(d), (const uint32_t *)(s), __VA_ARGS__); break;                 \
    case 8: function##_uint64_t((uint64_t *)(d), (const uint64_t *)(s), __VA_ARGS__); break;                 \
    default: function##_element16((element16 *)(d), (const element16 *)(s), __VA_ARGS__);                    \
  }

// n elements of one row of operand k, at `src`, as the loop's dtype.
static void load_run(const job *j, int64_t k, const char *src, char *buffer, int64_t n) {
  char raw[BLOCK_MAX * 8];
  const tc_pointwise_args *a = j->a;
  if (a->dtype[k] == a->compute) {
    tc_load_run(buffer, src, j->stride[k], n, j->size[k]);
    return;
  }
  if (j->stride[k] != 1) {
    tc_load_run(raw, src, j->stride[k], n, j->size[k]);
    src = raw;
  }
  tc_convert(buffer, a->compute, src, a->dtype[k], n);
}

static void store_run(const job *j, char *dst, const char *buffer, int64_t n) {
  char raw[BLOCK_MAX * 8];
  const tc_pointwise_args *a = j->a;
  if (a->dtype[0] != j->out_dtype) {
    char *to = j->stride[0] == 1 ? dst : raw;
    tc_convert(to, a->dtype[0], buffer, j->out_dtype, n);
    buffer = to;
  }
  if (buffer != dst) tc_store_run(dst, j->stride[0], buffer, n, j->size[0]);
}

// `rows` whole rows of operand k from the cursor on.
static void load_rows(const job *j, int64_t k, const cursor *at, char *buffer, int64_t rows) {
  char raw[BLOCK_MAX * 8];
  const tc_pointwise_args *a = j->a;
  int same = a->dtype[k] == a->compute;
  char *to = same ? buffer : raw;
  int64_t next = a->ndim > 1 ? a->stride[1][k] : 0;
  cursor c = *at;
  for (int64_t r = 0; r < rows;) {
    int64_t n = rows_left(a, &c, rows - r);
    const char *src = operand_at(j, k, c.offset[k]);
    BY_SIZE(load_panel, j->size[k], to, src, j->stride[k], j->row, next, n)
    to += n * j->row * j->size[k];
    r += n;
    if (r < rows) cursor_on(a, n, &c);
  }
  if (!same) tc_convert(buffer, a->compute, raw, a->dtype[k], rows * j->row);
}

static void store_rows(const job *j, const cursor *at, const char *buffer, int64_t rows) {
  char raw[BLOCK_MAX * 8];
  const tc_pointwise_args *a = j->a;
  if (a->dtype[0] != j->out_dtype) {
    tc_convert(raw, a->dtype[0], buffer, j->out_dtype, rows * j->row);
    buffer = raw;
  }
  int64_t next = a->ndim > 1 ? a->stride[1][0] : 0;
  cursor c = *at;
  for (int64_t r = 0; r < rows;) {
    int64_t n = rows_left(a, &c, rows - r);
    char *dst = operand_at(j, 0, c.offset[0]);
    BY_SIZE(store_panel, j->size[0], dst, buffer, j->stride[0], j->row, next, n)
    buffer += n * j->row * j->size[0];
    r += n;
    if (r < rows) cursor_on(a, n, &c);
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
  int64_t rest = n & (j->step - 1), whole = n - rest;  // step is a power of 2
  if (whole > 0) j->loop(whole, out, (const void *const *)in, param);
  if (rest == 0) return;
  int64_t inputs = j->a->nargs - 1, out_size = tc_dtype_size(j->out_dtype);
  _Alignas(16) char last_out[MAX_STEP_BYTES];
  _Alignas(16) char last_in[TC_MAX_OPERANDS - 1][MAX_STEP_BYTES];
  const char *at[TC_MAX_OPERANDS - 1];
  for (int64_t k = 0; k < inputs; k++) {
    at[k] = in[k];
    if (j->access[k + 1] == NUMBER) continue;  // as many copies as the step
    int64_t used = rest * j->loop_size;
    for (int64_t b = 0; b < j->step * j->loop_size; b += 16) v_store((int64_t *)(last_in[k] + b), v_set_i64(0));
    tc_move(last_in[k], in[k] + whole * j->loop_size, used);
    at[k] = last_in[k];
  }
  j->loop(j->step, last_out, (const void *const *)at, param);
  tc_move(out + whole * out_size, last_out, rest * out_size);
}

// Block buffers of one thread, and copies of number operands in theirs.
typedef struct {
  _Alignas(16) char block[4][BLOCK_BYTES];
  const char *in[TC_MAX_OPERANDS - 1];
} buffers;

static void fill_numbers(const job *j, buffers *b, int64_t n) {
  const tc_pointwise_args *a = j->a;
  int64_t copies = n + j->step < j->block ? n + j->step : j->block;
  for (int64_t k = 1; k < a->nargs; k++) {
    if (j->access[k] != NUMBER) continue;
    const double complex_number[2] = {a->scalar[k].f, a->imaginary[k]};
    const void *number = a->dtype[k] == TC_C128 ? (const void *)complex_number : (const void *)&a->scalar[k];
    tc_splat(b->block[k], a->compute, a->dtype[k], number, copies);
    b->in[k - 1] = b->block[k];
  }
}

// Elements [begin, end) of long rows.
static void run_long(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  job *j = ctx;
  const tc_pointwise_args *a = j->a;
  buffers b;
  cursor c;
  fill_numbers(j, &b, end - begin);
  cursor_at(a, begin / j->row, &c);
  for (int64_t at = begin; at < end;) {
    int64_t i = at % j->row, row_end = j->row - i < end - at ? j->row : i + end - at;
    for (; i < row_end; i += j->block, at += j->block) {
      int64_t n = row_end - i < j->block ? row_end - i : j->block;
      for (int64_t k = 1; k < a->nargs; k++) {
        if (j->access[k] == NUMBER) continue;
        const char *src = operand_at(j, k, c.offset[k] + i * j->stride[k]);
        b.in[k - 1] = src;
        if (j->access[k] == IN_PLACE) continue;
        load_run(j, k, src, b.block[k], n);
        b.in[k - 1] = b.block[k];
      }
      if (j->divides) note_zeros(j, b.in[1], at, n);
      char *dst = operand_at(j, 0, c.offset[0] + i * j->stride[0]);
      char *out = j->access[0] == IN_PLACE ? dst : b.block[0];
      call_loop(j, n, out, b.in);
      if (out != dst) store_run(j, dst, out, n);
    }
    at -= i - row_end;
    if (at < end) cursor_on(a, 1, &c);
  }
}

// Short rows [begin, end), joined.
static void run_short(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  job *j = ctx;
  const tc_pointwise_args *a = j->a;
  buffers b;
  cursor c;
  int64_t together = j->block / j->row;
  if (together > end - begin) together = end - begin;
  fill_numbers(j, &b, together * j->row);
  for (int64_t row = begin; row < end; row += together) {
    int64_t rows = end - row < together ? end - row : together, n = rows * j->row, at = row * j->row;
    cursor_at(a, row, &c);
    for (int64_t k = 1; k < a->nargs; k++) {
      if (j->access[k] == NUMBER) continue;
      if (j->access[k] == IN_PLACE) {
        b.in[k - 1] = operand_at(j, k, at);
      } else if (j->access[k] == BUFFERED || row == begin) {
        load_rows(j, k, &c, b.block[k], rows);
        b.in[k - 1] = b.block[k];
      }
    }
    if (j->divides) note_zeros(j, b.in[1], at, n);
    char *out = j->access[0] == IN_PLACE ? operand_at(j, 0, at) : b.block[0];
    call_loop(j, n, out, b.in);
    if (j->access[0] != IN_PLACE) store_rows(j, &c, out, rows);
  }
}

static const tc_pointwise_loop *loops_of(int64_t compute) {
  switch (compute) {
    case TC_F32: return tc_pointwise_f32;
    case TC_F64: return tc_pointwise_f64;
    case TC_I32: return tc_pointwise_i32;
    case TC_I64: return tc_pointwise_i64;
    case TC_C64: return tc_pointwise_c64;
    case TC_C128: return tc_pointwise_c128;
    default: return 0;
  }
}

static access access_of(const job *j, int64_t k) {
  const tc_pointwise_args *a = j->a;
  if (k > 0 && a->data[k] == 0) return NUMBER;
  int64_t dtype = k > 0 ? a->compute : j->out_dtype;
  int same = a->dtype[k] == dtype || (dtype == TC_BOOL && a->dtype[k] == TC_U8);
  if (j->long_rows) return same && j->stride[k] == 1 ? IN_PLACE : BUFFERED;
  int64_t expected = 1;
  int gapless = same, repeated = k > 0;
  for (int64_t d = 0; d < a->ndim; d++) {
    gapless &= a->stride[d][k] == expected || a->shape[d] == 1;
    repeated &= d == 0 || a->stride[d][k] == 0;
    expected *= a->shape[d];
  }
  return gapless ? IN_PLACE : repeated ? REPEATED : BUFFERED;
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
  j.row = a->ndim > 0 ? a->shape[0] : 1;
  j.rows = 1;
  for (int64_t d = 1; d < a->ndim; d++) j.rows *= a->shape[d];
  int64_t total = j.row * j.rows;
  if (total <= 0) return TC_OK;
  j.loop_size = tc_dtype_size(a->compute);
  j.out_dtype = info->class == CLASS_TEST ? TC_BOOL : a->compute;
  const int is_complex = a->compute == TC_C64 || a->compute == TC_C128;
  j.step = info->class == CLASS_TEST ? TC_PW_TEST_STEP : (is_complex ? 32 : 16) / j.loop_size;
  j.block = BLOCK_BYTES / j.loop_size;
  j.long_rows = j.row >= LONG_ROW || j.rows == 1;
  j.divides = info->class == CLASS_DIVIDE && (a->compute == TC_I32 || a->compute == TC_I64);
  j.zero_at = -1;
  int simple = j.rows == 1;
  for (int64_t k = 0; k < a->nargs; k++) {
    j.size[k] = tc_dtype_size(a->dtype[k]);
    j.stride[k] = a->ndim > 0 ? a->stride[0][k] : 1;
    j.access[k] = access_of(&j, k);
    simple &= j.access[k] == IN_PLACE || j.access[k] == NUMBER;
  }
  if (simple && !j.divides && total <= j.block) {
    // Small and plain, as most calls of a training step are: nothing but the loop.
    buffers b;
    fill_numbers(&j, &b, total);
    for (int64_t k = 1; k < a->nargs; k++) {
      if (j.access[k] == IN_PLACE) b.in[k - 1] = operand_at(&j, k, 0);
    }
    call_loop(&j, total, operand_at(&j, 0, 0), b.in);
    return TC_OK;
  }
  if (j.long_rows) {
    if (total <= info->grain) run_long(&j, 0, total, 0);
    else tc_parallel_for(total, info->grain, run_long, &j);
  } else {
    if (total <= info->grain) run_short(&j, 0, j.rows, 0);
    else tc_parallel_for(j.rows, info->grain / j.row, run_short, &j);
  }
  if (j.zero_at >= 0) {
    tc_error_info[0] = 1;
    tc_error_info[1] = j.zero_at;
    return TC_BAD_VALUE;
  }
  return TC_OK;
}
