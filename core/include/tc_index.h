// Reading and writing at positions given by index tensors.
//
// Pure moves take any dtype (only its size counts); those that compute take every dtype but complex, bool included
// (sum is or, product is and), float16 and bfloat16 with float32 inside and a rounding for each update, as PyTorch.
// Every index is checked before anything is written. A bad one: TC_INDEX_OUT_OF_RANGE {index, size, its offset in the
// index tensor in elements, dim}. Index tensors are int64, or int32 where a struct has index_dtype.
// Updates that meet at one place happen in the order of the index.
#ifndef TC_INDEX_H
#define TC_INDEX_H

// A number argument: f if the dtype is a floating one, i if it is an integer or bool; complex: f, and f of the next one.
typedef union { double f; int64_t i; } tc_number;

// ---- gather and scatter along one dimension ------------------------------------------------------------------------

// out[..., j, ...] = in[..., index[..., j, ...], ...]. No negative indices. The index tensor's shape is n along `dim`
// and `shape` over its other dimensions (innermost first, coalesced where all strides allow).
typedef struct {
  int64_t dtype;
  uint64_t out, in, index;
  int64_t size;           // of in along dim
  int64_t n;              // of index along dim
  int64_t dim_stride[3];  // along dim: out, in, index
  int64_t dim;            // for error info
  int64_t ndim;           // the other dimensions
  int64_t shape[TC_MAX_DIMS];
  int64_t stride[TC_MAX_DIMS][3];  // [dimension][out, in, index]
} tc_gather_args;

TC_EXPORT(tc_gather) int32_t tc_gather(const tc_gather_args *a);

typedef enum {
  TC_SCATTER_ASSIGN = 0, TC_SCATTER_ADD = 1, TC_SCATTER_MUL = 2,  // MUL is scatter(reduce="multiply") and reduce="prod"
  TC_SCATTER_MEAN = 3, TC_SCATTER_AMAX = 4, TC_SCATTER_AMIN = 5,
} tc_scatter_op;

// out[..., index[..., j, ...], ...] op= src[..., j, ...]; gather's backward is ADD into zeros.
// include_self 0: places that are hit start from the operation's identity. MEAN wants out contiguous (out_numel);
// integers are divided rounding down.
typedef struct {
  uint64_t scratch;       // MEAN only (and 0 bytes for the others)
  int64_t op;
  int64_t include_self;
  int64_t dtype;
  uint64_t out, src, index;  // src 0: the number in value
  tc_number value[2];
  int64_t size;           // of out along dim
  int64_t n;              // of index along dim
  int64_t dim_stride[3];  // along dim: out, src, index
  int64_t dim;
  int64_t out_numel;
  int64_t ndim;           // the other dimensions
  int64_t shape[TC_MAX_DIMS];
  int64_t stride[TC_MAX_DIMS][3];  // [dimension][out, src, index]
} tc_scatter_args;

TC_EXPORT(tc_scatter) int32_t tc_scatter(const tc_scatter_args *a);
TC_EXPORT(tc_scatter_scratch) int64_t tc_scatter_scratch(const tc_scatter_args *a);

// ---- whole slices along one dimension ------------------------------------------------------------------------------

// index_select and embedding: out (outer, m, inner) contiguous, index (m);
// in[o, r, :] is at o * in_outer_stride + r * in_row_stride, its inner part contiguous.
typedef struct {
  int64_t dtype;
  int64_t index_dtype;  // TC_I64 or TC_I32
  int64_t wrap;         // 1: negative indices count from the end
  uint64_t out, in, index;
  int64_t outer, n, m, inner;  // n: size of in along dim
  int64_t in_outer_stride, in_row_stride;
  int64_t dim;
} tc_index_select_args;

TC_EXPORT(tc_index_select) int32_t tc_index_select(const tc_index_select_args *a);

typedef enum {
  TC_ROWS_COPY = 0,   // index_copy, and index_fill (src 0)
  TC_ROWS_ADD = 1,    // index_add: out += alpha * src
  TC_ROWS_MUL = 2, TC_ROWS_MEAN = 3, TC_ROWS_AMAX = 4, TC_ROWS_AMIN = 5,  // index_reduce
} tc_rows_op;

// out (outer, n, inner) op= src (outer, m, inner) at index (m); both contiguous. index_fill wraps, the others do not.
typedef struct {
  uint64_t scratch;     // MEAN only
  int64_t op;
  int64_t include_self; // the index_reduce ops
  int64_t dtype;
  int64_t index_dtype;  // TC_I64 or TC_I32
  int64_t wrap;
  uint64_t out, src, index;  // src 0: the number in value
  tc_number value[2];
  tc_number alpha;      // ADD
  int64_t outer, n, m, inner;
  int64_t dim;
} tc_index_rows_args;

