// Dense linear algebra on batches of matrices, row-major and contiguous. float32 and float64.
//
// Small matrices and large batches are spread over the threads, one matrix at a time on each; a large matrix has all
// threads to itself, in its products, passes and rotations. docs/linalg.md names the algorithms.
#ifndef TC_LINALG_H
#define TC_LINALG_H

// One struct serves all; what a kernel does not name, it does not read. `a` is worked on in place.
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  int64_t batch;
  int64_t m, n;     // a (batch, m, n)
  int64_t k;        // right-hand sides, or reflectors
  uint64_t a;
  uint64_t b;
  uint64_t c;
  uint64_t values;  // tau, singular values, eigenvalues
  uint64_t pivots;  // int32
  uint64_t rank;    // int64 (batch)
  uint64_t info;    // int32 (batch): LAPACK's; may be 0
  int64_t upper, unit, transposed, left;
  int64_t job;      // tc_linalg_job
  double tolerance; // of singular values and of ranks, relative to the largest
} tc_linalg_args;

// Which vectors are wanted.
typedef enum {
  TC_LINALG_VALUES = 0,   // none
  TC_LINALG_REDUCED = 1,  // as many as there are values
  TC_LINALG_FULL = 2,     // a whole basis
} tc_linalg_job;

// a = P L U with partial pivoting; pivots (batch, min(m, n)), 1-based as LAPACK's; info: the first zero pivot (the
// factorisation goes on).
TC_EXPORT(tc_lu) int32_t tc_lu(const tc_linalg_args *a);
TC_EXPORT(tc_lu_scratch) int64_t tc_lu_scratch(const tc_linalg_args *a);
// b (batch, n, k) = a^-1 b, or a^-T b, from the factors and pivots of tc_lu; m = n.
TC_EXPORT(tc_lu_solve) int32_t tc_lu_solve(const tc_linalg_args *a);
TC_EXPORT(tc_lu_solve_scratch) int64_t tc_lu_solve_scratch(const tc_linalg_args *a);
// Exchanges a's rows as k pivots say, first to last; transposed: undoes that.
TC_EXPORT(tc_row_swaps) int32_t tc_row_swaps(const tc_linalg_args *a);
TC_EXPORT(tc_row_swaps_scratch) int64_t tc_row_swaps_scratch(const tc_linalg_args *a);
// b (batch, n, k) = a^-1 b with a triangular, or its transpose's inverse; unit: the diagonal counts as 1.
TC_EXPORT(tc_triangular_solve) int32_t tc_triangular_solve(const tc_linalg_args *a);
TC_EXPORT(tc_triangular_solve_scratch) int64_t tc_triangular_solve_scratch(const tc_linalg_args *a);
// a = L L^T from the lower triangle: L is written there, the upper one is set to 0; info: the leading minor that is not
// positive.
TC_EXPORT(tc_cholesky) int32_t tc_cholesky(const tc_linalg_args *a);
TC_EXPORT(tc_cholesky_scratch) int64_t tc_cholesky_scratch(const tc_linalg_args *a);
// a = L D L^T from the lower triangle, by Bunch and Kaufman's pivoting: LAPACK's sytrf.
TC_EXPORT(tc_ldl) int32_t tc_ldl(const tc_linalg_args *a);
TC_EXPORT(tc_ldl_scratch) int64_t tc_ldl_scratch(const tc_linalg_args *a);
// b (batch, n, k) = a^-1 b from the factors and pivots of tc_ldl.
TC_EXPORT(tc_ldl_solve) int32_t tc_ldl_solve(const tc_linalg_args *a);
TC_EXPORT(tc_ldl_solve_scratch) int64_t tc_ldl_solve_scratch(const tc_linalg_args *a);
// a = Q R by Householder reflections: R on and above the diagonal, the reflectors below it, values (batch, min(m, n))
// their factors (LAPACK's geqrf).
TC_EXPORT(tc_geqrf) int32_t tc_geqrf(const tc_linalg_args *a);
TC_EXPORT(tc_geqrf_scratch) int64_t tc_geqrf_scratch(const tc_linalg_args *a);
// a (m, n) with k reflectors in its columns becomes the first n columns of their product (LAPACK's orgqr).
TC_EXPORT(tc_orgqr) int32_t tc_orgqr(const tc_linalg_args *a);
TC_EXPORT(tc_orgqr_scratch) int64_t tc_orgqr_scratch(const tc_linalg_args *a);
// b = Q b, Q^T b (b is m' by k), b Q or b Q^T (b is k by m'), where Q is the product of the n reflectors in a's columns
// and m' = m (LAPACK's ormqr).
TC_EXPORT(tc_ormqr) int32_t tc_ormqr(const tc_linalg_args *a);
TC_EXPORT(tc_ormqr_scratch) int64_t tc_ormqr_scratch(const tc_linalg_args *a);
// Eigenvalues (batch, n), ascending, of a symmetric a, both of whose triangles are filled; a becomes the eigenvectors, in
// columns, unless job is TC_LINALG_VALUES. info: how many eigenvalues were not found.
TC_EXPORT(tc_eigh) int32_t tc_eigh(const tc_linalg_args *a);
TC_EXPORT(tc_eigh_scratch) int64_t tc_eigh_scratch(const tc_linalg_args *a);
// Eigenvalues, complex (batch, n), of a general a, which is destroyed; b, complex (batch, n, n): the eigenvectors, in
// columns, of length 1. info: how many eigenvalues were not found.
TC_EXPORT(tc_eig) int32_t tc_eig(const tc_linalg_args *a);
TC_EXPORT(tc_eig_scratch) int64_t tc_eig_scratch(const tc_linalg_args *a);
// Singular values (batch, min(m, n)), descending, of a, which is destroyed. b: the left vectors in columns, (m, min) or
// (m, m); c: the right ones in rows, (min, n) or (n, n). info: -4 if a is not finite, else how many were not found.
TC_EXPORT(tc_svd) int32_t tc_svd(const tc_linalg_args *a);
TC_EXPORT(tc_svd_scratch) int64_t tc_svd_scratch(const tc_linalg_args *a);
// Least squares by a complete orthogonal factorisation (LAPACK's gelsy): b (batch, max(m, n), k) holds m rows of
// right-hand sides and gets n rows of solutions; rank as `tolerance` says.
TC_EXPORT(tc_gelsy) int32_t tc_gelsy(const tc_linalg_args *a);
TC_EXPORT(tc_gelsy_scratch) int64_t tc_gelsy_scratch(const tc_linalg_args *a);

#endif
