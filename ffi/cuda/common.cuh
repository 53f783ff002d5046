// What every kernel file here shares: launching on either kind of device, types and conversions, strided spaces, and
// the frame of an exported kernel (stream, status, errors found on the device).
#pragma once

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#include <cstdint>
#include <cstring>
#include <type_traits>
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
  int status;         // claimed by the first thread that fails
  volatile int ready; // the rest is written
  int kernel;
  long long info[4];
};

struct Device {
  int number, multiprocessors;
  DeviceError *error;          // the host's address
  DeviceError *device_error;   // the device's
  void *blas;                  // cublas.cu's handle, made on first use
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

// Types -----------------------------------------------------------------------------------------------------------------

struct half_t {
  uint16_t bits;
  half_t() = default;
  TC_BOTH explicit half_t(uint16_t bits) : bits(bits) {}
};
struct bfloat_t {
  uint16_t bits;
  bfloat_t() = default;
  TC_BOTH explicit bfloat_t(uint16_t bits) : bits(bits) {}
};
template <class R> struct complex_t { R re, im; };

template <class T> struct Tag { using type = T; };

template <class T> struct is_complex { static constexpr bool value = false; };
template <class R> struct is_complex<complex_t<R>> { static constexpr bool value = true; };

// Computing type of a storage type: what sums and formulas are evaluated in.
template <class T> struct compute_of { using type = T; };
template <> struct compute_of<half_t> { using type = float; };
template <> struct compute_of<bfloat_t> { using type = float; };
template <> struct compute_of<bool> { using type = int32_t; };
template <> struct compute_of<int8_t> { using type = int32_t; };
template <> struct compute_of<uint8_t> { using type = int32_t; };
template <> struct compute_of<int16_t> { using type = int32_t; };
template <class T> using compute_t = typename compute_of<T>::type;

TC_BOTH float bits_to_float(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  float f;
  memcpy(&f, &bits, 4);
  return f;
#endif
}
TC_BOTH uint32_t float_to_bits(float f) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(f);
#else
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return bits;
#endif
}
// On the processor Fabian Giesen's conversions: the hardware's own rounding does the work.
TC_BOTH float half_to_float(uint16_t h) {
#if defined(__CUDA_ARCH__)
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
#else
  const uint32_t u = float_to_bits(bits_to_float(uint32_t(h & 0x7fff) << 13) * bits_to_float(0x77800000));
  const uint32_t special = (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
  return bits_to_float(u | special | uint32_t(h & 0x8000) << 16);
#endif
}
TC_BOTH uint16_t float_to_half(float f) {
#if defined(__CUDA_ARCH__)
  uint16_t h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
#else
  uint32_t u = float_to_bits(f);
  const uint32_t sign = u >> 16 & 0x8000;
  u &= 0x7fffffff;
  if (u > 0x7f800000) return uint16_t(sign | 0x7e00);
  if (u >= 0x47800000) return uint16_t(sign | 0x7c00);
  if (u < 0x38800000) return uint16_t(sign | (float_to_bits(bits_to_float(u) + 0.5f) - 0x3f000000));
  u += 0xc8000fff + (u >> 13 & 1);
  return uint16_t(sign | u >> 13);
#endif
}
TC_BOTH float bfloat_to_float(uint16_t b) { return bits_to_float(uint32_t(b) << 16); }
TC_BOTH uint16_t float_to_bfloat(float f) {
  if (f != f) return 0x7fc0;
  const uint32_t u = float_to_bits(f);
  return uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

// A floating number as an integer, with the answer of x86's conversions for what does not fit: the lowest integer.
// (C leaves it undefined and the GPU saturates; PyTorch on the CPU shows the former.) Narrow types keep the low bits.
template <class I, class F> TC_BOTH I float_to_int(F x) {
  const double wide = double(x);
  // uint8 goes by way of 64 bits, as on x86 (core/convert.c).
  if (sizeof(I) == 8 || std::is_same_v<I, uint8_t>)
    return I(wide >= -9223372036854775808.0 && wide < 9223372036854775808.0 ? int64_t(wide) : INT64_MIN);
  return I(wide > -2147483649.0 && wide < 2147483648.0 ? int32_t(wide) : INT32_MIN);
}

// convert<To>(from): between any two of the types; complex to real drops the imaginary part, anything to bool asks
// whether it is not zero.
template <class To> struct Convert {
  template <class From> static TC_BOTH To from(From v) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) return float_to_int<To>(v);
    else return To(v);
  }
  static TC_BOTH To from(half_t v) { return from(half_to_float(v.bits)); }
  static TC_BOTH To from(bfloat_t v) { return from(bfloat_to_float(v.bits)); }
  template <class R> static TC_BOTH To from(complex_t<R> v) { return from(v.re); }
};
template <> struct Convert<bool> {
  template <class From> static TC_BOTH bool from(From v) { return v != From(0); }
  static TC_BOTH bool from(half_t v) { return (v.bits & 0x7fff) != 0; }
  static TC_BOTH bool from(bfloat_t v) { return (v.bits & 0x7fff) != 0; }
  template <class R> static TC_BOTH bool from(complex_t<R> v) { return v.re != 0 || v.im != 0; }
};
template <> struct Convert<half_t> {
  template <class From> static TC_BOTH half_t from(From v) { return half_t(float_to_half(Convert<float>::from(v))); }
  static TC_BOTH half_t from(half_t v) { return v; }
};
template <> struct Convert<bfloat_t> {
  template <class From> static TC_BOTH bfloat_t from(From v) { return bfloat_t(float_to_bfloat(Convert<float>::from(v))); }
  static TC_BOTH bfloat_t from(bfloat_t v) { return v; }
};
template <class R> struct Convert<complex_t<R>> {
  template <class From> static TC_BOTH complex_t<R> from(From v) { return {Convert<R>::from(v), R(0)}; }
  template <class S> static TC_BOTH complex_t<R> from(complex_t<S> v) { return {R(v.re), R(v.im)}; }
};
template <class To, class From> TC_BOTH To convert(From v) { return Convert<To>::from(v); }

