// Walks the kept and the reduced dimensions of a reduction and calls the kernels of reduce_<dtype>.c.
//
// Two ways to walk. By lines: each result folds its own elements, which lie along the reduced dimensions. By columns:
// a tile of results that are neighbours along kept dimension 0 folds rows, so that memory is read in order when the
// reduced dimensions are the outer ones. Elements of another dtype, or strided ones, pass through a buffer.
//
// Threads share out tiles; where there are few, the reduced space is split as well, each part gives partial results
// and these are merged in order. The cuts depend on the sizes alone, so results do not depend on the threads.
#include <math.h>
#include <stdlib.h>

#include "convert.h"
#include "include/tc.h"
#include "parallel.h"
#include "reduce.h"

enum {
  MAX_TILE = 256,         // results of one tile
  LANES = 4,              // tiles are padded to a multiple of this
  LINE_BLOCK = 512,       // elements of a line that pass through a buffer at a time
  BUFFER_BYTES = 32768,   // of rows that do
  SHORT_LINE = 8,         // by columns if there are no more elements than this to reduce
  LINE_TILE = 64,         // columns that are made into lines at a time
  GRAIN = 32768,          // elements worth a thread
  PART_MIN = 16384,       // elements of a part of a split, at least
  PARTS = 64,             // parts of all tiles together, about
};

typedef struct {
  const tc_reduce_args *a;
  const tc_fold *fold;
  int64_t loop_dtype, loop_size, in_size;
  int64_t keep_total, red_total;
  int by_columns;
  int direct;             // elements stand in memory as the kernel wants them
  int64_t tile, row_tiles, tiles;  // results a tile, tiles along kept dimension 0, all tiles
  int64_t padded;         // tile, rounded up to LANES
  int64_t parts, part;    // parts of the reduced space, elements of each
  tc_partial *partials;   // [part][tile][padded]
} job;

static int64_t fold_of(const tc_reduce_args *a) {
  switch (a->op) {
    case TC_RED_SUM: case TC_RED_MEAN: return TC_FOLD_SUM;
    case TC_RED_PROD: return TC_FOLD_PROD;
    case TC_RED_MAX: return a->out2 != 0 ? TC_FOLD_MAX : TC_FOLD_AMAX;
    case TC_RED_MIN: return a->out2 != 0 ? TC_FOLD_MIN : TC_FOLD_AMIN;
    case TC_RED_ARGMAX: return TC_FOLD_MAX;
    case TC_RED_ARGMIN: return TC_FOLD_MIN;
    case TC_RED_ANY: return TC_FOLD_ANY;
    case TC_RED_ALL: return TC_FOLD_ALL;
    case TC_RED_NANSUM: return TC_FOLD_NANSUM;
    case TC_RED_COUNT_NONZERO: return TC_FOLD_COUNT;
    case TC_RED_VAR: case TC_RED_STD: return TC_FOLD_VAR;
    case TC_RED_LOGSUMEXP: return TC_FOLD_LOGSUMEXP;
    case TC_RED_SUMSQ: return TC_FOLD_SUMSQ;
    case TC_RED_NORM: {
      double p = a->param[0];
      if (p == 0) return TC_FOLD_COUNT;
      if (p == 1) return TC_FOLD_SUMABS;
      if (p == 2) return TC_FOLD_SUMSQ;
      if (p == INFINITY) return TC_FOLD_MAXABS;
      if (p == -INFINITY) return TC_FOLD_MINABS;
      return TC_FOLD_SUMPOW;
    }
    default: return TC_FOLD_COUNT_OF;
  }
}

