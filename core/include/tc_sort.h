// Sorting, selecting and searching. Real dtypes and bool; NaN counts as the largest value, -0 equals 0.
// Lines run along the middle dimension of contiguous (outer, n, inner) tensors.
#ifndef TC_SORT_H
#define TC_SORT_H

// Stable (PyTorch's CPU sort is stable whether asked or not). values or indices (int64) may be 0: not wanted.
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  uint64_t in, values, indices;
  int64_t outer, n, inner;
  int64_t descending;
} tc_sort_args;

TC_EXPORT(tc_sort) int32_t tc_sort(const tc_sort_args *a);
TC_EXPORT(tc_sort_scratch) int64_t tc_sort_scratch(const tc_sort_args *a);

// One place or a few of each sorted line, with PyTorch's choice among equal values (it follows libstdc++'s
// partial_sort, nth_element and sort, and PyTorch's own quickselect; these kernels repeat their steps).
// topk: values, indices (outer, k, inner). The others: (outer, 1, inner).
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  uint64_t in, values, indices;
  int64_t outer, n, inner;
  int64_t k;                // topk: how many (0 .. n); kthvalue: which, from 1
  int64_t largest, sorted;  // topk
  int64_t ignore_nan;       // median: 1 is nanmedian
} tc_select_args;

TC_EXPORT(tc_topk) int32_t tc_topk(const tc_select_args *a);
TC_EXPORT(tc_kthvalue) int32_t tc_kthvalue(const tc_select_args *a);
TC_EXPORT(tc_median) int32_t tc_median(const tc_select_args *a);
TC_EXPORT(tc_mode) int32_t tc_mode(const tc_select_args *a);
TC_EXPORT(tc_topk_scratch) int64_t tc_topk_scratch(const tc_select_args *a);
TC_EXPORT(tc_kthvalue_scratch) int64_t tc_kthvalue_scratch(const tc_select_args *a);
TC_EXPORT(tc_median_scratch) int64_t tc_median_scratch(const tc_select_args *a);
TC_EXPORT(tc_mode_scratch) int64_t tc_mode_scratch(const tc_select_args *a);

// Distinct elements of in (n), sorted ascending (consecutive 0) or where the value changes (consecutive 1).
// Writes *count (int64), the first `count` places of values and counts, and inverse (n); values, inverse and counts
// have room for n. Each NaN is distinct.
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  int64_t consecutive;
  uint64_t in;
  uint64_t values;           // 0: not wanted
  uint64_t inverse, counts;  // int64; 0: not wanted
  uint64_t count;
  int64_t n;
} tc_unique_args;

TC_EXPORT(tc_unique) int32_t tc_unique(const tc_unique_args *a);
TC_EXPORT(tc_unique_scratch) int64_t tc_unique_scratch(const tc_unique_args *a);

// The same for the n rows of in (n, row), in lexicographic order: order (room for n) gets the number of a row of each
// group, so that values = in.index_select(0, order[:count]). (unique_dim: in is the tensor with `dim` moved first.)
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  int64_t consecutive;
  uint64_t in;
  uint64_t order;            // int64
  uint64_t inverse, counts;  // int64; 0: not wanted
  uint64_t count;
  int64_t n, row;
} tc_unique_rows_args;

TC_EXPORT(tc_unique_rows) int32_t tc_unique_rows(const tc_unique_rows_args *a);
TC_EXPORT(tc_unique_rows_scratch) int64_t tc_unique_rows_scratch(const tc_unique_rows_args *a);

// searchsorted and bucketize: out[r, j] = where values[r, j] goes in the sorted boundaries[r]; the first possible place
// (right 0) or the last (right 1). All contiguous. boundaries (rows, n), or (n) for every row if shared.
typedef struct {
  int64_t dtype;      // of boundaries and values (real)
  int64_t out_dtype;  // TC_I64 or TC_I32
  int64_t right;
  int64_t shared;
  uint64_t boundaries, values, out;
  uint64_t sorter;    // int64, the shape of boundaries: boundaries[sorter[.]] is sorted; 0: they are sorted themselves
  int64_t rows, n, m;
} tc_searchsorted_args;

TC_EXPORT(tc_searchsorted) int32_t tc_searchsorted(const tc_searchsorted_args *a);

#endif
