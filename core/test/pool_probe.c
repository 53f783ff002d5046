// Exports that exercise the pool from JavaScript (fork-join cost, traps, growth); linked only into development
// builds: build_wasm.ts --dev --extra=test/pool_probe.c
#include "../parallel.h"
#include "../rt.h"

static void touch(void *ctx, int64_t begin, int64_t end, int thread) {
  int32_t *data = ctx;
  for (int64_t i = begin; i < end; i++) data[i] = data[i] * 3 + 1;
  (void)thread;
}

// Runs `count` elements `times` times.
__attribute__((export_name("probe_touch"))) int32_t probe_touch(int32_t *data, int32_t count, int32_t grain,
                                                               int32_t times) {
  for (int32_t t = 0; t < times; t++) tc_parallel_for(count, grain, touch, data);
  return TC_OK;
}

static void who(void *ctx, int64_t begin, int64_t end, int thread) {
  int32_t *calls = ctx;
  __atomic_fetch_add(&calls[thread], (int32_t)(end - begin), __ATOMIC_SEQ_CST);
  for (volatile int spin = 0; spin < 100000; spin++) {}
}

__attribute__((export_name("probe_who"))) int32_t probe_who(int32_t *calls, int32_t count) {
  tc_parallel_for(count, 1, who, calls);
  return TC_OK;
}

static void trap_in_worker(void *ctx, int64_t begin, int64_t end, int thread) {
  (void)ctx, (void)begin, (void)end;
  if (thread != 0) __builtin_trap();
  for (volatile int spin = 0; spin < 1000000; spin++) {}
}

__attribute__((export_name("probe_trap"))) int32_t probe_trap(int32_t count) {
  tc_parallel_for(count, 1, trap_in_worker, 0);
  return TC_OK;
}
