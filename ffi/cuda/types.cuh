// The storage types, conversions between any two of them, and choosing a type by its dtype.
#pragma once

#include <type_traits>

#include "platform.cuh"

namespace tc {

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

}  // namespace tc
