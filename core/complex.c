// Complex numbers where parts cannot be treated one by one: products, and the operand of matrix products.
#include "include/tc.h"
#include "parallel.h"
#include "status.h"

enum { GRAIN = 16384 };  // elements worth a thread

#define COMPLEX_KERNELS(E, name)                                                                              \
  static void expand_##name(void *ctx, int64_t begin, int64_t end, int thread) {                              \
    (void)thread;                                                                                             \
    const tc_complex_expand_args *a = ctx;                                                                    \
    const E re = (E)a->alpha_re, im = (E)a->alpha_im;                                                         \
    const int plain = re == 1 && im == 0;                                                                     \
    for (int64_t row = begin; row < end; row++) {                                                             \
      const E *in = TC_PTR(const E, a->in) + 2 * (row / a->k * a->in_bs + row % a->k * a->in_rs);             \
      E *even = TC_PTR(E, a->out) + row * 4 * a->n, *odd = even + 2 * a->n;                                   \
      for (int64_t l = 0; l < a->n; l++) {                                                                    \
        const E x = in[2 * l * a->in_cs], y = in[2 * l * a->in_cs + 1];                                       \
        const E u = plain ? x : re * x - im * y, v = plain ? y : re * y + im * x;                             \
        even[2 * l] = u, even[2 * l + 1] = v;                                                                 \
        odd[2 * l] = -v, odd[2 * l + 1] = u;                                                                  \
      }                                                                                                       \
    }                                                                                                         \
  }                                                                                                           \
  static void prod_##name(void *ctx, int64_t begin, int64_t end, int thread) {                                \
    (void)thread;                                                                                             \
    const tc_complex_prod_args *a = ctx;                                                                      \
    for (int64_t line = begin; line < end; line++) {                                                          \
      const int64_t first = line / a->inner * a->n * a->inner + line % a->inner;                              \
      const E *in = TC_PTR(const E, a->in) + 2 * first;                                                       \
      E *out = TC_PTR(E, a->out) + 2 * (a->cumulative ? first : line);                                        \
      E re = 1, im = 0;                                                                                       \
      for (int64_t j = 0; j < a->n; j++) {                                                                    \
        const E x = in[2 * j * a->inner], y = in[2 * j * a->inner + 1];                                       \
        const E u = re * x - im * y, v = re * y + im * x;                                                     \
        re = u, im = v;                                                                                       \
        if (a->cumulative) out[2 * j * a->inner] = re, out[2 * j * a->inner + 1] = im;                        \
      }                                                                                                       \
      if (!a->cumulative) out[0] = re, out[1] = im;                                                           \
    }                                                                                                         \
  }
COMPLEX_KERNELS(float, c64)
COMPLEX_KERNELS(double, c128)

int32_t tc_complex_expand(const tc_complex_expand_args *a) {
  if (a->dtype != TC_C64 && a->dtype != TC_C128) return tc_unsupported(a->dtype);
  tc_parallel_for(a->batch * a->k, 1 + GRAIN / (a->n + 1), a->dtype == TC_C64 ? expand_c64 : expand_c128, (void *)a);
  return TC_OK;
}

int32_t tc_complex_prod(const tc_complex_prod_args *a) {
  if (a->dtype != TC_C64 && a->dtype != TC_C128) return tc_unsupported(a->dtype);
  tc_parallel_for(a->outer * a->inner, 1 + GRAIN / (a->n + 1), a->dtype == TC_C64 ? prod_c64 : prod_c128, (void *)a);
  return TC_OK;
}
