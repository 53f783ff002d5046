// The part of CUDA that ffi/cuda uses, for an ordinary C++17 compiler: the same kernels then run on the processor.
//
// A launch runs its blocks one after another. The threads of a block are fibers: a thread runs until it ends or waits
// at a barrier or a shuffle, then the next one goes on. So kernels without barriers cost one call per thread, and
// kernels with barriers behave as on the device. __shared__ is static storage, valid because one block runs at a time.
//
// The environment variable TSTORCH_HOST_DEVICE holds words that make the device stricter or smaller:
//   reverse      threads of a block start in the opposite order (a missing barrier shows as another result)
//   deferred     work waits in its stream until somebody waits for it (a missing wait shows as a wrong result)
//   devices=N    how many devices there are (2)
//   memory=N     bytes of each device (2 GiB)
#ifndef TC_HOST_SHIM_H
#define TC_HOST_SHIM_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint3 { unsigned x, y, z; };

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

struct __align__(16) uint4 { unsigned x, y, z, w; };

// Runtime -----------------------------------------------------------------------------------------------------------

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToDevice = 1,
  cudaMemcpyDeviceToHost = 2,
  cudaMemcpyDeviceToDevice = 3,
  cudaMemcpyDefault = 4,
};
typedef struct tc_shim_stream *cudaStream_t;
typedef struct tc_shim_event *cudaEvent_t;
typedef struct tc_shim_graph *cudaGraph_t;
typedef struct tc_shim_graph *cudaGraphExec_t;
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem, sharedMemPerBlock;
  int warpSize, maxThreadsPerBlock, major, minor, multiProcessorCount, l2CacheSize, integrated;
  int pciBusID, pciDeviceID, pciDomainID;
};

constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDefault = 0, cudaEventDisableTiming = 2;
constexpr unsigned cudaHostAllocDefault = 0, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2;

const char *cudaGetErrorString(cudaError_t error);
const char *cudaGetErrorName(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes);
cudaError_t cudaMalloc(void **address, size_t bytes);
cudaError_t cudaFree(void *address);
cudaError_t cudaHostAlloc(void **address, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *address);
cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned flags);
cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end);

// Launches ----------------------------------------------------------------------------------------------------------

namespace tc_shim {

void *dynamic_shared();
void enqueue_kernel(dim3 grid, dim3 block, size_t shared, cudaStream_t stream, std::function<void()> thread_body);

// Arguments are copied when the launch is asked for, as on the device.
template <class... P, class... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A &&...arguments) {
  std::tuple<std::decay_t<P>...> copies(std::forward<A>(arguments)...);
  enqueue_kernel(grid, block, shared, stream, [kernel, copies] { std::apply(kernel, copies); });
}

// One exchange between the lanes of a warp: every lane leaves 8 bytes and sees those of all lanes.
struct Exchange {
  const uint64_t *value;  // of each lane
  uint32_t present;       // lanes that have not ended
};
Exchange exchange(uint64_t value);

template <class T> uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T> T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
inline unsigned lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32; }
template <class T> T shuffle(T value, unsigned source) {
  const Exchange all = exchange(to_bits(value));
  return source < 32 && (all.present >> source & 1) ? from_bits<T>(all.value[source]) : value;
}

}  // namespace tc_shim

#define TC_LAUNCH(kernel, grid, block, shared, stream, ...) \
  tc_shim::launch(kernel, grid, block, shared, stream, __VA_ARGS__)
#define TC_DYNAMIC_SHARED(type, name) type *const name = static_cast<type *>(tc_shim::dynamic_shared())

void __syncthreads();
inline void __syncwarp(unsigned = 0xffffffffu) { tc_shim::exchange(0); }
inline void __threadfence_system() {}

template <class T> T __shfl_sync(unsigned, T value, int source) { return tc_shim::shuffle(value, unsigned(source) & 31); }
template <class T> T __shfl_down_sync(unsigned, T value, unsigned delta) {
  return tc_shim::shuffle(value, tc_shim::lane() + delta);
}
template <class T> T __shfl_up_sync(unsigned, T value, unsigned delta) {
  return tc_shim::shuffle(value, tc_shim::lane() - delta);  // wraps below 0: out of range, own value
}
template <class T> T __shfl_xor_sync(unsigned, T value, int mask) {
  return tc_shim::shuffle(value, tc_shim::lane() ^ unsigned(mask));
}
inline unsigned __ballot_sync(unsigned, int predicate) {
  const tc_shim::Exchange all = tc_shim::exchange(predicate != 0);
  unsigned bits = 0;
  for (int i = 0; i < 32; i++)
    if (all.present >> i & 1) bits |= unsigned(all.value[i]) << i;
  return bits;
}

// Threads of one process run one at a time here, so plain reads and writes are atomic.
template <class T> T atomicAdd(T *address, T value) {
  const T old = *address;
  *address = T(old + value);
  return old;
}
template <class T> T atomicCAS(T *address, T expected, T value) {
  const T old = *address;
  if (old == expected) *address = value;
  return old;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __float_as_int(float value) { return int(uint32_t(tc_shim::to_bits(value))); }
inline long long __double_as_longlong(double value) { return (long long)tc_shim::to_bits(value); }

#endif