static const tc_fold *find_fold(const tc_reduce_args *a, int64_t *loop_dtype) {
  int64_t fold = fold_of(a);
  if (fold == TC_FOLD_COUNT_OF) return 0;
  *loop_dtype = a->compute;
  const tc_fold *f;
  int64_t bytes = fold == TC_FOLD_SUM && a->op == TC_RED_SUM && a->in_dtype == TC_BOOL ? TC_FOLD_COUNT : fold;
  if ((a->in_dtype == TC_BOOL || a->in_dtype == TC_U8) && tc_folds_u8[bytes].line != 0) {
    *loop_dtype = a->in_dtype;
    return &tc_folds_u8[bytes];
  }
  switch (a->compute) {
    case TC_F32: f = &tc_folds_f32[fold]; break;
    case TC_F64: f = &tc_folds_f64[fold]; break;
    case TC_I64: f = &tc_folds_i64[fold]; break;
    default: return 0;
  }
  return f->line == 0 ? 0 : f;
}

static int64_t at_least(int64_t x, int64_t low) { return x < low ? low : x; }
static int64_t at_most(int64_t x, int64_t high) { return x > high ? high : x; }

// 0 if there is no code for the dtype.
static int plan(const tc_reduce_args *a, job *j) {
  j->a = a;
  j->fold = find_fold(a, &j->loop_dtype);
  if (j->fold == 0) return 0;
  j->loop_size = tc_dtype_size(j->loop_dtype);
  j->in_size = tc_dtype_size(a->in_dtype);
  j->keep_total = j->red_total = 1;
  for (int64_t d = 0; d < a->nkeep; d++) j->keep_total *= a->keep_shape[d];
  for (int64_t d = 0; d < a->nreduce; d++) j->red_total *= a->red_shape[d];
  int64_t row = a->nkeep > 0 ? a->keep_shape[0] : 1;
  int64_t keep_stride = a->nkeep > 0 ? a->keep_in[0] : 0, red_stride = a->nreduce > 0 ? a->red_in[0] : 0;
  int outer = red_stride != 1 && llabs(keep_stride) < llabs(red_stride);
  j->by_columns = row >= LANES && (outer || (j->red_total <= SHORT_LINE && row >= 4 * LANES));
  int same = a->in_dtype == j->loop_dtype;
  j->direct = same && (j->by_columns ? keep_stride == 1 && j->fold->rows != 0
                                     : red_stride == 1 && (a->nreduce == 1 || a->red_shape[0] >= 64));
  int64_t tile = j->by_columns ? (j->fold->rows != 0 ? MAX_TILE : LINE_TILE) : at_most(at_least(GRAIN / at_least(j->red_total, 1), 1), MAX_TILE);
  j->tile = at_most(tile, at_least(row, 1));
  j->padded = (j->tile + LANES - 1) / LANES * LANES;
  j->row_tiles = (row + j->tile - 1) / j->tile;
  j->tiles = j->keep_total == 0 ? 0 : j->row_tiles * (j->keep_total / row);
  j->parts = 1;
  j->part = j->red_total;
  if (j->tiles > 0 && j->tiles < PARTS / 2) {
    int64_t wanted = (PARTS + j->tiles - 1) / j->tiles;
    int64_t parts = at_most(wanted, j->red_total * j->tile / PART_MIN);
    if (parts > 1) {
      j->part = ((j->red_total + parts - 1) / parts + 63) / 64 * 64;
      j->parts = (j->red_total + j->part - 1) / j->part;
    }
  }
  return 1;
}

// A walk over the reduced space in runs along its dimension 0.
typedef struct {
  int64_t index[TC_MAX_DIMS];
  int64_t offset;  // in elements
} walk;

static void walk_to(const tc_reduce_args *a, walk *w, int64_t position) {
  w->offset = 0;
  for (int64_t d = 0; d < a->nreduce; d++) {
    w->index[d] = position % a->red_shape[d];
    position /= a->red_shape[d];
    w->offset += w->index[d] * a->red_in[d];
  }
}

// Elements up to the end of the run, at most n.
static int64_t walk_run(const tc_reduce_args *a, const walk *w, int64_t n) {
  return a->nreduce == 0 ? 1 : at_most(a->red_shape[0] - w->index[0], n);
}

