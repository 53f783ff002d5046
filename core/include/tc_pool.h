// Max and average pooling over one to three spatial dimensions, their adaptive forms, unpooling, and gradients.
#ifndef TC_POOL_H
#define TC_POOL_H

// One struct serves all kernels. Tensors are contiguous; spatial triples are (depth, height, width), and fewer spatial
// dimensions leave the leading ones at size 1, kernel 1, stride 1, padding 0, dilation 1.
//   x        (planes, in_size...)    planes = batch * channels; backward kernels write the gradient here
//   y        (planes, out_size...)   backward kernels read the gradient of the output here
//   indices  (planes, out_size...)   of index_dtype: the position of the maximum, flat in its plane of x
// float32, float64, float16, bfloat16; max pooling and unpooling also take the integer types.
typedef struct {
  int64_t dtype, index_dtype;  // index_dtype: TC_I64 (what PyTorch shows) or TC_I32 (half the traffic)
  int64_t planes;
  int64_t in_size[3], out_size[3], kernel[3], stride[3], padding[3], dilation[3];
  int64_t count_include_pad;   // average: divide by the window's size clipped to the padded input, else to the input
  int64_t divisor_override;    // average: divide by this; 0: not given
  uint64_t x, y, indices;
} tc_pool_args;

// Windows as PyTorch clips them: those that start past the padded input do not occur (out_size says so), padding never
// wins, the first of equal values wins, NaN wins over numbers (the last NaN of the window). indices may be 0. A dilated
// window can lie in the padding altogether: its maximum is the dtype's lowest value, its index -1.
TC_EXPORT(tc_max_pool) int32_t tc_max_pool(const tc_pool_args *a);

// x = 0, then x[indices] += y (-1 is skipped). The gradient of tc_max_pool and tc_adaptive_max_pool; kernel, stride, padding and
// dilation are not read.
TC_EXPORT(tc_max_pool_backward) int32_t tc_max_pool_backward(const tc_pool_args *a);

// dilation must be 1.
TC_EXPORT(tc_avg_pool) int32_t tc_avg_pool(const tc_pool_args *a);
TC_EXPORT(tc_avg_pool_backward) int32_t tc_avg_pool_backward(const tc_pool_args *a);

// Windows [floor(i * in / out), ceil((i + 1) * in / out)); kernel, stride, padding and dilation are not read.
TC_EXPORT(tc_adaptive_max_pool) int32_t tc_adaptive_max_pool(const tc_pool_args *a);
TC_EXPORT(tc_adaptive_avg_pool) int32_t tc_adaptive_avg_pool(const tc_pool_args *a);
TC_EXPORT(tc_adaptive_avg_pool_backward) int32_t tc_adaptive_avg_pool_backward(const tc_pool_args *a);

// x = 0, then x[indices] = y (the last of equal indices stays). Here y (planes, out_size...) is what max pooling
// made and x (planes, in_size...) the larger result. TC_INDEX_OUT_OF_RANGE if an index lies outside the plane.
TC_EXPORT(tc_max_unpool) int32_t tc_max_unpool(const tc_pool_args *a);

// y = x[indices]: the gradient of tc_max_unpool.
TC_EXPORT(tc_max_unpool_backward) int32_t tc_max_unpool_backward(const tc_pool_args *a);

#endif