// Element i of memory of a dtype known only at run time, as C, and back. The branch is the same for a whole launch.
template <class C> TC_FN C load_as(int dtype, const void *p, int64_t i) {
  switch (dtype) {
    case TC_U8: return convert<C>(static_cast<const uint8_t *>(p)[i]);
    case TC_I8: return convert<C>(static_cast<const int8_t *>(p)[i]);
    case TC_I16: return convert<C>(static_cast<const int16_t *>(p)[i]);
    case TC_I32: return convert<C>(static_cast<const int32_t *>(p)[i]);
    case TC_I64: return convert<C>(static_cast<const int64_t *>(p)[i]);
    case TC_F16: return convert<C>(static_cast<const half_t *>(p)[i]);
    case TC_F32: return convert<C>(static_cast<const float *>(p)[i]);
    case TC_F64: return convert<C>(static_cast<const double *>(p)[i]);
    case TC_BOOL: return convert<C>(static_cast<const bool *>(p)[i]);
    case TC_BF16: return convert<C>(static_cast<const bfloat_t *>(p)[i]);
    case TC_C64: return convert<C>(static_cast<const complex_t<float> *>(p)[i]);
    default: return convert<C>(static_cast<const complex_t<double> *>(p)[i]);
  }
}
template <class C> TC_FN void store_as(int dtype, void *p, int64_t i, C v) {
  switch (dtype) {
    case TC_U8: static_cast<uint8_t *>(p)[i] = convert<uint8_t>(v); break;
    case TC_I8: static_cast<int8_t *>(p)[i] = convert<int8_t>(v); break;
    case TC_I16: static_cast<int16_t *>(p)[i] = convert<int16_t>(v); break;
    case TC_I32: static_cast<int32_t *>(p)[i] = convert<int32_t>(v); break;
    case TC_I64: static_cast<int64_t *>(p)[i] = convert<int64_t>(v); break;
    case TC_F16: static_cast<half_t *>(p)[i] = convert<half_t>(v); break;
    case TC_F32: static_cast<float *>(p)[i] = convert<float>(v); break;
    case TC_F64: static_cast<double *>(p)[i] = convert<double>(v); break;
    case TC_BOOL: static_cast<bool *>(p)[i] = convert<bool>(v); break;
    case TC_BF16: static_cast<bfloat_t *>(p)[i] = convert<bfloat_t>(v); break;
    case TC_C64: static_cast<complex_t<float> *>(p)[i] = convert<complex_t<float>>(v); break;
    default: static_cast<complex_t<double> *>(p)[i] = convert<complex_t<double>>(v); break;
  }
}

