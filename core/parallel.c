// The thread pool. Workers spin a while on one word and then sleep on it; a job is published by writing that word,
// chunks are claimed by decreasing it, and the caller takes part. Fork and join cost well under a microsecond when
// the workers are spinning.
#include "parallel.h"

#if defined(__wasm__) && !defined(__wasm_atomics__)

void tc_parallel_for(int64_t n, int64_t grain, tc_range_fn body, void *ctx) {
  (void)grain;
  if (n > 0) body(ctx, 0, n, 0);
}

int tc_num_threads(void) { return 1; }

int32_t tc_pool_sync(int32_t limit) {
  (void)limit;
  return 1;
}

void tc_pool_stop(void) {}

#else

#include <stdatomic.h>
#include <stdbool.h>

#include "rt.h"

// Iterations before a waiting thread goes to sleep: roughly 100 microseconds for a worker, which covers the gaps
// between the operators of a training step, and 20 for the caller, who waits for chunks already running.
#define WORKER_SPINS 65536
#define CALLER_SPINS 16384

// Chunks per thread: enough to even out threads that run at different speeds, few enough to be cheap.
#define CHUNKS_PER_THREAD 4

static struct {
  // Threads in use in the high half, chunks not yet claimed in the low half (the word that workers sleep on). A
  // claim is one compare-and-swap of both, so a worker beyond the threads in use can never take a chunk. The fields
  // of the job are read only after a claim: the job cannot end, nor its fields change, before the chunk is done.
  _Alignas(64) _Atomic uint64_t claim;
  // The job.
  tc_range_fn body;
  void *ctx;
  int64_t n, chunk, chunks;
  uint32_t pages;                     // memory size, see catch_up_with_memory
  _Alignas(64) _Atomic uint32_t done;  // chunks finished
  _Atomic uint32_t caller_sleeps;
  _Atomic uint32_t sleepers;  // workers asleep on claim
  _Alignas(64) _Atomic uint32_t active;  // threads in use, the caller included; idle workers beyond it sleep on it
  _Atomic uint32_t ready;                // workers that have checked in
  _Atomic uint32_t stopped;              // 1: workers return
  _Atomic uint32_t failed;               // workers that trapped in the current job
} pool = {.active = 1};

static _Thread_local int32_t thread_index;  // 0: the caller
static _Thread_local bool inside_body;

#ifdef __wasm__

// Throws a JavaScript error made from tc_pool_failure.
__attribute__((import_module("env"), import_name("tc_pool_throw"), noreturn)) void tc_pool_throw(void);

static void sleep_on(_Atomic uint32_t *word, uint32_t expected) {
  __builtin_wasm_memory_atomic_wait32((int *)word, (int)expected, -1);
}

static void wake(_Atomic uint32_t *word, uint32_t count) {
  __builtin_wasm_memory_atomic_notify((int *)word, count);
}

__attribute__((noinline)) static uint32_t memory_pages(void) {
  return (uint32_t)__builtin_wasm_memory_size(0);
}

// An engine without guard pages compares addresses with a memory size that it keeps per worker and refreshes in an
// interrupt, after the caller's memory.grow. A loop's back edge serves interrupts.
static void catch_up_with_memory(void) {
  while (memory_pages() < pool.pages) {}
}

#else
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void sleep_on(_Atomic uint32_t *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *word, uint32_t count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count > INT_MAX ? INT_MAX : (int)count, NULL, NULL, 0);
}

static uint32_t memory_pages(void) { return 0; }

static void catch_up_with_memory(void) {}

_Noreturn static void tc_pool_throw(void) {
  fputs("tstorch: a pool thread failed\n", stderr);
  abort();
}
#endif

static _Atomic uint32_t *unclaimed(void) {
  return (_Atomic uint32_t *)&pool.claim;  // the low half: both targets are little-endian
}

// Runs chunks of the current job until none is left to claim. Never inlined, like spin: a wasm
// engine replaces baseline code by optimised code at calls, and worker_main is called once.
__attribute__((noinline)) static void tc_pool_work(void) {
  uint64_t claim = atomic_load(&pool.claim);
  while ((uint32_t)claim != 0 && (uint32_t)thread_index < (uint32_t)(claim >> 32)) {
    if (!atomic_compare_exchange_weak(&pool.claim, &claim, claim - 1)) continue;
    catch_up_with_memory();
    const int64_t begin = (pool.chunks - (int64_t)(uint32_t)claim) * pool.chunk;
    const int64_t end = begin + pool.chunk < pool.n ? begin + pool.chunk : pool.n;
    pool.body(pool.ctx, begin, end, thread_index);
    atomic_fetch_add(&pool.done, 1);
    if (atomic_load(&pool.caller_sleeps)) wake(&pool.done, 1);
    claim = atomic_load(&pool.claim);
  }
}

// Whether `word` stopped being `value` within a number of looks.
__attribute__((noinline)) static bool tc_pool_spin(_Atomic uint32_t *word, uint32_t value, int32_t looks) {
  for (; looks > 0; looks--) {
    if (atomic_load_explicit(word, memory_order_acquire) != value) return true;
  }
  return false;
}

