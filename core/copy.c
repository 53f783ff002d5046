// Strided copies with conversion.
//
// Between operands of one dtype only the element's size counts: contiguous runs are moved as bytes, a pair of
// dimensions of which one is contiguous here and the other there goes tile by tile, so that whole cache lines are
// read and written, and the rest goes element by element. Between two dtypes, runs pass through a buffer.
#include "convert.h"
#include "include/tc.h"
#include "parallel.h"

enum {
  GRAIN = 65536,      // elements worth a thread
  LONG_ROW = 4096,    // rows at least this long may be cut between threads
  RUN = 512,          // elements converted at a time
  LINE = 64,          // bytes: a cache line, the edge of a tile
  NARROW = 16,        // times as long is a tile whose other side is shorter than that
};

typedef struct {
  const tc_copy_args *a;
  int64_t in_size, out_size;
  int64_t edge0, edge1;     // tiles: elements
  int64_t tiles0, tiles1;
} job;

// In dimensions `from` and above: the element at a linear index there, dimension `from` fastest.
typedef struct {
  int64_t index[TC_MAX_DIMS];
  int64_t out, in;  // offsets in elements
} cursor;

static void cursor_at(const tc_copy_args *a, int64_t from, int64_t position, cursor *c) {
  c->out = c->in = 0;
  for (int64_t d = from; d < a->ndim; d++) {
    c->index[d] = position % a->shape[d];
    position /= a->shape[d];
    c->out += c->index[d] * a->stride[d][0];
    c->in += c->index[d] * a->stride[d][1];
  }
}

static void cursor_next(const tc_copy_args *a, int64_t from, cursor *c) {
  for (int64_t d = from; d < a->ndim; d++) {
    c->out += a->stride[d][0];
    c->in += a->stride[d][1];
    if (++c->index[d] < a->shape[d]) return;
    c->out -= a->shape[d] * a->stride[d][0];
    c->in -= a->shape[d] * a->stride[d][1];
    c->index[d] = 0;
  }
}

static void convert_run(const tc_copy_args *a, char *out, int64_t out_stride, const char *in, int64_t in_stride,
                        int64_t n) {
  int64_t in_size = tc_dtype_size(a->in_dtype), out_size = tc_dtype_size(a->out_dtype);
  _Alignas(16) char from[RUN * 16], to[RUN * 16];
  for (int64_t i = 0; i < n; i += RUN) {
    int64_t m = n - i < RUN ? n - i : RUN;
    const char *src = in + i * in_stride * in_size;
    char *dst = out + i * out_stride * out_size;
    if (in_stride != 1) {
      tc_load_run(from, src, in_stride, m, in_size);
      src = from;
    }
    tc_convert(out_stride == 1 ? dst : to, a->out_dtype, src, a->in_dtype, m);
    if (out_stride != 1) tc_store_run(dst, out_stride, to, m, out_size);
  }
}

typedef struct { uint64_t half[2]; } element16;

#define STRIDED(E)                                                                                          \
  static void strided_##E(E *restrict out, int64_t out_stride, const E *restrict in, int64_t in_stride,     \
                          int64_t n) {                                                                      \
    for (int64_t i = 0; i < n; i++) out[i * out_stride] = in[i * in_stride];                                \
  }
STRIDED(uint8_t)
STRIDED(uint16_t)
STRIDED(uint32_t)
STRIDED(uint64_t)
STRIDED(element16)

static void move_run(const job *j, char *out, int64_t out_stride, const char *in, int64_t in_stride, int64_t n) {
  int64_t size = j->in_size;
  if (j->a->in_dtype != j->a->out_dtype) {
    convert_run(j->a, out, out_stride, in, in_stride, n);
  } else if (out_stride == 1) {
    if (in_stride == 1) tc_move(out, in, n * size);
    else tc_load_run(out, in, in_stride, n, size);
  } else if (in_stride == 1) {
    tc_store_run(out, out_stride, in, n, size);
  } else {
    switch (size) {
      case 1: strided_uint8_t((uint8_t *)out, out_stride, (const uint8_t *)in, in_stride, n); break;
      case 2: strided_uint16_t((uint16_t *)out, out_stride, (const uint16_t *)in, in_stride, n); break;
      case 4: strided_uint32_t((uint32_t *)out, out_stride, (const uint32_t *)in, in_stride, n); break;
      case 8: strided_uint64_t((uint64_t *)out, out_stride, (const uint64_t *)in, in_stride, n); break;
      default: strided_element16((element16 *)out, out_stride, (const element16 *)in, in_stride, n);
    }
  }
}