static void walk_on(const tc_reduce_args *a, walk *w, int64_t n) {
  if (a->nreduce == 0) return;
  w->index[0] += n;
  w->offset += n * a->red_in[0];
  for (int64_t d = 0; d + 1 < a->nreduce && w->index[d] == a->red_shape[d]; d++) {
    w->index[d] = 0;
    w->offset += a->red_in[d + 1] - a->red_shape[d] * a->red_in[d];
    w->index[d + 1]++;
  }
}

// n elements with a stride, as the kernel's dtype; `raw` has room for n of the tensor's dtype.
static void load(const job *j, void *dst, const char *src, int64_t stride, int64_t n, void *raw) {
  if (j->a->in_dtype == j->loop_dtype) {
    tc_load_run(dst, src, stride, n, j->in_size);
  } else if (stride == 1) {
    tc_convert(dst, j->loop_dtype, src, j->a->in_dtype, n);
  } else {
    tc_load_run(raw, src, stride, n, j->in_size);
    tc_convert(dst, j->loop_dtype, raw, j->a->in_dtype, n);
  }
}

// One result, whose first element is at `in`, over [begin, end) of the reduced space.
static void fold_line(const job *j, const char *in, int64_t begin, int64_t end, tc_partial *s) {
  const tc_reduce_args *a = j->a;
  _Alignas(16) char buffer[LINE_BLOCK * 8], raw[LINE_BLOCK * 8];
  int64_t stride = a->nreduce > 0 ? a->red_in[0] : 1;
  walk w;
  walk_to(a, &w, begin);
  for (int64_t at = begin; at < end;) {
    if (j->direct) {
      int64_t n = walk_run(a, &w, end - at);
      j->fold->line(s, in + w.offset * j->in_size, n, at, at - begin, a->param[0]);
      walk_on(a, &w, n);
      at += n;
      continue;
    }
    int64_t n = 0;
    while (n < LINE_BLOCK && at + n < end) {
      int64_t run = walk_run(a, &w, at_most(LINE_BLOCK - n, end - at - n));
      load(j, buffer + n * j->loop_size, in + w.offset * j->in_size, stride, run, raw);
      walk_on(a, &w, run);
      n += run;
    }
    j->fold->line(s, buffer, n, at, at - begin, a->param[0]);
    at += n;
  }
}

// `columns` neighbouring results over [begin, end) by way of a buffer: rows of it if there is a kernel for rows, else
// each column becomes a line.
static void fold_columns_buffered(const job *j, const char *in, int64_t columns, int64_t begin, int64_t end,
                                  tc_partial *s) {
  const tc_reduce_args *a = j->a;
  _Alignas(16) char buffer[BUFFER_BYTES], raw[MAX_TILE * 8], row[MAX_TILE * 8];
  int64_t size = j->loop_size, padded = (columns + LANES - 1) / LANES * LANES;
  int64_t room = BUFFER_BYTES / (padded * size);
  int lines = j->fold->rows == 0;
  if (!lines) memset(buffer, 0, sizeof buffer);
  walk w;
  walk_to(a, &w, begin);
  for (int64_t at = begin; at < end;) {
    int64_t n = at_most(room, end - at);
    for (int64_t r = 0; r < n; r++) {
      const char *src = in + w.offset * j->in_size;
      if (lines) {
        load(j, row, src, a->keep_in[0], columns, raw);
        tc_store_run(buffer + r * size, n, row, columns, size);
      } else {
        load(j, buffer + r * padded * size, src, a->keep_in[0], columns, raw);
      }
      walk_on(a, &w, 1);
    }
    if (lines) {
      for (int64_t c = 0; c < columns; c++) {
        j->fold->line(&s[c], buffer + c * n * size, n, at, at - begin, a->param[0]);
      }
    } else {
      j->fold->rows(s, buffer, padded, n, padded, at, at - begin);
    }
    at += n;
  }
}

