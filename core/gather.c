// tc_gather, tc_scatter. The index tensor is a set of columns along `dim`; columns never meet, so they
// are what is spread over threads, and within a column updates happen in order.
#include <stddef.h>
#include <string.h>

#include "indices.h"
#include "update.h"

// Both kernels' spaces. Operands: gather {out, in, index}, scatter {src, out, index}: place 1 is the one
// that the index addresses.
typedef struct {
  int64_t n, ndim;
  const int64_t *shape;
  int64_t dim_stride[3];
  const int64_t (*stride)[3];
  int order[3];  // operand -> its column in `stride`
} space;

// `count` columns that lie side by side along the innermost other dimension.
typedef struct { int64_t at[3], stride[3], count; } columns;
typedef void (*columns_fn)(void *ctx, const space *s, const columns *c);

static int64_t column_count(const space *s) {
  int64_t count = 1;
  for (int64_t d = 0; d < s->ndim; d++) count *= s->shape[d];
  return count;
}

// Columns begin .. end - 1, in pieces.
static void walk(const space *s, int64_t begin, int64_t end, columns_fn visit, void *ctx) {
  const int64_t row = s->ndim > 0 ? s->shape[0] : 1;
  while (begin < end) {
    columns c = {{0, 0, 0}, {0, 0, 0}, 0};
    int64_t rest = begin;
    for (int64_t d = 0; d < s->ndim; d++) {
      const int64_t i = rest % s->shape[d];
      rest /= s->shape[d];
      for (int o = 0; o < 3; o++) c.at[o] += i * s->stride[d][s->order[o]];
    }
    const int64_t left = row - begin % row;
    c.count = end - begin < left ? end - begin : left;
    for (int o = 0; o < 3 && s->ndim > 0; o++) c.stride[o] = s->stride[0][s->order[o]];
    visit(ctx, s, &c);
    begin += c.count;
  }
}

// Whether to follow one column after another, or go down all of them together: whatever keeps to the
// index's memory.
static bool down_each(const space *s, const columns *c) {
  const int64_t along = s->dim_stride[2] < 0 ? -s->dim_stride[2] : s->dim_stride[2];
  const int64_t across = c->stride[2] < 0 ? -c->stride[2] : c->stride[2];
  return c->count == 1 || along <= across;
}

// ---- checking -------------------------------------------------------------------------------------------

typedef struct {
  const space *s;
  const int64_t *index;
  int64_t size;
  int bad;           // set by whoever finds one
  int64_t at;        // find_bad: the first, and where it is
} check;

static void check_columns(void *ctx, const space *s, const columns *c) {
  check *k = ctx;
  const int64_t *p = k->index + c->at[2];
  bool good = true;
  if (down_each(s, c)) {
    for (int64_t i = 0; i < c->count; i++) {
      good &= tc_indices_lie_in(p + i * c->stride[2], s->dim_stride[2], s->n, 0, k->size);
    }
  } else {
    for (int64_t j = 0; j < s->n; j++) {
      good &= tc_indices_lie_in(p + j * s->dim_stride[2], c->stride[2], c->count, 0, k->size);
    }
  }
  if (!good) __atomic_store_n(&k->bad, 1, __ATOMIC_RELAXED);
}

static void find_bad(void *ctx, const space *s, const columns *c) {
  check *k = ctx;
  for (int64_t i = 0; i < c->count; i++) {
    for (int64_t j = 0; j < s->n; j++) {
      const int64_t at = c->at[2] + i * c->stride[2] + j * s->dim_stride[2];
      if ((k->index[at] < 0 || k->index[at] >= k->size) && (k->bad == 0 || at < k->at)) {
        k->bad = 1;
        k->at = at;
      }
    }
  }
}

static void check_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const check *k = ctx;
  walk(k->s, begin, end, check_columns, ctx);
}

static int64_t grain(const space *s) { return 1 + 16384 / s->n; }

