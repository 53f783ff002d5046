// General matrix products.
#ifndef TC_MATMUL_H
#define TC_MATMUL_H

#define TC_MM_MAX_BATCH 8

typedef enum { TC_ACT_NONE = 0, TC_ACT_RELU = 1, TC_ACT_SIGMOID = 2, TC_ACT_TANH = 3 } tc_activation;

// C[b] = act(alpha * A[b] x B[b] + beta * C[b] + bias), A (m, k), B (k, n), C (m, n), each with any row and column
// strides (all four transpositions without copies; c_cs is 1 in practice). beta 0 does not read C.
// float32, float64, float16/bfloat16 (accumulated in float32, rounded once) and integers (wrapping).
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  int64_t m, n, k;
  uint64_t a, b, c;
  int64_t a_rs, a_cs, b_rs, b_cs, c_rs, c_cs;
  double alpha, beta;
  uint64_t bias;        // (n) with stride bias_cs and row stride bias_rs (0: the same for each row); 0: none
  int64_t bias_rs, bias_cs;
  int64_t act;          // tc_activation, applied last
  int64_t nbatch;       // batch dimensions in use, outermost first; strides may be 0 (broadcast)
  int64_t batch_shape[TC_MM_MAX_BATCH];
  int64_t batch_a[TC_MM_MAX_BATCH], batch_b[TC_MM_MAX_BATCH], batch_c[TC_MM_MAX_BATCH];
} tc_matmul_args;

TC_EXPORT(tc_matmul) int32_t tc_matmul(const tc_matmul_args *a);
TC_EXPORT(tc_matmul_scratch) int64_t tc_matmul_scratch(const tc_matmul_args *a);

#endif
