// tc_index_select (embedding's forward), tc_index_rows (index_copy, index_fill, index_add,
// index_reduce): whole slices along one dimension of (outer, n, inner) tensors.
#include <string.h>

#include "indices.h"
#include "numbers.h"
#include "simd.h"
#include "update.h"

// memcpy is a call, and in wasm an instruction that leaves the compiled code: not worth it for a short row.
static inline void copy_row(char *restrict to, const char *restrict from, int64_t bytes) {
  if (bytes > 256) {
    memcpy(to, from, (size_t)bytes);
    return;
  }
  int64_t i = 0;
  for (; i + 16 <= bytes; i += 16) v_store((uint8_t *)to + i, v_load((const uint8_t *)from + i));
  for (; i < bytes; i++) to[i] = from[i];
}

static inline int64_t wrapped(int64_t index, int64_t n) { return index < 0 ? index + n : index; }

// ---- select -----------------------------------------------------------------------------------------------

typedef struct { uint64_t half[2]; } sixteen;

// Rows begin .. end - 1 of the output, counted over outer and index.
static void select_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_index_select_args *a = ctx;
  const int64_t size = tc_dtype_size(a->dtype), bytes = a->inner * size;
  const void *index = TC_PTR(const void, a->index);
  int64_t o = begin / a->m, i = begin % a->m;
  for (int64_t r = begin; r < end; r++) {
    const int64_t row = wrapped(tc_index_at(index, a->index_dtype, i), a->n);
    const int64_t at = o * a->in_outer_stride + row * a->in_row_stride;
    copy_row(TC_PTR(char, a->out) + r * bytes, TC_PTR(const char, a->in) + at * size, bytes);
    if (++i == a->m) i = 0, o++;
  }
}

// The same where a row is one element.
static void select_elements(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const tc_index_select_args *a = ctx;
  const void *index = TC_PTR(const void, a->index);
#define SELECT(T)                                                                                     \
  {                                                                                                   \
    T *out = TC_PTR(T, a->out);                                                                       \
    for (int64_t r = begin; r < end;) {                                                               \
      const int64_t o = r / a->m, stop = (o + 1) * a->m < end ? (o + 1) * a->m : end;                 \
      const T *in = TC_PTR(const T, a->in) + o * a->in_outer_stride;                                  \
      for (; r < stop; r++) {                                                                         \
        out[r] = in[wrapped(tc_index_at(index, a->index_dtype, r - o * a->m), a->n) * a->in_row_stride]; \
      }                                                                                               \
    }                                                                                                 \
    break;                                                                                            \
  }
  switch (tc_dtype_size(a->dtype)) {
    case 1: SELECT(uint8_t)
    case 2: SELECT(uint16_t)
    case 4: SELECT(uint32_t)
    case 8: SELECT(uint64_t)
    default: SELECT(sixteen)
  }
#undef SELECT
}

int32_t tc_index_select(const tc_index_select_args *a) {
  const int32_t status = tc_check_indices(TC_PTR(const void, a->index), a->index_dtype, a->m, a->n, a->wrap != 0, a->dim);
  if (status != TC_OK) return status;
  void *ctx = (void *)(uintptr_t)a;
  if (a->inner == 1) {
    tc_parallel_for(a->outer * a->m, 16384, select_elements, ctx);
  } else if (a->inner > 0) {
    tc_parallel_for(a->outer * a->m, 1 + 32768 / (a->inner * tc_dtype_size(a->dtype)), select_rows, ctx);
  }
  return TC_OK;
}

// ---- update -----------------------------------------------------------------------------------------------

// Elements of a row that a thread takes at least. Rows of one outer index may meet, pieces of them do not.
#define PIECE 256

typedef struct {
  const tc_index_rows_args *a;
  tc_update update;
  bool has_src;
  int64_t *counts;  // MEAN: of the n rows
} rows_job;

static inline int64_t pieces(const rows_job *j) { return (j->a->inner + PIECE - 1) / PIECE; }

static void update_pieces(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const rows_job *j = ctx;
  const tc_index_rows_args *a = j->a;
  const int64_t size = tc_dtype_size(a->dtype), per_outer = pieces(j);
  const void *index = TC_PTR(const void, a->index);
  for (int64_t unit = begin; unit < end;) {
    // All pieces of this outer index that are ours.
    const int64_t o = unit / per_outer, stop = (o + 1) * per_outer < end ? (o + 1) * per_outer : end;
    const int64_t from = (unit - o * per_outer) * PIECE;
    const int64_t to = (stop - o * per_outer) * PIECE < a->inner ? (stop - o * per_outer) * PIECE : a->inner;
    tc_update u = j->update;
    u.m = to - from;
    for (int64_t i = 0; i < a->m; i++) {
      const int64_t row = wrapped(tc_index_at(index, a->index_dtype, i), a->n);
      u.out = (char *)j->update.out + ((o * a->n + row) * a->inner + from) * size;
      if (j->has_src) u.src = (const char *)j->update.src + ((o * a->m + i) * a->inner + from) * size;
      if (u.op == TC_UPDATE_ASSIGN && j->has_src) {
        memcpy(u.out, u.src, (size_t)(u.m * size));
      } else {
        tc_update_run(&u);
      }
    }
    unit = stop;
  }
}

