// Splitting a kernel's work over the thread pool; without threads it is a plain call.
#ifndef TC_PARALLEL_H
#define TC_PARALLEL_H

#include <stdint.h>

#include "include/tc.h"

#define TC_MAX_THREADS 256
#define TC_POOL_FAILURE_BYTES 512

// Runs body(ctx, begin, end, thread) over [0, n) in chunks of at least `grain`, on the calling thread and the pool,
// and returns when all is done. `thread` is 0 .. tc_num_threads() - 1: which private workspace to use. A call from
// inside a body runs there and then as one piece, with the thread number of that body.
//
// Where the cuts fall depends on the number of threads, and the pool comes up while a program runs. So that a
// program prints the same numbers every time, what a body computes for an element must not depend on `begin` and
// `end`. A sum over elements therefore has blocks of its own fixed size, one partial result for each, and calls
// tc_parallel_for over the blocks.
typedef void (*tc_range_fn)(void *ctx, int64_t begin, int64_t end, int thread);
void tc_parallel_for(int64_t n, int64_t grain, tc_range_fn body, void *ctx);

// Threads that a parallel_for may use now (1 while the pool is not up). It changes only between kernels, so that a
// scratch size computed from it holds for the launch that follows.
int tc_num_threads(void);

// How the host drives the pool: wasm/threads.ts on wasm; the native build starts its own threads.

// Takes the threads that have checked in into use, at most `limit`; returns tc_num_threads(). Between kernels only.
TC_EXPORT(tc_pool_sync) int32_t tc_pool_sync(int32_t limit);

// Ends the workers: from then on everything runs on the calling thread. Between kernels only.
TC_EXPORT(tc_pool_stop) void tc_pool_stop(void);

#endif