TC_EXPORT(tc_index_rows) int32_t tc_index_rows(const tc_index_rows_args *a);
TC_EXPORT(tc_index_rows_scratch) int64_t tc_index_rows_scratch(const tc_index_rows_args *a);

// ---- advanced indexing ---------------------------------------------------------------------------------------------

#define TC_MAX_INDICES 16

typedef enum { TC_INDEX_GET = 0, TC_INDEX_PUT = 1, TC_INDEX_ADD = 2 } tc_index_op;

// x[i, :, j] and x[i, :, j] = values (index, index_put_). Two nested spaces: the broadcast shape of the index tensors
// ("index space") and the dimensions of self that no tensor indexes ("slice space"), each innermost first, coalesced
// where possible.
//   GET: values[p, q] = self[index_0[p], index_1[p], ..., q];  PUT: assigns, the last one wins;  ADD: accumulates
// Negative indices wrap. Error info's dim is k, the number of the index tensor. A mask is first turned into indices
// (tc_nonzero). take and put_ are the case of one index tensor, size = numel, self_stride = 1, no slice space.
typedef struct {
  int64_t op;
  int64_t dtype;
  uint64_t self;
  uint64_t values;        // GET: the output; PUT, ADD: 0 means the number in value
  tc_number value[2];
  int64_t nindices;
  uint64_t index[TC_MAX_INDICES];       // int64
  int64_t size[TC_MAX_INDICES];         // of self in the dimension that index k addresses
  int64_t self_stride[TC_MAX_INDICES];  // of self there
  int64_t index_ndim;
  int64_t index_shape[TC_MAX_DIMS];
  int64_t index_values_stride[TC_MAX_DIMS];           // of values, in the index space
  int64_t index_stride[TC_MAX_DIMS][TC_MAX_INDICES];  // [dimension][k], 0 where broadcast
  int64_t slice_ndim;
  int64_t slice_shape[TC_MAX_DIMS];
  int64_t slice_stride[TC_MAX_DIMS][2];               // [dimension][values, self]
} tc_index_args;

TC_EXPORT(tc_index) int32_t tc_index(const tc_index_args *a);

// ---- masks ---------------------------------------------------------------------------------------------------------

// Contiguous mask (bool or uint8) of n elements. count: how many are set, into *count (int64).
// masked_select: out[k] = in[position of the k-th set one]; masked_scatter: out[that position] = src[k], and
// TC_BAD_VALUE {set, nsrc} if src has too few elements, before anything is written.
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  uint64_t mask;
  uint64_t in, out;   // select: in (n); scatter: in is src (nsrc)
  uint64_t count;     // tc_mask_count: written
  int64_t n, nsrc;
} tc_masked_args;

TC_EXPORT(tc_mask_count) int32_t tc_mask_count(const tc_masked_args *a);
TC_EXPORT(tc_masked_select) int32_t tc_masked_select(const tc_masked_args *a);
TC_EXPORT(tc_masked_scatter) int32_t tc_masked_scatter(const tc_masked_args *a);
TC_EXPORT(tc_masked_select_scratch) int64_t tc_masked_select_scratch(const tc_masked_args *a);
TC_EXPORT(tc_masked_scatter_scratch) int64_t tc_masked_scatter_scratch(const tc_masked_args *a);

// nonzero of a contiguous tensor: tc_nonzero_count writes *count, then tc_nonzero writes out (count, ndim) int64, or with
// as_tuple 1 (ndim, count), each row one coordinate. shape is outermost first. ndim 0 is a number: out is (count, 0).
typedef struct {
  uint64_t scratch;
  int64_t dtype;
  uint64_t in, out;
  uint64_t count;     // int64: written by tc_nonzero_count, read by tc_nonzero
  int64_t as_tuple;
  int64_t ndim;
  int64_t shape[TC_MAX_DIMS];
} tc_nonzero_args;

TC_EXPORT(tc_nonzero_count) int32_t tc_nonzero_count(const tc_nonzero_args *a);
TC_EXPORT(tc_nonzero) int32_t tc_nonzero(const tc_nonzero_args *a);
TC_EXPORT(tc_nonzero_scratch) int64_t tc_nonzero_scratch(const tc_nonzero_args *a);

// ---- embedding -----------------------------------------------------------------------------------------------------

// The dense gradient of an embedding's weight: grad_weight (v, d) = sum over i of grad[i] at row index[i], written whole.
// Also max_norm's renormalisation in place, where only weight, index, m, v, d, max_norm and norm_type count.
typedef struct {
  uint64_t scratch;
  int64_t dtype;        // float32, float64, float16, bfloat16
  int64_t index_dtype;  // TC_I64 or TC_I32
  uint64_t grad, index, grad_weight;  // (m, d), (m), (v, d)
  int64_t m, v, d;
  int64_t padding_idx;  // -1: none
  int64_t scale_grad_by_freq;
  uint64_t weight;
  double max_norm, norm_type;
} tc_embedding_args;