static int32_t check_all(const space *s, const int64_t *index, int64_t size, int64_t dim) {
  check k = {s, index, size, 0, 0};
  tc_parallel_for(column_count(s), grain(s), check_range, &k);
  if (!k.bad) return TC_OK;
  k.bad = 0;
  walk(s, 0, column_count(s), find_bad, &k);
  return tc_bad_index(index[k.at], size, k.at, dim);
}

// ---- gather ---------------------------------------------------------------------------------------------

typedef struct { uint64_t half[2]; } sixteen;

typedef struct {
  const tc_gather_args *a;
  space s;
} gather_job;

// out[k * so] = in[k * si + index[k * sx] * scale]
#define GATHER_RUN(T)                                                                             \
  static void gather_##T(T *out, ptrdiff_t so, const T *in, ptrdiff_t si, const int64_t *index,   \
                         ptrdiff_t sx, ptrdiff_t scale, ptrdiff_t m) {                            \
    if (so == 1 && sx == 1 && si == 0 && scale == 1) {                                            \
      for (ptrdiff_t k = 0; k < m; k++) out[k] = in[(ptrdiff_t)index[k]];                         \
    } else {                                                                                      \
      for (ptrdiff_t k = 0; k < m; k++) out[k * so] = in[k * si + (ptrdiff_t)index[k * sx] * scale]; \
    }                                                                                             \
  }
GATHER_RUN(uint8_t)
GATHER_RUN(uint16_t)
GATHER_RUN(uint32_t)
GATHER_RUN(uint64_t)
GATHER_RUN(sixteen)
#undef GATHER_RUN

static void gather_columns(void *ctx, const space *s, const columns *c) {
  const tc_gather_args *a = ctx;
  const int64_t *index = TC_PTR(const int64_t, a->index) + c->at[2], scale = s->dim_stride[1];
#define GATHER(T)                                                                                     \
  {                                                                                                   \
    T *out = TC_PTR(T, a->out) + c->at[0];                                                            \
    const T *in = TC_PTR(const T, a->in) + c->at[1];                                                  \
    if (down_each(s, c)) {                                                                            \
      for (int64_t i = 0; i < c->count; i++) {                                                        \
        gather_##T(out + i * c->stride[0], s->dim_stride[0], in + i * c->stride[1], 0,                \
                   index + i * c->stride[2], s->dim_stride[2], scale, s->n);                          \
      }                                                                                               \
    } else {                                                                                          \
      for (int64_t j = 0; j < s->n; j++) {                                                            \
        gather_##T(out + j * s->dim_stride[0], c->stride[0], in, c->stride[1],                        \
                   index + j * s->dim_stride[2], c->stride[2], scale, c->count);                      \
      }                                                                                               \
    }                                                                                                 \
    break;                                                                                            \
  }
  switch (tc_dtype_size(a->dtype)) {
    case 1: GATHER(uint8_t)
    case 2: GATHER(uint16_t)
    case 4: GATHER(uint32_t)
    case 8: GATHER(uint64_t)
    default: GATHER(sixteen)
  }
#undef GATHER
}

static void gather_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const gather_job *j = ctx;
  walk(&j->s, begin, end, gather_columns, (void *)(uintptr_t)j->a);
}

int32_t tc_gather(const tc_gather_args *a) {
  gather_job j = {a, {a->n, a->ndim, a->shape, {a->dim_stride[0], a->dim_stride[1], a->dim_stride[2]}, a->stride, {0, 1, 2}}};
  if (a->n == 0) return TC_OK;
  const int32_t status = check_all(&j.s, TC_PTR(const int64_t, a->index), a->size, a->dim);
  if (status != TC_OK) return status;
  tc_parallel_for(column_count(&j.s), grain(&j.s), gather_range, &j);
  return TC_OK;
}

// ---- scatter --------------------------------------------------------------------------------------------

typedef struct {
  const tc_scatter_args *a;
  space s;
  tc_update update;  // what each run does; out, src and place are filled in for it
  bool has_src;
} scatter_job;