static void join(uint32_t chunks) {
  uint32_t done;
  while ((done = atomic_load(&pool.done)) != chunks) {
    if (tc_pool_spin(&pool.done, done, CALLER_SPINS) || tc_options[TC_OPTION_CALLER_SPINS]) continue;
    atomic_store(&pool.caller_sleeps, 1);
    sleep_on(&pool.done, done);
    atomic_store(&pool.caller_sleeps, 0);
  }
}

static void worker_loop(void) {
  while (!atomic_load(&pool.stopped)) {
    const uint32_t active = atomic_load(&pool.active);
    if ((uint32_t)thread_index >= active) {
      sleep_on(&pool.active, active);
    } else if (tc_pool_spin(unclaimed(), 0, WORKER_SPINS)) {
      tc_pool_work();
    } else {
      atomic_fetch_add(&pool.sleepers, 1);
      sleep_on(unclaimed(), 0);
      atomic_fetch_sub(&pool.sleepers, 1);
    }
  }
}

static void worker_enter(void) {
  if (thread_index != 0) return;
  thread_index = 1 + (int32_t)atomic_fetch_add(&pool.ready, 1);
  inside_body = true;
}

int32_t tc_pool_sync(int32_t limit) {
  uint32_t active = 1 + atomic_load(&pool.ready);
  if (active > (uint32_t)limit) active = (uint32_t)limit;
  if (active != atomic_load(&pool.active)) {
    atomic_store(&pool.active, active);
    wake(&pool.active, UINT32_MAX);
  }
  return (int32_t)active;
}

// Ends all workers for good. Both words that they sleep on get values on which none would go to sleep.
void tc_pool_stop(void) {
  atomic_store(&pool.stopped, 1);
  atomic_store(&pool.active, 0);
  atomic_store(&pool.claim, 1);  // a chunk that nobody may take
  wake(&pool.active, UINT32_MAX);
  wake(unclaimed(), UINT32_MAX);
}

#ifdef __wasm__

// A worker's life. The host has set its stack and its thread-local block. It calls this again if a body trapped;
// a return is the end.
__attribute__((export_name("tc_pool_worker"))) void tc_pool_worker(void) {
  worker_enter();
  worker_loop();
}

// Workers that have checked in.
__attribute__((export_name("tc_pool_ready"))) int32_t tc_pool_ready(void) {
  return (int32_t)atomic_load(&pool.ready);
}

unsigned char tc_pool_failure[TC_POOL_FAILURE_BYTES];

// Called by the host in a worker whose tc_pool_worker trapped, after it wrote the message to tc_pool_failure: the
// chunk counts as done, and the caller throws when the job is over.
__attribute__((export_name("tc_pool_worker_failed"))) void tc_pool_worker_failed(void) {
  atomic_fetch_add(&pool.failed, 1);
  atomic_fetch_add(&pool.done, 1);
  wake(&pool.done, 1);
}

// Called by the host when a kernel trapped on the calling thread: if that was inside a job, takes back what is left
// of it and waits for the chunks that workers are in, all but the one that trapped.
__attribute__((export_name("tc_pool_recover"))) void tc_pool_recover(void) {
  if (!inside_body) return;
  const uint32_t left = (uint32_t)atomic_exchange(&pool.claim, 0);
  join((uint32_t)pool.chunks - left - 1);
  atomic_store(&pool.failed, 0);
  inside_body = false;
}

static void start_native_threads(void) {}

#else

static void *native_worker(void *unused) {
  (void)unused;
  worker_enter();
  worker_loop();
  return NULL;
}

static void start_threads_once(void) {
  const char *wanted = getenv("TSTORCH_NUM_THREADS");
  const long n = wanted ? strtol(wanted, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
  for (long i = 1; i < n && i < TC_MAX_THREADS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, native_worker, NULL) != 0) break;
    pthread_detach(thread);
    while (atomic_load(&pool.ready) < (uint32_t)i) {}
  }
  tc_pool_sync(TC_MAX_THREADS);
}

static void start_native_threads(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_threads_once);
}
#endif

int tc_num_threads(void) {
  start_native_threads();
  const uint32_t active = atomic_load_explicit(&pool.active, memory_order_relaxed);
  return active == 0 ? 1 : (int)active;
}

void tc_parallel_for(int64_t n, int64_t grain, tc_range_fn body, void *ctx) {
  if (n <= 0) return;
  const int64_t threads = inside_body ? 1 : tc_num_threads();
  int64_t chunk = (n + CHUNKS_PER_THREAD * threads - 1) / (CHUNKS_PER_THREAD * threads);
  if (chunk >= 256) chunk = (chunk + 63) & ~(int64_t)63;  // cuts at whole cache lines of contiguous elements
  if (chunk < grain) chunk = grain;
  if (threads == 1 || chunk >= n) {
    body(ctx, 0, n, thread_index);
    return;
  }
  pool.body = body;
  pool.ctx = ctx;
  pool.n = n;
  pool.chunk = chunk;
  pool.chunks = (n + chunk - 1) / chunk;
  pool.pages = memory_pages();
  const uint32_t chunks = (uint32_t)pool.chunks;
  atomic_store(&pool.done, 0);
  atomic_store(&pool.claim, (uint64_t)threads << 32 | chunks);
  if (atomic_load(&pool.sleepers)) wake(unclaimed(), chunks - 1);
  inside_body = true;
  tc_pool_work();
  inside_body = false;
  join(chunks);
  if (atomic_exchange(&pool.failed, 0)) tc_pool_throw();
}

#endif
