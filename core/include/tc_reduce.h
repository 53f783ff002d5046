// Reductions over any set of dimensions, and scans along one.
#ifndef TC_REDUCE_H
#define TC_REDUCE_H

typedef enum {
  TC_RED_SUM, TC_RED_MEAN, TC_RED_PROD, TC_RED_MAX, TC_RED_MIN,  // max/min propagate NaN; amax/amin use them too
  TC_RED_ARGMAX, TC_RED_ARGMIN,          // out is int64; the first of equal values; NaN counts as the extreme
  TC_RED_ANY, TC_RED_ALL,                // out is bool (or uint8)
  TC_RED_NANSUM, TC_RED_COUNT_NONZERO,   // count: out is int64
  TC_RED_VAR, TC_RED_STD,                // param[0] = correction; Welford or two-pass; out2 (if given): the mean
  TC_RED_LOGSUMEXP,
  TC_RED_NORM,                           // param[0] = p: (sum |x|^p)^(1/p); 0, 1, 2, inf, -inf have their own paths
  TC_RED_SUMSQ,                          // sum of squares, without the root
  TC_RED_XOR_SUM,                        // reserved
} tc_reduce_op;

// Kept dimensions and reduced dimensions are listed apart, each innermost first and coalesced where possible.
// nreduce 0 reduces a single element. An empty reduced space gives the identity (sum 0, prod 1, any 0, all 1,
// mean/var NaN); TypeScript refuses max/min/argmax of nothing.
typedef struct {
  uint64_t scratch;
  int64_t op;
  int64_t in_dtype, out_dtype;
  int64_t compute;     // accumulation dtype: TC_F32 (pairwise or wider inside), TC_F64, TC_I64, (complex)
  uint64_t in, out;
  uint64_t out2;       // MAX, MIN: int64 indices (flattened over the reduced dims in logical order) or 0; VAR: mean
  double param[2];
  int64_t nkeep, nreduce;
  int64_t keep_shape[TC_MAX_DIMS], keep_in[TC_MAX_DIMS], keep_out[TC_MAX_DIMS];  // strides of in and out (out2 like out)
  int64_t red_shape[TC_MAX_DIMS], red_in[TC_MAX_DIMS];
} tc_reduce_args;

TC_EXPORT(tc_reduce) int32_t tc_reduce(const tc_reduce_args *a);
TC_EXPORT(tc_reduce_scratch) int64_t tc_reduce_scratch(const tc_reduce_args *a);

typedef enum { TC_SCAN_SUM, TC_SCAN_PROD, TC_SCAN_MAX, TC_SCAN_MIN, TC_SCAN_LOGSUMEXP } tc_scan_op;

// Cumulative op along the middle dimension of contiguous (outer, n, inner) tensors. MAX and MIN also write the
// int64 indices (the last of equal values, as PyTorch).
typedef struct {
  int64_t op, in_dtype, out_dtype, compute;
  uint64_t in, out, indices;
  int64_t outer, n, inner;
} tc_scan_args;

TC_EXPORT(tc_scan) int32_t tc_scan(const tc_scan_args *a);

#endif