// Whole rows along dimension 0.
static void copy_rows(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const tc_copy_args *a = j->a;
  char *out = TC_PTR(char, a->out);
  const char *in = TC_PTR(const char, a->in);
  cursor c;
  cursor_at(a, 1, begin, &c);
  for (int64_t row = begin; row < end; row++) {
    move_run(j, out + c.out * j->out_size, a->stride[0][0], in + c.in * j->in_size, a->stride[0][1], a->shape[0]);
    cursor_next(a, 1, &c);
  }
}

// Elements in order, for rows long enough to be cut.
static void copy_elements(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const tc_copy_args *a = j->a;
  char *out = TC_PTR(char, a->out);
  const char *in = TC_PTR(const char, a->in);
  int64_t row = a->shape[0];
  cursor c;
  cursor_at(a, 1, begin / row, &c);
  for (int64_t at = begin; at < end;) {
    int64_t i = at % row;
    int64_t n = row - i < end - at ? row - i : end - at;
    move_run(j, out + (c.out + i * a->stride[0][0]) * j->out_size, a->stride[0][0],
             in + (c.in + i * a->stride[0][1]) * j->in_size, a->stride[0][1], n);
    at += n;
    cursor_next(a, 1, &c);
  }
}

// One 64-byte tile: out[i * os + k] = in[k * is + i]. Full tiles of 4- and 8-byte elements by vector shuffles, by way
// of a buffer so that each cache line of either side is touched in one go, whatever the strides do to the sets of
// the cache.
static void transpose_full_4(uint32_t *out, int64_t os, const uint32_t *in, int64_t is) {
  _Alignas(64) uint32_t buffer[16][16];
  for (int k = 0; k < 16; k += 4) {
    for (int i = 0; i < 16; i += 4) {
      vi32 r0 = v_load((const int32_t *)in + (k + 0) * is + i);
      vi32 r1 = v_load((const int32_t *)in + (k + 1) * is + i);
      vi32 r2 = v_load((const int32_t *)in + (k + 2) * is + i);
      vi32 r3 = v_load((const int32_t *)in + (k + 3) * is + i);
      vi32 a = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), b = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
      vi32 c = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), d = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
      v_store((int32_t *)&buffer[i + 0][k], __builtin_shufflevector(a, c, 0, 1, 4, 5));
      v_store((int32_t *)&buffer[i + 1][k], __builtin_shufflevector(a, c, 2, 3, 6, 7));
      v_store((int32_t *)&buffer[i + 2][k], __builtin_shufflevector(b, d, 0, 1, 4, 5));
      v_store((int32_t *)&buffer[i + 3][k], __builtin_shufflevector(b, d, 2, 3, 6, 7));
    }
  }
  for (int i = 0; i < 16; i++) memcpy(out + i * os, buffer[i], LINE);
}

static void transpose_full_8(uint64_t *out, int64_t os, const uint64_t *in, int64_t is) {
  _Alignas(64) uint64_t buffer[8][8];
  for (int k = 0; k < 8; k += 2) {
    for (int i = 0; i < 8; i += 2) {
      vi64 r0 = v_load((const int64_t *)in + k * is + i), r1 = v_load((const int64_t *)in + (k + 1) * is + i);
      v_store((int64_t *)&buffer[i][k], __builtin_shufflevector(r0, r1, 0, 2));
      v_store((int64_t *)&buffer[i + 1][k], __builtin_shufflevector(r0, r1, 1, 3));
    }
  }
  for (int i = 0; i < 8; i++) memcpy(out + i * os, buffer[i], LINE);
}

// Any other tile: the longer side innermost.
#define TRANSPOSE_PART(E)                                                                                    \
  static void transpose_##E(E *restrict out, int64_t os, const E *restrict in, int64_t is, int64_t n_i,      \
                            int64_t n_k) {                                                                   \
    if (n_k < n_i) {                                                                                         \
      for (int64_t k = 0; k < n_k; k++) strided_##E(out + k, os, in + k * is, 1, n_i);                       \
    } else {                                                                                                 \
      for (int64_t i = 0; i < n_i; i++) strided_##E(out + i * os, 1, in + i, is, n_k);                       \
    }                                                                                                        \
  }
TRANSPOSE_PART(uint8_t)
TRANSPOSE_PART(uint16_t)
TRANSPOSE_PART(uint32_t)
TRANSPOSE_PART(uint64_t)
TRANSPOSE_PART(element16)

