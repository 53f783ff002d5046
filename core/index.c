// tc_index: advanced indexing. The index space is taken in blocks; for a block the offsets of its elements
// in self and in values are worked out once, and then used for all of the slice space.
#include <string.h>

#include "convert.h"
#include "indices.h"
#include "update.h"

#define BLOCK 256

typedef struct { uint64_t half[2]; } sixteen;

typedef struct {
  const tc_index_args *a;
  tc_update update;  // PUT, ADD
  int64_t index_count, slice_count;
  int64_t blocks;         // of the index space
  int64_t piece, pieces;  // of the slice space
  bool by_line;           // the loop inside runs along the slice space, not along the index space
} job;

typedef struct {
  int64_t count;
  int64_t self[BLOCK], values[BLOCK];
} offsets;

static int64_t volume(int64_t ndim, const int64_t *shape) {
  int64_t count = 1;
  for (int64_t d = 0; d < ndim; d++) count *= shape[d];
  return count;
}

// Steps through a space, innermost dimension first.
typedef struct { int64_t at[TC_MAX_DIMS]; } odometer;

static void set_odometer(odometer *o, int64_t position, int64_t ndim, const int64_t *shape) {
  for (int64_t d = 0; d < ndim; d++) {
    o->at[d] = position % shape[d];
    position /= shape[d];
  }
}

static inline void step(odometer *o, int64_t ndim, const int64_t *shape) {
  for (int64_t d = 0; d < ndim && ++o->at[d] == shape[d]; d++) o->at[d] = 0;
}

// Offsets of `count` elements of the index space from `first` on.
static void find_offsets(const tc_index_args *a, int64_t first, int64_t count, offsets *f) {
  odometer o;
  set_odometer(&o, first, a->index_ndim, a->index_shape);
  f->count = count;
  for (int64_t p = 0; p < count;) {
    // A run along the innermost dimension.
    const int64_t left = a->index_ndim > 0 ? a->index_shape[0] - o.at[0] : 1;
    const int64_t run = count - p < left ? count - p : left;
    int64_t values = 0;
    for (int64_t d = 0; d < a->index_ndim; d++) values += o.at[d] * a->index_values_stride[d];
    for (int64_t i = 0; i < run; i++) {
      f->self[p + i] = 0;
      f->values[p + i] = values + (a->index_ndim > 0 ? i * a->index_values_stride[0] : 0);
    }
    for (int64_t k = 0; k < a->nindices; k++) {
      const int64_t *index = TC_PTR(const int64_t, a->index[k]);
      const int64_t stride = a->index_ndim > 0 ? a->index_stride[0][k] : 0;
      const int64_t size = a->size[k], scale = a->self_stride[k];
      for (int64_t d = 0; d < a->index_ndim; d++) index += o.at[d] * a->index_stride[d][k];
      for (int64_t i = 0; i < run; i++) {
        const int64_t x = index[i * stride];
        f->self[p + i] += (x < 0 ? x + size : x) * scale;
      }
    }
    p += run;
    if (a->index_ndim > 0) {
      o.at[0] += run - 1;
      step(&o, a->index_ndim, a->index_shape);
    }
  }
}

// Places one element of the slice space of a block: values and self start there.
static void move_block(const job *j, const offsets *f, char *values, char *self) {
  const tc_index_args *a = j->a;
  sixteen found[BLOCK];  // the block's elements, side by side, where they are to be put into self
  tc_update u = j->update;
  u.m = f->count;
  u.place = f->self;
  u.place_stride = u.place_scale = 1;
  u.out = self;
  u.out_stride = 0;
  if (!a->values) {
    tc_update_run(&u);
    return;
  }
  u.src = found;
  u.src_stride = 1;
#define MOVE(T)                                                                                       \
  {                                                                                                   \
    T *const v = (T *)values, *const x = (T *)self, *const e = (T *)found;                            \
    if (a->op == TC_INDEX_GET) {                                                                      \
      for (int64_t i = 0; i < f->count; i++) v[f->values[i]] = x[f->self[i]];                         \
    } else if (a->op == TC_INDEX_PUT) {                                                               \
      for (int64_t i = 0; i < f->count; i++) x[f->self[i]] = v[f->values[i]];                         \
    } else {                                                                                          \
      for (int64_t i = 0; i < f->count; i++) e[i] = v[f->values[i]];                                  \
      tc_update_run(&u);                                                                              \
    }                                                                                                 \
    break;                                                                                            \
  }
  switch (tc_dtype_size(a->dtype)) {
    case 1: MOVE(uint8_t)
    case 2: MOVE(uint16_t)
    case 4: MOVE(uint32_t)
    case 8: MOVE(uint64_t)
    default: MOVE(sixteen)
  }
#undef MOVE
}

// `count` elements along the slice space's innermost dimension, at one place of the index space.
static void move_line(const job *j, char *values, char *self, int64_t count) {
  const tc_index_args *a = j->a;
  const int64_t of_values = a->slice_stride[0][0], of_self = a->slice_stride[0][1];
  const bool get = a->op == TC_INDEX_GET;
  if (of_values == 1 && of_self == 1 && a->op != TC_INDEX_ADD && a->values) {
    memcpy(get ? values : self, get ? self : values, (size_t)(count * tc_dtype_size(a->dtype)));
    return;
  }
  tc_update u = j->update;
  u.m = count;
  u.out = get ? values : self;
  u.out_stride = get ? of_values : of_self;
  if (get || a->values) {
    u.src = get ? self : values;
    u.src_stride = get ? of_self : of_values;
  }
  tc_update_run(&u);
}