// fn(Tag<T>) with the dtype's type; false where the set does not hold it.
template <class F> bool with_floating(int64_t dtype, F &&fn) {
  switch (dtype) {
    case TC_F32: fn(Tag<float>()); return true;
    case TC_F64: fn(Tag<double>()); return true;
    case TC_F16: fn(Tag<half_t>()); return true;
    case TC_BF16: fn(Tag<bfloat_t>()); return true;
    default: return false;
  }
}
template <class F> bool with_integer(int64_t dtype, F &&fn) {
  switch (dtype) {
    case TC_U8: fn(Tag<uint8_t>()); return true;
    case TC_I8: fn(Tag<int8_t>()); return true;
    case TC_I16: fn(Tag<int16_t>()); return true;
    case TC_I32: fn(Tag<int32_t>()); return true;
    case TC_I64: fn(Tag<int64_t>()); return true;
    case TC_BOOL: fn(Tag<bool>()); return true;
    default: return false;
  }
}
template <class F> bool with_real(int64_t dtype, F &&fn) { return with_floating(dtype, fn) || with_integer(dtype, fn); }

// A type to move elements of `bytes` bytes with.
template <class F> bool with_size(int64_t bytes, F &&fn) {
  switch (bytes) {
    case 1: fn(Tag<uint8_t>()); return true;
    case 2: fn(Tag<uint16_t>()); return true;
    case 4: fn(Tag<uint32_t>()); return true;
    case 8: fn(Tag<uint64_t>()); return true;
    case 16: fn(Tag<uint4>()); return true;
    default: return false;
  }
}

// Strided spaces ----------------------------------------------------------------------------------------------------------

constexpr int kSpaceDims = 16;  // non-mergeable dimensions that one launch walks; more are looped over on the host

// n / divisor for 0 <= n < 2^31 by a multiplication (Granlund and Montgomery 1994).
struct Divider {
  uint32_t divisor, magic, shift;
  void set(uint32_t d) {
    divisor = d;
    for (shift = 0; shift < 32 && (uint64_t(1) << shift) < d; shift++) {}
    magic = uint32_t((((uint64_t(1) << shift) - d) << 32) / d + 1);
  }
  TC_BOTH uint32_t divide(uint32_t n) const {
    return uint32_t((((uint64_t(n) * magic) >> 32) + n) >> shift);
  }
};

// An iteration space and N operands' strides, innermost dimension first.
template <int N> struct Space {
  int ndim = 0;
  bool wide = false;  // 2^31 elements or more
  int64_t size[kSpaceDims];
  Divider divider[kSpaceDims];
  int64_t stride[kSpaceDims][N];
  int64_t count = 1;

  // Dimensions of size 1 are left out; false: too many dimensions.
  bool add(int64_t n, const int64_t *strides) {
    if (n == 1) return true;
    if (ndim == kSpaceDims) return false;
    count *= n;
    size[ndim] = n;
    for (int k = 0; k < N; k++) stride[ndim][k] = strides[k];
    ndim++;
    return true;
  }
  void finish() {
    wide = count >= int64_t(1) << 31;
    for (int d = 0; d < ndim; d++) divider[d].set(uint32_t(wide || count == 0 ? 1 : size[d]));
  }

  TC_FN void offsets(int64_t index, int64_t (&offset)[N]) const {
    for (int k = 0; k < N; k++) offset[k] = 0;
    if (wide) return wide_offsets(index, offset);
    uint32_t left = uint32_t(index);
    TC_NO_UNROLL
    for (int d = 0; d < ndim; d++) {
      const uint32_t rest = d + 1 < ndim ? divider[d].divide(left) : 0, at = left - rest * uint32_t(size[d]);
      for (int k = 0; k < N; k++) offset[k] += int64_t(at) * stride[d][k];
      left = rest;
    }
  }

 private:
  // Rare, and 64-bit division is a page of code: kept out of every kernel's loop.
  TC_NOINLINE void wide_offsets(int64_t index, int64_t (&offset)[N]) const {
    for (int d = 0; d < ndim; d++) {
      const int64_t rest = d + 1 < ndim ? index / size[d] : 0, at = index - rest * size[d];
      for (int k = 0; k < N; k++) offset[k] += at * stride[d][k];
      index = rest;
    }
  }
};

// Calls fn(base offsets) for every place of the outer dimensions that did not fit into a space.
template <int N, class F>
void for_outer(int64_t ndim, const int64_t *shape, const int64_t (*stride)[N], F &&fn) {
  int64_t at[TC_MAX_DIMS] = {}, base[N] = {};
  for (;;) {
    fn(base);
    int64_t d = 0;
    for (; d < ndim; d++) {
      for (int k = 0; k < N; k++) base[k] += stride[d][k];
      if (++at[d] < shape[d]) break;
      for (int k = 0; k < N; k++) base[k] -= stride[d][k] * shape[d];
      at[d] = 0;
    }
    if (d == ndim) return;
  }
}

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
