// Integer matrix products. All arithmetic wraps, so it is done on unsigned numbers of at least 32 bits.
#include "matmul_int.h"

#include "parallel.h"

// Columns whose sums are kept at a time.
#define CHUNK 256
// Multiply-adds worth sending to another thread.
#define GRAIN 32768

typedef struct {
  const tc_matmul_args *s;
  const void *a, *b;
  void *c;
} job;

#define INTEGER_PRODUCT(E, S)                                                                                 \
  static void sums_##E(const tc_matmul_args *s, const E *a, const E *b, S *restrict sums, int64_t count) {    \
    if (s->b_cs == 1) {                                                                                       \
      for (int64_t j = 0; j < count; j++) sums[j] = 0;                                                        \
      for (int64_t p = 0; p < s->k; p++) {                                                                    \
        const S x = (S)a[p * s->a_cs];                                                                        \
        const E *row = b + p * s->b_rs;                                                                       \
        for (int64_t j = 0; j < count; j++) sums[j] += x * (S)row[j];                                         \
      }                                                                                                       \
    } else {                                                                                                  \
      for (int64_t j = 0; j < count; j++) {                                                                   \
        const E *col = b + j * s->b_cs;                                                                       \
        S sum = 0;                                                                                            \
        if (s->a_cs == 1 && s->b_rs == 1) {                                                                   \
          for (int64_t p = 0; p < s->k; p++) sum += (S)a[p] * (S)col[p];                                      \
        } else {                                                                                              \
          for (int64_t p = 0; p < s->k; p++) sum += (S)a[p * s->a_cs] * (S)col[p * s->b_rs];                  \
        }                                                                                                     \
        sums[j] = sum;                                                                                        \
      }                                                                                                       \
    }                                                                                                         \
  }                                                                                                           \
  /* [begin, end): chunks of columns, row after row */                                                        \
  static void rows_##E(void *ctx, int64_t begin, int64_t end, int thread) {                                   \
    (void)thread;                                                                                             \
    const job *t = ctx;                                                                                       \
    const tc_matmul_args *s = t->s;                                                                           \
    const S alpha = (S)(int64_t)s->alpha, beta = (S)(int64_t)s->beta;                                         \
    const E *bias = TC_PTR(const E, s->bias);                                                                 \
    const int64_t chunks = (s->n + CHUNK - 1) / CHUNK;                                                        \
    S sums[CHUNK];                                                                                            \
    for (int64_t at = begin; at < end; at++) {                                                                \
      const int64_t i = at / chunks, j0 = at % chunks * CHUNK;                                                \
      const int64_t count = s->n - j0 < CHUNK ? s->n - j0 : CHUNK;                                            \
      sums_##E(s, (const E *)t->a + i * s->a_rs, (const E *)t->b + j0 * s->b_cs, sums, count);                \
      for (int64_t j = 0; j < count; j++) {                                                                   \
        E *out = (E *)t->c + i * s->c_rs + (j0 + j) * s->c_cs;                                                \
        S v = sums[j] * alpha;                                                                                \
        if (s->beta != 0) v += beta * (S)*out;                                                                \
        if (bias) v += (S)bias[i * s->bias_rs + (j0 + j) * s->bias_cs];                                       \
        *out = (E)v;                                                                                          \
      }                                                                                                       \
    }                                                                                                         \
  }

INTEGER_PRODUCT(uint8_t, uint32_t)
INTEGER_PRODUCT(uint16_t, uint32_t)
INTEGER_PRODUCT(uint32_t, uint32_t)
INTEGER_PRODUCT(uint64_t, uint64_t)

void tc_matmul_int(const tc_matmul_args *s, const void *a, const void *b, void *c) {
  job t = {s, a, b, c};
  const int64_t size = tc_dtype_size(s->dtype);
  tc_parallel_for(s->m * ((s->n + CHUNK - 1) / CHUNK), 1 + GRAIN / (CHUNK * (s->k + 1)),
                  size == 1   ? rows_uint8_t
                  : size == 2 ? rows_uint16_t
                  : size == 4 ? rows_uint32_t
                              : rows_uint64_t,
                  &t);
}
