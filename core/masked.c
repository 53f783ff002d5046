// tc_mask_count, tc_masked_select, tc_masked_scatter, tc_nonzero_count, tc_nonzero: what is set in a mask
// or not zero in a tensor. Two passes over fixed blocks: how many each has, then the rest in parallel.
#include <stdbool.h>
#include <string.h>

#include "convert.h"
#include "parallel.h"
#include "status.h"

#define BLOCK 4096

typedef struct { uint64_t half[2]; } sixteen;

static inline int64_t blocks_of(int64_t n) { return (n + BLOCK - 1) / BLOCK; }

static inline int64_t block_size(int64_t n, int64_t block) {
  return n - block * BLOCK < BLOCK ? n - block * BLOCK : BLOCK;
}

// flags[i] = 1 where in[i] is not 0; NaN is not, -0 is.
static void flag_block(uint8_t *restrict flags, const void *in, int64_t dtype, int64_t start, int64_t n) {
#define FLAG(S, of)                                                       \
  {                                                                       \
    const S *p = (const S *)in + start;                                   \
    for (int64_t i = 0; i < n; i++) flags[i] = of(p[i]) != 0;             \
    break;                                                                \
  }
#define MAGNITUDE_16(x) ((x) & 0x7fff)
  switch (dtype) {
    case TC_U8: case TC_I8: case TC_BOOL: FLAG(uint8_t, )
    case TC_I16: FLAG(int16_t, )
    case TC_I32: FLAG(int32_t, )
    case TC_I64: FLAG(int64_t, )
    case TC_F16: case TC_BF16: FLAG(uint16_t, MAGNITUDE_16)
    case TC_F32: FLAG(float, )
    case TC_F64: FLAG(double, )
    case TC_C64: {
      const float *p = (const float *)in + 2 * start;
      for (int64_t i = 0; i < n; i++) flags[i] = p[2 * i] != 0 || p[2 * i + 1] != 0;
      break;
    }
    default: {
      const double *p = (const double *)in + 2 * start;
      for (int64_t i = 0; i < n; i++) flags[i] = p[2 * i] != 0 || p[2 * i + 1] != 0;
    }
  }
#undef FLAG
#undef MAGNITUDE_16
}

typedef struct {
  const void *in;
  int64_t dtype, n;
  int64_t *counts;  // of each block; then what comes before it
} count_job;

static void count_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const count_job *j = ctx;
  uint8_t flags[BLOCK];
  for (int64_t b = begin; b < end; b++) {
    const int64_t n = block_size(j->n, b);
    flag_block(flags, j->in, j->dtype, b * BLOCK, n);
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += flags[i];
    j->counts[b] = sum;
  }
}

// Fills counts with how many elements are set before each block; returns how many there are.
static int64_t count_before(const count_job *j) {
  tc_parallel_for(blocks_of(j->n), 8, count_blocks, (void *)(uintptr_t)j);
  int64_t sum = 0;
  for (int64_t b = 0; b < blocks_of(j->n); b++) {
    const int64_t count = j->counts[b];
    j->counts[b] = sum;
    sum += count;
  }
  return sum;
}

// The count alone needs no room for its parts.
static int64_t count_all(const void *in, int64_t dtype, int64_t n) {
  int64_t total = 0;
  for (int64_t b = 0; b < blocks_of(n); b++) {
    int64_t count;
    uint8_t flags[BLOCK];
    const int64_t size = block_size(n, b);
    flag_block(flags, in, dtype, b * BLOCK, size);
    count = 0;
    for (int64_t i = 0; i < size; i++) count += flags[i];
    total += count;
  }
  return total;
}

// ---- masks ------------------------------------------------------------------------------------------------

typedef struct {
  count_job count;
  const tc_masked_args *a;
  bool select;
} mask_job;

