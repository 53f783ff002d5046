// One source for two compilers: nvcc, and an ordinary one through host_shim.h.
#pragma once

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#include <cstdint>
#include <cstring>
#define TC_LAUNCH(kernel, grid, block, shared, stream, ...) kernel<<<grid, block, shared, stream>>>(__VA_ARGS__)
#define TC_DYNAMIC_SHARED(type, name)                                 \
  extern __shared__ __align__(16) unsigned char tc_dynamic_shared[]; \
  type *const name = reinterpret_cast<type *>(tc_dynamic_shared)
#define TC_UNROLL _Pragma("unroll")
#define TC_NO_UNROLL _Pragma("unroll 1")
// A kernel's struct argument that stays where it is: no thread copies it.
#define TC_ARG(T) const __grid_constant__ T
#define TC_NOINLINE __device__ __noinline__
#else
#include "host_shim.h"
#define TC_UNROLL
#define TC_NO_UNROLL
#define TC_ARG(T) const T &
#define TC_NOINLINE __attribute__((noinline))
#endif

#include "tc_runtime.h"

#define TC_FN __device__ __forceinline__
#define TC_BOTH __host__ __device__ __forceinline__
