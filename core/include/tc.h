// The kernel ABI of tstorch: what the TypeScript side and every device library agree on.
//
// Rules (docs/architecture.md has the reasons):
//  1. Every kernel is `int32_t tc_<name>(const tc_<family>_args *a)` and returns a tc_status.
//  2. An argument struct is a sequence of 8-byte slots and nothing else: int64_t, double, or an address held in
//     a uint64_t. So it has the same bytes on wasm32, x86-64 and the CUDA host, needs no padding rules, and the
//     TypeScript side writes it slot by slot without a binding per kernel.
//  3. Addresses point at a tensor's first element (the storage offset is already applied). Strides and sizes count
//     elements. Address 0 means "not given".
//  4. A kernel allocates nothing. One that needs workspace exports `int64_t tc_<name>_scratch(const args *)`, which
//     returns the bytes it wants for these arguments, and finds them at the struct's first slot, `scratch`
//     (64-byte aligned).
//  5. Shapes are checked in TypeScript before a kernel runs. A kernel checks only what lies in the data (an index
//     out of range, a singular matrix): it then returns a status and fills tc_error_info; it never writes outside
//     its outputs.
//  6. A kernel splits its own work with tc_parallel_for (parallel.h); results do not depend on how the chunks are
//     scheduled, only on the thread count at most.
//
// One header per family declares the structs and kernels: tc_pointwise.h, tc_matmul.h, ... ; this file includes all.
#ifndef TC_H
#define TC_H

#include <stdint.h>

// Marks a function that the host calls: exported from the wasm module and from shared libraries.
#if defined(__wasm__)
#define TC_EXPORT(name) __attribute__((export_name(#name)))
#elif defined(__cplusplus)
#define TC_EXPORT(name) extern "C" __attribute__((visibility("default")))
#else
#define TC_EXPORT(name) __attribute__((visibility("default")))
#endif

// Codes are PyTorch's ScalarType numbers where it has them below 12.
typedef enum {
  TC_U8 = 0,
  TC_I8 = 1,
  TC_I16 = 2,
  TC_I32 = 3,
  TC_I64 = 4,
  TC_F16 = 5,
  TC_F32 = 6,
  TC_F64 = 7,
  TC_C64 = 9,
  TC_C128 = 10,
  TC_BOOL = 11,
  TC_BF16 = 12,
} tc_dtype;

typedef enum {
  TC_OK = 0,
  TC_INDEX_OUT_OF_RANGE = 1,  // tc_error_info: {the index, the size, position in the index tensor, dim}
  TC_UNSUPPORTED = 2,         // this build has no code for the dtype: {dtype, op}
  TC_BAD_VALUE = 3,           // a value the kernel refuses, e.g. a probability < 0: {which, position}
  TC_SINGULAR = 4,            // {batch, pivot}
  TC_NO_CONVERGENCE = 5,      // {batch}
  TC_DEVICE_ERROR = 6,        // CUDA only; tc_last_error() has the text
} tc_status;

// Filled by a kernel that returns a status other than TC_OK. The TypeScript side reads it to word the error.
extern int64_t tc_error_info[4];

#define TC_MAX_DIMS 64      // PyTorch's limit
#define TC_MAX_OPERANDS 6

static inline int64_t tc_dtype_size(int64_t dtype) {
  switch (dtype) {
    case TC_U8: case TC_I8: case TC_BOOL: return 1;
    case TC_I16: case TC_F16: case TC_BF16: return 2;
    case TC_I32: case TC_F32: return 4;
    case TC_I64: case TC_F64: case TC_C64: return 8;
    default: return 16;
  }
}

// An address slot as a pointer.
#define TC_PTR(type, slot) ((type *)(uintptr_t)(slot))

#include "tc_pointwise.h"
#include "tc_reduce.h"
#include "tc_matmul.h"
#include "tc_conv.h"
#include "tc_pool.h"
#include "tc_norm.h"
#include "tc_softmax.h"
#include "tc_loss.h"
#include "tc_index.h"
#include "tc_sort.h"
#include "tc_random.h"
#include "tc_optim.h"
#include "tc_linalg.h"
#include "tc_complex.h"
#include "tc_recurrent.h"

#endif
