// Checks of ffi/cuda/host_shim.h itself: that barriers, shuffles, votes, shared memory, streams and events behave as
// CUDA's. Prints what fails and ends with the number of failures.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "../../ffi/cuda/host_shim.h"

static int failures = 0;
#define CHECK(condition)                                                     \
  do {                                                                       \
    if (!(condition)) {                                                      \
      std::printf("shim_test.cpp:%d: %s\n", __LINE__, #condition);           \
      failures++;                                                            \
    }                                                                        \
  } while (0)

// Device memory that the host may look at after a synchronisation: host and device are one here.
template <class T> T *device_array(size_t n) {
  void *p = nullptr;
  CHECK(cudaMalloc(&p, n * sizeof(T)) == cudaSuccess);
  return static_cast<T *>(p);
}

static void where_kernel(int *out) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += int(1000 * block + thread);
}

// Each thread reads what its neighbour wrote, many times over: wrong without every barrier.
static void ring_kernel(int *out, int rounds) {
  TC_DYNAMIC_SHARED(int, ring);
  const unsigned n = blockDim.x, t = threadIdx.x;
  ring[t] = int(t);
  for (int r = 0; r < rounds; r++) {
    __syncthreads();
    const int next = ring[(t + 1) % n];
    __syncthreads();
    ring[t] = next;
  }
  out[t] = ring[t];
}

// Threads that end early do not hold up the others.
static void early_kernel(int *out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  if (threadIdx.x % 3 == 1) return;
  atomicAdd(&sum, 1);
  __syncthreads();
  out[threadIdx.x] = sum;
}

static void shuffle_kernel(int *out, unsigned *votes) {
  const int t = int(threadIdx.x), lane = t % 32;
  int sum = t;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  const int total = __shfl_sync(0xffffffffu, sum, 0);
  const int twin = __shfl_xor_sync(0xffffffffu, t, 1), before = __shfl_up_sync(0xffffffffu, t, 1);
  const double wide = __shfl_sync(0xffffffffu, t + 0.5, 31);
  __syncwarp();
  out[t] = total == 496 + 1024 * (t / 32) && twin == (t ^ 1) && before == (lane ? t - 1 : t) && wide == t / 32 * 32 + 31.5;
  votes[t] = __ballot_sync(0xffffffffu, t % 5 == 0);
}

static void add_kernel(int *x, int value) { *x += value; }
static void exchange_kernel(unsigned *word) { atomicCAS(word, blockIdx.x, blockIdx.x + 1); }

int main() {
  int *const out = device_array<int>(4096);
  cudaMemsetAsync(out, 0, 4096 * sizeof(int), nullptr);
  TC_LAUNCH(where_kernel, dim3(2, 3, 2), dim3(5, 3, 2), 0, nullptr, out);
  cudaDeviceSynchronize();
  for (int i = 0; i < 12 * 30; i++) CHECK(out[i] == 1000 * (i / 30) + i % 30);

  for (unsigned threads : {1u, 7u, 33u, 256u, 1024u}) {
    TC_LAUNCH(ring_kernel, 1, threads, threads * sizeof(int), nullptr, out, 10);
    cudaDeviceSynchronize();
    for (unsigned t = 0; t < threads; t++) CHECK(out[t] == int((t + 10) % threads));
  }

  TC_LAUNCH(early_kernel, 1, 100, 0, nullptr, out);
  cudaDeviceSynchronize();
  CHECK(out[0] == 67 && out[2] == 67 && out[99] == 67);

  unsigned *const votes = device_array<unsigned>(128);
  TC_LAUNCH(shuffle_kernel, 1, 128, 0, nullptr, out, votes);
  cudaDeviceSynchronize();
  for (int t = 0; t < 128; t++) {
    CHECK(out[t] == 1);
    unsigned wanted = 0;
    for (int lane = 0; lane < 32; lane++) wanted |= unsigned((t / 32 * 32 + lane) % 5 == 0) << lane;
    CHECK(votes[t] == wanted);
  }

  unsigned *const word = device_array<unsigned>(1);
  cudaMemsetAsync(word, 0, 4, nullptr);
  TC_LAUNCH(exchange_kernel, 9, 1, 0, nullptr, word);
  cudaDeviceSynchronize();
  CHECK(*word == 9);  // blocks run in order here

  // Launches beyond what a device allows are refused, with an error that is there once.
  TC_LAUNCH(add_kernel, 1, 1025, 0, nullptr, out, 1);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
  TC_LAUNCH(add_kernel, dim3(1, 65536), 1, 0, nullptr, out, 1);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  TC_LAUNCH(add_kernel, 1, 1, 48 * 1024 + 1, nullptr, out, 1);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  TC_LAUNCH(add_kernel, 0, 1, 0, nullptr, out, 1);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);

  // Streams: work waits for an event of another stream. With "deferred" nothing runs before somebody waits.
  const char *const words = std::getenv("TSTORCH_HOST_DEVICE");
  const bool deferred = words && std::strstr(words, "deferred");
  cudaStream_t first = nullptr, second = nullptr;
  cudaEvent_t event = nullptr;
  CHECK(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking) == cudaSuccess);
  CHECK(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking) == cudaSuccess);
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDefault) == cudaSuccess);
  int host = 5;
  cudaMemcpyAsync(out, &host, sizeof host, cudaMemcpyHostToDevice, first);
  host = 7;  // pageable memory was taken over by the call
  TC_LAUNCH(add_kernel, 1, 1, 0, first, out, 10);
  cudaEventRecord(event, first);
  cudaStreamWaitEvent(second, event, 0);
  TC_LAUNCH(add_kernel, 1, 1, 0, second, out, 100);
  CHECK(cudaEventQuery(event) == (deferred ? cudaErrorNotReady : cudaSuccess));
  CHECK(cudaStreamQuery(second) == (deferred ? cudaErrorNotReady : cudaSuccess));
  cudaStreamSynchronize(second);
  CHECK(*out == 115);
  CHECK(cudaEventQuery(event) == cudaSuccess && cudaStreamQuery(first) == cudaSuccess);

  // Page-locked memory is read when the stream gets there.
  void *page = nullptr;
  CHECK(cudaHostAlloc(&page, sizeof(int), cudaHostAllocDefault) == cudaSuccess);
  *static_cast<int *>(page) = 1;
  cudaMemcpyAsync(out, page, sizeof(int), cudaMemcpyHostToDevice, first);
  *static_cast<int *>(page) = 2;
  cudaStreamSynchronize(first);
  CHECK(*out == (deferred ? 2 : 1));
  CHECK(cudaFreeHost(page) == cudaSuccess);
  CHECK(cudaFree(page) == cudaErrorInvalidValue);
  CHECK(cudaStreamDestroy(first) == cudaSuccess && cudaStreamDestroy(second) == cudaSuccess);
  CHECK(cudaStreamSynchronize(first) == cudaErrorInvalidResourceHandle);

  if (failures == 0) std::printf("ok\n");
  return failures;
}