static void move_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const mask_job *j = ctx;
  const tc_masked_args *a = j->a;
  const uint8_t *mask = TC_PTR(const uint8_t, a->mask);
  for (int64_t b = begin; b < end; b++) {
    const int64_t start = b * BLOCK, stop = start + block_size(a->n, b);
    int64_t k = j->count.counts[b];
#define MOVE(T)                                                                       \
  {                                                                                   \
    T *out = TC_PTR(T, a->out);                                                       \
    const T *in = TC_PTR(const T, a->in);                                             \
    for (int64_t i = start; i < stop;) {                                              \
      uint64_t eight = 1;                                                             \
      if (i + 8 <= stop) memcpy(&eight, mask + i, 8);                                 \
      if (eight == 0) { /* masks are mostly runs */                                   \
        i += 8;                                                                       \
        continue;                                                                     \
      }                                                                               \
      for (int64_t last = i + 8 < stop ? i + 8 : stop; i < last; i++) {               \
        if (!mask[i]) continue;                                                       \
        if (j->select) out[k++] = in[i]; else out[i] = in[k++];                       \
      }                                                                               \
    }                                                                                 \
    break;                                                                            \
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
}

static mask_job job_of(const tc_masked_args *a, bool select) {
  return (mask_job){{TC_PTR(const void, a->mask), TC_BOOL, a->n, TC_PTR(int64_t, a->scratch)}, a, select};
}

int64_t tc_masked_select_scratch(const tc_masked_args *a) { return blocks_of(a->n) * (int64_t)sizeof(int64_t); }
int64_t tc_masked_scatter_scratch(const tc_masked_args *a) { return tc_masked_select_scratch(a); }

int32_t tc_mask_count(const tc_masked_args *a) {
  *TC_PTR(int64_t, a->count) = count_all(TC_PTR(const void, a->mask), TC_BOOL, a->n);
  return TC_OK;
}

int32_t tc_masked_select(const tc_masked_args *a) {
  mask_job j = job_of(a, true);
  count_before(&j.count);
  tc_parallel_for(blocks_of(a->n), 4, move_blocks, &j);
  return TC_OK;
}

int32_t tc_masked_scatter(const tc_masked_args *a) {
  mask_job j = job_of(a, false);
  const int64_t set = count_before(&j.count);
  if (set > a->nsrc) return tc_fail(TC_BAD_VALUE, set, a->nsrc, 0, 0);
  tc_parallel_for(blocks_of(a->n), 4, move_blocks, &j);
  return TC_OK;
}

// ---- nonzero ----------------------------------------------------------------------------------------------

static int64_t volume(const tc_nonzero_args *a) {
  int64_t n = 1;
  for (int64_t d = 0; d < a->ndim; d++) n *= a->shape[d];
  return n;
}

int64_t tc_nonzero_scratch(const tc_nonzero_args *a) { return blocks_of(volume(a)) * (int64_t)sizeof(int64_t); }

int32_t tc_nonzero_count(const tc_nonzero_args *a) {
  *TC_PTR(int64_t, a->count) = count_all(TC_PTR(const void, a->in), a->dtype, volume(a));
  return TC_OK;
}

typedef struct {
  count_job count;
  const tc_nonzero_args *a;
  int64_t total;
} nonzero_job;

static void write_blocks(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)thread;
  const nonzero_job *j = ctx;
  const tc_nonzero_args *a = j->a;
  const int64_t ndim = a->ndim, row = a->shape[ndim - 1];
  // Coordinate d of the k-th one is at out[k * along + d * across].
  const int64_t along = a->as_tuple ? 1 : ndim, across = a->as_tuple ? j->total : 1;
  uint8_t flags[BLOCK];
  int64_t at[TC_MAX_DIMS];
  for (int64_t b = begin; b < end; b++) {
    const int64_t n = block_size(j->count.n, b);
    flag_block(flags, j->count.in, j->count.dtype, b * BLOCK, n);
    int64_t rest = b * BLOCK, *out = TC_PTR(int64_t, a->out) + j->count.counts[b] * along;
    for (int64_t d = ndim - 1; d >= 0; d--) {
      at[d] = rest % a->shape[d];
      rest /= a->shape[d];
    }
    for (int64_t i = 0; i < n;) {  // the rest of a row at a time
      const int64_t stop = n - i < row - at[ndim - 1] ? n : i + row - at[ndim - 1];
      const int64_t first = at[ndim - 1] - i;
      for (int64_t k = i; k < stop; k++) {
        if (!flags[k]) continue;
        for (int64_t d = 0; d < ndim - 1; d++) out[d * across] = at[d];
        out[(ndim - 1) * across] = first + k;
        out += along;
      }
      i = stop;
      at[ndim - 1] = 0;
      for (int64_t d = ndim - 2; d >= 0 && ++at[d] == a->shape[d]; d--) at[d] = 0;
    }
  }
}

int32_t tc_nonzero(const tc_nonzero_args *a) {
  nonzero_job j = {{TC_PTR(const void, a->in), a->dtype, volume(a), TC_PTR(int64_t, a->scratch)}, a,
                   *TC_PTR(const int64_t, a->count)};
  if (a->ndim == 0) return TC_OK;  // a number: `count` rows without coordinates
  if (count_before(&j.count) != j.total) return tc_fail(TC_BAD_VALUE, j.total, 0, 0, 0);
  tc_parallel_for(blocks_of(j.count.n), 4, write_blocks, &j);
  return TC_OK;
}