static void fold_columns(const job *j, const char *in, int64_t columns, int64_t begin, int64_t end, tc_partial *s) {
  const tc_reduce_args *a = j->a;
  int64_t whole = j->direct ? columns / LANES * LANES : 0;
  if (whole > 0) {
    int64_t stride = a->nreduce > 0 ? a->red_in[0] : 0;
    walk w;
    walk_to(a, &w, begin);
    for (int64_t at = begin; at < end;) {
      int64_t n = walk_run(a, &w, end - at);
      j->fold->rows(s, in + w.offset * j->in_size, stride, n, whole, at, at - begin);
      walk_on(a, &w, n);
      at += n;
    }
  }
  if (whole < columns) {
    fold_columns_buffered(j, in + whole * a->keep_in[0] * j->in_size, columns - whole, begin, end, s + whole);
  }
}

typedef struct {
  int64_t n;              // results
  int64_t in, out;        // offsets of the first, in elements
} tile_place;

static tile_place place_tile(const job *j, int64_t tile) {
  const tc_reduce_args *a = j->a;
  tile_place t = {.n = 1};
  if (a->nkeep == 0) return t;
  int64_t first = tile % j->row_tiles * j->tile, rest = tile / j->row_tiles;
  t.n = at_most(a->keep_shape[0] - first, j->tile);
  t.in = first * a->keep_in[0];
  t.out = first * a->keep_out[0];
  for (int64_t d = 1; d < a->nkeep; d++) {
    int64_t index = rest % a->keep_shape[d];
    rest /= a->keep_shape[d];
    t.in += index * a->keep_in[d];
    t.out += index * a->keep_out[d];
  }
  return t;
}

static void fold_tile(const job *j, tile_place t, int64_t begin, int64_t end, tc_partial *s) {
  j->fold->start(&s[0]);
  for (int64_t c = 1; c < j->padded; c++) s[c] = s[0];
  const char *in = TC_PTR(const char, j->a->in + (uint64_t)(t.in * j->in_size));
  if (begin == end) return;
  if (j->by_columns) {
    fold_columns(j, in, t.n, begin, end, s);
  } else {
    int64_t next = (j->a->nkeep > 0 ? j->a->keep_in[0] : 0) * j->in_size;
    if (j->direct && j->a->nreduce == 1) {
      for (int64_t c = 0; c < t.n; c++) {
        j->fold->line(&s[c], in + c * next + begin * j->in_size, end - begin, begin, 0, j->a->param[0]);
      }
    } else {
      for (int64_t c = 0; c < t.n; c++) fold_line(j, in + c * next, begin, end, &s[c]);
    }
  }
}

// What a float operator makes of its partial results.
#define EACH(expression)                                    \
  do {                                                      \
    for (int64_t c = 0; c < count; c++) {                   \
      const double sum = s[c].v.f + s[c].w;                 \
      (void)sum;                                            \
      values[c].f = (expression);                           \
    }                                                       \
    return;                                                 \
  } while (0)

static void finish(const tc_reduce_args *a, const tc_partial *s, int64_t count, double n, tc_value *values) {
  double p = a->param[0];
  switch (a->op) {
    case TC_RED_SUM: case TC_RED_NANSUM: case TC_RED_SUMSQ: case TC_RED_COUNT_NONZERO: EACH(sum);
    case TC_RED_MEAN: EACH(sum / n);
    case TC_RED_VAR: EACH(s[c].w / fmax(n - p, 0));
    case TC_RED_STD: EACH(sqrt(s[c].w / fmax(n - p, 0)));
    case TC_RED_LOGSUMEXP: EACH(s[c].v.f + log(s[c].w));
    case TC_RED_NORM:
      if (p == 0 || p == 1) EACH(sum);
      if (p == 2) EACH(sqrt(sum));
      if (fabs(p) == INFINITY) EACH(s[c].v.f);
      EACH(pow(sum, 1 / p));
    default: EACH(s[c].v.f);
  }
}

static void store(uint64_t data, int64_t dtype, int64_t offset, int64_t stride, const void *values,
                  int64_t values_dtype, int64_t n) {
  char converted[MAX_TILE * 8];
  int64_t size = tc_dtype_size(dtype);
  tc_convert(converted, dtype, values, values_dtype, n);
  tc_store_run(TC_PTR(char, data) + offset * size, stride, converted, n, size);
}