// Rows of one element: a run over the index for each outer index.
static void update_elements(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const rows_job *j = ctx;
  const tc_index_rows_args *a = j->a;
  const int64_t size = tc_dtype_size(a->dtype);
  int64_t place[256];
  for (int64_t start = 0; start < a->m; start += 256) {
    const int64_t count = a->m - start < 256 ? a->m - start : 256;
    for (int64_t i = 0; i < count; i++) {
      place[i] = wrapped(tc_index_at(TC_PTR(const void, a->index), a->index_dtype, start + i), a->n);
    }
    for (int64_t o = begin; o < end; o++) {
      tc_update u = j->update;
      u.m = count;
      u.out_stride = 0;
      u.place = place;
      u.place_stride = u.place_scale = 1;
      u.out = (char *)j->update.out + o * a->n * size;
      if (j->has_src) u.src = (const char *)j->update.src + (o * a->m + start) * size;
      tc_update_run(&u);
    }
  }
}

static void update_rows(rows_job *j, tc_update_op op, const void *src, bool has_src) {
  const tc_index_rows_args *a = j->a;
  j->update = (tc_update){.dtype = a->dtype, .op = op, .out = TC_PTR(void, a->out), .src = src, .out_stride = 1,
                          .src_stride = has_src, .scale = a->alpha};
  j->has_src = has_src;
  if (a->inner == 1) {
    tc_parallel_for(a->outer, 1 + 16384 / a->m, update_elements, j);
  } else {
    const int64_t piece = a->inner < PIECE ? a->inner : PIECE;
    tc_parallel_for(a->outer * pieces(j), 1 + 16384 / (a->m * piece), update_pieces, j);
  }
}

static bool scale_is_one(const tc_index_rows_args *a) {
  return tc_is_floating(a->dtype) ? a->alpha.f == 1 : a->alpha.i == 1;
}

static tc_update_op update_op(const tc_index_rows_args *a) {
  switch (a->op) {
    case TC_ROWS_COPY: return TC_UPDATE_ASSIGN;
    case TC_ROWS_ADD: return scale_is_one(a) ? TC_UPDATE_ADD : TC_UPDATE_ADD_SCALED;
    case TC_ROWS_MUL: return TC_UPDATE_MUL;
    case TC_ROWS_AMAX: return TC_UPDATE_MAX;
    case TC_ROWS_AMIN: return TC_UPDATE_MIN;
    default: return TC_UPDATE_ADD;
  }
}

// How often each row is hit.
int64_t tc_index_rows_scratch(const tc_index_rows_args *a) {
  return a->op == TC_ROWS_MEAN ? a->n * (int64_t)sizeof(int64_t) : 0;
}

static void divide_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const rows_job *j = ctx;
  const tc_index_rows_args *a = j->a;
  int64_t counts[256];
  for (int64_t r = begin; r < end; r++) {
    const int64_t count = j->counts[r % a->n];
    if (count == 0) continue;
    for (int64_t i = 0; i < 256; i++) counts[i] = count;
    for (int64_t i = 0; i < a->inner; i += 256) {
      char *at = TC_PTR(char, a->out) + (r * a->inner + i) * tc_dtype_size(a->dtype);
      tc_update_divide(at, a->dtype, counts, a->include_self != 0, a->inner - i < 256 ? a->inner - i : 256);
    }
  }
}

int32_t tc_index_rows(const tc_index_rows_args *a) {
  const bool is_complex = a->dtype == TC_C64 || a->dtype == TC_C128;
  const tc_update_op op = update_op(a);
  if (is_complex && op != TC_UPDATE_ASSIGN) return tc_unsupported(a->dtype);
  const void *index = TC_PTR(const void, a->index);
  const int32_t status = tc_check_indices(index, a->index_dtype, a->m, a->n, a->wrap != 0, a->dim);
  if (status != TC_OK || a->m == 0 || a->inner == 0) return status;
  rows_job j = {.a = a};
  sixteen number;
  if (a->op >= TC_ROWS_MUL && !a->include_self) {
    tc_update_identity(&number, a->dtype, op);
    update_rows(&j, TC_UPDATE_ASSIGN, &number, false);
  }
  if (!a->src) tc_number_element(&number, a->dtype, a->value);
  update_rows(&j, op, a->src ? TC_PTR(const void, a->src) : &number, a->src != 0);
  if (a->op == TC_ROWS_MEAN) {
    j.counts = TC_PTR(int64_t, a->scratch);
    memset(j.counts, 0, (size_t)tc_index_rows_scratch(a));
    for (int64_t i = 0; i < a->m; i++) j.counts[wrapped(tc_index_at(index, a->index_dtype, i), a->n)]++;
    tc_parallel_for(a->outer * a->n, 1 + 16384 / a->inner, divide_rows, &j);
  }
  return TC_OK;
}