// A block of the index space, and elements begin .. end - 1 of the slice space.
static void process(const job *j, int64_t block, int64_t begin, int64_t end) {
  const tc_index_args *a = j->a;
  const int64_t size = tc_dtype_size(a->dtype), left = j->index_count - block * BLOCK;
  offsets f;
  find_offsets(a, block * BLOCK, left < BLOCK ? left : BLOCK, &f);
  odometer o;
  set_odometer(&o, begin, a->slice_ndim, a->slice_shape);
  for (int64_t q = begin; q < end;) {
    int64_t values_at = 0, self_at = 0;
    for (int64_t d = 0; d < a->slice_ndim; d++) {
      values_at += o.at[d] * a->slice_stride[d][0];
      self_at += o.at[d] * a->slice_stride[d][1];
    }
    char *values = a->values ? TC_PTR(char, a->values) + values_at * size : NULL;
    char *self = TC_PTR(char, a->self) + self_at * size;
    if (!j->by_line) {
      move_block(j, &f, values, self);
      step(&o, a->slice_ndim, a->slice_shape);
      q++;
      continue;
    }
    const int64_t row = a->slice_shape[0] - o.at[0], count = end - q < row ? end - q : row;
    for (int64_t i = 0; i < f.count; i++) {
      move_line(j, values ? values + f.values[i] * size : NULL, self + f.self[i] * size, count);
    }
    o.at[0] += count - 1;
    step(&o, a->slice_ndim, a->slice_shape);
    q += count;
  }
}

static void process_units(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  for (int64_t u = begin; u < end; u++) {
    const int64_t piece = u % j->pieces, from = piece * j->piece;
    const int64_t to = from + j->piece < j->slice_count ? from + j->piece : j->slice_count;
    if (j->a->op == TC_INDEX_GET) {
      process(j, u / j->pieces, from, to);
    } else {  // blocks may meet in self: one after another
      for (int64_t b = 0; b < j->blocks; b++) process(j, b, from, to);
    }
  }
}

// Each index tensor once, without the dimensions that it is broadcast along.
static int32_t check(const tc_index_args *a) {
  for (int64_t k = 0; k < a->nindices; k++) {
    int64_t shape[TC_MAX_DIMS], stride[TC_MAX_DIMS], ndim = 0, count = 1;
    for (int64_t d = 0; d < a->index_ndim; d++) {
      if (a->index_stride[d][k] == 0) continue;
      shape[ndim] = a->index_shape[d];
      stride[ndim++] = a->index_stride[d][k];
      count *= a->index_shape[d];
    }
    const int64_t *index = TC_PTR(const int64_t, a->index[k]), size = a->size[k];
    const int64_t run = ndim > 0 ? shape[0] : 1, run_stride = ndim > 0 ? stride[0] : 0;
    odometer o;
    set_odometer(&o, 0, ndim, shape);
    for (int64_t p = 0; p < count; p += run) {
      int64_t at = 0;
      for (int64_t d = 1; d < ndim; d++) at += o.at[d] * stride[d];
      if (!tc_indices_lie_in(index + at, run_stride, run, -size, size)) {
        while (index[at] >= -size && index[at] < size) at += run_stride;
        return tc_bad_index(index[at], size, at, k);
      }
      for (int64_t d = 1; d < ndim && ++o.at[d] == shape[d]; d++) o.at[d] = 0;
    }
  }
  return TC_OK;
}

int32_t tc_index(const tc_index_args *a) {
  job j = {.a = a, .index_count = volume(a->index_ndim, a->index_shape),
           .slice_count = volume(a->slice_ndim, a->slice_shape)};
  if (j.index_count == 0 || j.slice_count == 0) return TC_OK;
  const int32_t status = check(a);
  if (status != TC_OK) return status;
  const bool get = a->op == TC_INDEX_GET;
  sixteen number;
  if (!get && !a->values) tc_number_element(&number, a->dtype, a->value);
  j.update = (tc_update){.dtype = a->dtype, .op = a->op == TC_INDEX_ADD ? TC_UPDATE_ADD : TC_UPDATE_ASSIGN, .src = &number};
  // The loop inside is the one that goes through neighbouring elements of values, or of self for a number.
  const int64_t beside = a->values ? a->slice_stride[0][0] : a->slice_stride[0][1];
  const int64_t across = !a->values || a->index_ndim == 0 ? INT64_MAX : a->index_values_stride[0];
  j.by_line = a->slice_ndim > 0 && (j.index_count == 1 || beside <= across);
  j.blocks = (j.index_count + BLOCK - 1) / BLOCK;
  j.piece = get ? 8192 : 64;
  j.pieces = (j.slice_count + j.piece - 1) / j.piece;
  const int64_t work = (get ? BLOCK : j.index_count) * (j.slice_count < j.piece ? j.slice_count : j.piece);
  tc_parallel_for(get ? j.blocks * j.pieces : j.pieces, 1 + 16384 / work, process_units, &j);
  return TC_OK;
}
