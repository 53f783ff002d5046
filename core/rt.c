// What every other core file rests on: the error record, the area where the host writes argument structs, and the
// few memory functions that a freestanding module has to bring along.
#include "rt.h"

#include <stddef.h>
#include <stdint.h>

int64_t tc_error_info[4];

// The host writes a kernel's argument struct here and passes the address; 64 KiB holds any struct many times over,
// so several calls can be prepared at once.
_Alignas(64) unsigned char tc_arg_area[TC_ARG_AREA_BYTES];

int32_t tc_options[TC_OPTION_COUNT];

int32_t tc_set_option(int32_t option, int32_t value) {
  if (option < 0 || option >= TC_OPTION_COUNT) return TC_BAD_VALUE;
  tc_options[option] = value;
  return TC_OK;
}

#ifdef __wasm__
// Which of the builds this is: bit 0 relaxed SIMD, bit 1 threads.
__attribute__((export_name("tc_build"))) int32_t tc_build(void) {
  int32_t bits = 0;
#ifdef __wasm_relaxed_simd__
  bits |= 1;
#endif
#ifdef __wasm_atomics__
  bits |= 2;
#endif
  return bits;
}

// emscripten's own memcpy calls JavaScript for large blocks. With bulk memory the builtins below are the
// memory.copy and memory.fill instructions, never a call to the function being defined.
void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  return __builtin_memcpy(to, from, n);
}

void *memmove(void *to, const void *from, size_t n) { return __builtin_memmove(to, from, n); }

void *memset(void *to, int byte, size_t n) { return __builtin_memset(to, byte, n); }
#endif
