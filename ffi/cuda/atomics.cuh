// Updates of memory that several threads may want at once, for every storage type, and indices that are checked.
#pragma once

#include "words.cuh"

namespace tc {

// Replaces *place by fn(*place), whatever the type's size.
template <class T, class F> TC_FN void update(T *place, F fn) {
  if constexpr (sizeof(T) >= 4) {
    using Word = std::conditional_t<sizeof(T) == 4, unsigned, unsigned long long>;
    Word *const word = reinterpret_cast<Word *>(place);
    Word old = *word, expected;
    do {
      expected = old;
      T value;
      memcpy(&value, &expected, sizeof value);
      value = fn(value);
      Word made;
      memcpy(&made, &value, sizeof made);
      if (made == expected) return;
      old = atomicCAS(word, expected, made);
    } while (old != expected);
  } else {  // smaller than what the hardware exchanges
    const uintptr_t address = reinterpret_cast<uintptr_t>(place);
    unsigned *const word = reinterpret_cast<unsigned *>(address & ~uintptr_t(3));
    const unsigned shift = unsigned(address & 3) * 8, mask = sizeof(T) == 1 ? 0xffu : 0xffffu;
    unsigned old = *word, expected;
    do {
      expected = old;
      T value;
      const uint16_t bits = uint16_t(expected >> shift & mask);
      memcpy(&value, &bits, sizeof(T));
      value = fn(value);
      uint16_t made = 0;
      memcpy(&made, &value, sizeof(T));
      old = atomicCAS(word, expected, (expected & ~(mask << shift)) | unsigned(made) << shift);
    } while (old != expected);
  }
}

// *place += value, whatever the type; bools are or-ed.
template <class T> TC_FN void accumulate(T *place, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    if (value) *place = true;
  } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    atomicAdd(place, value);
  } else if constexpr (std::is_same_v<T, int32_t>) {
    atomicAdd(reinterpret_cast<unsigned *>(place), unsigned(value));
  } else if constexpr (std::is_same_v<T, int64_t>) {
    atomicAdd(reinterpret_cast<unsigned long long *>(place), (unsigned long long)value);
  } else {
    using C = compute_t<T>;
    update(place, [=](T old) { return convert<T>(C(convert<C>(old) + convert<C>(value))); });
  }
}

// What an index must satisfy.
struct Bounds { int64_t size, dim; int wrap, kernel; };

// The index if it is good, else -1 with a report.
TC_FN int64_t checked(int64_t index, const Bounds &b, int64_t position, DeviceError *error) {
  if (index >= 0 && index < b.size) return index;
  if (b.wrap && index < 0 && index >= -b.size) return index + b.size;
  raise(error, b.kernel, TC_INDEX_OUT_OF_RANGE, index, b.size, position, b.dim);
  return -1;
}

}  // namespace tc