// Dimensions 0 and 1 have been arranged so that `out` runs along 0 and `in` along 1.
static void copy_tiles(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const job *j = ctx;
  const tc_copy_args *a = j->a;
  int64_t os = a->stride[1][0], is = a->stride[0][1], size = j->in_size;
  cursor c;
  for (int64_t t = begin; t < end; t++) {
    int64_t k0 = t % j->tiles0 * j->edge0, i0 = t / j->tiles0 % j->tiles1 * j->edge1;
    if (t == begin || (k0 == 0 && i0 == 0)) cursor_at(a, 2, t / (j->tiles0 * j->tiles1), &c);
    int64_t n_k = a->shape[0] - k0 < j->edge0 ? a->shape[0] - k0 : j->edge0;
    int64_t n_i = a->shape[1] - i0 < j->edge1 ? a->shape[1] - i0 : j->edge1;
    void *out = TC_PTR(char, a->out) + (c.out + i0 * os + k0) * size;
    const void *in = TC_PTR(const char, a->in) + (c.in + k0 * is + i0) * size;
    int full = n_k == LINE / size && n_i == LINE / size;
    switch (size) {
      case 1: transpose_uint8_t(out, os, in, is, n_i, n_k); break;
      case 2: transpose_uint16_t(out, os, in, is, n_i, n_k); break;
      case 4:
        if (full) transpose_full_4(out, os, in, is);
        else transpose_uint32_t(out, os, in, is, n_i, n_k);
        break;
      case 8:
        if (full) transpose_full_8(out, os, in, is);
        else transpose_uint64_t(out, os, in, is, n_i, n_k);
        break;
      default: transpose_element16(out, os, in, is, n_i, n_k);
    }
  }
}

static void swap_dims(tc_copy_args *a, int64_t p, int64_t q) {
  int64_t shape = a->shape[p], out = a->stride[p][0], in = a->stride[p][1];
  a->shape[p] = a->shape[q], a->stride[p][0] = a->stride[q][0], a->stride[p][1] = a->stride[q][1];
  a->shape[q] = shape, a->stride[q][0] = out, a->stride[q][1] = in;
}

// The dimension of size > 1 along which operand k is contiguous, or -1.
static int64_t contiguous_dim(const tc_copy_args *a, int64_t k) {
  for (int64_t d = 0; d < a->ndim; d++) {
    if (a->stride[d][k] == 1 && a->shape[d] > 1) return d;
  }
  return -1;
}

int32_t tc_copy(const tc_copy_args *args) {
  int64_t total = 1, ndim = args->ndim;
  for (int64_t d = 0; d < ndim; d++) total *= args->shape[d];
  if (total <= 0) return TC_OK;
  job j = {.in_size = tc_dtype_size(args->in_dtype), .out_size = tc_dtype_size(args->out_dtype)};
  // A copy of the arguments, with the dimensions in the order that suits.
  tc_copy_args a;
  a.ndim = ndim, a.out_dtype = args->out_dtype, a.in_dtype = args->in_dtype, a.out = args->out, a.in = args->in;
  memcpy(a.shape, args->shape, (size_t)ndim * sizeof a.shape[0]);
  memcpy(a.stride, args->stride, (size_t)ndim * sizeof a.stride[0]);
  if (ndim == 0) {
    a.ndim = 1;
    a.shape[0] = 1;
    a.stride[0][0] = a.stride[0][1] = 1;
  }
  j.a = &a;
  int64_t out_dim = contiguous_dim(&a, 0), in_dim = contiguous_dim(&a, 1);
  if (a.in_dtype == a.out_dtype && out_dim >= 0 && in_dim >= 0 && out_dim != in_dim && a.shape[out_dim] >= 2 &&
      a.shape[in_dim] >= 2 && a.stride[in_dim][0] != 0) {
    swap_dims(&a, out_dim, 0);
    if (in_dim == 0) in_dim = out_dim;
    swap_dims(&a, in_dim, 1);
    // A narrow side is made up for by the other.
    int64_t edge = LINE / j.in_size;
    j.edge0 = a.shape[1] < edge ? edge * NARROW : edge;
    j.edge1 = a.shape[0] < edge ? edge * NARROW : edge;
    j.tiles0 = (a.shape[0] + j.edge0 - 1) / j.edge0;
    j.tiles1 = (a.shape[1] + j.edge1 - 1) / j.edge1;
    int64_t tiles = j.tiles0 * j.tiles1 * (total / (a.shape[0] * a.shape[1]));
    tc_parallel_for(tiles, GRAIN / (edge * edge), copy_tiles, &j);
    return TC_OK;
  }
  if (out_dim > 0) swap_dims(&a, out_dim, 0);
  if (a.shape[0] >= LONG_ROW) {
    tc_parallel_for(total, GRAIN, copy_elements, &j);
  } else {
    tc_parallel_for(total / a.shape[0], 1 + GRAIN / a.shape[0], copy_rows, &j);
  }
  return TC_OK;
}
