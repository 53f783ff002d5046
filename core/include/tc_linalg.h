// Dense factorisations of batches of small to middling matrices, row-major and contiguous. float32 and float64.
#ifndef TC_LINALG_H
#define TC_LINALG_H

// One struct serves all; `a` and `b` are worked on in place.
typedef struct {
  int64_t dtype;
  int64_t batch;
  int64_t m, n;      // a (batch, m, n)
  int64_t k;         // right-hand sides of b, or reflectors
  uint64_t a;
  uint64_t b;        // solves: (batch, n, k)
  uint64_t pivots;   // LU: int32 (batch, min(m, n)), 1-based as LAPACK
  uint64_t tau;      // QR: (batch, min(m, n)); householder_product: (batch, k)
  uint64_t info;     // int32 (batch): 0, or the 1-based place where the factorisation broke down; may be 0
  int64_t upper, unit;  // triangular solve
} tc_linalg_args;

// a = P L U with partial pivoting; info: the first zero pivot (the factorisation goes on).
TC_EXPORT(tc_lu) int32_t tc_lu(const tc_linalg_args *a);
// b = a^-1 b from the factors and pivots of tc_lu; m = n.
TC_EXPORT(tc_lu_solve) int32_t tc_lu_solve(const tc_linalg_args *a);
// a = L L^T: the lower triangle is written, the upper one set to 0; info: the leading minor that is not positive.
TC_EXPORT(tc_cholesky) int32_t tc_cholesky(const tc_linalg_args *a);
// a = Q R by Householder reflections: R on and above the diagonal, the reflectors below it, and tau (LAPACK's geqrf).
TC_EXPORT(tc_geqrf) int32_t tc_geqrf(const tc_linalg_args *a);
// a (m, n) with k reflectors in its columns becomes the first n columns of their product (LAPACK's orgqr).
TC_EXPORT(tc_orgqr) int32_t tc_orgqr(const tc_linalg_args *a);
// b = a^-1 b with a triangular, unit: its diagonal counts as 1.
TC_EXPORT(tc_triangular_solve) int32_t tc_triangular_solve(const tc_linalg_args *a);

#endif