static void finish_tile(const job *j, tile_place t, const tc_partial *s) {
  const tc_reduce_args *a = j->a;
  int64_t stride = a->nkeep > 0 ? a->keep_out[0] : 1;
  tc_value values[MAX_TILE];
  int places = a->op == TC_RED_ARGMAX || a->op == TC_RED_ARGMIN;
  int truth = a->op == TC_RED_ANY || a->op == TC_RED_ALL;
  int integers = places || truth || (j->loop_dtype != TC_F32 && j->loop_dtype != TC_F64);
  if (!integers) finish(a, s, t.n, (double)j->red_total, values);
  for (int64_t c = 0; integers && c < t.n; c++) values[c].i = places ? s[c].at : s[c].v.i;
  store(a->out, a->out_dtype, t.out, stride, values, integers ? TC_I64 : TC_F64, t.n);
  if (a->out2 == 0 || places) return;
  if (a->op == TC_RED_MAX || a->op == TC_RED_MIN) {
    for (int64_t c = 0; c < t.n; c++) values[c].i = s[c].at;
    store(a->out2, TC_I64, t.out, stride, values, TC_I64, t.n);
  } else if (a->op == TC_RED_VAR || a->op == TC_RED_STD) {
    for (int64_t c = 0; c < t.n; c++) values[c].f = j->red_total == 0 ? NAN : s[c].v.f;
    store(a->out2, a->out_dtype, t.out, stride, values, TC_F64, t.n);
  }
}

static void run_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  tc_partial s[MAX_TILE];
  for (int64_t tile = begin; tile < end; tile++) {
    tile_place t = place_tile(j, tile);
    fold_tile(j, t, 0, j->red_total, s);
    finish_tile(j, t, s);
  }
}

static tc_partial *partials_of(const job *j, int64_t part, int64_t tile) {
  return j->partials + (part * j->tiles + tile) * j->padded;
}

static void run_parts(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  for (int64_t item = begin; item < end; item++) {
    int64_t tile = item / j->parts, part = item % j->parts, first = part * j->part;
    fold_tile(j, place_tile(j, tile), first, at_most(first + j->part, j->red_total), partials_of(j, part, tile));
  }
}

static void merge_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  for (int64_t tile = begin; tile < end; tile++) {
    tile_place t = place_tile(j, tile);
    tc_partial *s = partials_of(j, 0, tile);
    for (int64_t part = 1; part < j->parts; part++) {
      const tc_partial *other = partials_of(j, part, tile);
      int64_t before = part * j->part, count = at_most(j->part, j->red_total - before);
      for (int64_t c = 0; c < t.n; c++) j->fold->merge(&s[c], before, &other[c], count);
    }
    finish_tile(j, t, s);
  }
}

int64_t tc_reduce_scratch(const tc_reduce_args *a) {
  job j;
  if (!plan(a, &j) || j.parts == 1) return 0;
  return j.parts * j.tiles * j.padded * (int64_t)sizeof(tc_partial);
}

int32_t tc_reduce(const tc_reduce_args *a) {
  job j;
  if (!plan(a, &j)) {
    tc_error_info[0] = a->compute;
    tc_error_info[1] = a->op;
    return TC_UNSUPPORTED;
  }
  if (j.tiles == 0) return TC_OK;
  if (j.parts == 1) {
    tc_parallel_for(j.tiles, at_least(GRAIN / at_least(j.tile * j.red_total, 1), 1), run_tiles, &j);
    return TC_OK;
  }
  j.partials = TC_PTR(tc_partial, a->scratch);
  tc_parallel_for(j.tiles * j.parts, at_least(GRAIN / at_least(j.tile * j.part, 1), 1), run_parts, &j);
  tc_parallel_for(j.tiles, at_least(GRAIN / (j.padded * j.parts), 1), merge_tiles, &j);
  return TC_OK;
}