static void scatter_columns(void *ctx, const space *s, const columns *c) {
  const scatter_job *j = ctx;
  const int64_t size = tc_dtype_size(j->update.dtype);
  tc_update u = j->update;
  char *out = (char *)u.out + c->at[1] * size;
  const char *src = (const char *)u.src + (j->has_src ? c->at[0] * size : 0);
  const int64_t *index = u.place + c->at[2];
  u.place_scale = s->dim_stride[1];
  const bool down = down_each(s, c);
  u.m = down ? s->n : c->count;
  u.out_stride = down ? 0 : c->stride[1];
  u.src_stride = !j->has_src ? 0 : down ? s->dim_stride[0] : c->stride[0];
  u.place_stride = down ? s->dim_stride[2] : c->stride[2];
  for (int64_t i = 0; i < (down ? c->count : s->n); i++) {
    u.out = out + (down ? i * c->stride[1] * size : 0);
    u.src = src + (!j->has_src ? 0 : i * (down ? c->stride[0] : s->dim_stride[0]) * size);
    u.place = index + i * (down ? c->stride[2] : s->dim_stride[2]);
    tc_update_run(&u);
  }
}

static void scatter_range(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const scatter_job *j = ctx;
  walk(&j->s, begin, end, scatter_columns, ctx);
}

static void scatter(scatter_job *j, tc_update_op op, int64_t dtype, void *out, const void *src, bool has_src) {
  j->update = (tc_update){.dtype = dtype, .op = op, .out = out, .src = src, .place = TC_PTR(const int64_t, j->a->index)};
  j->has_src = has_src;
  tc_parallel_for(column_count(&j->s), grain(&j->s), scatter_range, j);
}

static tc_update_op update_op(int64_t op) {
  switch (op) {
    case TC_SCATTER_ASSIGN: return TC_UPDATE_ASSIGN;
    case TC_SCATTER_MUL: return TC_UPDATE_MUL;
    case TC_SCATTER_AMAX: return TC_UPDATE_MAX;
    case TC_SCATTER_AMIN: return TC_UPDATE_MIN;
    default: return TC_UPDATE_ADD;
  }
}

// How often each element of out is hit.
int64_t tc_scatter_scratch(const tc_scatter_args *a) {
  return a->op == TC_SCATTER_MEAN ? a->out_numel * (int64_t)sizeof(int64_t) : 0;
}

int32_t tc_scatter(const tc_scatter_args *a) {
  const bool is_complex = a->dtype == TC_C64 || a->dtype == TC_C128;
  if (is_complex && a->op != TC_SCATTER_ASSIGN && a->op != TC_SCATTER_ADD) return tc_unsupported(a->dtype);
  if (a->n == 0) return TC_OK;
  scatter_job j = {.a = a, .s = {a->n, a->ndim, a->shape, {a->dim_stride[1], a->dim_stride[0], a->dim_stride[2]}, a->stride, {1, 0, 2}}};
  const int32_t status = check_all(&j.s, TC_PTR(const int64_t, a->index), a->size, a->dim);
  if (status != TC_OK) return status;
  const tc_update_op op = update_op(a->op);
  sixteen number;
  void *out = TC_PTR(void, a->out);
  if (!a->include_self && op != TC_UPDATE_ASSIGN) {
    tc_update_identity(&number, a->dtype, op);
    scatter(&j, TC_UPDATE_ASSIGN, a->dtype, out, &number, false);
  }
  if (!a->src) tc_number_element(&number, a->dtype, a->value);
  scatter(&j, op, a->dtype, out, a->src ? TC_PTR(const void, a->src) : &number, a->src != 0);
  if (a->op == TC_SCATTER_MEAN) {
    int64_t *counts = TC_PTR(int64_t, a->scratch);
    const int64_t one = 1;
    memset(counts, 0, (size_t)tc_scatter_scratch(a));
    scatter(&j, TC_UPDATE_ADD, TC_I64, counts, &one, false);
    tc_update_divide(out, a->dtype, counts, a->include_self != 0, a->out_numel);
  }
  return TC_OK;
}
