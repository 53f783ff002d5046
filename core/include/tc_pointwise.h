// Elementwise kernels: one formula of pointwise.def over a broadcast iteration space.
#ifndef TC_POINTWISE_H
#define TC_POINTWISE_H

// Operands: outputs first, then inputs. The iteration space is already broadcast (stride 0), coalesced, and
// ordered innermost dimension first; ndim 0 is a single element, and a size of 0 in any dimension means no work.
// Each operand has its own dtype: inputs are converted to `compute` when loaded, results to their own dtype
// when stored, so type promotion needs no temporary tensors.
typedef struct {
  int64_t op;       // TC_PW_<name>, numbered in the order of pointwise.def
  int64_t ndim;
  int64_t nargs;    // operands in use
  int64_t compute;  // the dtype in which the formula is evaluated: TC_F32, TC_F64, TC_I32, TC_I64, TC_C64, TC_C128;
                    // float16 and bfloat16 compute in TC_F32; int8, uint8, int16 and bool in TC_I32
  int64_t dtype[TC_MAX_OPERANDS];
  uint64_t data[TC_MAX_OPERANDS];   // 0: the operand is the number in scalar[k]
  // A number operand: a double if dtype[k] is TC_F64, an int64_t (the same 8 bytes) if dtype[k] is TC_I64; the real part
  // of a complex number if dtype[k] is TC_C128.
  union { double f; int64_t i; } scalar[TC_MAX_OPERANDS];
  double param[4];  // numbers that a formula takes besides its operands (negative_slope, eps, ...); in complex
                    // formulas param[0] and param[1] are the parts of one number
  int64_t shape[TC_MAX_DIMS];
  int64_t stride[TC_MAX_DIMS][TC_MAX_OPERANDS];  // [dimension][operand]
  double imaginary[TC_MAX_OPERANDS];             // imaginary parts of complex number operands
} tc_pointwise_args;

TC_EXPORT(tc_pointwise) int32_t tc_pointwise(const tc_pointwise_args *a);

// Strided copy with conversion: out <- in, any dtype to any dtype. ndim, shape and strides as above
// (innermost first, coalesced); contiguous runs are memmoved, transposes go tile by tile.
typedef struct {
  int64_t ndim;
  int64_t out_dtype, in_dtype;
  uint64_t out, in;
  int64_t shape[TC_MAX_DIMS];
  int64_t stride[TC_MAX_DIMS][2];  // [dimension][out, in]
} tc_copy_args;

TC_EXPORT(tc_copy) int32_t tc_copy(const tc_copy_args *a);

#endif
