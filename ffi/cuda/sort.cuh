// Sorting lines: chunks of 1024 elements in shared memory by a bitonic network (Batcher 1968), then passes that merge
// pairs of runs, each element finding its place by bisection. The order is total (equal keys go by place), so the sort
// is stable and repeats.
#pragma once

#include "words.cuh"

namespace tc {

// Keys whose order is that of PyTorch: NaN is one value above all others, -0 equals 0 (core/sortkey.h).
TC_FN uint32_t key_16(uint16_t h, uint16_t infinity) {
  if ((h & 0x7fff) > infinity) return 0xffff;
  if (h == 0x8000) h = 0;
  return uint16_t(h ^ (h & 0x8000 ? 0xffff : 0x8000));
}
TC_FN uint64_t key_of(uint8_t v) { return v; }
TC_FN uint64_t key_of(bool v) { return v; }
TC_FN uint64_t key_of(int8_t v) { return uint8_t(v) ^ 0x80u; }
TC_FN uint64_t key_of(int16_t v) { return uint16_t(v) ^ 0x8000u; }
TC_FN uint64_t key_of(half_t v) { return key_16(v.bits, 0x7c00); }
TC_FN uint64_t key_of(bfloat_t v) { return key_16(v.bits, 0x7f80); }
TC_FN uint64_t key_of(int32_t v) { return uint32_t(v) ^ 0x80000000u; }
TC_FN uint64_t key_of(int64_t v) { return uint64_t(v) ^ 0x8000000000000000ull; }
TC_FN uint64_t key_of(float v) {
  if (v != v) return 0xffffffffu;
  const uint32_t u = v == 0 ? 0 : float_to_bits(v);
  return u ^ (0x80000000u | (0u - (u >> 31)));
}
TC_FN uint64_t key_of(double v) {
  if (v != v) return ~0ull;
  const uint64_t u = v == 0 ? 0 : uint64_t(__double_as_longlong(v));
  return u ^ (0x8000000000000000ull | (0ull - (u >> 63)));
}
// Whether a key stands for NaN: two of them are equal in order, yet distinct elements.
TC_FN bool key_is_nan(uint64_t key, int dtype) {
  switch (dtype) {
    case TC_F16: case TC_BF16: return key == 0xffff;
    case TC_F32: return key == 0xffffffffu;
    case TC_F64: return key == ~0ull;
    default: return false;
  }
}
inline int key_bits(int64_t dtype) { return dtype == TC_BOOL ? 1 : int(8 * tc_dtype_size(dtype)); }

// An element with its place. Up to 32 bits of key and of place go into one word, whose order is the total one.
struct Narrow {
  uint64_t word;
  TC_FN uint64_t key() const { return word >> 32; }
  TC_FN int64_t place() const { return int64_t(uint32_t(word)); }
  static TC_FN Narrow make(uint64_t key, int64_t place) { return {key << 32 | uint64_t(place)}; }
  static TC_FN Narrow last() { return {~0ull}; }
};
struct Wide {
  uint64_t word;
  int64_t at;
  TC_FN uint64_t key() const { return word; }
  TC_FN int64_t place() const { return at; }
  static TC_FN Wide make(uint64_t key, int64_t place) { return {key, place}; }
  static TC_FN Wide last() { return {~0ull, INT64_MAX}; }
};
struct Less {
  TC_FN bool operator()(Narrow a, Narrow b) const { return a.word < b.word; }
  TC_FN bool operator()(Wide a, Wide b) const { return a.word < b.word || (a.word == b.word && a.at < b.at); }
};

// Elements of lines (outer, n, inner) of dtype T; `flip` turns the order around.
template <class T, class E> struct LoadLine {
  const T *in;
  int64_t n, inner;
  uint64_t flip;
  TC_FN E operator()(int64_t line, int64_t i) const {
    return E::make(key_of(in[line / inner * n * inner + line % inner + i * inner]) ^ flip, i);
  }
};

constexpr int kChunk = 1024;

// Sorts stretches of `width` elements (a power of two up to kChunk), each within one line, into e (lines, n).
template <class E, class Load, class Order>
__global__ void __launch_bounds__(256) chunk_kernel(E *e, int64_t lines, int64_t n, int width, TC_ARG(Load) load,
                                                    TC_ARG(Order) less) {
  __shared__ __align__(16) unsigned char memory[kChunk * sizeof(E)];
  E *const shared = reinterpret_cast<E *>(memory);
  const int64_t per_line = (n + width - 1) / width, stretches = per_line * lines;
  const int at_once = kChunk / width;
  for (int64_t first = int64_t(blockIdx.x) * at_once; first < stretches; first += int64_t(gridDim.x) * at_once) {
    __syncthreads();
    for (int i = int(threadIdx.x); i < kChunk; i += 256) {
      const int64_t stretch = first + i / width, line = stretch / per_line, at = stretch % per_line * width + i % width;
      shared[i] = stretch < stretches && at < n ? load(line, at) : E::last();
    }
    for (int size = 2; size <= width; size *= 2)
      for (int step = size / 2; step > 0; step /= 2) {
        __syncthreads();
        for (int pair = int(threadIdx.x); pair < kChunk / 2; pair += 256) {
          const int i = 2 * pair - (pair & (step - 1)), j = i + step;
          const bool up = ((i & (width - 1)) & size) == 0;
          const E a = shared[i], b = shared[j];
          if (less(b, a) == up) shared[i] = b, shared[j] = a;
        }
      }
    __syncthreads();
    for (int i = int(threadIdx.x); i < kChunk; i += 256) {
      const int64_t stretch = first + i / width, line = stretch / per_line, at = stretch % per_line * width + i % width;
      if (stretch < stretches && at < n) e[line * n + at] = shared[i];
    }
  }
}

// Merges neighbouring runs of `width` sorted elements of each line.
template <class E, class Order>
__global__ void merge_kernel(const E *from, E *to, int64_t lines, int64_t n, int64_t width, TC_ARG(Order) less) {
  for (int64_t i = thread_index(); i < lines * n; i += thread_count()) {
    const int64_t line = i / n, at = i % n, start = at / (2 * width) * (2 * width);
    const int64_t middle = v_min(start + width, n), end = v_min(start + 2 * width, n);
    const E *const e = from + line * n, mine = e[at];
    const bool left = at < middle;
    int64_t low = left ? middle : start, high = left ? end : middle;
    const int64_t first = low;
    while (low < high) {
      const int64_t half = low + (high - low) / 2;
      if (less(e[half], mine)) low = half + 1;
      else high = half;
    }
    to[line * n + start + (at - (left ? start : middle)) + (low - first)] = mine;
  }
}

inline int64_t sort_bytes(int64_t lines, int64_t n, int64_t element) { return (n > kChunk ? 2 : 1) * lines * n * element; }

// Sorts all lines in the workspace of sort_bytes; returns where the result lies.
template <class E, class Load, class Order>
const E *sort_lines(const Frame &f, void *workspace, int64_t lines, int64_t n, const Load &load, const Order &less) {
  E *e = static_cast<E *>(workspace), *spare = e + lines * n;
  const int width = int(power_of_two_from(n, kChunk));
  TC_LAUNCH((chunk_kernel<E, Load, Order>), f.blocks(lines * ((n + width - 1) / width), kChunk / width), 256, 0, f.stream, e,
            lines, n, width, load, less);
  for (int64_t run = width; run < n; run *= 2) {
    TC_LAUNCH((merge_kernel<E, Order>), f.blocks(lines * n, 256), 256, 0, f.stream, static_cast<const E *>(e), spare, lines, n,
              run, less);
    E *const swap = e;
    e = spare;
    spare = swap;
  }
  return e;
}

inline bool is_narrow(int64_t dtype, int64_t n) { return tc_dtype_size(dtype) <= 4 && n < int64_t(UINT32_MAX); }

// Calls fn(type tag, element tag) for a real dtype; false for others.
template <class F> bool with_element(int64_t dtype, int64_t n, F &&fn) {
  return with_real(dtype, [&](auto tag) {
    if (is_narrow(dtype, n)) fn(tag, Tag<Narrow>());
    else fn(tag, Tag<Wide>());
  });
}

}  // namespace tc
