// Run-time services shared by all kernels: see rt.c.
#ifndef TC_RT_H
#define TC_RT_H

#include "include/tc.h"

#define TC_ARG_AREA_BYTES 65536

extern unsigned char tc_arg_area[TC_ARG_AREA_BYTES];

// What the loader knows about the engine and the kernels cannot find out.
typedef enum {
  // 1: every wasm load and store carries an explicit bounds check (Deno embeds V8 without its trap handler), so
  // kernels do better with fewer, wider memory operations. 0: memory operations cost what the hardware asks.
  TC_OPTION_CHECKED_MEMORY = 0,
  // 1: the thread that launches kernels may not sleep (a browser's main thread), so it spins until a job is done.
  TC_OPTION_CALLER_SPINS = 1,
} tc_option;

#define TC_OPTION_COUNT 8

extern int32_t tc_options[TC_OPTION_COUNT];

TC_EXPORT(tc_set_option) int32_t tc_set_option(int32_t option, int32_t value);

#endif
