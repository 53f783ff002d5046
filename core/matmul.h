// One real matrix product, by whichever way suits its shape. matmul_f32.c and matmul_f64.c instantiate matmul_impl.h.
#ifndef TC_MATMUL_INTERNAL_H
#define TC_MATMUL_INTERNAL_H

#include "gemm.h"

#define TC_MATMUL_DECLARE(R, T)                                                                                 \
  typedef struct {                                                                                              \
    ptrdiff_t m, n, k;                                                                                          \
    const R *a, *b;                                                                                             \
    ptrdiff_t a_rs, a_cs, b_rs, b_cs;                                                                           \
    tc_gemm_out_##T out;                                                                                        \
  } tc_product_##T;                                                                                             \
                                                                                                                \
  /* Bytes of workspace that a product of this shape and these strides needs; addresses are not looked at. */   \
  int64_t tc_product_scratch_##T(const tc_product_##T *product);                                                \
  /* Runs on all threads, or on the calling one when inside a parallel body. */                                 \
  void tc_product_run_##T(const tc_product_##T *product, void *scratch);

TC_MATMUL_DECLARE(float, f32)
TC_MATMUL_DECLARE(double, f64)

#endif
