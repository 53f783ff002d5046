// What every kernel file here shares: the frame of an exported kernel (device, stream, status), errors that kernels find
// on the device, and how blocks are laid out.
#pragma once

#include "platform.cuh"
#include "space.cuh"
#include "types.cuh"

// One number for each kernel in the library, in the order of kernels.def.
enum tc_kernel_number {
#define TC_KERNEL(name, args, scratch) TC_KERNEL_##name,
#include "kernels.def"
#undef TC_KERNEL
  TC_KERNEL_COUNT
};

namespace tc {

// Errors and launches -------------------------------------------------------------------------------------------------

// Page-locked memory that kernels write and the host reads: what the first failing thread found.
struct DeviceError {
  int status;          // claimed by the first thread that fails
  volatile int ready;  // the rest is written
  int kernel;
  long long info[4];
};

struct Device {
  int number, multiprocessors;
  DeviceError *error;          // the host's address
  DeviceError *device_error;   // the device's
  void *blas;                  // blas.cu's handle, made on first use
};

// Raises `status` unless an earlier one waits to be seen.
TC_FN void raise(DeviceError *slot, int kernel, int status, int64_t i0, int64_t i1 = 0, int64_t i2 = 0, int64_t i3 = 0) {
  if (atomicCAS(&slot->status, 0, status) != 0) return;
  slot->kernel = kernel;
  slot->info[0] = i0;
  slot->info[1] = i1;
  slot->info[2] = i2;
  slot->info[3] = i3;
  __threadfence_system();
  slot->ready = 1;
}

// The status that a kernel left on the device, else TC_OK; fills tc_error_info and forgets it.
int32_t take_device_error(Device *device);
// Turns CUDA's answer into a status and keeps the text for tc_last_error; `what` names the call.
int32_t check(cudaError_t error, const char *what);
// TC_UNSUPPORTED with its info.
int32_t unsupported(int64_t dtype, int64_t op = 0);
// TC_DEVICE_ERROR for what cuBLAS answered.
int32_t blas_error(int code);
// The current device, made ready; null with the status in `status`.
Device *current_device(int32_t *status);
cudaStream_t current_stream(const Device *device);

// The frame of an exported kernel: `Frame f(TC_KERNEL_x); if (f.status) return f.status; ...; return f.end();`
struct Frame {
  int kernel;
  int32_t status = TC_OK;
  Device *device;
  cudaStream_t stream = nullptr;
  DeviceError *error = nullptr;
  explicit Frame(int number) : kernel(number), device(current_device(&status)) {
    if (status != TC_OK) return;
    status = take_device_error(device);
    stream = current_stream(device);
    error = device->device_error;
  }
  int32_t end() const;
  // Blocks for `n` items at `per_block` each; enough to fill the device, the rest loops.
  unsigned blocks(int64_t n, int64_t per_block) const {
    const int64_t wanted = (n + per_block - 1) / per_block, most = int64_t(device->multiprocessors) * 32;
    return unsigned(wanted < 1 ? 1 : wanted < most ? wanted : most);
  }
};

// Index of this thread among all of a one-dimensional launch, and how many there are.
TC_FN int64_t thread_index() { return int64_t(blockIdx.x) * blockDim.x + threadIdx.x; }
TC_FN int64_t thread_count() { return int64_t(gridDim.x) * blockDim.x; }

// Elements of a spatial triple.
TC_BOTH int64_t volume(const int64_t *size) { return size[0] * size[1] * size[2]; }

// Blocks of X lanes by Y rows --------------------------------------------------------------------------------------------

// Combines the Y values of each column x of a block of X by Y threads; every thread gets the result. `shared` has room
// for X * Y values; Y is a power of two. The order is fixed, so results repeat.
template <class T, class F> TC_FN T reduce_rows(T *shared, T value, F combine) {
  const unsigned x = threadIdx.x, y = threadIdx.y, width = blockDim.x;
  __syncthreads();  // what was here before has been read
  shared[y * width + x] = value;
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (y < half) shared[y * width + x] = combine(shared[y * width + x], shared[(y + half) * width + x]);
  }
  __syncthreads();
  return shared[x];
}

TC_BOTH unsigned power_of_two_from(int64_t n, unsigned most) {
  unsigned p = 1;
  while (p < most && p < n) p *= 2;
  return p;
}

// How to lay a block over `lines` lines of n elements `inner` apart: lanes of neighbouring lines, rows along the line.
// Both are powers of two and at most 256 together.
struct LineBlock {
  unsigned lanes, rows;
  LineBlock(int64_t lines, int64_t n, int64_t inner)
      : lanes(1), rows(power_of_two_from(n, inner >= 32 ? 8 : 256)) {
    lanes = power_of_two_from(lines, 256 / rows);
  }
};

}  // namespace tc