TC_EXPORT(tc_embedding_backward) int32_t tc_embedding_backward(const tc_embedding_args *a);
TC_EXPORT(tc_embedding_backward_scratch) int64_t tc_embedding_backward_scratch(const tc_embedding_args *a);
TC_EXPORT(tc_embedding_renorm) int32_t tc_embedding_renorm(const tc_embedding_args *a);
TC_EXPORT(tc_embedding_renorm_scratch) int64_t tc_embedding_renorm_scratch(const tc_embedding_args *a);

typedef enum { TC_BAG_SUM = 0, TC_BAG_MEAN = 1, TC_BAG_MAX = 2 } tc_bag_mode;

// Forward: out (bags, d) from weight (v, d) and index (m); bag b is index[offset[b]] up to offset[b + 1] (the last one
// up to m, or to offset[bags] with include_last_offset). Indices equal to padding_idx do not count.
// Also written: bag_size (bags) and offset2bag (m), int64, 0: not wanted; max_indices (bags, d) int64 with MAX (-1 in
// empty bags).
// Backward: grad (bags, d) to grad_weight (v, d), written whole, and grad_per_sample (m) (SUM only), 0: not wanted.
// scale_grad_by_freq divides by how often a word occurs in index; PyTorch 1.13 divides by another word's count.
// TC_BAD_VALUE {position} if the offsets do not start at 0, decrease, or pass m.
typedef struct {
  uint64_t scratch;     // backward
  int64_t dtype;        // float32, float64, float16, bfloat16
  int64_t index_dtype;  // of index and offset: TC_I64 or TC_I32
  int64_t mode;
  uint64_t weight, index, offset;
  uint64_t per_sample;  // (m) of the weight's dtype, or 0; SUM only
  uint64_t out, bag_size, offset2bag, max_indices;
  uint64_t grad, grad_weight, grad_per_sample;
  int64_t m, v, d, bags;
  int64_t include_last_offset;
  int64_t padding_idx;  // -1: none
  int64_t scale_grad_by_freq;
} tc_embedding_bag_args;

TC_EXPORT(tc_embedding_bag) int32_t tc_embedding_bag(const tc_embedding_bag_args *a);
TC_EXPORT(tc_embedding_bag_backward) int32_t tc_embedding_bag_backward(const tc_embedding_bag_args *a);
TC_EXPORT(tc_embedding_bag_backward_scratch) int64_t tc_embedding_bag_backward_scratch(const tc_embedding_bag_args *a);

// ---- small ones ----------------------------------------------------------------------------------------------------

// out (n, classes) int64, 1 at in[i] (int64).
typedef struct {
  uint64_t in, out;
  int64_t n, classes;
} tc_one_hot_args;

TC_EXPORT(tc_one_hot) int32_t tc_one_hot(const tc_one_hot_args *a);

// out (batch, rows, cols) contiguous; keeps in[b, r, c] where c - r <= diagonal (tril) or >= diagonal (triu), else 0.
// in may have any strides; it may be out itself if contiguous.
typedef struct {
  int64_t dtype;
  int64_t upper;
  int64_t diagonal;
  uint64_t in, out;
  int64_t batch, rows, cols;
  int64_t in_batch_stride, in_row_stride, in_col_stride;
} tc_tri_args;

TC_EXPORT(tc_tri) int32_t tc_tri(const tc_tri_args *a);

// out (bins): how often each value occurs in `in` (any integer dtype), or the sum of its weights.
// weights float32 or float64 (out has their dtype), or 0 (out is int64). in must lie in [0, bins):
// TC_INDEX_OUT_OF_RANGE {value, bins, position, 0}.
typedef struct {
  int64_t dtype;          // of in
  int64_t weights_dtype;
  uint64_t in, weights, out;
  int64_t n, bins;
} tc_bincount_args;

TC_EXPORT(tc_bincount) int32_t tc_bincount(const tc_bincount_args *a);

// histc: out (bins) of in's dtype (float32, float64): counts of in in `bins` equal steps of [min, max], max belonging to
// the last one; what lies outside, and NaN, is not counted. min < max. weights (n) of the dtype, or 0: 1 each.
typedef struct {
  int64_t dtype;
  uint64_t in, weights, out;
  int64_t n, bins;
  double min, max;
} tc_histc_args;

TC_EXPORT(tc_histc) int32_t tc_histc(const tc_histc_args *a);

#endif
